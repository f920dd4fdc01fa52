"""`[tool.tidegate]` of the nearest pyproject.toml (or the whole of tidegate.toml), read and checked.

[tool.tidegate]
store = ".tidegate"

[tool.tidegate.images]            # image pattern -> environment, or "host": the first that matches wins
"my/trainer:*" = "training"

[tool.tidegate.environments.training]
path = ".venvs/training"          # made from the lock by `tidegate setup`, or one of your own
lock = "training.lock"
preload = ["torch"]               # imported once, by the warm worker
env = { OMP_NUM_THREADS = "1" }   # every task of this environment sees these
pass_env = ["AWS_*"]              # and these of your own variables

[tool.tidegate.limits]            # what all tasks may use together
cpu = 2
memory = "8Gi"
tasks = 4
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

HOST = "host"
"""The environment that tidegate itself runs in."""

_DEFAULT_IMAGES = {"tidegate/components:*": "components", "tidegate/serving:*": "serving", "python:3.*": HOST}
_OF_ENGINES = ("argo",)
"""Tables that other engines read."""
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_QUIET_TENSORFLOW = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


class SettingsError(Exception):
    """Something in the settings file; the message says file, key, what was expected and found."""


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    name: str
    path: Path
    lock: str = ""
    """A lock file: a path from the settings' folder, or the name of one that tidegate brings; empty: not ours."""
    preload: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    """Patterns of variables of the caller's that its tasks see."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What tasks may use together; 0: what the machine has."""

    cpu: float = 0.0
    memory: int = 0
    """Bytes."""
    tasks: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    root: Path
    """Relative paths count from here."""
    source: Path | None
    """The file that was read; None: defaults only."""
    store: Path
    images: Mapping[str, str]
    environments: Mapping[str, EnvironmentSettings]
    limits: Limits = field(default_factory=Limits)


def load(start: Path | None = None) -> Settings:
    """The settings that hold in `start` (default: here): of the nearest tidegate.toml, or pyproject.toml that has ours.

    Raises: SettingsError.
    """
    found = find(start)
    if found is None:
        return defaults((start or Path.cwd()).resolve())
    path, table = found
    return _Reader(path, "" if path.name == "tidegate.toml" else "tool.tidegate").settings(table)


def find(start: Path | None = None) -> tuple[Path, Any] | None:
    """The nearest file that has settings of ours, and what it says. Raises: SettingsError."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        for name in ("tidegate.toml", "pyproject.toml"):
            path = folder / name
            if not path.is_file():
                continue
            document = _parse(path)
            table = document if name == "tidegate.toml" else document.get("tool", {}).get("tidegate")
            if table is not None:
                return path, table
    return None


def defaults(root: Path) -> Settings:
    """What holds where no file says anything."""
    return Settings(root, None, root / ".tidegate", dict(_DEFAULT_IMAGES), _default_environments())


def _default_environments() -> dict[str, EnvironmentSettings]:
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "tidegate/environments"
    return {
        "components": EnvironmentSettings(
            "components",
            home / "components",
            "components.lock",
            (
                "tensorflow",
                "tensorflow_data_validation",
                "tensorflow_transform",
                "tensorflow_model_analysis",
                "tfx.v1",
            ),
            {"TF_USE_LEGACY_KERAS": "1", **_QUIET_TENSORFLOW},
        ),
        "serving": EnvironmentSettings("serving", home / "serving", "serving.lock", (), dict(_QUIET_TENSORFLOW)),
        HOST: EnvironmentSettings(HOST, Path()),
    }


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the table into Settings; `prefix` is where it lies in the file, for errors."""

    path: Path
    prefix: str

    def settings(self, table: Any) -> Settings:
        top = self._table(table, "", ("store", "images", "environments", "limits", *_OF_ENGINES))
        environments = _default_environments()
        for name, value in self._table(top.get("environments", {}), "environments").items():
            environments[name] = self._environment(name, value, environments.get(name))
        images = {
            pattern: self._text(value, f'images."{pattern}"')
            for pattern, value in self._table(top.get("images", {}), "images").items()
        }
        for pattern, name in images.items():
            if name not in environments:
                known = ", ".join(sorted(environments))
                self._wrong(f'images."{pattern}"', f"the name of an environment ({known})", name)
        store = self._text(top.get("store", ".tidegate"), "store")
        return Settings(
            root=self.path.parent,
            source=self.path,
            store=self._folder(store),
            images={**images, **{p: n for p, n in _DEFAULT_IMAGES.items() if p not in images}},
            environments=environments,
            limits=self._limits(top.get("limits", {})),
        )

    def _environment(self, name: str, value: Any, default: EnvironmentSettings | None) -> EnvironmentSettings:
        at = f"environments.{name}"
        table = self._table(value, at, ("path", "lock", "preload", "env", "pass_env"))
        if name == HOST and ("path" in table or "lock" in table):
            self._wrong(at, "no path and no lock: it is the environment tidegate itself runs in", table)
        if default is None and "path" not in table:
            self._wrong(at, "a path", table)
        base = default or EnvironmentSettings(name, Path())
        env = self._table(table.get("env", dict(base.env)), f"{at}.env")
        return EnvironmentSettings(
            name=name,
            path=self._folder(self._text(table["path"], f"{at}.path")) if "path" in table else base.path,
            lock=self._text(table.get("lock", "" if "path" in table else base.lock), f"{at}.lock", True),
            preload=self._texts(table.get("preload", list(base.preload)), f"{at}.preload"),
            env={key: self._text(text, f"{at}.env.{key}", True) for key, text in env.items()},
            pass_env=self._texts(table.get("pass_env", list(base.pass_env)), f"{at}.pass_env"),
        )

    def _limits(self, value: Any) -> Limits:
        table = self._table(value, "limits", ("cpu", "memory", "tasks"))
        cpu, memory, tasks = table.get("cpu", 0), table.get("memory", 0), table.get("tasks", 0)
        if not isinstance(cpu, int | float) or isinstance(cpu, bool) or cpu < 0:
            self._wrong("limits.cpu", "a number of cores", cpu)
        if not isinstance(tasks, int) or isinstance(tasks, bool) or tasks < 0:
            self._wrong("limits.tasks", "a whole number", tasks)
        return Limits(float(cpu), self._bytes(memory, "limits.memory"), tasks)

    def _bytes(self, value: Any, key: str) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", value) if isinstance(value, str) else None
        if not found or found[2] not in _UNITS:
            self._wrong(key, 'bytes, as in 8000000000 or "8Gi"', value)
        return int(float(found[1]) * _UNITS[found[2]])

    def _table(self, value: Any, key: str, known: tuple[str, ...] | None = None) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._wrong(key, "a table", value)
        for name in value if known else ():
            if name not in (known or ()):
                self._wrong(key, f"only {', '.join(known or ())}", name)
        return value

    def _text(self, value: Any, key: str, may_be_empty: bool = False) -> str:
        if not isinstance(value, str) or not (value or may_be_empty):
            self._wrong(key, "text", value)
        return value

    def _texts(self, value: Any, key: str) -> tuple[str, ...]:
        if not isinstance(value, list):
            self._wrong(key, "a list of texts", value)
        return tuple(self._text(item, f"{key}[{place}]") for place, item in enumerate(value))

    def _folder(self, text: str) -> Path:
        return self.path.parent / Path(text).expanduser()

    def _wrong(self, key: str, expected: str, found: Any) -> NoReturn:
        where = ".".join(part for part in (self.prefix, key) if part)
        raise SettingsError(f"{self.path}: {f'[{where}]: ' if where else ''}expected {expected}, found {found!r}")
