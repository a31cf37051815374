"""Map tiles of running nodes: as a person, as a partner, through GDAL's WMTS; numbers against GDAL's warp of the same file."""

from __future__ import annotations

import io
import math
import shutil

import httpx
import numpy as np
import rasterio
from affine import Affine
from PIL import Image
from rasterio.warp import reproject
from simulators.coalition import AGREEMENT, founded, introduce, labelled, published
from simulators.images import gotcha_sicd, scene_tiff
from simulators.processes import kizuna, serving, within

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.node.people import issue_token
from kizuna.wiring import KEYS, open_node

TILE = (14, 11668, 7738)
HALF_M = 20037508.342789244
STRETCH = "?stretch=40,70"


def scene(path, **changed):
    path.write_bytes(scene_tiff(side=400, **changed))
    return path


def at(product, path):
    return f"/collections/imagery/items/{product}/{path}"


def tile_of(product, form="png", query=""):
    return at(product, "tiles/{}/{}/{}.".format(*TILE) + form + query)


def token_of(folder):
    with open_node(folder) as node, node.store.transaction():
        return issue_token(node, "analyst", "analyst")


def person(server, folder):
    return httpx.Client(base_url=server.people_url + "/stac", headers={"authorization": f"Bearer {token_of(folder)}"})


def partner(server, taker, giver):
    context = client_context(FileKeys.load(taker / KEYS), FileKeys.load(giver / KEYS).certificate_der)
    return httpx.Client(base_url=server.partner_url + "/exchange/stac", verify=context)


def pixels(response):
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGBA")).astype(int)


def wanted_db(path):
    """Decibels of the published file on the pixels of the tile, by GDAL's bilinear warp; NaN without data."""
    z, x, y = TILE
    side = 2 * HALF_M / 2**z
    target = np.full((256, 256), np.nan, np.float32)
    with rasterio.open(path) as dataset:
        band = dataset.read(1).astype(np.float32)
        band[band == 0] = np.nan
        place = Affine(side / 256, 0, x * side - HALF_M, 0, -side / 256, HALF_M - y * side)
        source = {"src_crs": dataset.crs, "src_transform": dataset.transform, "src_nodata": math.nan}
        form = {"dst_crs": "EPSG:3857", "dst_transform": place, "dst_nodata": math.nan}
        reproject(band, target, **source, **form, resampling=rasterio.enums.Resampling.bilinear)
    return 20.0 * np.log10(target)


def made(folder):
    return sorted(path.name for path in (folder / "blobs" / "derived").rglob("*.tif"))


def assert_shows(answer, lossy, path):
    """A picture shows what the published file holds, and as WebP loses little of it."""
    picture, wanted = pixels(answer), wanted_db(path)
    known = (picture[..., 3] > 0) & np.isfinite(wanted)
    assert known.mean() > 0.5
    assert ((picture[..., 3] > 0) != np.isfinite(wanted)).mean() < 0.02
    found = 40.0 + (picture[..., 0][known] - 1.0) / 254.0 * 30.0
    inside = (wanted[known] > 40.5) & (wanted[known] < 69.5)
    error_db = found[inside] - wanted[known][inside]
    assert np.sqrt(np.mean(error_db**2)) < 0.1
    assert np.corrcoef(found[inside], wanted[known][inside])[0, 1] > 0.9995
    squares = (pixels(lossy)[..., 0] - picture[..., 0])[known] ** 2
    assert 10 * math.log10(255.0**2 / squares.mean()) > 30.0


