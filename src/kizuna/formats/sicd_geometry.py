"""Where places lie on a SICD's pixels, and its pixels in the world (SICD volume 3), by sarkit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt
import sarkit.sicd

from kizuna.earth.wgs84 import ecef_to_geodetic
from kizuna.errors import InputError, Message
from kizuna.formats.sicd import read_metadata

if TYPE_CHECKING:
    import lxml.etree

__all__ = ["SicdGeometry", "read_sicd_geometry"]

type Floats = npt.NDArray[np.float64]

# sarkit annotates some of its functions and not others, so its typed face is no use to a strict checker.
_sarkit: Any = sarkit.sicd
_SCALE_FACTORS = {"sigma0": "SigmaZeroSFPoly", "beta0": "BetaZeroSFPoly"}


@dataclass(frozen=True, slots=True)
class SicdGeometry:
    """Geometry of one SICD.

    Parameters
    ----------
    tree
        Its metadata.
    first
        Row and column of its first pixel in the full image.
    shape
        Rows and columns.
    scp_ecef_m, scp_height_m
        Middle of the scene, shape (3,), and its height above the ellipsoid.
    """

    tree: lxml.etree._ElementTree
    first: tuple[int, int]
    shape: tuple[int, int]
    scp_ecef_m: Floats
    scp_height_m: float

    def pixels_of(self, position_ecef_m: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Fractional rows and columns, each (...), 0 being the centre of the first pixel, of ECEF positions (..., 3).

        Raises
        ------
        InputError
            A place that the geometry does not reach.
        """
        located, _, reached = _sarkit.scene_to_image(self.tree, np.asarray(position_ecef_m, np.float64))
        if not (np.all(reached) and np.isfinite(located).all()):
            raise _unreachable()
        at = _sarkit.xrowycol_to_rowcol(self.tree, located) - np.asarray(self.first)
        return np.asarray(at[..., 0], np.float64), np.asarray(at[..., 1], np.float64)

    def smooth_of(self, position_ecef_m: npt.ArrayLike) -> tuple[Floats, Floats]:
        """What polynomials may stand for in place of `pixels_of`: the same."""
        return self.pixels_of(position_ecef_m)

    def pixels_from(self, first: Floats, second: Floats) -> tuple[Floats, Floats]:
        """Fractional rows and columns of what `smooth_of` gives."""
        return first, second

    def brightness(self, quantity: str, rows: Floats, cols: Floats) -> Floats:
        """What power is multiplied by for ``sigma0`` or ``beta0``, at pixels.

        Raises
        ------
        InputError
            The SICD has no such scale factor.
        """
        name = _SCALE_FACTORS[quantity]
        poly = _sarkit.XmlHelper(self.tree).load(f"./{{*}}Radiometric/{{*}}{name}")
        if poly is None:
            raise InputError(
                Message("the SICD has no {name}: it is not calibrated", {"name": name}),
                hint=Message("Only its amplitude can be mapped."),
                field="quantity",
            )
        return np.asarray(np.polynomial.polynomial.polyval2d(*self.offsets_m(rows, cols), poly), np.float64)

    def slant_area_m2(self, rows: Floats, cols: Floats) -> Floats:
        """Area of pixels in the slant plane, square metres: the same all over the image."""
        helper = _sarkit.XmlHelper(self.tree)
        row, col = (helper.load(f"./{{*}}Grid/{{*}}{axis}/{{*}}UVectECF") for axis in ("Row", "Col"))
        spacing = float(helper.load("./{*}Grid/{*}Row/{*}SS")) * float(helper.load("./{*}Grid/{*}Col/{*}SS"))
        position, velocity = helper.load("./{*}SCPCOA/{*}ARPPos"), helper.load("./{*}SCPCOA/{*}ARPVel")
        normal = np.cross(self.scp_ecef_m - position, velocity)
        normal /= np.linalg.norm(normal)
        return np.full(np.broadcast_shapes(np.shape(rows), np.shape(cols)), spacing * abs(float(np.cross(row, col) @ normal)))

    def offsets_m(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Distances from the middle of the scene along rows' and columns' directions, metres, of pixels."""
        at = np.stack(np.broadcast_arrays(np.asarray(rows, np.float64), np.asarray(cols, np.float64)), axis=-1)
        offset = _sarkit.rowcol_to_xrowycol(self.tree, at + np.asarray(self.first))
        return np.asarray(offset[..., 0], np.float64), np.asarray(offset[..., 1], np.float64)

    def ground_of(self, rows: npt.ArrayLike, cols: npt.ArrayLike, height_m: float) -> Floats:
        """ECEF positions (..., 3), metres, in which pixels meet the surface of a height above the ellipsoid.

        Raises
        ------
        InputError
            A pixel that does not meet it.
        """
        located, _, reached = _sarkit.image_to_constant_hae_surface(
            self.tree, np.stack(self.offsets_m(rows, cols), axis=-1), height_m
        )
        if not (np.all(reached) and np.isfinite(located).all()):
            raise _unreachable()
        return np.asarray(located, np.float64)

    def antenna_of(self, rows: npt.ArrayLike, cols: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Antenna's ECEF positions and velocities, each (..., 3), m and m/s, at the middle of pixels' apertures."""
        helper = _sarkit.XmlHelper(self.tree)
        x, y = self.offsets_m(rows, cols)
        seconds = np.polynomial.polynomial.polyval2d(x, y, helper.load("./{*}Grid/{*}TimeCOAPoly"))
        path = helper.load("./{*}Position/{*}ARPPoly")
        polynomial = np.polynomial.polynomial
        position = np.moveaxis(polynomial.polyval(seconds, path), 0, -1)
        velocity = np.moveaxis(polynomial.polyval(seconds, polynomial.polyder(path)), 0, -1)
        return np.asarray(position, np.float64), np.asarray(velocity, np.float64)


def _unreachable() -> InputError:
    return InputError(
        Message("the SICD file's geometry does not meet the ground everywhere"),
        hint=Message("Run sicdcheck on it; its Position or Grid metadata are wrong."),
        field="Grid",
    )


def read_sicd_geometry(file: BinaryIO) -> SicdGeometry:
    """Geometry of a SICD.

    Raises
    ------
    InputError
        Not a SICD, or one whose metadata lack what every SICD must have.
    """
    tree = read_metadata(file)
    helper = _sarkit.XmlHelper(tree)
    try:
        first, shape = (
            tuple(int(helper.load(f"./{{*}}ImageData/{{*}}{kind}{axis}")) for axis in axes)
            for kind, axes in (("First", ("Row", "Col")), ("Num", ("Rows", "Cols")))
        )
        place = np.asarray(helper.load("./{*}GeoData/{*}SCP/{*}ECF"), np.float64)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreachable() from error
    return SicdGeometry(tree, (first[0], first[1]), (shape[0], shape[1]), place, float(ecef_to_geodetic(place)[2]))
