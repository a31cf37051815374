"""Who may be told that we want an image: asking for one is itself intelligence.

A request is decided like a product of the kind ``request``: its label, its area, and the time that it is about are those of the
request; its originator is whose label it bears. So a provider learns of it only where an agreement in force covers requests,
and it alone. What the node's own organisation flies may be told of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.formats.agreement_areas import area_to_json
from kizuna.model.canonical import canonical
from kizuna.model.digests import digest_of
from kizuna.model.instants import Interval, format_instant
from kizuna.model.label import label_to_json
from kizuna.model.product import Footprint
from kizuna.model.provenance import FactKind
from kizuna.model.regions import NOWHERE_KNOWN
from kizuna.release.decide import decide
from kizuna.release.decision import ObligationKind, Outcome, decision_to_json
from kizuna.release.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kizuna.catalog.areas import Placer
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.regions import Placement
    from kizuna.node.state import Node
    from kizuna.planning.tasking import ImageRequest
    from kizuna.release.decision import Decision
    from kizuna.release.register import Register

__all__ = ["REQUEST_KIND", "binds_alone", "decide_telling", "placement_of", "record_telling", "telling", "told_of"]

REQUEST_KIND = "request"
"""Kind by which agreements name requests for images."""

# These bind the receiver by the agreement alone. An order has no place for a marking or a caveat; and one that must be coarser,
# later or cut is another request, which nobody made.
_BIND_ALONE = frozenset({ObligationKind.NO_ONWARD, ObligationKind.PURPOSE, ObligationKind.DETECTED_ONLY})


def _outline(request: ImageRequest) -> Footprint | None:
    """The area's outline; None of one in several parts, which then lies inside nothing and perhaps in touch with all."""
    polygons = request.area.polygons
    return Footprint(polygons[0][0]) if len(polygons) == 1 and len(polygons[0]) == 1 else None


def telling(
    register: Register, request: ImageRequest, holder: Party, partner: Party, placement: Placement, at: Instant, known_at: Instant
) -> Decision:
    """Whether a partner may be told of a request by a register, with every reason.

    Parameters
    ----------
    register
        All facts.
    request
        What would be told.
    holder, partner
        Who would tell, and whom.
    placement
        How the request's area lies to those that agreements name.
    at, known_at
        When, as known when.
    """
    subject = Subject(
        product=f"{REQUEST_KIND}/{request.id}",
        kind=REQUEST_KIND,
        originator=request.label.originator,
        holder=holder,
        label=request.label,
        complex_data=False,
        event=Interval(request.begin, request.deadline),
        produced=request.label.created,
        placement=placement,
    )
    return decide(register, subject, partner, at, known_at)


def placement_of(request: ImageRequest, placer: Placer) -> Placement:
    """How a request's area lies to those that agreements name."""
    outline = _outline(request)
    return NOWHERE_KNOWN if outline is None else placer.place(outline)


def decide_telling(node: Node, request: ImageRequest, partner: Party, at: Instant) -> Decision:
    """Whether a partner may be told of a request by this node's register, as it is known now."""
    placement = placement_of(request, node.placer())
    return telling(node.knowledge().register, request, node.organisation, partner, placement, at, at)


def binds_alone(decision: Decision) -> bool:
    """Whether a decision lets something go that has no form to change: a request, or what could be imaged."""
    return decision.outcome is Outcome.PERMIT and all(one.kind in _BIND_ALONE for one in decision.obligations)


def told_of(
    node: Node, requests: Iterable[ImageRequest], providers: Iterable[Party], at: Instant
) -> dict[str, dict[Party, Decision | None]]:
    """Each request's providers that may be told, with the decision; None for the node's own organisation, which knows already."""
    parties = tuple(providers)
    found: dict[str, dict[Party, Decision | None]] = {}
    for request in requests:
        told: dict[Party, Decision | None] = {}
        for party in parties:
            if party == node.organisation:
                told[party] = None
            elif binds_alone(decision := decide_telling(node, request, party, at)):
                told[party] = decision
        found[request.id] = told
    return found


def record_telling(node: Node, request: ImageRequest, partner: Party, decision: Decision, at: Instant, *, authority: str) -> None:
    """Put on record, before it is told, that a partner is told of a request, and why it may be."""
    content: dict[str, Json] = {
        "id": request.id,
        "area": area_to_json(request.area),
        "from": format_instant(request.begin),
        "until": format_instant(request.deadline),
    }
    body: dict[str, Json] = {
        "product": f"{REQUEST_KIND}/{request.id}",
        "version": 1,
        "content": digest_of(canonical(content)),
        "label": label_to_json(request.label),
        "partner": partner,
        "purpose": "order",
        "valid_at": format_instant(at),
        "decision": decision_to_json(decision),
    }
    with node.store.transaction():
        node.journal.record(FactKind.DECISION_MADE, body, by=node.by, authority=authority)
