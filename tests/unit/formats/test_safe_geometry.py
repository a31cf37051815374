"""GRD on terrain: a real orbit puts the real geolocation grid where its processor put it; closed forms on a map."""

import io
import math
import re
import zipfile

import numpy as np
import pytest
import rasterio
from affine import Affine
from click.testing import CliRunner
from rasterio.warp import transform
from simulators.partner_files import band, packed, safe_metadata, safe_with_geometry

from kizuna.cli.sar import sar
from kizuna.earth.wgs84 import ecef_to_geodetic, geodetic_to_ecef
from kizuna.errors import InputError
from kizuna.formats.geocode import MASK_LAYOVER, MASK_OUTSIDE, MASK_SHADOW, Quantity, geocode
from kizuna.formats.safe_geometry import read_safe_geometry, read_safe_power

SHAPE = (334, 516)
REAL_PIXELS_M = 10.0
# At the middle of the scene by the annotation's own incidence angles (between its points 0.1 degrees off).
MIDDLE_INCIDENCE_DEG = 39.0


@pytest.fixture(scope="module")
def fine():
    """The real sampling made ten times coarser."""
    return read_safe_geometry(io.BytesIO(safe_with_geometry(np.ones((1668, 2578), np.uint16))))


@pytest.fixture(scope="module")
def geometry():
    return read_safe_geometry(io.BytesIO(safe_with_geometry(np.ones(SHAPE, np.uint16))))


def grid_points():
    """Line, pixel, latitude, longitude, height and incidence of the real geolocation grid, in whole pixels of 10 m."""
    (name,) = (n for n in safe_metadata() if "-vv-" in n)
    text = safe_metadata()[name].decode()
    names = ("line", "pixel", "latitude", "longitude", "height", "incidenceAngle")
    points = re.findall(r"<geolocationGridPoint>.*?</geolocationGridPoint>", text, re.DOTALL)
    return np.array([[float(re.search(rf"<{n}>([^<]+)<", point)[1]) for n in names] for point in points])


def test_the_real_orbit_sees_the_real_grid_s_places_at_its_pixels(fine):
    line, pixel, latitude, longitude, height, _ = grid_points().T
    assert np.ptp(height) > 2000.0  # the Alps
    rows, cols = fine.pixels_of(geodetic_to_ecef(np.radians(latitude), np.radians(longitude), height))
    step = 16685 / 1668, 25788 / 2578
    apart_m = REAL_PIXELS_M * np.hypot((rows + 0.5) * step[0] - 0.5 - line, (cols + 0.5) * step[1] - 0.5 - pixel)
    assert apart_m.max() < 0.4
    assert fine.misfit_px == pytest.approx(apart_m.max() / 100.0, abs=1e-3)


def test_pixels_meet_the_surface_where_places_of_it_are_seen(fine):
    rows, cols = np.meshgrid(np.linspace(0.0, 1667.0, 5), np.linspace(0.0, 2577.0, 6), indexing="ij")
    for height in (-100.0, 3000.0):
        place = fine.ground_of(rows, cols, height)
        assert ecef_to_geodetic(place)[2] == pytest.approx(np.full(rows.shape, height), abs=1e-5)
        again = fine.pixels_of(place)
        assert again[0] == pytest.approx(rows, abs=1e-6)
        assert again[1] == pytest.approx(cols, abs=1e-6)


def terrain(heights, edge=(8.0, 45.0, 13.0, 48.0)):
    """GeoTIFF of heights between longitudes and latitudes."""
    rows, cols = heights.shape
    place = Affine((edge[2] - edge[0]) / cols, 0.0, edge[0], 0.0, -(edge[3] - edge[1]) / rows, edge[3])
    with rasterio.MemoryFile() as memory:
        form = {"width": cols, "height": rows, "count": 1, "dtype": "float32", "crs": "EPSG:4326", "transform": place}
        with memory.open(driver="GTiff", **form) as dataset:
            dataset.write(heights.astype(np.float32), 1)
        return io.BytesIO(memory.read())


def opened(data):
    with rasterio.MemoryFile(data) as memory, memory.open() as dataset:
        return dataset.read(1), dataset.transform, dataset.crs


def brightest(data):
    values, place, _ = opened(data)
    weights = np.where(np.isfinite(values), values, 0.0) ** 4
    row, col = np.unravel_index(weights.argmax(), weights.shape)
    part, offsets = weights[row - 3 : row + 4, col - 3 : col + 4], np.arange(-3, 4)
    at = row + (part.sum(axis=1) @ offsets) / part.sum(), col + (part.sum(axis=0) @ offsets) / part.sum()
    return np.array(place @ (at[1] + 0.5, at[0] + 0.5))


def test_a_point_on_a_mountain_lies_where_it_is(geometry):
    """At 2,000 m, and 1,000 m too low: there it leans towards the radar by h / tan(incidence)."""
    place = geometry.ground_of(150.0, 260.0, 2000.0)
    row, col = np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij")
    pixels = 20.0 + 60000.0 * np.exp(-((row - 150.0) ** 2 + (col - 260.0) ** 2) / 4.0)
    package = safe_with_geometry(pixels.astype(np.uint16))
    latitude, longitude, _ = (float(value) for value in ecef_to_geodetic(place))
    (x,), (y,) = transform("EPSG:4326", "EPSG:32632", [math.degrees(longitude)], [math.degrees(latitude)])
    found = [
        brightest(geocode(io.BytesIO(package), terrain=terrain(np.full((8, 8), height)), undulation_m=50.0, spacing_m=800.0).cog)
        for height in (1950.0, 950.0)
    ]
    assert found[0] == pytest.approx([x, y], abs=40.0)  # a twentieth of a pixel
    assert np.linalg.norm(found[1] - found[0]) == pytest.approx(1000.0 / math.tan(math.radians(MIDDLE_INCIDENCE_DEG)), rel=0.05)


