"""Whatever a person gets wrong: status 2, a sentence that names what, where and what to do, and the node as it was."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rasterio
from simulators.coalition import AGREEMENT, founded, label_text, labelled, small_tiff
from simulators.processes import kizuna, state_of

from kizuna.wiring import sample_folder

FICTIONAL = sample_folder("coalition") / "fictional" / f"{AGREEMENT}.toml"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folder of files that cannot be used; each that needs one has a good label."""
    root = tmp_path_factory.mktemp("files")
    sicd = root / "whole.nitf"
    degree = sample_folder("gotcha") / "data_3dsar_pass1_az001_HH.mat"
    assert kizuna("sar", "form", degree, "--output", sicd).status == 0
    labelled(root / "truncated.nitf").write_bytes(sicd.read_bytes()[: sicd.stat().st_size // 2])
    labelled(root / "cut-in-header.nitf").write_bytes(sicd.read_bytes()[:300])
    labelled(root / "text.nitf").write_text("This is no image.\n")
    labelled(root / "empty.tif").write_bytes(b"")
    labelled(small_tiff(root / "nowhere.tif", place=False))
    tiff = small_tiff(root / "good.tif").read_bytes()
    labelled(root / "truncated.tif").write_bytes(tiff[: len(tiff) // 2])
    with rasterio.open(root / "good.tif") as whole:
        profile = whole.profile
    with rasterio.open(labelled(root / "no-data.tif"), "w", **(profile | {"nodata": 0})) as dataset:
        dataset.write(np.zeros((1, 64, 64), np.uint8))
    shutil.copy(root / "good.tif", root / "unlabelled.tif")
    return root


def assert_told(done, folder, *words, field=None, status=2):
    """The error came as JSON on stderr, has all its parts, and stdout holds no product."""
    assert done.status == status, done
    fault = done.fault()
    assert fault["field"] == field, fault
    assert fault["hint"], fault
    for word in words:
        assert word in fault["message"], fault
    assert done.out in {"", "[]\n"}, done.out
    assert str(folder) not in fault["message"] or folder.exists()


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [
        # FL: the field of the NITF header that says how long the file is.
        ("truncated.nitf", "FL", ["ends at byte"]),
        ("cut-in-header.nitf", "FL", ["header is damaged"]),
        ("text.nitf", "file", []),
        ("empty.tif", "file", []),
        ("nowhere.tif", "file", ["position"]),
        ("truncated.tif", "file", []),
        ("no-data.tif", "file", []),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_not_taken_in(untouched, files, name, field, words):
    assert_told(kizuna("ingest", files / name, "--node", untouched, "--json"), untouched, name, *words, field=field)


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"classification": '"ULTRA"'}, "classification", ["'ULTRA'", "JPN"]),
        ({"policy": '"MARS"'}, "policy", ["'MARS'"]),
        ({"classification": None}, "classification", ["got nothing"]),
        ({"classification": None, "clasification": '"UNCLASSIFIED"'}, "classification", ["got nothing"]),
        ({"releaseable_to": "[]"}, "releaseable_to", ["unknown field"]),
        ({"originator": '"ATLANTIS"'}, "originator", ["ATLANTIS"]),
        ({"created": '"soon"'}, "created", ["soon"]),
        ({"schema": '"kizuna/label/9"'}, "schema", ["kizuna/label/9"]),
        ({"schema": "["}, None, ["not TOML", "line 2"]),
    ],
)
def test_a_label_that_cannot_be_placed_takes_nothing_in(untouched, files, tmp_path, changed, field, words):
    label = tmp_path / "given.label.toml"
    label.write_text(label_text(**changed))
    done = kizuna("ingest", files / "good.tif", "--label", label, "--node", untouched, "--json")
    assert_told(done, untouched, *words, field=field)
    path = files / "good.tif" if field in {"classification", "policy"} and words != ["got nothing"] else label
    assert path.name in done.fault()["message"]


def test_a_label_that_is_missing_is_named_with_what_to_do(untouched, files):
    done = kizuna("ingest", files / "unlabelled.tif", "--node", untouched, "--json")
    assert_told(done, untouched, "unlabelled.tif.label.toml", field="file")
    assert "docs/labels.md" in done.fault()["hint"]


def test_without_json_the_error_is_two_lines_on_stderr(untouched, files):
    done = kizuna("ingest", files / "text.nitf", "--node", untouched)
    assert (done.status, done.out) == (2, "")
    first, second = done.err.splitlines()
    assert first.startswith("error: ")
    assert "text.nitf" in first
    assert second.startswith("hint: ")


@pytest.mark.parametrize(
    ("replaced", "by", "field", "words"),
    [
        ("from = 2025-04-21", "from = 2025-04-21\nuntil = 2025-01-01", "in_force.until", ["2025-01-01", "before", "2025-04-21"]),
        ("from = 2025-04-21", 'from = "tomorrow"', "in_force.from", ["tomorrow"]),
        ("ceiling", "celing", "articles[0].ceiling", ["got nothing"]),
        ("tells_partner", "tels_partner", "tels_partner", ["unknown field"]),
        ('kind = "sharing"', 'kind = "gift"', "kind", ["gift", "one of"]),
        ('"UKR/HUR"]\nfictional', '"UKR/HUR", "ATLANTIS"]\nfictional', "parties", ["ATLANTIS"]),
        ("version = 2", "version = 1", "version", ["up to version 2"]),
        ("[in_force]", "[in_force", None, ["not TOML", "line"]),
        ("Transfer of", "Transfer\udcffof", None, ["not TOML"]),
    ],
)
def test_an_agreement_that_cannot_hold_is_not_recorded(untouched, tmp_path, replaced, by, field, words):
    text = FICTIONAL.read_text("utf-8")
    assert replaced in text
    bad = tmp_path / "bad.toml"
    bad.write_bytes(text.replace(replaced, by).encode("utf-8", "surrogateescape"))
    done = kizuna("agreement", "add", bad, "--node", untouched, "--json")
    assert_told(done, untouched, "bad.toml", *words, field=field)


def test_of_several_agreements_none_is_recorded_if_one_is_faulty(untouched, tmp_path):
    good = tmp_path / "a-good.toml"
    good.write_text(FICTIONAL.read_text("utf-8").replace("version = 2", "version = 3"), "utf-8")
    bad = tmp_path / "b-bad.toml"
    bad.write_text(good.read_text("utf-8").replace("version = 3", "version = 4\ntypo = 1"), "utf-8")
    assert_told(kizuna("agreement", "add", good, bad, "--node", untouched, "--json"), untouched, "b-bad.toml", field="typo")


@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        (["agreement", "suspend", "NO-SUCH", "--reason", "because"], "agreement", ["NO-SUCH"]),
        (["agreement", "resume", AGREEMENT], "agreement", ["is not suspended"]),
        (["product", "show", "no-such"], "product", ["no-such"]),
        (["product", "show", "a" * 26], "product", ["a" * 26]),
        (["release", "explain", "a" * 26, "--to", "UKR/HUR"], "product", ["holds no product"]),
        (["sync", "ATLANTIS"], "partner", ["ATLANTIS"]),
        (["sync", "NZL"], "partner", ["NZL is no partner"]),
        (["audit", "confirm", "--tail", "3:beef"], "tail", ["3:beef"]),
    ],
)
def test_a_name_that_the_node_does_not_know_is_told(untouched, arguments, field, words):
    assert_told(kizuna(*arguments, "--node", untouched, "--json"), untouched, *words, field=field)


