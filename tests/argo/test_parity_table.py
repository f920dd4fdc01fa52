"""docs/argo.md's table is what the suite and the compiler say today (what ran on a cluster: tests/e2e)."""

from __future__ import annotations

import os
from pathlib import Path

from tests.conformance.cases import CASES
from tests.e2e import parity_table
from tidegate.argo.compiling import compile
from tidegate.argo.options import Options
from tidegate.graph.build import build
from tidegate.spec import SpecError, load

DOCS = Path(__file__).parents[2] / "docs/argo.md"


def refusals() -> dict[str, str]:
    found = {}
    for case in CASES:
        try:
            compile(build(load(case.ir)), Options(), b"")
        except SpecError as error:
            found[case.name] = str(error)
    return found


def test_golden_table_of_parity() -> None:
    text = DOCS.read_text()
    before, _, rest = text.partition(parity_table.BEGIN)
    found, _, after = rest.partition(parity_table.END)
    table = f"\n{parity_table.table(CASES, refusals())}\n"
    if os.environ.get("TIDEGATE_GOLDEN") == "write":
        DOCS.write_text(f"{before}{parity_table.BEGIN}{table}{parity_table.END}{after}")
        found = table

    assert found == table
