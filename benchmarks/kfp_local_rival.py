"""The rival: kfp.local at its best (subprocesses, no virtual environment, kfp not installed again)."""

import json
import logging
import sys
import time

from kfp import local

from benchmarks import step_pipelines


def main(name: str, folder: str) -> None:
    logging.disable(logging.CRITICAL)
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=folder, raise_on_error=True)
    pipeline = getattr(step_pipelines, name)
    began = time.time()
    pipeline()
    print(json.dumps({"seconds": time.time() - began}))


if __name__ == "__main__":
    main(*sys.argv[1:])
