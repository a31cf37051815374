"""What a node knows: its facts, folded into the register, its partners and its tail's confirmation."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

from kizuna.catalog.areas import Placer, areas_of
from kizuna.errors import InputError, KizunaError, LogDamaged, Message, PartnerMisbehaved, TailUnconfirmed
from kizuna.exchange.envelope import key_id_of, peek, signer_of
from kizuna.exchange.merkle import extend, leaf_data, leaf_hash, root_of
from kizuna.formats.agreement import NO_CIVIL_DATES, read_agreement, read_ladders
from kizuna.formats.agreement_terms import read_term
from kizuna.model.instants import Instant, parse_instant
from kizuna.model.label import read_label
from kizuna.model.parties import nation_of, parse_party
from kizuna.model.provenance import FactKind
from kizuna.model.reading import Table
from kizuna.node.beginning import SETTING, TEACHING, Beginning, open_beginning, seal_beginning
from kizuna.node.journal import SALT_BYTES
from kizuna.node.reads import Reads
from kizuna.release.agreements import Bound, Consent, Relabelling, Resumption, Suspension, Term, Withdrawal
from kizuna.release.register import Register

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kizuna.exchange.checkpoint import Checkpoint
    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.model.provenance import Fact
    from kizuna.node.journal import Journal
    from kizuna.node.ports import BlobStore, TailAnchor
    from kizuna.release.agreements import Agreement

__all__ = ["Announced", "FormerKey", "Knowledge", "Node", "Partner"]

_PLACE = "place"
_VIEWS = 4
_KEEP_EVERY = 5000
"""Entries after which the beginning of the log is kept anew: so many are read in about a second."""


@dataclass(frozen=True, slots=True)
class FormerKey:
    """Signing key that a partner gives up, and when: what it signed is from before.

    Parameters
    ----------
    key
        Raw Ed25519 public key.
    until
        When it ends: announced ahead, so that a partner may use either until then.
    certificate_der
        The certificate that ends with it; None where the log does not say which.
    """

    key: bytes
    until: Instant
    certificate_der: bytes | None = None


@dataclass(frozen=True, slots=True)
class Announced:
    """Keys of this node of which its partners are being told, and which are not in use yet.

    Parameters
    ----------
    key_id
        Id of the new signing key.
    statement
        The sealed statement that it takes the place of the present one (`kizuna.exchange.rotation`).
    by
        When they come into use at the latest.
    until
        Until when partners accept the present ones.
    """

    key_id: str
    statement: str
    by: Instant
    until: Instant


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
    sealing_key
        Its raw X25519 public key, to which removable media for it are sealed; None if its card had none.
    former
        Keys that it gave up, or is about to.
    revoked
        Ids of keys of whichever partner that were revoked.
    sealing_since
        When it said that the sealing key took the place of another; None where a card named it.
    """

    party: Party
    url: str
    certificate_der: bytes
    signing_key: bytes
    sealing_key: bytes | None = None

    former: tuple[FormerKey, ...] = ()
    revoked: frozenset[str] = frozenset()
    sealing_since: Instant | None = None

    @property
    def keys(self) -> tuple[bytes, ...]:
        """Its signing keys, the present one first, those that were revoked left out."""
        keys = (self.signing_key, *(former.key for former in self.former))
        return tuple(key for key in keys if key_id_of(key) not in self.revoked)

    def signing_at(self, now: Instant) -> tuple[bytes, ...]:
        """Signing keys that it may use at an instant, the present one first."""
        until = {key_id_of(former.key): former.until for former in self.former}
        return tuple(key for key in self.keys if until.get(key_id_of(key), now) >= now)

    def certificates(self, now: Instant) -> tuple[bytes, ...]:
        """Certificates by which it is known at an instant: its present one, and those that have not ended; none once revoked."""
        if key_id_of(self.signing_key) in self.revoked:
            # Who shows it may be somebody else.
            return ()
        former = (
            f.certificate_der for f in self.former if f.until > now and f.certificate_der and key_id_of(f.key) not in self.revoked
        )
        return (self.certificate_der, *former)

    def key_for(self, envelope: bytes) -> bytes:
        """Key by which an envelope of this partner is to be verified: its present one, or a former one for what is from before.

        Raises
        ------
        PartnerMisbehaved
            If the key that it claims was revoked.
        """
        if not self.former and not self.revoked:
            return self.signing_key
        claimed = signer_of(envelope)
        if claimed is not None and claimed in self.revoked:
            raise PartnerMisbehaved(
                Message("{partner} signed with the key {key}, which was revoked", {"partner": self.party, "key": claimed[:16]}),
                hint=Message("nothing of it was taken over; ask the partner's operator for a new card by a way that you trust"),
            )
        for former in self.former:
            if claimed == key_id_of(former.key) and _said_at(envelope) <= former.until:
                return former.key
        return self.signing_key

    def fingerprints(self, now: Instant) -> tuple[str, ...]:
        """SHA-256 of each of its `certificates`, in hexadecimal."""
        return tuple(_fingerprint(certificate) for certificate in self.certificates(now))

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal."""
        return _fingerprint(self.certificate_der)


@lru_cache(maxsize=256)
def _fingerprint(certificate_der: bytes) -> str:
    # Asked of each partner at each request.
    return hashlib.sha256(certificate_der).hexdigest()


def _said_at(envelope: bytes) -> Instant:
    """When an envelope says that it was made; the end of time where it does not say."""
    said = peek(envelope)
    for name in ("made_at", "stored_at", "answered_at", "at"):
        text = said.get(name) if isinstance(said, dict) else None
        if isinstance(text, str):
            return parse_instant(text)
    return Instant(datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All facts of the log up to an index, folded."""

    size: int = 0
    frontier: tuple[bytes, ...] = ()
    note: str | None = None
    # Entries whose facts taught any of it: their indices, and their leaf hashes.
    teaching: tuple[int, ...] = ()
    leaves: tuple[bytes, ...] = ()
    register: Register = field(default_factory=Register)
    partners: dict[Party, Partner] = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()
    succession: tuple[str, ...] = ()
    announced: Announced | None = None
    sealing_ends: dict[str, Instant] = field(default_factory=dict)

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
                agreement, suspensions = read_agreement(body["document"], NO_CIVIL_DATES, recorded=True)
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
            case FactKind.AGREEMENT_WITHDRAWN:
                withdrawal = Withdrawal(body["agreement"], parse_instant(body["at"]), fact.recorded_at, body["reason"])
                register = replace(register, withdrawals=(*register.withdrawals, withdrawal))
            case FactKind.CONSENT_GIVEN:
                consent = Consent(
                    parse_party(body["originator"]),
                    body["product"],
                    parse_party(body["receiver"]),
                    read_term(Table(body["term"], "term"), (), NO_CIVIL_DATES),
                    fact.recorded_at,
                )
                register = replace(register, consents=(*register.consents, consent))
            case FactKind.LABEL_CORRECTED:
                relabelling = Relabelling(body["product"], read_label(Table(body["label"], "label")), fact.recorded_at)
                register = replace(register, relabellings=(*register.relabellings, relabelling))
            case FactKind.KEYS_ANNOUNCED | FactKind.KEYS_ROTATED | FactKind.SEALING_KEY_CHANGED:
                return self._learn_of_own_keys(fact)
            case _:
                return self._learn_of_partners(fact)
        return replace(self, register=register)

    def _learn_of_own_keys(self, fact: Fact) -> Knowledge:
        body: dict[str, Any] = fact.body
        match fact.kind:
            case FactKind.KEYS_ANNOUNCED:
                by, until = parse_instant(body["by"]), parse_instant(body["until"])
                return replace(self, announced=Announced(body["key"], body["statement"], by, until))
            case FactKind.KEYS_ROTATED:
                return replace(self, succession=(*self.succession, body["statement"]), announced=None)
            case _:
                return replace(self, sealing_ends={**self.sealing_ends, body["former"]: parse_instant(body["until"])})

    def _learn_of_partners(self, fact: Fact) -> Knowledge:
        body: dict[str, Any] = fact.body
        match fact.kind:
            case FactKind.PARTNER_PINNED:
                party = parse_party(body["party"])
                partner = Partner(
                    party,
                    body["url"],
                    base64.b64decode(body["certificate"]),
                    base64.b64decode(body["signing_key"]),
                    base64.b64decode(body["sealing_key"]) if "sealing_key" in body else None,
                    revoked=self.revoked,
                )
                known = self.partners.get(party)
                if known is not None and known.signing_key == partner.signing_key:
                    partner = replace(partner, former=known.former, sealing_since=known.sealing_since)
                return replace(self, partners={**self.partners, party: partner})
            case FactKind.PARTNER_ROTATED:
                return self._rotated(body)
            case FactKind.PARTNER_SEALING_KEY_CHANGED:
                party = parse_party(body["party"])
                partner = replace(
                    self.partners[party],
                    sealing_key=base64.b64decode(body["sealing_key"]),
                    sealing_since=parse_instant(body["at"]),
                )
                return replace(self, partners={**self.partners, party: partner})
            case FactKind.PARTNER_KEY_REVOKED:
                revoked = self.revoked | {body["key"]}
                partners = {party: replace(p, revoked=revoked) for party, p in self.partners.items()}
                return replace(self, revoked=revoked, partners=partners)
            case FactKind.PARTNER_REMOVED:
                gone = parse_party(body["party"])
                return replace(self, partners={party: p for party, p in self.partners.items() if party != gone})
            case _:
                return self

    def _rotated(self, body: dict[str, Any]) -> Knowledge:
        party = parse_party(body["party"])
        known = self.partners[party]
        keys = [known.signing_key, *(base64.b64decode(step["signing_key"]) for step in body["steps"])]
        # Each step names the certificate that came with its key; that of the key pinned before is known.
        shown = [known.certificate_der, *(base64.b64decode(step.get("certificate", "")) for step in body["steps"])]
        former = [
            FormerKey(key, parse_instant(step["at"]), certificate or None)
            for key, certificate, step in zip(keys, shown, body["steps"], strict=False)
        ]
        partner = replace(
            known,
            url=body["url"],
            certificate_der=base64.b64decode(body["certificate"]),
            signing_key=keys[-1],
            former=(*known.former, *former),
        )
        if "sealing_key" in body:
            partner = replace(partner, sealing_key=base64.b64decode(body["sealing_key"]))
        return replace(self, partners={**self.partners, party: partner})


