"""Does the model really load in a real model server, and answer there as it did for its trainer?"""

from __future__ import annotations

import json
import math
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from tidegate.components.errors import ComponentError
from tidegate.components.infra_validator import samples
from tidegate.components.infra_validator.server import ServerError, serving
from tidegate.components.progress import report

LOAD_TIMEOUT = 120.0
ANSWER_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Validation:
    """infra.json; `max_difference` is None where there was no comparable answer."""

    blessed: bool
    load_seconds: float | None
    requests: int
    max_difference: float | None
    tolerance: float
    server: str
    reason: str


def validate(
    model: str | Path,
    blessing: str | Path,
    tolerance: float = 1e-4,
    requests: int = 32,
    load_timeout: float = LOAD_TIMEOUT,
) -> Validation:
    """Serve the model, send its sample requests (all together, then one alone), compare, write the InfraBlessing.

    A model that cannot be served is not blessed: that is a result, not an error.
    Raises: ComponentError for a model without a SavedModel or samples, or a tolerance below 0.
    """
    if not tolerance >= 0:
        raise ComponentError(f"tolerance is {tolerance}; expected 0 or more")
    root = Path(model)
    if not (root / "Format-Serving" / "saved_model.pb").is_file():
        raise ComponentError(f"{root} has no Format-Serving/saved_model.pb: expected a model that trainer made")
    sent = samples.read(root, requests)
    done = _serve(root, sent, tolerance, load_timeout)
    folder = Path(blessing)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "infra.json").write_text(json.dumps(asdict(done), indent=1) + "\n", encoding="utf-8")
    (folder / ("INFRA_BLESSED" if done.blessed else "INFRA_NOT_BLESSED")).write_text("", encoding="utf-8")
    print(f"{'INFRA_BLESSED' if done.blessed else 'INFRA_NOT_BLESSED'}: {done.reason}")
    return done


def _serve(root: Path, sent: samples.Samples, tolerance: float, load_timeout: float, retries: int = 2) -> Validation:
    server = f"mlserver {version('mlserver')}, tensorflow {_tensorflow()}"
    count = len(sent.examples)
    load_seconds = None
    report("starting MLServer")
    try:
        with (
            tempfile.TemporaryDirectory(prefix="infra-validator-") as folder,
            serving(root / "Format-Serving", Path(folder), load_timeout) as running,
        ):
            load_seconds = round(running.load_seconds, 3)
            report(f"ready after {load_seconds:.1f} s; sending {count} requests")
            start = time.monotonic()
            together = running.infer(list(sent.examples), ANSWER_TIMEOUT)
            alone = running.infer([sent.examples[0]], ANSWER_TIMEOUT)
            print(f"loaded in {load_seconds:.2f} s, answered in {time.monotonic() - start:.3f} s ({server})")
    except ServerError as error:
        if "address already in use" in str(error).lower() and retries:  # another took the port between look and use
            return _serve(root, sent, tolerance, load_timeout, retries - 1)
        print(error)
        return Validation(False, load_seconds, count, None, tolerance, server, str(error))
    first = {name: rows[:1] for name, rows in sent.outputs.items()}
    compared = [samples.difference(sent.outputs, together), samples.difference(first, alone)]
    worst, where = max(compared, key=lambda c: c[0])
    blessed = worst <= tolerance
    if blessed:
        reason = f"{count} answers equal the trainer's within {tolerance:g} (greatest difference {worst:.2g})"
    elif math.isinf(worst):
        reason = f"the server's answers do not compare with the trainer's: {where}"
    else:
        reason = f"the server's answers differ by up to {worst:.3g}, more than {tolerance:g}: {where}"
    return Validation(blessed, load_seconds, count, worst if math.isfinite(worst) else None, tolerance, server, reason)


def _tensorflow() -> str:
    for package in ("tensorflow-cpu", "tensorflow"):
        try:
            return version(package)
        except ModuleNotFoundError:
            continue
    return "unknown"
