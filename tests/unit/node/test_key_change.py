"""The chain of keys: what the former ones signed in their time counts, what claims to be theirs later does not."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta

import pytest
from simulators.nodes import HUR, IQPS, MARKINGS, NZL, START, World

from kizuna.adapters.memory import MemoryBlobs, MemoryStore
from kizuna.errors import InputError, LogDamaged, PartnerMisbehaved
from kizuna.exchange.envelope import seal
from kizuna.exchange.feed import page_from_bytes
from kizuna.exchange.messages import Closed, ConsentNotice, KeyStatement, LogCheckpoint
from kizuna.exchange.rotation import Rotation, seal_rotation, unseal_rotation
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, format_instant
from kizuna.model.provenance import FactKind
from kizuna.node.founding import found_node, node_card, pin_partner, remove_partner
from kizuna.node.journal import OWN_KEYS, Journal
from kizuna.node.key_change import (
    announce_keys,
    announce_sealing_key,
    due_key,
    hand_over_statements,
    revoke_key,
    rotate_keys,
    unaware,
)
from kizuna.node.messages import queue_message
from kizuna.node.onward import tell_consent
from kizuna.node.share import Sharing
from kizuna.node.state import Node
from kizuna.node.witness import checkpoint_for_witness, seen_size, take_cosignature, witness, witness_lines
from kizuna.node.witnessing import send_checkpoint
from kizuna.release.agreements import Bound, Term


@pytest.fixture
def world():
    """Two nodes with an agreement between them."""
    made = World()
    made.befriend(IQPS, HUR)
    for party in (IQPS, HUR):
        made.agree(party)
    return made


def rotate(world, party=IQPS):
    """Rotate a node's keys; give the former ones."""
    node = world.node(party)
    former = type(node.keys)(party, world.clock.now(), party.encode())
    assert former.key_id == node.keys.key_id
    rotate_keys(node, node.keys.make_next(party, node.now()))
    world.tick()
    return former


DAYS = timedelta(days=30)


def announce(world, party=IQPS):
    """Announce a node's next keys."""
    node = world.node(party)
    fresh = node.keys.make_next(party, node.now())
    found = announce_keys(node, fresh, DAYS)
    world.tick()
    return fresh, found


def introduce_anew(world):
    return pin_partner(world.node(HUR), node_card(world.node(IQPS), "https://127.0.0.1:1"))


def test_announced_keys_are_used_once_every_partner_knows_them_and_nothing_is_refused(world):
    here, there = world.node(IQPS), world.node(HUR)
    first = world.take_in(IQPS, 1)
    former = here.keys.key_id
    fresh, announced = announce(world)
    assert (due_key(here), unaware(here), here.keys.key_id) == (None, [HUR], former)
    with pytest.raises(InputError) as caught:
        announce_keys(here, fresh, DAYS)
    assert caught.value.field == "keys"
    world.pull(HUR, IQPS)
    assert (due_key(here), unaware(here)) == (fresh.key_id, [])
    # Known before it is used: what either signs is taken, and either certificate is that of the partner.
    known = there.partner(IQPS)
    assert known.signing_key == fresh.public_key
    assert known.certificates(world.clock.now()) == (fresh.certificate_der, here.keys.certificate_der)
    second = world.take_in(IQPS, 2)
    world.pull(HUR, IQPS)
    rotate_keys(here, fresh)
    world.tick()
    third = world.take_in(IQPS, 3)
    world.pull(HUR, IQPS)
    assert {item.product.id for item in there.store.items.all()} == {first.id, second.id, third.id}
    assert here.journal.verify().size == here.store.log.size()
    assert here.knowledge().announced is None
    # A second process that found it due does it no second time.
    size = here.store.log.size()
    rotate_keys(here, fresh)
    assert here.store.log.size() == size
    # Both end when it was said, and a former key's word from before then still counts.
    end = announced.until
    assert known.certificates(end) == (fresh.certificate_der,)
    assert there.partner(IQPS).signing_at(Instant(end + timedelta(seconds=1))) == (fresh.public_key,)


def test_a_former_certificate_is_refused_at_its_end_and_once_revoked(world):
    here, there = world.node(IQPS), world.node(HUR)
    former, shown = here.keys.key_id, hashlib.sha256(here.keys.certificate_der).hexdigest()
    fresh, announced = announce(world)
    world.pull(HUR, IQPS)
    desk = Sharing(there)
    assert desk.peer_of(shown) == IQPS
    # At its end.
    now = world.clock.now()
    world.clock.set(announced.until)
    assert desk.peer_of(shown) is None
    assert desk.peer_of(hashlib.sha256(fresh.certificate_der).hexdigest()) == IQPS
    world.clock.set(now)
    # On revocation, at once; what it signed, too.
    revoke_key(there, IQPS, former, "Stolen.")
    world.tick()
    assert desk.peer_of(shown) is None
    assert desk.peer_of(hashlib.sha256(fresh.certificate_der).hexdigest()) == IQPS
    rotate_keys(here, fresh)
    world.tick()
    world.take_in(IQPS, 1)
    assert len(world.pull(HUR, IQPS).received) == 1
    # Nothing that the thief signs is taken, whatever date it bears.
    late = seal("x", {"made_at": format_instant(now)}, type(here.keys)(IQPS, now, IQPS.encode()))
    with pytest.raises(PartnerMisbehaved, match="revoked"):
        there.partner(IQPS).key_for(late)


