"""A node shows a partner exactly what an agreement in force allows, and can say why.

`decide` is a pure function of the facts, the subject, the partner and two instants: when the question is asked about (valid
time) and what was known when (recorded time). So a decision of last spring can be replayed today, or asked anew with what is
known now. The rules are those of `kizuna.release.rules`, in that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.instants import format_instant
from kizuna.model.label import CategoryType
from kizuna.model.parties import NATIONS, nation_of
from kizuna.model.reading import one_line
from kizuna.release.agreements import AgreementKind, Bound, State, Term
from kizuna.release.decision import Change, Decision, Fault, Obligation, ObligationKind, Outcome, Reason
from kizuna.release.rules import RuleId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.release.agreements import Agreement, Article, Equivalence, Suspension
    from kizuna.release.register import Register

__all__ = ["APPLICABLE", "Ancestor", "Subject", "any_live_grant", "decide", "suspended_grants", "suspension_terms"]

APPLICABLE = frozenset({ObligationKind.DETECTED_ONLY, ObligationKind.CAVEAT, ObligationKind.REMARK, ObligationKind.NO_ONWARD})
"""Obligations that this version can apply. An article that asks for another one is not used."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A product that the subject is derived from; `label` None where it is not known here."""

    product: str
    originator: Party | None
    label: Label | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a decision has to know of a product.

    Parameters
    ----------
    product
        Its id, for consents.
    kind
        Kind of product.
    originator
        Whose it is.
    holder
        Who is asked to hand it over.
    label
        The originator's label.
    ancestors
        What it is derived from, all generations.
    complex_data
        Whether it holds phase, which an obligation may take away.
    """

    product: str
    kind: str
    originator: Party
    holder: Party
    label: Label
    ancestors: tuple[Ancestor, ...] = ()
    complex_data: bool = True


@dataclass(frozen=True, slots=True)
class _Failure:
    """A rule that does not hold: what is said, what was unknown, what would change it; `refer` where a person decides."""

    reason: Reason
    change: Message | None = None
    unknown: bool = False
    refer: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An article looked at: what stands in its way, and in which form it would let the product go."""

    agreement: Agreement
    article: Article
    failures: tuple[_Failure, ...]
    obligations: tuple[Obligation, ...]
    reasons: tuple[Reason, ...]


def _about_product(register: Register, subject: Subject, partner: Party, at: Instant) -> Iterator[_Failure]:
    label = subject.label
    if nation_of(partner) not in NATIONS:
        message = Message("The nation of {partner} is unknown.", {"partner": partner})
        yield _Failure(Reason(RuleId.PARTNER_KNOWN, message), unknown=True)
    yield from _about_label(register, subject.originator, label, partner)
    yield from _current(label, at)
    # Whose product it is and who labelled it are one party as a rule; where they are two, each has a say.
    for originator in dict.fromkeys((subject.originator, label.originator)):
        if originator != subject.holder and not _consented(register, originator, subject.product, partner, at):
            values: dict[str, str | int | float] = {"originator": originator, "partner": partner}
            yield _Failure(
                Reason(RuleId.ORIGINATOR_CONSENT, Message("{originator} has not agreed that it goes on to {partner}.", values)),
                Message("consent of {originator} as originator", values),
            )
    for ancestor in subject.ancestors:
        values = {"product": ancestor.product, "partner": partner}
        if ancestor.label is None or ancestor.originator is None:
            message = Message("It is derived from {product}, whose label is not known here.", values)
            yield _Failure(Reason(RuleId.LINEAGE, message), Message("the label of {product}", values), unknown=True)
        elif not {ancestor.originator, ancestor.label.originator} <= {subject.originator, subject.holder} or any(
            _about_label(register, ancestor.originator, ancestor.label, partner)
        ):
            yield _withheld_ancestor(ancestor, partner)
        else:
            for failure in _current(ancestor.label, at):
                message = Message("It is derived from {product}, whose label does not hold then.", values)
                change = Message("a label of {product} that holds then", values)
                yield _Failure(Reason(RuleId.LINEAGE, message), change, refer=failure.refer)


def _withheld_ancestor(ancestor: Ancestor, partner: Party) -> _Failure:
    values: dict[str, str | int | float] = {"product": ancestor.product, "partner": partner}
    message = Message("It is derived from {product}, which may not go to {partner}.", values)
    return _Failure(Reason(RuleId.LINEAGE, message), Message("a release of {product} to {partner} by its originator", values))


