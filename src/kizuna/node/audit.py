"""Verify a whole node: its log, and that what it shows and sends is what the log says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kizuna.errors import LogDamaged, Message
from kizuna.model.digests import digest_of
from kizuna.model.instants import format_instant
from kizuna.model.product import ProductId, product_to_json
from kizuna.model.provenance import FactKind
from kizuna.node.audit_files import require_witnessed
from kizuna.node.messages import recalled_under
from kizuna.node.reads import kept_reads

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.model.canonical import Json
    from kizuna.node.journal import LogState
    from kizuna.node.state import Node

__all__ = ["verify_node"]


def verify_node(node: Node, progress: Callable[[int, int], None] | None = None) -> LogState:
    """Verify the log, also against what partners cosigned, then each product record and each entry of each feed against it.

    Parameters
    ----------
    node
        Node, of which nothing is changed.
    progress
        Told how many entries of the log are verified, of how many.

    Raises
    ------
    LogDamaged
        Naming what does not verify: an entry of the log, a log that does not continue what a partner cosigned of it, a product
        whose record differs from what was published or received, an entry of a feed that is not the one that was recorded.
    """
    state = node.journal.verify(progress)
    require_witnessed(node)
    told = _told(node)
    held = set()
    for item in node.store.items.all():
        held.add(str(item.product.id))
        if told.records.get(item.product.id) != product_to_json(item.product):
            raise _differs(Message("the record of product {id} is not the one that the log holds", {"id": item.product.id}))
    missing = sorted(set(told.records) - held)
    if missing:
        raise _differs(Message("the log holds product {id}, the store does not", {"id": missing[0]}))
    for partner, product in told.recalled:
        if node.store.setting(recalled_under(partner, product)) is None:
            values: dict[str, str | int | float] = {"product": product, "partner": partner}
            raise _differs(Message("the log holds that {product} was recalled from {partner}, the store does not", values))
    unlike = told.reads.items() ^ kept_reads(node).items()
    if unlike:
        (read, partner, _form), _at = min(unlike)
        values = {"product": read, "partner": partner}
        raise _differs(Message("when {partner} last read product {product} is not what the log holds", values))
    partners = node.knowledge().partners
    sent = {
        (str(partner), outgoing.sequence): digest_of(outgoing.envelope)
        for partner in partners
        for outgoing in node.store.book.outgoing(partner, 0, node.store.book.last_sequence(partner))
    }
    # What a partner that was removed got stays in the log; its feed is nobody's any more.
    released = {key: entry for key, entry in told.released.items() if key[0] in partners}
    for to, sequence in sorted({*sent, *released}):
        if sent.get((to, sequence)) != released.get((to, sequence)):
            values = {"partner": to, "sequence": sequence}
            raise _differs(Message("entry {sequence} of the feed for {partner} is not the one that the log holds", values))
    return state


@dataclass(slots=True)
class _Told:
    """What the log tells of the store: each product's record, each entry of each feed, each recall, each last read."""

    records: dict[str, Json] = field(default_factory=dict)
    released: dict[tuple[str, int], str] = field(default_factory=dict)
    recalled: list[tuple[str, ProductId]] = field(default_factory=list)
    reads: dict[tuple[str, str, str], str] = field(default_factory=dict)


def _told(node: Node) -> _Told:
    told = _Told()
    for _index, fact in node.journal.facts():
        body: dict[str, Any] = fact.body
        match fact.kind:
            case FactKind.PRODUCT_PUBLISHED | FactKind.PRODUCT_RECEIVED:
                record = body.get("product")
                if isinstance(record, dict):
                    told.records[str(record.get("id"))] = record
            case FactKind.PRODUCT_WITHDRAWN if body["held"]:
                # Called back, a product is no item any more; its record stays in the log.
                told.records.pop(body["product"], None)
            case FactKind.PRODUCTS_READ:
                for product in body["products"]:
                    told.reads[product, body["partner"], body["form"]] = format_instant(fact.recorded_at)
            case FactKind.RECALL_ORDERED:
                told.recalled.append((body["partner"], ProductId(body["product"])))
            case FactKind.RELEASE_SEQUENCED | FactKind.MESSAGE_SEQUENCED:
                # Sealed anew under stricter terms, or as its recall, an entry is recorded again: the last one counts.
                told.released[body["partner"], body["sequence"]] = body["entry"]
            case _:
                pass
    return told


def _differs(message: Message) -> LogDamaged:
    return LogDamaged(
        message, hint=Message("somebody changed the store behind the node's back: restore a backup; keep the folder as evidence")
    )
