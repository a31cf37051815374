"""What map tiles offer beside a STAC API, operation by operation: for its OpenAPI description."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.formats.map_styles import Format, Style
from kizuna.web.stac_openapi import JSON, Operation

if TYPE_CHECKING:
    from kizuna.model.canonical import Json

__all__ = ["MAP_OPERATIONS", "MAP_PARAMETERS"]

_TEXT: dict[str, Json] = {"type": "string"}
_SIZE: dict[str, Json] = {"type": "integer", "minimum": 1, "maximum": 2048}
MAP_PARAMETERS: dict[str, dict[str, Json]] = {
    "style": {"type": "string", "enum": [*Style]},
    "stretch": {"type": "string", "description": "two decibels of amplitude 1, with a comma between"},
    "before": {"type": "string", "description": "id of a product to compare with"},
    "f:picture": {"type": "string", "enum": [*Format]},
    "bbox-crs": _TEXT,
    "crs": _TEXT,
    "width": _SIZE,
    "height": _SIZE,
    "service": {"type": "string", "enum": ["WMTS"]},
    "request": {"type": "string", "enum": ["GetCapabilities", "GetTile"]},
    **dict.fromkeys(("layer", "tilematrixset", "tilematrix", "tilecol", "tilerow", "format"), _TEXT),
}
"""Schemas of the parameters; what stands behind a colon tells one from others of its name."""

_DRAWN = ("style", "stretch", "before")
_FORMED = (*_DRAWN, "f:picture")
_ASKED = (
    "service",
    "request",
    "layer",
    "style",
    "tilematrixset",
    "tilematrix",
    "tilecol",
    "tilerow",
    "format",
    "stretch",
    "before",
)
_ONE = "/collections/{collection}/items/{item}"
_GRID = "WebMercatorQuad"
_PICTURE, _XML = ("image/webp", "Text"), ("application/xml", "Text")
_TILE = "/wmts/1.0.0/{layer}/{style}/" + _GRID + "/{z}/{y}/{x}.{format}"
_CAPABILITIES = "/wmts/1.0.0/WMTSCapabilities.xml"

MAP_OPERATIONS = (
    Operation("tile", f"{_ONE}/tiles/{{z}}/{{x}}/{{y}}.{{format}}", "Map tile (XYZ)", _PICTURE, parameters=_DRAWN),
    Operation("tile_json", f"{_ONE}/tilejson.json", "TileJSON of a product", (JSON, "Any"), parameters=_FORMED),
    Operation(
        "map",
        f"{_ONE}/map",
        "Picture of a rectangle",
        _PICTURE,
        parameters=(*_FORMED, "bbox", "bbox-crs", "crs", "width", "height"),
    ),
    Operation("tilesets", f"{_ONE}/map/tiles", "Tilesets of a product", (JSON, "Any"), parameters=_DRAWN),
    Operation("tileset", f"{_ONE}/map/tiles/{_GRID}", "The one tileset of a product", (JSON, "Any"), parameters=_DRAWN),
    Operation(
        "ogc_tile",
        f"{_ONE}/map/tiles/{_GRID}/{{matrix}}/{{row}}/{{col}}",
        "Map tile (OGC API Tiles)",
        _PICTURE,
        parameters=_FORMED,
    ),
    Operation("thumbnail", f"{_ONE}/thumbnail", "Small picture of a product", _PICTURE, parameters=_FORMED),
    Operation("item_wmts", f"{_ONE}/wmts", "WMTS of a product", _XML, parameters=_ASKED),
    Operation("item_capabilities", f"{_ONE}{_CAPABILITIES}", "What WMTS of a product offers", _XML),
    Operation("item_wmts_tile", f"{_ONE}{_TILE}", "Map tile (WMTS)", _PICTURE, parameters=("stretch", "before")),
    Operation("wmts", "/wmts", "WMTS of the newest products", _XML, parameters=(*_ASKED, "bbox", "datetime", "filter", "limit")),
    Operation(
        "capabilities",
        _CAPABILITIES,
        "What WMTS of the newest products offers",
        _XML,
        parameters=("bbox", "datetime", "filter", "limit"),
    ),
    Operation("wmts_tile", _TILE, "Map tile (WMTS)", _PICTURE, parameters=("stretch", "before")),
    Operation("grids", "/tileMatrixSets", "Grids of tiles", (JSON, "Any")),
    Operation("grid", f"/tileMatrixSets/{_GRID}", "The grid of tiles", (JSON, "Any")),
)
"""What is offered; pictures come as WebP or PNG."""
