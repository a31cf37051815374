"""Why a decision is what it is: the reason of a permit, and what each rule says when it does not hold.

The rules decide on rows of numbers; here the same facts are looked up once more in words. A rule has one function; what it
says may be kept for all products with the same label, or for all products, where nothing else enters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.parties import nation_of
from kizuna.release.case import cite, parents
from kizuna.release.decision import Obligation, ObligationKind
from kizuna.release.reasons_article import ARTICLE_EXPLANATIONS
from kizuna.release.reasons_product import PRODUCT_EXPLANATIONS, protection
from kizuna.release.rules import RuleId

if TYPE_CHECKING:
    from kizuna.model.label import Label
    from kizuna.release.case import Case, Values
    from kizuna.release.decision import Reason

__all__ = ["EXPLANATIONS", "grant", "protected_label", "protected_reason"]

EXPLANATIONS = PRODUCT_EXPLANATIONS | ARTICLE_EXPLANATIONS
"""By rule. INVARIANT: a rule that fails says something, else a refusal had no reason (`kizuna.release.decide` makes sure)."""


def grant(case: Case) -> Reason:
    """Reason for a permit: the article that lets it go."""
    agreement, article = case.article.agreement, case.article.article
    values: Values = {
        "agreement": agreement.id,
        "article": article.number,
        "giver": case.subject.holder,
        "partner": case.partner,
        "kind": case.subject.kind,
    }
    message = Message("{agreement} article {article} lets {giver} give {kind} to {partner}.", values)
    return cite(RuleId.GRANT, message, agreement, article.number)


def protected_label(case: Case) -> Label | None:
    """The label that the receiver must protect it by; None where it is not classified.

    A product carries at least the dominant label of all that it is derived from: of its own label and those of its parents it is
    the highest.
    """
    rank, label = case.product.rank, case.label
    for _, parent in parents(case):
        above = case.view.register.ladder_rank(parent.policy, parent.classification) or 0
        if above > rank:
            rank, label = above, parent
    return label if rank > 0 else None


def protected_reason(case: Case, label: Label) -> tuple[tuple[Obligation, ...], tuple[Reason, ...]]:
    """The receiver's marking of what carries a label and may go, and which article asks for it."""
    protected = protection(case, label)
    agreement, equal = protected.agreement, protected.pair
    assert agreement is not None  # noqa: S101 - INVARIANT: the rule on equivalence held
    assert equal is not None  # noqa: S101 - the same
    values: Values = {
        "holder": nation_of(case.subject.holder),
        "partner": nation_of(case.partner),
        "marking": f"{label.policy} {label.classification}",
        "agreement": agreement.id,
        "article": equal.article,
        "equal": f"{equal.to_policy} {equal.to_marking}",
    }
    message = Message("{agreement} article {article} obliges {partner} to protect it as {equal}.", values)
    mark = Obligation(ObligationKind.REMARK, f"{equal.to_policy} {equal.to_marking}", agreement.id, equal.article)
    return (mark,), (cite(RuleId.EQUIVALENCE, message, agreement, equal.article),)
