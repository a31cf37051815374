"""Envelopes: what was sealed comes back, and nothing else does."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from simulators.products import JPN, NOON

from kizuna.adapters.memory import MemoryKeys
from kizuna.errors import InputError, PartnerMisbehaved
from kizuna.exchange.envelope import MOST_ENVELOPE_BYTES, MOST_IN_BATCH, key_id_of, payload_type_of, seal, seal_all, unseal
from kizuna.model.canonical import Json, canonical

KEYS = MemoryKeys(JPN, NOON, seed=b"a")
TYPE = "application/vnd.kizuna.test+json"
PAYLOAD: Json = {"name": "絆", "number": 1.5, "list": [None, True, {}]}

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=10,
)


@given(VALUES)
def test_unseals_what_was_sealed(payload: Json) -> None:
    assert unseal(seal(TYPE, payload, KEYS), KEYS.public_key, TYPE) == payload


def test_signs_the_pre_authentication_encoding_of_dsse() -> None:
    """DSSE 1.0, protocol: ``"DSSEv1" SP LEN(type) SP type SP LEN(body) SP body``, checked without kizuna's code."""
    envelope = json.loads(seal(TYPE, PAYLOAD, KEYS))
    body = base64.b64decode(envelope["payload"])
    encoded = f"DSSEv1 {len(TYPE)} {TYPE} {len(body)} ".encode() + body
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    Ed25519PublicKey.from_public_bytes(KEYS.public_key).verify(signature, encoded)
    assert set(envelope) == {"payload", "payloadType", "signatures"}


def _changed(**members: Json) -> bytes:
    return canonical(json.loads(seal(TYPE, PAYLOAD, KEYS)) | members)


@given(st.data())
def test_refuses_every_changed_byte(data: st.DataObject) -> None:
    envelope = bytearray(seal(TYPE, PAYLOAD, KEYS))
    place = data.draw(st.integers(0, len(envelope) - 1))
    envelope[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PartnerMisbehaved):
        unseal(bytes(envelope), KEYS.public_key, TYPE)


@given(st.binary(max_size=200))
def test_refuses_noise(noise: bytes) -> None:
    with pytest.raises(PartnerMisbehaved):
        unseal(noise, KEYS.public_key, TYPE)


def _rightly_signed(payload: bytes, payload_type: str = TYPE) -> bytes:
    encoded = b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type.encode(), len(payload), payload)
    return canonical(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": payload_type,
            "signatures": [{"keyid": KEYS.key_id, "sig": base64.b64encode(KEYS.sign(encoded)).decode()}],
        }
    )


@pytest.mark.parametrize(
    "payload",
    [b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1,"a":2}', b"1.0", b"NaN", b"", b"[" * 5000 + b"]" * 5000, '"a"'.encode("utf-16")],
)
def test_refuses_rightly_signed_payloads_that_can_be_read_in_two_ways(payload: bytes) -> None:
    with pytest.raises(PartnerMisbehaved, match="payload"):
        unseal(_rightly_signed(payload), KEYS.public_key, TYPE)


def test_refuses_another_type_although_rightly_signed() -> None:
    with pytest.raises(PartnerMisbehaved, match="other"):
        unseal(_rightly_signed(b"{}", "other"), KEYS.public_key, TYPE)


def test_refuses_another_key() -> None:
    other = MemoryKeys(JPN, NOON, seed=b"b")
    with pytest.raises(PartnerMisbehaved, match="signed with the key"):
        unseal(seal(TYPE, PAYLOAD, other), KEYS.public_key, TYPE)

    class Liar:
        key_id = KEYS.key_id
        sign = staticmethod(other.sign)

    with pytest.raises(PartnerMisbehaved, match="its signature is wrong"):
        unseal(seal(TYPE, PAYLOAD, Liar()), KEYS.public_key, TYPE)


@pytest.mark.parametrize(
    "members",
    [
        {"more": 1},
        {"signatures": []},
        {"signatures": [{"keyid": "a", "sig": "AAAA"}, {"keyid": "a", "sig": "AAAA"}]},
        {"signatures": [{"sig": "AAAA"}]},
        {"signatures": [{"keyid": KEYS.key_id, "sig": "AAA"}]},
        {"signatures": [{"keyid": KEYS.key_id, "sig": None}]},
        {"payload": 1},
        {"payload": "e30"},
        {"payload": "e31="},
        {"payload": "e30=\n"},
        {"payloadType": None},
    ],
)
def test_refuses_other_forms(members: dict[str, Json]) -> None:
    with pytest.raises(PartnerMisbehaved):
        unseal(_changed(**members), KEYS.public_key, TYPE)


def test_refuses_an_envelope_that_is_not_canonical() -> None:
    envelope = seal(TYPE, PAYLOAD, KEYS)
    with pytest.raises(PartnerMisbehaved, match="not in canonical form"):
        unseal(envelope + b"\n", KEYS.public_key, TYPE)


def test_size_is_limited_both_ways() -> None:
    with pytest.raises(InputError, match="at most"):
        seal(TYPE, "a" * MOST_ENVELOPE_BYTES, KEYS)
    envelope = seal(TYPE, PAYLOAD, KEYS)
    assert unseal(envelope, KEYS.public_key, TYPE, most_bytes=len(envelope)) == PAYLOAD
    with pytest.raises(PartnerMisbehaved, match="bytes"):
        unseal(envelope, KEYS.public_key, TYPE, most_bytes=len(envelope) - 1)


def test_claimed_type_and_key_id() -> None:
    assert payload_type_of(seal(TYPE, PAYLOAD, KEYS)) == TYPE
    assert payload_type_of(b"{}") is None
    assert payload_type_of(b"[]") is None
    assert payload_type_of(b"\xff") is None
    assert key_id_of(KEYS.public_key) == KEYS.key_id


