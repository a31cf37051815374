"""The SICD of the Gotcha image, judged by sarkit: its checker, its projection, its reading of the pixels."""

import io

import numpy as np
import pytest
import sarkit.sicd
from sarkit.verification import _sicdcheck

from kizuna.formats.gotcha import NOMINAL_POSITION, describe
from kizuna.formats.sicd import read_pixels, read_summary, write_sicd
from kizuna.model.instants import parse_instant
from kizuna.sar.quality import measure_point

TRIHEDRAL_M = (-15.6, 21.6, 0.0)
PRODUCED = parse_instant("2026-01-01")


@pytest.fixture(scope="module")
def written(gotcha):
    file = io.BytesIO()
    write_sicd(file, gotcha, describe(produced=PRODUCED))
    return file.getvalue()


@pytest.fixture
def tree(written):
    return sarkit.sicd.NitfReader(io.BytesIO(written)).metadata.xmltree


def test_sicdcheck_has_nothing_to_say(written, tmp_path, capsys):
    path = tmp_path / "gotcha.nitf"
    path.write_bytes(written)
    assert _sicdcheck.main([str(path)]) == 0
    assert capsys.readouterr().out == ""


def test_the_same_image_gives_the_same_bytes(gotcha, written):
    again = io.BytesIO()
    write_sicd(again, gotcha, describe(produced=PRODUCED))
    assert again.getvalue() == written


def test_pixels_come_back_bit_for_bit(gotcha, written):
    assert np.array_equal(read_pixels(io.BytesIO(written)), gotcha.pixels)


def test_the_trihedral_s_pixel_projects_to_its_place_within_a_decimetre(gotcha, tree):
    found = measure_point(gotcha.pixels, gotcha.grid, TRIHEDRAL_M)
    pixel = np.stack(gotcha.grid.from_scene(found.position_m))
    ground, _, reached = sarkit.sicd.image_to_ground_plane(
        tree,
        sarkit.sicd.rowcol_to_xrowycol(tree, pixel),
        gotcha.scene.to_ecef([0.0, 0.0, 0.0]),
        gotcha.scene.direction_to_ecef([0.0, 0.0, 1.0]),
    )
    assert reached
    assert np.linalg.norm(ground - gotcha.scene.to_ecef(TRIHEDRAL_M)) < 0.1


def test_a_raised_point_lays_over_where_the_radar_puts_it(gotcha, tree):
    """Unlike points of the image plane, this one depends on the antenna's path: ARPPoly, TimeCOAPoly."""
    raised = np.array([5.0, -8.0, 3.0])
    image_m, _, _ = sarkit.sicd.scene_to_image(tree, gotcha.scene.to_ecef(raised))
    at = gotcha.grid.to_scene(*sarkit.sicd.xrowycol_to_rowcol(tree, image_m))
    antenna = gotcha.history.centre_position_m
    assert np.linalg.norm(antenna - at) == pytest.approx(np.linalg.norm(antenna - raised), abs=0.02)
    assert np.dot(at - raised, [*antenna[:2], 0.0]) > 0.0  # towards the radar


def test_the_antenna_s_path_is_the_measured_one_within_two_millimetres(gotcha, tree):
    load = sarkit.sicd.XmlHelper(tree).load
    positions = gotcha.history.positions_m
    times = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(positions, axis=0), axis=1))]) / 100.0  # nominal speed
    path = np.polynomial.polynomial.polyval(times, load("./{*}Position/{*}ARPPoly")).T
    assert np.linalg.norm(gotcha.scene.from_ecef(path) - positions, axis=1).max() < 0.002
    assert load("./{*}SCPCOA/{*}SlantRange") == pytest.approx(gotcha.history.reference_range_m.mean(), abs=0.2)
    assert load("./{*}SCPCOA/{*}GrazeAng") == pytest.approx(45.747, abs=0.01)  # the set's own phi, halfway
    assert load("./{*}Timeline/{*}CollectDuration") == pytest.approx(
        times[-1] * len(times) / (len(times) - 1)
    )  # to the end of the last interval


@pytest.mark.parametrize(("axis", "name"), [(0, "Row"), (1, "Col")])
def test_the_spectrum_lies_where_the_metadata_says(gotcha, tree, axis, name):
    load = sarkit.sicd.XmlHelper(tree).load
    low, high, spacing = (load(f"./{{*}}Grid/{{*}}{name}/{{*}}{field}") for field in ("DeltaK1", "DeltaK2", "SS"))
    assert load(f"./{{*}}Grid/{{*}}{name}/{{*}}Sgn") == -1
    power = (np.abs(np.fft.fft2(gotcha.pixels)) ** 2).sum(axis=1 - axis)
    frequency = np.fft.fftfreq(len(power), spacing)
    inside = (frequency >= low) & (frequency <= high)
    assert power[inside].sum() / power.sum() > 0.99
    assert abs(np.sum(power * frequency) / power.sum()) < 0.1 * (high - low)


@pytest.mark.parametrize("place", [(-15.6, 21.6), (30.0, 35.0), (-35.0, -30.0)])
def test_local_spectra_follow_deltakcoapoly(gotcha, tree, place):
    """The spatial frequency of a 10 m chip is KCtr + DeltaKCOAPoly: of range history, by differences along each axis."""
    load = sarkit.sicd.XmlHelper(tree).load
    history, grid = gotcha.history, gotcha.grid
    wavenumber = 2.0 * history.centre_frequency_hz / 299_792_458.0
    row, col = place
    for name, direction in (("Row", grid.row_direction), ("Col", grid.col_direction)):
        poly = load(f"./{{*}}Grid/{{*}}{name}/{{*}}DeltaKCOAPoly")
        stated = load(f"./{{*}}Grid/{{*}}{name}/{{*}}KCtr") + np.polynomial.polynomial.polyval2d(row, col, poly)
        point = row * grid.row_direction + col * grid.col_direction
        ahead, behind = (np.linalg.norm(point + step * direction - history.centre_position_m) for step in (0.01, -0.01))
        assert stated == pytest.approx(wavenumber * (ahead - behind) / 0.02, abs=1e-3)


def test_says_what_is_nominal(written, tree):
    summary = read_summary(io.BytesIO(written))
    assert summary.nominal_position
    assert "NominalPosition: yes: the public data carries no map position" in summary.notes
    assert any(note.startswith("PulseTimes: nominal") for note in summary.notes)
    assert any(note.startswith("NominalCollectStart") for note in summary.notes)
    assert summary.version == "1.4.0"
    assert summary.polarisation == "HH"
    assert summary.shape == (500, 500)
    assert summary.resolution_m == pytest.approx(0.378, abs=0.001)
    assert summary.produced == PRODUCED
    longitudes, latitudes = zip(*summary.footprint_lonlat_deg, strict=True)
    assert min(longitudes) < NOMINAL_POSITION.longitude_deg < max(longitudes)
    assert min(latitudes) < NOMINAL_POSITION.latitude_deg < max(latitudes)
    assert tree.find("./{*}Radiometric") is None
