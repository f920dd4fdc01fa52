"""Which data checks run, with which settings, on which rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2

from tidegate.components.errors import ComponentError
from tidegate.components.example_validator import data_checks
from tidegate.components.example_validator.data_checks import Check
from tidegate.components.example_validator.label_errors import label_errors
from tidegate.components.example_validator.sample import look, whole_column
from tidegate.components.progress import report
from tidegate.components.tfrecord import split_paths

ROWS = 20_000
_CHECKS: dict[str, Callable[..., Check]] = {
    "duplicates": data_checks.duplicates,
    "shared_rows": data_checks.shared_rows,
    "label": data_checks.label_values,
    "leakage": data_checks.leakage,
    "outliers": data_checks.outliers,
    "time_split": data_checks.time_split,
    "label_errors": label_errors,
}
_BOUNDS = ("drift", "skew")


def settings(checks: Mapping[str, Any]) -> dict[str, Any]:
    """`checks` as the user gave it, complete: check -> its settings (None: switched off), `drift`, `skew`, `rows`.

    Raises: ComponentError for a check or setting that does not exist.
    """
    known = ("rows", *_BOUNDS, *_CHECKS)
    found: dict[str, Any] = {"rows": ROWS, "drift": {}, "skew": {}, **{name: {} for name in _CHECKS}}
    for name, asked in checks.items():
        if name not in known:
            raise ComponentError(f"checks: unknown check {name!r}; there are: {', '.join(known)}")
        if name == "rows":
            if not isinstance(asked, int) or asked < 1:
                raise ComponentError(f"checks: rows is {asked!r}; expected the number of rows to look at")
            found[name] = asked
        elif name in _BOUNDS:
            found[name] = dict(asked)
        else:
            found[name] = _of_check(name, asked)
    return found


def _of_check(name: str, asked: Any) -> dict[str, Any] | None:
    if isinstance(asked, bool):
        return {} if asked else None
    if not isinstance(asked, Mapping):
        raise ComponentError(f"checks: {name} is {asked!r}; expected its settings, or false to leave it out")
    parameters = inspect.signature(_CHECKS[name]).parameters
    allowed = [p for p in parameters if parameters[p].default is not inspect.Parameter.empty]
    allowed += ["column"] if name == "time_split" else []
    unknown = sorted(set(asked) - set(allowed))
    if unknown:
        raise ComponentError(f"checks: {name} has no setting {unknown[0]!r}; it has: {', '.join(allowed)}")
    if asked.get("verdict", "warn") not in ("warn", "fail"):
        raise ComponentError(f"checks: {name}: verdict is {asked['verdict']!r}; expected warn or fail")
    return dict(asked)


def run_checks(
    examples: str | Path, statistics: Mapping[str, Any], known: Mapping[str, Any], label: str = ""
) -> list[Check]:
    """All checks that are switched on and that the data allows: without a train split, a label or a time column fewer.

    `statistics`: split -> TFDV's, for the rows and types; `known`: see `settings`.
    """
    rows = {split: int(one.datasets[0].num_examples) for split, one in statistics.items()}
    first = "train" if "train" in rows else next(iter(rows))
    files = {split: split_paths(examples, split) for split in rows}
    report("reading rows for the data checks")
    seen = {split: look(files[split], count, known["rows"] if split == first else 0) for split, count in rows.items()}
    digests, columns = {split: one.digests for split, one in seen.items()}, seen[first].columns
    found = []
    if known["duplicates"] is not None:
        found.append(data_checks.duplicates(digests, **known["duplicates"]))
    if known["shared_rows"] is not None and first == "train" and len(rows) > 1:
        found.append(data_checks.shared_rows(digests, **known["shared_rows"]))
    if known["outliers"] is not None:
        others = {name: column for name, column in columns.items() if name != label}
        found.append(data_checks.outliers(others, **known["outliers"]))
    if label:
        found += _label_checks(columns, label, known)
    if known["time_split"]:
        found.append(_time_split(files, statistics, known["time_split"]))
    return found


def _label_checks(columns: data_checks.Columns, label: str, known: Mapping[str, Any]) -> list[Check]:
    values = data_checks.label_values(label, columns.get(label), **(known["label"] or {}))
    found = [values] if known["label"] is not None else []
    if label not in columns or len(columns[label].drop_null().unique()) < 2:
        return found
    if known["leakage"] is not None:
        found.append(data_checks.leakage(columns, label, **known["leakage"]))
    if known["label_errors"] is not None:
        report("looking for label errors")
        found.append(label_errors(columns, label, **known["label_errors"]))
    return found


def _time_split(files: Mapping[str, list[Path]], statistics: Mapping[str, Any], asked: Mapping[str, Any]) -> Check:
    column = asked.get("column", "")
    times = {}
    for split, one in statistics.items():
        kinds = {f.path.step[0]: f.type for f in one.datasets[0].features if len(f.path.step) == 1}
        if column not in kinds:
            raise ComponentError(
                f"checks: time_split: {split} has no column {column!r}; it has: {', '.join(sorted(kinds))}"
            )
        feature_type = {0: schema_pb2.INT, 1: schema_pb2.FLOAT}.get(kinds[column], schema_pb2.BYTES)
        times[split] = whole_column(files[split], column, feature_type)
    return data_checks.time_split(times, **asked)
