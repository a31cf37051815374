"""What goes between nodes besides products: recalls, notices, alerts, requests, checkpoints. Nothing is lost or doubled."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.nodes import HUR, IQPS, NZL, START, World
from simulators.products import product_id

from kizuna.errors import InputError, LogDamaged, Message, NotReleasable, PartnerMisbehaved, PartnerUnreachable
from kizuna.exchange.answers import Fate, RecallAnswer, WitnessAnswer, Witnessed, seal_recall_answer, seal_witness_answer
from kizuna.exchange.checkpoint import make_checkpoint
from kizuna.exchange.envelope import seal, unseal
from kizuna.exchange.feed import ENTRY_TYPE, FeedEntry, FeedPage, page_from_bytes, page_to_bytes
from kizuna.exchange.messages import (
    Alert,
    LogCheckpoint,
    MessageEntry,
    NoticeState,
    Reply,
    Step,
    Withdraw,
    seal_message,
    type_of,
    unseal_any,
)
from kizuna.exchange.witness import Request as WitnessRequest
from kizuna.exchange.witness import request_bytes
from kizuna.model.digests import digest_of
from kizuna.model.instants import Interval, format_instant, parse_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import parse_party
from kizuna.model.provenance import FactKind
from kizuna.model.regions import area_of
from kizuna.node.audit import verify_node
from kizuna.node.decisions import decide_item
from kizuna.node.founding import resume_agreement, suspend_agreement, withdraw_agreement
from kizuna.node.messages import new_id
from kizuna.node.originators import record_consent
from kizuna.node.people import PeopleRoom, Person
from kizuna.node.recall import order_recall, recall_of, recalls
from kizuna.node.receive import pull
from kizuna.node.requests import answer_request, ask_partner, fulfil_request, request_named, requests
from kizuna.node.share import queue_for_partners
from kizuna.node.take_messages import alerts, notices, send_alert
from kizuna.node.withdrawals import answer_withdrawal, withdrawn_products
from kizuna.node.witness import checkpoint_for_witness, seen_size, witness, witness_lines
from kizuna.node.witnessing import send_checkpoint, told_fork

OFFICER = Person("officer", "officer")
KOCHI = area_of("Kochi", ((((133.0, 33.0), (134.0, 33.0), (134.0, 34.0), (133.0, 33.0)),),))
WEEK = Interval(START, parse_instant("2025-07-08T00:00:00Z"))
WITHHELD = Label("JPN", "UNCLASSIFIED", IQPS, START, ())


@pytest.fixture
def shared(any_world) -> World:
    """IQPS gives to HUR, and handed it two products."""
    any_world.agree(IQPS)
    any_world.take_in(IQPS, 1)
    any_world.take_in(IQPS, 2)
    any_world.pull(HUR, IQPS)
    return any_world


def feed(world, giver=IQPS, peer=HUR, after=0):
    """Contents of a page of a feed, products by their ids."""
    page = page_from_bytes(world.desk(giver).feed(peer, after, 100).body)
    opened = [unseal_any(envelope, world.node(giver).keys.public_key) for envelope in page.entries]
    return [entry.product.id if isinstance(entry, FeedEntry) else entry.content for entry in opened]


def facts(node, kind):
    return [fact.body for _, fact in node.journal.facts() if fact.kind is kind]


def held(world, party=HUR):
    return {item.product.id for item in world.node(party).store.items.all()}


def recall(world, number=1, partners=None, reason="sent by mistake"):
    item = world.node(IQPS).store.items.get(product_id(number))
    made = order_recall(world.node(IQPS), item.product, reason, "order 5", partners)
    world.tick()
    return made


# ---- recall


def test_a_recalled_product_is_hidden_at_once_and_the_answer_comes_back_signed(shared):
    blobs = [asset.digest for asset in shared.node(HUR).store.items.get(product_id(1)).product.assets]
    assert [(ordered.partner, ordered.recalls) for ordered in recall(shared)] == [(NZL, None), (HUR, 1)]
    (message,) = shared.pull(HUR, IQPS).messages
    assert message.content == Withdraw(product_id(1), 1, "sent by mistake")
    node, room = shared.node(HUR), PeopleRoom(shared.node(HUR), lambda *_: b"tile")
    assert held(shared) == {product_id(2)}
    assert room.product(OFFICER, product_id(1)) is None
    assert room.tile(OFFICER, product_id(1), 0, 0, 0) is None
    # What an audit needs stays: the record in the log, and the files until somebody says that they are gone.
    assert all(node.blobs.has(blob) for blob in blobs)
    (one,) = withdrawn_products(node)
    assert (one.product, one.partner, one.reason, one.fate) == (product_id(1), IQPS, "sent by mistake", None)
    assert recall_of(shared.node(IQPS), HUR, product_id(1)).fate is None
    answer_withdrawal(node, product_id(1)[:20], Fate.DESTROYED, None, "officer")
    assert not any(node.blobs.has(blob) for blob in blobs)
    shared.tick()
    shared.pull(HUR, IQPS)
    shared.pull(HUR, IQPS)
    answered = recall_of(shared.node(IQPS), HUR, product_id(1))
    assert (answered.fate, answered.answer) == (Fate.DESTROYED, None)
    assert len(facts(shared.node(IQPS), FactKind.RECALL_ANSWERED)) == 1
    for party in (IQPS, HUR):
        verify_node(shared.node(party))


@pytest.mark.parametrize("fate", [Fate.KEPT, Fate.REFUSED])
def test_what_is_kept_with_a_reason_stays_hidden_and_its_files_stay(shared, fate):
    recall(shared)
    shared.pull(HUR, IQPS)
    node = shared.node(HUR)
    one = answer_withdrawal(node, product_id(1), fate, "a court asks for it", "officer")
    shared.tick()
    shared.pull(HUR, IQPS)
    assert all(node.blobs.has(blob) for blob in one.blobs)
    assert held(shared) == {product_id(2)}
    answered = recall_of(shared.node(IQPS), HUR, product_id(1))
    assert (answered.fate, answered.answer) == (fate, "a court asks for it")
    # An officer may change their mind; the last answer counts, both are in the log.
    answer_withdrawal(node, product_id(1), Fate.DESTROYED, None, "officer")
    shared.tick()
    shared.pull(HUR, IQPS)
    assert recall_of(shared.node(IQPS), HUR, product_id(1)).fate is Fate.DESTROYED
    with pytest.raises(InputError, match="destroyed already"):
        answer_withdrawal(node, product_id(1), Fate.KEPT, "no", "officer")


def test_files_that_another_product_needs_outlive_the_recalled_one(world):
    world.agree(IQPS)
    one = world.take_in(IQPS, 1)
    world.take_in(IQPS, 2, assets=(*one.assets[:2], *world.hold(IQPS, 2).assets[2:]), content=one.content)
    world.pull(HUR, IQPS)
    recall(world)
    world.pull(HUR, IQPS)
    node = world.node(HUR)
    shared_file, own = one.assets[1].digest, one.assets[3].digest
    answer_withdrawal(node, product_id(1), Fate.DESTROYED, None, "officer")
    assert node.blobs.has(shared_file)
    assert not node.blobs.has(own)
    assert facts(node, FactKind.WITHDRAWAL_ANSWERED)[0]["removed"] == [one.assets[2].digest, own]


def test_a_recalled_product_goes_no_more_to_anybody(shared):
    blob = shared.node(IQPS).store.book.outgoing(HUR, 0, 1)[0].blobs[0]
    recall(shared)
    assert shared.desk(IQPS).blob(HUR, blob, 0, 1) is None
    releases = PeopleRoom(shared.node(IQPS), lambda *_: None).releases(OFFICER, product_id(1))
    assert {release.delivery.render() for release in releases} == {"recalled"}
    shared.agree(IQPS, id="MORE", parties=["JPN/IQPS", "NZL"], article={"receivers": ["NZL"]})
    shared.pull(NZL, IQPS)
    assert held(shared, NZL) == {product_id(2)}
    # Nor to whoever becomes a partner later.
    fra = parse_party("FRA")
    shared.befriend(IQPS, fra)
    shared.agree(IQPS, id="LATER", parties=["JPN/IQPS", "FRA"], article={"receivers": ["FRA"]})
    shared.pull(fra, IQPS)
    assert held(shared, fra) == {product_id(2)}
    node = shared.node(IQPS)
    assert {made["product"] for made in facts(node, FactKind.DECISION_MADE) if made["partner"] == fra} == {product_id(2)}
    # Nor does it wait for anybody, also if it is decided on once more.
    with node.store.transaction():
        queue_for_partners(node, [item.product for item in node.store.items.all()])
    assert all(product_id(1) not in node.store.book.waiting(party) for party in (HUR, NZL, fra))
    with pytest.raises(InputError, match="recalled already"):
        recall(shared)


def test_of_what_a_partner_never_had_nothing_shows(shared):
    shared.take_in(IQPS, 3, label=WITHHELD)
    empty = shared.desk(IQPS).feed(NZL, 0, 100).body
    recall(shared, 3)
    recall(shared, 1, [NZL])
    assert feed(shared, after=2) == []
    assert shared.desk(IQPS).feed(NZL, 0, 100).body == empty
    assert [len(recalls(shared.node(IQPS), party)) for party in (HUR, NZL)] == [0, 0]


def test_what_was_numbered_and_never_arrived_becomes_its_recall(shared):
    shared.take_in(IQPS, 3)
    shared.take_in(IQPS, 4)
    assert feed(shared, after=2) == [product_id(3), product_id(4)]
    recall(shared, 3)
    assert feed(shared, after=2)[:2] == [Withdraw(product_id(3), 3, "sent by mistake"), product_id(4)]
    assert [p.id for p in shared.pull(HUR, IQPS).received] == [product_id(4)]
    shared.pull(HUR, IQPS)
    assert held(shared) == {product_id(1), product_id(2), product_id(4)}
    assert withdrawn_products(shared.node(HUR)) == []
    assert recall_of(shared.node(IQPS), HUR, product_id(3)).fate is Fate.NOT_HELD
    for party in (IQPS, HUR):
        verify_node(shared.node(party))


def test_a_partner_that_was_restored_gets_the_recall_in_place_of_the_product(shared):
    recall(shared)
    shared.pull(HUR, IQPS)
    withdraw = Withdraw(product_id(1), 1, "sent by mistake")
    # It confirmed all three, and asks from the beginning again.
    assert shared.node(IQPS).store.book.acknowledged(HUR) == 3
    for _ in range(2):
        assert feed(shared) == [withdraw, product_id(2), withdraw]
    assert len(facts(shared.node(IQPS), FactKind.MESSAGE_SEQUENCED)) == 2
    verify_node(shared.node(IQPS))


def test_a_recall_goes_on_to_whom_the_product_was_passed_on(shared):
    hur = shared.node(HUR)
    shared.befriend(HUR, NZL)
    article = {"givers": ["UKR/HUR"], "receivers": ["NZL"], "obligations": []}
    shared.agree(HUR, id="ON", parties=["UKR/HUR", "NZL"], article=article)
    for number in (1, 2):
        record_consent(shared.node(IQPS), shared.node(IQPS).store.items.get(product_id(number)).product, NZL, "order")
        shared.tick()
    shared.pull(HUR, IQPS)
    assert feed(shared, giver=HUR, peer=NZL) == [product_id(1), product_id(2)]
    recall(shared)
    shared.pull(HUR, IQPS)
    withdraw = Withdraw(product_id(1), 1, "sent by mistake")
    assert feed(shared, giver=HUR, peer=NZL) == [withdraw, product_id(2), withdraw]
    verify_node(hur)


def test_a_withdrawal_from_an_agreement_calls_back_what_went_under_it(shared):
    withdraw_agreement(shared.node(IQPS), "SHARE", "breach", "order 9")
    shared.tick()
    told = [type_of(message.content) for message in shared.pull(HUR, IQPS).messages]
    assert told == ["agreement-notice", "withdraw", "withdraw"]
    assert held(shared) == set()
    assert {one.agreement for one in withdrawn_products(shared.node(HUR))} == {"SHARE"}
    assert [r.reason for r in recalls(shared.node(IQPS), HUR)] == ["breach", "breach"]
    shared.pull(HUR, IQPS)
    assert len(facts(shared.node(IQPS), FactKind.RECALL_ORDERED)) == 2


def test_a_withdrawal_recalls_on_its_day_and_not_what_another_agreement_lets_go(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    world.agree(IQPS, id="ANOTHER")
    world.take_in(IQPS, 2)
    world.pull(HUR, IQPS)
    withdraw_agreement(world.node(IQPS), "SHARE", "x", "order", parse_instant("2025-07-03"))
    withdraw_agreement(world.node(IQPS), "ANOTHER", "y", "order", parse_instant("2025-07-05"))
    world.tick()
    world.pull(HUR, IQPS)
    assert held(world) == {product_id(1), product_id(2)}
    world.tick(days=2)
    world.pull(HUR, IQPS)
    assert held(world) == {product_id(1), product_id(2)}
    world.tick(days=2)
    world.pull(HUR, IQPS)
    assert held(world) == set()
    # Each under the agreement that gave it, although the other let it go until it ended too.
    told = [(one.product, one.agreement, one.reason) for one in withdrawn_products(world.node(HUR))]
    assert told == [(product_id(1), "SHARE", "x"), (product_id(2), "ANOTHER", "y")]


def test_a_partner_recalls_only_what_came_from_it(shared):
    """A hostile node names products of ours and of others."""
    mine = shared.take_in(HUR, 7)
    sealed = seal_message(
        MessageEntry(3, IQPS, HUR, Withdraw(mine.id, 1, "hostile"), shared.node(HUR).now()), shared.node(IQPS).keys
    )
    node = shared.node(HUR)
    report = pull(node, node.partner(IQPS), Said(shared, [sealed]))
    assert len(report.messages) == 1
    assert node.store.items.get(mine.id) is not None
    assert withdrawn_products(node) == []


def test_a_recall_answer_counts_only_for_what_was_recalled_and_from_whom(shared):
    recall(shared)
    entry = shared.node(IQPS).store.book.outgoing(HUR, 0, 9)
    shared.pull(HUR, IQPS)
    entry = shared.node(IQPS).store.book.outgoing(HUR, 2, 1)[0]
    good = RecallAnswer(IQPS, HUR, 3, digest_of(entry.envelope), product_id(1), Fate.DESTROYED, None, START)
    hur, nzl = shared.node(HUR).keys, shared.node(NZL).keys
    desk = shared.desk(IQPS)
    for wrong in (
        replace(good, product=product_id(2)),
        replace(good, sequence=1),
        replace(good, entry=digest_of(b"x")),
        replace(good, sender=NZL),
        replace(good, receiver=NZL),
        replace(good, sequence=99),
    ):
        assert not desk.receipt(HUR, seal_recall_answer(wrong, hur))
    assert not desk.receipt(HUR, seal_recall_answer(good, nzl))
    assert not desk.receipt(NZL, seal_recall_answer(good, nzl))
    assert recall_of(shared.node(IQPS), HUR, product_id(1)).fate is None
    for _ in range(2):
        assert desk.receipt(HUR, seal_recall_answer(good, hur))
    assert len(facts(shared.node(IQPS), FactKind.RECALL_ANSWERED)) == 1


class Said:
    """A partner's node that answers one page, whatever is asked."""

    def __init__(self, world, entries, after=2):
        self._body = page_to_bytes(FeedPage(after, tuple(entries), more=False))

    def feed(self, after, limit):
        return self._body

    def receipt(self, envelope):
        pass


