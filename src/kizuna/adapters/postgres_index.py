"""The catalogue's index in PostgreSQL: what is searched, and what a caller may see of it, in one statement.

The decision stands in the ``WHERE`` (`kizuna.adapters.postgres_sight`), and row-level security asks it once more of each row
that a partner's search touches: behind the rules, a second wall. Whether an outline meets a place, beyond its extent, is asked
here, by the same code as for the embedded index: both engines give the same answer to the last digit.
"""

from __future__ import annotations

import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from kizuna.adapters.postgres_search import Select, page_of
from kizuna.adapters.postgres_sight import Words, partner_sight
from kizuna.catalog.aggregate import counted
from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.filters import Columns
from kizuna.catalog.query import NEWEST_FIRST, Found, Query
from kizuna.catalog.segments import Names, Segment, segment_of
from kizuna.catalog.shelf import Shelf
from kizuna.model.label import read_label
from kizuna.model.product import Footprint
from kizuna.model.reading import Table
from kizuna.model.regions import AreaId, Placement
from kizuna.node.catalogue import detected_remains
from kizuna.release.columns import ALWAYS, NEVER, micros

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kizuna.adapters.postgres_items import PostgresItems
    from kizuna.catalog.aggregate import Aggregation, Counted
    from kizuna.catalog.areas import Placer
    from kizuna.catalog.extents import Extent
    from kizuna.catalog.query import Position, Sight
    from kizuna.catalog.store import Item, StoredRow
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.release.subject import Subject
    from kizuna.release.view import View

__all__ = ["PostgresIndex"]

_BATCH = 5_000
_LEAST_ROWS, _GROWTH, _MOST_ROWS = 50, 4, 5_000
_KEPT_SETS = 3
_FIRST_SPAN_US = 60 * 86_400 * 10**6
_OUTLINE_AT, _KEYS_AT = 5, 6


class _DerivedRows:
    """Rows of the items that were derived from others; all others are only told to have changed."""

    __slots__ = ("_items", "_seen")

    def __init__(self, items: PostgresItems) -> None:
        self._items = items
        self._seen = 0

    def stamp(self) -> tuple[int, int]:
        return self._items.stamp()

    def rows_after(self, number: int, through: int) -> Iterator[StoredRow]:
        self._seen = through
        return self._items.rows_after(number, through, derived=True)

    def removed_after(self, number: int, through: int) -> Iterator[str]:
        yield from self._items.removed_after(number, through)
        if self._seen:
            # Asked before the rows are: what was put since then.
            query = "SELECT product FROM item WHERE number > ?"
            for (product,) in self._items.database.rows(query, (self._seen,)):
                yield product

    def in_box(self, box: Extent, begin_us: int, end_us: int) -> Sequence[int]:
        return self._items.in_box(box, begin_us, end_us)

    def with_numbers(self, numbers: Sequence[int]) -> Mapping[int, Item]:
        return self._items.with_numbers(numbers)


