"""Real flights of one month as the requests that would have asked for them, in their order: for trying a served model.

    .venvs/components/bin/python pipelines/flights/replay.py --span 8 --count 2000 > requests.jsonl

One V2 inference request a line. What the flight's fate tells (the label) is not in them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from source import read_examples

LABEL = "late"


def requests(span: int, count: int, input_base: str = "") -> Iterator[dict[str, Any]]:
    """The first `count` flights of the month `span` (1 to 12) of 2013."""
    for table in read_examples(input_base, span):
        for number, row in enumerate(table.slice(0, count).to_pylist()):
            inputs = [
                {"name": name, "datatype": _datatype(value), "shape": [1, 1], "data": [value]}
                for name, value in row.items()
                if name != LABEL and value is not None and value == value
            ]
            yield {"id": f"flight-{span}-{number}", "inputs": inputs}


def _datatype(value: Any) -> str:
    if isinstance(value, str):
        return "BYTES"
    return "INT64" if isinstance(value, int) else "FP32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--span", type=int, default=8, help="the month, 1 to 12")
    parser.add_argument("--count", type=int, default=2000, help="flights at most")
    parser.add_argument("--input-base", default="", help="folder of the CSV files; else the package's")
    given = parser.parse_args()
    for request in requests(given.span, given.count, given.input_base):
        sys.stdout.write(json.dumps(request) + "\n")


if __name__ == "__main__":
    main()
