"""Areas on the ground, and how a product's footprint lies to them.

Agreements name areas; footprints change with every product. Whether one lies in the other is geometry, which is computed
beforehand (`kizuna.catalog.areas`) and reaches a decision as a fact: a `Placement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NewType

from kizuna.model.canonical import canonical
from kizuna.model.digests import digest_of

if TYPE_CHECKING:
    from kizuna.model.canonical import Json

__all__ = ["NOWHERE_KNOWN", "Area", "AreaId", "Placement", "area_of"]

AreaId = NewType("AreaId", str)
"""Digest of an area's rings: two agreements that name the same area share it."""

type Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Area:
    """An area as RFC 7946 has a MultiPolygon.

    Parameters
    ----------
    id
        Digest of its rings.
    name
        As the agreement calls it.
    polygons
        Each an exterior ring and its holes: pairs (longitude, latitude) in degrees on WGS 84, closed.
    """

    id: AreaId
    name: str
    polygons: tuple[tuple[Ring, ...], ...]


def area_of(name: str, polygons: tuple[tuple[Ring, ...], ...]) -> Area:
    """Area of its rings, identified by them."""
    rings: Json = [[[[lon, lat] for lon, lat in ring] for ring in polygon] for polygon in polygons]
    return Area(AreaId(digest_of(canonical(rings))), name, polygons)


@dataclass(frozen=True, slots=True)
class Placement:
    """How one footprint lies to the areas that were looked at.

    Parameters
    ----------
    inside
        Areas in which it lies wholly.
    touches
        Areas with which it has a point in common; None where that is unknown, which counts as all.
    """

    inside: frozenset[AreaId] = frozenset()
    touches: frozenset[AreaId] | None = None


NOWHERE_KNOWN = Placement()
"""Of a product without footprint: inside nothing, and perhaps in touch with everything."""
