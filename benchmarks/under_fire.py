"""Rollouts under load while processes are killed: which requests are lost, and how fast it is safe again.

    python -m benchmarks.under_fire [--seconds 300] [--rate 200]

Real processes, the two last pushed flights models (`make demo`). As long as there is time, in turn: a promotion; a
broken model; `kill -9` of the canary, of one of the two live servers, of the supervisor, and of `tidegate rollout run`,
which is then started again. Prints one line an event and a JSON object at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.comparison import ROOT
from benchmarks.latency import TIDEGATE, traffic
from tidegate.models import versions
from tidegate.rollout.observation import CANARY, Routing
from tidegate.rollout.ports import PortError
from tidegate.serving.load import Load, Sent, request
from tidegate.serving.local.place import Place
from tidegate.serving.local.router import LocalRouter

sys.path.insert(0, str(ROOT / "scripts"))
import demo

AIM_SECONDS = 5.0


@dataclass
class Scene:
    store: Path
    place: Place
    good: list[Path]
    bad: Path
    port: int = 0
    next: int = 1
    """Which of the good models comes next."""
    events: list[dict[str, Any]] = field(default_factory=list)

    # ------------------------------------------------------------ what is seen
    def until(self, holds: Callable[[Routing], bool], seconds: float = 300.0) -> float:
        """Wait until the routing is so; gives the time (monotonic)."""

        async def look() -> float:
            async with httpx.AsyncClient(trust_env=False) as client:
                router = LocalRouter(self.place, client)
                deadline = time.monotonic() + seconds
                while time.monotonic() < deadline:
                    try:
                        if holds(await router.routing()):
                            return time.monotonic()
                    except PortError:
                        pass
                    await asyncio.sleep(0.02)
            raise SystemExit(f"not so within {seconds:g} s")

        return asyncio.run(look())

    def tell(self, event: str, **facts: Any) -> None:
        self.events.append({"event": event, **facts})
        print(f"{time.strftime('%H:%M:%S')} {event}: {json.dumps(facts)}", flush=True)

    # ------------------------------------------------------------ what is done
    def rollout(self, model: Path, name: str) -> subprocess.Popen[bytes]:
        plan = self.store / f"{name}.yaml"
        text = demo.PLAN.read_text(encoding="utf-8")
        plan.write_text(text.replace("uri: flights ", f"uri: {model} "), encoding="utf-8")
        command = [TIDEGATE, "rollout", "run", str(plan), "--store", str(self.store), "--quiet"]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def promotion(self) -> None:
        began = time.monotonic()
        code = self.rollout(self.good[self.next], "good").wait()
        self.next = 1 - self.next
        self.tell("promotion", exit_code=code, seconds=round(time.monotonic() - began, 1))
        self._settle()

    def broken(self) -> None:
        driver = self.rollout(self.bad, "bad")
        breach = self.until(lambda r: r.weights.get(CANARY, 0) > 0)
        safe = self.until(lambda r: r.weights.get(CANARY, 0) == 0)
        self.tell("broken model", exit_code=driver.wait(), safe_after=round(safe - breach, 2))

    def killed_canary(self) -> None:
        driver = self.rollout(self.good[self.next], "killed")
        self.until(lambda r: r.weights.get(CANARY, 0) > 0)
        desired, status = self.place.desired(), self.place.status()
        assert desired and status
        os.kill(status.of(desired.canary)[0].pid, signal.SIGKILL)
        breach = time.monotonic()
        safe = self.until(lambda r: r.weights.get(CANARY, 0) == 0)
        self.tell("kill -9 canary", exit_code=driver.wait(), safe_after=round(safe - breach, 2))

    def killed_server(self) -> None:
        desired, status = self.place.desired(), self.place.status()
        assert desired and status
        victim = status.of(desired.stable)[0]
        os.kill(victim.pid, signal.SIGKILL)
        breach = time.monotonic()
        self._settle(lambda pids: victim.pid not in pids)
        self.tell("kill -9 model server", up_again_after=round(time.monotonic() - breach, 1))

    def killed_supervisor(self) -> None:
        status = self.place.status()
        assert status
        os.kill(status.supervisor, signal.SIGKILL)
        time.sleep(2)  # nobody supervises: requests go on
        self.place.supervise()
        self._settle()
        after = self.place.status()
        same = after is not None and after.envoy == status.envoy
        self.tell("kill -9 supervisor", same_envoy=same)

    def killed_driver(self) -> None:
        driver = self.rollout(self.good[self.next], "driver")
        self.until(lambda r: r.weights.get(CANARY, 0) > 0)
        driver.kill()
        driver.wait()
        time.sleep(2)
        code = self.rollout(self.good[self.next], "driver").wait()
        if code == 0:
            self.next = 1 - self.next
        self.tell("kill -9 tidegate rollout", exit_code_of_the_second=code)
        self._settle()

    def _settle(self, holds: Callable[[list[int]], bool] = lambda _: True) -> None:
        """Until the live model has all its processes, and no other is left."""
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            desired, status = self.place.desired(), self.place.status()
            if desired and status and desired.stable and not desired.retiring:
                own = status.of(desired.stable)
                if len(own) == desired.stable.replicas and all(r.ready for r in own) and holds([r.pid for r in own]):
                    return
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--models", type=Path, default=ROOT / ".tidegate/models", help="where flights were pushed")
    given = parser.parse_args()
    pushed = versions(given.models, "flights")
    if len(pushed) < 2:
        raise SystemExit(f"two flights models are needed in {given.models}: `make demo` pushes them")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder).resolve()
        demo.SCENE = store / "demo"
        scene = Scene(store, Place(store / "serving/flights"), [v.path for v in pushed[-2:]], demo.broken(pushed[-1]))
        command = [TIDEGATE, "serve", str(scene.good[0]), "--name", "flights", "--detach", "--store", str(store)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        try:
            run(scene, given.rate, given.seconds)
        finally:
            stop = [TIDEGATE, "serve", "stop", "--store", str(store)]
            subprocess.run(stop, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def run(scene: Scene, rate: float, seconds: float) -> None:
    status = scene.place.status()
    assert status
    bodies = [json.dumps(r).encode() for r in traffic()]
    requests = [request("127.0.0.1", status.port, "/v2/models/flights/infer", body) for body in bodies]
    load, over = Load("127.0.0.1", status.port, requests), threading.Event()
    sender = threading.Thread(target=lambda: asyncio.run(load.run(rate, 86400, over.is_set)))
    sender.start()
    deadline = time.monotonic() + seconds
    try:
        while True:
            for event in (
                scene.promotion, scene.broken, scene.killed_canary, scene.killed_server, scene.killed_supervisor,
                scene.killed_driver,
            ):  # fmt: skip
                event()
                if time.monotonic() > deadline:
                    return
    finally:
        over.set()
        sender.join()
        report(scene, load.sent, rate)


def report(scene: Scene, sent: Sent, rate: float) -> None:
    safe = [e["safe_after"] for e in scene.events if "safe_after" in e]
    print(
        json.dumps(
            {
                "rate": rate,
                "requests": sent.count,
                "lost": sent.losses,
                "first_lost": [(time.strftime("%H:%M:%S", time.localtime(at)), *rest) for at, *rest in sent.lost[:10]],
                "events": len(scene.events),
                "slowest_to_safe_seconds": max(safe, default=None),
                "aim_seconds": AIM_SECONDS,
                "p50_ms": round(1000 * sent.quantile(0.5), 1),
                "p99_ms": round(1000 * sent.quantile(0.99), 1),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
