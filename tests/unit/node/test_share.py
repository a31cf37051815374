"""What a partner gets, and what it can learn from what it does not get."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest
from simulators.nodes import HUR, IQPS, MARKINGS, NITF, NZL, START, agreement
from simulators.observations import FULL
from simulators.products import product_id

from kizuna.adapters.memory import MemoryBlobs, MemoryKeys, MemoryStore
from kizuna.catalog.store import Item
from kizuna.errors import InputError, StoreError
from kizuna.exchange.envelope import peek
from kizuna.exchange.feed import (
    FeedEntry,
    Receipt,
    Refusal,
    page_from_bytes,
    read_answer,
    seal_receipt,
)
from kizuna.exchange.messages import Closed, MessageEntry, unseal_any
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.digests import digest_of
from kizuna.model.label import Label
from kizuna.model.observation import after_stripping
from kizuna.model.product import AssetRole
from kizuna.model.provenance import FactKind
from kizuna.node.audit import verify_node
from kizuna.node.audit_log import sentence
from kizuna.node.forms import Form, as_told
from kizuna.node.founding import (
    found_node,
    node_card,
    pin_partner,
    record_agreement,
    resume_agreement,
    suspend_agreement,
)
from kizuna.node.health import HealthReader
from kizuna.node.journal import Journal
from kizuna.node.originators import correct_label
from kizuna.node.publish import record_published
from kizuna.node.recall import order_recall
from kizuna.node.reduce import reduce_product
from kizuna.node.state import Node
from kizuna.release.decision import Decision, Grounds, Obligation, ObligationKind, Outcome

EMPTY = b'{"after":0,"entries":[],"more":false,"schema":"kizuna/feed/1"}'
WITHHELD = Label("JPN", "UNCLASSIFIED", IQPS, START, ())


def entries(world, peer=HUR, after=0, limit=100):
    """Entries of a page that hand out products."""
    node = world.node(IQPS)
    page = page_from_bytes(world.desk(IQPS).feed(peer, after, limit).body)
    found = [unseal_any(envelope, node.keys.public_key) for envelope in page.entries]
    return [entry for entry in found if isinstance(entry, FeedEntry)]


def facts(node, kind):
    return [fact.body for _, fact in node.journal.facts() if fact.kind is kind]


def everything_said(world, product):
    """All bytes that HUR can get at: feed pages and every blob of the product that its desk hands out."""
    desk = world.desk(IQPS)
    said = [desk.feed(HUR, after, limit).body for after in range(3) for limit in (1, 100)]
    for asset in product.assets:
        part = desk.blob(HUR, asset.digest, 0, 10**6)
        said += [] if part is None else [part.data]
    return said


def readable(body):
    """Feed page with the payloads of its envelopes in the clear."""
    document = json.loads(body)
    return body + b"".join(base64.b64decode(entry["payload"]) for entry in document.get("entries", []))


# ---- what cannot be told apart


def test_a_partner_without_an_agreement_gets_the_same_bytes_whatever_is_published(any_world):
    world = any_world
    desk = world.desk(IQPS)
    before = [desk.feed(NZL, after, limit).body for after in (0, 1, 7) for limit in (1, 100)]
    assert before[0] == EMPTY
    world.agree(IQPS)
    for number in range(1, 4):
        world.take_in(IQPS, number, **({"label": WITHHELD} if number == 2 else {}))
        entries(world)
        assert [desk.feed(NZL, after, limit).body for after in (0, 1, 7) for limit in (1, 100)] == before
    suspend_agreement(world.node(IQPS), "SHARE", "x", "order")
    world.tick()
    assert [desk.feed(NZL, after, limit).body for after in (0, 1, 7) for limit in (1, 100)] == before


def test_a_partner_with_an_agreement_cannot_tell_that_something_was_withheld(any_world):
    world = any_world
    world.agree(IQPS)
    world.take_in(IQPS, 1, label=WITHHELD)
    assert world.desk(IQPS).feed(HUR, 0, 100).body == EMPTY
    for number in (2, 3, 4, 5):
        world.take_in(IQPS, number, **({"label": WITHHELD} if number == 4 else {}))
    found = entries(world)
    assert [entry.sequence for entry in found] == [1, 2, 3]
    assert [entry.product.id for entry in found] == [product_id(n) for n in (2, 3, 5)]
    page = page_from_bytes(world.desk(IQPS).feed(HUR, 3, 100).body)
    assert (page.entries, page.more) == ((), False)


def test_pages_go_on_where_the_last_one_ended(world):
    world.agree(IQPS)
    for number in range(1, 6):
        world.take_in(IQPS, number)
    got = []
    for _ in range(9):
        page = page_from_bytes(world.desk(IQPS).feed(HUR, len(got), 2).body)
        got += [unseal_any(envelope, world.node(IQPS).keys.public_key).sequence for envelope in page.entries]
        assert page.more is (len(got) < 5)
        if not page.more:
            break
    assert got == [1, 2, 3, 4, 5]


# ---- the form in which it goes


def test_the_complex_original_and_its_digest_never_reach_a_partner_under_detected_only(any_world):
    world = any_world
    world.agree(IQPS)
    before = digest_of(b"the original of the version before")
    product = world.take_in(IQPS, 1, supersedes=before, observation=FULL)
    original = product.asset(AssetRole.ORIGINAL)
    (entry,) = entries(world)
    assert not entry.product.complex_data
    assert entry.product.media_type != NITF
    assert entry.product.reductions == ("detected-only", "caveat")
    assert entry.product.observation == after_stripping(FULL)
    assert "own use" in entry.product.label.caveats
    for said in everything_said(world, product):
        clear = readable(said) if said.startswith(b'{"after"') else said
        for secret in (original.digest, before):
            assert secret.encode() not in clear
            assert secret.removeprefix("sha256:").encode() not in clear
            assert bytes.fromhex(secret.removeprefix("sha256:")) not in clear
        assert b"original" not in clear
        assert original.name.encode() not in clear
    assert world.desk(IQPS).blob(HUR, original.digest, 0, 1) is None
    assert {a.digest for a in entry.product.assets} == {a.digest for a in product.assets} - {original.digest}


def test_lineage_goes_as_far_as_the_partner_may_know_it(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    world.take_in(IQPS, 2, label=WITHHELD)
    # What is not here is known to nobody, and what is withheld not to this partner.
    world.take_in(IQPS, 3, lineage=(product_id(1),))
    assert [entry.product.lineage for entry in entries(world)] == [(), (product_id(1),)]
    node = world.node(IQPS)
    for parent in (product_id(1), product_id(2), product_id(9)):
        assert (as_told_to_hur(node, parent)) == ((product_id(1),) if parent == product_id(1) else ())


def as_told_to_hur(node, parent):
    """Lineage of a product that is derived from one other, as HUR is told it."""
    product = replace(node.store.items.get(product_id(1)).product, lineage=(parent,))
    return as_told(node, HUR, product, Form(product)).lineage


def test_a_parent_that_did_not_go_or_may_not_any_more_is_not_named(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    node = world.node(IQPS)
    # It may go, and has not gone.
    assert as_told_to_hur(node, product_id(1)) == ()
    entries(world)
    assert as_told_to_hur(node, product_id(1)) == (product_id(1),)
    suspend_agreement(node, "SHARE", "x", "order")
    world.tick()
    assert as_told_to_hur(node, product_id(1)) == ()
    resume_agreement(node, "SHARE", "order")
    world.tick()
    assert as_told_to_hur(node, product_id(1)) == (product_id(1),)
    order_recall(node, node.store.items.get(product_id(1)).product, "x", "order")
    assert as_told_to_hur(node, product_id(1)) == ()


def permit(*kinds):
    return Decision(Outcome.PERMIT, Grounds(()), obligations=tuple(Obligation(kind, "", "SHARE", "3") for kind in kinds))


def test_where_an_obligation_leaves_no_file_nothing_goes(world):
    product = world.hold(IQPS, 1)
    bare = replace(product, assets=product.assets[:1])
    assert reduce_product(world.node(IQPS), bare, permit(ObligationKind.DETECTED_ONLY)) is None
    assert reduce_product(world.node(IQPS), product, permit(ObligationKind.RESOLUTION)) is None
    assert reduce_product(world.node(IQPS), replace(product, assets=()), permit()) is None
    assert reduce_product(world.node(IQPS), bare, permit()).assets == bare.assets


def test_a_product_of_which_nothing_may_go_does_not_stop_those_behind_it(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1, assets=world.hold(IQPS, 1).assets[:1])
    world.take_in(IQPS, 2)
    assert [(e.sequence, e.product.id) for e in entries(world)] == [(1, product_id(2))]


# ---- suspension


def test_a_suspension_freezes_the_feed_and_a_resumption_loses_and_doubles_nothing(any_world):
    world = any_world
    world.agree(IQPS)
    node, desk = world.node(IQPS), world.desk(IQPS)
    world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    # Sequenced, and not pulled; waiting; published while it is suspended.
    world.take_in(IQPS, 2)
    entries(world, after=1)
    world.take_in(IQPS, 3)
    blob = node.store.book.outgoing(HUR, 1, 1)[0].blobs[0]
    assert desk.blob(HUR, blob, 0, 1) is not None
    suspend_agreement(node, "SHARE", "Review of the third-party rule.", "order 7")
    world.tick()
    world.take_in(IQPS, 4)
    answer = desk.feed(HUR, 0, 100)
    refusal = read_answer(answer.body, node.keys.public_key)
    assert answer.refused
    assert isinstance(refusal, Refusal)
    assert (refusal.sender, refusal.receiver, refusal.agreement) == (IQPS, HUR, "SHARE")
    assert "Review of the third-party rule." in refusal.reason
    assert desk.blob(HUR, blob, 0, 1) is None
    told = world.pull(HUR, IQPS).refusal
    assert told is not None
    assert told.reason == refusal.reason
    assert len(facts(node, FactKind.REFUSAL_SERVED)) == 1
    resume_agreement(node, "SHARE", "order 8")
    world.tick()
    report = world.pull(HUR, IQPS)
    assert [p.id for p in report.received] == [product_id(n) for n in (2, 3, 4)]
    assert world.pull(HUR, IQPS).received == []
    # Between them, in the order in which all was queued, the notices of the suspension and of the resumption.
    assert [e.sequence for e in entries(world)] == [1, 2, 3, 6]
    assert {item.product.id for item in world.node(HUR).store.items.all()} == {product_id(n) for n in (1, 2, 3, 4)}


def test_a_suspension_that_is_not_told_looks_like_nothing_new(world):
    world.agree(IQPS, tells_partner=False)
    world.take_in(IQPS, 1)
    world.take_in(IQPS, 2)
    entries(world, limit=1)
    blob = world.node(IQPS).store.book.outgoing(HUR, 0, 1)[0].blobs[0]
    suspend_agreement(world.node(IQPS), "SHARE", "secret reason", "order")
    world.tick()
    world.take_in(IQPS, 3)
    answer = world.desk(IQPS).feed(HUR, 0, 100)
    assert (answer.body, answer.refused) == (EMPTY, False)
    assert world.desk(IQPS).blob(HUR, blob, 0, 1) is None
    assert facts(world.node(IQPS), FactKind.REFUSAL_SERVED) == []


@pytest.mark.parametrize("tells", [True, False])
def test_what_ends_a_suspension_by_itself_lets_go_what_was_published_meanwhile(world, tells):
    held = {"from": "2025-06-01T00:00:00Z", "until": "2025-07-02T00:00:00Z", "reason": "x", "recorded": "2025-06-01"}
    world.agree(IQPS, suspensions=[held], tells_partner=tells)
    world.desk(IQPS).feed(HUR, 0, 100)
    world.take_in(IQPS, 1)
    assert world.desk(IQPS).feed(HUR, 0, 100).refused is tells
    world.tick(days=1)
    assert [e.product.id for e in entries(world)] == [product_id(1)]


def test_what_is_derived_from_something_that_is_not_here_goes_nowhere(world):
    world.agree(IQPS)
    world.take_in(IQPS, 2, lineage=(product_id(1),))
    world.take_in(IQPS, 3, lineage=(product_id(2),))
    assert entries(world) == []


def test_an_entry_does_not_go_once_its_product_has_other_files(world):
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    entries(world)
    node = world.node(IQPS)
    node.store.items.put(Item(replace(product, assets=(product.assets[0], *product.assets[2:]))))
    assert world.desk(IQPS).blob(HUR, product.assets[1].digest, 0, 1) is None
    (anew,) = entries(world)
    assert anew.sequence == 1
    assert product.assets[1].digest not in {a.digest for a in anew.product.assets}
    assert world.desk(IQPS).blob(HUR, product.assets[1].digest, 0, 1) is None


def test_what_was_published_before_an_agreement_goes_once_there_is_one_even_in_the_same_instant(world):
    world.take_in(IQPS, 1)
    assert world.desk(IQPS).feed(HUR, 0, 100).body == EMPTY
    record_agreement(world.node(IQPS), agreement(), NO_CIVIL_DATES, [])
    assert [e.product.id for e in entries(world)] == [product_id(1)]


def test_an_agreement_that_ends_stops_what_was_sequenced_and_its_files(world):
    world.agree(IQPS, in_force={"from": "2025-01-01T00:00:00Z", "until": "2025-07-02T00:00:00Z"})
    world.take_in(IQPS, 1)
    (entry,) = entries(world)
    world.tick(days=1)
    answer = world.desk(IQPS).feed(HUR, 0, 100)
    assert (answer.body, answer.refused) == (EMPTY, False)
    assert all(world.desk(IQPS).blob(HUR, a.digest, 0, 1) is None for a in entry.product.assets)


@pytest.mark.parametrize("more", [{"kind": "caveat", "value": "destroy after reading"}, {"kind": "no-onward"}])
def test_an_unconfirmed_entry_is_sealed_anew_under_the_obligations_that_hold_now(any_world, more):
    world = any_world
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    (entry,) = entries(world)
    blob = entry.product.assets[0].digest
    obligations = [{"kind": "detected-only"}, {"kind": "caveat", "value": "own use"}, more]
    world.agree(IQPS, version=2, article={"obligations": obligations})
    # Nothing of it goes as it was signed.
    assert world.desk(IQPS).blob(HUR, blob, 0, 1) is None
    (anew,) = entries(world)
    assert anew.sequence == entry.sequence
    assert [o["kind"] for o in anew.decision["obligations"]] == [o["kind"] for o in obligations]
    assert set(anew.product.label.caveats) >= {o["value"] for o in obligations if "value" in o}
    assert world.desk(IQPS).blob(HUR, blob, 0, 1) is not None
    assert world.node(IQPS).journal.verify().size


def said(world, after=0):
    """What a partner is handed from some number on: a product's id, or a message."""
    node = world.node(IQPS)
    page = page_from_bytes(world.desk(IQPS).feed(HUR, after, 100).body)
    found = [unseal_any(envelope, node.keys.public_key) for envelope in page.entries]
    return [entry.content if isinstance(entry, MessageEntry) else entry.product.id for entry in found]


