"""QGIS 3.22 of Debian without a screen: OGC API Features, XYZ, WMTS, COG with a credential, drawn, and the pictures looked at."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import rasterio
from PIL import Image
from simulators.clients import run

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
PYTHON = "/usr/bin/python3"
# Of the map where nothing is drawn.
BACKGROUND = (255, 0, 255)


def shown_in_qgis(caller, product, image, folder):
    """What QGIS finds as this caller, and its pictures."""
    xyz = f"{caller.url}/collections/imagery/items/{product}/tiles/{{z}}/{{x}}/{{y}}.png"
    wmts = f"{caller.url}/wmts/1.0.0/WMTSCapabilities.xml"
    request = {
        "url": caller.url,
        "user": "person" if caller.token else "",
        "password": caller.token,
        "tiles": {
            "xyz": f"type=xyz&url={quote(xyz)}&zmin=0&zmax=18",
            "wmts": f"contextualWMSLegend=0&crs=EPSG:3857&format=image/png&layers={product}&styles=default"
            f"&tileMatrixSet=WebMercatorQuad&url={quote(wmts)}",
        },
        "image": image,
        "folder": str(folder),
    }
    path = folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    settings = {"QT_QPA_PLATFORM": "offscreen", "QGIS_CUSTOM_CONFIG_PATH": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    done = run(PYTHON, Path(__file__).parent / "tools/show_in_qgis.py", path, **caller.gdal, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout), {one.stem: np.asarray(Image.open(one).convert("RGB")) for one in folder.glob("*.png")}


def drawn(picture):
    """Where something was drawn."""
    return (picture != BACKGROUND).any(axis=2)


@pytest.mark.parametrize("who", ["person", "partner"])
def test_qgis_shows_what_the_caller_may_see(callers, who, tmp_path):
    caller = getattr(callers, who)
    product = caller.told[5]
    image = caller.json(f"/collections/imagery/items/{product}")["assets"]["original"]["href"]
    told, pictures = shown_in_qgis(caller, product, image, tmp_path)
    for name, picture in pictures.items():
        ARTEFACTS.mkdir(exist_ok=True)
        Image.fromarray(picture).save(ARTEFACTS / f"qgis-{who}-{name}.png")
    assert set(told["ids"]) == set(caller.told)
    assert all(told[name] for name in ("oapif", "xyz", "wmts", "cog")), told
    # The footprint lies in the middle, 100 m from each edge; so do the tiles, which show noise and not one grey.
    for name in ("features", "xyz", "wmts"):
        where = drawn(pictures[name])
        assert where[100:156, 100:156].all(), name
        assert not where[:20].any(), name
    for name in ("xyz", "wmts"):
        assert pictures[name][100:156, 100:156].std() > 20, name
    # Pixel by pixel the image itself, stretched: bright stays brighter than dark.
    with rasterio.open(caller.files[5]) as dataset:
        band = dataset.read(1)
    seen = pictures["cog"][2::4, 2::4, 0].astype(float)
    assert np.corrcoef(seen.ravel(), band.astype(float).ravel())[0, 1] > 0.95
    assert not any(withheld in json.dumps(told) for withheld in caller.withheld)


def test_qgis_gets_nothing_of_what_is_withheld(callers, tmp_path):
    partner, person = callers.partner, callers.person
    secret = partner.withheld[0]
    image = person.json(f"/collections/imagery/items/{secret}")["assets"]["original"]
    digest = image["file:checksum"].removeprefix("1220")
    blob = f"{partner.url.removesuffix('/stac')}/v1/blobs/sha256:{digest}"
    told, pictures = shown_in_qgis(partner, secret, blob, tmp_path)
    assert secret not in told["ids"]
    assert not told["wmts"]
    assert not told["cog"]
    assert not drawn(pictures["xyz"]).any()
