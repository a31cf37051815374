"""How footprints lie to areas: inside, in touch, or not known."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kizuna.catalog.areas import Placer, areas_of, place, require_sound
from kizuna.errors import InputError
from kizuna.model.product import Footprint
from kizuna.model.regions import NOWHERE_KNOWN, area_of


def box(west, south, east, north):
    return ((west, south), (east, south), (east, north), (west, north), (west, south))


def area(*rings):
    """Area of one polygon for each ring."""
    return area_of("here", tuple((ring,) for ring in rings))


def lies(ring, *areas, nominal=False):
    """How a ring lies to each area: inside, touches, apart or unknown."""
    found = place(Footprint(ring, nominal), areas)
    if found.touches is None:
        assert not found.inside
        return ["unknown"] * len(areas)
    return ["inside" if a.id in found.inside else "touches" if a.id in found.touches else "apart" for a in areas]


SEA = area(box(28, 41, 42, 47))


@pytest.mark.parametrize(
    ("ring", "how"),
    [
        (box(30, 43, 31, 44), "inside"),
        (box(28, 41, 42, 47), "inside"),
        (box(28, 41, 29, 42), "inside"),
        (box(27, 43, 29, 44), "touches"),
        (box(20, 30, 50, 60), "touches"),
        (box(42, 47, 43, 48), "touches"),
        (box(26, 43, 28, 44), "touches"),
        (box(20, 43, 27.999999, 44), "apart"),
        (box(-30, -43, -31, -44), "apart"),
    ],
)
def test_edges_belong_to_an_area(ring, how):
    assert lies(ring, SEA) == [how]


def test_a_hole_is_no_part_of_an_area():
    holed = area_of("here", ((box(0, 0, 10, 10), box(4, 4, 6, 6)[::-1]),))
    assert lies(box(1, 1, 2, 2), holed) == ["inside"]
    assert lies(box(4.5, 4.5, 5.5, 5.5), holed) == ["apart"]
    assert lies(box(3, 3, 7, 7), holed) == ["touches"]
    assert lies(box(3, 3, 5, 5), holed) == ["touches"]


def test_polygons_that_meet_are_one_area():
    assert lies(box(1, 1, 9, 2), area(box(0, 0, 5, 5), box(5, 0, 10, 5))) == ["inside"]
    assert lies(box(1, 1, 9, 2), area(box(0, 0, 5, 5), box(5.1, 0, 10, 5))) == ["touches"]


# ---- across the antimeridian

# RFC 7946 section 3.1.9: a polygon that crosses the antimeridian, split in two.
SPLIT = area_of(
    "RFC 7946",
    (
        (((180.0, 40.0), (180.0, 50.0), (170.0, 50.0), (170.0, 40.0), (180.0, 40.0)),),
        (((-170.0, 40.0), (-170.0, 50.0), (-180.0, 50.0), (-180.0, 40.0), (-170.0, 40.0)),),
    ),
)
EAST_ONLY = area(box(170, 40, 180, 50))
WEST_ONLY = area(box(-180, 40, -170, 50))
MERIDIAN = area(box(-10, 40, 10, 50))


@pytest.mark.parametrize(
    ("ring", "split", "east", "west", "zero"),
    [
        # The same outline as the area, not split: it fills it.
        (((170, 40), (-170, 40), (-170, 50), (170, 50), (170, 40)), "inside", "touches", "touches", "apart"),
        (((179, 44), (-179, 44), (-179, 45), (179, 45), (179, 44)), "inside", "touches", "touches", "apart"),
        # Begun on the other side, and turned the other way.
        (((-179, 44), (-179, 45), (179, 45), (179, 44), (-179, 44)), "inside", "touches", "touches", "apart"),
        (((169, 44), (-179, 44), (-179, 45), (169, 45), (169, 44)), "touches", "touches", "touches", "apart"),
        (box(171, 44, 172, 45), "inside", "inside", "apart", "apart"),
        (box(-172, 44, -171, 45), "inside", "apart", "inside", "apart"),
        # It ends on the antimeridian, which is one line under two names.
        (box(179, 44, 180, 45), "inside", "inside", "touches", "apart"),
        (box(-180, 44, -179, 45), "inside", "touches", "inside", "apart"),
        (box(-1, 44, 1, 45), "apart", "apart", "apart", "inside"),
    ],
)
def test_a_footprint_across_the_antimeridian_lies_where_it_lies(ring, split, east, west, zero):
    assert lies(ring, SPLIT, EAST_ONLY, WEST_ONLY, MERIDIAN) == [split, east, west, zero]


def test_an_area_that_is_not_split_is_refused_rather_than_drawn_around_the_globe():
    with pytest.raises(InputError) as caught:
        lies(box(0, 0, 1, 1), area(((170, 40), (-170, 40), (-170, 50), (170, 50), (170, 40))))
    assert "3.1.9" in caught.value.hint.render()


# ---- what is not known


@pytest.mark.parametrize(
    "ring",
    [
        pytest.param(((0, 0), (2, 2), (2, 0), (0, 2), (0, 0)), id="crosses itself"),
        pytest.param(((0, 0), (1, 1), (2, 2), (0, 0)), id="encloses nothing"),
        pytest.param(((0, 0), (0, 0), (0, 0), (0, 0)), id="one point"),
        pytest.param(((0, 80), (120, 80), (-120, 80), (0, 80)), id="around a pole"),
        pytest.param(((0, 80), (20, 80), (10, 90), (0, 80)), id="at a pole"),
        pytest.param(((-100, -60), (100, -60), (100, 60), (-100, 60), (-100, -60)), id="either way around"),
        pytest.param(((-90, 0), (90, 0), (90, 1), (-90, 1), (-90, 0)), id="halfway around"),
    ],
)
def test_a_doubtful_footprint_lies_inside_nothing_and_perhaps_touches_all(ring):
    assert place(Footprint(ring), [SEA]) == NOWHERE_KNOWN


def test_an_assigned_position_and_none_are_not_known():
    assert lies(box(30, 43, 31, 44), SEA, nominal=True) == ["unknown"]
    assert place(None, [SEA]) == NOWHERE_KNOWN
    assert place(Footprint(box(30, 43, 31, 44)), []) == NOWHERE_KNOWN


# ---- areas that are none


@pytest.mark.parametrize(
    "rings",
    [
        (((0, 0), (2, 2), (2, 0), (0, 2), (0, 0)),),
        (((0, 0), (1, 1), (0, 0)),),
        (box(0, 0, 10, 10), box(20, 20, 21, 21)),
        (box(0, 0, 10, 10), box(5, 5, 15, 6)),
        (((170, 40), (-170, 40), (-170, 50), (170, 40)),),
    ],
)
def test_rings_that_enclose_no_area_are_refused_with_the_field(rings):
    unsound = area_of("x", (rings,))
    with pytest.raises(InputError) as caught:
        require_sound(unsound, field="articles[0].areas[0].geometry")
    assert caught.value.field == "articles[0].areas[0].geometry"
    with pytest.raises(InputError):
        place(Footprint(box(0, 0, 1, 1)), [unsound])
    require_sound(SEA)


# ---- a slow twin

GRID = st.integers(-12, 12)


@st.composite
def boxes(draw):
    """Box on a grid of 15 degrees that may cross the antimeridian: west, south, width, height."""
    south = draw(st.integers(-5, 4))
    return draw(GRID), south, draw(st.integers(1, 5)), draw(st.integers(1, 5 - south))


def cells(west, south, width, height):
    """Cells of the grid that a box covers."""
    return {((x + 12) % 24, y) for x in range(west, west + width) for y in range(south, south + height)}


def corners(west, south, width, height):
    """Corners of the grid's cells that a box touches."""
    return {((x + 12) % 24, y) for x in range(west, west + width + 1) for y in range(south, south + height + 1)}


