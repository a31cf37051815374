"""Receipts and answers that wait for the next medium to a partner, or for the network, until the partner has taken them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kizuna.errors import PartnerMisbehaved
from kizuna.exchange.envelope import payload_type_of, peek
from kizuna.exchange.feed import RECEIPT_TYPE
from kizuna.model.digests import digest_of
from kizuna.node.withdrawals import owed_answers, was_told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.exchange.transport import Transport
    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party
    from kizuna.node.state import Node, Partner

__all__ = [
    "forget_receipts",
    "keep_answers",
    "keep_receipt",
    "kept_receipts",
    "refused_receipts",
    "send_kept_receipts",
    "taken_under",
]

_OWED = "receipt_owed"
_REFUSED = "receipts_refused"


def _receipts_under(partner: Party) -> str:
    return f"media/receipt/{partner}/"


def taken_under(partner: Party) -> str:
    """Name of the setting that keeps what lay on the partner's last medium, and need not come again."""
    return f"media/taken/{partner}"


def keep_receipt(node: Node, partner: Party, envelope: bytes) -> None:
    """Keep a receipt or an answer for the next medium."""
    # In the order in which they were made: a partner takes the last one for all before it.
    name = f"{_receipts_under(partner)}{node.store.book.cursor(partner):016d}/{digest_of(envelope)}"
    node.store.keep_setting(name, envelope.decode())


def kept_receipts(node: Node, partner: Party) -> list[bytes]:
    """What is kept for a partner, in the order in which it was made."""
    return [text.encode() for text in node.store.settings(_receipts_under(partner)).values()]


def keep_answers(node: Node, partner: Party) -> None:
    """Keep what officers answered to recalls since the last medium came, for the next one back."""
    for withdrawn, envelope in owed_answers(node, partner):
        keep_receipt(node, partner, envelope)
        was_told(node, withdrawn)


def forget_receipts(node: Node, partner: Party, taken: Sequence[Digest]) -> None:
    """Forget what the partner has taken in, as its last medium says."""
    if not taken:
        return
    gone = set(taken)
    with node.store.transaction():
        for name in node.store.settings(_receipts_under(partner)):
            if name.rpartition("/")[2] in gone:
                node.store.drop_setting(name)


def _confirms(envelope: bytes) -> int | None:
    """Number up to which a receipt confirms the partner's feed; None for an answer to a recall or a checkpoint."""
    if payload_type_of(envelope) != RECEIPT_TYPE:
        return None
    payload: Any = peek(envelope)
    return int(payload["sequence"])


def send_kept_receipts(node: Node, partner: Partner, transport: Transport) -> None:
    """Hand over by network what would go with the next medium.

    What the partner does not take is kept, and sent again the next time: it may have been restored, and have lost what this is
    about. Only a receipt is dropped for whose entry, or a later one, another was taken: that confirms this one's, too.
    """
    party, book = partner.party, node.store.book
    kept = {name: text.encode() for name, text in node.store.settings(_receipts_under(party)).items()}
    refused: dict[str, int | None] = {}
    confirmed = 0
    for name, envelope in kept.items():
        try:
            transport.receipt(envelope)
        except PartnerMisbehaved:
            refused[name] = _confirms(envelope)
            continue
        node.store.drop_setting(name)
        confirmed = max(confirmed, _confirms(envelope) or 0)
    if not book.notes(party).get(_OWED) and all(book.cursor(party) > (_confirms(envelope) or 0) for envelope in kept.values()):
        # The last entry came by network, and its receipt has gone there.
        confirmed = book.cursor(party)
    for name, sequence in list(refused.items()):
        if sequence is not None and sequence <= confirmed:
            node.store.drop_setting(name)
            del refused[name]
    if refused_receipts(node, party) != len(refused):
        book.note(party, _REFUSED, str(len(refused)))


def refused_receipts(node: Node, partner: Party) -> int:
    """How many receipts and answers a partner did not take when they were sent last, and are sent again."""
    return int(node.store.book.notes(partner).get(_REFUSED) or 0)
