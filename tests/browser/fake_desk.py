"""A node's desk with three invented products, whose images are drawn here: what the pages are tested against."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

from kizuna.catalog.store import Item
from kizuna.errors import Message
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, Interval, parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import Party
from kizuna.model.product import Asset, AssetRole, Footprint, Product, ProductId, Verdict, make_product_id
from kizuna.release.decision import Decision, Fault, Grounds, Obligation, ObligationKind, Outcome, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

TOKEN = "kz-test-" + "a" * 32
IQPS, HUR, FRANCE, POLAND = Party("JPN/IQPS"), Party("UKR/HUR"), Party("FRA"), Party("POL")


@dataclass(frozen=True, slots=True)
class FakePerson:
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class FakeRelease:
    partner: Party
    partner_name: str
    decision: Decision
    delivery: Message | None


@dataclass(frozen=True, slots=True)
class FakeStatus:
    partner: Party
    partner_name: str
    last_in: Instant | None
    last_out: Instant | None
    waiting: int
    last_refusal: Instant | None
    refusal_cause: Message | None


@dataclass(frozen=True, slots=True)
class FakeAgreement:
    id: str
    title: str
    version: int
    parties: tuple[Party, ...]
    begin: str
    state: str
    fictional: bool
    told: tuple[Message, ...] = ()


def product_id(number: int) -> ProductId:
    return make_product_id(bytes(15) + bytes([number]))


def ring(lon: float, lat: float, width_km: float, height_km: float, turn_deg: float) -> tuple[tuple[float, float], ...]:
    """Turned rectangle about a point."""
    turn, shrink = math.radians(turn_deg), math.cos(math.radians(lat))
    corners = []
    for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)):
        x, y = a * width_km / 2, b * height_km / 2
        east, north = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        corners.append((round(lon + east / 111.32 / shrink, 6), round(lat + north / 111.32, 6)))
    return tuple(corners)


@cache
def picture(seed: int) -> Image.Image:
    """Something like a detected radar image: speckle over water, a shore, a grid of bright blocks."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:768, 0:768] / 768
    shore = 0.42 + 0.09 * np.sin(7 * columns + seed) + 0.03 * np.sin(23 * columns) - 0.25 * (columns - 0.5)
    land = rows > shore
    power = np.where(land, 0.16 + 0.08 * np.sin(31 * rows + 4 * seed) * np.sin(27 * columns), 0.02)
    blocks = (np.sin(90 * rows + 30 * columns) > 0.55) & (np.sin(85 * columns - 28 * rows) > 0.35) & (rows > shore + 0.06)
    power = power + blocks * random.gamma(0.6, 0.7, power.shape) * (np.sin(5 * columns + seed) > -0.2)
    for _ in range(9):
        row, column = random.uniform(0.03, 0.3), random.uniform(0.05, 0.95)
        power = power + 5 * np.exp(-(((rows - row) / 0.004) ** 2 + ((columns - column) / 0.010) ** 2)) * ~land
    amplitude = np.sqrt(power * random.gamma(3.0, 1 / 3, power.shape))
    return Image.fromarray(np.uint8(255 * np.clip(amplitude / 1.05, 0, 1) ** 0.75)).convert("L")


def as_bytes(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, quality=82)
    return stream.getvalue()


