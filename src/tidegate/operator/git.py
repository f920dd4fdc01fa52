"""Verdicts into Git: the files of a ModelRollout's `spec.git` get what the cluster will run, or runs on."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from tidegate.gitops import PROMOTED, Credentials, Edit, GitError, Model, Verdict, Writer, from_secret, of_rollout
from tidegate.kube.client import Api, ApiError
from tidegate.kube.resources import SECRETS
from tidegate.rollout.actions import Record
from tidegate.rollout.plan import RolloutPlan, SecretKey
from tidegate.seldon.predictors import Served, is_canary, with_model


class GitRecorder:
    """The operator's Recorder: the Secret with the credentials is read each time, and kept nowhere."""

    def __init__(self, api: Api, writer: Writer | None = None) -> None:
        self._api, self._writer = api, writer or Writer()

    async def record(self, plan: RolloutPlan, namespace: str, name: str, verdict: Record, stable: str) -> None:
        """`stable`: the uri that was live when the rollout began. Raises: PortError."""
        if plan.git is None:
            raise GitError(f"ModelRollout {namespace}/{name}: expected spec.git, to know where to write", again=False)
        if plan.git.repository.startswith(("/", "file:")):
            raise GitError("git.repository: expected https or ssh, found a folder of the operator's own", again=False)
        credentials = await self._credentials(namespace, plan.git.credentials)
        said = decided(plan, namespace, name, verdict, stable)
        await self._writer.record(plan.git, said, edits(plan, said), credentials)

    async def _credentials(self, namespace: str, where: SecretKey | None) -> Credentials | None:
        if where is None:
            return None
        try:
            secret = await self._api.get(SECRETS.path(namespace, where.name))
        except ApiError as error:
            raise GitError(f"git.credentials: Secret {namespace}/{where.name}: {error}") from None
        data = {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
        return from_secret(data, where.key)


def decided(plan: RolloutPlan, namespace: str, name: str, verdict: Record, stable: str) -> Verdict:
    """The verdict as Git gets it. Pure."""
    asked = plan.model
    model = Model(verdict.uri, asked.digest, asked.version) if asked.uri == verdict.uri else Model(verdict.uri)
    runs = model if verdict.outcome == PROMOTED else Model(stable)
    return Verdict(verdict.outcome, name, namespace, model, runs, verdict.message)


def edits(plan: RolloutPlan, verdict: Verdict) -> list[Edit]:
    """What changes: after a promotion the stable predictor has the model, exactly as the cluster will. Pure."""
    made = [of_rollout(verdict)]
    target = plan.target.seldon_deployment
    if target is not None and verdict.outcome == PROMOTED:
        served = Served(verdict.runs.uri, verdict.runs.digest, verdict.runs.version)

        def serve(document: Mapping[str, Any]) -> Mapping[str, Any]:
            spec = document.get("spec") or {}
            predictors = list(spec.get("predictors") or [])
            stable = next((i for i, each in enumerate(predictors) if not (is_canary(each) or each.get("shadow"))), None)
            if stable is None:
                raise GitError(f"SeldonDeployment {target.name} in Git: expected a predictor, found none", again=False)
            predictors[stable] = with_model(predictors[stable], served, target.container)
            return {**document, "spec": {**spec, "predictors": predictors}}

        made.append(Edit("SeldonDeployment", target.name, verdict.namespace, serve))
    return made
