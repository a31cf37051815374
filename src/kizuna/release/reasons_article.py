"""Why a rule about an article does not hold: what it covers, up to which marking, where, from when to when, in which form."""

from __future__ import annotations

import math
from dataclasses import replace
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
    marking_of,
    never,
    parents,
    unplaced_parents,
)
from kizuna.release.decision import Obligation, ObligationKind, Reason
from kizuna.release.markings import UNCLASSIFIED
from kizuna.release.reasons_product import protection
from kizuna.release.remedies import linked
from kizuna.release.rules import RuleId
from kizuna.release.standing import in_force, not_standing, not_suspended, not_withdrawn
from kizuna.release.view import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kizuna.model.label import Category, Label
    from kizuna.release.agreements import Article, Term
    from kizuna.release.subject import Ancestor, Subject
    from kizuna.release.view import View

__all__ = ["ARTICLE_EXPLANATIONS"]


def _covered(case: Case) -> Iterator[Failure]:
    """No article covers it at all."""
    values: Values = {"giver": case.subject.holder, "kind": case.subject.kind, "partner": case.partner}
    message = Message("No agreement on file lets {giver} give {kind} to {partner}.", values)
    change = Message("an agreement that lets {giver} give {kind} to {partner}", values)
    yield Failure(Reason(RuleId.COVERED, message), change)
    spoken_of = {kind for agreement in case.view.register.agreements for article in agreement.articles for kind in article.kinds}
    if spoken_of and case.subject.kind not in spoken_of:
        message = Message("No agreement here speaks of the kind {kind}.", values)
        yield Failure(Reason(RuleId.COVERED, message), unknown=True)


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
        change = Message("the ceiling of {agreement} article {article}; then ask again", values)
        yield _fail(case, RuleId.CEILING, message, change, unknown=True)
        return
    values |= {"policy": article.policy}
    if row.ceiling < 0:
        values |= {"classification": article.ceiling}
        message = Message("The ceiling {ceiling} of the policy {policy} ({agreement} article {article}) is unknown here.", values)
        change = Message("a verified ladder of the policy {policy} that holds {classification}; then ask again", values)
        yield _fail(case, RuleId.CEILING, message, change, unknown=True)
        return
    if case.product.rank < 0:
        # Nobody can say where it lies: the rule on known labels says so.
        yield from label_known(case)
    if row.ceiling > 0 and case.product.policy != row.policy:
        message = Message(
            "{agreement} article {article} sets its ceiling in the policy {policy}, and {marking} is not of it.", values
        )
        highest, lower_too = _protected_below(case)
        values["ceiling"] = highest
        change = (
            Message("a label of the policy {policy}, {ceiling} or lower", values)
            if lower_too
            else Message("a label of the policy {policy}, {ceiling}", values)
        )
    elif case.product.rank >= 0 or row.ceiling == 0:
        message = Message("{marking} is above the ceiling {ceiling} of {agreement} article {article}.", values)
        highest, lower_too = _protected_below(case)
        below = values | {"ceiling": highest}
        change = (
            Message("a classification of {ceiling} or lower", below)
            if lower_too
            else Message("a classification of {ceiling}", below)
        )
    else:
        return
    yield _fail(case, RuleId.CEILING, message, linked(change, settles=[marking_of(case.label)]))


def _protected_below(case: Case) -> tuple[str, bool]:
    """Highest marking within the ceiling of an article that would be protected, and whether each lower one would be too.

    A lower marking is of no use if nobody knows how the partner would protect it.
    """
    article, register = case.article.article, case.view.register
    ladder = register.ladders.get(article.policy)
    highest, lower_too, gap = UNCLASSIFIED, True, False
    for rung in () if ladder is None else ladder.rungs[: max(case.article.row.ceiling, 0)]:
        # Of several names of a rung the article's own comes first; an equivalence may speak of another one.
        for marking in sorted(rung.markings, key=lambda marking: marking != article.ceiling):
            label = replace(case.label, policy=article.policy, classification=marking)
            if register.ladder_rank(article.policy, marking) is not None and not protection(case, label).failures:
                highest, lower_too = marking, not gap
                break
        else:
            gap = True
    return highest, lower_too


def _grant(case: Case, category: Category, about: Values, where: str) -> Message:
    """Grant that a category of one label lacks."""
    tag = category.tag
    if category.type is CategoryType.PERMISSIVE:
        # What is granted of all labels, or of all categories of this one, is granted of it.
        return _one_of(tag, category.values, about, needed_for=[f"{tag} {where}", f"{tag} everywhere"])
    needs, lacking = case.view.category_needs, case.article.row.lacking
    wanted = sorted({value for value in category.values if needs(replace(category, values=(value,))) & lacking})
    change = Message(
        "a grant of {tag} ({values}) in {agreement} article {article}", about | {"tag": tag, "values": ", ".join(wanted)}
    )
    granted = [f"{tag} = {value}" for value in wanted]
    if len(granted) > 1:
        return linked(change, settles=[*granted, *(f"only {value}" for value in granted)])
    return linked(change, settles=granted, needed_for=[f"only {value}" for value in granted])


