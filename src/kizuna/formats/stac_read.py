"""STAC items, item collections, collections and catalogues of others (STAC 1.0 and 1.1): what they say, where files are."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from kizuna.errors import InputError, Message
from kizuna.model.canonical import parse_json
from kizuna.model.digests import Digest
from kizuna.model.instants import Instant, Interval, parse_instant
from kizuna.model.observation import (
    FrequencyBand,
    Grid,
    Observation,
    Orbit,
    OrbitState,
    Processing,
    Radar,
    Side,
    Viewing,
    band_of,
    plausible,
)
from kizuna.model.product import Footprint
from kizuna.model.reading import one_line

__all__ = ["StacAsset", "StacDocument", "StacItem", "read_stac"]

_MOST_ITEMS = 10_000
_MOST_LINKS = 10_000
_MOST_ASSETS = 1_000
_SHA2_256 = re.compile(r"1220([0-9a-f]{64})\Z", re.IGNORECASE)  # a multihash, as the file extension has them
_GIGAHERTZ = 1e9
_HALF_GLOBE_DEG, _GLOBE_DEG, _MOST_LATITUDE_DEG = 180.0, 360.0, 90.0
_FEWEST_POINTS = 4


@dataclass(frozen=True, slots=True)
class StacAsset:
    """A file of an item.

    Parameters
    ----------
    key
        Its name among the item's assets.
    href
        Where it is: an address, or a path relative to the item.
    media_type, roles
        As the item says.
    size, digest
        Length in bytes and SHA-256, where the item says (file extension).
    """

    key: str
    href: str
    media_type: str
    roles: tuple[str, ...]
    size: int | None
    digest: Digest | None

    @property
    def name(self) -> str:
        """Last part of its path, as a file name."""
        return one_line(PurePosixPath(urlsplit(self.href).path).name)[:200] or "asset"


@dataclass(frozen=True, slots=True)
class StacItem:
    """What an item says of its product.

    Parameters
    ----------
    id, title
        As it says; the title is the id where it has none.
    footprint
        Outline: of several polygons the smallest convex one around them; None for an item without a place.
    event
        When it was observed.
    produced
        When its files were made, if it says so.
    sensor
        Platform, or constellation; empty where it says neither.
    resolution_m
        Its ``gsd``.
    observation
        How it was observed.
    assets
        Its files.
    """

    id: str
    title: str
    footprint: Footprint | None
    event: Interval | None
    produced: Instant | None
    sensor: str
    resolution_m: float | None
    observation: Observation | None
    assets: tuple[StacAsset, ...]

    def data_asset(self, key: str | None = None) -> StacAsset:
        """File that holds the product: the one of this key, or else the only one, or the first whose role is data.

        Raises
        ------
        InputError
            There is none.
        """
        found = [asset for asset in self.assets if asset.key == key] if key is not None else self._data()
        if not found:
            known = ", ".join(asset.key for asset in self.assets[:20])
            raise InputError(
                Message("the STAC item {id} has no asset that holds data", {"id": self.id})
                if key is None
                else Message("the STAC item {id} has no asset {key}", {"id": self.id, "key": key}),
                hint=Message("name one of its assets with --asset: {known}", {"known": known or "-"}),
                field="assets",
            )
        return found[0]

    def _data(self) -> list[StacAsset]:
        data = [asset for asset in self.assets if "data" in asset.roles]
        return data or (list(self.assets) if len(self.assets) == 1 else [])


@dataclass(frozen=True, slots=True)
class StacDocument:
    """A document: items, and links to more.

    Parameters
    ----------
    items
        Each with its own JSON.
    links
        Relation and address of each link to more items.
    """

    items: tuple[tuple[StacItem, Mapping[str, Any]], ...]
    links: tuple[tuple[str, str], ...]


def _fault(message: Message, field: str | None = None) -> InputError:
    return InputError(message, hint=Message("give a STAC item, item collection, collection or catalogue, as JSON"), field=field)


def read_stac(data: bytes) -> StacDocument:
    """Items and links of a STAC document.

    Parameters
    ----------
    data
        JSON, UTF-8.

    Raises
    ------
    InputError
        No STAC document, or an item without id or with a place or time that is none.
    """
    document = parse_json(data)
    if not isinstance(document, Mapping):
        raise _fault(Message("no STAC document: expected an object"))
    kind = document.get("type")
    if kind == "Feature":
        return StacDocument(((_item(document), document),), ())
    links = _links(document)
    if kind == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, Sequence) or len(features) > _MOST_ITEMS:
            raise _fault(Message("no STAC item collection: its features are no list of at most {most}", {"most": _MOST_ITEMS}))
        found = tuple((_item(feature), feature) for feature in features if isinstance(feature, Mapping))
        return StacDocument(found, tuple(link for link in links if link[0] == "next"))
    if kind in ("Collection", "Catalog") and "stac_version" in document:
        # An API's collection names its items once more, page by page: that is what is followed then.
        wanted = {"items"} if any(rel == "items" for rel, _ in links) else {"item", "child"}
        return StacDocument((), tuple(link for link in links if link[0] in wanted))
    raise _fault(Message("no STAC document: its type is {got}", {"got": repr(kind)[:100]}), "type")


def _links(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    links = document.get("links")
    found = []
    for link in links[:_MOST_LINKS] if isinstance(links, list | tuple) else ():
        told = isinstance(link, Mapping) and isinstance(link.get("rel"), str) and isinstance(link.get("href"), str)
        # A search that goes on by POST is not followed.
        if told and str(link.get("method", "GET")).upper() == "GET":
            found.append((link["rel"], link["href"]))
    return found


def _item(form: Mapping[str, Any]) -> StacItem:
    if not isinstance(form.get("stac_version"), str) or form.get("type") != "Feature":
        raise _fault(Message("no STAC item: it has no stac_version"), "stac_version")
    name = form.get("id")
    if not isinstance(name, str) or not one_line(name):
        raise _fault(Message("the STAC item has no id"), "id")
    properties = form.get("properties")
    if not isinstance(properties, Mapping):
        raise _fault(Message("the STAC item {id} has no properties", {"id": one_line(name)}), "properties")
    told = _Properties(properties)
    assets = form.get("assets")
    return StacItem(
        id=one_line(name),
        title=told.line("title") or one_line(name),
        footprint=_footprint(form.get("geometry"), one_line(name)),
        event=_event(told, one_line(name)),
        produced=told.instant("processing:datetime") or told.instant("created"),
        sensor=told.line("platform") or told.line("constellation") or "",
        resolution_m=resolution if (resolution := told.number("gsd")) is not None and 0.0 < resolution <= 1e6 else None,  # noqa: PLR2004
        observation=plausible(_observation(_Properties(dict(properties) | _grid_of(assets)))),
        assets=tuple(_assets(assets)) if isinstance(assets, Mapping) else (),
    )


def _grid_of(assets: object) -> dict[str, Any]:
    """Where the pixels of the first data file lie, if it says so itself."""
    for form in assets.values() if isinstance(assets, Mapping) else ():
        if isinstance(form, Mapping) and isinstance(roles := form.get("roles"), list | tuple) and "data" in roles:
            return {name: value for name, value in form.items() if name.startswith("proj:")}
    return {}


def _assets(assets: Mapping[str, Any]) -> list[StacAsset]:
    found = []
    for key, form in list(assets.items())[:_MOST_ASSETS]:
        if not isinstance(form, Mapping) or not isinstance(form.get("href"), str):
            continue
        roles, size, checksum = form.get("roles"), form.get("file:size"), form.get("file:checksum")
        matched = _SHA2_256.match(checksum) if isinstance(checksum, str) else None
        found.append(
            StacAsset(
                key=key,
                href=form["href"],
                media_type=form["type"] if isinstance(form.get("type"), str) else "",
                roles=tuple(role for role in roles if isinstance(role, str)) if isinstance(roles, list | tuple) else (),
                size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
                digest=None if matched is None else Digest("sha256:" + matched[1].lower()),
            )
        )
    return found


class _Properties:
    """Properties of an item, None for what is not there or has another form."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def line(self, name: str) -> str | None:
        value = self._members.get(name)
        return one_line(value) or None if isinstance(value, str) else None

    def lines(self, name: str) -> tuple[str, ...]:
        value = self._members.get(name)
        return tuple(one_line(v) for v in value if isinstance(v, str)) if isinstance(value, list | tuple) else ()

    def number(self, name: str) -> float | None:
        value = self._members.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        with suppress(OverflowError):
            return float(value) if math.isfinite(value) else None
        return None

    def numbers(self, name: str) -> tuple[float, ...]:
        value = self._members.get(name)
        known = isinstance(value, list | tuple) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        return tuple(map(float, value)) if known and value is not None else ()

    def whole(self, name: str) -> int | None:
        value = self._members.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def radians(self, name: str) -> float | None:
        value = self.number(name)
        return None if value is None else math.radians(value)

    def instant(self, name: str) -> Instant | None:
        value = self._members.get(name)
        with suppress(InputError):
            return parse_instant(value) if isinstance(value, str) else None
        return None

    def members(self, name: str) -> Mapping[str, Any]:
        value = self._members.get(name)
        return value if isinstance(value, Mapping) else {}


