"""What the page shows of each kind of artifact: plain values and finished charts, for the template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from tidegate.report import charts
from tidegate.report.reading import Found, items, number, outputs, read_json
from tidegate.store.records import RunRecord


def statistics(run: RunRecord) -> list[dict[str, Any]]:
    """Each ExampleStatistics: its features, the splits side by side."""
    found = []
    for each in outputs(run, "ExampleStatistics"):
        splits = {
            path.name.removeprefix("Split-"): read_json(path / "summary.json")
            for path in sorted(each.path.glob("Split-*"))
        }
        splits = dict(sorted(splits.items(), key=lambda item: (item[0] != "train", item[0])))
        rows = {split: number(summary.get("rows")) or 0.0 for split, summary in splits.items()}
        names = {str(f.get("name")) for summary in splits.values() for f in items(summary, "features")}
        features = [_feature(name, splits, rows) for name in sorted(names)]
        if features:
            found.append({"task": each.task.path, "rows": rows, "features": features})
    return sorted(found, key=lambda each: str(each["task"]))


def _feature(name: str, splits: Mapping[str, Mapping[str, Any]], rows: Mapping[str, float]) -> dict[str, Any]:
    of = {
        split: next((f for f in items(summary, "features") if str(f.get("name")) == name), {})
        for split, summary in splits.items()
    }
    numeric = {split: items(f, "histogram") for split, f in of.items()}
    words = {split: items(f, "top") for split, f in of.items()}
    chart = charts.histograms(numeric) if any(numeric.values()) else charts.tops(words, rows)
    missing = {split: (number(f.get("missing")) or 0) / (rows[split] or 1) for split, f in of.items() if f}
    first: Mapping[str, Any] = next((f for f in of.values() if f), {})
    return {"name": name, "type": first.get("type", ""), "chart": chart, "missing": missing, "splits": of}


def anomalies(run: RunRecord) -> list[dict[str, Any]]:
    """Each ExampleAnomalies: anomalies, checks, and the features that drifted most, in their distance to the bound."""
    found = []
    for each in outputs(run, "ExampleAnomalies"):
        summary = each.json("summary.json")
        if not summary:
            continue

        def closeness(drift: Mapping[str, Any]) -> float:
            return -(number(drift.get("value")) or 0.0) / (number(drift.get("bound")) or 1.0)

        found.append(
            {
                "task": each.task.path,
                "policy": summary.get("policy", ""),
                "blocked": bool(summary.get("blocked")),
                "anomalies": items(summary, "anomalies"),
                "checks": items(summary, "checks"),
                "drift": sorted(items(summary, "drift"), key=closeness)[:12],
            }
        )
    return found


def blessings(run: RunRecord) -> list[dict[str, Any]]:
    found = []
    for each in outputs(run, "ModelBlessing"):
        blessing = each.json("blessing.json")
        if blessing:
            found.append(
                {
                    "task": each.task.path,
                    "blessed": bool(blessing.get("blessed")),
                    "requirements": items(blessing, "requirements"),
                }
            )
    return found


def evaluations(run: RunRecord) -> list[dict[str, Any]]:
    """Each ModelEvaluation: metrics overall by model, slices as whiskers, calibration, ROC, thresholds, fairness."""
    found = []
    for each in outputs(run, "ModelEvaluation"):
        summary = each.json("summary.json")
        if summary:
            found.append({"task": each.task.path, **_evaluation(summary)})
    return found


def _evaluation(summary: Mapping[str, Any]) -> dict[str, Any]:
    metrics = items(summary, "metrics")
    names = list(dict.fromkeys(str(each.get("name")) for each in metrics))
    models = list(dict.fromkeys(str(each.get("model")) for each in metrics))
    overall = [
        {
            "name": name,
            "of": {str(m.get("model")): m for m in metrics if m.get("name") == name and m.get("slice") == "overall"},
        }
        for name in names
    ]
    by_slice = {name: chart for name in names[:4] if (chart := _slices(metrics, name))}
    calibration = [
        (x, y)
        for each in items(summary, "calibration")
        if (x := number(each.get("predicted"))) is not None and (y := number(each.get("observed"))) is not None
    ]
    roc = [(number(p.get("fpr")) or 0.0, number(p.get("tpr")) or 0.0) for p in items(summary, "roc")]
    latency = summary.get("latency")
    return {
        "label": summary.get("label", ""),
        "examples": summary.get("examples"),
        "confidence": summary.get("confidence"),
        "models": models,
        "overall": overall,
        "slices": by_slice,
        "calibration": charts.lines({"candidate": calibration}, "predicted", "observed", diagonal=True)
        if calibration
        else "",
        "roc": charts.lines({"candidate": roc}, "false positive rate", "true positive rate", diagonal=True)
        if roc
        else "",
        "thresholds": items(summary, "thresholds"),
        "fairness": items(summary, "fairness"),
        "latency": latency if isinstance(latency, Mapping) else {},
        "small": [str(each) for each in summary.get("small_slices") or ()],
    }


def _slices(metrics: list[Mapping[str, Any]], name: str) -> Markup | None:
    rows = []
    for each in metrics:
        model = str(each.get("model"))
        if each.get("name") != name or (model != "candidate" and each.get("slice") != "overall"):
            continue
        value, low, high = (number(each.get(key)) for key in ("value", "low", "high"))
        if value is None or low is None or high is None:
            continue
        label = str(each.get("slice")) if model == "candidate" else f"overall, {model}"
        rows.append(charts.Whisker(label[:30], value, low, high, "candidate" if model == "candidate" else "other"))
    rows.sort(key=lambda row: (not row.label.startswith("overall"), row.kind == "candidate" and row.value))
    return charts.whiskers(rows[:40]) if rows else None


def curves(run: RunRecord) -> list[dict[str, Any]]:
    """Training curves of each ModelRun: one chart a metric, with the evaluation data's where there is one."""
    found = []
    for each in outputs(run, "ModelRun"):
        epochs = items(each.json("history.json"), "epochs")
        names = [n for n in (epochs[0] if epochs else {}) if n not in ("epoch", "seconds") and not n.startswith("val_")]
        drawn = []
        for name in names:
            series = {"train": _curve(epochs, name), "eval": _curve(epochs, f"val_{name}")}
            drawn.append({"name": name, "chart": charts.lines({k: v for k, v in series.items() if v}, "epoch", name)})
        if drawn:
            found.append({"task": each.task.path, "charts": drawn})
    return found


