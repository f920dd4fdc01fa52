"""The IR's protobuf messages (package kfp-pipeline-spec), without importing kfp.

`import kfp.pipeline_spec` runs kfp's own `__init__` first, which takes a second; the generated module alone takes
20 ms. Loaded twice, it gives the same message classes: protobuf keeps one per descriptor.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

_NAME = "kfp.pipeline_spec.pipeline_spec_pb2"


def _load() -> Any:
    if _NAME in sys.modules:
        return sys.modules[_NAME]
    found = PathFinder.find_spec("kfp")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / "pipeline_spec" / "pipeline_spec_pb2.py"
        if path.is_file():
            spec = spec_from_file_location("tidegate.spec._pipeline_spec_pb2", path)
            assert spec is not None and spec.loader is not None
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    raise ModuleNotFoundError("kfp-pipeline-spec is not installed: `pip install 'tidegate[cli]'`")


pb: Any = _load()
