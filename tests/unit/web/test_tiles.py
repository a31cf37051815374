"""Map tiles, asked in process by people and by partners: what they show, to whom, and until when."""

from __future__ import annotations

import io
import json
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from simulators.asgi import Client
from simulators.images import gotcha_sicd, scene_tiff
from simulators.nodes import HUR, IQPS, NZL, START, World
from simulators.products import product_id
from starlette.applications import Starlette

from kizuna.catalog.column_index import ColumnIndex
from kizuna.catalog.tile_grid import tile_box
from kizuna.model.label import Label
from kizuna.node.catalogue import Catalogue, detected_remains
from kizuna.node.founding import resume_agreement, suspend_agreement
from kizuna.node.publish import publish
from kizuna.node.tiles import Tiles
from kizuna.web.stac import partner_stac
from kizuna.web.tiles import TileFace

TILE = "14/11668/7738"
"""The tile of the middle of the scenes, which reach beyond it."""


class Scene:
    """A node with an image, later ones of the same place, a complex one, and one that partners must not learn of."""

    def __init__(self, **article):
        self.world = World()
        for party in (IQPS, HUR, NZL):
            self.world.node(party)
        self.world.befriend(IQPS, HUR)
        self.world.agree(IQPS, article=article)
        self.node = self.world.node(IQPS)
        self.catalogue = Catalogue(self.node, ColumnIndex(self.node.store.items, IQPS, detected_remains))
        self.tiles = Tiles(self.node, self.catalogue, in_background=False)

    def put(self, data, classification="UNCLASSIFIED", name="scene.tif"):
        label = Label("JPN", classification, IQPS, START)
        product = publish(self.node, io.BytesIO(data), name, label).product
        self.world.tick()
        return product

    def people(self):
        face = TileFace(self.tiles, "/stac", "IQPS")
        return Client(Starlette(routes=face.routes(lambda endpoint: lambda request: endpoint(request, None))))

    def partner(self, party=HUR):
        desk = self.world.desk(IQPS)
        app = partner_stac(desk.peer_of, self.catalogue, "IQPS", self.tiles)
        return Client(app, self.world.node(party).keys.certificate_der)


@pytest.fixture(scope="module")
def stocked():
    """Scene with all its images; tests that change something make their own."""
    scene = Scene()
    scene.first = scene.put(scene_tiff())
    scene.second = scene.put(scene_tiff(blob=True, seed=4))
    scene.hidden = scene.put(scene_tiff(seed=5), "秘")
    scene.sicd = scene.put(gotcha_sicd(), name="gotcha.nitf")
    return scene


def at(product, path, base="/stac"):
    return f"{base}/collections/imagery/items/{product if isinstance(product, str) else product.id}/{path}"


def pixels(answer):
    status, _, body = answer
    assert status == 200, body
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"))


def header(answer, name):
    return dict(answer[1])[name.encode()].decode()


def test_a_tile_shows_the_image(stocked):
    ask = stocked.people()
    png, webp = (ask(at(stocked.first, f"tiles/{TILE}.{form}")) for form in ("png", "webp"))
    assert [header(answer, "content-type") for answer in (png, webp)] == ["image/png", "image/webp"]
    exact, near = pixels(png), pixels(webp)
    assert exact.shape == near.shape == (256, 256, 4)
    assert (exact[..., 0] == exact[..., 2]).all()
    assert np.abs(exact[..., :3].astype(int) - near[..., :3])[exact[..., 3] > 0].mean() < 8
    assert (exact[..., 3] == near[..., 3]).mean() > 0.99


def test_styles_stretch_and_pairs_differ(stocked):
    ask = stocked.people()
    seen = {
        query: pixels(ask(at(stocked.second, f"tiles/{TILE}.png{query}")))
        for query in ("", "?style=db-viridis", "?style=amplitude", "?style=amplitude-viridis", "?stretch=55,95")
    }
    assert len({picture.tobytes() for picture in seen.values()}) == len(seen)
    for query in ("", "?style=amplitude", "?stretch=55,95"):
        assert (seen[query][..., 0] == seen[query][..., 1]).all()
    assert (seen["?style=db-viridis"][..., 0] != seen["?style=db-viridis"][..., 1]).any()
    # Brighter limits, darker picture.
    assert seen["?stretch=55,95"][..., 0].mean() < seen[""][..., 0].mean() - 20
    pair = pixels(ask(at(stocked.second, f"map?width=200&f=png&before={stocked.first.id}"))).astype(int)
    middle, edge = pair[95:105, 95:105], pair[60:70, 140:150]
    # What only the later image shows is cyan, what both show is as in both.
    assert (middle[..., 2] - middle[..., 0]).mean() > 40
    assert abs((edge[..., 2] - edge[..., 0]).mean()) < 20


