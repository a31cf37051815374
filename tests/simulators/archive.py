"""A large archive, made up: products of several SAR satellites over three years, most of them around two hundred places.

Footprints are rotated, four thousand release lists name some of 27 nations, a quarter is classified, of two products in a hundred
another nation is the originator. The same each time.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

from kizuna.model.digests import Digest
from kizuna.model.instants import Instant, Interval, parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.model.product import Asset, AssetRole, Footprint, Product, Verdict, make_product_id
from simulators.nodes import agreement

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BEGIN", "DAYS", "HOLDER", "NATIONS", "PLACES", "archive", "archive_agreements"]

HOLDER = parse_party("JPN")
BEGIN = parse_instant("2023-11-01")
DAYS = 3 * 365
NATIONS = [
    parse_party(name)
    for name in (
        "USA GBR FRA DEU ITA CAN AUS NZL NLD BEL DNK NOR SWE FIN POL CZE EST LVA LTU ESP PRT GRC ROU BGR KOR UKR MDA".split()
    )
]
"""Nations of which the first have most products released to them: USA 80 %, UKR 5 %, MDA 0.1 %."""
PLACES = [(Random(number).uniform(-170, 170), Random(-number - 1).uniform(-60, 70)) for number in range(200)]
"""Longitude and latitude of the places that are looked at most."""
_SATELLITES = [f"QPS-SAR-{number}" for number in range(1, 13)]
_RESOLUTIONS_M = [0.25, 0.46, 0.5, 1.0, 1.8, 3.0]
_MARKINGS = ["UNCLASSIFIED", "UNCLASSIFIED", "UNCLASSIFIED", "秘"]
_NITF, _TIFF = "application/vnd.nga.sicd+nitf", "image/tiff; application=geotiff"


def _share(nation: str) -> float:
    return {"USA": 0.8, "UKR": 0.05, "MDA": 0.001}.get(nation, 0.3)


def archive_agreements() -> Iterator[dict[str, object]]:
    """Documents of agreements with all nations: the holder gives them unclassified imagery, every other one with a caveat."""
    for number, nation in enumerate(NATIONS):
        article = {
            "givers": [HOLDER],
            "receivers": [nation],
            "obligations": [{"kind": "caveat", "value": "own use"}] if number % 2 else [],
        }
        yield agreement(id=f"SHARE-{nation}", parties=[HOLDER, nation], article=article)


def archive(count: int, seed: int = 1) -> Iterator[Product]:
    """So many products, in no order."""
    random = Random(seed)
    groups = [tuple(nation for nation in NATIONS if random.random() < _share(nation)) for _ in range(4_000)]
    span_s = DAYS * 86_400
    for number in range(count):
        begin = Instant(BEGIN + timedelta(seconds=random.randrange(span_s)))
        label = Label(
            "JPN", random.choice(_MARKINGS), HOLDER, Instant(begin + timedelta(hours=1)), groups[random.randrange(len(groups))]
        )
        product = Product(
            id=make_product_id(random.randbytes(16)),
            kind="imagery",
            title=f"Scene {number}",
            media_type=_NITF,
            content=_digest(random),
            originator=HOLDER,
            sensor=random.choice(_SATELLITES),
            event=Interval(begin, Instant(begin + timedelta(seconds=20))),
            produced=Instant(begin + timedelta(minutes=random.randint(20, 600))),
            validity=None,
            footprint=_footprint(random),
            label=label,
            lineage=(),
            assets=(
                Asset(AssetRole.ORIGINAL, "scene.nitf", _NITF, _digest(random), random.randrange(1 << 33)),
                Asset(AssetRole.DETECTED, "scene.tif", _TIFF, _digest(random), random.randrange(1 << 30)),
                Asset(AssetRole.QUICKLOOK, "scene.png", "image/png", _digest(random), random.randrange(1 << 18)),
            ),
            version=1,
            supersedes=None,
            verdict=Verdict(valid=True),
            resolution_m=random.choice(_RESOLUTIONS_M),
            complex_data=True,
        )
        yield product if number % 50 else replace(product, originator=random.choice(NATIONS))


def _digest(random: Random) -> Digest:
    return Digest(f"sha256:{random.getrandbits(256):064x}")


def _footprint(random: Random) -> Footprint:
    lon, lat = random.uniform(-175, 175), random.uniform(-70, 75)
    if random.random() < 0.7:
        lon, lat = random.choice(PLACES)
        lon, lat = lon + random.gauss(0, 0.5), lat + random.gauss(0, 0.5)
    turn, long, wide = random.uniform(0, math.pi), random.choice([0.1, 0.2, 0.5]), random.choice([0.1, 0.2])
    points = []
    for along, across in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        x = along * long * math.cos(turn) - across * wide * math.sin(turn)
        y = along * long * math.sin(turn) + across * wide * math.cos(turn)
        points.append((round(lon + x / 2 / math.cos(math.radians(lat)), 6), round(lat + y / 2, 6)))
    return Footprint((*points, points[0]))
