"""Constellations on paper against closed forms."""

import math

import numpy as np
import pytest

from kizuna.earth.orbit import track_of
from kizuna.errors import InputError
from kizuna.formats.constellation_file import read_constellation, read_walker
from kizuna.model.instants import parse_instant
from kizuna.planning.constellation import Plane, flown, mean_motion_rad_s, sun_synchronous_rad, walker
from kizuna.wiring import sample_folder

EPOCH = parse_instant("2026-05-08")


def test_a_sun_synchronous_plane_turns_with_the_sun_when_it_is_flown():
    (one,) = flown([Plane("S", 575e3, sun_synchronous_rad(575e3), 1.0, 1)], EPOCH)
    seconds = np.arange(0.0, 20 * 86400.0, 30.0)
    track = track_of(one, EPOCH, 20 * 86400.0)
    position, velocity = track.position_ecef_m(seconds), track.velocity_ecef_m_s(seconds)
    # Local mean solar time of northward crossings of the equator stays what it was: longitude plus the hour of the day.
    up = np.flatnonzero((position[:-1, 2] < 0.0) & (position[1:, 2] >= 0.0) & (velocity[1:, 2] > 0.0))
    share = -position[up, 2] / (position[up + 1, 2] - position[up, 2])
    where = position[up] + share[:, None] * (position[up + 1] - position[up])
    local = np.unwrap(np.arctan2(where[:, 1], where[:, 0]) + 2.0 * math.pi * (seconds[up] + share * 30.0) / 86400.0)
    drift_deg = math.degrees(local[-1] - local[0])
    # One degree is four minutes of local time; the plane itself turned by 20 degrees among the stars.
    assert abs(drift_deg) < 0.3


def test_a_walker_pattern_is_that_of_the_definition():
    planes = walker("W", 24, 6, 2, inclination_rad=0.9, height_m=575e3)
    assert np.diff([math.degrees(plane.node_rad) for plane in planes]) == pytest.approx([60.0] * 5)
    # A satellite of the next plane is F * 360 / T degrees ahead.
    assert np.diff([math.degrees(plane.first_rad) for plane in planes]) == pytest.approx([30.0] * 5)
    star = walker("W", 24, 6, 2, inclination_rad=1.5, height_m=575e3, star=True)
    assert np.diff([math.degrees(plane.node_rad) for plane in star]) == pytest.approx([30.0] * 5)
    anomalies = [math.degrees(each.mean_anomaly_rad) for each in flown(planes[:1], EPOCH)]
    assert anomalies == pytest.approx([0.0, 90.0, 180.0, 270.0])


def test_the_height_of_what_is_flown_is_that_of_the_plane():
    (one,) = flown([Plane("H", 575e3, 0.7, 0.0, 1)], EPOCH)
    assert one.mean_motion_rad_s == mean_motion_rad_s(575e3)
    radius_m = np.linalg.norm(track_of(one, EPOCH, 6000.0).position_ecef_m(np.arange(0.0, 6000.0, 60.0)), axis=1)
    # J2 moves a circular orbit by some kilometres up and down.
    assert np.abs(radius_m - 6378.135e3 - 575e3).max() < 20e3


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("42:36/5/1@575", "planes"),
        ("42:36/4/4@575", "phasing"),
        ("42:36/4/1@50", "height_km"),
        ("200:36/4/1@575", "inclination_deg"),
        ("36/4/1@575", "walker"),
        ("42:36/4/1", "walker"),
    ],
)
def test_a_pattern_that_cannot_fly_is_refused_by_its_field(text, field):
    with pytest.raises(InputError) as caught:
        read_walker(text)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("name", "satellites"), [("iqps-5", 5), ("iqps-24", 24), ("iqps-36", 36), ("iqps-36-planes", 36), ("sso-36", 36)]
)
def test_the_samples_say_how_many_they_are_and_what_is_assumed(name, satellites):
    path = sample_folder("planning") / f"{name}.toml"
    design = read_constellation(path.read_bytes(), name=path.name)
    assert design.satellites == satellites == len({each.name for each in flown(design.planes, EPOCH)})
    assert design.assumed


def test_a_file_without_planes_or_with_an_unknown_field_is_refused():
    for text in ('name = "x"', 'name = "x"\nplans = []', 'name = "x"\n[[walker]]\nname = "w"'):
        with pytest.raises(InputError):
            read_constellation(f'schema = "kizuna/constellation/1"\n{text}\n'.encode(), name="x.toml")
