"""Runs Executions on this machine: in warm workers, or (TIDEGATE_WORKERS=off) each in a process started for it."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidegate.local import connection, environments, overlays
from tidegate.local.bootstrap import Function, Program, Verbatim, described, parse
from tidegate.local.connection import Connection, NoWorker, Unfit, WorkerLost
from tidegate.local.daemon import processes
from tidegate.local.environments import Environment, NoEnvironment
from tidegate.local.execution import Ending, Execution, Outcome
from tidegate.local.imports import imported
from tidegate.local.overlays import Overlay
from tidegate.local.settings import Settings, SettingsError

_IDLE = 600.0  # seconds

# What an interpreter reads when it starts: a task that sets one needs an interpreter of its own.
_AT_START = ("PYTHON", "LD_", "MALLOC_", "GLIBC_")
# What libraries read when they are imported: a task that sets one does without the worker's imports.
_AT_IMPORT = (
    *("TF_", "XLA_", "CUDA_", "NVIDIA_", "KERAS_", "OMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "NUMEXPR_", "ARROW_"),
    *("GRPC_", "GLOG_", "ABSL_", "PROTOCOL_BUFFERS_", "JAX_", "TORCH_", "PYTORCH_"),
)


@dataclass(slots=True)
class _Running:
    """One execution on its way; `stop` before it has reached a worker is kept in `stopped`."""

    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    connection: Connection | None = None
    stopped: bool = False
    preparing: asyncio.Task[Any] | None = None


class Workers:
    """The Executor of this machine (see execution.Executor); used from one asyncio event loop.

    `warm`: None asks TIDEGATE_WORKERS (`off` switches the warm workers off). `runtime`: the folder of the workers'
    sockets, default XDG_RUNTIME_DIR's or /tmp's. `grace`: seconds between SIGTERM and SIGKILL. Warm workers end
    themselves when nobody has needed them for TIDEGATE_WORKERS_IDLE seconds (default 600).
    """

    def __init__(
        self, settings: Settings, *, warm: bool | None = None, runtime: Path | None = None, grace: float = 5.0
    ) -> None:
        self.settings = settings
        self._warm = os.environ.get("TIDEGATE_WORKERS", "") != "off" if warm is None else warm
        self._runtime, self._grace = runtime, grace
        self._idle = _idle_seconds(os.environ.get("TIDEGATE_WORKERS_IDLE", ""))
        self._running: dict[str, _Running] = {}
        self._connections: dict[str, asyncio.Task[Connection]] = {}
        self._environments: dict[str, Environment] = {}
        self._variables: dict[Path, dict[str, str]] = {}
        """What each environment's tasks start from, as the caller's variables were when it was first used."""

    def fingerprint(self, image: str) -> str:
        """Stands for all that the image's environment brings along. Raises: environments.NoEnvironment."""
        return environments.fingerprint(environments.resolve(self.settings, image))

    async def run(self, execution: Execution) -> Outcome:
        """Run to the end. Never raises for what the task does; cancelling the coroutine stops the task."""
        running = self._running[execution.id] = _Running()
        try:
            return await self._run(execution, running)
        finally:
            del self._running[execution.id]

    async def stop(self, id: str) -> None:
        """Stop that execution: SIGTERM to its process group, SIGKILL after the grace period."""
        running = self._running.get(id)
        if running is None or running.stopped:
            return
        running.stopped = True
        if running.preparing:
            running.preparing.cancel()
        if running.connection:
            running.connection.stop(running.key)

    async def close(self) -> None:
        """Stop what still runs and let go of the workers; they stay warm for the next run."""
        for id in list(self._running):
            await self.stop(id)
        while self._running:
            await asyncio.sleep(0.01)
        for opening in self._connections.values():
            if opening.done() and not opening.cancelled() and not opening.exception():
                await opening.result().close()
        self._connections.clear()

    # ------------------------------------------------------------ one execution
    async def _run(self, execution: Execution, running: _Running) -> Outcome:
        started = time.time()

        def ended(ending: Ending, error: str) -> Outcome:
            return Outcome(ending, error, started=started, ended=time.time())

        try:
            environment = self._environment(execution.image)
            program = parse(execution.command)
            overlay = None
            if isinstance(program, Function) and program.installs:
                running.preparing = asyncio.ensure_future(overlays.ensure(environment, program.installs, execution.log))
                overlay = await running.preparing
                running.preparing = None
            if running.stopped:
                return ended(Ending.STOPPED, "stopped before it began")
            task = self._described(execution, environment, program, overlay, running.key)
            return await self._perform(environment, task, running)
        except NoEnvironment as error:
            return ended(Ending.REFUSED, str(error))
        except overlays.CannotInstall as error:
            return ended(Ending.FAILED, str(error))
        except WorkerLost as error:
            return ended(Ending.KILLED, str(error))
        except asyncio.CancelledError:
            if running.stopped:
                return ended(Ending.STOPPED, "stopped before it began")
            raise

    def _environment(self, image: str) -> Environment:
        """Raises: NoEnvironment."""
        if image not in self._environments:
            self._environments[image] = environments.resolve(self.settings, image)
        return self._environments[image]

    def _described(
        self, execution: Execution, environment: Environment, program: Program, overlay: Overlay | None, key: str
    ) -> dict[str, Any]:
        """What the worker is told of this execution. key: the token that its processes carry."""
        variables = self._variables.get(environment.path)
        if variables is None:
            variables = self._variables[environment.path] = environment.variables(os.environ)
        env = {"TIDEGATE_PROJECT": str(self.settings.root)} | variables | dict(execution.env)
        env[processes.TOKEN] = key
        if overlay:
            env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(overlay.path), env.get("PYTHONPATH"))))
            env["PATH"] = os.pathsep.join((str(overlay.path / "bin"), env["PATH"]))
        if isinstance(program, Verbatim) and any("pip" in word for word in program.command):
            # What it installs goes beside its working folder, and is found there; never into the environment.
            packages = f"{execution.workdir}.code/packages"
            env |= {"PIP_TARGET": packages, "PYTHONPATH": packages, "PATH": f"{packages}/bin{os.pathsep}{env['PATH']}"}
        changed = {name for name, value in execution.env.items() if environment.env.get(name) != value}
        return {
            "program": described(program, f"{execution.workdir}.code"),
            "env": env,
            "cwd": str(execution.workdir),
            "log": str(execution.log),
            "memory": execution.memory,
            "timeout": execution.timeout,
            "grace": self._grace,
            "imports": sorted(imported(program, execution.workdir)),
            "overlay": sorted(overlay.roots) if overlay else [],
            "overlays": [str(overlay.path)] if overlay else [],
            "plain": any(name.startswith(_AT_IMPORT) for name in changed),
            "fresh": any(name.startswith(_AT_START) for name in changed),
        }

    async def _perform(self, environment: Environment, task: Mapping[str, Any], running: _Running) -> Outcome:
        why = "TIDEGATE_WORKERS=off" if not self._warm else "it sets variables that an interpreter reads at its start"
        if self._warm and not task["fresh"]:
            try:
                return await self._in_worker(environment, task, running)
            except NoWorker as error:
                why = str(error)
            except Unfit:
                why = "its packages replace modules that the worker has imported"
        opened, process = await connection.once(environment.python, task["env"])
        try:
            return _outcome(await self._ask(opened, task, running), {"worker": "fresh", "why": why})
        finally:
            await opened.close()
            await asyncio.to_thread(process.wait)

    async def _in_worker(self, environment: Environment, task: Mapping[str, Any], running: _Running) -> Outcome:
        """Raises: NoWorker, Unfit; WorkerLost where the task had begun."""
        for _ in range(3):
            opened = await self._connection(environment)
            try:
                said = await self._ask(opened, task, running)
            except WorkerLost as lost:
                if lost.began:
                    raise
                continue  # it was leaving as we came
            return _outcome(said, {"worker": said["with"] or "warm"})
        raise NoWorker("the worker keeps dying as it starts")

    async def _ask(self, opened: Connection, task: Mapping[str, Any], running: _Running) -> dict[str, Any]:
        running.connection = opened
        if running.stopped:  # the request goes first
            asyncio.get_running_loop().call_soon(opened.stop, running.key)
        try:
            return await opened.run(running.key, task)
        finally:
            running.connection = None

    async def _connection(self, environment: Environment) -> Connection:
        """The connection to this environment's worker, opened once and again when it has broken. Raises: NoWorker."""
        identity = (
            str(environment.python), environments.distributions(environment.packages), *environment.preload,
            *(f"{name}={value}" for name, value in sorted(environment.env.items())), environments.worker_code(),
        )  # fmt: skip
        name = "\0".join(identity)
        opening = self._connections.get(name)
        if opening is None or (opening.done() and (opening.exception() or not opening.result().alive)):
            folder = connection.runtime_folder(self._runtime)
            opening = self._connections[name] = asyncio.ensure_future(
                connection.warm(
                    folder, environment.path, identity, environment.python, environment.variables(os.environ),
                    environment.preload, self._idle,
                )
            )  # fmt: skip
        return opening.result() if opening.done() else await asyncio.shield(opening)


def _idle_seconds(said: str) -> float:
    try:
        return float(said or _IDLE)
    except ValueError:
        raise SettingsError(f"TIDEGATE_WORKERS_IDLE: expected seconds, found {said!r}") from None


def _outcome(said: Mapping[str, Any], details: Mapping[str, str]) -> Outcome:
    return Outcome(
        ending=Ending(said["ending"]),
        error=said["error"],
        exit_code=said["exit"],
        cpu_seconds=said["cpu"],
        peak_memory=said["memory"],
        started=said["since"] or said["at"],
        ended=said["at"],
        details=details,
    )
