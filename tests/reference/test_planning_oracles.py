"""Positions and angles beside skyfield and brahe, as `benchmarks/peers/positions.py` wrote them down."""

import json
from pathlib import Path

import numpy as np
import pytest

from kizuna.earth.frames import eme2000_to_ecef
from kizuna.earth.orbit import Sgp4, track_of
from kizuna.earth.states import Frame, States, track_of_states
from kizuna.earth.viewing import line_of_sight
from kizuna.earth.wgs84 import Geodetic
from kizuna.formats.tle import read_tle
from kizuna.model.instants import parse_instant

ORACLES = json.loads((Path(__file__).parents[1] / "vectors/planning/oracles.json").read_text("utf-8"))
EPOCH = parse_instant(ORACLES["begin"])
LATITUDE, LONGITUDE, HEIGHT = ORACLES["place"]
PLACE = Geodetic.from_degrees(latitude_deg=LATITUDE, longitude_deg=LONGITUDE, height_m=HEIGHT)

SKYFIELD_M = 0.01
# brahe turns TEME otherwise; skyfield and it are as far apart.
BRAHE_M = 120.0
# The nutation here leaves out what adds up to 0.1 arcseconds.
NUTATION_M = 3.0
# States each two minutes; at their ends the polynomial has them on one side alone.
STATES_M = 0.2
# A centimetre at half a thousand kilometres.
ANGLE_RAD = 2e-8


@pytest.fixture(params=ORACLES["satellites"], ids=lambda one: one["name"])
def one(request):
    rows = request.param["rows"]
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return read_tle("\n".join(request.param["lines"]))[0].elements, columns


def test_positions_are_those_of_skyfield_and_near_those_of_brahe(one):
    elements, told = one
    for position in (
        Sgp4(elements, EPOCH).ecef(told["seconds"])[0],
        track_of(elements, EPOCH, 86400.0).position_ecef_m(told["seconds"]),
    ):
        assert np.linalg.norm(position - told["skyfield_ecef_m"], axis=1).max() < SKYFIELD_M
        assert np.linalg.norm(position - told["brahe_ecef_m"], axis=1).max() < BRAHE_M


def test_the_celestial_frame_is_turned_to_the_earth_as_skyfield_does(one):
    _, told = one
    turned = eme2000_to_ecef(told["skyfield_gcrs_m"], EPOCH, told["seconds"].astype(float))
    assert np.linalg.norm(turned - told["skyfield_ecef_m"], axis=1).max() < NUTATION_M


def test_angles_are_those_of_skyfield_and_brahe(one):
    elements, told = one
    position = Sgp4(elements, EPOCH).ecef(told["seconds"])[0]
    seen = [line_of_sight(row, PLACE.ecef_m()) for row in position]
    assert [s.incidence_rad for s in seen] == pytest.approx(told["incidence_rad"], abs=ANGLE_RAD)
    assert [s.off_nadir_rad for s in seen] == pytest.approx(told["off_nadir_rad"], abs=ANGLE_RAD)


def test_states_are_followed_between_as_the_orbit_goes(one):
    elements, _ = one
    times = np.arange(0.0, 7201.0, 120.0)
    position, velocity, _ = Sgp4(elements, EPOCH).teme(times)
    states = States("A", EPOCH, times, position, velocity, Frame.TEME)
    track = track_of_states([states], EPOCH, 7200.0)
    asked = np.linspace(0.0, 7200.0, 997)
    off = np.abs(track.position_ecef_m(asked) - Sgp4(elements, EPOCH).ecef(asked)[0]).max(axis=1)
    assert off[(asked > 600) & (asked < 6600)].max() < 1e-3
    assert off.max() < STATES_M
