"""What files say of how they were observed, against their own metadata."""

from __future__ import annotations

import io
import math

import pytest
import rasterio
import sarkit.sicd

from kizuna.formats.geotiff_observation import read_geotiff_observation
from kizuna.formats.sentinel1_names import parse_sentinel1_name
from kizuna.formats.sicd_observation import read_sicd_observation
from kizuna.model.instants import format_instant
from kizuna.model.observation import FrequencyBand, Grid, OrbitState, Side

S1_IMAGE = "s1a-iw-grd-vh-20180716t055016-20180716t055041-022812-027933-002-cog.tiff"
S1_PRODUCT = "S1A_IW_GRDH_1SDV_20180716T055016_20180716T055041_022812_027933_0C17.SAFE"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "mode", "band", "state"),
    [
        ("cropped_sicd_120.nitf", "SL", FrequencyBand.X, OrbitState.DESCENDING),
        ("cropped_sicd_110.nitf", "SL", FrequencyBand.X, OrbitState.DESCENDING),
        ("sicd_50x50.nitf", "16M11", FrequencyBand.C, OrbitState.ASCENDING),
    ],
)
def test_a_sicd_against_its_own_xml(real_sicd, name, mode, band, state):
    with real_sicd(name).open("rb") as file:
        observed = read_sicd_observation(file)
        file.seek(0)
        told = sarkit.sicd.XmlHelper(sarkit.sicd.NitfReader(file).metadata.xmltree).load
    assert (observed.radar.instrument_mode, observed.radar.frequency_band, observed.orbit.state) == (mode, band, state)
    assert observed.radar.side is Side.RIGHT
    assert told("./{*}SCPCOA/{*}SideOfTrack") == "R"
    assert observed.radar.polarisations == ("HH",)
    assert observed.radar.centre_frequency_hz == pytest.approx(
        (told("./{*}RadarCollection/{*}TxFrequency/{*}Min") + told("./{*}RadarCollection/{*}TxFrequency/{*}Max")) / 2, rel=1e-3
    )
    assert observed.radar.resolution_azimuth_m == told("./{*}Grid/{*}Col/{*}ImpRespWid")
    # The processor's own figures; it takes the vertical of another height or plane into them at the last digits.
    incidence_deg = told("./{*}SCPCOA/{*}IncidenceAng")
    assert math.degrees(observed.viewing.incidence_rad) == pytest.approx(incidence_deg, abs=1e-4)
    # From the scene to the platform and back again differ by half a turn and by how the meridians converge: a few degrees.
    back_deg = math.degrees(observed.viewing.azimuth_rad) - told("./{*}SCPCOA/{*}AzimAng")
    assert abs(back_deg % 360 - 180) < 8
    # Law of sines in the triangle of platform, scene and the Earth's centre; on a sphere, hence a tenth of a degree.
    platform, scene = (
        float((told(f"./{{*}}{path}") ** 2).sum()) ** 0.5 for path in ("SCPCOA/{*}ARPPos", "GeoData/{*}SCP/{*}ECF")
    )
    spherical_deg = math.degrees(math.asin(math.sin(observed.viewing.incidence_rad) * scene / platform))
    assert math.degrees(observed.viewing.off_nadir_rad) == pytest.approx(spherical_deg, abs=0.2)


def test_an_airborne_radar_has_no_orbit(small_sicd):
    observed = read_sicd_observation(io.BytesIO(small_sicd))
    assert observed.orbit.state is None
    assert observed.radar.frequency_band is FrequencyBand.X
    assert observed.processing.software == (("kizuna", "unknown"),)


def test_a_damaged_member_is_left_out_and_the_rest_stays(small_sicd):
    wrong = small_sicd.replace(b"<SS>", b"<S5>", 1).replace(b"</SS>", b"</S5>", 1)
    observed, whole = read_sicd_observation(io.BytesIO(wrong)), read_sicd_observation(io.BytesIO(small_sicd))
    assert (observed.radar.spacing_range_m, whole.radar.spacing_range_m) == (None, 0.25)
    assert observed.radar.spacing_azimuth_m == whole.radar.spacing_azimuth_m


def test_a_geotiff_s_grid_is_rasterio_s(ramp):
    observed, event = read_geotiff_observation(io.BytesIO(ramp), "a.tif")
    with rasterio.MemoryFile(ramp) as memory, memory.open() as dataset:
        expected = Grid("EPSG:32643", dataset.shape, tuple(dataset.transform)[:6], tuple(dataset.bounds))
    assert observed.grid == expected
    assert event is None


def test_sentinel_1_s_tags_and_the_name_that_agrees_with_them(sentinel):
    observed, event = read_geotiff_observation(io.BytesIO(sentinel), S1_IMAGE)
    assert (observed.radar.instrument_mode, observed.radar.product_type, observed.processing.level) == ("IW", "GRD", "L1")
    assert observed.radar.polarisations == ("VH",)
    assert (observed.orbit.absolute, observed.orbit.relative) == (22812, 165)
    assert observed.processing.software == (("Sentinel-1 IPF", "002.91"),)
    assert observed.grid == Grid(shape=(837, 1280))
    assert [format_instant(t)[:19] for t in (event.begin, event.end)] == ["2018-07-16T05:50:16", "2018-07-16T05:50:41"]


@pytest.mark.parametrize(
    "name", ["a.tif", S1_IMAGE.replace("s1a", "s1b"), S1_IMAGE.replace("20180716t055041", "20180231t000000")]
)
def test_a_name_that_does_not_agree_counts_for_nothing(sentinel, name):
    observed, event = read_geotiff_observation(io.BytesIO(sentinel), name)
    assert (event, observed.orbit.absolute, observed.radar.polarisations) == (None, None, ())
    assert observed.radar.instrument_mode == "IW"


def test_a_name_alone_counts_for_nothing(ramp):
    observed, event = read_geotiff_observation(io.BytesIO(ramp), S1_IMAGE)
    assert (event, observed.orbit.absolute, observed.radar.frequency_band) == (None, None, None)


def test_names_of_sentinel_1():
    found = parse_sentinel1_name(S1_PRODUCT)
    assert (found.polarisations, found.level, found.product_type, found.mode) == (("VV", "VH"), "L1", "GRD", "IW")
    assert parse_sentinel1_name(S1_PRODUCT.replace("1SDV", "1SXV")) is None
    assert parse_sentinel1_name(S1_PRODUCT.replace("S1A", "S1C")).relative_orbit is None
