"""A project in a temporary folder, to run pipelines in: in this process, or in one that can be killed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.local.tasks import until
from tidegate.local.api import Result, run
from tidegate.store import Store

PIPELINES = Path(__file__).with_name("lab_pipelines.py")
ROOT = Path(__file__).parents[2]
_ENGINE = """
import asyncio, json, os, sys
from pathlib import Path
from tidegate.local import engine, settings
from tidegate.local.load import load_pipeline
from tidegate.local.workers import Workers
from tidegate.store import Store
from tidegate.store.database import StoreError

verb, folder, subject, given = sys.argv[1:]

async def main():
    workers = Workers(settings.defaults(Path(folder)), grace=0.5)
    try:
        with Store(Path(folder) / "store") as store:
            if verb == "resume":
                record = await engine.resume(subject, store=store, workers=workers)
            else:
                pipeline = load_pipeline(subject, cache=store.folder / "compiled")
                record = await engine.run(pipeline, json.loads(given), store=store, workers=workers)
        print(json.dumps({"id": record.id, "state": record.state, "outputs": record.outputs}))
    except StoreError as error:
        print(json.dumps({"error": str(error)}))
    finally:
        await workers.close()

asyncio.run(main())
"""


@dataclass
class Lab:
    folder: Path

    @property
    def trace(self) -> Path:
        return self.folder / "trace"

    @property
    def lines(self) -> list[str]:
        """What ran, sorted: tasks that are independent end in any order."""
        return sorted(self.trace.read_text().splitlines()) if self.trace.exists() else []

    def given(self, **parameters: Any) -> dict[str, Any]:
        return {"trace": str(self.trace), **parameters}

    def run(self, name: str, _options: dict[str, Any] | None = None, **parameters: Any) -> Result:
        return run(
            f"{PIPELINES}:{name}",
            self.given(**parameters) if name != "importing" else parameters,
            **{"store": self.folder / "store", "settings_from": self.folder, **(_options or {})},
        )

    @contextmanager
    def store(self) -> Iterator[Store]:
        with Store(self.folder / "store") as opened:
            yield opened

    def engine(self, verb: str, subject: str, preexec: Any = None, **parameters: Any) -> subprocess.Popen[str]:
        """An engine in a process of its own: `run` a pipeline or `resume` a run."""
        where = f"{PIPELINES}:{subject}" if verb == "run" else subject
        return subprocess.Popen(
            [sys.executable, "-c", _ENGINE, verb, str(self.folder), where, json.dumps(self.given(**parameters))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=preexec,
            start_new_session=True,
        )

    def latest(self) -> str:
        with self.store() as store:
            return store.runs.resolve("latest")

    def state(self, run: str) -> str:
        with self.store() as store:
            return store.runs.get(run).state


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What an engine printed at its end."""
    out, err = process.communicate(timeout=60)
    assert out, err
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def reached(gate: Path) -> bool:
    """Whether the task that waits for `gate` began, within a while."""
    return until(lambda: Path(f"{gate}.reached").exists(), 30)
