"""Items in PostgreSQL: records, and beside them rows with what is searched, in a partition for each month.

# INVARIANT: a search row is written with its record in one transaction, under the lock of the one writer (`writer`).
"""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

from kizuna.catalog.extents import extent_of
from kizuna.catalog.store import Item, StoredRow
from kizuna.errors import InputError
from kizuna.model.canonical import parse_json
from kizuna.model.label import label_to_json
from kizuna.model.parties import Party
from kizuna.model.product import product_from_json, product_to_json
from kizuna.model.stored_product import product_from_stored
from kizuna.node.catalogue import detected_remains
from kizuna.release.columns import ALWAYS, NEVER, micros
from kizuna.release.measured import millimetres

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kizuna.adapters.postgres_database import PostgresDatabase
    from kizuna.catalog.extents import Extent
    from kizuna.model.digests import Digest
    from kizuna.model.label import Label
    from kizuna.model.product import Product, ProductId

__all__ = ["ITEM_SCHEMA", "PostgresItems", "cell_ranges", "label_key"]

_NUMBER = "bigint NOT NULL"
_TEXT = 'text COLLATE "C"'
_ROW_COLUMNS = {
    "number": _NUMBER,
    "product": f"{_TEXT} NOT NULL",
    # Begin of the event, else production; microseconds since 1970-01-01 UTC. As all that ends with _us.
    "moment_us": _NUMBER,
    "end_us": _NUMBER,
    "until_us": "bigint",
    "start_us": "bigint",
    "acquired_from_us": _NUMBER,
    "acquired_until_us": _NUMBER,
    "produced_us": _NUMBER,
    "expires_us": "bigint",
    "made_us": _NUMBER,
    "review_us": _NUMBER,
    "resolution_m": "double precision",
    "resolution_mm": _NUMBER,
    "phase": "boolean NOT NULL",
    "detected": "boolean NOT NULL",
    "derived": "boolean NOT NULL",
    "kind": f"{_TEXT} NOT NULL",
    "platform": f"{_TEXT} NOT NULL",
    "originator": f"{_TEXT} NOT NULL",
    "labelled_by": f"{_TEXT} NOT NULL",
    "policy": f"{_TEXT} NOT NULL",
    "classification": f"{_TEXT} NOT NULL",
    "label": "integer NOT NULL",
    # Degrees, east beyond 180 where it crosses the antimeridian. Plain numbers: what compares them lets nothing leak, so
    # PostgreSQL uses an index before row-level security; PostGIS's && is not marked so, and took 220 times as long.
    "west": "double precision",
    "south": "double precision",
    "east": "double precision",
    "north": "double precision",
    "cell": "bigint",
    "nominal": "boolean NOT NULL",
    "outline": "double precision[] NOT NULL",
}
_ROW_TABLE = ", ".join(f"{name} {kind}" for name, kind in _ROW_COLUMNS.items())
ITEM_SCHEMA = """
CREATE TABLE item (
    number bigint NOT NULL UNIQUE,
    product text COLLATE "C" PRIMARY KEY,
    moment_us bigint NOT NULL,
    content text COLLATE "C" NOT NULL,
    received_from text COLLATE "C",
    record text NOT NULL,            -- kizuna/product/1
    terms text
);
CREATE INDEX item_newest ON item (moment_us DESC, product);
CREATE INDEX item_content ON item (content);
CREATE TABLE item_removed (number bigint PRIMARY KEY, product text COLLATE "C" NOT NULL);
-- Numbers that are given, and how long the longest observation is. A sequence would keep a number that was undone.
CREATE TABLE item_count (
    "only" integer PRIMARY KEY CHECK ("only" = 1), put bigint NOT NULL, removed bigint NOT NULL, longest_us bigint NOT NULL
);
INSERT INTO item_count VALUES (1, 0, 0, 0);
CREATE TABLE label (id integer PRIMARY KEY, key text COLLATE "C" NOT NULL UNIQUE, record text NOT NULL);
CREATE TABLE item_level (level integer PRIMARY KEY);

CREATE TABLE item_row (ROW_COLUMNS, PRIMARY KEY (moment_us, product)) PARTITION BY RANGE (moment_us);
CREATE INDEX item_row_newest ON item_row (moment_us DESC, product);
CREATE INDEX item_row_cell ON item_row (cell, moment_us DESC);
CREATE INDEX item_row_product ON item_row (product);
CREATE INDEX item_row_number ON item_row (number);
CREATE TABLE item_month (month integer PRIMARY KEY);
CREATE TABLE item_kind (kind text COLLATE "C" PRIMARY KEY);

GRANT USAGE ON SCHEMA kizuna TO PARTNER_ROLE;
GRANT SELECT ON item_row TO PARTNER_ROLE;
""".replace("ROW_COLUMNS", _ROW_TABLE)
"""Statements that make the tables of items."""

