"""Security policies: which classifications and categories there are, which go together, how they are marked, what they equal.

The values follow XML SPIF 2.1 (security policy information file, http://www.xmlspif.org), which `kizuna.formats.spif` reads and
writes, in its own words: a *tag set* holds *tags*, a tag holds *categories*, and each classification and category has a *lacv*
(label and certificate value) that stands for it where labels are binary. `kizuna.release.policy_checks` says which policies
contradict themselves; the rules on labels are in `policy_rules`, `policy_markings` and `dominance`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.model.label import CategoryType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.model.instants import Instant

__all__ = [
    "NATO_CATEGORIES",
    "Applied",
    "Classification",
    "Equivalent",
    "EquivalentCategory",
    "EquivalentPolicy",
    "EquivalentTagSet",
    "InformativeEncoding",
    "MarkingCode",
    "MarkingData",
    "Markings",
    "Member",
    "Operation",
    "PolicyIdentifier",
    "PrivacyMark",
    "Qualifier",
    "QualifierCode",
    "Requirement",
    "SecurityPolicy",
    "Tag",
    "TagCategory",
    "TagSet",
    "TagType",
    "UserInput",
    "Validity",
    "oid_uri",
    "parse_lacv",
    "same_name",
]

NATO_CATEGORIES = "2.16.840.1.101.2.1.8.3"
"""Object identifier of the NATO syntax of security categories (ACP 145)."""

_INTEGER = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)


def same_name(one: str, other: str) -> bool:
    """Whether two names of a policy are the same: letters are not told apart by case (ADatP-4774, for the values of NATO).

    Examples
    --------
    >>> same_name("Releasable To", "RELEASABLE TO")
    True
    """
    return one.casefold() == other.casefold()


def parse_lacv(text: str) -> str:
    """Label and certificate value of `text`: a number without leading zeros, or the text itself.

    Examples
    --------
    >>> parse_lacv("004"), parse_lacv("-")
    ('4', '-')
    """
    stripped = text.strip()
    return str(int(stripped)) if _INTEGER.match(stripped) else text


def oid_uri(identifier: str) -> str:
    """URI of an object identifier (RFC 3061): ``urn:oid:1.3.26.1.3.1``."""
    return f"urn:oid:{identifier}"


class MarkingCode(StrEnum):
    """Where a phrase stands, or how it is used (the markingCode of XML SPIF)."""

    PAGE_TOP = "pageTop"
    PAGE_BOTTOM = "pageBottom"
    PAGE_TOP_BOTTOM = "pageTopBottom"
    DOCUMENT_START = "documentStart"
    FIRST_LINE_OF_TEXT = "firstLineOfText"
    LAST_LINE_OF_TEXT = "lastLineOfText"
    SUBJECT = "subject"
    X_HEADER = "xHeader"
    PORTION_MARKING = "portionMarking"
    INPUT_TITLE = "inputTitle"
    WATER_MARK = "waterMark"
    NO_NAME_DISPLAY = "noNameDisplay"
    """The name is not displayed, only the phrase (if there is one)."""
    NO_MARKING_DISPLAY = "noMarkingDisplay"
    """The phrase is for whoever labels, not for the marking."""
    SUPPRESS_CLASS_NAME = "suppressClassName"
    """Where this category stands, the classification is not displayed."""
    REPLACE_POLICY = "replacePolicy"
    """The phrase stands in the place of the policy's name."""


class QualifierCode(StrEnum):
    """What a qualifier does to the phrases that it belongs to."""

    PREFIX = "prefix"
    SUFFIX = "suffix"
    SEPARATOR = "separator"


@dataclass(frozen=True, slots=True)
class MarkingData:
    """A phrase and where it stands.

    Parameters
    ----------
    codes
        Places and uses.
    phrase
        Phrase; None: the codes are about the name itself.
    language
        Language tag (``"fr"``); None: any language that has no phrase of its own.
    """

    codes: tuple[MarkingCode, ...]
    phrase: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Qualifier:
    """A prefix, suffix or separator.

    Parameters
    ----------
    code
        Which of the three.
    text
        Text, blanks included.
    language
        Language tag; None: any language that has none of its own.
    place
        Where it is used; None: everywhere.
    """

    code: QualifierCode
    text: str
    language: str | None = None
    place: MarkingCode | None = None


@dataclass(frozen=True, slots=True)
class Markings:
    """How something is marked; without data, by its name."""

    data: tuple[MarkingData, ...] = ()
    qualifiers: tuple[Qualifier, ...] = ()


