"""What a radar hears of a scene: ground, buildings, moored ships all at once, ships that move and reflectors exactly, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.earth.scene import LocalScene
from kizuna.model.instants import instant_of
from kizuna.sar.acquisition import CircularOrbit, pass_over, spotlight, sun_synchronous_inclination_rad
from kizuna.sar.collection import Collection, Mode, Radiometry
from kizuna.sar.echoes import Cloud, Movers, cloud_echoes, point_echoes
from kizuna.sar.history import SPEED_OF_LIGHT_M_S, PhaseHistory
from kizuna.sar.scene_ground import Ground, ground_of
from kizuna.sar.scene_shapes import Shapes, counter_clockwise, gamma_of
from kizuna.sar.shadow import Sight
from kizuna.sar.strip_acquisition import doppler_hz, drop_m, stripmap
from kizuna.sar.strip_echoes import refer_to_beam, strip_echoes, target_echoes

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.model.instants import Instant
    from kizuna.sar.acquisition import Acquisition
    from kizuna.sar.scene import Scene, Ship, Terrain

__all__ = ["Simulation", "acquisition_by", "acquisition_of", "collection_of", "observed", "placed", "seen_at", "simulate"]

type Floats = npt.NDArray[np.float64]

_CELLS_A_RESOLUTION = 0.92
"""Cells of the ground a resolution cell is wide: below one, so that speckle is fully developed in both directions."""
_MOVING_SPACING = 2.0
_SHADOW_CELLS = 2.5
_LOW_M = 6.0
"""Scatterers within this height of most others are seen as of one plane; the rest is done apart, in more parts."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """Echoes, and how they came about.

    Parameters
    ----------
    history
        Phase history in the scene's frame.
    acquisition
        Pulses.
    scene
        What was observed.
    scatterers
        How many were at rest and in sight, and how many were summed exactly.
    error_db
        Level of the errors of the ranges of those at rest, decibels below their echoes.
    noise_power
        Mean squared magnitude of the noise in a sample.
    extent_m
        Sides of what was simulated, away from the radar and across, metres.
    """

    history: PhaseHistory
    acquisition: Acquisition
    scene: Scene
    scatterers: tuple[int, int]
    error_db: float
    noise_power: float
    extent_m: tuple[float, float]


def acquisition_of(scene: Scene, *, extent_m: float | None = None) -> Acquisition:
    """Pulses as a scene's recipe wants them, over its whole extent or a smaller one.

    Raises
    ------
    InputError
        No such orbit sees the place.
    """
    orbit = scene.orbit
    inclination = sun_synchronous_inclination_rad(orbit.height_m) if orbit.inclination_rad is None else orbit.inclination_rad
    track = CircularOrbit.seeing(
        scene.place,
        height_m=orbit.height_m,
        inclination_rad=inclination,
        incidence_rad=orbit.incidence_rad,
        ascending=orbit.ascending,
        looks_right=orbit.looks_right,
    )
    return _planned(scene, track.positions_ecef_m, extent_m=extent_m)


def _planned(
    scene: Scene, track_ecef_m: Callable[[Floats], Floats], *, extent_m: float | None = None, middle_s: float = 0.0
) -> Acquisition:
    """Pulses of the scene's mode from a track."""
    local, strip = LocalScene(scene.place), scene.strip
    if strip is None:
        return spotlight(local, scene.radar, track_ecef_m, extent_m=extent_m or scene.extent_m, middle_s=middle_s)
    swath = extent_m or strip.swath_m
    return stripmap(local, strip.radar, track_ecef_m, swath_m=swath, length_m=strip.length_m, middle_s=middle_s)


def acquisition_by(
    scene: Scene, track_ecef_m: Callable[[Floats], Floats], epoch: Instant, *, duration_s: float
) -> tuple[Scene, Acquisition]:
    """Pulses from a real orbit, at the first pass that sees the scene under 20 to 55 degrees; and the scene at that time.

    Parameters
    ----------
    scene
        What is observed; of its orbit nothing is used.
    track_ecef_m
        Positions in ECEF, shape (n, 3), metres, of seconds after `epoch`, shape (n,): `kizuna.earth.orbit.Track.position_ecef_m`.
    epoch
        What the track's times count from.
    duration_s
        Latest time that is looked at.

    Raises
    ------
    InputError
        There is no such pass.
    """
    local = LocalScene(scene.place)
    middle_s = pass_over(local, track_ecef_m, duration_s=duration_s)
    planned = _planned(scene, track_ecef_m, middle_s=middle_s)
    start = instant_of(epoch + timedelta(seconds=middle_s - 0.5 * float(planned.times_s[-1])))
    return replace(scene, start=start), planned


