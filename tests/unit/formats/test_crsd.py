"""CRSD out and in again, as its checker has it, and what cannot be used."""

import io
from dataclasses import replace

import numpy as np
import pytest
import sarkit.crsd
from simulators.collections import START, orbital_collection

from kizuna.errors import InputError
from kizuna.formats.crsd import crsd_channels, read_crsd
from kizuna.formats.crsd_write import write_crsd
from kizuna.formats.marking import Marking
from kizuna.formats.nitf_security import NitfSecurity
from kizuna.formats.sar_files import Format, check_sar_file, read_sar_facts
from kizuna.sar.collection import Waveform

POINTS = ((0.0, 0.0, 0.0), (30.0, -20.0, 5.0))


def written(collection, **named):
    out = io.BytesIO()
    write_crsd(out, collection, produced=START, **named)
    return out


@pytest.mark.parametrize("polarisation", ["HH", "VH"])
def test_checker_finds_nothing(polarisation):
    collection = orbital_collection(POINTS)
    collection = replace(collection, history=replace(collection.history, polarisation=polarisation))
    file = written(collection, marking=Marking("秘", "JPN; REL TO UKR", NitfSecurity("C")))
    assert file.getvalue().startswith(b"CRSDsar/1.0\n")
    assert check_sar_file(file, Format.CRSD) == ()
    facts = read_sar_facts(file)
    assert (facts.format, facts.version, facts.classification, facts.channels) == (Format.CRSD, "1.0", "秘", ("1",))


def test_reads_back_what_was_written():
    """Through a chirp and out of it again: the same samples at the same frequencies, from the same places at the same times."""
    collection = orbital_collection(POINTS)
    back = read_crsd(written(collection))
    one, other = back.history, collection.history
    assert one.positions_m == pytest.approx(other.positions_m, abs=1e-3)
    absolute = [(found.start - START).total_seconds() + found.history.times_s for found in (back, collection)]
    assert absolute[0] == pytest.approx(absolute[1], abs=1e-6)
    assert one.frequencies_hz == pytest.approx(other.frequencies_hz, rel=1e-9)
    assert one.reference_range_m == pytest.approx(other.reference_range_m, abs=1e-5)
    # A window of forty-eight cells cuts off a little of every response; phase and place are untouched by that.
    alike = (one.samples * np.conj(other.samples)).sum(axis=1) / (np.abs(other.samples) ** 2).sum(axis=1)
    assert alike == pytest.approx(np.ones(len(alike)), abs=0.02)
    assert np.linalg.norm(one.samples - other.samples) < 0.05 * np.linalg.norm(other.samples)
    for name in ("name", "sensor", "mode", "mode_name", "notes"):
        assert getattr(back, name) == getattr(collection, name), name
    assert one.polarisation == "HH"


def test_a_sample_has_the_phase_that_the_standard_says():
    """From its own numbers: a chirp about TxTime, late by both ways, less the reference from RcvStart on; no reader of ours."""
    collection = orbital_collection((POINTS[0],), frequencies=256, bandwidth_hz=40e6)
    # A pulse that is no whole number of the carrier's cycles long.
    collection = replace(collection, waveform=Waveform(19.87e-6, -2e12, 50e6))
    with sarkit.crsd.Reader(io.BytesIO(written(collection).getvalue())) as reader:
        signal, pvp, ppp = reader.read_signal("1"), reader.read_pvps("1"), reader.read_ppps("1")
        rate = float(reader.metadata.xmltree.findtext("{*}Channel/{*}Parameters/{*}Fs"))
    vector = 7
    time = pvp["RcvStart"]["Int"][vector] + pvp["RcvStart"]["Frac"][vector] + np.arange(signal.shape[1]) / rate
    sent = ppp["TxTime"]["Int"][vector] + ppp["TxTime"]["Frac"][vector]
    place = collection.scene.to_ecef(np.zeros(3))
    ways = [np.linalg.norm(one - place) for one in (ppp["TxPos"][vector], pvp["RcvPos"][vector] + 0.0)]
    flight = pvp["RcvVel"][vector] * (sent + 2.0 * ways[0] / 299_792_458.0 - time[0])
    ways[1] = np.linalg.norm(pvp["RcvPos"][vector] + flight - place)
    late = time - sent - sum(ways) / 299_792_458.0
    carrier = ppp["FxFreq0"][vector]
    turns = carrier * late + 0.5 * ppp["FxRate"][vector] * late**2 - pvp["RefFreq"][vector] * (time - time[0])
    truth = np.where(np.abs(late) < 0.5 * ppp["TXmt"][vector], np.exp(2j * np.pi * (turns % 1.0)), 0.0)
    alike = np.vdot(truth, signal[vector]) / np.vdot(truth, truth)
    assert abs(alike) == pytest.approx(1.0, abs=0.03)
    assert abs(np.angle(alike)) < 0.05


def test_what_cannot_be_used_is_refused_by_name():
    data = written(orbital_collection(POINTS)).getvalue()
    assert crsd_channels(io.BytesIO(data)) == ("1",)
    with pytest.raises(InputError, match="has no channel '7'; it has 1"):
        read_crsd(io.BytesIO(data), channel="7")
    for old, new, field in (
        (b"<TxWFType>LFM<", b"<TxWFType>XM <", "TxSequence.TxWFType"),
        (b">MONOSTATIC<", b">BISTATIC  <", "SARInfo.CollectType"),
        (b"<NumBytesPVP>2", b"<NumBytesPVP>3", "file"),
        (b"<NumVectors>40<", b"<NumVectors>99<", "file"),
    ):
        assert data.count(old) == 1, old
        with pytest.raises(InputError) as caught:
            read_crsd(io.BytesIO(data.replace(old, new)))
        assert caught.value.field == field
