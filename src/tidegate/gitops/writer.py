"""Writes verdicts to the branch that Argo CD syncs: read, edit, commit, push; again on a conflict, once per verdict."""

from __future__ import annotations

import asyncio
import hashlib
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidegate.gitops import address as addresses
from tidegate.gitops.address import GitError
from tidegate.gitops.credentials import Credentials
from tidegate.gitops.remote import Moved, Remote, Snapshot, commit_on
from tidegate.gitops.verdict import Edit, Verdict, apply, is_latest, message
from tidegate.rollout.plan import Git

ATTEMPTS = 8
"""So often a commit is made again on top of what others pushed meanwhile."""
TIMEOUT = 30.0
"""Seconds for one answer of the server."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A verdict that the branch has."""

    commit: str
    """Where it stands; empty where the branch says it already, by whoever's commit."""
    made: bool
    """Whether this call made the commit; otherwise it was there."""


class Writer:
    """Records verdicts, one after the other in each repository. Calls may be repeated: a verdict is one commit."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        timeout: float = TIMEOUT,
    ) -> None:
        self._clock, self._sleep, self._timeout = clock, sleep, timeout
        self._locks: dict[str, asyncio.Lock] = {}

    async def record(
        self, git: Git, verdict: Verdict, edits: Sequence[Edit], credentials: Credentials | None = None
    ) -> Recorded:
        """The verdict is in the branch when this returns. With `git.pull_request`: when people have merged it.

        Raises: GitError; its `again` tells whether trying again can help. Until a pull request is merged it is raised
        too, so that nothing goes forward that Argo CD would undo.
        """
        async with self._locks.setdefault(git.repository, asyncio.Lock()):
            return await asyncio.to_thread(self.record_now, git, verdict, edits, credentials)

    def record_now(
        self, git: Git, verdict: Verdict, edits: Sequence[Edit], credentials: Credentials | None = None
    ) -> Recorded:
        """As `record`, in this thread."""
        where = addresses.parse(git.repository)
        ref, parts, author = addresses.branch_ref(git.branch), addresses.inside(git.path), addresses.author(git.author)
        remote = Remote(where, credentials, self._timeout)
        for attempt in range(ATTEMPTS):
            snapshot = remote.read(ref)
            changes = apply(snapshot.files(parts), edits)
            there = is_latest(verdict, snapshot.messages())
            if there and not changes:
                return Recorded(there, made=False)
            said = message(verdict, git.author)
            try:
                if git.pull_request:
                    return self._ask(remote, snapshot, git, verdict, changes, said)
                objects = commit_on(snapshot, changes, said, author, int(self._clock()))
                remote.push(objects, ref, snapshot.head)
                return Recorded(objects[0].id.decode(), made=True)
            except Moved:
                self._wait(attempt, verdict)
            except GitError:
                # Between the server's list of branches and our commit somebody may have been faster, too.
                if remote.read(ref).head == snapshot.head:
                    raise
                self._wait(attempt, verdict)
        raise GitError(f"{where}: {git.branch} moved {ATTEMPTS} times while a commit was made on it")

    def _ask(
        self, remote: Remote, snapshot: Snapshot, git: Git, verdict: Verdict, changes: dict[str, str], said: str
    ) -> Recorded:
        """A branch with the commit, made once; people merge it."""
        if not changes:
            return Recorded("", made=False)
        branch = branch_for(verdict)
        ref = addresses.branch_ref(branch)
        if ref not in snapshot.refs:
            objects = commit_on(snapshot, changes, said, addresses.author(git.author), int(self._clock()))
            remote.push(objects, ref, None)
        raise GitError(f"waits until branch {branch} is merged into {git.branch}")

    def _wait(self, attempt: int, verdict: Verdict) -> None:
        """Longer each time, and not all writers equally long."""
        apart = zlib.crc32(f"{verdict.key} {attempt}".encode()) / 2**32
        self._sleep(min(5.0, 0.1 * 2**attempt) * (0.5 + apart))


def branch_for(verdict: Verdict) -> str:
    """The branch of a pull request: the same for the same verdict."""
    word = verdict.outcome.lower()
    return f"tidegate/{verdict.rollout}-{word}-{hashlib.sha256(verdict.key.encode()).hexdigest()[:8]}"