def test_announced_keys_are_used_on_their_day_whoever_has_not_confirmed(world):
    here = world.node(IQPS)
    fresh, announced = announce(world)
    world.clock.set(Instant(announced.by - timedelta(seconds=1)))
    assert due_key(here) is None
    world.tick()
    assert (due_key(here), unaware(here)) == (fresh.key_id, [HUR])
    rotate_keys(here, fresh)
    world.tick()
    # Whoever comes later needs the card, which it may have from anybody.
    with pytest.raises(PartnerMisbehaved):
        world.pull(HUR, IQPS)
    introduce_anew(world)
    world.pull(HUR, IQPS)


def test_a_partner_that_only_pulls_hands_its_announcement_over(world):
    here, there = world.node(IQPS), world.node(HUR)
    world.take_in(IQPS, 1)
    fresh, _ = announce(world, HUR)
    hand_over_statements(there, IQPS, world.way(HUR, IQPS))
    assert (unaware(there), due_key(there)) == ([], fresh.key_id)
    assert here.partner(HUR).signing_key == fresh.public_key
    size = here.store.log.size()
    hand_over_statements(there, IQPS, world.way(HUR, IQPS))
    assert here.store.log.size() == size
    # Under either certificate, before and after.
    assert len(world.pull(HUR, IQPS).received) == 1
    rotate_keys(there, fresh)
    world.tick()
    world.take_in(IQPS, 2)
    assert len(world.pull(HUR, IQPS).received) == 1
    assert here.store.book.acknowledged(HUR) == here.store.book.last_sequence(HUR)
    # Said once more, by its feed, nothing changes.
    size = here.store.log.size()
    world.pull(IQPS, HUR)
    assert [fact.kind for index, fact in here.journal.facts() if index >= size] == [FactKind.MESSAGE_RECEIVED]


@pytest.mark.parametrize("known", [False, True])
def test_a_card_tells_of_announced_keys_too(world, known):
    here, there = world.node(IQPS), world.node(HUR)
    old = node_card(here, "https://127.0.0.1:1")
    fresh, _ = announce(world)
    if known:
        world.pull(HUR, IQPS)
    assert introduce_anew(world) == IQPS
    assert there.partner(IQPS).signing_key == fresh.public_key
    assert len(there.partner(IQPS).certificates(world.clock.now())) == 2
    world.take_in(IQPS, 1)
    assert len(world.pull(HUR, IQPS).received) == 1
    # A card from before is behind what is known.
    with pytest.raises(InputError):
        pin_partner(there, old)
    stranger = world.node(NZL)
    pin_partner(stranger, node_card(here, "https://127.0.0.1:1"))
    assert stranger.partner(IQPS).signing_key == fresh.public_key
    # Whoever is pinned meanwhile is told, and waited for.
    pin_partner(here, node_card(stranger, ""))
    world.tick()
    assert unaware(here) == [NZL]
    world.pull(NZL, IQPS)
    assert due_key(here) == fresh.key_id


def test_statements_that_could_not_be_pinned_are_refused(world):
    here, there = world.node(IQPS), world.node(HUR)
    desk = Sharing(there)
    now = world.clock.now()
    fresh = here.keys.make_next(IQPS, now)

    def said(keys, **changes):
        whole = {"signing_key": keys.public_key, "certificate_der": keys.certificate_der, "party": IQPS} | changes
        return seal_rotation(Rotation(former_key_id=here.keys.key_id, at=now, **whole), here.keys, keys)

    expired = type(here.keys)(IQPS, Instant(now - timedelta(days=500)), b"old")
    ours = there.keys
    refused = [
        said(expired),
        said(fresh, certificate_der=b"none"),
        said(fresh, certificate_der=ours.certificate_der),
        said(ours),
        said(fresh, party=HUR),
        seal_rotation(Rotation(IQPS, fresh.key_id, fresh.public_key, fresh.certificate_der, now), fresh, fresh),
        seal("application/vnd.kizuna.rotation.1+json", {}, here.keys),
        seal("application/vnd.kizuna.sealing-key.1+json", {}, here.keys),
    ]
    size = there.store.log.size()
    for envelope in refused:
        assert desk.receipt(IQPS, envelope) is False
    assert there.store.log.size() == size
    # By the feed the same is refused as any malformed entry: the cursor stands.
    with here.store.transaction():
        queue_message(here, HUR, KeyStatement(refused[0].decode()), authority="test")
    world.tick()
    with pytest.raises(PartnerMisbehaved, match="ended"):
        world.pull(HUR, IQPS)
    assert there.store.book.cursor(IQPS) == 0
    assert desk.receipt(IQPS, said(fresh)) is True


