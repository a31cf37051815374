"""A simulated scene measures as it should: cross sections, backscatter, noise, shadow, layover, motion."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kizuna.earth.wgs84 import Geodetic
from kizuna.model.instants import parse_instant
from kizuna.sar.acquisition import Radar
from kizuna.sar.backprojection import backproject
from kizuna.sar.grid import PlaneGrid
from kizuna.sar.scene import Area, Block, Orbit, Reflector, Scene, Ship, ShipKind, Surface
from kizuna.sar.simulate import acquisition_of, collection_of, seen_at, simulate

QUIET = Radar("test", 9.65e9, 469e6, 0.46, -60.0, "HH", ("bandwidth_hz",))
SCENE = Scene(
    name="test",
    place=Geodetic.from_degrees(latitude_deg=35.35, longitude_deg=139.65),
    start=parse_instant("2026-11-21T20:30:00Z"),
    extent_m=64.0,
    orbit=Orbit(575e3, None, math.radians(45.0), ascending=True, looks_right=True),
    radar=QUIET,
    seed=1,
    surfaces=(Surface("water", -80.0), Surface("land", -10.0)),
)
EVERYWHERE = ((-99.0, -99.0), (99.0, -99.0), (99.0, 99.0), (-99.0, 99.0))


def frame(planned):
    away = -planned.middle_m * [1.0, 1.0, 0.0]
    away /= np.linalg.norm(away)
    return away, np.cross([0.0, 0.0, 1.0], away)


def power(simulation, away_m, left_m, *, rows=24, cols=24, spacing_m=0.4):
    """Power of an image about a place, in square metres a pixel; rows go away from the radar."""
    away, left = frame(simulation.acquisition)
    grid = PlaneGrid(away_m * away + left_m * left, away, left, spacing_m, spacing_m, rows, cols)
    return np.abs(backproject(simulation.history, grid)) ** 2


def observed(scene):
    return simulate(scene, acquisition_of(scene))


def test_a_corner_reflector_has_its_cross_section_at_its_place():
    scene = replace(SCENE, reflectors=(Reflector("one", (10.0, -7.0, 0.0), 0.7),))
    simulation = observed(scene)
    away, left = frame(simulation.acquisition)
    place = np.array([10.0, -7.0, 0.0])
    image = power(simulation, place @ away, place @ left, rows=9, cols=9, spacing_m=0.1)
    assert np.unravel_index(image.argmax(), image.shape) == (4, 4)
    assert image.max() == pytest.approx(4.0 * math.pi * 0.7**4 / (3.0 * QUIET.wavelength_m**2), rel=0.01)


def test_land_has_its_backscatter_and_speckle_is_fully_developed():
    simulation = observed(replace(SCENE, areas=(Area("land", EVERYWHERE),)))
    cells = power(simulation, 0.0, 0.0, rows=60, cols=60, spacing_m=0.7) / simulation.acquisition.ground_cell_m2
    assert 10.0 * math.log10(cells.mean()) == pytest.approx(-10.0, abs=0.35)  # 3600 looks, not all independent
    assert cells.mean() ** 2 / cells.var() == pytest.approx(1.0, abs=0.15)


def test_noise_has_its_equivalent():
    simulation = observed(replace(SCENE, radar=replace(QUIET, noise_equivalent_sigma0_db=-15.0)))
    cells = power(simulation, 0.0, 0.0, rows=40, cols=40, spacing_m=0.7) / simulation.acquisition.ground_cell_m2
    assert 10.0 * math.log10(cells.mean()) == pytest.approx(-15.0, abs=0.35)
    assert np.mean(np.abs(simulation.history.samples) ** 2) == pytest.approx(simulation.noise_power, rel=0.02)


def test_a_building_lays_over_towards_the_radar_and_throws_its_shadow_away_from_it():
    away, left = frame(acquisition_of(SCENE))
    corners = [(-4, -8), (4, -8), (4, 8), (-4, 8)]  # metres away and to the left, about the centre
    outline = tuple((float(a * away[0] + b * left[0]), float(a * away[1] + b * left[1])) for a, b in corners)
    simulation = observed(replace(SCENE, areas=(Area("land", EVERYWHERE),), blocks=(Block(outline, 0.0, 10.0, wall_db=0.0),)))
    # Under 45 degrees a wall of 10 m lays over by 10 m before its foot, and the shadow ends 10 m behind the roof's far edge.
    profile = power(simulation, 0.0, 0.0, rows=120, cols=12, spacing_m=0.4).mean(axis=1)
    distance = (np.arange(120) - 60) * 0.4

    def mean(low, high):
        return profile[(distance > low) & (distance < high)].mean()

    land = mean(-23.0, -16.0)
    assert mean(-13.5, -5.0) > 4.0 * land
    assert profile[np.abs(distance + 4.0) < 1.0].max() > 40.0 * land  # wall and ground as a dihedral
    assert mean(5.0, 13.0) < 0.1 * land  # what is left are sidelobes of the bright wall
    assert mean(15.5, 23.0) == pytest.approx(land, rel=0.4)


def test_a_ship_that_moves_is_seen_off_its_place_where_the_truth_says():
    ship = Ship("launch", ShipKind.TUG, (0.0, 0.0), math.radians(77.0), 0.05, 8.0, 3.0, 1.0)
    simulation = observed(replace(SCENE, ships=(ship,)))
    shown = seen_at(simulation.acquisition, np.zeros(3), np.array(ship.velocity_m_s))
    # Speed along the line of sight over speed along the track, times the range: some 4 m along the track.
    assert 3.0 < np.linalg.norm(shown) < 5.0
    away, left = frame(simulation.acquisition)
    image = power(simulation, 0.0, 0.0, rows=60, cols=60, spacing_m=0.4)
    offsets = (np.arange(60) - 30) * 0.4
    centroid = np.array([(image.sum(axis=1) * offsets).sum(), (image.sum(axis=0) * offsets).sum()]) / image.sum()
    assert centroid[1] == pytest.approx(shown @ left, abs=0.6)
    assert 0.0 < shown @ away - centroid[0] < 6.0  # it is some metres high, and lays over


def test_the_same_seed_gives_the_same_samples_whatever_the_threads():
    scene = replace(
        SCENE, areas=(Area("land", EVERYWHERE),), extent_m=24.0, radar=replace(QUIET, noise_equivalent_sigma0_db=-20.0)
    )
    planned = acquisition_of(scene)
    first, again, other = (
        simulate(scene, planned, threads=1),
        simulate(scene, planned, threads=3),
        simulate(scene, planned, seed=2),
    )
    assert np.array_equal(first.history.samples, again.history.samples)
    assert not np.array_equal(first.history.samples, other.history.samples)


def test_says_that_nobody_observed_it_and_what_is_assumed():
    collection = collection_of(observed(replace(SCENE, extent_m=16.0)))
    assert dict(collection.notes) == {
        "Simulated": "yes: no radar observed this scene",
        "Assumed bandwidth_hz": "the operator does not publish it",
    }
    assert collection.history.times_s is not None
