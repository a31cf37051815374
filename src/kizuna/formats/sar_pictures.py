"""Pictures of complex images, as a briefing shows them: in decibels with scale bar and arrows, the spectrum, sub-apertures."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import lxml.etree

__all__ = [
    "Directions",
    "arrows",
    "directions_of",
    "figure_of",
    "looks_png",
    "png_of",
    "quicklook_png",
    "scale_bar",
    "spectrum_png",
]

type Pixels = npt.NDArray[np.complexfloating[Any, Any]] | npt.NDArray[np.floating[Any]]
type Floats = npt.NDArray[np.float64]

_LONGEST_SIDE = 900
_RANGE_DB = 45.0
_BRIGHTEST_QUANTILE = 0.9995
_NICE = (1.0, 2.0, 5.0)
_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class Directions:
    """Unit directions on an image as (rows down, columns right).

    Parameters
    ----------
    north, range, shadow
        Where north is, whither the radar looked, and whither shadows fall; None where it is not known.
    """

    north: tuple[float, float] | None = None
    range: tuple[float, float] | None = None
    shadow: tuple[float, float] | None = None


_UNKNOWN = Directions()


def directions_of(tree: lxml.etree._ElementTree) -> Directions:
    """Directions of a SICD, out of its grid and the antenna's place at the centre of the aperture.

    Parameters
    ----------
    tree
        Metadata.
    """
    from kizuna.earth.wgs84 import ecef_to_geodetic, enu_basis
    from kizuna.formats.metadata_tree import MetadataTree

    metadata = MetadataTree(tree)
    row, col = metadata.vector("Grid/Row/UVectECF"), metadata.vector("Grid/Col/UVectECF")
    centre, antenna = metadata.vector("GeoData/SCP/ECF"), metadata.vector("SCPCOA/ARPPos")
    if row is None or col is None or centre is None:
        return Directions()
    latitude, longitude, _ = (float(value) for value in ecef_to_geodetic(centre))
    _east, north, up = enu_basis(latitude, longitude)
    sight = None if antenna is None else np.subtract(centre, antenna)

    def on_image(vector: Floats) -> tuple[float, float] | None:
        # A direction of the ground, in the image's own two: least squares, for the plane may stand out of the ground.
        flat = [np.asarray(axis) - (np.asarray(axis) @ up) * up for axis in (row, col)]
        found = np.linalg.lstsq(np.stack(flat, axis=-1), vector)[0]
        length = float(np.linalg.norm(found))
        return (float(found[0]) / length, float(found[1]) / length) if length > 0.0 else None

    away = None if sight is None else on_image(sight - (sight @ up) * up)
    return Directions(on_image(north), away, away)


def _decibels(pixels: Pixels) -> tuple[Floats, float]:
    """Power in decibels of blocks that bring the longest side to a picture's, and how many pixels a block is long."""
    power = np.abs(np.asarray(pixels)).astype(np.float64) ** 2
    step = max(1, math.ceil(max(power.shape) / _LONGEST_SIDE))
    rows, cols = (size // step * step for size in power.shape)
    blocks = power[:rows, :cols].reshape(rows // step, step, cols // step, step).mean(axis=(1, 3))
    return 10.0 * np.log10(np.maximum(blocks, _FLOOR * max(float(blocks.max()), _FLOOR))), float(step)


def _span(decibels: Floats) -> tuple[float, float]:
    top = float(np.quantile(decibels, _BRIGHTEST_QUANTILE))
    return max(top - _RANGE_DB, float(decibels.min())), top


def figure_of(width: float, height: float) -> Any:  # noqa: ANN401 # matplotlib's figure
    """Figure of a size in inches, drawn without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png_of(figure: Any) -> bytes:  # noqa: ANN401
    """PNG file of a figure."""
    out = io.BytesIO()
    # Without its version, the same image gives the same bytes.
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _nice(length: float) -> float:
    """Largest of 1, 2 or 5 times a power of ten that is no longer."""
    power = 10.0 ** math.floor(math.log10(length))
    return power * max(factor for factor in _NICE if factor * power <= length * (1.0 + 1e-9))


def _metres(length: float) -> str:
    return f"{length / 1000.0:g} km" if length >= 1000.0 else f"{length:g} m"  # noqa: PLR2004


def quicklook_png(
    pixels: Pixels, spacing_m: tuple[float, float], *, title: str, caption: str = "", directions: Directions = _UNKNOWN
) -> bytes:
    """Image in decibels with a scale bar, a north arrow, and the directions of range and shadow.

    Parameters
    ----------
    pixels
        Complex image or amplitude, shape (rows, cols).
    spacing_m
        Of rows and of columns, metres.
    title, caption
        Above and below.
    directions
        On the image.

    Returns
    -------
    bytes
        PNG file.
    """
    decibels, step = _decibels(pixels)
    low, high = _span(decibels)
    height_m, width_m = (size * step * spacing for size, spacing in zip(decibels.shape, spacing_m, strict=True))
    side = 7.0
    aspect = min(max(height_m / width_m, 0.3), 2.5)
    figure = figure_of(side + 1.8, side * aspect + 1.1 if aspect <= 1.0 else side + 1.1)
    axes = figure.add_subplot()
    shown = axes.imshow(decibels, cmap="gray", vmin=low, vmax=high, extent=(0.0, width_m, height_m, 0.0), aspect="equal")
    axes.set(title=title, xlabel="columns, m", ylabel="rows, m")
    figure.colorbar(shown, ax=axes, label="power, dB", shrink=0.8)
    if caption:
        figure.supxlabel(caption, fontsize=8)
    scale_bar(axes, width_m)
    arrows(axes, directions)
    return png_of(figure)


def _outlined(width: float) -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=width, foreground="black")]


def scale_bar(axes: Any, width_m: float) -> None:  # noqa: ANN401
    """Scale bar in the lower left of an image of a width."""
    length = _nice(width_m / 4.0)
    begin, end = 0.04, 0.04 + length / width_m
    bar = {"transform": axes.transAxes, "solid_capstyle": "butt", "path_effects": _outlined(6.0)}
    axes.plot([begin, end], [0.05, 0.05], color="white", linewidth=4.0, **bar)
    axes.text(
        (begin + end) / 2.0, 0.065, _metres(length), color="white", ha="center", va="bottom", fontsize=10,
        transform=axes.transAxes, path_effects=_outlined(2.5),
    )  # fmt: skip


def arrows(axes: Any, directions: Directions) -> None:  # noqa: ANN401
    """Arrows side by side along the upper edge, each with its name below."""
    wanted = [("N", directions.north, "white"), ("range", directions.range, "#ffd54a"), ("shadow", directions.shadow, "#7fd0ff")]
    known = [(name, direction, colour) for name, direction, colour in wanted if direction is not None]
    bounds = axes.get_window_extent()
    unit = 0.055 * min(bounds.width, bounds.height)
    for place, (name, direction, colour) in enumerate(known):
        centre = axes.transAxes.transform((0.0, 1.0)) + np.array([unit * (1.8 + 3.0 * place), -1.6 * unit])
        # Rows grow downwards on the page, and so does the first member.
        vector = np.array([direction[1], -direction[0]]) * unit
        tail, head = (axes.transAxes.inverted().transform(centre + sign * vector) for sign in (-1.0, 1.0))
        axes.annotate(
            "", xy=head, xytext=tail, xycoords="axes fraction", textcoords="axes fraction",
            arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.2, "path_effects": _outlined(3.5)},
        )  # fmt: skip
        below = axes.transAxes.inverted().transform(centre + np.array([0.0, -1.35 * unit]))
        axes.text(
            *below, name, color=colour, ha="center", va="top", fontsize=9, transform=axes.transAxes, path_effects=_outlined(2.5)
        )


def spectrum_png(
    pixels: npt.NDArray[np.complexfloating[Any, Any]],
    spacing_m: tuple[float, float],
    *,
    title: str,
    bandwidth: tuple[float, float] | None = None,
) -> bytes:
    """Spectrum of a complex image in decibels over spatial frequency, with the mean along both axes.

    Parameters
    ----------
    pixels
        Shape (rows, cols).
    spacing_m
        Of rows and of columns, metres.
    title
        Above.
    bandwidth
        Widths that the metadata promise, cycles per metre; drawn as a rectangle.
    """
    from matplotlib.patches import Rectangle

    spectrum = np.fft.fftshift(np.fft.fft2(np.asarray(pixels, np.complex64)))
    decibels, _step = _decibels(spectrum)
    decibels -= float(np.quantile(decibels, _BRIGHTEST_QUANTILE))
    rows, cols = (0.5 / spacing for spacing in spacing_m)
    figure = figure_of(8.4, 7.4)
    grid = figure.add_gridspec(2, 2, width_ratios=(4, 1), height_ratios=(1, 4))
    axes = figure.add_subplot(grid[1, 0])
    shown = axes.imshow(decibels, cmap="magma", vmin=-_RANGE_DB, vmax=0.0, extent=(-cols, cols, rows, -rows), aspect="auto")
    axes.set(xlabel="column frequency, cycles/m", ylabel="row frequency, cycles/m")
    if bandwidth is not None:
        corner = (-bandwidth[1] / 2.0, -bandwidth[0] / 2.0)
        axes.add_patch(
            Rectangle(
                corner, bandwidth[1], bandwidth[0], fill=False, edgecolor="white", linestyle="--", label="as the metadata say"
            )
        )
        axes.legend(loc="lower right", fontsize=8)
    power = 10.0 ** (decibels / 10.0)
    above, beside = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[1, 1])
    for values, place, along, limit in ((power.mean(axis=0), above, "x", cols), (power.mean(axis=1), beside, "y", rows)):
        frequency = np.linspace(-limit, limit, len(values))
        profile = 10.0 * np.log10(values / values.max())
        if along == "x":
            place.plot(frequency, profile, color="black", linewidth=0.9)
            place.set(xlim=(-cols, cols), ylim=(-_RANGE_DB, 3.0), ylabel="mean, dB")
        else:
            place.plot(profile, frequency, color="black", linewidth=0.9)
            place.set(ylim=(rows, -rows), xlim=(-_RANGE_DB, 3.0), xlabel="mean, dB")
        place.grid(visible=True, linewidth=0.3)
    figure.colorbar(shown, ax=[above, axes, beside], label="power, dB", shrink=0.7)
    figure.suptitle(title)
    return png_of(figure)


def looks_png(
    pixels: npt.NDArray[np.complexfloating[Any, Any]],
    spacing_m: tuple[float, float],
    *,
    title: str,
    looks: int = 4,
    bandwidth: float | None = None,
) -> bytes:
    """Strip of sub-aperture looks: the column spectrum cut into equal parts, each shown as an image, low to high.

    Each part was seen at another time, in their order or the reverse: what moves or glints changes from one to the next.

    Parameters
    ----------
    pixels
        Shape (rows, cols).
    spacing_m
        Of rows and of columns, metres.
    title
        Above.
    looks
        How many.
    bandwidth
        Width of the column spectrum that is cut, cycles per metre; None for all that holds signal.
    """
    spectrum = np.fft.fftshift(np.fft.fft(np.asarray(pixels, np.complex64), axis=1), axes=1)
    power = (np.abs(spectrum) ** 2).mean(axis=0)
    # The part of the spectrum that holds signal: what lies above a tenth of its median of the brighter half.
    inside = np.flatnonzero(power > 0.1 * np.median(np.sort(power)[len(power) // 2 :]))
    if bandwidth is not None:
        frequency = np.fft.fftshift(np.fft.fftfreq(pixels.shape[1], spacing_m[1]))
        inside = np.flatnonzero(np.abs(frequency) <= bandwidth / 2.0)
    edges = np.linspace(inside[0], inside[-1] + 1, looks + 1).round().astype(int)
    pictures = []
    for first, last in pairwise(edges):
        part = np.zeros_like(spectrum)
        part[:, first:last] = spectrum[:, first:last]
        pictures.append(_decibels(np.fft.ifft(np.fft.ifftshift(part, axes=1), axis=1)))
    low, high = _span(np.concatenate([picture for picture, _ in pictures]))
    rows, cols = pixels.shape
    height_m, width_m = rows * spacing_m[0], cols * spacing_m[1]
    each = 3.2
    figure = figure_of(each * looks + 1.0, each * min(max(height_m / width_m, 0.4), 2.0) + 1.0)
    all_axes = figure.subplots(1, looks, sharey=True)
    shown = None
    for number, (axes, (decibels, _step)) in enumerate(zip(np.atleast_1d(all_axes), pictures, strict=True)):
        shown = axes.imshow(decibels, cmap="gray", vmin=low, vmax=high, extent=(0.0, width_m, height_m, 0.0), aspect="equal")
        axes.set_title(f"look {number + 1} of {looks}", fontsize=9)
        axes.set_xlabel("columns, m")
    np.atleast_1d(all_axes)[0].set_ylabel("rows, m")
    figure.colorbar(shown, ax=all_axes, label="power, dB", shrink=0.8)
    figure.suptitle(title)
    return png_of(figure)
