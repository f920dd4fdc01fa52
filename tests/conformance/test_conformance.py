"""Every construct of the IR, run by the local engine: the outputs, skips, failures and cache hits that KFP means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.case import Case, differences
from tests.conformance.cases import CASES
from tests.conformance.local import Local
from tests.local.tasks import short_folder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def engine() -> Iterator[Local]:
    """One store and one set of warm workers for all cases."""
    with short_folder() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        patch.delenv("TIDEGATE_STORE", raising=False)
        patch.chdir(folder)
        Path("tidegate.toml").write_text(settings())
        yield Local(folder)


def settings() -> str:
    """Where the components environment is made, it is the image with packages; it has Jupyter's."""
    environment = ROOT / ".venvs/components"
    if not (environment / "bin/python").exists():
        return ""
    return f"""
images = {{ "python:3.11-with-packages" = "packages" }}
environments.packages.path = "{environment}"
"""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_construct_means_what_kfp_says(case: Case, engine: Local) -> None:
    if case.needs and not settings():
        pytest.skip("needs the components environment: `make setup`")
    assert list(differences(case, engine.run(case))) == []
    if case.again is not None:
        assert list(differences(case, engine.run(case), second=True)) == []


def test_each_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
