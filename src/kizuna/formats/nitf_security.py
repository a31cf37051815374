"""The security group of NITF 2.1 and NSIF 1.0: the 167 bytes in which each header and subheader says how it is classified.

Widths, characters and code lists follow MIL-STD-2500C and the Joint BIIF Profile (tables 5.10-1 and 5.10-2).
`parse_nitf_security` and `nitf_security_bytes` carry the whole group. A product's `Label` says other things than the group does,
so `nitf_security_of` and `label_of` translate only what both can say, and refuse the rest by name: a marking that lost a part on
its way would look whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NoReturn

from kizuna.errors import InputError, Message
from kizuna.formats.country_codes import NATO, CountryCodes, digraph_of, nation_of_digraph
from kizuna.formats.nitf import is_nitf
from kizuna.model.instants import instant_of
from kizuna.model.label import Label
from kizuna.model.parties import is_organisation, parse_nation, parse_party

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Nation, Party

__all__ = [
    "ENGLISH_LETTERS",
    "NITF_SECURITY_BYTES",
    "CountryCodes",
    "NitfSecurity",
    "file_date",
    "file_security",
    "label_of",
    "nitf_security_bytes",
    "nitf_security_of",
    "parse_nitf_security",
    "security_texts",
]

ENGLISH_LETTERS: Mapping[str, str] = {
    "TOP SECRET": "T",
    "SECRET": "S",
    "CONFIDENTIAL": "C",
    "RESTRICTED": "R",
    "UNCLASSIFIED": "U",
}
"""Letter of CLAS for the words that the standard itself uses."""

_WIDTHS = {
    "CLAS": 1,
    "CLSY": 2,
    "CODE": 11,
    "CTLH": 2,
    "REL": 20,
    "DCTP": 2,
    "DCDT": 8,
    "DCXM": 4,
    "DG": 1,
    "DGDT": 8,
    "CLTX": 43,
    "CATP": 1,
    "CAUT": 40,
    "CRSN": 1,
    "SRDT": 8,
    "CTLN": 15,
}
NITF_SECURITY_BYTES = sum(_WIDTHS.values())
"""Length of the group: 167 bytes."""

_FILE_DATE_AT, _FILE_DATE_BYTES = 25, 14  # FDT, behind FHDR, FVER, CLEVEL, STYPE and OSTAID (MIL-STD-2500C, table A-1)
_FILE_DATE = re.compile(rb"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)")
_FILE_SECURITY_AT = 119  # FSCLAS, behind FHDR, FVER, CLEVEL, STYPE, OSTAID, FDT and FTITLE (MIL-STD-2500C, table A-1)

_CHOICES = {
    "CLAS": ("T", "S", "C", "R", "U"),
    "DCTP": ("", "DD", "DE", "GD", "GE", "O", "X"),
    "DG": ("", "S", "C", "R"),
    "CATP": ("", "O", "D", "M"),
    "CRSN": ("", *"ABCDEFG"),
}
# What stands only with some types of declassification, and must stand with them.
_WITH_TYPE = {"DCDT": ("DD",), "DCXM": ("X",), "DG": ("GD", "GE"), "DGDT": ("GD",)}
# Said by a group and by no label: codewords, handling codes, declassification, reasons and sources.
_NOT_IN_A_LABEL = ("CODE", "CTLH", "DCTP", "CRSN", "SRDT", "CTLN")

_NATO_POLICY = "NATO"
_ORIGINAL = "O"
_BETWEEN_CAVEATS = "; "
# A character of ECS-A that no label holds: it is not printed where a line does not break.
_SOFT_HYPHEN = "\xad"
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})\Z")
_DIGRAPH = 2


@dataclass(frozen=True, slots=True)
class NitfSecurity:
    """One security group; an empty text and no date mean a field of spaces.

    Parameters
    ----------
    classification
        CLAS: ``T``, ``S``, ``C``, ``R`` or ``U``.
    classification_system
        CLSY: nation or organisation by whose rules it is classified, two letters (see `CountryCodes`; ``XN`` is NATO).
    codewords
        CODE: two-letter codewords, a space between them.
    control_and_handling
        CTLH.
    releasing_instructions
        REL: country codes, a space between them.
    declassification_type
        DCTP: ``DD`` and ``DE`` declassify on a date or event, ``GD`` and ``GE`` downgrade, ``O`` leaves it to the originator,
        ``X`` is exempt.
    declassification_date
        DCDT, with ``DD`` only.
    declassification_exemption
        DCXM, with ``X`` only.
    downgrade
        DG: what it becomes (``S``, ``C``, ``R``), with ``GD`` and ``GE`` only.
    downgrade_date
        DGDT, with ``GD`` only.
    classification_text
        CLTX: free text.
    classification_authority_type
        CATP: ``O`` original, ``D`` derived from one source, ``M`` from several.
    classification_authority
        CAUT: who classified, or the source that it is derived from.
    classification_reason
        CRSN: ``A`` to ``G``.
    source_date
        SRDT: date of the source that it is derived from.
    control_number
        CTLN.
    """

    classification: str
    classification_system: str = ""
    codewords: str = ""
    control_and_handling: str = ""
    releasing_instructions: str = ""
    declassification_type: str = ""
    declassification_date: date | None = None
    declassification_exemption: str = ""
    downgrade: str = ""
    downgrade_date: date | None = None
    classification_text: str = ""
    classification_authority_type: str = ""
    classification_authority: str = ""
    classification_reason: str = ""
    source_date: date | None = None
    control_number: str = ""


def _check_characters(tag: str, text: str, field: str) -> None:
    for character in text:
        # Extended Character Set, alphanumeric (ECS-A): ISO 8859-1 without its control characters.
        if not (" " <= character <= "~" or "\xa0" <= character <= "\xff"):
            raise InputError(
                Message(
                    "{tag} cannot hold {character!r} (U+{code:04X}): NITF knows the printable characters of ISO 8859-1 only",
                    {"tag": tag, "character": character, "code": ord(character)},
                ),
                hint=Message("write it in Latin letters"),
                field=field,
            )


def _check_width(tag: str, text: str, field: str) -> None:
    if len(text) > _WIDTHS[tag]:
        raise InputError(
            Message(
                "{tag} has {width} bytes; {got!r} takes {length}",
                {"tag": tag, "width": _WIDTHS[tag], "got": text, "length": len(text)},
            ),
            hint=Message("shorten it, or keep the label in a file of its own beside the product"),
            field=field,
        )


def _check_codes(texts: Mapping[str, str]) -> None:
    """Code lists, and which fields go with which type of declassification."""
    for tag, choices in _CHOICES.items():
        if texts[tag] not in choices:
            raise InputError(
                Message(
                    "{tag}: got {got!r}, expected one of {choices}",
                    {"tag": tag, "got": texts[tag], "choices": ", ".join(choice for choice in choices if choice)},
                ),
                hint=Message("correct {tag}", {"tag": tag}),
                field=tag,
            )
    for tag, types in _WITH_TYPE.items():
        if (texts["DCTP"] in types) != bool(texts[tag]):
            raise InputError(
                Message(
                    "{tag} is {got!r} while DCTP is {type!r}; it stands with {types}, and only there",
                    {"tag": tag, "got": texts[tag], "type": texts["DCTP"], "types": ", ".join(types)},
                ),
                hint=Message("correct {tag} or DCTP", {"tag": tag}),
                field=tag,
            )


def _read_date(tag: str, text: str) -> date | None:
    if not text:
        return None
    digits = _DATE.match(text)
    try:
        day = date(*map(int, digits.groups())) if digits else None
    except ValueError:
        day = None
    if day is None:
        raise InputError(
            Message("{tag}: got {got!r}, expected a date as CCYYMMDD", {"tag": tag, "got": text}),
            hint=Message("correct {tag}, or fill it with spaces", {"tag": tag}),
            field=tag,
        )
    return day


def _write_date(day: date | None) -> str:
    return "" if day is None else day.isoformat().replace("-", "")


def parse_nitf_security(data: bytes) -> NitfSecurity:
    """Security group of its 167 bytes.

    Raises
    ------
    InputError
        Naming the field: another length, a character that NITF does not know, no date, a code of no list, or fields that
        contradict one another.

    Examples
    --------
    >>> parse_nitf_security(b"U" + b" " * 166)  # doctest: +ELLIPSIS
    NitfSecurity(classification='U', classification_system='', ...)
    """
    if len(data) != NITF_SECURITY_BYTES:
        raise InputError(
            Message("a NITF security group has {expected} bytes, got {got}", {"expected": NITF_SECURITY_BYTES, "got": len(data)}),
            hint=Message("Fetch the file again."),
            field="security",
        )
    whole = data.decode("iso8859-1")
    texts = {}
    at = 0
    for tag, width in _WIDTHS.items():
        text = whole[at : at + width]
        _check_characters(tag, text, tag)
        texts[tag] = text.rstrip(" ")
        at += width
    _check_codes(texts)
    return NitfSecurity(
        classification=texts["CLAS"],
        classification_system=texts["CLSY"],
        codewords=texts["CODE"],
        control_and_handling=texts["CTLH"],
        releasing_instructions=texts["REL"],
        declassification_type=texts["DCTP"],
        declassification_date=_read_date("DCDT", texts["DCDT"]),
        declassification_exemption=texts["DCXM"],
        downgrade=texts["DG"],
        downgrade_date=_read_date("DGDT", texts["DGDT"]),
        classification_text=texts["CLTX"],
        classification_authority_type=texts["CATP"],
        classification_authority=texts["CAUT"],
        classification_reason=texts["CRSN"],
        source_date=_read_date("SRDT", texts["SRDT"]),
        control_number=texts["CTLN"],
    )


def file_security(head: bytes) -> NitfSecurity:
    """Security group of a file's own header.

    Parameters
    ----------
    head
        First 286 bytes or more of a NITF 2.1 or NSIF 1.0 file.

    Raises
    ------
    InputError
        If `head` is of another format or too short, or the group is faulty.
    """
    if not is_nitf(head):
        raise InputError(
            Message("not a NITF file: it starts with {got}, expected NITF02.10", {"got": repr(head[:9])}),
            hint=Message("Check that the right file was named; its extension alone does not make it a NITF."),
            field="file",
        )
    return parse_nitf_security(head[_FILE_SECURITY_AT : _FILE_SECURITY_AT + NITF_SECURITY_BYTES])


def file_date(head: bytes) -> Instant | None:
    """Date of a file, FDT, which NITF writes in UTC; None where the file leaves a part of it open.

    Parameters
    ----------
    head
        As `file_security` takes it.

    Examples
    --------
    >>> file_date(b"NITF02.1003BF01" + b" " * 10 + b"20250622010203").isoformat()
    '2025-06-22T01:02:03+00:00'
    """
    found = _FILE_DATE.fullmatch(head[_FILE_DATE_AT : _FILE_DATE_AT + _FILE_DATE_BYTES])
    if found is None:
        return None
    try:
        return instant_of(datetime(*(int(part) for part in found.groups()), tzinfo=UTC))  # type: ignore[misc, arg-type] # six
    except ValueError:
        return None


def security_texts(value: NitfSecurity) -> dict[str, str]:
    """Text of each field of a group by its tag, without padding."""
    return {
        "CLAS": value.classification,
        "CLSY": value.classification_system,
        "CODE": value.codewords,
        "CTLH": value.control_and_handling,
        "REL": value.releasing_instructions,
        "DCTP": value.declassification_type,
        "DCDT": _write_date(value.declassification_date),
        "DCXM": value.declassification_exemption,
        "DG": value.downgrade,
        "DGDT": _write_date(value.downgrade_date),
        "CLTX": value.classification_text,
        "CATP": value.classification_authority_type,
        "CAUT": value.classification_authority,
        "CRSN": value.classification_reason,
        "SRDT": _write_date(value.source_date),
        "CTLN": value.control_number,
    }


def nitf_security_bytes(value: NitfSecurity) -> bytes:
    """167 bytes of a security group; `parse_nitf_security` reads them back to an equal value.

    Raises
    ------
    InputError
        Naming the field: too long, a character that NITF does not know, a space at its end, a code of no list, or fields that
        contradict one another.
    """
    texts = security_texts(value)
    for tag, text in texts.items():
        _check_characters(tag, text, tag)
        _check_width(tag, text, tag)
        if text.endswith(" "):
            raise InputError(
                Message("{tag}: {got!r} ends with a space, which NITF cannot tell from its padding", {"tag": tag, "got": text}),
                hint=Message("remove the space"),
                field=tag,
            )
    _check_codes(texts)
    return "".join(text.ljust(_WIDTHS[tag]) for tag, text in texts.items()).encode("iso8859-1")


def _no_place(field: str, got: str) -> NoReturn:
    raise InputError(
        Message("{field}: a NITF security group has no place for {got}", {"field": field, "got": got}),
        hint=Message("keep the label in a file of its own beside the product"),
        field=field,
    )


def _classifications(letters: Mapping[str, str]) -> dict[str, str]:
    """Classification of each letter."""
    found: dict[str, str] = {}
    for classification, letter in letters.items():
        if letter not in _CHOICES["CLAS"] or letter in found:
            raise InputError(
                Message(
                    "letters: {classification} has {letter!r}; expected one of {choices}, each for one classification",
                    {"classification": classification, "letter": letter, "choices": ", ".join(_CHOICES["CLAS"])},
                ),
                hint=Message("give each classification of the policy a letter of its own"),
                field="letters",
            )
        found[letter] = classification
    return found


def _classification_system(policy: str, codes: CountryCodes) -> str:
    if policy == _NATO_POLICY:
        return digraph_of(NATO, codes)
    try:
        nation = parse_nation(policy, field="policy")
    except InputError:
        nation = NATO
    if nation == NATO:  # as XXN, too, it would be read back under its other name
        raise InputError(
            Message("policy: CLSY has no code for {policy!r}, expected a nation or NATO", {"policy": policy}),
            hint=Message("a NITF security group can carry labels under a nation's own policy, such as JPN, or NATO's"),
            field="policy",
        )
    return digraph_of(nation, codes, field="policy")


def _releasing_instructions(releasable_to: tuple[Party, ...] | None) -> str:
    if releasable_to is None:
        return ""
    if not releasable_to:
        raise InputError(
            Message("releasable_to: REL cannot say that nobody may have the product; left empty it sets no limit"),
            hint=Message("keep the label in a file of its own beside the product"),
            field="releasable_to",
        )
    for party in releasable_to:
        if is_organisation(party):
            raise InputError(
                Message("releasable_to: REL holds nations, and {party} is an organisation", {"party": party}),
                hint=Message("keep the label in a file of its own beside the product"),
                field="releasable_to",
            )
    text = " ".join(releasable_to)
    _check_width("REL", text, "releasable_to")
    return text


def _classification_text(caveats: tuple[str, ...]) -> str:
    text = _BETWEEN_CAVEATS.join(caveats)
    _check_characters("CLTX", text, "caveats")
    _check_width("CLTX", text, "caveats")
    if _caveats(text) != caveats:
        raise InputError(
            Message("caveats: {got!r} would be read back from CLTX as other texts", {"got": text}),
            hint=Message("write caveats without '; ', soft hyphens and spaces at their ends"),
            field="caveats",
        )
    return text


def _caveats(text: str) -> tuple[str, ...] | None:
    """Caveats that CLTX holds; None if they are not as `nitf_security_of` writes them."""
    caveats = tuple(text.split(_BETWEEN_CAVEATS)) if text else ()
    clean = all(caveat and caveat == caveat.strip() and _SOFT_HYPHEN not in caveat for caveat in caveats)
    return caveats if clean else None


def nitf_security_of(label: Label, *, codes: CountryCodes, letters: Mapping[str, str] = ENGLISH_LETTERS) -> NitfSecurity:
    """Security group that says what `label` says.

    Policy becomes CLSY, classification CLAS, the parties of `releasable_to` REL, caveats CLTX, and the originator CAUT with CATP
    ``O``. REL takes three letters a nation, which no pair can be mistaken for; five nations fit. The instant of labelling has no
    field in the group: it is the file's date (FDT), and `label_of` asks for it.

    Parameters
    ----------
    label
        Of a nation's policy or ``NATO``.
    codes
        Which country codes the readers of the file expect in CLSY.
    letters
        Letter of CLAS for each classification of the policy, for example ``{"秘": "C", "極秘": "S"}``; each letter once.

    Raises
    ------
    InputError
        Naming the field of the label, what does not fit and where.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> label = Label("JPN", "秘", parse_party("JPN"), parse_instant("2025-06-22"), (parse_party("UKR"),))
    >>> group = nitf_security_of(label, codes=CountryCodes.ISO_3166, letters={"秘": "C"})
    >>> group.classification, group.classification_system, group.releasing_instructions
    ('C', 'JP', 'UKR')
    """
    _classifications(letters)
    letter = letters.get(label.classification)
    if letter is None:
        raise InputError(
            Message(
                "classification: {got!r} of the policy {policy} has no letter of CLAS; there are letters for {known}",
                {"got": label.classification, "policy": label.policy, "known": ", ".join(letters)},
            ),
            hint=Message("say which of T, S, C, R and U stands for it"),
            field="classification",
        )
    for category in label.categories:
        _no_place("categories", f"{category.tag}: {', '.join(category.values)}")
    if label.review is not None:
        _no_place("review", label.review.isoformat())
    group = NitfSecurity(
        classification=letter,
        classification_system=_classification_system(label.policy, codes),
        releasing_instructions=_releasing_instructions(label.releasable_to),
        classification_text=_classification_text(label.caveats),
        classification_authority_type=_ORIGINAL,
        classification_authority=parse_party(label.originator, field="originator"),
    )
    nitf_security_bytes(group)
    return group


def _read_nation(code: str, codes: CountryCodes) -> Nation:
    return nation_of_digraph(code, codes, field="REL") if len(code) == _DIGRAPH else parse_nation(code, field="REL")


def _originator(group: NitfSecurity, originator: Party | None) -> Party:
    authority, kind = group.classification_authority, group.classification_authority_type
    if not authority and not kind and originator is not None:
        return originator
    if not authority or kind != _ORIGINAL:
        raise InputError(
            Message("CAUT: {got!r} with CATP {kind!r} names no originator", {"got": authority, "kind": kind}),
            hint=Message("label the product in a file of its own beside it, and name the originator there"),
            field="CAUT",
        )
    party = parse_party(authority, field="CAUT")
    if originator not in {None, party}:
        raise InputError(
            Message("CAUT: the group names {got}, not {expected}", {"got": party, "expected": str(originator)}),
            hint=Message("find out who labelled the product"),
            field="CAUT",
        )
    return party


def label_of(
    group: NitfSecurity,
    *,
    codes: CountryCodes,
    created: Instant,
    originator: Party | None = None,
    letters: Mapping[str, str] = ENGLISH_LETTERS,
) -> Label:
    """Label that says what the security group says: the reverse of `nitf_security_of`.

    Parameters
    ----------
    group
        As `parse_nitf_security` or `file_security` read it.
    codes
        Which code the pairs of letters in CLSY and REL are of. There is no default: ``AU`` is Australia or Austria.
    created
        Instant of labelling; for a whole file its date, FDT.
    originator
        Who labelled, for a group that leaves CATP and CAUT empty.
    letters
        Letter of CLAS for each classification of the policy.

    Raises
    ------
    InputError
        Naming the field: codewords, handling codes, declassification and all else that a label cannot carry; an unknown country;
        no classification system; a letter that stands for no classification.
    """
    texts = security_texts(group)
    nitf_security_bytes(group)
    for tag in _NOT_IN_A_LABEL:
        if texts[tag]:
            raise InputError(
                Message("{tag}: a label has no place for {got!r}", {"tag": tag, "got": texts[tag]}),
                hint=Message("label the product in a file of its own beside it, by the rules that this field stands for"),
                field=tag,
            )
    classification = _classifications(letters).get(group.classification)
    if classification is None:
        raise InputError(
            Message(
                "CLAS: {got} stands for no classification; there are letters for {known}",
                {"got": group.classification, "known": ", ".join(letters)},
            ),
            hint=Message("say which classification of the policy it stands for"),
            field="CLAS",
        )
    if not group.classification_system:
        raise InputError(
            Message("CLSY is empty: nobody says by whose rules {got} is meant", {"got": group.classification}),
            hint=Message("label the product in a file of its own beside it"),
            field="CLSY",
        )
    system = nation_of_digraph(group.classification_system, codes, field="CLSY")
    release = group.releasing_instructions
    caveats = _caveats(group.classification_text)
    if caveats is None:
        raise InputError(
            Message("CLTX: {got!r} is no list of caveats with '; ' between them", {"got": group.classification_text}),
            hint=Message("label the product in a file of its own beside it"),
            field="CLTX",
        )
    return Label(
        policy=_NATO_POLICY if system == NATO else system,
        classification=classification,
        originator=_originator(group, originator),
        created=created,
        releasable_to=tuple(_read_nation(code, codes) for code in release.split(" ")) if release else None,
        caveats=caveats,
    )
