"""Why a rule does not hold: one sentence for people, what was unknown, and what would change it.

The rules decide on rows of numbers; here the same facts are looked up once more in words. A rule has one function; what it
says may be kept for all products with the same label, or for all products, where nothing else enters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.instants import Instant, format_instant
from kizuna.model.label import CategoryType
from kizuna.model.parties import nation_of
from kizuna.model.reading import one_line
from kizuna.release.agreements import State
from kizuna.release.columns import NO, YES
from kizuna.release.decision import Obligation, ObligationKind, Reason
from kizuna.release.rules import RuleId
from kizuna.release.view import EquivalenceFault, amount, find_equivalence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.release.agreements import Agreement, Equivalence, Term
    from kizuna.release.columns import ProductRow
    from kizuna.release.register import Register
    from kizuna.release.subject import Ancestor, Subject
    from kizuna.release.view import Entry, Question, View

__all__ = [
    "EXPLANATIONS",
    "Case",
    "Explanation",
    "Failure",
    "Kept",
    "grant",
    "in_force",
    "not_suspended",
    "protected_reason",
]

type Values = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is said of a rule that does not hold: why, what would change it, whether something had to be known and was not."""

    reason: Reason
    change: Message | None = None
    unknown: bool = False


@dataclass(slots=True)
class Case:
    """What a rule was asked about, in words. `entry` is the article; rules about the product alone do not look at it."""

    view: View
    question: Question
    subject: Subject
    label: Label
    product: ProductRow
    at: Instant
    entry: Entry | None = None

    @property
    def partner(self) -> Party:
        """Who would receive it."""
        return self.question.partner

    @property
    def article(self) -> Entry:
        """Article looked at."""
        assert self.entry is not None  # noqa: S101 - INVARIANT: rules about an article are asked with one
        return self.entry


class Kept(StrEnum):
    """For which other products an explanation holds as well."""

    ALL = "all"
    LABEL = "label"
    """Those with the same marking, releasability, categories and originator."""
    KIND = "kind"
    """Those of the same holder and kind."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a rule explains itself."""

    explain: Callable[[Case], Iterator[Failure]]
    kept: Kept = Kept.NONE


def _cite(rule: RuleId, message: Message, agreement: Agreement, article: str | None = None, term: Term | None = None) -> Reason:
    held = term or agreement.term
    return Reason(
        rule,
        message,
        agreement=agreement.id,
        version=agreement.version,
        article=article,
        begin=held.begin.exact,
        end=None if held.end is None else held.end.exact,
        fictional=agreement.fictional,
        since=None if held.begin.exact is None else held.begin.text,
    )


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
    return _cite(RuleId.GRANT, message, agreement, article.number)


# Rules about the product.


def _partner_known(case: Case) -> Iterator[Failure]:
    message = Message("The nation of {partner} is unknown.", {"partner": case.partner})
    yield Failure(Reason(RuleId.PARTNER_KNOWN, message), unknown=True)


def _label_known(case: Case) -> Iterator[Failure]:
    values: Values = {"policy": case.label.policy, "classification": case.label.classification}
    message = Message("The marking {classification} of the policy {policy} is unknown here.", values)
    change = Message("a verified ladder of the policy {policy} that holds {classification}", values)
    yield Failure(Reason(RuleId.LABEL_KNOWN, message), change, unknown=True)


def _label_current(case: Case) -> Iterator[Failure]:
    if case.label.created > case.at:
        values: Values = {"created": format_instant(case.label.created)}
        message = Message("Its label was made only on {created}: before that it has none.", values)
        yield Failure(Reason(RuleId.LABEL_CURRENT, message), Message("labelled from {created}", values))
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
    yield Failure(Reason(RuleId.RELEASABLE_TO, message), Message("{partner} named in Releasable To by {originator}", values))


def _originator_consent(case: Case) -> Iterator[Failure]:
    for originator in dict.fromkeys((case.subject.originator, case.label.originator)):
        if originator == case.subject.holder:
            continue
        values: Values = {"originator": originator, "partner": case.partner}
        change = Message("consent of {originator} as originator", values)
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


