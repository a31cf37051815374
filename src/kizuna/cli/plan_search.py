"""What the planning commands share: which places, over which time, and the figures that are found of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.cli.terminal import _, read_file
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant, format_instant, parse_instant
from kizuna.wiring import sample_folder, system_now

if TYPE_CHECKING:
    from kizuna.cli.plan_options import AskedPlaces, Asking
    from kizuna.cli.plan_orbits import Flown
    from kizuna.earth.wgs84 import Geodetic
    from kizuna.model.canonical import Json
    from kizuna.planning.passes import Passes
    from kizuna.planning.revisit import Revisit, Spread
    from kizuna.planning.satellites import Limits
    from kizuna.planning.windows import AccessWindows

__all__ = [
    "Asked",
    "Found",
    "Grid",
    "about",
    "ask",
    "begin_of",
    "caption",
    "figures",
    "land_outlines",
    "minutes",
    "named_places",
    "search",
]

_LONGEST_DAYS = 366.0
_MOST_CELLS = 200_000
_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Grid:
    """Places in rows and columns: middles of cells, and their width and height, in degrees."""

    longitude_deg: tuple[float, ...]
    latitude_deg: tuple[float, ...]
    cell_deg: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is sought.

    Parameters
    ----------
    places
        Names and places; the cells of the grid, row by row, where one is asked for.
    grid
        The grid; None where places are named.
    begin, days
        Over which time.
    limits
        What is asked of the geometry beside what each radar can do.
    imaging
        When in a window an image is taken.
    marked
        Places to mark on the map of a grid.
    """

    places: tuple[tuple[str, Geodetic], ...]
    grid: Grid | None
    begin: Instant
    days: float
    limits: Limits
    imaging: str
    marked: tuple[tuple[str, Geodetic], ...] = ()

    @property
    def marks(self) -> list[tuple[str, float, float]]:
        """Places to mark on a map: names, longitudes and latitudes."""
        return [(name, place.longitude_deg, place.latitude_deg) for name, place in self.marked]

    @property
    def duration_s(self) -> float:
        """Length of the time."""
        return self.days * _DAY_S

    @property
    def end(self) -> Instant:
        """End of the time."""
        return Instant(self.begin + timedelta(days=self.days))


@dataclass(frozen=True, slots=True)
class Found:
    """Windows, and the passes that they make."""

    windows: AccessWindows
    passes: Passes

    @property
    def uncertain(self) -> tuple[list[int], list[int]]:
        """Of each place: its windows, and how many of them are uncertain by more than their own length."""
        import numpy as np

        from kizuna.planning.uncertainty import nothing_certain

        places, target = len(self.windows.targets), self.windows.target
        lost = target[nothing_certain(self.windows)]
        return np.bincount(target, minlength=places).tolist(), np.bincount(lost, minlength=places).tolist()


def begin_of(text: str | None) -> Instant:
    """Begin of the time that is asked about: now, where a person does not say."""
    return system_now() if text is None else parse_instant(text, field="from")


def named_places(asked: AskedPlaces) -> tuple[tuple[tuple[str, Geodetic], ...], Grid | None]:
    """Places by name, and the grid where one is asked for.

    Raises
    ------
    InputError
        If a place or the grid has another form.
    """
    from kizuna.formats.places import parse_place, read_places

    places = [parse_place(text) for text in asked.named]
    if asked.targets is not None:
        places += read_places(read_file(asked.targets))
    return tuple(places), None if asked.bounds is None else _grid(asked.bounds, asked.step)


def ask(question: Asking, *, optional: bool = False) -> Asked:
    """What a person asks by the options.

    Parameters
    ----------
    question
        What is asked.
    optional
        Whether it is well that no place is named.

    Raises
    ------
    InputError
        If no place is named, or an option has another form.
    """
    limits, days = question.limits.limits(), question.days
    named, grid = named_places(question.places)
    places = named if grid is None else tuple(_cells(grid))
    if not places and not optional:
        raise InputError(
            Message("no place is named"), hint=Message("name one with --target, --targets or --grid"), field="target"
        )
    if not 0.0 < days <= _LONGEST_DAYS:
        raise InputError(
            Message("days: got {got}, expected more than 0 and at most {most}", {"got": days, "most": _LONGEST_DAYS}),
            field="days",
        )
    return Asked(places, grid, begin_of(question.begin), days, limits, question.imaging, () if grid is None else named)


