"""CPHD (NGA.STND.0068) 1.0.1 and 1.1.0, read: signal and per-vector parameters of a channel, as a `kizuna.sar.collection`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import sarkit.cphd

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic, ecef_to_geodetic
from kizuna.errors import InputError, Message
from kizuna.formats.dwell_times import dwell_in
from kizuna.formats.metadata_tree import MetadataTree
from kizuna.formats.sicd_observation import polarisation_of
from kizuna.formats.signal_blocks import SignalBlocks, damaged, read_signal_blocks
from kizuna.model.instants import Instant, parse_instant
from kizuna.model.reading import one_line
from kizuna.sar.collection import Collection, ErrorStatistics, Mode, Radiometry, Waveform
from kizuna.sar.history import PhaseHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["cphd_channels", "even_frequencies", "instant_in", "mode_in", "place_in", "read_cphd", "read_samples"]

type Floats = npt.NDArray[np.float64]
type Samples = npt.NDArray[np.complex64]

_sarkit: Any = sarkit.cphd

_VERSIONS = ("1.0.1", "1.1.0")
_TYPES: dict[str, np.dtype[Any]] = {"CF8": np.dtype(">c8"), "CI4": np.dtype(">i2"), "CI2": np.dtype(">i1")}
_BYTES = {"CF8": 8, "CI4": 4, "CI2": 2}
_WANTED = {
    **dict.fromkeys(("TxTime", "RcvTime", "SC0", "SCSS", "FX1", "FX2"), np.dtype(">f8")),
    **dict.fromkeys(("TxPos", "RcvPos", "SRPPos"), np.dtype((">f8", (3,)))),
}
_MOST_PVP_BYTES = 1 << 16
_BYTES_A_BLOCK = 32 << 20
_FEWEST_SAMPLES = 2
_FEWEST_PULSES = 2
# Frequencies that leave a scatterer at the edge of the swath within this many cycles are taken as one.
_SAME_CYCLES = 1e-4
_FIXED_M = 1e-3
_DEEPEST_M, _FARTHEST_M, _LONGEST_S = 1e6, 1e9, 86_400.0


def cphd_channels(file: BinaryIO) -> tuple[str, ...]:
    """Identifiers of the channels of a CPHD file.

    Raises
    ------
    InputError
        No CPHD, or a damaged one.
    """
    return _channels(_open(file))


def read_cphd(file: BinaryIO, *, channel: str | None = None, progress: Callable[[int, int], None] | None = None) -> Collection:
    """Read a channel of a CPHD file.

    Parameters
    ----------
    file
        Open, seekable binary file.
    channel
        Its identifier; None for the reference channel.
    progress
        Called with (pulses read, pulses in all).

    Returns
    -------
    Collection
        Its frame is east-north-up at the image area's reference point. Pulses that the file marks as without signal, or leaves
        without a number, are left out.

    Raises
    ------
    InputError
        No CPHD of these versions, a damaged one, another channel, compressed signal, or a bistatic collection.

    Notes
    -----
    In the FX domain a scatterer contributes exp(SGN 2j pi fx dTOA) (volume 1, section 2.3). Antenna phase centre and time of a
    pulse are those midway between sending and receiving; over a scene of kilometres the difference from the two ways is far
    below a hundredth of a wavelength. Where the frequencies differ from pulse to pulse, each pulse is interpolated as a
    trigonometric polynomial in frequency onto common ones. Peak memory: the samples, 8 bytes each, and 64 MiB.
    """
    blocks = _open(file)
    tree = MetadataTree(blocks.root)
    names = _channels(blocks)
    wanted = tree.text("Channel/RefChId") if channel is None else channel
    if wanted not in names:
        raise InputError(
            Message("the file has no channel {got}; it has {names}", {"got": repr(wanted), "names": ", ".join(names)}),
            hint=Message("Name one of these channels."),
            field="channel",
        )
    if tree.text("CollectionID/CollectType") != "MONOSTATIC":
        raise InputError(
            Message("the collection is {got}; expected MONOSTATIC", {"got": tree.text("CollectionID/CollectType") or ""}),
            hint=Message("Bistatic collections are not formed by this version."),
            field="CollectionID.CollectType",
        )
    if tree.text("Global/DomainType") != "FX":
        raise InputError(
            Message("the signal is in the {got} domain; expected FX", {"got": tree.text("Global/DomainType") or ""}),
            hint=Message("Ask the provider for CPHD in the FX domain."),
            field="Global.DomainType",
        )
    parameters = next((one for one in tree.below("Channel/Parameters") if one.text("Identifier") == wanted), None)
    if parameters is None:
        raise damaged(Message("channel {channel} has no parameters", {"channel": wanted}))
    pvp, samples, frequencies = _pulses(file, blocks, wanted, progress)
    scene = place_in(tree, "SceneCoordinates/IARP/ECF")
    positions = scene.from_ecef(0.5 * (pvp["TxPos"] + pvp["RcvPos"]))
    points = scene.from_ecef(pvp["SRPPos"])
    times = 0.5 * (pvp["TxTime"] + pvp["RcvTime"])
    if not (max(np.abs(positions).max(), np.abs(points).max()) < _FARTHEST_M and np.abs(times).max() < _LONGEST_S):
        raise damaged(Message("its antenna positions or times are no satellite's and no aircraft's"))
    history = PhaseHistory(
        samples=samples,
        frequencies_hz=frequencies,
        positions_m=positions,
        reference_range_m=np.linalg.norm(positions - points, axis=-1),
        polarisation=_polarisation(parameters),
        times_s=times,
    )
    corner = tree.numbers("SceneCoordinates/ImageArea/X1Y1", "XY"), tree.numbers("SceneCoordinates/ImageArea/X2Y2", "XY")
    low, high = corner
    mode, lit = mode_in(tree, "CollectionID/RadarMode/ModeType"), parameters.text("DwellTimes/DwellId")
    return Collection(
        history=history,
        scene=scene,
        start=instant_in(tree, "Global/Timeline/CollectionStart"),
        name=one_line(tree.text("CollectionID/CoreName") or ""),
        sensor=one_line(tree.text("CollectionID/CollectorName") or ""),
        mode=mode,
        mode_name=one_line(tree.text("CollectionID/RadarMode/ModeID") or ""),
        reference_points_m=None if np.abs(points).max() < _FIXED_M else points,
        extent_m=None if low is None or high is None else (high[0] - low[0], high[1] - low[1]),
        dwell_s=dwell_in(tree, "Dwell/DwellTime", lit, mode, float(np.ptp(times))),
        waveform=_waveform(tree, parameters),
        radiometry=_radiometry(parameters),
        errors=_errors(tree),
        notes=tuple(
            (one.get("name") or "", one_line(one.text or "")) for one in blocks.root.findall("./{*}CollectionID/{*}Parameter")
        ),
    )


def _pulses(
    file: BinaryIO, blocks: SignalBlocks, wanted: str, progress: Callable[[int, int], None] | None
) -> tuple[npt.NDArray[Any], Samples, Floats]:
    """Parameters and samples of the pulses that hold signal, and the frequencies that they share."""
    tree = MetadataTree(blocks.root)
    sizes = next(one for one in tree.below("Data/Channel") if one.text("Identifier") == wanted)
    pvp = _vectors(file, blocks, sizes)
    kept = np.all([np.isfinite(pvp[name]).reshape(len(pvp), -1).all(axis=1) for name in _WANTED], axis=0)
    if "SIGNAL" in (pvp.dtype.names or ()):
        kept &= pvp["SIGNAL"] != 0
    if int(kept.sum()) < _FEWEST_PULSES:
        raise damaged(Message("fewer than two of its pulses hold signal"))
    samples = _signal(file, blocks, sizes, kept, progress)
    pvp = pvp[kept]
    if "AmpSF" in (pvp.dtype.names or ()) and pvp["AmpSF"].dtype.kind == "f":
        samples *= pvp["AmpSF"].astype(np.float32)[:, None]
    if tree.text("Global/SGN") in {"+1", "1"}:
        np.conjugate(samples, out=samples)
    samples, frequencies = even_frequencies(samples, pvp["SC0"], pvp["SCSS"], pvp["FX1"], pvp["FX2"])
    if not np.isfinite(samples.view(np.float32)).all():
        raise damaged(Message("it holds samples that are no numbers"))
    return pvp, samples, frequencies


def _open(file: BinaryIO) -> SignalBlocks:
    blocks = read_signal_blocks(file)
    if blocks.standard != "CPHD" or blocks.version not in _VERSIONS:
        raise InputError(
            Message(
                "the file is {got}; expected {expected}",
                {"got": f"{blocks.standard} {blocks.version}", "expected": "CPHD " + ", ".join(_VERSIONS)},
            ),
            hint=Message("Ask the provider for one of these versions."),
            field="file",
        )
    return blocks


def _channels(blocks: SignalBlocks) -> tuple[str, ...]:
    return tuple(one.text("Identifier") or "" for one in MetadataTree(blocks.root).below("Data/Channel"))


def _count(tree: MetadataTree, path: str, *, least: int = 0) -> int:
    number = tree.whole(path)
    if number is None or number < least:
        raise damaged(Message("{path} is {got}, expected a whole number", {"path": path, "got": repr(tree.text(path))}))
    return number


def _vectors(file: BinaryIO, blocks: SignalBlocks, sizes: MetadataTree) -> npt.NDArray[Any]:
    """Per-vector parameters of a channel, in the machine's own byte order."""
    pulses = _count(sizes, "NumVectors", least=1)
    declared = _count(MetadataTree(blocks.root), "Data/NumBytesPVP", least=1)
    if declared > _MOST_PVP_BYTES:
        raise damaged(Message("{path} is {got}, expected a whole number", {"path": "Data/NumBytesPVP", "got": declared}))
    try:
        dtype: np.dtype[Any] = _sarkit.get_pvp_dtype(blocks.root.getroottree()).newbyteorder(">")
    except Exception as error:  # sarkit and numpy raise half a dozen kinds on formats and offsets that clash
        raise damaged(Message("its per-vector parameters are described wrongly")) from error
    fields: Mapping[str, Any] = dtype.fields or {}
    as_standard = all(name in fields and fields[name][0] == kind for name, kind in _WANTED.items())
    if not as_standard or dtype.itemsize != declared:
        raise damaged(Message("its per-vector parameters are described wrongly"))
    file.seek(blocks.place("PVP", _count(sizes, "PVPArrayByteOffset"), pulses * dtype.itemsize))
    found = np.frombuffer(file.read(pulses * dtype.itemsize), dtype)
    return found.astype(dtype.newbyteorder("="))


