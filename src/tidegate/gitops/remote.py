"""A branch of a remote repository: read into memory, and given one more commit. Over https, ssh or a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from stat import S_ISDIR, S_ISREG
from typing import Any

from dulwich import client as dulwich_client
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository, SendPackError
from dulwich.object_store import BaseObjectStore
from dulwich.objects import Blob, Commit, ObjectID, ShaFile, Tree
from dulwich.pack import UnpackedObject, pack_objects_to_data
from dulwich.refs import Ref
from dulwich.repo import MemoryRepo

from tidegate.gitops.address import Address, GitError
from tidegate.gitops.credentials import Credentials
from tidegate.gitops.transports import over_http, over_ssh

HISTORY = 50
"""So many commits back a verdict is known again."""
_TEXTS = (".yaml", ".yml", ".json")
_MOST_BYTES, _MOST_FILES = 1_000_000, 500


class Moved(Exception):  # noqa: N818
    """Somebody else was faster: the branch is not where it was read."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A branch as it was read."""

    head: ObjectID
    store: BaseObjectStore
    refs: Mapping[Ref, ObjectID]
    """The heads of all branches there."""

    def messages(self) -> Iterator[tuple[str, str]]:
        """Commit and message of the last HISTORY commits, newest first."""
        todo: list[ObjectID] = [self.head]
        seen: set[ObjectID] = set()
        while todo and len(seen) < HISTORY:
            found = todo.pop(0)
            if found in seen or found not in self.store:  # a shallow copy ends somewhere
                continue
            seen.add(found)
            commit = self.store[found]
            assert isinstance(commit, Commit)
            yield found.decode(), commit.message.decode("utf-8", "replace")
            todo += commit.parents

    def files(self, parts: tuple[str, ...]) -> dict[str, str]:
        """The text of the file at a path, or of all YAML and JSON files in the folder there. Raises: GitError."""
        path = "/".join(parts)
        commit = self.store[self.head]
        assert isinstance(commit, Commit)
        mode, sha = 0o040000, commit.tree
        for part in parts:
            tree = self.store[sha] if S_ISDIR(mode) else None
            if not isinstance(tree, Tree) or part.encode() not in tree:
                raise GitError(f"git.path: expected a file or folder {path!r} in the branch, found none", again=False)
            mode, sha = tree[part.encode()]
        found = dict(self._below(path, mode, sha))
        if not found:
            raise GitError(f"git.path: expected {', '.join(_TEXTS)} files at {path!r}, found none", again=False)
        return found

    def _below(self, path: str, mode: int, sha: ObjectID, top: bool = True) -> Iterator[tuple[str, str]]:
        if S_ISDIR(mode):
            tree = self.store[sha]
            assert isinstance(tree, Tree)
            for number, entry in enumerate(tree.iteritems(name_order=True)):
                if number >= _MOST_FILES:
                    raise GitError(
                        f"git.path: expected at most {_MOST_FILES} files in {path!r}, found more", again=False
                    )
                yield from self._below(f"{path}/{entry.path.decode('utf-8', 'replace')}", entry.mode, entry.sha, False)
        elif top or (S_ISREG(mode) and path.endswith(_TEXTS)):
            yield path, self._text(path, mode, sha)

    def _text(self, path: str, mode: int, sha: ObjectID) -> str:
        blob = self.store[sha] if S_ISREG(mode) else None
        if not isinstance(blob, Blob):  # a symbolic link or a submodule leads elsewhere
            raise GitError(f"git.path: expected a file at {path!r}, found a link or a submodule", again=False)
        if blob.raw_length() > _MOST_BYTES:
            raise GitError(f"git.path: expected less than {_MOST_BYTES} bytes in {path!r}", again=False)
        try:
            return blob.data.decode()
        except UnicodeDecodeError:
            raise GitError(f"git.path: expected text in {path!r}, found bytes that are none", again=False) from None


def commit_on(snapshot: Snapshot, files: Mapping[str, str], message: str, author: bytes, now: int) -> list[ShaFile]:
    """A commit on top with these files changed, and what it is made of: the commit first. Pure."""
    head = snapshot.store[snapshot.head]
    assert isinstance(head, Commit)
    made: dict[ObjectID, ShaFile] = {}
    tree = _tree_with(snapshot.store, head.tree, {tuple(p.split("/")): t for p, t in files.items()}, made)
    commit = Commit()
    commit.tree, commit.parents = tree, [snapshot.head]
    commit.author = commit.committer = author
    commit.author_time = commit.commit_time = now
    commit.author_timezone = commit.commit_timezone = 0
    commit.encoding, commit.message = b"UTF-8", message.encode()
    return [commit, *made.values()]


