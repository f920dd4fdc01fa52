"""One turn of a rollout: look, decide. Whoever drives it persists the state first and performs the action then."""

from __future__ import annotations

from tidegate.rollout.actions import Action
from tidegate.rollout.advance import advance
from tidegate.rollout.observation import Observation
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.ports import Metrics, PortError, Router
from tidegate.rollout.state import State


async def observe(
    router: Router, metrics: Metrics, commands: tuple[str, ...] = (), recorded: str = "", unrecorded: str = ""
) -> Observation:
    """What is seen now. Metrics that cannot be read are no evidence, and no error: the plan says what silence means.

    Raises: PortError where the routing cannot be read; nothing can be decided then.
    """
    routing = await router.routing()
    try:
        series = await metrics.read()
    except PortError:
        series = ()
    return Observation(routing, series, commands, recorded, unrecorded)


async def turn(
    plan: RolloutPlan, state: State, router: Router, metrics: Metrics, now: float, commands: tuple[str, ...] = (),
    recorded: str = "", unrecorded: str = "",
) -> tuple[State, Action]:  # fmt: skip
    """Observes and advances. The caller must persist the state BEFORE it performs the action.

    Killed between the two, or during the action, the next turn asks for the same again: nothing is lost.
    Raises: PortError where the routing cannot be read; call again later, with the same state and commands.
    """
    return advance(plan, state, await observe(router, metrics, commands, recorded, unrecorded), now)
