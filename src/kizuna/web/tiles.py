"""Map tiles of products, for people and for partners: XYZ, TileJSON, WMTS, OGC API Tiles and Maps, thumbnails.

# INVARIANT: the desk is asked for each picture, and before a caller's own copy is said to be fresh (304): a suspension takes
# effect in the next request, whatever a client keeps. What a caller may not see is the catalogue's one miss.
"""

from __future__ import annotations

import hashlib
import math
import re
from typing import TYPE_CHECKING, Protocol

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from kizuna.catalog.tile_grid import EQUATOR_M, TILE_PIXELS, Box, box_of_degrees, tile_box
from kizuna.errors import InputError, Message
from kizuna.formats.map_styles import Format, Style
from kizuna.kinds.registry import kind_names
from kizuna.model.product import parse_product_id
from kizuna.node.tiles import Drawn, NotMadeYet, Sheet, sheet_box, styles_of
from kizuna.web.answers import answering, written
from kizuna.web.stac_query import get_query
from kizuna.web.tile_documents import GRID, WEB_MERCATOR_URI, Layer, capabilities, tile_json, tile_matrix_set, tileset, tilesets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request

    from kizuna.catalog.query import Query
    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.model.product import Product, ProductId
    from kizuna.web.answers import Endpoint, Guard

__all__ = ["TileDesk", "TileFace", "grid_links", "map_links"]

_JSON, _XML = "application/json", "application/xml"
_MOST_PIXELS = 2048
_LEAST_SIDE_M = 1.0
_MAP_PIXELS, _THUMBNAIL_PIXELS = 1024, 256
_TILE = (TILE_PIXELS, TILE_PIXELS)
_NUMBER = re.compile(r"[0-9]{1,9}\Z", re.ASCII)
_RETRY_S = 2
_USUAL = "default"
"""What clients call a style of which they do not know the name."""
_CRS84 = frozenset({"http://www.opengis.net/def/crs/OGC/1.3/CRS84", "[OGC:CRS84]", "OGC:CRS84"})
_EPSG_4326 = frozenset({"http://www.opengis.net/def/crs/EPSG/0/4326", "[EPSG:4326]", "EPSG:4326"})
_EPSG_3857 = frozenset({WEB_MERCATOR_URI, "[EPSG:3857]", "EPSG:3857"})


class TileDesk(Protocol):
    """Says what may be drawn. Called from several threads at once."""

    def sheet(self, product: ProductId, partner: Party | None, drawn: Drawn, before: ProductId | None = None) -> Sheet | None:
        """Product of this id, if the caller may see it on a map now; raises NotMadeYet."""
        ...

    def newest(self, query: Query, partner: Party | None) -> Sequence[Product]:
        """Products that a search finds for a caller and that can be drawn."""
        ...


def map_links(here: str, id_: str) -> list[dict[str, Json]]:
    """Links from an item that can be drawn to its map tiles.

    Parameters
    ----------
    here
        Address of the item.
    id_
        Id of the product.
    """
    return [
        {"rel": "xyz", "type": "image/webp", "href": here + "/tiles/{z}/{x}/{y}.webp"},
        {"rel": "tilejson", "type": _JSON, "href": here + "/tilejson.json"},
        {"rel": "wmts", "type": _XML, "href": here + "/wmts/1.0.0/WMTSCapabilities.xml", "wmts:layer": id_},
        {"rel": "http://www.opengis.net/def/rel/ogc/1.0/tilesets-map", "type": _JSON, "href": here + "/map/tiles"},
        {"rel": "http://www.opengis.net/def/rel/ogc/1.0/map", "type": "image/png", "href": here + "/map"},
        {"rel": "preview", "type": "image/png", "href": here + "/thumbnail"},
    ]


def grid_links(base: str) -> list[Json]:
    """Links from a catalogue to the grids of its tiles, and to WMTS of its newest products."""
    return [
        {"rel": "http://www.opengis.net/def/rel/ogc/1.0/tiling-schemes", "type": _JSON, "href": base + "/tileMatrixSets"},
        {"rel": "wmts", "type": _XML, "href": base + "/wmts/1.0.0/WMTSCapabilities.xml"},
    ]


def _wrong(field: str, got: object, expected: Message) -> InputError:
    values: dict[str, str | int | float | Message] = {"field": field, "expected": expected, "got": repr(got)[:64]}
    return InputError(Message("{field}: got {got}, expected {expected}", values), field=field)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []


