"""``kizuna release view|diff|trap``: on a node, and on files without one."""

from __future__ import annotations

import pytest
from simulators.coalition import labelled, published, small_tiff
from simulators.processes import kizuna

from kizuna.wiring import open_node

BEFORE, SINCE = "2025-05-01", "2025-07-01"
FICTIONAL = ["--accept-fictional", "IQPS-HUR-2025", "--accept-fictional", "JPN-UKR-ISA-2024"]


@pytest.fixture
def files(tmp_path):
    """Three labelled files: one for all, one classified, one for nobody."""
    one = labelled(small_tiff(tmp_path / "open.tif", seed=1), created="2025-04-01T00:00:00Z")
    two = labelled(
        small_tiff(tmp_path / "classified.tif", seed=2),
        classification='"秘"',
        originator='"JPN"',
        created="2025-04-01T00:00:00Z",
    )
    three = labelled(small_tiff(tmp_path / "nobody.tif", seed=3), created="2025-04-01T00:00:00Z", releasable_to="[]")
    return [one, two, three]


def view(files, partner, *more):
    return kizuna("release", "view", *files, "--to", partner, "--json", *FICTIONAL, *more)


def test_a_view_lists_what_may_go_and_in_which_form(files):
    done = view(files, "UKR/HUR", "--valid-at", SINCE)
    assert done.status == 0
    form = done.json()
    assert form["counts"] == {"permit": 2, "deny": 1, "refer": 0}
    forms = {p["product"]: (p["outcome"], {o["kind"] for o in p["obligations"]}) for p in form["products"]}
    assert forms == {"open.tif": ("permit", {"caveat", "no-onward"}), "classified.tif": ("permit", {"no-onward", "re-mark"})}


def test_a_view_of_another_day_is_another_view(files):
    assert view(files, "UKR", "--valid-at", BEFORE).json()["counts"]["permit"] == 0
    later = view(files, "UKR", "--valid-at", SINCE).json()
    assert [p["product"] for p in later["products"]] == ["classified.tif"]
    # What was not known on that day lets nothing go, whatever day is asked about.
    assert view(files, "UKR", "--valid-at", SINCE, "--known-at", "2025-01-01").json()["counts"]["permit"] == 0


def test_a_view_leaves_out_what_is_refused_unless_all_is_asked_for(files):
    plain = kizuna("release", "view", *files, "--to", "UKR/HUR", "--valid-at", SINCE, *FICTIONAL)
    assert "open.tif" in plain.out
    assert "nobody.tif" not in plain.out
    everything = kizuna("release", "view", *files, "--to", "UKR/HUR", "--valid-at", SINCE, "--all", *FICTIONAL)
    assert "nobody.tif" in everything.out
    assert "releases it to nobody" in everything.out


def test_a_difference_between_two_days_is_what_the_agreement_brought(files):
    done = kizuna("release", "diff", *files, "--to", "UKR", "--between", BEFORE, SINCE, "--json", *FICTIONAL)
    form = done.json()
    assert (done.status, [shift["product"] for shift in form["gained"]], form["lost"]) == (0, ["classified.tif"], [])
    assert form["gained"][0]["before"]["changes"] == ["in force from 2025-06-21 (JPN-UKR-ISA-2024)"]
    back = kizuna("release", "diff", *files, "--to", "UKR", "--between", SINCE, BEFORE, "--json", *FICTIONAL).json()
    assert [shift["product"] for shift in back["lost"]] == ["classified.tif"]


@pytest.mark.parametrize("verb", ["suspend", "withdraw"])
def test_what_a_suspension_or_withdrawal_would_cost_is_said_product_by_product(files, verb):
    ask = ["release", "diff", *files, "--to", "UKR/HUR", "--if", f"{verb}:IQPS-HUR-2025", "--valid-at", SINCE, *FICTIONAL]
    form = kizuna(*ask, "--json").json()
    assert [shift["product"] for shift in form["lost"]] == ["open.tif"]
    assert form["gained"] == form["changed"] == []
    plain = kizuna(*ask)
    assert "open.tif" in plain.out
    assert "1 lost" in plain.out


