"""The NITF security group: by itself, against jbpy, and from and to labels."""

import io
import string
from datetime import date

import jbpy
import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.formats.country_codes import CountryCodes, digraph_of, nation_of_digraph
from kizuna.formats.nitf_security import (
    ENGLISH_LETTERS,
    NITF_SECURITY_BYTES,
    NitfSecurity,
    file_security,
    label_of,
    nitf_security_bytes,
    nitf_security_of,
    parse_nitf_security,
)
from kizuna.model.instants import parse_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import NATIONS, parse_party

ISO, FIPS = CountryCodes
CREATED = parse_instant("2025-06-22T09:30:00Z")
JAPANESE = {"秘": "C", "極秘": "S", "機密": "T", "UNCLASSIFIED": "U"}
ECS_A = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters=[chr(c) for c in range(0x7F, 0xA0)])
FULL = NitfSecurity(
    classification="S",
    classification_system="JP",
    codewords="AB CD",
    control_and_handling="ZZ",
    releasing_instructions="JPN UKR",
    declassification_type="GD",
    downgrade="C",
    downgrade_date=date(2035, 6, 21),
    classification_text="Ne pas diffuser: Éléments d'orbite",
    classification_authority_type="D",
    classification_authority="Guide 7",
    classification_reason="G",
    source_date=date(2024, 2, 29),
    control_number="0042/2025",
)
TAGS = [
    "CLAS",
    "CLSY",
    "CODE",
    "CTLH",
    "REL",
    "DCTP",
    "DCDT",
    "DCXM",
    "DG",
    "DGDT",
    "CLTX",
    "CATP",
    "CAUT",
    "CRSN",
    "SRDT",
    "CTLN",
]


def label(**changes):
    values = {"policy": "JPN", "classification": "秘", "originator": parse_party("JPN/IQPS"), "created": CREATED} | changes
    values |= {name: tuple(values[name]) for name in ("releasable_to", "caveats") if values.get(name) is not None}
    return Label(**values)


def refusal(field, do, *args, **named):
    with pytest.raises(InputError) as caught:
        do(*args, **named)
    assert caught.value.field == field
    assert caught.value.hint is not None
    return str(caught.value)


def edited(tag, text):
    """A group of spaces and U, with `text` in one field."""
    at = sum(WIDTHS[: TAGS.index(tag)])
    data = bytearray(b"U" + b" " * 166)
    data[at : at + len(text)] = text
    return bytes(data)


WIDTHS = [1, 2, 11, 2, 20, 2, 8, 4, 1, 8, 43, 1, 40, 1, 8, 15]


# jbpy --------------------------------------------------------------------------------------------------------------------------


def nitf_file(group):
    """A whole NITF file with a text segment, whose file header and text subheader carry `group`."""
    ntf = jbpy.Jbp()
    ntf["FileHeader"]["OSTAID"].value = "kizuna"
    ntf["FileHeader"]["NUMT"].value = 1
    subheader = ntf["TextSegments"][0]["subheader"]
    ntf["FileHeader"]["LT001"].value = 4
    for header, prefix in ((ntf["FileHeader"], "FS"), (subheader, "TS")):
        data = group
        for tag, width in zip(TAGS, WIDTHS, strict=True):
            header[prefix + tag].encoded_value, data = data[:width], data[width:]
    ntf.finalize()
    file = io.BytesIO()
    ntf.dump(file)
    file.seek(ntf["TextSegments"][0]["Data"].get_offset())
    file.write(b"text")
    return file.getvalue()


def test_jbpy_reads_what_we_write():
    data = bytearray(nitf_file(b"U" + b" " * 166))
    data[119 : 119 + NITF_SECURITY_BYTES] = nitf_security_bytes(FULL)
    header = jbpy.Jbp().load(io.BytesIO(bytes(data)))["FileHeader"]
    assert [header[f"FS{tag}"].value for tag in TAGS] == [
        "S",
        "JP",
        "AB CD",
        "ZZ",
        "JPN UKR",
        "GD",
        None,
        None,
        "C",
        "20350621",
        "Ne pas diffuser: Éléments d'orbite",
        "D",
        "Guide 7",
        "G",
        "20240229",
        "0042/2025",
    ]


