"""IC-ISM: the security marking attributes of the US intelligence community's data encoding specification (DES version 10).

`check_ism` accepts an attribute's value where the published lists and the schema do; values that the lists mark as deprecated it
accepts in markings older than that. The schema names some lists that are not among those at hand (special access programmes,
atomic energy, exemptions from declassification, notices): what cannot be looked up is refused, and the finding says so.

`ism_attributes_of` and `label_of_ism` translate the part that a product's `Label` says too, and refuse the rest by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.ism_values import DES_VERSION, LISTS
from kizuna.model.label import Label
from kizuna.model.parties import is_organisation, parse_nation, parse_party

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kizuna.formats.ism_values import ValueList
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Nation, Party

__all__ = ["ENGLISH_MARKS", "ISM_NAMESPACE", "IsmFinding", "check_ism", "ism_attributes_of", "label_of_ism"]

ISM_NAMESPACE = "urn:us:gov:ic:ism"
"""Namespace of the attributes, which are named here without it."""

ENGLISH_MARKS: Mapping[str, str] = {
    "TOP SECRET": "TS",
    "SECRET": "S",
    "CONFIDENTIAL": "C",
    "RESTRICTED": "R",
    "UNCLASSIFIED": "U",
}
"""Value of ``classification`` for the words that the list itself gives."""

_LISTS = {
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
_UNPUBLISHED = frozenset({"SARIdentifier", "atomicEnergyMarkings", "compliesWith", "declassException", "noticeType", "pocType"})
_LONGEST = {
    "classifiedBy": 1024,
    "compilationReason": 1024,
    "derivativelyClassifiedBy": 1024,
    "classificationReason": 4096,
    "derivedFrom": 1024,
    "declassEvent": 1024,
    "noticeReason": 2048,
    "unregisteredNoticeType": 2048,
}
_DATES = frozenset({"createDate", "declassDate", "noticeDate"})
_BOOLEANS = frozenset({"resourceElement", "excludeFromRollup", "externalNotice"})
_REQUIRED = ("classification", "ownerProducer")

# What XML Schema separates the values of a list by; other spaces are part of a value, and so of none that is published.
_XML_SPACE = " \t\r\n"
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)?\Z")

_USA, _NATO, _REL = "USA", "NATO", "REL"
_IN_A_LABEL = frozenset(
    {"DESVersion", "classification", "ownerProducer", "disseminationControls", "releasableTo", "classifiedBy"}
)


@dataclass(frozen=True, slots=True)
class IsmFinding:
    """One thing that keeps a marking from being accepted.

    Parameters
    ----------
    attribute
        Name of the attribute.
    value
        The value of it that is refused; empty for the whole attribute.
    message
        What is wrong.
    """

    attribute: str
    value: str
    message: Message


def _accepts(values: ValueList, text: str) -> bool:
    return text in values.values or any(re.fullmatch(pattern, text) for pattern in values.patterns)


def _check_list(attribute: str, text: str, name: str, created: date | None) -> list[IsmFinding]:
    values = LISTS[name]
    found = [word for word in re.split(f"[{_XML_SPACE}]+", text) if word]
    if not found:
        return [IsmFinding(attribute, "", Message("{attribute} names no value", {"attribute": attribute}))]
    if len(found) > 1 and not values.many:
        return [
            IsmFinding(
                attribute, text, Message("{attribute} takes one value, got {got!r}", {"attribute": attribute, "got": text})
            )
        ]
    findings = []
    for word in found:
        fields = {"attribute": attribute, "got": word, "list": f"CVEnumISM{name}"}
        if not _accepts(values, word):
            message = Message("{attribute}: {got!r} is not in the list {list}", fields)
            findings.append(IsmFinding(attribute, word, message))
            continue
        day = dict(values.deprecated).get(word)
        if day is not None and (created is None or created >= date.fromisoformat(day)):
            message = Message(
                "{attribute}: {got!r} is deprecated in the list {list} since {day}, and the marking is not known to be older",
                fields | {"day": day},
            )
            findings.append(IsmFinding(attribute, word, message))
    return findings


def _check_version(attribute: str, text: str) -> list[IsmFinding]:
    if text == DES_VERSION:
        return []
    return [
        IsmFinding(
            attribute,
            text,
            Message("DESVersion is {got!r}; the lists known here are of version {known}", {"got": text, "known": DES_VERSION}),
        )
    ]


def _check_text(attribute: str, text: str) -> list[IsmFinding]:
    longest = _LONGEST[attribute]
    if len(text) <= longest:
        return []
    return [
        IsmFinding(
            attribute,
            text[:80],
            Message(
                "{attribute} has {got} characters of {longest}", {"attribute": attribute, "got": len(text), "longest": longest}
            ),
        )
    ]


def _day(text: str) -> date | None:
    """Day of an ``xsd:date``."""
    match = _DATE.match(text.strip(_XML_SPACE))
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def _check_date(attribute: str, text: str) -> list[IsmFinding]:
    if _day(text) is not None:
        return []
    return [IsmFinding(attribute, text, Message("{attribute}: {got!r} is no date", {"attribute": attribute, "got": text}))]


def _check_boolean(attribute: str, text: str) -> list[IsmFinding]:
    if text.strip(_XML_SPACE) in {"true", "false", "1", "0"}:
        return []
    return [
        IsmFinding(
            attribute, text, Message("{attribute}: {got!r} is neither true nor false", {"attribute": attribute, "got": text})
        )
    ]


_CHECKS: Mapping[str, Callable[[str, str], list[IsmFinding]]] = {
    "DESVersion": _check_version,
    **dict.fromkeys(_LONGEST, _check_text),
    **dict.fromkeys(_DATES, _check_date),
    **dict.fromkeys(_BOOLEANS, _check_boolean),
}


def _check_attribute(attribute: str, text: str, created: date | None) -> list[IsmFinding]:
    if attribute in _LISTS:
        return _check_list(attribute, text, _LISTS[attribute], created)
    check = _CHECKS.get(attribute)
    if check is not None:
        return check(attribute, text)
    if attribute in _UNPUBLISHED:
        message = Message("{attribute}: the list of its values is not known here", {"attribute": attribute})
    else:
        message = Message("{attribute} is no attribute of IC-ISM", {"attribute": attribute})
    return [IsmFinding(attribute, text, message)]


def check_ism(attributes: Mapping[str, str], *, created: date | None = None) -> tuple[IsmFinding, ...]:
    """What keeps a marking from being accepted as published; nothing for one that is.

    Parameters
    ----------
    attributes
        Attributes of one element, by local name (``"classification"``).
    created
        Day of the marking where the element itself has no ``createDate``. Where neither says, nothing deprecated is accepted.

    Notes
    -----
    Each value is looked up in its list, and in the list's own patterns. A marking of the USA alone takes its classification from
    ``CVEnumISMClassificationUS``, which knows no RESTRICTED. Rules that join attributes (the Schematron of the specification) are
    not checked.

    Examples
    --------
    >>> check_ism({"classification": "S", "ownerProducer": "USA", "releasableTo": "USA JPN"})
    ()
    >>> [finding.message.render() for finding in check_ism({"classification": "秘", "ownerProducer": "JPN"})]
    ["classification: '秘' is not in the list CVEnumISMClassificationAll"]
    """
    findings = [
        IsmFinding(attribute, "", Message("{attribute} is missing", {"attribute": attribute}))
        for attribute in _REQUIRED
        if attribute not in attributes
    ]
    day = _day(attributes.get("createDate", "")) or created
    for attribute, text in attributes.items():
        findings += _check_attribute(attribute, text, day)
    if not findings and attributes["ownerProducer"].strip(_XML_SPACE) == _USA:
        findings += _check_list("classification", attributes["classification"], "ClassificationUS", day)
    return tuple(findings)


def _accept(attributes: Mapping[str, str], created: Instant) -> None:
    for finding in check_ism(attributes, created=created.date()):
        raise InputError(
            finding.message,
            hint=Message("the value lists of IC-ISM, DES version {version}, say what may stand there", {"version": DES_VERSION}),
            field=finding.attribute,
        )


def _classifications(marks: Mapping[str, str]) -> dict[str, str]:
    """Classification of each mark."""
    found: dict[str, str] = {}
    for classification, mark in marks.items():
        if mark not in LISTS["ClassificationAll"].values or mark in found:
            raise InputError(
                Message(
                    "marks: {classification} has {mark!r}; expected one of {choices}, each for one classification",
                    {"classification": classification, "mark": mark, "choices": ", ".join(LISTS["ClassificationAll"].values)},
                ),
                hint=Message("give each classification of the policy a mark of its own"),
                field="marks",
            )
        found[mark] = classification
    return found


def _refuse(field: str, message: Message) -> InputError:
    return InputError(message, hint=Message("keep the label in a file of its own beside the product"), field=field)


def _owner(policy: str) -> str:
    if policy == _NATO:
        return _NATO
    if policy not in LISTS["OwnerProducer"].values:
        raise _refuse("policy", Message("policy: ownerProducer has no value for {policy!r}", {"policy": policy}))
    return parse_nation(policy, field="policy")


def ism_attributes_of(label: Label, *, marks: Mapping[str, str] = ENGLISH_MARKS) -> dict[str, str]:
    """Attributes that say what `label` says; `label_of_ism` reads them back to an equal label.

    Policy becomes ``ownerProducer``, classification ``classification``, the nations of `releasable_to` ``releasableTo`` with the
    control ``REL``, and the originator ``classifiedBy``. The instant of labelling has no attribute: `label_of_ism` asks for it.

    Parameters
    ----------
    label
        Of a nation's policy or ``NATO``.
    marks
        Value of ``classification`` for each classification of the policy; each value once.

    Raises
    ------
    InputError
        Naming the field of the label, and what has no place in IC-ISM.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> label = Label("USA", "SECRET", parse_party("USA"), parse_instant("2025-06-22"), (parse_party("USA"), parse_party("JPN")))
    >>> ism_attributes_of(label)["releasableTo"]
    'USA JPN'
    """
    _classifications(marks)
    mark = marks.get(label.classification)
    if mark is None:
        raise InputError(
            Message(
                "classification: {got!r} of the policy {policy} has no mark in IC-ISM; there are marks for {known}",
                {"got": label.classification, "policy": label.policy, "known": ", ".join(marks)},
            ),
            hint=Message("say which of TS, S, C, R and U stands for it"),
            field="classification",
        )
    for category in label.categories:
        raise _refuse("categories", Message("categories: IC-ISM has no place for {tag}", {"tag": category.tag}))
    for caveat in label.caveats:
        raise _refuse("caveats", Message("caveats: IC-ISM has no place for {got!r}", {"got": caveat}))
    if label.review is not None:
        raise _refuse("review", Message("review: IC-ISM has no date of review"))
    attributes = {
        "classification": mark,
        "ownerProducer": _owner(label.policy),
        "classifiedBy": parse_party(label.originator, field="originator"),
    }
    if label.releasable_to is not None:
        for party in label.releasable_to:
            if is_organisation(party) or party not in LISTS["RelTo"].values:
                raise _refuse("releasable_to", Message("releasable_to: releasableTo has no value for {party}", {"party": party}))
        if not label.releasable_to:
            raise _refuse("releasable_to", Message("releasable_to: IC-ISM cannot say that nobody may have the product"))
        attributes |= {"disseminationControls": _REL, "releasableTo": " ".join(label.releasable_to)}
    _accept(attributes, label.created)
    return attributes


def _nation(text: str, field: str) -> Nation:
    try:
        return parse_nation(text, field=field)
    except InputError as error:
        raise InputError(
            Message("{field}: {got} is published in IC-ISM and is no nation of ISO 3166-1", {"field": field, "got": text}),
            hint=Message("label the product in a file of its own beside it, and name the nations there"),
            field=field,
        ) from error


def _releasable_to(attributes: Mapping[str, str]) -> tuple[Party, ...] | None:
    controls = attributes.get("disseminationControls", "").split()
    for control in controls:
        if control != _REL:
            raise InputError(
                Message("disseminationControls: a label has no place for {got}", {"got": control}),
                hint=Message("label the product in a file of its own beside it, by the rules that this control stands for"),
                field="disseminationControls",
            )
    if bool(controls) != ("releasableTo" in attributes):
        raise InputError(
            Message("releasableTo stands with the control REL, and only there"),
            hint=Message("find out to whom the product may go"),
            field="releasableTo",
        )
    return tuple(_nation(text, "releasableTo") for text in attributes["releasableTo"].split()) if controls else None


def label_of_ism(
    attributes: Mapping[str, str],
    *,
    created: Instant,
    originator: Party | None = None,
    marks: Mapping[str, str] = ENGLISH_MARKS,
) -> Label:
    """Label that says what the attributes say: the reverse of `ism_attributes_of`.

    Parameters
    ----------
    attributes
        Attributes of one element, by local name.
    created
        Instant of labelling.
    originator
        Who labelled, for a marking without ``classifiedBy``.
    marks
        Value of ``classification`` for each classification of the policy.

    Raises
    ------
    InputError
        Naming the attribute: what `check_ism` finds; several owners or a concealed one (``FGI``); a coalition (``FVEY``);
        controls other than ``REL``; and all else that a label cannot carry.
    """
    _accept(attributes, created)
    for attribute in attributes:
        if attribute not in _IN_A_LABEL:
            raise InputError(
                Message("{attribute}: a label has no place for it", {"attribute": attribute}),
                hint=Message("label the product in a file of its own beside it"),
                field=attribute,
            )
    mark = attributes["classification"].strip(_XML_SPACE)
    classification = _classifications(marks).get(mark)
    if classification is None:
        raise InputError(
            Message(
                "classification: {got} stands for no classification; there are marks for {known}",
                {"got": mark, "known": ", ".join(marks)},
            ),
            hint=Message("say which classification of the policy it stands for"),
            field="classification",
        )
    owners = attributes["ownerProducer"].split()
    if len(owners) != 1:
        raise InputError(
            Message("ownerProducer: {got} together own it, and a label is of one policy", {"got": ", ".join(owners)}),
            hint=Message("label the product in a file of its own beside it"),
            field="ownerProducer",
        )
    named = parse_party(attributes["classifiedBy"], field="classifiedBy") if "classifiedBy" in attributes else None
    who = named or originator
    if who is None or originator not in {None, who}:
        raise InputError(
            Message("classifiedBy: the marking names {got}", {"got": named or "nobody"}),
            hint=Message("find out who labelled the product"),
            field="classifiedBy",
        )
    return Label(
        policy=_NATO if owners[0] == _NATO else _nation(owners[0], "ownerProducer"),
        classification=classification,
        originator=who,
        created=created,
        releasable_to=_releasable_to(attributes),
    )
