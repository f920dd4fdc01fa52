"""What is served: names, shares, processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tidegate.cli.tables import Cell, Column, table
from tidegate.cli.terminal import Terminal

if TYPE_CHECKING:
    from tidegate.serving.local.desired import Desired, Status
    from tidegate.serving.local.place import Place

    Served = tuple[Place, Desired, Status | None]

_COLUMNS = (
    Column("NAME"),
    Column("ROLE"),
    Column("VERSION", flexible=True),
    Column("REQUESTS", right=True),
    Column("PROCESSES"),
    Column("URL"),
    Column("PROBLEM", flexible=True, optional=True),
)


def told(found: Sequence[Served], to: Terminal, wide: bool) -> list[str]:
    """A line for each role of each served model."""
    if not found:
        return ["no model is served here; `tidegate serve MODEL` serves one"]
    rows: list[list[str | Cell]] = []
    for one in found:
        for i, role in enumerate(data(*one)["roles"]):
            up, wanted = role["ready"], role["replicas"]
            state = Cell(f"{up} of {wanted} ready", "green" if up == wanted else "yellow" if up else "red")
            share = f"{role['weight']} %" + (f" + {role['mirror']} % copies" if role["mirror"] else "")
            head = [one[1].name, data(*one)["url"]] if i == 0 else ["", ""]
            rows.append([head[0], role["role"], role["version"], share, state, head[1], Cell(role["error"], "red")])
    return table(_COLUMNS, rows, to, wide)


def data(place: Place, desired: Desired, status: Status | None) -> dict[str, Any]:
    """As `--output json` has it."""
    shares = {"stable": 100 - desired.weight if desired.canary else 100, "canary": desired.weight, "retiring": 0}
    roles = []
    for role in ("stable", "canary", "retiring"):
        instance = getattr(desired, role)
        if instance is None:
            continue
        replicas = status.of(instance) if status else ()
        errors = [r.error.splitlines()[0] for r in replicas if r.error and not r.ready]
        roles.append(
            {
                "role": role,
                "version": instance.version,
                "uri": instance.uri,
                "weight": shares[role],
                "mirror": desired.mirror if role == "canary" else 0,
                "replicas": instance.replicas,
                "ready": sum(r.ready for r in replicas),
                "restarts": sum(r.restarts for r in replicas),
                "pids": [r.pid for r in replicas],
                "error": errors[0] if errors else "",
            }
        )
    return {
        "name": desired.name,
        "url": f"http://127.0.0.1:{status.port}/v2/models/{desired.name}" if status else "",
        "supervisor": status.supervisor if status and place.supervised() else 0,
        "envoy": status.envoy if status else 0,
        "roles": roles,
        "folder": str(place.folder),
    }
