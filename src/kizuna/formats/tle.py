"""Two-line element sets (TLE), with or without a line that names the satellite (3LE).

Columns and the checksum as Hoots and Roehrich 1980 (Spacetrack report 3) and CelesTrak's description of the format have them;
catalogue numbers above 99999 in the Alpha-5 form of Space-Track. A set that does not hold to them is refused with its line and
column: half an orbit is worse than none.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from kizuna.earth.elements import MeanElements
from kizuna.errors import InputError, Message
from kizuna.formats.element_sets import ElementSet, fault_at, refuse_duplicates
from kizuna.formats.toml_positions import Place
from kizuna.model.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["read_tle"]

_LENGTH = 69
_DAY_S = 86400.0
_TURNS_A_DAY = math.tau / _DAY_S
_FIRST_YEAR = 57
"""Two-digit years from here on belong to the twentieth century: no satellite is older."""
_ALPHA_5 = "ABCDEFGHJKLMNPQRSTUVWXYZ"
_ALPHA_5_FIRST = 10
_COMMENT = "#"


class _Line(NamedTuple):
    number: int
    text: str

    def place(self, column: int) -> Place:
        """Place of a column of this line, counted from 1."""
        return Place(self.number, column)

    def fault(self, column: int, message: Message, hint: Message | None = None) -> InputError:
        """Error at a column of this line, counted from 1."""
        return fault_at(self.place(column), message, hint)

    def cut(self, first: int, last: int) -> str:
        """Columns `first` to `last`, counted from 1."""
        return self.text[first - 1 : last]


def read_tle(text: str) -> tuple[ElementSet, ...]:
    """Element sets of a file.

    Parameters
    ----------
    text
        TLE or 3LE; empty lines and lines that begin with ``#`` are passed over.

    Raises
    ------
    InputError
        A line is no line of an element set, fails its checksum or belongs to another satellite than the line before; a value is
        out of its range; two sets have one satellite and one epoch. The error names line and column.

    Examples
    --------
    >>> one = "1 58578U 23196A   26127.75055593  .00009637  00000+0  42329-3 0  9998"
    >>> two = "2 58578  42.0106 246.0182 0025297   6.8236 353.2937 15.21710589132086"
    >>> [found] = read_tle("QPS-SAR-5" + chr(10) + one + chr(10) + two)
    >>> elements = found.elements
    >>> elements.name, elements.number, elements.epoch.isoformat(), round(elements.semi_major_axis_m / 1e3)
    ('QPS-SAR-5', 58578, '2026-05-07T18:00:48.032352+00:00', 6879)
    """
    found = tuple(
        ElementSet(_elements(name, one, two), one.place(3), one.place(19), two.place(53)) for name, one, two in _sets(text)
    )
    refuse_duplicates(found)
    return found


def _sets(text: str) -> Iterator[tuple[str, _Line, _Line]]:
    """Names and line pairs."""
    lines = [_Line(number, line.rstrip()) for number, line in enumerate(text.splitlines(), start=1)]
    waiting = [line for line in lines if line.text and not line.text.startswith(_COMMENT)]
    while waiting:
        name = ""
        if not _is(waiting[0], "1") and len(waiting) > 1 and _is(waiting[1], "1"):
            # Some catalogues number the name's line too, with a zero.
            name = waiting.pop(0).text.removeprefix("0 ").strip()
        if not _is(waiting[0], "1"):
            raise waiting[0].fault(1, Message("expected line 1 of an element set, got {got!r}", {"got": waiting[0].text[:20]}))
        if len(waiting) == 1 or not _is(waiting[1], "2"):
            raise waiting[min(1, len(waiting) - 1)].fault(1, Message("expected line 2 of the element set after its line 1"))
        one, two = waiting.pop(0), waiting.pop(0)
        for line in (one, two):
            _hold(line)
        if one.cut(3, 7) != two.cut(3, 7):
            raise two.fault(
                3,
                Message(
                    "line 2 is about satellite {got}, line 1 about {expected}", {"got": two.cut(3, 7), "expected": one.cut(3, 7)}
                ),
            )
        yield name, one, two


def _is(line: _Line, number: str) -> bool:
    return line.text.startswith(number + " ")


def _hold(line: _Line) -> None:
    """Refuse a line of another length or with another sum than its last digit says."""
    if len(line.text) != _LENGTH:
        raise line.fault(
            min(len(line.text), _LENGTH) + 1,
            Message("the line has {got} characters, expected {expected}", {"got": len(line.text), "expected": _LENGTH}),
        )
    expected = sum(int(c) if c.isdigit() else c == "-" for c in line.text[:-1] if c.isascii()) % 10
    if line.text[-1] != str(expected):
        raise line.fault(
            _LENGTH,
            Message("the checksum is {got}, the line adds up to {expected}", {"got": line.text[-1], "expected": expected}),
            Message("a character of the line was changed: take the set from its source again"),
        )


def _elements(name: str, one: _Line, two: _Line) -> MeanElements:
    year, day = _digits(one, 19, 20), _decimal(one, 21, 32)
    full = year + (1900 if year >= _FIRST_YEAR else 2000)
    days = 366 if full % 4 == 0 and (full % 100 != 0 or full % 400 == 0) else 365
    if not 1.0 <= day < days + 1:
        raise one.fault(21, Message("day {got} of {year}, expected 1 to {days}", {"got": day, "year": full, "days": days}))
    mean_motion = _within(two, 53, 63, _decimal, 0.0, 20.0)
    if mean_motion == 0.0:
        raise two.fault(53, Message("the mean motion is 0 turns a day: that is no orbit"))
    return MeanElements(
        name=name or f"{_number(one):05d}",
        number=_number(one),
        epoch=Instant(datetime(full, 1, 1, tzinfo=UTC) + timedelta(days=day - 1.0)),
        mean_motion_rad_s=mean_motion * _TURNS_A_DAY,
        eccentricity=_digits(two, 27, 33) * 1e-7,
        inclination_rad=math.radians(_within(two, 9, 16, _decimal, 0.0, 180.0)),
        node_rad=math.radians(_within(two, 18, 25, _decimal, 0.0, 360.0)),
        perigee_rad=math.radians(_within(two, 35, 42, _decimal, 0.0, 360.0)),
        mean_anomaly_rad=math.radians(_within(two, 44, 51, _decimal, 0.0, 360.0)),
        bstar_per_radius=_exponential(one, 54, 61),
        # The columns hold half and a sixth of the derivatives.
        mean_motion_dot_rad_s2=2.0 * _decimal(one, 34, 43) * _TURNS_A_DAY / _DAY_S,
        mean_motion_dot_dot_rad_s3=6.0 * _exponential(one, 45, 52) * _TURNS_A_DAY / _DAY_S**2,
        designator=_designator(one),
    )


def _within(line: _Line, first: int, last: int, read: Callable[[_Line, int, int], float], low: float, high: float) -> float:
    value = read(line, first, last)
    if not low <= value <= high:
        raise line.fault(first, Message("got {got}, expected {low} to {high}", {"got": value, "low": low, "high": high}))
    return value


def _digits(line: _Line, first: int, last: int) -> int:
    text = line.cut(first, last)
    if not re.fullmatch(r"[0-9]+", text.replace(" ", "0")):
        raise line.fault(first, Message("got {got!r}, expected digits", {"got": text}))
    return int(text.replace(" ", "0"))


def _decimal(line: _Line, first: int, last: int) -> float:
    text = line.cut(first, last).strip()
    if not re.fullmatch(r"[+-]?[0-9]*\.[0-9]+", text):
        raise line.fault(first, Message("got {got!r}, expected a decimal number", {"got": text}))
    return float(text)


def _exponential(line: _Line, first: int, last: int) -> float:
    """Value written as ``12345-3``: the point stands before the first digit, the exponent after the sign."""
    text = line.cut(first, last).strip()
    form = re.fullmatch(r"([+-]?)([0-9]{1,5})([+-][0-9])", text)
    if form is None:
        raise line.fault(first, Message("got {got!r}, expected digits and an exponent, for example 42329-3", {"got": text}))
    return float(f"{form[1]}0.{form[2]}e{form[3]}")


def _number(line: _Line) -> int:
    text = line.cut(3, 7).strip()
    form = re.fullmatch(r"([A-HJ-NP-Z]?)([0-9]{1,5})", text)
    if form is None:
        raise line.fault(3, Message("got {got!r}, expected a catalogue number", {"got": text}))
    return int(form[2]) + (10000 * (_ALPHA_5.index(form[1]) + _ALPHA_5_FIRST) if form[1] else 0)


def _designator(line: _Line) -> str:
    text = line.cut(10, 17).strip()
    form = re.fullmatch(r"([0-9]{2})([0-9]{3})([A-Z]{1,3})", text)
    if form is None:
        return text
    century = 19 if int(form[1]) >= _FIRST_YEAR else 20
    return f"{century}{form[1]}-{form[2]}{form[3]}"
