"""Parameters from `-p name=value` and `-f params.yaml`, as given; `spec.check_parameters` types and checks them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tidegate.cli.failures import CommandError


def given(pairs: Sequence[str], file: Path | None) -> dict[str, Any]:
    """Name -> value, texts from `-p` as they are; `-p` wins over the file. Raises: CommandError."""
    values = read(file) if file else {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign or not name.strip():
            raise CommandError(f"-p {pair!r} is no parameter", expected="name=value, as in -p rows=1000")
        values[name.strip()] = text
    return values


def read(path: Path) -> dict[str, Any]:
    """A mapping of parameters from a YAML or JSON file. Raises: CommandError naming file and line."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"cannot read the parameters' file {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        said = str(getattr(error, "problem", "") or error)
        raise CommandError(f"the parameters' file is neither YAML nor JSON: {said}", where=where) from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise CommandError(
            f"{path} holds no parameters", expected="a mapping, name: value", found=f"a {type(found).__name__}"
        )
    return {str(name): value for name, value in found.items()}
