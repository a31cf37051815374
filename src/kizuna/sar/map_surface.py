"""Pixels of a map on terrain, as the formations take them: places in the scene by polynomials of row and column, and heights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.history import PhaseHistory

__all__ = ["MapSurface", "map_sampling_m", "to_map_baseband"]

type Floats = npt.NDArray[np.float64]

_DEGREE = 5
_NODES = 9
_MOST_MISFIT_M = 1e-4


@dataclass(frozen=True, slots=True)
class MapSurface:
    """Pixels of a map, each at a height of its own above the ellipsoid.

    A place is linear in its height: a point of the ellipsoid and the normal there, both smooth on the map.

    Parameters
    ----------
    heights_m
        Shape (rows, cols), metres above `middle_height_m`; finite.
    middle_height_m
        Height above the ellipsoid from which they count.
    terms
        Chebyshev coefficients of row and column, each from -1 to 1 over the map, shape (6, 6, 6): the position at the middle
        height (scene metres), then the normal.
    """

    heights_m: npt.NDArray[np.float32]
    middle_height_m: float
    terms: Floats

    @classmethod
    def fitted(
        cls, place: Callable[[Floats, Floats, Floats], Floats], heights_m: npt.NDArray[np.float32], middle_height_m: float
    ) -> MapSurface:
        """Surface of a map.

        Parameters
        ----------
        place
            Scene positions, shape (n, 3), metres, of rows, columns and heights above the ellipsoid, each (n,).
        heights_m
            Of the pixels, shape (rows, cols), finite, above `middle_height_m`.
        middle_height_m
            Height above the ellipsoid from which they count, near them: they are kept in single precision.

        Raises
        ------
        InputError
            A map so large that the polynomials are off by more than a tenth of a millimetre.
        """
        rows, cols = heights_m.shape
        half = 0.5 * np.array([rows - 1, cols - 1])

        def known(nodes: Floats) -> tuple[Floats, Floats]:
            u, v = (axis.ravel() for axis in np.meshgrid(nodes, nodes, indexing="ij"))
            at = half[0] * (u + 1.0), half[1] * (v + 1.0)
            low, high = (place(*at, np.full(len(u), middle_height_m + above)) for above in (0.0, 1000.0))
            return np.stack([u, v]), np.concatenate([low, (high - low) / 1000.0], axis=-1)

        # Chebyshev's points for the fit, even ones for the check.
        nodes, values = known(np.cos(math.pi * (np.arange(_NODES) + 0.5) / _NODES))
        design = np.polynomial.chebyshev.chebvander2d(nodes[0], nodes[1], (_DEGREE, _DEGREE))
        terms = np.linalg.lstsq(design, values)[0].reshape(_DEGREE + 1, _DEGREE + 1, 6)
        surface = cls(heights_m, middle_height_m, terms)
        checked, expected = known(np.linspace(-1.0, 1.0, _NODES - 1))
        reach = np.array([1.0] * 3 + [max(1.0, float(np.abs(heights_m).max()))] * 3)
        misfit = float(np.abs((surface._terms_at(*checked) - expected) * reach).max())
        if misfit > _MOST_MISFIT_M:
            raise InputError(
                Message("the map bends too much over its extent: {got} m are left", {"got": float(f"{misfit:.2g}")}),
                hint=Message("Form a smaller image, or name a coordinate system that suits the place better."),
                field="grid",
            )
        return surface

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.heights_m.shape[0])

    @property
    def cols(self) -> int:
        """Number of columns."""
        return int(self.heights_m.shape[1])

    def to_scene(self, row: npt.ArrayLike, col: npt.ArrayLike) -> Floats:
        """Scene positions, shape (..., 3), metres, of whole pixel indices, shape (...)."""
        row, col = np.asarray(row, np.intp), np.asarray(col, np.intp)
        halves = [0.5 * max(side - 1, 1) for side in (self.rows, self.cols)]
        found = self._terms_at(row / halves[0] - 1.0, col / halves[1] - 1.0)
        height = self.heights_m[row, col].astype(np.float64)
        return np.asarray(found[..., :3] + height[..., None] * found[..., 3:])

    def _terms_at(self, u: Floats, v: Floats) -> Floats:
        """Positions and normals, shape (..., 6), at fractions of the map that broadcast to (...)."""
        vander = np.polynomial.chebyshev.chebvander
        along_rows = np.tensordot(vander(u, _DEGREE), self.terms, 1)
        return np.asarray(np.einsum("...jk,...j->...k", along_rows, vander(v, _DEGREE)))


def map_sampling_m(history: PhaseHistory, *, share: float = 0.8) -> float:
    """Spacing, metres, at which level pixels that run north and east hold the image, its carrier taken out.

    Parameters
    ----------
    history
        Phase history; x is east and y north.
    share
        Of a pixel's spectrum, how much the image's may fill.
    """
    sights = -history.positions_m / np.linalg.norm(history.positions_m, axis=-1, keepdims=True)
    edges = np.outer([history.frequencies_hz[0], history.frequencies_hz[-1] + history.frequency_step_hz], np.ones(len(sights)))
    waves = 2.0 / SPEED_OF_LIGHT_M_S * edges[..., None] * sights[None, :, :2]
    return share / float(np.ptp(waves, axis=(0, 1)).max())


def to_map_baseband(pixels: npt.NDArray[np.complex64], surface: MapSurface, history: PhaseHistory) -> Floats:
    """Take out of pixels, in place, the carrier's phase of their own range, and say from where it was measured.

    What is left at a scatterer is the phase -4 pi f_c (R - r0) / c of its echo. Rows are done some at a time.

    Returns
    -------
    ndarray of float64, shape (3,)
        Antenna from which ranges R are measured, scene metres: that of the middle of the aperture. r0 is its range to the zero of
        the scene.
    """
    antenna = history.centre_position_m
    wave = 2.0 * history.centre_frequency_hz / SPEED_OF_LIGHT_M_S
    step = max(1, (1 << 18) // surface.cols)
    for begin in range(0, surface.rows, step):
        rows = np.arange(begin, min(begin + step, surface.rows))
        places = surface.to_scene(rows[:, None], np.arange(surface.cols)[None, :])
        # A difference of squares over a sum loses no digits at orbital ranges.
        zero = float(np.linalg.norm(antenna))
        squares = np.einsum("...k,...k->...", places, places - 2.0 * antenna)
        cycles = wave * squares / (np.sqrt(zero**2 + squares) + zero)
        pixels[begin : begin + len(rows)] *= np.exp(-2j * math.pi * (cycles - np.rint(cycles))).astype(np.complex64)
    return antenna
