"""A picture in colour of several polarisations on one grid: Pauli's where HH and VV are there, else the channels themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kizuna.formats.sar_pictures import Directions, arrows, figure_of, png_of, scale_bar

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["channels_in_colour", "composite_png"]

type Floats = npt.NDArray[np.float64]
type Pixels = npt.NDArray[np.complexfloating[Any, Any]]

_LONGEST_SIDE = 900
_DARK_SHARE, _BRIGHT_SHARE = 0.02, 0.998
_UNKNOWN = Directions()


def channels_in_colour(pixels: Mapping[str, Pixels]) -> tuple[tuple[Floats, ...], tuple[str, str, str]]:
    """Power of red, green and blue, and what each stands for.

    Parameters
    ----------
    pixels
        Complex images of one grid by polarisation, such as ``"HH"``; two or more.

    Returns
    -------
    powers, words
        Pauli's: HH - VV (two bounces) red, the cross-polarised (volumes) green, HH + VV (one bounce) blue (Lee and Pottier
        2009, section 3.2). Without HH and VV: the co-polarised channel red and blue, the cross-polarised green.
    """
    cross = [pixels[name] for name in ("HV", "VH") if name in pixels]
    mean = np.mean(cross, axis=0) if cross else None
    if "HH" in pixels and "VV" in pixels:
        even, odd = (pixels["HH"] + sign * pixels["VV"] for sign in (-1.0, 1.0))
        volume = np.zeros_like(odd) if mean is None else 2.0 * mean
        words = "|HH - VV|, two bounces", "nothing" if mean is None else "2 |HV|, volumes", "|HH + VV|, one bounce"
        return tuple(0.5 * np.abs(one).astype(np.float64) ** 2 for one in (even, volume, odd)), words
    names = [*sorted(pixels, key=lambda name: name[0] != name[-1]), ""][:2]
    first, second = (np.abs(pixels[name]).astype(np.float64) ** 2 for name in names)
    return (first, second, first), (names[0], names[1], names[0])


def composite_png(
    pixels: Mapping[str, Pixels], spacing_m: tuple[float, float], *, title: str, directions: Directions = _UNKNOWN
) -> bytes:
    """Picture in colour with a scale bar, arrows and a legend.

    Parameters
    ----------
    pixels
        As `channels_in_colour`.
    spacing_m
        Of rows and of columns, metres.
    title
        Above.
    directions
        On the image.

    Returns
    -------
    bytes
        PNG file: decibels, one scale for all three colours, so that their relations are the scatterers'.
    """
    powers, words = channels_in_colour(pixels)
    step = max(1, math.ceil(max(powers[0].shape) / _LONGEST_SIDE))
    rows, cols = (size // step * step for size in powers[0].shape)
    blocks = [power[:rows, :cols].reshape(rows // step, step, cols // step, step).mean(axis=(1, 3)) for power in powers]
    whole = sum(blocks)
    floor = 1e-12 * max(float(np.max(whole)), 1e-30)
    low, high = (10.0 * math.log10(max(float(np.quantile(whole, share)), floor)) for share in (_DARK_SHARE, _BRIGHT_SHARE))
    shown = np.stack(
        [np.clip((10.0 * np.log10(np.maximum(block, floor)) - low) / max(high - low, 1.0), 0.0, 1.0) for block in blocks], axis=-1
    )
    height_m, width_m = rows * spacing_m[0], cols * spacing_m[1]
    aspect = min(max(height_m / width_m, 0.3), 2.5)
    figure = figure_of(8.0, 7.0 * min(aspect, 1.0) + 1.6)
    axes = figure.add_subplot()
    axes.imshow(shown, extent=(0.0, width_m, height_m, 0.0), aspect="equal")
    axes.set(title=f"{title}\npower from {low:.0f} dB (dark) to {high:.0f} dB (bright)", xlabel="columns, m", ylabel="rows, m")
    for colour, word in zip(("red", "lime", "blue"), words, strict=True):
        axes.plot([], [], "s", color=colour, markersize=9, label=word)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    scale_bar(axes, width_m)
    arrows(axes, directions)
    return png_of(figure)
