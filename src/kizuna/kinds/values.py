"""What the kinds say of files: values that every kind's module gives back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kizuna.model.instants import Instant, Interval
    from kizuna.model.label import Label
    from kizuna.model.observation import Observation
    from kizuna.model.product import AssetRole, Footprint

    type Ring = tuple[tuple[float, float], ...]
    type Polygons = tuple[tuple[Ring, ...], ...]

__all__ = ["Extracted", "Layer", "Limits", "Reduced", "Summary"]


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a file says about itself.

    Parameters
    ----------
    title
        One line for people.
    footprint
        Outline on the ground; None where it has none.
    event
        When it was observed; None where the file does not say.
    produced
        When the file was made; None where it does not say.
    sensor
        What observed it; empty where the file does not say.
    resolution_m
        Coarser resolution on the ground, metres. For a GeoTIFF the sampling, which is never coarser than the resolution.
    polarisation
        Such as ``"HH"``; empty where the file does not say.
    complex_data
        Whether it holds phase, or may hold it.
    classification
        Marking that the file carries in itself, as written; empty where it has none. It is no label.
    notes
        Sentences that must be read with it.
    observation
        How it was observed; None where the file says nothing of that.
    media_type
        Media type of the file, where its first bytes alone do not tell it; empty where they do.
    """

    title: str
    footprint: Footprint | None
    event: Interval | None
    produced: Instant | None
    sensor: str
    resolution_m: float | None
    polarisation: str
    complex_data: bool
    classification: str
    notes: tuple[str, ...]
    observation: Observation | None = None
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """Files made from a product's original; None where none is made.

    Parameters
    ----------
    quicklook_png
        Small picture, north up.
    web_cog
        Web-optimised GeoTIFF that map tiles are cut from.
    detected_cog
        Amplitude as a cloud-optimised GeoTIFF, if the original holds or may hold phase; None where it is detected itself.
    """

    quicklook_png: bytes | None = None
    web_cog: bytes | None = None
    detected_cog: bytes | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What may remain of an image.

    Parameters
    ----------
    finest_m
        Nothing finer than this, metres on the ground; 0 for no limit.
    polygons
        Nothing outside their union: each an exterior ring and its holes, (longitude, latitude) in degrees on WGS 84, closed. None
        for no limit.
    label
        What files that carry a marking in themselves are marked as; None leaves what the source says.
    """

    finest_m: float = 0.0
    polygons: Polygons | None = None
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Reduced:
    """What remains of an image.

    Parameters
    ----------
    files
        Of each its role, name, media type and bytes; the first stands for the product.
    footprint
        Its outline on the ground; None where the image had none.
    resolution_m
        Finest distance that its cells, or its impulse responses, have on the ground, metres.
    """

    files: tuple[tuple[AssetRole, str, str, bytes], ...]
    footprint: Footprint | None
    resolution_m: float


class Layer(StrEnum):
    """What of an image is put on a map."""

    AMPLITUDE = "amplitude"
    PHASE = "phase"
