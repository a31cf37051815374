"""Access windows, timed: 36 radar satellites x 1,000 places x 24 hours, incidence 15 to 45 degrees, beside other tools.

CPU seconds of one thread, from element sets in memory to the sorted table of windows; the median of several runs. Compiling the
inner loops (about 12 s, once, then kept beside the source) is told apart. brahe (its default step of 60 s, and 10 s), tatc and
skyfield do the same case in `.venv-bench-planning`, made when it is missing (needs the package index once); where one would take
minutes it gets the first few places and its time is scaled by their number, which is linear for it. Beside each time stands its
share of the windows that there are, each of its windows counting for one: 50,225 as a brute force of one second confirms
(`make bench BENCH=planning-accuracy`). tatc knows neither an incidence angle nor a hole at 15 degrees: it is held to the passes
below 45 degrees.

The case is the project's research data: ``--data FOLDER`` says where it lies.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
import venv
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
_begin = time.process_time()
from kizuna.planning.access import find_windows  # noqa: E402 - what importing costs is told

IMPORT_S = time.process_time() - _begin

import numpy as np  # noqa: E402

from kizuna.earth.orbit import track_of  # noqa: E402
from kizuna.earth.wgs84 import Geodetic  # noqa: E402
from kizuna.formats.tle import read_tle  # noqa: E402
from kizuna.model.instants import parse_instant  # noqa: E402
from kizuna.planning.geometry import Geometry, Places  # noqa: E402

if TYPE_CHECKING:
    from kizuna.planning.windows import AccessWindows

FOLDER = ROOT.parent / "shared" / "data" / "orbits" / "reference"
PEERS = ROOT / ".venv-bench-planning"
NEEDED = ("brahe==1.8.0", "tatc==3.6.0", "skyfield==1.55", "sgp4==2.27")
GOAL_S, STRETCH_S = 0.35, 0.1
RUNS = 7
# Tool, its name, places it is asked about, how many times faster kizuna shall be.
TOOLS = (
    (("brahe",), "brahe 1.8.0, 60 s (default)", 100, ("60",), 150),
    (("brahe",), "brahe 1.8.0, 10 s", 10, ("10",), None),
    (("tatc",), "tatc 3.6.0, cone of 45 degrees", 1000, (), 20),
    (("skyfield",), "skyfield 1.55, find_events at 45 and 75 degrees", 10, (), None),
)


def peers() -> Path:
    """Python of the other tools' environment."""
    python, stamp, wanted = PEERS / "bin" / "python", PEERS / "requirements.txt", "\n".join(NEEDED)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"planning: making {PEERS.name} for {', '.join(NEEDED)}", file=sys.stderr)
        venv.create(PEERS, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*pip, "--only-binary", ":all:", *NEEDED], check=True)
        stamp.write_text(wanted, "utf-8")
    return python


def found_percent(truth: AccessWindows, windows: list[list[float]], targets: int) -> float:
    """Share of the true windows of the first places that one of the given windows overlaps, each counting for one."""
    by_pair = defaultdict(list)
    for target, satellite, start, end in windows:
        by_pair[int(target), int(satellite)].append((start, end))
    # In place of the target and satellite columns one by one: the pairs, in order of time.
    rows = np.flatnonzero(truth.target < targets)
    found = 0
    for row in rows:
        candidates = by_pair[int(truth.target[row]), int(truth.satellite[row])]
        for window in candidates:
            if window[0] <= truth.end_s[row] and window[1] >= truth.start_s[row]:
                candidates.remove(window)
                found += 1
                break
    return round(100.0 * found / len(rows), 2)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=FOLDER, help="folder with access_case.json")
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    path = options.data / "access_case.json"
    case = json.loads(path.read_text("utf-8"))
    epoch, duration_s = parse_instant(case["start"]), float(case["duration_s"])
    elements = [found.elements for found in read_tle("\n".join("\n".join(three) for three in case["sats"]))]
    names = [one.name for one in elements]
    where = [Geodetic.from_degrees(latitude_deg=a, longitude_deg=b) for a, b in zip(case["lat"], case["lon"], strict=True)]
    low, high = (float(np.radians(angle)) for angle in case["incidence_deg"])

    def windows(least_rad: float) -> AccessWindows:
        places = Places.of([str(number) for number in range(len(where))], where)
        tracks = [track_of(one, epoch, duration_s) for one in elements]
        return find_windows(tracks, names, places, Geometry(least_rad, high), epoch=epoch)

    begin = time.process_time()
    windows(low)
    first_s = time.process_time() - begin
    times = []
    for _ in range(RUNS):
        begin = time.process_time()
        truth = windows(low)
        times.append(time.process_time() - begin)
    ours = statistics.median(times)
    whole = windows(0.0)
    reference = np.load(options.data / "access_windows_36x1000_24h.npy")
    share = found_percent(truth, reference[:, [1, 0, 2, 3]].tolist(), len(where))
    line = {"benchmark": "planning", "metric": "import_and_first_s", "value": round(IMPORT_S + first_s, 2)}
    line |= {"unit": "CPU s to import and to search once; 12 s more where the loops are compiled", "peer": None}
    print(json.dumps(line | {"peer_value": None, "ratio": None, "goal": None, "met": None}), flush=True)
    unit = f"CPU s, one thread; {len(truth)} windows, {share} % of the reference's; least {min(times):.3f}"
    line = {"benchmark": "planning", "metric": "access_cpu_s", "value": round(ours, 3), "unit": unit, "peer": None}
    line |= {"peer_value": None, "ratio": None, "goal": f"at most {GOAL_S}, stretch {STRETCH_S}", "met": ours <= GOAL_S}
    print(json.dumps(line), flush=True)
    if options.without_peers:
        return
    for tool, name, targets, arguments, times_less in TOOLS:
        command = [str(peers()), str(ROOT / "benchmarks" / "peers" / "access.py"), *tool, str(path), str(targets), *arguments]
        answer = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines()[-1])
        theirs = answer["cpu_s"] * len(where) / targets
        percent = found_percent(whole if tool == ("tatc",) else truth, answer["windows"], targets)
        scaled = "the whole case" if targets == len(where) else f"scaled from {targets} places of {len(where)}"
        line = {"benchmark": "planning", "metric": "access_cpu_s", "value": round(ours, 3)}
        line |= {"unit": f"CPU s, one thread; peer: {scaled}, {percent} % of the windows found", "peer": name}
        line |= {"peer_value": round(theirs, 1), "ratio": round(theirs / ours, 1)}
        line |= {"goal": times_less, "met": None if times_less is None else theirs / ours >= times_less}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