def test_we_read_what_jbpy_wrote():
    security = jbpy.core.SecurityFields("by hand", "I")
    values = {"CLAS": "S", "CLSY": "JP", "REL": "JPN UKR", "DCTP": "DD", "DCDT": "20400101", "CLTX": "Élan", "CTLN": "7"}
    for tag, value in values.items():
        security[f"IS{tag}"].value = value
    file = io.BytesIO()
    security.dump(file)
    assert parse_nitf_security(file.getvalue()) == NitfSecurity(
        classification="S",
        classification_system="JP",
        releasing_instructions="JPN UKR",
        declassification_type="DD",
        declassification_date=date(2040, 1, 1),
        classification_text="Élan",
        control_number="7",
    )


def test_our_widths_are_jbpys():
    assert [security.size for security in jbpy.core.SecurityFields("by hand", "F").values()] == WIDTHS
    assert sum(WIDTHS) == NITF_SECURITY_BYTES == 167


def test_a_whole_file_carries_it_in_each_header():
    group = nitf_security_bytes(FULL)
    data = nitf_file(group)
    assert file_security(data) == FULL
    assert data.count(group) == 2
    assert jbpy.Jbp().load(io.BytesIO(data))["TextSegments"][0]["subheader"]["TSREL"].value == "JPN UKR"


def test_the_group_of_a_sicd_that_kizuna_writes(small_sicd):
    assert file_security(small_sicd) == NitfSecurity("U")


@pytest.mark.parametrize("name", ["sicd_50x50.nitf", "cropped_sicd_120.nitf", "cropped_sicd_110.nitf"])
def test_the_group_of_others_files_is_what_jbpy_reads(real_sicd, name):
    data = real_sicd(name).read_bytes()
    header = jbpy.Jbp().load(io.BytesIO(data))["FileHeader"]
    group = file_security(data)
    assert group.classification == header["FSCLAS"].value
    assert (group.classification_system or None) == header["FSCLSY"].value
    assert (group.classification_text or None) == header["FSCLTX"].value


def test_another_file_is_no_nitf():
    assert "not a NITF file" in refusal("file", file_security, b"\x89PNG\r\n" + b" " * 400)


# The group by itself -----------------------------------------------------------------------------------------------------------


def test_bytes_and_back():
    data = nitf_security_bytes(FULL)
    assert len(data) == 167
    assert parse_nitf_security(data) == FULL


@given(
    st.text(ECS_A, max_size=43).map(lambda text: text.rstrip(" ")), st.text(ECS_A, max_size=15).map(lambda text: text.rstrip(" "))
)
def test_free_texts_come_back_as_they_were(text, number):
    group = NitfSecurity("R", classification_text=text, control_number=number)
    assert parse_nitf_security(nitf_security_bytes(group)) == group


@given(st.one_of(st.binary(max_size=400), st.binary(min_size=167, max_size=167)))
def test_random_bytes_are_read_or_refused(data):
    try:
        group = parse_nitf_security(data)
    except InputError:
        return
    assert nitf_security_bytes(group) == data


@given(st.lists(st.sampled_from([*b"UTSCROXDGE 0123456789", 0x7F, 0xE9]), min_size=167, max_size=167))
def test_nearly_right_bytes_are_read_or_refused(codes):
    data = b"U" + bytes(codes[1:])
    try:
        group = parse_nitf_security(data)
    except InputError:
        return
    assert nitf_security_bytes(group) == data


@given(st.binary(max_size=167 + 119))
def test_random_headers_are_read_or_refused(data):
    try:
        file_security(b"NITF02.10" + data)
    except InputError as error:
        assert error.field  # noqa: PT017 - that it comes at all is not required