def _about_label(register: Register, originator: Party, label: Label, partner: Party) -> Iterator[_Failure]:
    if register.ladder_rank(label.policy, label.classification) is None:
        values = {"policy": label.policy, "classification": label.classification}
        message = Message("The marking {classification} of the policy {policy} is unknown here.", values)
        change = Message("a verified ladder of the policy {policy} that holds {classification}", values)
        yield _Failure(Reason(RuleId.LABEL_KNOWN, message), change, unknown=True)
    if label.releasable_to is not None and partner not in label.releasable_to:
        values = {"originator": originator, "partner": partner, "named": ", ".join(label.releasable_to)}
        message = (
            Message("Its originator {originator} releases it to {named} only.", values)
            if label.releasable_to
            else Message("Its originator {originator} releases it to nobody.", values)
        )
        yield _Failure(Reason(RuleId.RELEASABLE_TO, message), Message("{partner} named in Releasable To by {originator}", values))
    for category in label.categories:
        if category.type is not CategoryType.INFORMATIVE:
            values = {"tag": category.tag, "values": ", ".join(category.values)}
            message = Message("No agreement here speaks of the category {tag} ({values}).", values)
            yield _Failure(Reason(RuleId.CATEGORIES, message), unknown=True)


def _current(label: Label, at: Instant) -> Iterator[_Failure]:
    """What is wrong with the time of a label: it is not made yet, or was to be reviewed by now."""
    if label.created > at:
        values: dict[str, str | int | float] = {"created": format_instant(label.created)}
        message = Message("Its label was made only on {created}: before that it has none.", values)
        yield _Failure(Reason(RuleId.LABEL_CURRENT, message), Message("labelled from {created}", values))
    elif label.review is not None and label.review <= at:
        values = {"review": format_instant(label.review)}
        message = Message("Its label was to be reviewed by {review}: a person must decide.", values)
        yield _Failure(Reason(RuleId.LABEL_CURRENT, message), Message("a review of the label", values), refer=True)


def _consented(register: Register, originator: Party, product: str, partner: Party, at: Instant) -> bool:
    return any(
        consent.originator == originator
        and consent.product == product
        and consent.receiver == partner
        and consent.term.state(at) is State.WITHIN
        for consent in register.consents
    )


def _reason(rule: RuleId, message: Message, agreement: Agreement, article: str | None = None, term: Term | None = None) -> Reason:
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


def _in_force(agreement: Agreement, at: Instant) -> Iterator[_Failure]:
    begin, end = agreement.term.begin, agreement.term.end
    values = {"agreement": agreement.id, "begin": begin.text, "end": "" if end is None else end.text}
    match agreement.term.state(at):
        case State.WITHIN:
            return
        case State.BEFORE:
            message = Message("{agreement} is in force only from {begin}.", values)
            change = Message("in force from {begin} ({agreement})", values)
            yield _Failure(_reason(RuleId.IN_FORCE, message, agreement), change)
        case State.AFTER:
            message = Message("{agreement} ended on {end}.", values)
            yield _Failure(_reason(RuleId.IN_FORCE, message, agreement), Message("a renewal of {agreement}", values))
        case State.PERHAPS:
            message = Message("{agreement} begins or ends about then ({begin}): a person must decide.", values)
            yield _Failure(_reason(RuleId.IN_FORCE, message, agreement), refer=True)
        case State.UNKNOWN:
            message = Message("It is not known from when to when {agreement} is in force.", values)
            change = Message("the dates of {agreement}", values)
            yield _Failure(_reason(RuleId.IN_FORCE, message, agreement), change, unknown=True)


def suspension_terms(register: Register, agreement: str) -> Iterator[tuple[Suspension, Term]]:
    """Suspensions of an agreement, each with its term as ended by a resumption, if one is recorded."""
    for suspension in register.suspensions:
        if suspension.agreement == agreement:
            yield suspension, _term_of(suspension, register)


