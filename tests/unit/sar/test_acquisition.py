"""Orbits that see a place, and the pulses that a resolution needs."""

import math

import numpy as np
import pytest

from kizuna.earth.scene import LocalScene
from kizuna.earth.viewing import line_of_sight
from kizuna.earth.wgs84 import SEMI_MAJOR_AXIS_M, Geodetic
from kizuna.errors import InputError
from kizuna.sar.acquisition import CircularOrbit, Radar, pass_over, spotlight, sun_synchronous_inclination_rad

PLACE = Geodetic.from_degrees(latitude_deg=35.35, longitude_deg=139.65)
RADAR = Radar("test", 9.65e9, 469e6, 0.46, -20.0, "HH")


def orbit(*, ascending=True, looks_right=True, incidence_deg=45.0, place=PLACE):
    return CircularOrbit.seeing(
        place,
        height_m=575e3,
        inclination_rad=math.radians(97.68),
        incidence_rad=math.radians(incidence_deg),
        ascending=ascending,
        looks_right=looks_right,
    )


@pytest.mark.parametrize("ascending", [True, False])
@pytest.mark.parametrize("looks_right", [True, False])
def test_an_orbit_sees_its_place_as_asked(ascending, looks_right):
    found = orbit(ascending=ascending, looks_right=looks_right, incidence_deg=33.0)
    assert np.linalg.norm(found.position_m) == pytest.approx(SEMI_MAJOR_AXIS_M + 575e3)
    assert line_of_sight(found.position_m, PLACE.ecef_m()).incidence_rad == pytest.approx(math.radians(33.0), abs=1e-9)
    # Closest at time zero: that is zero Doppler over the turning Earth.
    times = np.array([-0.5, 0.0, 0.5])
    ranges = np.linalg.norm(found.positions_ecef_m(times) - PLACE.ecef_m(), axis=1)
    assert ranges[1] < ranges[0]
    assert ranges[0] == pytest.approx(ranges[2], abs=0.01)
    assert (found.velocity_m_s[2] > 0.0) == ascending
    momentum = np.cross(found.position_m, found.velocity_m_s)
    assert math.acos(momentum[2] / np.linalg.norm(momentum)) == pytest.approx(math.radians(97.68), abs=1e-6)
    assert (momentum @ (PLACE.ecef_m() - found.position_m) < 0.0) == looks_right


def test_refuses_a_place_that_the_orbit_never_sees():
    with pytest.raises(InputError, match="no orbit of inclination 42"):
        CircularOrbit.seeing(
            Geodetic.from_degrees(latitude_deg=70.0, longitude_deg=0.0),
            height_m=575e3,
            inclination_rad=math.radians(42.0),
            incidence_rad=math.radians(30.0),
            ascending=True,
            looks_right=True,
        )


@pytest.mark.parametrize(("height_km", "inclination_deg"), [(800.0, 98.60), (693.0, 98.18)])  # Vallado's table; Sentinel-1
def test_sun_synchronous_inclinations_are_the_published_ones(height_km, inclination_deg):
    assert math.degrees(sun_synchronous_inclination_rad(1e3 * height_km)) == pytest.approx(inclination_deg, abs=0.05)


def test_an_aperture_turns_by_what_the_resolution_needs():
    planned = spotlight(LocalScene(PLACE), RADAR, orbit().positions_ecef_m, extent_m=200.0)
    away = planned.positions_m / np.linalg.norm(planned.positions_m, axis=1, keepdims=True)
    turned = math.acos(min(1.0, float(away[0] @ away[-1]))) * len(away) / (len(away) - 1)
    assert 0.886 * RADAR.wavelength_m / (2.0 * turned) == pytest.approx(0.46, rel=1e-3)
    assert planned.frequencies_hz.mean() == pytest.approx(9.65e9)
    steps = np.diff(planned.frequencies_hz)
    assert steps.mean() * len(planned.frequencies_hz) == pytest.approx(469e6)
    assert planned.incidence_rad == pytest.approx(math.radians(45.0), abs=1e-4)
    # 200 m of ground can be told apart, both ways.
    assert 299_792_458.0 / (2.0 * steps.mean()) > 200.0 * math.sin(math.radians(45.0))
    assert RADAR.wavelength_m / (2.0 * turned / len(away)) > 200.0


def test_refuses_what_cannot_be_observed():
    with pytest.raises(InputError, match=r"0\.0 m cannot be observed"):
        spotlight(LocalScene(PLACE), RADAR, orbit().positions_ecef_m, extent_m=0.0)
    with pytest.raises(InputError, match="below the scene's horizon"):
        spotlight(LocalScene(PLACE), RADAR, orbit().positions_ecef_m, extent_m=100.0, middle_s=3000.0)


def test_finds_the_first_pass_that_sees_the_place_as_wanted():
    found = orbit(incidence_deg=40.0)

    def track(times_s):
        return found.positions_ecef_m(times_s - 30_000.0)

    scene = LocalScene(PLACE)
    narrow = math.radians(39.9), math.radians(40.1)
    assert pass_over(scene, track, duration_s=40_000.0, incidence_rad=narrow) == pytest.approx(30_000.0, abs=0.01)
    with pytest.raises(InputError, match="no pass within"):
        pass_over(scene, track, duration_s=29_000.0, incidence_rad=narrow)
