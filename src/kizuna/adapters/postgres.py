"""The node's durable state in PostgreSQL: items, log, exchange book, settings; one transaction spans them."""

from __future__ import annotations

from kizuna.adapters.postgres_database import PARTNER_ROLE, PostgresDatabase
from kizuna.adapters.postgres_items import ITEM_SCHEMA, PostgresItems
from kizuna.adapters.postgres_places import PLACED_SCHEMA
from kizuna.adapters.postgres_sight import POLICY
from kizuna.adapters.sqlite import SqlStore

__all__ = ["PostgresStore"]

_SCHEMA = (ITEM_SCHEMA + PLACED_SCHEMA + POLICY).replace("PARTNER_ROLE", PARTNER_ROLE)


class PostgresStore(SqlStore[PostgresItems]):
    """Store port over one PostgreSQL database. Threads, processes and machines may share it.

    Parameters
    ----------
    database
        Address of the database (`kizuna.adapters.postgres_database.address_of`).
    make
        Whether to make its tables if they are not there.
    busy_s
        How long to wait for another process that is writing.
    """

    def __init__(self, database: str, *, make: bool = True, busy_s: float = 10.0) -> None:
        self.database = PostgresDatabase(database, busy_s=busy_s, more=_SCHEMA, make=make)
        super().__init__(self.database, PostgresItems(self.database))
