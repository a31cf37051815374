"""The dominant label: what protects whatever is made of several labelled things (ADatP-4774.1, section 4.4).

1. Labels of other policies are translated first; where that fails, a person decides.
2. Its classification is the highest.
3. A permissive tag keeps the values that all labels have. It is dropped where a label has none of it, and where nothing is
   common.
4. Restrictive and informative values are those of all labels.
5. The result must be valid under the policy, else a person decides.

A tag that rule 3 drops no longer limits anybody, although some label did. The guidance lets the label stand;
`Dominance.refers` says that nothing must be released on it before a person has looked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.model.confidentiality import ConfidentialityInformation, ConfidentialityLabel, Succession
from kizuna.model.label import CategoryType
from kizuna.release.policies import oid_uri
from kizuna.release.policy_rules import findings, findings_of, policy_findings, resolve
from kizuna.release.translation import Direction, category_values, translate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.instants import Instant
    from kizuna.release.policies import Classification, SecurityPolicy, TagType
    from kizuna.release.policy_rules import Finding, Meaning, Selected

__all__ = ["Dominance", "dominant"]


@dataclass(frozen=True, slots=True)
class Dominance:
    """The dominant label, or why a person must decide.

    Parameters
    ----------
    label
        Dominant label; None if a person must decide.
    reasons
        Why a person must decide; empty if there is a label.
    dropped
        Permissive tags that some label had and the dominant one has not.
    findings
        What the policy requires and a translated label already lacked.
    alternatives
        Translated labels, to be kept beside their originals.
    """

    label: ConfidentialityLabel | None
    reasons: tuple[Message, ...] = ()
    dropped: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    alternatives: tuple[ConfidentialityLabel, ...] = ()

    @property
    def refers(self) -> bool:
        """Whether a person must decide before anything is released on the label."""
        return self.label is None or bool(self.dropped) or bool(self.findings)


@dataclass(frozen=True, slots=True)
class _Combined:
    information: ConfidentialityInformation | None
    reasons: tuple[Message, ...] = ()
    dropped: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def _highest(policy: SecurityPolicy, meanings: Sequence[Meaning]) -> tuple[Classification | None, list[Message]]:
    levels = {level.name: level for meaning in meanings if (level := meaning.classification) is not None}
    top = max((level.hierarchy for level in levels.values()), default=0)
    highest = [level for level in levels.values() if level.hierarchy == top]
    if len(highest) == 1:
        return highest[0], []
    names = ", ".join(level.name for level in highest)
    return None, [Message("none of these dominates the others in {policy}: {names}", {"policy": policy.name, "names": names})]


def _join(meanings: Sequence[Meaning]) -> tuple[list[Selected], list[str]]:
    """Categories of the dominant label, and the permissive tags that are dropped."""
    everything = {one.key: one for meaning in meanings for one in meaning.categories}
    joined = [one for one in everything.values() if one.tag.type.bearing is not CategoryType.PERMISSIVE]
    permissive: dict[tuple[str, str, TagType], list[Selected]] = {}
    for one in everything.values():
        if one.tag.type.bearing is CategoryType.PERMISSIVE:
            permissive.setdefault((one.tag_set.id, one.tag.name, one.tag.type), []).append(one)
    dropped = []
    for several in permissive.values():
        # A label that has none of the tag has no value in common with the others, so that the tag is dropped.
        common = [one for one in several if all(one.key in {other.key for other in meaning.categories} for meaning in meanings)]
        joined += common
        if not common:
            dropped.append(several[0].tag.name or several[0].tag_set.name)
    return joined, dropped


def _combine(
    policy: SecurityPolicy,
    several: Sequence[ConfidentialityInformation],
    created: Instant | None,
    lacked: Sequence[Finding],
) -> _Combined:
    meanings = [resolve(policy, information) for information in several]
    level, reasons = _highest(policy, meanings)
    marks = list(dict.fromkeys(one.privacy_mark for one in several if one.privacy_mark is not None))
    if len(marks) > 1:
        reasons.append(Message("a label holds one privacy mark, here are several: {marks}", {"marks": ", ".join(marks)}))
    categories, dropped = _join(meanings)
    if level is None or reasons:
        return _Combined(None, tuple(reasons), tuple(dropped))
    information = ConfidentialityInformation(
        policy=policy.name,
        classification=level.name,
        categories=category_values(policy, categories),
        privacy_mark=marks[0] if marks else None,
        policy_uri=oid_uri(policy.id) if any(one.policy_uri is not None for one in several) else None,
    )
    found = findings_of(policy, information, created)
    reasons += [finding.message for finding in found if finding not in lacked]
    return _Combined(None if reasons else information, tuple(reasons), tuple(dropped), tuple(found))


def _at(label: ConfidentialityLabel, moment: Instant | None) -> ConfidentialityInformation:
    """What a label says at `moment`; None: before any succession."""
    past = [one for one in label.successions if moment is not None and one.at <= moment]
    return max(past, key=lambda one: one.at).information if past else label.information


def _under(
    policy: SecurityPolicy, label: ConfidentialityLabel, others: Sequence[SecurityPolicy]
) -> tuple[ConfidentialityLabel | None, tuple[Message, ...], tuple[Finding, ...]]:
    """`label` under the policy: itself, or its translation."""
    information = label.information
    if not any(policy_findings(policy, information.policy, information.policy_uri)):
        found = findings(policy, label)
        return (None if found else label), tuple(finding.message for finding in found), ()
    own = [other for other in others if not any(policy_findings(other, information.policy, information.policy_uri))]
    if len(own) != 1:
        return None, (Message("no policy is known for labels of {policy}", {"policy": information.policy}),), ()
    translation = translate(own[0], label, policy, Direction.DECRYPT)
    return translation.label, translation.refusals, translation.findings


def dominant(
    policy: SecurityPolicy,
    labels: Sequence[ConfidentialityLabel],
    equivalents: Sequence[SecurityPolicy] = (),
    *,
    created: Instant | None = None,
) -> Dominance:
    """Label of what is made of all that `labels` label.

    Parameters
    ----------
    policy
        Governing policy: that of the result.
    labels
        At least one.
    equivalents
        Policies of those labels that are not of the governing one.
    created
        When the result is labelled.

    Raises
    ------
    InputError
        If there is no label at all.
    """
    if not labels:
        raise InputError(
            Message("there is no label to combine"), hint=Message("give the label of each thing that the new one is made of")
        )
    under = [_under(policy, label, equivalents) for label in labels]
    sources = [label for label, _reasons, _lacked in under if label is not None]
    alternatives = tuple(one[0] for one, label in zip(under, labels, strict=True) if one[0] is not None and one[0] is not label)
    reasons = tuple(message for _label, messages, _lacked in under for message in messages)
    lacked = [finding for _label, _reasons, several in under for finding in several]
    if len(sources) < len(labels):
        return Dominance(None, reasons, alternatives=alternatives)
    moments = sorted({succession.at for label in sources for succession in label.successions})
    combined = [_combine(policy, [_at(label, moment) for label in sources], created, lacked) for moment in (None, *moments)]
    dropped = tuple(dict.fromkeys(name for one in combined for name in one.dropped))
    reasons = tuple(message for one in combined for message in one.reasons)
    now, *later = [one.information for one in combined]
    if now is None or reasons:
        return Dominance(None, reasons, dropped, alternatives=alternatives)
    successions = []
    before = now
    for moment, information in zip(moments, later, strict=True):
        if information is not None and information != before:
            successions.append(Succession(information, moment))
            before = information
    reviews = [label.review for label in labels if label.review is not None]
    label = ConfidentialityLabel(now, created, review=min(reviews, default=None), successions=tuple(successions))
    carried = tuple(finding for one in combined for finding in one.findings)
    return Dominance(label, (), dropped, carried, alternatives)
