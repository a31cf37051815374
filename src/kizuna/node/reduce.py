"""The form in which a product goes: files made coarser or cut to an area, and the record cut to match.

What leaving files out does (`detected-only`) is done at once. Coarser or cut files are made once, by `prepare`, which may take
minutes and is called when nobody waits; `reduce_product` then only looks up what was made. It is kept under what it was made
from and what was asked, so the same question finds the same bytes, before and after a restart. What could not be made is kept
as well, with the reason: nothing of it goes, and `why_not_reduced` tells the operator.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kizuna.catalog.areas import polygons_in_all
from kizuna.errors import InputError, Message, StoreError
from kizuna.kinds.registry import kind_named
from kizuna.kinds.values import Limits
from kizuna.model.canonical import canonical
from kizuna.model.digests import Digest, digest_of
from kizuna.model.label import label_to_json
from kizuna.model.observation import after_reducing, after_stripping
from kizuna.model.product import Asset, AssetRole, Footprint, Product, Verdict
from kizuna.node.decisions import as_labelled_now, decide_item
from kizuna.release.decision import ObligationKind, Outcome
from kizuna.release.view import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kizuna.kinds.values import Reduced
    from kizuna.model.canonical import Json
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.product import ProductId
    from kizuna.model.regions import Area
    from kizuna.node.state import Node
    from kizuna.release.decision import Decision

__all__ = ["MADE_ANEW", "outgoing_label", "prepare", "reduce_product", "reduces_for", "why_not_reduced"]

MADE_ANEW = frozenset({ObligationKind.RESOLUTION, ObligationKind.AREA})
"""Obligations under which other files go than those that the node was given."""
# Goes up when the same image and limits give other bytes: what was made before is then made again.
_RECIPE = 2
_NOT_MADE_YET = Message("its reduced form is not made yet")


@dataclass(frozen=True, slots=True)
class _Made:
    """What is kept of one reduction: the files and what the record says of them, or why there is none.

    Parameters
    ----------
    assets, ring, resolution_m
        Files, outline and resolution.
    failure
        Why nothing could be made; None where it was.
    again
        Whether to try again: the fault lay in this machine, not in the image.
    """

    assets: tuple[Asset, ...] = ()
    ring: tuple[tuple[float, float], ...] | None = None
    resolution_m: float = 0.0
    failure: Message | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class _Task:
    """One reduction that a decision asks for: of which file (the first of `sources` of which it can be made), and to what."""

    sources: tuple[Asset, ...]
    footprint: Footprint | None
    finest_m: float
    areas: tuple[tuple[Area, ...], ...]
    label: Label | None

    @property
    def key(self) -> str:
        """Name under which it is kept: a digest of all that its bytes hang on."""
        footprint = self.footprint
        asked: dict[str, Json] = {
            "recipe": _RECIPE,
            "sources": [[source.digest, source.name] for source in self.sources],
            "label": None if self.label is None else label_to_json(self.label),
            "ring": None if footprint is None else [list(point) for point in footprint.ring],
            "nominal": footprint is not None and footprint.nominal,
            "finest_m": self.finest_m,
            "areas": [tuple(sorted(area.id for area in areas)) for areas in self.areas],
        }
        return f"reduced {digest_of(canonical(asked))}"


def _cannot(message: Message) -> InputError:
    return InputError(message, hint=Message("Nothing of the product goes under this article; the original is as it was."))


def _task(node: Node, product: Product, decision: Decision) -> _Task | None:
    """What a permit asks to be made; None where leaving files out is enough.

    Raises
    ------
    InputError
        If it cannot be known what is asked, or the product has no file that it could be made from.
    """
    asked = [o for o in decision.obligations if o.kind in MADE_ANEW]
    if not asked:
        return None
    # Of several limits the coarsest holds.
    finest_m = max((amount(o.value) for o in asked if o.kind is ObligationKind.RESOLUTION), default=0.0)
    areas = tuple(_areas(node, decision)) if any(o.kind is ObligationKind.AREA for o in asked) else ()
    sources = tuple(kind_named(product.kind).reducible(product.assets))
    if not sources:
        raise _cannot(Message("it has no detected image that could be made coarser or cut"))
    if not math.isfinite(finest_m) or (not areas and finest_m == 0.0):
        raise _cannot(Message("it is not known what {agreement} asks", {"agreement": asked[0].agreement}))
    # A complex image carries its marking in itself: that under which it goes.
    marked = [(o.kind.value, o.value) for o in decision.obligations] if product.complex_data else None
    label = None if marked is None else outgoing_label(product.label, marked)
    return _Task(sources, product.footprint, finest_m, areas, label)


def _areas(node: Node, decision: Decision) -> Iterator[tuple[Area, ...]]:
    """Areas of the articles that ask for a cut, of the version that was decided on; what remains lies in one of each of these."""
    grant = decision.reasons[0]
    for obligation in decision.obligations:
        if obligation.kind is not ObligationKind.AREA:
            continue
        found = [
            article.areas
            for agreement in node.knowledge().register.agreements
            if (agreement.id, agreement.version) == (obligation.agreement, grant.version) and agreement.id == grant.agreement
            for article in agreement.articles
            if article.number == obligation.article and any(o.kind is ObligationKind.AREA for o in article.obligations)
        ]
        if not found or not all(found):
            values: dict[str, str | int | float] = {"agreement": obligation.agreement, "article": obligation.article}
            raise _cannot(Message("the areas of {agreement} article {article} are not known", values))
        # Two articles of one number: nobody knows which of them it was.
        yield from found


# ---- what was made


def _kept(node: Node, task: _Task) -> _Made | None:
    text = node.store.setting(task.key)
    if text is None:
        return None
    form = json.loads(text)
    failure = form.get("failure")
    if failure is not None:
        template, values = failure["template"], failure["values"]
        return _Made(failure=Message(template, values), again=form["again"])
    assets = tuple(
        Asset(AssetRole(a["role"]), a["name"], a["media_type"], Digest(a["digest"]), a["size"]) for a in form["assets"]
    )
    if not all(node.blobs.has(asset.digest) for asset in assets):
        # A folder that was restored without all of its files.
        return None
    ring = form["ring"]
    return _Made(assets, None if ring is None else tuple((x, y) for x, y in ring), form["resolution_m"])


def _keep(node: Node, task: _Task, made: _Made) -> None:
    form: dict[str, Json]
    if made.failure is None:
        form = {
            "assets": [
                {"role": a.role.value, "name": a.name, "media_type": a.media_type, "digest": a.digest, "size": a.size}
                for a in made.assets
            ],
            "ring": None if made.ring is None else [list(point) for point in made.ring],
            "resolution_m": made.resolution_m,
        }
    else:
        values = {name: part.render() if isinstance(part, Message) else part for name, part in made.failure.values.items()}
        form = {"failure": {"template": made.failure.template, "values": {**values}}, "again": made.again}
    node.store.keep_setting(task.key, canonical(form).decode())


def _make(node: Node, product: Product, task: _Task) -> _Made:
    try:
        reduced = _reduced(node, product, task)
        assets = []
        for role, name, media_type, data in reduced.files:
            digest, size = node.blobs.put(data)
            assets.append(Asset(role, name, media_type, digest, size))
    except InputError as error:
        return _Made(failure=error.message)
    except StoreError as error:
        return _Made(failure=error.message, again=True)
    return _Made(tuple(assets), None if reduced.footprint is None else reduced.footprint.ring, reduced.resolution_m)


def _reduced(node: Node, product: Product, task: _Task) -> Reduced:
    """What remains, made of the first file of which it can be."""
    limits = Limits(task.finest_m, polygons_in_all(task.areas) if task.areas else None, task.label)
    *former, last = task.sources
    for source in former:
        with suppress(InputError), node.blobs.open(source.digest) as file:
            return kind_named(product.kind).reduce(file, source.name, task.footprint, limits)
    with node.blobs.open(last.digest) as file:
        return kind_named(product.kind).reduce(file, last.name, task.footprint, limits)


def reduces_for(node: Node, partner: Party) -> bool:
    """Whether any agreement asks for files made coarser or cut before they go to `partner`: most nodes never look further."""
    return any(
        partner in article.receivers and any(o.kind in MADE_ANEW for o in article.obligations)
        for agreement in node.knowledge().register.agreements
        for article in agreement.articles
    )


def prepare(node: Node, partner: Party, products: Iterable[ProductId]) -> None:
    """Make the files in which products may go to a partner, where they have to be made and are not there yet.

    Call it outside the store's transactions. What cannot be made stands in nobody else's way: it is noted, and the next one made.
    """
    if not reduces_for(node, partner):
        return
    for product_id in products:
        item = node.store.items.get(product_id)
        if item is None:
            continue
        decision = decide_item(node, item.product, partner)
        if decision.outcome is not Outcome.PERMIT:
            continue
        with suppress(InputError):
            task = _task(node, as_labelled_now(node, item.product), decision)
            if task is None:
                continue
            kept = _kept(node, task)
            if kept is None or kept.again:
                made = _make(node, item.product, task)
                # A disk too full even for the note: the next look tries again.
                with suppress(StoreError):
                    if made != kept:
                        _keep(node, task, made)


# ---- what goes


def reduce_product(node: Node, product: Product, decision: Decision) -> Product | None:
    """Product in the form in which it may go: every obligation of the permit applied, its record cut to match.

    Parameters
    ----------
    node
        This node, which holds what `prepare` made.
    product
        Product under its label as it is now (`as_labelled_now`).
    decision
        The permit.

    Returns
    -------
    reduced
        None where the obligations leave no file of it, or its files are not made yet. It names no other product or file: those
        that the partner may know of are put in by `kizuna.node.forms.as_told`.
    """
    try:
        task = _task(node, product, decision)
    except InputError:
        return None
    made = None if task is None else _kept(node, task)
    if task is not None:
        if made is None or made.failure is not None:
            return None
        product = _with_files(product, made)
    kinds = {obligation.kind for obligation in decision.obligations}
    assets = kind_named(product.kind).redact(product.assets, kinds if task is None else kinds - MADE_ANEW)
    if not assets:
        return None
    had_original = product.asset(AssetRole.ORIGINAL) is not None
    stripped = task is not None or (had_original and all(a.role is not AssetRole.ORIGINAL for a in assets))
    plain = not decision.obligations and not product.lineage and product.supersedes is None and assets == product.assets
    if plain and (had_original or not product.complex_data):
        # As most go: nothing is taken away, and nothing is named that the partner may not know of.
        return product
    # Not even a digest of what was taken away goes along.
    content = assets[0] if stripped else None
    return replace(
        product,
        media_type=product.media_type if content is None else content.media_type,
        content=product.content if content is None else content.digest,
        label=outgoing_label(product.label, [(o.kind.value, o.value) for o in decision.obligations]),
        assets=tuple(assets),
        lineage=(),
        supersedes=None,
        reductions=(*product.reductions, *(o.kind.value for o in decision.obligations)),
        complex_data=product.complex_data and any(asset.role is AssetRole.ORIGINAL for asset in assets),
        # What was made coarser or cut comes here with less already.
        observation=after_stripping(product.observation) if stripped else product.observation,
    )


def _with_files(product: Product, made: _Made) -> Product:
    """Record of a product with the files that were made of it in place of its own."""
    footprint = product.footprint
    return replace(
        product,
        assets=made.assets,
        footprint=None if made.ring is None else Footprint(made.ring, footprint is not None and footprint.nominal),
        # Small cells of a coarse image do not make it finer.
        resolution_m=max(made.resolution_m, product.resolution_m or 0.0),
        # What was found in the whole file may speak of what was taken away.
        verdict=Verdict(product.verdict.valid),
        observation=after_reducing(product.observation),
    )


def outgoing_label(label: Label, obligations: Sequence[tuple[str, str]]) -> Label:
    """Label as it goes out under obligations, each its kind and value: their caveats stand behind its own."""
    caveats = [value for kind, value in obligations if kind == ObligationKind.CAVEAT]
    marks = [f"To be protected as {value}" for kind, value in obligations if kind == ObligationKind.REMARK]
    return replace(label, caveats=(*label.caveats, *marks, *caveats))


# ---- what does not


def why_not_reduced(node: Node, product: Product, decision: Decision) -> Message | None:
    """Why nothing of a product goes although it is permitted; None where something can go."""
    try:
        task = _task(node, product, decision)
    except InputError as error:
        return error.message
    if task is not None:
        made = _kept(node, task)
        if made is None:
            return _NOT_MADE_YET
        if made.failure is not None:
            return made.failure
    if reduce_product(node, product, decision) is None:
        return Message("its obligations leave no file of it")
    return None
