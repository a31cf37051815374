"""The tables of the rules in a database that speaks DB-API, filled with products and asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kizuna.adapters.sql_rules import Dialect, tables_for
from kizuna.catalog.columns import product_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.release.subject import Subject
    from kizuna.release.view import View

__all__ = ["FilledTables"]


class FilledTables:
    """Products of one view in tables of their own, made anew."""

    def __init__(self, connection: Any, dialect: Dialect, view: View, giver: Party, subjects: Sequence[Subject]) -> None:
        # Whatever the view has to learn of these products it learns here, so that all fit.
        product_columns(view, giver, subjects)
        self.tables = tables_for(view, giver, dialect)
        self.view = view
        self.cursor = connection.cursor()
        for table in ("release_product", "release_needed", "release_consent"):
            self.cursor.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in self.tables.schema():
            self.cursor.execute(statement)
        tables, numbered = self.tables, list(enumerate(subjects))
        self._fill(tables.insert_product(), [tables.product_values(view, *pair) for pair in numbered])
        self._fill(tables.insert_needed(), [row for pair in numbered for row in tables.needed_values(view, *pair)])
        self._fill(tables.insert_consent(), [tables.consent_values(consent) for consent in view.register.consents])

    def _fill(self, statement: str, rows: list[tuple[int | str, ...]]) -> None:
        if rows:
            self.cursor.executemany(statement, rows)

    def ask(self, partner: Party, at: Instant, purpose: str = "") -> list[int]:
        """Numbers of the products that may go, ascending."""
        where = self.tables.predicate(self.view, partner, at, purpose)
        self.cursor.execute(f"SELECT p.number FROM release_product p WHERE {where.text} ORDER BY p.number", where.parameters)
        return [number for (number,) in self.cursor.fetchall()]