# ---- notices


def test_a_partner_is_told_of_suspension_and_resumption(shared):
    node = shared.node(IQPS)
    suspend_agreement(node, "SHARE", "review", "order 7")
    since = node.now()
    shared.tick()
    report = shared.pull(HUR, IQPS)
    # The notice comes first, then the refusal.
    assert [m.content.state for m in report.messages] == [NoticeState.SUSPENDED]
    assert report.refusal is not None
    shared.agree(HUR)
    (known,) = PeopleRoom(shared.node(HUR), lambda *_: None).agreements(OFFICER)
    assert [message.render() for message in known.told] == [
        f"JPN/IQPS says: SHARE is suspended since {format_instant(since)}: review"
    ]
    (line,) = notices(shared.node(HUR))
    assert (line.partner, line.notice.agreement, line.notice.since, line.notice.reason) == (IQPS, "SHARE", since, "review")
    assert shared.pull(HUR, IQPS).messages == []
    resume_agreement(node, "SHARE", "order 8")
    shared.tick()
    report = shared.pull(HUR, IQPS)
    assert report.refusal is None
    assert [line.notice.state for line in notices(shared.node(HUR))] == [NoticeState.RESUMED]


def test_nobody_is_told_where_the_agreement_does_not_say_so(any_world):
    world = any_world
    world.agree(IQPS, tells_partner=False)
    world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    suspend_agreement(world.node(IQPS), "SHARE", "review", "order 7")
    world.tick()
    report = world.pull(HUR, IQPS)
    assert (report.messages, report.refusal) == ([], None)
    assert facts(world.node(IQPS), FactKind.MESSAGE_QUEUED) == []


