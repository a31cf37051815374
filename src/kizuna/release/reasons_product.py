"""Why a rule about the product does not hold: its labels, its originators, what it is derived from, how it would be protected."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.instants import format_instant
from kizuna.model.parties import nation_of
from kizuna.release.case import (
    Case,
    Explanation,
    Failure,
    Values,
    always,
    by_marking,
    cite,
    marking_of,
    never,
    parents,
    unplaced_parents,
)
from kizuna.release.case import label_known as marking_known
from kizuna.release.columns import NO, YES
from kizuna.release.decision import Reason
from kizuna.release.markings import UNCLASSIFIED
from kizuna.release.remedies import EVERYTHING, linked
from kizuna.release.rules import RuleId
from kizuna.release.standing import not_standing
from kizuna.release.view import EquivalenceFault, find_equivalence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.model.label import Label
    from kizuna.release.agreements import Agreement, Equivalence
    from kizuna.release.subject import Ancestor, Subject
    from kizuna.release.view import View

__all__ = ["PRODUCT_EXPLANATIONS", "Protection", "protection"]


def _partner_known(case: Case) -> Iterator[Failure]:
    message = Message("The nation of {partner} is unknown.", {"partner": case.partner})
    # Whatever else would be needed for this partner, it is no party that anything can go to.
    change = Message("another partner, a known nation or an organisation of one; then ask again")
    yield Failure(Reason(RuleId.PARTNER_KNOWN, message), linked(change, settles=[EVERYTHING]), unknown=True)


def label_known(case: Case) -> Iterator[Failure]:
    """Say that the label's marking is unknown, and what its protection would lack: once known, it is classified."""
    yield from marking_known(case)
    if case.label.classification != UNCLASSIFIED:
        yield from protection(case, case.label).failures


def _label_current(case: Case) -> Iterator[Failure]:
    if case.label.created > case.at:
        values: Values = {"created": format_instant(case.label.created)}
        message = (
            Message("Its label was made only on {created}: before that it has none.", values)
            if case.subject.label.created > case.at
            else Message(
                "Its label was corrected, and the label known now was made only on {created}: what it may do before that is "
                "answered as known then.",
                values,
            )
        )
        yield Failure(Reason(RuleId.LABEL_CURRENT, message), Message("a label that holds then", values))
    elif case.label.review is not None:
        values = {"review": format_instant(case.label.review)}
        message = Message("Its label was to be reviewed by {review}: a person must decide.", values)
        yield Failure(Reason(RuleId.LABEL_CURRENT, message), Message("a review of the label", values))


def _releasable_to(case: Case) -> Iterator[Failure]:
    named = case.label.releasable_to or ()
    values: Values = {"originator": case.subject.originator, "partner": case.partner, "named": ", ".join(named)}
    message = (
        Message("Its originator {originator} releases it to {named} only.", values)
        if named
        else Message("Its originator {originator} releases it to nobody.", values)
    )
    change = Message("{partner} named in Releasable To by {originator}", values)
    yield Failure(Reason(RuleId.RELEASABLE_TO, message), linked(change, needed_for=["releasable"]))


def _originator_consent(case: Case) -> Iterator[Failure]:
    for originator in dict.fromkeys((case.subject.originator, case.label.originator)):
        if originator == case.subject.holder:
            continue
        values: Values = {"originator": originator, "partner": case.partner}
        # Who lets this product go on need not be asked about what it was made from.
        change = linked(Message("consent of {originator} as originator", values), settles=[f"consent {originator}"])
        match case.view.consented([originator], [case.subject.product], case.partner, case.at):
            case 0:
                message = Message("{originator} has not agreed that it goes on to {partner}.", values)
                yield Failure(Reason(RuleId.ORIGINATOR_CONSENT, message), change)
            case 1:
                message = Message(
                    "Whether {originator} agrees about then that it goes on to {partner}, a person must decide.", values
                )
                yield Failure(Reason(RuleId.ORIGINATOR_CONSENT, message), change)
            case _:
                continue


