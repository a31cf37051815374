"""How a product was observed: radar, orbit, geometry, grid and processing, as far as its file says; every member is optional.

The parts and their members follow STAC's sar, sat, view, proj and processing extensions, in SI units and radians. Whatever is
left out is not known: nothing is guessed. Under an obligation only the members that `after_stripping` and `after_reducing` name
go along, so that a member which comes later goes to nobody by mistake.
"""

from __future__ import annotations

import math
import re
from contextlib import suppress
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from kizuna.errors import InputError, Message
from kizuna.model.reading import LONGEST_LINE, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kizuna.model.canonical import Json

__all__ = [
    "OBSERVATION_SCHEMA",
    "FrequencyBand",
    "Grid",
    "Observation",
    "Orbit",
    "OrbitState",
    "Processing",
    "Radar",
    "Side",
    "Viewing",
    "after_reducing",
    "after_stripping",
    "band_of",
    "filled",
    "observation_from_stored",
    "observation_to_json",
    "plausible",
    "read_observation",
]

OBSERVATION_SCHEMA = "kizuna/observation/1"

_HIGHEST_FREQUENCY_HZ = 1e12
_LARGEST_M = 1e6
_MOST_LOOKS = 1e6
_MOST_POLARISATIONS = 16
_MOST_SOFTWARE = 16
_MOST_PIXELS = 10_000_000
_LARGEST_COORDINATE = 1e12
_POLARISATION = re.compile(r"[HVLRC]{2}\Z", re.ASCII)
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,32}:[A-Za-z0-9_.-]{1,64}\Z", re.ASCII)
_DESIGNATOR = re.compile(r"[0-9]{4}-[0-9]{3}[A-Z]{1,3}\Z", re.ASCII)


class FrequencyBand(StrEnum):
    """Band of a radar (IEEE 521 letters), of those that STAC's sar extension names."""

    P = "P"
    L = "L"
    S = "S"
    C = "C"
    X = "X"
    KU = "Ku"
    K = "K"
    KA = "Ka"


# From, to in hertz, as STAC's sar extension has them.
_BANDS = {
    FrequencyBand.P: (0.25e9, 0.5e9),
    FrequencyBand.L: (1e9, 2e9),
    FrequencyBand.S: (2e9, 4e9),
    FrequencyBand.C: (4e9, 8e9),
    FrequencyBand.X: (8e9, 12e9),
    FrequencyBand.KU: (12e9, 18e9),
    FrequencyBand.K: (18e9, 26.5e9),
    FrequencyBand.KA: (26.5e9, 40e9),
}


def band_of(frequency_hz: float) -> FrequencyBand | None:
    """Band that a frequency in hertz lies in; None between the bands.

    Examples
    --------
    >>> band_of(9.65e9).value, band_of(5.405e9).value, band_of(0.7e9)
    ('X', 'C', None)
    """
    return next((band for band, (low, high) in _BANDS.items() if low <= frequency_hz < high), None)


class Side(StrEnum):
    """To which side of its track the radar looked."""

    LEFT = "left"
    RIGHT = "right"


