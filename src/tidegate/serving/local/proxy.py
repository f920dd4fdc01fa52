"""The supervisor's hand on Envoy: its process, and the files it re-reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tidegate.serving.local import envoy, processes
from tidegate.serving.local.desired import Desired, Instance, Replica, Status
from tidegate.serving.local.kept import Kept, Prober, environment, fetch, say
from tidegate.serving.local.place import Place, write
from tidegate.serving.local.processes import Process

KEY = "envoy"
DRAIN = 5.0
"""Seconds that requests may take to be answered when nobody new comes."""
_KEPT_PORT = 3  # failures in a row until a free port that is taken now is given up for another


@dataclass(slots=True)
class Proxy:
    place: Place
    prober: Prober
    kept: Kept = field(default_factory=Kept)
    port: int = 0
    admin: int = 0
    error: str = ""
    _configured: dict[str, Any] = field(default_factory=dict)

    def adopt(self, process: Process, before: Status | None) -> None:
        """Take over an Envoy that runs; one whose ports are not known is of no use."""
        if before and before.port:
            self.kept.process, self.port, self.admin = process, before.port, before.admin
        else:
            process.end(hard=True)

    def configure(self, desired: Desired, ready: Sequence[Replica], going: Iterable[str]) -> None:
        """ready: processes that may get requests. going: instances that answer their last ones.

        What is named must be there before it is named, and after: endpoints and clusters come first, and go last.
        """
        staying = _with(desired, going)
        files = envoy.endpoints(staying, ready)
        files[envoy.CLUSTERS_FILE] = envoy.clusters(staying, str(self.place.xds))
        files[envoy.ROUTES_FILE] = envoy.routes(desired)
        for name, content in files.items():
            if self._configured.get(name) != content:
                write(self.place.xds / name, content)
                self._configured[name] = content
        for name in [n for n in self._configured if n not in files]:
            (self.place.xds / name).unlink(missing_ok=True)
            del self._configured[name]

    def keep(self, desired: Desired, now: float) -> None:
        """Start it where it does not run; on the port of before, which clients know."""
        kept = self.kept
        if kept.alive:
            if self.prober.asked(kept, self.admin, "/ready", now):
                kept.failures, self.error = 0, ""
            return
        if kept.process is not None:
            said = processes.tail(self.place.folder / "envoy.log", 4)
            say(f"envoy: process {kept.process.pid} ended: {said}")
            self.error = f"Envoy ended; it said at last: {said}" if kept.failures else ""
            kept.gone(now, kept.failures + 1)
        if now < kept.again_at:
            return
        port, admin = processes.free_ports(2)
        self.port = desired.port or (self.port if self.port and kept.failures < _KEPT_PORT else port)
        self.admin = admin
        path = self.place.folder / "envoy.json"
        write(path, envoy.bootstrap(str(self.place.xds), "127.0.0.1", self.port, self.admin))
        command = [
            str(Path(desired.runtime.python).parent / "envoy"), "-c", str(path), "--concurrency", "1",
            "--disable-hot-restart", "--log-level", "warning", "--drain-time-s", "3",
        ]  # fmt: skip
        log = self.place.folder / "envoy.log"
        mark = f"{self.place.folder}#{KEY}"
        kept.process = processes.start(command, environment(desired), self.place.folder, log, mark)
        kept.asked_at = 0.0
        say(f"envoy: started, process {kept.process.pid}, port {self.port}")

    def drained(self, now: float) -> bool:
        """On the way to the end: no new connections, the last answers, then it ends. True when it has."""
        kept = self.kept
        if not kept.alive or kept.process is None:
            return True
        if not kept.ending:
            kept.ending = now
            fetch(self.admin, "/drain_listeners?graceful&skip_exit", method="POST")
        waited = now - kept.ending
        if waited > 0.5 and (waited > DRAIN or not self.busy("")):
            kept.process.end(hard=waited > DRAIN + 2)
        return False

    def busy(self, instance: str) -> bool:
        """Whether it waits for answers of this instance (empty: of any), or does not say."""
        text = fetch(self.admin, f"/stats?filter=^cluster.{instance}.*upstream_rq_active$", seconds=0.5)
        if text is None:
            return True
        return any(line.rsplit(":", 1)[-1].strip() not in ("", "0") for line in text.splitlines())


def _with(desired: Desired, going: Iterable[str]) -> Desired:
    """As if they were still wanted: a request may be on its way to them."""
    ids = {i.id for i in desired.instances}
    for gone in sorted(set(going) - ids):
        if desired.retiring is None:
            desired = replace(desired, retiring=Instance(gone, ""))
        elif desired.canary is None:
            desired = replace(desired, canary=Instance(gone, ""))
    return desired
