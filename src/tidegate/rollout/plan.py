"""What a user asks for: the spec of a ModelRollout. The one set of types for plan files, the CRD and its schema.

Times are seconds, weights per cent of requests, rates and shares in [0, 1]. In YAML the names are camelCase.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from tidegate.rollout import checks

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[float, Field(ge=0)]


class Said(BaseModel):
    """A part of the spec: nothing unknown, nothing changed after it is read."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, allow_inf_nan=False
    )


# ------------------------------------------------------------ what to serve, and where
class Model(Said):
    uri: str = Field(description="Where the model lies: a folder, or an address that the model server can load.")
    digest: str = Field(
        default="",
        pattern=r"^(sha256:[0-9a-f]{64})?$",
        description="sha256 of the model's content; what is loaded is verified against it.",
    )
    version: str = Field(default="", description="A name for people and for metrics; by default taken from the uri.")


class SeldonTarget(Said):
    name: str = Field(description="The SeldonDeployment whose traffic this rollout owns, in the same namespace.")
    container: str = Field(default="", description="The container that serves the model; by default the graph's.")


class Target(Said):
    seldon_deployment: SeldonTarget | None = Field(default=None, description="A SeldonDeployment of Seldon Core v1.")
    local: bool = Field(default=False, description="This machine: MLServer behind Envoy (`tidegate serve`).")

    @model_validator(mode="after")
    def _one(self) -> Self:
        checks.one_at_most(self, "seldon_deployment", "local")
        return self


# ------------------------------------------------------------ strategies
class Step(Said):
    weight: Annotated[int, Field(ge=1, le=100)] = Field(description="Per cent of requests for the new model.")
    min_seconds: Seconds = Field(default=0, description="Stay at least this long.")
    min_requests: int = Field(default=0, ge=0, description="Stay until the new model answered so many in this step.")


class Adaptive(Said):
    start: Annotated[int, Field(ge=1, le=100)] = Field(default=1, description="The first weight.")
    most: Annotated[int, Field(ge=1, le=100)] = Field(default=50, description="The highest weight before promotion.")
    growth: float = Field(default=2.0, gt=1, description="The next weight is at most this many times the last.")

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.start > self.most:
            raise ValueError(f"start ({self.start}) is more than most ({self.most}): the ramp only grows")
        return self


class Canary(Said):
    steps: tuple[Step, ...] = Field(default=(), description="Fixed steps; without them the ramp is adaptive.")
    adaptive: Adaptive | None = Field(default=None, description="The next weight as soon as the evidence allows it.")

    @model_validator(mode="after")
    def _grows(self) -> Self:
        checks.one_at_most(self, "steps", "adaptive")
        weights = [step.weight for step in self.steps]
        if weights != sorted(set(weights)):
            raise ValueError(f"the steps' weights must grow, found {', '.join(map(str, weights))}")
        return self


class BlueGreen(Said):
    preview_seconds: Seconds = Field(default=0, description="Serve the preview alone at least this long.")
    mirror: Weight = Field(default=100, description="Per cent of requests mirrored to the preview for its checks.")
    warm_seconds: Seconds = Field(default=300, description="Keep the old model ready after the switch.")


class Shadow(Said):
    percent: Annotated[int, Field(ge=1, le=100)] = Field(default=100, description="Per cent of requests mirrored.")
    then: Literal["promote", "report"] = Field(
        default="report", description="What follows when every requirement holds: go live, or only say so."
    )


class Bandit(Said):
    policy: Literal["thompson", "epsilonGreedy"] = Field(default="thompson", description="How traffic follows reward.")
    epsilon: Share = Field(default=0.1, description="Share of traffic that explores (epsilonGreedy).")
    floor: Annotated[int, Field(ge=1, le=50)] = Field(default=5, description="No model gets less per cent than this.")
    reward: str = Field(default="reward", description="The reward that decides.")
    margin: float = Field(default=0.0, ge=0, description="A model wins when it is shown to be better by more.")