def set_back(world):
    """Node of HUR as it was before it got anything."""
    node = Node(Journal(HUR, MemoryStore(), world.node(HUR).keys, world.clock), MemoryBlobs(), lambda: "here", "officer")
    found_node(node, MARKINGS, ())
    pin_partner(node, node_card(world.node(IQPS), "https://127.0.0.1:1"))
    world.tick()
    return node


def test_what_a_restored_partner_asks_for_again_and_may_not_have_is_closed_and_what_follows_goes_on(any_world):
    """A node that was set back asks once more for what it confirmed."""
    world = any_world
    world.agree(IQPS)
    for number in (1, 2, 3):
        world.take_in(IQPS, number)
    world.pull(HUR, IQPS)
    node = world.node(IQPS)
    correct_label(node, node.store.items.get(product_id(2)).product, replace(WITHHELD, created=world.clock.now()), "order")
    world.tick()
    blobs = node.store.book.outgoing(HUR, 1, 1)[0].blobs
    for _ in range(2):
        # Neither which product it was, nor why it is gone.
        assert said(world) == [product_id(1), Closed(), product_id(3)]
        envelope = page_from_bytes(world.desk(IQPS).feed(HUR, 1, 1).body).entries[0]
        assert peek(envelope).keys() == {"schema", "sequence", "sender", "receiver", "type", "made_at"}
    assert all(world.desk(IQPS).blob(HUR, blob, 0, 1) is None for blob in blobs)
    # A node that was set back to before it got anything goes on to the end.
    world.nodes[HUR] = set_back(world)
    report = world.pull(HUR, IQPS)
    assert [type(message.content) for message in report.messages] == [Closed]
    assert {p.id for p in report.received} == {product_id(1), product_id(3)}
    # Once it may go again, it goes, under another number.
    lifted = replace(world.hold(IQPS, 2).label, created=world.clock.now())
    correct_label(node, node.store.items.get(product_id(2)).product, lifted, "order")
    world.tick()
    assert said(world, 3) == [product_id(2)]
    assert node.store.book.acknowledged(HUR) == 3
    verify_node(node)


