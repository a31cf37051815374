"""Small collections of a satellite, made here: exact echoes of points, by the definition in `PhaseHistory`."""

import math
from dataclasses import replace

import numpy as np

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic
from kizuna.model.instants import parse_instant
from kizuna.sar.backprojection import backproject
from kizuna.sar.collection import Collection, ErrorStatistics, Radiometry, Waveform
from kizuna.sar.grid import PlaneGrid
from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory
from kizuna.sar.image import FormedImage, spatial_support

START = parse_instant("2025-06-22T01:02:03.25Z")
KOCHI = Geodetic.from_degrees(latitude_deg=33.5, longitude_deg=133.6, height_m=40.0)


def orbital_history(points_m=((0.0, 0.0, 0.0),), *, pulses=40, frequencies=48, bandwidth_hz=40e6, seconds=0.4, squint_deg=0.0):
    """Echoes of unit scatterers, seen from a circular orbit 540 km high on the left, at 45 degrees; height 0 is the scene's."""
    radius, grazing = 6_911_000.0, math.radians(45.0)
    slant = 742_000.0
    speed = 7_600.0
    times = np.linspace(0.0, seconds, pulses)
    along = speed * (times - 0.5 * seconds) + slant * math.tan(math.radians(squint_deg))
    east = -slant * math.cos(grazing) * np.ones(pulses)
    # A circle about the Earth's centre falls away from its tangent.
    up = slant * math.sin(grazing) - along**2 / (2.0 * radius)
    positions = np.stack([east, along, up], axis=-1)
    reference = np.linalg.norm(positions, axis=-1)
    centre = 9.65e9
    frequency = centre + bandwidth_hz * (np.arange(frequencies) / (frequencies - 1) - 0.5)
    samples = np.zeros((pulses, frequencies), complex)
    for point in np.atleast_2d(points_m):
        offset = np.linalg.norm(positions - point, axis=-1) - reference
        samples += np.exp(-4j * math.pi / SPEED_OF_LIGHT_M_S * offset[:, None] * frequency)
    return PhaseHistory(samples.astype(np.complex64), frequency, positions, reference, "HH", times_s=times)


def orbital_collection(points_m=((0.0, 0.0, 0.0),), *, known=True, **changed):
    """A collection of them over Kochi; with `known`, its waveform, radiometry and errors too."""
    everything = {
        "waveform": Waveform(20e-6, 2e12, 50e6),
        "radiometry": Radiometry(4.0, 0.01),
        "errors": ErrorStatistics((0.3, 0.5, 0.2), (0.001, 0.002, 0.001), 0.1),
        "notes": (("Waveform", "assumed"),),
    }
    return Collection(
        orbital_history(points_m, **changed),
        LocalScene(KOCHI),
        START,
        "port",
        "KZ-1",
        mode_name="SL",
        **(everything if known else {}),
    )


def plane(collection, kind, *, rows=48, cols=40, oversampling=1.5):
    """Grid on the ground, on the slant plane, or between both; rows away from the radar."""
    history = collection.history
    sight = -history.centre_position_m / np.linalg.norm(history.centre_position_m)
    up = np.array([0.0, 0.0, 1.0])
    middle = history.pulses // 2
    along = history.positions_m[middle + 1] - history.positions_m[middle - 1]
    slant = np.cross(along, sight)
    slant *= np.sign(slant[2]) / np.linalg.norm(slant)
    normal = {"ground": up, "slant": slant, "between": up + slant}[kind]
    normal = normal / np.linalg.norm(normal)
    row = sight - (sight @ normal) * normal
    row /= np.linalg.norm(row)
    col = np.cross(normal, row)
    grid = PlaneGrid(np.zeros(3), row, col, 1.0, 1.0, rows, cols)
    support = spatial_support(history, grid).bandwidth
    return replace(grid, row_spacing_m=1.0 / support[0] / oversampling, col_spacing_m=1.0 / support[1] / oversampling)


def orbital_image(collection, kind="ground", **grid):
    """Its image by exact backprojection, at baseband."""
    where = plane(collection, kind, **grid)
    pixels = backproject(collection.history, where)
    row, col = spatial_support(collection.history, where).centre
    pixels *= np.exp(-2j * math.pi * row * where.row_offsets_m())[:, None]
    pixels *= np.exp(-2j * math.pi * col * where.col_offsets_m())
    return FormedImage(pixels, where, collection.history, collection.scene, nominal=False)
