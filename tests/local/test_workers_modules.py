"""Component modules that the zygote executes once, for all tasks."""

from __future__ import annotations

import gc
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.tasks import Bench, Ran, lightweight, short_folder
from tidegate.local.daemon.lightweight import Modules, only_defines
from tidegate.local.execution import Ending

_ORIGIN = "import sys; origin = sys.modules['ephemeral_component'].__spec__.origin"
_TRIES = 20


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def bench(tmp_path: Path, runtime: Path) -> Bench:
    return Bench(tmp_path, runtime)


def prepared(bench: Bench, body: str, arguments: str = "") -> Ran:
    """Run the component until it is one of those that the zygote had executed before."""
    source = f"def component({arguments}) -> str:\n    {_ORIGIN}\n    print(origin)\n" + textwrap.indent(
        textwrap.dedent(body), "    "
    )
    for _ in range(_TRIES):
        ran = bench.function(source)
        if ".sources/" in ran.lines[0]:
            return ran
    raise AssertionError(f"each of {_TRIES} tasks executed the module itself")


def test_what_a_task_does_to_its_module_is_its_own_matter(bench: Bench) -> None:
    body = """
        print(seen, 'mark' in globals())
        seen.append(1)
        globals()['mark'] = 1
        return ''
        """
    for _ in range(3):
        ran = prepared(bench, body, "seen: list = []")
        assert ran.outcome.ending is Ending.SUCCEEDED, ran.log
        assert ran.lines[1] == "[] False"


def test_tracebacks_and_inspect_find_the_source(bench: Bench) -> None:
    ran = prepared(bench, "import inspect; print(inspect.getsource(component).splitlines()[0]); raise OSError('gone')")
    assert ran.lines[1] == "def component() -> str:"
    assert "raise OSError('gone')" in ran.log.split("Traceback")[1]
    assert ran.outcome.error == "OSError: gone"


def test_a_process_that_a_task_spawns_finds_the_module(bench: Bench) -> None:
    source = textwrap.dedent(
        f"""
        def square(x: int) -> int:
            return x * x

        def component() -> str:
            import multiprocessing
            {_ORIGIN}
            print(origin)
            with multiprocessing.get_context('spawn').Pool(1) as pool:
                print(pool.map(square, range(3)))
            return ''
        """
    )
    for _ in range(_TRIES):
        ran = bench.function(source)
        if ".sources/" in ran.lines[0]:
            break
    assert ".sources/" in ran.lines[0]
    assert ran.lines[1] == "[0, 1, 4]"


def test_a_module_that_does_something_is_executed_by_each_task(bench: Bench) -> None:
    source = "import os\nWHO = os.getpid()\ndef component() -> str:\n    import os\n    print(WHO == os.getpid())\n"
    assert [bench.function(source + "    return ''").lines for _ in range(4)] == [["True"]] * 4


@pytest.mark.parametrize(
    ("source", "only"),
    [
        ("import kfp\nfrom typing import *\n'text'\n", True),
        ("def f(a: int, b: 'Input[Dataset]', *c: int, d: List[str] = [], **e: Optional[int]): print(1)", True),
        ("async def f() -> NamedTuple('Out', [('a', int)]): pass", True),
        ("def f(a: dsl.OutputPath('Model'), b: int | None = -1) -> typing.NamedTuple('O', a=int): pass", True),
        ("import not_imported_yet", False),
        ("from not_imported_yet import x", False),
        ("from . import x", False),
        ("x = 1", False),
        ("print(1)", False),
        ("class A: pass", False),
        ("@f\ndef g(): pass", False),
        ("def f(a=now()): pass", False),
        ("def f(*, a=now()): pass", False),
        ("def f(a: now()): pass", False),
        ("def f() -> [x for x in y]: pass", False),
        ("def f(): return __file__", False),
        ("def f(): return sys.argv", False),
        ("def f(:", False),
        ("(" * 5000, False),
    ],
)
def test_which_modules_only_define(source: str, only: bool) -> None:
    import kfp  # noqa: F401

    assert only_defines(source) is only


def test_only_so_many_modules_are_kept(tmp_path: Path) -> None:
    modules = Modules(str(tmp_path))
    sources = [f"def f(): return {n}" for n in range(300)]
    assert all(map(modules.prepare, sources))
    kept = [source for source in sources if modules.get(source)]
    assert kept == sources[300 - len(kept) :]
    assert 0 < len(kept) < 300
    gc.unfreeze()
    for folder in tmp_path.iterdir():
        folder.chmod(0o700)


def test_a_log_is_what_the_task_says(bench: Bench) -> None:
    source = "def component() -> str:\n    import logging\n    logging.info('mine')\n    return ''\n"
    command = lightweight(bench.folder / "output.json", source)
    swapped = (*command[:4], *command[6:8], *command[4:6])  # as executor_main reads it, not our own short way
    for given in (command, swapped):
        ran = bench.run(*given)
        assert ran.outcome.ending is Ending.SUCCEEDED, ran.log
        assert [line.rpartition(": ")[2] for line in ran.lines] == ["mine"]
