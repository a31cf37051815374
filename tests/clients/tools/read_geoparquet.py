"""Read a GeoParquet file with stac-geoparquet and tell its items as JSON: `read_geoparquet.py FILE` (in `.venv-clients`)."""

import json
import sys

import pyarrow.parquet as pq
from stac_geoparquet.arrow import stac_table_to_items

table = pq.read_table(sys.argv[1])
geo = json.loads(table.schema.metadata[b"geo"])
json.dump({"geo": geo, "items": list(stac_table_to_items(table))}, sys.stdout, default=str)
