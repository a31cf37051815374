"""Security policies that contradict themselves are refused: a rule that names nothing protects nothing.

The checks are those of the schema of XML SPIF 2.1 that bear on meaning (unique names and values, references that lead somewhere,
bounds of texts), and some that it cannot express.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from typing import TYPE_CHECKING, NoReturn

from kizuna.errors import InputError, Message
from kizuna.model.reading import LONGEST_LINE, one_line
from kizuna.release.policies import (
    Classification,
    EquivalentPolicy,
    MarkingCode,
    MarkingData,
    PolicyIdentifier,
    Qualifier,
    TagSet,
    TagType,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kizuna.release.policies import Member, Requirement, SecurityPolicy, Tag, TagCategory, Validity

__all__ = ["COLORS", "LONGEST_NAME", "check_policy"]

LONGEST_NAME = 256
"""Longest name and phrase, in characters (XML SPIF 2.1)."""
COLORS = frozenset(
    "aqua black blue fuschia gray green lime maroon navy olive purple red silver teal white yellow".split()  # codespell:ignore
)
"""Names of colours that the schema knows, in its spelling."""

_OID = re.compile(r"[0-2](\.[0-9]+)+\Z", re.ASCII)
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*\Z", re.ASCII)
_COLOR = re.compile(r"#[0-9a-fA-F]{6}\Z", re.ASCII)
# Policies are printed on terminals and pages, as labels are (`kizuna.model.reading`); and XML has no lone surrogates.
_UNPRINTED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_NO_CHARACTERS = frozenset("\ufffe\uffff")


def _refuse(policy: SecurityPolicy, message: Message) -> NoReturn:
    """Refuse the policy, whose name each `message` begins with.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        Message(message.template, {"policy": one_line(policy.name)[:60], **message.values}),
        hint=Message("a policy that contradicts itself is not used: ask whoever wrote it"),
    )


def _repeated[T](items: Iterable[T]) -> T | None:
    """First item that stands twice."""
    seen: set[T] = set()
    for item in items:
        if item in seen:
            return item
        seen.add(item)
    return None


