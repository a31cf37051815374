"""Columns of decisions over a segment: most rows by looking up what their words mean in a view, the few others one by one.

A view learns something with each fact, and then a million rows mean something new: they are not made anew one by one.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from kizuna.catalog.columns import ProductColumns, compact, in_words, needed_consents
from kizuna.model.instants import parse_instant
from kizuna.model.product import Footprint
from kizuna.model.regions import NOWHERE_KNOWN
from kizuna.release.columns import ALL, ALWAYS, NEVER, ProductRow, masks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy.typing as npt

    from kizuna.catalog.areas import Placer
    from kizuna.catalog.segments import Names, Segment
    from kizuna.model.parties import Party
    from kizuna.model.regions import Placement
    from kizuna.release.subject import Subject
    from kizuna.release.view import Consents, View

__all__ = ["placements_of", "release_columns"]

type Numbers = npt.NDArray[np.integer]

_NOBODY = parse_instant("1970-01-01")
_MASKS = tuple(sorted(masks_of(ProductRow)))
_NUMBERS = tuple(name for name in ProductRow.__slots__ if name not in {*_MASKS, "consent", "parents_consent"})
_MILLIMETRES_A_METRE = 1_000


class _Codes:
    """Masks of a column, each kept once, and which each row has."""

    __slots__ = ("codes", "masks", "numbers")

    def __init__(self, masks: Iterable[int], words: Numbers) -> None:
        self.masks: list[int] = []
        self.numbers: dict[int, int] = {}
        table = np.array([self.number(mask) for mask in masks] or [0], np.int64)
        self.codes = table[words]

    def number(self, mask: int) -> int:
        """Number of a mask."""
        found = self.numbers.setdefault(mask, len(self.masks))
        if found == len(self.masks):
            self.masks.append(mask)
        return found


def placements_of(segment: Segment, placer: Placer) -> tuple[list[Placement], npt.NDArray[np.int64]]:
    """How the rows of a segment lie to areas: the placements that there are, and which each row has."""
    if not placer.looks:
        return [NOWHERE_KNOWN], np.zeros(segment.size, np.int64)
    numbers: dict[Placement, int] = {}
    found = np.empty(segment.size, np.int64)
    for row in range(segment.size):
        footprint = Footprint(tuple(segment.ring(row)), bool(segment.nominal[row])) if segment.points[row] else None
        found[row] = numbers.setdefault(placer.place(footprint), len(numbers))
    return list(numbers), found


def release_columns(
    segment: Segment,
    names: Names,
    view: View,
    giver: Party,
    placed: tuple[Sequence[Placement], npt.NDArray[np.int64]],
    subject_of: Callable[[int], Subject | None],
) -> ProductColumns:
    """Columns of the products of a segment, as `kizuna.catalog.columns.product_columns` makes them.

    Parameters
    ----------
    segment, names
        Rows, and their words.
    view
        What was known.
    giver
        Who holds the products, and is asked for them.
    placed
        How they lie to the areas that the view's agreements name (`placements_of`).
    subject_of
        What a decision has to know of the product of this number; None where it is no longer there. Asked for those that are
        derived from others, and whose label was corrected.
    """
    # Of all labels of the index a small segment has few.
    used, labelled = np.unique(segment.label, return_inverse=True)
    label = [view.label_columns(names.label(number)) for number in used.tolist()]
    places = [view.place_columns(placement) for placement in placed[0]]
    kinds = [view.kinds.bit(kind) for kind in names.kinds.things]
    none = np.zeros(segment.size, np.int64)

    def named(values: list[int], words: Numbers) -> Numbers:
        return np.array(values or [0], np.int64)[words]

    millimetres = np.floor(np.nan_to_num(segment.resolution_m) * _MILLIMETRES_A_METRE + 1e-6)
    numbers: dict[str, Numbers] = {
        "policy": named([one.policy for one in label], labelled),
        "rank": named([one.rank for one in label], labelled),
        "made": segment.made.copy(),
        "review": segment.review.copy(),
        "parents_policy": none.copy(),
        "parents_rank": none.copy(),
        "parents_made": none + ALWAYS,
        "parents_review": none + NEVER,
        "disjoint": none.copy(),
        "acquired_from": np.where(segment.observed, segment.begin, ALWAYS),
        "acquired_until": np.where(segment.observed, segment.until, NEVER),
        "produced": segment.produced.copy(),
        "resolution": millimetres.astype(np.int64),
        "phase": segment.phase.astype(np.int64),
        "placed": named([known for _, _, known in places], placed[1]),
    }
    codes = {
        "kind": _Codes(kinds, segment.kind),
        "marking": _Codes([one.marking for one in label], labelled),
        "releasable": _Codes([one.releasable for one in label], labelled),
        "needs": _Codes([one.needs for one in label], labelled),
        "parents_marking": _Codes([0], none),
        "parents_releasable": _Codes([ALL], none),
        "parents_needs": _Codes([0], none),
        "inside": _Codes([inside for inside, _, _ in places], placed[1]),
        "touches": _Codes([touches for _, touches, _ in places], placed[1]),
    }
    consents: tuple[dict[int, Consents], dict[int, Consents]] = ({}, {})
    for row in np.flatnonzero(~segment.own).tolist():
        product = segment.id[row].decode()
        parties = {names.party(segment.originator[row]), names.label(segment.label[row]).originator} - {giver}
        consents[0][row] = tuple((party, (product,)) for party in parties)
    read = attrgetter(*_NUMBERS, *_MASKS)
    for row in _others(segment, view):
        subject = subject_of(int(segment.number[row]))
        if subject is None:
            # Gone from the store, and soon from here: nothing goes of which nothing is known.
            numbers["rank"][row] = -1
            continue
        own = view.label_of(subject.product, subject.label)
        values = iter(read(view.product_row(subject, own, giver, _NOBODY)))
        for name in _NUMBERS:
            numbers[name][row] = next(values)
        for name in _MASKS:
            codes[name].codes[row] = codes[name].number(next(values))
        for found, needed in zip(consents, view.controls(subject, own), strict=True):
            found.pop(row, None)
            if needed:
                found[row] = needed
    return ProductColumns(
        giver,
        segment.size,
        {name: compact(column) for name, column in numbers.items()},
        {name: in_words(tuple(column.masks), column.codes) for name, column in codes.items()},
        needed_consents(sorted(consents[0].items(), key=lambda pair: pair[0])),
        needed_consents(sorted(consents[1].items(), key=lambda pair: pair[0])),
    )


def _others(segment: Segment, view: View) -> list[int]:
    """Rows whose columns are not those of their words alone."""
    found = segment.derived.copy()
    corrected = [relabelling.product.encode() for relabelling in view.register.relabellings]
    if corrected:
        found |= np.isin(segment.id, np.array(corrected, "S26"))
    return np.flatnonzero(found).tolist()
