"""What a feed carries besides products: recalls, notices, checkpoints, alerts, requests, consents, closed places. No I/O.

They stand in the same gap-free sequence as products, are signed in the same way, and are confirmed by the same receipts. An
entry of a type that is not known here is refused, and what follows it waits: nothing is skipped that a partner meant.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.errors import Message, PartnerMisbehaved
from kizuna.exchange.envelope import seal, unseal
from kizuna.exchange.feed import ENTRY_SCHEMA, ENTRY_TYPE, PUBLISH, RELAY, FeedEntry, entry_from_json, strictly
from kizuna.exchange.rotation import MOST_STATEMENT_BYTES
from kizuna.exchange.witness import MOST_REQUEST_BYTES
from kizuna.formats.agreement_areas import area_to_json, no_files, read_area
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.instants import format_instant
from kizuna.model.label import label_to_json, read_label
from kizuna.model.product import parse_product_id
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, open_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.exchange.envelope import Signer
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.product import ProductId
    from kizuna.model.reading import Table
    from kizuna.model.regions import Area

__all__ = [
    "ENTRY_TYPES",
    "AgreementNotice",
    "Alert",
    "Ask",
    "Closed",
    "ConsentNotice",
    "Content",
    "KeyStatement",
    "LogCheckpoint",
    "MessageEntry",
    "NoticeState",
    "Reply",
    "Step",
    "Withdraw",
    "content_from_json",
    "content_to_json",
    "seal_message",
    "type_of",
    "unseal_any",
]

_ID = re.compile(r"[a-z2-7]{26}\Z", re.ASCII)


class NoticeState(StrEnum):
    """What happened to an agreement."""

    SUSPENDED = "suspended"
    RESUMED = "resumed"
    WITHDRAWN = "withdrawn"


class Step(StrEnum):
    """Step of a request. The one who asks takes the first, the one who was asked the others."""

    ASK = "ask"
    ACCEPT = "accept"
    DECLINE = "decline"
    FULFIL = "fulfil"


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Recall of a product.

    Parameters
    ----------
    product
        The product.
    recalls
        Number of the entry that handed it out. Its own number where it takes that entry's place.
    reason
        One sentence.
    agreement
        Agreement that was withdrawn from, if that is why.
    """

    product: ProductId
    recalls: int
    reason: str
    agreement: str | None = None


@dataclass(frozen=True, slots=True)
class AgreementNotice:
    """That an agreement was suspended, resumed or withdrawn from, and since (or from) when."""

    agreement: str
    state: NoticeState
    since: Instant
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class LogCheckpoint:
    """The sender's log, for the receiver to cosign: the body of a C2SP ``add-checkpoint`` request."""

    request: str


@dataclass(frozen=True, slots=True)
class Alert:
    """A short text under a label."""

    id: str
    text: str
    label: Label


@dataclass(frozen=True, slots=True)
class Ask:
    """Request for products.

    Parameters
    ----------
    id
        Random id, by which the later steps name it.
    kind
        Kind of product (``"imagery"``).
    area
        Where.
    begin, end
        From when to when.
    text
        One line more, or None.
    """

    id: str
    kind: str
    area: Area
    begin: Instant
    end: Instant
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A later step of a request that the receiver made.

    Parameters
    ----------
    id
        The request's.
    step
        Not `Step.ASK`.
    reason
        One sentence; a declined request has one.
    product
        With what it was fulfilled: a product that an earlier entry of the same feed handed out.
    """

    id: str
    step: Step
    reason: str | None = None
    product: ProductId | None = None


@dataclass(frozen=True, slots=True)
class KeyStatement:
    """A sealed statement of the sender about its own keys (`kizuna.exchange.rotation`), as text."""

    statement: str


@dataclass(frozen=True, slots=True)
class ConsentNotice:
    """That the sender agrees, or agrees no longer, that the receiver passes a product of its own on.

    Parameters
    ----------
    consent
        Envelope of the signed consent (`kizuna.exchange.onward.OnwardConsent`), still to be unsealed; it goes with the product.
    """

    consent: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """What had this number is not available any more. It says no more than that: not what it was, nor why."""


type Content = Withdraw | AgreementNotice | LogCheckpoint | Alert | Ask | Reply | KeyStatement | ConsentNotice | Closed


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """One entry of a partner's feed that hands out no product; its members are those of `kizuna.exchange.feed.FeedEntry`."""

    sequence: int
    sender: Party
    receiver: Party
    content: Content
    made_at: Instant