def test_strangers_to_an_agreement_learn_nothing_of_it(shared):
    empty = shared.desk(IQPS).feed(NZL, 0, 100).body
    suspend_agreement(shared.node(IQPS), "SHARE", "review", "order 7")
    shared.tick()
    assert shared.desk(IQPS).feed(NZL, 0, 100).body == empty


# ---- alerts


def alert(world, **label):
    node = world.node(IQPS)
    changed = {"policy": "JPN", "classification": "UNCLASSIFIED", "originator": IQPS, "created": START} | label
    return Alert(new_id(node), "missile over Kochi", Label(**changed))


def test_an_alert_goes_under_a_live_agreement(shared):
    send_alert(shared.node(IQPS), HUR, alert(shared, releasable_to=(HUR,)), "officer")
    shared.tick()
    shared.pull(HUR, IQPS)
    (came,) = alerts(shared.node(HUR))
    assert (came.partner, came.sent, came.alert.text) == (IQPS, False, "missile over Kochi")
    assert [line.sent for line in alerts(shared.node(IQPS))] == [True]
    (queued,), (sequenced,) = (facts(shared.node(IQPS), kind) for kind in (FactKind.MESSAGE_QUEUED, FactKind.MESSAGE_SEQUENCED))
    assert queued["decision"] == sequenced["decision"] == {"outcome": "permit"}


