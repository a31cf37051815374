"""Confidentiality labels as ADatP-4774 structures them: values that formats read and write, and that `release/` reasons on.

A product's own `kizuna.model.label.Label` is what agreements are decided on; this is the form in which labels come and go between
systems, with the policy's own names. The two are turned into each other in `kizuna.release.labels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kizuna.model.instants import Instant
    from kizuna.model.label import CategoryType

__all__ = [
    "CategoryValues",
    "ConfidentialityInformation",
    "ConfidentialityLabel",
    "IdentifierType",
    "LabelRole",
    "Succession",
]


class LabelRole(StrEnum):
    """Whose label it is: the roots of ADatP-4774."""

    ORIGINATOR = "originator"
    ALTERNATIVE = "alternative"
    """What the originator's label equals under another policy; it stands beside the originator's, never in its place."""
    METADATA = "metadata"
    """About the metadata themselves."""


class IdentifierType(StrEnum):
    """What kind of name identifies who labelled (the ``IDType`` of ADatP-4774)."""

    MAIL = "rfc822Name"
    HOST = "dNSName"
    DIRECTORY = "directoryName"
    URI = "uniformResourceIdentifier"
    ADDRESS = "iPAddress"
    X400 = "x400Address"
    PRINCIPAL = "userPrincipalName"
    JABBER = "jID"


@dataclass(frozen=True, slots=True)
class CategoryValues:
    """Values of one tag.

    Parameters
    ----------
    tag
        Name of the tag (``"Releasable To"``).
    type
        How it bears on access.
    values
        Generic values, in the order written.
    uri
        Identifier of the tag set as a URI (``"urn:oid:1.3.26.1.4.4"``), where one is given.
    """

    tag: str
    type: CategoryType
    values: tuple[str, ...]
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class ConfidentialityInformation:
    """Policy, classification and categories.

    Parameters
    ----------
    policy
        Policy identifier (``"NATO"``).
    classification
        In the policy's words.
    categories
        In the order written; a tag may stand only once a type.
    privacy_mark
        Text to show with the marking.
    policy_uri
        Identifier of the policy as a URI (``"urn:oid:1.3.26.1.3.1"``), where one is given.
    """

    policy: str
    classification: str
    categories: tuple[CategoryValues, ...] = ()
    privacy_mark: str | None = None
    policy_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Succession:
    """What the label becomes, and when."""

    information: ConfidentialityInformation
    at: Instant


@dataclass(frozen=True, slots=True)
class ConfidentialityLabel:
    """One label.

    Parameters
    ----------
    information
        What holds now.
    created
        When it was labelled; None where a source does not say, which the standard does not allow to be written.
    role
        Whose label it is.
    originator
        Identifier of who labelled.
    review
        When it is to be reviewed.
    successions
        What it becomes later, earliest first.
    originator_type
        What kind of name `originator` is; a party's name (``"JPN/IQPS"``) is a relative URI.
    """

    information: ConfidentialityInformation
    created: Instant | None
    role: LabelRole = LabelRole.ORIGINATOR
    originator: str | None = None
    review: Instant | None = None
    successions: tuple[Succession, ...] = ()
    originator_type: IdentifierType = IdentifierType.URI
