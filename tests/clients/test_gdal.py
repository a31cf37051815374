"""GDAL of Debian as it is: the collection as OGC API Features, and the images of a search as one mosaic (STACIT)."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from simulators.clients import run


@pytest.mark.parametrize("who", ["person", "partner"])
class TestGdal:
    def test_features_are_those_of_the_caller(self, callers, who):
        caller = getattr(callers, who)
        done = run("ogr2ogr", "-f", "GeoJSON", "/vsistdout/", f"OAPIF:{caller.url}", "imagery", **caller.gdal)
        assert done.returncode == 0, done.stderr
        features = json.loads(done.stdout)["features"]
        assert {feature["properties"]["id"] for feature in features} == set(caller.told)
        assert {feature["properties"]["security:classification"] for feature in features} == (
            {"UNCLASSIFIED", "秘"} if caller is callers.person else {"UNCLASSIFIED"}
        )

    def test_features_in_a_box_and_by_a_property(self, callers, who):
        caller = getattr(callers, who)
        for box, expected in (((76.3, 9.9, 76.4, 10.0), set(caller.told)), ((0, 0, 1, 1), set())):
            words = ["-spat", *map(str, box), f"OAPIF:{caller.url}", "imagery"]
            done = run("ogr2ogr", "-f", "GeoJSON", "/vsistdout/", *words, **caller.gdal)
            found = {feature["properties"]["id"] for feature in json.loads(done.stdout)["features"]}
            assert found == expected

    def test_the_mosaic_shows_the_newest_image_of_those_of_the_caller(self, callers, who, tmp_path):
        caller = getattr(callers, who)
        source = f'STACIT:"{caller.url}/search?collections=imagery&limit=100&sortby=datetime":asset=original'
        done = run("gdal_translate", "-q", source, tmp_path / "mosaic.tif", **caller.gdal)
        assert done.returncode == 0, done.stderr
        with rasterio.open(tmp_path / "mosaic.tif") as mosaic, rasterio.open(caller.files[-1]) as expected:
            assert mosaic.crs == expected.crs
            assert mosaic.transform == expected.transform
            assert np.array_equal(mosaic.read(), expected.read())
