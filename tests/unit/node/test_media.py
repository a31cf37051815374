"""Media carried between two nodes that share nothing else."""

from __future__ import annotations

import pytest
from simulators.nodes import HUR, IQPS, NZL, World

from kizuna.adapters.media_folder import FolderMedium, FolderShelf, NewFolderMedium, media_in
from kizuna.errors import InputError, NotReleasable
from kizuna.node.founding import suspend_agreement
from kizuna.node.media import export_media, import_medium, send_kept_receipts


@pytest.fixture
def world():
    found = World()
    found.befriend(IQPS, HUR)
    found.agree(IQPS)
    return found


def export(world, folder, giver=IQPS, receiver=HUR, since=None):
    """Media of one export, and the refusal."""
    node = world.node(giver)
    reports, refusal = export_media(node, node.partner(receiver), lambda id_: NewFolderMedium(folder, id_), since)
    world.tick()
    return reports, refusal


def one(world, folder, **how):
    (report,), _refusal = export(world, folder, **how)
    return folder / report.name


def take(world, path, tmp_path, receiver=HUR):
    with FolderMedium(path) as medium:
        reports = import_medium(world.node(receiver), medium, FolderShelf(tmp_path / f"shelf-{receiver[:3]}"))
    world.tick()
    return reports


def held(world, party=HUR):
    return {item.product.title for item in world.node(party).store.items.all()}


def test_what_a_partner_may_have_arrives_without_a_network(world, tmp_path):
    product = world.take_in(IQPS, 1)
    path = one(world, tmp_path / "stick")
    (report,) = take(world, path, tmp_path)
    assert [p.id for p in report.pulled.received] == [product.id]
    assert (report.came, report.after, report.last, report.missing) == (1, 0, 1, None)
    here = world.node(HUR)
    assert all(here.blobs.has(asset.digest) for asset in here.store.items.get(product.id).product.assets)