@pytest.mark.parametrize(
    "label",
    [
        {"classification": "秘"},
        {"classification": "SECRET"},
        {"policy": "NATO"},
        {"policy": "???"},
        {"originator": HUR},
        {"releasable_to": ()},
        {"releasable_to": (NZL,)},
        {"releasable_to": ("UKR",)},
        {"categories": (Category("Handling", CategoryType.RESTRICTIVE, ("EYES ONLY",)),)},
        {"created": parse_instant("2030-01-01")},
    ],
)
def test_an_alert_of_another_label_goes_nowhere(shared, label):
    with pytest.raises(NotReleasable):
        send_alert(shared.node(IQPS), HUR, alert(shared, **label), "officer")
    assert feed(shared, after=2) == []
    assert len(facts(shared.node(IQPS), FactKind.MESSAGE_WITHHELD)) == 1


def test_an_alert_without_a_live_agreement_is_refused_and_one_that_waits_is_decided_again(shared):
    with pytest.raises(NotReleasable):
        send_alert(shared.node(IQPS), NZL, alert(shared), "officer")
    send_alert(shared.node(IQPS), HUR, alert(shared), "officer")
    suspend_agreement(shared.node(IQPS), "SHARE", "review", "order")
    shared.tick()
    assert [type_of(message.content) for message in shared.pull(HUR, IQPS).messages] == ["agreement-notice"]
    resume_agreement(shared.node(IQPS), "SHARE", "order")
    shared.tick()
    told = [type_of(message.content) for message in shared.pull(HUR, IQPS).messages]
    assert sorted(told) == ["agreement-notice", "alert"]


