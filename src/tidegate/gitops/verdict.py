"""A rollout's verdict as it is written to Git: which fields of which documents, and the commit's message. Pure."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.gitops.address import GitError
from tidegate.gitops.yaml_text import NotEditable, documents, edited

Document = Mapping[str, Any]
PROMOTED, ROLLED_BACK = "promoted", "rolledBack"
TRAILER = "Tidegate-Verdict"
"""The last lines of a commit's message hold the verdict's key under this name, by which it is known again."""


@dataclass(frozen=True, slots=True)
class Model:
    """As in a ModelRollout's spec.model; empty: not said."""

    uri: str
    digest: str = ""
    version: str = ""

    @property
    def named(self) -> str:
        """The version, or what the uri ends in."""
        return self.version or self.uri.rstrip("/").rpartition("/")[2] or self.uri


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rollout has decided."""

    outcome: str
    """PROMOTED or ROLLED_BACK."""
    rollout: str
    """The ModelRollout's name."""
    namespace: str
    model: Model
    """The one it is about."""
    runs: Model
    """The one that is live by it: the same where it is promoted."""
    evidence: str
    """Why, in sentences."""

    @property
    def key(self) -> str:
        """By which the verdict is known again in the branch's history."""
        return _line(f"{self.outcome} {self.model.uri} {self.model.digest}")

    @property
    def of(self) -> str:
        return f"{self.namespace}/{self.rollout}"


@dataclass(frozen=True, slots=True)
class Edit:
    """One document of the desired state, and what it becomes."""

    kind: str
    name: str
    namespace: str
    change: Callable[[Document], Document]
    """Must leave alone what it is given."""
    required: bool = True
    """Whether it is an error that no file has the document."""

    def means(self, document: Any) -> bool:
        """Files may leave the namespace to Argo CD or kustomize."""
        if not isinstance(document, Mapping) or document.get("kind") != self.kind:
            return False
        metadata = document.get("metadata") or {}
        return metadata.get("name") == self.name and metadata.get("namespace", self.namespace) == self.namespace


def of_rollout(verdict: Verdict) -> Edit:
    """A rollback undoes what the ModelRollout asks for, unless that is another model by now; a promotion keeps it."""

    def back(document: Document) -> Document:
        spec = document.get("spec") or {}
        asked = spec.get("model") or {}
        rejected = verdict.model
        if asked.get("uri") != rejected.uri or asked.get("digest", "") not in ("", rejected.digest):
            return document
        runs = {"uri": verdict.runs.uri, "digest": verdict.runs.digest, "version": verdict.runs.version}
        model = {key: value for key, value in {**asked, **runs}.items() if value or key in ("uri", *asked)}
        return {**document, "spec": {**spec, "model": model}}

    change = back if verdict.outcome == ROLLED_BACK else copy.copy
    return Edit("ModelRollout", verdict.rollout, verdict.namespace, change)


def apply(files: Mapping[str, str], edits: Sequence[Edit]) -> dict[str, str]:
    """The files that change, with their new text.

    Raises: GitError where a file cannot be read or changed, or none has a document that an edit requires.
    """
    found: set[int] = set()
    changed: dict[str, str] = {}
    for path, text in files.items():

        def change(document: Any) -> Any:
            for index, edit in enumerate(edits):
                if edit.means(document):
                    found.add(index)
                    document = edit.change(document)
            return document

        try:
            if any(edit.means(document) for document in documents(text) for edit in edits):
                after = edited(text, change)
                changed |= {path: after} if after != text else {}
        except NotEditable as error:
            raise GitError(f"{path} in the repository: {error}", again=False) from None
    missing = [edit for index, edit in enumerate(edits) if index not in found and edit.required]
    if missing:
        wanted = " and ".join(f"{edit.kind} {edit.namespace}/{edit.name}" for edit in missing)
        raise GitError(
            f"expected {wanted} in {', '.join(files) or 'the repository'}, found none; set git.path to the file (or "
            "folder) that has it",
            again=False,
        )
    return changed


def message(verdict: Verdict, author: str) -> str:
    """The commit's message: what was decided, the evidence, and trailers that Git's own tools read."""
    if verdict.outcome == PROMOTED:
        subject = f"{verdict.rollout}: promote {verdict.model.named}"
    else:
        subject = f"{verdict.rollout}: roll back {verdict.model.named}, {verdict.runs.named} runs on"
    lines = [line for part in verdict.evidence.splitlines() if part.strip() for line in _bullet(part)]
    trailers = [
        f"Model: {verdict.model.uri}",
        *([f"Digest: {verdict.model.digest}"] if verdict.model.digest else []),
        f"Rollout: {verdict.of}",
        f"{TRAILER}: {verdict.key}",
        f"Signed-off-by: {author}",
    ]
    return "\n".join([_line(subject), "", *lines, *([""] if lines else []), *(_line(each) for each in trailers)]) + "\n"


def is_latest(verdict: Verdict, messages: Iterable[tuple[str, str]]) -> str:
    """The commit of this verdict, where none of the same rollout came after it; empty where it is not there.

    `messages`: commits and their messages, newest first.
    """
    for commit, text in messages:
        lines = text.splitlines()
        if f"Rollout: {verdict.of}" in lines and any(line.startswith(f"{TRAILER}: ") for line in lines):
            return commit if f"{TRAILER}: {verdict.key}" in lines else ""
    return ""


def _line(text: str) -> str:
    """On one line, whatever a name holds: a message's structure is not to be forged."""
    return " ".join(text.split())


def _bullet(sentence: str) -> list[str]:
    return textwrap.wrap(
        f"- {_line(sentence)}", 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
