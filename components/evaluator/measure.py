"""Every metric, on every slice, for every model: values by TFMA, intervals, paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidegate.components.evaluator import analysis, intervals, verdicts
from tidegate.components.evaluator.catalogue import METRICS, MULTICLASS
from tidegate.components.evaluator.intervals import Estimate, Interval
from tidegate.components.evaluator.requirements import BASELINE, Requirements
from tidegate.components.evaluator.slices import Members
from tidegate.components.evaluator.tfma_metrics import Computations, Scored
from tidegate.components.evaluator.tfma_output import CANDIDATE, eval_config, metrics_specs, name_of
from tidegate.components.progress import report

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """One slice."""

    members: Members
    tfma: Mapping[str, Mapping[Any, Any]]
    """model -> TFMA's keys and values"""
    own: Mapping[str, Mapping[str, float]]
    values: Mapping[tuple[str, str], float]
    """(model, metric) -> value; NaN where it is not defined on this slice"""
    intervals: Mapping[tuple[str, str], Interval | None]
    wide: Mapping[str, Interval]
    """metric -> the candidate's interval that is right together with the other slices of the same feature"""
    differences: Mapping[tuple[str, str], Interval | None] = field(default_factory=dict)
    """(metric, against) -> candidate minus that model"""


def measure(
    wanted: Requirements,
    labels: Array,
    predictions: Mapping[str, Array],
    members: Sequence[Members],
    seed: int,
) -> Iterator[Measured]:
    """Slice by slice, so that nothing of one slice's examples is kept while the next is measured.

    `predictions`: candidate first, then the baseline and the references, each for the same examples. Slices of fewer
    than `min_examples` are left out.
    """
    classes = next(iter(predictions.values())).shape[1] if wanted.task == MULTICLASS else 0
    config = eval_config(wanted, classes, baseline=False)
    overall = Computations(metrics_specs(wanted, classes, plots=True), config)
    others = Computations(metrics_specs(wanted, classes, plots=False), config)
    bootstrap = any(METRICS[m].method == "bootstrap" for m in wanted.metrics)
    weights = intervals.poisson_weights(len(labels), seed) if bootstrap else None
    big = [m for m in members if len(m.rows) >= wanted.min_examples or not m.key]
    siblings = {f: sum(m.features == f for m in big) for f in {m.features for m in big}}
    for done, one in enumerate(big, 1):
        scored = {name: Scored(labels[one.rows], p[one.rows]) for name, p in predictions.items()}
        values = {name: (others if one.key else overall).evaluate(s) for name, s in scored.items()}
        yield _measured(wanted, one, scored, values, weights, siblings[one.features])
        report(f"measured {one.label}", done, len(big))


def _measured(
    wanted: Requirements,
    one: Members,
    scored: Mapping[str, Scored],
    tfma: Mapping[str, Mapping[Any, Any]],
    weights: Array | None,
    siblings: int,
) -> Measured:
    drawn = weights[one.rows] if weights is not None else None
    own = {name: analysis.own_metrics(wanted, s.labels, s.predictions) for name, s in scored.items()}
    values: dict[tuple[str, str], float] = {}
    estimates: dict[tuple[str, str], Estimate] = {}
    found: dict[tuple[str, str], Interval | None] = {}
    wide: dict[str, Interval] = {}
    for model, s in scored.items():
        named = {
            name_of(k): v for k, v in tfma[model].items() if np.ndim(v) == 0 and isinstance(v, float | np.floating)
        }
        named |= own[model]
        for name in wanted.metrics:
            metric = METRICS[name]
            values[model, name] = value = float(named.get(name, math.nan))
            estimates[model, name] = made = intervals.estimate(metric, value, s.labels, s.predictions, drawn)
            found[model, name] = intervals.interval(made, wanted.confidence, metric.low, metric.high)
            if model == CANDIDATE and len(one.key) == 1:
                level = verdicts.together(wanted.confidence, siblings)
                simultaneous = intervals.interval(made, level, metric.low, metric.high)
                if simultaneous is not None:
                    wide[name] = simultaneous
    pairs = {(r.metric, r.against) for r in wanted.requirements if r.against in scored}
    if BASELINE in scored:
        pairs |= {(m, BASELINE) for m in wanted.metrics}
    differences = {
        (name, other): intervals.difference(estimates[CANDIDATE, name], estimates[other, name], wanted.confidence)
        for name, other in sorted(pairs)
    }
    return Measured(one, tfma, own, values, found, wide, differences)
