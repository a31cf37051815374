"""What is counted of many products at once, and the counting over rows of columns (names: STAC API aggregation extension 0.3)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from kizuna.catalog.extents import GLOBE_DEG

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import numpy.typing as npt

    from kizuna.catalog.filters import Columns

    type Rows = npt.NDArray[np.intp]

__all__ = ["FINEST_GEOHASH", "FINEST_TILE", "MOST_BUCKETS", "Aggregation", "Bucket", "Counted", "Measure", "Period", "counted"]

MOST_BUCKETS = 10_000
"""Most buckets of one answer; what is in others is told as overflow."""
FINEST_GEOHASH, FINEST_TILE = 9, 24
_HALF_DEG, _QUARTER_DEG = 180.0, 90.0
_GEOHASH_BITS = 5
_GEOHASH = "0123456789bcdefghjkmnpqrstuvwxyz"
# Of Web Mercator, whose world is a square.
_HIGHEST_LATITUDE_DEG = 85.0511287798066


class Measure(StrEnum):
    """What can be counted."""

    TOTAL = "total_count"
    EARLIEST = "datetime_min"
    LATEST = "datetime_max"
    TIME = "datetime_frequency"
    COLLECTION = "collection_frequency"
    PLATFORM = "platform_frequency"
    CLASSIFICATION = "classification_frequency"
    GEOHASH = "centroid_geohash_grid_frequency"
    TILE = "centroid_geotile_grid_frequency"


_WORDS = {
    Measure.COLLECTION: "collection",
    Measure.PLATFORM: "platform",
    Measure.CLASSIFICATION: "security:classification",
}


class Period(StrEnum):
    """How long a bucket of time is, by NumPy's names."""

    YEAR = "Y"
    MONTH = "M"
    DAY = "D"
    HOUR = "h"


@dataclass(frozen=True, slots=True)
class Aggregation:
    """What is to be counted.

    Parameters
    ----------
    measure
        Its name.
    precision
        Of a geohash its length, of a tile its zoom.
    period
        Length of a bucket of time.
    """

    measure: Measure
    precision: int = 1
    period: Period = Period.MONTH


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many products that have something in common: a word, the begin of a period in UTC, a geohash, a tile z/x/y."""

    key: str
    count: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted.

    Parameters
    ----------
    aggregation
        What was asked.
    value
        Count, or instant in microseconds; None for buckets, and for the earliest and latest of nothing.
    buckets
        By count, the larger first, then by key; those of time by key.
    overflow
        Count of products that are in no bucket: they have no value, or are of buckets that are too many to be told.
    """

    aggregation: Aggregation
    value: int | None = None
    buckets: tuple[Bucket, ...] = ()
    overflow: int = 0


def counted(aggregation: Aggregation, parts: Sequence[tuple[Columns, Rows]]) -> Counted:
    """Count over rows of several segments.

    Parameters
    ----------
    aggregation
        What is to be counted.
    parts
        Properties of segments, and the rows of each that count.
    """
    total = sum(len(rows) for _, rows in parts)
    measure = aggregation.measure
    match measure:
        case Measure.TOTAL:
            return Counted(aggregation, total)
        case Measure.EARLIEST:
            return Counted(aggregation, min(_begins(parts), default=None))
        case Measure.LATEST:
            return Counted(aggregation, max(_begins(parts), default=None))
        case Measure.TIME | Measure.COLLECTION | Measure.PLATFORM | Measure.CLASSIFICATION | Measure.GEOHASH | Measure.TILE:
            counts: Counter[str] = Counter()
            for columns, rows in parts:
                counts.update(_tally(aggregation, columns, rows))
            ranked = sorted(counts.items(), key=lambda pair: (0 if measure is Measure.TIME else -pair[1], pair[0]))[:MOST_BUCKETS]
            told = tuple(Bucket(key, count) for key, count in ranked)
            return Counted(aggregation, buckets=told, overflow=total - sum(bucket.count for bucket in told))
        case _:
            assert_never(measure)


