"""XML elements read strictly: child by child and attribute by attribute, so that nothing is passed over in silence.

The counterpart of `kizuna.model.reading.Table`, which checks the texts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree

from kizuna.errors import InputError, Message
from kizuna.model.reading import LONGEST_MARKING, Table

if TYPE_CHECKING:
    from kizuna.model.instants import Instant

__all__ = ["ElementReader", "collapsed", "name_of", "write_xml"]

_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_XML_SPACE = re.compile(r"[ \t\r\n]+")
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def name_of(element: etree._Element) -> tuple[str, str]:
    """Namespace (empty for none) and local name."""
    namespace, _brace, name = str(element.tag).rpartition("}")
    return namespace.removeprefix("{"), name


def collapsed(text: str) -> str:
    r"""`text` as XML Schema collapses its white space; spaces of other writings stay.

    Examples
    --------
    >>> collapsed(" NATO\n  SECRET ")
    'NATO SECRET'
    """
    return _XML_SPACE.sub(" ", text).strip(" ")


def write_xml(root: etree._Element) -> bytes:
    """Document of `root` in UTF-8, indented: the same bytes for the same elements."""
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


def _instant(field: str, value: str) -> Instant:
    path, _dot, name = field.rpartition(".")
    table = Table({name: collapsed(value)}, path)
    if not _DATE_TIME.fullmatch(collapsed(value)):
        table.fault(name, Message("a date and time with its zone, for example 2025-06-22T00:00:00Z"))
    return table.instant(name)


class ElementReader:
    """One element, read child by child and attribute by attribute; `done` refuses what nobody asked for.

    Parameters
    ----------
    element
        The element.
    path
        Its name, and that of its parents, for the errors.
    namespace
        Namespace that its children must be in.
    strict
        If false, children in no namespace pass too.
    """

    __slots__ = ("_attributes", "_element", "_grouped", "_namespace", "_strict", "path")

    def __init__(self, element: etree._Element, path: str, namespace: str, *, strict: bool = True) -> None:
        self.path = path
        self._element = element
        self._namespace = namespace
        self._strict = strict
        self._attributes = {
            str(name): str(value) for name, value in element.attrib.items() if not str(name).startswith(_INSTANCE)
        }
        self._grouped: dict[str, list[etree._Element]] | None = None

    @property
    def _children(self) -> dict[str, list[etree._Element]]:
        """Children by name that nobody asked for yet."""
        if self._grouped is None:
            self._grouped = {}
            for child in self._element:
                self._grouped.setdefault(self._name_of(child), []).append(child)
        return self._grouped

    def _name_of(self, child: etree._Element) -> str:
        """Local name of a child in the namespace."""
        namespace, name = name_of(child)
        if namespace == self._namespace or not (namespace or self._strict):
            return name
        raise InputError(
            Message(
                "{field}: the element {name} is in the namespace {got!r}, expected {expected!r}",
                {"field": self.path, "name": name, "got": namespace, "expected": self._namespace},
            ),
            hint=Message("declare the namespace on the root element: xmlns={namespace!r}", {"namespace": self._namespace}),
            field=self.path,
        )

    def _table(self, name: str, value: str | None) -> Table:
        return Table({} if value is None else {name: value}, self.path)

    def attribute(self, name: str, *, longest: int = LONGEST_MARKING) -> str:
        """Attribute that must be there."""
        value = self._attributes.pop(name, None)
        return self._table(f"@{name}", None if value is None else collapsed(value)).text(f"@{name}", longest=longest)

    def maybe_attribute(self, *names: str, longest: int = LONGEST_MARKING) -> str | None:
        """The attribute of one of these names, which must not be empty; None without it."""
        there = [name for name in names if name in self._attributes]
        if len(there) > 1:
            raise InputError(
                Message("{field}: has both {first} and {second}", {"field": self.path, "first": there[0], "second": there[1]}),
                hint=Message("keep the first"),
                field=self.path,
            )
        return self.attribute(there[0], longest=longest) if there else None

    def drop_attribute(self, name: str) -> None:
        """Attribute that says nothing of what is read."""
        self._attributes.pop(name, None)

    def instant_attribute(self, name: str) -> Instant | None:
        """Attribute that is an instant, if it is there."""
        value = self._attributes.pop(name, None)
        return None if value is None else _instant(f"{self.path}.@{name}", value)

    def has(self, name: str) -> bool:
        """Whether there is such a child."""
        return name in self._children

    def children(self, name: str) -> list[ElementReader]:
        """All children of that name."""
        found = self._children.pop(name, [])
        paths = [f"{self.path}.{name}[{index}]" for index in range(len(found))] if len(found) > 1 else [f"{self.path}.{name}"]
        return [
            ElementReader(child, path, self._namespace, strict=self._strict) for child, path in zip(found, paths, strict=False)
        ]

    def child(self, name: str) -> ElementReader:
        """The one child of that name."""
        found = self.children(name)
        if len(found) != 1:
            raise InputError(
                Message("{field}: got {got} elements, expected one", {"field": f"{self.path}.{name}", "got": len(found)}),
                hint=Message("write exactly one {name} here", {"name": name}),
                field=f"{self.path}.{name}",
            )
        return found[0]

    def only_child(self) -> etree._Element:
        """The one child, in any namespace and of any name."""
        if len(self._element) != 1:
            raise InputError(
                Message("{field}: got {got} elements, expected one", {"field": self.path, "got": len(self._element)}),
                hint=Message("put each into one of its own"),
                field=self.path,
            )
        self._grouped = {}
        return self._element[0]

    def value(self, *, longest: int = LONGEST_MARKING) -> str:
        """Text of the element, which must have nothing but text left."""
        self.done(text=True)
        path, _dot, name = self.path.rpartition(".")
        return Table({name: collapsed(self._element.text or "")}, path).text(name, longest=longest)

    def instant(self) -> Instant:
        """Text of the element as an instant."""
        self.done(text=True)
        return _instant(self.path, self._element.text or "")

    def done(self, *, text: bool = False) -> None:
        """Refuse attributes, children and text that nobody asked for.

        Raises
        ------
        InputError
            Naming the first.
        """
        unknown = [f"@{name}" for name in self._attributes] + list(self._children)
        if unknown:
            raise InputError(
                Message("{field}: unknown here: {name}", {"field": self.path, "name": unknown[0]}),
                hint=Message("remove it, or correct its name; nothing is passed over"),
                field=f"{self.path}.{unknown[0]}",
            )
        stray = [child.tail for child in self._element] + ([] if text else [self._element.text])
        if any(collapsed(part or "") for part in stray):
            raise InputError(
                Message("{field}: text stands between its elements", {"field": self.path}),
                hint=Message("remove the text"),
                field=self.path,
            )
