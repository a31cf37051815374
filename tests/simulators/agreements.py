"""An agreement with every term there is, and any agreement at all."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

from hypothesis import strategies as st

from kizuna.formats.agreement import parse_toml
from kizuna.model.instants import Instant
from kizuna.model.parties import Party
from kizuna.model.regions import area_of
from kizuna.release.agreements import Agreement, AgreementKind, Article, Bound, Equivalence, Grant, Term
from kizuna.release.decision import Obligation, ObligationKind

__all__ = ["HARBOUR", "LINES", "MOMENTS", "TEXT", "agreements", "base", "changed", "load", "terms"]

TEXT = """
schema = "kizuna/agreement/1"
id = "A-1"
version = 1
title = "Imagery"
kind = "sharing"
parties = ["JPN", "UKR"]
recorded = 2025-01-01
applies_from = 2025-06-22
[in_force]
from = 2025-06-21
[[articles]]
number = "1"
title = "Imagery"
givers = ["JPN"]
receivers = ["UKR/HUR"]
kinds = ["imagery"]
policy = "JPN"
ceiling = "秘"
purposes = ["mine clearance", "flood relief"]
onward = "never"
acquired = { from = 2025-06-21, until = 2025-06-30 }
produced = { from = "unknown" }
[[articles.categories]]
tag = "Handling"
values = ["JPN-UKR"]
[[articles.areas]]
name = "Black Sea"
geometry = { type = "Polygon", coordinates = [[[28, 41], [42, 41], [42, 47], [28, 47], [28, 41]]] }
[[articles.denied_areas]]
name = "Harbour"
file = "areas/harbour.geojson"
[[articles.obligations]]
kind = "resolution"
value = 3
[[articles.obligations]]
kind = "delay"
value = "1.5"
[[articles.obligations]]
kind = "area"
[[equivalences]]
policy = "JPN"
marking = "秘"
to_policy = "UKR"
to_marking = "Таємно"
article = "4"
basis = "text"
verified = true
until = 2026-03-31
"""
# Written clockwise, as some tools still do.
HARBOUR = {"type": "Polygon", "coordinates": [[[30, 46], [30, 47], [31, 47], [31, 46], [30, 46]]]}


def load(name):
    """Bytes of the one file that the agreement names."""
    assert name == "areas/harbour.geojson"
    return json.dumps({"type": "Feature", "properties": {}, "geometry": HARBOUR}).encode()


def base():
    """The agreement, parsed."""
    return parse_toml(TEXT.encode(), name="base")


def changed(path, value):
    """Base with one member changed; ``...`` removes it."""
    document = copy.deepcopy(base())
    *way, last = path
    inner = document
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return document


MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)).map(Instant)  # noqa: DTZ001
LINES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1, max_size=8).filter(
    lambda text: text.strip() not in {"", "unknown"}
)
UNKNOWN = Bound(None, None, "unknown")


@st.composite
def bounds(draw, after=None, *, exact=False):
    """Begin or end."""
    if draw(st.integers(0, 4)) == 0:
        return UNKNOWN if exact else Bound(None, None, draw(LINES))
    earliest = draw(MOMENTS if after is None else MOMENTS.filter(lambda moment: moment > after))
    if exact or draw(st.booleans()):
        return Bound(earliest, earliest, draw(LINES))
    return Bound(earliest, max(earliest, draw(MOMENTS)), draw(LINES))


@st.composite
def terms(draw, *, exact=False):
    """Term whose end does not stand before its begin."""
    begin = draw(bounds(exact=exact))
    end = draw(st.none() | bounds(after=begin.latest, exact=exact)) if begin.latest else draw(st.none() | bounds(exact=exact))
    return Term(begin, end)


@st.composite
def areas(draw):
    """One to three boxes."""
    rings = []
    for _ in range(draw(st.integers(1, 3))):
        west, south = draw(st.floats(-180, 170)), draw(st.floats(-90, 80))
        east, north = west + draw(st.floats(0.5, 10)), south + draw(st.floats(0.5, 10))
        rings.append((((west, south), (east, south), (east, north), (west, north), (west, south)),))
    return area_of(draw(LINES), tuple(rings))


PARTIES = (Party("JPN"), Party("UKR"), Party("UKR/HUR"))
NUMBERS = st.floats(0.1, 1e5).map(lambda x: f"{x:.6g}")
SOME = st.lists(LINES, max_size=2).map(tuple)
AT_LEAST_ONE = st.lists(LINES, min_size=1, max_size=2).map(tuple)


@st.composite
def articles(draw):
    """Article."""
    number = draw(LINES)
    places = draw(st.lists(areas(), max_size=2).map(tuple))
    kinds = [ObligationKind.DETECTED_ONLY, ObligationKind.NO_ONWARD] + ([ObligationKind.AREA] if places else [])
    obligations = [Obligation(kind, "", "A-1", number) for kind in draw(st.lists(st.sampled_from(kinds), max_size=2))]
    for kind, values in ((ObligationKind.CAVEAT, LINES), (ObligationKind.RESOLUTION, NUMBERS), (ObligationKind.DELAY, NUMBERS)):
        if draw(st.booleans()):
            obligations.append(Obligation(kind, draw(values), "A-1", number))
    return Article(
        number=number,
        title=draw(LINES),
        givers=tuple(draw(st.lists(st.sampled_from(PARTIES), min_size=1, max_size=2))),
        receivers=tuple(draw(st.lists(st.sampled_from(PARTIES), min_size=1, max_size=2))),
        kinds=draw(SOME),
        policy=draw(LINES),
        ceiling=draw(st.none() | LINES),
        obligations=tuple(obligations),
        categories=tuple(Grant(tag, values) for tag, values in draw(st.lists(st.tuples(LINES, AT_LEAST_ONE), max_size=2))),
        areas=places,
        denied_areas=draw(st.lists(areas(), max_size=2).map(tuple)),
        acquired=draw(st.none() | terms(exact=True)),
        produced=draw(st.none() | terms(exact=True)),
        purposes=draw(SOME),
    )


@st.composite
def agreements(draw):
    """Agreement of two nations."""
    texts = [draw(LINES) for _ in range(7)]
    return Agreement(
        id="A-1",
        version=draw(st.integers(1, 9)),
        title=texts[0],
        kind=draw(st.sampled_from(AgreementKind)),
        parties=PARTIES[:2],
        term=draw(terms()),
        recorded_at=draw(MOMENTS),
        articles=tuple(draw(st.lists(articles(), max_size=2))),
        equivalences=tuple(draw(st.lists(st.builds(Equivalence, *map(st.just, texts[1:]), st.booleans(), st.none() | terms())))),
        tells_partner=draw(st.booleans()),
        fictional=draw(st.booleans()),
        sources=draw(SOME),
        applies_from=draw(st.none() | st.builds(lambda moment, text: Bound(moment, moment, text), MOMENTS, LINES)),
    )
