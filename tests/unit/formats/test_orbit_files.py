"""OMM and OEM beside the two-line set of the same satellite, and where bad ones are refused."""

import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from kizuna.earth.orbit import Sgp4, track_of
from kizuna.earth.states import Frame, track_of_states
from kizuna.errors import InputError
from kizuna.formats.orbit_files import read_orbits
from kizuna.model.instants import Instant, parse_instant

TLE = b"""QPS-SAR-5 (TSUKUYOMI-I)
1 58578U 23196A   26127.75055593  .00009637  00000+0  42329-3 0  9998
2 58578  42.0106 246.0182 0025297   6.8236 353.2937 15.21710589132086
"""
VALUES = {
    "OBJECT_NAME": "QPS-SAR-5 (TSUKUYOMI-I)",
    "OBJECT_ID": "2023-196A",
    "CENTER_NAME": "EARTH",
    "REF_FRAME": "TEME",
    "TIME_SYSTEM": "UTC",
    "MEAN_ELEMENT_THEORY": "SGP4",
    "EPOCH": "2026-05-07T18:00:48.032352",
    "MEAN_MOTION": "15.21710589",
    "ECCENTRICITY": ".0025297",
    "INCLINATION": "42.0106",
    "RA_OF_ASC_NODE": "246.0182",
    "ARG_OF_PERICENTER": "6.8236",
    "MEAN_ANOMALY": "353.2937",
    "EPHEMERIS_TYPE": "0",
    "CLASSIFICATION_TYPE": "U",
    "NORAD_CAT_ID": "58578",
    "ELEMENT_SET_NO": "999",
    "REV_AT_EPOCH": "13208",
    "BSTAR": ".42329E-3",
    "MEAN_MOTION_DOT": ".9637E-4",
    "MEAN_MOTION_DDOT": "0",
}


def kvn(values):
    lines = ["CCSDS_OMM_VERS = 3.0", "COMMENT from a partner", "CREATION_DATE = 2026-05-08T00:00:00", "ORIGINATOR = DEU"]
    units = {"MEAN_MOTION": " [rev/day]", "INCLINATION": " [deg]"}
    return "\n".join([*lines, *(f"{name} = {value}{units.get(name, '')}" for name, value in values.items())]).encode()


def xml(values):
    inner = "\n".join(f"  <{name}>{value}</{name}>" for name, value in values.items())
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<ndm>\n<omm id="CCSDS_OMM_VERS" version="2.0"><body>'
    return f"{head}\n{inner}\n</body></omm></ndm>".encode()


def js(values):
    skipped = {"CENTER_NAME", "REF_FRAME", "TIME_SYSTEM", "MEAN_ELEMENT_THEORY"}
    form = {name: value for name, value in values.items() if name not in skipped}
    form["MEAN_MOTION"] = float(form["MEAN_MOTION"]) if form["MEAN_MOTION"].replace(".", "").isdigit() else form["MEAN_MOTION"]
    return json.dumps([form], indent=1).encode()


WRITERS = {"kvn": kvn, "xml": xml, "json": js}


def refused(data):
    with pytest.raises(InputError) as caught:
        read_orbits(data)
    return str(caught.value)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_an_omm_says_what_the_two_line_set_says(write):
    [[expected], _] = read_orbits(TLE)
    [[got], states] = read_orbits(write(VALUES))
    assert states == ()
    for name in ("name", "number", "epoch", "designator"):
        assert getattr(got.elements, name) == getattr(expected.elements, name)
    at = parse_instant("2026-05-08")
    ours, theirs = (Sgp4(one.elements, at).teme([0.0, 86400.0])[0] for one in (got, expected))
    assert np.abs(ours - theirs).max() < 1e-3
    assert got.elements.mean_motion_dot_rad_s2 == pytest.approx(expected.elements.mean_motion_dot_rad_s2)


