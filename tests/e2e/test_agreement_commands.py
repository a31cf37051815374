"""``kizuna agreement`` and what originators say of their products, as people run them."""

from __future__ import annotations

import json
import shutil

import jsonschema
import pytest
from simulators.coalition import AGREEMENT, founded, introduce, label_text, labelled, published, small_tiff
from simulators.processes import kizuna

from kizuna.adapters.memory import MemoryTransport
from kizuna.node.receive import pull
from kizuna.node.share import Sharing
from kizuna.wiring import open_node, sample_folder

GOOD = """\
schema = "kizuna/agreement/1"
id = "SEA"
version = 1
title = "Imagery of the Black Sea"
kind = "sharing"
parties = ["JPN/IQPS", "UKR/HUR"]
recorded = 2025-01-01
sources = ["made up"]
[in_force]
from = 2025-01-01
[[articles]]
number = "1"
title = "港の画像"
givers = ["JPN/IQPS"]
receivers = ["UKR/HUR"]
kinds = ["imagery"]
policy = "JPN"
ceiling = "秘"
purposes = ["mine clearance"]
[[articles.areas]]
name = "sea"
file = "areas/sea.geojson"
[[articles.obligations]]
kind = "detected-only"
"""
SEA = {"type": "Polygon", "coordinates": [[[28, 41], [42, 41], [42, 47], [28, 47], [28, 41]]]}


@pytest.fixture
def file(tmp_path):
    """Agreement without faults, with its area beside it."""
    (tmp_path / "areas").mkdir()
    (tmp_path / "areas/sea.geojson").write_text(json.dumps(SEA))
    path = tmp_path / "sea.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def findings(*files):
    done = kizuna("agreement", "check", *files, "--json")
    assert done.err == ""
    return done.status, done.json()


def severe(found):
    return [(each["line"], each["column"], each["field"]) for each in found if each["severity"] == "error"]


def place(text, of):
    """Line and column of a text in another."""
    before = text[: text.index(of)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


# ---- check


def test_an_agreement_without_faults_is_told_in_one_line(file):
    done = kizuna("agreement", "check", file)
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{file}: SEA version 1, in force from 2025-01-01, articles: 1; no faults\n"
    assert findings(file) == (0, [])


def test_all_faults_of_all_files_are_shown_in_their_places(file, tmp_path):
    text = (
        GOOD.replace("version = 1", "version = 0")
        .replace('ceiling = "秘"', 'celing = "秘"')
        .replace('kind = "detected-only"', 'kind = "resolution"\nvalue = "fine"')
        .replace('"mine clearance"]', '"mine clearance"]\nacquired = { from = "2025-02-30" }')
        .replace('["UKR/HUR"]\nkinds', '["UKR/hur"]\nkinds')
    )
    file.write_text(text, encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text('id = "x"\nid = "y"\n')
    status, found = findings(file, other)
    assert status == 2
    assert set(severe([each for each in found if each["file"] == str(file)])) == {
        (*place(text, "0\ntitle"), "version"),
        (*place(text, "celing"), "articles[0].celing"),
        (*place(text, "[[articles]]"), "articles[0].ceiling"),
        (*place(text, '"fine"'), "articles[0].obligations[0].value"),
        (*place(text, '"2025-02-30"'), "articles[0].acquired.from"),
        (*place(text, '["UKR/hur"]'), "articles[0].receivers"),
    }
    (broken,) = [each for each in found if each["file"] == str(other)]
    assert (broken["line"], broken["column"], broken["field"]) == (2, 9, None)
    assert all(each["message"] and each["hint"] for each in found)
    assert found[: len(found) - 1] == sorted(found[:-1], key=lambda each: (each["line"], each["column"]))
    hints = {each["field"]: each["hint"] for each in found}
    assert "ceiling" in hints["articles[0].celing"]


def test_a_caret_stands_under_the_fault_even_behind_wide_characters(file):
    text = GOOD.replace(
        'title = "港の画像"\n', 'title = "港の画像"\nobligations = [{ kind = "caveat", value = "港の画像" }, 7]\n'
    )
    text = text.replace('[[articles.obligations]]\nkind = "detected-only"\n', "")
    file.write_text(text, encoding="utf-8")
    done = kizuna("agreement", "check", file)
    assert done.status == 2
    lines = done.out.splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.strip().endswith("^")]
    shown, caret = lines[at - 1], lines[at]
    assert lines[at - 2].startswith(f"{file}:14:15: error: articles[0].obligations: got")
    assert caret.index("^") == shown.index("[{")
    assert lines[at + 1].strip().startswith("hint:")
    wide = GOOD.replace('"港の画像"', '"港の画像" 7')
    file.write_text(wide, encoding="utf-8")
    lines = kizuna("agreement", "check", file).out.splitlines()
    # Four characters of the title are two columns wide each.
    assert lines[2].index("^") == lines[1].index('" 7') + 2 + 4


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [
        (b'id = "\xff"', 1, 7),
        ("id = 1\n\u6e2f = \xff".encode() + b"\xff", 2, 6),
        (b"a = [" * 3000, 1, None),
        (b"", 1, 1),
        (b'schema = "kizuna/agreement/2"', 1, 10),
        (b'schema = "kizuna/label/1"', 1, 10),
    ],
)
def test_whatever_a_file_holds_it_is_a_fault_with_a_place(tmp_path, data, line, column):
    path = tmp_path / "x.toml"
    path.write_bytes(data)
    status, (found,) = findings(path)
    assert (status, found["line"]) == (2, line)
    assert column is None or found["column"] == column


