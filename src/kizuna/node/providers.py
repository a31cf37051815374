"""Whose satellites a receiver can count on, by the agreements in the register.

An image that is only planned is decided on like one that exists: the release decision says whether its provider could hand it
over, for the instant at which it would be taken and as known at an instant. So a suspension, a withdrawal or an end that the
register holds is seen here without being told twice. Whatever is refused or must be referred to a person does not count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn, Self

import numpy as np

from kizuna.catalog.areas import Placer, areas_of
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant, Interval
from kizuna.model.label import Label
from kizuna.model.parties import nation_of
from kizuna.model.product import Footprint
from kizuna.model.regions import NOWHERE_KNOWN, Placement
from kizuna.node.tasking import binds_alone, placement_of, telling
from kizuna.node.what_if import suppose
from kizuna.planning.passes import Availability
from kizuna.release.decide import Subject, decide_in
from kizuna.release.decision import Outcome
from kizuna.release.markings import UNCLASSIFIED
from kizuna.release.view import view_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from kizuna.model.parties import Party
    from kizuna.planning.tasking import ImageRequest
    from kizuna.release.decision import Decision
    from kizuna.release.register import Register
    from kizuna.release.view import View

__all__ = ["Counted", "Fleet", "Lie", "Question", "Standing", "count", "everyone", "lie_of", "supposed", "tellable"]

_PLANNED = "(planned)"
_SCENE_DEG = 0.04
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Fleet:
    """Satellites and whose they are.

    Parameters
    ----------
    satellites
        Names.
    providers
        Party of each satellite: who would hand over its images.
    resolution_m
        Resolution of each provider's images, where it is known: an article may set a limit to it.
    """

    satellites: tuple[str, ...]
    providers: tuple[Party, ...]
    resolution_m: tuple[tuple[Party, float], ...] = ()

    @property
    def parties(self) -> tuple[Party, ...]:
        """Each provider once, in order."""
        return tuple(sorted(set(self.providers)))

    @property
    def owner(self) -> list[int]:
        """Number of each satellite's provider in `parties`."""
        numbers = {party: number for number, party in enumerate(self.parties)}
        return [numbers[party] for party in self.providers]


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for images, of what, when.

    Parameters
    ----------
    receiver
        Who would receive the images. Its own satellites always count.
    begin, end
        Period over which they would be taken; it is what the passes count their seconds from.
    known_at
        What was recorded after this instant is left out.
    kind, classification
        Kind of product, and its marking in the policy of the provider's nation.
    purpose
        What for; empty where that is not said.
    """

    receiver: Party
    begin: Instant
    end: Instant
    known_at: Instant
    kind: str = "imagery"
    classification: str = UNCLASSIFIED
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a provider stands from an instant until another.

    Parameters
    ----------
    provider
        Whose satellites.
    term
        From when until when.
    group
        Group of places that this holds for.
    decision
        What was decided of an image taken then; None for the receiver's own satellites, of which nothing need be decided.
    """

    provider: Party
    term: Interval
    group: int
    decision: Decision | None

    @property
    def counts(self) -> bool:
        """Whether one can count on it."""
        return self.decision is None or self.decision.outcome is Outcome.PERMIT


@dataclass(frozen=True, slots=True, eq=False)
class Lie:
    """How places lie to the areas that agreements name: those that lie alike are one group.

    Parameters
    ----------
    kinds
        Ways in which places lie.
    group
        Shape (places,): which of them each place has.
    """

    kinds: tuple[Placement, ...]
    group: npt.NDArray[np.int32]

    @classmethod
    def of(cls, placements: Iterable[Placement]) -> Self:
        """Groups of places, of each place's own."""
        known: dict[Placement, int] = {}
        group = np.array([known.setdefault(each, len(known)) for each in placements], np.int32)
        return cls(tuple(known) or (NOWHERE_KNOWN,), group)


def lie_of(register: Register, places: Iterable[tuple[float, float]]) -> Lie:
    """How places lie to the areas that agreements name: of each a scene of some kilometres around it.

    Parameters
    ----------
    register
        All facts.
    places
        Longitude and latitude of each, in degrees.
    """
    areas = areas_of(register.agreements)
    if not areas:
        return Lie.of(Placement(touches=frozenset()) for _ in places)
    placer = Placer(areas)
    return Lie.of(placer.place(_scene(longitude, latitude)) for longitude, latitude in places)


