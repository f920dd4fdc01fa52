"""The CustomResourceDefinition of ModelRollout: the spec generated from the plan's types, the status said here."""

from __future__ import annotations

from typing import Any

import yaml

from tidegate.kube.resources import MODEL_ROLLOUTS
from tidegate.operator.schema import Schema, spec_schema
from tidegate.rollout.state import Phase

KIND = "ModelRollout"
SHORT = "mro"


def definition() -> dict[str, Any]:
    """The CRD as the API server takes it."""
    group, plural = MODEL_ROLLOUTS.group, MODEL_ROLLOUTS.plural
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "labels": {"app.kubernetes.io/name": "tidegate", "app.kubernetes.io/part-of": "tidegate"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": plural,
                "singular": KIND.lower(),
                "shortNames": [SHORT],
                "categories": ["all", "tidegate"],
            },
            "versions": [
                {
                    "name": MODEL_ROLLOUTS.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                    "schema": {"openAPIV3Schema": _schema()},
                }
            ],
        },
    }


def text() -> str:
    """The CRD as a YAML file, to be applied as it is."""
    head = "# Generated from tidegate's types (tidegate.operator.crd); `make golden` writes it again.\n"
    return head + yaml.safe_dump(definition(), sort_keys=False, width=120, allow_unicode=True)


def _columns() -> list[dict[str, Any]]:
    def column(name: str, path: str, kind: str = "string", priority: int = 0) -> dict[str, Any]:
        return {"name": name, "type": kind, "jsonPath": path} | ({"priority": priority} if priority else {})

    return [
        column("Phase", ".status.phase"),
        column("Target", ".spec.target.seldonDeployment.name"),
        column("Model", ".spec.model.uri"),
        column("Canary", ".status.weights.canary", "integer"),
        column("Age", ".metadata.creationTimestamp", "date"),
        column("Message", ".status.message", priority=1),
    ]


def _schema() -> Schema:
    return {
        "type": "object",
        "description": "Brings a new model live on a SeldonDeployment, with stated error bounds, or takes it back. "
        "To change spec.model is to start a rollout.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {
                **spec_schema(),
                "description": "What should be live, how it comes live, and what a good model is.",
            },
            "status": _status(),
        },
    }


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _object(description: str, properties: Schema, **more: Any) -> Schema:
    return {"type": "object", "description": description, "properties": properties, **more}


def _status() -> Schema:
    weight = {"type": "integer", "minimum": 0, "maximum": 100}
    number = {"type": "number"}
    return _object(
        "Where the rollout stands. Only the operator writes it.",
        {
            "observedGeneration": {
                "type": "integer", "format": "int64", "description": "The generation of the spec that this is about.",
            },
            "phase": _text(
                "Where it is; Promoted, RolledBack and Reported are its ends. Invalid: the spec cannot be used.",
                enum=[*(str(phase) for phase in Phase), "Invalid"],
            ),
            "message": _text("Why it is there, in a sentence."),
            "model": _text("The uri of the model that the rollout is about."),
            "stable": _text("The uri of the model that was live when the rollout began."),
            "startedAt": _text("When the rollout began.", format="date-time"),
            "weights": _object(
                "Per cent of requests, as really in force.",
                {
                    "stable": {**weight, "description": "For the model that was live before."},
                    "canary": {**weight, "description": "For the new model."},
                },
            ),
            "mirrored": {**weight, "description": "Per cent of requests that are copied to the new model."},
            "waiting": _text("What the last change of traffic still waits for."),
            "requirements": {
                "type": "array",
                "description": "What each requirement has seen.",
                "items": _object(
                    "One requirement.",
                    {
                        "name": _text("Its name in the spec; `bandit` is a bandit's own."),
                        "sentence": _text("Value, interval, bound and evidence, in words."),
                        "value": {**number, "description": "What was measured: a share, a mean, or a difference."},
                        "low": {**number, "description": "The lower end of the confidence interval."},
                        "high": {**number, "description": "Its upper end."},
                        "bound": {**number, "description": "What the value is held against."},
                        "seen": {**number, "description": "Requests (rewards, answers) of the new model so far."},
                    },
                    required=["name"],
                ),
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            "conditions": {
                "type": "array",
                "description": "Progressing, Promoted, Degraded, Foreign, Recorded: see each one's reason and message.",
                "items": _condition(),
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
            "state": {
                "type": "object",
                "description": "All that the operator remembers of the rollout, for itself.",
                "x-kubernetes-preserve-unknown-fields": True,
            },
        },
    )  # fmt: skip


def _condition() -> Schema:
    return _object(
        "As all Kubernetes conditions.",
        {
            "type": _text("Which."),
            "status": _text("Whether it holds.", enum=["True", "False", "Unknown"]),
            "reason": _text("Why, in a word."),
            "message": _text("Why, in a sentence."),
            "lastTransitionTime": _text("Since when.", format="date-time"),
            "observedGeneration": {
                "type": "integer", "format": "int64", "description": "The generation of the spec that it is about.",
            },
        },
        required=["type", "status", "reason", "lastTransitionTime"],
    )  # fmt: skip
