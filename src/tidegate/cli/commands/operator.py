"""`tidegate operator`."""

from __future__ import annotations

import json
import logging
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.failures import CommandError, Exit

if TYPE_CHECKING:
    from tidegate.operator.measuring import Gateway

EXAMPLES = {
    "operator": """
tidegate operator                   all namespaces; pods are asked for metrics
tidegate operator -n models --prometheus http://prometheus.monitoring:9090
tidegate operator --print-crd | kubectl apply -f -     what it works on: first
""",
}
_PLAIN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "taskName"}


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


def operator(
    namespaces: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", metavar="NAME", help="Only there; may be repeated.")
    ] = None,
    prometheus: Annotated[
        str, typer.Option("--prometheus", metavar="URL", help="Read metrics there; else pods are asked.")
    ] = "",
    scrape: Annotated[
        bool, typer.Option("--scrape", help="Ask pods, and Prometheus only for requirements' own queries.")
    ] = False,
    gateway: Annotated[
        str, typer.Option("--gateway", metavar="NAMESPACE/LABEL=VALUE", help="The ingress gateway's pods; empty: none.")
    ] = "istio-system/istio=ingressgateway",
    interval: Annotated[
        float, typer.Option("--interval", min=0.5, metavar="SECONDS", help="Between two looks at a rollout under way.")
    ] = 5.0,
    workers: Annotated[int, typer.Option("--workers", min=1, metavar="N", help="Rollouts looked at at once.")] = 8,
    elect: Annotated[
        bool, typer.Option("--elect/--no-elect", help="Work only while holding the Lease tidegate-operator.")
    ] = True,
    lease_seconds: Annotated[
        int, typer.Option("--lease-seconds", min=3, metavar="SECONDS", help="Silent for so long: another takes over.")
    ] = 15,
    host: Annotated[str, typer.Option("--host", help="Where /healthz, /readyz and /metrics listen.")] = "0.0.0.0",  # noqa: S104
    port: Annotated[int, typer.Option("--port", help="Their port.")] = 8080,
    kubeconfig: Annotated[
        Path | None, typer.Option("--kubeconfig", metavar="FILE", help="Else KUBECONFIG, else the pod's account.")
    ] = None,
    log_format: Annotated[LogFormat, typer.Option("--log-format", help="How log lines are written.")] = LogFormat.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log more.")] = False,
    print_crd: Annotated[bool, typer.Option("--print-crd", help="Print the CRD of ModelRollout, and end.")] = False,
) -> None:
    """Watches ModelRollouts and drives the traffic of their SeldonDeployments. Ends with 0 when it is told to, with 3
    where the cluster cannot be reached, with 1 when another operator took over: whoever started it starts it again.
    """
    if print_crd:
        from tidegate.operator import crd

        sys.stdout.write(crd.text())
        return
    import asyncio

    from tidegate.kube.access import AccessError, find
    from tidegate.operator.run import Options, operate

    _log(log_format, verbose)
    try:
        access = find(kubeconfig)
    except AccessError as error:
        raise CommandError(str(error), code=Exit.ENVIRONMENT) from None
    options = Options(
        namespaces=tuple(namespaces or ()), prometheus=prometheus, scrape=scrape, gateway=_gateway(gateway),
        interval=interval, workers=workers, elect=elect, lease_seconds=lease_seconds, host=host, port=port,
    )  # fmt: skip
    code = asyncio.run(operate(access, options))
    if code:
        raise typer.Exit(code)


def _gateway(said: str) -> Gateway | None:
    from tidegate.operator.measuring import Gateway

    if not said:
        return None
    namespace, slash, selector = said.partition("/")
    if not slash or not namespace or "=" not in selector:
        raise CommandError(
            f"--gateway {said}", expected="NAMESPACE/LABEL=VALUE, as istio-system/istio=ingressgateway", code=Exit.USAGE
        )
    return Gateway(namespace, selector)


def _log(form: LogFormat, verbose: bool) -> None:
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(_JsonLines() if form is LogFormat.JSON else text)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "asyncio", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        said = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said)
