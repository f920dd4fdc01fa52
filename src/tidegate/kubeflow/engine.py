"""Kubeflow Pipelines through kfp's own client, and what only its Workflows tell, through Kubernetes."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.cluster import pods
from tidegate.cluster.kube import Kube, connect, path
from tidegate.cluster.observed import ClusterError, GoneError, Observed, UnreachableError
from tidegate.kubeflow.follow import failed_pods, observe
from tidegate.kubeflow.prepare import Request
from tidegate.store.records import ArtifactRecord, RunRecord, TaskRecord

_RUN_LABEL = "pipeline/runid"


@dataclass(frozen=True, slots=True)
class Address:
    """How Kubeflow is reached; empty fields: as kfp's client finds it (KF_PIPELINES_ENDPOINT, kubeconfig, this pod)."""

    host: str = ""
    context: str = ""
    namespace: str = ""


class Kubeflow:
    """A Cluster (see `cluster.observed`)."""

    def __init__(self, address: Address) -> None:
        """Raises: UnreachableError, ClusterError."""
        self._address = address
        self._client = _client(address)
        self._kube: Kube | None = None
        self._kube_tried = False
        self._logs: dict[str, str] = {}

    def send(self, request: Request) -> dict[str, Any]:
        """Upload what is not there yet, and start the run. Raises: ClusterError, UnreachableError."""
        with _told("start the run"), _silent(), tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "pipeline.yaml"
            package.write_text(request.package, encoding="utf-8")
            experiment = self._client.create_experiment(request.experiment, namespace=self._address.namespace or None)
            pipeline, version, uploaded = "", "", False
            if request.version:
                pipeline = self._pipeline(request)
                version, uploaded = self._version(pipeline, request, package)
            run = self._client.run_pipeline(
                experiment.experiment_id,
                request.run,
                pipeline_package_path=None if version else str(package),
                params=dict(request.parameters),
                pipeline_id=pipeline or None,
                version_id=version or None,
                pipeline_root=request.pipeline_root or None,
                service_account=request.service_account or None,
            )
        return {"run": run.run_id, "version_id": version, "uploaded": uploaded}

    def _pipeline(self, request: Request) -> str:
        """The pipeline's id; made where there is none of that name (without a version: ours has a name of its own)."""
        if known := self._client.get_pipeline_id(request.pipeline):
            return str(known)
        body = self._client.api_models.V2beta1Pipeline(
            display_name=request.pipeline, namespace=self._address.namespace or None
        )
        return str(self._client.pipelines.pipeline_service_create_pipeline(pipeline=body).pipeline_id)

    def _version(self, pipeline: str, request: Request, package: Path) -> tuple[str, bool]:
        named = {"operation": "EQUALS", "key": "display_name", "stringValue": request.version}
        found = self._client.list_pipeline_versions(pipeline, filter=json.dumps({"predicates": [named]}))
        for each in found.pipeline_versions or ():
            if each.display_name == request.version:
                return str(each.pipeline_version_id), False
        made = self._client.upload_pipeline_version(
            str(package), request.version, pipeline_id=pipeline, description=request.description
        )
        return str(made.pipeline_version_id), True

    # ------------------------------------------------------------ a run that goes on
    def observe(self, run: RunRecord) -> Observed:
        with _told(f"tell of run {_id(run)}"):
            # Raw: the client's model drops what newer backends add to it.
            answer = self._client.runs.run_service_get_run(run_id=_id(run), _preload_content=False)
        said = json.loads(answer.data)
        workflow = self._workflow(run)
        observed = observe(run, said, workflow, self._logs)
        new = [pod for pod in failed_pods(observed) if pod not in self._logs]
        if workflow is None or self._kube is None or not new:
            return observed
        for pod in new:
            self._logs[pod] = pods.text(self._kube, pod)
        return observe(run, said, workflow, self._logs)

    def cancel(self, run: RunRecord, again: bool) -> None:  # noqa: ARG002 - KFP knows one way
        with _told(f"stop run {_id(run)}"):
            self._client.terminate_run(_id(run))

    def log(self, run: RunRecord, task: TaskRecord, pod: str, follow: bool) -> Iterator[bytes]:
        kube = self._connected()
        if kube is None or not pod:
            raise ClusterError(
                f"the log of {task.path} is in a pod that cannot be found without its Workflow: Kubeflow's UI has it"
                + (f" ({link})" if (link := self.link(run)) else "")
            )
        yield from pods.log(kube, pod, follow)

    def fetch(self, run: RunRecord, artifact: ArtifactRecord, to: Path) -> None:  # noqa: ARG002
        raise ClusterError(f"Kubeflow keeps {artifact.uri}; its UI shows run {_id(run)} with its artifacts")

    def link(self, run: RunRecord) -> str:
        shown = os.environ.get("KF_PIPELINES_UI_ENDPOINT") or self._address.host
        shown = shown or os.environ.get("KF_PIPELINES_ENDPOINT", "")
        return f"{shown.rstrip('/')}/#/runs/details/{_id(run)}" if shown else ""

    def _workflow(self, run: RunRecord) -> Mapping[str, Any] | None:
        """The Argo Workflow behind the run; None where the user may not read it, or it is gone."""
        kube = self._connected()
        if kube is None:
            return None
        at = path("apis", "argoproj.io", "v1alpha1", "namespaces", kube.place.namespace, "workflows")
        try:
            found = kube.get(at, "read the run's Workflow", labelSelector=f"{_RUN_LABEL}={_id(run)}")
        except ClusterError:  # then the API alone has to do
            return None
        items = found.get("items") or []
        return items[0] if items else None

    def _connected(self) -> Kube | None:
        if not self._kube_tried:
            self._kube_tried = True
            with contextlib.suppress(ClusterError):
                self._kube = connect(self._address.context, self._address.namespace or "kubeflow")
        return self._kube


def _id(run: RunRecord) -> str:
    return str(run.settings.get("run", ""))


def _client(address: Address) -> Any:
    with warnings.catch_warnings(), _silent(), _told("be asked"):
        warnings.simplefilter("ignore")  # `only works with v2.0.0-beta.2 and later`
        from kfp.client import Client

        return Client(
            host=address.host or None,
            namespace=address.namespace or "kubeflow",
            kube_context=address.context or None,
        )


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """kfp's client prints links as it goes."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """kfp's and urllib3's errors as ours."""
    from kfp_server_api import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        said = _message(error)
        if error.status == 404:
            raise GoneError(f"Kubeflow has nothing to {what}: {said}; was it deleted there?") from error
        if not error.status or error.status == 429 or error.status >= 500:
            raise UnreachableError(f"Kubeflow cannot {what} now: {said}") from error
        raise ClusterError(f"Kubeflow refuses to {what}: {said}") from error
    except (HTTPError, OSError) as error:
        raise UnreachableError(
            f"Kubeflow does not answer: {error}; is --host (or KF_PIPELINES_ENDPOINT) its address?"
        ) from error
    except ValueError as error:  # kfp's client: two pipelines of one name, and the like
        raise ClusterError(f"Kubeflow cannot {what}: {error}") from error


def _message(error: Any) -> str:
    try:
        said = json.loads(error.body)
        return str(said.get("message") or said.get("error") or error.reason)
    except (ValueError, TypeError, AttributeError):
        return str(error.reason or error)
