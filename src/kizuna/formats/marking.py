"""How a file of radar data is marked: the texts and the NITF group that say what a product's label says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.formats.nitf_security import ENGLISH_LETTERS, CountryCodes, NitfSecurity, nitf_security_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kizuna.model.label import Label

__all__ = ["UNCLASSIFIED", "Marking", "marking_of"]


@dataclass(frozen=True, slots=True)
class Marking:
    """Marking of a file.

    Parameters
    ----------
    classification
        Classification, as SICD, CPHD and CRSD carry it in words: the English word of NITF's letter, which readers look for, and
        behind it the policy's own.
    release
        Who may have it, in words; ``UNRESTRICTED`` where the label sets no limit.
    security
        Group of NITF's headers (SICD, SIDD).
    label
        The label itself; None of a file without one.
    """

    classification: str
    release: str
    security: NitfSecurity
    label: Label | None = None


UNCLASSIFIED = Marking("UNCLASSIFIED", "UNRESTRICTED", NitfSecurity("U"))
"""What carries no label."""


def marking_of(
    label: Label, *, codes: CountryCodes = CountryCodes.ISO_3166, letters: Mapping[str, str] = ENGLISH_LETTERS
) -> Marking:
    """Marking that says what a label says.

    Parameters
    ----------
    label
        Of the product.
    codes
        Which country codes the readers of the file expect in NITF's CLSY.
    letters
        NITF letter of each classification of the policy.

    Raises
    ------
    InputError
        Naming the field of the label that a NITF group has no place for.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> from kizuna.model.label import Label
    >>> from kizuna.model.parties import parse_party
    >>> day, japan, ukraine = parse_instant("2025-06-22"), parse_party("JPN"), parse_party("UKR")
    >>> label = Label("JPN", "秘", japan, day, (ukraine,), caveats=("NO COPY",))
    >>> marking = marking_of(label, letters={"秘": "C"})
    >>> marking.classification, marking.release
    ('CONFIDENTIAL (JPN 秘)', 'JPN; REL TO UKR; NO COPY')
    """
    parts = [str(label.policy)]
    if label.releasable_to is not None:
        parts.append("REL TO " + ", ".join(label.releasable_to))
    parts.extend(label.caveats)
    security = nitf_security_of(label, codes=codes, letters=letters)
    word = next(word for word, letter in ENGLISH_LETTERS.items() if letter == security.classification)
    own = label.classification
    return Marking(
        classification=word if own == word else f"{word} ({label.policy} {own})",
        release="; ".join(parts) if len(parts) > 1 else UNCLASSIFIED.release,
        security=security,
        label=label,
    )