def _scene(longitude_deg: float, latitude_deg: float) -> Footprint:
    half = _SCENE_DEG / 2.0
    west, east = longitude_deg - half, longitude_deg + half
    south, north = max(latitude_deg - half, -90.0), min(latitude_deg + half, 90.0)
    return Footprint(((west, south), (east, south), (east, north), (west, north), (west, south)))


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Whose satellites count, and why.

    Parameters
    ----------
    standings
        Of each provider in each group of places, in order of time.
    available
        The same, satellite by satellite.
    """

    standings: Mapping[tuple[Party, int], tuple[Standing, ...]]
    available: Availability


def count(register: Register, fleet: Fleet, question: Question, lie: Lie) -> Counted:
    """Whose satellites count for images of places.

    Parameters
    ----------
    register
        All facts.
    fleet
        Satellites.
    question
        Who asks, when.
    lie
        How the places lie to the areas that the agreements name.

    Notes
    -----
    The state of the agreements can only change at the dates that they name (`View.next_date`), so one decision is taken between
    each two of them, for each provider and each group of places that lie alike to all areas.
    """
    return _count(register, fleet, question, lie, {})


def everyone(fleet: Fleet, question: Question, lie: Lie) -> Counted:
    """All satellites, as if every provider gave everything: what geometry alone allows."""
    span = Interval(question.begin, question.end)
    standings = {
        (party, number): (Standing(party, span, number, None),) for party in fleet.parties for number in range(len(lie.kinds))
    }
    active = np.ones((len(lie.kinds), 1, len(fleet.satellites)), np.bool_)
    return Counted(standings, Availability(np.empty(0), active, lie.group))


def supposed(
    register: Register, fleet: Fleet, question: Question, lie: Lie, counted: Counted, changes: Sequence[str], at: Instant
) -> Counted:
    """Whose satellites count if something changed at an instant.

    Parameters
    ----------
    register, fleet, question, lie
        As for `count`.
    counted
        What it found of these.
    changes
        ``suspend:ID``, ``resume:ID`` or ``withdraw:ID`` of an agreement in the register; ``suspend:PARTY`` or ``withdraw:PARTY``
        of a provider with all its satellites, ``join:PARTY`` as if an agreement let it give all; ``lose:SATELLITE``.
    at
        When they happen.

    Raises
    ------
    InputError
        If one is none of these, or names nothing that is known.
    """
    switches, register = _switches(register, fleet, question, changes, at)
    agreements = {change.partition(":")[2] for change in changes if not _is_switch(change, fleet)}
    if agreements:
        # What changes of an agreement changes nothing for providers of nations that have no part in it.
        touched = {
            nation_of(party)
            for agreement in register.agreements
            if agreement.id in agreements
            for party in (*agreement.parties, *(giver for article in agreement.articles for giver in article.givers))
        }
        same = {key: found for key, found in counted.standings.items() if nation_of(key[0]) not in touched}
        counted = _count(register, fleet, question, lie, same)
    available = counted.available
    from_s = (at - question.begin).total_seconds() if at > question.begin else float("-inf")
    for which, counts in switches:
        available = available.switched(which, from_s, counts=counts)
    return Counted(counted.standings, available)


def tellable(
    register: Register, fleet: Fleet, question: Question, requests: Iterable[ImageRequest], changes: Sequence[str], at: Instant
) -> dict[str, dict[Party, tuple[Interval, ...]]]:
    """When which providers may be told of each request, by its id, if something changed at an instant.

    Parameters
    ----------
    register, fleet, question
        As for `count`; the receiver is who asks.
    requests
        What would be asked.
    changes, at
        As for `supposed`; none: as things stand. A provider that joins may be told of all.

    Returns
    -------
    tellable
        Parts of the period that touch the request's time and in which a decision lets each provider know; one that may never know
        is left out.
    """
    _satellites, register = _switches(register, fleet, question, changes, at)
    joined = {change.partition(":")[2] for change in changes if change.startswith("join:")}
    placer, spans = Placer(areas_of(register.agreements)), _spans(register, question)
    found: dict[str, dict[Party, tuple[Interval, ...]]] = {}
    for request in requests:
        placement = placement_of(request, placer)
        about = [each for each in spans if each.begin < request.deadline and (each.end is None or request.begin < each.end)]

        def may_know(party: Party, span: Interval, request: ImageRequest = request, lie: Placement = placement) -> bool:
            if party == question.receiver or party in joined:
                return True
            return binds_alone(telling(register, request, question.receiver, party, lie, span.begin, question.known_at))

        told = {party: tuple(span for span in about if may_know(party, span)) for party in fleet.parties}
        found[request.id] = {party: when for party, when in told.items() if when}
    return found


def _is_switch(change: str, fleet: Fleet) -> bool:
    """Whether a change is about a provider or a satellite, not about an agreement."""
    verb, _colon, name = change.partition(":")
    return verb in {"join", "lose"} or (verb in {"suspend", "withdraw"} and name in fleet.providers)


def _switches(
    register: Register, fleet: Fleet, question: Question, changes: Sequence[str], at: Instant
) -> tuple[list[tuple[npt.NDArray[np.bool_], bool]], Register]:
    """Which satellites changes switch on or off, and the register with what they suppose of agreements."""
    switches: list[tuple[npt.NDArray[np.bool_], bool]] = []
    for change in changes:
        verb, _colon, name = change.partition(":")
        if not _is_switch(change, fleet):
            register = suppose(register, change, at, question.known_at)
        elif verb == "lose" and name in fleet.satellites:
            switches.append((np.array(fleet.satellites) == name, False))
        elif verb != "lose" and name in fleet.providers:
            switches.append((np.array(fleet.providers) == name, verb == "join"))
        else:
            _refuse(change, fleet.satellites if verb == "lose" else fleet.parties)
    return switches, register


def _count(
    register: Register,
    fleet: Fleet,
    question: Question,
    lie: Lie,
    same: Mapping[tuple[Party, int], tuple[Standing, ...]],
) -> Counted:
    """Decide for all providers but those of which it is known already."""
    view, spans = view_of(register, question.known_at), _spans(register, question)
    active = np.zeros((len(lie.kinds), len(spans), len(fleet.parties)), np.bool_)
    standings: dict[tuple[Party, int], tuple[Standing, ...]] = {}
    for column, party in enumerate(fleet.parties):
        for number, placement in enumerate(lie.kinds):
            found = same.get((party, number))
            if found is None:
                found = tuple(_joined(_decided(view, fleet, question, party, placement, number, span) for span in spans))
            standings[party, number] = found
            for when, span in enumerate(spans):
                active[number, when, column] = next(each.counts for each in found if span.begin in each.term)
    cuts_s = np.array([(span.begin - question.begin).total_seconds() for span in spans[1:]])
    return Counted(standings, Availability(cuts_s, active[:, :, fleet.owner], lie.group))


def _spans(register: Register, question: Question) -> list[Interval]:
    """Parts of the period in which no agreement changes its state."""
    view = view_of(register, question.known_at)
    spans, begin = [], question.begin
    while (following := view.next_date(begin)) is not None and following < question.end:
        spans.append(Interval(begin, following))
        begin = following
    return [*spans, Interval(begin, question.end)]


def _decided(
    view: View, fleet: Fleet, question: Question, provider: Party, placement: Placement, group: int, span: Interval
) -> Standing:
    """Decide on an image that is only planned: taken, made and labelled at the begin of a span."""
    at = span.begin
    if provider == question.receiver:
        return Standing(provider, span, group, None)
    subject = Subject(
        product=_PLANNED,
        kind=question.kind,
        originator=provider,
        holder=provider,
        label=Label(nation_of(provider), question.classification, provider, at),
        event=Interval(at, Instant(at + _MICROSECOND)),
        produced=at,
        resolution_m=dict(fleet.resolution_m).get(provider),
        placement=placement,
    )
    return Standing(provider, span, group, decide_in(view, subject, question.receiver, at, question.purpose))


def _joined(standings: Iterable[Standing]) -> Iterator[Standing]:
    """Standings one after the other, those that say the same as one."""
    last: Standing | None = None
    for each in standings:
        if last is not None and (last.decision is each.decision or last.decision == each.decision):
            last = replace(last, term=Interval(last.term.begin, each.term.end))
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last


def _refuse(change: str, known: Iterable[str]) -> NoReturn:
    verb, _, name = change.partition(":")
    near = get_close_matches(name, list(known), 3, 0.5)
    hint = (
        Message("did you mean: {names}", {"names": ", ".join(near)})
        if near
        else Message("name one that the satellites here have; see: kizuna plan whatif --help")
    )
    raise InputError(
        Message("if: {verb}: nothing here is called {name!r}", {"verb": verb, "name": name[:200]}), hint=hint, field="if"
    )
