"""Readers for the forms in which spiffing writes its vectors, where nobody else uses them: its own XML, and ESS labels in BER.

Both name classifications and categories by their values, so that they can be read only with the policy at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.formats.label_xml import read_label_xml
from kizuna.formats.xml_reading import parse_xml
from kizuna.model.confidentiality import ConfidentialityInformation, ConfidentialityLabel
from kizuna.release.policies import TagType, oid_uri, parse_lacv
from kizuna.release.policy_rules import Clearance, Selected
from kizuna.release.translation import category_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kizuna.release.policies import SecurityPolicy

NAMESPACE = "{http://surevine.com/xmlns/spiffy}"
TYPES = {
    "restrictive": TagType.RESTRICTIVE,
    "permissive": TagType.PERMISSIVE,
    "enumeratedRestrictive": TagType.ENUMERATED_RESTRICTIVE,
    "enumeratedPermissive": TagType.ENUMERATED_PERMISSIVE,
    "informative": TagType.INFORMATIVE,
}
INTEGER, OBJECT_IDENTIFIER, UTF8_STRING, PRINTABLE_STRING, SET = 0x02, 0x06, 0x0C, 0x13, 0x31


def _by_value(data, root):
    """Object identifier, classification values and (type, tag set, value) of a label or clearance in spiffing's XML."""
    element = parse_xml(data, what=root)
    assert element.tag == NAMESPACE + root
    policy = element.find(NAMESPACE + "policy").get("id")
    levels = [int(child.get("lacv")) for child in element.findall(NAMESPACE + "classification")]
    tags = [(TYPES[tag.get("type")], tag.get("id"), parse_lacv(tag.get("lacv"))) for tag in element.findall(NAMESPACE + "tag")]
    assert len(element) == 1 + len(levels) + len(tags)
    return policy, levels, tags


def _select(policy: SecurityPolicy, tags):
    for type_, identifier, lacv in tags:
        tag_set = policy.tag_set_of(identifier)
        tag, category = tag_set.find(type_, lacv)
        yield Selected(tag_set, tag, category, category.name)


def _label(policies: Mapping[str, SecurityPolicy], identifier, level, tags=(), mark=None) -> ConfidentialityLabel:
    """Label by names; under an unknown policy its values stand for the names."""
    policy = policies.get(identifier)
    if policy is None:
        return ConfidentialityLabel(
            ConfidentialityInformation(identifier, str(level), (), mark, policy_uri=oid_uri(identifier)), None
        )
    categories = category_values(policy, _select(policy, tags))
    name = policy.classification_of(level).name
    return ConfidentialityLabel(ConfidentialityInformation(policy.name, name, categories, mark, oid_uri(identifier)), None)


def read_clearance(data: bytes, policies: Mapping[str, SecurityPolicy]) -> Clearance:
    identifier, levels, tags = _by_value(data, "clearance")
    policy = policies[identifier]
    names = tuple(policy.classification_of(level).name for level in levels)
    return Clearance(policy.name, names, category_values(policy, _select(policy, tags)), oid_uri(identifier))


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element, of definite length, one after the other."""
    while data:
        if len(data) < 2 or data[1] >= 0x80 or len(data) < 2 + data[1]:
            raise InputError(Message("not the BER of a short label"))
        yield data[0], data[2 : 2 + data[1]]
        data = data[2 + data[1] :]


def _identifier(content: bytes) -> str:
    arcs = [min(content[0] // 40, 2)]
    arcs.append(content[0] - 40 * arcs[0])
    arc = 0
    for byte in content[1:]:
        arc = arc << 7 | byte & 0x7F
        if byte < 0x80:
            arcs.append(arc)
            arc = 0
    return ".".join(map(str, arcs))


def read_ess(data: bytes, policies: Mapping[str, SecurityPolicy]) -> ConfidentialityLabel:
    """ESS security label (RFC 2634) without categories: a SET of policy, classification and privacy mark, in any order."""
    ((outer, content),) = _elements(data)
    assert outer == SET
    parts = dict(_elements(content))
    assert parts.keys() <= {INTEGER, OBJECT_IDENTIFIER, UTF8_STRING, PRINTABLE_STRING}
    mark = parts.get(UTF8_STRING, parts.get(PRINTABLE_STRING))
    identifier = _identifier(parts[OBJECT_IDENTIFIER]) if OBJECT_IDENTIFIER in parts else ""
    level = int.from_bytes(parts[INTEGER], signed=True)
    return _label(policies, identifier, level, mark=None if mark is None else mark.decode())


def read_label(name: str, data: bytes, policies: Mapping[str, SecurityPolicy]) -> ConfidentialityLabel:
    """Label of any of the forms, told apart by the name of its file (as BER only if there is anything in it)."""
    if name.endswith(".ber") and data:
        return read_ess(data, policies)
    if name.endswith(".nato"):
        return read_label_xml(data, strict=False)
    identifier, (level,), tags = _by_value(data, "label")
    return _label(policies, identifier, level, tags)