class OrbitState(StrEnum):
    """Direction of an orbit at the observation."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


@dataclass(frozen=True, slots=True)
class Radar:
    """The instrument and what it can tell apart.

    Parameters
    ----------
    instrument_mode
        Name of the mode as its operator writes it (``"IW"``, ``"SPOTLIGHT"``).
    frequency_band, centre_frequency_hz
        What it sent; the frequency at the middle of the processed bandwidth.
    polarisations
        Sent and received, such as ``"HV"``; L and R are the circular ones, C a compact one.
    product_type
        As its operator writes it (``"SLC"``, ``"GRD"``).
    resolution_range_m, resolution_azimuth_m
        Width of the impulse response across and along the track, in the plane of the image.
    spacing_range_m, spacing_azimuth_m
        Distance of neighbouring pixels, likewise.
    looks_range, looks_azimuth, looks_equivalent
        Looks averaged; the equivalent number of looks.
    side
        Where it looked.
    """

    instrument_mode: str | None = None
    frequency_band: FrequencyBand | None = None
    centre_frequency_hz: float | None = None
    polarisations: tuple[str, ...] = ()
    product_type: str | None = None
    resolution_range_m: float | None = None
    resolution_azimuth_m: float | None = None
    spacing_range_m: float | None = None
    spacing_azimuth_m: float | None = None
    looks_range: float | None = None
    looks_azimuth: float | None = None
    looks_equivalent: float | None = None
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class Orbit:
    """Where the platform was on its way.

    Parameters
    ----------
    state
        Towards the north or the south.
    relative, absolute
        Number of the orbit within its cycle, and since launch.
    designator
        International designator of the platform (``"2014-016A"``).
    """

    state: OrbitState | None = None
    relative: int | None = None
    absolute: int | None = None
    designator: str | None = None


@dataclass(frozen=True, slots=True)
class Viewing:
    """Angles at the middle of the scene.

    Parameters
    ----------
    incidence_rad
        Between the line of sight and the vertical of the ellipsoid, at the ground.
    off_nadir_rad
        Between the line of sight and straight down, at the platform.
    azimuth_rad
        At the point below the platform, from north clockwise to the scene (0 to 2 pi).
    """

    incidence_rad: float | None = None
    off_nadir_rad: float | None = None
    azimuth_rad: float | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Pixels of the original and where they lie, in the coordinates of its own reference system.

    Parameters
    ----------
    code
        Reference system (``"EPSG:32633"``); None where the pixels lie in none (radar geometry).
    shape
        Rows, columns.
    transform
        a, b, c, d, e, f of x = a col + b row + c, y = d col + e row + f, at the pixels' corners.
    bounds
        Least x, least y, greatest x, greatest y.
    """

    code: str | None = None
    shape: tuple[int, int] | None = None
    transform: tuple[float, float, float, float, float, float] | None = None
    bounds: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Processing:
    """What made the original.

    Parameters
    ----------
    level
        Such as ``"L1"``.
    facility
        Where.
    software
        Names and versions.
    lineage
        In words.
    """

    level: str | None = None
    facility: str | None = None
    software: tuple[tuple[str, str], ...] = ()
    lineage: str | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """How a product was observed.

    Parameters
    ----------
    radar, orbit, viewing, grid, processing
        The parts; one of which nothing is known is empty.
    """

    radar: Radar = Radar()
    orbit: Orbit = Orbit()
    viewing: Viewing = Viewing()
    grid: Grid = Grid()
    processing: Processing = Processing()


# ---- what goes along under an obligation


def after_stripping(observation: Observation | None) -> Observation | None:
    """What may be told once phase is taken away: not what kind of file the original was, its pixels, nor what made it.

    Parameters
    ----------
    observation
        Of the original.
    """
    if observation is None:
        return None
    radar = observation.radar
    kept = Radar(
        instrument_mode=radar.instrument_mode,
        frequency_band=radar.frequency_band,
        centre_frequency_hz=radar.centre_frequency_hz,
        polarisations=radar.polarisations,
        resolution_range_m=radar.resolution_range_m,
        resolution_azimuth_m=radar.resolution_azimuth_m,
        side=radar.side,
    )
    return _or_none(Observation(radar=kept, orbit=observation.orbit, viewing=observation.viewing))


def after_reducing(observation: Observation | None) -> Observation | None:
    """What may be told of an image that was made coarser or cut: nothing that tells how fine it was, or where its middle lay.

    Parameters
    ----------
    observation
        Of the original.
    """
    if observation is None:
        return None
    radar, orbit = observation.radar, observation.orbit
    kept = Radar(frequency_band=radar.frequency_band, polarisations=radar.polarisations, side=radar.side)
    return _or_none(Observation(radar=kept, orbit=Orbit(state=orbit.state)))


def filled(first: Observation | None, second: Observation | None) -> Observation | None:
    """`first`, what it does not know taken from `second`; grid and processing only as a whole.

    Examples
    --------
    >>> filled(Observation(orbit=Orbit(relative=7)), Observation(orbit=Orbit(relative=8, absolute=9))).orbit
    Orbit(state=None, relative=7, absolute=9, designator=None)
    """
    if first is None or second is None:
        return first or second
    parts: dict[str, Any] = {}
    for name, (make, readers) in _PARTS.items():
        own, other = getattr(first, name), getattr(second, name)
        if name in {"grid", "processing"}:
            # Parts of two would be true of neither.
            parts[name] = other if own == make() else own
        else:
            parts[name] = make(**{key: getattr(own, key) or getattr(other, key) for key in readers})
    return Observation(**parts)


