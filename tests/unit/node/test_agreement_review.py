"""What a reviewer is told of an agreement that reads without fault."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.nodes import agreement

from kizuna.errors import InputError
from kizuna.formats.agreement import NO_CIVIL_DATES, read_agreement
from kizuna.node.agreement_review import review, review_versions
from kizuna.release.agreements import AgreementKind
from kizuna.release.decision import Obligation, ObligationKind
from kizuna.release.view import APPLICABLE
from kizuna.wiring import load_register

REGISTER = load_register(None, (), ())
PAIR = {
    "policy": "JPN",
    "marking": "秘",
    "to_policy": "UKR",
    "to_marking": "Таємно",
    "article": "4",
    "basis": "text",
    "verified": True,
}
ABOUT = {"earliest": "2025-01-01", "latest": "2025-02-01", "text": "about"}
AREA = {"name": "x", "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}}


def read(**changes):
    return read_agreement(agreement(**{"sources": ["x"]} | changes), NO_CIVIL_DATES)[0]


def fields(made):
    return [remark.field for remark in review(made, REGISTER)]


def test_a_plain_agreement_leaves_nothing_to_say():
    assert fields(read(equivalences=[PAIR])) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sources": []}, "sources"),
        ({"in_force": {"from": "unknown"}}, "in_force.from"),
        ({"in_force": {"from": ABOUT}}, "in_force.from"),
        ({"in_force": {"from": "2025-01-01T00:00:00Z", "until": "unknown"}}, "in_force.until"),
        ({"kind": "declaration"}, "kind"),
        ({"kind": "information-security"}, "kind"),
        ({"articles": []}, "kind"),
        ({"article": {"ceiling": "unknown"}}, "articles[0].ceiling"),
        ({"article": {"ceiling": "no such marking"}}, "articles[0].ceiling"),
        ({"article": {"policy": "XYZ"}}, "articles[0].ceiling"),
        ({"article": {"policy": "USA", "ceiling": "SECRET"}}, "articles[0].ceiling"),
        ({"article": {"kinds": []}}, "articles[0]"),
        ({"article": {"kinds": ["imagery", "imagry"]}}, "articles[0].kinds"),
        ({"article": {"acquired": {"from": "unknown"}}}, "articles[0].acquired.from"),
        ({"equivalences": [PAIR | {"verified": False}]}, "equivalences[0].verified"),
        ({"equivalences": [PAIR | {"marking": "?"}]}, "equivalences[0].marking"),
        ({"equivalences": [PAIR | {"to_marking": "?"}]}, "equivalences[0].to_marking"),
        ({"equivalences": [PAIR | {"from": "unknown"}]}, "equivalences[0].from"),
    ],
)
def test_each_thing_that_lets_nothing_go_is_told_once(changes, field):
    assert fields(read(**changes)) == [field]


def test_two_articles_of_one_number_are_told():
    one = read()
    assert fields(replace(one, articles=one.articles * 2)) == ["articles[1].number"]


@pytest.mark.parametrize("kind", ObligationKind)
def test_what_this_version_cannot_apply_is_told(kind):
    one = read()
    article = replace(one.articles[0], obligations=(Obligation(kind, "3", "SHARE", "3"),))
    told = fields(replace(one, articles=(article,)))
    # A delay is applied by waiting.
    assert told == ([] if kind in APPLICABLE or kind is ObligationKind.DELAY else ["articles[0].obligations[0]"])


def versions(*terms):
    return [
        replace(read(version=number, in_force=dict(zip(("from", "until"), term[1:], strict=False)), recorded=term[0]))
        for number, term in enumerate(terms, start=1)
    ]


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        # Recorded, from, until.
        ([("2025-01-01", "2025-01-01")], []),
        ([("2025-01-01", "2025-01-01"), ("2025-06-01", "2025-06-01")], ["overlap"]),
        ([("2025-01-01", "2025-01-01", "2025-06-01"), ("2025-06-01", "2025-06-01")], []),
        ([("2025-01-01", "2025-01-01"), ("2025-06-01", "2026-01-01")], ["until then nothing goes"]),
        ([("2025-01-01", "unknown"), ("2025-06-01", "2026-01-01")], ["until then nothing goes"]),
        ([("2025-01-01", "2025-01-01", "2025-03-01"), ("2025-06-01", "2026-01-01")], []),
        ([("2025-06-01", "2025-06-01"), ("2025-01-01", "2025-06-01")], ["was known before", "overlap"]),
    ],
)
def test_what_versions_mean_for_each_other_is_told(terms, said):
    instants = [tuple(f"{part[:10]}T00:00:00Z" if part != "unknown" else part for part in term) for term in terms]
    told = list(review_versions(versions(*instants)[::-1]))
    assert all(version.version == 2 for version, _remark in told)
    assert len(told) == len(said)
    for (_version, remark), words in zip(told, said, strict=True):
        assert words in remark.message.render()


@pytest.mark.parametrize(
    ("applies", "begin", "said"),
    [
        ("2025-06-01", "2025-01-01", []),
        ("2025-06-01", "2025-06-01", []),
        ("2025-06-01", "2025-07-01", ["until then nothing goes"]),
        (None, "2025-07-01", ["until then nothing goes"]),
    ],
)
def test_a_version_with_a_date_of_its_own_leaves_a_gap_only_from_then_on(applies, begin, said):
    dated = {} if applies is None else {"applies_from": f"{applies}T00:00:00Z"}
    second = read(version=2, recorded="2025-05-01T00:00:00Z", in_force={"from": f"{begin}T00:00:00Z"}, **dated)
    told = list(review_versions([read(recorded="2025-01-01T00:00:00Z"), second]))
    assert len(told) == len(said)
    assert all(words in remark.message.render() for (_version, remark), words in zip(told, said, strict=True))


FILE = """schema = "kizuna/agreement/1"
id = "A"
version = {version}
title = "x"
kind = "declaration"
parties = ["JPN", "UKR"]
recorded = 2025-01-01
fictional = {fictional}
[in_force]
from = 2025-01-01
"""


def test_a_register_takes_one_file_of_a_version(tmp_path):
    (tmp_path / "fictional").mkdir()
    for name, version, fictional in (("a", 1, "false"), ("b", 1, "false"), ("c", 2, "false"), ("fictional/d", 2, "true")):
        (tmp_path / f"{name}.toml").write_text(FILE.format(version=version, fictional=fictional), encoding="utf-8")
    with pytest.raises(InputError, match=r"b\.toml: .*a\.toml is version 1 of A too") as caught:
        load_register(tmp_path, (), ())
    assert caught.value.field == "version"
    (tmp_path / "b.toml").unlink()
    # A supplement that nobody accepted is none of the register's.
    assert [agreement.version for agreement in load_register(tmp_path, (), ()).agreements] == [1, 2]
    with pytest.raises(InputError, match=r"d\.toml: .*c\.toml is version 2 of A too"):
        load_register(tmp_path, ("A",), ())


def test_two_files_of_one_version_are_told():
    one = read()
    ((version, remark),) = review_versions([one, replace(one, title="other")])
    assert (version.version, remark.field) == (1, "version")
    assert one.kind is AgreementKind.SHARING
