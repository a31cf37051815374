"""Parties, labels, products and facts as values and as strict JSON."""

from __future__ import annotations

import copy
import dataclasses
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulators.observations import OBSERVATIONS
from simulators.products import NOON, a_product

from kizuna.errors import InputError
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.digests import digest_of, parse_digest
from kizuna.model.instants import Instant, Interval
from kizuna.model.label import Category, CategoryType, Label, label_to_json, read_label
from kizuna.model.parties import NATIONS, Party, is_organisation, nation_of, parse_nation, parse_party
from kizuna.model.product import (
    Asset,
    AssetRole,
    Footprint,
    Product,
    Verdict,
    make_product_id,
    product_from_json,
    product_to_bytes,
    product_to_json,
)
from kizuna.model.provenance import Fact, FactKind, fact_from_json, fact_to_json
from kizuna.model.reading import Table

# ---- strategies

UNPRINTED = ["Cs", "Cc", "Cf", "Zl", "Zp"]
LINES = st.text(st.characters(exclude_categories=UNPRINTED), min_size=1, max_size=20).filter(lambda t: bool(t.strip()))
PARTIES = st.builds(
    lambda nation, org: Party(nation + org),
    st.sampled_from(sorted(NATIONS)),
    st.sampled_from(["", "/IQPS", "/HUR", "/A.B-C_9"]),
)
INSTANTS = st.integers(0, 10**10).map(lambda ms: Instant(NOON + timedelta(milliseconds=ms - 5 * 10**9)))
DIGESTS = st.binary(max_size=4).map(digest_of)
IDS = st.binary(min_size=16, max_size=16).map(make_product_id)
LISTS = st.lists(LINES, max_size=3).map(tuple)
CATEGORIES = st.builds(Category, LINES, st.sampled_from(CategoryType), st.lists(LINES, min_size=1, max_size=3).map(tuple))


@st.composite
def labels(draw):
    created = draw(INSTANTS)
    return Label(
        draw(LINES),
        draw(LINES),
        draw(PARTIES),
        created,
        draw(st.none() | st.lists(PARTIES, max_size=3).map(tuple)),
        draw(st.lists(CATEGORIES, max_size=2).map(tuple)),
        draw(LISTS),
        draw(st.none() | st.timedeltas(timedelta(0), timedelta(days=999)).map(lambda later: Instant(created + later))),
    )


@st.composite
def intervals(draw):
    begin = draw(INSTANTS)
    length = draw(st.none() | st.timedeltas(timedelta(0), timedelta(days=9)))
    return Interval(begin, None if length is None else Instant(begin + length))


POINTS = st.tuples(st.floats(-180, 180), st.floats(-90, 90))
FOOTPRINTS = st.builds(
    lambda points, nominal: Footprint((*points, points[0]), nominal),
    st.lists(POINTS, min_size=3, max_size=6),
    st.booleans(),
)
MEDIA_TYPES = st.sampled_from(
    ["image/png", "application/vnd.nga.sicd+nitf", "image/tiff; application=geotiff; profile=cloud-optimized", 'a/b;c="d e"']
)
NAMES = LINES.filter(lambda name: name not in {".", ".."} and not set(name) & set("/\\"))
ASSETS = st.builds(Asset, st.sampled_from(AssetRole), NAMES, MEDIA_TYPES, DIGESTS, st.integers(0, 2**53 - 1))
PRODUCTS = st.builds(
    Product,
    id=IDS,
    kind=st.from_regex(r"[a-z][a-z-]{0,31}", fullmatch=True),
    title=LINES,
    media_type=MEDIA_TYPES,
    content=DIGESTS,
    originator=PARTIES,
    sensor=LINES,
    event=st.none() | intervals(),
    produced=INSTANTS,
    validity=st.none() | intervals(),
    footprint=st.none() | FOOTPRINTS,
    label=labels(),
    lineage=st.lists(IDS, max_size=2).map(tuple),
    assets=st.lists(ASSETS, max_size=3).map(tuple),
    version=st.integers(1, 99),
    supersedes=st.none() | DIGESTS,
    verdict=st.builds(Verdict, st.booleans(), LISTS),
    resolution_m=st.none() | st.floats(1e-3, 1e3),
    complex_data=st.booleans(),
    notes=LISTS,
    reductions=LISTS,
    observation=st.none() | OBSERVATIONS,
)


