"""Runs kfp's executor once in the zygote, on a component that does nothing.

Its lazy imports and compiled patterns are then there for every child, which halves what a light component takes. A
child forked before there is a task does it once more for itself: what it copies of the zygote's memory by that, it
need not copy when the task is there.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable

from . import lightweight

_COMPONENT = """import kfp
from kfp import dsl
from kfp.dsl import *
from typing import *

def rehearse(number: int, text: str = '', made: Output[Artifact] = None) -> NamedTuple('Out', [('number', int)]):
    return (number,)
"""


_AGAIN = {
    "inputs": {"parameterValues": {"number": 1}},
    "outputs": {"parameters": {"number": {"outputFile": os.devnull}}, "outputFile": os.devnull},
}


def rehearse() -> Callable[[], None]:
    """Leaves arguments, paths, modules and logging as they were; gives what a child does ahead.

    Raises: ImportError where there is no kfp.
    """
    importlib.import_module("kfp.dsl.executor_main")
    root = logging.getLogger()
    arguments, path, handlers, level = sys.argv, list(sys.path), list(root.handlers), root.level
    folder = tempfile.mkdtemp(prefix="tidegate-")
    made = {"name": "made", "uri": f"{folder}/made", "type": {"schemaTitle": "system.Artifact"}, "metadata": {}}
    task = {
        "inputs": {"parameterValues": {"number": 1}},
        "outputs": {
            "parameters": {"number": {"outputFile": f"{folder}/number"}},
            "artifacts": {"made": {"artifacts": [made]}},
            "outputFile": f"{folder}/output.json",
        },
    }
    args = ["--executor_input", json.dumps(task), "--function_to_execute", "rehearse"]
    try:
        lightweight.run({"source": _COMPONENT, "folder": folder}, args)
        function = sys.modules[lightweight.NAME].rehearse
    finally:
        sys.argv, sys.path[:] = arguments, path
        sys.modules.pop(lightweight.NAME, None)
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
        root.setLevel(level)
        os.environ.pop("_KFP_RUNTIME", None)
        shutil.rmtree(folder, ignore_errors=True)
    return lambda: lightweight.execute(_AGAIN, function)
