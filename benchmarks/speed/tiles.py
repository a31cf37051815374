"""Map tiles beside titiler, over HTTP, one worker each, on the same scene: 16-bit amplitudes in UTM, a metre a pixel.

kizuna publishes the scene and makes its map image, and then draws tiles for a partner, deciding on each; titiler reads the scene
as a cloud-optimised GeoTIFF. Both get the same tiles, one after the other over one connection: places at random, zooms 17, 15 and
13 by turns, none twice. Figures are CPU milliseconds of the server's process, with those of the kernel for it, which other work
on the machine changes little.

First tile after a jump: the most that one of these tiles took, of a server that had drawn others before. `tile_correlation` is
that of both servers' pictures of amplitude, a way to see that they draw the same.

titiler runs in `.venv-bench-tiles`, made when it is missing (needs the package index once); without it its figures are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import io
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from PIL import Image
from rasterio.warp import transform

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from simulators.nodes import HUR, IQPS, MARKINGS, START, agreement  # noqa: E402 - the tests' folder comes first

from kizuna.adapters.blobs import FileBlobs  # noqa: E402
from kizuna.adapters.memory import FixedClock, MemoryKeys  # noqa: E402
from kizuna.adapters.sqlite import SqliteStore  # noqa: E402
from kizuna.catalog.column_index import ColumnIndex  # noqa: E402
from kizuna.formats.agreement import NO_CIVIL_DATES  # noqa: E402
from kizuna.model.label import Label  # noqa: E402
from kizuna.model.product import parse_product_id  # noqa: E402
from kizuna.node.catalogue import Catalogue, detected_remains  # noqa: E402
from kizuna.node.founding import found_node, record_agreement  # noqa: E402
from kizuna.node.journal import Journal  # noqa: E402
from kizuna.node.publish import publish  # noqa: E402
from kizuna.node.state import Node  # noqa: E402
from kizuna.node.tiles import Drawn, Tiles  # noqa: E402
from kizuna.web.tiles import TileFace  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from kizuna.model.parties import Party

PEERS = ROOT / ".venv-bench-tiles"
NEEDED = ("titiler.core==2.4.0", "uvicorn==0.54.0")
ZOOMS = (17, 15, 13)
ORIGIN = (650_000.0, 1_100_000.0)
"""Easting and northing of the scene's upper left corner, UTM 43 north."""

type Tile = tuple[int, int, int]


def report(metric: str, value: float, unit: str, goal: float | None, *, met: bool | None = None, **peer: object) -> None:
    """Print one figure."""
    line: dict[str, object] = {
        "benchmark": "tiles",
        "metric": metric,
        "value": value,
        "unit": unit,
        "peer": None,
        "peer_value": None,
        "ratio": None,
    }
    print(json.dumps(line | peer | {"goal": goal, "met": met}), flush=True)


# The scene