@pytest.mark.parametrize("length", [0, 166, 168])
def test_another_length_is_refused(length):
    assert f"has 167 bytes, got {length}" in refusal("security", parse_nitf_security, b"U" * length)


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("CLAS", b"X"),
        ("CLAS", b" "),
        ("CLAS", b"u"),
        ("DCTP", b"ZZ"),
        ("DCTP", b" O"),
        ("DG", b"T"),
        ("CATP", b"A"),
        ("CRSN", b"H"),
        ("SRDT", b"20230229"),
        ("SRDT", b"2023"),
        ("SRDT", b"00000101"),
        ("SRDT", b"2023-1-1"),
        ("SRDT", b"\xb2\xb3\xb90101 "),
        ("DCDT", b"20400101"),
        ("DCXM", b"X1"),
        ("DG", b"S"),
        ("DGDT", b"20400101"),
    ],
)
def test_what_the_standard_does_not_list_is_refused_by_the_name_of_its_field(tag, text):
    assert tag in refusal(tag, parse_nitf_security, edited(tag, text))


@pytest.mark.parametrize(("kind", "missing"), [(b"DD", "DCDT"), (b"X", "DCXM"), (b"GE", "DG"), (b"GD", "DG")])
def test_a_type_of_declassification_needs_what_it_names(kind, missing):
    refusal(missing, parse_nitf_security, edited("DCTP", kind))


@pytest.mark.parametrize("code", [0x00, 0x0A, 0x1F, 0x7F, 0x80, 0x9F])
def test_control_characters_are_refused(code):
    assert f"U+{code:04X}" in refusal("CLTX", parse_nitf_security, edited("CLTX", b"a" + bytes([code]) + b"b"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"classification_text": "関係者限り"}, "CLTX"),
        ({"classification_text": "x" * 44}, "CLTX"),
        ({"classification_authority": "Ω"}, "CAUT"),
        ({"control_number": "7 "}, "CTLN"),
        ({"classification_system": "JPN"}, "CLSY"),
        ({"classification": "秘"}, "CLAS"),
        ({"classification": "SECRET"}, "CLAS"),
        ({"declassification_date": date(2040, 1, 1)}, "DCDT"),
    ],
)
def test_a_value_that_no_bytes_can_hold_is_refused(change, field):
    refusal(field, nitf_security_bytes, NitfSecurity(**({"classification": "S"} | change)))


# Country codes -----------------------------------------------------------------------------------------------------------------


def test_pairs_of_letters_are_those_of_cldr():
    aliases = get_global("territory_aliases")
    for nation in NATIONS:
        assert aliases[nation] == [digraph_of(nation, ISO)]


@pytest.mark.parametrize("codes", CountryCodes)
def test_each_pair_is_of_one_nation(codes):
    known = {}
    for nation in NATIONS:
        try:
            known[nation] = digraph_of(nation, codes)
        except InputError as error:
            assert codes is FIPS and error.field == "nation"  # noqa: PT017, PT018 - only FIPS has gaps
    assert len(known) == (249 if codes is ISO else 244)
    assert {nation: nation_of_digraph(pair, codes) for nation, pair in known.items()} == {nation: nation for nation in known}


def test_the_two_codes_disagree():
    assert [digraph_of(parse_party(nation), FIPS) for nation in ("JPN", "UKR", "DEU", "GBR", "AUS", "CHE", "CHN")] == [
        "JA",
        "UP",
        "GM",
        "UK",
        "AS",
        "SZ",
        "CH",
    ]
    assert nation_of_digraph("CH", ISO) == "CHE"


# Labels ------------------------------------------------------------------------------------------------------------------------


def test_a_label_becomes_a_group():
    group = nitf_security_of(label(releasable_to=["UKR", "FIN"], caveats=["No onward release"]), codes=ISO, letters=JAPANESE)
    assert group == NitfSecurity(
        classification="C",
        classification_system="JP",
        releasing_instructions="UKR FIN",
        classification_text="No onward release",
        classification_authority_type="O",
        classification_authority="JPN/IQPS",
    )


