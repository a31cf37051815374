"""Points and fields of a SICD on the map, where its geometry and closed forms say."""

import io
import json
import math
from importlib import resources

import lxml.etree
import numpy as np
import pytest
import rasterio
import sarkit.sicd
from affine import Affine
from click.testing import CliRunner
from rasterio.warp import transform
from simulators.images import gotcha_sicd

from kizuna.cli.sar import sar
from kizuna.earth.wgs84 import ecef_to_geodetic
from kizuna.errors import InputError
from kizuna.formats.geocode import MASK_LAYOVER, MASK_OUTSIDE, Quantity, _map, _projection, geocode
from kizuna.formats.sicd import NitfDescription, read_metadata, read_summary, write_sicd_file
from kizuna.formats.sicd_geometry import read_sicd_geometry
from kizuna.sar.geocode import hidden_along_lines as geocode_lines

GRAZING = math.radians(45.66)
HEIGHT = 4.0


@pytest.fixture(scope="module")
def geometry():
    return read_sicd_geometry(io.BytesIO(gotcha_sicd()))


def sicd(pixels, *, beta0=None):
    data = io.BytesIO(gotcha_sicd())
    tree, summary = read_metadata(data), read_summary(data)
    if beta0 is not None:
        namespace = lxml.etree.QName(tree.getroot()).namespace
        polys = "".join(
            f'<{name} order1="0" order2="0"><Coef exponent1="0" exponent2="0">{value!r}</Coef></{name}>'
            for name, value in (("SigmaZeroSFPoly", 0.5 * beta0), ("BetaZeroSFPoly", beta0))
        )
        tree.getroot().append(lxml.etree.fromstring(f'<Radiometric xmlns="{namespace}">{polys}</Radiometric>'))
    file = io.BytesIO()
    headers = NitfDescription(summary.core_name, "UNCLASSIFIED", summary.sensor, summary.produced)
    write_sicd_file(file, tree, pixels.astype(np.complex64), headers)
    return io.BytesIO(file.getvalue())


def opened(data):
    with rasterio.MemoryFile(data) as memory, memory.open() as dataset:
        return dataset.read(1), dataset.transform, dataset.crs


def dem(heights, step=1e-5):
    """GeoTIFF of heights about the scene, degrees."""
    rows, cols = heights.shape
    place = Affine(step, 0.0, 76.45 - cols / 2 * step, 0.0, -step, 10.05 + rows / 2 * step)
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=cols, height=rows, count=1, dtype="float32", crs="EPSG:4326", transform=place
        ) as dataset:
            dataset.write(heights.astype(np.float32), 1)
        return memory.read()


def brightest(data):
    band, place, crs = opened(data)
    weights = np.where(np.isfinite(band), band, 0.0) ** 2
    row, col = np.unravel_index(weights.argmax(), weights.shape)
    part = weights[row - 3 : row + 4, col - 3 : col + 4]
    offsets = np.arange(-3, 4)
    at = row + (part.sum(axis=1) @ offsets) / part.sum(), col + (part.sum(axis=0) @ offsets) / part.sum()
    return np.array(place @ (at[1] + 0.5, at[0] + 0.5)), crs


def point(geometry, height):
    """Place at a height above the scene's surface, and an image with a soft point where it is seen."""
    place = geometry.ground_of(37.0, 44.0, geometry.scp_height_m + height)
    row, col = (float(at) for at in geometry.pixels_of(place))
    r, c = np.meshgrid(np.arange(80.0), np.arange(80.0), indexing="ij")
    latitude, longitude, _ = ecef_to_geodetic(place)
    return (math.degrees(float(longitude)), math.degrees(float(latitude))), np.exp(-((r - row) ** 2 + (c - col) ** 2) / 4.0)


def on_map(crs, lonlat):
    (x,), (y,) = transform("EPSG:4326", crs, [lonlat[0]], [lonlat[1]])
    return np.array([x, y])


