"""What remains of an image, measured on what is sent: its pixels, its bytes, its outline."""

import io
import math

import numpy as np
import pytest
import rasterio
import rasterio.warp
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.transform import GCPTransformer

from kizuna.errors import InputError
from kizuna.formats.geotiff import read_amplitude, read_georeference, write_detected_cog
from kizuna.formats.geotiff_reduce import cut_ring, reduce_image
from kizuna.formats.quicklook import quicklook_png

UTM = "EPSG:32636"
LEFT, TOP = 400_000.0, 5_200_000.0
RNG = np.random.default_rng(7)


def geotiff(band, *, pixel=1.0, crs=UTM, transform=None, gcps=None, tags=None, **profile):
    place = {"gcps": gcps, "crs": crs} if gcps else {"crs": crs, "transform": transform or Affine(pixel, 0, LEFT, 0, -pixel, TOP)}
    with rasterio.MemoryFile() as memory:
        form = {"driver": "GTiff", "count": 1, "dtype": band.dtype.name, "height": band.shape[0], "width": band.shape[1]}
        with memory.open(**form, **place, **profile) as dataset:
            dataset.write(band, 1)
            dataset.update_tags(**(tags or {}))
        return bytes(memory.read())


def reduced(data, **limits):
    return reduce_image(io.BytesIO(data), **limits)


def opened(data):
    with rasterio.MemoryFile(data) as memory, memory.open() as dataset:
        return dataset.read(1), dataset.transform, dataset.crs, dataset.tags()


def lonlat(xs, ys, crs=UTM):
    return np.stack(rasterio.warp.transform(crs, "EPSG:4326", list(xs), list(ys))[:2], axis=1)


def ring(*points, crs=UTM):
    """Closed ring, (longitude, latitude), of places in metres."""
    xs, ys = zip(*points, points[0], strict=True)
    return tuple((float(x), float(y)) for x, y in lonlat(xs, ys, crs))


def speckle(rows, cols, dtype=np.float32):
    return RNG.rayleigh(40.0, (rows, cols)).clip(1, 250).astype(dtype)


# ---- coarser


def point_target(side, row, col, width, amplitude=1000.0):
    """Power of a point target: sinc squared, -3 dB width in pixels."""
    rows, cols = (np.sinc(0.886 * (np.arange(side) - place) / width) for place in (row, col))
    return (amplitude * np.abs(np.outer(rows, cols))).astype(np.float32)


def half_power_width(power):
    """Full width at half the peak, in samples, between which it is drawn straight."""
    peak = int(np.argmax(power))
    half = power[peak] / 2.0
    width = 0.0
    for side in (power[peak:], power[peak::-1]):
        low = int(np.argmax(side < half))
        width += low - 1 + (side[low - 1] - half) / (side[low - 1] - side[low])
    return width


@pytest.mark.parametrize("place", [(200.0, 200.0), (203.4, 197.7), (205.5, 205.5), (201.0, 206.9)])
@pytest.mark.parametrize("finest_m", [1.3, 3.0, 10.0])
def test_a_point_target_is_no_narrower_than_asked(place, finest_m):
    """-3 dB width of a target of 0.35 m, 0.25 m pixels: at least the limit, to 1 % for the straight lines between samples."""
    source = geotiff(point_target(400, *place, 1.4), pixel=0.25)
    made = reduced(source, finest_m=finest_m)
    band, transform, _, _ = opened(made.detected_cog)
    power = np.nan_to_num(band.astype(np.float64)) ** 2
    row, col = np.unravel_index(power.argmax(), power.shape)
    for line, step in ((power[row], transform.a), (power[:, col], -transform.e)):
        assert half_power_width(line) * step >= 0.99 * finest_m
    assert made.resolution_m >= finest_m
    assert made.resolution_m < finest_m + 0.26


def test_two_targets_in_one_cell_are_one():
    one, two = np.ones((60, 60), np.float32), np.ones((60, 60), np.float32)
    one[12:14, 12] = math.sqrt(500.0)
    two[12, 12] = two[16, 17] = math.sqrt(500.0)
    assert reduced(geotiff(one), finest_m=6.0) == reduced(geotiff(two), finest_m=6.0)


