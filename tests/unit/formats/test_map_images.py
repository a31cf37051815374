"""Map images and the pictures cut from them, against GDAL's own warp of the same source and its own reading of the same file."""

from __future__ import annotations

import io
import itertools
import math
import random
import struct

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.enums import Resampling
from rasterio.warp import reproject
from rasterio.windows import Window
from simulators.images import gotcha_sicd, scene_tiff

from kizuna.catalog.tile_grid import tile_box
from kizuna.errors import InputError
from kizuna.formats.geotiff import WEB_MERCATOR, Placed, write_cog
from kizuna.formats.map_cog import write_phase_map
from kizuna.formats.map_pictures import level_table, levels_of_map, pair_picture, picture
from kizuna.formats.map_styles import Format, Style
from kizuna.formats.tiled_image import Content, Scaling, TiledImage
from kizuna.kinds import imagery
from kizuna.kinds.imagery import Layer

TILE = (14, 11668, 7738)
"""The tile of the middle of the scene."""
SIZE = (256, 256)


def bounds(z, x, y):
    box = tile_box(z, x, y)
    return box.west_m, box.south_m, box.east_m, box.north_m


@pytest.fixture(scope="module")
def source():
    return scene_tiff()


@pytest.fixture(scope="module")
def file(source):
    return imagery.map_image(io.BytesIO(source), Layer.AMPLITUDE)


@pytest.fixture(scope="module")
def image(file):
    return TiledImage(io.BytesIO(file))


def warped(source, where, resampling):
    """Amplitude of the source on the grid of a picture, by GDAL alone."""
    west, south, east, north = where
    target = np.full(SIZE[::-1], np.nan, np.float32)
    with rasterio.MemoryFile(source) as memory, memory.open() as dataset:
        band = dataset.read(1).astype(np.float32)
        band[band == 0] = np.nan
        reproject(
            band,
            target,
            src_crs=dataset.crs,
            src_transform=dataset.transform,
            src_nodata=math.nan,
            dst_crs="EPSG:3857",
            dst_transform=Affine((east - west) / SIZE[0], 0, west, 0, -(north - south) / SIZE[1], north),
            dst_nodata=math.nan,
            resampling=resampling,
        )
    return target


@pytest.mark.parametrize(
    ("zoom", "resampling", "most_db", "least_correlation"),
    # At the image's own zoom the same warp; deeper, one more interpolation; coarser, means of means in another order.
    [(14, "bilinear", 0.05, 0.9997), (15, "bilinear", 0.4, 0.99), (13, "average", 0.5, 0.99), (12, "average", 0.4, 0.99)],
)
def test_a_tile_is_gdals_own_warp_of_the_source(source, image, zoom, resampling, most_db, least_correlation):
    z, x, y = TILE
    tile = (zoom, int(x * 2.0 ** (zoom - z)), int(y * 2.0 ** (zoom - z)))
    levels = levels_of_map(image, bounds(*tile), SIZE, Style.DB, (20.0, 80.0))
    with np.errstate(divide="ignore"):
        wanted = 20.0 * np.log10(warped(source, bounds(*tile), Resampling[resampling]))
    known = (levels > 0) & np.isfinite(wanted)
    # Where there is data, but for the pixels at its edges.
    assert ((levels > 0) != np.isfinite(wanted)).mean() < 0.03
    found = 20.0 + (levels[known].astype(float) - 1.0) / 254.0 * 60.0
    half_a_level_db = 60.0 / 254.0 / 2.0
    error = np.abs(found - wanted[known])
    assert np.sqrt(np.mean(error**2)) < most_db + half_a_level_db
    assert np.corrcoef(found, wanted[known])[0, 1] > least_correlation


def test_the_stretch_is_that_of_the_image_by_its_percentiles(source, image):
    with rasterio.MemoryFile(source) as memory, memory.open() as dataset:
        band = dataset.read(1)
    decibels = 20.0 * np.log10(band[band > 0])
    low, high = np.percentile(decibels, [8.0, 99.7])
    assert image.scaling.low_db == pytest.approx(low, abs=0.5)
    assert image.scaling.high_db == pytest.approx(high, abs=0.5)
    assert image.scaling.content is Content.AMPLITUDE
    assert image.scaling.scale == pytest.approx(512.0 / np.median(band[band > 0]), rel=0.02)


