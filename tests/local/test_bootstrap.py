"""Commands as kfp 2.0 to 2.17 wrote them (data/bootstraps.json: taken from each release), and others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tidegate.local.bootstrap import Code, Function, Module, Script, Verbatim, parse

CASES: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data/bootstraps.json").read_text())
ONE, TWO = "https://one.example/simple", "https://two.example/simple"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['case']}-{case['versions'][0]}")
def test_every_release_writes_what_is_understood(case: dict[str, Any]) -> None:
    program = parse(case["command"])
    assert isinstance(program, Function)
    assert program.source is not None
    assert "def hello(n: int) -> str:" in program.source
    assert program.args == ("--executor_input", "{{$}}", "--function_to_execute", "hello")
    users = [text for install in program.installs for text in install.requirements if not text.startswith("typing-")]
    kfp = ["kfp==VERSION"]
    assert (
        sorted(users)
        == {
            "plain": kfp,
            "no_kfp": [],
            "packages": ['humanize==4.9; python_version>"3.8"', *kfp, "rich>=13"],
            "index": [*kfp, "rich"],
            "hosts": [*kfp, "rich"],
            "venv": [*kfp, "rich"],
            "venv_only": kfp,
            "path": ["git+https://github.com/kubeflow/pipelines.git@refs/pull/1/merge#subdirectory=sdk/python"],
        }[case["case"]]
    )
    for install in program.installs:
        assert install.indexes == {"index": (ONE, TWO), "hosts": (ONE,)}.get(case["case"], ())
        assert install.trusted_hosts == {"index": (ONE, TWO), "hosts": ("one.example",)}.get(case["case"], ())


def newest(name: str) -> list[str]:
    return next(
        list(case["command"]) for case in reversed(CASES) if case["case"] == name and "2.17.0" in case["versions"]
    )


@pytest.mark.parametrize(
    "added",
    [
        "; rm -rf /",
        " `id`",
        " $(id)",
        ' "$HOME"',
        " --target /usr",
        " | sh",
        " > /etc/passwd",
        " & true",
        " 'a",
        "\nid",
    ],
)
def test_a_script_with_anything_more_is_run_verbatim(added: str) -> None:
    command = newest("packages")
    command[2] = command[2].replace("'rich>=13'", f"'rich>=13'{added}")
    assert parse(command) == Verbatim(tuple(command))


def test_a_further_line_is_a_further_command() -> None:
    command = newest("no_kfp")
    command[2] += "\nrm -rf /\n"
    assert parse(command) == Verbatim(tuple(command))


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("python3 -m pkg.main a b", Module("pkg.main", ("a", "b"))),
        ("python -u -m pkg.main", Module("pkg.main", ())),
        ("python3 train.py --n 1", Script("train.py", ("--n", "1"))),
        ("python3 -c pass x", Code("pass", ("x",))),
        ("python3 -m kfp.dsl.executor_main --function_to_execute f", Function(None, ("--function_to_execute", "f"))),
        ("python3.9 train.py", Verbatim(("python3.9", "train.py"))),
        ("python3 -W error train.py", Verbatim(("python3", "-W", "error", "train.py"))),
        ("python3", Verbatim(("python3",))),
        ("/usr/bin/python3 train.py", Verbatim(("/usr/bin/python3", "train.py"))),
        ("echo hello", Verbatim(("echo", "hello"))),
        ("sh -c true", Verbatim(("sh", "-c", "true"))),
    ],
)
def test_other_commands(command: str, program: object) -> None:
    assert parse(command.split()) == program


def test_an_installer_before_a_module_of_the_image() -> None:
    command = newest("packages")
    program = parse([*command[:3], "python3", "-m", "kfp.dsl.executor_main", "--function_to_execute", "f"])
    assert isinstance(program, Function)
    assert program.source is None
    assert program.installs[0].requirements[0] == "rich>=13"


def test_an_installer_before_anything_else_is_run_verbatim() -> None:
    command = [*newest("packages")[:3], "echo", "hello"]
    assert parse(command) == Verbatim(tuple(command))
