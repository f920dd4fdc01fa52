"""A short way to record what runs did in a store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tidegate.graph.work import Artifact
from tidegate.store import RunRecord, Store
from tidegate.store.digests import read
from tidegate.store.places import task_folder
from tidegate.store.records import CacheEntry

BLANK = RunRecord(
    id="", pipeline="flights", state="succeeded", created=0.0, ended=None, user="ada", engine="local",
    parameters={"n": 1}, error="", code="abc", spec="name: flights\n",
)  # fmt: skip


@dataclass
class Diary:
    """Writes runs into a store as the engine does."""

    store: Store
    clock: float = 1000.0

    def run(self, id: str, **fields: Any) -> str:
        self.clock += 1
        self.store.runs.create(replace(BLANK, id=id, **{"created": self.clock, **fields}))
        return id

    def task(
        self,
        run: str,
        path: str,
        takes: tuple[int, ...] = (),
        gives: dict[str, str] | None = None,
        type: str = "system.Dataset",
        key: str = "",
        **metadata: Any,
    ) -> list[int]:
        """A finished task with inputs by id and outputs name -> content; gives the outputs' ids."""
        self.clock += 1
        folder = task_folder(self.store.runs.folder(run), path) / "attempt-1"
        (folder / "outputs").mkdir(parents=True)
        (folder / "log.txt").write_text("done\n")
        made = []
        with self.store.transaction():
            self.store.runs.put_task(run, path, component=path, state="succeeded", folder=str(folder))
            for name, content in (gives or {}).items():
                place = folder / "outputs" / name
                place.write_text(content)
                found = read(place)
                artifact = Artifact(name, str(place), type, metadata=metadata, digest=found.digest)
                made.append(self.store.artifacts.made(run, path, artifact, found, self.clock))
                self.store.artifacts.linked(run, path, "out", name, made[-1:])
            for number, id in enumerate(takes):
                self.store.artifacts.linked(run, path, "in", f"input{number}", [id])
            if key:
                entry = CacheEntry(key, "flights", path, run, path, {"image": "a"}, "{}", self.clock, self.clock)
                self.store.cache.put(entry)
        return made
