"""A local scene: east-north-up metres about a place, and the way to and from ECEF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kizuna.earth.wgs84 import Floats, Geodetic, ecef_to_geodetic, enu_basis

__all__ = ["LocalScene"]


@dataclass(frozen=True, slots=True)
class LocalScene:
    """A Cartesian east-north-up frame fixed to the Earth at `origin`.

    Parameters
    ----------
    origin
        Place of the frame's zero.

    Examples
    --------
    >>> scene = LocalScene(Geodetic.from_degrees(latitude_deg=10.0, longitude_deg=76.0))
    >>> scene.from_ecef(scene.to_ecef([1.0, 2.0, 3.0])).round(6).tolist()
    [1.0, 2.0, 3.0]
    """

    origin: Geodetic

    def to_ecef(self, position_enu_m: npt.ArrayLike) -> Floats:
        """Local positions, shape (..., 3), east-north-up metres, to ECEF metres of the same shape."""
        return self.origin.ecef_m() + self.direction_to_ecef(position_enu_m)

    def from_ecef(self, position_ecef_m: npt.ArrayLike) -> Floats:
        """ECEF positions, shape (..., 3), metres, to local east-north-up metres of the same shape."""
        offset = np.asarray(position_ecef_m, np.float64) - self.origin.ecef_m()
        return np.asarray(offset @ self._basis().T, np.float64)

    def direction_to_ecef(self, vector_enu: npt.ArrayLike) -> Floats:
        """Local vectors (directions, velocities), shape (..., 3), to ECEF of the same shape and unit."""
        return np.asarray(np.asarray(vector_enu, np.float64) @ self._basis(), np.float64)

    def to_geodetic(self, position_enu_m: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Local positions, shape (..., 3), metres, to latitude and longitude in radians and height in metres, each (...)."""
        return ecef_to_geodetic(self.to_ecef(position_enu_m))

    def _basis(self) -> Floats:
        return enu_basis(self.origin.latitude_rad, self.origin.longitude_rad)