def test_a_point_at_a_height_lies_where_it_is_on_terrain_of_that_height(geometry):
    lonlat, pixels = point(geometry, HEIGHT)
    ground = geometry.scp_height_m
    onto, crs = brightest(
        geocode(sicd(pixels), terrain=io.BytesIO(dem(np.full((60, 60), HEIGHT - 30.0))), undulation_m=ground + 30.0).cog
    )
    truth = on_map(crs, lonlat)
    assert onto == pytest.approx(truth, abs=0.03)
    told, _ = brightest(geocode(sicd(pixels), height_m=ground + HEIGHT).cog)
    assert told == pytest.approx(truth, abs=0.03)
    # On ground that is too low it leans towards the radar, by h tan(grazing).
    low, _ = brightest(geocode(sicd(pixels)).cog)
    assert np.linalg.norm(low - truth) == pytest.approx(HEIGHT * math.tan(GRAZING), rel=0.02)


def test_the_polynomials_are_sarkit_s_projection(geometry):
    grid = _map(geometry, geometry.scp_height_m, None, None)
    fitted = _projection(geometry, grid)
    rng = np.random.default_rng(1)
    x, y = rng.uniform(*grid.x()[[0, -1]], 30), rng.uniform(*grid.y(0, grid.rows)[[-1, 0]], 30)
    height = geometry.scp_height_m + rng.uniform(-1.0, 1.0, 30)
    lon, lat = transform(grid.crs, "EPSG:4326", x, y)
    place = sarkit.wgs84.geodetic_to_cartesian(np.stack([lat, lon, height], axis=-1))
    located, _, _ = sarkit.sicd.scene_to_image(geometry.tree, place)
    expected = sarkit.sicd.xrowycol_to_rowcol(geometry.tree, located)
    rows, cols = fitted(x, y, height)
    assert np.stack([rows, cols], axis=-1) == pytest.approx(expected, abs=0.02)


def test_a_map_made_some_rows_at_a_time_is_the_map(monkeypatch):
    pixels = np.random.default_rng(8).normal(size=(80, 80))
    values = [opened(geocode(sicd(pixels)).cog)[0]]
    monkeypatch.setattr("kizuna.formats.map_grid._ROWS_PIXELS", 7 * values[0].shape[1])
    values.append(opened(geocode(sicd(pixels)).cog)[0])
    assert np.array_equal(*values, equal_nan=True)
    assert np.isfinite(values[0]).mean() > 0.5


def test_terrain_in_parts_gives_the_same_bytes(monkeypatch, geometry):
    """Layover, shadow and gamma nought of a rough ground: whole, and a few rows and lines at a time."""
    rng = np.random.default_rng(5)
    pixels = rng.normal(size=(80, 80))
    rough = dem(np.repeat(np.repeat(rng.uniform(0.0, 5.0, (20, 20)), 3, axis=0), 3, axis=1))
    options = {"terrain": io.BytesIO(rough), "undulation_m": geometry.scp_height_m, "quantity": Quantity.GAMMA0}
    whole = geocode(sicd(pixels, beta0=3.0), **options)
    whole_lines = geocode_lines.__kwdefaults__["most_samples"]
    monkeypatch.setattr("kizuna.formats.map_grid._ROWS_PIXELS", 7 * 80)
    monkeypatch.setitem(geocode_lines.__kwdefaults__, "most_samples", 1000)
    assert whole_lines > 100_000
    parts = geocode(sicd(pixels, beta0=3.0), **options)
    assert parts.cog == whole.cog
    assert parts.mask_cog == whole.mask_cog
    mask, _, _ = opened(whole.mask_cog)
    inside = mask[mask != MASK_OUTSIDE]
    assert {int(value) for value in np.unique(inside)} == {0, 1, 2, 3}