# ---- requests


def asked(world):
    request = ask_partner(world.node(HUR), IQPS, "imagery", KOCHI, WEEK, "ships", "officer")
    world.tick()
    world.pull(IQPS, HUR)
    return request


def test_a_request_goes_from_question_to_fulfilment(shared):
    request = asked(shared)
    (came,) = requests(shared.node(IQPS))
    assert (came.direction, came.partner, came.ask, came.state) == ("in", HUR, request.ask, "asked")
    answer_request(shared.node(IQPS), request.ask.id, Step.ACCEPT, None, "officer")
    shared.tick()
    shared.pull(HUR, IQPS)
    assert request_named(shared.node(HUR), request.ask.id[:8]).state == "accepted"
    product = shared.take_in(IQPS, 3)
    fulfil_request(shared.node(IQPS), request.ask.id, product, decide_item(shared.node(IQPS), product, HUR), None, "officer")
    shared.tick()
    shared.pull(HUR, IQPS)
    done = request_named(shared.node(HUR), request.ask.id)
    assert (done.state, done.product) == ("fulfilled", product.id)
    assert product.id in held(shared)
    with pytest.raises(InputError, match="already"):
        answer_request(shared.node(IQPS), request.ask.id, Step.DECLINE, "no", "officer")
    for party in (IQPS, HUR):
        verify_node(shared.node(party))


def test_a_declined_request_comes_back_with_its_reason(shared):
    request = asked(shared)
    answer_request(shared.node(IQPS), request.ask.id, Step.DECLINE, "no pass this week", "officer")
    shared.tick()
    shared.pull(HUR, IQPS)
    done = request_named(shared.node(HUR), request.ask.id)
    assert (done.state, done.reason) == ("declined", "no pass this week")


