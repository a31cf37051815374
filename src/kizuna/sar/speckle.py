"""Speckle and noise: how many looks a homogeneous field has, and how dark the darkest one is."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["TILE_PX", "equivalent_looks", "noise_floor"]

type Floats = npt.NDArray[np.float64]

TILE_PX = 32
"""Side of the fields that are looked at, pixels."""

_PARTS = 4
_MOST_EVEN = 0.1
_DARKEST = 0.02


def _tiles(power: npt.NDArray[np.floating]) -> Floats:
    """Fields of `TILE_PX` x `TILE_PX` pixels, shape (n, TILE_PX, TILE_PX); those with missing pixels are left out."""
    rows, cols = (size // TILE_PX for size in power.shape)
    tiles = np.asarray(power[: rows * TILE_PX, : cols * TILE_PX], np.float64)
    tiles = tiles.reshape(rows, TILE_PX, cols, TILE_PX).swapaxes(1, 2).reshape(-1, TILE_PX, TILE_PX)
    return np.asarray(tiles[(tiles > 0.0).all(axis=(1, 2))], np.float64)


def equivalent_looks(power: npt.NDArray[np.floating]) -> tuple[float, int]:
    """Equivalent number of looks of the most homogeneous fields.

    Parameters
    ----------
    power
        Detected power (not amplitude), shape (rows, cols); 0 is no data.

    Returns
    -------
    looks, fields : float, int
        Median of mean^2 / variance over the fields whose sixteenths differ least from each other in their means, a tenth of all;
        NaN and 0 where the image has none.

    Notes
    -----
    A field's homogeneity is judged by its parts' means, not by the variance that is then measured, which would favour fields that
    happen to vary little.
    """
    tiles = _tiles(power)
    if not len(tiles):
        return math.nan, 0
    side = TILE_PX // _PARTS
    parts = tiles.reshape(-1, _PARTS, side, _PARTS, side).mean(axis=(2, 4)).reshape(len(tiles), -1)
    unevenness = parts.std(axis=1) / parts.mean(axis=1)
    chosen = tiles[np.argsort(unevenness)[: max(1, round(_MOST_EVEN * len(tiles)))]].reshape(-1, TILE_PX * TILE_PX)
    looks = chosen.mean(axis=1) ** 2 / chosen.var(axis=1)
    return float(np.median(looks)), len(chosen)


def noise_floor(power: npt.NDArray[np.floating]) -> float:
    """Mean power of the darkest fields (one in fifty): no less than the noise, and near it where there is smooth water or shadow.

    Parameters
    ----------
    power
        Detected power, shape (rows, cols); 0 is no data.

    Returns
    -------
    float
        In the unit of `power`; NaN where the image has no field.
    """
    means = np.sort(_tiles(power).mean(axis=(1, 2)))
    return float(means[: max(1, round(_DARKEST * len(means)))].mean()) if len(means) else math.nan
