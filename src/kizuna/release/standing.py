"""How an agreement stands at an instant, in words: in force, withdrawn from, suspended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.instants import Instant, format_instant
from kizuna.model.reading import one_line
from kizuna.release.agreements import State
from kizuna.release.case import Failure, Values, cite
from kizuna.release.remedies import linked
from kizuna.release.rules import RuleId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.release.agreements import Agreement, Term
    from kizuna.release.register import Register
    from kizuna.release.view import View

__all__ = ["in_force", "not_standing", "not_suspended", "not_withdrawn"]


def _about_to_end(term: Term, at: Instant) -> bool:
    """Whether it is the end of a term, not its begin, about which nobody can say on which side `at` lies."""
    return term.end is not None and term.end.earliest is not None and at >= term.end.earliest


def _standing(change: Message, *, settles: str = "") -> Message:
    """Change for an agreement to stand, of no use where a new one takes its place."""
    return linked(change, needed_for=[f"standing {change.values['agreement']}"], settles=[settles] if settles else ())


def in_force(agreement: Agreement, at: Instant) -> Iterator[Failure]:
    """Why an agreement is not in force at an instant, if it is not."""
    begin, end = agreement.term.begin, agreement.term.end
    values: Values = {"agreement": agreement.id, "begin": begin.text, "end": "" if end is None else end.text}
    known = Message("{agreement} known to be in force then", values)
    match agreement.term.state(at):
        case State.WITHIN:
            return
        case State.BEFORE:
            message = Message("{agreement} is in force only from {begin}.", values)
            change = Message("in force from {begin} ({agreement})", values)
            yield Failure(cite(RuleId.IN_FORCE, message, agreement), _standing(change))
        case State.AFTER if agreement.followed_by:
            values |= {"version": agreement.version, "next": agreement.followed_by}
            message = Message("Version {version} of {agreement} held until {end}: since then version {next} applies.", values)
            change = Message("a version of {agreement} above {next} that lets it go", values)
            yield Failure(cite(RuleId.IN_FORCE, message, agreement), _standing(change))
        case State.AFTER:
            message = (
                Message("{agreement} has ended ({end}).", values)
                if end is not None and end.exact is None
                else Message("{agreement} ended on {end}.", values)
            )
            # What begins nobody knows when is not in force with another end either.
            change = known if begin.latest is None or begin.latest > at else Message("a renewal of {agreement}", values)
            yield Failure(cite(RuleId.IN_FORCE, message, agreement), _standing(change))
        case State.PERHAPS:
            message = (
                Message("{agreement} ends about then ({end}): a person must decide.", values)
                if _about_to_end(agreement.term, at)
                else Message("{agreement} begins about then ({begin}): a person must decide.", values)
            )
            yield Failure(cite(RuleId.IN_FORCE, message, agreement), _standing(known))
        case State.UNKNOWN:
            message = Message("It is not known from when to when {agreement} is in force.", values)
            change = Message("the dates of {agreement}; then ask again", values)
            yield Failure(cite(RuleId.IN_FORCE, message, agreement), _standing(change), unknown=True)


def not_suspended(register: Register, agreement: Agreement, at: Instant) -> Iterator[Failure]:
    """Why an agreement is (or may be) suspended at an instant, if it is."""
    for suspension, term in register.suspension_terms(agreement.id):
        values: Values = {
            "agreement": agreement.id,
            "begin": term.begin.text,
            "end": "" if term.end is None else term.end.text,
            "reason": one_line(suspension.reason),
        }
        resumed = f"resumed {agreement.id}"
        change = _standing(Message("the resumption of {agreement}", values), settles=resumed)
        match term.state(at):
            case State.BEFORE | State.AFTER:
                continue
            case State.WITHIN:
                message = Message("{agreement} is suspended since {begin}: {reason}", values)
                yield Failure(cite(RuleId.NOT_SUSPENDED, message, agreement, term=term), change)
            case State.PERHAPS:
                message = (
                    Message("{agreement} resumed about then ({end}): a person must decide.", values)
                    if _about_to_end(term, at)
                    else Message("{agreement} was suspended about then ({begin}): a person must decide.", values)
                )
                known = _standing(Message("{agreement} known not to be suspended then", values))
                yield Failure(cite(RuleId.NOT_SUSPENDED, message, agreement, term=term), linked(known, needed_for=[resumed]))
            case State.UNKNOWN:
                # What cannot be a suspension yet is none: before the earliest begin nothing is unknown.
                if term.begin.earliest is not None and at < term.begin.earliest:
                    continue
                message = Message("It is not known when the suspension of {agreement} ended.", values)
                known = Message("the day on which {agreement} resumed; then ask again", values)
                change = linked(_standing(known), needed_for=[resumed])
                yield Failure(cite(RuleId.NOT_SUSPENDED, message, agreement, term=term), change, unknown=True)


def not_withdrawn(register: Register, agreement: Agreement, at: Instant) -> Iterator[Failure]:
    """Who has withdrawn from an agreement by an instant, if anybody has."""
    for withdrawal in register.withdrawals:
        if withdrawal.agreement == agreement.id and withdrawal.at <= at:
            values: Values = {
                "agreement": agreement.id,
                "begin": format_instant(withdrawal.at),
                "reason": one_line(withdrawal.reason),
            }
            message = Message("A party has withdrawn from {agreement} since {begin}: {reason}", values)
            change = Message("a new agreement in the place of {agreement}", values)
            settled = linked(change, settles=[f"standing {agreement.id}"])
            yield Failure(cite(RuleId.NOT_WITHDRAWN, message, agreement), settled)


def not_standing(view: View, agreement: Agreement, at: Instant) -> Iterator[Failure]:
    """All that keeps an agreement from standing at an instant."""
    yield from in_force(agreement, at)
    yield from not_withdrawn(view.register, agreement, at)
    yield from not_suspended(view.register, agreement, at)
