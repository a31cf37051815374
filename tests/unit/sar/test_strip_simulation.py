"""A simulated strip: echoes by their definition, targets, ground and noise as the radar promises, ships where the truth says."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
import sarkit.sicd
from sarkit.verification import CphdConsistency, CrsdConsistency

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic
from kizuna.errors import InputError
from kizuna.formats.cphd import read_cphd
from kizuna.formats.cphd_write import write_cphd
from kizuna.formats.crsd import read_crsd
from kizuna.formats.crsd_write import write_crsd
from kizuna.formats.scene_truth import truth_of
from kizuna.formats.sicd_metadata import describe_collection
from kizuna.formats.sicd_rma import strip_metadata
from kizuna.formats.simulated_product import form_simulated
from kizuna.model.instants import parse_instant
from kizuna.sar.acquisition import Radar
from kizuna.sar.collection import Mode, track_of
from kizuna.sar.echoes import Cloud, Movers
from kizuna.sar.form import Method
from kizuna.sar.impulse import measure_response
from kizuna.sar.scene import Area, Orbit, Reflector, Scene, Ship, ShipKind, Strip, Surface, Terrain
from kizuna.sar.simulate import acquisition_of, collection_of, seen_at, simulate
from kizuna.sar.strip import form_strip, plan_strip
from kizuna.sar.strip_acquisition import drop_m, stripmap
from kizuna.sar.strip_echoes import strip_echoes, target_echoes
from kizuna.sar.strip_grid import closest_approach

LIGHT = 299_792_458.0
START = parse_instant("2026-11-21T20:30:00Z")
QUIET = Radar("test", 9.65e9, 60e6, 6.0, -60.0, "HH")
SCENE = Scene(
    name="strip",
    place=Geodetic.from_degrees(latitude_deg=35.35, longitude_deg=139.65),
    start=START,
    extent_m=64.0,
    orbit=Orbit(575e3, None, math.radians(40.0), ascending=True, looks_right=True),
    radar=QUIET,
    seed=1,
    surfaces=(Surface("water", -80.0), Surface("land", -10.0)),
    strip=Strip(700.0, 400.0, QUIET),
)
FAR = ((-9e3, -9e3), (9e3, -9e3), (9e3, 9e3), (-9e3, 9e3))


def formed(scene):
    simulation = simulate(scene, acquisition_of(scene))
    collection = collection_of(simulation)
    return simulation, collection, form_strip(collection, plan_strip(collection))


def by_definition(planned, place, amplitude):
    """Echo of one scatterer, lit while the beam is on it, referred to the scene's zero: written out once more, in full."""
    velocity = np.gradient(planned.positions_m, planned.times_s, axis=0, edge_order=2)
    away = planned.positions_m - place
    distance = np.linalg.norm(away, axis=1)
    doppler = -2.0 * planned.radar.centre_frequency_hz / LIGHT * (away * velocity).sum(axis=1) / distance
    late = distance - np.linalg.norm(planned.positions_m, axis=1)
    echo = amplitude * np.exp(-4j * math.pi / LIGHT * np.outer(late, planned.frequencies_hz))
    return doppler, np.where((np.abs(doppler) < 0.5 * planned.beam.width_hz)[:, None], echo, 0.0)


@pytest.fixture(scope="module")
def planned():
    return acquisition_of(SCENE)


def test_a_target_is_heard_by_the_pulses_that_light_it_and_by_no_other(planned):
    place = np.array([150.0, -120.0, 3.0])
    doppler, wanted = by_definition(planned, place, 2.0)
    got = np.zeros(wanted.shape, np.complex64)
    target_echoes(planned, Movers(place[None], np.zeros((1, 3)), np.array([2.0], np.complex64)), got)
    sure = np.abs(np.abs(doppler) - 0.5 * planned.beam.width_hz) > 1.0
    assert np.abs(got - wanted)[sure].max() < 1e-4
    lit = np.count_nonzero(np.abs(got[:, 0]) > 1.0) / len(got)
    assert lit == pytest.approx(planned.lit_share, rel=0.01)


