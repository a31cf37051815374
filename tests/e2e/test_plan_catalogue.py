"""One way for all of ``kizuna plan``: the same orbits, labels, limits and requests in each command; and a node's register."""

import json
from datetime import timedelta

import pytest
from click.testing import CliRunner

from kizuna.cli.main import kizuna as root
from kizuna.earth.orbit import Sgp4
from kizuna.errors import InputError
from kizuna.formats.tle import read_tle
from kizuna.model.instants import parse_instant

BEGIN = parse_instant("2026-05-08")
QPS = """QPS-SAR-5 (TSUKUYOMI-I)
1 58578U 23196A   26127.75055593  .00009637  00000+0  42329-3 0  9998
2 58578  42.0106 246.0182 0025297   6.8236 353.2937 15.21710589132086
"""
ICEYE = """ICEYE-X41
1 62700U 25009CV  26127.75420197  .00002939  00000+0  26382-3 0  9990
2 62700  97.7057 207.8766 0002695 135.4126 224.7312 14.96494376 71363
"""
SCHEMA = 'schema = "kizuna/label/1"\n'
LABEL = 'policy = "{policy}"\nclassification = "{classification}"\noriginator = "{originator}"\ncreated = 2026-05-07T00:00:00Z\n'
REQUEST = """
[[request]]
id = "{id}"
place = [{place}]
from = {begin}T00:00:00Z
until = {until}T00:00:00Z
priority = 1
{more}
"""
AGREEMENT = """
schema = "kizuna/agreement/1"
id = "{id}"
version = {version}
title = "Imagery, and requests for it"
kind = "sharing"
parties = ["{giver}", "UKR/HUR"]
tells_partner = true
recorded = 2026-01-01
sources = ["made up"]
in_force = {{ from = 2026-01-01T00:00:00Z }}

[[articles]]
number = "1"
title = "Imagery"
givers = ["{giver}"]
receivers = ["UKR/HUR"]
kinds = ["imagery"]
policy = "{nation}"
ceiling = "UNCLASSIFIED"

[[articles]]
number = "2"
title = "Requests"
givers = ["UKR/HUR"]
receivers = ["{giver}"]
kinds = ["request"]
policy = "UKR"
ceiling = "UNCLASSIFIED"
"""


