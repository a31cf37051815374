"""Heights out of a GeoTIFF, and ground that lies on them."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic
from kizuna.errors import InputError
from kizuna.formats.terrain import read_terrain
from kizuna.model.instants import parse_instant
from kizuna.sar.acquisition import Radar
from kizuna.sar.scene import Hill, Orbit, Scene, Surface, Terrain
from kizuna.sar.scene_ground import ground_of

PLACE = LocalScene(Geodetic.from_degrees(latitude_deg=35.35, longitude_deg=139.65, height_m=30.0))
NORTH_M_A_DEG = 110_950.0  # of latitude 35.35, WGS 84, to 1e-4
STEP_DEG = 2e-4


def dem(heights, *, west_deg=139.63, north_deg=35.37, crs="EPSG:4326"):
    with MemoryFile() as file:
        profile = {"driver": "GTiff", "width": heights.shape[1], "height": heights.shape[0], "count": 1, "dtype": "float64"}
        with file.open(**profile, crs=crs, transform=Affine(STEP_DEG, 0, west_deg, 0, -STEP_DEG, north_deg)) as dataset:
            dataset.write(heights, 1)
        return io.BytesIO(file.read())


def ramp():
    """Rising north by one metre in a hundred, 50 m at the scene's middle."""
    latitude = 35.37 - STEP_DEG * (np.arange(200) + 0.5)
    return np.repeat((50.0 + 0.01 * NORTH_M_A_DEG * (latitude - 35.35))[:, None], 200, axis=1)


def test_heights_are_the_models_less_the_scenes():
    terrain = read_terrain(dem(ramp()), PLACE, 400.0, undulation_m=5.0)
    north = np.array([-150.0, 0.0, 7.0, 200.0])
    assert terrain.at(np.zeros(4), north) == pytest.approx(25.0 + 0.01 * north, abs=0.01)
    assert terrain.at(np.full(4, 120.0), north) == pytest.approx(25.0 + 0.01 * north, abs=0.02)  # the Earth falls away by 2 mm


@pytest.mark.parametrize(
    "file",
    [
        io.BytesIO(b"no TIFF"),
        dem(ramp()[:100]),
        dem(np.where(np.arange(200)[:, None] == 100, np.nan, ramp())),
        dem(ramp(), crs=None),
    ],
    ids=["no TIFF", "too small", "a gap", "no coordinate system"],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_model_that_does_not_cover_the_scene_is_refused(file):
    with pytest.raises(InputError) as refusal:
        read_terrain(file, PLACE, 400.0)
    assert refusal.value.field in {"dem", "file"}


def test_ground_lies_on_the_terrain():
    slope = Terrain(np.array([[0.0, 0.0], [20.0, 20.0]]), (-100.0, -100.0), 200.0)
    scene = Scene(
        name="test",
        place=Geodetic.from_degrees(latitude_deg=35.35, longitude_deg=139.65),
        start=parse_instant("2026-11-21T20:30:00Z"),
        extent_m=64.0,
        orbit=Orbit(575e3, None, math.radians(45.0), ascending=True, looks_right=True),
        radar=Radar("test", 9.65e9, 469e6, 0.46, -60.0, "HH", ("bandwidth_hz",)),
        seed=1,
        surfaces=(Surface("land", -10.0),),
        terrain=slope,
    )
    sight = np.array([-0.6, 0.3, 0.74])

    def laid(scene):
        return ground_of(scene, sight, extent_m=(40.0, 40.0), spacing_m=(1.0, 1.0), rng=np.random.default_rng(1)).positions_m

    positions = laid(scene)
    assert positions[:, 2] == pytest.approx(10.0 + 0.1 * positions[:, 1], abs=0.15)  # cells are scattered about their middles
    moved = laid(scene.about((0.0, 50.0)))
    assert moved[:, 2] == pytest.approx(15.0 + 0.1 * moved[:, 1], abs=0.15)
    assert np.ptp(laid(replace(scene, terrain=None))[:, 2]) == pytest.approx(0.0, abs=1e-6)
    # A hill comes on top.
    both = laid(replace(scene, hills=(Hill((0.0, 0.0), radius_m=500.0, height_m=30.0),)))
    assert float(both[:, 2].mean()) == pytest.approx(40.0, abs=0.3)