def test_a_witness_goes_on_while_keys_are_announced(world):
    here, there = world.node(IQPS), world.node(HUR)
    take_cosignature(here, HUR, witness(there, IQPS, checkpoint_for_witness(here, 0)))
    fresh, announced = announce(world)
    world.pull(HUR, IQPS)
    for change in (lambda: None, lambda: rotate_keys(here, fresh)):
        change()
        world.tick()
        take_cosignature(here, HUR, witness(there, IQPS, checkpoint_for_witness(here, seen_size(there, IQPS))))
        assert seen_size(there, IQPS) == here.store.log.size()
    assert not witness_lines(there)[0].forked
    assert announced.key_id == fresh.key_id


def test_the_former_key_gives_up_and_the_new_one_takes_over_in_the_log(world):
    former = rotate(world)
    node = world.node(IQPS)
    kinds = [fact.kind for _index, fact in node.journal.facts()]
    assert kinds[-2:] == [FactKind.KEYS_ROTATED, FactKind.KEYS_TAKEN]
    assert node.journal.verify().size == len(kinds)
    assert node.journal.own_keys() == [former.public_key, node.keys.public_key]
    entries = list(node.store.log.entries())
    assert node.journal.key_of(entries[-2].envelope) == former.public_key
    assert node.journal.key_of(entries[-1].envelope) == node.keys.public_key


def test_a_log_without_its_rotation_does_not_verify(world):
    rotate(world)
    node = world.node(IQPS)
    keys = json.loads(node.store.setting(OWN_KEYS))
    with node.store.transaction():
        node.store.keep_setting(OWN_KEYS, json.dumps([keys[0], base64.b64encode(bytes(32)).decode(), keys[1]]))
    with pytest.raises(LogDamaged, match="names another key"):
        node.journal.verify()
    with node.store.transaction():
        node.store.keep_setting(OWN_KEYS, json.dumps(keys[1:]))
    with pytest.raises(LogDamaged, match="entry 0"):
        node.journal.verify()


def test_what_waited_and_what_was_signed_before_arrives_after_the_rotation(world):
    first = world.take_in(IQPS, 1)
    assert not Sharing(world.node(IQPS)).feed(HUR, 0, 10).refused
    second = world.take_in(IQPS, 2)
    rotate(world)
    with pytest.raises(PartnerMisbehaved):
        # A page in which the new key signs is not taken from a partner that has said nothing of it.
        world.pull(HUR, IQPS)
    introduce_anew(world)
    world.pull(HUR, IQPS)
    assert {item.product.id for item in world.node(HUR).store.items.all()} == {first.id, second.id}
    # What was numbered before goes under the present key, too.
    keys = [fact.body["key"] for _i, fact in world.node(HUR).journal.facts() if fact.kind is FactKind.PRODUCT_RECEIVED]
    assert keys == [world.node(IQPS).keys.key_id] * 2


def say_something_of_each_kind(world, number):
    """Queue what the present key signs: a product that may be passed on, a checkpoint, a consent, statements about keys."""
    here = world.node(IQPS)
    product = world.take_in(IQPS, number)
    assert not Sharing(here).feed(HUR, 0, 100).refused
    send_checkpoint(here, HUR)
    announce_sealing_key(here, b"former" * 5 + b"xx", DAYS)
    with here.store.transaction():
        tell_consent(here, product, NZL, Term(Bound(START, START, "x")), "order")
    world.tick()
    return product


@pytest.mark.parametrize("so_far", ["waits", "numbered", "confirmed"])
def test_what_a_key_signed_that_is_revoked_since_arrives_under_the_present_one(world, so_far):
    here, there = world.node(IQPS), world.node(HUR)
    announce(world)
    products = [say_something_of_each_kind(world, 1)]
    if so_far == "confirmed":
        # Its node is set back, and asks for all of it once more.
        world.pull(HUR, IQPS)
        there = world.nodes[HUR] = set_back(world)
    elif so_far == "numbered":
        Sharing(here).feed(HUR, 0, 100)
    former = rotate(world)
    products.append(world.take_in(IQPS, 2))
    revoke_key(there, IQPS, former.key_id, "Stolen.")
    remove_partner(there, IQPS)
    introduce_anew(world)
    world.tick()
    report = world.pull(HUR, IQPS)
    assert {product.id for product in report.received} == {product.id for product in products}
    types = {type(message.content) for message in report.messages}
    assert types == {Closed, LogCheckpoint, KeyStatement, ConsentNotice}
    last = here.store.book.last_sequence(HUR)
    assert here.store.book.acknowledged(HUR) == last == len(report.messages) + 2
    assert seen_size(there, IQPS) > 0
    # Asked once more, nothing is sealed another time, and the log says which bytes went under which number.
    size = here.store.log.size()
    entries = page_from_bytes(Sharing(here).feed(HUR, 0, 100).body).entries
    assert here.store.log.size() == size
    said = {f.body["sequence"]: f.body["entry"] for _i, f in here.journal.facts() if f.kind in SEQUENCED}
    assert [said[number] for number in range(1, last + 1)] == [digest_of(entry) for entry in entries]
    assert here.journal.verify().size == size


