"""Satellites with the limits of the catalogue: of one radar, however its file says them, and under what is asked besides."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kizuna.earth.orbit import track_of
from kizuna.errors import InputError
from kizuna.formats.sensors_file import read_catalogue
from kizuna.formats.tle import read_tle
from kizuna.model.instants import parse_instant
from kizuna.planning.geometry import Direction, Look
from kizuna.planning.satellites import Limits, satellites_of
from kizuna.planning.tasking import Mode
from kizuna.planning.uncertainty import PUBLIC_SETS
from kizuna.wiring import sample_folder

BEGIN = parse_instant("2026-05-08")
ELEMENTS = read_tle(
    "QPS-SAR-5\n"
    "1 58578U 23196A   26127.75055593  .00009637  00000+0  42329-3 0  9998\n"
    "2 58578  42.0106 246.0182 0025297   6.8236 353.2937 15.21710589132086\n"
)[0].elements
SENSORS = """schema = "kizuna/sensors/1"
[[sensor]]
party = "JPN/IQPS"
name = "Q"
satellites = ["QPS-SAR"]
incidence_deg = [10, 60]
look = "left"
squint_deg = 30
turn_s = 30
side_s = 60
turn_duty_s = 300
modes.spotlight = { kind = "spot", swath_km = 7, shortest_s = 10, incidence_deg = [15, 45], resolution_m = 0.46 }
modes.stripmap = { kind = "strip", swath_km = 14, shortest_s = 0, incidence_deg = [20, 50] }
[[provider]]
party = "JPN/IQPS"
orders_a_day = 20
stapi = "https://iqps.example"
[[provider]]
party = "KOR"
satellites = ["QPS-SAR-9"]
"""
FLEET = """schema = "kizuna/fleet/1"
[[provider]]
party = "JPN/IQPS"
satellites = ["QPS-SAR"]
orders_a_day = 20
stapi = "https://iqps.example"
turn_s = 30
side_s = 60
duty_s = 300
assumed = ["duty_s"]
modes.spotlight = { duration_s = 10, scene_km = 7, incidence_deg = [15, 45], resolution_m = 0.46 }
modes.stripmap = { duration_s = 2, scene_km = 14, incidence_deg = [20, 50] }
"""


def read(text):
    return read_catalogue(text.encode(), name="c.toml")


def made(catalogue, limits=None, names=("QPS-SAR-5",)):
    track = track_of(ELEMENTS, BEGIN, 600.0)
    sensors = [catalogue.sensor(name) for name in names]
    return satellites_of(names, [track] * len(names), [ELEMENTS] * len(names), sensors, limits)


def degrees(geometry):
    return tuple(round(math.degrees(each), 6) for each in (geometry.incidence_min_rad, geometry.incidence_max_rad))


def test_a_fleet_and_a_catalogue_say_the_same_of_what_can_be_ordered():
    ours, theirs = read(SENSORS).satellite("QPS-SAR-5"), read(FLEET).satellite("QPS-SAR-5")
    assert ours == theirs
    assert ours.modes[Mode.STRIPMAP].duration_s == 2.0
    assert read(SENSORS).providers[0] == read(FLEET).providers[0]
    assert "turn_duty_s" in read(FLEET).sensor("QPS-SAR-5").assumed
    assert "turn_s" not in read(SENSORS).sensor("QPS-SAR-5").guessed()
    assert "turn_s" in read(SENSORS.replace("turn_s = 30\n", "")).sensor("QPS-SAR-5").guessed()


@pytest.mark.parametrize(
    ("limits", "range_deg", "look", "shortest_s"),
    [
        (Limits(), (10, 60), Look.LEFT, 0),
        (Limits(orderable=True), (15, 50), Look.LEFT, 2),
        (Limits(mode="spot"), (15, 45), Look.LEFT, 10),
        (Limits((0.0, math.pi / 2), Look.EITHER, mode="spot", shortest_s=3), (0, 90), Look.EITHER, 3),
    ],
)
def test_what_is_asked_lies_over_what_the_radar_can(limits, range_deg, look, shortest_s):
    (found,) = made(read(SENSORS), limits).limits
    assert (degrees(found), found.look, found.shortest_s) == (range_deg, look, shortest_s)
    assert math.degrees(found.squint_max_rad) == pytest.approx(30)
    assert made(read(SENSORS), replace(limits, direction=Direction.ASCENDING)).limits[0].direction is Direction.ASCENDING


def test_a_radar_without_the_mode_is_left_out_and_none_left_is_refused():
    catalogue = read(SENSORS)
    both = ("QPS-SAR-5", "UNKNOWN")
    assert made(catalogue, Limits(mode="stripmap"), both).names == ("QPS-SAR-5",)
    assert made(catalogue, Limits(orderable=True), both).names == ("QPS-SAR-5",)
    assert made(catalogue, None, both).names == both
    for limits, field in ((Limits(mode="scansar"), "mode"), (Limits(orderable=True), "elements")):
        with pytest.raises(InputError) as caught:
            made(catalogue, limits, ("UNKNOWN",))
        assert caught.value.field == field


def test_files_named_first_hold_and_others_fill_in():
    own = read(SENSORS).beside(read_catalogue((sample_folder("planning") / "sensors.toml").read_bytes(), name="s"))
    assert (own.sensor("QPS-SAR-5").name, own.sensor("ICEYE-X2").name) == ("Q", "ICEYE")
    # Whose it is may be said of one satellite alone; its radar stays.
    assert (own.sensor("QPS-SAR-9").name, own.sensor("QPS-SAR-9").party) == ("Q", "KOR")
    assert [one.orders_a_day for one in own.providers if one.party == "JPN/IQPS"] == [20]


def test_ages_are_those_of_the_elements_and_say_how_far_off_windows_may_be():
    satellites = made(read(SENSORS))
    ages = satellites.ages(parse_instant("2026-05-10"), 86_400.0)
    assert (ages.youngest_days, ages.last_days) == (pytest.approx(2.24944, abs=1e-4), pytest.approx(3.24944, abs=1e-4))
    assert ages.last_width_s == pytest.approx(float(PUBLIC_SETS.half_width_s(ELEMENTS, 3.24944 * 86_400)), rel=1e-4)
    # Elements from after the time asked for are off it as well.
    assert satellites.ages(parse_instant("2026-05-01"), 86_400.0).last_days == pytest.approx(6.75, abs=0.01)
    assert replace(satellites, elements=(None,)).ages(BEGIN, 60.0) is None


def test_taking_and_joining_keep_what_belongs_together():
    satellites = made(read(SENSORS), None, ("QPS-SAR-5", "UNKNOWN"))
    other = satellites.take([1])
    assert (other.names, degrees(other.limits[0]), other.sensors[0].name) == (("UNKNOWN",), (15, 45), "")
    back = other.beside(satellites.take([0]))
    assert back.names == ("UNKNOWN", "QPS-SAR-5")
    assert [degrees(one) for one in back.limits] == [(15, 45), (10, 60)]
    assert np.isclose(back.tracks[0].end_s, 600.0)
