"""Quality of a SICD whose targets are known, and what the command says of it."""

import io
import json
import math

import lxml.etree
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from simulators.images import gotcha_sicd

from kizuna.cli.sar import sar
from kizuna.earth.wgs84 import ecef_to_geodetic
from kizuna.errors import InputError
from kizuna.formats.quality_report import quality_png
from kizuna.formats.sicd import NitfDescription, read_metadata, read_summary, write_sicd_file
from kizuna.formats.sicd_geometry import read_sicd_geometry
from kizuna.formats.sicd_quality import assess_sicd, read_references

RCS_FACTOR, RCS_DBSM = 40.0, 16.0
MOVED = (0.4, -0.3)


def radiometry(tree):
    """Scale factors: RCS 40 times power, sigma nought 10 times, noise -50 dB."""
    namespace = lxml.etree.QName(tree.getroot()).namespace
    text = (
        f'<Radiometric xmlns="{namespace}"><NoiseLevel><NoiseLevelType>ABSOLUTE</NoiseLevelType>'
        '<NoisePoly order1="0" order2="0"><Coef exponent1="0" exponent2="0">-50</Coef></NoisePoly></NoiseLevel>'
        f'<RCSSFPoly order1="0" order2="0"><Coef exponent1="0" exponent2="0">{RCS_FACTOR}</Coef></RCSSFPoly>'
        '<SigmaZeroSFPoly order1="0" order2="0"><Coef exponent1="0" exponent2="0">10</Coef></SigmaZeroSFPoly></Radiometric>'
    )
    tree.getroot().append(lxml.etree.fromstring(text))


@pytest.fixture(scope="module")
def known():
    """SICD of noise with one point of unit power, and the CSV that says where it should be and how bright."""
    data = io.BytesIO(gotcha_sicd())
    tree, summary, geometry = read_metadata(data), read_summary(data), read_sicd_geometry(data)
    radiometry(tree)
    at = np.array([41.3, 37.8])
    rng = np.random.default_rng(0)
    pixels = 10 ** (-50 / 20) * (rng.normal(size=(80, 80)) + 1j * rng.normal(size=(80, 80))) / math.sqrt(2.0)
    axes = []
    for axis, place in zip(("Row", "Col"), at + MOVED, strict=True):
        bandwidth, spacing = (float(tree.findtext(f"{{*}}Grid/{{*}}{axis}/{{*}}{name}")) for name in ("ImpRespBW", "SS"))
        axes.append(np.sinc(bandwidth * spacing * (np.arange(80) - place)))
    pixels = (pixels + np.outer(*axes)).astype(np.complex64)
    file = io.BytesIO()
    headers = NitfDescription(summary.core_name, "UNCLASSIFIED", summary.sensor, summary.produced)
    write_sicd_file(file, tree, pixels, headers)
    # Three metres above the ground: where it is seen from there.
    place = geometry.ground_of(*at, geometry.scp_height_m + 3.0)
    latitude, longitude, height = (float(value) for value in ecef_to_geodetic(place))
    line = f"R1,{math.degrees(latitude):.10f},{math.degrees(longitude):.10f},{height:.4f},{RCS_DBSM - 0.5}"
    return file.getvalue(), f"name,latitude_deg,longitude_deg,height_m,rcs_dbsm\n{line}\n"


def test_known_targets_give_errors_of_place_and_brightness(known):
    data, listed = known
    found, _ = assess_sicd(io.BytesIO(data), references=read_references(listed.encode()))
    (target,) = found.targets
    spacing = found.spacing_m
    assert target.offset_m == pytest.approx((MOVED[0] * spacing[0], MOVED[1] * spacing[1]), abs=0.002)
    assert target.cross_section_dbsm == pytest.approx(10.0 * math.log10(RCS_FACTOR), abs=0.05)
    assert target.cross_section_error_db == pytest.approx(10.0 * math.log10(RCS_FACTOR) - RCS_DBSM + 0.5, abs=0.05)
    assert target.widths_m == pytest.approx(found.widths_m, rel=0.01)
    assert found.nesz_db == pytest.approx(-40.0)
    assert found.darkest_sigma0_db == pytest.approx(-40.0, abs=1.5)


def test_the_same_target_is_found_without_being_told(known):
    found, _ = assess_sicd(io.BytesIO(known[0]))
    (target,) = found.targets
    assert (target.response.row, target.response.col) == pytest.approx((41.7, 37.5), abs=0.01)
    assert math.isnan(target.offset_m[0])


@pytest.mark.parametrize("text", [b"name\nA\n", b"name,latitude_deg,longitude_deg,height_m\nA,x,1,2\n", b"\xff\xfe\x00"])
def test_a_list_that_cannot_be_read_says_so(text):
    with pytest.raises(InputError, match="list of targets"):
        read_references(text)


def test_the_command_tells_measures_and_writes_a_page(known, tmp_path):
    image, listed = tmp_path / "a.nitf", tmp_path / "targets.csv"
    image.write_bytes(known[0])
    listed.write_text(known[1], "utf-8")
    png, html = tmp_path / "a.png", tmp_path / "a.html"
    done = CliRunner().invoke(sar, ["quality", str(image), "--targets", str(listed), "--report", str(png), "--json"])
    assert done.exit_code == 0, done.output
    form = json.loads(done.stdout)
    assert form["targets"][0]["name"] == "R1"
    assert form["targets"][0]["response"]["along_rows"]["pslr_db"] == pytest.approx(-13.3, abs=0.3)
    with Image.open(png) as page:
        assert page.size == (1753, 1240)
    done = CliRunner().invoke(sar, ["quality", str(image), "--at", "41,38", "--report", str(html)])
    assert done.exit_code == 0, done.output
    assert "theory" in done.stdout
    assert b"data:image/png;base64," in html.read_bytes()
    assert b"UNCLASSIFIED" in html.read_bytes()


def test_the_picture_shows_no_sentence_that_it_has_no_letters_for(known):
    found, pixels = assess_sicd(io.BytesIO(known[0]))
    english = quality_png(found, pixels, title="a")
    assert quality_png(found, pixels, title="a", translate=lambda sentence: "\ue000" + sentence) == english
    assert quality_png(found, pixels, title="a", translate=lambda sentence: "Є" + sentence) != english


def test_the_command_refuses_what_is_no_place_or_no_report(known, tmp_path):
    image = tmp_path / "a.nitf"
    image.write_bytes(known[0])
    for options, field in ((["--at", "here"], "at"), (["--report", str(tmp_path / "a.doc")], "report")):
        done = CliRunner().invoke(sar, ["quality", str(image), *options])
        assert isinstance(done.exception, InputError)
        assert done.exception.field == field
