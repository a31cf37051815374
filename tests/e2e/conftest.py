"""Prepared nodes and files for the commands: made once where a test leaves them as they were, anew where it does not."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
from simulators.coalition import Pair, founded, introduce, labelled, published, small_tiff
from simulators.processes import state_of

from kizuna.wiring import open_node, sample_folder


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


@pytest.fixture(scope="session")
def stocked_once(tmp_path_factory, sentinel):
    """Two nodes, on the giver of which the Sentinel-1 sample is published; for `stocked` to copy."""
    root = tmp_path_factory.mktemp("stocked")
    made = Pair(founded(root / "jpn", "JPN/IQPS"), founded(root / "ukr", "UKR/HUR"))
    introduce(made.jpn, made.ukr)
    return made, published(made.jpn, sentinel)[0]


@pytest.fixture
def stocked(tmp_path, stocked_once, monkeypatch):
    """Two nodes of one's own and the id of the one product, four megabytes in three files, that the giver holds."""
    # Each copy stands for a machine of its own: one machine takes a second copy of a node for a fork, as it must.
    monkeypatch.setenv("KIZUNA_STATE", str(tmp_path / "state"))
    (jpn, ukr), product = dataclasses.astuple(stocked_once[0]), stocked_once[1]
    made = Pair(tmp_path / "jpn", tmp_path / "ukr")
    for source, folder in ((jpn, made.jpn), (ukr, made.ukr)):
        shutil.copytree(source, folder)
        with open_node(folder) as node:
            node.confirm_tail(node.journal.verify().tail)
    return made, product


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


def _kept(folder):
    """State of a node, but for when a serving node last looked through its register."""
    state = state_of(folder)
    return state | {"note": [row for row in state["note"] if "'reconsidered'" not in row]}


@pytest.fixture
def untouched(desk):
    """The shared node, compared after the test with what it was before."""
    before = _kept(desk)
    assert len(before["item"]) == 1
    yield desk
    assert _kept(desk) == before