def _signal(
    file: BinaryIO,
    blocks: SignalBlocks,
    sizes: MetadataTree,
    kept: npt.NDArray[np.bool_],
    progress: Callable[[int, int], None] | None,
) -> Samples:
    tree = MetadataTree(blocks.root)
    form = tree.text("Data/SignalArrayFormat") or ""
    if form not in _TYPES or tree.has("Data/SignalCompressionID"):
        raise InputError(
            Message(
                "the signal is stored as {got}; expected {expected}, not compressed",
                {"got": tree.text("Data/SignalCompressionID") or form, "expected": ", ".join(_TYPES)},
            ),
            hint=Message("Ask the provider for one of these formats."),
            field="Data.SignalArrayFormat",
        )
    pulses, length = len(kept), _count(sizes, "NumSamples", least=_FEWEST_SAMPLES)
    place = blocks.place("SIGNAL", _count(sizes, "SignalArrayByteOffset"), pulses * length * _BYTES[form])
    return read_samples(file, place, (pulses, length), form, kept, progress)


def read_samples(
    file: BinaryIO,
    place: int,
    shape: tuple[int, int],
    form: str,
    kept: npt.NDArray[np.bool_],
    progress: Callable[[int, int], None] | None,
) -> Samples:
    """Complex samples of the pulses that are kept, read in blocks.

    Parameters
    ----------
    file
        Whose length was checked.
    place
        Byte at which they begin.
    shape
        Pulses, samples.
    form
        ``"CF8"``, ``"CI4"`` or ``"CI2"``.
    kept
        Which pulses, shape (pulses,).
    progress
        Called with (pulses read, pulses in all).
    """
    pulses, length = shape
    samples = np.empty((int(kept.sum()), length), np.complex64)
    rows = max(1, _BYTES_A_BLOCK // (length * _BYTES[form]))
    done = 0
    for first in range(0, pulses, rows):
        last = min(first + rows, pulses)
        file.seek(place + first * length * _BYTES[form])
        stored = np.frombuffer(file.read((last - first) * length * _BYTES[form]), _TYPES[form]).reshape(last - first, -1)
        block = stored[kept[first:last]]
        target = samples[done : done + len(block)]
        if form == "CF8":
            target[:] = block
        else:
            target.view(np.float32)[:] = block
        done += len(block)
        if progress is not None:
            progress(last, pulses)
    return samples


def even_frequencies(samples: Samples, first: Floats, step: Floats, low: Floats, high: Floats) -> tuple[Samples, Floats]:
    """Samples on frequencies that all pulses share.

    Parameters
    ----------
    samples
        Shape (pulses, samples).
    first, step
        Frequency of each pulse's first sample and their distance, shape (pulses,), hertz.
    low, high
        Frequencies between which each pulse holds signal, shape (pulses,), hertz.

    Returns
    -------
    samples, frequencies_hz
        Shapes (pulses, frequencies) and (frequencies,). As they were, cut to the band that all pulses share, where the pulses'
        own frequencies are the same; else interpolated.

    Raises
    ------
    InputError
        The pulses share no band.
    """
    length = samples.shape[1]
    if not (step.min() > 0.0 and first.min() > 0.0):
        raise damaged(Message("its frequencies are not positive"))
    bottom, top = float(max(low.max(), first.max())), float(min(high.min(), (first + (length - 1) * step).min()))
    apart = np.ptp(first) + (length - 1) * np.ptp(step)
    if apart / float(step.min()) < _SAME_CYCLES:
        begin = math.ceil((bottom - float(first[0])) / float(step[0]) - 1e-6)
        end = math.floor((top - float(first[0])) / float(step[0]) + 1e-6) + 1
        if end - begin < _FEWEST_SAMPLES:
            raise damaged(Message("its pulses share no band"))
        cut = samples if (begin, end) == (0, length) else np.ascontiguousarray(samples[:, begin:end])
        return cut, np.asarray(float(first[0]) + float(step[0]) * np.arange(begin, end), np.float64)
    finest = float(step.min())
    count = math.floor((top - bottom) / finest) + 1 if top > bottom else 0
    if not _FEWEST_SAMPLES <= count <= 2 * length:
        raise damaged(Message("its pulses share no band"))
    wanted = np.asarray(bottom + finest * np.arange(count), np.float64)
    return _resampled(samples, first, step, wanted), wanted


def _resampled(samples: Samples, first: Floats, step: Floats, wanted: Floats) -> Samples:
    """Each pulse as a trigonometric polynomial in frequency, at other frequencies (chirp z-transform, Bluestein 1970)."""
    from scipy.signal import CZT

    length, count = samples.shape[1], len(wanted)
    out = np.empty((len(samples), count), np.complex64)
    delays = np.arange(length) - length // 2
    for pulse in range(len(samples)):
        profile = np.fft.fftshift(np.fft.ifft(samples[pulse].astype(np.complex128)))
        # X(f) = sum over delays n of x[n] exp(-2j pi n (f - f0) / (N df)); the chirp transform counts n from zero.
        turn = 2.0 * math.pi / (length * float(step[pulse]))
        start = (float(wanted[0]) - float(first[pulse])) * turn
        each = float(wanted[1] - wanted[0]) * turn
        found = CZT(length, count, w=np.exp(-1j * each), a=np.exp(1j * start))(profile)
        out[pulse] = found * np.exp(-1j * float(delays[0]) * (start + each * np.arange(count)))
    return out


def place_in(tree: MetadataTree, path: str) -> LocalScene:
    """Scene whose zero is a point of the metadata.

    Raises
    ------
    InputError
        It has none, or one deep within the Earth.
    """
    point = tree.vector(path)
    if point is None or not _DEEPEST_M < max(map(abs, point)) < _FARTHEST_M:
        raise damaged(Message("{path} is no place on the Earth", {"path": path}))
    latitude, longitude, height = (float(value) for value in ecef_to_geodetic(point))
    return LocalScene(Geodetic(latitude, longitude, height))


def instant_in(tree: MetadataTree, path: str) -> Instant:
    """Instant of the metadata, which is in UTC whether or not it says so.

    Raises
    ------
    InputError
        It is none.
    """
    text = tree.text(path) or ""
    try:
        return parse_instant(text if text.endswith("Z") else text + "Z")
    except InputError as error:
        raise damaged(Message("it does not say when it was observed")) from error


def mode_in(tree: MetadataTree, path: str) -> Mode:
    """Mode of the metadata.

    Raises
    ------
    InputError
        It is none of the three.
    """
    text = tree.text(path) or ""
    if text not in list(Mode):
        raise damaged(Message("{path} is {got}, expected {expected}", {"path": path, "got": text, "expected": ", ".join(Mode)}))
    return Mode(text)


def _polarisation(parameters: MetadataTree) -> str:
    pair = polarisation_of(parameters.text("Polarization/TxPol") or "", parameters.text("Polarization/RcvPol") or "")
    # What has no letter (elliptical, unspecified) is kept as unknown rather than guessed.
    return pair or "XX"


def _waveform(tree: MetadataTree, parameters: MetadataTree) -> Waveform | None:
    sent, heard = parameters.text("TxRcv/TxWFId"), parameters.text("TxRcv/RcvId")
    wave = next((one for one in tree.below("TxRcv/TxWFParameters") if one.text("Identifier") == sent), None)
    receiver = next((one for one in tree.below("TxRcv/RcvParameters") if one.text("Identifier") == heard), None)
    if sent is None or wave is None or receiver is None:
        return None
    pulse, chirp, rate = wave.number("PulseLength"), wave.number("LFMRate"), receiver.number("SampleRate")
    return None if pulse is None or chirp is None or rate is None else Waveform(pulse, chirp, rate)


def _radiometry(parameters: MetadataTree) -> Radiometry | None:
    level, noise = parameters.number("TgtRefLevel/PTRef"), parameters.number("NoiseLevel/PNRef")
    return Radiometry(1.0 / level, noise) if level is not None and noise is not None and level > 0.0 else None


def _errors(tree: MetadataTree) -> ErrorStatistics | None:
    """Error statistics that are given along the track and across it."""
    path = "ErrorParameters/Monostatic"
    values: Sequence[float | None] = [tree.number(f"{path}/PosVelErr/{kind}{axis}") for kind in "PV" for axis in "123"]
    bias = tree.number(f"{path}/RadarSensor/RangeBias")
    known = [value for value in values if value is not None]
    if bias is None or len(known) != len(values) or tree.text(f"{path}/PosVelErr/Frame") != "RIC_ECF":
        return None
    return ErrorStatistics((known[0], known[1], known[2]), (known[3], known[4], known[5]), bias)
