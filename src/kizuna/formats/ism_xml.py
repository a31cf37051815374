"""The IC-ISM marking of an XML document: the attributes of the element that marks the whole."""

from __future__ import annotations

from kizuna.errors import InputError, Message
from kizuna.formats.ism import ISM_NAMESPACE
from kizuna.formats.xml_elements import name_of
from kizuna.formats.xml_reading import parse_xml

__all__ = ["read_ism_attributes"]

_RESOURCE = "resourceElement"
_TRUE = frozenset({"true", "1"})


def read_ism_attributes(data: bytes, *, name: str) -> dict[str, str]:
    r"""Attributes of IC-ISM that mark a whole document, by local name.

    That is the element that says ``resourceElement="true"``, or, where none does, the root: portions may be marked lower.

    Parameters
    ----------
    data
        XML in UTF-8.
    name
        Its name, for the errors.

    Raises
    ------
    InputError
        If it is no XML that is read here, or has no such element, or several.

    Examples
    --------
    >>> document = b'<report xmlns:i="urn:us:gov:ic:ism" i:classification="S" i:ownerProducer="USA"/>'
    >>> read_ism_attributes(document, name="report")
    {'classification': 'S', 'ownerProducer': 'USA'}
    """
    root = parse_xml(data, what=name)
    marking = f"{{{ISM_NAMESPACE}}}"
    whole = [element for element in root.iter() if str(element.get(marking + _RESOURCE)).strip() in _TRUE]
    if len(whole) > 1:
        raise InputError(
            Message("{name}: {got} elements say that they mark the whole document", {"name": name, "got": len(whole)}),
            hint=Message("find out which of them does"),
            field=_RESOURCE,
        )
    element = whole[0] if whole else root
    attributes = {str(key): str(value) for key, value in element.attrib.items()}
    found = {key.removeprefix(marking): value for key, value in attributes.items() if key.startswith(marking)}
    # Says which element it is, nothing of the marking.
    found.pop(_RESOURCE, None)
    if not found:
        raise InputError(
            Message(
                "{name}: neither its root {element} nor an element with resourceElement bears attributes of IC-ISM",
                {"name": name, "element": name_of(element)[1]},
            ),
            hint=Message("label the product in a file of its own beside it"),
            field="classification",
        )
    return found
