"""What ``kizuna plan whatif`` says: in words, as JSON, as pictures and files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from kizuna.cli.plan_files import said, table, under_label
from kizuna.cli.plan_search import about, caption, figures, land_outlines, minutes
from kizuna.cli.terminal import _, print_table, say
from kizuna.errors import Message
from kizuna.model.instants import format_instant
from kizuna.model.parties import Party
from kizuna.release.rules import RuleId

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kizuna.cli.plan_orbits import Flown
    from kizuna.cli.plan_search import Asked, Found
    from kizuna.earth.wgs84 import Geodetic
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.node.providers import Counted, Fleet, Lie, Question
    from kizuna.planning.passes import Availability
    from kizuna.planning.revisit import Baseline, Revisit
    from kizuna.planning.sensors import Catalogue
    from kizuna.planning.tasking import ImageRequest, Spot
    from kizuna.planning.whatif import Answer, Replacement
    from kizuna.release.decision import Decision
    from kizuna.release.register import Register

__all__ = ["ANYBODY", "Case", "Change", "Wish", "draw", "form", "tell"]

_CHART_HOURS = 36.0
_MOST_ROWS = 20
_MOST_REPLACEMENTS = 8
ANYBODY = Party("*")
"""Stands for a receiver whom nobody named, where no register is asked."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a question is asked of: the same for all questions. `lie` and `counted` are about the places, then about `spots`."""

    asked: Asked
    flown: Flown
    found: Found
    fleet: Fleet
    register: Register
    question: Question
    lie: Lie
    counted: Counted
    base: Baseline
    at: Instant
    wanted: tuple[tuple[ImageRequest, int], ...]
    spots: tuple[Spot, ...]
    catalogue: Catalogue

    @property
    def parties(self) -> tuple[Party, ...]:
        """Providers, in the order of their numbers."""
        return self.fleet.parties

    def at_places(self, available: Availability) -> Availability:
        """Which satellites count at the places that are asked about."""
        return available.over(slice(len(self.asked.places)))


