"""How a SICD was observed, out of its metadata (NGA.STND.0024, volume 1): what is missing or faulty is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kizuna.earth.viewing import line_of_sight
from kizuna.formats.metadata_tree import MetadataTree
from kizuna.formats.sicd import read_metadata
from kizuna.model.observation import Grid, Observation, Orbit, OrbitState, Processing, Radar, Side, Viewing, band_of, plausible

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LOWEST_ORBIT_M", "platform_of", "polarisation_of", "read_sicd_observation", "side_of"]

LOWEST_ORBIT_M = 100e3
"""Whatever flies lower is in no orbit."""
_SIDES = {"L": Side.LEFT, "R": Side.RIGHT}
# SICD and SIDD write the circular ones RHC and LHC; what has no letter in STAC (E, S, X, Y, OTHER, ...) is left out.
_POLARISATIONS = {"H": "H", "V": "V", "RHC": "R", "LHC": "L"}


def polarisation_of(sent: str, received: str) -> str | None:
    """Pair of letters of a polarisation sent and one received, as SICD and SIDD write them; None where one has no letter.

    Examples
    --------
    >>> polarisation_of("H", "V"), polarisation_of("RHC", "H"), polarisation_of("OTHER", "H")
    ('HV', 'RH', None)
    """
    pair = [_POLARISATIONS.get(one) for one in (sent, received)]
    return None if None in pair else "".join(str(letter) for letter in pair)


def platform_of(
    position_ecef_m: Sequence[float] | None, velocity_ecef_m_s: Sequence[float] | None, scene_ecef_m: Sequence[float] | None
) -> tuple[Orbit, Viewing]:
    """Orbit and viewing angles of where the platform was and where it looked.

    Parameters
    ----------
    position_ecef_m, velocity_ecef_m_s
        Of the platform, shape (3,); None where not known.
    scene_ecef_m
        Middle of the scene.
    """
    if position_ecef_m is None or scene_ecef_m is None or not np.linalg.norm(np.subtract(position_ecef_m, scene_ecef_m)) > 0.0:
        return Orbit(), Viewing()
    seen = line_of_sight(position_ecef_m, scene_ecef_m)
    orbit = Orbit()
    if velocity_ecef_m_s is not None and seen.height_m > LOWEST_ORBIT_M:
        # The Earth turns about its axis: velocity along it is the same in both frames.
        orbit = Orbit(state=OrbitState.ASCENDING if velocity_ecef_m_s[2] > 0.0 else OrbitState.DESCENDING)
    return orbit, Viewing(seen.incidence_rad, seen.off_nadir_rad, seen.azimuth_rad)


def side_of(
    position_ecef_m: Sequence[float] | None, velocity_ecef_m_s: Sequence[float] | None, scene_ecef_m: Sequence[float] | None
) -> Side | None:
    """Side of the track that a scene lies on; None where the platform is not known.

    Examples
    --------
    >>> side_of((7e6, 0.0, 0.0), (0.0, 0.0, 7e3), (6.3e6, 3e5, 0.0)).value
    'right'
    """
    if position_ecef_m is None or velocity_ecef_m_s is None or scene_ecef_m is None:
        return None
    leftwards = np.cross(np.asarray(position_ecef_m), np.asarray(velocity_ecef_m_s))
    offset = float(np.subtract(scene_ecef_m, position_ecef_m) @ leftwards)
    return None if offset == 0.0 else Side.LEFT if offset > 0.0 else Side.RIGHT


def read_sicd_observation(file: BinaryIO) -> Observation | None:
    """How a SICD was observed.

    Parameters
    ----------
    file
        Open, seekable binary file.

    Raises
    ------
    InputError
        Not a SICD.

    Notes
    -----
    Range is the row's direction and azimuth the column's, as SICD has them (volume 1, section 2.3). The frequency is the middle
    of the processed band, unless the file gives it only against a reference that it does not tell.
    """
    tree = MetadataTree(read_metadata(file))
    orbit, viewing = platform_of(tree.vector("SCPCOA/ARPPos"), tree.vector("SCPCOA/ARPVel"), tree.vector("GeoData/SCP/ECF"))
    rows, cols = tree.whole("ImageData/NumRows"), tree.whole("ImageData/NumCols")
    application, site = tree.text("ImageCreation/Application"), tree.text("ImageCreation/Site")
    return plausible(
        Observation(
            radar=_radar(tree),
            orbit=orbit,
            viewing=viewing,
            grid=Grid(shape=None if rows is None or cols is None else (rows, cols)),
            processing=Processing(level="L1", facility=site, software=() if application is None else _software(application)),
        )
    )


def _software(text: str) -> tuple[tuple[str, str], ...]:
    """Name and version of an application: the last word is its version if it holds a digit."""
    name, space, version = text.rpartition(" ")
    return ((name, version),) if space and any(c.isdigit() for c in version) else ((text, "unknown"),)


def _radar(tree: MetadataTree) -> Radar:
    low, high = tree.number("ImageFormation/TxFrequencyProc/MinProc"), tree.number("ImageFormation/TxFrequencyProc/MaxProc")
    known = low is not None and high is not None and not tree.whole("RadarCollection/RefFreqIndex")
    centre_hz = ((low or 0.0) + (high or 0.0)) / 2.0 if known else None
    sent, _, received = (tree.text("ImageFormation/TxRcvPolarizationProc") or "").partition(":")
    polarisation = polarisation_of(sent, received)
    return Radar(
        instrument_mode=tree.text("CollectionInfo/RadarMode/ModeID") or tree.text("CollectionInfo/RadarMode/ModeType"),
        frequency_band=None if centre_hz is None else band_of(centre_hz),
        centre_frequency_hz=centre_hz,
        polarisations=() if polarisation is None else (polarisation,),
        product_type="SLC",
        resolution_range_m=tree.number("Grid/Row/ImpRespWid"),
        resolution_azimuth_m=tree.number("Grid/Col/ImpRespWid"),
        spacing_range_m=tree.number("Grid/Row/SS"),
        spacing_azimuth_m=tree.number("Grid/Col/SS"),
        looks_range=1.0,
        looks_azimuth=1.0,
        side=_SIDES.get(tree.text("SCPCOA/SideOfTrack") or ""),
    )
