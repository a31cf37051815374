"""CPHD (NGA.STND.0068) 1.0.1 and 1.1.0, written: a collection in the FX domain, one channel. sarkit frames the bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO

import lxml.etree
import numpy as np
import numpy.typing as npt
import sarkit.cphd

from kizuna.errors import InputError, Message
from kizuna.formats.dwell_times import dwell_times
from kizuna.formats.marking import UNCLASSIFIED, Marking
from kizuna.model.instants import Instant, instant_of
from kizuna.sar.collection import Collection, track_of
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.collection import ErrorStatistics, Waveform

__all__ = ["CHANNEL", "Apertures", "Area", "apertures_of", "area_of", "error_statistics", "write_cphd", "write_samples"]

type Floats = npt.NDArray[np.float64]

_sarkit: Any = sarkit.cphd

CHANNEL = "1"
"""Identifier of the channel of a file that kizuna writes."""

_NAMESPACES = {version: f"http://api.nsgreg.nga.mil/schema/cphd/{version}" for version in ("1.0.1", "1.1.0")}
_CODES = {"H": "H", "V": "V", "R": "RHC", "L": "LHC"}
# CPHD asks that 1.2 times the saved swath fit between the repetitions that the frequency step makes.
_SWATH_OVERSAMPLING = 1.25
_ROWS_A_BLOCK = 256
_PVP = (
    ("TxTime", "f8", ()), ("TxPos", "f8", (3,)), ("TxVel", "f8", (3,)), ("RcvTime", "f8", ()), ("RcvPos", "f8", (3,)),
    ("RcvVel", "f8", (3,)), ("SRPPos", "f8", (3,)), ("aFDOP", "f8", ()), ("aFRR1", "f8", ()), ("aFRR2", "f8", ()),
    ("FX1", "f8", ()), ("FX2", "f8", ()), ("TOA1", "f8", ()), ("TOA2", "f8", ()), ("TDTropoSRP", "f8", ()),
    ("SC0", "f8", ()), ("SCSS", "f8", ()), ("SIGNAL", "i8", ()),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Apertures:
    """Where and when a pulse was sent and its echo heard, in ECEF.

    Parameters
    ----------
    start
        Instant that the times count from.
    sent_s, heard_s
        Middle of the pulse leaving, and of its echo from the reference point arriving, shape (pulses,).
    sent_m, heard_m, velocity_m_s
        Antenna at both, and its velocity, shape (pulses, 3).
    points_m
        Reference points, shape (pulses, 3).
    """

    start: Instant
    sent_s: Floats
    heard_s: Floats
    sent_m: Floats
    heard_m: Floats
    velocity_m_s: Floats
    points_m: Floats


@dataclass(frozen=True, slots=True)
class Area:
    """Imaged area: a rectangle about the scene's zero on its horizontal plane.

    Parameters
    ----------
    away, across
        Unit vectors in the scene's frame: on the ground away from the radar, and to the left of that.
    lengths_m
        Along each.
    corners_deg
        Latitude, longitude of the corners, shape (4, 2), clockwise on the map.
    """

    away: Floats
    across: Floats
    lengths_m: tuple[float, float]
    corners_deg: Floats


def apertures_of(collection: Collection) -> Apertures:
    """Sending and hearing of each pulse of a collection that gives the place midway between.

    Parameters
    ----------
    collection
        With times.

    Notes
    -----
    The antenna moves with the velocity of the smoothed track while an echo is on its way, so that the middle of both places
    is the pulse's own. Where the first pulse would have been sent before the start, the start moves by whole microseconds.
    """
    history, scene = collection.history, collection.scene
    track = track_of(history)
    times = np.asarray(history.times_s)
    velocity = track.at(times, derivative=1)
    one_way_s = np.linalg.norm(history.positions_m - collection.points_m, axis=-1) / SPEED_OF_LIGHT_M_S
    before_us = max(0, math.ceil(-1e6 * float((times - one_way_s).min())))
    shifted = times + 1e-6 * before_us
    half = velocity * one_way_s[:, None]
    return Apertures(
        start=instant_of(collection.start - timedelta(microseconds=before_us)),
        sent_s=np.maximum(shifted - one_way_s, 0.0),
        heard_s=shifted + one_way_s,
        sent_m=scene.to_ecef(history.positions_m - half),
        heard_m=scene.to_ecef(history.positions_m + half),
        velocity_m_s=scene.direction_to_ecef(velocity),
        points_m=scene.to_ecef(collection.points_m),
    )


def area_of(collection: Collection) -> Area:
    """Imaged area of a collection: what was asked for, else what its sampling tells apart."""
    history, scene = collection.history, collection.scene
    x, y, _ = -history.centre_position_m
    away = np.array([x, y, 0.0]) / math.hypot(x, y)
    across = np.cross([0.0, 0.0, 1.0], away)
    lengths = collection.extent_m
    if lengths is None:
        on_ground = math.cos(history.grazing_rad)
        swath_m = history.unambiguous_range_m / _SWATH_OVERSAMPLING / on_ground
        step_rad = history.aperture_rad / history.pulses
        across_m = SPEED_OF_LIGHT_M_S / (2.0 * history.centre_frequency_hz * on_ground * step_rad) / _SWATH_OVERSAMPLING
        side = min(swath_m, across_m) / math.sqrt(2.0)
        lengths = side, side
    # Clockwise on the map: near right, near left, far left, far right, seen along `away`.
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * 0.5 * np.asarray(lengths)
    latitude, longitude, _height = scene.to_geodetic(corners[:, :1] * away + corners[:, 1:] * across)
    return Area(away, across, lengths, np.degrees(np.stack([latitude, longitude], axis=-1)))


def error_statistics(errors: ErrorStatistics) -> dict[str, Any]:
    """Error statistics as SICD and CPHD have them, along the axes radial, in-track, cross-track."""
    names = ("P1", "P2", "P3", "V1", "V2", "V3")
    return {
        "Monostatic": {
            "PosVelErr": {
                "Frame": "RIC_ECF",
                **dict(zip(names, (*errors.position_m, *errors.velocity_m_s), strict=True)),
            },
            "RadarSensor": {"RangeBias": errors.range_bias_m},
        }
    }


def write_cphd(
    file: BinaryIO,
    collection: Collection,
    *,
    produced: Instant,
    marking: Marking = UNCLASSIFIED,
    version: str = "1.1.0",
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a collection as CPHD in the FX domain.

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
    version
        ``"1.0.1"`` or ``"1.1.0"``.
    progress
        Called with (pulses written, pulses in all).

    Raises
    ------
    InputError
        Another version, or a collection without times.

    Notes
    -----
    Samples are complex float32, SGN -1, so that `read_cphd` gives the same values back. One channel; dwell of every place is
    the whole collection where it does not say how long it lights one; delays of the atmosphere are zero.
    """
    if version not in _NAMESPACES:
        raise InputError(
            Message("CPHD {got} is not written; expected {expected}", {"got": version, "expected": ", ".join(_NAMESPACES)}),
            hint=Message("Name one of these versions."),
            field="version",
        )
    collection = collection.referred()
    apertures = apertures_of(collection)
    vectors = _vectors(collection, apertures)
    root = _metadata(collection, apertures, vectors, marking, (produced, version))
    writer = _sarkit.Writer(file, _sarkit.Metadata(xmltree=root.getroottree()))
    places = _sarkit.read_file_header(_rewound(file))[1]
    # sarkit's own writing of vectors needs a file descriptor; this room is handed any binary file.
    file.seek(int(places["PVP_BLOCK_BYTE_OFFSET"]))
    file.write(vectors.astype(vectors.dtype.newbyteorder(">")).tobytes())
    del writer
    file.seek(int(places["SIGNAL_BLOCK_BYTE_OFFSET"]))
    write_samples(file, collection.history.samples, progress)