@dataclass(frozen=True, slots=True)
class Wish:
    """How a request stands, and who may be told of it."""

    answer: Answer
    told: tuple[Party, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What a change does."""

    text: str
    available: Availability
    after: Revisit
    replacements: tuple[Replacement, ...]
    before_wishes: tuple[Wish, ...]
    after_wishes: tuple[Wish, ...]


def _why(decision: Decision) -> str:
    """Reason that says most: that no article covers it before what else is wrong."""
    reasons = sorted(decision.reasons, key=lambda reason: reason.rule != RuleId.COVERED)
    return reasons[0].message.render(_)


def _standings(case: Case) -> list[Json]:
    return [
        {
            "provider": party,
            "group": group,
            "satellites": case.fleet.providers.count(party),
            "from": format_instant(each.term.begin),
            "until": None if each.term.end is None else format_instant(each.term.end),
            "counts": each.counts,
            "why": None if each.decision is None else _why(each.decision),
        }
        for (party, group), terms in case.counted.standings.items()
        for each in terms
    ]


def _words(change: str) -> str:
    """A change as a clause."""
    clauses = []
    for part in change.split(","):
        verb, _colon, name = part.strip().partition(":")
        clause = {
            "suspend": _("{name} is suspended"),
            "withdraw": _("{name} is withdrawn"),
            "resume": _("{name} resumes"),
            "join": _("{name} joins"),
            "lose": _("{name} is lost"),
        }.get(verb, "{name}")
        clauses.append(clause.format(name=name))
    return ", ".join(clauses)


def _receiver(case: Case) -> str | None:
    return None if case.question.receiver == ANYBODY else case.question.receiver


def _name(case: Case, number: int) -> str | None:
    return None if number < 0 else case.parties[number]


def _wish(case: Case, wish: Wish) -> Json:
    answer = wish.answer
    return {
        "met": answer.met,
        "possible": answer.possible,
        "done": None if math.isnan(answer.done_s) else format_instant(case.found.windows.instant(answer.done_s)),
        "satellite": None if answer.satellite < 0 else case.fleet.satellites[answer.satellite],
        "told": [*wish.told],
    }


def _result(case: Case, change: Change) -> Json:
    places: list[Json] = [
        {"place": name, "before": figures(case.base.today, None, number), "after": figures(change.after, None, number)}
        for number, (name, _place) in enumerate(case.asked.places)
    ]
    instead: list[Json] = [
        {
            "provider": _name(case, each.provider),
            "by": _name(case, each.by),
            "share": round(each.share, 6),
            "later_s": None if math.isnan(each.later_s) else round(each.later_s, 1),
        }
        for each in change.replacements
    ]
    requests: list[Json] = [
        {"request": before.answer.wanted.name, "before": _wish(case, before), "after": _wish(case, after)}
        for before, after in zip(change.before_wishes, change.after_wishes, strict=True)
    ]
    return {"if": change.text, "places": places, "instead": instead, "requests": requests}


def form(
    case: Case,
    results: Sequence[Change],
    ranking: Sequence[tuple[Party, Revisit]],
    left_out: Sequence[str],
    outputs: Sequence[Path],
) -> dict[str, Json]:
    """Answers as JSON."""
    ranked: list[Json] = [
        {
            "withdraws": party,
            "places": [
                {"place": name, "before": figures(case.base.today, None, number), "after": figures(after, None, number)}
                for number, (name, _place) in enumerate(case.asked.places)
            ],
        }
        for party, after in ranking
    ]
    return {
        "receiver": _receiver(case),
        **about(case.asked),
        **case.flown.form(),
        "at": format_instant(case.at),
        "known_at": format_instant(case.question.known_at),
        "providers": _standings(case),
        "left_out": list(left_out),
        "changes": [_result(case, each) for each in results],
        "ranking": ranked,
        "outputs": [str(path) for path in outputs],
    }


def tell(
    case: Case,
    results: Sequence[Change],
    ranking: Sequence[tuple[Party, Revisit]],
    left_out: Sequence[str],
    outputs: Sequence[Path],
) -> None:
    """Print answers."""
    say(Message("{caption}.", {"caption": caption(case.asked)}))
    _print_standings(case, left_out)
    for each in results:
        _print_change(case, each)
    if ranking:
        _print_ranking(case, ranking)
    case.flown.tell()
    for path in outputs:
        say(Message("Wrote {path}.", {"path": str(path)}), err=True)


def _print_standings(case: Case, left_out: Sequence[str]) -> None:
    if all(each.decision is None for terms in case.counted.standings.values() for each in terms):
        values: dict[str, str | int | float] = {"satellites": len(case.fleet.satellites), "providers": len(case.parties)}
        say(Message("All {satellites} satellites of {providers} providers count: no register is asked.", values))
    else:
        _print_terms(case)
    if left_out:
        say(Message("Left out, since nobody says whose they are: {names}", {"names": ", ".join(left_out)}))


def _print_terms(case: Case) -> None:
    click.echo()
    rows = []
    for (party, group), terms in case.counted.standings.items():
        for each in terms:
            state = _("counts") if each.counts else _("does not count")
            until = "" if each.term.end is None else format_instant(each.term.end)[:16]
            why = "" if each.decision is None else _why(each.decision)
            row = [party, str(case.fleet.providers.count(party)), state, format_instant(each.term.begin)[:16], until, why]
            # With several groups of places, those are named by their number.
            rows.append([*row[:1], str(group), *row[1:]] if len(case.lie.kinds) > 1 else row)
    head = [_("provider"), _("satellites"), _("state"), _("from"), _("until"), _("why")]
    print_table([*head[:1], _("places"), *head[1:]] if len(case.lie.kinds) > 1 else head, rows)


def _print_change(case: Case, change: Change) -> None:
    click.echo()
    values: dict[str, str | int | float] = {
        "change": _words(change.text),
        "at": format_instant(case.at),
        "receiver": _receiver(case) or _("everybody"),
    }
    head = Message("If {change}, from {at} on: what {receiver} can count on, in minutes", values)
    click.echo(click.style(head.render(_), bold=True))
    rows = [
        [
            name,
            f"{case.base.today.images[number]} → {change.after.images[number]}",
            *(
                f"{minutes(before[number])} → {minutes(after[number])}"
                for before, after in (
                    (case.base.today.mean_s, change.after.mean_s),
                    (case.base.today.response_s, change.after.response_s),
                    (case.base.today.worst_s, change.after.worst_s),
                )
            ),
        ]
        for number, (name, _place) in enumerate(case.asked.places[:_MOST_ROWS])
    ]
    print_table([_("place"), _("images"), _("mean"), _("response"), _("longest")], rows)
    if len(case.asked.places) > _MOST_ROWS:
        say(Message("… and {count} places more; --json prints all.", {"count": len(case.asked.places) - _MOST_ROWS}))
    _print_replacements(case, change)
    _print_requests(change)


def _print_replacements(case: Case, change: Change) -> None:
    if not change.replacements:
        say(Message("Nobody's images change."))
        return
    rows = [
        [
            _name(case, each.provider) or _("nobody"),
            _name(case, each.by) or _("nobody"),
            f"{100.0 * each.share:.1f} %",
            "–" if math.isnan(each.later_s) else f"{each.later_s / 60.0:+.1f}",
        ]
        for each in change.replacements[:_MOST_REPLACEMENTS]
    ]
    print_table([_("answered first by"), _("now by"), _("of all requests"), _("minutes later")], rows)


def _print_requests(change: Change) -> None:
    if not change.after_wishes:
        return
    met = sum(after.answer.met for after in change.after_wishes)
    say(Message("{met} of {total} requests can be met after the change.", {"met": met, "total": len(change.after_wishes)}))
    for before, after in zip(change.before_wishes, change.after_wishes, strict=True):
        values: dict[str, str | int | float] = {
            "name": after.answer.wanted.name,
            "possible": after.answer.possible,
            "images": after.answer.wanted.images,
        }
        if before.answer.met and not after.answer.met:
            say(
                Message("  fails: {name} ({possible} of {images} images possible)", values)
                if after.told
                else Message("  fails: {name} (no provider may be told of it)", values)
            )
        elif not before.answer.met:
            say(
                Message("  could not be met before either: {name}", values)
                if before.told
                else Message("  could not be met before either: {name} (no provider may be told of it)", values)
            )


def _print_ranking(case: Case, ranking: Sequence[tuple[Party, Revisit]]) -> None:
    click.echo()
    click.echo(click.style(_("What the loss of each would cost: mean response in minutes"), bold=True))
    shown = [name for name, _place in case.asked.places[:6]]
    before = [_("(today)"), *(minutes(case.base.today.response_s[number]) for number in range(len(shown)))]
    rows = [[party, *(minutes(after.response_s[number]) for number in range(len(shown)))] for party, after in ranking]
    print_table([_("without"), *shown], [before, *rows])


def draw(kind: str, case: Case, change: Change) -> bytes:
    """A change as a picture or a table of places, by the ending of its file."""
    if kind != ".png":
        rows: list[tuple[Geodetic, Mapping[str, object]]] = [
            (
                place,
                {"name": name}
                | {f"before_{key}": value for key, value in figures(case.base.today, None, number).items()}
                | {f"after_{key}": value for key, value in figures(change.after, None, number).items()},
            )
            for number, (name, place) in enumerate(case.asked.places)
        ]
        beside: dict[str, Json] = {
            **about(case.asked),
            "if": change.text,
            "at": format_instant(case.at),
            "receiver": _receiver(case),
            "orbits": case.flown.rests_on(),
        }
        return table(kind, rows, beside, cell_deg=None if case.asked.grid is None else case.asked.grid.cell_deg)
    title = _("If {change}, from {day} on").format(change=_words(change.text), day=format_instant(case.at)[:10])
    return _loss_map(case, change, title) if case.asked.grid is not None else _chart(case, change, title)


def _chart(case: Case, change: Change, title: str) -> bytes:
    import numpy as np

    from kizuna.formats.plan_pictures import Frame, Track, what_if_picture
    from kizuna.planning.revisit import images_s

    provider = np.array(case.fleet.owner)
    before = case.at_places(case.counted.available)
    either = before.united(change.available)
    tracks = []
    for number, (name, _place) in enumerate(case.asked.places[:4]):
        at_s, satellite = images_s(case.found.passes, number, either)
        was, now = (np.isin(at_s, images_s(case.found.passes, number, each)[0]) for each in (before, change.available))
        pairs = tuple(
            (float(was_s[number]), float(now_s[number]))
            for was_s, now_s in (
                (case.base.today.mean_s, change.after.mean_s),
                (case.base.today.response_s, change.after.response_s),
                (case.base.today.worst_s, change.after.worst_s),
            )
        )
        tracks.append(Track(name, at_s, provider[satellite], now, was, pairs))
    hours = min(_CHART_HOURS, 24.0 * case.asked.days)
    frame = Frame(title, caption(case.asked) + under_label(case.flown), case.asked.begin, hours, case.parties)
    return what_if_picture(frame, tracks, say=said)


def _loss_map(case: Case, change: Change, title: str) -> bytes:
    import numpy as np

    from kizuna.formats.plan_pictures import revisit_map

    grid = case.asked.grid
    assert grid is not None  # noqa: S101 - asked for by who draws the map of one
    shape = (len(grid.latitude_deg), len(grid.longitude_deg))
    loss = (change.after.response_s - case.base.today.response_s).reshape(shape)
    return revisit_map(
        f"{title}: {_('how much longer a request waits')}",
        caption(case.asked) + under_label(case.flown),
        np.array(grid.longitude_deg),
        np.array(grid.latitude_deg),
        loss,
        land_outlines(),
        case.asked.marks,
        say=said,
    )
