"""Map pictures of products for one caller: tiles, maps and thumbnails of what it may have at this instant.

# INVARIANT: a picture is made from files that the caller may have now, in the form in which it may have them, and from nothing
# else: the catalogue decides, anew for each picture, which files these are. What goes to a partner only without its phase, or
# coarser, or cut, has no other files here.

Pictures come from web-optimised COGs that this node makes for itself of amplitudes or phases. They are made when a picture is
first asked for, by a thread of their own: made on the way in, they would double what taking a file in costs, and most products of
a large archive are never looked at closely. Until one is there, pictures come from the map image that goes with the product,
whose levels are coarser.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.catalog.tile_grid import EQUATOR_M, TILE_PIXELS, Box, box_of_degrees
from kizuna.errors import InputError, StoreError
from kizuna.formats.map_styles import Style
from kizuna.kinds.imagery import Layer
from kizuna.kinds.registry import kind_named
from kizuna.model.canonical import canonical
from kizuna.model.product import AssetRole
from kizuna.node.decisions import partner_terms
from kizuna.node.reads import ReadForm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.catalog.query import Query
    from kizuna.formats.map_styles import Format
    from kizuna.formats.tiled_image import TiledImage
    from kizuna.kinds.registry import Kind
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import Product, ProductId
    from kizuna.node.catalogue import Catalogue, Shown
    from kizuna.node.state import Node

__all__ = ["Drawn", "NotMadeYet", "Sheet", "Tiles", "is_drawable", "sheet_box", "styles_of"]

# Goes up when the same file gives another map image: what was made before is then made again.
_RECIPE = 1
_MOST_OPEN = 64
_IDLE = timedelta(minutes=10)
_NEARLY = 1e-6


class NotMadeYet(Exception):
    """A picture cannot be drawn yet: what it is drawn from is being made."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """How a picture is drawn.

    Parameters
    ----------
    style
        How the image is shown.
    stretch_db
        Decibels of amplitude 1 between which it is shown; None for the image's own.
    """

    style: Style = Style.DB
    stretch_db: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A product that a caller may see on a map now, ready to be drawn.

    Parameters
    ----------
    product
        In the form in which the caller may have it.
    drawn
        How it is drawn.
    stamp
        Another one for other bytes: it changes with the files, with the terms under which the caller has them, with the caller.
    images
        What it is drawn from: the product's map image, or that of the product before and its own.
    """

    product: Product
    drawn: Drawn
    stamp: str
    images: tuple[TiledImage, ...]

    def picture(self, box: Box, size: tuple[int, int], form: Format) -> bytes:
        """Picture of a rectangle, transparent where there is no data.

        Parameters
        ----------
        box
            The rectangle.
        size
            Columns and rows.
        form
            Format.

        Raises
        ------
        InputError
            A file is damaged.
        """
        from kizuna.formats.map_pictures import levels_of_map, pair_picture, picture

        bounds = (box.west_m, box.south_m, box.east_m, box.north_m)
        style, stretch = self.drawn.style, self.drawn.stretch_db
        if stretch is None and len(self.images) > 1:
            # One for both, so that what did not change has no colour.
            scalings = [image.scaling for image in self.images]
            stretch = min(one.low_db for one in scalings), max(one.high_db for one in scalings)
        levels = [levels_of_map(image, bounds, size, style, stretch) for image in self.images]
        return picture(levels[0], size, style, form) if len(levels) == 1 else pair_picture(levels[0], levels[1], size, form)

    @property
    def zoom(self) -> int:
        """Zoom of which a tile's pixels are the image's own, or a little finer."""
        return max(0, *(math.ceil(math.log2(EQUATOR_M / TILE_PIXELS / image.resolution_m) - _NEARLY) for image in self.images))

    def box(self) -> Box:
        """Where the product lies; see `sheet_box`."""
        return sheet_box(self.product)


