"""A reduced SICD by what others make of it: its checker, its resolution measured, its brightness, its place; and the command."""

import io
import json
import math

import lxml.etree
import numpy as np
import pytest
import sarkit.sicd
from click.testing import CliRunner
from simulators.images import gotcha_sicd

from kizuna.cli.sar import sar
from kizuna.earth.wgs84 import ecef_to_geodetic
from kizuna.errors import InputError
from kizuna.formats.label_toml import write_label_toml
from kizuna.formats.sicd import NitfDescription, consistency_findings, read_metadata, read_pixels, read_summary, write_sicd_file
from kizuna.formats.sicd_geometry import read_sicd_geometry
from kizuna.formats.sicd_quality import assess_sicd
from kizuna.formats.sicd_reduce import reduce_sicd
from kizuna.formats.sidd import sidd_findings
from kizuna.model.instants import parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party

POINT = (121.0, 92.5)
SIDE = 240


@pytest.fixture(scope="module")
def source():
    """SICD of 240 x 240 pixels with one point of amplitude 1 over noise of the band, and scale factors."""
    data = io.BytesIO(gotcha_sicd())
    tree, summary = read_metadata(data), read_summary(data)
    for name in ("NumRows", "NumCols"):
        for path in ("ImageData", "ImageData/{*}FullImage"):
            tree.find(f"{{*}}{path}/{{*}}{name}").text = str(SIDE)
    for name in ("Row", "Col"):
        tree.find(f"{{*}}ImageData/{{*}}SCPPixel/{{*}}{name}").text = str(SIDE // 2)
    for parent in ("ImageData", "GeoData"):
        outline = tree.find(f"{{*}}{parent}/{{*}}ValidData")
        outline.getparent().remove(outline)
    namespace = lxml.etree.QName(tree.getroot()).namespace
    polys = "".join(
        f'<{name} order1="0" order2="0"><Coef exponent1="0" exponent2="0">{value}</Coef></{name}>'
        for name, value in (("RCSSFPoly", 5.0), ("SigmaZeroSFPoly", 7.0), ("BetaZeroSFPoly", 9.0))
    )
    tree.getroot().append(lxml.etree.fromstring(f'<Radiometric xmlns="{namespace}">{polys}</Radiometric>'))
    rng = np.random.default_rng(3)
    spectrum = np.fft.fft2(rng.normal(size=(SIDE, SIDE)) + 1j * rng.normal(size=(SIDE, SIDE)))
    axes = []
    for k, axis in enumerate(("Row", "Col")):
        bandwidth, spacing = (float(tree.findtext(f"{{*}}Grid/{{*}}{axis}/{{*}}{name}")) for name in ("ImpRespBW", "SS"))
        axes.append(np.sinc(bandwidth * spacing * (np.arange(SIDE) - POINT[k])))
        keep = np.abs(np.fft.fftfreq(SIDE)) <= bandwidth * spacing / 2.0
        spectrum *= keep[:, None] if k == 0 else keep
    noise = np.fft.ifft2(spectrum)
    noise *= 0.002 / np.sqrt(np.mean(np.abs(noise) ** 2))
    file = io.BytesIO()
    headers = NitfDescription(summary.core_name, "UNCLASSIFIED", summary.sensor, summary.produced)
    write_sicd_file(file, tree, (np.outer(*axes) + noise).astype(np.complex64), headers)
    return file.getvalue()


@pytest.mark.parametrize("finest_m", [0.6, 1.0])
def test_it_is_as_coarse_as_asked_and_says_so(source, finest_m):
    before, _ = assess_sicd(io.BytesIO(source), places=[POINT])
    made = reduce_sicd(io.BytesIO(source), finest_m=finest_m)
    assert consistency_findings(io.BytesIO(made.data)) == ()
    file = io.BytesIO(made.data)
    geometry = read_sicd_geometry(file)
    place = read_sicd_geometry(io.BytesIO(source)).ground_of(*POINT, geometry.scp_height_m)
    row, col = (float(at) for at in geometry.pixels_of(place))
    after, pixels = assess_sicd(file, places=[(row, col)])
    (target,) = after.targets
    # Measured, not said: no finer than asked, and no more than 3 % coarser.
    assert all(finest_m <= width * 1.004 <= 1.035 * finest_m for width in target.widths_m)
    assert target.widths_m == pytest.approx(after.widths_m, rel=0.01)
    assert target.response.along_rows.pslr_db == pytest.approx(-13.26, abs=0.4)
    # The point is where it was, on the ground; its radar cross-section and the field's brightness are what they were.
    assert (target.response.row, target.response.col) == pytest.approx((row, col), abs=0.02)
    assert target.cross_section_dbsm == pytest.approx(before.targets[0].cross_section_dbsm, abs=0.1)
    clear = np.abs(pixels).copy()
    clear[:, round(col) - 3 : round(col) + 4] = np.nan
    clear[round(row) - 3 : round(row) + 4] = np.nan
    assert 10.0 * math.log10(np.nanmean(clear**2)) == pytest.approx(-54.0, abs=0.7)
    # Pixels are no more than that needs.
    assert len(made.data) < 1.6 * len(source) * np.prod(np.divide(before.widths_m, after.widths_m)) + 20_000


def test_nothing_of_the_whole_is_told_by_a_cut(source):
    """The middle of the scene moves into what remains; places stay."""
    geometry = read_sicd_geometry(io.BytesIO(source))
    corners = geometry.ground_of(
        np.array([100.0, 100.0, 150.0, 150.0]), np.array([60.0, 110.0, 110.0, 60.0]), geometry.scp_height_m
    )
    latitude, longitude, _ = ecef_to_geodetic(corners)
    ring = [(math.degrees(x), math.degrees(y)) for x, y in zip(longitude, latitude, strict=True)]
    made = reduce_sicd(io.BytesIO(source), polygons=(((*ring, ring[0]),),))
    assert consistency_findings(io.BytesIO(made.data)) == ()
    assert made.shape == pytest.approx((49, 49), abs=1)
    cut = read_sicd_geometry(io.BytesIO(made.data))
    assert np.linalg.norm(cut.scp_ecef_m - geometry.scp_ecef_m) > 3.0
    helper = sarkit.sicd.XmlHelper(cut.tree)
    assert tuple(helper.load("./{*}ImageData/{*}SCPPixel")) == (made.shape[0] // 2, made.shape[1] // 2)
    # The same pixels, at the same places.
    whole, part = read_pixels(io.BytesIO(source)), read_pixels(io.BytesIO(made.data))
    place = cut.ground_of(10.0, 20.0, geometry.scp_height_m)
    row, col = (float(at) for at in geometry.pixels_of(place))
    assert (row, col) == pytest.approx((round(row), round(col)), abs=1e-3)
    assert part[10, 20] == whole[round(row), round(col)]


def test_what_leaves_nothing_is_refused(source):
    for limits in ({"finest_m": 1e4}, {"polygons": ((((0.0, 0.0), (0.1, 0.0), (0.1, 0.1), (0.0, 0.0)),),)}):
        with pytest.raises(InputError, match="nothing of the image"):
            reduce_sicd(io.BytesIO(source), **limits)


@pytest.mark.filterwarnings("ignore")
def test_others_images_are_reduced_too(real_sicd):
    with real_sicd("sicd_50x50.nitf").open("rb") as file:
        before = set(consistency_findings(file))
        made = reduce_sicd(file, finest_m=30.0, classification="UNCLASSIFIED")
    assert 30.0 <= made.resolution_m < 36.0
    assert set(consistency_findings(io.BytesIO(made.data))) <= before


def test_the_command_makes_each_form(source, tmp_path):
    image, label = tmp_path / "a.nitf", tmp_path / "coarse.label.toml"
    image.write_bytes(source)
    stamp = parse_instant("2026-01-01")
    label.write_bytes(write_label_toml(Label("JPN", "UNCLASSIFIED", parse_party("JPN"), stamp, (parse_party("UKR"),))))
    run = CliRunner().invoke
    done = run(sar, ["reduce", str(image), "--resolution", "1", "--output", str(tmp_path / "b.nitf"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["complex"]
    done = run(sar, ["reduce", str(image), "--resolution", "1", "--detected", "--output", str(tmp_path / "c.tif"), "--json"])
    assert done.exit_code == 0, done.output
    assert not json.loads(done.stdout)["complex"]
    options = ["--resolution", "1", "--detected", "--label", str(label)]
    done = run(sar, ["reduce", str(image), *options, "--output", str(tmp_path / "d.nitf")])
    assert done.exit_code == 0, done.output
    assert sidd_findings(io.BytesIO((tmp_path / "d.nitf").read_bytes())) == ()
    for options, field in (([], "resolution"), (["--resolution", "1", "--detected"], "output")):
        done = run(sar, ["reduce", str(image), *options, "--output", str(tmp_path / "e.nitf")])
        assert isinstance(done.exception, InputError)
        assert done.exception.field == field
    done = run(sar, ["reduce", str(image), "--resolution", "1", "--output", str(image)])
    assert done.exception.field == "output"
