"""Where a node's state lies, by its settings: in its folder, or in a PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.adapters.blobs import FileBlobs
from kizuna.adapters.folder_stamp import folder_stamp
from kizuna.adapters.index_file import COLUMNS, FileSnapshot
from kizuna.adapters.sqlite import SqliteStore
from kizuna.errors import Message, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from kizuna.adapters.postgres import PostgresStore
    from kizuna.catalog.query import Index
    from kizuna.model.parties import Party
    from kizuna.node.ports import BlobStore, Store

__all__ = ["DATABASE", "index_of", "is_synced", "open_blobs", "open_store", "place_of", "refuse_moved"]

DATABASE = "node.sqlite"
"""File in a node's folder with its state, unless that lies in a PostgreSQL database."""
MOVED_TO, MOVING_FROM = "moved_to", "moving_from"
"""Settings that a store keeps once the node was moved elsewhere, and as long as a node is on its way into it."""


def open_store(folder: Path, database: str, *, make: bool = False) -> SqliteStore | PostgresStore:
    """Open a node's store.

    Parameters
    ----------
    folder
        The node's folder.
    database
        Address of its PostgreSQL database; empty: the store lies in the folder.
    make
        Whether to make its tables where there are none.

    Raises
    ------
    InputError
        If `database` is no address.
    StoreError
        If it cannot be opened.
    """
    if not database:
        return SqliteStore(folder / DATABASE)
    # Loaded with the first node that uses it.
    from kizuna.adapters.postgres import PostgresStore

    return PostgresStore(database, make=make)


def open_blobs(folder: Path, assets: str) -> BlobStore:
    """Open where a node's files lie: in a folder, or in the bucket of an object store, with the folder for what is on its way.

    Raises
    ------
    InputError
        If `assets` is no address.
    StoreError
        If it cannot be opened.
    """
    if not assets:
        return FileBlobs(folder)
    # Loaded with the first node that uses it.
    from kizuna.adapters.s3_blobs import S3Blobs

    return S3Blobs(assets, folder)


def refuse_moved(store: Store) -> None:
    """Refuse a store from which the node was moved away, or into which it was not moved as a whole.

    Raises
    ------
    StoreError
        If it is one.
    """
    moved = store.setting(MOVED_TO)
    if moved is not None:
        raise StoreError(
            Message("this node was moved to {place}, and is used there alone", {"place": moved}),
            hint=Message("its settings name that database (docs/operate.md); what lies here is a copy that nobody keeps up"),
        )
    source = store.setting(MOVING_FROM)
    if source is not None:
        raise StoreError(
            Message("the node is on its way from {place}, and not here yet", {"place": source}),
            hint=Message("run kizuna node migrate once more: it goes on where it was interrupted"),
        )


def place_of(folder: Path, store: Store) -> str:
    """Stamp of the place in which a store lies: another one once it was copied, restored or moved."""
    if isinstance(store, SqliteStore):
        return folder_stamp(folder / DATABASE)
    from kizuna.adapters.postgres import PostgresStore

    assert isinstance(store, PostgresStore)  # noqa: S101 - INVARIANT: there is no third
    return store.database.stamp()


def is_synced(store: Store) -> bool | None:
    """Whether a database server brings what is committed to its disk; None where there is none."""
    if isinstance(store, SqliteStore):
        return None
    from kizuna.adapters.postgres import PostgresStore

    return store.database.syncs() if isinstance(store, PostgresStore) else None


def index_of(store: Store, holder: Party) -> Index:
    """Index over the items of a store: PostgreSQL searches by itself, for SQLite columns are kept in memory."""
    if not isinstance(store, SqliteStore):
        from kizuna.adapters.postgres_index import PostgresIndex
        from kizuna.adapters.postgres_items import PostgresItems

        assert isinstance(store.items, PostgresItems)  # noqa: S101 - INVARIANT: there is no third
        return PostgresIndex(store.items, holder)
    from kizuna.catalog.column_index import ColumnIndex
    from kizuna.node.catalogue import detected_remains

    return ColumnIndex(store.items, holder, detected_remains, keep=FileSnapshot(store.path.with_name(COLUMNS)))