def test_what_a_resumption_would_bring_is_said_too(files, tmp_path):
    register = tmp_path / "register"
    register.mkdir()
    (register / "A.toml").write_text(
        """
schema = "kizuna/agreement/1"
id = "A"
version = 1
title = "Imagery"
kind = "sharing"
parties = ["JPN/IQPS", "UKR/HUR"]
recorded = 2025-01-01

[in_force]
from = 2025-01-01

[[articles]]
number = "1"
title = "Imagery"
givers = ["JPN/IQPS"]
receivers = ["UKR/HUR"]
kinds = ["imagery"]
policy = "JPN"
ceiling = "UNCLASSIFIED"

[[suspensions]]
from = 2025-03-01
until = "unknown"
recorded = 2025-03-01
reason = "A review."
""",
        encoding="utf-8",
    )
    ask = ["release", "diff", *files, "--to", "UKR/HUR", "--agreements", register, "--valid-at", SINCE, "--json"]
    assert [shift["product"] for shift in kizuna(*ask, "--if", "resume:A").json()["gained"]] == ["open.tif"]
    assert kizuna(*ask, "--if", "suspend:A").json()["gained"] == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ([], "between"),
        (["--between", BEFORE, SINCE, "--if", "suspend:IQPS-HUR-2025"], "between"),
        (["--if", "suspend:NOBODY"], "if"),
        (["--if", "burn:IQPS-HUR-2025"], "if"),
        (["--if", "suspend"], "if"),
        (["--between", "yesterday", SINCE], "between"),
        (["--if", "suspend:IQPS-HUR-2025", "--known-at", "2024-01-01"], "if"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(files, arguments, field):
    done = kizuna("release", "diff", *files, "--to", "UKR/HUR", "--json", *FICTIONAL, *arguments)
    assert done.status == 2
    assert f'"field": "{field}"' in done.err


def test_a_node_answers_for_what_it_knew_then(pair, tmp_path):
    published(pair.jpn, labelled(small_tiff(tmp_path / "harbour.tif")))
    with open_node(pair.jpn) as node:
        known = [fact.recorded_at for _index, fact in node.journal.facts() if fact.kind.value == "product.published"]
    ask = ["release", "view", "--to", "UKR/HUR", "--node", pair.jpn, "--json"]
    now = kizuna(*ask).json()
    assert (now["counts"]["permit"], len(now["products"])) == (1, 1)
    earlier = kizuna(*ask, "--known-at", known[0].replace(year=known[0].year - 1).isoformat()).json()
    assert (earlier["counts"], earlier["products"]) == ({"permit": 0, "deny": 0, "refer": 0}, [])
    lost = kizuna("release", "diff", "--to", "UKR/HUR", "--if", "suspend:IQPS-HUR-2025", "--node", pair.jpn, "--json").json()
    assert [shift["title"] for shift in lost["lost"]] == [now["products"][0]["title"]]
    refused = kizuna(*ask, "--accept-fictional", "IQPS-HUR-2025")
    assert refused.status == 2


def test_the_trap_of_may_and_june_2025():
    done = kizuna("release", "trap", "--json")
    form = done.json()
    assert (done.status, form["ok"]) == (0, True)
    told = {(q["register"], q["valid_at"], q["known"]): q["outcome"] for q in form["questions"]}
    assert told == {
        ("real", "2025-05-01", "then"): "deny",
        ("real", "2025-05-01", "now"): "deny",
        ("real", "2025-06-22", "then"): "deny",
        ("real", "2025-06-22", "now"): "deny",
        ("supplement", "2025-05-01", "then"): "deny",
        ("supplement", "2025-05-01", "now"): "deny",
        ("supplement", "2025-06-22", "then"): "permit",
        ("supplement", "2025-06-22", "now"): "permit",
    }
    assert all(q["faults"] for q in form["questions"] if q["register"] == "real")
    assert all(r["fictional"] for q in form["questions"] if q["register"] == "supplement" for r in q["reasons"])
    plain = kizuna("release", "trap")
    assert plain.status == 0
    assert "FICTIONAL" in plain.out


def test_files_are_decided_by_the_register_of_the_node_that_is_named(files, pair, tmp_path):
    ask = ["release", "explain", files[0], "--to", "UKR/HUR", "--valid-at", SINCE, "--json"]
    # The sample without its supplement has no article that lets it go; the node was given one.
    assert kizuna(*ask).json()["outcome"] == "deny"
    named = kizuna(*ask, "--node", pair.jpn)
    assert named.json()["outcome"] == "permit"
    assert kizuna(*ask, env={"KIZUNA_NODE": str(pair.jpn)}).json() | {"known_at": ""} == named.json() | {"known_at": ""}
    viewed = kizuna("release", "view", files[0], "--to", "UKR/HUR", "--valid-at", SINCE, "--node", pair.jpn, "--json")
    assert viewed.json()["counts"]["permit"] == 1
    both = kizuna(*ask, "--node", pair.jpn, "--accept-fictional", "IQPS-HUR-2025")
    assert (both.status, both.fault()["field"]) == (2, "agreements")
    # What is named beats what merely lies in the environment.
    assert kizuna(*ask, *FICTIONAL, env={"KIZUNA_NODE": str(tmp_path)}).json()["outcome"] == "permit"
    product = "a" * 26
    other = kizuna("release", "explain", product, "--to", "UKR/HUR", "--node", pair.jpn, "--accept-ladder", "JPN", "--json")
    assert (other.status, other.fault()["field"]) == (2, "agreements")
