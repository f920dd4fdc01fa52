"""Which engine, and where it is: what `--on` and its companions say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tidegate.cli.failures import CommandError


class Engine(StrEnum):
    LOCAL = "local"
    ARGO = "argo"
    KUBEFLOW = "kubeflow"


@dataclass(frozen=True, slots=True)
class Where:
    """What `--on` and its companions say; empty: as kubeconfig, environment and cluster have it."""

    engine: Engine
    context: str = ""
    namespace: str = ""
    host: str = ""
    experiment: str = ""
    service_account: str = ""

    def check(self) -> None:
        """Raises: CommandError for options that mean nothing for the engine."""
        only = {"experiment": Engine.KUBEFLOW, "host": Engine.KUBEFLOW}
        for name in ("context", "namespace", "host", "experiment", "service_account"):
            wanted = only.get(name)
            if getattr(self, name) and (self.engine is Engine.LOCAL or (wanted and wanted is not self.engine)):
                option = "--" + name.replace("_", "-")
                raise CommandError(f"{option} means nothing {_with(self.engine)}", fix=f"add --on {wanted or 'argo'}")


def _with(engine: Engine) -> str:
    return "for a run on this machine" if engine is Engine.LOCAL else f"with --on {engine}"
