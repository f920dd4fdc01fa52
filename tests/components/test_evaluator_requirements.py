"""The requirements file: what it means, and errors that say where to look."""

from __future__ import annotations

import pytest

from tidegate.components.errors import ComponentError
from tidegate.components.evaluator.requirements import Slice, parse, read

HEAD = "label: late\ntask: binary\n"
ONE = "requirements:\n  - {metric: auc, at_least: 0.7}\n"


def test_metrics_and_slices_of_requirements_are_measured() -> None:
    found = parse(
        HEAD + "metrics: [precision]\nrequirements:\n"
        "  - {metric: auc, slice: {origin: JFK}, at_least: 0.6}\n"
        "  - {metric: recall, gap_over: carrier, at_most: 0.1}\n"
    )

    assert found.metrics == ("precision", "auc", "recall")
    assert found.slices == (Slice(("origin",), ("JFK",)), Slice(("carrier",)))
    assert set(found.features()) == {"late", "origin", "carrier"}


def test_a_value_is_not_measured_twice_where_every_value_is() -> None:
    found = parse(HEAD + "slices: [[origin]]\nrequirements: [{metric: auc, slice: {origin: JFK}, at_least: 0.6}]")

    assert found.slices == (Slice(("origin",)),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("label: [", "line 1: not valid YAML"),
        ("task: binary\n" + ONE, "'label' is missing"),
        (HEAD, "nothing to bless a model by"),
        (HEAD + "requirements: []", "line 3: no requirements"),
        (HEAD + "requirments: []\n" + ONE, "line 3: unknown key 'requirments'; did you mean 'requirements'?"),
        (HEAD + ONE + "label: x", "given twice"),
        ("label: late\ntask: binari\n" + ONE, "line 2: expected one of binary, multiclass, regression"),
        (HEAD + "metrics:\n  - auc\n  - acuracy\n" + ONE, "line 5: unknown metric 'acuracy'"),
        (HEAD + "metrics: [mean_squared_error]\n" + ONE, "is not for task binary"),
        (HEAD + "requirements:\n  - {metric: auk, at_least: 0.7}", "did you mean 'auc'"),
        (HEAD + "requirements:\n  - {metric: auc, at_least: high}", "line 4: expected a number, found 'high'"),
        (HEAD + "requirements:\n  - {metric: auc}", "exactly one of at_least"),
        (HEAD + "requirements:\n  - {metric: auc, at_least: 0, at_most: 1}", "found at_least, at_most"),
        (HEAD + "requirements:\n  - {metric: auc, change_at_least: 0}", "add `against:` one of baseline"),
        (HEAD + "requirements:\n  - {metric: auc, against: rates, change_at_least: 0}", "expected one of baseline"),
        (HEAD + "requirements:\n  - {metric: auc, against: baseline, at_least: 0}", "use change_at_least"),
        (HEAD + "requirements:\n  - {metric: auc, gap_over: origin, at_least: 0}", "goes with at_most only"),
        (HEAD + "requirements:\n  - {metric: prediction_latency_p99_ms, slice: {a: 1}, at_most: 1}", "overall"),
        (HEAD + "slices: [[origin, origin]]\n" + ONE, "line 3: a slice is a list of different features"),
        (HEAD + "references: {baseline: {rates_by: [a]}}\n" + ONE, "cannot be called 'baseline'"),
        (HEAD + "thresholds: [{objective: recall}]\n" + ONE, "goes with precision_at_least"),
        (HEAD + "classes: [1, 2, 3]\n" + ONE, "expected the two different classes"),
        (HEAD + "confidence: 95\n" + ONE, "expected a number from 0.5 to 0.9999, found 95"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, says: str) -> None:
    with pytest.raises(ComponentError) as error:
        parse(text)
    assert says in str(error.value) and str(error.value).startswith("requirements.yaml")


def test_a_path_instead_of_the_text_is_noticed() -> None:
    with pytest.raises(ComponentError, match="expected the file's text"):
        read("pipelines/flights/requirements.yaml")