def test_several_messages_stand_in_one_file_and_a_duplicate_is_refused():
    other = VALUES | {"NORAD_CAT_ID": "58579"}
    assert len(read_orbits(kvn(VALUES) + b"\n" + kvn(other))[0]) == 2
    assert "satellite 58578 stands here a second time" in refused(kvn(VALUES) + b"\n" + kvn(VALUES))
    twice = json.dumps([json.loads(js(VALUES))[0], json.loads(js(VALUES))[0]], indent=1).encode()
    # The second NORAD_CAT_ID of the list.
    line = [n for n, text in enumerate(twice.decode().splitlines(), 1) if "NORAD_CAT_ID" in text][1]
    assert refused(twice).startswith(f"line {line}, column 19: satellite 58578")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MEAN_MOTION", "fast", "MEAN_MOTION: got 'fast', expected a number"),
        ("INCLINATION", "190", "INCLINATION: got 190.0, expected 0.0 to 180.0"),
        ("ECCENTRICITY", "1.2", "ECCENTRICITY: got 1.2"),
        ("EPOCH", "2026-02-30T00:00:00", "got '2026-02-30T00:00:00', expected an epoch"),
        ("MEAN_MOTION", "0.0", "the mean motion is 0"),
    ],
)
@pytest.mark.parametrize("kind", WRITERS)
def test_a_bad_value_is_refused_where_it_stands(kind, name, value, words):
    data = WRITERS[kind](VALUES | {name: value})
    lines = data.decode().splitlines()
    line = next(
        number for number, text in enumerate(lines, 1) if name + " =" in text or f"<{name}>" in text or f'"{name}"' in text
    )
    text = lines[line - 1]
    column = {"kvn": text.find("=") + 3, "xml": text.find("<") + 1, "json": text.find(": ") + 3}[kind]
    assert refused(data).startswith(f"line {line}, column {column}: {words}")


def test_another_frame_theory_or_a_missing_value_is_refused():
    assert "REF_FRAME: got 'EME2000', expected TEME" in refused(kvn(VALUES | {"REF_FRAME": "EME2000"}))
    assert "MEAN_ELEMENT_THEORY: got 'DSST'" in refused(kvn(VALUES | {"MEAN_ELEMENT_THEORY": "DSST"}))
    without = {name: value for name, value in VALUES.items() if name != "BSTAR"}
    assert refused(xml(without)).startswith("line 3, column 1: BSTAR is missing")
    assert "no JSON" in refused(b'[{"A": }]')


def oem(rows, **changed):
    meta = {
        "OBJECT_NAME": "SARAH-1",
        "OBJECT_ID": "2022-068A",
        "CENTER_NAME": "EARTH",
        "REF_FRAME": "TEME",
        "TIME_SYSTEM": "UTC",
        "START_TIME": "2026-05-08T00:00:00",
        "STOP_TIME": "2026-05-08T03:00:00",
    } | changed
    head = ["CCSDS_OEM_VERS = 2.0", "CREATION_DATE = 2026-05-08T00:00:00", "ORIGINATOR = DEU", "META_START"]
    return "\n".join([*head, *(f"{name} = {value}" for name, value in meta.items()), "META_STOP", *rows]).encode()


def rows_of(times):
    [[found], _] = read_orbits(TLE)
    epoch = parse_instant("2026-05-08")
    position, velocity, _ = Sgp4(found.elements, epoch).teme(times)
    stamps = [(epoch + timedelta(seconds=float(t))).strftime("%Y-%m-%dT%H:%M:%S.%f") for t in times]
    return [
        f"{stamp} {' '.join(f'{v / 1e3:.9f}' for v in (*p, *w))}" for stamp, p, w in zip(stamps, position, velocity, strict=True)
    ]


TIMES = np.arange(0.0, 10801.0, 120.0)


def test_an_ephemeris_gives_the_track_of_the_elements_it_was_made_of():
    [_, [found]] = read_orbits(oem(rows_of(TIMES)))
    assert (found.states.name, found.states.frame, found.begin_at.line) == ("SARAH-1", Frame.TEME, 13)
    epoch = parse_instant("2026-05-08")
    track = track_of_states([found.states], epoch, 86400.0)
    [[elements], _] = read_orbits(TLE)
    asked = np.linspace(0.0, 10800.0, 500)
    expected = track_of(elements.elements, epoch, 10800.0).position_ecef_m(asked)
    assert track.end_s == pytest.approx(10800.0, abs=0.01)
    assert np.abs(track.position_ecef_m(asked) - expected).max() < 0.2


