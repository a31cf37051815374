"""A node that answers, and who asks it: a person with an access token, and a partner by its certificate.

The tools run in an environment of their own (`.venv-clients`, made by scripts/setup.py) or come from Debian's packages. A person
is asked for a token; a partner's tools go through a relay that has its certificate (`simulators/relay.py`).
"""

from __future__ import annotations

import contextlib

import pytest
from simulators.clients import Caller, Callers
from simulators.coalition import Pair, founded, introduce, labelled, published, small_tiff
from simulators.processes import serving
from simulators.relay import relayed

from kizuna.node.people import issue_token
from kizuna.wiring import open_node


@pytest.fixture(scope="session")
def callers(tmp_path_factory):
    """Two callers of one node that holds six images for anybody and two that are classified."""
    root = tmp_path_factory.mktemp("clients")
    pair = Pair(founded(root / "jpn", "JPN/IQPS"), founded(root / "ukr", "UKR/HUR"))
    introduce(pair.jpn, pair.ukr)
    files = [labelled(small_tiff(root / f"{number}.tif", seed=number)) for number in range(6)]
    files += [labelled(small_tiff(root / f"secret-{number}.tif", seed=90 + number), classification='"秘"') for number in (1, 2)]
    *told, one, other = published(pair.jpn, *files)
    with open_node(pair.jpn) as node, node.store.transaction():
        token = issue_token(node, "analyst", "analyst")
    with contextlib.ExitStack() as stack:
        giver = stack.enter_context(serving(pair.jpn))
        relay = stack.enter_context(relayed(pair.ukr, pair.jpn, giver.partner_url))
        person = Caller("person", giver.people_url + "/stac", token, (*told, one, other), ())
        partner = Caller("partner", relay + "/exchange/stac", "", tuple(told), (one, other))
        for caller in (person, partner):
            assert caller.ids == set(caller.told)
        yield Callers(person, partner)
