"""Addresses and credentials: what is taken, and that nothing secret comes out of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gitops.conftest import TOKEN
from tidegate.gitops import Credentials, GitError, from_folder, from_secret
from tidegate.gitops.address import parse


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://git.example.org/team/gitops.git", "https://git.example.org/team/gitops.git"),
        ("https://git.example.org:8443/a", "https://git.example.org:8443/a"),
        ("ssh://deploy@git.example.org:2222/a.git", "ssh://deploy@git.example.org:2222/a.git"),
        ("ssh://git.example.org/a.git", "ssh://git@git.example.org/a.git"),
        ("git@git.example.org:team/a.git", "ssh://git@git.example.org/team/a.git"),
        ("file:///srv/a.git", "file:///srv/a.git"),
        ("/srv/a.git", "file:///srv/a.git"),
        ("http://[::1]:3000/a.git", "http://[::1]:3000/a.git"),
    ],
)
def test_addresses_are_read_as_git_reads_them(text: str, said: str) -> None:
    assert str(parse(text)) == said


@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{TOKEN}@git.example.org/a.git", f"https://{TOKEN}@git.example.org/a.git", f"ext::sh -c {TOKEN}",
        f"https://git.example.org/a.git?token={TOKEN}", f"ssh://-oProxyCommand={TOKEN}/a.git", f"-u{TOKEN}:a",
        f"ftp://git.example.org/{TOKEN}", "", "https://git.example.org", f"https://git.example.org:{TOKEN}/a",
    ],
)  # fmt: skip
def test_other_addresses_are_refused_and_never_shown(text: str) -> None:
    with pytest.raises(GitError, match=r"git\.repository") as caught:
        parse(text)
    assert TOKEN not in str(caught.value)
    assert not caught.value.again


def test_a_secret_holds_a_token_or_a_key(tmp_path: Path) -> None:
    assert from_secret({"token": f"{TOKEN}\n".encode()}, "token") == Credentials(token=TOKEN)
    (tmp_path / "password").write_text(TOKEN)
    (tmp_path / "username").write_text("robot\n")
    assert from_folder(tmp_path, "password") == Credentials(token=TOKEN, username="robot")
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----"
    found = from_secret({"identity": key.encode(), "known_hosts": b"h ssh-ed25519 A"}, "identity")
    assert found == Credentials(key=key + "\n", known_hosts="h ssh-ed25519 A")


def test_a_secret_without_the_key_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(GitError, match=r"expected a key 'token' .* found password") as caught:
        from_secret({"password": TOKEN.encode()}, "token")
    assert TOKEN not in str(caught.value)
    with pytest.raises(GitError, match="mounted Secret"):
        from_folder(tmp_path / "missing", "token")


def test_no_way_of_printing_shows_a_secret() -> None:
    credentials = Credentials(token=TOKEN, key="-----BEGIN PRIVATE KEY-----")
    assert TOKEN not in f"{credentials} {credentials!r}"
    assert "BEGIN" not in f"{credentials} {credentials!r}"
    assert credentials.redacted(f"remote said {TOKEN}") == "remote said ***"