def sheet_box(product: Product) -> Box:
    """Where a product lies: the rectangle around its outline; all of the grid for one without."""
    if product.footprint is None:
        return box_of_degrees(-180.0, -90.0, 180.0, 90.0)
    ring = product.footprint.ring
    lons, lats = [lon for lon, _ in ring], [lat for _, lat in ring]
    if max(lons) - min(lons) > 180.0:  # noqa: PLR2004 - it crosses the antimeridian
        return box_of_degrees(-180.0, min(lats), 180.0, max(lats))
    return box_of_degrees(min(lons), min(lats), max(lons), max(lats))


def styles_of(product: Product) -> Sequence[Style]:
    """Styles in which a product can be drawn, the usual one first; none where it has nothing to be drawn from."""
    return [style for style in Style if _sources(product, _layer(style))]


def is_drawable(product: Product) -> bool:
    """Whether a product can be drawn in any style."""
    return any(_sources(product, layer) for layer in (Layer.AMPLITUDE, Layer.PHASE))


def _layer(style: Style) -> Layer:
    return Layer.PHASE if style is Style.PHASE else Layer.AMPLITUDE


@dataclass(frozen=True, slots=True)
class _Source:
    """A file that a map image is, or can be made from."""

    digest: Digest
    layer: Layer | None

    @property
    def name(self) -> str:
        return f"{self.layer}.{_RECIPE}.tif"


def _sources(product: Product, layer: Layer) -> list[_Source]:
    """Files that pictures of a product can come from, the finest first."""
    kind = _kind(product)
    found = []
    asset = None if kind is None else kind.map_source(product.assets, layer)
    if asset is not None:
        found.append(_Source(asset.digest, layer))
    visual = product.asset(AssetRole.VISUAL)
    if visual is not None and layer is Layer.AMPLITUDE:
        found.append(_Source(visual.digest, None))
    return found


def _kind(product: Product) -> Kind | None:
    try:
        return kind_named(product.kind)
    except InputError:
        return None


class Tiles:
    """Draws products for the callers who may see them. Safe to use from several threads.

    Parameters
    ----------
    node
        This node.
    catalogue
        Decides who may see what.
    in_background
        Whether map images are made by a thread of their own; else whoever asks first waits.
    """

    def __init__(self, node: Node, catalogue: Catalogue, *, in_background: bool = True) -> None:
        self._node, self._catalogue = node, catalogue
        self._images = _Images(node, in_background=in_background)

    def sheet(self, product: ProductId, partner: Party | None, drawn: Drawn, before: ProductId | None = None) -> Sheet | None:
        """Product of this id, if the caller may see it on a map now.

        Parameters
        ----------
        product
            Product.
        partner
            Who asks; None for the node's own people.
        drawn
            How it is to be drawn.
        before
            Product that is to be shown beneath it, for comparison.

        Raises
        ------
        NotMadeYet
            If what it is drawn from is being made.
        """
        # Both, before anything is looked at: how long it takes tells nothing of either.
        asked = [
            self._catalogue.item(id_, partner, ReadForm.TILE) for id_ in ([product] if before is None else [before, product])
        ]
        shown = [one for one in asked if one is not None]
        if len(shown) < len(asked):
            return None
        found = [self._image(one.product, drawn.style) for one in shown]
        chosen = [one for one in found if one is not None]
        if len(chosen) < len(found):
            return None
        stamp = _stamp(shown, [source for source, _ in chosen], partner, drawn)
        return Sheet(shown[-1].product, drawn, stamp, tuple(image for _, image in chosen))

    def newest(self, query: Query, partner: Party | None) -> Sequence[Product]:
        """Products that a search finds for a caller and that can be drawn."""
        return [one.product for one in self._catalogue.search(query, partner).items if styles_of(one.product)]

    def _image(self, product: Product, style: Style) -> tuple[_Source, TiledImage] | None:
        """Map image that pictures of a product come from now; None where there is none and none will be."""
        waiting = False
        for source in _sources(product, _layer(style)):
            image = self._images.find(product, source)
            if image is not None:
                return source, image
            waiting |= self._images.is_wanted(source)
        if waiting:
            raise NotMadeYet
        return None


