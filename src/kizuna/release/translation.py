"""What a label becomes under another policy.

Translation goes by the equivalences that a policy states, in the direction in which it states them: the originator's policy says
what its labels become elsewhere (encrypt), the recipient's what others' labels become at home (decrypt). What has no equivalent
is named, and there is no label. The result stands beside the originator's label, never in its place (ADatP-4774.1, 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.model.confidentiality import CategoryValues, ConfidentialityInformation, LabelRole, Succession
from kizuna.release.policies import Applied, Operation, oid_uri
from kizuna.release.policy_rules import (
    Finding,
    FindingKind,
    Selected,
    findings_of,
    in_order,
    is_met,
    resolve,
    resolve_categories,
    selected_by,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.model.confidentiality import ConfidentialityLabel
    from kizuna.model.instants import Instant
    from kizuna.model.label import CategoryType
    from kizuna.release.policies import Classification, Member, Requirement, SecurityPolicy, TagType
    from kizuna.release.policy_rules import Meaning

__all__ = ["Direction", "Translation", "category_values", "translate"]


class Direction(StrEnum):
    """Whose equivalences translate."""

    ENCRYPT = "encrypt"
    """Those of the label's policy: its originator's."""
    DECRYPT = "decrypt"
    """Those of the other policy: the recipient's."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A label under another policy, or why there is none.

    Parameters
    ----------
    label
        Alternative label; None if something has no equivalent.
    refusals
        What has no equivalent, one by one; empty if there is a label.
    findings
        What the other policy requires beside the label and no equivalence gives. Such a label opens to nobody (`acdf` denies)
        until a person completes it.
    discarded
        Categories that the policy allows to be left out.
    """

    label: ConfidentialityLabel | None
    refusals: tuple[Message, ...] = ()
    findings: tuple[Finding, ...] = ()
    discarded: tuple[str, ...] = ()


def category_values(policy: SecurityPolicy, categories: Iterable[Selected]) -> tuple[CategoryValues, ...]:
    """`categories` as a label writes them, tag by tag; with the tag set's identifier only where names alone would mislead."""
    tags: dict[tuple[str, str, CategoryType], list[Selected]] = {}
    for one in in_order(policy, categories):
        bearing = one.tag.type.bearing
        if bearing is not None:
            tags.setdefault((one.tag_set.id, one.tag.name or one.tag_set.name, bearing), []).append(one)
    written = []
    for (identifier, name, bearing), several in tags.items():
        values = CategoryValues(name, bearing, tuple(one.value for one in several))
        found, unknown = resolve_categories(policy, (values,))
        same = not unknown and {one.key for one in found} == {one.key for one in several}
        written.append(values if same else replace(values, uri=oid_uri(identifier)))
    return tuple(written)


