"""The imagery kind, from a file to what may be shown."""

import io
from importlib import resources

import numpy as np
import pytest
import rasterio

from kizuna.formats import media_types
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
