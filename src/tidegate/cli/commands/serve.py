"""`tidegate serve`: a model on this machine, behind Envoy."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli import options
from tidegate.cli.failures import CommandError, Exit
from tidegate.cli.help import SETTINGS, Command, Defaulting
from tidegate.cli.output import Format, emit
from tidegate.cli.terminal import stderr, stdout

if TYPE_CHECKING:
    from tidegate.serving.local.desired import Desired, Status
    from tidegate.serving.local.place import Place

serve = typer.Typer(
    cls=Defaulting,
    rich_markup_mode=None,
    add_completion=False,
    context_settings=SETTINGS,
    help="""MLServer processes behind Envoy, kept up until they are stopped. Open Inference Protocol, REST and gRPC on
one port. `tidegate rollout run` brings the next model live without losing a request.""",
    epilog="""
tidegate serve flights                   the last pushed version; Ctrl-C stops
tidegate serve flights/00002 --port 8080 --detach
tidegate serve flights --key model.pub   only what is signed with this key
tidegate serve ./mine --class Mine.Mine  a class for Seldon's Python wrapper
tidegate serve status
tidegate serve stop
""",
)
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="The served model; else the only one.")]
_LOAD_SECONDS = 300.0


@serve.command("up", cls=Command, context_settings=SETTINGS)
def up(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="NAME, NAME/VERSION, or a model's folder.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Its name in URLs; else the model's.")] = "",
    port: Annotated[int, typer.Option("--port", metavar="PORT", min=0, help="For clients; 0: a free one.")] = 0,
    replicas: Annotated[
        int, typer.Option("--replicas", metavar="N", min=1, help="Processes; with two, one may die unnoticed.")
    ] = 2,
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Public key: load only models signed with it.")
    ] = None,
    sticky: Annotated[
        str, typer.Option("--sticky", metavar="HEADER", help="The same value of this header: the same model.")
    ] = "",
    payloads: Annotated[
        float, typer.Option("--log-payloads", metavar="SHARE", min=0, max=1, help="Share of requests that is logged.")
    ] = 0.0,
    python_class: Annotated[
        str, typer.Option("--class", metavar="MODULE.CLASS", help="A class of Seldon's Python wrapper in MODEL.")
    ] = "",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when it is ready.")] = False,
    destination: Annotated[
        Path | None, typer.Option("--destination", metavar="FOLDER", help="Where models are pushed.")
    ] = None,
    store: options.Store = None,
) -> None:
    """Serve a model: start it, wait until it is ready, say how to ask it. Ctrl-C stops it."""
    from tidegate.cli import serving
    from tidegate.serving.local.place import PlaceError

    found, uri, digest, version = _model(model, destination, store, python_class)
    place = serving.place_of(name or found, store)
    try:
        with place.changing() as save:
            about = (uri, digest, version, port, replicas, key, sticky, payloads, python_class)
            save(_wanted(place, name or found, *about))
        place.supervise()
    except PlaceError as error:
        raise serving.foreseen(error) from None
    try:
        status = _wait(place)
        _tell(place, status, detach)
        if not detach:
            _watch(place)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second one must not leave anything running
        stderr().print("stopping ...")
        _stop(place)
        raise typer.Exit(Exit.INTERRUPTED) from None


@serve.command("status", cls=Command, context_settings=SETTINGS)
def status(store: options.Store = None, output: options.Output = Format.TABLE) -> None:
    """What is served, by which processes, with which share of the requests."""
    from tidegate.cli import serving
    from tidegate.cli.views import serving as view

    found = [(p, d, p.status()) for p in serving.places(store) if (d := p.desired()) is not None and not d.stopped]
    emit(output, lambda: [view.data(*one) for one in found], lambda to, wide: view.told(found, to, wide))


@serve.command("stop", cls=Command, context_settings=SETTINGS)
def stop(name: Name = "", store: options.Store = None) -> None:
    """Answer what is being asked, then end every process."""
    from tidegate.cli import serving

    place = serving.meant(name, store)
    _stop(place)
    stdout().print(f"{place.folder.name} is stopped")


# ------------------------------------------------------------ what is to be served
def _model(model: str, destination: Path | None, store: Path | None, python_class: str) -> tuple[str, str, str, str]:
    """Its name, folder, digest, version."""
    from tidegate.cli.commands.models import find_model
    from tidegate.models import model_digest
    from tidegate.models.digest import CARD

    folder = Path(model).resolve()
    if python_class:
        if not folder.is_dir():
            raise CommandError(f"there is no folder {model}", expected=f"the folder that has {python_class}")
        return folder.name, str(folder), model_digest(folder), folder.name
    if folder.is_dir() and not (folder / CARD).is_file():
        inside = (folder / "Format-Serving/saved_model.pb", folder / "saved_model.pb")
        if any(path.is_file() for path in inside):
            return folder.name, str(folder), model_digest(folder), folder.name
    version = find_model(model, destination, store)
    return version.name, str(version.path.resolve()), version.digest, version.version


def _wanted(
    place: Place, name: str, uri: str, digest: str, version: str, port: int, replicas: int, key: Path | None,
    sticky: str, payloads: float, python_class: str,
) -> Desired:  # fmt: skip
    """Raises: CommandError where another model is live under this name."""
    from tidegate.cli import serving
    from tidegate.serving.local.desired import Desired, new_instance

    before = place.desired()
    if before is not None and not before.stopped and before.stable is not None:
        if before.stable.uri == uri:
            return before
        raise CommandError(
            f"{before.stable.version or before.stable.uri} is live as {name}",
            fix="bring the new one live by `tidegate rollout run PLAN`, or `tidegate serve stop` first",
        )
    if key is not None and not key.is_file():
        raise CommandError(f"there is no key file {key}")
    wanted = Desired(
        name,
        serving.runtime(),
        port=port,
        sticky=sticky.lower(),
        replicas=replicas,
        public_key=str(key.resolve()) if key else "",
        payload_share=payloads,
        made=before.made if before else 0,
    )
    wanted, instance = new_instance(wanted, uri, digest, version, replicas)
    return replace(wanted, stable=replace(instance, python_class=python_class))


# ------------------------------------------------------------ waiting and watching
def _wait(place: Place) -> Status:
    """Until each process of the live model is ready. Raises: CommandError where one cannot be."""
    began = time.monotonic()
    while time.monotonic() - began < _LOAD_SECONDS:
        desired, status = place.desired(), place.status()
        if desired and status and desired.stable:
            replicas = status.of(desired.stable)
            if len(replicas) >= desired.stable.replicas and all(r.ready for r in replicas) and status.port:
                return status
            broken = next((r for r in replicas if r.error and not any(o.ready for o in replicas)), None)
            if broken is not None or status.error:
                said = broken.error if broken else status.error
                _stop(place)
                raise CommandError(
                    f"{desired.name} cannot be served", found=said, where=str(place.folder), code=Exit.FAILED
                )
        place.supervise()
        time.sleep(0.1)
    raise CommandError(f"the model was not ready within {_LOAD_SECONDS:g} s", where=str(place.folder), code=Exit.FAILED)


def _tell(place: Place, status: Status, detach: bool) -> None:
    from tidegate.cli import serving

    desired = place.desired()
    if desired is None or desired.stable is None:
        return
    url = f"http://127.0.0.1:{status.port}/v2/models/{desired.name}"
    to = stdout()
    to.print(f"{desired.name} {desired.stable.version} is ready: {to.paint(url, 'bold')}")
    if body := serving.sample_request(Path(desired.stable.uri)):
        path = place.folder / "example.json"
        path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        to.print(f"  curl -s {url}/infer -d @{path}")
    to.print(f"  gRPC on the same port; logs in {place.folder / 'replicas'}")
    if detach:
        to.print(f"`tidegate serve stop --name {desired.name}` stops it")
    to.file.flush()


def _watch(place: Place) -> None:
    """Say when a process starts again, until it is stopped."""
    restarts: dict[str, int] = {}
    while place.desired() is not None:
        desired, status = place.desired(), place.status()
        if desired is None or desired.stopped:
            return
        for replica in status.replicas if status else ():
            if replica.restarts > restarts.setdefault(replica.key, replica.restarts):
                restarts[replica.key] = replica.restarts
                stdout().print(f"{replica.key} started again; {replica.error.splitlines()[0] if replica.error else ''}")
        place.supervise()
        time.sleep(0.5)


def _stop(place: Place) -> None:
    with place.changing() as save:
        desired = place.desired()
        if desired is not None:
            save(replace(desired, stopped=True))
    place.supervise()
    while place.supervised():
        time.sleep(0.05)
