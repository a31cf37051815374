"""Polar format of 4096 x 4096 pixels over a square kilometre at 46 cm, in units of scipy's complex64 transform of that size.

2600 pulses of 3300 frequencies, wavefront curvature put right, one thread; the least CPU time of five rounds, transform and image
by turns. fastsar and grdl run in `.venv-bench-sar-polar`, made when it is missing (needs the package index once), in one thread
too as far as they let one; their second image counts, compiled. grdl chooses its own grid and leaves the curvature as it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

import numpy as np
import scipy.fft

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from simulators.collections import START, orbital_collection  # noqa: E402 - the tests' folder comes first

from kizuna.formats.cphd_write import write_cphd  # noqa: E402
from kizuna.sar.grid import ground_grid  # noqa: E402
from kizuna.sar.polar import polar_format  # noqa: E402

PEERS = ROOT / ".venv-bench-sar-polar"
NEEDED = ("fastsar==0.1.8", "grdl==0.7.4", "sarkit==1.12.0", "sarpy==2.1.1", "lxml", "shapely", "numba", "scipy")
SIZE, PULSES, FREQUENCIES, EXTENT_M = 4096, 2600, 3300, 1000.0
GOAL = 5.0


def peers_python() -> Path:
    """Interpreter of the peers' environment."""
    python, stamp = PEERS / "bin" / "python", PEERS / "requirements.txt"
    wanted = "\n".join(NEEDED) + "\n"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"sar: making {PEERS.name} for {', '.join(NEEDED)}", file=sys.stderr)
        venv.create(PEERS, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*pip, *NEEDED], check=True)
        stamp.write_text(wanted, "utf-8")
    return python


def report(value: float, peer: str | None, peer_value: float | None) -> None:
    """Print one figure."""
    line = {
        "benchmark": "sar",
        "metric": "polar_format_ffts",
        "value": round(value, 2),
        "unit": "CPU time of scipy.fft.fft2, complex64, 4096 x 4096",
        "peer": peer,
        "peer_value": None if peer_value is None else round(peer_value, 1),
        "ratio": None if peer_value is None else round(peer_value / value, 2),
        "goal": GOAL,
        "met": value <= GOAL,
    }
    print(json.dumps(line), flush=True)


def measure() -> None:
    """Measure ours, then the peers."""
    points = [(0.0, 0.0, 0.0), (470.0, 480.0, 0.0), (-480.0, 450.0, 100.0), (-400.0, -470.0, 50.0)]
    collection = orbital_collection(points, pulses=PULSES, frequencies=FREQUENCIES, bandwidth_hz=469e6, seconds=2.9)
    history = collection.history
    grid = ground_grid(history, extent_m=EXTENT_M, spacing_m=EXTENT_M / SIZE)
    noise = np.random.default_rng(1).normal(size=(SIZE, 2 * SIZE)).astype(np.float32).view(np.complex64)
    transforms, images = [], []
    polar_format(history, grid, threads=1)
    for _ in range(5):
        begin = time.process_time()
        scipy.fft.fft2(noise, workers=1)
        middle = time.process_time()
        polar_format(history, grid, threads=1)
        transforms.append(middle - begin)
        images.append(time.process_time() - middle)
    unit = min(transforms)
    value = min(images) / unit
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(
            folder / "history.npz",
            samples=history.samples, antenna=history.positions_m, first=history.frequencies_hz[0], step=history.frequency_step_hz,
            row=grid.row_direction, col=grid.col_direction, size=SIZE, spacing=grid.row_spacing_m,
            reference=history.reference_range_m,
        )  # fmt: skip
        with (folder / "history.cphd").open("w+b") as file:
            write_cphd(file, collection, produced=START)
        single = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        command = [str(peers_python()), str(ROOT / "benchmarks" / "peers" / "polar_format.py"), str(folder)]
        done = subprocess.run(command, env=os.environ | single, stdout=subprocess.PIPE, check=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
    fast, other = found["fastsar"], found["grdl"]
    report(value, "fastsar 0.1.8, FASTSAR_PFA_CZT=1 FASTSAR_PFA_GATHER=0", None if fast is None else fast / unit)
    size = "" if other is None else f", {other[1][0]} x {other[1][1]}, curvature left"
    report(value, f"grdl 0.7.4{size}", None if other is None else other[0] / unit)


if __name__ == "__main__":
    measure()
