"""The rule table: what must hold for a product to go to a partner.

A product goes if all rules about the product hold, and all rules about an article hold for one and the same article. Whatever is
unknown was written into the rows (`kizuna.release.columns`) such that no rule holds on it: deny by default.

Each rule is one line over those rows. `p` is the product, `a` the article, `q` the question. `kizuna.release.decide` runs
these lines and gives the reasons; `kizuna.release.expressions.trace` writes them down for SQL, for NumPy columns and for
proofs. So a condition joins its parts with ``&`` and ``|`` and never branches.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.release.columns import NO, PERHAPS, YES

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.release.columns import ArticleRow, ProductRow, QuestionRow

    Condition = Callable[[ProductRow, ArticleRow, QuestionRow], bool]

__all__ = ["RULES", "Rule", "RuleId"]


class RuleId(StrEnum):
    """Ids of the rules; they stand in logs, so they are never given a new meaning."""

    GRANT = "grant"
    """No rule: names the article that lets a product go."""
    PARTNER_KNOWN = "partner-known"
    LABEL_KNOWN = "label-known"
    LABEL_CURRENT = "label-current"
    RELEASABLE_TO = "releasable-to"
    ORIGINATOR_CONSENT = "originator-consent"
    LINEAGE = "lineage"
    DOMINANT = "dominant"
    INFORMATION_SECURITY = "information-security"
    EQUIVALENCE = "equivalence"
    COVERED = "covered"
    IN_FORCE = "in-force"
    NOT_WITHDRAWN = "not-withdrawn"
    NOT_SUSPENDED = "not-suspended"
    CEILING = "ceiling"
    LINEAGE_CEILING = "lineage-ceiling"
    CATEGORIES = "categories"
    PURPOSE = "purpose"
    AREA = "area"
    DENIED_AREA = "denied-area"
    ACQUIRED = "acquired"
    PRODUCED = "produced"
    DELAY = "delay"
    RESOLUTION = "resolution"
    OBLIGATIONS = "obligations"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Parameters
    ----------
    id
        Its id.
    sentence
        What must hold, in English.
    hook
        What in an agreement, a label or the register it hangs on: where a lawyer looks.
    holds
        When it holds.
    refers
        When, if it does not hold, a person may decide; None: never.
    about_product
        Whether it asks nothing of an article. Such a rule forbids, whatever article is looked at.
    """

    id: RuleId
    sentence: str
    hook: str
    holds: Condition
    refers: Condition | None = None
    about_product: bool = False


