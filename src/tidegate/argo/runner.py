"""The step runner as one file that any Python from 3.11 runs: tidegate's own modules, as they are."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
_MODULES = (
    "argo/nodes.py", "argo/wire.py",
    "argo/step/importing.py", "argo/step/inputs.py", "argo/step/main.py", "argo/step/outputs.py",
    "argo/step/places.py", "argo/step/program.py", "argo/step/spec.py", "argo/step/workflow.py",
    "graph/executor_io.py", "graph/expressions.py", "graph/keys.py", "graph/model.py", "graph/placeholders.py",
    "graph/resources.py", "graph/tasks.py", "graph/values.py", "graph/work.py",
    "local/bootstrap.py", "local/daemon/child.py", "local/daemon/endings.py", "local/daemon/lightweight.py",
    "local/daemon/processes.py", "local/daemon/tracebacks.py", "local/daemon/wire.py",
    "spec/json_text.py", "spec/values.py",
    "store/digests.py",
)  # fmt: skip
_MAIN = """\
import sys

if sys.version_info < (3, 11):
    said = "this image has Python %d.%d, and the step runner needs 3.11: " % sys.version_info[:2]
    said += "add it to `beside` in [tool.tidegate.argo]: tidegate's own image brings its tasks in and out then"
    open("/dev/termination-log", "w").write(said)
    sys.exit(said)

from tidegate.argo.step.main import main

sys.exit(main(sys.argv[1:]))
"""


@cache
def archive() -> bytes:
    """The file. The same version gives the same bytes: nothing is compressed, no time is kept."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as file:
        for name, text in _files():
            file.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def digest() -> str:
    """Stands for its content."""
    return hashlib.sha256(archive()).hexdigest()


def _files() -> list[tuple[str, str]]:
    folders = sorted({parent.as_posix() for name in _MODULES for parent in Path(name).parents})
    packages = [(f"tidegate/{folder}/__init__.py".replace("/./", "/"), "") for folder in folders]
    modules = [(f"tidegate/{name}", (_PACKAGE / name).read_text(encoding="utf-8")) for name in _MODULES]
    return [("__main__.py", _MAIN), *packages, *modules]