def test_a_file_of_an_area_that_is_missing_faulty_or_elsewhere_is_shown_where_it_is_named(file, tmp_path):
    where = place(GOOD, '"areas/sea.geojson"')
    area = tmp_path / "areas/sea.geojson"
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [SEA["coordinates"][0][:-1]]}))
    assert severe(findings(file)[1]) == [(*where, "articles[0].areas[0].file")]
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 3], [0, 0]]]}))
    status, found = findings(file)
    assert (status, found[0]["field"]) == (2, "articles[0].areas[0]")
    area.unlink()
    assert severe(findings(file)[1]) == [(*where, "articles[0].areas[0].file")]
    elsewhere = tmp_path.parent / f"{tmp_path.name}.geojson"
    elsewhere.write_text(json.dumps(SEA))
    area.symlink_to(elsewhere)
    assert severe(findings(file)[1]) == [(*where, "articles[0].areas[0].file")]


def test_a_reviewer_is_warned_of_what_lets_nothing_go(file, tmp_path):
    text = GOOD.replace('ceiling = "秘"', 'ceiling = "unknown"')
    text += """
[[articles]]
number = "2"
title = "more"
givers = ["JPN/IQPS"]
receivers = ["UKR/HUR"]
policy = "USA"
ceiling = "SECRET"
kinds = ["imagery"]
[[articles]]
number = "3"
title = "more"
givers = ["JPN/IQPS"]
receivers = ["UKR/HUR"]
policy = "JPN"
ceiling = "no such marking"
kinds = ["imagery"]
"""
    file.write_text(text, encoding="utf-8")
    security = tmp_path / "security.toml"
    security.write_text(GOOD.partition("[[articles]]")[0].replace('"sharing"', '"information-security"'), encoding="utf-8")
    status, found = findings(file, security)
    assert status == 0
    assert {each["severity"] for each in found} == {"warning"}
    fields = {(each["file"], each["field"]) for each in found}
    assert {(str(file), f"articles[{n}].ceiling") for n in (0, 1, 2)} <= fields
    assert (str(security), "kind") in fields
    plain = kizuna("agreement", "check", file)
    assert plain.status == 0
    assert "warning" in plain.out
    assert "no faults" in plain.out


