"""Cells name all rows that meet a box, and few others."""

from dataclasses import fields, replace
from random import Random

import numpy as np
import pytest

from kizuna.catalog.cells import cells_of
from kizuna.catalog.extents import Extent
from kizuna.catalog.segments import Segment

_EMPTY = Segment(**{field.name: np.zeros(0) for field in fields(Segment)})


def segment(extents):
    columns = np.array([(e.west, e.south, e.east, e.north) for e in extents]).T
    return replace(_EMPTY, **dict(zip(("west", "south", "east", "north"), columns, strict=True)))


def edge(random, least, most):
    """Whole degrees often, and the ends of the range."""
    return random.choice([least, most, float(random.randint(int(least), int(most))), random.uniform(least, most)])


def extent(random, *, largest=1.5):
    west, south = edge(random, -180.0, 180.0), edge(random, -90.0, 90.0)
    wide, high = random.choice([0.0, 1.0, largest]), random.choice([0.0, 1.0, random.uniform(0, largest)])
    return Extent(west, south, west + wide, min(south + high, 90.0))


@pytest.mark.parametrize("largest", [1.5, 40.0])
def test_all_that_meets_a_box_is_named(largest):
    random = Random(3)
    extents = [extent(random) for _ in range(1_500)] + [extent(random, largest=300.0) for _ in range(20)]
    cells = cells_of(segment(extents))
    found = 0
    for _ in range(400):
        box = extent(random, largest=largest)
        meeting = {
            row
            for row, e in enumerate(extents)
            if e.west <= box.east and box.west <= e.east and e.south <= box.north and box.south <= e.north
        }
        named = cells.in_box(box, 0, len(extents)).tolist()
        assert len(named) == len(set(named)) == cells.count(box)
        assert meeting <= set(named)
        assert sorted(cells.in_box(box, 400, 900).tolist()) == sorted(row for row in named if 400 <= row < 900)
        found += len(meeting)
    assert found > 400


def test_small_boxes_name_few():
    random = Random(4)
    extents = [Extent(w := random.uniform(-180, 179), s := random.uniform(-90, 89), w + 0.3, s + 0.3) for _ in range(20_000)]
    nowhere = Extent(np.nan, np.nan, np.nan, np.nan)
    cells = cells_of(segment([*extents, nowhere]))
    assert cells.count(Extent(10.2, 40.2, 10.8, 40.8)) < 20
    assert cells.count(Extent(-180.0, -90.0, 180.0, 90.0)) == len(extents)