def test_what_is_finer_than_a_cell_is_gone():
    """A grating of 2 m in cells of 4 m: 40 dB in the source, flat in the result."""
    grating = np.where(np.arange(400) % 2, 100.0, 1.0).astype(np.float32)
    for band in (np.tile(grating, (400, 1)), np.tile(grating[:, None], (1, 400))):
        cells, transform, _, _ = opened(reduced(geotiff(band), finest_m=3.5).detected_cog)
        assert transform.a == -transform.e == 4.0
        assert np.ptp(cells) < 1e-5 * cells.mean()
        assert cells.mean() == pytest.approx(math.sqrt((100.0**2 + 1.0) / 2.0))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.sampled_from(["uint8", "uint16"]), st.booleans())
def test_only_the_mean_of_a_cell_is_told(seed, cell, dtype, in_area):
    """Pixels of a cell change places, all bytes stay."""
    dice = np.random.default_rng(seed)
    band = dice.integers(1, 256, (37, 40)).astype(dtype)
    other = band.copy()
    for row in range(0, 37, cell):
        for col in range(0, 40, cell):
            block = other[row : row + cell, col : col + cell]
            block[:] = dice.permutation(block.ravel()).reshape(block.shape)
    assert not np.array_equal(band, other)
    limits = {"finest_m": cell - 0.1}
    if in_area:
        limits["polygons"] = ((ring((LEFT + 3, TOP - 35), (LEFT + 39, TOP - 33), (LEFT + 30, TOP), (LEFT + 5, TOP - 4)),),)
    assert reduced(geotiff(band), **limits) == reduced(geotiff(other), **limits)


def test_a_field_keeps_its_brightness():
    band = speckle(300, 300)
    cells, *_ = opened(reduced(geotiff(band), finest_m=10.0).detected_cog)
    assert np.mean(cells.astype(np.float64) ** 2) == pytest.approx(np.mean(band.astype(np.float64) ** 2), rel=0.01)


@pytest.mark.parametrize("latitude_deg", [0.0, 46.0, -71.0])
def test_degrees_are_no_metres(latitude_deg):
    """At 71 degrees a degree of longitude is a third of one of latitude: both sides of a cell are long enough."""
    band = speckle(300, 300)
    transform = Affine(1e-5, 0, 36.0, 0, -1e-5, latitude_deg)
    made = reduced(geotiff(band, crs="EPSG:4326", transform=transform), finest_m=5.0)
    _, cells, _, _ = opened(made.detected_cog)
    # A sphere is good enough to 1 %.
    east = 111_195.0 * math.cos(math.radians(latitude_deg)) * cells.a
    assert east > 4.95
    assert -111_195.0 * cells.e > 4.95
    assert 5.0 <= made.resolution_m < 6.5
    assert max(east, -111_195.0 * cells.e) < 7.0


def test_a_coarse_image_stays_as_it_is_and_a_long_pixel_is_widened_only():
    band = speckle(60, 60)
    transform = Affine(1.0, 0, LEFT, 0, -5.0, TOP)
    cells, grid, _, _ = opened(reduced(geotiff(band, transform=transform), finest_m=4.0).detected_cog)
    assert (grid.a, grid.e) == (4.0, -5.0)
    assert cells.shape == (60, 15)


def test_pixels_without_data_never_make_a_cell_finer():
    band = speckle(40, 40)
    band[:, 16:] = np.nan
    band[0:10, 9:16] = np.nan
    cells, *_ = opened(reduced(geotiff(band, nodata=np.nan), finest_m=9.9).detected_cog)
    # Columns 0-9 are whole (one missing column in the first row), 10-15 are six of ten; of the first row none of those.
    assert cells.shape == (4, 2)
    assert np.isnan(cells[0, 1])
    whole = band[10:20, 10:20].astype(np.float64)
    assert cells[1, 1] == pytest.approx(math.sqrt(np.nansum(whole**2) / 100.0), rel=1e-6)
    few = speckle(40, 40)
    few[:, 14:] = np.nan
    assert opened(reduced(geotiff(few, nodata=np.nan), finest_m=9.9).detected_cog)[0].shape == (4, 1)


