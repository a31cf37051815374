"""A product's label becomes a confidentiality label and comes back; what the other form cannot hold is an error that names it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.formats.label_xml import read_label_xml, write_label_xml
from kizuna.model.confidentiality import CategoryValues, IdentifierType, LabelRole, Succession
from kizuna.model.instants import parse_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import parse_party
from kizuna.release.labels import confidentiality_of, label_of

JPN, UKR, HUR = (parse_party(code) for code in ("JPN", "UKR", "UKR/HUR"))
LABEL = Label(
    policy="JPN",
    classification="秘",
    originator=JPN,
    created=parse_instant("2025-06-22"),
    releasable_to=(UKR, HUR),
    categories=(Category("Handling", CategoryType.RESTRICTIVE, ("EYES ONLY",)),),
    caveats=("取扱注意",),
    review=parse_instant("2030-06-22"),
)
CONFIDENTIALITY = confidentiality_of(LABEL)
TWICE = Category("A", CategoryType.RESTRICTIVE, ("1",)), Category("a", CategoryType.RESTRICTIVE, ("2",))


def test_each_part_has_its_place():
    information = CONFIDENTIALITY.information
    assert (information.policy, information.classification, information.privacy_mark) == ("JPN", "秘", "取扱注意")
    assert information.categories == (
        CategoryValues("Releasable To", CategoryType.PERMISSIVE, ("UKR", "UKR/HUR")),
        CategoryValues("Handling", CategoryType.RESTRICTIVE, ("EYES ONLY",)),
    )
    assert (CONFIDENTIALITY.originator, CONFIDENTIALITY.originator_type) == ("JPN", IdentifierType.URI)
    assert (CONFIDENTIALITY.role, CONFIDENTIALITY.created, CONFIDENTIALITY.review) == (
        LabelRole.ORIGINATOR,
        LABEL.created,
        LABEL.review,
    )


def test_no_limit_is_no_category():
    assert (
        confidentiality_of(replace(LABEL, releasable_to=None)).information.categories
        == CONFIDENTIALITY.information.categories[1:]
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"releasable_to": ()}, "releasable_to"),
        ({"caveats": ("one", "two")}, "caveats"),
        ({"categories": (Category("releasable TO", CategoryType.PERMISSIVE, ("UKR",)),)}, "categories"),
        ({"categories": (Category("A", CategoryType.RESTRICTIVE, ()),)}, "categories"),
        (
            {"categories": TWICE},
            "categories",
        ),
        ({"review": parse_instant("2020-01-01")}, "review"),
    ],
)
def test_what_a_confidentiality_label_cannot_hold_is_refused_by_name(changes, field):
    with pytest.raises(InputError, match=f"^{field}: ") as caught:
        confidentiality_of(replace(LABEL, **changes))
    assert caught.value.field == field


def said(**changes):
    return {"information": replace(CONFIDENTIALITY.information, **changes)}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"created": None}, "created"),
        ({"originator": None}, "originator"),
        ({"originator": "Kochi"}, "originator"),
        ({"originator_type": IdentifierType.MAIL}, "originator"),
        ({"role": LabelRole.ALTERNATIVE}, "role"),
        ({"successions": (Succession(CONFIDENTIALITY.information, parse_instant("2040-01-01")),)}, "successions"),
        ({"review": parse_instant("2020-01-01")}, "review"),
        (said(policy_uri="urn:oid:1.2.3"), "policy_uri"),
        (said(categories=(CategoryValues("A", CategoryType.RESTRICTIVE, ("1",), "urn:oid:1.2.3.4"),)), "categories"),
        (said(categories=(CategoryValues("A", CategoryType.RESTRICTIVE, ()),)), "categories"),
        (said(categories=(CategoryValues("A", CategoryType.RESTRICTIVE, ("1",)),) * 2), "categories"),
        (said(categories=(CategoryValues("Releasable To", CategoryType.PERMISSIVE, ("NATO",)),)), "releasable_to"),
    ],
)
def test_what_a_products_label_cannot_hold_is_refused_by_name(changes, field):
    with pytest.raises(InputError, match=f"^{field}: ") as caught:
        label_of(replace(CONFIDENTIALITY, **changes))
    assert caught.value.field == field


def test_the_identifier_of_the_policy_comes_and_goes_where_it_is_named():
    one = confidentiality_of(LABEL, policy_uri="urn:oid:1.2.3")
    assert one.information.policy_uri == "urn:oid:1.2.3"
    assert label_of(one, policy_uri="urn:oid:1.2.3") == LABEL


parties = st.lists(st.sampled_from([JPN, UKR, HUR]), min_size=1, unique=True).map(tuple)
texts = st.text("秘AZ az09-", min_size=1, max_size=12).map(lambda text: " ".join(text.split())).filter(bool)
categories = st.lists(
    st.builds(Category, texts, st.sampled_from(CategoryType), st.lists(texts, min_size=1, max_size=3).map(tuple)),
    max_size=3,
    unique_by=lambda category: (category.tag.casefold(), category.type),
).map(tuple)


@given(
    st.builds(
        Label,
        policy=texts,
        classification=texts,
        originator=st.sampled_from([JPN, HUR]),
        created=st.just(LABEL.created),
        releasable_to=st.none() | parties,
        categories=categories,
        caveats=st.just(()) | texts.map(lambda text: (text,)),
        review=st.sampled_from([None, LABEL.review]),
    )
)
def test_there_and_back_nothing_is_lost_not_even_by_way_of_a_file(label):
    confidentiality = confidentiality_of(label)
    assert label_of(confidentiality) == label
    # The file form asks for a review, which a product's label may leave out.
    if label.review is not None:
        assert label_of(read_label_xml(write_label_xml(confidentiality))) == label
