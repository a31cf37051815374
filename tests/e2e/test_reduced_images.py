"""An image that goes only coarser, or only in part, from one running node to another."""

from __future__ import annotations

import time

import numpy as np
import pytest
import rasterio
from simulators.coalition import Pair, founded, introduce, labelled, published, small_tiff
from simulators.nodes import agreement
from simulators.processes import kizuna, serving

from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.product import AssetRole
from kizuna.node.founding import record_agreement
from kizuna.wiring import open_node

# The western part of an image from 76.3683 to 76.3741 degrees east.
WEST = {"type": "Polygon", "coordinates": [[[76.3, 9.8], [76.371, 9.8], [76.371, 10.0], [76.3, 10.0], [76.3, 9.8]]]}


@pytest.fixture
def partners(tmp_path):
    """Two nodes without any agreement."""
    made = Pair(founded(tmp_path / "jpn", "JPN/IQPS", agreements=False), founded(tmp_path / "ukr", "UKR/HUR", agreements=False))
    introduce(made.jpn, made.ukr)
    return made


def agree(folder, **article):
    with open_node(folder) as node:
        record_agreement(node, agreement(article=article), NO_CIVIL_DATES, ["SHARE"])


def sync(folder):
    """Products that came, once something came: a serving node makes reduced files beside the requests."""
    for _ in range(40):
        received = kizuna("sync", "--node", folder, "--json").json()["partners"][0]["received"]
        if received:
            return received
        time.sleep(0.25)
    return []


def detected(folder, product):
    with open_node(folder) as node:
        asset = node.store.items.get(product).product.asset(AssetRole.DETECTED)
        with node.blobs.open(asset.digest) as file, rasterio.MemoryFile(file.read()) as memory, memory.open() as dataset:
            return dataset.read(1), dataset.transform, dataset.bounds


def test_a_running_node_hands_over_coarse_cells_only(partners, tmp_path):
    agree(partners.jpn, obligations=[{"kind": "resolution", "value": "40"}])
    with serving(partners.jpn) as giver:
        partners.meet(giver.partner_url)
        (product,) = published(partners.jpn, labelled(small_tiff(tmp_path / "harbour.tif")))
        assert len(sync(partners.ukr)) == 1
    cells, transform, _ = detected(partners.ukr, product)
    assert (transform.a, transform.e, cells.shape) == (40.0, -40.0, (16, 16))
    shown = kizuna("product", "show", product, "--node", partners.ukr, "--json").json()
    assert shown["resolution_m"] >= 40.0
    assert (shown["reductions"], [a["role"] for a in shown["assets"]]) == (["resolution"], ["detected", "visual", "quicklook"])
    explained = kizuna("release", "explain", product, "--to", "UKR/HUR", "--node", partners.jpn)
    assert "resolution 40" in explained.out


def test_a_running_node_hands_over_what_lies_inside_only(partners, tmp_path):
    agree(partners.jpn, areas=[{"name": "west", "geometry": WEST}], obligations=[{"kind": "area"}])
    with serving(partners.jpn) as giver:
        partners.meet(giver.partner_url)
        (product,) = published(partners.jpn, labelled(small_tiff(tmp_path / "harbour.tif")))
        assert len(sync(partners.ukr)) == 1
    cells, transform, bounds = detected(partners.ukr, product)
    assert transform.a == 10.0
    assert np.isfinite(cells).any()
    east = rasterio.warp.transform_bounds("EPSG:32643", "EPSG:4326", *bounds)[2]
    assert 76.3 < east <= 76.371 + 1e-4
    shown = kizuna("product", "show", product, "--node", partners.ukr, "--json").json()
    assert max(lon for lon, _ in shown["geometry"]["coordinates"][0]) <= 76.371
    assert shown["reductions"] == ["area"]


def test_what_cannot_be_made_is_told_to_the_operator(partners, tmp_path):
    agree(partners.jpn, obligations=[{"kind": "resolution", "value": "5000"}])
    (product,) = published(partners.jpn, labelled(small_tiff(tmp_path / "harbour.tif")))
    waiting = kizuna("node", "status", "--node", partners.jpn, "--json").json()["partners"][0]
    assert waiting["held"] == [{"product": product, "why": "its reduced form is not made yet"}]
    with serving(partners.jpn) as giver:
        partners.meet(giver.partner_url)
        for _ in range(40):
            (held,) = kizuna("node", "status", "--node", partners.jpn, "--json").json()["partners"][0]["held"]
            if "not made yet" not in held["why"]:
                break
            time.sleep(0.25)
        assert kizuna("sync", "--node", partners.ukr, "--json").json()["partners"][0]["received"] == []
    assert "nothing of the image is left" in held["why"]
    told = kizuna("node", "status", "--node", partners.jpn)
    assert f"{product} may go to UKR/HUR, and is held: nothing of the image is left" in told.out
    assert "held: nothing of the image" in kizuna("product", "show", product, "--node", partners.jpn).out
