"""Parameters from `-p name=value` and `-f params.yaml`, with the types that the pipeline declares."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tidegate.cli.failures import CommandError, near

_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WORDS = {
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list, as JSON or YAML: [1, 2]",
    "STRUCT": 'a mapping, as JSON or YAML: {"train": 2}',
}


def given(pairs: Sequence[str], file: Path | None, declared: Mapping[str, str]) -> dict[str, Any]:
    """Name -> value; `-p` wins over the file. `declared`: name -> the IR's type, which says what `-p`'s text means.

    Raises: CommandError for a name that the pipeline does not have, and for a text that is not of the type.
    """
    values = read(file) if file else {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        name = name.strip()
        if not sign or not name:
            raise CommandError(f"-p {pair!r} is no parameter", expected="name=value, as in -p rows=1000")
        _known(name, declared, "-p")
        values[name] = typed(name, text, declared[name])
    for name in values:
        _known(name, declared, str(file))
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


def typed(name: str, text: str, type: str) -> Any:
    """What `-p name=text` means for a parameter of this IR type. Raises: CommandError."""
    try:
        match type:
            case "NUMBER_INTEGER":
                return int(text)
            case "NUMBER_DOUBLE":
                return float(text)
            case "BOOLEAN":
                return _BOOLEANS[text.strip().lower()]
            case "LIST":
                return _structure(text, list)
            case "STRUCT":
                return _structure(text, dict)
    except (ValueError, KeyError):
        raise CommandError(f"parameter {name!r} cannot be {text!r}", expected=_WORDS[type]) from None
    return text


def _structure(text: str, kind: type) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        import yaml

        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(text) from error
    if not isinstance(found, kind):
        raise ValueError(text)
    return found


def _known(name: str, declared: Mapping[str, str], where: str) -> None:
    if name not in declared:
        raise CommandError(
            f"the pipeline has no parameter {name!r} (from {where})",
            expected=f"one of {', '.join(declared)}" if declared else "none: it has no parameters",
            fix=near(name, list(declared)),
        )
