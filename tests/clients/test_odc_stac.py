"""odc-stac, over pystac-client: a cube of the images of a search, by the grid that the items tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from simulators.clients import CLIENTS, run


@pytest.mark.parametrize("who", ["person", "partner"])
def test_a_cube_holds_the_images_of_the_caller(callers, who, tmp_path):
    caller, made = getattr(callers, who), tmp_path / "cube.npz"
    script = Path(__file__).parent / "tools/load_with_odc.py"
    done = run(CLIENTS / "python", script, caller.url, caller.token, made, **caller.gdal)
    assert done.returncode == 0, done.stderr
    cube = np.load(made)
    assert set(cube["ids"]) == set(caller.told)
    images = []
    for file in caller.files:
        with rasterio.open(file) as dataset:
            images.append(dataset.read(1))
            assert dataset.crs.to_epsg() == cube["code"]
    assert {image.tobytes() for image in cube["pixels"].astype(np.uint8)} == {image.tobytes() for image in images}
