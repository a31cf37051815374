"""Recalls: call a product back from the partners that were handed it, and take their signed answers.

A recall stops what has not gone yet, hides the product at the partner's node, and asks for an answer. It cannot fetch bytes
back: what a partner holds, it holds, and its answer is its word for what it did.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kizuna.errors import InputError, KizunaError, Message
from kizuna.exchange.answers import Fate, unseal_recall_answer
from kizuna.exchange.envelope import peek
from kizuna.exchange.messages import Withdraw, unseal_any
from kizuna.model.digests import digest_of
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.product import ProductId
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import decide_item
from kizuna.node.messages import is_message, queue_message, recalled_under
from kizuna.release.decision import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import Product
    from kizuna.node.ports import Outgoing
    from kizuna.node.state import Node

__all__ = [
    "Recall",
    "order_recall",
    "pass_on_recall",
    "recall_of",
    "recall_withdrawn",
    "recalls",
    "take_recall_answer",
    "withdraw_of",
]

_EVERYBODY = "*"
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Recall:
    """A product called back from one partner.

    Parameters
    ----------
    product
        The product.
    partner
        From whom; ``*`` for the order that it goes to nobody any more.
    recalls
        Number of the entry that handed it out; None where nothing was handed out: then the partner is told nothing.
    key
        Key of the message that tells it; None where nothing is told.
    reason, agreement, ordered_at
        Why, because of which agreement, when.
    fate, answer, answered_at
        The partner's answer; None while there is none.
    """

    product: ProductId
    partner: Party | str
    recalls: int | None
    key: ProductId | None
    reason: str
    agreement: str | None
    ordered_at: Instant
    fate: Fate | None = None
    answer: str | None = None
    answered_at: Instant | None = None


def _text(recall: Recall) -> str:
    form = {
        "recalls": recall.recalls,
        "key": recall.key,
        "reason": recall.reason,
        "agreement": recall.agreement,
        "ordered_at": format_instant(recall.ordered_at),
        "fate": recall.fate,
        "answer": recall.answer,
        "answered_at": None if recall.answered_at is None else format_instant(recall.answered_at),
    }
    return json.dumps(form)


def _read(partner: Party | str, product: ProductId, text: str) -> Recall:
    form: dict[str, Any] = json.loads(text)
    at = form["answered_at"]
    return Recall(
        product,
        partner,
        form["recalls"],
        form["key"],
        form["reason"],
        form["agreement"],
        parse_instant(form["ordered_at"]),
        None if form["fate"] is None else Fate(form["fate"]),
        form["answer"],
        None if at is None else parse_instant(at),
    )


def recall_of(node: Node, partner: Party | str, product: ProductId) -> Recall | None:
    """Recall of a product from a partner; None if there is none."""
    text = node.store.setting(recalled_under(partner, product))
    return None if text is None else _read(partner, product, text)


def recalls(node: Node, partner: Party) -> list[Recall]:
    """Recalls of which a partner was, or will be, told, by product."""
    beginning = recalled_under(partner, ProductId(""))
    found = [
        _read(partner, ProductId(name.removeprefix(beginning)), text) for name, text in node.store.settings(beginning).items()
    ]
    return [recall for recall in found if recall.key is not None]


def withdraw_of(recall: Recall) -> Withdraw:
    """What a partner is told of a recall."""
    assert recall.recalls is not None  # noqa: S101 - INVARIANT: of what was never handed out nothing is told
    return Withdraw(recall.product, recall.recalls, recall.reason, recall.agreement)


def _order(node: Node, product: ProductId, partner: Party | str, reason: str, agreement: str | None, authority: str) -> Recall:
    """Record one recall and queue the message, inside the store's open transaction."""
    book = node.store.book
    number = None if partner == _EVERYBODY else book.sequence_of(_party(partner), product)
    body: dict[str, Json] = {
        "partner": partner,
        "product": product,
        "recalls": number,
        "reason": reason,
        "agreement": agreement,
    }
    now = node.journal.record(FactKind.RECALL_ORDERED, body, by=node.by, authority=authority).recorded_at
    recall = Recall(product, partner, number, None, reason, agreement, now)
    if number is not None:
        told = queue_message(node, _party(partner), withdraw_of(recall), authority=authority)
        recall = replace(recall, key=told)
    if partner != _EVERYBODY:
        # What never went, or would go once more: a newer version of it.
        book.drop(_party(partner), product)
    node.store.keep_setting(recalled_under(partner, product), _text(recall))
    return recall


def _party(partner: Party | str) -> Party:
    return partner  # type: ignore[return-value]


