"""What skyfield and brahe say of three satellites: writes tests/vectors/planning/oracles.json (`--check`: compare instead).

Runs in `.venv-bench-planning`, which `make bench BENCH=planning` makes. Both are told that UT1 = UTC and that the poles stand
still, as kizuna takes them. skyfield goes from TEME over the ICRF to the Earth with precession and nutation; brahe has its own
way.
"""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import brahe as bh
import numpy as np
from skyfield.api import EarthSatellite, load, wgs84
from skyfield.framelib import itrs

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "tests" / "vectors" / "planning" / "oracles.json"
SETS = ROOT / "src" / "kizuna" / "samples" / "planning" / "satellites.3le"
NAMES = ("QPS-SAR-5 (TSUKUYOMI-I)", "QPS-SAR-8 (AMATERU-IV)", "SAR-LUPE 2")
BEGIN = datetime(2026, 5, 8, tzinfo=UTC)
SECONDS = tuple(range(0, 86400, 7001))
# TT - UTC of 2026: with it, UT1 is UTC.
DELTA_T_S = 69.184
KYIV = (50.45, 30.52, 179.0)


def satellite(name: str, one: str, two: str) -> dict[str, object]:
    """Positions of one satellite, and how Kyiv sees it."""
    scale = load.timescale(delta_t=DELTA_T_S, builtin=True)
    theirs = EarthSatellite(one, two, name, scale)
    place = wgs84.latlon(KYIV[0], KYIV[1], KYIV[2])
    propagator = bh.SGPPropagator.from_tle(one, two, 60.0)
    start = bh.Epoch.from_datetime(BEGIN.year, BEGIN.month, BEGIN.day, 0, 0, 0.0, 0.0, bh.TimeSystem.UTC)
    rows = []
    for seconds in SECONDS:
        at = scale.from_datetime(BEGIN + timedelta(seconds=seconds))
        position = theirs.at(at)
        altitude, azimuth, distance = (theirs - place).at(at).altaz()
        state = propagator.state_ecef(start + float(seconds))
        rows.append(
            {
                "seconds": seconds,
                "skyfield_ecef_m": [round(value, 3) for value in position.frame_xyz(itrs).m],
                "skyfield_gcrs_m": [round(value, 3) for value in position.position.m],
                "brahe_ecef_m": [round(float(value), 3) for value in state[:3]],
                "incidence_rad": round(math.pi / 2 - altitude.radians, 9),
                "azimuth_rad": round(float(azimuth.radians), 9),
                "distance_m": round(distance.m, 3),
                "off_nadir_rad": round(_off_nadir(position.frame_xyz(itrs).m, place.itrs_xyz.m), 9),
            }
        )
    return {"name": name, "lines": [one, two], "rows": rows}


def _off_nadir(position: np.ndarray, place: np.ndarray) -> float:
    """Between the line of sight and the ellipsoid's normal through the satellite, from brahe's geodetic coordinates."""
    longitude, latitude, _ = bh.position_ecef_to_geodetic(position, bh.AngleFormat.RADIANS)
    up = np.array([math.cos(latitude) * math.cos(longitude), math.cos(latitude) * math.sin(longitude), math.sin(latitude)])
    towards = (position - place) / np.linalg.norm(position - place)
    return math.acos(float(towards @ up))


def main() -> None:
    """Write the file, or compare it."""
    bh.set_global_eop_provider_from_static_provider(bh.StaticEOPProvider.from_zero())
    lines = SETS.read_text("ascii").splitlines()
    sets = [(lines[n], lines[n + 1], lines[n + 2]) for n in range(len(lines) - 2) if lines[n] in NAMES]
    made = {"begin": BEGIN.isoformat(), "place": KYIV, "satellites": [satellite(*one) for one in sets]}
    text = json.dumps(made, indent=1) + "\n"
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if TARGET.read_text("utf-8") == text else f"{TARGET} is not what skyfield and brahe say")
    TARGET.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
