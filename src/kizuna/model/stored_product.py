"""Products as a node kept them: read several times as fast as what comes from elsewhere, which is checked member by member."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from kizuna.model.instants import Instant, Interval
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.observation import observation_from_stored
from kizuna.model.product import Asset, AssetRole, Footprint, Product, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["product_from_stored"]


def product_from_stored(document: Mapping[str, Any]) -> Product:
    """Product of the JSON form that `kizuna.model.product.product_to_json` gave and this node kept, taken at its word."""
    event, validity, geometry, label = (document[name] for name in ("event", "validity", "geometry", "label"))
    review, parties = label.get("review"), label.get("releasable_to")
    return Product(
        id=document["id"],
        kind=document["kind"],
        title=document["title"],
        media_type=document["media_type"],
        content=document["content"],
        originator=document["originator"],
        sensor=document["sensor"],
        event=None if event is None else _stored_interval(event),
        produced=_stored_instant(document["produced"]),
        validity=None if validity is None else _stored_interval(validity),
        footprint=None
        if geometry is None
        else Footprint(tuple([(float(lon), float(lat)) for lon, lat in geometry["coordinates"][0]]), geometry["nominal"]),
        label=Label(
            label["policy"],
            label["classification"],
            label["originator"],
            _stored_instant(label["created"]),
            None if parties is None else tuple(parties),
            tuple([Category(c["tag"], CategoryType(c["type"]), tuple(c["values"])) for c in label["categories"]]),
            tuple(label["caveats"]),
            None if review is None else _stored_instant(review),
        ),
        lineage=tuple(document["lineage"]),
        assets=tuple(
            [Asset(AssetRole(a["role"]), a["name"], a["media_type"], a["digest"], a["size"]) for a in document["assets"]]
        ),
        version=document["version"],
        supersedes=document["supersedes"],
        verdict=Verdict(document["verdict"]["valid"], tuple(document["verdict"]["findings"])),
        resolution_m=document["resolution_m"],
        complex_data=document["complex"],
        notes=tuple(document["notes"]),
        reductions=tuple(document["reductions"]),
        observation=observation_from_stored(document["observation"]) if "observation" in document else None,
    )


def _stored_instant(text: str) -> Instant:
    return Instant(datetime.fromisoformat(text))


def _stored_interval(form: Mapping[str, str | None]) -> Interval:
    end = form["end"]
    return Interval(_stored_instant(str(form["begin"])), None if end is None else _stored_instant(end))
