"""Reading a push destination: versions, cards, digests, signatures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from tidegate.models import (
    ModelNotFoundError,
    content_digest,
    find,
    latest,
    model_digest,
    names,
    sign,
    verify,
    versions,
)


def version(destination: Path, name: str, number: int, content: str, spans: list[int] | None = None) -> Path:
    """A version as the pusher makes it, unsigned."""
    staging = destination / name / "staging"
    (staging / "Format-Serving").mkdir(parents=True)
    (staging / "Format-Serving/saved_model.pb").write_text(content)
    digest = model_digest(staging)
    (staging / "model_card.json").write_text(json.dumps({"digest": digest, "data": {"spans": spans or []}}))
    return staging.rename(destination / name / f"{number:05d}-{digest[7:19]}")


def keys(folder: Path, name: str = "model") -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP384R1())
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def test_versions_come_in_the_order_of_their_pushes(tmp_path: Path) -> None:
    made = [version(tmp_path, "flights", n, f"model {n}", [n]) for n in (2, 100000, 1)]
    (tmp_path / "flights/.staging-00009-0123456789ab").mkdir()
    (tmp_path / "flights/notes").mkdir()
    version(tmp_path, "penguins", 1, "other")

    assert [v.path for v in versions(tmp_path, "flights")] == [made[2], made[0], made[1]]
    assert names(tmp_path) == ["flights", "penguins"] and names(tmp_path / "nowhere") == []
    assert versions(tmp_path, "nothing") == []


@pytest.mark.parametrize(("before", "number"), [(-1, 3), (9, 3), (7, 2), (5, 1), (3, None)])
def test_the_latest_of_older_spans(before: int, number: int | None, tmp_path: Path) -> None:
    for n, spans in enumerate([[3], [4, 5], [6, 7]], 1):
        version(tmp_path, "flights", n, f"model {n}", spans)

    found = latest(tmp_path, "flights", before)

    assert (found.number if found else None) == number


def test_a_version_is_found_by_path_name_number_and_digest(tmp_path: Path) -> None:
    first, second = (version(tmp_path, "flights", n, f"model {n}") for n in (1, 2))

    assert find(str(first)).name == "flights"
    assert find("flights", tmp_path).path == second
    assert find("flights/00001", tmp_path).path == first
    assert find(f"flights/{first.name.split('-')[1][:6]}", tmp_path).path == first
    assert find(f"flights/{find(str(first)).digest}", tmp_path).path == first


def test_what_is_not_found_is_told_with_what_there_is(tmp_path: Path) -> None:
    made = version(tmp_path, "flights", 1, "model")

    with pytest.raises(ModelNotFoundError, match=r"no model 'fligths'.*there are: flights"):
        find("fligths", tmp_path)
    with pytest.raises(ModelNotFoundError, match=f"no version of 'flights' is like '00007'; there are: {made.name}"):
        find("flights/00007", tmp_path)
    with pytest.raises(ModelNotFoundError, match="is no folder of a pushed model"):
        find(str(tmp_path))


def test_a_card_that_cannot_be_read_does_not_hide_its_version(tmp_path: Path) -> None:
    made = version(tmp_path, "flights", 1, "model")
    (made / "model_card.json").write_text("{")

    (found,) = versions(tmp_path, "flights")

    assert found.card == {} and found.digest == "" and found.last_span == -1


@given(st.dictionaries(st.sampled_from(["a", "b", "c/d", "c/e"]), st.binary(max_size=5), min_size=1))
def test_a_digest_is_of_names_and_contents_alone(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folders = [tmp_path_factory.mktemp("digest") for _ in range(2)]
    for folder, order in zip(folders, (sorted(files), sorted(files, reverse=True)), strict=True):
        for name in order:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(files[name])
    digest = content_digest(folders[0])

    assert digest == content_digest(folders[1])
    changed = folders[1] / min(files)
    changed.write_bytes(files[min(files)] + b"!")
    assert content_digest(folders[1]) != digest
    changed.unlink()
    assert content_digest(folders[1]) != digest


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Path, Path]:
    """(a signed version, the public key)"""
    private, public = keys(tmp_path)
    made = version(tmp_path / "models", "flights", 1, "model")
    sign(made, private)
    return made, public


def test_a_signed_version_verifies_where_it_is_and_where_it_is_copied_to(
    signed: tuple[Path, Path], tmp_path: Path
) -> None:
    path, public = signed

    done = verify(path, public)
    copied = verify(shutil.copytree(path, tmp_path / "copy"), public)

    assert done.valid and copied.valid
    assert done.files == ("Format-Serving/saved_model.pb", "model_card.json")


def change(path: Path) -> None:
    (path / "Format-Serving/saved_model.pb").write_text("other")


def add(path: Path) -> None:
    (path / "Format-Serving/more").write_text("")


def remove(path: Path) -> None:
    (path / "model_card.json").unlink()


def unsign(path: Path) -> None:
    (path / "model.sig").unlink()


def damage(path: Path) -> None:
    (path / "model.sig").write_text("{}")


def hide(path: Path) -> None:
    (path / ".git").mkdir()
    (path / ".git/hook").write_text("")


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (change, "changed since it was signed"),
        (add, "Extra files"),
        (remove, "Missing files"),
        (unsign, "not signed"),
        (damage, "the signature is damaged"),
        (hide, "Extra files"),
    ],
)
def test_tampering_is_seen(tamper: object, says: str, signed: tuple[Path, Path]) -> None:
    tamper(signed[0])  # type: ignore[operator]

    done = verify(*signed)

    assert not done.valid and says in done.reason


def test_another_key_does_not_verify(signed: tuple[Path, Path], tmp_path: Path) -> None:
    _, other = keys(tmp_path, "other")
    (tmp_path / "none.pub").write_text("no key")

    assert "not signed with this key" in verify(signed[0], other).reason
    assert "no elliptic-curve public key" in verify(signed[0], tmp_path / "none.pub").reason
    assert "no public key" in verify(signed[0], tmp_path / "missing.pub").reason


def test_a_signed_card_of_another_model_does_not_verify(tmp_path: Path) -> None:
    private, public = keys(tmp_path)
    made = version(tmp_path / "models", "flights", 1, "model")
    change(made)
    sign(made, private)

    assert "the card speaks of another model" in verify(made, public).reason


def test_a_key_that_is_none_is_told(tmp_path: Path) -> None:
    made = version(tmp_path, "flights", 1, "model")
    (tmp_path / "model.key").write_text("no key")

    with pytest.raises(ValueError, match="expected an elliptic-curve private key in PEM"):
        sign(made, tmp_path / "model.key")
    assert not (made / "model.sig").exists()
