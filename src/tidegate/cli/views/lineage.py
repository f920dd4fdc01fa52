"""An artifact's story, as two trees around it."""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.cli import words
from tidegate.cli.lineage import Lineage
from tidegate.cli.tables import facts
from tidegate.cli.terminal import Terminal, fit, printable
from tidegate.cli.views.runs import rows_in, values
from tidegate.store.records import ArtifactRecord, LineageStep

_MOST_METADATA = 12


def told(found: Lineage, to: Terminal, wide: bool) -> list[str]:
    artifact, run, task = found.artifact, found.run, found.task
    lines = [f"{to.paint(printable(artifact.name), 'bold')}  {artifact.type}  {words.digest(artifact.digest)}", ""]
    made = f"task {artifact.task} of run {artifact.run}" if artifact.run else "outside of tidegate"
    lines += facts(
        [
            ("id", str(artifact.id)),
            ("place", artifact.uri),
            ("digest", artifact.digest if wide else ""),
            ("size", words.size(artifact.size) if artifact.size or "://" not in artifact.uri else ""),
            ("made", words.when(artifact.created)),
            ("made by", made),
            ("who", f"{run.user}, with `{run.command}`" if run and run.command else run.user if run else ""),
            ("code", run.code if run else ""),
            ("computed in", task.cached_from if task else ""),
            ("parameters", values(task.parameters) if task else ""),
            ("metadata", _metadata(artifact, wide)),
            ("latest", _latest(found)),
            ("best", _best(found)),
        ],
        to,
    )
    lines += [
        "",
        to.paint("made from", "bold"),
        *_tree(artifact, found.ancestors, to, "nothing that tidegate knows of"),
    ]
    lines += ["", to.paint("used for", "bold"), *_tree(artifact, found.descendants, to, "nothing yet")]
    return lines


def _latest(found: Lineage) -> str:
    if found.latest is None:
        return ""
    if found.latest.id == found.artifact.id:
        return f"this is the latest {found.artifact.name}"
    if found.latest.digest and found.latest.digest == found.artifact.digest:
        return f"its content is that of the latest {found.artifact.name}, of run {found.latest.run}"
    newer = found.latest
    return f"a newer {newer.name} is of run {newer.run} (id {newer.id}, {words.digest(newer.digest)})"


def _best(found: Lineage) -> str:
    if not found.metric:
        return ""
    if found.best is None:
        return f"no {found.artifact.type} says a value of {found.metric}"
    record, value = found.best
    subject = "this one" if record.id == found.artifact.id else f"the one of run {record.run} (id {record.id})"
    return f"{subject}, with {found.metric} = {words.number(value)}"


def _metadata(artifact: ArtifactRecord, wide: bool) -> str:
    known = dict(artifact.metadata)
    if wide or len(known) <= _MOST_METADATA:
        return values(known)
    kept = dict(list(known.items())[:_MOST_METADATA])
    return f"{values(kept)}\n... and {len(known) - len(kept)} more (`-o wide`)"


def _tree(root: ArtifactRecord, steps: Sequence[LineageStep], to: Terminal, nothing: str) -> list[str]:
    children: dict[int, list[LineageStep]] = {}
    for step in steps:
        children.setdefault(step.neighbour, []).append(step)
    if not children:
        return [to.paint(f"  {nothing}", "dim")]
    lines: list[str] = []
    stack = [(step, "  ", number == 0) for number, step in enumerate(reversed(children[root.id]))]
    while stack:  # not by recursion: a chain may be longer than Python's stack
        step, indent, last = stack.pop()
        lines.append(_step(step, f"{indent}{'└─ ' if last else '├─ '}", root.run, to))
        below = f"{indent}{'   ' if last else '│  '}"
        stack += [(s, below, number == 0) for number, s in enumerate(reversed(children.get(step.artifact.id, [])))]
    return lines


def _step(step: LineageStep, stem: str, run: str, to: Terminal) -> str:
    record = step.artifact
    head = f"{stem}{printable(record.name)}"
    rest = f"{record.type} {words.digest(record.digest)} · {record.task or 'imported'}"
    if record.run != run:
        rest += f" · {record.run}"
    if rows := rows_in([record]):
        rest += f" · {rows} rows"
    rest = printable(rest)
    if to.width:
        rest = fit(rest, max(10, to.width - len(head) - 2))
    return f"{head}  {to.paint(rest, 'dim')}"
