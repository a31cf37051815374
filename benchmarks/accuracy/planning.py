"""Access windows held to a brute force that this program runs itself, and their uncertainty held to later element sets.

Windows: 36 radar satellites x 1,000 places x 24 hours, incidence 15 to 45 degrees. The brute force asks SGP4 for each satellite's
place each second (3.1 million propagations), computes the incidence angle at each place each second (3.1 billion), and where the
state changes from one second to the next, or comes near it between two, finds the instant by bisection on a cubic through four
seconds. It shares nothing with the search but SGP4 and the ellipsoid.

Uncertainty: the first part of a history of element sets is learnt from; then each set of the rest foretells the windows of some
places 1, 3 and 7 days later, and the set whose epoch is next to that time says what they are. An edge of the later set counts as
covered if it lies within the interval of the same window as foretold; an edge of a window that was not foretold is not covered.

The case and the history are the project's research data: ``--data FOLDER`` says where they lie.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from kizuna.earth.orbit import Sgp4, track_of
from kizuna.earth.wgs84 import Geodetic, enu_basis
from kizuna.formats.tle import read_tle
from kizuna.model.instants import Instant, parse_instant
from kizuna.planning.access import find_windows
from kizuna.planning.geometry import Geometry, Places
from kizuna.planning.uncertainty import Ageing, learn_ageing, with_uncertainty

if TYPE_CHECKING:
    from kizuna.earth.elements import MeanElements

type Floats = npt.NDArray[np.float64]

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT.parent / "shared" / "data" / "orbits"
WINDOWS = 50_225
EDGE_MS = 10.0
DAYS = (1, 3, 7)
LEARN_DAYS = 18.0
PLACES_A_SET = 6
MATCH_S = 600.0


def report(metric: str, value: float, unit: str, goal: object, *, met: bool | None) -> None:
    """Print one figure."""
    line = {"benchmark": "planning-accuracy", "metric": metric, "value": value, "unit": unit}
    line |= {"peer": None, "peer_value": None, "ratio": None, "goal": goal, "met": met}
    print(json.dumps(line), flush=True)


# The brute force.


@njit(cache=True)
def _cubic(values: Floats, x: float) -> float:
    """Value at 1 + x, 0 to 1, of the cubic through values at 0, 1, 2, 3."""
    a, b, c, d = values[0], values[1], values[2], values[3]
    return b + x * (-a / 3 - b / 2 + c - d / 6 + x * ((a + c) / 2 - b + x * ((d - a) / 6 + (b - c) / 2)))


@njit(cache=True)
def _margin(cosines: Floats, second: int, x: float, low: float, high: float) -> float:
    """Least of cos - cos(45) and cos(15) - cos, between two seconds."""
    value = _cubic(cosines[second - 1 : second + 3], x)
    return min(value - low, high - value)


@njit(cache=True)
def _bisect(cosines: Floats, second: int, inside: bool, left: float, right: float, low: float, high: float) -> float:  # noqa: FBT001
    """Where in a second the margin changes its sign."""
    for _ in range(45):
        middle = 0.5 * (left + right)
        if (_margin(cosines, second, middle, low, high) > 0.0) == inside:
            left = middle
        else:
            right = middle
    return second + 0.5 * (left + right)


@njit(cache=True)
def _summit(cosines: Floats, second: int, sign: float, low: float, high: float) -> float:
    """Where in a second the margin, turned by `sign`, is the highest, by golden sections."""
    left, right = 0.0, 1.0
    for _ in range(45):
        one, two = right - 0.6180339887498949 * (right - left), left + 0.6180339887498949 * (right - left)
        if sign * _margin(cosines, second, one, low, high) > sign * _margin(cosines, second, two, low, high):
            right = two
        else:
            left = one
    return 0.5 * (left + right)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def brute_force(track: Floats, place: Floats, normal: Floats, limits: tuple[float, float], cosines: Floats, edges: Floats) -> int:
    """Edges of all windows of one satellite and one place; the arrays begin one second early and end two late."""
    low, high = limits
    for second in range(track.shape[1]):
        sx, sy, sz = track[0, second] - place[0], track[1, second] - place[1], track[2, second] - place[2]
        up = sx * normal[0] + sy * normal[1] + sz * normal[2]
        cosines[second] = up / np.sqrt(sx * sx + sy * sy + sz * sz)
    count = 0
    last = track.shape[1] - 2
    inside = min(cosines[1] - low, high - cosines[1]) > 0.0
    if inside:
        edges[count] = 1.0
        count += 1
    for second in range(1, last):
        after = min(cosines[second + 1] - low, high - cosines[second + 1])
        now = min(cosines[second] - low, high - cosines[second])
        if (after > 0.0) != inside:
            edges[count] = _bisect(cosines, second, inside, 0.0, 1.0, low, high)
            count += 1
            inside = not inside
        elif abs(now) < 2e-2 and abs(after) < 2e-2 and second > 1:
            # Nothing changed, but the limit is near: a hidden summit between two seconds may cross it and come back.
            before = min(cosines[second - 1] - low, high - cosines[second - 1])
            beyond = min(cosines[second + 2] - low, high - cosines[second + 2])
            sign = -1.0 if inside else 1.0
            if sign * now >= sign * before and sign * after >= sign * beyond:
                at = _summit(cosines, second, sign, low, high)
                if (_margin(cosines, second, at, low, high) > 0.0) != inside:
                    edges[count] = _bisect(cosines, second, inside, 0.0, at, low, high)
                    edges[count + 1] = _bisect(cosines, second, not inside, at, 1.0, low, high)
                    count += 2
    if inside:
        edges[count] = last
        count += 1
    return count


def measure_windows(folder: Path) -> None:
    """Compare the windows of the whole case."""
    case = json.loads((folder / "reference" / "access_case.json").read_text("utf-8"))
    epoch, duration_s = parse_instant(case["start"]), float(case["duration_s"])
    elements = [found.elements for found in read_tle("\n".join("\n".join(three) for three in case["sats"]))]
    where = [Geodetic.from_degrees(latitude_deg=a, longitude_deg=b) for a, b in zip(case["lat"], case["lon"], strict=True)]
    low, high = (np.radians(angle) for angle in case["incidence_deg"])
    places = Places.of([str(number) for number in range(len(where))], where)
    tracks = [track_of(one, epoch, duration_s) for one in elements]
    windows = find_windows(tracks, [one.name for one in elements], places, Geometry(low, high), epoch=epoch)

    normals = np.array([enu_basis(place.latitude_rad, place.longitude_rad)[2] for place in where])
    points = np.array([place.ecef_m() for place in where])
    seconds = np.arange(-1.0, duration_s + 3.0)
    cosines, edges = np.empty(len(seconds)), np.empty(10_000)
    truth, limits = [], (float(np.cos(high)), float(np.cos(low)))
    begin = time.process_time()
    for number, one in enumerate(elements):
        track = np.ascontiguousarray(Sgp4(one, epoch).ecef(seconds)[0].T)
        for target in range(len(where)):
            count = brute_force(track, points[target], normals[target], limits, cosines, edges)
            pairs = edges[:count].reshape(-1, 2) - 1.0
            truth.extend((target, number, start, min(end, duration_s)) for start, end in pairs)
        print(f"planning-accuracy: brute force {number + 1} of {len(elements)}", file=sys.stderr)
    print(f"planning-accuracy: brute force took {time.process_time() - begin:.0f} CPU s", file=sys.stderr)
    table = np.array(truth)
    table = table[np.lexsort((table[:, 2], table[:, 1], table[:, 0]))]
    order = np.lexsort((windows.start_s, windows.satellite, windows.target))
    ours = np.column_stack([windows.target, windows.satellite, windows.start_s, windows.end_s])[order]
    found, error_s = match(table, ours)
    report("windows_brute_force", len(table), "windows that the brute force finds", WINDOWS, met=len(table) == WINDOWS)
    report(
        "windows_found", int(found.sum()), "windows of the brute force", WINDOWS, met=bool(found.all() and len(found) == WINDOWS)
    )
    report("windows_extra", len(ours) - int(found.sum()), "windows that are none", 0, met=bool(len(ours) == found.sum()))
    report("edge_error_max_ms", round(1e3 * float(error_s), 3), "ms, of all edges", EDGE_MS, met=bool(error_s * 1e3 <= EDGE_MS))


def match(truth: np.ndarray, ours: np.ndarray) -> tuple[np.ndarray, float]:
    """Which windows of the truth were found, and the largest error of an edge of these; found is what one overlaps."""
    by_pair = defaultdict(list)
    for row in ours:
        by_pair[int(row[0]), int(row[1])].append(row[2:])
    found, worst = np.zeros(len(truth), bool), 0.0
    for number, (target, satellite, start, end) in enumerate(truth):
        for candidate in by_pair[int(target), int(satellite)]:
            if candidate[0] <= end and candidate[1] >= start:
                found[number] = True
                worst = max(worst, abs(candidate[0] - start), abs(candidate[1] - end))
                by_pair[int(target), int(satellite)] = [
                    row for row in by_pair[int(target), int(satellite)] if row is not candidate
                ]
                break
    return found, worst


# Uncertainty.


def measure_uncertainty(folder: Path) -> None:
    """Compare windows as foretold with those of later sets."""
    [path] = (folder / "history").glob("*.3le")
    history = [found.elements for found in read_tle(path.read_text("utf-8"))]
    first = min(one.epoch for one in history)
    cut = first + timedelta(days=LEARN_DAYS)
    begin = time.process_time()
    ageing = learn_ageing([one for one in history if one.epoch < cut])
    print(f"planning-accuracy: learnt {ageing.coefficients} in {time.process_time() - begin:.0f} CPU s", file=sys.stderr)
    random = np.random.default_rng(7)
    by_satellite = defaultdict(list)
    for one in sorted(history, key=lambda one: one.epoch):
        if one.epoch >= cut:
            by_satellite[one.number].append(one)
    for days in DAYS:
        covered, edges, widths = 0, 0, []
        for sets in by_satellite.values():
            epochs = np.array([(one.epoch - cut).total_seconds() for one in sets])
            # Every third set: sets that follow one another say nearly the same.
            for number in range(0, len(sets), 3):
                other = int(np.searchsorted(epochs, epochs[number] + days * 86400.0))
                if other == len(sets) or epochs[other] - epochs[number] > days * 86400.0 + 0.35 * 86400.0:
                    continue
                latitudes = np.degrees(np.arcsin(random.uniform(-0.9, 0.9, PLACES_A_SET)))
                longitudes = random.uniform(-180, 180, PLACES_A_SET)
                some = [
                    Geodetic.from_degrees(latitude_deg=a, longitude_deg=b) for a, b in zip(latitudes, longitudes, strict=True)
                ]
                got = compared(sets[number], sets[other], Places.of([str(n) for n in range(len(some))], some), ageing)
                covered, edges = covered + got[0], edges + got[1]
                widths.extend(got[2])
        percent = round(100.0 * covered / edges, 2)
        unit = f"% of {edges} edges, half widths {np.median(widths):.2f} s (median), held-out sets"
        report(f"interval_coverage_{days}d_percent", percent, unit, "90 to 97", met=bool(90.0 <= percent <= 97.0))


def compared(older: MeanElements, newer: MeanElements, places: Places, ageing: Ageing) -> tuple[int, int, list[float]]:
    """Edges of the newer set about its epoch that the older one's intervals cover, all of them, and the half widths."""
    epoch = Instant(newer.epoch - timedelta(hours=6))
    geometry = Geometry(np.radians(15), np.radians(45))
    (foretold, truth) = (
        find_windows([track_of(one, epoch, 43200.0)], [one.name], places, geometry, epoch=epoch) for one in (older, newer)
    )
    foretold = with_uncertainty(foretold, [older], ageing)
    covered, edges, widths = 0, 0, []
    for row in range(len(truth)):
        same = np.flatnonzero(foretold.target == truth.target[row])
        near = same[
            np.abs((foretold.start_s[same] + foretold.end_s[same] - truth.start_s[row] - truth.end_s[row]) / 2).argsort()
        ][:1]
        for ours, theirs in ((foretold.start_s, truth.start_s), (foretold.end_s, truth.end_s)):
            # An edge of the time that was asked about is none of a window.
            if not 1.0 < theirs[row] < 43199.0:
                continue
            edges += 1
            if len(near):
                width = float(foretold.edge_uncertainty_s[near[0]])
                widths.append(width)
                covered += bool(abs(ours[near[0]] - theirs[row]) <= width)
    return covered, edges, widths


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=FOLDER, help="folder with reference/ and history/")
    parser.add_argument("--only", choices=["windows", "uncertainty"])
    options = parser.parse_args()
    if options.only != "uncertainty":
        measure_windows(options.data)
    if options.only != "windows":
        measure_uncertainty(options.data)


if __name__ == "__main__":
    main()
