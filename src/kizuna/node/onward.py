"""Passing on what came from a partner: with its originator's signed consent, under its label, and never otherwise.

Three nodes take part. The originator signs, for each holder of a product, that this holder may pass this very record on to a
receiver; that reaches the holder in its feed. The holder hands the record on as it is, with that consent, in an entry of its own
that says why it goes. The receiver knows the originator's key by having pinned the originator itself: it believes nobody else.

# INVARIANT: a third party's product is numbered for a partner only with a consent that verifies, holds and is for this record.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import KizunaError, Message, PartnerMisbehaved
from kizuna.exchange.envelope import peek
from kizuna.exchange.feed import FeedEntry
from kizuna.exchange.messages import ConsentNotice, unseal_any
from kizuna.exchange.onward import OnwardConsent, onward_form, read_consent, record_digest, seal_consent, unseal_consent
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.formats.agreement_terms import read_term, term_to_json
from kizuna.model.instants import format_instant
from kizuna.model.parties import parse_party
from kizuna.model.provenance import FactKind
from kizuna.model.reading import Table
from kizuna.node.messages import queue_message, was_recalled
from kizuna.release.agreements import Bound, Term
from kizuna.release.decision import ObligationKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.catalog.store import Item
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import Product, ProductId
    from kizuna.node.ports import Outgoing
    from kizuna.node.state import Node, Partner
    from kizuna.release.decision import Decision

__all__ = [
    "NEVER",
    "PassedOn",
    "consent_of",
    "is_third_partys",
    "keep_passed_on",
    "passed_on",
    "relay_fault",
    "take_consent",
    "tell_consent",
    "tell_consents",
    "why_not_passed_on",
]

NEVER = "never"
"""Stands for the begin of a consent that was taken back before it began."""

# What a holder cannot do to a record that somebody else signed.
_CHANGES = frozenset({ObligationKind.DETECTED_ONLY, ObligationKind.RESOLUTION, ObligationKind.AREA})


def is_third_partys(node: Node, product: Product) -> bool:
    """Whether a product, or its label, is another's than this node's own."""
    return product.originator != node.organisation or product.label.originator != node.organisation


# ---- the originator


def _given_under(product: ProductId, receiver: Party | str) -> str:
    return f"onward/given/{product}/{receiver}"


def tell_consent(
    node: Node, product: Product, receiver: Party, term: Term, authority: str, holders: Sequence[Party] | None = None
) -> list[Party]:
    """Tell the partners that hold an own product, inside the store's open transaction, whether they may pass it on.

    Parameters
    ----------
    node
        This node, the originator.
    product
        Its own product; the consent is for this version of it.
    receiver, term
        To whom, and from when to when.
    authority
        By what authority.
    holders
        Who may; None for every partner that was handed it, and those that will be.

    Returns
    -------
    told
        Partners that were told now; others of the holders are told once they were handed the product.
    """
    if is_third_partys(node, product):
        return []
    before = node.store.setting(_given_under(product.id, receiver))
    if holders is None and before is not None:
        # Whoever was told that it may is told that it may no longer.
        named = json.loads(before)["holders"]
    else:
        named = None if holders is None else sorted(holders)
    form: dict[str, Json] = {"version": product.version, "holders": named, "term": term_to_json(term)}
    node.store.keep_setting(_given_under(product.id, receiver), json.dumps(form))
    partners = sorted(node.knowledge().partners)
    return [partner for partner in partners if _tell(node, partner, product.id, receiver, form, authority)]


def _tell(node: Node, partner: Party, product: ProductId, receiver: Party, form: dict[str, Json], authority: str) -> bool:
    """Queue a signed consent for one partner, if it is one of the holders and was handed the version that it is for."""
    named = form["holders"]
    number = node.store.book.sequence_of(partner, product)
    if partner == receiver or number is None or was_recalled(node, partner, product):
        return False
    if isinstance(named, list) and partner not in named:
        return False
    (outgoing,) = node.store.book.outgoing(partner, number - 1, 1)
    entry = unseal_any(outgoing.envelope, node.journal.key_of(outgoing.envelope))
    if not isinstance(entry, FeedEntry) or entry.product.version != form["version"]:
        return False
    term = read_term(Table(form["term"], "term"), (), NO_CIVIL_DATES)  # type: ignore[arg-type] # as `tell_consent` kept it
    consent = OnwardConsent(
        originator=node.organisation,
        holder=partner,
        receiver=receiver,
        product=product,
        version=entry.product.version,
        record=record_digest(entry.product),
        begin=term.begin.exact,
        end=None if term.end is None else term.end.exact,
        made_at=node.now(),
    )
    queue_message(node, partner, ConsentNotice(seal_consent(consent, node.keys)), authority=authority)
    return True


def tell_consents(node: Node, partner: Party, handed: Iterable[Outgoing]) -> None:
    """Tell a partner that was handed own products just now, inside the open transaction, to whom it may pass them on."""
    for outgoing in handed:
        beginning = _given_under(outgoing.product, "")
        for name, text in node.store.settings(beginning).items():
            receiver = parse_party(name.removeprefix(beginning))
            _tell(node, partner, outgoing.product, receiver, json.loads(text), f"consent of {node.organisation}")


# ---- the holder


def _kept_under(product: str, receiver: Party) -> str:
    return f"onward/had/{product}/{receiver}"


def take_consent(node: Node, partner: Partner, content: ConsentNotice, received: dict[str, Json]) -> None:
    """Record what an originator says of passing its product on, inside the store's open transaction.

    Parameters
    ----------
    node, partner
        This node, and the originator, whose feed said it.
    content
        What it says.
    received
        Members of the fact that say which entry it was.

    Raises
    ------
    PartnerMisbehaved
        If it is not the partner's own consent for this node.
    """
    consent = unseal_consent(content.consent, partner.key_for(content.consent))
    if (consent.originator, consent.holder) != (partner.party, node.organisation):
        raise PartnerMisbehaved(
            Message(
                "{partner} sent a consent of {originator} for {holder}",
                {"partner": partner.party, "originator": consent.originator, "holder": consent.holder},
            ),
            hint=Message("nothing of it was taken over; tell the partner's operator"),
        )
    body: dict[str, Json] = received | {
        "originator": consent.originator,
        "product": consent.product,
        "receiver": consent.receiver,
        "term": term_to_json(_term_of(consent)),
        "consent": content.consent.decode(),
    }
    node.journal.record(FactKind.CONSENT_GIVEN, body, by="exchange", authority=f"signature of {partner.party}")
    node.store.keep_setting(_kept_under(consent.product, consent.receiver), content.consent.decode())


def _term_of(consent: OnwardConsent) -> Term:
    def bound(at: Instant) -> Bound:
        return Bound(at, at, format_instant(at))

    if consent.begin is None:
        return Term(Bound(None, None, NEVER))
    return Term(bound(consent.begin), None if consent.end is None else bound(consent.end))


def consent_of(node: Node, product: Product, receiver: Party) -> bytes | Message:
    """Originator's signed consent that this node passes a record on now; or why there is none."""
    text = node.store.setting(_kept_under(product.id, receiver))
    if text is None:
        values = {"originator": product.originator, "receiver": receiver}
        return Message("{originator} has not sent its signed consent that it goes on to {receiver}", values)
    envelope = text.encode()
    found = _unsealed(node, product.originator, envelope)
    if isinstance(found, Message):
        return found
    return _unfit(found, product, (node.organisation, receiver), node.now()) or envelope