def _drawn(parameters: Mapping[str, str]) -> tuple[Drawn, ProductId | None]:
    """How a picture is to be drawn, and the product that it is compared with."""
    style = parameters.get("style") or _USUAL
    if style == _USUAL:
        style = Style.DB
    if style not in set(Style):
        raise _wrong("style", style, Message("one of {names}", {"names": ", ".join(Style)}))
    stretch: tuple[float, float] | None = None
    if parameters.get("stretch"):
        match _numbers(parameters["stretch"]):
            case [low, high] if math.isfinite(low) and math.isfinite(high) and low < high:
                stretch = low, high
            case _:
                raise _wrong("stretch", parameters["stretch"], Message("two numbers, decibels, the lower one first"))
    before = None
    if parameters.get("before"):
        try:
            before = parse_product_id(parameters["before"])
        except InputError:
            raise HTTPException(404) from None
    return Drawn(Style(style), stretch), before


def _format(request: Request, asked: str | None, default: Format = Format.PNG) -> Format:
    if asked:
        found = next((form for form in Format if asked in {form.value, form.media_type}), None)
        if found is None:
            raise _wrong("f", asked, Message("one of {names}", {"names": ", ".join(Format)}))
        return found
    return Format.WEBP if "image/webp" in request.headers.get("accept", "") else default


def _tile(z: str, x: str, y: str) -> Box:
    """Rectangle of a tile; one that there is not is missed, as all that there is not."""
    if not all(_NUMBER.match(text) for text in (z, x, y)):
        raise HTTPException(404)
    try:
        return tile_box(int(z), int(x), int(y))
    except InputError:
        raise HTTPException(404) from None


def _size(parameters: Mapping[str, str], box: Box, longest: int) -> tuple[int, int]:
    """Columns and rows of a map: what is not given follows from the shape of its rectangle."""
    given: dict[str, int] = {}
    for name in ("width", "height"):
        text = parameters.get(name)
        if text:
            if not _NUMBER.match(text) or not 1 <= int(text) <= _MOST_PIXELS:
                raise _wrong(name, text, Message("a whole number from 1 to {most}", {"most": _MOST_PIXELS}))
            given[name] = int(text)
    across, down = box.east_m - box.west_m, box.north_m - box.south_m
    if len(given) == 2:  # noqa: PLR2004 - both
        return given["width"], given["height"]
    scale = given["width"] / across if "width" in given else given["height"] / down if given else longest / max(across, down)
    size = given.get("width", round(across * scale)), given.get("height", round(down * scale))
    return min(max(size[0], 1), _MOST_PIXELS), min(max(size[1], 1), _MOST_PIXELS)


def _box(parameters: Mapping[str, str]) -> Box | None:
    """Rectangle of a map; None for all of the product."""
    text, system = parameters.get("bbox"), parameters.get("bbox-crs") or "OGC:CRS84"
    if not text:
        return None
    expected = Message("four numbers: west, south, east, north, with some area between them")
    match _numbers(text):
        case [*values] if len(values) == 4 and all(map(math.isfinite, values)):  # noqa: PLR2004 - a rectangle's
            west, south, east, north = values
        case _:
            raise _wrong("bbox", text, expected)
    if system in _EPSG_3857:
        box = Box(west, south, east, north)
    elif system in _CRS84:
        box = box_of_degrees(west, south, east, north)
    elif system in _EPSG_4326:
        box = box_of_degrees(south, west, north, east)
    else:
        raise _wrong("bbox-crs", system, Message("CRS84, EPSG:4326 or EPSG:3857"))
    if not all(_LEAST_SIDE_M <= side <= 2 * EQUATOR_M for side in (box.east_m - box.west_m, box.north_m - box.south_m)):
        raise _wrong("bbox", text, expected)
    return box


def _layer(product: Product) -> Layer:
    styles = styles_of(product)
    return Layer(product.id, product.title, product.label.marking, sheet_box(product).to_degrees(), styles)