def _term_of(suspension: Suspension, register: Register) -> Term:
    """Term of a suspension, ended by the first resumption that was recorded after it and while it still ran (or may have).

    A resumption that was known before the suspension was recorded is about an earlier one. Of two facts of one instant nobody
    can say which came later: the suspension stands.
    """
    begin, end = suspension.term.begin, suspension.term.end
    # A suspension of which nobody knows when it began had begun when it was recorded.
    begun = begin.latest or suspension.recorded_at
    over = None if end is None else end.latest
    ends = [
        r.at
        for r in register.resumptions
        if r.agreement == suspension.agreement
        and r.recorded_at > suspension.recorded_at
        and r.at > begun
        and (over is None or r.at < over)
    ]
    if not ends:
        return suspension.term
    resumed = min(ends)
    return Term(begin, Bound(resumed, resumed, format_instant(resumed)))


def _not_suspended(register: Register, agreement: Agreement, at: Instant) -> Iterator[_Failure]:
    for suspension, term in suspension_terms(register, agreement.id):
        values = {"agreement": agreement.id, "begin": term.begin.text, "reason": one_line(suspension.reason)}
        change = Message("the resumption of {agreement}", values)
        match term.state(at):
            case State.BEFORE | State.AFTER:
                continue
            case State.WITHIN:
                message = Message("{agreement} is suspended since {begin}: {reason}", values)
                yield _Failure(_reason(RuleId.NOT_SUSPENDED, message, agreement, term=term), change)
            case State.PERHAPS:
                message = Message("{agreement} was suspended or resumed about then ({begin}): a person must decide.", values)
                yield _Failure(_reason(RuleId.NOT_SUSPENDED, message, agreement, term=term), change, refer=True)
            case State.UNKNOWN:
                # What cannot be a suspension yet is none: before the earliest begin nothing is unknown.
                if term.begin.earliest is not None and at < term.begin.earliest:
                    continue
                message = Message("It is not known when the suspension of {agreement} ended.", values)
                known = Message("the day on which {agreement} resumed", values)
                yield _Failure(_reason(RuleId.NOT_SUSPENDED, message, agreement, term=term), known, unknown=True)


def _ceiling(register: Register, agreement: Agreement, article: Article, label: Label) -> Iterator[_Failure]:
    values = {
        "agreement": agreement.id,
        "article": article.number,
        "marking": f"{label.policy} {label.classification}",
        "ceiling": article.ceiling or "",
    }
    if article.ceiling is None:
        message = Message("It is not known up to which marking {agreement} article {article} lets go.", values)
        change = Message("the ceiling of {agreement} article {article}", values)
        yield _Failure(_reason(RuleId.CEILING, message, agreement, article.number), change, unknown=True)
        return
    # Unclassified is the same in each policy; above it only the article's own policy is ordered against the ceiling.
    rank = register.ladder_rank(label.policy, label.classification)
    limit = register.ladder_rank(article.policy, article.ceiling)
    if rank is None or limit is None or (rank > 0 and label.policy != article.policy) or rank > limit:
        message = Message("{marking} is above the ceiling {ceiling} of {agreement} article {article}.", values)
        change = Message("a classification of {ceiling} or lower", values)
        yield _Failure(_reason(RuleId.CEILING, message, agreement, article.number), change, unknown=limit is None)


def _equivalent(register: Register, agreement: Agreement, label: Label, to_policy: str) -> Equivalence | _Failure:
    """How `agreement` has the receiver mark it; what is not verified, contradicts itself or names no rung is unknown."""
    values: dict[str, str | int | float] = {
        "agreement": agreement.id,
        "partner": to_policy,
        "marking": f"{label.policy} {label.classification}",
    }
    change = Message("the equivalent of {marking} in {agreement}", values)
    pairs = [e for e in agreement.equivalences if (e.policy, e.to_policy) == (label.policy, to_policy) and e.verified]
    same = [e for e in pairs if e.marking == label.classification]
    if not same:
        message = Message("It is not known how {partner} protects {marking} under {agreement}.", values)
        return _Failure(_reason(RuleId.EQUIVALENCE, message, agreement), change, unknown=True)
    equal = same[0]
    if any(e.to_marking != equal.to_marking for e in same):
        message = Message("{agreement} names several equivalents of {marking} for {partner}.", values)
        return _Failure(_reason(RuleId.EQUIVALENCE, message, agreement, equal.article), change, unknown=True)
    if not register.ladder_rank(to_policy, equal.to_marking):
        values |= {"article": equal.article, "policy": to_policy, "classification": equal.to_marking}
        message = Message("{agreement} article {article} names the marking {classification} of {policy}, unknown here.", values)
        known = Message("a verified ladder of the policy {policy} that holds {classification}", values)
        return _Failure(_reason(RuleId.EQUIVALENCE, message, agreement, equal.article), known, unknown=True)
    ranks = [(register.ladder_rank(e.policy, e.marking), register.ladder_rank(e.to_policy, e.to_marking)) for e in pairs]
    placed = [(rank, to_rank) for rank, to_rank in ranks if rank is not None and to_rank is not None]
    # Compared both ways, two names of one rung must have one equivalent.
    if any(one <= other and to_one > to_other for one, to_one in placed for other, to_other in placed):
        message = Message("The equivalences of {agreement} for {partner} place a higher marking below a lower one.", values)
        order = Message("equivalences in {agreement} that keep the order of the markings", values)
        return _Failure(_reason(RuleId.EQUIVALENCE, message, agreement, equal.article), order, unknown=True)
    return equal


