"""CRSD (NGA.STND.0080) 1.0, read: what a monostatic radar heard of its own chirps, range-compressed, as a collection."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import sarkit.crsd

from kizuna.errors import InputError, Message
from kizuna.formats.cphd import instant_in, mode_in, place_in, read_samples
from kizuna.formats.dwell_times import dwell_in
from kizuna.formats.metadata_tree import MetadataTree
from kizuna.formats.sicd_observation import polarisation_of
from kizuna.formats.signal_blocks import SignalBlocks, damaged, read_signal_blocks
from kizuna.model.reading import one_line
from kizuna.sar.chirp import RawEchoes, compressed
from kizuna.sar.collection import Collection, Mode, Waveform, track_of
from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.strip_grid import StripGrid, looks_right

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["crsd_channels", "read_crsd"]

type Floats = npt.NDArray[np.float64]

_sarkit: Any = sarkit.crsd

_FEWEST = 2
_MOST_BYTES_A_ROW = 1 << 16
_FORMS = {"CF8": 8, "CI4": 4, "CI2": 2}
_FARTHEST_M, _LONGEST_S = 1e9, 86_400.0


def crsd_channels(file: BinaryIO) -> tuple[str, ...]:
    """Identifiers of the channels of a CRSD file.

    Raises
    ------
    InputError
        No CRSD, or a damaged one.
    """
    return tuple(one.text("ChId") or "" for one in MetadataTree(_open(file).root).below("Data/Receive/Channel"))


def _open(file: BinaryIO) -> SignalBlocks:
    blocks = read_signal_blocks(file)
    if blocks.standard != "CRSD" or not str(blocks.root.tag).endswith("CRSDsar"):
        raise InputError(
            Message("the file is {got}; expected {expected}", {"got": blocks.standard, "expected": "CRSDsar 1.0"}),
            hint=Message("Ask the provider for the radar's own echoes with its pulses (CRSDsar)."),
            field="file",
        )
    return blocks


def _only(found: str | None, expected: str, path: str) -> None:
    if found != expected:
        raise InputError(
            Message("{path} is {got}, expected {expected}", {"path": path, "got": found or "", "expected": expected}),
            hint=Message("Such signal is not formed by this version."),
            field=path.replace("/", "."),
        )


def read_crsd(file: BinaryIO, *, channel: str | None = None, progress: Callable[[int, int], None] | None = None) -> Collection:
    """Read and range-compress a channel of a CRSD file.

    Parameters
    ----------
    file
        Open, seekable binary file.
    channel
        Its identifier; None for the reference channel.
    progress
        Called with (pulses done, pulses in all).

    Returns
    -------
    Collection
        Its frame is east-north-up at the image area's reference point. Vectors that hold no echo of a pulse are left out. Of a
        spotlight, phase is referred to that point; of a strip, to points at zero Doppler in the middle of each receive window.

    Raises
    ------
    InputError
        No CRSDsar, a damaged one, another channel, a bistatic collection, pulses that are no linear chirps or differ in length,
        band or rate, or signal that was compressed or dechirped.

    Notes
    -----
    At sample n of a vector the signal has the phase of the echo less RefPhi0 + RefFreq (t - RcvStart), cycles; a pulse has the
    phase PhiX0 + FxFreq0 (t - TxTime) + FxRate (t - TxTime)^2 / 2. Memory: signal and history, 8 bytes a sample each.
    """
    blocks = _open(file)
    tree = MetadataTree(blocks.root)
    names = tuple(one.text("ChId") or "" for one in tree.below("Data/Receive/Channel"))
    wanted = tree.text("Channel/RefChId") if channel is None else channel
    sizes = next((one for one in tree.below("Data/Receive/Channel") if one.text("ChId") == wanted), None)
    parameters = next((one for one in tree.below("Channel/Parameters") if one.text("Identifier") == wanted), None)
    if sizes is None or parameters is None:
        raise InputError(
            Message("the file has no channel {got}; it has {names}", {"got": repr(wanted), "names": ", ".join(names)}),
            hint=Message("Name one of these channels."),
            field="channel",
        )
    _only(tree.text("SARInfo/CollectType"), "MONOSTATIC", "SARInfo/CollectType")
    _only(tree.text("TxSequence/TxWFType"), "LFM", "TxSequence/TxWFType")
    if tree.has("Data/Receive/SignalCompression"):
        _only("SignalCompression", "", "Data/Receive/SignalCompression")
    form = tree.text("Data/Receive/SignalArrayFormat") or ""
    if form not in _FORMS:
        _only(form, ", ".join(_FORMS), "Data/Receive/SignalArrayFormat")
    sent = parameters.text("SARImage/TxId")
    sequence = next((one for one in tree.below("Data/Transmit/TxSequence") if one.text("TxId") == sent), None)
    rate = parameters.number("Fs")
    if sequence is None or rate is None or not rate > 0.0:
        raise damaged(Message("channel {channel} has no parameters", {"channel": wanted or ""}))
    vectors = _rows(file, blocks, sizes, "PVP", "NumVectors", "Data/Receive/NumBytesPVP")
    pulses = _rows(file, blocks, sequence, "PPP", "NumPulses", "Data/Transmit/NumBytesPPP")
    index = vectors["TxPulseIndex"]
    kept = (vectors["SIGNAL"] == 1) & (index >= 0) & (index < len(pulses))
    if int(kept.sum()) < _FEWEST:
        raise damaged(Message("fewer than two of its pulses hold signal"))
    length = sizes.whole("NumSamples") or 0
    place = blocks.place("SIGNAL", sizes.whole("SignalArrayByteOffset") or 0, len(vectors) * length * _FORMS[form])
    if length < _FEWEST:
        raise damaged(Message("fewer than two of its pulses hold signal"))
    samples = read_samples(file, place, (len(vectors), length), form, kept, None)
    samples *= vectors["AmpSF"][kept].astype(np.float32)[:, None]
    vectors, pulses = vectors[kept], pulses[index[kept]]
    return _collection(blocks, parameters, (pulses, vectors), samples, rate, progress)


def _rows(file: BinaryIO, blocks: SignalBlocks, sizes: MetadataTree, block: str, count: str, size: str) -> npt.NDArray[Any]:
    """Parameters of pulses (PPP) or vectors (PVP), in the machine's own byte order."""
    rows, declared = sizes.whole(count) or 0, MetadataTree(blocks.root).whole(size) or 0
    try:
        kind = getattr(_sarkit, f"get_{block.lower()}_dtype")(blocks.root.getroottree()).newbyteorder(">")
        needed = getattr(_sarkit, f"get_defined_{block.lower()}_dtype")(str(blocks.root.tag)[1:].partition("}")[0])
    except Exception as error:  # sarkit and numpy raise half a dozen kinds on formats and offsets that clash
        raise damaged(Message("its per-vector parameters are described wrongly")) from error
    missing = set(needed.names) - set(kind.names or ()) - {"XMIndex"}
    if rows < 1 or declared != kind.itemsize or declared > _MOST_BYTES_A_ROW or missing:
        raise damaged(Message("its per-vector parameters are described wrongly"))
    file.seek(blocks.place(block, sizes.whole(f"{block}ArrayByteOffset") or 0, rows * declared))
    return np.frombuffer(file.read(rows * declared), kind).astype(kind.newbyteorder("="))


