"""Take what a partner's feed says besides products: each message, its effect and the cursor in one transaction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kizuna.errors import Message, PartnerMisbehaved
from kizuna.exchange.answers import WitnessAnswer, Witnessed, seal_witness_answer
from kizuna.exchange.messages import (
    AgreementNotice,
    Alert,
    Ask,
    ConsentNotice,
    KeyStatement,
    LogCheckpoint,
    NoticeState,
    Reply,
    Withdraw,
    content_from_json,
    content_to_json,
    type_of,
)
from kizuna.model.digests import digest_of, parse_digest
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.parties import Party
from kizuna.model.provenance import FactKind
from kizuna.model.reading import Table
from kizuna.node.follow_keys import take_statement
from kizuna.node.messages import queue_message, refuse_message
from kizuna.node.onward import take_consent
from kizuna.node.requests import take_request
from kizuna.node.withdrawals import hide_withdrawn
from kizuna.node.witness import seen_size, witness_within

if TYPE_CHECKING:
    from kizuna.exchange.messages import MessageEntry
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.node.state import Node, Partner

__all__ = [
    "AlertLine",
    "NoticeLine",
    "alerts",
    "notice_message",
    "notices",
    "owed_witness_answer",
    "send_alert",
    "take_message",
    "witness_told",
]

_WITNESS_OWED = "witness_owed"


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """The last thing that a partner said of an agreement, and when that came."""

    partner: Party
    notice: AgreementNotice
    received_at: Instant


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert that came or went."""

    partner: Party
    sent: bool
    alert: Alert
    at: Instant


def take_message(node: Node, partner: Partner, entry: MessageEntry, envelope: bytes, owed: str) -> None:
    """Take one message that was checked.

    Parameters
    ----------
    node, partner
        This node, and whose feed it is.
    entry, envelope
        The message, and its bytes.
    owed
        Name of the note that says which entry is to be confirmed.

    Raises
    ------
    PartnerMisbehaved
        If a checkpoint, a consent or what it says of its keys is malformed, not signed or not the partner's own; nothing was
        taken over then.
    """
    digest, content = digest_of(envelope), entry.content
    book = node.store.book
    with node.store.transaction():
        match content:
            case Withdraw():
                hide_withdrawn(node, partner, entry.sequence, digest, content)
            case LogCheckpoint():
                # No fact: two nodes that witness each other would make each other's logs grow for ever.
                _witness(node, partner, entry.sequence, digest, content)
            case ConsentNotice():
                take_consent(node, partner, content, {"partner": partner.party, "sequence": entry.sequence, "entry": digest})
            case _:
                body: dict[str, Json] = {
                    "partner": partner.party,
                    "sequence": entry.sequence,
                    "type": type_of(content),
                    "entry": digest,
                    "content": content_to_json(content),
                }
                authority = f"signature of {partner.party}"
                now = node.journal.record(FactKind.MESSAGE_RECEIVED, body, by="exchange", authority=authority).recorded_at
                _effect(node, partner.party, entry, now)
        book.advance(partner.party, entry.sequence)
        book.note(partner.party, owed, f"{entry.sequence} {digest}")
        book.note(partner.party, "last_in", format_instant(node.now()))


def _effect(node: Node, partner: Party, entry: MessageEntry, now: Instant) -> None:
    content = entry.content
    match content:
        case AgreementNotice():
            form = {"partner": partner, "at": format_instant(now), "content": content_to_json(content)}
            node.store.keep_setting(f"notice/{partner}/{content.agreement}", json.dumps(form))
        case Alert():
            _keep_alert(node, AlertLine(partner, sent=False, alert=content, at=now))
        case Ask() | Reply():
            take_request(node, partner, content, now)
        case KeyStatement():
            take_statement(node, partner, content.statement)
        case _:
            pass


# ---- notices


def notices(node: Node) -> list[NoticeLine]:
    """The last thing that each partner said of each agreement, by partner and agreement."""
    found = []
    for text in node.store.settings("notice/").values():
        form: dict[str, Any] = json.loads(text)
        content = form["content"]
        notice = AgreementNotice(
            content["agreement"], NoticeState(content["state"]), parse_instant(content["since"]), content["reason"]
        )
        found.append(NoticeLine(Party(form["partner"]), notice, parse_instant(form["at"])))
    return found


