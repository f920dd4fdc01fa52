"""What a container's command means: KFP's bootstrap script, a plain Python program, or something to run verbatim.

Scripts are parsed, never evaluated: a script that differs from what kfp 2.0 to 2.17 writes by as much as a token is
run verbatim, as the IR says.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Install:
    """One `pip install` of the bootstrap."""

    requirements: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    """The index URL, then the extra ones."""
    trusted_hosts: tuple[str, ...] = ()
    dependencies: bool = True
    pre: bool = False


@dataclass(frozen=True, slots=True)
class Function:
    """A Python component: kfp's executor on the module `source` (None: on the module that the image brings)."""

    source: str | None
    args: tuple[str, ...]
    installs: tuple[Install, ...] = ()


@dataclass(frozen=True, slots=True)
class Module:
    """`python3 -m name args...`"""

    name: str
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """`python3 path args...`"""

    path: str
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """`python3 -c source args...`"""

    source: str
    args: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Anything else."""

    command: tuple[str, ...]


Program = Function | Module | Script | Code | Verbatim

_EXECUTORS = ("kfp.dsl.executor_main", "kfp.components.executor_main")
_RUN_SCRIPT = re.compile(
    r'program_path=\$\(mktemp -d\) printf "%s" "\$0" > "\$program_path/ephemeral_component\.py" '
    r"(?:_KFP_RUNTIME=true )?python3 -m kfp\.(?:dsl|components)\.executor_main "
    r'--component_module_path "\$program_path/ephemeral_component\.py" "\$@"'
)
_ENSURE_PIP = re.compile(
    r'if ! \[ -x "\$\(command -v pip\)" \]; then\s+'
    r"python3 -m ensurepip \|\| python3 -m ensurepip --user \|\| apt-get install python3-pip\s+fi\s+"
)
# An overlay does what the venv is for: the base stays as it is.
_VENV = re.compile(
    r'\nexport PIP_DISABLE_PIP_VERSION_CHECK=1\ntmp=\$\(mktemp -d\)\npython3 -m venv "\$tmp/venv" '
    r'--system-site-packages\n\. "\$tmp/venv/bin/activate"\n'
)
_NO_CHECK, _GO_ON = "PIP_DISABLE_PIP_VERSION_CHECK=1 ", ' && "$0" "$@"'
_WITHOUT_EFFECT = {
    "--quiet",
    "-q",
    "--no-warn-script-location",
    "--no-cache-dir",
    "--user",
    "--disable-pip-version-check",
}
_PYTHONS = ("python", "python3")


def parse(command: Sequence[str]) -> Program:
    """What `command` (command and args, joined) asks for."""
    return _function(tuple(command)) or _python(tuple(command)) or Verbatim(tuple(command))


def described(program: Program, folder: str) -> dict[str, Any]:
    """The program as `daemon.child.perform` takes it. `folder`: where a Function's source goes, as a module."""
    match program:
        case Function(source=source, args=args):
            return {"kind": "kfp", "source": source, "args": args, "folder": folder}
        case Module(name=name, args=args):
            return {"kind": "module", "name": name, "args": args}
        case Script(path=path, args=args):
            return {"kind": "script", "name": path, "args": args}
        case Code(source=source, args=args):
            return {"kind": "code", "source": source, "args": args}
        case Verbatim(command=command):
            return {"kind": "exec", "args": command}


def _function(command: tuple[str, ...]) -> Function | None:
    installs: tuple[Install, ...] | None = ()
    rest = command
    if rest[:2] == ("sh", "-c") and len(rest) > 3:
        installs, rest = _installs(rest[2]), rest[3:]
    if installs is None:
        return None
    if rest[:2] in (("sh", "-ec"), ("sh", "-c")) and len(rest) >= 4 and _runs_module(rest[2]):
        return Function(rest[3], rest[4:], installs)
    program = _python(rest)
    return replace(program, installs=installs) if isinstance(program, Function) else None


def _python(command: tuple[str, ...]) -> Program | None:
    if not command or command[0] not in _PYTHONS:
        return None
    rest = command[1:]
    while rest and rest[0] == "-u":  # output is never held back here
        rest = rest[1:]
    match rest:
        case ("-m", name, *args) if name in _EXECUTORS:
            return Function(None, tuple(args))
        case ("-m", name, *args):
            return Module(name, tuple(args))
        case ("-c", source, *args):
            return Code(source, tuple(args))
        case (path, *args) if not path.startswith("-") and path.endswith(".py"):
            return Script(path, tuple(args))
    return None


@lru_cache(maxsize=512)  # a pipeline's tasks have few scripts between them
def _runs_module(script: str) -> bool:
    return _RUN_SCRIPT.fullmatch(_one_line(script)) is not None


@lru_cache(maxsize=512)
def _installs(script: str) -> tuple[Install, ...] | None:
    """The `pip install`s of a bootstrap script; None if it does anything else."""
    line = _VENV.sub("", _ENSURE_PIP.sub("", script.strip(), count=1), count=1).strip()
    if not line.endswith(_GO_ON) or "\n" in line:  # a further line would be a further command
        return None
    line = line.removeprefix(_NO_CHECK).removesuffix(_GO_ON).strip()
    found: list[Install] = []
    for part in line.split(" && "):
        install = _install(part.strip())
        if install is None:
            return None
        found.append(install)
    return tuple(found)


def _install(text: str) -> Install | None:
    unquoted = re.sub(r"'[^']*'", "", text)
    if re.search(r"[$`\\;|&<>(){}*?~!#]", re.sub(r'"[^"$`\\]*"', "", unquoted)):
        return None
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    if words[:4] != ["python3", "-m", "pip", "install"]:
        return None
    index, extra, hosts, requirements = "", [], [], []
    dependencies, pre = True, False
    rest = iter(words[4:])
    for word in rest:
        match word:
            case _ if word in _WITHOUT_EFFECT:
                pass
            case "--no-deps":
                dependencies = False
            case "--pre":
                pre = True
            case "--index-url" | "-i":
                index = next(rest, "")
            case "--extra-index-url":
                extra.append(next(rest, ""))
            case "--trusted-host":
                hosts.append(next(rest, ""))
            case _ if word.startswith("-"):
                return None
            case _:
                requirements.append(word)
    if extra and not index:
        index = ""
    indexes = (index, *extra) if extra else (index,) if index else ()
    return Install(tuple(requirements), indexes, tuple(hosts), dependencies, pre)


def _one_line(script: str) -> str:
    return " ".join(script.replace("\\\n", " ").split())
