"""``kizuna plan design``: what constellations on paper could see, so that a claim about one can be checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.plan_files import FILE_KINDS, write_figures
from kizuna.cli.plan_options import Asking, output_option, question_options, refuse_existing
from kizuna.cli.plan_orbits import catalogue_of, fly, fly_paper
from kizuna.cli.plan_search import about, ask, caption, figures, minutes, search
from kizuna.cli.terminal import _, as_json, examples, print_json, print_table, read_file, say
from kizuna.errors import InputError, Message
from kizuna.wiring import sample_folder

if TYPE_CHECKING:
    from kizuna.cli.plan_orbits import Flown
    from kizuna.cli.plan_search import Asked
    from kizuna.formats.constellation_file import Design
    from kizuna.model.canonical import Json
    from kizuna.planning.revisit import Revisit, Spread
    from kizuna.planning.sensors import Catalogue, Sensor

__all__ = ["design"]

_MOST_ROWS = 20


@click.command(
    help=_(
        "Fly constellations on paper, Walker patterns or planes of one's own, and say how often they image places: the same "
        "figures as for real satellites, one constellation beside the other. FILES are TOML, or names of the sample's: iqps-5, "
        "iqps-24, iqps-36, iqps-36-planes, sso-36."
    ),
    epilog=examples(
        "kizuna plan design --walker 42:36/4/1@575 --target Tokyo=35.68,139.69 --target Kyiv=50.45,30.52 --days 30",
        "kizuna plan design iqps-5 iqps-24 iqps-36 --target Tokyo=35.68,139.69 --incidence 15:60 --days 30",
        "kizuna plan design --walker 97.7:6/2/1@550 --sensor ICEYE --elements satellites.3le --target Kyiv=50.45,30.52",
    ),
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--walker",
    "walkers",
    multiple=True,
    metavar="I:T/P/F@H",
    help=_("Walker pattern: degrees:t/p/f@kilometres; may be repeated."),
)
@click.option("--sensor", metavar="NAME", help=_("Radar that they carry: that of satellites whose name begins so."))
@click.option(
    "--elements",
    multiple=True,
    type=click.Path(path_type=Path),
    help=_("Satellites that fly beside each constellation: TLE, OMM or OEM; may be repeated."),
)
@question_options
@output_option(FILE_KINDS)
@as_json
def design(
    files: tuple[Path, ...],
    walkers: tuple[str, ...],
    sensor: str | None,
    elements: tuple[Path, ...],
    question: Asking,
    outputs: tuple[Path, ...],
    json_: bool,
) -> None:
    """Design."""
    from kizuna.formats.constellation_file import read_constellation, read_walker
    from kizuna.planning.constellation import flown as flown_planes
    from kizuna.planning.revisit import revisit, spread

    refuse_existing(outputs, FILE_KINDS)
    designs = [read_constellation(read_file(_sample_or(path)), name=str(path)) for path in files]
    designs += [read_walker(text) for text in walkers]
    if not designs:
        raise InputError(
            Message("no constellation is named"), hint=Message("name a file, or a pattern with --walker"), field="walker"
        )
    asked = ask(question)
    catalogue = catalogue_of(question.satellites)
    real = (
        fly(elements, question.satellites, asked.limits, asked.begin, asked.duration_s, catalogue=catalogue) if elements else None
    )
    results: list[_Result] = []
    for number, each in enumerate(designs):
        paper = flown_planes(each.planes, asked.begin)
        radar = _carried(catalogue, sensor or each.sensor)
        flown = fly_paper(paper, [radar] * len(paper), asked.limits, asked.begin, asked.days)
        flown = flown if real is None else real.beside(flown)
        found = search(flown, asked)
        measured = revisit(found.passes), spread(found.passes)
        results.append(_Result(each, flown, *measured))
        if number == 0:
            write_figures(outputs, asked, found, flown, measured, each.name)
    if json_:
        print_json(_form(asked, results))
    else:
        _print(asked, results)
        results[-1].flown.tell()
        for path in outputs:
            say(Message("Wrote {path}.", {"path": str(path)}), err=True)


@dataclass(frozen=True, slots=True)
class _Result:
    """A constellation, flown."""

    design: Design
    flown: Flown
    times: Revisit
    more: Spread


def _carried(catalogue: Catalogue, name: str) -> Sensor:
    """Radar of a name in the catalogue; where none is named, what is assumed of unknown ones."""
    found = catalogue.sensor(name)
    if name and not found.name:
        known = ", ".join(beginning for one in catalogue.sensors for beginning in one.satellites)
        raise InputError(
            Message("sensor: the catalogue knows no radar of satellites called {name!r}", {"name": name[:100]}),
            hint=Message("it knows: {known}", {"known": known}),
            field="sensor",
        )
    return found


def _sample_or(path: Path) -> Path:
    """File of that name, else the sample's constellation of that name."""
    sample = sample_folder("planning") / f"{path}.toml"
    return sample if not path.exists() and path.name == str(path) and sample.exists() else path


def _form(asked: Asked, results: list[_Result]) -> dict[str, Json]:
    constellations: list[Json] = [
        {
            "name": one.design.name,
            "assumed": list(one.design.assumed),
            "sources": list(one.design.sources),
            **one.flown.form(),
            "places": [
                {"place": name, **figures(one.times, one.more, number)} for number, (name, _place) in enumerate(asked.places)
            ],
        }
        for one in results
    ]
    return {**about(asked), "constellations": constellations}


def _print(asked: Asked, results: list[_Result]) -> None:
    say(Message("{caption}.", {"caption": caption(asked)}))
    head = [_("place"), _("constellation"), _("images"), _("mean"), _("95 %"), _("longest"), _("response"), _("95 % within")]
    rows = [
        [
            name,
            one.design.name,
            str(one.times.images[number]),
            *(
                minutes(column[number])
                for column in (
                    one.times.mean_s,
                    one.more.p95_s,
                    one.times.worst_s,
                    one.times.response_s,
                    one.more.response_p95_s,
                )
            ),
        ]
        for number, (name, _place) in enumerate(asked.places[:_MOST_ROWS])
        for one in results
    ]
    print_table(head, rows)
    if len(asked.places) > _MOST_ROWS:
        say(Message("… and {count} places more; --json prints all.", {"count": len(asked.places) - _MOST_ROWS}))
    say(Message("Minutes. Mean and 95 %: from an image to the next; response: from a request at any instant to its image."))
    for one in results:
        if one.design.assumed:
            say(Message("Assumed of {name}: {what}.", {"name": one.design.name, "what": ", ".join(one.design.assumed)}))
