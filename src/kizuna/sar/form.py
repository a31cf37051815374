"""Ways to form an image, by name: each takes a phase history and a grid and gives the same image, at another cost."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message
from kizuna.sar.backprojection import backproject
from kizuna.sar.factorised import factorise
from kizuna.sar.polar import polar_format, polar_plane, polar_reference
from kizuna.sar.polar_terrain import polar_terrain

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory
    from kizuna.sar.tiles import Surface

__all__ = ["Method", "form_on_surface", "form_pixels"]

type Image = npt.NDArray[np.complex64]


class Method(StrEnum):
    """How an image is formed."""

    BACKPROJECTION = "backprojection"
    """Every pulse at every pixel: exact, the measure of the others (`kizuna.sar.backprojection`)."""

    FACTORISED = "factorised"
    """The same to -65 dB, for large scenes in a fraction of the time (`kizuna.sar.factorised`)."""

    POLAR_FORMAT = "polar-format"
    """Planar wavefronts, their curvature put right afterwards: fast, below -45 dB (`kizuna.sar.polar`)."""

    POLAR_REFERENCE = "polar-reference"
    """The same by non-uniform Fourier transforms: slower, below -60 dB, grids of any orientation."""

    POLAR_PLANE = "polar-plane"
    """Polar format with wavefronts left planar: pixels lie on the polar format's own plane (SICD's RGAZIM), not on the ground."""


def form_pixels(
    history: PhaseHistory,
    grid: PlaneGrid,
    method: Method = Method.BACKPROJECTION,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Form a complex image.

    Parameters
    ----------
    history
        Phase history of a spotlight collection.
    grid
        Pixels to form.
    method
        How.
    progress
        Called with (work done, work in all), in units of the method's own.

    Returns
    -------
    ndarray of complex64, shape (rows, cols)
        Image whose phase is that of the data: a scatterer of unit reflectivity has magnitude 1 and, in its neighbourhood, the
        phase 4 pi f_c (R - r0) / c of its own range. Nothing is demodulated; `kizuna.sar.image` does that.

    Raises
    ------
    InputError
        The method cannot form this grid from these data.
    """
    match method:
        case Method.BACKPROJECTION:
            return backproject(history, grid, progress=progress)
        case Method.FACTORISED:
            return factorise(history, grid, progress=progress)
        case Method.POLAR_FORMAT:
            return polar_format(history, grid, progress=progress)
        case Method.POLAR_REFERENCE:
            return polar_reference(history, grid, progress=progress)
        case Method.POLAR_PLANE:
            return polar_plane(history, grid)
        case _:  # pragma: no cover
            assert_never(method)


def form_on_surface(
    history: PhaseHistory,
    surface: Surface,
    method: Method = Method.BACKPROJECTION,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Image:
    """Form a complex image on pixels that need not lie on a plane, such as a map's on terrain.

    Parameters and results are those of `form_pixels`; both ways by polar format undo the phase of heights
    (`kizuna.sar.polar_terrain`), to -54 dB and to -66 dB.

    Raises
    ------
    InputError
        The method's pixels lie on a plane of its own, or it cannot form these from these data.
    """
    match method:
        case Method.BACKPROJECTION:
            return backproject(history, surface, progress=progress)
        case Method.FACTORISED:
            return factorise(history, surface, progress=progress)
        case Method.POLAR_FORMAT:
            return polar_terrain(history, surface, progress=progress)
        case Method.POLAR_REFERENCE:
            return polar_terrain(history, surface, blur_rad=5e-4, progress=progress)
        case Method.POLAR_PLANE:
            raise InputError(
                Message("--{option} is not for {method}", {"option": "dem", "method": method.value}),
                hint=Message("Leave it out, or choose another --method."),
                field="dem",
            )
        case _:  # pragma: no cover
            assert_never(method)
