"""Run the benchmarks and print ratios: `python -m benchmarks [NAME ...]`; as JSON too, in benchmarks/results/."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import against_tfx, latency, scale, steps
from benchmarks.comparison import Comparison

BENCHMARKS: dict[str, Callable[[], list[Comparison]]] = {
    "steps": steps.compare,
    "scale": scale.compare,
    "penguins": against_tfx.penguins,
    "flights": against_tfx.flights,
    "latency": latency.compare,
}
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> None:
    if unknown := set(names) - set(BENCHMARKS):
        raise SystemExit(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    table = Table("benchmark", "rival", "rival s", "tidegate s", "ratio", "aim")
    done: list[Comparison] = []
    for name in names or BENCHMARKS:
        done += BENCHMARKS[name]()
    for row in done:
        aim = "" if row.aim is None else f"<= {row.aim:g}" + ("" if row.ratio <= row.aim else "  missed")
        table.add_row(row.name, row.rival, f"{row.rival_seconds:.2f}", f"{row.seconds:.2f}", f"{row.ratio:.3f}", aim)
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps([row.as_dict() for row in done], indent=2), encoding="utf-8")
    print(f"details: {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
