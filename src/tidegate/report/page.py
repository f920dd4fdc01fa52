"""Puts the page together and writes it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

from tidegate.report import graph, sections, words
from tidegate.report.reading import tail
from tidegate.report.svg import drawing, tag, title
from tidegate.store import Store
from tidegate.store.records import RunRecord, TaskRecord

_LINE = 20.0


def write_report(store: Store, run_id: str, path: Path, contents: RunRecord | None = None) -> None:
    """Write the report of a run to `path`, whole or not at all.

    contents: the run with its artifacts where they can be read, if that is not where they are.
    Raises: OSError; the store's error for no such run.
    """
    text = render(store.runs.get(run_id), contents)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".new", delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)  # noqa: PTH101
    Path(file.name).replace(path)


def render(run: RunRecord, contents: RunRecord | None = None) -> str:
    """The page as text; see `write_report`."""
    held = contents or run
    environment = Environment(
        loader=PackageLoader("tidegate.report"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "amount": words.amount, "seconds": words.seconds, "share": words.share, "size": words.size,
        "moment": words.moment, "short": words.short, "parameter": _parameter,
    }  # fmt: skip
    environment.filters.update(filters)
    leaves = [task for task in run.tasks if task.kind == "task"]
    return environment.get_template("page.html.j2").render(
        run=run,
        leaves=leaves,
        graph=graph.draw(run),
        times=_times(leaves),
        cpu=sum(task.cpu_seconds for task in leaves),
        peak=max((task.peak_memory for task in leaves), default=0),
        failed=[(task, tail(task.log)) for task in leaves if task.state == "failed"],
        statistics=sections.statistics(held),
        anomalies=sections.anomalies(held),
        blessings=sections.blessings(held),
        evaluations=sections.evaluations(held),
        curves=sections.curves(held),
        infra=sections.infra(held),
        pushes=sections.pushes(held),
        metrics=sections.kfp_metrics(held),
        pages=sections.pages(held),
        artifacts=[a for task in leaves for found in task.outputs.values() for a in found],
    )


def _parameter(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _times(leaves: list[TaskRecord], width: float = 900.0) -> Markup:
    """When each task ran, one line each."""
    ran = [task for task in leaves if task.started is not None and task.ended is not None]
    if not ran:
        return Markup("")
    begin = min(task.started or 0.0 for task in ran)
    span = max(max(task.ended or 0.0 for task in ran) - begin, 0.001)
    parts = []
    for index, task in enumerate(sorted(ran, key=lambda task: (task.started or 0.0, task.path))):
        start, end = (task.started or 0.0) - begin, (task.ended or 0.0) - begin
        x, y = 190 + start / span * (width - 330), _LINE * index
        long = max(2.0, (end - start) / span * (width - 330))
        said = f"{words.seconds(end - start)}, {words.size(task.peak_memory)}" if task.state != "cached" else "cached"
        hint = title(f"{task.path}: {task.state}, CPU {words.seconds(task.cpu_seconds)}")
        parts += [
            tag("text", task.path[-28:], x=182, y=y + 14, text_anchor="end"),
            tag("rect", hint, x=x, y=y + 3, width=long, height=14, rx=3, class_=f"task {task.state}"),
            tag("text", said, x=x + long + 6, y=y + 14, class_="small"),
        ]
    return drawing(width, _LINE * len(ran) + 6, parts, "when each task ran")
