"""The zero-Doppler grid of a strip: slant range of closest approach by its time, and where its pixels lie on the Earth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.earth.wgs84 import ecef_to_geodetic

if TYPE_CHECKING:
    from kizuna.earth.scene import LocalScene
    from kizuna.sar.collection import Track

__all__ = ["StripGrid", "closest_approach", "looks_right"]

type Floats = npt.NDArray[np.float64]

_ROUNDS = 12
_SAME_M = 1e-6
_SAME_S = 1e-10


@dataclass(frozen=True, slots=True)
class StripGrid:
    """Pixels evenly spaced in the range and in the time of closest approach, on a surface of constant height.

    Parameters
    ----------
    track
        Path of the antenna, in the scene's frame.
    scene
        Where that frame lies on the Earth.
    height_m
        Of the surface above the ellipsoid.
    right
        Whether the radar looks to the right of its way. Rows grow with range; columns with time where it does, against it where
        not, so that the image is not mirrored.
    range_m, time_s
        Of pixel (`centre_row`, `centre_col`).
    row_spacing_m, col_spacing_s
        Distance of neighbouring rows in range, of neighbouring columns in time; both positive.
    rows, cols
        Size in pixels.
    """

    track: Track
    scene: LocalScene
    height_m: float
    right: bool
    range_m: float
    time_s: float
    row_spacing_m: float
    col_spacing_s: float
    rows: int
    cols: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows, self.cols

    @property
    def centre_row(self) -> int:
        """Row of `range_m`."""
        return self.rows // 2

    @property
    def centre_col(self) -> int:
        """Column of `time_s`."""
        return self.cols // 2

    def ranges_m(self) -> Floats:
        """Range of closest approach of each row, shape (rows,)."""
        return np.asarray(self.range_m + (np.arange(self.rows) - self.centre_row) * self.row_spacing_m, np.float64)

    def times_s(self) -> Floats:
        """Time of closest approach of each column, shape (cols,)."""
        along = self.col_spacing_s if self.right else -self.col_spacing_s
        return np.asarray(self.time_s + (np.arange(self.cols) - self.centre_col) * along, np.float64)

    def place(self, range_m: npt.ArrayLike, time_s: npt.ArrayLike) -> Floats:
        """Points of the surface, shape (..., 3), scene metres, to which the antenna comes closest at these ranges and times.

        Parameters
        ----------
        range_m, time_s
            Of closest approach, shapes that broadcast to (...).

        Notes
        -----
        They lie in the plane through the antenna at right angles to its velocity; the angle in it is found by Newton's method.
        """
        distance, when = np.broadcast_arrays(np.asarray(range_m, np.float64), np.asarray(time_s, np.float64))
        antenna = self.scene.to_ecef(self.track.at(when))
        ahead = self.scene.direction_to_ecef(self.track.at(when, derivative=1))
        ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
        radius = np.linalg.norm(antenna, axis=-1)
        down = -antenna / radius[..., None]
        down -= (down * ahead).sum(axis=-1, keepdims=True) * ahead
        down /= np.linalg.norm(down, axis=-1, keepdims=True)
        aside = np.cross(down, ahead) if self.right else np.cross(ahead, down)
        # On a sphere through the scene; the ellipsoid is near it.
        ground = float(np.linalg.norm(self.scene.to_ecef(np.zeros(3))))
        angle = np.arccos(np.clip((radius**2 + distance**2 - ground**2) / (2.0 * radius * distance), -1.0, 1.0))
        for _round in range(_ROUNDS):
            cosine, sine = (distance * np.cos(angle))[..., None], (distance * np.sin(angle))[..., None]
            point = antenna + cosine * down + sine * aside
            latitude, longitude, height = ecef_to_geodetic(point)
            up = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)], axis=-1)
            wrong = height - self.height_m
            angle = angle - wrong / (up * (cosine * aside - sine * down)).sum(axis=-1)
            if np.abs(wrong).max(initial=0.0) < _SAME_M:
                break
        return self.scene.from_ecef(point)

    def to_scene(self, row: npt.ArrayLike, col: npt.ArrayLike) -> Floats:
        """Scene positions, shape (..., 3), metres, of fractional pixel indices, shape (...)."""
        along = self.col_spacing_s if self.right else -self.col_spacing_s
        return self.place(
            self.range_m + (np.asarray(row, np.float64) - self.centre_row) * self.row_spacing_m,
            self.time_s + (np.asarray(col, np.float64) - self.centre_col) * along,
        )

    def from_scene(self, position_m: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Fractional row and column, each (...), where scatterers at scene positions, (..., 3), of any height, come to lie."""
        distance, when = closest_approach(self.track, position_m, self.time_s)
        along = self.col_spacing_s if self.right else -self.col_spacing_s
        return (
            np.asarray(self.centre_row + (distance - self.range_m) / self.row_spacing_m),
            np.asarray(self.centre_col + (when - self.time_s) / along),
        )

    def range_series(self, range_m: Floats, time_s: npt.ArrayLike) -> Floats:
        """Squared range of points that come closest at `range_m`, shape (n,), as polynomials of the seconds since then.

        Parameters
        ----------
        range_m, time_s
            Range and time of closest approach, shape (n,) or one time for all.

        Returns
        -------
        ndarray of float64, shape (n, degree + 1)
            Lowest power first, square metres; exact for the polynomial track.
        """
        degree = len(self.track.coefficients) - 1
        times = np.broadcast_to(np.asarray(time_s, np.float64), range_m.shape)
        away = np.stack([self.track.at(times, derivative=k) / math.factorial(k) for k in range(degree + 1)], axis=1)
        away[:, 0] -= self.place(range_m, times)
        found = np.zeros((len(range_m), 2 * degree + 1))
        for i in range(degree + 1):
            found[:, i : i + degree + 1] += (away[:, i, None] * away).sum(axis=-1)
        return found


def closest_approach(track: Track, position_m: npt.ArrayLike, start_s: float) -> tuple[Floats, Floats]:
    """Range and time at which the antenna comes closest to positions.

    Parameters
    ----------
    track
        Path of the antenna.
    position_m
        Shape (..., 3), the track's frame.
    start_s
        Where to begin to look.

    Returns
    -------
    range_m, time_s : ndarrays of float64, shape (...)
        Where the range no longer changes.
    """
    place = np.asarray(position_m, np.float64)
    when = np.full(place.shape[:-1], start_s)
    for _round in range(_ROUNDS):
        away = track.at(when) - place
        velocity, bend = track.at(when, derivative=1), track.at(when, derivative=2)
        step = (away * velocity).sum(axis=-1) / ((velocity**2).sum(axis=-1) + (away * bend).sum(axis=-1))
        when = when - step
        if np.abs(step).max(initial=0.0) < _SAME_S:
            break
    return np.linalg.norm(track.at(when) - place, axis=-1), np.asarray(when)


def looks_right(track: Track, scene: LocalScene, time_s: float) -> bool:
    """Whether the scene's zero lies to the right of the antenna's way at a time."""
    antenna = track.at(time_s)
    up = scene.to_ecef(antenna)
    across = np.cross(scene.direction_to_ecef(track.at(time_s, derivative=1)), up)
    return bool(scene.direction_to_ecef(-antenna) @ across > 0.0)