def make_scene(path: Path, side: int) -> None:
    """Write the scene: fields of several brightnesses under speckle of one look, as a cloud-optimised GeoTIFF."""
    random = np.random.default_rng(7)
    coarse = random.lognormal(6.0, 0.7, (side // 100 + 1, side // 100 + 1)).astype(np.float32)
    rows = np.arange(side) // 100
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain = Path(folder) / "plain.tif"
        form = {"crs": "EPSG:32643", "transform": Affine(1.0, 0.0, ORIGIN[0], 0.0, -1.0, ORIGIN[1]), "nodata": 0, "tiled": True}
        with rasterio.open(plain, "w", driver="GTiff", height=side, width=side, count=1, dtype="uint16", **form) as file:
            for top in range(0, side, 500):
                some = rows[top : top + 500]
                speckle = random.rayleigh(0.8, (len(some), side)).astype(np.float32)
                band = coarse[some][:, rows] * speckle
                file.write(np.clip(band, 1, 65535).astype(np.uint16), 1, window=((top, top + len(some)), (0, side)))
        rasterio.shutil.copy(plain, path, driver="COG", COMPRESS="DEFLATE", PREDICTOR="YES", OVERVIEW_RESAMPLING="AVERAGE")


def tiles_within(side: int, count: int) -> list[Tile]:
    """So many tiles with some of the scene's inside, none twice, their zooms by turns."""
    random, half = Random(3), 20037508.342789244
    places = [
        (ORIGIN[0] + random.uniform(0.1, 0.9) * side, ORIGIN[1] - random.uniform(0.1, 0.9) * side) for _ in range(20 * count)
    ]
    eastings, northings = transform("EPSG:32643", "EPSG:3857", *map(list, zip(*places, strict=True)))[:2]
    found: dict[Tile, None] = {}
    for number, (easting, northing) in enumerate(zip(eastings, northings, strict=True)):
        zoom = ZOOMS[number % len(ZOOMS)]
        size = 2 * half / 2**zoom
        found[zoom, int((easting + half) / size), int((half - northing) / size)] = None
    wanted = list(found)
    random.shuffle(wanted)
    by_zoom = {zoom: [tile for tile in wanted if tile[0] == zoom] for zoom in ZOOMS}
    return [by_zoom[zoom].pop() for number in range(count) if by_zoom[zoom := ZOOMS[number % len(ZOOMS)]]]


# kizuna


def node_over(store: SqliteStore, folder: Path) -> Node:
    """Node whose folder is this benchmark's."""
    keys = MemoryKeys(IQPS, START, IQPS.encode())
    return Node(Journal(IQPS, store, keys, FixedClock(START)), FileBlobs(folder / "blobs"), lambda: "here", "benchmark")


def tiles_over(node: Node) -> Tiles:
    """Tiles of a node."""
    return Tiles(node, Catalogue(node, ColumnIndex(node.store.items, IQPS, detected_remains)), in_background=False)


def take_in(folder: Path, scene: Path) -> str:
    """Make a node, publish the scene at it, make its map image; give the product's id."""
    with closing(SqliteStore(folder / "node.sqlite")) as store, scene.open("rb") as file:
        node = node_over(store, folder)
        found_node(node, MARKINGS, ())
        record_agreement(node, agreement(), NO_CIVIL_DATES, ["SHARE"])
        begin = time.process_time()
        product = publish(node, file, scene.name, Label("JPN", "UNCLASSIFIED", IQPS, START)).product
        published = time.process_time()
        tiles_over(node).sheet(product.id, None, Drawn())
        made = time.process_time()
        report("publish_cpu_s", round(published - begin, 1), "s of CPU to take the scene in, with its map image of 8 bits", None)
        report("map_image_cpu_s", round(made - published, 1), "s of CPU to make the map image, once, when it is asked for", None)
        return product.id


def serve(folder: Path) -> None:
    """Serve the node in a folder to a partner, until standard input ends; print the port."""
    import uvicorn
    import uvloop
    from starlette.applications import Starlette

    from kizuna.adapters.tls import TlsHttpProtocol

    with closing(SqliteStore(folder / "node.sqlite")) as store:
        face = TileFace(tiles_over(node_over(store, folder)), "/stac", "benchmark")

        def guard(endpoint: Callable[[Request, Party | None], Response]) -> Callable[[Request], Response]:
            return lambda request: endpoint(request, HUR)

        config = uvicorn.Config(
            Starlette(routes=face.routes(guard)), port=0, http=TlsHttpProtocol, ws="none", loop="uvloop", log_level="error"
        )
        server = uvicorn.Server(config)

        async def main() -> None:
            running = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110 - uvicorn offers no event for this
                await asyncio.sleep(0.02)
            print(json.dumps({"port": server.servers[0].sockets[0].getsockname()[1]}), flush=True)

            def wait() -> None:
                sys.stdin.read()
                server.should_exit = True

            threading.Thread(target=wait, daemon=True).start()
            await running

        uvloop.run(main())


# Servers and what they take


@dataclass(frozen=True, slots=True)
class Served:
    """A server: what it told, its process, and the address of a tile."""

    told: dict[str, Any]
    process: int
    address: Callable[[Tile, str, bool], str]

    def cpu_ns(self) -> int:
        """Nanoseconds of CPU that its threads used."""
        tasks = Path(f"/proc/{self.process}/task").iterdir()
        return sum(int((task / "schedstat").read_text("ascii").split()[0]) for task in tasks)


@contextmanager
def served(command: Sequence[str], address: Callable[[Tile, str, bool], str]) -> Iterator[Served]:
    """Server that a command starts, which prints its port and ends with its input."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command], **pipes) as process:  # type: ignore[call-overload]
        try:
            told = json.loads(process.stdout.readline() or "null")
            if told is None:
                sys.exit(f"{command[0]} did not start")
            yield Served(told, process.pid, address)
        finally:
            process.stdin.close()
            process.wait(60)


class Client:
    """Asks a server over one connection."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.told["port"])

    def ask(self, tile: Tile, form: str, *, linear: bool = False) -> bytes:
        """Picture of a tile."""
        path = self.server.address(tile, form, linear)
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            sys.exit(f"{path}: {answer.status} {body[:300]!r}")
        return body

    def cpu_ms(self, tile: Tile, form: str) -> float:
        """Milliseconds of CPU that a tile takes."""
        before = self.server.cpu_ns()
        self.ask(tile, form)
        return (self.server.cpu_ns() - before) / 1e6


def measure(server: Served, tiles: Sequence[Tile], form: str) -> dict[int, list[float]]:
    """Milliseconds of CPU of each tile, by zoom. A few others are asked for first."""
    client = Client(server)
    for tile in tiles[:5]:
        client.ask(tile, form)
    took: dict[int, list[float]] = {}
    for tile in tiles[5:]:
        took.setdefault(tile[0], []).append(client.cpu_ms(tile, form))
    return took


def correlation(one: Served, other: Served, tiles: Sequence[Tile]) -> float:
    """Least correlation of both servers' pictures of amplitude."""
    clients = Client(one), Client(other)
    values = []
    for tile in tiles:
        bands = [np.asarray(Image.open(io.BytesIO(client.ask(tile, "png", linear=True))).convert("RGBA")) for client in clients]
        known = (bands[0][..., 3] > 0) & (bands[1][..., 3] > 0)
        values.append(float(np.corrcoef(*(band[..., 0][known].astype(float) for band in bands))[0, 1]))
    return min(values)


def peers() -> Path | None:
    """Python of the environment with titiler; None where it cannot be made."""
    python, stamp, wanted = PEERS / "bin" / "python", PEERS / "requirements.txt", "\n".join(NEEDED)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"tiles: making {PEERS.name}", file=sys.stderr)
        venv.create(PEERS, clear=True, with_pip=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-input", *NEEDED], check=False)
        if done.returncode:
            print("tiles: titiler cannot be installed; its figures are left out", file=sys.stderr)
            return None
        stamp.write_text(wanted, "utf-8")
    return python


def by_zoom(took: dict[int, list[float]]) -> str:
    """Means by zoom, in words."""
    return ", ".join(f"z{zoom} {statistics.fmean(values):.1f}" for zoom, values in sorted(took.items(), reverse=True))


def compare(ours: Served, theirs: Served | None, tiles: Sequence[Tile]) -> None:
    """Print what both take."""
    for form in ("webp", "png"):
        mine = measure(ours, tiles, form)
        other = None if theirs is None else measure(theirs, tiles, form)

        def told(took: dict[int, list[float]] | None) -> tuple[float, float]:
            each = [value for values in (took or {}).values() for value in values]
            return (statistics.fmean(each), max(each)) if each else (0.0, 0.0)

        (mean, most), (other_mean, other_most) = told(mine), told(other)
        name = "tile_cpu_ms" if form == "webp" else f"tile_{form}_cpu_ms"

        def beside(value: float, peer: float) -> dict[str, object]:
            if theirs is None:
                return {}
            return {"peer": f"{theirs.told['version']}, {form}", "peer_value": round(peer, 2), "ratio": round(peer / value, 1)}  # noqa: B023 - called at once

        zooms = ", ".join(f"z{zoom} {statistics.fmean(values):.1f}" for zoom, values in sorted(mine.items(), reverse=True))
        if other:
            zooms += "; peer " + ", ".join(
                f"z{zoom} {statistics.fmean(v):.1f}" for zoom, v in sorted(other.items(), reverse=True)
            )
        met = None if theirs is None else other_mean / mean >= 4.0
        unit = f"ms of the server's CPU a tile of 256 pixels ({zooms}); goal: times less than the peer"
        report(name, round(mean, 2), unit, 4.0, met=met, **beside(mean, other_mean))
        if form == "webp":
            unit = f"ms of the server's CPU, the most of {len(tiles) - 5} jumps"
            report("first_tile_cpu_ms", round(most, 1), unit, 50.0, met=most <= 50.0, **beside(most, other_most))
    if theirs is not None:
        value = correlation(ours, theirs, tiles[:9])
        report(
            "tile_correlation", round(value, 3), "least of 9 tiles' amplitudes with the peer's", None, peer=theirs.told["version"]
        )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=10_000, help="rows and columns of the scene")
    parser.add_argument("--tiles", type=int, default=155, help="tiles of each server and format, five of them to warm up")
    parser.add_argument("--serve", metavar="FOLDER", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    python = peers()
    tiles = tiles_within(options.side, options.tiles)
    with tempfile.TemporaryDirectory(prefix="kizuna-bench-") as name:
        folder = Path(name)
        scene = folder / "scene.tif"
        make_scene(scene, options.side)
        product = take_in(folder, scene)
        with closing(SqliteStore(folder / "node.sqlite")) as store:
            sheet = tiles_over(node_over(store, folder)).sheet(parse_product_id(product), None, Drawn())
        if sheet is None:
            sys.exit("the scene cannot be drawn")
        scaling = sheet.images[0].scaling
        low, high = (10.0 ** (edge / 20.0) for edge in (scaling.low_db, scaling.high_db))

        def own(tile: Tile, form: str, linear: bool) -> str:  # noqa: FBT001 - one of two kinds of picture
            z, x, y = tile
            return f"/stac/collections/imagery/items/{product}/tiles/{z}/{x}/{y}.{form}" + ("?style=amplitude" if linear else "")

        def peers_own(tile: Tile, form: str, linear: bool) -> str:  # noqa: FBT001
            z, x, y = tile
            # Its own way, which is the nearest pixel, costs it less than what compares with ours.
            smoothly = "&resampling=bilinear&reproject=bilinear" if linear else ""
            return f"/tiles/WebMercatorQuad/{z}/{x}/{y}.{form}?url={quote(str(scene))}&rescale={low},{high}{smoothly}"

        with served([sys.executable, __file__, "--serve", str(folder)], own) as ours:
            if python is None:
                compare(ours, None, tiles)
                return
            with served([str(python), str(ROOT / "benchmarks" / "peers" / "titiler_server.py")], peers_own) as theirs:
                compare(ours, theirs, tiles)


if __name__ == "__main__":
    main()
