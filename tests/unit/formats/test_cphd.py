"""CPHD out and in again, as its checker and as others read it, and damaged."""

import io
from dataclasses import replace

import numpy as np
import pytest
import sarkit.cphd
from lxml import etree
from sarkit.verification import CphdConsistency
from simulators.collections import START, orbital_collection

from kizuna.errors import InputError
from kizuna.formats.cphd import cphd_channels, even_frequencies, read_cphd
from kizuna.formats.cphd_write import write_cphd
from kizuna.formats.marking import Marking
from kizuna.formats.nitf_security import NitfSecurity
from kizuna.sar.collection import Mode

POINTS = ((0.0, 0.0, 0.0), (30.0, -20.0, 5.0))


def written(collection, **named):
    out = io.BytesIO()
    write_cphd(out, collection, produced=START, **named)
    return out


def findings(file):
    file.seek(0)
    checker = CphdConsistency.from_file(file, thorough=True)
    checker.check()
    return [detail["details"] for result in checker.failures().values() for detail in result["details"] if not detail["passed"]]


@pytest.mark.parametrize(
    ("version", "mode", "known"),
    [("1.0.1", Mode.SPOTLIGHT, True), ("1.1.0", Mode.STRIPMAP, True), ("1.1.0", Mode.DYNAMIC_STRIPMAP, False)],
)
def test_checker_finds_nothing(version, mode, known):
    assert findings(written(replace(orbital_collection(known=known), mode=mode), version=version)) == []


def test_reads_back_what_was_written():
    collection = orbital_collection(POINTS)
    back = read_cphd(written(collection))
    assert np.array_equal(back.history.samples, collection.history.samples)
    assert back.history.frequencies_hz == pytest.approx(collection.history.frequencies_hz, abs=1e-3)
    assert back.history.positions_m == pytest.approx(collection.history.positions_m, abs=1e-7)
    assert back.history.reference_range_m == pytest.approx(collection.history.reference_range_m, abs=1e-7)
    absolute = [(one.start - START).total_seconds() + one.history.times_s for one in (back, collection)]
    assert absolute[0] == pytest.approx(absolute[1], abs=1e-9)
    for name in ("name", "sensor", "mode", "mode_name", "waveform", "radiometry", "errors", "notes"):
        assert getattr(back, name) == getattr(collection, name), name
    assert back.history.polarisation == "HH"


def test_a_point_is_heard_when_the_standard_says():
    """By CPHD's own words, from its own numbers: SGN, the two ways, the reference point; nothing of kizuna's reader."""
    collection = orbital_collection((POINTS[1],))
    with sarkit.cphd.Reader(io.BytesIO(written(collection).getvalue())) as reader:
        signal, pvp = reader.read_channel("1")
        signed = int(reader.metadata.xmltree.findtext("{*}Global/{*}SGN"))
    place = collection.scene.to_ecef(np.array(POINTS[1]))
    ways = [
        np.linalg.norm(pvp["TxPos"] - point, axis=-1) + np.linalg.norm(pvp["RcvPos"] - point, axis=-1)
        for point in (place, pvp["SRPPos"])
    ]
    late_s = (ways[0] - ways[1]) / 299_792_458.0
    frequency = pvp["SC0"][:, None] + pvp["SCSS"][:, None] * np.arange(signal.shape[1])
    assert np.abs(signal - np.exp(2j * np.pi * signed * frequency * late_s[:, None])).max() < 2e-3
    # Sent and heard half the way apart, at the antenna's own speed.
    flight = np.linalg.norm(pvp["RcvPos"] - pvp["TxPos"], axis=-1) / (pvp["RcvTime"] - pvp["TxTime"])
    assert flight == pytest.approx(np.linalg.norm(pvp["TxVel"], axis=-1), rel=1e-4)


def test_reference_ranges_go_into_the_samples():
    collection = orbital_collection(POINTS)
    moved = replace(
        collection, history=replace(collection.history, reference_range_m=collection.history.reference_range_m + 0.75)
    )
    phase = np.exp(-4j * np.pi * 0.75 / 299_792_458.0 * collection.history.frequencies_hz)
    back = read_cphd(written(moved)).history
    assert back.samples == pytest.approx(collection.history.samples * phase, abs=1e-5)


def test_moving_reference_points_come_back():
    collection = orbital_collection()
    points = np.linspace([-100.0, -50.0, 0.0], [100.0, 50.0, 0.0], collection.history.pulses)
    moving = replace(collection, reference_points_m=points)
    file = written(moving)
    assert findings(file) == []
    back = read_cphd(file)
    assert back.reference_points_m == pytest.approx(points, abs=1e-6)


def test_marking_stands_in_header_and_xml():
    file = written(orbital_collection(), marking=Marking("秘", "JPN; REL TO UKR", NitfSecurity("C")))
    _, pairs = sarkit.cphd.read_file_header(io.BytesIO(file.getvalue()))
    assert (pairs["CLASSIFICATION"], pairs["RELEASE_INFO"]) == ("秘", "JPN; REL TO UKR")
    assert findings(file) == []


