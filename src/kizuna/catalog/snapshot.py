"""The columns of an index as they were, so that a node that is started need not read each of a million items again.

Of a snapshot nothing is believed that the store contradicts: it counts only if the item that was put last when it was taken still
has its number. It is written by the node for itself, like the table of items beside which it lies; what a partner is shown is
decided on by itself from the item's own record.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import numpy as np

from kizuna.catalog.segments import Names, Segment, label_number
from kizuna.model.label import label_to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from kizuna.catalog.store import ItemRows
    from kizuna.model.parties import Party

__all__ = ["Snapshot", "SnapshotKeep", "read_snapshot", "write_snapshot"]

# Goes up when a column means something else.
_FORM = 1
_COLUMNS = tuple(field.name for field in fields(Segment))


class SnapshotKeep(Protocol):
    """Keeps one snapshot, or none."""

    def read(self) -> BinaryIO | None:
        """Snapshot that was kept last, open to be read; None where there is none that can be."""
        ...

    def write(self, write: Callable[[BinaryIO], None]) -> None:
        """Keep what `write` writes in place of what was kept before; where that fails, what was kept before or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Columns of all items of a store.

    Parameters
    ----------
    stamp
        Of the store, when they were read of it.
    segments, alive
        The columns, and whether each row is still the item of its product.
    names
        Words of the segments.
    children
        By product those that were derived from it.
    """

    stamp: tuple[int, int]
    segments: Sequence[tuple[Segment, npt.NDArray[np.bool_]]]
    names: Names
    children: Mapping[str, set[str]]


def write_snapshot(file: BinaryIO, snapshot: Snapshot, holder: Party) -> None:
    """Write a snapshot of the store of a holder."""
    names = snapshot.names
    with names.lock:
        labels = [label_to_json(names.label(number)) for number in range(len(names.labels.things))]
    last = max(
        ((int(s.number[row]), s.id[row].decode()) for s, alive in snapshot.segments if (row := _last(s, alive)) is not None),
        default=None,
    )
    about = {
        "form": _FORM,
        "columns": _COLUMNS,
        "holder": holder,
        "stamp": snapshot.stamp,
        "last": last,
        "segments": len(snapshot.segments),
        "labels": labels,
        **{name: getattr(names, name).things for name in ("kinds", "parties", "platforms")},
        "children": {product: sorted(children) for product, children in snapshot.children.items()},
    }
    arrays = {f"{name} {number}": getattr(s, name) for number, (s, _) in enumerate(snapshot.segments) for name in _COLUMNS}
    arrays |= {f"alive {number}": alive for number, (_, alive) in enumerate(snapshot.segments)}
    np.savez(file, allow_pickle=False, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)


def _last(segment: Segment, alive: npt.NDArray[np.bool_]) -> int | None:
    rows = np.flatnonzero(alive)
    return int(rows[np.argmax(segment.number[rows])]) if len(rows) else None


def read_snapshot(file: BinaryIO, rows: ItemRows, holder: Party) -> Snapshot | None:
    """Snapshot in a file; None where it is not whole, of another form, or not of this store."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            about: dict[str, Any] = json.loads(arrays["about"].tobytes())
            if (about["form"], tuple(about["columns"]), about["holder"]) != (_FORM, _COLUMNS, holder):
                return None
            if not _is_of(rows, tuple(about["stamp"]), about["last"]):
                return None
            names = _names(about)
            if names is None:
                return None
            segments = [
                (Segment(**{name: arrays[f"{name} {number}"] for name in _COLUMNS}), arrays[f"alive {number}"])
                for number in range(about["segments"])
            ]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
    children = {product: set(found) for product, found in about["children"].items()}
    return Snapshot(cast("tuple[int, int]", tuple(about["stamp"])), segments, names, children)


def _is_of(rows: ItemRows, stamp: tuple[int, ...], last: Sequence[Any] | None) -> bool:
    now = rows.stamp()
    if len(stamp) != len(now) or any(then > present for then, present in zip(stamp, now, strict=True)) or last is None:
        return False
    # An older store that stands in the place of the newer one gave the number to another item, or to none yet.
    number, product = last
    return any(row.number == number and row.record["id"] == product for row in rows.rows_after(number - 1, number))


def _names(about: Mapping[str, Any]) -> Names | None:
    names = Names()
    for name in ("kinds", "parties", "platforms"):
        words = getattr(names, name)
        if [words.number(thing) for thing in about[name]] != list(range(len(about[name]))):
            return None
    # Markings follow from the labels.
    numbers = [label_number(label, names) for label in about["labels"]]
    return names if numbers == list(range(len(numbers))) else None
