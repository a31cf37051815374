"""Civil dates of nations, against clocks that everybody can look up."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from kizuna.adapters.zones import NATION_ZONES, offset_at_begin, offset_at_end
from kizuna.errors import InputError
from kizuna.model.instants import begin_of_day, end_of_day, format_instant
from kizuna.model.parties import NATIONS, parse_nation

REQUIRED = "JPN UKR FRA DEU ITA FIN GBR POL EST KOR USA CAN AUS NZL NOR SWE".split()


@pytest.mark.parametrize(
    ("nation", "day", "begin_h", "end_h"),
    [
        ("JPN", date(2025, 6, 21), 9, 9),
        ("UKR", date(2025, 6, 21), 3, 3),
        ("UKR", date(2025, 1, 21), 2, 2),
        # The night in which the clocks change: the day begins before it and ends after it.
        ("UKR", date(2025, 3, 30), 2, 3),
        ("UKR", date(2025, 10, 26), 3, 2),
        ("GBR", date(2025, 7, 1), 1, 1),
        ("FRA", date(2021, 7, 1), 2, 2),
        # Honolulu begins a day last; New York ends it first among the United States' zones.
        ("USA", date(2025, 1, 1), -10, -5),
        ("USA", date(2025, 7, 1), -10, -4),
        ("CAN", date(2025, 1, 1), -8, -3.5),
        ("CAN", date(2025, 7, 1), -7, -2.5),
        ("AUS", date(2025, 1, 1), 8, 11),
        ("AUS", date(2025, 7, 1), 8, 10.5),
        ("NZL", date(2025, 1, 1), 13, 13.75),
    ],
)
def test_offsets(nation: str, day: date, begin_h: float, end_h: float) -> None:
    assert offset_at_begin(parse_nation(nation), day) == timedelta(hours=begin_h)
    assert offset_at_end(parse_nation(nation), day) == timedelta(hours=end_h)


def test_japan_and_ukraine_begin_when_both_have_begun() -> None:
    day = date(2025, 6, 21)
    both = [parse_nation("JPN"), parse_nation("UKR")]
    assert format_instant(begin_of_day(day, [offset_at_begin(n, day) for n in both])) == "2025-06-20T21:00:00Z"
    assert format_instant(end_of_day(day, [offset_at_end(n, day) for n in both])) == "2025-06-21T15:00:00Z"


def test_table_has_the_required_nations_and_real_zones() -> None:
    assert set(REQUIRED) <= set(NATION_ZONES) <= NATIONS
    for zones in NATION_ZONES.values():
        for zone in zones:
            ZoneInfo(zone)


def test_unknown_nation_is_asked_for_an_instant() -> None:
    with pytest.raises(InputError) as caught:
        offset_at_begin(parse_nation("BRA"), date(2025, 1, 1))
    assert caught.value.hint is not None
    assert "state an instant" in caught.value.hint.render()
