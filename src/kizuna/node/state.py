"""What a node knows: its facts, folded into the register, its partners and its tail's confirmation."""

from __future__ import annotations

import base64
import hashlib
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kizuna.errors import InputError, Message, TailUnconfirmed
from kizuna.formats.agreement import NO_CIVIL_DATES, read_agreement, read_ladders
from kizuna.model.instants import parse_instant
from kizuna.model.parties import nation_of, parse_party
from kizuna.model.provenance import FactKind
from kizuna.release.agreements import Bound, Suspension, Term
from kizuna.release.register import Register, Resumption

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.provenance import Fact
    from kizuna.node.journal import Journal
    from kizuna.node.ports import BlobStore, LogEntry

__all__ = ["Knowledge", "Node", "Partner"]

_PLACE = "place"


@dataclass(frozen=True, slots=True)
class Partner:
    """Another node, as pinned.

    Parameters
    ----------
    party
        Whose node it is.
    url
        Where its partner listener answers (``https://host:port``); empty if it only pulls from us.
    certificate_der
        Its TLS certificate.
    signing_key
        Its raw Ed25519 public key.
    """

    party: Party
    url: str
    certificate_der: bytes
    signing_key: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal."""
        return hashlib.sha256(self.certificate_der).hexdigest()


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All facts of the log up to an index, folded."""

    size: int = 0
    register: Register = field(default_factory=Register)
    partners: dict[Party, Partner] = field(default_factory=dict)

    def learn(self, fact: Fact) -> Knowledge:
        """Knowledge with one fact more."""
        body: dict[str, Any] = fact.body
        register = self.register
        match fact.kind:
            case FactKind.LADDERS_RECORDED:
                register = replace(
                    register,
                    ladders={**register.ladders, **read_ladders(body["document"])},
                    accepted_ladders=register.accepted_ladders | set(body["accepted"]),
                )
            case FactKind.AGREEMENT_RECORDED:
                agreement, suspensions = read_agreement(body["document"], NO_CIVIL_DATES)
                # What a node knew and when is told by its own log, not by the file that it was given.
                register = replace(
                    register,
                    agreements=(*register.agreements, replace(agreement, recorded_at=fact.recorded_at)),
                    suspensions=(*register.suspensions, *(replace(s, recorded_at=fact.recorded_at) for s in suspensions)),
                )
            case FactKind.AGREEMENT_SUSPENDED:
                at = parse_instant(body["from"])
                suspension = Suspension(
                    body["agreement"], Term(Bound(at, at, body["from"][:19] + "Z")), fact.recorded_at, body["reason"]
                )
                register = replace(register, suspensions=(*register.suspensions, suspension))
            case FactKind.AGREEMENT_RESUMED:
                resumption = Resumption(body["agreement"], parse_instant(body["from"]), fact.recorded_at)
                register = replace(register, resumptions=(*register.resumptions, resumption))
            case FactKind.PARTNER_PINNED:
                party = parse_party(body["party"])
                partner = Partner(
                    party, body["url"], base64.b64decode(body["certificate"]), base64.b64decode(body["signing_key"])
                )
                return replace(self, partners={**self.partners, party: partner})
            case FactKind.PARTNER_REMOVED:
                gone = parse_party(body["party"])
                return replace(self, partners={party: p for party, p in self.partners.items() if party != gone})
            case _:
                return self
        return replace(self, register=register)


class Node:
    """One node's knowledge and ports, shared by the use cases. Safe to use from several threads.

    Parameters
    ----------
    journal
        Log with its store, keys and clock.
    blobs
        Files.
    place
        Stamp of where the node's folder lies now; a copy or a restored folder has another one.
    by
        The person or program that acts, as recorded in facts.
    """

    def __init__(self, journal: Journal, blobs: BlobStore, place: Callable[[], str], by: str) -> None:
        self.journal = journal
        self.store = journal.store
        self.keys = journal.keys
        self.blobs = blobs
        self.by = by
        self._place = place
        self._known = Knowledge()
        self._last_known: LogEntry | None = None
        self._lock = threading.Lock()

    @property
    def organisation(self) -> Party:
        """Whose node this is."""
        return self.journal.organisation

    def now(self) -> Instant:
        """Present instant, refused where the clock stands behind the log."""
        return self.journal.now()

    def knowledge(self) -> Knowledge:
        """All that the log says now; facts recorded by other processes included."""
        with self._lock:
            log = self.store.log
            size, known = log.size(), self._known
            # INVARIANT: what is known is what the log says now. The entry that was read last may be gone: its transaction was
            # undone, or the database was exchanged. Then everything is read anew, whatever the log's size is.
            if known.size and (size < known.size or next(log.entries(known.size - 1), None) != self._last_known):
                known = Knowledge()
            for index, fact in self.journal.facts(known.size) if size > known.size else ():
                known = replace(known.learn(fact), size=index + 1)
            if known is not self._known:
                self._last_known = next(log.entries(known.size - 1)) if known.size else None
                self._known = known
            return known

    def partner(self, party: Party) -> Partner:
        """Pinned partner.

        Raises
        ------
        InputError
            If it is not pinned.
        """
        partner = self.knowledge().partners.get(party)
        if partner is None:
            raise InputError(
                Message("{party} is no partner of this node", {"party": party}),
                hint=Message("known partners: {known}", {"known": ", ".join(sorted(self.knowledge().partners)) or "none"}),
                field="partner",
            )
        return partner

    def partner_named(self, text: str) -> Party:
        """Party that a person means by `text`: as written, or the one partner of that nation.

        Raises
        ------
        InputError
            If `text` is no party, or several partners are of that nation.
        """
        party = parse_party(text, field="partner")
        known = self.knowledge().partners
        if party in known:
            return party
        same = [other for other in known if nation_of(other) == party]
        if len(same) > 1:
            raise InputError(
                Message("{nation} is ambiguous: {known}", {"nation": text, "known": ", ".join(sorted(same))}),
                hint=Message("name the organisation"),
                field="partner",
            )
        return same[0] if same else party

    # ---- the tail

    def confirm_place(self) -> None:
        """Take the present place of the folder as the confirmed one, inside the store's open transaction."""
        self.store.keep_setting(_PLACE, self._place())

    def is_confirmed(self) -> bool:
        """Whether the folder lies where its tail was last confirmed."""
        return self.store.setting(_PLACE) == self._place()

    def require_confirmed(self) -> None:
        """Let a restored, copied or moved node serve nothing.

        Raises
        ------
        TailUnconfirmed
            Until an officer confirms the tail of the log.
        """
        if not self.is_confirmed():
            raise TailUnconfirmed(
                Message("this node's folder was copied, restored or moved: the tail of its log is not confirmed"),
                hint=Message(
                    "compare the tail with your last record of it, then: kizuna audit confirm --tail SIZE:ROOT "
                    "(kizuna audit verify prints it)"
                ),
            )

    def confirm_tail(self, tail: str) -> None:
        """Confirm the tail of the log, as an officer who compared it with a record kept elsewhere.

        Raises
        ------
        InputError
            If `tail` is not the tail of this log.
        """
        state = self.journal.verify()
        if tail != state.tail:
            raise InputError(
                Message("the log ends at {tail}, not at {got}", {"tail": state.tail, "got": tail}),
                hint=Message("restore a newer backup; a log that lost its end must not serve"),
                field="tail",
            )
        body: dict[str, Json] = {"tail": tail}
        with self.store.transaction():
            self.journal.record(FactKind.TAIL_CONFIRMED, body, by=self.by, authority="release officer")
            self.confirm_place()
