"""How well the Gotcha trihedral is focused: kizuna's image against theory. A JSON line a figure."""

from __future__ import annotations

import argparse
import io
import json
from importlib import resources

import numpy as np
import sar_checkers
import sar_nufft
import sar_polar
import sar_strip

from kizuna.formats.gotcha import form_gotcha
from kizuna.sar.quality import ground_resolution, measure_point

TRIHEDRAL_M = (-15.6, 21.6, 0.0)
"""Measured by exact backprojection of the three degrees, elsewhere."""


def report(metric: str, value: float, unit: str, goal: float) -> None:
    """Print one figure that must not exceed its goal; the peer is theory, so there is no value of a peer's to divide by."""
    line = {
        "benchmark": "sar-accuracy",
        "metric": metric,
        "value": round(value, 4),
        "unit": unit,
        "peer": "theory",
        "peer_value": 0.0,
        "ratio": None,
        "goal": goal,
        "met": value <= goal,
    }
    print(json.dumps(line))


def trihedral() -> None:
    """Form the image, measure the trihedral."""
    folder = resources.files("kizuna.samples") / "gotcha"
    files = [io.BytesIO((folder / f"data_3dsar_pass1_az00{degree}_HH.mat").read_bytes()) for degree in (1, 2, 3)]
    image = form_gotcha(files)
    found = measure_point(image.pixels, image.grid, TRIHEDRAL_M)
    range_m, cross_m = ground_resolution(image.history)
    report("trihedral_offset_m", float(np.linalg.norm(found.position_m - TRIHEDRAL_M)), "m", 0.1)
    report("trihedral_range_width_error_percent", 100.0 * abs(found.row_width_m / range_m - 1.0), "%", 5.0)
    report("trihedral_cross_width_error_percent", 100.0 * abs(found.col_width_m / cross_m - 1.0), "%", 5.0)


PARTS = {
    "trihedral": trihedral,
    "polar": sar_polar.main,
    "strip": sar_strip.main,
    "checkers": sar_checkers.main,
    "nufft": sar_nufft.main,
}


def main() -> None:
    """Print the figures of all parts, or of one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=tuple(PARTS), help="print only these")
    only = parser.parse_args().only
    for name, measure in PARTS.items():
        if only in {None, name}:
            measure()


if __name__ == "__main__":
    main()
