"""packages_to_install, with packages made here: nothing is asked of an index."""

from __future__ import annotations

import asyncio
import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.local.tasks import Bench, Ran, lightweight, short_folder
from tidegate.local import overlays
from tidegate.local.bootstrap import Install
from tidegate.local.environments import Environment
from tidegate.local.execution import Ending

HOST = Environment("host", Path(sys.prefix))
INSTALL = """
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location {requirements} && "$0" "$@"
"""


@pytest.fixture(scope="module")
def runtime() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture
def bench(tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    return Bench(tmp_path, runtime)


def wheel(folder: Path, name: str, source: str, requires: str = "", version: str = "1.0") -> str:
    """A wheel with one module; its requirement as pip takes it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    need = f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(path, "w") as file:
        info = f"{name}-{version}.dist-info"
        file.writestr(f"{name}.py", source)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{need}")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return f"{name} @ file://{path}"


def run_with(bench: Bench, requirements: list[str], body: str, warm: bool = True) -> Ran:
    source = f"def component() -> str:\n    {body}\n"
    install = INSTALL.format(requirements=" ".join(map(repr, requirements)))
    command = ("sh", "-c", install, *lightweight(bench.folder / "output.json", source))
    return bench.run(*command, warm=warm)


@pytest.mark.parametrize("warm", [True, False])
def test_a_component_gets_the_packages_that_it_asks_for(bench: Bench, warm: bool) -> None:
    asked = wheel(bench.folder / "wheels", "tg_extra", "VALUE = 'from the overlay'")
    ran = run_with(bench, [asked], "import tg_extra; print(tg_extra.VALUE); return ''", warm)
    assert ran.outcome.ending is Ending.SUCCEEDED, ran.log
    assert ran.lines[-1] == "from the overlay"
    assert bench.function("def component() -> str:\n    import tg_extra").outcome.error.startswith("ModuleNotFoundErr")


def test_its_child_processes_get_them_too(bench: Bench) -> None:
    asked = wheel(bench.folder / "wheels", "tg_extra", "VALUE = 'from the overlay'")
    body = "import os; os.system('python3 -c \"import tg_extra; print(tg_extra.VALUE)\"'); return ''"
    assert run_with(bench, [asked], body).lines[-1] == "from the overlay"


def test_the_second_time_nothing_is_installed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = wheel(bench.folder / "wheels", "tg_extra", "VALUE = 1")
    body = "import tg_extra; print(tg_extra.VALUE); return ''"
    run_with(bench, [asked], body)

    def no_uv() -> str:
        raise overlays.CannotInstall("uv was asked for")

    monkeypatch.setattr(overlays, "uv", no_uv)
    again = run_with(bench, [asked], body)
    assert again.lines == ["1"]


def test_what_the_environment_has_stays_where_it_satisfies(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    index, has = bench.folder / "index", version("rich")
    for offered in (has, "99.0"):
        wheel(index, "rich", "", version=offered)
    wheel(index, "tg_needs", "import rich; FROM = rich.__file__", requires="rich>=10")
    monkeypatch.setenv("UV_FIND_LINKS", str(index))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    ran = run_with(bench, ["tg_needs"], "import tg_needs; print(tg_needs.FROM); return ''")
    assert ran.outcome.ending is Ending.SUCCEEDED, ran.log
    assert ran.lines[-1].startswith(sys.prefix)
    ran = run_with(bench, ["tg_needs", f"rich>{has}"], "import tg_needs; print(tg_needs.FROM); return ''")
    assert ran.outcome.ending is Ending.SUCCEEDED, ran.log
    assert ran.lines[-1].startswith(str(bench.folder / "cache"))


def test_what_the_environment_has_already_needs_no_index(bench: Bench) -> None:
    ran = run_with(bench, ["rich>=10"], "import rich; print(rich.__file__); return ''")
    assert ran.outcome.ending is Ending.SUCCEEDED, ran.log
    assert ran.lines[-1].startswith(sys.prefix)


def test_kfp_itself_is_the_environments_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlays, "uv", lambda: "/no/uv/is/needed")
    requirements = ["kfp==2.0.1", "--no-deps", 'typing-extensions>=3.7.4,<5; python_version<"3.9"']
    ran = run_with(bench, requirements, "print(kfp.__version__); return ''")
    assert ran.outcome.ending is Ending.SUCCEEDED, ran.log
    assert ran.lines == ["2.17.0"]


def test_a_package_that_replaces_what_the_worker_has_imported_gets_an_interpreter_of_its_own(bench: Bench) -> None:
    asked = wheel(bench.folder / "wheels", "kfp", "VERSION = 'of the overlay'", version="99.0")
    ran = run_with(bench, [asked], "print('never')", warm=True)
    assert ran.outcome.details == {
        "worker": "fresh",
        "why": "its packages replace modules that the worker has imported",
    }
    assert "No module named 'kfp.dsl'" in ran.outcome.error


def test_requirements_that_cannot_be_met_say_what_uv_said(bench: Bench) -> None:
    ran = run_with(bench, ["tg_no_such_package==1"], "return ''")
    assert ran.outcome.ending is Ending.FAILED
    assert ran.outcome.error.startswith("cannot install tg_no_such_package==1:\n")
    assert "tg-no-such-package" in ran.outcome.error
    assert "tg-no-such-package" in ran.log
    assert [path for path in (bench.folder / "cache/tidegate/overlays").iterdir() if path.is_dir()] == []


def test_two_that_ask_at_once_make_it_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    install = Install((wheel(bench.folder / "wheels", "tg_extra", ""),))
    made = []
    make = overlays._make

    async def counted(*args: object) -> None:
        made.append(args)
        await make(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(overlays, "_make", counted)

    async def both() -> list[overlays.Overlay | None]:
        return list(await asyncio.gather(*(overlays.ensure(HOST, [install], bench.folder / "log") for _ in range(3))))

    found = asyncio.run(both())
    assert len(made) == 1
    assert {overlay.path for overlay in found if overlay} == {found[0].path}  # type: ignore[union-attr]
    assert found[0].roots == {"tg_extra"}  # type: ignore[union-attr]


def test_a_making_that_was_killed_leaves_nothing_that_is_used(bench: Bench) -> None:
    install = Install((wheel(bench.folder / "wheels", "tg_extra", ""),))

    async def cut_short() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(overlays.ensure(HOST, [install], bench.folder / "log"), 0.02)
        assert await overlays.ensure(HOST, [install], bench.folder / "log")

    asyncio.run(cut_short())
    (overlay,) = [path for path in (bench.folder / "cache/tidegate/overlays").iterdir() if path.is_dir()]
    assert (overlay / "tg_extra.py").is_file()
