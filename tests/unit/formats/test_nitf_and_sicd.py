"""SICD files: others' real ones, and broken ones."""

import io
from dataclasses import replace

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.formats.gotcha import describe
from kizuna.formats.nitf import check_length
from kizuna.formats.sicd import consistency_findings, ground_points, read_pixels, read_summary, write_sicd
from kizuna.model.instants import format_instant, parse_instant


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "version", "sensor", "begin", "shape"),
    [
        ("sicd_50x50.nitf", "1.2.1", "RCM-1", "2019-10-28T22:43:39.923000Z", (50, 50)),
        ("sicd_French_xml.nitf", "1.2.1", "RCM-1", "2019-10-28T22:43:39.923000Z", (50, 50)),
        ("cropped_sicd_120.nitf", "1.2.0", "TSX-1", "2008-01-27T05:17:45.588000Z", (5, 5)),
        ("cropped_sicd_110.nitf", "1.1.0", "TSX-1", "2008-01-27T05:17:45.588000Z", (5, 5)),
    ],
)
def test_reads_others_files(real_sicd, name, version, sensor, begin, shape):
    with real_sicd(name).open("rb") as file:
        summary = read_summary(file)
        pixels = read_pixels(file)
    assert (summary.version, summary.sensor, summary.shape) == (version, sensor, shape)
    assert format_instant(summary.collected.begin) == begin
    assert summary.polarisation == "HH"
    assert "CLASSIFI" in summary.classification.upper()
    assert not summary.nominal_position
    assert 0.5 < summary.resolution_m < 20.0
    assert pixels.shape == shape
    assert pixels.dtype == np.complex64
    assert np.abs(pixels).max() > 0.0


def area(ring):
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, [*ring[1:], ring[0]], strict=True))


def test_footprint_runs_counter_clockwise_about_the_image(small_sicd):
    ring = read_summary(io.BytesIO(small_sicd)).footprint_lonlat_deg
    assert len(ring) == 4
    assert area(ring) > 0.0
    assert area(ring[::-1]) < 0.0


def test_net_of_ground_points_is_the_image_s_own_plane(small_image, small_sicd):
    row, col, latitude, longitude = ground_points(io.BytesIO(small_sicd), points=3)
    expected = small_image.scene.to_geodetic(small_image.grid.to_scene(row, col))
    assert np.radians(latitude) == pytest.approx(expected[0], abs=1e-10)
    assert np.radians(longitude) == pytest.approx(expected[1], abs=1e-10)


def test_a_clean_file_has_no_findings(small_sicd):
    assert consistency_findings(io.BytesIO(small_sicd)) == ()


def test_a_wrong_number_is_found(small_sicd):
    wrong = small_sicd.replace(b"<Sgn>-1</Sgn>", b"<Sgn>+1</Sgn>", 1)
    assert wrong != small_sicd
    assert any("sign" in finding.lower() for finding in consistency_findings(io.BytesIO(wrong)))


@pytest.mark.parametrize("read", [read_summary, read_pixels, ground_points, consistency_findings])
def test_a_cut_file_says_where_it_ends_and_where_it_should(small_sicd, read):
    cut = small_sicd[:-1000]
    with pytest.raises(InputError, match=f"ends at byte {len(cut)}; its NITF header says {len(small_sicd)}"):
        read(io.BytesIO(cut))


@pytest.mark.parametrize("size", [0, 5, 100, 353])
def test_a_file_that_ends_in_its_header_is_refused(small_sicd, size):
    with pytest.raises(InputError, match=r"not a NITF file|header is damaged"):
        check_length(io.BytesIO(small_sicd[:size]))


def test_a_text_file_called_nitf_is_refused():
    with pytest.raises(InputError, match="not a NITF file: it starts with b'Dear Sir,'"):
        read_summary(io.BytesIO(b"Dear Sir, please find enclosed" * 50))


def test_a_sidd_is_refused_without_naming_a_path(real_sicd):
    path = real_sicd("cropped_sidd.nitf")
    with path.open("rb") as file, pytest.raises(InputError, match="not SICD XML") as refusal:
        read_summary(file)
    assert str(path.parent) not in str(refusal.value)


@pytest.mark.parametrize("lost", [b"ImageCorners", b"CollectStart", b"GeoData", b"NumRows"])
def test_metadata_that_lack_the_necessary_are_refused(small_sicd, lost):
    wrong = small_sicd.replace(b"<" + lost + b">", b"<" + b"x" * len(lost) + b">")
    wrong = wrong.replace(b"</" + lost + b">", b"</" + b"x" * len(lost) + b">")
    assert wrong != small_sicd
    with pytest.raises(InputError, match="cannot be read") as refusal:
        read_summary(io.BytesIO(wrong))
    assert refusal.value.hint is not None


def test_xml_that_is_broken_is_refused(small_sicd):
    with pytest.raises(InputError, match="no readable SICD"):
        read_summary(io.BytesIO(small_sicd.replace(b"</GeoData>", b"</GeoDxta>")))


def test_writes_only_classifications_that_nitf_has_letters_for(small_image):
    description = describe(produced=parse_instant("2026-01-01"))
    with pytest.raises(InputError, match="has no NITF letter") as refusal:
        write_sicd(io.BytesIO(), small_image, replace(description, classification="Confidentiel"))
    assert refusal.value.field == "classification"
    with pytest.raises(InputError, match="not positive"):
        write_sicd(io.BytesIO(), small_image, replace(description, platform_speed_m_s=0.0))
    file = io.BytesIO()
    write_sicd(file, small_image, replace(description, classification="TOP SECRET"))
    assert file.getvalue()[119:120] == b"T"  # FSCLAS of NITF 2.1