def _or_none(observation: Observation) -> Observation | None:
    return None if observation == Observation() else observation


# ---- JSON


def _value_to_json(value: Any) -> Json:  # noqa: ANN401 # one of the members' types
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_value_to_json(item) for item in value]
    plain: Json = value
    return plain


def observation_to_json(observation: Observation) -> dict[str, Json]:
    """JSON form, members that are not known left out; `read_observation` reads it back."""
    form: dict[str, Json] = {"schema": OBSERVATION_SCHEMA}
    for name in _PARTS:
        part = getattr(observation, name)
        known: dict[str, Json] = {
            field.name: _value_to_json(value)
            for field in fields(part)
            if (value := getattr(part, field.name)) is not None and value != ()
        }
        if known:
            form[name] = known
    return form


type _Reader = Callable[[Table, str], Any]


def _line(table: Table, name: str) -> str:
    return table.text(name, longest=LONGEST_LINE)


def _matching(pattern: re.Pattern[str], expected: Message) -> _Reader:
    def read(table: Table, name: str) -> str:
        text = table.text(name)
        if not pattern.match(text):
            table.fault(name, expected)
        return text

    return read


def _positive(most: float, expected: Message) -> _Reader:
    def read(table: Table, name: str) -> float:
        number = table.number(name)
        if not 0.0 < number <= most:
            table.fault(name, expected)
        return number

    return read


def _angle(most: float, expected: Message) -> _Reader:
    def read(table: Table, name: str) -> float:
        number = table.number(name)
        if not 0.0 <= number <= most:
            table.fault(name, expected)
        return number

    return read


def _one(choices: type[StrEnum]) -> _Reader:
    return lambda table, name: choices(table.choice(name, [choice.value for choice in choices]))


def _polarisations(table: Table, name: str) -> tuple[str, ...]:
    texts = table.texts(name, most=_MOST_POLARISATIONS)
    if not all(_POLARISATION.match(text) for text in texts):
        table.fault(name, Message("pairs of the letters H, V, L, R and C"))
    return texts


def _software(table: Table, name: str) -> tuple[tuple[str, str], ...]:
    value = table.raw(name)
    expected = Message("at most {most} pairs of a name and a version", {"most": _MOST_SOFTWARE})
    if not isinstance(value, list | tuple) or len(value) > _MOST_SOFTWARE:
        table.fault(name, expected)
    pairs = []
    for index, pair in enumerate(value):
        if not isinstance(pair, list | tuple) or len(pair) != 2:  # noqa: PLR2004 # a name and a version
            table.fault(name, expected)
        member = Table({"name": pair[0], "version": pair[1]}, f"{table.field(name)}[{index}]")
        pairs.append((_line(member, "name"), _line(member, "version")))
    return tuple(pairs)


def _shape(table: Table, name: str) -> tuple[int, ...]:
    value = table.raw(name)
    if (
        not isinstance(value, list | tuple)
        or len(value) != 2  # noqa: PLR2004 # rows, columns
        or not all(isinstance(side, int) and not isinstance(side, bool) and 0 < side <= _MOST_PIXELS for side in value)
    ):
        table.fault(name, Message("two whole numbers from 1 to {most}", {"most": _MOST_PIXELS}))
    return tuple(value)


def _coordinates(count: int) -> _Reader:
    def read(table: Table, name: str) -> tuple[float, ...]:
        value = table.raw(name)
        if (
            not isinstance(value, list | tuple)
            or len(value) != count
            or not all(
                isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= _LARGEST_COORDINATE
                for number in value
            )
        ):
            table.fault(name, Message("{count} numbers", {"count": count}))
        return tuple(map(float, value))

    return read


_METRES = _positive(_LARGEST_M, Message("metres above 0 and up to 1000000"))
_LOOKS = _positive(_MOST_LOOKS, Message("a number above 0 and up to 1000000"))
_STEEP = _angle(math.pi / 2.0, Message("radians from 0 to half of pi"))


