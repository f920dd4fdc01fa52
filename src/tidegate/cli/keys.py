"""Key pairs for signing models."""

from __future__ import annotations

import os
from pathlib import Path

from tidegate.cli.failures import CommandError


def generate(private: Path) -> Path:
    """Write an elliptic-curve key pair (P-256, PEM): `private`, which only its owner can read, and the public one.

    Returns: the public key's path, beside it. Raises: CommandError where a key is there already, or cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    public = private.with_suffix(".pub")
    for path in (private, public):
        if path.exists():
            raise CommandError(f"there is a key {path} already", fix="give another name: a key is never overwritten")
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    open_half = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    try:
        private.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secret)
        public.write_bytes(open_half)
    except OSError as error:
        raise CommandError(f"cannot write the key {error.filename}: {error.strerror}") from error
    return public