def _withheld(ancestor: Ancestor, partner: Party, rule: RuleId = RuleId.LINEAGE) -> Failure:
    values: Values = {"product": ancestor.product, "partner": partner}
    message = Message("It is derived from {product}, which may not go to {partner}.", values)
    return Failure(Reason(rule, message), Message("a release of {product} to {partner} by its originator", values))


def _parents(case: Case) -> Iterator[tuple[Ancestor, Label]]:
    for ancestor in case.subject.ancestors:
        if ancestor.label is not None and ancestor.originator is not None:
            yield ancestor, case.view.label_of(ancestor.product, ancestor.label)


def _lineage(case: Case) -> Iterator[Failure]:
    classified: dict[str, str] = {}
    for ancestor in case.subject.ancestors:
        if ancestor.label is None or ancestor.originator is None:
            values: Values = {"product": ancestor.product}
            message = Message("It is derived from {product}, whose label is not known here.", values)
            yield Failure(Reason(RuleId.LINEAGE, message), Message("the label of {product}", values), unknown=True)
    for ancestor, label in _parents(case):
        rank = case.view.register.ladder_rank(label.policy, label.classification)
        if rank:
            classified[label.policy] = ancestor.product
        others = {o for o in (ancestor.originator, label.originator) if o is not None} - {case.subject.holder}
        consent = case.view.consented(others, (case.subject.product, ancestor.product), case.partner, case.at)
        named = label.releasable_to is None or case.partner in label.releasable_to or case.product.disjoint == 1
        if rank is None or not named or consent != YES:
            yield _withheld(ancestor, case.partner)
        elif label.created > case.at or (label.review is not None and label.review <= case.at):
            values = {"product": ancestor.product}
            message = Message("It is derived from {product}, whose label does not hold then.", values)
            yield Failure(Reason(RuleId.LINEAGE, message), Message("a label of {product} that holds then", values))
    if len(classified) > 1:
        values = {"policies": ", ".join(sorted(classified)), "products": ", ".join(classified.values())}
        message = Message("It is derived from products that are classified under several policies ({policies}).", values)
        change = Message("an equivalent of the labels of {products} in one policy", values)
        yield Failure(Reason(RuleId.LINEAGE, message), change)


def _dominant(case: Case) -> Iterator[Failure]:
    values: Values = {"products": ", ".join(ancestor.product for ancestor in case.subject.ancestors) or case.subject.product}
    message = Message(
        "Its label and those of what it is derived from ({products}) leave nobody to whom all agree: a person must decide.",
        values,
    )
    yield Failure(Reason(RuleId.DOMINANT, message), Message("a label that the originators of {products} agree on", values))


@dataclass(frozen=True, slots=True)
class _Protection:
    """How a security agreement protects a marking: what is wrong, or the agreement and its pair."""

    failures: tuple[Failure, ...]
    agreement: Agreement | None = None
    pair: Equivalence | None = None


def _protection(case: Case, label: Label) -> _Protection:
    """Protection of what carries a label, kept for all that carry the same marking."""
    key = (_Protection, case.subject.holder, label.policy, label.classification)
    kept = case.question.compiled.get(key)
    if not isinstance(kept, _Protection):
        kept = case.question.compiled[key] = _find_protection(case, label)
    return kept


def _find_protection(case: Case, label: Label) -> _Protection:
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
        found = tuple(_not_standing(view, agreement, at))
        if isinstance(equal, EquivalenceFault):
            found = (*found, _no_equivalence(agreement, equal, to_policy, values))
        elif standing == YES:
            return _Protection((), agreement, equal)
        tried.append(((int(isinstance(equal, EquivalenceFault)) + (standing == NO), len(found)), found))
    if tried:
        # Of several agreements the one that is nearest to protecting it is spoken of.
        return _Protection(min(tried, key=lambda pair: pair[0])[1])
    message = Message(
        "No information-security agreement between {holder} and {partner} is on file, and {marking} is classified.", values
    )
    change = Message("an information-security agreement between {holder} and {partner}", values)
    return _Protection((Failure(Reason(RuleId.INFORMATION_SECURITY, message), change),))


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
            change = Message("a verified ladder of the policy {policy} that holds {classification}", placed)
        case "disordered":
            message = Message("The equivalences of {agreement} for {partner} place a higher marking below a lower one.", values)
            change = Message("equivalences in {agreement} that keep the order of the markings", values)
        case _:
            message = Message("It is not known how {partner} protects {marking} under {agreement}.", values)
    return Failure(_cite(RuleId.EQUIVALENCE, message, agreement, article), change, unknown=True)


