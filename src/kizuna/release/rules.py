"""The rule table: what must hold for a product to go to a partner. Data; `decide` evaluates it.

Deny by default. Rules about the product (the first seven) hold whatever agreement is looked at, so each of them forbids; the
others ask one article of one agreement. A rule that cannot be evaluated, because something is unknown, denies.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["RULES", "Rule", "RuleId"]


class RuleId(StrEnum):
    """Ids of the rules; they stand in logs, so they are never given a new meaning."""

    GRANT = "grant"
    PARTNER_KNOWN = "partner-known"
    LABEL_KNOWN = "label-known"
    LABEL_CURRENT = "label-current"
    RELEASABLE_TO = "releasable-to"
    CATEGORIES = "categories"
    ORIGINATOR_CONSENT = "originator-consent"
    LINEAGE = "lineage"
    COVERED = "covered"
    IN_FORCE = "in-force"
    NOT_SUSPENDED = "not-suspended"
    CEILING = "ceiling"
    INFORMATION_SECURITY = "information-security"
    EQUIVALENCE = "equivalence"
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
        What in an agreement or label it hangs on.
    """

    id: RuleId
    sentence: str
    hook: str


RULES: tuple[Rule, ...] = (
    Rule(RuleId.PARTNER_KNOWN, "The partner is a known nation, or an organisation of one.", "ISO 3166-1"),
    Rule(RuleId.LABEL_KNOWN, "The label's policy and classification are known here.", "marking ladder"),
    Rule(RuleId.LABEL_CURRENT, "The label was made before, and is not due for review.", "label"),
    Rule(RuleId.RELEASABLE_TO, "The originator's Releasable To, where given, names the partner.", "label"),
    Rule(RuleId.CATEGORIES, "No restrictive or further permissive category stands in the way.", "label"),
    Rule(RuleId.ORIGINATOR_CONSENT, "Another's product goes on only with its originator's consent.", "third-party rule"),
    Rule(RuleId.LINEAGE, "What a product is derived from may go as well.", "labels and originators of all parents"),
    Rule(RuleId.COVERED, "An article lets this giver give this kind to this partner.", "givers, receivers, kinds"),
    Rule(RuleId.IN_FORCE, "The agreement is in force.", "term"),
    Rule(RuleId.NOT_SUSPENDED, "The agreement is not suspended.", "suspensions"),
    Rule(RuleId.CEILING, "The classification is not above the article's ceiling.", "ceiling"),
    Rule(RuleId.INFORMATION_SECURITY, "Classified products need an information-security agreement in force.", "term"),
    Rule(RuleId.EQUIVALENCE, "That agreement says how the receiver marks it.", "equivalences"),
    Rule(RuleId.OBLIGATIONS, "This node can apply each obligation.", "obligations"),
)
