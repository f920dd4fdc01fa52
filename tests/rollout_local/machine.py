"""A served model on this machine for tests: real MLServer processes behind a real Envoy, models that cost nothing to
load (a class for Seldon's Python wrapper)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tidegate.cli.serving import runtime
from tidegate.rollout.plan import RolloutPlan
from tidegate.rollout.state import State
from tidegate.serving.load import Load, Sent, request
from tidegate.serving.local.desired import Desired, Status, new_instance
from tidegate.serving.local.place import Place
from tidegate.serving.local.rollouts import Rollout, begin, drive

CLASS = """
import time

class Model:
    def predict(self, X, names=None):
        {body}
        return X * {factor}
"""
BODY = json.dumps({"inputs": [{"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [0.25]}]}).encode()
ERRORS = {"name": "errors", "errorRate": True, "versusStable": {"margin": 0.2}}


@dataclass
class Machine:
    place: Place
    models: Path

    def model(self, name: str, body: str = "pass", factor: float = 2.0) -> Path:
        folder = self.models / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Model.py").write_text(CLASS.format(body=body, factor=factor))
        return folder

    def serve(self, folder: Path, replicas: int = 1) -> None:
        with self.place.changing() as save:
            desired = Desired("m", runtime(), replicas=replicas, sticky="x-session", payload_share=1.0)
            desired, instance = new_instance(desired, str(folder), "", folder.name, replicas)
            save(replace(desired, stable=replace(instance, python_class="Model.Model")))
        self.place.supervise()
        self.until(lambda s: len(s.replicas) == replicas and all(r.ready for r in s.replicas))

    def until(self, holds: Callable[[Status], bool], seconds: float = 120.0) -> Status:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status = self.place.status()
            if status is not None and holds(status):
                return status
            time.sleep(0.05)
        raise AssertionError(f"not so within {seconds:g} s: {self.place.status()}\n{self.place.log.read_text()}")

    @property
    def status(self) -> Status:
        status = self.place.status()
        assert status is not None
        return status

    @property
    def desired(self) -> Desired:
        desired = self.place.desired()
        assert desired is not None
        return desired

    def load(self, headers: str = "") -> Load:
        port = self.status.port
        return Load("127.0.0.1", port, [request("127.0.0.1", port, "/v2/models/m/infer", BODY, headers)])

    def plan(self, folder: Path, *requirements: dict[str, Any], **more: Any) -> RolloutPlan:
        steps = [{"weight": 20, "minRequests": 20}, {"weight": 50, "minRequests": 20}]
        return RolloutPlan.model_validate(
            {
                "model": {"uri": str(folder), "version": folder.name},
                "target": {"local": True},
                "strategy": {"canary": {"steps": steps}},
                "requirements": requirements or (ERRORS,),
                **more,
            }
        )

    def roll_out(
        self, plan: RolloutPlan, watch: Callable[[State], None] = lambda _: None, rate: float = 100.0
    ) -> tuple[Rollout, State, Sent]:
        """Under a load, which goes on for a second after the end."""

        async def scene() -> tuple[Rollout, State, Sent]:
            load, over = self.load(), []
            sending = asyncio.create_task(load.run(rate, 300, lambda: bool(over)))
            going = begin(self.place, plan, time.time())
            state = await drive(self.place, going, lambda _plan, state, _seen, _action: watch(state))
            await asyncio.sleep(1)
            over.append(True)
            sent = await sending
            load.close()
            return going, state, sent

        return asyncio.run(scene())

    def stop(self) -> None:
        with self.place.changing() as save:
            if desired := self.place.desired():
                save(replace(desired, stopped=True))
        self.place.supervise()
        deadline = time.monotonic() + 60
        while self.place.supervised():
            assert time.monotonic() < deadline
            time.sleep(0.05)
