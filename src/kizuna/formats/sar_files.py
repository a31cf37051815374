"""Any radar file that kizuna reads: what it is, what it says of itself, and what its standard's checker finds in it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from kizuna.errors import InputError, Message
from kizuna.formats.nitf import is_nitf
from kizuna.formats.signal_blocks import damaged, read_signal_blocks, standard_of

if TYPE_CHECKING:
    from kizuna.model.instants import Instant
    from kizuna.model.observation import Observation

__all__ = ["Format", "SarFacts", "check_sar_file", "format_of", "read_sar_facts"]

_HEAD_BYTES = 4096
_MATLAB = b"MATLAB 5.0 MAT-file"
# The checker of signals reads at most this many bytes at a time, and never ends where one pulse holds more.
_LONGEST_CHECKED_PULSE_BYTES = 1 << 20
_BYTES = {"CF8": 8, "CI4": 4, "CI2": 2}


class Format(StrEnum):
    """What a file is."""

    SICD = "SICD"
    SIDD = "SIDD"
    CPHD = "CPHD"
    CRSD = "CRSD"
    GOTCHA = "Gotcha"
    CAPELLA = "Capella"


@dataclass(frozen=True, slots=True)
class SarFacts:
    """What a file says of itself.

    Parameters
    ----------
    format, version
        Such as SICD ``"1.4.0"``; the version is empty where the format has none.
    name, sensor, classification, release
        As the file says, empty where it does not.
    begin, end
        When it was observed; None where the file has no date.
    footprint_lonlat_deg
        Outline (longitude, latitude), counter-clockwise, first point not repeated; None without a place.
    nominal_position
        Whether the file says that its place was assigned.
    shape
        Rows and columns of an image, pulses and samples of phase history; None where it is not known.
    resolution_m
        On the ground; None where it is not known.
    observation
        How it was observed.
    channels
        Of phase history.
    """

    format: Format
    version: str
    name: str = ""
    sensor: str = ""
    classification: str = ""
    release: str = ""
    begin: Instant | None = None
    end: Instant | None = None
    footprint_lonlat_deg: tuple[tuple[float, float], ...] | None = None
    nominal_position: bool = False
    shape: tuple[int, int] | None = None
    resolution_m: float | None = None
    observation: Observation | None = None
    channels: tuple[str, ...] = ()


def format_of(file: BinaryIO) -> Format:
    """Format of a file, by its bytes.

    Raises
    ------
    InputError
        None that is known, or a damaged NITF.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    standard = standard_of(head)
    if standard is not None:
        return Format(standard)
    if is_nitf(head):
        from kizuna.formats.sidd import is_sidd

        return Format.SIDD if is_sidd(file) else Format.SICD
    if head.startswith(_MATLAB):
        return Format.GOTCHA
    if head.lstrip()[:1] == b"{":
        return Format.CAPELLA
    raise InputError(
        Message("not a radar file that is known here: it starts with {got}", {"got": repr(head[:12])}),
        hint=Message("known are {formats}", {"formats": ", ".join(Format)}),
        field="file",
    )


@np.errstate(all="ignore")  # numbers of a damaged file overflow; what comes of them is left out
def read_sar_facts(file: BinaryIO) -> SarFacts:
    """What a file says of itself; no pixel or sample is read.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Raises
    ------
    InputError
        Of no known format, or damaged.
    """
    found = format_of(file)
    file.seek(0)
    match found:
        case Format.SICD:
            return _sicd(file)
        case Format.SIDD:
            return _sidd(file)
        case Format.CPHD | Format.CRSD:
            return _signal(file, found)
        case Format.GOTCHA:
            return _gotcha(file)
        case Format.CAPELLA:
            return _capella(file)


def _sicd(file: BinaryIO) -> SarFacts:
    from kizuna.formats.sicd import read_summary
    from kizuna.formats.sicd_observation import read_sicd_observation

    summary = read_summary(file)
    return SarFacts(
        Format.SICD,
        summary.version,
        summary.core_name,
        summary.sensor,
        summary.classification,
        next((note.partition(": ")[2] for note in summary.notes if note.startswith("ReleaseInfo: ")), ""),
        summary.collected.begin,
        summary.collected.end,
        summary.footprint_lonlat_deg,
        summary.nominal_position,
        summary.shape,
        summary.resolution_m,
        read_sicd_observation(file),
    )


