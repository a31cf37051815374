"""What simulating the reference collection takes: a kilometre of port at 46 cm, some millions of scatterers, all pulses.

CPU seconds of all threads for the whole of `simulate` (scene, shadow, echoes, noise), compiled code loaded before; the best of
three rounds. Memory is the most that a process of its own held, samples and Python included. The error is that of a fixed set of
scatterers all over the scene, up to 60 m high, against exact sums over every 37th pulse.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time
from dataclasses import replace
from importlib import resources

import numpy as np

from kizuna.formats.scene_recipe import read_scene
from kizuna.sar.echoes import Cloud, Movers, cloud_echoes, sum_echoes
from kizuna.sar.simulate import acquisition_of, simulate

GOAL_CPU_S, GOAL_GB, GOAL_DB = 6.0, 1.5, -45.0
ROUNDS = 3
POINTS = 60
EVERY = 37


def report(metric: str, value: float, unit: str, goal: float) -> None:
    """Print one figure that must not exceed its goal."""
    line = {
        "benchmark": "sar",
        "metric": metric,
        "value": round(value, 2),
        "unit": unit,
        "peer": None,
        "peer_value": None,
        "ratio": None,
        "goal": goal,
        "met": value <= goal,
    }
    print(json.dumps(line), flush=True)


def once() -> None:
    """Simulate in this process and print what it took."""
    recipe = (resources.files("kizuna.samples") / "port" / "port.toml").read_bytes()
    scene = read_scene(recipe, name="port.toml")
    small = replace(scene, extent_m=64.0)
    simulate(small, acquisition_of(small))
    planned = acquisition_of(scene)
    taken = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        found = simulate(scene, planned)
        taken.append(time.process_time() - begin)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0 / 1e9
    print(
        json.dumps(
            {"cpu_s": min(taken), "peak_gb": peak_gb, "scatterers": sum(found.scatterers), "shape": found.history.samples.shape}
        )
    )


def error_db() -> float:
    """Level of the difference from exact sums."""
    recipe = (resources.files("kizuna.samples") / "port" / "port.toml").read_bytes()
    planned = acquisition_of(read_scene(recipe, name="port.toml"))
    rng = np.random.default_rng(1)
    places = rng.uniform([-500.0, -500.0, 0.0], [500.0, 500.0, 60.0], (POINTS, 3)).astype(np.float32)
    values = (rng.standard_normal(POINTS) + 1j * rng.standard_normal(POINTS)).astype(np.complex64)
    found = np.zeros((len(planned.times_s), len(planned.frequencies_hz)), np.complex64)
    cloud_echoes(planned, Cloud(places, values), found)
    thinned = replace(planned, times_s=planned.times_s[::EVERY], positions_m=planned.positions_m[::EVERY])
    expected = sum_echoes(thinned, Movers(places.astype(np.float64), np.zeros((POINTS, 3)), values))
    return 20.0 * math.log10(float(np.linalg.norm(found[::EVERY] - expected) / np.linalg.norm(expected)))


def measure() -> None:
    """Print the figures."""
    done = subprocess.run([sys.executable, __file__, "--once"], stdout=subprocess.PIPE, check=True, text=True)
    figures = json.loads(done.stdout)
    pulses, frequencies = figures["shape"]
    about = f"{figures['scatterers']} scatterers, {pulses} x {frequencies} samples"
    report("simulate_cpu_s", figures["cpu_s"], f"CPU s, {about}", GOAL_CPU_S)
    report("simulate_peak_gb", figures["peak_gb"], f"GB at most, {about}", GOAL_GB)
    report("simulate_error_db", error_db(), f"dB against exact sums, {POINTS} scatterers up to 60 m high", GOAL_DB)


if __name__ == "__main__":
    if sys.argv[1:] == ["--once"]:
        once()
    else:
        measure()