def _secured(case: Case) -> Iterator[Failure]:
    own = case.product.rank > 0
    if own:
        yield from _protection(case, case.label).failures
    for ancestor, label in _parents(case):
        # What is said of the product's own marking need not be said again of its parents.
        if case.view.register.ladder_rank(label.policy, label.classification) and not own and _protection(case, label).failures:
            yield _withheld(ancestor, case.partner)


def _equivalence(case: Case) -> Iterator[Failure]:
    if case.product.rank > 0:
        yield from _protection(case, case.label).failures
    for ancestor, label in _parents(case):
        if case.view.register.ladder_rank(label.policy, label.classification) and _protection(case, label).failures:
            yield _withheld(ancestor, case.partner)


# Rules about an article.


def _covered(case: Case) -> Iterator[Failure]:
    """No article covers it at all."""
    values: Values = {"giver": case.subject.holder, "kind": case.subject.kind, "partner": case.partner}
    message = Message("No agreement on file lets {giver} give {kind} to {partner}.", values)
    change = Message("an agreement that lets {giver} give {kind} to {partner}", values)
    yield Failure(Reason(RuleId.COVERED, message), change)


def in_force(agreement: Agreement, at: Instant) -> Iterator[Failure]:
    """Why an agreement is not in force at an instant, if it is not."""
    begin, end = agreement.term.begin, agreement.term.end
    values: Values = {"agreement": agreement.id, "begin": begin.text, "end": "" if end is None else end.text}
    match agreement.term.state(at):
        case State.WITHIN:
            return
        case State.BEFORE:
            message = Message("{agreement} is in force only from {begin}.", values)
            change = Message("in force from {begin} ({agreement})", values)
            yield Failure(_cite(RuleId.IN_FORCE, message, agreement), change)
        case State.AFTER:
            message = Message("{agreement} ended on {end}.", values)
            yield Failure(_cite(RuleId.IN_FORCE, message, agreement), Message("a renewal of {agreement}", values))
        case State.PERHAPS:
            message = Message("{agreement} begins or ends about then ({begin}): a person must decide.", values)
            yield Failure(_cite(RuleId.IN_FORCE, message, agreement))
        case State.UNKNOWN:
            message = Message("It is not known from when to when {agreement} is in force.", values)
            yield Failure(_cite(RuleId.IN_FORCE, message, agreement), Message("the dates of {agreement}", values), unknown=True)


def not_suspended(register: Register, agreement: Agreement, at: Instant) -> Iterator[Failure]:
    """Why an agreement is (or may be) suspended at an instant, if it is."""
    for suspension, term in register.suspension_terms(agreement.id):
        values: Values = {"agreement": agreement.id, "begin": term.begin.text, "reason": one_line(suspension.reason)}
        change = Message("the resumption of {agreement}", values)
        match term.state(at):
            case State.BEFORE | State.AFTER:
                continue
            case State.WITHIN:
                message = Message("{agreement} is suspended since {begin}: {reason}", values)
                yield Failure(_cite(RuleId.NOT_SUSPENDED, message, agreement, term=term), change)
            case State.PERHAPS:
                message = Message("{agreement} was suspended or resumed about then ({begin}): a person must decide.", values)
                yield Failure(_cite(RuleId.NOT_SUSPENDED, message, agreement, term=term), change)
            case State.UNKNOWN:
                # What cannot be a suspension yet is none: before the earliest begin nothing is unknown.
                if term.begin.earliest is not None and at < term.begin.earliest:
                    continue
                message = Message("It is not known when the suspension of {agreement} ended.", values)
                known = Message("the day on which {agreement} resumed", values)
                yield Failure(_cite(RuleId.NOT_SUSPENDED, message, agreement, term=term), known, unknown=True)


