"""The imagery kind, from a file to what may be shown."""

import io
import struct
from importlib import resources

import numpy as np
import pytest
import rasterio
from affine import Affine

from kizuna.errors import InputError
from kizuna.formats import media_types
from kizuna.formats.geotiff import read_amplitude
from kizuna.formats.gotcha import describe, form_gotcha
from kizuna.formats.sicd import write_sicd
from kizuna.kinds import imagery
from kizuna.kinds.registry import kind_named
from kizuna.model.digests import Digest
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.product import Asset, AssetRole
from kizuna.release.decision import ObligationKind
from kizuna.sar.quality import measure_point

SAMPLES = resources.files("kizuna.samples")


@pytest.fixture(scope="module")
def image():
    names = [f"data_3dsar_pass1_az00{degree}_HH.mat" for degree in (1, 2, 3)]
    return form_gotcha([io.BytesIO((SAMPLES / "gotcha" / name).read_bytes()) for name in names])


@pytest.fixture(scope="module")
def sicd(image):
    file = io.BytesIO()
    write_sicd(file, image, describe(produced=parse_instant("2026-01-01")))
    return file.getvalue()


@pytest.fixture(scope="module")
def grd():
    return (SAMPLES / "sentinel1" / "cog_gcps.tif").read_bytes()


def test_is_the_registry_s_imagery():
    assert kind_named("imagery") is imagery


def test_sniffs_by_bytes_not_by_name(sicd, grd):
    assert imagery.sniff(sicd[:64], "a.txt") == media_types.SICD
    assert imagery.sniff(grd[:64], "a.txt") == media_types.GEOTIFF
    assert imagery.sniff(b"Dear Sir, please find", "a.nitf") is None
    assert imagery.sniff(b"", "a.tif") is None


def test_extracts_a_sicd(sicd):
    found = imagery.extract(io.BytesIO(sicd), "a.nitf")
    assert found.footprint.nominal
    assert found.footprint.ring[0] == found.footprint.ring[-1]
    assert found.complex_data
    assert found.sensor == "AFRL airborne X-band"
    assert found.polarisation == "HH"
    assert found.event.begin < found.event.end
    assert found.classification == "UNCLASSIFIED"
    assert any("nominal" in note for note in found.notes)


def test_extracts_a_sentinel_scene(grd):
    found = imagery.extract(io.BytesIO(grd), "a.tif")
    assert found.title == "Sentinel-1A IW GRD HR L1"
    assert found.sensor == "Sentinel-1A"
    assert format_instant(found.produced) == "2018-07-16T06:06:23Z"
    assert found.event is None
    assert not found.footprint.nominal
    assert not found.complex_data


