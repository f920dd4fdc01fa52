"""Keeps up what `desired.json` asks for: `python -m tidegate.serving.local.supervisor FOLDER`.

One loop: look at what should be and what is, do what brings them together, tell it in `status.json`. It may be killed
at any time; the next one finds the processes by their marks and goes on.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tidegate.serving.local import envoy, processes
from tidegate.serving.local.desired import Desired, Instance, Replica, Status
from tidegate.serving.local.place import Place, PlaceError, held, write
from tidegate.serving.local.processes import Process
from tidegate.serving.settings import MODEL_SETTINGS, SERVER_SETTINGS, Extras, model_settings, server_settings

_TURN = 0.1
_BACKOFF = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before the nth start in a row that did not become ready
_PROBE, _PROBE_TIMEOUT = 2.0, 5.0  # a ready server is asked so often whether it still is
_HUNG, _HUNG_ALONE = (
    30.0,
    120.0,
)  # silent for so long, it hangs: where another of its instance answers, and where none does
_DRAIN = 5.0  # requests that are being answered may take so long, when nobody new comes
_RETIRE = 120.0  # the old stable model stays at most so long, when the new one's further processes do not come up
_PATIENCE = 12.0  # between SIGTERM and SIGKILL
_ENVOY = "envoy"
_KEPT_ANSWERS = 5_000  # what comes between two readings, by which mirrored answers are compared


@dataclass(slots=True)
class _Kept:
    """What is known of one process that should be."""

    process: Process | None = None
    seen: Replica | None = None
    failures: int = 0
    """Starts in a row that did not become ready."""
    again_at: float = 0.0
    asked_at: float = 0.0
    probe: Future[bool] | None = None
    """A question under way: a machine that is too busy to answer must not hold up everything else."""
    silent: float = 0.0
    """Since when it has not answered."""
    ending: float = 0.0
    """Since when it is no longer wanted."""
    ended: bool = False


@dataclass(slots=True)
class Supervisor:
    place: Place
    kept: dict[str, _Kept] = field(default_factory=dict)
    proxy: _Kept = field(default_factory=_Kept)
    port: int = 0
    admin: int = 0
    error: str = ""
    promoted_at: float = 0.0
    _told: Status | None = None
    _known: Desired | None = None
    _configured: dict[str, Any] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8, "probe"))

    def adopt(self) -> None:
        """Take over what a supervisor before started."""
        before = self.place.status()
        known = {r.key: r for r in before.replicas} if before else {}
        for key, process in processes.marked(self.place.folder).items():
            if key == _ENVOY:
                if before and before.port:
                    self.proxy.process, self.port, self.admin = process, before.port, before.admin
                else:
                    process.end(hard=True)
            elif seen := known.get(key) or self._reread(key):
                # What answered before goes on answering while it is asked again.
                ready = (seen.ready and seen.pid == process.pid) or self._is_ready(seen)
                self.kept[key] = _Kept(process, replace(seen, pid=process.pid, ready=ready))
            else:
                process.end(hard=True)

    def turn(self, now: float) -> bool:
        """One look, and what follows. now: of a monotonic clock. False when all has ended."""
        processes.reap()
        desired = self._desired()
        if desired is None or desired.stopped:
            return self._stop(now)
        wanted = {f"{i.id}/{n}": (i, n) for i in desired.instances for n in range(i.replicas)}
        for key, (instance, number) in wanted.items():
            self._keep(desired, instance, number, self.kept.setdefault(key, _Kept()), now)
        desired = self._retire(desired, now)
        self._configure(desired)
        self._keep_proxy(desired, now)
        for key in [k for k in self.kept if k not in wanted]:
            self._let_go(key, self.kept[key], now)
        self._tell()
        return True

    def _desired(self) -> Desired | None:
        """A file that cannot be read changes nothing: what runs goes on."""
        try:
            self._known = self.place.desired()
        except PlaceError as error:
            if str(error) != self.error:
                _say(str(error))
            self.error = str(error)
            if self._known is None:
                raise
        return self._known

    # ------------------------------------------------------------ model servers
    def _keep(self, desired: Desired, instance: Instance, number: int, kept: _Kept, now: float) -> None:
        if kept.process is None:
            if now >= kept.again_at:
                self._start(desired, instance, number, kept, now)
            return
        assert kept.seen is not None
        if not kept.process.alive():
            self._died(kept, now)
            return
        answer = self._asked(kept, kept.seen.http, f"/v2/models/{desired.name}/ready", now)
        if answer:
            kept.seen, kept.failures, kept.silent = replace(kept.seen, ready=True, error=""), 0, 0.0
        elif answer is False and kept.seen.ready:
            kept.silent = kept.silent or now
            others = (k.seen for k in self.kept.values() if k is not kept and not k.silent)
            alone = not any(o and o.ready and o.instance == instance.id for o in others)
            if now - kept.silent > (_HUNG_ALONE if alone else _HUNG):
                _say(f"{kept.seen.key}: has not answered for {now - kept.silent:.0f} s")
                kept.process.end(hard=True)

    def _asked(self, kept: _Kept, port: int, path: str, now: float) -> bool | None:
        """Whether it answers; None where that is not known yet. Asks again when it is time."""
        if kept.probe is not None:
            if not kept.probe.done():
                return None
            answer, kept.probe = kept.probe.result(), None
            return answer
        up = kept.seen is None or kept.seen.ready
        if now - kept.asked_at >= (_PROBE if up else _TURN):
            kept.asked_at = now
            kept.probe = self._pool.submit(_answers, port, path)
        return None

    def _start(self, desired: Desired, instance: Instance, number: int, kept: _Kept, now: float) -> None:
        key = f"{instance.id}/{number}"
        folder = self.place.replica(key)
        http_port, grpc, metrics = processes.free_ports(3)
        folder.mkdir(parents=True, exist_ok=True)
        extras = Extras(
            digest=instance.digest,
            public_key=desired.public_key,
            payload_log=str(self.place.payloads) if desired.payload_share else "",
            payload_share=desired.payload_share,
            slices_file=str(self.place.slices),
            instance=instance.id,
            keep_answers=_KEPT_ANSWERS,
            python_class=instance.python_class,
        )
        model = model_settings(desired.name, instance.uri, instance.version, extras)
        (folder / SERVER_SETTINGS).write_text(server_settings(http_port, grpc, metrics), encoding="utf-8")
        (folder / MODEL_SETTINGS).write_text(model, encoding="utf-8")
        command = [desired.runtime.python, "-m", "tidegate.serving.server", str(folder)]
        environment = _environment(desired)
        if instance.python_class:  # Python would write beside the class, and change the model's digest
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        mark = f"{self.place.folder}#{key}"
        kept.process = processes.start(command, environment, folder, folder / "server.log", mark)
        restarts = kept.seen.restarts + 1 if kept.seen else 0
        error = kept.seen.error if kept.seen else ""
        kept.seen = Replica(
            instance.id, number, kept.process.pid, http_port, grpc, metrics, restarts=restarts, error=error
        )
        kept.asked_at = now
        _say(f"{key}: started, process {kept.process.pid}, port {http_port}")

    def _died(self, kept: _Kept, now: float) -> None:
        assert kept.seen is not None and kept.process is not None
        said = processes.tail(self.place.replica(kept.seen.key) / "server.log")
        what = "ended" if kept.seen.ready else "ended before it was ready"
        _say(f"{kept.seen.key}: process {kept.process.pid} {what}")
        kept.failures = 0 if kept.seen.ready else kept.failures + 1
        kept.seen = replace(kept.seen, ready=False, error=f"the process {what}; it said at last:\n{said}".strip())
        kept.process, kept.probe, kept.silent = None, None, 0.0
        kept.again_at = now + _BACKOFF[min(kept.failures, len(_BACKOFF) - 1)]

    def _let_go(self, key: str, kept: _Kept, now: float) -> None:
        """It gets no requests any more (the routes say so): let it answer what it has, then end it."""
        if kept.process is None or not kept.process.alive():
            del self.kept[key]
            return
        kept.ending = kept.ending or now
        waited = now - kept.ending
        if not kept.ended and (waited > _DRAIN or (waited > 0.5 and not self._busy(key.split("/")[0]))):
            _say(f"{key}: not needed any more")
            kept.process.end()
            kept.ended = True
        elif waited > _DRAIN + _PATIENCE:
            kept.process.end(hard=True)

    def _busy(self, instance: str) -> bool:
        """Whether Envoy waits for answers of this instance."""
        text = _get(self.admin, f"/stats?filter=^cluster.{instance}.*upstream_rq_active$") or ""
        return any(line.rsplit(":", 1)[-1].strip() not in ("", "0") for line in text.splitlines())

    def _retire(self, desired: Desired, now: float) -> Desired:
        """The old stable model goes when the new one has all its processes."""
        if desired.retiring is None or desired.stable is None:
            self.promoted_at = 0.0
            return desired
        self.promoted_at = self.promoted_at or now
        up = sum(1 for k in self.kept.values() if k.seen and k.seen.instance == desired.stable.id and k.seen.ready)
        if up < desired.stable.replicas and now - self.promoted_at < _RETIRE:
            return desired
        with self.place.changing() as save:
            fresh = self.place.desired()
            if fresh is not None and fresh.retiring == desired.retiring:
                save(replace(fresh, retiring=None))
        return replace(desired, retiring=None)

    def _is_ready(self, replica: Replica) -> bool:
        desired = self._desired()
        return desired is not None and _answers(replica.http, f"/v2/models/{desired.name}/ready")

    def _reread(self, key: str) -> Replica | None:
        """A process that started and was not told of yet: its settings have its ports."""
        try:
            told = json.loads((self.place.replica(key) / SERVER_SETTINGS).read_text(encoding="utf-8"))
            instance, _, number = key.rpartition("/")
            return Replica(instance, int(number), 0, told["http_port"], told["grpc_port"], told["metrics_port"])
        except (OSError, ValueError, KeyError):
            return None

    # ------------------------------------------------------------ Envoy
    def _configure(self, desired: Desired) -> None:
        ready = [k.seen for k in self.kept.values() if k.seen and k.seen.ready and not k.ending]
        xds = str(self.place.xds)
        # What is named must be there before it is named, and after: endpoints and clusters first when they come ...
        staying = self._with_draining(desired)
        files = envoy.endpoints(staying, ready)
        files[envoy.CLUSTERS_FILE] = envoy.clusters(staying, xds)
        files[envoy.ROUTES_FILE] = envoy.routes(desired)
        for name, content in files.items():
            if self._configured.get(name) != content:
                write(self.place.xds / name, content)
                self._configured[name] = content
        for name in [n for n in self._configured if n.startswith("endpoints-") and n not in files]:
            (self.place.xds / name).unlink(missing_ok=True)
            del self._configured[name]
        if self._configured.get("slices") != desired.slices:
            write(self.place.slices, list(desired.slices))
            self._configured["slices"] = desired.slices

    def _with_draining(self, desired: Desired) -> Desired:
        """... and clusters last when they go: those that still answer stay."""
        ids = {i.id for i in desired.instances}
        left = {k.seen.instance for k in self.kept.values() if k.seen and k.seen.instance not in ids}
        for gone in sorted(left):
            if desired.retiring is None:
                desired = replace(desired, retiring=Instance(gone, ""))
            elif desired.canary is None:
                desired = replace(desired, canary=Instance(gone, ""))
        return desired

    def _keep_proxy(self, desired: Desired, now: float) -> None:
        proxy = self.proxy
        if proxy.process is not None and proxy.process.alive():
            if self._asked(proxy, self.admin, "/ready", now):
                proxy.failures = 0
                self.error = ""
            return
        if proxy.process is not None:
            said = processes.tail(self.place.folder / "envoy.log", 4)
            _say(f"envoy: process {proxy.process.pid} ended: {said}")
            self.error = f"Envoy ended; it said at last: {said}" if proxy.failures else ""
            proxy.process, proxy.probe, proxy.failures = None, None, proxy.failures + 1
            proxy.again_at = now + _BACKOFF[min(proxy.failures - 1, len(_BACKOFF) - 1)]
        if now < proxy.again_at:
            return
        port, admin = processes.free_ports(2)
        # The port of before, that clients know, unless it was ours to choose and is taken now.
        self.port = desired.port or (self.port if self.port and proxy.failures < 3 else port)
        self.admin = admin
        path = self.place.folder / "envoy.json"
        write(path, envoy.bootstrap(str(self.place.xds), "127.0.0.1", self.port, self.admin))
        command = [
            str(Path(desired.runtime.python).parent / "envoy"), "-c", str(path), "--concurrency", "1",
            "--disable-hot-restart", "--log-level", "warning", "--drain-time-s", "3",
        ]  # fmt: skip
        log = self.place.folder / "envoy.log"
        mark = f"{self.place.folder}#{_ENVOY}"
        proxy.process = processes.start(command, _environment(desired), self.place.folder, log, mark)
        proxy.asked_at = 0.0
        _say(f"envoy: started, process {proxy.process.pid}, port {self.port}")

    # ------------------------------------------------------------ the end, and what is told
    def _stop(self, now: float) -> bool:
        """All goes: Envoy after it has answered what it has, then the model servers."""
        proxy = self.proxy
        if proxy.process is not None and proxy.process.alive():
            if not proxy.ending:
                proxy.ending = now
                _get(self.admin, "/drain_listeners?graceful&skip_exit", method="POST")
            waited = now - proxy.ending
            if waited > 0.5 and (waited > _DRAIN or not self._busy("")):
                proxy.process.end(hard=waited > _DRAIN + 2)
            return True
        for key, kept in list(self.kept.items()):
            if kept.process is None or not kept.process.alive():
                del self.kept[key]
                continue
            kept.ending = kept.ending or now
            if not kept.ended:
                kept.process.end()
                kept.ended = True
            elif now - kept.ending > _PATIENCE:
                kept.process.end(hard=True)
        if self.kept:
            return True
        (self.place.folder / "status.json").unlink(missing_ok=True)
        return False

    def _tell(self) -> None:
        pid = self.proxy.process.pid if self.proxy.process else 0
        seen = tuple(sorted((k.seen for k in self.kept.values() if k.seen and not k.ending), key=lambda r: r.key))
        status = Status(os.getpid(), pid, self.port, self.admin, seen, self.error)
        if status != self._told:
            write(self.place.folder / "status.json", status.encode())
            self._told = status


def _environment(desired: Desired) -> dict[str, str]:
    """One thread an operation: requests are many and small, and threads that wait for each other cost more."""
    passed = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TIDEGATE"))}
    return {
        **passed,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        **desired.runtime.env,
    }


def _answers(port: int, path: str) -> bool:
    return _get(port, path) is not None


def _get(port: int, path: str, method: str = "GET") -> str | None:
    """The body of a 200; None for anything else."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PROBE_TIMEOUT)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
        return body if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
    sys.stdout.flush()


def main(folder: str) -> int:
    place = Place(Path(folder))
    with held(place.lock) as mine:
        if not mine:
            return 0
        stopping: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
        supervisor = Supervisor(place)
        supervisor.adopt()
        while supervisor.turn(time.monotonic()) and not stopping:
            time.sleep(_TURN)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
