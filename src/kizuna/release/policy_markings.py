"""The line with which a label or a clearance is marked, as its policy prescribes it.

A line is made of the policy's name, the classification, the categories tag by tag in the policy's order, and the privacy mark.
Each stands as its phrase for the language and place, or else as its name; prefixes, suffixes and separators stand around them
(XML SPIF 2.1, markingData and markingQualifier). What a policy says for no language in particular holds for each that has nothing
of its own.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.release.policies import MarkingCode, Markings, QualifierCode, same_name
from kizuna.release.policy_rules import policy_findings, resolve, resolve_categories, unknown_classification

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.model.confidentiality import ConfidentialityLabel
    from kizuna.release.policies import MarkingData, Qualifier, SecurityPolicy
    from kizuna.release.policy_rules import Clearance, Finding, Selected

__all__ = ["ONE_LINE", "clearance_marking", "marking"]

ONE_LINE = (MarkingCode.PAGE_BOTTOM, MarkingCode.PAGE_TOP, MarkingCode.DOCUMENT_START)
"""Places whose phrases make the one line that stands for all: a page's, and only where a policy has none, a document's first."""

_BETWEEN_VALUES = "/"
_BETWEEN_PARTS = " "
_PLACES = frozenset(
    {
        MarkingCode.PAGE_TOP,
        MarkingCode.PAGE_BOTTOM,
        MarkingCode.PAGE_TOP_BOTTOM,
        MarkingCode.DOCUMENT_START,
        MarkingCode.FIRST_LINE_OF_TEXT,
        MarkingCode.LAST_LINE_OF_TEXT,
        MarkingCode.SUBJECT,
        MarkingCode.X_HEADER,
        MarkingCode.PORTION_MARKING,
        MarkingCode.INPUT_TITLE,
        MarkingCode.WATER_MARK,
    }
)


class _Writer:
    """Chooses, of what a policy has, the words for one language and one place."""

    def __init__(self, language: str, places: Sequence[MarkingCode]) -> None:
        self._languages = (language.casefold(), language.casefold().replace("_", "-").split("-")[0])
        self._places = places

    def _language_rank(self, language: str | None) -> int | None:
        if language is None:
            return 2
        return self._languages.index(language.casefold()) if language.casefold() in self._languages else None

    def _place_rank(self, codes: Iterable[MarkingCode]) -> int | None:
        """Rank of the best place among `codes`, None if all are other places; no place means each."""
        named = set(codes) & _PLACES
        if MarkingCode.PAGE_TOP_BOTTOM in named:
            named |= {MarkingCode.PAGE_TOP, MarkingCode.PAGE_BOTTOM}
        if not named:
            return 0
        return next((rank for rank, place in enumerate(self._places) if place in named), None)

    def _applying(self, data: Iterable[MarkingData]) -> list[tuple[tuple[int, int], MarkingData]]:
        """Those that apply, with their rank."""
        ranked = []
        for one in data:
            language, place = self._language_rank(one.language), self._place_rank(one.codes)
            if language is not None and place is not None:
                ranked.append(((language, place), one))
        return ranked

    def has(self, markings: Markings, code: MarkingCode) -> bool:
        """Whether a use applies here."""
        return any(code in one.codes for _rank, one in self._applying(markings.data))

    def words(self, markings: Markings, name: str) -> str:
        """Phrase or name; empty where neither is to be displayed."""
        aside = {MarkingCode.REPLACE_POLICY, MarkingCode.NO_MARKING_DISPLAY}
        phrases = [part for part in self._applying(markings.data) if not aside & set(part[1].codes)]
        if phrases:
            _rank, best = min(phrases, key=lambda part: part[0])
            if best.phrase is not None:
                return best.phrase
        return "" if self.has(markings, MarkingCode.NO_NAME_DISPLAY) else name

    def replacement(self, markings: Markings, name: str) -> str | None:
        """What stands in the place of the policy's name; None if nothing replaces it."""
        phrases = [part for part in self._applying(markings.data) if MarkingCode.REPLACE_POLICY in part[1].codes]
        if not phrases:
            return None
        _rank, best = min(phrases, key=lambda part: part[0])
        return name if best.phrase is None else best.phrase

    def qualifier(self, qualifiers: Iterable[Qualifier], code: QualifierCode) -> str:
        """Text of a qualifier; empty if there is none."""
        ranked = []
        for one in qualifiers:
            language = self._language_rank(one.language)
            place = self._place_rank(() if one.place is None else (one.place,))
            if one.code is code and language is not None and place is not None:
                ranked.append(((language, place), one.text))
        return min(ranked, key=lambda part: part[0])[1] if ranked else ""

    def around(self, qualifiers: Iterable[Qualifier], text: str) -> str:
        """`text` between its prefix and its suffix; nothing around nothing."""
        if not text:
            return ""
        several = tuple(qualifiers)
        return self.qualifier(several, QualifierCode.PREFIX) + text + self.qualifier(several, QualifierCode.SUFFIX)

    def categories(self, categories: Iterable[Selected]) -> list[str]:
        """One part for each tag that has anything to display."""
        parts = []
        for _tag, group in groupby(categories, key=lambda one: (one.tag_set.id, id(one.tag))):
            selected = list(group)
            tag = selected[0].tag
            words = [self.around(one.category.markings.qualifiers, self._category(one)) for one in selected]
            separator = self.qualifier(tag.qualifiers, QualifierCode.SEPARATOR) or _BETWEEN_VALUES
            parts.append(self.around(tag.qualifiers, separator.join(word for word in words if word)))
        return parts

    def _category(self, one: Selected) -> str:
        # What somebody wrote is displayed as written: a phrase would stand for the form, not for the value.
        if one.category.user_input is not None:
            return "" if self.has(one.category.markings, MarkingCode.NO_NAME_DISPLAY) else one.value
        return self.words(one.category.markings, one.category.name)

    def line(self, policy: SecurityPolicy, parts: Iterable[str]) -> str:
        """Parts that are not empty, between the policy's prefix and suffix."""
        separator = self.qualifier(policy.markings.qualifiers, QualifierCode.SEPARATOR) or _BETWEEN_PARTS
        return self.around(policy.markings.qualifiers, separator.join(part for part in parts if part))


