"""A small pipeline of every shape that the command line shows: statistics, a model, metrics, a condition, a loop."""

from kfp import dsl
from kfp.dsl import Input, Metrics, Model, Output

from tidegate.components.artifacts import ExampleStatistics

HOST = "python:3.11"


@dsl.component(base_image=HOST, install_kfp_package=False)
def measure(rows: int, shift: float, statistics: Output[ExampleStatistics]) -> int:
    import json
    from pathlib import Path

    feature = {"name": "distance", "type": "FLOAT", "missing": 0, "presence": 1.0, "mean": shift, "std": 2.0}
    split = Path(statistics.path) / "Split-train"
    split.mkdir(parents=True)
    (split / "summary.json").write_text(json.dumps({"split": "train", "rows": rows, "features": [feature]}))
    statistics.metadata["rows"] = rows
    return rows


@dsl.component(base_image=HOST, install_kfp_package=False)
def train(statistics: Input[ExampleStatistics], rate: float, model: Output[Model], metrics: Output[Metrics]) -> None:
    from pathlib import Path

    print("first line")  # noqa: T201
    print(f"training at {rate}")  # noqa: T201
    Path(model.path).write_text(str(rate))
    metrics.log_metric("auc", 0.5 + rate / 10)


@dsl.component(base_image=HOST, install_kfp_package=False)
def check(model: Input[Model], bad: bool) -> str:
    if bad:
        raise ValueError("the model is bad")
    return "good"


@dsl.component(base_image=HOST, install_kfp_package=False)
def push(model: Input[Model], place: str) -> str:
    return f"pushed to {place}"


@dsl.pipeline(name="toy")
def toy(rows: int = 10, shift: float = 1.0, rate: float = 0.5, bad: bool = False) -> int:
    measured = measure(rows=rows, shift=shift)
    trained = train(statistics=measured.outputs["statistics"], rate=rate)
    checked = check(model=trained.outputs["model"], bad=bad)
    with dsl.If(checked.output == "good"), dsl.ParallelFor(["here", "there"]) as place:
        push(model=trained.outputs["model"], place=place)
    return measured.outputs["Output"]
