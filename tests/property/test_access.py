"""Access windows against a plain, slow twin: SGP4 each second, and angles by their definitions.

The twin shares nothing with what it checks but SGP4 itself and the ellipsoid: no polynomials, no candidates, no bounds.
"""

import math
from dataclasses import dataclass

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kizuna.earth.elements import EARTH_RADIUS_WGS72_M, GRAVITY_WGS72_M3_S2, MeanElements
from kizuna.earth.orbit import Sgp4, track_of
from kizuna.earth.wgs84 import Geodetic, enu_basis
from kizuna.model.instants import parse_instant
from kizuna.planning.access import find_windows
from kizuna.planning.geometry import Direction, Geometry, Look, Places

EPOCH = parse_instant("2026-05-08")
# A tenth of a metre at 500 km; edges cross a limit at some 1e-2 rad/s, so that is 20 microseconds of time.
TOLERANCE_RAD = 2e-7


@dataclass(frozen=True)
class Case:
    """A satellite, a place, limits and a time."""

    elements: MeanElements
    place: Geodetic
    geometry: Geometry
    duration_s: float


def margin_rad(case, times):
    """How far inside its limits the geometry is: the least over all limits, negative outside; NaN where there is no orbit."""
    times = np.asarray(times, float)
    orbit = Sgp4(case.elements, EPOCH)
    position, known = orbit.ecef(times)
    velocity = (orbit.ecef(times + 0.05)[0] - orbit.ecef(times - 0.05)[0]) / 0.1
    place = case.place.ecef_m()
    up = enu_basis(case.place.latitude_rad, case.place.longitude_rad)[2]
    sight = position - place
    length = np.linalg.norm(sight, axis=1)
    across = np.linalg.norm(np.cross(sight, up), axis=1)
    incidence = np.arctan2(across, sight @ up)
    limits = [case.geometry.incidence_max_rad - incidence]
    if case.geometry.incidence_min_rad > 0:
        limits.append(incidence - case.geometry.incidence_min_rad)
    speed = np.linalg.norm(velocity, axis=1)
    if case.geometry.squint_max_rad is not None:
        squint = np.arcsin(np.einsum("ij,ij->i", sight, velocity) / length / speed)
        limits.append(case.geometry.squint_max_rad - np.abs(squint))
    if case.geometry.look is not Look.EITHER:
        # Forward cross up points to the right.
        right = np.einsum("ij,ij->i", -sight, np.cross(velocity, position)) / length / speed / np.linalg.norm(position, axis=1)
        limits.append(right if case.geometry.look is Look.RIGHT else -right)
    if case.geometry.direction is not Direction.EITHER:
        north = velocity[:, 2] / speed
        limits.append(north if case.geometry.direction is Direction.ASCENDING else -north)
    return np.where(known, np.min(limits, axis=0), np.nan)


def found(case):
    places = Places.of(["place"], [case.place])
    track = track_of(case.elements, EPOCH, case.duration_s)
    return track, find_windows([track], ["satellite"], places, case.geometry, epoch=EPOCH)


def covered(windows, times):
    """Whether each time lies within a window."""
    row = np.searchsorted(windows.start_s, times, side="right") - 1
    return (row >= 0) & (times <= np.append(windows.end_s, -1.0)[row])


def summits(case, times, margins):
    """Times and margins of the highest points between samples, by golden sections: what a window shorter than a second has."""
    middle = np.flatnonzero((margins[1:-1] >= margins[:-2]) & (margins[1:-1] >= margins[2:]) & (margins[1:-1] > -0.05)) + 1
    low, high = times[middle - 1], times[middle + 1]
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(40):
        one, two = high - golden * (high - low), low + golden * (high - low)
        better = margin_rad(case, one) > margin_rad(case, two)
        low, high = np.where(better, low, one), np.where(better, two, high)
    at = (low + high) / 2
    return at, margin_rad(case, at)


