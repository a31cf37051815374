"""A formed complex image: pixels at baseband, the plane they lie on, where that plane lies, and what they were formed from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.sar.form import Method, form_pixels
from kizuna.sar.grid import ground_grid
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.earth.scene import LocalScene
    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory

__all__ = ["FormedImage", "SpatialSupport", "detect", "form_image", "spatial_support", "to_baseband"]

type Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SpatialSupport:
    """Where an image's spectrum lies, by row and by column, in cycles per metre on the image plane.

    Parameters
    ----------
    centre
        Spatial frequency (row, column) at the scene's centre and the middle of the aperture.
    bandwidth
        Widths (row, column) of the support.
    """

    centre: tuple[float, float]
    bandwidth: tuple[float, float]


@dataclass(frozen=True, slots=True)
class FormedImage:
    """A complex image on a plane of a scene.

    Parameters
    ----------
    pixels
        Shape (rows, cols); demodulated, so that zero frequency of its DFT is `spatial_support(...).centre`.
    grid
        Plane of the pixels in the scene's frame.
    history
        Phase history that it was formed from.
    scene
        Where the scene lies on the Earth; the scene's x is east and its y is north.
    nominal
        Whether that place was assigned, not measured.
    """

    pixels: npt.NDArray[np.complex64]
    grid: PlaneGrid
    history: PhaseHistory
    scene: LocalScene
    nominal: bool


def spatial_support(history: PhaseHistory, grid: PlaneGrid) -> SpatialSupport:
    """Support of an image's spectrum on a plane, for a narrow aperture.

    Parameters
    ----------
    history
        Phase history.
    grid
        Plane whose rows run along the range.

    Returns
    -------
    SpatialSupport
        Centre and widths, cycles per metre.

    Notes
    -----
    A frequency f seen from direction u (unit vector away from the antenna) fills the spatial frequency 2 f u / c (Jakowatz et
    al. 1996, section 2.4). On the ground the row width is 2 B cos(grazing) / c and the column width
    2 f_c cos(grazing) dtheta / c; on any plane, u's share of each direction stands for the cosine, and how much that share
    changes along the columns, from the first pulse to the last and one step more, for the angle.
    """
    away = -history.centre_position_m / np.linalg.norm(history.centre_position_m)
    wavenumber = 2.0 * history.centre_frequency_hz / SPEED_OF_LIGHT_M_S
    sights = grid.origin_m - history.positions_m
    across = sights @ grid.col_direction / np.linalg.norm(sights, axis=-1)
    step = float(np.ptp(across)) / (history.pulses - 1)
    return SpatialSupport(
        centre=(wavenumber * float(away @ grid.row_direction), wavenumber * float(away @ grid.col_direction)),
        bandwidth=(
            2.0 * history.bandwidth_hz / SPEED_OF_LIGHT_M_S * float(away @ grid.row_direction),
            wavenumber * step * history.pulses,
        ),
    )


def form_image(
    history: PhaseHistory,
    scene: LocalScene,
    *,
    extent_m: float = 100.0,
    spacing_m: float = 0.2,
    nominal: bool,
    method: Method = Method.BACKPROJECTION,
    progress: Callable[[int, int], None] | None = None,
) -> FormedImage:
    """Form an image of a spotlight collection on the ground and bring it to baseband.

    Parameters
    ----------
    history
        Phase history.
    scene
        Where it lies on the Earth.
    extent_m
        Length of a side, metres.
    spacing_m
        Distance of neighbouring pixels, metres.
    nominal
        Whether the place was assigned, not measured.
    method
        How it is formed.
    progress
        Called with (work done, work in all).

    Returns
    -------
    FormedImage
        Square image, rows along ground range away from the radar.

    Raises
    ------
    InputError
        The extent cannot be formed from these data.
    """
    grid = ground_grid(history, extent_m=extent_m, spacing_m=spacing_m)
    return FormedImage(
        to_baseband(form_pixels(history, grid, method, progress=progress), history, grid), grid, history, scene, nominal
    )


def to_baseband(pixels: npt.NDArray[np.complex64], history: PhaseHistory, grid: PlaneGrid) -> npt.NDArray[np.complex64]:
    """Pixels, shape (rows, cols), without the carrier that `spatial_support` names; in place, and returned."""
    row, col = spatial_support(history, grid).centre
    pixels *= np.exp(-2j * math.pi * row * grid.row_offsets_m()).astype(np.complex64)[:, None]
    pixels *= np.exp(-2j * math.pi * col * grid.col_offsets_m()).astype(np.complex64)
    return pixels


def detect(pixels: npt.NDArray[np.complexfloating]) -> npt.NDArray[np.float32]:
    """Amplitude of complex pixels at twice their sampling.

    Parameters
    ----------
    pixels
        Complex image, shape (rows, cols), of any carrier.

    Returns
    -------
    ndarray of float32, shape (2 rows, 2 cols)
        Amplitude; pixel (2 r, 2 c) is the magnitude of pixel (r, c) of the input.

    Notes
    -----
    Detection doubles the bandwidth; doubling the sampling first, by padding the spectrum with zeros, keeps the speckle from
    aliasing. The zeros must go where the spectrum is empty, so it is first rolled to its centroid; that changes phase only.
    """
    rows, cols = pixels.shape
    spectrum = np.fft.fft2(pixels)
    for axis in (0, 1):
        power = (np.abs(spectrum) ** 2).sum(axis=1 - axis)
        turns = np.angle(np.sum(power * np.exp(2j * math.pi * np.arange(len(power)) / len(power)))) / (2.0 * math.pi)
        spectrum = np.roll(spectrum, len(power) // 2 - round(float(turns) * len(power)), axis=axis)
    padded = np.zeros((2 * rows, 2 * cols), np.complex64)
    padded[rows - rows // 2 : 2 * rows - rows // 2, cols - cols // 2 : 2 * cols - cols // 2] = spectrum
    return np.abs(4.0 * np.fft.ifft2(padded)).astype(np.float32)