class TagType(StrEnum):
    """Type of a tag; SPIF's ``tagType`` and ``enumType`` in one."""

    RESTRICTIVE = "restrictive"
    PERMISSIVE = "permissive"
    ENUMERATED_RESTRICTIVE = "enumerated restrictive"
    ENUMERATED_PERMISSIVE = "enumerated permissive"
    INFORMATIVE = "tagType7"
    NOT_APPLICABLE = "notApplicable"

    @property
    def bearing(self) -> CategoryType | None:
        """How its categories bear on access; None where they have no place in a label."""
        match self:
            case TagType.RESTRICTIVE | TagType.ENUMERATED_RESTRICTIVE:
                return CategoryType.RESTRICTIVE
            case TagType.PERMISSIVE | TagType.ENUMERATED_PERMISSIVE:
                return CategoryType.PERMISSIVE
            case TagType.INFORMATIVE:
                return CategoryType.INFORMATIVE
            case TagType.NOT_APPLICABLE:
                return None


class InformativeEncoding(StrEnum):
    """How the values of an informative tag are encoded in a binary label."""

    BITS = "bitSetAttributes"
    INTEGERS = "securityAttributes"


class UserInput(StrEnum):
    """What whoever labels may write for a category."""

    STRING = "string"
    INTEGER = "integer"
    DATE = "date"


class Operation(StrEnum):
    """How many members of a requirement a label must have."""

    ONLY_ONE = "onlyOne"
    ONE_OR_MORE = "oneOrMore"
    ALL = "all"


