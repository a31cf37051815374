"""Take a file into the node under its label, and queue it for whom the agreements allow."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from kizuna.catalog.store import Item
from kizuna.errors import InputError, Message, StoreError
from kizuna.exchange.manifest import make_manifest
from kizuna.kinds.registry import HEAD_BYTES, sniff
from kizuna.model.canonical import CanonicalBytes
from kizuna.model.label import label_to_json
from kizuna.model.observation import filled
from kizuna.model.product import Asset, AssetRole, Product, make_product_id, product_from_json, product_to_bytes, product_to_json
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import as_labelled_now
from kizuna.node.messages import recalled_under
from kizuna.node.share import queue_for_partners
from kizuna.node.versions import keep_superseded
from kizuna.release.markings import UNCLASSIFIED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.kinds.registry import Kind
    from kizuna.kinds.values import Extracted
    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Interval
    from kizuna.model.label import Label
    from kizuna.model.observation import Observation
    from kizuna.model.parties import Party
    from kizuna.model.product import ProductId, Verdict
    from kizuna.node.ports import BlobStore
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision

__all__ = [
    "Described",
    "Made",
    "Published",
    "Wanted",
    "discard",
    "look",
    "make",
    "product_of",
    "publish",
    "record_published",
    "require_understood",
]

_ID_BYTES = 16
_WEB_TIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


@dataclass(frozen=True, slots=True)
class Described:
    """What a person says of a file, where the file does not say it itself.

    Parameters
    ----------
    title, sensor, event
        As in `kizuna.model.product.Product`.
    notes
        Sentences that must be read with the product.
    derived_from
        Products that it was made from.
    replaces
        Own product of which it is a newer version: a correction. What is not said here is as it was there.
    observation
        How it was observed, as another document says; what the file itself says stands above it.
    """

    title: str | None = None
    sensor: str | None = None
    event: Interval | None = None
    notes: tuple[str, ...] = ()
    derived_from: tuple[ProductId, ...] = ()
    replaces: ProductId | None = None
    observation: Observation | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """What came of it.

    Parameters
    ----------
    product
        The product.
    known
        True if the node had published the same bytes under the same label already; nothing was changed then.
    decisions
        For each partner.
    """

    product: Product
    known: bool
    decisions: tuple[tuple[Party, Decision], ...] = ()


def require_understood(node: Node, label: Label) -> None:
    """Refuse a label whose marking this node cannot place: it could never be released by rule.

    Raises
    ------
    InputError
        Naming the field, and the markings that are known.
    """
    register = node.knowledge().register
    ladder = register.ladders.get(label.policy)
    if ladder is None:
        raise InputError(
            Message("policy: unknown policy {policy!r}", {"policy": label.policy}),
            hint=Message("known policies: {known}", {"known": ", ".join(sorted(register.ladders))}),
            field="policy",
        )
    if register.ladder_rank(label.policy, label.classification) is None:
        known = ", ".join([UNCLASSIFIED, *(rung.markings[0] for rung in ladder.rungs)])
        raise InputError(
            Message(
                "classification: unknown classification {got!r} in the policy {policy}",
                {"got": label.classification, "policy": label.policy},
            ),
            hint=Message("markings of {policy}, lowest first: {known}", {"policy": label.policy, "known": known}),
            field="classification",
        )


def _published_before(node: Node, content: Digest) -> Product | None:
    """Product of these bytes that is the node's own; one that a partner handed over is another product."""
    items = node.store.items
    first = items.by_content(content)
    if first is None or first.received_from is None:
        return None if first is None else first.product
    # The port gives one item only, and here a partner's stands before ours, if we have one.
    return next((i.product for i in items.all() if i.product.content == content and i.received_from is None), None)


def _require_same_label(name: str, label: Label, known: Product, replaces: ProductId | None) -> None:
    """Let nobody believe that publishing again corrected anything: what was released stays released under the old label."""
    if replaces is not None:
        raise InputError(
            Message("{name} is here already as {product}", {"name": name, "product": known.id}),
            hint=Message("to correct a label only: kizuna product relabel {product} --label FILE", {"product": known.id}),
            field="replaces",
        )
    differing = [field.name for field in fields(label) if getattr(label, field.name) != getattr(known.label, field.name)]
    if differing:
        raise InputError(
            Message(
                "{name} is here already as {product}, labelled {held}; the label given now says {given} (other: {fields})",
                {
                    "name": name,
                    "product": known.id,
                    "held": known.label.marking,
                    "given": label.marking,
                    "fields": ", ".join(differing),
                },
            ),
            hint=Message("correct the label: kizuna product relabel {product} --label FILE", {"product": known.id}),
            field="label",
        )