def test_blocks_are_what_gdal_reads(file, image):
    with rasterio.MemoryFile(file) as memory:
        with memory.open() as dataset:
            assert (dataset.crs.to_epsg(), dataset.dtypes, dataset.nodata) == (3857, ("uint16",), 0.0)
            assert dataset.bounds == pytest.approx(
                (image.bounds_m[0], image.bounds_m[1], image.bounds_m[2], image.bounds_m[3]), abs=1e-6
            )
            factors = dataset.overviews(1)
        assert factors
        for level in range(len(factors) + 1):
            with memory.open(**({} if not level else {"overview_level": level - 1})) as dataset:
                resolution = dataset.transform.a
                for row, col in itertools.product(range(0, dataset.height, 256), range(0, dataset.width, 256)):
                    west, north = dataset.transform @ (col, row)
                    part = image.part((west, north - 256 * resolution, west + 256 * resolution, north), SIZE)
                    wanted = dataset.read(1, window=Window(col, row, 256, 256), boundless=True, fill_value=0)
                    if part is None:
                        assert not wanted.any()
                    else:
                        assert part.is_exact
                        height, width = part.codes.shape
                        assert (part.codes == wanted[:height, :width]).all()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(
    "options",
    [{"COMPRESS": "NONE"}, {"PREDICTOR": "YES"}, {"PREDICTOR": "NO"}, {"BIGTIFF": "YES"}, {"SPARSE_OK": "YES"}],
    ids=str,
)
def test_each_layout_that_is_written_is_read(bits, options):
    band = np.random.default_rng(2).integers(1, 2**bits, (700, 600)).astype(f"uint{bits}")
    band[:300, :300] = 0
    content = Content.AMPLITUDE if bits == 16 else Content.LEVELS
    tags = {"KIZUNA_STRETCH_LOW_DB": "1.0", "KIZUNA_STRETCH_HIGH_DB": "2.0", "KIZUNA_MAP_CONTENT": content.value}
    place = Affine(10.0, 0.0, 1000.0, 0.0, -10.0, 2000.0)
    file = write_cog(band, WEB_MERCATOR, place, nodata=0, tags=tags, options={"BLOCKSIZE": "256", **options})
    image = TiledImage(io.BytesIO(file))
    part = image.part((1000.0, 2000.0 - 7000.0, 7000.0, 2000.0), (600, 700))
    assert part.is_exact
    assert (part.codes == band).all()
    assert image.scaling == Scaling(content, 1.0, 2.0, 1.0)


def test_deeper_than_the_image_neighbours_fit_without_a_seam(image):
    z, x, y = TILE
    west, east = (levels_of_map(image, bounds(z + 2, 4 * x + 1 + i, 4 * y + 1), SIZE, Style.DB) for i in (0, 1))
    left, right = bounds(z + 2, 4 * x + 1, 4 * y + 1), bounds(z + 2, 4 * x + 2, 4 * y + 1)
    both = levels_of_map(image, (left[0], left[1], right[2], left[3]), (512, 256), Style.DB)
    assert (np.hstack([west, east]) == both).all()


@pytest.mark.parametrize("zoom", [13, 15, 16])
def test_where_data_ends_nothing_gets_darker(zoom):
    """A bright field with a hole, drawn coarser and finer than it is."""
    z, x, y = TILE
    west, _, east, north = bounds(z, x, y)
    cell = (east - west) / 256
    band = np.full((256, 256), 255, np.uint8)
    band[100:131, 50:91] = 0
    tags = {"KIZUNA_STRETCH_LOW_DB": "1.0", "KIZUNA_STRETCH_HIGH_DB": "2.0"}
    file = write_cog(
        band, WEB_MERCATOR, Affine(cell, 0, west, 0, -cell, north), nodata=0, tags=tags, options={"BLOCKSIZE": "256"}
    )
    size = (int(256 * 2.0 ** (zoom - z)), int(256 * 2.0 ** (zoom - z)))
    levels = levels_of_map(TiledImage(io.BytesIO(file)), bounds(z, x, y), size, Style.DB)
    assert set(np.unique(levels)) == {0, 255}
    assert (levels == 0).mean() == pytest.approx((band == 0).mean(), abs=0.01)


def test_what_is_far_off_has_no_levels(image):
    assert levels_of_map(image, bounds(14, 0, 0), SIZE, Style.DB) is None
    # Less than a pixel of the world, too.
    assert levels_of_map(image, bounds(0, 0, 0), SIZE, Style.DB) is None


@pytest.mark.parametrize("style", [style for style in Style if style is not Style.PHASE])
@pytest.mark.parametrize("content", [Content.LEVELS, Content.AMPLITUDE])
def test_tables_rise_from_black_to_white_and_leave_no_data_out(style, content):
    table = level_table(Scaling(content, 20.0, 60.0, 4.0), style, None)
    assert (len(table), table[0]) == ({Content.LEVELS: 256, Content.AMPLITUDE: 65536}[content], 0)
    assert (np.diff(table[1:].astype(int)) >= 0).all()
    assert (table[1], table[-1]) == (1, 255)


def test_the_table_of_decibels_is_linear_in_decibels_and_that_of_amplitude_in_amplitude():
    scaling = Scaling(Content.AMPLITUDE, 20.0, 60.0, 4.0)
    # Amplitudes of 10 to 1000, four codes for one.
    assert level_table(scaling, Style.DB, None)[[40, 400, 4000]].tolist() == [1, 128, 255]
    assert level_table(scaling, Style.AMPLITUDE, None)[[40, 2020, 4000]].tolist() == [1, 128, 255]
    assert level_table(scaling, Style.DB, (0.0, 40.0))[[4, 40, 400]].tolist() == [1, 128, 255]


