"""A node's statement that another key takes the place of its signing key: sealed by the old, signed by the new. No I/O.

Whoever pinned the old key follows it to the new one without having to trust whatever carried the statement.
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

__all__ = ["ROTATION_TYPE", "Rotation", "seal_rotation", "unseal_rotation"]

ROTATION_TYPE = "application/vnd.kizuna.rotation.1+json"
_SCHEMA = "kizuna/rotation/1"
_PROOF_OF = b"kizuna rotation 1\n"
_MOST_BYTES = 65_536


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
        When: what the former key signed is from before.
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
    document = unseal(envelope, former_key, ROTATION_TYPE, most_bytes=_MOST_BYTES)
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


def _off(why: str) -> PartnerMisbehaved:
    return PartnerMisbehaved(
        Message("a statement that a key was changed does not verify: {why}", {"why": why}),
        hint=Message("nothing was changed; ask the partner's operator for its card by a way that you trust"),
    )
