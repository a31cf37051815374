"""AFRL Gotcha volumetric SAR data: MATLAB files of one azimuth degree each, read into phase history.

The set is public (AFRL/WS-07-0528, distribution A) and without a map position: its x, y, z are metres about the scene's centre.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
import scipy.io

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic
from kizuna.errors import InputError, Message
from kizuna.formats.sicd_metadata import SicdDescription
from kizuna.model.instants import parse_instant
from kizuna.sar.history import PhaseHistory, join
from kizuna.sar.image import form_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.model.instants import Instant
    from kizuna.sar.image import FormedImage

__all__ = ["COLLECT_START", "NOMINAL_POSITION", "POLARISATIONS", "describe", "form_gotcha", "read_history"]

type Floats = npt.NDArray[np.float64]

POLARISATIONS = ("HH", "HV", "VH", "VV")

NOMINAL_POSITION = Geodetic.from_degrees(latitude_deg=10.05, longitude_deg=76.45)
"""Fictional: flat land inland of Kochi, inside the Sentinel-1 sample, so that one map shows both. The data have no position."""

COLLECT_START = parse_instant("2007-03-27T12:14:48Z")
"""Nominal: when the set's first file says it was written, the only date that the files hold. The collection was earlier."""

_PLATFORM_SPEED_M_S = 100.0  # nominal: the files hold positions and no times

_MAT_5_MAGIC = b"MATLAB 5.0 MAT-file"
_HINT = Message("Fetch the file again; a Gotcha file is called like data_3dsar_pass1_az001_HH.mat and holds about 400 kB.")


def read_history(files: Sequence[BinaryIO], *, polarisation: str) -> PhaseHistory:
    """Read consecutive azimuth degrees of one Gotcha pass.

    Parameters
    ----------
    files
        Open binary files, one a degree, in the order of their azimuth.
    polarisation
        What the file names say (``"HH"``): the files themselves do not.

    Returns
    -------
    PhaseHistory
        All pulses, with the data's autofocus solution beside them, not applied. Positions are metres, z up, about the scene's
        centre.

    Raises
    ------
    InputError
        Not a MATLAB 5 file, a truncated one, or one without the fields of the Gotcha set.

    Notes
    -----
    Fields as the set's Readme lists them: fp (frequencies, pulses), freq (Hz), x, y, z (m), r0 (m), af.r_correct (m) and
    af.ph_correct (rad). The frequencies are rounded to float32 in the file (1 kHz steps); they are evenly spaced, so the ends
    alone are taken.
    """
    if polarisation not in POLARISATIONS:
        raise InputError(
            Message(
                "unknown polarisation {got}; expected one of {expected}",
                {"got": polarisation, "expected": ", ".join(POLARISATIONS)},
            ),
            hint=Message("Take the polarisation from the end of the file's name."),
            field="polarisation",
        )
    return join([_read_degree(file, polarisation) for file in files])


def form_gotcha(
    files: Sequence[BinaryIO],
    nominal_position: Geodetic = NOMINAL_POSITION,
    progress: Callable[[int, int], None] | None = None,
    *,
    polarisation: str = "HH",
) -> FormedImage:
    """Form the scene's 100 m x 100 m from consecutive azimuth degrees, without the data's autofocus solution.

    Parameters
    ----------
    files
        Open binary files, one a degree, in the order of their azimuth.
    nominal_position
        Where to pretend that the scene lies.
    progress
        Called with (pulses done, pulses in all).
    polarisation
        What the file names say.

    Returns
    -------
    FormedImage
        500 x 500 pixels of 0.2 m, marked as nominally placed.

    Raises
    ------
    InputError
        As `read_history`.
    """
    history = read_history(files, polarisation=polarisation)
    return form_image(history, LocalScene(nominal_position), nominal=True, progress=progress)


def describe(
    *, produced: Instant, classification: str = "UNCLASSIFIED", collect_start: Instant = COLLECT_START
) -> SicdDescription:
    """SICD description of a formed Gotcha image: everything that had to be assigned is marked as nominal."""
    return SicdDescription(
        core_name="Gotcha pass 1 HH azimuth 001-003",
        classification=classification,
        collect_start=collect_start,
        collect_start_nominal=True,
        platform_speed_m_s=_PLATFORM_SPEED_M_S,
        produced=produced,
    )


def _read_degree(file: BinaryIO, polarisation: str) -> PhaseHistory:
    head = file.read(len(_MAT_5_MAGIC))
    if head != _MAT_5_MAGIC:
        raise InputError(Message("not a MATLAB 5 file: it starts with {got}", {"got": repr(head)}), hint=_HINT, field="file")
    file.seek(0)
    try:
        data = scipy.io.loadmat(file, squeeze_me=True, struct_as_record=False, variable_names=["data"]).get("data")
    except Exception as error:  # scipy raises half a dozen kinds, MemoryError and zlib.error among them, on damaged bytes
        file.seek(0, 2)
        raise InputError(
            Message(
                "the MATLAB file is damaged or cut off: it ends at byte {size} ({reason})",
                {"size": file.tell(), "reason": str(error) or type(error).__name__},
            ),
            hint=_HINT,
            field="file",
        ) from error
    if data is None:
        raise _missing("data")
    samples = np.asarray(_member(data, "fp"))
    frequencies = _vector(data, "freq")
    positions = np.stack([_vector(data, axis) for axis in ("x", "y", "z")], axis=-1)
    ranges = _vector(data, "r0")
    if samples.ndim != 2 or samples.shape != (len(frequencies), len(ranges)) or len(positions) != len(ranges):  # noqa: PLR2004
        raise InputError(
            Message(
                "field data.fp has shape {got}; expected {frequencies} frequencies x {pulses} pulses",
                {"got": str(samples.shape), "frequencies": len(frequencies), "pulses": len(ranges)},
            ),
            hint=_HINT,
            field="data.fp",
        )
    values = (samples, frequencies, positions, ranges)
    if not (all(np.isfinite(value).all() for value in values) and frequencies[0] < frequencies[-1]):
        raise InputError(
            Message("the phase history holds values that are not finite, or frequencies that do not ascend"),
            hint=_HINT,
            field="data",
        )
    return PhaseHistory(
        samples=np.ascontiguousarray(samples.T, np.complex64),
        frequencies_hz=np.linspace(frequencies[0], frequencies[-1], len(frequencies)),
        positions_m=positions,
        reference_range_m=ranges,
        polarisation=polarisation,
        range_correction_m=_autofocus(data, "r_correct", len(ranges)),
        phase_correction_rad=_autofocus(data, "ph_correct", len(ranges)),
    )


def _missing(name: str) -> InputError:
    return InputError(
        Message("the MATLAB file has no field {field}, which every Gotcha file holds", {"field": name}), hint=_HINT, field=name
    )


def _member(data: object, name: str) -> object:
    try:
        return getattr(data, name)
    except AttributeError:
        raise _missing(f"data.{name}") from None


def _vector(data: object, name: str) -> Floats:
    return np.atleast_1d(np.asarray(_member(data, name), np.float64))


def _autofocus(data: object, name: str, pulses: int) -> Floats | None:
    """Row of the autofocus solution, or None: the cross-polarised files have none."""
    value = getattr(getattr(data, "af", None), name, None)
    row = None if value is None else np.atleast_1d(np.asarray(value, np.float64))
    return row if row is not None and row.shape == (pulses,) else None
