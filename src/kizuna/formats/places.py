"""Targets as people write them: ``NAME=LATITUDE,LONGITUDE[,HEIGHT]`` in degrees and metres, a CSV table, or GeoJSON points."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING

from kizuna.earth.wgs84 import Geodetic
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["parse_place", "read_places"]

type Place = tuple[str, Geodetic]


def parse_place(text: str) -> Place:
    """Target from ``NAME=LATITUDE,LONGITUDE[,HEIGHT]``.

    Raises
    ------
    InputError
        It has another form.

    Examples
    --------
    >>> name, place = parse_place("Kyiv=50.45,30.5,179")
    >>> name, place.latitude_deg, place.longitude_deg, place.height_m
    ('Kyiv', 50.45, 30.5, 179.0)
    """
    name, _equals, numbers = text.rpartition("=")
    parts = numbers.split(",")
    if not name or len(parts) not in {2, 3}:
        raise _fault(text)
    return name.strip(), _geodetic(text, *parts)


def read_places(data: bytes) -> tuple[Place, ...]:
    """Targets of a file: CSV with columns ``name``, ``latitude``, ``longitude`` and perhaps ``height``, or GeoJSON points.

    Raises
    ------
    InputError
        It is neither, or a target of it has another form.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Message("the targets are no text in UTF-8"), field="targets") from error
    places = _from_geojson(text) if text.lstrip().startswith("{") else _from_csv(text)
    if not places:
        raise InputError(Message("the file names no target"), field="targets")
    return tuple(places)


def _from_csv(text: str) -> list[Place]:
    rows = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    missing = {"name", "latitude", "longitude"} - {name.strip() for name in rows.fieldnames or ()}
    if missing:
        raise InputError(
            Message("the table of targets has no column {names}", {"names": ", ".join(sorted(missing))}),
            hint=Message(
                "its first line is: name,latitude,longitude,height (degrees; metres above the ellipsoid; height optional)"
            ),
            field="targets",
        )
    return [
        (
            str(row["name"]),
            _geodetic(",".join(map(str, row.values())), row["latitude"], row["longitude"], row.get("height") or "0"),
        )
        for row in rows
    ]


def _from_geojson(text: str) -> list[Place]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise InputError(Message("the targets are no JSON: {why}", {"why": str(error)}), field="targets") from error
    features = document.get("features")
    found = []
    for number, feature in enumerate(features if isinstance(features, list) else [document], start=1):
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        if not isinstance(geometry, dict) or geometry.get("type") != "Point" or not isinstance(geometry.get("coordinates"), list):
            raise InputError(
                Message("feature {number} of the targets is no point", {"number": number}),
                hint=Message("write GeoJSON features whose geometry is a Point: longitude, latitude and perhaps height"),
                field="targets",
            )
        longitude, latitude, *height = map(str, geometry["coordinates"])
        found.append((_name(feature, number), _geodetic(str(geometry["coordinates"]), latitude, longitude, *height[:1])))
    return found


def _name(feature: Mapping[str, object], number: int) -> str:
    properties = feature.get("properties")
    named = properties.get("name") if isinstance(properties, dict) else None
    return str(named or feature.get("id") or f"place {number}")


def _geodetic(text: str, latitude: str | None, longitude: str | None, height: str = "0") -> Geodetic:
    try:
        values = [float(value or "") for value in (latitude, longitude, height)]
    except ValueError as error:
        raise _fault(text) from error
    if not all(map(math.isfinite, values)) or abs(values[0]) > 90.0 or abs(values[1]) > 360.0:  # noqa: PLR2004 - degrees
        raise _fault(text)
    return Geodetic.from_degrees(latitude_deg=values[0], longitude_deg=values[1], height_m=values[2])


def _fault(text: str) -> InputError:
    return InputError(
        Message("{got!r} is no target", {"got": text}),
        hint=Message("write NAME=LATITUDE,LONGITUDE in degrees, with ,HEIGHT in metres above the ellipsoid if you know it"),
        field="target",
    )
