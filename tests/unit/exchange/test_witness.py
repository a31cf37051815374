"""Cosignatures and witnessing: the forms of C2SP's texts, and every answer that a witness can give."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kizuna.errors import LogDamaged, PartnerMisbehaved
from kizuna.exchange.checkpoint import COSIGNATURE_TYPE, key_id, make_checkpoint, note_parts, verifier_key
from kizuna.exchange.cosignature import cosign, cosigned_at, with_cosignatures
from kizuna.exchange.merkle import EMPTY_ROOT, consistency_proof, extend, leaf_hash, root_of
from kizuna.exchange.witness import Continues, Fork, Request, Unrelated, judge, read_request, request_bytes
from kizuna.model.instants import parse_instant

LOG, KEY = "kizuna/JPN/IQPS", Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC = KEY.public_key().public_bytes_raw()
WITNESS, WITNESS_KEY = "kizuna/UKR/HUR", Ed25519PrivateKey.from_private_bytes(b"\1" * 32)
WITNESS_PUBLIC = WITNESS_KEY.public_key().public_bytes_raw()
NOW = parse_instant("2025-07-01T09:00:00.9Z")
LEAVES = [leaf_hash(b"%d" % number) for number in range(12)]

# The checkpoint that C2SP tlog-cosignature shows, with a cosignature of 1679315147 (the time in its text).
TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
SPECIFICATION = (
    f"{TEXT}\n\N{EM DASH} example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\N{EM DASH} witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)


def note_of(size, leaves=LEAVES, key=KEY, origin=LOG, root=None):
    root = root_of(extend((), 0, leaves[:size])) if root is None else root
    return make_checkpoint(origin, size, root, key.sign, origin, key.public_key().public_bytes_raw())


def line(note, at=NOW):
    return cosign(note, at, WITNESS, WITNESS_PUBLIC, WITNESS_KEY.sign)


def asked(old, size, leaves=LEAVES):
    return Request(old, consistency_proof(leaves[:size], old) if old else (), note_of(size, leaves))


def judged(request, seen=None):
    return judge(request, seen, origin=LOG, public_key=PUBLIC)


# ---- cosignatures


def test_signs_the_message_of_the_specification():
    signed = []

    def sign(message):
        signed.append(message)
        return bytes(64)

    at = parse_instant("2023-03-20T12:25:47Z")
    made = cosign(SPECIFICATION, at, "witness.example.com/w1", WITNESS_PUBLIC, sign)
    assert signed == [b"cosignature/v1\ntime 1679315147\n" + TEXT.encode()]
    # The same layout as the line that the specification shows: key id, eight bytes of time, 64 of signature.
    shown = note_parts(SPECIFICATION)[1][1]
    mine = note_parts(f"{TEXT}\n{made}")[1][0]
    assert (mine[0], mine[2][:8], len(mine[2])) == (shown[0], shown[2][:8], len(shown[2]))
    assert mine[1] == key_id("witness.example.com/w1", WITNESS_PUBLIC, COSIGNATURE_TYPE)


def test_key_id_and_verifier_key_have_the_type_of_cosignatures():
    assert key_id(WITNESS, WITNESS_PUBLIC, COSIGNATURE_TYPE) != key_id(WITNESS, WITNESS_PUBLIC)
    material = base64.b64decode(verifier_key(WITNESS, WITNESS_PUBLIC, COSIGNATURE_TYPE).rpartition("+")[2] + "==", validate=False)
    assert material[:1] == b"\x04"


def test_a_cosignature_is_read_with_its_time_in_whole_seconds():
    note = with_cosignatures(note_of(5), line(note_of(5)))
    assert cosigned_at(note, WITNESS, WITNESS_PUBLIC) == parse_instant("2025-07-01T09:00:00Z")
    later = with_cosignatures(note, line(note_of(5), parse_instant("2025-07-02")))
    assert cosigned_at(later, WITNESS, WITNESS_PUBLIC) == parse_instant("2025-07-02")
    assert cosigned_at(note_of(5), WITNESS, WITNESS_PUBLIC) is None
    assert cosigned_at(note, "kizuna/NZL", WITNESS_PUBLIC) is None
    assert cosigned_at(note, WITNESS, PUBLIC) is None


@pytest.mark.parametrize("at", [4, 11, 12, 75])
def test_a_changed_cosignature_is_damage_not_absence(at):
    name, encoded = line(note_of(5)).removeprefix("\N{EM DASH} ").split()
    data = bytearray(base64.b64decode(encoded))
    data[at] ^= 1
    bad = f"\N{EM DASH} {name} {base64.b64encode(data).decode()}\n"
    with pytest.raises(LogDamaged, match="cosignature of kizuna/UKR/HUR"):
        cosigned_at(with_cosignatures(note_of(5), bad), WITNESS, WITNESS_PUBLIC)


def test_a_cosignature_is_of_one_checkpoint_only():
    with pytest.raises(LogDamaged, match="is wrong"):
        cosigned_at(with_cosignatures(note_of(6), line(note_of(5))), WITNESS, WITNESS_PUBLIC)


def test_a_signature_of_the_checkpoint_is_no_cosignature():
    """The same key, another type: neither can be passed off as the other."""
    note = note_of(5, key=WITNESS_KEY, origin=WITNESS)
    assert cosigned_at(note, WITNESS, WITNESS_PUBLIC) is None


def test_lines_are_not_repeated_and_bring_nothing_but_signatures():
    once = with_cosignatures(note_of(5), line(note_of(5)))
    assert with_cosignatures(once, line(note_of(5))) == once
    for bad in ("text\n", "\n\nkizuna\n", "\N{EM DASH} a b c\n"):
        with pytest.raises(LogDamaged):
            with_cosignatures(note_of(5), bad)


# ---- requests


def test_reads_the_request_that_the_specification_shows():
    body = (
        "old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\njrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\n" + SPECIFICATION
    ).encode()
    request = read_request(body)
    assert (request.old_size, len(request.proof), request.note) == (20852014, 4, SPECIFICATION)
    assert request_bytes(request) == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 00\n\nx",
        b"old -1\n\nx",
        b"old 1\nAAAA\n\nx",
        b"old 1\r\n\r\nx",
        b"old 1\nx",
        b"old 1\n\n\xff",
        b"old 1\n" + b"A" * 42 + b"B=\n\nx",
        b"old 1\n" + (b"A" * 43 + b"=\n") * 64 + b"\nx",
        b"old 1\n\n" + b"x" * 70_000,
    ],
)
def test_refuses_a_request_of_another_form(body):
    with pytest.raises(PartnerMisbehaved):
        read_request(body)


# ---- judgements


@pytest.mark.parametrize("size", range(13))
def test_the_first_checkpoint_is_taken_without_a_proof(size):
    found = judged(asked(0, size))
    assert isinstance(found, Continues)
    assert found.checkpoint.size == size


@pytest.mark.parametrize("old", range(13))
def test_whatever_continues_what_was_seen_may_be_cosigned(old):
    for size in range(old, 13):
        assert isinstance(judged(asked(old, size), note_of(old)), Continues)


def test_a_proof_from_another_size_is_asked_for_again():
    assert judged(asked(3, 9), note_of(5)) == Unrelated(5)
    assert judged(asked(0, 9), note_of(5)) == Unrelated(5)
    assert judged(asked(3, 9)) == Unrelated(0)
    # An older checkpoint of the same log is no fork, and takes the witness nowhere.
    assert judged(asked(3, 4), note_of(5)) == Unrelated(5)


@pytest.mark.parametrize("old", range(1, 12))
def test_a_log_that_was_rewritten_is_a_fork_from_every_size_on(old):
    forked = [leaf_hash(b"fork"), *LEAVES[1:]]
    for size in range(old, 13):
        found = judged(asked(old, size, forked), note_of(old))
        assert isinstance(found, Fork)
        assert (found.seen, found.signed) == (note_of(old), note_of(size, forked))
        assert found.proven is (size == old)


def test_two_trees_of_one_size_are_a_fork_whatever_the_request_says_of_sizes():
    forked = [*LEAVES[:4], leaf_hash(b"fork")]
    found = judged(Request(0, (), note_of(5, forked)), note_of(5))
    assert isinstance(found, Fork)
    assert found.proven


def test_a_wrong_proof_is_no_consistency():
    request = asked(3, 9)
    for proof in ((), request.proof[:-1], (*request.proof, EMPTY_ROOT), tuple(reversed(request.proof))):
        found = judged(replace(request, proof=proof), note_of(3))
        assert isinstance(found, Fork)
        assert not found.proven


@pytest.mark.parametrize(
    ("request_", "seen"),
    [
        (Request(0, (), note_of(5, key=WITNESS_KEY)), None),
        (Request(0, (), note_of(5, origin="kizuna/NZL")), None),
        (Request(0, (), "nothing"), None),
        (Request(6, (), note_of(5)), note_of(6)),
        (Request(0, (), note_of(0, root=bytes(32))), None),
        (Request(0, (EMPTY_ROOT,), note_of(5)), None),
        (Request(0, (EMPTY_ROOT,), note_of(5)), note_of(0)),
    ],
)
def test_what_shows_nothing_of_the_log_is_refused_and_is_no_fork(request_, seen):
    with pytest.raises(PartnerMisbehaved):
        judged(request_, seen)
