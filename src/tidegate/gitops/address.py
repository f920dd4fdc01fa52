"""Addresses of repositories and paths inside them, checked before anything is sent there. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from tidegate.rollout.ports import PortError

_SCP = re.compile(r"(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>(?!//|:).+)")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]+")
_BRANCH = re.compile(r"(?!.*(\.\.|//|/\.|\.lock(/|$)|@\{))[A-Za-z0-9_][A-Za-z0-9._/@+-]*(?<![./])")


class GitError(PortError):
    """The commit could not be made, or the repository not be read. No message has a credential in it."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a repository is."""

    scheme: str
    """`https`, `http`, `ssh` or `file`."""
    host: str
    port: int | None
    user: str
    """Of ssh."""
    path: str

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{user}{host}{f':{self.port}' if self.port else ''}{self.path}"

    @property
    def secret_is_safe(self) -> bool:
        """Whether a token may be sent there: not in the clear over a network."""
        return self.scheme == "https" or self.host in ("localhost", "127.0.0.1", "::1")


def parse(text: str) -> Address:
    """`https://host/path`, `ssh://git@host/path`, `git@host:path`, `file:///path`, or a folder's absolute path.

    Raises: GitError.
    """
    if text.startswith("/"):
        return Address("file", "", None, "", text)
    if "://" not in text and (scp := _SCP.fullmatch(text)):
        return Address("ssh", scp["host"], None, scp["user"] or "git", "/" + scp["path"].removeprefix("/"))
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _not_an_address() from None
    if (
        parts.scheme not in ("https", "http", "ssh", "file")
        or parts.query
        or parts.fragment
        or not parts.path.strip("/")
    ):
        raise _not_an_address()
    if parts.password or (parts.username and parts.scheme != "ssh"):
        raise GitError(
            f"git.repository ({parts.scheme}://***@{parts.hostname}{parts.path}): expected no user or password in the "
            "address, which is public; put the token into a Secret and name it in git.credentials",
            again=False,
        )
    if parts.scheme == "file":
        return Address("file", "", None, "", parts.path)
    host, user = parts.hostname or "", parts.username or ("git" if parts.scheme == "ssh" else "")
    if not _HOST.fullmatch(host) or user.startswith("-"):
        raise _not_an_address()
    return Address(parts.scheme, host, port, user, parts.path)


def _not_an_address() -> GitError:
    return GitError(
        "git.repository: expected https://HOST/PATH, ssh://git@HOST/PATH, git@HOST:PATH or file:///PATH, "
        "found something else (not shown: it may hold a secret)",
        again=False,
    )


def inside(path: str) -> tuple[str, ...]:
    """The parts of a path inside a repository. Raises: GitError where it leads out of it, or into `.git`."""
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    bad = path.startswith("/") or "\\" in path or "\0" in path or any(part == ".." for part in parts)
    if bad or not parts or any(part.lower().rstrip(". ") in (".git", "git~1") for part in parts):
        raise GitError(
            f"git.path: expected a file or folder inside the repository, such as apps/flights.yaml, found {path!r}",
            again=False,
        )
    return parts


def branch_ref(branch: str) -> bytes:
    """`refs/heads/...`. Raises: GitError where Git would not take the name."""
    if not _BRANCH.fullmatch(branch):
        raise GitError(f"git.branch: expected a branch's name, such as main, found {branch!r}", again=False)
    return b"refs/heads/" + branch.encode()


def author(text: str) -> bytes:
    """`Name <address>`, as commits have it. Raises: GitError."""
    if not re.fullmatch(r"[^<>\n\0]*[^<>\s\0] <[^<>\s\0]+>", text):
        raise GitError(f"git.author: expected `Name <address>`, found {text!r}", again=False)
    return text.encode()
