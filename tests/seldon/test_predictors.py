"""Where a predictor's model stands, and a predictor with another one."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tidegate.rollout.ports import PortError
from tidegate.seldon.predictors import Served, canary_name, canary_of, model_of, with_model

NEW = Served("s3://m/2", "sha256:" + "a" * 64, "2")


def own(**container: Any) -> dict[str, Any]:
    """A container of one's own."""
    return {
        "name": "default",
        "graph": {"name": "classifier", "implementation": "UNKNOWN_IMPLEMENTATION"},
        "componentSpecs": [{"spec": {"containers": [{"name": "classifier", "image": "server:1", **container}]}}],
    }


PREPACKAGED = {
    "name": "default",
    "graph": {"name": "classifier", "implementation": "MLFLOW_SERVER", "modelUri": "s3://m/1"},
    "componentSpecs": [{"spec": {"containers": [{"name": "classifier", "image": "seldonio/mlflowserver:1"}]}}],
}
NESTED = {
    "name": "default",
    "graph": {
        "name": "router",
        "type": "ROUTER",
        "children": [{"name": "model", "implementation": "SKLEARN_SERVER", "modelUri": "s3://m/1"}],
    },
}


@pytest.mark.parametrize(
    ("predictor", "container", "uri"),
    [
        (PREPACKAGED, "", "s3://m/1"),
        (NESTED, "model", "s3://m/1"),
        (own(env=[{"name": "MODEL_URI", "value": "/models/1"}]), "", "/models/1"),
        (own(env=[{"name": "MLSERVER_MODEL_URI", "value": "/models/1"}]), "", "/models/1"),
        (own(), "", "docker://server:1"),
        ({"name": "default", "graph": {"name": "classifier"}}, "", ""),
    ],
)
def test_which_model_a_predictor_serves(predictor: dict[str, Any], container: str, uri: str) -> None:
    assert model_of(predictor, container) == uri


@pytest.mark.parametrize(
    ("predictor", "container", "model"),
    [
        (PREPACKAGED, "", NEW),
        (NESTED, "model", NEW),
        (own(env=[{"name": "MODEL_URI", "value": "/models/1"}, {"name": "OTHER", "value": "x"}]), "", NEW),
        (own(env=[{"name": "MLSERVER_MODEL_URI", "value": "/models/1"}]), "classifier", NEW),
        (own(), "", Served("docker://registry/model:2")),
    ],
)
def test_the_new_model_stands_where_the_old_one_did(predictor: dict[str, Any], container: str, model: Served) -> None:
    before = deepcopy(predictor)
    made = with_model(predictor, model, container)
    assert predictor == before
    assert model_of(made, container) == model.uri
    assert made["annotations"]["version"] == model.named
    assert with_model(made, model, container) == made


def test_a_server_of_ones_own_is_told_digest_and_version_and_keeps_its_other_variables() -> None:
    made = with_model(own(env=[{"name": "OTHER", "value": "x"}]), NEW)
    env = {v["name"]: v["value"] for v in made["componentSpecs"][0]["spec"]["containers"][0]["env"]}
    assert env == {"OTHER": "x", "MODEL_URI": NEW.uri, "MODEL_DIGEST": NEW.digest, "MODEL_VERSION": "2"}


@pytest.mark.parametrize(
    ("predictor", "container", "model", "said"),
    [
        ({"name": "p", "graph": {"name": "c"}}, "", NEW, "found neither"),
        (NESTED, "model", Served("docker://m:2"), "expected a container 'model'"),
        (PREPACKAGED, "other", NEW, "expected a node 'other'"),
    ],
)
def test_a_predictor_that_cannot_take_the_model_is_told(
    predictor: dict[str, Any], container: str, model: Served, said: str
) -> None:
    with pytest.raises(PortError, match=said) as raised:
        with_model(predictor, model, container)
    assert not raised.value.again


def test_a_canary_shares_nothing_that_may_be_there_once_only() -> None:
    stable = PREPACKAGED | {
        "explainer": {"type": "AnchorTabular"},
        "annotations": {"seldon.io/svc-name": "mine", "kept": "yes"},
        "labels": {"version": "default", "team": "a"},
        "replicas": 3,
        "traffic": 100,
    }
    made = canary_of(stable, NEW)
    assert made["name"] == canary_name(NEW)
    assert made["labels"] == {"version": made["name"], "team": "a"}
    assert "explainer" not in made
    assert "seldon.io/svc-name" not in made["annotations"]
    assert made["annotations"]["kept"] == "yes"
    assert (made["replicas"], made["traffic"]) == (3, 0)


def test_a_canary_of_a_predictor_without_replicas_has_one() -> None:
    assert canary_of(PREPACKAGED | {"replicas": 0}, NEW)["replicas"] == 1


def test_the_canarys_containers_keep_their_names_and_a_named_metrics_port() -> None:
    ports = [{"name": "metrics", "containerPort": 6005}]
    assert canary_of(own(ports=ports), NEW)["componentSpecs"][0]["spec"]["containers"][0]["ports"] == ports
    made = canary_of(own(), NEW)["componentSpecs"][0]["spec"]["containers"][0]
    assert made["name"] == "classifier"
    assert made["ports"] == [{"name": "metrics", "containerPort": 6000, "protocol": "TCP"}]
