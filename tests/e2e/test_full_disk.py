"""A disk without room: status 1, told as such, and the node as it was; with room again it goes on."""

from __future__ import annotations

import contextlib
import os
import subprocess

import pytest
from simulators.coalition import AGREEMENT, founded, introduce, labelled, small_tiff
from simulators.processes import assert_blobs_whole, kizuna, serving, state_of

# A file may grow to so many kilobytes: works everywhere, without a disk to fill.
LIMITS = [200, 1700]


def assert_full(done):
    assert done.status == 1, done
    fault = done.fault()
    assert fault["kind"] == "StoreError"
    assert fault["hint"], fault
    assert any(words in fault["message"] for words in ("disk is full", "File too large", "No space left")), fault


@pytest.mark.parametrize("kilobytes", LIMITS)
def test_a_file_that_does_not_fit_is_not_taken_in(pair, sentinel, kilobytes):
    before = state_of(pair.jpn)
    assert_full(kizuna("ingest", sentinel, "--node", pair.jpn, "--json", before=f"ulimit -f {kilobytes}"))
    assert state_of(pair.jpn) == before
    assert kizuna("ingest", sentinel, "--node", pair.jpn, "--json").status == 0
    assert len(assert_blobs_whole(pair.jpn)) == 3


def apart_from_clocks(state):
    """What a folder holds, but for how far the partner's clock is from ours, which is learned from each answer."""
    return state | {"note": [row for row in state["note"] if "'clock_" not in row]}


def test_a_product_that_does_not_fit_at_the_receiver_is_not_received(stocked):
    pair, product = stocked
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        before = apart_from_clocks(state_of(pair.ukr))
        assert_full(kizuna("sync", "--node", pair.ukr, "--json", before="ulimit -f 1000"))
        assert apart_from_clocks(state_of(pair.ukr)) == before
        done = kizuna("sync", "--node", pair.ukr, "--json")
    assert [one["id"] for one in done.json()["partners"][0]["received"]] == [product]
    assert len(assert_blobs_whole(pair.ukr)) == 3


def test_a_node_that_does_not_fit_is_not_begun(tmp_path):
    folder = tmp_path / "node"
    assert_full(kizuna("node", "init", "--nation", "JPN", "--node", folder, "--json", before="ulimit -f 20"))
    assert not folder.exists() or not any(folder.iterdir())
    assert kizuna("node", "init", "--nation", "JPN", "--node", folder, "--json").status == 0


@pytest.fixture
def small_disk(tmp_path):
    """Disk of three megabytes, which only root can mount."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here ({mounted.stderr.strip()}); the limits on file size above cover its errors")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def fill(place):
    """Leave no room at all."""
    with contextlib.suppress(OSError), (place / "ballast").open("wb", buffering=0) as file:
        while True:
            os.write(file.fileno(), bytes(4096))


def test_a_disk_that_runs_full_keeps_nothing_of_the_file(small_disk, tmp_path, sentinel):
    node = founded(small_disk / "jpn", "JPN/IQPS")
    introduce(node, founded(tmp_path / "ukr", "UKR/HUR", agreements=False))
    before = state_of(node)
    assert_full(kizuna("ingest", sentinel, "--node", node, "--json"))
    assert state_of(node) == before
    small = labelled(small_tiff(tmp_path / "small.tif"))
    assert kizuna("ingest", small, "--node", node, "--json").status == 0


def test_a_full_disk_lets_nothing_be_recorded_and_nothing_be_lost(small_disk):
    node = founded(small_disk / "jpn", "JPN/IQPS")
    before = state_of(node)
    fill(small_disk)
    suspend = ["agreement", "suspend", AGREEMENT, "--reason", "Review.", "--node", node, "--json"]
    assert_full(kizuna(*suspend))
    assert_full(kizuna("node", "init", "--nation", "UKR", "--node", small_disk / "ukr", "--json"))
    (small_disk / "ballast").unlink()
    assert state_of(node) == before
    assert kizuna(*suspend).status == 0
    assert kizuna("audit", "verify", "--node", node, "--json").json()["verified"]
