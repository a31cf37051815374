"""Items in SQLite: records, a number for each that was put, and a 3-D R*Tree over longitude, latitude and time."""

from __future__ import annotations

import json
from itertools import batched
from typing import TYPE_CHECKING

from kizuna.catalog.extents import extent_of
from kizuna.catalog.store import Item, StoredRow
from kizuna.errors import InputError
from kizuna.model.canonical import parse_json
from kizuna.model.parties import Party
from kizuna.model.product import MOST_KEPT_WRITTEN, product_from_json, product_to_bytes, product_to_json
from kizuna.model.stored_product import product_from_stored
from kizuna.release.columns import micros

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kizuna.adapters.sqlite_database import Database, Value
    from kizuna.catalog.extents import Extent
    from kizuna.model.digests import Digest
    from kizuna.model.product import Product, ProductId

__all__ = ["ITEM_SCHEMA", "SqliteItems", "number_items"]

_TABLE = """
CREATE TABLE item (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    product TEXT NOT NULL UNIQUE,
    moment_us INTEGER NOT NULL,      -- begin of the event, else production; microseconds since 1970-01-01 UTC
    content TEXT NOT NULL,
    received_from TEXT,
    record TEXT NOT NULL,            -- kizuna/product/1
    terms TEXT
) STRICT;
"""
_INDICES = """
CREATE INDEX item_newest ON item (moment_us DESC, product);
CREATE INDEX item_content ON item (content);
CREATE TABLE item_removed (number INTEGER PRIMARY KEY AUTOINCREMENT, product TEXT NOT NULL) STRICT;
-- Degrees, east beyond 180 where it crosses the antimeridian; seconds since 1970-01-01 UTC. SQLite rounds outwards to 32 bits.
CREATE VIRTUAL TABLE item_box USING rtree(number, west, east, south, north, begin_s, end_s);
"""
ITEM_SCHEMA = _TABLE + _INDICES
"""Statements that make the tables of items."""

# Rows that are read at a time, so that a reader who stops half-way holds nothing open.
_BATCH = 256
_MANY = 20_000
# Nobody signs a record as it lies here: JSON need not be canonical, which takes four times as long.
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_MICROSECONDS_A_SECOND = 1e6


def number_items(connection: sqlite3.Connection, statements: Iterable[str]) -> None:
    """Bring the tables of items from version 1 of the schema, which had no numbers, to that of these statements."""
    connection.execute("ALTER TABLE item RENAME TO item_before")
    for index in ("item_newest", "item_content"):
        connection.execute(f"DROP INDEX {index}")
    for statement in statements:
        connection.execute(statement)
    connection.execute(
        "INSERT INTO item (product, moment_us, content, received_from, record, terms)"
        " SELECT product, moment_us, content, received_from, record, terms FROM item_before ORDER BY rowid"
    )
    connection.execute("DROP TABLE item_before")
    for number, record in connection.execute("SELECT number, record FROM item").fetchall():
        box = _box(number, product_from_json(parse_json(record.encode())))
        if box is not None:
            connection.execute(_PUT_BOX, box)


_PUT_BOX = "INSERT INTO item_box (number, west, east, south, north, begin_s, end_s) VALUES (?, ?, ?, ?, ?, ?, ?)"


def _moment_us(product: Product) -> int:
    return micros(product.produced if product.event is None else product.event.begin)


def _box(number: int, product: Product) -> tuple[int | float, ...] | None:
    if product.footprint is None:
        return None
    extent, begin_us = extent_of(product.footprint.ring), _moment_us(product)
    end_us = begin_us if product.event is None or product.event.end is None else micros(product.event.end)
    begin_s, end_s = begin_us / _MICROSECONDS_A_SECOND, end_us / _MICROSECONDS_A_SECOND
    return number, extent.west, extent.east, extent.south, extent.north, begin_s, end_s


