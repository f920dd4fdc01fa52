"""How a Git server is spoken to: over HTTP by urllib3, over SSH by OpenSSH."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import urllib3
from dulwich.client import SSHGitClient, SubprocessSSHVendor, Urllib3HttpGitClient, default_urllib3_manager

from tidegate.gitops.address import Address, GitError
from tidegate.gitops.credentials import Credentials

_RETRY = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=3)
"""Whoever asks for a commit asks again; nothing is repeated below."""


class _Pool:
    """urllib3's pool; answers that nobody has read to their end are closed with it."""

    def __init__(self, manager: Any) -> None:
        self._manager, self._answers = manager, list[Any]()
        self.headers = manager.headers

    def request(self, method: str, url: str, **given: Any) -> Any:
        answer = self._manager.request(method, url, retries=_RETRY, **given)
        self._answers.append(answer)
        return answer

    def close(self) -> None:
        for answer in self._answers:
            answer.close()
        self._manager.clear()


@contextmanager
def over_http(address: Address, secret: Credentials, timeout: float) -> Iterator[Urllib3HttpGitClient]:
    """The token goes to this server only, whatever it redirects to."""
    base = str(Address(address.scheme, address.host, address.port, "", "/"))
    pool = _Pool(default_urllib3_manager(None, base_url=base, timeout=timeout))
    user, password = (secret.username, secret.token) if secret.token else (None, None)
    try:
        yield Urllib3HttpGitClient(
            base,
            pool_manager=cast(urllib3.PoolManager, pool),
            username=user,
            password=password,
            timeout=timeout,
            quiet=True,
        )
    finally:
        pool.close()


@contextmanager
def over_ssh(address: Address, secret: Credentials, timeout: float) -> Iterator[SSHGitClient]:
    """The key is on disk only meanwhile. Raises: GitError without a key or without known servers."""
    with tempfile.TemporaryDirectory(prefix="tidegate-ssh-") as folder:
        yield SSHGitClient(
            address.host, address.port, address.user, vendor=SubprocessSSHVendor(),
            ssh_command=_command(Path(folder), secret, timeout), quiet=True,
        )  # fmt: skip


def _command(folder: Path, secret: Credentials, timeout: float) -> str:
    """OpenSSH's command line: only the given key, only servers that known_hosts has, nothing asked."""
    if not secret.key:
        raise GitError("git.credentials: expected an SSH private key for an ssh address", again=False)
    if not secret.known_hosts.strip():
        raise GitError(
            "git.credentials: expected a key known_hosts in the Secret, with the server's public keys; "
            "`ssh-keyscan HOST` prints them: compare them with what the server's owner publishes",
            again=False,
        )
    key, hosts = folder / "key", folder / "known_hosts"
    for file, text in ((key, secret.key), (hosts, secret.known_hosts)):
        file.touch(0o600)
        file.write_text(text, encoding="utf-8")
    options = {
        "IdentitiesOnly": "yes", "IdentityAgent": "none",
        "UserKnownHostsFile": str(hosts), "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes", "BatchMode": "yes", "ConnectTimeout": str(max(1, int(timeout))),
        "ServerAliveInterval": "10", "ServerAliveCountMax": "3",
    }  # fmt: skip
    said = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return shlex.join(["ssh", "-F", "none", "-i", str(key), *said])
