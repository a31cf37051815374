"""XML SPIF 2.1 security policies (http://www.xmlspif.org): read, with the rest of the earlier versions 1.0 and 2.0.

Policies in use are not always valid against the schema. What only differs in form is read: elements without the namespace (the
schema says "unqualified" and means the contrary), in another order, required attributes of the document left out, ``code`` for
``markingCode``. What differs in meaning is refused: unknown elements and attributes, text where none belongs, values that are not
of their type, policies that contradict themselves (`kizuna.release.policy_checks`). Extensions are vendors' own and are not read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn, cast

from kizuna.errors import InputError, Message
from kizuna.formats.xml_reading import parse_xml
from kizuna.model.instants import parse_instant
from kizuna.model.reading import one_line
from kizuna.release.policies import (
    NATO_CATEGORIES,
    Applied,
    Classification,
    Equivalent,
    EquivalentCategory,
    EquivalentPolicy,
    EquivalentTagSet,
    InformativeEncoding,
    MarkingCode,
    MarkingData,
    Markings,
    Member,
    Operation,
    PolicyIdentifier,
    PrivacyMark,
    Qualifier,
    QualifierCode,
    Requirement,
    SecurityPolicy,
    Tag,
    TagCategory,
    TagSet,
    TagType,
    UserInput,
    Validity,
    parse_lacv,
)
from kizuna.release.policy_checks import check_policy

if TYPE_CHECKING:
    from enum import StrEnum

    from lxml import etree

    from kizuna.model.instants import Instant

__all__ = ["SPIF_NAMESPACE", "read_spif"]

SPIF_NAMESPACE = "http://www.xmlspif.org/spif"

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_VERSIONS = ("1.0", "2.0", "2.1")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}\Z", re.ASCII)
_UNBOUNDED = "unbounded"
_SHOWN = 60
_TAG_TYPES: dict[tuple[str, str | None], TagType] = {
    ("restrictive", None): TagType.RESTRICTIVE,
    ("permissive", None): TagType.PERMISSIVE,
    ("enumerated", "restrictive"): TagType.ENUMERATED_RESTRICTIVE,
    ("enumerated", "permissive"): TagType.ENUMERATED_PERMISSIVE,
    ("tagType7", None): TagType.INFORMATIVE,
    ("notApplicable", None): TagType.NOT_APPLICABLE,
}
# Policies name colours that the schema does not know. The schema writes fuchsia with the letters changed round.
_COLORS = {
    "brown": "#A52A2A",
    "cyan": "#00FFFF",
    "fuchsia": "#FF00FF",
    "gold": "#FFD700",
    "grey": "#808080",
    "magenta": "#FF00FF",
    "orange": "#FFA500",
    "pink": "#FFC0CB",
    "violet": "#EE82EE",
}


class _Element:
    """One element, read attribute by attribute and child by child; `done` refuses whatever nobody asked for."""

    __slots__ = ("_attributes", "_children", "_node", "_what", "name", "read")

    def __init__(self, node: etree._Element, what: str) -> None:
        tag = str(node.tag)
        self._node = node
        self._what = what
        self.name = tag.removeprefix(f"{{{SPIF_NAMESPACE}}}")
        self._attributes = {str(name): str(value) for name, value in node.attrib.items()}
        self._children = [_Element(child, what) for child in node]
        self.read = False

    def refuse(self, message: Message, *, hint: Message | None = None) -> NoReturn:
        """Refuse the element.

        Parameters
        ----------
        message
            Sentence that begins with ``{what}, line {line}: `` and may name the ``{element}``.
        hint
            What to do.

        Raises
        ------
        InputError
            Always.
        """
        place: dict[str, str | int] = {
            "what": self._what,
            "line": cast("int", self._node.sourceline),
            "element": one_line(self.name)[:_SHOWN],
        }
        raise InputError(
            Message(message.template, {**place, **message.values}),
            hint=hint or Message("correct the line that it names, or ask whoever wrote the policy"),
        )

    def _wrong(self, attribute: str, got: str, expected: str) -> NoReturn:
        values = {"attribute": attribute, "got": one_line(got)[:_SHOWN], "expected": expected}
        self.refuse(Message("{what}, line {line}: {attribute} of {element}: got {got}, expected {expected}", values))

    def has(self, attribute: str) -> bool:
        """Whether there is an attribute."""
        return attribute in self._attributes

    def text(self, attribute: str) -> str | None:
        """Attribute as it is; None if there is none."""
        return self._attributes.pop(attribute, None)

    def needed(self, attribute: str) -> str:
        """Attribute that must be there."""
        value = self.text(attribute)
        if value is None:
            self.refuse(Message("{what}, line {line}: {element} has no {attribute}", {"attribute": attribute}))
        return value

    def integer(self, attribute: str, default: int | None = None) -> int:
        """Whole number; `default` where it is absent (without one, absence is a fault)."""
        value = self.text(attribute) if default is not None else self.needed(attribute)
        if value is None:
            return default or 0
        if not _INTEGER.match(value.strip()):
            self._wrong(attribute, value, "a whole number")
        return int(value)

    def boolean(self, attribute: str) -> bool:
        """``true`` or ``false``; absent means false."""
        value = (self.text(attribute) or "false").strip()
        if value not in {"true", "false", "1", "0"}:
            self._wrong(attribute, value, "true or false")
        return value in {"true", "1"}

    def choice[E: StrEnum](self, attribute: str, kind: type[E]) -> E | None:
        """Member of an enumeration; None where it is absent."""
        value = self.text(attribute)
        if value is None:
            return None
        if value not in set(kind):
            self._wrong(attribute, value, ", ".join(kind))
        return kind(value)

    def chosen[E: StrEnum](self, attribute: str, kind: type[E]) -> E:
        """Member of an enumeration that must be there."""
        found = self.choice(attribute, kind)
        if found is None:
            self.refuse(Message("{what}, line {line}: {element} has no {attribute}", {"attribute": attribute}))
        return found

    def selection(self, attribute: str) -> int | None:
        """Number of selections; None: unbounded."""
        if (self._attributes.get(attribute) or _UNBOUNDED) == _UNBOUNDED:
            self._attributes.pop(attribute, None)
            return None
        return self.integer(attribute)

    def instant(self, attribute: str) -> Instant | None:
        """Date and time with its zone."""
        value = self.text(attribute)
        return None if value is None else parse_instant(value.strip(), field=f"{self.name}.{attribute}")

    @property
    def language(self) -> str | None:
        """Language tag (``xml:lang``)."""
        return self._attributes.get(_LANGUAGE) or None

    def children(self, name: str) -> list[_Element]:
        """All children of a name."""
        found = [child for child in self._children if child.name == name]
        for child in found:
            child.read = True
        return found

    def child(self, name: str) -> _Element | None:
        """The child of a name; None if there is none."""
        found = self.children(name)
        if len(found) > 1:
            found[1].refuse(Message("{what}, line {line}: a second {element}"))
        return found[0] if found else None

    def content(self) -> str:
        """Text of an element that holds nothing else."""
        text = (self._node.text or "").strip()
        if not text or len(self._node):
            self.refuse(Message("{what}, line {line}: {element} must hold one text"))
        self._node.text = None
        return text

    def skip(self, name: str) -> None:
        """Leave out the children of a name with all that they hold."""
        self.children(name)
        self._children = [child for child in self._children if child.name != name]

    def done(self) -> None:
        """Refuse what nobody read.

        Raises
        ------
        InputError
            If there is anything.
        """
        if not self.read:
            self.refuse(Message("{what}, line {line}: unknown element {element}"))
        strange = [name for name in self._attributes if not name.startswith("{") or name.startswith(f"{{{SPIF_NAMESPACE}}}")]
        if strange:
            self.refuse(Message("{what}, line {line}: {element} has the unknown attribute {name}", {"name": strange[0]}))
        texts = [self._node.text, *(child.tail for child in self._node)]
        text = next((text for text in texts if text is not None and text.strip()), None)
        if text is not None:
            values = {"text": one_line(text)[:_SHOWN]}
            self.refuse(Message("{what}, line {line}: {element} holds text that means nothing: {text}", values))
        for child in self._children:
            child.done()


def _read_codes(element: _Element) -> tuple[MarkingCode, ...]:
    codes = []
    for child in element.children("code"):
        text = child.content()
        if text not in set(MarkingCode):
            values = {"got": one_line(text)[:_SHOWN], "expected": ", ".join(MarkingCode)}
            child.refuse(Message("{what}, line {line}: got the marking code {got}, expected one of {expected}", values))
        codes.append(MarkingCode(text))
    if not codes:
        element.refuse(Message("{what}, line {line}: {element} has no code"))
    return tuple(dict.fromkeys(codes))


def _read_qualifiers(element: _Element) -> tuple[Qualifier, ...]:
    qualifiers = []
    for group in element.children("markingQualifier"):
        place = group.choice("code" if group.has("code") and not group.has("markingCode") else "markingCode", MarkingCode)
        for child in group.children("qualifier"):
            text = child.needed("markingQualifier")
            code = child.chosen("qualifierCode", QualifierCode)
            qualifiers.append(Qualifier(code, text, child.language or group.language, place))
    return tuple(qualifiers)


def _read_markings(element: _Element) -> Markings:
    data = [MarkingData(_read_codes(child), child.text("phrase"), child.language) for child in element.children("markingData")]
    return Markings(tuple(data), _read_qualifiers(element))


def _read_tag_type(element: _Element) -> TagType:
    text = element.needed("tagType")
    enumerated = element.text("enumType")
    found = _TAG_TYPES.get((text, enumerated))
    if found is None:
        element.refuse(
            Message(
                "{what}, line {line}: tagType {type} with enumType {enumerated}, expected restrictive, permissive, tagType7, "
                "notApplicable, or enumerated with restrictive or permissive",
                {"type": one_line(text)[:_SHOWN], "enumerated": one_line(enumerated or "")[:_SHOWN]},
            )
        )
    return found


def _read_member(element: _Element) -> Member:
    tag_set, type_ = element.needed("tagSetRef"), _read_tag_type(element)
    lacv = element.text("lacv")
    if element.boolean("all") and lacv is not None:
        element.refuse(Message("{what}, line {line}: {element} names all categories and one"))
    return Member(tag_set, type_, None if lacv is None else parse_lacv(lacv))


def _read_requirements(element: _Element) -> tuple[Requirement, ...]:
    requirements = []
    for child in element.children("requiredCategory"):
        # The schema does not say what holds where no operation stands; all is the strictest.
        operation = child.choice("operation", Operation) or Operation.ALL
        requirements.append(Requirement(operation, tuple(_read_member(member) for member in child.children("categoryGroup"))))
    return tuple(requirements)


def _read_validity(element: _Element) -> Validity:
    return Validity(element.instant("notBefore"), element.instant("notAfter"))


def _read_identifier(element: _Element) -> PolicyIdentifier:
    return PolicyIdentifier(element.needed("name"), element.needed("id"), _read_markings(element))


def _read_classification(element: _Element) -> Classification:
    color = element.text("color")
    return Classification(
        name=element.needed("name"),
        lacv=element.integer("lacv"),
        hierarchy=element.integer("hierarchy"),
        color=None if color is None else _COLORS.get(color, color),
        obsolete=element.boolean("obsolete"),
        markings=_read_markings(element),
        required=_read_requirements(element),
        equivalents=tuple(
            Equivalent(
                child.needed("policyRef"), child.integer("lacv"), child.chosen("applied", Applied), _read_requirements(child)
            )
            for child in element.children("equivalentClassification")
        ),
    )


def _read_equivalent_category(element: _Element) -> EquivalentCategory:
    action = element.text("action")
    if action not in {None, "discard"}:
        element.refuse(
            Message("{what}, line {line}: got the action {got}, expected discard", {"got": one_line(action or "")[:_SHOWN]})
        )
    return EquivalentCategory(
        policy=element.needed("policyRef"),
        tag_set_id=element.needed("tagSetId"),
        type=_read_tag_type(element),
        lacv=parse_lacv(element.needed("lacv")),
        applied=element.chosen("applied", Applied),
        discard=action is not None,
    )


def _read_category(element: _Element) -> TagCategory:
    return TagCategory(
        name=element.needed("name"),
        lacv=parse_lacv(element.needed("lacv")),
        markings=_read_markings(element),
        required_class=element.text("requiredClass"),
        excluded_classes=tuple(child.content() for child in element.children("excludedClass")),
        required=_read_requirements(element),
        excluded=tuple(_read_member(child) for child in element.children("excludedCategory")),
        equivalents=tuple(_read_equivalent_category(child) for child in element.children("equivalentSecCategoryTag")),
        obsolete=element.boolean("obsolete"),
        user_input=element.choice("userInput", UserInput),
        date_format=element.text("dateFormat"),
        validity=_read_validity(element),
    )


def _read_tag(element: _Element) -> Tag:
    most = element.selection("maxSelection")
    if element.boolean("singleSelection"):
        most = 1 if most is None else min(most, 1)
    return Tag(
        name=element.text("name") or "",
        type=_read_tag_type(element),
        categories=tuple(_read_category(child) for child in element.children("tagCategory")),
        qualifiers=_read_qualifiers(element),
        encoding=element.choice("tag7Encoding", InformativeEncoding),
        most=most,
        least=element.selection("minSelection"),
    )


def _read_tag_set(element: _Element) -> TagSet:
    return TagSet(
        name=element.needed("name"),
        id=element.needed("id"),
        tags=tuple(_read_tag(child) for child in element.children("securityCategoryTag")),
        equivalents=tuple(
            EquivalentTagSet(child.needed("policyRef"), child.text("name"), child.text("id"), _read_requirements(child))
            for child in element.children("equivalentSecurityCategoryTagSet")
        ),
    )


def _read_equivalent_policy(element: _Element) -> EquivalentPolicy:
    return EquivalentPolicy(
        name=element.needed("name"),
        id=element.needed("id"),
        required=_read_requirements(element),
        user_reference=element.text("userRefURI"),
        document_reference=element.text("docRefURI"),
    )


def _inside(root: _Element, container: str, name: str) -> list[_Element]:
    """Children of the one element that holds them."""
    element = root.child(container)
    if element is None:
        return []
    found = element.children(name)
    if not found:
        element.refuse(Message("{what}, line {line}: {element} is empty"))
    return found


def _read_policy(root: _Element) -> SecurityPolicy:
    identifier, levels = root.child("securityPolicyId"), root.child("securityClassifications")
    if identifier is None or levels is None:
        missing = "securityPolicyId" if identifier is None else "securityClassifications"
        root.refuse(Message("{what}, line {line}: {element} has no {missing}", {"missing": missing}))
    default = root.child("defaultSecurityPolicyId")
    marks = root.child("privacyMarks")
    root.child("updateInfo")
    root.skip("extensions")
    return SecurityPolicy(
        identifier=_read_identifier(identifier),
        classifications=tuple(_read_classification(child) for child in levels.children("securityClassification")),
        tag_sets=tuple(_read_tag_set(child) for child in _inside(root, "securityCategoryTagSets", "securityCategoryTagSet")),
        privacy_marks=tuple(
            PrivacyMark(child.needed("name"), child.boolean("obsolete"), _read_markings(child))
            for child in _inside(root, "privacyMarks", "privacyMark")
        ),
        equivalent_policies=tuple(
            _read_equivalent_policy(child) for child in _inside(root, "equivalentPolicies", "equivalentPolicy")
        ),
        markings=_read_markings(root),
        classification_markings=_read_markings(levels),
        privacy_markings=Markings() if marks is None else _read_markings(marks),
        most_privacy_marks=None if marks is None else marks.selection("maxSelection"),
        least_privacy_marks=None if marks is None else marks.selection("minSelection"),
        default_policy=None if default is None else _read_identifier(default),
        classifications_name=levels.text("name"),
        version=root.integer("version", 1),
        created=root.text("creationDate") or "",
        originator_dn=root.text("originatorDN") or "",
        key_identifier=root.text("keyIdentifier") or "",
        privilege_id=root.text("privilegeId") or NATO_CATEGORIES,
        rbac_id=root.text("rbacId") or NATO_CATEGORIES,
        user_reference=root.text("userRefURI"),
        document_reference=root.text("docRefURI"),
        validity=_read_validity(root),
    )


def read_spif(data: bytes, *, name: str = "security policy") -> SecurityPolicy:
    """Security policy of an XML SPIF document.

    Parameters
    ----------
    data
        The document, in UTF-8.
    name
        What to call it in errors (``"acme.xml"``).

    Raises
    ------
    InputError
        If it is no XML SPIF of version 1.0, 2.0 or 2.1, holds something unknown, or contradicts itself.
    """
    root = _Element(parse_xml(data, what=name), name)
    root.read = True
    if root.name != "SPIF":
        root.refuse(Message("{what}, line {line}: got {element}, expected SPIF"), hint=Message("give an XML SPIF document"))
    version = root.text("schemaVersion")
    if version not in {None, *_VERSIONS}:
        root.refuse(
            Message(
                "{what}, line {line}: XML SPIF version {got}, expected 1.0, 2.0 or 2.1", {"got": one_line(version or "")[:_SHOWN]}
            ),
            hint=Message("ask for the policy in version 2.1"),
        )
    policy = _read_policy(root)
    # First what is said and contradicts itself, then what is not understood: the former is the graver fault.
    check_policy(policy)
    root.done()
    return policy
