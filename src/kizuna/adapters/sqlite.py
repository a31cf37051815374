"""The node's durable state in SQLite: items, log, exchange book, settings; one transaction spans them."""

from __future__ import annotations

import contextlib
from itertools import batched
from typing import TYPE_CHECKING, Protocol

from kizuna.adapters.sqlite_database import Database
from kizuna.adapters.sqlite_items import ITEM_SCHEMA, SqliteItems, number_items
from kizuna.errors import Message, StoreError
from kizuna.model.digests import Digest
from kizuna.model.product import ProductId
from kizuna.node.ports import LogEntry, Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from kizuna.adapters.sqlite_database import Value
    from kizuna.catalog.store import ItemStore
    from kizuna.model.parties import Party

__all__ = ["SqlDatabase", "SqlStore", "SqliteStore"]

_HASH_SIZE = 32
_LAST_CHARACTER = "\U0010ffff"
# Rows that are read at a time, so that a reader who stops half-way holds nothing open.
_BATCH = 256


class SqlDatabase(Protocol):
    """A database as the tables here use it: parameters are written as ``?``, names and values compare by code points."""

    joining: str
    """Name of the function that joins the texts of several rows."""

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; see `kizuna.node.ports.Store.transaction`."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """Write within the calling thread's transaction, or one of its own."""
        ...

    def write(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Execute a statement; give the count of rows that it changed."""
        ...

    def write_all(self, statement: str, rows: Iterable[Sequence[Value | float]]) -> None:
        """Execute a statement once for each of `rows`."""
        ...

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """All rows of a query."""
        ...

    def row(self, statement: str, values: Sequence[Value] = ()) -> tuple[Value, ...] | None:
        """First row of a query."""
        ...

    def damaged(self, what: str) -> StoreError:
        """Error for a row that holds what kizuna did not write."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


def _out_of_order(what: str, got: int, expected: int) -> StoreError:
    return StoreError(
        Message("{what}: number {got} does not follow, expected {expected}", {"what": what, "got": got, "expected": expected}),
        hint=Message("another command was faster; try again"),
    )


def not_to_reseal(outgoing: Outgoing) -> StoreError:
    """Error for an entry that cannot be sealed anew."""
    return StoreError(
        Message(
            "entry {sequence} of the feed for {partner} is not there, or was confirmed",
            {"sequence": outgoing.sequence, "partner": outgoing.partner},
        ),
        hint=Message("what a partner has confirmed stays as it was sent"),
    )


class SqlLog:
    """Log port over a database."""

    __slots__ = ("_database",)

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def size(self) -> int:
        return _number(self._database, "SELECT coalesce(max(place) + 1, 0) FROM log")

    def entries(self, start: int = 0) -> Iterator[LogEntry]:
        while rows := self._database.rows(
            "SELECT place, salt, envelope FROM log WHERE place >= ? ORDER BY place LIMIT ?", (start, _BATCH)
        ):
            for row in rows:
                match row:
                    case (int(place), bytes(salt), bytes(envelope)):
                        yield LogEntry(place, salt, envelope)
                        start = place + 1
                    case _:
                        raise self._database.damaged("a log entry of another form")

    def append(self, entries: Sequence[LogEntry], checkpoint: str, frontier: Sequence[bytes]) -> None:
        with self._database.writing():
            for place, entry in enumerate(entries, start=self.size()):
                if entry.index != place:
                    raise _out_of_order("log", entry.index, place)
            self._database.write_all(
                "INSERT INTO log (place, salt, envelope) VALUES (?, ?, ?)",
                ((entry.index, entry.salt, entry.envelope) for entry in entries),
            )
            self._database.write(
                'INSERT INTO log_head ("only", checkpoint, frontier) VALUES (1, ?, ?)'
                ' ON CONFLICT ("only") DO UPDATE SET checkpoint = excluded.checkpoint, frontier = excluded.frontier',
                (checkpoint, b"".join(frontier)),
            )

    def checkpoint(self) -> str | None:
        match self._database.row("SELECT checkpoint FROM log_head"):
            case None:
                return None
            case (str(checkpoint),):
                return checkpoint
            case _:
                raise self._database.damaged("a checkpoint of another form")

    def frontier(self) -> tuple[bytes, ...]:
        match self._database.row("SELECT frontier FROM log_head"):
            case None:
                return ()
            case (bytes(joined),) if len(joined) % _HASH_SIZE == 0:
                return tuple(joined[place : place + _HASH_SIZE] for place in range(0, len(joined), _HASH_SIZE))
            case _:
                raise self._database.damaged("a frontier of another form")


def _all_of(product: ProductId) -> tuple[str, str]:
    """Keys of the queue between which all are of a product or message: its id, and the id with a mark and a count behind it.

    A product that is handed over once more, in a newer version say, stands there a second time: as ``ID#2``.
    """
    return product, f"{product}$"


def _product_of(key: str) -> ProductId:
    return ProductId(key.partition("#")[0])


class SqlBook:
    """Exchange book port over a database."""

    __slots__ = ("_database",)

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def enqueue(self, partner: Party, *products: ProductId) -> None:
        with self._database.writing():
            self._database.write_all(
                "INSERT INTO outgoing (partner, product) VALUES (?, ?) ON CONFLICT (partner, product) DO NOTHING",
                ((partner, product) for product in products),
            )

    def enqueue_again(self, partner: Party, product: ProductId) -> None:
        with self._database.writing():
            rows = self._database.rows(
                "SELECT sequence FROM outgoing WHERE partner = ? AND product >= ? AND product < ?", (partner, *_all_of(product))
            )
            if (None,) not in rows:
                self.enqueue(partner, ProductId(f"{product}#{len(rows) + 1}") if rows else product)

    def waiting(self, partner: Party) -> Iterator[ProductId]:
        last: Value = -1
        while rows := self._database.rows(
            "SELECT product, queued FROM outgoing WHERE partner = ? AND sequence IS NULL AND queued > ? ORDER BY queued LIMIT ?",
            (partner, last, _BATCH),
        ):
            for product, last in rows:  # noqa: B007 - where the next batch begins
                yield _product_of(str(product))

    def drop(self, partner: Party, product: ProductId) -> None:
        with self._database.writing():
            self._database.write(
                # The sign keeps SQLite from looking through all that waits.
                "DELETE FROM outgoing WHERE partner = ? AND product >= ? AND product < ? AND +sequence IS NULL",
                (partner, *_all_of(product)),
            )

    def sequence(self, outgoing: Outgoing) -> None:
        with self._database.writing():
            following = self.last_sequence(outgoing.partner) + 1
            if outgoing.sequence != following:
                raise _out_of_order(f"feed for {outgoing.partner}", outgoing.sequence, following)
            changed = self._database.write(
                "UPDATE outgoing SET sequence = ?, envelope = ?"
                " WHERE partner = ? AND product >= ? AND product < ? AND +sequence IS NULL",
                (outgoing.sequence, outgoing.envelope, outgoing.partner, *_all_of(outgoing.product)),
            )
            if changed != 1:
                raise StoreError(
                    Message("{product} does not wait for {partner}", {"product": outgoing.product, "partner": outgoing.partner}),
                    hint=Message("queue it first"),
                )
            self._put_blobs(outgoing)

    def reseal(self, outgoing: Outgoing, *, confirmed: bool = False) -> None:
        with self._database.writing():
            changed = self._database.write(
                "UPDATE outgoing SET envelope = ?"
                " WHERE partner = ? AND product >= ? AND product < ? AND sequence = ? AND sequence > ?",
                # A receipt confirms all before it.
                (
                    outgoing.envelope,
                    outgoing.partner,
                    *_all_of(outgoing.product),
                    outgoing.sequence,
                    0 if confirmed else self.acknowledged(outgoing.partner),
                ),
            )
            if changed != 1:
                raise not_to_reseal(outgoing)
            self._database.write(
                "DELETE FROM outgoing_blob WHERE partner = ? AND sequence = ?", (outgoing.partner, outgoing.sequence)
            )
            self._put_blobs(outgoing)

    def _put_blobs(self, outgoing: Outgoing) -> None:
        for place, blob in enumerate(dict.fromkeys(outgoing.blobs)):
            self._database.write(
                "INSERT INTO outgoing_blob (partner, blob, sequence, place) VALUES (?, ?, ?, ?)",
                (outgoing.partner, blob, outgoing.sequence, place),
            )

    def sequence_of(self, partner: Party, product: ProductId) -> int | None:
        row = self._database.row(
            "SELECT max(sequence) FROM outgoing WHERE partner = ? AND product >= ? AND product < ?", (partner, *_all_of(product))
        )
        match row:
            case ((int() | None) as sequence,):
                return sequence
            case _:
                raise self._database.damaged("a feed entry of another form")

    def last_sequence(self, partner: Party) -> int:
        return _number(self._database, "SELECT coalesce(max(sequence), 0) FROM outgoing WHERE partner = ?", (partner,))

    def _outgoing(self, partner: Party, which: str, values: Sequence[Value]) -> Sequence[Outgoing]:
        rows = self._database.rows(
            # Of the two callers below, which hold no value in it.
            f"SELECT sequence, product, envelope, (SELECT {self._database.joining}(blob, ' ')"  # noqa: S608
            " FROM (SELECT blob FROM outgoing_blob AS b WHERE b.partner = o.partner AND b.sequence = o.sequence ORDER BY place)"
            " AS of_it) FROM outgoing AS o"
            f" WHERE partner = ? AND {which}",
            (partner, *values),
        )
        found = []
        for row in rows:
            match row:
                case (int(sequence), str(product), bytes(envelope), (str() | None) as blobs):
                    digests = tuple(Digest(blob) for blob in (blobs or "").split())
                    found.append(Outgoing(partner, sequence, _product_of(product), envelope, digests))
                case _:
                    raise self._database.damaged("a feed entry of another form")
        return found

    def outgoing(self, partner: Party, after: int, limit: int) -> Sequence[Outgoing]:
        return self._outgoing(partner, "sequence > ? ORDER BY sequence LIMIT ?", (after, max(0, limit)))

    def holding(self, partner: Party, blob: Digest) -> Sequence[Outgoing]:
        numbers = "SELECT sequence FROM outgoing_blob WHERE partner = ? AND blob = ?"
        return self._outgoing(partner, f"sequence IN ({numbers}) ORDER BY sequence", (partner, blob))

    def acknowledge(self, partner: Party, sequence: int, receipt: bytes) -> None:
        with self._database.writing():
            if not self._database.rows("SELECT 1 FROM outgoing WHERE partner = ? AND sequence = ?", (partner, sequence)):
                raise StoreError(
                    Message("the feed for {partner} has no entry {sequence}", {"partner": partner, "sequence": sequence}),
                    hint=Message("only what was handed out can be acknowledged"),
                )
            self._database.write(
                "UPDATE outgoing SET receipt = ? WHERE partner = ? AND sequence = ? AND receipt IS NULL",
                (receipt, partner, sequence),
            )

    def acknowledged(self, partner: Party) -> int:
        return _number(
            self._database,
            "SELECT coalesce(max(sequence), 0) FROM outgoing WHERE partner = ? AND receipt IS NOT NULL",
            (partner,),
        )

    def cursor(self, partner: Party) -> int:
        return _number(self._database, "SELECT coalesce(max(sequence), 0) FROM cursor WHERE partner = ?", (partner,))

    def advance(self, partner: Party, sequence: int) -> None:
        with self._database.writing():
            following = self.cursor(partner) + 1
            if sequence != following:
                raise _out_of_order(f"feed of {partner}", sequence, following)
            self._database.write(
                "INSERT INTO cursor (partner, sequence) VALUES (?, ?)"
                " ON CONFLICT (partner) DO UPDATE SET sequence = excluded.sequence",
                (partner, sequence),
            )

    def note(self, partner: Party, name: str, value: str) -> None:
        with self._database.writing():
            self._database.write(
                "INSERT INTO note (partner, name, value) VALUES (?, ?, ?)"
                " ON CONFLICT (partner, name) DO UPDATE SET value = excluded.value",
                (partner, name, value),
            )

    def notes(self, partner: Party) -> dict[str, str]:
        rows = self._database.rows("SELECT name, value FROM note WHERE partner = ? ORDER BY name", (partner,))
        return {str(name): str(value) for name, value in rows}


def _number(database: SqlDatabase, query: str, values: Sequence[Value] = ()) -> int:
    match database.row(query, values):
        case (int(number),):
            return number
        case _:
            raise database.damaged("a count of another form")


class SqlStore[I: ItemStore]:
    """Store port over a database that speaks SQL: what SQLite and PostgreSQL have in common.

    Parameters
    ----------
    database
        The database, with the tables of the log, the book and the settings.
    items
        Item store port over the same database.
    """

    def __init__(self, database: SqlDatabase, items: I) -> None:
        self._database = database
        self._items, self._log, self._book = items, SqlLog(database), SqlBook(database)
        self._committed: Callable[[], None] | None = None

    def when_committed(self, then: Callable[[], None]) -> None:
        """Have something done after each transaction, once it is durable."""
        self._committed = then

    @property
    def items(self) -> I:
        """Items."""
        return self._items

    @property
    def log(self) -> SqlLog:
        """Log."""
        return self._log

    @property
    def book(self) -> SqlBook:
        """Exchange book."""
        return self._book

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; see `kizuna.node.ports.Store.transaction`."""
        with self._database.transaction():
            yield
        if self._committed is not None:
            self._committed()

    def setting(self, name: str) -> str | None:
        """Value kept under `name`; None if there is none."""
        row = self._database.row("SELECT value FROM setting WHERE name = ?", (name,))
        return None if row is None else str(row[0])

    def settings_among(self, names: Iterable[str]) -> dict[str, str]:
        """Values kept under those of `names` under which there is one."""
        found: dict[str, str] = {}
        for some in batched(names, _BATCH):
            marks = ", ".join("?" * len(some))
            rows = self._database.rows(f"SELECT name, value FROM setting WHERE name IN ({marks})", some)  # noqa: S608 - only question marks
            found |= {str(name): str(value) for name, value in rows}
        return found

    def keep_setting(self, name: str, value: str) -> None:
        """Keep `value` under `name`."""
        self.keep_settings({name: value})

    def keep_settings(self, values: Mapping[str, str]) -> None:
        """Keep each value under its name."""
        with self._database.writing():
            for some in batched(values.items(), _BATCH):
                # At one go: between one row and the next other threads would take their turns, while all others wait to write.
                rows = ", ".join(["(?, ?)"] * len(some))
                self._database.write(
                    f"INSERT INTO setting (name, value) VALUES {rows}"  # noqa: S608 - only question marks
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    [text for pair in some for text in pair],
                )

    def drop_setting(self, name: str) -> None:
        """Keep nothing under `name` any more; absent: nothing."""
        with self._database.writing():
            self._database.write("DELETE FROM setting WHERE name = ?", (name,))

    def settings(self, beginning: str) -> dict[str, str]:
        """Values kept under names that begin so, in the order of the names."""
        rows = self._database.rows(
            "SELECT name, value FROM setting WHERE name >= ? AND name < ? ORDER BY name", (beginning, beginning + _LAST_CHARACTER)
        )
        return {str(name): str(value) for name, value in rows}

    def close(self) -> None:
        """Close all connections; the store can no longer be used by threads that are at work in it."""
        self._database.close()


class SqliteStore(SqlStore[SqliteItems]):
    """Store port over one SQLite file (write-ahead log, synchronous). Threads and processes may share the file.

    Parameters
    ----------
    path
        The file; it is made if it is not there.
    busy_s
        How long to wait for another process that is writing.
    """

    def __init__(self, path: Path, *, busy_s: float = 10.0) -> None:
        self.path = path
        self.database = Database(path, busy_s=busy_s, more=ITEM_SCHEMA, upgrade=number_items)
        super().__init__(self.database, SqliteItems(self.database))
