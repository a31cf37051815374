"""The chain of keys: what the former ones signed in their time counts, what claims to be theirs later does not."""

from __future__ import annotations

import base64
import json

import pytest
from simulators.nodes import HUR, IQPS, World

from kizuna.errors import InputError, LogDamaged, PartnerMisbehaved
from kizuna.exchange.envelope import seal
from kizuna.exchange.rotation import Rotation, seal_rotation, unseal_rotation
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.instants import format_instant
from kizuna.model.provenance import FactKind
from kizuna.node.founding import node_card, pin_partner
from kizuna.node.journal import OWN_KEYS
from kizuna.node.key_change import revoke_key, rotate_keys
from kizuna.node.share import Sharing
from kizuna.node.witness import checkpoint_for_witness, seen_size, take_cosignature, witness


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


def introduce_anew(world):
    return pin_partner(world.node(HUR), node_card(world.node(IQPS), "https://127.0.0.1:1"))


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
    keys = [fact.body["key"] for _i, fact in world.node(HUR).journal.facts() if fact.kind is FactKind.PRODUCT_RECEIVED]
    assert len(set(keys)) == 2


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
