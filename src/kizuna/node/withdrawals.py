"""Products that a partner called back: hidden at once, kept for the audit, and answered by an officer.

A withdrawn product is no item any more: no search, tile, file or release finds it. Its record stays in the log, its files stay
until an officer says that they are destroyed.

# INVARIANT: files are removed before the answer that says so is recorded. A crash in between leaves the question open.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kizuna.errors import InputError, Message
from kizuna.exchange.answers import Fate, RecallAnswer, seal_recall_answer
from kizuna.model.digests import Digest
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.parties import Party
from kizuna.model.product import ProductId
from kizuna.model.provenance import FactKind
from kizuna.node.recall import pass_on_recall
from kizuna.node.versions import all_superseded, forget_superseded, superseded_versions

if TYPE_CHECKING:
    from kizuna.exchange.messages import Withdraw
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.node.state import Node, Partner

__all__ = ["Withdrawn", "answer_withdrawal", "hide_withdrawn", "owed_answers", "was_told", "withdrawn_products"]

_KEPT_UNDER = "withdrawn/"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A product that a partner called back.

    Parameters
    ----------
    partner, product, title
        Who, which; its title is empty where it never arrived.
    sequence, entry
        Number and digest of the entry that called it back last.
    reason, agreement, at
        Why, because of which agreement, and when it was received.
    blobs
        Its files.
    fate, answer, answered_at
        What the officer here answered; None while nobody did.
    told
        Whether the partner has that answer.
    """

    partner: Party
    product: ProductId
    title: str
    sequence: int
    entry: Digest
    reason: str
    agreement: str | None
    at: Instant
    blobs: tuple[Digest, ...]
    fate: Fate | None = None
    answer: str | None = None
    answered_at: Instant | None = None
    told: bool = False


def _name(partner: Party, product: ProductId) -> str:
    return f"{_KEPT_UNDER}{partner}/{product}"


def _keep(node: Node, one: Withdrawn) -> None:
    form = {
        "partner": one.partner,
        "product": one.product,
        "title": one.title,
        "sequence": one.sequence,
        "entry": one.entry,
        "reason": one.reason,
        "agreement": one.agreement,
        "at": format_instant(one.at),
        "blobs": one.blobs,
        "fate": one.fate,
        "answer": one.answer,
        "answered_at": None if one.answered_at is None else format_instant(one.answered_at),
        "told": one.told,
    }
    node.store.keep_setting(_name(one.partner, one.product), json.dumps(form))


def _read(text: str) -> Withdrawn:
    form: dict[str, Any] = json.loads(text)
    answered = form["answered_at"]
    return Withdrawn(
        Party(form["partner"]),
        ProductId(form["product"]),
        form["title"],
        form["sequence"],
        Digest(form["entry"]),
        form["reason"],
        form["agreement"],
        parse_instant(form["at"]),
        tuple(Digest(blob) for blob in form["blobs"]),
        None if form["fate"] is None else Fate(form["fate"]),
        form["answer"],
        None if answered is None else parse_instant(answered),
        form["told"],
    )


def withdrawn_products(node: Node) -> list[Withdrawn]:
    """Products that partners called back and that were held here, by partner and product."""
    found = [_read(text) for text in node.store.settings(_KEPT_UNDER).values()]
    return [one for one in found if one.fate is not Fate.NOT_HELD]