def _time(values: npt.NDArray[Any]) -> Floats:
    return np.asarray(values["Int"] + values["Frac"], np.float64)


def _collection(
    blocks: SignalBlocks,
    parameters: MetadataTree,
    arrays: tuple[npt.NDArray[Any], npt.NDArray[Any]],
    samples: npt.NDArray[np.complex64],
    rate_hz: float,
    progress: Callable[[int, int], None] | None,
) -> Collection:
    pulses, vectors = arrays
    tree = MetadataTree(blocks.root)
    scene = place_in(tree, "SceneCoordinates/IARP/ECF")
    sent_s, start_s = _time(pulses["TxTime"]), _time(vectors["RcvStart"])
    steady = [pulses[name] for name in ("TXmt", "FxFreq0", "FxRate", "FX1", "FX2")] + [vectors["RefFreq"]]
    pulse_s, centre_hz, chirp_hz_s, low_hz, high_hz, reference_hz = (float(one[0]) for one in steady)
    if any(np.ptp(one) != 0.0 for one in steady) or vectors["FICRate"].any() or vectors["DFIC0"].any():
        raise InputError(
            Message("its pulses differ in length, band or rate, or its signal was dechirped"),
            hint=Message("Such signal is not formed by this version."),
            field="PPP",
        )
    if not (0.0 < pulse_s < 1.0 and 0.0 < low_hz < high_hz and centre_hz == 0.5 * (low_hz + high_hz) == reference_hz):  # a second
        raise damaged(Message("its frequencies are not positive"))
    window_s = samples.shape[1] / rate_hz
    middle = 0.5 * (window_s - pulse_s)
    # An echo from the middle of the window is heard, its own middle, half a pulse later than its beginning.
    heard_s = start_s + middle + 0.5 * pulse_s
    heard_m = vectors["RcvPos"] + vectors["RcvVel"] * (heard_s - start_s)[:, None]
    positions = scene.from_ecef(0.5 * (pulses["TxPos"] + heard_m))
    times = 0.5 * (sent_s + heard_s)
    # Half of both ways is a little more than the range from halfway between.
    place = scene.to_ecef(np.zeros(3))
    ways = [np.linalg.norm(one - place, axis=-1) for one in (pulses["TxPos"], heard_m)]
    bowed_m = 0.5 * (ways[0] + ways[1]) - np.linalg.norm(positions, axis=-1)
    late_s = start_s - sent_s + 0.5 * pulse_s - 2.0 / SPEED_OF_LIGHT_M_S * bowed_m
    near = np.isfinite(positions).all() and np.abs(positions).max() < _FARTHEST_M
    if not (near and np.abs(times).max() < _LONGEST_S and late_s.min() > 0.0):
        raise damaged(Message("its antenna positions or times are no satellite's and no aircraft's"))
    # The reference turns from the first sample on; the carrier of an echo from when its pulse was sent.
    phase = (_time(vectors["RefPhi0"]) - _time(pulses["PhiX0"])) % 1.0
    turned = np.exp(2j * np.pi * (phase - centre_hz * (late_s - 0.5 * pulse_s) % 1.0)).astype(np.complex64)

    def read(begin: int, end: int) -> npt.NDArray[np.complex64]:
        return np.asarray(samples[begin:end] * turned[begin:end, None], np.complex64)

    sent, heard = (parameters.text(f"{path}/PolarizationID") or "" for path in ("SARImage/TxPolarization", "RcvPolarization"))
    raw = RawEchoes(
        pulses=len(samples),
        samples=samples.shape[1],
        read=read,
        sample_rate_hz=rate_hz,
        near_range_m=0.5 * SPEED_OF_LIGHT_M_S * late_s,
        centre_hz=centre_hz,
        chirp_hz_s=chirp_hz_s,
        pulse_s=pulse_s,
        positions_m=positions,
        times_s=times,
        polarisation=polarisation_of(sent, heard) or "XX",
    )
    history = compressed(raw, progress=progress)
    mode, lit = mode_in(tree, "SARInfo/RadarMode/ModeType"), parameters.text("SARImage/DwellTimes/Polynomials/DwellId")
    found = Collection(
        history=history,
        scene=scene,
        start=instant_in(tree, "Global/CollectionRefTime"),
        name=one_line(tree.text("ProductInfo/ProductName") or ""),
        sensor=one_line(tree.text("TransmitInfo/SensorName") or ""),
        mode=mode,
        mode_name=one_line(tree.text("SARInfo/RadarMode/ModeID") or ""),
        extent_m=_extent(tree),
        dwell_s=dwell_in(tree, "DwellPolynomials/DwellTime", lit, mode, float(np.ptp(times))),
        waveform=Waveform(pulse_s, chirp_hz_s, rate_hz),
        notes=tuple(
            (one.get("name") or "", one_line(one.text or "")) for one in blocks.root.findall("./{*}ProductInfo/{*}Parameter")
        ),
    )
    if found.mode is Mode.SPOTLIGHT:
        return found.referred()
    track, middle_s = track_of(history), 0.5 * float(times[0] + times[-1])
    grid = StripGrid(track, scene, scene.origin.height_m, looks_right(track, scene, middle_s), 1.0, middle_s, 1.0, 1.0, 1, 1)
    return replace(found, reference_points_m=grid.place(history.reference_range_m, times)).referred()


def _extent(tree: MetadataTree) -> tuple[float, float] | None:
    low, high = (tree.numbers(f"SceneCoordinates/ImageArea/{corner}", "XY") for corner in ("X1Y1", "X2Y2"))
    return None if low is None or high is None else (high[0] - low[0], high[1] - low[1])
