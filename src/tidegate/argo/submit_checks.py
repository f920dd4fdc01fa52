"""Whether a run can run in a namespace: asked before anything is sent, and told all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tidegate.argo.submit import Needed, Submission
from tidegate.cluster.kube import Kube, KubeError, path

ARGO = "argoproj.io"
_VERBS = (  # verb, resource, group, what for
    ("create", "workflows", ARGO, "to start the run"),
    ("get", "workflows", ARGO, "to follow it"),
    ("patch", "configmaps", "", "to bring the code of the steps"),
    ("create", "configmaps", "", "to bring the code of the steps"),
)
_PLURALS = {"secret": "secrets", "config map": "configmaps", "volume claim": "persistentvolumeclaims"}


def problems(kube: Kube, submission: Submission) -> tuple[str, ...]:
    """One line for each reason why it cannot run there; what the user may not look at is taken to be right.

    Raises: UnreachableError, ClusterError.
    """
    if missing := _absent(kube):
        return missing
    return (*_forbidden(kube), *_account(kube, submission), *_needs(kube, submission))


def _absent(kube: Kube) -> tuple[str, ...]:
    place = kube.place
    if not _there(lambda: kube.get(path("apis", ARGO, "v1alpha1"), "look for Argo Workflows")):
        return (f"the cluster {kube.server} has no Argo Workflows: install it, or choose another one with --context",)
    if not _there(lambda: kube.get(path("api", "v1", "namespaces", place.namespace), "look for the namespace")):
        return (f"there is no namespace {place.namespace!r}: `kubectl create namespace {place.namespace}`",)
    return ()


def _forbidden(kube: Kube) -> Iterator[str]:
    for verb, resource, group, purpose in _VERBS:
        if not kube.allowed(verb, resource, group):
            named = f"{resource}.{group}" if group else resource
            yield f"you may not {verb} {named} in namespace {kube.place.namespace!r}, which is needed {purpose}"


def _account(kube: Kube, submission: Submission) -> Iterator[str]:
    """The pods' account: there, and allowed to tell Argo what a step made."""
    name, namespace = submission.service_account, kube.place.namespace
    at = path("api", "v1", "namespaces", namespace, "serviceaccounts", name)
    if not _there(lambda: kube.get(at, f"look for service account {name}")):
        yield f"no service account {name!r} in namespace {namespace!r}: make it, or name another (--service-account)"
        return
    asked = {"namespace": namespace, "verb": "create", "group": ARGO, "resource": "workflowtaskresults"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "LocalSubjectAccessReview",
        "metadata": {"namespace": namespace},
        "spec": {"user": f"system:serviceaccount:{namespace}:{name}", "resourceAttributes": asked},
    }
    at = path("apis", "authorization.k8s.io", "v1", "namespaces", namespace, "localsubjectaccessreviews")
    try:
        allowed = kube.create(at, review, "ask what the service account may do")["status"].get("allowed")
    except KubeError:  # who may not ask is not told
        return
    if not allowed:
        yield (
            f"service account {name!r} in namespace {namespace!r} may not create workflowtaskresults.{ARGO}, so no "
            "step could say what it made: bind it to Argo's role for executors"
        )


def _needs(kube: Kube, submission: Submission) -> Iterator[str]:
    for needed in submission.needs():
        if said := _need(kube, needed):
            yield said


def _need(kube: Kube, needed: Needed) -> str:
    namespace = kube.place.namespace
    at = path("api", "v1", "namespaces", namespace, _PLURALS[needed.kind], needed.name)
    try:
        found = kube.get(at, f"look for {needed.kind} {needed.name}")
    except KubeError as error:
        if error.status != 404:
            return ""
        return f"there is no {needed.kind} {needed.name!r} in namespace {namespace!r}, which a task asks for"
    keys = {*(found.get("data") or {}), *(found.get("binaryData") or {})}
    if needed.key and needed.key not in keys:
        return (
            f"{needed.kind} {needed.name!r} in namespace {namespace!r} has no key {needed.key!r}, which a task asks for"
        )
    return ""


def _there(get: Callable[[], object]) -> bool:
    """Not there is known by a 404 only."""
    try:
        get()
    except KubeError as error:
        return error.status != 404
    return True
