"""Signatures of pushed models: the OpenSSF `model-signing` format in its elliptic-curve key mode."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidegate.models.digest import CARD, SIGNATURE, model_digest


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of verifying one version."""

    valid: bool
    reason: str
    files: tuple[str, ...] = ()
    """Those that the signature covers."""


def sign(folder: Path, private_key: Path) -> Path:
    """Sign everything in `folder` (but an older signature) into `model.sig`. Returns the signature's path.

    Raises: ValueError where the key is no unencrypted elliptic-curve key (P-256, P-384 or P-521) in PEM.
    """
    from model_signing import hashing, signing

    target = folder / SIGNATURE
    target.unlink(missing_ok=True)
    try:
        config = signing.Config().use_elliptic_key_signer(private_key=private_key)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, OSError) as error:
        raise ValueError(
            f"signing key {private_key} cannot be used ({error}); expected an elliptic-curve private key in PEM, "
            "for example from `openssl ecparam -name prime256v1 -genkey -noout -out model.key`"
        ) from None
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[target], ignore_git_paths=False))  # type: ignore[no-untyped-call]
    config.sign(folder, target)
    return target


def public_key_fingerprint(private_key: Path) -> str:
    """`sha256:<hex>` of the public half (its DER SubjectPublicKeyInfo), by which people tell keys apart."""
    from cryptography.hazmat.primitives import serialization

    key = serialization.load_pem_private_key(private_key.read_bytes(), None)
    spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(spki).hexdigest()}"


def verify(folder: Path, public_key: Path) -> Verification:
    """Is every file in `folder` as it was signed, none added and none missing, by the owner of this key?

    The card's digest is compared with the content too. Never raises for what a tampered folder may hold.
    """
    from model_signing import hashing, verifying

    signature = folder / SIGNATURE
    if not folder.is_dir():
        return Verification(False, f"no folder {folder}")
    if not signature.is_file():
        return Verification(False, f"not signed: {folder} has no {SIGNATURE}")
    if not public_key.is_file():
        return Verification(False, f"no public key {public_key}")
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=public_key)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError) as error:
        return Verification(False, f"{public_key} is no elliptic-curve public key in PEM: {error}")
    config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[signature], ignore_git_paths=False))  # type: ignore[no-untyped-call]
    try:
        config.verify(folder, signature)
    except Exception as error:  # the library raises many kinds for what an attacker may write
        return Verification(False, _reason(error))
    said = _card_digest(folder)
    if said != model_digest(folder):
        return Verification(False, f"the card speaks of another model: its digest is {said or 'missing'}")
    return Verification(True, f"signed with the key {public_key}, unchanged", _covered(signature))


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if text.startswith("Signature mismatch"):
        return f"changed since it was signed: {text}"
    return f"not signed with this key, or the signature is damaged: {text or type(error).__name__}"


def _card_digest(folder: Path) -> str:
    try:
        return str(json.loads((folder / CARD).read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _covered(signature: Path) -> tuple[str, ...]:
    """The files in the signed statement (a Sigstore bundle around an in-toto statement)."""
    bundle: Any = json.loads(signature.read_text(encoding="utf-8"))
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    return tuple(sorted(r["name"] for r in statement["predicate"]["resources"]))
