"""``kizuna plan provider``: a simulated provider as a process, for tests and demonstrations."""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING

import click

from kizuna.cli.plan_options import AskedSatellites, elements_option, satellite_options
from kizuna.cli.plan_orbits import catalogue_of, fly, names_in
from kizuna.cli.terminal import _, as_json, examples, read_file, say
from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant, parse_instant
from kizuna.model.parties import parse_party
from kizuna.wiring import system_now

if TYPE_CHECKING:
    from kizuna.adapters.provider_simulator import SimulatedProvider, TakeImage
    from kizuna.planning.windows import AccessWindows

__all__ = ["provider"]

_TICK_S = 0.2
_FASTEST = 100_000.0


@click.command(
    help=_(
        "Simulate a provider: serve its tasking interface (STAPI) on this machine, take orders, fly its satellites by their "
        "elements, and deliver into a folder that its node watches."
    ),
    epilog=examples(
        "kizuna plan provider FIN/ICEYE --fleet fleet.toml --elements satellites.3le --port 8090 --deliver inbox --speed 600",
    ),
)
@click.argument("party")
@click.option(
    "--fleet", type=click.Path(path_type=Path), help=_("Only these providers and satellites, TOML, instead of the catalogue's.")
)
@elements_option
@satellite_options
@click.option("--port", default=8090, show_default=True, help=_("Port on this machine; 0 takes a free one."))
@click.option("--from", "begin", metavar="INSTANT", help=_("What its clock shows at the start, RFC 3339; now if left out."))
@click.option("--speed", default=1.0, show_default=True, help=_("How many times as fast as the world its clock runs."))
@click.option("--hold", is_flag=True, help=_("Let its clock stand still until it has taken an order."))
@click.option("--deliver", type=click.Path(path_type=Path, file_okay=False), help=_("Folder to deliver into."))
@click.option(
    "--scene",
    type=click.Path(path_type=Path),
    help=_("Recipe of a scene of which it delivers simulated SICDs, instead of noise."),
)
@click.option("--policy", default="NATO", show_default=True, help=_("Policy of the label of what it delivers."))
@click.option("--classification", default="UNCLASSIFIED", show_default=True, help=_("Classification there."))
@as_json
def provider(
    party: str,
    fleet: Path | None,
    elements: tuple[Path, ...],
    satellites: AskedSatellites,
    port: int,
    begin: str | None,
    speed: float,
    hold: bool,
    deliver: Path | None,
    scene: Path | None,
    policy: str,
    classification: str,
    json_: bool,
) -> None:
    """Serve until stopped."""
    import uvicorn

    from kizuna.adapters.provider_simulator import FasterClock, SimulatedProvider
    from kizuna.earth.wgs84 import Geodetic
    from kizuna.planning.geometry import Places
    from kizuna.planning.satellites import Limits
    from kizuna.web.serve import Listener, bind
    from kizuna.web.stapi import Customer, stapi_app

    if not 0.0 < speed <= _FASTEST:
        raise InputError(Message("got speed {got}, expected up to {most}", {"got": speed, "most": _FASTEST}), field="speed")
    who, catalogue = parse_party(party, field="party"), catalogue_of(satellites, fleet)
    able = [one for name in names_in(elements) if (one := catalogue.satellite(name)) is not None]
    own = [one for one in able if one.provider == who]
    if not own:
        raise InputError(
            Message("{party}: the fleet and the elements name no satellite of it", {"party": who}),
            hint=Message("correct the party or the fleet"),
            field="party",
        )
    names = {one.name for one in own}

    def access(lon: float, lat: float, since: Instant, until: Instant) -> AccessWindows:
        span = (Limits(orderable=True), since, (until - since).total_seconds())
        flown = fly(elements, satellites, *span, catalogue=catalogue, where=names.__contains__)
        return flown.windows(Places.of(["place"], [Geodetic.from_degrees(latitude_deg=lat, longitude_deg=lon)]))

    first = system_now() if begin is None else parse_instant(begin, field="from")
    clock = FasterClock(first, time.monotonic, speed, held=hold)
    if deliver is not None:
        deliver.mkdir(parents=True, exist_ok=True)
    image = None if scene is None else _images_of(scene)
    made = SimulatedProvider(who, own, access, clock, deliver, policy=policy, classification=classification, image=image)
    app = stapi_app(lambda _request: Customer("", made), f"{who} (simulated)", clock)
    stop = Event()
    with bind(Listener(app, "127.0.0.1", port)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if json_:
            click.echo(json.dumps({"party": who, "url": address, "satellites": len(own)}))
        else:
            say(Message("{party}, simulated, takes orders at {url}.", {"party": who, "url": address}))
        flying = Thread(target=lambda: _fly(made, stop), daemon=True)
        flying.start()
        try:
            uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, server_header=False)).run(sockets=[listening])
        finally:
            stop.set()
            flying.join()


def _images_of(scene: Path) -> TakeImage:
    from kizuna.adapters.provider_simulator import sar_images
    from kizuna.formats.scene_recipe import read_scene

    return sar_images(read_scene(read_file(scene), name=str(scene)))


def _fly(made: SimulatedProvider, stop: Event) -> None:
    while not stop.wait(_TICK_S):
        made.fly()
