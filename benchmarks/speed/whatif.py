"""What a suspension costs, timed: real satellites over 1,000 places for a week, once cold, then twenty questions.

Satellites are those of the public catalogue whose provider the sample names (`samples/planning/sensors.toml`); each provider
has an agreement in a made-up register. Places are those of the reference case. Cold is everything from elements to the first
answer: tracks, windows, passes, whose satellites count, revisit. Warm are twenty questions one after the other, each from the
register on: what if an agreement were suspended, for each provider in turn. Times are CPU seconds of one thread; numba's code is
compiled, and kept, before. Beside it stands the same question in plain NumPy over the same passes; no other tool that we know
asks who counts, so none is a peer.

Reads `orbits/` in the folder that KIZUNA_DATA names (default: `shared/data` beside the repository). Without it satellites and
places are made up, and the figures say so.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kizuna.earth.orbit import track_of
from kizuna.earth.wgs84 import Geodetic
from kizuna.formats.element_sets import newest_sets
from kizuna.formats.sensors_file import read_catalogue
from kizuna.formats.tle import read_tle
from kizuna.model.instants import Instant, parse_instant
from kizuna.model.parties import nation_of, parse_party
from kizuna.node.providers import Fleet, Question, count, lie_of, supposed
from kizuna.planning.access import find_windows
from kizuna.planning.constellation import flown, walker
from kizuna.planning.geometry import Geometry, Places
from kizuna.planning.passes import Availability, passes_of
from kizuna.planning.revisit import Baseline, revisit
from kizuna.release.agreements import Agreement, AgreementKind, Article, Bound, Term
from kizuna.release.markings import Ladder
from kizuna.release.register import Register
from kizuna.wiring import sample_folder

if TYPE_CHECKING:
    from kizuna.earth.elements import MeanElements
    from kizuna.model.parties import Party
    from kizuna.planning.passes import Passes

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("KIZUNA_DATA", ROOT.parent / "shared" / "data")) / "orbits"
BEGIN = parse_instant("2026-05-08")
RECEIVER = parse_party("UKR/HUR")
COLD_S, WARM_MS = 15.0, 50.0
QUESTIONS = 20
DAY_S = 86400.0


def report(metric: str, value: float, unit: str, goal: float | None, **peer: object) -> None:
    """Print one figure."""
    line: dict[str, object] = {"benchmark": "whatif", "metric": metric, "value": value, "unit": unit}
    line |= {"peer": None, "peer_value": None, "ratio": None} | peer
    print(json.dumps(line | {"goal": goal, "met": None if goal is None else value <= goal}), flush=True)


def satellites() -> tuple[list[MeanElements], list[Party], str]:
    """Satellites, whose they are, and where they come from."""
    catalogue = read_catalogue((sample_folder("planning") / "sensors.toml").read_bytes(), name="sensors.toml")
    file = DATA / "sar_sats_2026-05-07.3le"
    if file.exists():
        sets = newest_sets(read_tle(file.read_text("ascii")), BEGIN)
        named = [(one.elements, catalogue.sensor(one.elements.name).party) for one in sets]
        return [one for one, party in named if party], [party for _one, party in named if party], "real"
    made = flown(walker("W", 120, 12, 1, inclination_rad=math.radians(97.6), height_m=550e3), BEGIN)
    named = {party for _beginning, party in catalogue.parties} | {sensor.party for sensor in catalogue.sensors if sensor.party}
    parties = sorted(named)[:19]
    return list(made), [parties[number % len(parties)] for number in range(len(made))], "made-up"


def places() -> Places:
    """A thousand places."""
    file = DATA / "reference" / "access_case.json"
    if file.exists():
        case = json.loads(file.read_text("utf-8"))
        latitudes, longitudes = case["lat"], case["lon"]
    else:
        rng = np.random.default_rng(1)
        latitudes, longitudes = rng.uniform(-60, 75, 1000).tolist(), rng.uniform(-180, 180, 1000).tolist()
    where = [Geodetic.from_degrees(latitude_deg=a, longitude_deg=b) for a, b in zip(latitudes, longitudes, strict=True)]
    return Places.of([f"place {number}" for number in range(len(where))], where)


def register(parties: tuple[Party, ...]) -> Register:
    """An agreement of each provider with the receiver, in force for years."""
    since = parse_instant("2025-01-01")
    term = Term(Bound(since, since, "2025-01-01"))
    agreements = []
    for party in parties:
        article = Article("1", "Imagery", (party,), (RECEIVER,), ("imagery",), nation_of(party), "UNCLASSIFIED")
        name = party.replace("/", "-")
        agreements.append(Agreement(name, 1, name, AgreementKind.SHARING, (party, RECEIVER), term, since, (article,)))
    return Register(tuple(agreements), ladders={nation_of(party): Ladder(nation_of(party), (), "made up") for party in parties})


def plain(passes: Passes, available: Availability) -> tuple[np.ndarray, np.ndarray]:
    """Mean gap and mean wait in plain NumPy, over the same passes."""
    (active,) = available.active[0]
    kept = active[passes.satellite]
    place = np.repeat(np.arange(len(passes.places)), np.diff(passes.first))[kept]
    at_s = passes.begin_s[kept]
    low_s, high_s = passes.period_s
    starts = np.searchsorted(place, np.arange(len(passes.places) + 1))
    gaps_s = np.diff(at_s, prepend=low_s)
    gaps_s[starts[:-1]] = at_s[starts[:-1]] - low_s
    tails_s = high_s - at_s[starts[1:] - 1]
    squares = np.add.reduceat(gaps_s**2, starts[:-1]) + tails_s**2
    mean_s = (at_s[starts[1:] - 1] - at_s[starts[:-1]]) / (np.diff(starts) - 1)
    return mean_s, squares / 2.0 / (high_s - low_s)


def cpu_s(best_of: int, run: object) -> float:
    """Least CPU seconds of several runs."""
    times = []
    for _ in range(best_of):
        begin = time.process_time()
        run()  # type: ignore[operator]
        times.append(time.process_time() - begin)
    return min(times)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=7.0)
    days = parser.parse_args().days
    elements, parties, origin = satellites()
    where = places()
    fleet = Fleet(tuple(one.name for one in elements), tuple(parties))
    facts = register(fleet.parties)
    asked = Question(RECEIVER, BEGIN, Instant(BEGIN.replace(day=BEGIN.day + math.ceil(days))), parse_instant("2026-05-07"))
    lie = lie_of(facts, [(0.0, 0.0)] * len(where.names))
    limits = Geometry(math.radians(15), math.radians(45))

    def search(duration_s: float) -> Passes:
        tracks = [track_of(one, BEGIN, duration_s) for one in elements]
        return passes_of(find_windows(tracks, fleet.satellites, where, limits, epoch=BEGIN), (0.0, duration_s))

    # What is compiled is compiled, and the register's code is loaded, before the clock starts.
    small = search(3600.0)
    Baseline.of(small, count(register(fleet.parties), fleet, asked, lie).available).after(revisit_none(len(elements)))
    revisit(small)
    begin = time.process_time()
    passes = search(days * DAY_S)
    counted = count(facts, fleet, asked, lie)
    base = Baseline.of(passes, counted.available, fleet.owner)
    cold = time.process_time() - begin
    size = f"{len(elements)} {origin} satellites of {len(fleet.parties)} providers, {len(where.names)} places, {days:g} days"
    report("cold_s", round(cold, 2), f"CPU s, {size}: {len(passes)} images", COLD_S)

    most = np.argsort(-np.bincount(passes.satellite, minlength=len(elements)))
    questions = [f"suspend:{party.replace('/', '-')}" for party in fleet.parties]
    questions += [f"lose:{fleet.satellites[number]}" for number in most]
    questions = questions[:QUESTIONS]

    def change(text: str) -> Availability:
        return supposed(facts, fleet, asked, lie, counted, [text], BEGIN).available

    def ask_all() -> None:
        for text in questions:
            base.after(change(text))

    changed = [change(text) for text in questions]
    for each in changed:
        mean_s, response_s = plain(passes, each)
        found = base.after(each)
        np.testing.assert_allclose(found.mean_s, mean_s, rtol=1e-9)
        np.testing.assert_allclose(found.response_s, response_s, rtol=1e-9)
    warm = cpu_s(5, ask_all)
    numpy_s = cpu_s(3, lambda: [plain(passes, each) for each in changed])
    beside = {
        "peer": "plain NumPy, without the register",
        "peer_value": round(1e3 * numpy_s, 1),
        "ratio": round(numpy_s / warm, 1),
    }
    report("warm_20_ms", round(1e3 * warm, 1), f"CPU ms for {len(questions)} questions from the register on", WARM_MS, **beside)
    scan = cpu_s(5, lambda: [revisit(passes, each) for each in changed])
    report("scan_20_ms", round(1e3 * scan, 1), f"CPU ms for {len(questions)} questions, all images looked at", None)
    withdrawals(elements, fleet, origin)
    report("passes_mb", round(passes.nbytes / 1e6, 1), "MB that the passes take", None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    report("peak_mb", round(peak), "MB of memory at most, with the windows", None)


def withdrawals(elements: list[MeanElements], fleet: Fleet, origin: str) -> None:
    """What the loss of ICEYE and of iQPS costs Kyiv and Tokyo, beside what another program found of 124 satellites."""
    if origin != "real":
        return
    towns = {"kyiv": (50.45, 30.52), "tokyo": (35.68, 139.69)}
    where = Places.of(list(towns), [Geodetic.from_degrees(latitude_deg=a, longitude_deg=b) for a, b in towns.values()])
    tracks = [track_of(one, BEGIN, 7 * DAY_S) for one in elements]
    limits = Geometry(math.radians(15), math.radians(45))
    passes = passes_of(find_windows(tracks, fleet.satellites, where, limits, epoch=BEGIN), (0.0, 7 * DAY_S))
    providers = np.array(fleet.providers)
    found = {"": (15.1, 14.0), "FIN/ICEYE": (25.2, 21.8), "JPN/IQPS": (15.1, 16.4)}
    for party, others in found.items():
        mean_s = revisit(passes, Availability.of(providers != party)).mean_s
        for town, value_s, other in zip(towns, mean_s, others, strict=True):
            name = f"{town}_mean_min" + (f"_without_{party.partition('/')[2].lower()}" if party else "")
            value = round(float(value_s) / 60.0, 1)
            line = {"peer": "another program, 124 satellites", "peer_value": other, "ratio": round(value / other, 3)}
            report(name, value, "minutes of mean revisit, 7 days, incidence 15-45 degrees", None, **line)


def revisit_none(satellites: int) -> Availability:
    """No satellite at all."""
    return Availability.of(np.zeros(satellites, np.bool_))


if __name__ == "__main__":
    sys.exit(main())