def test_nato_is_xn_in_both_codes():
    secret = label(policy="NATO", classification="SECRET", originator=parse_party("XXN"))
    for codes in CountryCodes:
        group = nitf_security_of(secret, codes=codes)
        assert group.classification_system == "XN"
        assert label_of(group, codes=codes, created=CREATED) == secret


CAVEATS = st.lists(st.text(ECS_A, min_size=1, max_size=20), max_size=3)


@given(
    policy=st.sampled_from([*sorted(NATIONS), "NATO"]),
    classification=st.sampled_from([*JAPANESE, *ENGLISH_LETTERS]),
    originator=st.builds("{}{}".format, st.sampled_from(sorted(NATIONS)), st.sampled_from(["", "/IQPS", "/" + "A" * 32])),
    releasable_to=st.none() | st.lists(st.sampled_from([*sorted(NATIONS), "XXN"]), max_size=7),
    caveats=CAVEATS,
    codes=st.sampled_from(CountryCodes),
    letters=st.sampled_from([JAPANESE, ENGLISH_LETTERS]),
)
def test_what_is_written_is_read_back_equal_or_was_refused(
    policy, classification, originator, releasable_to, caveats, codes, letters
):
    before = label(
        policy=policy,
        classification=classification,
        originator=parse_party(originator),
        releasable_to=releasable_to,
        caveats=caveats,
    )
    try:
        data = nitf_security_bytes(nitf_security_of(before, codes=codes, letters=letters))
    except InputError as error:
        assert error.field in {"policy", "classification", "releasable_to", "caveats"}  # noqa: PT017
        return
    assert label_of(parse_nitf_security(data), codes=codes, created=CREATED, letters=letters) == before


@given(
    policy=st.sampled_from(sorted(NATIONS)),
    releasable_to=st.none() | st.lists(st.sampled_from(sorted(NATIONS)), min_size=1, max_size=5),
    caveats=st.lists(st.text(string.ascii_letters, min_size=1, max_size=13), max_size=3),
)
def test_an_ordinary_label_is_never_refused(policy, releasable_to, caveats):
    before = label(policy=policy, releasable_to=releasable_to, caveats=caveats)
    group = nitf_security_of(before, codes=ISO, letters=JAPANESE)
    assert label_of(parse_nitf_security(nitf_security_bytes(group)), codes=ISO, created=CREATED, letters=JAPANESE) == before


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"releasable_to": ["UKR", "FIN", "EST", "DEU", "FRA", "ITA"]}, "releasable_to", "REL has 20 bytes"),
        ({"releasable_to": []}, "releasable_to", "nobody"),
        ({"releasable_to": ["UKR/HUR"]}, "releasable_to", "UKR/HUR is an organisation"),
        ({"classification": "特定秘密"}, "classification", "no letter of CLAS"),
        ({"policy": "TLP"}, "policy", "no code for 'TLP'"),
        ({"policy": "XXN"}, "policy", "no code for 'XXN'"),
        ({"caveats": ["関係者限り"]}, "caveats", "CLTX cannot hold '関' (U+95A2)"),
        ({"caveats": ["x" * 22, "y" * 20]}, "caveats", "CLTX has 43 bytes"),
        ({"caveats": ["one; two"]}, "caveats", "other texts"),
        ({"caveats": [""]}, "caveats", "other texts"),
        ({"caveats": ["end "]}, "caveats", "other texts"),
        ({"caveats": ["soft\xadhyphen"]}, "caveats", "other texts"),
        ({"review": CREATED}, "review", "no place"),
    ]
    + [
        ({"categories": (Category("Handling", kind, ("EYES ONLY",)),)}, "categories", "no place for Handling: EYES ONLY")
        for kind in CategoryType
    ],
)
def test_what_does_not_fit_is_refused_by_name(change, field, words):
    assert words in refusal(field, nitf_security_of, label(**change), codes=ISO, letters=JAPANESE)


def test_five_nations_fit():
    group = nitf_security_of(label(releasable_to=["UKR", "FIN", "EST", "DEU", "FRA"]), codes=ISO, letters=JAPANESE)
    assert group.releasing_instructions == "UKR FIN EST DEU FRA"


