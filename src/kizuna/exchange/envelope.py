"""Signed envelopes: DSSE (Dead Simple Signing Envelope 1.0) over canonical JSON, with one Ed25519 signature. No I/O.

One value has one envelope's bytes: payload and envelope must both be canonical, so an envelope can be hashed, stored and
compared as it came.

What is recorded together is signed together: one signature stands over the root of a Merkle tree of a batch, and each of its
envelopes bears it with its own path to that root. Each still verifies alone. Its leaf is salted, so that the hashes on the
others' paths tell nothing of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import lru_cache
from itertools import batched
from typing import TYPE_CHECKING, NoReturn, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kizuna.errors import InputError, Message, PartnerMisbehaved
from kizuna.exchange.merkle import HASH_SIZE, inclusion_proofs, leaf_data, leaf_hash, root_by_path
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.reading import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.canonical import CanonicalBytes, Json

__all__ = [
    "MOST_ENVELOPE_BYTES",
    "MOST_IN_BATCH",
    "Signer",
    "key_id_of",
    "payload_type_of",
    "peek",
    "seal",
    "seal_all",
    "signer_of",
    "unseal",
]

MOST_ENVELOPE_BYTES = 4 * 2**20
"""Longest envelope that is read."""
MOST_IN_BATCH = 64
"""Most envelopes under one signature: a path has six hashes at most, and a signature costs each of them next to nothing."""


class Signer(Protocol):
    """What of `kizuna.node.ports.Keys` sealing needs."""

    @property
    def key_id(self) -> str:
        """Id of the signing key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature of `message`."""
        ...


def key_id_of(public_key: bytes) -> str:
    """Id of a raw Ed25519 public key: its SHA-256 in hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()


