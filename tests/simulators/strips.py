"""Strips of a satellite with a curved path over a turning Earth, made here: exact echoes of points, each lit for one dwell."""

import math

import numpy as np

from kizuna.earth.scene import LocalScene
from kizuna.earth.wgs84 import Geodetic, ecef_to_geodetic
from kizuna.model.instants import parse_instant
from kizuna.sar.collection import Collection, Mode, Radiometry, Waveform, track_of
from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory
from kizuna.sar.strip_grid import closest_approach

START = parse_instant("2025-06-22T01:02:03.25Z")
EARTH_RAD_S = 7.292115e-5


def orbit_ecef_m(times_s, *, radius_m=6_911_000.0, inclination_deg=97.6, argument_deg=32.0, node_deg=0.0):
    """Circular orbit as the turning Earth sees it, shape (n, 3); time 0 at the argument of latitude."""
    rate = math.sqrt(3.986004418e14 / radius_m**3)
    along = math.radians(argument_deg) + rate * np.asarray(times_s)
    tilt, node = math.radians(inclination_deg), math.radians(node_deg) - EARTH_RAD_S * np.asarray(times_s)
    x, y = np.cos(along), np.sin(along) * math.cos(tilt)
    return radius_m * np.stack(
        [x * np.cos(node) - y * np.sin(node), x * np.sin(node) + y * np.cos(node), np.sin(along) * math.sin(tilt)], axis=-1
    )


def strip_scene(*, look_deg=35.0, right=True, **orbit):
    """Scene under the beam at time 0: where a line of sight off nadir, at right angles to the path, meets the ellipsoid."""
    where = orbit_ecef_m([-0.5, 0.0, 0.5], **orbit)
    ahead = where[2] - where[0]
    ahead /= np.linalg.norm(ahead)
    down = -where[1] / np.linalg.norm(where[1])
    down -= (down @ ahead) * ahead
    down /= np.linalg.norm(down)
    aside = np.cross(down, ahead) * (1.0 if right else -1.0)
    sight = math.cos(math.radians(look_deg)) * down + math.sin(math.radians(look_deg)) * aside
    scale = np.array([6378137.0, 6378137.0, 6356752.314245])
    a, b = where[1] / scale, sight / scale
    half = a @ b
    distance = (-half - math.sqrt(half**2 - (b @ b) * (a @ a - 1.0))) / (b @ b)
    return LocalScene(Geodetic(*(float(value) for value in ecef_to_geodetic(where[1] + distance * sight))))


def strip_collection(
    places_m,
    *,
    centre_hz=9.65e9,
    bandwidth_hz=60e6,
    frequencies=400,
    pulse_rate_hz=2400.0,
    seconds=1.0,
    doppler_hz=0.0,
    dwell_hz=1800.0,
    right=True,
    moving=False,
    scene=None,
    polarisation="HH",
    **orbit,
):
    """Echoes of unit scatterers at scene places (x, y, z), each while its Doppler frequency is within the dwell."""
    times = np.arange(round(seconds * pulse_rate_hz)) / pulse_rate_hz
    scene = scene or strip_scene(right=right, **orbit)
    positions = scene.from_ecef(orbit_ecef_m(times - 0.5 * seconds, **orbit))
    frequency = centre_hz + bandwidth_hz * (np.arange(frequencies) / frequencies - 0.5 + 0.5 / frequencies)
    bare = PhaseHistory(
        np.zeros((len(times), 1), np.complex64), frequency[:1], positions, np.zeros(len(times)), "HH", times_s=times
    )
    track = track_of(bare)
    velocity = track.at(times, derivative=1)
    points = np.zeros_like(positions)
    if moving:  # reference points that go along with the beam
        middle = velocity[len(times) // 2]
        speed, away = np.linalg.norm(middle), np.linalg.norm(positions[len(times) // 2])
        ahead_s = doppler_hz * SPEED_OF_LIGHT_M_S / (2.0 * centre_hz) * away / speed**2
        points = middle * (ahead_s + 0.93 * (times - 0.5 * seconds))[:, None]
    reference = np.linalg.norm(positions - points, axis=-1)
    samples = np.zeros((len(times), frequencies), complex)
    for place in np.atleast_2d(places_m):
        away = positions - place
        distance = np.linalg.norm(away, axis=-1)
        doppler = -2.0 * centre_hz / SPEED_OF_LIGHT_M_S * (away * velocity).sum(axis=-1) / distance
        lit = np.abs(doppler - doppler_hz) < 0.5 * dwell_hz
        offset = (distance - reference)[lit]
        first = np.exp(-4j * math.pi / SPEED_OF_LIGHT_M_S * offset * frequency[0])
        step = np.exp(-4j * math.pi / SPEED_OF_LIGHT_M_S * offset * (frequency[1] - frequency[0]))
        samples[lit] += first[:, None] * step[:, None] ** np.arange(frequencies)
    history = PhaseHistory(samples.astype(np.complex64), frequency, positions, reference, polarisation, times_s=times)
    return Collection(
        history, scene, START, "strip", "KZ-1", mode=Mode.STRIPMAP, mode_name="SM",
        reference_points_m=points if moving else None,
        waveform=Waveform(20e-6, bandwidth_hz / 20e-6, 1.2 * bandwidth_hz), radiometry=Radiometry(4.0, 0.01),
    )  # fmt: skip


__all__ = ["closest_approach", "strip_collection", "strip_scene"]