class TileFace:
    """Endpoints of map tiles beside a STAC API.

    Parameters
    ----------
    desk
        What says what may be drawn.
    path
        Where the STAC API begins.
    title
        Title of the catalogue.
    """

    def __init__(self, desk: TileDesk, path: str, title: str) -> None:
        self._desk, self._path, self._title = desk, path, title

    def routes(self, guard: Guard) -> list[Route]:
        """Routes, each behind what tells who asks."""
        path, item = self._path, self._path + "/collections/{collection}/items/{item}"

        def route(where: str, endpoint: Endpoint) -> Route:
            return Route(where, guard(answering(_patient(endpoint))), methods=["GET"])

        return [
            route(item + "/tiles/{z}/{x}/{y}.{format}", self.tile),
            route(item + "/tilejson.json", self.tile_json),
            route(item + "/map", self.map),
            route(item + "/map/tiles", self.tilesets),
            route(item + "/map/tiles/" + GRID, self.tileset),
            route(item + "/map/tiles/" + GRID + "/{matrix}/{row}/{col}", self.ogc_tile),
            route(item + "/thumbnail", self.thumbnail),
            route(item + "/wmts", self.wmts),
            route(item + "/wmts/1.0.0/WMTSCapabilities.xml", self.capabilities),
            route(item + "/wmts/1.0.0/{layer}/{style}/" + GRID + "/{z}/{y}/{x}.{format}", self.wmts_tile),
            route(path + "/wmts", self.wmts),
            route(path + "/wmts/1.0.0/WMTSCapabilities.xml", self.capabilities),
            route(path + "/wmts/1.0.0/{layer}/{style}/" + GRID + "/{z}/{y}/{x}.{format}", self.wmts_tile),
            route(path + "/tileMatrixSets", self.grids),
            route(path + "/tileMatrixSets/" + GRID, self.grid),
        ]

    # ---- pictures

    def tile(self, request: Request, caller: Party | None) -> Response:
        """One tile, as XYZ numbers them."""
        told = request.path_params
        box = _tile(told["z"], told["x"], told["y"])
        return self._picture(request, caller, box, _known_format(told["format"]))

    def ogc_tile(self, request: Request, caller: Party | None) -> Response:
        """One tile, as OGC API Tiles numbers them."""
        told = request.path_params
        box = _tile(told["matrix"], told["col"], told["row"])
        return self._picture(request, caller, box, _format(request, request.query_params.get("f")))

    def wmts_tile(self, request: Request, caller: Party | None) -> Response:
        """One tile, as WMTS numbers them."""
        told = request.path_params
        if told.get("item", told["layer"]) != told["layer"]:
            raise HTTPException(404)
        box = _tile(told["z"], told["x"], told["y"])
        asked = {**request.query_params, "style": told["style"]}
        return self._picture(request, caller, box, _known_format(told["format"]), asked=asked, name=told["layer"])

    def map(self, request: Request, caller: Party | None) -> Response:
        """One picture of a rectangle."""
        asked = request.query_params
        system = asked.get("crs") or WEB_MERCATOR_URI
        if system not in _EPSG_3857:
            raise _wrong("crs", system, Message("EPSG:3857"))
        return self._picture(request, caller, _box(asked), _format(request, asked.get("f")), longest=_MAP_PIXELS)

    def thumbnail(self, request: Request, caller: Party | None) -> Response:
        """A small picture of all of it."""
        return self._picture(request, caller, None, _format(request, request.query_params.get("f")), longest=_THUMBNAIL_PIXELS)

    def _picture(
        self,
        request: Request,
        caller: Party | None,
        box: Box | None,
        form: Format,
        *,
        asked: Mapping[str, str] | None = None,
        name: str | None = None,
        longest: int | None = None,
    ) -> Response:
        asked = request.query_params if asked is None else asked
        drawn, before = _drawn(asked)
        if box is not None and longest is not None:
            _size(asked, box, longest)
        sheet = self._sheet(request, caller, drawn, before, name)
        if box is None:
            box = sheet.box()
        size = _TILE if longest is None else _size(asked, box, longest)
        tag = '"' + hashlib.sha256(f"{sheet.stamp} {box} {size} {form}".encode()).hexdigest()[:32] + '"'
        headers = {"cache-control": "private, no-cache", "etag": tag, "vary": "accept, authorization, cookie"}
        if longest is not None:
            corners = (box.west_m, box.south_m, box.east_m, box.north_m)
            headers |= {"content-crs": f"<{WEB_MERCATOR_URI}>", "content-bbox": ",".join(f"{value:.6f}" for value in corners)}
        if tag in {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}:
            return Response(status_code=304, headers=headers)
        return Response(sheet.picture(box, size, form), headers=headers, media_type=form.media_type)

    # ---- documents

    def tile_json(self, request: Request, caller: Party | None) -> Response:
        """TileJSON of a product."""
        drawn, before = _drawn(request.query_params)
        sheet = self._sheet(request, caller, drawn, before)
        form = _format(request, request.query_params.get("f"), Format.WEBP)
        query = "&".join(part for part in request.url.query.split("&") if part and not part.startswith("f="))
        tiles = f"{self._item(request, sheet.product)}/tiles/{{z}}/{{x}}/{{y}}.{form}" + (f"?{query}" if query else "")
        return written(tile_json(_layer(sheet.product), tiles, sheet.zoom))

    def tilesets(self, request: Request, caller: Party | None) -> Response:
        """Tilesets of a product."""
        return self._tiles_document(request, caller, "/map/tiles", tilesets)

    def tileset(self, request: Request, caller: Party | None) -> Response:
        """The one tileset of a product."""
        return self._tiles_document(request, caller, "/map/tiles/" + GRID, tileset)

    def _tiles_document(
        self, request: Request, caller: Party | None, below: str, document: Callable[[Layer, str, str, str], Json]
    ) -> Response:
        sheet = self._sheet(request, caller, *_drawn(request.query_params))
        query = f"?{request.url.query}" if request.url.query else ""
        here = self._item(request, sheet.product) + below
        return written(document(_layer(sheet.product), here, self._base(request) + "/tileMatrixSets", query))

    def wmts(self, request: Request, caller: Party | None) -> Response:
        """WMTS by key-value pairs."""
        asked = {name.lower(): value for name, value in request.query_params.items()}
        if asked.get("service", "WMTS").upper() != "WMTS":
            raise _wrong("service", asked["service"], Message("WMTS"))
        match asked.get("request", "GetCapabilities").lower():
            case "getcapabilities":
                return self.capabilities(request, caller)
            case "gettile":
                if asked.get("tilematrixset") != GRID:
                    raise _wrong("tilematrixset", asked.get("tilematrixset"), Message("{name}", {"name": GRID}))
                layer = asked.get("layer", "")
                if request.path_params.get("item", layer) != layer:
                    raise HTTPException(404)
                box = _tile(asked.get("tilematrix", ""), asked.get("tilecol", ""), asked.get("tilerow", ""))
                form = _format(request, asked.get("format"))
                return self._picture(request, caller, box, form, asked=asked, name=layer)
            case other:
                raise _wrong("request", other, Message("GetCapabilities or GetTile"))

    def capabilities(self, request: Request, caller: Party | None) -> Response:
        """What WMTS offers: a product, or those that a search finds."""
        if "item" in request.path_params:
            sheet = self._sheet(request, caller, Drawn(), None)
            products: Sequence[Product] = [sheet.product]
            service = self._item(request, sheet.product) + "/wmts"
        else:
            query, _ = get_query({"limit": "100", **request.query_params})
            products = self._desk.newest(query, caller)
            service = self._base(request) + "/wmts"
        text = capabilities(self._title, service, [_layer(product) for product in products])
        return Response(text, headers={"cache-control": "private, no-store"}, media_type=_XML)

    def grids(self, request: Request, _caller: Party | None) -> Response:
        """Grids of tiles: the one."""
        here = self._base(request) + "/tileMatrixSets/" + GRID
        uri = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"
        one: Json = {"id": GRID, "uri": uri, "links": [{"rel": "self", "type": _JSON, "href": here}]}
        return written({"tileMatrixSets": [one]})

    def grid(self, _request: Request, _caller: Party | None) -> Response:
        """The grid of tiles."""
        return written(tile_matrix_set())

    # ---- what all begin with

    def _base(self, request: Request) -> str:
        return f"{request.url.scheme}://{request.headers.get('host', '')}{self._path}"

    def _item(self, request: Request, product: Product) -> str:
        return f"{self._base(request)}/collections/{product.kind}/items/{product.id}"

    def _sheet(
        self, request: Request, caller: Party | None, drawn: Drawn, before: ProductId | None, name: str | None = None
    ) -> Sheet:
        collection: str | None = request.path_params.get("collection")
        if collection is not None and collection not in kind_names():
            raise HTTPException(404)
        try:
            product = parse_product_id(request.path_params["item"] if name is None else name)
        except InputError:
            raise HTTPException(404) from None
        sheet = self._desk.sheet(product, caller, drawn, before)
        if sheet is None or (collection is not None and sheet.product.kind != collection):
            raise HTTPException(404)
        return sheet


def _known_format(name: str) -> Format:
    """Format of this name; a tile of another is missed."""
    if name not in set(Format):
        raise HTTPException(404)
    return Format(name)


def _patient(endpoint: Endpoint) -> Endpoint:
    """Endpoint that asks to be asked again where a picture cannot be drawn yet."""

    def answer(request: Request, caller: Party | None) -> Response:
        try:
            return endpoint(request, caller)
        except NotMadeYet:
            response = written({"code": "NotMadeYet", "description": "the map image is being made: ask again"}, status=503)
            response.headers["retry-after"] = str(_RETRY_S)
            return response

    return answer
