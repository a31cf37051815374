"""Which members of items a request wants (STAC API fields extension 1.0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kizuna.model.canonical import Json

__all__ = ["Fields", "get_fields", "post_fields"]

type Path = tuple[str, ...]

_MOST_FIELDS, _MOST_DEEP = 100, 4
# What an item is and where it belongs; and no item goes anywhere without its marking.
_ALWAYS: tuple[Path, ...] = (("type",), ("id",), ("collection",), ("properties", "security:marking"))
_DEFAULT: tuple[Path, ...] = (
    *((name,) for name in ("type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection")),
    ("properties", "datetime"),
)
_TOP = frozenset(
    ("type", "stac_version", "stac_extensions", "id", "geometry", "bbox", "links", "assets", "collection", "properties")
)


@dataclass(frozen=True, slots=True)
class Fields:
    """Members of items.

    Parameters
    ----------
    include
        Paths of those that are wanted; None: all.
    exclude
        Paths of those that are not wanted; of what is named by both, the longer path
        counts, and if they are equal, the member stays.
    """

    include: tuple[Path, ...] | None = None
    exclude: tuple[Path, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether items stay as they are."""
        return self.include is None and not self.exclude

    def of(self, item: Mapping[str, Json]) -> dict[str, Json]:
        """Item with those members only.

        Examples
        --------
        >>> Fields(include=(("bbox",),)).of({"type": "Feature", "bbox": [0, 0, 1, 1], "links": []})
        {'type': 'Feature', 'bbox': [0, 0, 1, 1]}
        """
        return self._some(item, ()) if not self.everything else dict(item)

    def _some(self, members: Mapping[str, Json], above: Path) -> dict[str, Json]:
        kept: dict[str, Json] = {}
        for name, value in members.items():
            path = (*above, name)
            if self._wanted(path):
                kept[name] = value if not isinstance(value, dict) else self._some(value, path)
            elif isinstance(value, dict) and any(wanted[: len(path)] == path for wanted in (*_ALWAYS, *(self.include or ()))):
                kept[name] = self._some(value, path)
        return kept

    def _wanted(self, path: Path) -> bool:
        if path in _ALWAYS:
            return True
        included = max((len(wanted) for wanted in self.include or () if path[: len(wanted)] == wanted), default=0)
        excluded = max((len(unwanted) for unwanted in self.exclude if path[: len(unwanted)] == unwanted), default=0)
        if self.include is None:
            return not excluded
        return included >= max(excluded, 1)


def _paths(got: object) -> tuple[Path, ...]:
    match got:
        case None:
            return ()
        case [*names] if len(names) <= _MOST_FIELDS and all(isinstance(name, str) for name in names):
            return tuple([_path(str(name)) for name in names if name])
        case _:
            raise InputError(
                Message(
                    "{field}: got {got}, expected {expected}",
                    {
                        "field": "fields",
                        "got": repr(got)[:64],
                        "expected": Message("a list of at most {count} texts", {"count": _MOST_FIELDS}),
                    },
                ),
                field="fields",
            )


def _path(name: str) -> Path:
    path = tuple(name.split(".", _MOST_DEEP))
    # Names of properties may stand without the member that they stand in.
    return path if path[0] in _TOP else ("properties", *path)


def post_fields(document: Mapping[str, object]) -> Fields:
    """Fields of the body of a POST request, already parsed.

    Raises
    ------
    InputError
        If ``fields`` is no object with lists of names.
    """
    if "fields" not in document:
        return Fields()
    match document["fields"]:
        case dict() as asked:
            include, exclude = _paths(asked.get("include")), _paths(asked.get("exclude"))
            if include:
                return Fields(include, exclude)
            # Without `include` everything is wanted but what is excluded; an empty one stands for the least that an item has.
            if exclude and "include" not in asked:
                return Fields(None, exclude)
            return Fields(tuple(path for path in _DEFAULT if path not in exclude), exclude)
        case got:
            raise InputError(
                Message(
                    "{field}: got {got}, expected {expected}",
                    {
                        "field": "fields",
                        "got": repr(got)[:64],
                        "expected": Message('{{"include": [...], "exclude": [...]}}'),
                    },
                ),
                field="fields",
            )


def get_fields(parameters: Mapping[str, str]) -> Fields:
    """Fields of the parameters of a GET request: names with commas between, with ``-`` before what is not wanted.

    Raises
    ------
    InputError
        If there are too many.
    """
    if "fields" not in parameters:
        return Fields()
    # A plus sign in an address is a space.
    names = [name.strip() for name in parameters["fields"].split(",") if name.strip(" +-")]
    include = [name.lstrip("+") for name in names if not name.startswith("-")]
    exclude = [name[1:] for name in names if name.startswith("-")]
    asked: dict[str, object] = {"exclude": exclude} if exclude and not include else {"include": include, "exclude": exclude}
    return post_fields({"fields": asked})
