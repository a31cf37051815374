"""Gauss and Legendre's rule, computed once: kernels of Fourier sums ask for it again and again."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ["gauss_legendre"]

type Floats = npt.NDArray[np.float64]

_NODES = 96


@lru_cache(maxsize=1)
def gauss_legendre() -> tuple[Floats, Floats]:
    """Nodes and weights of the rule of 96 points over [-1, 1]; not to be written to.

    Examples
    --------
    >>> nodes, weights = gauss_legendre()
    >>> round(float(weights @ nodes**2), 12)
    0.666666666667
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    nodes.setflags(write=False)
    weights.setflags(write=False)
    return nodes, weights