class PostgresIndex:
    """Index over the items of a PostgreSQL store (`kizuna.catalog.query.Index`). Safe to use from several threads.

    Parameters
    ----------
    items
        The store's items.
    holder
        Whose store it is.
    """

    def __init__(self, items: PostgresItems, holder: Party) -> None:
        self._items, self._database, self._holder = items, items.database, holder
        self._lock = threading.Lock()
        self._labels: dict[int, Label] = {}
        self._words: tuple[View | None, int, int, Words | None] = (None, 0, 0, None)
        self._derived = ColumnIndex(_DerivedRows(items), holder, detected_remains)
        self._corrected: tuple[tuple[int, ...], Shelf | None] = ((), None)

    # ---- searching

    def search(self, query: Query, sight: Sight) -> Found:
        """Page of what a query finds for a caller."""
        wanted = query.limit + 1
        page: list[tuple[Any, ...]] = []
        for row in self._rows(query, sight, wanted):
            page.append(row)
            if len(page) == wanted:
                break
        more = len(page) == wanted
        page = page[: query.limit]
        last = cast("Position", page[-1][_KEYS_AT:]) if page else None
        return Found(tuple(row[0] for row in page), last, more)

    def _rows(self, query: Query, sight: Sight, wanted: int) -> Iterator[tuple[Any, ...]]:
        """Rows that answer a query, in its order."""
        select = self._select(query, sight)
        sees, told = self._sees(sight)
        for since, before in self._spans(query):
            position, size = query.after, wanted if query.where is None else max(wanted, _LEAST_ROWS)
            while True:
                statement, values = page_of(select, sees, position, size, (since, before))
                rows = self._asked(statement, values, told)
                for row in rows:
                    if query.where is None or _meets(query, row):
                        yield row
                if len(rows) < size:
                    break
                position, size = rows[-1][_KEYS_AT:], min(size * _GROWTH, _MOST_ROWS)

    def _spans(self, query: Query) -> Iterator[tuple[int, int]]:
        """Spans of time, the first included, the second not, that follow each other as the query is sorted.

        PostgreSQL plans a statement for each month that it may have to look at, which takes longer than to look; where the newest
        come first, the first months are enough as a rule.
        """
        if query.order != NEWEST_FIRST or query.ids is not None:
            yield ALWAYS, NEVER
            return
        newest, oldest = self._database.row("SELECT max(moment_us), min(moment_us) FROM item") or (None, None)
        if newest is None:
            return
        last = newest if query.end is None else min(newest, micros(query.end))
        if query.after is not None:
            last = min(last, int(cast("int", query.after[0])))
        length, before = _FIRST_SPAN_US, NEVER
        since = last - length
        while since > oldest and (query.begin is None or since > micros(query.begin)):
            yield since, before
            length *= _GROWTH
            since, before = since - length, since
        yield ALWAYS, before

    def _asked(self, statement: str, values: Sequence[object], told: str | None) -> list[tuple[Any, ...]]:
        if told is None:
            return self._database.rows_written(statement, values)
        return self._database.rows_as_partner(told, statement, values)

    def _select(self, query: Query, sight: Sight) -> Select:
        levels = [level for (level,) in self._database.rows("SELECT level FROM item_level")] if query.where is not None else []
        longest = self._database.row("SELECT longest_us FROM item_count") if query.begin is not None else (0,)
        corrected = {r.product: (r.label.policy, r.label.classification) for r in _corrections(sight.view)}
        return Select(query, corrected, levels, 0 if longest is None else int(longest[0]))

    def _sees(self, sight: Sight) -> tuple[tuple[str, Sequence[object]], str | None]:
        """Condition for what a caller sees, and what row-level security is told; None for the node's own people."""
        if sight.partner is None:
            return ("true", ()), None
        words = self._known(sight)
        unlike = {r.product for r in sight.view.register.relabellings}
        found = partner_sight(sight, sight.partner, words, unlike, self._others(sight))
        return found.where(), found.told()

    # ---- counting

    def aggregate(self, query: Query, aggregations: Sequence[Aggregation], sight: Sight) -> tuple[Counted, ...]:
        """What is counted of all that a query finds for a caller."""
        select = self._select(query, sight)
        sees, told = self._sees(sight)
        where, values = select.where()
        policy, classification = select.column("security:policy"), select.column("security:classification")
        source, joined = select.source()
        outline = "r.outline" if query.where is not None else "NULL"
        rows = self._asked(
            f"SELECT r.number, r.west, r.south, r.east, r.north, {outline}, r.moment_us, r.kind, r.platform, {policy},"  # noqa: S608 - of ours
            f" {classification} FROM {source} WHERE ({where}) AND ({sees[0]}) ORDER BY r.moment_us DESC, r.product",
            [*joined, *values, *sees[1]],
            told,
        )
        columns = _columns([row for row in rows if query.where is None or _meets(query, row)])
        every = np.arange(len(columns.marking), dtype=np.intp)
        return tuple(counted(aggregation, [(columns, every)]) for aggregation in aggregations)

    # ---- what decisions need

    def _known(self, sight: Sight) -> Words:
        """All that rows name by now, in the view of a sight."""
        with self._lock:
            last = max(self._labels, default=0)
            for id_, record in self._database.rows("SELECT id, record FROM label WHERE id > ? ORDER BY id", (last,)):
                self._labels[id_] = read_label(Table(json.loads(record), "label"))
            view, set_id, places = sight.view, *self._placed(sight)
            kinds = [kind for (kind,) in self._database.rows("SELECT kind FROM item_kind ORDER BY kind")]
            known, labels, kept_set, words = self._words
            fresh = known is not view or labels != len(self._labels) or kept_set != set_id or words is None
            if words is None or fresh or list(words.kinds) != kinds or words.places != places:
                words = Words(
                    {id_: view.label_columns(label) for id_, label in self._labels.items()},
                    {kind: view.kinds.bit(kind) for kind in kinds},
                    set_id,
                    places,
                )
                self._words = view, len(self._labels), set_id, words
            return words

    def _others(self, sight: Sight) -> list[int]:
        """Numbers of what a partner may see of all that was derived from other products, or whose label was corrected."""

        def subject_of(number: int) -> Subject | None:
            item = self._items.with_numbers([number]).get(number)
            return None if item is None else sight.subject_of(item)

        found = self._derived.visible(sight)
        shelf = self._corrected_rows(sight)
        if shelf is not None:
            visible, _ = shelf.visible(sight, subject_of)
            if visible is not None:
                found += shelf.segment.number[visible].tolist()
        return found

    def _corrected_rows(self, sight: Sight) -> Shelf | None:
        products = sorted({r.product for r in sight.view.register.relabellings})
        if not products:
            return None
        rows = self._database.rows(
            "SELECT number FROM item_row WHERE product = ANY(?) AND NOT derived ORDER BY number", (products,)
        )
        numbers = tuple(number for (number,) in rows)
        with self._lock:
            kept, shelf = self._corrected
            if kept != numbers or shelf is None:
                names = Names()
                shelf = Shelf(segment_of(self._items.rows_numbered(numbers), names, self._holder, detected_remains), names)
                self._corrected = numbers, shelf
            return shelf

    # ---- places

    def _placed(self, sight: Sight) -> tuple[int, dict[int, tuple[int, int, int]] | None]:
        """Set of the areas that agreements name, all rows placed in it, and the columns of each code."""
        if not sight.placer.looks:
            return 0, None
        key = hashlib.sha256("\n".join(sorted(sight.placer.areas)).encode()).hexdigest()
        row = self._database.row("SELECT id, through FROM place_set WHERE key = ?", (key,))
        behind = row is None or row[1] < self._items.stamp()[0]
        set_id = self._place(key, sight.placer) if row is None or behind else row[0]
        words = self._database.rows("SELECT code, record FROM place_word WHERE set_id = ?", (set_id,))
        return set_id, {code: sight.view.place_columns(_placement(record)) for code, record in words}

    def _place(self, key: str, placer: Placer) -> int:
        """Write how all rows lie that were put since that was last done; the number of the set."""
        database = self._database
        # Whoever else does the same waits here; who puts items does not.
        with database.aside():
            database.write("INSERT INTO place_set (key, through) VALUES (?, 0) ON CONFLICT (key) DO NOTHING", (key,))
            set_id, through = database.row("SELECT id, through FROM place_set WHERE key = ? FOR UPDATE", (key,)) or (0, 0)
            last = self._items.stamp()[0]
            codes = {
                record: code for code, record in database.rows("SELECT code, record FROM place_word WHERE set_id = ?", (set_id,))
            }
            known = len(codes)
            while rows := database.rows(
                "SELECT number, outline, nominal FROM item_row WHERE number > ? AND number <= ? ORDER BY number LIMIT ?",
                (through, last, _BATCH),
            ):
                placed = []
                for number, outline, nominal in rows:
                    ring = tuple(zip(outline[::2], outline[1::2], strict=True))
                    record = _told(placer.place(Footprint(ring, nominal) if ring else None))
                    placed.append((set_id, number, codes.setdefault(record, len(codes))))
                database.copy("item_placed", ("set_id", "number", "code"), placed)
                through = rows[-1][0]
            fresh = [(set_id, code, record) for record, code in codes.items() if code >= known]
            database.write_all("INSERT INTO place_word (set_id, code, record) VALUES (?, ?, ?)", fresh)
            database.write("UPDATE place_set SET through = ? WHERE id = ?", (last, set_id))
            database.write(
                "DELETE FROM place_set WHERE id NOT IN (SELECT id FROM place_set ORDER BY id DESC LIMIT ?)", (_KEPT_SETS,)
            )
        return int(set_id)


