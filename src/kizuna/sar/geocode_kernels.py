"""Inner loop of geocoding, compiled: two polynomials at many places."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numba
import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    type Floats = npt.NDArray[np.float64]

__all__ = ["chebyshev_pair"]


@numba.njit(cache=True, nogil=True)
def chebyshev_pair(places: Floats, first: Floats, second: Floats, out: Floats, begin: int, end: int) -> None:
    """Sums of T_i(u) T_j(v) T_k(w) with two sets of coefficients, each (I, J, K), at some places, shape (3, n), into (2, n).

    The sum over k is taken first, for it is the shortest; T_n is 2 x T_(n-1) - T_(n-2).
    """
    most = max(first.shape)
    t = np.ones((3, most))
    for n in range(begin, end):
        for axis in range(3):
            x = places[axis, n]
            if most > 1:
                t[axis, 1] = x
            for power in range(2, most):
                t[axis, power] = 2.0 * x * t[axis, power - 1] - t[axis, power - 2]
        one, two = 0.0, 0.0
        for i in range(first.shape[0]):
            inner_one, inner_two = 0.0, 0.0
            for j in range(first.shape[1]):
                sum_one, sum_two = 0.0, 0.0
                for k in range(first.shape[2]):
                    sum_one += first[i, j, k] * t[2, k]
                    sum_two += second[i, j, k] * t[2, k]
                inner_one += sum_one * t[1, j]
                inner_two += sum_two * t[1, j]
            one += inner_one * t[0, i]
            two += inner_two * t[0, i]
        out[0, n], out[1, n] = one, two
