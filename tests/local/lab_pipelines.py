"""Pipelines that leave a trace, so that tests see what really ran, and how often."""

# Components import what they need themselves, and kfp reads List.
# ruff: noqa: PTH110, PTH123, T201, B006

from kfp import dsl

component = dsl.component(base_image="python:3.11", install_kfp_package=False)


@component
def make(n: int, trace: str, data: dsl.Output[dsl.Dataset]) -> int:
    with open(trace, "a") as file:
        file.write(f"make {n}\n")
    with open(data.path, "w") as file:
        file.write("x" * n)
    data.metadata["rows"] = n
    print(f"made {n}")
    return n


@component
def count(data: dsl.Input[dsl.Dataset], trace: str, add: int = 0) -> int:
    with open(trace, "a") as file:
        file.write("count\n")
    with open(data.path) as file:
        return len(file.read()) + add


@component
def wait(gate: str, trace: str, name: str) -> str:
    """Ends once the file `gate` is there."""
    import os
    import time

    with open(trace, "a") as file:
        file.write(f"wait {name}\n")
    open(f"{gate}.reached", "w").close()
    while not os.path.exists(gate):
        time.sleep(0.01)
    return name


@component
def spoil(trace: str, good: str, data: dsl.Output[dsl.Dataset]) -> int:
    """Writes its output, and fails unless the file `good` is there."""
    import os

    with open(trace, "a") as file:
        file.write("spoil\n")
    with open(data.path, "w") as file:
        file.write("half of it")
    print("about to look")
    if not os.path.exists(good):
        raise ValueError("there is nothing good")
    return 1


@component
def note(trace: str, text: str) -> str:
    with open(trace, "a") as file:
        file.write(f"note {text}\n")
    return text


@component
def total(values: list[str]) -> str:
    return ",".join(values)


@component
def read(data: dsl.Input[dsl.Artifact]) -> str:
    with open(data.path) as file:
        return file.read()


@component
def variable(name: str) -> str:
    import os

    return os.environ.get(name, "")


@dsl.pipeline(name="two")
def two(trace: str, n: int = 3, add: int = 0) -> int:
    made = make(n=n, trace=trace)
    return count(data=made.outputs["data"], trace=trace, add=add).output


@dsl.pipeline(name="uncached")
def uncached(trace: str) -> int:
    made = make(n=1, trace=trace).set_caching_options(False)
    return made.outputs["Output"]


@dsl.pipeline(name="gated")
def gated(trace: str, gate: str):
    with dsl.ExitHandler(note(trace=trace, text="exit")):
        made = make(n=2, trace=trace)
        waited = wait(gate=gate, trace=trace, name="w").after(made)
        note(trace=trace, text=waited.output)


@dsl.pipeline(name="slow_exit")
def slow_exit(trace: str, gate: str):
    with dsl.ExitHandler(wait(gate=gate, trace=trace, name="exit")):
        wait(gate=gate, trace=trace, name="w")


@dsl.pipeline(name="spoiled")
def spoiled(trace: str, good: str):
    made = make(n=2, trace=trace)
    spoil(trace=trace, good=good).after(made)


@dsl.pipeline(name="importing")
def importing(uri: str) -> str:
    data = dsl.importer(artifact_uri=uri, artifact_class=dsl.Artifact, reimport=False)
    return read(data=data.output).output


@dsl.pipeline(name="remote")
def remote(uri: str, trace: str):
    data = dsl.importer(artifact_uri=uri, artifact_class=dsl.Artifact, reimport=False)
    note(trace=trace, text="after").after(data)


@dsl.pipeline(name="maze")
def maze(trace: str, items: list[str] = ["a", "b", "c", "d", "e"]):
    """A loop, a condition, an exit handler."""
    with dsl.ExitHandler(note(trace=trace, text="exit")):
        with dsl.ParallelFor(items, parallelism=2) as item:
            first = note(trace=trace, text=item)
            second = note(trace=trace, text=f"{first.output}2")
        joined = total(values=dsl.Collected(second.output))
        with dsl.If(joined.output != ""):
            note(trace=trace, text=joined.output)


@dsl.pipeline(name="labyrinth")
def labyrinth(trace: str, items: list[str] = ["a", "b", "c", "d", "e"]):
    """Loops, conditions, artifacts, an exit handler: something to be killed in."""
    with dsl.ExitHandler(note(trace=trace, text="exit")):
        made = make(n=7, trace=trace)
        with dsl.ParallelFor(items, parallelism=2) as item:
            first = note(trace=trace, text=item)
            with dsl.If(item == "c"):
                note(trace=trace, text="never twice")
            second = note(trace=trace, text=f"{first.output}2")
        joined = total(values=dsl.Collected(second.output))
        with dsl.If(joined.output != ""):
            note(trace=trace, text=joined.output)
        count(data=made.outputs["data"], trace=trace)