def _begins(parts: Iterable[tuple[Columns, Rows]]) -> list[int]:
    # Rows are ascending, and rows of a segment stand from the newest on.
    return [int(columns.segment.begin[row]) for columns, rows in parts if len(rows) for row in (rows[0], rows[-1])]


def _tally(aggregation: Aggregation, columns: Columns, rows: Rows) -> dict[str, int]:
    """Counts by key of the rows that have a value."""
    # Loaded with the first count: a node that nobody asks starts without.
    import numpy as np

    segment = columns.segment
    match aggregation.measure:
        case Measure.TIME:
            moments = segment.begin[rows].astype("datetime64[us]").astype(f"datetime64[{aggregation.period.value}]")
            periods, counts = np.unique(moments, return_counts=True)
            begins = np.datetime_as_string(periods.astype("datetime64[s]"), timezone="UTC").tolist()
            return dict(zip(begins, counts.tolist(), strict=True))
        case Measure.GEOHASH | Measure.TILE as grid:
            placed = rows[~np.isnan(segment.west[rows])]
            lons = (segment.west[placed] + segment.east[placed]) / 2
            lons = np.where(lons > _HALF_DEG, lons - GLOBE_DEG, lons)
            lats = (segment.south[placed] + segment.north[placed]) / 2
            return (_hashes if grid is Measure.GEOHASH else _tiles)(lons, lats, aggregation.precision)
        case measure:
            found = columns.words(_WORDS[measure], rows)
            assert found is not None  # noqa: S101 - INVARIANT: these are words
            words, numbers = found
            counts = np.bincount(numbers, minlength=len(words))
            told: Counter[str] = Counter()
            for word, count in zip(words, counts.tolist(), strict=True):
                # Markings of several policies have words in common.
                told[word] += count
            return {word: count for word, count in told.items() if count}


def _cells(part: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
    """Cells of a row of equal ones in which parts of its length lie; its end is in the last."""
    cells: npt.NDArray[np.int64] = (part * count).astype("int64").clip(0, count - 1)
    return cells


def _hashes(lons: npt.NDArray[np.float64], lats: npt.NDArray[np.float64], length: int) -> dict[str, int]:
    import numpy as np

    across, up = (_GEOHASH_BITS * length + 1) // 2, _GEOHASH_BITS * length // 2
    columns = _cells((lons + _HALF_DEG) / GLOBE_DEG, 1 << across)
    rows = _cells((lats + _QUARTER_DEG) / _HALF_DEG, 1 << up)
    pairs, counts = np.unique(columns << up | rows, return_counts=True)
    return {
        _hash(pair >> up, pair & ((1 << up) - 1), _GEOHASH_BITS * length): count
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
    }


def _hash(column: int, row: int, bits: int) -> str:
    """Geohash of a cell: its bits by turns, that of the longitude first.

    Examples
    --------
    >>> _hash(27, 11, 10)
    'qg'
    """
    across, up = (bits + 1) // 2, bits // 2
    text, value = "", 0
    for bit in range(bits):
        taken = column >> (across - 1 - bit // 2) if bit % 2 == 0 else row >> (up - 1 - bit // 2)
        value = value << 1 | taken & 1
        if bit % _GEOHASH_BITS == _GEOHASH_BITS - 1:
            text, value = text + _GEOHASH[value], 0
    return text


def _tiles(lons: npt.NDArray[np.float64], lats: npt.NDArray[np.float64], zoom: int) -> dict[str, int]:
    import numpy as np

    count = 1 << zoom
    angles = np.radians(np.clip(lats, -_HIGHEST_LATITUDE_DEG, _HIGHEST_LATITUDE_DEG))
    columns = _cells((lons + _HALF_DEG) / GLOBE_DEG, count)
    # Spherical Mercator (EPSG:3857): y = ln(tan φ + sec φ).
    rows = _cells((1 - np.arcsinh(np.tan(angles)) / np.pi) / 2, count)
    pairs, counts = np.unique(columns << zoom | rows, return_counts=True)
    return {f"{zoom}/{pair >> zoom}/{pair & (count - 1)}": n for pair, n in zip(pairs.tolist(), counts.tolist(), strict=True)}
