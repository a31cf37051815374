"""What people are told of the handing over: true after every step, and read from the book once, not once a row."""

from __future__ import annotations

import pytest
from simulators.nodes import HUR, IQPS, NZL

from kizuna.adapters.memory import MemoryStore
from kizuna.model.provenance import FactKind
from kizuna.node.people import PeopleRoom, Person
from kizuna.node.share import Sharing

AIKO = Person("Aiko", "officer")


def room(world):
    return PeopleRoom(world.node(IQPS), lambda *_: None)


def told(people, product):
    """Delivery by partner."""
    said = {release.partner: release.delivery for release in people.releases(AIKO, product.id)}
    return {partner: None if message is None else message.render() for partner, message in said.items()}


def by_the_book(world, product):
    """What is to be told, read plainly."""
    book = world.node(IQPS).store.book
    for entry in book.outgoing(HUR, 0, 100):
        if entry.product == product.id:
            return f"{'received' if entry.sequence <= book.acknowledged(HUR) else 'sent'} as number {entry.sequence}"
    return "queued" if product.id in book.waiting(HUR) else None


def test_one_desk_tells_every_step_of_the_handing_over(any_world):
    world = any_world
    people = room(world)
    before = world.take_in(IQPS, 9)
    assert told(people, before) == {HUR: None, NZL: None}
    world.agree(IQPS)
    products = [before, world.take_in(IQPS, 1), world.take_in(IQPS, 2)]
    assert told(people, products[1]) == {HUR: "queued", NZL: None}
    for _ in range(2):
        world.desk(IQPS).feed(HUR, 0, 1)
        said = [told(people, product)[HUR] for product in products]
        assert said == [by_the_book(world, product) for product in products]
        assert "sent as number 1" in said
    world.desk(IQPS).feed(HUR, 0, 100)
    assert {told(people, product)[HUR] for product in products} == {f"sent as number {number}" for number in (1, 2, 3)}
    world.pull(HUR, IQPS)
    assert {told(people, product)[HUR] for product in products} == {f"received as number {number}" for number in (1, 2, 3)}
    assert told(room(world), before) == told(people, before)


def test_after_a_change_only_what_was_added_to_the_feed_is_read(world, monkeypatch):
    world.agree(IQPS)
    people = room(world)
    products = [world.take_in(IQPS, number) for number in range(1, 6)]
    world.pull(HUR, IQPS)
    book = world.node(IQPS).store.book
    read, outgoing = [], book.outgoing

    def counted(partner, after, limit):
        found = outgoing(partner, after, limit)
        read.extend(entry.sequence for entry in found if partner == HUR)
        return found

    monkeypatch.setattr(type(book), "outgoing", lambda _, *asked: counted(*asked))
    for product in products * 2:
        assert told(people, product)[HUR].startswith("received as number")
    assert sorted(read) == [1, 2, 3, 4, 5]
    sixth = world.take_in(IQPS, 6)
    Sharing(world.node(IQPS)).feed(HUR, 5, 100)
    read.clear()
    assert told(people, sixth)[HUR] == "sent as number 6"
    assert sorted(read) == [5, 6]


def test_a_store_that_was_exchanged_is_read_anew(world, monkeypatch):
    world.agree(IQPS)
    people = room(world)
    product = world.take_in(IQPS, 1)
    world.pull(HUR, IQPS)
    assert told(people, product)[HUR] == "received as number 1"
    node, book = world.node(IQPS), MemoryStore().book
    monkeypatch.setattr(type(node.store), "book", property(lambda _: book))
    assert told(people, product)[HUR] == "received as number 1", "the log says that nothing changed"
    with node.store.transaction():
        node.journal.record(FactKind.PRODUCT_PUBLISHED, {"product": {}}, by="officer", authority=IQPS)
    assert told(people, product)[HUR] is None


@pytest.mark.parametrize("number", [1, 2])
def test_nothing_is_told_of_what_is_not_here(world, number):
    assert room(world).releases(AIKO, world.hold(HUR, number).id) == []
