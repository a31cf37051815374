"""Labels and clearances under a security policy: what they mean, whether they are valid, whether a clearance opens a label.

1. A label means what its policy says. Names are compared without regard to case; a name that the policy does not have, or has
   twice, means nothing (`resolve`).
2. A label is valid if it means something throughout and nothing in it is excluded, missing or out of its time (`findings`).
3. A clearance opens a valid label (`acdf`, the access control decision function) if it dominates the classification; has, of each
   permissive tag in the label, at least one of the label's values; and has all its restrictive values. Informative values do not
   count. Anything unknown, in the label or in the clearance, denies.

Sources: ADatP-4774.1 (access control, guidance), XML SPIF 2.1 (requirements and exclusions).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.instants import format_instant
from kizuna.model.label import CategoryType
from kizuna.release.policies import Operation, UserInput, oid_uri, same_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kizuna.model.confidentiality import CategoryValues, ConfidentialityInformation, ConfidentialityLabel
    from kizuna.model.instants import Instant
    from kizuna.release.policies import (
        Classification,
        Member,
        Requirement,
        SecurityPolicy,
        Tag,
        TagCategory,
        TagSet,
        TagType,
        Validity,
    )

__all__ = [
    "AccessDecision",
    "Clearance",
    "Finding",
    "FindingKind",
    "Meaning",
    "Selected",
    "acdf",
    "acdf_of",
    "findings",
    "findings_of",
    "in_order",
    "is_met",
    "policy_findings",
    "resolve",
    "resolve_categories",
    "selected_by",
    "unknown_classification",
]

_INTEGER = re.compile(r"[0-9]{1,100}\Z", re.ASCII)


class FindingKind(StrEnum):
    """Why a label is not valid."""

    UNKNOWN = "unknown"
    """The policy does not have it, or has it twice."""
    EXCLUDED = "excluded"
    """It does not stand together with something else in the label."""
    MISSING = "missing"
    """Something else in the label needs it."""
    SELECTION = "selection"
    """Too many or too few values of a tag."""
    VALIDITY = "validity"
    """Used outside its time."""
    OBSOLETE = "obsolete"
    """Not for new labels."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why a label is not valid."""

    kind: FindingKind
    message: Message


@dataclass(frozen=True, slots=True)
class Selected:
    """A category of the policy, as a label or clearance selects it.

    Parameters
    ----------
    tag_set, tag, category
        The policy's own.
    value
        As written: the name, or what whoever labelled put in (`TagCategory.user_input`).
    """

    tag_set: TagSet
    tag: Tag
    category: TagCategory
    value: str

    @property
    def key(self) -> tuple[str, TagType, str, str]:
        """What makes two selections the same."""
        return self.tag_set.id, self.tag.type, self.category.lacv, self.value.casefold() if self.category.user_input else ""

    @property
    def name(self) -> str:
        """Name for people: tag and value."""
        return f"{self.tag.name or self.tag_set.name} {self.value}"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a label says under a policy.

    Parameters
    ----------
    classification
        None if it is unknown.
    categories
        In the policy's order, each once.
    unknown
        What the policy does not know.
    """

    classification: Classification | None
    categories: tuple[Selected, ...]
    unknown: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Clearance:
    """What somebody is cleared for under one policy.

    Parameters
    ----------
    policy
        Name of the policy.
    classifications
        By name.
    categories
        Permissive and restrictive values; informative ones do not count.
    policy_uri
        Identifier of the policy as a URI, where one is given.
    """

    policy: str
    classifications: tuple[str, ...]
    categories: tuple[CategoryValues, ...] = ()
    policy_uri: str | None = None


@dataclass(frozen=True, slots=True)
class AccessDecision:
    """Whether a clearance opens a label, and why.

    Parameters
    ----------
    allowed
        Whether it does.
    reasons
        What held if it does, all that failed if it does not.
    """

    allowed: bool
    reasons: tuple[Message, ...]


def _unknown(message: Message) -> Finding:
    return Finding(FindingKind.UNKNOWN, message)


def policy_findings(policy: SecurityPolicy, name: str, uri: str | None) -> Iterator[Finding]:
    """Findings where the policy that a label or clearance names is another one."""
    if not same_name(name, policy.name):
        yield _unknown(Message("unknown policy {got}, expected {policy}", {"got": name, "policy": policy.name}))
    if uri is not None and uri.casefold() != oid_uri(policy.id):
        yield _unknown(Message("unknown policy {got}, expected {policy}", {"got": uri, "policy": oid_uri(policy.id)}))


def unknown_classification(name: str) -> Finding:
    """Finding on a classification that the policy does not have."""
    return _unknown(Message("unknown classification {got}", {"got": name}))


def _accepts(category: TagCategory, value: str) -> bool:
    """Whether somebody may write `value` for a category that is written."""
    match category.user_input:
        case None:
            return False
        case UserInput.STRING:
            return bool(value.strip())
        case UserInput.INTEGER:
            return _INTEGER.match(value) is not None
        case UserInput.DATE:
            try:
                date.fromisoformat(value)
            except ValueError:
                return False
            return True


def _tags_of(policy: SecurityPolicy, values: CategoryValues) -> list[tuple[TagSet, Tag]]:
    """Tags that a name in a label can mean: its own name, or that of its tag set."""
    return [
        (tag_set, tag)
        for tag_set in policy.tag_sets
        if values.uri is None or values.uri.casefold() == oid_uri(tag_set.id)
        for tag in tag_set.tags
        if tag.type.bearing is values.type and (same_name(tag.name, values.tag) or same_name(tag_set.name, values.tag))
    ]


def _select(tags: Sequence[tuple[TagSet, Tag]], values: CategoryValues, value: str) -> Selected | Finding:
    known = [(tag_set, tag, category) for tag_set, tag in tags for category in tag.categories]
    found = [part for part in known if part[2].user_input is None and same_name(part[2].name, value)]
    found = found or [part for part in known if _accepts(part[2], value)]
    if len(found) > 1:
        # A tag set and a tag of another may have one name: the tag's own name is the closer one.
        found = [part for part in found if same_name(part[1].name, values.tag)] or found
    match found:
        case [(tag_set, tag, category)]:
            return Selected(tag_set, tag, category, value if category.user_input is not None else category.name)
        case []:
            return _unknown(Message("unknown value {value} of {tag}", {"value": value, "tag": values.tag}))
        case _:
            return _unknown(Message("the value {value} of {tag} means several categories", {"value": value, "tag": values.tag}))


def in_order(policy: SecurityPolicy, categories: Iterable[Selected]) -> tuple[Selected, ...]:
    """`categories` in the policy's order."""
    places = {
        (tag_set.id, tag.type, category.lacv): place
        for place, (tag_set, tag, category) in enumerate(
            (tag_set, tag, category) for tag_set in policy.tag_sets for tag in tag_set.tags for category in tag.categories
        )
    }
    return tuple(sorted(categories, key=lambda one: (places[one.key[:3]], one.value)))


