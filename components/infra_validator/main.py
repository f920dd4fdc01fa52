"""`python3 -m tidegate.components.infra_validator.main`: what the container runs, without kfp."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError
from tidegate.components.infra_validator.work import Validation, validate


def main(arguments: Sequence[str] | None = None) -> int:
    """0 where the validation came to a verdict, blessed or not; 1 for what the user has to mend first."""
    parser = argparse.ArgumentParser(description="Load a model in MLServer and compare its answers with the trainer's.")
    parser.add_argument("model", type=Path)
    parser.add_argument("blessing", type=Path)
    parser.add_argument("--executor_input", default="", help="KFP's ExecutorInput (JSON)")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    parser.add_argument("--requests", type=int, default=32)
    given = parser.parse_args(arguments)
    try:
        done = validate(given.model, given.blessing, given.tolerance, given.requests)
    except ComponentError as error:
        print(f"ComponentError: {error}", file=sys.stderr)
        return 1
    if given.executor_input:
        _tell_kfp(json.loads(given.executor_input), done)
    return 0


def _tell_kfp(executor_input: dict[str, Any], done: Validation) -> None:
    """Write ExecutorOutput: the blessing with its metadata."""
    outputs = executor_input["outputs"]
    (blessing,) = outputs["artifacts"]["blessing"]["artifacts"]
    metadata = {k: v for k, v in asdict(done).items() if k != "reason" and v is not None}
    metadata["verdict"] = "INFRA BLESSED" if done.blessed else f"NOT INFRA BLESSED: {done.reason.splitlines()[-1]}"
    answer = {
        "artifacts": {"blessing": {"artifacts": [blessing | {"metadata": blessing.get("metadata", {}) | metadata}]}}
    }
    target = Path(outputs["outputFile"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
