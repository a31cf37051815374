"""XML SPIF policies: what is there is read, what is written is valid and reads back, what cannot be meant is refused by line."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.security_policies import ACME, ACME_XML, MOCK, MOCK_XML

from kizuna.errors import InputError
from kizuna.formats.spif import read_spif
from kizuna.formats.spif_write import write_spif
from kizuna.model.instants import parse_instant
from kizuna.release.policies import (
    NATO_CATEGORIES,
    Applied,
    Classification,
    Equivalent,
    EquivalentCategory,
    EquivalentPolicy,
    EquivalentTagSet,
    InformativeEncoding,
    MarkingCode,
    MarkingData,
    Markings,
    Member,
    Operation,
    PolicyIdentifier,
    PrivacyMark,
    Qualifier,
    QualifierCode,
    Requirement,
    SecurityPolicy,
    Tag,
    TagCategory,
    TagSet,
    TagType,
    UserInput,
    Validity,
)

LABELS = Path(__file__).parents[2] / "vectors"
# xmlspif.org states no licence for its schema and examples: they are read where they are at hand.
XMLSPIF = Path(__file__).parents[4] / "shared/data/labels"
SCHEMA = XMLSPIF / "xmlspif/spif.xsd"
XMLLINT = shutil.which("xmllint")
needs_schema = pytest.mark.skipif(
    XMLLINT is None or not SCHEMA.exists(), reason=f"xmllint is not installed, or the schema is not at {SCHEMA}"
)
# Published policies that can be read as they are; spiffing's others are in tests/reference/test_spiffing.py.
PUBLISHED = [
    "xmlspif/ACME-SPIF-example.xml",
    "xmlspif/NATO-SPIF-example.xml",
    "sparrow/ACME.xml",
    "spiffing/nato-4774-policy.xml",
    "spiffing/tlp.xml",
    "spiffing/tlp-plus.xml",
    "spiffing/uk-demo.xml",
]
MISSPELT = b"</securityCategiryTagSet>", b"</securityCategoryTagSet>"

# A policy that has everything that the schema has.
EVERYTHING = SecurityPolicy(
    PolicyIdentifier("ALL", "1.2.3", Markings((MarkingData((MarkingCode.PAGE_TOP,), 'All <&> "quoted"'),))),
    (
        Classification(
            "OPEN",
            -1,
            0,
            "fuschia",
            obsolete=True,
            markings=Markings(
                (
                    MarkingData((MarkingCode.PAGE_TOP, MarkingCode.WATER_MARK), "公開", "ja"),
                    MarkingData((MarkingCode.NO_NAME_DISPLAY,)),
                ),
                (Qualifier(QualifierCode.PREFIX, " ", None, MarkingCode.SUBJECT), Qualifier(QualifierCode.SUFFIX, "", "fr")),
            ),
            required=(
                Requirement(Operation.ONLY_ONE, (Member("Set", TagType.RESTRICTIVE, "1"), Member("Set", TagType.INFORMATIVE))),
            ),
            equivalents=(
                Equivalent("B", 4, Applied.DECRYPT, (Requirement(Operation.ALL, (Member("Theirs", TagType.PERMISSIVE, "x"),)),)),
            ),
        ),
    ),
    (
        TagSet(
            "Set",
            "1.2.3.1",
            (
                Tag(
                    "",
                    TagType.RESTRICTIVE,
                    (
                        TagCategory(
                            "One",
                            "1",
                            required_class="OPEN",
                            required=(Requirement(Operation.ONE_OR_MORE, (Member("Set", TagType.ENUMERATED_PERMISSIVE),)),),
                            excluded=(Member("Set", TagType.ENUMERATED_RESTRICTIVE, "a text"),),
                            equivalents=(
                                EquivalentCategory("B", "1.9", TagType.ENUMERATED_PERMISSIVE, "7", Applied.BOTH, discard=True),
                            ),
                            obsolete=True,
                            validity=Validity(parse_instant("2025-01-01"), parse_instant("2026-01-01T12:30:00.5Z")),
                        ),
                    ),
                    (Qualifier(QualifierCode.SEPARATOR, ", "),),
                    most=2,
                    least=0,
                ),
                Tag("P", TagType.PERMISSIVE, (TagCategory("Two", "1", excluded_classes=("OPEN",)),)),
                Tag("EP", TagType.ENUMERATED_PERMISSIVE, (TagCategory("Three", "-5"),)),
                Tag("ER", TagType.ENUMERATED_RESTRICTIVE, (TagCategory("Four", "a text"),)),
                Tag(
                    "I",
                    TagType.INFORMATIVE,
                    (TagCategory("Five", "1", user_input=UserInput.DATE, date_format="YYYY-MM-DD"),),
                    encoding=InformativeEncoding.INTEGERS,
                ),
                Tag("N", TagType.NOT_APPLICABLE, ()),
            ),
            (
                EquivalentTagSet(
                    "B", "Theirs", "1.9", (Requirement(Operation.ALL, (Member("Theirs", TagType.PERMISSIVE, "y"),)),)
                ),
            ),
        ),
    ),
    privacy_marks=(
        PrivacyMark("Eyes", obsolete=True, markings=Markings((MarkingData((MarkingCode.PAGE_BOTTOM,), "eyes only"),))),
    ),
    equivalent_policies=(
        EquivalentPolicy(
            "B", "1.4", (Requirement(Operation.ALL, (Member("Theirs", TagType.PERMISSIVE),)),), "https://b.example", "b"
        ),
    ),
    markings=Markings((MarkingData((MarkingCode.REPLACE_POLICY,), ""),), (Qualifier(QualifierCode.SEPARATOR, "//"),)),
    classification_markings=Markings((MarkingData((MarkingCode.PAGE_TOP,)),)),
    privacy_markings=Markings((), (Qualifier(QualifierCode.PREFIX, "PM "),)),
    most_privacy_marks=1,
    least_privacy_marks=0,
    default_policy=PolicyIdentifier("D", "1.5"),
    classifications_name="Levels",
    version=17,
    created="20250622000000Z",
    originator_dn="CN=秘書",
    key_identifier="AB",
    privilege_id="1.6",
    rbac_id="1.7",
    user_reference="https://all.example/user",
    document_reference="doc",
    validity=Validity(parse_instant("2025-01-01")),
)


def valid(data):
    done = subprocess.run(
        [XMLLINT, "--nonet", "--noout", "--schema", SCHEMA, "-"], input=data, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()


def published(name):
    path = (XMLSPIF if name.startswith("xmlspif") else LABELS) / name
    if not path.exists():
        pytest.skip(f"the published policy is not at {path}")
    return read_spif(path.read_bytes().replace(*MISSPELT), name=path.name)


def test_everything_comes_back_as_it_was_written():
    assert read_spif(write_spif(EVERYTHING)) == EVERYTHING


@needs_schema
def test_everything_that_is_written_is_valid():
    valid(write_spif(EVERYTHING))


@pytest.mark.parametrize("name", [*PUBLISHED, "spiffing/food-policy.xml", "spiffing/food-policy-missi.xml"])
def test_published_policies_are_read_and_written_as_they_are(name):
    policy = published(name)
    assert read_spif(write_spif(policy), name=name) == policy


@needs_schema
@pytest.mark.parametrize("name", [*PUBLISHED, "spiffing/food-policy.xml", "spiffing/food-policy-missi.xml"])
def test_published_policies_are_written_as_valid_ones(name):
    valid(write_spif(published(name)))


@needs_schema
def test_the_schema_would_refuse():
    with pytest.raises(AssertionError, match="Schemas validity error"):
        valid(write_spif(ACME).replace(b'operation="oneOrMore"', b'operation="some"'))


def test_acme_says_what_is_in_it():
    assert (ACME.name, ACME.id, ACME.version) == ("ACME", "1.3.6.1.4.1.31778.110.1", 3)
    assert [(level.name, level.lacv, level.hierarchy, level.color) for level in ACME.classifications] == [
        ("PUBLIC", 1, 1, "green"),
        ("CONFIDENTIAL", 2, 2, "#0000FF"),
        ("INTERNAL", 3, 3, None),
    ]
    tag = ACME.tag_set("Releasable To").tags[0]
    assert tag.type is TagType.ENUMERATED_PERMISSIVE
    # 0100 and 100 are one number.
    assert [(category.name, category.lacv) for category in tag.categories] == [("MOCK", "100"), ("PHONY", "200")]
    assert tag.categories[0].excluded_classes == ("PUBLIC", "INTERNAL")
    assert tag.categories[0].markings.data == (MarkingData((MarkingCode.DOCUMENT_START,), "MOQUER", "fr"),)
    assert tag.categories[0].equivalents[0].policy == ACME.equivalent_policies[0].name == "Mock Corporation"
    assert ACME.names_of(MOCK) == {"Mock Corporation"}


def test_what_a_policy_leaves_out_has_a_meaning():
    assert (MOCK.version, MOCK.rbac_id, MOCK.created) == (1, NATO_CATEGORIES, "")
    assert read_spif(MOCK_XML.replace(b' schemaVersion="2.1"', b"")) == MOCK


def test_published_acme_has_its_elements_without_a_namespace():
    equivalents = [
        category.equivalents
        for category in published("xmlspif/ACME-SPIF-example.xml").tag_set("Releasable To").tags[0].categories
    ]
    assert [equivalent.lacv for (equivalent,) in equivalents] == ["1000", "2000"]


def test_the_namespace_may_be_missing_altogether_and_the_order_another():
    bare = MOCK_XML.replace(b' xmlns="http://www.xmlspif.org/spif"', b"")
    assert read_spif(bare) == MOCK
    start, end = MOCK_XML.index(b"  <securityPolicyId"), MOCK_XML.index(b"  <securityClassifications")
    turned = MOCK_XML.replace(MOCK_XML[start:end], b"").replace(b"</SPIF>", MOCK_XML[start:end] + b"</SPIF>")
    assert read_spif(turned) == MOCK


def test_extensions_are_left_out_whatever_they_hold():
    assert (
        read_spif(MOCK_XML.replace(b"</SPIF>", b"<extensions><x:y xmlns:x='urn:x' z='1'>t<SPIF/></x:y></extensions></SPIF>"))
        == MOCK
    )


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [(b'color="green"', b'color="gold"', "#FFD700"), (b'color="green"', b'color="fuchsia"', "#FF00FF")],
)
def test_colours_that_the_schema_does_not_know_are_written_in_numbers(before, after, name):
    assert read_spif(ACME_XML.replace(before, after)).classifications[0].color == name


def test_a_requirement_that_does_not_say_how_many_asks_for_all():
    level = read_spif(ACME_XML.replace(b' operation="oneOrMore"', b"")).classification("CONFIDENTIAL")
    assert [requirement.operation for requirement in level.required] == [Operation.ALL]


def test_single_selection_is_at_most_one():
    changed = ACME_XML.replace(b'tagType="restrictive"', b'tagType="restrictive" singleSelection="true"')
    assert read_spif(changed).tag_set("Sensitive").tags[0].most == 1


FAULTS = [
    (b"<SPIF ", b"<Spif ", "not XML"),
    (b'schemaVersion="2.1"', b'schemaVersion="3.0"', "version 3.0, expected 1.0, 2.0 or 2.1"),
    (b'hierarchy="1"', b'hierarchy="low"', "hierarchy of securityClassification: got low, expected a whole number"),
    (b'hierarchy="1"', b"", "securityClassification has no hierarchy"),
    (b'hierarchy="1"', b'hierarchy="1" hierachy="2"', "unknown attribute hierachy"),
    (b'obsolete="true"', b'obsolete="maybe"', "obsolete of tagCategory: got maybe, expected true or false"),
    (b'applied="both"', b'applied="sometimes"', "applied of equivalentClassification: got sometimes"),
    (b'operation="oneOrMore"', b'operation="some"', "operation of requiredCategory: got some"),
    (b'tagType="restrictive"', b'tagType="restricted"', "tagType restricted with enumType"),
    (b'tagType="enumerated" enumType="permissive">', b'tagType="enumerated">', "tagType enumerated with enumType ,"),
    (b'tagType="restrictive"', b'tagType="restrictive" enumType="permissive"', "tagType restrictive with enumType permissive"),
    (b"<code>documentStart</code>", b"<code>documentEnd</code>", "marking code documentEnd"),
    (b"<code>documentStart</code>", b"", "markingData has no code"),
    (b'qualifierCode="prefix"', b'qualifierCode="before"', "qualifierCode of qualifier: got before"),
    (b'maxSelection="1"', b'maxSelection="many"', "maxSelection of securityCategoryTag: got many"),
    (b"<excludedClass>PUBLIC</excludedClass>", b"<excludedClass/>", "excludedClass must hold one text"),
    (b"<excludedClass>PUBLIC</excludedClass>", b"<excludedClas>PUBLIC</excludedClas>", "unknown element excludedClas"),
    (b"<excludedClass>PUBLIC</excludedClass>", b"PUBLIC", "tagCategory holds text that means nothing: PUBLIC"),
    (b"  <equivalentPolicies>", b"  <other xmlns='urn:x'/><equivalentPolicies>", "unknown element {urn:x}other"),
    (b'lacv="100"/>', b'lacv="100" all="true"/>', "categoryGroup names all categories and one"),
    (b'<securityPolicyId name="ACME" id="1.3.6.1.4.1.31778.110.1"/>', b"", "SPIF has no securityPolicyId"),
    (b"<equivalentPolicies>", b"<equivalentPolicies/><equivalentPolicies>", "a second equivalentPolicies"),
    (b'docRefURI="mock.spif"', b'docRefURI="mock.spif" spif:x="1" xmlns:spif="http://www.xmlspif.org/spif"', "unknown attribute"),
    (b'lacv="200">', b'lacv="200" notBefore="2025-01-01T00:00:00">', "notBefore: 2025-01-01T00:00:00 has no time zone"),
    (b'lacv="1000" applied="both"', b'lacv="1000" applied="both" action="keep"', "action keep, expected discard"),
]


@pytest.mark.parametrize(("before", "after", "sentence"), FAULTS, ids=[sentence for _before, _after, sentence in FAULTS])
def test_what_cannot_be_meant_is_refused(before, after, sentence):
    changed = ACME_XML.replace(before, after, 1)
    assert changed != ACME_XML
    with pytest.raises(InputError) as caught:
        read_spif(changed, name="acme.xml")
    assert sentence in str(caught.value)
    assert caught.value.hint is not None


def test_a_fault_is_found_by_its_line():
    with pytest.raises(
        InputError, match=r"^acme\.xml, line 7: hierarchy of securityClassification: got x, expected a whole number"
    ):
        read_spif(ACME_XML.replace(b'hierarchy="2"', b'hierarchy="x"'), name="acme.xml")


@pytest.mark.parametrize("data", [b"<policy/>", b"<SPIF xmlns='urn:other'/>"])
def test_another_document_is_refused(data):
    with pytest.raises(InputError, match="expected SPIF"):
        read_spif(data, name="x.xml")


def test_a_policy_with_text_between_its_elements_is_refused():
    path = LABELS / "sparrow/nato.xml"
    with pytest.raises(InputError, match="holds text that means nothing: undefined"):
        read_spif(path.read_bytes(), name="nato.xml")


def test_a_policy_that_contradicts_itself_is_not_written():
    with pytest.raises(InputError, match="it has no classification"):
        write_spif(replace(ACME, classifications=()))


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Cn")), max_size=8)
names = words.map(str.strip).filter(bool)
languages = st.sampled_from([None, "fr", "ja", "fr-CA"])
places = [code for code in MarkingCode if code not in {
    MarkingCode.NO_NAME_DISPLAY, MarkingCode.NO_MARKING_DISPLAY, MarkingCode.SUPPRESS_CLASS_NAME, MarkingCode.REPLACE_POLICY,
}]  # fmt: skip
marking_data = st.builds(
    MarkingData,
    st.lists(st.sampled_from(MarkingCode), min_size=1, max_size=3, unique=True).map(tuple),
    st.none() | words,
    languages,
)
qualifiers = st.lists(
    st.builds(Qualifier, st.sampled_from(QualifierCode), words, languages, st.none() | st.sampled_from(places)), max_size=3
).map(tuple)
markings = st.builds(Markings, st.lists(marking_data, max_size=2).map(tuple), qualifiers)


@st.composite
def policies(draw):
    levels = draw(st.lists(names, min_size=1, max_size=3, unique_by=str.casefold))
    tags = draw(st.lists(names, max_size=2, unique=True))
    return SecurityPolicy(
        PolicyIdentifier(draw(names), "1.2", draw(markings)),
        tuple(
            Classification(name, place, draw(st.integers(-9, 9)), markings=draw(markings)) for place, name in enumerate(levels)
        ),
        tuple(
            TagSet(
                name,
                f"1.2.{place}",
                (
                    Tag(
                        draw(words),
                        draw(st.sampled_from(TagType)),
                        (
                            TagCategory(
                                draw(names),
                                draw(st.sampled_from(["0", "-7", "x"])),
                                draw(markings),
                                excluded_classes=tuple(draw(st.sets(st.sampled_from(levels), max_size=2))),
                            ),
                        ),
                        draw(qualifiers),
                    ),
                ),
            )
            for place, name in enumerate(tags)
        ),
        markings=draw(markings),
        originator_dn=draw(words),
    )


@given(policies())
def test_whatever_is_written_reads_back(policy):
    assert read_spif(write_spif(policy)) == policy