def _event(told: _Properties, name: str) -> Interval | None:
    begin, end, moment = (told.instant(key) for key in ("start_datetime", "end_datetime", "datetime"))
    if begin is not None and end is not None:
        if end < begin:
            raise _fault(Message("the STAC item {id} ends before it begins", {"id": name}), "end_datetime")
        return Interval(begin, end)
    return None if moment is None else Interval(moment, moment)


def _footprint(geometry: object, name: str) -> Footprint | None:
    if geometry is None:
        return None
    wrong = _fault(
        Message("the STAC item {id} has no outline: expected a Polygon or MultiPolygon in degrees", {"id": name}), "geometry"
    )
    if not isinstance(geometry, Mapping):
        raise wrong
    coordinates = geometry.get("coordinates")
    match geometry.get("type"):
        case "Polygon":
            polygons = [coordinates]
        case "MultiPolygon" if isinstance(coordinates, list | tuple):
            polygons = list(coordinates)
        case _:
            raise wrong
    rings = []
    for polygon in polygons:
        if not isinstance(polygon, list | tuple) or not polygon or not isinstance(polygon[0], list | tuple):
            raise wrong
        rings.append([_point(point, wrong) for point in polygon[0]])
    if not rings or any(len(ring) < _FEWEST_POINTS or ring[0] != ring[-1] for ring in rings):
        raise wrong
    if len(rings) > 1:
        rings = [_around(rings, wrong)]
    ring = rings[0]
    unwrapped = _unwrapped(ring)
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(unwrapped))
    return Footprint(tuple(ring if area >= 0.0 else ring[::-1]))


