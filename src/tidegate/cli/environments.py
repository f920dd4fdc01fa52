"""Making the local environments of `[tool.tidegate.environments]` from their lock files, by uv."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import tidegate
from tidegate.cli.failures import CommandError, Exit, near
from tidegate.local.settings import EnvironmentSettings, Settings

_PACKAGE = Path(tidegate.__file__).parent
_BROUGHT = _PACKAGE / "environments"
_BROUGHT_PYTHON = "3.11"  # what the locks that tidegate brings were resolved for
_STAMP = ".tidegate-setup.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """How one environment is made; nothing is done yet."""

    name: str
    path: Path
    lock: Path
    commands: tuple[tuple[str, ...], ...]
    """Empty where the environment is as the lock says."""
    digest: str


def plans(settings: Settings, names: list[str], uv: str, force: bool = False) -> list[Plan]:
    """One plan for each environment that has a lock (or for `names`). Raises: CommandError for a name without one."""
    makeable = {name: found for name, found in settings.environments.items() if found.lock}
    for name in names:
        if name not in makeable:
            raise CommandError(
                f"there is no environment {name!r} with a lock to make it from",
                expected=f"one of {', '.join(makeable)}",
                fix=near(name, list(makeable)),
            )
    return [_plan(settings, makeable[name], uv, force) for name in (names or list(makeable))]


def _plan(settings: Settings, environment: EnvironmentSettings, uv: str, force: bool) -> Plan:
    own = settings.root / environment.lock
    lock = own if own.is_file() else _BROUGHT / environment.lock
    if not lock.is_file():
        raise CommandError(
            f"the environment {environment.name!r} has no lock file {environment.lock}",
            expected=f"{own}, or one of those that tidegate brings: {', '.join(_brought())}",
        )
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    python = str(environment.path / "bin/python")
    version = _BROUGHT_PYTHON if lock.parent == _BROUGHT else f"{sys.version_info.major}.{sys.version_info.minor}"
    commands = (
        (uv, "venv", "--allow-existing", "--python", version, str(environment.path)),
        (uv, "pip", "sync", "--require-hashes", "--python", python, str(lock)),
    )
    current = not force and _stamped(environment.path) == digest and Path(python).exists()
    return Plan(environment.name, environment.path, lock, () if current else commands, digest)


def make(plan: Plan, quiet: bool = False) -> None:
    """Carry the plan out. Raises: CommandError with what uv said."""
    (plan.path / _STAMP).unlink(missing_ok=True)
    for command in plan.commands:
        try:
            ran = subprocess.run(command, capture_output=quiet, text=True, check=False)
        except OSError as error:
            raise CommandError(f"cannot run uv: {error}", fix="pip install uv", code=Exit.ENVIRONMENT) from error
        if ran.returncode:
            raise CommandError(
                f"the environment {plan.name!r} could not be made: {' '.join(command[1:3])} failed",
                where=str(plan.path),
                found=(ran.stderr or "").strip(),
                fix=f"the same again: {' '.join(command)}",
                code=Exit.ENVIRONMENT,
            )
    _bring_tidegate(plan.path)
    (plan.path / _STAMP).write_text(json.dumps({"lock": plan.digest}), encoding="utf-8")


def _bring_tidegate(environment: Path) -> None:
    """Let the environment import this very tidegate, whose components run there, and nothing else of ours."""
    for packages in environment.glob("lib/python3*/site-packages"):
        link = packages / "tidegate"
        link.unlink(missing_ok=True)
        link.symlink_to(_PACKAGE, target_is_directory=True)


def _brought() -> list[str]:
    return sorted(path.name for path in _BROUGHT.glob("*.lock"))


def _stamped(environment: Path) -> str:
    try:
        return str(json.loads((environment / _STAMP).read_text(encoding="utf-8"))["lock"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
