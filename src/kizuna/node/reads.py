"""What partners read of this node's products: on record before it goes.

# INVARIANT: nothing of a product goes to a partner before it stands in the log, under a signed checkpoint that is durable, that
# this partner read this product in this form. If it cannot be recorded, it does not go.

What a partner reads again within a window of time is not recorded again: one entry a partner, product, form and window. All that
waits to be recorded while an entry is being written goes into the next one together.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.parties import parse_party
from kizuna.model.product import ProductId
from kizuna.model.provenance import FactKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.node.state import Node

__all__ = ["READ_WINDOW", "Read", "ReadForm", "Reads", "form_message", "kept_reads", "last_reads", "reads_in_log"]

READ_WINDOW = timedelta(hours=1)
"""Within this time after an entry the same is not recorded again."""

_MOST_REMEMBERED = 500_000
_MOST_STEPS = 64
_KEPT = "read/"

type _Key = tuple[Party, ReadForm, ProductId]


class ReadForm(StrEnum):
    """In what form a product was read."""

    LISTED = "listed"
    """On a page of a search, with its properties."""
    ITEM = "item"
    """By its own address."""
    FILE = "file"
    """One of its files, or a part of one."""
    TILE = "tile"
    """A picture made of it."""


@dataclass(frozen=True, slots=True)
class Read:
    """A partner read a product.

    Parameters
    ----------
    product, partner, form
        What, who, how.
    at
        When it was recorded; more of the same may have been read within the window that follows.
    """

    product: ProductId
    partner: Party
    form: ReadForm
    at: Instant


@dataclass(slots=True, eq=False)
class _Batch:
    """What is recorded together."""

    keys: dict[_Key, None] = field(default_factory=dict)
    is_done: bool = False
    error: Exception | None = None


class Reads:
    """Records what partners read. Safe to use from several threads.

    Parameters
    ----------
    node
        This node.
    window
        Within this time the same is not recorded again.
    """

    def __init__(self, node: Node, window: timedelta = READ_WINDOW) -> None:
        self._node = node
        self.window = window
        # When each was recorded last, the oldest first.
        self._recorded: dict[_Key, Instant] = {}
        self._waiting = _Batch()
        # Of the latest checkpoints which run each is of, and its place there: between two of one run lies nothing but reads.
        self._runs: dict[str | None, tuple[object, int]] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def record(self, partner: Party, form: ReadForm, products: Iterable[ProductId]) -> bool:
        """Have on record that a partner reads products; when this returns, they may go to it.

        Returns
        -------
        bool
            Whether anything had to be written, which takes time: what was decided before may be decided anew.

        Raises
        ------
        StoreError, ClockBehind
            If it cannot be recorded.
        """
        now = self._node.journal.clock.now()
        with self._lock:
            wanted = [key for product in products if self._is_due(key := (partner, form, product), now)]
            if not wanted:
                return False
            batch = self._waiting
            batch.keys.update(dict.fromkeys(wanted))
        with self._writing:
            if not batch.is_done:
                self._write(batch)
        if batch.error is not None:
            raise batch.error
        return True

    def are_all_since(self, before: str | None, after: str | None) -> bool:
        """Whether nothing but reads was recorded between two checkpoints: what was decided at the first holds at the second.

        True only where this process recorded them, and lately.
        """
        if before == after:
            return after is not None
        earlier, later = self._runs.get(before), self._runs.get(after)
        return earlier is not None and later is not None and earlier[0] is later[0] and earlier[1] < later[1]

    def _is_due(self, key: _Key, now: Instant) -> bool:
        at = self._recorded.get(key)
        # A clock that was set back is told when the entry is written.
        return at is None or not at <= now < at + self.window

    def _write(self, batch: _Batch) -> None:
        with self._lock:
            # Who comes from here on joins the next one.
            self._waiting = _Batch()
        try:
            at = self._recorded_at(batch)
        except Exception as error:  # noqa: BLE001 - raised by each who waits for it
            batch.error = error
        else:
            with self._lock:
                for key in batch.keys:
                    self._recorded.pop(key, None)
                    self._recorded[key] = at
                while len(self._recorded) > _MOST_REMEMBERED:
                    # What is forgotten is recorded once more.
                    del self._recorded[next(iter(self._recorded))]
        batch.is_done = True

    def _recorded_at(self, batch: _Batch) -> Instant:
        together: dict[tuple[Party, ReadForm], list[ProductId]] = {}
        for partner, form, product in batch.keys:
            together.setdefault((partner, form), []).append(product)
        facts: list[tuple[FactKind, dict[str, Json]]] = [
            (FactKind.PRODUCTS_READ, {"partner": partner, "form": form.value, "products": [*products]})
            for (partner, form), products in together.items()
        ]
        store = self._node.store
        with store.transaction():
            at = self._node.journal.record_all(facts, by="exchange", authority="release rules")
            step = self._node.journal.last_step
            names = {key: _kept_under(key[2], key[0]) for key in batch.keys}
            told: dict[str, dict[str, str]] = {
                name: json.loads(value) for name, value in store.settings_among(dict.fromkeys(names.values())).items()
            }
            now = format_instant(at)
            for (_partner, form, _product), name in names.items():
                told.setdefault(name, {})[form.value] = now
            # As a rule a product was not read before, and is read in one form.
            alone = {form.value: json.dumps({form.value: now}) for form in ReadForm}
            store.keep_settings(
                {
                    name: alone[next(iter(forms))] if len(forms) == 1 else json.dumps(forms, sort_keys=True)
                    for name, forms in told.items()
                }
            )
        if step is not None:
            before, after = step
            run, place = self._runs.get(before) or (object(), 0)
            # Another dictionary, for those who look at this one meanwhile.
            kept = dict(islice(self._runs.items(), max(0, len(self._runs) - _MOST_STEPS), None))
            self._runs = kept | {before: (run, place), after: (run, place + 1)}
        return at


_FORMS = MappingProxyType(
    {
        ReadForm.LISTED: Message("on a page of a search"),
        ReadForm.ITEM: Message("its item"),
        ReadForm.FILE: Message("a file of it"),
        ReadForm.TILE: Message("a tile of it"),
    }
)


def form_message(form: ReadForm) -> Message:
    """Words for a form in which something was read."""
    return _FORMS[form]


def _kept_under(product: ProductId, partner: Party) -> str:
    return f"{_KEPT}{product}/{partner}"


def last_reads(node: Node, product: ProductId) -> list[Read]:
    """When each partner was last recorded to read a product, in each form; the latest first."""
    found = []
    beginning = f"{_KEPT}{product}/"
    for name, value in node.store.settings(beginning).items():
        partner = parse_party(name.removeprefix(beginning))
        found += [Read(product, partner, ReadForm(form), parse_instant(at)) for form, at in json.loads(value).items()]
    return sorted(found, key=lambda read: (read.at, read.partner, read.form), reverse=True)


def kept_reads(node: Node) -> dict[tuple[str, str, str], str]:
    """When each product was last recorded to be read, by product, partner and form, as the store tells it."""
    found: dict[tuple[str, str, str], str] = {}
    for name, value in node.store.settings(_KEPT).items():
        product, _, partner = name.removeprefix(_KEPT).partition("/")
        found |= {(product, partner, form): at for form, at in json.loads(value).items()}
    return found


def reads_in_log(node: Node) -> Iterator[Read]:
    """All that the log says of what partners read, in its order, its signatures verified.

    Raises
    ------
    LogDamaged
        At the first entry that does not verify.
    """
    for _index, fact in node.journal.facts():
        if fact.kind is FactKind.PRODUCTS_READ:
            products = fact.body["products"]
            assert isinstance(products, list)  # noqa: S101 - INVARIANT: as it was recorded above
            for product in products:
                partner, form = parse_party(str(fact.body["partner"])), ReadForm(str(fact.body["form"]))
                yield Read(ProductId(str(product)), partner, form, fact.recorded_at)
