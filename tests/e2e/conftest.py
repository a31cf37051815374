"""Prepared nodes and files for the commands: made once where a test leaves them as they were, anew where it does not."""

from __future__ import annotations

import shutil

import pytest
from simulators.coalition import Pair, founded, introduce, labelled, published, small_tiff
from simulators.processes import state_of

from kizuna.wiring import sample_folder


@pytest.fixture(scope="session")
def sentinel(tmp_path_factory):
    """The Sentinel-1 sample with its label, in a folder of its own."""
    folder = tmp_path_factory.mktemp("sentinel1")
    for path in sample_folder("sentinel1").glob("cog_gcps.tif*"):
        shutil.copy(path, folder)
    return folder / "cog_gcps.tif"


@pytest.fixture
def pair(tmp_path):
    """Two nodes on which nothing is published yet."""
    made = Pair(founded(tmp_path / "jpn", "JPN/IQPS"), founded(tmp_path / "ukr", "UKR/HUR"))
    introduce(made.jpn, made.ukr)
    return made


@pytest.fixture
def tiff(tmp_path):
    """Small labelled GeoTIFF."""
    return labelled(small_tiff(tmp_path / "harbour.tif"))


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    """One node for all that leaves a node as it was: a product, a partner, the register."""
    root = tmp_path_factory.mktemp("desk")
    node = founded(root / "jpn", "JPN/IQPS")
    introduce(node, founded(root / "ukr", "UKR/HUR", agreements=False), "https://127.0.0.1:1")
    published(node, labelled(small_tiff(root / "harbour.tif")))
    return node


@pytest.fixture
def untouched(desk):
    """The shared node, compared after the test with what it was before."""
    before = state_of(desk)
    assert len(before["item"]) == 1
    yield desk
    assert state_of(desk) == before
