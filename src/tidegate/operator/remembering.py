"""What a turn leaves for the next, and when it is worth writing down. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.operator.events import Decision
from tidegate.operator.reading import Rollout
from tidegate.rollout.observation import Routing
from tidegate.rollout.state import State


@dataclass(frozen=True, slots=True)
class Pace:
    """In seconds."""

    interval: float = 5.0
    """Between two looks at a rollout under way."""
    keep: float = 15.0
    """A state in which nothing was decided is written at least so often; what was counted since the last time is
    counted again from the processes' own counters.
    """
    most_backoff: float = 60.0


@dataclass(slots=True)
class Remembered:
    """What a turn leaves for the next one of the same process. All of it may be lost."""

    uid: str
    written: float
    """The clock of the state that was written last; another one in the object: somebody else wrote."""
    at: float
    state: State
    recorded: str = ""
    unrecorded: str = ""
    failures: int = 0


def intent(state: State | None) -> tuple[object, ...]:
    """What a state asks of the world: when this is written, all that follows from it may be done."""
    if state is None:
        return ()
    return (state.uri, state.phase, state.outcome, state.weight, state.mirror, state.emergency, state.paused)


def foreign_news(rollout: Rollout, routing: Routing) -> list[Decision]:
    """Told when it is found, and when it is over."""
    before: dict[str, str] = next((c for c in rollout.status.get("conditions") or [] if c["type"] == "Foreign"), {})
    if routing.foreign and routing.foreign != before.get("message"):
        return [Decision("ForeignChange", f"held: {routing.foreign}", warning=True)]
    if not routing.foreign and before.get("status") == "True":
        return [Decision("ForeignChangeOver", "goes on: what somebody else changed is as the rollout left it")]
    return []
