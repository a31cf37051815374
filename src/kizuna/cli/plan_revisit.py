"""``kizuna plan revisit``: how often places are imaged, and how long a request waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kizuna.cli.plan_files import FILE_KINDS, write_figures
from kizuna.cli.plan_options import Asking, elements_argument, output_option, question_options, refuse_existing
from kizuna.cli.plan_orbits import fly
from kizuna.cli.plan_search import about, ask, caption, figures, minutes, search
from kizuna.cli.terminal import _, as_json, examples, print_json, print_table, say
from kizuna.errors import Message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kizuna.cli.plan_orbits import Flown
    from kizuna.cli.plan_search import Asked, Found
    from kizuna.model.canonical import Json
    from kizuna.planning.revisit import Revisit, Spread

__all__ = ["revisit"]

_MOST_ROWS = 40


@click.command(
    help=_(
        "Say how often satellites image places: mean, median, 95 % and longest time between images, and how long a request waits "
        "for its image. Ten minutes on average can mean either, and neither is a promise. ELEMENTS are orbits, as TLE, OMM or "
        "OEM; without any those of the sample are flown."
    ),
    epilog=examples(
        "kizuna plan revisit satellites.3le --target Kyiv=50.45,30.52 --target Tokyo=35.68,139.69",
        "kizuna plan revisit satellites.3le --satellite QPS-SAR --grid 120,20,150,46 --output map.png --output map.geojson",
        "kizuna plan revisit satellites.3le partner.oem --target Kyiv=50.45,30.52 --days 2 --output passes.ics",
    ),
)
@elements_argument
@question_options
@output_option(FILE_KINDS)
@as_json
def revisit(
    elements: tuple[Path, ...],
    question: Asking,
    outputs: tuple[Path, ...],
    json_: bool,
) -> None:
    """Revisit."""
    from kizuna.planning.revisit import revisit as measure
    from kizuna.planning.revisit import spread

    refuse_existing(outputs, FILE_KINDS)
    asked = ask(question)
    flown = fly(elements, question.satellites, asked.limits, asked.begin, asked.duration_s)
    found = search(flown, asked)
    times, more = measure(found.passes), spread(found.passes)
    title = _("SAR revisit, {count} satellites").format(count=len(flown.satellites))
    write_figures(outputs, asked, found, flown, (times, more), title)
    if json_:
        print_json(_form(asked, flown, found, (times, more), outputs))
    else:
        _print(asked, flown, found, (times, more), outputs)


def _form(asked: Asked, flown: Flown, found: Found, measured: tuple[Revisit, Spread], outputs: Sequence[Path]) -> dict[str, Json]:
    times, more = measured
    places: list[Json] = [
        {
            "place": name,
            "latitude_deg": round(place.latitude_deg, 9),
            "longitude_deg": round(place.longitude_deg, 9),
            **figures(times, more, number),
            "unanswered": round(float(times.unanswered[number]), 6),
            "windows": windows,
            "uncertain_windows": uncertain,
        }
        for number, ((name, place), windows, uncertain) in enumerate(zip(asked.places, *found.uncertain, strict=True))
    ]
    return {**about(asked), **flown.form(), "places": places, "outputs": [str(path) for path in outputs]}


def _print(asked: Asked, flown: Flown, found: Found, measured: tuple[Revisit, Spread], outputs: Sequence[Path]) -> None:
    times, more = measured
    say(Message("{satellites} satellites. {caption}.", {"satellites": len(flown.satellites), "caption": caption(asked)}))
    head = [_("place"), _("images"), _("mean"), _("median"), _("95 %"), _("longest"), _("response"), _("95 % within")]
    rows = [
        [
            name,
            str(times.images[number]),
            *(
                minutes(each[number])
                for each in (times.mean_s, more.median_s, more.p95_s, times.worst_s, times.response_s, more.response_p95_s)
            ),
        ]
        for number, (name, _place) in enumerate(asked.places[:_MOST_ROWS])
    ]
    print_table(head, rows)
    if len(asked.places) > _MOST_ROWS:
        say(Message("… and {count} places more; --json prints all.", {"count": len(asked.places) - _MOST_ROWS}))
    say(
        Message(
            "Minutes. Mean, median and 95 %: from an image to the next; response: from a request at any instant to its image."
        )
    )
    windows, uncertain = (sum(counts) for counts in found.uncertain)
    if uncertain:
        values: dict[str, str | int | float] = {"count": uncertain, "all": windows}
        say(
            Message(
                "{count} of {all} windows are uncertain by more than their own length: count on how often, not on when.", values
            )
        )
    flown.tell()
    for path in outputs:
        say(Message("Wrote {path}.", {"path": str(path)}), err=True)