def changed(collection, change, signal=None, vectors=None):
    """A file whose XML `change` alters, its arrays as given."""
    data = written(collection).getvalue()
    with sarkit.cphd.Reader(io.BytesIO(data)) as reader:
        tree, (old_signal, old_vectors) = reader.metadata.xmltree, reader.read_channel("1")
    change(tree)
    out = io.BytesIO()
    sarkit.cphd.Writer(out, sarkit.cphd.Metadata(xmltree=tree))
    _, pairs = sarkit.cphd.read_file_header(io.BytesIO(out.getvalue()))
    out.seek(int(pairs["PVP_BLOCK_BYTE_OFFSET"]))
    out.write((old_vectors if vectors is None else vectors).tobytes())
    out.seek(int(pairs["SIGNAL_BLOCK_BYTE_OFFSET"]))
    out.write((old_signal if signal is None else signal).tobytes())
    return out, old_signal, old_vectors


def put(path, text):
    def change(tree):
        tree.find(path).text = text

    return change


def test_other_sign_is_conjugate():
    collection = orbital_collection(POINTS)
    file, signal, _ = changed(collection, put("{*}Global/{*}SGN", "+1"))
    assert np.array_equal(read_cphd(file).history.samples, np.conj(signal))


@pytest.mark.parametrize(("form", "kind"), [("CI4", ">i2"), ("CI2", ">i1")])
def test_whole_numbers_are_read(form, kind):
    collection = orbital_collection(POINTS)
    signal = collection.history.samples
    whole = np.rint(np.stack([signal.real, signal.imag], axis=-1) * 50.0).astype(kind)
    file, *_ = changed(collection, put("{*}Data/{*}SignalArrayFormat", form), signal=whole)
    back = read_cphd(file).history.samples
    assert np.array_equal(back, (whole[..., 0] + 1j * whole[..., 1].astype(float)).astype(np.complex64))


def test_pulses_without_signal_or_numbers_are_left_out():
    collection = orbital_collection(POINTS)
    _, _, vectors = changed(collection, lambda _: None)
    vectors = vectors.copy()
    vectors["SIGNAL"][3] = 0
    vectors["TxPos"][5] = np.nan
    file, signal, _ = changed(collection, lambda _: None, vectors=vectors)
    back = read_cphd(file).history
    assert np.array_equal(back.samples, np.delete(signal, [3, 5], axis=0))
    assert len(back.times_s) == len(signal) - 2


def test_frequencies_that_differ_are_brought_onto_common_ones():
    """A scatterer's own phase is the truth; the outermost frequencies ring, as any finite band does."""
    pulses, length = 6, 256
    first = 9.6e9 + np.linspace(0.0, 3e6, pulses)
    step = 2e5 * (1.0 + np.linspace(0.0, 0.01, pulses))
    late_s = np.linspace(-1.1e-6, 1.2e-6, pulses)
    frequency = first[:, None] + step[:, None] * np.arange(length)
    # A taper, as every real receiver has: without one a band's end is a step, which rings far into it.
    taper = np.hanning(length)
    samples = (np.exp(-2j * np.pi * frequency * late_s[:, None]) * taper).astype(np.complex64)
    found, wanted = even_frequencies(samples, first, step, frequency[:, 0], frequency[:, -1])
    there = [np.interp(wanted, own, taper) for own in frequency]
    truth = np.exp(-2j * np.pi * wanted * late_s[:, None]) * there
    assert len(wanted) > 230
    assert np.abs(found - truth).max() < 1e-3


def test_only_the_band_that_holds_signal_is_kept():
    collection = orbital_collection(POINTS)
    _, _, vectors = changed(collection, lambda _: None)
    vectors = vectors.copy()
    frequency = collection.history.frequencies_hz
    vectors["FX1"], vectors["FX2"] = frequency[4] - 1.0, frequency[-3] + 1.0
    file, signal, _ = changed(collection, lambda _: None, vectors=vectors)
    back = read_cphd(file).history
    assert np.array_equal(back.samples, signal[:, 4:-2])
    assert back.frequencies_hz == pytest.approx(frequency[4:-2], abs=1e-3)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (put("{*}CollectionID/{*}CollectType", "BISTATIC"), "CollectionID.CollectType"),
        (put("{*}Global/{*}DomainType", "TOA"), "Global.DomainType"),
        (put("{*}Data/{*}Channel/{*}NumVectors", "40000000"), "file"),
        (put("{*}Data/{*}Channel/{*}NumSamples", "99999999999999999999"), "file"),
        (put("{*}PVP/{*}SC0/{*}Offset", "7000000"), "file"),
        (put("{*}PVP/{*}SC0/{*}Format", "S5"), "file"),
        (put("{*}SceneCoordinates/{*}IARP/{*}ECF/{*}X", "nan"), "file"),
        (put("{*}Global/{*}Timeline/{*}CollectionStart", "yesterday"), "file"),
        (put("{*}CollectionID/{*}RadarMode/{*}ModeType", "SCANSAR"), "file"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(change, field):
    # What the change makes longer, a note that is taken out makes shorter again, so that header and blocks stay as they are.
    data = written(replace(orbital_collection(), notes=(("room", "x" * 200),))).getvalue()
    begin, end = data.index(b"<CPHD"), data.index(b"</CPHD>") + len(b"</CPHD>")
    root = etree.fromstring(data[begin:end])
    root.find("{*}CollectionID").remove(root.find("{*}CollectionID/{*}Parameter"))
    change(root)
    whole = data[:begin] + etree.tostring(root).ljust(end - begin) + data[end:]
    with pytest.raises(InputError) as caught:
        read_cphd(io.BytesIO(whole))
    assert caught.value.field == field


def test_channels_are_named():
    file = written(orbital_collection())
    assert cphd_channels(file) == ("1",)
    with pytest.raises(InputError, match="has no channel '7'; it has 1") as caught:
        read_cphd(file, channel="7")
    assert caught.value.field == "channel"
