"""SICD files that kizuna writes: checkers, place, radiometry, errors and marking, against what is known otherwise."""

import io
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import sarkit.sicd
from scipy.signal import windows
from simulators.collections import START, orbital_collection, orbital_image, plane

from kizuna.errors import InputError
from kizuna.formats.marking import marking_of
from kizuna.formats.nitf_security import CountryCodes, file_security, label_of
from kizuna.formats.sicd import consistency_findings, read_pixels, write_sicd
from kizuna.formats.sicd_metadata import SICD_VERSIONS, Weighting, describe_collection, sicd_metadata
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.sar.backprojection import backproject
from kizuna.sar.collection import ErrorStatistics, Mode
from kizuna.sar.form import Method, form_pixels
from kizuna.sar.image import FormedImage, to_baseband
from kizuna.sar.quality import measure_point

TAYLOR = Weighting("TAYLOR", tuple(windows.taylor(512, 5, 35)), (("NBAR", "5"), ("SLL", "-35")))
HAMMING = Weighting("HAMMING", tuple(windows.hamming(512, sym=True)))
LABEL = Label("JPN", "秘", parse_party("JPN"), START, (parse_party("UKR"),), caveats=("NO COPY",))


@pytest.fixture(scope="module")
def collection():
    return orbital_collection()


@pytest.fixture(scope="module")
def images(collection):
    return {kind: orbital_image(collection, kind) for kind in ("ground", "slant", "between")}


def written(image, description):
    out = io.BytesIO()
    write_sicd(out, image, description)
    return out


def loader(image, description):
    return sarkit.sicd.XmlHelper(sicd_metadata(image, description)).load


@pytest.mark.parametrize(
    ("kind", "version", "mode", "row", "col"),
    [
        ("ground", "1.4.0", Mode.SPOTLIGHT, TAYLOR, HAMMING),
        ("slant", "1.3.0", Mode.STRIPMAP, HAMMING, TAYLOR),
        ("between", "1.5", Mode.DYNAMIC_STRIPMAP, Weighting(), Weighting()),
    ],
)
def test_checker_finds_nothing(collection, images, kind, version, mode, row, col):
    description = describe_collection(collection, produced=START, marking=marking_of(LABEL, letters={"秘": "C"}))
    description = replace(description, version=version, mode=mode, row_weighting=row, col_weighting=col)
    assert consistency_findings(written(images[kind], description)) == ()


def test_checker_finds_nothing_where_little_is_known():
    bare = orbital_collection(known=False, squint_deg=3.0)
    assert consistency_findings(written(orbital_image(bare), describe_collection(bare, produced=START))) == ()


@pytest.mark.parametrize(("kind", "name"), [("ground", "GROUND"), ("slant", "SLANT"), ("between", "OTHER")])
def test_places_are_where_sarkit_projects_them(collection, images, kind, name):
    """Any point on the image's plane, through the file's own geometry, comes back to its pixel."""
    image = images[kind]
    tree = sicd_metadata(image, describe_collection(collection, produced=START))
    assert sarkit.sicd.XmlHelper(tree).load("./{*}Grid/{*}ImagePlane") == name
    pixels = np.array([[3.0, 5.0], [40.0, 30.0], [24.0, 20.0]])
    places = collection.scene.to_ecef(image.grid.to_scene(pixels[:, 0], pixels[:, 1]))
    found, _, reached = sarkit.sicd.scene_to_image(tree, places)
    assert np.all(reached)
    # By the file's own spacings and centre pixel.
    assert sarkit.sicd.xrowycol_to_rowcol(tree, found) == pytest.approx(pixels, abs=1e-3)


def test_pixels_are_equal_to_gdal_s(collection, images):
    file = written(images["slant"], describe_collection(collection, produced=START))
    with rasterio.MemoryFile(file.getvalue()) as memory, memory.open() as dataset:
        bands = dataset.read()
    complex_pixels = bands[0] if np.iscomplexobj(bands) else bands[0] + 1j * bands[1]
    assert np.array_equal(complex_pixels, images["slant"].pixels)
    assert np.array_equal(read_pixels(file), images["slant"].pixels)


