"""Files that the planning commands write, by their ending; beside one that rests on orbits under a label stands that label."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kizuna.cli.plan_options import FILE_KINDS
from kizuna.cli.plan_orbits import marked
from kizuna.cli.plan_search import about, caption, figures, land_outlines
from kizuna.cli.terminal import _
from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant
from kizuna.wiring import label_path, system_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kizuna.cli.plan_orbits import Flown
    from kizuna.cli.plan_search import Asked, Found
    from kizuna.earth.wgs84 import Geodetic
    from kizuna.model.canonical import Json
    from kizuna.planning.revisit import Revisit, Spread
    from kizuna.planning.tasking import Spot, Task
    from kizuna.planning.windows import AccessWindows

__all__ = [
    "FILE_KINDS",
    "TASK_KINDS",
    "WINDOW_KINDS",
    "said",
    "table",
    "under_label",
    "window_rows",
    "write_figures",
    "write_labelled",
    "write_tasks",
    "write_windows",
]

WINDOW_KINDS = (".geojson", ".parquet", ".czml", ".ics")
TASK_KINDS = (".geojson", ".parquet", ".ics")
_CHART_HOURS = 36.0


def said(message: Message) -> str:
    """A sentence in the person's language, for pictures."""
    return message.render(_)


def under_label(flown: Flown) -> str:
    """What to write on a picture of its label; empty where there is none."""
    return "".join("; " + _("under the label {label}").format(label=marked(label)) for label in flown.labels)


def write_labelled(path: Path, data: bytes, flown: Flown) -> None:
    """Write a file, and beside it the label of the orbits that it rests on.

    Raises
    ------
    InputError
        If they were handed over under different labels: which one holds for both, no rule says.
    """
    from kizuna.formats.label_toml import write_label_toml

    labels = flown.labels
    if len(labels) > 1:
        raise InputError(
            Message("orbits stand under {count} different labels, and a file has one", {"count": len(labels)}),
            hint=Message("write a file for those of one label at a time (--satellite), or print with --json, which names all"),
            field="output",
        )
    if labels:
        label_path(path).write_bytes(write_label_toml(labels[0]))
    path.write_bytes(data)


def window_rows(windows: AccessWindows) -> list[Json]:
    """Windows as JSON."""
    return [
        {name: format_instant(value) if name in {"start", "end", "closest"} else value for name, value in row.items()}  # type: ignore[arg-type, misc]
        for row in _rows(windows)
    ]


def _rows(windows: AccessWindows) -> list[dict[str, object]]:
    return [
        {
            "target": windows.targets[windows.target[row]],
            "satellite": windows.satellites[windows.satellite[row]],
            "start": windows.instant(windows.start_s[row]),
            "end": windows.instant(windows.end_s[row]),
            "closest": windows.instant(windows.closest_s[row]),
            "incidence_deg": round(math.degrees(windows.incidence_rad[row]), 3),
            "look": "right" if windows.right[row] else "left",
            "direction": "ascending" if windows.ascending[row] else "descending",
            "edge_uncertainty_s": None if math.isnan(sure := float(windows.edge_uncertainty_s[row])) else round(sure, 3),
        }
        for row in range(len(windows))
    ]


def write_windows(outputs: Sequence[Path], flown: Flown, windows: AccessWindows, places: Sequence[Geodetic], title: str) -> None:
    """Write windows over places in each form that is asked for."""
    for path in outputs:
        write_labelled(path, _windows(path.suffix.lower(), flown, windows, places, title), flown)


def _windows(kind: str, flown: Flown, windows: AccessWindows, places: Sequence[Geodetic], title: str) -> bytes:
    match kind:
        case ".ics":
            from kizuna.formats.pass_files import icalendar

            return icalendar(windows, system_now(), title=title + under_label(flown))
        case ".czml":
            from kizuna.formats.pass_files import czml

            return czml(windows, flown.end, flown.satellites.tracks, places, title=title + under_label(flown))
        case _:
            where = [places[number] for number in windows.target]
            beside: dict[str, Json] = {"from": format_instant(flown.begin), "until": format_instant(flown.end)}
            return table(kind, [*zip(where, _rows(windows), strict=True)], beside | {"orbits": flown.rests_on()})