def _refuse_unknown(unknown: Sequence[Finding]) -> None:
    if unknown:
        raise InputError(
            unknown[0].message,
            hint=Message("a marking that left something out would say too little: correct what it marks, or use its own policy"),
        )


def _own_or(markings: Markings, of_all: Markings) -> Markings:
    """Markings of one thing, with the data of all such things where it has none."""
    return Markings(markings.data or of_all.data, markings.qualifiers or of_all.qualifiers)


def _classification_words(policy: SecurityPolicy, writer: _Writer, name: str) -> str:
    level = policy.classification(name)
    if level is None:
        return name
    markings = _own_or(level.markings, policy.classification_markings)
    return writer.around(markings.qualifiers, writer.words(markings, level.name))


def _policy_words(policy: SecurityPolicy, writer: _Writer, classification: str, categories: Sequence[Selected]) -> str:
    """Name of the policy or what replaces it: by the policy itself, else the classification, else the categories."""
    of_policy = writer.replacement(policy.markings, policy.name)
    if of_policy is not None:
        return of_policy
    level = policy.classification(classification)
    of_level = writer.replacement(level.markings, level.name) if level is not None else None
    if of_level is not None:
        return of_level
    replacing = [writer.replacement(one.category.markings, one.category.name) for one in categories]
    words = list(dict.fromkeys(word for word in replacing if word is not None))
    if words:
        return _BETWEEN_PARTS.join(words)
    return writer.around(policy.identifier.markings.qualifiers, writer.words(policy.identifier.markings, policy.name))


def _privacy_words(policy: SecurityPolicy, writer: _Writer, mark: str | None) -> str:
    if mark is None:
        return ""
    known = next((known for known in policy.privacy_marks if same_name(known.name, mark)), None)
    if known is None:
        return mark
    markings = _own_or(known.markings, policy.privacy_markings)
    return writer.around(markings.qualifiers, writer.words(markings, known.name))


def marking(
    policy: SecurityPolicy, label: ConfidentialityLabel, language: str = "en", *, places: Sequence[MarkingCode] = ONE_LINE
) -> str:
    """One line that marks `label`, for example ``NATO RESTRICTED Releasable to Japan, Ukraine``.

    Parameters
    ----------
    policy
        The label's policy.
    label
        The label, as it stands now. Whether it is valid is another question (`kizuna.release.policy_rules.findings`).
    language
        Language tag; ``fr-CA`` finds what the policy has for ``fr``.
    places
        Where the line stands, best first.

    Raises
    ------
    InputError
        If the label says something that the policy does not know.
    """
    information = label.information
    meaning = resolve(policy, information)
    _refuse_unknown(meaning.unknown)
    writer = _Writer(language, places)
    suppressed = any(writer.has(one.category.markings, MarkingCode.SUPPRESS_CLASS_NAME) for one in meaning.categories)
    return writer.line(
        policy,
        [
            _policy_words(policy, writer, information.classification, meaning.categories),
            "" if suppressed else _classification_words(policy, writer, information.classification),
            *writer.categories(meaning.categories),
            _privacy_words(policy, writer, information.privacy_mark),
        ],
    )


def clearance_marking(
    policy: SecurityPolicy, clearance: Clearance, language: str = "en", *, places: Sequence[MarkingCode] = ONE_LINE
) -> str:
    """One line that marks `clearance`: its classifications in braces, lowest first, then its categories.

    Raises
    ------
    InputError
        If it says something that the policy does not know.
    """
    categories, unknown = resolve_categories(policy, clearance.categories)
    levels = [(name, policy.classification(name)) for name in clearance.classifications]
    _refuse_unknown(
        [
            *policy_findings(policy, clearance.policy, clearance.policy_uri),
            *(unknown_classification(name) for name, level in levels if level is None),
            *unknown,
        ]
    )
    writer = _Writer(language, places)
    known = sorted((level for _name, level in levels if level is not None), key=lambda level: level.hierarchy)
    words = [_classification_words(policy, writer, level.name) for level in known]
    return writer.line(policy, ["{" + "|".join(dict.fromkeys(words)) + "}", *writer.categories(categories)])
