"""Resolve the environments' lock files again: `make locks`. Hashes in, index lines out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "src/tidegate/environments"
IMAGES = "../../../images/locks"
LOCKS = {  # lock: (its inputs, locks that it must agree with)
    "control": (["control.in"], []),
    "dev": (["control.in", "dev.in"], ["control"]),
    "components": (["components.in"], []),
    "serving": (["serving.in"], []),
    "test": (["test.in"], ["components"]),
    "uv": (["uv.in"], ["control"]),
    f"{IMAGES}/build": ([f"{IMAGES}/build.in"], []),
    f"{IMAGES}/operator": ([f"{IMAGES}/operator.in"], ["control"]),
    f"{IMAGES}/components-gpu": ([f"{IMAGES}/components-gpu.in"], ["components"]),
}


def main() -> None:
    for name, (inputs, agree) in LOCKS.items():
        constraints = [part for other in agree for part in ("-c", f"{other}.lock")]
        command = [
            "uv", "pip", "compile", "--quiet", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
            "--no-header", "--upgrade", *constraints, *inputs, "-o", f"{name}.lock",
        ]  # fmt: skip
        print(f"{name}.lock")
        subprocess.run([str(Path(sys.executable).parent / "uv"), *command[1:]], cwd=FOLDER, check=True)


if __name__ == "__main__":
    main()
