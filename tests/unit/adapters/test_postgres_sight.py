"""The clauses for PostgreSQL show what the embedded index shows, also in the very instant in which something changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from simulators.catalogue import make_catalogue_world
from simulators.registers import GIVER

from kizuna.adapters.memory import MemoryStore
from kizuna.adapters.postgres_items import _ROW_COLUMNS, _row, label_key
from kizuna.adapters.postgres_sight import BOUNDED, Clause, Words, partner_sight
from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.store import Item
from kizuna.model.instants import Instant
from kizuna.model.product import product_to_json
from kizuna.node.catalogue import detected_remains
from kizuna.release.columns import NEVER
from kizuna.release.decision import ObligationKind
from kizuna.release.expressions import trace


class Rows:
    """Search rows of some products, with their words in a view."""

    def __init__(self, products, sight):
        labels, placements = {}, {}
        self.rows = []
        for number, product in enumerate(products, start=1):
            label = labels.setdefault(label_key(product.label)[0], (len(labels) + 1, product.label))[0]
            row = dict(zip(_ROW_COLUMNS, _row(number, product, product_to_json(product), label), strict=True))
            placement = sight.placer.place(product.footprint)
            row["place"] = placements.setdefault(placement, len(placements))
            row["phase::integer"] = int(row["phase"])
            self.rows.append(row)
        view = sight.view
        self.words = Words(
            {number: view.label_columns(label) for number, label in labels.values()},
            {product.kind: view.kinds.bit(product.kind) for product in products},
            1,
            {code: view.place_columns(placement) for placement, code in placements.items()},
        )

    def shown(self, found):
        return [row["number"] for row in self.rows if row["product"] not in found.unlike and shows(found, row)]


def agreed(found, row):
    parties = (row["originator"], row["labelled_by"])
    return all(party == found.holder or row["product"] + party in found.consents for party in parties)


def shows(found, row):
    for clause in found.clauses:
        if (
            row["label"] in clause.labels
            and (clause.kinds is None or row["kind"] in clause.kinds)
            and (clause.places is None or row["place"] in clause.places)
            and all(least <= row[BOUNDED[name]] <= most for name, (least, most) in clause.bounds.items())
        ):
            return (
                agreed(found, row)
                and row["resolution_mm"] >= clause.shown_from
                and (not clause.detected or not row["phase"] or row["detected"])
                and (clause.shown_places is None or row["place"] in clause.shown_places)
            )
    return False


def turns(random, products, delays):
    """Instants at which something changes for one of the products: a label is made or due, a delay ends."""
    product = random.choice(products)
    found = [product.label.created, product.label.review]
    if product.event is not None and product.event.end is not None:
        found += [Instant(product.event.end + timedelta(hours=delay)) for delay in delays]
    return random.choice([at for at in found if at is not None])


def test_clauses_show_what_the_embedded_index_shows():
    shown = hidden = coarser = 0
    for seed in range(40):
        random = Random(seed)
        made = make_catalogue_world(random, 30, oddity=random.choice([0.02, 0.2]))
        products = [replace(product, lineage=()) for product in made.products]
        for place in random.sample(range(30), 4):
            products[place] = replace(products[place], originator=random.choice(made.world.partners))
        store = MemoryStore()
        store.items.put_all(Item(product) for product in products)
        numbers = {row.record["id"]: row.number for row in store.items.rows_after(0, 99)}
        index = ColumnIndex(store.items, GIVER, detected_remains)
        obligations = [o for a in made.world.register.agreements for article in a.articles for o in article.obligations]
        delays = [0.0, *(float(o.value) for o in obligations if o.kind is ObligationKind.DELAY and o.value != "?")]
        for partner in random.sample(made.world.partners, min(3, len(made.world.partners))):
            at = random.choice([made.world.instant(), turns(random, products, delays)])
            sight = made.sight(store.items, partner, at, [product.id for product in random.sample(products, 2)])
            corrected = {r.product for r in sight.view.register.relabellings}
            rows = Rows(products, sight)
            found = partner_sight(sight, partner, rows.words, corrected, ())
            expected = set(index.visible(sight)) - {numbers[id_] for id_ in corrected if id_ in numbers}
            assert {numbers[products[number - 1].id] for number in rows.shown(found)} == expected, (seed, partner, at)
            shown, hidden = shown + len(expected), hidden + 30 - len(expected)
            coarser += sum(clause.shown_from > 0 for clause in found.clauses)
    # Else the comparison would be of nothing.
    assert min(shown, hidden) > 200
    assert coarser > 10


def test_bounds_are_exact():
    words = Words({1: None}, {}, 0, None)
    clause = Clause(frozenset({1}))
    for rule, expected in (
        (lambda p, _a, _q: p.made <= 10, {"made": (-(2**60), 10)}),
        (lambda p, _a, _q: p.made >= 3, {"made": (3, 10)}),
        (lambda p, _a, _q: p.made < 10, {"made": (3, 9)}),
        (lambda p, _a, _q: p.made > 3, {"made": (4, 9)}),
        (lambda p, _a, _q: p.made + 5 <= 13, {"made": (4, 8)}),
        (lambda p, _a, _q: p.made == 6, {"made": (6, 6)}),
    ):
        clause.narrow(trace(rule), words)
        assert clause.bounds == expected
    clause.narrow(trace(lambda p, _a, _q: (p.resolution >= 9) | (p.resolution > 3)), words)
    assert clause.bounds["resolution"] == (4, NEVER)


@pytest.mark.parametrize(
    "rule",
    [
        lambda p, _a, _q: (p.made <= 10) | (p.rank == 0),
        lambda p, _a, _q: p.made <= p.review,
        lambda p, _a, _q: (p.resolution == 3) | (p.resolution == 9),
        lambda p, _a, _q: p.resolution != 3,
        lambda p, _a, _q: (p.needs & p.marking) != 0,
    ],
)
def test_a_rule_that_has_no_such_form_is_refused_not_left_out(rule):
    with pytest.raises((TypeError, AttributeError)):
        Clause(frozenset({1})).narrow(trace(rule), Words({1: None}, {}, 0, None))