def write_tasks(outputs: Sequence[Path], flown: Flown, spots: Sequence[Spot], tasks: Sequence[Task]) -> None:
    """Write the images of a schedule in each form that is asked for."""
    from kizuna.cli.plan_requests import middle_of

    where = {spot.name: middle_of(spot) for spot in spots}
    rows: list[tuple[Geodetic, dict[str, object]]] = [
        (
            where[task.spot],
            {
                "request": task.request,
                "spot": task.spot,
                "satellite": task.satellite,
                "provider": task.provider,
                "mode": task.mode.value,
                "start": flown.at(task.start_s),
                "end": flown.at(task.end_s),
                "incidence_deg": round(math.degrees(task.incidence_rad), 6),
                "look": "right" if task.right else "left",
                "direction": "ascending" if task.ascending else "descending",
                "edge_uncertainty_s": task.edge_uncertainty_s,
            },
        )
        for task in tasks
        # What an earlier schedule committed may be of a request that is no longer asked.
        if task.spot in where
    ]
    for path in outputs:
        kind = path.suffix.lower()
        if kind == ".ics":
            from kizuna.formats.pass_files import Entry, calendar

            entries = [
                Entry(
                    f"{task.satellite} → {task.spot}",
                    f"{task.mode.value}, {task.provider}",
                    flown.at(task.start_s),
                    flown.at(task.end_s),
                )
                for task in tasks
            ]
            data = calendar(entries, system_now(), title=_("SAR schedule") + under_label(flown))
        else:
            beside: dict[str, Json] = {"from": format_instant(flown.begin), "until": format_instant(flown.end)}
            data = table(kind, rows, beside | {"orbits": flown.rests_on()})
        write_labelled(path, data, flown)


def table(
    kind: str,
    rows: Sequence[tuple[Geodetic, Mapping[str, object]]],
    beside: Mapping[str, Json],
    *,
    cell_deg: tuple[float, float] | None = None,
) -> bytes:
    """GeoJSON or GeoParquet of rows about places."""
    from kizuna.formats.place_tables import feature, geojson, geoparquet

    features = [feature(place.longitude_deg, place.latitude_deg, columns, cell_deg=cell_deg) for place, columns in rows]
    return geojson(features, beside) if kind == ".geojson" else geoparquet(features, beside)


def write_figures(
    outputs: Sequence[Path], asked: Asked, found: Found, flown: Flown, measured: tuple[Revisit, Spread], title: str
) -> None:
    """Write the figures of places, or what they are made of, in each form that is asked for."""
    for path in outputs:
        kind = path.suffix.lower()
        if kind == ".png":
            data = _picture(asked, found, flown, measured, title)
        elif kind in {".geojson", ".parquet"}:
            data = _table(kind, asked, found, flown, measured)
        elif kind == ".nc":
            data = _dataset(asked, found, flown, measured)
        else:
            data = _windows(kind, flown, found.windows, [place for _name, place in asked.places], title)
        write_labelled(path, data, flown)


def _picture(asked: Asked, found: Found, flown: Flown, measured: tuple[Revisit, Spread], title: str) -> bytes:
    import numpy as np

    from kizuna.formats.plan_pictures import Frame, Track, pass_chart, revisit_map
    from kizuna.planning.revisit import images_s

    text = caption(asked) + under_label(flown)
    if asked.grid is not None:
        longitudes, latitudes = np.array(asked.grid.longitude_deg), np.array(asked.grid.latitude_deg)
        mean = measured[0].mean_s.reshape(len(latitudes), len(longitudes))
        name = f"{title}: {_('mean time between images')}"
        return revisit_map(name, text, longitudes, latitudes, mean, land_outlines(), asked.marks, say=said)
    tracks = []
    for number, (name, _place) in enumerate(asked.places):
        at_s, satellite = images_s(found.passes, number)
        tracks.append(Track(name, at_s, satellite.astype(np.int64), np.ones(len(at_s), np.bool_)))
    hours = min(_CHART_HOURS, 24.0 * asked.days)
    return pass_chart(Frame(title, text, asked.begin, hours, found.passes.satellites), tracks, say=said)


def _table(kind: str, asked: Asked, found: Found, flown: Flown, measured: tuple[Revisit, Spread]) -> bytes:
    rows: list[tuple[Geodetic, Mapping[str, object]]] = [
        (place, {"name": name, **figures(*measured, number), "windows": windows, "uncertain_windows": uncertain})
        for number, ((name, place), windows, uncertain) in enumerate(zip(asked.places, *found.uncertain, strict=True))
    ]
    beside: dict[str, Json] = {**about(asked), "satellites": len(flown.satellites), "orbits": flown.rests_on()}
    return table(kind, rows, beside, cell_deg=None if asked.grid is None else asked.grid.cell_deg)


def _dataset(asked: Asked, found: Found, flown: Flown, measured: tuple[Revisit, Spread]) -> bytes:
    import numpy as np

    from kizuna.formats.place_tables import grid_dataset, place_dataset

    times, more = measured
    columns = {
        "images": times.images,
        "mean_s": times.mean_s,
        "median_s": more.median_s,
        "p95_s": more.p95_s,
        "worst_s": times.worst_s,
        "response_s": times.response_s,
        "response_p95_s": more.response_p95_s,
        "unanswered": times.unanswered,
        "windows": np.array(found.uncertain[0]),
        "uncertain_windows": np.array(found.uncertain[1]),
    }
    told = about(asked) | {"satellites": len(flown.satellites), "labels": ", ".join(map(marked, flown.labels)) or None}
    beside = {name: str(value) for name, value in told.items() if value is not None}
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
