"""Rows of the catalogue as columns: what is searched, and what a decision has to know, of many products, in the order of time.

Most products are labelled in a few ways, by few parties, with few sensors: such things are kept once, and rows name them by a
number. A segment never changes; what is put again stands in a newer one, and the old row is passed over.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from kizuna.catalog.extents import extent_of
from kizuna.model.instants import Instant
from kizuna.model.label import read_label
from kizuna.model.reading import Table
from kizuna.release.columns import NEVER, micros

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy.typing as npt

    from kizuna.catalog.store import StoredRow
    from kizuna.model.canonical import Json
    from kizuna.model.label import Label
    from kizuna.model.parties import Party

__all__ = ["NOTHING", "Names", "Segment", "Words", "joined", "label_number", "segment_of"]

NOTHING = np.nan
"""Stands for a place or a resolution that is unknown."""


class Words:
    """Things that rows name by a number, each kept once."""

    __slots__ = ("numbers", "things")

    def __init__(self) -> None:
        self.numbers: dict[object, int] = {}
        self.things: list[object] = []

    def number(self, key: object, make: Callable[[], object] | None = None) -> int:
        """Number of the thing with this key, which is the thing itself where nothing makes it."""
        found = self.numbers.get(key)
        if found is None:
            found = self.numbers[key] = len(self.things)
            self.things.append(key if make is None else make())
        return found


class Names:
    """Words of all segments of one index."""

    __slots__ = ("kinds", "labels", "lock", "marking", "markings", "parties", "platforms")

    def __init__(self) -> None:
        self.kinds, self.labels, self.parties, self.platforms = Words(), Words(), Words(), Words()
        # Policies with their classifications, and which of them each label has.
        self.markings = Words()
        self.marking: list[int] = []
        self.lock = threading.Lock()

    def label(self, number: int) -> Label:
        """Label of this number, but for its dates and caveats."""
        return cast("Label", self.labels.things[number])

    def party(self, number: int) -> Party:
        """Party of this number."""
        return cast("Party", self.parties.things[number])


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Rows, newest first, those of one instant by id. Each column is an array with an element a row.

    Parameters
    ----------
    number
        Numbers of the items.
    id
        Product ids, 26 bytes each.
    begin, end
        Observation, else production; in microseconds, both ends included.
    until
        End of the observation as it is known; `NEVER` where it is not.
    observed
        Whether the time of observation is known.
    produced, expires, made, review
        Instants in microseconds; `NEVER` for none.
    resolution_m
        Resolution, or `NOTHING`.
    phase, detected
        Whether it holds phase, and whether anything of it remains where phase is taken away.
    kind, platform, originator, label
        Numbers of words.
    own
        Whether both the product and its label are the holder's own.
    derived
        Whether it was derived from other products.
    west, south, east, north
        Extent in degrees, or `NOTHING`.
    nominal
        Whether its position was assigned rather than measured.
    first, points
        Of its outline the place of the first point, and how many they are.
    outline
        Points of all outlines, an array of two columns.
    """

    number: npt.NDArray[np.int64]
    id: npt.NDArray[np.bytes_]
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    until: npt.NDArray[np.int64]
    observed: npt.NDArray[np.bool_]
    produced: npt.NDArray[np.int64]
    expires: npt.NDArray[np.int64]
    made: npt.NDArray[np.int64]
    review: npt.NDArray[np.int64]
    resolution_m: npt.NDArray[np.float64]
    phase: npt.NDArray[np.bool_]
    detected: npt.NDArray[np.bool_]
    kind: npt.NDArray[np.int32]
    platform: npt.NDArray[np.int32]
    originator: npt.NDArray[np.int32]
    label: npt.NDArray[np.int32]
    own: npt.NDArray[np.bool_]
    derived: npt.NDArray[np.bool_]
    west: npt.NDArray[np.float64]
    south: npt.NDArray[np.float64]
    east: npt.NDArray[np.float64]
    north: npt.NDArray[np.float64]
    nominal: npt.NDArray[np.bool_]
    first: npt.NDArray[np.int64]
    points: npt.NDArray[np.int32]
    outline: npt.NDArray[np.float64]

    @property
    def size(self) -> int:
        """Count of rows."""
        return len(self.number)

    def ring(self, row: int) -> list[tuple[float, float]]:
        """Outline of a row that has one."""
        first = int(self.first[row])
        return [(lon, lat) for lon, lat in self.outline[first : first + int(self.points[row])].tolist()]


_COLUMNS = tuple(field.name for field in fields(Segment) if field.name not in {"first", "outline"})
_TYPES: dict[str, str] = {
    **dict.fromkeys(_COLUMNS, "int64"),
    **dict.fromkeys(("observed", "phase", "detected", "own", "derived", "nominal"), "bool"),
    **dict.fromkeys(("kind", "platform", "originator", "label", "points"), "int32"),
    **dict.fromkeys(("resolution_m", "west", "south", "east", "north"), "float64"),
    "id": "S26",
}


