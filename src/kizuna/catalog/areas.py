"""How footprints lie to the areas of agreements: geometry, computed before a decision and handed to it as a fact.

Edges are straight in longitude and latitude, as RFC 7946 (section 3.1.1) has them, for areas and footprints alike. Whatever is
doubtful about a footprint makes its place unknown: inside nothing, and perhaps in touch with everything.

Shapely is loaded with the first area, not when a node starts.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.model.regions import NOWHERE_KNOWN, Placement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shapely.geometry.base import BaseGeometry

    from kizuna.model.product import Footprint
    from kizuna.model.regions import Area, AreaId
    from kizuna.release.agreements import Agreement

__all__ = ["Placer", "areas_of", "place", "polygons_in_all", "require_sound"]

_MOST_KEPT = 100_000
_HALF_GLOBE_DEG, _GLOBE_DEG, _POLE_DEG = 180.0, 360.0, 90.0
# A footprint across the antimeridian that is wider than this could as well be one around the other side of the globe.
_WIDEST_ACROSS_DEG = 90.0

type Ring = tuple[tuple[float, float], ...]


def areas_of(agreements: Iterable[Agreement]) -> tuple[Area, ...]:
    """All areas that agreements name, each once."""
    found = {
        area.id: area
        for agreement in agreements
        for article in agreement.articles
        for area in (*article.areas, *article.denied_areas)
    }
    return tuple(found[id_] for id_ in sorted(found))


def polygons_in_all(sets: Sequence[Sequence[Area]]) -> tuple[tuple[Ring, ...], ...]:
    """Polygons of what lies, for each of several sets of areas, in one of them.

    Parameters
    ----------
    sets
        Sets of areas, at least one.

    Returns
    -------
    polygons
        Each an exterior ring and its holes. None where the sets have nothing in common.

    Raises
    ------
    InputError
        If one of the areas is not sound.

    Examples
    --------
    >>> from kizuna.model.regions import area_of
    >>> def box(west, south, east, north):
    ...     return ((west, south), (east, south), (east, north), (west, north), (west, south))
    >>> sea, coast = area_of("sea", ((box(28, 41, 42, 47),),)), area_of("coast", ((box(30, 46, 31, 48),),))
    >>> [[point for point in ring] for (ring,) in polygons_in_all([[sea], [coast]])]
    [[(31.0, 47.0), (31.0, 46.0), (30.0, 46.0), (30.0, 47.0), (31.0, 47.0)]]
    >>> len(polygons_in_all([[sea, coast]])), polygons_in_all([[sea], []])
    (2, ())
    """
    if len(sets) == 1:
        return tuple(polygon for area in sets[0] for polygon in area.polygons)
    import shapely

    unions = [shapely.union_all([_geometry(area, area.name) for area in areas]) for areas in sets]
    pieces = shapely.get_parts(shapely.intersection_all(unions))
    return tuple(
        tuple(tuple((float(x), float(y)) for x, y in ring.coords) for ring in (piece.exterior, *piece.interiors))
        for piece in pieces
        if piece.geom_type == "Polygon" and not piece.is_empty
    )


def require_sound(area: Area, *, field: str = "geometry") -> None:
    """Refuse an area of which it cannot be said what lies inside.

    Raises
    ------
    InputError
        If a ring crosses or touches itself, a hole leaves its polygon, or an edge spans more than half the globe.
    """
    _geometry(area, field)


def place(footprint: Footprint | None, areas: Iterable[Area]) -> Placement:
    """How a footprint lies to areas; as `Placer.place`.

    Examples
    --------
    >>> from kizuna.model.product import Footprint
    >>> from kizuna.model.regions import area_of
    >>> def box(west, south, east, north):
    ...     return ((west, south), (east, south), (east, north), (west, north), (west, south))
    >>> sea, coast = area_of("sea", ((box(28, 41, 42, 47),),)), area_of("coast", ((box(30, 46, 31, 48),),))
    >>> found = place(Footprint(box(30, 45, 31, 46)), [sea, coast])
    >>> found.inside == {sea.id}, found.touches == {sea.id, coast.id}
    (True, True)
    """
    return Placer(areas).place(footprint)


class Placer:
    """Says of footprints how they lie to areas.

    Parameters
    ----------
    areas
        Areas to look at.

    Raises
    ------
    InputError
        From `place`, if one of the areas is not sound.
    """

    __slots__ = ("_areas", "_geometries", "_kept")

    def __init__(self, areas: Iterable[Area]) -> None:
        self._areas = {area.id: area for area in areas}
        self._geometries: dict[AreaId, BaseGeometry] | None = None
        self._kept: dict[Ring, Placement] = {}

    @property
    def looks(self) -> bool:
        """Whether there are areas at all: else the place of everything is unknown."""
        return bool(self._areas)

    @property
    def areas(self) -> tuple[AreaId, ...]:
        """Ids of the areas."""
        return tuple(self._areas)

    def place(self, footprint: Footprint | None) -> Placement:
        """How a footprint lies to the areas.

        Parameters
        ----------
        footprint
            Outline; None, or a nominal one (assigned, not measured), has no known place.

        Returns
        -------
        placement
            Areas that cover it and areas with which it has a point in common, their edges included. Unknown for an outline that
            crosses itself, holds a pole, or can be drawn in two ways.
        """
        if not self._areas or footprint is None or footprint.nominal:
            return NOWHERE_KNOWN
        found = self._kept.get(footprint.ring)
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            found = self._kept[footprint.ring] = self._placed(footprint.ring)
        return found

    def _placed(self, ring: Ring) -> Placement:
        import shapely

        if self._geometries is None:
            geometries = {id_: _repeated(_geometry(area, area.name)) for id_, area in self._areas.items()}
            shapely.prepare(list(geometries.values()))
            self._geometries = geometries
        outline = _outline(ring)
        if outline is None:
            return NOWHERE_KNOWN
        return Placement(
            inside=frozenset(id_ for id_, geometry in self._geometries.items() if shapely.covers(geometry, outline)),
            touches=frozenset(id_ for id_, geometry in self._geometries.items() if shapely.intersects(geometry, outline)),
        )


def _geometry(area: Area, field: str) -> BaseGeometry:
    """Area as one geometry, its polygons joined where they meet."""
    import shapely

    polygons = []
    for rings in area.polygons:
        if any(abs(lon - next_lon) > _HALF_GLOBE_DEG for ring in rings for (lon, _), (next_lon, _) in pairwise(ring)):
            raise InputError(
                Message("{field}: an edge of {area} spans more than 180 degrees", {"field": field, "area": area.name}),
                hint=Message("split the polygon where it crosses the antimeridian (RFC 7946, section 3.1.9)"),
                field=field,
            )
        try:
            polygon = shapely.Polygon(rings[0], rings[1:])
        except (ValueError, IndexError) as error:
            raise _unsound(area, field, str(error)) from error
        if polygon.is_empty or not polygon.is_valid:
            raise _unsound(area, field, shapely.is_valid_reason(polygon))
        polygons.append(polygon)
    return shapely.union_all(polygons)


def _unsound(area: Area, field: str, why: str) -> InputError:
    return InputError(
        Message("{field}: the rings of {area} enclose no area: {why}", {"field": field, "area": area.name, "why": why}),
        hint=Message("draw it again: no ring may cross or touch itself, and holes lie inside"),
        field=field,
    )


def _repeated(geometry: BaseGeometry) -> BaseGeometry:
    """Geometry with its copies around the globe, so that what goes on beyond ±180° meets what it goes on in."""
    import shapely
    from shapely.affinity import translate

    return shapely.union_all([translate(geometry, turn) for turn in (-_GLOBE_DEG, 0.0, _GLOBE_DEG)])


def _outline(ring: Ring) -> BaseGeometry | None:
    """Outline of a footprint, going on beyond ±180° where it crosses the antimeridian; None where it is doubtful."""
    import shapely

    across = False
    points: list[tuple[float, float]] = []
    for lon, lat in ring:
        # At a pole all longitudes are one place.
        if abs(lat) >= _POLE_DEG:
            return None
        before = points[-1][0] if points else lon
        # The copy of this longitude that lies next to the one before.
        turns = round((before - lon) / _GLOBE_DEG)
        following = lon + _GLOBE_DEG * turns
        if abs(before - following) == _HALF_GLOBE_DEG:
            # Halfway around the globe: nobody knows which way.
            return None
        across = across or turns != 0
        points.append((following, lat))
    lons = [lon for lon, _ in points]
    if abs(lons[0] - lons[-1]) > _HALF_GLOBE_DEG or (across and max(lons) - min(lons) > _WIDEST_ACROSS_DEG):
        return None
    try:
        outline = shapely.Polygon(points)
    except ValueError:
        return None
    return outline if outline.is_valid and not outline.is_empty else None
