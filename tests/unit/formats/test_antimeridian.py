"""Images across the antimeridian: outlined on both its sides, detected as one, on the map up to its edge."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rasterio.warp
import shapely
from affine import Affine
from rasterio.control import GroundControlPoint
from simulators.partner_files import band, tiff
from simulators.products import a_product

from kizuna.errors import InputError
from kizuna.formats.geotiff import EQUATOR_M, read_amplitude, read_georeference, write_detected_cog, write_web_cog
from kizuna.formats.stac import stac_item
from kizuna.kinds import imagery
from kizuna.model.product import Footprint

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

STEP = 0.0005
ROWS, COLS = 160, 240


def control_points(west):
    return [
        GroundControlPoint(row=row, col=col, x=(west + col * STEP + 180) % 360 - 180, y=10 - row * STEP)
        for row in (0, ROWS // 2, ROWS)
        for col in (0, COLS // 3, 2 * COLS // 3, COLS)
    ]


def degrees(west):
    return {"crs": "EPSG:4326", "transform": Affine(STEP, 0, west, 0, -STEP, 10.0)}


PLACED = {
    "beyond 180, more of it east": (degrees(179.95), 179.95),
    "beyond -180, more of it west": (degrees(-180.09), 179.91),
    "by control points": ({"crs": "EPSG:4326", "gcps": control_points(179.95)}, 179.95),
    "in UTM": ({"crs": "EPSG:32601", "transform": Affine(55, 0, 165_650, 0, -55, 1_106_900.0)}, None),
}


@pytest.fixture(params=PLACED)
def image(request):
    profile, west = PLACED[request.param]
    return tiff(band(ROWS, COLS), **profile), west


def ground(data):
    """Rasterio's own longitudes and latitudes of an image's pixel corners, those behind the antimeridian beyond 180."""
    with rasterio.MemoryFile(data) as memory, memory.open() as dataset:
        if dataset.gcps[0]:
            return [(p.x % 360, p.y) for p in dataset.gcps[0]]
        xs, ys = zip(*(dataset.transform @ (x, y) for x in (0, COLS) for y in (0, ROWS)), strict=True)
        lons, lats = rasterio.warp.transform(dataset.crs, "EPSG:4326", xs, ys)
        return [(lon % 360, lat) for lon, lat in zip(lons, lats, strict=True)]


def test_the_outline_lies_on_both_sides_within_180_degrees(image):
    data, _ = image
    ring = read_georeference(io.BytesIO(data)).footprint_lonlat_deg
    assert all(-180 <= lon <= 180 for lon, _ in ring)
    unwrapped = shapely.Polygon([(lon % 360, lat) for lon, lat in ring])
    assert unwrapped.exterior.is_ccw
    # Its sides bulge by no more than this; the corners are rasterio's.
    assert unwrapped.symmetric_difference(shapely.MultiPoint(ground(data)).convex_hull).area < 1e-3 * unwrapped.area


def test_an_item_has_two_polygons_that_meet_at_the_antimeridian(image):
    data, _ = image
    found = imagery.extract(io.BytesIO(data), "a.tif")
    ring = found.footprint.ring
    item = stac_item(replace(a_product(), footprint=Footprint(ring)), lambda asset: "x", [])
    assert item["geometry"]["type"] == "MultiPolygon"
    west, east = sorted(
        (shapely.geometry.shape({"type": "Polygon", "coordinates": c}) for c in item["geometry"]["coordinates"]),
        key=lambda part: part.bounds[0],
        reverse=True,
    )
    assert (west.bounds[2], east.bounds[0]) == (180.0, -180.0)
    assert item["bbox"][0] > item["bbox"][2]
    assert west.area + east.area == pytest.approx(shapely.Polygon([(lon % 360, lat) for lon, lat in ring]).area, rel=1e-9)


def test_the_detected_image_is_whole_and_where_it_was(image):
    data, west = image
    placed = read_amplitude(io.BytesIO(data))
    with rasterio.MemoryFile(write_detected_cog(placed)) as memory, memory.open() as dataset:
        pixels = dataset.read(1)
        # In the zone on one of the two sides.
        assert dataset.crs.to_epsg() in {32601, 32660}
        assert dataset.shape == pytest.approx((ROWS, COLS), rel=0.1)
        assert np.isfinite(pixels).mean() > 0.9
        bright = np.nan_to_num(pixels) > 1000.0
        rows, cols = np.nonzero(bright)
        x, y = dataset.transform @ (cols.mean() + 0.5, rows.mean() + 0.5)
        (lon,), (lat,) = rasterio.warp.transform(dataset.crs, "EPSG:4326", [x], [y])
    if west is not None:
        # The bright square's middle: three sixteenths from the upper left corner. Within a pixel.
        assert lon % 360 == pytest.approx(west + 3 * COLS / 16 * STEP, abs=STEP)
        assert lat == pytest.approx(10 - 3 * ROWS / 16 * STEP, abs=STEP)


def test_the_map_shows_the_larger_side_up_to_its_edge_and_asks_for_no_room_around_the_globe(image):
    data, west = image
    placed = read_amplitude(io.BytesIO(data))
    with rasterio.MemoryFile(write_web_cog(placed)) as memory, memory.open() as dataset:
        known = dataset.read(1) > 0
        cols = np.flatnonzero(known.any(axis=0))
        left, right = (dataset.transform.c + dataset.transform.a * edge for edge in (cols[0], cols[-1] + 1))
        pixel = dataset.transform.a
    half = EQUATOR_M / 2
    assert dataset.width < 2048
    if west is None:
        assert min(abs(left + half), abs(right - half)) <= 2 * pixel
        return
    east_share = west + COLS * STEP - 180.0
    if east_share > COLS * STEP / 2:
        assert left == pytest.approx(-half, abs=2 * pixel)
        assert right == pytest.approx(-half + east_share / 360 * EQUATOR_M, abs=2 * pixel)
    else:
        assert right == pytest.approx(half, abs=2 * pixel)
        assert left == pytest.approx(west / 360 * EQUATOR_M, abs=2 * pixel)


def test_degrees_beyond_180_that_do_not_cross_are_the_same_place():
    ring = read_georeference(io.BytesIO(tiff(band(9, 9), **degrees(190.0)))).footprint_lonlat_deg
    assert min(lon for lon, _ in ring) == pytest.approx(-170.0)


def test_an_image_that_would_be_vast_north_up_is_refused_with_words():
    placed = read_amplitude(io.BytesIO(tiff(band(100, 100), crs="EPSG:4326", transform=Affine(1.2, 0, -60, 0, -1.2, 60.0))))
    with pytest.raises(InputError, match="place cannot be right"):
        write_web_cog(replace(placed, pixel_m=1.0))


def test_a_latitude_that_is_none_is_refused_with_words():
    data = tiff(band(100, 100), crs="EPSG:4326", transform=Affine(1.2, 0, -60, 0, -1.2, 95.0))
    with pytest.raises(InputError, match="longitude and latitude"):
        read_georeference(io.BytesIO(data))
