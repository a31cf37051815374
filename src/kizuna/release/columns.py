"""Rows that the rules look at: a product, an article and a question, each as whole numbers and sets of bits.

What a fact means is settled when its row is made (`kizuna.release.view`); the rules (`kizuna.release.rules`) only compare.
Rows hold integers alone, so that the same rules read them from Python objects, SQL tables and NumPy arrays.

Instants are microseconds since 1970-01-01T00:00:00Z. `NEVER` and `ALWAYS` lie beyond every instant, and no number of a product
lies beyond them. Masks are sets: bit *i* stands for the *i*-th party, kind, marking, need or area of a vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kizuna.model.instants import Instant

__all__ = [
    "ALL",
    "ALWAYS",
    "NEVER",
    "NO",
    "PERHAPS",
    "YES",
    "ArticleRow",
    "ProductRow",
    "QuestionRow",
    "folded",
    "masks_of",
    "micros",
    "words_of",
]

type Mask = int

ALWAYS = -(2**60)
"""Before every instant."""
NEVER = 2**60
"""After every instant."""
ALL: Mask = -1
"""Mask of everything that a vocabulary holds or ever will."""
NO, PERHAPS, YES = 0, 1, 2
"""Answers of a question that only a person can settle in between."""

_EPOCH = Instant(datetime(1970, 1, 1, tzinfo=UTC))
_MICROSECOND = timedelta(microseconds=1)


def micros(instant: Instant) -> int:
    """Microseconds since 1970-01-01T00:00:00Z."""
    since: timedelta = instant - _EPOCH
    return since // _MICROSECOND


@dataclass(slots=True)
class ProductRow:
    """A product, as a question finds it.

    Parameters
    ----------
    kind
        Its kind (one bit).
    policy, rank, marking
        Its label: number of the policy; 0 for unclassified, 1 for the lowest level, -1 for unknown; the marking as one bit (no
        bit for unclassified).
    made, review
        When it was labelled, and by when the label is to be reviewed.
    releasable
        Parties to whom the originator agrees; `ALL` where it set no limit.
    needs
        What its categories ask of an article: one bit for each set of values of which one must be granted.
    parents_policy, parents_rank, parents_marking, parents_made, parents_review, parents_releasable, parents_needs
        The same of all products that it is derived from, dominated: the highest rank (-1 where one is unknown, and where two
        classified ones have different policies), all their markings, the latest making, the earliest review, the parties to
        whom all agree, all needs.
    disjoint
        1 where each of these labels names parties (or values of a permissive category), but none that all name: the guidance on
        dominant labels lets a person decide.
    consent, parents_consent
        Whether all other originators whose consent it takes gave it, for the partner and the instant asked about (`YES`,
        `PERHAPS`, `NO`).
    acquired_from, acquired_until
        When it was observed: `ALWAYS` and `NEVER` where that is unknown.
    produced
        When it was made.
    resolution
        In millimetres, rounded down; 0 where it is unknown.
    phase
        1 if it holds phase.
    inside, touches
        Areas of agreements in which its footprint lies wholly, and which it touches. Without a footprint: none, and `ALL`.
    placed
        1 where its place is known.
    """

    kind: Mask
    policy: int
    rank: int
    marking: Mask
    made: int
    review: int
    releasable: Mask
    needs: Mask
    parents_policy: int
    parents_rank: int
    parents_marking: Mask
    parents_made: int
    parents_review: int
    parents_releasable: Mask
    parents_needs: Mask
    disjoint: int
    consent: int
    parents_consent: int
    acquired_from: int
    acquired_until: int
    produced: int
    resolution: int
    phase: int
    inside: Mask
    touches: Mask
    placed: int


@dataclass(slots=True)
class ArticleRow:
    """An article of an agreement, as known then.

    Parameters
    ----------
    kinds, givers, receivers
        Kinds of product, and parties.
    begin, end
        While the agreement is surely in force: `NEVER` and `ALWAYS` where the date is unknown.
    may_begin, may_end
        While it may be.
    suspended
        `NO`, `PERHAPS`, `YES` at the instant asked about.
    withdrawn
        When a party's withdrawal takes effect.
    policy, ceiling
        Highest rank that may go, in this policy; -1 where it is unknown.
    lacking
        Needs that it does not grant.
    anywhere, areas, denied
        1 where it sets no area; areas in which a footprint must lie; areas that it must not touch.
    crops
        1 where it lets go what lies inside an area, and this node can cut that out.
    acquired_from, acquired_until, produced_from, produced_until
        Periods of observation and production.
    delay
        Microseconds that must pass since the observation.
    finest
        Finest resolution, in millimetres; 0 without a limit.
    coarsens
        1 where this node can make a product coarser.
    strips
        1 where phase must be stripped and this node cannot do so.
    blocked
        1 where it asks for something else that this node cannot do.
    purposes
        Purposes that it allows; `ALL` without a limit.
    """

    kinds: Mask
    givers: Mask
    receivers: Mask
    begin: int
    end: int
    may_begin: int
    may_end: int
    suspended: int
    withdrawn: int
    policy: int
    ceiling: int
    lacking: Mask
    anywhere: int
    areas: Mask
    denied: Mask
    crops: int
    acquired_from: int
    acquired_until: int
    produced_from: int
    produced_until: int
    delay: int
    finest: int
    coarsens: int
    strips: int
    blocked: int
    purposes: Mask


@dataclass(slots=True)
class QuestionRow:
    """Who asks whom, about when, what for; and what the security agreements of the two nations protect then.

    Parameters
    ----------
    at
        Instant asked about.
    giver, partner
        One bit each; no bit for a party that no agreement knows.
    known
        1 if the partner's nation is known.
    purpose
        The stated purpose, or the bit that stands for none stated.
    secured
        Whether the two nations have an information-security agreement in force (`YES`, `PERHAPS`, `NO`).
    exposed
        Markings for which no such agreement says how the partner protects them.
    perhaps_exposed
        The same, if those agreements counted that may be in force.
    """

    at: int
    giver: Mask
    partner: Mask
    known: int
    purpose: Mask
    secured: int
    exposed: Mask
    perhaps_exposed: Mask


def masks_of(row: type) -> frozenset[str]:
    """Names of the columns of `row` that are masks."""
    return frozenset(name for name, kind in row.__annotations__.items() if kind == "Mask")


def folded(mask: Mask, bits: int) -> Mask:
    """Mask of `bits` bits that has the same in common with every mask of a column of that many bits as `mask` has.

    In a column a mask is a number in two's complement: its last bit is the sign, which stands for all parties, kinds, ... that
    come after those of the other bits. No such number has only some of them: all or none. So of `mask` all that lies there may be
    folded into that bit, and a column never has to be made wider when a vocabulary grows.

    Examples
    --------
    >>> folded(0b101, 8), folded(ALL, 8), folded(1 << 100, 8)
    (5, -1, -128)
    """
    sign = 1 << bits - 1
    low = mask & sign - 1
    return low - sign if mask >> bits - 1 else low


def words_of(mask: Mask, words: int, bits: int = 64) -> tuple[int, ...]:
    """Words of a mask of ``words * bits`` bits, the lowest first, each a number in two's complement.

    Examples
    --------
    >>> words_of(1 << 63, 2), words_of(ALL, 2), words_of(5, 1)
    ((-9223372036854775808, 0), (-1, -1), (5,))
    """
    sign, every = 1 << bits - 1, (1 << bits) - 1
    parts = (mask >> bits * word & every for word in range(words))
    return tuple([(part ^ sign) - sign for part in parts])
