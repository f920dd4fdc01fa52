"""A pipeline that takes longer than a test waits, until the file `go` is there; with an exit task."""

from kfp import dsl

HOST = "python:3.11"


@dsl.component(base_image=HOST, install_kfp_package=False)
def quick(go: str) -> str:
    return go


@dsl.component(base_image=HOST, install_kfp_package=False)
def wait(go: str) -> str:
    import time
    from pathlib import Path

    print("waiting", flush=True)  # noqa: T201
    Path(go + ".reached").touch()
    while not Path(go).exists():
        time.sleep(0.02)
    return "gone"


@dsl.component(base_image=HOST, install_kfp_package=False)
def tidy() -> str:
    return "tidy"


@dsl.pipeline(name="slow")
def slow(go: str):
    with dsl.ExitHandler(tidy()):
        wait(go=quick(go=go).output)
