"""`tidegate lineage`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tidegate.cli import options, plain
from tidegate.cli.lineage import Lineage, ask
from tidegate.cli.output import Format, emit
from tidegate.cli.references import find_artifact, open_store
from tidegate.cli.views import lineage as view

EXAMPLES = {
    "lineage": """
tidegate lineage model                      the newest output called `model`
tidegate lineage latest/trainer/model       what the last run trained
tidegate lineage latest:flights/pusher/pushed_model --metric auc
tidegate lineage 3f2a9c                     by digits of its digest
tidegate lineage .tidegate/runs/x/.../model by its place on disk
""",
}


def lineage(
    artifact: Annotated[
        str, typer.Argument(metavar="ARTIFACT", help="RUN/TASK/OUTPUT, OUTPUT (the newest), an id, a digest or a path.")
    ],
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Say which artifact of this type has the best value of it.")
    ] = "",
    lowest: Annotated[bool, typer.Option("--lowest", help="The best value of --metric is the lowest.")] = False,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", min=0, help="Tasks to follow, in both directions; 0: all.")
    ] = 0,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
) -> None:
    """Who made it, when, with which code and parameters; from which data and artifacts; what was made from it since;
    and whether it is the latest, and the best, of its kind.
    """
    with open_store(store, make=False) as opened:
        found = ask(opened, find_artifact(opened, artifact), metric, lowest, depth)
    emit(output, lambda: _data(found), lambda to, wide: view.told(found, to, wide))


def _data(found: Lineage) -> dict[str, Any]:
    return {
        "artifact": plain.artifact(found.artifact),
        "made_by": {
            "run": plain.run(found.run) if found.run else None,
            "task": plain.task(found.task) if found.task else None,
        },
        "made_from": [plain.step(step) for step in found.ancestors],
        "used_for": [plain.step(step) for step in found.descendants],
        "latest": plain.artifact(found.latest) if found.latest else None,
        "best": {"metric": found.metric, "value": found.best[1], "artifact": plain.artifact(found.best[0])}
        if found.best
        else None,
    }
