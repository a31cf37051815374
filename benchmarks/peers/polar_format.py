"""Peers of polar format, run in an environment of their own: `polar_format.py FOLDER`, with history.npz and history.cphd in it.

fastsar's polar format (JAX, its way around the kernel that its wheel lacks; the move of displaced points included) and grdl's
(three stages, without that move). Prints CPU seconds of the second image of each.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ |= {"FASTSAR_PFA_CZT": "1", "FASTSAR_PFA_GATHER": "0", "JAX_PLATFORMS": "cpu"}

import numpy as np


def fastsar_seconds(folder: Path) -> float:
    """CPU seconds of one image, compiled beforehand."""
    import fastsar

    given = np.load(folder / "history.npz")
    size, spacing = int(given["size"]), float(given["spacing"])
    seconds = []
    for _ in range(2):
        begin = time.process_time()
        fastsar.form_image(
            given["samples"], given["antenna"], float(given["first"]), float(given["step"]), size, size, spacing, spacing,
            tuple(given["col"]), tuple(given["row"]), algorithm="pfa", window=False, pfa_guard=20.0, ref=given["reference"],
        )  # fmt: skip
        seconds.append(time.process_time() - begin)
    return seconds[-1]


def grdl_seconds(folder: Path) -> tuple[float, list[int]]:
    """CPU seconds of one image, and its shape: the grid is grdl's own choice."""
    from grdl.image_processing.sar.image_formation import CollectionGeometry, PolarFormatAlgorithm, PolarGrid
    from grdl.IO.sar.cphd import CPHDReader

    with CPHDReader(folder / "history.cphd") as reader:
        geometry = CollectionGeometry(reader.metadata)
        signal = reader.read_full()
        seconds = []
        for _ in range(2):
            begin = time.process_time()
            image = PolarFormatAlgorithm(grid=PolarGrid(geometry)).form_image(signal, geometry)
            seconds.append(time.process_time() - begin)
    return seconds[-1], list(image.shape)


def main() -> None:
    """Both, as far as they run."""
    folder = Path(sys.argv[1])
    found: dict[str, object] = {}
    for name, measure in (("fastsar", fastsar_seconds), ("grdl", grdl_seconds)):
        try:
            found[name] = measure(folder)
        except Exception as error:  # noqa: BLE001 # whatever keeps a peer from running is told with the figure
            found[name] = None
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
