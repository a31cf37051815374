"""Items of a pgstac database: what a STAC catalogue of others holds, read from its tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kizuna.adapters.stac_walk import FoundItem
from kizuna.errors import InputError, Message
from kizuna.formats.stac_read import read_stac

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.adapters.web_fetch import WebFetch

__all__ = ["is_pgstac", "walk_pgstac"]

_BATCH = 1_000
# pgstac keeps what all items of a collection have in common with the collection; `get_item` puts it back.
_ITEMS = "SELECT pgstac.get_item(id, collection)::text FROM pgstac.items ORDER BY collection, datetime, id"


def is_pgstac(place: str) -> bool:
    """Whether a place is the address of a database."""
    return urlsplit(place).scheme in {"postgresql", "postgres"}


def walk_pgstac(address: str, web: WebFetch, *, most: int) -> Iterator[FoundItem]:
    """Items of a pgstac database, by collection and time.

    Parameters
    ----------
    address
        ``postgresql://USER@HOST/DATABASE``. Nothing is written there.
    web
        Fetches the files of the items.
    most
        Most items.

    Raises
    ------
    InputError
        If it cannot be read, is no pgstac database, holds more items than `most` or one that is none.
    """
    import psycopg

    try:
        with psycopg.connect(address, connect_timeout=10) as connection:
            connection.read_only = True
            connection.execute("SET LOCAL search_path TO pgstac, public")
            with connection.cursor("items") as cursor:
                cursor.itersize = _BATCH
                for count, (text,) in enumerate(cursor.execute(_ITEMS), start=1):
                    if count > most:
                        raise InputError(
                            Message("the database has more than {most} items", {"most": most}),
                            hint=Message("take more of them in with --most"),
                            field="most",
                        )
                    for item, _form in read_stac(text.encode()).items:
                        # No base: a path is none of this machine's, and no address either.
                        yield FoundItem(item, json.loads(text), "", web)
    except psycopg.Error as error:
        raise InputError(
            Message("the database cannot be read: {why}", {"why": " ".join(str(error).split())[:500]}),
            hint=Message("expected is a pgstac database: postgresql://USER@HOST/DATABASE"),
            field="stac",
        ) from error