def notice_message(notice: AgreementNotice) -> Message:
    """What a partner says of an agreement."""
    values = {"agreement": notice.agreement, "since": format_instant(notice.since), "reason": notice.reason or "-"}
    match notice.state:
        case NoticeState.SUSPENDED:
            return Message("{agreement} is suspended since {since}: {reason}", values)
        case NoticeState.RESUMED:
            return Message("{agreement} is resumed since {since}", values)
        case NoticeState.WITHDRAWN:
            return Message("{agreement} is withdrawn from, with effect from {since}: {reason}", values)


# ---- alerts


def _keep_alert(node: Node, line: AlertLine) -> None:
    form = {
        "partner": line.partner,
        "sent": line.sent,
        "at": format_instant(line.at),
        "content": content_to_json(line.alert),
    }
    node.store.keep_setting(f"alert/{'out' if line.sent else 'in'}/{line.partner}/{line.alert.id}", json.dumps(form))


def alerts(node: Node) -> list[AlertLine]:
    """Alerts that came and went, oldest first."""
    found = []
    for text in node.store.settings("alert/").values():
        form: dict[str, Any] = json.loads(text)
        alert = content_from_json("alert", Table(form["content"]))
        assert isinstance(alert, Alert)  # noqa: S101 - INVARIANT: `_keep_alert` wrote it
        found.append(AlertLine(Party(form["partner"]), form["sent"], alert, parse_instant(form["at"])))
    return sorted(found, key=lambda line: (line.at, line.alert.id))


def send_alert(node: Node, partner: Party, alert: Alert, authority: str) -> AlertLine:
    """Send a partner an alert, if it may go.

    Raises
    ------
    InputError
        If it is no partner.
    NotReleasable
        If its label or the agreements do not let it go; that is recorded.
    """
    party = node.partner(partner).party
    refuse_message(node, party, alert, authority=authority)
    with node.store.transaction():
        queue_message(node, party, alert, authority=authority)
        line = AlertLine(party, sent=True, alert=alert, at=node.now())
        _keep_alert(node, line)
    return line


# ---- checkpoints


def _witness(node: Node, partner: Partner, sequence: int, entry: str, content: LogCheckpoint) -> None:
    """Cosign the partner's checkpoint or say why not; what is said goes to the partner with the next receipt."""
    found = witness_within(node, partner.party, content.request.encode())
    why = None
    if isinstance(found, PartnerMisbehaved):
        outcome, why = (Witnessed.BEHIND if found.field == "old" else Witnessed.FORKED), found.message.render()
    else:
        outcome = Witnessed.COSIGNED
    owed: dict[str, Json] = {
        "sequence": sequence,
        "entry": entry,
        "outcome": outcome.value,
        "note": found.decode() if isinstance(found, bytes) else None,
        "seen": seen_size(node, partner.party),
        "why": why,
        "at": format_instant(node.now()),
    }
    still = node.store.book.notes(partner.party).get(_WITNESS_OWED)
    if still and outcome is Witnessed.BEHIND and json.loads(still)["outcome"] == Witnessed.COSIGNED:
        # Two checkpoints came on one page: the cosignature on the first, which is owed still, tells what was seen, too.
        return
    # A later one says all that an earlier one said.
    node.store.book.note(partner.party, _WITNESS_OWED, json.dumps(owed))


def owed_witness_answer(node: Node, partner: Party) -> tuple[str, bytes] | None:
    """What a partner is still to be told of its checkpoint: as it is noted, and its envelope; None where nothing is owed."""
    text = node.store.book.notes(partner).get(_WITNESS_OWED)
    if not text:
        return None
    form: dict[str, Any] = json.loads(text)
    answer = WitnessAnswer(
        partner,
        node.organisation,
        form["sequence"],
        parse_digest(form["entry"]),
        Witnessed(form["outcome"]),
        form["note"],
        form["seen"],
        form["why"],
        parse_instant(form["at"]),
    )
    return text, seal_witness_answer(answer, node.keys)


def witness_told(node: Node, partner: Party, text: str) -> None:
    """Note that the partner has this answer; one that came up meanwhile is still owed."""
    with node.store.transaction():
        if node.store.book.notes(partner).get(_WITNESS_OWED) == text:
            node.store.book.note(partner, _WITNESS_OWED, "")
