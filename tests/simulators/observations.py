"""Observations of every form, for Hypothesis; one in which every member is known."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from kizuna.model.observation import (
    FrequencyBand,
    Grid,
    Observation,
    Orbit,
    OrbitState,
    Processing,
    Radar,
    Side,
    Viewing,
)

FULL = Observation(
    Radar("SL", FrequencyBand.X, 9.65e9, ("HH", "HV"), "SLC", 0.9, 1.2, 0.5, 0.7, 1.0, 2.0, 1.8, Side.LEFT),
    Orbit(OrbitState.ASCENDING, 12, 34567, "2014-016A"),
    Viewing(0.6, 0.5, 4.9),
    Grid(
        "EPSG:32643", (240, 120), (1.0, 0.0, 650_000.0, 0.0, -1.0, 1_100_000.0), (650_000.0, 1_099_760.0, 650_120.0, 1_100_000.0)
    ),
    Processing("L1", "Kochi", (("kizuna", "0.1.0"),), "range, then azimuth"),
)
"""Every member is known."""

_LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"]), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip())
)
_METRES = st.none() | st.floats(1e-3, 1e6)
_LOOKS = st.none() | st.floats(0.1, 1e6)
_STEEP = st.none() | st.floats(0.0, math.pi / 2.0)
_NUMBERS = st.floats(-1e9, 1e9)

OBSERVATIONS = st.builds(
    Observation,
    radar=st.builds(
        Radar,
        st.none() | _LINES,
        st.none() | st.sampled_from(FrequencyBand),
        st.none() | st.floats(1.0, 1e12),
        st.lists(st.sampled_from(["HH", "HV", "VH", "VV", "RH", "LV", "CV"]), max_size=4).map(tuple),
        st.none() | _LINES,
        _METRES,
        _METRES,
        _METRES,
        _METRES,
        _LOOKS,
        _LOOKS,
        _LOOKS,
        st.none() | st.sampled_from(Side),
    ),
    orbit=st.builds(
        Orbit,
        st.none() | st.sampled_from(OrbitState),
        st.none() | st.integers(0, 10**6),
        st.none() | st.integers(0, 10**6),
        st.none() | st.from_regex(r"\A[0-9]{4}-[0-9]{3}[A-Z]{1,3}\Z"),
    ),
    viewing=st.builds(Viewing, _STEEP, _STEEP, st.none() | st.floats(0.0, 2.0 * math.pi)),
    grid=st.builds(
        Grid,
        st.none() | st.from_regex(r"\AEPSG:[0-9]{4,6}\Z"),
        st.none() | st.tuples(st.integers(1, 10**7), st.integers(1, 10**7)),
        st.none() | st.tuples(*[_NUMBERS] * 6),
        st.none() | st.tuples(*[_NUMBERS] * 4),
    ),
    processing=st.builds(
        Processing,
        st.none() | _LINES,
        st.none() | _LINES,
        st.lists(st.tuples(_LINES, _LINES), max_size=3).map(tuple),
        st.none() | _LINES,
    ),
)
