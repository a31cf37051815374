"""How a node does: by partner what waits, for how long, what was confirmed, whose clock is off, whose certificate ends.

The counts are folded from the log, so they begin again where they were after a restart, and say nothing of any product.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from cryptography import x509

from kizuna.errors import Message
from kizuna.model.instants import format_instant, instant_of, parse_instant
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import decided_on
from kizuna.node.people import PartnerStatus, partner_statuses

if TYPE_CHECKING:
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.provenance import Fact
    from kizuna.node.state import Node

__all__ = [
    "CLOCK_SEEN",
    "CLOCK_SKEW",
    "HealthReader",
    "NodeHealth",
    "PartnerCounts",
    "PartnerHealth",
    "RefusedConnection",
    "days_left",
    "last_refused",
    "note_clock",
    "note_refused",
    "refused_message",
]

CLOCK_SKEW, CLOCK_SEEN = "clock_skew_s", "clock_seen"
"""Notes of the exchange book: by how many seconds the partner's clock was ahead of ours, and when that was measured."""
_DAY_S = 86_400


_REFUSED = "refused_connection"


class RefusedConnection(StrEnum):
    """Why a connection to the partners' listener was refused before it could ask anything. Who it was is not known then."""

    NO_CERTIFICATE = "no-certificate"
    EXPIRED = "certificate-expired"
    NOT_YET_VALID = "certificate-not-yet-valid"
    WRONG_PURPOSE = "certificate-wrong-purpose"
    UNKNOWN_CERTIFICATE = "certificate-unknown"
    OLD_TLS = "old-tls"
    NOT_TLS = "not-tls"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PartnerCounts:
    """What the log counts of one partner since the node was made.

    Parameters
    ----------
    permits, denials
        Decisions on what may go to it, taken at queueing and at serving.
    refusals
        Refusals that were served to it, once for each suspension.
    released
        Entries of its feed.
    receipts
        Receipts that it sent.
    received
        Entries that came from it.
    """

    permits: int
    denials: int
    refusals: int
    released: int
    receipts: int
    received: int


@dataclass(frozen=True, slots=True)
class PartnerHealth:
    """How the exchange with one partner stands.

    Parameters
    ----------
    status
        What the partners' page shows.
    waiting_s
        For how long the oldest product or message waits, in seconds; 0 if nothing waits.
    unconfirmed
        Entries of its feed that it has not confirmed.
    unconfirmed_s
        Since when the oldest of them has a number, in seconds; 0 for none.
    clock_skew_s
        By how much its clock is ahead of ours, as last measured, in seconds; None if it never was.
    clock_seen
        When that was measured.
    certificate_days
        Days until its certificate ends, negative where it has; None for one that cannot be read.
    counts
        What the log counts.
    """

    status: PartnerStatus
    waiting_s: float
    unconfirmed: int
    unconfirmed_s: float
    clock_skew_s: float | None
    clock_seen: Instant | None
    certificate_days: int | None
    counts: PartnerCounts


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """How a node and the exchange with each partner stand."""

    log_entries: int
    products: int
    tail_confirmed: bool
    certificate_days: int | None
    partners: tuple[PartnerHealth, ...]


