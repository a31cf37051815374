"""The base map takes no side: no country is filled, disputed lines are told apart, none is drawn across the way to Crimea."""

from __future__ import annotations

import gzip
import importlib.util
import json
import struct
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BASE_MAP = ROOT / "src/kizuna/web/static/basemap.pmtiles"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("basemap", ROOT / "scripts/basemap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def line(featurecla, *points):
    return {"properties": {"featurecla": featurecla, "min_zoom": 0}, "geometry": {"type": "LineString", "coordinates": points}}


def test_the_line_at_perekop_is_not_drawn(script):
    assert script.boundary(line("Disputed (please verify)", (33.63, 46.13), (35.0, 45.72))) is None
    assert script.boundary(line("International boundary (verify)", (33.63, 46.13), (35.0, 45.72))) is None


def test_lines_keep_their_class(script):
    assert script.boundary(line("International boundary (verify)", (31.8, 52.1), (40.2, 47.1)))[0] == {"class": "boundary"}
    for kind in ("Disputed (please verify)", "Line of control (please verify)", "Indefinite (please verify)"):
        assert script.boundary(line(kind, (74, 34), (75, 35)))[0] == {"class": "disputed"}
    assert script.boundary(line("Lease limit", (74, 34), (75, 35))) is None


def test_ukrainian_places_are_written_as_ukraine_writes_them(script):
    def place(name, state, english):
        own = {"NAME": name, "ADM0NAME": state, "NAME_EN": english, "NAME_FR": english, "min_zoom": 4.0, "SCALERANK": 2}
        return script.place({"properties": {**own, "FEATURECLA": "Admin-0 capital"}})[0]

    assert place("Kiev", "Ukraine", "Kiev")["name"] == "Kyiv"
    assert place("Odessa", "Ukraine", "Odessa")["name"] == "Odesa"
    assert place("Odessa", "United States of America", "Odessa")["name"] == "Odessa"
    assert set(place("Sevastapol", "Russia", "Sevastopol")) == {"name", "name_fr", "rank", "capital"}


def test_the_shipped_map_holds_no_country_and_no_name_of_this_machine():
    data = BASE_MAP.read_bytes()
    assert data[:7] == b"PMTiles"
    assert len(data) < 5_000_000
    offset, length = struct.unpack("<QQ", data[24:40])
    metadata = json.loads(gzip.decompress(data[offset : offset + length]))
    layers = {layer["id"]: set(layer["fields"]) for layer in metadata["vector_layers"]}
    assert layers == {
        "boundary": {"class"},
        "lake": set(),
        "land": set(),
        "place": {"capital", "name", "name_fr", "rank"},
        "sea": {"name", "name_fr", "rank"},
    }
    assert "/" not in metadata["generator_options"]
    style = (ROOT / "src/kizuna/web/static/kz-map.js").read_text()
    assert 'id: "disputed"' in style
    assert "line-dasharray" in style