def test_people_see_the_phase_and_partners_who_get_no_phase_do_not(stocked):
    path = at(stocked.sicd, "map?style=phase&f=png&width=64")
    phase = pixels(stocked.people()(path))
    assert len(np.unique(phase[..., 0])) > 20
    ours, theirs = stocked.people(), stocked.partner()
    partner_path = at(stocked.sicd, "map?style=phase&f=png&width=64", "/exchange/stac")
    absent = at(product_id(9), "map?style=phase&f=png&width=64", "/exchange/stac")
    assert theirs(partner_path) == theirs(absent)
    assert theirs(absent)[0] == 404
    styles = [
        [style.text for style in ET.fromstring(ask(at(stocked.sicd, "wmts", base))[2]).iter() if "Identifier" in style.tag]
        for ask, base in ((ours, "/stac"), (theirs, "/exchange/stac"))
    ]
    assert ("phase" in styles[0], "phase" in styles[1]) == (True, False)


def test_a_partner_sees_the_tile_that_people_see(stocked):
    mine = stocked.people()(at(stocked.first, f"tiles/{TILE}.png"))
    theirs = stocked.partner()(at(stocked.first, f"tiles/{TILE}.png", "/exchange/stac"))
    assert (theirs[0], theirs[2]) == (200, mine[2])
    # A stranger, and one whom no agreement names.
    assert stocked.partner(NZL)(at(stocked.first, f"tiles/{TILE}.png", "/exchange/stac"))[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        f"tiles/{TILE}.png",
        f"tiles/{TILE}.webp",
        f"tiles/{TILE}.png?style=phase",
        "tiles/0/0/0.png",
        "tilejson.json",
        "map",
        "map?bbox=76,9,77,10&width=5000",
        "map/tiles",
        "map/tiles/WebMercatorQuad",
        "map/tiles/WebMercatorQuad/14/7738/11668?f=png",
        "thumbnail",
        "wmts",
        "wmts?request=GetTile&tilematrixset=WebMercatorQuad&tilematrix=14&tilerow=7738&tilecol=11668&layer={id}",
        "wmts/1.0.0/WMTSCapabilities.xml",
        "wmts/1.0.0/{id}/db/WebMercatorQuad/14/7738/11668.png",
        f"tiles/{TILE}.png?style=none",
    ],
)
def test_a_hidden_product_is_the_same_as_none(stocked, path):
    ask = stocked.partner()
    hidden, absent = (ask(at(one, path.replace("{id}", one), "/exchange/stac")) for one in (stocked.hidden.id, product_id(9)))
    assert hidden == absent
    assert hidden[0] in {400, 404}
    beneath = [
        ask(at(stocked.first, f"tiles/{TILE}.png?before={one}", "/exchange/stac")) for one in (stocked.hidden.id, product_id(9))
    ]
    assert beneath[0] == beneath[1] == ask(at(product_id(9), "map", "/exchange/stac"))


def test_hidden_products_are_in_no_list_of_layers(stocked):
    ask, everything = stocked.partner(), stocked.people()
    layers = [
        set(re.findall(r"<ows:Identifier>(\w{26})</ows:Identifier>", answer[2].decode()))
        for answer in (everything("/stac/wmts"), ask("/exchange/stac/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"))
    ]
    ids = {product.id for product in (stocked.first, stocked.second, stocked.sicd)}
    assert layers == [ids | {stocked.hidden.id}, ids]


def test_a_copy_is_fresh_until_the_agreement_is_suspended():
    scene = Scene()
    product = scene.put(scene_tiff(side=300))
    ask, path = scene.partner(), at(product, "map?width=64", "/exchange/stac")
    first = ask(path)
    tag = header(first, "etag")
    assert header(first, "cache-control") == "private, no-cache"
    again = ask(path, headers={"if-none-match": f'W/"x", {tag}'})
    assert (again[0], again[2]) == (304, b"")
    # Of another caller, of other terms, of another form: other bytes for all that a cache can know.
    assert tag not in {
        header(scene.people()(at(product, "map?width=64")), "etag"),
        header(ask(path + "&style=amplitude"), "etag"),
    }
    suspend_agreement(scene.node, "SHARE", "review", "officer")
    scene.world.tick()
    for headers in ({}, {"if-none-match": tag}, {"if-none-match": "*"}):
        assert ask(path, headers=headers) == ask(at(product_id(9), "map", "/exchange/stac"))
    resume_agreement(scene.node, "SHARE", "officer")
    scene.world.tick()
    assert ask(path, headers={"if-none-match": tag})[0] == 304


def test_what_is_withheld_changes_no_byte_and_no_header():
    told = []
    for withheld in (False, True):
        scene = Scene()
        product = scene.put(scene_tiff(side=300))
        if withheld:
            scene.put(scene_tiff(side=300, seed=9), "秘")
        ask = scene.partner()
        told.append(
            [
                tuple(str(part).replace(product.id, "ID") for part in ask(at(product, path, "/exchange/stac"))[::2])
                for path in ("map?width=64&f=png", "thumbnail", "tilejson.json", "map/tiles", "wmts")
            ]
        )
    assert told[0] == told[1]