def test_radar_cross_section_of_a_scatterer(collection, images):
    """Unit samples stand for 4 square metres; the brightest pixel's power times the factor gives that back, on every plane."""
    for image in images.values():
        load = loader(image, describe_collection(collection, produced=START))
        factor = load("./{*}Radiometric/{*}RCSSFPoly")[0, 0]
        assert factor * np.abs(image.pixels).max() ** 2 == pytest.approx(4.0, rel=0.01)


def test_sigma_zero_does_not_depend_on_the_plane(collection, images):
    values = [
        loader(image, describe_collection(collection, produced=START))("./{*}Radiometric/{*}SigmaZeroSFPoly")[0, 0]
        for image in images.values()
    ]
    assert values == pytest.approx([values[0]] * 3, rel=2e-3)
    # Closed form of the ground cell, uniform weights: c / (2 B cos grazing) x lambda / (2 cos grazing dtheta).
    history = collection.history
    speed = 299_792_458.0
    on_ground = np.cos(history.grazing_rad)
    cell = speed / (2.0 * history.bandwidth_hz * on_ground)
    cell *= speed / history.centre_frequency_hz / (2.0 * on_ground * history.aperture_rad)
    assert values[0] == pytest.approx(4.0 / cell, rel=2e-3)


def test_noise_is_as_told():
    """Noise of known power through the same formation: its power in the pixels is what NoisePoly says."""
    collection = orbital_collection()
    random = np.random.default_rng(1)
    shape = collection.history.samples.shape
    noise = (random.normal(size=shape) + 1j * random.normal(size=shape)) * np.sqrt(0.01 / 2.0)
    history = replace(collection.history, samples=noise.astype(np.complex64))
    pixels = backproject(history, plane(collection, "ground"))
    load = loader(orbital_image(collection), describe_collection(collection, produced=START))
    told = load("./{*}Radiometric/{*}NoiseLevel/{*}NoisePoly")[0, 0]
    assert 10.0 * np.log10(np.mean(np.abs(pixels) ** 2)) == pytest.approx(told, abs=0.6)


def test_weighted_widths_and_noise():
    """Taylor and Hamming broaden by known factors (Harris 1978; Hamming -3 dB width 1.30 bins over 0.886)."""
    assert Weighting("HAMMING", tuple(windows.hamming(2048, sym=False))).half_power_width() == pytest.approx(1.303, abs=2e-3)
    assert Weighting("X", (1.0,) * 512).half_power_width() == pytest.approx(0.8859, abs=2e-4)
    assert Weighting("HANNING", tuple(windows.hann(2048, sym=False))).noise_gain() == pytest.approx(1.5, abs=1e-3)


