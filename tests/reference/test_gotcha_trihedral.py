"""The trihedral of the Gotcha scene: real echoes, a known place, widths that theory gives.

Truth measured by exact backprojection elsewhere: x = -15.60 m, y = 21.60 m, -3 dB widths 0.315 m (range) and 0.385 m (cross).
"""

from dataclasses import replace

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.sar.image import form_image
from kizuna.sar.quality import ground_resolution, measure_point

TRIHEDRAL_M = (-15.6, 21.6, 0.0)
OFFSET_LIMIT_M = 0.1
WIDTH_LIMIT = 0.05


def test_stands_in_its_place(gotcha):
    found = measure_point(gotcha.pixels, gotcha.grid, TRIHEDRAL_M)
    assert np.linalg.norm(found.position_m - TRIHEDRAL_M) < OFFSET_LIMIT_M


def test_is_as_sharp_as_theory(gotcha):
    range_m, cross_m = ground_resolution(gotcha.history)
    found = measure_point(gotcha.pixels, gotcha.grid, TRIHEDRAL_M)
    assert found.row_width_m == pytest.approx(range_m, rel=WIDTH_LIMIT)
    assert found.col_width_m == pytest.approx(cross_m, rel=WIDTH_LIMIT)


def test_theory_computed_from_the_data_is_what_the_data_sheet_says(gotcha):
    assert ground_resolution(gotcha.history) == pytest.approx((0.306, 0.378), abs=0.0015)


def broken(history, fault):
    if fault == "echoes conjugated":
        return replace(history, samples=history.samples.conj())
    if fault == "track mirrored":
        return replace(history, positions_m=history.positions_m * [1.0, -1.0, 1.0])
    if fault == "height forgotten":
        return replace(history, positions_m=history.positions_m + np.array([0.0, 0.0, 20.0]))
    if fault == "a third of the pulses lost":
        samples = history.samples.copy()
        samples[: history.pulses // 3] = 0
        return replace(history, samples=samples)
    return replace(history, frequencies_hz=history.frequencies_hz * 1.02)


@pytest.mark.parametrize(
    "fault",
    ["echoes conjugated", "track mirrored", "height forgotten", "a third of the pulses lost", "frequencies two per cent off"],
)
def test_the_check_catches_a_broken_history(gotcha, fault):
    """The measure of the two tests above must fail on each of these, or it measures nothing."""
    image = form_image(broken(gotcha.history, fault), gotcha.scene, nominal=True)
    range_m, cross_m = ground_resolution(gotcha.history)
    try:
        found = measure_point(image.pixels, image.grid, TRIHEDRAL_M)
    except InputError:
        return
    off = np.linalg.norm(found.position_m - TRIHEDRAL_M) >= OFFSET_LIMIT_M
    blurred = abs(found.row_width_m / range_m - 1.0) > WIDTH_LIMIT or abs(found.col_width_m / cross_m - 1.0) > WIDTH_LIMIT
    assert off or blurred


def test_the_data_s_autofocus_moves_it_where_it_was_measured(gotcha):
    image = form_image(gotcha.history.autofocused(), gotcha.scene, nominal=True)
    found = measure_point(image.pixels, image.grid, (-16.0, 21.02, 0.0))
    assert found.position_m == pytest.approx((-16.0, 21.02, 0.0), abs=0.05)
