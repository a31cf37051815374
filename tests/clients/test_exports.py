"""What a node writes for other tools, read by them: GeoParquet by stac-geoparquet, KML and GeoJSON by GDAL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from simulators.clients import CLIENTS, ROOT, run
from simulators.processes import kizuna


def ids_in(file):
    """Ids that GDAL finds in a file."""
    done = run("ogr2ogr", "-f", "GeoJSON", "/vsistdout/", file)
    assert done.returncode == 0, done.stderr
    return [feature["id"] for feature in json.loads(done.stdout)["features"]]


def test_an_export_holds_all_that_is_found(callers, node_folder, tmp_path):
    person = callers.person
    whole = person.json("/search", limit=100)["features"]
    for name in ("all.geojson", "all.kml"):
        done = kizuna("catalog", "export", tmp_path / name, "--url", person.origin, "--node", node_folder, "--json")
        assert done.json()["items"] == len(person.told), done.err
    assert json.loads((tmp_path / "all.geojson").read_text("utf-8"))["features"] == whole
    assert set(ids_in(tmp_path / "all.geojson")) == set(person.told)
    placed = run("ogrinfo", "-q", "-al", tmp_path / "all.kml").stdout
    assert placed.count("begin (") == len(person.told)
    assert placed.count("POLYGON") == len(person.told)
    some = tmp_path / "some.geojson"
    kizuna("catalog", "export", some, "--filter", "security:classification = '秘'", "--bbox", "76,9,77,10", "--node", node_folder)
    assert set(ids_in(some)) == set(callers.partner.withheld)
    again = kizuna("catalog", "export", some, "--node", node_folder, "--json")
    assert (again.status, again.fault()["field"]) == (2, "file")
    nowhere = kizuna("catalog", "export", tmp_path / "all.xyz", "--node", node_folder, "--json")
    assert (nowhere.status, nowhere.fault()["field"]) == (2, "format")


def test_geoparquet_is_read_back_by_stac_geoparquet(callers, node_folder, tmp_path):
    person = callers.person
    words = ["-m", "kizuna", "catalog", "export", tmp_path / "all.parquet", "--url", person.origin, "--node", node_folder]
    # In the environment that has pyarrow.
    done = run(CLIENTS / "python", *words, PYTHONPATH=str(ROOT / "src"))
    assert done.returncode == 0, done.stderr
    read = run(CLIENTS / "python", Path(__file__).parent / "tools/read_geoparquet.py", tmp_path / "all.parquet")
    assert read.returncode == 0, read.stderr
    told = json.loads(read.stdout)
    assert told["geo"]["columns"]["geometry"]["geometry_types"] == ["Polygon"]
    expected = {item["id"]: item for item in person.json("/search", limit=100)["features"]}
    assert {item["id"] for item in told["items"]} == set(expected)
    for item in told["items"]:
        whole = expected[item["id"]]
        assert item["geometry"] == whole["geometry"]
        assert list(item["bbox"]) == whole["bbox"]
        for name in ("gsd", "platform", "title", "security:marking"):
            assert item["properties"][name] == whole["properties"][name]
        assert item["properties"]["datetime"].startswith(whole["properties"]["datetime"][:19])
        assert {key: asset["href"] for key, asset in item["assets"].items()} == {
            key: asset["href"] for key, asset in whole["assets"].items()
        }


@pytest.mark.parametrize("form", ["kml", "geojson"])
def test_over_http_each_caller_gets_its_own(callers, form, tmp_path):
    for caller in callers:
        file = tmp_path / f"{caller.name}.{form}"
        file.write_bytes(caller.get("/search", limit=100, f=form).content)
        text = file.read_text("utf-8")
        assert all(product in text for product in caller.told)
        assert not any(product in text for product in caller.withheld)
