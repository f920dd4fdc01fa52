"""Finds the last blessed model: the pusher pushes blessed ones only, so it is the last pushed one."""

from __future__ import annotations

import shutil
from pathlib import Path

from tidegate.components.errors import ComponentError
from tidegate.components.paths import given_path
from tidegate.models import ModelVersion, latest
from tidegate.models.destination import valid_name
from tidegate.models.digest import ABOUT


def latest_blessed(destination: str, name: str, model: str | Path, before_span: int = -1) -> ModelVersion | None:
    """Copy the model of the last pushed version into the folder `model`, which stays empty where there is none.

    Args:
        destination: the pusher's.
        name: the model's.
        model: where the Model artifact goes: what the trainer made, without card, settings and signature.
        before_span: only versions trained on spans before this one; -1: any. So a pipeline that is run again for an
            old span compares with the model of that time.
    Raises: ComponentError for a name that no model can have.
    """
    if not valid_name(name):
        raise ComponentError(f"name {name!r} cannot be a model's; expected letters, digits, `.`, `_`, `-`")
    target = Path(model)
    target.mkdir(parents=True, exist_ok=True)
    found = latest(given_path(destination), name, before_span)
    if found is None:
        older = f" trained on spans before {before_span}" if before_span >= 0 else ""
        print(f"no blessed model {name!r}{older} in {destination} yet")
        return None
    for entry in sorted(found.path.iterdir()):
        if entry.name in ABOUT:
            continue
        if entry.is_dir():
            shutil.copytree(entry, target / entry.name, copy_function=shutil.copyfile)
        else:
            shutil.copyfile(entry, target / entry.name)
    print(f"the last blessed model is {found.path}")
    return found