def _lineage(case: Case) -> Iterator[Failure]:
    yield from unplaced_parents(case)
    for ancestor, label in parents(case):
        yield from _parent_releasable(case, ancestor, label)
        yield from _parent_consent(case, ancestor, label)
        values: Values = {"product": ancestor.product}
        if label.created > case.at:
            values |= {"created": format_instant(label.created)}
            first = ancestor.label
            message = (
                Message("It is derived from {product}, whose label was made only on {created}.", values)
                if first is None or first.created > case.at
                else Message(
                    "It is derived from {product}, whose label was corrected: the one known now was made only on {created}.",
                    values,
                )
            )
            yield Failure(Reason(RuleId.LINEAGE, message), Message("a label of {product} that holds then", values))
        elif label.review is not None and label.review <= case.at:
            values |= {"review": format_instant(label.review)}
            message = Message(
                "It is derived from {product}, whose label was to be reviewed by {review}: a person must decide.", values
            )
            yield Failure(Reason(RuleId.LINEAGE, message), Message("a label of {product} that holds then", values))


def _parent_releasable(case: Case, ancestor: Ancestor, label: Label) -> Iterator[Failure]:
    # Where the labels have nobody in common at all, the rule on dominant labels says so.
    if label.releasable_to is None or case.partner in label.releasable_to or case.product.disjoint == 1:
        return
    values: Values = {
        "product": ancestor.product,
        "originator": label.originator,
        "partner": case.partner,
        "named": ", ".join(label.releasable_to),
    }
    message = (
        Message("It is derived from {product}, which its originator {originator} releases to {named} only.", values)
        if label.releasable_to
        else Message("It is derived from {product}, which its originator {originator} releases to nobody.", values)
    )
    change = Message("{partner} named in Releasable To of {product} by {originator}", values)
    yield Failure(Reason(RuleId.LINEAGE, message), linked(change, needed_for=["releasable"]))


def _parent_consent(case: Case, ancestor: Ancestor, label: Label) -> Iterator[Failure]:
    products = (case.subject.product, ancestor.product)
    for originator in dict.fromkeys((ancestor.originator, label.originator)):
        if originator is None or originator == case.subject.holder:
            continue
        answer = case.view.consented([originator], products, case.partner, case.at)
        if answer == YES:
            continue
        values: Values = {"product": ancestor.product, "originator": originator, "partner": case.partner}
        message = (
            Message("It is derived from {product}, and {originator} has not agreed that this goes on to {partner}.", values)
            if answer == NO
            else Message(
                "It is derived from {product}: whether {originator} agrees about then that this goes on to {partner}, "
                "a person must decide.",
                values,
            )
        )
        change = Message("consent of {originator} as originator of {product}", values)
        yield Failure(Reason(RuleId.LINEAGE, message), linked(change, needed_for=[f"consent {originator}"]))


def _dominant(case: Case) -> Iterator[Failure]:
    values: Values = {
        "products": ", ".join(ancestor.product for ancestor in case.subject.ancestors) or case.subject.product,
        "partner": case.partner,
    }
    message = Message(
        "Its label and those of what it is derived from ({products}) leave nobody to whom all agree: a person must decide.",
        values,
    )
    change = Message("a label that the originators of {products} agree on, for {partner} too; then ask again", values)
    yield Failure(Reason(RuleId.DOMINANT, message), linked(change, settles=["releasable"]))


@dataclass(frozen=True, slots=True)
class Protection:
    """How a security agreement protects a marking: what is wrong, or the agreement and its pair."""

    failures: tuple[Failure, ...]
    agreement: Agreement | None = None
    pair: Equivalence | None = None


def protection(case: Case, label: Label) -> Protection:
    """Protection of what carries a label, kept for all that carry the same marking."""
    key = (Protection, case.subject.holder, label.policy, label.classification)
    kept = case.question.compiled.get(key)
    if not isinstance(kept, Protection):
        found = _find_protection(case, label)
        # Of no use where the label changes to another marking.
        failures = tuple(replace(f, change=f.change and linked(f.change, needed_for=[marking_of(label)])) for f in found.failures)
        kept = case.question.compiled[key] = replace(found, failures=failures)
    return kept


