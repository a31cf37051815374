"""Move a node into a PostgreSQL database."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from kizuna.adapters.blobs import FileBlobs
from kizuna.adapters.clock import SystemClock
from kizuna.adapters.keys import FileKeys
from kizuna.adapters.stores import DATABASE, MOVED_TO, place_of, refuse_moved
from kizuna.adapters.tail_anchor import FileTailAnchor, state_folder
from kizuna.errors import InputError, Message, StoreError
from kizuna.exchange.envelope import key_id_of
from kizuna.model.parties import parse_party
from kizuna.node.founding import ORGANISATION_SETTING
from kizuna.node.journal import Journal
from kizuna.node.state import Node
from kizuna.wiring.nodes import BLOBS, KEYS
from kizuna.wiring.settings import Settings, check_places, load_settings, write_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


__all__ = ["migrate_node"]


def migrate_node(folder: Path, to: str, told: Callable[[str, int], None], *, assets: str = "") -> str:
    """Move the state of the node in `folder` into a PostgreSQL database, or go on with that where it was interrupted.

    Parameters
    ----------
    folder
        Its folder; keys and settings stay there, and the settings name the database from then on.
    to
        Address of the database.
    told
        Told of each table how many rows were copied.
    assets
        Address of a bucket into which its files go as well; empty: they stay in its folder.

    Returns
    -------
    place
        Where the state is now, as it may be shown.

    Raises
    ------
    InputError
        If it does not lie in the folder, or something lies in the database.
    TailUnconfirmed
        If the tail of its log is not confirmed.
    StoreError, LogDamaged
        If it could not be copied as it is; it stays where it is then.
    """
    from kizuna.adapters.migration import arrive, copy_state, is_on_its_way, make_room, mark_moved
    from kizuna.adapters.postgres import PostgresStore
    from kizuna.adapters.postgres_database import address_of
    from kizuna.adapters.sqlite import SqliteStore

    place = address_of(to, field="to")
    files = FileBlobs(folder / BLOBS)
    if assets:
        check_places(replace(Settings(), assets=assets))
    # The file's alone: what the environment says is for this moment.
    settings = load_settings(folder, {})
    if settings.database not in {"", to} or not (folder / DATABASE).exists():
        raise InputError(
            Message("the state of no node lies in {folder}", {"folder": str(folder)}),
            hint=Message("a node is moved out of its folder; from one database to another the database's own tools move it"),
            field="node",
        )
    keys = FileKeys.load(folder / KEYS)
    with closing(SqliteStore(folder / DATABASE)) as source, closing(PostgresStore(to)) as target:
        moved, name = source.setting(MOVED_TO), source.setting(ORGANISATION_SETTING)
        if moved not in {None, place} or name is None:
            refuse_moved(source)
        party = parse_party(name or "", field="node")
        here, there = (Journal(party, store, keys, SystemClock()) for store in (source, target))
        # The first of its keys: others follow, this one stays the same.
        id_ = key_id_of(here.own_keys()[0])
        waiting = is_on_its_way(target, id_)
        if moved is None:
            anchor = FileTailAnchor(state_folder(), keys.key_id)
            Node(here, files, lambda: place_of(folder, source), "", anchor).require_confirmed()
            # Most of them before anybody is kept from writing.
            _take_files(files, folder, assets, told)
            if waiting:
                make_room(target)
            with source.transaction():
                with target.transaction():
                    copy_state(source, target, id_, told)
                    if there.verify() != here.verify():
                        raise StoreError(
                            Message("{table}: not all that was copied arrived as it was", {"table": "log"}),
                            hint=Message("nothing was changed: the node lies where it was; try again"),
                        )
                _take_files(files, folder, assets, told)
                mark_moved(source, place)
        write_settings(folder, replace(settings, database=to, assets=assets or settings.assets))
        arrive(target, ("place", place_of(folder, target)))
    return place


def _take_files(files: FileBlobs, folder: Path, assets: str, told: Callable[[str, int], None]) -> None:
    if assets:
        from kizuna.adapters.s3_blobs import S3Blobs

        count = 0
        for count, _ in enumerate(S3Blobs(assets, folder / BLOBS).take_over(files), start=1):
            if count % 100 == 0:
                told("blobs", count)
        told("blobs", count)
