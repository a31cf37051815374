"""The log for people: its entries in order, each with one plain sentence."""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any

from kizuna.errors import Message
from kizuna.model.canonical import canonical
from kizuna.model.provenance import FactKind
from kizuna.node.originators import NEVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kizuna.model.instants import Instant
    from kizuna.model.provenance import Fact
    from kizuna.node.state import Node

__all__ = ["LogPage", "log_page", "sentence"]

# One sentence a kind; its fields are members of the fact's body, joined by _ where they lie deeper.
_SENTENCES = {
    FactKind.NODE_CREATED: Message("the node of {party} was made"),
    FactKind.LADDERS_RECORDED: Message("the order of the markings was recorded"),
    FactKind.PARTNER_PINNED: Message("{party} was pinned as a partner"),
    FactKind.PARTNER_REMOVED: Message("{party} was removed: its node is a stranger from here on"),
    FactKind.PARTNER_ROTATED: Message("{party} changed its keys, and its former key signed that it did"),
    FactKind.PARTNER_KEY_REVOKED: Message("the key {key} of {party} was revoked: {reason}"),
    FactKind.PARTNER_SEALING_KEY_CHANGED: Message("{party} changed its key for removable media, and signed that it did"),
    FactKind.KEYS_ANNOUNCED: Message(
        "the node of {party} announced the key {key}: in use by {by} at the latest, its present one accepted until {until}"
    ),
    FactKind.KEYS_ROTATED: Message("the node of {party} gave up its key for another"),
    FactKind.KEYS_TAKEN: Message("the key {key} took the place of {former}"),
    FactKind.SEALING_KEY_CHANGED: Message("the key {key} for removable media took the place of {former}, which ends on {until}"),
    FactKind.AGREEMENT_RECORDED: Message("version {document_version} of agreement {document_id} was recorded"),
    FactKind.AGREEMENT_SUSPENDED: Message("agreement {agreement} was suspended from {from} on: {reason}"),
    FactKind.AGREEMENT_RESUMED: Message("agreement {agreement} was resumed from {from} on"),
    FactKind.AGREEMENT_WITHDRAWN: Message("agreement {agreement} was withdrawn from with effect from {at}: {reason}"),
    FactKind.CONSENT_GIVEN: Message("{originator} agreed that product {product} goes on to {receiver} from {term_from_text} on"),
    FactKind.LABEL_CORRECTED: Message("the label of product {product} was corrected"),
    FactKind.PRODUCT_PUBLISHED: Message("product {product_id} was published: {product_title}"),
    FactKind.PRODUCT_RECEIVED: Message(
        "product {product_id} was received as entry {sequence} of the feed of {partner}: {product_title}"
    ),
    FactKind.DECISION_MADE: Message("whether product {product} may go to {partner} was decided: {decision_outcome} ({purpose})"),
    FactKind.DECISIONS_MADE: Message(
        "whether each of {products_count} products may go to {partner} was decided: {decision_outcome} ({purpose})"
    ),
    FactKind.RELEASE_SEQUENCED: Message("product {product} was released to {partner} as entry {sequence} of its feed"),
    FactKind.RECEIPT_RECEIVED: Message("{partner} confirmed entry {sequence} of its feed"),
    FactKind.PRODUCTS_READ: Message("{partner} read {products_count} products ({form})"),
    FactKind.REFUSAL_SERVED: Message("{partner} was refused: {reason}"),
    FactKind.RECALL_ORDERED: Message("product {product} was recalled from {partner}: {reason}"),
    FactKind.RECALL_ANSWERED: Message("{partner} answered the recall of product {product}: {fate}"),
    FactKind.PRODUCT_WITHDRAWN: Message("{partner} withdrew product {product} by entry {sequence} of its feed: {reason}"),
    FactKind.WITHDRAWAL_ANSWERED: Message("the withdrawal of product {product} by {partner} was answered: {fate}"),
    FactKind.MESSAGE_QUEUED: Message("a message for {partner} was queued ({type})"),
    FactKind.MESSAGE_WITHHELD: Message("a message for {partner} was withheld ({type}): {why}"),
    FactKind.MESSAGE_SEQUENCED: Message("a message went to {partner} as entry {sequence} of its feed ({type})"),
    FactKind.MESSAGE_RECEIVED: Message("a message came as entry {sequence} of the feed of {partner} ({type})"),
    FactKind.MEDIUM_EXPORTED: Message(
        "a medium for {partner} was written: {entries} entries of its feed after entry {after}, {receipts} receipts"
    ),
    FactKind.MEDIUM_IMPORTED: Message("a medium of {partner} was taken in: {entries} new entries, {receipts} receipts"),
    FactKind.TAIL_CONFIRMED: Message("an officer confirmed the tail {tail} of the log"),
    FactKind.ACCESS_GIVEN: Message("{name} was given access as {role} (credential {credential})"),
    FactKind.ACCESS_REVOKED: Message("the credential {credential} of {name} was revoked"),
    FactKind.FORK_FOUND: Message("{partner} signed a log that does not continue the one that it had signed before: {why}"),
}

# A consent is taken back by one that ends, so its end belongs into the sentence.
_ENDING_CONSENT = Message(
    "{originator} agreed that product {product} goes on to {receiver} from {term_from_text} until {term_until_text}"
)
_VOID_CONSENT = Message("{originator} took back its consent that product {product} goes on to {receiver}: it never held")


def _flat(body: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found = {}
    for name, value in body.items():
        found[before + name] = value if isinstance(value, str | int | float) else canonical(value).decode()
        if isinstance(value, list):
            found[f"{before}{name}_count"] = len(value)
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{name}_")
    return found


def sentence(fact: Fact) -> Message:
    """One plain sentence about a fact, nothing of it cut off.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> from kizuna.model.provenance import Fact
    >>> at = parse_instant("2025-07-01")
    >>> sentence(Fact(FactKind.PARTNER_REMOVED, at, "JPN:a", "order", {"party": "NZL"})).render()
    'NZL was removed: its node is a stranger from here on'
    """
    known = _SENTENCES.get(fact.kind)
    if known is None:
        return Message("{kind}: {body}", {"kind": fact.kind.value, "body": canonical(fact.body).decode()})
    body = _flat(fact.body)
    if fact.kind is FactKind.CONSENT_GIVEN and body.get("term_from_text") == NEVER:
        known = _VOID_CONSENT
    elif fact.kind is FactKind.CONSENT_GIVEN and "term_until" in body:
        known = _ENDING_CONSENT
    # What a body does not have is shown as absent.
    return Message(known.template, {name: body.get(name, "?") for _, name, _, _ in Formatter().parse(known.template) if name})


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some entries of the log in order, each with its index.

    Parameters
    ----------
    facts
        The entries.
    left_out
        How many follow that the limit left out.
    size
        Count of entries in the whole log.
    """

    facts: tuple[tuple[int, Fact], ...]
    left_out: int
    size: int


def log_page(node: Node, since: Instant | None = None, limit: int | None = None) -> LogPage:
    """Entries recorded at or after an instant, in order, at most `limit` of them; their signatures verified.

    Raises
    ------
    LogDamaged
        At the first entry that does not verify.
    """
    found: list[tuple[int, Fact]] = []
    left_out = size = 0
    for index, fact in node.journal.facts():
        size = index + 1
        if since is not None and fact.recorded_at < since:
            continue
        if limit is not None and len(found) == limit:
            left_out += 1
        else:
            found.append((index, fact))
    return LogPage(tuple(found), left_out, size)
