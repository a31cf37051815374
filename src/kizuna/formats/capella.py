"""Capella's extended metadata (JSON beside each of its products): how a small X-band satellite flew, sent and heard.

It is the one public description of such a satellite that is complete, so it serves as the pattern for what a provider does not
publish.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message
from kizuna.formats.sicd_observation import platform_of
from kizuna.model.observation import Grid, Observation, Processing, Radar, Side, band_of, plausible
from kizuna.model.reading import Table
from kizuna.sar.collection import Mode

if TYPE_CHECKING:
    from kizuna.model.instants import Instant

__all__ = ["CapellaCollect", "read_capella"]

type Floats = npt.NDArray[np.float64]

_MODES = {"spotlight": Mode.SPOTLIGHT, "stripmap": Mode.STRIPMAP, "sliding_spotlight": Mode.DYNAMIC_STRIPMAP}
_MOST_BYTES = 16 << 20
_HINT = Message("Name a Capella file that ends with _extended.json.")
_POLARISATIONS = ("H", "V")
_AXES = 3


@dataclass(frozen=True, slots=True)
class CapellaCollect:
    """What one extended metadata file says.

    Parameters
    ----------
    platform, name, product_type, software
        Such as ``"capella-13"``, the collect's identifier, ``"SLC"``, version of the processor.
    mode, mode_name
        In SICD's words, and in Capella's.
    begin, end
        Of the collection.
    side
        Where it looked.
    times_s
        Of the state vectors, seconds after `begin`, shape (n,), growing.
    positions_ecef_m, velocities_ecef_m_s
        State vectors, shape (n, 3).
    centre_frequency_hz, bandwidth_hz, sample_rate_hz, pulse_s, prf_hz
        What was sent and how it was sampled; bandwidth, pulse length and pulse repetition frequency the mean over the collection.
    polarisation
        Sent and received.
    algorithm, geometry
        How the image was formed and lies: ``"pfa"``, ``"backprojection"``; ``"pfa"``, ``"slant_plane"``, ``"geotransform"``.
    shape, spacing_m
        Rows and columns of the image, and their distances.
    resolution_m
        Range on the ground, azimuth.
    incidence_rad, look_rad, squint_rad
        At the middle of the image.
    target_ecef_m
        Its middle, shape (3,).
    nesz_db
        Least noise-equivalent sigma zero; None where it is not given.
    """

    platform: str
    name: str
    product_type: str
    software: str
    mode: Mode
    mode_name: str
    begin: Instant
    end: Instant
    side: Side
    times_s: Floats
    positions_ecef_m: Floats
    velocities_ecef_m_s: Floats
    centre_frequency_hz: float
    bandwidth_hz: float
    sample_rate_hz: float
    pulse_s: float
    prf_hz: float
    polarisation: str
    algorithm: str
    geometry: str
    shape: tuple[int, int]
    spacing_m: tuple[float, float]
    resolution_m: tuple[float, float]
    incidence_rad: float
    look_rad: float
    squint_rad: float
    target_ecef_m: Floats
    nesz_db: float | None

    def observation(self) -> Observation | None:
        """How it was observed, for a catalogue."""
        middle = len(self.times_s) // 2
        orbit, viewing = platform_of(
            self.positions_ecef_m[middle].tolist(), self.velocities_ecef_m_s[middle].tolist(), self.target_ecef_m.tolist()
        )
        return plausible(
            Observation(
                radar=Radar(
                    instrument_mode=self.mode_name,
                    frequency_band=band_of(self.centre_frequency_hz),
                    centre_frequency_hz=self.centre_frequency_hz,
                    polarisations=(self.polarisation,),
                    product_type=self.product_type,
                    resolution_range_m=self.resolution_m[0],
                    resolution_azimuth_m=self.resolution_m[1],
                    spacing_range_m=self.spacing_m[0],
                    spacing_azimuth_m=self.spacing_m[1],
                    side=self.side,
                ),
                orbit=orbit,
                viewing=viewing,
                grid=Grid(shape=self.shape),
                processing=Processing(level="L1", software=(("capella", self.software),)),
            )
        )


def read_capella(file: BinaryIO) -> CapellaCollect:
    """Read an extended metadata file.

    Parameters
    ----------
    file
        Open binary file.

    Raises
    ------
    InputError
        No JSON, or without what every such file has; the field is named.
    """
    file.seek(0)
    data = file.read(_MOST_BYTES + 1)
    try:
        form = json.loads(data[:_MOST_BYTES])
    except (ValueError, RecursionError) as error:  # a longer one is cut off, and so none
        raise InputError(Message("not Capella's extended metadata: it is no JSON"), hint=_HINT, field="file") from error
    if not isinstance(form, dict) or not isinstance(form.get("collect"), dict):
        raise InputError(Message("not Capella's extended metadata: it has no collect"), hint=_HINT, field="collect")
    top = Table(form)
    collect = top.table("collect")
    image, radar, state = collect.table("image"), collect.table("radar"), collect.table("state")
    begin, end = collect.instant("start_timestamp"), collect.instant("stop_timestamp")
    vectors = state.tables("state_vectors")
    times = np.array([(vector.instant("time") - begin).total_seconds() for vector in vectors])
    if len(times) < 2 or not bool((np.diff(times) > 0.0).all()):  # noqa: PLR2004 # a path takes two
        state.fault("state_vectors", Message("two or more state vectors in the order of their times"))
    pulses = _pulses(radar)
    middle, mode = image.table("center_pixel"), collect.choice("mode", tuple(_MODES))
    sent, received = (radar.choice(f"{way}_polarization", _POLARISATIONS) for way in ("transmit", "receive"))
    return CapellaCollect(
        platform=collect.text("platform"),
        name=collect.text("collect_id"),
        product_type=top.text("product_type"),
        software=top.text("software_version"),
        mode=_MODES[mode],
        mode_name=mode,
        begin=begin,
        end=end,
        side=Side(radar.choice("pointing", ("left", "right"))),
        times_s=times,
        positions_ecef_m=np.array([_triple(vector, "position") for vector in vectors]),
        velocities_ecef_m_s=np.array([_triple(vector, "velocity") for vector in vectors]),
        centre_frequency_hz=_positive(radar, "center_frequency"),
        bandwidth_hz=pulses["pulse_bandwidth"],
        sample_rate_hz=_positive(radar, "sampling_frequency"),
        pulse_s=pulses["pulse_duration"],
        prf_hz=pulses["prf"],
        polarisation=sent + received,
        algorithm=image.text("algorithm"),
        geometry=image.table("image_geometry").text("type"),
        shape=(image.integer("rows", least=1), image.integer("columns", least=1)),
        spacing_m=(_positive(image, "pixel_spacing_row"), _positive(image, "pixel_spacing_column")),
        resolution_m=(_positive(image, "ground_range_resolution"), _positive(image, "azimuth_resolution")),
        incidence_rad=float(np.radians(middle.number("incidence_angle"))),
        look_rad=float(np.radians(middle.number("look_angle"))),
        squint_rad=float(np.radians(middle.number("squint_angle"))),
        target_ecef_m=np.array(_triple(middle, "target_position")),
        nesz_db=image.number("nesz_peak") if image.has("nesz_peak") else None,
    )


def _positive(table: Table, name: str) -> float:
    number = table.number(name)
    if not number > 0.0:
        table.fault(name, Message("a number above 0"))
    return number


def _triple(table: Table, name: str) -> tuple[float, ...]:
    values = [item.number(name) for item in table.items(name)]
    if len(values) != _AXES:
        table.fault(name, Message("{count} numbers", {"count": _AXES}))
    return tuple(values)


def _pulses(radar: Table) -> dict[str, float]:
    """Mean of what varies over the collection, each value as often as it was in use."""
    parts = radar.tables("time_varying_parameters")
    if not parts:
        radar.fault("time_varying_parameters", Message("one or more"))
    counts = [max(1, len(part.texts("start_timestamps", most=1_000_000))) for part in parts]
    names = ("pulse_bandwidth", "pulse_duration", "prf")
    return {name: float(np.average([_positive(part, name) for part in parts], weights=counts)) for name in names}