def segment_of(rows: Iterable[StoredRow], names: Names, holder: Party, detected: Callable[[Mapping[str, Json]], bool]) -> Segment:
    """Segment of rows in any order.

    Parameters
    ----------
    rows
        Rows, of different products.
    names
        Words of the index; learns those of the rows.
    holder
        Whose store it is.
    detected
        Whether anything remains of a product without its phase.
    """
    values: list[tuple[object, ...]] = []
    outline: list[tuple[float, float]] = []
    for row in rows:
        made, ring = _values(row, names, holder, detected)
        values.append(made)
        outline += ring
    columns = zip(*values, strict=True) if values else iter([()] * len(_COLUMNS))
    arrays = {name: np.array(next(columns), dtype=_TYPES[name]) for name in _COLUMNS}
    arrays["first"] = np.cumsum(arrays["points"], dtype=np.int64) - arrays["points"]
    points = np.array(outline, dtype=np.float64).reshape(len(outline), 2)
    return _sorted(arrays, points)


def joined(segments: Sequence[Segment], kept: Sequence[npt.NDArray[np.bool_]]) -> Segment:
    """One segment of the rows of several that are kept."""
    arrays = {
        name: np.concatenate([getattr(segment, name)[keep] for segment, keep in zip(segments, kept, strict=True)])
        for name in (*_COLUMNS, "first")
    }
    before = 0
    outlines, shifts = [], []
    for segment, keep in zip(segments, kept, strict=True):
        shifts.append(np.full(int(keep.sum()), before, np.int64))
        outlines.append(segment.outline)
        before += len(segment.outline)
    arrays["first"] = arrays["first"] + np.concatenate(shifts)
    return _sorted(arrays, np.concatenate(outlines))


def _sorted(arrays: dict[str, npt.NDArray[np.generic]], outline: npt.NDArray[np.float64]) -> Segment:
    order = np.lexsort((arrays["id"], -cast("npt.NDArray[np.int64]", arrays["begin"])))
    columns = {name: np.ascontiguousarray(array[order]) for name, array in arrays.items()}
    return Segment(**columns, outline=outline)


def _values(
    row: StoredRow, names: Names, holder: Party, detected: Callable[[Mapping[str, Json]], bool]
) -> tuple[tuple[object, ...], Sequence[tuple[float, float]]]:
    """Values of a row in the order of the columns, and its outline."""
    # As `product_to_json` wrote it.
    record: Mapping[str, Any] = row.record
    event, validity, label, geometry = record["event"], record["validity"], record["label"], record["geometry"]
    produced = _micros(record["produced"])
    begin = produced if event is None else _micros(event["begin"])
    until = NEVER if event is None else _micros(event["end"])
    ring = () if geometry is None else geometry["coordinates"][0]
    extent = extent_of(ring) if ring else None
    own = record["originator"] == label["originator"] == holder
    return (
        row.number,
        record["id"].encode(),
        begin,
        begin if until == NEVER else until,
        until,
        event is not None,
        produced,
        NEVER if validity is None else _micros(validity["end"]),
        _micros(label["created"]),
        _micros(label.get("review")),
        NOTHING if record["resolution_m"] is None else record["resolution_m"],
        record["complex"],
        detected(record),
        names.kinds.number(record["kind"]),
        names.platforms.number(record["sensor"]),
        names.parties.number(record["originator"]),
        label_number(label, names),
        own,
        bool(record["lineage"]),
        *((NOTHING,) * 4 if extent is None else (extent.west, extent.south, extent.east, extent.north)),
        geometry is not None and geometry["nominal"],
        len(ring),
    ), ring


def _micros(text: str | None) -> int:
    # As `format_instant` wrote it.
    return NEVER if text is None else micros(Instant(datetime.fromisoformat(text)))


def label_number(label: Mapping[str, Any], names: Names) -> int:
    """Number of a label in its JSON form, but for its dates and caveats, which decide nothing but by their columns."""
    parties, categories = label.get("releasable_to"), label["categories"]
    key = (
        label["policy"],
        label["classification"],
        label["originator"],
        None if parties is None else tuple(parties),
        repr(categories) if categories else "",
    )

    def make() -> Label:
        plain = {name: value for name, value in label.items() if name != "review"} | {"caveats": []}
        names.marking.append(names.markings.number((label["policy"], label["classification"])))
        return read_label(Table(plain, "label"))

    # Corrected labels are numbered by whoever searches first.
    with names.lock:
        return names.labels.number(key, make)
