"""TLP 2.0: its writing, its order, and its equals elsewhere."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.errors import InputError
from kizuna.formats.tlp import (
    STIX_EXTENSION,
    Tlp,
    confidentiality_label_of,
    marking_definition_of,
    parse_tlp,
    tlp_of,
    tlp_of_marking_definition,
)
from kizuna.model.confidentiality import CategoryValues, Succession
from kizuna.model.instants import parse_instant
from kizuna.model.label import CategoryType

CREATED = parse_instant("2025-06-22")
MARKINGS = ["TLP:CLEAR", "TLP:GREEN", "TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"]


def test_five_labels_in_order():
    assert [tlp.marking for tlp in sorted(Tlp)] == MARKINGS
    assert [parse_tlp(marking) for marking in MARKINGS] == sorted(Tlp)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("TLP:WHITE", "TLP:CLEAR"),
        ("WHITE", "TLP:CLEAR"),
        ("tlp:white", "TLP:CLEAR"),
        ("tlp:clear", "TLP:CLEAR"),
        ("CLEAR", "TLP:CLEAR"),
        ("TLP: RED", "TLP:RED"),
        ("TLP:RED\n", "TLP:RED"),
        (" TLP:RED", "TLP:RED"),
        ("tlp:red", "TLP:RED"),
        ("Tlp:Green", "TLP:GREEN"),
        ("GREEN", "TLP:GREEN"),
        ("TLP:AMBER +STRICT", "TLP:AMBER+STRICT"),
        ("TLP:AMBER_STRICT", "TLP:AMBER+STRICT"),
        ("TLP:AMBER-STRICT", "TLP:AMBER+STRICT"),
        ("amber+strict", "TLP:AMBER+STRICT"),
    ],
)
def test_another_writing_is_refused_with_the_right_one(text, label):
    with pytest.raises(InputError) as caught:
        parse_tlp(text)
    assert caught.value.hint.render() == f"write {label}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "TLP:",
        "TLP",
        "TLP:BLACK",
        "TLP:AMBER+RED",
        "TLP:TLP:RED",
        "PAP:RED",
        "TLP:ＲＥＤ",
        "TLP:AMBER+ſTRICT",
        "TLP:RED+STRICT",
    ],
)
def test_what_means_no_label_is_refused_and_taken_for_the_strictest(text):
    with pytest.raises(InputError, match=r"is no label of TLP 2\.0") as caught:
        parse_tlp(text)
    assert "TLP:RED until then" in caught.value.hint.render()


@given(st.text() | st.from_regex(r"(?i)tlp:? ?(red|amber|green|clear|white)?[+ _-]?(strict)?", fullmatch=True))
def test_any_text_is_a_label_or_refused(text):
    try:
        assert parse_tlp(text).marking == text
    except InputError:
        assert text not in MARKINGS


@given(st.binary(max_size=30))
def test_random_bytes_are_refused(data):
    text = data.decode("latin-1")
    for read in (parse_tlp, tlp_of_marking_definition):
        with pytest.raises(InputError):
            read(text)


def test_each_says_in_one_sentence_what_it_allows():
    sentences = [tlp.allows.render() for tlp in Tlp]
    for tlp, sentence in zip(Tlp, sentences, strict=True):
        assert sentence.startswith(tlp.marking + ": ")
        assert "." not in sentence
    assert len(set(sentences)) == 5
    assert "clients" in Tlp.AMBER.allows.render()
    assert "clients" not in Tlp.AMBER_STRICT.allows.render()


# Confidentiality labels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tlp", Tlp)
def test_from_and_to_a_confidentiality_label(tlp):
    label = confidentiality_label_of(tlp, created=CREATED, originator="JPN/IQPS")
    assert (label.information.policy, label.information.classification) == ("TLP", tlp.marking.removeprefix("TLP:"))
    assert label.created == CREATED
    assert tlp_of(label) is tlp


INFORMATION = confidentiality_label_of(Tlp.RED, created=CREATED).information


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"policy": "TLPX"}, "policy"),
        ({"policy": "tlp"}, "policy"),
        ({"classification": "WHITE"}, "classification"),
        ({"classification": "TLP:RED"}, "classification"),
        ({"classification": "red"}, "classification"),
        ({"categories": (CategoryValues("Regions", CategoryType.PERMISSIVE, ("EU",)),)}, "categories"),
        ({"privacy_mark": "CHATHAM HOUSE"}, "privacy_mark"),
        ({"policy_uri": "urn:oid:1.2.826.0.1.6726289.0.2"}, "policy_uri"),
    ],
)
def test_a_label_that_says_something_else_is_refused_by_name(change, field):
    label = confidentiality_label_of(Tlp.RED, created=CREATED)
    with pytest.raises(InputError) as caught:
        tlp_of(replace(label, information=replace(INFORMATION, **change)))
    assert caught.value.field == field


def test_a_label_that_becomes_another_is_refused():
    later = Succession(confidentiality_label_of(Tlp.CLEAR, created=CREATED).information, parse_instant("2030-01-01"))
    with pytest.raises(InputError) as caught:
        tlp_of(replace(confidentiality_label_of(Tlp.RED, created=CREATED), successions=(later,)))
    assert caught.value.field == "successions"


# STIX --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tlp", Tlp)
def test_marking_definitions_there_and_back(tlp):
    identifier = marking_definition_of(tlp)
    assert re.fullmatch(r"marking-definition--[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", identifier)
    assert tlp_of_marking_definition(identifier) is tlp


def test_the_published_identifiers():
    # oasis-open/cti-stix-common-objects, extension-definition-specifications/tlp-2.0
    assert [marking_definition_of(tlp).rpartition("--")[2][:8] for tlp in Tlp] == [
        "94868c89",
        "bab4a63c",
        "55d920b0",
        "939a9414",
        "e828b379",
    ]
    assert STIX_EXTENSION == "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"


@pytest.mark.parametrize(
    ("identifier", "tlp"),
    [
        ("marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", Tlp.CLEAR),
        ("marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", Tlp.GREEN),
        ("marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", Tlp.AMBER),
        ("marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", Tlp.RED),
    ],
)
def test_what_stix_predefines_for_tlp_1_is_read(identifier, tlp):
    assert tlp_of_marking_definition(identifier) is tlp
    assert marking_definition_of(tlp) != identifier


@pytest.mark.parametrize("identifier", ["", "TLP:RED", "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc8"])
def test_another_marking_is_refused(identifier):
    with pytest.raises(InputError) as caught:
        tlp_of_marking_definition(identifier)
    assert caught.value.field == "object_marking_refs"


def test_stricter_is_greater():
    assert all(one < other for one, other in pairwise(parse_tlp(marking) for marking in MARKINGS))