def _protected(
    register: Register, holder: Party, label: Label, partner: Party, at: Instant
) -> tuple[list[_Failure], tuple[Obligation, ...], tuple[Reason, ...]]:
    """Information-security agreement for a classified product: what is wrong, the marking it asks for, and why."""
    if register.ladder_rank(label.policy, label.classification) in {0, None}:
        return [], (), ()
    nations = {nation_of(holder), nation_of(partner)}
    values = {
        "holder": nation_of(holder),
        "partner": nation_of(partner),
        "marking": f"{label.policy} {label.classification}",
    }
    failures: list[_Failure] = []
    for agreement in register.agreements:
        # What one nation agreed with another says nothing about two of its own organisations.
        between = len(nations) > 1 and nations <= set(agreement.parties)
        if agreement.kind is not AgreementKind.INFORMATION_SECURITY or not between:
            continue
        found = [*_in_force(agreement, at), *_not_suspended(register, agreement, at)]
        equal = _equivalent(register, agreement, label, nation_of(partner))
        if isinstance(equal, _Failure):
            found.append(equal)
        elif not found:
            message = Message(
                "{agreement} article {article} obliges {partner} to protect it as {equal}.",
                values | {"agreement": agreement.id, "article": equal.article, "equal": f"{equal.to_policy} {equal.to_marking}"},
            )
            mark = Obligation(ObligationKind.REMARK, f"{equal.to_policy} {equal.to_marking}", agreement.id, equal.article)
            return [], (mark,), (_reason(RuleId.EQUIVALENCE, message, agreement, equal.article),)
        failures += found
    if not failures:
        message = Message(
            "No information-security agreement between {holder} and {partner} is on file, and {marking} is classified.", values
        )
        change = Message("an information-security agreement between {holder} and {partner}", values)
        failures = [_Failure(Reason(RuleId.INFORMATION_SECURITY, message), change)]
    return failures, (), ()


def _articles(register: Register, giver: Party, kind: str | None, partner: Party) -> Iterator[tuple[Agreement, Article]]:
    for agreement in register.agreements:
        if agreement.kind is not AgreementKind.DECLARATION:
            for article in agreement.articles:
                if giver in article.givers and partner in article.receivers and (kind is None or kind in article.kinds):
                    yield agreement, article


