"""The table of docs/argo.md: what of the conformance suite Argo does as local runs do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.conformance.case import Case

OTHERWISE: Mapping[str, str] = {
    "containerised components: code that the image brings": "not tried: it needs an image of its own",
    "notebooks: run with parameters": "not tried: the image needs nbclient",
    "platform settings: what only a cluster has": "taken over; the pod waits for the nodes and claims that it names",
    "resources: no quantity": "fails as well, in Kubernetes' words",
    "resources: more than there is": "the pod waits until there is a node for it",
}
"""Case -> how Argo's answer differs, and why that is right or cannot be helped."""
ENDLESS = ("resources: more than there is", "platform settings: what only a cluster has")
"""Cases that wait for what the cluster may not have, and so are not run."""
BEGIN, END = "<!-- parity: begin -->", "<!-- parity: end -->"


def table(cases: Iterable[Case], refused: Mapping[str, str]) -> str:
    """Markdown: a line a construct; what is not the same, case by case."""
    by_construct: dict[str, list[Case]] = {}
    for case in cases:
        by_construct.setdefault(case.construct, []).append(case)
    lines = ["| construct | cases | the same on Argo | else |", "|---|---|---|---|"]
    for construct, group in by_construct.items():
        other = [f"{_own(case)}: {said}" for case in group if (said := _said(case, refused))]
        lines.append(f"| {construct} | {len(group)} | {len(group) - len(other)} | {'; '.join(other)} |")
    return "\n".join(lines)


def _said(case: Case, refused: Mapping[str, str]) -> str:
    if case.name in refused:
        return f"refused: {' '.join(refused[case.name].split())}".replace("|", "\\|")
    return OTHERWISE.get(case.name, "").replace("|", "\\|")


def _own(case: Case) -> str:
    return case.name.partition(": ")[2] or case.name
