"""Writes what follows from the Helm chart's values: values.yaml, values.schema.json and README.md (`make golden`).

The types below are where a value is described once.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

CHART = Path(__file__).resolve().parent.parent / "helm/tidegate"


class Said(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Image(Said):
    repository: str = Field("tidegate/operator", min_length=1, description="The image's name, with its registry.")
    tag: str = Field(
        "",
        description="By default the chart's appVersion; never latest.",
        json_schema_extra={"not": {"const": "latest"}},
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field("IfNotPresent", description="When it is pulled.")
    pull_secrets: list[dict[str, str]] = Field([], description="`- name: SECRET`, to pull it with.")


class Operator(Said):
    namespaces: list[str] = Field([], description="Work there only, with rights there only; empty: everywhere.")
    prometheus: str = Field("", pattern="^(https?://.+)?$", description="Read metrics there; empty: ask pods.")
    scrape: bool = Field(False, description="Ask pods, and Prometheus only for requirements' own queries.")
    gateway: str = Field(
        "istio-system/istio=ingressgateway",
        pattern="^([^/]+/.+)?$",
        description="NAMESPACE/LABEL=VALUE of the ingress gateway's pods, whose own errors count; empty: none.",
    )
    interval: float = Field(5, ge=0.5, description="Seconds between two looks at a rollout under way.")
    log_format: Literal["json", "text"] = Field("json", description="How log lines are written.")
    verbose: bool = Field(False, description="Log more.")


class ServiceAccount(Said):
    annotations: dict[str, str] = Field({}, description="Of the operator's ServiceAccount.")


class Crds(Said):
    install: bool = Field(True, description="Bring the CRD, and upgrade it with the chart.")
    keep: bool = Field(True, description="Let it, and all ModelRollouts, outlive the release.")


class NetworkPolicy(Said):
    enabled: bool = Field(True, description="Only what the operator needs, in and out.")


class Monitoring(Said):
    enabled: bool = Field(False, description="ServiceMonitor, alerts and a Grafana dashboard (Prometheus operator).")


class ArgoWorkflows(Said):
    enabled: bool = Field(False, description="Rights and policies of namespace `pipelines`, which must exist.")


class Flights(Said):
    enabled: bool = Field(False, description="The example in namespace `flights`, which must exist (Seldon Core v1).")


class Values(Said):
    """Values of the chart."""

    image: Image = Field(Image(), description="The operator's image.")
    replicas: int = Field(2, ge=0, description="One works, the others wait for its Lease.")
    operator: Operator = Field(Operator(), description="How it works.")
    resources: dict[str, Any] = Field(
        {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "384Mi"}},
        description="Of the operator's container.",
    )
    service_account: ServiceAccount = Field(ServiceAccount(), description="The operator's account.")
    network_policy: NetworkPolicy = Field(NetworkPolicy(), description="NetworkPolicies.")
    monitoring: Monitoring = Field(Monitoring(), description="Prometheus and Grafana.")
    argo_workflows: ArgoWorkflows = Field(ArgoWorkflows(), description="Pipelines on plain Argo Workflows.")
    flights: Flights = Field(Flights(), description="An example.")
    crds: Crds = Field(Crds(), description="The CRD of ModelRollout.")
    pod_annotations: dict[str, str] = Field({}, description="Of the operator's pods.")
    priority_class_name: str = Field("", description="Of the operator's pods.")
    node_selector: dict[str, str] = Field({}, description="Of the operator's pods.")
    tolerations: list[dict[str, Any]] = Field([], description="Of the operator's pods.")
    affinity: dict[str, Any] = Field({}, description="Of the operator's pods.")


def values_yaml(values: BaseModel, indent: int = 0) -> str:
    lines: list[str] = []
    for key, field in type(values).model_fields.items():
        value, name = getattr(values, key), str(field.alias)
        lines.append(f"{' ' * indent}# {field.description}")
        if isinstance(value, BaseModel):
            lines += [f"{' ' * indent}{name}:", values_yaml(value, indent + 2)]
        else:
            said = yaml.safe_dump({name: value}, sort_keys=False, width=10**6).rstrip("\n")
            lines += [" " * indent + line for line in said.splitlines()]
    return "\n".join(lines)


def schema() -> dict[str, Any]:
    """JSON Schema draft 7, as Helm reads it."""
    made = Values.model_json_schema()
    text = json.dumps(made).replace("#/$defs/", "#/definitions/")
    made = json.loads(text)
    made["definitions"] = made.pop("$defs")
    # `helm --set` and sub-charts: Helm itself hands these down
    made["properties"]["global"] = {"type": "object", "description": "Of a parent chart."}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **made}


def rows(values: BaseModel, prefix: str = "") -> list[str]:
    made: list[str] = []
    for key, field in type(values).model_fields.items():
        value, name = getattr(values, key), f"{prefix}{field.alias}"
        if isinstance(value, BaseModel):
            made += rows(value, f"{name}.")
        else:
            made.append(f"| `{name}` | `{json.dumps(value)}` | {field.description} |")
    return made


README = """\
# tidegate, by Helm
```
helm install tidegate helm/tidegate --namespace tidegate-system --create-namespace
helm upgrade tidegate helm/tidegate --namespace tidegate-system --reset-then-reuse-values
```
The same objects as `kubectl apply -k manifests/base` (and `manifests/monitoring`, `argo-workflows`, `flights` by their
switches): the chart reads the very same files, and a test compares both. Helm makes the namespace; to enforce
restricted pods there, label it `pod-security.kubernetes.io/enforce=restricted`.

The CRD is one of the chart's templates, not in `crds/`, so that `helm upgrade` upgrades it. One that was applied by
hand is taken over with
```
kubectl label crd modelrollouts.tidegate.io app.kubernetes.io/managed-by=Helm
kubectl annotate crd modelrollouts.tidegate.io meta.helm.sh/release-name=tidegate \\
  meta.helm.sh/release-namespace=tidegate-system
```

## Values
| value | default | what it is |
|---|---|---|
"""


def files() -> dict[Path, str]:
    """What stands in each generated file. Pure."""
    head = "# Written by scripts/chart.py (`make golden`); README.md has the same as a table.\n"
    return {
        CHART / "values.yaml": head + values_yaml(Values()) + "\n",
        CHART / "values.schema.json": json.dumps(schema(), indent=1) + "\n",
        CHART / "README.md": README + "\n".join(rows(Values())) + "\n",
    }


def main() -> int:
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