def _one_of(
    tag: str, wanted: Iterable[str], about: Values, *, needed_for: Sequence[str] = (), settles: Sequence[str] = ()
) -> Message:
    """Grant of one of several values, which any grant of one of them settles."""
    wanted = list(wanted)
    values = about | {"tag": tag, "values": ", ".join(wanted)}
    granted = [f"{tag} = {value}" for value in wanted]
    if len(wanted) > 1:
        change = Message("a grant of one of {tag} ({values}) in {agreement} article {article}", values)
        return linked(change, needed_for=[*needed_for, *granted], settles=settles)
    change = Message("a grant of {tag} ({values}) in {agreement} article {article}", values)
    return linked(change, needed_for=[*needed_for, *(f"only {value}" for value in granted)], settles=[*settles, *granted])


def _in_common(labels: Sequence[Label], tag: str) -> list[str]:
    """Values that stand in all permissive categories of a tag, in the order of the first."""
    permissive = [c.values for label in labels for c in label.categories if c.type is CategoryType.PERMISSIVE and c.tag == tag]
    return [value for value in permissive[0] if all(value in values for values in permissive)] if permissive else []


def _lineage_ceiling(case: Case) -> Iterator[Failure]:
    yield from unplaced_parents(case)
    for ancestor, label in parents(case):
        yield from _parent_ceiling(case, ancestor, label)
        yield from _parent_categories(case, ancestor, label)
    labels = [case.label, *(label for _, label in parents(case))]
    if not case.view.common_needs(labels) & case.article.row.lacking:
        return
    values = _about(case) | {"products": ", ".join(ancestor.product for ancestor in case.subject.ancestors)}
    message = Message(
        "{agreement} article {article} grants no value of a permissive category that its label and those of what it is "
        "derived from ({products}) have in common.",
        values,
    )
    yield _fail(case, RuleId.LINEAGE_CEILING, message)
    for tag in dict.fromkeys(category.tag for label in labels for category in label.categories):
        common = _in_common(labels, tag)
        granted = {value for grant in case.article.article.categories if grant.tag == tag for value in grant.values}
        # Where they have none in common, the rule on dominant labels says so.
        if common and granted.isdisjoint(common):
            change = _one_of(tag, common, values, settles=[f"{tag} everywhere"])
            yield _fail(case, RuleId.LINEAGE_CEILING, message, change)


def _parent_ceiling(case: Case, ancestor: Ancestor, label: Label) -> Iterator[Failure]:
    row, article = case.article.row, case.article.article
    columns = case.view.label_columns(label)
    if columns.rank <= 0 or (columns.policy == row.policy and columns.rank <= row.ceiling):
        return
    if row.ceiling < 0:
        yield from _ceiling(case)
        return
    values = _about(case) | {
        "product": ancestor.product,
        "marking": f"{label.policy} {label.classification}",
        "ceiling": f"{article.policy} {article.ceiling or ''}",
    }
    message = Message(
        "It is derived from {product}, and {marking} is not within the ceiling {ceiling} of {agreement} article {article}.",
        values,
    )
    highest, lower_too = _protected_below(case)
    below = values | {"ceiling": f"{article.policy} {highest}"}
    change = Message("{product} marked {ceiling} or lower", below) if lower_too else Message("{product} marked {ceiling}", below)
    yield _fail(case, RuleId.LINEAGE_CEILING, message, linked(change, settles=[marking_of(label)]))


def _parent_categories(case: Case, ancestor: Ancestor, label: Label) -> Iterator[Failure]:
    lacking, where = case.article.row.lacking, f"of {ancestor.product}"
    for category in label.categories:
        if case.view.category_needs(category) & lacking:
            values = _about(case) | {"product": ancestor.product, "tag": category.tag, "values": ", ".join(category.values)}
            message = Message(
                "It is derived from {product}, whose category {tag} ({values}) {agreement} article {article} does not grant.",
                values,
            )
            yield _fail(case, RuleId.LINEAGE_CEILING, message, _grant(case, category, values, where))
    for tag, needs in case.view.repeated_needs(label):
        if needs & lacking:
            values = _about(case) | {"product": ancestor.product, "tag": tag}
            message = Message(
                "It is derived from {product}, whose label has several permissive categories {tag}, and {agreement} article "
                "{article} grants no value that stands in all of them.",
                values,
            )
            common = _in_common([label], tag)
            change = (
                _one_of(tag, common, values, needed_for=[f"{tag} everywhere"], settles=[f"{tag} {where}"])
                if common
                else Message("a label of {product} with one category {tag}; then ask again", values)
            )
            yield _fail(case, RuleId.LINEAGE_CEILING, message, change)


