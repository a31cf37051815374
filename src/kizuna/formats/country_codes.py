"""Two-letter country codes of the nations: ISO 3166-1 alpha-2 and FIPS 10-4, which give many letter pairs different meanings.

``AU`` is Australia in the one and Austria in the other, ``GB`` the United Kingdom or Gabon. Nothing here guesses: who reads a
pair says which code it is of.
"""

from __future__ import annotations

from enum import StrEnum

from kizuna.errors import InputError, Message
from kizuna.model.parties import Nation, parse_nation

__all__ = ["NATO", "NATO_DIGRAPH", "CountryCodes", "digraph_of", "nation_of_digraph"]

NATO = parse_nation("XXN")
NATO_DIGRAPH = "XN"
"""NATO in NITF (MIL-STD-2500C): chosen for being in neither code."""


class CountryCodes(StrEnum):
    """Which code a pair of letters is of."""

    ISO_3166 = "ISO 3166-1 alpha-2"
    """Also GENC, the profile of it that replaced FIPS 10-4."""
    FIPS_10_4 = "FIPS 10-4"
    """Withdrawn in 2008; what MIL-STD-2500C names."""


# Alpha-3, alpha-2 and FIPS 10-4 of each nation of ISO 3166-1 (2024-2). No FIPS code stands where FIPS has none, or several for
# what is one nation in ISO (PSE, SJM, UMI).
_TABLE = tuple(
    tuple(row.split("-"))
    for row in """
    ABW-AW-AA AFG-AF-AF AGO-AO-AO AIA-AI-AV ALA-AX- ALB-AL-AL AND-AD-AN ARE-AE-AE ARG-AR-AR ARM-AM-AM ASM-AS-AQ
    ATA-AQ-AY ATF-TF-FS ATG-AG-AC AUS-AU-AS AUT-AT-AU AZE-AZ-AJ BDI-BI-BY BEL-BE-BE BEN-BJ-BN BES-BQ- BFA-BF-UV
    BGD-BD-BG BGR-BG-BU BHR-BH-BA BHS-BS-BF BIH-BA-BK BLM-BL-TB BLR-BY-BO BLZ-BZ-BH BMU-BM-BD BOL-BO-BL BRA-BR-BR
    BRB-BB-BB BRN-BN-BX BTN-BT-BT BVT-BV-BV BWA-BW-BC CAF-CF-CT CAN-CA-CA CCK-CC-CK CHE-CH-SZ CHL-CL-CI CHN-CN-CH
    CIV-CI-IV CMR-CM-CM COD-CD-CG COG-CG-CF COK-CK-CW COL-CO-CO COM-KM-CN CPV-CV-CV CRI-CR-CS CUB-CU-CU CUW-CW-UC
    CXR-CX-KT CYM-KY-CJ CYP-CY-CY CZE-CZ-EZ DEU-DE-GM DJI-DJ-DJ DMA-DM-DO DNK-DK-DA DOM-DO-DR DZA-DZ-AG ECU-EC-EC
    EGY-EG-EG ERI-ER-ER ESH-EH-WI ESP-ES-SP EST-EE-EN ETH-ET-ET FIN-FI-FI FJI-FJ-FJ FLK-FK-FK FRA-FR-FR FRO-FO-FO
    FSM-FM-FM GAB-GA-GB GBR-GB-UK GEO-GE-GG GGY-GG-GK GHA-GH-GH GIB-GI-GI GIN-GN-GV GLP-GP-GP GMB-GM-GA GNB-GW-PU
    GNQ-GQ-EK GRC-GR-GR GRD-GD-GJ GRL-GL-GL GTM-GT-GT GUF-GF-FG GUM-GU-GQ GUY-GY-GY HKG-HK-HK HMD-HM-HM HND-HN-HO
    HRV-HR-HR HTI-HT-HA HUN-HU-HU IDN-ID-ID IMN-IM-IM IND-IN-IN IOT-IO-IO IRL-IE-EI IRN-IR-IR IRQ-IQ-IZ ISL-IS-IC
    ISR-IL-IS ITA-IT-IT JAM-JM-JM JEY-JE-JE JOR-JO-JO JPN-JP-JA KAZ-KZ-KZ KEN-KE-KE KGZ-KG-KG KHM-KH-CB KIR-KI-KR
    KNA-KN-SC KOR-KR-KS KWT-KW-KU LAO-LA-LA LBN-LB-LE LBR-LR-LI LBY-LY-LY LCA-LC-ST LIE-LI-LS LKA-LK-CE LSO-LS-LT
    LTU-LT-LH LUX-LU-LU LVA-LV-LG MAC-MO-MC MAF-MF-RN MAR-MA-MO MCO-MC-MN MDA-MD-MD MDG-MG-MA MDV-MV-MV MEX-MX-MX
    MHL-MH-RM MKD-MK-MK MLI-ML-ML MLT-MT-MT MMR-MM-BM MNE-ME-MJ MNG-MN-MG MNP-MP-CQ MOZ-MZ-MZ MRT-MR-MR MSR-MS-MH
    MTQ-MQ-MB MUS-MU-MP MWI-MW-MI MYS-MY-MY MYT-YT-MF NAM-NA-WA NCL-NC-NC NER-NE-NG NFK-NF-NF NGA-NG-NI NIC-NI-NU
    NIU-NU-NE NLD-NL-NL NOR-NO-NO NPL-NP-NP NRU-NR-NR NZL-NZ-NZ OMN-OM-MU PAK-PK-PK PAN-PA-PM PCN-PN-PC PER-PE-PE
    PHL-PH-RP PLW-PW-PS PNG-PG-PP POL-PL-PL PRI-PR-RQ PRK-KP-KN PRT-PT-PO PRY-PY-PA PSE-PS- PYF-PF-FP QAT-QA-QA
    REU-RE-RE ROU-RO-RO RUS-RU-RS RWA-RW-RW SAU-SA-SA SDN-SD-SU SEN-SN-SG SGP-SG-SN SGS-GS-SX SHN-SH-SH SJM-SJ-
    SLB-SB-BP SLE-SL-SL SLV-SV-ES SMR-SM-SM SOM-SO-SO SPM-PM-SB SRB-RS-RI SSD-SS-OD STP-ST-TP SUR-SR-NS SVK-SK-LO
    SVN-SI-SI SWE-SE-SW SWZ-SZ-WZ SXM-SX-NN SYC-SC-SE SYR-SY-SY TCA-TC-TK TCD-TD-CD TGO-TG-TO THA-TH-TH TJK-TJ-TI
    TKL-TK-TL TKM-TM-TX TLS-TL-TT TON-TO-TN TTO-TT-TD TUN-TN-TS TUR-TR-TU TUV-TV-TV TWN-TW-TW TZA-TZ-TZ UGA-UG-UG
    UKR-UA-UP UMI-UM- URY-UY-UY USA-US-US UZB-UZ-UZ VAT-VA-VT VCT-VC-VC VEN-VE-VE VGB-VG-VI VIR-VI-VQ VNM-VN-VM
    VUT-VU-NH WLF-WF-WF WSM-WS-WS YEM-YE-YM ZAF-ZA-SF ZMB-ZM-ZA ZWE-ZW-ZI
    """.split()
)
_DIGRAPHS: dict[CountryCodes, dict[Nation, str]] = {
    codes: {parse_nation(row[0]): row[column] for row in _TABLE if row[column]} | {NATO: NATO_DIGRAPH}
    for column, codes in enumerate(CountryCodes, start=1)
}
_NATIONS = {codes: {digraph: nation for nation, digraph in digraphs.items()} for codes, digraphs in _DIGRAPHS.items()}


