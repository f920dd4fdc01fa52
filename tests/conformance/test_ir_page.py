"""docs/ir.md's table says what the suite sees."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.conformance.case import Case
from tests.conformance.cases import CASES

PAGE = Path(__file__).parents[2] / "docs" / "ir.md"
RECORDED = Path(__file__).with_name("kfp_local.json")
BEGIN, END = "<!-- cases: written by `make golden` -->\n", "<!-- end of cases -->\n"


def table() -> str:
    recorded = json.loads(RECORDED.read_text())
    lines = [f"| case | KFP 2.17 | kfp.local {recorded['kfp']} | tidegate |", "|---|---|---|---|"]
    lines += [row(case, recorded["cases"][case.name]) for case in CASES]
    return "\n".join(lines) + "\n"


def row(case: Case, said: dict[str, str]) -> str:
    answers = {"same": "yes", "other": f"no: {said['said']}", "untried": said["said"]}
    ours = "yes" if case.state == "succeeded" else "yes: it fails, and says why"
    cells = (case.name, case.backend or "yes", answers[said["answer"]], ours)
    return f"| {' | '.join(cell.replace('|', '&#124;').replace('<', '&lt;') for cell in cells)} |"


def test_the_golden_table_of_cases() -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    written, _, after = rest.partition(END)
    if os.environ.get("TIDEGATE_GOLDEN") == "write":
        PAGE.write_text(f"{before}{BEGIN}{table()}{END}{after}")
        return
    assert written == table(), "`make golden` writes it"