def _candidates(register: Register, subject: Subject, partner: Party, at: Instant) -> Iterator[_Candidate]:
    insecure, marks, protections = _protected(register, subject.holder, subject.label, partner, at)
    # A label that is placed nowhere was refused before; of the others, none may carry what its parent may not.
    parents = [
        (ancestor, ancestor.label, bool(_protected(register, subject.holder, ancestor.label, partner, at)[0]))
        for ancestor in subject.ancestors
        if ancestor.label is not None and register.ladder_rank(ancestor.label.policy, ancestor.label.classification) is not None
    ]
    for agreement, article in _articles(register, subject.holder, subject.kind, partner):
        failures = [
            *_in_force(agreement, at),
            *_not_suspended(register, agreement, at),
            *_ceiling(register, agreement, article, subject.label),
            *insecure,
            *(
                _withheld_ancestor(ancestor, partner)
                for ancestor, label, exposed in parents
                if exposed or any(_ceiling(register, agreement, article, label))
            ),
        ]
        # Nothing is stripped of what has nothing to strip.
        idle = set() if subject.complex_data else {ObligationKind.DETECTED_ONLY}
        obligations = (*(o for o in article.obligations if o.kind not in idle), *marks)
        for obligation in obligations:
            if obligation.kind not in APPLICABLE:
                values = {"obligation": obligation.kind.value, "agreement": agreement.id, "article": article.number}
                message = Message("{agreement} article {article} asks for {obligation}, which this node cannot apply.", values)
                failures.append(_Failure(_reason(RuleId.OBLIGATIONS, message, agreement, article.number), unknown=True))
        values = {
            "agreement": agreement.id,
            "article": article.number,
            "giver": subject.holder,
            "partner": partner,
            "kind": subject.kind,
        }
        grant = Message("{agreement} article {article} lets {giver} give {kind} to {partner}.", values)
        reasons = (_reason(RuleId.GRANT, grant, agreement, article.number), *protections)
        yield _Candidate(agreement, article, tuple(failures), obligations, reasons)


def _refuse(failures: Iterable[_Failure]) -> Decision:
    failures = tuple(failures)
    # A person is asked only where nothing but a person's judgement is missing.
    outcome = Outcome.REFER if all(failure.refer for failure in failures) else Outcome.DENY
    changes = dict.fromkeys(failure.change.render() for failure in failures if failure.change is not None)
    by_text = {failure.change.render(): failure.change for failure in failures if failure.change is not None}
    return Decision(
        outcome,
        tuple(failure.reason for failure in failures),
        faults=tuple(Fault(f.reason.rule, f.reason.message) for f in failures if f.unknown),
        changes=tuple(Change(by_text[text]) for text in changes),
    )


def decide(register: Register, subject: Subject, partner: Party, valid_at: Instant, known_at: Instant) -> Decision:
    """Decide whether `partner` may have the subject, in which form, and why.

    Parameters
    ----------
    register
        All facts, whenever recorded.
    subject
        What is asked for.
    partner
        Who is to have it.
    valid_at
        Instant that the question is about.
    known_at
        What was recorded later is not looked at.

    Returns
    -------
    decision
        Permit, deny or refer, with every reason. Of several articles that permit, the one with the fewest obligations.
    """
    known = register.as_known(known_at)
    about_product = tuple(_about_product(known, subject, partner, valid_at))
    candidates = sorted(
        _candidates(known, subject, partner, valid_at),
        # What permits comes first, then what a person could decide, then what fails least.
        key=lambda c: (
            not all(f.refer for f in c.failures),
            len(c.failures),
            len(c.obligations),
            c.agreement.id,
            c.article.number,
        ),
    )
    if not candidates:
        values = {"giver": subject.holder, "kind": subject.kind, "partner": partner}
        message = Message("No agreement on file lets {giver} give {kind} to {partner}.", values)
        change = Message("an agreement that lets {giver} give {kind} to {partner}", values)
        return _refuse([*about_product, _Failure(Reason(RuleId.COVERED, message), change)])
    best = candidates[0]
    if about_product or best.failures:
        return _refuse([*about_product, *best.failures])
    return Decision(Outcome.PERMIT, best.reasons, obligations=best.obligations)


def suspended_grants(register: Register, giver: Party, partner: Party, at: Instant) -> tuple[Reason, ...] | None:
    """Why nothing goes to `partner` at all because of suspensions; None while any grant is live or none ever was.

    Only agreements that tell the partner of their suspension count: of the others the partner must not learn.
    """
    known = register.as_known(at)
    reasons: list[Reason] = []
    for agreement in {a.id: a for a, _ in _articles(known, giver, None, partner)}.values():
        if any(_in_force(agreement, at)):
            continue
        failures = tuple(_not_suspended(known, agreement, at))
        if not failures:
            return None
        if agreement.tells_partner:
            reasons += [failure.reason for failure in failures]
    return tuple(reasons) or None


def any_live_grant(register: Register, giver: Party, partner: Party, at: Instant) -> bool:
    """Whether any agreement that lets `giver` give to `partner` is in force and not suspended, whatever the product."""
    known = register.as_known(at)
    return any(
        not any(_in_force(agreement, at)) and not any(_not_suspended(known, agreement, at))
        for agreement, _article in _articles(known, giver, None, partner)
    )
