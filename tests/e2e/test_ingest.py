"""`kizuna ingest` of many files, of what partners send, and of what comes into a folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from simulators import partner_files
from simulators.coalition import labelled, small_tiff
from simulators.processes import environment, kizuna, state_of
from simulators.web import web

from kizuna.model.digests import digest_of


@pytest.fixture
def arrived(tmp_path):
    """What partners send: labelled but for the last, the second last cut off."""
    folder = tmp_path / "arrived"
    folder.mkdir()
    (folder / "a.cphd").write_bytes(partner_files.cphd())
    (folder / "b.crsd").write_bytes(partner_files.crsd())
    (folder / f"{partner_files.SAFE_NAME}.zip").write_bytes(partner_files.safe(64, 96))
    (folder / "cut.cphd").write_bytes(partner_files.cphd(start="2023-01-01T00:00:00Z")[:-9])
    paths = sorted(folder.iterdir())
    for path in paths:
        labelled(path)
    small_tiff(folder / "unlabelled.tif")
    return folder


def test_good_files_are_taken_in_and_all_bad_ones_told(pair, arrived):
    files = sorted(p for p in arrived.iterdir() if not p.name.endswith(".label.toml"))
    done = kizuna("ingest", *files, "--jobs", "2", "--node", pair.jpn, "--json")
    assert done.status == 2
    taken = json.loads(done.out)
    assert [(one["product"]["kind"], one["product"]["observation"]["radar"]["product_type"]) for one in taken] == [
        ("imagery", "GRD"),
        ("phase-history", "CPHD"),
        ("phase-history", "CRSD"),
    ]
    faults = [json.loads(line)["error"] for line in done.err.splitlines() if line.startswith("{")]
    assert sorted(fault["field"] for fault in faults) == ["file", "file"]
    assert any("cut.cphd" in fault["message"] and "block ends at byte" in fault["message"] for fault in faults)
    assert any("unlabelled.tif.label.toml" in fault["message"] for fault in faults)
    # The folder of the same package, unpacked, is another file: the node keeps what it was given.
    again = kizuna("ingest", *files[:1], "--node", pair.jpn, "--json")
    assert (again.status, json.loads(again.out)[0]["known_already"]) == (0, True)


def test_a_safe_folder_is_one_product_and_known_when_it_comes_again(pair, tmp_path):
    folder = tmp_path / partner_files.SAFE_NAME
    for name, data in partner_files.safe_members(64, 96).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_bytes(data)
    labelled(folder)
    (first,) = json.loads(kizuna("ingest", folder, "--node", pair.jpn, "--json").out)
    assert [asset["role"] for asset in first["product"]["assets"]] == ["original", "detected", "visual", "quicklook"]
    (second,) = json.loads(kizuna("ingest", folder, "--node", pair.jpn, "--json").out)
    assert second["known_already"]
    (folder / "link").symlink_to("/etc/passwd")
    refused = kizuna("ingest", folder, "--node", pair.jpn, "--json")
    assert refused.status == 2
    assert "is a link" in refused.fault()["message"]


def watch(folder, node, *options):
    return ["ingest", "--watch", folder, "--node", node, "--every", "0.05", "--settle", "0.3", *options]


def test_what_comes_into_a_folder_is_taken_in_and_moved(pair, arrived):
    done = kizuna(*watch(arrived, pair.jpn, "--once", "--json"))
    assert done.status == 2
    assert {json.loads(line)["product"]["kind"] for line in done.out.splitlines()} == {"imagery", "phase-history"}
    assert "unlabelled.tif waits for its label" in done.err
    assert {p.name for p in arrived.iterdir()} == {"done", "failed", "unlabelled.tif"}
    assert {p.name for p in (arrived / "failed").iterdir()} == {"cut.cphd", "cut.cphd.label.toml", "cut.cphd.reason.txt"}
    assert "block ends at byte" in (arrived / "failed" / "cut.cphd.reason.txt").read_text()
    assert len(list((arrived / "done").iterdir())) == 6
    # With its label it is complete.
    labelled(arrived / "unlabelled.tif")
    assert kizuna(*watch(arrived, pair.jpn, "--once")).status == 0
    assert (arrived / "done" / "unlabelled.tif").exists()


def test_a_watcher_killed_between_recording_and_moving_goes_on_where_it_was(pair, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    path = labelled(small_tiff(folder / "a.tif"))
    # As a crash leaves it: recorded, and not moved.
    assert kizuna("ingest", path, "--node", pair.jpn).status == 0
    before = state_of(pair.jpn)
    done = kizuna(*watch(folder, pair.jpn, "--once", "--json"))
    assert json.loads(done.out)["known_already"]
    assert (folder / "done" / "a.tif").exists()
    assert state_of(pair.jpn) == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_watcher_runs_until_it_is_stopped_and_leaves_a_file_that_still_grows(pair, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    command = [sys.executable, "-m", "kizuna", *map(str, watch(folder, pair.jpn))]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as running:
        growing = (folder / "growing.tif").open("wb")
        small_tiff(tmp_path / "b.tif")
        labelled(tmp_path / "b.tif")
        for name in ("b.tif.label.toml", "b.tif"):
            (tmp_path / name).rename(folder / name)
        (folder / "growing.tif.label.toml").write_text((folder / "b.tif.label.toml").read_text())
        until = time.monotonic() + 60
        while not (folder / "done" / "b.tif").exists():
            growing.write(b"more")
            growing.flush()
            assert time.monotonic() < until
            assert running.poll() is None
            time.sleep(0.05)
        growing.close()
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    assert running.returncode == 130
    assert (folder / "growing.tif").exists()


@pytest.mark.parametrize("options", [[], ["--title", "x"]])
def test_files_or_a_folder_not_both_nor_neither(pair, tiff, tmp_path, options):
    assert kizuna("ingest", "--node", pair.jpn).status == 2
    assert kizuna("ingest", tiff, "--watch", tmp_path, "--node", pair.jpn, *options).status == 2
    assert kizuna("ingest", "--watch", tmp_path, "--once", *options, "--node", pair.jpn).status == (2 if options else 0)


# ---- STAC, by link

ALLOWED = {"KIZUNA_STAC_PRIVATE_HOSTS": "127.0.0.1"}
PLACE = [[[76, 9], [77, 9], [77, 10], [76, 9]]]


def stac_of(served, pictures):
    """Collection with two pages of items, on a server, of files that lie there."""
    features = []
    for number, (name, data) in enumerate(pictures.items()):
        served.answers[f"/files/{name}"] = data
        checksum = "1220" + digest_of(data).removeprefix("sha256:")
        files = {
            "data": {"href": f"../files/{name}", "roles": ["data"], "file:checksum": checksum, "file:size": len(data)},
            "thumbnail": {"href": "t.png", "roles": ["thumbnail"]},
        }
        told = {"datetime": "2025-06-22T12:00:00Z", "platform": "QPS-SAR-7", "sar:instrument_mode": "spotlight"}
        place = {"type": "Polygon", "coordinates": PLACE}
        item = {"type": "Feature", "stac_version": "1.1.0", "id": f"item-{number}", "geometry": place, "properties": told}
        features.append(item | {"links": [], "assets": files})
    page = {"type": "FeatureCollection", "links": [{"rel": "next", "href": "/stac/page2"}], "features": features[:1]}
    collection = {"type": "Collection", "stac_version": "1.1.0", "id": "c", "links": [{"rel": "items", "href": "/stac/page1"}]}
    served.answers |= {
        "/stac/collection": json.dumps(collection).encode(),
        "/stac/page1": json.dumps(page).encode(),
        "/stac/page2": json.dumps({"type": "FeatureCollection", "features": features[1:]}).encode(),
    }
    return served.url + "/stac/collection"


@pytest.fixture
def on_the_web(tmp_path):
    with web() as served:
        paths = [small_tiff(tmp_path / "a.tif", seed=1), small_tiff(tmp_path / "b.tif", seed=2)]
        yield served, stac_of(served, {path.name: path.read_bytes() for path in paths})


def label_of(tmp_path):
    return labelled(tmp_path / "all").with_name("all.label.toml")


def test_what_a_collection_s_items_link_to_is_fetched_and_taken_in(pair, on_the_web, tmp_path):
    served, url = on_the_web
    form = ["ingest", "--stac", url, "--label", label_of(tmp_path), "--node", pair.jpn, "--json"]
    assert (kizuna(*form).status, served.asked) == (2, [])
    taken = [one["product"] for one in json.loads(kizuna(*form, env=ALLOWED).out)]
    assert [(one["title"], one["sensor"], one["kind"]) for one in taken] == [
        ("item-0", "QPS-SAR-7", "imagery"),
        ("item-1", "QPS-SAR-7", "imagery"),
    ]
    assert taken[0]["event"]["begin"].startswith("2025-06-22T12:00:00")
    # The file says where its pixels lie, the item how it was observed.
    assert taken[0]["observation"]["radar"] == {"instrument_mode": "spotlight"}
    assert taken[0]["observation"]["grid"]["code"] == "EPSG:32643"
    assert taken[0]["geometry"]["coordinates"] != PLACE
    assert served.asked.count("/files/a.tif") == 1
    # One that is not what its item says is told; the other is known.
    served.answers["/files/b.tif"] = served.answers["/files/a.tif"]
    again = kizuna(*form, env=ALLOWED)
    assert again.status == 2
    assert [one["known_already"] for one in json.loads(again.out)] == [True]
    assert "item-1" in again.err


def test_items_alone_are_taken_in_by_reference_and_known_again(pair, on_the_web, tmp_path):
    served, url = on_the_web
    form = ["ingest", "--stac", url, "--by-reference", "--label", label_of(tmp_path), "--node", pair.jpn, "--json"]
    taken = [one["product"] for one in json.loads(kizuna(*form, env=ALLOWED).out)]
    assert [(one["kind"], one["media_type"], len(one["assets"])) for one in taken] == [
        ("reference", "application/geo+json", 1)
    ] * 2
    assert not any(path.startswith("/files/") for path in served.asked)
    assert taken[0]["geometry"]["coordinates"] == PLACE
    assert [one["known_already"] for one in json.loads(kizuna(*form, env=ALLOWED).out)] == [True, True]


def test_a_document_on_disk_names_files_below_its_folder_and_no_others(pair, tmp_path):
    folder = tmp_path / "delivery"
    (folder / "images").mkdir(parents=True)
    small_tiff(folder / "images" / "a.tif")
    small_tiff(tmp_path / "secret.tif")
    base = {"type": "Feature", "stac_version": "1.0.0", "geometry": None, "properties": {"datetime": "2025-06-22T12:00:00Z"}}
    hrefs = ["images/a.tif", "../secret.tif", str(tmp_path / "secret.tif"), "file:///etc/passwd"]
    features = [base | {"id": f"{n}", "assets": {"a": {"href": href}}} for n, href in enumerate(hrefs)]
    path = folder / "items.json"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    labelled(path)
    done = kizuna("ingest", "--stac", path, "--node", pair.jpn, "--json")
    assert done.status == 2
    assert [one["product"]["title"] for one in json.loads(done.out)] == ["0"]
    assert done.err.count("is no link that is followed") == 3
