"""Orbit mean-elements messages (OMM, CCSDS 502.0) of SGP4: KVN, XML, and JSON as CelesTrak and Space-Track write it."""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING

from kizuna.earth.elements import MeanElements
from kizuna.errors import Message
from kizuna.formats.ccsds import Fields, json_messages, kvn_lines, parse_epoch, xml_root, xml_value
from kizuna.formats.element_sets import ElementSet, fault_at, refuse_duplicates
from kizuna.formats.toml_positions import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.formats.ccsds import Keyword

__all__ = ["read_omm"]

_DAY_S = 86400.0
_TURNS_A_DAY = math.tau / _DAY_S
_BEGIN = "CCSDS_OMM_VERS"
_UNNUMBERED = 1_000_000_000
"""Satellites without a catalogue number get one from here on, made from their name."""


def read_omm(data: bytes) -> tuple[ElementSet, ...]:
    """Element sets of a file.

    Parameters
    ----------
    data
        One message or several: KVN one after another, XML as ``omm`` or ``ndm``, JSON as an object or a list.

    Raises
    ------
    InputError
        Something is missing, out of its range, in another frame or of another theory, or stands there twice; the error names line
        and column.
    """
    text = data.decode("utf-8-sig", "replace")
    if text.lstrip().startswith("<"):
        messages = _of_xml(data)
    elif text.lstrip()[:1] in {"{", "["}:
        messages = json_messages(text)
    else:
        messages = _of_kvn(text)
    found = tuple(map(_set, messages))
    refuse_duplicates(found)
    return found


def _of_kvn(text: str) -> Iterator[Fields]:
    found: dict[str, Keyword] = {}
    begin = Place(1, 1)
    for number, name, keyword in kvn_lines(text):
        if keyword is None:
            raise fault_at(Place(number, 1), Message("got {got!r}, expected KEYWORD = value", {"got": name[:40]}))
        if name == _BEGIN:
            if found:
                yield Fields(found, begin)
            found, begin = {}, Place(number, 1)
        elif name in found:
            raise fault_at(Place(number, 1), Message("{name} stands twice", {"name": name}))
        found[name] = keyword
    if _BEGIN not in found:
        raise fault_at(begin, Message("{name} is missing", {"name": _BEGIN}))
    yield Fields(found, begin)


def _of_xml(data: bytes) -> Iterator[Fields]:
    root, lines = xml_root(data, "OMM")
    messages = [element for element in root.iter() if str(element.tag).rpartition("}")[2] == "omm"]
    if not messages:
        raise fault_at(Place(1, 1), Message("the XML holds no OMM"))
    for message in messages:
        found: dict[str, Keyword] = {}
        for element in message.iter():
            name = str(element.tag).rpartition("}")[2]
            if len(element) or name == "COMMENT" or not name.isupper():
                continue
            value = xml_value(element, lines)
            if name in found:
                raise fault_at(value.place, Message("{name} stands twice", {"name": name}))
            found[name] = value
        yield Fields(found, xml_value(message, lines).place)


def _set(fields: Fields) -> ElementSet:
    fields.only("CENTER_NAME", ("EARTH",))
    fields.only("REF_FRAME", ("TEME",))
    fields.only("TIME_SYSTEM", ("UTC",))
    fields.only("MEAN_ELEMENT_THEORY", ("SGP4", "SGP/SGP4"))
    name = fields.found["OBJECT_NAME"].text if "OBJECT_NAME" in fields.found else ""
    designator = fields.found["OBJECT_ID"].text if "OBJECT_ID" in fields.found else ""
    if "NORAD_CAT_ID" in fields.found:
        number = int(fields.number("NORAD_CAT_ID", 0, 999_999_999))
    else:
        number = _UNNUMBERED + zlib.crc32((designator or fields.text("OBJECT_NAME")).encode())
    motion = fields.number("MEAN_MOTION", 0.0, 20.0)
    if motion == 0.0:
        raise fault_at(fields.place("MEAN_MOTION"), Message("the mean motion is 0 turns a day: that is no orbit"))
    elements = MeanElements(
        name=name or f"{number:05d}",
        number=number,
        epoch=parse_epoch(fields.text("EPOCH"), fields.place("EPOCH")),
        mean_motion_rad_s=motion * _TURNS_A_DAY,
        eccentricity=fields.number("ECCENTRICITY", 0.0, 0.9999999),
        inclination_rad=math.radians(fields.number("INCLINATION", 0.0, 180.0)),
        node_rad=math.radians(fields.number("RA_OF_ASC_NODE", 0.0, 360.0)),
        perigee_rad=math.radians(fields.number("ARG_OF_PERICENTER", 0.0, 360.0)),
        mean_anomaly_rad=math.radians(fields.number("MEAN_ANOMALY", 0.0, 360.0)),
        bstar_per_radius=fields.number("BSTAR", -10.0, 10.0),
        # As in two-line sets, half and a sixth of the derivatives.
        mean_motion_dot_rad_s2=2.0 * _perhaps(fields, "MEAN_MOTION_DOT") * _TURNS_A_DAY / _DAY_S,
        mean_motion_dot_dot_rad_s3=6.0 * _perhaps(fields, "MEAN_MOTION_DDOT") * _TURNS_A_DAY / _DAY_S**2,
        designator=designator,
    )
    number_at = fields.place("NORAD_CAT_ID" if "NORAD_CAT_ID" in fields.found else "OBJECT_ID")
    return ElementSet(elements, number_at, fields.place("EPOCH"), fields.place("MEAN_MOTION"))


def _perhaps(fields: Fields, name: str) -> float:
    return fields.number(name, -100.0, 100.0) if name in fields.found else 0.0
