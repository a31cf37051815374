"""A large file is hashed where nobody waits for it: neither its publication nor its way into a feed holds up a suspension."""

from __future__ import annotations

import io
import threading
from dataclasses import replace

import pytest
from simulators.coalition import small_tiff
from simulators.nodes import HUR, IQPS, START

from kizuna.exchange.feed import FeedEntry, page_from_bytes
from kizuna.exchange.manifest import make_manifest
from kizuna.exchange.messages import unseal_any
from kizuna.model.label import Label
from kizuna.node import manifests as manifests_module
from kizuna.node import publish as publish_module
from kizuna.node.founding import resume_agreement, suspend_agreement
from kizuna.node.manifests import Manifests
from kizuna.node.publish import publish
from kizuna.release.decision import Outcome


class Gate:
    """Lets a test look while somebody hashes."""

    def __init__(self):
        self.reached, self.open = threading.Event(), threading.Event()
        self.passed = 0

    def make_manifest(self, source):
        self.passed += 1
        self.reached.set()
        assert self.open.wait(60), "nobody opened the gate"
        return make_manifest(source)


@pytest.fixture
def gate():
    found = Gate()
    yield found
    found.open.set()


def in_background(work):
    found = []
    thread = threading.Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    return thread, found


def assert_suspends(world, gate):
    """Suspend while the gate is shut; where somebody hashes under the lock, it is not done before the gate opens."""
    assert gate.reached.wait(60)
    thread, _ = in_background(lambda: suspend_agreement(world.node(IQPS), "SHARE", "test", "test"))
    thread.join(10)
    done = not thread.is_alive()
    gate.open.set()
    thread.join(60)
    assert done, "the suspension waited for the hash of a large file"


def handed_out(world, answer):
    """Count of entries in an answer that hand out a product."""
    node = world.node(IQPS)
    entries = [] if answer.refused else page_from_bytes(answer.body).entries
    return sum(isinstance(unseal_any(envelope, node.keys.public_key), FeedEntry) for envelope in entries)


@pytest.mark.parametrize("sealed_before", [False, True])
def test_a_suspension_commits_while_a_large_file_is_hashed_for_a_feed(world, monkeypatch, gate, sealed_before):
    world.agree(IQPS)
    product = world.take_in(IQPS, 1)
    desk = world.desk(IQPS)
    if sealed_before:
        # Under fewer obligations, so that it has to be sealed anew.
        assert handed_out(world, desk.feed(HUR, 0, 10)) == 1
        obligations = [{"kind": "detected-only"}, {"kind": "caveat", "value": "own use"}, {"kind": "caveat", "value": "more"}]
        world.agree(IQPS, version=2, article={"obligations": obligations})
        desk = world.desk(IQPS)
    monkeypatch.setattr(manifests_module, "AT_ONCE_BYTES", 1)
    monkeypatch.setattr(manifests_module, "make_manifest", gate.make_manifest)
    thread, pages = in_background(lambda: desk.feed(HUR, 0, 10))
    assert_suspends(world, gate)
    thread.join(60)
    # Decided anew after the hash: nothing went under the permit from before.
    assert handed_out(world, pages[0]) == 0
    world.tick()
    resume_agreement(world.node(IQPS), "SHARE", "test")
    world.tick()
    hashed = gate.passed
    assert hashed == len({asset.digest for asset in product.assets if asset.role != "original"})
    assert handed_out(world, desk.feed(HUR, 0, 10)) == 1
    assert gate.passed == hashed, "hashed twice"


def test_a_suspension_commits_while_a_large_file_is_published(world, monkeypatch, gate, tmp_path):
    world.agree(IQPS)
    monkeypatch.setattr(publish_module, "make_manifest", gate.make_manifest)
    label = Label("JPN", "UNCLASSIFIED", IQPS, START)
    thread, published = in_background(
        lambda: publish(world.node(IQPS), io.BytesIO(small_tiff(tmp_path / "a.tif").read_bytes()), "a.tif", label)
    )
    assert_suspends(world, gate)
    thread.join(60)
    assert dict(published[0].decisions)[HUR].outcome is Outcome.DENY


def test_manifests_are_kept_within_bounds(world, monkeypatch):
    monkeypatch.setattr(manifests_module, "AT_ONCE_BYTES", 1)
    monkeypatch.setattr(manifests_module, "_MOST_KEPT", 2)
    node = world.node(IQPS)
    product = world.hold(IQPS, 1)
    kept = Manifests(node.blobs)
    assert kept.find(product.assets) is None
    kept.prepare(product.assets)
    found = kept.find(product.assets)
    assert [manifest.digest for manifest in found] == [asset.digest for asset in product.assets]
    kept.prepare(world.hold(IQPS, 2).assets)
    assert kept.find(product.assets) is None
    assert kept.find([replace(product.assets[0], size=1)])[0].digest == product.assets[0].digest
