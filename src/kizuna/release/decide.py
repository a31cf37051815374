"""A node shows a partner exactly what an agreement in force allows, and can say why.

`decide` is a pure function of the facts, the subject, the partner and two instants: when the question is asked about (valid
time) and what was known when (recorded time). So a decision of last spring can be replayed today, or asked anew with what is
known now. The rules are those of `kizuna.release.rules`, in that order: a product goes if no rule about it fails, and none
about one and the same article.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.release.case import Case, Failure, Kept
from kizuna.release.columns import micros
from kizuna.release.decision import Change, Decision, Fault, Obligation, ObligationKind, Outcome, Reason
from kizuna.release.expressions import columns_of, trace
from kizuna.release.reasons import EXPLANATIONS, grant, protected_reason
from kizuna.release.rules import RULES, RuleId
from kizuna.release.standing import in_force, not_suspended
from kizuna.release.subject import Ancestor, Subject
from kizuna.release.view import APPLICABLE, NO_PURPOSE, view_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.release.agreements import Agreement
    from kizuna.release.columns import ArticleRow, ProductRow, QuestionRow
    from kizuna.release.register import Register
    from kizuna.release.rules import Rule
    from kizuna.release.view import Entry, Question, View

__all__ = ["APPLICABLE", "Ancestor", "Subject", "any_live_grant", "decide", "decide_in", "suspended_grants"]

_MOST_KEPT = 20_000

_PRODUCT_RULES = tuple(rule for rule in RULES if rule.about_product)
_ARTICLE_RULES = tuple(rule for rule in RULES if not rule.about_product)
# Rules that look at nothing of the product hold, or not, for a question as a whole.
_SETTLED = tuple(rule for rule in _ARTICLE_RULES if all(column.side != "p" for column in columns_of(trace(rule.holds))))
_OPEN = tuple(rule for rule in _ARTICLE_RULES if rule not in _SETTLED and rule.id is not RuleId.COVERED)
_COVERED = next(rule for rule in RULES if rule.id is RuleId.COVERED)


def decide(
    register: Register, subject: Subject, partner: Party, valid_at: Instant, known_at: Instant, purpose: str = NO_PURPOSE
) -> Decision:
    """Decide whether `partner` may have `subject`.

    Parameters
    ----------
    register
        All facts.
    subject
        The product, and who is asked to hand it over.
    partner
        Who would receive it.
    valid_at
        Instant that the question is about.
    known_at
        What was recorded after this instant is left out.
    purpose
        What the partner would use it for; where none is stated, the purposes of the article go with it.

    Returns
    -------
    decision
        Permit with the obligations of the granting article that asks for least; refer if a person's judgement is all that is
        missing; deny otherwise. Each with every reason.

    Notes
    -----
    Of several articles the one with the fewest failing rules is explained, so that what would change the decision is the
    smallest set of facts that would.
    """
    return decide_in(view_of(register, known_at), subject, partner, valid_at, purpose)


def decide_in(view: View, subject: Subject, partner: Party, valid_at: Instant, purpose: str = NO_PURPOSE) -> Decision:
    """Decide in a view of the register (`kizuna.release.view.view_of`), as `decide` does."""
    label = view.label_of(subject.product, subject.label)
    # A label may hold a need that no question was compiled with yet: labels are looked at before the question is.
    view.label_columns(label)
    parents = [view.label_of(ancestor.product, ancestor.label) for ancestor in subject.ancestors if ancestor.label is not None]
    for parent in parents:
        view.label_columns(parent)
    if parents:
        view.common_needs([label, *parents])
    question = view.question(subject.holder, partner, purpose, valid_at)
    key = _common(subject, label, parents, question, valid_at)
    verdict = None if key is None else question.compiled.get(key)
    if not isinstance(verdict, _Verdict):
        verdict = _judge(view, question, subject, label, valid_at)
        if key is not None:
            _keep(question, key, verdict)
    if verdict.decision is not None:
        return verdict.decision
    decision = _explain(Case(view, question, subject, label, verdict.product, valid_at), verdict)
    if key is not None and not parents:
        # What is said of a product that is derived from nothing is said of all that are like it.
        verdict.decision = decision
    return decision


def _common(
    subject: Subject, label: Label, parents: Sequence[Label], question: Question, at: Instant
) -> tuple[object, ...] | None:
    """What the rules see of an ordinary product, if nothing else enters.

    That is a product of the holder's own, made of its own, all labels current, asked for under articles that look neither at
    times nor at places nor at resolutions. Of such products many are alike.
    """
    holder = subject.holder
    if (
        not question.plain
        or subject.originator != holder
        or len(parents) != len(subject.ancestors)
        or any(ancestor.originator != holder for ancestor in subject.ancestors)
    ):
        return None
    seen: list[object] = [subject.kind, subject.complex_data]
    for one in (label, *parents):
        if one.originator != holder or one.created > at or (one.review is not None and one.review <= at):
            return None
        seen += (one.policy, one.classification, one.releasable_to, one.categories)
    return tuple(seen)


def _keep[T](question: Question, key: object, value: T) -> T:
    if len(question.compiled) > _MOST_KEPT:
        question.compiled.clear()
    question.compiled[key] = value
    return value


@dataclass(slots=True)
class _Verdict:
    """What the rules say of a product: which fail for it, and for the article that is nearest to letting it go, if any covers it.

    `decision` is there where nothing is left to be said of the single product.
    """

    product: ProductRow
    forbidding: list[Rule]
    nearest: Entry | None
    failed: list[Rule]
    refer: bool
    decision: Decision | None = None


def _judge(view: View, question: Question, subject: Subject, label: Label, at: Instant) -> _Verdict:
    """Run the rules."""
    product = view.product_row(subject, label, question.partner, at)
    asked = question.row(micros(at))
    forbidding = [rule for rule in _PRODUCT_RULES if not rule.holds(product, _NO_ARTICLE, asked)]
    best: tuple[Entry, list[Rule], bool] | None = None
    place: tuple[object, ...] = ()
    for entry, settled in _settled(question, asked):
        row = entry.row
        if not _COVERED.holds(product, row, asked):
            continue
        failed = settled + [rule for rule in _OPEN if not rule.holds(product, row, asked)]
        referred = _refers(failed, product, row, asked)
        agreement, article = entry.agreement, entry.article
        # What permits comes first, then what a person could decide, then what fails least.
        rank = (not referred, len(failed), len(article.obligations), agreement.id, article.number)
        if best is None or rank < place:
            best, place = (entry, failed, referred), rank
    if best is None:
        return _Verdict(product, forbidding, None, [_COVERED], refer=False)
    entry, failed, referred = best
    refer = referred and _refers(forbidding, product, _NO_ARTICLE, asked)
    verdict = _Verdict(product, forbidding, entry, failed, refer)
    if not failed and not forbidding:
        verdict.decision = _permit(Case(view, question, subject, label, product, at, entry))
    return verdict


def _explain(case: Case, verdict: _Verdict) -> Decision:
    """Say why a product does not go."""
    said = [_explained(case, rule) for rule in verdict.forbidding]
    case.entry = verdict.nearest
    said += [_explained(case, rule) for rule in verdict.failed]
    return _refuse(said, refer=verdict.refer)


def _settled(question: Question, asked: QuestionRow) -> list[tuple[Entry, list[Rule]]]:
    """Articles of a question, each with the rules that fail for it whatever the product."""
    kept = question.compiled.get("settled")
    if isinstance(kept, list):
        return kept
    found = [(entry, [rule for rule in _SETTLED if not rule.holds(_NO_PRODUCT, entry.row, asked)]) for entry in question.entries]
    return _keep(question, "settled", found)


def _refers(failed: Iterable[Rule], product: ProductRow, row: ArticleRow, asked: QuestionRow) -> bool:
    """Whether a person may decide on each of these rules."""
    return all(rule.refers is not None and rule.refers(product, row, asked) for rule in failed)


class _NothingRow:
    """Stands for the row that a rule does not look at."""

    __slots__ = ()


_NO_ARTICLE: ArticleRow = _NothingRow()  # type: ignore[assignment]
_NO_PRODUCT: ProductRow = _NothingRow()  # type: ignore[assignment]


def _explained(case: Case, rule: Rule) -> tuple[Failure, ...]:
    """What a failing rule says: something, always."""
    explanation = EXPLANATIONS[rule.id]
    subject, label = case.subject, case.label
    # Entries live as long as the question that keeps what is said of them.
    entry = id(case.entry)
    match explanation.kept:
        case Kept.ALL:
            key: object = (rule.id, entry)
        case Kept.KIND:
            key = (rule.id, entry, subject.holder, subject.kind)
        case Kept.LABEL if not subject.ancestors:
            key = (
                rule.id,
                entry,
                subject.originator,
                label.policy,
                label.classification,
                label.releasable_to,
                label.categories,
            )
        case _:
            return tuple(explanation.explain(case)) or _unexplained(rule)
    found = case.question.compiled.get(key)
    if isinstance(found, tuple):
        return found
    return _keep(case.question, key, tuple(explanation.explain(case)) or _unexplained(rule))


def _unexplained(rule: Rule) -> tuple[Failure, ...]:
    """Say of a rule at least that it does not hold."""
    message = Message("This does not hold: {sentence}", {"sentence": rule.sentence})
    return (Failure(Reason(rule.id, message)),)


def _permit(case: Case) -> Decision:
    entry, product = case.article, case.product
    row, article = entry.row, entry.article
    idle = {ObligationKind.DELAY}
    # Nothing is stripped of what has nothing to strip; a delay that has passed is over.
    if not product.phase:
        idle.add(ObligationKind.DETECTED_ONLY)
    if row.finest <= product.resolution:
        idle.add(ObligationKind.RESOLUTION)
    if product.inside & row.areas:
        idle.add(ObligationKind.AREA)
    marks, protections = protected_reason(case)
    purposes = (
        (Obligation(ObligationKind.PURPOSE, "; ".join(article.purposes), entry.agreement.id, article.number),)
        if article.purposes
        else ()
    )
    obligations = (*(o for o in article.obligations if o.kind not in idle), *purposes, *marks)
    return Decision(Outcome.PERMIT, (grant(case), *protections), obligations=obligations)


def _refuse(said: Sequence[tuple[Failure, ...]], *, refer: bool) -> Decision:
    # An agreement can stand in the way twice, as what grants and as what protects: it is said once.
    once = {(f.reason.rule, *_said(f.reason.message)): f for failures in said for f in failures}.values()
    changes = {_said(f.change): f.change for f in once if f.change is not None}.values()
    return Decision(
        # A person is asked only where nothing but a person's judgement is missing.
        Outcome.REFER if refer else Outcome.DENY,
        tuple([failure.reason for failure in once]),
        faults=tuple([Fault(f.reason.rule, f.reason.message) for f in once if f.unknown]),
        changes=tuple([Change(change) for change in changes]),
    )


def _said(message: Message) -> tuple[object, ...]:
    return (message.template, *message.values.values())


def suspended_grants(register: Register, giver: Party, partner: Party, at: Instant) -> tuple[Reason, ...] | None:
    """Why nothing goes to `partner` at all because of suspensions; None while any grant is live or none ever was.

    Only agreements that tell the partner of their suspension count: of the others the partner must not learn.
    """
    view = view_of(register, at)
    reasons: list[Reason] = []
    for agreement in _granting(view, giver, partner):
        if any(in_force(agreement, at)) or micros(at) >= view.withdrawn(agreement.id):
            continue
        failures = tuple(not_suspended(view.register, agreement, at))
        if not failures:
            return None
        if agreement.tells_partner:
            reasons += [failure.reason for failure in failures]
    return tuple(reasons) or None


def any_live_grant(register: Register, giver: Party, partner: Party, at: Instant) -> bool:
    """Whether any agreement that lets `giver` give to `partner` is in force and not suspended, whatever the product."""
    view = view_of(register, at)
    return any(
        not any(in_force(agreement, at))
        and not any(not_suspended(view.register, agreement, at))
        and micros(at) < view.withdrawn(agreement.id)
        for agreement in _granting(view, giver, partner)
    )


def _granting(view: View, giver: Party, partner: Party) -> Iterable[Agreement]:
    return {agreement.id: agreement for agreement, _ in view.articles(giver, partner)}.values()
