"""Windows of access for other programs: CZML for a globe, iCalendar for a calendar."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from kizuna.model.digests import digest_of
from kizuna.model.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from kizuna.earth.wgs84 import Geodetic
    from kizuna.model.instants import Instant
    from kizuna.planning.windows import AccessWindows

    type Where = Callable[[npt.ArrayLike], npt.NDArray[np.float64]]

__all__ = ["czml", "icalendar"]

_STEP_S = 60.0
_DEGREE = 5
_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))


def icalendar(windows: AccessWindows, made: Instant, *, title: str) -> bytes:
    """Windows as an iCalendar file (RFC 5545), an event a window; the same windows give the same bytes.

    Parameters
    ----------
    windows
        Windows of access.
    made
        When the file was made.
    title
        Name of the calendar.
    """
    from icalendar import Calendar, Event

    calendar = Calendar()
    calendar.add("prodid", "-//kizuna//plan//EN")
    calendar.add("version", "2.0")
    calendar.add("name", title)
    calendar.add("x-wr-calname", title)
    for row in range(len(windows)):
        place = windows.targets[windows.target[row]]
        satellite = windows.satellites[windows.satellite[row]]
        start, end = windows.instant(windows.start_s[row]), windows.instant(windows.end_s[row])
        event = Event()
        event.add("uid", digest_of(f"{satellite}\n{place}\n{format_instant(start)}".encode())[-32:] + "@kizuna")
        event.add("dtstamp", made)
        # A calendar knows whole seconds: an event holds the whole window.
        event.add("dtstart", start.replace(microsecond=0))
        event.add("dtend", end.replace(microsecond=0) + timedelta(seconds=1))
        event.add("summary", f"{satellite} → {place}")
        side = "right" if windows.right[row] else "left"
        way = "ascending" if windows.ascending[row] else "descending"
        text = f"{math.degrees(windows.incidence_rad[row]):.1f}°, {side}, {way}, {format_instant(start)} – {format_instant(end)}"
        event.add("description", text)
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def czml(windows: AccessWindows, end: Instant, tracks: Sequence[Where], places: Sequence[Geodetic], *, title: str) -> bytes:
    """Satellites, places and windows as CZML, for a globe such as Cesium: a line joins both while a window lasts.

    Parameters
    ----------
    windows
        Windows of access; those without a window are left out.
    end
        End of the time shown; it begins at their epoch.
    tracks
        Of each satellite: positions in ECEF, metres, shape (n, 3), at n times in seconds since the epoch.
    places
        Where the targets lie.
    title
        Name of the document.
    """
    from czml3 import Document, Packet
    from czml3.enums import ArcTypes, InterpolationAlgorithms, ReferenceFrames
    from czml3.properties import (
        ArcType,
        Clock,
        Color,
        Label,
        Point,
        Polyline,
        PolylineMaterial,
        Position,
        PositionList,
        SolidColorMaterial,
    )
    from czml3.types import IntervalValue, TimeInterval, TimeIntervalCollection

    begin = windows.epoch
    whole = TimeInterval(start=begin, end=end)
    span_s = (end - begin).total_seconds()
    times_s = np.append(np.arange(0.0, span_s, _STEP_S), span_s)
    packets = [Packet(id="document", name=title, version="1.0", clock=Clock(currentTime=begin, multiplier=60, interval=whole))]
    for number in np.unique(windows.target):
        place = places[number]
        position = Position(cartographicDegrees=[round(place.longitude_deg, 9), round(place.latitude_deg, 9), place.height_m])
        name = windows.targets[number]
        point = Point(pixelSize=8, color=Color(rgba=[255, 255, 255, 255]))
        packets.append(Packet(id=f"place-{number}", name=name, position=position, point=point, label=Label(text=name)))
    for number in np.unique(windows.satellite):
        rows = np.column_stack([times_s, tracks[number](times_s)])
        position = Position(
            epoch=begin,
            referenceFrame=ReferenceFrames.FIXED,
            interpolationAlgorithm=InterpolationAlgorithms.LAGRANGE,
            interpolationDegree=_DEGREE,
            cartesian=[round(float(value), 1) for value in rows.ravel()],
        )
        colour = Color(rgba=[*_COLOURS[number % len(_COLOURS)], 255])
        name = windows.satellites[number]
        packets.append(Packet(id=f"satellite-{number}", name=name, position=position, point=Point(pixelSize=6, color=colour)))
    pairs = np.unique(np.column_stack([windows.satellite, windows.target]), axis=0)
    for satellite, target in pairs:
        chosen = np.flatnonzero((windows.satellite == satellite) & (windows.target == target))
        colour = Color(rgba=[*_COLOURS[satellite % len(_COLOURS)], 200])
        during = [
            IntervalValue(start=windows.instant(windows.start_s[row]), end=windows.instant(windows.end_s[row]), value=True)
            for row in chosen
        ]
        line = Polyline(
            positions=PositionList(references=[f"satellite-{satellite}#position", f"place-{target}#position"]),
            material=PolylineMaterial(solidColor=SolidColorMaterial(color=colour)),
            width=2,
            arcType=ArcType(arcType=ArcTypes.NONE),
            show=TimeIntervalCollection(values=[IntervalValue(start=begin, end=end, value=False), *during]),
        )
        name = f"{windows.satellites[satellite]} → {windows.targets[target]}"
        packets.append(Packet(id=f"access-{satellite}-{target}", name=name, polyline=line))
    return Document(packets=packets).dumps().encode()
