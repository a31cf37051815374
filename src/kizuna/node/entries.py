"""Entries that hand out a product: sealed one by one, recorded together before any of them is served."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from kizuna.exchange.feed import FeedEntry, seal_entry
from kizuna.model.digests import digest_of
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import decision_record, partner_terms
from kizuna.node.forms import as_told
from kizuna.node.ports import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.exchange.manifest import Manifest
    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.model.product import Product
    from kizuna.node.forms import Form
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision

__all__ = ["Release", "record_releases", "release"]


@dataclass(frozen=True, slots=True)
class Release:
    """An entry that hands out a product, and what the log will say of it.

    Parameters
    ----------
    entry, outgoing
        What was sealed, and as it was sealed.
    facts
        That it was decided to hand it out, and that it has its number.
    authority
        Article that permits it.
    """

    entry: FeedEntry
    outgoing: Outgoing
    facts: tuple[tuple[FactKind, dict[str, Json]], ...]
    authority: str


def release(
    node: Node,
    peer: Party,
    product: Product,
    form: Form,
    manifests: tuple[Manifest, ...],
    decision: Decision,
    sequence: int,
) -> Release:
    """Seal the entry that hands out a product, which was decided on; nothing is recorded yet.

    Parameters
    ----------
    node
        This node.
    peer
        To whom.
    product
        Under its present label.
    form
        In which it may go.
    manifests
        Of the files of that.
    decision
        Permit.
    sequence
        Number in the partner's feed.
    """
    now = node.now()
    told = as_told(node, peer, product, form)
    entry = FeedEntry(sequence, node.organisation, peer, told, manifests, partner_terms(decision), now, form.consent)
    envelope = seal_entry(entry, node.keys)
    blobs = tuple(manifest.digest for manifest in manifests)
    released: dict[str, Json] = {
        "partner": peer,
        "sequence": sequence,
        "product": product.id,
        "entry": digest_of(envelope),
        "blobs": list(blobs),
    }
    grant = decision.reasons[0]
    return Release(
        entry,
        Outgoing(peer, sequence, product.id, envelope, blobs),
        (
            (FactKind.DECISION_MADE, decision_record(product, peer, decision, "serve", now)),
            (FactKind.RELEASE_SEQUENCED, released),
        ),
        f"{grant.agreement} article {grant.article}",
    )


def record_releases(node: Node, releases: Sequence[Release]) -> None:
    """Record releases in their order, inside the store's open transaction."""
    for authority, some in groupby(releases, lambda made: made.authority):
        node.journal.record_all([fact for made in some for fact in made.facts], by="exchange", authority=authority)
