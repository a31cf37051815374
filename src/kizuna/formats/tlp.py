"""The Traffic Light Protocol, version 2.0 (FIRST, August 2022): five labels that say how far information may be passed on.

They are written exactly so: capitals, no spaces, ``TLP:`` before them. What version 1.0 wrote otherwise is recognised and refused
with what to write instead. STIX 2.1 predefines marking definitions for version 1.0 (section 7.2.1.4), and OASIS publishes an
extension with marking definitions for version 2.0 (cti-stix-common-objects, TLP 2.0).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.model.confidentiality import ConfidentialityInformation, ConfidentialityLabel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kizuna.model.instants import Instant

__all__ = [
    "STIX_EXTENSION",
    "TLP_POLICY",
    "Tlp",
    "confidentiality_label_of",
    "marking_definition_of",
    "parse_tlp",
    "tlp_of",
    "tlp_of_marking_definition",
]

TLP_POLICY = "TLP"
"""Policy of a confidentiality label that carries one of these."""

STIX_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
"""STIX 2.1 extension whose member ``tlp_2_0`` a marking definition of TLP 2.0 has."""

_PREFIX = "TLP:"


class Tlp(IntEnum):
    """A label; the stricter, the greater.

    Examples
    --------
    >>> max(Tlp.GREEN, Tlp.AMBER).marking
    'TLP:AMBER'
    """

    CLEAR = 0
    GREEN = 1
    AMBER = 2
    AMBER_STRICT = 3
    RED = 4

    @property
    def classification(self) -> str:
        """Label without its prefix, for example ``AMBER+STRICT``."""
        return self.name.replace("_", "+")

    @property
    def marking(self) -> str:
        """Label as it is written, for example ``TLP:AMBER+STRICT``."""
        return _PREFIX + self.classification

    @property
    def allows(self) -> Message:
        """What a receiver may do, in one sentence."""
        return _ALLOWS[self]


_ALLOWS: Mapping[Tlp, Message] = {
    Tlp.CLEAR: Message("TLP:CLEAR: pass it on to anyone; it may be made public"),
    Tlp.GREEN: Message("TLP:GREEN: pass it on within your community, and not through channels that the public can reach"),
    Tlp.AMBER: Message("TLP:AMBER: pass it on within your organisation and to its clients, to those only who need to know it"),
    Tlp.AMBER_STRICT: Message("TLP:AMBER+STRICT: pass it on within your organisation, to those only who need to know it"),
    Tlp.RED: Message("TLP:RED: for the persons who were given it; pass it on to nobody"),
}
_BY_CLASSIFICATION = {tlp.classification: tlp for tlp in Tlp}
_OLD_NAMES = {"WHITE": Tlp.CLEAR}

_DEFINITIONS: Mapping[Tlp, str] = {
    Tlp.CLEAR: "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    Tlp.GREEN: "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    Tlp.AMBER: "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    Tlp.AMBER_STRICT: "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    Tlp.RED: "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
# Predefined by STIX 2.1 for TLP 1.0. WHITE is the former name of CLEAR; the others allow what their names in 2.0 allow.
_OLD_DEFINITIONS: Mapping[Tlp, str] = {
    Tlp.CLEAR: "marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9",
    Tlp.GREEN: "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
    Tlp.AMBER: "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
    Tlp.RED: "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
}
_BY_DEFINITION = {id_: tlp for definitions in (_DEFINITIONS, _OLD_DEFINITIONS) for tlp, id_ in definitions.items()}


def _meant(text: str) -> Tlp | None:
    """Label that `text` writes in another way: other letters, spaces, no prefix, or the names of TLP 1.0."""
    # Upper case in ASCII only: 'ſ' and the like are no way to write a label.
    plain = "".join(text.split()).upper().removeprefix(_PREFIX).replace("_", "+").replace("-", "+") if text.isascii() else ""
    return _OLD_NAMES.get(plain, _BY_CLASSIFICATION.get(plain))


def parse_tlp(text: str, *, field: str = "tlp") -> Tlp:
    """Label of its writing.

    Raises
    ------
    InputError
        If `text` is written otherwise; the hint says how to write what it seems to mean.

    Examples
    --------
    >>> parse_tlp("TLP:AMBER+STRICT")
    <Tlp.AMBER_STRICT: 3>
    """
    tlp = _BY_CLASSIFICATION.get(text.removeprefix(_PREFIX)) if text.startswith(_PREFIX) else None
    if tlp is not None:
        return tlp
    meant = _meant(text)
    if meant is not None:
        raise InputError(
            Message("{field}: {got!r} is not how TLP 2.0 writes a label", {"field": field, "got": text[:80]}),
            hint=Message("write {label}", {"label": meant.marking}),
            field=field,
        )
    raise InputError(
        Message(
            "{field}: {got!r} is no label of TLP 2.0, expected one of {labels}",
            {"field": field, "got": text[:80], "labels": ", ".join(tlp.marking for tlp in Tlp)},
        ),
        hint=Message("ask the sender which label is meant, and treat it as TLP:RED until then"),
        field=field,
    )


def marking_definition_of(tlp: Tlp) -> str:
    """Identifier of the STIX 2.1 marking definition of `tlp` in TLP 2.0 (it needs `STIX_EXTENSION`)."""
    return _DEFINITIONS[tlp]


def tlp_of_marking_definition(identifier: str, *, field: str = "object_marking_refs") -> Tlp:
    """Label of a STIX 2.1 marking definition, of TLP 2.0 or as STIX predefines it for TLP 1.0.

    Raises
    ------
    InputError
        If it is another marking.
    """
    tlp = _BY_DEFINITION.get(identifier)
    if tlp is None:
        raise InputError(
            Message("{field}: {got!r} is no marking definition of TLP", {"field": field, "got": identifier[:80]}),
            hint=Message("share nothing under a marking that is not understood"),
            field=field,
        )
    return tlp


def confidentiality_label_of(tlp: Tlp, *, created: Instant, originator: str | None = None) -> ConfidentialityLabel:
    """Confidentiality label of the policy ``TLP`` that says the same; `tlp_of` reads it back."""
    return ConfidentialityLabel(ConfidentialityInformation(TLP_POLICY, tlp.classification), created, originator=originator)


def tlp_of(label: ConfidentialityLabel) -> Tlp:
    """TLP label that a confidentiality label stands for.

    Raises
    ------
    InputError
        If it is of another policy or classification, or says more than TLP can: categories, a privacy mark, a policy identifier
        as a URI, or a later label.
    """
    information = label.information
    if information.policy != TLP_POLICY:
        raise InputError(
            Message("policy: got {got!r}, expected {expected}", {"got": information.policy, "expected": TLP_POLICY}),
            hint=Message("a label of another policy has no equal in TLP"),
            field="policy",
        )
    for field, extra in (
        ("categories", information.categories),
        ("privacy_mark", information.privacy_mark),
        ("policy_uri", information.policy_uri),
        ("successions", label.successions),
    ):
        if extra:
            raise InputError(
                Message("{field}: a TLP label has no place for it", {"field": field}),
                hint=Message("keep the confidentiality label as it is"),
                field=field,
            )
    tlp = _BY_CLASSIFICATION.get(information.classification)
    if tlp is None:
        raise InputError(
            Message(
                "classification: got {got!r}, expected one of {labels}",
                {"got": information.classification[:80], "labels": ", ".join(_BY_CLASSIFICATION)},
            ),
            hint=Message("ask the sender which label is meant, and treat it as TLP:RED until then"),
            field="classification",
        )
    return tlp
