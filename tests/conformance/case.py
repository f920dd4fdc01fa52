"""What a case of the conformance suite is: a pipeline of one construct, and what every engine must make of it."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml

FILES = "{files}"
"""In a case's parameters: where the engine put the case's `files` (a folder, or the prefix of a URI)."""


@dataclass(frozen=True)
class Made:
    """An artifact, independent of where an engine keeps it."""

    content: str | Mapping[str, str] | None
    """The text of the file; of a folder, path inside it -> text; None: not to be compared."""
    type: str = "system.Artifact"
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    name: str
    """Unique; `construct: what about it`."""
    pipeline: Any
    """A function with kfp's @dsl.pipeline (or a component), or one without that gives the text of an IR file."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """All outputs of the pipeline: values of parameters; `Made`, or a tuple of them, for artifacts."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    state: str = "succeeded"
    """How the run ends: `succeeded` or `failed`."""
    skipped: frozenset[str] = frozenset()
    """Paths of all tasks that are skipped, and of groups (conditions, nested pipelines) skipped as a whole: then what
    is in them is not named. Loops' iterations are numbers in paths: `for-loop-1/0/add`."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """All tasks that fail, and groups that cannot begin (a condition without its values) -> a part of the message."""
    ran: int = 0
    """How many tasks (not groups) begin, all iterations counted, retries not; those that cannot begin count too."""
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Path of a task -> all its output parameters, where the pipeline's own outputs do not show them."""
    again: frozenset[str] | None = frozenset()
    """A second run on the same store: the tasks that succeed by running again; all other successes are answered by the
    cache, and what failed fails again. None: not tried, as it is other work then: with a job's name, which final
    statuses have in them."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files to be there before the run, for importers; see FILES."""
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Secrets, by name."""
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    image: Mapping[str, str] = field(default_factory=dict)
    """Files that `python:3.11-with-code` has in its working folder, and `python:3.11` has not."""
    needs: frozenset[str] = frozenset()
    """Python packages that the image `python:3.11-with-packages` has beside kfp."""
    backend: str = ""
    """Where KFP 2.17's own backend is known to do otherwise: what it does."""

    @property
    def construct(self) -> str:
        return self.name.split(":")[0]

    @functools.cached_property
    def ir(self) -> str:
        """The compiled pipeline, YAML."""
        return compiled(self.pipeline) if hasattr(self.pipeline, "pipeline_spec") else str(self.pipeline())


def document(pipeline: Any) -> dict[str, Any]:
    """The IR as it is in YAML's first document, to be changed."""
    found: dict[str, Any] = next(yaml.load_all(compiled(pipeline), yaml.CSafeLoader))
    return found


def text(*documents: Any) -> str:
    """Documents as YAML."""
    return str(yaml.dump_all(documents, Dumper=yaml.CSafeDumper))


def compiled(pipeline: Any) -> str:
    """The IR as kfp writes it: one YAML document, or two."""
    from kfp.compiler import Compiler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        Compiler().compile(pipeline, str(path))
        return path.read_text()


@dataclass(frozen=True)
class Outcome:
    """What an engine made of a case."""

    state: str
    """`succeeded` or `failed`."""
    outputs: Mapping[str, Any]
    """As Case.outputs."""
    states: Mapping[str, str] | None = None
    """Path -> `succeeded`, `cached`, `failed` or `skipped`, of tasks, and of groups that were skipped or did not begin.
    None: the engine does not tell; then skips, failures, counts and cache hits are not compared."""
    errors: Mapping[str, str] = field(default_factory=dict)
    """Path -> message, of the tasks that failed."""
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Path -> output parameters, of the tasks that ended well."""


class Engine(Protocol):
    """Something that runs pipelines."""

    def run(self, case: Case) -> Outcome:
        """Run it on the store (cache) that all cases of this engine share; twice: the second run finds the first's."""
        ...


def differences(case: Case, found: Outcome, second: bool = False) -> Iterator[str]:
    """Where an outcome is not what the case must give, in words; nothing: it conforms.

    `second`: of the second run, whose tasks the cache answers, all but `case.again`.
    """
    if found.state != case.state:
        yield f"the run {found.state}, expected {case.state}: {dict(found.errors)}"
    yield from _other("outputs", case.outputs, found.outputs)
    if found.states is None:
        return
    by_state: dict[str, set[str]] = {}
    for path, state in found.states.items():
        by_state.setdefault(state, set()).add(path)
    yield from _other("skipped", set(case.skipped), by_state.get("skipped", set()))
    yield from _other("failed", set(case.failed), by_state.get("failed", set()))
    for path, words in case.failed.items():
        if words not in found.errors.get(path, ""):
            yield f"{path} failed: expected {words!r} in its message, found {found.errors.get(path)!r}"
    done = by_state.get("succeeded", set()), by_state.get("cached", set())
    yield from _other("tasks that ran", case.ran, len(done[0] | done[1] | by_state.get("failed", set())))
    for path, values in case.values.items():
        yield from _other(f"outputs of {path}", values, found.values.get(path))
    if second and case.again is not None:
        yield from _other("tasks that ran again", set(case.again), done[0])


def _other(what: str, expected: Any, found: Any) -> Iterator[str]:
    if not same(expected, found):
        yield f"{what}: expected {expected!r}, found {found!r}"


def same(expected: Any, found: Any) -> bool:
    """Equal, with types (1, 1.0 and True are three values), and artifacts compared by what they hold."""
    if isinstance(expected, Made):
        return (
            isinstance(found, Made)
            and expected.type == found.type
            and same(dict(expected.metadata), dict(found.metadata))
            and expected.content in (None, found.content)
        )
    if isinstance(expected, Mapping):
        return (
            isinstance(found, Mapping)
            and set(expected) == set(found)
            and all(same(value, found[key]) for key, value in expected.items())
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(expected) == len(found)
            and all(same(one, other) for one, other in zip(expected, found, strict=True))
        )
    return type(expected) is type(found) and bool(expected == found)
