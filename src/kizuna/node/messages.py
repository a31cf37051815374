"""Messages to partners: queued beside products, decided when queued and again when served, numbered in the same sequence.

A message that may not go at present waits, as a product does; those behind it that may go do not wait for it. Messages reach a
partner also while agreements with it are suspended: recalls, notices and requests hand out nothing, and an alert needs a live
grant of its own.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from kizuna.errors import Message, NotReleasable, StoreError
from kizuna.exchange.messages import (
    AgreementNotice,
    Alert,
    Ask,
    Closed,
    ConsentNotice,
    KeyStatement,
    LogCheckpoint,
    MessageEntry,
    Reply,
    Withdraw,
    content_from_json,
    content_to_json,
    seal_message,
    type_of,
)
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.digests import digest_of
from kizuna.model.product import ProductId
from kizuna.model.provenance import FactKind
from kizuna.model.reading import Table
from kizuna.node.ports import Outgoing
from kizuna.release.decide import any_live_grant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.exchange.messages import Content, NoticeState
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.node.state import Node

__all__ = [
    "is_message",
    "make_message",
    "new_id",
    "not_recalled",
    "queue_message",
    "recalled_under",
    "refuse_message",
    "tell_parties",
    "waiting_message",
    "was_recalled",
    "why_withheld",
]

_ID_BYTES = 16
_MARK = ":"


def new_id(node: Node) -> str:
    """Random id of a message, 26 characters."""
    return base64.b32encode(node.keys.random(_ID_BYTES)).decode().rstrip("=").lower()


def is_message(key: ProductId) -> bool:
    """Whether a key of the exchange book is that of a message, and not a product's id."""
    return _MARK in key


def recalled_under(partner: Party | str, product: ProductId) -> str:
    """Name of the setting under which a recall is kept; of all partners under ``*``."""
    return f"recall/{partner}/{product}"


def was_recalled(node: Node, partner: Party, product: ProductId) -> bool:
    """Whether a product was recalled from a partner, or from all: then it does not go to it (again)."""
    return any(node.store.setting(recalled_under(name, product)) is not None for name in (partner, "*"))


def not_recalled(node: Node, partner: Party, products: Sequence[ProductId]) -> list[ProductId]:
    """Those of many products for which `was_recalled` does not hold."""
    names = {recalled_under(to, product): product for to in (partner, "*") for product in products}
    recalled = {names[name] for name in node.store.settings_among(names)}
    return [product for product in products if product not in recalled]


# ---- the decision


def why_withheld(node: Node, partner: Party, content: Content, now: Instant) -> Message | None:
    """Why a message may not go to a partner at an instant; None if it may."""
    match content:
        case Withdraw() | LogCheckpoint() | Ask() | KeyStatement() | ConsentNotice() | Closed():
            # A consent is queued only for a partner that was handed the product.
            return None
        case AgreementNotice():
            return _notice_withheld(node, partner, content)
        case Alert():
            return _alert_withheld(node, partner, content, now)
        case Reply():
            # The partner learns of a product by its own entry only, never by a reply that overtakes it.
            if content.product is None:
                return None
            if node.store.book.sequence_of(partner, content.product) is None or was_recalled(node, partner, content.product):
                return Message("product {product} has not gone to {partner}", {"product": content.product, "partner": partner})
            return None


def _notice_withheld(node: Node, partner: Party, notice: AgreementNotice) -> Message | None:
    versions = [a for a in node.knowledge().register.agreements if a.id == notice.agreement]
    latest = max(versions, key=lambda agreement: agreement.version, default=None)
    if latest is None or not latest.tells_partner:
        return Message("agreement {agreement} does not say that partners are told", {"agreement": notice.agreement})
    if partner not in latest.parties and not any(partner in article.receivers for article in latest.articles):
        return Message("{partner} has no part in agreement {agreement}", {"partner": partner, "agreement": notice.agreement})
    return None


def _alert_withheld(node: Node, partner: Party, alert: Alert, now: Instant) -> Message | None:
    register, label = node.knowledge().register, alert.label
    conditions = [
        (
            any_live_grant(register, node.organisation, partner, now),
            Message("no agreement that lets anything go to {partner} is in force", {"partner": partner}),
        ),
        (label.originator == node.organisation, Message("its label is that of {originator}", {"originator": label.originator})),
        (
            label.policy in register.ladders and register.ladder_rank(label.policy, label.classification) == 0,
            Message("it is labelled {marking}: only what is unclassified goes as an alert", {"marking": label.marking}),
        ),
        (
            label.releasable_to is None or partner in label.releasable_to,
            Message("its label does not name {partner} among those to whom it may go", {"partner": partner}),
        ),
        (not label.categories, Message("its label has categories: send it as a product, which is decided by all rules")),
        (label.created <= now, Message("its label was not made yet")),
    ]
    return next((why for holds, why in conditions if not holds), None)