@pytest.mark.parametrize("verb", ["suspend", "withdraw"])
@pytest.mark.parametrize("text", ["", "first\nsecond", "red \x1b[31m"])
def test_a_reason_is_one_printed_line(untouched, verb, text):
    done = kizuna("agreement", verb, AGREEMENT, "--reason", text, "--node", untouched, "--json")
    assert_told(done, untouched, "reason", field="reason")
    done = kizuna("agreement", verb, AGREEMENT, "--reason", "ok", "--authority", text, "--node", untouched, "--json")
    assert_told(done, untouched, "authority", field="authority")


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON", '{"schema": "kizuna/card/1", "party": "UKR/HUR"}'])
def test_a_card_that_cannot_be_used_pins_nobody(untouched, tmp_path, text):
    card = tmp_path / "card.json"
    card.write_text(text)
    done = kizuna("partner", "add", card, "--node", untouched, "--json")
    assert done.status == 2
    assert done.fault()["hint"]


def test_a_nodes_own_card_is_no_partner(untouched, tmp_path):
    card = tmp_path / "card.json"
    card.write_text(kizuna("partner", "card", "--node", untouched).out)
    assert_told(kizuna("partner", "add", card, "--node", untouched, "--json"), untouched, field="party")


@pytest.mark.parametrize("option", ["--valid-at", "--known-at"])
@pytest.mark.parametrize("instant", ["yesterday", "2025-02-30", "2025-06-22T00:00:00"])
def test_an_instant_that_is_none_is_refused(untouched, files, option, instant):
    done = kizuna("release", "explain", files / "nowhere.tif", "--to", "UKR/HUR", option, instant, "--node", untouched, "--json")
    assert_told(done, untouched, instant, field=option.removeprefix("--"))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["frobnicate"], None),
        (["node", "frobnicate"], None),
        (["node", "init", "--frobnicate"], "frobnicate"),
        (["node", "init"], "nation"),
        (["ingest"], "files"),
        (["sync", "--every", "often"], "every"),
        (["sync", "--once", "--every", "5"], None),
        (["completion", "cmd"], "shell"),
    ],
)
def test_a_command_or_option_that_does_not_exist_is_a_usage_error(arguments, field):
    plain = kizuna(*arguments)
    assert plain.status == 2
    assert plain.out == ""
    assert "Error: " in plain.err
    asked = kizuna(*arguments, "--json")
    if arguments[0] != "completion":
        assert asked.status == 2
        assert asked.fault()["field"] == field
        assert asked.fault()["hint"].startswith("see: kizuna")