def _pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: lengths before contents, so that nothing can slip from one into the other."""
    name = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def seal(payload_type: str, payload: Json, signer: Signer) -> bytes:
    """Envelope of `payload`, signed.

    Parameters
    ----------
    payload_type
        Media type that says how to read the payload; it is signed too.
    payload
        JSON value.
    signer
        The node's keys.

    Raises
    ------
    InputError
        If the payload has no canonical form, or its envelope would be longer than `MOST_ENVELOPE_BYTES`.
    """
    return _sealed_alone(payload_type, canonical(payload), signer)


def _sealed_alone(payload_type: str, body: bytes, signer: Signer) -> bytes:
    signature = base64.b64encode(signer.sign(_pae(payload_type, body)))
    return _envelope(canonical(payload_type), body, b'{"keyid":%b,"sig":"%b"}' % (canonical(signer.key_id), signature))


def seal_all(payload_type: str, payloads: Sequence[CanonicalBytes], salts: Sequence[bytes], signer: Signer) -> list[bytes]:
    """Envelopes of several payloads, signed in batches; as `seal`, where there is one only.

    Parameters
    ----------
    payload_type, signer
        As for `seal`.
    payloads
        Canonical bytes of JSON values.
    salts
        For each payload 32 random bytes, which must be known to `unseal` its envelope.

    Raises
    ------
    InputError
        As for `seal`.
    """
    if len(payloads) == 1:
        return [_sealed_alone(payload_type, payloads[0], signer)]
    sealed = []
    type_, key_id = canonical(payload_type), canonical(signer.key_id)
    for batch in batched(zip(payloads, salts, strict=True), MOST_IN_BATCH):
        size = len(batch)
        root, paths = inclusion_proofs([_batch_leaf(_pae(payload_type, body), salt) for body, salt in batch])
        signature = base64.b64encode(signer.sign(_batch_note(size, root)))
        for index, ((body, _salt), path) in enumerate(zip(batch, paths, strict=True)):
            place = b'{"index":%d,"path":"%b","size":%d}' % (index, base64.b64encode(b"".join(path)), size)
            sealed.append(_envelope(type_, body, b'{"batch":%b,"keyid":%b,"sig":"%b"}' % (place, key_id, signature)))
    return sealed


def _batch_leaf(encoded: bytes, salt: bytes) -> bytes:
    return leaf_hash(leaf_data(salt, encoded))


def _batch_note(size: int, root: bytes) -> bytes:
    """What is signed over a batch: it begins like nothing else that a node signs."""
    return b"kizuna batch 1\n%d\n%b\n" % (size, base64.b64encode(root))


def _envelope(payload_type: bytes, body: bytes, signature: bytes) -> bytes:
    # Canonical members in canonical order; base64 needs no escapes.
    envelope = b'{"payload":"%b","payloadType":%b,"signatures":[%b]}' % (base64.b64encode(body), payload_type, signature)
    if len(envelope) > MOST_ENVELOPE_BYTES:
        raise InputError(
            Message("envelope of {got} bytes, at most {most} can be sent", {"got": len(envelope), "most": MOST_ENVELOPE_BYTES}),
            hint=Message("split the product into smaller ones"),
        )
    return envelope


def _off(why: str) -> NoReturn:
    raise PartnerMisbehaved(
        Message("a signed envelope does not verify: {why}", {"why": why}),
        hint=Message("ask the partner's operator which key signs now; nothing of it was taken over"),
    )


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        _off("a member that must be base64 is none")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _off("it holds base64 that cannot be read")
    if base64.b64encode(data).decode() != text:
        _off("it holds base64 in another than its one canonical form")
    return data


def _canonical_json(data: bytes, what: str) -> Json:
    try:
        value = parse_json(data, field=what)
        same = canonical(value) == data
    except (InputError, RecursionError) as error:
        _off(f"{what} is no JSON that can be read in one way only ({str(error)[:200]})")
    if not same:
        _off(f"{what} is not in canonical form")
    return value


def payload_type_of(envelope: bytes) -> str | None:
    """Payload type that an envelope claims, before anything is verified; None for what is no envelope."""
    try:
        value = parse_json(envelope)
    except InputError:
        return None
    claimed = value.get("payloadType") if isinstance(value, dict) else None
    return claimed if isinstance(claimed, str) else None


def signer_of(envelope: bytes) -> str | None:
    """Id of the key that an envelope claims to be signed with, before anything is verified; None for what is no envelope."""
    try:
        value = parse_json(envelope)
    except InputError:
        return None
    signatures = value.get("signatures") if isinstance(value, dict) else None
    first = signatures[0] if isinstance(signatures, list) and signatures else None
    claimed = first.get("keyid") if isinstance(first, dict) else None
    return claimed if isinstance(claimed, str) else None


def peek(envelope: bytes) -> Json:
    """Payload of an envelope whose bytes are vouched for otherwise; its signature is not looked at.

    Raises
    ------
    PartnerMisbehaved
        If it is no envelope.
    """
    try:
        value = parse_json(envelope, field="envelope")
        if not isinstance(value, dict):
            _off("it is no table of fields")
        # In canonical form it was when it was vouched for.
        return parse_json(_decoded(value.get("payload")), field="payload")
    except (InputError, RecursionError) as error:
        _off(f"it is no JSON that can be read in one way only ({str(error)[:200]})")


def _is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


# Asked for each envelope of a batch, of which many are mostly read one after the other.
_is_batch_signed = lru_cache(maxsize=16)(_is_signed)


def _signed_over(batch: Table, encoded: bytes, salt: bytes) -> bytes:
    """What the signature of a batch is over, by the place that an envelope says it has there."""
    try:
        index, size, path = batch.integer("index"), batch.integer("size", least=1), _decoded(batch.raw("path"))
        batch.done()
    except InputError as error:
        _off(str(error))
    if len(salt) != HASH_SIZE:
        _off("its salt has another length")
    hashes = [path[begin : begin + HASH_SIZE] for begin in range(0, len(path), HASH_SIZE)]
    root = root_by_path(_batch_leaf(encoded, salt), index, size, hashes)
    if root is None:
        _off("it has no place in its batch")
    return _batch_note(size, root)


def unseal(
    envelope: bytes, public_key: bytes, payload_type: str, *, most_bytes: int = MOST_ENVELOPE_BYTES, salt: bytes | None = None
) -> Json:
    """Payload of an envelope that the holder of `public_key` signed.

    Parameters
    ----------
    envelope
        Bytes as they came.
    public_key
        Raw Ed25519 public key of the one who must have signed, 32 bytes.
    payload_type
        Type that the payload must have: a receipt cannot be passed off as a feed entry.
    most_bytes
        Longest envelope to read.
    salt
        Salt of the entry of a log, which alone may be one of a batch; None for all else.

    Raises
    ------
    PartnerMisbehaved
        If anything is off: length, form, type, key, signature.
    """
    if len(envelope) > most_bytes:
        _off(f"{len(envelope)} bytes, at most {most_bytes} are read")
    value = _canonical_json(envelope, "envelope")
    if not isinstance(value, dict):
        _off("it is no table of fields")
    try:
        table = Table(value)
        signatures = table.tables("signatures")
        found = table.text("payloadType")
        encoded = table.raw("payload")
        table.done()
        if len(signatures) != 1:
            table.fault("signatures", Message("exactly one signature"))
        (signature,) = signatures
        key_id, proof = signature.text("keyid"), signature.raw("sig")
        batch = signature.table("batch") if salt is not None and "batch" in signature else None
        signature.done()
    except InputError as error:
        _off(str(error))
    if found != payload_type:
        _off(f"it holds {found!r}, expected {payload_type!r}")
    if key_id != key_id_of(public_key):
        _off(f"it is signed with the key {key_id[:16]!r}, expected {key_id_of(public_key)[:16]!r}")
    payload = _decoded(encoded)
    message = _pae(found, payload)
    if batch is None or salt is None:
        signed = _is_signed(public_key, _decoded(proof), message)
    else:
        signed = _is_batch_signed(public_key, _decoded(proof), _signed_over(batch, message, salt))
    if not signed:
        _off("its signature is wrong")
    return _canonical_json(payload, "payload")
