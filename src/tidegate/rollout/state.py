"""Where a rollout stands: all that `advance` remembers, as JSON that a custom resource's status can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from tidegate.rollout.memory import MEMORIES, Memory
from tidegate.rollout.windows import Last, Pending, SeriesKey, decode_value, encode_value

VERSION = 1
"""Of the encoding."""


class Phase(StrEnum):
    """The values are what people read in `kubectl get modelrollouts`."""

    PREPARING = "Preparing"
    """The new model comes up, without requests."""
    PROGRESSING = "Progressing"
    """It is tried: a share of requests, a mirror, a bandit."""
    SWITCHED = "Switched"
    """Blue-green: the new model answers everything, the old one is kept warm."""
    RECORDING = "Recording"
    """It will be promoted; Git comes first."""
    PROMOTING = "Promoting"
    """The stable role takes the new model."""
    ROLLING_BACK = "RollingBack"
    """Requests go to the stable model, then the new one ends."""
    CONCLUDING = "Concluding"
    """The new model is gone; Git is told."""
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    REPORTED = "Reported"
    """A shadow that was only to be reported on: every requirement holds."""

    @property
    def final(self) -> bool:
        return self in (Phase.PROMOTED, Phase.ROLLED_BACK, Phase.REPORTED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one requirement has seen. `back` and `forward` are wealths of bets; their sums are e-values (`betting`)."""

    name: str
    memory: Memory
    back: tuple[float, ...] = (1.0,)
    """Against `the model is not worse`, over the whole rollout: a large sum rolls back."""
    forward: tuple[float, ...] = (1.0,)
    """Against `the model is too bad to go on`, since the traffic last grew: a large sum lets it go on."""
    seen: float = 0.0
    """Requests (rewards, compared answers) of the new model that were counted."""
    in_step: float = 0.0
    """Of those, since the traffic last grew."""
    fresh: float = 0.0
    """The state's age when evidence last came."""


@dataclass(frozen=True, slots=True)
class State:
    uri: str
    """The model that is to go live."""
    stable: str
    """The uri that was live when the rollout began."""
    clock: float
    """`now` of the last turn: seconds since the epoch."""
    digest: str = ""
    phase: Phase = Phase.PREPARING
    outcome: Phase | None = None
    """Where it is heading, once that is decided."""
    reason: str = ""
    """Why it is where it is, in a sentence."""
    age: float = 0.0
    """Seconds that the rollout has been watched and not held: never runs backwards, whatever the clock does."""
    began: float = 0.0
    """Age when the phase began."""
    entered: float | None = None
    """Age when the traffic that should be in force was first seen in force; None: not yet."""
    step: int = 0
    weight: int = 0
    """Per cent of requests that the new model should get."""
    mirror: int = 0
    """Per cent of requests that should be copied to it."""
    requests: float = 0.0
    """Requests that the new model answered since its traffic last changed."""
    active: float = 0.0
    """Age when it last answered any."""
    unready: float | None = None
    """Age since when it has not been ready; None: it is."""
    paused: bool = False
    """A person said `pause`."""
    emergency: bool = False
    """The new model is to be dropped at once, sick as it may be."""
    recorded: bool = False
    """Git has the outcome."""
    ledger: Mapping[SeriesKey, Last] = field(default_factory=dict)
    """What each series stood at when it was last read."""
    pending: tuple[Pending, ...] = ()
    """What one role has counted and the other has not yet."""
    evidence: tuple[Evidence, ...] = ()
    """In the order of the plan's requirements, then the bandit's own."""


_PLAIN = (
    "uri", "stable", "clock", "digest", "reason", "age", "began", "entered", "step", "weight", "mirror", "requests",
    "active", "unready", "paused", "emergency", "recorded",
)  # fmt: skip


def encode(state: State) -> dict[str, Any]:
    """The state as JSON values; `decode` gives it back, equal."""
    said: dict[str, Any] = {"version": VERSION} | {name: getattr(state, name) for name in _PLAIN}
    said["phase"], said["outcome"] = str(state.phase), state.outcome and str(state.outcome)
    said["ledger"] = [[*key, last.at, encode_value(last.value)] for key, last in state.ledger.items()]
    said["pending"] = [[p.role, p.measure, p.slice, p.since, encode_value(p.value)] for p in state.pending]
    said["evidence"] = [_encoded(each) for each in state.evidence]
    return said


def decode(said: Mapping[str, Any]) -> State:
    """What `encode` gave. Raises: ValueError for a state of another version, or none at all."""
    if said.get("version") != VERSION:
        raise ValueError(
            f"a rollout's state of version {said.get('version')!r}; this tidegate reads version {VERSION}: "
            "finish the rollout with the tidegate that began it, or abort it and start again"
        )
    try:
        return State(
            **{name: said[name] for name in _PLAIN},
            phase=Phase(said["phase"]),
            outcome=Phase(said["outcome"]) if said["outcome"] else None,
            ledger={SeriesKey(*row[:5]): Last(row[5], decode_value(row[6])) for row in said["ledger"]},
            pending=tuple(Pending(row[0], row[1], row[2], row[3], decode_value(row[4])) for row in said["pending"]),
            evidence=tuple(_decoded(each) for each in said["evidence"]),
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not a rollout's state: {error!r}") from error


def _encoded(evidence: Evidence) -> dict[str, Any]:
    said = {each.name: getattr(evidence, each.name) for each in fields(evidence)}
    memory = evidence.memory
    said["memory"] = {"kind": memory.kind} | {each.name: _plain(getattr(memory, each.name)) for each in fields(memory)}
    return said | {"back": list(evidence.back), "forward": list(evidence.forward)}


def _decoded(said: Mapping[str, Any]) -> Evidence:
    memory = dict(said["memory"])
    made = MEMORIES[memory.pop("kind")](**{name: _tupled(value) for name, value in memory.items()})
    return Evidence(**{**said, "memory": made, "back": tuple(said["back"]), "forward": tuple(said["forward"])})


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return {key: _plain(each) for key, each in value.items()} if isinstance(value, Mapping) else value


def _tupled(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tupled(each) for each in value)
    return {key: _tupled(each) for key, each in value.items()} if isinstance(value, Mapping) else value