def _parts(value: object) -> Iterator[object]:
    """`value` and all that it is made of."""
    yield value
    if isinstance(value, tuple):
        for item in value:
            yield from _parts(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _parts(getattr(value, field.name))


def _named(part: object) -> str | None:
    """Text of a part whose length the schema bounds."""
    match part:
        case MarkingData(phrase=text):
            return text
        case Qualifier(text=text) | Classification(name=text) | TagSet(name=text):
            return text
        case PolicyIdentifier(name=text) | EquivalentPolicy(name=text):
            return text
        case _:
            return None


def _check_texts(policy: SecurityPolicy) -> None:
    for part in _parts(policy):
        name = _named(part)
        text = part if isinstance(part, str) else name
        if text is None:
            continue
        most = LONGEST_LINE if name is None else LONGEST_NAME
        if len(text) > most:
            _refuse(
                policy,
                Message(
                    "security policy {policy}: {text} ... is longer than {most} characters",
                    {"text": one_line(text)[:60], "most": most},
                ),
            )
        if any(unicodedata.category(character) in _UNPRINTED or character in _NO_CHARACTERS for character in text):
            _refuse(
                policy, Message("security policy {policy}: {text} holds control or format characters", {"text": ascii(text[:60])})
            )


def _check_validity(policy: SecurityPolicy, what: str, validity: Validity) -> None:
    if validity.not_before is not None and validity.not_after is not None and validity.not_after < validity.not_before:
        _refuse(policy, Message("security policy {policy}: {what} ends before it begins", {"what": what}))


def _check_selection(policy: SecurityPolicy, what: str, least: int | None, most: int | None) -> None:
    if (least is not None and least < 0) or (most is not None and most < 0):
        _refuse(policy, Message("security policy {policy}: {what} limits its selection to a negative number", {"what": what}))
    if least is not None and most is not None and most < least:
        _refuse(
            policy,
            Message(
                "security policy {policy}: {what} needs at least {least} values and allows {most}",
                {"what": what, "least": least, "most": most},
            ),
        )


def _names(policy: SecurityPolicy) -> Iterator[str]:
    """Names that must not be empty."""
    yield from (level.name for level in policy.classifications)
    yield from (tag_set.name for tag_set in policy.tag_sets)
    yield from (mark.name for mark in policy.privacy_marks)
    yield from (other.name for other in _others(policy))


def _check_names(policy: SecurityPolicy) -> None:
    blank = next((name for name in _names(policy) if name != name.strip()), None)
    if blank is not None:
        _refuse(
            policy, Message("security policy {policy}: the name {name} begins or ends with a blank", {"name": repr(blank)[:60]})
        )
    if not all(_names(policy)):
        _refuse(
            policy, Message("security policy {policy}: a classification, tag set, privacy mark or equivalent policy has no name")
        )
    again = _repeated(level.name.casefold() for level in policy.classifications)
    if again is not None:
        _refuse(policy, Message("security policy {policy}: duplicate classification {name}", {"name": again}))
    again = _repeated(tag_set.name for tag_set in policy.tag_sets)
    if again is not None:
        _refuse(policy, Message("security policy {policy}: duplicate tag set {name}", {"name": again}))
    again = _repeated(mark.name.casefold() for mark in policy.privacy_marks)
    if again is not None:
        _refuse(policy, Message("security policy {policy}: duplicate privacy mark {name}", {"name": again}))
    again = _repeated(other.name for other in _others(policy))
    if again is not None:
        _refuse(policy, Message("security policy {policy}: duplicate equivalent policy {name}", {"name": again}))


def _check_values(policy: SecurityPolicy) -> None:
    lacv = _repeated(level.lacv for level in policy.classifications)
    if lacv is not None:
        _refuse(policy, Message("security policy {policy}: duplicate classification value {lacv}", {"lacv": lacv}))
    again = _repeated(other.id for other in _others(policy)) or _repeated(tag_set.id for tag_set in policy.tag_sets)
    if again is not None:
        _refuse(policy, Message("security policy {policy}: duplicate object identifier {id}", {"id": again}))
    colors = [level.color for level in policy.classifications if level.color is not None]
    for color in colors:
        if color not in COLORS and not _COLOR.match(color):
            _refuse(policy, Message("security policy {policy}: {color} is no colour, expected #RRGGBB", {"color": color}))
    again = _repeated(colors)
    if again is not None:
        _refuse(policy, Message("security policy {policy}: two classifications have the colour {color}", {"color": again}))


def _others(policy: SecurityPolicy) -> list[PolicyIdentifier | EquivalentPolicy]:
    """Policies that equivalences may speak of."""
    return [*policy.equivalent_policies, *([policy.default_policy] if policy.default_policy is not None else [])]


def _check_identifiers(policy: SecurityPolicy) -> None:
    identifiers = [policy.id, policy.privilege_id, policy.rbac_id, *(other.id for other in _others(policy))]
    for tag_set in policy.tag_sets:
        identifiers.append(tag_set.id)
        identifiers += [equivalent.id for equivalent in tag_set.equivalents if equivalent.id is not None]
        identifiers += [
            equivalent.tag_set_id for tag in tag_set.tags for category in tag.categories for equivalent in category.equivalents
        ]
    for identifier in identifiers:
        if not _OID.match(identifier):
            _refuse(
                policy,
                Message(
                    "security policy {policy}: {id} is no object identifier, expected for example 1.3.26.1.3.1",
                    {"id": identifier[:60]},
                ),
            )


def _check_reference(policy: SecurityPolicy, what: str, reference: str) -> None:
    if reference not in {other.name for other in _others(policy)}:
        _refuse(
            policy,
            Message(
                "security policy {policy}: {what} equals something of the unknown policy {other}",
                {"what": what, "other": reference},
            ),
        )


def _check_members(policy: SecurityPolicy, what: str, members: Iterable[Member]) -> None:
    for member in members:
        tag_set = policy.tag_set(member.tag_set)
        if tag_set is None:
            _refuse(
                policy,
                Message(
                    "security policy {policy}: {what} names the unknown tag set {tag_set}",
                    {"what": what, "tag_set": member.tag_set},
                ),
            )
        known = {category.lacv for category in tag_set.of_type(member.type)}
        if not known or (member.lacv is not None and member.lacv not in known):
            _refuse(
                policy,
                Message(
                    "security policy {policy}: {what} names a category of {tag_set} that it does not have: {type} {lacv}",
                    {"what": what, "tag_set": tag_set.name, "type": member.type.value, "lacv": member.lacv or ""},
                ),
            )


def _check_requirements(policy: SecurityPolicy, what: str, requirements: Iterable[Requirement], *, own: bool) -> None:
    """Requirements of this policy (`own`) or, in an equivalence, of another one, whose tag sets are not known here."""
    for requirement in requirements:
        if not requirement.members:
            _refuse(policy, Message("security policy {policy}: {what} requires nothing", {"what": what}))
        if own:
            _check_members(policy, what, requirement.members)


def _check_classification(policy: SecurityPolicy, level: Classification) -> None:
    what = level.name
    _check_requirements(policy, what, level.required, own=True)
    for equivalent in level.equivalents:
        _check_reference(policy, what, equivalent.policy)
        _check_requirements(policy, what, equivalent.required, own=False)


def _check_category(policy: SecurityPolicy, tag_set: TagSet, category: TagCategory) -> None:
    what = f"{tag_set.name} {category.name}"
    if not category.name.strip():
        _refuse(policy, Message("security policy {policy}: a category of {tag_set} has no name", {"tag_set": tag_set.name}))
    known = {level.name for level in policy.classifications}
    again = _repeated(category.excluded_classes)
    if again is not None:
        _refuse(
            policy,
            Message(
                "security policy {policy}: duplicate excluded classification {name} in category {what}",
                {"name": again, "what": what},
            ),
        )
    for name in (*category.excluded_classes, *([category.required_class] if category.required_class is not None else [])):
        if name not in known:
            _refuse(
                policy,
                Message("security policy {policy}: {what} names the unknown classification {name}", {"what": what, "name": name}),
            )
    if category.required_class is not None and category.required_class in category.excluded_classes:
        _refuse(
            policy,
            Message(
                "security policy {policy}: {what} requires and excludes {name}", {"what": what, "name": category.required_class}
            ),
        )
    _check_members(policy, what, category.excluded)
    _check_requirements(policy, what, category.required, own=True)
    for equivalent in category.equivalents:
        _check_reference(policy, what, equivalent.policy)
    _check_validity(policy, what, category.validity)


def _check_tag(policy: SecurityPolicy, tag_set: TagSet, tag: Tag) -> None:
    what = tag.name or tag_set.name
    again = _repeated(category.name.casefold() for category in tag.categories)
    if again is not None:
        _refuse(policy, Message("security policy {policy}: duplicate category {name} of {tag}", {"name": again, "tag": what}))
    if tag.encoding is not None and tag.type is not TagType.INFORMATIVE:
        _refuse(
            policy, Message("security policy {policy}: {tag} has the encoding of an informative tag and is none", {"tag": what})
        )
    _check_selection(policy, what, tag.least, tag.most)
    for category in tag.categories:
        _check_category(policy, tag_set, category)


def _check_tag_set(policy: SecurityPolicy, tag_set: TagSet) -> None:
    if not tag_set.tags:
        _refuse(policy, Message("security policy {policy}: {tag_set} has no tag", {"tag_set": tag_set.name}))
    again = _repeated((tag.type, category.lacv) for tag in tag_set.tags for category in tag.categories)
    if again is not None:
        _refuse(
            policy,
            Message(
                "security policy {policy}: duplicate category of {tag_set}: {type} {lacv}",
                {"tag_set": tag_set.name, "type": again[0].value, "lacv": again[1]},
            ),
        )
    for tag in tag_set.tags:
        _check_tag(policy, tag_set, tag)
    for equivalent in tag_set.equivalents:
        _check_reference(policy, tag_set.name, equivalent.policy)
        _check_requirements(policy, tag_set.name, equivalent.required, own=False)


def _check_privacy_marks(policy: SecurityPolicy) -> None:
    _check_selection(policy, policy.name, policy.least_privacy_marks, policy.most_privacy_marks)
    of_all = policy.privacy_markings
    limits = policy.least_privacy_marks is not None or policy.most_privacy_marks is not None
    if not policy.privacy_marks and (of_all.data or of_all.qualifiers or limits):
        _refuse(policy, Message("security policy {policy}: it marks or counts privacy marks and has none"))


def _check_markings(policy: SecurityPolicy) -> None:
    """A marking code with which nothing could be written, or a use that is no place, is a mistake."""
    uses = {
        MarkingCode.NO_NAME_DISPLAY,
        MarkingCode.NO_MARKING_DISPLAY,
        MarkingCode.SUPPRESS_CLASS_NAME,
        MarkingCode.REPLACE_POLICY,
    }
    for part in _parts(policy):
        if isinstance(part, MarkingData) and not part.codes:
            _refuse(policy, Message("security policy {policy}: marking data have no code"))
        if isinstance(part, MarkingData | Qualifier) and part.language is not None and not _LANGUAGE.match(part.language):
            _refuse(policy, Message("security policy {policy}: {got} is no language tag", {"got": part.language[:60]}))
        if isinstance(part, Qualifier) and part.place in uses:
            _refuse(policy, Message("security policy {policy}: a marking qualifier has a code that is no place"))


def check_policy(policy: SecurityPolicy) -> None:
    """Refuse a policy that contradicts itself or that XML SPIF cannot hold.

    Raises
    ------
    InputError
        Naming the policy, and the classification or category.
    """
    if not policy.name.strip():
        _refuse(policy, Message("security policy {policy}: it has no name"))
    if not policy.classifications:
        _refuse(policy, Message("security policy {policy}: it has no classification"))
    _check_texts(policy)
    _check_names(policy)
    _check_values(policy)
    _check_identifiers(policy)
    _check_markings(policy)
    _check_privacy_marks(policy)
    _check_validity(policy, policy.name, policy.validity)
    for level in policy.classifications:
        _check_classification(policy, level)
    for equivalent in policy.equivalent_policies:
        _check_requirements(policy, equivalent.name, equivalent.required, own=False)
    for tag_set in policy.tag_sets:
        _check_tag_set(policy, tag_set)
