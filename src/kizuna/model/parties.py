"""Parties to agreements: nations and their organisations.

A nation is an ISO 3166-1 alpha-3 code (``JPN``), an organisation is ``NATION/ORG`` (``JPN/IQPS``). The two never stand for
each other: an organisation's agreement does not extend to its nation, nor a nation's to an organisation that it does
not name.
"""

from __future__ import annotations

import re
from typing import NewType

from kizuna.errors import InputError, Message

__all__ = ["NATIONS", "Nation", "Party", "is_organisation", "nation_of", "parse_nation", "parse_party"]

Party = NewType("Party", str)
"""A nation (``JPN``) or an organisation (``JPN/IQPS``), as `parse_party` makes it."""

Nation = NewType("Nation", Party)
"""An ISO 3166-1 alpha-3 code, as `parse_nation` makes it. Being well-formed does not make it known: see `NATIONS`."""

# ISO 3166-1 alpha-3, officially assigned codes (2024-2).
NATIONS: frozenset[str] = frozenset(
    """
    ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM
    BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR
    CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB
    GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA
    JAM JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA
    MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR
    NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS
    SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON
    TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
    """.split()
)

# Parties that are no nation: NATO by its code in STANAG 1059. They conclude agreements; nothing is released to them by name.
_INTERNATIONAL = frozenset({"XXN"})

_PARTY = re.compile(r"([A-Z]{3})(?:/([A-Z0-9][A-Z0-9._-]{0,31}))?\Z", re.ASCII)


def parse_nation(text: str, *, field: str = "nation") -> Nation:
    """Nation code of `text`.

    Raises
    ------
    InputError
        If `text` is not an officially assigned ISO 3166-1 alpha-3 code.

    Examples
    --------
    >>> parse_nation("JPN")
    'JPN'
    """
    if text not in NATIONS and text not in _INTERNATIONAL:
        raise InputError(
            Message("{field}: unknown nation {got!r}, expected an ISO 3166-1 alpha-3 code", {"field": field, "got": text}),
            hint=Message("write the three capital letters of the nation, for example JPN or UKR"),
            field=field,
        )
    return Nation(Party(text))


def parse_party(text: str, *, field: str = "party") -> Party:
    """Party of `text`: ``NATION`` or ``NATION/ORG``.

    Raises
    ------
    InputError
        If `text` is neither, or the nation is unknown.

    Examples
    --------
    >>> parse_party("UKR/HUR")
    'UKR/HUR'
    """
    match = _PARTY.match(text)
    if match is None:
        raise InputError(
            Message("{field}: {got!r} is no party, expected NATION or NATION/ORG", {"field": field, "got": text}),
            hint=Message("write for example UKR for the nation or UKR/HUR for one of its organisations, in capitals"),
            field=field,
        )
    parse_nation(match[1], field=field)
    return Party(text)


def nation_of(party: Party) -> Nation:
    """Nation to which `party` belongs (or which it is)."""
    return Nation(Party(party[:3]))


def is_organisation(party: Party) -> bool:
    """Whether `party` is an organisation rather than a nation."""
    return "/" in party
