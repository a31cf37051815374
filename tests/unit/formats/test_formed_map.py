"""Echoes formed onto terrain: points stand where they are, focused, whatever their height; phases are those of their echoes."""

import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from rasterio.warp import transform
from simulators.collections import KOCHI, START, orbital_collection

from kizuna.cli.sar import sar
from kizuna.cli.sar_map import MAP_VALUES
from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import geodetic_to_ecef
from kizuna.errors import InputError
from kizuna.formats.cphd_write import write_cphd
from kizuna.formats.formed_map import MapValues, form_map, plan_map
from kizuna.sar.form import Method
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

SCENE = LocalScene(KOCHI)
CRS = "EPSG:32653"
UNDULATION = 30.0
SPACING = 1.0
LIGHT = {"pulses": 120, "frequencies": 110, "bandwidth_hz": 100e6, "seconds": 0.9}


def height_at(x, y):
    """A slope of one in ten to the east with a ridge on it, above the ellipsoid; metres of the map about the scene's middle."""
    return 40.0 + 0.1 * x + 0.05 * y + 25.0 * np.exp(-((np.asarray(x) - 20.0) ** 2) / 400.0)


@pytest.fixture(scope="module")
def middle():
    (x,), (y,) = transform("EPSG:4326", CRS, [KOCHI.longitude_deg], [KOCHI.latitude_deg])
    return np.array([x, y])


def dem(middle, *, edge_m=150.0, step_m=1.0):
    """Heights, less the undulation, on a grid of their own in the map's system."""
    side = round(2.0 * edge_m / step_m)
    along = (np.arange(side) + 0.5) * step_m - edge_m
    heights = height_at(along[None, :], -along[:, None]) - UNDULATION
    place = Affine(step_m, 0.0, middle[0] - edge_m, 0.0, -step_m, middle[1] + edge_m)
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", width=side, height=side, count=1, dtype="float64", crs=CRS, transform=place) as dataset:
            dataset.write(heights, 1)
        return memory.read()


def scene_of(middle, at):
    """Scene position of a place of the map, on the terrain."""
    (longitude,), (latitude,) = transform(CRS, "EPSG:4326", [middle[0] + at[0]], [middle[1] + at[1]])
    return SCENE.from_ecef(geodetic_to_ecef(math.radians(latitude), math.radians(longitude), float(height_at(*at))))


TARGETS = ((-24.2, 15.1), (20.3, -9.6), (31.0, 28.4))


@pytest.fixture(scope="module")
def files(tmp_path_factory, middle):
    folder = tmp_path_factory.mktemp("formed-map")
    collection = orbital_collection([scene_of(middle, at) for at in TARGETS], **LIGHT)
    with (folder / "port.cphd").open("w+b") as file:
        write_cphd(file, collection, produced=START)
    (folder / "dem.tif").write_bytes(dem(middle))
    return folder, collection


def formed(folder, name, *options):
    given = [str(folder / "port.cphd"), "--dem", str(folder / "dem.tif"), "--undulation", str(UNDULATION), *options]
    done = CliRunner().invoke(sar, ["form", *given, "--output", str(folder / name), "--json"])
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def peak(band, place, at):
    """Place of the brightest pixel near one, refined by a parabola each way, and its magnitude."""
    col, row = (round(value - 0.5) for value in ~place @ tuple(at))
    near = np.abs(band[row - 5 : row + 6, col - 5 : col + 6])
    i, j = np.unravel_index(near.argmax(), near.shape)
    row, col = row - 5 + i, col - 5 + j

    def shift(left, mid, right):
        return 0.5 * (left - right) / (left - 2.0 * mid + right)

    dr = shift(*np.abs(band[row - 1 : row + 2, col]))
    dc = shift(*np.abs(band[row, col - 1 : col + 2]))
    return np.array(place @ (col + dc + 0.5, row + dr + 0.5)), float(near.max()), (row, col)


@pytest.mark.parametrize("method", ["factorised", "polar-format"])
def test_points_stand_on_their_terrain(files, middle, method):
    folder, _ = files
    told = formed(folder, f"{method}.tif", "--method", method, "--grid", "120:0.5")
    assert told["crs"] == CRS
    with rasterio.open(folder / f"{method}.tif") as dataset:
        band, place, tags = dataset.read(1), dataset.transform, dataset.tags()
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert list(band.shape) == told["shape"] == [240, 240]
    assert "on terrain" in tags["METHOD"]
    assert tags["CLASSIFICATION"] == "UNCLASSIFIED"
    for at in TARGETS:
        found, magnitude, _ = peak(band, place, middle + at)
        assert found == pytest.approx(middle + at, abs=0.06)
        assert magnitude == pytest.approx(1.0, abs=0.12)