# Rows that are read at a time, so that a reader who stops half-way holds nothing open.
_BATCH = 256
_MANY = 5_000
# Of a million items many are put at a time.
_PUT = 20_000
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A partner's odd dates do not make partitions without end: before and after these years all lie in one.
_FIRST_YEAR, _LAST_YEAR = 1990, 2099
_MONTHS = 12
_LEAST_CELL_DEG = 0.5
_ROW_BITS, _LEVEL_BITS = 20, 40


def label_key(label: Label) -> tuple[str, str]:
    """What labels are told apart by, but for their dates and caveats, and such a label in its JSON form."""
    record = {**label_to_json(label), "caveats": []}
    record.pop("review", None)
    told = _ENCODE([record[name] for name in ("policy", "classification", "originator", "categories")])
    told += _ENCODE(record.get("releasable_to"))
    return hashlib.sha256(told.encode()).hexdigest(), _ENCODE(record)


def _level(extent: Extent) -> int:
    size = max(extent.east - extent.west, extent.north - extent.south)
    return max(0, math.ceil(math.log2(size / _LEAST_CELL_DEG))) if size > _LEAST_CELL_DEG else 0


def _place(lon: float, lat: float, level: int) -> tuple[int, int]:
    size = _LEAST_CELL_DEG * 2**level
    return math.floor((lon + 180.0) / size) + 1, math.floor((lat + 90.0) / size) + 1


def _cell(extent: Extent) -> int:
    """Number of the cell in which an extent's south-west corner lies, of a grid whose cells are no smaller than it."""
    level = _level(extent)
    across, up = _place(extent.west, extent.south, level)
    return level << _LEVEL_BITS | up << _ROW_BITS | across


def cell_ranges(box: Extent, levels: Iterable[int]) -> list[tuple[int, int]]:
    """Ranges of cells in which all extents lie that meet a box: no extent reaches beyond the cell next to its own.

    Examples
    --------
    >>> from kizuna.catalog.extents import Extent
    >>> len(cell_ranges(Extent(30.0, 45.0, 30.2, 45.2), [0, 3]))
    4
    """
    found = []
    for level in levels:
        (left, low), (right, high) = _place(box.west, box.south, level), _place(box.east, box.north, level)
        for up in range(max(0, low - 1), high + 1):
            row = level << _LEVEL_BITS | up << _ROW_BITS
            found.append((row | max(0, left - 1), row | max(0, right)))
    return found


def _month(moment_us: int) -> int:
    """Months since the year 0, or 0 and the number after the last where all other dates lie."""
    at = _EPOCH + timedelta(microseconds=moment_us)
    if at.year < _FIRST_YEAR:
        return 0
    return min(at.year, _LAST_YEAR + 1) * _MONTHS + (at.month - 1 if at.year <= _LAST_YEAR else 0)


