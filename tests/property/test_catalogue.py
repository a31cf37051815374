"""The catalogue finds what a look at every product finds, whichever plan it takes, page by page, and while others write."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from simulators.catalogue import a_query, counted_plainly, found_plainly, later, make_catalogue_world
from simulators.products import product_id
from simulators.registers import GIVER

from kizuna.adapters.memory import MemoryStore
from kizuna.adapters.sqlite import SqliteStore
from kizuna.catalog.aggregate import Aggregation, Measure, Period
from kizuna.catalog.column_index import ColumnIndex, Plan
from kizuna.catalog.query import NEWEST_FIRST, OLDEST_FIRST, Order, Query
from kizuna.catalog.store import Item
from kizuna.node.catalogue import detected_remains

SEEDS = st.integers(0, 2**32 - 1)


@contextmanager
def sqlite_store():
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder) / "node.sqlite")) as store:
        yield store


def pages(index, store, query, sight):
    """Ids of all items, page by page."""
    found = []
    while True:
        page = index.search(query, sight)
        items = store.items.with_numbers(page.numbers)
        if len(items) < len(page.numbers):
            # One was put again just now: the question is asked again, as the catalogue does.
            continue
        assert len(page.numbers) <= query.limit
        found += [items[number].product.id for number in page.numbers]
        if not page.more:
            return found
        query = replace(query, after=page.last)


def index_of(store, plan=None):
    return ColumnIndex(store.items, GIVER, detected_remains, plan)


@settings(max_examples=8, deadline=None)
@given(SEEDS, st.sampled_from([0.02, 0.1, 0.3]), st.integers(1, 12))
def test_every_plan_finds_what_a_look_at_each_product_finds(seed, oddity, limit):
    random = Random(seed)
    made = make_catalogue_world(random, 43, oddity=oddity)
    with sqlite_store() as store:
        indices = [index_of(store, plan) for plan in (*Plan, None)]
        # In several lots, so that there are several segments, and some is put again or taken away.
        held = {}
        for lot in (made.products[:36], made.products[36:42], made.products[42:]):
            again = [replace(p, resolution_m=9.0) for p in random.sample(list(held.values()), 2 if len(lot) == 6 else 0)]
            store.items.put_all(Item(product) for product in (*lot, *again))
            held |= {product.id: product for product in (*lot, *again)}
            if len(lot) > 1:
                store.items.remove(held.pop(random.choice(lot).id).id)
            indices[0].search(Query(), made.sight(store.items, None, made.world.instant()))
            kept = store.items.with_numbers(range(1, 99))
            assert {item.product.id: item.product for item in kept.values()} == held
            callers = [None, *random.sample(made.world.partners, min(2, len(made.world.partners)))]
            at = made.world.instant()
            recalled = random.sample(list(held), 3)
            sights = [made.sight(store.items, caller, at, recalled if caller else ()) for caller in callers]
            for sight in sights:
                for _ in range(3):
                    query = a_query(random, made.world, limit)
                    expected = found_plainly(query, sight, list(held.values()))
                    for index in indices:
                        assert pages(index, store, query, sight) == expected


def test_many_questions_to_one_world():
    random = Random(11)
    made = make_catalogue_world(random, 30, oddity=0.4)
    store = MemoryStore()
    store.items.put_all(Item(product) for product in made.products)
    index, at = index_of(store), made.world.instant()
    sights = [made.sight(store.items, caller, at) for caller in (None, *made.world.partners[:2])]
    for number in range(150):
        query, sight = a_query(random, made.world, 9), sights[number % 3]
        assert pages(index, store, query, sight) == found_plainly(query, sight, made.products), query


def test_counts_are_those_of_what_the_caller_finds():
    """By whichever plan, for people and partners; what is hidden counts nowhere."""
    random = Random(23)
    made = make_catalogue_world(random, 60, oddity=0.3)
    kinds = [*(Aggregation(Measure.TIME, period=period) for period in Period), *(Aggregation(m) for m in Measure)]
    kinds += [Aggregation(measure, precision) for measure in (Measure.GEOHASH, Measure.TILE) for precision in (2, 5, 8)]
    with sqlite_store() as store:
        indices = [index_of(store, plan) for plan in Plan]
        for lot in (made.products[:40], made.products[40:]):
            store.items.put_all(Item(product) for product in lot)
            indices[0].search(Query(), made.sight(store.items, None, made.world.instant()))
        at = made.world.instant()
        sights = [made.sight(store.items, caller, at) for caller in (None, *made.world.partners[:2])]
        for number in range(15):
            query, sight = a_query(random, made.world, 3), sights[number % 3]
            expected = tuple(counted_plainly(kind, query, sight, made.products) for kind in kinds)
            for index in indices:
                assert index.aggregate(query, kinds, sight) == expected
                after = index.search(query, sight).last
                assert index.aggregate(replace(query, after=after), kinds, sight) == expected


@settings(max_examples=4, deadline=None)
@given(SEEDS, st.sampled_from([0.1, 0.3]))
def test_what_is_kept_of_a_partners_sight_is_given_up_in_time(seed, oddity):
    """Hour by hour, so that labels become due, delays pass, agreements begin and end between the questions."""
    random = Random(seed)
    made = make_catalogue_world(random, 40, oddity=oddity)
    store = MemoryStore()
    store.items.put_all(Item(product) for product in made.products)
    index = index_of(store)
    partner = random.choice(made.world.partners)
    at, placer = made.world.instant(0, 250), None
    for _ in range(25):
        sight = made.sight(store.items, partner, at)
        placer = placer or sight.placer
        sight = replace(sight, placer=placer)
        query = Query(limit=100)
        assert pages(index, store, query, sight) == found_plainly(query, sight, made.products)
        at = later(at, hours=random.choice([1, 24, 200]))


def test_the_worlds_show_something_and_hide_something():
    """Else the properties above would hold of nothing."""
    shown = hidden = 0
    for seed in range(5):
        made = make_catalogue_world(Random(seed), 40)
        store = MemoryStore()
        store.items.put_all(Item(product) for product in made.products)
        for partner in made.world.partners:
            found = found_plainly(Query(), made.sight(store.items, partner, made.world.instant()), made.products)
            shown, hidden = shown + len(found), hidden + 40 - len(found)
    assert min(shown, hidden) > 60


def test_each_item_comes_once_while_others_are_put():
    made = make_catalogue_world(Random(7), 300, oddity=0.02)
    there, later_on = made.products[:150], made.products[150:]
    with sqlite_store() as store:
        store.items.put_all(Item(product) for product in there)
        index, stop = index_of(store), threading.Event()

        def write():
            for number, product in enumerate(later_on):
                if stop.is_set():
                    return
                store.items.put(Item(product))
                if number % 3 == 0:
                    store.items.put(Item(replace(product, version=2)))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            sight = made.sight(store.items, None, made.world.instant())
            for order in (NEWEST_FIRST, OLDEST_FIRST, (Order("gsd"), *NEWEST_FIRST)):
                found = pages(index, store, Query(limit=7, order=order), sight)
                assert len(found) == len(set(found))
                assert {product.id for product in there} <= set(found)
        finally:
            stop.set()
            writer.join()
        assert product_id(0) in found
