"""The format of media, bytes <-> values."""

from __future__ import annotations

import hashlib
import hmac
from itertools import pairwise

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from kizuna.adapters.memory import MemoryKeys
from kizuna.errors import InputError
from kizuna.exchange.medium import (
    HEADER_BYTES,
    HEADER_NAME,
    SUITE,
    Contents,
    Part,
    Stream,
    contents_of,
    length_of_files,
    make_header,
    make_segments,
    open_sealed,
    receiver_key_of,
    seal_contents,
    sealed_key_of,
    segment_name,
    size_of_files,
)
from kizuna.model.digests import digest_of
from kizuna.model.instants import parse_instant
from kizuna.model.parties import parse_party

NOON = parse_instant("2025-07-01T12:00:00Z")
JPN, UKR = parse_party("JPN/IQPS"), parse_party("UKR/HUR")
KEY = hashlib.sha256(b"content").digest()


# ---- HPKE


def test_our_suite_opens_the_published_vector():
    """CFRG's test vectors for RFC 9180: mode 0, KEM 0x0020, KDF 0x0001, AEAD 0x0002, first encryption.

    The public interface takes no associated data, which the vectors have; the same code is reached below it.
    """
    secret = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d")
    )
    assert secret.public_key().public_bytes_raw().hex() == "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c"
    sealed = bytes.fromhex("6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256") + bytes.fromhex(
        "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"
    )
    info, aad = b"Ode on a Grecian Urn", b"Count-0"
    found = openssl.hpke._decrypt_with_aad(SUITE, sealed, secret, info, aad)
    assert found == b"Beauty is truth, truth beauty"
    with pytest.raises(InvalidTag):
        openssl.hpke._decrypt_with_aad(SUITE, sealed, secret, b"Ode on a Grecian Yurn", aad)


def labelled(*parts):
    return b"HPKE-v1" + b"".join(parts)


def hkdf_extract(salt, material):
    return hmac.digest(salt or bytes(32), material, "sha256")


def hkdf_expand(key, info, length):
    found, last, count = b"", b"", 1
    while len(found) < length:
        last = hmac.digest(key, last + info + bytes([count]), "sha256")
        found, count = found + last, count + 1
    return found[:length]


def open_by_hand(header, secret):
    """RFC 9180, sections 4.1, 5.1 and 5.2, written out with HMAC, X25519 and AES-GCM only."""
    info, sealed = header[:81], header[81:]
    enc, ciphertext = sealed[:32], sealed[32:]
    public = secret.public_key().public_bytes_raw()
    shared = secret.exchange(X25519PublicKey.from_public_bytes(enc))
    kem = b"KEM" + (0x20).to_bytes(2, "big")
    prk = hkdf_extract(b"", labelled(kem, b"eae_prk", shared))
    secret_bytes = hkdf_expand(prk, (32).to_bytes(2, "big") + labelled(kem, b"shared_secret", enc + public), 32)
    suite = b"HPKE" + (0x20).to_bytes(2, "big") + (1).to_bytes(2, "big") + (2).to_bytes(2, "big")
    context = (
        b"\0" + hkdf_extract(b"", labelled(suite, b"psk_id_hash", b"")) + hkdf_extract(b"", labelled(suite, b"info_hash", info))
    )
    prk = hkdf_extract(secret_bytes, labelled(suite, b"secret", b""))
    key = hkdf_expand(prk, (32).to_bytes(2, "big") + labelled(suite, b"key", context), 32)
    nonce = hkdf_expand(prk, (12).to_bytes(2, "big") + labelled(suite, b"base_nonce", context), 12)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def test_a_header_is_what_the_document_says():
    secret = X25519PrivateKey.generate()
    public = secret.public_key().public_bytes_raw()
    header = make_header(KEY, public)
    assert len(header) == HEADER_BYTES == 161
    assert header[:81] == b"kizuna-medium/1 " + hashlib.sha256(public).hexdigest().encode() + b"\n"
    assert open_by_hand(header, secret) == KEY
    assert receiver_key_of(header) == hashlib.sha256(public).hexdigest()
    sealed, info = sealed_key_of(header)
    assert open_sealed(sealed, [secret], info) == KEY


