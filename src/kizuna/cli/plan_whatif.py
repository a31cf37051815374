"""``kizuna plan whatif``: what is lost if a partner suspends, who answers instead, and which requests fail."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.plan_revisit import caption, refuse_existing
from kizuna.cli.plan_search import (
    ask,
    chosen_elements,
    figures,
    geometry_options,
    land_outlines,
    minutes,
    place_options,
    search,
)
from kizuna.cli.registers import refuse_own_register, register_for_files
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, print_table, read_file, say
from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.parties import Party, parse_party
from kizuna.release.rules import RuleId
from kizuna.wiring import open_node, sample_folder, system_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kizuna.cli.plan_search import Asked, Found
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.node.providers import Counted, Fleet, Lie, Question
    from kizuna.planning.passes import Availability
    from kizuna.planning.revisit import Baseline, Revisit
    from kizuna.planning.whatif import Answer, Replacement
    from kizuna.release.decision import Decision
    from kizuna.release.register import Register

__all__ = ["whatif"]

_KINDS = (".png", ".geojson", ".parquet")
_CHART_HOURS = 36.0
_MOST_ROWS = 20
_MOST_REPLACEMENTS = 8
_ANYBODY = Party("*")
"""Stands for a receiver whom nobody named, where no register is asked."""


@dataclass(frozen=True, slots=True)
class _Case:
    """What a question is asked of: the same for all questions."""

    asked: Asked
    found: Found
    fleet: Fleet
    register: Register
    question: Question
    lie: Lie
    counted: Counted
    base: Baseline
    at: Instant
    wanted: tuple[_Wanted, ...]

    @property
    def parties(self) -> tuple[Party, ...]:
        """Providers, in the order of their numbers."""
        return self.fleet.parties


type _Wanted = tuple[str, int, float, float, int]


@dataclass(frozen=True, slots=True)
class _Change:
    """What a change does."""

    text: str
    available: Availability
    after: Revisit
    replacements: tuple[Replacement, ...]
    before_answers: tuple[Answer, ...]
    after_answers: tuple[Answer, ...]


@click.command(
    help=_(
        "Say what a change costs: how often places are imaged before and after, who answers instead, which requests fail. Only "
        "providers count that an agreement in force lets give images to the receiver, as the release decision says; a suspension "
        "or an end that stands in the register counts by itself. ELEMENTS are element sets; without any those of the sample are "
        "flown."
    ),
    epilog=examples(
        "kizuna plan whatif satellites.3le --target Kyiv=50.45,30.52 --node ukr --if suspend:IQPS-HUR-2025",
        "kizuna plan whatif satellites.3le --target Kyiv=50.45,30.52 --everybody --if withdraw:FIN/ICEYE --output loss.png",
        "kizuna plan whatif satellites.3le --targets places.csv --everybody --rank",
    ),
)
@click.argument("elements", nargs=-1, type=click.Path(path_type=Path))
@place_options
@geometry_options
@click.option(
    "--if",
    "changes",
    multiple=True,
    metavar="CHANGE",
    help=_(
        "suspend:ID, resume:ID, withdraw:ID of an agreement; suspend:PARTY, withdraw:PARTY, join:PARTY; lose:SATELLITE. Several "
        "at once with commas; each --if is a question of its own."
    ),
)
@click.option("--at", metavar="INSTANT", help=_("When the change happens (default: at the begin)."))
@click.option("--rank", is_flag=True, help=_("Ask of each provider what its loss would cost."))
@click.option("--for", "receiver", metavar="PARTY", help=_("Who would receive the images (default: the node's organisation)."))
@click.option("--everybody", is_flag=True, help=_("Take it that every provider gives: ask no register."))
@click.option(
    "--requests", type=click.Path(path_type=Path), help=_("Requests to check, as CSV: name,latitude,longitude,from,until.")
)
@click.option(
    "--provider", "providers", multiple=True, metavar="NAME=PARTY", help=_("Whose the satellites are whose names begin so.")
)
@click.option(
    "--satellite", "only", multiple=True, metavar="NAME", help=_("Only satellites whose name begins so; may be repeated.")
)
@click.option(
    "--max-age", default=30.0, show_default=True, metavar="DAYS", help=_("Refuse elements whose epoch lies farther off.")
)
@click.option("--known-at", metavar="INSTANT", help=_("Leave out what became known later (default: now)."))
@click.option(
    "--agreements",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=_("Folder of agreement files (default: the register of --node where it is given, else the sample)."),
)
@click.option(
    "--accept-fictional", multiple=True, metavar="AGREEMENT", help=_("Accept the fictional supplement of this agreement.")
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("File about the first change, by its ending: .png, .geojson, .parquet; may be repeated."),
)
@node_option
@as_json
def whatif(
    elements: tuple[Path, ...],
    named: tuple[str, ...],
    targets: Path | None,
    bounds: str | None,
    step: float,
    begin: str | None,
    days: float,
    incidence: str,
    look: str,
    imaging: str,
    changes: tuple[str, ...],
    at: str | None,
    rank: bool,
    receiver: str | None,
    everybody: bool,
    requests: Path | None,
    providers: tuple[str, ...],
    only: tuple[str, ...],
    max_age: float,
    known_at: str | None,
    agreements: Path | None,
    accept_fictional: tuple[str, ...],
    outputs: tuple[Path, ...],
    folder: Path,
    json_: bool,
) -> None:
    """Ask."""
    from kizuna.formats.wanted_images import read_wanted
    from kizuna.node.providers import Fleet, Question, count, everyone, lie_of
    from kizuna.planning.revisit import Baseline

    if not changes and not rank:
        raise InputError(
            Message("expected --if CHANGE or --rank"),
            hint=Message("for example --if suspend:USA-UKR-SHARING, or --if withdraw:FIN/ICEYE --everybody"),
            field="if",
        )
    refuse_existing(outputs, _KINDS)
    wanted = () if requests is None else read_wanted(read_file(requests))
    asked = ask(named, targets, bounds, step, begin=begin, days=days, incidence=incidence, look=look, imaging=imaging)
    places, rows = list(asked.places), []
    for each in wanted:
        rows.append((each.name, len(places), _seconds(asked, each.begin), _seconds(asked, each.end), each.images))
        places.append((each.name, each.place))
    known = _providers(providers)
    chosen = chosen_elements(elements, only, asked, max_age)
    named_too = [one for one in chosen if _provider(one.name, known) is not None]
    if not named_too:
        raise InputError(
            Message("nobody says whose these satellites are"),
            hint=Message("name their provider with --provider NAME=PARTY, the beginning of their names and a party"),
            field="provider",
        )
    parties = [party for one in named_too if (party := _provider(one.name, known)) is not None]
    fleet = Fleet(tuple(one.name for one in named_too), tuple(parties))
    register, party = _register(folder, agreements, accept_fictional, receiver, everybody=everybody)
    question = Question(
        party, asked.begin, asked.end, system_now() if known_at is None else parse_instant(known_at, field="known-at")
    )
    lie = lie_of(register, [(place.longitude_deg, place.latitude_deg) for _name, place in places])
    counted = everyone(fleet, question, lie) if everybody else count(register, fleet, question, lie)
    found = search(named_too, replace(asked, places=tuple(places)))
    when = asked.begin if at is None else parse_instant(at, field="at")
    case = _Case(
        asked,
        found,
        fleet,
        register,
        question,
        lie,
        counted,
        Baseline.of(found.passes, counted.available, fleet.owner),
        when,
        tuple(rows),
    )
    results = [_change(case, text) for text in changes]
    ranking = _ranking(case) if rank else []
    for path in outputs:
        if not results:
            raise InputError(
                Message("a file needs --if CHANGE"), hint=Message("leave --output out, or name a change"), field="output"
            )
        path.write_bytes(_output(path.suffix.lower(), case, results[0]))
    left_out = [one.name for one in chosen if one not in named_too]
    if json_:
        print_json(_form(case, results, ranking, left_out, outputs))
    else:
        _print(case, results, ranking, left_out, outputs)


def _seconds(asked: Asked, instant: Instant) -> float:
    return (instant - asked.begin).total_seconds()


def _providers(more: Sequence[str]) -> dict[str, Party]:
    from kizuna.formats.providers_file import parse_provider, read_providers

    path = sample_folder("planning") / "providers.toml"
    return read_providers(path.read_bytes(), name=path.name) | dict(parse_provider(text) for text in more)


def _provider(name: str, known: Mapping[str, Party]) -> Party | None:
    from kizuna.formats.providers_file import provider_of

    return provider_of(name, known)


def _register(
    folder: Path,
    agreements: Path | None,
    accept_fictional: Sequence[str],
    receiver: str | None,
    *,
    everybody: bool,
) -> tuple[Register, Party]:
    """Register by which providers count, and for whom."""
    if everybody:
        from kizuna.release.register import Register

        refuse_own_register(agreements, accept_fictional, ())
        return Register(), _ANYBODY if receiver is None else parse_party(receiver, field="for")
    register = register_for_files(folder, agreements, accept_fictional, ())
    if receiver is not None:
        return register, parse_party(receiver, field="for")
    if agreements is not None or accept_fictional:
        raise InputError(
            Message("nobody is named who would receive the images"), hint=Message("name a party with --for"), field="for"
        )
    with open_node(folder) as here:
        return here.knowledge().register, here.organisation


def _change(case: _Case, text: str) -> _Change:
    from kizuna.node.providers import supposed
    from kizuna.planning.whatif import Wanted, answers, replacements

    parts = [part.strip() for part in text.split(",") if part.strip()]
    counted = supposed(case.register, case.fleet, case.question, case.lie, case.counted, parts, case.at)
    passes, places = case.found.passes, range(len(case.asked.places))
    wanted = [Wanted(*each) for each in case.wanted]
    return _Change(
        text,
        counted.available,
        case.base.after(counted.available),
        tuple(replacements(passes, case.counted.available, counted.available, case.fleet.owner, places=places)),
        tuple(answers(passes, wanted, case.counted.available)),
        tuple(answers(passes, wanted, counted.available)),
    )


def _ranking(case: _Case) -> list[tuple[Party, Revisit]]:
    """What the loss of each provider that counts would do, the costliest first."""
    import numpy as np

    from kizuna.node.providers import supposed

    found = []
    for party in case.parties:
        if any(each.counts for (name, _group), terms in case.counted.standings.items() if name == party for each in terms):
            after = supposed(case.register, case.fleet, case.question, case.lie, case.counted, [f"withdraw:{party}"], case.at)
            found.append((party, case.base.after(after.available)))
    places = len(case.asked.places)
    return sorted(
        found, key=lambda each: -float(np.nan_to_num(each[1].response_s[:places], nan=case.asked.days * 86400.0).mean())
    )


# What is printed.


def _why(decision: Decision) -> str:
    """Reason that says most: that no article covers it before what else is wrong."""
    reasons = sorted(decision.reasons, key=lambda reason: reason.rule != RuleId.COVERED)
    return reasons[0].message.render(_)


def _standings(case: _Case) -> list[Json]:
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


def _receiver(case: _Case) -> str | None:
    return None if case.question.receiver == _ANYBODY else case.question.receiver


def _name(case: _Case, number: int) -> str | None:
    return None if number < 0 else case.parties[number]


def _answer(case: _Case, answer: Answer) -> Json:
    return {
        "met": answer.met,
        "possible": answer.possible,
        "done": None if math.isnan(answer.done_s) else format_instant(case.found.windows.instant(answer.done_s)),
        "satellite": None if answer.satellite < 0 else case.fleet.satellites[answer.satellite],
    }


def _result(case: _Case, change: _Change) -> Json:
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
        {"request": before.wanted.name, "before": _answer(case, before), "after": _answer(case, after)}
        for before, after in zip(change.before_answers, change.after_answers, strict=True)
    ]
    return {"if": change.text, "places": places, "instead": instead, "requests": requests}


def _form(
    case: _Case,
    results: Sequence[_Change],
    ranking: Sequence[tuple[Party, Revisit]],
    left_out: Sequence[str],
    outputs: Sequence[Path],
) -> dict[str, Json]:
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
        "from": format_instant(case.asked.begin),
        "days": case.asked.days,
        "at": format_instant(case.at),
        "known_at": format_instant(case.question.known_at),
        "providers": _standings(case),
        "left_out": list(left_out),
        "changes": [_result(case, each) for each in results],
        "ranking": ranked,
        "outputs": [str(path) for path in outputs],
    }


def _print(
    case: _Case,
    results: Sequence[_Change],
    ranking: Sequence[tuple[Party, Revisit]],
    left_out: Sequence[str],
    outputs: Sequence[Path],
) -> None:
    say(Message("{caption}.", {"caption": caption(case.asked)}))
    _print_standings(case, left_out)
    for each in results:
        _print_change(case, each)
    if ranking:
        _print_ranking(case, ranking)
    for path in outputs:
        say(Message("Wrote {path}.", {"path": str(path)}), err=True)


def _print_standings(case: _Case, left_out: Sequence[str]) -> None:
    if all(each.decision is None for terms in case.counted.standings.values() for each in terms):
        values: dict[str, str | int | float] = {"satellites": len(case.fleet.satellites), "providers": len(case.parties)}
        say(Message("All {satellites} satellites of {providers} providers count: no register is asked.", values))
    else:
        _print_terms(case)
    if left_out:
        say(Message("Left out, since nobody says whose they are: {names}", {"names": ", ".join(left_out)}))


def _print_terms(case: _Case) -> None:
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


def _print_change(case: _Case, change: _Change) -> None:
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


def _print_replacements(case: _Case, change: _Change) -> None:
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


def _print_requests(change: _Change) -> None:
    if not change.after_answers:
        return
    failing = [
        after for before, after in zip(change.before_answers, change.after_answers, strict=True) if before.met and not after.met
    ]
    never = [before for before in change.before_answers if not before.met]
    met = sum(after.met for after in change.after_answers)
    say(Message("{met} of {total} requests can be met after the change.", {"met": met, "total": len(change.after_answers)}))
    for answer in failing:
        values: dict[str, str | int | float] = {
            "name": answer.wanted.name,
            "possible": answer.possible,
            "images": answer.wanted.images,
        }
        say(Message("  fails: {name} ({possible} of {images} images possible)", values))
    for answer in never:
        say(Message("  could not be met before either: {name}", {"name": answer.wanted.name}))


def _print_ranking(case: _Case, ranking: Sequence[tuple[Party, Revisit]]) -> None:
    click.echo()
    click.echo(click.style(_("What the loss of each would cost: mean response in minutes"), bold=True))
    shown = [name for name, _place in case.asked.places[:6]]
    before = [_("(today)"), *(minutes(case.base.today.response_s[number]) for number in range(len(shown)))]
    rows = [[party, *(minutes(after.response_s[number]) for number in range(len(shown)))] for party, after in ranking]
    print_table([_("without"), *shown], [before, *rows])


# What is written.


def _output(kind: str, case: _Case, change: _Change) -> bytes:
    if kind != ".png":
        from kizuna.formats.place_tables import feature, geojson, geoparquet

        features = [
            feature(
                name,
                place.longitude_deg,
                place.latitude_deg,
                {f"before_{key}": value for key, value in figures(case.base.today, None, number).items()}
                | {f"after_{key}": value for key, value in figures(change.after, None, number).items()},
                cell_deg=None if case.asked.grid is None else case.asked.grid.cell_deg,
            )
            for number, (name, place) in enumerate(case.asked.places)
        ]
        about: dict[str, Json] = {"if": change.text, "at": format_instant(case.at), "receiver": _receiver(case)}
        return geojson(features, about) if kind == ".geojson" else geoparquet(features, about)
    title = _("If {change}, from {day} on").format(change=_words(change.text), day=format_instant(case.at)[:10])
    return _loss_map(case, change, title) if case.asked.grid is not None else _chart(case, change, title)


def _said(message: Message) -> str:
    return message.render(_)


def _chart(case: _Case, change: _Change, title: str) -> bytes:
    import numpy as np

    from kizuna.formats.plan_pictures import Track, what_if_picture
    from kizuna.planning.revisit import images_s

    provider = np.array(case.fleet.owner)
    either = case.counted.available.united(change.available)
    tracks = []
    for number, (name, _place) in enumerate(case.asked.places[:4]):
        at_s, satellite = images_s(case.found.passes, number, either)
        was, now = (
            np.isin(at_s, images_s(case.found.passes, number, each)[0]) for each in (case.counted.available, change.available)
        )
        pairs = tuple(
            (float(before[number]), float(after[number]))
            for before, after in (
                (case.base.today.mean_s, change.after.mean_s),
                (case.base.today.response_s, change.after.response_s),
                (case.base.today.worst_s, change.after.worst_s),
            )
        )
        tracks.append(Track(name, at_s, provider[satellite], now, was, pairs))
    hours = min(_CHART_HOURS, 24.0 * case.asked.days)
    return what_if_picture(title, caption(case.asked), case.asked.begin, hours, case.parties, tracks, say=_said)


def _loss_map(case: _Case, change: _Change, title: str) -> bytes:
    import numpy as np

    from kizuna.formats.plan_pictures import revisit_map

    grid = case.asked.grid
    assert grid is not None  # noqa: S101 - asked for by who draws the map of one
    cells = len(grid.latitude_deg) * len(grid.longitude_deg)
    shape = (len(grid.latitude_deg), len(grid.longitude_deg))
    loss = (change.after.response_s[:cells] - case.base.today.response_s[:cells]).reshape(shape)
    return revisit_map(
        f"{title}: {_('how much longer a request waits')}",
        caption(case.asked),
        np.array(grid.longitude_deg),
        np.array(grid.latitude_deg),
        loss,
        land_outlines(),
        case.asked.marks,
        say=_said,
    )