def test_a_request_is_fulfilled_only_with_what_the_partner_may_have_and_after_it_went(shared):
    request = asked(shared)
    hidden = shared.take_in(IQPS, 3, label=WITHHELD)
    node = shared.node(IQPS)
    with pytest.raises(InputError, match="may not have"):
        fulfil_request(node, request.ask.id, hidden, decide_item(node, hidden, HUR), None, "officer")
    product = shared.take_in(IQPS, 4)
    fulfil_request(node, request.ask.id, product, decide_item(node, product, HUR), None, "officer")
    suspend_agreement(node, "SHARE", "review", "order")
    shared.tick()
    told = [message.content for message in shared.pull(HUR, IQPS).messages]
    assert not any(isinstance(content, Reply) for content in told)
    resume_agreement(node, "SHARE", "order")
    shared.tick()
    found = feed(shared, after=2)
    assert found.index(product.id) < found.index(Reply(request.ask.id, Step.FULFIL, None, product.id))


def test_only_the_one_who_was_asked_answers_and_others_see_nothing(shared):
    request = asked(shared)
    with pytest.raises(InputError):
        answer_request(shared.node(HUR), request.ask.id, Step.ACCEPT, None, "officer")
    assert feed(shared, giver=HUR, peer=NZL) == []
    # A reply to a request that was made to somebody else changes nothing.
    shared.befriend(HUR, NZL)
    node = shared.node(HUR)
    forged = seal_message(
        MessageEntry(1, NZL, HUR, Reply(request.ask.id, Step.DECLINE, "hostile"), node.now()), shared.node(NZL).keys
    )
    pull(node, node.partner(NZL), Said(shared, [forged], after=0))
    assert request_named(node, request.ask.id).state == "asked"


def test_a_request_said_again_under_its_id_changes_nothing(shared):
    request = asked(shared)
    node = shared.node(IQPS)
    again = seal_message(
        MessageEntry(2, HUR, IQPS, replace(request.ask, text="something else"), node.now()), shared.node(HUR).keys
    )
    pull(node, node.partner(HUR), Said(shared, [again], after=1))
    assert [r.ask.text for r in requests(node)] == ["ships"]


# ---- checkpoints


def test_a_partner_cosigns_the_log_over_the_feed(shared):
    size = send_checkpoint(shared.node(IQPS), HUR)
    shared.tick()
    shared.pull(HUR, IQPS)
    assert seen_size(shared.node(HUR), IQPS) == size
    lines = {line.partner: line for line in witness_lines(shared.node(IQPS))}
    assert lines[HUR].cosigned == size
    # And on from there, with a proof.
    later = send_checkpoint(shared.node(IQPS), HUR)
    shared.tick()
    shared.pull(HUR, IQPS)
    assert later > size
    assert {line.partner: line.cosigned for line in witness_lines(shared.node(IQPS))}[HUR] == later
    verify_node(shared.node(IQPS))


def test_checkpoints_go_once_a_day_and_only_with_news(shared):
    def told():
        return [type_of(message.content) for message in shared.pull(HUR, IQPS).messages]

    assert told() == []
    shared.tick(days=1)
    assert told() == ["checkpoint"]
    shared.take_in(IQPS, 3)
    assert told() == []
    shared.tick(days=1)
    assert told() == ["checkpoint"]
    for _ in range(3):
        shared.tick(days=1)
        # Nothing happened but the sending of checkpoints.
        assert told() == []
    empty = shared.desk(IQPS).feed(NZL, 0, 100).body
    assert page_from_bytes(empty).entries == ()


def test_a_lost_cosignature_is_made_up_for(shared):
    way = shared.way(HUR, IQPS)
    send_checkpoint(shared.node(IQPS), HUR)
    shared.tick()
    node = shared.node(HUR)

    class Cut:
        feed = staticmethod(way.feed)

        @staticmethod
        def receipt(_envelope):
            raise PartnerUnreachable(Message("cut off"))

    with pytest.raises(PartnerUnreachable):
        pull(node, node.partner(IQPS), Cut)
    assert node.store.book.cursor(IQPS) == 3
    shared.pull(HUR, IQPS)
    assert cosigned(shared) == seen_size(node, IQPS)


def test_of_two_checkpoints_that_go_together_the_first_is_cosigned_and_comes_back(shared):
    giver = shared.node(IQPS)
    first = send_checkpoint(giver, HUR)
    shared.tick()
    assert send_checkpoint(giver, HUR) > first
    shared.tick()
    shared.pull(HUR, IQPS)
    shared.pull(HUR, IQPS)
    assert cosigned(shared) == first == seen_size(shared.node(HUR), IQPS)
    third = send_checkpoint(giver, HUR)
    shared.tick()
    shared.pull(HUR, IQPS)
    assert cosigned(shared) == third


