"""Cosignatures of witnesses on checkpoints (C2SP tlog-cosignature, the timestamped Ed25519 type 0x04). No I/O, no clock.

A cosignature says: as of this time, this is the largest tree that I have seen of this log, and it continues all that I saw.

The node's one signing key signs envelopes, its own checkpoints and cosignatures. What is signed begins with ``DSSEv1``,
``kizuna/`` or ``cosignature/v1``: none can be taken for another.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kizuna.errors import LogDamaged, Message
from kizuna.exchange.checkpoint import COSIGNATURE_TYPE, key_id, note_parts, signature_line
from kizuna.model.instants import instant_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.model.instants import Instant

__all__ = ["cosign", "cosigned_at", "with_cosignatures"]

_TIME_SIZE = 8
_SIGNATURE_SIZE = 64


def _message(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def cosign(note: str, at: Instant, key_name: str, public_key: bytes, sign: Callable[[bytes], bytes]) -> str:
    """Signature line by which a witness cosigns a checkpoint; whether it may is `kizuna.exchange.witness`'s to say.

    Parameters
    ----------
    note
        Signed checkpoint.
    at
        When it is cosigned; whole seconds count.
    key_name, public_key
        The witness's key.
    sign
        Ed25519 signature of a message with that key.

    Raises
    ------
    LogDamaged
        If `note` is no signed note.
    """
    text, _signatures = note_parts(note)
    seconds = int(at.timestamp())
    stamped = seconds.to_bytes(_TIME_SIZE, "big") + sign(_message(text, seconds))
    return signature_line(key_name, key_id(key_name, public_key, COSIGNATURE_TYPE), stamped)


def _verified(text: str, stamped: bytes, public_key: bytes) -> Instant | None:
    """Time of a cosignature; None if it is wrong."""
    if len(stamped) != _TIME_SIZE + _SIGNATURE_SIZE:
        return None
    seconds = int.from_bytes(stamped[:_TIME_SIZE], "big")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(stamped[_TIME_SIZE:], _message(text, seconds))
        return instant_of(datetime.fromtimestamp(seconds, UTC))
    except (InvalidSignature, ValueError, OverflowError, OSError):
        return None


def cosigned_at(note: str, key_name: str, public_key: bytes) -> Instant | None:
    """When the holder of a key cosigned a checkpoint, latest time first; None if it did not.

    Raises
    ------
    LogDamaged
        If `note` is no signed note, or a cosignature under this name and id is wrong.
    """
    text, signatures = note_parts(note)
    times = []
    for name, id_, stamped in signatures:
        if (name, id_) != (key_name, key_id(key_name, public_key, COSIGNATURE_TYPE)):
            continue
        at = _verified(text, stamped, public_key)
        if at is None:
            raise LogDamaged(
                Message("the cosignature of {name} on a checkpoint is wrong", {"name": key_name}),
                hint=Message("ask the witness for the checkpoint that it cosigned"),
            )
        times.append(at)
    return max(times, default=None)


def with_cosignatures(note: str, lines: str) -> str:
    """Note with more signature lines; what stands there already is not repeated.

    Raises
    ------
    LogDamaged
        If the result is no signed note.
    """
    present = set(note.splitlines())
    more = [line for line in dict.fromkeys(lines.splitlines()) if line not in present]
    joined = note + "".join(line + "\n" for line in more)
    if note_parts(joined)[0] != note_parts(note)[0]:
        raise LogDamaged(
            Message("signature lines that change the checkpoint's text"), hint=Message("send signature lines and nothing else")
        )
    return joined
