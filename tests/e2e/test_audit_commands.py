"""``kizuna audit``: the log for people, proofs and exports for partners, the stand-alone verifier, witnessing by files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from simulators.processes import kizuna

from kizuna.cli import verify_log
from kizuna.model.digests import digest_of


@pytest.fixture
def files(tmp_path, untouched):
    """Export and proof of a node that stays as it was, and the node's key."""
    export, proof = tmp_path / "log.jsonl", tmp_path / "release.tlog-proof"
    done = kizuna("audit", "export", export, "--node", untouched, "--json")
    assert done.status == 0
    assert done.json()["bytes"] == export.stat().st_size
    assert kizuna("audit", "prove", "2", "--out", proof, "--node", untouched).status == 0
    return export, proof, done.json()["key"]


def test_the_log_is_shown_in_order_and_what_is_left_out_is_said(untouched):
    whole = kizuna("audit", "log", "--node", untouched, "--json").json()
    assert [entry["index"] for entry in whole["entries"]] == list(range(whole["size"]))
    assert whole["left_out"] == 0
    assert {"node.created", "agreement.recorded", "partner.pinned", "product.published"} <= {e["kind"] for e in whole["entries"]}
    some = kizuna("audit", "log", "--node", untouched, "--limit", "3")
    assert some.out.count("by authority of:") == 3
    assert "the node of JPN/IQPS was made" in some.out
    assert f"{whole['size'] - 3} more entries follow" in some.err
    last = whole["entries"][-1]["recorded_at"]
    since = kizuna("audit", "log", "--node", untouched, "--since", last, "--json").json()
    assert [e["recorded_at"] for e in since["entries"]] == [
        e["recorded_at"] for e in whole["entries"] if e["recorded_at"] >= last
    ]
    assert kizuna("audit", "log", "--node", untouched, "--since", "yesterday").status == 2


def test_files_verify_offline_and_changed_ones_are_named(files, tmp_path):
    export, proof, key = files
    nowhere = tmp_path / "nowhere"
    done = kizuna("audit", "verify", export, "--key", key, "--json", cwd=tmp_path)
    assert (done.status, done.json()["verified"], done.json()["key_known"]) == (0, True, True)
    assert "The file itself names the key" in kizuna("audit", "verify", export, cwd=tmp_path).out
    done = kizuna("audit", "verify", proof, "--key", key, "--json")
    assert (done.status, done.json()["index"]) == (0, 2)
    # A proof names no key.
    done = kizuna("audit", "verify", proof, "--json", cwd=tmp_path)
    assert (done.status, done.fault()["field"]) == (2, "key")
    assert kizuna("audit", "verify", export, "--node", nowhere).status == 2
    lines = export.read_bytes().splitlines(keepends=True)
    export.write_bytes(b"".join([*lines[:3], *lines[4:]]))
    done = kizuna("audit", "verify", export, "--key", key, "--json")
    assert (done.status, done.fault()["kind"], done.fault()["field"]) == (1, "LogDamaged", "entries.2.place")


def test_a_node_holds_a_file_against_the_key_that_it_knows(files, stocked_once):
    export, proof, key = files
    # Another node of the same organisation: it knows another key under the same name.
    other = stocked_once[0].jpn
    done = kizuna("audit", "verify", export, "--node", other, "--json")
    assert (done.status, done.fault()["field"]) == (1, "header.key")
    assert kizuna("audit", "verify", proof, "--node", other, "--json").fault()["field"] == "proof.checkpoint"
    # The key that is given goes before the one that the node knows.
    assert kizuna("audit", "verify", proof, "--node", other, "--key", key).status == 0


def test_the_printed_verifier_verifies(files, tmp_path):
    export, proof, key = files
    program = tmp_path / "verify_log.py"
    program.write_text(kizuna("audit", "verifier").out, encoding="utf-8")
    for file in (export, proof):
        command = [sys.executable, "-I", "-S", program, file, "--key", key, "--json"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        assert json.loads(ran.stdout)["verified"]
    told = kizuna("audit", "verifier", "--json").json()
    assert told["digest"] == digest_of(program.read_bytes())
    assert program.read_bytes() == Path(verify_log.__file__).read_bytes()


def test_exports_are_whole_or_absent(untouched, tmp_path):
    file = tmp_path / "log.jsonl"
    done = kizuna("audit", "export", file, "--from", "999", "--node", untouched, "--json")
    assert (done.status, done.fault()["field"]) == (2, "from")
    assert list(tmp_path.iterdir()) == []
    assert kizuna("audit", "export", file, "--private", "--from", "1", "--to", "3", "--node", untouched).status == 0
    assert kizuna("audit", "verify", file, "--json").json()["disclosed"] == 0
    assert kizuna("audit", "prove", "999", "--node", untouched).status == 2
    assert kizuna("audit", "verify", "--key", "x+y+z", "--node", untouched).status == 2
    assert kizuna("audit", "verify", file, "--key", "x+y+z").status == 2


def test_nodes_witness_each_other_by_files(pair, tmp_path):
    ask, cosigned = tmp_path / "ask", tmp_path / "cosigned"
    pair.meet("https://127.0.0.1:1")
    before = kizuna("audit", "witness", "list", "--node", pair.ukr, "--json").json()
    assert [(line["partner"], line["seen"]) for line in before] == [("JPN/IQPS", 0)]
    assert kizuna("audit", "witness", "ask", ask, "--node", pair.jpn).status == 0
    assert kizuna("audit", "witness", "cosign", "JPN", ask, "--out", cosigned, "--node", pair.ukr).status == 0
    assert kizuna("audit", "witness", "take", "UKR", cosigned, "--node", pair.jpn).status == 0
    (line,) = kizuna("audit", "witness", "list", "--node", pair.jpn, "--json").json()
    assert line["cosigned"] > 0
    assert not line["forked"]
    export = tmp_path / "log.jsonl"
    assert kizuna("audit", "export", export, "--node", pair.jpn).status == 0
    done = kizuna("audit", "verify", export, "--witness", line["key"], "--node", pair.ukr, "--json").json()
    assert [found["witness"] for found in done["cosigned"]] == ["kizuna/UKR/HUR"]
    assert done["key_known"]
    # The same request again starts from nothing, and more was seen.
    again = kizuna("audit", "witness", "cosign", "JPN", ask, "--out", cosigned, "--node", pair.ukr, "--json")
    assert (again.status, again.fault()["field"]) == (1, "old")
    assert kizuna("audit", "witness", "list", "--node", pair.ukr).out.startswith("partner")
