"""A node shows a partner exactly what an agreement in force allows, and can say why.

`decide` is a pure function of the facts, the subject, the partner and two instants: when the question is asked about (valid
time) and what was known when (recorded time). So a decision of last spring can be replayed today, or asked anew with what is
known now. The rules are those of `kizuna.release.rules`, in that order: a product goes if no rule about it fails, and none
about one and the same article.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kizuna.errors import Message
from kizuna.release.case import Case, Failure
from kizuna.release.columns import micros
from kizuna.release.decision import Decision, Fault, Obligation, ObligationKind, Outcome, Reason
from kizuna.release.plan import Said, lineage_of, plan_for
from kizuna.release.reasons import grant, protected_reason
from kizuna.release.standing import in_force, not_suspended
from kizuna.release.subject import Ancestor, Subject
from kizuna.release.view import APPLICABLE, NO_PURPOSE, millimetres, view_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.release.agreements import Agreement
    from kizuna.release.columns import ProductRow
    from kizuna.release.plan import Check, Way
    from kizuna.release.register import Register
    from kizuna.release.rules import Rule
    from kizuna.release.view import Question, View

    type _Asked = tuple[View, Question, Subject, Label, ProductRow, Instant]

__all__ = ["APPLICABLE", "Ancestor", "Subject", "any_live_grant", "decide", "decide_in", "suspended_grants"]

_MOST_KEPT = 20_000


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
    own = view.label_columns(label)
    lineage = lineage_of(view, subject, label, own) if subject.ancestors else None
    question = view.question(subject.holder, partner, purpose, valid_at)
    plan = plan_for(view, question, valid_at)
    scope = plan.scope(view, subject.kind)
    key = scope.key(view, subject, label, own, lineage, valid_at)
    kept = None if key is None else scope.decisions.get(key)
    if kept is not None:
        return kept
    row, now = plan.row(scope, view, subject, label, own, lineage, valid_at)
    forbidding, way, failed, refer = plan.judge(scope, own, row, now, derived=lineage is not None)
    asked = (view, question, subject, label, row, valid_at)
    if forbidding or failed:
        decision, shared = _refusal((*forbidding, *failed), way, asked, refer=refer)
    else:
        assert way is not None  # noqa: S101 - INVARIANT: where no article covers a product, a rule fails
        decision, shared = _permit(way, Case(*asked, way.entry)), True
    return _keep(scope.decisions, key, decision) if shared and key is not None else decision


def _permit(way: Way, case: Case) -> Decision:
    row, article = way.entry.row, way.entry.article
    idle = {ObligationKind.DELAY}
    # Nothing is stripped of what has nothing to strip; a delay that has passed is over.
    if not case.subject.complex_data:
        idle.add(ObligationKind.DETECTED_ONLY)
    if row.finest <= millimetres(case.subject.resolution_m):
        idle.add(ObligationKind.RESOLUTION)
    if case.view.place_columns(case.subject.placement)[0] & row.areas:
        idle.add(ObligationKind.AREA)
    marks, protections = protected_reason(case)
    agreement = way.entry.agreement.id
    purposes = (
        (Obligation(ObligationKind.PURPOSE, "; ".join(article.purposes), agreement, article.number),) if article.purposes else ()
    )
    obligations = (*(o for o in article.obligations if o.kind not in idle), *purposes, *marks)
    return Decision(Outcome.PERMIT, (grant(case), *protections), obligations=obligations)


def _refusal(failing: Iterable[Check], way: Way | None, asked: _Asked, *, refer: bool) -> tuple[Decision, bool]:
    """Say why a product does not go, and whether the same is to be said of others."""
    view, _, subject, label, _, _ = asked
    shared = True
    parts = []
    for check in failing:
        key = None if check.parents and subject.ancestors else check.key(view, subject, label)
        said = None if key is None else check.said.get(key)
        if said is None:
            entry = None if check.rule.about_product or way is None else way.entry
            said = Said(tuple(check.explain(Case(*asked, entry))) or _unexplained(check.rule))
            if key is None:
                shared = False
            else:
                _keep(check.said, key, said)
        parts.append(said)
    if not shared:
        return _new_refusal(parts, refer=refer), False
    # What was said is kept, and so stays what it is: parts are told from each other by which they are.
    key = (refer, *parts)
    found = view.refusals.get(key)
    if not isinstance(found, Decision):
        found = _keep(view.refusals, key, _new_refusal(parts, refer=refer))
    return found, True


def _new_refusal(parts: Iterable[Said], *, refer: bool) -> Decision:
    failures = [failure for said in parts for failure in said.failures]
    # Two failures with one reason can suggest different things.
    suggested = tuple([failure.change for failure in failures if failure.change is not None])
    if len(failures) > 1:
        # An agreement can stand in the way twice, as what grants and as what protects: it is said once.
        failures = list({(f.reason.rule, *_said(f.reason.message)): f for f in failures}.values())
    return Decision(
        # A person is asked only where nothing but a person's judgement is missing.
        Outcome.REFER if refer else Outcome.DENY,
        tuple([failure.reason for failure in failures]),
        faults=tuple([Fault(f.reason.rule, f.reason.message) for f in failures if f.unknown]),
        suggested=suggested,
    )


def _said(message: Message) -> tuple[object, ...]:
    return (message.template, *message.values.values())


def _unexplained(rule: Rule) -> tuple[Failure, ...]:
    """Say of a rule at least that it does not hold."""
    message = Message("This does not hold: {sentence}", {"sentence": rule.sentence})
    return (Failure(Reason(rule.id, message)),)


def _keep[T](kept: dict[object, Any], key: object, value: T) -> T:
    if len(kept) > _MOST_KEPT:
        kept.clear()
    kept[key] = value
    return value


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