def resolve_categories(
    policy: SecurityPolicy, categories: Iterable[CategoryValues]
) -> tuple[tuple[Selected, ...], tuple[Finding, ...]]:
    """Categories of the policy that `categories` name, in the policy's order, and what it does not know."""
    selected: dict[tuple[str, TagType, str, str], Selected] = {}
    unknown: list[Finding] = []
    seen: set[tuple[str, CategoryType, str | None]] = set()
    for values in categories:
        place = (values.tag.casefold(), values.type, values.uri)
        if place in seen:
            unknown.append(_unknown(Message("the {type} tag {tag} stands twice", {"type": values.type.value, "tag": values.tag})))
        seen.add(place)
        tags = _tags_of(policy, values)
        if not tags:
            unknown.append(_unknown(Message("unknown {type} tag {tag}", {"type": values.type.value, "tag": values.tag})))
            continue
        if not values.values:
            unknown.append(_unknown(Message("the tag {tag} has no value", {"tag": values.tag})))
        for value in values.values:
            found = _select(tags, values, value)
            if isinstance(found, Finding):
                unknown.append(found)
            else:
                selected[found.key] = found
    return in_order(policy, selected.values()), tuple(unknown)


def resolve(policy: SecurityPolicy, information: ConfidentialityInformation) -> Meaning:
    """What `information` says under the policy."""
    unknown = list(policy_findings(policy, information.policy, information.policy_uri))
    classification = policy.classification(information.classification)
    if classification is None:
        unknown.append(unknown_classification(information.classification))
    categories, strange = resolve_categories(policy, information.categories)
    mark = information.privacy_mark
    if mark is not None and policy.privacy_marks and not any(same_name(known.name, mark) for known in policy.privacy_marks):
        unknown.append(_unknown(Message("unknown privacy mark {got}", {"got": mark})))
    return Meaning(classification, categories, (*unknown, *strange))


def selected_by(member: Member, categories: Iterable[Selected]) -> tuple[Selected, ...]:
    """Those of `categories` that `member` names."""
    return tuple(
        one
        for one in categories
        if one.tag_set.name == member.tag_set
        and one.tag.type is member.type
        and (member.lacv is None or one.category.lacv == member.lacv)
    )


def is_met(requirement: Requirement, categories: Sequence[Selected]) -> bool:
    """Whether `categories` are what is required."""
    found = [selected_by(member, categories) for member in requirement.members]
    match requirement.operation:
        case Operation.ALL:
            return all(found)
        case Operation.ONE_OR_MORE:
            return any(found)
        case Operation.ONLY_ONE:
            return len({one.key for some in found for one in some}) == 1


