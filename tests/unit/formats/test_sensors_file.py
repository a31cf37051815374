"""What radars can image, as a file says it."""

import math

import pytest

from kizuna.errors import InputError
from kizuna.formats.sensors_file import read_catalogue
from kizuna.planning.geometry import Look
from kizuna.planning.sensors import UNKNOWN_SENSOR, ModeKind
from kizuna.wiring import sample_folder

GOOD = """schema = "kizuna/sensors/1"
[[sensor]]
party = "JPN/IQPS"
name = "Q"
satellites = ["QPS-SAR", "QPS-SAR-5"]
incidence_deg = [20, 30]
look = "left"
squint_deg = 10
modes.spot = { kind = "spot", swath_km = 5, shortest_s = 60, incidence_deg = [22, 28] }
assumed = ["squint_deg"]
"""


def test_a_mode_narrows_what_the_sensor_can():
    [sensor] = read_catalogue(GOOD.encode(), name="s").sensors
    whole, spot = sensor.geometry(), sensor.geometry("spot")
    assert (math.degrees(whole.incidence_min_rad), whole.look, whole.shortest_s) == (pytest.approx(20), Look.LEFT, 0)
    assert (math.degrees(spot.incidence_max_rad), math.degrees(spot.squint_max_rad)) == (pytest.approx(28), pytest.approx(10))
    assert (spot.shortest_s, sensor.modes["spotlight"].kind, sensor.modes["spotlight"].swath_m) == (60, ModeKind.SPOT, 5000)
    assert sensor.geometry("strip") is None


def test_the_longest_beginning_names_the_sensor():
    other = GOOD.replace('"Q"', '"R"').replace('["QPS-SAR", "QPS-SAR-5"]', '["QPS-SAR-1"]')
    known = read_catalogue((GOOD + other.partition("\n")[2]).encode(), name="s")
    assert known.sensor("qps-sar-12").name == "R"
    assert known.sensor("QPS-SAR-5 (TSUKUYOMI-I)").name == "Q"
    assert known.sensor("ICEYE-X2") is UNKNOWN_SENSOR


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("[20, 30]", "[30, 20]", "sensor[0].incidence_deg"),
        ('"left"', '"up"', "sensor[0].look"),
        ("squint_deg = 10", "squint_deg = 90", "sensor[0].squint_deg"),
        ('kind = "spot"', 'kind = "dance"', "sensor[0].modes.spot.kind"),
        ('assumed = ["squint_deg"]', 'assumed = ["weight"]', "sensor[0].assumed"),
        ('"QPS-SAR-5"]', '"QPS-SAR-5"]\nheight = 3', "sensor[0].height"),
    ],
)
def test_a_bad_field_is_named(old, new, field):
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        read_catalogue(GOOD.replace(old, new).encode(), name="s")
    assert caught.value.field == field


def test_one_beginning_has_one_sensor():
    with pytest.raises(InputError, match="QPS-SAR"):
        read_catalogue((GOOD + GOOD.partition("\n")[2]).encode(), name="s")


def test_the_sample_knows_whose_each_radar_is_and_hides_no_guess():
    catalogue = read_catalogue((sample_folder("planning") / "sensors.toml").read_bytes(), name="sensors.toml")
    named = {name: catalogue.sensor(name) for name in ("QPS-SAR-5", "STRIX-1", "CSG-2", "SAR-LUPE 2", "SARAH-1", "ICEYE-X2")}
    assert {name: str(sensor.party)[:3] for name, sensor in named.items()} == {
        "QPS-SAR-5": "JPN",
        "STRIX-1": "JPN",
        "CSG-2": "ITA",
        "SAR-LUPE 2": "DEU",
        "SARAH-1": "DEU",
        "ICEYE-X2": "FIN",
    }
    # No source in the repository gives any of these values.
    for sensor in catalogue.sensors:
        assert {"incidence_deg", "look", "squint_deg", "modes"} <= {*sensor.assumed, *sensor.unchecked}, sensor.name