def tile_of(image: Image.Image, corners: tuple[tuple[float, float], ...], z: int, x: int, y: int) -> bytes | None:
    """WebP tile: each pixel of the tile looked up in the image that lies in the ring."""
    count = 256 * 2**z
    columns, rows = np.meshgrid(np.arange(256) + 256 * x + 0.5, np.arange(256) + 256 * y + 0.5)
    lon = columns / count * 360 - 180
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * rows / count))))
    (ox, oy), (ux, uy), _, (vx, vy), _ = corners
    a, b, c, d = ux - ox, vx - ox, uy - oy, vy - oy
    det = a * d - b * c
    u = (d * (lon - ox) - b * (lat - oy)) / det
    v = (a * (lat - oy) - c * (lon - ox)) / det
    inside = (u >= 0) & (u < 1) & (v >= 0) & (v < 1)
    if not inside.any():
        return None
    data = np.asarray(image)
    height, width = data.shape
    # A coarse tile averages: take the picture at about the tile's own resolution.
    step = max(1, int(width * float(np.abs(np.diff(u, axis=1)).max())))
    small = np.asarray(image.resize((max(1, width // step), max(1, height // step)), Image.Resampling.BOX)) if step > 1 else data
    row = np.clip((1 - v) * small.shape[0], 0, small.shape[0] - 1).astype(int)
    column = np.clip(u * small.shape[1], 0, small.shape[1] - 1).astype(int)
    grey = small[row, column]
    return as_bytes(Image.merge("LA", (Image.fromarray(grey), Image.fromarray(np.uint8(255 * inside)))).convert("RGBA"), "WEBP")


def _product(  # noqa: PLR0917 - a table of products reads best by position
    number: int,
    title: str,
    sensor: str,
    begin: str,
    label: Label,
    shape: tuple[tuple[float, float], ...],
    resolution_m: float,
    notes: tuple[str, ...] = (),
    lineage: tuple[ProductId, ...] = (),
    *,
    nominal: bool = False,
    original: bool = True,
) -> Product:
    start = parse_instant(begin)
    quicklook = as_bytes(picture(number), "PNG")
    stem = f"{sensor.partition(' ')[0]}_{start:%Y%m%dT%H%M%S}"
    assets = (
        *(
            [Asset(AssetRole.ORIGINAL, f"{stem}_SICD.nitf", "application/vnd.nitf", digest_of(b"o"), 412_000_000)]
            if original
            else []
        ),
        Asset(
            AssetRole.DETECTED,
            f"{stem}_GEO.tif",
            "image/tiff; application=geotiff; profile=cloud-optimized",
            digest_of(b"d"),
            8_600_000,
        ),
        Asset(AssetRole.QUICKLOOK, f"{stem}.png", "image/png", digest_of(quicklook), len(quicklook)),
    )
    return Product(
        id=product_id(number), kind="imagery", title=title, media_type="application/vnd.nitf", content=digest_of(title.encode()),
        originator=label.originator, sensor=sensor, event=Interval(start, Instant(start + timedelta(seconds=18))),
        produced=Instant(start + timedelta(minutes=41)), validity=None, footprint=Footprint(shape, nominal), label=label,
        lineage=lineage, assets=assets, version=1, supersedes=None, verdict=Verdict(valid=True), resolution_m=resolution_m,
        complex_data=original, notes=notes,
    )  # fmt: skip


_NOW = parse_instant("2025-06-22T00:00:00Z")
_UA = Label("JPN", "秘", IQPS, _NOW, releasable_to=(HUR,))
_ALL = Label("JPN", "UNCLASSIFIED", IQPS, _NOW)
_HUR = Label("UKR", "Таємно", HUR, _NOW, releasable_to=(IQPS,), caveats=("Джерело не розголошувати",))

_TERMS = (
    '{"outcome":"permit","reasons":[{"rule":"grant","agreement":"IQPS-HUR-2025","version":1,"article":"2","from":'
    '"2025-04-16T21:00:00Z","until":null,"fictional":false,"text":"Article 2 of IQPS-HUR-2025 lets UKR/HUR give this."}],'
    '"obligations":[{"kind":"no-onward","value":"","agreement":"IQPS-HUR-2025","article":"2"}],"changes":[],"faults":[]}'
)

SHIP, RANGE, PORT = product_id(3), product_id(2), product_id(1)


def _decisions(product: ProductId) -> Sequence[FakeRelease]:
    since = parse_instant("2025-04-16T21:00:00Z")
    iqps_hur = {"agreement": "IQPS-HUR-2025", "version": 1, "article": "2", "begin": since}
    grant = Reason(
        "grant",
        Message(
            "Article {article} of {agreement} lets it go to {partner}.",
            {"article": "2", "agreement": "IQPS-HUR-2025", "partner": HUR},
        ),
        **iqps_hur,
    )
    if product == SHIP:
        whole = Decision(
            Outcome.PERMIT,
            Grounds((grant,)),
            obligations=(
                Obligation(ObligationKind.REMARK, "UKR Таємно", "IQPS-HUR-2025", "4"),
                Obligation(ObligationKind.NO_ONWARD, "", "IQPS-HUR-2025", "2"),
            ),
        )
        refuse = Decision(
            Outcome.DENY,
            Grounds(
                (
                    Reason(
                        "releasable-to",
                        Message("Its originator {originator} releases it to {named} only.", {"originator": IQPS, "named": HUR}),
                    ),
                ),
                suggested=(Message("{partner} named in Releasable To by {originator}", {"partner": FRANCE, "originator": IQPS}),),
            ),
        )
        return (
            FakeRelease(FRANCE, "France", refuse, None),
            FakeRelease(
                POLAND,
                "Poland",
                Decision(
                    Outcome.DENY,
                    Grounds(
                        (
                            Reason(
                                "releasable-to",
                                Message(
                                    "Its originator {originator} releases it to {named} only.", {"originator": IQPS, "named": HUR}
                                ),
                            ),
                        )
                    ),
                ),
                None,
            ),
            FakeRelease(HUR, "Ukraine, HUR", whole, Message("received as number {number}", {"number": 12})),
        )
    if product == RANGE:
        fictional = Reason(
            "grant",
            Message(
                "Article {article} of {agreement} lets it go to {partner}.",
                {"article": "3", "agreement": "FRA-JPN-SUPPLEMENT", "partner": FRANCE},
            ),
            "FRA-JPN-SUPPLEMENT",
            2,
            "3",
            parse_instant("2025-03-31T15:00:00Z"),
            fictional=True,
        )
        reduced = Decision(
            Outcome.PERMIT,
            Grounds((fictional,)),
            obligations=(
                Obligation(ObligationKind.DETECTED_ONLY, "", "FRA-JPN-SUPPLEMENT", "3"),
                Obligation(ObligationKind.RESOLUTION, "1", "FRA-JPN-SUPPLEMENT", "3"),
            ),
        )
        refer = Decision(
            Outcome.REFER,
            Grounds(
                (
                    Reason(
                        "in-force",
                        Message(
                            "{agreement} begins or ends about then ({begin}): a person must decide.",
                            {"agreement": "JPN-POL-2025", "begin": "end of June 2025"},
                        ),
                        "JPN-POL-2025",
                        1,
                        None,
                    ),
                )
            ),
        )
        return (
            FakeRelease(FRANCE, "France", reduced, Message("queued")),
            FakeRelease(POLAND, "Poland", refer, None),
            FakeRelease(
                HUR,
                "Ukraine, HUR",
                Decision(Outcome.PERMIT, Grounds((grant,))),
                Message("sent as number {number}", {"number": 11}),
            ),
        )
    third = Reason(
        "originator-consent",
        Message("{originator} has not agreed that it goes on to {partner}.", {"originator": HUR, "partner": FRANCE}),
    )
    return (
        FakeRelease(
            FRANCE,
            "France",
            Decision(
                Outcome.DENY,
                Grounds(
                    (third,),
                    (
                        Fault(
                            "label-known",
                            Message(
                                "The marking {classification} of the policy {policy} is unknown here.",
                                {"classification": "Таємно", "policy": "UKR"},
                            ),
                        ),
                    ),
                    suggested=(Message("consent of {originator} as originator", {"originator": HUR}),),
                ),
            ),
            None,
        ),
    )


class FakeDesk:
    """Implements `kizuna.web.desk.PeopleDesk`."""

    organisation = IQPS
    organisation_name = "Japan, iQPS"

    def __init__(self) -> None:
        self.revoked = False
        odesa, kherson, mykolaiv = ring(30.78, 46.49, 14, 9, 18), ring(33.02, 46.74, 7, 7, -12), ring(31.97, 46.95, 11, 8, -31)
        note = "The position was assigned for this exercise; distances on the ground hold."
        parents = (SHIP, product_id(99))
        ship = _product(3, "Odesa, outer roads and Lanzheron", "QPS-SAR 12", "2025-06-22T03:14:07Z", _UA, odesa, 0.46)
        field = "Calibration range, corner reflectors"
        calibration = _product(2, field, "QPS-SAR 9", "2025-06-21T18:40:55Z", _ALL, kherson, 0.52, (note,), nominal=True)
        port = "Mykolaiv, change at the shipyard"
        change = _product(1, port, "ICEYE X27", "2025-06-20T09:02:31Z", _HUR, mykolaiv, 1.0, lineage=parents, original=False)
        self.items = [Item(ship), Item(calibration), Item(change, received_from=HUR, terms=_TERMS)]

    def sign_in(self, token: str) -> FakePerson | None:
        return FakePerson("Sato Aiko", "officer") if token == TOKEN and not self.revoked else None

    def highest_marking(self, labels: Sequence[Label]) -> str:
        return " · ".join(
            sorted({f"{label.policy} {label.classification}" for label in labels if label.classification != "UNCLASSIFIED"})
        )

    def products(self, person: FakePerson) -> list[Item]:
        return self.items

    def product(self, person: FakePerson, product: ProductId) -> Item | None:
        return next((item for item in self.items if item.product.id == product), None)

    def reads(self, person: FakePerson, product: ProductId) -> Sequence[object]:
        """Nothing was read."""
        return ()

    def releases(self, person: FakePerson, product: ProductId) -> Sequence[FakeRelease]:
        return _decisions(product) if self.product(person, product) else ()

    def asset(self, person: FakePerson, product: ProductId, role: AssetRole) -> tuple[Asset, BinaryIO] | None:
        item = self.product(person, product)
        asset = item.product.asset(role) if item else None
        if asset is None or role is not AssetRole.QUICKLOOK:
            return None
        return asset, io.BytesIO(as_bytes(picture(product_number(product)), "PNG"))

    def tile(self, person: FakePerson, product: ProductId, z: int, x: int, y: int) -> bytes | None:
        item = self.product(person, product)
        return tile_of(picture(product_number(product)), item.product.footprint.ring, z, x, y) if item else None

    def status(self, person: FakePerson) -> list[FakeStatus]:
        return [
            FakeStatus(
                FRANCE,
                "France",
                None,
                None,
                1,
                parse_instant("2025-06-22T02:10:00Z"),
                Message("FRA-JPN-SUPPLEMENT is suspended."),
            ),
            FakeStatus(
                HUR, "Ukraine, HUR", parse_instant("2025-06-22T03:20:41Z"), parse_instant("2025-06-22T03:57:02Z"), 0, None, None
            ),
        ]

    def agreements(self, person: FakePerson) -> list[FakeAgreement]:
        return [
            FakeAgreement(
                "IQPS-HUR-2025",
                "Agreement on SAR data between iQPS and HUR",
                1,
                (IQPS, HUR),
                "2025-04-17",
                "in force",
                fictional=False,
            ),
            FakeAgreement(
                "JPN-UKR-ISA-2024",
                "Agreement on the security of information",
                1,
                (Party("JPN"), Party("UKR")),
                "2025-06-21",
                "in force",
                fictional=False,
            ),
            FakeAgreement(
                "JPN-POL-2025",
                "Letter of intent",
                1,
                (Party("JPN"), POLAND),
                "end of June 2025",
                "a person must decide",
                fictional=False,
            ),
            FakeAgreement(
                "FRA-JPN-SUPPLEMENT", "Supplement on imagery", 2, (FRANCE, IQPS), "2025-04-01", "suspended", fictional=True
            ),
        ]


def product_number(product: ProductId) -> int:
    return next(number for number in range(256) if product_id(number) == product)
