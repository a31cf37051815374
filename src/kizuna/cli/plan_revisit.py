"""``kizuna plan revisit``: how often places are imaged, and how long a request waits."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kizuna.cli.plan_search import (
    ask,
    chosen_elements,
    figures,
    geometry_options,
    incidence_text,
    land_outlines,
    minutes,
    place_options,
    search,
)
from kizuna.cli.terminal import _, as_json, examples, print_json, print_table, say
from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant
from kizuna.wiring import system_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from kizuna.cli.plan_search import Asked, Found
    from kizuna.earth.elements import MeanElements
    from kizuna.model.canonical import Json
    from kizuna.planning.revisit import Revisit, Spread

__all__ = ["about", "caption", "print_figures", "refuse_existing", "revisit", "write_outputs"]

_KINDS = (".png", ".geojson", ".parquet", ".czml", ".ics", ".nc")
_CHART_HOURS = 36.0
_MOST_ROWS = 40


@click.command(
    help=_(
        "Say how often satellites image places: mean, median, 95 % and longest time between images, and how long a request waits "
        "for its image. Ten minutes on average can mean either, and neither is a promise. ELEMENTS are element sets; without "
        "any those of the sample are flown."
    ),
    epilog=examples(
        "kizuna plan revisit satellites.3le --target Kyiv=50.45,30.52 --target Tokyo=35.68,139.69",
        "kizuna plan revisit satellites.3le --satellite QPS-SAR --grid 120,20,150,46 --output map.png --output map.geojson",
        "kizuna plan revisit satellites.3le --target Kyiv=50.45,30.52 --days 2 --output passes.ics --output passes.czml",
    ),
)
@click.argument("elements", nargs=-1, type=click.Path(path_type=Path))
@place_options
@geometry_options
@click.option(
    "--satellite", "only", multiple=True, metavar="NAME", help=_("Only satellites whose name begins so; may be repeated.")
)
@click.option(
    "--max-age", default=30.0, show_default=True, metavar="DAYS", help=_("Refuse elements whose epoch lies farther off.")
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help=_("File to write, by its ending: .png, .geojson, .parquet, .czml, .ics, .nc; may be repeated."),
)
@as_json
def revisit(
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
    only: tuple[str, ...],
    max_age: float,
    outputs: tuple[Path, ...],
    json_: bool,
) -> None:
    """Revisit."""
    from kizuna.planning.revisit import revisit as measure
    from kizuna.planning.revisit import spread

    refuse_existing(outputs, _KINDS)
    asked = ask(named, targets, bounds, step, begin=begin, days=days, incidence=incidence, look=look, imaging=imaging)
    chosen = chosen_elements(elements, only, asked, max_age)
    found = search(chosen, asked)
    times, more = measure(found.passes), spread(found.passes)
    title = _("SAR revisit, {count} satellites").format(count=len(chosen))
    write_outputs(outputs, asked, found, chosen, (times, more), title)
    print_figures(asked, len(chosen), times, more, outputs, json_=json_)


def caption(asked: Asked) -> str:
    """Line under a picture: its time and assumptions."""
    way = _("at the closest approach") if asked.imaging == "broadside" else _("anywhen in a window")
    return _("{days:g} days from {begin}; images {way}, incidence {incidence}; geometry only").format(
        days=asked.days, begin=format_instant(asked.begin), way=way, incidence=incidence_text(asked)
    )


def refuse_existing(outputs: Sequence[Path], kinds: Sequence[str]) -> None:
    """Refuse files that are there, or whose ending says nothing, before anything is computed."""
    for path in outputs:
        if path.suffix.lower() not in kinds:
            raise InputError(
                Message("output: the ending of {path} is none of {kinds}", {"path": str(path), "kinds": ", ".join(kinds)}),
                hint=Message("the ending says what is written"),
                field="output",
            )
        if path.exists():
            raise InputError(
                Message("{path} exists", {"path": str(path)}),
                hint=Message("name another file; none is overwritten"),
                field="output",
            )


def about(asked: Asked) -> dict[str, Json]:
    """What figures are about."""
    low, high = asked.incidence_rad
    return {
        "from": format_instant(asked.begin),
        "days": asked.days,
        "incidence_deg": [round(math.degrees(low), 9), round(math.degrees(high), 9)],
        "look": asked.look,
        "imaging": asked.imaging,
    }


def print_figures(asked: Asked, satellites: int, times: Revisit, more: Spread, outputs: Sequence[Path], *, json_: bool) -> None:
    """Print the figures of all places."""
    if json_:
        places: list[Json] = [
            {
                "place": name,
                "latitude_deg": round(place.latitude_deg, 9),
                "longitude_deg": round(place.longitude_deg, 9),
                **figures(times, more, number),
                "unanswered": round(float(times.unanswered[number]), 6),
            }
            for number, (name, place) in enumerate(asked.places)
        ]
        print_json({**about(asked), "satellites": satellites, "places": places, "outputs": [str(path) for path in outputs]})
        return
    say(Message("{satellites} satellites. {caption}.", {"satellites": satellites, "caption": caption(asked)}))
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
        for number, (name, _place) in enumerate(asked.places)
    ]
    print_table(head, rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        say(Message("… and {count} places more; --json prints all.", {"count": len(rows) - _MOST_ROWS}))
    say(
        Message(
            "Minutes. Mean, median and 95 %: from an image to the next; response: from a request at any instant to its image."
        )
    )
    for path in outputs:
        say(Message("Wrote {path}.", {"path": str(path)}), err=True)


def write_outputs(
    outputs: Sequence[Path],
    asked: Asked,
    found: Found,
    elements: Sequence[MeanElements],
    measured: tuple[Revisit, Spread],
    title: str,
) -> None:
    """Write each file in the form that its ending says."""
    for path in outputs:
        path.write_bytes(_output(path.suffix.lower(), asked, found, elements, measured, title))


def _output(
    kind: str, asked: Asked, found: Found, elements: Sequence[MeanElements], measured: tuple[Revisit, Spread], title: str
) -> bytes:
    match kind:
        case ".png":
            return _picture(asked, found, measured, title)
        case ".geojson" | ".parquet":
            return _table(kind, asked, measured, len(elements))
        case ".ics":
            from kizuna.formats.pass_files import icalendar

            return icalendar(found.windows, system_now(), title=title)
        case ".czml":
            from kizuna.earth.orbit import Sgp4
            from kizuna.formats.pass_files import czml

            tracks = [Sgp4(one, asked.begin) for one in elements]
            where = [lambda seconds, track=track: track.ecef(seconds)[0] for track in tracks]
            return czml(found.windows, asked.end, where, [place for _name, place in asked.places], title=title)
        case _:
            return _dataset(asked, measured, len(elements))


def _picture(asked: Asked, found: Found, measured: tuple[Revisit, Spread], title: str) -> bytes:
    import numpy as np

    from kizuna.formats.plan_pictures import Track, pass_chart, revisit_map
    from kizuna.planning.revisit import images_s

    if asked.grid is not None:
        longitudes, latitudes = np.array(asked.grid.longitude_deg), np.array(asked.grid.latitude_deg)
        mean = measured[0].mean_s.reshape(len(latitudes), len(longitudes))
        return revisit_map(
            f"{title}: {_('mean time between images')}",
            caption(asked),
            longitudes,
            latitudes,
            mean,
            land_outlines(),
            asked.marks,
            say=_said,
        )
    tracks = []
    for number, (name, _place) in enumerate(asked.places):
        at_s, satellite = images_s(found.passes, number)
        tracks.append(Track(name, at_s, satellite.astype(np.int64), np.ones(len(at_s), np.bool_)))
    hours = min(_CHART_HOURS, 24.0 * asked.days)
    return pass_chart(title, caption(asked), asked.begin, hours, found.passes.satellites, tracks, say=_said)


def _said(message: Message) -> str:
    return message.render(_)


def _columns(measured: tuple[Revisit, Spread]) -> dict[str, npt.NDArray[Any]]:
    times, more = measured
    return {
        "images": times.images,
        "mean_s": times.mean_s,
        "median_s": more.median_s,
        "p95_s": more.p95_s,
        "worst_s": times.worst_s,
        "response_s": times.response_s,
        "response_p95_s": more.response_p95_s,
        "unanswered": times.unanswered,
    }


def _table(kind: str, asked: Asked, measured: tuple[Revisit, Spread], satellites: int) -> bytes:
    from kizuna.formats.place_tables import feature, geojson, geoparquet

    times, more = measured
    cell = None if asked.grid is None else asked.grid.cell_deg
    features = [
        feature(name, place.longitude_deg, place.latitude_deg, figures(times, more, number), cell_deg=cell)
        for number, (name, place) in enumerate(asked.places)
    ]
    beside: dict[str, Json] = {**about(asked), "satellites": satellites}
    return geojson(features, beside) if kind == ".geojson" else geoparquet(features, beside)


def _dataset(asked: Asked, measured: tuple[Revisit, Spread], satellites: int) -> bytes:
    from kizuna.formats.place_tables import grid_dataset, place_dataset

    beside = {name: str(value) for name, value in (about(asked) | {"satellites": satellites}).items()}
    columns = _columns(measured)
    if asked.grid is not None:
        made = grid_dataset(asked.grid.longitude_deg, asked.grid.latitude_deg, columns, beside)
    else:
        places = [place for _name, place in asked.places]
        made = place_dataset(
            [name for name, _place in asked.places],
            [place.longitude_deg for place in places],
            [place.latitude_deg for place in places],
            columns,
            beside,
        )
    return bytes(made.to_netcdf(engine="scipy"))
