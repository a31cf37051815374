"""Pictures of plans for a briefing, as PNG: maps of revisit, charts of passes, and what a change costs.

Times of day are UTC. Colours are those of Okabe and Ito (2008), which readers who are colour-blind tell apart, and viridis.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kizuna.errors import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kizuna.model.instants import Instant

    type Say = Callable[[Message], str]

__all__ = ["Frame", "Track", "pass_chart", "revisit_map", "what_if_picture"]

type Floats = npt.NDArray[np.float64]
type Line = Sequence[tuple[float, float]]

_OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_OTHERS = "#8C8C8C"
_LOST = "#D9D9D9"
_NONE = "none"
_STEPS_MIN = (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 240.0, 480.0, 1440.0, 2880.0)
_DPI = 150
_HOUR_S = 3600.0
_IN_MINUTES_S, _IN_HOURS_S = 6 * 3600.0, 3 * 86400.0


def _plain(message: Message) -> str:
    return message.render()


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chart of images is about.

    Parameters
    ----------
    title, caption
        What it shows, and under which assumptions.
    begin, hours
        From when, and how long.
    providers
        Names by which images are coloured.
    """

    title: str
    caption: str
    begin: Instant
    hours: float
    providers: Sequence[str]


@dataclass(frozen=True, slots=True)
class Track:
    """Images of one place, for a chart.

    Parameters
    ----------
    place
        Its name.
    at_s
        Shape (images,): when, in seconds since the begin of the chart.
    provider
        Shape (images,): who takes each, an index into the chart's providers.
    kept
        Shape (images,): whether it counts after the change.
    was
        Shape (images,): whether it counted before; None where all did.
    figures
        Pairs of numbers, before and after: mean revisit, mean response, longest gap, in seconds; NaN where there is none.
    """

    place: str
    at_s: Floats
    provider: npt.NDArray[np.integer]
    kept: npt.NDArray[np.bool_]
    was: npt.NDArray[np.bool_] | None = None
    figures: tuple[tuple[float, float], ...] = ()


def duration_text(seconds: float, beside: float = 0.0) -> str:
    """Time as people say it: in minutes below six hours, in hours below three days, else in days.

    Parameters
    ----------
    seconds
        The time.
    beside
        Another that it is compared to: both have one unit.

    Examples
    --------
    >>> duration_text(624.0), duration_text(624.0, 36000.0), duration_text(4 * 86400.0), duration_text(float("nan"))
    ('10.4 min', '0.2 h', '4.0 d', '–')
    """
    if not math.isfinite(seconds):
        return "–"
    longer = max(seconds, beside) if math.isfinite(beside) else seconds
    if longer < _IN_MINUTES_S:
        return f"{seconds / 60.0:.1f} min"
    return f"{seconds / _HOUR_S:.1f} h" if longer < _IN_HOURS_S else f"{seconds / 86400.0:.1f} d"


