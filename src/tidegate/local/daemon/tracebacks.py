"""An exception as its reader wants it: the frames of their own code, and of libraries only what lies below it."""

from __future__ import annotations

import os
import sysconfig
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_TIDEGATE = os.path.dirname(os.path.dirname(_HERE.rstrip(os.sep))) + os.sep
_COMPONENTS = f"{os.sep}tidegate{os.sep}components{os.sep}"
_KFP = f"{os.sep}site-packages{os.sep}kfp{os.sep}"
_LIBRARIES = tuple(os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "purelib", "platlib"))
_BOOTSTRAP = "ephemeral_component.py"


@dataclass(frozen=True, slots=True)
class Shown:
    text: str
    """For the log."""
    summary: str
    """For the task's error: one line, or a ComponentError's whole message."""


def show(error: BaseException) -> Shown:
    if any(f"{kind.__module__}.{kind.__qualname__}" == _COMPONENT_ERROR for kind in type(error).__mro__):
        message = str(error)
        return Shown(f"{message}\n", message)
    whole = traceback.TracebackException.from_exception(error)
    for part in _chain(whole):
        part.stack = traceback.StackSummary.from_list(_readers(part.stack))
    return Shown("".join(whole.format()), _summary(error))


_COMPONENT_ERROR = "tidegate.components.errors.ComponentError"


def _summary(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = type(error).__qualname__
    if not lines:
        return name
    return f"{name}: {lines[0]}" + (" …" if len(lines) > 1 else "")


def _chain(part: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    while part is not None:
        yield part
        if part.__cause__ is not None and part.__context__ is not None and part.__cause__ is not part.__context__:
            yield from _chain(part.__context__)
        part = part.__cause__ or part.__context__


def _readers(stack: traceback.StackSummary) -> list[traceback.FrameSummary]:
    """Without our frames, kfp's and the import machinery's; all of them where nothing else would be left.

    A component of tidegate's stays in sight where it is the one at fault: where none of the user's code was called
    by it.
    """
    kept = [frame for frame in stack if not _is_machinery(frame.filename)]
    if not kept:
        return [frame for frame in stack if not frame.filename.startswith(_HERE)] or list(stack)
    users = [place for place, frame in enumerate(kept) if _is_users(frame.filename)]
    ours = [place for place, frame in enumerate(kept) if _is_component(frame.filename)]
    if users and ours and users[-1] > ours[-1]:
        first = next(place for place in users if place > ours[0])
        return kept[first:]
    return kept


def _is_machinery(file: str) -> bool:
    return file.startswith((_HERE, "<frozen ")) or _KFP in file


def _is_component(file: str) -> bool:
    return _COMPONENTS in file or (file.startswith(_TIDEGATE) and not file.startswith(_HERE))


def _is_users(file: str) -> bool:
    library = os.path.realpath(file).startswith(_LIBRARIES)
    return not (library or _is_component(file) or file.endswith(_BOOTSTRAP))
