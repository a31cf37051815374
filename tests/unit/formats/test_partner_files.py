"""SIDD, Sentinel-1 SAFE, CPHD and CRSD: what they say, against their own metadata and other readers; and broken ones."""

from __future__ import annotations

import io
import math
import zipfile

import lxml.etree
import numpy as np
import pytest
import rasterio
import rasterio.warp
import sarkit.cphd
import sarkit.crsd
import shapely
from simulators import partner_files

from kizuna.errors import InputError
from kizuna.formats import media_types, safe
from kizuna.formats.phase_history import read_phase_history_summary
from kizuna.formats.safe import read_safe_amplitude, read_safe_summary
from kizuna.formats.sidd import is_sidd, read_sidd_amplitude, read_sidd_summary, sidd_ground_points
from kizuna.kinds import imagery, phase_history
from kizuna.kinds.registry import sniff
from kizuna.model.instants import format_instant
from kizuna.model.observation import FrequencyBand, Orbit, OrbitState, Side
from kizuna.model.product import Asset, AssetRole
from kizuna.release.decision import ObligationKind

METRES_A_DEGREE = 111_320.0


@pytest.fixture(scope="module")
def package():
    return partner_files.safe()


@pytest.fixture(scope="module")
def annotation():
    members = partner_files.safe_metadata()
    return lxml.etree.fromstring(next(data for name, data in members.items() if "-vv-" in name))


@pytest.fixture(scope="module")
def sidd():
    real = partner_files.SHARED / "sicd" / "cropped_sidd.nitf"
    if not real.exists():
        pytest.skip("cropped_sidd.nitf of six-library is not at hand: it is not shipped with kizuna (LGPL)")
    return real


# ---- Sentinel-1 SAFE


def test_a_safe_says_what_its_own_metadata_say(package, annotation):
    found = read_safe_summary(io.BytesIO(package))
    radar, observed = found.observation.radar, found.observation
    assert (found.name, found.sensor, found.is_complex) == (partner_files.SAFE_NAME, "Sentinel-1B", False)
    assert format_instant(found.collected.begin) == annotation.findtext("adsHeader/startTime") + "Z"
    assert format_instant(found.collected.end) == annotation.findtext("adsHeader/stopTime") + "Z"
    assert format_instant(found.produced) == "2021-04-01T07:03:17Z"
    assert (radar.instrument_mode, radar.product_type, radar.polarisations) == ("IW", "GRD", ("VH", "VV"))
    assert radar.centre_frequency_hz == float(annotation.findtext("generalAnnotation/productInformation/radarFrequency"))
    assert (radar.frequency_band, radar.side, radar.looks_range, radar.looks_azimuth) == (FrequencyBand.C, Side.RIGHT, 5, 1)
    assert (radar.spacing_range_m, radar.spacing_azimuth_m) == (10.0, 10.0)
    assert observed.orbit == Orbit(OrbitState.DESCENDING, 168, 26269, "2016-025A")
    assert observed.processing.software == (("Sentinel-1 IPF", "003.31"),)