def wrapped(lon):
    return (lon + 180) % 360 - 180


@given(boxes(), boxes())
def test_boxes_on_a_grid_lie_as_their_cells_do(one, other):
    pieces = [  # The area, cell by cell, so that none of its polygons crosses the antimeridian.
        box(wrapped(15 * x - 180), 15 * y, wrapped(15 * x - 180) + 15, 15 * y + 15) for x, y in sorted(cells(*one))
    ]
    west, south, width, height = other
    ring = tuple((wrapped(15 * x), 15 * y) for x, y in box(west, south, west + width, south + height))
    # A corner on the antimeridian may be written either way.
    how = lies(ring, area(*pieces))
    if cells(*other) <= cells(*one):
        assert how == ["inside"]
    elif corners(*other) & corners(*one):
        assert how == ["touches"]
    else:
        assert how == ["apart"]


# ---- what it costs


def test_the_same_outline_is_looked_at_once():
    placer = Placer([SEA])
    first = placer.place(Footprint(box(30, 43, 31, 44)))
    assert placer.place(Footprint(box(30, 43, 31, 44))) is first
    assert placer.place(Footprint(box(30, 43, 31, 45))) is not first


def test_areas_of_agreements_are_each_named_once():
    class Made:
        def __init__(self, **members):
            self.__dict__ |= members

    one = Made(areas=(SEA,), denied_areas=(MERIDIAN,))
    assert areas_of([Made(articles=[one, one]), Made(articles=[])]) == tuple(sorted((SEA, MERIDIAN), key=lambda a: a.id))


def test_nothing_heavy_is_loaded_before_an_area_is_looked_at():
    program = (
        "import sys; from kizuna.catalog.areas import place; from kizuna.model.product import Footprint;"
        "place(Footprint(((0, 0), (1, 0), (1, 1), (0, 0))), []); sys.exit('shapely' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
