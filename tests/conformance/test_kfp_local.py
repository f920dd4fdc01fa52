"""What kfp.local makes of the same cases: recorded, since it takes seconds a case; a few are tried each time.

TIDEGATE_KFP_LOCAL=write records all of them again, TIDEGATE_KFP_LOCAL=missing those that are not there.
"""

from __future__ import annotations

import json
import os
import warnings
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.conformance.cases import CASES, case
from tests.conformance.kfp_local import answer

RECORDED = Path(__file__).with_name("kfp_local.json")
TRIED = (
    "lightweight components: several outputs",
    "conditions: If, Elif, Else: the second",
    "ignore_upstream_failure: order only",
)


@pytest.fixture(autouse=True)
def unheard() -> None:
    warnings.simplefilter("ignore")  # of kfp's own


def recorded() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(RECORDED.read_text())["cases"]
    return found


@pytest.mark.skipif("TIDEGATE_KFP_LOCAL" not in os.environ, reason="takes minutes; TIDEGATE_KFP_LOCAL=write")
def test_record_what_kfp_local_says(tmp_path: Path) -> None:
    said = recorded() if os.environ["TIDEGATE_KFP_LOCAL"] == "missing" else {}
    for number, each in enumerate(CASES):
        (folder := tmp_path / str(number)).mkdir()
        said[each.name] = said.get(each.name) or answer(each, folder)
        known = {case.name: said[case.name] for case in CASES if case.name in said}
        text = json.dumps({"kfp": version("kfp"), "cases": known}, indent=1, ensure_ascii=False)
        RECORDED.write_text(f"{text}\n")


def test_every_case_is_recorded_with_this_kfp() -> None:
    assert set(recorded()) == {each.name for each in CASES}, "TIDEGATE_KFP_LOCAL=write records anew"
    assert json.loads(RECORDED.read_text())["kfp"] == version("kfp")


@pytest.mark.parametrize("name", TRIED)
def test_kfp_local_still_says_what_is_recorded(name: str, tmp_path: Path) -> None:
    assert answer(case(name), tmp_path) == recorded()[name]
