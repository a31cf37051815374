"""What a node knows: its facts folded, its tail confirmed, its partners told apart."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from simulators.nodes import HUR, IQPS, NZL, agreement

from kizuna.adapters.memory import MemoryKeys
from kizuna.errors import InputError, TailUnconfirmed
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.parties import parse_party
from kizuna.model.provenance import Fact, FactKind
from kizuna.node.beginning import TEACHING
from kizuna.node.decisions import decide_item
from kizuna.node.founding import (
    is_suspended,
    node_card,
    pin_partner,
    record_agreement,
    remove_partner,
    resume_agreement,
    suspend_agreement,
)
from kizuna.node.state import Node
from kizuna.release.decision import Outcome


def test_when_a_fact_became_known_is_told_by_the_log_not_by_the_file(world):
    now = world.node(IQPS).now()
    world.agree(IQPS, recorded="2020-01-01")
    (held,) = world.node(IQPS).knowledge().register.agreements
    assert held.recorded_at == now


def test_what_another_process_records_is_known_at_once(any_world):
    world = any_world
    node = world.node(IQPS)
    node.knowledge()
    other = Node(node.journal, node.blobs, lambda: "here", "another")
    record_agreement(other, agreement(), NO_CIVIL_DATES, [])
    world.tick()
    assert [a.id for a in node.knowledge().register.agreements] == ["SHARE"]
    suspend_agreement(other, "SHARE", "x", "order")
    assert is_suspended(node, "SHARE", node.now())


@pytest.mark.parametrize("more", [0, 1, 3])
def test_what_was_undone_is_forgotten_and_what_came_in_its_place_is_known(any_world, more):
    """A transaction that is undone leaves no knowledge behind, however far the log has grown since."""
    world = any_world
    world.agree(IQPS)
    node = world.node(IQPS)
    other = Node(node.journal, node.blobs, lambda: "here", "another")
    body = {"document": agreement(id="UNDONE")}
    with pytest.raises(RuntimeError), node.store.transaction():  # noqa: PT012
        node.journal.record(FactKind.AGREEMENT_RECORDED, body, by="x", authority="y")
        assert "UNDONE" in {a.id for a in node.knowledge().register.agreements}
        raise RuntimeError
    suspend_agreement(other, "SHARE", "x", "order")
    world.tick()
    for number in range(more):
        record_agreement(other, agreement(id=f"MORE-{number}"), NO_CIVIL_DATES, [])
        world.tick()
    assert is_suspended(node, "SHARE", node.now())
    assert {a.id for a in node.knowledge().register.agreements} == {"SHARE"} | {f"MORE-{n}" for n in range(more)}
    assert node.knowledge() == other.knowledge()


def test_what_need_not_be_read_teaches_nothing(world):
    """What the process that recorded it skips is known alike by another, which reads it."""
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    node = world.node(IQPS)
    known = node.knowledge()
    for kind in set(FactKind) - TEACHING:
        assert known.learn(Fact(kind, node.now(), "JPN:x", "y", {})) == known
    assert Node(replace(node.journal), node.blobs, lambda: "here", "another").knowledge() == known
    # Every other kind is read, also by the process that recorded it.
    suspend_agreement(node, "SHARE", "x", "order")
    assert is_suspended(node, "SHARE", node.now())


# ---- agreements


def test_a_version_is_recorded_once_and_never_an_older_one(world):
    world.agree(IQPS, version=2)
    for version in (1, 2):
        with pytest.raises(InputError) as caught:
            world.agree(IQPS, version=version)
        assert caught.value.field == "version"
    world.agree(IQPS, version=3)


def test_a_fictional_supplement_is_recorded_only_when_accepted_by_name(world):
    node = world.node(IQPS)
    size = node.store.log.size()
    assert record_agreement(node, agreement(fictional=True), NO_CIVIL_DATES, ["OTHER"]) is None
    assert node.store.log.size() == size
    assert record_agreement(node, agreement(fictional=True), NO_CIVIL_DATES, ["SHARE"]) is not None


def test_suspending_and_resuming_say_when_they_do_nothing(world):
    world.agree(IQPS)
    node = world.node(IQPS)
    with pytest.raises(InputError):
        resume_agreement(node, "SHARE", "order")
    suspend_agreement(node, "SHARE", "x", "order")
    world.tick()
    with pytest.raises(InputError):
        suspend_agreement(node, "SHARE", "x", "order")
    resume_agreement(node, "SHARE", "order")
    world.tick()
    assert not is_suspended(node, "SHARE", node.now())
    for act in (suspend_agreement, lambda n, i, _r, a: resume_agreement(n, i, a)):
        with pytest.raises(InputError) as caught:
            act(node, "SHAER", "x", "order")
        assert "SHARE" in caught.value.hint.render()


@pytest.mark.parametrize(
    "written",
    [
        {"from": "2025-06-01T00:00:00Z", "until": "2025-07-02T00:00:00Z"},
        {"from": "2025-06-01T00:00:00Z", "until": "unknown"},
        {
            "from": "2025-06-01T00:00:00Z",
            "until": {"earliest": "2025-06-30T00:00:00Z", "latest": "2025-07-02T00:00:00Z", "text": "about July"},
        },
    ],
)
def test_an_officer_can_suspend_for_good_what_ends_by_itself_and_resume_it(world, written):
    world.agree(IQPS, suspensions=[written | {"reason": "x", "recorded": "2025-06-01"}])
    node = world.node(IQPS)
    product = world.hold(IQPS, 1)
    assert decide_item(node, product, HUR).outcome is not Outcome.PERMIT
    suspend_agreement(node, "SHARE", "for good", "order")
    world.tick(days=30)
    assert decide_item(node, product, HUR).outcome is Outcome.DENY
    resume_agreement(node, "SHARE", "order")
    world.tick()
    assert decide_item(node, product, HUR).outcome is Outcome.PERMIT


# ---- partners


def test_a_partner_is_known_by_a_certificate_and_key_that_no_other_has(world):
    node = world.node(IQPS)
    card = node_card(world.node(HUR), "https://127.0.0.1:1")
    own = node_card(node, "https://127.0.0.1:1")
    keys = MemoryKeys(HUR, node.now(), b"new")
    others = {"certificate": keys.certificate_der, "signing_key": keys.public_key, "sealing_key": keys.sealing_key}
    fresh = card | {name: base64.b64encode(key).decode() for name, key in others.items()}
    french = base64.b64encode(MemoryKeys(parse_party("FRA"), node.now(), b"french").certificate_der).decode()
    for faulty, field in (
        (card | {"party": "FRA"}, "certificate"),
        (card | {"party": "FRA", "certificate": french}, "signing_key"),
        (own | {"party": "FRA"}, "certificate"),
        (own | {"party": "FRA", "certificate": french}, "signing_key"),
        (own, "party"),
        (card | {"url": "http://127.0.0.1"}, "url"),
        (card | {"signing_key": "AAAA"}, "signing_key"),
        (card | {"certificate": "?"}, "certificate"),
        (card | {"more": 1}, "more"),
    ):
        with pytest.raises(InputError) as caught:
            pin_partner(node, faulty)
        assert caught.value.field == field
    # Another key that its former one does not vouch for is pinned only once the partner was removed.
    with pytest.raises(InputError) as caught:
        pin_partner(node, fresh)
    assert caught.value.field == "signing_key"
    remove_partner(node, HUR)
    assert pin_partner(node, fresh) == HUR
    assert node.partner(HUR).signing_key != world.node(HUR).keys.public_key


def test_a_nation_names_its_one_partner_and_no_stranger(world):
    node = world.node(IQPS)
    assert node.partner_named("UKR") == HUR
    assert node.partner_named("NZL") == NZL
    assert node.partner_named("FRA") == "FRA"
    with pytest.raises(InputError):
        node.partner(node.partner_named("FRA"))


# ---- the tail


def test_a_node_that_was_moved_serves_takes_and_confirms_nothing_until_its_tail_is_confirmed(any_world):
    world = any_world
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    node, desk = world.node(IQPS), world.desk(IQPS)
    blob = node.store.book.outgoing(HUR, 0, 1)[0].blobs[0]
    tail = node.journal.verify().tail
    world.places[IQPS] = "elsewhere"
    for act in (
        lambda: desk.feed(HUR, 0, 10),
        lambda: desk.blob(HUR, blob, 0, 1),
        lambda: desk.receipt(HUR, b"{}"),
        lambda: world.pull(IQPS, HUR),
    ):
        with pytest.raises(TailUnconfirmed):
            act()
    size = node.store.log.size()
    for wrong in ("", tail[:-1], "0:" + "0" * 64, tail.replace(":", " "), tail.upper()):
        with pytest.raises(InputError):
            node.confirm_tail(wrong)
    assert node.store.log.size() == size
    assert not node.is_confirmed()
    node.confirm_tail(tail)
    world.tick()
    assert desk.blob(HUR, blob, 0, 1) is not None
    world.places[IQPS] = "here"
    with pytest.raises(TailUnconfirmed):
        desk.feed(HUR, 0, 10)
