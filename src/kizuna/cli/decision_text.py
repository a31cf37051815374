"""A decision as people read it in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.cli.terminal import _
from kizuna.model.instants import format_instant
from kizuna.release.decision import ObligationKind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.release.decision import Decision, Obligation, Reason

__all__ = ["decision_lines", "obligation_words", "outcome_word"]


def outcome_word(decision: Decision) -> str:
    """Outcome in one word, as people read it."""
    if decision.reduced:
        return _("REDUCED")
    return {Outcome.PERMIT: _("PERMIT"), Outcome.DENY: _("DENY"), Outcome.REFER: _("REFER")}[decision.outcome]


def obligation_words(obligation: Obligation) -> str:
    """Obligation in a few words: in English those of the agreement's file."""
    kind = {
        ObligationKind.DETECTED_ONLY: _("detected-only"),
        ObligationKind.CAVEAT: _("caveat"),
        ObligationKind.REMARK: _("re-mark"),
        ObligationKind.NO_ONWARD: _("no-onward"),
        ObligationKind.RESOLUTION: _("resolution"),
        ObligationKind.DELAY: _("delay"),
        ObligationKind.AREA: _("area"),
        ObligationKind.PURPOSE: _("purpose"),
    }[obligation.kind]
    return f"{kind} {obligation.value}".rstrip()


def _held(reason: Reason) -> str:
    parts = []
    if reason.agreement is not None:
        parts.append(f"{reason.agreement} v{reason.version}")
    if reason.article is not None:
        parts.append(_("article {number}").format(number=reason.article))
    if reason.since is not None:
        parts.append(_("since {date}").format(date=reason.since))
    if reason.end is not None:
        parts.append(_("until {instant}").format(instant=format_instant(reason.end)))
    if reason.fictional:
        parts.append(_("FICTIONAL"))
    return ", ".join(parts)


def decision_lines(decision: Decision) -> Iterator[str]:
    """A decision as people read it."""
    for reason in decision.reasons:
        held = _held(reason)
        yield f"  {reason.message.render(_)}" + (f"  [{held}]" if held else "")
    unknown = {fault.message.render(_) for fault in decision.faults}
    for text in sorted(unknown):
        yield "  " + _("unknown: {what}").format(what=text)
    for obligation in decision.obligations:
        text = obligation_words(obligation)
        yield "  " + _("obligation: {what} ({agreement} article {article})").format(
            what=text, agreement=obligation.agreement, article=obligation.article
        )
    for change in decision.changes:
        yield "  " + _("would change it: {what}").format(what=change.message.render(_))
