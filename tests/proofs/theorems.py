"""What the rule table guarantees of every product, article and question, in the words of those who rely on it.

A theorem is a premise and a conclusion, proved by z3 finding no row on which the one holds and the other does not. `prove_all`
proves them; `mutations` takes each rule away in turn and names the theorems that then fail, so that none holds of nothing.

Three kinds are stated. What must never go (and, where nothing is left to a person, must never be referred). What must not let
more go: a change that only takes away never adds a release. And what is enough: all else being right, a rule asks no more
than its sentence says; so a rule that grew by mistake is found as well as one that shrank.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import z3
from proofs.smt import BITS, NOTHING, Row, article_row, mask, product_row, question_row, table_of

from kizuna.release.columns import ALWAYS, NEVER, NO, PERHAPS, YES
from kizuna.release.rules import RuleId

if TYPE_CHECKING:
    from collections.abc import Callable

    from proofs.smt import Table

__all__ = ["THEOREMS", "Proof", "Theorem", "holds", "mutations", "prove_all"]

P, A, B, Q = product_row(), article_row(), article_row("b"), question_row()
SIDES = {"p": P, "a": A, "q": Q}
NONE, ALL = mask(0), mask(-1)

type Statement = Callable[[Table], tuple[z3.BoolRef, z3.BoolRef]]


@dataclass(frozen=True, slots=True)
class Theorem:
    """A premise and a conclusion about a table; both are functions of the table, so that a mutated one can be asked too."""

    name: str
    sentence: str
    statement: Statement


THEOREMS: list[Theorem] = []


def theorem(name: str, sentence: str) -> Callable[[Statement], Statement]:
    def keep(statement: Statement) -> Statement:
        THEOREMS.append(Theorem(name, sentence, statement))
        return statement

    return keep


# What every row is that `kizuna.release.view` makes.


def _within(number: z3.ArithRef, least: int, most: int) -> z3.BoolRef:
    return z3.And(number >= least, number <= most)


def _lies_in(part: z3.BitVecRef, whole: z3.BitVecRef) -> z3.BoolRef:
    return part & ~whole == NONE


def _has(wanted: z3.BitVecRef, bits: z3.BitVecRef) -> z3.BoolRef:
    return wanted & bits != NONE


def sane_article(a: Row) -> z3.BoolRef:
    return z3.And(
        a.may_begin <= a.begin,
        a.end <= a.may_end,
        _within(a.suspended, NO, YES),
        a.ceiling >= -1,
        a.delay >= 0,
        a.finest >= 0,
        *[_within(a[bit], 0, 1) for bit in ("anywhere", "crops", "coarsens", "strips", "blocked")],
    )


def sane_product(p: Row) -> z3.BoolRef:
    return z3.And(
        p.rank >= -1,
        p.parents_rank >= -1,
        p.resolution >= 0,
        _within(p.consent, NO, YES),
        _within(p.parents_consent, NO, YES),
        *[_within(p[bit], 0, 1) for bit in ("phase", "disjoint", "placed")],
        # What nobody can place lies in nothing and perhaps touches everything.
        z3.Implies(p.placed == 0, z3.And(p.inside == NONE, p.touches == ALL)),
    )


def sane_question(q: Row) -> z3.BoolRef:
    return z3.And(
        q.at > ALWAYS,
        q.at < NEVER,
        _within(q.known, 0, 1),
        _within(q.secured, NO, YES),
        _lies_in(q.perhaps_exposed, q.exposed),
    )


@cache
def sane(p: Row = P, q: Row = Q, *articles: Row) -> z3.BoolRef:
    """Whether rows are such as the register can have."""
    return z3.And(sane_product(p), sane_question(q), *[sane_article(a) for a in articles or (A,)])


# What must never go.


def _nothing(table: Table, *articles: Row) -> z3.BoolRef:
    """Neither permitted nor left to a person."""
    several = articles or (A,)
    return z3.Not(z3.Or(table.released(P, Q, several), table.referred(P, Q, several)))


def denied(name: str, sentence: str, *facts: z3.BoolRef) -> None:
    """Theorem: under one article these facts neither permit nor refer."""
    THEOREMS.append(Theorem(name, sentence, lambda table: (z3.And(sane(), *facts), _nothing(table))))


def forbidden(name: str, sentence: str, *facts: z3.BoolRef) -> None:
    """Theorem: these facts about a product neither permit nor refer, whatever articles there are."""
    THEOREMS.append(Theorem(name, sentence, lambda table: (z3.And(sane(P, Q, A, B), *facts), _nothing(table, A, B))))


def withheld(name: str, sentence: str, *facts: z3.BoolRef) -> None:
    """Theorem: these facts do not permit; a person may be asked."""
    THEOREMS.append(
        Theorem(name, sentence, lambda table: (z3.And(sane(P, Q, A, B), *facts), z3.Not(table.released(P, Q, (A, B)))))
    )


forbidden("unknown-nation-gets-nothing", "A partner whose nation is unknown gets nothing, under any article.", Q.known == 0)
forbidden("unheard-party-gets-nothing", "A party that no agreement and no label names gets nothing.", Q.partner == NONE)
denied("unheard-holder-gives-nothing", "A holder that no agreement names gives nothing.", Q.giver == NONE)
forbidden("unknown-marking-stays", "A product whose marking is unknown here goes nowhere.", P.rank == -1)
forbidden("unlabelled-yet-stays", "Before its label was made a product goes nowhere.", Q.at < P.made)
withheld("overdue-review-stays", "A label that is due for review lets nothing go.", Q.at >= P.review)
forbidden(
    "not-releasable-stays",
    "A product never goes to whom its originator does not name in Releasable To.",
    ~P.releasable & Q.partner == Q.partner,
)
withheld("no-consent-no-release", "Without its originator's consent another's product never goes on.", P.consent != YES)
forbidden("refused-consent-denies", "Where no consent is on file, nobody else may decide in its place.", P.consent == NO)
forbidden("unknown-parent-stays", "What is derived from something unknown goes nowhere.", P.parents_rank == -1)
forbidden(
    "parent-unlabelled-yet-stays", "Before the labels of its parents were made a product goes nowhere.", Q.at < P.parents_made
)
withheld("parent-overdue-review-stays", "A parent's label that is due for review lets nothing go.", Q.at >= P.parents_review)
withheld(
    "parents-originator-refuses",
    "A derived product never goes to whom a parent's originator does not release it to.",
    P.parents_releasable & Q.partner == NONE,
)
withheld(
    "parents-originator-silent",
    "A derived product never goes without the consent of each parent's originator.",
    P.parents_consent != YES,
)
forbidden(
    "parents-refusal-denies",
    "Where a parent's originator gave no consent, nobody else may decide in its place.",
    P.parents_consent == NO,
)
withheld("nobody-in-common-stays", "Labels that together leave nobody never let anything go by themselves.", P.disjoint == 1)
withheld(
    "classified-needs-security",
    "What is classified, or derived from it, never goes without a security agreement in force.",
    Q.secured != YES,
    z3.Or(P.rank > 0, P.parents_rank > 0),
)
forbidden(
    "no-security-no-question",
    "Where no security agreement may be in force, nobody is even asked about classified products.",
    Q.secured == NO,
    z3.Or(P.rank > 0, P.parents_rank > 0),
)
withheld(
    "unprotected-marking-stays",
    "A marking whose protection by the partner is not agreed never goes, own or inherited.",
    _has(P.marking | P.parents_marking, Q.exposed),
)
forbidden(
    "unprotected-marking-denies",
    "A marking that no agreement could protect is not left to a person.",
    _has(P.marking | P.parents_marking, Q.perhaps_exposed),
)
denied("no-article-for-the-kind", "No product goes under an article that does not name its kind.", P.kind & A.kinds == NONE)
denied("no-article-for-the-giver", "Nobody gives under an article that does not name the giver.", Q.giver & A.givers == NONE)
denied(
    "no-article-for-the-partner",
    "Nobody receives under an article that does not name the receiver.",
    Q.partner & A.receivers == NONE,
)
withheld(
    "no-agreement-no-release", "Without any article nothing goes.", *[z3.Or(a.kinds == NONE, a.givers == NONE) for a in (A, B)]
)
denied("before-force", "Nothing goes under an agreement before it is in force.", Q.at < A.may_begin)
denied("after-force", "Nothing goes under an agreement that has ended.", Q.at >= A.may_end)
THEOREMS.append(
    Theorem(
        "not-surely-in-force",
        "Nothing goes under an agreement while it is only perhaps in force.",
        lambda table: (z3.And(sane(), z3.Or(Q.at < A.begin, Q.at >= A.end)), z3.Not(table.released(P, Q, [A]))),
    )
)
denied("begin-unknown", "Nothing goes under an agreement whose begin is unknown.", A.begin == NEVER, A.may_begin == NEVER)
denied("end-unknown", "Nothing goes under an agreement whose end is unknown.", A.end == ALWAYS, A.may_end == ALWAYS)
denied(
    "withdrawn-never",
    "Nothing goes under an agreement from which a party has withdrawn, and nobody is asked.",
    A.withdrawn <= Q.at,
)
denied("suspended-never", "Nothing goes under a suspended agreement, and nobody is asked.", A.suspended == YES)
THEOREMS.append(
    Theorem(
        "perhaps-suspended-never",
        "Nothing goes under an agreement that may be suspended.",
        lambda table: (z3.And(sane(), A.suspended != NO), z3.Not(table.released(P, Q, [A]))),
    )
)
denied(
    "ceiling-unknown", "Nothing goes under an article whose ceiling is unknown, not even what is unclassified.", A.ceiling == -1
)
denied("above-the-ceiling", "Nothing goes above an article's ceiling.", P.rank > A.ceiling)
denied(
    "other-policy", "Of another policy's markings an article's ceiling says nothing: they stay.", P.rank > 0, P.policy != A.policy
)
denied(
    "parent-above-the-ceiling",
    "Nothing goes that is derived from something above the ceiling.",
    P.parents_rank > z3.If(A.ceiling < 0, 0, A.ceiling),
)
denied(
    "parent-of-other-policy",
    "Of parents under another policy an article's ceiling says nothing: they stay.",
    P.parents_rank > 0,
    P.parents_policy != A.policy,
)
denied("parent-in-a-category", "What a parent's categories ask must be granted.", _has(P.parents_needs, A.lacking))
denied("category-not-granted", "What a label's categories ask must be granted.", _has(P.needs, A.lacking))
denied("category-unheard-of", "A category that no agreement speaks of lets nothing go.", A.lacking == ALL, P.needs != NONE)
denied("other-purpose", "Nothing goes for a purpose that the article does not name.", Q.purpose & A.purposes == NONE)
denied(
    "elsewhere",
    "Nothing goes from outside an article's areas, save what can be cut out there.",
    A.anywhere == 0,
    P.inside & A.areas == NONE,
    z3.Or(A.crops == 0, P.touches & A.areas == NONE),
)
denied(
    "place-unknown",
    "A product without a known place does not go where a place is asked.",
    P.placed == 0,
    z3.Or(A.anywhere == 0, A.denied != NONE),
)
denied("denied-area", "Nothing goes that touches an excluded area, even if it lies in a granted one.", _has(P.touches, A.denied))
denied(
    "observed-outside",
    "Nothing goes that was observed, even in part, outside the article's period.",
    z3.Or(P.acquired_from < A.acquired_from, P.acquired_from >= A.acquired_until, P.acquired_until > A.acquired_until),
)
denied(
    "observation-unknown",
    "What was observed nobody knows when does not go where a period or a delay is set.",
    P.acquired_from == ALWAYS,
    P.acquired_until == NEVER,
    z3.Or(A.acquired_from > ALWAYS, A.acquired_until < NEVER, A.delay > 0),
)
denied(
    "made-outside",
    "Nothing goes that was made outside the article's period.",
    z3.Or(P.produced < A.produced_from, P.produced >= A.produced_until),
)
denied(
    "making-unknown",
    "What was made nobody knows when does not go where a period is set.",
    P.produced == NEVER,
    A.produced_until <= NEVER,
)
denied("delay-not-over", "Nothing goes before the article's delay has passed.", A.delay > 0, P.acquired_until + A.delay > Q.at)
denied(
    "too-fine",
    "Nothing goes finer than the article's limit, unless it is made coarser.",
    P.resolution < A.finest,
    A.coarsens == 0,
)
denied(
    "resolution-unknown",
    "A product of unknown resolution does not go where a limit is set, even from a node that can make it coarser.",
    P.resolution == 0,
    A.finest > 0,
)
denied("obligation-inapplicable", "Nothing goes under an obligation that this node cannot apply.", A.blocked == 1)
denied("phase-stays", "Phase does not go where it must be stripped and cannot be.", A.strips == 1, P.phase == 1)


@theorem("forbid-wins", "What a rule about the product forbids goes under no article, however many are added.")
def _(table: Table):
    alone = table.holds(P, NOTHING, Q, about_product=True)
    return sane(P, Q, A, B), z3.Implies(z3.Not(alone), z3.Not(table.released(P, Q, (A, B))))


# What must not let more go.


def never_adds(name: str, sentence: str, side: str, less: Row, *facts: z3.BoolRef) -> None:
    """Theorem: with `less` in the place of a row nothing goes that does not go now."""

    def statement(table: Table) -> tuple[z3.BoolRef, z3.BoolRef]:
        changed = SIDES | {side: less}
        p, a, q = (changed[name] for name in "paq")
        return (
            z3.And(sane(), sane(p, q, a), *facts, table.released(p, q, (a, B))),
            table.released(P, Q, (A, B)),
        )

    THEOREMS.append(Theorem(name, sentence, statement))


n, m = z3.Ints("n m")
x, y = z3.BitVec("x", BITS), z3.BitVec("y", BITS)

never_adds("lower-ceiling", "Lowering a ceiling never adds a release.", "a", A.but(ceiling=n), n <= A.ceiling)
never_adds("more-denied-areas", "Excluding one more area never adds a release.", "a", A.but(denied=x), _lies_in(A.denied, x))
never_adds(
    "fewer-areas",
    "Taking an area away, or setting areas where there were none, never adds a release.",
    "a",
    A.but(areas=x, anywhere=n),
    _lies_in(x, A.areas),
    n <= A.anywhere,
)
never_adds("suspending", "Suspending an agreement never adds a release.", "a", A.but(suspended=n), n >= A.suspended)
never_adds(
    "withdrawing", "Withdrawing from an agreement, or earlier, never adds a release.", "a", A.but(withdrawn=n), n <= A.withdrawn
)
never_adds(
    "shorter-term",
    "A later begin or an earlier end never adds a release.",
    "a",
    A.but(begin=n, end=m),
    n >= A.begin,
    m <= A.end,
)
never_adds("fewer-grants", "Granting fewer categories never adds a release.", "a", A.but(lacking=x), _lies_in(A.lacking, x))
never_adds("fewer-receivers", "Naming fewer receivers never adds a release.", "a", A.but(receivers=x), _lies_in(x, A.receivers))
never_adds(
    "fewer-kinds",
    "Naming fewer kinds or givers never adds a release.",
    "a",
    A.but(kinds=x, givers=y),
    _lies_in(x, A.kinds),
    _lies_in(y, A.givers),
)
never_adds("fewer-purposes", "Allowing fewer purposes never adds a release.", "a", A.but(purposes=x), _lies_in(x, A.purposes))
never_adds("longer-delay", "A longer delay never adds a release.", "a", A.but(delay=n), n >= A.delay)
never_adds("coarser-limit", "A coarser limit of resolution never adds a release.", "a", A.but(finest=n), n >= A.finest)
never_adds(
    "shorter-observation-period",
    "A shorter period of observation never adds a release.",
    "a",
    A.but(acquired_from=n, acquired_until=m),
    n >= A.acquired_from,
    m <= A.acquired_until,
)
never_adds(
    "shorter-production-period",
    "A shorter period of production never adds a release.",
    "a",
    A.but(produced_from=n, produced_until=m),
    n >= A.produced_from,
    m <= A.produced_until,
)
never_adds(
    "one-obligation-more",
    "An obligation more that the node cannot apply never adds a release.",
    "a",
    A.but(blocked=n, strips=m),
    n >= A.blocked,
    m >= A.strips,
)
never_adds(
    "raised-classification",
    "Raising a product's own classification never adds a release (where the higher marking is protected no better).",
    "p",
    P.but(rank=n, marking=x),
    n >= P.rank,
    P.rank >= 0,
    z3.Implies(_has(P.marking, Q.exposed), _has(x, Q.exposed)),
)
never_adds(
    "raised-parents",
    "Raising a parent's classification never adds a release (where the higher marking is protected no better).",
    "p",
    P.but(parents_rank=n, parents_marking=x),
    n >= P.parents_rank,
    P.parents_rank >= 0,
    _lies_in(P.parents_marking, x),
)
never_adds("one-need-more", "A category more on the label never adds a release.", "p", P.but(needs=x), _lies_in(P.needs, x))
never_adds(
    "parents-need-more",
    "A category more on a parent's label never adds a release.",
    "p",
    P.but(parents_needs=x),
    _lies_in(P.parents_needs, x),
)
never_adds(
    "fewer-releasable",
    "Naming fewer parties in Releasable To never adds a release.",
    "p",
    P.but(releasable=x),
    _lies_in(x, P.releasable),
)
never_adds(
    "one-parent-more",
    "Another parent never adds a release.",
    "p",
    P.but(
        parents_made=n, parents_review=m, parents_releasable=x, parents_needs=y, disjoint=z3.Int("k"), parents_consent=z3.Int("l")
    ),
    n >= P.parents_made,
    m <= P.parents_review,
    _lies_in(x, P.parents_releasable),
    _lies_in(P.parents_needs, y),
    z3.Int("k") >= P.disjoint,
    z3.Int("l") <= P.parents_consent,
)
never_adds(
    "less-consent",
    "Taking a consent back never adds a release.",
    "p",
    P.but(consent=n, parents_consent=m),
    n <= P.consent,
    m <= P.parents_consent,
)
never_adds(
    "earlier-review",
    "An earlier review, or a later label, never adds a release.",
    "p",
    P.but(review=n, made=m),
    n <= P.review,
    m >= P.made,
)
never_adds(
    "finer-product", "A finer product never goes where a coarser one does not.", "p", P.but(resolution=n), n <= P.resolution
)
never_adds("phase-added", "Holding phase never adds a release.", "p", P.but(phase=n), n >= P.phase)
never_adds(
    "larger-footprint",
    "A footprint that touches more areas, without lying in more, never adds a release (where nothing is cut out).",
    "p",
    P.but(touches=x),
    _lies_in(P.touches, x),
    A.crops == 0,
    B.crops == 0,
)
never_adds(
    "less-secured",
    "The end of a security agreement never adds a release.",
    "q",
    Q.but(secured=n, exposed=x),
    n <= Q.secured,
    _lies_in(Q.exposed, x),
)
never_adds(
    "stating-a-purpose",
    "Stating a purpose never adds a release.",
    "q",
    Q.but(purpose=x),
    Q.purpose == 1,
    A.purposes & 1 == 1,
    B.purposes & 1 == 1,
)


@theorem("one-article-more", "An article more never takes a release away.")
def _(table: Table):
    return z3.And(sane(P, Q, A, B), table.released(P, Q, [A])), table.released(P, Q, (A, B))


@theorem("articles-do-not-add-up", "Two articles let nothing go that neither lets go alone.")
def _(table: Table):
    return z3.And(sane(P, Q, A, B), table.released(P, Q, (A, B))), z3.Or(table.released(P, Q, [A]), table.released(P, Q, [B]))


@theorem("partners-apart", "What goes to one partner does not hang on what any label or article says of the others.")
def _(table: Table):
    other = P.but(releasable=x, parents_releasable=y)
    elsewhere = A.but(receivers=z3.BitVec("z", BITS))
    alike = [
        P.releasable & Q.partner == x & Q.partner,
        P.parents_releasable & Q.partner == y & Q.partner,
        A.receivers & Q.partner == elsewhere.receivers & Q.partner,
    ]
    return z3.And(sane(), *alike), table.released(P, Q, [A]) == table.released(other, Q, [elsewhere])


@theorem("unclassified-policy", "Of what is unclassified, with unclassified parents, it does not matter under which policy.")
def _(table: Table):
    other = P.but(policy=n, parents_policy=m)
    return z3.And(sane(), P.rank == 0, P.parents_rank == 0), table.released(P, Q, [A]) == table.released(other, Q, [A])


# What is left to a person.


@theorem("permit-or-refer", "Nothing is both permitted and referred.")
def _(table: Table):
    return sane(P, Q, A, B), z3.Not(z3.And(table.released(P, Q, (A, B)), table.referred(P, Q, (A, B))))


@theorem("referred-for-a-doubt", "A person is asked only where each doubt, settled for the partner, would let it go.")
def _(table: Table):
    p = P.but(
        consent=YES,
        parents_consent=YES,
        review=NEVER,
        parents_review=NEVER,
        parents_releasable=z3.If(P.disjoint == 1, ALL, P.parents_releasable),
        disjoint=NO,
    )
    q = Q.but(secured=z3.If(Q.secured == PERHAPS, z3.IntVal(YES), Q.secured), exposed=Q.perhaps_exposed)
    a = A.but(begin=A.may_begin, end=A.may_end, suspended=z3.If(A.suspended == PERHAPS, z3.IntVal(NO), A.suspended))
    return z3.And(sane(), table.referred(P, Q, [A])), table.released(p, q, [a])


def refers(name: str, sentence: str, *facts: z3.BoolRef, about: RuleId) -> None:
    """Theorem: all else being right, these facts are put to a person."""
    THEOREMS.append(
        Theorem(name, sentence, lambda table: (z3.And(sane(), *facts, _besides(table, about)), table.referred(P, Q, [A])))
    )


def _besides(table: Table, *rules: RuleId) -> z3.BoolRef:
    """Whether all rules but these hold."""
    return z3.And(
        table.holds(P, NOTHING, Q, about_product=True, besides=rules), table.holds(P, A, Q, about_product=False, besides=rules)
    )


def _shown(p: Row, q: Row) -> z3.BoolRef:
    """Whether all parents go to the partner, but for consents and reviews."""
    return z3.And(p.parents_rank >= 0, p.parents_made <= q.at, _has(p.parents_releasable, q.partner))


refers(
    "review-is-asked", "A label due for review is put to a person.", P.made <= Q.at, Q.at >= P.review, about=RuleId.LABEL_CURRENT
)
refers(
    "consent-is-asked",
    "A consent that may be in force is put to a person.",
    P.consent == PERHAPS,
    about=RuleId.ORIGINATOR_CONSENT,
)
refers(
    "parents-are-asked",
    "Of parents a consent that may be in force, or a review that is due, is put to a person.",
    _shown(P, Q),
    P.parents_consent >= PERHAPS,
    z3.Or(P.parents_consent == PERHAPS, Q.at >= P.parents_review),
    about=RuleId.LINEAGE,
)
THEOREMS.append(
    Theorem(
        "disjoint-parents-are-asked",
        "Parents that leave nobody in common are put to a person, even if none of them names the partner.",
        lambda table: (
            z3.And(
                sane(),
                P.disjoint == 1,
                P.parents_rank >= 0,
                P.parents_made <= Q.at,
                P.parents_consent >= PERHAPS,
                _besides(table, RuleId.LINEAGE, RuleId.DOMINANT),
            ),
            table.referred(P, Q, [A]),
        ),
    )
)
refers("disjoint-is-asked", "Labels that leave nobody in common are put to a person.", P.disjoint == 1, about=RuleId.DOMINANT)
refers(
    "security-is-asked",
    "A security agreement that may be in force is put to a person.",
    z3.Or(P.rank > 0, P.parents_rank > 0),
    Q.secured == PERHAPS,
    about=RuleId.INFORMATION_SECURITY,
)
refers(
    "protection-is-asked",
    "A marking that an agreement may protect is put to a person.",
    _has(P.marking | P.parents_marking, Q.exposed),
    (P.marking | P.parents_marking) & Q.perhaps_exposed == NONE,
    about=RuleId.EQUIVALENCE,
)
refers(
    "force-is-asked",
    "An agreement that may be in force is put to a person.",
    A.may_begin <= Q.at,
    Q.at < A.may_end,
    z3.Or(Q.at < A.begin, Q.at >= A.end),
    about=RuleId.IN_FORCE,
)
refers(
    "suspension-is-asked",
    "An agreement that may be suspended is put to a person.",
    A.suspended == PERHAPS,
    about=RuleId.NOT_SUSPENDED,
)


# What is enough.


def enough(rule: RuleId, sentence: str, *facts: z3.BoolRef) -> None:
    """Theorem: all other rules holding, these facts let it go."""
    THEOREMS.append(
        Theorem(
            f"enough-{rule.value}",
            sentence,
            lambda table: (z3.And(sane(), *facts, _besides(table, rule)), table.released(P, Q, [A])),
        )
    )


enough(RuleId.PARTNER_KNOWN, "A partner need only be of a known nation.", Q.known == 1)
enough(RuleId.LABEL_KNOWN, "A label need only be known, be it unclassified.", P.rank >= 0)
enough(RuleId.LABEL_CURRENT, "A label holds from the instant of its making until its review.", P.made <= Q.at, Q.at < P.review)
enough(RuleId.RELEASABLE_TO, "It is enough that Releasable To names the partner.", _has(Q.partner, P.releasable))
enough(RuleId.ORIGINATOR_CONSENT, "An originator's consent in force is enough.", P.consent == YES)
enough(
    RuleId.LINEAGE,
    "Parents that are known, current, releasable and consented to are enough.",
    _shown(P, Q),
    Q.at < P.parents_review,
    P.parents_consent == YES,
)
enough(RuleId.DOMINANT, "It is enough that the labels leave somebody in common.", P.disjoint == 0)
enough(
    RuleId.INFORMATION_SECURITY,
    "A security agreement is enough, and for the unclassified none is needed.",
    z3.Or(Q.secured == YES, z3.And(P.rank == 0, P.parents_rank == 0)),
)
enough(RuleId.EQUIVALENCE, "It is enough that all markings are protected.", (P.marking | P.parents_marking) & Q.exposed == NONE)
enough(
    RuleId.COVERED,
    "An article need only name kind, giver and receiver.",
    _has(P.kind, A.kinds),
    _has(Q.giver, A.givers),
    _has(Q.partner, A.receivers),
)
enough(
    RuleId.IN_FORCE,
    "An agreement is in force from its first instant on, and until just before its end.",
    A.begin <= Q.at,
    Q.at < A.end,
)
enough(RuleId.NOT_WITHDRAWN, "A withdrawal stops nothing before it takes effect.", Q.at < A.withdrawn)
enough(RuleId.NOT_SUSPENDED, "An agreement that is not suspended lets go.", A.suspended == NO)
enough(
    RuleId.CEILING,
    "What is not above a known ceiling goes; what is unclassified, under any policy.",
    A.ceiling >= 0,
    z3.Or(P.rank == 0, z3.And(P.policy == A.policy, P.rank <= A.ceiling)),
)
enough(
    RuleId.LINEAGE_CEILING,
    "Parents not above the ceiling, their categories granted, are enough.",
    P.parents_needs & A.lacking == NONE,
    z3.Or(P.parents_rank == 0, z3.And(P.parents_policy == A.policy, P.parents_rank <= A.ceiling)),
)
enough(RuleId.CATEGORIES, "It is enough that each category is granted.", P.needs & A.lacking == NONE)
enough(RuleId.PURPOSE, "It is enough that the article names the purpose.", _has(Q.purpose, A.purposes))
enough(
    RuleId.AREA,
    "It is enough to lie in one of the areas, or to touch one where it can be cut out, or that there are none.",
    z3.Or(A.anywhere == 1, _has(P.inside, A.areas), z3.And(A.crops == 1, P.placed == 1, _has(P.touches, A.areas))),
)
enough(RuleId.DENIED_AREA, "It is enough to touch no excluded area.", P.touches & A.denied == NONE)
enough(
    RuleId.ACQUIRED,
    "The period of observation holds from its first instant to its last.",
    A.acquired_from <= P.acquired_from,
    P.acquired_from < A.acquired_until,
    P.acquired_until <= A.acquired_until,
)
enough(
    RuleId.PRODUCED,
    "The period of production holds from its first instant to its last.",
    A.produced_from <= P.produced,
    P.produced < A.produced_until,
)
enough(
    RuleId.DELAY,
    "A product goes at the very end of the delay; without a delay at once, whenever it was observed.",
    z3.Or(A.delay == 0, P.acquired_until + A.delay <= Q.at),
)
enough(
    RuleId.RESOLUTION,
    "A product goes at the very limit; without a limit of any resolution; and if it is known and can be made coarser.",
    z3.Or(A.finest == 0, z3.And(A.coarsens == 1, P.resolution > 0), P.resolution >= A.finest),
)
enough(
    RuleId.OBLIGATIONS,
    "Obligations that can be applied stop nothing, nor does stripping where nothing is to strip.",
    A.blocked == 0,
    z3.Or(P.phase == 0, A.strips == 0),
)


class Proof:
    """A theorem before z3: its premise, and the contrary of its conclusion, over a table whose rules can be taken out."""

    def __init__(self, theorem: Theorem, table: Table) -> None:
        premise, conclusion = theorem.statement(table)
        self._kept = {line.id: z3.Bool(line.kept) for line in table.lines}
        self._solver = z3.Solver()
        self._solver.add(premise)
        self._solver.push()
        self._solver.add(z3.Not(conclusion))

    def counterexample(self, without: RuleId | None = None) -> z3.ModelRef | None:
        """Rows for which the premise holds and the conclusion does not, with one rule taken out of the table."""
        kept = [z3.Not(symbol) if rule is without else symbol for rule, symbol in self._kept.items()]
        answer = self._solver.check(*kept)
        if answer == z3.unknown:
            raise AssertionError(self._solver.reason_unknown())
        return self._solver.model() if answer == z3.sat else None

    def leans_on(self) -> set[RuleId]:
        """Rules that the last proof made use of. It stands without the others."""
        core = {str(symbol) for symbol in self._solver.unsat_core()}
        return {rule for rule, symbol in self._kept.items() if str(symbol) in core}

    def holds_of_something(self) -> bool:
        """Whether there are rows for which the premise holds."""
        self._solver.pop()
        answer = self._solver.check(*self._kept.values())
        self._solver.push()
        return answer == z3.sat


def holds(theorem: Theorem, table: Table) -> bool:
    """Whether a theorem holds of a table."""
    return Proof(theorem, table).counterexample() is None


def prove_all() -> dict[str, float]:
    """Prove all theorems of the rule table: seconds by name.

    Raises
    ------
    AssertionError
        If one has a counterexample, or holds of nothing.
    """
    table, took = table_of(), {}
    for one in THEOREMS:
        begin = time.perf_counter()
        proof = Proof(one, table)
        found = proof.counterexample()
        if found is not None:
            raise AssertionError(f"{one.name}: {one.sentence} Not so: {found}")
        if not proof.holds_of_something():
            raise AssertionError(f"{one.name}: its premise holds of nothing")
        took[one.name] = time.perf_counter() - begin
    return took


def mutations() -> dict[str, tuple[str, ...]]:
    """By rule: the theorems that have a counterexample once the rule is taken out of the table."""
    table = table_of()
    failing: dict[RuleId, list[str]] = {line.id: [] for line in table.lines}
    for one in THEOREMS:
        proof = Proof(one, table)
        if proof.counterexample() is not None:
            raise AssertionError(f"{one.name} does not hold of the whole table")
        for rule in proof.leans_on():
            if proof.counterexample(without=rule) is not None:
                failing[rule].append(one.name)
    return {rule.value: tuple(names) for rule, names in failing.items()}
