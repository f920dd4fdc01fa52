"""The operator's verdicts in Git: the manifest says what the cluster runs, and the credentials come from a Secret."""

from __future__ import annotations

import asyncio
import base64
import difflib
from typing import Any

import pytest

from tests.gitops.conftest import TOKEN, Server
from tidegate.gitops import GitError
from tidegate.kube.client import ApiError
from tidegate.operator.git import GitRecorder
from tidegate.rollout.actions import Record
from tidegate.rollout.plan import Git, Model, RolloutPlan, SecretKey, SeldonTarget, Target

DIGESTS = {n: "sha256:" + str(n) * 64 for n in (1, 2)}
MANIFEST = f"""\
apiVersion: tidegate.io/v1alpha1
kind: ModelRollout
metadata: {{name: flights, namespace: ml}}
spec:
  model: {{uri: s3://models/flights/2, digest: "{DIGESTS[2]}"}}
---
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata:
  name: flights
  namespace: ml
spec:
  predictors:
  - name: default
    annotations:
      tidegate.io/model: s3://models/flights/1
      version: "1"
    graph: {{name: flights, type: MODEL}}
    componentSpecs:
    - spec:
        containers:
        - name: flights
          image: tidegate/serving:0.1.0
          env:
          # who serves what
          - {{name: MLSERVER_MODEL_URI, value: s3://models/flights/1}}
          - name: MODEL_DIGEST
            value: {DIGESTS[1]}
          - name: MODEL_VERSION
            value: "1"
          - name: OTHER
            value: stays
"""


class Secrets:
    """The part of the API that is asked for Secrets."""

    def __init__(self, secrets: dict[str, dict[str, str]]) -> None:
        self.secrets = secrets

    async def get(self, path: str, query: Any = None) -> Any:
        if path not in self.secrets:
            raise ApiError("not found", 404)
        data = self.secrets[path]
        return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def plan(server: Server, **git: Any) -> RolloutPlan:
    where = Git(repository=server.url, path="flights.yaml", credentials=SecretKey(name="git"), **git)
    return RolloutPlan(
        model=Model(uri="s3://models/flights/2", digest=DIGESTS[2]),
        target=Target(seldon_deployment=SeldonTarget(name="flights")),
        git=where,
    )


def record(server: Server, outcome: str, secrets: dict[str, dict[str, str]] | None = None) -> None:
    there = {"/api/v1/namespaces/ml/secrets/git": {"token": TOKEN}} if secrets is None else secrets
    recorder: Any = GitRecorder(Secrets(there))  # type: ignore[arg-type]
    verdict = Record(outcome, "s3://models/flights/2", "errors: fine")
    asyncio.run(recorder.record(plan(server), "ml", "flights", verdict, "s3://models/flights/1"))


def changed(server: Server) -> list[str]:
    return [
        line
        for line in difflib.ndiff(MANIFEST.splitlines(), server.text("flights.yaml").splitlines())
        if line[0] in "+-"
    ]


@pytest.fixture
def private(server: Server) -> Server:
    server.commit({"flights.yaml": MANIFEST.encode()})
    server.token = TOKEN
    return server


def test_a_promotion_gives_the_manifest_what_the_stable_predictor_gets(private: Server) -> None:
    record(private, "promoted")
    assert changed(private) == [
        "-       tidegate.io/model: s3://models/flights/1",
        "+       tidegate.io/model: s3://models/flights/2",
        '-       version: "1"',
        '+       version: "2"',
        "-           - {name: MLSERVER_MODEL_URI, value: s3://models/flights/1}",
        "+           - {name: MLSERVER_MODEL_URI, value: s3://models/flights/2}",
        f"-             value: {DIGESTS[1]}",
        f"+             value: {DIGESTS[2]}",
        '-             value: "1"',
        '+             value: "2"',
    ]


def test_a_rollback_asks_for_what_runs(private: Server) -> None:
    record(private, "rolledBack")
    assert changed(private) == [
        f'-   model: {{uri: s3://models/flights/2, digest: "{DIGESTS[2]}"}}',
        '+   model: {uri: s3://models/flights/1, digest: ""}',
    ]


@pytest.mark.parametrize(
    ("secrets", "said"),
    [({}, "Secret ml/git"), ({"/api/v1/namespaces/ml/secrets/git": {"password": "x"}}, "found password")],
)
def test_a_secret_that_is_not_there_is_named(private: Server, secrets: Any, said: str) -> None:
    with pytest.raises(GitError, match=said):
        record(private, "promoted", secrets)
    assert len(private.log()) == 1


def test_the_operators_own_disk_is_no_repository(private: Server) -> None:
    recorder: Any = GitRecorder(Secrets({}))  # type: ignore[arg-type]
    where = plan(private).model_copy(update={"git": Git(repository="file:///srv/x.git", path="a.yaml")})
    with pytest.raises(GitError, match="expected https or ssh"):
        asyncio.run(recorder.record(where, "ml", "flights", Record("promoted", "u", ""), ""))