def _find_protection(case: Case, label: Label) -> Protection:
    view, at, to_policy = case.view, case.at, nation_of(case.partner)
    values: Values = {
        "holder": nation_of(case.subject.holder),
        "partner": to_policy,
        "marking": f"{label.policy} {label.classification}",
    }
    tried: list[tuple[tuple[int, int], tuple[Failure, ...]]] = []
    for agreement in view.security_agreements(case.subject.holder, case.partner):
        equal = find_equivalence(view.register, agreement, label.policy, label.classification, to_policy, at)
        standing = view.standing(agreement, at)
        found = tuple(not_standing(view, agreement, at))
        if isinstance(equal, EquivalenceFault):
            found = (*found, _no_equivalence(agreement, equal, to_policy, values))
        elif standing == YES:
            return Protection((), agreement, equal)
        tried.append(((int(isinstance(equal, EquivalenceFault)) + (standing == NO), len(found)), found))
    if tried:
        # Of several agreements the one that is nearest to protecting it is spoken of.
        return Protection(min(tried, key=lambda pair: pair[0])[1])
    message = Message(
        "No information-security agreement between {holder} and {partner} is on file, and {marking} is classified.", values
    )
    change = Message("an information-security agreement between {holder} and {partner} with an equivalent of {marking}", values)
    return Protection((Failure(Reason(RuleId.INFORMATION_SECURITY, message), change),))


def _no_equivalence(agreement: Agreement, fault: EquivalenceFault, to_policy: str, values: Values) -> Failure:
    values = values | {"agreement": agreement.id}
    change = Message("the equivalent of {marking} in {agreement}", values)
    article = None if fault.pair is None else fault.pair.article
    match fault.why:
        case "several":
            message = Message("{agreement} names several equivalents of {marking} for {partner}.", values)
        case "unplaced":
            placed = values | {
                "article": article or "",
                "policy": to_policy,
                "classification": fault.pair.to_marking if fault.pair else "",
            }
            message = Message(
                "{agreement} article {article} names the marking {classification} of {policy}, unknown here.", placed
            )
            change = Message("a verified ladder of the policy {policy} that holds {classification}; then ask again", placed)
        case "disordered":
            message = Message("The equivalences of {agreement} for {partner} place a higher marking below a lower one.", values)
            change = Message("equivalences in {agreement} that keep the order of the markings", values)
        case _:
            message = Message("It is not known how {partner} protects {marking} under {agreement}.", values)
    return Failure(cite(RuleId.EQUIVALENCE, message, agreement, article), change, unknown=True)


def _secured(case: Case) -> Iterator[Failure]:
    if case.product.rank < 0:
        # What is unknown may be classified.
        yield from label_known(case)
    yield from unplaced_parents(case)
    yield from _equivalence(case)


def _equivalence(case: Case) -> Iterator[Failure]:
    if case.product.rank > 0:
        yield from protection(case, case.label).failures
    for ancestor, label in parents(case):
        if case.view.register.ladder_rank(label.policy, label.classification):
            failures = protection(case, label).failures
            if failures:
                values: Values = {"product": ancestor.product, "marking": f"{label.policy} {label.classification}"}
                message = Message("It is derived from {product}, marked {marking}.", values)
                yield Failure(Reason(RuleId.EQUIVALENCE, message))
            yield from failures


def _by_releasable(_view: View, subject: Subject, label: Label) -> object:
    return subject.originator, label.releasable_to


def _by_originators(view: View, subject: Subject, label: Label) -> object:
    return None if view.has_consents(subject.product) else (subject.originator, label.originator)


PRODUCT_EXPLANATIONS: dict[RuleId, Explanation] = {
    RuleId.PARTNER_KNOWN: Explanation(_partner_known, always, timeless=True),
    RuleId.LABEL_KNOWN: Explanation(label_known, by_marking),
    RuleId.LABEL_CURRENT: Explanation(_label_current, never),
    RuleId.RELEASABLE_TO: Explanation(_releasable_to, _by_releasable, timeless=True),
    RuleId.ORIGINATOR_CONSENT: Explanation(_originator_consent, _by_originators),
    RuleId.LINEAGE: Explanation(_lineage, never, parents=True, timeless=True),
    RuleId.DOMINANT: Explanation(_dominant, never, parents=True, timeless=True),
    RuleId.INFORMATION_SECURITY: Explanation(_secured, by_marking, parents=True),
    RuleId.EQUIVALENCE: Explanation(_equivalence, by_marking, parents=True),
}
