"""The register: all facts that a decision is made of, each with the time at which it became known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from kizuna.model.instants import format_instant
from kizuna.release.agreements import Bound, Term

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from kizuna.model.instants import Instant
    from kizuna.release.agreements import Agreement, Consent, Relabelling, Resumption, Suspension, Withdrawal
    from kizuna.release.markings import Ladder

__all__ = ["Register"]

_UNKNOWN = Term(Bound(None, None, "unknown"))


@dataclass(frozen=True, slots=True)
class Register:
    """Facts, append-only. `as_known` gives the register as it was known at an instant; that, not the whole, is decided on.

    Parameters
    ----------
    agreements
        All versions of all agreements.
    suspensions, resumptions, withdrawals, consents, relabellings
        As recorded.
    ladders
        Ladders of classification by policy.
    accepted_ladders
        Policies whose unverified rungs this node accepts by name.
    """

    agreements: tuple[Agreement, ...] = ()
    suspensions: tuple[Suspension, ...] = ()
    resumptions: tuple[Resumption, ...] = ()
    consents: tuple[Consent, ...] = ()
    ladders: Mapping[str, Ladder] = field(default_factory=dict)
    accepted_ladders: frozenset[str] = frozenset()
    withdrawals: tuple[Withdrawal, ...] = ()
    relabellings: tuple[Relabelling, ...] = ()
    # What was compiled of these facts, by the instants between which the same was known. A change makes another register.
    views: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def as_known(self, known_at: Instant) -> Register:
        """Register without what became known after `known_at`, and of what was corrected only the correction.

        Of an agreement's versions each stands with the term over which it holds (`Agreement.applies_from`). Of the consents of
        one originator for one product and one receiver, and of the labels of one product, the one recorded last counts; so does,
        of suspensions with the same begin, the one recorded last. Where two of one instant contradict each other, neither does.
        """
        return replace(
            self,
            agreements=tuple(_versions(_known(self.agreements, known_at))),
            suspensions=tuple(_suspensions(_known(self.suspensions, known_at))),
            resumptions=_known(self.resumptions, known_at),
            consents=tuple(_consents(_known(self.consents, known_at))),
            withdrawals=_known(self.withdrawals, known_at),
            relabellings=tuple(_relabellings(_known(self.relabellings, known_at))),
        )

    def recorded_instants(self) -> set[Instant]:
        """Instants at which anything became known."""
        facts: tuple[_Recorded, ...] = (
            *self.agreements,
            *self.suspensions,
            *self.resumptions,
            *self.consents,
            *self.withdrawals,
            *self.relabellings,
        )
        return {fact.recorded_at for fact in facts}

    def ladder_rank(self, policy: str, marking: str) -> int | None:
        """Rank of `marking` in its policy, or None where either is unknown."""
        ladder = self.ladders.get(policy)
        if ladder is None:
            return None
        return ladder.rank(marking, accept_unverified=policy in self.accepted_ladders)

    def suspension_terms(self, agreement: str) -> Iterator[tuple[Suspension, Term]]:
        """Suspensions of an agreement, each with its term as ended by a resumption, if one is recorded."""
        for suspension in self.suspensions:
            if suspension.agreement == agreement:
                yield suspension, _term_of(suspension, self)


class _Recorded(Protocol):
    @property
    def recorded_at(self) -> Instant: ...


def _known[F: _Recorded](facts: tuple[F, ...], known_at: Instant) -> tuple[F, ...]:
    return tuple(fact for fact in facts if fact.recorded_at <= known_at)


def _last[F: _Recorded](facts: Iterable[F], key: Callable[[F], object]) -> Iterator[list[F]]:
    """Of facts about one thing those recorded last: several where nobody can say which came later."""
    last: dict[object, list[F]] = {}
    for fact in facts:
        found = last.setdefault(key(fact), [])
        if found and found[0].recorded_at < fact.recorded_at:
            found.clear()
        if not found or found[0].recorded_at == fact.recorded_at:
            found.append(fact)
    yield from last.values()


def _consents(known: Iterable[Consent]) -> Iterator[Consent]:
    for same in _last(known, lambda consent: (consent.originator, consent.product, consent.receiver)):
        agreed = all(consent.term == same[0].term for consent in same)
        yield same[0] if agreed else replace(same[0], term=_UNKNOWN)


def _suspensions(known: Iterable[Suspension]) -> Iterator[Suspension]:
    # Suspensions of which nobody knows when they began may be several. Of two that contradict each other both stand.
    dates = {id(s): (s.term.begin.earliest, s.term.begin.latest) for s in known}
    for same in _last(known, lambda s: id(s) if None in dates[id(s)] else (s.agreement, dates[id(s)])):
        yield from same


def _relabellings(known: Iterable[Relabelling]) -> Iterator[Relabelling]:
    for same in _last(known, lambda relabelling: relabelling.product):
        labels = sorted(dict.fromkeys(relabelling.label for relabelling in same), key=repr)
        if len(labels) == 1:
            yield same[0]
        else:
            # A marking that stands on no ladder; and should one hold it, nobody is named to whom it could go.
            neither = " | ".join(label.classification for label in labels)
            yield replace(same[0], label=replace(labels[0], classification=neither, releasable_to=()))


# Versions


def _versions(known: Iterable[Agreement]) -> Iterator[Agreement]:
    """Versions of agreements, each with the term over which it holds: of those that apply at an instant it is the highest."""
    by_id: dict[str, dict[int, list[Agreement]]] = {}
    for agreement in known:
        same = by_id.setdefault(agreement.id, {}).setdefault(agreement.version, [])
        if agreement not in same:
            same.append(agreement)
    for _id, versions in sorted(by_id.items()):
        holding: list[Agreement] = []
        for _version, records in sorted(versions.items()):
            for record in records:
                holding = [older for each in holding if (older := _before(each, record)) is not None]
            # Of two records of one version nobody can say which holds.
            if len(records) == 1 and (begun := _from(records[0])) is not None:
                holding.append(begun)
        yield from holding


def _before(older: Agreement, newer: Agreement) -> Agreement | None:
    """A version until a higher one applies; None where nothing is left of it."""
    begin, end = older.term.begin, older.term.end
    at = None if newer.applies_from is None else newer.applies_from.earliest
    if newer.applies_from is None or at is None or (begin.earliest is not None and at <= begin.earliest):
        return None
    if end is not None and end.latest is not None and end.latest <= at:
        return older
    if end is not None and (end.earliest is None or end.earliest < at):
        # It may have ended before: when is as unknown as ever, but no later than this.
        return replace(older, term=Term(begin, Bound(end.earliest, at, end.text)))
    return replace(older, term=Term(begin, Bound(at, at, newer.applies_from.text)), followed_by=newer.version)


def _from(version: Agreement) -> Agreement | None:
    """A version from when it applies; None where it has ended by then."""
    begin, end = version.term.begin, version.term.end
    if version.applies_from is None:
        return version
    at = version.applies_from.latest
    if at is None or (end is not None and end.latest is not None and end.latest <= at):
        return None
    if begin.earliest is None or begin.latest is None or begin.earliest >= at:
        return version
    bound = Bound(at, at, version.applies_from.text) if begin.latest <= at else Bound(at, begin.latest, begin.text)
    return replace(version, term=Term(bound, end))


# Suspensions


def _begun(suspension: Suspension) -> Instant:
    # A suspension of which nobody knows when it began had begun when it was recorded.
    return suspension.term.begin.latest or suspension.recorded_at


def _term_of(suspension: Suspension, register: Register) -> Term:
    """Term of a suspension, ended by the resumption recorded last of those that are about it.

    A resumption is about each suspension that was recorded before it and began before it takes effect, but for those that had
    ended, as was known then, before another one began: it is about that other one. Of two facts of one instant nobody can say
    which came later: the suspension stands, and of two resumptions the later end.
    """
    end = suspension.term.end
    others = [(_begun(s), s.recorded_at) for s in register.suspensions if s.agreement == suspension.agreement]
    about = [
        r
        for r in register.resumptions
        if r.agreement == suspension.agreement and r.recorded_at > suspension.recorded_at and r.at > _begun(suspension)
    ]
    for resumption in sorted(about, key=lambda r: (r.recorded_at, r.at)):
        over = None if end is None else end.latest
        again = over is not None and any(
            over <= begun < resumption.at and recorded_at < resumption.recorded_at for begun, recorded_at in others
        )
        if not again:
            end = Bound(resumption.at, resumption.at, format_instant(resumption.at))
    return Term(suspension.term.begin, end)
