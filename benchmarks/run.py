"""Run one benchmark: `run.py NAME`. Each prints its figures, one line of JSON a figure; the goals stand in them.

`speed/NAME.py` is called NAME, `accuracy/NAME.py` is called NAME-accuracy; some have a second name, with options. A benchmark
that cannot be run ends with its own status; a goal that is missed says so in its line ("met": false) and is no error.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LARGER = {"catalog-5m": ("catalog", "--items", "5000000")}


def benchmarks() -> dict[str, Path]:
    """Benchmarks by name."""
    # What has a second word in its name is a part of the one that has the first.
    found = {path.stem: path for path in FOLDER.glob("speed/*.py") if "_" not in path.stem}
    accuracy = {f"{path.stem}-accuracy": path for path in FOLDER.glob("accuracy/*.py") if "_" not in path.stem}
    return dict(sorted((found | accuracy).items()))


def main(arguments: list[str]) -> int:
    """Run the benchmark that the arguments name."""
    known = benchmarks()
    if len(arguments) != 1 or arguments[0] not in {*known, *LARGER}:
        got = f"no benchmark is called {' '.join(arguments)!r}" if arguments else "no benchmark was named"
        print(f"error: {got}\nhint: make bench BENCH=NAME, with one of: {', '.join(sorted({*known, *LARGER}))}", file=sys.stderr)
        return 2
    name, *options = LARGER.get(arguments[0], (arguments[0],))
    return subprocess.run([sys.executable, str(known[name]), *options], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
