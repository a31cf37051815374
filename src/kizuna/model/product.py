"""The product: what every kind shares (imagery today; detections, alerts, hazard areas later)."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, NewType

from kizuna.errors import InputError, Message
from kizuna.model.canonical import canonical_text, utf8
from kizuna.model.digests import parse_digest
from kizuna.model.instants import Interval, format_instant
from kizuna.model.label import label_to_json, read_label
from kizuna.model.observation import observation_to_json, read_observation
from kizuna.model.reading import LONGEST_LINE, MOST_TEXTS, open_table

if TYPE_CHECKING:
    from kizuna.model.canonical import CanonicalBytes, Json
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.observation import Observation
    from kizuna.model.parties import Party
    from kizuna.model.reading import Table

__all__ = [
    "MOST_KEPT_WRITTEN",
    "PRODUCT_SCHEMA",
    "Asset",
    "AssetRole",
    "Footprint",
    "Product",
    "ProductId",
    "Verdict",
    "make_product_id",
    "parse_product_id",
    "product_from_json",
    "product_to_bytes",
    "product_to_json",
]

PRODUCT_SCHEMA = "kizuna/product/1"

MOST_KEPT_WRITTEN = 1024
"""Products whose canonical bytes are kept once they were written: so many may be recorded and stored together."""

_MOST_LABELS = 256
"""Labels whose canonical text is kept: what is made on one day carries few."""

ProductId = NewType("ProductId", str)
"""26 characters of lower-case base 32: 128 random bits, so that an id tells nothing (no count, no time, no origin)."""

_MOST_LONGITUDE_DEG, _MOST_LATITUDE_DEG = 180, 90
# A triangle, closed.
_FEWEST_POINTS = 4

_COARSEST_M = 1e6

# RFC 6838 section 4.2, with parameters as RFC 9110 section 5.6.6 has them.
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,127}"
_MEDIA_TYPE = re.compile(rf'{_NAME}/{_NAME}(?: ?; ?{_WORD}=(?:{_WORD}|"[ !#-\[\]-~]{{0,127}}")){{0,8}}\Z', re.ASCII)
_KIND = re.compile(r"[a-z][a-z-]{0,31}\Z", re.ASCII)

_PRODUCT_ID = re.compile(r"[a-z2-7]{26}\Z", re.ASCII)


def make_product_id(entropy: bytes) -> ProductId:
    """Product id of 16 random bytes.

    Examples
    --------
    >>> make_product_id(bytes(16))
    'aaaaaaaaaaaaaaaaaaaaaaaaaa'
    """
    return ProductId(base64.b32encode(entropy).decode().rstrip("=").lower())


def parse_product_id(text: str, *, field: str = "id") -> ProductId:
    """Product id of a text that claims to be one.

    Raises
    ------
    InputError
        If `text` has another form.
    """
    if not _PRODUCT_ID.match(text):
        raise InputError(
            Message("{field}: {got!r} is no product id, expected 26 characters a-z and 2-7", {"field": field, "got": text[:64]}),
            hint=Message("copy the id from: kizuna product list"),
            field=field,
        )
    return ProductId(text)


class AssetRole(StrEnum):
    """What an asset is to its product. A release in reduced form leaves out whole roles."""

    ORIGINAL = "original"
    """The bytes as they were ingested, untouched; of a product that came reduced, the complex image that was made for it."""
    DETECTED = "detected"
    """Detected (amplitude) image as a cloud-optimised GeoTIFF: what remains of a complex original once phase is stripped."""
    VISUAL = "visual"
    """Web-optimised GeoTIFF that the map's tiles are cut from."""
    QUICKLOOK = "quicklook"
    """Small picture (PNG)."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a product.

    Parameters
    ----------
    role
        What it is to the product.
    name
        File name, without folders.
    media_type
        IANA media type, parameters included.
    digest
        Digest of its bytes: its address in the blob store.
    size
        Length in bytes.
    """

    role: AssetRole
    name: str
    media_type: str
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """Outline on the ground.

    Parameters
    ----------
    ring
        Exterior ring as RFC 7946 has it: pairs (longitude, latitude) in degrees on WGS 84, counter-clockwise, the last
        equal to the first. This is an exchange form, which is why it is in degrees; computing rooms convert.
    nominal
        True where the position was assigned rather than measured, as for data published without one.
    """

    ring: tuple[tuple[float, float], ...]
    nominal: bool = False

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        lons, lats = zip(*self.ring, strict=True)
        return min(lons), min(lats), max(lons), max(lats)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What validation found on the way in."""

    valid: bool
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """A product with its label and where it comes from.

    Parameters
    ----------
    id
        Random id, kept across nodes and versions of the record.
    kind
        Name of the module in `kinds/` that understands it (``"imagery"``).
    title
        One line for people.
    media_type
        Media type of the original.
    content
        Digest of the original: the same bytes are recognised when they come again.
    originator
        Whose product it is.
    sensor
        What observed it.
    event
        When it was observed, if known.
    produced
        When the original was made.
    validity
        For how long it holds, for kinds that expire (warnings).
    footprint
        Outline on the ground; None where it has none.
    label
        The originator's label.
    lineage
        Ids of the products that this one is derived from.
    assets
        Files.
    version
        1 for the first.
    supersedes
        Digest of the content that this version replaces.
    verdict
        What validation found.
    resolution_m
        Coarser of the two resolutions on the ground, in metres, where the kind has one.
    complex_data
        Whether the original holds phase.
    notes
        Sentences that must be read with it (for example that the position is nominal).
    reductions
        Obligations that were applied before it was handed over, in the order of their application.
    observation
        How it was observed, as far as its file says; None where nothing is known, as in records made before there was this.
    """

    id: ProductId
    kind: str
    title: str
    media_type: str
    content: Digest
    originator: Party
    sensor: str
    event: Interval | None
    produced: Instant
    validity: Interval | None
    footprint: Footprint | None
    label: Label
    lineage: tuple[ProductId, ...]
    assets: tuple[Asset, ...]
    version: int
    supersedes: Digest | None
    verdict: Verdict
    resolution_m: float | None = None
    complex_data: bool = False
    notes: tuple[str, ...] = ()
    reductions: tuple[str, ...] = ()
    observation: Observation | None = None

    def __hash__(self) -> int:
        """Of what tells products apart: the rest would only take long."""
        return hash((self.id, self.version, self.content))

    def asset(self, role: AssetRole) -> Asset | None:
        """First asset of `role`, if there is one."""
        return next((asset for asset in self.assets if asset.role is role), None)


def _interval_to_json(interval: Interval | None) -> Json:
    if interval is None:
        return None
    return {"begin": format_instant(interval.begin), "end": None if interval.end is None else format_instant(interval.end)}


def _footprint_to_json(footprint: Footprint | None) -> Json:
    if footprint is None:
        return None
    return {"type": "Polygon", "coordinates": [[list(point) for point in footprint.ring]], "nominal": footprint.nominal}


def product_to_json(product: Product) -> dict[str, Json]:
    """JSON form of `product`; `product_from_json` reads it back."""
    form: dict[str, Json] = {
        "schema": PRODUCT_SCHEMA,
        "id": product.id,
        "kind": product.kind,
        "title": product.title,
        "media_type": product.media_type,
        "content": product.content,
        "originator": product.originator,
        "sensor": product.sensor,
        "event": _interval_to_json(product.event),
        "produced": format_instant(product.produced),
        "validity": _interval_to_json(product.validity),
        "geometry": _footprint_to_json(product.footprint),
        "label": label_to_json(product.label),
        "lineage": list(product.lineage),
        "assets": [
            {"role": a.role.value, "name": a.name, "media_type": a.media_type, "digest": a.digest, "size": a.size}
            for a in product.assets
        ],
        "version": product.version,
        "supersedes": product.supersedes,
        "verdict": {"valid": product.verdict.valid, "findings": list(product.verdict.findings)},
        "resolution_m": product.resolution_m,
        "complex": product.complex_data,
        "notes": list(product.notes),
        "reductions": list(product.reductions),
    }
    # Left out where there is none, so that a record from before has the bytes that were signed.
    if product.observation is not None:
        form["observation"] = observation_to_json(product.observation)
    return form


@lru_cache(maxsize=MOST_KEPT_WRITTEN)
def product_to_bytes(product: Product) -> CanonicalBytes:
    """Canonical bytes of the JSON form of `product`, which is wanted more than once where one is taken in."""
    # As `canonical` of `product_to_json` would write it, at a third of the cost: a node writes thousands of them at once.
    text, quoted = canonical_text, encode_basestring
    assets = ",".join(
        [
            f'{{"digest":{quoted(a.digest)},"media_type":{quoted(a.media_type)},"name":{quoted(a.name)},'
            f'"role":{quoted(a.role.value)},"size":{text(a.size)}}}'
            for a in product.assets
        ]
    )
    observation = product.observation
    return utf8(
        f'{{"assets":[{assets}],"complex":{text(product.complex_data)},"content":{quoted(product.content)},'
        f'"event":{_interval_text(product.event)},"geometry":{_footprint_text(product.footprint)},"id":{quoted(product.id)},'
        f'"kind":{quoted(product.kind)},"label":{_label_text(product.label)},"lineage":{text(product.lineage)},'
        f'"media_type":{quoted(product.media_type)},"notes":{text(product.notes)},'
        f"{'' if observation is None else f'"observation":{text(observation_to_json(observation))},'}"
        f'"originator":{quoted(product.originator)},"produced":"{format_instant(product.produced)}",'
        f'"reductions":{text(product.reductions)},"resolution_m":{text(product.resolution_m)},"schema":"{PRODUCT_SCHEMA}",'
        f'"sensor":{quoted(product.sensor)},"supersedes":{text(product.supersedes)},"title":{quoted(product.title)},'
        f'"validity":{_interval_text(product.validity)},'
        f'"verdict":{{"findings":{text(product.verdict.findings)},"valid":{text(product.verdict.valid)}}},'
        f'"version":{text(product.version)}}}'
    )


def _interval_text(interval: Interval | None) -> str:
    if interval is None:
        return "null"
    end = "null" if interval.end is None else f'"{format_instant(interval.end)}"'
    return f'{{"begin":"{format_instant(interval.begin)}","end":{end}}}'


def _footprint_text(footprint: Footprint | None) -> str:
    if footprint is None:
        return "null"
    nominal = canonical_text(footprint.nominal)
    return f'{{"coordinates":[{canonical_text(footprint.ring)}],"nominal":{nominal},"type":"Polygon"}}'


@lru_cache(maxsize=_MOST_LABELS)
def _label_text(label: Label) -> str:
    return canonical_text(label_to_json(label))


def _read_interval(table: Table, name: str) -> Interval | None:
    if not table.has(name):
        return None
    member = table.table(name)
    interval = Interval(member.instant("begin"), member.instant("end") if member.has("end") else None)
    member.done()
    if interval.end is not None and interval.end < interval.begin:
        member.fault("end", Message("an instant that is not before its begin"))
    return interval


def _read_footprint(table: Table) -> Footprint | None:
    if not table.has("geometry"):
        return None
    member = table.table("geometry")
    member.choice("type", ["Polygon"])
    rings = member.raw("coordinates")
    nominal = member.boolean("nominal", default=False)
    member.done()
    expected = Message("one closed ring of at least four [longitude, latitude] pairs in degrees")
    if not isinstance(rings, list | tuple) or len(rings) != 1 or not isinstance(rings[0], list | tuple):
        member.fault("coordinates", expected)
    points: list[tuple[float, float]] = []
    for point in rings[0]:
        match point:
            case (int() | float() as lon, int() | float() as lat) if (
                # True is an int to Python, and no longitude.
                not isinstance(lon, bool)
                and not isinstance(lat, bool)
                and abs(lon) <= _MOST_LONGITUDE_DEG
                and abs(lat) <= _MOST_LATITUDE_DEG
            ):
                points.append((float(lon), float(lat)))
            case _:
                member.fault("coordinates", expected)
    if len(points) < _FEWEST_POINTS or points[0] != points[-1]:
        member.fault("coordinates", expected)
    return Footprint(tuple(points), nominal)


def _read_media_type(table: Table) -> str:
    text = table.text("media_type", longest=LONGEST_LINE)
    if not _MEDIA_TYPE.match(text):
        table.fault("media_type", Message("a media type such as image/tiff; application=geotiff"))
    return text


def _read_kind(table: Table) -> str:
    text = table.text("kind")
    if not _KIND.match(text):
        table.fault("kind", Message("a kind: 1 to 32 characters a-z and -, a letter first"))
    return text


def _read_resolution(table: Table) -> float | None:
    if not table.has("resolution_m"):
        return None
    resolution_m = table.number("resolution_m")
    if not 0.0 < resolution_m <= _COARSEST_M:
        table.fault("resolution_m", Message("metres above 0 and up to 1000000"))
    return resolution_m


def _read_asset(table: Table) -> Asset:
    asset = Asset(
        role=AssetRole(table.choice("role", [role.value for role in AssetRole])),
        name=table.text("name", longest=LONGEST_LINE),
        media_type=_read_media_type(table),
        digest=parse_digest(table.text("digest"), field=table.field("digest")),
        size=table.integer("size"),
    )
    table.done()
    # A name from elsewhere becomes part of a path sooner or later.
    if asset.name in {".", ".."} or any(character in asset.name for character in "/\\\0"):
        table.fault("name", Message("a file name without folders"))
    return asset


def product_from_json(document: object) -> Product:
    """Product of its JSON form, read strictly: it may come from another node.

    Raises
    ------
    InputError
        Naming the first field that is missing, unknown or has another form.
    """
    table = open_table(document, schema=PRODUCT_SCHEMA, what="product")
    verdict = table.table("verdict")
    product = Product(
        id=parse_product_id(table.text("id")),
        kind=_read_kind(table),
        title=table.text("title", longest=LONGEST_LINE),
        media_type=_read_media_type(table),
        content=parse_digest(table.text("content"), field="content"),
        originator=table.party("originator"),
        sensor=table.text("sensor", longest=LONGEST_LINE),
        event=_read_interval(table, "event"),
        produced=table.instant("produced"),
        validity=_read_interval(table, "validity"),
        footprint=_read_footprint(table),
        label=read_label(table.table("label")),
        lineage=tuple(parse_product_id(text, field="lineage") for text in table.texts("lineage", most=MOST_TEXTS)),
        assets=tuple(_read_asset(asset) for asset in table.tables("assets")),
        version=table.integer("version", least=1),
        supersedes=parse_digest(table.text("supersedes"), field="supersedes") if table.has("supersedes") else None,
        verdict=Verdict(verdict.boolean("valid"), verdict.texts("findings", most=MOST_TEXTS)),
        resolution_m=_read_resolution(table),
        complex_data=table.boolean("complex"),
        notes=table.texts("notes", most=MOST_TEXTS),
        reductions=table.texts("reductions", most=MOST_TEXTS),
        observation=read_observation(table.table("observation")) if table.has("observation") else None,
    )
    verdict.done()
    table.done()
    return product
