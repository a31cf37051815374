"""Filters run over rows of a segment: where each surely holds, in the three values of CQL2 (true, false, unknown)."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from kizuna.catalog.cql2 import And, Compare, Comparison, Expression, Has, Like, Not, OneOf, Or, Truth
from kizuna.release.columns import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from kizuna.catalog.cql2 import Value
    from kizuna.catalog.segments import Names, Segment

    type Truths = npt.NDArray[np.bool_]
    type Rows = slice | npt.NDArray[np.intp]
    type Array = npt.NDArray[np.generic]

__all__ = ["Columns", "holds", "matches"]

_VALUES = {
    "id": "id",
    "datetime": "begin",
    "start_datetime": "begin",
    "end_datetime": "until",
    "processing:datetime": "produced",
    "expires": "expires",
    "gsd": "resolution_m",
}
_COMPARE: dict[Comparison, Callable[[Any, Any], Any]] = {
    Comparison.EQUAL: operator.eq,
    Comparison.UNEQUAL: operator.ne,
    Comparison.BELOW: operator.lt,
    Comparison.AT_MOST: operator.le,
    Comparison.ABOVE: operator.gt,
    Comparison.AT_LEAST: operator.ge,
}


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Properties of the rows of a segment, by the names that filters know them by (`kizuna.catalog.query.QUERYABLES`).

    Parameters
    ----------
    segment, names
        Rows, and their words.
    marking
        Number of the marking of each row, its label as it was corrected by what is known.
    """

    segment: Segment
    names: Names
    marking: npt.NDArray[np.int32]

    def values(self, name: str, rows: Rows) -> tuple[Array, Truths | None]:
        """Values of a property that is no word, and where it has one; None: everywhere."""
        column = getattr(self.segment, _VALUES[name])[rows]
        match name:
            case "start_datetime":
                return column, self.segment.observed[rows]
            case "end_datetime" | "expires":
                return column, column < NEVER
            case "gsd":
                return column, ~np.isnan(column)
            case _:
                return column, None

    def words(self, name: str, rows: Rows) -> tuple[list[str], npt.NDArray[np.int32]] | None:
        """Words of a property that has few, and which each row has; None for other properties."""
        segment, names = self.segment, self.names
        match name:
            case "collection":
                return [str(kind) for kind in names.kinds.things], segment.kind[rows]
            case "platform":
                return [str(platform) for platform in names.platforms.things], segment.platform[rows]
            case "security:originator":
                return [str(party) for party in names.parties.things], segment.originator[rows]
            case "security:policy" | "security:classification":
                place = 0 if name == "security:policy" else 1
                markings = cast("list[tuple[str, str]]", names.markings.things)
                return [marking[place] for marking in markings], self.marking[rows]
            case _:
                return None


def holds(expression: Expression, columns: Columns, rows: Rows) -> Truths:
    """Where a filter surely holds."""
    true, _ = _run(expression, columns, rows)
    return true


def _run(expression: Expression, columns: Columns, rows: Rows) -> tuple[Truths, Truths]:
    """Where a filter holds, and where it surely does not."""
    match expression:
        case Truth(value):
            size = len(columns.segment.number[rows])
            return np.full(size, value), np.full(size, not value)
        case And(parts):
            results = [_run(part, columns, rows) for part in parts]
            return _all([true for true, _ in results]), _any([false for _, false in results])
        case Or(parts):
            results = [_run(part, columns, rows) for part in parts]
            return _any([true for true, _ in results]), _all([false for _, false in results])
        case Not(part):
            true, false = _run(part, columns, rows)
            return false, true
        case Compare() | OneOf() | Like() | Has():
            return _test(expression, columns, rows)


def _test(test: Compare | OneOf | Like | Has, columns: Columns, rows: Rows) -> tuple[Truths, Truths]:
    words = columns.words(test.name, rows)
    if words is not None:
        table = np.array([_word_passes(test, word) for word in words[0]] or [False], np.bool_)
        true = table[words[1]]
        return true, ~true
    values, known = columns.values(test.name, rows)
    true = _passes(test, values)
    if known is None:
        return true, ~true
    if isinstance(test, Has):
        return known, ~known
    return true & known, ~true & known


def _word_passes(test: Compare | OneOf | Like | Has, word: str) -> bool:
    match test:
        case Compare(_, comparison, value):
            return bool(_COMPARE[comparison](word, value))
        case OneOf(_, values):
            return word in values
        case Like(_, pattern):
            return matches(pattern, word)
        case Has():
            return True


def _passes(test: Compare | OneOf | Like | Has, values: Array) -> Truths:
    match test:
        case Compare(_, comparison, value):
            passing: Truths = _COMPARE[comparison](values, _stored(value))
            return passing
        case OneOf(_, wanted):
            return np.isin(values, [_stored(value) for value in wanted])
        case Like(_, pattern):
            return np.array([matches(pattern, value.decode()) for value in values.tolist()], np.bool_)
        case Has():
            return np.ones(len(values), np.bool_)


def _stored(value: Value) -> bytes | float | int:
    """Value as columns hold it. Ids are ASCII; no other text is one."""
    return value.encode() if isinstance(value, str) else value


def matches(pattern: str, text: str) -> bool:
    r"""Whether a text matches a pattern: ``%`` for any characters, ``_`` for one, ``\`` before either for itself.

    Examples
    --------
    >>> matches("QPS-%", "QPS-SAR-5"), matches("a_c", "abc"), matches(r"a\_c", "abc")
    (True, True, False)
    """
    # Without backtracking: a run of characters is looked for from the left, which is enough between two wildcards.
    parts = [_piece(part) for part in re.findall(r"%|(?:\\.|[^%])+", pattern, re.DOTALL)]
    place = 0
    floating = False
    for number, part in enumerate(parts):
        if part is None:
            floating = True
            continue
        last = number == len(parts) - 1
        starts = (
            [len(text) - len(part)] if floating and last else range(place, len(text) - len(part) + 1) if floating else [place]
        )
        found = next((start for start in starts if start >= place and _fits(part, text, start)), None)
        if found is None:
            return False
        place, floating = found + len(part), False
    return floating or place == len(text)


def _piece(part: str) -> list[str | None] | None:
    """Characters of a piece of a pattern, None for any one of them; None for a piece of any length."""
    if part == "%":
        return None
    return [None if piece == "_" else piece[-1] for piece in re.findall(r"\\.|.", part, re.DOTALL)]


def _fits(part: list[str | None], text: str, start: int) -> bool:
    return start + len(part) <= len(text) and all(
        wanted is None or wanted == text[start + place] for place, wanted in enumerate(part)
    )


def _all(parts: list[Truths]) -> Truths:
    found: Truths = np.logical_and.reduce(parts)
    return found


def _any(parts: list[Truths]) -> Truths:
    found: Truths = np.logical_or.reduce(parts)
    return found