def test_a_track_begins_with_the_states_and_ends_at_a_gap():
    parts = [TIMES[TIMES <= 3600], TIMES[TIMES >= 5400]]
    text = oem(rows_of(parts[0])) + b"\n" + b"\n".join(oem(rows_of(parts[1])).split(b"\n")[3:])
    [_, segments] = read_orbits(text)
    before = Instant(parse_instant("2026-05-08") - timedelta(hours=1))
    track = track_of_states([one.states for one in segments], before, 86400.0)
    assert (track.begin_s, track.end_s) == (pytest.approx(3600.0), pytest.approx(7200.0, abs=0.01))
    expected = track_of_states([segments[0].states], parse_instant("2026-05-08"), 3600.0).position_ecef_m([0.0, 1234.5])
    assert np.abs(track.position_ecef_m([3600.0, 4834.5]) - expected).max() < 0.01
    with pytest.raises(InputError, match="none lies in the time asked for"):
        track_of_states([segments[0].states], parse_instant("2026-05-09"), 3600.0)


def test_the_earth_fixed_frame_is_taken_as_it_is():
    [_, [found]] = read_orbits(oem(rows_of(TIMES)))
    fixed = replace(found.states, frame=Frame.ECEF)
    track = track_of_states([fixed], fixed.epoch, 3600.0)
    assert track.position_ecef_m([0.0])[0] == pytest.approx(fixed.position_m[0], abs=1e-3)


@pytest.mark.parametrize(
    ("change", "row", "words"),
    [
        ({"REF_FRAME": "MOON_ME"}, None, "line 8, column 13: REF_FRAME: got 'MOON_ME'"),
        ({"TIME_SYSTEM": "GPS"}, None, "line 9, column 15: TIME_SYSTEM: got 'GPS', expected UTC"),
        ({}, "2026-05-08T00:01:00 1 2 x 4 5 6", "line 14, column 25: got 'x', expected a number"),
        ({}, "2026-05-08T00:01:00 1 2 3", "line 14, column 1: got 4 values"),
        ({}, "2026-05-08T25:01:00 1 2 3 4 5 6", "line 14, column 1: got '2026-05-08T25:01:00', expected an epoch"),
        ({}, "2026-05-07T23:00:00 1 2 3 4 5 6", "line 14, column 1: this epoch is not later"),
        ({}, "2026-05-08T00:01:00 1 2 -6300 4 5 6", "line 14, column 21: this position lies inside the Earth"),
    ],
)
def test_a_bad_ephemeris_is_refused_where_it_stands(change, row, words):
    rows = rows_of(TIMES[:8])
    if row is not None:
        rows[1] = row
    assert refused(oem(rows, **change)).startswith(words)


def test_an_ephemeris_as_xml():
    rows = rows_of(TIMES[:10])
    names = ("X", "Y", "Z", "X_DOT", "Y_DOT", "Z_DOT")
    vectors = "\n".join(
        "<stateVector><EPOCH>{}</EPOCH>{}</stateVector>".format(
            row.split()[0], "".join(f"<{n}>{v}</{n}>" for n, v in zip(names, row.split()[1:], strict=True))
        )
        for row in rows
    )
    said = {"OBJECT_NAME": "SARAH-1", "CENTER_NAME": "EARTH", "REF_FRAME": "TEME", "TIME_SYSTEM": "UTC"}
    meta = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    text = f"<oem><body><segment><metadata>{meta}</metadata><data>\n{vectors}\n</data></segment></body></oem>"
    [_, [got]] = read_orbits(text.encode())
    [_, [expected]] = read_orbits(oem(rows))
    assert np.array_equal(got.states.position_m, expected.states.position_m)
    assert refused(text.replace("<X>", "<X>far", 1).encode()).startswith("line 2, column")
