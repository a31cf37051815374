"""Fourier sums between points, kizuna's beside finufft's and ducc0's: how far apart, and what a sum onto modes takes.

A million points that lie as polar samples do, a million modes, tolerance 1e-4. The peers' own sums in double precision, good
to 1e-12, are the truth; they know nothing of each other's code or of kizuna's. They run in `.venv-bench-nufft`, made when it
is missing (needs the package index once; out of its reach these figures are left out): finufft's wheel carries FFTW and ducc0
is under the GPL, so kizuna depends on neither.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sar_peers import environment

from kizuna.sar.nufft import type_1, type_2, type_3

if TYPE_CHECKING:
    import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv-bench-nufft"
NEEDED = ("finufft==2.5.1", "ducc0==0.42.0", "numpy")
TOLERANCE, POINTS, MODES, TARGETS = 1e-4, 1_000_000, (1000, 1024), 20_000


def report(metric: str, value: float, unit: str, peer: str, peer_value: float | None, goal: float | None) -> None:
    """Print one figure."""
    line = {
        "benchmark": "sar-accuracy",
        "metric": metric,
        "value": float(f"{value:.3g}"),
        "unit": unit,
        "peer": peer,
        "peer_value": None if peer_value is None else float(f"{peer_value:.3g}"),
        "ratio": None if peer_value is None else round(value / peer_value, 3),
        "goal": goal,
        "met": None if goal is None else value <= goal,
    }
    print(json.dumps(line), flush=True)


def main() -> None:
    """Sum, compare, time."""
    python = environment(PEERS, NEEDED)
    if python is None:
        return
    random = np.random.default_rng(9)
    # A ring's sector, as an aperture of two degrees and 5 % of bandwidth fills it, stretched to one period either way.
    angle, radius = random.uniform(-1.0, 1.0, POINTS), random.uniform(-1.0, 1.0, POINTS)
    row, col = 3.1 * radius - 0.02 * angle**2, 3.0 * angle * (1.0 + 0.025 * radius)
    values = random.normal(size=POINTS) + 1j * random.normal(size=POINTS)
    modes = random.normal(size=MODES) + 1j * random.normal(size=MODES)
    s, t = random.uniform(-500.0, 500.0, (2, TARGETS))
    with tempfile.TemporaryDirectory() as name:
        given, found = Path(name) / "given.npz", Path(name) / "found.npz"
        np.savez(given, row=row, col=col, values=values, modes=modes, s=s, t=t, tolerance=TOLERANCE)
        command = [str(python), str(ROOT / "benchmarks" / "peers" / "nufft.py"), str(given), str(found)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        took = json.loads(done.stdout.splitlines()[-1])
        with np.load(found) as data:
            exact = dict(data)
    ours = {
        "1": type_1(row, col, values, MODES, tolerance=TOLERANCE),
        "2": type_2(row, col, modes, tolerance=TOLERANCE),
        "3": type_3((row, col), values, (s, t), tolerance=TOLERANCE),
    }
    for key, truth in exact.items():
        peer, kind = key.split("_")
        error = _apart(ours[kind], truth)
        report("nufft_error", error, f"relative, type {kind}, rms", f"{peer}, to 1e-12", None, 2.0 * TOLERANCE)
    single = values.astype(np.complex64)
    begin = time.process_time()
    type_1(row, col, single, MODES, tolerance=TOLERANCE, threads=1)
    seconds = time.process_time() - begin
    for peer, theirs in took.items():
        report("nufft_cpu_s", seconds, "CPU s, type 1, 1e6 points onto 1000 x 1024 modes, 1 thread", peer, theirs, None)


def _apart(found: npt.NDArray[np.complexfloating], truth: npt.NDArray[np.complexfloating]) -> float:
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


if __name__ == "__main__":
    main()
