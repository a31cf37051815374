"""Facts: what a node's log holds. Each says who recorded it, by what authority and when; the log's envelope signs it.

A fact is never edited. A correction is a later fact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.canonical import canonical
from kizuna.model.instants import format_instant
from kizuna.model.reading import open_table

if TYPE_CHECKING:
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant

__all__ = ["FACT_SCHEMA", "Fact", "FactKind", "fact_frame", "fact_from_json", "fact_to_json"]

FACT_SCHEMA = "kizuna/fact/1"


class FactKind(StrEnum):
    """What a fact is about. Closed: a node refuses a log that holds a kind it does not know."""

    NODE_CREATED = "node.created"
    LADDERS_RECORDED = "ladders.recorded"
    PARTNER_PINNED = "partner.pinned"
    PARTNER_REMOVED = "partner.removed"
    PARTNER_ROTATED = "partner.rotated"
    PARTNER_KEY_REVOKED = "partner.key-revoked"
    PARTNER_SEALING_KEY_CHANGED = "partner.sealing-key-changed"
    KEYS_ANNOUNCED = "keys.announced"
    KEYS_ROTATED = "keys.rotated"
    KEYS_TAKEN = "keys.taken"
    SEALING_KEY_CHANGED = "sealing-key.changed"
    AGREEMENT_RECORDED = "agreement.recorded"
    AGREEMENT_SUSPENDED = "agreement.suspended"
    AGREEMENT_RESUMED = "agreement.resumed"
    AGREEMENT_WITHDRAWN = "agreement.withdrawn"
    CONSENT_GIVEN = "consent.given"
    LABEL_CORRECTED = "label.corrected"
    PRODUCT_PUBLISHED = "product.published"
    PRODUCT_RECEIVED = "product.received"
    DECISION_MADE = "decision.made"
    DECISIONS_MADE = "decisions.made"
    RELEASE_SEQUENCED = "release.sequenced"
    RECEIPT_RECEIVED = "receipt.received"
    PRODUCTS_READ = "products.read"
    REFUSAL_SERVED = "refusal.served"
    RECALL_ORDERED = "recall.ordered"
    RECALL_ANSWERED = "recall.answered"
    PRODUCT_WITHDRAWN = "product.withdrawn"
    WITHDRAWAL_ANSWERED = "withdrawal.answered"
    MESSAGE_QUEUED = "message.queued"
    MESSAGE_WITHHELD = "message.withheld"
    MESSAGE_SEQUENCED = "message.sequenced"
    MESSAGE_RECEIVED = "message.received"
    MEDIUM_EXPORTED = "medium.exported"
    MEDIUM_IMPORTED = "medium.imported"
    TAIL_CONFIRMED = "tail.confirmed"
    ACCESS_GIVEN = "access.given"
    ACCESS_REVOKED = "access.revoked"
    FORK_FOUND = "fork.found"


@dataclass(frozen=True, slots=True)
class Fact:
    """One recorded fact.

    Parameters
    ----------
    kind
        What it is about.
    recorded_at
        When the node learned it (transaction time). Valid time, where a fact has one, is in its body.
    recorded_by
        Who recorded it: ``NATION/ORG`` and, after a colon, the person or program (``JPN/IQPS:officer``).
    authority
        By what authority: the article, order or role that allows it.
    body
        The rest, by kind.
    """

    kind: FactKind
    recorded_at: Instant
    recorded_by: str
    authority: str
    body: dict[str, Json]


def fact_to_json(fact: Fact) -> dict[str, Json]:
    """JSON form of `fact`; `fact_from_json` reads it back."""
    return {
        "schema": FACT_SCHEMA,
        "kind": fact.kind.value,
        "recorded_at": format_instant(fact.recorded_at),
        "recorded_by": fact.recorded_by,
        "authority": fact.authority,
        "body": fact.body,
    }


def fact_frame(fact: Fact) -> tuple[bytes, bytes]:
    """Canonical bytes of the JSON form of `fact` before its body and after it; facts that are recorded together share them.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> fact_frame(Fact(FactKind.NODE_CREATED, parse_instant("2025-06-22"), "JPN:a", "order", {}))[0]
    b'{"authority":"order","body":'
    """
    # No text in it can hold this: there the quotes are escaped.
    before, name, after = canonical(fact_to_json(replace(fact, body={}))).partition(b'"body":')
    return before + name, after.removeprefix(b"{}")


def fact_from_json(document: object) -> Fact:
    """Fact of its JSON form.

    Raises
    ------
    InputError
        If the form, the schema or the kind is not known.
    """
    table = open_table(document, schema=FACT_SCHEMA, what="fact")
    body = table.raw("body")
    if not isinstance(body, dict):
        table.fault("body", Message("a table"))
    fact = Fact(
        kind=FactKind(table.choice("kind", [kind.value for kind in FactKind])),
        recorded_at=table.instant("recorded_at"),
        # What an officer wrote is in the log for good, line ends and all: it must stay readable.
        recorded_by=table.text("recorded_by", lines=True),
        authority=table.text("authority", lines=True),
        body=body,
    )
    table.done()
    return fact
