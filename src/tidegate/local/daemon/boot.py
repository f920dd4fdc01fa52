"""Run as a script by the environment's Python: loads this package, from here and under a name of its own.

So the worker's code is always that of the installation that asks, whatever the environment has of tidegate.
"""

import importlib.util
import sys
from pathlib import Path

_FOLDER = Path(__file__).parent
_NAME = "tidegate_worker"


def _load() -> None:
    spec = importlib.util.spec_from_file_location(
        _NAME, _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)]
    )
    assert spec
    assert spec.loader
    sys.modules[_NAME] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


if __name__ == "__main__":
    _load()
    importlib.import_module(f"{_NAME}.main").main(sys.argv[1:])
