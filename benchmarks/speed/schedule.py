"""Schedules: SPOT5's daily photograph instances, each in 60 s at most on two threads, beside the best that is known.

Every ``.spot`` file of the folder is solved; a plan counts only after `check_spot5`, which reads the instance and nothing else,
has taken it. Of instances of one orbit and of 1502 the goal is the proven optimum; of those of several orbits (ids above 1000)
99.5 % of the best known. Where no best is known the goal is left out. The unit says whether the plan is proven, else what none
can exceed. CPU seconds stand in ``cpu_s``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from kizuna.formats.spot5 import check_spot5, read_spot5, selection_of
from kizuna.planning.solve import choose

ROOT = Path(__file__).resolve().parents[2]
BEST_KNOWN = {
    "5": 115,
    "8": 10,
    "11": 22120,
    "28": 56053,
    "29": 12032,
    "42": 108067,
    "54": 70,
    "404": 49,
    "408": 3082,
    "412": 16102,
    "503": 9096,
    "505": 13100,
    "507": 15137,
    "509": 19125,
    "1021": 176246,
    "1401": 176056,
    "1403": 176137,
    "1405": 176179,
    "1502": 61158,
    "1504": 124243,
    "1506": 168247,
}
SEVERAL_ORBITS = 1000
TO_PROVE = frozenset({"1502"})
SHARE = 0.995


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=ROOT.parent / "shared" / "data" / "orbits" / "spot5", help="*.spot files")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for an instance")
    parser.add_argument("instances", nargs="*", help="their names, all by default")
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.spot"), key=lambda path: (len(path.stem), path.stem))
    if not paths:
        sys.exit(f"no .spot files in {options.folder}: name the folder with --folder")
    for path in paths:
        name = path.stem
        if options.instances and name not in options.instances:
            continue
        several = name.isdecimal() and int(name) > SEVERAL_ORBITS
        begin, cpu = time.monotonic(), time.process_time()
        instance = read_spot5(path.read_text("ascii"), several_orbits=several or None)
        selection, what = selection_of(instance)
        # What reading took counts too.
        seconds = options.seconds - (time.monotonic() - begin)
        found = choose(selection, seconds=seconds, elapsed_s=time.monotonic, workers=2)
        profit = check_spot5(instance, dict(option for option, held in zip(what, found.chosen, strict=True) if held))
        best = BEST_KNOWN.get(name)
        proof = not several or name in TO_PROVE
        goal = None if best is None else best if proof else round(SHARE * best)
        met = None if goal is None else profit >= goal and (found.proven or not proof)
        line = {
            "benchmark": "schedule",
            "metric": f"spot5_{name}_profit",
            "value": profit,
            "unit": "profit, proven optimal" if found.proven else f"profit, none exceeds {found.bound}",
            "peer": None if best is None else "best known",
            "peer_value": best,
            "ratio": None if best is None else round(profit / best, 5),
            "goal": goal,
            "met": met,
            "seconds": round(time.monotonic() - begin, 1),
            "cpu_s": round(time.process_time() - cpu, 1),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
