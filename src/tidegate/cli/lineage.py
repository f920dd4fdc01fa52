"""What `tidegate lineage` asks of the store, gathered."""

from __future__ import annotations

from dataclasses import dataclass

from tidegate.store.database import StoreError
from tidegate.store.records import ArtifactRecord, LineageStep, RunRecord, TaskRecord
from tidegate.store.store import Store


@dataclass(frozen=True, slots=True)
class Lineage:
    artifact: ArtifactRecord
    run: RunRecord | None
    """The run that made it; None where its records were collected."""
    task: TaskRecord | None
    ancestors: tuple[LineageStep, ...]
    descendants: tuple[LineageStep, ...]
    latest: ArtifactRecord | None
    """The newest artifact of the same type and name."""
    metric: str
    best: tuple[ArtifactRecord, float] | None


def ask(store: Store, artifact: ArtifactRecord, metric: str = "", lowest: bool = False, depth: int = 0) -> Lineage:
    """Everything about one artifact; `depth` tasks away in both directions, or all for 0."""
    run = task = None
    try:
        run = store.runs.get(artifact.run)
        task = store.runs.task(artifact.run, artifact.task)
    except StoreError:
        pass  # the run's records were collected; what is known of the artifact itself is still worth telling

    def within(steps: tuple[LineageStep, ...]) -> tuple[LineageStep, ...]:
        return tuple(step for step in steps if not depth or step.depth <= depth)

    return Lineage(
        artifact=artifact,
        run=run,
        task=task,
        ancestors=within(store.artifacts.ancestors(artifact)),
        descendants=within(store.artifacts.descendants(artifact)),
        latest=store.artifacts.latest(artifact.type, artifact.name),
        metric=metric,
        best=store.artifacts.best(metric, artifact.type, lowest) if metric else None,
    )
