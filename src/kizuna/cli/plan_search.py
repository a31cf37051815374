"""What the planning commands share: which satellites, which places, over which time, with which geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import Progress, _, read_file
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant, parse_instant
from kizuna.wiring import sample_folder, system_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.earth.elements import MeanElements
    from kizuna.earth.wgs84 import Geodetic
    from kizuna.model.canonical import Json
    from kizuna.planning.passes import Passes
    from kizuna.planning.revisit import Revisit, Spread
    from kizuna.planning.windows import AccessWindows

__all__ = [
    "Asked",
    "Found",
    "Grid",
    "ask",
    "chosen_elements",
    "figures",
    "geometry_options",
    "incidence_text",
    "land_outlines",
    "minutes",
    "place_options",
    "search",
]

_LONGEST_DAYS = 366.0
_MOST_CELLS = 200_000
_EDGES = 4
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
    incidence_rad
        Least and largest incidence.
    look, imaging
        Side of the track; when in a window an image is taken.
    marked
        Places to mark on the map of a grid.
    """

    places: tuple[tuple[str, Geodetic], ...]
    grid: Grid | None
    begin: Instant
    days: float
    incidence_rad: tuple[float, float]
    look: str
    imaging: str
    marked: tuple[tuple[str, Geodetic], ...] = ()

    @property
    def marks(self) -> list[tuple[str, float, float]]:
        """Places to mark on a map: names, longitudes and latitudes."""
        return [(name, place.longitude_deg, place.latitude_deg) for name, place in self.marked]

    @property
    def end(self) -> Instant:
        """End of the time."""
        return Instant(self.begin + timedelta(days=self.days))


@dataclass(frozen=True, slots=True)
class Found:
    """Windows, and the passes that they make."""

    windows: AccessWindows
    passes: Passes


def place_options[F: Callable[..., object]](command: F) -> F:
    """Give a command the options that name places."""
    for option in (
        click.option("--step", default=1.0, show_default=True, metavar="DEGREES", help=_("With --grid: distance of the places.")),
        click.option(
            "--grid",
            "bounds",
            metavar="W,S,E,N",
            help=_("Places in a grid between these degrees; named ones are marked on its map."),
        ),
        click.option("--targets", type=click.Path(path_type=Path), help=_("Places in a CSV table or as GeoJSON points.")),
        click.option(
            "--target",
            "named",
            multiple=True,
            metavar="NAME=LAT,LON[,HEIGHT]",
            help=_("Place, degrees and metres; may be repeated."),
        ),
    ):
        command = option(command)
    return command


def geometry_options[F: Callable[..., object]](command: F) -> F:
    """Give a command the options that say when and how images are taken."""
    for option in (
        click.option(
            "--imaging",
            default="broadside",
            show_default=True,
            type=click.Choice(["broadside", "anywhen"]),
            help=_("An image at the closest approach only, or anywhen in a window, squinted."),
        ),
        click.option(
            "--look",
            default="either",
            show_default=True,
            type=click.Choice(["left", "right", "either"]),
            help=_("Side of the track."),
        ),
        click.option("--incidence", default="15:45", show_default=True, metavar="MIN:MAX", help=_("Incidence angles, degrees.")),
        click.option("--days", default=7.0, show_default=True, help=_("For how many days.")),
        click.option("--from", "begin", metavar="INSTANT", help=_("When to begin, RFC 3339; now if left out.")),
    ):
        command = option(command)
    return command


def ask(
    named: Sequence[str],
    targets: Path | None,
    bounds: str | None,
    step: float,
    *,
    begin: str | None,
    days: float,
    incidence: str,
    look: str,
    imaging: str,
) -> Asked:
    """What a person asks by the options.

    Raises
    ------
    InputError
        If no place is named, or an option has another form.
    """
    from kizuna.formats.places import parse_place, read_places

    places = [parse_place(text) for text in named] + ([] if targets is None else list(read_places(read_file(targets))))
    grid = None if bounds is None else _grid(bounds, step)
    marked = tuple(places) if grid is not None else ()
    if grid is not None:
        places = _cells(grid)
    if not places:
        raise InputError(
            Message("no place is named"), hint=Message("name one with --target, --targets or --grid"), field="target"
        )
    if not 0.0 < days <= _LONGEST_DAYS:
        raise InputError(
            Message("days: got {got}, expected more than 0 and at most {most}", {"got": days, "most": _LONGEST_DAYS}),
            field="days",
        )
    start = system_now() if begin is None else parse_instant(begin, field="from")
    return Asked(tuple(places), grid, start, days, _incidence(incidence), look, imaging, marked)


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


def _incidence(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    try:
        if colon:
            return math.radians(float(low)), math.radians(float(high))
    except ValueError:
        pass
    raise InputError(
        Message("{got!r} is no range of incidence angles", {"got": text}),
        hint=Message("write for example 15:45, in degrees"),
        field="incidence",
    )


def incidence_text(asked: Asked) -> str:
    """Range of incidence for a picture."""
    low, high = (math.degrees(each) for each in asked.incidence_rad)
    return f"{low:g}–{high:g}°"


def chosen_elements(files: Sequence[Path], only: Sequence[str], asked: Asked, max_age: float) -> list[MeanElements]:
    """Newest elements of each satellite in files; the sample's where no file is named.

    Raises
    ------
    InputError
        If no satellite is left, or elements cannot be used for the time.
    """
    from kizuna.formats.element_sets import newest_sets, refuse_unusable
    from kizuna.formats.tle import read_tle

    paths = files or [sample_folder("planning") / "satellites.3le"]
    sets = [one for path in paths for one in read_tle(read_file(path).decode("ascii", "replace"))]
    sets = [one for one in sets if not only or one.elements.name.startswith(tuple(only))]
    if not sets:
        raise InputError(Message("no satellite is left"), hint=Message("correct --satellite"), field="satellite")
    chosen = newest_sets(sets, asked.begin)
    refuse_unusable(chosen, asked.begin, asked.end, most_days=max_age)
    return [one.elements for one in chosen]


def search(elements: Sequence[MeanElements], asked: Asked) -> Found:
    """Find all windows of satellites over the places, and what they are worth."""
    from kizuna.earth.orbit import track_of
    from kizuna.planning.access import find_windows
    from kizuna.planning.geometry import Geometry, Look, Places
    from kizuna.planning.passes import Imaging, passes_of

    geometry = Geometry(*asked.incidence_rad, Look(asked.look))
    tracks = [track_of(one, asked.begin, asked.days * _DAY_S) for one in elements]
    places = Places.of([name for name, _place in asked.places], [place for _name, place in asked.places])
    names = [one.name for one in elements]
    windows = find_windows(tracks, names, places, geometry, epoch=asked.begin, progress=Progress(_("searching")))
    return Found(windows, passes_of(windows, (0.0, asked.days * _DAY_S), Imaging(asked.imaging)))


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
