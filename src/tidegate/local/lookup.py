"""Whether a task's work was done before: in this store's cache, or in the run that is being retried.

Something found is an answer only if all that it made is still there, unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tidegate.graph.keys import cache_parts, key_of
from tidegate.graph.work import Outputs, Work
from tidegate.local.attempt import local_path
from tidegate.local.codec import decode_outputs
from tidegate.store.artifacts import OUT
from tidegate.store.cache import why_missed
from tidegate.store.digests import still
from tidegate.store.store import Store


@dataclass(frozen=True, slots=True)
class Earlier:
    """A finished task of another run."""

    run: str
    task: str
    key: str
    outputs: Mapping[str, Any]
    """As `codec.encode_outputs` gives them."""
    made_by: str = ""
    """The run that did the work, where `run` had it from the cache itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found out about a task before it runs."""

    key: str
    parts: Mapping[str, str]
    why_missed: str = ""
    outputs: Outputs | None = None
    """None: the task has to run."""
    cached_from: str = ""
    artifacts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The records of the outputs' artifacts, by output."""


@dataclass(frozen=True, slots=True)
class Lookup:
    store: Store
    run: str
    """The run that asks."""
    caching: bool = True
    after: float | None = None
    """Older entries do not answer (`--cache-after`)."""
    finished: Mapping[str, Earlier] = field(default_factory=dict)
    """Path -> the finished task of the run that is being retried."""
    again: str = ""
    """A task to do again whatever is known, with all below it (`retry --from`)."""
    following: frozenset[str] = frozenset()
    """What follows from it, likewise."""

    def ask(self, work: Work, environment: str, now: float) -> Answer:
        """`environment`: the fingerprint of the image's."""
        parts = cache_parts(work, environment)
        key = key_of(parts, work.cache_key)
        if self.again and _within(work.path, (self.again,)):
            return Answer(key, parts, "to be done again (--from)")
        if _within(work.path, self.following):
            return Answer(key, parts, f"follows {self.again}, which is done again (--from)")
        before = self.finished.get(work.path)
        if before is not None and before.key == key and (found := self._still(before, key, parts)):
            with self.store.transaction():
                self._link(work.path, found)
            return found
        if not work.caching:
            return Answer(key, parts, "caching is off for this task")
        if not self.caching:
            return Answer(key, parts, "caching is off for this run")
        entry = self.store.cache.get(key)
        if entry is None:
            nearest = self.store.cache.nearest(work.component, work.path, parts)
            return Answer(key, parts, why_missed(parts, nearest.parts if nearest else None))
        if self.after is not None and entry.created < self.after:
            return Answer(key, parts, f"its entry, of run {entry.run}, is older than --cache-after")
        with self.store.transaction():  # `gc` either sees that this run uses the entry, or took it before
            found = self._still(Earlier(entry.run, entry.task, key, json.loads(entry.outputs)), key, parts)
            if found is None or self.store.cache.get(key) is None:
                self.store.cache.drop(key)
                return Answer(key, parts, f"what run {entry.run} made is gone or was changed")
            self.store.cache.used(key, now)
            self._link(work.path, found)
        return found

    def _link(self, path: str, found: Answer) -> None:
        for name, ids in found.artifacts.items():
            self.store.artifacts.linked(self.run, path, OUT, name, ids)

    def _still(self, earlier: Earlier, key: str, parts: Mapping[str, str]) -> Answer | None:
        outputs = decode_outputs(earlier.outputs)
        records = self.store.artifacts.of_task(earlier.run, earlier.task, OUT)
        ids: dict[str, tuple[int, ...]] = {}
        for name, artifacts in outputs.artifacts.items():
            known = records.get(name, ())
            if [each.uri for each in artifacts] != [each.uri for each in known]:
                return None
            for artifact, record in zip(artifacts, known, strict=True):
                path = local_path(artifact)
                if path is None:
                    continue
                content = self.store.artifacts.content(record.id)
                now = still(path, content, follow_links=not str(path).startswith(f"{self.store.folder}/"))
                if now is None or now.digest != artifact.digest:
                    return None
                if now.stat != content.stat:
                    self.store.artifacts.refresh(record.id, now)
            ids[name] = tuple(record.id for record in known)
        return Answer(key, parts, "", outputs, earlier.made_by or earlier.run, ids)


def _within(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(f"{place}/") for place in places)