def _not_withdrawn(register: Register, agreement: Agreement, at: Instant) -> Iterator[Failure]:
    for withdrawal in register.withdrawals:
        if withdrawal.agreement == agreement.id and withdrawal.at <= at:
            values: Values = {
                "agreement": agreement.id,
                "begin": format_instant(withdrawal.at),
                "reason": one_line(withdrawal.reason),
            }
            message = Message("A party has withdrawn from {agreement} since {begin}: {reason}", values)
            yield Failure(
                _cite(RuleId.NOT_WITHDRAWN, message, agreement), Message("a new agreement in the place of {agreement}", values)
            )


def _not_standing(view: View, agreement: Agreement, at: Instant) -> Iterator[Failure]:
    yield from in_force(agreement, at)
    yield from _not_withdrawn(view.register, agreement, at)
    yield from not_suspended(view.register, agreement, at)


def _about(case: Case) -> Values:
    return {"agreement": case.article.agreement.id, "article": case.article.article.number}


def _fail(case: Case, rule: RuleId, message: Message, change: Message | None = None, *, unknown: bool = False) -> Failure:
    return Failure(_cite(rule, message, case.article.agreement, case.article.article.number), change, unknown)


def _ceiling(case: Case) -> Iterator[Failure]:
    row, article = case.article.row, case.article.article
    values = _about(case) | {
        "marking": f"{case.label.policy} {case.label.classification}",
        "ceiling": article.ceiling or "",
    }
    if article.ceiling is None:
        message = Message("It is not known up to which marking {agreement} article {article} lets go.", values)
        change = Message("the ceiling of {agreement} article {article}", values)
        yield _fail(case, RuleId.CEILING, message, change, unknown=True)
        return
    message = Message("{marking} is above the ceiling {ceiling} of {agreement} article {article}.", values)
    change = Message("a classification of {ceiling} or lower", values)
    yield _fail(case, RuleId.CEILING, message, change, unknown=row.ceiling < 0)


def _lineage_ceiling(case: Case) -> Iterator[Failure]:
    row = case.article.row
    together = case.view.common_needs([case.label, *(label for _, label in _parents(case))]) & row.lacking
    for ancestor, label in _parents(case):
        columns = case.view.label_columns(label)
        above = columns.rank > 0 and (columns.policy != row.policy or columns.rank > row.ceiling)
        shared = together and any(category.type is CategoryType.PERMISSIVE for category in label.categories)
        if above or columns.needs & row.lacking or shared:
            yield _withheld(ancestor, case.partner, RuleId.LINEAGE_CEILING)


def _categories(case: Case) -> Iterator[Failure]:
    row = case.article.row
    known = {grant.tag for _, article in case.view.articles(case.subject.holder, case.partner) for grant in article.categories}
    for category in case.label.categories:
        if category.type is CategoryType.INFORMATIVE or not case.view.category_needs(category) & row.lacking:
            continue
        values = _about(case) | {"tag": category.tag, "values": ", ".join(category.values)}
        change = Message("a grant of {tag} ({values}) in {agreement} article {article}", values)
        if category.tag in known:
            message = Message("{agreement} article {article} does not grant {tag} ({values}).", values)
            yield _fail(case, RuleId.CATEGORIES, message, change)
        else:
            message = Message("No agreement here speaks of the category {tag} ({values}).", values)
            yield Failure(Reason(RuleId.CATEGORIES, message), change, unknown=True)


def _purpose(case: Case) -> Iterator[Failure]:
    values = _about(case) | {"purpose": case.question.purpose, "purposes": ", ".join(case.article.article.purposes)}
    message = Message("{agreement} article {article} is not for the purpose {purpose}.", values)
    yield _fail(case, RuleId.PURPOSE, message, Message("one of the purposes {purposes}", values))


