"""Versions of one product: a newer one takes the place of the older, which stays on record, and its files with it.

The item store holds one record of each product, the newest. What it replaced is kept here: a recall is of all versions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.model.digests import Digest
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.parties import Party
from kizuna.model.product import ProductId
from kizuna.node.messages import was_recalled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.catalog.store import Item
    from kizuna.model.instants import Instant
    from kizuna.node.state import Node

__all__ = ["Superseded", "all_superseded", "forget_superseded", "keep_superseded", "superseded_versions"]

_UNDER = "superseded/"


@dataclass(frozen=True, slots=True)
class Superseded:
    """A version of a product that a newer one took the place of.

    Parameters
    ----------
    product, version, content
        Which it was, and the digest of its content.
    marking
        Its marking, as labelled.
    received_from
        Who handed it over; None for this node's own.
    blobs
        Its files.
    until
        When the newer version took its place.
    """

    product: ProductId
    version: int
    content: Digest
    marking: str
    received_from: Party | None
    blobs: tuple[Digest, ...]
    until: Instant


def keep_superseded(node: Node, item: Item, now: Instant) -> None:
    """Keep what a newer version takes the place of, inside the store's open transaction; the newer waits for all that had it.

    It waits also for those to whom it may not go: nothing of it is numbered until it may, so that they learn nothing.
    """
    product = item.product
    form = {
        "product": product.id,
        "version": product.version,
        "content": product.content,
        "marking": product.label.marking,
        "received_from": item.received_from,
        "blobs": list(dict.fromkeys(asset.digest for asset in product.assets)),
        "until": format_instant(now),
    }
    node.store.keep_setting(f"{_UNDER}{product.id}/{product.version:010d}", json.dumps(form))
    book = node.store.book
    for partner in node.knowledge().partners:
        if book.sequence_of(partner, product.id) is not None and not was_recalled(node, partner, product.id):
            book.enqueue_again(partner, product.id)


def forget_superseded(node: Node, product: ProductId) -> None:
    """Keep nothing of the former versions of a product any more, as when its files are removed; inside the open transaction."""
    for name in node.store.settings(f"{_UNDER}{product}/"):
        node.store.drop_setting(name)


def superseded_versions(node: Node, product: ProductId) -> list[Superseded]:
    """Versions of a product that newer ones took the place of, oldest first."""
    return list(_read(node, f"{_UNDER}{product}/"))


def all_superseded(node: Node) -> Iterator[Superseded]:
    """Those of all products."""
    return _read(node, _UNDER)


def _read(node: Node, beginning: str) -> Iterator[Superseded]:
    for text in node.store.settings(beginning).values():
        form = json.loads(text)
        received_from = form["received_from"]
        yield Superseded(
            ProductId(form["product"]),
            form["version"],
            Digest(form["content"]),
            form["marking"],
            None if received_from is None else Party(received_from),
            tuple(Digest(blob) for blob in form["blobs"]),
            parse_instant(form["until"]),
        )
