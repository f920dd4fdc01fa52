"""Pipelines of the shapes that a run on Kubeflow is followed through, and of those that cannot run there."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input

HOST = "python:3.11"


@dsl.component(base_image=HOST, install_kfp_package=False)
def rows(count: int) -> int:
    return count


@dsl.component(base_image=HOST, install_kfp_package=False)
def some() -> list:
    return [1, 2]


@dsl.component(base_image=HOST, install_kfp_package=False)
def some_numbers() -> list[int]:
    return [1, 2]


@dsl.component(base_image=HOST, install_kfp_package=False)
def square(number: int) -> int:
    return number**2


@dsl.component(base_image=HOST, install_kfp_package=False)
def say(text: str) -> str:
    return text


@dsl.component(base_image=HOST, install_kfp_package=False)
def use(data: Input[Artifact]) -> None: ...


@dsl.pipeline(name="toy")
def toy(count: int = 3) -> int:
    tidy = say(text="tidy")
    with dsl.ExitHandler(tidy):
        made = rows(count=count)
        with dsl.If(made.output > 1):
            say(text="enough")
        with dsl.ParallelFor([1, 2]) as number:
            square(number=number)
    return rows(count=1).output


@dsl.pipeline(name="bare-list")
def bare_list() -> None:
    listed = some()
    with dsl.ParallelFor(listed.output) as item, dsl.If(item == "1"):
        square(number=item)


@dsl.pipeline(name="typed-list")
def typed_list() -> None:
    listed = some_numbers()
    with dsl.ParallelFor(listed.output) as item:
        square(number=item)


@dsl.pipeline(name="text-list")
def text_list() -> None:
    listed = some()
    with dsl.ParallelFor(listed.output) as item:
        say(text=item)


@dsl.pipeline(name="imports")
def imports() -> None:
    use(data=dsl.importer(artifact_uri="gs://bucket/data", artifact_class=Dataset).output)
