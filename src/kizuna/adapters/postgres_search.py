"""Queries as SQL over search rows: filters in the three values of CQL2, which are SQL's own, orders, places and positions.

No text from outside stands in it: names are those of columns, all values are parameters. Text compares by code points.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kizuna.adapters.postgres_items import cell_ranges
from kizuna.catalog.cql2 import And, Compare, Comparison, Expression, Has, Like, Not, OneOf, Or, Truth
from kizuna.catalog.extents import Extent, turns
from kizuna.catalog.query import NEWEST_FIRST, OLDEST_FIRST
from kizuna.release.columns import ALWAYS, NEVER, micros

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kizuna.catalog.query import Position, Query

__all__ = ["COLUMNS", "Select", "page_of"]

COLUMNS = {
    "id": "r.product",
    "collection": "r.kind",
    "datetime": "r.moment_us",
    "start_datetime": "r.start_us",
    "end_datetime": "r.until_us",
    "expires": "r.expires_us",
    "processing:datetime": "r.produced_us",
    "platform": "r.platform",
    "gsd": "r.resolution_m",
    "security:policy": "r.policy",
    "security:classification": "r.classification",
    "security:originator": "r.originator",
}
"""Columns of the properties that filters and sorting know."""
_CORRECTED = {"security:policy": "policy", "security:classification": "classification"}
_SIGNS = {
    Comparison.EQUAL: "=",
    Comparison.UNEQUAL: "<>",
    Comparison.BELOW: "<",
    Comparison.AT_MOST: "<=",
    Comparison.ABOVE: ">",
    Comparison.AT_LEAST: ">=",
}
_ID_LENGTH = 26
# More of them would cost more than they spare.
_MOST_RANGES = 100
# No extent begins before -180 degrees, nor ends a whole turn after +180.
_LEAST_WEST, _MOST_EAST = -180.0, 540.0


@dataclass(slots=True)
class Select:
    """A query over search rows, under the name ``r``, as it is written.

    Parameters
    ----------
    query
        What is looked for.
    corrected
        By product the policy and the classification of its label as it was corrected.
    levels
        Levels of cells that there are.
    longest_us
        How long the longest observation took.
    """

    query: Query
    corrected: Mapping[str, tuple[str, str]]
    levels: Iterable[int]
    longest_us: int
    _joins: bool = field(default=False, init=False)

    def where(self) -> tuple[str, list[object]]:
        """All that the query asks but for its position and exact places, with the parameters."""
        query = self.query
        parts, values = ["true"], list[object]()
        if query.ids is not None:
            parts.append("r.product = ANY(%s::text[])")
            values.append([id_ for id_ in query.ids if len(id_) == _ID_LENGTH and id_.isascii() and id_.isalnum()])
        if query.collections is not None:
            parts.append("r.kind = ANY(%s::text[])")
            values.append([name for name in query.collections if "\0" not in name])
        if query.end is not None:
            parts.append("r.moment_us <= %s::bigint")
            values.append(micros(query.end))
        if query.begin is not None:
            begin = micros(query.begin)
            # The second leaves out whole months.
            parts.append("r.end_us >= %s::bigint AND r.moment_us >= %s::bigint")
            values += [begin, begin - self.longest_us]
        if query.where is not None:
            text, some = self._box(query.where.extent)
            parts.append(text)
            values += some
        if query.expression is not None:
            parts.append(self._truth(query.expression, values))
        return " AND ".join(f"({part})" for part in parts), values

    def _box(self, box: Extent) -> tuple[str, list[object]]:
        moved = [Extent(box.west + turn, box.south, box.east + turn, box.north) for turn in turns(box, _LEAST_WEST, _MOST_EAST)]
        across = " OR ".join(["(r.west <= %s::float8 AND r.east >= %s::float8)"] * len(moved))
        values: list[object] = [bound for one in moved for bound in (one.east, one.west)]
        text = f"({across}) AND r.south <= %s::float8 AND r.north >= %s::float8"
        values += [box.north, box.south]
        ranges = [pair for one in moved for pair in cell_ranges(one, self.levels)]
        if len(ranges) <= _MOST_RANGES:
            text += f" AND ({' OR '.join(['r.cell BETWEEN %s::bigint AND %s::bigint'] * len(ranges)) or 'false'})"
            values += [bound for pair in ranges for bound in pair]
        return text, values

    # ---- properties

    def column(self, name: str) -> str:
        """Column of a property."""
        if self.corrected and name in _CORRECTED:
            self._joins = True
            return f"coalesce(k.{_CORRECTED[name]}, {COLUMNS[name]})"
        return COLUMNS[name]

    def source(self) -> tuple[str, list[object]]:
        """Rows that it is asked of, with the parameters: to be written last, placed first."""
        if not self._joins:
            return "item_row r", []
        corrected = "unnest(%s::text[], %s::text[], %s::text[]) AS k(product, policy, classification)"
        return (
            f'item_row r LEFT JOIN {corrected} ON k.product COLLATE "C" = r.product',
            [list(self.corrected), *([pair[place] for pair in self.corrected.values()] for place in (0, 1))],
        )

    # ---- filters

    def _truth(self, expression: Expression, values: list[object]) -> str:
        match expression:
            case Truth(value):
                return "true" if value else "false"
            case And(parts):
                return "(" + " AND ".join(self._truth(part, values) for part in parts) + ")"
            case Or(parts):
                return "(" + " OR ".join(self._truth(part, values) for part in parts) + ")"
            case Not(part):
                return f"(NOT {self._truth(part, values)})"
            case Has() | Compare() | OneOf() | Like():
                return self._tested(expression, values)

    def _tested(self, test: Has | Compare | OneOf | Like, values: list[object]) -> str:
        match test:
            case Has(name):
                return f"({self.column(name)} IS NOT NULL)"
            case Compare(name, comparison, value):
                return self._compared(self.column(name), comparison, value, values)
            case OneOf(name, wanted):
                tests = [self._compared(self.column(name), Comparison.EQUAL, value, values) for value in wanted]
                return "(" + (" OR ".join(tests) or "false") + ")"
            case Like(name, pattern):
                # No text here has a zero in it. A backslash at the end stands for itself.
                if "\0" in pattern:
                    return f"({self.column(name)} IS NULL AND NULL)"
                values.append(_pattern(pattern))
                return f"({self.column(name)} LIKE %s)"

    def _compared(self, column: str, comparison: Comparison, value: object, values: list[object]) -> str:
        if isinstance(value, str):
            head, zero, _ = value.partition("\0")
            if zero:
                # It comes right after its head, and before all that goes on otherwise.
                match comparison:
                    case Comparison.EQUAL | Comparison.UNEQUAL:
                        return f"({column} IS {'NOT ' if comparison is Comparison.UNEQUAL else ''}NULL)"
                    case Comparison.BELOW | Comparison.AT_MOST:
                        comparison = Comparison.AT_MOST
                    case Comparison.ABOVE | Comparison.AT_LEAST:
                        comparison = Comparison.ABOVE
            values.append(head)
            return f'({column} {_SIGNS[comparison]} %s::text COLLATE "C")'
        if isinstance(value, float):
            values.append(value)
            return f"({column} {_SIGNS[comparison]} %s::float8)"
        values.append(value)
        return f"({column} {_SIGNS[comparison]} %s::{'float8' if column == COLUMNS['gsd'] else 'numeric'})"

    # ---- orders

    def sorted_by(self) -> list[tuple[str, bool]]:
        """Columns by which it is sorted, and whether descending."""
        return [(self.column(order.name), order.descending) for order in self.query.order]

    def sorting(self) -> str:
        """How rows are sorted: what has no value comes last."""
        if self.query.order in {NEWEST_FIRST, OLDEST_FIRST}:
            return ", ".join(f"{column}{' DESC' if descending else ''}" for column, descending in self.sorted_by())
        return ", ".join(f"{column}{' DESC' if descending else ''} NULLS LAST" for column, descending in self.sorted_by())

    def after(self, position: Position) -> tuple[str, list[object]]:
        """Condition that a row comes after a position."""
        ways, before, known = [], list[str](), list[object]()
        values: list[object] = []
        for (column, descending), value in zip(self.sorted_by(), position, strict=True):
            kind = "text" if isinstance(value, str) else "float8" if isinstance(value, float) else "bigint"
            collate = ' COLLATE "C"' if isinstance(value, str) else ""
            if value is not None:
                beyond = f"({column} {'<' if descending else '>'} %s::{kind}{collate} OR {column} IS NULL)"
                ways.append(" AND ".join([*before, beyond]))
                values += [*known, value]
                before.append(f"{column} = %s::{kind}{collate}")
                known.append(value)
            else:
                before.append(f"{column} IS NULL")
        text = "(" + " OR ".join(f"({way})" for way in ways) + ")"
        if self.query.order == NEWEST_FIRST:
            text += " AND r.moment_us <= %s::bigint"
            values.append(position[0])
        elif self.query.order == OLDEST_FIRST:
            text += " AND r.moment_us >= %s::bigint"
            values.append(position[0])
        return text, values


def _pattern(pattern: str) -> str:
    r"""Pattern whose last backslash, where nothing follows it, stands for itself.

    Examples
    --------
    >>> _pattern("a\\"), _pattern("a\\\\"), _pattern("a\\%")
    ('a\\\\', 'a\\\\', 'a\\%')
    """
    odd = (len(pattern) - len(pattern.rstrip("\\"))) % 2
    return pattern + "\\" * odd


def page_of(
    select: Select, sees: tuple[str, Sequence[object]], position: Position | None, limit: int, span: tuple[int, int]
) -> tuple[str, list[object]]:
    """Statement that reads a page, with its parameters: numbers, extents and outlines, then the values that are sorted by.

    Parameters
    ----------
    select, sees
        What is asked, and the condition for what the caller sees, with its parameters.
    position
        Position after which it begins.
    limit
        Most rows.
    span
        Time in which it lies: the first instant included, the second not.
    """
    where, values = select.where()
    parts = [where, sees[0]]
    values += sees[1]
    for sign, instant, limitless in ((">=", span[0], ALWAYS), ("<", span[1], NEVER)):
        if instant != limitless:
            parts.append(f"r.moment_us {sign} %s::bigint")
            values.append(instant)
    if position is not None:
        text, some = select.after(position)
        parts.append(text)
        values += some
    keys = ", ".join(column for column, _ in select.sorted_by())
    sorting = select.sorting()
    source, joined = select.source()
    outline = "r.west, r.south, r.east, r.north, r.outline" if select.query.where is not None else "NULL, NULL, NULL, NULL, NULL"
    where = " AND ".join(f"({part})" for part in parts)
    statement = f"SELECT r.number, {outline}, {keys} FROM {source} WHERE {where} ORDER BY {sorting} LIMIT {int(limit)}"  # noqa: S608 - of ours
    return statement, [*joined, *values]
