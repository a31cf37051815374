"""What a node hands out of its log: entries for people, proofs and exports for partners."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from simulators.nodes import HUR, IQPS

from kizuna.errors import InputError, LogDamaged
from kizuna.exchange.log_file import verify_export, verify_proof
from kizuna.model.digests import digest_of
from kizuna.model.instants import parse_instant
from kizuna.model.provenance import Fact, FactKind
from kizuna.node.audit_files import export_log, find_entry, log_key, prove_entry, received_as
from kizuna.node.audit_log import log_page, sentence
from kizuna.node.founding import resume_agreement, suspend_agreement, withdraw_agreement
from kizuna.node.originators import record_consent, withdraw_consent


@pytest.fixture
def shared(world):
    world.agree(IQPS)
    for number in (1, 2):
        world.take_in(IQPS, number)
    world.pull(HUR, IQPS)
    return world


def key_of(node):
    return log_key(node.organisation, node.keys.public_key)


# ---- the log for people


def test_the_log_is_told_in_order_and_whole(shared):
    node = shared.node(IQPS)
    suspend_agreement(node, "SHARE", "Review.\nTwo lines.", "order 1")
    shared.tick()
    shared.desk(IQPS).feed(HUR, 0, 10)
    resume_agreement(node, "SHARE", "order 2")
    shared.tick()
    withdraw_agreement(node, "SHARE", "x" * 5000, "order 3")
    page = log_page(node)
    assert [index for index, _fact in page.facts] == list(range(node.store.log.size())) == list(range(page.size))
    assert page.left_out == 0
    told = [sentence(fact).render() for _index, fact in page.facts]
    # Nothing is missing from a sentence, and nothing is cut off.
    assert not any("?" in text for text in told)
    assert any(text.endswith("x" * 5000) for text in told)
    kinds = {fact.kind for _index, fact in page.facts}
    assert {FactKind.AGREEMENT_SUSPENDED, FactKind.REFUSAL_SERVED, FactKind.AGREEMENT_RESUMED} <= kinds
    assert "product aaaaaaaaaaaaaaaaaaaaaaaaae was released to UKR/HUR as entry 1 of its feed" in told
    received = [sentence(fact).render() for _index, fact in log_page(shared.node(HUR)).facts]
    assert any("was received as entry 2 of the feed of JPN/IQPS" in text for text in received)


def test_what_the_limit_leaves_out_is_counted(shared):
    node = shared.node(IQPS)
    whole = log_page(node)
    since = whole.facts[4][1].recorded_at
    from_there = [entry for entry in whole.facts if entry[1].recorded_at >= since]
    page = log_page(node, since, 3)
    assert list(page.facts) == from_there[:3]
    assert (page.left_out, page.size) == (len(from_there) - 3, whole.size)
    assert log_page(node, parse_instant("2100-01-01")).facts == ()


@pytest.mark.parametrize("kind", FactKind)
def test_each_kind_has_a_sentence_that_survives_an_unexpected_body(kind):
    fact = Fact(kind, parse_instant("2025-07-01"), "JPN", "order", {"surprise": [1]})
    assert sentence(fact).render()


def test_the_end_of_a_consent_is_told(shared):
    product = shared.take_in(IQPS, 3)
    begin, end = parse_instant("2025-07-01T12:00:00Z"), parse_instant("2025-07-02")
    node = shared.node(IQPS)
    record_consent(node, product, HUR, "letter", begin=begin)
    shared.tick()
    record_consent(node, product, HUR, "letter", begin=begin, end=end)
    shared.tick()
    withdraw_consent(node, product, HUR, "letter", at=begin)
    told = [sentence(fact).render() for _index, fact in log_page(node).facts if fact.kind is FactKind.CONSENT_GIVEN]
    start = f"JPN/IQPS agreed that product {product.id} goes on to UKR/HUR from 2025-07-01T12:00:00Z "
    void = f"JPN/IQPS took back its consent that product {product.id} goes on to UKR/HUR: it never held"
    assert told == [start + "on", start + "until 2025-07-02T00:00:00Z", void]


def test_the_log_is_not_told_past_a_changed_entry(shared):
    node = shared.node(IQPS)
    log = node.store._shared._durable.log
    log[3] = replace(log[3], envelope=log[4].envelope[:-1])
    with pytest.raises(LogDamaged, match="entry 3"):
        log_page(node)


# ---- proofs


def test_every_entry_is_proved_with_its_content(any_world):
    any_world.agree(IQPS)
    any_world.take_in(IQPS, 1)
    node = any_world.node(IQPS)
    for index, fact in log_page(node).facts:
        found = verify_proof(prove_entry(node, index), key=key_of(node))
        assert (found.index, found.fact["kind"], found.fact["body"]) == (index, fact.kind.value, fact.body)
        assert found.checkpoint.size == node.store.log.size()
    with pytest.raises(InputError) as caught:
        prove_entry(node, node.store.log.size())
    assert caught.value.field == "entry"


def test_a_partner_s_release_is_found_by_what_the_partner_holds(shared):
    node = shared.node(IQPS)
    (first, second) = node.store.book.outgoing(HUR, 0, 10)
    index = find_entry(node, digest_of(first.envelope))
    found = verify_proof(prove_entry(node, index), key=key_of(node))
    assert (found.fact["kind"], found.fact["body"]["sequence"]) == ("release.sequenced", 1)
    # It holds the digest of the very entry that came over the feed.
    held = [fact.body["entry"] for _i, fact in log_page(shared.node(HUR)).facts if fact.kind is FactKind.PRODUCT_RECEIVED]
    assert found.fact["body"]["entry"] in held
    # The receiver finds it in its own log, and nothing for what is no release to it.
    came = received_as(shared.node(HUR), found.fact)
    assert came is not None
    assert log_page(shared.node(HUR)).facts[came][1].body["sequence"] == 1
    for other in ({**found.fact, "kind": "decision.made"}, {**found.fact, "body": {"entry": "sha256:0"}}, {"kind": "x"}):
        assert received_as(shared.node(HUR), other) is None
    assert received_as(node, found.fact) is None
    assert find_entry(node, "UKR/HUR:2") == find_entry(node, "UKR:2") == find_entry(node, digest_of(second.envelope)) > index
    assert find_entry(node, str(index)) == index
    entry = next(node.store.log.entries(5))
    assert find_entry(node, digest_of(entry.envelope)) == 5


@pytest.mark.parametrize("name", ["99", "-1", "sha256:" + "0" * 64, "UKR:3", "UKR/HUR:x", "nothing", ""])
def test_what_is_not_in_the_log_is_said_to_be_absent(shared, name):
    with pytest.raises(InputError) as caught:
        find_entry(shared.node(IQPS), name)
    assert caught.value.field == "entry"


def test_a_proof_tells_nothing_of_other_entries(shared):
    """All that it holds beside its own entry are 32-byte hashes, over leaves that are salted each with its own salt."""
    node = shared.node(IQPS)
    entries = list(node.store.log.entries())
    assert len({entry.salt for entry in entries}) == len(entries)
    proof = prove_entry(node, 4)
    extra = base64.b64decode(proof.split(b"\n")[1].removeprefix(b"extra "))
    assert extra == entries[4].salt + entries[4].envelope
    for entry in entries:
        if entry.index != 4:
            assert entry.salt not in extra
            assert base64.b64encode(entry.salt)[:40] not in proof
            assert base64.b64encode(entry.envelope)[:40] not in proof
    # The sibling leaf is in the path; whoever guesses its content right cannot see it without the salt.
    from kizuna.exchange.merkle import leaf_data, leaf_hash

    sibling = entries[5]
    assert base64.b64encode(leaf_hash(leaf_data(sibling.salt, sibling.envelope))) in proof
    assert base64.b64encode(leaf_hash(leaf_data(bytes(32), sibling.envelope))) not in proof


# ---- exports


@pytest.mark.parametrize("private", [False, True])
def test_every_stretch_of_the_log_verifies(shared, private):
    node = shared.node(IQPS)
    size = node.store.log.size()
    for first in range(size):
        for last in range(first, size):
            found = verify_export(export_log(node, first, last, private=private), key=key_of(node))
            assert (found.begin, found.end, found.disclosed) == (first, last + 1, 0 if private else last + 1 - first)
    assert verify_export(export_log(node), key=key_of(node)).root == node.journal.verify().root


def test_a_private_export_holds_hashes_only(shared):
    node = shared.node(IQPS)
    lines = [json.loads(line) for line in export_log(node, private=True)]
    for line in lines[1:-1]:
        assert set(line) == {"index", "leaf", "root"}
    text = b"".join(export_log(node, private=True))
    for entry in node.store.log.entries():
        assert base64.b64encode(entry.salt) not in text
        assert entry.envelope[20:80] not in text


@pytest.mark.parametrize(("first", "last"), [(0, 99), (99, None), (5, 4), (99, 99)])
def test_no_export_of_entries_that_are_not_there(shared, first, last):
    with pytest.raises(InputError) as caught:
        list(export_log(shared.node(IQPS), first, last))
    assert caught.value.field == "from"


@pytest.mark.parametrize("part", ["salt", "envelope"])
def test_nothing_is_handed_out_of_a_log_that_was_changed(shared, part):
    node = shared.node(IQPS)
    log = node.store._shared._durable.log
    log[3] = replace(log[3], **{part: getattr(log[4], part)})
    for act in (lambda: prove_entry(node, 1), lambda: list(export_log(node)), lambda: list(export_log(node, private=True))):
        with pytest.raises(LogDamaged, match="do not make up the root"):
            act()
