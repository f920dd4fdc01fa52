"""Pushes a blessed model into its destination: one immutable, signed version with its card, whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.components.errors import ComponentError
from tidegate.components.paths import given_path
from tidegate.components.progress import report
from tidegate.components.pusher import card as cards
from tidegate.components.pusher import sources as inputs
from tidegate.models import model_digest, versions
from tidegate.models.destination import valid_name
from tidegate.models.digest import ABOUT, CARD, CARD_TEXT, SETTINGS, SIGNATURE
from tidegate.models.signature import public_key_fingerprint, sign
from tidegate.serving.settings import model_settings

_STAGING = ".staging-"


@dataclass(frozen=True, slots=True)
class Pushed:
    """`version` and `path` are empty where nothing was pushed, and `reason` says why."""

    pushed: bool
    reason: str
    version: str = ""
    digest: str = ""
    path: str = ""
    signed: bool = False
    new: bool = False
    """False where the very same model was there already."""


def push(
    artifacts: Mapping[str, Path],
    metadata: Mapping[str, Mapping[str, Any]],
    destination: str,
    name: str,
    pushed_model: str | Path,
    signing_key: str = "",
    require_signature: bool = False,
) -> Pushed:
    """Push `artifacts["model"]`, if every blessing that is given blesses it.

    Args:
        artifacts: model, and what else is known: blessing, infra_blessing, schema, statistics, evaluation, examples,
            model_run (each a folder).
        metadata: the artifacts' metadata, by the same names.
        destination: the folder that holds all models.
        name: the model's; a folder's name, and part of URLs.
        pushed_model: where the PushedModel artifact goes (the card; the version itself is in the destination).
        signing_key: an elliptic-curve private key (PEM); empty: not signed.
        require_signature: refuse to push without a key.
    Raises: ComponentError for a destination, name, key or artifact that cannot be used.
    """
    _check(artifacts, destination, name, signing_key, require_signature)
    refused = inputs.why_not(artifacts)
    target = Path(pushed_model)
    target.mkdir(parents=True, exist_ok=True)
    if refused:
        print("not pushed: " + "\n  ".join(refused))
        done = Pushed(False, "; ".join(refused))
    else:
        report(f"pushing {name}")
        folder = given_path(destination) / name
        with _disk(folder), _alone(folder):
            done = _push(folder, artifacts, metadata, name, given_path(signing_key) if signing_key else None)
        for file in (CARD, CARD_TEXT):
            shutil.copyfile(Path(done.path) / file, target / file)
        _tell(done, signing_key)
    facts = {"pushed": done.pushed, "reason": done.reason, "name": name, "version": done.version, "path": done.path}
    (target / "pushed.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return done


def _check(
    artifacts: Mapping[str, Path], destination: str, name: str, signing_key: str, require_signature: bool
) -> None:
    if not destination:
        raise ComponentError("destination is empty; expected the folder that holds the pushed models")
    if "://" in destination:
        raise ComponentError(f"destination {destination!r} is a URL; expected a path (a mounted volume, say)")
    if not valid_name(name):
        raise ComponentError(
            f"name {name!r} cannot be used; expected letters, digits, `.`, `_`, `-`, such as 'flights'"
        )
    if not (artifacts["model"] / "Format-Serving" / "saved_model.pb").is_file():
        raise ComponentError(
            f"{artifacts['model']} has no Format-Serving/saved_model.pb: expected a model that trainer made"
        )
    if not {"blessing", "infra_blessing"} & set(artifacts):
        raise ComponentError("no blessing was given: connect evaluator's `blessing`, infra_validator's, or both")
    if require_signature and not signing_key:
        raise ComponentError("a signature is required (require_signature) and no signing_key was given")
    if signing_key:
        try:
            public_key_fingerprint(given_path(signing_key))
        except (OSError, ValueError, TypeError) as error:
            raise ComponentError(
                f"signing_key {signing_key}: {error}; expected an unencrypted elliptic-curve private key in PEM "
                "(openssl ecparam -name prime256v1 -genkey -noout -out model.key)"
            ) from None


def _push(
    folder: Path,
    artifacts: Mapping[str, Path],
    metadata: Mapping[str, Mapping[str, Any]],
    name: str,
    key: Path | None,
) -> Pushed:
    """With the lock held."""
    known = versions(folder.parent, name)
    digest = model_digest(artifacts["model"])
    for one in known:
        if one.digest == digest:
            return Pushed(True, "the same model was pushed before", one.version, digest, str(one.path), one.signed)
    number = max((v.number for v in known), default=0) + 1
    version = f"{number:05d}-{digest.removeprefix('sha256:')[:12]}"
    staging = folder / f"{_STAGING}{version}"
    staging.mkdir()
    for entry in sorted(p for p in artifacts["model"].iterdir() if p.name not in ABOUT):
        (shutil.copytree if entry.is_dir() else shutil.copyfile)(entry, staging / entry.name)
    if model_digest(staging) != digest:
        raise ComponentError(f"the model at {artifacts['model']} changed while it was copied; nothing was pushed")
    signature: dict[str, Any] = {"signed": key is not None}
    if key:
        signature |= {"file": SIGNATURE, "method": "model-signing key", "public_key": public_key_fingerprint(key)}
    card = cards.build(name, version, digest, inputs.read(artifacts, metadata), signature)
    (staging / CARD).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (staging / CARD_TEXT).write_text(cards.text(card), encoding="utf-8")
    (staging / SETTINGS).write_text(model_settings(name, "./Format-Serving", version), encoding="utf-8")
    if key:
        sign(staging, key)
    _settle(staging)
    staging.rename(folder / version)
    _sync(folder)
    return Pushed(True, "a new version", version, digest, str(folder / version), key is not None, new=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One pusher at a time for one model; what a killed one left behind is cleared by the next.

    The lock is the kernel's: it ends with its holder, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _clear(folder)
            yield
        finally:
            _clear(folder)


def _clear(folder: Path) -> None:
    for left in folder.glob(f"{_STAGING}*"):
        shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """What the disk refuses, in words that help."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ComponentError(f"no space left in {folder}; nothing was pushed. Make room and run again") from None
        if isinstance(error, PermissionError | NotADirectoryError | FileExistsError) or error.errno == errno.EROFS:
            raise ComponentError(f"cannot write to {folder}: {error.strerror}; nothing was pushed") from None
        raise


def _settle(staging: Path) -> None:
    """Every byte on the disk before the name appears, and no file writable: a version never changes."""
    for path in sorted(staging.rglob("*"), reverse=True):
        if path.is_file():
            path.chmod(0o444)
        _sync(path)
    _sync(staging)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _tell(done: Pushed, signing_key: str) -> None:
    print(f"pushed {done.path} ({done.reason})")
    if not done.signed:
        print("not signed: no signing_key was given")
        return
    public = given_path(signing_key).with_suffix(".pub") if signing_key else Path("PUBLIC.pem")
    if signing_key and not public.exists():
        print(f"the public key, once: openssl ec -in {signing_key} -pubout -out {public}")
    print(f"verify: tidegate verify {done.path} --key {public}")
    print(f"    or: model_signing verify key {done.path} --signature {done.path}/{SIGNATURE} --public_key {public}")
