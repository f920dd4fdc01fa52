"""The main job on the embedded default, as a user would type it: `make demo`, or `make demo ARGS=--no-cache`.

The pipeline makes a model; it is served; a second one, of more months, comes live under real flights; a broken one does
not. Every request of the whole time is counted.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from tidegate.models import ModelVersion, latest
from tidegate.serving.load import Load, Sent, request
from tidegate.serving.local.place import Place

ROOT = Path(__file__).parent.parent
TIDEGATE = str(Path(sys.executable).parent / "tidegate")
STORE = ROOT / ".tidegate"
MODELS, SCENE = STORE / "models", STORE / "demo"
KEY = STORE / "keys" / "signing.key"
PLAN = ROOT / "pipelines/flights/rollout.yaml"
NAME = "flights-demo"
PLACE = Place(STORE / "serving" / NAME)
RATE = 200.0
"""Requests a second."""


def say(*command: str, codes: tuple[int, ...] = (0,)) -> int:
    """Show the command, run it; the demo ends where one fails."""
    print(f"\n$ tidegate {shlex.join(command)}", flush=True)
    done = subprocess.run([TIDEGATE, *command], cwd=ROOT)
    if done.returncode not in codes:
        raise SystemExit(done.returncode or 1)
    return done.returncode


def pipeline(*arguments: str) -> None:
    say(
        "run", "pipelines/flights/pipeline.py", "-p", f"destination={MODELS}", "-p", f"signing_key={KEY}", *arguments
    )  # fmt: skip


def rollout(model: str, name: str) -> Path:
    """The flights' own plan, for this model."""
    text = PLAN.read_text(encoding="utf-8")
    plan = SCENE / f"{name}.yaml"
    plan.write_text(text.replace("uri: flights ", f"uri: {model} "), encoding="utf-8")
    return plan


def broken(model: ModelVersion) -> Path:
    """The model with the vocabularies of another: every word gets a number that the network does not know."""
    folder = SCENE / "broken-transform"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in ("Format-Serving", "Samples"):
        shutil.copytree(model.path / part, folder / part)
    for path in (folder / "Format-Serving" / "assets").iterdir():
        path.chmod(0o644)
        strange = "".join(f"strange-{i}\n" for i in range(500))
        path.write_text(strange + path.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


class Traffic:
    """Real flights of August, which no model has seen, sent again and again until `end`."""

    def __init__(self, port: int) -> None:
        file = SCENE / "august.jsonl"
        if not file.exists():
            python = ROOT / ".venvs/components/bin/python"
            command = [python, ROOT / "pipelines/flights/replay.py", "--span", "8", "--count", "5000"]
            file.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
        path = f"/v2/models/{NAME}/infer"
        requests = [request("127.0.0.1", port, path, line) for line in file.read_bytes().splitlines()]
        self._load, self._over = Load("127.0.0.1", port, requests), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    async def _run(self) -> None:
        await self._load.run(RATE, 3600, self._over.is_set)
        self._load.close()

    def end(self) -> Sent:
        self._over.set()
        self._thread.join(30)
        return self._load.sent


def serve(model: ModelVersion) -> subprocess.Popen[bytes]:
    """Beside whatever comes next: loading TensorFlow takes its seconds."""
    command = ["serve", str(model.path), "--name", NAME, "--replicas", "1", "--detach"]
    print(f"\n$ tidegate {shlex.join(command)} &", flush=True)
    return subprocess.Popen([TIDEGATE, *command], cwd=ROOT)


def live(first: ModelVersion) -> None:
    """From the first model served to the second one live and a broken one gone."""
    SCENE.mkdir(parents=True, exist_ok=True)
    tidy()
    serving = serve(first)
    try:
        print("\nA second model, of one more month:")
        pipeline("-p", "span=7", "-p", "previous_span=6", "-p", "window=5", "-p", 'splits={"train": 4, "eval": 1}')
        second = latest(MODELS, "flights")
        if serving.wait() or second is None:
            raise SystemExit("the first model could not be served")
        sent = rolled_out(second)
    finally:
        serving.wait()
        tidy()
    print(
        f"\n{sent.count:,} requests: {sent.losses} lost; half were answered within {1000 * sent.quantile(0.5):.0f} ms, "
        f"99 % within {1000 * sent.quantile(0.99):.0f} ms."
    )
    for model, count in sorted(sent.served_by.items()):
        print(f"  {count:>7,} by {model}")
    if sent.losses:
        raise SystemExit(f"lost requests: {sent.lost[:5]}")


def rolled_out(second: ModelVersion) -> Sent:
    """The second model, then a broken one, under load."""
    status = PLACE.status()
    assert status is not None
    traffic = Traffic(status.port)
    print(f"\nFlights of August ask now, {RATE:g} a second.")
    say("rollout", "run", str(rollout(str(second.path), "second")), "--name", NAME)
    say("rollout", "history", "--name", NAME)
    print("\nAnd a model whose transform is broken:")
    say("rollout", "run", str(rollout(str(broken(second)), "broken")), "--name", NAME, codes=(1,))
    say("rollout", "history", "--name", NAME)
    sent = traffic.end()
    say("serve", "status")
    return sent


def tidy() -> None:
    """Nothing of the demo is served any more, and nothing of an earlier one is left."""
    desired = PLACE.desired()
    if desired is not None and not desired.stopped:
        say("serve", "stop", "--name", NAME)
    shutil.rmtree(PLACE.folder, ignore_errors=True)


def main(arguments: list[str]) -> None:
    began = time.monotonic()
    if not KEY.exists():
        say("models", "keygen", str(KEY))
    pipeline("-p", "span=6", *arguments)
    say("models", "--destination", str(MODELS))
    first = latest(MODELS, "flights", before_span=7)
    assert first is not None
    say("verify", str(first.path), "--key", str(KEY.with_suffix(".pub")))
    say("report", "latest:flights", "--to", str(STORE / "report.html"))
    took = time.monotonic() - began
    live(first)
    whole = time.monotonic() - began
    print(f"\nThe demo took {whole:.0f} s, the first {took:.0f} s for the pipeline. Open {STORE / 'report.html'}.")


if __name__ == "__main__":
    main(sys.argv[1:])
