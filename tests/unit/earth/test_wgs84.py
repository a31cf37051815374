"""WGS 84 against a published conversion and against sarkit."""

import math

import numpy as np
import pytest
import sarkit.wgs84
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic, ecef_to_geodetic, enu_basis, geodetic_to_ecef

# IOGP 373-7-2 (EPSG guidance note 7-2), geographic/geocentric conversions, worked example on WGS 84.
PUBLISHED = (53 + 48 / 60 + 33.820 / 3600, 2 + 7 / 60 + 46.380 / 3600, 73.0)
PUBLISHED_ECEF_M = (3771793.968, 140253.342, 5124304.349)

latitudes = st.floats(-math.pi / 2, math.pi / 2)
longitudes = st.floats(-math.pi, math.pi)
heights = st.floats(-11_000.0, 36_000_000.0)


def test_meets_the_published_conversion_within_a_millimetre():
    place = Geodetic.from_degrees(latitude_deg=PUBLISHED[0], longitude_deg=PUBLISHED[1], height_m=PUBLISHED[2])
    assert_allclose(place.ecef_m(), PUBLISHED_ECEF_M, atol=1e-3)
    latitude, longitude, height = ecef_to_geodetic(PUBLISHED_ECEF_M)
    # A millimetre on the ground is 1.6e-10 rad.
    assert_allclose([latitude, longitude], np.radians(PUBLISHED[:2]), atol=2e-10)
    assert float(height) == pytest.approx(73.0, abs=1e-3)


@given(latitudes, longitudes, heights)
def test_agrees_with_sarkit_within_a_micrometre(latitude, longitude, height):
    expected = sarkit.wgs84.geodetic_to_cartesian([math.degrees(latitude), math.degrees(longitude), height])
    assert_allclose(geodetic_to_ecef(latitude, longitude, height), expected, atol=1e-6)


@given(latitudes, longitudes, heights)
def test_goes_there_and_back_within_a_micrometre(latitude, longitude, height):
    there = geodetic_to_ecef(latitude, longitude, height)
    assert_allclose(geodetic_to_ecef(*ecef_to_geodetic(there)), there, atol=1e-6)


@given(latitudes, longitudes)
def test_basis_is_right_handed_and_points_as_sarkit_says(latitude, longitude):
    basis = enu_basis(latitude, longitude)
    assert_allclose(basis @ basis.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(basis) == pytest.approx(1.0)
    place = [math.degrees(latitude), math.degrees(longitude), 0.0]
    assert_allclose(basis[2], sarkit.wgs84.up(place), atol=1e-9)
    assert_allclose(basis[1], sarkit.wgs84.north(place), atol=1e-9)
    assert_allclose(basis[0], sarkit.wgs84.east(place), atol=1e-9)


def test_keeps_the_shape_of_arrays():
    assert geodetic_to_ecef(np.zeros((4, 5)), np.zeros(5)).shape == (4, 5, 3)
    assert ecef_to_geodetic(np.full((4, 5, 3), 4e6))[2].shape == (4, 5)


def test_scene_puts_north_north_and_up_up():
    scene = LocalScene(Geodetic.from_degrees(latitude_deg=10.0, longitude_deg=76.0))
    latitude, longitude, height = scene.to_geodetic([[0.0, 100.0, 0.0], [100.0, 0.0, 0.0], [0.0, 0.0, 100.0]])
    assert latitude[0] > scene.origin.latitude_rad
    assert longitude[0] == pytest.approx(scene.origin.longitude_rad)
    assert longitude[1] > scene.origin.longitude_rad
    assert height[2] == pytest.approx(100.0, abs=1e-6)
    assert_allclose(scene.from_ecef(scene.to_ecef([1.0, 2.0, 3.0])), [1.0, 2.0, 3.0], atol=1e-8)