def _area(case: Case) -> Iterator[Failure]:
    values = _about(case) | {"areas": ", ".join(area.name for area in case.article.article.areas)}
    change = Message("a footprint inside {areas}", values)
    if case.subject.placement.touches is None:
        message = Message("It is not known whether it lies in the areas of {agreement} article {article} ({areas}).", values)
        yield _fail(case, RuleId.AREA, message, change, unknown=True)
    else:
        message = Message("It does not lie inside the areas of {agreement} article {article} ({areas}).", values)
        yield _fail(case, RuleId.AREA, message, change)


def _denied_area(case: Case) -> Iterator[Failure]:
    touches = case.subject.placement.touches
    areas = [area.name for area in case.article.article.denied_areas if touches is None or area.id in touches]
    values = _about(case) | {"areas": ", ".join(areas)}
    change = Message("a footprint outside {areas}", values)
    if touches is None:
        message = Message("It is not known whether it touches what {agreement} article {article} excludes ({areas}).", values)
        yield _fail(case, RuleId.DENIED_AREA, message, change, unknown=True)
    else:
        message = Message("It touches an area that {agreement} article {article} excludes ({areas}).", values)
        yield _fail(case, RuleId.DENIED_AREA, message, change)


def _period(term: Term | None) -> Values:
    if term is None:
        return {"begin": "", "end": ""}
    return {"begin": term.begin.text, "end": "…" if term.end is None else term.end.text}


def _acquired(case: Case) -> Iterator[Failure]:
    values = _about(case) | _period(case.article.article.acquired)
    change = Message("an observation between {begin} and {end}", values)
    event = case.subject.event
    if event is None or event.end is None:
        message = Message("It is not known when it was observed, and {agreement} article {article} sets a period.", values)
        yield _fail(case, RuleId.ACQUIRED, message, change, unknown=True)
    else:
        message = Message("It was observed outside the period of {agreement} article {article} ({begin} to {end}).", values)
        yield _fail(case, RuleId.ACQUIRED, message, change)


def _produced(case: Case) -> Iterator[Failure]:
    values = _about(case) | _period(case.article.article.produced)
    change = Message("a product made between {begin} and {end}", values)
    if case.subject.produced is None:
        message = Message("It is not known when it was made, and {agreement} article {article} sets a period.", values)
        yield _fail(case, RuleId.PRODUCED, message, change, unknown=True)
    else:
        message = Message("It was made outside the period of {agreement} article {article} ({begin} to {end}).", values)
        yield _fail(case, RuleId.PRODUCED, message, change)


def _obligation(case: Case, kind: ObligationKind) -> str:
    """Parameter of the strictest obligation of a kind."""
    return max((o.value for o in case.article.article.obligations if o.kind is kind), key=amount, default="")


def _delay(case: Case) -> Iterator[Failure]:
    values = _about(case) | {"hours": _obligation(case, ObligationKind.DELAY)}
    event = case.subject.event
    if event is None or event.end is None:
        message = Message("It is not known when it was observed, and {agreement} article {article} asks for a delay.", values)
        yield _fail(case, RuleId.DELAY, message, Message("the time of the observation", values), unknown=True)
        return
    try:
        ready = event.end + timedelta(microseconds=case.article.row.delay)
    except OverflowError:
        # Nobody can read how long it is, or it passes the year 9999: the rule on obligations says the same.
        yield from (_inapplicable(case, o) for o in case.article.article.obligations if o.kind is ObligationKind.DELAY)
        return
    values = values | {"ready": format_instant(Instant(ready))}
    message = Message("{agreement} article {article} lets it go only {hours} hours after the observation, from {ready}.", values)
    yield _fail(case, RuleId.DELAY, message, Message("from {ready} on ({agreement} article {article})", values))


def _resolution(case: Case) -> Iterator[Failure]:
    values = _about(case) | {"finest": _obligation(case, ObligationKind.RESOLUTION)}
    change = Message("resolution {finest} m or coarser", values)
    if case.subject.resolution_m is None:
        message = Message(
            "Its resolution is not known, and {agreement} article {article} asks for {finest} m or coarser.", values
        )
        yield _fail(case, RuleId.RESOLUTION, message, change, unknown=True)
        return
    values = values | {"resolution": f"{case.subject.resolution_m:g}"}
    message = Message(
        "Its {resolution} m are finer than {agreement} article {article} allows ({finest} m), and this node cannot coarsen it.",
        values,
    )
    yield _fail(case, RuleId.RESOLUTION, message, change)


