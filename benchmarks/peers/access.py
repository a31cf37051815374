"""Access windows of other tools, in their own environment: `access.py TOOL CASE.json TARGETS`; prints JSON.

CASE.json: start, duration_s, incidence_deg, sats (name and two lines each), lat, lon. The first TARGETS places are asked about.
What is timed is the search alone; windows are lists of target, satellite, begin and end in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path


def brahe(case: dict, targets: int, step_s: float) -> tuple[float, list]:
    """Elevation from 45 to 75 degrees, for it has no incidence angle; one thread, no Earth orientation."""
    import brahe as bh

    bh.set_global_eop_provider_from_static_provider(bh.StaticEOPProvider.from_zero())
    low, high = case["incidence_deg"]
    constraint = bh.ElevationConstraint(min_elevation_deg=90.0 - high, max_elevation_deg=90.0 - low)
    places = [bh.PointLocation(case["lon"][n], case["lat"][n], 0.0).with_name(str(n)) for n in range(targets)]
    satellites = [bh.SGPPropagator.from_tle(one, two, 60.0).with_name(str(n)) for n, (_, one, two) in enumerate(case["sats"])]
    at = datetime.fromisoformat(case["start"]).astimezone(UTC)
    start = bh.Epoch.from_datetime(at.year, at.month, at.day, at.hour, at.minute, float(at.second), 0.0, bh.TimeSystem.UTC)
    config = bh.AccessSearchConfig(initial_time_step=step_s, parallel=False)
    begin = time.process_time()
    found = bh.location_accesses(places, satellites, start, start + case["duration_s"], constraint, config=config)
    cpu_s = time.process_time() - begin
    return cpu_s, [[int(w.location_name), int(w.satellite_name), w.window_open - start, w.window_close - start] for w in found]


def tatc(case: dict, targets: int) -> tuple[float, list]:
    """All places within the cone that 45 degrees of incidence make at the mean height: it has no hole, and no incidence angle."""
    import math

    from tatc.analysis import collect_observations
    from tatc.schemas import Instrument, Point, Satellite, TwoLineElements

    at = datetime.fromisoformat(case["start"])
    points = [Point(id=n, longitude=case["lon"][n], latitude=case["lat"][n]) for n in range(targets)]
    numbers = {}
    cpu_s, found = 0.0, []
    for number, (_, one, two) in enumerate(case["sats"]):
        motion = float(two[52:63]) * math.tau / 86400.0
        radius = (398600.4418 / motion**2) ** (1 / 3)
        half = math.asin(math.sin(math.radians(case["incidence_deg"][1])) * 6371.0 / radius)
        satellite = Satellite(
            name=str(number),
            orbit=TwoLineElements(tle=[one, two]),
            instruments=[Instrument(name="radar", field_of_regard=math.degrees(2 * half))],
        )
        begin = time.process_time()
        table = collect_observations(points, satellite, at, at + timedelta(seconds=case["duration_s"]))
        cpu_s += time.process_time() - begin
        for geometry, first, last in zip(table.geometry, table.start, table.end, strict=True):
            key = (round(geometry.x, 6), round(geometry.y, 6))
            numbers = numbers or {(round(case["lon"][n], 6), round(case["lat"][n], 6)): n for n in range(targets)}
            found.append([numbers[key], number, (first - at).total_seconds(), (last - at).total_seconds()])
    return cpu_s, found


def skyfield(case: dict, targets: int) -> tuple[float, list]:
    """Elevation above 45 degrees less that above 75."""
    from skyfield.api import EarthSatellite, load, wgs84

    scale = load.timescale(builtin=True)
    at = datetime.fromisoformat(case["start"])
    first, last = scale.from_datetime(at), scale.from_datetime(at + timedelta(seconds=case["duration_s"]))
    satellites = [EarthSatellite(one, two, name, scale) for name, one, two in case["sats"]]
    places = [wgs84.latlon(case["lat"][n], case["lon"][n]) for n in range(targets)]
    low, high = case["incidence_deg"]
    begin = time.process_time()
    raw = [
        [(satellite.find_events(place, first, last, altitude_degrees=90.0 - angle)) for angle in (high, low)]
        for place in places
        for satellite in satellites
    ]
    cpu_s = time.process_time() - begin
    found = []
    for number, (outer, inner) in enumerate(raw):
        target, satellite = divmod(number, len(satellites))
        edges = []
        for sign, (times, kinds) in ((1, outer), (-1, inner)):
            changes = [
                ((t - first) * 86400.0, sign * (1 if kind == 0 else -1))
                for t, kind in zip(times, kinds, strict=True)
                if kind != 1
            ]
            # A pass that is under way at the begin has no rise.
            if changes and changes[0][1] == -sign:
                changes.insert(0, (0.0, sign))
            if changes and changes[-1][1] == sign:
                changes.append((case["duration_s"], -sign))
            edges += changes
        state, opened = 0, 0.0
        for when, change in sorted(edges):
            before, state = state, state + change
            if before == 0 and state == 1:
                opened = when
            elif before == 1 and state == 0:
                found.append([target, satellite, float(opened), float(when)])
    return cpu_s, found


def main() -> None:
    """Run one tool."""
    tool, path, targets = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    case = json.loads(path.read_text("utf-8"))
    match tool:
        case "brahe":
            cpu_s, found = brahe(case, targets, float(sys.argv[4]))
        case "tatc":
            cpu_s, found = tatc(case, targets)
        case _:
            cpu_s, found = skyfield(case, targets)
    print(json.dumps({"cpu_s": cpu_s, "windows": found}))


if __name__ == "__main__":
    main()