@given(PRODUCTS)
def test_a_product_survives_its_json(product):
    assert product_from_json(parse_json(canonical(product_to_json(product)))) == product


@given(PRODUCTS)
def test_a_product_is_written_at_once_as_its_json_would_be(product):
    assert product_to_bytes(product) == canonical(product_to_json(product))


def test_a_product_whose_title_is_no_text_is_not_written():
    with pytest.raises(InputError, match="half a character"):
        product_to_bytes(dataclasses.replace(a_product(), title="\ud800"))


@given(labels())
def test_a_label_survives_its_json(label):
    assert read_label(Table(parse_json(canonical(label_to_json(label))))) == label


# ---- parties


@pytest.mark.parametrize("text", ["JPN", "UKR", "XXN", "JPN/IQPS", "UKR/HUR", "USA/N.A-B_1"])
def test_parties_are_read(text):
    assert parse_party(text) == text
    assert nation_of(parse_party(text)) == text[:3]
    assert is_organisation(parse_party(text)) == ("/" in text)


@pytest.mark.parametrize(
    "text",
    ["", "jpn", "JP", "JPNN", "ZZZ", "JPN/", "/HUR", "JPN/hur", "JPN/HUR/X", "JPN ", "JPN/HUR\n", "ＪＰＮ", "JPN/.X"],
)
def test_what_is_no_party_is_refused(text):
    with pytest.raises(InputError) as caught:
        parse_party(text, field="receivers")
    assert caught.value.field == "receivers"


def test_a_nation_code_that_is_merely_well_formed_is_unknown():
    with pytest.raises(InputError):
        parse_nation("XKX")
    assert len(NATIONS) == 249


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "g" * 64, "sha256:" + "A" * 64, "sha256:" + "0" * 64 + "\n"])
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(InputError):
        parse_digest(text)


# ---- labels


def test_releasable_to_nobody_and_no_limit_are_two_things():
    nobody = Label("JPN", "秘", Party("JPN"), NOON, ())
    unlimited = Label("JPN", "秘", Party("JPN"), NOON)
    for label in (nobody, unlimited):
        assert read_label(Table(label_to_json(label))) == label
    assert nobody.marking == "JPN 秘 NOT RELEASABLE"
    assert unlimited.marking == "JPN 秘"


@pytest.mark.parametrize(
    ("member", "value", "field"),
    [
        ("originator", "Japan", "originator"),
        ("created", "2025-06-22T00:00:00", "created"),
        ("releasable_to", "UKR", "releasable_to"),
        ("categories", [{"tag": "SAP", "type": "restrictive", "values": []}], "categories[0].values"),
        ("categories", [{"tag": "SAP", "type": "secret", "values": ["X"]}], "categories[0].type"),
        ("review", "2020-01-01", "review"),
        ("release_to", ["UKR"], "release_to"),
        ("classification", "秘\n極秘", "classification"),
        ("classification", "秘" * 201, "classification"),
        ("caveats", ["a"] * 101, "caveats"),
    ],
)
def test_a_faulty_label_is_refused_by_field(member, value, field):
    form = label_to_json(Label("JPN", "秘", Party("JPN"), NOON)) | {member: value}
    with pytest.raises(InputError) as caught:
        read_label(Table(form))
    assert caught.value.field == field


# ---- hostile products

RING = [[30.0, 46.0], [31.0, 46.0], [31.0, 47.0], [30.0, 46.0]]


def polygon(ring: object) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": [ring], "nominal": False}


def asset(**changes: object) -> list[dict[str, object]]:
    return [
        {"role": "original", "name": "a.tif", "media_type": "image/tiff", "digest": digest_of(b"a"), "size": 1} | changes,
    ]


