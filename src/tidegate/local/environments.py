"""Which environment of this machine stands for an image."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from tidegate.local.making import is_whole
from tidegate.local.settings import HOST, EnvironmentSettings, Settings

_PASSED = (
    *("HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "*_proxy", "*_PROXY"),
)
_HOST_PACKAGES = Path(sysconfig.get_path("purelib"))
_COMPONENTS = Path(__file__).parent.parent / "components"


class NoEnvironment(Exception):  # noqa: N818
    """No environment can run this image; the message says what line to add, or what command makes it."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A Python environment on disk."""

    name: str
    path: Path
    preload: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    pass_env: tuple[str, ...] = ()
    project: Path | None = None
    """The settings' folder: there lies the code of containerised components (`kfp_config.ini` says where)."""

    @property
    def bin(self) -> Path:
        return self.path / "bin"

    @property
    def python(self) -> Path:
        return Path(sys.executable) if self.name == HOST else self.bin / "python"

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        if self.name == HOST:
            return _HOST_PACKAGES
        return next(iter(sorted(self.path.glob("lib/python3*/site-packages"))), self.path)

    def variables(self, caller: Mapping[str, str]) -> dict[str, str]:
        """The environment variables that its tasks start from; of the caller's, only the few that `_PASSED` names."""
        patterns = (*_PASSED, *self.pass_env)
        passed = {k: v for k, v in caller.items() if any(fnmatchcase(k, pattern) for pattern in patterns)}
        path = os.pathsep.join((str(self.bin), caller.get("PATH") or os.defpath))
        # Sets and dicts of one seed iterate alike in every task, so that equal inputs give equal bytes.
        return {**passed, "PATH": path, "VIRTUAL_ENV": str(self.path), "PYTHONHASHSEED": "0", **self.env}


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
        return Environment(HOST, Path(sys.prefix), found.preload, found.env, found.pass_env, settings.root)
    environment = Environment(found.name, found.path, found.preload, found.env, found.pass_env, settings.root)
    if not environment.python.exists() or (found.lock and not is_whole(found.path)):
        state = "was not made to its end" if found.path.is_dir() else "has not been made yet"
        raise NoEnvironment(
            f"the environment {found.name!r}, which stands for the image {image!r}, {state} (at {found.path}); "
            f"make it by: {make_command(settings)}"
        )
    return environment


def make_command(settings: Settings) -> str:
    """What a person types to make the environments."""
    return "make setup" if (settings.root / "scripts/setup.py").is_file() else "tidegate setup"


# ---------------------------------------------------------------- fingerprints
def fingerprint(environment: Environment) -> str:
    """Digest of what is installed, by name and version, and of the content of components: tidegate's, the project's."""
    text = f"{distributions(environment.packages)} {_components()}{_code(environment.project)}"
    return hashlib.sha256(text.encode()).hexdigest()


def distributions(packages: Path) -> str:
    """Digest of the names and versions installed in a site-packages folder; a stat when nothing has changed."""
    try:
        return _distributions(packages, packages.stat().st_mtime_ns)
    except OSError:
        return ""


@lru_cache(maxsize=64)
def _distributions(packages: Path, changed: int) -> str:  # noqa: ARG001  (part of the memory's key)
    names = sorted(entry.name for entry in os.scandir(packages) if entry.name.endswith(".dist-info"))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _components() -> str:
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(_COMPONENTS):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            path = Path(folder, name)
            found = path.stat()
            digest.update(str(path.relative_to(_COMPONENTS)).encode())
            digest.update(_content(path, found.st_mtime_ns, found.st_size))
    return digest.hexdigest()


def _code(project: Path | None) -> str:
    """Of containerised components, whose code is not in the pipeline: the modules that `kfp_config.ini` names, and
    those beside them. Empty where there are none.
    """
    config = ConfigParser(strict=False, interpolation=None)
    try:
        if project is None or not config.read(project / "kfp_config.ini"):
            return ""
        named = config["Components"].values() if config.has_section("Components") else ()
    except (ConfigParserError, UnicodeDecodeError):
        return ""  # who runs such a component is told
    digest = hashlib.sha256()
    for path in sorted({path for each in named for path in (project / each).parent.glob("*.py")}):
        found = path.stat()
        digest.update(path.name.encode() + _content(path, found.st_mtime_ns, found.st_size))
    return f" {digest.hexdigest()}"


@lru_cache(maxsize=4096)
def _content(path: Path, changed: int, size: int) -> bytes:  # noqa: ARG001  (part of the memory's key)
    return hashlib.sha256(path.read_bytes()).digest()


@lru_cache(maxsize=1)
def worker_code() -> str:
    """Digest of the code that warm workers run, so that another version of it starts workers of its own."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "daemon").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
