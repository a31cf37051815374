"""Verify a whole node: its log, and that what it shows and sends is what the log says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kizuna.errors import LogDamaged, Message
from kizuna.model.digests import digest_of
from kizuna.model.product import product_to_json
from kizuna.model.provenance import FactKind
from kizuna.node.audit_files import require_witnessed

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
    records: dict[str, Json] = {}
    released: dict[tuple[str, int], str] = {}
    for _index, fact in node.journal.facts():
        match fact.kind:
            case FactKind.PRODUCT_PUBLISHED | FactKind.PRODUCT_RECEIVED:
                record = fact.body.get("product")
                if isinstance(record, dict):
                    records[str(record.get("id"))] = record
            case FactKind.RELEASE_SEQUENCED:
                # Sealed anew under stricter terms, an entry is recorded again: the last one counts.
                body: dict[str, Any] = fact.body
                released[body["partner"], body["sequence"]] = body["entry"]
            case _:
                pass
    held = set()
    for item in node.store.items.all():
        held.add(str(item.product.id))
        if records.get(item.product.id) != product_to_json(item.product):
            raise _differs(Message("the record of product {id} is not the one that the log holds", {"id": item.product.id}))
    missing = sorted(set(records) - held)
    if missing:
        raise _differs(Message("the log holds product {id}, the store does not", {"id": missing[0]}))
    partners = node.knowledge().partners
    sent = {
        (str(partner), outgoing.sequence): digest_of(outgoing.envelope)
        for partner in partners
        for outgoing in node.store.book.outgoing(partner, 0, node.store.book.last_sequence(partner))
    }
    # What a partner that was removed got stays in the log; its feed is nobody's any more.
    released = {key: entry for key, entry in released.items() if key[0] in partners}
    for partner, sequence in sorted({*sent, *released}):
        if sent.get((partner, sequence)) != released.get((partner, sequence)):
            values: dict[str, str | int | float] = {"partner": partner, "sequence": sequence}
            raise _differs(Message("entry {sequence} of the feed for {partner} is not the one that the log holds", values))
    return state


def _differs(message: Message) -> LogDamaged:
    return LogDamaged(
        message, hint=Message("somebody changed the store behind the node's back: restore a backup; keep the folder as evidence")
    )