def test_versions_that_overlap_or_leave_a_gap_are_told(file, tmp_path):
    def version(number, begin, recorded="2025-01-01"):
        path = tmp_path / f"v{number}-{begin}.toml"
        text = GOOD.replace("version = 1", f"version = {number}").replace("from = 2025-01-01", f"from = {begin}")
        path.write_text(text.replace("recorded = 2025-01-01", f"recorded = {recorded}"), encoding="utf-8")
        return path

    def told(*files):
        return [(each["field"], each["file"].rpartition("/")[2]) for each in findings(file, *files)[1]]

    assert told(version(2, "2025-03-01", "2025-04-01")) == [("in_force.from", "v2-2025-03-01.toml")]
    assert told(version(2, "2026-03-01")) == [("in_force.from", "v2-2026-03-01.toml")]
    assert told(version(1, "2025-01-01")) == [("version", "v1-2025-01-01.toml")]
    gap = kizuna("agreement", "check", file, tmp_path / "v2-2026-03-01.toml").out
    overlap = kizuna("agreement", "check", file, tmp_path / "v2-2025-03-01.toml").out
    assert "nothing goes" in gap
    assert "overlap" in overlap


def test_the_sample_register_has_no_faults():
    root = sample_folder("coalition")
    status, found = findings(*sorted(root.rglob("*.toml")))
    assert status == 0
    assert found


def test_faults_are_told_in_french_too(file):
    file.write_text(GOOD.replace("version = 1", "version = 0"), encoding="utf-8")
    done = kizuna("agreement", "check", file, env={"KIZUNA_LANG": "fr"})
    assert "erreur" in done.out
    assert done.out != kizuna("agreement", "check", file).out


def test_the_schema_is_printed_as_it_is_published(file):
    schema = kizuna("agreement", "schema").json()
    assert schema == kizuna("agreement", "schema", "--json").json()
    jsonschema.Draft202012Validator.check_schema(schema)


# ---- add, show, withdraw


def test_an_agreement_with_a_file_of_an_area_is_recorded_with_the_area(file, tmp_path):
    node = founded(tmp_path / "jpn", "JPN/IQPS", agreements=False)
    assert kizuna("agreement", "add", file, "--node", node).status == 0
    shutil.rmtree(tmp_path / "areas")
    shown = kizuna("agreement", "show", "SEA", "--node", node)
    assert "sea (longitude 28 to 42, latitude 41 to 47)" in shown.out
    (fact,) = kizuna("agreement", "show", "SEA", "--node", node, "--json").json()["facts"]
    assert fact["agreement"]["articles"][0]["areas"][0]["geometry"]["coordinates"] == [SEA["coordinates"]]


def test_the_life_of_an_agreement_is_shown_with_who_recorded_what(pair):
    node = ["--node", pair.jpn]
    reason = "Review of the third-party rule."
    assert kizuna("agreement", "suspend", AGREEMENT, "--reason", reason, "--authority", "order 7", *node).status == 0
    assert kizuna("agreement", "resume", AGREEMENT, *node).status == 0
    done = kizuna("agreement", "withdraw", AGREEMENT, "--reason", "Breach.", "--authority", "order 9", *node, "--json")
    assert (done.status, done.json()["state"]) == (0, "withdrawn")
    shown = kizuna("agreement", "show", AGREEMENT, *node, "--json").json()
    assert shown["state"] == "withdrawn"
    assert [fact["kind"].partition(".")[2] for fact in shown["facts"]] == [
        "recorded",
        "recorded",
        "suspended",
        "resumed",
        "withdrawn",
    ]
    assert [fact["agreement"]["version"] for fact in shown["facts"][:2]] == [1, 2]
    assert (shown["facts"][2]["authority"], shown["facts"][2]["reason"]) == ("order 7", reason)
    assert shown["facts"][4]["at"] == done.json()["from"]
    assert all(fact["recorded_by"].startswith("JPN/IQPS:") for fact in shown["facts"])
    plain = kizuna("agreement", "show", AGREEMENT, *node).out
    for words in (reason, "Breach.", "order 9", "version 2", "FICTIONAL", "detected-only", "withdrawn", "JPN UNCLASSIFIED"):
        assert words in plain
    assert "\nIQPS-HUR-2025 version 1\n" in plain
    (line,) = [each for each in kizuna("agreement", "list", *node, "--json").json() if each["id"] == AGREEMENT]
    assert line["state"] == "withdrawn"
    again = kizuna("agreement", "withdraw", AGREEMENT, "--reason", "x", *node, "--json")
    assert (again.status, again.fault()["field"]) == (2, "agreement")


