import numpy as np
import pytest

from kizuna.model.instants import format_instant, parse_instant
from kizuna.planning.windows import sorted_windows

EPOCH = parse_instant("2026-05-08")


def windows(**columns):
    base = {
        "satellite": [0, 1, 0, 1],
        "target": [2, 0, 0, 2],
        "start_s": [10.0, 50.0, 40.0, 5.0],
        "end_s": [20.0, 70.0, 45.0, 6.0],
        "closest_s": [15.0, 60.0, 42.0, 5.5],
        "incidence_rad": [0.4, 0.5, 0.6, 0.7],
        "right": [True, False, True, False],
        "ascending": [True, True, False, False],
    }
    return sorted_windows(EPOCH, ["A", "B"], ["Kyiv", "Tokyo", "Odesa"], **(base | columns))


def test_windows_are_sorted_by_target_and_start_with_all_their_columns():
    made = windows()
    assert made.target.tolist() == [0, 0, 2, 2]
    assert made.start_s.tolist() == [40.0, 50.0, 5.0, 10.0]
    assert made.incidence_rad.tolist() == [0.6, 0.5, 0.7, 0.4]
    assert made.right.tolist() == [True, False, False, True]
    assert (made.satellite.dtype, made.target.dtype) == (np.int32, np.int32)
    assert made.duration_s.tolist() == [5.0, 20.0, 1.0, 10.0]
    assert np.isnan(made.edge_uncertainty_s).all()


def test_one_targets_windows_are_found_also_where_there_are_none():
    made = windows()
    assert made.of_target(2).start_s.tolist() == [5.0, 10.0]
    assert len(made.of_target(1)) == 0


def test_a_mask_keeps_names_and_order():
    kept = windows().take(windows().satellite == 1)
    assert kept.start_s.tolist() == [50.0, 5.0]
    assert kept.satellites == ("A", "B")


def test_columns_of_different_lengths_are_no_table():
    with pytest.raises((ValueError, IndexError)):
        windows(end_s=[1.0])


def test_times_become_instants():
    assert format_instant(windows().instant(61.5)) == "2026-05-08T00:01:01.500000Z"
