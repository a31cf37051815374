"""Where scatterers seem to lie: the flat place at which a plane wave would give the echo that the curved one gives.

Over a narrow aperture the ranges to all scatterers of a scene, pulse by pulse, are nearly a matrix of rank two. Its two factors
are the directions in which the pulses look, and the apparent places of the scatterers; so all echoes are one Fourier sum between
points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ApparentPlane", "fit_apparent_plane"]

type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]

POWERS = tuple((i, j, k) for i in range(4) for j in range(4 - i) for k in range(4 - i - j))
"""Powers of x, y, z of each term of the cubic polynomial."""

_PULSES = 33


@dataclass(frozen=True, slots=True)
class ApparentPlane:
    """A narrow aperture's view of a cloud of scatterers, as of a plane.

    The range to a scatterer less the reference range is `offsets_m` + `directions` . apparent place, for each pulse.

    Parameters
    ----------
    directions
        Shape (pulses, 2): across the middle line of sight and along it, so (0, 1) at the middle pulse.
    offsets_m
        Shape (pulses,), metres.
    terms
        Coefficients of the cubic polynomial that takes (x - centre) / scale to the apparent place, shape (20, 2), metres, in the
        order of `POWERS`.
    centre_m, scale_m
        Shape (3,) and a length.
    residual_m
        Root-mean-square error of the ranges, over scatterers weighted by their power and over pulses.
    """

    directions: Floats
    offsets_m: Floats
    terms: Floats
    centre_m: Floats
    scale_m: float
    residual_m: float

    def places_m(self, positions_m: npt.NDArray[np.floating]) -> Floats:
        """Apparent places, shape (n, 2), metres, of positions, shape (n, 3)."""
        scaled = (np.asarray(positions_m, np.float64) - self.centre_m) / self.scale_m
        return np.asarray(_powers(scaled) @ self.terms, np.float64)


def _powers(scaled: Floats) -> Floats:
    x, y, z = ([np.ones(len(scaled)), v, v * v, v * v * v] for v in scaled.T)
    return np.stack([x[i] * y[j] * z[k] for i, j, k in POWERS], axis=-1)


def fit_apparent_plane(
    positions_m: npt.NDArray[np.floating],
    powers: npt.NDArray[np.floating],
    corners_m: Floats,
    antennas_m: Floats,
    reference_range_m: Floats,
) -> ApparentPlane:
    """Fit the view of a cloud.

    Parameters
    ----------
    positions_m
        Some hundred scatterers of it, shape (n, 3), scene metres.
    powers
        How much each counts, shape (n,).
    corners_m
        Corners of a box about the whole cloud, shape (8, 3): the polynomial must not be asked beyond it.
    antennas_m, reference_range_m
        Antenna positions, shape (pulses, 3), and ranges that the phase is referred to, shape (pulses,).

    Notes
    -----
    The third singular value of the range matrix is what a plane cannot hold: heights off the plane times the curvature of the
    track. It falls with the square of the aperture, so that a cloud with heights is done in several apertures.
    """
    low, high = corners_m.min(axis=0), corners_m.max(axis=0)
    sample = np.concatenate([positions_m, corners_m]).astype(np.float64)
    weights = np.concatenate([powers, np.zeros(len(corners_m))]).astype(np.float64)
    weights /= max(float(weights.sum()), 1e-300)
    weights += 1e-3 / len(sample)
    pulses = np.unique(np.linspace(0, len(antennas_m) - 1, _PULSES).round().astype(int))
    ranges = _ranges(sample, antennas_m[pulses]) - reference_range_m[pulses]
    root = np.sqrt(weights)[:, None]
    mean = (weights @ ranges) / weights.sum()
    _, _, rows = np.linalg.svd(root * (ranges - mean), full_matrices=False)
    basis = rows[:2] if len(rows) > 1 else np.vstack([rows, np.zeros_like(rows)])
    # In axes that a person knows. Along the line of sight comes last: there the samples of a pulse lie beside each other, and so
    # does what they are read from.
    middle, turn = basis[:, len(pulses) // 2], basis[:, -1] - basis[:, 0]
    angle = _turn_rad(antennas_m[0], antennas_m[-1])
    change = np.linalg.lstsq(np.stack([middle, turn]), np.array([[0.0, 1.0], [angle, 0.0]]))[0]
    directions = basis.T @ change
    places = np.linalg.lstsq(directions, (ranges - mean).T)[0].T
    centre, scale = 0.5 * (low + high), max(0.5 * float((high - low).max()), 1e-3)
    terms = np.linalg.lstsq(root * _powers((sample - centre) / scale), root * places)[0]
    fitted = np.column_stack([np.ones(len(sample)), _powers((sample - centre) / scale) @ terms])
    # With places that the polynomial can give, offsets and directions of every pulse are the best once more.
    solution = np.linalg.lstsq(root * fitted, root * (_ranges(sample, antennas_m) - reference_range_m))[0]
    apart = _ranges(sample, antennas_m[pulses]) - reference_range_m[pulses] - fitted @ solution[:, pulses]
    residual = math.sqrt(float((weights @ apart**2).mean() / weights.sum()))
    return ApparentPlane(solution[1:].T.copy(), solution[0].copy(), terms, centre, scale, residual)


def _ranges(points_m: Floats, antennas_m: Floats) -> Floats:
    return np.asarray(np.linalg.norm(points_m[:, None, :] - antennas_m[None, :, :], axis=-1))


def _turn_rad(first_m: Floats, last_m: Floats) -> float:
    between = np.linalg.norm(first_m / np.linalg.norm(first_m) - last_m / np.linalg.norm(last_m))
    return float(2.0 * np.arcsin(0.5 * between))