def _sidd(file: BinaryIO) -> SarFacts:
    from kizuna.formats.sidd import read_sidd_summary

    summary = read_sidd_summary(file)
    return SarFacts(
        Format.SIDD,
        summary.version,
        summary.product_name,
        summary.sensor,
        summary.classification,
        begin=None if summary.collected is None else summary.collected.begin,
        end=None if summary.collected is None else summary.collected.end,
        footprint_lonlat_deg=summary.footprint_lonlat_deg,
        shape=summary.shape,
        resolution_m=summary.resolution_m,
        observation=summary.observation,
    )


def _signal(file: BinaryIO, found: Format) -> SarFacts:
    from kizuna.formats.metadata_tree import MetadataTree
    from kizuna.formats.phase_history import read_phase_history_summary

    summary = read_phase_history_summary(file)
    blocks = read_signal_blocks(file)
    tree = MetadataTree(blocks.root)
    path, identifier = ("Data/Channel", "Identifier") if found is Format.CPHD else ("Data/Receive/Channel", "ChId")
    channels = tree.below(path)
    pulses, samples = (channels[0].whole(name) if channels else None for name in ("NumVectors", "NumSamples"))
    return SarFacts(
        found,
        blocks.version,
        summary.name,
        summary.sensor,
        summary.classification,
        summary.release,
        summary.collected.begin,
        summary.collected.end,
        summary.footprint_lonlat_deg,
        any(one.get("name") == "NominalPosition" for one in blocks.root.iter("{*}Parameter")),
        None if pulses is None or samples is None else (pulses, samples),
        observation=summary.observation,
        channels=tuple(channel.text(identifier) or "" for channel in channels),
    )


def _gotcha(file: BinaryIO) -> SarFacts:
    from kizuna.formats.gotcha import read_history

    history = read_history([file], polarisation="HH")
    return SarFacts(Format.GOTCHA, "", sensor="AFRL airborne X-band", shape=(history.pulses, len(history.frequencies_hz)))


def _capella(file: BinaryIO) -> SarFacts:
    from kizuna.formats.capella import read_capella

    collect = read_capella(file)
    return SarFacts(
        Format.CAPELLA,
        collect.software,
        collect.name,
        collect.platform,
        begin=collect.begin,
        end=collect.end,
        shape=collect.shape,
        resolution_m=max(collect.resolution_m),
        observation=collect.observation(),
    )


def check_sar_file(file: BinaryIO, found: Format) -> tuple[str, ...]:
    """What the reference checker of a standard (sarkit) finds in a file, errors and warnings alike; empty for a clean one.

    Raises
    ------
    InputError
        A damaged file, or a format without a checker.
    """
    file.seek(0)
    match found:
        case Format.SICD:
            from kizuna.formats.sicd import consistency_findings

            return consistency_findings(file)
        case Format.SIDD:
            from kizuna.formats.sidd import sidd_findings

            return sidd_findings(file)
        case Format.CPHD | Format.CRSD:
            return _signal_findings(file, found)
        case Format.GOTCHA | Format.CAPELLA:
            raise InputError(
                Message("{format} has no standard to check a file against", {"format": found.value}),
                hint=Message("checked are {formats}", {"formats": "SICD, SIDD, CPHD, CRSD"}),
                field="file",
            )


def _signal_findings(file: BinaryIO, found: Format) -> tuple[str, ...]:
    from sarkit.verification import CphdConsistency, CrsdConsistency

    from kizuna.formats.metadata_tree import MetadataTree

    # Blocks and XML are looked at first: the checker trusts them.
    tree = MetadataTree(read_signal_blocks(file).root)
    form = tree.text("Data/SignalArrayFormat") or tree.text("Data/Receive/SignalArrayFormat") or ""
    channels = (*tree.below("Data/Channel"), *tree.below("Data/Receive/Channel"))
    longest = max((channel.whole("NumSamples") or 0 for channel in channels), default=0) * _BYTES.get(form, 8)
    made: Any = CphdConsistency if found is Format.CPHD else CrsdConsistency
    file.seek(0)
    try:
        checker = made.from_file(file, thorough=longest <= _LONGEST_CHECKED_PULSE_BYTES)
        checker.check()
    except Exception as error:  # a checker that stumbles has found something, but cannot say what
        raise damaged(Message("{what}", {"what": str(error) or type(error).__name__})) from error
    return tuple(
        f"{check}: {detail['details']}"
        for check, result in checker.failures().items()
        for detail in result["details"]
        if not detail["passed"]
    )
