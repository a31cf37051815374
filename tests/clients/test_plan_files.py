"""What plans are written as, read by others: GeoParquet by geopandas and pyarrow, GeoJSON by GDAL."""

from __future__ import annotations

import json
from pathlib import Path

from simulators.clients import CLIENTS, ROOT, run
from simulators.processes import kizuna


def test_geoparquet_of_a_plan_is_read_by_geopandas(tmp_path):
    tool = Path(__file__).parent / "tools/plan_geoparquet.py"
    done = run(CLIENTS / "python", tool, tmp_path / "plan.parquet", PYTHONPATH=str(ROOT / "src"))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["crs"] == "OGC:CRS84"
    assert told["types"] == {
        "target": "string",
        "start": "timestamp[us, tz=UTC]",
        "edge_uncertainty_s": "double",
        "images": "int64",
        # Nothing stands in this column: it is one of numbers still.
        "p95_s": "double",
        "geometry": "binary",
    }
    assert told["shapes"][:2] == ["POINT (30.52 50.45)", "POINT (139.69 35.68)"]
    assert told["ccw"]
    assert told["start"] == ["2026-05-08T00:50:28.123456+00:00", "2026-05-08T00:50:28.123456+00:00", None]
    assert told["uncertainty"] == [-1, 0.25, -1]
    column = told["geo"]["columns"]["geometry"]
    assert (told["geo"]["version"], told["geo"]["primary_column"], column["encoding"]) == ("1.1.0", "geometry", "WKB")
    assert (column["geometry_types"], column["bbox"]) == (["Point", "Polygon"], told["bounds"])
    assert told["about"] == {"from": "2026-05-08T00:00:00Z", "orbits": []}
    assert told["empty"] == [0, []]


def test_windows_are_read_by_gdal(tmp_path):
    file = tmp_path / "windows.geojson"
    asked = ("--target", "Tokyo=35.68,139.69", "--from", "2026-05-08", "--satellite", "QPS-SAR-5", "--output", file)
    found = kizuna("plan", "access", *asked, "--json").json()["windows"]
    done = run("ogrinfo", "-q", "-al", file)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("POINT (139.69 35.68)") == len(found) > 0
    assert "start (DateTime) = 2026/05/08" in done.stdout
    assert "edge_uncertainty_s (Real)" in done.stdout
