"""`tidegate models`, `tidegate verify`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import options, plain, words
from tidegate.cli.failures import CommandError, Exit
from tidegate.cli.help import SETTINGS, Command, Defaulting
from tidegate.cli.output import Format, emit
from tidegate.cli.references import open_store, store_folder
from tidegate.cli.summaries import is_a
from tidegate.cli.terminal import stdout

if TYPE_CHECKING:
    from tidegate.models import ModelVersion
    from tidegate.store.records import ArtifactRecord

EXAMPLES = {
    "verify": """
tidegate verify flights --key model.pub            its last version
tidegate verify flights/00003 --key model.pub
tidegate verify /srv/models/flights/00003-1f0c9e2ab4d1 --key model.pub
""",
}
TRAINED = "Model"

models = typer.Typer(
    cls=Defaulting,
    rich_markup_mode=None,
    add_completion=False,
    context_settings=SETTINGS,
    help="""Newest first: each version with its run, whether it is signed, and the metrics on its card.
`tidegate models` alone is `tidegate models ls`.""",
    epilog="""
tidegate models                        what this store's runs pushed
tidegate models flights                versions of one model
tidegate models --trained              every trained model, pushed or not
tidegate models /srv/models            what is in a folder of pushed models
tidegate models keygen model.key       a key pair for signing
""",
)

Destination = Annotated[
    Path | None,
    typer.Option("--destination", metavar="FOLDER", help="Where models are pushed; else where this store's runs did."),
]


@models.command("ls", cls=Command, context_settings=SETTINGS)
def ls(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Only this model; or a folder of pushed models.")] = "",
    trained: Annotated[bool, typer.Option("--trained", help="All trained models, pushed or not.")] = False,
    destination: Destination = None,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
) -> None:
    """List pushed versions (or trained models), newest first."""
    from tidegate.cli.views import models as view

    now = time.time()
    if destination is None and Path(name).is_dir():
        name, destination = "", Path(name)
    if trained:
        with open_store(store, make=False) as opened:
            found = [one for one in opened.artifacts.models() if is_a(one, TRAINED)]
        data = [plain.artifact(one) for one in found]
        emit(output, lambda: data, lambda to, wide: view.trained(found, now, to, wide))
        return
    pushes = {} if destination and not _has_store(store) else _pushes(store)
    places = [destination] if destination else sorted({path.parent.parent for path in pushes})
    listed = [(version, pushes.get(version.path)) for version in _versions(places, name)]
    emit(output, lambda: [_data(*one) for one in listed], lambda to, wide: view.pushed(listed, now, to, wide))


@models.command("keygen", cls=Command, context_settings=SETTINGS)
def keygen(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The private key; the public one gets `.pub`.")],
) -> None:
    """Make a key pair for signing models."""
    from tidegate.cli.keys import generate

    public = generate(path)
    stdout().lines([f"{path}   the private key: for the pusher's signing_key", f"{public}   for `tidegate verify`"])


def verify(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="NAME, NAME/VERSION, or a folder.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="The public key (PEM) of who should have signed it.")
    ] = None,
    destination: Destination = None,
    store: options.Store = None,
    output: options.Output = Format.TABLE,
) -> None:
    """Yes only if the signature is by this key, every file is as it was signed, none was added or removed, and the card
    speaks of this very model. Exit code 1 where it is not so.
    """
    from tidegate.models import verify as check

    found = find_model(model, destination, store)
    if key is None:
        raise CommandError(
            f"verifying {found.name} {found.version} needs the public key of who should have signed it",
            expected="--key FILE",
            fix="`tidegate models keygen` made it, beside the private one, with the ending .pub",
        )
    if not key.is_file():
        raise CommandError(f"there is no key file {key}")
    verdict = check(found.path, key)
    data = {
        "model": found.name,
        "version": found.version,
        "path": str(found.path),
        "valid": verdict.valid,
        "reason": verdict.reason,
        "files": list(verdict.files),
    }

    def told(to: Any, wide: bool) -> list[str]:
        mark = to.paint("✓ valid", "green") if verdict.valid else to.paint("✗ not valid", "red bold")
        files = [f"  {file}" for file in verdict.files] if wide else []
        return [f"{mark}  {found.name} {found.version}: {verdict.reason}", *files]

    emit(output, lambda: data, told)
    if not verdict.valid:
        raise typer.Exit(Exit.FAILED)


def find_model(model: str, destination: Path | None, store: Path | None) -> ModelVersion:
    from tidegate.models import ModelNotFoundError, find, versions

    folder = Path(model)
    if destination is None and folder.is_dir() and versions(folder.resolve().parent, folder.resolve().name):
        return find(folder.resolve().name, folder.resolve().parent)
    if destination or folder.is_dir():
        return find(model, destination)
    places = sorted({path.parent.parent for path in _pushes(store)}) if _has_store(store) else []
    said = f"no run of this store pushed a model, so {model!r} is not known"
    for place in places:
        try:
            return find(model, place)
        except ModelNotFoundError as error:
            said = str(error)
    raise CommandError(said, fix="give the version's folder, or --destination; `tidegate models` lists what there is")


def _has_store(store: Path | None) -> bool:
    return (store_folder(store) / "store.db").exists()


def _pushes(store: Path | None) -> dict[Path, ArtifactRecord]:
    """The folder of each version that a run of this store pushed, with the artifact of the last such run."""
    with open_store(store, make=False) as opened:
        found = [one for one in opened.artifacts.models(pushed_only=True) if one.metadata.get("pushed")]
    return {Path(str(one.metadata["pushed_destination"])): one for one in reversed(found)}


def _versions(places: list[Path], name: str) -> list[ModelVersion]:
    from tidegate.models import names, versions

    known = [(place, model) for place in places for model in names(place)]
    if name and not any(model == name for _, model in known):
        there = ", ".join(sorted({model for _, model in known}))
        raise CommandError(f"no model {name!r} was pushed", expected=f"one of {there}" if there else "")
    wanted = [(place, model) for place, model in known if not name or model == name]
    return [version for place, model in wanted for version in reversed(versions(place, model))]


def _data(version: ModelVersion, pushed: ArtifactRecord | None) -> dict[str, Any]:
    return {
        "name": version.name,
        "version": version.version,
        "path": str(version.path),
        "digest": version.digest,
        "signed": version.signed,
        "metrics": version.card.get("metrics", []),
        "run_id": pushed.run if pushed else None,
        "pushed": words.iso(pushed.created) if pushed else None,
    }
