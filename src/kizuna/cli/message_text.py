"""Messages between nodes in words, and how the dealings with a partner stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.cli.terminal import _, say
from kizuna.errors import Message
from kizuna.exchange.envelope import peek
from kizuna.exchange.messages import (
    AgreementNotice,
    Alert,
    Ask,
    Closed,
    ConsentNotice,
    KeyStatement,
    LogCheckpoint,
    Reply,
    Step,
    Withdraw,
)
from kizuna.exchange.onward import read_consent
from kizuna.model.instants import format_instant
from kizuna.node.kept_receipts import refused_receipts
from kizuna.node.recall import recalls
from kizuna.node.requests import requests
from kizuna.node.take_messages import alerts, notice_message, notices
from kizuna.node.withdrawals import withdrawn_products
from kizuna.node.witness import witness_lines
from kizuna.node.witnessing import told_fork

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.exchange.answers import Fate
    from kizuna.exchange.messages import Content
    from kizuna.exchange.onward import OnwardConsent
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.node.recall import Recall
    from kizuna.node.requests import Request
    from kizuna.node.state import Node
    from kizuna.node.take_messages import AlertLine, NoticeLine
    from kizuna.node.withdrawals import Withdrawn

__all__ = [
    "alert_json",
    "content_message",
    "dealings_json",
    "fate_word",
    "notice_json",
    "recall_json",
    "request_json",
    "say_dealings",
    "state_word",
    "withdrawn_json",
]


_REPLIES = {
    Step.ACCEPT: Message("accepts request {id}"),
    Step.DECLINE: Message("declines request {id}: {reason}"),
    Step.FULFIL: Message("fulfils request {id} with {product}"),
}


def _when(instant: Instant | None) -> str | None:
    return None if instant is None else format_instant(instant)


def fate_word(fate: Fate | None) -> str:
    """What became of a recalled product, in one word."""
    words = {
        None: _("not answered"),
        "destroyed": _("destroyed"),
        "kept": _("kept"),
        "refused": _("refused"),
        "not-held": _("not held"),
    }
    return words[fate]


def state_word(request: Request) -> str:
    """How a request stands, in one word."""
    words = {"asked": _("asked"), "accepted": _("accepted"), "declined": _("declined"), "fulfilled": _("fulfilled")}
    return words[request.state]


def content_message(content: Content) -> Message:
    """One sentence about a message that came."""
    said: Message
    match content:
        case Withdraw():
            said = Message("recalled: {product}: {reason}", {"product": content.product, "reason": content.reason})
        case AgreementNotice():
            said = notice_message(content)
        case LogCheckpoint():
            said = Message("a checkpoint of its log")
        case KeyStatement():
            said = Message("a statement about its keys")
        case ConsentNotice():
            said = _consent_message(read_consent(peek(content.consent)))
        case Closed():
            said = Message("something that had a number is not available any more")
        case Alert():
            said = Message("alert [{marking}]: {text}", {"marking": content.label.marking, "text": content.text})
        case Ask():
            said = Message("asks for {kind}: request {id}", {"kind": content.kind, "id": content.id})
        case Reply():
            template = _REPLIES[content.step].template
            said = Message(template, {"id": content.id, "reason": content.reason or "-", "product": content.product or "-"})
    return said


def _consent_message(consent: OnwardConsent) -> Message:
    values = {
        "product": consent.product,
        "receiver": consent.receiver,
        "begin": _when(consent.begin) or "-",
        "end": _when(consent.end) or "-",
    }
    if consent.begin is None:
        return Message("does not agree any more that {product} goes on to {receiver}, and never did", values)
    if consent.end is None:
        return Message("agrees that {product} goes on to {receiver} from {begin} on", values)
    return Message("agrees that {product} goes on to {receiver} from {begin} until {end}", values)


# ---- as JSON


def recall_json(recall: Recall) -> dict[str, Json]:
    """A recall from a partner."""
    return {
        "product": recall.product,
        "partner": recall.partner,
        "entry": recall.recalls,
        "told": recall.key is not None,
        "reason": recall.reason,
        "agreement": recall.agreement,
        "ordered_at": _when(recall.ordered_at),
        "fate": recall.fate,
        "answer": recall.answer,
        "answered_at": _when(recall.answered_at),
    }


def withdrawn_json(one: Withdrawn) -> dict[str, Json]:
    """A product that a partner called back."""
    return {
        "product": one.product,
        "title": one.title,
        "partner": one.partner,
        "reason": one.reason,
        "agreement": one.agreement,
        "at": _when(one.at),
        "fate": one.fate,
        "answer": one.answer,
        "answered_at": _when(one.answered_at),
        "told": one.told,
    }


def notice_json(line: NoticeLine) -> dict[str, Json]:
    """The last thing that a partner said of an agreement."""
    return {
        "partner": line.partner,
        "agreement": line.notice.agreement,
        "state": line.notice.state.value,
        "since": _when(line.notice.since),
        "reason": line.notice.reason,
        "received_at": _when(line.received_at),
    }


def alert_json(line: AlertLine) -> dict[str, Json]:
    """An alert that came or went."""
    return {
        "id": line.alert.id,
        "partner": line.partner,
        "sent": line.sent,
        "text": line.alert.text,
        "marking": line.alert.label.marking,
        "at": _when(line.at),
    }


def request_json(request: Request) -> dict[str, Json]:
    """A request."""
    west = min(lon for polygon in request.ask.area.polygons for ring in polygon for lon, _lat in ring)
    east = max(lon for polygon in request.ask.area.polygons for ring in polygon for lon, _lat in ring)
    south = min(lat for polygon in request.ask.area.polygons for ring in polygon for _lon, lat in ring)
    north = max(lat for polygon in request.ask.area.polygons for ring in polygon for _lon, lat in ring)
    return {
        "id": request.ask.id,
        "direction": request.direction,
        "partner": request.partner,
        "state": request.state,
        "kind": request.ask.kind,
        "bbox": [west, south, east, north],
        "from": _when(request.ask.begin),
        "until": _when(request.ask.end),
        "text": request.ask.text,
        "asked_at": _when(request.asked_at),
        "reason": request.reason,
        "product": request.product,
        "changed_at": _when(request.changed_at),
    }


def dealings_json(here: Node, partner: Party) -> dict[str, Json]:
    """What is between this node and a partner besides products."""
    (witness,) = [line for line in witness_lines(here) if line.partner == partner]
    return {
        "recalls": [recall_json(recall) for recall in recalls(here, partner)],
        "recalled": [withdrawn_json(one) for one in withdrawn_products(here) if one.partner == partner],
        "notices": [notice_json(line) for line in notices(here) if line.partner == partner],
        "alerts": [alert_json(line) for line in alerts(here) if line.partner == partner and not line.sent],
        "requests": [request_json(request) for request in requests(here) if request.partner == partner],
        "receipts_refused": refused_receipts(here, partner),
        "witness": {
            "seen": witness.seen,
            "cosigned": witness.cosigned,
            "cosigned_at": _when(witness.cosigned_at),
            "forked": witness.forked,
            "says_of_ours": told_fork(here, partner),
        },
    }


# ---- in words


def say_dealings(here: Node) -> None:
    """Say what is between this node and its partners besides products, where there is anything."""
    for partner in sorted(here.knowledge().partners):
        for message in (*_of_recalls(here, partner), *_of_notices(here, partner), *_of_requests(here, partner)):
            say(message)
        refused = refused_receipts(here, partner)
        if refused:
            values: dict[str, str | int | float] = {"partner": partner, "count": refused}
            say(Message("{partner} did not take {count} receipts or answers: they are sent again.", values))
    for witness in witness_lines(here):
        if witness.forked:
            values = {"partner": witness.partner}
            say(Message("The log of {partner} has forked: both signed checkpoints are in this node's log.", values))
        told = told_fork(here, witness.partner)
        if told:
            say(Message("{partner} did not cosign this node's log: {why}", {"partner": witness.partner, "why": told}))


def _of_recalls(here: Node, partner: Party) -> Iterator[Message]:
    for recall in recalls(here, partner):
        fate = fate_word(recall.fate) + (f" ({recall.answer})" if recall.answer else "")
        yield Message(
            "{product} was recalled from {partner}: {fate}", {"product": recall.product, "partner": partner, "fate": fate}
        )
    for one in withdrawn_products(here):
        if one.partner == partner:
            values = {"product": one.product, "partner": partner, "fate": fate_word(one.fate)}
            yield Message("{partner} recalled {product}: {fate}", values)


def _of_notices(here: Node, partner: Party) -> Iterator[Message]:
    for line in notices(here):
        if line.partner == partner:
            yield Message("{partner} says: {what}", {"partner": partner, "what": notice_message(line.notice)})


def _of_requests(here: Node, partner: Party) -> Iterator[Message]:
    for request in requests(here):
        if request.partner == partner and request.state in {"asked", "accepted"}:
            values = {"partner": partner, "id": request.ask.id, "state": state_word(request)}
            if request.direction == "in":
                yield Message("{partner} asks: request {id} ({state})", values)
            else:
                yield Message("{partner} was asked: request {id} ({state})", values)