def _curve(epochs: list[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    return [
        (x, y)
        for each in epochs
        if (x := number(each.get("epoch"))) is not None and (y := number(each.get(name))) is not None
    ]


def infra(run: RunRecord) -> list[dict[str, Any]]:
    return [{"task": f.task.path, **said} for f in outputs(run, "InfraBlessing") if (said := f.json("infra.json"))]


def pushes(run: RunRecord) -> list[dict[str, Any]]:
    """Each PushedModel: where it went, or why not."""
    return [
        {"task": f.task.path, "metadata": dict(f.artifact.metadata), "card": f.json("model_card.json")}
        for f in outputs(run, "PushedModel")
    ]


def kfp_metrics(run: RunRecord) -> list[dict[str, Any]]:
    """KFP's own metrics artifacts: their metadata, as its user interface shows it."""
    kinds = ("Metrics", "ClassificationMetrics", "SlicedClassificationMetrics")
    return [
        {"task": f.task.path, "name": f.artifact.name, "values": dict(f.artifact.metadata)}
        for f in outputs(run, *kinds)
        if f.artifact.metadata
    ]


def pages(run: RunRecord) -> list[dict[str, Any]]:
    """KFP's HTML and Markdown artifacts, up to 256 KiB each."""
    return [
        {"task": f.task.path, "name": f.artifact.name, "kind": f.artifact.type.rpartition(".")[2], "text": text}
        for f in outputs(run, "HTML", "Markdown")
        if (text := _text(f))
    ]


def _text(found: Found) -> str:
    try:
        if found.path.stat().st_size > 256 * 1024:
            return ""
        return found.path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
