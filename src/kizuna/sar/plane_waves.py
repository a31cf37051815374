"""Where points appear to lie to a formation that takes wavefronts for planes: the geometry behind polar format.

Along an aperture the range to a point x, less the range to a centre, is nearly that of a plane wave, s_p xi + q_p eta, with the
pulse's direction cosines (s_p, q_p) on two axes. The pair (xi, eta) that fits best over all pulses is where x appears; what
is left over defocuses it. The place differs from x by about x^2 / 2 R (Jakowatz et al. 1996, section 3.5): 0.3 m at the corner of
a square kilometre seen from orbit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from kizuna.sar.history import PhaseHistory

__all__ = ["ApparentPlaces", "PlaneWaves", "projected_sights"]

type Floats = npt.NDArray[np.float64]

_MOST_PULSES = 65
_NODES = 12
_DEGREE = 5
_POWERS = [(i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]


def projected_sights(sights: Floats, image_normal: Floats, focus_normal: Floats) -> Floats:
    """Lines of sight, shape (..., 3), laid along `focus_normal` into the plane of `image_normal`, both unit vectors.

    What lies on the plane of `focus_normal` has there, dropped onto the image plane at right angles, the phase that it has where
    it is: so the ground is in focus on a slant plane (SICD volume 1, PFA: FPN and IPN).
    """
    share = (sights @ image_normal) / float(focus_normal @ image_normal)
    return np.asarray(sights - share[..., None] * focus_normal)


@dataclass(frozen=True, slots=True)
class PlaneWaves:
    """The pulses of a history as plane waves about one point.

    Parameters
    ----------
    centre_m
        That point, shape (3,), scene metres.
    antenna_m
        Antenna positions, shape (pulses, 3), scene metres.
    row_cosine, col_cosine
        Components of the unit vector from antenna to centre along the two axes, shape (pulses,).
    centre_range_m
        Range from antenna to centre, shape (pulses,), metres.
    frequency_hz
        Middle of the band.
    """

    centre_m: Floats
    antenna_m: Floats
    row_cosine: Floats
    col_cosine: Floats
    centre_range_m: Floats
    frequency_hz: float

    @classmethod
    def about(cls, history: PhaseHistory, centre_m: Floats, row_direction: Floats, col_direction: Floats) -> PlaneWaves:
        """Waves of `history` about `centre_m`, resolved along two unit vectors, each shape (3,)."""
        away = centre_m - history.positions_m
        ranges = np.linalg.norm(away, axis=-1)
        unit = away / ranges[:, None]
        return cls(centre_m, history.positions_m, unit @ row_direction, unit @ col_direction, ranges, history.centre_frequency_hz)

    def apparent(self, points_m: Floats) -> tuple[Floats, Floats, Floats]:
        """Apparent row and column offsets of points, shape (..., 3), in metres, and the phase left over, rms radians, each (...).

        Notes
        -----
        Least squares over at most 65 pulses spread evenly. The range differences are differences of squares over sums, which
        loses no digits at orbital ranges.
        """
        some = np.unique(np.linspace(0, len(self.antenna_m) - 1, min(_MOST_PULSES, len(self.antenna_m))).astype(int))
        s, q, near, antenna = self.row_cosine[some], self.col_cosine[some], self.centre_range_m[some], self.antenna_m[some]
        offset = points_m - self.centre_m
        # |x - a|^2 - |x0 - a|^2 = (x - x0) . (x + x0 - 2 a)
        squares = np.einsum("...k,...pk->...p", offset, (points_m + self.centre_m)[..., None, :] - 2.0 * antenna)
        change = squares / (np.sqrt(near**2 + squares) + near)
        normal = np.array([[s @ s, s @ q], [s @ q, q @ q]])
        both = np.linalg.solve(normal, np.stack([change @ s, change @ q], axis=-1)[..., None])[..., 0]
        left = change - both[..., :1] * s - both[..., 1:] * q
        cycles = 2.0 * self.frequency_hz / SPEED_OF_LIGHT_M_S * np.sqrt(np.mean(left**2, axis=-1))
        return both[..., 0], both[..., 1], np.asarray(2.0 * math.pi * cycles)


@dataclass(frozen=True, slots=True)
class ApparentPlaces:
    """Apparent places of a rectangle on a plane, as polynomials of degree 5.

    Parameters
    ----------
    half_m
        Half lengths of the rectangle along rows and columns: polynomials take offsets from its centre over these.
    row, col
        Coefficients of the apparent offsets xi and eta in metres, shape (6, 6): powers of the row's and of the column's offset.
    col_at_row
        Coefficients of eta, powers of xi / half_m[0] instead and of the column's offset.
    reach_m
        Least and greatest xi, least and greatest eta, over the rectangle.
    phase_rad
        Greatest rms phase over the aperture that no place explains.
    bend
        How much eta changes at most with xi where the column's offset stays, metres a metre.
    """

    half_m: tuple[float, float]
    row: Floats
    col: Floats
    col_at_row: Floats
    reach_m: tuple[float, float, float, float]
    phase_rad: float
    bend: float

    @classmethod
    def over(cls, waves: PlaneWaves, row_direction: Floats, col_direction: Floats, half_m: tuple[float, float]) -> ApparentPlaces:
        """Fit to `waves` over a rectangle about their centre, of half lengths `half_m`, between the same two unit vectors."""
        nodes = np.cos(math.pi * np.arange(_NODES) / (_NODES - 1))
        u, v = (axis.ravel() for axis in np.meshgrid(nodes, nodes, indexing="ij"))
        points = waves.centre_m + half_m[0] * u[:, None] * row_direction + half_m[1] * v[:, None] * col_direction
        xi, eta, phase = waves.apparent(points)
        col_at_row = _fitted(xi / half_m[0], v, eta)
        slope = np.polynomial.polynomial.polyval2d(xi / half_m[0], v, np.polynomial.polynomial.polyder(col_at_row)) / half_m[0]
        return cls(
            half_m,
            _fitted(u, v, xi),
            _fitted(u, v, eta),
            col_at_row,
            (float(xi.min()), float(xi.max()), float(eta.min()), float(eta.max())),
            float(phase.max()),
            float(np.abs(slope).max()),
        )

    @classmethod
    def unmoved(cls, half_m: tuple[float, float], phase_rad: float) -> ApparentPlaces:
        """Places that are what they seem: a rectangle of the plane on which a formation that knows no curvature sees points."""
        row, col = np.zeros((2, _DEGREE + 1, _DEGREE + 1))
        row[1, 0], col[0, 1] = half_m
        return cls(half_m, row, col, col, (-half_m[0], half_m[0], -half_m[1], half_m[1]), phase_rad, 0.0)

    def along_rows(self, coefficients: Floats, row: Floats) -> Floats:
        """Polynomials in the column's offset for each row's value, shape (rows, 6), lowest power first; `row` over half_m."""
        return np.asarray(np.polynomial.polynomial.polyvander(row, _DEGREE) @ coefficients)


def _fitted(u: Floats, v: Floats, values: Floats) -> Floats:
    """Coefficients, shape (6, 6), of the polynomial of total degree 5 that fits best."""
    design = np.stack([u**i * v**j for i, j in _POWERS], axis=-1)
    found = np.linalg.lstsq(design, values)[0]
    table = np.zeros((_DEGREE + 1, _DEGREE + 1))
    for (i, j), value in zip(_POWERS, found, strict=True):
        table[i, j] = value
    return table
