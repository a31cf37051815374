"""pystac-client, as it is, on a running node: as a person of the node and as a partner, comparing what each sees."""

from __future__ import annotations

import httpx
import pystac_client
import pytest
import requests
from jsonschema import Draft7Validator
from pystac.validation import validate_dict
from pystac_client.stac_api_io import StacApiIO
from requests.adapters import HTTPAdapter
from simulators.coalition import labelled, published, small_tiff
from simulators.processes import kizuna, serving

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.formats.stac import SECURITY_SCHEMA_ID
from kizuna.node.people import issue_token
from kizuna.wiring import KEYS, open_node


class Pinned(HTTPAdapter):
    """Transport of `requests` with a node's certificate, to one whose certificate is pinned and not named after a host."""

    def __init__(self, context):
        self.context = context
        super().__init__()

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, ssl_context=self.context, assert_hostname=False, **options)

    def cert_verify(self, *arguments):
        """Nothing: the context verifies."""


class PartnerIO(StacApiIO):
    """Reads as the node in `folder`, from the one in `server`."""

    def __init__(self, folder, server):
        super().__init__()
        context = client_context(FileKeys.load(folder / KEYS), FileKeys.load(server / KEYS).certificate_der)
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.mount("https://", Pinned(context))


@pytest.fixture
def files(tmp_path):
    """Three images for anybody, and one that is classified."""
    made = [labelled(small_tiff(tmp_path / f"{number}.tif", seed=number)) for number in range(3)]
    return [*made, labelled(small_tiff(tmp_path / "secret.tif", seed=9), classification='"秘"')]


def searched(client, method, **asked):
    return [item.id for item in client.search(method=method, **asked).items()]


def test_a_person_and_a_partner_each_see_what_is_theirs(pair, files):
    *told, secret = published(pair.jpn, *files)
    with open_node(pair.jpn) as node, node.store.transaction():
        token = issue_token(node, "analyst", "analyst")
    with serving(pair.jpn) as giver:
        person = pystac_client.Client.open(giver.people_url + "/stac", headers={"Authorization": f"Bearer {token}"})
        partner = pystac_client.Client.open(giver.partner_url + "/exchange/stac", stac_io=PartnerIO(pair.ukr, pair.jpn))
        for method in ("GET", "POST"):
            for asked in (
                {"collections": ["imagery"], "limit": 2},
                {"bbox": [70, 5, 80, 15], "limit": 1},
                {"intersects": {"type": "Polygon", "coordinates": [[[70, 5], [80, 5], [80, 15], [70, 15], [70, 5]]]}},
                {"datetime": "2000-01-01/.."},
                {"sortby": ["+datetime", "-properties.platform"]},
                {"filter": "gsd > 1 OR platform LIKE '%'", "filter_lang": "cql2-text"},
                {"filter": {"op": "<>", "args": [{"property": "collection"}, "none"]}, "filter_lang": "cql2-json"},
                {"ids": [secret, *told]},
            ):
                assert sorted(searched(person, method, **asked)) == sorted([*told, secret]), asked
                assert sorted(searched(partner, method, **asked)) == sorted(told), asked
        schema = httpx.get(giver.people_url + "/stac/schemas/security", headers={"Authorization": f"Bearer {token}"}).json()
        for client in (person, partner):
            collection = client.get_collection("imagery")
            validate_dict(collection.to_dict(transform_hrefs=False))
            assert {item.id for item in collection.get_items()} >= set(told)
            for document in client.search().items_as_dicts():
                Draft7Validator(schema).validate(document)
                assert SECURITY_SCHEMA_ID in document["stac_extensions"]
                # Schemas of extensions would be fetched.
                validate_dict(document | {"stac_extensions": []})
        assert collection.get_item(secret) is None
        kizuna("agreement", "suspend", "IQPS-HUR-2025", "--reason", "Review.", "--node", pair.jpn)
        assert searched(partner, "GET") == []
        assert len(searched(person, "GET")) == 4
