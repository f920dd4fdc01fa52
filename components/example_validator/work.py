"""What example_validator does: judge the statistics by the schema, and the rows by checks of our own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError
from tidegate.components.example_validator.anomalies import Distance, same_split, validate, with_bounds
from tidegate.components.example_validator.checking import run_checks, settings
from tidegate.components.example_validator.data_checks import Check
from tidegate.components.example_validator.policy import Anomaly, blocks, check_blocks, check_policy
from tidegate.components.progress import report
from tidegate.components.schema_gen.files import read_schema
from tidegate.components.statistics_gen.files import read_statistics
from tidegate.components.statistics_gen.summary import finite
from tidegate.components.tfrecord import split_folder

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Judgement:
    policy: str
    splits: tuple[str, ...]
    anomalies: tuple[Anomaly, ...]
    checks: tuple[Check, ...]
    distances: tuple[Distance, ...]

    @property
    def blocking(self) -> list[str]:
        """What stops the pipeline, a line each."""
        return [_said(one) for one in self.anomalies if blocks(self.policy, one)] + [
            f"check {one.name}: {one.detail}" for one in self.checks if check_blocks(self.policy, one.verdict)
        ]

    @property
    def telling(self) -> list[str]:
        """What is told and does not stop it."""
        return [_said(one) for one in self.anomalies if not blocks(self.policy, one)] + [
            f"check {one.name} ({one.verdict}): {one.detail}"
            for one in self.checks
            if one.verdict != "ok" and not check_blocks(self.policy, one.verdict)
        ]


def _said(one: Anomaly) -> str:
    return (
        f"{one.split}: {one.feature or 'the whole split'}: {one.short}: {one.description} [{one.kind}, {one.severity}]"
    )


def validate_examples(
    statistics: str | Path,
    schema: str | Path,
    anomalies: str | Path,
    examples: str | Path | None = None,
    previous_statistics: str | Path | None = None,
    serving_statistics: str | Path | None = None,
    policy: str = "errors",
    checks: Mapping[str, Any] | None = None,
    label: str = "",
    environment: str = "",
) -> Judgement:
    """Write the ExampleAnomalies artifact `anomalies`: TFDV's SchemaDiff.pb for each split, and summary.json.

    Does not raise for what is found: see `refuse`. Raises: ComponentError for inputs or settings it cannot use.
    """
    check_policy(policy)
    known = settings(checks or {})
    wanted, found = read_schema(schema), read_statistics(statistics)
    previous = read_statistics(previous_statistics) if previous_statistics else None
    serving = read_statistics(serving_statistics) if serving_statistics else None
    said: list[Anomaly] = []
    distances: list[Distance] = []
    for split, one in found.items() if policy != "off" else ():
        report(f"validating {split}")
        before = same_split(previous, split) if previous else None
        served = same_split(serving, split) if serving else None
        bounded = with_bounds(wanted, one, (before, known["drift"]), (served, known["skew"]))
        message, anomalous, far = validate(split, one, bounded, environment, before, served)
        folder = split_folder(anomalies, split)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "SchemaDiff.pb").write_bytes(message.SerializeToString(deterministic=True))
        said += anomalous
        distances += far
    checked = run_checks(examples, found, known, label) if examples and policy != "off" else []
    judged = Judgement(policy, tuple(found), tuple(said), tuple(checked), tuple(distances))
    _write_summary(Path(anomalies), judged)
    for line in judged.telling:
        print(f"told: {line}")
    print(f"{len(said)} anomalies, {sum(c.verdict != 'ok' for c in checked)} of {len(checked)} checks found something")
    return judged


def refuse(judged: Judgement) -> None:
    """Raises: ComponentError that lists what blocks, by the policy, where there is something."""
    lines = judged.blocking
    if not lines:
        return
    more = f"\n  ... and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    raise ComponentError(
        f"the data is refused by policy {judged.policy!r}, for {len(lines)} reason{'s' if len(lines) > 1 else ''}:\n  "
        + "\n  ".join(lines[:_SHOWN])
        + more
        + "\nMend the data, or the schema where the data is right; another policy (structure, warn) lets more pass"
    )


def _write_summary(folder: Path, judged: Judgement) -> None:
    summary = {
        "blocked": bool(judged.blocking),
        "policy": judged.policy,
        "anomalies": [asdict(one) | {"blocks": blocks(judged.policy, one)} for one in judged.anomalies],
        "checks": [_numbers(asdict(one)) for one in judged.checks],
        "drift": [_numbers(asdict(one)) for one in judged.distances],
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(summary, indent=1, sort_keys=True, allow_nan=False)
    (folder / "summary.json").write_text(text, encoding="utf-8")


def _numbers(record: dict[str, Any]) -> dict[str, Any]:
    return {key: finite(value) if isinstance(value, float) else value for key, value in record.items()}
