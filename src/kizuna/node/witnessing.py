"""Witnessing over the feed: checkpoints of this node's log go to partners as entries, their cosignatures come back as receipts.

# INVARIANT: a checkpoint goes by itself at most once a day, covers what was recorded before the day began, and goes only to a
# partner that was handed something: the size of a log tells how much its node does, and a partner with nothing learns nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from kizuna.errors import KizunaError, Message, PartnerMisbehaved
from kizuna.exchange.answers import Witnessed, unseal_witness_answer
from kizuna.exchange.messages import LogCheckpoint, unseal_any
from kizuna.exchange.witness import read_request
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, format_instant
from kizuna.model.provenance import FactKind
from kizuna.node.audit_files import witnessed_notes
from kizuna.node.messages import is_message, queue_message
from kizuna.node.witness import checkpoint_for_witness, take_cosignature

if TYPE_CHECKING:
    from kizuna.model.parties import Party
    from kizuna.model.product import ProductId
    from kizuna.model.provenance import Fact
    from kizuna.node.state import Node

__all__ = ["queue_checkpoint", "send_checkpoint", "take_witness_answer", "told_fork"]

_LOOKED = "checkpoint_looked"
_SEEN = "witness_seen"
_TOLD = "witness_told"
_CHECKPOINT = "checkpoint:"


def _seen_by(node: Node, partner: Party) -> int:
    """Count of entries of this node's log that a partner saw last, as far as it is known here."""
    note, told = witnessed_notes(node).get(partner), node.store.book.notes(partner).get(_SEEN)
    cosigned = 0 if note is None else node.journal.open_note(note).size
    # What a partner says that it saw counts only where this log has so much.
    return max(cosigned, int(told) if told and int(told) <= node.store.log.size() else 0)


def _waits(node: Node, partner: Party) -> bool:
    book = node.store.book
    unread = book.outgoing(partner, book.acknowledged(partner), book.last_sequence(partner))
    keys: list[ProductId] = [*book.waiting(partner), *(entry.product for entry in unread)]
    return any(is_message(key) and key.startswith(_CHECKPOINT) for key in keys)


def _is_about_checkpoints(fact: Fact, numbers: set[tuple[object, object]]) -> bool:
    """Whether a fact is only about checkpoints that were sent: two nodes would otherwise keep each other awake for ever."""
    body = fact.body
    if fact.kind in {FactKind.MESSAGE_QUEUED, FactKind.MESSAGE_SEQUENCED} and body.get("type") == "checkpoint":
        numbers.add((body.get("partner"), body.get("sequence")))
        return True
    return fact.kind is FactKind.RECEIPT_RECEIVED and (body.get("partner"), body.get("sequence")) in numbers


def _has_news(node: Node, since: int, until: Instant) -> bool:
    numbers: set[tuple[object, object]] = set()
    for entry in node.store.log.entries(since):
        fact = node.journal.read_entry(entry)
        if fact.recorded_at >= until:
            return False
        if not _is_about_checkpoints(fact, numbers):
            return True
    return False


def queue_checkpoint(node: Node, partner: Party, now: Instant) -> None:
    """Queue a checkpoint of what was recorded before today for a partner, if there is anything new in it.

    Call it outside the store's transactions.
    """
    today = f"{now.astimezone(UTC):%Y-%m-%d}"
    book = node.store.book
    if book.notes(partner).get(_LOOKED) == today or not book.last_sequence(partner) or not node.is_confirmed():
        return
    midnight = Instant(datetime.combine(now.astimezone(UTC).date(), time.min, UTC))
    since = _seen_by(node, partner)
    if not _waits(node, partner) and _has_news(node, since, midnight):
        send_checkpoint(node, partner, until=midnight)
    book.note(partner, _LOOKED, today)


def send_checkpoint(node: Node, partner: Party, *, until: Instant | None = None) -> int:
    """Queue a checkpoint of this node's log for a partner to cosign; give how many entries it covers.

    Parameters
    ----------
    node, partner
        From whom, to whom.
    until
        Only what was recorded before this instant; None for all.
    """
    body = checkpoint_for_witness(node, _seen_by(node, node.partner(partner).party), until=until)
    with node.store.transaction():
        queue_message(node, partner, LogCheckpoint(body.decode()), authority="witnessing")
    return node.journal.open_note(read_request(body).note).size


def take_witness_answer(node: Node, partner: Party, envelope: bytes) -> bool:
    """Take what a partner made of a checkpoint; False if it is no answer to one that went to it, or does not verify."""
    known = node.knowledge().partners.get(partner)
    if known is None:
        return False
    try:
        answer = unseal_witness_answer(envelope, known.key_for(envelope))
        entries = node.store.book.outgoing(partner, answer.sequence - 1, 1)
        if (
            (answer.sender, answer.receiver) != (node.organisation, partner)
            or len(entries) != 1
            or entries[0].sequence != answer.sequence
            or digest_of(entries[0].envelope) != answer.entry
            or not isinstance(
                getattr(unseal_any(entries[0].envelope, node.journal.key_of(entries[0].envelope)), "content", None), LogCheckpoint
            )
        ):
            return False
        if answer.note is not None:
            take_cosignature(node, partner, answer.note.encode())
    except PartnerMisbehaved:
        return False
    except KizunaError as error:
        # This node's own log does not continue what it signed: its operator must see that, whatever the partner gets.
        node.store.book.note(partner, _TOLD, error.message.render())
        return False
    with node.store.transaction():
        book = node.store.book
        if answer.outcome is Witnessed.BEHIND:
            book.note(partner, _SEEN, str(answer.seen))
            book.note(partner, _LOOKED, "")
        forked = answer.outcome is Witnessed.FORKED
        told = Message("since {at}: {why}", {"at": format_instant(answer.at), "why": answer.why or ""}).render() if forked else ""
        book.note(partner, _TOLD, told)
    return True


def told_fork(node: Node, partner: Party) -> str | None:
    """What a partner last said against this node's log, or what was found when its cosignature came; None for nothing."""
    return node.store.book.notes(partner).get(_TOLD) or None
