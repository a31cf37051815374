"""Three nodes that serve: what one has, another passes on to the third, with the first one's signed consent, and not without."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from simulators.coalition import introduce, labelled, small_tiff
from simulators.processes import kizuna, serving, within

from kizuna.exchange.messages import ConsentNotice, Withdraw
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.instants import parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.node.audit import verify_node
from kizuna.node.founding import record_agreement
from kizuna.node.originators import record_consent, withdraw_consent
from kizuna.node.publish import Described, publish
from kizuna.node.recall import order_recall
from kizuna.node.receive import pull
from kizuna.wiring import Settings, make_node, open_node, transport_to

AGREEMENT = """
schema = "kizuna/agreement/1"
id = "{id}"
version = 1
title = "Imagery"
kind = "sharing"
parties = ["{giver}", "{taker}"]
recorded = "2025-01-01"
[in_force]
from = 2025-01-01T00:00:00Z
[[articles]]
number = "1"
title = "Imagery"
givers = ["{giver}"]
receivers = ["{taker}"]
kinds = ["imagery"]
policy = "JPN"
ceiling = "UNCLASSIFIED"
"""
IQPS, HUR, POL = map(parse_party, ("JPN/IQPS", "UKR/HUR", "POL"))
START = parse_instant("2025-06-22")
FAILED = 1


def founded(folder, party, *agreements):
    make_node(folder, party, Settings("127.0.0.1:0", "127.0.0.1:0"))
    with open_node(folder) as node:
        for id_, giver, taker in agreements:
            document = tomllib.loads(AGREEMENT.format(id=id_, giver=giver, taker=taker))
            record_agreement(node, document, NO_CIVIL_DATES, ())
    return folder


def ran(*arguments, status=0):
    done = kizuna(*arguments, "--json")
    assert done.status == status, done.err
    return done.json() if done.out else None


def synced(folder, status=0):
    (report,) = ran("sync", "--node", folder, status=status)["partners"]
    return report


def pulled(folder):
    """What a node's officer would get by `kizuna sync`, without another process."""
    with open_node(folder) as node:
        (partner,) = [partner for partner in node.knowledge().partners.values() if partner.url]
        with transport_to(folder, partner) as way:
            return pull(node, partner, way)


def put(folder, path, **changes):
    with open_node(folder) as node, path.open("rb") as file:
        label = Label("JPN", "UNCLASSIFIED", IQPS, START, **changes.pop("label", {}))
        return publish(node, file, path.name, label, Described(**changes)).product


def item(folder, product):
    with open_node(folder) as node:
        return node.store.items.get(product.id)


def consent(folder, product, *, withdraw=False):
    with open_node(folder) as node:
        (withdraw_consent if withdraw else record_consent)(node, product, POL, "order")


@pytest.fixture
def three(tmp_path):
    """The originator, the holder and the receiver; each of the first two serves, and the next one pulls from it."""
    jpn = founded(tmp_path / "jpn", IQPS, ("A", IQPS, HUR))
    ukr = founded(tmp_path / "ukr", HUR, ("B", HUR, POL))
    pol = founded(tmp_path / "pol", POL)
    introduce(jpn, ukr)
    introduce(ukr, pol)
    with serving(jpn) as originator, serving(ukr) as holder:
        introduce(ukr, jpn, originator.partner_url)
        introduce(pol, ukr, holder.partner_url)
        yield jpn, ukr, pol, tmp_path


def test_what_its_originator_consents_to_goes_on_in_its_name_and_in_its_newer_version(three):
    jpn, ukr, pol, folder = three
    product = put(jpn, small_tiff(folder / "port.tif"), title="Port")
    assert [one.id for one in pulled(ukr).received] == [product.id]
    assert pulled(pol).received == []
    ran("product", "consent", product.id, "--to", POL, "--by", HUR, "--until", "2100-01-01", "--node", jpn)
    assert [type(message.content) for message in pulled(ukr).messages] == [ConsentNotice]
    # The receiver does not know the originator: it refuses, says so, and takes it once the card is pinned.
    # The holder serves, and looks every half second what other processes recorded.
    within(20, "the holder does not pass it on", lambda: kizuna("sync", "--node", pol, "--json").status == FAILED)
    assert "JPN/IQPS is no partner here" in synced(pol, status=FAILED)["error"]
    introduce(pol, jpn)
    assert [one["id"] for one in synced(pol)["received"]] == [product.id]
    assert "by UKR/HUR, with the signed consent of JPN/IQPS" in kizuna("product", "show", product.id, "--node", pol).out
    assert item(pol, product) == replace(item(ukr, product), received_from=HUR, terms=item(pol, product).terms)
    # A corrected file takes its place at the holder's; the consent was for the one before.
    path = labelled(small_tiff(folder / "corrected.tif", seed=1))
    (second,) = ran("ingest", path, "--replaces", product.id[:10], "--node", jpn)
    assert (second["product"]["id"], second["product"]["version"], second["product"]["title"]) == (product.id, 2, "Port")
    assert [one.version for one in pulled(ukr).received] == [2]
    assert "version 1 [JPN UNCLASSIFIED]" in kizuna("product", "show", product.id, "--node", ukr).out
    assert pulled(pol).received == []
    consent(jpn, item(jpn, product).product)
    pulled(ukr)
    assert [one.version for one in pulled(pol).received] == [2]
    # A version that may go to nobody is known to nobody; the older stays.
    third = put(jpn, small_tiff(folder / "third.tif", seed=2), replaces=product.id, label={"releasable_to": ()})
    assert third.version == 3
    # Taken back, it goes no more.
    other = put(jpn, small_tiff(folder / "other.tif", seed=3))
    consent(jpn, other)
    assert [one.id for one in pulled(ukr).received] == [other.id]
    assert len(pulled(ukr).messages) == 1
    consent(jpn, other, withdraw=True)
    pulled(ukr)
    assert pulled(pol).received == []
    # A recall reaches the third by way of the second.
    with open_node(jpn) as node:
        order_recall(node, third, "Sent by mistake.", "order")
    pulled(ukr)
    assert [type(message.content) for message in pulled(pol).messages] == [Withdraw]
    for folder_ in (jpn, ukr, pol):
        with open_node(folder_) as node:
            verify_node(node)
            assert node.store.items.count() == (0 if folder_ == pol else 1 if folder_ == ukr else 2)
