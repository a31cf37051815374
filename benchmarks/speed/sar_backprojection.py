"""Exact and factorised backprojection beside fastsar and a plain numpy loop, in one run. A JSON line a figure.

The collection is simulated noise, which fills the scene evenly, from 2 degrees of an orbit 742 km away: 469 MHz about 9.65 GHz.
One backprojection is one pulse added to one pixel, range compression included. CPU seconds of all threads; the least of some
rounds. Accuracy: root of the mean square error over parts of the image, against kizuna's double-precision sums from profiles
oversampled 64 times (exact), or against exact backprojection at 24 times (factorised); each image scaled to fit at best, since a
factor is no error. fastsar interpolates linearly at its 8 times, as kizuna does. Its factorised kernel is written for AVX-512: on
a processor without, it takes several times as long, and with other documented options less long than by default. So a quarter
of the size on either axis is formed with each of `TUNINGS` first, and the whole with the one that was fastest.

fastsar runs in `.venv-bench-sar`, kizuna-native is built into `.venv-bench-native`: both are made when they are missing, which
needs the package index once, and a C++ compiler.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.sar.backprojection import backproject
from kizuna.sar.engine import Engine
from kizuna.sar.factorised import factorise
from kizuna.sar.grid import PlaneGrid
from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.tiles import Surface

ROOT = Path(__file__).resolve().parents[2]
PEERS, NATIVE = ROOT / ".venv-bench-sar", ROOT / ".venv-bench-native"
FASTSAR = "fastsar==0.1.8"
OVERSAMPLING = 8
FACTOR_GOAL, ACCURACY_DB, FACTORISED_GOAL = 1.5, -45.0, 0.5
PATCH, PATCHES = 64, 3
TUNINGS = [
    (f"{tile}, {flags or 'default flags'}", tile, flags)
    for tile in ("auto", "16")
    for flags in ("", "-O3 -march=native -ffast-math", "-O3 -march=native -ffast-math -mprefer-vector-width=512")
]
"""fastsar's `T` and its `FFBP_CPU_FLAGS`."""

type Image = npt.NDArray[np.complexfloating]


def report(metric: str, value: float, unit: str, peer: str, peer_value: float, **rest: object) -> None:
    """Print one figure."""
    line = {"benchmark": "sar", "metric": metric, "value": round(value, 4), "unit": unit, "peer": peer}
    line |= {"peer_value": round(peer_value, 4), "ratio": round(value / peer_value, 3), "goal": None, "met": None}
    print(json.dumps(line | rest), flush=True)


# Peers and extension.


def _pip(python: str, *arguments: str) -> None:
    quiet = ["install", "--quiet", "--disable-pip-version-check", "--no-input"]
    subprocess.run([python, "-m", "pip", *quiet, *arguments], check=True)


def peer_seconds(
    how: str, history: Path, image: Path, *, threads: int, rounds: int, tile: str = "auto", flags: str = ""
) -> float:
    """CPU seconds that fastsar takes, with tiles of that side and its kernels compiled with these flags (none: its own)."""
    python, stamp = PEERS / "bin" / "python", PEERS / "fastsar.txt"
    if not stamp.exists():
        print(f"sar: making {PEERS.name} for {FASTSAR}", file=sys.stderr)
        if not python.exists():
            venv.create(PEERS, with_pip=True)
        _pip(str(python), "--only-binary", ":all:", FASTSAR)
        stamp.write_text(FASTSAR, "utf-8")
    script = str(ROOT / "benchmarks" / "peers" / "fastsar_form.py")
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "FASTSAR_THREADS": str(threads)}
    if flags:
        environment["FFBP_CPU_FLAGS"] = flags
    command = [str(python), script, how, str(history), str(image), str(rounds), tile]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
    return float(done.stdout.split()[-1])


def engines() -> list[Engine]:
    """Engines to measure; kizuna-native is built if it is missing."""
    if not NATIVE.exists() and shutil.which("c++"):
        print(f"sar: building kizuna-native into {NATIVE.name}", file=sys.stderr)
        _pip(sys.executable, "--no-deps", "--target", str(NATIVE), str(ROOT / "native"))
    sys.path.append(str(NATIVE))
    return [Engine.NATIVE, Engine.NUMBA] if NATIVE.exists() else [Engine.NUMBA]