READS = [["node", "status"], ["sync"], ["audit", "verify"], ["product", "list"], ["partner", "card"], ["node", "serve"]]


@pytest.mark.parametrize("arguments", READS)
def test_a_folder_without_a_node_is_told_and_not_made(tmp_path, arguments):
    missing = tmp_path / "nowhere"
    assert_told(kizuna(*arguments, "--node", missing, "--json"), tmp_path, str(missing), field="node")
    assert not missing.exists()


def test_a_node_is_never_made_over_something(tmp_path):
    (tmp_path / "letter.txt").write_text("keep me")
    before = state_of(tmp_path)
    done = kizuna("node", "init", "--nation", "JPN", "--node", tmp_path, "--json")
    assert_told(done, tmp_path, "is not empty", field="node")
    assert state_of(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        (["--nation", "ZZZ"], "nation", ["ZZZ"]),
        (["--nation", "JPN", "--organisation", "no/slash"], "nation", ["no/slash"]),
        (["--nation", "JPN", "--partner-listen", "here"], "partner_listen", ["here"]),
        (["--nation", "JPN", "--people-listen", "0.0.0.0:8080"], "people_listen", ["0.0.0.0"]),
    ],
)
def test_a_node_that_cannot_be_is_not_begun(tmp_path, options, field, words):
    folder = tmp_path / "node"
    assert_told(kizuna("node", "init", *options, "--node", folder, "--json"), tmp_path, *words, field=field)
    assert not folder.exists()


@pytest.mark.parametrize("listener", ["--partner-listen", "--people-listen"])
def test_a_port_in_use_is_told_before_anything_is_served(untouched, listener):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        listen = {"--partner-listen": "127.0.0.1:0", "--people-listen": "127.0.0.1:0", listener: f"127.0.0.1:{port}"}
        options = [word for pair in listen.items() for word in pair]
        done = kizuna("node", "serve", "--node", untouched, "--json", *options, timeout_s=20)
    assert_told(done, untouched, str(port), "in use", field="port")


def test_a_database_that_is_none_is_told_as_the_machines_fault(tmp_path):
    node = founded(tmp_path / "node", "JPN", agreements=False)
    for path in node.glob("node.sqlite-*"):
        path.unlink()
    (node / "node.sqlite").write_bytes(b"This is no database.\n" * 500)
    before = node_files(node)
    for arguments in (["node", "status"], ["audit", "verify"]):
        done = kizuna(*arguments, "--node", node, "--json")
        assert_told(done, node, "node.sqlite", status=1)
        assert "backup" in done.fault()["hint"]
    assert node_files(node) == before


def node_files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_log_entry_that_was_changed_is_found(tmp_path):
    node = founded(tmp_path / "node", "JPN", agreements=False)
    with closing(sqlite3.connect(node / "node.sqlite")) as connection, connection:
        connection.execute("DROP TRIGGER log_never_changes")
        connection.execute("UPDATE log SET salt = zeroblob(32) WHERE place = 1")
    done = kizuna("audit", "verify", "--node", node, "--json")
    assert_told(done, node, "entry 1 of the log", status=1)
    assert done.fault()["kind"] == "LogDamaged"


def test_a_key_that_others_may_read_is_not_used(tmp_path):
    node = founded(tmp_path / "node", "JPN", agreements=False)
    (node / "keys" / "signing.pem").chmod(0o644)
    assert_told(kizuna("node", "status", "--node", node, "--json"), node, "signing.pem", status=1)


def test_a_good_file_is_told_as_it_is(pair, tiff):
    """The other side: the very same calls take in what is right."""
    done = kizuna("ingest", tiff, "--node", pair.jpn, "--json")
    assert done.status == 0
    (taken,) = done.json()
    assert [d["outcome"] for d in taken["decisions"]] == ["permit"]
    again = kizuna("ingest", tiff, "--node", pair.jpn, "--json")
    assert again.json()[0]["known_already"]
    assert again.json()[0]["product"]["id"] == taken["product"]["id"]


# ---- registers and files that are none


def ask(files, register, *more):
    return kizuna(
        "release", "explain", labelled(files / "good.tif"), "--to", "UKR/HUR", "--agreements", register, *more, "--json"
    )