def test_a_withdrawal_in_the_future_leaves_it_in_force_until_then(pair):
    node = ["--node", pair.jpn]
    done = kizuna("agreement", "withdraw", AGREEMENT, "--reason", "Notice.", "--at", "2999-01-01", *node)
    assert (done.status, "2999-01-01T00:00:00Z" in done.out) == (0, True)
    assert kizuna("agreement", "show", AGREEMENT, *node, "--json").json()["state"] == "in force"
    past = kizuna("agreement", "withdraw", AGREEMENT, "--reason", "x", "--at", "2020-01-01", *node, "--json")
    assert (past.status, past.fault()["field"]) == (2, "at")


def test_an_agreement_is_shown_from_its_file_without_a_node(file):
    shown = kizuna("agreement", "show", file)
    assert shown.status == 0
    for words in ("SEA version 1", "2025-01-01", "JPN 秘", "mine clearance", "sea (longitude 28"):
        assert words in shown.out
    assert kizuna("agreement", "show", file, "--json").json()["facts"][0]["agreement"]["id"] == "SEA"
    file.write_text(GOOD.replace("version = 1", "version = 0"), encoding="utf-8")
    faulty = kizuna("agreement", "show", file, "--json")
    assert (faulty.status, faulty.fault()["field"]) == (2, "version")
    assert "agreement check" in faulty.fault()["hint"]


def test_an_agreement_that_nobody_knows_is_refused_by_name(untouched):
    for command in (["show", "NOBODY"], ["withdraw", "NOBODY", "--reason", "x"]):
        done = kizuna("agreement", *command, "--node", untouched, "--json")
        assert (done.status, done.fault()["field"]) == (2, "agreement")


# ---- originators


def product_on(pair, tiff):
    return published(pair.jpn, tiff)[0]


def explained(pair, product, to="UKR/HUR"):
    return kizuna("release", "explain", product, "--to", to, "--node", pair.jpn, "--json").status


def test_a_corrected_label_counts_at_once_everywhere(pair, tiff, tmp_path):
    product = product_on(pair, tiff)
    assert explained(pair, product) == 0
    label = tmp_path / "corrected.label.toml"
    label.write_text(label_text(releasable_to='["NZL"]'), encoding="utf-8")
    done = kizuna("product", "relabel", product[:9], "--label", label, "--authority", "order 12", "--node", pair.jpn, "--json")
    assert done.status == 0
    assert done.json()["label"]["releasable_to"] == ["NZL"]
    assert (done.json()["kept_by"], "releasable_to" in done.json()["first_label"]) == ([], False)
    assert explained(pair, product) == 3
    (listed,) = kizuna("product", "list", "--node", pair.jpn, "--json").json()
    assert listed["label"]["releasable_to"] == ["NZL"]
    shown = kizuna("product", "show", product, "--node", pair.jpn)
    assert "REL TO NZL" in shown.out
    assert "labelled first" in shown.out
    form = kizuna("product", "show", product, "--node", pair.jpn, "--json").json()
    assert (form["label"]["releasable_to"], form["first_label"].get("releasable_to")) == (["NZL"], None)
    assert kizuna("audit", "verify", "--node", pair.jpn).status == 0
    again = kizuna("product", "relabel", product, "--label", label, "--authority", "x", "--node", pair.jpn, "--json")
    assert (again.status, again.fault()["field"]) == (2, "label")
    # The same bytes come again: under the corrected label they are known, under the first they are not.
    assert kizuna("ingest", tiff, "--label", label, "--node", pair.jpn, "--json").json()[0]["known_already"]
    refused = kizuna("ingest", tiff, "--node", pair.jpn, "--json")
    assert refused.status == 2
    assert "relabel" in refused.fault()["hint"]


def test_a_partner_that_confirmed_the_product_is_named(pair, tiff, tmp_path):
    product = product_on(pair, tiff)
    introduce(pair.ukr, pair.jpn, "https://127.0.0.1:1")
    with open_node(pair.jpn) as jpn, open_node(pair.ukr) as ukr:
        pull(ukr, ukr.partner("JPN/IQPS"), MemoryTransport(Sharing(jpn), ukr.keys.certificate_der))
    label = tmp_path / "corrected.label.toml"
    label.write_text(label_text(releasable_to='["NZL"]'), encoding="utf-8")
    done = kizuna("product", "relabel", product, "--label", label, "--authority", "order 12", "--node", pair.jpn)
    assert done.status == 0
    assert "UKR/HUR" in done.err


