"""STAC items as KML 2.3 (OGC 12-007r2): placemarks with time spans, and links that a globe follows as its view moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kizuna.model.canonical import Json

__all__ = ["kml_items", "kml_links"]

_NAMESPACE, _ATOM = "http://www.opengis.net/kml/2.2", "http://www.w3.org/2005/Atom"
_PREFIXES: dict[str | None, str] = {None: _NAMESPACE, "atom": _ATOM}
# As a globe fills them in for what it shows.
_VIEW = "bbox=[bboxWest],[bboxSouth],[bboxEast],[bboxNorth]"
# An outline smaller than this is not worth drawing.
_LEAST_PIXELS = 8


def kml_items(title: str, items: Iterable[Mapping[str, Json]], following: str | None = None) -> bytes:
    """KML document of items.

    Parameters
    ----------
    title
        Title of the document.
    items
        STAC items.
    following
        Address of the next page, as KML; None where there is none.
    """
    root, document = _document(title)
    for item in items:
        _placemark(document, item)
    if following is not None:
        _link(document, "…", following, "onRegion")
    return _written(root)


def kml_links(title: str, links: Mapping[str, str]) -> bytes:
    """KML document that loads from addresses what lies in view, whenever the view comes to rest.

    Parameters
    ----------
    title
        Title of the document.
    links
        Addresses by name; ``bbox`` is added to each.
    """
    root, document = _document(title)
    for name, href in links.items():
        _link(document, name, href, "onStop", _VIEW)
    return _written(root)


def _document(title: str) -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{_NAMESPACE}}}kml", nsmap=_PREFIXES)  # type: ignore[arg-type] # None stands for no prefix
    document = _child(root, "Document")
    _child(document, "name", title)
    return root, document


def _written(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _child(parent: etree._Element, name: str, text: object = None) -> etree._Element:
    child = etree.SubElement(parent, f"{{{_NAMESPACE}}}{name}")
    if text is not None:
        child.text = _plain(str(text))
    return child


def _plain(text: str) -> str:
    """Text without the characters that XML 1.0 has not."""
    return "".join(
        character if character.isprintable() or character in "\t\n" else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _link(document: etree._Element, name: str, href: str, refresh: str, view: str | None = None) -> None:
    network = _child(document, "NetworkLink")
    _child(network, "name", name)
    link = _child(network, "Link")
    _child(link, "href", href)
    _child(link, "viewRefreshMode", refresh)
    if view is not None:
        _child(link, "viewRefreshTime", 1)
        _child(link, "viewFormat", view)


def _placemark(document: etree._Element, item: Mapping[str, Any]) -> None:
    properties: Mapping[str, Any] = item["properties"]
    place = _child(document, "Placemark")
    place.set("id", str(item["id"]))
    _child(place, "name", properties.get("title", item["id"]))
    # Before all else, what it is marked with.
    _child(place, "description", properties.get("security:marking", ""))
    for link in item["links"]:
        if link["rel"] == "self":
            etree.SubElement(place, f"{{{_ATOM}}}link", {"href": str(link["href"]), "rel": "related"})
    span = _child(place, "TimeSpan")
    _child(span, "begin", properties["datetime"])
    _child(span, "end", properties.get("end_datetime", properties["datetime"]))
    if item.get("bbox") is not None:
        _region(place, item["bbox"])
    data = _child(place, "ExtendedData")
    for name, value in properties.items():
        if isinstance(value, str | int | float):
            entry = _child(data, "Data")
            entry.set("name", name)
            _child(entry, "value", value)
    if item["geometry"] is not None:
        _geometry(place, item["geometry"])


def _region(place: etree._Element, bbox: tuple[float, float, float, float]) -> None:
    region = _child(place, "Region")
    box = _child(region, "LatLonAltBox")
    west, south, east, north = bbox
    for name, value in (("north", north), ("south", south), ("east", east), ("west", west)):
        _child(box, name, value)
    _child(_child(region, "Lod"), "minLodPixels", _LEAST_PIXELS)


def _geometry(place: etree._Element, geometry: Mapping[str, Any]) -> None:
    polygons = list(_polygons(geometry))
    parent = _child(place, "MultiGeometry") if len(polygons) > 1 else place
    for rings in polygons:
        polygon = _child(parent, "Polygon")
        _child(polygon, "tessellate", 1)
        for number, ring in enumerate(rings):
            boundary = _child(polygon, "innerBoundaryIs" if number else "outerBoundaryIs")
            _child(_child(boundary, "LinearRing"), "coordinates", " ".join(f"{lon},{lat}" for lon, lat in ring))


def _polygons(geometry: Mapping[str, Any]) -> Iterator[list[list[tuple[float, float]]]]:
    if geometry["type"] == "Polygon":
        yield geometry["coordinates"]
    else:
        yield from geometry["coordinates"]
