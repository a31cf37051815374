"""Civil dates of nations: the offset from UTC with which a day begins and ends in each.

An agreement that is dated by the day begins when the day has begun in all of both nations and ends when it first ends in a
part of one. A nation with several zones therefore has two offsets: its westmost zone begins the day last, its eastmost
ends it first. The table has the zones of each nation's own territory; overseas territories whose law is their own are left
out (a party that means them states an instant).
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kizuna.errors import InputError, Message
from kizuna.model.parties import Nation, Party

__all__ = ["NATION_ZONES", "offset_at_begin", "offset_at_end"]

# Zones at both ends of each nation (IANA time zone database); more than two where summer time moves the end.
NATION_ZONES: dict[Nation, tuple[str, ...]] = {
    Nation(Party(nation)): tuple(zones.split())
    for nation, zones in {
        "AUS": "Australia/Perth Australia/Sydney Australia/Brisbane Australia/Lord_Howe",
        "AUT": "Europe/Vienna",
        "BEL": "Europe/Brussels",
        "CAN": "America/Vancouver America/Whitehorse America/Halifax America/St_Johns",
        "CHE": "Europe/Zurich",
        "CZE": "Europe/Prague",
        "DEU": "Europe/Berlin",
        "DNK": "Europe/Copenhagen",
        "ESP": "Atlantic/Canary Europe/Madrid",
        "EST": "Europe/Tallinn",
        "FIN": "Europe/Helsinki",
        "FRA": "Europe/Paris",
        "GBR": "Europe/London",
        "ITA": "Europe/Rome",
        "JPN": "Asia/Tokyo",
        "KOR": "Asia/Seoul",
        "LTU": "Europe/Vilnius",
        "LVA": "Europe/Riga",
        "MDA": "Europe/Chisinau",
        "NLD": "Europe/Amsterdam",
        "NOR": "Europe/Oslo",
        "NZL": "Pacific/Auckland Pacific/Chatham",
        "POL": "Europe/Warsaw",
        "PRT": "Atlantic/Azores Europe/Lisbon",
        "ROU": "Europe/Bucharest",
        "SVK": "Europe/Bratislava",
        "SWE": "Europe/Stockholm",
        "UKR": "Europe/Kyiv",
        "USA": "Pacific/Honolulu America/Adak America/Anchorage America/New_York",
    }.items()
}


def _offsets(nation: Nation, day: date) -> list[timedelta]:
    """Offsets from UTC at the local midnight with which `day` begins, one a zone."""
    zones = NATION_ZONES.get(nation)
    if zones is None:
        raise InputError(
            Message("the time zones of {nation} are not known here", {"nation": nation}),
            hint=Message("state an instant instead of a date, for example 2025-06-21T00:00:00+02:00"),
        )
    offsets = []
    for name in zones:
        try:
            offset = datetime.combine(day, time(), ZoneInfo(name)).utcoffset()
        except ZoneInfoNotFoundError as error:
            raise InputError(
                Message("the time zone database lacks {zone}", {"zone": name}),
                hint=Message("install the package tzdata, or state an instant instead of a date"),
            ) from error
        if offset is None:  # pragma: no cover
            raise TypeError(name)
        offsets.append(offset)
    return offsets


def offset_at_begin(nation: Nation, day: date) -> timedelta:
    """Offset from UTC (local = UTC + offset) where `day` begins last in a nation.

    Raises
    ------
    InputError
        If the nation's zones are not known.

    Examples
    --------
    >>> offset_at_begin(Nation(Party("UKR")), date(2025, 6, 21))
    datetime.timedelta(seconds=10800)
    """
    return min(_offsets(nation, day))


def offset_at_end(nation: Nation, day: date) -> timedelta:
    """Offset from UTC where `day` ends first in a nation: that of the midnight with which the next day begins.

    Raises
    ------
    InputError
        If the nation's zones are not known.
    """
    return max(_offsets(nation, day + timedelta(days=1)))