class _Refused(Exception):
    """Something has no equivalent."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.render())
        self.message = message


@dataclass(frozen=True, slots=True)
class _Translated:
    information: ConfidentialityInformation | None
    refusals: tuple[Message, ...] = ()
    findings: tuple[Finding, ...] = ()
    discarded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Route:
    """From one policy into another, by the equivalences of one of them."""

    source: SecurityPolicy
    target: SecurityPolicy
    direction: Direction

    @property
    def names(self) -> frozenset[str]:
        """Names by which the policy that states the equivalences speaks of the other."""
        if self.direction is Direction.ENCRYPT:
            return self.source.names_of(self.target)
        return self.target.names_of(self.source)

    def takes(self, policy: str, applied: Applied) -> bool:
        """Whether an equivalence lies on this route."""
        return policy in self.names and applied in {Applied.BOTH, Applied(self.direction.value)}

    def none(self, what: str) -> _Refused:
        return _Refused(Message("{what} has no equivalent in {policy}", {"what": what, "policy": self.target.name}))

    def several(self, what: str) -> _Refused:
        return _Refused(Message("{what} has several equivalents in {policy}", {"what": what, "policy": self.target.name}))

    def classification(self, level: Classification, categories: Sequence[Selected]) -> tuple[Classification, list[Requirement]]:
        """Equivalent level, and the categories that belong to it in the other policy."""
        if self.direction is Direction.ENCRYPT:
            found = [one for one in level.equivalents if self.takes(one.policy, one.applied)]
            if not found:
                raise self.none(level.name)
            if len({one.lacv for one in found}) > 1:
                raise self.several(level.name)
            target = self.target.classification_of(found[0].lacv)
            if target is None:
                raise self.none(level.name)
            return target, [requirement for one in found for requirement in one.required]
        matching = [
            (own, one)
            for own in self.target.classifications
            for one in own.equivalents
            if self.takes(one.policy, one.applied)
            and one.lacv == level.lacv
            and all(is_met(requirement, categories) for requirement in one.required)
        ]
        if not matching:
            raise self.none(level.name)
        # An equivalence that asks for more is the closer one: OFFICIAL with SENSITIVE, before OFFICIAL.
        most = max(len(one.required) for _own, one in matching)
        closest = {own.name: (own, one) for own, one in matching if len(one.required) == most}
        if len(closest) > 1:
            raise self.several(level.name)
        own, one = next(iter(closest.values()))
        return own, list(one.required)

    def category(self, one: Selected) -> tuple[list[Selected], bool]:
        """Equivalents of a category, and whether it may be left out instead.

        Raises
        ------
        _Refused
            If it has none.
        """
        found: list[Selected] = []
        discarded = False
        if self.direction is Direction.ENCRYPT:
            for equivalent in one.category.equivalents:
                if not self.takes(equivalent.policy, equivalent.applied):
                    continue
                if equivalent.discard:
                    discarded = True
                    continue
                tag_set = self.target.tag_set_of(equivalent.tag_set_id)
                named = tag_set.find(equivalent.type, equivalent.lacv) if tag_set is not None else None
                if tag_set is None or named is None:
                    raise self.none(one.name)
                found.append(Selected(tag_set, *named, value=named[1].name))
        else:
            found = [
                Selected(tag_set, tag, category, category.name)
                for tag_set in self.target.tag_sets
                for tag in tag_set.tags
                for category in tag.categories
                for equivalent in category.equivalents
                if self.takes(equivalent.policy, equivalent.applied)
                and not equivalent.discard
                and (equivalent.tag_set_id, equivalent.type, equivalent.lacv) == one.key[:3]
            ]
            if len({other.key for other in found}) > 1:
                raise self.several(one.name)
        if any((other.category.user_input is None) != (one.category.user_input is None) for other in found):
            raise self.none(one.name)
        if one.category.user_input is not None:
            found = [replace(other, value=one.value) for other in found]
        return found, discarded and not found


def _selected(policy: SecurityPolicy, member: Member) -> Selected | None:
    """Category that a member names; None where it names several or an unknown one."""
    tag_set = policy.tag_set(member.tag_set)
    if tag_set is None or member.lacv is None:
        return None
    named = tag_set.find(member.type, member.lacv)
    return Selected(tag_set, *named, value=named[1].name) if named is not None and named[1].user_input is None else None


def _fulfil(policy: SecurityPolicy, requirement: Requirement, categories: list[Selected]) -> None:
    """Add to `categories` what a requirement asks for, where it leaves no choice."""
    if is_met(requirement, categories):
        return
    lacking = [member for member in requirement.members if not selected_by(member, categories)]
    added = [_selected(policy, member) for member in lacking]
    choice = requirement.operation is not Operation.ALL and len(lacking) > 1
    names = ", ".join(sorted({member.tag_set for member in requirement.members}))
    if choice or not all(added):
        raise _Refused(
            Message("{policy} needs a category of {names}, which a person must choose", {"policy": policy.name, "names": names})
        )
    categories += [one for one in added if one is not None]
    if not is_met(requirement, categories):
        raise _Refused(Message("{policy} does not allow these categories of {names}", {"policy": policy.name, "names": names}))


def _route_requirements(route: _Route, categories: Sequence[Selected]) -> list[Requirement]:
    """What each label that goes this route must have: for its policy, and for the tag sets that it used."""
    if route.direction is Direction.DECRYPT:
        return []
    names = route.names
    required = [requirement for one in route.source.equivalent_policies if one.name in names for requirement in one.required]
    used = {one.tag_set.id: one.tag_set for one in categories}
    required += [
        requirement
        for tag_set in used.values()
        for one in tag_set.equivalents
        if one.policy in names
        for requirement in one.required
    ]
    return required


def _translate_categories(
    route: _Route, categories: Sequence[Selected], consumed: set[tuple[str, TagType, str, str]]
) -> tuple[list[Selected], list[str], list[Message]]:
    found: dict[tuple[str, TagType, str, str], Selected] = {}
    discarded: list[str] = []
    refusals: list[Message] = []
    for one in categories:
        try:
            others, left_out = route.category(one)
            if left_out:
                discarded.append(one.name)
            elif not others and one.key not in consumed:
                raise route.none(one.name)
            found.update({other.key: other for other in others})
        except _Refused as refused:
            refusals.append(refused.message)
    return list(found.values()), discarded, refusals


def _translate_meaning(route: _Route, meaning: Meaning, information: ConfidentialityInformation) -> _Translated:
    level = meaning.classification
    if level is None:
        return _Translated(None, tuple(finding.message for finding in meaning.unknown))
    refusals: list[Message] = []
    consumed: set[tuple[str, TagType, str, str]] = set()
    other: Classification | None = None
    required: list[Requirement] = []
    try:
        other, required = route.classification(level, meaning.categories)
    except _Refused as refused:
        refusals.append(refused.message)
    if route.direction is Direction.DECRYPT:
        # The other policy's categories that made the classification equal have done their part.
        members = [member for requirement in required for member in requirement.members]
        consumed = {one.key for member in members for one in selected_by(member, meaning.categories)}
        required = []
    categories, discarded, strange = _translate_categories(route, meaning.categories, consumed)
    refusals += strange
    for requirement in (*required, *_route_requirements(route, meaning.categories)):
        try:
            _fulfil(route.target, requirement, categories)
        except _Refused as refused:
            refusals.append(refused.message)
    if refusals or other is None:
        return _Translated(None, tuple(refusals))
    result = ConfidentialityInformation(
        policy=route.target.name,
        classification=other.name,
        categories=category_values(route.target, categories),
        privacy_mark=information.privacy_mark,
        policy_uri=oid_uri(route.target.id),
    )
    return _Translated(result, discarded=tuple(discarded))


def _translate_information(route: _Route, information: ConfidentialityInformation, created: Instant | None) -> _Translated:
    own = findings_of(route.source, information, created)
    if own:
        return _Translated(None, tuple(finding.message for finding in own))
    if not route.names:
        values = {"policy": route.source.name, "other": route.target.name}
        return _Translated(None, (Message("{policy} and {other} have no equivalence", values),))
    translated = _translate_meaning(route, resolve(route.source, information), information)
    if translated.information is None:
        return translated
    found = findings_of(route.target, translated.information, created)
    if any(finding.kind is not FindingKind.MISSING for finding in found):
        return _Translated(None, tuple(finding.message for finding in found))
    return replace(translated, findings=found)


def translate(
    policy: SecurityPolicy, label: ConfidentialityLabel, to_policy: SecurityPolicy, direction: Direction
) -> Translation:
    """Alternative label that equals `label` under another policy.

    Parameters
    ----------
    policy
        The label's policy.
    label
        A valid label; what it becomes later is translated too.
    to_policy
        The other policy; it is recognised by its object identifier, whatever `policy` calls it.
    direction
        Whose equivalences are used.

    Returns
    -------
    Translation
        The label, or everything that has no equivalent.
    """
    route = _Route(policy, to_policy, direction)
    now = _translate_information(route, label.information, label.created)
    later = [_translate_information(route, succession.information, label.created) for succession in label.successions]
    refusals = tuple(message for one in (now, *later) for message in one.refusals)
    if now.information is None or refusals:
        return Translation(None, refusals)
    successions = tuple(
        Succession(one.information, succession.at)
        for one, succession in zip(later, label.successions, strict=True)
        if one.information is not None
    )
    alternative = replace(label, information=now.information, role=LabelRole.ALTERNATIVE, successions=successions)
    return Translation(
        alternative,
        findings=tuple(finding for one in (now, *later) for finding in one.findings),
        discarded=tuple(dict.fromkeys(name for one in (now, *later) for name in one.discarded)),
    )
