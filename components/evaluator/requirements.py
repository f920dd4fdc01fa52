"""The requirements file: what is measured, on which slices, and what blesses a model. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from tidegate.components.errors import ComponentError
from tidegate.components.evaluator.catalogue import BINARY, DEFAULTS, LATENCIES, METRICS, MULTICLASS, TASKS, of_task
from tidegate.components.evaluator.yaml_reader import Reader, near

BASELINE = "baseline"
ANY = "*"
"""A slice value that stands for each value found: `slice: {origin: "*"}`."""
SliceValue = str | int | float


@dataclass(frozen=True, slots=True)
class Slice:
    """`features` alone: one slice for each combination of their values; with `values`: that one slice."""

    features: tuple[str, ...]
    values: tuple[SliceValue, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Reference:
    """A predictor without a model: the smoothed label rate of each group of the training split."""

    name: str
    rates_by: tuple[str, ...]
    split: str
    smoothing: float
    line: int = 0


@dataclass(frozen=True, slots=True)
class Requirement:
    metric: str
    kind: Literal["at_least", "at_most"]
    bound: float
    slice: Slice | None = None
    against: str = ""
    """`baseline` or a reference's name: the bound is on the change against it."""
    gap_over: str = ""
    """A feature: the bound is on the gap between its best and worst slice."""
    undecided: str = ""
    """bless or block; empty: the file's."""
    line: int = 0


@dataclass(frozen=True, slots=True)
class ThresholdChoice:
    """Which decision threshold to report: best F1, best under a bound on the other rate, or least cost."""

    objective: Literal["f1", "recall", "precision", "cost"]
    bound: float = 0.0
    false_positive: float = 1.0
    false_negative: float = 1.0


@dataclass(frozen=True, slots=True)
class Requirements:
    label: str
    task: str
    metrics: tuple[str, ...]
    slices: tuple[Slice, ...]
    requirements: tuple[Requirement, ...]
    confidence: float = 0.95
    min_examples: int = 30
    undecided: str = "block"
    references: tuple[Reference, ...] = ()
    thresholds: tuple[ThresholdChoice, ...] = (ThresholdChoice("f1"),)
    classes: tuple[SliceValue, ...] = ()
    prediction: str = ""
    """Which output of the signature; empty: the only one."""

    def features(self) -> Mapping[str, int]:
        """Every feature that the file names -> the line that names it."""
        named = {self.label: 1}
        for s in self.slices:
            named.update(dict.fromkeys(s.features, s.line))
        for r in self.references:
            named.update(dict.fromkeys(r.rates_by, r.line))
        return named


_KEYS = (
    "label", "task", "metrics", "slices", "confidence", "min_examples", "undecided", "references", "thresholds",
    "classes", "prediction", "requirements",
)  # fmt: skip
_BOUNDS = ("at_least", "at_most", "change_at_least", "change_at_most")


def parse(text: str, document: str = "requirements.yaml") -> Requirements:
    """Read and check the file. Metrics and slices that only a requirement names are measured too.

    Raises: ComponentError that names the line, what was expected and the near matches.
    """
    root = Reader.parse(text, document)
    top = root.mapping(_KEYS)
    for needed in ("label", "task"):
        if needed not in top:
            root.fail(f"{needed!r} is missing")
    if "requirements" not in top or not list(top["requirements"].items()):
        at = top.get("requirements", root)
        at.fail("no requirements: nothing to bless a model by; for example `- {metric: auc, at_least: 0.7}`")
    task = top["task"].one_of(TASKS)
    references = _references(top["references"]) if "references" in top else ()
    requirements = tuple(_requirement(r, task, references) for r in top["requirements"].items())
    metrics = _metrics(top["metrics"], task) if "metrics" in top else DEFAULTS[task]
    slices = tuple(_slice(s) for s in top["slices"].items()) if "slices" in top else ()
    wanted = [r.metric for r in requirements if r.metric not in LATENCIES]
    extra = [_family(r.slice) for r in requirements if r.slice]
    extra += [Slice((r.gap_over,), line=r.line) for r in requirements if r.gap_over]
    return Requirements(
        label=top["label"].text(),
        task=task,
        metrics=tuple(dict.fromkeys([*metrics, *wanted])),
        slices=_merge([*slices, *extra]),
        requirements=requirements,
        confidence=top["confidence"].number(0.5, 0.9999) if "confidence" in top else 0.95,
        min_examples=int(top["min_examples"].number(1)) if "min_examples" in top else 30,
        undecided=top["undecided"].one_of(("block", "bless")) if "undecided" in top else "block",
        references=references,
        thresholds=_thresholds(top["thresholds"], task) if "thresholds" in top else (ThresholdChoice("f1"),),
        classes=_classes(top["classes"], task) if "classes" in top else (),
        prediction=top["prediction"].text() if "prediction" in top else "",
    )


def _metrics(at: Reader, task: str) -> tuple[str, ...]:
    names = []
    for item in at.items():
        names.append(_metric(item, task))
        if names[-1] in LATENCIES:
            item.fail(f"{names[-1]} is always measured, for the overall model; name it in a requirement only")
    return tuple(names)


def _metric(at: Reader, task: str) -> str:
    name = at.text()
    if name not in METRICS:
        at.fail(f"unknown metric {name!r}{near(name, of_task(task))}")
    if task not in METRICS[name].tasks:
        at.fail(f"metric {name!r} is not for task {task}; there are: {', '.join(of_task(task))}")
    return name


