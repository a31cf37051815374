"""Confidentiality labels in XML, as ADatP-4774 (edition A) structures them: bytes <-> `ConfidentialityLabel`.

::

    originatorConfidentialityLabel | alternativeConfidentialityLabel | metadataConfidentialityLabel   @Id @ReviewDateTime
      ConfidentialityInformation
        PolicyIdentifier @URI, Classification, PrivacyMark?
        Category* @Type @TagName @URI
          GenericValue+
      OriginatorID? @IDType
      CreationDateTime
      SuccessionHandling?
        SuccessionDateTime
        SuccessorConfidentialityLabel (ConfidentialityInformation, OriginatorID?, CreationDateTime?)

What is read strictly is what is written, and nothing of it is lost but the ``Id`` of the root, which names an element and says
nothing of the label. Everything else that is not known here is refused and named: a reader that passes over what it does not know
would show less protection than the label asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from kizuna.errors import InputError, Message
from kizuna.formats.xml_elements import ElementReader, collapsed, name_of, write_xml
from kizuna.formats.xml_reading import parse_xml
from kizuna.model.confidentiality import (
    CategoryValues,
    ConfidentialityInformation,
    ConfidentialityLabel,
    IdentifierType,
    LabelRole,
    Succession,
)
from kizuna.model.instants import format_instant
from kizuna.model.label import CategoryType
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, MOST_TEXTS, Table, one_of

if TYPE_CHECKING:
    from kizuna.model.instants import Instant

__all__ = ["LABEL_NAMESPACE", "is_label", "label_of_element", "label_to_element", "read_label_xml", "write_label_xml"]

LABEL_NAMESPACE = "urn:nato:stanag:4774:confidentialitymetadatalabel:1:0"

_MOST_BYTES = 1_000_000
_ROOTS = {f"{role.value}ConfidentialityLabel": role for role in LabelRole}


def _category(element: ElementReader, *, strict: bool) -> CategoryValues:
    written = element.attribute("Type")
    known = {kind.name: kind for kind in CategoryType}
    name = written if strict else written.upper()
    if name not in known:
        Table({"@Type": written}, element.path).fault("@Type", one_of(known))
    tag = element.attribute("TagName")
    uri = element.maybe_attribute("URI")
    values = tuple(value.value(longest=LONGEST_LINE) for value in element.children("GenericValue"))
    element.done()
    return CategoryValues(tag, known[name], values, uri)


def _information(element: ElementReader, *, strict: bool) -> ConfidentialityInformation:
    policy = element.child("PolicyIdentifier")
    # One library writes URL where the standard says URI.
    uri = policy.maybe_attribute("URI") if strict else policy.maybe_attribute("URI", "URL")
    information = ConfidentialityInformation(
        policy=policy.value(),
        classification=element.child("Classification").value(),
        categories=tuple(_category(category, strict=strict) for category in element.children("Category")),
        privacy_mark=element.child("PrivacyMark").value(longest=LONGEST_LINE) if element.has("PrivacyMark") else None,
        policy_uri=uri,
    )
    element.done()
    return information


def _originator(element: ElementReader) -> tuple[str | None, IdentifierType]:
    if not element.has("OriginatorID"):
        return None, IdentifierType.URI
    originator = element.child("OriginatorID")
    kind = originator.attribute("IDType")
    if kind not in set(IdentifierType):
        Table({"@IDType": kind}, originator.path).fault("@IDType", one_of(IdentifierType))
    return originator.value(longest=LONGEST_LINE), IdentifierType(kind)


def _succession(
    element: ElementReader, created: Instant | None, originator: tuple[str | None, IdentifierType], *, strict: bool
) -> Succession:
    at = element.child("SuccessionDateTime").instant()
    successor = element.child("SuccessorConfidentialityLabel")
    successor.drop_attribute("Id")
    succession = Succession(_information(successor.child("ConfidentialityInformation"), strict=strict), at)
    # The values have one originator and one instant of labelling for all that a label becomes.
    if successor.has("OriginatorID") and _originator(successor) != originator:
        Table({"OriginatorID": "another"}, successor.path).fault("OriginatorID", Message("the originator of the label itself"))
    if successor.has("CreationDateTime") and successor.child("CreationDateTime").instant() != created:
        Table({"CreationDateTime": "another"}, successor.path).fault("CreationDateTime", Message("the one of the label itself"))
    successor.done()
    element.done()
    return succession


def _checked_categories(information: ConfidentialityInformation, field: str) -> None:
    seen: set[tuple[str, CategoryType]] = set()
    for category in information.categories:
        # Values of the NATO policy compare without regard to case: two tags that differ by case alone are one.
        key = (category.tag.casefold(), category.type)
        if key in seen:
            raise InputError(
                Message(
                    "{field}: the tag {tag!r} stands twice as {type}",
                    {"field": field, "tag": category.tag, "type": category.type.name},
                ),
                hint=Message("write all values of a tag in one Category"),
                field=field,
            )
        seen.add(key)
        if not category.values:
            raise InputError(
                Message("{field}: the tag {tag!r} has no value", {"field": field, "tag": category.tag}),
                hint=Message("give it a GenericValue, or remove the Category"),
                field=field,
            )
        if len(category.values) > MOST_TEXTS:
            Table({"Category": category.tag}, field).fault("Category", Message("at most {most} values", {"most": MOST_TEXTS}))
    if len(information.categories) > MOST_TEXTS:
        Table({"Category": len(information.categories)}, field).fault(
            "Category", Message("at most {most} categories", {"most": MOST_TEXTS})
        )


def _checked(label: ConfidentialityLabel, name: str) -> ConfidentialityLabel:
    """`label`, if it can be: what is true of all labels, read or to be written."""
    for information in (label.information, *(succession.information for succession in label.successions)):
        _checked_categories(information, f"{name}.ConfidentialityInformation")
    for field, later in [("ReviewDateTime", label.review), *(("SuccessionDateTime", each.at) for each in label.successions)]:
        if label.created is not None and later is not None and later < label.created:
            raise InputError(
                Message(
                    "{field}: {later} stands before the labelling {created}",
                    {"field": f"{name}.{field}", "later": format_instant(later), "created": format_instant(label.created)},
                ),
                hint=Message("correct one of the two"),
                field=f"{name}.{field}",
            )
    return label


def is_label(element: etree._Element, *, strict: bool = True) -> bool:
    """Whether `element` is the root of a label."""
    namespace, name = name_of(element)
    return name in _ROOTS and (namespace == LABEL_NAMESPACE or not (namespace or strict))


def label_of_element(root: etree._Element, *, strict: bool = True) -> ConfidentialityLabel:
    """Label that stands in `root`, one of the three roots of ADatP-4774.

    Raises
    ------
    InputError
        As `read_label_xml`.
    """
    namespace, name = name_of(root)
    if not is_label(root, strict=strict):
        raise InputError(
            Message(
                "{name} in the namespace {got!r} is no confidentiality label, expected one of {names} in {expected!r}",
                {
                    "name": name,
                    "got": namespace,
                    "names": ", ".join(_ROOTS),
                    "expected": LABEL_NAMESPACE,
                },
            ),
            hint=Message("make sure that this is an ADatP-4774 label"),
            field=name,
        )
    element = ElementReader(root, name, LABEL_NAMESPACE, strict=strict)
    element.drop_attribute("Id")
    review = element.instant_attribute("ReviewDateTime")
    created = None
    if strict or element.has("CreationDateTime"):
        created = element.child("CreationDateTime").instant()
    originator = _originator(element)
    handlings = [element.child("SuccessionHandling")] if element.has("SuccessionHandling") else []
    label = ConfidentialityLabel(
        information=_information(element.child("ConfidentialityInformation"), strict=strict),
        created=created,
        role=_ROOTS[name],
        originator=originator[0],
        review=review,
        successions=tuple(_succession(handling, created, originator, strict=strict) for handling in handlings),
        originator_type=originator[1],
    )
    element.done()
    return _checked(label, name)


def read_label_xml(data: bytes, *, strict: bool = True) -> ConfidentialityLabel:
    """Label of an ADatP-4774 document.

    Parameters
    ----------
    data
        The document, in UTF-8.
    strict
        If false, read what software in use writes against the standard, as far as it cannot be misread: no ``CreationDateTime``,
        elements without a namespace, ``Type`` in other case, ``URL`` for ``URI``.

    Raises
    ------
    InputError
        Naming what is missing, empty, doubled or unknown.

    Examples
    --------
    >>> label = read_label_xml(
    ...     b'<originatorConfidentialityLabel xmlns="urn:nato:stanag:4774:confidentialitymetadatalabel:1:0">'
    ...     b"<ConfidentialityInformation><PolicyIdentifier>NATO</PolicyIdentifier>"
    ...     b"<Classification>RESTRICTED</Classification></ConfidentialityInformation>"
    ...     b"<CreationDateTime>2025-06-22T00:00:00Z</CreationDateTime></originatorConfidentialityLabel>"
    ... )
    >>> label.information.policy, label.information.classification
    ('NATO', 'RESTRICTED')
    """
    return label_of_element(parse_xml(data, what="confidentiality label", most_bytes=_MOST_BYTES), strict=strict)


class _Writer:
    """Elements of a label, each text checked as the reader checks it.

    Parameters
    ----------
    path
        Name of the root, for the errors.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def text(self, name: str, value: str, *, longest: int = LONGEST_MARKING) -> str:
        """`value`, if a reader gets it back as it is."""
        table = Table({name: value}, self._path)
        if table.text(name, longest=longest) != collapsed(value):
            table.fault(name, Message("a text without white space at its ends or in a row"))
        return value

    def add(
        self, parent: etree._Element, name: str, value: str | None = None, *, longest: int = LONGEST_MARKING
    ) -> etree._Element:
        """New last child of `parent`."""
        element = etree.SubElement(parent, f"{{{LABEL_NAMESPACE}}}{name}")
        if value is not None:
            try:
                element.text = self.text(name, value, longest=longest)
            except ValueError:
                Table({name: value}, self._path).fault(name, Message("characters that XML can hold"))
        return element

    def set(self, element: etree._Element, name: str, value: str | None) -> None:
        """Attribute of `element`; nothing for None."""
        if value is not None:
            try:
                element.set(name, self.text(f"@{name}", value))
            except ValueError:
                Table({name: value}, self._path).fault(name, Message("characters that XML can hold"))

    def information(self, parent: etree._Element, information: ConfidentialityInformation) -> None:
        """``ConfidentialityInformation``."""
        element = self.add(parent, "ConfidentialityInformation")
        self.set(self.add(element, "PolicyIdentifier", information.policy), "URI", information.policy_uri)
        self.add(element, "Classification", information.classification)
        if information.privacy_mark is not None:
            self.add(element, "PrivacyMark", information.privacy_mark, longest=LONGEST_LINE)
        for category in information.categories:
            member = self.add(element, "Category")
            self.set(member, "Type", category.type.name)
            self.set(member, "TagName", category.tag)
            self.set(member, "URI", category.uri)
            for value in category.values:
                self.add(member, "GenericValue", value, longest=LONGEST_LINE)

    def labelling(self, parent: etree._Element, label: ConfidentialityLabel, created: Instant) -> None:
        """``OriginatorID`` and ``CreationDateTime``."""
        if label.originator is not None:
            originator = self.add(parent, "OriginatorID", label.originator, longest=LONGEST_LINE)
            self.set(originator, "IDType", label.originator_type.value)
        self.add(parent, "CreationDateTime", format_instant(created))


