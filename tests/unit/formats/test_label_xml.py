"""ADatP-4774 labels: what is written is read back and valid, and what is not a label is refused by name."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.formats.label_xml import LABEL_NAMESPACE, read_label_xml, write_label_xml
from kizuna.model.confidentiality import (
    CategoryValues,
    ConfidentialityInformation,
    ConfidentialityLabel,
    IdentifierType,
    LabelRole,
    Succession,
)
from kizuna.model.instants import Instant, parse_instant
from kizuna.model.label import CategoryType

LABELS = Path(__file__).parents[2] / "vectors"
SCHEMA = resources.files("kizuna.formats") / "schemas/label-4774.xsd"
XMLLINT = shutil.which("xmllint")
needs_xmllint = pytest.mark.skipif(XMLLINT is None, reason="xmllint (libxml2-utils) is not installed")

NATO = ConfidentialityInformation(
    policy="NATO",
    classification="RESTRICTED",
    categories=(
        CategoryValues("Context", CategoryType.PERMISSIVE, ("NATO", "Releasable"), "urn:oid:1.3.26.1.4.4"),
        CategoryValues("Releasable To", CategoryType.PERMISSIVE, ("NATO", "JPN", "UKR")),
        CategoryValues("Additional Sensitivity", CategoryType.RESTRICTIVE, ("EXAMPLE",)),
        CategoryValues("Administrative", CategoryType.INFORMATIVE, ("STAFF",)),
    ),
    privacy_mark="極秘 – à lire",
    policy_uri="urn:oid:1.3.26.1.3.1",
)
LABEL = ConfidentialityLabel(
    NATO,
    parse_instant("2025-06-22"),
    originator="JPN/IQPS",
    review=parse_instant("2030-06-22"),
    successions=(Succession(replace(NATO, classification="UNCLASSIFIED"), parse_instant("2035-01-01T12:00:00.25Z")),),
)
MINIMAL = """<slab:originatorConfidentialityLabel xmlns:slab="urn:nato:stanag:4774:confidentialitymetadatalabel:1:0">
<slab:ConfidentialityInformation><slab:PolicyIdentifier>ACME</slab:PolicyIdentifier>
<slab:Classification>INTERNAL</slab:Classification>
<slab:Category TagName="Sensitive" Type="RESTRICTIVE"><slab:GenericValue>RED</slab:GenericValue></slab:Category>
</slab:ConfidentialityInformation>
<slab:CreationDateTime>2025-06-22T09:00:00+09:00</slab:CreationDateTime></slab:originatorConfidentialityLabel>"""


def changed(old, new):
    assert MINIMAL.count(old) == 1
    return MINIMAL.replace(old, new).encode()


def validates(path, schema=SCHEMA):
    done = subprocess.run(
        [XMLLINT, "--nonet", "--noout", "--schema", str(schema), str(path)], capture_output=True, text=True, check=False
    )
    return done.returncode == 0, done.stderr


# What a line of a label may hold: no control or format characters, no white space at the ends or in a row.
LINES = (
    st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Cn", "Zl", "Zp"]), min_size=1, max_size=12)
    .map(lambda text: re.sub(" +", " ", text).strip(" "))
    .filter(str.strip)
)
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)).map(Instant)  # noqa: DTZ001 - the zone is given
CATEGORIES = st.lists(
    st.builds(
        CategoryValues,
        LINES,
        st.sampled_from(CategoryType),
        st.lists(LINES, min_size=1, max_size=3).map(tuple),
        st.none() | st.just("urn:oid:1.2.3"),
    ),
    max_size=4,
    unique_by=lambda category: (category.tag.casefold(), category.type),
).map(tuple)
INFORMATION = st.builds(
    ConfidentialityInformation, LINES, LINES, CATEGORIES, st.none() | LINES, st.none() | st.just("urn:oid:1.3.26.1.3.1")
)


@st.composite
def labels(draw):
    created, review, at = sorted(draw(st.tuples(INSTANTS, INSTANTS, INSTANTS)))
    originator = draw(st.none() | LINES)
    successions = draw(st.lists(st.builds(Succession, INFORMATION, st.just(at)), max_size=1).map(tuple))
    return ConfidentialityLabel(
        draw(INFORMATION),
        created,
        draw(st.sampled_from(LabelRole)),
        originator,
        review if not successions or draw(st.booleans()) else None,
        successions,
        draw(st.sampled_from(IdentifierType)) if originator else IdentifierType.URI,
    )


@given(labels())
def test_what_is_written_is_read_back(label):
    data = write_label_xml(label)
    assert read_label_xml(data) == label
    assert write_label_xml(read_label_xml(data)) == data


@needs_xmllint
@pytest.mark.parametrize("role", LabelRole)
@pytest.mark.parametrize(
    "label",
    [LABEL, replace(LABEL, successions=()), replace(LABEL, review=None, originator=None)],
    ids=["all", "review", "succession"],
)
def test_what_is_written_is_valid(tmp_path, label, role):
    path = tmp_path / "label.xml"
    path.write_bytes(write_label_xml(replace(label, role=role)))
    valid, why = validates(path)
    assert valid, why


@needs_xmllint
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('Type="RESTRICTIVE"', 'Type="restrictive"'),
        ("<slab:GenericValue>RED</slab:GenericValue>", "<slab:IntegerValue>1</slab:IntegerValue>"),
        ("+09:00", ""),
        ("INTERNAL", " "),
        ("ACME</slab", "ACME</slab:PolicyIdentifier><slab:Extra/><slab"),
    ],
)
def test_the_schema_refuses(tmp_path, old, new):
    path = tmp_path / "label.xml"
    path.write_bytes(MINIMAL.encode())
    assert validates(path)[0]
    path.write_bytes(MINIMAL.replace(old, new).encode())
    assert not validates(path)[0]


def test_the_instant_of_labelling_is_read_in_its_zone():
    assert read_label_xml(MINIMAL.encode()).created == parse_instant("2025-06-22")


def test_a_comment_does_not_cut_a_marking_short():
    assert read_label_xml(changed("INTERNAL", "INTER<!-- x -->NAL")).information.classification == "INTERNAL"


@pytest.mark.parametrize(
    ("old", "new", "field", "said"),
    [
        ("INTERNAL", "", "Classification", "got ''"),
        ("INTERNAL", "  \n ", "Classification", "got ''"),
        ("ACME", "", "PolicyIdentifier", "got ''"),
        ("RED", "", "GenericValue", "got ''"),
        ("RED", "RE\u202eD", "GenericValue", "without control characters"),
        ("RED", "<b/>", "b", "in the namespace ''"),
        ("<slab:GenericValue>RED</slab:GenericValue>", "", "ConfidentialityInformation", "the tag 'Sensitive' has no value"),
        (
            "<slab:GenericValue>RED</slab:GenericValue>",
            "<slab:IntegerValue>1</slab:IntegerValue>",
            "IntegerValue",
            "unknown here",
        ),
        ("RED</slab:GenericValue>", "RED</slab:GenericValue>or so", "Category", "text stands between"),
        (' TagName="Sensitive"', "", "@TagName", "got nothing"),
        ('"RESTRICTIVE"', '"restrictive"', "@Type", "expected one of PERMISSIVE, RESTRICTIVE, INFORMATIVE"),
        ('"RESTRICTIVE"', '"SECRET"', "@Type", "expected one of PERMISSIVE"),
        ("<slab:Classification>", '<slab:Classification URI="urn:oid:1.2">', "@URI", "unknown here: @URI"),
        ("<slab:PolicyIdentifier>", '<slab:PolicyIdentifier URL="urn:oid:1.2">', "@URL", "unknown here: @URL"),
        ("<slab:Classification>INTERNAL", "<slab:Extra/><slab:Classification>INTERNAL", "Extra", "unknown here: Extra"),
        (
            "<slab:Classification>INTERNAL",
            "<slab:Classification>PUBLIC</slab:Classification><slab:Classification>INTERNAL",
            "Classification",
            "got 2 elements, expected one",
        ),
        ("<slab:Classification>INTERNAL</slab:Classification>", "", "Classification", "got 0 elements"),
        ("<slab:CreationDateTime>2025-06-22T09:00:00+09:00</slab:CreationDateTime>", "", "CreationDateTime", "got 0 elements"),
        ("+09:00", "", "CreationDateTime", "no time zone"),
        ("T09:00:00+09:00", "", "CreationDateTime", "a date and time with its zone"),
        ("2025-06-22T09", "2025-06-31T09", "CreationDateTime", "no instant"),
        (":1:0", ":2:0", "originatorConfidentialityLabel", "is no confidentiality label"),
        (
            "<slab:CreationDateTime>",
            '<slab:OriginatorID IDType="nickname">x</slab:OriginatorID><slab:CreationDateTime>',
            "@IDType",
            "one of rfc822Name",
        ),
        ("<slab:CreationDateTime>", "<slab:OriginatorID>x</slab:OriginatorID><slab:CreationDateTime>", "@IDType", "got nothing"),
        (':1:0">', ':1:0" ReviewDateTime="2024-01-01T00:00:00Z">', "ReviewDateTime", "stands before the labelling"),
        (':1:0">', ':1:0" Sticker="1">', "@Sticker", "unknown here"),
    ],
)
def test_what_is_no_label_is_refused_by_name(old, new, field, said):
    with pytest.raises(InputError, match=re.escape(said)) as refused:
        read_label_xml(changed(old, new))
    assert field in (refused.value.field or "") + str(refused.value)
    assert refused.value.hint is not None


CATEGORY = MINIMAL[MINIMAL.index("<slab:Category") : MINIMAL.index("</slab:ConfidentialityInformation>")]


@pytest.mark.parametrize("tag", ["Sensitive", "SENSITIVE"])
def test_a_tag_stands_only_once_a_type(tag):
    again = CATEGORY.replace("Sensitive", tag)
    with pytest.raises(InputError, match="stands twice as RESTRICTIVE"):
        read_label_xml(changed(CATEGORY, CATEGORY + again))
    other = again.replace("RESTRICTIVE", "INFORMATIVE")
    assert len(read_label_xml(changed(CATEGORY, CATEGORY + other)).information.categories) == 2


SUCCESSION = """<slab:SuccessionHandling><slab:SuccessionDateTime>2030-01-01T00:00:00Z</slab:SuccessionDateTime>
<slab:SuccessorConfidentialityLabel><slab:ConfidentialityInformation><slab:PolicyIdentifier>ACME</slab:PolicyIdentifier>
<slab:Classification>PUBLIC</slab:Classification></slab:ConfidentialityInformation>{more}</slab:SuccessorConfidentialityLabel>
</slab:SuccessionHandling></slab:originatorConfidentialityLabel>"""


@pytest.mark.parametrize("more", ["", "<slab:CreationDateTime>2025-06-22T00:00:00Z</slab:CreationDateTime>"])
def test_a_succession_is_read(more):
    label = read_label_xml(changed("</slab:originatorConfidentialityLabel>", SUCCESSION.format(more=more)))
    assert label.successions == (Succession(ConfidentialityInformation("ACME", "PUBLIC"), parse_instant("2030-01-01")),)


@pytest.mark.parametrize(
    "more",
    [
        "<slab:CreationDateTime>2026-06-22T00:00:00Z</slab:CreationDateTime>",
        '<slab:OriginatorID IDType="dNSName">another.example</slab:OriginatorID>',
        "<slab:SuccessionHandling/>",
    ],
)
def test_a_successor_by_another_is_refused_and_not_cut_down(more):
    with pytest.raises(InputError, match="SuccessorConfidentialityLabel"):
        read_label_xml(changed("</slab:originatorConfidentialityLabel>", SUCCESSION.format(more=more)))


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (replace(LABEL, created=None), "requires the instant of labelling"),
        (replace(LABEL, review=None, successions=()), "requires a review or a succession"),
        (replace(LABEL, successions=LABEL.successions * 2), "got 2 successions, ADatP-4774 holds one"),
        (replace(LABEL, review=parse_instant("2020-01-01")), "stands before the labelling"),
        (replace(LABEL, information=replace(NATO, classification="")), "Classification: got ''"),
        (replace(LABEL, information=replace(NATO, classification="A  B")), "without white space"),
        (replace(LABEL, information=replace(NATO, policy="A\u202eB")), "without control characters"),
        (replace(LABEL, information=replace(NATO, policy="A\ufffeB")), "characters that XML can hold"),
        (replace(LABEL, information=replace(NATO, categories=NATO.categories * 2)), "stands twice"),
        (
            replace(LABEL, information=replace(NATO, categories=(CategoryValues("X", CategoryType.RESTRICTIVE, ()),))),
            "has no value",
        ),
        (replace(LABEL, originator=None, originator_type=IdentifierType.MAIL), "OriginatorID: got nothing"),
    ],
)
def test_what_the_standard_cannot_hold_is_not_written(label, said):
    with pytest.raises(InputError, match=re.escape(said)):
        write_label_xml(label)


TOLERATED = {
    "no instant of labelling": ("<slab:CreationDateTime>2025-06-22T09:00:00+09:00</slab:CreationDateTime>", ""),
    "type in lower case": ('"RESTRICTIVE"', '"restrictive"'),
    "URL for URI": ("<slab:PolicyIdentifier>", '<slab:PolicyIdentifier URL="urn:oid:1.2">'),
}


@pytest.mark.parametrize("fault", TOLERATED)
def test_what_software_in_use_writes_is_read_when_asked_to(fault):
    data = changed(*TOLERATED[fault])
    with pytest.raises(InputError):
        read_label_xml(data)
    label = read_label_xml(data, strict=False)
    assert label.information.categories == (CategoryValues("Sensitive", CategoryType.RESTRICTIVE, ("RED",)),)
    assert (label.created is None) == (fault == "no instant of labelling")
    assert (label.information.policy_uri == "urn:oid:1.2") == (fault == "URL for URI")


def test_elements_without_a_namespace_are_read_when_asked_to_but_no_others():
    bare = MINIMAL.replace("slab:", "").replace(f' xmlns:slab="{LABEL_NAMESPACE}"', "").replace(f' xmlns="{LABEL_NAMESPACE}"', "")
    bare = re.sub(r' xmlns(:slab)?="[^"]*"', "", bare).encode()
    assert b"xmlns" not in bare
    with pytest.raises(InputError, match="is no confidentiality label"):
        read_label_xml(bare)
    assert read_label_xml(bare, strict=False) == read_label_xml(MINIMAL.encode())
    with pytest.raises(InputError, match="in the namespace 'urn:other'"):
        read_label_xml(changed("<slab:Category ", '<slab:Category xmlns:slab="urn:other" '), strict=False)


BOMBS = {
    "billion laughs": b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>',
    "external entity": b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>',
    "document type": b'<!DOCTYPE l SYSTEM "http://x.invalid/l.dtd">' + MINIMAL.encode(),
    "100 MB": MINIMAL.encode().replace(b"RED", b"R" * 100_000_000),
    "depth": b"<a>" * 200_000,
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("strict", [True, False])
def test_a_bomb_is_refused(name, strict):
    with pytest.raises(InputError):
        read_label_xml(BOMBS[name], strict=strict)


@needs_xmllint
@pytest.mark.parametrize("number", range(1, 7))
def test_the_nato_examples_are_valid_and_read_but_for_their_instant_of_labelling(number):
    """spiffing writes no CreationDateTime, which the standard requires: the tolerant reading alone takes them."""
    path = LABELS / f"spiffing/nato-4774-17-{number}.nato"
    valid, why = validates(path)
    assert valid, why
    with pytest.raises(InputError):
        read_label_xml(path.read_bytes())
    label = read_label_xml(path.read_bytes(), strict=False)
    assert label.information.policy == "NATO"
    assert label.created is None
    # With an instant and a review they are ours, and complete.
    whole = replace(label, created=LABEL.created, review=LABEL.review)
    assert read_label_xml(write_label_xml(whole)) == whole


def test_a_nato_example_says_what_it_says():
    label = read_label_xml((LABELS / "spiffing/nato-4774-17-4.nato").read_bytes(), strict=False)
    assert label.information.classification == "RESTRICTED"
    assert label.information.categories == (
        CategoryValues("Context", CategoryType.PERMISSIVE, ("NATO", "Releasable")),
        CategoryValues("Releasable To", CategoryType.PERMISSIVE, ("NATO", "JPN", "CHE", "UKR")),
    )


@needs_xmllint
@pytest.mark.parametrize(("name", "categories"), [("label1.xml", 2), ("label2.xml", 0)])
def test_the_sparrow_examples_declare_a_prefix_that_is_none(tmp_path, name, categories):
    """``xmlns:4774``: no prefix starts with a digit, so these are no XML with namespaces; nor are their elements in any."""
    path = LABELS / "sparrow" / name
    assert "Failed to parse QName" in validates(path)[1]
    for strict in (True, False):
        with pytest.raises(InputError, match="not XML: Failed to parse QName 'xmlns:4774'"):
            read_label_xml(path.read_bytes(), strict=strict)
    # Without that declaration they are well-formed, in no namespace: not valid, and read by the tolerant reading alone.
    data = re.sub(rb'\s+xmlns:4774="[^"]*"', b"", path.read_bytes())
    (tmp_path / name).write_bytes(data)
    assert not validates(tmp_path / name)[0]
    with pytest.raises(InputError, match="is no confidentiality label"):
        read_label_xml(data)
    information = read_label_xml(data, strict=False).information
    assert (information.policy, information.classification, len(information.categories)) == ("ACME", "INTERNAL", categories)
    # In the namespace that they mean, they are valid.
    (tmp_path / name).write_bytes(re.sub(rb"xmlns:4774", b"xmlns", path.read_bytes()))
    valid, why = validates(tmp_path / name)
    assert valid, why