def order_recall(
    node: Node, product: Product, reason: str, authority: str, partners: Iterable[Party] | None = None
) -> list[Recall]:
    """Call a product back, and let it go to those partners no more.

    Parameters
    ----------
    node
        This node.
    product
        One of its own products, or one that it passed on.
    reason
        One sentence, which the partners read.
    authority
        By what authority.
    partners
        From whom; None for everybody, those included who become partners later.

    Returns
    -------
    recalls
        Of each partner; only those to whom it was handed out are told.

    Raises
    ------
    InputError
        If it was called back from all of them already.
    """
    named: list[Party | str] = [*sorted(node.knowledge().partners)]
    if partners is None:
        named.append(_EVERYBODY)
    else:
        named = [node.partner(partner).party for partner in dict.fromkeys(partners)]
    with node.store.transaction():
        fresh = [partner for partner in named if recall_of(node, partner, product.id) is None]
        if recall_of(node, _EVERYBODY, product.id) is not None:
            # Whoever came later never got it; one that was removed and is back may have.
            fresh = [partner for partner in fresh if node.store.book.sequence_of(_party(partner), product.id) is not None]
        if not fresh:
            raise InputError(
                Message("{product} was recalled already", {"product": product.id}),
                hint=Message("see: kizuna product show {product}", {"product": product.id}),
                field="product",
            )
        made = [_order(node, product.id, partner, reason, None, authority) for partner in fresh]
    return [recall for recall in made if recall.partner != _EVERYBODY]


def pass_on_recall(node: Node, product: ProductId, reason: str, authority: str) -> None:
    """Call a product back from the partners that it was passed on to, because whoever gave it calls it back.

    Inside the store's open transaction.
    """
    for partner in sorted(node.knowledge().partners):
        known = recall_of(node, partner, product) is not None
        if not known and (node.store.book.sequence_of(partner, product) or product in node.store.book.waiting(partner)):
            _order(node, product, partner, reason, None, authority)


# ---- because of an agreement


def recall_withdrawn(node: Node) -> None:
    """Call back what went under agreements whose withdrawal has taken effect, unless another agreement lets it go now.

    It is looked through whenever a withdrawal takes effect. Call it outside the store's transactions.
    """
    now = node.now()
    ended = {w.agreement: w for w in node.knowledge().register.as_known(now).withdrawals if w.at <= now}
    if all(node.store.setting(_done(agreement)) is not None for agreement in ended):
        return
    with node.store.transaction():
        for partner in sorted(node.knowledge().partners):
            for product, agreement in _went_under(node, partner, frozenset(ended)):
                if recall_of(node, partner, product) is None and not _may_have(node, partner, product):
                    authority = f"withdrawal from {agreement}"
                    _order(node, product, partner, ended[agreement].reason, agreement, authority)
        for agreement in ended:
            node.store.keep_setting(_done(agreement), format_instant(now))


def _done(agreement: str) -> str:
    return f"recalled-under/{agreement}"


def _may_have(node: Node, partner: Party, product: ProductId) -> bool:
    item = node.store.items.get(product)
    return item is not None and decide_item(node, item.product, partner).outcome is Outcome.PERMIT


def _went_under(node: Node, partner: Party, agreements: frozenset[str]) -> list[tuple[ProductId, str]]:
    """Products that were handed to a partner under some agreements, in the order in which they were, each with its agreement."""
    book, found, last = node.store.book, list[tuple[ProductId, str]](), 0
    while entries := book.outgoing(partner, last, _BATCH):
        for entry in entries:
            under = None if is_message(entry.product) else _granted_by(entry)
            if under in agreements:
                found.append((entry.product, under))
        last = entries[-1].sequence
    return found


def _granted_by(entry: Outgoing) -> str | None:
    """Agreement under which an entry went; the first reason of a permit is its grant."""
    form: Any = peek(entry.envelope)
    reasons: list[dict[str, Any]] = form.get("decision", {}).get("reasons") or [{}]
    agreement = reasons[0].get("agreement")
    return agreement if isinstance(agreement, str) else None


# ---- answers


def take_recall_answer(node: Node, partner: Party, envelope: bytes) -> bool:
    """Take a partner's signed answer to a recall; False if it is none for something that was recalled from it."""
    known = node.knowledge().partners.get(partner)
    if known is None:
        return False
    try:
        answer = unseal_recall_answer(envelope, known.key_for(envelope))
    except KizunaError:
        return False
    entries = node.store.book.outgoing(partner, answer.sequence - 1, 1)
    if (
        (answer.sender, answer.receiver) != (node.organisation, partner)
        or len(entries) != 1
        or entries[0].sequence != answer.sequence
        or digest_of(entries[0].envelope) != answer.entry
    ):
        return False
    content = getattr(unseal_any(entries[0].envelope, node.journal.key_of(entries[0].envelope)), "content", None)
    if not isinstance(content, Withdraw) or content.product != answer.product:
        return False
    body: dict[str, Json] = {
        "partner": partner,
        "product": answer.product,
        "sequence": answer.sequence,
        "fate": answer.fate.value,
        "reason": answer.reason,
        "answered_at": format_instant(answer.answered_at),
        "receipt": digest_of(envelope),
    }
    with node.store.transaction():
        recall = recall_of(node, partner, answer.product)
        if recall is None:
            return False
        # An entry that took the place of an unconfirmed one and the message of the recall are both answered: the later counts.
        said = (answer.fate, answer.reason, answer.answered_at)
        stale = recall.answered_at is not None and recall.answered_at > answer.answered_at
        if not stale and said != (recall.fate, recall.answer, recall.answered_at):
            node.journal.record(FactKind.RECALL_ANSWERED, body, by="exchange", authority=f"signature of {partner}")
            told = replace(recall, fate=answer.fate, answer=answer.reason, answered_at=answer.answered_at)
            node.store.keep_setting(recalled_under(partner, answer.product), _text(told))
    return True
