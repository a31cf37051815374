"""CRSD (NGA.STND.0080) 1.0, written: the signal that a receiver would have heard of a collection, a chirp for each pulse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import lxml.etree
import numpy as np
import numpy.typing as npt
import sarkit.crsd
import scipy.fft

from kizuna.formats.cphd_write import Apertures, apertures_of, area_of
from kizuna.formats.dwell_times import dwell_times
from kizuna.formats.marking import UNCLASSIFIED, Marking
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.formats.cphd_write import Area
    from kizuna.model.instants import Instant
    from kizuna.sar.collection import Collection
    from kizuna.sar.history import PhaseHistory

__all__ = ["write_crsd"]

type Floats = npt.NDArray[np.float64]

_sarkit: Any = sarkit.crsd

_NAMESPACE = "http://api.nsgreg.nga.mil/schema/crsd/1.0"
_CHANNEL, _SEQUENCE = "1", "1"
_PULSE_S = 10e-6
_SAMPLING = 1.25
_PULSES = 64
_FLAT = 3  # rows, columns of an antenna pattern that says nothing, and samples of a flat response
_FLAT_BYTES = {"response": 8 * _FLAT, "array": 8 * _FLAT**2, "element": 8 * _FLAT**2}


@dataclass(frozen=True, slots=True)
class _Recording:
    """How the receiver samples: a window as long as the history's unambiguous time and a pulse together.

    Parameters
    ----------
    rate_hz, count
        Samples a second and a window.
    pulse_s, chirp_hz_s
        Length of the pulse and rate of its modulation; it spans the history's band.
    start_s
        Of each window, after the collection's start, shape (pulses,); whole samples apart.
    """

    rate_hz: float
    count: int
    pulse_s: float
    chirp_hz_s: float
    start_s: Floats


def write_crsd(
    file: BinaryIO,
    collection: Collection,
    *,
    produced: Instant,
    marking: Marking = UNCLASSIFIED,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a collection as CRSDsar: one transmit sequence, one channel, complex float32.

    Parameters
    ----------
    file
        Open binary file, writable and seekable, at its start.
    collection
        With times; autofocus, if wanted, applied.
    produced
        Instant written as the file's date.
    marking
        What its label says.
    progress
        Called with (pulses written, pulses in all).

    Raises
    ------
    InputError
        A collection without times.

    Notes
    -----
    Each profile of the history is convolved with a chirp of the history's band; what waveform, if known, gives its length and the
    sign of its rate. The reference phase of transmitter and receiver is 0 at the middle of a pulse and at the first sample of a
    window. Antenna patterns are flat: the history holds what came of them.
    """
    collection = collection.referred()
    apertures = apertures_of(collection)
    recording = _recording(collection, apertures)
    pulses, vectors = _pulses(collection, apertures, recording), _vectors(collection, apertures, recording)
    root = _metadata(collection, apertures, recording, (pulses, vectors), marking, produced)
    writer = _sarkit.Writer(file, _sarkit.Metadata(xmltree=root.getroottree()))
    file.seek(0)
    places = _sarkit.read_file_header(file)[1]
    # sarkit's own writing of arrays needs a file descriptor; this room is handed any binary file.
    for block, data in (
        ("SUPPORT", bytes(sum(_FLAT_BYTES.values()))),
        ("PPP", pulses.astype(pulses.dtype.newbyteorder(">")).tobytes()),
        ("PVP", vectors.astype(vectors.dtype.newbyteorder(">")).tobytes()),
    ):
        file.seek(int(places[f"{block}_BLOCK_BYTE_OFFSET"]))
        file.write(data)
    del writer
    file.seek(int(places["SUPPORT_BLOCK_BYTE_OFFSET"]))
    # Amplitude 1, phase 0: the response is flat.
    file.write(np.tile(np.array([1.0, 0.0], ">f4"), _FLAT).tobytes())
    file.seek(int(places["SIGNAL_BLOCK_BYTE_OFFSET"]))
    for first in range(0, len(pulses), _PULSES):
        last = min(first + _PULSES, len(pulses))
        file.write(np.ascontiguousarray(_heard(collection.history, apertures, recording, first, last), ">c8").data)
        if progress is not None:
            progress(last, len(pulses))


