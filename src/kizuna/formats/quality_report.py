"""One page on the quality of an image, as one would attach it to a delivery: a picture, or a page with the picture in it."""

from __future__ import annotations

import base64
import io
import math
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from kizuna.model.instants import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from kizuna.formats.sicd_quality import SicdQuality, TargetQuality
    from kizuna.sar.impulse import AxisResponse

    type Complex = npt.NDArray[np.complex64]

__all__ = ["facts_of", "quality_html", "quality_png", "table_of"]

_MOST_ROWS = 6
_FACT_ROWS = 3
_PICTURE_PX = 900
_MEASURED, _THEORY = "#0b5fa5", "#c05a00"
_FLOOR_DB = -45.0
# matplotlib brings the first, which knows no kanji; of the others the first that the machine has stands behind it.
_FONT, _KANJI_FONTS = "DejaVu Sans", ("Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "Hiragino Sans", "Yu Gothic", "Meiryo")


def _number(value: float, digits: int, unit: str = "") -> str:
    return "–" if not math.isfinite(value) else f"{value:.{digits}f}{unit}"


def facts_of(quality: SicdQuality, _: Callable[[str], str]) -> list[tuple[str, str]]:
    """What the page says of the whole image: name and value of each line.

    Parameters
    ----------
    quality
        What was measured.
    _
        Translates a sentence.
    """
    summary = quality.summary
    rows, cols = summary.shape
    return [
        (_("Collection"), summary.core_name),
        (_("Sensor"), summary.sensor),
        (_("Observed"), format_instant(summary.collected.begin)),
        (_("Marking"), summary.classification),
        (_("Polarisation"), summary.polarisation),
        (_("Size"), f"{rows} × {cols} px, {quality.spacing_m[0]:.3f} × {quality.spacing_m[1]:.3f} m"),
        (_("Weighting"), " / ".join(dict.fromkeys(quality.window))),
        (_("Width that the metadata promise"), f"{quality.widths_m[0]:.3f} × {quality.widths_m[1]:.3f} m"),
        (_("On the ground"), f"{quality.ground_widths_m[0]:.3f} × {quality.ground_widths_m[1]:.3f} m"),
        (_("Equivalent looks"), f"{_number(quality.looks, 2)} ({quality.fields})"),
        (_("Darkest fields, sigma nought"), _number(quality.darkest_sigma0_db, 1, " dB")),
        (_("NESZ in the metadata"), _number(quality.nesz_db, 1, " dB")),
    ]


def table_of(quality: SicdQuality, _: Callable[[str], str]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of point targets; the last row is theory.

    Parameters
    ----------
    quality
        What was measured.
    _
        Translates a sentence.
    """
    head = [
        _("target"),
        _("IRW row [m]"),
        _("IRW col [m]"),
        _("PSLR row [dB]"),
        _("PSLR col [dB]"),
        _("ISLR row [dB]"),
        _("ISLR col [dB]"),
        _("over clutter [dB]"),
        _("offset row, col [m]"),
        _("RCS (error) [dB]"),
    ]
    rows = [_row(target, quality) for target in quality.targets]
    theory = quality.theory
    rows.append(
        [
            _("theory"),
            *(_number(width, 3) for width in quality.widths_m),
            *(_number(axis.pslr_db, 2) for axis in theory),
            *(_number(axis.islr_db, 2) for axis in theory),
            "",
            "",
            "",
        ]
    )
    return head, rows


def _row(target: TargetQuality, quality: SicdQuality) -> list[str]:
    response = target.response
    widths = [
        f"{got:.3f} ({100.0 * (got / want - 1.0):+.1f} %)" for got, want in zip(target.widths_m, quality.widths_m, strict=True)
    ]
    offset = "–" if not math.isfinite(target.offset_m[0]) else f"{target.offset_m[0]:+.2f}, {target.offset_m[1]:+.2f}"
    section = _number(target.cross_section_dbsm, 1)
    if math.isfinite(target.cross_section_error_db):
        section += f" ({target.cross_section_error_db:+.2f})"
    return [
        target.name,
        *widths,
        _number(response.along_rows.pslr_db, 2),
        _number(response.along_cols.pslr_db, 2),
        _number(response.along_rows.islr_db, 2),
        _number(response.along_cols.islr_db, 2),
        _number(response.clutter_db, 1),
        offset,
        section,
    ]


def quality_png(quality: SicdQuality, pixels: Complex, *, title: str, translate: Callable[[str], str] = str) -> bytes:
    """The page as a picture (PNG), A4 across.

    Parameters
    ----------
    quality
        What was measured.
    pixels
        The image.
    title
        Of the page.
    translate
        Translates a sentence.
    """
    fonts = _fonts()
    with rc_context({"font.family": fonts}):
        return _drawn(quality, pixels, title, _drawable(translate, fonts))


def _fonts() -> list[str]:
    known = set(font_manager.get_font_names())
    return [_FONT, *[name for name in _KANJI_FONTS if name in known][:1]]


def _drawable(translate: Callable[[str], str], fonts: Sequence[str]) -> Callable[[str], str]:
    """Translates sentences for whose letters there is a font; the others stay English."""
    letters = {letter for font in fonts for letter in font_manager.get_font(font_manager.findfont(font)).get_charmap()}

    def translated(sentence: str) -> str:
        found = translate(sentence)
        return found if all(ord(letter) in letters for letter in found) else sentence

    return translated


def _drawn(quality: SicdQuality, pixels: Complex, title: str, _: Callable[[str], str]) -> bytes:
    figure = Figure(figsize=(11.69, 8.27), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.03, 0.965, title, fontsize=13, fontweight="bold", va="top")
    figure.text(0.97, 0.965, quality.summary.classification, fontsize=9, va="top", ha="right")
    _draw_image(figure.add_axes((0.05, 0.40, 0.30, 0.50)), quality, pixels, _)
    best = quality.targets[0] if quality.targets else None
    for place, axis in ((0.42, 0), (0.72, 1)):
        axes = figure.add_axes((place, 0.66, 0.25, 0.24))
        _draw_cut(axes, quality, best, axis, _)
    chip = figure.add_axes((0.42, 0.355, 0.22, 0.22))
    spectrum = figure.add_axes((0.74, 0.355, 0.22, 0.22))
    _draw_chip(chip, quality, best, pixels, _)
    _draw_spectrum(spectrum, pixels, _)
    _draw_facts(figure, facts_of(quality, _))
    _draw_table(figure, *table_of(quality, _))
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()


def _decibels(pixels: npt.NDArray[np.complexfloating]) -> npt.NDArray[np.float64]:
    return np.asarray(20.0 * np.log10(np.maximum(np.abs(pixels), 1e-30)), np.float64)


def _draw_image(axes: Any, quality: SicdQuality, pixels: Complex, _: Callable[[str], str]) -> None:  # noqa: ANN401 # matplotlib's axes
    rows, cols = pixels.shape
    step = max(1, math.ceil(max(rows, cols) / _PICTURE_PX))
    power = np.abs(pixels[: rows // step * step, : cols // step * step]) ** 2
    power = power.reshape(rows // step, step, cols // step, step).mean(axis=(1, 3))
    level = 10.0 * np.log10(np.maximum(power, 1e-30))
    low, high = np.percentile(level[power > 0.0], [2.0, 99.7]) if np.any(power > 0.0) else (0.0, 1.0)
    down, across = rows * quality.spacing_m[0], cols * quality.spacing_m[1]
    axes.imshow(level, cmap="gray", vmin=low, vmax=high, extent=(0.0, across, down, 0.0), interpolation="nearest")
    for target in quality.targets[:_MOST_ROWS]:
        x, y = (target.response.col + 0.5) * quality.spacing_m[1], (target.response.row + 0.5) * quality.spacing_m[0]
        axes.plot(x, y, "o", ms=9, mfc="none", mec="#ffd000", mew=1.2)
        aside = (-6, "right") if x > 0.9 * across else (6, "left")
        axes.annotate(
            target.name, (x, y), xytext=(aside[0], 5), textcoords="offset points", ha=aside[1], color="#ffd000", fontsize=8
        )
    axes.set_title(_("Image, {low} to {high} dB").format(low=f"{low:.0f}", high=f"{high:.0f}"), fontsize=9)
    axes.set_xlabel(_("along the columns' direction [m]"), fontsize=8)
    axes.set_ylabel(_("along the rows' direction (range) [m]"), fontsize=8)
    axes.tick_params(labelsize=7)


def _draw_cut(axes: Any, quality: SicdQuality, target: TargetQuality | None, axis: int, _: Callable[[str], str]) -> None:  # noqa: ANN401
    theory, spacing = quality.theory[axis], quality.spacing_m[axis]
    reach = 8.0 * quality.widths_m[axis]
    axes.plot(theory.offsets_px * spacing, theory.level_db, color=_THEORY, lw=1.0, ls="--", label=_("theory"))
    if target is not None:
        response: AxisResponse = (target.response.along_rows, target.response.along_cols)[axis]
        axes.plot(
            response.offsets_px * spacing,
            response.level_db,
            color=_MEASURED,
            lw=1.2,
            label=_("target {name}").format(name=target.name),
        )
    axes.axhline(-3.0, color="0.6", lw=0.6)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(_FLOOR_DB, 2.0)
    axes.set_title((_("Cut along the rows (range)"), _("Cut along the columns"))[axis], fontsize=9)
    axes.set_xlabel(_("distance [m]"), fontsize=8)
    axes.set_ylabel(_("power over the peak [dB]"), fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(visible=True, lw=0.3)
    axes.legend(fontsize=7, loc="upper right")


def _draw_chip(axes: Any, quality: SicdQuality, target: TargetQuality | None, pixels: Complex, _: Callable[[str], str]) -> None:  # noqa: ANN401
    axes.tick_params(labelsize=7)
    axes.set_title(_("Response, dB over the peak"), fontsize=9)
    if target is None:
        axes.text(0.5, 0.5, _("no point target found"), ha="center", va="center", fontsize=8, transform=axes.transAxes)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    row, col, half = round(target.response.row), round(target.response.col), 12
    chip = pixels[max(row - half, 0) : row + half, max(col - half, 0) : col + half]
    fine = _interpolated(chip, 8)
    level = _decibels(fine) - 20.0 * math.log10(target.response.amplitude)
    down, across = chip.shape[0] * quality.spacing_m[0] / 2.0, chip.shape[1] * quality.spacing_m[1] / 2.0
    shown = axes.imshow(level, cmap="viridis", vmin=_FLOOR_DB, vmax=0.0, extent=(-across, across, down, -down))
    bar = axes.figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.03)
    bar.ax.tick_params(labelsize=6)
    axes.set_xlabel(_("distance [m]"), fontsize=8)


def _interpolated(chip: Complex, factor: int) -> npt.NDArray[np.complex128]:
    spectrum = np.fft.fft2(chip)
    for axis in (0, 1):
        power = (np.abs(spectrum) ** 2).sum(axis=1 - axis)
        turns = np.angle(np.sum(power * np.exp(2j * math.pi * np.arange(len(power)) / len(power)))) / (2.0 * math.pi)
        spectrum = np.roll(spectrum, len(power) // 2 - round(float(turns) * len(power)), axis=axis)
    rows, cols = chip.shape
    padded = np.zeros((factor * rows, factor * cols), np.complex128)
    padded[:rows, :cols] = spectrum
    return np.asarray(np.fft.ifft2(padded) * factor**2, np.complex128)


def _draw_spectrum(axes: Any, pixels: Complex, _: Callable[[str], str]) -> None:  # noqa: ANN401 # matplotlib's axes
    rows, cols = (min(size, 1024) for size in pixels.shape)
    top, left = (pixels.shape[0] - rows) // 2, (pixels.shape[1] - cols) // 2
    level = _decibels(np.fft.fftshift(np.fft.fft2(pixels[top : top + rows, left : left + cols])))
    high = float(np.percentile(level, 99.5))
    axes.imshow(level, cmap="gray", vmin=high - 40.0, vmax=high, extent=(-0.5, 0.5, 0.5, -0.5), aspect="equal")
    axes.set_title(_("Spectrum, 40 dB"), fontsize=9)
    axes.set_xlabel(_("cycles a sample"), fontsize=8)
    axes.tick_params(labelsize=7)


def _draw_facts(figure: Figure, facts: Sequence[tuple[str, str]]) -> None:
    for number, (name, value) in enumerate(facts):
        column, row = divmod(number, _FACT_ROWS)
        x, y = 0.05 + 0.235 * column, 0.115 - 0.036 * row
        figure.text(x, y, name, fontsize=6.5, color="0.4", va="top")
        figure.text(x, y - 0.0145, value[:48], fontsize=7.5, va="top")


def _draw_table(figure: Figure, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    axes = figure.add_axes((0.03, 0.13, 0.94, 0.165))
    axes.set_axis_off()
    shown = [list(row) for row in (*rows[: min(_MOST_ROWS, len(rows) - 1)], rows[-1])]
    filled = (len(shown) + 1) / (_MOST_ROWS + 2)
    place = Bbox.from_bounds(0.0, 1.0 - filled, 1.0, filled)
    table = axes.table(cellText=shown, colLabels=list(head), cellLoc="center", bbox=place)
    table.auto_set_font_size(value=False)
    table.set_fontsize(7)
    for (line, _column), cell in table.get_celld().items():
        cell.set_edgecolor("0.8")
        if line == 0:
            cell.set_facecolor("#e8eef4")
        elif line == len(shown):
            cell.set_facecolor("#fdf1e3")


def quality_html(quality: SicdQuality, pixels: Complex, *, title: str, translate: Callable[[str], str] = str) -> bytes:
    """The page as HTML that stands alone: facts and table as text, the picture within.

    Parameters
    ----------
    quality, pixels, title, translate
        As for `quality_png`.
    """
    _ = translate
    picture = base64.b64encode(quality_png(quality, pixels, title=title, translate=translate)).decode()
    facts = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts_of(quality, _))
    head, rows = table_of(quality, _)
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    style = (
        "body{font:14px/1.4 system-ui,sans-serif;margin:2em auto;max-width:1100px;padding:0 1em}"
        "table{border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums}"
        "th,td{border:1px solid #ccc;padding:.25em .6em;text-align:left}"
        ".targets td{text-align:right}.targets tr:last-child{background:#fdf1e3}img{max-width:100%}"
    )
    return (
        f'<!doctype html><html><head><meta charset="utf-8"><title>{escape(title)}</title><style>{style}</style></head><body>'
        f"<p>{escape(quality.summary.classification)}</p><h1>{escape(title)}</h1><table>{facts}</table>"
        f'<table class="targets"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        f'<img alt="{escape(title)}" src="data:image/png;base64,{picture}"></body></html>\n'
    ).encode()