def _obligations(case: Case) -> Iterator[Failure]:
    for obligation in case.article.article.obligations:
        match obligation.kind:
            case ObligationKind.DETECTED_ONLY if not case.subject.complex_data:
                continue
            case ObligationKind.DELAY | ObligationKind.RESOLUTION:
                # Rules of their own ask for these; here they are at fault only if nobody can read them.
                if math.isinf(amount(obligation.value)):
                    yield _inapplicable(case, obligation)
            case ObligationKind.AREA:
                if not case.article.article.areas:
                    yield _inapplicable(case, obligation)
            case _:
                if obligation.kind not in case.view.applicable:
                    yield _inapplicable(case, obligation)


def _inapplicable(case: Case, obligation: Obligation) -> Failure:
    values = _about(case) | {"obligation": obligation.kind.value}
    message = Message("{agreement} article {article} asks for {obligation}, which this node cannot apply.", values)
    return _fail(case, RuleId.OBLIGATIONS, message, unknown=True)


EXPLANATIONS: dict[RuleId, Explanation] = {
    RuleId.PARTNER_KNOWN: Explanation(_partner_known, Kept.ALL),
    RuleId.LABEL_KNOWN: Explanation(_label_known, Kept.LABEL),
    RuleId.LABEL_CURRENT: Explanation(_label_current),
    RuleId.RELEASABLE_TO: Explanation(_releasable_to, Kept.LABEL),
    RuleId.ORIGINATOR_CONSENT: Explanation(_originator_consent),
    RuleId.LINEAGE: Explanation(_lineage),
    RuleId.DOMINANT: Explanation(_dominant),
    RuleId.INFORMATION_SECURITY: Explanation(_secured, Kept.LABEL),
    RuleId.EQUIVALENCE: Explanation(_equivalence, Kept.LABEL),
    RuleId.COVERED: Explanation(_covered, Kept.KIND),
    RuleId.IN_FORCE: Explanation(lambda case: in_force(case.article.agreement, case.at), Kept.ALL),
    RuleId.NOT_WITHDRAWN: Explanation(lambda case: _not_withdrawn(case.view.register, case.article.agreement, case.at), Kept.ALL),
    RuleId.NOT_SUSPENDED: Explanation(lambda case: not_suspended(case.view.register, case.article.agreement, case.at), Kept.ALL),
    RuleId.CEILING: Explanation(_ceiling, Kept.LABEL),
    RuleId.LINEAGE_CEILING: Explanation(_lineage_ceiling),
    RuleId.CATEGORIES: Explanation(_categories, Kept.LABEL),
    RuleId.PURPOSE: Explanation(_purpose, Kept.ALL),
    RuleId.AREA: Explanation(_area),
    RuleId.DENIED_AREA: Explanation(_denied_area),
    RuleId.ACQUIRED: Explanation(_acquired),
    RuleId.PRODUCED: Explanation(_produced),
    RuleId.DELAY: Explanation(_delay),
    RuleId.RESOLUTION: Explanation(_resolution),
    RuleId.OBLIGATIONS: Explanation(_obligations),
}
"""By rule. INVARIANT: a rule that fails says something, else a refusal had no reason (`kizuna.release.decide` makes sure)."""


def protected_reason(case: Case) -> tuple[tuple[Obligation, ...], tuple[Reason, ...]]:
    """The receiver's marking of what may go, and which article asks for it.

    A product carries at least the dominant label of all that it is derived from: of its own label and those of its parents the
    highest is what the receiver must protect.
    """
    rank, label = case.product.rank, case.label
    for _, parent in _parents(case):
        above = case.view.register.ladder_rank(parent.policy, parent.classification) or 0
        if above > rank:
            rank, label = above, parent
    if rank <= 0:
        return (), ()
    protection = _protection(case, label)
    agreement, equal = protection.agreement, protection.pair
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
    return (mark,), (_cite(RuleId.EQUIVALENCE, message, agreement, equal.article),)
