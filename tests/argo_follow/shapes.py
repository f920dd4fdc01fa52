"""A pipeline of every shape that following has to tell: loops, conditions, artifacts, retries, failures, exits."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Output

HOST = "python:3.11"


@dsl.component(base_image=HOST, install_kfp_package=False)
def make(rows: int, data: Output[Dataset]) -> int:
    from pathlib import Path

    print("making")  # noqa: T201
    folder = Path(data.path)
    folder.mkdir(parents=True)
    (folder / "rows.txt").write_text("row\n" * rows)
    (folder / "empty").write_text("")
    data.metadata["rows"] = rows
    return rows


@dsl.component(base_image=HOST, install_kfp_package=False)
def measure(data: Input[Dataset], metrics: Output[Metrics]) -> None:
    from pathlib import Path

    metrics.log_metric("lines", len((Path(data.path) / "rows.txt").read_text().splitlines()))


@dsl.component(base_image=HOST, install_kfp_package=False)
def say(text: str) -> str:
    return text


@dsl.component(base_image=HOST, install_kfp_package=False)
def check(rows: int, least: int) -> str:
    if rows < least:
        raise ValueError(f"{rows} rows, and {least} are needed")
    return "enough"


@dsl.component(base_image=HOST, install_kfp_package=False)
def wait(seconds: int) -> int:
    import time

    print(f"waiting {seconds}", flush=True)  # noqa: T201
    time.sleep(seconds)
    return seconds


@dsl.pipeline(name="shapes")
def shapes(rows: int = 3, least: int = 1, seconds: int = 0) -> int:
    tidy = say(text="tidy").set_caching_options(False)
    made = make(rows=rows)
    with dsl.ExitHandler(tidy):
        measure(data=made.outputs["data"])
        checked = check(rows=made.outputs["Output"], least=least).set_retry(num_retries=1)
        say(text=checked.output)
        with dsl.If(made.outputs["Output"] > 1_000_000):
            say(text="many")
        with dsl.ParallelFor(["a", 'b "{{c}}"']) as text:
            say(text=text)
        wait(seconds=seconds).set_caching_options(False)
    return made.outputs["Output"]
