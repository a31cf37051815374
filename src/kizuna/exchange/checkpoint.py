"""Signed checkpoints of the log (C2SP tlog-checkpoint in a C2SP signed note, Ed25519). No I/O.

A checkpoint states, under the log's origin, how many leaves the tree has and what its root is. Others may countersign the
same text (witnesses): signatures of unknown keys are ignored, as the specification demands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kizuna.errors import InputError, LogDamaged, Message

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

__all__ = [
    "COSIGNATURE_TYPE",
    "NOTE_TYPE",
    "Checkpoint",
    "key_id",
    "make_checkpoint",
    "note_parts",
    "open_checkpoint",
    "read_verifier_key",
    "signature_line",
    "verifier_key",
]

NOTE_TYPE = b"\x01"
"""Signature type of an Ed25519 signature over the note's text."""
COSIGNATURE_TYPE = b"\x04"
"""Signature type of a timestamped Ed25519 cosignature (`kizuna.exchange.cosignature`)."""
_KEY_ID_SIZE = 4
_HASH_SIZE = 32
_PUBLIC_KEY_SIZE = 32
_MOST_CHARACTERS = 65_536
_MOST_DIGITS = 16
_DASH = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of a log at one size.

    Parameters
    ----------
    origin
        Name of the log, unique among logs (``"kizuna/JPN/IQPS"``).
    size
        Count of leaves.
    root
        Root of the tree over them, 32 bytes.
    """

    origin: str
    size: int
    root: bytes


def _damaged(why: Message) -> NoReturn:
    raise LogDamaged(
        Message("the checkpoint does not verify: {why}", {"why": why}),
        hint=Message("compare the log with a copy that a partner has signed for"),
    )


def _is_key_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(character.isspace() or character < " " for character in name)


def key_id(key_name: str, public_key: bytes, signature_type: bytes = NOTE_TYPE) -> bytes:
    """Four bytes by which a signature line says which key made it, and in which way."""
    return hashlib.sha256(key_name.encode() + b"\n" + signature_type + public_key).digest()[:_KEY_ID_SIZE]


def verifier_key(key_name: str, public_key: bytes, signature_type: bytes = NOTE_TYPE) -> str:
    """Verifier key (vkey) of signed notes, which other tools read: name, key id and key.

    Examples
    --------
    >>> verifier_key("kizuna/JPN", bytes(32)).split("+")[1]
    '7354c43f'
    """
    material = base64.b64encode(signature_type + public_key).decode()
    return f"{key_name}+{key_id(key_name, public_key, signature_type).hex()}+{material}"


def read_verifier_key(text: str, signature_type: bytes = NOTE_TYPE) -> tuple[str, bytes]:
    """Name and raw public key of a verifier key.

    Raises
    ------
    InputError
        If it is none, or a key of another signature type.

    Examples
    --------
    >>> read_verifier_key(verifier_key("kizuna/JPN", bytes(32))) == ("kizuna/JPN", bytes(32))
    True
    """
    name, _plus, rest = text.partition("+")
    try:
        material = base64.b64decode(rest.partition("+")[2], validate=True)
    except (binascii.Error, ValueError):
        material = b""
    public_key = material.removeprefix(signature_type)
    if len(public_key) != _PUBLIC_KEY_SIZE or not _is_key_name(name) or verifier_key(name, public_key, signature_type) != text:
        raise InputError(
            Message("{got} is no verifier key of an Ed25519 key of this use", {"got": repr(text)[:200]}),
            hint=Message("write it as kizuna audit verify prints it: NAME+ID+KEY"),
            field="key",
        )
    return name, public_key


def signature_line(key_name: str, id_: bytes, signature: bytes) -> str:
    """Line of a note that bears a signature, line end included."""
    return f"{_DASH}{key_name} {base64.b64encode(id_ + signature).decode()}\n"


def make_checkpoint(origin: str, size: int, root: bytes, sign: Callable[[bytes], bytes], key_name: str, public_key: bytes) -> str:
    """Signed note over a tree.

    Parameters
    ----------
    origin, size, root
        As in `Checkpoint`.
    sign
        Ed25519 signature of a message.
    key_name
        Name of the key; by the specification it should be the origin.
    public_key
        Raw public key that belongs to `sign`, 32 bytes.

    Raises
    ------
    InputError
        If the origin or the key name cannot stand in a note.
    """
    if not origin or any(character < " " for character in origin) or not _is_key_name(key_name):
        raise InputError(
            Message("origin {origin!r} or key name {name!r} cannot stand in a signed note", {"origin": origin, "name": key_name}),
            hint=Message("use one line for the origin, and a key name without spaces and plus signs"),
        )
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return f"{text}\n{signature_line(key_name, key_id(key_name, public_key), sign(text.encode()))}"


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _damaged(Message("it holds base64 that cannot be read"))
    if base64.b64encode(data).decode() != text:
        _damaged(Message("it holds base64 in another than its one canonical form"))
    return data


def note_parts(note: str) -> tuple[str, tuple[tuple[str, bytes, bytes], ...]]:
    """Text of a signed note, and its signatures: name, key id and signature of each; none of them is verified.

    Raises
    ------
    LogDamaged
        If it is no signed note.
    """
    if len(note) > _MOST_CHARACTERS:
        _damaged(Message("it is too long"))
    if not note.endswith("\n") or any(character < " " and character != "\n" for character in note):
        _damaged(Message("it is not a signed note"))
    head, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.startswith(_DASH):
        _damaged(Message("it bears no signature"))
    found = []
    for line in signatures.removesuffix("\n").split("\n"):
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space or not _is_key_name(name):
            _damaged(Message("a signature line is malformed"))
        data = _decoded(encoded)
        if len(data) <= _KEY_ID_SIZE:
            _damaged(Message("a signature is too short"))
        found.append((name, data[:_KEY_ID_SIZE], data[_KEY_ID_SIZE:]))
    return head + "\n", tuple(found)


def open_checkpoint(note: str, *, origin: str, key_name: str, public_key: bytes) -> Checkpoint:
    """Checkpoint of a signed note.

    Parameters
    ----------
    note
        The note.
    origin
        Log whose checkpoint it must be.
    key_name, public_key
        The log's key.

    Raises
    ------
    LogDamaged
        If the note is malformed, names another log, or the key has not signed it.
    """
    text, signatures = note_parts(note)
    own = [signature for name, id_, signature in signatures if (name, id_) == (key_name, key_id(key_name, public_key))]
    for signature in own:
        # A signature under its name and id that fails is damage, not absence.
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            _damaged(Message("its signature is wrong"))
    if not own:
        _damaged(Message("the log's key has not signed it"))
    found, *rest = text.removesuffix("\n").split("\n")
    if len(rest) < 2 or not all(rest):  # noqa: PLR2004 (size and root)
        _damaged(Message("a line is missing"))
    size = rest[0]
    if not (size.isascii() and size.isdecimal()) or (size != "0" and size.startswith("0")) or len(size) > _MOST_DIGITS:
        _damaged(Message("its tree size is malformed"))
    root = _decoded(rest[1])
    if len(root) != _HASH_SIZE:
        _damaged(Message("its root is no SHA-256"))
    if found != origin:
        _damaged(Message("it is of the log {got}, expected {expected}", {"got": repr(found[:100]), "expected": repr(origin)}))
    return Checkpoint(found, int(size), root)
