"""Footprints and boxes, held to shapely where nothing goes around the globe."""

from __future__ import annotations

import math
from random import Random

import pytest
import shapely

from kizuna.catalog.extents import Extent, box_of, extent_of, meets
from kizuna.errors import InputError


def ring_of(random):
    lon, lat, size, turn = random.uniform(-9, 9), random.uniform(-9, 9), random.choice([0.5, 2, 8]), random.uniform(0, 7)
    corners = sorted(random.uniform(0, 2 * math.pi) for _ in range(random.randint(3, 7)))
    points = [(lon + size * math.cos(a + turn), lat + size * random.uniform(0.3, 1) * math.sin(a + turn)) for a in corners]
    return [*points, points[0]]


def test_a_footprint_meets_a_box_where_shapely_says_so():
    random, answers = Random(1), set()
    for _ in range(1_500):
        ring = ring_of(random)
        west, south, size = random.uniform(-12, 12), random.uniform(-12, 12), random.choice([0.1, 1, 9])
        box = Extent(west, south, west + size, south + size)
        expected = shapely.intersects(shapely.Polygon(ring), shapely.box(box.west, box.south, box.east, box.north))
        if shapely.is_valid(shapely.Polygon(ring)):
            assert meets(ring, box) == expected, (ring, box)
            # The same on the other side of the antimeridian.
            moved = [((lon + 360) % 360 - 180, lat) for lon, lat in ring]
            assert meets(moved, Extent(box.west + 180, box.south, box.east + 180, box.north)) == expected
            answers.add(bool(expected))
    assert answers == {True, False}


def test_extents_across_the_antimeridian_and_around_a_pole():
    across = [(179.0, 0.0), (-178.0, 0.0), (-178.0, 1.0), (179.0, 0.0)]
    assert extent_of(across) == Extent(179.0, 0.0, 182.0, 1.0)
    assert extent_of(across).bbox == (179.0, 0.0, -178.0, 1.0)
    south = [(0.0, -80.0), (120.0, -80.0), (-120.0, -80.0), (0.0, -80.0)]
    assert extent_of(south) == Extent(-180.0, -90.0, 180.0, -80.0)
    assert meets(south, Extent(10.0, -90.0, 11.0, -89.0))
    assert extent_of([(180.0, 0.0), (180.0, 1.0), (-179.0, 1.0), (180.0, 0.0)]) == Extent(-180.0, 0.0, -179.0, 1.0)


@pytest.mark.parametrize(
    "numbers", [[], [1, 2, 3], [0, 0, math.nan, 1], [0, 5, 1, 4], [0, 0, 1, 91], [-181, 0, 1, 1], [0, 0, 9, 1, 1, 8], [0] * 7]
)
def test_what_is_no_box_is_refused(numbers):
    with pytest.raises(InputError, match="bbox: expected west"):
        box_of(numbers)
