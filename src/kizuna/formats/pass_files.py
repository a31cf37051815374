"""Windows of access for other programs: CZML for a globe, iCalendar for a calendar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from kizuna.model.digests import digest_of
from kizuna.model.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.earth.orbit import Track
    from kizuna.earth.wgs84 import Geodetic
    from kizuna.model.instants import Instant
    from kizuna.planning.windows import AccessWindows

__all__ = ["Entry", "calendar", "czml", "icalendar"]

_STEP_S = 60.0
_DEGREE = 5
_COLOURS = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in a calendar: a line, more of it, begin and end."""

    title: str
    text: str
    begin: Instant
    end: Instant


def icalendar(windows: AccessWindows, made: Instant, *, title: str) -> bytes:
    """Windows as an iCalendar file, an event a window; see `calendar`.

    Parameters
    ----------
    windows
        Windows of access.
    made, title
        As for `calendar`.
    """
    entries = []
    for row in range(len(windows)):
        start, end = windows.instant(windows.start_s[row]), windows.instant(windows.end_s[row])
        side = "right" if windows.right[row] else "left"
        way = "ascending" if windows.ascending[row] else "descending"
        text = f"{math.degrees(windows.incidence_rad[row]):.1f}°, {side}, {way}, {format_instant(start)} – {format_instant(end)}"
        uncertain = float(windows.edge_uncertainty_s[row])
        text += "" if math.isnan(uncertain) else f" (95 %: ± {uncertain:.1f} s)"
        name = f"{windows.satellites[windows.satellite[row]]} → {windows.targets[windows.target[row]]}"
        entries.append(Entry(name, text, start, end))
    return calendar(entries, made, title=title)


def calendar(entries: Iterable[Entry], made: Instant, *, title: str) -> bytes:
    """An iCalendar file (RFC 5545), an event an entry; the same entries give the same bytes.

    Parameters
    ----------
    entries
        What stands in it.
    made
        When the file was made.
    title
        Name of the calendar.
    """
    from icalendar import Calendar, Event

    found = Calendar()
    found.add("prodid", "-//kizuna//plan//EN")
    found.add("version", "2.0")
    found.add("name", title)
    found.add("x-wr-calname", title)
    for entry in entries:
        event = Event()
        event.add("uid", digest_of(f"{entry.title}\n{format_instant(entry.begin)}".encode())[-32:] + "@kizuna")
        event.add("dtstamp", made)
        # A calendar knows whole seconds: an event holds the whole window.
        event.add("dtstart", entry.begin.replace(microsecond=0))
        event.add("dtend", entry.end.replace(microsecond=0) + timedelta(seconds=1))
        event.add("summary", entry.title)
        event.add("description", entry.text)
        found.add_component(event)
    return bytes(found.to_ical())


def czml(windows: AccessWindows, end: Instant, tracks: Sequence[Track], places: Sequence[Geodetic], *, title: str) -> bytes:
    """Satellites, places and windows as CZML, for a globe such as Cesium: a line joins both while a window lasts.

    Parameters
    ----------
    windows
        Windows of access; those without a window are left out.
    end
        End of the time shown; it begins at their epoch.
    tracks
        Where the satellites are; between the begin and the end of its track each is shown.
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
        track = tracks[number]
        inside = times_s[(times_s > track.begin_s) & (times_s < track.end_s)]
        known_s = np.concatenate([[track.begin_s], inside, [min(track.end_s, span_s)]])
        rows = np.column_stack([known_s, track.position_ecef_m(known_s)])
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
