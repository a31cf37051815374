"""``kizuna plan access`` as a person calls it."""

import json

import pytest
from click.testing import CliRunner

from kizuna.cli.plan import plan
from kizuna.errors import InputError

SETS = """QPS-SAR-5 (TSUKUYOMI-I)
1 58578U 23196A   26127.75055593  .00009637  00000+0  42329-3 0  9998
2 58578  42.0106 246.0182 0025297   6.8236 353.2937 15.21710589132086
QPS-SAR-8 (AMATERU-IV)
1 60542U 24149CC  26127.74048494  .00003874  00000+0  28681-3 0  9994
2 60542  97.6666 207.2434 0001860 211.8603 148.2510 15.03734498 94195
"""


@pytest.fixture
def sets(tmp_path):
    path = tmp_path / "sets.3le"
    path.write_text(SETS)
    return path


def run(*arguments):
    return CliRunner().invoke(plan, ["access", *map(str, arguments)], catch_exceptions=False)


def windows(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0
    return json.loads(result.stdout)["windows"]


def test_windows_are_told_in_order_of_place_and_time(sets):
    both = ("--target", "Kyiv=50.45,30.52", "--target", "Tokyo=35.68,139.69")
    got = windows(sets, *both, "--from", "2026-05-08", "--incidence", "15:60")
    assert [w["target"] for w in got] == sorted(w["target"] for w in got)
    # 42 degrees of inclination never see Kyiv.
    assert {w["satellite"] for w in got if w["target"] == "Kyiv"} == {"QPS-SAR-8 (AMATERU-IV)"}
    assert {w["satellite"] for w in got if w["target"] == "Tokyo"} == {"QPS-SAR-5 (TSUKUYOMI-I)", "QPS-SAR-8 (AMATERU-IV)"}
    assert all(15 <= w["incidence_deg"] <= 60 for w in got)
    assert all(w["start"][:19] <= w["closest"][:19] <= w["end"][:19] for w in got)


def test_options_narrow_the_windows(sets, tmp_path):
    table = tmp_path / "places.csv"
    table.write_text("name,latitude,longitude,height\nTokyo,35.68,139.69,40\n")
    base = (sets, "--targets", table, "--from", "2026-05-08")
    every = windows(*base)
    right = windows(*base, "--look", "right")
    assert 0 < len(right) < len(every)
    assert {w["look"] for w in right} == {"right"}
    assert {w["direction"] for w in windows(*base, "--direction", "descending")} == {"descending"}
    assert all(w["start"] == w["end"] for w in windows(*base, "--squint", "0"))
    assert windows(*base, "--satellite", "QPS-SAR-8") == [w for w in every if w["satellite"].startswith("QPS-SAR-8")]


def test_a_table_is_printed_for_people(sets):
    result = run(sets, "--target", "Tokyo=35.68,139.69", "--from", "2026-05-08")
    assert "QPS-SAR-5 (TSUKUYOMI-I)  2026-05-08T00:50:28Z  112.3    ±0.1 s        28.7°" in result.stdout
    assert "No window." in run(sets, "--target", "Pole=-90,0", "--from", "2026-05-08", "--hours", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--target", "Tokyo"], "target"),
        (["--target", "Tokyo=95,0"], "target"),
        ([], "target"),
        (["--target", "Tokyo=35,139", "--incidence", "45:15"], "incidence"),
        (["--target", "Tokyo=35,139", "--incidence", "45"], "incidence"),
        (["--target", "Tokyo=35,139", "--squint", "90"], "squint"),
        (["--target", "Tokyo=35,139", "--hours", "-1"], "hours"),
        (["--target", "Tokyo=35,139", "--satellite", "ICEYE"], "satellite"),
        (["--target", "Tokyo=35,139", "--from", "2026-08-01"], "elements"),
    ],
)
def test_what_cannot_be_meant_is_refused(sets, arguments, field):
    with pytest.raises(InputError) as caught:
        run(sets, "--from", "2026-05-08", *arguments)
    assert caught.value.field == field


