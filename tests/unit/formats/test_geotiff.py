"""Positions, COGs and tiles."""

import io
import math
import struct

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from kizuna.errors import InputError
from kizuna.formats.geotiff import (
    read_amplitude,
    read_georeference,
    render_tile,
    write_detected_cog,
    write_web_cog,
)
from kizuna.formats.quicklook import quicklook_png

KOCHI = (76.45, 10.05)


def tile_at(longitude_deg, latitude_deg, zoom):
    """Slippy map numbering (OpenStreetMap wiki), apart from the code under test."""
    count = 2**zoom
    x = int((longitude_deg + 180.0) / 360.0 * count)
    y = int((1.0 - math.asinh(math.tan(math.radians(latitude_deg))) / math.pi) / 2.0 * count)
    return zoom, x, y


def picture(tile):
    return np.asarray(Image.open(io.BytesIO(tile)).convert("RGBA"))


def first_directory(tiff):
    """Offset of the first image directory of a TIFF (classic or big)."""
    order = "<" if tiff[:2] == b"II" else ">"
    return struct.unpack(order + "I", tiff[4:8])[0] if tiff[2:3] == b"*" else struct.unpack(order + "Q", tiff[8:16])[0]


@pytest.fixture(scope="module")
def sentinel_web(sentinel):
    return write_web_cog(read_amplitude(io.BytesIO(sentinel)))


def test_reads_the_position_of_210_ground_control_points(sentinel):
    reference = read_georeference(io.BytesIO(sentinel))
    assert reference.shape == (837, 1280)
    assert not reference.is_complex
    corners = [(78.2039, 10.7375), (75.9061, 11.1904), (75.6051, 9.6826), (77.8913, 9.2257)]  # the file's own corner points
    for corner in corners:
        assert min(math.dist(corner, point) for point in reference.footprint_lonlat_deg) < 0.01
    assert 190.0 < reference.pixel_m < 220.0


def test_reads_the_position_of_a_transform(ramp):
    reference = read_georeference(io.BytesIO(ramp))
    assert reference.pixel_m == pytest.approx(10.0, rel=0.01)
    longitudes, latitudes = zip(*reference.footprint_lonlat_deg, strict=True)
    with rasterio.MemoryFile(ramp) as memory, memory.open() as dataset:
        west, south, east, north = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    assert (min(longitudes), min(latitudes), max(longitudes), max(latitudes)) == pytest.approx((west, south, east, north))


