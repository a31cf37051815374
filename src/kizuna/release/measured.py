"""When, where and how finely products were observed, as a question looks at it: each has its own, and many lie alike.

No two products are observed at the same time and place, so nothing that is said of one would ever be said of another. But a
question only asks on which side of an article's limits each lies. So instants become their places among these limits, footprints
the areas that they lie in and touch, and both become the answers of the rules.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kizuna.model.instants import Instant
from kizuna.release.columns import ALWAYS, NEVER, ProductRow, micros
from kizuna.release.rules import RuleId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from kizuna.release.columns import ArticleRow, QuestionRow
    from kizuna.release.plan import Plan
    from kizuna.release.rules import Condition
    from kizuna.release.subject import Subject
    from kizuna.release.view import View

    type Asked = tuple[RuleId, Condition, ArticleRow]

__all__ = ["MEASURED", "Measured", "millimetres"]

MEASURED = frozenset({"acquired_from", "acquired_until", "produced", "resolution", "inside", "touches", "placed"})
"""Columns of a product that say so."""


_TIMES = frozenset({RuleId.ACQUIRED, RuleId.PRODUCED})
_PLACES = frozenset({RuleId.AREA, RuleId.DENIED_AREA})
_MOST_KEPT = 20_000
_NO_QUESTION: QuestionRow = None  # type: ignore[assignment]
_EPOCH = Instant(datetime(1970, 1, 1, tzinfo=UTC))
_MILLIMETRES_A_METRE = 1_000


def millimetres(resolution_m: float | None) -> int:
    """Resolution in millimetres, rounded down; 0 where it is unknown or no length at all."""
    if resolution_m is None or not 0 <= resolution_m < float("inf"):
        return 0
    return min(int(resolution_m * _MILLIMETRES_A_METRE + 1e-6), NEVER)


class _Row:
    """When, where and how finely a product was observed."""

    __slots__ = tuple(MEASURED)


def _limits(row: ArticleRow) -> tuple[int, int, int, int]:
    return row.acquired_from, row.acquired_until, row.produced_from, row.produced_until


class Measured:
    """What a question about one kind of product looks at of when, where and how finely it was observed.

    Parameters
    ----------
    asked
        Rules that may fail, with the articles under which they are asked.
    articles
        Those under which the product may go: the form in which it does may hang on how finely and where it was observed.
    """

    __slots__ = (
        "_acquired",
        "_delays",
        "_fine",
        "_finest",
        "_forms",
        "_known",
        "_limits",
        "_placed",
        "_places",
        "_produced",
        "_seen",
        "_times",
    )

    def __init__(self, asked: Sequence[Asked], articles: Iterable[ArticleRow]) -> None:
        self._times = [one for one in asked if one[0] in _TIMES]
        self._places = [one for one in asked if one[0] in _PLACES]
        self._finest = [one for one in asked if one[0] is RuleId.RESOLUTION]
        self._delays = [one for one in asked if one[0] is RuleId.DELAY]
        self._forms = [row for row in articles if row.finest or row.crops]
        self._acquired = any(rule is RuleId.ACQUIRED for rule, _, _ in self._times)
        self._produced = any(rule is RuleId.PRODUCED for rule, _, _ in self._times)
        self._placed = bool(self._places) or any(row.crops for row in self._forms)
        self._fine = bool(self._finest) or any(row.finest for row in self._forms)
        self._limits = sorted(
            {
                Instant(_EPOCH + timedelta(microseconds=limit))
                for _, _, row in self._times
                for limit in _limits(row)
                if ALWAYS < limit < NEVER
            }
        )
        # What was seen before, by where an instant, a place or a resolution lies; and numbers of answers.
        self._seen: dict[object, int] = {}
        self._known: dict[object, int] = {}

    def key(self, view: View, subject: Subject, plan: Plan, at: Instant) -> tuple[object, ...]:
        """What the question looks at of a product: of all that have one key, the same is to be said of these things."""
        times = places = finest = 0
        if self._times:
            event, produced = subject.event, subject.produced
            begin = end = made = -1
            if self._acquired and event is not None:
                begin = bisect_right(self._limits, event.begin)
                if event.end is not None:
                    # A period may end with an article's; it may not begin when that ends.
                    end = bisect_left(self._limits, event.end)
            if self._produced and produced is not None:
                made = bisect_right(self._limits, produced)
            lies: object = (begin, end, made)
            times = self._seen.get(lies, 0) or self._see(lies, self._told_when, view, subject)
        if self._placed:
            placement = subject.placement
            lies = (placement.inside, placement.touches)
            places = self._seen.get(lies, 0) or self._see(lies, self._told_where, view, subject)
        if self._fine:
            lies = subject.resolution_m
            finest = self._seen.get(lies, 0) or self._see(lies, self._told_how_fine, view, subject)
        return (times, places, finest, *self._delayed(subject, plan.asked(at))) if self._delays else (times, places, finest)

    def _see(self, lies: object, told: Callable[[ProductRow, Subject], Sequence[object]], view: View, subject: Subject) -> int:
        row: ProductRow = _Row()  # type: ignore[assignment]
        self.fill(row, view, subject)
        if len(self._seen) > _MOST_KEPT:
            self._seen.clear()
        found = self._seen[lies] = self._known.setdefault(tuple(told(row, subject)), len(self._known) + 1)
        return found

    def _told_when(self, row: ProductRow, subject: Subject) -> Sequence[object]:
        held: list[object] = [holds(row, article, _NO_QUESTION) for _, holds, article in self._times]
        if not all(held):
            # What is said of one that was observed at another time may be that this is not known.
            held += [subject.event is None or subject.event.end is None, subject.produced is None]
        return held

    def _told_where(self, row: ProductRow, subject: Subject) -> Sequence[object]:
        held: list[object] = [holds(row, article, _NO_QUESTION) for _, holds, article in self._places]
        # Of one that touches what is excluded it is said what that is.
        touched = [
            row.touches & article.denied
            for (rule, _, article), well in zip(self._places, held, strict=True)
            if rule is RuleId.DENIED_AREA and not well
        ]
        unknown = [] if all(held) else [subject.placement.touches is None]
        return [*held, *touched, *unknown, *[row.inside & article.areas != 0 for article in self._forms]]

    def _told_how_fine(self, row: ProductRow, subject: Subject) -> Sequence[object]:
        held: list[object] = [holds(row, article, _NO_QUESTION) for _, holds, article in self._finest]
        # Of one that is too fine it is said how fine it is.
        said = [] if all(held) else [subject.resolution_m]
        return [*held, *said, *[article.finest <= row.resolution for article in self._forms]]

    def _delayed(self, subject: Subject, asked: QuestionRow) -> list[object]:
        row: ProductRow = _Row()  # type: ignore[assignment]
        event = subject.event
        row.acquired_until = NEVER if event is None or event.end is None else micros(event.end)
        return [holds(row, article, asked) for _, holds, article in self._delays]

    def fill(self, row: ProductRow, view: View, subject: Subject) -> None:
        """Write into a product's row what the question looks at of these things."""
        if self._acquired or self._delays:
            event = subject.event
            row.acquired_from = ALWAYS if event is None else micros(event.begin)
            row.acquired_until = NEVER if event is None or event.end is None else micros(event.end)
        if self._produced:
            row.produced = NEVER if subject.produced is None else micros(subject.produced)
        if self._fine:
            row.resolution = millimetres(subject.resolution_m)
        if self._placed:
            row.inside, row.touches, row.placed = view.place_columns(subject.placement)
