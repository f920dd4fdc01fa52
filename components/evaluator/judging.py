"""Which measurement answers which requirement. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tidegate.components.evaluator import slices, verdicts
from tidegate.components.evaluator.catalogue import LATENCIES
from tidegate.components.evaluator.intervals import Interval
from tidegate.components.evaluator.measure import Measured
from tidegate.components.evaluator.requirements import ANY, BASELINE, Requirement, Requirements
from tidegate.components.evaluator.tfma_output import CANDIDATE
from tidegate.components.evaluator.verdicts import Gap, Verdict


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was measured."""

    wanted: Requirements
    members: Sequence[slices.Members]
    """Every slice that occurs, the overall one first."""
    measured: Mapping[str, Measured]
    """By the slice's label; slices that are too small are not in it."""
    gaps: Sequence[Gap]
    latencies: Mapping[str, Interval]
    models: Sequence[str]
    """candidate, and what it is compared with."""


def gaps(wanted: Requirements, measured: Mapping[str, Measured]) -> list[Gap]:
    """Of every metric, between the slices of every feature that is sliced alone."""
    features = dict.fromkeys(s.features[0] for s in wanted.slices if len(s.features) == 1 and not s.values)
    found = []
    for feature in features:
        of_feature = {n: m for n, m in measured.items() if m.members.features == (feature,)}
        for metric in wanted.metrics:
            one = verdicts.gap(metric, feature, {n: m.wide[metric] for n, m in of_feature.items() if metric in m.wide})
            if one is not None:
                found.append(one)
    return found


def judge(findings: Findings) -> list[Verdict]:
    """Every requirement in the file's order; one that names `*` gives a verdict for each slice."""
    return [v for r in findings.wanted.requirements for v in _judge(r, findings)]


def _judge(requirement: Requirement, findings: Findings) -> list[Verdict]:
    wanted, name, spec = findings.wanted, requirement.metric, requirement.slice
    if name in LATENCIES:
        return [verdicts.judge(requirement, wanted, "overall", findings.latencies[name])]
    if requirement.gap_over:
        return [_judge_gap(requirement, findings)]
    chosen = [findings.members[0]] if spec is None else _matching(spec, findings)
    if not chosen:
        assert spec is not None
        where = slices.label(zip(spec.features, spec.values or [ANY] * len(spec.features), strict=True))
        return [verdicts.judge(requirement, wanted, where, None, "no example is in this slice, or too few")]
    if requirement.against == BASELINE and BASELINE not in findings.models:
        return [verdicts.no_baseline(requirement, m.label) for m in chosen]
    return [_judge_slice(requirement, wanted, m, findings.measured.get(m.label)) for m in chosen]


def _matching(spec: slices.Slice, findings: Findings) -> list[slices.Members]:
    """The slices that a requirement names; under `*` only those that are big enough."""
    named = [m for m in findings.members if m.features == spec.features]
    fitting = [m for m in named if slices.matches(spec, tuple(value for _, value in m.key))]
    several = ANY in spec.values or not spec.values
    return [m for m in fitting if not several or m.label in findings.measured]


def _judge_gap(requirement: Requirement, findings: Findings) -> Verdict:
    feature, least = requirement.gap_over, findings.wanted.min_examples
    key = (requirement.metric, feature)
    found = next((g for g in findings.gaps if (g.metric, g.feature) == key), None)
    interval = Interval(found.gap, found.low, found.high) if found else None
    why = f"{feature} has no two slices of at least {least} examples on which {requirement.metric} is defined"
    return verdicts.judge(requirement, findings.wanted, f"gap over {feature}", interval, why)


def _judge_slice(
    requirement: Requirement, wanted: Requirements, members: slices.Members, found: Measured | None
) -> Verdict:
    name, count = requirement.metric, len(members.rows)
    if found is None:
        why = f"the slice has {count} examples; min_examples is {wanted.min_examples}"
        return verdicts.judge(requirement, wanted, members.label, None, why)
    if requirement.against:
        interval = found.differences[name, requirement.against]
    elif name == "example_count":
        interval = Interval(count, count, count)
    else:
        interval = found.intervals[CANDIDATE, name]
    why = f"{name} is not defined on these {count} examples (one class only, or none predicted?)"
    return verdicts.judge(requirement, wanted, members.label, interval, why)
