"""Requests between partners: ask, accept or decline with a reason, fulfil. Each step is an entry in the other's feed.

A partner sees the requests that it made and those that were made to it, by ids that cannot be guessed, and none of others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from kizuna.errors import InputError, Message
from kizuna.exchange.messages import Ask, Reply, Step, content_from_json, content_to_json
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.parties import Party
from kizuna.model.product import ProductId
from kizuna.model.reading import Table
from kizuna.node.messages import new_id, queue_message, was_recalled
from kizuna.release.decision import Outcome

if TYPE_CHECKING:
    from kizuna.model.instants import Instant, Interval
    from kizuna.model.product import Product
    from kizuna.model.regions import Area
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision

__all__ = ["Request", "answer_request", "ask_partner", "fulfil_request", "request_named", "requests", "take_request"]

Direction = Literal["out", "in"]
_STATES = {Step.ASK: "asked", Step.ACCEPT: "accepted", Step.DECLINE: "declined", Step.FULFIL: "fulfilled"}
_OPEN = frozenset({Step.ASK, Step.ACCEPT})


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as this node knows it.

    Parameters
    ----------
    direction
        ``out`` if this node asked, ``in`` if the partner did.
    partner
        The other.
    ask
        What was asked.
    asked_at
        When this node asked, or learned of it.
    step
        The last step.
    reason, product, changed_at
        Of the last step.
    """

    direction: Direction
    partner: Party
    ask: Ask
    asked_at: Instant
    step: Step
    reason: str | None
    product: ProductId | None
    changed_at: Instant

    @property
    def state(self) -> str:
        """The last step in one word: asked, accepted, declined, fulfilled."""
        return _STATES[self.step]


def _name(direction: Direction, partner: Party, id_: str) -> str:
    return f"request/{direction}/{partner}/{id_}"


def _keep(node: Node, request: Request) -> None:
    form = {
        "partner": request.partner,
        "ask": content_to_json(request.ask),
        "asked_at": format_instant(request.asked_at),
        "step": request.step,
        "reason": request.reason,
        "product": request.product,
        "changed_at": format_instant(request.changed_at),
    }
    node.store.keep_setting(_name(request.direction, request.partner, request.ask.id), json.dumps(form))


def _read(direction: Direction, text: str) -> Request:
    form: dict[str, Any] = json.loads(text)
    ask = content_from_json("request", Table(form["ask"]))
    assert isinstance(ask, Ask)  # noqa: S101 - INVARIANT: `_keep` wrote it
    return Request(
        direction,
        Party(form["partner"]),
        ask,
        parse_instant(form["asked_at"]),
        Step(form["step"]),
        form["reason"],
        None if form["product"] is None else ProductId(form["product"]),
        parse_instant(form["changed_at"]),
    )


def requests(node: Node) -> list[Request]:
    """All requests that this node made or that were made to it, oldest first."""
    directions: tuple[Direction, ...] = ("out", "in")
    found = [_read(side, text) for side in directions for text in node.store.settings(f"request/{side}/").values()]
    return sorted(found, key=lambda request: (request.asked_at, request.ask.id))


def request_named(node: Node, id_: str, direction: Direction | None = None) -> Request:
    """Request of this id, or of its unambiguous beginning.

    Raises
    ------
    InputError
        If there is none, or several.
    """
    found = [r for r in requests(node) if id_ and r.ask.id.startswith(id_) and direction in {None, r.direction}]
    if len(found) != 1:
        if found:
            fault = Message("{count} requests begin with {id}", {"id": id_, "count": len(found)})
        elif direction == "in":
            fault = Message("no partner made the request {id}", {"id": id_})
        else:
            fault = Message("this node knows no request {id}", {"id": id_})
        raise InputError(
            fault,
            hint=Message("see: kizuna request list; only the one who was asked answers"),
            field="request",
        )
    return found[0]


def ask_partner(node: Node, partner: Party, kind: str, area: Area, when: Interval, text: str | None, authority: str) -> Request:
    """Ask a partner for products.

    Parameters
    ----------
    node
        This node.
    partner
        Who is asked; it must pull this node's feed to learn of it.
    kind, area
        As in `kizuna.exchange.messages.Ask`.
    when
        From when to when; it must have an end.
    text
        One line more.
    authority
        By what authority.

    Raises
    ------
    InputError
        If it is no partner, or the end does not stand after the begin.
    """
    party = node.partner(partner).party
    if when.end is None or when.end <= when.begin:
        raise InputError(
            Message("until: the end does not stand after the begin"), hint=Message("correct one of the two"), field="until"
        )
    ask = Ask(new_id(node), kind, area, when.begin, when.end, text)
    with node.store.transaction():
        queue_message(node, party, ask, authority=authority)
        now = node.now()
        request = Request("out", party, ask, now, Step.ASK, None, None, now)
        _keep(node, request)
    return request


def _answer(node: Node, request: Request, reply: Reply, authority: str) -> Request:
    node.partner(request.partner)
    if request.step not in _OPEN or request.step is reply.step:
        raise InputError(
            Message("request {id} is {state} already", {"id": request.ask.id, "state": request.state}),
            hint=Message("see: kizuna request show {id}", {"id": request.ask.id}),
            field="request",
        )
    with node.store.transaction():
        queue_message(node, request.partner, reply, authority=authority)
        done = replace(request, step=reply.step, reason=reply.reason, product=reply.product, changed_at=node.now())
        _keep(node, done)
    return done


def answer_request(node: Node, id_: str, step: Step, reason: str | None, authority: str) -> Request:
    """Accept or decline a request of a partner.

    Raises
    ------
    InputError
        If no such request was made to this node, or it was declined or fulfilled already.
    """
    request = request_named(node, id_, "in")
    return _answer(node, request, Reply(request.ask.id, step, reason), authority)


def fulfil_request(node: Node, id_: str, product: Product, decision: Decision, reason: str | None, authority: str) -> Request:
    """Fulfil a request of a partner with a product.

    The partner is told once the product has gone to it, and not before.

    Parameters
    ----------
    node, id_
        This node, the request.
    product
        The product.
    decision
        Whether the partner may have it.
    reason
        One sentence, or None.
    authority
        By what authority.

    Raises
    ------
    InputError
        If no such request was made to this node, it is closed, or the partner may not have the product.
    """
    request = request_named(node, id_, "in")
    if decision.outcome is not Outcome.PERMIT or was_recalled(node, request.partner, product.id):
        raise InputError(
            Message("{partner} may not have {product}", {"partner": request.partner, "product": product.id}),
            hint=Message(
                "see why: kizuna release explain {product} --to {partner}", {"product": product.id, "partner": request.partner}
            ),
            field="with",
        )
    return _answer(node, request, Reply(request.ask.id, Step.FULFIL, reason, product.id), authority)


def take_request(node: Node, partner: Party, content: Ask | Reply, now: Instant) -> None:
    """Take a partner's request, or its answer to ours, inside the store's open transaction.

    What repeats a request, answers one that this node did not make, or comes after its end changes nothing.
    """
    if isinstance(content, Ask):
        if node.store.setting(_name("in", partner, content.id)) is None:
            _keep(node, Request("in", partner, content, now, Step.ASK, None, None, now))
        return
    text = node.store.setting(_name("out", partner, content.id))
    if text is not None and (request := _read("out", text)).step in _OPEN:
        _keep(node, replace(request, step=content.step, reason=content.reason, product=content.product, changed_at=now))
