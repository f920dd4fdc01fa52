"""The pusher: blessed models only, whole or not at all, signed, with a card that says where they come from."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kfp.dsl.executor import Executor

from tidegate.components import pusher
from tidegate.components.errors import ComponentError
from tidegate.components.pusher import card as cards
from tidegate.components.pusher.work import Pushed, push
from tidegate.models import latest, verify, versions

HOLDS = {
    "metric": "auc",
    "slice": "overall",
    "against": "",
    "value": 0.8,
    "low": 0.79,
    "high": 0.81,
    "bound": 0.7,
    "kind": "at_least",
    "verdict": "holds",
    "reason": "value 0.8 (0.79 to 0.81) is at least 0.7",
    "blocks": False,
}
FAILS = HOLDS | {"metric": "recall", "verdict": "fails", "reason": "value 0.1 is not at least 0.7", "blocks": True}
SCHEMA = """
feature { name: "origin" type: BYTES presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "hour" type: INT presence { min_count: 1 } }
"""


class World:
    """A destination, and the artifacts of a run that went well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.destination = folder / "models"
        self.artifacts = {
            "model": self.model("weights 1"),
            "blessing": self.written(
                "blessing", BLESSED="", **{"blessing.json": {"blessed": True, "requirements": [HOLDS]}}
            ),
            "infra_blessing": self.written(
                "infra", INFRA_BLESSED="", **{"infra.json": {"blessed": True, "reason": "32 equal"}}
            ),
            "schema": self.written("schema", **{"schema.pbtxt": SCHEMA}),
            "statistics": self.written("statistics", **{"Split-train/summary.json": {"split": "train", "rows": 900}}),
            "evaluation": self.written(
                "evaluation",
                **{
                    "summary.json": {
                        "label": "late",
                        "confidence": 0.95,
                        "metrics": [
                            {"name": "auc", "slice": "origin=JFK", "model": "candidate", "value": 0.8, "low": 0.79}
                            | {"high": 0.81, "examples": 300}
                        ],
                    }
                },
            ),
        }
        self.metadata: dict[str, Mapping[str, Any]] = {
            "examples": {"span": 3, "window": 2, "rows": 1200, "rows_by_split": {"train": 900, "eval": 300}},
            "model": {"cpu_seconds": 12.5},
        }

    def model(self, content: str) -> Path:
        return self.written(
            f"model {content}", **{"Format-Serving/saved_model.pb": content, "Samples/requests.json": {}}
        )

    def written(self, name: str, **files: Any) -> Path:
        for path, content in files.items():
            target = self.folder / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content if isinstance(content, str) else json.dumps(content))
        return self.folder / name

    def push(self, name: str = "flights", key: str = "", require: bool = False, **artifacts: Path) -> Pushed:
        out = self.folder / "pushed"
        shutil.rmtree(out, ignore_errors=True)
        given = self.artifacts | artifacts
        return push(given, self.metadata, str(self.destination), name, out, key, require)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return new_keys(tmp_path_factory.mktemp("keys"))