# The collection.


def collection(pulses: int, frequencies: int, pixels: int, spacing_m: float) -> tuple[PhaseHistory, PlaneGrid]:
    """Echoes of noise, and the ground that they are formed on."""
    random = np.random.default_rng(1)
    azimuth, grazing, range_m = np.radians(np.linspace(-1.0, 1.0, pulses)), math.radians(44.4), 742e3
    level = range_m * math.cos(grazing)
    above = np.full(pulses, range_m * math.sin(grazing))
    positions = np.stack([level * np.sin(azimuth), -level * np.cos(azimuth), above], axis=-1)
    shape = pulses, frequencies
    samples = random.standard_normal(shape, np.float32) + 1j * random.standard_normal(shape, np.float32)
    frequency = 9.65e9 + 469e6 * (np.arange(frequencies) / frequencies - 0.5)
    history = PhaseHistory(samples.astype(np.complex64), frequency, positions, np.linalg.norm(positions, axis=-1), "HH")
    axes = np.array([0.0, 1.0, 0.0]), np.array([-1.0, 0.0, 0.0])
    return history, PlaneGrid(np.zeros(3), *axes, spacing_m, spacing_m, pixels, pixels)


class Patches:
    """Some parts of a grid, below one another."""

    def __init__(self, grid: PlaneGrid) -> None:
        self.grid = grid
        self.corners = [round(at) for at in np.linspace(0, grid.rows - PATCH, PATCHES)]
        self.rows, self.cols = PATCH * PATCHES**2, PATCH

    def to_scene(self, row: npt.ArrayLike, col: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Positions of pixels."""
        row, col = np.broadcast_arrays(np.asarray(row), np.asarray(col))
        patch, inside = row // PATCH, row % PATCH
        corners = np.array(self.corners)
        return self.grid.to_scene(corners[patch // PATCHES] + inside, corners[patch % PATCHES] + col)

    def of(self, image: Image) -> Image:
        """The same parts of an image."""
        return np.concatenate([image[r : r + PATCH, c : c + PATCH] for r in self.corners for c in self.corners])


def error_db(image: Image, exact: Image) -> float:
    """Error of an image after the factor that fits it best."""
    image, exact = image.astype(np.complex128), exact.astype(np.complex128)
    factor = np.vdot(image, exact) / np.vdot(image, image)
    return 20.0 * math.log10(float(np.linalg.norm(factor * image - exact) / np.linalg.norm(exact)))


def save(path: Path, history: PhaseHistory, grid: PlaneGrid) -> None:
    """Write what the peer reads."""
    np.savez(
        path,
        samples=history.samples,
        antennas=history.positions_m,
        first_hz=history.frequencies_hz[0],
        step_hz=history.frequency_step_hz,
        spacing_m=grid.row_spacing_m,
        pixels=grid.rows,
        down=grid.row_direction,
        across=grid.col_direction,
    )


def cpu_seconds(form: Callable[[], Image], rounds: int) -> tuple[float, Image]:
    """Least CPU time of some rounds, seconds, and the image."""
    least = math.inf
    for _ in range(rounds):
        begin = time.process_time()
        image = form()
        least = min(least, time.process_time() - begin)
    return least, image


def plain(history: PhaseHistory, grid: Surface) -> npt.NDArray[np.complex128]:
    """Backprojection as the textbook has it (Gorham and Moore 2010): np.interp into an oversampled profile, pulse by pulse."""
    pixels = grid.to_scene(*np.indices((grid.rows, grid.cols)))
    count = len(history.frequencies_hz)
    length = 2 * OVERSAMPLING * count
    ranges = (np.arange(length) - length // 2) * history.unambiguous_range_m / length
    turn = np.exp(-2j * math.pi * (count // 2) * (np.arange(length) - length // 2) / length)
    carrier = 4.0 * math.pi * history.frequencies_hz[count // 2] / SPEED_OF_LIGHT_M_S
    image = np.zeros((grid.rows, grid.cols), np.complex128)
    for samples, position, reference in zip(history.samples, history.positions_m, history.reference_range_m, strict=True):
        profile = np.fft.fftshift(np.fft.ifft(samples, length)) * length / count * turn
        offset = np.linalg.norm(pixels - position, axis=-1) - reference
        image += np.interp(offset, ranges, profile) * np.exp(1j * carrier * offset)
    return image / history.pulses


# Figures.


def measure_exact() -> None:
    """1024 pulses onto 1024 x 1024 pixels, with one thread and with two."""
    history, grid = collection(1024, 1024, 1024, 0.4)
    billions, patches = grid.rows * grid.cols * history.pulses / 1e9, Patches(grid)
    exact = backproject(history, patches, oversampling=64, engine=Engine.NUMPY)
    few, small = collection(64, 1024, 512, 0.4)
    numpy_speed = small.rows * small.cols * few.pulses / 1e9 / cpu_seconds(lambda: plain(few, small), 1)[0]
    for engine in engines():
        backproject(few, small, engine=engine)  # compiles
    for threads in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            saved, formed = Path(folder) / "history.npz", Path(folder) / "image.npy"
            save(saved, history, grid)
            peer_speed = billions / peer_seconds("exact", saved, formed, threads=threads, rounds=2)
            peer_db = error_db(patches.of(np.load(formed)), exact)
        for engine in engines():
            seconds, image = cpu_seconds(
                lambda engine=engine, threads=threads: backproject(
                    history, grid, oversampling=OVERSAMPLING, engine=engine, threads=threads
                ),
                3,
            )
            speed, unit = billions / seconds, f"1e9 backprojections per CPU second, {engine}, {threads} thread(s)"
            ours_db = error_db(patches.of(image), exact)
            met = speed / peer_speed >= FACTOR_GOAL and ours_db <= ACCURACY_DB
            accuracy = {"error_db": round(ours_db, 1), "peer_error_db": round(peer_db, 1)}
            report("backprojection_gbp_per_cpu_s", speed, unit, FASTSAR, peer_speed, goal=FACTOR_GOAL, met=met, **accuracy)
            if threads == 1:
                report("backprojection_gbp_per_cpu_s", speed, unit, "numpy, np.interp per pulse", numpy_speed)


def measure_factorised(pulses: int = 4096) -> None:
    """As many pulses and frequencies onto as many pixels squared, with one thread."""
    history, grid = collection(pulses, pulses, pulses, 0.3)
    patches = Patches(grid)
    exact = backproject(history, patches, oversampling=24)
    with tempfile.TemporaryDirectory() as folder:
        saved, formed = Path(folder) / "history.npz", Path(folder) / "image.npy"
        save(saved, *collection(pulses // 4, pulses // 4, pulses // 4, 0.3))
        tried = []
        for name, tile, flags in TUNINGS:
            seconds = peer_seconds("factorised", saved, formed, threads=1, rounds=1, tile=tile, flags=flags)
            tried.append((seconds, name, tile, flags))
            print(f"sar: {FASTSAR}, {pulses // 4} x {pulses // 4}, T={name}: {seconds:.2f} CPU s", file=sys.stderr)
        _, tuning, tile, flags = min(tried)
        save(saved, history, grid)
        peer_s = peer_seconds("factorised", saved, formed, threads=1, rounds=1, tile=tile, flags=flags)
        peer_db = error_db(patches.of(np.load(formed)), exact)
    for engine in engines():
        factorise(*collection(256, 256, 256, 0.3), engine=engine, threads=1)  # compiles
        seconds, image = cpu_seconds(
            lambda engine=engine: factorise(history, grid, engine=engine, threads=1), 1
        )  # fastsar: one too
        ours_db = error_db(patches.of(image), exact)
        met = seconds <= FACTORISED_GOAL * peer_s and ours_db <= peer_db
        accuracy = {"error_db": round(ours_db, 1), "peer_error_db": round(peer_db, 1)}
        unit = f"CPU s, {pulses} pulses onto {pulses} x {pulses}, {engine}, 1 thread"
        report("factorised_cpu_s", seconds, unit, f"{FASTSAR}, T={tuning}", peer_s, goal=FACTORISED_GOAL, met=met, **accuracy)


if __name__ == "__main__":
    measure_exact()
    measure_factorised()