@dataclass(frozen=True, slots=True)
class Present:
    """A node as it is now.

    Parameters
    ----------
    note
        Latest checkpoint of its log; the rest is as it was then, or later.
    at
        Present instant.
    known
        All that the log says, perhaps but for what partners read last.
    placer
        How footprints lie to the areas of its agreements.
    """

    note: str | None
    at: Instant
    known: Knowledge
    placer: Placer


def _makes_up(known: Knowledge, head: Checkpoint) -> bool:
    return known.size == head.size and root_of(known.frontier) == head.root


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
    anchor
        What is remembered of the log's tail outside the folder, if anything is.
    """

    def __init__(
        self, journal: Journal, blobs: BlobStore, place: Callable[[], str], by: str, anchor: TailAnchor | None = None
    ) -> None:
        self.journal = journal
        self.store = journal.store
        self.keys = journal.keys
        self.blobs = blobs
        self.by = by
        self._place = place
        # One for each view that threads may have at once: before and inside somebody's open transaction.
        self._learned: deque[Knowledge] = deque(maxlen=_VIEWS)
        self._kept_size = 0
        self._told_size = -1
        self._anchor = anchor
        self._lock = threading.Lock()
        self._placer: tuple[tuple[Agreement, ...], Placer] = ((), Placer(()))
        self.reads = Reads(self)
        """What partners read."""

    @property
    def organisation(self) -> Party:
        """Whose node this is."""
        return self.journal.organisation

    def now(self) -> Instant:
        """Present instant, refused where the clock stands behind the log."""
        return self.journal.now()

    def present(self) -> Present:
        """What `now`, `knowledge` and `placer` tell, of one look at the log.

        Raises
        ------
        ClockBehind, LogDamaged
            As they do.
        """
        note = self.store.log.checkpoint()
        at = self.journal.now_at(note)
        with self._lock:
            latest = self._learned[0] if self._learned else None
        # What partners read teaches nothing: so the same is known as before.
        known = latest if latest is not None and self.reads.are_all_since(latest.note, note) else self.knowledge()
        return Present(note, at, known, self._placer_of(known))

    def knowledge(self) -> Knowledge:
        """All that the log says now; facts recorded by other processes included.

        Raises
        ------
        LogDamaged
            If the log does not make up the root of its signed checkpoint: nothing is decided on such a log.
        """
        with self._lock:
            note = self.store.log.checkpoint()
            for known in self._learned:
                if known.note == note:
                    return known
            head = self.journal.head()
            if head is None or note is None:
                return Knowledge()
            # INVARIANT: what is known is what the signed checkpoint commits to. What was learned inside a transaction that was
            # undone is the beginning of no later log, and the root tells: then an older beginning is tried, at last none.
            for beginning in self._beginnings(head.size):
                known = self._learn(beginning, head.size)
                if not _makes_up(known, head) and self.journal.forget_appended():
                    known = self._learn(beginning, head.size)
                if _makes_up(known, head):
                    known = replace(known, note=note)
                    self._learned.appendleft(known)
                    return known
            raise LogDamaged(
                Message("the log's entries do not make up the root that the checkpoint was signed over"),
                hint=Message("restore the node from a backup and confirm its tail; keep the damaged folder as evidence"),
            )

    def _beginnings(self, size: int) -> Iterator[Knowledge]:
        """What may be gone on from for a log of `size` entries: the longest first, at last nothing."""
        yield from sorted((k for k in self._learned if k.size <= size), key=lambda k: k.size, reverse=True)
        text = self.store.setting(SETTING)
        kept = None if text is None else open_beginning(self.journal, text)
        if kept is not None and kept[0].size <= size:
            beginning, facts = kept
            self._kept_size = beginning.size
            known = reduce(Knowledge.learn, facts, Knowledge())
            yield replace(
                known,
                size=beginning.size,
                frontier=beginning.frontier,
                teaching=beginning.teaching,
                leaves=beginning.leaves,
            )
        yield Knowledge()

    def keep_beginning(self) -> None:
        """Spare whoever starts next the reading of the log up to here, where it has grown long.

        It only saves time: where it cannot be kept, nothing is lost, and nothing is said.
        """
        with suppress(KizunaError):
            if not self._learned or self.store.log.size() - self._kept_size < _KEEP_EVERY:
                return
            known = self.knowledge()
            beginning = Beginning(known.size, known.frontier, known.teaching, known.leaves)
            with self.store.transaction():
                self.store.keep_setting(SETTING, seal_beginning(self.journal, beginning))
            self._kept_size = known.size

    def _learn(self, known: Knowledge, size: int) -> Knowledge:
        """Knowledge with the entries up to `size`, or as many of them as there are."""
        learned, end, frontier = known, known.size, known.frontier
        teaching: list[tuple[int, bytes]] = []
        # What this very process recorded need not be read again where it teaches nothing; was it undone, the root will tell.
        while (more := self.journal.appended_to(end, frontier)) is not None and more.size <= size and not more.kinds & TEACHING:
            end, frontier = more.size, more.frontier
        for entry in self.store.log.entries(end):
            if entry.index != end or end >= size or len(entry.salt) != SALT_BYTES:
                break
            leaf = leaf_hash(leaf_data(entry.salt, entry.envelope))
            frontier = extend(frontier, end, [leaf])
            # The same, of what stands behind something that teaches.
            kind = self.journal.kind_made(leaf)
            if kind is None or kind in TEACHING:
                fact = self.journal.read_entry(entry)
                if fact.kind in TEACHING:
                    learned = learned.learn(fact)
                    teaching.append((end, leaf))
            end += 1
        indices, leaves = zip(*teaching, strict=True) if teaching else ((), ())
        return replace(
            learned,
            size=end,
            frontier=frontier,
            teaching=(*known.teaching, *indices),
            leaves=(*known.leaves, *leaves),
        )

    def placer(self) -> Placer:
        """Says how footprints lie to the areas that the agreements name, of whichever version: a past one may be asked about."""
        return self._placer_of(self.knowledge())

    def _placer_of(self, knowledge: Knowledge) -> Placer:
        agreements = knowledge.register.agreements
        known, placer = self._placer
        if known is not agreements and known != agreements:
            placer = Placer(areas_of(agreements))
        self._placer = agreements, placer
        return placer

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
        """Whether the folder lies where its tail was last confirmed, and the log has all that it had when last looked at."""
        if self.store.setting(_PLACE) != self._place():
            return False
        if self._anchor is None:
            return True
        size, remembered = self.store.log.size(), self._anchor.read()
        if remembered is not None:
            if size < remembered[0] or self._leaf_at(remembered[0] - 1) != remembered[1]:
                return False
            if size == remembered[0]:
                return True
        self.remember_tail()
        return True

    def remember_tail(self) -> None:
        """Remember outside the folder how far the log has come."""
        size = self.store.log.size()
        if self._anchor is not None and size:
            leaf = self._leaf_at(size - 1)
            if leaf is not None:
                self._anchor.keep(size, leaf)

    def committed(self) -> None:
        """Remember what was recorded just now, before anything else is done: a process may be killed at any time.

        It is durable already, so nothing that goes wrong here may make it look as if it were not.
        """
        with suppress(KizunaError):
            size = self.store.log.size()
            # INVARIANT: a folder that is in doubt is not made certain by what is recorded in it.
            if size != self._told_size and self.is_confirmed():
                self._told_size = size

    def _leaf_at(self, index: int) -> bytes | None:
        entry = next(self.store.log.entries(index), None)
        return None if entry is None else leaf_hash(leaf_data(entry.salt, entry.envelope))

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
            # The right tail is not given away: it has to come from a record that was kept elsewhere.
            raise InputError(
                Message("the log does not end at {got}", {"got": tail}),
                hint=Message("restore a newer backup; a log that lost its end must not serve"),
                field="tail",
            )
        body: dict[str, Json] = {"tail": tail}
        with self.store.transaction():
            self.journal.record(FactKind.TAIL_CONFIRMED, body, by=self.by, authority="release officer")
            self.confirm_place()
        self.remember_tail()
