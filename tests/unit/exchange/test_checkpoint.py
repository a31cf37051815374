"""Checkpoints: the specification's own examples, round trips, and everything that must be refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kizuna.errors import InputError, LogDamaged
from kizuna.exchange.checkpoint import Checkpoint, make_checkpoint, open_checkpoint, verifier_key
from kizuna.exchange.merkle import EMPTY_ROOT

ORIGIN = "kizuna/JPN/IQPS"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()
ROOT = bytes(range(32))


def _note(size: int = 7) -> str:
    return make_checkpoint(ORIGIN, size, ROOT, KEY.sign, ORIGIN, PUBLIC)


def _signed(text: str) -> str:
    """Note over any text, rightly signed."""
    lines = make_checkpoint(ORIGIN, 0, ROOT, lambda _: KEY.sign(text.encode()), ORIGIN, PUBLIC).split("\n\n")
    return f"{text}\n{lines[1]}"


def _open(note: str) -> Checkpoint:
    return open_checkpoint(note, origin=ORIGIN, key_name=ORIGIN, public_key=PUBLIC)


@pytest.mark.parametrize("size", [0, 1, 20852163, 2**53 - 1])
def test_opens_what_was_made(size: int) -> None:
    assert _open(_note(size)) == Checkpoint(ORIGIN, size, ROOT)


def test_has_the_lines_of_the_specification() -> None:
    lines = _note().split("\n")
    assert lines[:4] == [ORIGIN, "7", base64.b64encode(ROOT).decode(), ""]
    assert lines[4].startswith(f"\N{EM DASH} {ORIGIN} ")
    assert lines[5:] == [""]


def test_verifier_key_and_signature_of_the_specification() -> None:
    """C2SP signed-note, section "Example": key, key id and signature made by other software."""
    public_key = base64.b64decode("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")[1:]
    assert verifier_key("example.com/foo", public_key) == (
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    )
    note = (
        "This is an example message.\n\n\N{EM DASH} example.com/foo "
        "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
    )
    # The signature verifies; only then is the text found not to be a checkpoint.
    with pytest.raises(LogDamaged, match="a line is missing"):
        open_checkpoint(note, origin="example.com/foo", key_name="example.com/foo", public_key=public_key)
    with pytest.raises(LogDamaged, match="its signature is wrong"):
        open_checkpoint(
            note.replace("message", "massage"), origin="example.com/foo", key_name="example.com/foo", public_key=public_key
        )


def test_ignores_signatures_of_witnesses() -> None:
    witness = "\N{EM DASH} witness.example/w1 " + base64.b64encode(b"\0" * 76).decode() + "\n"
    head, own = _note().split("\n\n")
    assert _open(f"{head}\n\n{witness}{own}").size == 7
    assert _open(f"{head}\n\n{own}{witness}").size == 7
    with pytest.raises(LogDamaged, match="has not signed it"):
        _open(f"{head}\n\n{witness}")


def test_signature_under_another_name_is_nobodys() -> None:
    """A key is its name and its id together; the log's signature under a witness's name is not the log's."""
    with pytest.raises(LogDamaged, match="has not signed it"):
        _open(_note().replace(f"\N{EM DASH} {ORIGIN} ", "\N{EM DASH} witness.example/w1 "))


def test_extension_lines_are_allowed_and_signed() -> None:
    root = base64.b64encode(ROOT).decode()
    assert _open(_signed(f"{ORIGIN}\n7\n{root}\nextension\n")).size == 7


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{origin}\n07\n{root}\n", "tree size"),
        ("{origin}\n-7\n{root}\n", "tree size"),
        ("{origin}\n٧\n{root}\n", "tree size"),
        ("{origin}\n77777777777777777\n{root}\n", "tree size"),
        ("{origin}\n7\n", "a line is missing"),
        ("{origin}\n7\n{root}\n\nblank\n", "a line is missing"),
        ("{origin}\n7\nAAAA\n", "no SHA-256"),
        ("{origin}\n7\n*\n", "base64"),
        ("another/log\n7\n{root}\n", "another/log"),
    ],
)
def test_refuses_a_rightly_signed_text_that_is_no_checkpoint_of_this_log(text: str, why: str) -> None:
    with pytest.raises(LogDamaged, match=why):
        _open(_signed(text.format(origin=ORIGIN, root=base64.b64encode(ROOT).decode())))


@pytest.mark.parametrize(
    ("old", "new"),
    [("7", "8"), (ORIGIN + "\n", "kizuna/UKR\n"), ("\n\n", "\n"), ("\N{EM DASH}", "-"), ("\n", "\r\n"), ("=\n", "\n")],
)
def test_refuses_any_change(old: str, new: str) -> None:
    note = _note()
    assert old in note
    with pytest.raises(LogDamaged):
        _open(note.replace(old, new, 1))


def test_refuses_the_signature_of_another_key() -> None:
    other = Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
    note = make_checkpoint(ORIGIN, 7, ROOT, other.sign, ORIGIN, PUBLIC)
    with pytest.raises(LogDamaged, match="its signature is wrong"):
        _open(note)
    unknown = make_checkpoint(ORIGIN, 7, ROOT, other.sign, ORIGIN, other.public_key().public_bytes_raw())
    with pytest.raises(LogDamaged, match="has not signed it"):
        _open(unknown)


def test_refuses_an_overlong_note() -> None:
    with pytest.raises(LogDamaged, match="too long"):
        _open(_note() + "\N{EM DASH} w " + "A" * 70_000 + "\n")


@pytest.mark.parametrize(("origin", "name"), [("", "k"), ("two\nlines", "k"), ("o", ""), ("o", "a b"), ("o", "a+b")])
def test_makes_no_note_that_could_be_read_otherwise(origin: str, name: str) -> None:
    with pytest.raises(InputError):
        make_checkpoint(origin, 0, EMPTY_ROOT, KEY.sign, name, PUBLIC)
