"""From what a user names to a compiled pipeline, and when it is compiled again."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from tidegate.local import compiling
from tidegate.local.load import Pipeline, load_pipeline
from tidegate.local.reference import PipelineError

HEAD = """
from kfp import dsl
@dsl.component(base_image="python:3.11", install_kfp_package=False)
def echo(text: str) -> str:
    return text
"""
ONE = HEAD + '@dsl.pipeline(name="one")\ndef one(text: str = "TEXT"):\n    echo(text=text)\n'


class Project:
    """A folder with a pipeline in it; counts how often it is compiled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compiled = 0

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(textwrap.dedent(text))

    def load(self, reference: str = "pipeline.py") -> Pipeline:
        return load_pipeline(reference, cache=self.folder / "cache", here=self.folder)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    found = Project(tmp_path)
    plain = compiling.compile_reference

    def counted(reference):  # type: ignore[no-untyped-def]
        found.compiled += 1
        return plain(reference)

    monkeypatch.setattr(compiling, "compile_reference", counted)
    return found


# ---------------------------------------------------------------- references
@pytest.mark.parametrize(
    "reference",
    ["pipeline.py", "pipeline.py:one", "sub", "sub/pipeline.py", "sub.pipeline:one", "mine.yaml"],
)
def test_what_may_name_a_pipeline(project: Project, reference: str) -> None:
    project.write("pipeline.py", ONE)
    project.write("sub/pipeline.py", ONE)
    project.write("mine.yaml", load_pipeline("pipeline.py", here=project.folder).spec)
    found = project.load(reference)
    assert "name: one" in found.spec
    assert found.source is not None
    assert project.folder in found.source.parents


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nowhere.py", "no pipeline 'nowhere.py': expected a Python file"),
        ("folder", "the folder folder has no pipeline.py"),
        ("notes.txt", "notes.txt is no pipeline: expected a Python file, or a compiled one"),
        ("no.module:f", "no module 'no' here"),
        ("empty.py", "empty.py defines no pipeline: give a function kfp's @dsl.pipeline"),
        ("several.py", "several.py defines several pipelines, say which: several.py:first, several.py:second"),
        ("several.py:third", "'third' is not there; pipelines there: several.py:first, several.py:second"),
        ("several.py:number", "'number' is not a pipeline"),
        ("latin.yaml", "latin.yaml is not UTF-8 text"),
    ],
)
def test_what_is_no_pipeline_says_what_there_is(project: Project, reference: str, message: str) -> None:
    (project.folder / "folder").mkdir()
    project.write("notes.txt", "")
    project.write("empty.py", HEAD)
    (project.folder / "latin.yaml").write_bytes("é".encode("latin-1"))
    both = "".join(f"@dsl.pipeline\ndef {name}():\n    echo(text='x')\n" for name in ("first", "second"))
    project.write("several.py", HEAD + both + "number = 3\n")
    with pytest.raises(PipelineError) as raised:
        project.load(reference)
    assert message in str(raised.value)


def test_a_pipeline_that_is_imported_from_elsewhere_is_not_the_files_own(project: Project) -> None:
    project.write("inner.py", ONE)
    project.write(
        "pipeline.py",
        "from kfp import dsl\nfrom inner import one\n@dsl.pipeline(name='outer')\ndef outer():\n    one(text='x')\n",
    )
    assert "name: outer" in project.load().spec


def test_the_users_error_is_shown_with_the_users_frames_only(project: Project) -> None:
    project.write("helper.py", "def divide(x):\n    return x / 0\n")
    project.write("pipeline.py", "import helper\nhelper.divide(1)\n")
    with pytest.raises(PipelineError) as raised:
        project.load()
    told = str(raised.value)
    assert told.startswith("pipeline.py cannot be loaded:\nTraceback")
    assert "line 2, in divide" in told
    assert "ZeroDivisionError: division by zero" in told
    assert "tidegate" not in told.replace(str(project.folder), "")
    assert "importlib" not in told


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import sys\nsys.exit('enough')\n", "SystemExit: enough"),
        ("import not_a_module\n", "No module named 'not_a_module'"),
    ],
)
def test_files_that_do_not_load_say_why(project: Project, source: str, says: str) -> None:
    project.write("pipeline.py", source)
    with pytest.raises(PipelineError) as raised:
        project.load()
    assert says in str(raised.value)


