"""Phase history of others, its metadata: CPHD (NGA.STND.0068) 1.0 and 1.1, and CRSD (NGA.STND.0080) 1.0. No signal is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO

import numpy as np

from kizuna.errors import InputError, Message
from kizuna.formats.metadata_tree import MetadataTree
from kizuna.formats.sicd_observation import platform_of, polarisation_of, side_of
from kizuna.formats.signal_blocks import damaged, read_signal_blocks
from kizuna.model.instants import Instant, Interval, instant_of, parse_instant
from kizuna.model.observation import Observation, Processing, Radar, band_of, plausible

__all__ = ["PhaseHistorySummary", "read_phase_history_summary"]

_FEWEST_CORNERS = 3
_LONGEST_COLLECT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PhaseHistorySummary:
    """What a catalogue wants to know of phase history.

    Parameters
    ----------
    footprint_lonlat_deg
        Corners of the image area (longitude, latitude) in degrees, counter-clockwise, first point not repeated; None where the
        file has no scene (CRSD of a transmitter or a receiver alone).
    collected
        From the first pulse to the last.
    produced
        When the file was made, if it says so.
    sensor, name, classification, release
        As the file says.
    observation
        How it was observed.
    """

    footprint_lonlat_deg: tuple[tuple[float, float], ...] | None
    collected: Interval
    produced: Instant | None
    sensor: str
    name: str
    classification: str
    release: str
    observation: Observation | None


def read_phase_history_summary(file: BinaryIO) -> PhaseHistorySummary:
    """What a catalogue wants to know of a CPHD or CRSD file.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Raises
    ------
    InputError
        Neither, a damaged one, or one that does not say when it was observed.
    """
    blocks = read_signal_blocks(file)
    tree, crsd = MetadataTree(blocks.root), blocks.standard == "CRSD"
    collection = "ProductInfo" if crsd else "CollectionID"
    produced = tree.text("ProductInfo/CreationInfo/DateTime")
    sensors = [tree.text(f"{side}Info/SensorName") for side in ("Transmit", "Receive")]
    sensor = " / ".join(dict.fromkeys(filter(None, sensors))) if crsd else tree.text("CollectionID/CollectorName")
    return PhaseHistorySummary(
        footprint_lonlat_deg=_corners(tree),
        collected=_collected(tree, crsd=crsd),
        produced=None if produced is None else _instant(produced),
        sensor=sensor or "",
        name=tree.text(f"{collection}/ProductName" if crsd else f"{collection}/CoreName") or "",
        classification=tree.text(f"{collection}/Classification") or "",
        release=tree.text(f"{collection}/ReleaseInfo") or "",
        observation=plausible(_observation(tree, crsd=crsd)),
    )


def _instant(text: str) -> Instant | None:
    try:
        return parse_instant(text if text.endswith("Z") else text + "Z")
    except InputError:
        return None


def _collected(tree: MetadataTree, *, crsd: bool) -> Interval:
    start = _instant(tree.text("Global/CollectionRefTime" if crsd else "Global/Timeline/CollectionStart") or "")
    paths = (
        ("Global/Transmit/TxTime1", "Global/Transmit/TxTime2", "Global/Receive/RcvStartTime1", "Global/Receive/RcvStartTime2")
        if crsd
        else ("Global/Timeline/TxTime1", "Global/Timeline/TxTime2")
    )
    seconds = [number for path in paths if (number := tree.number(path)) is not None]
    # A number of a damaged file may be more than a timedelta holds.
    if start is None or max(map(abs, seconds), default=0.0) > _LONGEST_COLLECT.total_seconds():
        raise damaged(Message("it does not say when it was observed"))
    first, last = timedelta(seconds=min(seconds, default=0.0)), timedelta(seconds=max(seconds, default=0.0))
    return Interval(instant_of(start + first), instant_of(start + last))


def _corners(tree: MetadataTree) -> tuple[tuple[float, float], ...] | None:
    ring = []
    for corner in tree.below("SceneCoordinates/ImageAreaCornerPoints/IACP"):
        lat, lon = corner.number("Lat"), corner.number("Lon")
        if lat is None or lon is None or abs(lat) > 90.0 or abs(lon) > 180.0:  # noqa: PLR2004 # degrees
            raise damaged(Message("a corner of its image area is none"))
        ring.append((lon, lat))
    if not ring and not tree.has("SceneCoordinates"):
        return None
    if len(ring) < _FEWEST_CORNERS:
        raise damaged(Message("its image area has {count} corners", {"count": len(ring)}))
    lons = np.unwrap([lon for lon, _ in ring], period=360.0)
    lats = np.asarray([lat for _, lat in ring])
    area = float(np.sum(lons * np.roll(lats, -1) - np.roll(lons, -1) * lats))
    return tuple(ring if area > 0.0 else ring[::-1])


def _observation(tree: MetadataTree, *, crsd: bool) -> Observation:
    band, mode = ("Global/Transmit", "SARInfo") if crsd else ("Global/FxBand", "CollectionID")
    low, high = tree.number(f"{band}/FxMin"), tree.number(f"{band}/FxMax")
    centre_hz = None if low is None or high is None else (low + high) / 2.0
    geometry = "ReferenceGeometry/SARImage" if crsd else "ReferenceGeometry/Monostatic"
    position, velocity = tree.vector(f"{geometry}/ARPPos"), tree.vector(f"{geometry}/ARPVel")
    scene = tree.vector("ReferenceGeometry/RefPoint/ECF" if crsd else "ReferenceGeometry/SRP/ECF")
    orbit, viewing = platform_of(position, velocity, scene)
    pairs = [
        polarisation_of(
            one.text("SARImage/TxPolarization/PolarizationID" if crsd else "Polarization/TxPol") or "",
            one.text("RcvPolarization/PolarizationID" if crsd else "Polarization/RcvPol") or "",
        )
        for one in tree.below("Channel/Parameters")
    ]
    application = tree.text("ProductInfo/CreationInfo/Application")
    return Observation(
        radar=Radar(
            instrument_mode=tree.text(f"{mode}/RadarMode/ModeID") or tree.text(f"{mode}/RadarMode/ModeType"),
            frequency_band=None if centre_hz is None else band_of(centre_hz),
            centre_frequency_hz=centre_hz,
            polarisations=tuple(dict.fromkeys(pair for pair in pairs if pair is not None)),
            product_type="CRSD" if crsd else "CPHD",
            side=side_of(position, velocity, scene),
        ),
        orbit=orbit,
        viewing=viewing,
        processing=Processing(
            level="L0",
            facility=tree.text("ProductInfo/CreationInfo/Site"),
            software=() if application is None else ((application, "unknown"),),
        ),
    )
