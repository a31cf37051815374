"""fastsar forms an image by itself: `fastsar_form.py exact|factorised HISTORY.npz IMAGE.npy ROUNDS [TILE]`; prints CPU seconds.

What is timed is a call of a former that is set up and has compiled and loaded its kernel. TILE, 16 or 32, is the side of the
tiles that its factorised backprojection ends in; without it fastsar chooses.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from fastsar import ExactFormer, ImageFormer

WARM_PIXELS = 1024


def main(how: str, history: str, image: str, rounds: str, tile: str = "auto") -> None:
    """Form it `rounds` times after the first and keep the least time."""
    with np.load(history) as data:
        samples, antennas = data["samples"], data["antennas"]
        first_hz, step_hz, spacing_m = (float(data[name]) for name in ("first_hz", "step_hz", "spacing_m"))
        pixels, down, across = int(data["pixels"]), data["down"], data["across"]
    place = antennas, first_hz, step_hz, samples.shape[1], pixels, pixels, spacing_m, spacing_m, tuple(down), tuple(across)
    if how == "exact":
        former = ExactFormer(*place, backend="cpu", window=False, interp="linear", upsample=8)
    else:
        former = ImageFormer(*place, backend="cpu", window=False, T=tile if tile == "auto" else int(tile))
    if how == "exact" or pixels <= WARM_PIXELS:  # a large factorised image takes as long the first time as the second
        former(samples[:])
    least = float("inf")
    for _ in range(int(rounds)):
        begin = time.process_time()
        formed = former(samples)
        least = min(least, time.process_time() - begin)
    np.save(image, np.asarray(formed))
    print(least)


if __name__ == "__main__":
    main(*sys.argv[1:])