def test_two_headers_for_one_receiver_share_nothing_but_their_line():
    public = X25519PrivateKey.generate().public_key().public_bytes_raw()
    one, other = make_header(KEY, public), make_header(KEY, public)
    assert one[:81] == other[:81]
    assert one[81:113] != other[81:113]
    assert one[113:] != other[113:]


@pytest.mark.parametrize("at", [0, 14, 16, 79, 80, 81, 100, 113, 160])
def test_a_header_that_was_changed_opens_nothing(at):
    secret = X25519PrivateKey.generate()
    header = bytearray(make_header(KEY, secret.public_key().public_bytes_raw()))
    header[at] ^= 1

    def opened(header):
        receiver_key_of(header)
        sealed, info = sealed_key_of(header)
        return open_sealed(sealed, [secret], info)

    with pytest.raises(InputError) as caught:
        opened(bytes(header))
    assert caught.value.field == HEADER_NAME


def test_a_node_without_the_key_is_told_what_to_do():
    with pytest.raises(InputError) as caught:
        open_sealed(b"", [], b"")
    assert "kizuna exchange key" in caught.value.hint.render()


def test_nothing_is_sealed_to_a_key_that_is_none():
    with pytest.raises(InputError) as caught:
        make_header(KEY, bytes(32))
    assert caught.value.field == "sealing_key"


# ---- segments


def pieces_of(data, cuts):
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def stream(segments, length, segment_bytes):
    named = {segment_name(index): segment for index, segment in enumerate(segments)}
    return Stream(KEY, b"header", length, named.__getitem__, segment_bytes)


@given(st.binary(min_size=1, max_size=200), st.lists(st.integers(0, 200)), st.integers(1, 64), st.data())
def test_what_was_cut_and_sealed_is_read_from_anywhere(data, cuts, segment_bytes, draw):
    segments = list(make_segments(KEY, b"header", pieces_of(data, cuts), segment_bytes))
    sizes = {HEADER_NAME: HEADER_BYTES} | {segment_name(i): len(s) for i, s in enumerate(segments)}
    assert length_of_files(sizes, segment_bytes) == len(data)
    assert size_of_files(len(data), segment_bytes) == (len(sizes), sum(sizes.values()))
    found = stream(segments, len(data), segment_bytes)
    for _ in range(3):
        begin = draw.draw(st.integers(0, len(data)))
        end = draw.draw(st.integers(begin, len(data)))
        assert found.read(begin, end - begin) == data[begin:end]
    with pytest.raises(InputError):
        found.read(0, len(data) + 1)


def test_a_segment_is_what_the_document_says():
    first, last = make_segments(KEY, b"header", [b"abcdef"], 4)
    assert AESGCM(KEY).decrypt(bytes(11) + b"\0", first, b"header") == b"abcd"
    assert AESGCM(KEY).decrypt(bytes(10) + b"\1\1", last, b"header") == b"ef"


def test_a_stream_that_ends_at_a_boundary_ends_with_a_whole_segment():
    assert [len(s) - 16 for s in make_segments(KEY, b"h", [bytes(8)], 4)] == [4, 4]


def test_a_medium_without_its_end_is_noticed():
    segments = list(make_segments(KEY, b"header", [bytes(12)], 4))
    with pytest.raises(InputError) as caught:
        stream(segments[:2], 8, 4).read(0, 8)
    assert caught.value.field == segment_name(1)


def test_segments_that_changed_places_are_noticed():
    one, two, three = make_segments(KEY, b"header", [bytes(12)], 4)
    for swapped, fault in (([two, one, three], 0), ([one, one, three], 1), ([one, three, two], 1)):
        with pytest.raises(InputError) as caught:
            stream(swapped, 12, 4).read(0, 12)
        assert caught.value.field == segment_name(fault)