def test_valid_files_are_valid_and_others_say_why(sicd, grd):
    assert imagery.validate(io.BytesIO(sicd)) == imagery.Verdict(valid=True)
    assert imagery.validate(io.BytesIO(grd)) == imagery.Verdict(valid=True)
    for broken in (sicd[:-7], grd[: len(grd) // 3], b"Dear Sir", b""):
        verdict = imagery.validate(io.BytesIO(broken))
        assert not verdict.valid
        assert len(verdict.findings) == 1


def test_the_detected_cog_has_the_trihedral_where_the_complex_image_has_it(image, sicd):
    """Through SICD metadata, projection, spline, warp and UTM: within a pixel."""
    summary = imagery.summarise(io.BytesIO(sicd), "a.nitf")
    found = measure_point(image.pixels, image.grid, [-15.6, 21.6, 0.0])
    latitude, longitude, _ = image.scene.to_geodetic(found.position_m)
    with rasterio.MemoryFile(summary.detected_cog) as memory, memory.open() as dataset:
        band = dataset.read(1)
        (x,), (y,) = rasterio.warp.transform("EPSG:4326", dataset.crs, [np.degrees(longitude)], [np.degrees(latitude)])
        row, col = dataset.index(x, y)
        around = band[row - 5 : row + 6, col - 5 : col + 6]
        assert np.abs(np.array(np.unravel_index(around.argmax(), around.shape)) - 5).max() <= 1
        # The peak may fall between pixels of 0.2 m: up to 2 dB are lost, none are gained.
        assert 0.79 < around.max() / found.amplitude < 1.01
        assert "complex" not in dataset.dtypes[0]
    again = imagery.extract(io.BytesIO(summary.detected_cog), "d.tif")
    assert again.footprint.nominal
    assert not again.complex_data


def test_a_detected_original_needs_no_detected_copy(grd):
    summary = imagery.summarise(io.BytesIO(grd), "a.tif")
    assert summary.detected_cog is None
    assert summary.quicklook_png.startswith(b"\x89PNG")


def asset(role, media_type):
    return Asset(role, f"{role.value}.bin", media_type, Digest("sha256:" + "0" * 64), 1)


ORIGINAL = asset(AssetRole.ORIGINAL, media_types.SICD)
GRD = asset(AssetRole.ORIGINAL, media_types.GEOTIFF)
DETECTED = asset(AssetRole.DETECTED, media_types.COG)
VISUAL = asset(AssetRole.VISUAL, media_types.COG)
QUICKLOOK = asset(AssetRole.QUICKLOOK, media_types.PNG)


def test_detected_only_drops_a_complex_original_and_keeps_the_rest():
    kept = imagery.redact((ORIGINAL, DETECTED, VISUAL, QUICKLOOK), {ObligationKind.DETECTED_ONLY})
    assert kept == (DETECTED, VISUAL, QUICKLOOK)


def test_detected_only_drops_a_sicd_even_without_a_detected_copy_and_a_complex_tiff():
    assert imagery.redact((ORIGINAL, QUICKLOOK), {"detected-only"}) == (QUICKLOOK,)
    assert imagery.redact((GRD, DETECTED), {"detected-only"}) == (DETECTED,)


def test_detected_only_keeps_a_detected_original():
    assert imagery.redact((GRD, VISUAL), {ObligationKind.DETECTED_ONLY}) == (GRD, VISUAL)


# ---- made coarser, or cut


def test_what_is_reduced_is_the_complex_image_and_then_the_detected_one():
    assert imagery.reducible((ORIGINAL, DETECTED, VISUAL)) == (ORIGINAL, DETECTED)
    assert imagery.reducible((GRD, VISUAL)) == (GRD,)
    assert imagery.reducible((VISUAL, QUICKLOOK)) == ()


def test_a_map_is_made_of_the_detected_image():
    assert imagery.map_source((ORIGINAL, DETECTED, VISUAL), imagery.Layer.AMPLITUDE) == DETECTED
    assert imagery.map_source((ORIGINAL, VISUAL), imagery.Layer.AMPLITUDE) is None
    assert imagery.map_source((ORIGINAL, DETECTED), imagery.Layer.PHASE) == ORIGINAL


def test_a_complex_image_goes_coarser_as_the_power_of_what_was_detected(sicd):
    summary = imagery.summarise(io.BytesIO(sicd), "a.nitf")
    footprint = imagery.extract(io.BytesIO(sicd), "a.nitf").footprint
    made = imagery.reduce(io.BytesIO(summary.detected_cog), "a.detected.tif", footprint, imagery.Limits(finest_m=5.0))
    assert [(role, name, type_) for role, name, type_, _ in made.files] == [
        (AssetRole.DETECTED, "a.reduced.tif", media_types.COG),
        (AssetRole.VISUAL, "a.reduced.map.tif", media_types.COG),
        (AssetRole.QUICKLOOK, "a.reduced.quicklook.png", media_types.PNG),
    ]
    assert made.footprint == footprint
    assert 5.0 <= made.resolution_m < 5.3
    again = imagery.extract(io.BytesIO(made.files[0][3]), "a.reduced.tif")
    # It says still that its position was assigned, and nothing else of what the source says.
    assert again.footprint.nominal
    assert again.title == "a.reduced.tif"
    assert again.resolution_m >= 5.0
    repeated = imagery.reduce(io.BytesIO(summary.detected_cog), "a.detected.tif", footprint, imagery.Limits(finest_m=5.0))
    assert repeated == made


def test_an_assigned_position_is_cut_by_nobody(sicd):
    summary = imagery.summarise(io.BytesIO(sicd), "a.nitf")
    footprint = imagery.extract(io.BytesIO(sicd), "a.nitf").footprint
    limits = imagery.Limits(polygons=((footprint.ring,),))
    for outline in (footprint, None):
        with pytest.raises(InputError, match="was not measured"):
            imagery.reduce(io.BytesIO(summary.detected_cog), "a.tif", outline, limits)


def test_a_complex_image_goes_with_a_narrower_band_of_its_spectrum(sicd):
    made = imagery.reduce(io.BytesIO(sicd), "a.nitf", None, imagery.Limits(finest_m=2.0))
    assert [(role, name, type_) for role, name, type_, _ in made.files] == [
        (AssetRole.ORIGINAL, "a.reduced.nitf", media_types.SICD),
        (AssetRole.DETECTED, "a.reduced.tif", media_types.COG),
        (AssetRole.VISUAL, "a.reduced.map.tif", media_types.COG),
        (AssetRole.QUICKLOOK, "a.reduced.quicklook.png", media_types.PNG),
    ]
    assert 2.0 <= made.resolution_m < 2.1
    assert imagery.reduce(io.BytesIO(sicd), "a.nitf", None, imagery.Limits(finest_m=2.0)) == made


def test_what_may_hold_phase_and_is_no_sicd_is_not_reduced():
    with pytest.raises(InputError):
        imagery.reduce(io.BytesIO(geotiff(COMPLEX)), "a.tif", None, imagery.Limits(finest_m=5.0))


def test_purposes_take_no_file_away():
    assert imagery.redact((ORIGINAL, VISUAL), {ObligationKind.PURPOSE}) == (ORIGINAL, VISUAL)


def test_without_obligations_all_goes():
    assert imagery.redact((ORIGINAL, VISUAL), ()) == (ORIGINAL, VISUAL)


@pytest.mark.parametrize("kind", [ObligationKind.RESOLUTION, ObligationKind.AREA, "unheard-of"])
def test_what_cannot_be_applied_releases_nothing(kind):
    assert imagery.redact((ORIGINAL, DETECTED), {kind}) == ()


@pytest.mark.parametrize("kind", list(ObligationKind))
def test_every_kind_of_obligation_is_settled(kind):
    """No obligation lets a complex original pass by being forgotten here."""
    kept = imagery.redact((ORIGINAL,), {kind, ObligationKind.DETECTED_ONLY})
    assert ORIGINAL not in kept


# ---- what may hold phase

PLACE = {"crs": "EPSG:32643", "transform": Affine(10.0, 0.0, 650_000.0, 0.0, -10.0, 1_100_000.0)}


def geotiff(*bands, names=(), **profile):
    """GeoTIFF of these bands."""
    height, width = bands[0].shape
    form = {"driver": "GTiff", "height": height, "width": width, "count": len(bands), "dtype": bands[0].dtype.name} | PLACE
    with rasterio.MemoryFile() as memory:
        with memory.open(**form | profile) as dataset:
            for number, band in enumerate(bands, start=1):
                dataset.write(band, number)
            for number, name in enumerate(names, start=1):
                dataset.set_band_description(number, name)
        return memory.read()


def two_images(first, second, subfile=0):
    """Classic TIFF of two directories: the second image's file behind the first one's, its offsets moved."""
    data, more = bytearray(first + b"\0" * (len(first) % 2)), bytearray(second)
    base = len(data)
    (start,) = struct.unpack("<I", more[4:8])
    (count,) = struct.unpack("<H", more[start : start + 2])
    sizes = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 12: 8}
    entries = []
    for index in range(count):
        at = start + 2 + 12 * index
        tag, type_, length = struct.unpack("<HHI", more[at : at + 8])
        value = bytes(more[at + 8 : at + 12])
        if tag in (273, 324) and length == 1:
            value = struct.pack("<I", int.from_bytes(value[: sizes[type_]], "little") + base)
            type_ = 4
        elif sizes[type_] * length > 4:
            value = struct.pack("<I", struct.unpack("<I", value)[0] + base)
        if tag != 254:
            entries.append((tag, struct.pack("<HHI", tag, type_, length) + value))
    entries.append((254, struct.pack("<HHII", 254, 4, 1, subfile)))
    directory = struct.pack("<H", len(entries)) + b"".join(e for _tag, e in sorted(entries)) + bytes(4)
    data += more + b"\0" * (len(more) % 2)
    place = len(data)
    data += directory
    (main,) = struct.unpack("<I", data[4:8])
    (count,) = struct.unpack("<H", data[main : main + 2])
    data[main + 2 + 12 * count : main + 6 + 12 * count] = struct.pack("<I", place)
    return bytes(data)


RNG = np.random.default_rng(3)
FLOAT = RNG.normal(size=(40, 30)).astype(np.float32)
OTHER = RNG.normal(size=(40, 30)).astype(np.float32)
SHORT = RNG.integers(1, 900, (40, 30)).astype(np.uint16)
COMPLEX = (FLOAT + 1j * OTHER).astype(np.complex64)

PHASED = {
    "complex": geotiff(COMPLEX),
    "complex, two bands": geotiff(COMPLEX, COMPLEX),
    "real and imaginary part": geotiff(FLOAT, OTHER, names=("i_VV", "q_VV")),
    "the other way round": geotiff(OTHER, FLOAT, names=("imag", "real")),
    "integers as parts": geotiff(SHORT, SHORT, names=("I", "Q")),
    "64 bits": geotiff(FLOAT.astype(np.float64)),
}
UNDETECTABLE = {
    "two float bands": geotiff(FLOAT, OTHER),
    "two signed bands": geotiff(FLOAT.astype(np.int16), OTHER.astype(np.int16)),
    "amplitude and phase": geotiff(SHORT, SHORT, names=("amplitude", "phase")),
    "imaginary part alone": geotiff(FLOAT, names=("q_VH",)),
    "two images": two_images(geotiff(SHORT), geotiff(SHORT)),
    "a complex second image": two_images(geotiff(SHORT), geotiff(COMPLEX)),
    "a complex second image that calls itself an overview": two_images(geotiff(SHORT), geotiff(COMPLEX[:20, :15]), subfile=1),
    "a second image that calls itself a mask": two_images(geotiff(SHORT), geotiff(SHORT), subfile=4),
}
PLAIN = {
    "unsigned": geotiff(SHORT),
    "amplitude": geotiff(np.abs(FLOAT)),
    "named amplitude": geotiff(np.abs(FLOAT), names=("Amplitude_VV",)),
    "signed": geotiff(SHORT.astype(np.int16)),
    "colours": geotiff(*[SHORT.astype(np.uint8)] * 3),
    "two polarisations": geotiff(SHORT, SHORT, names=("VV", "VH")),
    "an overview": two_images(geotiff(SHORT), geotiff(SHORT[:20, :15]), subfile=1),
}


@pytest.mark.parametrize("data", PHASED.values(), ids=PHASED)
def test_what_may_hold_phase_is_taken_for_complex_and_has_a_detected_copy(data):
    assert imagery.extract(io.BytesIO(data), "a.tif").complex_data
    assert imagery.validate(io.BytesIO(data)).valid
    copy = imagery.summarise(io.BytesIO(data), "a.tif").detected_cog
    assert copy is not None
    assert not imagery.extract(io.BytesIO(copy), "d.tif").complex_data
    with rasterio.MemoryFile(copy) as memory, memory.open() as dataset:
        assert dataset.count == 1
        assert np.nanmin(dataset.read(1)) >= 0.0


def test_real_and_imaginary_part_are_detected_to_their_magnitude():
    for name in ("real and imaginary part", "the other way round"):
        np.testing.assert_allclose(read_amplitude(io.BytesIO(PHASED[name])).amplitude, np.abs(COMPLEX), rtol=1e-5)


@pytest.mark.parametrize("data", UNDETECTABLE.values(), ids=UNDETECTABLE)
def test_of_what_no_amplitude_can_be_made_nothing_is_taken_in(data):
    assert imagery.extract(io.BytesIO(data), "a.tif").complex_data
    verdict = imagery.validate(io.BytesIO(data))
    assert not verdict.valid
    assert "which of them is the amplitude" in verdict.findings[0]
    with pytest.raises(InputError):
        imagery.summarise(io.BytesIO(data), "a.tif")


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_a_plain_image_is_detected_itself(data):
    assert not imagery.extract(io.BytesIO(data), "a.tif").complex_data
    assert imagery.summarise(io.BytesIO(data), "a.tif").detected_cog is None


def test_a_directory_that_leads_to_itself_is_damage():
    data = bytearray(geotiff(SHORT))
    at = int.from_bytes(data[4:8], "little")
    end = at + 2 + 12 * int.from_bytes(data[at : at + 2], "little")
    data[end : end + 4] = data[4:8]
    with pytest.raises(InputError, match="damaged"):
        imagery.extract(io.BytesIO(data), "a.tif")


def test_a_title_in_several_lines_becomes_one():
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", height=40, width=30, count=1, dtype="uint16", **PLACE) as dataset:
            dataset.write(SHORT, 1)
            dataset.update_tags(TIFFTAG_IMAGEDESCRIPTION="first\nsecond")
        assert imagery.extract(io.BytesIO(memory.read()), "a.tif").title == "first second"


def test_the_warp_says_nothing_of_its_spline(grd, caplog):
    with caplog.at_level("WARNING", logger="rasterio"):
        imagery.summarise(io.BytesIO(grd), "a.tif")
    assert not caplog.records