def days_left(certificate_der: bytes, now: Instant) -> int | None:
    """Whole days until a certificate ends, negative where it has; None for one that cannot be read."""
    try:
        end = instant_of(x509.load_der_x509_certificate(certificate_der).not_valid_after_utc)
    except ValueError:
        return None
    return int((end - now).total_seconds() // _DAY_S)


def note_clock(node: Node, partner: Party, said: Instant, seen: Instant) -> None:
    """Keep what a partner's clock said when ours showed `seen`."""
    book = node.store.book
    book.note(partner, CLOCK_SKEW, f"{(said - seen).total_seconds():.3f}")
    book.note(partner, CLOCK_SEEN, format_instant(seen))


def note_refused(node: Node, cause: RefusedConnection, at: Instant) -> None:
    """Keep why a connection was refused; the latest one stands."""
    node.store.keep_setting(_REFUSED, json.dumps({"cause": cause.value, "at": format_instant(at)}))


def last_refused(node: Node) -> tuple[RefusedConnection, Instant] | None:
    """Why the last connection that was refused was, and when; None for none."""
    kept = json.loads(node.store.setting(_REFUSED) or "null")
    return None if kept is None else (RefusedConnection(kept["cause"]), parse_instant(kept["at"]))


_CAUSES = {
    RefusedConnection.NO_CERTIFICATE: Message("it showed no certificate"),
    RefusedConnection.EXPIRED: Message("its certificate has expired"),
    RefusedConnection.NOT_YET_VALID: Message("its certificate is not valid yet"),
    RefusedConnection.WRONG_PURPOSE: Message("its certificate is not for clients of TLS"),
    RefusedConnection.UNKNOWN_CERTIFICATE: Message("its certificate is that of no partner"),
    RefusedConnection.OLD_TLS: Message("it speaks no TLS 1.3"),
    RefusedConnection.NOT_TLS: Message("it does not speak TLS"),
    RefusedConnection.FAILED: Message("the handshake failed"),
}


def refused_message(cause: RefusedConnection) -> Message:
    """The cause in words."""
    return _CAUSES[cause]


@dataclass(slots=True)
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    queued: dict[str, Instant] = field(default_factory=dict)
    numbered: dict[int, Instant] = field(default_factory=dict)

    def take(self, fact: Fact) -> None:
        body = fact.body
        match fact.kind:
            case FactKind.DECISION_MADE:
                decision = body.get("decision")
                permit = isinstance(decision, dict) and decision.get("outcome") == "permit"
                self.counts["permits" if permit else "denials"] += 1
                if permit and body.get("purpose") == "queue":
                    self.queued.setdefault(str(body["product"]), fact.recorded_at)
            case FactKind.DECISIONS_MADE:
                decision, ids = body.get("decision"), decided_on(fact)
                permit = isinstance(decision, dict) and decision.get("outcome") == "permit"
                self.counts["permits" if permit else "denials"] += len(ids)
                if permit and body.get("purpose") == "queue":
                    self.queued = dict.fromkeys(ids, fact.recorded_at) | self.queued
            case FactKind.MESSAGE_QUEUED:
                self.queued.setdefault(str(body["key"]), fact.recorded_at)
            case FactKind.RELEASE_SEQUENCED | FactKind.MESSAGE_SEQUENCED:
                self.counts["released"] += 1
                self.queued.pop(str(body.get("product", body.get("key"))), None)
                self.numbered.setdefault(int(str(body["sequence"])), fact.recorded_at)
            case FactKind.RECEIPT_RECEIVED:
                self.counts["receipts"] += 1
            case FactKind.REFUSAL_SERVED:
                self.counts["refusals"] += 1
            case FactKind.PRODUCT_RECEIVED | FactKind.MESSAGE_RECEIVED | FactKind.PRODUCT_WITHDRAWN:
                self.counts["received"] += 1
            case _:
                pass


class HealthReader:
    """Reads how a node does; of the log only what is new since it last did. Safe to use from several threads."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._read = 0
        self._tallies: dict[str, _Tally] = {}

    def read(self) -> NodeHealth:
        """How the node does now."""
        node = self._node
        with self._lock:
            now = node.now()
            for entry in node.store.log.entries(self._read):
                fact = node.journal.read_entry(entry)
                partner = fact.body.get("partner")
                if isinstance(partner, str):
                    self._tallies.setdefault(partner, _Tally()).take(fact)
                self._read = entry.index + 1
            partners = tuple(self._partner(status, now) for status in partner_statuses(node))
            return NodeHealth(
                log_entries=self._read,
                products=node.store.items.count(),
                tail_confirmed=node.is_confirmed(),
                certificate_days=days_left(node.keys.certificate_der, now),
                partners=partners,
            )

    def _partner(self, status: PartnerStatus, now: Instant) -> PartnerHealth:
        book, party = self._node.store.book, status.partner
        tally = self._tallies.get(party, _Tally())
        confirmed = book.acknowledged(party)
        tally.numbered = {number: at for number, at in tally.numbered.items() if number > confirmed}

        def oldest(since: list[Instant]) -> float:
            return (now - min(since)).total_seconds() if since else 0.0

        notes = book.notes(party)
        skew, seen = notes.get(CLOCK_SKEW), notes.get(CLOCK_SEEN)
        known = self._node.knowledge().partners.get(party)
        counts = tally.counts
        return PartnerHealth(
            status=status,
            waiting_s=oldest([tally.queued[key] for key in book.waiting(party) if key in tally.queued]),
            unconfirmed=book.last_sequence(party) - confirmed,
            unconfirmed_s=oldest(list(tally.numbered.values())),
            clock_skew_s=None if skew is None else float(skew),
            clock_seen=None if seen is None else parse_instant(seen),
            certificate_days=None if known is None else days_left(known.certificate_der, now),
            counts=PartnerCounts(*(counts[name] for name in PartnerCounts.__slots__)),
        )