def _recording(collection: Collection, apertures: Apertures) -> _Recording:
    history, wave = collection.history, collection.waveform
    pulse_s = _PULSE_S if wave is None else wave.pulse_s
    rising = wave is None or wave.chirp_hz_s > 0.0
    step = history.frequency_step_hz
    rate = scipy.fft.next_fast_len(math.ceil(_SAMPLING * len(history.frequencies_hz))) * step
    window_s = 1.0 / step + pulse_s
    wanted = 0.5 * (apertures.sent_s + apertures.heard_s) + 0.5 * (apertures.heard_s - apertures.sent_s) - 0.5 * window_s
    start = wanted[0] + np.rint((wanted - wanted[0]) * rate) / rate
    chirp = history.bandwidth_hz / pulse_s * (1.0 if rising else -1.0)
    return _Recording(rate, math.ceil(window_s * rate), pulse_s, chirp, start)


def _heard(
    history: PhaseHistory, apertures: Apertures, recording: _Recording, first: int, last: int
) -> npt.NDArray[np.complex64]:
    """Samples of pulses, shape (n, count)."""
    count, step = len(history.frequencies_hz), history.frequency_step_hz
    length = scipy.fft.next_fast_len(recording.count + math.ceil(recording.pulse_s * recording.rate_hz))
    # The profile lies about the reference range; between the history's frequencies its spectrum is a trigonometric polynomial.
    profile = scipy.fft.fftshift(scipy.fft.ifft(history.samples[first:last], axis=1), axes=1)
    late_s = (np.arange(count) - count // 2) / (count * step)
    bins = scipy.fft.fftfreq(length, 1.0 / recording.rate_hz)
    within = np.flatnonzero(np.abs(bins) <= 0.5 * history.bandwidth_hz)
    offset_hz = bins[within] + history.centre_frequency_hz - history.frequencies_hz[0]
    spectrum = profile @ np.exp(-2j * math.pi * np.outer(late_s, offset_hz))
    times = np.arange(math.ceil(recording.pulse_s * recording.rate_hz)) / recording.rate_hz - 0.5 * recording.pulse_s
    chirp = scipy.fft.fft(np.exp(1j * math.pi * recording.chirp_hz_s * times**2), length)[within]
    # By both ways: the antenna moves on while an echo is on its way, a fraction of a millimetre of range.
    ways = [np.linalg.norm(one - apertures.points_m, axis=-1)[first:last] for one in (apertures.sent_m, apertures.heard_m)]
    delay_s = (ways[0] + ways[1]) / SPEED_OF_LIGHT_M_S
    # From the leading edge of the first sample's echo to that of the reference point's.
    lead_s = apertures.sent_s[first:last] + delay_s - 0.5 * recording.pulse_s - recording.start_s[first:last]
    turns = -lead_s[:, None] * bins[within] - (history.centre_frequency_hz * (lead_s + 0.5 * recording.pulse_s) % 1.0)[:, None]
    whole = np.zeros((last - first, length), complex)
    whole[:, within] = spectrum * chirp * np.exp(2j * math.pi * turns)
    return np.asarray(scipy.fft.ifft(whole, axis=1)[:, : recording.count], np.complex64)


def _split(values: Floats, into: npt.NDArray[Any]) -> None:
    """Write times or phases as whole numbers and fractions."""
    into["Int"] = np.floor(values)
    into["Frac"] = values - np.floor(values)


def _frame(positions_m: Floats, point_m: Floats) -> tuple[Floats, Floats]:
    """Unit vectors of horizontal and vertical polarisation towards a point: the antenna's own axes."""
    across, upwards, _away = _sarkit.compute_h_v_los_unit_vectors(positions_m, np.broadcast_to(point_m, positions_m.shape))
    return np.asarray(across), np.asarray(upwards)


def _pulses(collection: Collection, apertures: Apertures, recording: _Recording) -> npt.NDArray[Any]:
    history = collection.history
    kind = _sarkit.get_defined_ppp_dtype(_NAMESPACE)
    found = np.zeros(history.pulses, np.dtype([(name, kind[name]) for name in kind.names if name != "XMIndex"]))
    _split(apertures.sent_s, found["TxTime"])
    found["TxPos"], found["TxVel"] = apertures.sent_m, apertures.velocity_m_s
    half = 0.5 * history.bandwidth_hz
    found["FX1"], found["FX2"] = history.centre_frequency_hz - half, history.centre_frequency_hz + half
    found["TXmt"], found["FxFreq0"], found["FxRate"] = recording.pulse_s, history.centre_frequency_hz, recording.chirp_hz_s
    found["TxRadInt"] = 1.0
    found["TxACX"], found["TxACY"] = _frame(apertures.sent_m, collection.scene.to_ecef(np.zeros(3)))
    return found


def _vectors(collection: Collection, apertures: Apertures, recording: _Recording) -> npt.NDArray[Any]:
    history = collection.history
    found = np.zeros(history.pulses, _sarkit.get_defined_pvp_dtype(_NAMESPACE))
    _split(recording.start_s, found["RcvStart"])
    found["RcvPos"] = apertures.heard_m + apertures.velocity_m_s * (recording.start_s - apertures.heard_s)[:, None]
    found["RcvVel"] = apertures.velocity_m_s
    half = 0.5 * history.bandwidth_hz
    found["FRCV1"], found["FRCV2"] = history.centre_frequency_hz - half, history.centre_frequency_hz + half
    found["RefFreq"] = history.centre_frequency_hz
    found["RcvACX"], found["RcvACY"] = _frame(found["RcvPos"], collection.scene.to_ecef(np.zeros(3)))
    found["SIGNAL"], found["AmpSF"] = 1, 1.0
    found["TxPulseIndex"] = np.arange(history.pulses)
    return found


def _seconds(value: npt.NDArray[Any]) -> float:
    return float(value["Int"]) + float(value["Frac"])


def _polarisation(letter: str, ways: tuple[Floats, Floats, Floats], point_m: Floats, sign: int) -> dict[str, Any]:
    axes = (1.0, 0.0) if letter == "H" else (0.0, 1.0)
    amplitude_h, amplitude_v, phase_h, phase_v = _sarkit.compute_h_v_pol_parameters(*ways, point_m, sign, *axes, 0.0, 0.0)
    return {
        "PolarizationID": letter if letter in "HV" else "UNSPECIFIED",
        "AmpH": float(amplitude_h),
        "AmpV": float(amplitude_v),
        "PhaseH": float(phase_h),
        "PhaseV": float(phase_v),
    }


def _metadata(
    collection: Collection,
    apertures: Apertures,
    recording: _Recording,
    arrays: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    marking: Marking,
    produced: Instant,
) -> lxml.etree._Element:
    pulses, vectors = arrays
    history, area = collection.history, area_of(collection)
    point, middle = collection.scene.to_ecef(np.zeros(3)), history.pulses // 2
    band = float(pulses["FX1"][0]), float(pulses["FX2"][0])
    sent = tuple(_seconds(pulses["TxTime"][index]) for index in (0, -1))
    heard = tuple(_seconds(vectors["RcvStart"][index]) for index in (0, -1))
    letters = (history.polarisation + "HH")[:2]
    dwell = "whole" if collection.dwell_s is None else "beam"
    reference = {"ECF": point, "IAC": (0.0, 0.0)}
    root = lxml.etree.fromstring(f'<CRSDsar xmlns="{_NAMESPACE}"/>')
    crsd = _sarkit.ElementWrapper(root)
    notes = {"Parameter": list(collection.notes)} if collection.notes else {}
    crsd["ProductInfo"] = {
        "ProductName": collection.name,
        "Classification": marking.classification,
        "ReleaseInfo": marking.release,
        "CreationInfo": [{"Application": "kizuna", "DateTime": produced}],
    } | notes
    mode = {"ModeType": collection.mode.value} | ({"ModeID": collection.mode_name} if collection.mode_name else {})
    crsd["SARInfo"] = {"CollectType": "MONOSTATIC", "RadarMode": mode}
    crsd["TransmitInfo"] = crsd["ReceiveInfo"] = {"SensorName": collection.sensor, "EventName": collection.name}
    crsd["Global"] = {
        "CollectionRefTime": apertures.start,
        "Transmit": {"TxTime1": sent[0], "TxTime2": sent[1], "FxMin": band[0], "FxMax": band[1]},
        "Receive": {"RcvStartTime1": heard[0], "RcvStartTime2": heard[1], "FrcvMin": band[0], "FrcvMax": band[1]},
    }
    crsd["SceneCoordinates"] = _scene(collection, area)
    crsd["Data"] = _data(len(pulses), pulses.dtype.itemsize, vectors.dtype.itemsize, recording.count)
    ways = [
        (array[f"{side}Pos"][middle], array[f"{side}ACX"][middle], array[f"{side}ACY"][middle])
        for array, side in ((pulses, "Tx"), (vectors, "Rcv"))
    ]
    transmitted = _polarisation(letters[0], ways[0], point, 1)
    crsd["TxSequence"] = {
        "RefTxId": _SEQUENCE,
        "TxWFType": "LFM",
        "Parameters": [
            {
                "Identifier": _SEQUENCE,
                "RefPulseIndex": middle,
                "FxResponseId": "response",
                "FxBWFixed": True,
                "FxC": 0.5 * (band[0] + band[1]),
                "FxBW": band[1] - band[0],
                "TXmtMin": recording.pulse_s,
                "TXmtMax": recording.pulse_s,
                "TxTime1": sent[0],
                "TxTime2": sent[1],
                "TxAPCId": "sent",
                "TxAPATId": "sent",
                "TxRefPoint": reference,
                "TxPolarization": transmitted,
                "TxRefRadIntensity": 1.0,
                "TxRadIntErrorStdDev": 0.0,
                "TxRefLAtm": 1.0,
            }
        ],
    }
    noise = 1e-12 if collection.radiometry is None else max(collection.radiometry.noise_power, 1e-12)
    crsd["Channel"] = {
        "RefChId": _CHANNEL,
        "Parameters": [
            {
                "Identifier": _CHANNEL,
                "RefVectorIndex": middle,
                "RefFreqFixed": True,
                "FrcvFixed": True,
                "SignalNormal": True,
                "F0Ref": history.centre_frequency_hz,
                "Fs": recording.rate_hz,
                "BWInst": band[1] - band[0],
                "RcvStartTime1": heard[0],
                "RcvStartTime2": heard[1],
                "FrcvMin": band[0],
                "FrcvMax": band[1],
                "RcvAPCId": "heard",
                "RcvAPATId": "heard",
                "RcvRefPoint": reference,
                "RcvPolarization": _polarisation(letters[1], ways[1], point, -1),
                "RcvRefIrradiance": 1.0,
                "RcvIrradianceErrorStdDev": 0.0,
                "RcvRefLAtm": 1.0,
                "PNCRSD": noise,
                "BNCRSD": (band[1] - band[0]) / recording.rate_hz,
                "SARImage": {
                    "TxId": _SEQUENCE,
                    "RefVectorPulseIndex": middle,
                    "TxPolarization": transmitted,
                    "DwellTimes": {"Polynomials": {"CODId": dwell, "DwellId": dwell}},
                    "ImageArea": _rectangle(area),
                },
            }
        ],
    }
    crsd["DwellPolynomials"] = dwell_times(collection, apertures, area, dwell)
    geometry = _sarkit.compute_reference_geometry(root.getroottree(), pvps=vectors, ppps=pulses)
    root.insert(len(root) - 1, geometry)  # before the dwell polynomials
    patterns = [
        {"Identifier": name, "ElementFormat": "Gain=F4;Phase=F4;", "X0": -1.0, "Y0": -1.0, "XSS": 1.0, "YSS": 1.0}
        for name in ("array", "element")
    ]
    response = {
        "Identifier": "response",
        "ElementFormat": "Amp=F4;Phase=F4;",
        "Fx0FXR": band[0],
        "FxSSFXR": (band[1] - band[0]) / (_FLAT - 1),
    }
    crsd["SupportArray"] = {"GainPhaseArray": patterns, "FxResponseArray": [response]}
    crsd["PPP"] = _sarkit.dtype_to_ppp_element(_NAMESPACE, pulses.dtype)
    crsd["PVP"] = _sarkit.dtype_to_pvp_element(_NAMESPACE, vectors.dtype)
    crsd["Antenna"] = _antenna(letters, history.centre_frequency_hz)
    return root


def _rectangle(area: Area) -> dict[str, Any]:
    x, y = (0.5 * length for length in area.lengths_m)
    return {"X1Y1": (-x, -y), "X2Y2": (x, y), "Polygon": np.array([(-x, -y), (-x, y), (x, y), (x, -y)])}


def _scene(collection: Collection, area: Area) -> dict[str, Any]:
    scene = collection.scene
    return {
        "EarthModel": "WGS_84",
        "IARP": {
            "ECF": scene.to_ecef(np.zeros(3)),
            "LLH": (scene.origin.latitude_deg, scene.origin.longitude_deg, scene.origin.height_m),
        },
        "ReferenceSurface": {
            "Planar": {"uIAX": scene.direction_to_ecef(area.away), "uIAY": scene.direction_to_ecef(area.across)}
        },
        "ImageArea": _rectangle(area),
        "ImageAreaCornerPoints": area.corners_deg,
    }


def _data(pulses: int, pulse_bytes: int, vector_bytes: int, samples: int) -> dict[str, Any]:
    arrays, offset = [], 0
    for name, rows in (("response", 1), ("array", _FLAT), ("element", _FLAT)):
        arrays.append({"SAId": name, "NumRows": rows, "NumCols": _FLAT, "BytesPerElement": 8, "ArrayByteOffset": offset})
        offset += _FLAT_BYTES[name]
    return {
        "Support": {"NumSupportArrays": len(arrays), "SupportArray": arrays},
        "Transmit": {
            "NumBytesPPP": pulse_bytes,
            "NumTxSequences": 1,
            "TxSequence": [{"TxId": _SEQUENCE, "NumPulses": pulses, "PPPArrayByteOffset": 0}],
        },
        "Receive": {
            "SignalArrayFormat": "CF8",
            "NumBytesPVP": vector_bytes,
            "NumCRSDChannels": 1,
            "Channel": [
                {
                    "ChId": _CHANNEL,
                    "NumVectors": pulses,
                    "NumSamples": samples,
                    "SignalArrayByteOffset": 0,
                    "PVPArrayByteOffset": 0,
                }
            ],
        },
    }


def _antenna(letters: str, centre_hz: float) -> dict[str, Any]:
    sides = ("sent", "heard")
    return {
        "NumACFs": 2,
        "NumAPCs": 2,
        "NumAPATs": 2,
        "AntCoordFrame": [{"Identifier": side} for side in sides],
        "AntPhaseCenter": [{"Identifier": side, "ACFId": side, "APCXYZ": (0.0, 0.0, 0.0)} for side in sides],
        "AntPattern": [
            {
                "Identifier": side,
                "FreqZero": centre_hz,
                "ArrayGPId": "array",
                "ElemGPId": "element",
                "EBFreqShift": {"DCXSF": 0.0, "DCYSF": 0.0},
                "MLFreqDilation": {"DCXSF": 0.0, "DCYSF": 0.0},
                "GainBSPoly": np.array([0.0]),
                "AntPolRef": {
                    "AmpX": 1.0 if letter == "H" else 0.0,
                    "AmpY": 0.0 if letter == "H" else 1.0,
                    "PhaseX": 0.0,
                    "PhaseY": 0.0,
                },
            }
            for side, letter in zip(sides, letters, strict=True)
        ],
    }
