"""What runs backprojection's inner loop: numpy, numba, or C++ where kizuna-native is installed."""

from __future__ import annotations

from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING, assert_never

import numpy as np
import numpy.typing as npt

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Engine", "Kernel", "kernel_of"]

type Image = npt.NDArray[np.complex64]
type Floats = npt.NDArray[np.float64]
type Singles = npt.NDArray[np.float32]
type Integers = npt.NDArray[np.int64]
type Kernel = Callable[[Image, int, int, Floats, Singles, Floats, Floats, Image, Integers, float, float], None]
"""Adds pulses to tiles; `kizuna.sar.backprojection_kernels` says what each argument is."""


class Engine(StrEnum):
    """What runs the inner loop. All give the same image to within their stated accuracy."""

    AUTO = "auto"
    """The fastest that is installed."""
    NATIVE = "native"
    """C++, from the optional distribution kizuna-native."""
    NUMBA = "numba"
    """Compiled on first use."""
    NUMPY = "numpy"
    """Double precision throughout, slow: the measure of the others."""


def kernel_of(engine: Engine) -> Kernel:
    """Inner loop of an engine.

    Raises
    ------
    InputError
        The engine is not installed.
    """
    if engine in {Engine.AUTO, Engine.NATIVE}:
        native = _native_kernel()
        if native is not None:
            return native
    match engine:
        case Engine.NATIVE:
            raise InputError(
                Message("kizuna-native is not installed, or does not run on this machine"),
                hint=Message("Install it from the folder native of kizuna's source, or choose another engine."),
                field="engine",
            )
        case Engine.AUTO | Engine.NUMBA:
            from kizuna.sar.backprojection_kernels import add_tiles  # loads numba

            return add_tiles
        case Engine.NUMPY:
            from kizuna.sar.backprojection_kernels import add_tiles_plainly

            return add_tiles_plainly
        case _:  # pragma: no cover
            assert_never(engine)


def _native_kernel() -> Kernel | None:
    try:
        kernel: Kernel = import_module("kizuna_native").add_tiles
    except (ImportError, OSError):  # OSError: built for another machine
        return None
    return kernel
