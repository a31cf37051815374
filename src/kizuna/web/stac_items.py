"""Items as the STAC API shows them: a product with links to where it, its files and its maps are found."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from kizuna.formats.stac import stac_item
from kizuna.node.decisions import partner_terms
from kizuna.node.tiles import is_drawable
from kizuna.web.answers import text_of
from kizuna.web.stac_openapi import GEOJSON, JSON
from kizuna.web.tiles import map_links

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.product import Asset, Product
    from kizuna.node.catalogue import Shown
    from kizuna.release.decision import Decision

__all__ = ["item_document", "item_text", "people_asset_path"]

_NO_LINKS = b'"links":[]'
# Stands for an id: no part of an address that came in a request, whose bytes are read as Latin-1.
_ANY_ID = "\N{SYMBOL FOR NULL}"


def people_asset_path(product: Product, asset: Asset) -> str:
    """Path of a file of a product at the people's listener."""
    return f"/products/{product.id}/assets/{asset.role.value}"


def item_document(shown: Shown, base: str, origin: str, asset_path: Callable[[Product, Asset], str]) -> dict[str, Json]:
    """STAC item of a product as a caller may see it.

    Parameters
    ----------
    shown
        The product, in the form in which the caller may have it.
    base
        Address of the landing page.
    origin
        Address that the paths of files are added to.
    asset_path
        Path of a file of a product.
    """
    product = shown.product
    links = _links(base, product.kind, product.id, drawable=is_drawable(product))
    return _item(shown, links, origin, asset_path)


def item_text(shown: Shown, base: str, origin: str, asset_path: Callable[[Product, Asset], str]) -> bytes:
    """Text of `item_document`, pieced together: but for the id the links of all items of a kind are the same.

    Parameters
    ----------
    shown, base, origin, asset_path
        As there.
    """
    product = shown.product
    before, _, after = text_of(_item(shown, [], origin, asset_path)).partition(_NO_LINKS)
    pieces = _links_text(base, product.kind, drawable=is_drawable(product))
    return b"".join((before, b'"links":', product.id.encode().join(pieces), after))


@lru_cache(maxsize=32)
def _links_text(base: str, kind: str, *, drawable: bool) -> list[bytes]:
    """Text of the links of an item, cut where its id stands."""
    return text_of([*_links(base, kind, _ANY_ID, drawable=drawable)]).split(_ANY_ID.encode())


def _links(base: str, kind: str, id_: str, *, drawable: bool) -> list[dict[str, Json]]:
    collection = f"{base}/collections/{kind}"
    here = f"{collection}/items/{id_}"
    return [
        {"rel": "self", "type": GEOJSON, "href": here},
        {"rel": "root", "type": JSON, "href": base},
        {"rel": "parent", "type": JSON, "href": collection},
        {"rel": "collection", "type": JSON, "href": collection},
        *(map_links(here, id_) if drawable else ()),
    ]


def _item(
    shown: Shown, links: Sequence[Mapping[str, Json]], origin: str, asset_path: Callable[[Product, Asset], str]
) -> dict[str, Json]:
    terms = None if shown.decision is None else _terms(_Same(shown.decision))
    return stac_item(shown.product, lambda asset: origin + asset_path(shown.product, asset), links, terms)


class _Same:
    """A decision that is equal to itself only: of products that are alike it is one and the same."""

    __slots__ = ("decision",)

    def __init__(self, decision: Decision) -> None:
        self.decision = decision

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.decision is other.decision

    def __hash__(self) -> int:
        return id(self.decision)


@lru_cache(maxsize=256)
def _terms(same: _Same) -> dict[str, Json]:
    return partner_terms(same.decision)
