"""Products as STAC items (STAC 1.1), with the extensions for which a product has values, and one of our own for its label.

The extension is described by `schemas/stac-security.schema.json` and in docs/catalogue.md.
"""

from __future__ import annotations

import json
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING

from kizuna.formats.stac_observation import PROJECTION, grid_members, observation_properties
from kizuna.model.canonical import parse_json
from kizuna.model.instants import format_instant
from kizuna.model.product import AssetRole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.label import Label
    from kizuna.model.product import Asset, Footprint, Product

__all__ = ["SECURITY_SCHEMA_ID", "STAC_VERSION", "security_properties", "security_schema", "stac_item"]

STAC_VERSION = "1.1.0"
SECURITY_SCHEMA_ID = "urn:kizuna:schema:stac-security:1"
_FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
_PROCESSING = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
_TIMESTAMPS = "https://stac-extensions.github.io/timestamps/v1.1.0/schema.json"
_SHA2_256, _DIGEST_BYTES = "12", "20"
"""How a multihash begins: the code of SHA-2 256 and its length of 32 bytes, in hexadecimal."""
_HALF_GLOBE_DEG, _GLOBE_DEG = 180.0, 360.0

_ROLES = {
    AssetRole.ORIGINAL: ["data"],
    AssetRole.DETECTED: ["data", "amplitude"],
    AssetRole.VISUAL: ["visual"],
    AssetRole.QUICKLOOK: ["thumbnail"],
}


def security_schema() -> Json:
    """JSON Schema of the security extension."""
    file = resources.files("kizuna.formats") / "schemas" / "stac-security.schema.json"
    return parse_json(file.read_bytes())


def security_properties(label: Label) -> dict[str, Json]:
    """What the security extension says of a label."""
    told: dict[str, Json] = {
        "security:policy": label.policy,
        "security:classification": label.classification,
        "security:marking": label.marking,
        "security:labelled_by": label.originator,
        "security:created": format_instant(label.created),
    }
    if label.releasable_to is not None:
        told["security:releasable_to"] = list(label.releasable_to)
    if label.categories:
        told["security:categories"] = [
            {"tag": category.tag, "type": category.type.value, "values": list(category.values)} for category in label.categories
        ]
    if label.caveats:
        told["security:caveats"] = list(label.caveats)
    if label.review is not None:
        told["security:review"] = format_instant(label.review)
    return told


def stac_item(
    product: Product, href_of: Callable[[Asset], str], links: Sequence[Mapping[str, Json]], terms: Json = None
) -> dict[str, Json]:
    """STAC item of a product.

    Parameters
    ----------
    product
        Product in the form in which the reader may have it.
    href_of
        Address of a file.
    links
        Links of the item.
    terms
        Under what the reader has it, for a partner: reasons and obligations of the permit.
    """
    observed, more = observation_properties(product.observation)
    grid = {} if product.observation is None else grid_members(product.observation.grid)
    extensions = [_FILE, _PROCESSING, SECURITY_SCHEMA_ID, *more]
    event, validity = product.event, product.validity
    begin = format_instant(product.produced if event is None else event.begin)
    properties: dict[str, Json] = {
        "title": product.title,
        "datetime": begin,
        "platform": product.sensor,
        "processing:datetime": format_instant(product.produced),
        **security_properties(product.label),
        "security:originator": product.originator,
        **observed,
    }
    if event is not None and event.end is not None:
        properties |= {"start_datetime": begin, "end_datetime": format_instant(event.end)}
    if validity is not None and validity.end is not None:
        properties["expires"] = format_instant(validity.end)
        extensions.append(_TIMESTAMPS)
    if product.resolution_m is not None:
        properties["gsd"] = product.resolution_m
    if product.reductions:
        properties["security:reductions"] = list(product.reductions)
    if terms is not None:
        properties["security:release"] = terms
    # Of the original's pixels only: what is made of it for the map lies in another grid.
    placed = grid if product.asset(AssetRole.ORIGINAL) is not None else {}
    if placed:
        extensions.append(PROJECTION)
    item: dict[str, Json] = {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": [*extensions],
        "id": product.id,
        "collection": product.kind,
        "geometry": None,
        "properties": properties,
        "links": [dict(link) for link in links],
        "assets": {
            key: _asset(asset, href_of(asset)) | (placed if asset.role is AssetRole.ORIGINAL else {})
            for key, asset in _keyed(product.assets)
        },
    }
    if product.footprint is not None:
        item |= _place(product.footprint)
    return item


def _keyed(assets: Sequence[Asset]) -> Iterator[tuple[str, Asset]]:
    """Assets with their names in an item: the role, and a number if others of it came before."""
    counts: dict[str, int] = {}
    for asset in assets:
        role = asset.role.value
        count = counts[role] = counts.get(role, 0) + 1
        yield role if count == 1 else f"{role}-{count}", asset


def _asset(asset: Asset, href: str) -> dict[str, Json]:
    return {
        "href": href,
        "type": asset.media_type,
        "title": asset.name,
        "roles": [*_ROLES[asset.role]],
        "file:size": asset.size,
        "file:checksum": _SHA2_256 + _DIGEST_BYTES + asset.digest.partition(":")[2],
    }


def _place(footprint: Footprint) -> dict[str, Json]:
    """Geometry and bbox; cut in two where it crosses the antimeridian (RFC 7946, section 3.1.9)."""
    ring = footprint.ring
    lons, lats = [lon for lon, _ in ring], [lat for _, lat in ring]
    # No edge is longer than all of it.
    narrow = max(lons) - min(lons) <= _HALF_GLOBE_DEG
    if narrow or not any(abs(lon - following) > _HALF_GLOBE_DEG for lon, following in pairwise(lons)):
        geometry: Json = {"type": "Polygon", "coordinates": [[list(point) for point in ring]]}
        return {"geometry": geometry, "bbox": [min(lons), min(lats), max(lons), max(lats)]}
    import shapely
    from shapely.affinity import translate

    eastwards = [(lon + _GLOBE_DEG if lon < 0 else lon, lat) for lon, lat in ring]
    outline = shapely.make_valid(shapely.Polygon(eastwards))
    halves = [
        translate(shapely.intersection(outline, shapely.box(west, -90, west + _GLOBE_DEG, 90)), -turn)
        for west, turn in ((-_HALF_GLOBE_DEG, 0.0), (_HALF_GLOBE_DEG, _GLOBE_DEG))
    ]
    polygons = [part for half in halves for part in shapely.get_parts(half) if part.geom_type == "Polygon"]
    parts = shapely.MultiPolygon(polygons)
    wests = [lon for lon, _ in eastwards]
    bbox: list[Json] = [min(wests), min(lats), max(wests) - _GLOBE_DEG, max(lats)]
    return {"geometry": json.loads(shapely.to_geojson(parts)), "bbox": bbox}
