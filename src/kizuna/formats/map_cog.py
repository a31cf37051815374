"""Web-optimised COGs that the node makes for its own map tiles: amplitude and phase, finer than the levels of the map image.

They lie on the grid of web map tiles, in blocks that are its tiles where the grid allows, and are read back by
`kizuna.formats.tiled_image`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rasterio.enums import Resampling

from kizuna.errors import InputError, Message
from kizuna.formats.geotiff import WEB_COG, WEB_MERCATOR, decibels_of, stretch_of, warp_to_web, write_cog
from kizuna.formats.tiled_image import CONTENT_TAG, HIGH_TAG, LOW_TAG, SCALE_TAG, Content

if TYPE_CHECKING:
    from kizuna.formats.geotiff import Placed

__all__ = ["write_amplitude_map", "write_phase_map"]

# Speckle does not compress: deflated, a file is a fifth smaller and each tile costs 0.6 ms more. What has no data takes no room.
_LAYOUT = {**WEB_COG, "COMPRESS": "NONE", "SPARSE_OK": "YES", "BIGTIFF": "IF_SAFER", "ALIGNED_LEVELS": "4"}
_MEDIAN_CODE = 512.0
# A fifth coarser than the image at most: the next zoom has four times the pixels, and an image is sampled finer than it resolves.
_COARSER = 0.25
_MOST_PERCENTILE_PIXELS = 1 << 22


def write_amplitude_map(placed: Placed) -> bytes:
    """Web-optimised COG of amplitudes, 16 bits, 0 for no data.

    Parameters
    ----------
    placed
        Amplitude and its place.

    Returns
    -------
    bytes
        The file. The median has code 512: a step is 0.02 dB there, and what is 42 dB above it saturates. Its overviews are means
        of amplitude.

    Raises
    ------
    InputError
        No pixel holds data.
    """
    warped, transform, zoom = warp_to_web(placed, Resampling.bilinear, coarser=_COARSER)
    # Some millions tell the percentiles of all.
    step = max(1, int(np.ceil(np.sqrt(warped.size / _MOST_PERCENTILE_PIXELS))))
    some = warped[::step, ::step]
    if not (some > 0.0).any():
        some = warped
    low, high = stretch_of(decibels_of(some))
    scale = _MEDIAN_CODE / float(np.median(some[some > 0.0]))
    empty = np.isnan(warped)
    warped *= np.float32(scale)
    np.rint(warped, out=warped)
    np.clip(warped, 1.0, 65535.0, out=warped)
    warped[empty] = 0.0
    tags = {
        **placed.tags,
        CONTENT_TAG: Content.AMPLITUDE.value,
        SCALE_TAG: repr(scale),
        LOW_TAG: repr(low),
        HIGH_TAG: repr(high),
    }
    options = {**_LAYOUT, "ZOOM_LEVEL": str(zoom)}
    return write_cog(warped.astype(np.uint16), WEB_MERCATOR, transform, nodata=0, tags=tags, options=options)


def write_phase_map(placed: Placed) -> bytes:
    """Web-optimised COG of phases, 8 bits: 1 for -pi to 255 for +pi, 0 for no data.

    Parameters
    ----------
    placed
        In place of amplitudes, phases in radians. None of them is a mean of others, here or in an overview.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    InputError
        No pixel holds data.
    """
    warped, transform, zoom = warp_to_web(placed, Resampling.nearest, coarser=_COARSER)
    empty = np.isnan(warped)
    if empty.all():
        raise InputError(
            Message("no pixel of the image holds data"), hint=Message("Check the file's no-data value."), field="file"
        )
    codes = np.clip(np.rint(1.0 + 254.0 * (warped + np.pi) / (2.0 * np.pi)), 1, 255)
    codes[empty] = 0
    options = {**_LAYOUT, "ZOOM_LEVEL": str(zoom), "OVERVIEW_RESAMPLING": "NEAREST"}
    tags = {**placed.tags, CONTENT_TAG: Content.PHASE.value}
    return write_cog(codes.astype(np.uint8), WEB_MERCATOR, transform, nodata=0, tags=tags, options=options)
