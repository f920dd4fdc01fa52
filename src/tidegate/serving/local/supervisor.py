"""Keeps up what `desired.json` asks for: `python -m tidegate.serving.local.supervisor FOLDER`.

One loop: look at what should be and what is, do what brings them together, tell it in `status.json`. It may be killed
at any time; the next one finds the processes by their marks and goes on.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from tidegate.serving.local import processes
from tidegate.serving.local.desired import Desired, Instance, Replica, Status
from tidegate.serving.local.kept import TURN, Kept, Prober, answers, environment, say
from tidegate.serving.local.place import Place, PlaceError, held, write
from tidegate.serving.local.proxy import DRAIN, Proxy
from tidegate.serving.local.proxy import KEY as ENVOY
from tidegate.serving.settings import MODEL_SETTINGS, SERVER_SETTINGS, Extras, model_settings, server_settings

_HUNG, _HUNG_ALONE = 30.0, 120.0  # silent for so long, it hangs: where others of its instance answer, where none does
_RETIRE = 120.0  # the old stable model stays at most so long, when the new one's further processes do not come up
_PATIENCE = 12.0  # between SIGTERM and SIGKILL
_KEPT_ANSWERS = 5_000  # what comes between two readings, by which mirrored answers are compared


class Supervisor:
    def __init__(self, place: Place) -> None:
        self.place = place
        self.kept: dict[str, Kept] = {}
        self._prober = Prober()
        self._proxy = Proxy(place, self._prober)
        self._promoted_at = 0.0
        self._error = ""
        self._told: Status | None = None
        self._known: Desired | None = None
        self._slices: tuple[str, ...] | None = None

    def adopt(self) -> None:
        """Take over what a supervisor before started."""
        before = self.place.status()
        known = {r.key: r for r in before.replicas} if before else {}
        for key, process in processes.marked(self.place.folder).items():
            if key == ENVOY:
                self._proxy.adopt(process, before)
            elif seen := known.get(key) or self._reread(key):
                # What answered before goes on answering while it is asked again.
                ready = (seen.ready and seen.pid == process.pid) or self._is_ready(seen)
                self.kept[key] = Kept(process, replace(seen, pid=process.pid, ready=ready))
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
            self._keep(desired, instance, number, self.kept.setdefault(key, Kept()), now)
        desired = self._retire(desired, now)
        self._configure(desired)
        self._proxy.keep(desired, now)
        for key in [k for k in self.kept if k not in wanted]:
            self._let_go(key, self.kept[key], now)
        self._tell()
        return True

    def _desired(self) -> Desired | None:
        """A file that cannot be read changes nothing: what runs goes on."""
        try:
            self._known, self._error = self.place.desired(), ""
        except PlaceError as error:
            if str(error) != self._error:
                say(str(error))
            self._error = str(error)
            if self._known is None:
                raise
        return self._known

    # ------------------------------------------------------------ model servers
    def _keep(self, desired: Desired, instance: Instance, number: int, kept: Kept, now: float) -> None:
        if kept.process is None:
            if now >= kept.again_at:
                self._start(desired, instance, number, kept, now)
            return
        assert kept.seen is not None
        if not kept.alive:
            self._died(kept, now)
            return
        answer = self._prober.asked(kept, kept.seen.http, f"/v2/models/{desired.name}/ready", now)
        if answer:
            kept.seen, kept.failures, kept.silent = replace(kept.seen, ready=True, error=""), 0, 0.0
        elif answer is False and kept.seen.ready:
            kept.silent = kept.silent or now
            others = (k.seen for k in self.kept.values() if k is not kept and not k.silent)
            alone = not any(o and o.ready and o.instance == instance.id for o in others)
            if now - kept.silent > (_HUNG_ALONE if alone else _HUNG):
                say(f"{kept.seen.key}: has not answered for {now - kept.silent:.0f} s")
                kept.process.end(hard=True)

    def _start(self, desired: Desired, instance: Instance, number: int, kept: Kept, now: float) -> None:
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
        variables = environment(desired)
        if instance.python_class:  # Python would write beside the class, and change the model's digest
            variables["PYTHONDONTWRITEBYTECODE"] = "1"
        mark = f"{self.place.folder}#{key}"
        kept.process = processes.start(command, variables, folder, folder / "server.log", mark)
        restarts = kept.seen.restarts + 1 if kept.seen else 0
        error = kept.seen.error if kept.seen else ""
        kept.seen = Replica(
            instance.id, number, kept.process.pid, http_port, grpc, metrics, restarts=restarts, error=error
        )
        kept.asked_at = now
        say(f"{key}: started, process {kept.process.pid}, port {http_port}")

    def _died(self, kept: Kept, now: float) -> None:
        assert kept.seen is not None and kept.process is not None
        said = processes.tail(self.place.replica(kept.seen.key) / "server.log")
        what = "ended" if kept.seen.ready else "ended before it was ready"
        say(f"{kept.seen.key}: process {kept.process.pid} {what}")
        failures = 0 if kept.seen.ready else kept.failures + 1
        kept.seen = replace(kept.seen, ready=False, error=f"the process {what}; it said at last:\n{said}".strip())
        kept.gone(now, failures)

    def _let_go(self, key: str, kept: Kept, now: float) -> None:
        """It gets no requests any more (the routes say so): let it answer what it has, then end it."""
        if kept.process is None or not kept.process.alive():
            del self.kept[key]
            return
        kept.ending = kept.ending or now
        waited = now - kept.ending
        if not kept.ended and (waited > DRAIN or (waited > 0.5 and not self._proxy.busy(key.split("/")[0]))):
            say(f"{key}: not needed any more")
            kept.process.end()
            kept.ended = True
        elif waited > DRAIN + _PATIENCE:
            kept.process.end(hard=True)

    def _retire(self, desired: Desired, now: float) -> Desired:
        """The old stable model goes when the new one has all its processes."""
        if desired.retiring is None or desired.stable is None:
            self._promoted_at = 0.0
            return desired
        self._promoted_at = self._promoted_at or now
        up = sum(1 for k in self.kept.values() if k.seen and k.seen.instance == desired.stable.id and k.seen.ready)
        if up < desired.stable.replicas and now - self._promoted_at < _RETIRE:
            return desired
        with self.place.changing() as save:
            fresh = self.place.desired()
            if fresh is not None and fresh.retiring == desired.retiring:
                save(replace(fresh, retiring=None))
        return replace(desired, retiring=None)

    def _is_ready(self, replica: Replica) -> bool:
        desired = self._desired()
        return desired is not None and answers(replica.http, f"/v2/models/{desired.name}/ready")

    def _reread(self, key: str) -> Replica | None:
        """A process that started and was not told of yet: its settings have its ports."""
        try:
            told = json.loads((self.place.replica(key) / SERVER_SETTINGS).read_text(encoding="utf-8"))
            instance, _, number = key.rpartition("/")
            return Replica(instance, int(number), 0, told["http_port"], told["grpc_port"], told["metrics_port"])
        except (OSError, ValueError, KeyError):
            return None

    # ------------------------------------------------------------ the end, and what is told
    def _stop(self, now: float) -> bool:
        """All goes: Envoy after it has answered what it has, then the model servers."""
        if not self._proxy.drained(now):
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

    def _configure(self, desired: Desired) -> None:
        ready = [k.seen for k in self.kept.values() if k.seen and k.seen.ready and not k.ending]
        self._proxy.configure(desired, ready, {k.seen.instance for k in self.kept.values() if k.seen})
        if self._slices != desired.slices:
            write(self.place.slices, list(desired.slices))
            self._slices = desired.slices

    def _tell(self) -> None:
        proxy = self._proxy
        pid = proxy.kept.process.pid if proxy.kept.process else 0
        seen = tuple(sorted((k.seen for k in self.kept.values() if k.seen and not k.ending), key=lambda r: r.key))
        status = Status(os.getpid(), pid, proxy.port, proxy.admin, seen, proxy.error or self._error)
        if status != self._told:
            write(self.place.folder / "status.json", status.encode())
            self._told = status


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
            time.sleep(TURN)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
