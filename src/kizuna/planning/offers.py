"""What a provider can offer for a search, and an order's way from received to completed. Pure: the instant is an argument.

The words are those of STAPI (Sensor Tasking API 0.1): a product is a mode, an opportunity is a pass on which it could be taken,
an order has a history of statuses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from kizuna.model.instants import Instant, Interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from kizuna.model.canonical import Json
    from kizuna.planning.tasking import Mode, Satellite
    from kizuna.planning.windows import AccessWindows

__all__ = [
    "Filter",
    "Offer",
    "Order",
    "Ring",
    "Status",
    "TaskingDesk",
    "Wish",
    "advanced",
    "fits",
    "matches",
    "offers_of",
    "only",
]

_PREPARED_S = 600.0
"""How long after the image its product is ready."""
_MARGIN = timedelta(seconds=1)
_MARGIN_DEG = 0.01
_ROUNDING = timedelta(milliseconds=10)
_ROUNDING_RAD = 1e-6
"""What is planned to the second may come out so much otherwise where it is worked out anew."""
_METRES_A_DEGREE = 111_320.0
_POLE_DEG = 89.9

type Filter = Mapping[str, object]
type Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is searched for or ordered.

    Parameters
    ----------
    begin, end
        When.
    longitude_deg, latitude_deg
        Where: the middle of what was asked for.
    filter
        CQL2 JSON over `Offer.properties`; None for all.
    """

    begin: Instant
    end: Instant
    longitude_deg: float
    latitude_deg: float
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """One pass on which an image could be taken, with its SAR terms.

    Parameters
    ----------
    satellite, mode
        Who takes it, and how.
    begin, end
        When.
    incidence_rad, right, ascending
        At closest approach.
    resolution_m
        Coarser resolution on the ground; None where nobody says.
    scene
        Outline of what the image shows: closed ring of longitudes and latitudes in degrees; None where nobody says.
    """

    satellite: str
    mode: Mode
    begin: Instant
    end: Instant
    incidence_rad: float
    right: bool
    ascending: bool
    resolution_m: float | None = None
    scene: Ring | None = None

    @property
    def when(self) -> Interval:
        """When it would be taken."""
        return Interval(self.begin, self.end)

    @property
    def properties(self) -> dict[str, Json]:
        """Terms by which it can be searched, named as STAC's extensions name them; None where nobody says."""
        return {
            "platform": self.satellite,
            "sar:instrument_mode": self.mode.value,
            "sar:observation_direction": "right" if self.right else "left",
            "sat:orbit_state": "ascending" if self.ascending else "descending",
            "view:incidence_angle": round(math.degrees(self.incidence_rad), 4),
            "sar:resolution_range": self.resolution_m,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """One step of an order; `code` as STAPI names it."""

    at: Instant
    code: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order, with all its statuses, the oldest first.

    Parameters
    ----------
    id, mode, wish, geometry, created
        What was asked for, and when.
    statuses
        Its history.
    offer
        The pass that it is given.
    token
        By which its customer knows it again; None where it gave none.
    delivery
        Address of what was delivered: a URI, or a path on the server that tells of the order.
    """

    id: str
    mode: Mode
    wish: Wish
    geometry: Json
    created: Instant
    statuses: tuple[Status, ...]
    offer: Offer | None = None
    token: str | None = None
    delivery: str | None = None

    @property
    def status(self) -> Status:
        """Latest status."""
        return self.statuses[-1]


class TaskingDesk(Protocol):
    """Who takes orders for images: a provider, or who speaks to one. Called from several threads at once."""

    def modes(self) -> Sequence[tuple[Mode, str]]:
        """Modes that are offered, each with one line on it."""
        ...

    def offers(self, mode: Mode, wish: Wish) -> list[Offer]:
        """Passes that a wish fits, in the order of time; see `offers_of`."""
        ...

    def still(self, offers: Sequence[Offer]) -> list[Offer]:
        """Those of earlier offers that may be shown now."""
        ...

    def order(self, mode: Mode, wish: Wish, geometry: Json, token: str | None = None) -> Order:
        """Take an order; it is rejected by its status where no pass fits. With a token that it knows, it is that order."""
        ...

    def orders(self) -> list[Order]:
        """All orders, as they stand now."""
        ...


def only(offer: Offer, wish: Wish) -> Wish:
    """The wish for this one pass and no other, at the place of another wish."""
    same: list[tuple[str, str]] = [
        ("platform", offer.satellite),
        ("sar:observation_direction", "right" if offer.right else "left"),
        ("sat:orbit_state", "ascending" if offer.ascending else "descending"),
    ]
    terms: list[object] = [{"op": "=", "args": [{"property": name}, value]} for name, value in same]
    angle = math.degrees(offer.incidence_rad)
    terms.append({"op": "between", "args": [{"property": "view:incidence_angle"}, angle - _MARGIN_DEG, angle + _MARGIN_DEG]})
    begin, end = Instant(offer.begin - _MARGIN), Instant(offer.end + _MARGIN)
    return replace(wish, begin=begin, end=end, filter={"op": "and", "args": terms})


def _value(term: object, properties: Mapping[str, Json]) -> object:
    match term:
        case {"property": str(name)}:
            if name not in properties:
                raise KeyError(name)
            return properties[name]
        case _:
            return term


def _compare(operator: str, left: object, right: object) -> bool:
    if operator in {"=", "<>"}:
        return (left == right) == (operator == "=")
    if left is None or right is None:
        # Nobody says: CQL2 (section 6.6) has null compare as unknown, which lets nothing through.
        return False
    if not isinstance(left, int | float) or not isinstance(right, int | float):
        raise TypeError(operator)
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]


def matches(filter_: object, properties: Mapping[str, Json]) -> bool:
    """Whether properties satisfy a filter in CQL2 JSON: and, or, not, in, between and comparisons.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the filter names what is not there, or is none of these.

    Examples
    --------
    >>> matches({"op": "between", "args": [{"property": "view:incidence_angle"}, 20, 30]}, {"view:incidence_angle": 25.0})
    True
    """
    match filter_:
        case {"op": "and", "args": [*parts]}:
            # INVARIANT: all parts are looked at, so that a fault in the last is found whatever the first says.
            found = [matches(part, properties) for part in parts]
            return all(found)
        case {"op": "or", "args": [*parts]}:
            found = [matches(part, properties) for part in parts]
            return any(found)
        case {"op": "not", "args": [part]}:
            return not matches(part, properties)
        case {"op": "between", "args": [term, low, high]}:
            value = _value(term, properties)
            return _compare(">=", value, low) and _compare("<=", value, high)
        case {"op": "in", "args": [term, [*values]]}:
            return _value(term, properties) in values
        case {"op": ("=" | "<>" | "<" | "<=" | ">" | ">=") as operator, "args": [left, right]}:
            return _compare(operator, _value(left, properties), _value(right, properties))
        case _:
            raise ValueError(filter_)


def _scene(longitude_deg: float, latitude_deg: float, scene_m: float) -> Ring:
    """Outline of a scene about a place, along the meridians."""
    high = scene_m / 2 / _METRES_A_DEGREE
    wide = high / math.cos(math.radians(min(abs(latitude_deg), _POLE_DEG)))
    south, north = max(latitude_deg - high, -90.0), min(latitude_deg + high, 90.0)
    west, east = ((lon + 180.0) % 360.0 - 180.0 for lon in (longitude_deg - wide, longitude_deg + wide))
    return ((west, south), (east, south), (east, north), (west, north), (west, south))


def offers_of(windows: AccessWindows, satellites: Iterable[Satellite], mode: Mode, wish: Wish) -> list[Offer]:
    """Passes that a wish fits, in the order of time: images about the closest approach, wholly within the time asked for.

    Where the time asked for is shorter than the pass, the image is taken in its middle, as far as the pass reaches there. Passes
    are told apart by their incidence at closest approach, so windows are wanted whole, beyond the time asked for.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the filter cannot be understood; see `matches`.
    """
    known = {satellite.name: satellite for satellite in satellites}
    asked_s, asked_end_s = ((moment - windows.epoch).total_seconds() for moment in (wish.begin, wish.end))
    found = []
    for row in range(len(windows)):
        satellite = known.get(windows.satellites[windows.satellite[row]])
        limits = None if satellite is None else satellite.modes.get(mode)
        incidence = float(windows.incidence_rad[row])
        if satellite is None or limits is None:
            continue
        # A pass that begins or ends where the mode does is nearest just there.
        if not limits.incidence_min_rad - _ROUNDING_RAD <= incidence <= limits.incidence_max_rad + _ROUNDING_RAD:
            continue
        latest = float(windows.end_s[row]) - limits.duration_s
        middle = float(windows.closest_s[row])
        if asked_end_s - asked_s < float(windows.end_s[row] - windows.start_s[row]):
            # Who asks for less than a pass says when the image is to be taken.
            middle = (asked_s + asked_end_s) / 2
        start = min(middle - limits.duration_s / 2, latest, asked_end_s - limits.duration_s)
        start = max(start, float(windows.start_s[row]), asked_s)
        begin, end = windows.instant(start), windows.instant(start + limits.duration_s)
        offer = Offer(
            satellite.name,
            mode,
            begin,
            end,
            incidence,
            bool(windows.right[row]),
            bool(windows.ascending[row]),
            limits.resolution_m,
            _scene(wish.longitude_deg, wish.latitude_deg, limits.scene_m),
        )
        fitting = start <= min(latest, asked_end_s - limits.duration_s) + _ROUNDING.total_seconds()
        if fitting and (wish.filter is None or matches(wish.filter, offer.properties)):
            found.append(offer)
    return sorted(found, key=lambda offer: (offer.begin, offer.satellite))


def fits(offer: Offer, booked: Sequence[Order], satellite: Satellite) -> bool:
    """Whether a satellite can take an image beside those that are booked."""
    others = [order.offer for order in booked if order.offer is not None and order.offer.satellite == offer.satellite]
    for other in others:
        gap = timedelta(seconds=satellite.turn_s if other.right == offer.right else satellite.side_s) - _ROUNDING
        if offer.begin < other.end + gap and other.begin < offer.end + gap:
            return False
    return True


def advanced(order: Order, now: Instant) -> Order:
    """The order as it stands at an instant: taken once its pass is over, completed when its product is ready."""
    offer = order.offer
    if offer is None or order.status.code not in {"scheduled", "processing"}:
        return order
    ready = Instant(offer.end + timedelta(seconds=_PREPARED_S))
    statuses = order.statuses
    if order.status.code == "scheduled" and now >= offer.end:
        statuses = (*statuses, Status(offer.end, "processing"))
    if statuses[-1].code == "processing" and now >= ready:
        statuses = (*statuses, Status(ready, "completed"))
    return order if statuses is order.statuses else replace(order, statuses=statuses)
