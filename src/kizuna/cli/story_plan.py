"""The demo's picture: how often Kyiv and Tokyo are imaged, before and after a partner suspends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.cli.plan_options import AskedLimits, AskedPlaces, Asking
from kizuna.cli.plan_orbits import fly
from kizuna.cli.plan_search import ask, caption, search
from kizuna.cli.terminal import _
from kizuna.errors import Message
from kizuna.model.parties import parse_party
from kizuna.wiring import load_register, sample_folder

if TYPE_CHECKING:
    from pathlib import Path

    from kizuna.model.instants import Instant

__all__ = ["Loss", "draw_loss", "told"]

_PLACES = {"UKR/HUR": "Kyiv=50.45,30.52", "JPN/IQPS": "Tokyo=35.68,139.69"}
_BEGIN = "2026-05-08"
_AGREEMENT = "ICEYE-IMAGERY"
_DAYS = 3.0
_CHART_HOURS = 36.0


@dataclass(frozen=True, slots=True)
class Loss:
    """What a suspension costs at one place: mean times from a request to its image, in seconds."""

    place: str
    receiver: str
    before_s: float
    after_s: float


def draw_loss(path: Path, known_at: Instant) -> list[Loss]:
    """Draw the picture, and give its figures.

    Parameters
    ----------
    path
        PNG to write.
    known_at
        What the sample's agreements are read as known at.
    """
    import numpy as np

    from kizuna.formats.plan_pictures import Frame, Track, what_if_picture
    from kizuna.node.providers import Fleet, Question, count, lie_of, supposed
    from kizuna.planning.revisit import Baseline, images_s

    sample = sample_folder("planning")
    accepted = [file.stem for file in sorted((sample / "agreements" / "fictional").glob("*.toml"))]
    register = load_register(sample / "agreements", accepted, ())
    wanted = Asking(AskedPlaces(tuple(_PLACES.values())), limits=AskedLimits("15:45", "either"), begin=_BEGIN, days=_DAYS)
    asked = ask(wanted)
    flown = fly((), wanted.satellites, asked.limits, asked.begin, asked.duration_s)
    fleet = Fleet(flown.satellites.names, tuple(p for each in flown.satellites.sensors if (p := each.party) is not None))
    passes = search(flown, asked).passes
    lie = lie_of(register, [(place.longitude_deg, place.latitude_deg) for _name, place in asked.places])
    tracks, losses = [], []
    for number, receiver in enumerate(_PLACES):
        question = Question(parse_party(receiver), asked.begin, asked.end, known_at)
        before = count(register, fleet, question, lie)
        after = supposed(register, fleet, question, lie, before, [f"suspend:{_AGREEMENT}"], asked.begin).available
        base = Baseline.of(passes, before.available, fleet.owner)
        today, then = base.today, base.after(after)
        at_s, satellite = images_s(passes, number, before.available)
        kept = np.isin(at_s, images_s(passes, number, after)[0])
        pairs = (
            (float(today.mean_s[number]), float(then.mean_s[number])),
            (float(today.response_s[number]), float(then.response_s[number])),
            (float(today.worst_s[number]), float(then.worst_s[number])),
        )
        name = asked.places[number][0]
        tracks.append(Track(f"{name}, {receiver}", at_s, np.array(fleet.owner)[satellite], kept, None, pairs))
        losses.append(Loss(name, receiver, *pairs[1]))
    title = _("If {change}, from {day} on").format(change=_("{name} is suspended").format(name=_AGREEMENT), day=_BEGIN)
    text = f"{caption(asked)}; {_('FICTIONAL agreements, real orbits of 48 satellites')}"
    frame = Frame(title, text, asked.begin, _CHART_HOURS, fleet.parties)
    path.write_bytes(what_if_picture(frame, tracks, say=lambda message: message.render(_)))
    return losses


def told(loss: Loss) -> Message:
    """A loss in one line."""
    values: dict[str, str | int | float] = {
        "place": loss.place,
        "receiver": loss.receiver,
        "before": f"{loss.before_s / 60.0:.0f}",
        "after": f"{loss.after_s / 60.0:.0f}",
    }
    return Message("  {place}: {receiver} waits {after} minutes for an image on average, instead of {before}", values)