def _whole(table: Table, name: str) -> int:
    return table.integer(name)


_PARTS: Mapping[str, tuple[Callable[..., Any], Mapping[str, _Reader]]] = {
    "radar": (
        Radar,
        {
            "instrument_mode": _line,
            "frequency_band": _one(FrequencyBand),
            "centre_frequency_hz": _positive(_HIGHEST_FREQUENCY_HZ, Message("hertz above 0 and up to 1000000000000")),
            "polarisations": _polarisations,
            "product_type": _line,
            "resolution_range_m": _METRES,
            "resolution_azimuth_m": _METRES,
            "spacing_range_m": _METRES,
            "spacing_azimuth_m": _METRES,
            "looks_range": _LOOKS,
            "looks_azimuth": _LOOKS,
            "looks_equivalent": _LOOKS,
            "side": _one(Side),
        },
    ),
    "orbit": (
        Orbit,
        {
            "state": _one(OrbitState),
            "relative": _whole,
            "absolute": _whole,
            "designator": _matching(_DESIGNATOR, Message("an international designator such as 2014-016A")),
        },
    ),
    "viewing": (
        Viewing,
        {
            "incidence_rad": _STEEP,
            "off_nadir_rad": _STEEP,
            "azimuth_rad": _angle(2.0 * math.pi, Message("radians from 0 to two pi")),
        },
    ),
    "grid": (
        Grid,
        {
            "code": _matching(_CODE, Message("a code such as EPSG:32633")),
            "shape": _shape,
            "transform": _coordinates(6),
            "bounds": _coordinates(4),
        },
    ),
    "processing": (Processing, {"level": _line, "facility": _line, "software": _software, "lineage": _line}),
}


def read_observation(table: Table) -> Observation:
    """Observation of its JSON form, read strictly: it may come from another node.

    Parameters
    ----------
    table
        The form.

    Raises
    ------
    InputError
        Naming the first member that is unknown or has another form.
    """
    if table.text("schema") != OBSERVATION_SCHEMA:
        table.fault("schema", Message("the schema {schema}", {"schema": OBSERVATION_SCHEMA}))
    parts = {}
    for name, (make, readers) in _PARTS.items():
        if not table.has(name):
            continue
        member = table.table(name)
        parts[name] = make(**{key: read(member, key) for key, read in readers.items() if member.has(key)})
        member.done()
    table.done()
    return Observation(**parts)


def plausible(observation: Observation) -> Observation | None:
    """Observation without the members that no reader would take: a file's slip in what is optional refuses no product.

    Parameters
    ----------
    observation
        As a file has it.

    Returns
    -------
    Observation or None
        None where nothing remains.

    Examples
    --------
    >>> plausible(Observation(orbit=Orbit(absolute=7, relative=-1))).orbit
    Orbit(state=None, relative=None, absolute=7, designator=None)
    """
    form = observation_to_json(observation)
    parts = {}
    for name, (make, readers) in _PARTS.items():
        member = form.get(name)
        if not isinstance(member, dict):
            continue
        kept = {}
        for key in member:
            with suppress(InputError):
                kept[key] = readers[key](Table(member), key)
        parts[name] = make(**kept)
    return _or_none(Observation(**parts))


_CLOSED: Mapping[str, type[StrEnum]] = {"frequency_band": FrequencyBand, "side": Side, "state": OrbitState}


def observation_from_stored(document: Mapping[str, Any]) -> Observation:
    """Observation of the JSON form that this node kept, taken at its word (`kizuna.model.stored_product`)."""
    return Observation(
        **{
            name: make(**{key: _stored_value(key, value) for key, value in document[name].items()})
            for name, (make, _readers) in _PARTS.items()
            if name in document
        }
    )


def _stored_value(key: str, value: Any) -> Any:  # noqa: ANN401 # one of the members' types
    if isinstance(value, list):
        if value and isinstance(value[0], list):
            return tuple([tuple(item) for item in value])
        return tuple(map(float, value)) if key in {"transform", "bounds"} else tuple(value)
    if key.endswith(("_m", "_hz", "_rad")):
        return float(value)
    closed = _CLOSED.get(key)
    return value if closed is None else closed(value)
