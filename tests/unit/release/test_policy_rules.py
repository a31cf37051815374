"""What labels and clearances mean under a policy, which labels are valid, and which clearance opens which label."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.security_policies import ACME, CREATED, information, label

from kizuna.model.confidentiality import CategoryValues, Succession
from kizuna.model.instants import parse_instant
from kizuna.model.label import CategoryType
from kizuna.release.policies import (
    Classification,
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
    Validity,
)
from kizuna.release.policy_rules import Clearance, FindingKind, acdf, findings, is_met, resolve


def found(policy, one, **options):
    return [(finding.kind, finding.message.render()) for finding in findings(policy, one, **options)]


def policy_with(*tags, **fields):
    """Policy with the levels LOW and HIGH and one tag set T."""
    levels = (Classification("LOW", 1, 1), Classification("HIGH", 2, 2))
    return SecurityPolicy(PolicyIdentifier("TEST", "1.2.3"), levels, (TagSet("T", "1.2.3.4", tags),), **fields)


def requiring(operation, *members):
    """Policy whose category R requires members of the tag set T."""
    return policy_with(
        Tag("A", TagType.PERMISSIVE, (TagCategory("A1", "1"), TagCategory("A2", "2"))),
        Tag("B", TagType.RESTRICTIVE, (TagCategory("B1", "1"),)),
        Tag("R", TagType.INFORMATIVE, (TagCategory("R", "1", required=(Requirement(operation, members),)),)),
    )


def test_a_valid_label_has_no_finding():
    assert found(ACME, label("ACME", "CONFIDENTIAL", "Releasable To: MOCK", "+Sensitive: RED", ".Administrative: STAFF")) == []


def test_names_compare_without_regard_to_case():
    one = label("acme", "confidential", "releasable TO: mock", "+SENSITIVE: red")
    assert found(ACME, one) == []
    meaning = resolve(ACME, one.information)
    assert meaning.classification.name == "CONFIDENTIAL"
    assert [selected.value for selected in meaning.categories] == ["MOCK", "RED"]


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (label("NATO", "INTERNAL"), "unknown policy NATO, expected ACME"),
        (label("ACME", "SECRET"), "unknown classification SECRET"),
        (label("ACME", "INTERNAL", "+Handling: X"), "unknown restrictive tag Handling"),
        # A tag of another type is another tag.
        (label("ACME", "INTERNAL", "Sensitive: RED"), "unknown permissive tag Sensitive"),
        (label("ACME", "INTERNAL", "+Sensitive: GREEN"), "unknown value GREEN of Sensitive"),
        (label("ACME", "INTERNAL", "+Sensitive: RED", "+sensitive: BLUE"), "the restrictive tag sensitive stands twice"),
    ],
)
def test_what_the_policy_does_not_have_is_unknown(one, sentence):
    assert (FindingKind.UNKNOWN, sentence) in found(ACME, one)


@pytest.mark.parametrize(
    ("uri", "valid"),
    [
        (f"urn:oid:{ACME.id}", True),
        (f"URN:OID:{ACME.id}", True),
        ("urn:oid:1.2.3", False),
        ("https://acme.example/policy", False),
    ],
)
def test_an_identifier_of_another_policy_is_another_policy(uri, valid):
    one = label("ACME", "INTERNAL")
    assert (found(ACME, replace(one, information=replace(one.information, policy_uri=uri))) == []) is valid


@pytest.mark.parametrize(
    ("uri", "valid"), [("urn:oid:1.3.6.1.4.1.31778.111.3", True), ("urn:oid:1.3.6.1.4.1.31778.111.2", False)]
)
def test_an_identifier_of_another_tag_set_is_another_tag(uri, valid):
    values = (CategoryValues("Sensitive", CategoryType.RESTRICTIVE, ("RED",), uri),)
    one = label("ACME", "INTERNAL")
    assert (found(ACME, replace(one, information=replace(one.information, categories=values))) == []) is valid


def test_a_tag_without_values_is_unknown():
    one = label("ACME", "INTERNAL")
    values = (CategoryValues("Sensitive", CategoryType.RESTRICTIVE, ()),)
    assert found(ACME, replace(one, information=replace(one.information, categories=values))) == [
        (FindingKind.UNKNOWN, "the tag Sensitive has no value")
    ]


def test_a_name_that_several_categories_have_means_none_of_them():
    first, second = (Tag(name, TagType.PERMISSIVE, (TagCategory("EU", lacv),)) for name, lacv in [("A", "1"), ("B", "2")])
    policy = policy_with(first, second)
    assert found(policy, label("TEST", "LOW", "T: EU")) == [(FindingKind.UNKNOWN, "the value EU of T means several categories")]
    assert found(policy, label("TEST", "LOW", "B: EU")) == []


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (label("ACME", "PUBLIC", "+Sensitive: RED"), "Sensitive RED does not go with PUBLIC"),
        (label("ACME", "INTERNAL", "Releasable To: MOCK"), "Releasable To MOCK does not go with INTERNAL"),
    ],
)
def test_excluded_classifications(one, sentence):
    assert found(ACME, one) == [(FindingKind.EXCLUDED, sentence)]


def test_a_required_classification():
    policy = policy_with(Tag("A", TagType.RESTRICTIVE, (TagCategory("A1", "1", required_class="HIGH"),)))
    assert found(policy, label("TEST", "LOW", "+A: A1")) == [(FindingKind.MISSING, "A A1 goes with HIGH only")]
    assert found(policy, label("TEST", "HIGH", "+A: A1")) == []


@pytest.mark.parametrize(
    ("lacv", "values", "excluded"), [(None, "A1", True), (None, "A2", True), ("2", "A1", False), ("2", "A2", True)]
)
def test_excluded_categories(lacv, values, excluded):
    member = Member("T", TagType.PERMISSIVE, lacv)
    policy = policy_with(
        Tag("A", TagType.PERMISSIVE, (TagCategory("A1", "1"), TagCategory("A2", "2"))),
        Tag("B", TagType.RESTRICTIVE, (TagCategory("B1", "1", excluded=(member,)),)),
    )
    kinds = [kind for kind, _sentence in found(policy, label("TEST", "LOW", f"A: {values}", "+B: B1"))]
    assert kinds == ([FindingKind.EXCLUDED] if excluded else [])
    assert found(policy, label("TEST", "LOW", "+B: B1")) == []


def test_a_category_that_excludes_all_of_its_kind_excludes_the_others():
    alone = TagCategory("A1", "1", excluded=(Member("T", TagType.PERMISSIVE),))
    policy = policy_with(Tag("A", TagType.PERMISSIVE, (alone, TagCategory("A2", "2"))))
    assert found(policy, label("TEST", "LOW", "A: A1")) == []
    assert found(policy, label("TEST", "LOW", "A: A1, A2")) == [(FindingKind.EXCLUDED, "A A1 does not go with A A2")]


A1, A2, B1 = Member("T", TagType.PERMISSIVE, "1"), Member("T", TagType.PERMISSIVE, "2"), Member("T", TagType.RESTRICTIVE, "1")
ANY_A = Member("T", TagType.PERMISSIVE)


@pytest.mark.parametrize(
    ("operation", "members", "categories", "met"),
    [
        (Operation.ALL, (A1, B1), ["A: A1", "+B: B1"], True),
        (Operation.ALL, (A1, B1), ["A: A1"], False),
        (Operation.ALL, (ANY_A, B1), ["A: A2", "+B: B1"], True),
        (Operation.ONE_OR_MORE, (A1, B1), ["A: A1"], True),
        (Operation.ONE_OR_MORE, (A1, B1), ["A: A1", "+B: B1"], True),
        (Operation.ONE_OR_MORE, (A1, B1), ["A: A2"], False),
        (Operation.ONLY_ONE, (A1, B1), ["A: A1"], True),
        (Operation.ONLY_ONE, (A1, B1), ["A: A1", "+B: B1"], False),
        (Operation.ONLY_ONE, (A1, B1), [], False),
        (Operation.ONLY_ONE, (ANY_A,), ["A: A1"], True),
        (Operation.ONLY_ONE, (ANY_A,), ["A: A1, A2"], False),
        # The same category, named twice, is one.
        (Operation.ONLY_ONE, (A1, ANY_A), ["A: A1"], True),
    ],
)
def test_required_categories(operation, members, categories, met):
    policy = requiring(operation, *members)
    one = label("TEST", "LOW", *categories, ".R: R")
    assert is_met(Requirement(operation, members), resolve(policy, one.information).categories) is met
    assert [kind for kind, _sentence in found(policy, one)] == ([] if met else [FindingKind.MISSING])


def test_a_finding_names_what_is_required():
    policy = requiring(Operation.ALL, A1, B1, ANY_A)
    assert found(policy, label("TEST", "LOW", ".R: R")) == [(FindingKind.MISSING, "R R needs all of: T A1, T B1, T")]


@pytest.mark.parametrize(
    ("categories", "kinds"),
    [
        ([], [FindingKind.SELECTION]),
        (["A: A1"], []),
        (["A: A1, A2"], []),
        (["A: A1, A2, A3"], [FindingKind.SELECTION]),
    ],
)
def test_numbers_of_values(categories, kinds):
    values = tuple(TagCategory(f"A{number}", str(number)) for number in (1, 2, 3))
    policy = policy_with(Tag("A", TagType.PERMISSIVE, values, least=1, most=2))
    assert [kind for kind, _sentence in found(policy, label("TEST", "LOW", *categories))] == kinds


@pytest.mark.parametrize(
    ("user_input", "value", "valid"),
    [
        (UserInput.DATE, "2025-06-22", True),
        (UserInput.DATE, "22 June", False),
        (UserInput.INTEGER, "17", True),
        (UserInput.INTEGER, "-17", False),
        (UserInput.INTEGER, "٣", False),
        (UserInput.STRING, "anything", True),
        (UserInput.STRING, " ", False),
    ],
)
def test_what_whoever_labels_writes_has_its_form(user_input, value, valid):
    policy = policy_with(Tag("A", TagType.INFORMATIVE, (TagCategory("until", "0", user_input=user_input),)))
    assert (found(policy, label("TEST", "LOW", f".A: {value}")) == []) is valid


@pytest.mark.parametrize(
    ("validity", "kinds"),
    [
        (Validity(not_before=CREATED), []),
        (Validity(not_after=CREATED), []),
        (Validity(not_before=parse_instant("2025-06-23")), [FindingKind.VALIDITY]),
        (Validity(not_after=parse_instant("2025-06-21")), [FindingKind.VALIDITY]),
    ],
)
def test_times_of_use(validity, kinds):
    tag = Tag("A", TagType.PERMISSIVE, (TagCategory("A1", "1", validity=validity),))
    one = label("TEST", "LOW", "A: A1")
    assert [kind for kind, _sentence in found(policy_with(tag), one)] == kinds
    assert [kind for kind, _sentence in found(policy_with(validity=validity), label("TEST", "LOW"))] == kinds
    # Without a date nobody can say.
    assert [kind for kind, _sentence in found(policy_with(tag), replace(one, created=None))] == [FindingKind.VALIDITY]


def test_what_is_obsolete_is_not_for_new_labels():
    one = label("ACME", "INTERNAL", ".Administrative: FINANCE")
    assert found(ACME, one) == []
    assert found(ACME, one, new=True) == [(FindingKind.OBSOLETE, "Administrative FINANCE is obsolete")]


@pytest.mark.parametrize(("mark", "valid"), [("FOR STAFF", True), ("for staff", True), ("OTHER", False), (None, True)])
def test_privacy_marks_are_those_of_the_policy_if_it_has_any(mark, valid):
    assert found(policy_with(), label("TEST", "LOW", mark=mark)) == []
    policy = policy_with(privacy_marks=(PrivacyMark("FOR STAFF"),))
    assert (found(policy, label("TEST", "LOW", mark=mark)) == []) is valid


def test_what_a_label_becomes_later_must_be_valid_too():
    later = Succession(information("ACME", "PUBLIC", "+Sensitive: RED"), parse_instant("2030-01-01"))
    assert found(ACME, replace(label("ACME", "INTERNAL", "+Sensitive: RED"), successions=(later,))) == [
        (FindingKind.EXCLUDED, "Sensitive RED does not go with PUBLIC")
    ]


def clearance(*levels, categories=(), policy="ACME", uri=None):
    return Clearance(policy, levels, information("ACME", "PUBLIC", *categories).categories, uri)


@pytest.mark.parametrize(
    ("cleared", "one", "allowed"),
    [
        (clearance("INTERNAL"), label("ACME", "INTERNAL"), True),
        (clearance("internal"), label("ACME", "INTERNAL"), True),
        # The higher dominates the lower, and not the reverse.
        (clearance("INTERNAL"), label("ACME", "PUBLIC"), True),
        (clearance("PUBLIC"), label("ACME", "INTERNAL"), False),
        (clearance(), label("ACME", "PUBLIC"), False),
        # Permissive: one in common.
        (
            clearance("INTERNAL", categories=["Releasable To: MOCK"]),
            label("ACME", "CONFIDENTIAL", "Releasable To: MOCK, PHONY"),
            True,
        ),
        (
            clearance("INTERNAL", categories=["Releasable To: PHONY"]),
            label("ACME", "CONFIDENTIAL", "Releasable To: MOCK"),
            False,
        ),
        (clearance("INTERNAL"), label("ACME", "CONFIDENTIAL", "Releasable To: MOCK"), False),
        # Restrictive: all.
        (clearance("INTERNAL", categories=["+Sensitive: RED, BLUE"]), label("ACME", "INTERNAL", "+Sensitive: RED"), True),
        (clearance("INTERNAL", categories=["+Sensitive: RED"]), label("ACME", "INTERNAL", "+Sensitive: RED, BLUE"), False),
        (clearance("INTERNAL"), label("ACME", "INTERNAL", "+Sensitive: RED"), False),
        # Informative: not counted.
        (clearance("INTERNAL"), label("ACME", "INTERNAL", ".Administrative: STAFF"), True),
        # Unknown anything denies, on either side; so does a label that is not valid.
        (clearance("INTERNAL", "SECRET"), label("ACME", "INTERNAL"), False),
        (clearance("INTERNAL", categories=["+Sensitive: GREEN"]), label("ACME", "INTERNAL"), False),
        (clearance("INTERNAL", categories=["+Handling: X"]), label("ACME", "INTERNAL"), False),
        (clearance("INTERNAL", policy="NATO"), label("ACME", "INTERNAL"), False),
        (clearance("INTERNAL", uri="urn:oid:1.2.3"), label("ACME", "INTERNAL"), False),
        (clearance("INTERNAL"), label("NATO", "INTERNAL"), False),
        (clearance("INTERNAL"), label("ACME", "SECRET"), False),
        (clearance("INTERNAL"), label("ACME", "INTERNAL", ".Administrative: OTHER"), False),
        (clearance("INTERNAL"), label("ACME", "CONFIDENTIAL"), False),
    ],
)
def test_access(cleared, one, allowed):
    decision = acdf(ACME, cleared, one)
    assert decision.allowed is allowed
    assert decision.reasons


def test_a_level_beside_another_does_not_dominate_it():
    levels = (Classification("LEFT", 1, 1), Classification("RIGHT", 2, 1), Classification("TOP", 3, 2))
    policy = replace(policy_with(), classifications=levels)
    one = label("TEST", "LEFT")
    assert [acdf(policy, Clearance("TEST", (level.name,)), one).allowed for level in levels] == [True, False, True]


def test_permissive_tags_count_one_by_one():
    policy = policy_with(
        Tag("A", TagType.PERMISSIVE, (TagCategory("A1", "1"),)), Tag("B", TagType.PERMISSIVE, (TagCategory("B1", "2"),))
    )
    one = label("TEST", "LOW", "A: A1", "B: B1")
    cleared = Clearance("TEST", ("LOW",), information("TEST", "LOW", "A: A1").categories)
    decision = acdf(policy, cleared, one)
    assert not decision.allowed
    assert [reason.render() for reason in decision.reasons] == ["B: the clearance has none of B1"]


def test_reasons_for_access_say_what_held():
    cleared = clearance("INTERNAL", categories=["Releasable To: MOCK", "+Sensitive: RED"])
    decision = acdf(ACME, cleared, label("ACME", "CONFIDENTIAL", "Releasable To: PHONY, MOCK", "+Sensitive: RED"))
    assert [reason.render() for reason in decision.reasons] == [
        "INTERNAL dominates CONFIDENTIAL",
        "Releasable To: MOCK in common",
        "the clearance has Sensitive RED",
    ]


def test_a_written_value_opens_only_what_has_the_same():
    policy = policy_with(Tag("A", TagType.RESTRICTIVE, (TagCategory("project", "0", user_input=UserInput.STRING),)))
    cleared = Clearance("TEST", ("LOW",), information("TEST", "LOW", "+A: sakura").categories)
    assert acdf(policy, cleared, label("TEST", "LOW", "+A: SAKURA")).allowed
    assert not acdf(policy, cleared, label("TEST", "LOW", "+A: ume")).allowed


reds = st.sets(st.sampled_from(["RED", "BLUE"]))
releases = st.sets(st.sampled_from(["MOCK", "PHONY"]))
names = st.sets(st.sampled_from([level.name for level in ACME.classifications]))


def of(releasable, red):
    releasable = [f"Releasable To: {', '.join(sorted(releasable))}"] if releasable else []
    return [*releasable, *([f"+Sensitive: {', '.join(sorted(red))}"] if red else [])]


@given(
    one=st.one_of(
        st.builds(lambda red: label("ACME", "INTERNAL", *of(set(), red)), reds),
        st.builds(
            lambda releasable, red: label("ACME", "CONFIDENTIAL", *of(releasable, red)),
            st.sets(st.sampled_from(["MOCK", "PHONY"]), min_size=1),
            reds,
        ),
    ),
    has=st.tuples(names, releases, reds),
    more=st.tuples(names, releases, reds),
)
def test_more_clearance_never_opens_less(one, has, more):
    assert findings(ACME, one) == ()
    less = acdf(ACME, clearance(*has[0], categories=of(*has[1:])), one)
    both = [mine | other for mine, other in zip(has, more, strict=True)]
    whole = acdf(ACME, clearance(*both[0], categories=of(*both[1:])), one)
    assert whole.allowed or not less.allowed
