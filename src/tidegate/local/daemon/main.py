"""The entry: `serve` keeps a socket for many clients; `once` serves only the client that started it, on stdin."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import processes, zygote

if TYPE_CHECKING:
    from .supervisor import Supervisor

READY, TAKEN = b"ready\n", b"taken\n"
"""What `serve` says on stdout: clients can connect; or another worker, just started, is there for them."""


def main(arguments: Sequence[str]) -> None:
    """`once`, or `serve SOCKET IDLE_SECONDS MODULE...`."""
    sys.dont_write_bytecode = False  # preloaded modules are many, and twice as slow to import without
    for name in ("PYTHONDONTWRITEBYTECODE", "LD_BIND_NOW"):
        os.environ.pop(name, None)
    mode, *rest = arguments
    if mode == "once":
        _once()
    else:
        _serve(Path(rest[0]), float(rest[1]), rest[2:])


def _once() -> None:
    client = socket.socket(fileno=os.dup(0))
    supervisor = _begin([""], load=False, not_for_zygotes=[0, client.fileno()])

    async def attend() -> None:
        await supervisor.start()
        await supervisor.serve(client)

    import asyncio

    asyncio.run(attend())


def _serve(path: Path, idle: float, preload: Sequence[str]) -> None:
    if os.fork():
        os._exit(0)  # whoever started us is not our parent: we outlive it
    lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.write(1, TAKEN)
        return
    sources = f"{path.with_suffix('')}.sources"
    _remove(sources)  # of a worker that was killed
    supervisor = _begin(["", *preload], load=True, not_for_zygotes=[lock, 1], sources=sources)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)

    async def attend() -> None:
        await supervisor.start()
        server = await asyncio.get_running_loop().create_unix_server(supervisor.client, sock=listener)
        os.write(1, READY)
        _silence(1)
        await supervisor.quiet(idle, path)
        server.close()

    import asyncio

    try:
        asyncio.run(attend())
    finally:
        _remove(sources)


def _remove(sources: str) -> None:
    """Zygotes have taken their folders' write permission away."""
    for folder, _, _ in os.walk(sources):
        os.chmod(folder, 0o700)
    shutil.rmtree(sources, ignore_errors=True)


def _begin(modules: Sequence[str], load: bool, not_for_zygotes: Sequence[int], sources: str = "") -> Supervisor:
    """Fork the first zygote, while this process is still small, then become its supervisor.

    sources: the folder for those of component modules that zygotes keep.
    """
    pairs = [socket.socketpair() for _ in modules]
    if os.fork() == 0:
        for ours, _ in pairs:
            ours.close()
        for descriptor in not_for_zygotes:
            _silence(descriptor) if descriptor < 3 else os.close(descriptor)
        zygote.grow(0, [theirs for _, theirs in pairs], modules if load else [None], sources)
    for _, theirs in pairs:
        theirs.close()
    processes.adopt_orphans()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whom we adopt and kill leaves no zombie
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    from .supervisor import Supervisor

    return Supervisor(modules, [ours for ours, _ in pairs])


def _silence(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, descriptor)
    os.close(null)