def test_ground_is_heard_as_targets_are_but_for_a_block_at_the_edges_of_the_beam(planned):
    rng = np.random.default_rng(3)
    places = (rng.uniform(-1.0, 1.0, (6, 3)) * [180.0, 180.0, 0.0]).astype(np.float32)
    amplitudes = np.exp(2j * math.pi * rng.random(6)).astype(np.complex64)
    got = np.zeros((len(planned.times_s), len(planned.frequencies_hz)), np.complex64)
    level = strip_echoes(planned, Cloud(places, amplitudes), Movers(*np.zeros((2, 0, 3)), np.zeros(0, np.complex64)), got)
    each = [by_definition(planned, place, amplitude) for place, amplitude in zip(places.astype(float), amplitudes, strict=True)]
    wanted = sum(echo for _doppler, echo in each)
    near = 0.5 * planned.beam.width_hz * (1.0 + np.array([-1.0, 1.0]) / 24.0)  # half a block is a thirty-second of it
    unsure = np.any([(np.abs(doppler) > near[0]) & (np.abs(doppler) < near[1]) for doppler, _echo in each], axis=0)
    assert 0.1 < np.mean(~unsure) < 0.9
    wrong = np.linalg.norm((got - wanted)[~unsure]) / np.linalg.norm(wanted[~unsure])
    assert 20.0 * math.log10(wrong) < -55.0
    assert level < -60.0


def test_a_reflector_comes_out_as_wide_as_promised_where_it_stands_and_as_bright():
    place = (60.0, 90.0, 4.0)
    simulation, collection, strip = formed(replace(SCENE, reflectors=(Reflector("one", place, 0.7),)))
    tree = strip_metadata(strip, describe_collection(collection, produced=START))
    (found,) = truth_of(simulation)["features"]
    longitude, latitude, height = found["geometry"]["coordinates"]
    at = Geodetic.from_degrees(latitude_deg=latitude, longitude_deg=longitude, height_m=height).ecef_m()
    row, col = sarkit.sicd.xrowycol_to_rowcol(tree, sarkit.sicd.scene_to_image(tree, at)[0])
    response = measure_response(strip.pixels, float(row), float(col))
    assert (response.row, response.col) == (pytest.approx(row, abs=0.03), pytest.approx(col, abs=0.03))
    width = response.along_cols.width_px * float(tree.findtext("{*}Grid/{*}Col/{*}SS"))
    assert width == pytest.approx(QUIET.azimuth_resolution_m, rel=0.01)
    promised = float(tree.findtext("{*}Grid/{*}Col/{*}ImpRespWid"))
    assert promised == pytest.approx(QUIET.azimuth_resolution_m, rel=0.005)
    assert response.along_cols.pslr_db == pytest.approx(-13.26, abs=0.2)
    assert response.amplitude**2 == pytest.approx(4.0 * math.pi * 0.7**4 / (3.0 * QUIET.wavelength_m**2), rel=0.02)


def test_land_and_noise_have_their_levels_to_both_ends_of_the_strip():
    simulation, _collection, strip = formed(replace(SCENE, areas=(Area("land", FAR),)))
    cells = np.abs(strip.pixels) ** 2 / simulation.acquisition.ground_cell_m2
    seen = -10.0 + 10.0 * math.log10(math.cos(math.radians(40.0)) / math.cos(math.radians(45.0)))
    for half in np.array_split(cells[8:-8, 6:-6], 2, axis=1):
        assert 10.0 * math.log10(half.mean()) == pytest.approx(seen, abs=0.3)
        assert half.mean() ** 2 / half.var() == pytest.approx(1.0, abs=0.15)
    noisy = replace(SCENE, strip=replace(SCENE.strip, radar=replace(QUIET, noise_equivalent_sigma0_db=-15.0)))
    simulation, _collection, strip = formed(noisy)
    # A uniform aperture keeps the noise of all Doppler frequencies, a quarter more than the band.
    level = np.mean(np.abs(strip.pixels) ** 2) / simulation.acquisition.ground_cell_m2 / 1.25
    assert 10.0 * math.log10(level) == pytest.approx(-15.0, abs=0.4)


def test_a_ship_that_moves_is_seen_off_its_place_where_the_truth_says():
    ship = Ship("launch", ShipKind.TUG, (40.0, -60.0), math.radians(77.0), 4.0, 8.0, 3.0, 1.0)
    simulation, _collection, strip = formed(replace(SCENE, ships=(ship,)))
    (found,) = truth_of(simulation)["features"]
    scene = simulation.acquisition.scene
    seen = Geodetic.from_degrees(longitude_deg=found["properties"]["seen_at"][0], latitude_deg=found["properties"]["seen_at"][1])
    shown = scene.from_ecef(seen.ecef_m())
    assert 150.0 < np.linalg.norm(shown[:2] - ship.centre_m) < 400.0  # its speed along the line of sight, over the satellite's
    row, col = strip.grid.from_scene(shown)
    power = np.abs(strip.pixels) ** 2
    rows, cols = np.indices(power.shape)
    assert (power * cols).sum() / power.sum() == pytest.approx(float(col), abs=1.5)
    assert (power * rows).sum() / power.sum() == pytest.approx(float(row), abs=3.0)