def new_keys(folder: Path) -> tuple[Path, Path]:
    """An elliptic-curve pair in PEM: (private, public)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / "model.key", folder / "model.pub"
    pem = serialization.Encoding.PEM
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_a_blessed_model_becomes_a_version_with_its_card(world: World) -> None:
    done = world.push()

    (version,) = versions(world.destination, "flights")
    assert done.pushed and done.new and version.version == done.version and version.version.startswith("00001-")
    assert (version.path / "Format-Serving/saved_model.pb").read_text() == "weights 1"
    card = version.card
    assert card["digest"] == done.digest and card["data"]["spans"] == [2, 3] and version.last_span == 3
    assert card["data"]["splits"] == {"train": {"rows": 900}, "eval": {"rows": 300}} and card["data"]["rows"] == 1200
    assert card["requirements"] == [HOLDS] and card["metrics"][0]["slice"] == "origin=JFK"
    assert card["schema"]["features"][0] == {"name": "hour", "type": "INT", "required": False}
    assert card["cost"] == {"cpu_seconds": 12.5, "by_artifact": {"model": 12.5}}
    assert set(card["lineage"]) == set(world.artifacts) and card["lineage"]["model"].startswith("sha256:")
    told = (version.path / "model_card.md").read_text()
    assert "| auc | origin=JFK | 0.8 | 0.79 | 0.81 | 300 |" in told and "not signed" in told
    assert (world.folder / "pushed/model_card.json").read_bytes() == (version.path / "model_card.json").read_bytes()
    assert json.loads((version.path / "model-settings.json").read_text())["parameters"]["uri"] == "./Format-Serving"


def test_the_same_content_is_the_same_version_and_other_content_the_next(world: World) -> None:
    first, again = world.push(), world.push()
    second = world.push(model=world.model("weights 2"))

    assert again.version == first.version and again.pushed and not again.new
    assert [v.version for v in versions(world.destination, "flights")] == [first.version, second.version]
    assert second.version.startswith("00002-")
    assert latest(world.destination, "flights").version == second.version  # type: ignore[union-attr]


def test_the_card_of_the_same_inputs_has_the_same_bytes(world: World, tmp_path: Path) -> None:
    one = Path(world.push().path)
    world.destination = tmp_path / "elsewhere"
    other = Path(world.push().path)

    for name in ("model_card.json", "model_card.md", "model-settings.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_what_is_not_blessed_is_not_pushed_and_the_requirement_is_named(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {"blessed": False, "requirements": [HOLDS, FAILS]}
    blessing = world.written("refused", NOT_BLESSED="", **{"blessing.json": content})

    done = world.push(blessing=blessing)

    assert not done.pushed and not world.destination.exists()
    assert "recall [overall] at_least 0.7: fails" in done.reason and "auc" not in done.reason
    assert "not pushed" in capsys.readouterr().out
    assert json.loads((world.folder / "pushed/pushed.json").read_text())["pushed"] is False


def test_infra_validator_alone_can_refuse(world: World) -> None:
    infra = world.written("no infra", INFRA_NOT_BLESSED="", **{"infra.json": {"reason": "the answers differ"}})

    done = world.push(infra_blessing=infra)

    assert not done.pushed and "the answers differ" in done.reason


def test_a_signed_version_verifies_and_no_change_goes_unnoticed(world: World, keys: tuple[Path, Path]) -> None:
    private, public = keys
    path = Path(world.push(key=str(private)).path)
    assert verify(path, public).valid

    for change in ("Format-Serving/saved_model.pb", "model_card.json", "model-settings.json"):
        file = path / change
        kept = file.read_bytes()
        file.chmod(0o644)
        file.write_bytes(kept + b" ")
        assert not verify(path, public).valid, change
        file.write_bytes(kept)
    (path / "extra").write_text("")
    assert "changed since it was signed" in verify(path, public).reason
    (path / "extra").unlink()
    assert verify(path, public).valid


def test_model_signings_own_tool_verifies_it_too(world: World, keys: tuple[Path, Path]) -> None:
    path = world.push(key=str(keys[0])).path
    command = [sys.executable, "-m", "model_signing", "verify", "key", path, "--signature", f"{path}/model.sig"]

    done = subprocess.run([*command, "--public_key", str(keys[1])], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "succeeded" in done.stdout


def test_pushers_at_the_same_time_all_come_through(world: World) -> None:
    models = [world.model(f"weights {i % 4}") for i in range(8)]

    def one(i: int) -> Pushed:
        given = world.artifacts | {"model": models[i]}
        return push(given, {}, str(world.destination), "flights", world.folder / f"out{i}")

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(one, range(8)))

    found = versions(world.destination, "flights")
    assert [v.number for v in found] == [1, 2, 3, 4] and {d.version for d in done} == {v.version for v in found}
    assert sum(d.new for d in done) == 4


KILLED = """
import sys, json, time
from pathlib import Path
from tidegate.components.pusher import work
def slow(staging):
    print("staged", flush=True)
    time.sleep(60)
