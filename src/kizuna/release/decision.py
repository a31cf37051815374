"""What a decision says: the outcome, its reasons, what is unknown, the form in which a product may go, what would change it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.instants import format_instant
from kizuna.release.remedies import smallest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant

__all__ = [
    "Change",
    "Decision",
    "Fault",
    "Grounds",
    "Obligation",
    "ObligationKind",
    "Outcome",
    "Reason",
    "decision_to_json",
    "nameless_parent",
]


class Outcome(StrEnum):
    """Result of a decision."""

    PERMIT = "permit"
    DENY = "deny"
    REFER = "refer"
    """A person must decide."""


class ObligationKind(StrEnum):
    """Form in which a product may go. A node that cannot apply one does not release."""

    DETECTED_ONLY = "detected-only"
    """Strip complex and raw data."""
    CAVEAT = "caveat"
    """Add this text to the label's caveats."""
    REMARK = "re-mark"
    """Mark it for the receiver in the receiver's own marking, beside the originator's label."""
    NO_ONWARD = "no-onward"
    """The receiver may not pass it on."""
    RESOLUTION = "resolution"
    """No finer than this many metres."""
    DELAY = "delay"
    """Not before this many hours after the observation."""
    AREA = "area"
    """Only what lies inside the area of the article."""
    PURPOSE = "purpose"
    """To be used for nothing else than this."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """One obligation.

    Parameters
    ----------
    kind
        What must be done.
    value
        Its parameter as text: the caveat's text, the marking, metres, hours; empty where it needs none.
    agreement
        Agreement that asks for it.
    article
        Its article.
    """

    kind: ObligationKind
    value: str
    agreement: str
    article: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, for or against.

    Parameters
    ----------
    rule
        Id of the rule (`kizuna.release.rules`).
    message
        One plain sentence.
    agreement, version, article
        Where the rule found it; None where the reason lies in the label or the register as a whole.
    begin, end
        Valid time over which the agreement (or the suspension) holds; None where open or unknown.
    since
        `begin` as the agreement writes it: a civil date, for people.
    fictional
        Whether the agreement is a fictional supplement.
    """

    rule: str
    message: Message
    agreement: str | None = None
    version: int | None = None
    article: str | None = None
    begin: Instant | None = None
    end: Instant | None = None
    fictional: bool = False
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that had to be known and was not (an unknown marking, an unknown date). Every fault denies."""

    rule: str
    message: Message


@dataclass(frozen=True, slots=True)
class Change:
    """One smallest set of facts that would turn a refusal."""

    message: Message


@dataclass(frozen=True, slots=True)
class Grounds:
    """What led to a decision.

    Parameters
    ----------
    reasons
        Why: for a permit the granting article first, for a refusal each rule that failed.
    faults
        What was unknown.
    suggested
        What each rule that failed suggests, the superfluous and the repeated with it (`kizuna.release.remedies`).
    """

    reasons: tuple[Reason, ...]
    faults: tuple[Fault, ...] = ()
    suggested: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """Outcome with everything that led to it.

    Parameters
    ----------
    outcome
        Permit, deny or refer.
    grounds
        What led to it. Of products whose parents are alike these are made once, and the parents have no names in them
        (`nameless_parent`): `reasons`, `faults` and `changes` give them theirs.
    obligations
        Form in which it may go; empty unless the outcome is permit.
    parents
        Names of the parents; empty where the grounds need none.
    """

    outcome: Outcome
    grounds: Grounds
    obligations: tuple[Obligation, ...] = ()
    parents: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decision) and self._said() == other._said()

    __hash__ = None  # type: ignore[assignment]

    def _said(self) -> tuple[object, ...]:
        return self.outcome, self.obligations, self.reasons, self.faults, self.suggested

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why: for a permit the granting article first, for a refusal each rule that failed."""
        if not self.parents:
            return self.grounds.reasons
        return tuple([replace(reason, message=_named(reason.message, self.parents)) for reason in self.grounds.reasons])

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What was unknown."""
        if not self.parents:
            return self.grounds.faults
        return tuple([Fault(fault.rule, _named(fault.message, self.parents)) for fault in self.grounds.faults])

    @property
    def suggested(self) -> tuple[Message, ...]:
        """What each rule that failed suggests, the superfluous and the repeated with it."""
        if not self.parents:
            return self.grounds.suggested
        return tuple([_named(message, self.parents) for message in self.grounds.suggested])

    @property
    def changes(self) -> tuple[Change, ...]:
        """What would turn a refusal: of all that is suggested, what is left when nothing superfluous is said."""
        return tuple([Change(message) for message in smallest(self.suggested)])

    @property
    def reduced(self) -> bool:
        """Whether it may go only with something taken away (a caveat or a second marking takes nothing away)."""
        kept = {ObligationKind.CAVEAT, ObligationKind.REMARK, ObligationKind.NO_ONWARD, ObligationKind.PURPOSE}
        return self.outcome is Outcome.PERMIT and any(o.kind not in kept for o in self.obligations)


_NAMELESS = re.compile("\0([0-9]+)\0")


def nameless_parent(number: int) -> str:
    """Stand for the name of a parent. No product has such a name."""
    return f"\0{number}\0"


def _named(message: Message, names: Sequence[str]) -> Message:
    """Give parents their names."""

    def name(found: re.Match[str]) -> str:
        return names[int(found[1])]

    values = {field: _NAMELESS.sub(name, value) if isinstance(value, str) else value for field, value in message.values.items()}
    return Message(message.template, values)


def _as_written(template: str) -> str:
    return template


def decision_to_json(decision: Decision, translate: Callable[[str], str] = _as_written) -> dict[str, Json]:
    """JSON form of `decision`, its sentences in the language of `translate`."""
    return {
        "outcome": decision.outcome.value,
        "reasons": [
            {
                "rule": reason.rule,
                "agreement": reason.agreement,
                "version": reason.version,
                "article": reason.article,
                "from": None if reason.begin is None else format_instant(reason.begin),
                "until": None if reason.end is None else format_instant(reason.end),
                "fictional": reason.fictional,
                "text": reason.message.render(translate),
            }
            for reason in decision.reasons
        ],
        "faults": [{"rule": fault.rule, "text": fault.message.render(translate)} for fault in decision.faults],
        "obligations": [
            {"kind": o.kind.value, "value": o.value, "agreement": o.agreement, "article": o.article} for o in decision.obligations
        ],
        "changes": [change.message.render(translate) for change in decision.changes],
    }