def _grid(text: str, step: float) -> Grid:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = south = east = north = math.nan
    if not (-180.0 <= west < east <= 180.0 and -90.0 <= south < north <= 90.0):  # noqa: PLR2004 - degrees
        raise InputError(
            Message(
                "grid: got {got!r}, expected W,S,E,N in degrees, west before east and south before north", {"got": text[:100]}
            ),
            hint=Message("for example 20,44,42,53; a grid across the antimeridian is two grids"),
            field="grid",
        )
    if not (step > 0.0 and (east - west) / step * (north - south) / step <= _MOST_CELLS):
        raise InputError(
            Message("step: {got} degrees give no grid of at most {most} places", {"got": step, "most": _MOST_CELLS}),
            hint=Message("take a larger step or a smaller grid"),
            field="step",
        )
    columns, rows = max(1, round((east - west) / step)), max(1, round((north - south) / step))
    return Grid(
        tuple(west + (number + 0.5) * (east - west) / columns for number in range(columns)),
        tuple(south + (number + 0.5) * (north - south) / rows for number in range(rows)),
        ((east - west) / columns, (north - south) / rows),
    )


def _cells(grid: Grid) -> list[tuple[str, Geodetic]]:
    from kizuna.earth.wgs84 import Geodetic

    return [
        (f"{latitude:.4f},{longitude:.4f}", Geodetic.from_degrees(latitude_deg=latitude, longitude_deg=longitude))
        for latitude in grid.latitude_deg
        for longitude in grid.longitude_deg
    ]


def caption(asked: Asked) -> str:
    """Line under a picture: its time and assumptions."""
    way = _("at the closest approach") if asked.imaging == "broadside" else _("anywhen in a window")
    if asked.limits.incidence_rad is None:
        incidence = _("incidence as each radar allows, partly assumed")
    else:
        low, high = (math.degrees(each) for each in asked.limits.incidence_rad)
        incidence = _("incidence {low:g}–{high:g}°").format(low=low, high=high)
    return _("{days:g} days from {begin}; images {way}, {incidence}; geometry only").format(
        days=asked.days, begin=format_instant(asked.begin), way=way, incidence=incidence
    )


def about(asked: Asked) -> dict[str, Json]:
    """What figures are about; null where each radar's own limits hold."""
    limits = asked.limits
    return {
        "from": format_instant(asked.begin),
        "days": asked.days,
        "incidence_deg": None
        if limits.incidence_rad is None
        else [round(math.degrees(each), 9) for each in limits.incidence_rad],
        "look": None if limits.look is None else str(limits.look),
        "mode": limits.mode,
        "imaging": asked.imaging,
    }


def search(flown: Flown, asked: Asked) -> Found:
    """Find all windows of satellites over the places, and what they are worth."""
    from kizuna.planning.geometry import Places
    from kizuna.planning.passes import Imaging, passes_of

    windows = flown.windows(Places.of([name for name, _place in asked.places], [place for _name, place in asked.places]))
    return Found(windows, passes_of(windows, (0.0, asked.duration_s), Imaging(asked.imaging)))


def figures(found: Revisit, spread: Spread | None, place: int) -> dict[str, Json]:
    """Figures of one place, in seconds; null where there is none."""
    values = {"mean_s": found.mean_s, "worst_s": found.worst_s, "response_s": found.response_s}
    if spread is not None:
        values |= {"median_s": spread.median_s, "p95_s": spread.p95_s, "response_p95_s": spread.response_p95_s}
    form: dict[str, Json] = {"images": int(found.images[place])}
    form |= {name: None if math.isnan(each[place]) else round(float(each[place]), 1) for name, each in values.items()}
    return form


def minutes(seconds: object) -> str:
    """Time in minutes for a table; a dash where there is none."""
    return f"{float(seconds) / 60.0:.1f}" if isinstance(seconds, int | float) and math.isfinite(seconds) else "–"


def land_outlines() -> list[list[tuple[float, float]]]:
    """Outlines of the land, for maps."""
    import json

    rings = json.loads((sample_folder("planning") / "land.geojson").read_bytes())["geometry"]["coordinates"]
    return [[(longitude, latitude) for longitude, latitude in ring] for ring in rings]
