"""Rollouts on this machine: their files, and the loop that drives one.

rollouts/ID/  plan.json    what was asked for
              state.json   where it stands: written before anything is done, so that a killed driver can go on
              log.jsonl    every turn: what was seen, what followed; the same turns give the same states (`replay`)
              commands/    what people ask for, a file each: pause, resume, promote, abort
              driver.lock  held by who drives it
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from tidegate.rollout.actions import Action, Drop, Prepare, Promote, SetTraffic, Wait
from tidegate.rollout.advance import advance, start
from tidegate.rollout.conduct import observe
from tidegate.rollout.observation import Observation, Routing, Series
from tidegate.rollout.plan import RolloutPlan, Slice
from tidegate.rollout.ports import PortError
from tidegate.rollout.state import State, decode, encode
from tidegate.rollout.windows import decode_value, encode_value
from tidegate.serving.local.metrics import LocalMetrics
from tidegate.serving.local.place import Place, PlaceError, held, write
from tidegate.serving.local.router import LocalRouter
from tidegate.store.locks import is_locked

COMMANDS = ("pause", "resume", "promote", "abort")
_TURN = 0.5


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout's folder."""

    folder: Path

    @property
    def id(self) -> str:
        return self.folder.name

    def plan(self) -> RolloutPlan:
        return RolloutPlan.model_validate(json.loads((self.folder / "plan.json").read_text(encoding="utf-8")))

    def state(self) -> State:
        """Raises: PlaceError where it cannot be read."""
        path = self.folder / "state.json"
        try:
            return decode(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise PlaceError(f"{path}: {error}") from None

    def driven(self) -> bool:
        return is_locked(self.folder / "driver.lock")

    def ask(self, command: str) -> None:
        """For the next turn of who drives it."""
        write(self.folder / "commands" / f"{time.time_ns()}-{command}", command)

    def log(self) -> Iterator[dict[str, Any]]:
        """Its turns. A last line that a kill cut short is left out."""
        with (self.folder / "log.jsonl").open(encoding="utf-8") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue


def rollouts(place: Place) -> list[Rollout]:
    """Oldest first."""
    return [Rollout(p.parent) for p in sorted(place.folder.glob("rollouts/*/state.json"))]


def begin(place: Place, plan: RolloutPlan, now: float) -> Rollout:
    """A new rollout, or the one that is going on where it is of the same plan.

    Raises: PlaceError where another is going on; ValueError where no model is live.
    """
    known = rollouts(place)
    if known and not known[-1].state().phase.final:
        if known[-1].plan() == plan:
            return known[-1]
        raise PlaceError(
            f"rollout {known[-1].id} is going on, by another plan: wait for its end, or `tidegate rollout abort`"
        )
    desired = place.desired()
    live = desired.stable.uri if desired and desired.stable and not desired.stopped else ""
    state = start(plan, now, live)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    folder = place.folder / "rollouts" / f"{stamp}-{len(known) + 1:04d}"
    write(folder / "plan.json", plan.model_dump(mode="json", by_alias=True, exclude_none=True))
    _append(folder, {"start": encode(state)})
    write(folder / "state.json", encode(state))
    return Rollout(folder)


Watcher = Callable[[RolloutPlan, State, Observation | None, Action], None]


async def drive(place: Place, rollout: Rollout, watch: Watcher) -> State:
    """Turn after turn until it is decided and done. Raises: PlaceError where another drives it; PortError where
    trying again cannot help."""
    with held(rollout.folder / "driver.lock") as mine:
        if not mine:
            raise PlaceError(f"rollout {rollout.id} is driven by another process already")
        plan, state = rollout.plan(), rollout.state()
        count_slices(place, plan)
        agreement = next((r.agreement for r in plan.requirements if r.agreement), None)
        async with httpx.AsyncClient(trust_env=False) as client:
            router, metrics = LocalRouter(place, client), LocalMetrics(place, client, agreement)
            while not state.phase.final:
                began = time.monotonic()
                try:
                    state = await _turn(rollout, plan, state, router, metrics, watch)
                except PortError as error:
                    if not error.again:
                        raise
                    watch(plan, state, None, Wait(str(error)))
                await asyncio.sleep(max(0.0, _TURN - (time.monotonic() - began)))
    return state


async def _turn(
    rollout: Rollout, plan: RolloutPlan, state: State, router: LocalRouter, metrics: LocalMetrics, watch: Watcher
) -> State:
    asked = sorted((rollout.folder / "commands").glob("*-*"))
    commands = tuple(p.name.split("-", 1)[1] for p in asked)
    observation, now = await observe(router, metrics, commands), time.time()
    after, action = advance(plan, state, observation, now)
    # First the state, then the deed: whoever is killed in between asks for the same deed again.
    _append(rollout.folder, _line(now, observation, after, action))
    write(rollout.folder / "state.json", encode(after))
    for path in asked:
        path.unlink(missing_ok=True)
    watch(plan, after, observation, action)
    if isinstance(action, Prepare | SetTraffic | Promote | Drop):
        await router.perform(action)
    return after


def count_slices(place: Place, plan: RolloutPlan) -> None:
    """Let the model servers count apart what the plan's requirements ask for."""
    wanted = tuple(sorted({label(r.slice) for r in plan.requirements if r.slice}))
    with place.changing() as save:
        desired = place.desired()
        if desired is not None and set(wanted) - set(desired.slices):
            save(replace(desired, slices=tuple(sorted({*desired.slices, *wanted}))))


def label(slice_: Slice) -> str:
    """`header:NAME=VALUE`, as series have it."""
    kind, name = ("header", slice_.header) if slice_.header else ("field", slice_.field)
    return f"{kind}:{name}={slice_.equals}"


# ------------------------------------------------------------ the log
def replay(rollout: Rollout) -> State:
    """The state that follows from the log alone: the rollout's own, if nothing but its turns moved it."""
    plan = rollout.plan()
    state: State | None = None
    for line in rollout.log():
        if "start" in line:
            state = decode(line["start"])
        elif state is not None:
            state, _ = advance(plan, state, read_observation(line["observation"]), line["at"])
    if state is None:
        raise PlaceError(f"the log of rollout {rollout.id} has no beginning")
    return state


def _line(now: float, observation: Observation, state: State, action: Action) -> dict[str, Any]:
    return {
        "at": now,
        "phase": str(state.phase),
        "weight": state.weight,
        "mirror": state.mirror,
        "reason": state.reason,
        "action": {"do": type(action).__name__, **asdict(action)},
        "observation": written_observation(observation),
    }


def written_observation(observation: Observation) -> dict[str, Any]:
    return {
        "routing": asdict(observation.routing),
        "series": [
            [s.role, s.measure, encode_value(s.value), s.at, s.source, s.slice, s.version] for s in observation.series
        ],
        "commands": list(observation.commands),
    }


def read_observation(said: Mapping[str, Any]) -> Observation:
    series = tuple(Series(row[0], row[1], decode_value(row[2]), *row[3:]) for row in said["series"])
    return Observation(Routing(**said["routing"]), series, tuple(said["commands"]))


def _append(folder: Path, line: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")