class Strategy(Said):
    """Exactly one."""

    canary: Canary | None = Field(default=None, description="A growing share of requests.")
    blue_green: BlueGreen | None = Field(default=None, description="Preview, switch at once, keep the old one warm.")
    shadow: Shadow | None = Field(default=None, description="Mirrored requests, compared, never answered from.")
    bandit: Bandit | None = Field(default=None, description="Traffic follows the rewards until one model has won.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        checks.exactly_one(self, "canary", "blue_green", "shadow", "bandit")
        return self


# ------------------------------------------------------------ requirements
class Latency(Said):
    quantile: Annotated[float, Field(gt=0, lt=1)] = Field(default=0.99, description="0.5 to 0.999.")


class Reward(Said):
    name: str = Field(default="reward", description="The reward's or metric's name.")
    least: float = Field(default=0.0, description="No single value is below; the bounds of the verdict rest on it.")
    most: float = Field(default=1.0, description="No single value is above.")

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.least >= self.most:
            raise ValueError(f"least ({self.least:g}) must be below most ({self.most:g})")
        return self


class PredictionDrift(Said):
    output: str = Field(description="The model's output whose distribution is compared, as the largest difference "
                        "of shares over its bins or categories (L-infinity, as TFDV's drift comparator).")  # fmt: skip


class Agreement(Said):
    output: str = Field(default="", description="The output compared; by default the first.")
    tolerance: float = Field(default=0.0, ge=0, description="Numbers that differ by less agree.")


class Query(Said):
    query: str = Field(description="PromQL that gives one number; no error bound can be stated for it.")
    samples: int = Field(default=3, ge=1, description="So many evaluations in a row decide.")


class Slice(Said):
    """Requests that have this value: exactly one of header and field."""

    header: str = Field(default="", description="A request header.")
    field: str = Field(default="", description="An input of the request's payload.")
    equals: str = Field(description="Its value.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        checks.exactly_one(self, "header", "field")
        return self


class VersusStable(Said):
    margin: float = Field(ge=0, description="How much worse than the stable model, at the same time, is still good: "
                          "of a rate or share its difference, of a latency the factor less one.")  # fmt: skip


class Requirement(Said):
    """Exactly one measure, and one of atMost, atLeast, versusStable."""

    name: str = Field(description="For people, events and metrics.", pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    error_rate: bool = Field(default=False, description="Requests not answered well (5xx, no answer).")
    latency: Latency | None = Field(default=None, description="A quantile of the time to answer.")
    reward: Reward | None = Field(default=None, description="The mean of a reward or business metric.")
    prediction_drift: PredictionDrift | None = Field(default=None, description="How the answers' distribution moved.")
    agreement: Agreement | None = Field(default=None, description="Share of mirrored answers that agree.")
    prometheus: Query | None = Field(default=None, description="Any PromQL query.")
    at_most: float | None = Field(default=None, description="The bound from above; latencies in seconds.")
    at_least: float | None = Field(default=None, description="The bound from below.")
    versus_stable: VersusStable | None = Field(default=None, description="Not worse than stable by more than this.")
    decides: Literal["both", "promote", "rollBack"] = Field(
        default="both", description="promote: must be shown before promotion. rollBack: a breach rolls back."
    )
    slice: Slice | None = Field(default=None, description="Only these requests.")

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        checks.requirement(self)
        return self


# ------------------------------------------------------------ bounds, deadlines, Git
class Bounds(Said):
    false_rollback: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05, description="P(roll back | not worse in any requirement), over the whole rollout."
    )
    false_promotion: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05, description="P(promote | worse than a requirement's bound or margin), over the whole rollout."
    )


class Deadlines(Said):
    ready_seconds: Seconds = Field(default=600, description="The new model must be ready by then.")
    evidence_seconds: Seconds = Field(default=300, description="Without new evidence for so long it goes back.")
    total_seconds: Seconds = Field(default=86400, description="Not promoted by then: it goes back.")


class SecretKey(Said):
    name: str = Field(description="The Secret.")
    key: str = Field(default="token", description="Its key.")


class Git(Said):
    repository: str = Field(description="https or ssh address of the repository that Argo CD syncs.")
    branch: str = Field(default="main", description="The branch that gets the commits.")
    path: str = Field(description="The file, inside the repository, that says what runs.")
    pull_request: bool = Field(default=False, description="Push a branch of its own, to be merged by people.")
    author: str = Field(
        default="tidegate <tidegate@localhost>", description="`Name <address>`; commits are signed off."
    )
    credentials: SecretKey | None = Field(default=None, description="The Secret with the token; never logged.")


class RolloutPlan(Said):
    """The spec of a ModelRollout."""

    model: Model = Field(description="What should be live; to change it is to start a rollout.")
    target: Target = Field(default=Target(), description="Where it is served.")
    strategy: Strategy = Field(default=Strategy(canary=Canary()), description="How it comes live.")
    requirements: tuple[Requirement, ...] = Field(default=(), description="What a good model is.")
    bounds: Bounds = Field(default=Bounds(), description="How often the verdict may be wrong.")
    deadlines: Deadlines = Field(default=Deadlines(), description="How long to wait.")
    paused: bool = Field(default=False, description="Nothing is changed while this is true; a breach still goes back.")
    git: Git | None = Field(default=None, description="Write promotion and rollback to Git.")

    @model_validator(mode="after")
    def _can_end(self) -> Self:
        checks.plan(self)
        return self
