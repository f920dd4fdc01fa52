"""What `tidegate serve` and `tidegate rollout` share: the places of served models, and who is meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tidegate.cli.failures import CommandError, Exit
from tidegate.cli.references import store_folder

if TYPE_CHECKING:
    from tidegate.rollout.plan import RolloutPlan
    from tidegate.serving.local.desired import Runtime
    from tidegate.serving.local.place import Place


def places(store: Path | None) -> list[Place]:
    """Of all models that are served, or were until they were stopped; sorted by name."""
    from tidegate.serving.local.place import Place

    return [Place(p.parent) for p in sorted(store_folder(store).glob("serving/*/desired.json"))]


def place_of(name: str, store: Path | None) -> Place:
    """Raises: CommandError for a name that no folder can have."""
    from tidegate.models.destination import valid_name
    from tidegate.serving.local.place import Place

    if not valid_name(name):
        raise CommandError(f"{name!r} cannot be a served model's name", expected="letters, digits, `.`, `_`, `-`")
    return Place(store_folder(store).resolve() / "serving" / name)


def running(place: Place) -> bool:
    desired = place.desired()
    return desired is not None and not desired.stopped


def meant(name: str, store: Path | None) -> Place:
    """The served model of this name; without a name the only one. Raises: CommandError."""
    known = {p.folder.name: p for p in places(store) if running(p)}
    if name in known:
        return known[name]
    if not name and len(known) == 1:
        return next(iter(known.values()))
    names = ", ".join(known)
    if not known:
        raise CommandError("no model is served here", fix="`tidegate serve MODEL --detach` begins")
    what = f"no model {name!r} is served" if name else "several models are served"
    raise CommandError(what, expected=f"one of {names}", fix="say which: --name NAME")


def runtime() -> Runtime:
    """The environment that has MLServer and Envoy. Raises: NoEnvironment, which says how it is made."""
    from tidegate import __version__
    from tidegate.local.environments import resolve
    from tidegate.local.settings import load
    from tidegate.serving.local.desired import Runtime

    found = resolve(load(), f"tidegate/serving:{__version__}")
    return Runtime(str(found.python), dict(found.env))


def read_plan(path: Path) -> tuple[str, RolloutPlan]:
    """A plan file's name and plan. Raises: CommandError that says what is wrong and where."""
    from tidegate.rollout.documents import PlanError, read

    try:
        found = read(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from None
    except PlanError as error:
        raise CommandError(str(error), fix="docs/rollouts.md has every field") from None
    return found.name, found.plan


def sample_request(model: Path) -> dict[str, Any] | None:
    """A V2 request made from the first sample that trainer kept; None where there is none."""
    try:
        kept = json.loads((model / "Samples" / "requests.json").read_text(encoding="utf-8"))
        features = kept["examples"][0]
    except (OSError, ValueError, KeyError, IndexError):
        return None
    inputs = [
        {"name": name, "datatype": _datatype(values[0]), "shape": [1, len(values)], "data": values}
        for name, values in sorted(features.items())
        if values
    ]
    return {"inputs": inputs}


def _datatype(value: Any) -> str:
    if isinstance(value, str):
        return "BYTES"
    return "INT64" if isinstance(value, int) else "FP32"


def foreseen(error: Exception) -> CommandError:
    """A place's or a port's error, for the user."""
    return CommandError(str(error), code=Exit.ENVIRONMENT)