def cosigned(world):
    return {line.partner: line.cosigned for line in witness_lines(world.node(IQPS))}[HUR]


def test_a_witness_that_saw_more_says_so_and_is_sent_a_proof_from_there(shared):
    giver, node = shared.node(IQPS), shared.node(HUR)
    # What HUR cosigns here never comes back to IQPS.
    witness(node, IQPS, checkpoint_for_witness(giver, 0))
    send_checkpoint(giver, HUR)
    shared.tick()
    shared.pull(HUR, IQPS)
    assert cosigned(shared) == 0
    size = send_checkpoint(giver, HUR)
    shared.tick()
    shared.pull(HUR, IQPS)
    assert cosigned(shared) == size == seen_size(node, IQPS)


def fork(world, size, root):
    keys = world.node(IQPS).keys
    origin = f"kizuna/{IQPS}"
    return make_checkpoint(origin, size, root, keys.sign, origin, keys.public_key)


def test_a_fork_is_named_and_both_checkpoints_are_kept(shared):
    size = send_checkpoint(shared.node(IQPS), HUR)
    shared.tick()
    shared.pull(HUR, IQPS)
    node, number = shared.node(HUR), shared.node(HUR).store.book.cursor(IQPS) + 1
    other = fork(shared, size, bytes(32))
    request = LogCheckpoint(request_bytes(WitnessRequest(size, (), other)).decode())
    sealed = seal_message(MessageEntry(number, IQPS, HUR, request, node.now()), shared.node(IQPS).keys)
    pull(node, node.partner(IQPS), Said(shared, [sealed], after=number - 1))
    (evidence,) = facts(node, FactKind.FORK_FOUND)
    assert str(evidence["request"]).endswith(other)
    assert f"\n{size}\n" in str(evidence["seen"])
    assert {line.partner: line.forked for line in witness_lines(node)}[IQPS]
    # The feed goes on: whether to go on with the partner is for people to say.
    assert node.store.book.cursor(IQPS) == number


@pytest.mark.parametrize("request_", ["nonsense", "old 0\n\nkizuna/JPN/IQPS\n1\n"])
def test_a_checkpoint_that_is_none_is_refused_and_the_cursor_stands(shared, request_):
    node = shared.node(HUR)
    sealed = seal_message(MessageEntry(3, IQPS, HUR, LogCheckpoint(request_), node.now()), shared.node(IQPS).keys)
    with pytest.raises(PartnerMisbehaved):
        pull(node, node.partner(IQPS), Said(shared, [sealed]))
    assert node.store.book.cursor(IQPS) == 2


# ---- order, repetition, crashes


def test_an_unknown_type_is_refused_and_the_cursor_stands(shared):
    node, keys = shared.node(HUR), shared.node(IQPS).keys
    known = seal_message(MessageEntry(3, IQPS, HUR, Withdraw(product_id(1), 1, "x"), node.now()), keys)
    payload = unseal(known, keys.public_key, ENTRY_TYPE)
    newer = seal(ENTRY_TYPE, payload | {"type": "hologram"}, keys)
    with pytest.raises(PartnerMisbehaved, match="hologram"):
        pull(node, node.partner(IQPS), Said(shared, [newer]))
    assert node.store.book.cursor(IQPS) == 2
    assert held(shared) == {product_id(1), product_id(2)}


@pytest.mark.parametrize(("sequence", "sender", "receiver"), [(4, IQPS, HUR), (2, IQPS, HUR), (3, NZL, HUR), (3, IQPS, NZL)])
def test_a_message_out_of_place_is_refused(shared, sequence, sender, receiver):
    node = shared.node(HUR)
    entry = MessageEntry(sequence, sender, receiver, Withdraw(product_id(1), 1, "x"), node.now())
    with pytest.raises(PartnerMisbehaved):
        pull(node, node.partner(IQPS), Said(shared, [seal_message(entry, shared.node(IQPS).keys)]))
    assert held(shared) == {product_id(1), product_id(2)}


class _Crash(Exception):
    """The process dies here."""


