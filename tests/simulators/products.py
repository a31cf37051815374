"""Small products to hand about."""

from __future__ import annotations

from datetime import UTC, datetime

from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, Interval
from kizuna.model.label import Label
from kizuna.model.parties import Party
from kizuna.model.product import Asset, AssetRole, Footprint, Product, ProductId, Verdict, make_product_id

JPN = Party("JPN")
UKR = Party("UKR")
NOON = Instant(datetime(2025, 6, 22, 12, tzinfo=UTC))


def product_id(number: int) -> ProductId:
    """Product id that is easy to tell apart."""
    return make_product_id(number.to_bytes(16))


def a_product(
    number: int = 1, *, event: Instant | None = NOON, produced: Instant = NOON, files: tuple[bytes, ...] = (b"bytes",)
) -> Product:
    """Small but complete product; `number` makes its id."""
    return Product(
        id=product_id(number),
        kind="imagery",
        title="港の画像",
        media_type="application/octet-stream",
        content=digest_of(files[0]),
        originator=JPN,
        sensor="QPS-SAR",
        event=None if event is None else Interval(event, event),
        produced=produced,
        validity=None,
        footprint=Footprint(((30.0, 46.0), (31.0, 46.0), (31.0, 47.0), (30.0, 46.0)), nominal=True),
        label=Label("JPN", "秘", JPN, NOON),
        lineage=(),
        assets=tuple(
            Asset(AssetRole.ORIGINAL, f"{index}.bin", "application/octet-stream", digest_of(data), len(data))
            for index, data in enumerate(files)
        ),
        version=1,
        supersedes=None,
        verdict=Verdict(valid=True),
        resolution_m=0.5,
    )