def test_what_an_unconfirmed_entry_hands_out_is_not_closed_while_it_may_go_again(world):
    world.agree(IQPS, tells_partner=False)
    world.take_in(IQPS, 1)
    entries(world)
    suspend_agreement(world.node(IQPS), "SHARE", "x", "order")
    world.tick()
    assert said(world) == []
    resume_agreement(world.node(IQPS), "SHARE", "order")
    world.tick()
    assert said(world) == [product_id(1)]


def test_nothing_is_closed_while_the_partner_is_told_that_all_is_suspended(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    suspend_agreement(world.node(IQPS), "SHARE", "x", "order")
    world.tick()
    assert world.desk(IQPS).feed(HUR, 0, 100).refused
    resume_agreement(world.node(IQPS), "SHARE", "order")
    world.tick()
    assert said(world)[0] == product_id(1)


def test_an_obligation_that_cannot_be_applied_stops_what_was_numbered(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    entries(world)
    world.agree(IQPS, version=2, article={"obligations": [{"kind": "detected-only"}, {"kind": "delay", "value": "24"}]})
    assert entries(world) == []


def test_the_original_stays_once_phase_must_be_stripped(world):
    world.agree(IQPS, article={"obligations": []})
    product = world.take_in(IQPS, 1)
    assert {a.role for a in entries(world)[0].product.assets} == set(AssetRole)
    assert world.desk(IQPS).blob(HUR, product.content, 0, 1) is not None
    world.agree(IQPS, version=2)
    assert all(world.desk(IQPS).blob(HUR, a.digest, 0, 1) is None for a in product.assets)
    (anew,) = entries(world)
    assert AssetRole.ORIGINAL not in {a.role for a in anew.product.assets}
    assert anew.product.content != product.content
    assert world.desk(IQPS).blob(HUR, product.content, 0, 1) is None


def test_no_number_is_given_to_what_was_not_asked_for(world):
    world.agree(IQPS)
    for number in range(1, 5):
        world.take_in(IQPS, number)
    page = page_from_bytes(world.desk(IQPS).feed(HUR, 0, 2).body)
    assert (len(page.entries), page.more) == (2, True)
    assert world.node(IQPS).store.book.last_sequence(HUR) == 2


def test_whether_more_follows_tells_nothing_of_what_is_withheld(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    for number in range(2, 6):
        world.take_in(IQPS, number, label=WITHHELD)
    page = page_from_bytes(world.desk(IQPS).feed(HUR, 0, 100).body)
    assert (len(page.entries), page.more) == (1, False)


def test_an_entry_without_files_is_decided_on_as_well(world):
    """A product without files, had one got into the feed, must not pass because nothing of nothing is missing."""
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    entries(world)
    state = world.node(IQPS).store._shared._durable
    state.queue[HUR, product_id(1), 1] = replace(state.queue[HUR, product_id(1), 1], blobs=())
    suspend_agreement(world.node(IQPS), "SHARE", "x", "order")
    world.agree(IQPS, version=2, tells_partner=False)
    assert world.desk(IQPS).feed(HUR, 0, 100).body == EMPTY


def test_an_entry_that_was_damaged_at_home_is_not_handed_out(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    entries(world)
    state = world.node(IQPS).store._shared._durable
    good = state.queue[HUR, product_id(1), 1]
    forged = good.envelope.replace(b'"sig":"', b'"sig":"A', 1)
    state.queue[HUR, product_id(1), 1] = replace(good, envelope=forged)
    with pytest.raises(StoreError):
        world.desk(IQPS).feed(HUR, 0, 100)


# ---- files


def test_a_file_is_handed_out_only_to_whom_its_entry_went(world):
    world.agree(IQPS)
    world.agree(IQPS, id="OTHER", parties=["JPN/IQPS", "NZL"], article={"receivers": ["NZL"]})
    product = world.take_in(IQPS, 1, label=Label("JPN", "UNCLASSIFIED", IQPS, world.clock.now(), (HUR,)))
    desk = world.desk(IQPS)
    shown = product.assets[1].digest
    assert desk.blob(HUR, shown, 0, 9) is None, "not before its entry was handed out"
    entries(world)
    assert desk.blob(HUR, shown, 0, 9).data == b"JPN/IQPS "
    assert desk.blob(HUR, shown, 0, 9).size == product.assets[1].size
    assert desk.blob(HUR, shown, 10**6, 9).data == b""
    assert desk.blob(NZL, shown, 0, 9) is None
    assert desk.blob(HUR, digest_of(b"nothing"), 0, 9) is None
    assert desk.blob(HUR, product.content, 0, 9) is None


def test_who_asks_is_told_by_the_certificate_alone(world):
    desk = world.desk(IQPS)
    assert desk.peer_of(world.node(IQPS).partner(HUR).fingerprint) == HUR
    assert desk.peer_of("0" * 64) is None
    assert desk.peer_of("") is None


# ---- receipts


def receipt(world, **changes):
    outgoing = world.node(IQPS).store.book.outgoing(HUR, 0, 1)[0]
    return replace(Receipt(IQPS, HUR, 1, digest_of(outgoing.envelope), world.clock.now()), **changes)


def test_a_receipt_counts_once_and_only_from_the_receiver_for_what_it_got(any_world):
    world = any_world
    world.agree(IQPS)
    world.agree(IQPS, id="OTHER", parties=["JPN/IQPS", "NZL"], article={"receivers": ["NZL"]})
    world.take_in(IQPS, 1)
    entries(world)
    entries(world, NZL)
    node, desk, hur = world.node(IQPS), world.desk(IQPS), world.node(HUR).keys
    for faulty, keys in (
        (receipt(world), MemoryKeys(HUR, world.clock.now(), b"forger")),
        (receipt(world), world.node(NZL).keys),
        (receipt(world, sender=NZL), hur),
        (receipt(world, receiver=NZL), hur),
        (receipt(world, sequence=2), hur),
        (receipt(world, entry=digest_of(b"another entry")), hur),
        (receipt(world, entry=digest_of(node.store.book.outgoing(NZL, 0, 1)[0].envelope)), hur),
    ):
        assert desk.receipt(HUR, seal_receipt(faulty, keys)) is False
    good = seal_receipt(receipt(world), hur)
    assert desk.receipt(NZL, good) is False
    assert desk.receipt("FRA", good) is False
    for garbage in (b"", b"{}", b"\xff", good[:-1], b"[" * 10**5):
        assert desk.receipt(HUR, garbage) is False
    assert node.store.book.acknowledged(HUR) == 0
    assert desk.receipt(HUR, good) is True
    assert node.store.book.acknowledged(HUR) == 1
    world.tick()
    for again in (good, seal_receipt(receipt(world), hur)):
        assert desk.receipt(HUR, again) is True
    assert len(facts(node, FactKind.RECEIPT_RECEIVED)) == 1
    assert node.store.book.acknowledged(NZL) == 0


def test_what_is_decided_alike_about_many_is_one_fact(world):
    """For each partner and label, each product named by its id, version and bytes; and what goes is decided on again, alone."""
    world.agree(IQPS)
    node = world.node(IQPS)
    products = [world.hold(IQPS, number, **({"label": WITHHELD} if number == 3 else {})) for number in range(1, 5)]
    made = record_published(node, products)
    world.tick()
    assert [(product.id, partner, d.outcome.value) for product, partner, d in made] == [
        (product.id, partner, "permit" if partner == HUR and product is not products[2] else "deny")
        for product in products
        for partner in (NZL, HUR)
    ]
    together = facts(node, FactKind.DECISIONS_MADE)
    told = [(f["partner"], f["purpose"], f["decision"]["outcome"], [p["id"] for p in f["products"]]) for f in together]
    alike = [product.id for product in products if product is not products[2]]
    assert sorted(told) == [(NZL, "queue", "deny", alike), (HUR, "queue", "permit", alike)]
    first = together[0]["products"][0]
    assert first == {"id": products[0].id, "version": products[0].version, "content": products[0].content}
    assert {f["label"]["classification"] for f in together} == {"UNCLASSIFIED"}
    alone = facts(node, FactKind.DECISION_MADE)
    assert sorted((f["partner"], f["product"], f["label"]["releasable_to"]) for f in alone) == [
        (NZL, products[2].id, []),
        (HUR, products[2].id, []),
    ]
    assert list(node.store.book.waiting(HUR)) == alike
    assert len(entries(world)) == 3
    served = [f for f in facts(node, FactKind.DECISION_MADE) if f["purpose"] == "serve"]
    assert [f["product"] for f in served] == alike
    verify_node(node)
    counts = {h.status.partner: h.counts for h in HealthReader(node).read().partners}
    assert (counts[HUR].permits, counts[HUR].denials, counts[NZL].permits, counts[NZL].denials) == (6, 1, 0, 4)
    said = [sentence(fact).render() for _, fact in node.journal.facts() if fact.kind is FactKind.DECISIONS_MADE]
    assert said[-1] == "whether each of 3 products may go to UKR/HUR was decided: permit (queue)"


def test_what_waits_has_waited_since_it_was_queued_with_others(world):
    world.agree(IQPS)
    node = world.node(IQPS)
    record_published(node, [world.hold(IQPS, number) for number in (1, 2)])
    world.tick(seconds=7)
    reader = HealthReader(node)
    (health,) = [health for health in reader.read().partners if health.status.partner == HUR]
    assert (health.waiting_s, health.status.waiting) == (7.0, 2)


def test_products_are_recorded_together_or_not_at_all(world):
    world.agree(IQPS)
    node = world.node(IQPS)
    before = node.store.log.size(), node.store.items.count()
    good, bad = world.hold(IQPS, 1), replace(world.hold(IQPS, 2), notes=("\ud800",))
    with pytest.raises(InputError):
        record_published(node, [good, bad])
    assert (node.store.log.size(), node.store.items.count()) == before
    assert list(node.store.book.waiting(HUR)) == []


def test_a_receipt_for_several_entries_names_each_of_them(any_world):
    world = any_world
    world.agree(IQPS)
    for number in (1, 2, 3):
        world.take_in(IQPS, number)
    entries(world)
    node, desk, hur = world.node(IQPS), world.desk(IQPS), world.node(HUR).keys
    first, second, third = (digest_of(outgoing.envelope) for outgoing in node.store.book.outgoing(HUR, 0, 9))
    last = receipt(world, sequence=3, entry=third)
    for before in ((first,), (second, first), (first, first), (digest_of(b"other"), second)):
        assert desk.receipt(HUR, seal_receipt(replace(last, before=before), hur)) is False
    assert node.store.book.acknowledged(HUR) == 0
    assert desk.receipt(HUR, seal_receipt(replace(last, before=(first, second)), hur)) is True
    assert node.store.book.acknowledged(HUR) == 3
    (fact,) = facts(node, FactKind.RECEIPT_RECEIVED)
    assert (fact["sequence"], fact["before"]) == (3, [first, second])
    # What is confirmed so is as confirmed as what has a receipt of its own.
    (outgoing,) = node.store.book.outgoing(HUR, 0, 1)
    with pytest.raises(StoreError):
        node.store.book.reseal(outgoing)


def test_every_decision_that_let_something_go_is_in_the_log(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    entries(world)
    node = world.node(IQPS)
    made = [(d["partner"], d["purpose"], d["decision"]["outcome"]) for d in facts(node, FactKind.DECISION_MADE)]
    assert made == [(NZL, "queue", "deny"), (HUR, "queue", "permit"), (HUR, "serve", "permit")]
    (released,) = facts(node, FactKind.RELEASE_SEQUENCED)
    assert released["entry"] == digest_of(node.store.book.outgoing(HUR, 0, 1)[0].envelope)
    assert node.journal.verify().size == node.store.log.size()