def test_the_map_image_is_no_finer_than_half_of_what_was_asked(sentinel):
    for data, finest_m in ((geotiff(speckle(500, 500)), 3.0), (geotiff(speckle(500, 500)), 4.9), (sentinel, 1000.0)):
        made = reduced(data, finest_m=finest_m)
        _, transform, _, _ = opened(made.web_cog)
        ring_ = read_georeference(io.BytesIO(made.web_cog)).footprint_lonlat_deg
        ground = transform.a * math.cos(math.radians(max(abs(y) for _, y in ring_)))
        assert ground > 0.49 * finest_m


def test_an_image_placed_by_points_is_as_coarse_on_the_map(sentinel):
    made = reduced(sentinel, finest_m=1000.0)
    cells, transform, crs, tags = opened(made.detected_cog)
    assert crs.to_epsg() == 32643
    assert 1000.0 <= made.resolution_m <= transform.a * 1.003 < 1300.0
    assert np.isfinite(cells).mean() > 0.5
    assert set(tags) == {"AREA_OR_POINT"}


# ---- cut


AREA = (
    (
        ring(
            (LEFT + 20, TOP - 180), (LEFT + 170, TOP - 150), (LEFT + 190, TOP - 60), (LEFT + 90, TOP - 15), (LEFT + 30, TOP - 90)
        ),
        ring((LEFT + 80, TOP - 120), (LEFT + 85, TOP - 80), (LEFT + 120, TOP - 90)),
    ),
    (ring((LEFT + 4.7, TOP - 50.3), (LEFT + 45.3, TOP - 50.3), (LEFT + 45.3, TOP - 7.7), (LEFT + 4.7, TOP - 7.7)),),
)


def shape_of(polygons):
    return shapely.union_all([shapely.Polygon(rings[0], rings[1:]) for rings in polygons])


def centres(shape, transform, crs=UTM):
    rows, cols = np.indices(shape)
    return lonlat(*rasterio.transform.xy(transform, rows.ravel(), cols.ravel()), crs)


def corners_inside(shape, transform, area, crs=UTM):
    """Whether all corners of each pixel lie in the area."""
    rows, cols = np.indices((shape[0] + 1, shape[1] + 1))
    xs, ys = rasterio.transform.xy(transform, rows.ravel(), cols.ravel(), offset="ul")
    inside = shapely.contains_xy(area, *lonlat(xs, ys, crs).T).reshape(rows.shape)
    return inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:] & inside[1:, 1:]


@pytest.mark.parametrize("finest_m", [0.0, 1.9, 7.0])
def test_no_pixel_outside_the_area_influences_a_byte(finest_m):
    band = speckle(200, 200)
    outside = ~shapely.contains_xy(shape_of(AREA), *centres(band.shape, Affine(1, 0, LEFT, 0, -1, TOP)).T).reshape(band.shape)
    assert 0.2 < outside.mean() < 0.8
    before = reduced(geotiff(band, nodata=np.nan), finest_m=finest_m, polygons=AREA)
    for changed in (np.float32(np.nan), np.float32(1e9), np.float32(0.0), speckle(200, 200)[outside]):
        other = band.copy()
        other[outside] = changed
        after = reduced(geotiff(other, nodata=np.nan), finest_m=finest_m, polygons=AREA)
        assert after == before
        assert quicklook_png(io.BytesIO(after.web_cog)) == quicklook_png(io.BytesIO(before.web_cog))
    inner = band.copy()
    inner[140:150, 100:110] *= 2.0
    assert reduced(geotiff(inner, nodata=np.nan), finest_m=finest_m, polygons=AREA).detected_cog != before.detected_cog


