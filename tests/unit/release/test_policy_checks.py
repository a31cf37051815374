"""A policy that contradicts itself is refused by name, before anybody relies on it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulators.security_policies import ACME

from kizuna.errors import InputError
from kizuna.model.instants import parse_instant
from kizuna.release.policies import (
    Applied,
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
    TagType,
    Validity,
)
from kizuna.release.policy_checks import check_policy

PUBLIC, CONFIDENTIAL, INTERNAL = ACME.classifications
RELEASABLE, ADMINISTRATIVE, SENSITIVE = ACME.tag_sets
ANYTHING = Member("Sensitive", TagType.RESTRICTIVE)
BACKWARDS = Validity(parse_instant("2026-01-01"), parse_instant("2025-01-01"))


def levels(**changes):
    """ACME with a changed first classification."""
    return replace(ACME, classifications=(replace(PUBLIC, **changes), CONFIDENTIAL, INTERNAL))


def tags(**changes):
    """ACME with a changed tag Sensitive."""
    tag = replace(SENSITIVE.tags[0], **changes)
    return replace(ACME, tag_sets=(RELEASABLE, ADMINISTRATIVE, replace(SENSITIVE, tags=(tag,))))


def categories(**changes):
    """ACME with a changed category Sensitive RED."""
    red, blue = SENSITIVE.tags[0].categories
    return tags(categories=(replace(red, **changes), blue))


def sets(**changes):
    """ACME with a changed tag set Sensitive."""
    return replace(ACME, tag_sets=(RELEASABLE, ADMINISTRATIVE, replace(SENSITIVE, **changes)))


def requiring(*members):
    return (Requirement(Operation.ALL, members),)


CONTRADICTIONS = [
    (replace(ACME, identifier=PolicyIdentifier("", "1.2")), "has no name"),
    (replace(ACME, identifier=PolicyIdentifier("ACME", "1")), "1 is no object identifier"),
    (replace(ACME, rbac_id="3.1"), "3.1 is no object identifier"),
    (replace(ACME, classifications=()), "it has no classification"),
    (levels(name="internal"), "duplicate classification internal"),
    (levels(name=" PUBLIC"), "the name ' PUBLIC' begins or ends with a blank"),
    (levels(name="P" * 257), "is longer than 256 characters"),
    (levels(name="PUB\u202eLIC"), "holds control or format characters"),
    (levels(lacv=3), "duplicate classification value 3"),
    (levels(color="#0000FF"), "two classifications have the colour #0000FF"),
    (levels(color="gold"), "gold is no colour"),
    (levels(markings=Markings((MarkingData((MarkingCode.PAGE_TOP,), "P" * 257),))), "is longer than 256 characters"),
    (levels(markings=Markings((MarkingData(()),))), "marking data have no code"),
    (levels(markings=Markings((MarkingData((MarkingCode.PAGE_TOP,), "x", "français"),))), "français is no language tag"),
    (
        levels(markings=Markings((), (Qualifier(QualifierCode.PREFIX, "x", None, MarkingCode.REPLACE_POLICY),))),
        "a marking qualifier has a code that is no place",
    ),
    (levels(required=requiring()), "PUBLIC requires nothing"),
    (levels(required=requiring(Member("Nothing", TagType.RESTRICTIVE))), "PUBLIC names the unknown tag set Nothing"),
    (levels(required=requiring(Member("Sensitive", TagType.PERMISSIVE))), "names a category of Sensitive that it does not have"),
    (levels(equivalents=(Equivalent("Nobody", 1, Applied.BOTH),)), "PUBLIC equals something of the unknown policy Nobody"),
    (sets(name="Administrative"), "duplicate tag set Administrative"),
    (sets(id=RELEASABLE.id), f"duplicate object identifier {RELEASABLE.id}"),
    (sets(id="a"), "a is no object identifier"),
    (sets(tags=()), "Sensitive has no tag"),
    (sets(tags=SENSITIVE.tags * 2), "duplicate category of Sensitive: restrictive 1"),
    (sets(equivalents=(EquivalentTagSet("Nobody"),)), "Sensitive equals something of the unknown policy Nobody"),
    (tags(encoding=InformativeEncoding.BITS), "Sensitive has the encoding of an informative tag and is none"),
    (tags(least=2, most=1), "Sensitive needs at least 2 values and allows 1"),
    (tags(most=-1), "Sensitive limits its selection to a negative number"),
    (categories(name=""), "a category of Sensitive has no name"),
    (categories(name="blue"), "duplicate category blue of Sensitive"),
    (categories(lacv="2"), "duplicate category of Sensitive: restrictive 2"),
    (categories(excluded_classes=("PUBLIC", "PUBLIC")), "duplicate excluded classification PUBLIC in category Sensitive RED"),
    (categories(excluded_classes=("SECRET",)), "Sensitive RED names the unknown classification SECRET"),
    (categories(required_class="SECRET"), "Sensitive RED names the unknown classification SECRET"),
    (categories(required_class="PUBLIC"), "Sensitive RED requires and excludes PUBLIC"),
    (categories(excluded=(Member("Sensitive", TagType.RESTRICTIVE, "9"),)), "does not have: restrictive 9"),
    (categories(required=requiring(Member("Nothing", TagType.RESTRICTIVE))), "names the unknown tag set Nothing"),
    (categories(validity=BACKWARDS), "Sensitive RED ends before it begins"),
    (replace(ACME, validity=BACKWARDS), "ACME ends before it begins"),
    (
        categories(equivalents=(EquivalentCategory("Nobody", "1.2", TagType.RESTRICTIVE, "1", Applied.BOTH),)),
        "Sensitive RED equals something of the unknown policy Nobody",
    ),
    (replace(ACME, equivalent_policies=ACME.equivalent_policies * 2), "duplicate equivalent policy Mock Corporation"),
    (
        replace(ACME, equivalent_policies=(*ACME.equivalent_policies, EquivalentPolicy("M", ACME.equivalent_policies[0].id))),
        "duplicate object identifier",
    ),
    (
        replace(ACME, equivalent_policies=(replace(ACME.equivalent_policies[0], required=requiring()),)),
        "Mock Corporation requires nothing",
    ),
    (replace(ACME, privacy_marks=(PrivacyMark("A"), PrivacyMark("a"))), "duplicate privacy mark a"),
    (replace(ACME, least_privacy_marks=1), "counts privacy marks and has none"),
]


def test_acme_does_not_contradict_itself():
    check_policy(ACME)
    check_policy(categories(excluded=(ANYTHING,), required=requiring(ANYTHING)))


@pytest.mark.parametrize(("policy", "sentence"), CONTRADICTIONS, ids=[sentence for _policy, sentence in CONTRADICTIONS])
def test_contradictions(policy, sentence):
    with pytest.raises(InputError) as caught:
        check_policy(policy)
    assert str(caught.value).startswith("security policy")
    assert sentence in str(caught.value)
