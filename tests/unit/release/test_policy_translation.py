"""Labels become labels of another policy by its equivalences and in their direction, or what has no equivalent is named."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.security_policies import ACME, MOCK, information, label

from kizuna.model.confidentiality import LabelRole, Succession
from kizuna.model.instants import parse_instant
from kizuna.model.label import CategoryType
from kizuna.release.policies import (
    Applied,
    Classification,
    Equivalent,
    EquivalentCategory,
    EquivalentPolicy,
    EquivalentTagSet,
    Member,
    Operation,
    PolicyIdentifier,
    PrivacyMark,
    Requirement,
    SecurityPolicy,
    Tag,
    TagCategory,
    TagSet,
    TagType,
    UserInput,
)
from kizuna.release.policy_checks import check_policy
from kizuna.release.policy_rules import FindingKind, resolve_categories
from kizuna.release.translation import Direction, category_values, translate

ENCRYPT, DECRYPT = Direction.ENCRYPT, Direction.DECRYPT
HERE, THERE = "1.2.1", "1.2.2"
RED, BLUE, ANY = (Member("Colour", TagType.RESTRICTIVE, lacv) for lacv in ("1", "2", None))


def there(**fields):
    """The other policy: levels LOW and HIGH, colours, and who may have it."""
    colours = Tag("Colour", TagType.RESTRICTIVE, (TagCategory("RED", "1"), TagCategory("BLUE", "2")))
    who = Tag("To", TagType.PERMISSIVE, (TagCategory("JPN", "1"), TagCategory("UKR", "2")))
    when = Tag("Until", TagType.INFORMATIVE, (TagCategory("until", "1", user_input=UserInput.DATE),))
    return SecurityPolicy(
        PolicyIdentifier("THERE", THERE),
        (Classification("LOW", 1, 1), Classification("HIGH", 2, 2)),
        (TagSet("Colour", "1.2.2.1", (colours,)), TagSet("To", "1.2.2.2", (who,)), TagSet("Until", "1.2.2.3", (when,))),
        **fields,
    )


def to_category(lacv, applied=Applied.BOTH, *, tag_set="1.2.2.2", type_=TagType.PERMISSIVE, discard=False):
    return EquivalentCategory("other", tag_set, type_, lacv, applied, discard)


def here(levels, *, tags=(), required=(), set_equivalents=()):
    """Policy that knows THERE as ``other``; `levels` are equivalents of ONE, TWO and so on."""
    names = ("ONE", "TWO", "THREE")
    classifications = tuple(
        Classification(names[place], place, place, equivalents=tuple(several)) for place, several in enumerate(levels)
    )
    tag_sets = (TagSet("Set", "1.2.1.1", tags, set_equivalents),) if tags else ()
    policy = SecurityPolicy(
        PolicyIdentifier("HERE", HERE),
        classifications,
        tag_sets,
        equivalent_policies=(EquivalentPolicy("other", THERE, required),),
    )
    check_policy(policy)
    return policy


def to_level(lacv, applied=Applied.BOTH, *members, operation=Operation.ALL):
    return Equivalent("other", lacv, applied, (Requirement(operation, members),) if members else ())


def result(translation):
    """Classification and categories, or the refusals."""
    if translation.label is None:
        return [message.render() for message in translation.refusals]
    said = translation.label.information
    return said.classification, {values.tag: values.values for values in said.categories}


def test_the_label_stands_beside_the_original_with_all_that_is_not_the_policys():
    one = replace(label("MOCK", "CONFIDENTIAL", "REL: US ALL"), originator="JPN", review=parse_instant("2030-01-01"))
    translation = translate(MOCK, one, ACME, DECRYPT)
    assert translation.label == replace(
        one,
        role=LabelRole.ALTERNATIVE,
        information=replace(
            information("ACME", "CONFIDENTIAL", "Releasable To: MOCK"), policy_uri="urn:oid:1.3.6.1.4.1.31778.110.1"
        ),
    )
    assert translation.refusals == translation.findings == translation.discarded == ()


def test_both_ways_lead_there_and_back():
    one = label("ACME", "CONFIDENTIAL", "Releasable To: MOCK")
    away = translate(ACME, one, MOCK, ENCRYPT).label
    assert (away.information.classification, away.information.categories[0].values) == ("CONFIDENTIAL", ("US ALL",))
    assert translate(MOCK, away, ACME, DECRYPT).label.information.categories == one.information.categories


@pytest.mark.parametrize(
    ("applied", "encrypts", "decrypts"),
    [(Applied.ENCRYPT, True, False), (Applied.DECRYPT, False, True), (Applied.BOTH, True, True)],
)
def test_an_equivalence_leads_one_way_unless_it_says_both(applied, encrypts, decrypts):
    tag = Tag("Tag", TagType.PERMISSIVE, (TagCategory("A", "1", equivalents=(to_category("1", applied),)),))
    by_level, by_category = here([[to_level(2, applied)]]), here([[to_level(2)]], tags=(tag,))
    assert (result(translate(by_level, label("HERE", "ONE"), there(), ENCRYPT)) == ("HIGH", {})) is encrypts
    assert (result(translate(there(), label("THERE", "HIGH"), by_level, DECRYPT)) == ("ONE", {})) is decrypts
    assert (result(translate(by_category, label("HERE", "ONE", "Tag: A"), there(), ENCRYPT)) == ("HIGH", {"To": ("JPN",)})) is (
        encrypts
    )
    assert (result(translate(there(), label("THERE", "HIGH", "To: JPN"), by_category, DECRYPT)) == ("ONE", {"Tag": ("A",)})) is (
        decrypts
    )


def test_the_other_policy_states_nothing_for_us():
    assert result(translate(there(), label("THERE", "HIGH"), here([[to_level(2)]]), ENCRYPT)) == [
        "THERE and HERE have no equivalence"
    ]


def test_a_policy_is_known_by_its_identifier_and_not_by_its_name():
    policy = here([[to_level(2)]])
    another = replace(there(), identifier=PolicyIdentifier("other", "1.2.99"))
    assert result(translate(policy, label("HERE", "ONE"), another, ENCRYPT)) == ["HERE and other have no equivalence"]


def test_all_that_has_no_equivalent_is_named():
    tag = Tag("Tag", TagType.INFORMATIVE, (TagCategory("A", "1"), TagCategory("B", "2")))
    policy = here([[to_level(2)], []], tags=(tag,))
    assert result(translate(policy, label("HERE", "TWO", ".Tag: A, B"), there(), ENCRYPT)) == [
        "TWO has no equivalent in THERE",
        "Tag A has no equivalent in THERE",
        "Tag B has no equivalent in THERE",
    ]


@pytest.mark.parametrize("dangling", [Equivalent("other", 7, Applied.BOTH), Equivalent("other", 3, Applied.BOTH)])
def test_an_equivalent_that_the_other_policy_does_not_have_is_none(dangling):
    assert result(translate(here([[dangling]]), label("HERE", "ONE"), there(), ENCRYPT)) == ["ONE has no equivalent in THERE"]


def test_several_equivalents_are_for_a_person():
    policy = here([[to_level(1), to_level(2)]])
    assert result(translate(policy, label("HERE", "ONE"), there(), ENCRYPT)) == ["ONE has several equivalents in THERE"]
    policy = here([[to_level(2)], [to_level(2)]])
    assert result(translate(there(), label("THERE", "HIGH"), policy, DECRYPT)) == ["HIGH has several equivalents in HERE"]
    values = tuple(TagCategory(name, name, equivalents=(to_category("1"),)) for name in "AB")
    policy = here([[to_level(2)]], tags=(Tag("Tag", TagType.PERMISSIVE, values),))
    assert result(translate(there(), label("THERE", "HIGH", "To: JPN"), policy, DECRYPT)) == [
        "To JPN has several equivalents in HERE"
    ]


def test_one_category_may_become_several():
    category = TagCategory("A", "1", equivalents=(to_category("2"), to_category("1")))
    policy = here([[to_level(2)]], tags=(Tag("Tag", TagType.PERMISSIVE, (category,)),))
    assert result(translate(policy, label("HERE", "ONE", "Tag: A"), there(), ENCRYPT)) == ("HIGH", {"To": ("JPN", "UKR")})


def test_what_may_be_left_out_is_left_out_and_named():
    category = TagCategory("A", "1", equivalents=(to_category("", discard=True),))
    policy = here([[to_level(2)]], tags=(Tag("Tag", TagType.INFORMATIVE, (category,)),))
    translation = translate(policy, label("HERE", "ONE", ".Tag: A"), there(), ENCRYPT)
    assert result(translation) == ("HIGH", {})
    assert translation.discarded == ("Tag A",)


def test_what_may_be_left_out_on_the_way_there_does_not_come_back():
    category = TagCategory("A", "1", equivalents=(to_category("1", discard=True),))
    policy = here([[to_level(2)]], tags=(Tag("Tag", TagType.PERMISSIVE, (category,)),))
    assert result(translate(there(), label("THERE", "HIGH", "To: JPN"), policy, DECRYPT)) == ["To JPN has no equivalent in HERE"]


def test_what_the_equivalence_of_a_classification_requires_is_added():
    policy = here([[to_level(2, Applied.BOTH, RED, BLUE)]])
    assert result(translate(policy, label("HERE", "ONE"), there(), ENCRYPT)) == ("HIGH", {"Colour": ("RED", "BLUE")})


def test_what_the_equivalence_of_a_policy_requires_is_added():
    policy = here([[to_level(2)]], required=(Requirement(Operation.ONLY_ONE, (BLUE,)),))
    assert result(translate(policy, label("HERE", "ONE"), there(), ENCRYPT)) == ("HIGH", {"Colour": ("BLUE",)})


def test_what_the_use_of_a_tag_set_requires_is_added():
    category = TagCategory("A", "1", equivalents=(to_category("1"),))
    equivalent = EquivalentTagSet("other", required=(Requirement(Operation.ALL, (RED,)),))
    policy = here([[to_level(2)]], tags=(Tag("Tag", TagType.PERMISSIVE, (category,)),), set_equivalents=(equivalent,))
    assert result(translate(policy, label("HERE", "ONE"), there(), ENCRYPT)) == ("HIGH", {})
    assert result(translate(policy, label("HERE", "ONE", "Tag: A"), there(), ENCRYPT)) == (
        "HIGH",
        {"Colour": ("RED",), "To": ("JPN",)},
    )


@pytest.mark.parametrize("members", [(ANY,), (RED, BLUE)])
def test_what_leaves_a_choice_is_for_a_person(members):
    policy = here([[to_level(2, Applied.BOTH, *members, operation=Operation.ONE_OR_MORE)]])
    assert result(translate(policy, label("HERE", "ONE"), there(), ENCRYPT)) == [
        "THERE needs a category of Colour, which a person must choose"
    ]


def test_what_leaves_no_choice_any_more_needs_no_person():
    category = TagCategory("A", "1", equivalents=(to_category("2", tag_set="1.2.2.1", type_=TagType.RESTRICTIVE),))
    level = to_level(2, Applied.BOTH, RED, BLUE, operation=Operation.ONE_OR_MORE)
    policy = here([[level]], tags=(Tag("Tag", TagType.RESTRICTIVE, (category,)),))
    assert result(translate(policy, label("HERE", "ONE", "+Tag: A"), there(), ENCRYPT)) == ("HIGH", {"Colour": ("BLUE",)})


def test_too_much_of_what_is_required_once_is_refused():
    both = (
        to_category("1", tag_set="1.2.2.1", type_=TagType.RESTRICTIVE),
        to_category("2", tag_set="1.2.2.1", type_=TagType.RESTRICTIVE),
    )
    level = to_level(2, Applied.BOTH, RED, BLUE, operation=Operation.ONLY_ONE)
    policy = here([[level]], tags=(Tag("Tag", TagType.RESTRICTIVE, (TagCategory("A", "1", equivalents=both),)),))
    assert result(translate(policy, label("HERE", "ONE", "+Tag: A"), there(), ENCRYPT)) == [
        "THERE does not allow these categories of Colour"
    ]


def test_on_the_way_home_an_equivalence_holds_only_with_what_it_requires():
    policy = here([[to_level(1)], [to_level(1, Applied.BOTH, RED)]])
    assert result(translate(there(), label("THERE", "LOW"), policy, DECRYPT)) == ("ONE", {})
    # LOW with RED is what TWO equals; RED has then done its part.
    assert result(translate(there(), label("THERE", "LOW", "+Colour: RED"), policy, DECRYPT)) == ("TWO", {})
    assert result(translate(there(), label("THERE", "LOW", "+Colour: RED, BLUE"), policy, DECRYPT)) == [
        "Colour BLUE has no equivalent in HERE"
    ]
    policy = here([[to_level(1, Applied.BOTH, RED)]])
    assert result(translate(there(), label("THERE", "LOW"), policy, DECRYPT)) == ["LOW has no equivalent in HERE"]


def test_a_written_value_becomes_a_written_value_and_nothing_else():
    until = to_category("1", tag_set="1.2.2.3", type_=TagType.INFORMATIVE)
    written = TagCategory("day", "1", equivalents=(until,), user_input=UserInput.DATE)
    policy = here([[to_level(2)]], tags=(Tag("Day", TagType.INFORMATIVE, (written,)),))
    one = label("HERE", "ONE", ".Day: 2030-01-01")
    assert result(translate(policy, one, there(), ENCRYPT)) == ("HIGH", {"Until": ("2030-01-01",)})
    away = translate(policy, one, there(), ENCRYPT).label
    assert result(translate(there(), away, policy, DECRYPT)) == ("ONE", {"Day": ("2030-01-01",)})
    policy = here([[to_level(2)]], tags=(Tag("Day", TagType.INFORMATIVE, (replace(written, user_input=None),)),))
    assert result(translate(policy, label("HERE", "ONE", ".Day: day"), there(), ENCRYPT)) == [
        "Day day has no equivalent in THERE"
    ]


def test_an_invalid_label_is_not_translated():
    assert result(translate(ACME, label("ACME", "CONFIDENTIAL"), MOCK, ENCRYPT)) == [
        "CONFIDENTIAL needs one or more of: Releasable To MOCK, Releasable To PHONY"
    ]
    assert result(translate(ACME, label("ACME", "SECRET"), MOCK, ENCRYPT)) == ["unknown classification SECRET"]


def test_what_the_other_policy_excludes_is_refused_and_what_it_misses_is_said():
    translation = translate(MOCK, label("MOCK", "CONFIDENTIAL"), ACME, DECRYPT)
    assert translation.label is not None
    assert [finding.kind for finding in translation.findings] == [FindingKind.MISSING]
    level = replace(ACME.classifications[1], name="INTERNAL"), replace(ACME.classifications[2], name="CONFIDENTIAL")
    policy = replace(ACME, classifications=(ACME.classifications[0], *level))
    assert result(translate(MOCK, label("MOCK", "CONFIDENTIAL", "REL: US ALL"), policy, DECRYPT)) == [
        "Releasable To MOCK does not go with INTERNAL"
    ]


def test_a_privacy_mark_stays_where_the_other_policy_has_it():
    policy = here([[to_level(2)]])
    one = label("HERE", "ONE", mark="FOR STAFF")
    assert translate(policy, one, there(), ENCRYPT).label.information.privacy_mark == "FOR STAFF"
    strict = there(privacy_marks=(PrivacyMark("PERSONAL"),))
    assert result(translate(policy, one, strict, ENCRYPT)) == ["unknown privacy mark FOR STAFF"]


def test_what_a_label_becomes_later_is_translated_or_there_is_no_label():
    policy = here([[to_level(1)], [to_level(2)], []])
    later = parse_instant("2030-01-01")
    one = replace(label("HERE", "TWO"), successions=(Succession(information("HERE", "ONE"), later),))
    (succession,) = translate(policy, one, there(), ENCRYPT).label.successions
    assert (succession.information.classification, succession.at) == ("LOW", later)
    one = replace(label("HERE", "TWO"), successions=(Succession(information("HERE", "THREE"), later),))
    assert result(translate(policy, one, there(), ENCRYPT)) == ["THREE has no equivalent in THERE"]


def test_values_are_written_such_that_they_read_back_even_where_names_repeat():
    sets = tuple(
        TagSet(name, f"1.2.1.{place}", (Tag("T", TagType.PERMISSIVE, (TagCategory("EU", "1"),)),))
        for place, name in enumerate("AB")
    )
    policy = replace(here([[]]), tag_sets=sets)
    selected, unknown = resolve_categories(policy, information("HERE", "ONE", "B: EU").categories)
    assert not unknown
    (written,) = category_values(policy, selected)
    assert (written.tag, written.type, written.values, written.uri) == ("T", CategoryType.PERMISSIVE, ("EU",), "urn:oid:1.2.1.1")
    assert resolve_categories(policy, (written,)) == (selected, ())
