"""References: STAC items whose files stay where they are. A node keeps, finds and hands over the item, as it was.

The item tells where the files are and how they were made, so whatever asks for less than the whole leaves nothing of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from kizuna.errors import InputError, Message
from kizuna.formats import media_types
from kizuna.kinds.values import Extracted, Layer, Limits, Reduced, Summary
from kizuna.model.product import Footprint, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kizuna.model.product import Asset

__all__ = ["NAME", "extract", "map_image", "map_source", "redact", "reduce", "reducible", "sniff", "summarise", "validate"]

NAME = "reference"

_STAC = re.compile(rb'"stac_version"\s*:')
_MOST_BYTES = 16_000_000
_NOTE = "The files themselves are not here: the item says where they are."

# Obligations, by their value, that say nothing of the files.
_BESIDE_THE_ASSETS = frozenset({"caveat", "re-mark", "no-onward", "delay", "purpose"})


def sniff(head: bytes, name: str) -> str | None:  # noqa: ARG001 # the name is part of every kind's sniff; bytes decide here
    """Media type of a STAC item; None for another file.

    Examples
    --------
    >>> sniff(b'{"type": "Feature", "stac_version": "1.1.0"', "a.json")
    'application/geo+json'
    """
    return media_types.STAC_ITEM if head.lstrip()[:1] == b"{" and _STAC.search(head) else None


def validate(file: BinaryIO) -> Verdict:
    """Check an item on the way in."""
    try:
        extract(file, "")
    except InputError as error:
        return Verdict(valid=False, findings=(str(error),))
    return Verdict(valid=True)


def extract(file: BinaryIO, name: str) -> Extracted:  # noqa: ARG001 # every kind's extract has the name
    """What an item says of its product.

    Raises
    ------
    InputError
        Not one STAC item.
    """
    from kizuna.formats.stac_read import read_stac

    file.seek(0)
    data = file.read(_MOST_BYTES + 1)
    document = read_stac(data) if len(data) <= _MOST_BYTES else None
    if document is None or len(document.items) != 1 or document.links:
        raise InputError(
            Message("not one STAC item"),
            hint=Message("take in all items of a collection with: kizuna ingest --stac FILE"),
            field="file",
        )
    ((item, _form),) = document.items
    observation = item.observation
    return Extracted(
        title=item.title,
        footprint=item.footprint,
        event=item.event,
        produced=item.produced,
        sensor=item.sensor,
        resolution_m=item.resolution_m,
        polarisation="+".join(observation.radar.polarisations) if observation is not None else "",
        # Nobody here has seen them: they may hold phase.
        complex_data=True,
        classification="",
        notes=(_NOTE,),
        observation=observation,
    )


def summarise(file: BinaryIO, name: str) -> Summary:  # noqa: ARG001 # every kind's summarise has them
    """No small files: there is no image here."""
    return Summary()


def redact(assets: Sequence[Asset], obligations: Collection[str]) -> tuple[Asset, ...]:
    """Assets that may go under these obligations: all, or none where one asks for less than the whole file."""
    return () if {str(obligation) for obligation in obligations} - _BESIDE_THE_ASSETS else tuple(assets)


def reducible(assets: Sequence[Asset]) -> tuple[Asset, ...]:  # noqa: ARG001 # every kind's reducible has them
    """None: there is no image here."""
    return ()


def reduce(file: BinaryIO, name: str, footprint: Footprint | None, limits: Limits) -> Reduced:  # noqa: ARG001 # every kind's
    """Refuse.

    Raises
    ------
    InputError
        Always.
    """
    raise _no_image()


def map_source(assets: Sequence[Asset], layer: Layer) -> Asset | None:  # noqa: ARG001 # every kind's map_source has them
    """None: there is no image here."""
    return None


def map_image(file: BinaryIO, layer: Layer) -> bytes:  # noqa: ARG001 # every kind's map_image has them
    """Refuse.

    Raises
    ------
    InputError
        Always.
    """
    raise _no_image()


def _no_image() -> InputError:
    return InputError(
        Message("a reference has no image here"),
        hint=Message("take in the files that it refers to: kizuna ingest --stac"),
        field="file",
    )
