"""Keys port."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kizuna.errors import InputError
from kizuna.exchange.medium import make_header, sealed_key_of
from kizuna.node.ports import Keys

type Maker = Callable[[str], Keys]


def test_signs_what_its_public_key_verifies(make_keys: Maker) -> None:
    keys = make_keys("a")
    signature = keys.sign(b"message")
    assert len(signature) == 64
    public = Ed25519PublicKey.from_public_bytes(keys.public_key)
    public.verify(signature, b"message")
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"massage")


def test_key_id_is_the_hash_of_the_public_key(make_keys: Maker) -> None:
    keys = make_keys("a")
    assert keys.key_id == hashlib.sha256(keys.public_key).hexdigest()


def test_two_nodes_have_nothing_in_common(make_keys: Maker) -> None:
    one, two = make_keys("a"), make_keys("b")
    assert one.key_id != two.key_id
    assert one.certificate_der != two.certificate_der
    assert one.random(32) != two.random(32)


def test_random_bytes_do_not_repeat(make_keys: Maker) -> None:
    keys = make_keys("a")
    drawn = {keys.random(16) for _ in range(100)}
    assert len(drawn) == 100
    assert {len(one) for one in drawn} == {16}


def test_certificate_is_stable_and_names_the_party(make_keys: Maker) -> None:
    keys = make_keys("a")
    assert keys.certificate_der == keys.certificate_der
    assert x509.load_der_x509_certificate(keys.certificate_der).subject.rfc4514_string() == "CN=kizuna JPN"


def test_opens_what_was_sealed_to_its_public_key_and_nothing_else(make_keys: Maker) -> None:
    keys, other = make_keys("a"), make_keys("b")
    assert keys.sealing_key is not None
    assert keys.sealing_key != other.sealing_key
    header = make_header(bytes(range(32)), keys.sealing_key)
    sealed, info = sealed_key_of(header)
    assert keys.open_sealed(sealed, info) == bytes(range(32))
    for reader, what in ((other, info), (keys, b"other info")):
        with pytest.raises(InputError):
            reader.open_sealed(sealed, what)
