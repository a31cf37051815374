"""Write places as GeoParquet and read them with geopandas: `plan_geoparquet.py FILE` (in `.venv-clients`); told as JSON."""

import json
import sys
from pathlib import Path

import geopandas
import pyarrow.parquet as pq

from kizuna.formats.place_tables import feature, geoparquet
from kizuna.model.instants import parse_instant

start = parse_instant("2026-05-08T00:50:28.123456Z")
rows = [
    feature(
        30.519999999999996, 50.45, {"target": "Kyiv", "start": start, "edge_uncertainty_s": None, "images": 3, "p95_s": None}
    ),
    feature(139.69, 35.68, {"target": "Tokyo", "start": start, "edge_uncertainty_s": 0.25, "images": 0, "p95_s": None}),
    feature(10.5, 50.5, {"target": "cell"}, cell_deg=(1.0, 1.0)),
]
path = Path(sys.argv[1])
path.write_bytes(geoparquet(rows, {"from": "2026-05-08T00:00:00Z", "orbits": []}))
read, schema = geopandas.read_parquet(path), pq.read_schema(path)
told = {
    "crs": read.crs.to_string(),
    "types": {name: str(schema.field(name).type) for name in schema.names},
    "shapes": [shape.wkt for shape in read.geometry],
    "ccw": bool(read.geometry[2].exterior.is_ccw),
    "bounds": read.total_bounds.tolist(),
    "start": [
        None if value is None else value.isoformat() for value in read["start"].astype(object).where(read["start"].notna(), None)
    ],
    "uncertainty": read["edge_uncertainty_s"].fillna(-1).tolist(),
    "geo": json.loads(schema.metadata[b"geo"]),
    "about": json.loads(schema.metadata[b"kizuna"]),
}
geopandas.read_parquet(path, bbox=None)
path.write_bytes(geoparquet([], {}))
told["empty"] = [
    len(geopandas.read_parquet(path)),
    json.loads(pq.read_schema(path).metadata[b"geo"])["columns"]["geometry"]["geometry_types"],
]
json.dump(told, sys.stdout)
