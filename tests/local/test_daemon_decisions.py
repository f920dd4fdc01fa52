"""The warm worker's pure parts: which zygote forks a task, what its end means, what its reader sees of an exception."""

from __future__ import annotations

import importlib.util
import json
import signal
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.local.bootstrap import Code, Function, Module, Script, Verbatim
from tidegate.local.daemon import processes, tracebacks
from tidegate.local.daemon.choosing import Growth, Level, Verdict, choose
from tidegate.local.daemon.endings import Reason, ending, size
from tidegate.local.imports import imported

NOTHING: frozenset[str] = frozenset()


def levels(*growths: str) -> list[Level]:
    """Of a worker that preloads numpy-using `tf` and then `tfdv`, which brings pandas."""
    roots = [{"kfp"}, {"kfp", "numpy", "tf"}, {"kfp", "numpy", "tf", "tfdv", "pandas"}]
    modules = ["", "tf", "tfdv.api"]
    return [
        Level(module, Growth(growth), frozenset(found) if growth == "ready" else NOTHING)
        for module, growth, found in zip(modules, growths, roots, strict=True)
    ]


@pytest.mark.parametrize(
    ("growths", "imports", "chosen"),
    [
        (("ready", "loading", "loading"), "json", 0),
        (("ready", "loading", "loading"), "numpy", 0),
        (("ready", "loading", "loading"), "tf", Verdict.WAIT),
        (("loading", "loading", "loading"), "json", Verdict.WAIT),
        (("ready", "ready", "loading"), "json", 0),
        (("ready", "ready", "loading"), "numpy", 1),
        (("ready", "ready", "loading"), "tf", 1),
        (("ready", "ready", "loading"), "tf tfdv", Verdict.WAIT),
        (("ready", "ready", "ready"), "tf", 1),
        (("ready", "ready", "ready"), "pandas", 2),
        (("ready", "ready", "ready"), "tf pandas", 2),
        (("ready", "ready", "ready"), "tfdv other", 2),
        (("ready", "gone", "gone"), "tf", 0),
        (("ready", "ready", "gone"), "tfdv", 0),
        (("gone", "gone", "gone"), "json", Verdict.NONE),
    ],
)
def test_the_lowest_zygote_that_has_what_a_task_imports(
    growths: tuple[str, str, str], imports: str, chosen: int | Verdict
) -> None:
    assert choose(levels(*growths), frozenset(imports.split()), NOTHING, plain=False) == chosen


def test_a_task_that_changes_what_libraries_read_starts_from_the_lowest() -> None:
    assert choose(levels("ready", "ready", "ready"), frozenset({"tf"}), NOTHING, plain=True) == 0


def test_a_task_with_little_memory_does_without_a_large_zygote() -> None:
    known = levels("ready", "ready", "ready")
    known[1].memory, known[2].memory = 200, 400
    assert choose(known, frozenset({"tf"}), NOTHING, plain=False, memory=300) == 0
    assert choose(known, frozenset({"tf", "pandas"}), NOTHING, plain=False, memory=500) == 1
    assert choose(known, frozenset({"tf", "pandas"}), NOTHING, plain=False, memory=800) == 2


def test_a_zygote_that_has_another_version_will_not_do() -> None:
    all_ready = levels("ready", "ready", "ready")
    assert choose(all_ready, frozenset({"tf", "pandas"}), frozenset({"pandas"}), plain=False) == 1
    assert choose(all_ready, frozenset({"tf"}), frozenset({"numpy"}), plain=False) == 0
    assert choose(all_ready, NOTHING, frozenset({"kfp"}), plain=False) is Verdict.NONE


@given(
    st.lists(st.sampled_from(["loading", "ready", "gone"]), min_size=3, max_size=3),
    st.frozensets(st.sampled_from(["json", "numpy", "tf", "tfdv", "pandas"])),
    st.frozensets(st.sampled_from(["kfp", "numpy", "pandas"])),
    st.booleans(),
)
def test_a_chosen_zygote_is_ready_and_fits(
    growths: list[str], imports: frozenset[str], overlay: frozenset[str], plain: bool
) -> None:
    known = levels(*growths)
    chosen = choose(known, imports, overlay, plain)
    if not isinstance(chosen, Verdict):
        assert known[chosen].growth is Growth.READY
        assert not known[chosen].roots & overlay
        assert chosen == 0 or not plain
    elif chosen is Verdict.WAIT:
        assert any(level.growth is Growth.LOADING for level in known)


# ---------------------------------------------------------------- endings
@pytest.mark.parametrize(
    ("exit_code", "reported", "more", "expected"),
    [
        (0, "", {}, ("succeeded", "")),
        (1, "ValueError: x", {}, ("failed", "ValueError: x")),
        (3, "", {"last_line": "no such file"}, ("failed", "no such file (exit status 3)")),
        (3, "", {}, ("failed", "exit status 3")),
        (-9, "", {}, ("killed", "killed by signal 9 (SIGKILL)")),
        (-signal.SIGABRT, "", {}, ("killed", "killed by an abort (SIGABRT)")),
        (-40, "", {}, ("killed", "killed by signal 40")),
        (-15, "", {"reason": Reason.STOPPED}, ("stopped", "stopped")),
        (0, "", {"reason": Reason.STOPPED}, ("stopped", "stopped")),
        (-15, "", {"reason": Reason.TIMED_OUT, "timeout": 2}, ("timed out", "timed out: the task ran longer than 2 s")),
        (1, "x", {"kernel_short_of_memory": True}, ("failed", "x")),
    ],
)  # fmt: skip
def test_what_an_end_means(exit_code: int, reported: str, more: dict, expected: tuple[str, str]) -> None:
    assert ending(exit_code, reported, **more) == expected


