"""When two tasks are the same work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tidegate.graph import Artifact, ArtifactType, Container, Importer, Work, cache_key, cache_parts

DATA = Artifact("data", "/runs/1/data", "system.Dataset", metadata={"rows": 5}, digest="sha256:1")
CONTAINER = Container("python:3.11", ("run",), ("{{$}}",), env={"A": "1"})
WORK = Work(
    "loop/0/train",
    "train",
    CONTAINER,
    {"n": 3},
    {"data": (DATA,)},
    output_parameters={"loss": "NUMBER_DOUBLE"},
    output_artifacts={"model": ArtifactType("system.Model")},
)


def differing(other: Work, environment: str = "e") -> set[str]:
    """The parts that a miss is explained with."""
    one, two = cache_parts(WORK, "e"), cache_parts(other, environment)
    return {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}


@pytest.mark.parametrize(
    "other",
    [
        replace(WORK, path="elsewhere"),
        replace(WORK, caching=False),
        replace(WORK, timeout=5.0),
        replace(WORK, artifacts={"data": (replace(DATA, uri="/runs/2/other", name="x"),)}),
        replace(WORK, executor=replace(CONTAINER, cpu=2.0, memory=5)),
        replace(WORK, parameters=dict(WORK.parameters)),
    ],
    ids=["path", "caching", "timeout", "uri", "resources", "copy"],
)
def test_where_and_when_work_is_done_does_not_matter(other):
    assert cache_key(other, "e") == cache_key(WORK, "e")


@pytest.mark.parametrize(
    ("other", "parts"),
    [
        (replace(WORK, executor=replace(CONTAINER, image="python:3.12")), {"image"}),
        (replace(WORK, executor=replace(CONTAINER, command=("run", "x"))), {"command"}),
        (replace(WORK, executor=replace(CONTAINER, env={})), {"env"}),
        (replace(WORK, parameters={"n": 4}), {"parameter n"}),
        (replace(WORK, parameters={"n": True}), {"parameter n"}),
        (replace(WORK, parameters={"n": 3, "m": 1}), {"parameter m"}),
        (replace(WORK, artifacts={"data": (replace(DATA, digest="sha256:2"),)}), {"input data"}),
        (replace(WORK, artifacts={"data": (replace(DATA, metadata={}),)}), {"input data"}),
        (replace(WORK, artifacts={"data": (replace(DATA, schema_title="system.Model"),)}), {"input data"}),
        (replace(WORK, artifacts={"data": (DATA, DATA)}), {"input data"}),
        (replace(WORK, output_parameters={}), {"outputs"}),
    ],
)
def test_what_makes_work_different_is_named(other, parts):
    assert differing(other) == parts
    assert cache_key(other, "e") != cache_key(WORK, "e")


def test_another_environment_of_the_image_is_other_work():
    assert differing(WORK, "other") == {"environment"}


def test_without_a_digest_the_place_stands_for_the_content():
    remote = replace(DATA, uri="gs://b/x", digest="")
    moved = replace(remote, uri="gs://b/y")
    one, two = (replace(WORK, artifacts={"data": (each,)}) for each in (remote, moved))
    assert cache_key(one, "e") != cache_key(two, "e")


def test_a_custom_key_stands_for_all_inputs():
    mine = replace(WORK, cache_key="mine")
    assert cache_key(mine, "e") == cache_key(replace(mine, parameters={"n": 9}), "e")
    assert cache_key(mine, "e") != cache_key(replace(mine, cache_key="other"), "e")
    assert cache_key(mine, "e") != cache_key(replace(mine, executor=replace(CONTAINER, command=("x",))), "e")


def test_importers_differ_by_what_they_import():
    importer = Importer("/a", ArtifactType(), {}, reimport=False)
    one, two = (replace(WORK, executor=each) for each in (importer, replace(importer, uri="/b")))
    assert cache_key(one, "e") != cache_key(two, "e")


def test_keys_are_sha256():
    assert len(bytes.fromhex(cache_key(WORK, "e"))) == 32
