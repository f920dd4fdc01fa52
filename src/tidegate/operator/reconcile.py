"""One rollout's turn in a cluster: read it, look, decide, write the state, tell, act. In this order, always.

Killed between any two of these, the next turn begins with the state that was written and asks for the same again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from tidegate.kube.client import Api, ApiError, Json
from tidegate.kube.resources import MODEL_ROLLOUTS
from tidegate.operator import writing
from tidegate.operator.events import Decision, decisions, event
from tidegate.operator.measuring import Measuring
from tidegate.operator.queue import Key
from tidegate.operator.reading import Rollout, read
from tidegate.operator.recording import Recorder
from tidegate.operator.remembering import Pace, Remembered, foreign_news, intent
from tidegate.operator.status import invalid, settled, status, timestamp
from tidegate.operator.telling import Telling
from tidegate.rollout.actions import Action, Drop, Record, Wait
from tidegate.rollout.advance import advance, start
from tidegate.rollout.conduct import observe
from tidegate.rollout.observation import STABLE
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.ports import PortError
from tidegate.rollout.state import Phase, State
from tidegate.seldon.router import MissingError, SeldonRouter

_LOG = logging.getLogger(__name__)
SOON = 1.0
"""Seconds until the next look after something was changed: Seldon puts a weight in force in a tenth of one."""


class Reconciler:
    """`turn` is the queue's. `clock`: seconds since the epoch."""

    def __init__(
        self,
        api: Api,
        measuring: Measuring,
        telling: Telling,
        clock: Callable[[], float],
        recorder: Recorder | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._api, self._measuring, self._telling, self._clock = api, measuring, telling, clock
        self._recorder, self._pace = recorder, pace or Pace()
        self._memory: dict[Key, Remembered] = {}
        self._failures: dict[Key, int] = {}

    async def turn(self, key: Key) -> float | None:
        """Seconds until the next turn; None: at rest."""
        rollout: Rollout | None = None
        try:
            body = await self._body(key)
            if body is None:
                self._forget(key)
                self._telling.stands(key, "")
                return None
            rollout = read(body)
            after = await self._turn(rollout)
        except (PortError, ApiError) as error:
            return await self._trouble(key, rollout, error)
        self._failures.pop(key, None)
        if after is None:
            self._forget(key)
        return after

    async def _turn(self, rollout: Rollout) -> float | None:
        router = SeldonRouter(self._api, rollout.key.namespace, rollout.target, rollout.uid, rollout.container)
        if rollout.deleted:
            return await self._deleted(rollout, router)
        if rollout.plan is None or rollout.problem:
            return await self._unusable(rollout, router)
        if rollout.begins:
            return await self._begin(rollout, rollout.plan, router)
        assert rollout.state is not None  # else it would begin
        if rollout.state.phase.final:
            return await self._rest(rollout, rollout.plan, rollout.state, router)
        return await self._advance(rollout, rollout.plan, router)

    # ------------------------------------------------------------ a rollout's life
    async def _begin(self, rollout: Rollout, plan: RolloutPlan, router: SeldonRouter) -> float | None:
        routing = await router.routing()
        if routing.foreign:
            raise PortError(f"the rollout waits to begin: {routing.foreign}")
        now = self._clock()
        try:
            state = start(plan, now, routing.models.get(STABLE, ""))
        except ValueError as error:
            raise PortError(f"SeldonDeployment {rollout.target}: {error}", again=False) from None
        if not rollout.held and not state.phase.final:
            rollout = read(await writing.add_finalizer(self._api, rollout))
        begun = f"{rollout.generation} {rollout.status.get('startedAt', '')}"
        await self._tell(rollout, decisions(plan, rollout.state, state), begun)
        rollout = await self._write(rollout, status(rollout, plan, state, routing, now, ""))
        self._remember(rollout, state, now)
        if rollout.command:
            await writing.clear_command(self._api, rollout)
        return 0.0

    async def _advance(self, rollout: Rollout, plan: RolloutPlan, router: SeldonRouter) -> float | None:
        known, before = self._recalled(rollout)
        metrics = self._measuring.of(plan, rollout.key.namespace, router)
        commands = (rollout.command,) if rollout.command else ()
        seen = await observe(router, metrics, commands, known.recorded, known.unrecorded)
        now = self._clock()
        after, action = advance(plan, before, seen, now)
        if after.phase.final:
            # Nothing will be counted any more: small objects make small lists.
            after = replace(after, ledger={}, pending=())
        made = decisions(plan, before, after) + foreign_news(rollout, seen.routing)
        waiting = action.reason if isinstance(action, Wait) else ""
        said = status(rollout, plan, after, seen.routing, now, waiting)
        await self._tell(rollout, made, f"{before.clock}")
        written = intent(rollout.state) == intent(after) and not made and not commands
        if not written or not settled(rollout.status, said) or now - known.at >= self._pace.keep:
            rollout = await self._write(rollout, said)
            self._remember(rollout, after, now)
        else:
            known.state = after
        if rollout.command:
            await writing.clear_command(self._api, rollout)
        return await self._perform(rollout, plan, action, router)

    async def _perform(self, rollout: Rollout, plan: RolloutPlan, action: Action, router: SeldonRouter) -> float | None:
        interval = self._pace.interval
        if isinstance(action, Wait):
            ended = self._memory[rollout.key].state.phase.final
            left = interval if action.until is None else action.until - self._clock()
            return SOON if ended else min(interval, max(left, SOON))
        if isinstance(action, Record):
            await self._record(rollout, plan, action)
            return SOON
        await router.perform(action)
        self._telling.acted(rollout.key, router.waiting)
        return SOON if router.changed or router.waiting else interval

    async def _record(self, rollout: Rollout, plan: RolloutPlan, verdict: Record) -> None:
        known = self._memory[rollout.key]
        try:
            if self._recorder is None:
                raise PortError("this operator writes to no Git repository", again=False)
            await self._recorder.record(plan, rollout.key.namespace, rollout.key.name, verdict, known.state.stable)
            known.recorded, known.unrecorded = verdict.key, ""
        except PortError as error:
            if known.unrecorded != str(error):
                await self._tell(rollout, [Decision("NotRecorded", str(error), warning=True)], f"{known.written}")
            known.unrecorded = str(error)

    async def _rest(self, rollout: Rollout, plan: RolloutPlan, state: State, router: SeldonRouter) -> float | None:
        """At its end: let go of the SeldonDeployment, then of the ModelRollout; then nothing until the spec changes."""
        routing = await router.routing()
        if not await self._let_go(router):
            return SOON
        now = self._clock()
        said = status(rollout, plan, state, routing, now, "")
        if not settled(rollout.status, said):
            rollout = await self._write(rollout, said)
        if rollout.command:
            await writing.clear_command(self._api, rollout)
            return 0.0
        if rollout.held:
            await writing.remove_finalizer(self._api, rollout)
        self._telling.stands(rollout.key, str(state.phase))
        return None

    async def _deleted(self, rollout: Rollout, router: SeldonRouter) -> float | None:
        """Traffic goes back to the stable model before the ModelRollout goes."""
        if rollout.held:
            if not await self._safe(rollout, router):
                return SOON
            await writing.remove_finalizer(self._api, rollout)
        return None

    async def _unusable(self, rollout: Rollout, router: SeldonRouter) -> float | None:
        """The spec, or the state, cannot be used. A rollout under way goes back: without its plan nothing is evidence.
        A state of another version is left alone, as its own operator may be at work, until a person says abort.
        """
        readable = rollout.state is not None or not rollout.status.get("state")
        if rollout.held and (readable or rollout.command == "abort") and not await self._safe(rollout, router):
            return SOON
        now = self._clock()
        said = invalid(rollout, rollout.problem, now)
        if rollout.state is not None and not rollout.state.phase.final:
            ended = replace(rollout.state, phase=Phase.ROLLED_BACK, outcome=Phase.ROLLED_BACK, reason=rollout.problem)
            said["state"] = {**said["state"], "phase": str(ended.phase), "outcome": str(ended.outcome)}
        if rollout.command == "abort" and rollout.state is None:
            said.pop("state", None)
        if said != rollout.status:
            await self._tell(rollout, [Decision("Invalid", rollout.problem, warning=True)], f"{rollout.generation}")
            rollout = await self._write(rollout, said)
        if rollout.command:
            await writing.clear_command(self._api, rollout)
            return 0.0
        if rollout.held and readable:
            await writing.remove_finalizer(self._api, rollout)
        self._telling.stands(rollout.key, "Invalid")
        return None

    # ------------------------------------------------------------ what they share
    async def _safe(self, rollout: Rollout, router: SeldonRouter) -> bool:
        """One step towards stable alone; whether it is so, or is not ours to change."""
        if not rollout.target:
            return True
        try:
            await router.routing()
            return await self._let_go(router)
        except PortError as error:
            if error.again and not isinstance(error, MissingError):
                raise
            return True

    async def _let_go(self, router: SeldonRouter) -> bool:
        if router.seen is not None and not router.seen.owned:
            return True
        await router.perform(Drop())
        return not router.changed and not router.waiting

    async def _tell(self, rollout: Rollout, made: list[Decision], after: str) -> None:
        """Events come before the state is written: told twice they have one name, told never they would be missed."""
        for decision in made:
            _LOG.info("%s: %s: %s", rollout.key, decision.reason, decision.message)
            self._telling.decided(rollout.key, decision.reason)
            try:
                body = event(rollout.body, decision, timestamp(self._clock()), after)
                await writing.post_event(self._api, rollout.key.namespace, body)
            except ApiError as error:
                if not error.conflict:
                    _LOG.warning("%s: %s", rollout.key, error)

    async def _write(self, rollout: Rollout, said: dict[str, object]) -> Rollout:
        written = read(await writing.write_status(self._api, rollout, said))
        self._telling.stands(rollout.key, str(said["phase"]))
        return written

    def _remember(self, rollout: Rollout, state: State, now: float) -> None:
        old = self._memory.get(rollout.key)
        kept = (old.recorded, old.unrecorded) if old is not None and old.uid == rollout.uid else ("", "")
        self._memory[rollout.key] = Remembered(rollout.uid, state.clock, now, state, *kept)

    def _recalled(self, rollout: Rollout) -> tuple[Remembered, State]:
        """The state to go on from: what this process knows, if nobody wrote another one since."""
        assert rollout.state is not None
        known = self._memory.get(rollout.key)
        if known is None or known.uid != rollout.uid or known.written != rollout.state.clock:
            known = Remembered(rollout.uid, rollout.state.clock, self._clock(), rollout.state)
            self._memory[rollout.key] = known
        return known, known.state

    async def _trouble(self, key: Key, rollout: Rollout | None, error: PortError | ApiError) -> float:
        """Said in the status once, tried again later and later."""
        if isinstance(error, ApiError) and error.conflict:
            return 0.2
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        _LOG.warning("%s: %s", key, error)
        self._telling.failed(key)
        said = str(error)[:500]
        if isinstance(error, PortError) and rollout is not None and rollout.status.get("waiting") != said:
            begun = {"phase": str(Phase.PREPARING), "message": said} if "phase" not in rollout.status else {}
            try:
                await writing.write_status(self._api, rollout, {**begun, **rollout.status, "waiting": said})
            except ApiError as also:
                _LOG.debug("%s: %s", key, also)
        backoff = min(SOON * 2.0 ** (failures - 1), self._pace.most_backoff)
        return min(backoff, self._pace.interval) if error.again else self._pace.most_backoff

    async def _body(self, key: Key) -> Json | None:
        try:
            return await self._api.get(MODEL_ROLLOUTS.path(*key))
        except ApiError as error:
            if error.missing:
                return None
            raise

    def _forget(self, key: Key) -> None:
        self._memory.pop(key, None)
        self._failures.pop(key, None)
