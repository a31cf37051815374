"""Small images with something to see: a SICD of the Gotcha sample, GeoTIFFs of a scene that is known in every point."""

from __future__ import annotations

import io
from functools import lru_cache
from importlib import resources

import numpy as np
import rasterio
from affine import Affine

from kizuna.earth.scene import LocalScene
from kizuna.formats.gotcha import NOMINAL_POSITION, describe, read_history
from kizuna.formats.sicd import write_sicd
from kizuna.model.instants import parse_instant
from kizuna.sar.image import form_image

__all__ = ["gotcha_image", "gotcha_sicd", "scene_tiff"]


@lru_cache
def gotcha_image():
    """Complex image of 20 m by 20 m."""
    folder = resources.files("kizuna.samples") / "gotcha"
    files = [io.BytesIO((folder / f"data_3dsar_pass1_az00{degree}_HH.mat").read_bytes()) for degree in (1, 2, 3)]
    history = read_history(files, polarisation="HH")
    return form_image(history, LocalScene(NOMINAL_POSITION), extent_m=20.0, spacing_m=0.25, nominal=True)


@lru_cache
def gotcha_sicd() -> bytes:
    """The same as a SICD file."""
    file = io.BytesIO()
    write_sicd(file, gotcha_image(), describe(produced=parse_instant("2026-01-01")))
    return file.getvalue()


def scene_tiff(*, side: int = 600, bright: float = 1.0, hole: bool = True, blob: bool = False, seed: int = 3) -> bytes:
    """GeoTIFF of 16-bit amplitudes in UTM 43N, 10 m a pixel: smooth hills under speckle of many looks, and a hole without data.

    Parameters
    ----------
    side
        Rows and columns.
    bright
        Factor of all amplitudes.
    hole
        Whether a part has no data.
    blob
        Whether there is a bright field in the middle that other scenes do not have.
    seed
        Of the speckle.
    """
    y, x = np.mgrid[0:side, 0:side] / side
    hills = 300.0 * (1.2 + np.sin(9.0 * x) * np.cos(7.0 * y)) * (1.0 + 0.6 * x)
    if blob:
        hills[np.hypot(x - 0.5, y - 0.5) < 0.1] *= 8.0
    looks = np.random.default_rng(seed).gamma(16.0, 1.0 / 16.0, hills.shape)
    band = np.clip(hills * bright * np.sqrt(looks), 1, 65535).astype(np.uint16)
    if hole:
        band[side // 5 : side // 3, side // 5 : side // 3] = 0
    form = {"crs": "EPSG:32643", "transform": Affine(10.0, 0.0, 650_000.0, 0.0, -10.0, 1_100_000.0), "nodata": 0}
    with rasterio.MemoryFile() as memory:
        with memory.open(driver="GTiff", height=side, width=side, count=1, dtype="uint16", tiled=True, **form) as dataset:
            dataset.write(band, 1)
            dataset.build_overviews([2, 4], rasterio.enums.Resampling.average)
        return memory.read()
