"""Element sets with their places in the file that they came from, so that a bad one is refused where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.earth.orbit import Sgp4
from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kizuna.earth.elements import MeanElements
    from kizuna.formats.toml_positions import Place
    from kizuna.model.instants import Instant

__all__ = ["ElementSet", "fault_at", "newest_sets", "refuse_duplicates", "refuse_unusable"]

_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class ElementSet:
    """Mean elements and where they stand.

    Parameters
    ----------
    elements
        Mean elements.
    number_at, epoch_at, motion_at
        Places of the satellite's number, of the epoch and of the mean motion.
    """

    elements: MeanElements
    number_at: Place
    epoch_at: Place
    motion_at: Place


def fault_at(place: Place, message: Message, hint: Message | None = None) -> InputError:
    """Error about what stands at a place of a file."""
    return InputError(
        Message("line {line}, column {column}: {what}", {"line": place.line, "column": place.column, "what": message}),
        hint=hint,
        field="elements",
    )


def refuse_duplicates(sets: Iterable[ElementSet]) -> None:
    """Refuse a satellite that stands there twice with one epoch.

    Raises
    ------
    InputError
        There is one; the error names the second.
    """
    seen: dict[tuple[int, Instant], ElementSet] = {}
    for one in sets:
        first = seen.setdefault((one.elements.number, one.elements.epoch), one)
        if first is not one:
            values: dict[str, str | int | float] = {"number": one.elements.number, "first": first.number_at.line}
            raise fault_at(
                one.number_at,
                Message("satellite {number} stands here a second time with one epoch, first in line {first}", values),
                Message("leave one of the two sets out"),
            )


def newest_sets(sets: Iterable[ElementSet], at: Instant) -> tuple[ElementSet, ...]:
    """One set a satellite, in the order of the file: the newest that is not younger than `at`, else the oldest."""
    best: dict[int, ElementSet] = {}
    for one in sets:
        other = best.get(one.elements.number)
        if other is None:
            best[one.elements.number] = one
            continue
        ours, theirs = one.elements.epoch, other.elements.epoch
        if (ours > theirs) if ours <= at else (theirs > at and ours < theirs):
            best[one.elements.number] = one
    return tuple(best.values())


def refuse_unusable(sets: Sequence[ElementSet], begin: Instant, end: Instant, *, most_days: float) -> None:
    """Refuse elements whose epoch lies far off the time that is asked about, and satellites that have decayed by then.

    Raises
    ------
    InputError
        A set is unusable; the error names its epoch's or its mean motion's place.
    """
    for one in sets:
        elements = one.elements
        off_s = max((begin - elements.epoch).total_seconds(), (elements.epoch - end).total_seconds())
        if off_s > most_days * _DAY_S:
            values: dict[str, str | int | float] = {
                "name": elements.name,
                "epoch": format_instant(elements.epoch),
                "days": round(off_s / _DAY_S, 1),
                "most": most_days,
            }
            raise fault_at(
                one.epoch_at,
                Message("{name}: the epoch {epoch} lies {days} days off the time asked for, at most {most} are taken", values),
                Message("take newer elements; after weeks they say little about where a satellite is"),
            )
        orbit = Sgp4(elements, begin)
        if elements.perigee_height_m < 0.0 or not orbit.ecef([0.0])[1][0]:
            told = {
                "name": elements.name,
                "at": format_instant(begin),
                "why": orbit.why_not(0.0) or "perigee below ground",
            }
            raise fault_at(
                one.motion_at,
                Message("{name}: these elements give no orbit at {at} ({why})", told),
                Message("the satellite has decayed by then, or the elements are damaged: leave it out"),
            )