RULES: tuple[Rule, ...] = (
    Rule(
        RuleId.PARTNER_KNOWN,
        "The partner is a known nation, or an organisation of one.",
        "ISO 3166-1",
        lambda _p, _a, q: q.known == 1,
        about_product=True,
    ),
    Rule(
        RuleId.LABEL_KNOWN,
        "The label's policy and classification are known here.",
        "marking ladder",
        lambda p, _a, _q: p.rank >= 0,
        about_product=True,
    ),
    Rule(
        RuleId.LABEL_CURRENT,
        "The label was made before, and is not due for review.",
        "label: created, review",
        lambda p, _a, q: (p.made <= q.at) & (q.at < p.review),
        refers=lambda p, _a, q: p.made <= q.at,
        about_product=True,
    ),
    Rule(
        RuleId.RELEASABLE_TO,
        "The originator's Releasable To, where given, names the partner.",
        "label: releasable_to",
        lambda p, _a, q: (p.releasable & q.partner) != 0,
        about_product=True,
    ),
    Rule(
        RuleId.ORIGINATOR_CONSENT,
        "Another's product goes on only with its originator's consent.",
        "third-party rule; consents",
        lambda p, _a, _q: p.consent == YES,
        refers=lambda p, _a, _q: p.consent == PERHAPS,
        about_product=True,
    ),
    Rule(
        RuleId.LINEAGE,
        "What a product is derived from may go as well: known, current, releasable, consented to.",
        "labels and originators of all parents",
        lambda p, _a, q: (
            (p.parents_rank >= 0)
            & (p.parents_made <= q.at)
            & (q.at < p.parents_review)
            & (((p.parents_releasable & q.partner) != 0) | (p.disjoint == 1))
            & (p.parents_consent == YES)
        ),
        refers=lambda p, _a, q: (
            (p.parents_rank >= 0)
            & (p.parents_made <= q.at)
            & (((p.parents_releasable & q.partner) != 0) | (p.disjoint == 1))
            & (p.parents_consent >= PERHAPS)
        ),
        about_product=True,
    ),
    Rule(
        RuleId.DOMINANT,
        "The labels of a product and of its parents leave somebody to whom all agree.",
        "ADatP-4774.1: dominant label",
        lambda p, _a, _q: p.disjoint == 0,
        refers=lambda p, _a, _q: p.disjoint == 1,
        about_product=True,
    ),
    Rule(
        RuleId.INFORMATION_SECURITY,
        "Classified products need an information-security agreement of the two nations in force.",
        "information-security agreement: in_force",
        lambda p, _a, q: ((p.rank == 0) & (p.parents_rank == 0)) | (q.secured == YES),
        refers=lambda _p, _a, q: q.secured == PERHAPS,
        about_product=True,
    ),
    Rule(
        RuleId.EQUIVALENCE,
        "That agreement says how the receiver marks what is classified.",
        "information-security agreement: equivalences",
        lambda p, _a, q: ((p.marking & q.exposed) == 0) & ((p.parents_marking & q.exposed) == 0),
        refers=lambda p, _a, q: ((p.marking & q.perhaps_exposed) == 0) & ((p.parents_marking & q.perhaps_exposed) == 0),
        about_product=True,
    ),
    Rule(
        RuleId.COVERED,
        "An article lets this giver give this kind to this partner.",
        "article: givers, receivers, kinds",
        lambda p, a, q: ((p.kind & a.kinds) != 0) & ((q.giver & a.givers) != 0) & ((q.partner & a.receivers) != 0),
    ),
    Rule(
        RuleId.IN_FORCE,
        "The agreement is in force.",
        "in_force",
        lambda _p, a, q: (a.begin <= q.at) & (q.at < a.end),
        refers=lambda _p, a, q: (a.may_begin <= q.at) & (q.at < a.may_end),
    ),
    Rule(
        RuleId.NOT_WITHDRAWN,
        "No party has withdrawn from the agreement.",
        "withdrawals",
        lambda _p, a, q: q.at < a.withdrawn,
    ),
    Rule(
        RuleId.NOT_SUSPENDED,
        "The agreement is not suspended.",
        "suspensions, resumptions",
        lambda _p, a, _q: a.suspended == NO,
        refers=lambda _p, a, _q: a.suspended == PERHAPS,
    ),
    Rule(
        RuleId.CEILING,
        "The classification is not above the article's ceiling.",
        "article: policy, ceiling",
        lambda p, a, _q: (a.ceiling >= 0) & ((p.rank == 0) | ((p.policy == a.policy) & (p.rank <= a.ceiling))),
    ),
    Rule(
        RuleId.LINEAGE_CEILING,
        "What a product is derived from is not above the article's ceiling, nor in a category that it does not grant.",
        "article: policy, ceiling, categories",
        lambda p, a, _q: (
            ((p.parents_rank == 0) | ((p.parents_policy == a.policy) & (p.parents_rank <= a.ceiling)))
            & ((p.parents_needs & a.lacking) == 0)
        ),
    ),
    Rule(
        RuleId.CATEGORIES,
        "The article grants each restrictive value, and one value of each permissive category.",
        "article: categories",
        lambda p, a, _q: (p.needs & a.lacking) == 0,
    ),
    Rule(
        RuleId.PURPOSE,
        "The stated purpose, where one is stated, is one of the article's.",
        "article: purposes",
        lambda _p, a, q: (q.purpose & a.purposes) != 0,
    ),
    Rule(
        RuleId.AREA,
        "The footprint lies in an area of the article, or what lies there can be cut out.",
        "article: areas",
        lambda p, a, _q: (
            (a.anywhere == 1) | ((p.inside & a.areas) != 0) | ((a.crops == 1) & (p.placed == 1) & ((p.touches & a.areas) != 0))
        ),
    ),
    Rule(
        RuleId.DENIED_AREA,
        "The footprint touches no area that the article excludes.",
        "article: denied_areas",
        lambda p, a, _q: (p.touches & a.denied) == 0,
    ),
    Rule(
        RuleId.ACQUIRED,
        "It was observed in the article's period.",
        "article: acquired",
        lambda p, a, _q: (
            (a.acquired_from <= p.acquired_from) & (p.acquired_from < a.acquired_until) & (p.acquired_until <= a.acquired_until)
        ),
    ),
    Rule(
        RuleId.PRODUCED,
        "It was made in the article's period.",
        "article: produced",
        lambda p, a, _q: (a.produced_from <= p.produced) & (p.produced < a.produced_until),
    ),
    Rule(
        RuleId.DELAY,
        "The article's delay since the observation has passed.",
        "obligation: delay",
        lambda p, a, q: (a.delay == 0) | (p.acquired_until + a.delay <= q.at),
    ),
    Rule(
        RuleId.RESOLUTION,
        "It is no finer than the article allows, or can be made coarser.",
        "obligation: resolution",
        lambda p, a, _q: (a.finest == 0) | (a.finest <= p.resolution) | ((a.coarsens == 1) & (p.resolution > 0)),
    ),
    Rule(
        RuleId.OBLIGATIONS,
        "This node can apply each obligation.",
        "obligations",
        lambda p, a, _q: (a.blocked == 0) & ((p.phase == 0) | (a.strips == 0)),
    ),
)