def test_a_safe_s_angles_are_those_that_its_processor_wrote(package, annotation):
    """Ours are from the orbit's vectors, theirs from the processor's own geometry; the vertical is the ellipsoid's in both."""
    found = read_safe_summary(io.BytesIO(package)).observation.viewing
    points = annotation.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    numbers = {name: sorted({int(p.findtext(name)) for p in points}) for name in ("line", "pixel")}
    middle = {name: of[len(of) // 2] for name, of in numbers.items()}
    (at,) = (p for p in points if all(int(p.findtext(name)) == number for name, number in middle.items()))
    assert math.degrees(found.incidence_rad) == pytest.approx(float(at.findtext("incidenceAngle")), abs=0.05)
    assert math.degrees(found.off_nadir_rad) == pytest.approx(float(at.findtext("elevationAngle")), abs=0.1)
    # Looking right of a track that runs towards 194 degrees.
    heading_deg = float(annotation.findtext("generalAnnotation/productInformation/platformHeading"))
    assert math.degrees(found.azimuth_rad) == pytest.approx((heading_deg + 90.0) % 360.0, abs=3.0)


def test_a_safe_s_outline_is_that_of_its_geolocation_grid(package, annotation):
    points = annotation.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    grid = shapely.MultiPoint([(float(p.findtext("longitude")), float(p.findtext("latitude"))) for p in points]).convex_hull
    outline = shapely.Polygon(read_safe_summary(io.BytesIO(package)).footprint_lonlat_deg)
    assert outline.exterior.is_ccw
    # The manifest's corners lie on the ellipsoid, the grid's on the ground of the Alps: up to 4 km apart.
    assert shapely.hausdorff_distance(outline, grid) * METRES_A_DEGREE < 4000.0


def test_a_safe_s_map_has_the_bright_square_where_the_grid_has_it(package, annotation):
    summary = imagery.summarise(io.BytesIO(package), "a.zip")
    line, pixel = 3 * 16685 // 16, 3 * 25788 // 16  # its middle, at full size
    points = annotation.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")
    near = sorted(points, key=lambda p: math.hypot(int(p.findtext("line")) - line, int(p.findtext("pixel")) - pixel))[:4]
    with rasterio.MemoryFile(summary.detected_cog) as memory, memory.open() as dataset:
        pixels = np.nan_to_num(dataset.read(1))
        rows, cols = np.nonzero(pixels > 1000.0)
        x, y = dataset.transform @ (cols.mean() + 0.5, rows.mean() + 0.5)
        (lon,), (lat,) = rasterio.warp.transform(dataset.crs, "EPSG:4326", [x], [y])
    weights = [1.0 / (1.0 + math.hypot(int(p.findtext("line")) - line, int(p.findtext("pixel")) - pixel)) for p in near]
    for name, got in (("longitude", lon), ("latitude", lat)):
        low, high = (f(float(p.findtext(name)) for p in near) for f in (min, max))
        assert low <= got <= high
    assert len(weights) == 4
    assert summary.quicklook_png.startswith(b"\x89PNG")


def test_a_safe_is_known_by_its_first_bytes_and_goes_nowhere_under_detected_only(package):
    kind, media_type = sniff(package[:4096], partner_files.Path("anything"))
    assert (kind, media_type) == (imagery, media_types.SAFE)
    original = Asset(AssetRole.ORIGINAL, "a.zip", media_type, "sha256:" + "0" * 64, 1)
    detected = Asset(AssetRole.DETECTED, "a.tif", media_types.COG, "sha256:" + "0" * 64, 1)
    assert imagery.redact([original, detected], [ObligationKind.DETECTED_ONLY]) == (detected,)
    assert imagery.reducible([original, detected])[-1] is detected


@pytest.mark.parametrize(
    ("changed", "is_complex"),
    [
        (lambda members: members, False),
        (lambda members: members | {f"{partner_files.SAFE_NAME}/preview/quick-look.png": b"x"}, False),
        (lambda members: members | {f"{partner_files.SAFE_NAME}/measurement/s1b-iw-slc-vv.tiff": b"x"}, True),
        (lambda members: members | {"other.tiff": b"x"}, True),
        (lambda members: {n: d.replace(b">Detected<", b">Complex<") if "-vh-" in n else d for n, d in members.items()}, True),
    ],
)
def test_a_package_may_hold_phase_unless_all_of_it_is_told_to_be_detected(changed, is_complex):
    data = partner_files.packed(changed(partner_files.safe_members(64, 96)))
    assert read_safe_summary(io.BytesIO(data)).is_complex is is_complex


def without(name):
    return {key: data for key, data in partner_files.safe_members(20, 30).items() if name not in key}


@pytest.mark.parametrize(
    ("members", "match"),
    [
        (lambda: without("manifest"), "no SAFE package: it holds 0 manifest"),
        (lambda: {**without("nothing"), "other/manifest.safe": b"<a/>"}, "it holds 2 manifest"),
        (lambda: without("/annotation/"), "only Level-1 SLC and GRD"),
        (
            lambda: {n: d.replace(b"startTime>2021", b"startTime>x021") for n, d in without("nothing").items()},
            "when it was observed",
        ),
        (
            lambda: {n: d.replace(b"gml:coordinates>45", b"gml:coordinates>95") for n, d in without("nothing").items()},
            "where it lies",
        ),
        (lambda: {n: d[: len(d) // 2] if n.endswith(".xml") else d for n, d in without("nothing").items()}, "not XML"),
        (lambda: {n: b"<!DOCTYPE a>" + d if n.endswith(".safe") else d for n, d in without("nothing").items()}, "document type"),
    ],
)
def test_a_faulty_package_says_what_is_wrong(members, match):
    with pytest.raises(InputError, match=match):
        read_safe_summary(io.BytesIO(partner_files.packed(members())))


@pytest.mark.parametrize(
    ("members", "match"),
    [
        (lambda: without("/measurement/"), "holds no image"),
        (lambda: {n: d[:-300] if n.endswith(".tiff") else d for n, d in without("nothing").items()}, "TIFF"),
        (
            lambda: {
                n: partner_files.tiff(partner_files.band(9, 9)) if n.endswith(".tiff") else d
                for n, d in without("nothing").items()
            },
            "9 x 9 pixels, its annotation says 20 x 30",
        ),
    ],
)
def test_a_package_without_its_image_says_so(members, match):
    with pytest.raises(InputError, match=match):
        read_safe_amplitude(io.BytesIO(partner_files.packed(members())))


def test_a_member_that_unpacks_to_more_than_the_limit_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(safe, "_MOST_METADATA_BYTES", 100_000)
    members = without("nothing")
    name = next(n for n in members if n.endswith("manifest.safe"))
    members[name] = b"<a>" + b" " * 50_000_000
    with pytest.raises(InputError, match="larger than 100000 bytes"):
        read_safe_summary(io.BytesIO(partner_files.packed(members)))


def test_a_package_of_too_many_files_or_of_encrypted_ones_is_refused():
    with pytest.raises(InputError, match="holds 4100 files"):
        read_safe_summary(io.BytesIO(partner_files.packed({f"{n}": b"" for n in range(4100)}, how=zipfile.ZIP_STORED)))
    package = bytearray(partner_files.packed(without("nothing")))
    at = -1
    # The flag of every member, in the archive's directory (APPNOTE 4.3.12).
    while (at := package.find(b"PK\x01\x02", at + 1)) >= 0:
        package[at + 8] |= 1
    with pytest.raises(InputError, match="encrypted"):
        read_safe_summary(io.BytesIO(bytes(package)))


def test_a_name_that_leads_out_of_the_package_leads_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read_safe_summary(io.BytesIO(partner_files.packed({**without("nothing"), "../../escaped": b"x", "/etc/escaped": b"x"})))
    assert list(tmp_path.iterdir()) == []
    assert not (tmp_path.parent.parent / "escaped").exists()


# ---- SIDD


def test_a_sidd_s_outline_is_its_own(sidd):
    """The corners that its producer wrote are the centres of the outer pixels; to the digits that it wrote them with, 0.1 mm."""
    with sidd.open("rb") as file:
        assert is_sidd(file)
        summary = read_sidd_summary(file)
    tree = lxml.etree.fromstring(sidd.read_bytes()[sidd.read_bytes().index(b"<SIDD") :].partition(b"</SIDD>")[0] + b"</SIDD>")
    told = [[float(v.findtext(f"{{*}}{name}")) for name in ("Lat", "Lon")] for v in tree.findall(".//{*}Footprint/{*}Vertex")]
    with sidd.open("rb") as file:
        _, _, latitude, longitude = sidd_ground_points(file, points=2)
    ours = list(zip(latitude, longitude, strict=True))
    for corner in told:
        assert min(math.dist(corner, one) for one in ours) * METRES_A_DEGREE < 1e-4
    centre = shapely.Polygon(summary.footprint_lonlat_deg).buffer(1e-12)
    assert all(centre.contains(shapely.Point(lon, lat)) for lat, lon in told)


# sarpy 2.1.1: project_image_to_ground_geo(..., projection_type="PLANE") of the same pixels; degrees.
SARPY = {
    (0, 0): (47.89905019, 12.22980197),
    (0, 4): (47.89902036, 12.22979502),
    (4, 4): (47.89902503, 12.22975067),
    (4, 0): (47.89905486, 12.22975762),
    (2, 2): (47.89903761, 12.22977632),
}


def test_a_sidd_s_pixels_lie_where_another_implementation_has_them(sidd):
    with sidd.open("rb") as file:
        found = sidd_ground_points(file, points=3)
    ours = {(row, col): (latitude, longitude) for row, col, latitude, longitude in zip(*found, strict=True)}
    for pixel, place in SARPY.items():
        # To the digits written down: a millimetre.
        assert ours[pixel] == pytest.approx(place, abs=6e-9)


def test_a_sidd_says_what_its_own_metadata_say(sidd):
    with sidd.open("rb") as file:
        summary = read_sidd_summary(file)
    observed = summary.observation
    assert (summary.sensor, summary.shape, summary.classification) == ("TSX-1", (5, 5), "U")
    assert format_instant(summary.collected.begin) == "2008-01-27T05:17:45.588000Z"
    assert (observed.radar.polarisations, observed.radar.side, observed.orbit.state) == (
        ("HH",),
        Side.RIGHT,
        OrbitState.DESCENDING,
    )
    # It says 90 - 42.824 degrees of graze at its reference point; its middle lies 7.5 km nearer to the track.
    assert math.degrees(observed.viewing.incidence_rad) == pytest.approx(47.176, abs=0.6)


def test_a_sidd_s_pixels_come_through_and_onto_the_map(sidd):
    data = partner_files.sidd(sidd)
    pixels = read_sidd_amplitude(io.BytesIO(data))
    expected = np.clip(partner_files.band(60, 50) / 10.0, 1, 255).astype(np.uint8)
    assert (pixels == expected).all()
    assert imagery.validate(io.BytesIO(data)).valid
    found = imagery.extract(io.BytesIO(data), "a.nitf")
    assert (found.media_type, found.complex_data) == (media_types.SIDD, False)
    summary = imagery.summarise(io.BytesIO(data), "a.nitf")
    with rasterio.MemoryFile(summary.detected_cog) as memory, memory.open() as dataset:
        bounds = rasterio.warp.transform_bounds(dataset.crs, "EPSG:4326", *dataset.bounds)
    outline = shapely.Polygon(found.footprint.ring)
    # Bounds in UTM, whose north is 2 degrees off here, around whole pixels.
    assert bounds == pytest.approx(outline.bounds, abs=4 / METRES_A_DEGREE)


def test_a_sidd_that_says_more_pixels_than_it_has_asks_for_no_room(sidd):
    data = sidd.read_bytes()
    wrong = data.replace(b"<si:Row>5</si:Row>", b"<si:Row>9e9</si:Row>", 1)[: len(data)]
    with pytest.raises(InputError):
        read_sidd_amplitude(io.BytesIO(wrong))


# ---- CPHD and CRSD


@pytest.mark.parametrize(
    ("make", "reader", "mode", "pair"),
    [
        (partner_files.cphd, sarkit.cphd.Reader, "SPOTLIGHT", "VH"),
        (partner_files.crsd, sarkit.crsd.Reader, "SM", "VV"),
    ],
)
def test_phase_history_says_what_its_own_metadata_say(make, reader, mode, pair):
    data = make()
    with reader(io.BytesIO(data)) as theirs:
        tree = theirs.metadata.xmltree
    found = read_phase_history_summary(io.BytesIO(data))
    observed = found.observation
    assert found.classification == tree.findtext(".//{*}Classification") == "UNCLASSIFIED"
    assert found.release == "UNRESTRICTED"
    corners = {(float(p.findtext("{*}Lon")), float(p.findtext("{*}Lat"))) for p in tree.findall(".//{*}IACP")}
    assert set(found.footprint_lonlat_deg) == corners
    assert shapely.Polygon(found.footprint_lonlat_deg).exterior.is_ccw
    assert (observed.radar.instrument_mode, observed.radar.polarisations, observed.radar.side) == (mode, (pair,), Side.LEFT)
    assert observed.radar.frequency_band is FrequencyBand.X
    assert math.degrees(observed.viewing.incidence_rad) == pytest.approx(partner_files.INCIDENCE_DEG, abs=1e-6)


def test_phase_history_lasts_from_the_first_pulse_to_the_last():
    found = read_phase_history_summary(io.BytesIO(partner_files.cphd()))
    assert [format_instant(t) for t in (found.collected.begin, found.collected.end)] == [
        "2022-12-05T18:41:24.551402Z",
        "2022-12-05T18:41:27.551402Z",
    ]


def test_phase_history_is_a_kind_of_its_own_of_which_nothing_less_goes():
    kind, media_type = sniff(partner_files.crsd()[:64], partner_files.Path("x"))
    assert (kind, media_type) == (phase_history, media_types.CRSD)
    original = Asset(AssetRole.ORIGINAL, "a.crsd", media_type, "sha256:" + "0" * 64, 1)
    for obligation in ObligationKind:
        beside = {
            ObligationKind.CAVEAT,
            ObligationKind.REMARK,
            ObligationKind.NO_ONWARD,
            ObligationKind.DELAY,
            ObligationKind.PURPOSE,
        }
        assert phase_history.redact([original], [obligation]) == ((original,) if obligation in beside else ())
    assert phase_history.redact([original], ["unheard-of"]) == ()
    assert phase_history.reducible([original]) == ()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (lambda: partner_files.cphd()[:-1], "the SIGNAL block ends at byte"),
        (lambda: partner_files.cphd()[:600], "XML block ends at byte"),
        (lambda: b"CPHD/1.1.0\n" + b"X := 1\n" * 20_000, "header does not end"),
        (lambda: partner_files.cphd().replace(b"XML_BLOCK_SIZE := ", b"XML_BLOCK_SIZE := -", 1), "no place and size of the XML"),
        (lambda: partner_files.cphd(start="yesterday"), "when it was observed"),
        (lambda: partner_files.cphd(corners=((0.0, 0.0), (0.0, 1.0))), "has 2 corners"),
        (lambda: partner_files.cphd(corners=((91.0, 0.0), (0.0, 1.0), (1.0, 1.0))), "a corner of its image area is none"),
        (lambda: partner_files.phase_history("CPHD", "1.1.0", b"<CPHD>"), "not XML"),
    ],
)
def test_faulty_phase_history_says_what_is_wrong(data, match):
    with pytest.raises(InputError, match=match):
        read_phase_history_summary(io.BytesIO(data()))
    verdict = phase_history.validate(io.BytesIO(data()))
    assert not verdict.valid
