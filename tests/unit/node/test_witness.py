"""Two nodes witness each other: honest logs are cosigned, a fork and a lost end are found and named."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from simulators.nodes import HUR, IQPS, NZL

from kizuna.adapters.memory import MemoryKeys
from kizuna.errors import LogDamaged, PartnerMisbehaved, TailUnconfirmed
from kizuna.exchange.checkpoint import open_checkpoint
from kizuna.exchange.log_file import verify_export, verify_proof
from kizuna.exchange.witness import Fork, judge, read_request
from kizuna.model.provenance import FactKind
from kizuna.node.audit import verify_node
from kizuna.node.audit_files import export_log, log_key, prove_entry
from kizuna.node.audit_log import log_page, sentence
from kizuna.node.founding import node_card, pin_partner, remove_partner
from kizuna.node.witness import checkpoint_for_witness, seen_size, take_cosignature, witness, witness_lines


def round_of(world, log=IQPS, by=HUR, **choice):
    """One round: the witness asks, the log shows, the witness cosigns, the log keeps it."""
    here, there = world.node(log), world.node(by)
    note = witness(there, log, checkpoint_for_witness(here, seen_size(there, log), **choice))
    world.tick()
    return take_cosignature(here, by, note)


def forked_copy(world):
    """Put the log of IQPS back to what it is now when called, after it has gone on in another way."""
    store = world.node(IQPS).store
    state = store._shared._durable
    kept = replace(state, log=list(state.log), settings=dict(state.settings), items=dict(state.items), queue=dict(state.queue))

    def back():
        store._shared._durable = kept

    return back


def test_rounds_go_on_and_grow_nobodys_log(any_world):
    world = any_world
    sizes = []
    for number in range(1, 5):
        world.take_in(IQPS, number)
        before = world.node(HUR).store.log.size(), world.node(IQPS).store.log.size()
        at = round_of(world)
        assert at <= world.clock.now()
        assert (world.node(HUR).store.log.size(), world.node(IQPS).store.log.size()) == before
        sizes.append(seen_size(world.node(HUR), IQPS))
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == world.node(IQPS).store.log.size()
    # Nothing new: the same tree is cosigned again.
    assert round_of(world) > at
    assert seen_size(world.node(HUR), IQPS) == sizes[-1]
    verify_node(world.node(IQPS))


def test_both_directions_stand_in_the_list(world):
    round_of(world)
    round_of(world, HUR, IQPS)
    lines = {line.partner: line for line in witness_lines(world.node(IQPS))}
    size = world.node(IQPS).store.log.size()
    assert (lines[HUR].seen, lines[HUR].cosigned, lines[HUR].forked) == (world.node(HUR).store.log.size(), size, False)
    assert lines[HUR].cosigned_at is not None
    assert (lines[NZL].seen, lines[NZL].cosigned, lines[NZL].cosigned_at) == (0, 0, None)


def test_what_was_cosigned_goes_along_with_proofs_and_exports(world):
    round_of(world)
    node, witness_key = world.node(IQPS), log_key(HUR, world.node(HUR).keys.public_key)
    key = log_key(IQPS, node.keys.public_key)
    size = node.store.log.size()
    proof = verify_proof(prove_entry(node, 0), key=key, witnesses=[witness_key])
    assert [found.size for found in proof.cosigned] == [size]
    world.take_in(IQPS, 1)
    found = verify_export(export_log(node), key=key, witnesses=[witness_key])
    assert [found.size for found in found.cosigned] == [size]
    assert found.end > size
    # A proof is under the latest checkpoint, which nobody has cosigned yet.
    with pytest.raises(LogDamaged, match="cosigned by kizuna/UKR/HUR"):
        verify_proof(prove_entry(node, 0), key=key, witnesses=[witness_key])


def test_a_log_that_was_put_back_and_went_on_otherwise_is_found_named_and_kept(world):
    back = forked_copy(world)
    world.take_in(IQPS, 1)
    world.take_in(IQPS, 2)
    round_of(world)
    here, there = world.node(IQPS), world.node(HUR)
    seen, size = seen_size(there, IQPS), there.store.log.size()
    back()
    # The other future has as many entries and more: its owner hopes that nobody compares.
    for number in range(3, 7):
        world.take_in(IQPS, number)
    with pytest.raises(PartnerMisbehaved, match="JPN/IQPS has forked: its tree of") as caught:
        witness(there, IQPS, checkpoint_for_witness(here, seen))
    assert caught.value.field == "fork"
    assert seen_size(there, IQPS) == seen
    ((index, fact),) = [entry for entry in log_page(there).facts if entry[1].kind is FactKind.FORK_FOUND]
    assert index == size
    assert sentence(fact).render().startswith("JPN/IQPS signed a log that does not continue")
    # The evidence is whole: whoever holds the key sees the same from the two signed checkpoints.
    request = read_request(fact.body["request"].encode())
    found = judge(request, fact.body["seen"], origin="kizuna/JPN/IQPS", public_key=here.keys.public_key)
    assert isinstance(found, Fork)
    # Told once, not for each attempt.
    for _ in range(3):
        with pytest.raises(PartnerMisbehaved):
            witness(there, IQPS, checkpoint_for_witness(here, seen))
    assert there.store.log.size() == size + 1
    assert [line.forked for line in witness_lines(there) if line.partner == IQPS] == [True]


def test_two_trees_of_one_size_end_all_cosigning_until_the_partner_is_pinned_anew(world):
    back = forked_copy(world)
    world.take_in(IQPS, 1)
    first = checkpoint_for_witness(world.node(IQPS), 0)
    witness(world.node(HUR), IQPS, first)
    back()
    world.tick()
    world.take_in(IQPS, 2)
    node, there = world.node(IQPS), world.node(HUR)
    seen = seen_size(there, IQPS)
    assert node.store.log.size() == seen
    with pytest.raises(PartnerMisbehaved, match="two different trees") as caught:
        witness(there, IQPS, checkpoint_for_witness(node, seen))
    assert caught.value.field == "fork"
    (fact,) = [fact for _index, fact in log_page(there).facts if fact.kind is FactKind.FORK_FOUND]
    assert fact.body["proven"] is True
    # Even what was cosigned before is not cosigned again.
    with pytest.raises(PartnerMisbehaved, match="two different logs before"):
        witness(there, IQPS, b"old %d\n" % seen + first.removeprefix(b"old 0\n"))
    # Pinned anew under a new key it has another log, and begins again.
    fresh = MemoryKeys(IQPS, world.clock.now(), b"new")
    keys = {"signing_key": fresh.public_key, "certificate": fresh.certificate_der}
    card = node_card(node, "https://127.0.0.1:1") | {name: base64.b64encode(key).decode() for name, key in keys.items()}
    remove_partner(there, IQPS)
    pin_partner(there, card)
    assert seen_size(there, IQPS) == 0


def test_a_log_that_lost_its_end_is_found_by_both_sides(world):
    back = forked_copy(world)
    world.take_in(IQPS, 1)
    note = witness(world.node(HUR), IQPS, checkpoint_for_witness(world.node(IQPS), 0))
    seen = seen_size(world.node(HUR), IQPS)
    back()
    node = world.node(IQPS)
    with pytest.raises(LogDamaged, match=f"has seen {seen} entries of this node's log, which has {node.store.log.size()}"):
        checkpoint_for_witness(node, seen)
    with pytest.raises(LogDamaged, match="lost its end"):
        take_cosignature(node, HUR, note)
    while node.store.log.size() < seen:
        world.tick()
        world.take_in(IQPS, node.store.log.size())
    with pytest.raises(LogDamaged, match=f"another tree of {seen} entries"):
        take_cosignature(node, HUR, note)


def test_a_node_that_lost_its_end_but_kept_the_cosignatures_does_not_verify(world):
    back = forked_copy(world)
    world.take_in(IQPS, 1)
    round_of(world)
    node = world.node(IQPS)
    kept = dict(node.store._shared._durable.settings)
    back()
    verify_node(node)
    node.store._shared._durable.settings.update(kept)
    with pytest.raises(LogDamaged, match="lost its end"):
        verify_node(node)


def test_a_proof_from_another_size_is_asked_for_again(world):
    round_of(world)
    there = world.node(HUR)
    seen = seen_size(there, IQPS)
    world.take_in(IQPS, 1)
    with pytest.raises(PartnerMisbehaved) as caught:
        witness(there, IQPS, checkpoint_for_witness(world.node(IQPS), seen - 1))
    assert caught.value.field == "old"
    assert caught.value.message.values["size"] == seen
    # An old request that comes again takes nothing back.
    with pytest.raises(PartnerMisbehaved):
        witness(there, IQPS, checkpoint_for_witness(world.node(IQPS), 0))
    assert seen_size(there, IQPS) == seen


def test_a_checkpoint_of_a_third_party_or_of_nobody_is_refused(world):
    body = checkpoint_for_witness(world.node(NZL), 0)
    for bad in (body, b"", b"old 0\n\n", body[:-5]):
        with pytest.raises(PartnerMisbehaved) as caught:
            witness(world.node(HUR), IQPS, bad)
        assert caught.value.field is None
    assert seen_size(world.node(HUR), IQPS) == 0


def test_a_cosignature_must_be_the_partner_s_on_a_checkpoint_of_ours(world):
    node = world.node(IQPS)
    note = witness(world.node(HUR), IQPS, checkpoint_for_witness(node, 0))
    for bad in (
        note.replace(b"UKR/HUR", b"UKR/XXX"),
        node.store.log.checkpoint().encode(),
        world.node(HUR).store.log.checkpoint().encode(),
        note[:-4],
        b"\xff",
    ):
        with pytest.raises(PartnerMisbehaved):
            take_cosignature(node, HUR, bad)
    with pytest.raises(PartnerMisbehaved, match="not cosigned"):
        take_cosignature(node, NZL, note)
    assert witness_lines(node)[1].cosigned == 0


def test_an_older_cosignature_does_not_replace_a_newer_one(world):
    node, there = world.node(IQPS), world.node(HUR)
    first = witness(there, IQPS, checkpoint_for_witness(node, 0))
    world.take_in(IQPS, 1)
    round_of(world)
    take_cosignature(node, HUR, first)
    assert {line.partner: line.cosigned for line in witness_lines(node)}[HUR] == node.store.log.size()


def test_until_tells_no_more_than_was_recorded_before(world):
    node = world.node(IQPS)
    noon = world.clock.now()
    size = node.store.log.size()
    world.take_in(IQPS, 1)
    round_of(world, until=noon)
    assert seen_size(world.node(HUR), IQPS) == size
    body = checkpoint_for_witness(node, size, until=noon)
    assert body == checkpoint_for_witness(node, size, until=noon)
    name, key = log_key(IQPS, node.keys.public_key)
    note = read_request(body).note
    assert open_checkpoint(note, origin=name, key_name=name, public_key=key).size == size
    # All of it, once the day is over; never less than what was seen.
    assert checkpoint_for_witness(node, size, until=world.clock.now()) == checkpoint_for_witness(node, size)
    round_of(world)
    assert b"\n%d\n" % node.store.log.size() in checkpoint_for_witness(node, node.store.log.size(), until=noon)


def test_a_copied_node_neither_shows_nor_cosigns(world):
    body = checkpoint_for_witness(world.node(IQPS), 0)
    world.places[IQPS] = world.places[HUR] = "elsewhere"
    with pytest.raises(TailUnconfirmed):
        checkpoint_for_witness(world.node(IQPS), 0)
    with pytest.raises(TailUnconfirmed):
        witness(world.node(HUR), IQPS, body)
