"""How was this made, what depends on it, which is the best."""

from __future__ import annotations

import pytest

from tests.store.diary import Diary
from tidegate.store import Store, StoreError


@pytest.fixture
def family(diary: Diary) -> dict[str, int]:
    """raw -> examples -> model -> pushed, raw -> stats; a second run took the first one's examples from the cache."""
    first, second = diary.run("first"), diary.run("second", user="bob")
    (raw,) = diary.task(first, "import", gives={"raw": "1,2"})
    (examples,) = diary.task(first, "example_gen", takes=(raw,), gives={"examples": "e"})
    (stats,) = diary.task(first, "statistics_gen", takes=(raw,), gives={"statistics": "s"})
    (model,) = diary.task(first, "train", (examples,), {"model": "m1"}, "system.Model", auc=0.8)
    with diary.store.transaction():
        diary.store.artifacts.linked(second, "example_gen", "in", "input0", [raw])
        diary.store.artifacts.linked(second, "example_gen", "out", "examples", [examples])
    (other,) = diary.task(second, "train", (examples,), {"model": "m2"}, "system.Model")
    (metrics,) = diary.task(second, "evaluate", (other, examples), {"metrics": ""}, "system.Metrics", auc=0.9)
    return {
        "raw": raw, "examples": examples, "stats": stats, "model": model, "other": other, "metrics": metrics,
    }  # fmt: skip


def test_ancestors_are_what_it_was_made_from_nearest_first(store: Store, family: dict[str, int]) -> None:
    steps = store.artifacts.ancestors(store.artifacts.get(family["metrics"]))
    assert [(s.artifact.id, s.depth) for s in steps] == [
        (family["other"], 1),
        (family["examples"], 1),
        (family["raw"], 2),
    ]
    last = steps[-1]
    assert (last.run, last.task, last.name, last.neighbour) == ("first", "example_gen", "input0", family["examples"])


def test_descendants_reach_through_cache_hits_into_other_runs(store: Store, family: dict[str, int]) -> None:
    found = {s.artifact.id: s.run for s in store.artifacts.descendants(store.artifacts.get(family["examples"]))}
    assert found == {family["model"]: "first", family["other"]: "second", family["metrics"]: "second"}


def test_an_artifact_is_found_by_id_digest_uri_and_a_path_inside(store: Store, family: dict[str, int]) -> None:
    model = store.artifacts.get(family["model"])
    for reference in (str(model.id), model.digest, model.digest[7:17], model.uri, f"{model.uri}/assets/vocabulary"):
        assert store.artifacts.get(reference) == model
    with pytest.raises(StoreError, match="no artifact 'abcdef0': give its id, its digest"):
        store.artifacts.get("abcdef0")


def test_the_same_content_twice_means_the_newest(store: Store, diary: Diary) -> None:
    run = diary.run("r")
    (first,) = diary.task(run, "a", gives={"x": "same"})
    (second,) = diary.task(run, "b", gives={"x": "same"})
    found = store.artifacts.get(store.artifacts.get(first).digest)
    assert found.id == second


def test_the_best_model_counts_metrics_made_from_it(store: Store, family: dict[str, int]) -> None:
    best, worst = store.artifacts.best("auc"), store.artifacts.best("auc", lowest=True)
    assert best is not None and worst is not None
    assert (best[0].id, best[1]) == (family["other"], 0.9)
    assert (worst[0].id, worst[1]) == (family["model"], 0.8)
    assert store.artifacts.best("loss") is None


@pytest.mark.parametrize("value", [float("nan"), "0.9", True, None])
def test_what_is_not_a_number_is_never_the_best(store: Store, diary: Diary, value: object) -> None:
    diary.task(diary.run("r"), "train", gives={"model": "m"}, type="system.Model", auc=value)
    assert store.artifacts.best("auc") is None


def test_models_are_listed_newest_first(store: Store, family: dict[str, int]) -> None:
    assert [model.id for model in store.artifacts.models()] == [family["other"], family["model"]]
    latest = store.artifacts.latest()
    assert latest is not None
    assert latest.id == family["other"]
    assert store.artifacts.models(pushed_only=True) == []