def test_a_register_without_an_agreement_is_refused_and_does_not_answer(files, tmp_path):
    assert_told(ask(files, tmp_path), tmp_path, str(tmp_path), "no agreement", field="agreements")
    (tmp_path / "markings.toml").write_bytes((sample_folder("coalition") / "markings.toml").read_bytes())
    assert_told(ask(files, tmp_path), tmp_path, "no agreement", field="agreements")
    assert_told(ask(files, "/dev/null"), tmp_path, "/dev/null", "no folder", field="agreements")
    shutil.copytree(sample_folder("coalition") / "fictional", tmp_path / "fictional")
    done = ask(files, tmp_path)
    assert_told(done, tmp_path, "fictional", field="accept-fictional")
    assert "--accept-fictional" in done.fault()["hint"]


@pytest.mark.parametrize("make", ["dangling", "folder", "pipe", "device", "large"])
def test_what_a_register_cannot_hold_is_named(files, tmp_path, make):
    shutil.copy(sample_folder("coalition") / "USA-UKR-SHARING.toml", tmp_path)
    bad = tmp_path / "q.toml"
    match make:
        case "dangling":
            bad.symlink_to(tmp_path / "nowhere")
        case "folder":
            bad.mkdir()
        case "pipe":
            os.mkfifo(bad)
        case "device":
            bad.symlink_to("/dev/zero")
        case _:
            bad.write_bytes(b"#" * 20_000_000)
    assert_told(ask(files, tmp_path), tmp_path, "q.toml", field="file")
    checked = kizuna("agreement", "check", bad, "--json", timeout_s=30)
    assert checked.status == 2


def test_a_ladder_that_is_accepted_by_a_name_that_nobody_knows_is_refused(files, untouched, tmp_path):
    done = ask(files, sample_folder("coalition"), "--accept-ladder", "NOPE")
    assert_told(done, tmp_path, "NOPE", field="accept-ladder")
    assert "JPN" in done.fault()["hint"]
    done = kizuna("node", "init", "--nation", "JPN", "--node", tmp_path / "new", "--json", env={"KIZUNA_ACCEPT_LADDERS": "NOPE"})
    assert_told(done, tmp_path, "NOPE", field="accept_ladders")
    assert not (tmp_path / "new").exists()


def test_a_number_of_too_many_digits_is_a_fault_with_a_place(untouched, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text(FICTIONAL.read_text("utf-8").replace("version = 2", f"version = {'9' * 5000}"), "utf-8")
    assert_told(kizuna("agreement", "add", bad, "--node", untouched, "--json"), untouched, "bad.toml", "line ", "digits")
    (found,) = kizuna("agreement", "check", bad, "--json").json()
    assert "digits" in found["message"]
    assert found["line"] > 1
    label = tmp_path / "x.label.toml"
    label.write_text(f"schema = {'9' * 5000}")
    assert_told(kizuna("label", "show", label, "--json"), tmp_path, "x.label.toml", "digits")
    (tmp_path / "node").mkdir()
    (tmp_path / "node/kizuna.toml").write_text(f"partner_url = {'9' * 5000}")
    assert_told(kizuna("agreement", "add", FICTIONAL, "--node", tmp_path / "node", "--json"), tmp_path, "kizuna.toml", "digits")


def test_a_hint_names_no_option_that_the_command_has_not(files, untouched):
    assert "--label" in kizuna("ingest", files / "unlabelled.tif", "--node", untouched, "--json").fault()["hint"]
    shown = kizuna("label", "show", files / "unlabelled.tif", "--json")
    assert shown.fault()["hint"]
    assert "--label" not in shown.fault()["hint"]


def test_a_security_policy_that_is_shown_as_a_label_is_told_from_one(tmp_path):
    policy = Path(__file__).parents[1] / "vectors/sparrow/ACME.xml"
    done = kizuna("label", "show", policy, "--json")
    assert_told(done, tmp_path, "security policy", field="file")
    assert "--policy" in done.fault()["hint"]


@pytest.mark.parametrize("ring", ["[[28, 41], [42, NaN], [42, 47], [28, 41]]", "[[28, 41], [42, 41, [42, 47], [28, 41]]"])
def test_a_broken_ring_asks_for_correction_and_not_for_another_copy(tmp_path, ring):
    (tmp_path / "sea.geojson").write_text('{"type": "Polygon", "coordinates": [' + ring + "]}")
    text = FICTIONAL.read_text("utf-8")
    number = text.index("[[articles]]")
    after = text.find("[[", number + 2)
    bad = tmp_path / "bad.toml"
    bad.write_text(text[:after] + '[[articles.areas]]\nname = "sea"\nfile = "sea.geojson"\n' + text[after:], "utf-8")
    found = [each for each in kizuna("agreement", "check", bad, "--json").json() if each["severity"] == "error"]
    assert [each["field"] for each in found] == ["articles[0].areas[0].file"]
    assert "GeoJSON" in found[0]["hint"]
