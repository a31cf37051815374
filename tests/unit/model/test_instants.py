"""Instants, half-open intervals and civil days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.model.instants import (
    Interval,
    begin_of_day,
    end_of_day,
    format_instant,
    instant_of,
    parse_instant,
)

AWARE = st.datetimes(
    datetime(1, 1, 3),  # noqa: DTZ001 (the strategy adds the zone)
    datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


def offsets_at(day: date, *zones: str) -> list[timedelta]:
    return [datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).utcoffset() or timedelta() for zone in zones]


@given(AWARE)
def test_an_instant_is_the_same_moment_and_survives_its_text(moment):
    instant = instant_of(moment)
    assert instant == moment
    assert instant.tzinfo is UTC
    assert parse_instant(format_instant(instant)) == instant


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2025-06-22T00:00:00", "2025-13-01", "2025-02-30", "2025-06-22T25:00:00Z", "22.06.2025", "0"]
)
def test_what_is_no_instant_is_refused_by_name(text):
    with pytest.raises(InputError) as caught:
        parse_instant(text, field="in_force.from")
    assert caught.value.field == "in_force.from"
    assert "in_force.from" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "2025-W01-1",
        "2025W011",
        "2025-W26-7T00:00:00Z",
        "20250622T000000Z",
        "2025-06-22T00:00:00+0300",
        "2025-06-22T00:00:00+03",
        "2025-06-22T00:00:00,5Z",
        "2025-06-22T00:00Z",
        "2025-06-22T00Z",
        "2025-06-22T24:00:00.1Z",
        "2025-06-22_00:00:00Z",
        "2025-06-22T00:00:00+03:00:30",
        "２０２５-06-22",
    ],
)
def test_what_iso_8601_knows_beyond_rfc_3339_is_refused(text):
    with pytest.raises(InputError, match="expected RFC 3339"):
        parse_instant(text)


@pytest.mark.parametrize(
    "text",
    ["2025-06-22T03:00:00+03:00", "2025-06-22t00:00:00z", "2025-06-22 00:00:00Z", "2025-06-22T00:00:00.0000000Z", "2025-06-22"],
)
def test_what_rfc_3339_allows_is_taken(text):
    assert format_instant(parse_instant(text)) == "2025-06-22T00:00:00Z"


@pytest.mark.parametrize("text", ["2016-12-31T23:59:60Z", "2017-01-01T08:59:60+09:00", "2016-12-31t23:59:60.5z"])
def test_a_leap_second_is_refused_as_what_it_is(text):
    with pytest.raises(InputError, match="is a leap second") as caught:
        parse_instant(text)
    assert "RFC 3339" not in str(caught.value)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_an_instant_outside_the_calendar_is_refused(text):
    with pytest.raises(InputError) as caught:
        parse_instant(text, field="stored_at")
    assert caught.value.field == "stored_at"


def test_a_naive_datetime_is_no_instant():
    with pytest.raises(InputError):
        instant_of(datetime(2025, 6, 22))  # noqa: DTZ001


def test_an_interval_holds_its_begin_and_not_its_end():
    begin, end = parse_instant("2025-06-21"), parse_instant("2025-06-22")
    held = Interval(begin, end)
    assert begin in held
    assert end - timedelta(microseconds=1) in held
    assert end not in held
    assert begin - timedelta(microseconds=1) not in held
    assert parse_instant("9999-01-01") in Interval(begin)


@pytest.mark.parametrize(
    ("day", "begin", "end"),
    [
        # Tokyo is always 9 hours ahead; Kyiv 2 in winter and 3 in summer. The day begins last in Kyiv and ends first in Tokyo.
        (date(2025, 6, 21), "2025-06-20T21:00:00Z", "2025-06-21T15:00:00Z"),
        (date(2025, 1, 15), "2025-01-14T22:00:00Z", "2025-01-15T15:00:00Z"),
        # Kyiv changes on 30 March 2025 at 03:00 and on 26 October at 04:00: the midnight before has the old offset.
        (date(2025, 3, 30), "2025-03-29T22:00:00Z", "2025-03-30T15:00:00Z"),
        (date(2025, 3, 31), "2025-03-30T21:00:00Z", "2025-03-31T15:00:00Z"),
        (date(2025, 10, 26), "2025-10-25T21:00:00Z", "2025-10-26T15:00:00Z"),
        (date(2025, 10, 27), "2025-10-26T22:00:00Z", "2025-10-27T15:00:00Z"),
    ],
)
def test_a_day_begins_when_it_has_begun_for_both_and_ends_when_it_first_ends(day, begin, end):
    zones = ("Asia/Tokyo", "Europe/Kyiv")
    assert format_instant(begin_of_day(day, offsets_at(day, *zones))) == begin
    assert format_instant(end_of_day(day, offsets_at(day + timedelta(days=1), *zones))) == end


def test_for_one_party_a_day_ends_when_the_next_begins():
    day = date(2025, 3, 30)
    following = day + timedelta(days=1)
    after = offsets_at(following, "Europe/Kyiv")
    assert end_of_day(day, after) == begin_of_day(following, after)
    assert end_of_day(day, after) - begin_of_day(day, offsets_at(day, "Europe/Kyiv")) == timedelta(hours=23)