def _member_names(policy: SecurityPolicy, members: Iterable[Member]) -> str:
    names = []
    for member in members:
        tag_set = policy.tag_set(member.tag_set)
        named = tag_set.find(member.type, member.lacv) if tag_set is not None and member.lacv is not None else None
        names.append(f"{member.tag_set} {named[1].name}" if named is not None else member.tag_set)
    return ", ".join(dict.fromkeys(names))


def _missing(policy: SecurityPolicy, what: str, requirement: Requirement) -> Finding:
    values = {"what": what, "members": _member_names(policy, requirement.members)}
    match requirement.operation:
        case Operation.ALL:
            message = Message("{what} needs all of: {members}", values)
        case Operation.ONE_OR_MORE:
            message = Message("{what} needs one or more of: {members}", values)
        case Operation.ONLY_ONE:
            message = Message("{what} needs exactly one of: {members}", values)
    return Finding(FindingKind.MISSING, message)


def _validity_findings(what: str, validity: Validity, created: Instant | None) -> Iterator[Finding]:
    if validity.not_before is None and validity.not_after is None:
        return
    if created is None:
        yield Finding(FindingKind.VALIDITY, Message("{what} has its time, and the label has no date", {"what": what}))
    elif validity.not_before is not None and created < validity.not_before:
        values = {"what": what, "date": format_instant(validity.not_before)}
        yield Finding(FindingKind.VALIDITY, Message("{what} may be used from {date} on", values))
    elif validity.not_after is not None and created > validity.not_after:
        values = {"what": what, "date": format_instant(validity.not_after)}
        yield Finding(FindingKind.VALIDITY, Message("{what} may be used until {date}", values))


def _category_findings(policy: SecurityPolicy, one: Selected, meaning: Meaning, created: Instant | None) -> Iterator[Finding]:
    category, level = one.category, meaning.classification
    if level is not None and level.name in category.excluded_classes:
        values = {"what": one.name, "classification": level.name}
        yield Finding(FindingKind.EXCLUDED, Message("{what} does not go with {classification}", values))
    if level is not None and category.required_class is not None and level.name != category.required_class:
        values = {"what": one.name, "classification": category.required_class}
        yield Finding(FindingKind.MISSING, Message("{what} goes with {classification} only", values))
    for member in category.excluded:
        for other in selected_by(member, meaning.categories):
            # A category may exclude all of its tag set: all others.
            if other.key != one.key:
                yield Finding(
                    FindingKind.EXCLUDED, Message("{what} does not go with {other}", {"what": one.name, "other": other.name})
                )
    for requirement in category.required:
        if not is_met(requirement, meaning.categories):
            yield _missing(policy, one.name, requirement)
    yield from _validity_findings(one.name, category.validity, created)


def _count_findings(what: str, count: int, least: int | None, most: int | None) -> Iterator[Finding]:
    if most is not None and count > most:
        values: dict[str, str | int] = {"what": what, "got": count, "most": most}
        yield Finding(FindingKind.SELECTION, Message("{what}: {got} values, expected at most {most}", values))
    if least is not None and count < least:
        values = {"what": what, "got": count, "least": least}
        yield Finding(FindingKind.SELECTION, Message("{what}: {got} values, expected at least {least}", values))


def _selection_findings(policy: SecurityPolicy, information: ConfidentialityInformation, meaning: Meaning) -> Iterator[Finding]:
    for tag_set in policy.tag_sets:
        for tag in tag_set.tags:
            count = sum(one.tag_set is tag_set and one.tag is tag for one in meaning.categories)
            yield from _count_findings(tag.name or tag_set.name, count, tag.least, tag.most)
    marks = int(information.privacy_mark is not None)
    yield from _count_findings(policy.name, marks, policy.least_privacy_marks, policy.most_privacy_marks)


def _obsolete_findings(policy: SecurityPolicy, information: ConfidentialityInformation, meaning: Meaning) -> Iterator[Finding]:
    names = [one.name for one in meaning.categories if one.category.obsolete]
    if meaning.classification is not None and meaning.classification.obsolete:
        names.append(meaning.classification.name)
    mark = information.privacy_mark
    names += [known.name for known in policy.privacy_marks if known.obsolete and mark is not None and same_name(known.name, mark)]
    for name in names:
        yield Finding(FindingKind.OBSOLETE, Message("{what} is obsolete", {"what": name}))