def _month_begins(month: int) -> int:
    return micros_of(datetime(month // _MONTHS, month % _MONTHS + 1, 1, tzinfo=UTC))


def micros_of(at: datetime) -> int:
    """Microseconds since 1970-01-01T00:00:00Z."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _bounds(month: int) -> tuple[str, str]:
    if month == 0:
        return "MINVALUE", str(_month_begins(_FIRST_YEAR * _MONTHS))
    if month == (_LAST_YEAR + 1) * _MONTHS:
        return str(_month_begins(month)), "MAXVALUE"
    return str(_month_begins(month)), str(_month_begins(month + 1))


def _moment_us(product: Product) -> int:
    return micros(product.produced if product.event is None else product.event.begin)


def _row(number: int, product: Product, record: Mapping[str, Any], label: int) -> tuple[object, ...]:
    """Search row of a product, in the order of the columns."""
    event, own, moment = product.event, product.label, _moment_us(product)
    until = None if event is None or event.end is None else micros(event.end)
    ring = () if product.footprint is None else product.footprint.ring
    extent = extent_of(ring) if ring else None
    end = None if product.validity is None else product.validity.end
    return (
        number,
        product.id,
        moment,
        moment if until is None else until,
        until,
        None if event is None else moment,
        ALWAYS if event is None else moment,
        NEVER if until is None else until,
        micros(product.produced),
        None if end is None else micros(end),
        micros(own.created),
        NEVER if own.review is None else micros(own.review),
        product.resolution_m,
        millimetres(product.resolution_m),
        product.complex_data,
        detected_remains(record),
        bool(product.lineage),
        product.kind,
        product.sensor,
        product.originator,
        own.originator,
        own.policy,
        own.classification,
        label,
        *((None,) * 5 if extent is None else (extent.west, extent.south, extent.east, extent.north, _cell(extent))),
        product.footprint is not None and product.footprint.nominal,
        [float(value) for point in ring for value in point],
    )


class PostgresItems:
    """Port of the store of items, and of the rows that an index over them reads."""

    __slots__ = ("_database",)

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

    @property
    def database(self) -> PostgresDatabase:
        """Where they lie."""
        return self._database

    def put(self, item: Item) -> None:
        """Add the item, or replace the one with the same product id."""
        self.put_all([item])

    def put_all(self, items: Iterable[Item]) -> None:
        """Put many; all of them or, if that fails, none."""
        with self._database.writing():
            for some in batched(items, _PUT):
                # Of two with one id the last one counts.
                self._put({item.product.id: item for item in some})

    def _put(self, put: Mapping[ProductId, Item]) -> None:
        database = self._database
        self._forget(list(put))
        products = [item.product for item in put.values()]
        labels = self._labels(products)
        self._make_months({_month(_moment_us(product)) for product in products})
        number = self.stamp()[0]
        records, rows = [], []
        for item in put.values():
            product, number = item.product, number + 1
            form = product_to_json(product)
            records.append(
                (number, product.id, _moment_us(product), product.content, item.received_from, _ENCODE(form), item.terms)
            )
            rows.append(_row(number, product, form, labels[label_key(product.label)[0]]))
        database.copy("item", ("number", "product", "moment_us", "content", "received_from", "record", "terms"), records)
        database.copy("item_row", tuple(_ROW_COLUMNS), rows)
        place = tuple(_ROW_COLUMNS).index
        longest = max((row[place("end_us")] - row[place("moment_us")] for row in rows), default=0)  # type: ignore[operator] # both are numbers
        database.write("UPDATE item_count SET put = ?, longest_us = greatest(longest_us, ?)", (number, max(0, longest)))
        levels = {row[place("cell")] >> _LEVEL_BITS for row in rows if row[place("cell")] is not None}  # type: ignore[operator] # a number
        kinds = sorted({product.kind for product in products})
        database.write("INSERT INTO item_kind SELECT unnest(?::text[]) ON CONFLICT DO NOTHING", (kinds,))  # type: ignore[arg-type] # a list of texts
        database.write("INSERT INTO item_level SELECT unnest(?::integer[]) ON CONFLICT DO NOTHING", (sorted(levels),))  # type: ignore[arg-type] # a list of numbers

    def _forget(self, products: Sequence[ProductId]) -> list[ProductId]:
        """Take the rows of some products away; those that were there."""
        found = self._database.rows("SELECT product, moment_us FROM item WHERE product = ANY(?)", (products,))
        for product, moment in found:
            self._database.write("DELETE FROM item_row WHERE moment_us = ? AND product = ?", (moment, product))
        if found:
            self._database.write("DELETE FROM item WHERE product = ANY(?)", ([product for product, _ in found],))  # type: ignore[arg-type] # a list of texts
        return [product for product, _ in found]

    def _labels(self, products: Iterable[Product]) -> dict[str, int]:
        """Numbers of the labels of some products, by their keys; new ones get a number."""
        asked = dict(label_key(product.label) for product in products)
        query = "SELECT key, id FROM label WHERE key = ANY(?)"
        known = dict(self._database.rows(query, (list(asked),)))
        fresh = [key for key in asked if key not in known]
        if fresh:
            (last,) = self._database.row("SELECT coalesce(max(id), 0) FROM label") or (0,)
            known |= {key: last + place for place, key in enumerate(fresh, start=1)}
            self._database.write_all(
                "INSERT INTO label (id, key, record) VALUES (?, ?, ?)", [(known[key], key, asked[key]) for key in fresh]
            )
        return known

    def _make_months(self, months: set[int]) -> None:
        known = {
            month for (month,) in self._database.rows("SELECT month FROM item_month WHERE month = ANY(?)", (sorted(months),))
        }
        for month in sorted(months - known):
            name = f"item_row_{month // _MONTHS:04d}_{month % _MONTHS + 1:02d}"
            begin, end = _bounds(month)
            # Attached rather than made as a partition: readers are not kept waiting.
            self._database.write(f"CREATE TABLE {name} (LIKE item_row INCLUDING ALL)")
            self._database.write(f"ALTER TABLE item_row ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})")
            self._database.write("INSERT INTO item_month VALUES (?)", (month,))

    def remove(self, product: ProductId) -> None:
        """Take the item of this product id away; absent: nothing."""
        with self._database.writing():
            for gone in self._forget([product]):
                self._database.write("UPDATE item_count SET removed = removed + 1")
                self._database.write("INSERT INTO item_removed SELECT removed, ? FROM item_count", (gone,))

    def _item(self, row: Sequence[Any]) -> Item:
        record, received_from, terms = row
        try:
            product = product_from_json(parse_json(record.encode()))
        except InputError as error:
            raise self._database.damaged(str(error)) from error
        return Item(product, None if received_from is None else Party(received_from), terms)

    def get(self, product: ProductId) -> Item | None:
        """Item of this product id, or None."""
        row = self._database.row("SELECT record, received_from, terms FROM item WHERE product = ?", (product,))
        return None if row is None else self._item(row)

    def by_content(self, content: Digest) -> Item | None:
        """Item whose original has this digest, or None."""
        row = self._database.row(
            "SELECT record, received_from, terms FROM item WHERE content = ? ORDER BY moment_us DESC, product LIMIT 1", (content,)
        )
        return None if row is None else self._item(row)

    def all(self) -> Iterator[Item]:
        """All items, newest first, then by id."""
        position: tuple[int, str] = (2**63 - 1, "")
        while rows := self._database.rows(
            "SELECT record, received_from, terms, moment_us, product FROM item"
            " WHERE moment_us <= ? AND (moment_us < ? OR product > ?) ORDER BY moment_us DESC, product LIMIT ?",
            (position[0], *position, _BATCH),
        ):
            for row in rows:
                yield self._item(row[:3])
            position = rows[-1][3:]

    def count(self) -> int:
        """Count of items."""
        return int((self._database.row("SELECT count(*) FROM item") or (0,))[0])

    # ---- rows

    def stamp(self) -> tuple[int, int]:
        """Number of the item that was put last, and of the removal made last; 0 where there was none."""
        put, removed = self._database.row("SELECT put, removed FROM item_count") or (0, 0)
        return put, removed

    def rows_after(self, number: int, through: int, *, derived: bool = False) -> Iterator[StoredRow]:
        """Items that are there with numbers over `number` up to `through`, in their order.

        Parameters
        ----------
        number, through
            Which.
        derived
            Only those that were derived from others.
        """
        which = "AND EXISTS (SELECT 1 FROM item_row r WHERE r.moment_us = i.moment_us AND r.product = i.product AND r.derived)"
        while rows := self._database.rows(
            f"SELECT number, record, received_from FROM item i WHERE number > ? AND number <= ? {which if derived else ''}"  # noqa: S608 - of ours
            " ORDER BY number LIMIT ?",
            (number, through, _MANY),
        ):
            for number, record, received_from in rows:  # noqa: PLR1704 - where the next batch begins
                yield StoredRow(number, json.loads(record), received_from)

    def rows_numbered(self, numbers: Sequence[int]) -> Iterator[StoredRow]:
        """Items of these numbers that are there."""
        query = "SELECT number, record, received_from FROM item WHERE number = ANY(?) ORDER BY number"
        for number, record, received_from in self._database.rows(query, (list(numbers),)):
            yield StoredRow(number, json.loads(record), received_from)

    def removed_after(self, number: int, through: int) -> Iterator[str]:
        """Products that were removed, the removals numbered as in `stamp`."""
        query = "SELECT product FROM item_removed WHERE number > ? AND number <= ? ORDER BY number"
        for (product,) in self._database.rows(query, (number, through)):
            yield str(product)

    def in_box(self, box: Extent, begin_us: int, end_us: int) -> Sequence[int]:
        """Numbers of the items whose extents meet a box, and whose time meets a span in microseconds; perhaps some more."""
        levels = [level for (level,) in self._database.rows("SELECT level FROM item_level")]
        ranges = cell_ranges(box, levels)
        cells = " OR ".join(["cell BETWEEN ? AND ?"] * len(ranges)) or "false"
        found = self._database.rows(
            "SELECT number FROM item_row WHERE west <= ? AND east >= ? AND south <= ? AND north >= ?"  # noqa: S608 - of ours
            f" AND moment_us <= ? AND end_us >= ? AND ({cells})",
            (box.east, box.west, box.north, box.south, end_us, begin_us, *(bound for pair in ranges for bound in pair)),
        )
        return [number for (number,) in found]

    def with_numbers(self, numbers: Sequence[int]) -> Mapping[int, Item]:
        """Items by their numbers; those that are no longer there are left out."""
        found: dict[int, Item] = {}
        for some in batched(numbers, _MANY):
            query = "SELECT number, record, received_from, terms FROM item WHERE number = ANY(?)"
            for number, record, received_from, terms in self._database.rows(query, (list(some),)):
                giver = None if received_from is None else Party(received_from)
                found[number] = Item(product_from_stored(json.loads(record)), giver, terms)
        return found