def _stamp(shown: Sequence[Shown], sources: Sequence[_Source], partner: Party | None, drawn: Drawn) -> str:
    # Nothing that changes when something is known or done that the caller must not learn of: its own terms, not the log.
    told = canonical(
        {
            "recipe": _RECIPE,
            "caller": partner or "",
            "products": [
                {"id": one.product.id, "terms": None if one.decision is None else partner_terms(one.decision)} for one in shown
            ],
            "sources": [[source.digest, source.layer or ""] for source in sources],
            "style": drawn.style,
            "stretch": None if drawn.stretch_db is None else list(drawn.stretch_db),
        }
    )
    return hashlib.sha256(told).hexdigest()


class _Images:
    """Map images that are open, and those that are being made."""

    def __init__(self, node: Node, *, in_background: bool) -> None:
        self._blobs, self._now, self._in_background = node.blobs, node.journal.clock.now, in_background
        self._lock = threading.Lock()
        # When each was last looked at, the longest ago first.
        self._open: OrderedDict[_Source, tuple[TiledImage, Instant]] = OrderedDict()
        self._failed: set[_Source] = set()
        self._wanted: OrderedDict[_Source, Product] = OrderedDict()
        self._making: threading.Thread | None = None

    def find(self, product: Product, source: _Source) -> TiledImage | None:
        """Map image of a source; None where there is none. It is made then, if it can be."""
        with self._lock:
            kept = self._open.pop(source, None)
            if kept is not None:
                self._open[source] = kept[0], self._now()
                return kept[0]
            if source in self._failed or source in self._wanted:
                return None
        image = self._look(source)
        if image is not None or source.layer is None:
            return image
        if not self._in_background:
            self._make(product, source)
            return self._look(source)
        with self._lock:
            self._wanted[source] = product
            if self._making is None:
                self._making = threading.Thread(target=self._work, name="map images", daemon=True)
                self._making.start()
        return None

    def is_wanted(self, source: _Source) -> bool:
        """Whether the map image of a source is being made, or will be."""
        with self._lock:
            return source in self._wanted

    def _look(self, source: _Source) -> TiledImage | None:
        """Open the map image of a source, if there is one that can be used."""
        from kizuna.formats.tiled_image import TiledImage

        try:
            if source.layer is None:
                file = self._blobs.open(source.digest) if self._blobs.has(source.digest) else None
            else:
                file = self._blobs.derived(source.digest, source.name)
            if file is None:
                return None
            image = TiledImage(file)
        except (InputError, StoreError):
            return None
        now = self._now()
        with self._lock:
            self._open[source] = image, now
            # What nobody looked at for a while is not held open, so that what was destroyed leaves the disk. Whoever draws from
            # one keeps it, and its file, until the picture is done.
            while len(self._open) > _MOST_OPEN or next(iter(self._open.values()))[1] < now - _IDLE:
                self._open.popitem(last=False)
        return image

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    self._making = None
                    return
                source, product = next(iter(self._wanted.items()))
            try:
                self._make(product, source)
            finally:
                with self._lock:
                    self._wanted.pop(source, None)

    def _make(self, product: Product, source: _Source) -> None:
        kind = _kind(product)
        try:
            if kind is None or source.layer is None:
                return
            with self._blobs.open(source.digest) as file:
                data = kind.map_image(file, source.layer)
            self._blobs.keep_derived(source.digest, source.name, data)
        except Exception:  # noqa: BLE001 - whatever it is about one file, it stands in no other's way
            # Not tried again before the node is started again: what failed will mostly fail again, at the same cost.
            with self._lock:
                self._failed.add(source)
