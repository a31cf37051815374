"""Phase history: CPHD and CRSD. A node keeps, finds and hands over the file; no picture is made of it.

Whatever asks for less than the whole file leaves nothing of it: every sample of it is phase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from kizuna.errors import InputError, Message
from kizuna.formats import media_types
from kizuna.formats.signal_blocks import standard_of
from kizuna.kinds.values import Extracted, Layer, Limits, Reduced, Summary
from kizuna.model.product import Footprint, Verdict
from kizuna.model.reading import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from kizuna.model.product import Asset

__all__ = ["NAME", "extract", "map_image", "map_source", "redact", "reduce", "reducible", "sniff", "summarise", "validate"]

NAME = "phase-history"

_MEDIA_TYPES = {"CPHD": media_types.CPHD, "CRSD": media_types.CRSD}

# Obligations, by their value, that say nothing of the files.
_BESIDE_THE_ASSETS = frozenset({"caveat", "re-mark", "no-onward", "delay", "purpose"})


def sniff(head: bytes, name: str) -> str | None:  # noqa: ARG001 # the name is part of every kind's sniff; bytes decide here
    r"""Media type of a phase history file; None for another.

    Examples
    --------
    >>> sniff(b"CPHD/1.1.0\n", "a.cphd")
    'application/vnd.nga.cphd'
    """
    return _MEDIA_TYPES.get(standard_of(head) or "")


def validate(file: BinaryIO) -> Verdict:
    """Check a phase history file on the way in: that its metadata can be read and its blocks all lie within it."""
    from kizuna.formats.phase_history import read_phase_history_summary

    try:
        read_phase_history_summary(file)
    except InputError as error:
        return Verdict(valid=False, findings=(str(error),))
    return Verdict(valid=True)


def extract(file: BinaryIO, name: str) -> Extracted:
    """What a phase history file says about itself.

    Raises
    ------
    InputError
        Neither CPHD nor CRSD, or a damaged file.
    """
    from kizuna.formats.phase_history import read_phase_history_summary

    summary = read_phase_history_summary(file)
    ring, observation = summary.footprint_lonlat_deg, summary.observation
    return Extracted(
        title=one_line(summary.name) or name,
        footprint=None if ring is None else Footprint((*ring, ring[0])),
        event=summary.collected,
        produced=summary.produced,
        sensor=one_line(summary.sensor),
        resolution_m=None,
        polarisation="+".join(observation.radar.polarisations) if observation is not None else "",
        complex_data=True,
        classification=one_line(summary.classification),
        notes=(),
        observation=observation,
    )


def summarise(file: BinaryIO, name: str) -> Summary:  # noqa: ARG001 # every kind's summarise has them
    """No small files: an image would have to be formed first."""
    return Summary()


def redact(assets: Sequence[Asset], obligations: Collection[str]) -> tuple[Asset, ...]:
    """Assets that may go under these obligations: all, or none where one asks for less than the whole file."""
    return () if {str(obligation) for obligation in obligations} - _BESIDE_THE_ASSETS else tuple(assets)


def reducible(assets: Sequence[Asset]) -> tuple[Asset, ...]:  # noqa: ARG001 # every kind's reducible has them
    """None: phase history is not made coarser or cut."""
    return ()


def reduce(file: BinaryIO, name: str, footprint: Footprint | None, limits: Limits) -> Reduced:  # noqa: ARG001 # every kind's
    """Refuse.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        Message("phase history is not made coarser or cut"),
        hint=Message("Form an image of it, and release that."),
        field="file",
    )


def map_source(assets: Sequence[Asset], layer: Layer) -> Asset | None:  # noqa: ARG001 # every kind's map_source has them
    """None: there is no image to put on a map."""
    return None


def map_image(file: BinaryIO, layer: Layer) -> bytes:  # noqa: ARG001 # every kind's map_image has them
    """Refuse.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(
        Message("phase history has no image to put on a map"),
        hint=Message("Form an image of it, and publish that."),
        field="file",
    )