@pytest.mark.parametrize("finest_m", [0.0, 7.0])
def test_what_remains_lies_inside_and_all_of_it_remains(finest_m):
    band = speckle(200, 200)
    area = shape_of(AREA)
    made = reduced(geotiff(band), finest_m=finest_m, polygons=AREA)
    cells, transform, _, _ = opened(made.detected_cog)
    known = np.isfinite(cells)
    assert not (known & ~corners_inside(cells.shape, transform, area)).any()
    # Trimmed: its first and last rows and columns hold data.
    assert known[0].any()
    assert known[-1].any()
    assert known[:, 0].any()
    assert known[:, -1].any()
    # Of the cells that lie a tenth of a cell inside only those may be missing that the outline cuts without reaching a corner.
    step = transform.a
    whole = (int(200 // step),) * 2, Affine(step, 0, LEFT, 0, -step, TOP)
    deep = corners_inside(*whole, area.buffer(-1.4e-6 * step)).sum()
    assert deep - 3 <= known.sum() <= corners_inside(*whole, area).sum()
    levels, place, crs, _ = opened(made.web_cog)
    assert not (levels.astype(bool).ravel() & ~shapely.contains_xy(area, *centres(levels.shape, place, crs).T)).any()


def test_an_area_along_the_pixels_keeps_what_lies_within_its_edges():
    """On the very edge nobody can say: straight in degrees is not straight on a map."""
    square = ring(*((LEFT + x, TOP - y) for x, y in ((10, 10), (10, 60), (50, 60), (50, 10))))
    cells, transform, _, _ = opened(reduced(geotiff(speckle(80, 80)), polygons=((square,),)).detected_cog)
    known = np.isfinite(cells)
    assert not (known & ~corners_inside(cells.shape, transform, shapely.Polygon(square))).any()
    assert known.sum() >= 38 * 48


def test_values_are_those_of_the_source():
    band = speckle(200, 200)
    cells, transform, _, _ = opened(reduced(geotiff(band), polygons=AREA).detected_cog)
    row, col = round(TOP - transform.f), round(transform.c - LEFT)
    same = band[row : row + cells.shape[0], col : col + cells.shape[1]]
    assert np.array_equal(cells[np.isfinite(cells)], same[np.isfinite(cells)])


def test_the_same_cells_whatever_is_cut_out():
    """Two cuts of one image have the same cells: laid over each other they tell no more."""
    band = speckle(200, 200)
    whole, origin, _, _ = opened(reduced(geotiff(band), finest_m=7.0).detected_cog)
    for shift in (0.0, 3.0):
        square = ring(*((LEFT + x + shift, TOP - y) for x, y in ((31, 40), (31, 150), (140, 150), (140, 40))))
        cells, transform, _, _ = opened(reduced(geotiff(band), finest_m=7.0, polygons=((square,),)).detected_cog)
        row, col = round((origin.f - transform.f) / 7.0), round((transform.c - origin.c) / 7.0)
        assert np.array_equal(cells, whole[row : row + cells.shape[0], col : col + cells.shape[1]])


def test_no_pixel_outside_influences_an_image_that_is_placed_by_points(sentinel):
    with rasterio.MemoryFile(sentinel) as memory, memory.open() as dataset:
        band, (points, crs) = dataset.read(1), dataset.gcps
    square = ((76.0, 9.8), (77.0, 9.9), (76.8, 10.6), (76.1, 10.4), (76.0, 9.8))
    # Blocks of eight pixels by their middle, further off than half their diagonal: the two ways of a spline need not agree.
    blocks = -(-band.shape[0] // 8), -(-band.shape[1] // 8)
    with GCPTransformer(points, tps=True) as transformer:
        rows, cols = np.indices(blocks)
        xs, ys = transformer.xy((8.0 * rows + 4.0).ravel().tolist(), (8.0 * cols + 4.0).ravel().tolist(), offset="ul")
    far = ~shapely.contains_xy(shapely.Polygon(square).buffer(0.02), np.asarray(xs), np.asarray(ys)).reshape(blocks)
    outside = np.kron(far, np.ones((8, 8), np.bool_))[: band.shape[0], : band.shape[1]]
    assert outside.mean() > 0.5
    other = band.copy()
    other[outside] = RNG.integers(0, 255, outside.sum())
    made = []
    for pixels in (band, other):
        data = geotiff(pixels, gcps=[GroundControlPoint(p.row, p.col, p.x, p.y) for p in points], crs=crs)
        made.append(reduced(data, polygons=((square,),)))
    assert made[0] == made[1]
    cells, transform, utm, _ = opened(made[0].detected_cog)
    assert not (np.isfinite(cells) & ~corners_inside(cells.shape, transform, shapely.Polygon(square), utm)).any()
    width, height = (side * transform.a / 1000.0 for side in (cells.shape[1], cells.shape[0]))
    assert (width, height) == (pytest.approx(110.0, rel=0.05), pytest.approx(88.0, rel=0.05))


def test_nothing_that_the_source_says_goes_along():
    source = geotiff(
        speckle(100, 100),
        tags={"TIFFTAG_IMAGEDESCRIPTION": "SECRETSHIP", "TIFFTAG_DATETIME": "2025:01:01 00:00:00", "X": "SECRETSHIP"},
    )
    made = reduced(source, finest_m=3.0, tags={"KIZUNA_NOMINAL_POSITION": "nominal"})
    for data in (made.detected_cog, made.web_cog):
        assert b"SECRETSHIP" not in data
        assert b"2025:01" not in data
        _, _, _, tags = opened(data)
        assert {name for name in tags if not name.startswith("KIZUNA_STRETCH")} == {"AREA_OR_POINT", "KIZUNA_NOMINAL_POSITION"}


def test_what_is_made_is_what_the_node_makes_of_any_image():
    """A COG that can be published, detected and mapped again; the same twice."""
    source = geotiff(speckle(700, 700))
    made = reduced(source, finest_m=1.5)
    assert made == reduced(source, finest_m=1.5)
    for data in (made.detected_cog, made.web_cog):
        with rasterio.MemoryFile(data) as memory, memory.open() as dataset:
            assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    assert read_georeference(io.BytesIO(made.detected_cog)).pixel_m == pytest.approx(2.0, rel=0.01)
    assert write_detected_cog(read_amplitude(io.BytesIO(made.detected_cog)))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_zeros_of_whole_numbers_are_no_data_where_nothing_else_is(dtype):
    band = np.zeros((40, 40), dtype)
    band[:20] = 100
    cells, *_ = opened(reduced(geotiff(band), finest_m=10.0).detected_cog)
    assert cells.shape == ((4, 4) if dtype == "float32" else (2, 4))


def test_a_rotated_image_is_cut_as_well():
    band = speckle(200, 200)
    turn = math.radians(30.0)
    transform = Affine(math.cos(turn), -math.sin(turn), LEFT + 100, -math.sin(turn), -math.cos(turn), TOP)
    made = reduced(geotiff(band, transform=transform), finest_m=3.0, polygons=AREA)
    cells, place, _, _ = opened(made.detected_cog)
    assert not (np.isfinite(cells) & ~corners_inside(cells.shape, place, shape_of(AREA))).any()
    assert made.resolution_m == pytest.approx(3.0, rel=0.01)


def test_a_sheared_pixel_is_as_wide_as_it_is_across():
    """Sides of 1.41 m at 45 degrees to rows of 1 m: 1 m apart. Cells are measured at right angles."""
    transform = Affine(1.0, 1.0, LEFT, 0.0, -1.0, TOP)
    made = reduced(geotiff(speckle(120, 120), transform=transform), finest_m=5.9)
    _, cells, _, _ = opened(made.detected_cog)
    assert (cells.a, -cells.e) == (9.0, 6.0)


# ---- refused


def test_what_cannot_be_cut_is_refused():
    data = geotiff(speckle(50, 50))
    far = ((10.0, 10.0), (11.0, 10.0), (11.0, 11.0), (10.0, 10.0))
    sliver = ring((LEFT + 10.2, TOP - 10.2), (LEFT + 10.8, TOP - 10.2), (LEFT + 10.5, TOP - 40.0))
    bow = ring((LEFT, TOP), (LEFT + 40, TOP - 40), (LEFT + 40, TOP), (LEFT, TOP - 40))
    for limits, words in (
        ({"polygons": ((far,),)}, "nothing of the image is left"),
        ({"polygons": ((sliver,),)}, "nothing of the image is left"),
        ({"polygons": ((bow,),)}, "crosses itself"),
        ({"polygons": ()}, "nothing of the image is left"),
        ({"finest_m": 200.0}, "nothing of the image is left"),
        ({"finest_m": 1e6}, "nothing of the image is left"),
    ):
        with pytest.raises(InputError, match=words):
            reduced(data, **limits)
    # Coarse is not nothing: most of one cell is there.
    assert opened(reduced(data, finest_m=60.0).detected_cog)[0].shape == (1, 1)


@pytest.mark.parametrize(("crs", "left", "step"), [("EPSG:4326", 179.9995, 1e-5), ("EPSG:32660", 832_000.0, 40.0)])
def test_an_image_across_the_antimeridian_is_refused(crs, left, step):
    across = geotiff(speckle(100, 100), crs=crs, transform=Affine(step, 0, left, 0, -step, 10.0))
    with pytest.raises(InputError, match="crosses the antimeridian"):
        reduced(across, finest_m=30.0)


@pytest.mark.parametrize("dtype", ["complex64", "float64"])
def test_what_may_hold_phase_is_refused(dtype):
    with pytest.raises(InputError, match="may hold phase"):
        reduced(geotiff(np.ones((20, 20), dtype)), finest_m=3.0)


def test_a_damaged_image_is_refused():
    data = geotiff(speckle(300, 300), compress="deflate")
    for broken in (data[: len(data) // 2], b"", b"II*\x00", data[:400] + bytes(len(data) - 400)):
        with pytest.raises(InputError):
            reduced(broken, finest_m=3.0)
    with pytest.raises(InputError, match="holds data"):
        reduced(geotiff(np.zeros((30, 30), np.float32)), finest_m=3.0)


# ---- the outline


SQUARE = ((30.0, 46.0), (31.0, 46.0), (31.0, 47.0), (30.0, 47.0), (30.0, 46.0))


def box(west, south, east, north):
    return ((west, south), (east, south), (east, north), (west, north), (west, south))


def test_the_outline_is_what_remains():
    assert shapely.Polygon(cut_ring(SQUARE, ((box(30.5, 45.0, 32.0, 46.5),),))).equals(shapely.box(30.5, 46.0, 31.0, 46.5))
    # One ring holds no hole, and of two pieces it is the hull: made of what remains, not of the rest.
    holed = cut_ring(SQUARE, ((box(30.2, 46.2, 30.8, 46.8), box(30.4, 46.4, 30.6, 46.6)[::-1]),))
    assert shapely.Polygon(holed).equals(shapely.box(30.2, 46.2, 30.8, 46.8))
    two = ((box(30.1, 46.1, 30.2, 46.2),), (box(30.7, 46.1, 30.8, 46.2),))
    assert shapely.Polygon(cut_ring(SQUARE, two)).equals(shapely.box(30.1, 46.1, 30.8, 46.2))
    touching = ((box(30.1, 46.1, 30.5, 46.2),), (box(30.5, 46.1, 30.8, 46.2),))
    assert shapely.Polygon(cut_ring(SQUARE, touching)).equals(shapely.box(30.1, 46.1, 30.8, 46.2))
    for outline in (holed, cut_ring(SQUARE[::-1], two)):
        assert outline[0] == outline[-1]
        assert shapely.Polygon(outline).exterior.is_ccw


def test_an_outline_of_many_points_is_drawn_with_fewer_inside_it():
    turns = np.linspace(0.0, 2.0 * np.pi, 20_000, endpoint=False)
    coast = [(30.5 + (0.4 + 0.02 * math.sin(97 * t)) * math.cos(t), 46.5 + 0.4 * math.sin(t)) for t in turns]
    outline = cut_ring(SQUARE, (((*coast, coast[0]),),))
    assert len(outline) <= 501
    assert shapely.Polygon(coast).buffer(1e-9).covers(shapely.Polygon(outline))
    assert shapely.Polygon(outline).area > 0.95 * shapely.Polygon(coast).area


def test_no_outline_is_made_up():
    with pytest.raises(InputError, match="nothing of the image is left"):
        cut_ring(SQUARE, ((box(31.0, 46.0, 32.0, 47.0),),))
    with pytest.raises(InputError, match="antimeridian"):
        cut_ring(box(-179.0, 0.0, 179.0, 1.0), ((box(0.0, 0.0, 1.0, 1.0),),))
