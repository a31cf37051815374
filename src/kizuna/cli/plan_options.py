"""Options that the planning commands share, gathered by what they are about."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.planning.satellites import Limits

__all__ = [
    "FILE_KINDS",
    "AskedLimits",
    "AskedPlaces",
    "AskedSatellites",
    "Asking",
    "elements_argument",
    "elements_option",
    "incidence_range",
    "limit_options",
    "output_option",
    "place_options",
    "question_options",
    "refuse_existing",
    "satellite_options",
]

FILE_KINDS = (".png", ".geojson", ".parquet", ".czml", ".ics", ".nc")

type Command = Callable[..., object]


@dataclass(frozen=True, slots=True)
class AskedPlaces:
    """Which places: ``NAME=LAT,LON``, a file of them, the bounds of a grid and the distance of its places in degrees."""

    named: tuple[str, ...] = ()
    targets: Path | None = None
    bounds: str | None = None
    step: float = 1.0


@dataclass(frozen=True, slots=True)
class AskedSatellites:
    """Which satellites, by how their names begin; how old elements may be; what radars can image, and whose they are."""

    only: tuple[str, ...] = ()
    max_age: float = 30.0
    sensors: tuple[Path, ...] = ()
    providers: tuple[str, ...] = ()
    history: Path | None = None


@dataclass(frozen=True, slots=True)
class AskedLimits:
    """Limits as a person writes them; None: each radar's own."""

    incidence: str | None = None
    look: str | None = None
    direction: str = "either"
    squint: float | None = None
    shortest: float | None = None
    mode: str | None = None

    def limits(self) -> Limits:
        """What they mean.

        Raises
        ------
        InputError
            If one of them no radar can mean.
        """
        from kizuna.planning.geometry import Direction, Geometry, Look
        from kizuna.planning.satellites import Limits

        incidence = None if self.incidence is None else incidence_range(self.incidence)
        squint = None if self.squint is None else math.radians(self.squint)
        # Refused here, where it is a person's own words that are wrong.
        Geometry(*(incidence or (0.0, math.pi / 2)), squint_max_rad=squint, shortest_s=self.shortest or 0.0)
        look = None if self.look is None else Look(self.look)
        return Limits(incidence, look, Direction(self.direction), squint, self.shortest, self.mode)


@dataclass(frozen=True, slots=True)
class Asking:
    """What the planning commands ask alike: which places, satellites and limits, from when, for how long, images taken how."""

    places: AskedPlaces = AskedPlaces()
    satellites: AskedSatellites = AskedSatellites()
    limits: AskedLimits = AskedLimits()
    begin: str | None = None
    days: float = 7.0
    imaging: str = "broadside"


def incidence_range(text: str) -> tuple[float, float]:
    """Range of incidence in radians, of ``MIN:MAX`` in degrees.

    Examples
    --------
    >>> incidence_range("0:90")
    (0.0, 1.5707963267948966)
    """
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


def _gathered[F: Command](name: str, kind: type, options: Sequence[Callable[[Command], Command]]) -> Callable[[F], Command]:
    """Give a command options, and hand their values over as one argument."""

    def decorate(command: F) -> Command:
        @functools.wraps(command)
        def call(*arguments: object, **values: object) -> object:
            gathered = kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            return command(*arguments, **{name: gathered}, **values)

        found: Command = call
        for option in reversed(options):
            found = option(found)
        return found

    return decorate


def place_options(command: Command) -> Command:
    """Give a command the options that name places, as `AskedPlaces` in ``places``."""
    options = [
        click.option(
            "--target",
            "named",
            multiple=True,
            metavar="NAME=LAT,LON[,HEIGHT]",
            help=_("Place, degrees and metres; may be repeated."),
        ),
        click.option("--targets", type=click.Path(path_type=Path), help=_("Places in a CSV table or as GeoJSON points.")),
        click.option(
            "--grid",
            "bounds",
            metavar="W,S,E,N",
            help=_("Places in a grid between these degrees; named ones are marked on its map."),
        ),
        click.option("--step", default=1.0, show_default=True, metavar="DEGREES", help=_("With --grid: distance of the places.")),
    ]
    return _gathered("places", AskedPlaces, options)(command)


