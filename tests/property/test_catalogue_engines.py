"""PostgreSQL searches as the embedded index does, and as a look at every product: the same pages, positions, ends and counts."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from random import Random

import pytest
from simulators.catalogue import a_query, counted_plainly, found_plainly, make_catalogue_world
from simulators.registers import BEGIN, GIVER

from kizuna.adapters.memory import MemoryStore
from kizuna.adapters.postgres_index import PostgresIndex
from kizuna.adapters.postgres_search import COLUMNS
from kizuna.adapters.stores import index_of
from kizuna.catalog.aggregate import Aggregation, Measure
from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.cql2 import And, Compare, Comparison, Like, Not, OneOf
from kizuna.catalog.query import QUERYABLES, Query
from kizuna.catalog.store import Item
from kizuna.errors import StoreError
from kizuna.node.catalogue import detected_remains
from kizuna.release.agreements import Relabelling


def pages(index, store, query, sight):
    """Pages: ids of their items, where each ends, and whether others follow."""
    found = []
    while True:
        page = index.search(query, sight)
        items = store.items.with_numbers(page.numbers)
        found.append(([items[number].product.id for number in page.numbers], page.last, page.more))
        if not page.more:
            return found
        query = replace(query, after=page.last)


def some_of_others(random, made):
    """Some products become another's, who did not label them."""
    for place in random.sample(range(len(made.products)), len(made.products) // 6):
        made.products[place] = replace(made.products[place], originator=random.choice(made.world.partners))


def ids(answer):
    return [id_ for page, _, _ in answer for id_ in page]


@pytest.mark.parametrize(("seed", "oddity"), [(1, 0.02), (4, 0.4)])
def test_both_engines_answer_alike(postgres_server, seed, oddity):
    random = Random(seed)
    made = make_catalogue_world(random, 60, oddity=oddity)
    some_of_others(random, made)
    embedded = MemoryStore()
    with closing(postgres_server.new_store()) as store:
        indices = (ColumnIndex(embedded.items, GIVER, detected_remains), index_of(store, GIVER))
        assert isinstance(indices[1], PostgresIndex)
        held, placer = {}, made.sight(store.items, None, made.world.instant()).placer
        for lot in (made.products[:45], made.products[45:57], made.products[57:]):
            again = [replace(p, resolution_m=9.0) for p in random.sample(list(held.values()), 3 if len(lot) == 12 else 0)]
            gone = random.choice(lot).id
            held |= {product.id: product for product in (*lot, *again)}
            held.pop(gone)
            for one in (embedded, store):
                one.items.put_all(Item(product) for product in (*lot, *again))
                one.items.remove(gone)
            at = made.world.instant()
            recalled = random.sample(list(held), random.choice([0, 3]))
            for caller in (None, *random.sample(made.world.partners, min(3, len(made.world.partners)))):
                # With the same areas, what is kept of a view is used again.
                sights = [
                    replace(made.sight(one.items, caller, at, recalled if caller else ()), placer=placer)
                    for one in (embedded, store)
                ]
                for _ in range(6):
                    query = a_query(random, made.world, random.randint(1, 12))
                    answers = [
                        pages(index, one, query, sight)
                        for index, one, sight in zip(indices, (embedded, store), sights, strict=True)
                    ]
                    assert answers[0] == answers[1], query
                    assert ids(answers[1]) == found_plainly(query, sights[1], list(held.values()))
                kinds = [Aggregation(measure) for measure in Measure]
                query = a_query(random, made.world, 5)
                expected = tuple(counted_plainly(kind, query, sights[1], list(held.values())) for kind in kinds)
                assert indices[1].aggregate(query, kinds, sights[1]) == expected


def test_a_corrected_label_counts_at_once_by_both_walls(postgres_server, monkeypatch):
    made = make_catalogue_world(Random(0), 50, oddity=0)
    products = [replace(product, lineage=()) for product in made.products]
    with closing(postgres_server.new_store()) as store:
        store.items.put_all(Item(product) for product in products)
        index, at = index_of(store, GIVER), made.world.instant()
        partner = max(
            made.world.partners, key=lambda one: len(found_plainly(Query(), made.sight(store.items, one, at), products))
        )
        before = ids(pages(index, store, Query(limit=100), made.sight(store.items, partner, at)))
        assert len(before) > 3
        # Of the first ones the originators let nobody have them any more.
        register = made.world.register
        withdrawn = tuple(
            Relabelling(product.id, replace(product.label, releasable_to=()), BEGIN)
            for product in products
            if product.id in before[:3]
        )
        made.world.register = replace(register, relabellings=(*register.relabellings, *withdrawn))
        sight = made.sight(store.items, partner, at)
        assert ids(pages(index, store, Query(limit=100), sight)) == before[3:] == found_plainly(Query(), sight, products)
        sees = PostgresIndex._sees
        monkeypatch.setattr(PostgresIndex, "_sees", lambda self, sight: (("true", ()), sees(self, sight)[1]))
        assert ids(pages(index, store, Query(limit=100), sight)) == before[3:]


def test_what_becomes_known_of_a_parent_counts_for_what_was_derived_from_it(postgres_server):
    made = make_catalogue_world(Random(0), 50, oddity=0)
    products = [replace(product, lineage=()) for product in made.products]
    with closing(postgres_server.new_store()) as store:
        at = made.world.instant()
        partner = max(
            made.world.partners, key=lambda one: len(found_plainly(Query(), made.sight(store.items, one, at), products))
        )
        sight = made.sight(store.items, partner, at)
        parent, child = (p for p in products if p.id in found_plainly(Query(limit=2), sight, products)[:2])
        child, index = replace(child, lineage=(parent.id,)), index_of(store, GIVER)
        secret = replace(parent, label=replace(parent.label, releasable_to=()))
        shown = []
        # The child itself stays as it was put.
        store.items.put(Item(child))
        for held in (None, parent, secret, parent):
            if held is not None:
                store.items.put(Item(held))
            there = [child] if held is None else [child, held]
            found = ids(pages(index, store, Query(limit=9), sight))
            assert found == found_plainly(Query(), sight, there)
            shown.append(child.id in found)
        assert shown == [False, True, False, True]


def test_odd_texts_are_no_way_around_nor_faults(postgres_server):
    made = make_catalogue_world(Random(3), 25)
    embedded = MemoryStore()
    filters = [
        *(Compare("platform", sign, text) for sign in Comparison for text in ("Q\0", "Gotcha\0x", "' OR true --", "%s")),
        *(Like("platform", pattern) for pattern in ("QPS%", "\\", "Q\0%", "G\\otcha", "%\\", "_otch_", "%%", "?")),
        OneOf("platform", ("Gotcha\0", "Gotcha", "?")),
        And((Not(OneOf("id", ("\0",))), Compare("gsd", Comparison.BELOW, 10**30))),
    ]
    with closing(postgres_server.new_store()) as store:
        for one in (embedded, store):
            one.items.put_all(Item(product) for product in made.products)
        indices = (ColumnIndex(embedded.items, GIVER, detected_remains), index_of(store, GIVER))
        for caller in (None, made.world.partners[0]):
            sights = [made.sight(one.items, caller, made.world.instant()) for one in (embedded, store)]
            for expression in filters:
                query = Query(expression=expression, limit=100)
                found = [pages(i, s, query, v) for i, s, v in zip(indices, (embedded, store), sights, strict=True)]
                assert found[0] == found[1], expression
            for odd in (Query(ids=("\0" * 26, "x")), Query(collections=("imagery\0",)), Query(ids=()), Query(collections=())):
                assert indices[1].search(odd, sights[1]).numbers == ()


def test_every_property_that_is_searched_has_a_column():
    assert COLUMNS.keys() == QUERYABLES.keys()


def test_row_level_security_hides_the_same_where_a_search_forgets_to(postgres_server, monkeypatch):
    """The second wall alone: the condition for what the partner sees is taken out of the statement."""
    sees = PostgresIndex._sees
    monkeypatch.setattr(PostgresIndex, "_sees", lambda self, sight: (("true", ()), sees(self, sight)[1]))
    shown = asked = 0
    for seed in (0, 1, 3):
        random = Random(seed)
        made = make_catalogue_world(random, 50, oddity=0.1 * seed)
        some_of_others(random, made)
        with closing(postgres_server.new_store()) as store:
            store.items.put_all(Item(product) for product in made.products)
            index = index_of(store, GIVER)
            for partner in made.world.partners:
                recalled = random.sample([product.id for product in made.products], 3)
                sight = made.sight(store.items, partner, made.world.instant(), recalled)
                expected = found_plainly(Query(), sight, made.products)
                assert ids(pages(index, store, Query(limit=100), sight)) == expected
                shown, asked = shown + len(expected), asked + 50
    assert 50 < shown < asked - 50


def test_in_the_role_of_partners_nothing_else_can_be_read(postgres_server):
    made = make_catalogue_world(Random(5), 20)
    with closing(postgres_server.new_store()) as store:
        store.items.put_all(Item(product) for product in made.products)
        assert store.database.rows_as_partner("", "SELECT number FROM item_row", ()) == []
        assert store.database.rows_as_partner("{}", "SELECT number FROM item_row", ()) == []
        assert len(store.database.rows("SELECT number FROM item_row")) == 20
        (partition,) = store.database.rows("SELECT min(tableoid::regclass::text) FROM item_row")[0]
        for table in ("item", "log", "setting", "outgoing", "label", partition):
            with pytest.raises(StoreError, match="permission denied"):
                store.database.rows_as_partner("", f"SELECT * FROM {table}", ())
        with pytest.raises(StoreError, match="permission denied"):
            store.database.rows_as_partner("", "DELETE FROM item_row RETURNING number", ())
        with store.transaction():
            store.database.rows_as_partner("{}", "SELECT number FROM item_row", ())
            store.keep_setting("written", "as before")
        # Neither the role nor what was told stays behind.
        who, told = store.database.row("SELECT current_user::text, current_setting('kizuna.sight', true)")
        assert (who, told or "") == ("node", "")
