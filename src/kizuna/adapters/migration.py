"""Moves a node's state from its folder into a PostgreSQL database, whole or not at all.

# INVARIANT: at no time could two copies sign. Until the folder's copy is marked as moved, the database's refuses to be opened;
# the mark is made in the transaction in which nobody could write to the folder's copy while it was read, and from then on its log
# takes nothing in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.adapters.stores import MOVED_TO, MOVING_FROM
from kizuna.errors import InputError, Message, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kizuna.adapters.postgres import PostgresStore
    from kizuna.adapters.sqlite import SqliteStore

__all__ = ["arrive", "copy_state", "is_on_its_way", "make_room", "mark_moved"]

_TABLES = {
    "log": ("place", "salt", "envelope"),
    "log_head": ("only", "checkpoint", "frontier"),
    "outgoing": ("queued", "partner", "product", "sequence", "envelope", "receipt"),
    "outgoing_blob": ("partner", "blob", "sequence", "place"),
    "cursor": ("partner", "sequence"),
    "note": ("partner", "name", "value"),
    "setting": ("name", "value"),
}
_TOLD_EVERY = 10_000
# Of the folder's copy alone: where its tail was confirmed, and marks of moving.
_LEFT_BEHIND = ("place", MOVED_TO, MOVING_FROM)


def is_on_its_way(target: PostgresStore, node: str) -> bool:
    """Whether a database holds a copy of this very node that did not arrive yet.

    Parameters
    ----------
    target
        The database.
    node
        Id of the node's signing key.

    Raises
    ------
    InputError
        If another node lies there, or this one has arrived.
    """
    source = target.setting(MOVING_FROM)
    if source == node:
        return True
    if source is not None or target.log.size() or target.settings(""):
        raise InputError(
            Message("a node lies in that database already"),
            hint=Message("name another database; a node never overwrites one"),
            field="to",
        )
    return False


def make_room(target: PostgresStore) -> None:
    """Remove a copy that did not arrive: the folder's may have gone on since it was made."""
    with target.transaction():
        # The log itself lets nothing go.
        target.database.write("ALTER TABLE log DISABLE TRIGGER USER")
        tables = [*_TABLES, "item", "item_row", "item_removed", "label", "item_level", "item_kind", "place_set"]
        for table in tables:
            target.database.write(f"DELETE FROM {table}")  # noqa: S608 - of ours
        target.database.write("UPDATE item_count SET put = 0, removed = 0, longest_us = 0")
        target.database.write("ALTER TABLE log ENABLE TRIGGER USER")


def copy_state(source: SqliteStore, target: PostgresStore, node: str, told: Callable[[str, int], None]) -> None:
    """Copy all tables, within open transactions of both stores.

    Parameters
    ----------
    source, target
        From where, to where; `target` is empty.
    node
        Id of the node's signing key: until it has arrived, the copy is known by it.
    told
        Told of each table, now and then, how many of its rows were copied.

    Raises
    ------
    StoreError
        If the counts of both sides differ afterwards.
    """
    for table, columns in _TABLES.items():
        names = ", ".join(f'"{column}"' for column in columns)
        rows = source.database.each(f"SELECT {names} FROM {table}")  # noqa: S608 - of ours
        kept = (row for row in rows if table != "setting" or row[0] not in _LEFT_BEHIND)
        target.database.copy(table, columns, _counted(kept, table, told))
    target.database.write("SELECT setval(pg_get_serial_sequence('outgoing', 'queued'), (SELECT max(queued) FROM outgoing))")
    target.items.put_all(_counted(source.items.all(), "item", told))
    target.keep_setting(MOVING_FROM, node)
    for table in (*_TABLES, "item"):
        expected = source.database.row(f"SELECT count(*) FROM {table}{_kept_of(table)}")  # noqa: S608 - of ours
        got = target.database.row(f"SELECT count(*) FROM {table}{_kept_of(table)}")  # noqa: S608 - of ours
        if got != expected:
            raise _different(table)
    which = "SELECT product, content, received_from, terms, moment_us FROM item ORDER BY product"
    if any(
        tuple(one) != tuple(other) for one, other in zip(source.database.each(which), target.database.each(which), strict=True)
    ):
        raise _different("item")


def _kept_of(table: str) -> str:
    return f" WHERE name NOT IN ({', '.join(repr(name) for name in _LEFT_BEHIND)})" if table == "setting" else ""


def _counted[R](rows: Iterable[R], table: str, told: Callable[[str, int], None]) -> Iterator[R]:
    count = 0
    for count, row in enumerate(rows, start=1):
        yield row
        if count % _TOLD_EVERY == 0:
            told(table, count)
    told(table, count)


def _different(table: str) -> StoreError:
    return StoreError(
        Message("{table}: not all that was copied arrived as it was", {"table": table}),
        hint=Message("nothing was changed: the node lies where it was; try again"),
    )


def mark_moved(source: SqliteStore, place: str) -> None:
    """Let the folder's copy take nothing in any more, within its open transaction.

    Parameters
    ----------
    source
        The copy that was read.
    place
        Where the node is now, as a person may see it.
    """
    source.keep_setting(MOVED_TO, place)
    # A process that serves it already finds its place unconfirmed, and serves nothing from the next request on.
    source.drop_setting("place")
    source.database.write(
        "CREATE TRIGGER log_was_moved BEFORE INSERT ON log BEGIN SELECT RAISE(ABORT, 'this node was moved elsewhere'); END"
    )


def arrive(target: PostgresStore, place: Sequence[str]) -> None:
    """Let the database's copy be the node.

    Parameters
    ----------
    target
        The copy that was verified.
    place
        Name and value of the setting that confirms its place.
    """
    with target.transaction():
        target.keep_setting(*place)
        target.drop_setting(MOVING_FROM)
