"""Agreements as values: who may give what to whom, under which article, from when to when.

Valid time is when a thing holds in the world, recorded time is when it became known here. A date that a source gives only
roughly is an interval (`Bound`); one that no source gives is unknown, and nothing is released on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.regions import Area
    from kizuna.release.decision import Obligation

__all__ = [
    "Agreement",
    "AgreementKind",
    "Article",
    "Bound",
    "Consent",
    "Equivalence",
    "Grant",
    "Relabelling",
    "Resumption",
    "State",
    "Suspension",
    "Term",
    "Withdrawal",
]


class State(StrEnum):
    """Where an instant stands in a term."""

    BEFORE = "before"
    PERHAPS = "perhaps"
    """Inside the interval of an approximate date: a person must decide."""
    WITHIN = "within"
    AFTER = "after"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Bound:
    """Begin or end of a term.

    Parameters
    ----------
    earliest, latest
        Instants between which it lies; equal for an exact date, None for an unknown one.
    text
        As the source writes it (``"2025-06-21"``, ``"end of February 2025"``, ``"unknown"``).
    """

    earliest: Instant | None
    latest: Instant | None
    text: str

    @property
    def exact(self) -> Instant | None:
        """The instant, if it is known exactly."""
        return self.earliest if self.earliest == self.latest else None


@dataclass(frozen=True, slots=True)
class Term:
    """Time over which something holds; `end` None means without end."""

    begin: Bound
    end: Bound | None = None

    def state(self, at: Instant) -> State:
        """Where `at` stands. Whatever cannot be excluded is not asserted."""
        begin, end = self.begin, self.end
        if end is not None and end.latest is not None and at >= end.latest:
            # Over is over, whenever it began.
            return State.AFTER
        if begin.earliest is None or begin.latest is None:
            return State.UNKNOWN
        if at < begin.earliest:
            return State.BEFORE
        if end is not None:
            if end.earliest is None or end.latest is None:
                return State.UNKNOWN
            if at >= end.earliest:
                return State.PERHAPS
        return State.WITHIN if at >= begin.latest else State.PERHAPS


class AgreementKind(StrEnum):
    """What an agreement is for."""

    SHARING = "sharing"
    """Lets parties give products to each other."""
    INFORMATION_SECURITY = "information-security"
    """Obliges each party to protect what the other classified; classified products need one beside the sharing."""
    DECLARATION = "declaration"
    """Announces; lets nothing go by itself."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Values of one category that an article grants to its receivers."""

    tag: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """An article that lets givers give to receivers.

    Parameters
    ----------
    number
        As in the agreement.
    title
        One line.
    givers, receivers
        Parties by name. A nation does not stand for its organisations, nor they for it.
    kinds
        Kinds of product.
    policy, ceiling
        Highest marking that may go, in the giver's policy; `ceiling` None where no source gives it.
    obligations
        Form in which it may go.
    categories
        Values of restrictive and permissive categories that its receivers may have.
    areas
        Where a product must lie; anywhere if there are none.
    denied_areas
        What a product must not touch.
    acquired, produced
        When it must have been observed and made; None for no limit.
    purposes
        What it may be used for; anything if there are none.
    """

    number: str
    title: str
    givers: tuple[Party, ...]
    receivers: tuple[Party, ...]
    kinds: tuple[str, ...]
    policy: str
    ceiling: str | None
    obligations: tuple[Obligation, ...] = ()
    categories: tuple[Grant, ...] = ()
    areas: tuple[Area, ...] = ()
    denied_areas: tuple[Area, ...] = ()
    acquired: Term | None = None
    produced: Term | None = None
    purposes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Equivalence:
    """One direction of one pair of markings: what `policy` marks `marking`, `to_policy` protects as `to_marking`.

    `valid` is when the pair holds, within the term of its agreement; None for all of it. (A nation that renames its levels has
    two pairs, one until that day and one from it.)
    """

    policy: str
    marking: str
    to_policy: str
    to_marking: str
    article: str
    basis: str
    verified: bool
    valid: Term | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """One version of an agreement.

    Parameters
    ----------
    id, version
        Version 1 is the first; of the versions known at a time the highest that applies counts.
    title
        Its name.
    kind
        What it is for.
    parties
        Who concluded it.
    term
        When it is in force.
    recorded_at
        When this version became known here.
    articles
        What it lets go.
    equivalences
        Pairs of markings; they hold while this version is in force.
    tells_partner
        Whether the partner is told when it is suspended.
    fictional
        True for a supplement that was made up for the sample.
    sources
        Where the facts were read.
    applies_from
        From when on this version takes the place of the ones before, which hold until then; None for all time, as a correction.
    followed_by
        In a register as known at an instant: version that takes its place at the end of its term; 0 for none.
    """

    id: str
    version: int
    title: str
    kind: AgreementKind
    parties: tuple[Party, ...]
    term: Term
    recorded_at: Instant
    articles: tuple[Article, ...] = ()
    equivalences: tuple[Equivalence, ...] = ()
    tells_partner: bool = False
    fictional: bool = False
    sources: tuple[str, ...] = ()
    applies_from: Bound | None = None
    followed_by: int = 0


@dataclass(frozen=True, slots=True)
class Suspension:
    """Time over which an agreement is suspended. One that is recorded later with the same begin corrects it.

    Parameters
    ----------
    agreement
        Id of the agreement, whatever its version.
    term
        When it is suspended; without end until a resumption is recorded.
    recorded_at
        When the suspension became known here.
    reason
        One sentence, for the partner too if the agreement tells it.
    """

    agreement: str
    term: Term
    recorded_at: Instant
    reason: str
    fictional: bool = False


@dataclass(frozen=True, slots=True)
class Resumption:
    """End of the suspension of an agreement, recorded later than the suspension itself. The one recorded last counts."""

    agreement: str
    at: Instant
    recorded_at: Instant


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A party's withdrawal from an agreement, whatever its version. Nothing goes under it from `at` on.

    Parameters
    ----------
    agreement
        Id of the agreement.
    at
        When it takes effect.
    recorded_at
        When it became known here.
    reason
        One sentence.
    """

    agreement: str
    at: Instant
    recorded_at: Instant
    reason: str


@dataclass(frozen=True, slots=True)
class Relabelling:
    """The originator's correction of a label. Of those known at a time the one recorded last counts."""

    product: str
    label: Label
    recorded_at: Instant


@dataclass(frozen=True, slots=True)
class Consent:
    """An originator's consent that a holder passes a product (or what is derived from it) on to a receiver.

    Of those known at a time the one recorded last counts: so it is corrected, and taken back.
    """

    originator: Party
    product: str
    receiver: Party
    term: Term
    recorded_at: Instant
