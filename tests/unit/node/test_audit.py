"""What a person with the database in hands changes behind the node's back is found and named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.nodes import HUR, IQPS

from kizuna.adapters.memory import MemoryStore
from kizuna.adapters.tail_anchor import FileTailAnchor, MemoryTailAnchor
from kizuna.errors import LogDamaged, TailUnconfirmed
from kizuna.node.audit import verify_node
from kizuna.node.state import Node


@pytest.fixture
def shared(world):
    world.agree(IQPS)
    world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    return world


def test_an_untouched_node_verifies(shared):
    assert verify_node(shared.node(IQPS)).size == shared.node(IQPS).store.log.size()
    assert verify_node(shared.node(HUR)).size == shared.node(HUR).store.log.size()


@pytest.mark.parametrize("party", [IQPS, HUR])
def test_a_label_that_was_changed_in_the_store_is_found(shared, party):
    store = shared.node(party).store
    (item,) = store.items.all()
    label = replace(item.product.label, releasable_to=())
    store.items.put(replace(item, product=replace(item.product, label=label)))
    with pytest.raises(LogDamaged, match=item.product.id):
        verify_node(shared.node(party))


def test_a_product_that_was_removed_from_the_store_is_found(shared):
    state = shared.node(IQPS).store._shared._durable
    state.items.clear()
    with pytest.raises(LogDamaged, match="the store does not"):
        verify_node(shared.node(IQPS))


def test_a_feed_entry_that_was_removed_or_exchanged_is_found(shared):
    state = shared.node(IQPS).store._shared._durable
    (key,) = [key for key, outgoing in state.queue.items() if outgoing is not None]
    state.queue[key] = replace(state.queue[key], envelope=b"{}")
    with pytest.raises(LogDamaged, match="entry 1 of the feed"):
        verify_node(shared.node(IQPS))
    del state.queue[key]
    with pytest.raises(LogDamaged, match="entry 1 of the feed"):
        verify_node(shared.node(IQPS))


def test_nothing_is_decided_on_a_log_that_lost_its_end(shared):
    node = shared.node(IQPS)
    state = node.store._shared._durable
    state.log.pop()
    again = Node(node.journal, node.blobs, lambda: "here", "x")
    with pytest.raises(LogDamaged, match="root"):
        again.knowledge()


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_an_old_copy_in_the_same_place_serves_nothing(shared, tmp_path, kind):
    node = shared.node(IQPS)
    anchor = MemoryTailAnchor() if kind == "memory" else FileTailAnchor(tmp_path / "state", node.keys.key_id)
    here = Node(node.journal, node.blobs, lambda: "here", "x", anchor)
    before = node.store._shared._durable
    old = replace(before, log=list(before.log), settings=dict(before.settings))
    shared.take_in(IQPS, 2)
    here.require_confirmed()
    assert anchor.read()[0] == node.store.log.size()
    node.store._shared._durable = old
    with pytest.raises(TailUnconfirmed):
        here.require_confirmed()


def test_a_state_folder_that_cannot_be_written_leaves_the_stamp(shared, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    node = shared.node(IQPS)
    here = Node(node.journal, node.blobs, lambda: "here", "x", FileTailAnchor(blocked / "state", "key"))
    here.require_confirmed()
    assert isinstance(node.store, MemoryStore)
