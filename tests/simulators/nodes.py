"""Nodes in memory (or over SQLite) on one clock that a test moves: Japan's iQPS, Ukraine's HUR and a stranger."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.adapters.memory import FixedClock, MemoryBlobs, MemoryKeys, MemoryStore, MemoryTransport
from kizuna.catalog.store import Item
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.digests import digest_of
from kizuna.model.instants import parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.model.product import Asset, AssetRole, product_to_json
from kizuna.model.provenance import FactKind
from kizuna.node.founding import found_node, node_card, pin_partner, record_agreement
from kizuna.node.journal import Journal
from kizuna.node.receive import pull
from kizuna.node.share import Sharing, queue_for_partners
from kizuna.node.state import Node
from kizuna.wiring import sample_folder
from simulators.products import a_product

if TYPE_CHECKING:
    from kizuna.model.parties import Party
    from kizuna.model.product import Product
    from kizuna.node.ports import Store
    from kizuna.node.receive import PullReport

IQPS, HUR, NZL = parse_party("JPN/IQPS"), parse_party("UKR/HUR"), parse_party("NZL")
START = parse_instant("2025-07-01T09:00:00Z")
MARKINGS = tomllib.loads((sample_folder("coalition") / "markings.toml").read_text(encoding="utf-8"))
NITF, TIFF = "application/vnd.nga.sicd+nitf", "image/tiff; application=geotiff"


def agreement(**changes: object) -> dict[str, object]:
    """Document of an agreement in force: iQPS gives unclassified imagery to HUR, detected only."""
    article = {
        "number": "3",
        "title": "Imagery",
        "givers": ["JPN/IQPS"],
        "receivers": ["UKR/HUR"],
        "kinds": ["imagery"],
        "policy": "JPN",
        "ceiling": "UNCLASSIFIED",
        "obligations": [{"kind": "detected-only"}, {"kind": "caveat", "value": "own use"}],
    }
    document: dict[str, object] = {
        "schema": "kizuna/agreement/1",
        "id": "SHARE",
        "version": 1,
        "title": "Imagery",
        "kind": "sharing",
        "parties": ["JPN/IQPS", "UKR/HUR"],
        "tells_partner": True,
        "recorded": "2025-01-01",
        "in_force": {"from": "2025-01-01T00:00:00Z"},
        "articles": [article | dict(changes.pop("article", {}))],  # type: ignore[call-overload]
    }
    return document | changes


@dataclass
class World:
    """Some nodes and their clock."""

    clock: FixedClock = field(default_factory=lambda: FixedClock(START))
    nodes: dict[Party, Node] = field(default_factory=dict)
    places: dict[Party, str] = field(default_factory=dict)

    def node(self, party: Party, store: Store | None = None) -> Node:
        """Node, founded when it is first asked for."""
        if party not in self.nodes:
            self.places[party] = "here"
            keys = MemoryKeys(party, START, party.encode())
            journal = Journal(party, store or MemoryStore(), keys, self.clock)
            node = self.nodes[party] = Node(journal, MemoryBlobs(), lambda: self.places[party], "officer")
            found_node(node, MARKINGS, ())
            self.tick()
        return self.nodes[party]

    def tick(self, **time: float) -> None:
        """Let a second pass, or `time`."""
        self.clock.pass_by(timedelta(**time or {"seconds": 1}))

    def befriend(self, one: Party, other: Party) -> None:
        """Pin each to the other."""
        for here, there in ((one, other), (other, one)):
            pin_partner(self.node(here), node_card(self.node(there), "https://127.0.0.1:1"))
            self.tick()

    def agree(self, party: Party, **changes: object) -> None:
        """Record an agreement at a node."""
        record_agreement(self.node(party), agreement(**changes), NO_CIVIL_DATES, ["SHARE"])
        self.tick()

    def take_in(self, party: Party, number: int, **changes: object) -> Product:
        """Take a product in as `publish` does, with made-up files: complex original, detected image, map, quicklook."""
        product = self.hold(party, number, **changes)
        node = self.node(party)
        with node.store.transaction():
            node.journal.record(FactKind.PRODUCT_PUBLISHED, {"product": product_to_json(product)}, by=node.by, authority=party)
            node.store.items.put(Item(product))
            queue_for_partners(node, [product])
        self.tick()
        return product

    def hold(self, party: Party, number: int, **changes: object) -> Product:
        """Product whose files are in the node's blob store."""
        assets = []
        for role, name, media_type in (
            (AssetRole.ORIGINAL, "a.nitf", NITF),
            (AssetRole.DETECTED, "a.detected.tif", TIFF),
            (AssetRole.VISUAL, "a.map.tif", TIFF),
            (AssetRole.QUICKLOOK, "a.quicklook.png", "image/png"),
        ):
            data = f"{party} {role} {number}".encode()
            self.node(party).blobs.put(data)
            assets.append(Asset(role, name, media_type, digest_of(data), len(data)))
        product = replace(
            a_product(number, event=START, produced=START),
            media_type=NITF,
            content=assets[0].digest,
            originator=party,
            label=Label("JPN", "UNCLASSIFIED", party, START),
            assets=tuple(assets),
            complex_data=True,
        )
        return replace(product, **changes)  # type: ignore[arg-type]

    def desk(self, party: Party) -> Sharing:
        """Desk of a node for its partners."""
        return Sharing(self.node(party))

    def way(self, receiver: Party, giver: Party) -> MemoryTransport:
        """Transport from one node to another."""
        return MemoryTransport(self.desk(giver), self.node(receiver).keys.certificate_der)

    def pull(self, receiver: Party, giver: Party) -> PullReport:
        """Pull once."""
        node = self.node(receiver)
        report = pull(node, node.partner(giver), self.way(receiver, giver))
        self.tick()
        return report