@pytest.mark.parametrize("letters", [{"秘": "C", "対外秘": "C"}, {"秘": "X"}, {"秘": ""}])
def test_letters_must_be_of_the_standard_and_each_for_one_classification(letters):
    refusal("letters", nitf_security_of, label(), codes=ISO, letters=letters)
    refusal("letters", label_of, NitfSecurity("C", "JP"), codes=ISO, created=CREATED, letters=letters)


READABLE = {
    "classification": "S",
    "classification_system": "JP",
    "classification_authority_type": "O",
    "classification_authority": "JPN",
}


def test_the_code_of_a_pair_of_letters_is_asked_for():
    group = NitfSecurity(**(READABLE | {"classification_system": "AU", "releasing_instructions": "CH XN JPN"}))
    read = {codes: label_of(group, codes=codes, created=CREATED) for codes in CountryCodes}
    assert [read[codes].policy for codes in (ISO, FIPS)] == ["AUS", "AUT"]
    assert [read[codes].releasable_to for codes in (ISO, FIPS)] == [("CHE", "XXN", "JPN"), ("CHN", "XXN", "JPN")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"codewords": "AB"}, "CODE"),
        ({"control_and_handling": "AB"}, "CTLH"),
        ({"declassification_type": "DD", "declassification_date": date(2040, 1, 1)}, "DCTP"),
        ({"declassification_type": "X", "declassification_exemption": "X1"}, "DCTP"),
        ({"declassification_type": "GD", "downgrade": "C", "downgrade_date": date(2040, 1, 1)}, "DCTP"),
        ({"classification_reason": "A"}, "CRSN"),
        ({"source_date": date(2020, 1, 1)}, "SRDT"),
        ({"control_number": "1"}, "CTLN"),
        ({"classification_system": ""}, "CLSY"),
        ({"classification_system": "ZZ"}, "CLSY"),
        ({"classification_system": "J"}, "CLSY"),
        ({"releasing_instructions": "FVEY"}, "REL"),
        ({"releasing_instructions": "JPN  UKR"}, "REL"),
        ({"releasing_instructions": "JPN,UKR"}, "REL"),
        ({"releasing_instructions": "jpn"}, "REL"),
        ({"releasing_instructions": "ZZ"}, "REL"),
        ({"classification_authority": "Guide 7"}, "CAUT"),
        ({"classification_authority": ""}, "CAUT"),
        ({"classification_authority_type": ""}, "CAUT"),
        ({"classification_authority_type": "D"}, "CAUT"),
        ({"classification_authority_type": "", "classification_authority": ""}, "CAUT"),
        ({"classification_text": "; x"}, "CLTX"),
        ({"classification_text": "a;  b"}, "CLTX"),
        ({"classification_text": "a\xadb"}, "CLTX"),
        ({"classification_text": "関"}, "CLTX"),
        ({"classification": "R"}, "CLAS"),
    ],
)
def test_a_group_that_says_what_no_label_can_is_refused_by_name(change, field):
    letters = {word: letter for word, letter in ENGLISH_LETTERS.items() if letter != "R"}
    assert label_of(NitfSecurity(**READABLE), codes=ISO, created=CREATED, letters=letters).classification == "SECRET"
    refusal(field, label_of, NitfSecurity(**(READABLE | change)), codes=ISO, created=CREATED, letters=letters)


def test_who_labelled_may_be_told_where_the_group_is_silent_and_nowhere_else():
    silent = NitfSecurity("S", "JP")
    assert label_of(silent, codes=ISO, created=CREATED, originator=parse_party("JPN")).originator == "JPN"
    named = NitfSecurity(**READABLE)
    assert label_of(named, codes=ISO, created=CREATED, originator=parse_party("JPN")).originator == "JPN"
    assert "names JPN, not UKR" in refusal("CAUT", label_of, named, codes=ISO, created=CREATED, originator=parse_party("UKR"))
