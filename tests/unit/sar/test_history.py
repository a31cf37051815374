"""Joining and autofocusing phase history."""

from dataclasses import replace

import numpy as np
import pytest

from kizuna.errors import InputError
from kizuna.sar.history import join


def test_joins_pulses_in_order(simulated):
    one, two = simulated([[0.0, 0.0, 0.0]], pulses=4), simulated([[1.0, 0.0, 0.0]], pulses=3)
    both = join([one, two])
    assert both.pulses == 7
    assert np.array_equal(both.samples[4:], two.samples)
    assert np.array_equal(both.positions_m[:4], one.positions_m)


def test_keeps_times_only_where_all_pulses_have_one(simulated):
    one, two = (replace(simulated([[0.0, 0.0, 0.0]], pulses=2), times_s=np.array([t, t + 1.0])) for t in (0.0, 2.0))
    assert join([one, two]).times_s.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert join([one, replace(two, times_s=None)]).times_s is None


def test_refuses_what_does_not_belong_together(simulated):
    one = simulated([[0.0, 0.0, 0.0]])
    with pytest.raises(InputError, match="different polarisations: HH and VV"):
        join([one, replace(one, polarisation="VV")])
    with pytest.raises(InputError, match="different frequencies"):
        join([one, replace(one, frequencies_hz=one.frequencies_hz + 1e6)])
    with pytest.raises(InputError, match="no phase history"):
        join([])


def test_bandwidth_and_aperture_count_every_sample(simulated):
    history = simulated([[0.0, 0.0, 0.0]], pulses=48, frequencies=64, aperture_deg=3.0)
    assert history.bandwidth_hz == pytest.approx(600e6 * 64 / 63)
    assert history.aperture_rad == pytest.approx(np.radians(3.0) * 48 / 47)
    assert history.grazing_rad == pytest.approx(np.radians(45.0))


def test_applies_both_halves_of_an_autofocus_solution_or_none(simulated):
    history = simulated([[0.0, 0.0, 0.0]])
    solved = replace(
        history, range_correction_m=np.full(history.pulses, 0.5), phase_correction_rad=np.full(history.pulses, np.pi)
    ).autofocused()
    assert np.allclose(solved.samples, -history.samples, atol=1e-6)
    assert np.allclose(solved.reference_range_m, history.reference_range_m + 0.5)
    with pytest.raises(InputError, match="no autofocus solution"):
        replace(history, range_correction_m=np.zeros(history.pulses)).autofocused()