def _decision(why: Message | None) -> dict[str, Json]:
    return {"outcome": "permit"} if why is None else {"outcome": "deny", "why": why.render()}


# ---- queueing


def queue_message(node: Node, partner: Party, content: Content, *, authority: str, by: str | None = None) -> ProductId:
    """Queue a message for a partner, inside the store's open transaction; give its key in the exchange book.

    What may not go at present is queued as well, and waits: call `refuse_message` first where it should not.
    """
    key = ProductId(f"{type_of(content)}{_MARK}{new_id(node)}")
    members = content_to_json(content)
    body: dict[str, Json] = {
        "partner": partner,
        "key": key,
        "type": type_of(content),
        "content": members,
        "decision": _decision(why_withheld(node, partner, content, node.now())),
    }
    node.journal.record(FactKind.MESSAGE_QUEUED, body, by=by or node.by, authority=authority)
    node.store.keep_setting(_kept_under(partner, key), canonical(members).decode())
    node.store.book.enqueue(partner, key)
    return key


def _kept_under(partner: Party, key: ProductId) -> str:
    return f"message/{partner}/{key}"


def refuse_message(node: Node, partner: Party, content: Content, *, authority: str) -> None:
    """Refuse a message that may not go to a partner, and record that it was refused.

    Raises
    ------
    NotReleasable
        If it may not go.
    """
    why = why_withheld(node, partner, content, node.now())
    if why is None:
        return
    body: dict[str, Json] = {
        "partner": partner,
        "type": type_of(content),
        "content": content_to_json(content),
        "why": why.render(),
    }
    with node.store.transaction():
        node.journal.record(FactKind.MESSAGE_WITHHELD, body, by=node.by, authority=authority)
    raise NotReleasable(
        Message("it may not go to {partner}: {why}", {"partner": partner, "why": why}),
        hint=Message("nothing was sent"),
    )


def tell_parties(node: Node, agreement: str, state: NoticeState, since: Instant, reason: str | None) -> None:
    """Tell the partners of an agreement what happened to it, if it says that they are told; inside the open transaction."""
    notice = AgreementNotice(agreement, state, since, reason)
    for partner in sorted(node.knowledge().partners):
        if why_withheld(node, partner, notice, since) is None:
            queue_message(node, partner, notice, authority=f"agreement {agreement}")


# ---- serving


def waiting_message(node: Node, partner: Party, key: ProductId) -> Content:
    """Content of a message that waits for a partner.

    Raises
    ------
    StoreError
        If it is not kept as it was queued.
    """
    text = node.store.setting(_kept_under(partner, key))
    members = None if text is None else parse_json(text.encode())
    if not isinstance(members, dict):
        raise StoreError(
            Message("the message {key} that waits for {partner} is not there", {"key": key, "partner": partner}),
            hint=Message("restore the node from a backup and confirm its tail; keep the damaged folder as evidence"),
        )
    return content_from_json(key.partition(_MARK)[0], Table(members))


def make_message(node: Node, partner: Party, key: ProductId, content: Content, sequence: int, now: Instant) -> Outgoing:
    """Entry of a message that may go now, sealed and recorded, inside the store's open transaction.

    Parameters
    ----------
    node, partner
        From whom, to whom.
    key
        Its key in the exchange book; where it takes the place of a product that was recalled, that product's id.
    content
        What it says.
    sequence
        Its number.
    now
        When it is served.
    """
    envelope = seal_message(MessageEntry(sequence, node.organisation, partner, content, now), node.keys)
    body: dict[str, Json] = {
        "partner": partner,
        "sequence": sequence,
        "key": key,
        "type": type_of(content),
        "entry": digest_of(envelope),
        "decision": _decision(why_withheld(node, partner, content, now)),
    }
    node.journal.record(FactKind.MESSAGE_SEQUENCED, body, by="exchange", authority="release rules")
    return Outgoing(partner, sequence, key, envelope, ())
