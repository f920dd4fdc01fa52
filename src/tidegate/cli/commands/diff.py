"""`tidegate diff`."""

from __future__ import annotations

from typing import Any

from tidegate.cli import options
from tidegate.cli.clusters import readable
from tidegate.cli.differences import ABSENT, Change, Differences, differences
from tidegate.cli.output import Format, emit
from tidegate.cli.references import find_run, open_store
from tidegate.cli.views import diff as view

EXAMPLES = {
    "diff": """
tidegate diff latest~1 latest                 the last two runs
tidegate diff flights-20261120 latest         an earlier run and the last one
tidegate diff latest:flights latest:nightly   the last runs of two pipelines
tidegate diff A B -o wide                     every feature and metric
""",
}


def diff(
    left: options.Run, right: options.Run, store: options.Store = None, output: options.Output = Format.TABLE
) -> None:
    """What changed from the first run to the second: parameters, tasks whose outputs have other content, data
    statistics (what moved most first), metrics with their intervals, results, and the code of components and user
    modules as a unified diff. Only what differs is shown.
    """
    with open_store(store, make=False) as opened:
        found = differences(readable(find_run(opened, left)), readable(find_run(opened, right)))
    emit(output, lambda: _data(found), lambda to, wide: view.told(found, to, wide))


def _data(found: Differences) -> dict[str, Any]:
    return {
        "left": found.left.id,
        "right": found.right.id,
        "parameters": [_change(change) for change in found.parameters],
        "tasks": [
            {
                "task": change.path,
                "left": change.left.state if change.left else None,
                "right": change.right.state if change.right else None,
                "outputs_that_differ": list(change.contents),
            }
            for change in found.tasks
        ],
        "data": [
            {
                "task": change.task,
                "split": change.split,
                "feature": change.feature,
                "what": change.what,
                "left": change.left,
                "right": change.right,
                "distance": change.distance,
            }
            for change in found.data
        ],
        "metrics": [
            {
                "metric": change.name,
                "left": _metric(change.left),
                "right": _metric(change.right),
            }
            for change in found.metrics
        ],
        "results": [_change(change) for change in found.results],
        "code": [{"name": change.name, "diff": "\n".join(change.diff)} for change in found.code],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "name": change.name,
        **({"left": change.left} if change.left is not ABSENT else {}),
        **({"right": change.right} if change.right is not ABSENT else {}),
    }


def _metric(metric: Any) -> Any:
    return {"value": metric.value, "low": metric.low, "high": metric.high} if metric else None
