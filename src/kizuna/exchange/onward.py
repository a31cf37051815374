"""An originator's signed consent that a holder passes one record of a product on to a receiver: values and strict JSON. No I/O.

It goes to the holder in the originator's feed, and from the holder to the receiver beside the record. So it says nothing of
what stands between originator and holder: neither terms nor numbers of their feed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.exchange.envelope import seal, unseal
from kizuna.exchange.feed import strictly
from kizuna.model.canonical import canonical
from kizuna.model.digests import digest_of, parse_digest
from kizuna.model.instants import format_instant
from kizuna.model.product import parse_product_id, product_to_json
from kizuna.model.reading import open_table

if TYPE_CHECKING:
    from kizuna.exchange.envelope import Signer
    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import Product, ProductId

__all__ = ["CONSENT_TYPE", "OnwardConsent", "onward_form", "read_consent", "record_digest", "seal_consent", "unseal_consent"]

CONSENT_SCHEMA = "kizuna/onward-consent/1"
CONSENT_TYPE = "application/vnd.kizuna.onward-consent.1+json"
_MOST_BYTES = 16 * 2**10


@dataclass(frozen=True, slots=True)
class OnwardConsent:
    """What an originator signs.

    Parameters
    ----------
    originator
        Whose product it is; it signs.
    holder
        Who may pass it on.
    receiver
        To whom.
    product, version
        Which product, and which version of it.
    record
        `record_digest` of the record as the holder has it: its label and the digests of its files included.
    begin
        From when on; None where the consent was taken back before it began, so that it never held.
    end
        Until when; None for without end.
    made_at
        When it was signed.
    """

    originator: Party
    holder: Party
    receiver: Party
    product: ProductId
    version: int
    record: Digest
    begin: Instant | None
    end: Instant | None
    made_at: Instant

    def holds(self, at: Instant) -> bool:
        """Whether it holds at an instant."""
        return self.begin is not None and self.begin <= at and (self.end is None or at < self.end)


def onward_form(product: Product) -> Product:
    """Record as it is passed on: without the names of other products and files, which the receiver may not know."""
    return replace(product, lineage=(), supersedes=None)


def record_digest(product: Product) -> Digest:
    """Digest of the record of a product as it is passed on."""
    return digest_of(canonical(product_to_json(onward_form(product))))


def seal_consent(consent: OnwardConsent, signer: Signer) -> bytes:
    """Envelope of a consent, signed by the originator."""
    payload: dict[str, Json] = {
        "schema": CONSENT_SCHEMA,
        "originator": consent.originator,
        "holder": consent.holder,
        "receiver": consent.receiver,
        "product": consent.product,
        "version": consent.version,
        "record": consent.record,
        "begin": None if consent.begin is None else format_instant(consent.begin),
        "end": None if consent.end is None else format_instant(consent.end),
        "made_at": format_instant(consent.made_at),
    }
    return seal(CONSENT_TYPE, payload, signer)


def read_consent(document: object) -> OnwardConsent:
    """Consent of the payload of its envelope.

    Raises
    ------
    InputError
        If the form is off.
    """
    table = open_table(document, schema=CONSENT_SCHEMA, what="onward consent")
    consent = OnwardConsent(
        originator=table.party("originator"),
        holder=table.party("holder"),
        receiver=table.party("receiver"),
        product=parse_product_id(table.text("product"), field="product"),
        version=table.integer("version", least=1),
        record=parse_digest(table.text("record"), field="record"),
        begin=table.instant("begin") if table.has("begin") else None,
        end=table.instant("end") if table.has("end") else None,
        made_at=table.instant("made_at"),
    )
    table.done()
    if len({consent.originator, consent.holder, consent.receiver}) < 3:  # noqa: PLR2004 - originator, holder and receiver
        table.fault("receiver", Message("three different parties as originator, holder and receiver"))
    if consent.end is not None and (consent.begin is None or consent.end <= consent.begin):
        table.fault("end", Message("an instant after the begin"))
    return consent


def unseal_consent(envelope: bytes, public_key: bytes) -> OnwardConsent:
    """Consent of an envelope.

    Raises
    ------
    PartnerMisbehaved
        If signature or form are off.
    """
    return strictly("onward consent", read_consent, unseal(envelope, public_key, CONSENT_TYPE, most_bytes=_MOST_BYTES))
