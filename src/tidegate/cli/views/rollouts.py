"""A rollout for people: weights over time, intervals closing on their bounds, decisions with their reasons."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tidegate.cli import words
from tidegate.cli.tables import Cell, Column, table
from tidegate.cli.terminal import Terminal, printable
from tidegate.rollout.explain import explain
from tidegate.rollout.verdicts import Verdict, verdicts

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.text import Text

    from tidegate.rollout.actions import Action
    from tidegate.rollout.observation import Observation
    from tidegate.rollout.plan import RolloutPlan
    from tidegate.rollout.state import State
    from tidegate.serving.local.rollouts import Rollout

_TRACK = 32
_LEVELS = " ▁▂▃▄▅▆▇█"
_STYLES = {"Promoted": "green bold", "Reported": "green bold", "RolledBack": "red bold", "RollingBack": "red"}
_COLUMNS = (
    Column("REQUIREMENT", flexible=True),
    Column("STABLE", right=True),
    Column("NEW", right=True),
    Column("SEEN", right=True),
    Column("INTERVAL, ┃ BOUND"),
    Column("VERDICT"),
)


# ------------------------------------------------------------ while it goes
class Watcher:
    """Called after each turn: a picture that redraws itself at a terminal, else a line where something changed."""

    def __init__(self, name: str, to: Terminal, quiet: bool) -> None:
        self._name, self._to, self._quiet = name, to, quiet
        self._weights: deque[int] = deque(maxlen=60)
        self._last: tuple[Any, ...] = ()
        self._turns = 0
        self._lines: list[str] = [to.paint("starting ...", "dim")]
        self._drawing: RichLive | None = None

    def __enter__(self) -> Watcher:
        if self._to.interactive and not self._quiet:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._to.file, highlight=False, no_color=not self._to.colour, force_terminal=True)
            self._drawing = Live(console=console, get_renderable=self._text, transient=True, refresh_per_second=4)
            self._drawing.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawing is not None:
            self._drawing.stop()

    def __call__(self, plan: RolloutPlan, state: State, seen: Observation | None, action: Action) -> None:
        if self._quiet:
            return
        in_force = seen.routing.weights.get("canary", 0) if seen else state.weight
        if self._turns % 2 == 0:
            self._weights.append(in_force)
        self._turns += 1
        if self._drawing is not None:
            trouble = getattr(action, "reason", "") if seen is None else ""
            self._lines = drawn(self._name, plan, state, list(self._weights), trouble, self._to)
            return
        change = (str(state.phase), state.weight, state.mirror, in_force)
        if change != self._last:
            self._last = change
            at = words.clock(time.time())
            self._to.print(f"{at} {state.phase}, {_share(state, in_force)}: {_short(state.reason)}")
            self._to.file.flush()

    def _text(self) -> Text:
        from rich.text import Text

        text = Text.from_ansi("\n".join(self._lines))
        text.no_wrap, text.overflow = True, "crop"
        return text


def drawn(
    name: str, plan: RolloutPlan, state: State, weights: Sequence[int], trouble: str, to: Terminal
) -> list[str]:  # fmt: skip
    """The picture of one moment."""
    phase = to.paint(str(state.phase), _STYLES.get(str(state.phase), "blue"))
    lines = [f"{to.paint(name, 'bold')}  {phase}  {words.seconds(state.age)}"]
    now = weights[-1] if weights else 0
    lines += [
        f"  {printable(_short(state.reason, 300))}",
        "",
        f"  new model's share  {spark(weights)} {_share(state, now)}",
        "",
    ]
    lines += requirements(verdicts(plan, state), to)
    if trouble:
        lines.append(to.paint(printable(trouble), "yellow"))
    return lines


def spark(weights: Sequence[int]) -> str:
    """Per cent over time, one character each."""
    return "".join(_LEVELS[min(-(-w * 8 // 100), 8)] if w > 0 else "·" for w in weights)


def requirements(found: Sequence[Verdict], to: Terminal, wide: bool = False) -> list[str]:
    """A line for each requirement."""
    rows = [
        (
            v.name,
            _amount(v, v.stable) if v.relative else "",
            _amount(v, v.canary if v.relative else v.value),
            words.count(v.seen),
            track(v),
            _verdict(v),
        )
        for v in found
    ]
    return table(_COLUMNS, rows, to, wide) if rows else []


def track(v: Verdict) -> str:
    """`├──●──┤   ┃`: the interval and the value on a line, with the bound."""
    if v.value is None or v.low is None or v.high is None:
        return "." * _TRACK
    ends = (v.low, v.high, v.bound, v.value, 0.0)
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def place(value: float) -> int:
        return round((value - low) / span * (_TRACK - 1))

    cells = [" "] * _TRACK
    for i in range(place(v.low), place(v.high) + 1):
        cells[i] = "─"
    cells[place(v.low)], cells[place(v.high)] = "├", "┤"
    cells[place(v.value)] = "●"
    cells[place(v.bound)] = "┃"
    return "".join(cells)


def _verdict(v: Verdict) -> Cell:
    if v.broken:
        return Cell("✗ broken", "red bold")
    if v.shown:
        return Cell("✓ shown", "green")
    if v.holds_at and v.against_bad > 0:
        from math import log

        part = min(max(log(max(v.against_bad, 1.0)) / log(v.holds_at), 0.0), 1.0)
        return Cell(f"{round(100 * part)} % of the evidence", "dim")
    return Cell("open", "dim")


def _amount(v: Verdict, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if v.kind in ("reward", "query") else f"{100 * value:.3g} %"


def _share(state: State, in_force: int) -> str:
    copies = f", {state.mirror} % copied" if state.mirror else ""
    return f"{in_force} %{copies}"


def _short(text: str, most: int = 160) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


# ------------------------------------------------------------ afterwards
def told(rollout: Rollout, to: Terminal, wide: bool) -> list[str]:
    """Where it stands."""
    plan, state = rollout.plan(), rollout.state()
    weights = [line["weight"] for line in rollout.log() if "weight" in line]
    step = max(1, len(weights) // 60)
    name = f"{rollout.id} {plan.model.version or plan.model.uri}"
    lines = drawn(name, plan, state, weights[::step], "", to)
    if wide:
        lines += ["", *(f"  {line}" for line in explain(plan, state)[1:])]
    if not state.phase.final and not rollout.driven():
        lines.append(to.paint("no process drives it: `tidegate rollout run PLAN` continues", "yellow"))
    return lines


def data(rollout: Rollout) -> dict[str, Any]:
    """As `--output json` has it."""
    from dataclasses import asdict

    plan, state = rollout.plan(), rollout.state()
    return {
        **summary(rollout),
        "weight": state.weight,
        "mirror": state.mirror,
        "driven": rollout.driven(),
        "requirements": [asdict(v) for v in verdicts(plan, state)],
        "explained": explain(plan, state),
        "decisions": decisions(rollout),
    }


def summary(rollout: Rollout) -> dict[str, Any]:
    plan, state = rollout.plan(), rollout.state()
    return {
        "id": rollout.id,
        "phase": str(state.phase),
        "reason": state.reason,
        "uri": plan.model.uri,
        "version": plan.model.version,
        "stable": state.stable,
        "seconds": round(state.age, 3),
    }


def listed(found: Sequence[Rollout], to: Terminal, wide: bool) -> list[str]:
    """All rollouts of one served model."""
    columns = (
        Column("ROLLOUT"),
        Column("VERSION", flexible=True),
        Column("PHASE"),
        Column("TIME", right=True),
        Column("WHY", flexible=True),
    )
    rows = []
    for one in map(summary, found):
        phase = Cell(one["phase"], _STYLES.get(one["phase"], ""))
        rows.append((one["id"], one["version"], phase, words.seconds(one["seconds"]), _short(one["reason"])))
    return table(columns, rows, to, wide)


def decisions(rollout: Rollout) -> list[dict[str, Any]]:
    """The turns at which something changed, or somebody asked for something."""
    found: list[dict[str, Any]] = []
    last: tuple[Any, ...] = ()
    for line in rollout.log():
        if "start" in line:
            continue
        change = (line["phase"], line["weight"], line["mirror"], line["action"]["do"])
        commands = line["observation"]["commands"]
        if commands or (change != last and (line["action"]["do"] != "Wait" or change[:3] != last[:3])):
            found.append(
                {
                    "at": words.iso(line["at"]),
                    **{k: line[k] for k in ("phase", "weight", "mirror", "reason")},
                    "action": line["action"],
                    "commands": commands,
                }
            )
        last = change
    return found


def timeline(rollout: Rollout, to: Terminal, wide: bool) -> list[str]:
    """The decisions, a line each."""
    columns = (
        Column("AT"),
        Column("PHASE"),
        Column("SHARE", right=True),
        Column("DID"),
        Column("ASKED", optional=True),
        Column("WHY", flexible=True),
    )
    rows = [
        (
            d["at"][11:23],
            Cell(d["phase"], _STYLES.get(d["phase"], "")),
            f"{d['weight']} %",
            "" if d["action"]["do"] == "Wait" else d["action"]["do"],
            ", ".join(d["commands"]),
            _short(d["reason"], 400 if wide else 160),
        )
        for d in decisions(rollout)
    ]
    return table(columns, rows, to, wide)
