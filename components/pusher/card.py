"""The model card: what a model is, where it comes from and why it was blessed, for machines and for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sources:
    """What the card is written from; whatever was not given is empty."""

    metadata: Mapping[str, Json] = field(default_factory=dict)
    """input -> its artifact's metadata"""
    digests: Mapping[str, str] = field(default_factory=dict)
    """input -> `sha256:...`"""
    evaluation: Json = field(default_factory=dict)
    """ModelEvaluation's summary.json"""
    blessing: Json = field(default_factory=dict)
    infra: Json = field(default_factory=dict)
    statistics: Mapping[str, Json] = field(default_factory=dict)
    """split -> ExampleStatistics' summary.json"""
    schema: Sequence[Json] = ()
    """[{"name", "type", "required"}]"""


def build(name: str, version: str, digest: str, sources: Sources, signature: Json) -> dict[str, Any]:
    """model_card.json. The same sources give the same bytes: no clock, no paths."""
    return {
        "name": name,
        "version": version,
        "digest": digest,
        "created_from": {k: dict(v) for k, v in sorted(sources.metadata.items()) if v},
        "data": _data(sources),
        "schema": {"features": [dict(f) for f in sources.schema]},
        "metrics": list(sources.evaluation.get("metrics", [])),
        "evaluation": {
            k: sources.evaluation[k]
            for k in ("label", "task", "examples", "confidence", "latency")
            if k in sources.evaluation
        },
        "requirements": list(sources.blessing.get("requirements", [])),
        "infra": dict(sources.infra),
        "lineage": dict(sorted(sources.digests.items())),
        "cost": _cost(sources.metadata),
        "signature": dict(signature),
    }


def spans(examples: Json) -> list[int]:
    """The spans that Examples were made of, by their metadata; [] where there are none."""
    listed = examples.get("spans")
    if isinstance(listed, list):
        return sorted(int(s) for s in listed if int(s) >= 0)
    span, window = int(examples.get("span", -1)), int(examples.get("window", 1))
    return list(range(max(0, span - window + 1), span + 1)) if span >= 0 else []


def _data(sources: Sources) -> dict[str, Any]:
    examples = sources.metadata.get("examples", {})
    stated = examples.get("rows_by_split") or {s: summary.get("rows") for s, summary in sources.statistics.items()}
    splits = {s: {"rows": n} for s, n in sorted(stated.items())}
    total = examples.get("rows") or sum(n or 0 for n in stated.values()) or None
    return {"spans": spans(examples), "version": examples.get("version", -1), "rows": total, "splits": splits}


def _cost(metadata: Mapping[str, Json]) -> dict[str, Any]:
    stated = {k: float(v["cpu_seconds"]) for k, v in sorted(metadata.items()) if v.get("cpu_seconds") is not None}
    return {"cpu_seconds": round(sum(stated.values()), 3) if stated else None, "by_artifact": stated}


def text(card: Json) -> str:
    """model_card.md."""
    data = card["data"]
    lines = [f"# {card['name']} {card['version']}", "", f"`{card['digest']}`", ""]
    made = [f"- {split}: {_number(s['rows'])} rows" for split, s in data["splits"].items()]
    if data["spans"]:
        made.insert(0, f"- spans {data['spans'][0]} to {data['spans'][-1]}")
    if data["rows"] and not data["splits"]:
        made.append(f"- {_number(data['rows'])} rows")
    lines += ["## Data", *(made or ["not stated"]), ""]
    lines += _table(
        "## Schema",
        ["feature", "type", "required"],
        [[f["name"], f["type"], "yes" if f["required"] else "no"] for f in card["schema"]["features"]],
    )
    ours = [m for m in card["metrics"] if m["model"] == "candidate"]
    confidence = card["evaluation"].get("confidence")
    title = f"## Metrics ({confidence:.0%} intervals)" if confidence else "## Metrics"
    lines += _table(
        title,
        ["metric", "slice", "value", "low", "high", "examples"],
        [[m["name"], m["slice"], *(_number(m[k]) for k in ("value", "low", "high", "examples"))] for m in ours],
    )
    lines += _table(
        "## Requirements",
        ["metric", "slice", "bound", "verdict", "why"],
        [
            [
                r["metric"] + (f" against {r['against']}" if r.get("against") else ""),
                r["slice"],
                f"{r['kind'].replace('_', ' ')} {_number(r['bound'])}",
                r["verdict"],
                r["reason"],
            ]
            for r in card["requirements"]
        ],
    )
    infra = card["infra"]
    lines += ["## Serving", infra["reason"] if infra else "not validated", ""]
    lines += _table("## Lineage", ["input", "digest"], [[k, f"`{v}`"] for k, v in card["lineage"].items()])
    cpu = card["cost"]["cpu_seconds"]
    lines += ["## Cost", f"{cpu:g} CPU seconds" if cpu is not None else "not stated", ""]
    signature = card["signature"]
    lines += [
        "## Signature",
        f"`{signature['file']}`, key {signature['public_key']}"
        if signature["signed"]
        else "not signed: no key was given",
        "",
    ]
    return "\n".join(lines)


def _table(title: str, head: list[str], rows: list[list[Any]]) -> list[str]:
    if not rows:
        return [title, "none", ""]
    cells = [["\\|".join(str(c).split("|")).replace("\n", " ") for c in row] for row in rows]
    return [title, f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(r)} |" for r in cells), ""]


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
