"""Load what a search finds with odc-stac and write it to a NumPy file: `load_with_odc.py URL TOKEN FILE` (in `.venv-clients`)."""

import sys

import numpy as np
import odc.stac
import pystac_client

url, token, file = sys.argv[1:]
catalogue = pystac_client.Client.open(url, headers={"Authorization": f"Bearer {token}"} if token else None)
items = list(catalogue.search(collections=["imagery"], bbox=[76, 9, 77, 10]).items())
cube = odc.stac.load(items, bands=["original"], groupby="id")
np.savez(file, ids=[item.id for item in items], pixels=cube["original"].values, code=cube.odc.crs.to_epsg())