def test_a_mover_is_seen_where_something_at_rest_has_its_range_and_rate(planned):
    place, velocity = np.array([120.0, 330.0, 0.0]), np.array([25.0, 10.0, 0.0])
    doppler, _echo = by_definition(planned, place, 1.0)
    middle = int(np.abs(doppler).argmin())
    assert abs(middle - len(doppler) // 2) > 30  # it is lit when it has moved on since the middle of the collection
    around = slice(middle - 2, middle + 3)
    later = planned.times_s[around, None] - 0.5 * planned.times_s[-1]
    antenna = planned.positions_m[around]
    wanted = np.linalg.norm(place + velocity * later - antenna, axis=1)
    found = np.linalg.norm(seen_at(planned, place, velocity) - antenna, axis=1)
    assert np.abs(found - wanted).max() < 0.02


def test_the_surface_falls_off_as_the_earth_does():
    scene = LocalScene(Geodetic.from_degrees(latitude_deg=35.35, longitude_deg=139.65, height_m=30.0))
    east, north = np.array([0.0, 5e3, -3e3, 7e3]), np.array([0.0, -2e3, 10e3, 7e3])
    height = scene.to_geodetic(np.stack([east, north, -drop_m(scene, east, north)], axis=-1))[2]
    assert np.abs(height - 30.0).max() < 5e-3


def test_a_terrain_that_follows_the_earth_changes_nothing(planned):
    land = replace(SCENE, areas=(Area("land", FAR),), extent_m=64.0)
    along = np.arange(-600.0, 601.0, 4.0)
    # As it is read: above the plane through the scene's zero.
    round_earth = Terrain(-drop_m(planned.scene, along[None, :], along[:, None]), (-600.0, -600.0), 4.0)
    flat, laid = (simulate(scene, planned).history.samples for scene in (land, replace(land, terrain=round_earth)))
    assert np.linalg.norm(flat - laid) < 0.02 * np.linalg.norm(flat)


def test_pulses_follow_the_beam_over_length_and_dwell(planned):
    beam = planned.beam
    track = track_of(simulate(SCENE, planned).history)
    corner = beam.points_m[-1] * (0.5 * SCENE.strip.length_m / np.linalg.norm(beam.points_m[-1]))
    _distance, when = closest_approach(track, corner, 0.1)
    assert when + 0.5 * beam.dwell_s < planned.times_s[-1]
    assert when + 0.52 * beam.dwell_s > planned.times_s[-1]
    # 0.886 v / d, v from the points themselves
    speed = np.linalg.norm(beam.points_m[-1] - beam.points_m[0]) / planned.times_s[-1]
    assert beam.width_hz == pytest.approx(0.8859 * speed / QUIET.azimuth_resolution_m, rel=1e-3)
    assert np.ptp(planned.scene.to_geodetic(beam.points_m)[2]) < 1e-3


@pytest.mark.parametrize(
    ("write", "read", "checker"), [(write_cphd, read_cphd, CphdConsistency), (write_crsd, read_crsd, CrsdConsistency)]
)
def test_files_say_how_long_each_place_is_lit(write, read, checker):
    small = replace(SCENE, strip=Strip(200.0, 100.0, replace(QUIET, azimuth_resolution_m=12.0)))
    collection = collection_of(simulate(small, acquisition_of(small)))
    file = io.BytesIO()
    write(file, collection, produced=START)
    back = read(io.BytesIO(file.getvalue()))
    assert back.mode is Mode.STRIPMAP
    assert back.dwell_s == pytest.approx(collection.dwell_s, rel=2e-3)
    file.seek(0)
    checked = checker.from_file(file, thorough=True)
    checked.check()
    assert not checked.failures()


def test_a_strip_is_not_formed_as_a_spotlight(planned):
    with pytest.raises(InputError) as refused:
        form_simulated(simulate(SCENE, planned), method=Method.POLAR_FORMAT)
    assert refused.value.field == "image"


@pytest.mark.parametrize(("sides", "field"), [((0.0, 100.0), "swath_m"), ((100.0, -1.0), "length_m")])
def test_refuses_a_strip_of_no_size(planned, sides, field):
    with pytest.raises(InputError) as refused:
        stripmap(planned.scene, QUIET, lambda times: times[:, None] * np.ones(3), swath_m=sides[0], length_m=sides[1])
    assert refused.value.field == field
