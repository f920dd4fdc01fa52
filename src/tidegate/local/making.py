"""Makes environments from their hashed locks, by uv: quick when nothing changed, done again when it was cut short.

Standard library only: `scripts/setup.py` runs it on a bare machine.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tidegate.local.settings import EnvironmentSettings, Settings

PACKAGE = Path(__file__).resolve().parent.parent
LOCKS = PACKAGE / "environments"
LOCKS_PYTHON = "3.11"
"""What the locks that tidegate brings are resolved for."""
_STAMP = ".tidegate.json"

Say = Callable[[str], None]


class CannotMake(Exception):  # noqa: N818
    """An environment cannot be made; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one environment is made; nothing is done yet."""

    name: str
    path: Path
    lock: Path
    python: str
    """Of what version."""
    beside: Path | None = None
    """A folder of further packages, found after its own: what tests need, and the lock does not have."""

    @property
    def interpreter(self) -> Path:
        return self.path / "bin/python"

    def digest(self) -> str:
        """Of all that it is made from."""
        text = f"{self.python} {PACKAGE} {self.beside}".encode()
        return hashlib.sha256(self.lock.read_bytes() + text).hexdigest()

    def commands(self, uv: str) -> tuple[tuple[str, ...], ...]:
        venv = (uv, "venv", "--quiet", "--allow-existing", "--python", self.python, str(self.path))
        sync = (uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(self.interpreter), str(self.lock))
        return (sync,) if self.interpreter.exists() else (venv, sync)


def recipes(settings: Settings, names: Iterable[str] = ()) -> list[Recipe]:
    """One for each environment that has a lock, or for `names`. Raises: CannotMake."""
    makeable = {name: found for name, found in settings.environments.items() if found.lock}
    chosen = list(names) or list(makeable)
    for name in chosen:
        if name not in makeable:
            raise CannotMake(
                f"no environment {name!r} has a lock to make it from; those that have: {', '.join(makeable)}"
            )
    return [recipe(settings, makeable[name]) for name in chosen]


def recipe(settings: Settings, environment: EnvironmentSettings) -> Recipe:
    """Raises: CannotMake where there is no such lock."""
    own, brought = settings.root / environment.lock, LOCKS / environment.lock
    if own.is_file():
        return Recipe(environment.name, environment.path, own, f"{sys.version_info.major}.{sys.version_info.minor}")
    if brought.is_file():
        return Recipe(environment.name, environment.path, brought, LOCKS_PYTHON, tests_folder(settings.root))
    known = ", ".join(sorted(path.name for path in LOCKS.glob("*.lock")))
    raise CannotMake(f"environment {environment.name!r}: no lock {own}; those that tidegate brings are {known}")


def tests_folder(root: Path) -> Path | None:
    """In the checkout at `root`, where what tests need is installed."""
    return root / ".venvs/test" if root / "src/tidegate" == PACKAGE else None


def is_current(recipe: Recipe) -> bool:
    """Whether it was made to its end, from the lock as it is now."""
    try:
        made = json.loads((recipe.path / _STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return recipe.interpreter.exists() and made == {"digest": recipe.digest()}


def is_whole(path: Path) -> bool:
    """Whether the environment at `path` was made to its end, from whatever lock."""
    return (path / _STAMP).is_file()


def make(wanted: Sequence[Recipe], uv: str, say: Say, force: bool = False) -> None:
    """Make those that are not current, side by side; `say` gets a line as each begins and ends. Raises: CannotMake."""
    todo = [recipe for recipe in wanted if force or not is_current(recipe)]
    if not todo:
        return
    with ThreadPoolExecutor(len(todo)) as pool:
        for done in [pool.submit(_make, recipe, uv, say) for recipe in todo]:
            done.result()


def _make(recipe: Recipe, uv: str, say: Say) -> None:
    say(f"{recipe.name}: from {recipe.lock.name} into {recipe.path}")
    started = time.monotonic()
    (recipe.path / _STAMP).unlink(missing_ok=True)
    for command in recipe.commands(uv):
        run(command, f"environment {recipe.name!r}")
    bring_tidegate(recipe)
    new = recipe.path / f"{_STAMP}.new"
    new.write_text(json.dumps({"digest": recipe.digest()}), encoding="utf-8")
    new.replace(recipe.path / _STAMP)
    say(f"{recipe.name}: made in {time.monotonic() - started:.0f} s")


def run(command: Sequence[str], what: str) -> None:
    """Raises: CannotMake with the last that the command said."""
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    except OSError as error:
        raise CannotMake(f"{what}: cannot run {command[0]}: {error.strerror}") from error
    if ran.returncode:
        said = (ran.stderr.strip() or ran.stdout.strip())[-4000:]
        raise CannotMake(
            f"{what}: this failed (the same again takes up where it stopped):\n{' '.join(command)}\n{said}"
        )


def bring_tidegate(recipe: Recipe) -> None:
    """Let the environment import this very tidegate, whose components run there: a checkout's by path, else by link."""
    for packages in recipe.path.glob("lib/python3*/site-packages"):
        link, path = packages / "tidegate", packages / "tidegate.pth"
        if link.is_symlink():
            link.unlink()
        folders = [recipe.beside] if recipe.beside else []
        if PACKAGE.parent.name == "src":
            folders.insert(0, PACKAGE.parent)
        elif not link.exists():
            link.symlink_to(PACKAGE, target_is_directory=True)
        path.write_text("".join(f"{folder}\n" for folder in folders), encoding="utf-8")


def find_uv() -> str:
    """The uv that came with tidegate, or the one in PATH. Raises: CannotMake."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise CannotMake("uv, which installs packages, is not there: pip install uv")
    return found
