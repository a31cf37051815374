"""One SQLite database, shared by threads and processes: connections, transactions, schema, and the errors it can raise."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from typing import TYPE_CHECKING

from kizuna.errors import Message, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Database", "Value"]

type Value = int | str | bytes | None

# "kzna", so that `file` and sqlite3 tell whose database it is.
_APPLICATION_ID = 0x6B7A6E61
_SCHEMA_VERSION = 2
# Databases of the first version are brought to this one when they are opened.
_FIRST_VERSION = 1
_BUSY_S = 10.0
_PAGE_BYTES = 8192
_RETRY_S = 0.02
_PRIMARY = 0xFF

_SCHEMA = """
CREATE TABLE log (place INTEGER PRIMARY KEY, salt BLOB NOT NULL, envelope BLOB NOT NULL) STRICT;
CREATE TRIGGER log_never_changes BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_never_shrinks BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TABLE log_head (only INTEGER PRIMARY KEY CHECK (only = 1), checkpoint TEXT NOT NULL, frontier BLOB NOT NULL) STRICT;

CREATE TABLE outgoing (
    queued INTEGER PRIMARY KEY AUTOINCREMENT,
    partner TEXT NOT NULL,
    product TEXT NOT NULL,
    sequence INTEGER,                -- NULL: waiting
    envelope BLOB,
    receipt BLOB,
    UNIQUE (partner, product),
    UNIQUE (partner, sequence)
) STRICT;
CREATE TABLE outgoing_blob (
    partner TEXT NOT NULL,
    blob TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (partner, blob, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX outgoing_blob_sequence ON outgoing_blob (partner, sequence, place);
CREATE TABLE cursor (partner TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE note (
    partner TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (partner, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


class Database:
    """Connections to one file: one a thread, so that a thread outside a transaction sees the last durable state.

    Parameters
    ----------
    path
        The file; it is made, with its schema, if it is not there.
    busy_s
        How long to wait for another process that is writing.
    more
        Statements that make the tables that others than this module know of.
    upgrade
        Brings the tables of these statements from the first version of the schema to this one.
    """

    joining = "group_concat"

    def __init__(
        self,
        path: Path,
        *,
        busy_s: float = _BUSY_S,
        more: str = "",
        upgrade: Callable[[sqlite3.Connection, Iterable[str]], None] | None = None,
    ) -> None:
        self.path = path
        self._more, self._upgrade = more, upgrade
        self._busy_s = busy_s
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: list[tuple[threading.Thread, sqlite3.Connection]] = []
        with self.errors():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made here rather than by SQLite: readable by its owner only.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            try:
                self._prepare(self.connection())
            except BaseException:
                self.close()
                raise

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Convert errors of SQLite and of the operating system."""
        path = str(self.path)
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0)
            # The index of the write-ahead log could not grow: no room either.
            match sqlite3.SQLITE_FULL if code == sqlite3.SQLITE_IOERR_SHMSIZE else code & _PRIMARY:
                case sqlite3.SQLITE_FULL:
                    message = Message("the disk is full: {path} could not be written", {"path": path})
                    hint = Message("free some space, then try again; nothing was kept of what was being written")
                case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
                    message = Message("{path} cannot be written: {why}", {"path": path, "why": str(error)})
                    hint = Message("check that this user may write the node's folder")
                case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                    message = Message("{path} is damaged: {why}", {"path": path, "why": str(error)})
                    hint = Message("restore the node's folder from a backup; partners hold signed checkpoints of its log")
                case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                    message = Message("{path} is in use by another process", {"path": path})
                    hint = Message("wait until the other command has finished, then try again")
                case _:
                    message = Message("{path} failed: {why}", {"path": path, "why": str(error)})
                    hint = Message("check the disk and the node's folder")
            raise StoreError(message, hint=hint) from error
        except OSError as error:
            raise StoreError(
                Message("{path} cannot be used: {why}", {"path": path, "why": error.strerror or str(error)}),
                hint=Message("check the node's folder and its permissions"),
            ) from error

    def connection(self) -> sqlite3.Connection:
        """Connection of the calling thread."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # autocommit with explicit BEGIN: no transaction opens or commits behind our back.
            connection = sqlite3.connect(self.path, timeout=self._busy_s, isolation_level=None, check_same_thread=False)
            with self._lock:
                gone = [entry for entry in self._connections if not entry[0].is_alive()]
                self._connections = [entry for entry in self._connections if entry[0].is_alive()]
                self._connections.append((threading.current_thread(), connection))
            for _, old in gone:
                old.close()
            self._local.connection = connection
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA trusted_schema = OFF")
            # What SQLite puts aside while it writes stays in the process: no product is written outside the node's folder, and
            # many are stored faster.
            connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        mode = self._write_ahead(connection)
        if mode != "wal":
            raise StoreError(
                Message("{path} lies where SQLite cannot keep a write-ahead log", {"path": str(self.path)}),
                hint=Message("put the node's folder on a local disk"),
            )
        # Both numbers must be of one moment: another process may be making the schema right now.
        connection.execute("BEGIN")
        try:
            version = self._version(connection)
        finally:
            # On a full disk SQLite may have rolled back by itself.
            if _is_open(connection):
                connection.execute("ROLLBACK")
        if version == _SCHEMA_VERSION:
            return
        with self.transaction():
            version = self._version(connection)
            if version == _SCHEMA_VERSION:
                return
            if version == _FIRST_VERSION and self._upgrade is not None:
                self._upgrade(connection, _statements(self._more))
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
                return
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
                raise self._foreign()
            for statement in _statements(self._more + _SCHEMA):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def _write_ahead(self, connection: sqlite3.Connection) -> str:
        """Journal mode, after the write-ahead log was asked for."""
        # Of a fresh file only. An entry of the log fills two thirds of one of SQLite's usual pages, the rest stays empty; and
        # each page that is touched is written twice (`make bench BENCH=exchange`).
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        deadline = time.monotonic() + self._busy_s
        while True:
            # SQLite does not wait by itself when another process is changing the journal mode.
            try:
                return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & _PRIMARY != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(_RETRY_S)

    def _foreign(self) -> StoreError:
        return StoreError(
            Message("{path} is not a database that this version of kizuna can use", {"path": str(self.path)}),
            hint=Message("use the version of kizuna that made it, or another folder"),
        )

    def _version(self, connection: sqlite3.Connection) -> int:
        """Version of the schema, 0 for none; to be called inside a transaction."""
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        known = {(0, 0), (_APPLICATION_ID, _FIRST_VERSION), (_APPLICATION_ID, _SCHEMA_VERSION)}
        if (application, version) not in known:
            raise self._foreign()
        return int(version)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; see `kizuna.node.ports.Store.transaction`."""
        with self.errors():
            connection = self.connection()
            if _is_open(connection):
                msg = "a transaction within a transaction"
                raise RuntimeError(msg)
            # Taking the lock for writing at once: a transaction that begins by reading could not always go on to write.
            connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self.errors():
                connection.execute("COMMIT")
        finally:
            # Still open: the block or the commit failed (on a full disk SQLite may have rolled back by itself).
            if _is_open(connection):
                with self.errors():
                    connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Write within the calling thread's transaction, or one of its own."""
        with self.errors():
            inside = _is_open(self.connection())
        if inside:
            yield
            return
        with self.transaction():
            yield

    def write(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Execute a statement; give the count of rows that it changed."""
        with self.errors():
            return self.connection().execute(statement, values).rowcount

    def write_all(self, statement: str, rows: Iterable[Sequence[Value | float]]) -> None:
        """Execute a statement once for each of `rows`."""
        with self.errors():
            self.connection().executemany(statement, rows)

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """All rows of a query."""
        try:
            return self.connection().execute(statement, values).fetchall()
        except (sqlite3.Error, OSError):
            # Entering the block for each query would take a third of its time.
            with self.errors():
                raise

    def row(self, statement: str, values: Sequence[Value] = ()) -> tuple[Value, ...] | None:
        """First row of a query."""
        rows = self.rows(statement, values)
        return rows[0] if rows else None

    def each(self, statement: str) -> Iterator[tuple[Value, ...]]:
        """Rows of a query, one after the other, while nobody writes."""
        with self.errors():
            yield from self.connection().execute(statement)

    def damaged(self, what: str) -> StoreError:
        """Error for a row that holds what kizuna did not write."""
        return StoreError(
            Message("{path} is damaged: {why}", {"path": str(self.path), "why": what}),
            hint=Message("restore the node's folder from a backup; partners hold signed checkpoints of its log"),
        )

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            connections, self._connections = self._connections, []
        self._local = threading.local()
        for _, connection in connections:
            connection.close()


def _is_open(connection: sqlite3.Connection) -> bool:
    return connection.in_transaction


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