def simulate(
    scene: Scene,
    acquisition: Acquisition,
    *,
    extent_m: float | None = None,
    seed: int | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Phase history of a scene; the same arguments give the same samples.

    Parameters
    ----------
    scene
        What there is.
    acquisition
        Pulses; `acquisition_of` makes them as the scene's recipe wants.
    extent_m
        Side of the square about the centre that is simulated; None: the scene's.
    seed
        Of all that is random; None: the scene's.
    threads
        How many processors to use; None: all. The samples do not depend on it.
    progress
        Called with (steps done, steps in all).

    Returns
    -------
    Simulation
        A scatterer of 1 m^2 has magnitude 1 in each sample, so that an image of `kizuna.sar` shows radar cross section.

    Raises
    ------
    InputError
        An area of a surface that the scene does not name.
    """
    tell = progress or (lambda _done, _all: None)
    beam = acquisition.beam
    extent = (extent_m or scene.extent_m,) * 2 if beam is None else beam.extent_m
    if beam is not None and scene.terrain is not None:
        scene = replace(scene, terrain=_above_surface(acquisition.scene, scene.terrain))
    rng = np.random.default_rng(scene.seed if seed is None else seed)
    sight = acquisition.middle_m / np.linalg.norm(acquisition.middle_m)
    cell = _CELLS_A_RESOLUTION * _nyquist_m(acquisition)
    spacing = float(cell.min())
    ground = ground_of(scene, sight, extent_m=extent, spacing_m=(float(cell[0]), float(cell[1])), rng=rng)
    still, ghosts, moving = _things(scene, sight, spacing, extent, rng)
    reflectors = _reflectors(scene, acquisition, extent)
    if beam is not None:  # a strip is long enough for the Earth to be round
        for positions in (ground.positions_m, still.positions_m, ghosts.positions_m, moving.positions_m, reflectors.positions_m):
            _bend(acquisition.scene, positions)
    tell(1, 6)
    look = Sight.over([ground.positions_m, still.positions_m, moving.positions_m], sight, cell_m=_SHADOW_CELLS * spacing)
    still, in_sight = still.keep(look.sees(still.positions_m)), look.sees(ground.positions_m)
    seen = look.sees(moving.positions_m)
    moving = Movers(moving.positions_m[seen], moving.velocities_m_s[seen], moving.amplitudes[seen])
    # What stands out of the plane that most lies in takes several apertures, so it is done apart.
    low = np.abs(ground.positions_m[:, 2] - np.median(ground.positions_m[::97, 2])) <= _LOW_M
    high = _joined(ground.of(in_sight & ~low), still, ghosts)
    ground = ground.keep(in_sight & low)
    tell(2, 6)
    samples = np.zeros((len(acquisition.times_s), len(acquisition.frequencies_hz)), np.complex64)
    at_rest, exact = len(ground) + len(high), len(moving) + len(reflectors)
    if beam is None:
        errors = []
        for number, cloud in enumerate((ground, high)):
            errors.append((cloud_echoes(acquisition, cloud, samples, threads=threads), _power(cloud)))
            tell(3 + number, 6)
        point_echoes(acquisition, _moving([moving, reflectors]), samples, threads=threads)
        total = sum(power for _, power in errors)
        error_db = 10.0 * math.log10(
            max(sum(10.0 ** (error / 10.0) * power for error, power in errors) / total if total else 0.0, 1e-20)
        )
        ranges = np.linalg.norm(acquisition.positions_m, axis=1)
    else:
        # A strip's apertures are short: all is seen as of one plane.
        error_db = strip_echoes(
            acquisition,
            _joined(ground, high),
            moving,
            samples,
            threads=threads,
            progress=lambda done, blocks: tell(2 + 3 * done // blocks, 6),
        )
        target_echoes(acquisition, reflectors, samples, threads=threads)
        ranges = refer_to_beam(acquisition, samples, threads=threads)
    tell(5, 6)
    lit = samples.size * acquisition.lit_share
    noise_power = lit * acquisition.ground_cell_m2 * 10.0 ** (acquisition.radar.noise_equivalent_sigma0_db / 10.0)
    _add_noise(samples, noise_power, rng)
    tell(6, 6)
    history = PhaseHistory(
        samples=samples,
        frequencies_hz=acquisition.frequencies_hz,
        positions_m=acquisition.positions_m,
        reference_range_m=ranges,
        polarisation=acquisition.radar.polarisation,
        times_s=acquisition.times_s,
    )
    return Simulation(history, acquisition, scene, (at_rest, exact), error_db, noise_power, extent)


def _above_surface(scene: LocalScene, terrain: Terrain) -> Terrain:
    """Terrain with its heights counted from the scene's surface, as all of a strip's are, not from its plane."""
    rows, cols = terrain.heights_m.shape
    east = terrain.corner_m[0] + terrain.spacing_m * np.arange(cols)
    north = terrain.corner_m[1] + terrain.spacing_m * np.arange(rows)
    return replace(terrain, heights_m=terrain.heights_m + drop_m(scene, east[None, :], north[:, None]))


def _bend(scene: LocalScene, positions_m: npt.NDArray[np.floating]) -> None:
    """Lower positions, shape (n, 3), from the scene's plane onto its surface, in place."""
    for start in range(0, len(positions_m), 1 << 20):
        part = positions_m[start : start + (1 << 20)]
        part[:, 2] -= drop_m(scene, part[:, 0].astype(np.float64), part[:, 1].astype(np.float64)).astype(part.dtype)


def _nyquist_m(acquisition: Acquisition) -> Floats:
    """Widest spacing on the ground, away from the radar and across, that holds the bandwidths of the image, shape (2,)."""
    across = math.sin(acquisition.incidence_rad)
    turned = acquisition.ground_cell_m2 * 2.0 * acquisition.radar.bandwidth_hz * across / SPEED_OF_LIGHT_M_S
    return np.array([SPEED_OF_LIGHT_M_S / (2.0 * acquisition.radar.bandwidth_hz * across), turned])


def _things(
    scene: Scene, sight: Floats, spacing_m: float, extent_m: tuple[float, float], rng: np.random.Generator
) -> tuple[Cloud, Cloud, Movers]:
    """Everything that stands on the ground: at rest, at rest without hiding anything (echoes by way of the water), and moving."""
    shapes = Shapes(sight, spacing_m, rng)
    for area in scene.areas:
        if area.walled:
            _quay(shapes, counter_clockwise(area.outline_m), area.height_m)
    for block in scene.blocks:
        shapes.block(block)
    for bridge in scene.bridges:
        shapes.bridge(bridge)
    positions, amplitudes, real = shapes.scatterers()
    pieces = [(positions, amplitudes, real, np.zeros(3))]
    for ship in scene.ships:
        own = Shapes(sight, spacing_m if ship.speed_m_s == 0.0 else _MOVING_SPACING * spacing_m, rng)
        own.hull(ship)
        at, strength, there = own.scatterers()
        pieces.append((at + _centre(ship), strength, there, np.array(ship.velocity_m_s)))
    frame = Ground.facing(sight)
    still, ghosts, moving = [], [], []
    for at, strength, there, velocity in pieces:
        inside = frame.within(at[:, :2], extent_m)
        if velocity.any():
            moving.append(Movers(at[inside], np.broadcast_to(velocity, (int(inside.sum()), 3)).copy(), strength[inside]))
            continue
        still.append(Cloud(at[inside & there].astype(np.float32), strength[inside & there]))
        ghosts.append(Cloud(at[inside & ~there].astype(np.float32), strength[inside & ~there]))
    return _joined(*still), _joined(*ghosts), _moving(moving)


def _quay(shapes: Shapes, outline: Floats, height_m: float) -> None:
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        along = np.array([*(b - a), 0.0])
        if np.cross(along, [0.0, 0.0, 1.0]) @ shapes.sight > 0.0:
            foot = np.array([*a, 0.0])
            shapes.face(foot, along, np.array([0.0, 0.0, height_m]), gamma_of(-8.0))
            shapes.dihedral(foot, foot + along, height_m)


def _centre(ship: Ship) -> Floats:
    return np.array([*ship.centre_m, 0.0])


def _joined(*clouds: Cloud) -> Cloud:
    return Cloud(np.concatenate([cloud.positions_m for cloud in clouds]), np.concatenate([cloud.amplitudes for cloud in clouds]))


def _moving(movers: list[Movers]) -> Movers:
    if not movers:
        return Movers(np.empty((0, 3)), np.empty((0, 3)), np.empty(0, np.complex64))
    return Movers(
        np.concatenate([part.positions_m for part in movers]),
        np.concatenate([part.velocities_m_s for part in movers]),
        np.concatenate([part.amplitudes for part in movers]),
    )


def _reflectors(scene: Scene, acquisition: Acquisition, extent_m: tuple[float, float]) -> Movers:
    reflectors = [one for one in scene.reflectors if observed(acquisition, one.position_m, extent_m)]
    if not reflectors:
        return _moving([])
    size = [math.sqrt(one.cross_section_m2(acquisition.radar.wavelength_m)) for one in reflectors]
    places = np.array([one.position_m for one in reflectors], np.float64)
    return Movers(places, np.zeros_like(places), np.array(size, np.complex64))


def observed(acquisition: Acquisition, place_m: tuple[float, ...], extent_m: tuple[float, float]) -> bool:
    """Whether a place, east and north of the scene's centre, is within what was simulated."""
    if acquisition.beam is None:
        return max(abs(place_m[0]), abs(place_m[1])) <= 0.5 * extent_m[0]
    return bool(Ground.facing(acquisition.middle_m).within(np.array([place_m[:2]]), extent_m)[0])


def _power(cloud: Cloud) -> float:
    return float(np.vdot(cloud.amplitudes, cloud.amplitudes).real)


def _add_noise(samples: npt.NDArray[np.complex64], power: float, rng: np.random.Generator) -> None:
    parts = samples.view(np.float32)
    size = np.float32(math.sqrt(0.5 * power))
    for start in range(0, len(parts), 256):
        some = parts[start : start + 256]
        some += size * rng.standard_normal(some.shape, np.float32)


def collection_of(simulation: Simulation, *, name: str | None = None) -> Collection:
    """Simulated echoes as a collection, for the formats; what is assumed or made up stands in its notes.

    Parameters
    ----------
    simulation
        Echoes.
    name
        Identifier of the collection; None: the scene's name.
    """
    scene = simulation.scene
    notes = [("Simulated", "yes: no radar observed this scene")]
    notes += [(f"Assumed {what}", "the operator does not publish it") for what in simulation.acquisition.radar.assumed]
    beam = simulation.acquisition.beam
    return Collection(
        history=simulation.history,
        scene=simulation.acquisition.scene,
        start=scene.start,
        name=name or scene.name,
        sensor=simulation.acquisition.radar.name,
        mode=Mode.SPOTLIGHT if beam is None else Mode.STRIPMAP,
        reference_points_m=None if beam is None else beam.points_m,
        extent_m=simulation.extent_m,
        dwell_s=None if beam is None else beam.dwell_s,
        radiometry=Radiometry(rcs_m2=1.0, noise_power=simulation.noise_power),
        notes=tuple(notes),
    )


def placed(acquisition: Acquisition, position_m: Floats) -> Floats:
    """Where in the scene's frame something stands, of which east, north and height above the water are known, shape (3,)."""
    if acquisition.beam is None:  # small enough for the Earth to be flat
        return position_m
    return np.asarray(position_m - [0.0, 0.0, float(drop_m(acquisition.scene, position_m[0], position_m[1]))])


def seen_at(acquisition: Acquisition, position_m: Floats, velocity_m_s: Floats) -> Floats:
    """Where an image that takes everything to be at rest at a height of zero shows a scatterer, shape (3,), scene metres.

    Parameters
    ----------
    acquisition
        Pulses.
    position_m, velocity_m_s
        Scatterer in the middle of the collection, shape (3,) each, as `placed` gives it.

    Notes
    -----
    Range and its rate in the middle of the aperture, met with the surface of height zero: height lays over towards the radar, and
    motion along the line of sight moves along the track (Raney 1971). Of a strip, the aperture is the scatterer's own.
    """
    middle, beam = len(acquisition.times_s) // 2, acquisition.beam
    if beam is not None:
        found_hz = doppler_hz(position_m, acquisition.positions_m, beam.velocities_m_s, acquisition.radar.centre_frequency_hz)
        own = int(np.abs(found_hz).argmin())
        position_m = position_m + velocity_m_s * (acquisition.times_s[own] - 0.5 * acquisition.times_s[-1])
        middle = min(max(own, 1), len(acquisition.times_s) - 2)
    around = slice(max(0, middle - 1), middle + 2)
    span = float(acquisition.times_s[around][-1] - acquisition.times_s[around][0])
    antenna = acquisition.positions_m[middle]
    rate = (acquisition.positions_m[around][-1] - acquisition.positions_m[around][0]) / span
    target = position_m - antenna
    wanted = np.array([np.linalg.norm(target), target @ (velocity_m_s - rate) / np.linalg.norm(target)])
    found = placed(acquisition, np.array([position_m[0], position_m[1], 0.0]))
    for _ in range(6):
        line = found - antenna
        length = float(np.linalg.norm(line))
        unit = line / length
        here = np.array([length, -unit @ rate])
        slope = np.stack([unit, -(rate - (unit @ rate) * unit) / length])[:, :2]
        found[:2] += np.linalg.solve(slope, wanted - here)
        found = placed(acquisition, np.array([found[0], found[1], 0.0]))
    return found