def digraph_of(nation: Nation, codes: CountryCodes, *, field: str = "nation") -> str:
    """Two letters of `nation`.

    Raises
    ------
    InputError
        If `codes` has none for it.

    Examples
    --------
    >>> digraph_of(parse_nation("JPN"), CountryCodes.ISO_3166), digraph_of(parse_nation("JPN"), CountryCodes.FIPS_10_4)
    ('JP', 'JA')
    """
    digraph = _DIGRAPHS[codes].get(nation)
    if digraph is None:
        raise InputError(
            Message("{field}: {codes} has no code for {nation}", {"field": field, "codes": codes.value, "nation": nation}),
            hint=Message("use {codes}", {"codes": CountryCodes.ISO_3166.value}),
            field=field,
        )
    return digraph


def nation_of_digraph(digraph: str, codes: CountryCodes, *, field: str = "nation") -> Nation:
    """Nation of two letters.

    Raises
    ------
    InputError
        If they are none of `codes`.

    Examples
    --------
    >>> nation_of_digraph("AU", CountryCodes.ISO_3166), nation_of_digraph("AU", CountryCodes.FIPS_10_4)
    ('AUS', 'AUT')
    """
    nation = _NATIONS[codes].get(digraph)
    if nation is None:
        raise InputError(
            Message("{field}: {got!r} is no country code of {codes}", {"field": field, "got": digraph, "codes": codes.value}),
            hint=Message("ask who made the file which country codes it is in"),
            field=field,
        )
    return nation
