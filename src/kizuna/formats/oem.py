"""Orbit ephemeris messages (OEM, CCSDS 502.0), KVN and XML: states of satellites whose elements nobody publishes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kizuna.earth.states import Frame, States
from kizuna.errors import Message
from kizuna.formats.ccsds import Fields, Keyword, kvn_lines, parse_epoch, xml_root, xml_value
from kizuna.formats.element_sets import fault_at
from kizuna.formats.toml_positions import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.model.instants import Instant

__all__ = ["StateSet", "read_oem"]

_FRAMES = {
    "EME2000": Frame.EME2000,
    "J2000": Frame.EME2000,
    "ICRF": Frame.EME2000,
    "GCRF": Frame.EME2000,
    "TEME": Frame.TEME,
    "ITRF": Frame.ECEF,
    "ITRF-93": Frame.ECEF,
    "ITRF-97": Frame.ECEF,
    "ITRF1993": Frame.ECEF,
    "ITRF1997": Frame.ECEF,
    "ITRF2000": Frame.ECEF,
    "ITRF2005": Frame.ECEF,
    "ITRF2008": Frame.ECEF,
    "ITRF2014": Frame.ECEF,
    "ITRF2020": Frame.ECEF,
}
# What follows in a file after each of these lines; the header, and what a covariance says, are of no use here.
_PARTS = {"META_START": "meta", "META_STOP": "data", "COVARIANCE_START": "covariance", "COVARIANCE_STOP": "data"}
_FEWEST = 8
"""A path through fewer is no orbit."""
_STATE = 7
_NEAREST_KM = 6_356.0
"""Half of the Earth's axis, rounded down."""
_FARTHEST_KM, _FASTEST_KM_S = 500e3, 20.0


@dataclass(frozen=True, slots=True)
class StateSet:
    """States of one satellite and where they begin in the file."""

    states: States
    begin_at: Place


@dataclass(slots=True)
class _Segment:
    fields: dict[str, Keyword] = field(default_factory=dict)
    rows: list[tuple[list[Keyword], Place]] = field(default_factory=list)
    begin: Place = field(default_factory=lambda: Place(1, 1))


def read_oem(data: bytes) -> tuple[StateSet, ...]:
    """States of a file, segment by segment.

    Raises
    ------
    InputError
        Something is missing, in a frame or time that is not understood, out of order or out of its range; the error names line
        and column.
    """
    text = data.decode("utf-8-sig", "replace")
    segments = _of_xml(data) if text.lstrip().startswith("<") else _of_kvn(text)
    return tuple(map(_states, segments))


def _of_kvn(text: str) -> Iterator[_Segment]:
    current: _Segment | None = None
    part = "header"
    for number, name, keyword in kvn_lines(text):
        here = Place(number, 1)
        if name in _PARTS:
            if name == "META_START":
                if current is not None:
                    yield current
                current = _Segment(begin=here)
            part = _PARTS[name]
        elif part == "meta" and current is not None and keyword is not None:
            current.fields[name] = keyword
        elif part == "data" and current is not None and keyword is None:
            current.rows.append((_columns(name, number), here))
        elif part in {"meta", "data"} or (part == "header" and keyword is None):
            raise fault_at(here, Message("got {got!r}, which stands at no place for it", {"got": name[:40]}))
    if current is None:
        raise fault_at(Place(1, 1), Message("{name} is missing", {"name": "META_START"}))
    yield current


def _columns(line: str, number: int) -> list[Keyword]:
    """Values of a line, each with its column."""
    return [Keyword(part[0], Place(number, part.start() + 1)) for part in re.finditer(r"\S+", line)]


def _of_xml(data: bytes) -> Iterator[_Segment]:
    root, lines = xml_root(data, "OEM")
    found = False
    for element in root.iter():
        if str(element.tag).rpartition("}")[2] != "segment":
            continue
        found = True
        segment = _Segment(begin=xml_value(element, lines).place)
        for part in element.iter():
            name = str(part.tag).rpartition("}")[2]
            if name == "stateVector":
                values = [xml_value(child, lines) for child in part]
                segment.rows.append((values, xml_value(part, lines).place))
            elif not len(part) and name.isupper():
                segment.fields.setdefault(name, xml_value(part, lines))
        yield segment
    if not found:
        raise fault_at(Place(1, 1), Message("the XML holds no OEM"))


def _states(segment: _Segment) -> StateSet:
    fields = Fields(segment.fields, segment.begin)
    fields.only("CENTER_NAME", ("EARTH",))
    fields.only("TIME_SYSTEM", ("UTC",))
    fields.text("TIME_SYSTEM")
    fields.text("REF_FRAME")
    fields.only("REF_FRAME", tuple(_FRAMES))
    epochs: list[Instant] = []
    states = np.empty((len(segment.rows), 6))
    for number, (row, place) in enumerate(segment.rows):
        # Accelerations may follow; velocities and positions say enough.
        if len(row) not in {_STATE, 10}:
            raise fault_at(place, Message("got {got} values, expected an epoch and 6 or 9 numbers", {"got": len(row)}))
        epochs.append(parse_epoch(row[0].text, row[0].place))
        if number and epochs[-1] <= epochs[-2]:
            raise fault_at(place, Message("this epoch is not later than the one before"))
        for column, value in enumerate(row[1:_STATE]):
            states[number, column] = _number(value, _FARTHEST_KM if column < 3 else _FASTEST_KM_S)  # noqa: PLR2004 - positions
        if float(np.linalg.norm(states[number, :3])) < _NEAREST_KM:
            raise fault_at(
                row[1].place,
                Message("this position lies inside the Earth"),
                Message("positions are in kilometres, velocities in kilometres a second"),
            )
    if len(epochs) < _FEWEST:
        raise fault_at(
            segment.begin, Message("got {got} states, expected {least} or more", {"got": len(epochs), "least": _FEWEST})
        )
    seconds = np.array([(epoch - epochs[0]).total_seconds() for epoch in epochs])
    frame = _FRAMES[fields.text("REF_FRAME").upper()]
    name = fields.text("OBJECT_NAME") if "OBJECT_NAME" in fields.found else fields.text("OBJECT_ID")
    made = States(name, epochs[0], seconds, states[:, :3] * 1e3, states[:, 3:] * 1e3, frame)
    return StateSet(made, segment.rows[0][1])


def _number(value: Keyword, most: float) -> float:
    try:
        number = float(value.text)
    except ValueError:
        number = math.nan
    if not abs(number) <= most:
        raise fault_at(
            value.place,
            Message("got {got!r}, expected a number of at most {most}", {"got": value.text[:40], "most": most}),
            Message("positions are in kilometres, velocities in kilometres a second"),
        )
    return number