SEQUENCED = {FactKind.RELEASE_SEQUENCED, FactKind.MESSAGE_SEQUENCED}


def set_back(world):
    """Node of HUR as it was before it got anything."""
    node = Node(Journal(HUR, MemoryStore(), world.node(HUR).keys, world.clock), MemoryBlobs(), lambda: "here", "officer")
    found_node(node, MARKINGS, ())
    pin_partner(node, node_card(world.node(IQPS), "https://127.0.0.1:1"))
    world.tick()
    return node


def test_a_former_key_signs_nothing_that_is_younger_than_the_rotation(world):
    former = rotate(world)
    introduce_anew(world)
    partner = world.node(HUR).partner(IQPS)
    (gave_up,) = partner.former
    early = seal("x", {"made_at": format_instant(gave_up.until)}, former)
    late = seal("x", {"made_at": format_instant(world.clock.now())}, former)
    dateless = seal("x", {"more": 1}, former)
    assert partner.key_for(early) == former.public_key
    assert partner.key_for(late) == partner.key_for(dateless) == partner.signing_key != former.public_key
    revoke_key(world.node(HUR), IQPS, former.key_id, "Stolen.")
    partner = world.node(HUR).partner(IQPS)
    assert partner.keys == (partner.signing_key,)
    with pytest.raises(PartnerMisbehaved, match="revoked"):
        partner.key_for(early)
    # A revoked key stays revoked, whoever comes with it.
    with pytest.raises(InputError) as caught:
        pin_partner(
            world.node(HUR),
            node_card(world.node(IQPS), "") | {"signing_key": base64.b64encode(former.public_key).decode()},
        )
    assert caught.value.field == "signing_key"


def test_two_rotations_are_followed_in_one_step_and_knowledge_is_replayed(world):
    rotate(world)
    node = world.node(IQPS)
    rotate_keys(node, node.keys.make_next(IQPS, node.now()))
    world.tick()
    assert introduce_anew(world) == IQPS
    there = world.node(HUR)
    assert there.partner(IQPS).signing_key == node.keys.public_key
    assert len(there.partner(IQPS).former) == 2
    assert node.journal.verify().size == node.store.log.size()
    there._learned.clear()
    assert len(there.partner(IQPS).former) == 2


def test_a_witness_goes_on_across_a_rotation(world):
    here, there = world.node(IQPS), world.node(HUR)
    take_cosignature(here, HUR, witness(there, IQPS, checkpoint_for_witness(here, 0)))
    seen = seen_size(there, IQPS)
    rotate(world)
    introduce_anew(world)
    assert seen_size(there, IQPS) == seen
    take_cosignature(here, HUR, witness(there, IQPS, checkpoint_for_witness(here, seen)))
    assert seen_size(there, IQPS) == here.store.log.size()


def test_a_statement_needs_both_keys(world):
    former = world.node(IQPS).keys
    fresh = former.make_next(IQPS, world.clock.now())
    said = Rotation(IQPS, former.key_id, fresh.public_key, fresh.certificate_der, world.clock.now())
    genuine = seal_rotation(said, former, fresh)
    assert unseal_rotation(genuine, former.public_key) == said
    other = world.node(HUR).keys
    forged = [
        (seal_rotation(said, other, fresh), former.public_key),
        (seal_rotation(said, former, other), former.public_key),
        (seal_rotation(said, other, fresh), other.public_key),
        (genuine, fresh.public_key),
        (genuine[:-1], former.public_key),
    ]
    # Another certificate in a statement that the former key signs again: the new key has not signed that.
    payload = parse_json(base64.b64decode(parse_json(genuine)["payload"]))
    changed = payload | {"certificate": base64.b64encode(b"other").decode()}
    forged.append((seal("application/vnd.kizuna.rotation.1+json", changed, former), former.public_key))
    for envelope, key in forged:
        with pytest.raises(PartnerMisbehaved):
            unseal_rotation(envelope, key)
    assert canonical(payload)
