"""Requests for images over satellites: the scenes that they take, and the windows in which these could be ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kizuna.cli.plan_orbits import Flown
    from kizuna.earth.wgs84 import Geodetic
    from kizuna.model.instants import Interval
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.planning.passes import Passes
    from kizuna.planning.sensors import Catalogue
    from kizuna.planning.tasking import ImageRequest, Spot
    from kizuna.planning.windows import AccessWindows

__all__ = ["middle_of", "read_any_requests", "request_passes", "scene_m", "spots_of_all", "windows_over_spots"]


def scene_m(request: ImageRequest, catalogue: Catalogue) -> float:
    """Smallest scene of the modes that would do: each spot fits every one of them.

    Raises
    ------
    InputError
        If no satellite has one of the modes.
    """
    found = catalogue.smallest_scene_m(request.modes)
    if found is None:
        raise InputError(
            Message("{request}: no satellite of the catalogue has one of its modes", {"request": request.id}),
            hint=Message("correct its modes, or the catalogue"),
            field="modes",
        )
    return found


def spots_of_all(requests: Iterable[ImageRequest], catalogue: Catalogue) -> list[Spot]:
    """Scenes of all requests."""
    from kizuna.planning.tasking import spots_of

    return [spot for one in requests for spot in spots_of(one, scene_m(one, catalogue))]


def middle_of(spot: Spot) -> Geodetic:
    """Where a scene lies, on the ellipsoid."""
    from kizuna.earth.wgs84 import Geodetic

    return Geodetic.from_degrees(latitude_deg=spot.latitude_deg, longitude_deg=spot.longitude_deg)


def windows_over_spots(flown: Flown, spots: Sequence[Spot]) -> AccessWindows:
    """Windows of satellites over scenes, each with how sure its edges are."""
    from kizuna.planning.geometry import Places

    return flown.windows(Places.of([spot.name for spot in spots], [middle_of(spot) for spot in spots]))


def read_any_requests(data: bytes, label: Label, *, name: str) -> tuple[tuple[ImageRequest, int], ...]:
    """Requests of a file, and how many images each needs of each of its scenes: TOML, or a CSV table.

    Parameters
    ----------
    data
        The file.
    label
        Of requests in a table, which has none.
    name
        What the file is called.

    Raises
    ------
    InputError
        Naming the field or the line.
    """
    from kizuna.formats.tasking import read_requests
    from kizuna.formats.wanted_images import read_wanted

    if name.lower().endswith(".csv"):
        return read_wanted(data, label)
    return tuple((request, 1) for request in read_requests(data, name=name))


def request_passes(
    flown: Flown,
    catalogue: Catalogue,
    requests: Sequence[ImageRequest],
    spots: Sequence[Spot],
    told: Mapping[str, Mapping[Party, Sequence[Interval]]],
    names: tuple[str, ...],
) -> Passes:
    """Passes on which the scenes of requests could be ordered, as a schedule has them to choose from.

    Parameters
    ----------
    flown
        Satellites; of each the limits are those of its modes, whatever else was asked of windows.
    catalogue
        What can be ordered of them.
    requests, spots
        What is asked, and its scenes: the places of the passes.
    told
        When who may be told of each request: an image is none that could be ordered where its provider may not know of it then.
    names
        Satellites of the passes.
    """
    import numpy as np

    from kizuna.planning.passes import Passes
    from kizuna.planning.satellites import Limits
    from kizuna.planning.schedule import Problem, chances_of

    able = [one for name in flown.satellites.names if (one := catalogue.satellite(name)) is not None]
    places, period_s = [spot.name for spot in spots], (0.0, flown.duration_s)
    if not able:
        return Passes.of(names, places, [], [], [], [], period_s)
    windows = windows_over_spots(flown.within(Limits(orderable=True)), spots)
    chances = [
        task
        for task in chances_of(Problem(requests, spots, able, (), windows, told))
        if any(flown.at(task.start_s) in when for when in told[task.request][task.provider])
    ]
    at_s = np.array([task.start_s for task in chances])
    satellites = {name: number for number, name in enumerate(names)}
    targets = {name: number for number, name in enumerate(places)}
    return Passes.of(
        names,
        places,
        [satellites[task.satellite] for task in chances],
        [targets[task.spot] for task in chances],
        at_s,
        at_s,
        period_s,
    )
