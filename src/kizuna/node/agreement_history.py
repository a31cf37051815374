"""What a node's log says of one agreement: each version, suspension, resumption and withdrawal, who recorded it and when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kizuna.formats.agreement import NO_CIVIL_DATES, read_agreement
from kizuna.model.provenance import FactKind
from kizuna.node.founding import require_agreement

if TYPE_CHECKING:
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.node.state import Node
    from kizuna.release.agreements import Agreement, Suspension

__all__ = ["AgreementEvent", "agreement_history"]

_KINDS = frozenset(
    {
        FactKind.AGREEMENT_RECORDED,
        FactKind.AGREEMENT_SUSPENDED,
        FactKind.AGREEMENT_RESUMED,
        FactKind.AGREEMENT_WITHDRAWN,
    }
)


@dataclass(frozen=True, slots=True)
class AgreementEvent:
    """One fact about an agreement.

    Parameters
    ----------
    index
        Its place in the log.
    kind
        What happened.
    recorded_at, recorded_by, authority
        When this node learned it, from whom, by what authority.
    version
        The version that was recorded, with the time at which this node learned it; None for other facts.
    suspensions
        Suspensions that the document of a version states.
    at
        When it takes effect, as RFC 3339; None for a version, whose own term says it.
    reason
        One sentence; empty where none was given.
    """

    index: int
    kind: FactKind
    recorded_at: Instant
    recorded_by: str
    authority: str
    version: Agreement | None = None
    suspensions: tuple[Suspension, ...] = ()
    at: str | None = None
    reason: str = ""


def agreement_history(node: Node, id_: str) -> list[AgreementEvent]:
    """Facts about an agreement, in the order in which they were recorded.

    Raises
    ------
    InputError
        If this node knows no agreement of this id.
    """
    require_agreement(node, id_)
    events: list[AgreementEvent] = []
    for index, fact in node.journal.facts():
        if fact.kind not in _KINDS:
            continue
        body: dict[str, Json] = fact.body
        event = AgreementEvent(index, fact.kind, fact.recorded_at, fact.recorded_by, fact.authority)
        if fact.kind is FactKind.AGREEMENT_RECORDED:
            document = body["document"]
            if isinstance(document, dict) and document.get("id") == id_:
                agreement, suspensions = read_agreement(document, NO_CIVIL_DATES, recorded=True)
                version = replace(agreement, recorded_at=fact.recorded_at)
                events.append(replace(event, version=version, suspensions=suspensions))
        elif body.get("agreement") == id_:
            at = body["at"] if fact.kind is FactKind.AGREEMENT_WITHDRAWN else body["from"]
            events.append(replace(event, at=str(at), reason=str(body.get("reason") or "")))
    return events