def _categories(case: Case) -> Iterator[Failure]:
    row = case.article.row
    known = {grant.tag for _, article in case.view.articles(case.subject.holder, case.partner) for grant in article.categories}
    for category in case.label.categories:
        if category.type is CategoryType.INFORMATIVE or not case.view.category_needs(category) & row.lacking:
            continue
        values = _about(case) | {"tag": category.tag, "values": ", ".join(category.values)}
        change = _grant(case, category, values, "of its own")
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
            common = _in_common([case.label], tag)
            change = (
                _one_of(tag, common, values, needed_for=[f"{tag} everywhere"], settles=[f"{tag} of its own"])
                if common
                else Message("a label with one category {tag}; then ask again", values)
            )
            yield _fail(case, RuleId.CATEGORIES, message, change)


def _purpose(case: Case) -> Iterator[Failure]:
    values = _about(case) | {"purpose": case.question.purpose, "purposes": ", ".join(case.article.article.purposes)}
    message = Message("{agreement} article {article} is not for the purpose {purpose}.", values)
    yield _fail(case, RuleId.PURPOSE, message, Message("one of the purposes {purposes}", values))


def _footprint(article: Article) -> Message:
    """Where a product would have to lie: one answer to both rules about places, since each moves it."""
    denied = {area.id for area in article.denied_areas}
    values: Values = {
        "areas": ", ".join(area.name for area in article.areas if area.id not in denied),
        "denied": ", ".join(area.name for area in article.denied_areas),
        "article": article.number,
    }
    if not article.areas:
        return Message("a footprint outside {denied}", values)
    if not denied:
        return Message("a footprint inside {areas}", values)
    if not values["areas"]:
        return Message("an area of article {article} that it does not exclude; then ask again", values)
    return Message("a footprint inside {areas} and outside {denied}", values)


def _area(case: Case) -> Iterator[Failure]:
    values = _about(case) | {"areas": ", ".join(area.name for area in case.article.article.areas)}
    change = _footprint(case.article.article)
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
    change = _footprint(case.article.article)
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
        change = Message("the period of {agreement} article {article}; then ask again", _about(case))
        yield _fail(case, rule, message, change, unknown=True)


def _acquired(case: Case) -> Iterator[Failure]:
    unknown = tuple(_unknown_period(case, RuleId.ACQUIRED, case.article.article.acquired))
    if unknown:
        yield from unknown
        return
    values = _about(case) | _period(case.article.article.acquired)
    change = (
        # Of another instant nobody knows yet whether the delay since then has passed.
        linked(Message("an observation between {begin} and {end}; then ask again", values), settles=["observed"])
        if case.article.row.delay
        else Message("an observation between {begin} and {end}", values)
    )
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
        change = linked(Message("the time of the observation; then ask again", values), needed_for=["observed"])
        yield _fail(case, RuleId.DELAY, message, change, unknown=True)
        return
    try:
        ready = event.end + timedelta(microseconds=case.article.row.delay)
    except OverflowError:
        # Nobody can read how long it is, or it passes the year 9999: the rule on obligations says the same.
        yield from (_inapplicable(case, o) for o in case.article.article.obligations if o.kind is ObligationKind.DELAY)
        return
    values = values | {"ready": format_instant(Instant(ready))}
    message = Message("{agreement} article {article} lets it go only {hours} hours after the observation, from {ready}.", values)
    change = (
        Message("a shorter delay in {agreement} article {article}", values)
        if any(not_standing(case.view, case.article.agreement, Instant(ready)))
        else Message("from {ready} on, if all else holds then too ({agreement} article {article})", values)
    )
    yield _fail(case, RuleId.DELAY, message, linked(change, needed_for=["observed"]))


def _resolution(case: Case) -> Iterator[Failure]:
    values = _about(case) | {"finest": _obligation(case, ObligationKind.RESOLUTION)}
    if math.isinf(amount(str(values["finest"]))):
        # Nobody can read how coarse: the rule on obligations says the same.
        yield from (_inapplicable(case, o) for o in case.article.article.obligations if o.kind is ObligationKind.RESOLUTION)
        return
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
    change = Message("{agreement} article {article} without the obligation {obligation}", values)
    return _fail(case, RuleId.OBLIGATIONS, message, change, unknown=True)


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
    RuleId.CEILING: Explanation(_ceiling, by_marking),
    RuleId.LINEAGE_CEILING: Explanation(_lineage_ceiling, never, parents=True),
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
