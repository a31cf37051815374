"""XML SPIF 2.1 security policies: write. What is written is valid against the schema and reads back to an equal value."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from lxml import etree

from kizuna.formats.spif import SPIF_NAMESPACE
from kizuna.model.instants import format_instant
from kizuna.release.policies import TagType
from kizuna.release.policy_checks import check_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kizuna.release.policies import (
        Classification,
        Markings,
        Member,
        PolicyIdentifier,
        Qualifier,
        Requirement,
        SecurityPolicy,
        Tag,
        TagCategory,
        TagSet,
        Validity,
    )

__all__ = ["write_spif"]

_VERSION = "2.1"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"

type _Value = str | int | bool | None


def _element(tag: str, /, **attributes: _Value) -> etree._Element:
    """Element of the namespace, with the attributes that have a value; false is what absence means."""
    element = etree.Element(f"{{{SPIF_NAMESPACE}}}{tag}", nsmap={"spif": SPIF_NAMESPACE})
    for attribute, value in attributes.items():
        if value is True:
            element.set(attribute, "true")
        elif value is not None and value is not False:
            element.set(attribute, str(value))
    return element


def _leaf(name: str, text: str) -> etree._Element:
    element = _element(name)
    element.text = text
    return element


def _spoken(element: etree._Element, language: str | None) -> etree._Element:
    if language is not None:
        element.set(_LANGUAGE, language)
    return element


def _qualifiers(qualifiers: Iterable[Qualifier]) -> Iterable[etree._Element]:
    for place, group in groupby(qualifiers, key=lambda one: one.place):
        element = _element("markingQualifier", markingCode=place)
        for one in group:
            element.append(_spoken(_element("qualifier", markingQualifier=one.text, qualifierCode=one.code), one.language))
        yield element


def _markings(markings: Markings) -> Iterable[etree._Element]:
    for data in markings.data:
        element = _spoken(_element("markingData", phrase=data.phrase), data.language)
        element.extend([_leaf("code", code.value) for code in data.codes])
        yield element
    yield from _qualifiers(markings.qualifiers)


def _type(type_: TagType) -> dict[str, _Value]:
    match type_:
        case TagType.ENUMERATED_RESTRICTIVE:
            return {"tagType": "enumerated", "enumType": "restrictive"}
        case TagType.ENUMERATED_PERMISSIVE:
            return {"tagType": "enumerated", "enumType": "permissive"}
        case _:
            return {"tagType": type_.value}


def _member(name: str, member: Member) -> etree._Element:
    return _element(name, tagSetRef=member.tag_set, **_type(member.type), lacv=member.lacv, all=member.lacv is None)


def _requirements(requirements: Iterable[Requirement]) -> Iterable[etree._Element]:
    for requirement in requirements:
        element = _element("requiredCategory", operation=requirement.operation)
        element.extend([_member("categoryGroup", member) for member in requirement.members])
        yield element


def _validity(validity: Validity) -> dict[str, _Value]:
    begin, end = validity.not_before, validity.not_after
    return {
        "notBefore": None if begin is None else format_instant(begin),
        "notAfter": None if end is None else format_instant(end),
    }


def _identifier(name: str, identifier: PolicyIdentifier) -> etree._Element:
    element = _element(name, name=identifier.name, id=identifier.id)
    element.extend(_markings(identifier.markings))
    return element


def _classification(level: Classification) -> etree._Element:
    element = _element(
        "securityClassification",
        name=level.name,
        color=level.color,
        lacv=level.lacv,
        hierarchy=level.hierarchy,
        obsolete=level.obsolete,
    )
    for one in level.equivalents:
        equivalent = _element("equivalentClassification", policyRef=one.policy, lacv=one.lacv, applied=one.applied)
        equivalent.extend(_requirements(one.required))
        element.append(equivalent)
    element.extend(_markings(level.markings))
    element.extend(_requirements(level.required))
    return element


def _category(category: TagCategory) -> etree._Element:
    element = _element(
        "tagCategory",
        name=category.name,
        lacv=category.lacv,
        userInput=category.user_input,
        requiredClass=category.required_class,
        obsolete=category.obsolete,
        dateFormat=category.date_format,
        **_validity(category.validity),
    )
    for one in category.equivalents:
        element.append(
            _element(
                "equivalentSecCategoryTag",
                policyRef=one.policy,
                tagSetId=one.tag_set_id,
                **_type(one.type),
                lacv=one.lacv,
                applied=one.applied,
                action="discard" if one.discard else None,
            )
        )
    element.extend(_markings(category.markings))
    element.extend([_leaf("excludedClass", name) for name in category.excluded_classes])
    element.extend(_requirements(category.required))
    element.extend([_member("excludedCategory", member) for member in category.excluded])
    return element


def _tag(tag: Tag) -> etree._Element:
    element = _element(
        "securityCategoryTag",
        name=tag.name or None,
        **_type(tag.type),
        tag7Encoding=tag.encoding,
        maxSelection=tag.most,
        minSelection=tag.least,
    )
    element.extend([_category(category) for category in tag.categories])
    element.extend(_qualifiers(tag.qualifiers))
    return element


def _tag_set(tag_set: TagSet) -> etree._Element:
    element = _element("securityCategoryTagSet", name=tag_set.name, id=tag_set.id)
    element.extend([_tag(tag) for tag in tag_set.tags])
    for one in tag_set.equivalents:
        equivalent = _element("equivalentSecurityCategoryTagSet", policyRef=one.policy, name=one.name, id=one.id)
        equivalent.extend(_requirements(one.required))
        element.append(equivalent)
    return element


def _privacy_marks(policy: SecurityPolicy) -> etree._Element:
    element = _element("privacyMarks", maxSelection=policy.most_privacy_marks, minSelection=policy.least_privacy_marks)
    for mark in policy.privacy_marks:
        child = _element("privacyMark", name=mark.name, obsolete=mark.obsolete)
        child.extend(_markings(mark.markings))
        element.append(child)
    element.extend(_markings(policy.privacy_markings))
    return element


def _equivalent_policies(policy: SecurityPolicy) -> etree._Element:
    element = _element("equivalentPolicies")
    for one in policy.equivalent_policies:
        child = _element(
            "equivalentPolicy",
            name=one.name,
            id=one.id,
            userRefURI=one.user_reference,
            docRefURI=one.document_reference,
        )
        child.extend(_requirements(one.required))
        element.append(child)
    return element


def write_spif(policy: SecurityPolicy) -> bytes:
    """XML SPIF 2.1 document of a policy; `kizuna.formats.spif.read_spif` reads it back.

    Raises
    ------
    InputError
        If the policy contradicts itself.
    """
    check_policy(policy)
    root = _element(
        "SPIF",
        schemaVersion=_VERSION,
        version=policy.version,
        creationDate=policy.created,
        originatorDN=policy.originator_dn,
        keyIdentifier=policy.key_identifier,
        privilegeId=policy.privilege_id,
        rbacId=policy.rbac_id,
        userRefURI=policy.user_reference,
        docRefURI=policy.document_reference,
        **_validity(policy.validity),
    )
    if policy.default_policy is not None:
        root.append(_identifier("defaultSecurityPolicyId", policy.default_policy))
    root.append(_identifier("securityPolicyId", policy.identifier))
    levels = _element("securityClassifications", name=policy.classifications_name)
    levels.extend([_classification(level) for level in policy.classifications])
    levels.extend(_markings(policy.classification_markings))
    root.append(levels)
    if policy.tag_sets:
        tag_sets = _element("securityCategoryTagSets")
        tag_sets.extend([_tag_set(tag_set) for tag_set in policy.tag_sets])
        root.append(tag_sets)
    if policy.privacy_marks:
        root.append(_privacy_marks(policy))
    if policy.equivalent_policies:
        root.append(_equivalent_policies(policy))
    root.extend(_markings(policy.markings))
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
