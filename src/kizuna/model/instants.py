"""Instants and civil dates.

An instant is an aware UTC `datetime`. An interval is half-open, ``[begin, end)``. A civil date has no instant of its own:
an agreement begins when the day has begun for *both* parties and ends when it first ends for *one* (`begin_of_day`,
`end_of_day`). The offsets from UTC are arguments, since the tables of the time zones lie outside this room.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NewType

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Instant", "Interval", "begin_of_day", "day_of", "end_of_day", "format_instant", "instant_of", "parse_instant"]

Instant = NewType("Instant", datetime)
"""An aware `datetime` in UTC, as `instant_of` and `parse_instant` make it."""

# RFC 3339, section 5.6. Its note lets applications take a space for the T; letters may be small. `datetime.fromisoformat` takes
# all of ISO 8601 (weeks, basic forms, a comma), of which each reader knows another part.
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ](?:[01]\d|2[0-3]):\d\d:(\d\d)(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_LEAP_SECOND = "60"


def instant_of(moment: datetime, *, field: str = "instant") -> Instant:
    """Instant of an aware datetime in any zone.

    Raises
    ------
    InputError
        If `moment` is naive: a time without its zone is not a time.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise InputError(
            Message("{field}: {got} has no time zone", {"field": field, "got": moment.isoformat()}),
            hint=Message("append Z for UTC, for example 2025-06-22T00:00:00Z"),
            field=field,
        )
    try:
        return Instant(moment.astimezone(UTC))
    except OverflowError as error:
        raise InputError(
            Message("{field}: {got} lies outside the years 1 to 9999 in UTC", {"field": field, "got": moment.isoformat()}),
            field=field,
        ) from error


def day_of(text: str) -> date | None:
    """Day of a full date as RFC 3339 writes it; None for any other text.

    Examples
    --------
    >>> day_of("2025-06-22"), day_of("2025-W25-7")
    (datetime.date(2025, 6, 22), None)
    """
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def parse_instant(text: str, *, field: str = "instant") -> Instant:
    """Instant of an RFC 3339 text; a bare date means its first moment in UTC.

    Raises
    ------
    InputError
        If `text` is neither.

    Examples
    --------
    >>> format_instant(parse_instant("2025-06-22"))
    '2025-06-22T00:00:00Z'
    """
    day = day_of(text)
    if day is not None:
        return Instant(datetime(day.year, day.month, day.day, tzinfo=UTC))
    form = _MOMENT.fullmatch(text)
    if form is not None and form[1] == _LEAP_SECOND:
        raise InputError(
            Message("{field}: {got!r} is a leap second, and leap seconds are not taken here", {"field": field, "got": text}),
            hint=Message("write second 59 of the same minute, or second 0 of the next"),
            field=field,
        )
    try:
        moment = None if form is None else datetime.fromisoformat(text.upper())
    except ValueError:
        moment = None
    if moment is None:
        raise InputError(
            Message("{field}: {got!r} is no instant, expected RFC 3339", {"field": field, "got": text}),
            hint=Message("write for example 2025-06-22T00:00:00Z or 2025-06-22"),
            field=field,
        )
    return instant_of(moment, field=field)


def format_instant(instant: Instant) -> str:
    """RFC 3339 text in UTC with ``Z``; microseconds only where there are any."""
    return instant.isoformat().removesuffix("+00:00") + "Z"


@dataclass(frozen=True, slots=True)
class Interval:
    """Half-open interval ``[begin, end)`` of instants; `end` None means without end.

    Examples
    --------
    >>> year = Interval(parse_instant("2025-01-01"), parse_instant("2026-01-01"))
    >>> parse_instant("2026-01-01") in year
    False
    """

    begin: Instant
    end: Instant | None = None

    def __contains__(self, instant: Instant) -> bool:
        return self.begin <= instant and (self.end is None or instant < self.end)


def _midnight(day: date, offset: timedelta) -> Instant:
    return Instant(datetime(day.year, day.month, day.day, tzinfo=UTC) - offset)


def begin_of_day(day: date, offsets: Iterable[timedelta]) -> Instant:
    """First instant at which `day` has begun for all parties.

    Parameters
    ----------
    day
        Civil date.
    offsets
        Each party's offset from UTC at the start of that day (local = UTC + offset).

    Examples
    --------
    >>> tokyo, kyiv = timedelta(hours=9), timedelta(hours=3)
    >>> format_instant(begin_of_day(date(2025, 6, 21), [tokyo, kyiv]))
    '2025-06-20T21:00:00Z'
    """
    return max(_midnight(day, offset) for offset in offsets)


def end_of_day(day: date, offsets: Iterable[timedelta]) -> Instant:
    """First instant at which `day` has ended for one party (`offsets` at the start of the day after)."""
    return min(_midnight(day + timedelta(days=1), offset) for offset in offsets)
