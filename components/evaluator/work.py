"""Evaluates a model and blesses it, or says why not."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tidegate.components.errors import ComponentError
from tidegate.components.evaluator import analysis, judging, labels, references, slices, verdicts
from tidegate.components.evaluator.catalogue import BINARY, LATENCIES, MULTICLASS
from tidegate.components.evaluator.examples import Columns, batches, collect, files_of
from tidegate.components.evaluator.judging import Findings
from tidegate.components.evaluator.measure import Measured, measure
from tidegate.components.evaluator.requirements import BASELINE, Reference, Requirements, read
from tidegate.components.evaluator.scoring import Scorer, saved_model
from tidegate.components.evaluator.tfma_output import CANDIDATE, Writer, eval_config
from tidegate.components.evaluator.verdicts import Verdict
from tidegate.components.evaluator.yaml_reader import near
from tidegate.components.progress import report

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of it; the files are in the folders that were given."""

    blessed: bool
    examples: int
    metrics: Mapping[str, float]
    """The candidate's overall metrics."""
    verdicts: Sequence[Verdict]


def evaluate(
    examples: str | Path,
    model: str | Path,
    requirements: str,
    evaluation: str | Path,
    blessing: str | Path,
    baseline: str | Path | None = None,
    splits: Sequence[str] = ("eval",),
    seed: int = 42,
    schema: str | Path | None = None,
) -> Evaluation:
    """Score raw tf.Examples with the candidate (and the baseline), measure, judge, write both artifacts.

    Args:
        examples: an Examples artifact with the raw features, labels included.
        model: a Model artifact; its serving_default takes serialised examples.
        requirements: the text of the requirements file.
        evaluation: where the ModelEvaluation goes (TFMA's layout, and summary.json).
        blessing: where the ModelBlessing goes.
        baseline: the Model to compare with; None or an empty folder: there is none yet.
        schema: a Schema artifact, against which the features that the requirements name are checked first.
    Raises: ComponentError for requirements, examples, labels or predictions that cannot be used.
    """
    wanted = read(requirements)
    if schema:
        _check_features(wanted, Path(schema))
    scored = _score(examples, model, baseline, wanted, splits)
    predictions = dict(scored.predictions)
    for reference in wanted.references:
        predictions[reference.name] = _reference(examples, wanted, scored, reference)
    members = slices.find(scored.table, wanted.slices, len(scored.labels))
    writer = Writer()
    measured: dict[str, Measured] = {}
    tfma_models = {CANDIDATE: ""} if BASELINE not in predictions else {CANDIDATE: CANDIDATE, BASELINE: BASELINE}
    for one in measure(wanted, scored.labels, predictions, members, seed):
        _add(writer, one, tfma_models)
        measured[one.members.label] = Measured(
            one.members, {}, {}, one.values, one.intervals, one.wide, one.differences
        )
    latencies = {n: analysis.latency(scored.latencies, share, wanted.confidence) for n, share in LATENCIES.items()}
    findings = Findings(wanted, members, measured, judging.gaps(wanted, measured), latencies, tuple(predictions))
    judged = judging.judge(findings)
    blessed = not any(v.blocks for v in judged)
    config = eval_config(wanted, scored.classes, BASELINE in predictions)
    writer.write(Path(evaluation), config, str(examples), {name: str(model) for name in tfma_models.values()}, blessed)
    summary = _summary(findings, scored)
    _write_json(Path(evaluation) / "summary.json", summary)
    _write_blessing(Path(blessing), blessed, judged)
    _tell(wanted, summary, judged, blessed)
    overall = measured["overall"].values
    return Evaluation(blessed, len(scored.labels), {m: overall[CANDIDATE, m] for m in wanted.metrics}, judged)


def _check_features(wanted: Requirements, schema: Path) -> None:
    from tensorflow_data_validation.utils.schema_util import load_schema_text

    known = sorted(f.name for f in load_schema_text(str(schema / "schema.pbtxt")).feature)
    for feature, line in wanted.features().items():
        if feature not in known:
            raise ComponentError(
                f"requirements.yaml line {line}: the schema has no feature {feature!r}{near(feature, known)}"
            )


# ---------------------------------------------------------------- scoring
@dataclass(frozen=True, slots=True)
class _Scored:
    table: Mapping[str, pa.Array]
    labels: Array
    predictions: Mapping[str, Array]
    latencies: Array

    @property
    def classes(self) -> int:
        """0 where the model gives one number."""
        shape = self.predictions[CANDIDATE].shape
        return int(shape[1]) if len(shape) > 1 else 0