def test_complex_pixels_hold_the_echo_s_phase_and_tell_the_carrier_s(files, middle):
    folder, collection = files
    formed(folder, "complex.tif", "--pixels", "complex")
    with rasterio.open(folder / "complex.tif") as dataset:
        band, place, tags = dataset.read(1), dataset.transform, dataset.tags()
        assert dataset.dtypes == ("complex64",)
    antenna = np.array([float(word) for word in tags["PHASE_A_ECEF_M"].split()])
    frequency, reference = float(tags["PHASE_F_HZ"]), float(tags["PHASE_R_M"])
    assert frequency == collection.history.centre_frequency_hz
    for at in TARGETS:
        _, _, (row, col) = peak(band, place, middle + at)
        range_m = np.linalg.norm(SCENE.to_ecef(scene_of(middle, at)) - antenna)
        expected = -4.0 * math.pi * frequency / SPEED_OF_LIGHT_M_S * (range_m - reference)
        # Half a pixel off the peak the phase changes by what the squint and the unevenness of the band leave: little.
        assert abs(np.angle(band[row, col] * np.exp(-1j * expected))) < 0.2
        # So smooth that the image can be resampled.
        assert abs(np.angle(band[row, col + 1] * np.conj(band[row, col]))) < 0.5
    spectrum = np.abs(np.fft.fft2(np.nan_to_num(band)))
    rows, cols = (np.abs(np.fft.fftfreq(side)) for side in band.shape)
    # The carrier left in would fold a fifth there.
    outside = spectrum[(rows[:, None] > 0.45) | (cols[None, :] > 0.45)]
    assert (outside**2).sum() < 0.02 * (spectrum**2).sum()


def test_polarisations_may_share_a_carrier(files, middle):
    """With the phase that its own tags tell put back, the image is the sum itself, whichever carrier was taken out."""
    _, collection = files
    history = collection.history
    plan = plan_map(history, SCENE, io.BytesIO(dem(middle)), undulation_m=UNDULATION, lengths_m=(16.0, 1.0))
    sums = []
    aside = replace(history, positions_m=history.positions_m + np.array([300.0, -200.0, 100.0]))
    for carrier in (history, aside):
        named = {"values": MapValues.COMPLEX, "carrier": carrier, "tags": {}}
        made = form_map(history, SCENE, plan, Method.BACKPROJECTION, **named)
        with rasterio.MemoryFile(made.cog) as memory, memory.open() as dataset:
            band, tags = dataset.read(1), dataset.tags()
        antenna = np.array([float(word) for word in tags["PHASE_A_ECEF_M"].split()])
        assert antenna == pytest.approx(SCENE.to_ecef(carrier.centre_position_m), abs=1e-3)
        places = SCENE.to_ecef(plan.surface.to_scene(np.arange(16)[:, None], np.arange(16)[None, :]))
        way = np.linalg.norm(places - antenna, axis=-1) - float(tags["PHASE_R_M"])
        sums.append(band * np.exp(4j * math.pi * float(tags["PHASE_F_HZ"]) / SPEED_OF_LIGHT_M_S * way))
    assert np.linalg.norm(sums[1] - sums[0]) < 0.01 * np.linalg.norm(sums[0])


def test_what_the_terrain_does_not_know_is_no_data(files, middle):
    folder, _ = files
    with rasterio.open(folder / "dem.tif") as dataset:
        heights, profile = dataset.read(1), dataset.profile
    heights[:, :150] = -9999.0
    with rasterio.open(folder / "half.tif", "w", **(profile | {"nodata": -9999.0})) as dataset:
        dataset.write(heights, 1)
    run = ["form", str(folder / "port.cphd"), "--dem", str(folder / "half.tif"), "--grid", "40:1"]
    done = CliRunner().invoke(sar, [*run, "--undulation", str(UNDULATION), "--output", str(folder / "known.tif")])
    assert done.exit_code == 0, done.output
    with rasterio.open(folder / "known.tif") as dataset:
        known = np.isfinite(dataset.read(1))
    assert not known[:, :19].any()
    assert known[:, 21:].all()


def test_the_choices_are_the_enumeration():
    assert set(MAP_VALUES) == set(MapValues)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (["--plane", "slant"], "plane"),
        (["--apodise"], "apodise"),
        (["--method", "polar-plane"], "dem"),
        (["--method", "omega-k"], "dem"),
        (["--crs", "EPSG:4326"], "crs"),
        (["--grid", "1:2"], "spacing_m"),
        (["--grid", "100000:0.1"], "spacing"),
    ],
)
def test_what_makes_no_map_is_refused(files, options, field):
    folder, _ = files
    target = folder / "never.tif"
    done = CliRunner().invoke(
        sar, ["form", str(folder / "port.cphd"), "--dem", str(folder / "dem.tif"), "--output", str(target), *options]
    )
    assert isinstance(done.exception, InputError)
    assert done.exception.field == field
    assert not target.exists()


@pytest.mark.parametrize("options", [["--crs", "EPSG:32653"], ["--undulation", "3"], ["--pixels", "complex"]])
def test_options_of_maps_need_a_terrain_model(files, options):
    folder, _ = files
    done = CliRunner().invoke(sar, ["form", str(folder / "port.cphd"), "--output", str(folder / "never.tif"), *options])
    assert done.exception.field == options[0].removeprefix("--")


def test_relief_beyond_what_the_echoes_tell_apart_is_refused(files, middle):
    _, collection = files
    cliff = io.BytesIO(dem(middle))
    with rasterio.open(cliff) as dataset:
        heights, profile = dataset.read(1), dataset.profile
    heights[:150] += 5000.0
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as dataset:
            dataset.write(heights, 1)
        with pytest.raises(InputError) as refused:
            plan_map(collection.history, SCENE, io.BytesIO(memory.read()))
    assert refused.value.field == "grid"
