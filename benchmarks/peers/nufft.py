"""finufft and ducc0 do sums between points, in double precision: `nufft.py GIVEN.npz FOUND.npz`; prints CPU seconds.

What is timed is a second run of each in single precision, to the tolerance that is asked; what is saved is good to 1e-12.
"""

from __future__ import annotations

import json
import sys
import time

import ducc0
import finufft
import numpy as np


def main(given: str, found: str) -> None:
    """Types 1 and 2 by both, type 3 by finufft."""
    with np.load(given) as data:
        row, col, values, modes = data["row"], data["col"], data["values"], data["modes"]
        s, t, tolerance = data["s"], data["t"], float(data["tolerance"])
    shape, points = modes.shape, np.stack([row, col], axis=-1)
    exact = {
        "finufft_1": finufft.nufft2d1(row, col, values, shape, eps=1e-12, isign=1, nthreads=1),
        "finufft_2": finufft.nufft2d2(row, col, modes, eps=1e-12, isign=1, nthreads=1),
        "finufft_3": finufft.nufft2d3(row, col, values, s, t, eps=1e-12, isign=1, nthreads=1),
        "ducc0_1": ducc0.nufft.nu2u(points=values, coord=points, forward=False, epsilon=1e-12, out=np.empty(shape, complex)),
        "ducc0_2": ducc0.nufft.u2nu(grid=modes, coord=points, forward=False, epsilon=1e-12),
    }
    np.savez(found, **exact)
    less, single = values.astype(np.complex64), points.astype(np.float32)
    rows, cols = (np.ascontiguousarray(axis) for axis in single.T)

    def by_finufft() -> object:
        return finufft.nufft2d1(rows, cols, less, shape, eps=tolerance, isign=1, nthreads=1)

    def by_ducc0() -> object:
        out = np.empty(shape, np.complex64)
        return ducc0.nufft.nu2u(points=less, coord=points, forward=False, epsilon=tolerance, out=out, nthreads=1)

    took = {}
    for name, run in (("finufft", by_finufft), ("ducc0", by_ducc0)):
        run()
        begin = time.process_time()
        run()
        took[name] = time.process_time() - begin
    print(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