def _require_replaceable(node: Node, replaces: ProductId, label: Label) -> Item:
    """Own product that a newer version may take the place of.

    Raises
    ------
    InputError
        If it is none, was recalled from everybody, or another labelled it.
    """
    before = node.store.items.get(replaces)
    if before is None or before.received_from is not None:
        raise InputError(
            Message("replaces: {id} is no product of this node's own", {"id": replaces}),
            hint=Message("only its originator makes a newer version of a product; see: kizuna product list"),
            field="replaces",
        )
    if label.originator != before.product.originator:
        raise InputError(
            Message(
                "originator: got {got}, expected {own} as before", {"got": label.originator, "own": before.product.originator}
            ),
            hint=Message("a newer version is the originator's own"),
            field="originator",
        )
    if node.store.setting(recalled_under("*", replaces)) is not None:
        raise InputError(
            Message("replaces: {id} was recalled, and goes to nobody any more", {"id": replaces}),
            hint=Message("take the file in as a product of its own: leave --replaces out"),
            field="replaces",
        )
    return before


def _record_newer(node: Node, product: Product, before: Item) -> list[tuple[Product, Party, Decision]]:
    """Record a newer version of a product, and queue it for whom it may go to, and for all that were handed an older one."""
    with node.store.transaction():
        body: dict[str, Json] = {"product": product_to_json(product)}
        now = node.journal.record(FactKind.PRODUCT_PUBLISHED, body, by=node.by, authority=product.label.originator).recorded_at
        keep_superseded(node, before, now)
        if any(relabelling.product == product.id for relabelling in node.knowledge().register.relabellings):
            # A correction of the former version's label would otherwise count for this one.
            corrected: dict[str, Json] = {"product": product.id, "label": label_to_json(product.label)}
            node.journal.record(FactKind.LABEL_CORRECTED, corrected, by=node.by, authority=product.label.originator)
        node.store.items.put(Item(product))
        return queue_for_partners(node, [product])


def _summaries(kind: Kind, file: BinaryIO, name: str) -> list[tuple[AssetRole, str, str, bytes]]:
    summary = kind.summarise(file, name)
    stem = PurePath(name).stem
    made = [
        (AssetRole.DETECTED, f"{stem}.detected.tif", _WEB_TIFF, summary.detected_cog),
        (AssetRole.VISUAL, f"{stem}.map.tif", _WEB_TIFF, summary.web_cog),
        (AssetRole.QUICKLOOK, f"{stem}.quicklook.png", "image/png", summary.quicklook_png),
    ]
    return [(role, file_name, media_type, data) for role, file_name, media_type, data in made if data is not None]


def publish(node: Node, file: BinaryIO, name: str, label: Label, described: Described | None = None) -> Published:
    """Take one file in.

    Parameters
    ----------
    node
        This node.
    file
        Open, seekable binary file. Its bytes are kept untouched.
    name
        Its name, without folders.
    label
        The originator's label.
    described
        What the file does not say itself.

    Raises
    ------
    InputError
        If the file is of no known kind, is damaged or has no position, the label cannot be placed, or the node published the
        same bytes under another label; or what it replaces cannot be replaced by it. Nothing is kept then.
    StoreError
        If the disk is full. Nothing is kept then.
    """
    described = described or Described()
    wanted = look(node, file, name, label, described)
    if wanted.known is not None:
        return Published(wanted.known, known=True)
    made = make(node.blobs, file, wanted)
    try:
        product = product_of(node, made)
        decisions = record_published(node, [product]) if wanted.before is None else _record_newer(node, product, wanted.before)
    except (InputError, StoreError):
        discard(node.blobs, made)
        raise
    return Published(product, known=False, decisions=tuple((partner, decision) for _product, partner, decision in decisions))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file that may be taken in, before anything is made of it.

    Parameters
    ----------
    name, label, described
        As `publish` takes them.
    content
        Digest of its bytes.
    kind, media_type
        What its first bytes say.
    before
        What it is a newer version of.
    known
        Product of the same bytes under the same label; nothing is to be made then.
    """

    name: str
    label: Label
    described: Described
    content: Digest
    kind: Kind
    media_type: str
    before: Item | None
    known: Product | None


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a file, its bytes in the blob store, before anything is recorded.

    Parameters
    ----------
    wanted
        The file.
    extracted, verdict
        What it says, and what the check found.
    assets
        It, and the files made of it.
    fresh
        Those that were not in the store before.
    """

    wanted: Wanted
    extracted: Extracted
    verdict: Verdict
    assets: tuple[Asset, ...]
    fresh: tuple[Asset, ...]


def look(node: Node, file: BinaryIO, name: str, label: Label, described: Described) -> Wanted:
    """Whether a file may be taken in, and whether it is here already.

    Raises
    ------
    InputError
        As `publish`, for whatever needs no look at the image.
    """
    require_understood(node, label)
    before = None if described.replaces is None else _require_replaceable(node, described.replaces, label)
    for parent in described.derived_from:
        if node.store.items.get(parent) is None:
            raise InputError(
                Message("derived_from: this node holds no product {id}", {"id": parent}),
                hint=Message("take the products in that it was made from first"),
                field="derived_from",
            )
    file.seek(0)
    kind, media_type = sniff(file.read(HEAD_BYTES), PurePath(name))
    if before is not None and before.product.kind != kind.NAME:
        raise InputError(
            Message(
                "{name} is of the kind {got}, expected {kind} as before",
                {"name": name, "got": kind.NAME, "kind": before.product.kind},
            ),
            hint=Message("take it in as a product of its own: leave --replaces out"),
            field="replaces",
        )
    file.seek(0)
    content = make_manifest(file).digest
    known = _published_before(node, content)
    if known is not None:
        _require_same_label(name, label, as_labelled_now(node, known), described.replaces)
    return Wanted(name, label, described, content, kind, media_type, before, known)