def _faults_of_standard(label: ConfidentialityLabel, name: str) -> None:
    """Refuse what ADatP-4774 does not allow to be written, though it may be read."""
    if len(label.successions) > 1:
        raise InputError(
            Message(
                "{field}: got {got} successions, ADatP-4774 holds one",
                {"field": f"{name}.SuccessionHandling", "got": len(label.successions)},
            ),
            hint=Message("keep the earliest"),
            field=f"{name}.SuccessionHandling",
        )
    if label.review is None and not label.successions:
        raise InputError(
            Message("{field}: ADatP-4774 requires a review or a succession", {"field": f"{name}.ReviewDateTime"}),
            hint=Message("say when the label is to be reviewed: review in the label file, or --review"),
            field=f"{name}.ReviewDateTime",
        )
    if label.originator is None and label.originator_type is not IdentifierType.URI:
        Table({}, name).fault("OriginatorID", Message("an originator to be the {kind}", {"kind": label.originator_type.value}))


def label_to_element(label: ConfidentialityLabel) -> etree._Element:
    """Element of `label`, in the namespace of the labels under the prefix ``slab``.

    Raises
    ------
    InputError
        As `write_label_xml`.
    """
    name = f"{label.role.value}ConfidentialityLabel"
    if label.created is None:
        raise InputError(
            Message("{field}: ADatP-4774 requires the instant of labelling", {"field": f"{name}.CreationDateTime"}),
            hint=Message("say when it was labelled"),
            field=f"{name}.CreationDateTime",
        )
    _faults_of_standard(_checked(label, name), name)
    writer = _Writer(name)
    root = etree.Element(f"{{{LABEL_NAMESPACE}}}{name}", nsmap={"slab": LABEL_NAMESPACE})
    if label.review is not None:
        writer.set(root, "ReviewDateTime", format_instant(label.review))
    writer.information(root, label.information)
    writer.labelling(root, label, label.created)
    for succession in label.successions:
        handling = writer.add(root, "SuccessionHandling")
        writer.add(handling, "SuccessionDateTime", format_instant(succession.at))
        successor = writer.add(handling, "SuccessorConfidentialityLabel")
        writer.information(successor, succession.information)
        writer.labelling(successor, label, label.created)
    return root


def write_label_xml(label: ConfidentialityLabel) -> bytes:
    """ADatP-4774 document of `label`: UTF-8, the same bytes for the same label.

    Raises
    ------
    InputError
        If the standard does not allow the label to be written (no instant of labelling; neither review nor succession, which its
        text requires though its schema does not; several successions), or the label could not be read back.
    """
    return write_xml(label_to_element(label))