def test_each_satellite_has_the_limits_of_its_radar_and_says_which_are_assumed(sets, tmp_path):
    answer = json.loads(run(sets, "--target", "Tokyo=35.68,139.69", "--from", "2026-05-08", "--json").stdout)
    [first, _] = answer["satellites"]
    assert (first["sensor"], first["party"], first["incidence_deg"]) == ("QPS-SAR", "JPN/IQPS", [15.0, 45.0])
    assert "incidence_deg" in first["assumed"]
    own = tmp_path / "sensors.toml"
    own.write_text(
        'schema = "kizuna/sensors/1"\n[[sensor]]\nparty = "JPN/IQPS"\nname = "Q"\nsatellites = ["QPS-SAR-5"]\n'
        'incidence_deg = [20, 30]\nlook = "left"\nmodes.spot = { kind = "spot", swath_km = 5, shortest_s = 60 }\n'
    )
    base = (sets, "--target", "Tokyo=35.68,139.69", "--from", "2026-05-08", "--hours", "72", "--sensors", own)
    narrow = [w for w in windows(*base) if w["satellite"].startswith("QPS-SAR-5")]
    assert narrow
    assert all(20 <= w["incidence_deg"] <= 30 and w["look"] == "left" for w in narrow)
    # What the own file does not name stays as in the sample.
    other = [w for w in windows(*base, "--mode", "spot") if not w["satellite"].startswith("QPS-SAR-5")]
    assert {w["satellite"] for w in other} == {"QPS-SAR-8 (AMATERU-IV)"}
    assert min(w["incidence_deg"] for w in other) < 20
    told = run(sets, "--target", "Tokyo=35.68,139.69", "--from", "2026-05-08").stderr
    assert "assumed, for nobody published it: incidence_deg: QPS-SAR" in told
    with pytest.raises(InputError, match="no satellite has a mode scansar"):
        run(*base, "--mode", "scansar")


def test_an_ephemeris_of_a_partner_gives_windows_without_uncertainty(tmp_path):
    from datetime import timedelta

    from kizuna.earth.orbit import Sgp4
    from kizuna.formats.tle import read_tle
    from kizuna.model.instants import parse_instant

    epoch = parse_instant("2026-05-08")
    orbit = Sgp4(read_tle(SETS)[0].elements, epoch)
    times = [60.0 * step for step in range(240)]
    position, velocity, _ = orbit.teme(times)
    head = "CCSDS_OEM_VERS = 2.0\nMETA_START\nOBJECT_NAME = SARAH-1\nCENTER_NAME = EARTH\nREF_FRAME = TEME\nTIME_SYSTEM = UTC\n"
    rows = [
        f"{epoch + timedelta(seconds=t):%Y-%m-%dT%H:%M:%S} {' '.join(f'{v / 1e3:.9f}' for v in (*p, *w))}"
        for t, p, w in zip(times, position, velocity, strict=True)
    ]
    path = tmp_path / "partner.oem"
    path.write_text(head + "META_STOP\n" + "\n".join(rows))
    given = ("--target", "Tokyo=35.68,139.69", "--from", "2026-05-08", "--hours", "3", "--incidence", "15:45", "--squint", "80")
    elements = tmp_path / "sets.3le"
    elements.write_text(SETS)
    [ours] = windows(path, *given)
    [theirs] = windows(elements, *given, "--satellite", "QPS-SAR-5")
    assert (ours["satellite"], ours["edge_uncertainty_s"]) == ("SARAH-1", None)
    assert (ours["start"][:22], ours["end"][:22]) == (theirs["start"][:22], theirs["end"][:22])


def test_one_satellite_is_not_believed_in_two_ways(sets, tmp_path):
    other = tmp_path / "other.3le"
    name, first, second = SETS.splitlines()[:3]
    # Another mean anomaly, with its checksum.
    other.write_text("\n".join([name, first, second.replace("353.2937", "353.2946").removesuffix("6") + "6"]))
    base = ("--target", "Tokyo=35.68,139.69", "--from", "2026-05-08")
    with pytest.raises(InputError, match=r"other.3le: line 2, .* has other elements here than in sets.3le"):
        run(sets, other, *base)
    again = tmp_path / "again.3le"
    again.write_text(SETS)
    assert windows(sets, again, *base) == windows(sets, *base)


def test_an_error_says_which_file_or_satellite_it_is_about(sets, tmp_path):
    base = ("--target", "Tokyo=35.68,139.69", "--from", "2026-05-08")
    empty, damaged = tmp_path / "empty.3le", tmp_path / "damaged.3le"
    empty.write_text("")
    damaged.write_text(SETS.replace("353.2937", "353.2938"))
    with pytest.raises(InputError, match=r"empty.3le: no orbit stands in it"):
        run(sets, empty, *base)
    with pytest.raises(InputError, match=r"damaged.3le: line 3, column 69: the checksum"):
        run(sets, damaged, *base)
