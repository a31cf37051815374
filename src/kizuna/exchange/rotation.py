"""A node's statements about its own keys: that another takes the place of one. No I/O.

The statement about a signing key is sealed by the old and signed by the new: whoever pinned the old key follows it to the new one
without having to trust whatever carried the statement. That about the key for removable media is sealed by the signing key.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kizuna.errors import InputError, Message, PartnerMisbehaved
from kizuna.exchange.envelope import key_id_of, seal, unseal
from kizuna.model.canonical import canonical
from kizuna.model.instants import format_instant
from kizuna.model.parties import parse_party
from kizuna.model.reading import open_table

if TYPE_CHECKING:
    from kizuna.exchange.envelope import Signer
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party

__all__ = [
    "MOST_STATEMENT_BYTES",
    "ROTATION_TYPE",
    "SEALING_KEY_TYPE",
    "Rotation",
    "SealingKey",
    "seal_rotation",
    "seal_sealing_key",
    "unseal_rotation",
    "unseal_sealing_key",
]

ROTATION_TYPE = "application/vnd.kizuna.rotation.1+json"
_SCHEMA = "kizuna/rotation/1"
_PROOF_OF = b"kizuna rotation 1\n"
MOST_STATEMENT_BYTES = 65_536
"""Longest statement that is read."""
SEALING_KEY_TYPE = "application/vnd.kizuna.sealing-key.1+json"
_SEALING_SCHEMA = "kizuna/sealing-key/1"
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Rotation:
    """What the statement says.

    Parameters
    ----------
    party
        Whose node it is.
    former_key_id
        Id of the key that is given up, which signed the statement.
    signing_key
        Raw Ed25519 public key that takes its place.
    certificate_der
        The TLS certificate that comes with it.
    at
        When the former key ends: what it signed is from before. Announced ahead, either may be used until then.
    """

    party: Party
    former_key_id: str
    signing_key: bytes
    certificate_der: bytes
    at: Instant


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def seal_rotation(rotation: Rotation, former: Signer, fresh: Signer) -> bytes:
    """Statement, signed by both keys."""
    said: dict[str, Json] = {
        "schema": _SCHEMA,
        "party": rotation.party,
        "former": rotation.former_key_id,
        "signing_key": _text(rotation.signing_key),
        "certificate": _text(rotation.certificate_der),
        "at": format_instant(rotation.at),
    }
    proof = fresh.sign(_PROOF_OF + canonical(said))
    return seal(ROTATION_TYPE, said | {"proof": _text(proof)}, former)


def unseal_rotation(envelope: bytes, former_key: bytes) -> Rotation:
    """Statement that the holders of `former_key` and of the key in it have both signed.

    Raises
    ------
    PartnerMisbehaved
        If anything of it does not verify.
    """
    document = unseal(envelope, former_key, ROTATION_TYPE, most_bytes=MOST_STATEMENT_BYTES)
    try:
        table = open_table(document, schema=_SCHEMA, what="rotation")
        proof, signing_key, certificate = (
            base64.b64decode(table.text(name), validate=True) for name in ("proof", "signing_key", "certificate")
        )
        rotation = Rotation(parse_party(table.text("party")), table.text("former"), signing_key, certificate, table.instant("at"))
        table.done()
        said = {name: value for name, value in document.items() if name != "proof"} if isinstance(document, dict) else {}
        Ed25519PublicKey.from_public_bytes(signing_key).verify(proof, _PROOF_OF + canonical(said))
    except (InputError, ValueError, InvalidSignature) as error:
        raise _off(str(error) or "the new key has not signed it") from error
    if rotation.former_key_id != key_id_of(former_key):
        raise _off("it names another former key than the one that signed it")
    return rotation


@dataclass(frozen=True, slots=True)
class SealingKey:
    """What a statement about the key for removable media says.

    Parameters
    ----------
    party
        Whose node it is.
    sealing_key
        Raw X25519 public key to which media for it are to be sealed from now on.
    at
        When it was made: a later statement counts, an earlier one does not.
    former_until
        Until when media may be made for the former key.
    """

    party: Party
    sealing_key: bytes
    at: Instant
    former_until: Instant


def seal_sealing_key(said: SealingKey, signer: Signer) -> bytes:
    """Statement, sealed by the node's signing key."""
    members: dict[str, Json] = {
        "schema": _SEALING_SCHEMA,
        "party": said.party,
        "sealing_key": _text(said.sealing_key),
        "at": format_instant(said.at),
        "former_until": format_instant(said.former_until),
    }
    return seal(SEALING_KEY_TYPE, members, signer)


def unseal_sealing_key(envelope: bytes, public_key: bytes) -> SealingKey:
    """Statement of the holder of `public_key`.

    Raises
    ------
    PartnerMisbehaved
        If anything of it does not verify.
    """
    document = unseal(envelope, public_key, SEALING_KEY_TYPE, most_bytes=MOST_STATEMENT_BYTES)
    try:
        table = open_table(document, schema=_SEALING_SCHEMA, what="sealing key")
        sealing_key = base64.b64decode(table.text("sealing_key"), validate=True)
        found = SealingKey(parse_party(table.text("party")), sealing_key, table.instant("at"), table.instant("former_until"))
        table.done()
    except (InputError, ValueError) as error:
        raise _off(str(error)) from error
    if len(sealing_key) != _KEY_BYTES:
        raise _off(f"the key has {len(sealing_key)} bytes, expected {_KEY_BYTES}")
    return found


def _off(why: str) -> PartnerMisbehaved:
    return PartnerMisbehaved(
        Message("a statement that a key was changed does not verify: {why}", {"why": why}),
        hint=Message("nothing was changed; ask the partner's operator for its card by a way that you trust"),
    )
