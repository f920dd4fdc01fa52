"""What a run on Argo sends, and what is asked before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.argo_follow import needy, shapes
from tidegate.argo.options import Options
from tidegate.argo.submit import Needed, Submission, prepare
from tidegate.argo.submit_checks import problems
from tidegate.cluster.kube import KubeError, Place
from tidegate.local.load import load_pipeline
from tidegate.spec import Pipeline, load


def read(pipeline: Any) -> Pipeline:
    return load(load_pipeline(pipeline).spec)


def submission(
    pipeline: Any = shapes.shapes, options: Options | None = None, again: str = "", **given: Any
) -> Submission:
    values = {"rows": 3, "least": 1, "seconds": 0, **given} if pipeline is shapes.shapes else given
    return prepare(read(pipeline), values, "shapes-1", options or Options(), b"runner", again, "ada")


def templates(found: Submission) -> dict[str, Any]:
    return {each["name"]: each for each in found.workflow["spec"]["templates"]}


# ---------------------------------------------------------------- what is sent
def test_the_same_run_is_the_same_documents() -> None:
    assert submission().documents() == submission().documents()


def test_the_workflow_brings_all_of_the_pipeline_and_says_whose_run_it_is() -> None:
    workflow = submission(rows=7).workflow
    assert "workflowTemplateRef" not in workflow["spec"]
    assert workflow["spec"]["entrypoint"] in templates(submission())
    assert {each["name"]: each["value"] for each in workflow["spec"]["arguments"]["parameters"]}["rows"] == "7"
    assert workflow["metadata"]["name"] == workflow["metadata"]["labels"]["tidegate.io/run"] == "shapes-1"
    assert workflow["metadata"]["annotations"]["tidegate.io/user"] == "ada"


def test_a_task_to_do_again_does_not_ask_the_cache_and_the_others_do() -> None:
    def asked(found: Submission) -> set[str]:
        return {name for name, each in templates(found).items() if "memoize" in each}

    assert asked(submission()) - asked(submission(again="exit-handler-1/measure")) == {"measure"}
    assert asked(submission()) - asked(submission(again="make")) == {"make"}


# ---------------------------------------------------------------- what it needs there
def test_what_pods_name_and_the_run_does_not_bring_is_needed() -> None:
    found = submission(needy.needy)
    assert set(found.needs()) == {
        Needed("secret", "database", "password"),
        Needed("config map", "limits"),
        Needed("volume claim", "data"),
    }
    assert submission().needs() == ()


@dataclass
class There:
    """A namespace, as far as the checks look; `objects` by the end of their path."""

    objects: Mapping[str, Any]
    forbidden: frozenset[str] = frozenset()
    powerless: bool = False
    server: str = "https://there"

    @property
    def place(self) -> Place:
        return Place("here", "ml")

    def get(self, at: str, what: str) -> Any:
        for end, found in self.objects.items():
            if at.endswith(end):
                if isinstance(found, int):
                    raise KubeError(found, "", what, "")
                return found
        raise KubeError(404, "Not Found", what, "")

    def create(self, at: str, body: Any, what: str) -> Any:
        assert at.endswith("/localsubjectaccessreviews")
        return {"status": {"allowed": not self.powerless}}

    def allowed(self, verb: str, resource: str, group: str = "") -> bool:
        return f"{verb} {resource}" not in self.forbidden


WHOLE: dict[str, Any] = {
    "/argoproj.io/v1alpha1": {},
    "/namespaces/ml": {},
    "/serviceaccounts/default": {},
    "/secrets/database": {"data": {"password": "eA=="}},
    "/configmaps/limits": {"data": {}},
    "/persistentvolumeclaims/data": {},
}


def without(*names: str) -> dict[str, Any]:
    return {end: found for end, found in WHOLE.items() if end not in names}


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (There(WHOLE), []),
        (There(without("/argoproj.io/v1alpha1", "/secrets/database")), ["has no Argo Workflows"]),
        (There(without("/namespaces/ml", "/secrets/database")), ["no namespace 'ml'"]),
        (There(WHOLE, frozenset({"create workflows"})), ["you may not create workflows.argoproj.io"]),
        (There(WHOLE, frozenset({"patch configmaps"})), ["you may not patch configmaps in"]),
        (There(without("/serviceaccounts/default")), ["no service account 'default'"]),
        (There(WHOLE, powerless=True), ["may not create workflowtaskresults.argoproj.io"]),
        (
            There(without("/secrets/database", "/persistentvolumeclaims/data")),
            ["no secret 'database'", "no volume claim 'data'"],
        ),
        (There({**WHOLE, "/secrets/database": {"data": {"user": ""}}}), ["has no key 'password'"]),
        (There({**WHOLE, "/secrets/database": 403, "/namespaces/ml": 403}), []),
    ],
)
def test_every_problem_is_told_and_what_may_not_be_seen_is_taken_to_be_right(there: There, said: list[str]) -> None:
    found = sorted(problems(there, submission(needy.needy)))  # type: ignore[arg-type]
    assert len(found) == len(said), found
    for part in said:
        assert sum(part in line for line in found) == 1, (part, found)
