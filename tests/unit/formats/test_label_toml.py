"""Labels and clearances as TOML."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.formats.agreement import parse_toml, read_label_document
from kizuna.formats.label_toml import read_clearance, write_label_toml
from kizuna.model.confidentiality import CategoryValues
from kizuna.model.instants import parse_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import parse_party

CLEARANCE = """schema = "kizuna/clearance/1"
policy = "NATO"
policy_uri = "urn:oid:1.3.26.1.3.1"
classifications = ["SECRET", "RESTRICTED"]
[[categories]]
tag = "Context"
type = "permissive"
values = ["NATO"]
"""
# Texts that TOML must escape are among them: quotation marks, backslashes, what looks like an escape.
LINES = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Cn", "Zl", "Zp"]) | st.sampled_from("\"\\#=[]{}'"),
    min_size=1,
    max_size=20,
).filter(str.strip)
PARTIES = st.sampled_from(["JPN", "UKR/HUR", "FRA"]).map(parse_party)
LABELS = st.builds(
    Label,
    LINES,
    LINES,
    PARTIES,
    st.just(parse_instant("2025-06-22T01:02:03.000004Z")),
    st.none() | st.lists(PARTIES, max_size=3).map(tuple),
    st.lists(
        st.builds(Category, LINES, st.sampled_from(CategoryType), st.lists(LINES, min_size=1, max_size=3).map(tuple)), max_size=3
    ).map(tuple),
    st.lists(LINES, max_size=3).map(tuple),
    st.none() | st.just(parse_instant("2030-06-22")),
)


@given(LABELS)
def test_a_label_is_read_back(label):
    assert read_label_document(parse_toml(write_label_toml(label), name="label")) == label


def test_a_label_that_could_not_be_read_back_is_not_written():
    label = Label("JPN", "秘", parse_party("JPN"), parse_instant("2025-06-22"))
    for broken in (replace(label, policy=""), replace(label, caveats=("two\nlines",))):
        with pytest.raises(InputError):
            write_label_toml(broken)


def test_a_clearance_is_read():
    clearance = read_clearance(CLEARANCE.encode(), name="x")
    assert clearance.classifications == ("SECRET", "RESTRICTED")
    assert clearance.categories == (CategoryValues("Context", CategoryType.PERMISSIVE, ("NATO",)),)
    assert clearance.policy_uri == "urn:oid:1.3.26.1.3.1"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("clearance/1", "clearance/2", "schema"),
        ('"SECRET", "RESTRICTED"', "", "classifications"),
        ("policy =", "polcy =", "policy"),
        ('"permissive"', '"informative"', "categories[0].type"),
        ('values = ["NATO"]', "values = []", "categories[0].values"),
        ("[[categories]]", "more = 1\n[[categories]]", "more"),
    ],
)
def test_a_faulty_clearance_is_refused_by_field(old, new, field):
    assert old in CLEARANCE
    with pytest.raises(InputError) as refused:
        read_clearance(CLEARANCE.replace(old, new).encode(), name="x")
    assert refused.value.field == field
