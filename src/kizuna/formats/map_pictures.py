"""Pictures of web-optimised COGs: by a table from codes to display levels, then in the colours of a style, as WebP or PNG."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from kizuna.formats.colour_maps import GRAY, TWILIGHT, VIRIDIS
from kizuna.formats.map_styles import Format, Style
from kizuna.formats.tiled_image import Content

if TYPE_CHECKING:
    from kizuna.formats.tiled_image import Part, Scaling, TiledImage

__all__ = ["level_table", "levels_of_map", "pair_picture", "picture"]

type Levels = npt.NDArray[np.uint8]

_COLOURS = {
    Style.DB: GRAY,
    Style.DB_VIRIDIS: VIRIDIS,
    Style.AMPLITUDE: GRAY,
    Style.AMPLITUDE_VIRIDIS: VIRIDIS,
    Style.PHASE: TWILIGHT,
}
_LINEAR = frozenset({Style.AMPLITUDE, Style.AMPLITUDE_VIRIDIS})
_CODES = {Content.LEVELS: 256, Content.AMPLITUDE: 65536, Content.PHASE: 256}
# Method 0: a third of the default's time, and speckle does not compress any better.
_WEBP = {"quality": 75, "method": 0}


@lru_cache(maxsize=64)
def level_table(scaling: Scaling, style: Style, stretch_db: tuple[float, float] | None) -> Levels:
    """Display level of each code.

    Parameters
    ----------
    scaling
        What the codes mean.
    style
        Decibels between both ends of the stretch, or amplitudes between those that they are.
    stretch_db
        Both ends, decibels of amplitude 1; None for the image's own.

    Returns
    -------
    ndarray of uint8
        Shape (256,) or (65536,): 0, which is transparent, for no data, and from 1 to 255.
    """
    codes = np.arange(_CODES[scaling.content], dtype=np.float64)
    if scaling.content is Content.PHASE:
        return codes.astype(np.uint8)
    low, high = stretch_db or (scaling.low_db, scaling.high_db)
    with np.errstate(divide="ignore"):
        if scaling.content is Content.LEVELS:
            decibels = scaling.low_db + (codes - 1.0) / 254.0 * (scaling.high_db - scaling.low_db)
        else:
            decibels = 20.0 * np.log10(codes / scaling.scale)
    if style in _LINEAR:
        least, most = (10.0 ** (edge / 20.0) for edge in (low, high))
        part = (10.0 ** (decibels / 20.0) - least) / (most - least)
    else:
        part = (decibels - low) / (high - low)
    levels: Levels = np.rint(1.0 + 254.0 * np.clip(part, 0.0, 1.0)).astype(np.uint8)
    levels[0] = 0
    levels.setflags(write=False)
    return levels


def levels_of_map(
    image: TiledImage,
    bounds_m: tuple[float, float, float, float],
    size: tuple[int, int],
    style: Style,
    stretch_db: tuple[float, float] | None = None,
) -> Levels | None:
    """Display levels of a rectangle of an image; None where it has nothing there.

    Parameters
    ----------
    image
        The image.
    bounds_m
        West, south, east, north, metres of EPSG:3857.
    size
        Columns and rows.
    style, stretch_db
        As for `level_table`.

    Returns
    -------
    ndarray of uint8
        Shape (rows, cols), 0 where there is no data.

    Raises
    ------
    InputError
        The file is damaged.
    """
    part = image.part(bounds_m, size)
    if part is None:
        return None
    left, top, right, bottom = part.target
    levels = level_table(image.scaling, style, stretch_db).take(part.codes)
    found = _cropped(levels, part) if part.is_exact else _resized(levels, part, smoothly=style is not Style.PHASE)
    if found.shape == (size[1], size[0]):
        return found
    whole = np.zeros((size[1], size[0]), np.uint8)
    whole[top:bottom, left:right] = found
    return whole


def _cropped(levels: Levels, part: Part) -> Levels:
    left, top, right, bottom = (int(edge) for edge in part.region)
    return levels[top:bottom, left:right]


def _resized(levels: Levels, part: Part, *, smoothly: bool) -> Levels:
    left, top, right, bottom = part.region
    size = part.target[2] - part.target[0], part.target[3] - part.target[1]
    if not smoothly:
        return np.asarray(Image.fromarray(levels).resize(size, Image.Resampling.NEAREST, box=part.region))
    larger = size[0] > right - left or size[1] > bottom - top
    how = Image.Resampling.BILINEAR if larger else Image.Resampling.BOX

    def resized(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(Image.fromarray(values).resize(size, how, box=part.region))

    data = levels > 0
    if data.all():
        return np.rint(resized(levels.astype(np.float32))).astype(np.uint8)
    # What is no data weighs nothing: else an image would have a dark seam.
    weight = resized(data.astype(np.float32))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.rint(resized(levels.astype(np.float32)) / weight)
    return np.where(weight >= 0.5, np.clip(mean, 1, 255), 0).astype(np.uint8)  # noqa: PLR2004 - most of it


def picture(levels: Levels | None, size: tuple[int, int], style: Style, form: Format) -> bytes:
    """Picture of display levels, transparent where there is no data; None for levels is a picture without any."""
    if levels is None:
        return _nothing(size, form)
    colours = _COLOURS[style]
    if form is Format.PNG:
        indexed = Image.fromarray(levels, "P")
        indexed.putpalette(colours.tobytes())
        # Of levels, only those without data are 0.
        return _written(indexed, form, transparency=0)
    gray = Image.fromarray(levels, "L")
    bands = [gray, gray, gray] if colours is GRAY else [gray.point(colours[:, band].tolist()) for band in range(3)]
    if levels.all():
        return _written(Image.merge("RGB", bands), form)
    return _written(Image.merge("RGBA", [*bands, gray.point([0] + [255] * 255)]), form)


def pair_picture(before: Levels | None, after: Levels | None, size: tuple[int, int], form: Format) -> bytes:
    """Two images in one picture: what only the one before shows is red, what only the one after shows is cyan."""
    if before is None and after is None:
        return _nothing(size, form)
    none = np.zeros((size[1], size[0]), np.uint8)
    red, cyan = (none if levels is None else levels for levels in (before, after))
    bands = [Image.fromarray(band, "L") for band in (red, cyan, cyan)]
    data = (red > 0) | (cyan > 0)
    if data.all():
        return _written(Image.merge("RGB", bands), form)
    return _written(Image.merge("RGBA", [*bands, Image.fromarray(data.astype(np.uint8) * np.uint8(255), "L")]), form)


@lru_cache(maxsize=8)
def _nothing(size: tuple[int, int], form: Format) -> bytes:
    return _written(Image.new("RGBA", size), form)


def _written(image: Image.Image, form: Format, **options: int) -> bytes:
    out = io.BytesIO()
    if form is Format.WEBP:
        image.save(out, "WEBP", **_WEBP)
    else:
        image.save(out, "PNG", compress_level=1, **options)
    return out.getvalue()
