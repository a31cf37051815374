"""How fast images are formed and echoes simulated. A JSON line a figure; `--only PART` measures one part.

Images: kizuna against a plain numpy loop (np.interp for each pulse), in one run.

One backprojection is one pulse added to one pixel. CPU seconds of this process, all threads; the best of three rounds.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import sar_simulate

from kizuna.formats.gotcha import read_history
from kizuna.sar.backprojection import backproject
from kizuna.sar.grid import ground_grid
from kizuna.sar.history import SPEED_OF_LIGHT_M_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.grid import PlaneGrid
    from kizuna.sar.history import PhaseHistory

OVERSAMPLING = 16


def plain(history: PhaseHistory, grid: PlaneGrid) -> npt.NDArray[np.complex128]:
    """Backprojection as the textbook has it (Gorham and Moore 2010): np.interp into an oversampled profile, pulse by pulse."""
    rows, cols = np.indices(grid.shape)
    pixels = grid.to_scene(rows, cols)
    count = len(history.frequencies_hz)
    length = OVERSAMPLING * count
    ranges = (np.arange(length) - length // 2) * history.unambiguous_range_m / length
    turn = np.exp(-2j * math.pi * (count // 2) * (np.arange(length) - length // 2) / length)
    carrier = 4.0 * math.pi * history.frequencies_hz[count // 2] / SPEED_OF_LIGHT_M_S
    image = np.zeros(grid.shape, np.complex128)
    for samples, position, reference in zip(history.samples, history.positions_m, history.reference_range_m, strict=True):
        profile = np.fft.fftshift(np.fft.ifft(samples, length)) * length / count * turn
        offset = np.linalg.norm(pixels - position, axis=-1) - reference
        image += np.interp(offset, ranges, profile) * np.exp(1j * carrier * offset)
    return image / history.pulses


def cpu_seconds(form: Callable[[], object]) -> float:
    """Least CPU time of three rounds, seconds."""
    rounds = []
    for _ in range(3):
        begin = time.process_time()
        form()
        rounds.append(time.process_time() - begin)
    return min(rounds)


def backprojection() -> None:
    """Form 60 m x 60 m of the Gotcha scene both ways."""
    folder = resources.files("kizuna.samples") / "gotcha"
    with (folder / "data_3dsar_pass1_az001_HH.mat").open("rb") as file:
        history = read_history([file], polarisation="HH")
    grid = ground_grid(history, extent_m=60.0, spacing_m=0.2)
    billions = grid.rows * grid.cols * history.pulses / 1e9
    ours, theirs = backproject(history, grid), plain(history, grid)
    apart = float(np.sqrt(np.mean(np.abs(ours - theirs) ** 2) / np.mean(np.abs(theirs) ** 2)))
    if apart > 0.02:
        message = f"the two images differ by {apart:.1%}: their speeds cannot be compared"
        raise SystemExit(message)
    value = billions / cpu_seconds(lambda: backproject(history, grid, oversampling=OVERSAMPLING))
    peer = billions / cpu_seconds(lambda: plain(history, grid))
    line = {
        "benchmark": "sar",
        "metric": "backprojection_gbp_per_cpu_s",
        "value": round(value, 4),
        "unit": "1e9 backprojections per CPU second",
        "peer": "numpy, np.interp per pulse",
        "peer_value": round(peer, 4),
        "ratio": round(value / peer, 2),
        "goal": None,
        "met": None,
    }
    print(json.dumps(line))


PARTS: dict[str, Callable[[], None]] = {"backprojection": backprojection, "simulate": sar_simulate.measure}


def main() -> None:
    """Measure all parts, or one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(PARTS), help="the one part to measure")
    only = parser.parse_args().only
    for name, measure in PARTS.items():
        if only in {None, name}:
            measure()


if __name__ == "__main__":
    main()
