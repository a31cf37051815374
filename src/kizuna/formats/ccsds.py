"""Orbit data messages of CCSDS 502.0 as keywords with their values and places, whether they are written as KVN, XML or JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from kizuna.errors import InputError, Message
from kizuna.formats.element_sets import fault_at
from kizuna.formats.toml_positions import Place
from kizuna.formats.xml_reading import parse_xml
from kizuna.model.instants import Instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lxml import etree

__all__ = ["Fields", "Keyword", "json_messages", "kvn_lines", "parse_epoch", "split_unit", "xml_root", "xml_value"]

_PAIR = re.compile(r"\s*([A-Z][A-Z0-9_]*)\s*=\s*(.*?)\s*$")
_UNIT = re.compile(r"\s*\[[^\]]*\]$")
# CCSDS 301.0, ASCII time codes A and B: with the month and its day, or with the day of the year.
_EPOCH = re.compile(r"(\d{4})-(?:(\d\d)-(\d\d)|(\d{3}))T(\d\d):(\d\d):(\d\d)(\.\d*)?Z?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Keyword:
    """Value of a keyword, and where it stands."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Fields:
    """Keywords of one message.

    Parameters
    ----------
    found
        Values by keyword.
    begin
        Where the message begins.
    """

    found: Mapping[str, Keyword]
    begin: Place

    def place(self, name: str) -> Place:
        """Place of a keyword, or of the message where it is missing."""
        keyword = self.found.get(name)
        return self.begin if keyword is None else keyword.place

    def text(self, name: str) -> str:
        """Value of a keyword that must be there.

        Raises
        ------
        InputError
            It is missing or empty.
        """
        keyword = self.found.get(name)
        if keyword is None or not keyword.text:
            raise fault_at(self.place(name), Message("{name} is missing", {"name": name}))
        return keyword.text

    def number(self, name: str, low: float, high: float) -> float:
        """Number of a keyword that must be there and lie within bounds.

        Raises
        ------
        InputError
            It is missing, no number, or out of bounds.
        """
        text = self.text(name)
        try:
            value = float(text)
        except ValueError as error:
            raise fault_at(
                self.place(name), Message("{name}: got {got!r}, expected a number", {"name": name, "got": text[:40]})
            ) from error
        if not low <= value <= high:
            values: dict[str, str | int | float] = {"name": name, "got": value, "low": low, "high": high}
            raise fault_at(self.place(name), Message("{name}: got {got}, expected {low} to {high}", values))
        return value

    def only(self, name: str, choices: tuple[str, ...]) -> None:
        """Refuse another value of a keyword than those that are understood; it may be missing.

        Raises
        ------
        InputError
            It has one.
        """
        keyword = self.found.get(name)
        if keyword is not None and keyword.text.upper() not in choices:
            raise fault_at(
                keyword.place,
                Message(
                    "{name}: got {got!r}, expected {choices}",
                    {
                        "name": name,
                        "got": keyword.text[:40],
                        "choices": ", ".join(choices),
                    },
                ),
                Message("convert it before: nothing is guessed"),
            )


def parse_epoch(text: str, place: Place) -> Instant:
    """Instant of an epoch in UTC, to the microsecond.

    Raises
    ------
    InputError
        It is none.

    Examples
    --------
    >>> parse_epoch("2026-127T18:00:48.032", Place(1, 1)).isoformat()
    '2026-05-07T18:00:48.032000+00:00'
    """
    moment = _moment(text)
    if moment is None:
        raise fault_at(
            place,
            Message("got {got!r}, expected an epoch", {"got": text[:40]}),
            Message("write for example 2026-05-07T18:00:48.032352 or 2026-127T18:00:48.032352"),
        )
    return Instant(moment)


def _moment(text: str) -> datetime | None:
    form = _EPOCH.fullmatch(text)
    if form is None:
        return None
    year, month, day, of_year, hour, minute, second = (int(part) if part else 0 for part in form.groups()[:7])
    try:
        # The first day of a year is its day 1.
        begin = datetime(year, *((1, 1) if form[4] else (month, day)), hour, minute, second, tzinfo=UTC)
        days = of_year - 1 if form[4] else 0
        moment = begin + timedelta(days=days, microseconds=round(float("0" + (form[8] or "")) * 1e6))
    except (ValueError, OverflowError):
        return None
    return moment if not form[4] or (days >= 0 and (begin + timedelta(days=days)).year == year) else None


def split_unit(text: str) -> str:
    """Value without the unit that KVN may write behind it in brackets."""
    return _UNIT.sub("", text)


def kvn_lines(text: str) -> Iterator[tuple[int, str, Keyword | None]]:
    """Lines of a KVN message that are neither empty nor comments: number, and keyword with value or the bare text."""
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare == "COMMENT" or bare.startswith("COMMENT "):
            continue
        pair = _PAIR.fullmatch(line)
        if pair is None:
            yield number, bare, None
        else:
            yield number, pair[1], Keyword(split_unit(pair[2]), Place(number, pair.start(2) + 1))


def xml_root(data: bytes, what: str) -> tuple[etree._Element, list[str]]:
    """Root of an XML message and its lines.

    Raises
    ------
    InputError
        It is no XML that is read here.
    """
    return parse_xml(data, what=what, most_bytes=64_000_000), data.decode().splitlines()


def xml_value(element: etree._Element, lines: list[str]) -> Keyword:
    """Text of an element and where its tag begins."""
    name = str(element.tag).rpartition("}")[2]
    # The parser tells the line alone, and of a long tag the last one.
    line = min(cast("int | None", element.sourceline) or 1, len(lines))
    column = lines[line - 1].find(f"<{name}") + 1
    return Keyword((element.text or "").strip(), Place(line, max(column, 1)))


def json_messages(text: str) -> Iterator[Fields]:
    """Messages of a JSON document: an object, or a list of them.

    Raises
    ------
    InputError
        It is no JSON, or holds something else.
    """
    decoder, at = json.JSONDecoder(), _skip(text, 0)
    listed = text.startswith("[", at)
    at = _skip(text, at + 1) if listed else at
    while at < len(text) and text[at] != "]":
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError as error:
            raise InputError(Message("no JSON: {why}", {"why": str(error)}), field="elements") from error
        if not isinstance(value, dict):
            raise fault_at(_place(text, at), Message("expected an object with the keywords of an OMM"))
        found = {}
        for name, member in value.items():
            key = re.search(rf'"{re.escape(name)}"\s*:\s*', text[at:end])
            place = _place(text, at + key.end()) if key else _place(text, at)
            found[name.upper()] = Keyword("" if member is None else str(member), place)
        yield Fields(found, _place(text, at))
        at = _skip(text, end)
        if text.startswith(",", at):
            at = _skip(text, at + 1)
    if listed and at >= len(text):
        raise fault_at(_place(text, len(text)), Message("the list is not closed"))


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _place(text: str, at: int) -> Place:
    return Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
