"""Raw stripmap echoes in HDF5 as NISAR lays them out (RRSD, level 0B), which isce3 writes of ALOS PALSAR too."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic, ecef_to_geodetic
from kizuna.errors import InputError, Message
from kizuna.formats.hdf5 import Hdf5File
from kizuna.model.instants import Instant, instant_of
from kizuna.sar.chirp import RawEchoes, compressed
from kizuna.sar.collection import Collection, Mode, Waveform, track_of
from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory
from kizuna.sar.strip_grid import StripGrid

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_rrsd", "rrsd_channels"]

type Floats = npt.NDArray[np.float64]

_ROOTS = ("science/LSAR/RRSD", "science/SSAR/RRSD", "science/LSAR/RSLC")
_FEWEST_PULSES, _FEWEST_SAMPLES = 16, 16
_STATES = 8


def rrsd_channels(file: BinaryIO) -> tuple[str, ...]:
    """Polarisations that a file holds, such as ``("HH", "HV")``.

    Raises
    ------
    InputError
        No such file, or a damaged one.
    """
    data = Hdf5File(file)
    return tuple(one[-2:] for one in _echoes(data))


def _echoes(data: Hdf5File) -> tuple[str, ...]:
    """Paths of the echoes."""
    root = next((root for root in _ROOTS if data.has(f"{root}/swaths")), None)
    found = []
    for band in () if root is None else data.names(f"{root}/swaths"):
        for sent in data.names(f"{root}/swaths/{band}"):
            path = f"{root}/swaths/{band}/{sent}"
            if not sent.startswith("tx"):
                continue
            for heard in data.names(path):
                pair = sent[-1] + heard[-1]
                if heard.startswith("rx") and data.has(f"{path}/{heard}/{pair}"):
                    found.append(f"{path}/{heard}/{pair}")
    if not found:
        raise _missing("swaths")
    return tuple(found)


def _missing(name: str) -> InputError:
    return InputError(
        Message("the HDF5 file holds no raw echoes: {name} is missing or of another kind", {"name": name}),
        hint=Message("Give level 0 data as NISAR lays them out (RRSD)."),
        field=name,
    )


def read_rrsd(file: BinaryIO, *, channel: str | None = None, progress: Callable[[int, int], None] | None = None) -> Collection:
    """Read and range-compress raw echoes.

    Parameters
    ----------
    file
        Open, seekable binary file.
    channel
        Polarisation, such as ``"HH"``; None for the first.
    progress
        Called with (pulses done, pulses in all).

    Returns
    -------
    Collection
        A strip; the zero of its scene is on the ellipsoid in the middle of what was heard, and its extent what was heard of
        whole pulses.

    Raises
    ------
    InputError
        No such file, a damaged one, or another channel.
    """
    data = Hdf5File(file)
    paths = _echoes(data)
    path = next((one for one in paths if channel in {None, one[-2:]}), None)
    if path is None:
        raise InputError(
            Message(
                "the file has no channel {got}; it has {names}",
                {"got": repr(channel), "names": ", ".join(one[-2:] for one in paths)},
            ),
            hint=Message("Name one of these channels."),
            field="channel",
        )
    sent = path.rsplit("/", 2)[0]
    shape = data.shape(path)
    times = _numbers(data, f"{sent}/UTCtime")
    ranges = _numbers(data, f"{sent}/slantRange")
    if len(shape) != 2 or shape != (len(times), len(ranges)) or shape[0] < _FEWEST_PULSES or shape[1] < _FEWEST_SAMPLES:  # noqa: PLR2004 # pulses, samples
        raise _missing(path)
    spacing = float(ranges[-1] - ranges[0]) / (len(ranges) - 1)
    if not (spacing > 0.0 and np.isfinite(times).all() and (np.diff(times) > 0.0).all() and ranges[0] > 0.0):
        raise _missing(f"{sent}/slantRange")
    epoch = _epoch(data, f"{sent}/UTCtime")
    start = epoch + timedelta(seconds=math.floor(float(times[0])))
    seconds = times - math.floor(float(times[0]))
    # A pulse is heard a little after it is sent: its place is that halfway.
    middle_m = 0.5 * float(ranges[0] + ranges[-1])
    heard_s = seconds + middle_m / SPEED_OF_LIGHT_M_S
    positions = _orbit(data, path.split("/swaths")[0], start, heard_s)
    scene, extent = _scene(data, positions, heard_s, ranges)
    duration, slope = (_number(data, f"{sent}/{name}") for name in ("chirpDuration", "chirpSlope"))
    stored, table = data.read(path), _table(data, path)

    def read(begin: int, end: int) -> npt.NDArray[np.complex64]:
        block = stored[begin:end]
        if block.dtype.names is None:
            return np.asarray(block, np.complex64)
        out = np.empty(block.shape, np.complex64)
        for part, name in ((out.real, block.dtype.names[0]), (out.imag, block.dtype.names[1])):
            part[...] = block[name] if table is None else table[block[name]]
        return out

    raw = RawEchoes(
        pulses=len(times),
        samples=len(ranges),
        read=read,
        sample_rate_hz=SPEED_OF_LIGHT_M_S / (2.0 * spacing),
        near_range_m=np.full(len(times), float(ranges[0])),
        centre_hz=_number(data, f"{sent}/centerFrequency"),
        chirp_hz_s=slope,
        pulse_s=duration,
        positions_m=scene.from_ecef(positions),
        times_s=heard_s,
        polarisation=path[-2:],
    )
    if not (duration > 0.0 and raw.bandwidth_hz > 0.0 and raw.centre_hz > raw.bandwidth_hz):
        raise _missing(f"{sent}/chirpSlope")
    sensor = "".join(_text(data, "science/LSAR/identification/missionId").split()) or "RRSD"
    return Collection(
        history=compressed(raw, progress=progress),
        scene=scene,
        start=start,
        name=f"{sensor}_{start:%Y%m%dT%H%M%S}_{path[-2:]}",
        sensor=sensor,
        mode=Mode.STRIPMAP,
        extent_m=extent,
        waveform=Waveform(duration, slope, raw.sample_rate_hz),
    )


def _numbers(data: Hdf5File, path: str) -> Floats:
    found = data.read(path) if data.has(path) else np.zeros(())
    if found.ndim != 1 or found.dtype.kind not in "iuf":
        raise _missing(path)
    return np.asarray(found, np.float64)


def _number(data: Hdf5File, path: str) -> float:
    found = data.read(path) if data.has(path) else np.zeros(0)
    if found.shape != () or found.dtype.kind not in "iuf" or not np.isfinite(found):
        raise _missing(path)
    return float(found)


def _text(data: Hdf5File, path: str) -> str:
    found = data.read(path) if data.has(path) else np.zeros(0)
    return bytes(found).split(b"\0")[0].decode("ascii", "replace") if found.shape == () and found.dtype.kind == "S" else ""


def _table(data: Hdf5File, path: str) -> npt.NDArray[np.float32] | None:
    """Values that the receiver's codes stand for, one for each of 65,536."""
    where = path.rsplit("/", 1)[0] + "/BFPQLUT"
    if not data.has(where):
        return None
    found = data.read(where)
    if found.shape != (1 << 16,) or found.dtype.kind != "f":
        raise _missing(where)
    # A code that stands for no number was not received.
    return np.nan_to_num(np.asarray(found, np.float32), nan=0.0, posinf=0.0, neginf=0.0)