_TYPES: dict[type, str] = {
    Withdraw: "withdraw",
    AgreementNotice: "agreement-notice",
    LogCheckpoint: "checkpoint",
    Alert: "alert",
    Ask: "request",
    Reply: "request",
    KeyStatement: "keys",
    ConsentNotice: "onward-consent",
    Closed: "closed",
}


def type_of(content: Content) -> str:
    """Type of the entry that carries this."""
    return _TYPES[type(content)]


def content_to_json(content: Content) -> dict[str, Json]:
    """Members that an entry of this type has besides those of all entries; `content_from_json` reads them back."""
    members: dict[str, Json]
    match content:
        case Withdraw():
            members = {
                "product": content.product,
                "recalls": content.recalls,
                "reason": content.reason,
                "agreement": content.agreement,
            }
        case AgreementNotice():
            members = {
                "agreement": content.agreement,
                "state": content.state.value,
                "since": format_instant(content.since),
                "reason": content.reason,
            }
        case LogCheckpoint() | KeyStatement():
            members = asdict(content)
        case Alert():
            members = {"id": content.id, "text": content.text, "label": label_to_json(content.label)}
        case Ask():
            members = {
                "id": content.id,
                "step": Step.ASK.value,
                "kind": content.kind,
                "area": area_to_json(content.area),
                "begin": format_instant(content.begin),
                "end": format_instant(content.end),
                "text": content.text,
            }
        case Reply():
            members = {"id": content.id, "step": content.step.value, "reason": content.reason, "product": content.product}
        case ConsentNotice():
            members = {"consent": parse_json(content.consent)}
        case Closed():
            members = {}
    return members


def _line(table: Table, name: str) -> str:
    return table.text(name, longest=LONGEST_LINE)


def _line_or_none(table: Table, name: str) -> str | None:
    return _line(table, name) if table.has(name) else None


def _id(table: Table) -> str:
    id_ = table.text("id")
    if not _ID.match(id_):
        table.fault("id", Message("26 characters a-z and 2-7"))
    return id_


def _read_withdraw(table: Table) -> Withdraw:
    return Withdraw(
        product=parse_product_id(table.text("product"), field=table.field("product")),
        recalls=table.integer("recalls", least=1),
        reason=_line(table, "reason"),
        agreement=table.text("agreement", longest=LONGEST_MARKING) if table.has("agreement") else None,
    )


def _read_notice(table: Table) -> AgreementNotice:
    return AgreementNotice(
        agreement=table.text("agreement", longest=LONGEST_MARKING),
        state=NoticeState(table.choice("state", [state.value for state in NoticeState])),
        since=table.instant("since"),
        reason=_line_or_none(table, "reason"),
    )


def _read_checkpoint(table: Table) -> LogCheckpoint:
    return LogCheckpoint(table.text("request", longest=MOST_REQUEST_BYTES, lines=True))


def _read_keys(table: Table) -> KeyStatement:
    return KeyStatement(table.text("statement", longest=MOST_STATEMENT_BYTES))


def _read_alert(table: Table) -> Alert:
    return Alert(_id(table), _line(table, "text"), read_label(table.table("label")))