@pytest.mark.parametrize(
    ("errors", "range_m", "azimuth_m"),
    [
        (ErrorStatistics((0.0, 3.0, 0.0), (0.0, 0.0, 0.0), 0.0), 0.0, 3.0),
        (ErrorStatistics((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 2.0), 2.0, 0.0),
        (ErrorStatistics((1.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0), np.cos(np.radians(38.6)), 0.0),
    ],
)
def test_composite_errors_broadside(errors, range_m, azimuth_m):
    collection = replace(orbital_collection(), errors=errors)
    load = loader(orbital_image(collection), describe_collection(collection, produced=START))
    path = "./{*}ErrorStatistics/{*}CompositeSCP/{*}"
    assert load(path + "Rg") == pytest.approx(range_m, abs=0.03)
    assert load(path + "Az") == pytest.approx(azimuth_m, abs=0.03)


def test_marking_goes_into_header_and_xml(collection, images):
    marking = marking_of(LABEL, letters={"秘": "C"})
    file = written(images["ground"], describe_collection(collection, produced=START, marking=marking))
    group = file_security(file.getvalue()[:400])
    back = label_of(group, codes=CountryCodes.ISO_3166, created=START, letters={"秘": "C"})
    assert back == LABEL
    tree = sarkit.sicd.NitfReader(io.BytesIO(file.getvalue())).metadata.xmltree
    assert tree.findtext("{*}CollectionInfo/{*}Classification") == "CONFIDENTIAL (JPN 秘)"
    assert tree.findtext("{*}CollectionInfo/{*}Parameter[@name='ReleaseInfo']") == "JPN; REL TO UKR; NO COPY"


def test_timeline_counts_the_pulses(collection, images):
    load = loader(images["ground"], describe_collection(collection, produced=START))
    poly = load("./{*}Timeline/{*}IPP/{*}Set/{*}IPPPoly")
    counted = np.polynomial.polynomial.polyval(collection.history.times_s, poly)
    assert counted == pytest.approx(np.arange(collection.history.pulses), abs=1e-6)


def test_uneven_pulses_are_counted_too(collection):
    times = collection.history.times_s
    uneven = replace(collection, history=replace(collection.history, times_s=times + 0.05 * times**2))
    file = written(orbital_image(uneven), describe_collection(uneven, produced=START))
    assert consistency_findings(file) == ()


def test_other_versions_are_refused(collection, images):
    description = replace(describe_collection(collection, produced=START), version="2.0")
    with pytest.raises(InputError, match=r"SICD 2\.0 is not written") as caught:
        write_sicd(io.BytesIO(), images["ground"], description)
    assert caught.value.field == "version"
    assert set(SICD_VERSIONS) == {"1.3.0", "1.4.0", "1.5"}


FAR = np.array([(0.0, 0.0, 0.0), (120.0, 120.0, 0.0), (-120.0, 100.0, 0.0), (110.0, -130.0, 30.0), (-110.0, -140.0, 0.0)])


@pytest.mark.parametrize(("kind", "squint_deg"), [("ground", 6.0), ("slant", 0.0), ("slant", -4.0)])
def test_polar_formats_own_plane_is_told_as_it_is(kind, squint_deg):
    """Points that planar wavefronts displace by 2 cm are where sarkit's PFA projection has them, to 2 mm."""
    far = orbital_collection(FAR, pulses=400, frequencies=300, bandwidth_hz=120e6, seconds=1.5, squint_deg=squint_deg)
    far = replace(far, waveform=replace(far.waveform, chirp_hz_s=6e12))
    grid = plane(far, kind, rows=300, cols=480, oversampling=1.3)
    pixels = form_pixels(far.history, grid, Method.POLAR_PLANE)
    image = FormedImage(to_baseband(pixels, far.history, grid), grid, far.history, far.scene, nominal=False)
    description = replace(describe_collection(far, produced=START), polar_plane=True)
    assert consistency_findings(written(image, description)) == ()
    tree = sicd_metadata(image, description)
    loaded = sarkit.sicd.XmlHelper(tree)
    assert (loaded.load("./{*}Grid/{*}Type"), loaded.load("./{*}ImageFormation/{*}ImageFormAlgo")) == ("RGAZIM", "PFA")
    spacing = np.array([grid.row_spacing_m, grid.col_spacing_m])
    plain, off = sicd_metadata(image, replace(description, polar_plane=False)), []
    for target in far.scene.to_ecef(FAR):
        at, without = (sarkit.sicd.xrowycol_to_rowcol(t, sarkit.sicd.scene_to_image(t, target)[0]) for t in (tree, plain))
        found = np.array(grid.from_scene(measure_point(pixels, grid, grid.to_scene(*at)).position_m))
        assert (found - at) * spacing == pytest.approx([0.0, 0.0], abs=2e-3)
        off.append(np.linalg.norm((found - without) * spacing))
    assert max(off) > 0.015


def test_polar_formats_own_plane_is_refused_between_ground_and_slant():
    near = orbital_collection()
    with pytest.raises(InputError) as refusal:
        form_pixels(near.history, plane(near, "between"), Method.POLAR_PLANE)
    assert refusal.value.field == "grid"