def test_what_a_file_prints_does_not_disturb_machine_output(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write("pipeline.py", ONE + "print('hello')\n")
    project.load()
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "hello\n")


def test_loading_leaves_no_trace_in_this_process(project: Project) -> None:
    project.write("helper.py", "WORD = 'first'\n")
    project.write("pipeline.py", "import helper\n" + ONE.replace('"TEXT"', "helper.WORD"))
    paths, modules = list(sys.path), set(sys.modules)
    assert "first" in project.load().spec
    assert sys.path == paths
    assert not {"helper", "pipeline"} & (set(sys.modules) - modules)


def test_a_module_that_is_loaded_already_is_read_as_it_is_now(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(project.folder))
    project.write("shared_words.py", "WORD = 'first'\n")
    project.write("pipeline.py", "import shared_words\n" + ONE.replace('"TEXT"', "shared_words.WORD"))
    import shared_words  # type: ignore[import-not-found]

    project.write("shared_words.py", "WORD = 'second one'\n")
    assert "second one" in project.load().spec
    assert sys.modules["shared_words"] is shared_words
    assert shared_words.WORD == "first"
    monkeypatch.delitem(sys.modules, "shared_words")


# ---------------------------------------------------------------- compiled once
def test_an_unchanged_pipeline_is_compiled_once(project: Project) -> None:
    project.write("pipeline.py", ONE)
    assert project.load() == project.load()
    assert project.compiled == 1


def _itself(project: Project) -> None:
    project.write("pipeline.py", (project.folder / "pipeline.py").read_text().replace("TEXT", "OTHER"))


def _import(project: Project) -> None:
    project.write("package/words.py", "WORD = 'other'\n")


def _module_file(project: Project) -> None:
    project.write("module.py", "def run_fn(args): return 2\n")


def _opened(project: Project) -> None:
    project.write("settings.json", "{'other': 1}")


@pytest.mark.parametrize("change", [_itself, _import, _module_file, _opened])
def test_it_is_compiled_again_when_anything_it_was_made_from_changes(project: Project, change) -> None:  # type: ignore[no-untyped-def]
    project.write("package/__init__.py", "from package.words import WORD\n")
    project.write("package/words.py", "WORD = 'word'\n")
    project.write("module.py", "def run_fn(args): return 1\n")
    project.write("settings.json", "{}")
    project.write(
        "pipeline.py",
        "from pathlib import Path\nfrom package import WORD\nfrom tidegate import module_files\n"
        "SETTINGS = Path(__file__).with_name('settings.json').read_text()\nMODULE = module_files('module.py')\n"
        + ONE.replace('"TEXT"', "WORD + SETTINGS + MODULE['module.py'] + 'TEXT'"),
    )
    before = project.load().spec
    assert project.load().spec == before
    assert project.compiled == 1
    change(project)
    assert project.load().spec != before
    assert project.compiled == 2


def test_it_is_compiled_again_when_a_variable_it_asked_for_changes(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("pipeline.py", "import os\n" + ONE.replace('"TEXT"', 'os.environ.get("WORD_OF_MINE", "none")'))
    assert "none" in project.load().spec
    monkeypatch.setenv("WORD_OF_MINE", "something")
    assert "something" in project.load().spec
    monkeypatch.setenv("NOT_OF_MINE", "x")
    assert "something" in project.load().spec
    assert project.compiled == 2


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\n",
        "import random\n",
        "import os\nos.listdir('.')\n",
        "from pathlib import Path\nlist(Path('.').iterdir())\n",
        "import subprocess\nsubprocess.run(['true'])\n",
    ],
)
def test_what_may_come_out_otherwise_tomorrow_is_compiled_every_time(project: Project, source: str) -> None:
    project.write("pipeline.py", source + ONE)
    project.load()
    project.load()
    assert project.compiled == 2


def test_a_component_may_use_the_time(project: Project) -> None:
    project.write("pipeline.py", ONE.replace("return text", "import time; return text + str(time.time())"))
    project.load()
    project.load()
    assert project.compiled == 1


@pytest.mark.parametrize("harm", ["", "{", '{"toolchain": 1}', "[]"])
def test_a_damaged_copy_is_only_a_miss(project: Project, harm: str) -> None:
    project.write("pipeline.py", ONE)
    spec = project.load().spec
    (kept,) = (project.folder / "cache").iterdir()
    kept.write_text(harm)
    assert project.load().spec == spec
    assert project.compiled == 2
