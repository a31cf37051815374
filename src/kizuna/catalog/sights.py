"""What of a segment there is for a caller, kept until anything could change it.

A decision hangs on facts and on the instant. Facts make another view; an instant changes an answer only where some date of an
agreement, a label, a consent or a delay is passed. So an answer is kept for its view, until the first of these that is to come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kizuna.catalog.columns import granted, in_common
from kizuna.release.columns import ALWAYS, NEVER, micros
from kizuna.release.decision import ObligationKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from kizuna.catalog.columns import Granted, ProductColumns
    from kizuna.catalog.query import Sight
    from kizuna.catalog.segments import Segment
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.release.view import View

__all__ = ["Kept", "look"]

type Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What of a segment a partner may see.

    Parameters
    ----------
    view
        What was known.
    recalled
        Products that were called back from it.
    since, until
        From when to before when it holds, in microseconds.
    visible
        Whether each row is there for it.
    count
        How many are.
    """

    view: View
    recalled: frozenset[str]
    since: int
    until: int
    visible: Truths
    count: int

    def holds(self, sight: Sight) -> bool:
        """Whether it is still what a caller may see."""
        return self.view is sight.view and self.since <= micros(sight.at) < self.until and self.recalled == sight.recalled


def look(segment: Segment, columns: ProductColumns, sight: Sight, partner: Party) -> Kept:
    """What of a segment, with its columns in the view, a partner may see.

    Left out is, besides what no article lets go, what goes only in a form that is made for it (coarser, or cut): neither its
    outline nor its resolution is then the one that is searched here. And what nothing is left of without its phase.
    """
    found = granted(columns, sight.view, partner, sight.at)
    visible = found.releasable & ~_made_anew(columns, found) & ~_emptied(segment, found)
    if sight.recalled:
        visible &= ~np.isin(segment.id, np.array([product.encode() for product in sight.recalled], "S26"))
    return Kept(
        sight.view, sight.recalled, micros(sight.at), _until(columns, sight, partner), visible, int(np.count_nonzero(visible))
    )


def _made_anew(columns: ProductColumns, found: Granted) -> Truths:
    made: Truths = np.zeros(columns.size, np.bool_)
    for number, entry in enumerate(found.entries):
        kinds = {obligation.kind for obligation in entry.article.obligations}
        here = found.article == number
        # As `decide` has it, a limit that is kept already asks for nothing.
        if ObligationKind.RESOLUTION in kinds:
            made |= here & (columns.numbers["resolution"] < entry.row.finest)
        if ObligationKind.AREA in kinds:
            made |= here & ~in_common(columns.masks["inside"], entry.row.areas)
    return made


def _emptied(segment: Segment, found: Granted) -> Truths:
    stripping = [
        number
        for number, entry in enumerate(found.entries)
        if any(obligation.kind is ObligationKind.DETECTED_ONLY for obligation in entry.article.obligations)
    ]
    return np.isin(found.article, stripping) & segment.phase & ~segment.detected


def _until(columns: ProductColumns, sight: Sight, partner: Party) -> int:
    """First instant to come at which anything could change, in microseconds."""
    at = micros(sight.at)
    dates = [micros(date) for date in _dates(sight.view, sight.at, partner)]
    for name in ("made", "review", "parents_made", "parents_review"):
        dates += _next(columns.numbers[name], at)
    delays = {entry.row.delay for entry in sight.view.question(sight.giver, partner, "", sight.at).entries if entry.row.delay}
    for delay in delays:
        dates += [date + delay for date in _next(columns.numbers["acquired_until"], at - delay)]
    return min((date for date in dates if date > at), default=NEVER)


def _next(column: npt.NDArray[np.integer], after: int) -> list[int]:
    later = column[(column > after) & (column < NEVER)] if after > ALWAYS else column[:0]
    return [int(later.min())] if later.size else []


def _dates(view: View, at: Instant, partner: Party) -> Iterator[Instant]:
    following = view.next_date(at)
    if following is not None:
        yield following
    for consent in view.register.consents:
        if consent.receiver == partner:
            for bound in (consent.term.begin, consent.term.end):
                if bound is not None:
                    yield from (date for date in (bound.earliest, bound.latest) if date is not None)