def _corrections(view: View) -> list[Any]:
    """Corrections of labels that were known, the latest of each product last."""
    return sorted(view.register.relabellings, key=lambda relabelling: relabelling.recorded_at)


def _told(placement: Placement) -> str:
    touches = None if placement.touches is None else sorted(placement.touches)
    return json.dumps([sorted(placement.inside), touches])


def _placement(record: str) -> Placement:
    inside, touches = json.loads(record)
    return Placement(
        frozenset(AreaId(id_) for id_ in inside), None if touches is None else frozenset(AreaId(id_) for id_ in touches)
    )


def _meets(query: Query, row: Sequence[Any]) -> bool:
    """Whether a row, whose extent meets that of a place, meets the place."""
    where = query.where
    assert where is not None  # noqa: S101 - INVARIANT: asked only where there is one
    box, (west, south, east, north, outline) = where.extent, row[1 : _OUTLINE_AT + 1]
    # What lies wholly in a plain box meets it.
    if where.is_box and box.west <= west and east <= box.east and box.south <= south and north <= box.north:
        return True
    return where.meets(list(zip(outline[::2], outline[1::2], strict=True)))


def _columns(rows: Sequence[Sequence[Any]]) -> Columns:
    """Columns of what is counted by; the others are empty."""
    names = Names()
    size = len(rows)

    def numbers(place: int) -> Any:  # noqa: ANN401 - an array of the column's own type
        return np.array([np.nan if row[place] is None else row[place] for row in rows], np.float64)

    segment = Segment(
        **{name: np.zeros(size, np.int64) for name in Segment.__slots__}
        | {
            "begin": np.array([row[6] for row in rows], np.int64),
            "west": numbers(1),
            "south": numbers(2),
            "east": numbers(3),
            "north": numbers(4),
            "kind": np.array([names.kinds.number(row[7]) for row in rows], np.int32),
            "platform": np.array([names.platforms.number(row[8]) for row in rows], np.int32),
        }
    )
    marking = np.array([names.markings.number((row[9], row[10])) for row in rows], np.int32)
    return Columns(segment, names, marking)