SIZES = {HEADER_NAME: HEADER_BYTES, segment_name(0): 20, segment_name(1): 20, segment_name(2): 17}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({HEADER_NAME: None}, HEADER_NAME),
        ({HEADER_NAME: HEADER_BYTES + 1}, HEADER_NAME),
        ({HEADER_NAME: 0}, HEADER_NAME),
        ({segment_name(0): None}, segment_name(2)),
        ({segment_name(2): 16}, segment_name(2)),
        ({segment_name(2): 21}, segment_name(2)),
        ({segment_name(1): 19}, segment_name(1)),
        ({segment_name(1): 2**60}, segment_name(1)),
        ({"autorun.inf": 1}, "autorun.inf"),
        ({segment_name(5): 20}, segment_name(5)),
        ({"../../etc/passwd": 20}, "../../etc/passwd"),
        ({"00000000.KZM": 20}, "00000000.KZM"),
        ({segment_name(0): None, segment_name(1): None, segment_name(2): None}, segment_name(0)),
    ],
)
def test_a_folder_that_is_no_medium_is_refused_by_the_name_of_the_file(changed, named):
    sizes = {name: size for name, size in (SIZES | changed).items() if size is not None}
    with pytest.raises(InputError) as caught:
        length_of_files(sizes, 4)
    assert caught.value.field == named
    assert named in str(caught.value)


def test_the_folder_of_a_medium_is_accepted():
    assert length_of_files(SIZES, 4) == 9


# ---- contents

KEYS = MemoryKeys(JPN, NOON, b"jpn")
ENTRY, RECEIPT, FILE = (Part(digest_of(word), len(word)) for word in (b"entry", b"receipt", b"file"))


def contents(**changed):
    made = {
        "sender": JPN,
        "receiver": UKR,
        "id": "a" * 26,
        "after": 3,
        "entries": (ENTRY,),
        "receipts": (RECEIPT,),
        "files": (FILE,),
        "taken": (ENTRY.digest,),
        "made_at": NOON,
    }
    return Contents(**(made | changed))


def test_contents_come_back_as_they_were():
    head = seal_contents(contents(), KEYS)
    data = head + b"entryreceiptfile"
    found = stream(make_segments(KEY, b"header", [data], 7), len(data), 7)
    envelope = found.contents_envelope()
    read = contents_of(envelope, KEYS.public_key, len(data))
    assert read == contents()
    assert read.last == 4
    places = found.places(envelope, read)
    assert [found.part(i, part, places[i]) for i, part in enumerate(read.parts)] == [b"entry", b"receipt", b"file"]
    with pytest.raises(InputError):
        found.part(0, Part(RECEIPT.digest, 5), places[0])


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "../../../etc"},
        {"id": "A" * 26},
        {"entries": (ENTRY, ENTRY)},
        {"entries": (Part(ENTRY.digest, 2**40),)},
        {"files": (Part(FILE.digest, 2**53 - 1),)},
        {"files": (Part(FILE.digest, 5),)},
        {"files": tuple(Part(digest_of(b"%d" % n), 0) for n in range(20_000))},
    ],
    ids=["path", "case", "twice", "huge entry", "huge file", "other length", "too many"],
)
def test_contents_that_lie_are_refused(changed):
    envelope = seal_contents(contents(**changed), KEYS)[8:]
    with pytest.raises(InputError) as caught:
        contents_of(envelope, KEYS.public_key, 8 + len(envelope) + 16)
    assert caught.value.field == segment_name(0)


def test_contents_of_another_signer_are_refused():
    envelope = seal_contents(contents(), MemoryKeys(JPN, NOON, b"other"))[8:]
    with pytest.raises(InputError):
        contents_of(envelope, KEYS.public_key, 8 + len(envelope) + 16)


@pytest.mark.parametrize("data", [b"\0", b"\xff" * 8, bytes(8) + b"x", (10).to_bytes(8, "big") + b"short", bytes(9)])
def test_a_stream_that_does_not_begin_with_contents_is_refused(data):
    with pytest.raises(InputError) as caught:
        stream(make_segments(KEY, b"header", [data], 7), len(data), 7).contents_envelope()
    assert caught.value.field == segment_name(0)
