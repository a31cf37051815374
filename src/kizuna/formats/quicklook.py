"""A small picture of a product, north up, out of its web COG: the same levels that the map shows."""

from __future__ import annotations

import io
from typing import BinaryIO

from PIL import Image

from kizuna.formats.geotiff import read_levels

__all__ = ["quicklook_png"]

_LONGEST_SIDE = 1024


def quicklook_png(web_cog: BinaryIO, *, longest: int = _LONGEST_SIDE) -> bytes:
    """PNG picture of a web COG, transparent where there is no data.

    Parameters
    ----------
    web_cog
        Open, seekable web COG, as `kizuna.formats.geotiff.write_web_cog` makes it.
    longest
        Longest side, pixels.

    Returns
    -------
    bytes
        PNG file, grey with transparency.

    Raises
    ------
    InputError
        Not a TIFF, or a damaged one.
    """
    levels = read_levels(web_cog, longest=longest)
    grey = Image.fromarray(levels, "L")
    picture = Image.merge("LA", (grey, grey.point([0] + [255] * 255)))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()
