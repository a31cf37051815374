"""``kizuna plan design``: what constellations on paper could see, so that a claim about one can be checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kizuna.cli.plan_revisit import about, caption, refuse_existing, write_outputs
from kizuna.cli.plan_search import ask, figures, geometry_options, minutes, place_options, search
from kizuna.cli.terminal import _, as_json, examples, print_json, print_table, read_file, say
from kizuna.errors import InputError, Message
from kizuna.wiring import sample_folder

if TYPE_CHECKING:
    from kizuna.cli.plan_search import Asked
    from kizuna.formats.constellation_file import Design
    from kizuna.model.canonical import Json
    from kizuna.planning.revisit import Revisit, Spread

__all__ = ["design"]

_KINDS = (".png", ".geojson", ".parquet", ".czml", ".ics", ".nc")
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
@place_options
@geometry_options
@click.option(
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("File about the first constellation, by its ending: .png, .geojson, .parquet, .czml, .ics, .nc; may be repeated."),
)
@as_json
def design(
    files: tuple[Path, ...],
    walkers: tuple[str, ...],
    named: tuple[str, ...],
    targets: Path | None,
    bounds: str | None,
    step: float,
    begin: str | None,
    days: float,
    incidence: str,
    look: str,
    imaging: str,
    outputs: tuple[Path, ...],
    json_: bool,
) -> None:
    """Design."""
    from kizuna.formats.constellation_file import read_constellation, read_walker
    from kizuna.planning.constellation import flown
    from kizuna.planning.revisit import revisit, spread

    refuse_existing(outputs, _KINDS)
    designs = [read_constellation(read_file(_sample_or(path)), name=str(path)) for path in files]
    designs += [read_walker(text) for text in walkers]
    if not designs:
        raise InputError(
            Message("no constellation is named"), hint=Message("name a file, or a pattern with --walker"), field="walker"
        )
    asked = ask(named, targets, bounds, step, begin=begin, days=days, incidence=incidence, look=look, imaging=imaging)
    results = []
    for number, each in enumerate(designs):
        elements = flown(each.planes, asked.begin)
        found = search(elements, asked)
        times, more = revisit(found.passes), spread(found.passes)
        results.append((each, times, more))
        if number == 0:
            write_outputs(outputs, asked, found, elements, (times, more), each.name)
    if json_:
        print_json(_form(asked, results))
    else:
        _print(asked, results)
        for path in outputs:
            say(Message("Wrote {path}.", {"path": str(path)}), err=True)


def _sample_or(path: Path) -> Path:
    """File of that name, else the sample's constellation of that name."""
    sample = sample_folder("planning") / f"{path}.toml"
    return sample if not path.exists() and path.name == str(path) and sample.exists() else path


def _form(asked: Asked, results: list[tuple[Design, Revisit, Spread]]) -> dict[str, Json]:
    constellations: list[Json] = [
        {
            "name": each.name,
            "satellites": each.satellites,
            "assumed": list(each.assumed),
            "sources": list(each.sources),
            "places": [{"place": name, **figures(times, more, number)} for number, (name, _place) in enumerate(asked.places)],
        }
        for each, times, more in results
    ]
    return {**about(asked), "constellations": constellations}


def _print(asked: Asked, results: list[tuple[Design, Revisit, Spread]]) -> None:
    say(Message("{caption}.", {"caption": caption(asked)}))
    head = [_("place"), _("constellation"), _("images"), _("mean"), _("95 %"), _("longest"), _("response"), _("95 % within")]
    rows = [
        [
            name,
            each.name,
            str(times.images[number]),
            *(
                minutes(column[number])
                for column in (times.mean_s, more.p95_s, times.worst_s, times.response_s, more.response_p95_s)
            ),
        ]
        for number, (name, _place) in enumerate(asked.places[:_MOST_ROWS])
        for each, times, more in results
    ]
    print_table(head, rows)
    if len(asked.places) > _MOST_ROWS:
        say(Message("… and {count} places more; --json prints all.", {"count": len(asked.places) - _MOST_ROWS}))
    say(Message("Minutes. Mean and 95 %: from an image to the next; response: from a request at any instant to its image."))
    for each, _times, _more in results:
        if each.assumed:
            say(Message("Assumed of {name}: {what}.", {"name": each.name, "what": ", ".join(each.assumed)}))
