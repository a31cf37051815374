"""A simulated collection: exact echoes of points, from an aperture like Gotcha's."""

import math

import numpy as np
import pytest

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic
from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory


def simulate(points_m, *, pulses=48, frequencies=64, aperture_deg=3.0, distance_m=10_000.0):
    """Phase history of unit scatterers: the definition in `PhaseHistory`, summed."""
    azimuth = np.radians(np.linspace(0.0, aperture_deg, pulses) + 20.0)
    grazing = math.radians(45.0)
    unit = np.stack(
        [np.cos(azimuth) * math.cos(grazing), np.sin(azimuth) * math.cos(grazing), np.full(pulses, math.sin(grazing))], axis=-1
    )
    positions = distance_m * unit
    reference = np.linalg.norm(positions, axis=-1) + np.linspace(-2.0, 2.0, pulses)  # r0 need not be the range to the centre
    frequency = np.linspace(9.3e9, 9.9e9, frequencies)
    samples = np.zeros((pulses, frequencies), complex)
    for point in np.atleast_2d(points_m):
        offset = np.linalg.norm(positions - point, axis=-1) - reference
        samples += np.exp(-4j * math.pi / SPEED_OF_LIGHT_M_S * offset[:, None] * frequency)
    return PhaseHistory(samples.astype(np.complex64), frequency, positions, reference, "HH")


@pytest.fixture
def simulated():
    return simulate


@pytest.fixture
def nowhere():
    return LocalScene(Geodetic(0.0, 0.0))