work._settle = slow
artifacts = {k: Path(v) for k, v in json.loads(sys.argv[1]).items()}
work.push(artifacts, {}, sys.argv[2], "flights", sys.argv[3])
"""


def test_a_pusher_killed_before_the_end_leaves_nothing_that_looks_whole(world: World) -> None:
    artifacts = json.dumps({k: str(v) for k, v in world.artifacts.items()})
    command = [sys.executable, "-c", KILLED, artifacts, str(world.destination), str(world.folder / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"staged\n"
        os.kill(process.pid, signal.SIGKILL)

    left = [p.name for p in (world.destination / "flights").iterdir() if p.is_dir()]
    assert len(left) == 1 and versions(world.destination, "flights") == []
    done = world.push()
    assert done.new and [p.name for p in (world.destination / "flights").iterdir() if p.is_dir()] == [done.version]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "a/b"}, "name 'a/b' cannot be used"),
        ({"name": "../up"}, "cannot be used"),
        ({"key": "/no/such.key"}, "signing_key /no/such.key"),
        ({"require": True}, "a signature is required"),
    ],
)
def test_unusable_parameters_are_told(given: dict[str, Any], says: str, world: World) -> None:
    with pytest.raises(ComponentError) as error:
        world.push(**given)
    assert says in str(error.value) and not world.destination.exists()


def test_a_key_that_is_none_is_told(world: World) -> None:
    key = world.written("keys", **{"model.key": "no key"}) / "model.key"

    with pytest.raises(ComponentError, match="expected an unencrypted elliptic-curve private key"):
        world.push(key=str(key))


def test_artifacts_that_are_none_are_told(world: World) -> None:
    with pytest.raises(ComponentError, match="expected a model that trainer made"):
        world.push(model=world.written("empty", other=""))
    with pytest.raises(ComponentError, match="found neither"):
        world.push(blessing=world.written("empty", other=""))
    del world.artifacts["blessing"], world.artifacts["infra_blessing"]
    with pytest.raises(ComponentError, match="no blessing was given"):
        world.push()


def test_a_destination_that_cannot_be_written_is_told(world: World) -> None:
    world.destination.write_text("a file")

    with pytest.raises(ComponentError, match=r"cannot write to .*flights: Not a directory; nothing was pushed"):
        world.push()


def test_a_full_disk_is_told_and_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str, **_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)

    with pytest.raises(ComponentError, match="no space left"):
        world.push()
    assert [p.name for p in (world.destination / "flights").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("metadata", "spans"),
    [
        ({}, []),
        ({"span": -1}, []),
        ({"span": 5}, [5]),
        ({"span": 5, "window": 3}, [3, 4, 5]),
        ({"spans": [2, 1]}, [1, 2]),
        ({"spans": [-1]}, []),
    ],
)
def test_spans_of_examples(metadata: dict[str, Any], spans: list[int]) -> None:
    assert cards.spans(metadata) == spans


@pytest.mark.parametrize("blessed", [True, False])
def test_kfp_runs_the_component(blessed: bool, world: World) -> None:
    if not blessed:
        world.artifacts["blessing"] = world.written(
            "no", NOT_BLESSED="", **{"blessing.json": {"requirements": [FAILS]}}
        )
    titles = {"model": "Model", "blessing": "ModelBlessing", "infra_blessing": "InfraBlessing", "schema": "Schema"}

    def artifact(path: Path, title: str) -> dict[str, Any]:
        return {"artifacts": [{"name": "x", "uri": str(path), "type": {"schemaTitle": f"system.{title}"}}]}

    given = {
        "inputs": {
            "parameterValues": {"destination": str(world.destination), "name": "flights"},
            "artifacts": {n: artifact(world.artifacts[n], title) for n, title in titles.items()},
        },
        "outputs": {
            "outputFile": str(world.folder / "out.json"),
            "artifacts": {"pushed_model": artifact(world.folder / "pushed_model", "PushedModel")},
        },
    }

    Executor(executor_input=given, function_to_execute=pusher.python_func).execute()

    (told,) = json.loads((world.folder / "out.json").read_text())["artifacts"]["pushed_model"]["artifacts"]
    assert told["metadata"]["pushed"] is blessed
    if blessed:
        assert Path(told["metadata"]["pushed_destination"]).name == told["metadata"]["pushed_version"]
        assert (world.folder / "pushed_model/model_card.md").exists()
    else:
        assert "recall" in told["metadata"]["reason"] and not world.destination.exists()