def _epoch(data: Hdf5File, path: str) -> Instant:
    text = (data.text(path, "units") or "").removeprefix("seconds since ").strip()
    try:
        moment = datetime.fromisoformat(text[:26])
    except ValueError as error:
        raise _missing(path) from error
    return instant_of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _orbit(data: Hdf5File, root: str, start: Instant, seconds: Floats) -> Floats:
    """Antenna in ECEF, shape (n, 3), by Hermite's interpolation through the nearest states' positions and velocities."""
    from scipy.interpolate import KroghInterpolator

    path = f"{root}/lowRateTelemetry/orbit"
    times = _numbers(data, f"{path}/time") + (_epoch(data, f"{path}/time") - start).total_seconds()
    states = [np.asarray(data.read(f"{path}/{name}"), np.float64) for name in ("position", "velocity")]
    if any(one.shape != (len(times), 3) or not np.isfinite(one).all() for one in states):
        raise _missing(path)
    middle = float(seconds.mean())
    nearest = np.sort(np.argsort(np.abs(times - middle))[:_STATES])
    own = times[nearest] - middle
    if not (len(own) > 1 and (np.diff(own) > 0.0).all() and own[0] <= seconds[0] - middle and own[-1] >= seconds[-1] - middle):
        raise _missing(f"{path}/time")
    scale = float(np.abs(own).max())
    values = np.empty((2 * len(own), 3))
    values[::2], values[1::2] = states[0][nearest], states[1][nearest] * scale
    return np.asarray(KroghInterpolator(np.repeat(own / scale, 2), values)((seconds - middle) / scale), np.float64)


def _scene(data: Hdf5File, positions_ecef_m: Floats, times_s: Floats, ranges: Floats) -> tuple[LocalScene, tuple[float, float]]:
    """Scene in the middle of the swath on the ellipsoid, and how far it reaches on the ground along range and along the track."""
    latitude, longitude, _height = ecef_to_geodetic(positions_ecef_m[len(positions_ecef_m) // 2])
    below = LocalScene(Geodetic(float(latitude), float(longitude), 0.0))
    none = np.zeros(len(times_s))
    bare = PhaseHistory(
        np.zeros((len(times_s), 1), np.complex64), np.ones(1), below.from_ecef(positions_ecef_m), none, "XX", times_s=times_s
    )
    right = _text(data, "science/LSAR/identification/lookDirection").strip().lower() != "left"
    middle_s = 0.5 * float(times_s[0] + times_s[-1])
    grid = StripGrid(track_of(bare), below, 0.0, right, 1.0, middle_s, 1.0, 1.0, 1, 1)
    pulse_m = 0.5 * SPEED_OF_LIGHT_M_S * _first_pulse_s(data)
    places = grid.place(np.array([ranges[0], 0.5 * (ranges[0] + ranges[-1] - pulse_m), ranges[-1] - pulse_m]), middle_s)
    latitude, longitude, _height = below.to_geodetic(places[1])
    centre = Geodetic(float(latitude), float(longitude), 0.0)
    ways = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    along = float(np.linalg.norm(np.ptp(grid.track.at(times_s[[0, -1]]), axis=0)))
    return LocalScene(centre), (2.0 * float(ways.min()), along)


def _first_pulse_s(data: Hdf5File) -> float:
    return _number(data, _echoes(data)[0].rsplit("/", 2)[0] + "/chirpDuration")
