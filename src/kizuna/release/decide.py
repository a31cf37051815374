"""A node shows a partner exactly what an agreement in force allows, and can say why.

`decide` is a pure function of the facts, the subject, the partner and two instants: when the question is asked about (valid
time) and what was known when (recorded time). So a decision of last spring can be replayed today, or asked anew with what is
known now. The rules are those of `kizuna.release.rules`, in that order: a product goes if no rule about it fails, and none
about one and the same article.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.release.case import Case, Failure
from kizuna.release.columns import micros
from kizuna.release.decision import Decision, Fault, Grounds, Obligation, ObligationKind, Outcome, Reason
from kizuna.release.lineage import lineage_of
from kizuna.release.measured import millimetres
from kizuna.release.plan import Said, plan_for
from kizuna.release.reasons import grant, protected_label, protected_reason
from kizuna.release.standing import in_force, not_suspended
from kizuna.release.subject import Ancestor, Subject
from kizuna.release.view import APPLICABLE, NO_PURPOSE, view_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.release.agreements import Agreement
    from kizuna.release.columns import ProductRow
    from kizuna.release.lineage import Lineage
    from kizuna.release.plan import Check, Key, Verdict, Way
    from kizuna.release.register import Register
    from kizuna.release.rules import Rule
    from kizuna.release.view import Question, View

    type _Asked = tuple[View, Question, Subject, Label, ProductRow, Instant]

__all__ = ["APPLICABLE", "Ancestor", "Subject", "any_live_grant", "decide", "decide_in", "suspended_grants"]

_MOST_KEPT = 20_000
_NAMELESS = ("",)
"""Stands for the names of parents that have none yet."""
_MAY_BE_IDLE = (ObligationKind.DELAY, ObligationKind.DETECTED_ONLY, ObligationKind.RESOLUTION, ObligationKind.AREA)


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
    lineage = lineage_of(view, subject) if subject.ancestors else None
    # As a rule the same is asked again, between the same dates.
    asking = (subject.holder, partner, purpose, subject.kind)
    latest = view.scopes.get(asking)
    if latest is not None and latest[0] <= valid_at < latest[1] and latest[2] == len(view.needs.bits):
        scope = latest[3]
    else:
        question = view.question(subject.holder, partner, purpose, valid_at)
        scope = plan_for(view, question, valid_at).scope(view, subject.kind)
        _keep(view.scopes, asking, (*view.dates_about(valid_at), question.needs_known, scope))
    key = scope.key(view, subject, label, own, lineage, valid_at)
    found = None if key is None else scope.decisions.get(key)
    if found is None:
        plan = scope.plan
        row, now = plan.row(scope, view, subject, label, own, lineage, valid_at), plan.asked(valid_at)
        verdict = plan.judge(scope, own, row, now, derived=lineage is not None)
        asked = (view, plan.question, subject, label, row, valid_at)
        found, shared = _decision(verdict, asked, lineage, key)
        if key is not None and shared:
            _keep(scope.decisions, key, found)
    if lineage is None or not found.parents:
        return found
    return Decision(found.outcome, found.grounds, found.obligations, lineage.names)


def _decision(verdict: Verdict, asked: _Asked, lineage: Lineage | None, key: Key | None) -> tuple[Decision, bool]:
    """Say what follows, and whether it does for all products of which the question looks at the same (`key`)."""
    forbidding, way, failed, refer = verdict
    if not forbidding and not failed:
        assert way is not None  # noqa: S101 - INVARIANT: where no article covers a product, a rule fails
        return _permit(way, Case(*asked, way.entry)), True
    if lineage is None:
        told = [_said(check, way, asked) for check in (*forbidding, *failed)]
    else:
        told = [_said_of_derived(check, way, asked, lineage, key) for check in (*forbidding, *failed)]
    parts = tuple([said for said, _ in told])
    if not all(kept for _, kept in told):
        return _refusal(parts, refer=refer), False
    # What was said is kept, and so stays what it is: parts are told from each other by which they are.
    refusals = asked[0].refusals
    return refusals.get((refer, parts)) or _keep(refusals, (refer, parts), _refusal(parts, refer=refer)), True


def _said(check: Check, way: Way | None, asked: _Asked) -> tuple[Said, bool]:
    """What a rule that fails says, and whether that is kept for others of which it says the same."""
    view, _, subject, label, _, _ = asked
    key = check.key(view, subject, label)
    found = None if key is None else check.said.get(key)
    if found is None:
        found = Said(_failures(check, way, asked))
        if key is None:
            return found, False
        _keep(check.said, key, found)
    return found, True


def _said_of_derived(check: Check, way: Way | None, asked: _Asked, lineage: Lineage, key: Key | None) -> tuple[Said, bool]:
    """The same of a product that is derived from others: what is kept of these names none of them."""
    if not check.parents:
        return _said(check, way, asked)
    if key is None:
        return Said(_failures(check, way, asked)), False
    found = check.said.get(key[:3])
    if found is None:
        view, question, subject, label, row, at = asked
        asked = (view, question, lineage.nameless(subject), label, row, at)
        found = _keep(check.said, key[:3], Said(_failures(check, way, asked), nameless=True))
    return found, True


def _failures(check: Check, way: Way | None, asked: _Asked) -> tuple[Failure, ...]:
    entry = None if check.rule.about_product or way is None else way.entry
    return tuple(check.explain(Case(*asked, entry))) or _unexplained(check.rule)


def _permit(way: Way, case: Case) -> Decision:
    subject, row = case.subject, way.entry.row
    protected = protected_label(case)
    # Nothing is stripped of what has nothing to strip; a delay that has passed is over.
    idle = (
        not subject.complex_data,
        row.finest <= millimetres(subject.resolution_m),
        bool(row.areas and case.view.place_columns(subject.placement)[0] & row.areas),
    )
    marking = None if protected is None else (protected.policy, protected.classification)
    key = (subject.kind, idle, marking)
    return way.permits.get(key) or _keep(way.permits, key, _new_permit(way, case, idle, protected))


def _new_permit(way: Way, case: Case, idle: tuple[bool, bool, bool], protected: Label | None) -> Decision:
    unneeded = {kind for kind, is_idle in zip(_MAY_BE_IDLE, (True, *idle), strict=True) if is_idle}
    article, agreement = way.entry.article, way.entry.agreement.id
    marks, protections = ((), ()) if protected is None else protected_reason(case, protected)
    purposes = (
        (Obligation(ObligationKind.PURPOSE, "; ".join(article.purposes), agreement, article.number),) if article.purposes else ()
    )
    obligations = (*(o for o in article.obligations if o.kind not in unneeded), *purposes, *marks)
    return Decision(Outcome.PERMIT, Grounds((grant(case), *protections)), obligations)


def _refusal(parts: Sequence[Said], *, refer: bool) -> Decision:
    failures = [failure for said in parts for failure in said.failures]
    # Two failures with one reason can suggest different things.
    suggested = tuple([failure.change for failure in failures if failure.change is not None])
    if len(failures) > 1:
        # An agreement can stand in the way twice, as what grants and as what protects: it is said once.
        failures = list({(f.reason.rule, *_words(f.reason.message)): f for f in failures}.values())
    faults = tuple([Fault(f.reason.rule, f.reason.message) for f in failures if f.unknown])
    # A person is asked only where nothing but a person's judgement is missing.
    outcome = Outcome.REFER if refer else Outcome.DENY
    grounds = Grounds(tuple([f.reason for f in failures]), faults, suggested)
    return Decision(outcome, grounds, parents=_NAMELESS if any(said.nameless for said in parts) else ())


def _words(message: Message) -> tuple[object, ...]:
    return (message.template, *message.values.values())


def _unexplained(rule: Rule) -> tuple[Failure, ...]:
    """Say of a rule at least that it does not hold."""
    message = Message("This does not hold: {sentence}", {"sentence": rule.sentence})
    return (Failure(Reason(rule.id, message)),)


def _keep[K, V](kept: dict[K, V], key: K, value: V) -> V:
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
