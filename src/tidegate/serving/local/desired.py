"""What should be served, and what is: plain data, as the files hold it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tidegate.rollout.actions import Drop, Prepare, Promote, SetTraffic
from tidegate.rollout.observation import CANARY, STABLE

VERSION = 1


@dataclass(frozen=True, slots=True)
class Runtime:
    """The environment that has MLServer and Envoy."""

    python: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """One model, served by some processes; its id names Envoy's cluster and is never used again."""

    id: str
    uri: str
    """The model's folder."""
    digest: str = ""
    version: str = ""
    replicas: int = 1
    python_class: str = ""
    """Of a model packaged for Seldon's Python wrapper; the model that follows it is packaged alike."""


@dataclass(frozen=True, slots=True)
class Desired:
    name: str
    """The model's name in URLs."""
    runtime: Runtime
    port: int = 0
    """Where clients come; 0: a free one."""
    stable: Instance | None = None
    canary: Instance | None = None
    retiring: Instance | None = None
    """The stable model of before: stays until the new one has all its replicas."""
    weight: int = 0
    """Per cent of requests for the canary."""
    mirror: int = 0
    """Per cent of requests copied to the canary."""
    sticky: str = ""
    """A header: requests with the same value go to the same model."""
    replicas: int = 2
    """Processes for the stable model; the canary has one, until it is promoted."""
    public_key: str = ""
    """Who must have signed each model; empty: no signature is needed."""
    payload_share: float = 0.0
    slices: tuple[str, ...] = ()
    made: int = 0
    """Instances so far."""
    stopped: bool = False

    @property
    def instances(self) -> tuple[Instance, ...]:
        return tuple(i for i in (self.stable, self.canary, self.retiring) if i is not None)

    def encode(self) -> dict[str, Any]:
        return {"format": VERSION, **asdict(self)}

    @staticmethod
    def decode(data: Mapping[str, Any]) -> Desired:
        """Raises: ValueError for a file of another version, TypeError or KeyError for a broken one."""
        if data.get("format") != VERSION:
            raise ValueError(f"format {data.get('format')!r}; expected {VERSION}")
        given = {k: v for k, v in data.items() if k != "format"}
        for role in ("stable", "canary", "retiring"):
            given[role] = Instance(**given[role]) if given[role] else None
        return Desired(**given | {"runtime": Runtime(**given["runtime"]), "slices": tuple(given["slices"])})


def new_instance(desired: Desired, uri: str, digest: str, version: str, replicas: int) -> tuple[Desired, Instance]:
    """An instance with an id of its own."""
    plain = re.sub(r"[^a-z0-9]+", "-", (version or uri.rstrip("/").rsplit("/", 1)[-1]).lower()).strip("-")[:40]
    instance = Instance(f"{plain or 'model'}-{desired.made + 1}", uri, digest, version, replicas)
    return replace(desired, made=desired.made + 1), instance


def performed(desired: Desired, action: Prepare | SetTraffic | Promote | Drop) -> Desired:
    """What should be after a rollout's action; the same again changes nothing."""
    match action:
        case Prepare():
            if desired.canary and (desired.canary.uri, desired.canary.digest) == (action.uri, action.digest):
                return desired
            fresh, canary = new_instance(desired, action.uri, action.digest, action.version, 1)
            packaged = desired.stable.python_class if desired.stable else ""
            return replace(fresh, canary=replace(canary, python_class=packaged), weight=0, mirror=0)
        case SetTraffic():
            if desired.canary is None:
                return desired
            return replace(desired, weight=action.weights.get(CANARY, 0), mirror=action.mirror)
        case Promote():
            if desired.canary is None or desired.canary.uri != action.uri:
                return desired
            live = replace(desired.canary, replicas=desired.replicas)
            return replace(desired, stable=live, canary=None, retiring=desired.stable, weight=0, mirror=0)
        case Drop():
            return replace(desired, canary=None, weight=0, mirror=0)


def weights(desired: Desired) -> dict[str, int]:
    """Per cent of requests by role."""
    if desired.canary is None:
        return {STABLE: 100}
    return {STABLE: 100 - desired.weight, CANARY: desired.weight}


# ------------------------------------------------------------ what is
@dataclass(frozen=True, slots=True)
class Replica:
    """One process of an instance."""

    instance: str
    number: int
    pid: int
    http: int
    grpc: int
    metrics: int
    ready: bool = False
    restarts: int = 0
    error: str = ""
    """Why it is not up; the end of its log."""

    @property
    def key(self) -> str:
        return f"{self.instance}/{self.number}"


@dataclass(frozen=True, slots=True)
class Status:
    supervisor: int
    """Its process id."""
    envoy: int = 0
    port: int = 0
    admin: int = 0
    replicas: tuple[Replica, ...] = ()
    error: str = ""

    def of(self, instance: Instance | None) -> tuple[Replica, ...]:
        return tuple(r for r in self.replicas if instance and r.instance == instance.id)

    def encode(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def decode(data: Mapping[str, Any]) -> Status:
        return Status(**{**data, "replicas": tuple(Replica(**r) for r in data["replicas"])})
