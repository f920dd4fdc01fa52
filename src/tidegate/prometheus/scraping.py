"""Metrics without Prometheus: the pods' own endpoints, asked directly."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import httpx

from tidegate.prometheus.samples import Sample, from_text
from tidegate.prometheus.series import EXECUTOR, GATEWAY, RUNTIME, Roles, series
from tidegate.prometheus.server import Question, Server, asked
from tidegate.rollout.observation import Series, Tally
from tidegate.rollout.ports import PortError

_LOG = logging.getLogger(__name__)
SECONDS = 3.0
MOST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint, and what Prometheus' service discovery would say of it."""

    url: str
    pod: str
    predictor: str = ""
    """Empty: a gateway's, which sees all predictors."""
    version: str = ""
    """The predictor's, as its figures name it."""
    executor: bool = True
    """The page of Seldon's executor; False: of a model server."""


class Scraper:
    """Asks endpoints, several at once. What two rollouts want within `fresh` seconds (a gateway's) is read once."""

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        fresh: float = 1.0,
        at_once: int = 16,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self.clock, self._fresh = clock, fresh
        self._client = client or httpx.AsyncClient(timeout=SECONDS, trust_env=False)
        self._free = asyncio.Semaphore(at_once)
        self._known: dict[str, tuple[float, asyncio.Task[str]]] = {}

    async def scrape(self, target: Target) -> list[Sample]:
        """The samples of one endpoint, named after their pod. Raises: PortError."""
        at, text = await self._text(target.url)
        try:
            return [
                Sample(sample.name, {**sample.labels, "pod": target.pod}, sample.value, sample.at)
                for sample in from_text(text, at, (EXECUTOR, GATEWAY, RUNTIME))
            ]
        except ValueError as error:
            raise PortError(f"{target.url}: not Prometheus' text format: {error}") from None

    async def _text(self, url: str) -> tuple[float, str]:
        now = self.clock()
        at, task = self._known.get(url, (now, None))
        if task is None or not 0 <= now - at < self._fresh:
            at, task = now, asyncio.create_task(self._fetch(url))
            self._known = {u: (t, k) for u, (t, k) in self._known.items() if 0 <= now - t < self._fresh}
            self._known[url] = (at, task)
        return at, await asyncio.shield(task)

    async def _fetch(self, url: str) -> str:
        async with self._free:
            try:
                async with self._client.stream("GET", url) as answer:
                    answer.raise_for_status()
                    parts, size = [], 0
                    async for part in answer.aiter_bytes():
                        size += len(part)
                        if size > MOST_BYTES:
                            raise PortError(f"{url}: more than {MOST_BYTES // 2**20} MiB of metrics", again=False)
                        parts.append(part)
                return b"".join(parts).decode("utf-8", "replace")
            except httpx.HTTPStatusError as error:
                raise PortError(f"{url}: {error.response.status_code}") from None
            except httpx.HTTPError as error:
                raise PortError(f"{url}: no answer ({type(error).__name__})") from None

    async def close(self) -> None:
        await self._client.aclose()


class PodMetrics:
    """A rollout's Metrics from its pods and the gateway's. `look` is asked at each reading: pods come and go."""

    def __init__(
        self,
        scraper: Scraper,
        look: Callable[[], Awaitable[tuple[Roles, Sequence[Target]]]],
        server: Server | None = None,
        questions: Sequence[Question] = (),
    ) -> None:
        self._scraper, self._look, self._server, self._questions = scraper, look, server, questions

    async def read(self) -> tuple[Series, ...]:
        """What can be read; a pod that does not answer has no figures. Raises: PortError where none answers."""
        roles, targets = await self._look()
        answers = await asyncio.gather(*(self._scraper.scrape(target) for target in targets), return_exceptions=True)
        found: list[Sample] = []
        silent: list[PortError] = []
        for answer in answers:
            if isinstance(answer, PortError):
                silent.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += answer
        for error in silent:
            _LOG.debug("metrics: %s", error)
        if targets and len(silent) == len(targets):
            raise silent[0]
        read = series(found, roles)
        known = {(one.role, one.source) for one in read if one.measure == "errors"}
        quiet = [s for s in _zeros(roles, targets, answers, self._scraper.clock()) if (s.role, s.source) not in known]
        questions = await asked(self._server, self._questions, roles) if self._server else []
        return (*read, *quiet, *questions)


def _zeros(roles: Roles, targets: Sequence[Target], answers: Iterable[object], at: float) -> list[Series]:
    """Counters that do not exist before their first event stand at zero: else the first events would be their base."""
    zeros = []
    for target, answer in zip(targets, answers, strict=True):
        if isinstance(answer, BaseException):
            continue
        kind = "executor" if target.executor else "server"

        about = {target.predictor: kind} if target.predictor else dict.fromkeys(roles.predictors, "gateway")
        if target.predictor and target.executor != roles.executors:
            continue
        for predictor, origin in about.items():
            if role := roles.predictors.get(predictor):
                zero = Series(role, "errors", Tally(0.0, 0.0), at, f"{origin} {target.pod}", version=target.version)
                zeros.append(zero)
    return zeros