def test_refuses_a_tiff_without_position_and_files_that_are_none(tiff, ramp, sentinel):
    with pytest.raises(InputError, match="without position"):
        read_georeference(io.BytesIO(tiff(np.ones((4, 4), np.uint8))))
    with pytest.raises(InputError, match="not a readable TIFF"):
        read_georeference(io.BytesIO(b"Dear Sir, please find enclosed"))
    with pytest.raises(InputError, match="damaged"):
        read_amplitude(io.BytesIO(sentinel[: len(sentinel) // 2]))
    with pytest.raises(InputError, match="no pixel of the image holds data"):
        write_web_cog(read_amplitude(io.BytesIO(tiff(np.zeros((4, 4), np.uint8), crs="EPSG:4326", transform=Affine.scale(0.01)))))


def test_web_cog_is_a_cog_on_the_tile_grid(sentinel_web):
    with rasterio.MemoryFile(sentinel_web) as memory, memory.open() as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.crs.to_epsg() == 3857
        assert dataset.block_shapes == [(256, 256)]
        assert dataset.dtypes == ("uint8",)
        assert dataset.nodata == 0
        assert dataset.overviews(1) == [2, 4, 8]
        assert float(dataset.tags()["KIZUNA_STRETCH_LOW_DB"]) < float(dataset.tags()["KIZUNA_STRETCH_HIGH_DB"])
        # Corners lie on corners of tiles of the file's own zoom level.
        circumference = 2.0 * math.pi * 6378137.0
        zoom = round(math.log2(circumference / 256 / dataset.transform.a))
        tiles = np.array([dataset.transform.c + circumference / 2, circumference / 2 - dataset.transform.f])
        tiles /= circumference / 2**zoom
        assert tiles == pytest.approx(np.rint(tiles), abs=1e-6)
        assert zoom == 10
    # Header first, as rio-cogeo asks: the directory stands right behind GDAL's structural metadata.
    assert b"LAYOUT=IFDS_BEFORE_DATA" in sentinel_web[:512]
    assert first_directory(sentinel_web) < 1024


def test_detected_cog_keeps_amplitude_in_utm(ramp):
    cog = write_detected_cog(read_amplitude(io.BytesIO(ramp)))
    with rasterio.MemoryFile(cog) as memory, memory.open() as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.crs.to_epsg() == 32643
        assert dataset.transform.a == pytest.approx(10.0, rel=0.01)
        band = dataset.read(1, masked=True)
        assert dataset.dtypes == ("float32",)
    assert band.min() == pytest.approx(1.0, rel=0.2)
    assert band.max() == pytest.approx(1000.0, rel=0.2)
    assert np.isnan(band.data[band.shape[0] // 2, band.shape[1] // 2])


def test_the_coast_lies_where_it_is(sentinel_web):
    """Sea west of Kochi is dark, land east of it is bright: the warp neither mirrors nor shifts."""
    sea = picture(render_tile(io.BytesIO(sentinel_web), *tile_at(75.95, 9.95, 12)))
    land = picture(render_tile(io.BytesIO(sentinel_web), *tile_at(*KOCHI, 12)))
    assert sea[..., 0].mean() < 40
    assert land[..., 0].mean() > 120
    assert (land[..., 3] == 255).all()


def test_tiles_meet_without_a_seam(sentinel_web):
    """Four tiles below one another's parent show what the parent shows."""
    zoom, x, y = tile_at(*KOCHI, 9)
    parent = picture(render_tile(io.BytesIO(sentinel_web), zoom, x, y))[..., 0].astype(float)
    quarters = [
        [picture(render_tile(io.BytesIO(sentinel_web), zoom + 1, 2 * x + i, 2 * y + j))[..., 0] for i in (0, 1)] for j in (0, 1)
    ]
    whole = np.block(quarters).astype(float).reshape(256, 2, 256, 2).mean(axis=(1, 3))
    assert np.corrcoef(parent.ravel(), whole.ravel())[0, 1] > 0.98
    shifted = np.corrcoef(parent[:, 1:].ravel(), whole[:, :-1].ravel())[0, 1]
    assert shifted < np.corrcoef(parent.ravel(), whole.ravel())[0, 1]


def test_no_data_is_transparent_and_nothing_is_none(sentinel_web):
    assert render_tile(io.BytesIO(sentinel_web), *tile_at(0.0, 0.0, 8)) is None
    corner = picture(render_tile(io.BytesIO(sentinel_web), *tile_at(75.62, 9.69, 9)))
    assert {0, 255} <= set(np.unique(corner[..., 3]))


@pytest.mark.parametrize("zoom", [3, 6, 10, 14, 20, 24])
def test_every_zoom_has_a_picture(sentinel_web, zoom):
    tile = render_tile(io.BytesIO(sentinel_web), *tile_at(*KOCHI, zoom))
    assert picture(tile).shape == (256, 256, 4)


def test_tiles_may_be_larger(sentinel_web):
    assert picture(render_tile(io.BytesIO(sentinel_web), *tile_at(*KOCHI, 9), size=512)).shape == (512, 512, 4)


@pytest.mark.parametrize(
    ("z", "x", "y", "size"), [(-1, 0, 0, 256), (3, 8, 0, 256), (3, 0, -1, 256), (25, 0, 0, 256), (3, 0, 0, 0)]
)
def test_refuses_tiles_that_are_none(sentinel_web, z, x, y, size):
    with pytest.raises(InputError, match="there is no tile"):
        render_tile(io.BytesIO(sentinel_web), z, x, y, size)


def test_refuses_to_cut_tiles_from_an_original(sentinel):
    with pytest.raises(InputError, match="not a web-optimised COG"):
        render_tile(io.BytesIO(sentinel), 9, 364, 241)


def test_quicklook_is_a_small_picture_with_its_hole(ramp, sentinel_web):
    ramp_picture = Image.open(io.BytesIO(quicklook_png(io.BytesIO(write_web_cog(read_amplitude(io.BytesIO(ramp)))))))
    levels, alpha = (np.asarray(band) for band in ramp_picture.split())
    assert alpha[alpha.shape[0] // 2, alpha.shape[1] // 2] == 0
    assert levels[5, -5] > levels[5, 5]
    large = Image.open(io.BytesIO(quicklook_png(io.BytesIO(sentinel_web))))
    assert max(large.size) <= 1024
    assert max(large.size) > 700