@pytest.mark.parametrize("exit_code", [-9, 137])
def test_a_kill_by_a_kernel_that_is_short_of_memory_is_told_as_such(exit_code: int) -> None:
    how, error = ending(exit_code, "", kernel_short_of_memory=True, peak=3 * 2**30)
    assert how == "out of memory"
    assert error.startswith("out of memory: the kernel killed the task, at 3 GiB")


def test_the_kernels_count_of_such_kills_is_read_from_its_lines() -> None:
    assert processes.counter(["low 0\n", "oom 4\n", "oom_kill 2\n"], "oom_kill") == 2
    with pytest.raises(ValueError, match="oom_kill"):
        processes.counter(["oom 4\n"], "oom_kill")


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1536, "1.5 KiB"), (150 * 2**20, "150 MiB"), (2**40, "1 TiB")],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


# ---------------------------------------------------------------- tracebacks
def module(path: Path, source: str) -> ModuleType:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def frames(error: BaseException) -> list[str]:
    lines = tracebacks.show(error).text.splitlines()
    return [line.split('"')[1].rsplit("/", 1)[-1] for line in lines if line.startswith("  File")]


@pytest.fixture
def calling(tmp_path: Path) -> list[ModuleType]:
    """kfp calls the component, which calls our work, which calls the user's module."""
    call = "def call(rest):\n    rest[0].call(rest[1:]) if rest else 1 / 0"
    return [
        module(tmp_path / "site-packages/kfp/dsl/executor.py", call),
        module(tmp_path / "ephemeral_component.py", call),
        module(tmp_path / "tidegate/components/trainer/work.py", call),
        module(tmp_path / "user_module.py", call),
    ]


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        (4, ["user_module.py"]),
        (3, ["test_daemon_decisions.py", "ephemeral_component.py", "work.py"]),  # ours is at fault: it stays in sight
        (2, ["test_daemon_decisions.py", "ephemeral_component.py"]),
    ],
)
def test_a_traceback_begins_with_the_readers_own_code(
    calling: list[ModuleType], depth: int, expected: list[str]
) -> None:
    with pytest.raises(ZeroDivisionError) as error:
        calling[0].call(calling[1:depth])
    assert frames(error.value) == expected


def test_causes_are_cut_as_well(calling: list[ModuleType]) -> None:
    try:
        try:
            calling[0].call(calling[1:])
        except ZeroDivisionError as inner:
            raise RuntimeError("training failed") from inner
    except RuntimeError as error:
        assert frames(error) == ["user_module.py", "test_daemon_decisions.py"]
        assert "direct cause" in tracebacks.show(error).text


@pytest.mark.parametrize(
    ("error", "summary"),
    [
        (ValueError("one\ntwo"), "ValueError: one …"),
        (ValueError(), "ValueError"),
        (KeyError("x"), "KeyError: 'x'"),
    ],
)
def test_the_summary_is_one_line(error: Exception, summary: str) -> None:
    assert tracebacks.show(error).summary == summary


# ---------------------------------------------------------------- imports
def test_imports_are_found_wherever_they_are() -> None:
    source = """
import json
def component():
    import numpy.linalg as la
    from tensorflow.keras import layers
    from . import relative
    importlib.import_module("pandas.core")
    __import__("pyarrow")
"""
    assert imported(Code(source, ()), Path()) == {"json", "numpy", "tensorflow", "pandas", "pyarrow"}


def test_into_tidegates_components_they_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer/__init__.py").touch()
    (tmp_path / "trainer/work.py").write_text("def train():\n    from tidegate.components import shared\n    import tf")
    (tmp_path / "shared.py").write_text("import pandas\nfrom tidegate.components.trainer import work")
    monkeypatch.setattr("tidegate.local.imports._COMPONENTS_FOLDER", tmp_path)
    component = "def c():\n    from tidegate.components.trainer.work import train"
    assert imported(Function(component, ()), Path()) == {"tidegate", "tf", "pandas"}
    assert imported(Module("tidegate.components.trainer.work", ()), Path()) == {"tidegate", "tf", "pandas"}


def test_user_modules_that_come_as_a_parameter_are_read_too() -> None:
    task = json.dumps(
        {"inputs": {"parameterValues": {"module": {"m.py": "from tfx import v1"}, "n": 3, "d": {"a": 1}}}}
    )
    assert imported(Function("import json", ("--executor_input", task)), Path()) == {"json", "tfx"}
    assert imported(Function("import json", ("--executor_input", '".py" is no JSON')), Path()) == {"json"}


def test_scripts_are_read_from_the_working_folder(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import tf")
    assert imported(Script("train.py", ()), tmp_path) == {"tf"}
    assert imported(Script("missing.py", ()), tmp_path) == frozenset()


def test_what_cannot_be_read_imports_nothing() -> None:
    assert imported(Code("import (", ()), Path()) == frozenset()
    assert imported(Verbatim(("echo",)), Path()) == frozenset()
