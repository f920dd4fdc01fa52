"""What opens a repository: a token or an SSH key. Never printed: not by repr, not in errors, not in addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tidegate.gitops.address import GitError

USERNAME, KNOWN_HOSTS = "username", "known_hosts"
"""Further keys of the Secret."""
_ANY_USER = "x-access-token"
"""Where a token is the password, servers take any user; GitHub's apps want this one."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Either `token` (https) or `key` with `known_hosts` (ssh)."""

    token: str = field(default="", repr=False)
    username: str = _ANY_USER
    key: str = field(default="", repr=False)
    """A private key, as OpenSSH reads it."""
    known_hosts: str = ""
    """The servers' public keys, as in ~/.ssh/known_hosts; a server that is not among them is not spoken to."""

    def redacted(self, text: str) -> str:
        """The text without any of the secrets."""
        for secret in (self.token, self.key):
            text = text.replace(secret, "***") if secret else text
        return text


def from_secret(data: Mapping[str, bytes], key: str) -> Credentials:
    """From a Secret's decoded data: at `key` a token or an SSH private key; `username` and `known_hosts` beside it.

    Raises: GitError, with the names of what is there and no value.
    """
    if not data.get(key):
        there = ", ".join(sorted(data)) or "nothing"
        raise GitError(
            f"git.credentials: expected a key {key!r} with a token or an SSH key in the Secret, found {there}"
        )
    try:
        secret = data[key].decode()
        username = data.get(USERNAME, b"").decode().strip() or _ANY_USER
        hosts = data.get(KNOWN_HOSTS, b"").decode()
    except UnicodeDecodeError:
        raise GitError("git.credentials: expected text in the Secret, found bytes that are none", again=False) from None
    if "PRIVATE KEY-----" in secret:
        return Credentials(key=secret if secret.endswith("\n") else secret + "\n", known_hosts=hosts)
    return Credentials(token=secret.strip(), username=username)


def from_folder(folder: Path, key: str) -> Credentials:
    """From a mounted Secret, whose keys are files. Raises: GitError."""
    try:
        data = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    except OSError as error:
        raise GitError(f"git.credentials: expected a mounted Secret at {folder}: {error.strerror}") from None
    return from_secret(data, key)