def call(*arguments):
    result = CliRunner().invoke(root, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def run(*arguments):
    return json.loads(call(*arguments, "--json").stdout)


def states(name, sets, hours=4):
    """Ephemeris of a satellite (OEM, KVN), out of its elements."""
    times = [60.0 * step for step in range(60 * hours + 1)]
    position, velocity, _ = Sgp4(read_tle(sets)[0].elements, BEGIN).teme(times)
    head = f"CCSDS_OEM_VERS = 2.0\nMETA_START\nOBJECT_NAME = {name}\nCENTER_NAME = EARTH\nREF_FRAME = TEME\nTIME_SYSTEM = UTC\n"
    rows = [
        f"{BEGIN + timedelta(seconds=t):%Y-%m-%dT%H:%M:%S} {' '.join(f'{v / 1e3:.9f}' for v in (*p, *w))}"
        for t, p, w in zip(times, position, velocity, strict=True)
    ]
    return head + "META_STOP\n" + "\n".join(rows)


@pytest.fixture
def orbits(tmp_path):
    """Elements as TLE, and states that a partner handed over under a label."""
    sets, partner = tmp_path / "sets.tle", tmp_path / "partner.oem"
    sets.write_text(ICEYE)
    partner.write_text(states("SARAH-1", QPS))
    label = LABEL.format(policy="DEU", classification="VS-NUR FÜR DEN DIENSTGEBRAUCH", originator="DEU")
    partner.with_name("partner.oem.label.toml").write_text(SCHEMA + label)
    return sets, partner


def test_each_command_takes_the_same_orbits_limits_and_labels(orbits, tmp_path):
    node, requests = tmp_path / "node", tmp_path / "requests.toml"
    tokyo = ("--target", "Tokyo=35.68,139.69", "--from", "2026-05-08")
    head = '[label]\npolicy = "DEU"\nclassification = "OFFEN"\noriginator = "DEU"\ncreated = 2026-05-07T00:00:00Z\n'
    wish = REQUEST.format(id="tokyo", place="139.69, 35.68", begin="2026-05-08", until="2026-05-09", more="")
    requests.write_text(f'schema = "kizuna/image-requests/1"\n{head}{wish}')
    run("node", "init", "--nation", "DEU", "--node", node)
    named = [part for path in orbits for part in ("--elements", path)]
    days = ("--days", "0.125")
    answers = {
        "access": run("plan", "access", *orbits, *tokyo, "--hours", "3"),
        "revisit": run("plan", "revisit", *orbits, *tokyo, *days),
        "whatif": run("plan", "whatif", *orbits, *tokyo, *days, "--everybody", "--if", "withdraw:DEU", "--requests", requests),
        "design": run("plan", "design", "--walker", "97:1/1/0@550", *named, *tokyo, *days)["constellations"][0],
    }
    schedule = run("plan", "schedule", requests, *named, "--from", "2026-05-08", "--hours", "3", "--node", node, "--seconds", "2")
    limits = {one["satellite"]: one for one in answers["access"]["satellites"]}
    assert (limits["SARAH-1"]["party"], limits["SARAH-1"]["incidence_deg"], limits["SARAH-1"]["age_days"]) == (
        "DEU",
        [15, 60],
        None,
    )
    assert limits["ICEYE-X41"]["age_days"] == pytest.approx(0.246, abs=0.001)
    assert "incidence_deg" in limits["SARAH-1"]["assumed"]
    for name, answer in (answers | {"schedule": schedule}).items():
        by_file = {one["file"]: one["label"] and one["label"]["originator"] for one in answer["orbits"]}
        assert by_file == {"sets.tle": None, "partner.oem": "DEU"}, name
        assert {one["satellite"] for one in answer["satellites"]} >= set(limits), name
    for name in ("revisit", "whatif", "design"):
        told = {one["satellite"]: one for one in answers[name]["satellites"]}
        assert {one: told[one] for one in limits} == limits, name
    # Of an ephemeris the windows are whole; the node's own satellites need nobody's leave.
    (task,) = schedule["tasks"]
    (window,) = [one for one in answers["access"]["windows"] if one["satellite"] == "SARAH-1"]
    assert (task["satellite"], task["edge_uncertainty_s"]) == ("SARAH-1", None)
    assert window["start"] <= task["start"] < task["end"] <= window["end"]
    ((before, after),) = [(one["before"], one["after"]) for one in answers["whatif"]["changes"][0]["requests"]]
    assert (before["met"], before["satellite"], after["met"]) == (True, "SARAH-1", False)


def test_what_rests_on_labelled_orbits_stays_under_their_label(orbits, tmp_path):
    sets, partner = orbits
    base = ("--target", "Tokyo=35.68,139.69", "--from", "2026-05-08", "--days", "0.25")
    out, free = tmp_path / "out.geojson", tmp_path / "free.geojson"
    told = call("plan", "revisit", sets, partner, *base, "--output", out)
    assert "UNDER A LABEL, since orbits were handed over under it: DEU VS-NUR FÜR DEN DIENSTGEBRAUCH (DEU)" in told.stderr
    # States end after four hours: nothing is made up beyond, and that is said.
    assert "SARAH-1: where it is is known from 2026-05-08T00:00:00Z to 2026-05-08T04:00:00Z only" in told.stderr
    assert "DEU" in (tmp_path / "out.geojson.label.toml").read_text()
    assert json.loads(out.read_bytes())["orbits"][1]["label"]["policy"] == "DEU"
    # What was not used binds nobody.
    told = call("plan", "revisit", sets, partner, *base, "--satellite", "ICEYE", "--output", free)
    assert "LABEL" not in told.stderr
    assert not (tmp_path / "free.geojson.label.toml").exists()
    other = LABEL.format(policy="FIN", classification="TL IV", originator="FIN")
    sets.with_name("sets.tle.label.toml").write_text(SCHEMA + other)
    with pytest.raises(InputError, match="2 different labels"):
        call("plan", "revisit", sets, partner, *base, "--output", tmp_path / "both.geojson")
    assert not (tmp_path / "both.geojson").exists()
    # A label that cannot be read is no missing label.
    sets.with_name("sets.tle.label.toml").write_text(SCHEMA + "policy = 3\n")
    with pytest.raises(InputError):
        call("plan", "access", sets, "--target", "Tokyo=35.68,139.69", "--from", "2026-05-08")


def test_states_go_before_elements_and_a_name_stands_for_one_satellite(orbits, tmp_path):
    sets = tmp_path / "both.3le"
    sets.write_text(QPS + ICEYE)
    own = tmp_path / "own.oem"
    own.write_text(states("ICEYE-X41", ICEYE))
    tokyo = ("--target", "Kyiv=50.45,30.52", "--from", "2026-05-08", "--hours", "3")
    answer = run("plan", "access", sets, own, *tokyo)
    assert {one["satellite"]: one["epoch"] for one in answer["satellites"]} == {
        "QPS-SAR-5 (TSUKUYOMI-I)": "2026-05-07T18:00:48.032352Z",
        "ICEYE-X41": None,
    }
    sets.write_text(QPS + ICEYE.replace("ICEYE-X41", "QPS-SAR-5 (TSUKUYOMI-I)"))
    with pytest.raises(InputError, match="different numbers"):
        run("plan", "access", sets, *tokyo)


def test_old_elements_are_warned_about_and_their_windows_counted(tmp_path):
    sets = tmp_path / "sets.3le"
    sets.write_text(QPS)
    base = ("--target", "Tokyo=35.68,139.69", "--from", "2026-05-18", "--max-age", "40")
    for command in (("access", sets, *base, "--hours", "6"), ("revisit", sets, *base, "--days", "0.25")):
        assert "WARNING: some are up to 10.5 days old" in call("plan", *command).stderr
    old = run("plan", "revisit", sets, *base, "--days", "10")["places"][0]
    young = run("plan", "revisit", sets, *base[:2], "--from", "2026-05-08", "--days", "1")["places"][0]
    # After ten days of drag this satellite comes minutes early or late; its windows last two.
    assert 0 < old["uncertain_windows"] <= old["windows"]
    assert (young["uncertain_windows"], young["windows"] > 0) == (0, True)


@pytest.fixture
def node(tmp_path):
    """A node of Ukraine with agreements in force with two providers."""
    folder = tmp_path / "node"
    run("node", "init", "--nation", "UKR", "--organisation", "HUR", "--node", folder)
    add(folder, "IQPS", "JPN/IQPS")
    add(folder, "ICEYE", "FIN/ICEYE")
    return folder


def add(folder, id_, giver, more="", version=1):
    path = folder.with_name(f"{id_}-{version}.toml")
    path.write_text(AGREEMENT.format(id=id_, giver=giver, nation=giver[:3], version=version) + more)
    run("agreement", "add", path, "--node", folder)


def test_a_suspension_dated_in_a_nodes_register_counts_by_itself(node, tmp_path):
    sets, requests = tmp_path / "sets.3le", tmp_path / "requests.toml"
    sets.write_text(QPS + ICEYE)
    kyiv, tokyo = "30.52, 50.45", "139.69, 35.68"
    wishes = [
        ("early", kyiv, "2026-05-08", "2026-05-10", ""),
        ("late", kyiv, "2026-05-10", "2026-05-16", ""),
        ("other", tokyo, "2026-05-10", "2026-05-16", ""),
        ("mode", kyiv, "2026-05-08", "2026-05-16", 'modes = ["scansar"]\nincidence_deg = [1, 2]'),
        ("secret", tokyo, "2026-05-08", "2026-05-16", "label = {{ {} }}".format(", ".join(secret().splitlines()))),
    ]
    requests_of(requests, *wishes)
    base = ("plan", "whatif", sets, "--target", "Kyiv=50.45,30.52", "--target", "Tokyo=35.68,139.69", "--requests", requests)
    asked = (*base, "--from", "2026-05-08", "--days", "8", "--node", node)

    supposed = run(*asked, "--if", "suspend:ICEYE", "--at", "2026-05-10T00:00:00Z")
    (change,) = supposed["changes"]
    figures = {one["place"]: one for one in change["places"]}
    assert 0 < figures["Kyiv"]["after"]["images"] < figures["Kyiv"]["before"]["images"]
    # Only these two count: what ICEYE gave at Tokyo, iQPS gives later; at Kyiv, which it never sees, nobody does.
    assert {(one["provider"], one["by"]) for one in change["instead"]} >= {("FIN/ICEYE", "JPN/IQPS"), ("FIN/ICEYE", None)}
    wished = {one["request"]: (one["before"]["met"], one["after"]["met"]) for one in change["requests"]}
    assert wished == {
        "early": (True, True),
        "late": (True, False),
        "other": (True, True),
        "mode": (False, False),
        "secret": (False, False),
    }
    told = {one["request"]: (one["before"]["told"], one["after"]["told"]) for one in change["requests"]}
    assert told["late"] == (["FIN/ICEYE", "JPN/IQPS"], ["JPN/IQPS"])
    assert told["secret"] == ([], [])

    # The schedule takes the same file, and takes nothing that could not be met.
    plan = ("plan", "schedule", requests, "--elements", sets, "--from", "2026-05-08", "--hours", "192", "--node", node)
    scheduled = run(*plan, "--seconds", "2")
    assert {task["request"] for task in scheduled["tasks"]} == {name for name, (before, _after) in wished.items() if before}

    # The same suspension in the register, by its date: what was after is before, and to resume gives back what was.
    add(
        node,
        "ICEYE",
        "FIN/ICEYE",
        '\n[[suspensions]]\nfrom = 2026-05-10T00:00:00Z\nreason = "made up"\nrecorded = 2026-05-01\n',
        version=2,
    )
    dated = run(*asked, "--if", "resume:ICEYE", "--at", "2026-05-10T00:00:01Z")
    (back,) = dated["changes"]
    again = {one["place"]: one for one in back["places"]}
    assert {name: one["before"] for name, one in again.items()} == {name: one["after"] for name, one in figures.items()}
    assert {name: one["after"] for name, one in again.items()} == {name: one["before"] for name, one in figures.items()}
    assert {one["request"]: (one["after"]["met"], one["before"]["met"]) for one in back["requests"]} == wished
    terms = [(one["from"][:10], one["counts"]) for one in dated["providers"] if one["provider"] == "FIN/ICEYE"]
    assert terms == [("2026-05-08", True), ("2026-05-10", False)]
    told = call(*asked, "--if", "withdraw:JPN/IQPS").stdout
    assert "fails: other" in told
    assert "could not be met before either: late" in told
    assert "could not be met before either: secret (no provider may be told of it)" in told


def requests_of(path, *wishes):
    text = "".join(REQUEST.format(id=a, place=b, begin=c, until=d, more=e) for a, b, c, d, e in wishes)
    head = "[label]\n" + LABEL.format(policy="UKR", classification="UNCLASSIFIED", originator="UKR/HUR")
    path.write_text(f'schema = "kizuna/image-requests/1"\n{head}{text}')
    return path


def test_to_ask_and_to_give_are_lost_apart_and_place_by_place(node, tmp_path):
    sets = tmp_path / "sets.3le"
    sets.write_text(QPS + ICEYE)
    # From now on ICEYE gives images of Ukraine alone, and asking it stands in an agreement of its own.
    article = AGREEMENT.index("[[articles]]")
    imagery, asking = AGREEMENT[article:].split("[[articles]]")[1:]
    ring = "[[22, 44], [40, 44], [40, 52], [22, 52], [22, 44]]"
    area = f'areas = [{{{{ name = "Ukraine", geometry = {{{{ type = "Polygon", coordinates = [{ring}] }}}} }}}}]\n'
    for id_, version, body in (("ICEYE", 2, imagery + area), ("ASKING", 1, asking)):
        path = tmp_path / f"{id_}.toml"
        form = AGREEMENT[:article] + "[[articles]]" + body
        path.write_text(form.format(id=id_, giver="FIN/ICEYE", nation="FIN", version=version))
        run("agreement", "add", path, "--node", node)
    kyiv, tokyo = "30.52, 50.45", "139.69, 35.68"
    requests = requests_of(
        tmp_path / "requests.toml",
        ("kyiv", kyiv, "2026-05-08", "2026-05-16", ""),
        ("late", kyiv, "2026-05-09", "2026-05-16", ""),
        ("tokyo", tokyo, "2026-05-10", "2026-05-16", "incidence_deg = [15, 45]"),
    )
    base = ("plan", "whatif", sets, "--requests", requests, "--from", "2026-05-08", "--days", "8", "--node", node)
    places = ("--target", "Kyiv=50.45,30.52", "--target", "Tokyo=35.68,139.69")
    asked = run(*base, *places, "--if", "suspend:ASKING", "--at", "2026-05-09T01:00:00Z", "--if", "withdraw:JPN/IQPS")
    silent, without = asked["changes"]
    # Nobody's images change; but who may not be asked any more is not asked.
    assert silent["instead"] == []
    assert {one["request"]: (one["before"]["met"], one["after"]["met"]) for one in silent["requests"]} == {
        "kyiv": (True, True),
        "late": (True, False),
        "tokyo": (True, True),
    }
    assert silent["requests"][1]["after"]["told"] == ["FIN/ICEYE", "JPN/IQPS"]
    # From that instant on. ICEYE passes over Tokyo too, and gives nothing of it.
    assert {one["request"]: one["after"]["met"] for one in without["requests"]} == {"kyiv": True, "late": True, "tokyo": False}
    # Without places those of the requests are asked about.
    named = run(*base, "--if", "withdraw:JPN/IQPS", "--at", "2026-05-09T01:00:00Z")["changes"][0]
    assert named["requests"] == without["requests"]
    assert [one["before"]["images"] for one in named["places"]] == [
        *[without["places"][0]["before"]["images"]] * 2,
        without["places"][1]["before"]["images"],
    ]


def secret():
    return LABEL.format(policy="UKR", classification="ТАЄМНО", originator="UKR/HUR").strip()
