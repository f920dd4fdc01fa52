"""Which environment of this machine stands for an image."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from tidegate.local.settings import HOST, EnvironmentSettings, Settings


class NoEnvironment(Exception):
    """No environment can run this image; the message says what line to add, or what command makes it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python environment on disk."""

    name: str
    path: Path
    preload: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()

    @property
    def bin(self) -> Path:
        return self.path / "bin"

    @property
    def python(self) -> Path:
        return Path(sys.executable) if self.name == HOST else self.bin / "python"


def settings_of(settings: Settings, image: str) -> EnvironmentSettings:
    """The environment that `[tool.tidegate.images]` names for `image`. Raises: NoEnvironment with the line to add."""
    for pattern, name in settings.images.items():
        if fnmatchcase(image, pattern):
            return settings.environments[name]
    known = ", ".join(sorted(name for name in settings.environments if name != HOST))
    file, table = settings.source or settings.root / "tidegate.toml", "[tool.tidegate.images]"
    if file.name == "tidegate.toml":
        table = "[images]"
    raise NoEnvironment(
        f"no environment of this machine is mapped to the image {image!r}; add to {file}, below {table}:\n"
        f'    "{image}" = "host"\n'
        f"or, in place of host, an environment of its own: {known}"
    )


def resolve(settings: Settings, image: str) -> Environment:
    """The environment to run `image` in. Raises: NoEnvironment, also where its folder is missing or broken."""
    found = settings_of(settings, image)
    if found.name == HOST:
        return Environment(HOST, Path(sys.prefix), found.preload, found.env, found.pass_env)
    environment = Environment(found.name, found.path, found.preload, found.env, found.pass_env)
    if not environment.python.exists():
        raise NoEnvironment(
            f"the environment {found.name!r}, which stands for the image {image!r}, is missing at {found.path}; "
            f"make it by: {make_command(settings)}"
        )
    return environment


def make_command(settings: Settings) -> str:
    """What a person types to make the environments."""
    return "make setup" if (settings.root / "scripts/setup.py").is_file() else "tidegate setup"
