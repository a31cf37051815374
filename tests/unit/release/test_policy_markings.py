"""A label is marked as its policy prescribes it: phrases, languages, places, prefixes and separators."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.security_policies import ACME, information, label

from kizuna.errors import InputError
from kizuna.release.policies import (
    Classification,
    MarkingCode,
    MarkingData,
    Markings,
    PolicyIdentifier,
    PrivacyMark,
    Qualifier,
    QualifierCode,
    SecurityPolicy,
    Tag,
    TagCategory,
    TagSet,
    TagType,
    UserInput,
)
from kizuna.release.policy_markings import clearance_marking, marking
from kizuna.release.policy_rules import Clearance

BOTTOM = MarkingCode.PAGE_BOTTOM
ONE = label("TEST", "LOW")


def data(phrase=None, *codes, language=None):
    return MarkingData(codes or (BOTTOM,), phrase, language)


def policy_with(*, level=(), category=(), tag=(), policy=(), name=(), privacy_marks=(), of_all=(), user_input=None):
    """Policy TEST whose one classification LOW and category T X are marked by these."""
    value = TagCategory("X", "1", Markings(tuple(category)), user_input=user_input)
    return SecurityPolicy(
        PolicyIdentifier("TEST", "1.2.3", Markings(tuple(name))),
        (Classification("LOW", 1, 1, markings=Markings(tuple(level))),),
        (TagSet("T", "1.2.3.4", (Tag("T", TagType.INFORMATIVE, (value, TagCategory("Y", "2")), tuple(tag)),)),),
        privacy_marks=privacy_marks,
        markings=Markings(
            tuple(one for one in policy if isinstance(one, MarkingData)),
            tuple(one for one in policy if isinstance(one, Qualifier)),
        ),
        classification_markings=Markings(tuple(of_all)),
    )


def test_without_any_prescription_names_stand():
    assert marking(policy_with(), label("TEST", "low", ".T: y, x")) == "TEST LOW X/Y"


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "ACME CONFIDENTIAL REL TO MOCK, PHONY STAFF RED BLUE"),
        ("fr", "ACME CONFIDENTIEL REL TO MOQUER, PHONY STAFF RED BLUE"),
        ("fr-CA", "ACME CONFIDENTIEL REL TO MOQUER, PHONY STAFF RED BLUE"),
        ("FR_ca", "ACME CONFIDENTIEL REL TO MOQUER, PHONY STAFF RED BLUE"),
        ("ja", "ACME CONFIDENTIAL REL TO MOCK, PHONY STAFF RED BLUE"),
    ],
)
def test_a_line_has_the_language_that_is_asked_for_and_the_order_of_the_policy(language, line):
    one = label("ACME", "CONFIDENTIAL", "+Sensitive: BLUE, RED", ".Administrative: STAFF", "Releasable To: PHONY, MOCK")
    assert marking(ACME, one, language) == line


def test_a_phrase_without_language_holds_for_all_that_have_none():
    policy = policy_with(level=[data("plain"), data("clair", language="fr")])
    assert [marking(policy, ONE, language) for language in ("en", "fr", "fr-CA")] == ["TEST plain", "TEST clair", "TEST clair"]


def test_the_language_of_a_region_is_not_the_language():
    policy = policy_with(level=[data("clair", language="fr-CA")])
    assert marking(policy, ONE, "fr") == "TEST LOW"
    assert marking(policy, ONE, "fr-CA") == "TEST clair"


@pytest.mark.parametrize(
    ("codes", "line"),
    [
        ((MarkingCode.PAGE_BOTTOM,), "TEST phrase"),
        ((MarkingCode.PAGE_TOP,), "TEST phrase"),
        ((MarkingCode.PAGE_TOP_BOTTOM,), "TEST phrase"),
        ((MarkingCode.DOCUMENT_START,), "TEST phrase"),
        ((MarkingCode.PORTION_MARKING,), "TEST LOW"),
        ((MarkingCode.WATER_MARK,), "TEST LOW"),
        ((MarkingCode.NO_MARKING_DISPLAY,), "TEST LOW"),
        # The phrase stands, without the name.
        ((MarkingCode.NO_NAME_DISPLAY,), "TEST phrase"),
        ((MarkingCode.NO_NAME_DISPLAY, MarkingCode.NO_MARKING_DISPLAY), "TEST"),
        ((MarkingCode.REPLACE_POLICY,), "phrase LOW"),
        ((MarkingCode.REPLACE_POLICY, MarkingCode.NO_NAME_DISPLAY), "phrase"),
    ],
)
def test_codes_of_a_phrase(codes, line):
    assert marking(policy_with(level=[data("phrase", *codes)]), ONE) == line


def test_a_place_has_its_own_phrase():
    policy = policy_with(
        level=[
            data("(L)", MarkingCode.PORTION_MARKING),
            data("START", MarkingCode.DOCUMENT_START),
            data("TOP", MarkingCode.PAGE_TOP),
        ]
    )
    assert marking(policy, ONE) == "TEST TOP"
    assert marking(policy, ONE, places=(MarkingCode.PORTION_MARKING,)) == "TEST (L)"
    assert marking(policy, ONE, places=(MarkingCode.DOCUMENT_START,)) == "TEST START"
    assert marking(policy, ONE, places=(MarkingCode.SUBJECT,)) == "TEST LOW"


def test_a_name_that_is_not_displayed_leaves_no_separator():
    policy = policy_with(category=[data(None, MarkingCode.NO_NAME_DISPLAY)], tag=[Qualifier(QualifierCode.PREFIX, "- ")])
    assert marking(policy, label("TEST", "LOW", ".T: X")) == "TEST LOW"
    assert marking(policy, label("TEST", "LOW", ".T: X, Y")) == "TEST LOW - Y"


def test_a_category_can_stand_for_the_classification():
    policy = policy_with(category=[data("LOW-X", MarkingCode.SUPPRESS_CLASS_NAME)])
    assert marking(policy, label("TEST", "LOW", ".T: X")) == "TEST LOW-X"
    assert marking(policy, label("TEST", "LOW", ".T: Y")) == "TEST LOW Y"


def test_the_policy_name_is_replaced_by_itself_before_the_classification_before_a_category():
    replacing = MarkingCode.REPLACE_POLICY
    category = [data("BY CATEGORY", replacing, MarkingCode.NO_NAME_DISPLAY)]
    one = label("TEST", "LOW", ".T: X")
    assert marking(policy_with(category=category), one) == "BY CATEGORY LOW"
    assert marking(policy_with(category=category, level=[data("BY LEVEL", replacing)]), one) == "BY LEVEL LOW"
    policy = policy_with(category=category, level=[data("BY LEVEL", replacing)], policy=[data("", replacing)])
    assert marking(policy, one) == "LOW"
    # What replaces it in all languages does so in each, beside a phrase of that language.
    cosmic = policy_with(level=[data("COSMIC", replacing), data("TRES SECRET", language="fr")])
    assert marking(cosmic, ONE, "fr") == "COSMIC TRES SECRET"


def test_the_policy_name_has_a_phrase_of_its_own():
    assert marking(policy_with(name=[data("The Test")]), ONE) == "The Test LOW"


def test_the_whole_line_has_its_prefix_suffix_and_separator():
    around = [
        Qualifier(QualifierCode.PREFIX, "[ "),
        Qualifier(QualifierCode.SUFFIX, " ]"),
        Qualifier(QualifierCode.SEPARATOR, "//"),
    ]
    assert marking(policy_with(policy=around), label("TEST", "LOW", ".T: X, Y")) == "[ TEST//LOW//X/Y ]"


def test_qualifiers_have_languages_and_places_too():
    tag = [
        Qualifier(QualifierCode.PREFIX, "Releasable to "),
        Qualifier(QualifierCode.PREFIX, "Communicable à ", language="fr"),
        Qualifier(QualifierCode.SEPARATOR, ", "),
        Qualifier(QualifierCode.SUFFIX, "!", place=MarkingCode.PORTION_MARKING),
    ]
    one = label("TEST", "LOW", ".T: X, Y")
    assert marking(policy_with(tag=tag), one) == "TEST LOW Releasable to X, Y"
    assert marking(policy_with(tag=tag), one, "fr") == "TEST LOW Communicable à X, Y"
    assert marking(policy_with(tag=tag), one, places=(MarkingCode.PORTION_MARKING,)) == "TEST LOW Releasable to X, Y!"


def test_what_holds_for_all_classifications_holds_where_one_has_nothing():
    of_all = [data(None, MarkingCode.NO_NAME_DISPLAY)]
    assert marking(policy_with(of_all=of_all), ONE) == "TEST"
    assert marking(policy_with(of_all=of_all, level=[data("low")]), ONE) == "TEST low"


def test_what_somebody_wrote_is_displayed_as_written():
    policy = policy_with(user_input=UserInput.DATE)
    assert marking(policy, label("TEST", "LOW", ".T: 2030-01-01")) == "TEST LOW 2030-01-01"


def test_the_privacy_mark_closes_the_line():
    assert marking(policy_with(), label("TEST", "LOW", mark="for Aiko")) == "TEST LOW for Aiko"
    policy = policy_with(privacy_marks=(PrivacyMark("STAFF", markings=Markings((data("Staff only"),))),))
    assert marking(policy, label("TEST", "LOW", mark="staff")) == "TEST LOW Staff only"


@pytest.mark.parametrize(
    "one", [label("OTHER", "LOW"), label("TEST", "HIGH"), label("TEST", "LOW", ".T: Z"), label("TEST", "LOW", "+T: X")]
)
def test_what_the_policy_does_not_know_is_not_marked(one):
    with pytest.raises(InputError, match="unknown"):
        marking(policy_with(), one)


def test_clearances_name_their_classifications_lowest_first():
    categories = information("ACME", "PUBLIC", "+Sensitive: RED", "Releasable To: MOCK").categories
    assert clearance_marking(ACME, Clearance("ACME", ("INTERNAL", "public"), categories)) == "{PUBLIC|INTERNAL} REL TO MOCK RED"
    assert clearance_marking(ACME, Clearance("ACME", ("INTERNAL",)), "fr") == "{INTERNE}"


@pytest.mark.parametrize(
    "clearance",
    [
        Clearance("OTHER", ("PUBLIC",)),
        Clearance("ACME", ("SECRET",)),
        Clearance("ACME", (), information("ACME", "PUBLIC", "+Sensitive: GREEN").categories),
    ],
)
def test_an_unknown_clearance_is_not_marked(clearance):
    with pytest.raises(InputError, match="unknown"):
        clearance_marking(ACME, clearance)


def test_a_marking_leaves_out_no_category_whatever_its_tag_is_called():
    nameless = tuple(replace(tag, name="") for tag in policy_with().tag_sets[0].tags)
    policy = replace(policy_with(), tag_sets=(TagSet("T", "1.2.3.4", nameless),))
    assert marking(policy, label("TEST", "LOW", ".T: X")) == "TEST LOW X"
