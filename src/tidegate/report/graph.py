"""The run's tasks as a picture: in layers, each after what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from tidegate.graph.build import build
from tidegate.graph.model import Dag
from tidegate.report.svg import drawing, tag, title
from tidegate.report.words import seconds
from tidegate.spec import SpecError, load
from tidegate.store.records import RunRecord, TaskRecord

_WIDE, _TALL, _ACROSS, _DOWN = 156.0, 40.0, 22.0, 30.0


@dataclass(frozen=True, slots=True)
class Box:
    name: str
    after: tuple[str, ...]
    layer: int
    place: float
    """From the left, in boxes."""


def draw(run: RunRecord) -> Markup:
    """The pipeline's top level; nested ones are one box each. Empty where the pipeline cannot be read any more."""
    try:
        root = build(load(run.spec, run.pipeline)).root.body
    except SpecError:
        return Markup("")
    if not isinstance(root, Dag) or not root.tasks or len(root.tasks) > 200:
        return Markup("")
    records = {task.path: task for task in run.tasks}
    boxes = layers({name: task.after for name, task in root.tasks.items()})
    width = max(box.place for box in boxes.values()) + 1
    parts = [_edge(boxes[other], box) for box in boxes.values() for other in box.after]
    parts += [_box(box, records.get(box.name)) for box in boxes.values()]
    depth = max(box.layer for box in boxes.values()) + 1
    return drawing(width * (_WIDE + _ACROSS), depth * (_TALL + _DOWN), parts, "the pipeline's tasks")


def layers(after: Mapping[str, tuple[str, ...]]) -> dict[str, Box]:
    """Each task one layer below the last that it waits for; within a layer near the middle of those.

    `after` is in topological order.
    """
    level: dict[str, int] = {}
    for name, others in after.items():
        level[name] = 1 + max((level[other] for other in others), default=-1)
    rows: dict[int, list[str]] = {}
    for name in after:
        rows.setdefault(level[name], []).append(name)
    widest = max(len(row) for row in rows.values())
    place: dict[str, float] = {}
    for number in sorted(rows):
        row = rows[number]
        middles = {name: _mean([place[other] for other in after[name] if other in place]) for name in row}
        row.sort(key=lambda name: (middles[name], name))
        start = (widest - len(row)) / 2
        place |= {name: start + index for index, name in enumerate(row)}
    return {name: Box(name, tuple(others), level[name], place[name]) for name, others in after.items()}


def _mean(places: list[float]) -> float:
    return sum(places) / len(places) if places else 0.0


def _corner(box: Box) -> tuple[float, float]:
    return box.place * (_WIDE + _ACROSS) + _ACROSS / 2, box.layer * (_TALL + _DOWN) + 4


def _edge(start: Box, end: Box) -> Markup:
    (x1, y1), (x2, y2) = _corner(start), _corner(end)
    x1, y1, x2 = x1 + _WIDE / 2, y1 + _TALL, x2 + _WIDE / 2
    bend = (y2 - y1) / 2
    path = f"M{x1:.1f} {y1:.1f} C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}"
    return tag("path", d=path, class_="edge")


def _box(box: Box, task: TaskRecord | None) -> Markup:
    x, y = _corner(box)
    state = task.state if task else "pending"
    took = seconds(task.ended - task.started) if task and task.started and task.ended else ""
    said = " · ".join(part for part in (state, took) if part)
    shown = box.name if len(box.name) <= 22 else f"{box.name[:21]}…"
    inside = [
        title(f"{box.name}: {said}"),
        tag("rect", x=x, y=y, width=_WIDE, height=_TALL, rx=6, class_=f"task {state}"),
        tag("text", shown, x=x + _WIDE / 2, y=y + 17, text_anchor="middle"),
        tag("text", said, x=x + _WIDE / 2, y=y + 32, text_anchor="middle", class_="small"),
    ]
    return tag("a", Markup("").join(inside), href=f"#task-{box.name}")