def _rewound(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file


def write_samples(file: BinaryIO, samples: npt.NDArray[np.complex64], progress: Callable[[int, int], None] | None = None) -> None:
    """Write samples as big-endian complex float32 in blocks."""
    for first in range(0, len(samples), _ROWS_A_BLOCK):
        block = samples[first : first + _ROWS_A_BLOCK]
        file.write(np.ascontiguousarray(block, ">c8").data)
        if progress is not None:
            progress(first + len(block), len(samples))


def _vectors(collection: Collection, apertures: Apertures) -> npt.NDArray[Any]:
    history = collection.history
    found = np.zeros(history.pulses, np.dtype([(name, kind, shape) for name, kind, shape in _PVP]))
    found["TxTime"], found["RcvTime"] = apertures.sent_s, apertures.heard_s
    found["TxPos"], found["RcvPos"] = apertures.sent_m, apertures.heard_m
    found["TxVel"] = found["RcvVel"] = apertures.velocity_m_s
    found["SRPPos"] = apertures.points_m
    rates = [
        ((position - apertures.points_m) * apertures.velocity_m_s).sum(axis=-1)
        / np.linalg.norm(position - apertures.points_m, axis=-1)
        for position in (apertures.sent_m, apertures.heard_m)
    ]
    found["aFDOP"] = -(rates[0] + rates[1]) / SPEED_OF_LIGHT_M_S
    if collection.waveform is not None:
        found["aFRR2"] = 2.0 / (SPEED_OF_LIGHT_M_S * collection.waveform.chirp_hz_s)
        found["aFRR1"] = found["aFRR2"] * history.centre_frequency_hz
    found["FX1"], found["FX2"] = history.frequencies_hz[0], history.frequencies_hz[-1]
    found["SC0"], found["SCSS"] = history.frequencies_hz[0], history.frequency_step_hz
    found["TOA2"] = 0.5 / history.frequency_step_hz / _SWATH_OVERSAMPLING
    found["TOA1"] = -found["TOA2"]
    found["SIGNAL"] = 1
    return found


def _metadata(
    collection: Collection,
    apertures: Apertures,
    vectors: npt.NDArray[Any],
    marking: Marking,
    made: tuple[Instant, str],
) -> lxml.etree._Element:
    produced, version = made
    history, namespace = collection.history, _NAMESPACES[version]
    area = area_of(collection)
    fixed = bool((apertures.points_m == apertures.points_m[0]).all())
    swath = float(vectors["TOA1"][0]), float(vectors["TOA2"][0])
    band = float(history.frequencies_hz[0]), float(history.frequencies_hz[-1])
    middle = history.pulses // 2
    dwell = "whole" if collection.dwell_s is None else "beam"
    root = lxml.etree.fromstring(f'<CPHD xmlns="{namespace}"/>')
    cphd = _sarkit.ElementWrapper(root)
    identity = {
        "CollectorName": collection.sensor,
        "CoreName": collection.name,
        "CollectType": "MONOSTATIC",
        "RadarMode": {"ModeType": collection.mode.value} | ({"ModeID": collection.mode_name} if collection.mode_name else {}),
        "Classification": marking.classification,
        "ReleaseInfo": marking.release,
    }
    cphd["CollectionID"] = identity | ({"Parameter": list(collection.notes)} if collection.notes else {})
    cphd["Global"] = {
        "DomainType": "FX",
        "SGN": -1,
        "Timeline": {
            "CollectionStart": apertures.start,
            "TxTime1": float(vectors["TxTime"][0]),
            "TxTime2": float(vectors["TxTime"][-1]),
        },
        "FxBand": {"FxMin": band[0], "FxMax": band[1]},
        "TOASwath": {"TOAMin": swath[0], "TOAMax": swath[1]},
    }
    cphd["SceneCoordinates"] = _scene(collection, area)
    cphd["Data"] = {
        "SignalArrayFormat": "CF8",
        "NumBytesPVP": vectors.dtype.itemsize,
        "NumCPHDChannels": 1,
        "Channel": [
            {
                "Identifier": CHANNEL,
                "NumVectors": history.pulses,
                "NumSamples": len(history.frequencies_hz),
                "SignalArrayByteOffset": 0,
                "PVPArrayByteOffset": 0,
            }
        ],
        "NumSupportArrays": 0,
    }
    sent, heard = (_CODES.get(letter, "UNSPECIFIED") for letter in history.polarisation)
    parameters: dict[str, Any] = {
        "Identifier": CHANNEL,
        "RefVectorIndex": middle,
        "FXFixed": True,
        "TOAFixed": True,
        "SRPFixed": fixed,
        "SignalNormal": True,
        "Polarization": {"TxPol": sent, "RcvPol": heard},
        "FxC": 0.5 * (band[0] + band[1]),
        "FxBW": band[1] - band[0],
        "TOASaved": swath[1] - swath[0],
        "DwellTimes": {"CODId": dwell, "DwellId": dwell},
    }
    if collection.waveform is not None:
        parameters["TxRcv"] = {"TxWFId": ["wave"], "RcvId": ["receiver"]}
    if collection.radiometry is not None:
        parameters["TgtRefLevel"] = {"PTRef": 1.0 / collection.radiometry.rcs_m2}
        parameters["NoiseLevel"] = {"PNRef": collection.radiometry.noise_power, "BNRef": 1.0}
    cphd["Channel"] = {
        "RefChId": CHANNEL,
        "FXFixedCPHD": True,
        "TOAFixedCPHD": True,
        "SRPFixedCPHD": fixed,
        "Parameters": [parameters],
    }
    cphd["PVP"] = _sarkit.dtype_to_pvp_element(namespace, vectors.dtype)
    cphd["Dwell"] = dwell_times(collection, apertures, area, dwell)
    cphd["ReferenceGeometry"] = _sarkit.compute_reference_geometry(root.getroottree(), vectors)
    if collection.waveform is not None:
        cphd["TxRcv"] = _waveform(collection.waveform, history.centre_frequency_hz, (sent, heard), swath[1] - swath[0])
    if collection.errors is not None:
        cphd["ErrorParameters"] = error_statistics(collection.errors)
    cphd["ProductInfo"] = {"CreationInfo": [{"Application": "kizuna", "DateTime": produced}]}
    return root


def _scene(collection: Collection, area: Area) -> dict[str, Any]:
    history, scene = collection.history, collection.scene
    on_ground = math.cos(history.grazing_rad)
    cells = (
        SPEED_OF_LIGHT_M_S / (2.0 * history.bandwidth_hz * on_ground),
        SPEED_OF_LIGHT_M_S / (2.0 * history.centre_frequency_hz * on_ground * history.aperture_rad),
    )
    counts = tuple(max(1, round(length / cell)) for length, cell in zip(area.lengths_m, cells, strict=True))
    half = tuple(0.5 * length for length in area.lengths_m)
    return {
        "EarthModel": "WGS_84",
        "IARP": {
            "ECF": scene.to_ecef(np.zeros(3)),
            "LLH": (scene.origin.latitude_deg, scene.origin.longitude_deg, scene.origin.height_m),
        },
        "ReferenceSurface": {
            "Planar": {"uIAX": scene.direction_to_ecef(area.away), "uIAY": scene.direction_to_ecef(area.across)}
        },
        "ImageArea": {"X1Y1": (-half[0], -half[1]), "X2Y2": half},
        "ImageAreaCornerPoints": area.corners_deg,
        "ImageGrid": {
            "IARPLocation": (0.5 * (counts[0] - 1), 0.5 * (counts[1] - 1)),
            "IAXExtent": {"LineSpacing": area.lengths_m[0] / counts[0], "FirstLine": 0, "NumLines": counts[0]},
            "IAYExtent": {"SampleSpacing": area.lengths_m[1] / counts[1], "FirstSample": 0, "NumSamples": counts[1]},
        },
    }


def _waveform(wave: Waveform, centre_hz: float, polarisations: tuple[str, str], swath_s: float) -> dict[str, Any]:
    return {
        "NumTxWFs": 1,
        "TxWFParameters": [
            {
                "Identifier": "wave",
                "PulseLength": wave.pulse_s,
                "RFBandwidth": abs(wave.chirp_hz_s) * wave.pulse_s,
                "FreqCenter": centre_hz,
                "LFMRate": wave.chirp_hz_s,
                "Polarization": polarisations[0],
            }
        ],
        "NumRcvs": 1,
        "RcvParameters": [
            {
                "Identifier": "receiver",
                "WindowLength": wave.pulse_s + swath_s,
                "SampleRate": wave.sample_rate_hz,
                "IFFilterBW": wave.sample_rate_hz,
                "FreqCenter": centre_hz,
                "Polarization": polarisations[1],
            }
        ],
    }
