"""What was really in a simulated scene, as GeoJSON (RFC 7946): ships and corner reflectors, and where an image shows them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from kizuna.model.instants import format_instant, instant_of
from kizuna.sar.simulate import observed, placed, seen_at

if TYPE_CHECKING:
    import numpy.typing as npt

    from kizuna.model.canonical import Json
    from kizuna.sar.simulate import Simulation

__all__ = ["truth_of"]


def truth_of(simulation: Simulation) -> dict[str, Json]:
    """Truth of a simulation.

    Parameters
    ----------
    simulation
        Echoes and their scene.

    Returns
    -------
    dict
        A FeatureCollection: a feature for each ship and reflector within what was simulated, at its place in the
        middle of the aperture. `seen_at` is where an image that is focused at the height of the water, and takes everything to
        be at rest, shows it: longitude and latitude.
    """
    scene, acquisition = simulation.scene, simulation.acquisition

    def lonlat(position_m: npt.NDArray[np.float64]) -> list[Json]:
        latitude, longitude, _ = acquisition.scene.to_geodetic(position_m)
        return [round(math.degrees(float(longitude)), 9), round(math.degrees(float(latitude)), 9)]

    def feature(
        position_m: npt.NDArray[np.float64], velocity_m_s: npt.NDArray[np.float64], properties: dict[str, Json]
    ) -> dict[str, Json]:
        height_m = round(float(position_m[2]) + scene.place.height_m, 3)
        position_m = placed(acquisition, position_m)
        place = [*lonlat(position_m), height_m]
        properties["seen_at"] = lonlat(seen_at(acquisition, position_m, velocity_m_s))
        return {"type": "Feature", "geometry": {"type": "Point", "coordinates": place}, "properties": properties}

    features: list[Json] = []
    for ship in scene.ships:
        if not observed(acquisition, ship.centre_m, simulation.extent_m):
            continue
        about: dict[str, Json] = {
            "what": "ship",
            "name": ship.name,
            "kind": ship.kind.value,
            "heading_deg": round(math.degrees(ship.heading_rad), 3),
            "speed_m_s": ship.speed_m_s,
            "length_m": ship.length_m,
            "width_m": ship.width_m,
        }
        features.append(feature(np.array([*ship.centre_m, 0.0]), np.array(ship.velocity_m_s), about))
    for reflector in scene.reflectors:
        if not observed(acquisition, reflector.position_m, simulation.extent_m):
            continue
        level = 10.0 * math.log10(reflector.cross_section_m2(acquisition.radar.wavelength_m))
        about = {"what": "trihedral", "name": reflector.name, "leg_m": reflector.leg_m, "rcs_dbsm": round(level, 3)}
        features.append(feature(np.array(reflector.position_m), np.zeros(3), about))
    seconds = float(acquisition.times_s[-1])
    return {
        "type": "FeatureCollection",
        "features": features,
        "scene": scene.name,
        "start": format_instant(scene.start),
        "end": format_instant(instant_of(scene.start + timedelta(seconds=seconds))),
        "incidence_deg": round(math.degrees(acquisition.incidence_rad), 4),
        "noise_equivalent_sigma0_db": acquisition.radar.noise_equivalent_sigma0_db,
        "assumed": list(acquisition.radar.assumed),
        "simulated": True,
    }