def test_a_field_has_the_brightness_that_the_calibration_says(geometry):
    """Squared amplitude 400, calibration 10: sigma and beta nought 4; gamma nought flattened on level ground 4 tan(incidence)."""
    package = safe_with_geometry(np.full(SHAPE, 20, np.uint16), calibration=10.0)
    sigma, _, _ = opened(geocode(io.BytesIO(package), quantity=Quantity.SIGMA0, spacing_m=1000.0).cog)
    assert np.nanmedian(sigma) == pytest.approx(4.0, rel=1e-6)
    made = geocode(
        io.BytesIO(package), quantity=Quantity.GAMMA0, terrain=terrain(np.full((8, 8), 1500.0)), spacing_m=900.0, crs="EPSG:32632"
    )
    gamma, place, crs = opened(made.cog)
    points = grid_points()
    for _, _, latitude, longitude, _, incidence in points[[64, 90, 115, 140]]:
        (x,), (y,) = transform("EPSG:4326", crs, [longitude], [latitude])
        col, row = (int(value) for value in ~place @ (x, y))
        assert np.nanmean(gamma[row - 3 : row + 4, col - 3 : col + 4]) == pytest.approx(
            4.0 * math.tan(math.radians(incidence)), rel=0.02
        )
    mask, _, _ = opened(made.mask_cog)
    assert not (mask[mask != MASK_OUTSIDE] & (MASK_LAYOVER | MASK_SHADOW)).any()


def test_power_is_averaged_as_it_is_read(monkeypatch):
    pixels = band(*SHAPE)
    pixels[:40, :40] = 0
    package = io.BytesIO(safe_with_geometry(pixels))
    monkeypatch.setattr("kizuna.formats.safe_geometry._BLOCK_PIXELS", 5000)
    found = read_safe_power(package, (3, 4))
    squares = pixels.astype(float) ** 2
    expected = squares[:333, :516].reshape(111, 3, 129, 4).mean(axis=(1, 3))
    assert np.isnan(found.blocks[:13, :10]).all()
    assert found.blocks[14:, 11:] == pytest.approx(expected[14:, 11:], rel=1e-5)


def test_the_command_puts_a_package_on_terrain(tmp_path):
    package, dem = tmp_path / "grd.zip", tmp_path / "dem.tif"
    package.write_bytes(safe_with_geometry(band(*SHAPE), calibration=300.0))
    ridges = 2500.0 + 2000.0 * np.sin(np.linspace(0.0, 300.0, 600))[None, :] * np.ones((400, 1))
    dem.write_bytes(terrain(ridges).getvalue())
    options = ["--dem", str(dem), "--quantity", "gamma0", "--mask", str(tmp_path / "mask.tif"), "--spacing", "1000", "--json"]
    done = CliRunner().invoke(sar, ["geocode", str(package), "--output", str(tmp_path / "map.tif"), *options])
    assert done.exit_code == 0, (done.output, done.exception)
    with rasterio.open(tmp_path / "map.tif") as made, rasterio.open(tmp_path / "mask.tif") as mask:
        assert made.tags()["QUANTITY"] == "gamma0"
        assert np.isfinite(made.read(1)).mean() > 0.4
        assert (mask.read(1) == MASK_LAYOVER).any()
    plain = CliRunner().invoke(sar, ["geocode", str(package), "--output", str(tmp_path / "plain.tif")])
    assert plain.exit_code == 0, plain.output


def changed(old, new, count=0):
    """The package with its annotation changed."""
    data = io.BytesIO(safe_with_geometry(np.ones((40, 50), np.uint16)))
    with zipfile.ZipFile(data) as package:
        members = {name: package.read(name) for name in package.namelist()}
    (name,) = (n for n in members if "/annotation/" in n)
    text, made = re.subn(old, new, members[name].decode(), count=count, flags=re.DOTALL)
    assert made
    return io.BytesIO(packed(members | {name: text.encode()}))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (r"<orbitList.*</orbitList>", "", "orbitList"),
        (r"<coordinateConversion>.*</coordinateConversion>", "", "coordinateConversion"),
        (r"<geolocationGridPointList.*</geolocationGridPointList>", "", "geolocationGrid"),
        (r"<rangePixelSpacing>[^<]+<", "<rangePixelSpacing>-1<", "imageInformation"),
        (r"<pixelValue>Detected<", "<pixelValue>Complex<", "GRD"),
        (r"<latitude>4\.(\d)", r"<latitude>4.9", "pixels apart"),
        (r"<latitude>[^<]+<", "<latitude>nan<", "geolocationGrid"),
        (r"<slantRangeTime>[^<]+<", "<slantRangeTime>1e300<", "SAFE"),
        (r"<line>[^<]+<", "<line>1e308<", "SAFE"),
        (r"<height>[^<]+<", "<height>-1e308<", "SAFE"),
        (r"<sr0>[^<]+<", "<sr0>1e200<", "pixels apart"),
        (r"<x>[^<]+<", "<x>1e306<", "SAFE"),
    ],
)
def test_a_package_without_geometry_is_refused(old, new, words):
    with pytest.raises(InputError) as refused:
        read_safe_geometry(changed(old, new))
    assert words in refused.value.message.render()


def test_a_package_without_calibration_has_amplitude_alone():
    with pytest.raises(InputError) as refused:
        geocode(io.BytesIO(safe_with_geometry(np.ones((40, 50), np.uint16))), quantity=Quantity.SIGMA0, spacing_m=20000.0)
    assert refused.value.field == "quantity"