def test_tiles_of_a_running_node(pair, tmp_path):
    """One node from start to end, because starting one takes longer than all that is asked of it."""
    giver, taker = pair.jpn, pair.ukr
    shown, later, secret = published(
        giver,
        labelled(scene(tmp_path / "shown.tif")),
        labelled(scene(tmp_path / "later.tif", blob=True, seed=6)),
        labelled(scene(tmp_path / "secret.tif", seed=7), classification='"秘"'),
    )
    absent = "a" * 26
    nzl = founded(tmp_path / "nzl", "NZL", agreements=False)
    introduce(giver, nzl)
    with serving(giver) as server:
        pair.meet(server.partner_url)
        with person(server, giver) as mine, partner(server, taker, giver) as theirs, partner(server, nzl, giver) as stranger:
            # The first picture is from the map image that goes with the product; the finer one is made meanwhile.
            first = mine.get(tile_of(shown))
            assert first.status_code == 200
            within(60, "the finer map image", lambda: made(giver) == ["amplitude.1.tif"])
            within(10, "the finer picture", lambda: mine.get(tile_of(shown)).headers["etag"] != first.headers["etag"])

            ours = mine.get(tile_of(shown, query=STRETCH))
            assert_shows(ours, mine.get(tile_of(shown, "webp", STRETCH)), tmp_path / "shown.tif")

            # A partner sees the same, a stranger nothing, and of what is hidden nobody but the node's people anything.
            assert theirs.get(tile_of(shown, query=STRETCH)).content == ours.content
            assert mine.get(tile_of(secret)).status_code == 200
            for path in (tile_of("ID"), at("ID", "map"), at("ID", "tilejson.json"), at("ID", "wmts"), at("ID", "map/tiles")):
                hidden, none = (theirs.get(path.replace("ID", one)) for one in (secret, absent))
                assert (hidden.status_code, hidden.headers, hidden.content) == (404, none.headers, none.content), path
                assert stranger.get(path.replace("ID", shown)).content == none.content
            assert theirs.get(tile_of(later, query=f"?before={secret}")).content == none.content
            pair_picture = pixels(theirs.get(at(later, f"map?before={shown}&width=200&f=png")))
            middle = pair_picture[95:105, 95:105]
            assert (middle[..., 2] - middle[..., 0]).mean() > 40

            # No credential, a wrong one, the token as a password.
            bare = server.people_url + "/stac" + tile_of(shown)
            assert httpx.get(bare).status_code == 401
            assert httpx.get(bare, auth=("anybody", "kz-wrong")).status_code == 401
            token = token_of(giver)
            assert httpx.get(bare, auth=("anybody", token)).headers["etag"] == mine.get(tile_of(shown)).headers["etag"]
            through_gdal(server, token, shown, mine)

            # The partner's feed hands out the product's files and nothing that was made of them for tiles.
            kizuna("sync", "--node", taker)
            originals = {path.stat().st_size for path in (giver / "blobs" / "derived").rglob("*.tif")}
            assert originals.isdisjoint(path.stat().st_size for path in (taker / "blobs").rglob("*") if path.is_file())

            # A suspension takes effect in the next request, whatever the partner has kept.
            kept = theirs.get(tile_of(shown))
            fresh = {"if-none-match": kept.headers["etag"]}
            assert theirs.get(tile_of(shown), headers=fresh).status_code == 304
            kizuna("agreement", "suspend", AGREEMENT, "--reason", "Review.", "--node", giver)
            after = theirs.get(tile_of(shown), headers=fresh)
            assert (after.status_code, after.headers, after.content) == (404, none.headers, none.content)
            assert (
                mine.get(tile_of(shown), headers={"if-none-match": mine.get(tile_of(shown)).headers["etag"]}).status_code == 304
            )

    # The taker draws what it received by itself, and makes again what is missing.
    for _ in range(2):
        shutil.rmtree(taker / "blobs" / "derived", ignore_errors=True)
        with serving(taker) as server, person(server, taker) as reader:
            assert reader.get(tile_of(shown)).status_code == 200
            within(60, "the finer map image", lambda: made(taker) == ["amplitude.1.tif"])


def through_gdal(server, token, product, client):
    """Read a layer as QGIS and GDAL do: capabilities first, then tiles, with the token as a password."""
    address = f"WMTS:{server.people_url}/stac{at(product, 'wmts/1.0.0/WMTSCapabilities.xml')},layer={product}"
    credential = {"GDAL_HTTP_USERPWD": f"anybody:{token}", "GDAL_HTTP_AUTH": "BASIC", "GDAL_ENABLE_WMS_CACHE": "NO"}
    with rasterio.Env(**credential), rasterio.open(address, ZOOM_LEVEL=TILE[0]) as dataset:
        assert dataset.crs.to_epsg() == 3857
        z, x, y = TILE
        side = 2 * HALF_M / 2**z
        row, col = (round(place) for place in dataset.index(x * side - HALF_M, HALF_M - y * side, op=float))
        # It reaches as far as the layer does.
        rows, cols = min(256, dataset.height - row), min(256, dataset.width - col)
        assert min(rows, cols) > 100
        seen = dataset.read(window=rasterio.windows.Window(col, row, cols, rows)).transpose(1, 2, 0)
    assert (seen == pixels(client.get(tile_of(product)))[:rows, :cols]).all()


def test_a_phase_is_drawn_for_people_once_it_is_made_and_for_no_partner_that_gets_none(pair, tmp_path):
    path = tmp_path / "gotcha.nitf"
    path.write_bytes(gotcha_sicd())
    (product,) = published(pair.jpn, labelled(path))
    with (
        serving(pair.jpn) as server,
        person(server, pair.jpn) as mine,
        partner(server, pair.ukr, pair.jpn) as theirs,
    ):
        phase = at(product, "map?style=phase&f=png&width=64")
        first = mine.get(phase)
        assert (first.status_code, first.headers["retry-after"]) == (503, "2")
        within(60, "the phase", lambda: mine.get(phase).status_code == 200)
        assert len(np.unique(pixels(mine.get(phase))[..., 0])) > 20
        assert theirs.get(at(product, "map?f=png&width=64")).status_code == 200
        assert theirs.get(phase).content == theirs.get(at("a" * 26, "map")).content
        assert b"phase" not in theirs.get(at(product, "wmts")).content