def test_a_consent_is_recorded_in_ones_own_name_or_by_its_document(pair, tiff):
    product = product_on(pair, tiff)
    node = ["--node", pair.jpn, "--json"]
    own = kizuna("product", "consent", product, "--to", "NZL", "--until", "2999-01-01", *node)
    assert (own.status, own.json()["originator"]) == (0, "JPN/IQPS")
    assert own.json()["term"]["until"]["text"] == "2999-01-01T00:00:00Z"
    undocumented = kizuna("product", "consent", product, "--to", "NZL", "--originator", "FIN", *node)
    assert (undocumented.status, undocumented.fault()["field"]) == (2, "authority")
    stranger = kizuna("product", "consent", product, "--to", "NZL", "--originator", "FIN", "--authority", "letter", *node)
    assert (stranger.status, stranger.fault()["field"]) == (2, "originator")
    plain = kizuna("product", "consent", product, "--to", "NZL", "--node", pair.jpn)
    assert "NZL" in plain.out


def test_the_end_of_a_suspension_is_recorded_afterwards(pair):
    node = ["--node", pair.jpn]
    since = kizuna("agreement", "suspend", AGREEMENT, "--reason", "A review.", *node, "--json").json()["since"]
    before = kizuna("agreement", "resume", AGREEMENT, "--at", "2020-01-01", *node, "--json")
    assert (before.status, before.fault()["field"]) == (2, "at")
    later = kizuna("agreement", "resume", AGREEMENT, "--at", "2999-01-01", *node)
    assert "2999-01-01" in later.out
    assert kizuna("agreement", "resume", AGREEMENT, *node).status == 0
    shown = kizuna("agreement", "show", AGREEMENT, *node, "--json").json()["facts"]
    assert [fact["at"] for fact in shown if fact["kind"] == "agreement.suspended"] == [since]
    kizuna("agreement", "withdraw", AGREEMENT, "--reason", "x", *node)
    refused = kizuna("agreement", "resume", AGREEMENT, *node, "--json")
    assert (refused.status, refused.fault()["field"]) == (2, "agreement")
    assert "withdrawn from" in refused.fault()["message"]


def test_a_consent_is_taken_back(pair, tiff):
    product = product_on(pair, tiff)
    consent = ["product", "consent", product, "--to", "NZL", "--node", pair.jpn]
    nothing = kizuna(*consent, "--withdraw", "--json")
    assert (nothing.status, nothing.fault()["field"]) == (2, "to")
    given = kizuna(*consent, "--json").json()
    taken = kizuna(*consent, "--withdraw", "--json").json()
    assert taken["term"]["from"] == given["term"]["from"]
    assert given["recorded_at"] < taken["term"]["until"]["text"] <= taken["recorded_at"]
    begun = kizuna(*consent, "--withdraw", "--from", "2025-01-01", "--json")
    assert (begun.status, begun.fault()["field"]) == (2, "from")
    never = kizuna(*consent, "--withdraw", "--until", "2020-01-01")
    assert "never held" in never.out
    kizuna(*consent)
    assert "takes back" in kizuna(*consent, "--withdraw").out


def test_where_a_file_lies_decides_without_a_node(tmp_path, file):
    (tmp_path / "scenes").mkdir()
    harbour = labelled(small_tiff(tmp_path / "scenes/harbour.tif"))
    ask = ["release", "explain", harbour, "--to", "UKR/HUR", "--agreements", tmp_path, "--valid-at", "2025-07-01", "--json"]
    apart = kizuna(*ask)
    assert (apart.status, [reason["rule"] for reason in apart.json()["reasons"]]) == (3, ["area"])
    # 76 degrees east, 10 north: where the made-up scene lies.
    around = {"type": "Polygon", "coordinates": [[[76, 9], [77, 9], [77, 10], [76, 10], [76, 9]]]}
    (tmp_path / "areas/sea.geojson").write_text(json.dumps(around))
    inside = kizuna(*ask)
    assert (inside.status, inside.json()["outcome"]) == (0, "permit")
