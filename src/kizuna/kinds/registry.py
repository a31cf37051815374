"""The kinds of product that this version knows. Each is a module here; its heavy parts load when they are first used."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, Protocol

from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import PurePath

    from kizuna.kinds.values import Extracted, Layer, Limits, Reduced, Summary
    from kizuna.model.product import Asset, Footprint, Verdict
    from kizuna.release.decision import ObligationKind

__all__ = ["HEAD_BYTES", "Kind", "kind_named", "kind_names", "sniff"]

_KINDS = ("imagery", "phase-history", "reference")
HEAD_BYTES = 4096
"""How much of a file `sniff` looks at."""


class Kind(Protocol):
    """What a module in `kinds/` offers."""

    NAME: str

    def sniff(self, head: bytes, name: str) -> str | None:
        """Media type of a file of this kind, from its first bytes and its name; None for a file of another kind."""
        ...

    def extract(self, file: BinaryIO, name: str) -> Extracted:
        """What the file says about itself; raises InputError for a damaged one."""
        ...

    def validate(self, file: BinaryIO) -> Verdict:
        """Check a file on the way in."""
        ...

    def summarise(self, file: BinaryIO, name: str) -> Summary:
        """Make the small files that stand for it."""
        ...

    def redact(self, assets: Sequence[Asset], obligations: Collection[ObligationKind]) -> tuple[Asset, ...]:
        """Assets that may go under these obligations, by leaving out others."""
        ...

    def reducible(self, assets: Sequence[Asset]) -> Sequence[Asset]:
        """Assets that `reduce` may be able to take, in the order in which to try; empty where there is none."""
        ...

    def reduce(self, file: BinaryIO, name: str, footprint: Footprint | None, limits: Limits) -> Reduced:
        """Make what remains under limits, the same bytes each time; raises InputError where nothing does."""
        ...

    def map_source(self, assets: Sequence[Asset], layer: Layer) -> Asset | None:
        """Asset that `map_image` can take; None where there is none."""
        ...

    def map_image(self, file: BinaryIO, layer: Layer) -> bytes:
        """Web-optimised COG that map tiles are cut from; raises InputError where none can be made."""
        ...


def kind_names() -> Sequence[str]:
    """Names of all kinds."""
    return _KINDS


def kind_named(name: str) -> Kind:
    """Kind of this name.

    Raises
    ------
    InputError
        If this version does not know it.
    """
    if name not in _KINDS:
        raise InputError(
            Message("unknown kind of product {name!r}, known: {known}", {"name": name, "known": ", ".join(_KINDS)}),
            hint=Message("use a version of kizuna that knows it"),
            field="kind",
        )
    return _kind(name)


@cache
def _kind(name: str) -> Kind:
    # Even of a module that is there already the import system asks again and again whether it is.
    module: Kind = importlib.import_module(f"kizuna.kinds.{name.replace('-', '_')}")
    return module


def sniff(head: bytes, path: PurePath) -> tuple[Kind, str]:
    """Kind and media type of a file, from its first bytes and its name.

    Raises
    ------
    InputError
        If no kind takes it.
    """
    for name in _KINDS:
        kind = kind_named(name)
        media_type = kind.sniff(head, path.name)
        if media_type is not None:
            return kind, media_type
    raise InputError(
        Message("{path} is of no kind that is known here", {"path": str(path)}),
        hint=Message(
            "known are {formats}; check that the whole file arrived and is what its name says",
            {"formats": "SICD, SIDD (NITF), GeoTIFF, Sentinel-1 SAFE (ZIP), CPHD, CRSD, STAC items"},
        ),
        field="file",
    )
