"""XML metadata of others, read by path and without fuss: whatever is not there or has another form is None."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lxml.etree

__all__ = ["MetadataTree"]


def _steps(path: str) -> str:
    return "./" + "/".join(f"{{*}}{name}" for name in path.split("/"))


class MetadataTree:
    """Texts and numbers of a document by path, of whatever namespace; None for what is not there or no number.

    Parameters
    ----------
    root
        The document, or an element of it.

    Examples
    --------
    >>> import lxml.etree
    >>> tree = MetadataTree(lxml.etree.fromstring("<a xmlns='urn:x'><b><c> 1.5 </c></b></a>"))
    >>> tree.number("b/c"), tree.text("b/d")
    (1.5, None)
    """

    def __init__(self, root: lxml.etree._ElementTree | lxml.etree._Element) -> None:
        self._root = root

    def has(self, path: str) -> bool:
        """Whether there is such an element."""
        return self._root.find(_steps(path)) is not None

    def below(self, path: str) -> tuple[MetadataTree, ...]:
        """All elements at a path."""
        return tuple(MetadataTree(found) for found in self._root.findall(_steps(path)))

    def text(self, path: str) -> str | None:
        """Text on one line."""
        found = self._root.findtext(_steps(path))
        return " ".join(found.split()) or None if found is not None else None

    def number(self, path: str) -> float | None:
        """Finite number."""
        with suppress(TypeError, ValueError):
            number = float(self.text(path) or "")
            return number if math.isfinite(number) else None
        return None

    def whole(self, path: str) -> int | None:
        """Whole number."""
        with suppress(TypeError, ValueError):
            return int(self.text(path) or "")
        return None

    def attribute(self, path: str, name: str) -> str | None:
        """Attribute of the first element at a path, on one line."""
        found = self._root.find(_steps(path))
        text = None if found is None else found.get(name)
        return None if text is None else " ".join(text.split()) or None

    def numbers(self, path: str, names: str) -> tuple[float, ...] | None:
        """Members of an element, each named with a letter; None where one is missing."""
        found = [self.number(f"{path}/{name}") for name in names]
        known = tuple(number for number in found if number is not None)
        return known if len(known) == len(found) else None

    def vector(self, path: str) -> tuple[float, float, float] | None:
        """Members X, Y and Z."""
        x, y, z = (self.number(f"{path}/{axis}") for axis in "XYZ")
        return None if x is None or y is None or z is None else (x, y, z)

    def radians(self, path: str) -> float | None:
        """Angle that the document has in degrees, in radians."""
        number = self.number(path)
        return None if number is None else math.radians(number)
