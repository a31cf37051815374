"""Items as the STAC API shows them: a product with links to where it, its files and its maps are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.formats.stac import stac_item
from kizuna.node.decisions import partner_terms
from kizuna.web.stac_openapi import GEOJSON, JSON
from kizuna.web.tiles import map_links

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kizuna.model.canonical import Json
    from kizuna.model.product import Asset, Product
    from kizuna.node.catalogue import Shown

__all__ = ["item_document", "people_asset_path"]


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
    collection = f"{base}/collections/{product.kind}"
    links: list[Mapping[str, Json]] = [
        {"rel": "self", "type": GEOJSON, "href": f"{collection}/items/{product.id}"},
        {"rel": "root", "type": JSON, "href": base},
        {"rel": "parent", "type": JSON, "href": collection},
        {"rel": "collection", "type": JSON, "href": collection},
        *map_links(base, product),
    ]
    terms = None if shown.decision is None else partner_terms(shown.decision)
    return stac_item(product, lambda asset: origin + asset_path(product, asset), links, terms)
