"""Receipts that say more than that an entry arrived: what became of a recalled product, what a witness made of a checkpoint.

Each is signed by the receiver of the entry, travels the way of the receipts, and names the entry by number and digest. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.exchange.envelope import seal, unseal
from kizuna.exchange.feed import MOST_RECEIPT_BYTES, strictly
from kizuna.model.digests import parse_digest
from kizuna.model.instants import format_instant
from kizuna.model.product import parse_product_id
from kizuna.model.reading import LONGEST_LINE, open_table

if TYPE_CHECKING:
    from kizuna.exchange.envelope import Signer
    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import ProductId
    from kizuna.model.reading import Table

__all__ = [
    "RECALL_ANSWER_TYPE",
    "WITNESS_ANSWER_TYPE",
    "Fate",
    "RecallAnswer",
    "WitnessAnswer",
    "Witnessed",
    "seal_recall_answer",
    "seal_witness_answer",
    "unseal_recall_answer",
    "unseal_witness_answer",
]

RECALL_ANSWER_TYPE = "application/vnd.kizuna.recall-answer.1+json"
WITNESS_ANSWER_TYPE = "application/vnd.kizuna.witness-answer.1+json"
_RECALL_SCHEMA = "kizuna/recall-answer/1"
_WITNESS_SCHEMA = "kizuna/witness-answer/1"


class Fate(StrEnum):
    """What became of a recalled product at the receiver, in the receiver's word for it."""

    DESTROYED = "destroyed"
    KEPT = "kept"
    REFUSED = "refused"
    NOT_HELD = "not-held"
    """It never arrived, or was gone already."""


class Witnessed(StrEnum):
    """What a witness made of a checkpoint."""

    COSIGNED = "cosigned"
    BEHIND = "behind"
    """The proof starts from another size than the one seen last: send one that starts from there."""
    FORKED = "forked"


@dataclass(frozen=True, slots=True)
class RecallAnswer:
    """Answer to a recall.

    Parameters
    ----------
    sender, receiver
        As in the entry: who recalled it, from whom. The receiver signs.
    sequence, entry
        Number and envelope's digest of the entry that recalled it.
    product
        The product.
    fate
        What became of it.
    reason
        One sentence; None only where it was destroyed or never held.
    answered_at
        When.
    """

    sender: Party
    receiver: Party
    sequence: int
    entry: Digest
    product: ProductId
    fate: Fate
    reason: str | None
    answered_at: Instant


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """Answer to a checkpoint.

    Parameters
    ----------
    sender, receiver, sequence, entry
        As in `RecallAnswer`.
    outcome
        What the witness made of it.
    note
        The checkpoint with the cosignature on it, where it was cosigned; else None.
    seen
        Count of entries of the log that the witness saw last.
    why
        One sentence where it was not cosigned; else None.
    at
        When.
    """

    sender: Party
    receiver: Party
    sequence: int
    entry: Digest
    outcome: Witnessed
    note: str | None
    seen: int
    why: str | None
    at: Instant


def _frame(table: Table) -> tuple[Party, Party, int, Digest]:
    return (
        table.party("sender"),
        table.party("receiver"),
        table.integer("sequence", least=1),
        parse_digest(table.text("entry"), field="entry"),
    )


def seal_recall_answer(answer: RecallAnswer, signer: Signer) -> bytes:
    """Envelope of `answer`, signed by the one who was asked to destroy the product."""
    form: dict[str, Json] = {
        "schema": _RECALL_SCHEMA,
        "sender": answer.sender,
        "receiver": answer.receiver,
        "sequence": answer.sequence,
        "entry": answer.entry,
        "product": answer.product,
        "fate": answer.fate.value,
        "reason": answer.reason,
        "answered_at": format_instant(answer.answered_at),
    }
    return seal(RECALL_ANSWER_TYPE, form, signer)


def _read_recall_answer(document: object) -> RecallAnswer:
    table = open_table(document, schema=_RECALL_SCHEMA, what="recall answer")
    answer = RecallAnswer(
        *_frame(table),
        product=parse_product_id(table.text("product"), field="product"),
        fate=Fate(table.choice("fate", [fate.value for fate in Fate])),
        reason=table.text("reason", longest=LONGEST_LINE) if table.has("reason") else None,
        answered_at=table.instant("answered_at"),
    )
    table.done()
    if answer.reason is None and answer.fate in {Fate.KEPT, Fate.REFUSED}:
        table.fault("reason", Message("a text"))
    return answer


def unseal_recall_answer(envelope: bytes, public_key: bytes) -> RecallAnswer:
    """Answer of an envelope.

    Raises
    ------
    PartnerMisbehaved
        If signature or form are off.
    """
    document = unseal(envelope, public_key, RECALL_ANSWER_TYPE, most_bytes=MOST_RECEIPT_BYTES)
    return strictly("recall answer", _read_recall_answer, document)


def seal_witness_answer(answer: WitnessAnswer, signer: Signer) -> bytes:
    """Envelope of `answer`, signed by the witness."""
    form: dict[str, Json] = {
        "schema": _WITNESS_SCHEMA,
        "sender": answer.sender,
        "receiver": answer.receiver,
        "sequence": answer.sequence,
        "entry": answer.entry,
        "outcome": answer.outcome.value,
        "note": answer.note,
        "seen": answer.seen,
        "why": answer.why,
        "at": format_instant(answer.at),
    }
    return seal(WITNESS_ANSWER_TYPE, form, signer)


def _read_witness_answer(document: object) -> WitnessAnswer:
    table = open_table(document, schema=_WITNESS_SCHEMA, what="witness answer")
    answer = WitnessAnswer(
        *_frame(table),
        outcome=Witnessed(table.choice("outcome", [outcome.value for outcome in Witnessed])),
        note=table.text("note", longest=MOST_RECEIPT_BYTES, lines=True) if table.has("note") else None,
        seen=table.integer("seen"),
        why=table.text("why", longest=LONGEST_LINE) if table.has("why") else None,
        at=table.instant("at"),
    )
    table.done()
    if (answer.note is not None) != (answer.outcome is Witnessed.COSIGNED):
        table.fault("note", Message("a cosigned checkpoint where it was cosigned, and none elsewhere"))
    return answer


def unseal_witness_answer(envelope: bytes, public_key: bytes) -> WitnessAnswer:
    """Answer of an envelope.

    Raises
    ------
    PartnerMisbehaved
        If signature or form are off.
    """
    document = unseal(envelope, public_key, WITNESS_ANSWER_TYPE, most_bytes=MOST_RECEIPT_BYTES)
    return strictly("witness answer", _read_witness_answer, document)
