"""The kernel that Fourier sums between points spread and interpolate with: how wide it is, its values, its transform.

It is that of Barnett, Magland and af Klinteberg (2019, SIAM J. Sci. Comput. 41(5)), "the paper" below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from kizuna.sar.nufft_kernels import LANES
from kizuna.sar.quadrature import gauss_legendre

__all__ = ["SpreadingKernel", "fine_shape", "kernel_for", "table_of"]

type Floats = npt.NDArray[np.float64]

_OVERSAMPLING = (1.25, 1.5, 2.0)
_TABLE_STEPS = 512


@dataclass(frozen=True, slots=True)
class SpreadingKernel:
    """Exponential of a semicircle, exp(b (sqrt(1 - z^2) - 1)) for |z| < 1, stretched over points of a finer grid.

    Parameters
    ----------
    width
        Points that it covers.
    oversampling
        Points of the fine grid for each mode.
    """

    width: int
    oversampling: float

    @property
    def exponent(self) -> float:
        """b, by the rule of the paper's section 3.3 with the factor that its authors' code uses."""
        return 0.976 * math.pi * self.width * (1.0 - 0.5 / self.oversampling)

    def values(self, z: Floats) -> Floats:
        """Kernel at z in [-1, 1]."""
        return np.exp(self.exponent * (np.sqrt(np.maximum(0.0, 1.0 - z * z)) - 1.0))

    def transform(self, turns: Floats) -> Floats:
        """Fourier transform of the kernel in units of the fine grid's step, at frequencies in cycles a step, any shape."""
        nodes, weights = gauss_legendre()
        half = 0.5 * self.width
        weighted = weights * self.values(nodes) * half
        flat = np.asarray(turns, np.float64).ravel()
        # Even, smooth and wanted at millions of places for type 3: from a polynomial over the band |turns| <= 1/2.
        if len(flat) <= 4 * len(nodes):
            return np.asarray(np.cos(2.0 * math.pi * half * np.outer(flat, nodes)) @ weighted).reshape(np.shape(turns))
        table = np.polynomial.Chebyshev.interpolate(lambda t: np.log(self.transform(0.5 * (t + 1.0) * 0.5)), 32, domain=[-1, 1])
        return np.asarray(np.exp(table(4.0 * np.abs(turns) - 1.0)))


@lru_cache(maxsize=8)
def kernel_for(tolerance: float) -> SpreadingKernel:
    """Kernel on the coarsest fine grid on which at most `LANES` points reach the tolerance."""
    for oversampling in _OVERSAMPLING:
        # Error of the best kernel of this width: exp(-pi w sqrt(1 - 1/s)) (paper, section 4); a factor of seven in hand.
        width = math.ceil(math.log(7.0 / tolerance) / (math.pi * math.sqrt(1.0 - 1.0 / oversampling)))
        if width <= LANES:
            return SpreadingKernel(max(2, width), oversampling)
    return SpreadingKernel(LANES, _OVERSAMPLING[-1])


@lru_cache(maxsize=8)
def table_of(kernel: SpreadingKernel) -> npt.NDArray[np.float32]:
    """Kernel at the fine-grid points it covers, shape (steps + 1, LANES), for offsets of 0 to 1 from its left edge.

    Linear interpolation between 513 rows errs by less than 1e-6 (h^2 / 8 times the second derivative), and the table of 16 KiB
    stays in the first-level cache: half the time of evaluating polynomials. Lanes past the width are zero.
    """
    offsets = np.linspace(0.0, 1.0, _TABLE_STEPS + 1)
    table = np.zeros((_TABLE_STEPS + 1, LANES), np.float32)
    table[:, : kernel.width] = kernel.values((offsets[:, None] + np.arange(kernel.width)) * 2.0 / kernel.width - 1.0)
    return table


def fine_shape(shape: tuple[int, int], kernel: SpreadingKernel) -> tuple[int, int]:
    """Rows and columns of the fine grid for so many modes: quick to transform, and wider than the kernel."""
    rows, cols = (scipy.fft.next_fast_len(max(math.ceil(kernel.oversampling * n), 2 * LANES)) for n in shape)
    return int(rows), int(cols)