class SqliteItems:
    """Port of the store of items, and of the rows that an index over them reads."""

    __slots__ = ("_database",)

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, item: Item) -> None:
        """Add the item, or replace the one with the same product id."""
        self.put_all([item])

    def put_all(self, items: Iterable[Item]) -> None:
        """Put many; all of them or, if that fails, none."""
        database = self._database
        with database.writing():
            for some in batched(items, _MANY):
                # Of two with one id the last one counts.
                put = {item.product.id: item for item in some}
                # Of some few the canonical form was made before, and is still known.
                many = len(put) > MOST_KEPT_WRITTEN
                known = dict(self._numbers(put))
                for number in known.values():
                    database.write("DELETE FROM item_box WHERE number = ?", (number,))
                number, boxes, rows = self.stamp()[0], [], []
                for item in put.values():
                    product, number = item.product, number + 1
                    record = _ENCODE(product_to_json(product)) if many else product_to_bytes(product).decode()
                    rows.append(
                        (number, product.id, _moment_us(product), product.content, item.received_from, record, item.terms)
                    )
                    box = _box(number, product)
                    if box is not None:
                        boxes.append(box)
                database.write_all(
                    "INSERT OR REPLACE INTO item (number, product, moment_us, content, received_from, record, terms)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    rows,
                )
                database.write_all(_PUT_BOX, boxes)

    def _numbers(self, products: Iterable[ProductId]) -> Iterator[tuple[str, int]]:
        for some in batched(products, _BATCH):
            marks = ", ".join("?" * len(some))
            for product, number in self._database.rows(f"SELECT product, number FROM item WHERE product IN ({marks})", some):  # noqa: S608 - only question marks
                yield str(product), int(number or 0)

    def remove(self, product: ProductId) -> None:
        """Take the item of this product id away; absent: nothing."""
        with self._database.writing():
            self._database.write("DELETE FROM item_box WHERE number = (SELECT number FROM item WHERE product = ?)", (product,))
            if self._database.write("DELETE FROM item WHERE product = ?", (product,)):
                self._database.write("INSERT INTO item_removed (product) VALUES (?)", (product,))

    def _item(self, row: tuple[Value, ...]) -> Item:
        match row:
            case (str(record), (str() | None) as received_from, (str() | None) as terms):
                try:
                    product = product_from_json(parse_json(record.encode()))
                except InputError as error:
                    raise self._database.damaged(str(error)) from error
                return Item(product, None if received_from is None else Party(received_from), terms)
            case _:
                raise self._database.damaged("an item of another form")

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
        position: tuple[Value, ...] = (2**63 - 1, "")
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
        match self._database.row("SELECT count(*) FROM item"):
            case (int(count),):
                return count
            case _:
                raise self._database.damaged("a count of another form")

    # ---- rows

    def stamp(self) -> tuple[int, int]:
        """Number of the item that was put last, and of the removal made last; 0 where there was none."""
        match self._database.row(
            "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'item'), 0),"
            " coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'item_removed'), 0)"
        ):
            case (int(put), int(removed)):
                return put, removed
            case _:
                raise self._database.damaged("numbers of another form")

    def rows_after(self, number: int, through: int) -> Iterator[StoredRow]:
        """Items that are there with numbers over `number` up to `through`, in their order."""
        while rows := self._database.rows(
            "SELECT number, record, received_from FROM item WHERE number > ? AND number <= ? ORDER BY number LIMIT ?",
            (number, through, _MANY),
        ):
            for row in rows:
                match row:
                    case (int(number), str(record), (str() | None) as received_from):
                        yield StoredRow(number, json.loads(record), received_from)
                    case _:
                        raise self._database.damaged("an item of another form")

    def removed_after(self, number: int, through: int) -> Iterator[str]:
        """Products that were removed, the removals numbered as in `stamp`."""
        for (product,) in self._database.rows(
            "SELECT product FROM item_removed WHERE number > ? AND number <= ?", (number, through)
        ):
            yield str(product)

    def in_box(self, box: Extent, begin_us: int, end_us: int) -> Sequence[int]:
        """Numbers of the items whose extents meet a box, and whose time meets a span in microseconds; perhaps some more."""
        span = (end_us / _MICROSECONDS_A_SECOND, begin_us / _MICROSECONDS_A_SECOND)
        with self._database.errors():
            found = self._database.connection().execute(
                "SELECT number FROM item_box WHERE west <= ? AND east >= ? AND south <= ? AND north >= ?"
                " AND begin_s <= ? AND end_s >= ?",
                (box.east, box.west, box.north, box.south, *span),
            )
            return [number for (number,) in found]

    def with_numbers(self, numbers: Sequence[int]) -> Mapping[int, Item]:
        """Items by their numbers; those that are no longer there are left out."""
        found: dict[int, Item] = {}
        for some in batched(numbers, _BATCH):
            marks = ", ".join("?" * len(some))
            query = f"SELECT number, record, received_from, terms FROM item WHERE number IN ({marks})"  # noqa: S608 - only question marks
            for row in self._database.rows(query, some):
                match row:
                    case (int(number), str(record), (str() | None) as received_from, (str() | None) as terms):
                        giver = None if received_from is None else Party(received_from)
                        found[number] = Item(product_from_stored(json.loads(record)), giver, terms)
                    case _:
                        raise self._database.damaged("an item of another form")
        return found
