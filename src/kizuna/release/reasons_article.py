"""Why a rule about an article does not hold: what it covers, up to which marking, where, from when to when, in which form."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.instants import Instant, format_instant
from kizuna.model.label import CategoryType
from kizuna.release.case import (
    Case,
    Explanation,
    Failure,
    Values,
    always,
    by_marking,
    cite,
    label_known,
    never,
    parents,
    unplaced_parents,
)
from kizuna.release.decision import Obligation, ObligationKind, Reason
from kizuna.release.rules import RuleId
from kizuna.release.standing import in_force, not_suspended, not_withdrawn
from kizuna.release.view import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.model.label import Label
    from kizuna.release.agreements import Term
    from kizuna.release.subject import Subject
    from kizuna.release.view import View

__all__ = ["ARTICLE_EXPLANATIONS"]


def _covered(case: Case) -> Iterator[Failure]:
    """No article covers it at all."""
    values: Values = {"giver": case.subject.holder, "kind": case.subject.kind, "partner": case.partner}
    message = Message("No agreement on file lets {giver} give {kind} to {partner}.", values)
    change = Message("an agreement that lets {giver} give {kind} to {partner}", values)
    yield Failure(Reason(RuleId.COVERED, message), change)


def _about(case: Case) -> Values:
    return {"agreement": case.article.agreement.id, "article": case.article.article.number}


def _fail(case: Case, rule: RuleId, message: Message, change: Message | None = None, *, unknown: bool = False) -> Failure:
    return Failure(cite(rule, message, case.article.agreement, case.article.article.number), change, unknown)


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
    if case.product.rank < 0:
        # Nobody can say where it lies: the rule on known labels says so.
        yield from label_known(case)
        return
    if row.ceiling > 0 and case.product.policy != row.policy:
        values |= {"policy": article.policy}
        message = Message(
            "{agreement} article {article} sets its ceiling in the policy {policy}, and {marking} is not of it.", values
        )
        change = Message("an article of {agreement} that speaks of the policy of {marking}", values)
        yield _fail(case, RuleId.CEILING, message, change)
        return
    message = Message("{marking} is above the ceiling {ceiling} of {agreement} article {article}.", values)
    change = Message("a classification of {ceiling} or lower", values)
    yield _fail(case, RuleId.CEILING, message, change, unknown=row.ceiling < 0)


def _lineage_ceiling(case: Case) -> Iterator[Failure]:
    row, article = case.article.row, case.article.article
    yield from unplaced_parents(case)
    for ancestor, label in parents(case):
        columns = case.view.label_columns(label)
        values = _about(case) | {
            "product": ancestor.product,
            "marking": f"{label.policy} {label.classification}",
            "ceiling": f"{article.policy} {article.ceiling or ''}".strip(),
        }
        if columns.rank > 0 and row.ceiling < 0:
            yield from _ceiling(case)
        elif columns.rank > 0 and (columns.policy != row.policy or columns.rank > row.ceiling):
            message = Message(
                "It is derived from {product}, and {marking} is not within the ceiling {ceiling} of {agreement} article "
                "{article}.",
                values,
            )
            yield _fail(case, RuleId.LINEAGE_CEILING, message, Message("parents marked {ceiling} or lower", values))
        for category in label.categories:
            if case.view.category_needs(category) & row.lacking:
                granted = values | {"tag": category.tag, "values": ", ".join(category.values)}
                message = Message(
                    "It is derived from {product}, whose category {tag} ({values}) {agreement} article {article} does not grant.",
                    granted,
                )
                change = Message("a grant of {tag} ({values}) in {agreement} article {article}", granted)
                yield _fail(case, RuleId.LINEAGE_CEILING, message, change)
        for tag, needs in case.view.repeated_needs(label):
            if needs & row.lacking:
                message = Message(
                    "It is derived from {product}, whose label has several permissive categories {tag}, and {agreement} article "
                    "{article} grants no value that stands in all of them.",
                    values | {"tag": tag},
                )
                change = Message("a label of {product} with one category {tag}", values | {"tag": tag})
                yield _fail(case, RuleId.LINEAGE_CEILING, message, change)
    if case.view.common_needs([case.label, *(label for _, label in parents(case))]) & row.lacking:
        values = _about(case) | {"products": ", ".join(ancestor.product for ancestor in case.subject.ancestors)}
        message = Message(
            "{agreement} article {article} grants no value of a permissive category that its label and those of what it is "
            "derived from ({products}) have in common.",
            values,
        )
        yield _fail(
            case, RuleId.LINEAGE_CEILING, message, Message("a grant of such a value in {agreement} article {article}", values)
        )


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
    for tag, needs in case.view.repeated_needs(case.label):
        if needs & row.lacking:
            values = _about(case) | {"tag": tag}
            message = Message(
                "Its label has several permissive categories {tag}, and {agreement} article {article} grants no value that "
                "stands in all of them.",
                values,
            )
            yield _fail(case, RuleId.CATEGORIES, message, Message("a label with one category {tag}", values))


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


def _unknown_period(case: Case, rule: RuleId, term: Term | None) -> Iterator[Failure]:
    if term is not None and (term.begin.exact is None or (term.end is not None and term.end.exact is None)):
        message = Message("It is not known which period {agreement} article {article} sets.", _about(case))
        yield _fail(case, rule, message, Message("the period of {agreement} article {article}", _about(case)), unknown=True)


def _acquired(case: Case) -> Iterator[Failure]:
    unknown = tuple(_unknown_period(case, RuleId.ACQUIRED, case.article.article.acquired))
    if unknown:
        yield from unknown
        return
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
    unknown = tuple(_unknown_period(case, RuleId.PRODUCED, case.article.article.produced))
    if unknown:
        yield from unknown
        return
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
        "Its resolution of {resolution} m is finer than {agreement} article {article} allows ({finest} m), and this node "
        "cannot make it coarser.",
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


def _by_categories(_view: View, _subject: Subject, label: Label) -> object:
    return label.categories


def _by_phase(_view: View, subject: Subject, _label: Label) -> object:
    return subject.complex_data


def _by_touches(_view: View, subject: Subject, _label: Label) -> object:
    return (subject.placement.touches,)


def _by_known_event(_view: View, subject: Subject, _label: Label) -> object:
    return subject.event is not None and subject.event.end is not None


def _by_known_making(_view: View, subject: Subject, _label: Label) -> object:
    return subject.produced is not None


def _by_resolution(_view: View, subject: Subject, _label: Label) -> object:
    return (subject.resolution_m,)


ARTICLE_EXPLANATIONS: dict[RuleId, Explanation] = {
    RuleId.COVERED: Explanation(_covered, always, timeless=True),
    RuleId.IN_FORCE: Explanation(lambda case: in_force(case.article.agreement, case.at), always),
    RuleId.NOT_WITHDRAWN: Explanation(lambda case: not_withdrawn(case.view.register, case.article.agreement, case.at), always),
    RuleId.NOT_SUSPENDED: Explanation(lambda case: not_suspended(case.view.register, case.article.agreement, case.at), always),
    RuleId.CEILING: Explanation(_ceiling, by_marking, timeless=True),
    RuleId.LINEAGE_CEILING: Explanation(_lineage_ceiling, never),
    RuleId.CATEGORIES: Explanation(_categories, _by_categories, timeless=True),
    RuleId.PURPOSE: Explanation(_purpose, always),
    RuleId.AREA: Explanation(_area, _by_touches, timeless=True),
    RuleId.DENIED_AREA: Explanation(_denied_area, _by_touches, timeless=True),
    RuleId.ACQUIRED: Explanation(_acquired, _by_known_event, timeless=True),
    RuleId.PRODUCED: Explanation(_produced, _by_known_making, timeless=True),
    RuleId.DELAY: Explanation(_delay, never),
    RuleId.RESOLUTION: Explanation(_resolution, _by_resolution, timeless=True),
    RuleId.OBLIGATIONS: Explanation(_obligations, _by_phase, timeless=True),
}
