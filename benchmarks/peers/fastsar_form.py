"""fastsar forms an image by itself: `fastsar_form.py exact|factorised HISTORY.npz IMAGE.npy ROUNDS`; prints CPU seconds.

What is timed is a call of a former that is set up and has compiled its kernel.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from fastsar import ExactFormer, ImageFormer


def main(how: str, history: str, image: str, rounds: str) -> None:
    """Form it `rounds` times after the first and keep the least time."""
    with np.load(history) as data:
        samples, antennas = data["samples"], data["antennas"]
        first_hz, step_hz, spacing_m = (float(data[name]) for name in ("first_hz", "step_hz", "spacing_m"))
        pixels, down, across = int(data["pixels"]), data["down"], data["across"]
    place = antennas, first_hz, step_hz, samples.shape[1], pixels, pixels, spacing_m, spacing_m, tuple(down), tuple(across)
    if how == "exact":
        former = ExactFormer(*place, backend="cpu", window=False, interp="linear", upsample=8)
    else:
        former = ImageFormer(*place, backend="cpu", window=False)
    if how == "exact":
        former(samples[:])  # compiles
    least = float("inf")
    for _ in range(int(rounds)):
        begin = time.process_time()
        formed = former(samples)
        least = min(least, time.process_time() - begin)
    np.save(image, np.asarray(formed))
    print(least)


if __name__ == "__main__":
    main(*sys.argv[1:])