def test_a_crash_at_any_write_of_a_message_loses_and_doubles_nothing(shared, monkeypatch):
    """Let each write of taking a recall fail once, one after the other."""
    recall(shared)
    send_alert(shared.node(IQPS), HUR, alert(shared), "officer")
    shared.tick()
    node = shared.node(HUR)
    crashes = 0
    while True:
        before = (node.store.book.cursor(IQPS), node.store.log.size())
        left = [crashes]

        def dying(real, left=left):
            def write(*arguments):
                left[0] -= 1
                if left[0] < 0:
                    raise _Crash
                return real(*arguments)

            return write

        with monkeypatch.context() as patch:
            for owner, name in ((node.store.log, "append"), (node.store.book, "advance"), (node.store.book, "note")):
                patch.setattr(type(owner), name, _bound(dying, owner, name))
            try:
                shared.pull(HUR, IQPS)
            except _Crash:
                crashes += 1
                after = (node.store.book.cursor(IQPS), node.store.log.size())
                # Either all of an entry is there or nothing of it: one fact for each number.
                assert after[0] - before[0] == after[1] - before[1]
                continue
        break
    assert crashes > 3
    assert node.store.book.cursor(IQPS) == 4
    assert len(facts(node, FactKind.PRODUCT_WITHDRAWN)) == 1
    assert len(alerts(node)) == 1
    verify_node(node)


def _bound(dying, owner, name):
    real = getattr(type(owner), name)

    def method(self, *arguments):
        return dying(lambda *given: real(self, *given))(*arguments)

    return method


def test_the_giver_crashing_while_it_numbers_messages_doubles_nothing(shared, monkeypatch):
    recall(shared)
    node = shared.node(IQPS)
    with monkeypatch.context() as patch:
        patch.setattr(type(node.store.book), "sequence", lambda *_: (_ for _ in ()).throw(_Crash()))
        with pytest.raises(_Crash):
            shared.desk(IQPS).feed(HUR, 2, 100)
    assert facts(node, FactKind.MESSAGE_SEQUENCED) == []
    assert feed(shared, after=2) == [Withdraw(product_id(1), 1, "sent by mistake")]
    assert feed(shared, after=2) == [Withdraw(product_id(1), 1, "sent by mistake")]
    assert len(facts(node, FactKind.MESSAGE_SEQUENCED)) == 1


def test_a_recall_that_the_store_forgot_is_found(shared, monkeypatch):
    recall(shared)
    node = shared.node(IQPS)
    verify_node(node)
    real = type(node.store).setting
    monkeypatch.setattr(type(node.store), "setting", lambda self, name: None if name.startswith("recall/") else real(self, name))
    with pytest.raises(LogDamaged, match="recalled from"):
        verify_node(node)


def test_a_witness_answer_counts_only_for_a_checkpoint_that_went_and_verifies(shared):
    giver, desk = shared.node(IQPS), shared.desk(IQPS)
    size = send_checkpoint(giver, HUR)
    shared.tick()
    feed(shared, after=2)
    entry = giver.store.book.outgoing(HUR, 2, 1)[0]
    content = unseal_any(entry.envelope, giver.keys.public_key).content
    note = witness(shared.node(HUR), IQPS, content.request.encode()).decode()
    good = WitnessAnswer(IQPS, HUR, 3, digest_of(entry.envelope), Witnessed.COSIGNED, note, size, None, giver.now())
    bare = content.request.partition("\n\n")[2]
    hur, nzl = shared.node(HUR).keys, shared.node(NZL).keys
    for wrong in (
        replace(good, note=bare),
        replace(good, note=note.replace(f"\n{size}\n", f"\n{size + 1}\n")),
        replace(good, note="nonsense"),
        replace(good, sequence=1),
        replace(good, sequence=10**9),
        replace(good, entry=digest_of(b"x")),
        replace(good, sender=NZL),
        replace(good, receiver=NZL),
    ):
        assert not desk.receipt(HUR, seal_witness_answer(wrong, hur)), wrong
    assert not desk.receipt(HUR, seal_witness_answer(good, nzl))
    assert not desk.receipt(NZL, seal_witness_answer(good, nzl))
    assert cosigned(shared) == 0
    for _ in range(2):
        assert desk.receipt(HUR, seal_witness_answer(good, hur))
    assert cosigned(shared) == size
    # A partner that claims to have seen more than there is, or that the log forked, does not stop the next checkpoint.
    for claim in (
        replace(good, outcome=Witnessed.BEHIND, note=None, seen=2**53 - 1, why="more"),
        replace(good, outcome=Witnessed.FORKED, note=None, why="says who"),
    ):
        assert desk.receipt(HUR, seal_witness_answer(claim, hur))
    assert "says who" in told_fork(giver, HUR)
    assert send_checkpoint(giver, HUR) > size
