"""A node that answers, and who asks it: a person with an access token, and a partner by its certificate.

The tools run in an environment of their own (`.venv-clients`, made by scripts/setup.py) or come from Debian's packages. A person
is asked for a token; a partner's tools go through a relay that has its certificate (`simulators/relay.py`).
"""

from __future__ import annotations

import contextlib

import pytest
from simulators.clients import STAC_BROWSER, Caller, Callers
from simulators.coalition import Pair, founded, introduce, labelled, published, small_tiff
from simulators.processes import kizuna, serving
from simulators.relay import as_partner, as_person, relayed

from kizuna.node.people import issue_token
from kizuna.wiring import open_node

# They run in other environments than this one.
collect_ignore = ["offline", "tools"]


@pytest.fixture(scope="session")
def clients_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="session")
def node_folder(clients_folder, callers):
    """Folder of the node that `callers` ask."""
    return clients_folder / "jpn"


@pytest.fixture(scope="session")
def callers(clients_folder):
    """Two callers of one node that holds six images for anybody and two that are classified."""
    root = clients_folder
    pair = Pair(founded(root / "jpn", "JPN/IQPS"), founded(root / "ukr", "UKR/HUR"))
    introduce(pair.jpn, pair.ukr)
    files = [labelled(small_tiff(root / f"{number}.tif", seed=number)) for number in range(6)]
    files += [labelled(small_tiff(root / f"secret-{number}.tif", seed=90 + number), classification='"秘"') for number in (1, 2)]
    *told, one, other = published(pair.jpn, *files)
    with open_node(pair.jpn) as node, node.store.transaction():
        token = issue_token(node, "analyst", "analyst")
    with contextlib.ExitStack() as stack:
        giver = stack.enter_context(serving(pair.jpn))
        # What went through its feed a partner can have the files of.
        pair.meet(giver.partner_url)
        done = kizuna("sync", "--node", pair.ukr, "--json")
        assert done.status == 0, done.err
        page = stack.enter_context(relayed(as_person(token), giver.people_url, STAC_BROWSER))
        relay = stack.enter_context(relayed(as_partner(pair.ukr, pair.jpn), giver.partner_url, STAC_BROWSER))
        person = Caller("person", giver.people_url + "/stac", token, page, (*told, one, other), (), tuple(files))
        partner = Caller("partner", relay + "/exchange/stac", "", relay, tuple(told), (one, other), tuple(files[:6]))
        for caller in (person, partner):
            assert caller.ids == set(caller.told)
        yield Callers(person, partner)
