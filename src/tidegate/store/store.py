"""The store: one folder with what ran, what was made, from what, and what need not be made again.

.tidegate/store.db             runs, events, tasks, artifacts, lineage, cache (SQLite)
.tidegate/runs/<run>/tasks/<path>/attempt-<n>/   log.txt, work/, outputs/<name>, executor_input.json, ...
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

from tidegate.store import places
from tidegate.store.artifacts import Artifacts
from tidegate.store.cache import Cache
from tidegate.store.database import Database, StoreError
from tidegate.store.runs import Runs


class Store:
    """Opened, and made where it is not there yet; any number of processes may use one store at the same time."""

    def __init__(self, folder: str | Path | None = None) -> None:
        """`folder`: what `--store` says; by default TIDEGATE_STORE, else `.tidegate` in the project's root.

        Raises: StoreError where it cannot be made, is damaged, or is of a newer version.
        """
        self.folder = places.store_folder(folder)
        try:
            (self.folder / "runs").mkdir(parents=True, exist_ok=True)
            ignore = self.folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise StoreError(
                f"cannot make the store {self.folder}: {error.strerror}; use another one with --store"
            ) from error
        self.database = Database(self.folder / "store.db")
        self.artifacts = Artifacts(self.database)
        self.runs = Runs(self.database, self.folder / "runs", self.artifacts)
        self.cache = Cache(self.database)

    def transaction(self) -> AbstractContextManager[None]:
        """What is written inside is written as one, or not at all."""
        return self.database.transaction()

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
