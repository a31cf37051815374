"""What a decision has to know of a product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.model.regions import NOWHERE_KNOWN

if TYPE_CHECKING:
    from kizuna.model.instants import Instant, Interval
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.regions import Placement

__all__ = ["Ancestor", "Subject"]


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A product that the subject is derived from; `label` None where it is not known here."""

    product: str
    originator: Party | None
    label: Label | None


@dataclass(frozen=True, slots=True)
class Subject:
    """What a decision has to know of a product.

    Parameters
    ----------
    product
        Its id, for consents and corrected labels.
    kind
        Kind of product.
    originator
        Whose it is.
    holder
        Who is asked to hand it over.
    label
        The originator's label.
    ancestors
        What it is derived from, all generations.
    complex_data
        Whether it holds phase, which an obligation may take away.
    event
        When it was observed; None where that is unknown.
    produced
        When it was made; None where that is unknown.
    resolution_m
        Coarser of its resolutions on the ground, in metres; None where it is unknown.
    placement
        How its footprint lies to the areas that agreements name.
    """

    product: str
    kind: str
    originator: Party
    holder: Party
    label: Label
    ancestors: tuple[Ancestor, ...] = ()
    complex_data: bool = True
    event: Interval | None = None
    produced: Instant | None = None
    resolution_m: float | None = None
    placement: Placement = NOWHERE_KNOWN
