"""Verdicts reach a real remote repository: once each, whatever others push meanwhile."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from dulwich.repo import Repo

from tests.gitops.conftest import TOKEN, Server
from tidegate.gitops import PROMOTED, ROLLED_BACK, Credentials, Edit, GitError, Model, Verdict, Writer, of_rollout
from tidegate.rollout.plan import Git

PATH = "apps/flights/live.yaml"
MANIFEST = """\
# What is live. Tidegate writes here, people too.
apiVersion: tidegate.io/v1alpha1
kind: ModelRollout
metadata:
  name: flights
spec:
  model:
    uri: s3://models/flights/2   # asked for by the pipeline
    digest: sha256:{two}
---
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {{name: flights}}
spec:
  predictors:
    - name: default
      graph: {{name: classifier, implementation: TRITON_SERVER, modelUri: "s3://models/flights/1"}}  # stable
""".format(two="2" * 64)
OLD, NEW = Model("s3://models/flights/1"), Model("s3://models/flights/2", "sha256:" + "2" * 64)
EVIDENCE = "Promoted: every requirement holds\nerrors: 0.10 % of 4,210 requests, at most 1.00 %"


def promotion(**changes: Any) -> Verdict:
    return replace(Verdict(PROMOTED, "flights", "ml", NEW, NEW, EVIDENCE), **changes)


def rollback(**changes: Any) -> Verdict:
    return replace(
        Verdict(ROLLED_BACK, "flights", "ml", NEW, OLD, "RolledBack: the new model breaks errors"), **changes
    )


def edits(verdict: Verdict) -> list[Edit]:
    def serve(document: Mapping[str, Any]) -> Mapping[str, Any]:
        made = copy.deepcopy(dict(document))
        made["spec"]["predictors"][0]["graph"]["modelUri"] = verdict.runs.uri
        return made

    return [of_rollout(verdict), Edit("SeldonDeployment", "flights", "ml", serve)]


def git(server: Server, **more: Any) -> Git:
    return Git(**{"repository": server.url, "path": PATH, "author": "Tidegate <bot@example.org>", **more})


def record(where: Git, verdict: Verdict, credentials: Credentials | None = None) -> Any:
    writer = Writer(clock=lambda: 1_800_000_000.0, sleep=lambda _: None)
    return asyncio.run(writer.record(where, verdict, edits(verdict), credentials))


def models(server: Server, branch: str = "main") -> tuple[str, str]:
    """What the ModelRollout asks for, and what the SeldonDeployment serves."""
    rollout, deployment = yaml.safe_load_all(server.text(PATH, branch))
    return rollout["spec"]["model"]["uri"], deployment["spec"]["predictors"][0]["graph"]["modelUri"]


@pytest.fixture
def seeded(server: Server) -> Server:
    server.commit({PATH: MANIFEST.encode(), "README.md": b"hello\n", "bin/run": (0o100755, b"#!/bin/sh\n")})
    return server


def test_a_promotion_makes_the_new_model_the_stable_one(seeded: Server) -> None:
    before = seeded.text(PATH)
    made = record(git(seeded), promotion())
    assert models(seeded) == (NEW.uri, NEW.uri)
    assert seeded.text(PATH) == before.replace('"s3://models/flights/1"', '"s3://models/flights/2"')
    commit = seeded.log()[0]
    assert (made.made, made.commit) == (True, commit.id.decode())
    assert commit.author == commit.committer == b"Tidegate <bot@example.org>"
    assert commit.commit_time == 1_800_000_000
    assert commit.message.decode() == (
        "flights: promote 2\n\n- Promoted: every requirement holds\n"
        "- errors: 0.10 % of 4,210 requests, at most 1.00 %\n\n"
        f"Model: s3://models/flights/2\nDigest: {NEW.digest}\nRollout: ml/flights\n"
        f"Tidegate-Verdict: promoted s3://models/flights/2 {NEW.digest}\n"
        "Signed-off-by: Tidegate <bot@example.org>\n"
    )
    assert seeded.text("README.md") == "hello\n"
    assert seeded.repo[seeded.repo[commit.tree][b"bin"][1]][b"run"][0] == 0o100755


def test_a_rollback_takes_back_what_was_asked_for(seeded: Server) -> None:
    record(git(seeded), rollback())
    assert models(seeded) == (OLD.uri, OLD.uri)
    assert "uri: s3://models/flights/1   # asked for by the pipeline\n    digest: ''\n" in seeded.text(PATH)
    assert seeded.log()[0].message.decode().startswith("flights: roll back 2, 1 runs on\n\n- RolledBack: ")


def test_a_rollback_leaves_a_model_that_was_asked_for_since(seeded: Server) -> None:
    seeded.commit({PATH: MANIFEST.replace("flights/2", "flights/3").encode()})
    record(git(seeded), rollback())
    assert models(seeded) == ("s3://models/flights/3", OLD.uri)


@pytest.mark.parametrize("verdict", [promotion(), rollback()])
def test_the_same_verdict_twice_is_one_commit(seeded: Server, verdict: Verdict) -> None:
    first = record(git(seeded), verdict)
    seeded.commit({"README.md": b"meanwhile\n"})
    second = record(git(seeded), replace(verdict, evidence="said in other words"))
    assert (first.made, second.made, second.commit) == (True, False, first.commit)
    assert len(seeded.log()) == 3


def test_the_same_model_rolled_back_again_later_is_another_commit(seeded: Server) -> None:
    record(git(seeded), rollback())
    seeded.commit({PATH: MANIFEST.encode()}, "try it once more")
    assert record(git(seeded), rollback()).made
    assert models(seeded) == (OLD.uri, OLD.uri)


def test_a_verdict_that_changes_no_file_still_leaves_its_evidence_once(seeded: Server) -> None:
    seeded.commit({PATH: MANIFEST.replace('"s3://models/flights/1"', "s3://models/flights/2").encode()})
    tree = seeded.log()[0].tree
    assert [record(git(seeded), promotion()).made for _ in range(2)] == [True, False]
    assert seeded.log()[0].tree == tree


def test_on_a_conflict_it_is_done_again_on_top_of_what_others_pushed(seeded: Server) -> None:
    seeded.before_push += [
        lambda: seeded.commit({"README.md": b"faster\n"}) and None,
        lambda: seeded.commit({PATH: ("# a line of theirs\n" + MANIFEST).encode()}) and None,
    ]
    assert record(git(seeded), promotion()).made
    assert [commit.message.decode().splitlines()[0] for commit in seeded.log()] == [
        "flights: promote 2",
        *["by hand"] * 3,
    ]
    assert seeded.text("README.md") == "faster\n"
    assert seeded.text(PATH).startswith("# a line of theirs\n")
    assert models(seeded) == (NEW.uri, NEW.uri)


def test_it_gives_up_on_a_branch_that_never_rests_and_says_so(seeded: Server) -> None:
    seeded.before_push += [lambda n=n: seeded.commit({"README.md": str(n).encode()}) and None for n in range(20)]
    with pytest.raises(GitError, match="main moved 8 times") as caught:
        record(git(seeded), promotion())
    assert caught.value.again
    assert models(seeded) == (NEW.uri, OLD.uri)


def test_five_verdicts_at_once_are_five_commits(seeded: Server) -> None:
    async def all_at_once() -> list[Any]:
        verdicts = [promotion(model=Model(f"s3://m/{n}"), runs=Model(f"s3://m/{n}")) for n in range(5)]
        writer = Writer()
        return await asyncio.gather(*(writer.record(git(seeded), each, edits(each)) for each in verdicts))

    assert all(each.made for each in asyncio.run(all_at_once()))
    assert len(seeded.log()) == 6


def test_a_pull_request_is_a_branch_of_its_own_until_people_merge_it(seeded: Server) -> None:
    where = git(seeded, pull_request=True)
    for _ in range(2):
        with pytest.raises(
            GitError, match=r"waits until branch tidegate/flights-promoted-\w+ is merged into main"
        ) as caught:
            record(where, promotion())
        assert caught.value.again
    branches = [ref.decode()[11:] for ref in seeded.repo.refs if ref.startswith(b"refs/heads/tidegate/")]
    assert len(branches) == 1
    assert len(seeded.log(branches[0])) == 2
    assert models(seeded, branches[0]) == (NEW.uri, NEW.uri)
    assert models(seeded) == (NEW.uri, OLD.uri)
    seeded.commit({PATH: seeded.text(PATH, branches[0]).encode()}, "squashed")
    assert not record(where, promotion()).made


def test_a_branch_that_takes_no_pushes_says_why_and_what_to_set(seeded: Server) -> None:
    hook = Path(seeded.repo.path) / "hooks/update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitError, match=r"refused the commit on main: hook declined; .* set git.pullRequest"):
        record(git(seeded), promotion())
    assert len(seeded.log()) == 1


def test_a_private_repository_opens_with_the_token_and_no_error_shows_it(seeded: Server) -> None:
    seeded.token = TOKEN
    assert record(git(seeded), promotion(), Credentials(token=TOKEN)).made
    for credentials, said in ((None, "set git.credentials"), (Credentials(token="wrong-" + TOKEN), "not accepted")):
        with pytest.raises(GitError, match=said) as caught:
            record(git(seeded), rollback(), credentials)
        assert not caught.value.again
        assert TOKEN not in str(caught.value) + repr(caught.value) + repr(credentials)


def test_a_token_is_never_sent_in_the_clear_over_a_network() -> None:
    with pytest.raises(GitError, match="expected https"):
        record(Git(repository="http://git.example.org/a.git", path=PATH), promotion(), Credentials(token=TOKEN))


def test_a_server_that_is_not_there_is_worth_another_try(server: Server) -> None:
    with pytest.raises(GitError) as caught:
        record(Git(repository="http://127.0.0.1:9/gitops.git", path=PATH), promotion())
    assert caught.value.again


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"path": "../../etc/passwd"}, "inside the repository"),
        ({"path": "apps/../../x.yaml"}, "inside the repository"),
        ({"path": "/etc/passwd"}, "inside the repository"),
        ({"path": ".git/config"}, "inside the repository"),
        ({"path": "apps/missing.yaml"}, "found none"),
        ({"path": "linked.yaml"}, "a link or a submodule"),
        ({"path": "linked/live.yaml"}, "found none"),
        ({"path": "README.md"}, "expected ModelRollout ml/flights and SeldonDeployment ml/flights in README.md"),
        ({"path": "broken.yaml"}, "broken.yaml in the repository: expected YAML"),
        ({"path": "bytes.yaml"}, "expected text"),
        ({"branch": "nowhere"}, "there are: main"),
        ({"branch": "a..b"}, "a branch's name"),
        ({"author": "nobody"}, "Name <address>"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_what_was_expected(seeded: Server, change: dict[str, str], said: str) -> None:
    seeded.commit({"linked.yaml": (0o120000, b"apps/flights/live.yaml"), "linked": (0o120000, b"apps/flights"),
                   "broken.yaml": b"a: [\n", "bytes.yaml": b"\xff\xfe"})  # fmt: skip
    with pytest.raises(GitError, match=said) as caught:
        record(git(seeded, **change), promotion())
    assert not caught.value.again
    assert len(seeded.log()) == 2


def test_a_folder_is_searched_for_the_documents(seeded: Server) -> None:
    rollout, deployment = MANIFEST.split("---\n")
    seeded.commit(
        {"live/a/rollout.yaml": rollout.encode(), "live/b/deployment.yml": deployment.encode(), "live/notes.txt": b"["}
    )
    record(git(seeded, path="live"), promotion())
    assert seeded.text("live/b/deployment.yml") == deployment.replace("flights/1", "flights/2")
    assert seeded.text("live/a/rollout.yaml") == rollout


def test_a_repository_in_a_folder_works_the_same(seeded: Server) -> None:
    where = git(seeded, repository=f"file://{seeded.repo.path}")
    assert [record(where, promotion()).made for _ in range(2)] == [True, False]
    assert models(seeded) == (NEW.uri, NEW.uri)


def test_over_ssh_only_the_given_key_and_known_servers_are_used(
    seeded: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ssh` here is a stand-in that notes how it was called and runs what it was asked to, as a server would."""
    noted = tmp_path / "noted"
    fake = tmp_path / "bin/ssh"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> {noted}\n'
        f'while [ "$1" != -i ]; do shift; done; cat "$2" >> {noted}; stat -c %a "$2" >> {noted}\n'
        'for last; do :; done; eval "exec $last"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    where = git(seeded, repository=f"ssh://git@example.org:2222{seeded.repo.path}")
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n"
    assert record(where, promotion(), Credentials(key=key, known_hosts="example.org ssh-ed25519 AAAA")).made
    assert models(seeded) == (NEW.uri, NEW.uri)
    said = noted.read_text()
    assert key in said
    assert "\n600\n" in said
    for option in ("StrictHostKeyChecking=yes", "BatchMode=yes", "IdentitiesOnly=yes", "git@example.org", "2222"):
        assert f"{option}\n" in said
    used = [line for line in said.splitlines() if line.startswith("UserKnownHostsFile=")]
    assert used
    assert not any(Path(line.partition("=")[2]).exists() for line in used)  # nothing of the key stays behind


@pytest.mark.parametrize(
    ("credentials", "said"), [(None, "SSH private key"), (Credentials(key="-----BEGIN x"), "known_hosts")]
)
def test_ssh_without_a_key_or_known_servers_is_refused(credentials: Credentials | None, said: str) -> None:
    with pytest.raises(GitError, match=said):
        record(Git(repository="git@example.org:a/b.git", path=PATH), promotion(), credentials)


def test_an_empty_repository_has_no_branch_to_commit_on(tmp_path: Path) -> None:
    with Repo.init_bare(str(tmp_path / "e.git"), mkdir=True), pytest.raises(GitError, match="there are: none"):
        record(Git(repository=str(tmp_path / "e.git"), path=PATH), promotion())
