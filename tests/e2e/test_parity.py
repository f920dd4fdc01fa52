"""Pipelines on a real Argo give what the local engine gives: the conformance suite, each case twice.

By default one case a construct. All of them, and docs/argo.md's table compared (`TIDEGATE_GOLDEN=write`: written):
    TIDEGATE_E2E_ALL=1 .venv/bin/python -m pytest tests/e2e/test_parity.py
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.case import Case, Outcome, differences
from tests.conformance.cases import CASES
from tests.e2e import parity_table
from tests.e2e.cluster import Namespace, kubectl, objects, reachable, repository
from tests.e2e.parity import Argo, Compiled

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not reachable(), reason="needs KUBECONFIG of a cluster with Argo")]
ALL = bool(os.environ.get("TIDEGATE_E2E_ALL"))
DOCS = Path(__file__).parents[2] / "docs/argo.md"


def chosen() -> list[Case]:
    if ALL:
        return [case for case in CASES if case.name not in parity_table.ENDLESS]
    first: dict[str, Case] = {}
    for case in CASES:
        if case.name not in parity_table.OTHERWISE:
            first.setdefault(case.construct, case)
    return list(first.values())


@pytest.fixture(scope="module")
def argo() -> Iterator[Argo]:
    namespace = Namespace.made(f"tidegate-parity-{secrets.token_hex(3)}")
    yield Argo(namespace, objects(), repository()["bucket"], int(os.environ.get("TIDEGATE_E2E_AT_ONCE", "8")))
    kubectl("delete", "namespace", namespace.name, "--wait=false")


@pytest.fixture(scope="module")
def cases(argo: Argo) -> list[Compiled]:
    return [compiled for case in chosen() if (compiled := argo.compiled(case))]


@pytest.fixture(scope="module")
def first(argo: Argo, cases: list[Compiled]) -> dict[str, Outcome]:
    return argo.run_all(cases)


@pytest.fixture(scope="module")
def second(argo: Argo, cases: list[Compiled], first: dict[str, Outcome]) -> dict[str, Outcome]:
    return argo.run_all(cases)


def test_the_first_run_gives_what_the_local_engine_gives(cases: list[Compiled], first: dict[str, Outcome]) -> None:
    wrong = {
        each.case.name: found
        for each in cases
        if each.case.name not in parity_table.OTHERWISE
        and (found := list(differences(each.case, first[each.case.name])))
    }
    assert wrong == {}


def test_the_second_run_is_answered_by_the_cache(cases: list[Compiled], second: dict[str, Outcome]) -> None:
    wrong = {
        each.case.name: found
        for each in cases
        if each.case.name not in parity_table.OTHERWISE
        and (found := list(differences(each.case, second[each.case.name], second=True)))
    }
    assert wrong == {}


@pytest.mark.skipif(not ALL, reason="TIDEGATE_E2E_ALL is not set")
def test_what_is_said_to_differ_does(cases: list[Compiled], first: dict[str, Outcome]) -> None:
    """So that the table tells no old news."""
    same = [
        each.case.name
        for each in cases
        if each.case.name in parity_table.OTHERWISE and not list(differences(each.case, first[each.case.name]))
    ]
    assert same == []