def hold(case):
    track, windows = found(case)
    assert (windows.start_s >= 0).all()
    assert (windows.end_s <= track.end_s).all()
    assert (windows.closest_s >= windows.start_s).all()
    assert (windows.closest_s <= windows.end_s).all()
    # They are apart, and in order.
    assert (windows.start_s[1:] > windows.end_s[:-1]).all()
    if len(windows):
        edges = np.concatenate([windows.start_s[windows.start_s > 0], windows.end_s[windows.end_s < track.end_s]])
        if len(edges):
            assert np.abs(margin_rad(case, edges)).max() < TOLERANCE_RAD
        assert margin_rad(case, (windows.start_s + windows.end_s) / 2).min() > -TOLERANCE_RAD
        gaps = (windows.end_s[:-1] + windows.start_s[1:]) / 2
        if len(gaps):
            assert margin_rad(case, gaps).max() < TOLERANCE_RAD
    times = np.linspace(0, track.end_s, max(int(track.end_s / min(1.0, max(case.duration_s / 7200, 1e-3))), 2) + 1)
    if case.duration_s > 7200:
        times = np.linspace(0, track.end_s, 7201)
    margins = margin_rad(case, times)
    inside = covered(windows, times)
    assert inside[margins > TOLERANCE_RAD].all(), "a window was missed"
    assert not inside[margins < -TOLERANCE_RAD].any(), "a window is none"
    at, height = summits(case, times, margins)
    assert covered(windows, at)[height > TOLERANCE_RAD].all(), "a short window was missed"
    return windows


def mean_motion(height_m, eccentricity):
    return math.sqrt(GRAVITY_WGS72_M3_S2 / ((EARTH_RADIUS_WGS72_M + height_m) / (1 - eccentricity)) ** 3)


# Where the node of a deep orbit of little inclination passes a whole turn, SGP4 itself jumps by some hundred metres.
ANGLES = st.floats(0.1, 2 * math.pi - 0.1)


@st.composite
def orbits(draw):
    kind = draw(st.sampled_from(["low", "polar", "inclined", "geostationary", "eccentric", "low and dragged"]))
    # At next to none SGP4's path has a bend where drag has used it up (tests/unit/earth/test_orbit.py).
    eccentricity = draw(st.floats(2e-3, 0.02)) if kind != "eccentric" else draw(st.floats(0.3, 0.74))
    height_m = draw(st.floats(400e3, 1200e3)) if kind != "low and dragged" else draw(st.floats(180e3, 260e3))
    # SGP4 divides by the sine of the inclination; nothing flies at a thousandth of a degree.
    inclination = draw(st.floats(1e-4, math.pi - 1e-4))
    if kind == "polar":
        inclination = math.pi / 2 + draw(st.floats(-1e-3, 1e-3))
    if kind == "geostationary":
        eccentricity, height_m, inclination = draw(st.floats(5e-4, 2e-3)), 35786e3, draw(st.floats(1e-4, 0.1))
    bstar = 10 ** draw(st.floats(-3, -1.5)) if kind == "low and dragged" else 1e-4
    motion = 7.2921159e-5 if kind == "geostationary" else mean_motion(height_m, eccentricity)
    angles = [draw(ANGLES) for _ in range(3)]
    return kind, MeanElements("satellite", 1, EPOCH, motion, eccentricity, inclination, *angles, bstar)


@st.composite
def cases(draw):
    kind, elements = draw(orbits())
    # Most places lie under the track, so that there is something to see.
    height = draw(st.sampled_from([0.0, 0.0, 2500.0, -400.0]))
    if draw(st.integers(0, 3)) and Sgp4(elements, EPOCH).ecef([0.0, 3000.0])[1].all():
        position = Sgp4(elements, EPOCH).ecef([draw(st.floats(0, 3000.0))])[0][0]
        latitude = math.asin(position[2] / np.linalg.norm(position)) + draw(st.floats(-0.1, 0.1))
        longitude = math.atan2(position[1], position[0]) + draw(st.floats(-0.1, 0.1))
    else:
        latitude = draw(st.sampled_from([-math.pi / 2, 0.0, math.pi / 2, math.pi / 2 - 1e-9]) | st.floats(-1.57, 1.57))
        longitude = draw(st.sampled_from([-math.pi, math.pi, 0.0]) | st.floats(-math.pi, math.pi))
    place = Geodetic(min(max(latitude, -math.pi / 2), math.pi / 2), longitude, height)
    low = draw(st.sampled_from([0.0, 15.0, 30.0]) | st.floats(0, 89))
    width = draw(st.sampled_from([0.01, 1.0, 30.0, 90.0]) | st.floats(0.001, 60))
    limits = [draw(st.sampled_from(Look)), draw(st.sampled_from(Direction)), draw(st.none() | st.floats(0.001, 0.8))]
    # Where a satellite that stands still moves to is nothing that differences of its places could tell.
    geometry = Geometry(math.radians(low), math.radians(min(low + width, 90.0)), *(limits if kind != "geostationary" else []))
    duration_s = draw(st.sampled_from([0.0, 1e-3, 30.0, 7200.0])) if kind != "geostationary" else 86400.0
    return Case(elements, place, geometry, duration_s)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases())
def test_windows_are_those_of_the_slow_twin(case):
    if Sgp4(case.elements, EPOCH).ecef([0.0])[1][0]:
        hold(case)