def test_a_field_has_the_gamma_nought_of_its_slope(geometry):
    """Power 1, beta nought 3: over flat ground gamma nought is 3 tan(incidence), whatever the map's spacing."""
    pixels = np.ones((80, 80))
    expected = 3.0 * math.tan(math.pi / 2.0 - GRAZING)
    for spacing in (0.25, 0.4):
        made = geocode(
            sicd(pixels, beta0=3.0),
            terrain=io.BytesIO(dem(np.zeros((60, 60)))),
            undulation_m=geometry.scp_height_m,
            spacing_m=spacing,
            quantity=Quantity.GAMMA0,
        )
        band, _, _ = opened(made.cog)
        inner = band[np.isfinite(band)]
        # Cells at the edge see less of the map than they saw of the ground.
        assert np.median(inner) == pytest.approx(expected, rel=0.02)
        mask, _, _ = opened(made.mask_cog)
        assert set(np.unique(mask)) <= {0, MASK_OUTSIDE}
    sigma, _, _ = opened(geocode(sicd(pixels, beta0=3.0), quantity=Quantity.SIGMA0).cog)
    assert np.nanmedian(sigma) == pytest.approx(1.5)
    gamma, _, _ = opened(geocode(sicd(pixels, beta0=3.0), quantity=Quantity.GAMMA0).cog)
    assert np.nanmedian(gamma) == pytest.approx(1.5 / math.sin(GRAZING), rel=0.01)


def test_a_tower_is_masked(geometry):
    heights = np.zeros((60, 60))
    heights[28:32, 28:32] = 6.0
    made = geocode(sicd(np.ones((80, 80))), terrain=io.BytesIO(dem(heights)), undulation_m=geometry.scp_height_m)
    mask, _, _ = opened(made.mask_cog)
    assert (mask[mask != MASK_OUTSIDE] & MASK_LAYOVER).any()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"crs": "EPSG:4326"}, "crs"),
        ({"crs": "nonsense"}, "crs"),
        ({"spacing_m": 1e-4}, "spacing"),
        ({"quantity": Quantity.SIGMA0}, "quantity"),
        ({"terrain": io.BytesIO(b"no TIFF")}, None),
        ({"terrain": io.BytesIO(dem(np.full((4, 4), np.nan)))}, "dem"),
    ],
)
def test_what_cannot_be_mapped_says_why(options, field):
    with pytest.raises(InputError) as refused:
        geocode(sicd(np.ones((80, 80))), **options)
    assert field is None or refused.value.field == field


def test_the_command_maps_both_kinds_of_image(tmp_path):
    image, terrain = tmp_path / "a.nitf", tmp_path / "dem.tif"
    image.write_bytes(gotcha_sicd())
    terrain.write_bytes(dem(np.zeros((60, 60))))
    run = CliRunner().invoke
    done = run(sar, ["geocode", str(image), "--output", str(tmp_path / "a.tif"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["misfit_px"] < 0.02
    options = ["--dem", str(terrain), "--mask", str(tmp_path / "mask.tif"), "--spacing", "0.5"]
    done = run(sar, ["geocode", str(image), "--output", str(tmp_path / "b.tif"), *options])
    assert done.exit_code == 0, done.output
    with rasterio.open(tmp_path / "mask.tif") as mask, rasterio.open(tmp_path / "b.tif") as band:
        assert mask.shape == band.shape
        assert band.transform.a == pytest.approx(0.5)
    grd = tmp_path / "grd.tif"
    grd.write_bytes((resources.files("kizuna.samples") / "sentinel1" / "cog_gcps.tif").read_bytes())
    done = run(sar, ["geocode", str(grd), "--output", str(tmp_path / "c.tif")])
    assert done.exit_code == 0, done.output
    done = run(sar, ["geocode", str(grd), "--output", str(tmp_path / "d.tif"), "--dem", str(terrain)])
    assert isinstance(done.exception, InputError)
    done = run(sar, ["geocode", str(image), "--output", str(tmp_path / "d.tif"), "--mask", str(tmp_path / "m.tif")])
    assert done.exception.field == "mask"
