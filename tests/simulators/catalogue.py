"""Products made up at random for the catalogue, and its plain twin: every product decided on and looked at by itself."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.catalog.aggregate import Aggregation, Bucket, Counted, Measure, Period
from kizuna.catalog.areas import Placer, areas_of
from kizuna.catalog.cql2 import And, Compare, Comparison, Has, Like, Not, OneOf, Or, Truth
from kizuna.catalog.extents import Extent, box_of, extent_of, meets
from kizuna.catalog.filters import matches
from kizuna.catalog.query import NEWEST_FIRST, OLDEST_FIRST, QUERYABLES, Order, Query, Sight, Where
from kizuna.catalog.store import Item
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, Interval
from kizuna.model.product import Asset, AssetRole, Footprint, Product, Verdict, product_to_json
from kizuna.node.catalogue import detected_remains
from kizuna.node.decisions import subject_of
from kizuna.release.columns import micros
from kizuna.release.decide import decide_in
from kizuna.release.decision import ObligationKind, Outcome
from kizuna.release.view import view_of
from simulators.products import product_id
from simulators.registers import BEGIN, GIVER, KNOWN, make_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from kizuna.catalog.cql2 import Expression
    from kizuna.catalog.store import ItemStore
    from kizuna.model.parties import Party
    from simulators.registers import World

__all__ = ["CatalogueWorld", "a_query", "counted_plainly", "found_plainly", "make_catalogue_world", "place"]

_SENSORS = ["QPS-SAR-5", "QPS-SAR-6", "Gotcha", "絆-1"]


@dataclass(slots=True)
class CatalogueWorld:
    """A register with products that meet it."""

    world: World
    products: list[Product]

    def sight(self, items: ItemStore, partner: Party | None, at: Instant, recalled: Iterable[str] = ()) -> Sight:
        """What there is for a caller."""
        register = self.world.register
        placer = Placer(areas_of(register.agreements))
        return Sight(
            GIVER,
            partner,
            view_of(register, KNOWN),
            at,
            placer,
            lambda item: subject_of(items, item.product, GIVER, placer),
            frozenset(recalled),
        )


def _named(name: str) -> str:
    head, _, number = name.partition("-")
    return product_id(int(number)) if head == "product" else name


def make_catalogue_world(random: Random, count: int, *, oddity: float = 0.1, agreements: int = 8) -> CatalogueWorld:
    """World with so many products."""
    world = make_world(random, agreements=agreements, oddity=oddity, products=count)
    register = world.register
    world.register = replace(
        register,
        consents=tuple(replace(consent, product=_named(consent.product)) for consent in register.consents),
        relabellings=tuple(replace(relabelling, product=_named(relabelling.product)) for relabelling in register.relabellings),
    )
    return CatalogueWorld(world, [a_random_product(world, number, count) for number in range(count)])


def a_random_product(world: World, number: int, count: int) -> Product:
    """Product of this number."""
    random, subject = world.random, world.subject(number, derived=0)
    data = f"product {number}".encode()
    roles = [AssetRole.ORIGINAL, *([AssetRole.DETECTED] if random.random() < 0.7 else [])]
    return Product(
        id=product_id(number),
        kind=subject.kind if random.random() < 0.2 else "imagery",
        title=f"product {number}",
        media_type="application/vnd.nga.sicd+nitf",
        content=digest_of(data),
        originator=subject.originator,
        sensor=random.choice(_SENSORS),
        event=_event(random, subject.event),
        produced=subject.produced or BEGIN,
        validity=Interval(world.instant(), world.instant(400, 500)) if random.random() < 0.2 else None,
        footprint=_footprint(random),
        label=subject.label,
        # Of some the parents come later, or never.
        lineage=(product_id(random.randrange(count + 2)),) if random.random() < 0.15 else (),
        assets=tuple(
            Asset(role, f"{number}.{role}", "application/vnd.nga.sicd+nitf", digest_of(data), len(data)) for role in roles
        ),
        version=1,
        supersedes=None,
        verdict=Verdict(valid=True),
        resolution_m=subject.resolution_m,
        complex_data=subject.complex_data,
    )


def _event(random: Random, event: Interval | None) -> Interval | None:
    """The same, or one that takes hours."""
    if event is None or event.end is None or random.random() < 0.6:
        return event
    return Interval(event.begin, later(event.begin, hours=random.randint(1, 2_000)))


def _footprint(random: Random) -> Footprint | None:
    chance = random.random()
    if chance < 0.05:
        return None
    west = random.choice([random.uniform(128, 136), random.uniform(128, 136), random.uniform(-180, 180), 179.5, -179.75])
    south = random.choice([random.uniform(32, 35), random.uniform(-80, 80)])
    size = random.choice([0.1, 1.0, 3.0])
    corners = [(0.0, 0.3), (0.7, 0.0), (1.0, 0.7), (0.3, 1.0)][: random.choice([3, 4, 4])]
    points = [(_around(west + x * size), min(90.0, south + y * size)) for x, y in corners]
    return Footprint((*points, points[0]), nominal=chance < 0.1)


def _around(lon: float) -> float:
    return (lon + 180.0) % 360.0 - 180.0


def place(box: Extent) -> Where:
    """Place that is a box."""
    return Where(box, lambda ring: meets(ring, box), is_box=True, told=str(box))


def a_query(random: Random, world: World, limit: int) -> Query:
    """Query about anything."""
    where = None
    if random.random() < 0.6:
        west, south = random.choice([(random.uniform(128, 136), random.uniform(31, 35)), (179.0, -90.0), (-180.0, -80.0)])
        size = random.choice([0.5, 3.0, 60.0, 300.0])
        where = place(box_of([west, south, _around(west + size), min(90.0, south + size)]))
    begin, end = (world.instant(-40) if random.random() < 0.4 else None for _ in range(2))
    if begin is not None and end is not None and end < begin:
        begin, end = end, begin
    order = random.choice([NEWEST_FIRST, NEWEST_FIRST, OLDEST_FIRST])
    if random.random() < 0.4:
        names = random.sample(sorted(QUERYABLES), random.choice([1, 1, 2]))
        order = (*(Order(name, random.random() < 0.5) for name in names), *NEWEST_FIRST)
    return Query(
        collections=random.choice([None, None, ("imagery",), ("imagery", "tracks", "none")]),
        ids=tuple(product_id(random.randrange(40)) for _ in range(8)) if random.random() < 0.15 else None,
        where=where,
        begin=begin,
        end=end,
        expression=_expression(random, world, 0) if random.random() < 0.5 else None,
        order=order,
        limit=limit,
    )


def _expression(random: Random, world: World, depth: int) -> Expression:
    kind = random.choice(["and", "or", "not", "test", "test"]) if depth < 3 else "test"
    match kind:
        case "and" | "or":
            parts = tuple(_expression(random, world, depth + 1) for _ in range(random.randint(2, 3)))
            return And(parts) if kind == "and" else Or(parts)
        case "not":
            return Not(_expression(random, world, depth + 1))
        case _:
            return _test(random, world)


def _test(random: Random, world: World) -> Expression:
    name = random.choice(sorted(QUERYABLES))
    values = {
        "gsd": [0.25, 0.5, 0.46, 1.0, 2.0],
        "id": [product_id(3), product_id(17), "絆"],
        "collection": ["imagery", "tracks", "?"],
        "platform": [*_SENSORS, "Q"],
        "security:policy": ["JPN", "USA"],
        "security:classification": ["秘", "極秘", "UNCLASSIFIED"],
        "security:originator": [GIVER, *world.partners],
    }.get(name) or [micros(world.instant()) for _ in range(3)]
    chance = random.random()
    if chance < 0.1:
        return Has(name)
    if chance < 0.2:
        return OneOf(name, tuple(random.choices(values, k=2)))
    if chance < 0.3 and isinstance(values[0], str):
        return Like(name, random.choice(["QPS%", "%-_", "_", "秘%", "a%", "%"]))
    if chance < 0.32:
        return Truth(random.random() < 0.5)
    return Compare(name, random.choice(list(Comparison)), random.choice(values))


# ---- the plain twin


def _properties(sight: Sight, product: Product) -> dict[str, str | float | int | None]:
    label = sight.view.label_of(product.id, product.label)
    event, validity = product.event, product.validity
    return {
        "id": product.id,
        "collection": product.kind,
        "datetime": micros(product.produced if event is None else event.begin),
        "start_datetime": None if event is None else micros(event.begin),
        "end_datetime": None if event is None or event.end is None else micros(event.end),
        "expires": None if validity is None or validity.end is None else micros(validity.end),
        "processing:datetime": micros(product.produced),
        "platform": product.sensor,
        "gsd": product.resolution_m,
        "security:policy": label.policy,
        "security:classification": label.classification,
        "security:originator": product.originator,
    }


def _holds(expression: Expression, properties: dict[str, str | float | int | None]) -> bool | None:  # noqa: PLR0911 - one a form
    match expression:
        case Truth(value):
            return value
        case Not(part):
            found = _holds(part, properties)
            return None if found is None else not found
        case And(parts):
            results = [_holds(part, properties) for part in parts]
            return False if False in results else None if None in results else True
        case Or(parts):
            results = [_holds(part, properties) for part in parts]
            return True if True in results else None if None in results else False
        case Has(name):
            return properties[name] is not None
        case _ if properties[expression.name] is None:
            return None
        case OneOf(name, values):
            return properties[name] in values
        case Like(name, pattern):
            return matches(pattern, str(properties[name]))
        case Compare(name, comparison, value):
            got = properties[name]
            return {
                Comparison.EQUAL: got == value,
                Comparison.UNEQUAL: got != value,
                Comparison.BELOW: got < value,
                Comparison.AT_MOST: got <= value,
                Comparison.ABOVE: got > value,
                Comparison.AT_LEAST: got >= value,
            }[comparison]


def is_visible(sight: Sight, product: Product) -> bool:
    """Whether a caller may see a product in the catalogue, by the decision about this one."""
    if sight.partner is None:
        return True
    decision = decide_in(sight.view, sight.subject_of(Item(product)), sight.partner, sight.at)
    kinds = {obligation.kind for obligation in decision.obligations}
    return (
        decision.outcome is Outcome.PERMIT
        and product.id not in sight.recalled
        and not kinds & {ObligationKind.RESOLUTION, ObligationKind.AREA}
        and (ObligationKind.DETECTED_ONLY not in kinds or detected_remains(product_to_json(product)))
    )


def found_plainly(query: Query, sight: Sight, products: Sequence[Product]) -> list[str]:
    """Ids of all that a query finds for a caller, in order, whatever its limit."""
    found = []
    for product in products:
        properties = _properties(sight, product)
        begin, end = properties["datetime"], properties["end_datetime"] or properties["datetime"]
        if (
            is_visible(sight, product)
            and (query.collections is None or product.kind in query.collections)
            and (query.ids is None or product.id in query.ids)
            and (query.begin is None or end >= micros(query.begin))
            and (query.end is None or begin <= micros(query.end))
            and (query.where is None or (product.footprint is not None and query.where.meets(product.footprint.ring)))
            and (query.expression is None or _holds(query.expression, properties) is True)
        ):
            found.append(properties)
    for order in reversed(query.order):
        some = [properties for properties in found if properties[order.name] is not None]
        none = [properties for properties in found if properties[order.name] is None]
        # A stable sort that is turned around keeps equal ones in their order.
        found = sorted(some, key=lambda properties, name=order.name: properties[name], reverse=order.descending) + none
    return [str(properties["id"]) for properties in found]


_BASE32 = "0123456789bcdefghjkmnpqrstuvwxyz"


def _geohash(lon: float, lat: float, length: int) -> str:
    """By halving, as it was first described."""
    bounds, bits = ([-180.0, 180.0], [-90.0, 90.0]), []
    for bit in range(5 * length):
        low, high = bounds[bit % 2]
        middle = (low + high) / 2
        upper = (lon, lat)[bit % 2] >= middle
        bounds[bit % 2][0 if upper else 1] = middle
        bits.append(upper)
    groups = [bits[first : first + 5] for first in range(0, len(bits), 5)]
    return "".join(_BASE32[sum(bit << 4 - place for place, bit in enumerate(group))] for group in groups)


def _tile(lon: float, lat: float, zoom: int) -> str:
    lat = max(-85.0511287798066, min(85.0511287798066, lat))
    across, y = (lon + 180) / 360, (1 - math.log(math.tan(math.radians(lat) / 2 + math.pi / 4)) / math.pi) / 2
    column, row = (min(2**zoom - 1, max(0, int(part * 2**zoom))) for part in (across, y))
    return f"{zoom}/{column}/{row}"


def _key(aggregation: Aggregation, sight: Sight, product: Product) -> str | None:
    """Bucket of a product."""
    begin = product.produced if product.event is None else product.event.begin
    grid = {Measure.GEOHASH: _geohash, Measure.TILE: _tile}.get(aggregation.measure)
    if grid is not None and product.footprint is None:
        return None
    if grid is not None:
        extent = extent_of(product.footprint.ring)
        lon = (extent.west + extent.east) / 2
        return grid(lon - 360 if lon > 180 else lon, (extent.south + extent.north) / 2, aggregation.precision)
    zeros = {Period.YEAR: "-01-01T00", Period.MONTH: "-01T00", Period.DAY: "T00", Period.HOUR: ""}[aggregation.period]
    return {
        Measure.TIME: begin.isoformat()[: 13 - len(zeros)] + zeros + ":00:00Z",
        Measure.COLLECTION: product.kind,
        Measure.PLATFORM: product.sensor,
        Measure.CLASSIFICATION: sight.view.label_of(product.id, product.label).classification,
    }[aggregation.measure]


def counted_plainly(aggregation: Aggregation, query: Query, sight: Sight, products: Sequence[Product]) -> Counted:
    """What is counted of all that a query finds for a caller, product by product."""
    ids = set(found_plainly(query, sight, products))
    found = [product for product in products if product.id in ids]
    begins = [micros(product.produced if product.event is None else product.event.begin) for product in found]
    match aggregation.measure:
        case Measure.TOTAL:
            return Counted(aggregation, len(found))
        case Measure.EARLIEST:
            return Counted(aggregation, min(begins, default=None))
        case Measure.LATEST:
            return Counted(aggregation, max(begins, default=None))
    counts = Counter(_key(aggregation, sight, product) for product in found)
    overflow = counts.pop(None, 0)
    by_time = aggregation.measure is Measure.TIME
    ranked = sorted(counts.items(), key=lambda pair: (0 if by_time else -pair[1], pair[0]))
    return Counted(aggregation, buckets=tuple(Bucket(key, count) for key, count in ranked), overflow=overflow)


def later(instant: Instant, **time: float) -> Instant:
    """Instant so much later."""
    return Instant(instant + timedelta(**time))
