"""What a simulated provider flies: satellites that a catalogue names, over one place at a time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.cli.plan_requests import scene_m
from kizuna.cli.terminal import read_file
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kizuna.formats.element_sets import ElementSet
    from kizuna.planning.sensors import Catalogue
    from kizuna.planning.windows import AccessWindows

__all__ = ["fleet_elements", "scene_m", "windows_of"]

_OLDEST_DAYS = 30.0


def fleet_elements(elements: Sequence[Path], catalogue: Catalogue) -> list[ElementSet]:
    """Elements of all satellites of which images can be ordered.

    Raises
    ------
    InputError
        If there are none, or a file is none of elements.
    """
    from kizuna.formats.orbit_files import read_orbits

    sets = [one for path in elements for one in read_orbits(read_file(path))[0]]
    known = [one for one in sets if catalogue.satellite(one.elements.name) is not None]
    if not known:
        raise InputError(
            Message("no elements are of a satellite that the fleet names"),
            hint=Message("the fleet names satellites by how their names begin"),
            field="elements",
        )
    return known


def windows_of(
    sets: Sequence[ElementSet], catalogue: Catalogue, places: Sequence[tuple[str, float, float]], epoch: Instant, hours: float
) -> AccessWindows:
    """Windows of satellites over places (name, latitude and longitude in degrees), each within what its modes allow together.

    Raises
    ------
    InputError
        If elements are too far from the time.
    """
    from kizuna.earth.orbit import track_of
    from kizuna.earth.wgs84 import Geodetic
    from kizuna.formats.element_sets import newest_sets, refuse_unusable
    from kizuna.planning.geometry import Places
    from kizuna.planning.satellites import Limits, satellites_of, windows_over

    chosen = newest_sets(sets, epoch)
    refuse_unusable(chosen, epoch, Instant(epoch + timedelta(hours=hours)), most_days=_OLDEST_DAYS)
    elements = [one.elements for one in chosen]
    names = [one.name for one in elements]
    tracks = [track_of(one, epoch, hours * 3600.0) for one in elements]
    satellites = satellites_of(names, tracks, elements, [catalogue.sensor(name) for name in names], Limits(orderable=True))
    middles = [Geodetic.from_degrees(latitude_deg=lat, longitude_deg=lon) for _name, lat, lon in places]
    return windows_over(satellites, Places.of([name for name, _lat, _lon in places], middles), epoch=epoch)
