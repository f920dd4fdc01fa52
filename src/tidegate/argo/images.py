"""Which image of the cluster stands for a component's, and how tasks run in it."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase

from tidegate.argo.options import Options
from tidegate.graph.work import Container
from tidegate.local.bootstrap import Verbatim, parse


class Way(StrEnum):
    """Who brings the task's inputs in and its outputs out."""

    INSIDE = "inside"
    """The step runner, in the task's own container: the image has Python, as the command shows."""
    BESIDE = "beside"
    """Containers of tidegate's image, before and after: the image need not have anything."""


def on_cluster(image: str, options: Options) -> str:
    """The image to run in place of `image`."""
    return next((found for pattern, found in options.images.items() if fnmatchcase(image, pattern)), image)


def way(container: Container, options: Options) -> Way:
    if any(fnmatchcase(container.image, pattern) for pattern in options.beside):
        return Way.BESIDE
    command = [part for part in (*container.command, *container.args) if isinstance(part, str)]
    return Way.BESIDE if isinstance(parse(command), Verbatim) else Way.INSIDE