def test_what_goes_only_coarser_is_not_drawn_from_the_finer():
    scene = Scene(obligations=[{"kind": "resolution", "value": 200.0}])
    product = scene.put(scene_tiff(side=300))
    assert scene.people()(at(product, "thumbnail"))[0] == 200
    ask = scene.partner()
    for path in ("thumbnail", f"tiles/{TILE}.png"):
        assert ask(at(product, path, "/exchange/stac")) == ask(at(product_id(9), path, "/exchange/stac"))
    # What is coarse enough by itself goes as it is.
    scene = Scene(obligations=[{"kind": "resolution", "value": 5.0}])
    product = scene.put(scene_tiff(side=300))
    assert scene.partner()(at(product, "thumbnail", "/exchange/stac"))[0] == 200


def test_where_there_is_no_data_a_tile_is_transparent_and_beyond_the_grid_there_is_none(stocked):
    ask = stocked.people()
    assert (pixels(ask(at(stocked.first, "tiles/12/0/0.png")))[..., 3] == 0).all()
    assert (pixels(ask(at(stocked.first, "tiles/12/0/0.webp")))[..., 3] == 0).all()
    for path in (
        "tiles/12/4096/0.png",
        "tiles/25/0/0.png",
        "tiles/a/0/0.png",
        "tiles/1/-1/0.png",
        "tiles/1/0/0.gif",
        f"tiles/{'9' * 5000}/0/0.png",
    ):
        assert ask(at(stocked.first, path))[0] == 404, path


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("style=none", "style"),
        ("stretch=1", "stretch"),
        ("stretch=3,2", "stretch"),
        ("stretch=nan,2", "stretch"),
        ("f=tiff", "f"),
        ("bbox=1,2,3", "bbox"),
        ("bbox=77,9,76,10", "bbox"),
        ("bbox=76,9,77,10&bbox-crs=EPSG:2154", "bbox-crs"),
        ("crs=EPSG:4326", "crs"),
        ("bbox=76,9,77,10&width=0", "width"),
        ("bbox=76,9,77,10&height=99999", "height"),
    ],
)
def test_a_wrong_question_is_told_by_its_field(stocked, query, field):
    status, _, body = stocked.people()(at(stocked.first, "map?" + query))
    assert status == 400
    assert json.loads(body)["description"].startswith(field + ":")


def test_all_ways_to_a_tile_lead_to_the_same_picture(stocked):
    ask, product = stocked.people(), stocked.first
    z, x, y = TILE.split("/")
    pictures = {
        ask(path)[2]
        for path in (
            at(product, f"tiles/{TILE}.png"),
            at(product, f"map/tiles/WebMercatorQuad/{z}/{y}/{x}?f=png"),
            at(product, f"wmts/1.0.0/{product.id}/db/WebMercatorQuad/{z}/{y}/{x}.png"),
            at(
                product,
                f"wmts?SERVICE=WMTS&REQUEST=GetTile&LAYER={product.id}&STYLE=db&TILEMATRIXSET=WebMercatorQuad"
                f"&TILEMATRIX={z}&TILEROW={y}&TILECOL={x}&FORMAT=image/png",
            ),
            f"/stac/wmts/1.0.0/{product.id}/default/WebMercatorQuad/{z}/{y}/{x}.png",
            at(product, "map?bbox-crs=EPSG:3857&width=256&height=256&f=png&bbox=" + ",".join(map(str, _bounds(z, x, y)))),
        )
    }
    assert len(pictures) == 1


def _bounds(z, x, y):
    box = tile_box(int(z), int(x), int(y))
    return box.west_m, box.south_m, box.east_m, box.north_m


def test_tile_json_leads_to_tiles_and_says_how_deep_they_go(stocked):
    ask = stocked.people()
    told = json.loads(ask(at(stocked.first, "tilejson.json?style=db-viridis"))[2])
    west, south, east, north = told["bounds"]
    assert 75 < west < east < 78
    assert 9 < south < north < 11
    assert told["maxzoom"] == 14
    address = told["tiles"][0].replace("{z}/{x}/{y}", TILE)
    assert address.endswith(".webp?style=db-viridis")
    assert ask(address.removeprefix("http://node"))[0] == 200


def test_a_map_has_the_shape_that_was_asked_for(stocked):
    ask = stocked.people()
    answer = ask(at(stocked.first, "map?bbox=76.4,9.91,76.42,9.92&width=300&f=png"))
    assert pixels(answer).shape[1] == 300
    assert 140 < pixels(answer).shape[0] < 160
    assert header(answer, "content-crs") == "<http://www.opengis.net/def/crs/EPSG/0/3857>"
    assert len(header(answer, "content-bbox").split(",")) == 4
    turned = ask(at(stocked.first, "map?bbox=9.91,76.4,9.92,76.42&bbox-crs=EPSG:4326&width=300&f=png"))
    assert turned[2] == answer[2]
