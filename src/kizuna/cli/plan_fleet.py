"""What the tasking commands share: windows of a fleet over places, and the scenes that its modes take."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.cli.terminal import Progress, _, read_file
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kizuna.formats.element_sets import ElementSet
    from kizuna.formats.tasking import Fleet
    from kizuna.planning.tasking import ImageRequest, Spot
    from kizuna.planning.windows import AccessWindows

__all__ = ["fleet_elements", "fleet_windows", "scene_m", "windows_of"]

_OLDEST_DAYS = 30.0


def scene_m(request: ImageRequest, fleet: Fleet) -> float:
    """Smallest scene of the modes that would do: each spot fits every one of them.

    Raises
    ------
    InputError
        If no satellite has one of the modes.
    """
    sizes = [limits.scene_m for _name, one in fleet.patterns for mode, limits in one.modes.items() if mode in request.modes]
    if not sizes:
        raise InputError(
            Message("{request}: no satellite of the fleet has one of its modes", {"request": request.id}),
            hint=Message("correct its modes, or the fleet"),
            field="modes",
        )
    return min(sizes)


def fleet_elements(elements: Sequence[Path], fleet: Fleet) -> list[ElementSet]:
    """Elements of all satellites that a fleet names.

    Raises
    ------
    InputError
        If there are none, or a file is none of elements.
    """
    from kizuna.formats.tle import read_tle

    sets = [one for path in elements for one in read_tle(read_file(path).decode("ascii", "replace"))]
    known = [one for one in sets if fleet.satellite(one.elements.name) is not None]
    if not known:
        raise InputError(
            Message("no elements are of a satellite that the fleet names"),
            hint=Message("the fleet names satellites by how their names begin"),
            field="elements",
        )
    return known


def windows_of(
    sets: Sequence[ElementSet], fleet: Fleet, places: Sequence[tuple[str, float, float]], epoch: Instant, hours: float
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
    from kizuna.planning.access import find_windows
    from kizuna.planning.geometry import Geometry, Places

    chosen = newest_sets(sets, epoch)
    refuse_unusable(chosen, epoch, Instant(epoch + timedelta(hours=hours)), most_days=_OLDEST_DAYS)
    names, geometries = [one.elements.name for one in chosen], []
    for name in names:
        satellite = fleet.satellite(name)
        modes = () if satellite is None else tuple(satellite.modes.values())
        low, high = min(one.incidence_min_rad for one in modes), max(one.incidence_max_rad for one in modes)
        geometries.append(Geometry(low, high, shortest_s=min(one.duration_s for one in modes)))
    middles = [Geodetic.from_degrees(latitude_deg=lat, longitude_deg=lon) for _name, lat, lon in places]
    index = Places.of([name for name, _lat, _lon in places], middles)
    tracks = [track_of(one.elements, epoch, hours * 3600.0) for one in chosen]
    return find_windows(tracks, names, index, geometries, epoch=epoch, progress=Progress(_("searching")))


def fleet_windows(elements: Sequence[Path], fleet: Fleet, spots: Sequence[Spot], epoch: Instant, hours: float) -> AccessWindows:
    """Windows of all satellites that a fleet names over spots; see `windows_of`."""
    places = [(spot.name, spot.latitude_deg, spot.longitude_deg) for spot in spots]
    return windows_of(fleet_elements(elements, fleet), fleet, places, epoch, hours)
