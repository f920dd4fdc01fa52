"""What an artifact holds, as a digest: equal content, equal digest, on any machine and at any time.

A file's digest is the SHA-256 of its bytes (what `sha256sum` prints). A folder's is the SHA-256 of its sorted entries:
names, kinds (file, folder, link) and the digests of files. Modes, owners and times do not count. A path that holds
nothing has a digest too: metrics, say, live in metadata alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ABSENT = "sha256:" + hashlib.sha256(b"absent").hexdigest()


class UnsafeContent(Exception):  # noqa: N818 - what was found, not what went wrong
    """The content cannot be an artifact: a link that leads out of it, a socket, a device."""


@dataclass(frozen=True, slots=True)
class Content:
    """What was found at a path."""

    digest: str
    size: int
    """Bytes of all files."""
    stat: str
    """Stands for names, sizes and times of change: where it is the same, the content need not be read again."""


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    """Relative to the root, with `/`; empty for the root itself."""
    kind: str
    """`f`, `d`, `l` (link) or `-` (nothing there)."""
    size: int
    changed: tuple[int, int]
    target: str = ""
    path: str = ""


def read(path: Path, follow_links: bool = False) -> Content:
    """Read everything at `path`, file or folder.

    With `follow_links`, links stand for what they lead to (imported data); else one that leads out is refused.
    Raises: UnsafeContent; OSError where it cannot be read.
    """
    entries = list(_scan(path, follow_links))
    size = sum(entry.size for entry in entries)
    if entries[0].kind == "-":
        return Content(ABSENT, 0, _stat_of(entries))
    if entries[0].kind == "f":
        return Content("sha256:" + _file(entries[0].path), size, _stat_of(entries))
    whole = hashlib.sha256()
    for entry in entries:
        holds = _file(entry.path) if entry.kind == "f" else entry.target
        whole.update(f"{entry.kind}\0{entry.name}\0{holds}\0".encode("utf-8", "surrogateescape"))
    return Content("sha256:" + whole.hexdigest(), size, _stat_of(entries))


def still(path: Path, known: Content, follow_links: bool = False) -> Content | None:
    """`known` where the content at `path` is still that (with a fresh `stat`), None where it changed or is gone.

    Content is read again only where a name, a size or a time of change differs.
    """
    try:
        if known.stat and _stat_of(list(_scan(path, follow_links))) == known.stat:
            return known
        found = read(path, follow_links)
    except (OSError, UnsafeContent):
        return None
    return found if found.digest == known.digest else None


def _scan(root: Path, follow_links: bool) -> Iterator[_Entry]:
    """The entries of `root`, itself first, sorted by name at each level."""
    top = os.fspath(root)
    inside = os.path.realpath(top)

    def entry(path: str, name: str) -> _Entry:
        try:
            found = os.stat(path, follow_symlinks=follow_links)  # noqa: PTH116
        except FileNotFoundError:
            if not name:
                return _Entry(name, "-", 0, (0, 0))
            raise
        changed = (found.st_mtime_ns, found.st_ctime_ns)
        if stat.S_ISREG(found.st_mode):
            return _Entry(name, "f", found.st_size, changed, path=path)
        if stat.S_ISDIR(found.st_mode):
            return _Entry(name, "d", 0, changed, path=path)
        if stat.S_ISLNK(found.st_mode) and name:
            target = os.path.realpath(path)
            if target.startswith(inside + os.sep):
                return _Entry(name, "l", 0, (0, 0), os.path.relpath(target, inside))
        if stat.S_ISLNK(found.st_mode):
            raise UnsafeContent(
                f"{path} is a link that leads out of the artifact, to {Path(path).readlink()}: copy the content"
            )
        raise UnsafeContent(f"{path} is neither a file nor a folder")

    def walk(folder: _Entry, parents: tuple[str, ...]) -> Iterator[_Entry]:
        yield folder
        if folder.kind != "d":
            return
        if follow_links and (real := os.path.realpath(folder.path)) in parents:
            raise UnsafeContent(f"{folder.path} is a link to a folder above itself")
        above = (*parents, real) if follow_links else ()
        for name in sorted(os.listdir(folder.path), key=os.fsencode):  # noqa: PTH208
            yield from walk(entry(f"{folder.path}/{name}", f"{folder.name}/{name}".lstrip("/")), above)

    yield from walk(entry(top, ""), ())


def _file(path: str) -> str:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - ten thousand small files: no Path objects
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stat_of(entries: list[_Entry]) -> str:
    seen = hashlib.sha256()
    for entry in entries:
        # A folder's times change with what a reader leaves beside the content and removes again; its entries count.
        times = entry.changed if entry.kind == "f" else ""
        seen.update(
            f"{entry.kind}\0{entry.name}\0{entry.size}\0{times}\0{entry.target}\0".encode("utf-8", "surrogateescape")
        )
    return seen.hexdigest()[:32]
