"""A provider of images that does not exist: takes orders, flies its satellites by their elements, and delivers.

What it delivers are images of noise, or of a simulated scene, marked SIMULATED, each with its label beside it, in a folder that
a node watches (``kizuna ingest --watch``): so they take the way of all products through agreements and exchange. Its clock may
run faster than the world's. Orders live in memory only.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import replace
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from kizuna.formats.label_toml import write_label_toml
from kizuna.model.digests import content_uri, digest_of
from kizuna.model.instants import Instant, format_instant
from kizuna.model.label import Label
from kizuna.planning.offers import Order, Status, advanced, fits, offers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from kizuna.model.canonical import Json
    from kizuna.model.parties import Party
    from kizuna.planning.offers import Offer, Wish
    from kizuna.planning.tasking import Mode, Satellite
    from kizuna.planning.windows import AccessWindows
    from kizuna.sar.scene import Scene

__all__ = ["FasterClock", "SimulatedProvider", "TakeImage", "sar_images"]

_PIXELS = 256
_SCENE_M = 256.0
_METRES_A_DEGREE = 111_320.0
_LONGEST = timedelta(days=31)
_PASS = timedelta(minutes=20)
"""A satellite of low orbit sees no place for longer."""

type TakeImage = Callable[[Order, Offer, Label], bytes]
"""Bytes of the image of an order, taken on a pass, under a label."""


class FasterClock:
    """Clock that shows `begin` at first, and runs `speed` times as fast as `elapsed_s` from its start on.

    Parameters
    ----------
    begin
        What it shows at first.
    elapsed_s
        Seconds of the world.
    speed
        How many times as fast as these.
    held
        Whether it stands still until `start`.
    """

    def __init__(self, begin: Instant, elapsed_s: Callable[[], float], speed: float, *, held: bool = False) -> None:
        self._begin, self._elapsed_s, self._speed = begin, elapsed_s, speed
        self._started = None if held else elapsed_s()

    def start(self) -> None:
        """Let it run, if it stands."""
        if self._started is None:
            self._started = self._elapsed_s()

    def __call__(self) -> Instant:
        """Present instant."""
        passed_s = 0.0 if self._started is None else self._elapsed_s() - self._started
        return Instant(self._begin + timedelta(seconds=passed_s * self._speed))


class SimulatedProvider:
    """Desk of a simulated provider (`kizuna.web.stapi.TaskingDesk`).

    Parameters
    ----------
    party
        Who it is: originator of what it delivers.
    satellites
        Its satellites.
    access
        Windows of them over a place, longitude and latitude in degrees, from an instant until another.
    now
        Its clock, which the first pass that is booked starts.
    folder
        Where it delivers to; None: nowhere.
    policy, classification
        Marking of what it delivers.
    image
        Makes what it delivers; None: noise as a GeoTIFF.
    """

    def __init__(
        self,
        party: Party,
        satellites: Sequence[Satellite],
        access: Callable[[float, float, Instant, Instant], AccessWindows],
        now: FasterClock,
        folder: Path | None,
        *,
        policy: str,
        classification: str,
        image: TakeImage | None = None,
    ) -> None:
        self._image = image
        self._flying = Lock()
        self._party, self._satellites, self._access, self._now, self._folder = party, satellites, access, now, folder
        self._marking = policy, classification
        self._lock = Lock()
        self._orders: dict[str, Order] = {}

    def modes(self) -> list[tuple[Mode, str]]:
        """Modes of its satellites."""
        found = {mode: limits for satellite in self._satellites for mode, limits in satellite.modes.items()}
        return [
            (mode, f"{self._party} {mode.value}, scene {limits.scene_m / 1e3:g} km, simulated") for mode, limits in found.items()
        ]

    def offers(self, mode: Mode, wish: Wish) -> list[Offer]:
        """Passes that are still to come and fit."""
        begin = max(wish.begin, self._now())
        end = min(wish.end, Instant(begin + _LONGEST))
        if end <= begin:
            return []
        # Whole passes, though only a part of one be asked for: they are told apart by their closest approach.
        windows = self._access(wish.longitude_deg, wish.latitude_deg, Instant(begin - _PASS), Instant(end + _PASS))
        return offers_of(windows, self._satellites, mode, replace(wish, begin=begin, end=end))

    def still(self, offers: Sequence[Offer]) -> list[Offer]:
        """Those that are still to come."""
        now = self._now()
        return [one for one in offers if one.begin >= now]

    def order(self, mode: Mode, wish: Wish, geometry: Json, token: str | None = None) -> Order:
        """Book the first pass that fits and is free; an order with a token that is known is the one that bore it first."""
        found = self.offers(mode, wish)
        satellites = {satellite.name: satellite for satellite in self._satellites}
        with self._lock:
            now, booked = self._now(), [*self._orders.values()]
            known = next((one for one in booked if token is not None and one.token == token), None)
            if known is not None:
                return known
            statuses = (Status(now, "received"),)
            # No id tells how many orders there are.
            made = Order(f"order-{secrets.token_hex(6)}", mode, wish, geometry, now, statuses, token=token)
            offer = next((one for one in found if fits(one, booked, satellites[one.satellite])), None)
            if offer is None:
                # Whether another customer was first is nobody's business.
                made = replace(made, statuses=(*made.statuses, Status(now, "rejected", "no pass fits, or none is free")))
            else:
                text = f"{offer.satellite} {format_instant(offer.begin)}"
                taken = (*made.statuses, Status(now, "accepted"), Status(now, "scheduled", text))
                made = replace(made, statuses=taken, offer=offer)
                self._now.start()
            self._orders[made.id] = made
        return made

    def orders(self) -> list[Order]:
        """All orders, as they stand now; what became ready is delivered first, unless that is under way."""
        self.fly()
        with self._lock:
            return [*self._orders.values()]

    def fly(self) -> int:
        """Bring all orders to the present instant and deliver what is ready; how many were delivered."""
        # To make an image may take a while, in which orders are taken and asked for.
        if not self._flying.acquire(blocking=False):
            return 0
        try:
            with self._lock:
                now = self._now()
                before = [*self._orders.values()]
            delivered = 0
            for order in before:
                after = advanced(order, now)
                if after.status.code == "completed" and order.status.code != "completed":
                    after = replace(after, delivery=self._deliver(after))
                    delivered += 1
                with self._lock:
                    self._orders[after.id] = after
            return delivered
        finally:
            self._flying.release()

    def _deliver(self, order: Order) -> str | None:
        """Write the image of an order, and its label beside it; give the URI of its bytes."""
        if self._folder is None or order.offer is None:
            return None
        name = f"{order.id}-{order.offer.satellite.replace(' ', '-')}"
        label = Label(*self._marking, self._party, order.status.at, caveats=("SIMULATED",))
        data = self._noise(order, order.offer) if self._image is None else self._image(order, order.offer, label)
        path = self._folder / f"{name}{'.tif' if self._image is None else '.nitf'}"
        path.with_name(path.name + ".label.toml").write_bytes(write_label_toml(label))
        part = path.with_name(path.name + ".part")
        part.write_bytes(data)
        part.rename(path)
        path.with_name(path.name + ".ready").touch()
        # By its content (RFC 6920): whoever takes the file in knows by this which order it is of.
        return content_uri(digest_of(data))

    def _noise(self, order: Order, offer: Offer) -> bytes:
        """GeoTIFF of noise where and when it was ordered."""
        from rasterio.io import MemoryFile
        from rasterio.transform import from_bounds

        scene_m = next(one.modes[order.mode].scene_m for one in self._satellites if one.name == offer.satellite)
        lon, lat = order.wish.longitude_deg, order.wish.latitude_deg
        high = scene_m / 2 / _METRES_A_DEGREE
        wide = high / max(math.cos(math.radians(lat)), 0.01)
        image = np.random.default_rng([*order.id.encode()]).exponential(40.0, (_PIXELS, _PIXELS)).clip(0, 255).astype(np.uint8)
        profile = {"driver": "GTiff", "width": _PIXELS, "height": _PIXELS, "count": 1, "dtype": "uint8", "crs": "EPSG:4326"}
        transform = from_bounds(lon - wide, lat - high, lon + wide, lat + high, _PIXELS, _PIXELS)
        with MemoryFile() as memory:
            with memory.open(transform=transform, **profile) as file:
                file.write(image, 1)
                file.update_tags(
                    TIFFTAG_DATETIME=f"{offer.begin:%Y:%m:%d %H:%M:%S}",
                    TIFFTAG_IMAGEDESCRIPTION=f"SIMULATED {order.mode.value} of {offer.satellite}",
                )
            written: bytes = memory.read()
        return written


def sar_images(scene: Scene) -> TakeImage:
    """Makes simulated radar images (SICD) of a recipe's scene, as if it lay where the image was ordered; some seconds each.

    Parameters
    ----------
    scene
        Of a recipe (`kizuna.formats.scene_recipe.read_scene`); at most 256 m of it are simulated.
    """

    def taken(order: Order, offer: Offer, label: Label) -> bytes:
        from kizuna.formats.marking import marking_of
        from kizuna.formats.simulated_product import moved, simulate_product

        place = order.wish.latitude_deg, order.wish.longitude_deg
        seed = int.from_bytes(order.id.encode()) % 2**32
        there = moved(scene, place=place, start=offer.begin, extent_m=min(scene.extent_m, _SCENE_M), seed=seed)
        return simulate_product(there).sicd(produced=order.status.at, marking=marking_of(label))

    return taken
