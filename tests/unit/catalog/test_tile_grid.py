"""The grid of web map tiles, against the numbers of OGC 17-083r4 and against PROJ."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.warp import transform

from kizuna.catalog.tile_grid import DEEPEST_ZOOM, box_of_degrees, matrix, tile_box
from kizuna.errors import InputError


@pytest.mark.parametrize(
    ("zoom", "scale_denominator", "cell_m"),
    # Annex D.1, table D.1.
    [
        (0, 559082264.0287178, 156543.033928041),
        (1, 279541132.0143589, 78271.5169640205),
        (18, 2132.729583849784, 0.5971642834779395),
    ],
)
def test_matrices_are_those_of_the_standard(zoom, scale_denominator, cell_m):
    assert matrix(zoom).scale_denominator == pytest.approx(scale_denominator, rel=1e-12)
    assert matrix(zoom).cell_m == pytest.approx(cell_m, rel=1e-12)


def test_tiles_tile_the_world():
    whole = tile_box(0, 0, 0)
    assert (whole.west_m, whole.north_m) == (-20037508.342789244, 20037508.342789244)
    for z in (1, 5, DEEPEST_ZOOM):
        last = 2**z - 1
        assert tile_box(z, 0, 0).west_m == whole.west_m
        assert tile_box(z, last, last).east_m == pytest.approx(whole.east_m, abs=1e-6)
        assert tile_box(z, last, last).south_m == pytest.approx(whole.south_m, abs=1e-6)
        assert tile_box(z, 1, 0).west_m == pytest.approx(tile_box(z, 0, 0).east_m, abs=1e-6)


@pytest.mark.parametrize("tile", [(0, 0, 1), (0, 1, 0), (-1, 0, 0), (25, 0, 0), (3, 8, 0), (3, -1, 0)])
def test_others_do_not_exist(tile):
    with pytest.raises(InputError) as told:
        tile_box(*tile)
    assert told.value.field == "tile"


def test_degrees_are_projs():
    random = np.random.default_rng(1)
    for _ in range(50):
        west, east = sorted(random.uniform(-180, 180, 2).tolist())
        south, north = sorted(random.uniform(-85, 85, 2).tolist())
        xs, ys = transform("EPSG:4326", "EPSG:3857", [west, east], [south, north])[:2]
        box = box_of_degrees(west, south, east, north)
        assert (box.west_m, box.east_m, box.south_m, box.north_m) == pytest.approx((*xs, *ys), abs=1e-3)
        assert box.to_degrees() == pytest.approx((west, south, east, north), abs=1e-9)


def test_the_poles_are_cut_off():
    box, whole = box_of_degrees(-180, -90, 180, 90), tile_box(0, 0, 0)
    assert (box.south_m, box.north_m) == pytest.approx((whole.south_m, whole.north_m), abs=1e-6)
