"""SICD's PFA block: the plane on which polar format sees points, as it takes wavefronts for planes (volume 1, table 3-14)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kizuna.sar.history import SPEED_OF_LIGHT_M_S
from kizuna.sar.plane_waves import projected_sights

if TYPE_CHECKING:
    from kizuna.sar.image import FormedImage

__all__ = ["polar_block"]

type Floats = npt.NDArray[np.float64]

_DEGREE = 5
_UP = np.array([0.0, 0.0, 1.0])


def polar_block(image: FormedImage) -> dict[str, Any]:
    """PFA block of an image that `kizuna.sar.polar.polar_plane` formed, its history with times.

    Notes
    -----
    Range less the range to the scene's centre is KSF (x cos(theta) + y sin(theta)) there (volume 3, section 4.1): the polar angle
    and the scale factor are angle and length of the line of sight, laid along the ground's normal into the image plane.
    """
    history, grid, scene = image.history, image.grid, image.scene
    times = np.asarray(history.times_s, np.float64)
    away = grid.origin_m - history.positions_m
    away = projected_sights(away / np.linalg.norm(away, axis=-1, keepdims=True), grid.normal, _UP)
    row, col = away @ grid.row_direction, away @ grid.col_direction
    angle, scale = np.arctan2(col, row), np.hypot(row, col)
    middle = 0.5 * float(times[0] + times[-1])
    polar_angle = np.polynomial.Polynomial.fit(times, angle, _DEGREE).convert()
    reference = middle
    for _ in range(8):  # where the angle is nought
        reference -= float(polar_angle(reference) / polar_angle.deriv()(reference))
    # Over an aperture that hardly turns, a polynomial of the angle itself says nothing more than one of low degree.
    spatial = np.polynomial.Polynomial.fit(angle, scale, 3).convert()
    # Each sample stands for half a step to either side, in frequency and in angle.
    half = 0.5 * history.frequency_step_hz
    cycles = 2.0 / SPEED_OF_LIGHT_M_S * np.array([history.frequencies_hz[0] - half, history.frequencies_hz[-1] + half])
    along, across = np.outer(cycles, row), np.outer(cycles, col)
    beside = 0.5 * float(np.ptp(across)) / (history.pulses - 1)
    return {
        "FPN": scene.direction_to_ecef(_UP),
        "IPN": scene.direction_to_ecef(grid.normal * math.copysign(1.0, float(grid.normal[2]))),
        "PolarAngRefTime": reference,
        "PolarAngPoly": polar_angle.coef,
        "SpatialFreqSFPoly": spatial.coef,
        "Krg1": float(along.min()),
        "Krg2": float(along.max()),
        "Kaz1": float(across.min()) - beside,
        "Kaz2": float(across.max()) + beside,
    }