def _read_request(table: Table) -> Ask | Reply:
    id_, step = _id(table), Step(table.choice("step", [step.value for step in Step]))
    if step is not Step.ASK:
        product = parse_product_id(table.text("product"), field=table.field("product")) if table.has("product") else None
        if (product is not None) != (step is Step.FULFIL):
            table.fault("product", Message("a product where the request is fulfilled, and none elsewhere"))
        reason = _line_or_none(table, "reason")
        if step is Step.DECLINE and reason is None:
            table.fault("reason", Message("a text"))
        return Reply(id_, step, reason, product)
    ask = Ask(
        id=id_,
        kind=table.text("kind", longest=LONGEST_MARKING),
        area=read_area(table.table("area"), no_files),
        begin=table.instant("begin"),
        end=table.instant("end"),
        text=_line_or_none(table, "text"),
    )
    if ask.end <= ask.begin:
        table.fault("end", Message("an instant after the begin"))
    return ask


def _read_consent(table: Table) -> ConsentNotice:
    consent = table.raw("consent")
    if not isinstance(consent, dict):
        table.fault("consent", Message("the envelope of a signed consent"))
    return ConsentNotice(canonical(consent))


def _read_closed(_table: Table) -> Closed:
    return Closed()


_READERS: dict[str, Callable[[Table], Content]] = {
    "withdraw": _read_withdraw,
    "agreement-notice": _read_notice,
    "checkpoint": _read_checkpoint,
    "alert": _read_alert,
    "request": _read_request,
    "keys": _read_keys,
    "onward-consent": _read_consent,
    "closed": _read_closed,
}

ENTRY_TYPES = (PUBLISH, RELAY, *_READERS)
"""All types of entries that this version knows."""


def content_from_json(type_: str, table: Table) -> Content:
    """Content of an entry from its members; the caller asks the table whether that was all.

    Raises
    ------
    InputError
        If a member is missing or has another form.
    """
    if type_ not in _READERS:
        table.fault("type", Message("one of {choices}", {"choices": ", ".join(ENTRY_TYPES)}))
    return _READERS[type_](table)


def seal_message(entry: MessageEntry, signer: Signer) -> bytes:
    """Envelope of `entry`, signed by its sender."""
    members: dict[str, Json] = {
        "schema": ENTRY_SCHEMA,
        "sequence": entry.sequence,
        "sender": entry.sender,
        "receiver": entry.receiver,
        "type": type_of(entry.content),
        "made_at": format_instant(entry.made_at),
    }
    return seal(ENTRY_TYPE, members | content_to_json(entry.content), signer)


def _read_message(document: object) -> MessageEntry:
    table = open_table(document, schema=ENTRY_SCHEMA, what="feed entry")
    entry = MessageEntry(
        sequence=table.integer("sequence", least=1),
        sender=table.party("sender"),
        receiver=table.party("receiver"),
        content=content_from_json(table.text("type"), table),
        made_at=table.instant("made_at"),
    )
    table.done()
    return entry


def unseal_any(envelope: bytes, public_key: bytes) -> FeedEntry | MessageEntry:
    """Entry of an envelope, of whichever type.

    Raises
    ------
    PartnerMisbehaved
        If signature or form are off, or the type is not known here; its field is then ``type``.
    """
    document = unseal(envelope, public_key, ENTRY_TYPE)
    type_ = document.get("type") if isinstance(document, dict) else None
    if isinstance(type_, str) and type_ in {PUBLISH, RELAY}:
        return strictly("feed entry", entry_from_json, document)
    if isinstance(document, dict) and isinstance(type_, str) and type_ not in _READERS:
        raise PartnerMisbehaved(
            Message(
                "entry {sequence} of the partner's feed is of the type {type}, which this version of kizuna does not know",
                {"sequence": repr(document.get("sequence"))[:20], "type": repr(type_)[:100]},
            ),
            hint=Message("update kizuna here; nothing was taken over, and the entry is asked for again"),
            field="type",
        )
    return strictly("feed entry", _read_message, document)