# ---- batches


class Counting:
    """Signer that keeps what it signed."""

    key_id = KEYS.key_id

    def __init__(self) -> None:
        self.signed: list[bytes] = []

    def sign(self, message: bytes) -> bytes:
        self.signed.append(message)
        return KEYS.sign(message)


def _salts(count: int) -> list[bytes]:
    return [hashlib.sha256(b"salt %d" % number).digest() for number in range(count)]


def _batch(count: int, signer: Counting | None = None) -> list[tuple[bytes, bytes]]:
    """Envelopes and their salts."""
    salts = _salts(count)
    payloads = [canonical({"number": number, "name": "絆"}) for number in range(count)]
    return list(zip(seal_all(TYPE, payloads, salts, signer or Counting()), salts, strict=True))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 64, 65, 130])
def test_each_of_a_batch_is_unsealed_alone_and_few_signatures_are_made(count: int) -> None:
    signer = Counting()
    batch = _batch(count, signer)
    assert len(signer.signed) == -(-count // MOST_IN_BATCH)
    for number, (envelope, salt) in enumerate(batch):
        assert unseal(envelope, KEYS.public_key, TYPE, salt=salt) == {"number": number, "name": "絆"}
        assert canonical(json.loads(envelope)) == envelope


def test_what_is_sealed_alone_is_sealed_as_ever() -> None:
    ((envelope, _salt),) = _batch(1)
    assert envelope == seal(TYPE, {"number": 0, "name": "絆"}, KEYS)
    assert unseal(envelope, KEYS.public_key, TYPE) == unseal(envelope, KEYS.public_key, TYPE, salt=bytes(32))


def test_signs_the_root_over_the_salted_envelopes_of_a_batch() -> None:
    """As docs/audit.md has it, checked without kizuna's code: three leaves, ((0, 1), 2)."""

    def sha256(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    signer = Counting()
    batch = _batch(3, signer)
    leaves = []
    for envelope, salt in batch:
        body = base64.b64decode(json.loads(envelope)["payload"])
        encoded = f"DSSEv1 {len(TYPE)} {TYPE} {len(body)} ".encode() + body
        leaves.append(sha256(b"\0" + sha256(salt + encoded)))
    left = sha256(b"\1" + leaves[0] + leaves[1])
    root = sha256(b"\1" + left + leaves[2])
    assert signer.signed == [b"kizuna batch 1\n3\n" + base64.b64encode(root) + b"\n"]
    found = [json.loads(envelope)["signatures"][0]["batch"] for envelope, _salt in batch]
    paths = [leaves[1] + leaves[2], leaves[0] + leaves[2], left]
    assert found == [{"index": n, "path": base64.b64encode(path).decode(), "size": 3} for n, path in enumerate(paths)]


@given(st.data())
def test_refuses_every_changed_byte_of_one_of_a_batch(data: st.DataObject) -> None:
    (envelope, salt) = _batch(5)[data.draw(st.integers(0, 4))]
    place, change = data.draw(st.integers(0, len(envelope) + len(salt) - 1)), data.draw(st.integers(1, 255))
    both = bytearray(envelope + salt)
    both[place] ^= change
    with pytest.raises(PartnerMisbehaved):
        unseal(bytes(both[: len(envelope)]), KEYS.public_key, TYPE, salt=bytes(both[len(envelope) :]))


def test_one_of_a_batch_is_refused_where_envelopes_stand_alone() -> None:
    (envelope, salt), (_other, other_salt) = _batch(2)
    with pytest.raises(PartnerMisbehaved, match="batch"):
        unseal(envelope, KEYS.public_key, TYPE)
    for wrong in (other_salt, b"", salt[:-1], salt + b"x"):
        with pytest.raises(PartnerMisbehaved, match=r"salt|signature"):
            unseal(envelope, KEYS.public_key, TYPE, salt=wrong)
    with pytest.raises(PartnerMisbehaved, match="expected"):
        unseal(envelope, MemoryKeys(JPN, NOON, seed=b"b").public_key, TYPE, salt=salt)


@pytest.mark.parametrize(
    "batch",
    [
        None,
        [],
        {},
        {"index": 1},
        {"index": 0},
        {"index": 3},
        {"index": -1},
        {"index": True},
        {"size": 4},
        {"size": 2},
        {"size": 0},
        {"path": ""},
        {"path": None},
        {"path": "AAAA"},
        {"path": base64.b64encode(bytes(32 * 3)).decode()},
        {"more": 1},
    ],
)
def test_refuses_other_places_in_a_batch(batch: Json) -> None:
    envelope, salt = _batch(3)[2]
    form = json.loads(envelope)
    place = form["signatures"][0]["batch"]
    form["signatures"][0]["batch"] = place | batch if isinstance(batch, dict) and batch else batch
    with pytest.raises(PartnerMisbehaved):
        unseal(canonical(form), KEYS.public_key, TYPE, salt=salt)


def test_a_signature_over_a_batch_is_none_over_an_envelope_and_the_reverse() -> None:
    (batched, salt), _other = _batch(2)
    form, alone = json.loads(batched), json.loads(seal(TYPE, {"number": 0, "name": "絆"}, KEYS))
    assert form["payload"] == alone["payload"]
    place = form["signatures"][0].pop("batch")
    alone["signatures"][0]["batch"] = place
    for crossed in (form, alone):
        with pytest.raises(PartnerMisbehaved, match="signature is wrong"):
            unseal(canonical(crossed), KEYS.public_key, TYPE, salt=salt)