def _unsealed(node: Node, originator: Party, envelope: bytes) -> OnwardConsent | Message:
    """Consent that an originator signed, or why it cannot be believed."""
    known = node.knowledge().partners.get(originator)
    if known is None:
        return Message(
            "{originator} is no partner here, so that its signature cannot be verified: pin its card (kizuna partner add)",
            {"originator": originator},
        )
    try:
        return unseal_consent(envelope, known.key_for(envelope))
    except KizunaError as error:
        return Message("the consent of {originator} does not verify: {why}", {"originator": originator, "why": str(error)})


def _unfit(consent: OnwardConsent, product: Product, way: tuple[Party, Party], now: Instant) -> Message | None:
    """Why a consent does not let a record go from a holder to a receiver at an instant; None where it does."""
    originator = product.originator
    values = {"originator": originator, "holder": consent.holder, "receiver": consent.receiver}
    conditions = [
        (
            consent.originator == originator and (consent.holder, consent.receiver) == way,
            Message("the consent of {originator} is for what {holder} passes on to {receiver}", values),
        ),
        (
            product.label.originator == originator,
            Message("its label is not that of {originator}, whose product it is", values),
        ),
        (
            (consent.product, consent.version) == (product.id, product.version) and consent.record == record_digest(product),
            Message("its record, label included, is not the one that {originator} signed its consent for", values),
        ),
        (consent.holds(now), Message("the consent of {originator} does not hold now", values)),
    ]
    return next((why for fits, why in conditions if not fits), None)


def why_not_passed_on(node: Node, product: Product, receiver: Party, decision: Decision) -> Message | None:
    """Why a third party's product is not passed on although it is permitted; None if it is."""
    changes = [o for o in decision.obligations if o.kind in _CHANGES]
    if changes:
        values: dict[str, str | int | float] = {"agreement": changes[0].agreement, "kind": changes[0].kind.value}
        return Message("{agreement} asks for another form of it ({kind}), which its originator has not signed", values)
    found = consent_of(node, product, receiver)
    return found if isinstance(found, Message) else None


# ---- the receiver


@dataclass(frozen=True, slots=True)
class PassedOn:
    """How a third party's product came here: its originator's consent, as it was signed, and whether it still verifies."""

    consent: OnwardConsent
    envelope: bytes
    verifies: bool


def relay_fault(node: Node, entry: FeedEntry) -> Message | None:
    """Why an entry that hands out a third party's product is refused; None where the third party vouches for it.

    The originator's key is that of the card which was pinned here. An originator that is no partner here is refused: neither the
    holder nor anything that it sends along can make it known.
    """
    product, originator = entry.product, entry.product.originator
    if entry.consent is None:
        return Message("it passes on a product of {originator} without its consent", {"originator": originator})
    if originator in {node.organisation, entry.sender}:
        return Message("it passes on a product of {originator} as if it were a third party's", {"originator": originator})
    if onward_form(product) != product:
        return Message("its record names products or files that are not passed on with it")
    found = _unsealed(node, originator, entry.consent)
    if isinstance(found, Message):
        return found
    return _unfit(found, product, (entry.sender, node.organisation), node.now())


def _came_under(product: ProductId) -> str:
    return f"onward/came/{product}"


def keep_passed_on(node: Node, entry: FeedEntry) -> None:
    """Keep the consent beside what was passed on, inside the store's open transaction."""
    if entry.consent is not None:
        node.store.keep_setting(_came_under(entry.product.id), entry.consent.decode())


def passed_on(node: Node, item: Item) -> PassedOn | None:
    """How a product was passed on to this node; None for what came from its originator, or is this node's own."""
    text = node.store.setting(_came_under(item.product.id))
    if text is None or item.received_from in {None, item.product.originator}:
        return None
    envelope = text.encode()
    found = _unsealed(node, item.product.originator, envelope)
    verifies = isinstance(found, OnwardConsent) and found.record == record_digest(item.product)
    return PassedOn(read_consent(peek(envelope)), envelope, verifies)
