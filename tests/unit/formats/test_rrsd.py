"""Raw echoes in HDF5: a small file that h5py wrote, with one scatterer at a known place, and the real ALOS PALSAR cut."""

import contextlib
import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter
from simulators.strips import orbit_ecef_m

from kizuna.errors import InputError
from kizuna.formats.echoes import echo_channels, read_echoes
from kizuna.formats.hdf5 import Hdf5File
from kizuna.formats.rrsd import read_rrsd
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.strip import form_strip, looks_of, plan_strip

ROOT = Path(__file__).resolve().parents[3]
SMALL = (ROOT / "tests/vectors/rrsd/point.h5").read_bytes()
PLACE_ECEF_M = np.array([5381323.191678071, -51521.25271439272, 3411873.9949096204])
ALOS = ROOT.parent / "shared/data/sar/isce3/ALPSRP264757150-H1.0__A_HH_LINE4000-5000_RANGE0-2200.h5"


def test_a_scatterer_is_heard_where_it_is():
    """By the definition of phase history, from its true place: range to a hundredth of a cell, phase to 0.03 rad."""
    collection = read_rrsd(io.BytesIO(SMALL))
    history = collection.history
    assert (collection.sensor, history.polarisation, history.pulses) == ("SMALL", "HH", 48)
    assert f"{collection.start:%Y-%m-%d %H:%M:%S}" == "2020-02-29 00:00:10"
    away = np.linalg.norm(history.positions_m - collection.scene.from_ecef(PLACE_ECEF_M), axis=-1) - history.reference_range_m
    left = history.samples * np.exp(4j * math.pi / SPEED_OF_LIGHT_M_S * away[:, None] * history.frequencies_hz)
    # What is left is flat and real, but for the edges of the band.
    assert abs(np.angle(left.mean(axis=1))).max() < 0.03
    assert abs(left.mean()) == pytest.approx(1.0, abs=0.03)
    cycles = np.angle(left.mean(axis=0)) / (2.0 * math.pi)
    slope = np.polyfit(history.frequencies_hz - history.centre_frequency_hz, cycles, 1)[0] * SPEED_OF_LIGHT_M_S / 2.0
    assert abs(slope) < 0.01 * SPEED_OF_LIGHT_M_S / (2.0 * history.bandwidth_hz)


def test_the_antenna_is_where_the_orbit_is():
    """Between states ten seconds apart, against the orbit's closed form."""
    collection = read_rrsd(io.BytesIO(SMALL))
    found = collection.scene.to_ecef(collection.history.positions_m)
    assert np.abs(found - orbit_ecef_m(collection.history.times_s)).max() < 1e-3


def test_channels_and_what_is_none():
    assert echo_channels(io.BytesIO(SMALL)) == ("HH",)
    assert read_echoes(io.BytesIO(SMALL), channel="HH").history.polarisation == "HH"
    with pytest.raises(InputError, match="has no channel 'VV'; it has HH"):
        read_rrsd(io.BytesIO(SMALL), channel="VV")
    data = Hdf5File(io.BytesIO(SMALL))
    assert not data.has("science/LSAR/RRSD/swaths/frequencyB")
    assert data.names("science/LSAR") == ("RRSD", "identification")
    with pytest.raises(InputError, match="it has no science/none"):
        data.read("science/none")
    with pytest.raises(InputError, match="it is no HDF5"):
        Hdf5File(io.BytesIO(b"CPHD/1.1.0\n" + bytes(100)))
    with pytest.raises(InputError, match="version 2 of HDF5"):
        Hdf5File(io.BytesIO(SMALL[:8] + b"\x02" + SMALL[9:]))


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, len(SMALL) - 1), value=st.integers(0, 255), end=st.integers(1, len(SMALL)))
def test_damage_is_refused_or_harmless(at, value, end):
    data = bytearray(SMALL[: end if value % 4 == 0 else None])
    if at < len(data):
        data[at] = value
    with contextlib.suppress(InputError):
        read_rrsd(io.BytesIO(bytes(data)))


@pytest.mark.skipif(not ALOS.exists(), reason="the ALOS PALSAR cut (shared/data/sar/isce3) is not here")
def test_real_echoes_read_as_gdal_reads_them():
    name = "//science/LSAR/RRSD/lowRateTelemetry/orbit/velocity"
    with rasterio.open(f'HDF5:"{ALOS}":{name}') as dataset, ALOS.open("rb") as file:
        assert np.array_equal(dataset.read(1), Hdf5File(file).read(name))


@pytest.mark.skipif(not ALOS.exists(), reason="the ALOS PALSAR cut (shared/data/sar/isce3) is not here")
def test_real_echoes_focus():
    """The relief of the forest shows; not so in conjugate echoes, which no formation of these signs can focus."""
    with ALOS.open("rb") as file:
        collection = read_rrsd(file)
    plan = plan_strip(collection)
    # ALOS steers its beam to near zero Doppler; its antenna of 8.9 m makes a band of about 2 V / 8.9 m.
    assert abs(plan.doppler.centroid_at(plan.grid.range_m)) < 150.0
    assert plan.doppler.width_hz == pytest.approx(1600.0, rel=0.2)
    plan = replace(plan, grid=replace(plan.grid, rows=640, cols=233))
    history = collection.history
    spreads = [
        contrast(form_strip(replace(collection, history=replace(history, samples=samples)), plan).pixels)
        for samples in (history.samples, np.conj(history.samples))
    ]
    assert spreads[0] > 1.2 * spreads[1]


def contrast(pixels, looks=(6, 5)):
    """Spread of the power of looks over its mean in their neighbourhood."""
    power = looks_of(pixels, looks) ** 2
    return float(np.std(power / uniform_filter(power, (9, 9))))
