"""Reads what the artifacts say: are they blessed, and what goes on the card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError
from tidegate.components.pusher.card import Sources
from tidegate.models import content_digest


def why_not(artifacts: Mapping[str, Path]) -> list[str]:
    """The reasons not to push: one for each requirement that blocks, or the infra blessing's; [] for none."""
    reasons: list[str] = []
    if "blessing" in artifacts and not _marked(artifacts["blessing"], "BLESSED", "NOT_BLESSED"):
        requirements = _json(artifacts["blessing"] / "blessing.json").get("requirements", [])
        blocking = [r for r in requirements if r.get("blocks", r.get("verdict") == "fails")]
        reasons += [
            f"{r['metric']} [{r['slice']}] {r['kind']} {r['bound']:g}: {r['verdict']}, {r['reason']}" for r in blocking
        ]
        reasons = reasons or ["the evaluation did not bless the model"]
    if "infra_blessing" in artifacts and not _marked(artifacts["infra_blessing"], "INFRA_BLESSED", "INFRA_NOT_BLESSED"):
        said = _json(artifacts["infra_blessing"] / "infra.json").get("reason", "no reason given")
        reasons.append(f"infra_validator did not bless the model: {said}")
    return reasons


def _marked(folder: Path, yes: str, no: str) -> bool:
    """Exactly one of the two marks must be there: anything else is no blessing artifact."""
    marks = [name for name in (yes, no) if (folder / name).is_file()]
    if len(marks) != 1:
        raise ComponentError(
            f"{folder} is no blessing: expected a file {yes} or {no}, found {' and '.join(marks) or 'neither'}"
        )
    return marks == [yes]


def read(artifacts: Mapping[str, Path], metadata: Mapping[str, Mapping[str, Any]]) -> Sources:
    """Everything for the card; the artifacts that were not given leave their part empty."""

    def of(name: str, file: str) -> dict[str, Any]:
        return _json(artifacts[name] / file) if name in artifacts else {}

    statistics = {}
    if "statistics" in artifacts:
        for split in sorted(artifacts["statistics"].glob("Split-*")):
            statistics[split.name.removeprefix("Split-")] = _json(split / "summary.json")
    return Sources(
        metadata=metadata,
        digests={name: content_digest(folder) for name, folder in artifacts.items()},
        evaluation=of("evaluation", "summary.json"),
        blessing=of("blessing", "blessing.json"),
        infra=of("infra_blessing", "infra.json"),
        statistics=statistics,
        schema=_schema(artifacts["schema"] / "schema.pbtxt") if "schema" in artifacts else (),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ComponentError(f"{path} is not valid JSON: {error}") from None


def _schema(path: Path) -> list[dict[str, Any]]:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    if not path.is_file():
        raise ComponentError(f"no {path}: expected a Schema artifact")
    schema = text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    return [
        {
            "name": f.name,
            "type": schema_pb2.FeatureType.Name(f.type),
            "required": f.presence.min_fraction == 1.0,
        }
        for f in sorted(schema.feature, key=lambda f: f.name)
    ]