def _point(point: object, wrong: InputError) -> tuple[float, float]:
    match point:
        case [int() | float() as lon, int() | float() as lat, *_] | (int() | float() as lon, int() | float() as lat, *_) if (
            abs(lon) <= _HALF_GLOBE_DEG and abs(lat) <= _MOST_LATITUDE_DEG
        ):
            return float(lon), float(lat)
        case _:
            raise wrong


def _unwrapped(ring: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Ring that goes on beyond ±180 degrees where it crosses the antimeridian."""
    made = [ring[0]]
    for lon, lat in ring[1:]:
        made.append((lon - _GLOBE_DEG * round((lon - made[-1][0]) / _GLOBE_DEG), lat))
    return made


def _around(rings: list[list[tuple[float, float]]], wrong: InputError) -> list[tuple[float, float]]:
    """Smallest convex ring around several: no part of them is left out. Two halves that meet at the antimeridian become one."""
    lons = [lon for ring in rings for lon, _ in ring]
    halves = max(lons) == _HALF_GLOBE_DEG and min(lons) == -_HALF_GLOBE_DEG
    points = [(lon % _GLOBE_DEG if halves else lon, lat) for ring in rings for lon, lat in ring]
    import shapely

    hull = shapely.MultiPoint(points).convex_hull
    if hull.geom_type != "Polygon":
        raise wrong
    ring = [((lon + _HALF_GLOBE_DEG) % _GLOBE_DEG - _HALF_GLOBE_DEG if halves else lon, lat) for lon, lat in hull.exterior.coords]
    return [(float(lon), float(lat)) for lon, lat in ring]


def _observation(told: _Properties) -> Observation:
    frequency = told.number("sar:center_frequency")
    centre_hz = None if frequency is None else frequency * _GIGAHERTZ
    band, state, side = told.line("sar:frequency_band"), told.line("sat:orbit_state"), told.line("sar:observation_direction")
    code = told.line("proj:code")
    epsg = told.whole("proj:epsg")
    shape = told.numbers("proj:shape")
    # Of what lengths they are is checked below, and members in `plausible`.
    transform: Any = told.numbers("proj:transform")
    bounds: Any = told.numbers("proj:bbox")
    software = told.members("processing:software")
    return Observation(
        radar=Radar(
            instrument_mode=told.line("sar:instrument_mode"),
            frequency_band=FrequencyBand(band)
            if band in set(FrequencyBand)
            else None
            if centre_hz is None
            else band_of(centre_hz),
            centre_frequency_hz=centre_hz,
            polarisations=told.lines("sar:polarizations"),
            product_type=told.line("product:type") or told.line("sar:product_type"),
            resolution_range_m=told.number("sar:resolution_range"),
            resolution_azimuth_m=told.number("sar:resolution_azimuth"),
            spacing_range_m=told.number("sar:pixel_spacing_range"),
            spacing_azimuth_m=told.number("sar:pixel_spacing_azimuth"),
            looks_range=told.number("sar:looks_range"),
            looks_azimuth=told.number("sar:looks_azimuth"),
            looks_equivalent=told.number("sar:looks_equivalent_number"),
            side=Side(side) if side in set(Side) else None,
        ),
        orbit=Orbit(
            state=OrbitState(state) if state in set(OrbitState) else None,
            relative=told.whole("sat:relative_orbit"),
            absolute=told.whole("sat:absolute_orbit"),
            designator=told.line("sat:platform_international_designator"),
        ),
        viewing=Viewing(
            incidence_rad=told.radians("view:incidence_angle"),
            off_nadir_rad=told.radians("view:off_nadir"),
            azimuth_rad=told.radians("view:azimuth"),
        ),
        grid=Grid(
            code=code or (None if epsg is None else f"EPSG:{epsg}"),
            shape=(int(shape[0]), int(shape[1])) if len(shape) == 2 else None,  # noqa: PLR2004 # rows, columns
            # Some write the last row of the matrix, too.
            transform=transform[:6] if len(transform) in {6, 9} else None,
            bounds=bounds if len(bounds) == 4 else None,  # noqa: PLR2004
        ),
        processing=Processing(
            level=told.line("processing:level"),
            facility=told.line("processing:facility"),
            software=tuple(
                (one_line(str(name)), one_line(str(version)) or "unknown") for name, version in list(software.items())[:16]
            ),
            lineage=told.line("processing:lineage"),
        ),
    )