def test_phases_are_shown_as_they_are():
    phases = np.random.default_rng(4).uniform(-np.pi, np.pi, (256, 256)).astype(np.float32)
    phases[:10] = np.nan
    z, x, y = TILE
    west, _, east, north = bounds(z, x, y)
    cell = (east - west) / 256
    latitude = tile_box(z, x, y).to_degrees()[1]
    placed = Placed(phases, WEB_MERCATOR, Affine(cell, 0, west, 0, -cell, north), (), cell * math.cos(math.radians(latitude)))
    image = TiledImage(io.BytesIO(write_phase_map(placed)))
    assert image.scaling.content is Content.PHASE
    levels = levels_of_map(image, bounds(z, x, y), SIZE, Style.PHASE)
    wanted = np.rint(1.0 + 254.0 * (phases + np.pi) / (2.0 * np.pi))
    assert (levels[10:] == wanted[10:]).all()
    assert not levels[:10].any()
    # An overview shows some of the phases, none between them.
    coarse = levels_of_map(image, bounds(z - 1, x // 2, y // 2), SIZE, Style.PHASE)
    assert set(np.unique(coarse)) <= {0, *np.unique(wanted[10:]).astype(int).tolist()}


def test_the_amplitude_of_a_sicd_is_drawn_from_its_detected_image_and_its_phase_from_itself():
    sicd = gotcha_sicd()
    detected = imagery.summarise(io.BytesIO(sicd), "a.nitf").detected_cog
    amplitude, phase = (
        TiledImage(io.BytesIO(imagery.map_image(io.BytesIO(data), layer)))
        for data, layer in ((detected, Layer.AMPLITUDE), (sicd, Layer.PHASE))
    )
    assert (amplitude.scaling.content, phase.scaling.content) == (Content.AMPLITUDE, Content.PHASE)
    # The same ground.
    assert max(amplitude.bounds_m[0], phase.bounds_m[0]) < min(amplitude.bounds_m[2], phase.bounds_m[2])


@pytest.mark.parametrize("form", Format)
def test_pictures_are_transparent_where_there_is_no_data(form):
    levels = np.full(SIZE, 200, np.uint8)
    levels[:100] = 0
    for style in Style:
        shown = np.asarray(Image.open(io.BytesIO(picture(levels, SIZE, style, form))).convert("RGBA"))
        assert (shown[:100, :, 3] == 0).all()
        assert (shown[100:, :, 3] == 255).all()
    pair = np.asarray(Image.open(io.BytesIO(pair_picture(levels, None, SIZE, form))).convert("RGBA"))
    assert (pair[:100, :, 3] == 0).all()
    assert np.abs(pair[120:, :, :3].astype(int) - [200, 0, 0]).max() < 12


def test_damaged_files_are_refused_and_nothing_else_comes_of_them(file):
    """Headers of which bytes are other ones, and files that are cut off: an InputError, or a picture."""
    chance = random.Random(8)
    refused = 0
    for number in range(400):
        data = bytearray(file)
        if number % 4 == 0:
            data = data[: chance.randrange(len(data))]
        else:
            for _ in range(chance.randint(1, 4)):
                data[chance.randrange(2_000)] = chance.randrange(256)
        try:
            levels_of_map(TiledImage(io.BytesIO(bytes(data))), bounds(*TILE), SIZE, Style.DB)
        except InputError:
            refused += 1
    assert 100 < refused < 400


def test_a_file_without_overviews_is_not_read_whole():
    """One that is empty but for its size, as a partner could send it."""
    with rasterio.MemoryFile() as memory:
        form = {
            "crs": "EPSG:3857",
            "transform": Affine(10.0, 0, 0, 0, -10.0, 0),
            "tiled": True,
            "blockxsize": 256,
            "blockysize": 256,
        }
        with memory.open(driver="GTiff", count=1, dtype="uint8", width=40_000, height=40_000, SPARSE_OK="YES", **form) as dataset:
            dataset.write(np.ones((1, 256, 256), np.uint8), window=Window(0, 0, 256, 256))
            dataset.update_tags(KIZUNA_STRETCH_LOW_DB="1.0", KIZUNA_STRETCH_HIGH_DB="2.0")
        image = TiledImage(io.BytesIO(memory.read()))
    with pytest.raises(InputError, match="overviews"):
        levels_of_map(image, bounds(4, 8, 8), SIZE, Style.DB)


def test_the_file_is_closed_with_the_image(file):
    source = io.BytesIO(file)
    image = TiledImage(source)
    assert not source.closed
    del image
    assert source.closed


def test_a_directory_that_leads_to_itself_ends():
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", 0) + struct.pack("<I", 8)
    with pytest.raises(InputError):
        TiledImage(io.BytesIO(head + bytes(64)))


@pytest.mark.parametrize("which", ["utm", "float", "none"])
def test_other_files_are_refused(which, source):
    data = {"utm": source, "float": imagery.summarise(io.BytesIO(gotcha_sicd()), "a").detected_cog, "none": b"no TIFF at all, no"}
    with pytest.raises(InputError) as told:
        TiledImage(io.BytesIO(data[which]))
    assert told.value.field == "file"
