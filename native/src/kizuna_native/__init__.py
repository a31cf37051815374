"""kizuna's inner loops, compiled: the drop-in for `kizuna.sar.backprojection_kernels.add_tiles`."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    AddTiles = Callable[..., None]

__all__ = ["LEVELS", "add_tiles", "load"]

LEVELS = ("any processor", "AVX2", "AVX-512")

_POINTER, _INTEGER, _DOUBLE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


def _pointer(array: npt.NDArray[np.generic], kind: type[np.generic]) -> int:
    if array.dtype != kind or not array.flags.c_contiguous:
        message = f"expected a C-contiguous array of {np.dtype(kind)}, got {array.dtype} with strides {array.strides}"
        raise TypeError(message)
    return array.ctypes.data


def load(path: Path, level: int | None = None) -> AddTiles:
    """`add_tiles` of the library at `path`, for the best level of this processor or for the level told (`LEVELS`)."""
    library = ctypes.CDLL(str(path))
    library.kizuna_best_level.restype = ctypes.c_int
    best = library.kizuna_best_level()
    run = library.kizuna_add_tiles
    run.restype = None
    run.argtypes = [ctypes.c_int, _POINTER, *[_INTEGER] * 4, _POINTER, _POINTER, _INTEGER, _INTEGER, _POINTER, _POINTER]
    run.argtypes += [_INTEGER, _POINTER, _INTEGER, _POINTER, _DOUBLE, _DOUBLE]
    chosen = best if level is None else level
    if not 0 <= chosen <= best:
        message = f"this processor runs levels 0 to {best}, got {level}"
        raise ValueError(message)

    def add(  # noqa: PLR0913, PLR0917 - as the kernel that it stands for
        image: npt.NDArray[np.complex64],
        begin: int,
        end: int,
        centres: npt.NDArray[np.float64],
        offsets: npt.NDArray[np.float32],
        antennas: npt.NDArray[np.float64],
        references: npt.NDArray[np.float64],
        profiles: npt.NDArray[np.complex64],
        first: npt.NDArray[np.int64],
        step_m: float,
        cycles_m: float,
    ) -> None:
        run(
            chosen,
            _pointer(image, np.complex64),
            *image.shape,
            begin,
            end,
            _pointer(centres, np.float64),
            _pointer(offsets, np.float32),
            len(offsets),
            offsets.shape[-1],
            _pointer(antennas, np.float64),
            _pointer(references, np.float64),
            len(antennas),
            _pointer(profiles, np.complex64),
            profiles.shape[1],
            _pointer(first, np.int64),
            step_m,
            cycles_m,
        )

    return add


add_tiles = load(Path(__file__).with_name("kernels" + (".dll" if sys.platform == "win32" else ".so")))
"""Adds pulses to tiles; the arguments are those of `kizuna.sar.backprojection_kernels.add_tiles`."""
