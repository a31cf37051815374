"""The form in which a product goes to one partner: an own one reduced as its permit asks, a third party's as it was signed.

Its record names other products and files only as far as this partner may know of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kizuna.exchange.feed import FeedEntry
from kizuna.exchange.messages import unseal_any
from kizuna.exchange.onward import onward_form
from kizuna.node.decisions import as_labelled_now, decide_item
from kizuna.node.messages import was_recalled
from kizuna.node.onward import consent_of, is_third_partys, why_not_passed_on
from kizuna.node.reduce import reduce_product, why_not_reduced
from kizuna.release.decision import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.errors import Message
    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party
    from kizuna.model.product import Product, ProductId
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision

__all__ = ["Form", "as_told", "form_for", "held_back", "why_held"]


@dataclass(frozen=True, slots=True)
class Form:
    """What goes: the record, and the originator's signed consent where it is a third party's."""

    product: Product
    consent: bytes | None = None


def form_for(node: Node, partner: Party, product: Product, decision: Decision) -> Form | None:
    """Form in which a product may go to a partner; None where it may be permitted, but nothing can go.

    Parameters
    ----------
    node, partner
        From whom, to whom.
    product
        Product under its label as it is now (`as_labelled_now`).
    decision
        The permit.
    """
    if is_third_partys(node, product):
        consent = consent_of(node, product, partner)
        if isinstance(consent, bytes) and why_not_passed_on(node, product, partner, decision) is None:
            return Form(onward_form(product), consent)
        return None
    reduced = reduce_product(node, product, decision)
    return None if reduced is None else Form(reduced)


def as_told(node: Node, partner: Party, product: Product, form: Form) -> Product:
    """Record of a form for a partner, with what it may know of the products and files that it comes from.

    A parent is named if it was handed to this partner and may go to it now. What a newer version replaces is named as the partner
    was handed it, not as it is here.
    """
    if form.consent is not None:
        return form.product
    lineage = tuple(parent for parent in product.lineage if _knows(node, partner, parent))
    return replace(form.product, lineage=lineage, supersedes=_replaced(node, partner, product))


def _knows(node: Node, partner: Party, parent: ProductId) -> bool:
    item = node.store.items.get(parent)
    return (
        item is not None
        and node.store.book.sequence_of(partner, parent) is not None
        and not was_recalled(node, partner, parent)
        and decide_item(node, item.product, partner).outcome is Outcome.PERMIT
    )


def _replaced(node: Node, partner: Party, product: Product) -> Digest | None:
    number = node.store.book.sequence_of(partner, product.id) if product.version > 1 else None
    if number is None:
        return None
    (outgoing,) = node.store.book.outgoing(partner, number - 1, 1)
    entry = unseal_any(outgoing.envelope, node.journal.key_of(outgoing.envelope))
    if not isinstance(entry, FeedEntry):
        return None
    return entry.product.content if entry.product.version < product.version else entry.product.supersedes


def why_held(node: Node, partner: Party, product: Product, decision: Decision) -> Message | None:
    """Why nothing of a product goes to a partner although it is permitted; None where something can go."""
    if is_third_partys(node, product):
        return why_not_passed_on(node, product, partner, decision)
    return why_not_reduced(node, product, decision)


def held_back(node: Node, partner: Party) -> Iterator[tuple[ProductId, Message]]:
    """Products that wait for a partner and are permitted, but of which nothing can go, each with the reason."""
    for product_id in node.store.book.waiting(partner):
        item = node.store.items.get(product_id)
        decision = None if item is None else decide_item(node, item.product, partner)
        if item is not None and decision is not None and decision.outcome is Outcome.PERMIT:
            why = why_held(node, partner, as_labelled_now(node, item.product), decision)
            if why is not None:
                yield product_id, why