def satellite_options(command: Command) -> Command:
    """Give a command the options that say which satellites and what they can, as `AskedSatellites` in ``satellites``."""
    options = [
        click.option(
            "--satellite", "only", multiple=True, metavar="NAME", help=_("Only satellites whose name begins so; may be repeated.")
        ),
        click.option(
            "--sensors",
            multiple=True,
            type=click.Path(path_type=Path),
            help=_("Whose satellites are and what their radars can image: TOML that holds before the sample's; may be repeated."),
        ),
        click.option(
            "--provider",
            "providers",
            multiple=True,
            metavar="NAME=PARTY",
            help=_("Whose the satellites are whose names begin so."),
        ),
        click.option(
            "--max-age", default=30.0, show_default=True, metavar="DAYS", help=_("Refuse elements whose epoch lies farther off.")
        ),
        click.option(
            "--history", type=click.Path(path_type=Path), help=_("Older element sets, from which to learn how they age.")
        ),
    ]
    return _gathered("satellites", AskedSatellites, options)(command)


def limit_options(command: Command) -> Command:
    """Give a command the options that narrow the geometry, as `AskedLimits` in ``limits``."""
    options = [
        click.option("--incidence", metavar="MIN:MAX", help=_("Incidence angles, degrees; the sensor's own if left out.")),
        click.option(
            "--look",
            type=click.Choice(["left", "right", "either"]),
            help=_("Side of the track; the sensor's own if left out."),
        ),
        click.option(
            "--direction",
            default="either",
            show_default=True,
            type=click.Choice(["ascending", "descending", "either"]),
            help=_("Northbound or southbound passes."),
        ),
        click.option(
            "--squint",
            type=float,
            metavar="DEGREES",
            help=_("Largest squint; 0: only zero-Doppler instants; the sensor's own if left out."),
        ),
        click.option("--shortest", type=float, metavar="SECONDS", help=_("Leave out windows that are shorter.")),
        click.option(
            "--mode", metavar="NAME", help=_("Only sensors with this mode, within its limits: spotlight, stripmap, scansar.")
        ),
    ]
    return _gathered("limits", AskedLimits, options)(command)


def question_options(command: Command) -> Command:
    """Give a command the options that all figures of places take, as `Asking` in ``question``."""
    options = [
        click.option("--from", "begin", metavar="INSTANT", help=_("When to begin, RFC 3339; now if left out.")),
        click.option("--days", default=7.0, show_default=True, help=_("For how many days.")),
        click.option(
            "--imaging",
            default="broadside",
            show_default=True,
            type=click.Choice(["broadside", "anywhen"]),
            help=_("An image at the closest approach only, or anywhen in a window, squinted."),
        ),
    ]
    gathered = _gathered("question", Asking, options)(command)
    return place_options(satellite_options(limit_options(gathered)))


def elements_argument(command: Command) -> Command:
    """Give a command files of orbits as its arguments."""
    return click.argument("elements", nargs=-1, type=click.Path(path_type=Path))(command)


def elements_option(command: Command) -> Command:
    """Give a command files of orbits as an option, where its arguments are others."""
    return click.option(
        "--elements",
        multiple=True,
        type=click.Path(path_type=Path),
        help=_("Orbits: TLE, OMM or OEM; may be repeated. Without any those of the sample are flown."),
    )(command)


def output_option(kinds: Sequence[str]) -> Callable[[Command], Command]:
    """Give a command the option that names files to write, of some kinds."""
    return click.option(
        "--output",
        "outputs",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help=_("File to write, by its ending: {kinds}; may be repeated.").format(kinds=", ".join(kinds)),
    )


def refuse_existing(outputs: Sequence[Path], kinds: Sequence[str]) -> None:
    """Refuse files that are there, or whose ending says nothing, before anything is computed."""
    for path in outputs:
        if path.suffix.lower() not in kinds:
            raise InputError(
                Message("output: the ending of {path} is none of {kinds}", {"path": str(path), "kinds": ", ".join(kinds)}),
                hint=Message("the ending says what is written"),
                field="output",
            )
        if path.exists():
            raise InputError(
                Message("{path} exists", {"path": str(path)}),
                hint=Message("name another file; none is overwritten"),
                field="output",
            )