def _tree_with(
    store: BaseObjectStore, sha: ObjectID, files: Mapping[tuple[str, ...], str], made: dict[ObjectID, ShaFile]
) -> ObjectID:
    if not files:
        return sha
    old = store[sha]
    assert isinstance(old, Tree)
    tree = old.copy()
    assert isinstance(tree, Tree)
    for name in sorted({path[0] for path in files}):
        mode, entry = tree[name.encode()]
        below = {path[1:]: text for path, text in files.items() if path[0] == name and len(path) > 1}
        if below:
            tree[name.encode()] = (mode, _tree_with(store, entry, below, made))
        else:
            blob = Blob.from_string(files[(name,)].encode())
            made[blob.id] = blob
            tree[name.encode()] = (mode, blob.id)
    made[tree.id] = tree
    return tree.id


class Remote:
    """Speaks to one repository; each call is one exchange. Raises GitError where that fails."""

    def __init__(self, address: Address, credentials: Credentials | None, timeout: float) -> None:
        if credentials and credentials.token and not address.secret_is_safe:
            raise GitError(f"{address}: expected https to send a token to, found {address.scheme}", again=False)
        self._address, self._credentials, self._timeout = address, credentials or Credentials(), timeout

    def read(self, ref: bytes) -> Snapshot:
        """The branch and its last commits."""
        repo = MemoryRepo()
        with self._client() as (client, path):
            found = client.fetch(path, repo, _only(ref), depth=HISTORY)
        heads = {Ref(name): sha for name, sha in found.refs.items() if sha and name.startswith(b"refs/heads/")}
        if ref not in heads:
            there = ", ".join(sorted(name.decode()[11:] for name in heads)) or "none"
            raise GitError(
                f"git.branch: expected {ref.decode()[11:]!r} in {self._address}, there are: {there}", again=False
            )
        return Snapshot(heads[Ref(ref)], repo.object_store, heads)

    def push(self, objects: list[ShaFile], ref: bytes, expected: ObjectID | None) -> None:
        """Let the branch be at the first of the objects, if it still is at `expected` (None: if there is none).

        Raises: Moved where it is elsewhere.
        """

        def update(refs: dict[Ref, ObjectID]) -> dict[Ref, ObjectID]:
            if refs.get(Ref(ref)) != expected:
                raise Moved
            return {Ref(ref): objects[0].id}

        def pack(*_: Any, **__: Any) -> tuple[int, Iterator[UnpackedObject]]:
            return pack_objects_to_data([(each, None) for each in objects])

        with self._client() as (client, path):
            answer = client.send_pack(path.encode(), update, pack)
        refused = (answer.ref_status or {}).get(ref)
        if refused:
            why = self._credentials.redacted(str(refused))
            raise GitError(
                f"{self._address} refused the commit on {ref.decode()[11:]}: {why}; a protected branch "
                "takes pull requests only: set git.pullRequest"
            )

    @contextmanager
    def _client(self) -> Iterator[tuple[dulwich_client.GitClient, str]]:
        address, secret = self._address, self._credentials
        try:
            if address.scheme in ("https", "http"):
                with over_http(address, secret, self._timeout) as client:
                    yield client, address.path
            elif address.scheme == "ssh":
                with over_ssh(address, secret, self._timeout) as client:
                    yield client, address.path
            else:
                yield dulwich_client.LocalGitClient(quiet=True), address.path
        except dulwich_client.HTTPUnauthorized:
            given = "the token in git.credentials was not accepted" if secret.token else "set git.credentials"
            raise GitError(f"{address} wants to know who we are; {given}", again=False) from None
        except NotGitRepository:
            raise GitError(
                f"{address}: expected a Git repository, found none (or may not see it)", again=False
            ) from None
        except (GitProtocolError, HangupException, SendPackError, OSError) as error:
            raise GitError(
                f"{address}: {secret.redacted(' '.join(str(error).split())) or type(error).__name__}"
            ) from None


def _only(ref: bytes) -> Callable[..., list[ObjectID]]:
    """To fetch this branch and no other."""

    def wants(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:  # noqa: ARG001
        return [refs[Ref(ref)]] if Ref(ref) in refs else []

    return wants
