"""A catalogue goes into a pgstac database, by pgstac's own loader, and comes back from it."""

from __future__ import annotations

import json

import pytest
from simulators.clients import CLIENTS, run
from simulators.coalition import founded, label_text, labelled, published, small_tiff
from simulators.processes import kizuna


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Folder of a node with three images."""
    root = tmp_path_factory.mktemp("pgstac")
    folder = founded(root / "jpn", "JPN/IQPS")
    published(folder, *[labelled(small_tiff(root / f"{number}.tif", seed=number)) for number in range(3)])
    return folder


@pytest.fixture(scope="module")
def pgstac(node, postgres_server, tmp_path_factory):
    """Address of a pgstac database that holds what the node exported, and the items as they were exported."""
    file = tmp_path_factory.mktemp("export") / "items.ndjson"
    done = kizuna("catalog", "export", file, "--url", "http://127.0.0.1:8080", "--node", node, "--json")
    assert done.json()["items"] == 3, done.err
    address = postgres_server.address(postgres_server.new_database().partition("@/")[2].partition("?")[0], "kizuna")
    for words in (["migrate"], ["load", "collections", file.with_name("items.collections.ndjson")], ["load", "items", file]):
        loaded = run(CLIENTS / "pypgstac", *words, "--dsn", address)
        assert loaded.returncode == 0, loaded.stderr
    return address, {item["id"]: item for item in map(json.loads, file.read_text("utf-8").splitlines())}


def test_pgstac_finds_what_was_exported(pgstac, postgres_server):
    address, items = pgstac
    with postgres_server.connected(address.partition("@/")[2].partition("?")[0]) as connection:
        cursor = connection.cursor()
        cursor.execute("SET search_path TO pgstac, public")
        cursor.execute(
            'SELECT search(\'{"bbox": [76, 9, 77, 10], "filter": {"op": "=", "args": '
            '[{"property": "security:classification"}, "UNCLASSIFIED"]}}\'::jsonb)'
        )
        ((found,),) = cursor.fetchall()
    assert {feature["id"] for feature in found["features"]} == set(items)
    for feature in found["features"]:
        whole = items[feature["id"]]
        assert feature["properties"] == whole["properties"]
        assert feature["assets"] == whole["assets"]
        assert feature["geometry"] == whole["geometry"]


def test_items_of_pgstac_are_taken_in_and_known_again(pgstac, tmp_path):
    address, items = pgstac
    label = tmp_path / "label.toml"
    label.write_text(label_text(), "utf-8")
    other = founded(tmp_path / "other", "JPN/IQPS")
    form = ["ingest", "--stac", address, "--by-reference", "--label", label, "--node", other, "--json"]
    done = kizuna(*form)
    assert done.status == 0, done.err
    taken = [one["product"] for one in json.loads(done.out)]
    assert {(one["title"], one["kind"]) for one in taken} == {
        (item["properties"]["title"], "reference") for item in items.values()
    }
    places = [item["geometry"]["coordinates"] for item in items.values()]
    assert all(one["geometry"]["coordinates"] in places for one in taken)
    assert [one["known_already"] for one in json.loads(kizuna(*form).out)] == [True] * 3
    most = kizuna(*form, "--most", "2")
    assert (most.status, "more than 2 items" in most.err) == (2, True)


def test_what_is_no_pgstac_is_told_without_the_password(postgres_server, tmp_path):
    label = tmp_path / "label.toml"
    label.write_text(label_text(), "utf-8")
    other = founded(tmp_path / "other", "JPN/IQPS")
    address = postgres_server.new_database().replace("node@", "node:secret-word@")
    done = kizuna("ingest", "--stac", address, "--label", label, "--node", other)
    assert done.status == 2
    assert "pgstac database" in done.err
    assert "secret-word" not in done.err + done.out
