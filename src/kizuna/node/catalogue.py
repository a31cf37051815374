"""The catalogue of this node: what a caller may see of the products that it holds, in the form in which it may have them."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from kizuna.catalog.query import NEWEST_FIRST, OLDEST_FIRST, Query, Sight
from kizuna.catalog.tokens import Tokens
from kizuna.errors import InputError
from kizuna.kinds.registry import kind_named
from kizuna.model.digests import Digest
from kizuna.model.product import Asset, AssetRole, ProductId
from kizuna.node.decisions import subject_of
from kizuna.node.messages import recalled_under
from kizuna.node.reads import ReadForm
from kizuna.node.reduce import MADE_ANEW, reduce_product
from kizuna.release.decide import decide_in
from kizuna.release.decision import ObligationKind, Outcome
from kizuna.release.view import view_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from kizuna.catalog.aggregate import Aggregation, Counted
    from kizuna.catalog.query import Index
    from kizuna.catalog.store import Item
    from kizuna.model.canonical import Json
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.product import Product
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision
    from kizuna.release.subject import Subject

__all__ = ["Catalogue", "Page", "Shown", "detected_remains"]

_MOST_TRIES = 3
_MOST_LATELY = 8192
"""Items that are kept as they were shown lately, about 10 kB each."""
_TOKEN_TEXT = b"kizuna/catalogue-token-key/1"


@dataclass(frozen=True, slots=True)
class Shown:
    """A product as a caller may see it.

    Parameters
    ----------
    product
        In the form in which the caller may have it, under its label as it is now.
    decision
        The permit, for a partner; None for the node's own people.
    """

    product: Product
    decision: Decision | None = None
    # What a face made of it, by what enters into that besides.
    written: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class _Lately:
    """What was shown lately of an item, and of what it was made: of the same it is made again."""

    label: Label
    decision: Decision | None
    shown: Shown


@dataclass(frozen=True, slots=True)
class Page:
    """A page of what a query found; `token` leads to the next one, None where none follows."""

    items: tuple[Shown, ...]
    token: str | None


def detected_remains(record: Mapping[str, Json]) -> bool:
    """Whether anything remains of a product, given as its record, where its phase is taken away."""
    # As `product_to_json` wrote it.
    stored: Mapping[str, Any] = record
    return _remains(stored["kind"], tuple([(asset["role"], asset["media_type"]) for asset in stored["assets"]]))


@lru_cache(maxsize=1024)
def _remains(kind: str, files: tuple[tuple[str, str], ...]) -> bool:
    # What is left out is told by what a file is to its product and by its type: neither by its name nor by its bytes.
    assets = [Asset(AssetRole(role), "", media_type, Digest(""), 0) for role, media_type in files]
    try:
        return bool(kind_named(kind).redact(assets, {ObligationKind.DETECTED_ONLY}))
    except InputError:
        # Of a kind that is unknown here nobody can say what remains.
        return False


class Catalogue:
    """Answers the questions of people and partners about products. Safe to use from several threads.

    Parameters
    ----------
    node
        This node.
    index
        Finds products.
    """

    def __init__(self, node: Node, index: Index) -> None:
        self._node, self._index = node, index
        self._lock = threading.Lock()
        self._recalled: tuple[str | None, dict[Party, frozenset[ProductId]]] = (None, {})
        # A number is given to one item and never to another: so what was read of it stays true.
        self._items: dict[int, Item] = {}
        self._lately: dict[tuple[Party | None, int], _Lately] = {}

    @cached_property
    def _tokens(self) -> Tokens:
        # Ed25519 gives one signature for one text, and nobody else can make it. Nothing else that the node signs begins so.
        return Tokens(hashlib.sha256(self._node.keys.sign(_TOKEN_TEXT)).digest())

    def sight(self, partner: Party | None) -> Sight:
        """What of the catalogue there is now for a partner, or for the node's own people.

        Raises
        ------
        TailUnconfirmed
            If a partner asks, and the node's tail is not confirmed.
        """
        node = self._node
        if partner is not None:
            node.require_confirmed()
        present = node.present()
        at, placer = present.at, present.placer

        def subject(item: Item) -> Subject:
            return subject_of(node.store.items, item.product, node.organisation, placer)

        recalled = frozenset[ProductId]() if partner is None else self._recalled_from(partner, present.note)
        return Sight(node.organisation, partner, view_of(present.known.register, at), at, placer, subject, recalled)

    def _recalled_from(self, partner: Party, checkpoint: str | None) -> frozenset[ProductId]:
        # INVARIANT: nothing is recalled without a fact in the same transaction. The checkpoint is read first.
        with self._lock:
            if not self._node.reads.are_all_since(self._recalled[0], checkpoint):
                self._recalled = checkpoint, {}
            kept = self._recalled[1]
        found = kept.get(partner)
        if found is None:
            names = [recalled_under(to, ProductId("")) for to in (partner, "*")]
            settings = self._node.store.settings
            found = kept[partner] = frozenset(ProductId(key.removeprefix(name)) for name in names for key in settings(name))
        return found

    def search(self, query: Query, partner: Party | None, token: str | None = None) -> Page:
        """Page of what a query finds for a caller; what a partner is shown is on record before.

        Parameters
        ----------
        query
            What is looked for.
        partner
            Who asks; None for the node's own people.
        token
            Token of the page before; None for the first page.

        Raises
        ------
        InputError
            If the token was not given to this caller for this query.
        """
        return self._recorded(self._found(query, partner, token), partner, ReadForm.LISTED)

    def _found(self, query: Query, partner: Party | None, token: str | None = None) -> Page:
        caller, asked = partner or "", query
        if token is not None:
            length = 2 if query.order == OLDEST_FIRST else len(query.order)
            query = replace(query, after=self._tokens.position(caller, asked.told, token, length=length))
        sight = self.sight(partner)
        for _ in range(_MOST_TRIES):
            found = self._index.search(query, sight)
            items = self._with_numbers(found.numbers)
            if len(items) == len(found.numbers):
                break
            # One was put again just now, or removed.
        shown = [self._show(sight, number, items[number]) for number in found.numbers if number in items]
        following = None if found.last is None or not found.more else self._tokens.token(caller, asked.told, found.last)
        return Page(tuple(one for one in shown if one is not None), following)

    def aggregate(self, query: Query, aggregations: Sequence[Aggregation], partner: Party | None) -> tuple[Counted, ...]:
        """What is counted of all that a query finds for a caller, as it may see it.

        Parameters
        ----------
        query
            What is looked for.
        aggregations
            What is to be counted.
        partner
            Who asks; None for the node's own people.
        """
        return self._index.aggregate(query, aggregations, self.sight(partner))

    def item(self, product: ProductId, partner: Party | None, form: ReadForm = ReadForm.ITEM) -> Shown | None:
        """Product of this id as a caller may see it; None where there is none for it.

        Parameters
        ----------
        product
            Its id.
        partner
            Who asks; None for the node's own people.
        form
            In what form a partner reads it; that it does is on record before this returns.
        """
        page = self._recorded(self._found(Query(ids=(product,), order=NEWEST_FIRST, limit=1), partner), partner, form)
        return page.items[0] if page.items else None

    def _recorded(self, page: Page, partner: Party | None, form: ReadForm) -> Page:
        if partner is not None:
            self._node.reads.record(partner, form, (shown.product.id for shown in page.items))
        return page

    def _with_numbers(self, numbers: Sequence[int]) -> Mapping[int, Item]:
        """Items by their numbers; those that are no longer there are left out."""
        known = {number: item for number in numbers if (item := self._items.get(number)) is not None}
        if len(known) < len(numbers):
            new = self._node.store.items.with_numbers([number for number in numbers if number not in known])
            if len(self._items) > _MOST_LATELY:
                self._items.clear()
            self._items |= new
            known |= new
        return known

    def _show(self, sight: Sight, number: int, item: Item) -> Shown | None:
        label = sight.view.label_of(item.product.id, item.product.label)
        # A second wall: what is shown is decided on by itself each time, whatever found it.
        decision = None if sight.partner is None else decide_in(sight.view, sight.subject_of(item), sight.partner, sight.at)
        if decision is not None and (decision.outcome is not Outcome.PERMIT or item.product.id in sight.recalled):
            return None
        lately = self._lately.get((sight.partner, number))
        if lately is not None and lately.label == label and lately.decision == decision:
            return lately.shown
        product = item.product if label is item.product.label else replace(item.product, label=label)
        if decision is None:
            shown = Shown(product)
        else:
            reduced = reduce_product(self._node, product, decision)
            if reduced is None:
                return None
            shown = Shown(reduced, decision)
        # Files that are made for a partner hang on more than the decision: whether they are there.
        if decision is None or not any(obligation.kind in MADE_ANEW for obligation in decision.obligations):
            if len(self._lately) > _MOST_LATELY:
                self._lately.clear()
            self._lately[sight.partner, number] = _Lately(label, decision, shown)
        return shown
