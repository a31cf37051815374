"""What radar files say of themselves, and the checks of them, one file of each format."""

import io
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from simulators.collections import START, orbital_collection, orbital_image

from kizuna.errors import InputError
from kizuna.formats.capella import read_capella
from kizuna.formats.cphd_write import write_cphd
from kizuna.formats.sar_files import Format, check_sar_file, format_of, read_sar_facts
from kizuna.formats.sicd import write_sicd
from kizuna.formats.sicd_metadata import describe_collection
from kizuna.formats.sidd_write import detected_image, write_sidd
from kizuna.model.observation import OrbitState, Side
from kizuna.sar.collection import Mode

CAPELLA = Path(__file__).parents[3].parent / "shared" / "data" / "sar" / "capella-metadata"


@pytest.fixture(scope="module")
def files():
    collection = orbital_collection()
    image = orbital_image(collection)
    description = describe_collection(collection, produced=START)
    made = {kind: io.BytesIO() for kind in (Format.SICD, Format.SIDD, Format.CPHD)}
    write_sicd(made[Format.SICD], image, description)
    write_sidd(made[Format.SIDD], detected_image(image, description))
    write_cphd(made[Format.CPHD], collection, produced=START)
    return made


@pytest.mark.parametrize(
    ("kind", "version", "shape"),
    [(Format.SICD, "1.4.0", (48, 40)), (Format.SIDD, "3.0.0", (96, 80)), (Format.CPHD, "1.1.0", (40, 48))],
)
def test_each_says_what_it_is(files, kind, version, shape):
    facts = read_sar_facts(files[kind])
    assert (facts.format, facts.version, facts.shape) == (kind, version, shape)
    assert (facts.name, facts.sensor) == ("port", "KZ-1")
    assert abs((facts.begin - START).total_seconds()) < 0.01
    assert facts.observation.radar.polarisations == ("HH",)
    assert np.degrees(facts.observation.viewing.incidence_rad) == pytest.approx(45.0, abs=0.1)
    assert np.mean(facts.footprint_lonlat_deg, axis=0) == pytest.approx([133.6, 33.5], abs=1e-4)
    assert check_sar_file(files[kind], kind) == ()


def test_gotcha_is_known():
    data = (resources.files("kizuna.samples") / "gotcha" / "data_3dsar_pass1_az001_HH.mat").read_bytes()
    assert read_sar_facts(io.BytesIO(data)).shape == (117, 424)


@pytest.mark.parametrize("name", ["sicd_50x50.nitf", "sicd_French_xml.nitf", "cropped_sicd_110.nitf", "cropped_sidd.nitf"])
def test_files_of_others_open(real_sicd, name):
    with real_sicd(name).open("rb") as file:
        facts = read_sar_facts(file)
        findings = check_sar_file(file, facts.format)
    assert facts.begin is not None
    assert facts.observation.radar.polarisations == ("HH",)
    # Whatever is found in them is told; nothing stumbles.
    assert all(": " in finding for finding in findings)


def test_a_time_beyond_all_calendars_is_refused_with_words(files):
    """Found by fuzzing: a number that no timedelta holds."""
    data = files[Format.CPHD].getvalue()
    begin, end = data.index(b"<TxTime2>") + 9, data.index(b"</TxTime2>")
    vast = data[:begin] + b"1e308".rjust(end - begin) + data[end:]
    with pytest.raises(InputError, match="does not say when it was observed"):
        read_sar_facts(io.BytesIO(vast))


def test_what_has_no_standard_is_not_checked():
    with pytest.raises(InputError, match="no standard"):
        check_sar_file(io.BytesIO(), Format.CAPELLA)


def test_another_file_is_refused():
    with pytest.raises(InputError, match="not a radar file that is known here"):
        format_of(io.BytesIO(b"%PDF-1.7"))


@pytest.fixture
def capella():
    def read(name):
        if not (CAPELLA / name).exists():
            pytest.skip("Capella's metadata are not at hand")
        return (CAPELLA / name).read_bytes()

    return read


def test_capella_s_own_angles_agree_with_its_orbit(capella):
    """Incidence from the state vectors and the target, by kizuna's geometry, against what the file says."""
    data = capella("CAPELLA_C17_SM_SLC_HH_20251103180619_20251103180628_extended.json")
    collect = read_capella(io.BytesIO(data))
    facts = read_sar_facts(io.BytesIO(data))
    assert (facts.format, facts.shape) == (Format.CAPELLA, (52270, 12354))
    observation = facts.observation
    assert observation.viewing.incidence_rad == pytest.approx(collect.incidence_rad, abs=2e-4)
    assert (collect.mode, collect.side, observation.orbit.state) == (Mode.STRIPMAP, Side.RIGHT, OrbitState.DESCENDING)
    assert (collect.polarisation, collect.nesz_db) == ("HH", pytest.approx(-22.04, abs=0.01))
    assert (collect.bandwidth_hz, collect.prf_hz) == pytest.approx((2.000e8, 7783.0), rel=1e-3)
    speed = np.linalg.norm(np.diff(collect.positions_ecef_m, axis=0), axis=1) / np.diff(collect.times_s)
    assert speed == pytest.approx(np.linalg.norm(collect.velocities_ecef_m_s[1:], axis=1), rel=1e-3)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda form: form.pop("collect"), "collect"),
        (lambda form: form["collect"]["radar"].pop("center_frequency"), "collect.radar.center_frequency"),
        (lambda form: form["collect"]["state"].update(state_vectors=[]), "collect.state.state_vectors"),
        (
            lambda form: form["collect"]["state"]["state_vectors"][0].update(position=[1, 2]),
            "collect.state.state_vectors[0].position",
        ),
        (lambda form: form["collect"].update(mode="sideways"), "collect.mode"),
    ],
)
def test_capella_faults_are_named(capella, change, field):
    form = json.loads(capella("CAPELLA_C17_SM_SLC_HH_20251103180619_20251103180628_extended.json"))
    change(form)
    with pytest.raises(InputError) as caught:
        read_capella(io.BytesIO(json.dumps(form).encode()))
    assert caught.value.field == field