def _slice(at: Reader) -> Slice:
    if at.is_list():
        features = at.texts()
        if not features or len(set(features)) != len(features):
            at.fail("a slice is a list of different features, [origin] or [origin, carrier], or {origin: JFK}")
        return Slice(tuple(sorted(features)), line=at.line)
    entries = at.mapping()
    values: dict[str, SliceValue] = {}
    for feature, value in sorted(entries.items()):
        found = value.value()
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            value.fail(f"expected one value of feature {feature!r}, found {found!r}")
        values[feature] = found
    if not values:
        at.fail("an empty slice; leave `slice` out for the overall value")
    return Slice(tuple(values), tuple(values.values()), line=at.line)


def _family(one: Slice) -> Slice:
    """The slice as something to measure: `*` in it means every value."""
    return Slice(one.features, line=one.line) if ANY in one.values else one


def _merge(slices: list[Slice]) -> tuple[Slice, ...]:
    """Each once; a single value is left out where all values of its features are measured anyway."""
    whole = {s.features for s in slices if not s.values}
    return tuple(dict.fromkeys(s for s in slices if not s.values or s.features not in whole))


def _references(at: Reader) -> tuple[Reference, ...]:
    found = []
    for name, entry in at.mapping().items():
        if name in (BASELINE, "candidate"):
            entry.fail(f"a reference cannot be called {name!r}; that is a model's name")
        keys = entry.mapping(("rates_by", "split", "smoothing"))
        if "rates_by" not in keys:
            entry.fail(f"reference {name!r} needs rates_by: [features]")
        found.append(
            Reference(
                name,
                keys["rates_by"].texts(),
                keys["split"].text() if "split" in keys else "train",
                keys["smoothing"].number(0) if "smoothing" in keys else 20.0,
                entry.line,
            )
        )
    return tuple(found)


def _requirement(at: Reader, task: str, references: tuple[Reference, ...]) -> Requirement:
    keys = at.mapping(("metric", "slice", "against", "gap_over", "undecided", *_BOUNDS))
    if "metric" not in keys:
        at.fail("a requirement needs `metric`")
    metric = _metric(keys["metric"], task)
    bounds = [b for b in _BOUNDS if b in keys]
    if len(bounds) != 1:
        at.fail(f"a requirement needs exactly one of {', '.join(_BOUNDS)}; found {', '.join(bounds) or 'none'}")
    bound = keys[bounds[0]].number()
    models = (BASELINE, *(r.name for r in references))
    against = keys["against"].one_of(models) if "against" in keys else ""
    if bounds[0].startswith("change") and not against:
        at.fail(f"{bounds[0]} is a change against something: add `against:` one of {', '.join(models)}")
    if against and not bounds[0].startswith("change"):
        at.fail(f"with `against` use change_{bounds[0]}, the bound on the difference")
    kind: Literal["at_least", "at_most"] = "at_least" if bounds[0].endswith("at_least") else "at_most"
    gap = keys["gap_over"].text() if "gap_over" in keys else ""
    if gap and (against or "slice" in keys or kind == "at_least"):
        at.fail("gap_over goes with at_most only, and neither with `slice` nor with `against`")
    if (gap or against or "slice" in keys) and metric in LATENCIES:
        at.fail(f"{metric} is measured for the overall model only")
    if (gap or against) and metric == "example_count":
        at.fail("example_count belongs to the data; it can be bounded by at_least and at_most only")
    return Requirement(
        metric,
        kind,
        bound,
        _slice(keys["slice"]) if "slice" in keys else None,
        against,
        gap,
        keys["undecided"].one_of(("block", "bless")) if "undecided" in keys else "",
        at.line,
    )


def _thresholds(at: Reader, task: str) -> tuple[ThresholdChoice, ...]:
    if task != BINARY:
        at.fail("thresholds are chosen for task binary only")
    return tuple(_threshold(item) for item in at.items())


def _threshold(at: Reader) -> ThresholdChoice:
    keys = at.mapping(("objective", "precision_at_least", "recall_at_least", "false_positive", "false_negative"))
    if "objective" not in keys:
        at.fail("a threshold choice needs `objective`: f1, recall, precision or cost")
    objective = keys["objective"].one_of(("f1", "recall", "precision", "cost"))
    needed = {"recall": ("precision_at_least",), "precision": ("recall_at_least",)}
    needed["cost"] = ("false_positive", "false_negative")
    if set(keys) - {"objective"} != set(needed.get(objective, ())):
        at.fail(f"objective {objective} goes with {' and '.join(needed.get(objective, ())) or 'nothing else'}")
    if objective == "f1":
        return ThresholdChoice("f1")
    if objective == "cost":
        costs = (keys["false_positive"].number(0), keys["false_negative"].number(0))
        return ThresholdChoice("cost", 0.0, *costs)
    bound = keys[needed[objective][0]].number(0, 1)
    return replace(ThresholdChoice("recall" if objective == "recall" else "precision"), bound=bound)


def _classes(at: Reader, task: str) -> tuple[SliceValue, ...]:
    if task not in (BINARY, MULTICLASS):
        at.fail("classes go with tasks binary and multiclass")
    found = tuple(item.value() for item in at.items())
    if len(found) < 2 or len(set(found)) != len(found) or (task == BINARY and len(found) != 2):
        at.fail(f"expected {'the two' if task == BINARY else 'two or more'} different classes, found {list(found)}")
    return found


def read(path_text: str, document: str = "requirements.yaml") -> Requirements:
    """`parse`, with a hint for those who pass a path where the text is expected."""
    if "\n" not in path_text.strip() and path_text.strip().endswith((".yaml", ".yml")):
        raise ComponentError(
            f"requirements is the path {path_text.strip()!r}; expected the file's text: "
            "pass Path('requirements.yaml').read_text() when the pipeline is compiled"
        )
    return parse(path_text, document)
