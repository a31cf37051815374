"""Small files of each format, made here; others' real ones beside the repository where they are at hand."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from simulators.images import gotcha_image, gotcha_sicd

REAL_SICD = Path(__file__).parents[3].parent / "shared" / "data" / "sar" / "sicd"


@pytest.fixture(scope="session")
def degree():
    """First degree of the Gotcha sample, as bytes."""
    return (resources.files("kizuna.samples") / "gotcha" / "data_3dsar_pass1_az001_HH.mat").read_bytes()


@pytest.fixture(scope="session")
def sentinel():
    """The Sentinel-1 sample, as bytes."""
    return (resources.files("kizuna.samples") / "sentinel1" / "cog_gcps.tif").read_bytes()


@pytest.fixture(scope="session")
def small_image():
    return gotcha_image()


@pytest.fixture(scope="session")
def small_sicd():
    return gotcha_sicd()


@pytest.fixture
def real_sicd():
    def path(name):
        if not (REAL_SICD / name).exists():
            pytest.skip(f"{name} of six-library is not at hand: it is not shipped with kizuna (LGPL)")
        return REAL_SICD / name

    return path


@pytest.fixture
def tiff():
    """Make a GeoTIFF of a band: `crs` and `transform` place it, or nothing does."""

    def make(band, **profile):
        with rasterio.MemoryFile() as memory:
            with memory.open(
                driver="GTiff", height=band.shape[0], width=band.shape[1], count=1, dtype=band.dtype.name, **profile
            ) as dataset:
                dataset.write(band, 1)
            return memory.read()

    return make


@pytest.fixture
def ramp(tiff):
    """100 x 80 pixels of 10 m in UTM 43N, brightness rising eastwards, with a hole of no data."""
    band = np.tile(np.geomspace(1.0, 1000.0, 80, dtype=np.float32), (100, 1))
    band[40:60, 30:50] = np.nan
    return tiff(band, crs="EPSG:32643", transform=Affine(10.0, 0.0, 650_000.0, 0.0, -10.0, 1_100_000.0), nodata=np.nan)
