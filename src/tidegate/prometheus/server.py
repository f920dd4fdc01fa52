"""A Prometheus server as Metrics, through its query API."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from string import Template

import httpx

from tidegate.prometheus.samples import Sample, from_answer
from tidegate.prometheus.series import EXECUTOR, GATEWAY, RUNTIME, Roles, series
from tidegate.rollout.observation import CANARY, Gauge, Series
from tidegate.rollout.ports import PortError

_LOG = logging.getLogger(__name__)
WINDOW = "2m"
"""How far back a last sample is looked for: two scrapes at Prometheus' default of a minute. It keeps its own time, so
that one that is not renewed is seen to be old."""
SECONDS = 10.0


class Server:
    """One Prometheus server. `token`: a bearer token, asked for at each query."""

    def __init__(
        self, url: str, token: Callable[[], str] | None = None, client: httpx.AsyncClient | None = None
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._client = client or httpx.AsyncClient(timeout=SECONDS, trust_env=False)

    async def query(self, promql: str) -> list[Sample]:
        """Raises: PortError, with `again` False for what Prometheus refuses."""
        headers = {"Authorization": f"Bearer {self._token()}"} if self._token else {}
        try:
            answer = await self._client.post(f"{self._url}/api/v1/query", data={"query": promql}, headers=headers)
            said = answer.json()
            return from_answer(said)
        except httpx.HTTPError as error:
            raise PortError(f"Prometheus at {self._url}: no answer ({type(error).__name__})") from None
        except (ValueError, KeyError, TypeError) as error:
            refused = answer.status_code in (400, 422)
            raise PortError(f"Prometheus at {self._url}: {error}; asked for {promql}", again=not refused) from None

    async def close(self) -> None:
        await self._client.aclose()


@dataclass(frozen=True, slots=True)
class Question:
    """A requirement's PromQL. `$namespace`, `$deployment`, `$canary`, `$stable` stand for names, `$predictor` for the
    predictor of the role that is asked for.
    """

    requirement: str
    promql: str

    def for_role(self, role: str, roles: Roles) -> str:
        names = {role: predictor for predictor, role in roles.predictors.items()}
        return Template(self.promql).safe_substitute(
            namespace=roles.namespace, deployment=roles.deployment, predictor=names.get(role, ""), **names
        )


class ServerMetrics:
    """A rollout's Metrics from Prometheus. `roles` is asked at each reading, since predictors come and go."""

    def __init__(
        self, server: Server, roles: Callable[[], Awaitable[Roles]], questions: Sequence[Question] = ()
    ) -> None:
        self._server, self._roles, self._questions = server, roles, questions

    async def read(self) -> tuple[Series, ...]:
        """Raises: PortError where Prometheus does not answer."""
        roles = await self._roles()
        found: list[Sample] = []
        for selector in selectors(roles):
            found += await self._server.query(f"{selector}[{WINDOW}]")
        return (*series(found, roles), *await asked(self._server, self._questions, roles))


def selectors(roles: Roles) -> list[str]:
    """The series that a rollout lives on."""
    matched = f'deployment_name="{roles.deployment}"'
    services = "|".join(f"{roles.deployment}-{predictor}" for predictor in roles.predictors)
    destination = (
        f'reporter="source",destination_service_namespace="{roles.namespace}",destination_service_name=~"{services}"'
    )
    executor = [f'{{__name__=~"{EXECUTOR}_(bucket|count)",{matched}}}'] if roles.executors else []
    pods = "|".join(roles.pods)
    runtime = [f'{{__name__=~"{RUNTIME}.*",{label}=~"{pods}"}}' for label in ("pod", "kubernetes_pod_name") if pods]
    return [*executor, f"{GATEWAY}{{{destination}}}", *runtime]


async def asked(server: Server, questions: Sequence[Question], roles: Roles) -> list[Series]:
    """The requirements' own queries, for each role that they tell apart. What gives no single number is no evidence."""
    answers = []
    for question in questions:
        for role in set(roles.predictors.values()) if "$predictor" in question.promql else {CANARY}:
            promql = question.for_role(role, roles)
            try:
                found = await server.query(promql)
            except PortError as error:
                _LOG.warning("requirement %s: %s", question.requirement, error)
                continue
            if len(found) != 1:
                _LOG.warning(
                    "requirement %s: expected one number, found %d: %s", question.requirement, len(found), promql
                )
                continue
            answers.append(Series(role, f"query/{question.requirement}", Gauge(found[0].value), found[0].at))
    return answers


def questions(requirements: Mapping[str, str]) -> tuple[Question, ...]:
    """From requirement -> PromQL."""
    return tuple(Question(name, promql) for name, promql in requirements.items())