def make(blobs: BlobStore, file: BinaryIO, wanted: Wanted) -> Made:
    """Check a file, read what it says, make its small files, and keep all of them. It needs no store: threads may do it.

    Raises
    ------
    InputError
        If the file is damaged or has no position. Nothing is kept then.
    StoreError
        If the disk is full. Nothing is kept then.
    """
    kind, name = wanted.kind, wanted.name
    extracted = kind.extract(file, name)
    verdict = kind.validate(file)
    if not verdict.valid:
        raise InputError(
            Message("{name}: {why}", {"name": name, "why": "; ".join(verdict.findings)}),
            hint=Message("check that the whole file arrived"),
            field="file",
        )
    made = _summaries(kind, file, name)
    kept: list[Asset] = []
    fresh: list[Asset] = []
    try:
        file.seek(0)
        for role, asset_name, type_, source in [
            (AssetRole.ORIGINAL, PurePath(name).name, extracted.media_type or wanted.media_type, file),
            *((role, asset_name, type_, io.BytesIO(data)) for role, asset_name, type_, data in made),
        ]:
            new = not blobs.has(wanted.content if source is file else make_manifest(source).digest)
            source.seek(0)
            digest, size = blobs.put(source)
            asset = Asset(role, asset_name, type_, digest, size)
            kept.append(asset)
            fresh += [asset] if new else []
            if source is file:
                _require_unchanged(name, digest, wanted.content)
    except (InputError, StoreError):
        _discard(blobs, fresh)
        raise
    return Made(wanted, extracted, verdict, tuple(kept), tuple(fresh))


def _require_unchanged(name: str, digest: Digest, looked_at: Digest) -> None:
    if digest != looked_at:
        raise InputError(
            Message("{name} changed while it was read", {"name": name}),
            hint=Message("wait until whoever writes it has finished, then try again"),
            field="file",
        )


def product_of(node: Node, made: Made) -> Product:
    """Product of what was made of a file, with an id of its own.

    Raises
    ------
    InputError
        If another node would refuse its record.
    """
    wanted, extracted = made.wanted, made.extracted
    described, before = wanted.described, wanted.before
    original = made.assets[0]
    product = Product(
        id=make_product_id(node.keys.random(_ID_BYTES)) if before is None else before.product.id,
        kind=wanted.kind.NAME,
        title=described.title or (extracted.title if before is None else before.product.title),
        media_type=original.media_type,
        content=original.digest,
        originator=wanted.label.originator,
        sensor=described.sensor or extracted.sensor or (before.product.sensor if before is not None else "unknown"),
        event=described.event or extracted.event or (None if before is None else before.product.event),
        produced=extracted.produced or node.now(),
        validity=None,
        footprint=extracted.footprint,
        label=wanted.label,
        lineage=described.derived_from or (() if before is None else before.product.lineage),
        assets=made.assets,
        version=1 if before is None else before.product.version + 1,
        supersedes=None if before is None else before.product.content,
        verdict=made.verdict,
        resolution_m=extracted.resolution_m,
        complex_data=extracted.complex_data,
        notes=(*extracted.notes, *described.notes),
        observation=filled(extracted.observation, described.observation),
    )
    # A record that another node would refuse is refused at home: there it would stop the whole feed.
    product_from_json(product_to_json(product))
    return product


def discard(blobs: BlobStore, made: Made) -> None:
    """Remove what `make` kept and nobody else needs."""
    _discard(blobs, made.fresh)


def record_published(
    node: Node, products: Sequence[Product], partners: Iterable[Party] | None = None
) -> list[tuple[Product, Party, Decision]]:
    """Record products whose files are stored, decide on each for each partner, and queue what may go.

    All in one transaction, which is durable when this returns: the more products, the less each of them costs.

    Parameters
    ----------
    node
        This node.
    products
        Its own products, none of which it holds yet.
    partners
        Partners to decide for now; None for all.

    Raises
    ------
    StoreError
        If the disk is full. Nothing is kept then.
    """
    with node.store.transaction():
        for originator in dict.fromkeys(product.label.originator for product in products):
            node.journal.record_all(
                [
                    (FactKind.PRODUCT_PUBLISHED, CanonicalBytes(b'{"product":%b}' % product_to_bytes(product)))
                    for product in products
                    if product.label.originator == originator
                ],
                by=node.by,
                authority=originator,
            )
        node.store.items.put_all(Item(product) for product in products)
        return queue_for_partners(node, products, partners)


def _discard(blobs: BlobStore, assets: Sequence[Asset]) -> None:
    for asset in assets:
        blobs.discard(asset.digest)
