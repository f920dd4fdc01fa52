"""Packages that a component asks for (KFP's packages_to_install), installed once, beside its environment.

An overlay is a folder that goes first on the component's import path. As pip would in the image, it keeps what the
environment has where that satisfies the requirements, and brings only the rest. It is kept under a digest of the
requirements and of what the environment has, so the second run pays nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tidegate.local import environments, making
from tidegate.local.bootstrap import Install
from tidegate.local.environments import Environment

_KFP = re.compile(r"kfp\s*(\[[^]]*\])?\s*([=<>!~][^@/]*)?")
_NOT_MODULES = {"bin", "__pycache__", "include", "share", "lib"}


class CannotInstall(Exception):  # noqa: N818
    """The requirements cannot be installed; the message has what uv said."""


@dataclass(frozen=True, slots=True)
class Overlay:
    path: Path
    roots: frozenset[str]
    """The top-level modules that it brings."""


async def ensure(environment: Environment, installs: Sequence[Install], log: Path) -> Overlay | None:
    """The overlay with what `installs` ask for; made, with uv's words going to `log`, where there is none yet.

    None where the environment has it all. Raises: CannotInstall.
    """
    wanted = [needed for install in installs if (needed := _needed(environment, install)).requirements]
    if not wanted:
        return None
    text = json.dumps([environments.distributions(environment.packages), *(asdict(install) for install in wanted)])
    place = _home() / hashlib.sha256(text.encode()).hexdigest()[:24]
    if not place.is_dir():
        async with _alone(place):
            if not place.is_dir():
                await _make(environment, wanted, place, log)
    roots = frozenset(entry.name.partition(".")[0] for entry in os.scandir(place) if not _is_metadata(entry.name))
    return Overlay(place, roots) if roots else None


def _needed(environment: Environment, install: Install) -> Install:
    """Without kfp itself where the environment has one: its executor is what runs the component."""
    if not (environment.packages / "kfp").is_dir():
        return install
    others = tuple(text for text in install.requirements if not _KFP.fullmatch(text.partition(";")[0].strip()))
    if len(others) < len(install.requirements) and not install.dependencies:
        others = tuple(text for text in others if not text.startswith("typing-extensions"))
    return replace(install, requirements=others)


def _is_metadata(name: str) -> bool:
    return name in _NOT_MODULES or name.endswith((".dist-info", ".data", ".libs", ".pth", ".lock"))


def _home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tidegate/overlays"


@contextlib.asynccontextmanager
async def _alone(place: Path) -> AsyncIterator[None]:
    """One at a time makes an overlay, over all processes of this user."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.05)
        yield


async def _make(environment: Environment, wanted: Sequence[Install], place: Path, log: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f"{place.name}.") as made:
        frozen = await _uv("pip", "freeze", "--python", str(environment.python))
        has = "\n".join(line for line in frozen.splitlines() if "==" in line)
        lock, target = Path(made, "lock.txt"), Path(made, "packages")
        target.mkdir()
        for install in wanted:
            if await _satisfied(environment, install):
                continue
            # uv prefers the versions that an older output file names, as pip prefers what is installed.
            lock.write_text(has, encoding="utf-8")
            source = _sources(install)
            await _uv(
                "pip", "compile", "-", "--python", str(environment.python), "-o", str(lock), "--no-header",
                "--no-annotate", *source, *([] if install.dependencies else ["--no-deps"]),
                *(["--prerelease", "allow"] if install.pre else []), says="\n".join(install.requirements), log=log,
            )  # fmt: skip
            known = set(has.splitlines())
            missing = [line for line in lock.read_text(encoding="utf-8").splitlines() if line not in known]
            if missing:
                await _uv(
                    "pip", "install", "--python", str(environment.python), "--target", str(target), "--no-deps",
                    "-r", "-", *source, says="\n".join(missing), log=log,
                )  # fmt: skip
                has = "\n".join([*sorted(known), *missing])
        target.rename(place)


async def _satisfied(environment: Environment, install: Install) -> bool:
    """Whether the environment has all of it; no index is asked."""
    trial = ("pip", "install", "--dry-run", "--offline", "--no-config", "--python", str(environment.python))
    try:
        _, said = await _run(*trial, *install.requirements)
    except CannotInstall:
        return False
    return not any(line.startswith((" + ", " - ", " ~ ")) for line in said.splitlines())


def _sources(install: Install) -> list[str]:
    first, *extra = install.indexes or ("",)
    options = ["--default-index", first] if first else []
    for url in extra:
        options += ["--index", url]
    for host in install.trusted_hosts:
        options += ["--allow-insecure-host", re.sub(r"^\w+://([^/]+).*", r"\1", host)]
    return options


async def _uv(*arguments: str, says: str = "", log: Path | None = None) -> str:
    """Run uv with `says` on its input; its output. Raises: CannotInstall, after its words went to `log`."""
    try:
        out, words = await _run(*arguments, says=says)
    except CannotInstall as error:
        _note(log, f"{error}\n")
        raise CannotInstall(f"cannot install {says.replace(chr(10), ', ')}:\n{error}") from None
    _note(log, words)
    return out


def _note(log: Path | None, words: str) -> None:
    if log and words:
        with log.open("a", encoding="utf-8") as file:
            file.write(words)


async def _run(*arguments: str, says: str = "") -> tuple[str, str]:
    """uv's output and its words. Raises: CannotInstall with its words."""
    process = await asyncio.create_subprocess_exec(
        uv(), *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, said = await process.communicate(says.encode())
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise CannotInstall(said.decode("utf-8", "replace").strip())
    return out.decode("utf-8", "replace"), said.decode("utf-8", "replace")


def uv() -> str:
    """Raises: CannotInstall."""
    try:
        return making.find_uv()
    except making.CannotMake as error:
        raise CannotInstall(str(error)) from None