def hide_withdrawn(node: Node, partner: Partner, sequence: int, entry: Digest, recall: Withdraw) -> None:
    """Hide a product that a partner calls back, inside the store's open transaction.

    What is not held, or came from elsewhere, is left as it is: the partner is told that it is not held.
    """
    item = node.store.items.get(recall.product)
    held = item is not None and item.received_from == partner.party
    body: dict[str, Json] = {
        "partner": partner.party,
        "sequence": sequence,
        "entry": entry,
        "product": recall.product,
        "recalls": recall.recalls,
        "reason": recall.reason,
        "agreement": recall.agreement,
        "held": held,
    }
    now = node.journal.record(
        FactKind.PRODUCT_WITHDRAWN, body, by="exchange", authority=f"signature of {partner.party}"
    ).recorded_at
    before = node.store.setting(_name(partner.party, recall.product))
    if item is not None and held:
        node.store.items.remove(recall.product)
        pass_on_recall(node, recall.product, recall.reason, f"recall by {partner.party}")
        former = [blob for before in superseded_versions(node, recall.product) for blob in before.blobs]
        blobs = tuple(dict.fromkeys([*(asset.digest for asset in item.product.assets), *former]))
        _keep(
            node,
            Withdrawn(
                partner.party, recall.product, item.product.title, sequence, entry, recall.reason, recall.agreement, now, blobs
            ),
        )
    elif before is not None:
        # Called back once more: the answer that was given stands, and is owed for this entry too.
        _keep(node, replace(_read(before), sequence=sequence, entry=entry, told=False))
    else:
        absent = Withdrawn(partner.party, recall.product, "", sequence, entry, recall.reason, recall.agreement, now, ())
        _keep(node, replace(absent, fate=Fate.NOT_HELD, answered_at=now))


def answer_withdrawal(node: Node, product: str, fate: Fate, reason: str | None, authority: str) -> Withdrawn:
    """Answer a recall as an officer: destroyed (the files are removed now), kept, or refused; the last answer counts.

    Parameters
    ----------
    node
        This node.
    product
        Its id, or the unambiguous beginning of it.
    fate
        Destroyed, kept or refused.
    reason
        One sentence; it may be None only where the product is destroyed.
    authority
        By what authority.

    Raises
    ------
    InputError
        If no such product was called back, or it was destroyed already.
    """
    found = [one for one in withdrawn_products(node) if product and one.product.startswith(product)]
    if len(found) != 1:
        values: dict[str, str | int | float] = {"product": product, "count": len(found)}
        several = Message("{count} products that were called back begin with {product}", values)
        raise InputError(
            several if found else Message("no partner called {product} back", values),
            hint=Message("see: kizuna product recalled"),
            field="product",
        )
    if found[0].fate is Fate.DESTROYED:
        raise InputError(
            Message("{product} is destroyed already", {"product": found[0].product}),
            hint=Message("see: kizuna product recalled"),
            field="product",
        )
    with node.store.transaction():
        one = found[0]
        removed = _removable(node, one) if fate is Fate.DESTROYED else ()
        for blob in removed:
            node.blobs.discard(blob)
        if fate is Fate.DESTROYED:
            forget_superseded(node, one.product)
        body: dict[str, Json] = {
            "partner": one.partner,
            "product": one.product,
            "sequence": one.sequence,
            "fate": fate.value,
            "reason": reason,
            "removed": list(removed),
        }
        now = node.journal.record(FactKind.WITHDRAWAL_ANSWERED, body, by=node.by, authority=authority).recorded_at
        answered = replace(one, fate=fate, answer=reason, answered_at=now, told=False)
        _keep(node, answered)
    return answered


def _removable(node: Node, one: Withdrawn) -> tuple[Digest, ...]:
    """Files of a product that nothing else here needs."""
    needed = {asset.digest for item in node.store.items.all() for asset in item.product.assets}
    needed |= {blob for before in all_superseded(node) if before.product != one.product for blob in before.blobs}
    for other in withdrawn_products(node):
        if other.product != one.product and other.fate is not Fate.DESTROYED:
            needed |= set(other.blobs)
    return tuple(blob for blob in one.blobs if blob not in needed)


# ---- what the partner is told


def owed_answers(node: Node, partner: Party) -> list[tuple[Withdrawn, bytes]]:
    """Answers that a partner does not have yet, each with its envelope."""
    found = []
    for text in node.store.settings(f"{_KEPT_UNDER}{partner}/").values():
        one = _read(text)
        if one.fate is not None and one.answered_at is not None and not one.told:
            answer = RecallAnswer(
                partner, node.organisation, one.sequence, one.entry, one.product, one.fate, one.answer, one.answered_at
            )
            found.append((one, seal_recall_answer(answer, node.keys)))
    return found


def was_told(node: Node, one: Withdrawn) -> None:
    """Note that the partner has this answer; one that was given meanwhile is still owed."""
    with node.store.transaction():
        text = node.store.setting(_name(one.partner, one.product))
        if text is not None and _read(text) == one:
            _keep(node, replace(one, told=True))
