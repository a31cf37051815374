"""``kizuna plan whatif``: what is lost if a partner suspends, who answers instead, and which requests fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.plan_files import write_labelled
from kizuna.cli.plan_options import Asking, elements_argument, output_option, question_options, refuse_existing
from kizuna.cli.plan_orbits import catalogue_of, fly
from kizuna.cli.plan_requests import middle_of, read_any_requests, request_passes, spots_of_all
from kizuna.cli.plan_search import ask, search
from kizuna.cli.plan_whatif_told import ANYBODY, Case, Change, Wish, draw, form, tell
from kizuna.cli.registers import refuse_own_register, register_for_files
from kizuna.cli.terminal import _, as_json, examples, node_option, print_json, read_file
from kizuna.errors import InputError, Message
from kizuna.model.instants import Interval, parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import nation_of, parse_party
from kizuna.release.markings import UNCLASSIFIED
from kizuna.wiring import open_node, system_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.model.parties import Party
    from kizuna.planning.passes import Availability
    from kizuna.planning.revisit import Revisit
    from kizuna.release.register import Register

__all__ = ["whatif"]

_KINDS = (".png", ".geojson", ".parquet")


@click.command(
    help=_(
        "Say what a change costs: how often places are imaged before and after, who answers instead, which requests fail. Only "
        "providers count that an agreement in force lets give images to the receiver, as the release decision says; a suspension "
        "or an end that stands in the register counts by itself. ELEMENTS are orbits, as TLE, OMM or OEM; without any those of "
        "the sample are flown."
    ),
    epilog=examples(
        "kizuna plan whatif satellites.3le --target Kyiv=50.45,30.52 --node ukr --if suspend:IQPS-HUR-2025",
        "kizuna plan whatif satellites.3le partner.oem --requests requests.toml --node ukr --if suspend:FIN/ICEYE",
        "kizuna plan whatif satellites.3le --target Kyiv=50.45,30.52 --everybody --if withdraw:FIN/ICEYE --output loss.png",
        "kizuna plan whatif satellites.3le --targets places.csv --everybody --rank",
    ),
)
@elements_argument
@question_options
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
@click.option("--everybody", is_flag=True, help=_("Take it that every provider gives, and may be told of all: ask no register."))
@click.option(
    "--requests",
    type=click.Path(path_type=Path),
    help=_("Requests to check: TOML as kizuna plan schedule reads, or a CSV table. Without --target they name the places."),
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
@output_option(_KINDS)
@node_option
@as_json
def whatif(
    elements: tuple[Path, ...],
    question: Asking,
    changes: tuple[str, ...],
    at: str | None,
    rank: bool,
    receiver: str | None,
    everybody: bool,
    requests: Path | None,
    known_at: str | None,
    agreements: Path | None,
    accept_fictional: tuple[str, ...],
    outputs: tuple[Path, ...],
    folder: Path,
    json_: bool,
) -> None:
    """Ask."""
    from kizuna.node.providers import Fleet, Question, count, everyone, lie_of
    from kizuna.planning.revisit import Baseline

    if not changes and not rank:
        raise InputError(
            Message("expected --if CHANGE or --rank"),
            hint=Message("for example --if suspend:USA-UKR-SHARING, or --if withdraw:FIN/ICEYE --everybody"),
            field="if",
        )
    refuse_existing(outputs, _KINDS)
    if outputs and not changes:
        raise InputError(
            Message("a file needs --if CHANGE"), hint=Message("leave --output out, or name a change"), field="output"
        )
    catalogue = catalogue_of(question.satellites)
    asked = ask(question, optional=requests is not None)
    register, party = _register(folder, agreements, accept_fictional, receiver, everybody=everybody)
    label = Label(nation_of(party), UNCLASSIFIED, party, asked.begin)
    wanted = () if requests is None else read_any_requests(read_file(requests), label, name=str(requests))
    spots = spots_of_all([request for request, _images in wanted], catalogue)
    if not asked.places:
        asked = replace(asked, places=tuple((spot.name, middle_of(spot)) for spot in spots))
    everything = fly(elements, question.satellites, asked.limits, asked.begin, asked.duration_s, catalogue=catalogue)
    parties = [sensor.party for sensor in everything.satellites.sensors]
    flown = everything.take([number for number, each in enumerate(parties) if each is not None])
    if not len(flown.satellites):
        raise InputError(
            Message("nobody says whose these satellites are"),
            hint=Message("name their provider with --provider NAME=PARTY, the beginning of their names and a party"),
            field="provider",
        )
    fleet = Fleet(flown.satellites.names, tuple(each for each in parties if each is not None))
    known = system_now() if known_at is None else parse_instant(known_at, field="known-at")
    about = Question(party, asked.begin, asked.end, known)
    middles = [place for _name, place in asked.places] + [middle_of(spot) for spot in spots]
    lie = lie_of(register, [(place.longitude_deg, place.latitude_deg) for place in middles])
    counted = everyone(fleet, about, lie) if everybody else count(register, fleet, about, lie)
    found = search(flown, asked)
    base = Baseline.of(found.passes, counted.available.over(slice(len(asked.places))), fleet.owner)
    when = asked.begin if at is None else parse_instant(at, field="at")
    case = Case(asked, flown, found, fleet, register, about, lie, counted, base, when, tuple(wanted), tuple(spots), catalogue)
    before = _wishes(case, (), counted.available) if wanted else ()
    results = [_change(case, text, before) for text in changes]
    ranking = _ranking(case) if rank else []
    for path in outputs:
        write_labelled(path, draw(path.suffix.lower(), case, results[0]), flown)
    left_out = [name for name in everything.satellites.names if name not in fleet.satellites]
    if json_:
        print_json(form(case, results, ranking, left_out, outputs))
    else:
        tell(case, results, ranking, left_out, outputs)


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
        return Register(), ANYBODY if receiver is None else parse_party(receiver, field="for")
    register = register_for_files(folder, agreements, accept_fictional, ())
    if receiver is not None:
        return register, parse_party(receiver, field="for")
    if agreements is not None or accept_fictional:
        raise InputError(
            Message("nobody is named who would receive the images"), hint=Message("name a party with --for"), field="for"
        )
    with open_node(folder) as here:
        return here.knowledge().register, here.organisation


def _change(case: Case, text: str, before: tuple[Wish, ...]) -> Change:
    from kizuna.node.providers import supposed
    from kizuna.planning.whatif import replacements

    parts = [part.strip() for part in text.split(",") if part.strip()]
    counted = supposed(case.register, case.fleet, case.question, case.lie, case.counted, parts, case.at)
    was, now = case.at_places(case.counted.available), case.at_places(counted.available)
    return Change(
        text,
        now,
        case.base.after(now),
        tuple(replacements(case.found.passes, was, now, case.fleet.owner)),
        before,
        _wishes(case, parts, counted.available) if case.wanted else (),
    )


def _wishes(case: Case, changes: Sequence[str], available: Availability) -> tuple[Wish, ...]:
    """How requests stand after changes: as they could be ordered of satellites that count and whose providers may be told."""
    from kizuna.node.providers import tellable
    from kizuna.planning.whatif import Wanted, answers

    requests = [request for request, _images in case.wanted]
    if case.question.receiver == ANYBODY or not case.register.agreements:
        whole: tuple[Interval, ...] = (Interval(case.asked.begin, case.asked.end),)
        told = {request.id: dict.fromkeys(case.parties, whole) for request in requests}
    else:
        told = tellable(case.register, case.fleet, case.question, requests, changes, case.at)
    passes = request_passes(case.flown, case.catalogue, requests, case.spots, told, case.fleet.satellites)
    wanted = [
        Wanted(
            request.id,
            tuple(number for number, spot in enumerate(case.spots) if spot.request == request.id),
            (request.begin - case.asked.begin).total_seconds(),
            (request.deadline - case.asked.begin).total_seconds(),
            images,
        )
        for request, images in case.wanted
    ]
    found = answers(passes, wanted, available.over(slice(len(case.asked.places), None)))
    return tuple(Wish(one, tuple(sorted(told[one.wanted.name]))) for one in found)


def _ranking(case: Case) -> list[tuple[Party, Revisit]]:
    """What the loss of each provider that counts would do, the costliest first."""
    import numpy as np

    from kizuna.node.providers import supposed

    found = []
    for party in case.parties:
        if any(each.counts for (name, _group), terms in case.counted.standings.items() if name == party for each in terms):
            after = supposed(case.register, case.fleet, case.question, case.lie, case.counted, [f"withdraw:{party}"], case.at)
            found.append((party, case.base.after(case.at_places(after.available))))
    return sorted(found, key=lambda each: -float(np.nan_to_num(each[1].response_s, nan=case.asked.duration_s).mean()))