class Applied(StrEnum):
    """Who applies an equivalence."""

    ENCRYPT = "encrypt"
    """The originator, into the other policy."""
    DECRYPT = "decrypt"
    """The recipient, out of the other policy."""
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Validity:
    """Period in which something may be used in a label; None: without limit. Both ends lie in it."""

    not_before: Instant | None = None
    not_after: Instant | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """Categories of one type of a tag set: the one with `lacv`, or any where it is None.

    Parameters
    ----------
    tag_set
        Name of the tag set.
    type
        Type of tag.
    lacv
        Value of the category.
    """

    tag_set: str
    type: TagType
    lacv: str | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a label must have beside something (SPIF's requiredCategory)."""

    operation: Operation
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Equivalent:
    """Classification of another policy that equals one of this policy.

    Parameters
    ----------
    policy
        Name under which `SecurityPolicy.equivalent_policies` knows the other policy.
    lacv
        Value of the other's classification.
    applied
        By whom.
    required
        Categories, of the other policy, that belong to its label.
    """

    policy: str
    lacv: int
    applied: Applied
    required: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class EquivalentCategory:
    """Category of another policy that equals one of this policy.

    Parameters
    ----------
    policy
        Name under which `SecurityPolicy.equivalent_policies` knows the other policy.
    tag_set_id, type, lacv
        The other's category.
    applied
        By whom.
    discard
        The category may be left out of the other's label; `tag_set_id`, `type` and `lacv` then mean nothing.
    """

    policy: str
    tag_set_id: str
    type: TagType
    lacv: str
    applied: Applied
    discard: bool = False


@dataclass(frozen=True, slots=True)
class EquivalentTagSet:
    """What a label of another policy must have wherever a category of this tag set was in the label of this one."""

    policy: str
    name: str | None = None
    id: str | None = None
    required: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyIdentifier:
    """Name and object identifier of a policy, and how its name is marked."""

    name: str
    id: str
    markings: Markings = Markings()


@dataclass(frozen=True, slots=True)
class EquivalentPolicy:
    """Another policy to which equivalences lead.

    Parameters
    ----------
    name
        Name by which this policy speaks of it; its own may be another.
    id
        Object identifier: what makes it the same policy.
    required
        Categories, of the other policy, that each label translated into it must have.
    user_reference, document_reference
        URIs of documents about it.
    """

    name: str
    id: str
    required: tuple[Requirement, ...] = ()
    user_reference: str | None = None
    document_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """One level.

    Parameters
    ----------
    name
        Name in labels.
    lacv
        Value in binary labels.
    hierarchy
        Place in the order: the higher dominates.
    color
        ``#RRGGBB``, or one of the sixteen names of HTML 4.
    obsolete
        Not for new labels.
    markings
        How it is marked.
    required
        Categories without which it does not stand.
    equivalents
        What it equals in other policies.
    """

    name: str
    lacv: int
    hierarchy: int
    color: str | None = None
    obsolete: bool = False
    markings: Markings = Markings()
    required: tuple[Requirement, ...] = ()
    equivalents: tuple[Equivalent, ...] = ()


@dataclass(frozen=True, slots=True)
class TagCategory:
    """One value of a tag.

    Parameters
    ----------
    name
        Name in labels.
    lacv
        Value in binary labels, as `parse_lacv` makes it.
    markings
        How it is marked.
    required_class
        The only classification with which it stands, by name.
    excluded_classes
        Classifications with which it does not stand, by name.
    required
        Categories without which it does not stand.
    excluded
        Categories with which it does not stand.
    equivalents
        What it equals in other policies.
    obsolete
        Not for new labels.
    user_input
        Whoever labels writes the value.
    date_format
        Form of a written date (ISO 8601).
    validity
        When it may be used.
    """

    name: str
    lacv: str
    markings: Markings = Markings()
    required_class: str | None = None
    excluded_classes: tuple[str, ...] = ()
    required: tuple[Requirement, ...] = ()
    excluded: tuple[Member, ...] = ()
    equivalents: tuple[EquivalentCategory, ...] = ()
    obsolete: bool = False
    user_input: UserInput | None = None
    date_format: str | None = None
    validity: Validity = Validity()


@dataclass(frozen=True, slots=True)
class Tag:
    """Categories that are selected, marked and checked together.

    Parameters
    ----------
    name
        Name in labels; empty: that of its tag set.
    type
        How the categories bear on access, and how they are encoded.
    categories
        In the order in which they are marked.
    qualifiers
        Prefix, suffix and separator of its markings.
    encoding
        Of an informative tag.
    most, least
        How many of its categories a label may and must have; None: any number, and none.
    """

    name: str
    type: TagType
    categories: tuple[TagCategory, ...]
    qualifiers: tuple[Qualifier, ...] = ()
    encoding: InformativeEncoding | None = None
    most: int | None = None
    least: int | None = None


@dataclass(frozen=True, slots=True)
class TagSet:
    """Tags under one object identifier."""

    name: str
    id: str
    tags: tuple[Tag, ...]
    equivalents: tuple[EquivalentTagSet, ...] = ()

    def of_type(self, type_: TagType) -> Iterator[TagCategory]:
        """Categories of one type, in order."""
        for tag in self.tags:
            if tag.type is type_:
                yield from tag.categories

    def find(self, type_: TagType, lacv: str) -> tuple[Tag, TagCategory] | None:
        """Tag and category of a value; None if there is none."""
        for tag in self.tags:
            for category in tag.categories:
                if tag.type is type_ and category.lacv == lacv:
                    return tag, category
        return None


@dataclass(frozen=True, slots=True)
class PrivacyMark:
    """A text that a label may carry."""

    name: str
    obsolete: bool = False
    markings: Markings = Markings()


@dataclass(frozen=True, slots=True)
class SecurityPolicy:
    """One security policy.

    Parameters
    ----------
    identifier
        Name, object identifier, and how the name is marked.
    classifications
        Levels, in the order written.
    tag_sets
        Categories.
    privacy_marks
        Texts that a label may carry; empty: any.
    equivalent_policies
        Other policies that equivalences speak of.
    markings
        Of the whole line; its data apply to names that have none of their own.
    classification_markings
        Of all classifications; its data apply to those that have none of their own.
    privacy_markings
        Of all privacy marks.
    most_privacy_marks, least_privacy_marks
        How many a label may and must have; None: any number, and none.
    default_policy
        Policy of data without a label.
    classifications_name
        What the classifications are called together.
    version
        Of this policy.
    created
        When it was written, as it says (the form is not enforced by the schema).
    originator_dn, key_identifier
        Who wrote it, and with which key.
    privilege_id, rbac_id
        Syntax of the categories in clearances and labels.
    user_reference, document_reference
        URIs of documents about it.
    validity
        When it may be used.
    """

    identifier: PolicyIdentifier
    classifications: tuple[Classification, ...]
    tag_sets: tuple[TagSet, ...] = ()
    privacy_marks: tuple[PrivacyMark, ...] = ()
    equivalent_policies: tuple[EquivalentPolicy, ...] = ()
    markings: Markings = Markings()
    classification_markings: Markings = Markings()
    privacy_markings: Markings = Markings()
    most_privacy_marks: int | None = None
    least_privacy_marks: int | None = None
    default_policy: PolicyIdentifier | None = None
    classifications_name: str | None = None
    version: int = 1
    created: str = ""
    originator_dn: str = ""
    key_identifier: str = ""
    privilege_id: str = NATO_CATEGORIES
    rbac_id: str = NATO_CATEGORIES
    user_reference: str | None = None
    document_reference: str | None = None
    validity: Validity = Validity()

    @property
    def name(self) -> str:
        """Name of the policy."""
        return self.identifier.name

    @property
    def id(self) -> str:
        """Object identifier of the policy."""
        return self.identifier.id

    def classification(self, name: str) -> Classification | None:
        """Classification of a name; None if there is none."""
        return next((level for level in self.classifications if same_name(level.name, name)), None)

    def classification_of(self, lacv: int) -> Classification | None:
        """Classification of a value; None if there is none."""
        return next((level for level in self.classifications if level.lacv == lacv), None)

    def tag_set(self, name: str) -> TagSet | None:
        """Tag set of a name; None if there is none."""
        return next((tag_set for tag_set in self.tag_sets if tag_set.name == name), None)

    def tag_set_of(self, identifier: str) -> TagSet | None:
        """Tag set of an object identifier; None if there is none."""
        return next((tag_set for tag_set in self.tag_sets if tag_set.id == identifier), None)

    def names_of(self, other: SecurityPolicy) -> frozenset[str]:
        """Names under which this policy speaks of `other`, which is known by its object identifier."""
        return frozenset(policy.name for policy in self.equivalent_policies if policy.id == other.id)
