"""IC-ISM: every published value is accepted, others are not; from and to labels."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.formats.ism import ENGLISH_MARKS, check_ism, ism_attributes_of, label_of_ism
from kizuna.formats.ism_values import DES_VERSION, LISTS
from kizuna.model.instants import parse_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import NATIONS, parse_party

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "tests/vectors/ic-ism"
CREATED = parse_instant("2025-06-22T09:30:00Z")
LIST_OF = {
    "classification": "ClassificationAll",
    "ownerProducer": "OwnerProducer",
    "SCIcontrols": "SCIControls",
    "disseminationControls": "Dissem",
    "displayOnlyTo": "RelTo",
    "FGIsourceOpen": "FGIOpen",
    "FGIsourceProtected": "FGIProtected",
    "releasableTo": "RelTo",
    "nonICmarkings": "NonIC",
    "nonUSControls": "NonUSControls",
}
# Older than anything that the lists deprecate.
FOREIGN = {"classification": "S", "ownerProducer": "JPN", "createDate": "2012-01-01"}
DEPRECATED = [(name, *pair) for name, list_ in LIST_OF.items() for pair in LISTS[list_].deprecated]
# One value that each pattern stands for, and its nearest neighbours that it does not.
MATCHES = {
    r"ACCM-[A-Z0-9\-_]{1,61}": (
        ["ACCM-A", "ACCM-BLUE_7", "ACCM-" + "X" * 61],
        ["ACCM-", "ACCM-a", "ACCM-" + "X" * 62, "XACCM-A"],
    ),
    "NNPI": (["NNPI"], ["NNP", "NNPII"]),
    "KDK-BLFH-[A-Z0-9]{1,6}": (["KDK-BLFH-A1"], ["KDK-BLFH-", "KDK-BLFH-1234567", "KDK-BLFH-A1\x0b"]),
    "KDK-IDIT-[A-Z0-9]{1,6}": (["KDK-IDIT-A1"], ["KDK-IDIT-é"]),
    "KDK-KAND-[A-Z0-9]{1,6}": (["KDK-KAND-A1"], ["KDK-KAND-a"]),
    "RSV-[A-Z0-9]{3}": (["RSV-A1Z"], ["RSV-A1", "RSV-A1ZZ"]),
    "SI-G-[A-Z]{4}": (["SI-G-ABCD"], ["SI-G-ABC", "SI-G-ABC1"]),
    "SI-[A-Z]{3}": (["SI-ABC"], ["SI-AB", "SI-AB1"]),
    "SI-[A-Z]{3}-[A-Z]{4}": (["SI-ABC-ABCD"], ["SI-ABC-ABC"]),
}


@pytest.fixture(scope="module")
def sources():
    return SOURCES


def attribute(name, text):
    return FOREIGN | {name: text}


def refused(attributes):
    return {(finding.attribute, finding.value) for finding in check_ism(attributes)}


# Values ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "list_"), LIST_OF.items())
def test_every_published_value_is_accepted(name, list_):
    for value in LISTS[list_].values:
        assert check_ism(attribute(name, value)) == ()
    if LISTS[list_].many:
        assert check_ism(attribute(name, " \n".join(LISTS[list_].values))) == ()


@pytest.mark.parametrize("name", LIST_OF)
@given(text=st.text(st.characters(categories=["Lu", "Ll", "Nd", "Pd"]), min_size=1, max_size=8))
def test_others_are_refused_and_named(name, text):
    published = LISTS[LIST_OF[name]]
    expected = set() if text in published.values or published.patterns else {(name, text)}
    assert published.patterns or refused(attribute(name, text)) == expected


@pytest.mark.parametrize(("name", "list_"), LIST_OF.items())
def test_case_and_neighbours_matter(name, list_):
    for value in LISTS[list_].values:
        for other in (value.lower(), value + "X-", "-" + value, value + "\xa0"):
            assert refused(attribute(name, other)) == {(name, other)}


def test_some_values_are_deprecated():
    assert ("disseminationControls", "EYES", "2014-09-11") in DEPRECATED
    assert {value for _, value, _ in DEPRECATED} == {"EYES", "EFOR", "EUDA", "MIFH"}


@pytest.mark.parametrize(("name", "value", "day"), DEPRECATED)
def test_a_deprecated_value_is_accepted_only_in_what_is_known_to_be_older(name, value, day):
    since = date.fromisoformat(day)
    undated = {"classification": "S", "ownerProducer": "JPN"} | {name: value}
    assert refused(undated) == {(name, value)}
    for days, expected in ((-1, set()), (0, {(name, value)}), (1, {(name, value)})):
        moment = since + timedelta(days=days)
        assert refused(undated | {"createDate": moment.isoformat()}) == expected
        assert {(finding.attribute, finding.value) for finding in check_ism(undated, created=moment)} == expected
    old, new = since - timedelta(days=1), since
    assert check_ism(undated | {"createDate": new.isoformat()}, created=old) != ()
    assert day in check_ism(undated)[0].message.render()


def test_patterns_stand_for_whole_values():
    assert {pattern for values in LISTS.values() for pattern in values.patterns} == set(MATCHES)
    for name, list_ in LIST_OF.items():
        for pattern in LISTS[list_].patterns:
            good, bad = MATCHES[pattern]
            assert check_ism(attribute(name, " ".join(good))) == ()
            for value in bad:
                assert refused(attribute(name, value)) == {(name, value)}


def test_each_unknown_value_of_a_list_is_named():
    assert refused(attribute("releasableTo", "USA Japan JPN EU")) == {("releasableTo", "Japan"), ("releasableTo", "EU")}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("classification", "S C"),
        ("classification", ""),
        ("ownerProducer", " \n"),
        ("releasableTo", ""),
        ("DESVersion", "9"),
        ("DESVersion", "201609.201707"),
        ("declassDate", "2040-02-30"),
        ("declassDate", "20400101"),
        ("declassDate", "2040-01-01T00:00:00Z"),
        ("createDate", "0000-01-01"),
        ("resourceElement", "True"),
        ("resourceElement", "yes"),
        ("derivedFrom", "x" * 1025),
        ("classificationReason", "x" * 4097),
        ("SARIdentifier", "SAR-A"),
        ("atomicEnergyMarkings", "RD"),
        ("declassException", "25X1"),
        ("Classification", "S"),
        ("ism:classification", "S"),
        ("kizuna", "S"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused(name, text):
    assert {found for found, _ in refused(attribute(name, text))} == {name}


def test_a_list_that_is_not_at_hand_is_told_from_an_attribute_that_is_none():
    messages = [check_ism(attribute(name, "x"))[0].message.render() for name in ("SARIdentifier", "kizuna")]
    assert messages == ["SARIdentifier: the list of its values is not known here", "kizuna is no attribute of IC-ISM"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DESVersion", DES_VERSION),
        ("declassDate", "2040-02-29"),
        ("createDate", "2025-06-22Z"),
        ("createDate", " 2025-06-22+09:00 "),
        ("resourceElement", "true"),
        ("excludeFromRollup", "0"),
        ("derivedFrom", "x" * 1024),
        ("declassEvent", ""),
    ],
)
def test_what_the_schema_allows_is_accepted(name, text):
    assert check_ism(attribute(name, text)) == ()


@pytest.mark.parametrize("missing", ["classification", "ownerProducer"])
def test_classification_and_owner_are_required(missing):
    assert refused({name: text for name, text in FOREIGN.items() if name != missing}) == {(missing, "")}


def test_the_usa_alone_knows_no_restricted():
    assert refused({"classification": "R", "ownerProducer": "USA"}) == {("classification", "R")}
    assert check_ism({"classification": "R", "ownerProducer": "GBR"}) == ()
    assert check_ism({"classification": "R", "ownerProducer": "USA GBR"}) == ()


@given(
    st.dictionaries(
        st.sampled_from([*LIST_OF, "DESVersion", "createDate", "classifiedBy", "resourceElement", "x"]), st.text(max_size=12)
    )
)
def test_random_texts_give_findings_or_a_label_or_an_error(attributes):
    findings = check_ism(attributes, created=CREATED.date())
    try:
        label_of_ism(attributes, created=CREATED)
    except InputError:
        return
    assert findings == ()


@given(
    st.dictionaries(
        st.sampled_from([*LIST_OF, "DESVersion", "createDate"]), st.binary(max_size=12).map(lambda data: data.decode("latin-1"))
    )
)
def test_random_bytes_do_no_harm(attributes):
    for finding in check_ism(attributes):
        assert finding.message.render()


# The shipped lists -------------------------------------------------------------------------------------------------------------


def test_the_shipped_lists_are_what_the_generator_makes(sources):
    script = ROOT / "scripts" / "ism_values.py"
    done = subprocess.run([sys.executable, str(script), "--check", str(sources)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shipped_lists_equal_the_files(sources):
    cve, ism = "{urn:us:gov:ic:cve}", "{urn:us:gov:ic:ism}"
    files = sorted(sources.glob("CVEnumISM*.xml"))
    assert {file.stem for file in files} == {"CVEnumISM" + name for name in LISTS}
    for file in files:
        root = ET.parse(file).getroot()
        shipped = LISTS[file.stem.removeprefix("CVEnumISM")]
        values = list(root.iter(cve + "Value"))
        assert [v.text for v in values if v.get("regularExpression") is None] == list(shipped.values)
        assert [v.text for v in values if v.get("regularExpression") == "true"] == list(shipped.patterns)
        assert root.find(cve + "Enumeration").get("multivalue") == str(shipped.many).lower()
        assert (root.get("CVEVersion"), root.get(ism + "createDate")) == (shipped.version, shipped.created)
        assert root.get(ism + "DESVersion") == DES_VERSION
        terms = [(term.find(cve + "Value").text, term.get("deprecated")) for term in root.iter(cve + "Term")]
        assert [term for term in terms if term[1] is not None] == list(shipped.deprecated)
        assert file.read_bytes().count(b"deprecated=") == len(shipped.deprecated)


def test_a_changed_file_fails_the_check(sources, tmp_path):
    for file in sources.glob("CVEnumISM*.xml"):
        (tmp_path / file.name).write_bytes(file.read_bytes().replace(b">JPN<", b">JPX<"))
    script = ROOT / "scripts" / "ism_values.py"
    done = subprocess.run([sys.executable, str(script), "--check", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is not what the files say" in done.stderr


# Labels ------------------------------------------------------------------------------------------------------------------------

JAPANESE = {"秘": "C", "極秘": "S", "機密": "TS", "UNCLASSIFIED": "U"}


def label(**changes):
    values = {"policy": "JPN", "classification": "秘", "originator": parse_party("JPN/IQPS"), "created": CREATED} | changes
    if values.get("releasable_to") is not None:
        values["releasable_to"] = tuple(values["releasable_to"])
    return Label(**values)


def refusal(field, do, *args, **named):
    with pytest.raises(InputError) as caught:
        do(*args, **named)
    assert caught.value.field == field
    assert caught.value.hint is not None
    return str(caught.value)


def test_a_label_becomes_attributes():
    assert ism_attributes_of(label(releasable_to=["UKR", "FIN"]), marks=JAPANESE) == {
        "classification": "C",
        "ownerProducer": "JPN",
        "classifiedBy": "JPN/IQPS",
        "disseminationControls": "REL",
        "releasableTo": "UKR FIN",
    }


@given(
    policy=st.sampled_from([*sorted(NATIONS), "NATO", "TLP", "XXN", "FGI"]),
    classification=st.sampled_from([*JAPANESE, *ENGLISH_MARKS]),
    originator=st.sampled_from(["JPN", "UKR/HUR", "XXN"]).map(parse_party),
    releasable_to=st.none() | st.lists(st.sampled_from([*sorted(NATIONS), "UKR/HUR", "XXN"]), max_size=4),
    marks=st.sampled_from([JAPANESE, ENGLISH_MARKS]),
)
def test_what_is_written_is_accepted_and_read_back_equal_or_was_refused(policy, classification, originator, releasable_to, marks):
    before = label(policy=policy, classification=classification, originator=originator, releasable_to=releasable_to)
    try:
        attributes = ism_attributes_of(before, marks=marks)
    except InputError as error:
        assert error.field in {"policy", "classification", "releasable_to"}  # noqa: PT017 - where it comes, by name
        return
    assert check_ism(attributes) == ()
    assert label_of_ism(attributes, created=CREATED, marks=marks) == before


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"classification": "特定秘密"}, "classification"),
        ({"policy": "USA", "classification": "RESTRICTED"}, "classification"),
        ({"policy": "TLP"}, "policy"),
        ({"policy": "FGI"}, "policy"),
        ({"policy": "FVEY"}, "policy"),
        ({"releasable_to": []}, "releasable_to"),
        ({"releasable_to": ["UKR/HUR"]}, "releasable_to"),
        ({"releasable_to": ["XXN"]}, "releasable_to"),
        ({"caveats": ("x",)}, "caveats"),
        ({"review": CREATED}, "review"),
        ({"categories": (Category("Handling", CategoryType.INFORMATIVE, ("x",)),)}, "categories"),
    ],
)
def test_what_has_no_place_is_refused_by_name(change, field):
    marks = JAPANESE | {"RESTRICTED": "R"}
    refusal(field, ism_attributes_of, label(**change), marks=marks)


READABLE = {"classification": "S", "ownerProducer": "JPN", "classifiedBy": "JPN"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"classification": "X"}, "classification"),
        ({"classification": "R"}, "classification"),
        ({"ownerProducer": "USA GBR"}, "ownerProducer"),
        ({"ownerProducer": "FGI"}, "ownerProducer"),
        ({"ownerProducer": "FVEY"}, "ownerProducer"),
        ({"ownerProducer": "XKS"}, "ownerProducer"),
        ({"disseminationControls": "NF"}, "disseminationControls"),
        ({"disseminationControls": "REL NF", "releasableTo": "USA"}, "disseminationControls"),
        ({"disseminationControls": "REL"}, "releasableTo"),
        ({"releasableTo": "USA"}, "releasableTo"),
        ({"disseminationControls": "REL", "releasableTo": "USA FVEY"}, "releasableTo"),
        ({"SCIcontrols": "SI"}, "SCIcontrols"),
        ({"nonICmarkings": "LES"}, "nonICmarkings"),
        ({"declassDate": "2040-01-01"}, "declassDate"),
        ({"classifiedBy": "J. Smith"}, "classifiedBy"),
    ],
)
def test_a_marking_that_says_what_no_label_can_is_refused_by_name(change, field):
    marks = {word: mark for word, mark in ENGLISH_MARKS.items() if mark != "R"}
    assert label_of_ism(READABLE, created=CREATED, marks=marks).classification == "SECRET"
    refusal(field, label_of_ism, READABLE | change, created=CREATED, marks=marks)


def test_who_labelled_is_named_by_the_marking_or_told():
    silent = {"classification": "S", "ownerProducer": "NATO", "DESVersion": "10"}
    told = label_of_ism(silent, created=CREATED, originator=parse_party("XXN"))
    assert (told.policy, told.originator, told.releasable_to) == ("NATO", "XXN", None)
    refusal("classifiedBy", label_of_ism, silent, created=CREATED)
    refusal("classifiedBy", label_of_ism, READABLE, created=CREATED, originator=parse_party("UKR"))
    assert label_of_ism(READABLE, created=CREATED, originator=parse_party("JPN")).originator == "JPN"


@pytest.mark.parametrize("marks", [{"秘": "C", "対外秘": "C"}, {"秘": "X"}])
def test_marks_must_be_published_and_each_for_one_classification(marks):
    refusal("marks", ism_attributes_of, label(), marks=marks)
    refusal("marks", label_of_ism, READABLE, created=CREATED, marks=marks)
