"""Makes all that a checkout needs, from nothing but Python 3.11: `make setup`. Under a second when nothing changed.

.venv               the control plane and the developers' tools, from dev.lock
.venvs/components   TensorFlow and the TFX libraries, from components.lock
.venvs/serving      MLServer, from serving.lock
.venvs/test         what the tests of the last two need besides, on their path after their own packages
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from tidegate.local import making, settings  # noqa: E402

CONTROL, TEST = ROOT / ".venv", ROOT / ".venvs/test"
COMMAND = """#!{python}
from tidegate.cli.main import main

main()
"""


def main() -> int:
    if sys.version_info[:2] != (3, 11):
        found = f"{sys.version_info.major}.{sys.version_info.minor}"
        print(f"setup: the locks are for Python {making.LOCKS_PYTHON}, this is {found}: make setup PYTHON=python3.11")
        return 1
    try:
        make()
    except making.CannotMake as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def make() -> None:
    control = making.Recipe("control plane", CONTROL, making.LOCKS / "dev.lock", making.LOCKS_PYTHON)
    tests = making.Recipe("tests", TEST, making.LOCKS / "test.lock", making.LOCKS_PYTHON)
    others = making.recipes(settings.load(ROOT))
    if all(making.is_current(recipe) for recipe in (control, *others)) and (TEST / tests.digest()).is_file():
        return
    uv = bootstrap_uv()
    making.make([control, *others], uv, lambda line: print(f"{line}\n", end="", flush=True))
    make_tests(tests, uv)
    command = CONTROL / "bin/tidegate"
    command.write_text(COMMAND.format(python=control.interpreter), encoding="utf-8")
    command.chmod(0o755)
    print("environments are as their locks say; next: make demo, or make help")


def make_tests(tests: making.Recipe, uv: str) -> None:
    """A folder of packages, not an environment: it goes on the path of two."""
    mark = TEST / tests.digest()
    if mark.is_file():
        return
    for old in TEST.glob("[0-9a-f]" * 64):
        old.unlink()
    making.run(
        (uv, "pip", "install", "--quiet", "--require-hashes", "--no-deps", "--upgrade", "--python",
         str(CONTROL / "bin/python"), "--target", str(TEST), "-r", str(tests.lock)),
        "what tests need",
    )  # fmt: skip
    mark.touch()


def bootstrap_uv() -> str:
    """A uv in .venv, by Python's own venv and pip; the hashes of its lock are checked."""
    uv, python = CONTROL / "bin/uv", CONTROL / "bin/python"
    if uv.is_file():
        return str(uv)
    print("uv: into .venv", flush=True)
    env = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    made = subprocess.run([sys.executable, "-m", "venv", str(CONTROL)], capture_output=True, text=True, check=False)
    if made.returncode:
        said = (made.stdout + made.stderr).strip()
        mend = "apt install python3-venv" if "ensurepip" in said else "see above"
        raise making.CannotMake(f"python3 -m venv failed: {said}\nto mend it: {mend}")
    got = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", making.LOCKS / "uv.lock"],
        env=env, check=False,
    )  # fmt: skip
    if got.returncode:
        raise making.CannotMake("pip could not install uv; see above")
    return str(uv)


if __name__ == "__main__":
    sys.exit(main())
