"""The main job on the embedded default, as a user would type it: `make demo`, or `make demo ARGS=--no-cache`."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
TIDEGATE = str(Path(sys.executable).parent / "tidegate")
STORE = ROOT / ".tidegate"
KEY = STORE / "keys" / "signing.key"


def say(*command: str) -> None:
    """Show the command, run it; the demo ends where one fails."""
    print(f"\n$ tidegate {shlex.join(command)}", flush=True)
    done = subprocess.run([TIDEGATE, *command], cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.returncode)


def main(arguments: list[str]) -> None:
    began = time.monotonic()
    if not KEY.exists():
        say("models", "keygen", str(KEY))
    say(
        "run", "pipelines/flights/pipeline.py",
        "-p", "span=6", "-p", f"destination={STORE / 'models'}", "-p", f"signing_key={KEY}",
        *arguments,
    )  # fmt: skip
    say("models", "--destination", str(STORE / "models"))
    say("verify", "flights", "--destination", str(STORE / "models"), "--key", str(KEY.with_suffix(".pub")))
    say("report", "latest:flights", "--to", str(STORE / "report.html"))
    print(f"\nThe demo took {time.monotonic() - began:.0f} s. Open {STORE / 'report.html'} in a browser.")


if __name__ == "__main__":
    main(sys.argv[1:])
