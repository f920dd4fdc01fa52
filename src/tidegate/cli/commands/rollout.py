"""`tidegate rollout`: a new model comes live on this machine, by a plan."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli import options
from tidegate.cli.commands.simulate import EPILOG as SIMULATE_EXAMPLES
from tidegate.cli.commands.simulate import simulate
from tidegate.cli.failures import CommandError, Exit
from tidegate.cli.help import SETTINGS, Command, Group
from tidegate.cli.output import Format, emit
from tidegate.cli.terminal import stderr, stdout

if TYPE_CHECKING:
    from tidegate.rollout.plan import RolloutPlan
    from tidegate.serving.local.place import Place
    from tidegate.serving.local.rollouts import Rollout

rollout = typer.Typer(
    cls=Group,
    rich_markup_mode=None,
    add_completion=False,
    context_settings=SETTINGS,
    help="""A new model gets live requests step by step, and is promoted or rolled back by what they show. A plan is a
ModelRollout document, the same as on Kubernetes.""",
    epilog="""
tidegate rollout run plan.yaml          until it is promoted or rolled back
tidegate rollout status
tidegate rollout pause                  hold; a breach still rolls back
tidegate rollout abort                  all requests to the model of before
tidegate rollout history                every decision, with its reason
""",
)
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="The served model; else the only one.")]
_CODES = {"Promoted": Exit.OK, "Reported": Exit.OK, "RolledBack": Exit.FAILED}

rollout.command("simulate", cls=Command, context_settings=SETTINGS, epilog=SIMULATE_EXAMPLES)(simulate)


@rollout.command("run", cls=Command, context_settings=SETTINGS)
def run(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A ModelRollout document (YAML).")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The served model; else metadata.name.")] = "",
    destination: Annotated[
        Path | None, typer.Option("--destination", metavar="FOLDER", help="Where models are pushed.")
    ] = None,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
    quiet: options.Quiet = False,
) -> None:
    """Roll out until it is decided. Killed or interrupted, the same command continues. Ctrl-C leaves the requests as
    they are shared. Exit code 0: promoted; 1: rolled back.
    """
    from tidegate.cli import serving
    from tidegate.cli.views import rollouts as view
    from tidegate.rollout.ports import PortError
    from tidegate.serving.local.place import PlaceError
    from tidegate.serving.local.rollouts import begin, drive

    said, spec = serving.read_plan(plan)
    place = _served(name or said, name, store)
    spec = _resolved(spec, destination, store)
    try:
        going = begin(place, spec, time.time())
        watch = view.Watcher(going.id, stderr(), quiet or output.for_machines)
        with watch:
            final = asyncio.run(drive(place, going, watch))
    except ValueError as error:
        raise CommandError(str(error)) from None
    except (PlaceError, PortError) as error:
        raise serving.foreseen(error) from None
    except KeyboardInterrupt:
        stderr().print(
            f"rollout {going.id} stands as it is, undecided; `tidegate rollout run {plan}` continues, "
            "`tidegate rollout abort` and that go back"
        )
        raise typer.Exit(Exit.INTERRUPTED) from None
    emit(output, lambda: view.data(going), lambda to, wide: view.told(going, to, wide))
    raise typer.Exit(_CODES.get(str(final.phase), Exit.FAILED))


@rollout.command("status", cls=Command, context_settings=SETTINGS)
def status(name: Name = "", store: options.Store = None, output: options.Output = Format.TABLE) -> None:
    """The last rollout: where it stands, and what each requirement shows."""
    from tidegate.cli.views import rollouts as view

    last = _last(name, store)
    emit(output, lambda: view.data(last), lambda to, wide: view.told(last, to, wide))


@rollout.command("history", cls=Command, context_settings=SETTINGS)
def history(
    name: Name = "",
    every: Annotated[bool, typer.Option("--all", help="All rollouts, one line each.")] = False,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
) -> None:
    """The last rollout's decisions in their order, each with its reason."""
    from tidegate.cli import serving
    from tidegate.cli.views import rollouts as view
    from tidegate.serving.local.rollouts import rollouts

    if every:
        found = rollouts(serving.meant(name, store))
        emit(output, lambda: [view.summary(r) for r in found], lambda to, wide: view.listed(found, to, wide))
        return
    last = _last(name, store)
    emit(output, lambda: view.decisions(last), lambda to, wide: view.timeline(last, to, wide))


def _command(command: str, summary: str, done: str) -> None:
    def ask(name: Name = "", store: options.Store = None) -> None:
        last = _last(name, store)
        if last.state().phase.final:
            raise CommandError(f"rollout {last.id} is over: {last.state().reason}")
        last.ask(command)
        stdout().print(f"rollout {last.id} {done}")
        if not last.driven():
            stdout().print("no process drives it now: it follows when `tidegate rollout run PLAN` continues it")

    ask.__doc__ = summary
    rollout.command(command, cls=Command, context_settings=SETTINGS)(ask)


_command("pause", "Hold it where it is; a breach still rolls back.", "is to be held")
_command("resume", "Go on after a pause.", "is to go on")
_command("promote", "Promote now, whatever the evidence says.", "is to be promoted")
_command("abort", "Roll back now.", "is to be rolled back")


def _served(name: str, said: str, store: Path | None) -> Place:
    """The served model of this name; else the only one, where the person did not say which."""
    from tidegate.cli import serving

    names = {p.folder.name for p in serving.places(store) if serving.running(p)}
    return serving.meant(name if name in names or said else "", store)


def _last(name: str, store: Path | None) -> Rollout:
    from tidegate.cli import serving
    from tidegate.serving.local.rollouts import rollouts

    place = serving.meant(name, store)
    found = rollouts(place)
    if not found:
        raise CommandError(f"{place.folder.name} has had no rollout", fix="`tidegate rollout run PLAN` begins one")
    return found[-1]


def _resolved(plan: RolloutPlan, destination: Path | None, store: Path | None) -> RolloutPlan:
    """With the model's folder, digest and version: the uri may be a folder, or NAME/VERSION of a pushed model."""
    from tidegate.cli.commands.models import find_model
    from tidegate.models import model_digest
    from tidegate.models.digest import CARD

    if plan.git is not None or plan.target.seldon_deployment is not None:
        raise CommandError(
            "this plan is for a cluster", expected="target.local, and no git", fix="kubectl apply it, for the operator"
        )
    uri = plan.model.uri.removeprefix("file://")
    folder = Path(uri)
    if folder.is_dir() and not (folder / CARD).is_file():
        digest, version, path = model_digest(folder), folder.resolve().name, folder.resolve()
    else:
        found = find_model(uri, destination, store)
        digest, version, path = found.digest or model_digest(found.path), found.version, found.path.resolve()
    model = plan.model.model_copy(
        update={
            "uri": str(path),
            "digest": plan.model.digest or digest,
            "version": plan.model.version or version,
        }
    )
    return plan.model_copy(update={"model": model})