def findings_of(
    policy: SecurityPolicy, information: ConfidentialityInformation, created: Instant | None, *, new: bool = False
) -> tuple[Finding, ...]:
    """Findings on what a label says at one time; see `findings`."""
    meaning = resolve(policy, information)
    found = list(meaning.unknown)
    if meaning.classification is not None:
        level = meaning.classification
        found += [
            _missing(policy, level.name, requirement)
            for requirement in level.required
            if not is_met(requirement, meaning.categories)
        ]
    for one in meaning.categories:
        found += _category_findings(policy, one, meaning, created)
    found += _selection_findings(policy, information, meaning)
    found += _validity_findings(policy.name, policy.validity, created)
    if new:
        found += _obsolete_findings(policy, information, meaning)
    return tuple(found)


def findings(policy: SecurityPolicy, label: ConfidentialityLabel, *, new: bool = False) -> tuple[Finding, ...]:
    """Why `label` is not valid under `policy`; empty if it is.

    Parameters
    ----------
    policy
        The label's policy.
    label
        The label; what it becomes later is looked at too.
    new
        Whether it is about to be made: what is obsolete is then a finding.

    Returns
    -------
    tuple of Finding
        What is unknown first.
    """
    found = list(findings_of(policy, label.information, label.created, new=new))
    for succession in label.successions:
        found += findings_of(policy, succession.information, label.created, new=new)
    return tuple(found)


def _dominating(policy: SecurityPolicy, clearance: Clearance, level: Classification) -> Classification | None:
    """Classification of the clearance that dominates `level`: itself, or one that is strictly higher."""
    cleared = [found for name in clearance.classifications if (found := policy.classification(name)) is not None]
    if level in cleared:
        return level
    return next((one for one in cleared if one.hierarchy > level.hierarchy), None)


def _permissive_reasons(label: Sequence[Selected], cleared: set[tuple[str, TagType, str, str]]) -> Iterator[tuple[bool, Message]]:
    tags: dict[tuple[str, str, TagType], list[Selected]] = {}
    for one in label:
        if one.tag.type.bearing is CategoryType.PERMISSIVE:
            tags.setdefault((one.tag_set.id, one.tag.name, one.tag.type), []).append(one)
    for values in tags.values():
        common = [one.value for one in values if one.key in cleared]
        name = values[0].tag.name or values[0].tag_set.name
        if common:
            yield True, Message("{tag}: {common} in common", {"tag": name, "common": ", ".join(common)})
        else:
            needed = ", ".join(one.value for one in values)
            yield False, Message("{tag}: the clearance has none of {needed}", {"tag": name, "needed": needed})


def _restrictive_reasons(
    label: Sequence[Selected], cleared: set[tuple[str, TagType, str, str]]
) -> Iterator[tuple[bool, Message]]:
    for one in label:
        if one.tag.type.bearing is CategoryType.RESTRICTIVE:
            if one.key in cleared:
                yield True, Message("the clearance has {what}", {"what": one.name})
            else:
                yield False, Message("the clearance lacks {what}", {"what": one.name})


def acdf_of(
    policy: SecurityPolicy, clearance: Clearance, information: ConfidentialityInformation, created: Instant | None
) -> AccessDecision:
    """Whether a clearance opens what a label says at one time; see `acdf`."""
    failed = [finding.message for finding in findings_of(policy, information, created)]
    failed += [finding.message for finding in policy_findings(policy, clearance.policy, clearance.policy_uri)]
    failed += [unknown_classification(name).message for name in clearance.classifications if policy.classification(name) is None]
    categories, strange = resolve_categories(policy, clearance.categories)
    failed += [finding.message for finding in strange]
    meaning = resolve(policy, information)
    held: list[Message] = []
    level = meaning.classification
    if level is not None:
        higher = _dominating(policy, clearance, level)
        values = {"classification": level.name, "higher": higher.name if higher is not None else ""}
        if higher is None:
            failed.append(Message("the clearance does not dominate {classification}", values))
        else:
            held.append(Message("{higher} dominates {classification}", values))
    cleared = {one.key for one in categories}
    reasons = (*_permissive_reasons(meaning.categories, cleared), *_restrictive_reasons(meaning.categories, cleared))
    failed += [message for holds, message in reasons if not holds]
    held += [message for holds, message in reasons if holds]
    return AccessDecision(not failed and level is not None, tuple(failed or held))


def acdf(policy: SecurityPolicy, clearance: Clearance, label: ConfidentialityLabel) -> AccessDecision:
    """Access control decision function: whether `clearance` opens `label` as it stands now.

    Parameters
    ----------
    policy
        Policy of both.
    clearance
        Of whoever asks.
    label
        Of what is asked for. Its successions are not looked at.

    Returns
    -------
    AccessDecision
        It denies on anything that the policy does not know, and on a label that is not valid.
    """
    return acdf_of(policy, clearance, label.information, label.created)