@pytest.mark.parametrize(
    ("member", "value", "field"),
    [
        ("assets", asset(name="../../etc/passwd"), "assets[0].name"),
        ("assets", asset(name="a\\b.tif"), "assets[0].name"),
        ("assets", asset(name=".."), "assets[0].name"),
        ("assets", asset(name="a\0.tif"), "assets[0].name"),
        ("assets", asset(role="raw"), "assets[0].role"),
        ("assets", asset(name="gpj.\u202eexe"), "assets[0].name"),
        ("assets", asset(media_type="image"), "assets[0].media_type"),
        ("media_type", "image/tiff\r\nset-cookie: a=b", "media_type"),
        ("media_type", "image/", "media_type"),
        ("media_type", "画像/png", "media_type"),
        ("media_type", "image/png; x", "media_type"),
        ("media_type", "image/png, text/html", "media_type"),
        ("kind", "Imagery", "kind"),
        ("kind", "../imagery", "kind"),
        ("kind", "a" * 33, "kind"),
        ("title", "two\nlines", "title"),
        ("title", "x" * 2_001, "title"),
        ("sensor", "\u2066hidden", "sensor"),
        ("notes", ["a"] * 101, "notes"),
        ("notes", ["x" * 2_001], "notes"),
        ("resolution_m", 0.0, "resolution_m"),
        ("resolution_m", -0.5, "resolution_m"),
        ("resolution_m", 1.1e6, "resolution_m"),
        ("assets", asset(size=-1), "assets[0].size"),
        ("assets", asset(size=1.5), "assets[0].size"),
        ("assets", asset(digest="md5:0"), "assets[0].digest"),
        ("assets", asset(href="https://example.org"), "assets[0].href"),
        ("geometry", polygon(RING[:3]), "geometry.coordinates"),
        ("geometry", polygon([*RING[:3], [30.0, 46.1]]), "geometry.coordinates"),
        ("geometry", polygon([[30.0, 91.0], *RING[1:3], [30.0, 91.0]]), "geometry.coordinates"),
        ("geometry", polygon([[181.0, 46.0], *RING[1:3], [181.0, 46.0]]), "geometry.coordinates"),
        ("geometry", polygon([[float("nan"), 46.0], *RING[1:]]), "geometry.coordinates"),
        ("geometry", polygon([[True, False], *RING[1:3], [True, False]]), "geometry.coordinates"),
        ("geometry", polygon([[30.0, 46.0, 0.0], *RING[1:]]), "geometry.coordinates"),
        ("geometry", polygon("ring"), "geometry.coordinates"),
        ("geometry", {"type": "Point", "coordinates": [0, 0]}, "geometry.type"),
        ("event", {"begin": "2025-06-22T00:00:00Z", "end": "2025-06-21T00:00:00Z"}, "event.end"),
        ("resolution_m", float("inf"), "resolution_m"),
        ("version", 0, "version"),
        ("id", "AAAA", "id"),
        ("lineage", ["x"], "lineage"),
        ("content", "sha256:0", "content"),
        ("title", "\x1b]0;owned\x07", "title"),
        ("verdict", {"valid": "yes"}, "verdict.valid"),
        ("verdict", {"valid": True, "why": ""}, "verdict.why"),
        ("complex", None, "complex"),
        ("secret", 1, "secret"),
        ("schema", "kizuna/product/2", "schema"),
    ],
)
def test_a_hostile_product_is_refused_and_the_field_named(member, value, field):
    form = copy.deepcopy(product_to_json(a_product()))
    with pytest.raises(InputError) as caught:
        product_from_json(form | {member: value})
    assert caught.value.field == field


@pytest.mark.parametrize("member", sorted(set(product_to_json(a_product())) - {"lineage", "assets", "notes", "reductions"}))
def test_a_product_that_lacks_a_member_is_refused_unless_it_may(member):
    form = product_to_json(a_product())
    del form[member]
    if member in {"event", "validity", "geometry", "supersedes", "resolution_m"}:
        product_from_json(form)
        return
    with pytest.raises(InputError) as caught:
        product_from_json(form)
    assert caught.value.field == member


# ---- facts


@given(st.sampled_from(FactKind), INSTANTS, LINES, LINES, st.dictionaries(LINES, LINES, max_size=3))
def test_a_fact_survives_its_json(kind, at, by, authority, body):
    fact = Fact(kind, at, by, authority, body)
    assert fact_from_json(parse_json(canonical(fact_to_json(fact)))) == fact


def test_a_log_that_holds_an_unknown_kind_of_fact_is_refused():
    form = fact_to_json(Fact(FactKind.NODE_CREATED, NOON, "JPN:x", "operator", {}))
    with pytest.raises(InputError) as caught:
        fact_from_json(form | {"kind": "agreement.extended"})
    assert caught.value.field == "kind"


def test_a_fact_stays_readable_whatever_lines_its_officer_wrote():
    fact = Fact(FactKind.NODE_CREATED, NOON, "JPN/IQPS:officer", "article 5\nand \u200bannex", {})
    assert fact_from_json(fact_to_json(fact)) == fact
