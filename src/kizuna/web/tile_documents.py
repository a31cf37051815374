"""Documents that tell tools where map tiles are and how they lie: TileJSON 3.0, WMTS 1.0.0 capabilities, OGC API Tiles 1.0."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from kizuna.catalog.tile_grid import DEEPEST_ZOOM, EQUATOR_M, TILE_PIXELS, matrix
from kizuna.formats.map_styles import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.formats.map_styles import Style
    from kizuna.model.canonical import Json

__all__ = ["GRID", "GRID_URI", "WEB_MERCATOR_URI", "Layer", "capabilities", "tile_json", "tile_matrix_set", "tileset", "tilesets"]

GRID = "WebMercatorQuad"
GRID_URI = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
WEB_MERCATOR_URI = "http://www.opengis.net/def/crs/EPSG/0/3857"
_CRS84_URI = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_KNOWN_SCALES = "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible"
_JSON = "application/json"
_ITEM, _SCHEME = "item", "http://www.opengis.net/def/rel/ogc/1.0/tiling-scheme"
_HALF_M = EQUATOR_M / 2.0


@dataclass(frozen=True, slots=True)
class Layer:
    """A product as a layer of a map.

    Parameters
    ----------
    id, title, marking
        Its id, its title, the line of its label.
    bounds_deg
        West, south, east, north, degrees.
    styles
        Styles in which it can be drawn, the usual one first.
    """

    id: str
    title: str
    marking: str
    bounds_deg: tuple[float, float, float, float]
    styles: Sequence[Style]


def tile_json(layer: Layer, tiles: str, zoom: int) -> Json:
    """TileJSON of a layer, whose tiles are at an address with ``{z}``, ``{x}`` and ``{y}``, down to a zoom."""
    return {
        "tilejson": "3.0.0",
        "name": layer.title,
        "description": layer.marking,
        "scheme": "xyz",
        "tiles": [tiles],
        "minzoom": 0,
        "maxzoom": zoom,
        "bounds": [*layer.bounds_deg],
    }


def tile_matrix_set() -> Json:
    """The grid, as OGC 17-083r4 describes it."""
    matrices: list[Json] = [
        {
            "id": str(zoom),
            "scaleDenominator": matrix(zoom).scale_denominator,
            "cellSize": matrix(zoom).cell_m,
            "cornerOfOrigin": "topLeft",
            "pointOfOrigin": [-_HALF_M, _HALF_M],
            "matrixWidth": matrix(zoom).side,
            "matrixHeight": matrix(zoom).side,
            "tileWidth": TILE_PIXELS,
            "tileHeight": TILE_PIXELS,
        }
        for zoom in range(DEEPEST_ZOOM + 1)
    ]
    return {
        "id": GRID,
        "title": "Google Maps Compatible for the World",
        "uri": GRID_URI,
        "crs": WEB_MERCATOR_URI,
        "orderedAxes": ["X", "Y"],
        "wellKnownScaleSet": _KNOWN_SCALES,
        "tileMatrices": matrices,
    }


def tileset(layer: Layer, here: str, grids: str, query: str) -> dict[str, Json]:
    """Tileset of a layer (OGC 20-057).

    Parameters
    ----------
    layer
        The layer.
    here
        Address of the tileset.
    grids
        Address of the grids.
    query
        Of the tiles' addresses, with its question mark; empty for none.
    """
    west, south, east, north = layer.bounds_deg
    tiles: list[Json] = [
        {
            "rel": _ITEM,
            "type": form.media_type,
            "href": f"{here}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}{query}{'&' if query else '?'}f={form}",
            "templated": True,
        }
        for form in Format
    ]
    return {
        "title": layer.title,
        "description": layer.marking,
        "dataType": "map",
        "crs": WEB_MERCATOR_URI,
        "tileMatrixSetURI": GRID_URI,
        "boundingBox": {"lowerLeft": [west, south], "upperRight": [east, north], "crs": _CRS84_URI},
        "links": [
            {"rel": "self", "type": _JSON, "href": here + query},
            {"rel": _SCHEME, "type": _JSON, "href": f"{grids}/{GRID}"},
            *tiles,
        ],
    }


def tilesets(layer: Layer, here: str, grids: str, query: str) -> Json:
    """All tilesets of a layer: the one."""
    one = tileset(layer, f"{here}/{GRID}", grids, query)
    return {"tilesets": [one], "links": [{"rel": "self", "type": _JSON, "href": here + query}]}


def _clean(text: str) -> str:
    """Text for XML 1.0, which has no place for most control characters."""
    return escape("".join(letter for letter in text if letter >= " " and letter not in "\x7f\ufffe\uffff"))


def _numbers(*numbers: float) -> str:
    return " ".join(f"{number:.12g}" for number in numbers)


def capabilities(title: str, service: str, layers: Sequence[Layer]) -> str:
    """WMTS capabilities (OGC 07-057r7), by key-value pairs and by addresses.

    Parameters
    ----------
    title
        Title of the service.
    service
        Its address.
    layers
        Its layers.
    """
    operations = "".join(
        f'<ows:Operation name="{name}"><ows:DCP><ows:HTTP><ows:Get xlink:href="{escape(service)}?">'
        '<ows:Constraint name="GetEncoding">'
        "<ows:AllowedValues><ows:Value>KVP</ows:Value></ows:AllowedValues></ows:Constraint></ows:Get></ows:HTTP></ows:DCP>"
        "</ows:Operation>"
        for name in ("GetCapabilities", "GetTile")
    )
    matrices = "".join(
        f"<TileMatrix><ows:Identifier>{zoom}</ows:Identifier><ScaleDenominator>{_numbers(matrix(zoom).scale_denominator)}"
        f"</ScaleDenominator><TopLeftCorner>{_numbers(-_HALF_M, _HALF_M)}</TopLeftCorner><TileWidth>{TILE_PIXELS}</TileWidth>"
        f"<TileHeight>{TILE_PIXELS}</TileHeight><MatrixWidth>{matrix(zoom).side}</MatrixWidth>"
        f"<MatrixHeight>{matrix(zoom).side}</MatrixHeight></TileMatrix>"
        for zoom in range(DEEPEST_ZOOM + 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Capabilities xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0">'
        f"<ows:ServiceIdentification><ows:Title>{_clean(title)}</ows:Title><ows:ServiceType>OGC WMTS</ows:ServiceType>"
        "<ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion></ows:ServiceIdentification>"
        f"<ows:OperationsMetadata>{operations}</ows:OperationsMetadata><Contents>"
        + "".join(_layer(service, layer) for layer in layers)
        + f"<TileMatrixSet><ows:Identifier>{GRID}</ows:Identifier><ows:SupportedCRS>urn:ogc:def:crs:EPSG::3857</ows:SupportedCRS>"
        f"<WellKnownScaleSet>urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible</WellKnownScaleSet>{matrices}</TileMatrixSet>"
        f'</Contents><ServiceMetadataURL xlink:href="{escape(service)}/1.0.0/WMTSCapabilities.xml"/></Capabilities>'
    )


def _layer(service: str, layer: Layer) -> str:
    west, south, east, north = layer.bounds_deg
    styles = "".join(
        f'<Style isDefault="{"true" if style is layer.styles[0] else "false"}"><ows:Identifier>{style}</ows:Identifier></Style>'
        for style in layer.styles
    )
    address = f"{service}/1.0.0/{layer.id}/{{Style}}/{GRID}/{{TileMatrix}}/{{TileRow}}/{{TileCol}}"
    formats = "".join(f"<Format>{form.media_type}</Format>" for form in reversed(Format))
    resources = "".join(
        f'<ResourceURL format="{form.media_type}" resourceType="tile" template="{escape(address)}.{form}"/>'
        for form in reversed(Format)
    )
    return (
        f"<Layer><ows:Title>{_clean(layer.title)}</ows:Title><ows:Abstract>{_clean(layer.marking)}</ows:Abstract>"
        f"<ows:WGS84BoundingBox><ows:LowerCorner>{_numbers(west, south)}</ows:LowerCorner>"
        f"<ows:UpperCorner>{_numbers(east, north)}</ows:UpperCorner></ows:WGS84BoundingBox>"
        f"<ows:Identifier>{layer.id}</ows:Identifier>{styles}{formats}"
        f"<TileMatrixSetLink><TileMatrixSet>{GRID}</TileMatrixSet></TileMatrixSetLink>{resources}</Layer>"
    )
