"""SGP4 as it is called here against the published vectors of Vallado 2006 (``tcppver.out``, part of the sgp4 package)."""

from datetime import timedelta
from importlib import resources

import numpy as np
import pytest

from kizuna.earth.frames import gmst_rad
from kizuna.earth.orbit import Sgp4
from kizuna.formats.tle import read_tle
from kizuna.model.instants import Instant, parse_instant

# The published positions have 8 decimals of a kilometre; the epoch here is exact to half a microsecond, along 8 km/s.
TOLERANCE_M, TOLERANCE_M_S = 0.005, 2e-5


def published():
    """Rows of the published vectors by catalogue number: minutes, km, km/s."""
    rows, number = {}, 0
    for line in (resources.files("sgp4") / "tcppver.out").read_text("ascii").splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[1] == "xx":
            number = int(fields[0])
        elif fields:
            rows.setdefault(number, []).append([float(field) for field in fields[:7]])
    return {number: np.array(table) for number, table in rows.items()}


def satellites():
    """Element sets of the verification file; what stands behind column 69 are times, and three sums are wrong on purpose.

    One satellite stands there twice, so each set is read for itself.
    """
    lines = (resources.files("sgp4") / "SGP4-VER.TLE").read_text("ascii").splitlines()
    cut = [line[:68] for line in lines if line[:2] in {"1 ", "2 "}]
    summed = [line + str(sum(int(c) if c.isdigit() else c == "-" for c in line) % 10) for line in cut]
    return [read_tle(f"{one}\n{two}")[0].elements for one, two in zip(summed[::2], summed[1::2], strict=True)]


def test_every_published_vector_is_met():
    vectors, met = published(), 0
    for elements in satellites():
        table = vectors[elements.number]
        position_m, velocity_m_s, error = Sgp4(elements, elements.epoch).teme(table[:, 0] * 60.0)
        good = error == 0
        # The last row of a satellite that decays is where SGP4 says so.
        assert good[:-1].all()
        assert np.abs(position_m - table[:, 1:4] * 1e3)[good].max(initial=0.0) < TOLERANCE_M
        assert np.abs(velocity_m_s - table[:, 4:7] * 1e3)[good].max(initial=0.0) < TOLERANCE_M_S
        met += int(good.sum())
    assert met > 680


def test_sidereal_time_is_that_of_the_almanac():
    # Meeus, Astronomical Algorithms, examples 12.a and 12.b: 13h10m46.3668s and 8h34m57.0896s.
    for instant, seconds in (("1987-04-10T00:00:00Z", 47446.3668), ("1987-04-10T19:21:00Z", 30897.0896)):
        got = float(gmst_rad(parse_instant(instant), 0.0)) / (2 * np.pi) * 86400
        assert got == pytest.approx(seconds, abs=1e-4)


def test_times_may_count_from_another_epoch():
    elements = satellites()[0]
    from_epoch = Sgp4(elements, elements.epoch).teme([86400.0 + 3600.0])[0]
    from_day_after = Sgp4(elements, Instant(elements.epoch + timedelta(days=1))).teme([3600.0])[0]
    assert np.abs(from_epoch - from_day_after).max() < 1e-4
