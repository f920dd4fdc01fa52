"""What the cache remembers, and why it did not answer."""

from __future__ import annotations

import pytest

from tidegate.store import Store
from tidegate.store.cache import why_missed
from tidegate.store.records import CacheEntry

PARTS = {"image": "python:3.11", "code": "c1", "input data": "d1"}


def entry(key: str, component: str = "train", task: str = "train", created: float = 1.0, **changed: str) -> CacheEntry:
    parts = {**PARTS, **{name.replace("_", " "): value for name, value in changed.items()}}
    return CacheEntry(key, "flights", component, "r", task, parts, "{}", created, created)


@pytest.mark.parametrize(
    ("earlier", "why"),
    [
        (None, "first run of this component"),
        ({**PARTS, "code": "c0"}, "code changed"),
        ({**PARTS, "code": "c0", "image": "x"}, "image changed; code changed"),
        ({"image": "python:3.11", "code": "c1"}, "input data is new"),
        ({**PARTS, "parameter n": "1"}, "parameter n is gone"),
        (PARTS, "its entry was dropped"),
    ],
)
def test_a_miss_says_what_differs(earlier: dict[str, str] | None, why: str) -> None:
    assert why_missed(PARTS, earlier) == why


def test_the_nearest_entry_is_of_the_same_component_and_differs_least(store: Store) -> None:
    for made in (
        entry("far", code="c0", image="x", created=3),
        entry("near", code="c0", created=2),
        entry("other", component="evaluate"),
    ):
        store.cache.put(made)
    nearest = store.cache.nearest("train", "train", PARTS)
    assert nearest is not None
    assert nearest.key == "near"
    assert store.cache.nearest("push", "push", PARTS) is None


def test_of_equal_ones_the_same_tasks_comes_first(store: Store) -> None:
    store.cache.put(entry("mine", task="train", code="c0", created=1))
    store.cache.put(entry("theirs", task="train-2", code="c9", created=9))
    nearest = store.cache.nearest("train", "train", PARTS)
    assert nearest is not None
    assert nearest.key == "mine"


def test_clearing_forgets_what_was_asked_and_no_more(store: Store) -> None:
    for made in (entry("old", created=1), entry("new", created=5), entry("other", "evaluate", created=1)):
        store.cache.put(made)
    assert store.cache.clear("train", before=3) == 1
    assert {left.key for left in store.cache.listing()} == {"new", "other"}
    assert store.cache.clear() == 2
    assert store.cache.get("new") is None
