"""How fast images are formed and echoes simulated. A JSON line a figure; `--only PART` measures one part."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import sar_backprojection
import sar_polar_format
import sar_simulate

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS: dict[str, Callable[[], None]] = {
    "backprojection": sar_backprojection.measure_exact,
    "factorised": sar_backprojection.measure_factorised,
    "polar_format": sar_polar_format.measure,
    "simulate": sar_simulate.measure,
}


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