def _score(
    examples: str | Path, model: str | Path, baseline: str | Path | None, wanted: Requirements, splits: Sequence[str]
) -> _Scored:
    place = saved_model(model)
    if place is None:
        raise ComponentError(f"the model to evaluate is empty: {model}")
    scorers = [Scorer(place, CANDIDATE, wanted.prediction)]
    before = saved_model(baseline) if baseline else None
    if before:
        scorers.append(Scorer(before, BASELINE, wanted.prediction))
    columns = Columns(wanted.features())
    parts: dict[str, list[Array]] = {s.name: [] for s in scorers}
    first: Array | None = None
    for batch in batches([f for split in splits for f in files_of(examples, split)]):
        first = batch[:1000].copy() if first is None else first
        columns.add(batch)
        for scorer in scorers:
            parts[scorer.name].append(scorer.predict(batch))
        report(f"scored {columns.rows} examples")
    where = f"split {', '.join(splits)}"
    if first is None:
        raise ComponentError(f"{where} of {examples} is empty: nothing to evaluate on")
    table = columns.table()
    truth = labels.numbers(table[wanted.label], wanted, where)
    found = {name: labels.check_predictions(np.concatenate(p), wanted, name) for name, p in parts.items()}
    if wanted.task == MULTICLASS and truth.max() >= found[CANDIDATE].shape[1]:
        raise ComponentError(
            f"label {wanted.label!r} has class {truth.max():.0f}; the model gives {found[CANDIDATE].shape[1]} classes"
        )
    return _Scored(table, truth, found, scorers[0].latencies(first))


def _reference(examples: str | Path, wanted: Requirements, scored: _Scored, reference: Reference) -> Array:
    named = wanted.features()
    files = files_of(examples, reference.split)
    train = collect(files, {f: named[f] for f in (wanted.label, *reference.rates_by)})
    truth = labels.numbers(train[wanted.label], wanted, f"split {reference.split}")
    return references.rates(
        train, truth, scored.table, reference.rates_by, reference.smoothing, wanted.task, scored.classes
    )


# ---------------------------------------------------------------- writing
def _add(writer: Writer, one: Measured, models: Mapping[str, str]) -> None:
    """`models`: our name -> the name in TFMA's files; references stay out of these: they are no models."""
    writer.add(
        one.members.key,
        {theirs: one.tfma[ours] for ours, theirs in models.items()},
        {(models[m], name): i for (m, name), i in one.intervals.items() if m in models},
        {name: i for (name, other), i in one.differences.items() if other == BASELINE},
        {theirs: one.own[ours] for ours, theirs in models.items()},
    )


def _summary(findings: Findings, scored: _Scored) -> dict[str, Any]:
    wanted, measured, latencies = findings.wanted, findings.measured, findings.latencies
    rows = []
    for where, one in measured.items():
        for (model, name), value in one.values.items():
            interval = one.intervals[model, name]
            low, high = (interval.low, interval.high) if interval else (None, None)
            rows.append(
                {"name": name, "slice": where, "model": model, "value": value, "low": low, "high": high}
                | {"examples": len(one.members.rows)}
            )
    binary = wanted.task == BINARY
    candidate = scored.predictions[CANDIDATE]
    return {
        "label": wanted.label,
        "task": wanted.task,
        "examples": len(scored.labels),
        "confidence": wanted.confidence,
        "metrics": rows,
        "calibration": analysis.calibration(wanted.task, scored.labels, candidate),
        "roc": analysis.roc(scored.labels, candidate) if binary else [],
        "thresholds": analysis.thresholds(wanted.thresholds, scored.labels, candidate) if binary else [],
        "fairness": [
            {"metric": g.metric, "feature": g.feature, "best_slice": g.best_slice, "worst_slice": g.worst_slice}
            | {"gap": g.gap, "low": g.low, "high": g.high}
            for g in findings.gaps
        ],
        "latency": {
            "batch": 1,
            "p50_ms": latencies["prediction_latency_p50_ms"].value,
            "p99_ms": latencies["prediction_latency_p99_ms"].value,
        },
        "small_slices": sorted(m.label for m in findings.members if m.label not in measured),
    }


def _write_blessing(folder: Path, blessed: bool, judged: Sequence[Verdict]) -> None:
    """The reasons first, the mark that others look for last."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "blessing.json", {"blessed": blessed, "requirements": [v.as_dict() for v in judged]})
    (folder / ("BLESSED" if blessed else "NOT_BLESSED")).write_text("", encoding="utf-8")


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(_finite(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _finite(content: Any) -> Any:
    """NaN and infinity are null: JSON has no word for them."""
    if isinstance(content, dict):
        return {k: _finite(v) for k, v in content.items()}
    if isinstance(content, list):
        return [_finite(v) for v in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def _tell(wanted: Requirements, summary: Mapping[str, Any], judged: list[Verdict], blessed: bool) -> None:
    print(f"{summary['examples']} examples, {len({m['slice'] for m in summary['metrics']})} slices")
    if summary["small_slices"]:
        print(f"left out, fewer than {wanted.min_examples} examples: {', '.join(summary['small_slices'])}")
    print("BLESSED" if blessed else "NOT BLESSED")
    verdicts.table(judged, print)
