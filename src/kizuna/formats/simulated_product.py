"""Products of a simulated collection: echoes, image and truth of one scene, as a provider would deliver them.

The quick way for whoever needs a product and no satellite:

    scene = read_scene(recipe, name="port.toml")
    product = simulate_product(moved(scene, place=somewhere, start=sometime, extent_m=256.0, seed=7))
    product.cog(), product.sicd(produced=sometime), product.cphd(produced=sometime), product.truth()
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from kizuna.earth.wgs84 import Geodetic
from kizuna.errors import InputError, Message
from kizuna.formats.scene_recipe import LARGEST_EXTENT_M, LEAST_EXTENT_M, LONGEST_STRIP_M
from kizuna.formats.scene_truth import truth_of
from kizuna.sar.form import Method
from kizuna.sar.image import form_image
from kizuna.sar.simulate import acquisition_of, collection_of, simulate

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.formats.geotiff import Placed
    from kizuna.formats.marking import Marking
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.sar.image import FormedImage
    from kizuna.sar.scene import Scene
    from kizuna.sar.simulate import Simulation

__all__ = ["FASTEST", "SIGMA0_TAG", "SimulatedProduct", "form_simulated", "moved", "place_image", "simulate_product"]

SIGMA0_TAG = "KIZUNA_SIGMA0"
"""GeoTIFF tag of an image whose squared amplitude is sigma0 on level ground."""

FASTEST = Method.POLAR_FORMAT
"""How an image is formed soonest."""

_PIXELS_A_RESOLUTION = 2.0  # detection doubles the bandwidth
_NET = 9


@dataclass(frozen=True, slots=True)
class SimulatedProduct:
    """A product of a simulated collection.

    Parameters
    ----------
    simulation
        Echoes.
    image
        Complex image on the level of the water.
    method
        How the image was formed.
    """

    simulation: Simulation
    image: FormedImage
    method: Method

    def cog(self) -> bytes:
        """Cloud-optimised GeoTIFF of amplitude, north up in its UTM zone, whose square is sigma0 on level ground."""
        from kizuna.formats.geotiff import write_detected_cog

        return write_detected_cog(place_image(self.image, self.simulation))

    def sicd(self, *, produced: Instant, marking: Marking | None = None) -> bytes:
        """SICD file of the complex image.

        Parameters
        ----------
        produced
            Instant written as the file's date.
        marking
            What its label says; None: unclassified.
        """
        from kizuna.formats.sicd import SicdDescription, write_sicd

        collection = collection_of(self.simulation)
        description = SicdDescription(
            core_name=collection.name,
            collect_start=collection.start,
            produced=produced,
            collector=collection.sensor,
            marking=marking,
            mode=collection.mode,
            method=self.method.value,
            radiometry=collection.radiometry,
            notes=collection.notes,
        )
        file = io.BytesIO()
        write_sicd(file, self.image, description)
        return file.getvalue()

    def cphd(self, *, produced: Instant, marking: Marking | None = None) -> bytes:
        """CPHD file of the echoes; arguments as of `sicd`."""
        from kizuna.formats.cphd_write import write_cphd
        from kizuna.formats.marking import UNCLASSIFIED

        file = io.BytesIO()
        write_cphd(file, collection_of(self.simulation), produced=produced, marking=marking or UNCLASSIFIED)
        return file.getvalue()

    def truth(self) -> dict[str, Json]:
        """What was really there, as GeoJSON (`kizuna.formats.scene_truth`)."""
        return truth_of(self.simulation)


def moved(
    scene: Scene,
    *,
    place: tuple[float, float] | None = None,
    start: Instant | None = None,
    extent_m: float | None = None,
    length_m: float | None = None,
    seed: int | None = None,
    centre_m: tuple[float, float] | None = None,
) -> Scene:
    """Scene elsewhere, at another time, cut to another square or strip, or with other chances; what is None stays.

    Parameters
    ----------
    scene
        Of a recipe.
    place
        Latitude and longitude of its centre, degrees.
    start
        Instant of the first pulse.
    extent_m
        Side of the square about its centre, or the strip's swath, metres.
    length_m
        Of the strip, metres.
    seed
        Of all that is random.
    centre_m
        What of the scene comes to lie in the centre: metres east and north.

    Raises
    ------
    InputError
        A place that is none, or an extent that cannot be simulated.
    """
    if extent_m is not None and not LEAST_EXTENT_M <= extent_m <= LARGEST_EXTENT_M:
        raise InputError(
            Message(
                "extent {got} m; expected {least} to {most} m",
                {"got": extent_m, "least": LEAST_EXTENT_M, "most": LARGEST_EXTENT_M},
            ),
            hint=Message("Simulate several scenes to cover more."),
            field="extent",
        )
    strip = scene.strip
    if length_m is not None and (strip is None or not LEAST_EXTENT_M <= length_m <= LONGEST_STRIP_M):
        raise InputError(
            Message("a length is a strip's, {least} to {most} m", {"least": LEAST_EXTENT_M, "most": LONGEST_STRIP_M}),
            hint=Message("Simulate several strips to cover more; of a spotlight, give the extent."),
            field="length",
        )
    if strip is not None:
        strip = replace(strip, swath_m=extent_m or strip.swath_m, length_m=length_m or strip.length_m)
    if place is not None and not (abs(place[0]) <= 90.0 and abs(place[1]) <= 180.0):  # noqa: PLR2004 # degrees
        raise InputError(
            Message("{got} is no place", {"got": f"{place[0]},{place[1]}"}),
            hint=Message("Give latitude and longitude in degrees, such as 35.35,139.65."),
            field="at",
        )
    centre = scene.place
    if place is not None:
        centre = Geodetic.from_degrees(latitude_deg=place[0], longitude_deg=place[1], height_m=centre.height_m)
    return replace(
        scene if centre_m is None else scene.about(centre_m),
        place=centre,
        start=scene.start if start is None else start,
        extent_m=scene.extent_m if extent_m is None else extent_m,
        seed=scene.seed if seed is None else seed,
        strip=strip,
    )


def simulate_product(scene: Scene, *, method: Method = FASTEST) -> SimulatedProduct:
    """Simulate a scene and form its image; 256 m take about a second once compiled code is in its cache.

    Parameters
    ----------
    scene
        What is observed.
    method
        How the image is formed.

    Raises
    ------
    InputError
        No such orbit sees the scene.
    """
    simulation = simulate(scene, acquisition_of(scene))
    return SimulatedProduct(simulation, form_simulated(simulation, method=method), method)


def form_simulated(simulation: Simulation, *, method: Method, progress: Callable[[int, int], None] | None = None) -> FormedImage:
    """Complex image of all that was simulated, on the level of the water, twice as fine as it resolves.

    Raises
    ------
    InputError
        A strip was simulated: `kizuna.sar.strip` forms those.
    """
    if simulation.acquisition.beam is not None:
        raise InputError(
            Message("no image of a strip is made here"),
            hint=Message("Form one by kizuna sar form --method omega-k, and map it by kizuna sar geocode."),
            field="image",
        )
    return form_image(
        simulation.history,
        simulation.acquisition.scene,
        extent_m=max(simulation.extent_m),
        spacing_m=round(math.sqrt(simulation.acquisition.ground_cell_m2) / _PIXELS_A_RESOLUTION, 3),
        nominal=False,
        method=method,
        progress=progress,
    )


def place_image(image: FormedImage, simulation: Simulation) -> Placed:
    """Amplitude of an image, the square of which is sigma0 on level ground, and where its pixels lie."""
    from affine import Affine
    from rasterio.crs import CRS
    from rasterio.warp import transform

    from kizuna.formats.geotiff import Placed

    amplitude = np.abs(image.pixels)
    amplitude *= np.float32(1.0 / math.sqrt(simulation.acquisition.ground_cell_m2))
    rows, cols = (np.linspace(0.0, count - 1.0, _NET) for count in image.grid.shape)
    row, col = (part.ravel() for part in np.meshgrid(rows, cols, indexing="ij"))
    latitude, longitude, _ = image.scene.to_geodetic(image.grid.to_scene(row, col))
    longitudes, latitudes = np.degrees(longitude), np.degrees(latitude)
    zone = min(int((longitudes.mean() + 180.0) // 6.0) + 1, 60)
    crs = CRS.from_epsg((32600 if latitudes.mean() >= 0.0 else 32700) + zone)
    xs, ys = transform("EPSG:4326", crs, longitudes.tolist(), latitudes.tolist())[:2]
    # A few kilometres of plane are flat on the map to a centimetre; pixels are counted from their corners.
    design = np.column_stack([col + 0.5, row + 0.5, np.ones(len(row))])
    (a, b, c), (d, e, f) = np.linalg.lstsq(design, np.column_stack([xs, ys]))[0].T
    scene = simulation.scene
    tags = {
        "TIFFTAG_IMAGEDESCRIPTION": f"{scene.radar.name}, {scene.name}: simulated",
        SIGMA0_TAG: "squared amplitude",
    }
    return Placed(amplitude, crs, Affine(a, b, c, d, e, f), (), image.grid.row_spacing_m, tags)
