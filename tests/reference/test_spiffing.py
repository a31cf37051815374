"""The vectors of spiffing (Surevine, MIT): markings, validity, access, translation, six policies, exceptions included.

They are read from the data beside the repository. Where a vector expects an exception, ours must name the same thing.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree
from reference.spiffing_readers import read_clearance, read_ess, read_label

from kizuna.errors import InputError
from kizuna.formats.spif import read_spif
from kizuna.release.policies import oid_uri
from kizuna.release.policy_markings import clearance_marking, marking
from kizuna.release.policy_rules import acdf, findings, resolve
from kizuna.release.translation import Direction, translate

VECTORS = Path(__file__).parents[1] / "vectors/spiffing"
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
# Its parser does not look at the names of end tags, and two of its policies close a tag set under a misspelt one.
MISSPELT = b"</securityCategiryTagSet>", b"</securityCategoryTagSet>"
KNOWN = {
    "label",
    "valid",
    "clearance",
    "label-marking",
    "clearance-marking",
    "acdf-result",
    "exception",
    "encrypt",
    "encrypt-marking",
    LANGUAGE,
}


def sequences():
    """Policies, and tests on them, of each sequence."""
    root = etree.parse(VECTORS / "tests.xml").getroot()
    return [(sequence.findall("policy"), sequence.findall("test")) for sequence in root.findall("sequence")]


CASES = [
    pytest.param([policy.get("spif") for policy in policies], dict(test.attrib), id=f"{place}-{number}-{test.get('label')}")
    for place, (policies, tests) in enumerate(sequences(), start=1)
    for number, test in enumerate(tests, start=1)
]
POLICIES = [
    pytest.param(policy.get("spif"), policy.get("exception"), id=policy.get("spif"))
    for policies, _tests in sequences()
    for policy in policies
]


def read_policy(name):
    return read_spif((VECTORS / name).read_bytes().replace(*MISSPELT), name=name)


def read_policies(names):
    return {policy.id: policy for policy in map(read_policy, names)}


def policy_of(policies, label):
    """Policy of a label: the one whose identifier or name it gives."""
    information = label.information
    (found,) = [
        policy
        for policy in policies.values()
        if information.policy_uri == oid_uri(policy.id) or information.policy.casefold() == policy.name.casefold()
    ]
    return found


def test_all_of_them_are_here():
    assert len(CASES) == 25
    assert len(POLICIES) == 6


@pytest.mark.parametrize(("name", "exception"), POLICIES)
def test_policy(name, exception):
    if exception is None:
        assert read_policy(name).classifications
        return
    assert exception == "Duplicate excluded classification in category"
    with pytest.raises(InputError, match="duplicate excluded classification Ambrosia in category Taste Sensations Chocolate"):
        read_policy(name)


@pytest.mark.parametrize(("names", "expected"), CASES)
def test_vector(names, expected):
    assert expected.keys() <= KNOWN
    policies = read_policies(names)
    path = VECTORS / expected["label"]
    data = path.read_bytes() if path.exists() else b""
    if expected.get("exception") == "No data to parse":
        with pytest.raises(InputError, match="not XML"):
            read_label(path.name, data, policies)
        return
    label = read_label(path.name, data, policies)
    if "exception" in expected:
        assert expected["exception"] == f"Unknown policy id: {label.information.policy}"
        for policy in policies.values():
            sentences = [finding.message.render() for finding in findings(policy, label)]
            assert f"unknown policy {label.information.policy}, expected {policy.name}" in sentences
        return
    policy = policy_of(policies, label)
    language = expected.get(LANGUAGE, "en")
    if "valid" in expected:
        assert (not findings(policy, label)) is (expected["valid"] == "true"), findings(policy, label)
    if "label-marking" in expected:
        assert marking(policy, label, language) == expected["label-marking"]
    if "encrypt" in expected:
        other = policies[expected["encrypt"]]
        translation = translate(policy, label, other, Direction.ENCRYPT)
        assert translation.refusals == translation.findings == ()
        policy, label = other, translation.label
        assert marking(policy, label, language) == expected["encrypt-marking"]
    if "clearance" in expected:
        clearance = read_clearance((VECTORS / expected["clearance"]).read_bytes(), policies)
        if "clearance-marking" in expected:
            assert clearance_marking(policy, clearance, language) == expected["clearance-marking"]
        decision = acdf(policy, clearance, label)
        assert decision.allowed is (expected["acdf-result"] == "1"), decision.reasons


def test_the_chocolate_is_refused_for_the_lactose_and_for_the_rights_of_animals_alone():
    policies = read_policies(["food-policy.xml"])
    (food,) = policies.values()
    label = read_label("x.xml", (VECTORS / "food-label-milk-chocolate.xml").read_bytes(), policies)
    clearance = read_clearance((VECTORS / "food-clearance-lactose-intolerant.xml").read_bytes(), policies)
    assert {reason.render() for reason in acdf(food, clearance, label).reasons} == {
        "the clearance lacks Allergens Lactose",
        "Bandwagons: the clearance has none of Animal Rights",
    }


@pytest.mark.parametrize("number", ["1", "2", "3", "4", "5", "6"])
def test_a_label_means_the_same_in_both_forms(number):
    policies = read_policies(["nato-4774-policy.xml"])
    (nato,) = policies.values()
    by_value, by_name = [
        resolve(nato, read_label(name, (VECTORS / name).read_bytes(), policies).information)
        for name in (f"nato-4774-17-{number}.xml", f"nato-4774-17-{number}.nato")
    ]
    assert by_value == by_name
    assert not by_value.unknown


def test_the_label_that_the_vectors_leave_out_as_invalid_is_invalid():
    policies = read_policies(["nato-4774-policy.xml"])
    (nato,) = policies.values()
    label = read_label("x.xml", (VECTORS / "nato-4774-17-5.xml").read_bytes(), policies)
    assert re.match(r"Releasable To EAPC does not go with CONFIDENTIAL", findings(nato, label)[0].message.render())
    assert marking(nato, label) == "NATO/EAPC CONFIDENTIAL Releasable to EAPC, ISAF"


@pytest.mark.parametrize(
    ("name", "policy", "level", "mark"),
    [("label-1.ber", "", "253", "Aqua (obsolete)"), ("label-2.ber", "1.1", "4", None), ("label-3.ber", "1.1", "3", None)],
)
def test_labels_in_ber(name, policy, level, mark):
    information = read_ess((VECTORS / name).read_bytes(), {}).information
    assert (information.policy, information.classification, information.privacy_mark) == (policy, level, mark)


@pytest.mark.parametrize("name", ["food-policy.xml", "food-policy-missi.xml", "bsi-commercial.xml"])
def test_policies_that_are_no_xml_are_refused_as_they_are(name):
    with pytest.raises(InputError, match=f"{name}: not XML"):
        read_spif((VECTORS / name).read_bytes(), name=name)
