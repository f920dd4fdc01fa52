"""The client's side of a worker: starting one, finding one that runs, asking it to run tasks."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.local.daemon import processes
from tidegate.local.daemon.lines import Line
from tidegate.local.daemon.main import TAKEN

_BOOT = Path(__file__).parent / "daemon/boot.py"
_LONGEST_SOCKET = 100  # bytes; Linux stops at 107
_COMING_UP = 10.0  # seconds


class NoWorker(Exception):  # noqa: N818
    """No warm worker can be had; the message says why. Tasks then run in processes of their own."""


class WorkerLost(Exception):  # noqa: N818
    """The worker died while it ran the task."""

    def __init__(self, began: bool) -> None:
        super().__init__("the worker process that ran the task was killed")
        self.began = began
        """Whether the task had begun, and so may have done something."""


class Unfit(Exception):  # noqa: N818
    """The worker has imported what the task needs in another version."""


class Connection:
    """One open connection to a supervisor."""

    def __init__(self) -> None:
        self.line = Line(self._hear, self._lost)
        self.greeted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether somebody is there, and stays."""
        self._ended = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._pids: dict[str, int] = {}

    @property
    def alive(self) -> bool:
        return self.line.is_open

    async def run(self, key: str, task: Mapping[str, Any]) -> dict[str, Any]:
        """Run to the end and return what the supervisor says of it; cancelled, stop it and see it end.

        Raises: WorkerLost, Unfit.
        """
        if not self.alive:
            raise WorkerLost(began=False)
        answer = self._answers[key] = asyncio.get_running_loop().create_future()
        self.line.tell({"run": key, "task": task})
        try:
            said: dict[str, Any] = await asyncio.shield(answer)
            return said
        except asyncio.CancelledError:
            self.stop(key)
            await asyncio.wait([answer])
            raise
        finally:
            self._answers.pop(key, None)
            self._pids.pop(key, None)

    def stop(self, key: str) -> None:
        self.line.tell({"stop": key})

    def retire(self) -> None:
        """Ask the worker to end as soon as nobody needs it."""
        self.line.tell({"retire": True})

    async def close(self) -> None:
        self.line.close()
        await self._ended.wait()

    def _hear(self, message: dict[str, Any], _body: bytes) -> None:
        if "started" in message:
            self._pids[message["started"]] = message["pid"]
        elif "ended" in message:
            self._settle(message["ended"], message)
        elif "unfit" in message:
            self._settle(message["unfit"], Unfit())
        elif "hello" in message and not self.greeted.done():
            self.greeted.set_result(True)

    def _lost(self) -> None:
        self._ended.set()
        if not self.greeted.done():
            self.greeted.set_result(False)
        for key in list(self._answers):
            pid = self._pids.get(key, 0)
            if pid:  # the worker sees to this when it can; when it was killed with all its processes it cannot
                everyone = processes.table()
                processes.kill(other for other, process in everyone.items() if process.session == pid)
            self._settle(key, WorkerLost(began=bool(pid)))

    def _settle(self, key: str, said: dict[str, Any] | Exception) -> None:
        answer = self._answers.get(key)
        if answer is None or answer.done():
            return
        if isinstance(said, Exception):
            answer.set_exception(said)
        else:
            answer.set_result(said)


# ---------------------------------------------------------------- a process for one task
async def once(python: Path, env: Mapping[str, str]) -> tuple[Connection, subprocess.Popen[bytes]]:
    """Start a supervisor with no zygote worth the name, for this client alone; it ends when the connection closes."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [str(python), "-P", str(_BOOT), "once"],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=dict(env),
            start_new_session=True,
        )
    connection = Connection()
    await asyncio.get_running_loop().create_unix_connection(lambda: connection.line, sock=ours)
    return connection, process


# ---------------------------------------------------------------- warm workers
def runtime_folder(given: Path | None = None) -> Path:
    """The folder of the sockets: ours alone. Raises: NoWorker."""
    uid = os.getuid()
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    candidates = [given] if given else [Path(base) / "tidegate"] if base else []
    candidates.append(Path(f"/tmp/tidegate-{uid}"))  # noqa: S108  (checked below to be ours)
    why = ""
    for folder in candidates:
        if len(os.fsencode(folder)) > _LONGEST_SOCKET - 32:
            why = f"{folder}: too long a path for a socket"
            continue
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
        except OSError as error:
            why = f"{folder}: {error.strerror}"
            continue
        if found.st_uid == uid and found.st_mode & 0o170077 == 0o040000:
            return folder
        why = f"{folder}: must be a folder that belongs to you alone (chmod 700)"
    raise NoWorker(why)


async def warm(
    folder: Path, place: Path, identity: Sequence[str], python: Path, env: Mapping[str, str], preload: Sequence[str],
    idle: float,
) -> Connection:  # fmt: skip
    """A connection to the worker of the environment at `place`; one is started where none runs.

    identity: what its processes depend on; a worker with another identity, for the same place, is told to retire.
    Raises: NoWorker.
    """
    stem = _digest(str(place), 8)
    path = folder / f"{stem}-{_digest(chr(0).join(identity), 16)}.sock"
    for _ in range(3):
        if connection := await _connect(path):
            return connection
        for other in folder.glob(f"{stem}-*.sock"):
            if other != path and (stale := await _connect(other)):
                stale.retire()
                await stale.close()
        await _start(path, python, env, preload, idle)
    log = path.with_suffix(".log")
    raise NoWorker(f"the worker of {place} does not come up; its last words are in {log}")


async def _connect(path: Path) -> Connection | None:
    """None where nobody listens, or is just leaving."""
    connection = Connection()
    try:
        await asyncio.get_running_loop().create_unix_connection(lambda: connection.line, os.fspath(path))
    except OSError:
        return None
    peer = connection.line.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    if struct.unpack("3i", peer)[1] != os.getuid():
        connection.line.close()
        raise NoWorker(f"{path} belongs to another user")
    return connection if await connection.greeted else None


async def _start(path: Path, python: Path, env: Mapping[str, str], preload: Sequence[str], idle: float) -> None:
    """Start a worker and wait until it can be connected to, or has left that to another one started just before."""
    with path.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [str(python), "-P", str(_BOOT), "serve", str(path), f"{idle:g}", *preload],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=dict(env) | {"LD_BIND_NOW": "1"},  # or each child would look its symbols up anew
            start_new_session=True,
        )
    with process:
        assert process.stdout
        said = await asyncio.to_thread(process.stdout.readline)
    until = asyncio.get_running_loop().time() + _COMING_UP
    while said == TAKEN and not path.exists() and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(0.01)


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:length]