def _figure(width: float, height: float) -> Any:  # noqa: ANN401 - Matplotlib is loaded when a picture is drawn
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:  # noqa: ANN401
    stream = io.BytesIO()
    # Without the date and the library's name the same picture has the same bytes.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def revisit_map(
    title: str,
    caption: str,
    longitude_deg: Floats,
    latitude_deg: Floats,
    seconds: Floats,
    land: Sequence[Line],
    places: Sequence[tuple[str, float, float]] = (),
    say: Say = _plain,
) -> bytes:
    """Map of a time in classes, from minutes to days.

    Parameters
    ----------
    title, caption
        What the map shows, and under which assumptions.
    longitude_deg, latitude_deg
        Shapes (columns,) and (rows,): middles of the cells, evenly spaced.
    seconds
        Shape (rows, columns): the time of each cell; NaN where the place is never imaged (twice).
    land
        Outlines of the land: pairs (longitude, latitude).
    places
        Names, longitudes and latitudes of places to mark.
    say
        What puts a sentence into the reader's language.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap

    minutes = seconds / 60.0
    figure = _figure(10.0, 6.2)
    axes = figure.add_subplot()
    import matplotlib as mpl

    colours = ListedColormap(mpl.colormaps["viridis_r"](np.linspace(0.02, 1.0, len(_STEPS_MIN) + 1)))
    norm = BoundaryNorm(_STEPS_MIN, colours.N, extend="both")
    axes.set_facecolor("#EFEFEF")
    shown = axes.pcolormesh(
        longitude_deg, latitude_deg, np.ma.masked_invalid(minutes), cmap=colours, norm=norm, shading="nearest"
    )
    for line in land:
        longitudes, latitudes = zip(*line, strict=True)
        axes.plot(longitudes, latitudes, color="white", linewidth=1.6)
        axes.plot(longitudes, latitudes, color="#303030", linewidth=0.6)
    step_x, step_y = (abs(float(each[1] - each[0])) if len(each) > 1 else 1.0 for each in (longitude_deg, latitude_deg))
    axes.set_xlim(longitude_deg.min() - step_x / 2, longitude_deg.max() + step_x / 2)
    axes.set_ylim(latitude_deg.min() - step_y / 2, latitude_deg.max() + step_y / 2)
    axes.set_aspect(1.0 / max(math.cos(math.radians(float(np.mean(latitude_deg)))), 0.2), adjustable="box")
    for name, longitude, latitude in places:
        axes.plot(longitude, latitude, "o", color="white", markeredgecolor="black", markersize=5)
        # A name stands to the right of its place, or to the left where another place is in the way.
        crowded = any(
            0.0 < other[1] - longitude < 0.25 * np.ptp(longitude_deg) and abs(other[2] - latitude) < 0.06 * np.ptp(latitude_deg)
            for other in places
        )
        axes.annotate(
            name,
            (longitude, latitude),
            textcoords="offset points",
            xytext=(-6, 4) if crowded else (6, 4),
            ha="right" if crowded else "left",
            fontsize=9,
            bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0},
        )
    axes.set_xlabel(say(Message("longitude, degrees east")))
    axes.set_ylabel(say(Message("latitude, degrees north")))
    figure.suptitle(title, fontsize=13, fontweight="bold", x=0.01, ha="left")
    bar = figure.colorbar(shown, ax=axes, orientation="horizontal", shrink=0.8, aspect=45, ticks=_STEPS_MIN, extend="both")
    bar.ax.set_xticklabels([f"{step:.0f} min" if step < 120 else f"{step / 60:.0f} h" for step in _STEPS_MIN])  # noqa: PLR2004
    bar.set_label(say(Message("time (grey: there is none in the period)")))
    figure.supxlabel(caption, fontsize=8, color="#404040", wrap=True)
    return _png(figure)


def _colours(providers: Sequence[str], tracks: Sequence[Track]) -> list[str]:
    """A colour for each provider: those who take most images have their own, the rest share one."""
    counts = np.zeros(len(providers))
    for track in tracks:
        counts += np.bincount(track.provider, minlength=len(providers))
    order = np.argsort(-counts, kind="stable")
    colours = [_OTHERS if count else _NONE for count in counts]
    for rank, number in enumerate(order[: len(_OKABE_ITO)]):
        if counts[number]:
            colours[number] = _OKABE_ITO[rank]
    return colours


def _legend(figure: Any, providers: Sequence[str], colours: Sequence[str], lost: bool, say: Say) -> None:  # noqa: ANN401, FBT001
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=colour, linewidth=3, label=provider)
        for provider, colour in zip(providers, colours, strict=True)
        if colour not in {_OTHERS, _NONE}
    ]
    if _OTHERS in colours:
        entries.append(Line2D([], [], color=_OTHERS, linewidth=3, label=say(Message("others"))))
    if lost:
        entries.append(Line2D([], [], color=_LOST, linewidth=3, label=say(Message("lost"))))
    figure.legend(handles=entries, loc="outside lower center", ncols=min(len(entries), 5), fontsize=8, frameon=False)


def _hours(axes: Any, begin: Instant, hours: float) -> None:  # noqa: ANN401
    """Ticks of whole hours, with the day under each midnight."""
    step = next((each for each in (1, 2, 3, 6, 12, 24) if hours / each <= 16), 24)  # noqa: PLR2004 - ticks fit one beside the other
    first = begin.replace(minute=0, second=0, microsecond=0)
    first += timedelta(hours=(-first.hour) % step)
    ticks: list[float] = []
    labels: list[str] = []
    moment, end = first, begin + timedelta(hours=hours)
    while moment <= end:
        if moment >= begin:
            ticks.append((moment - begin).total_seconds() / _HOUR_S)
            new_day = moment.hour == 0 or not labels
            labels.append(f"{moment:%H:%M}" + (f"\n{moment:%Y-%m-%d}" if new_day else ""))
        moment += timedelta(hours=step)
    axes.set_xticks(ticks, labels, fontsize=8)
    axes.set_xlim(0.0, hours)
    axes.grid(axis="x", color="#E0E0E0", linewidth=0.6)
    axes.set_axisbelow(True)


def pass_chart(frame: Frame, tracks: Sequence[Track], say: Say = _plain) -> bytes:
    """Chart of all images of places over some hours, a row a place.

    Parameters
    ----------
    frame
        What it is about.
    tracks
        Images of each place.
    say
        What puts a sentence into the reader's language.
    """
    figure = _figure(11.0, 1.9 + 0.55 * len(tracks))
    axes = figure.add_subplot()
    colours = _colours(frame.providers, tracks)
    for row, track in enumerate(tracks):
        _ticks(axes, row, track, colours, track.kept, frame.hours)
    axes.set_yticks(range(len(tracks)), [track.place for track in tracks])
    axes.set_ylim(len(tracks) - 0.4, -0.6)
    _hours(axes, frame.begin, frame.hours)
    axes.set_xlabel(say(Message("UTC; a line an image")))
    axes.set_title(frame.caption, fontsize=8, color="#404040", loc="left")
    figure.suptitle(frame.title, fontsize=13, fontweight="bold", x=0.01, ha="left")
    _legend(figure, frame.providers, colours, lost=False, say=say)
    return _png(figure)


def _ticks(
    axes: Any,  # noqa: ANN401
    row: float,
    track: Track,
    colours: Sequence[str],
    shown: npt.NDArray[np.bool_],
    hours: float,
    *,
    lost: bool = False,
) -> None:
    at_h = track.at_s / _HOUR_S
    for number, colour in enumerate(colours):
        if colour == _NONE:
            continue
        chosen = shown & (track.provider == number) & (at_h >= 0.0) & (at_h <= hours)
        axes.vlines(at_h[chosen], row - 0.34, row + 0.34, color=_LOST if lost else colour, linewidth=1.1, zorder=2 if lost else 3)


def what_if_picture(frame: Frame, tracks: Sequence[Track], say: Say = _plain) -> bytes:
    """Images of places before and after a change, with what it does to the times.

    Parameters
    ----------
    frame
        What it is about.
    tracks
        Images of each place, with `Track.figures`.
    say
        What puts a sentence into the reader's language.
    """
    figure = _figure(12.0, 1.9 + 1.75 * len(tracks))
    grid = figure.add_gridspec(len(tracks), 2, width_ratios=(3.2, 1.0))
    colours = _colours(frame.providers, tracks)
    for row, track in enumerate(tracks):
        axes = figure.add_subplot(grid[row, 0])
        was = np.ones(len(track.at_s), np.bool_) if track.was is None else track.was
        _ticks(axes, 0.0, track, colours, was, frame.hours)
        _ticks(axes, 1.0, track, colours, was & ~track.kept, frame.hours, lost=True)
        _ticks(axes, 1.0, track, colours, track.kept, frame.hours)
        axes.set_yticks((0.0, 1.0), (say(Message("before")), say(Message("after"))))
        axes.set_ylim(1.55, -0.55)
        _hours(axes, frame.begin, frame.hours)
        axes.set_title(track.place, fontsize=11, fontweight="bold", loc="left")
        if row == len(tracks) - 1:
            axes.set_xlabel(say(Message("UTC; a line an image")))
        _numbers(figure.add_subplot(grid[row, 1]), track, say)
    figure.suptitle(f"{frame.title}\n", fontsize=14, fontweight="bold", x=0.01, ha="left")
    figure.text(0.0105, 1.0 - 0.42 / figure.get_figheight(), frame.caption, fontsize=8, color="#404040", va="top")
    _legend(figure, frame.providers, colours, lost=True, say=say)
    return _png(figure)


def _numbers(axes: Any, track: Track, say: Say) -> None:  # noqa: ANN401
    """Bars of the times before and after, with their values."""
    names = (say(Message("mean revisit")), say(Message("mean response")), say(Message("longest gap")))
    finite = [value for pair in track.figures for value in pair if math.isfinite(value)]
    longest = max(finite, default=1.0)
    for number, (before, after) in enumerate(track.figures):
        for shift, value, other, colour in ((-0.19, before, after, "#9ECAE1"), (0.19, after, before, "#D55E00")):
            width = value / longest if math.isfinite(value) else 1.0
            axes.barh(number + shift, width, height=0.34, color=colour if math.isfinite(value) else _LOST)
            text = duration_text(value, other) if math.isfinite(value) else say(Message("never"))
            axes.text(width + 0.03, number + shift, text, va="center", fontsize=8)
    axes.set_yticks(range(len(track.figures)), names[: len(track.figures)], fontsize=8)
    axes.set_ylim(len(track.figures) - 0.45, -0.55)
    axes.set_xlim(0.0, 1.45)
    axes.set_xticks([])
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_title(say(Message("before (light) and after")), fontsize=8, loc="left", color="#404040")
