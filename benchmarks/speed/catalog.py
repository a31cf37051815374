"""The catalogue beside stac-fastapi-pgstac, over HTTP, one worker each, on the same made-up archive.

The archive is that of `tests/simulators/archive.py`. Both servers get the same searches from four connections, one server after
the other in one run; kizuna's are those of partners (USA, UKR, MDA), filtered by what each may have, pgstac's are unfiltered;
and pgstac behind stac-auth-proxy, filtered for UKR.
Requests per second are of the clock, `..._cpu_ms` are CPU milliseconds of the server (of pgstac with those of its database),
which other work on the machine changes less.

Deep paging: the time of page 10,000 (the last one where there are fewer) over that of page 1. The overhead of the filter is that
of the same searches in the index, of a partner against the node's own people. Answers are compared unfiltered: the same instants
in the same order, and the same ids but for items of one instant.

pgstac runs in `.venv-bench-catalog`, made when it is missing (needs the package index once), over the system's PostgreSQL with
PostGIS; without these its figures are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from simulators.archive import BEGIN, DAYS, HOLDER, PLACES, archive, archive_agreements  # noqa: E402 - the tests' folder comes first
from simulators.nodes import World  # noqa: E402

from kizuna.adapters.index_file import FileSnapshot  # noqa: E402
from kizuna.adapters.memory import FixedClock, MemoryBlobs, MemoryKeys  # noqa: E402
from kizuna.adapters.sqlite import SqliteStore  # noqa: E402
from kizuna.catalog.column_index import ColumnIndex  # noqa: E402
from kizuna.catalog.store import Item  # noqa: E402
from kizuna.formats.agreement import NO_CIVIL_DATES  # noqa: E402
from kizuna.formats.stac import stac_item  # noqa: E402
from kizuna.model.instants import Instant, format_instant, parse_instant  # noqa: E402
from kizuna.model.parties import parse_party  # noqa: E402
from kizuna.node.catalogue import Catalogue, detected_remains  # noqa: E402
from kizuna.node.founding import record_agreement  # noqa: E402
from kizuna.node.journal import Journal  # noqa: E402
from kizuna.node.state import Node  # noqa: E402
from kizuna.web.stac import StacFace  # noqa: E402
from kizuna.web.stac_query import post_query  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from kizuna.model.parties import Party
    from kizuna.model.product import Product

PEERS = ROOT / ".venv-bench-catalog"
NEEDED = ("stac-fastapi-pgstac==7.2.0", "pypgstac[psycopg]==0.10.0", "stac-auth-proxy==1.3.1", "uvicorn==0.54.0")
FRESH = 100
NOW = parse_instant("2026-12-01")
PARTNERS = ("USA", "UKR", "MDA")
READER = "UKR"
"""Of whom the proxy is asked, whose filter is the same for all."""
CONNECTIONS = 4
DEEP = 10_000
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def report(metric: str, value: float, unit: str, goal: float | None, *, met: bool | None = None, **peer: object) -> None:
    """Print one figure."""
    line: dict[str, object] = {
        "benchmark": "catalog",
        "metric": metric,
        "value": value,
        "unit": unit,
        "peer": None,
        "peer_value": None,
        "ratio": None,
    }
    print(json.dumps(line | peer | {"goal": goal, "met": met}), flush=True)


# kizuna


def node_over(store: SqliteStore) -> Node:
    """Node whose folder is this benchmark's."""
    keys = MemoryKeys(HOLDER, NOW, HOLDER.encode())
    return Node(Journal(HOLDER, store, keys, FixedClock(NOW)), MemoryBlobs(), lambda: "here", "benchmark")


def catalogue_over(store: SqliteStore) -> Catalogue:
    """Catalogue of the node over a store."""
    return Catalogue(node_over(store), ColumnIndex(store.items, HOLDER, detected_remains))


def found(store: SqliteStore) -> None:
    """Make the node, and record its agreements."""
    world = World(FixedClock(BEGIN))
    node = world.node(HOLDER, store)
    for document in archive_agreements():
        record_agreement(node, document, NO_CIVIL_DATES, [str(document["id"])])
        world.tick()


def serve(path: str) -> None:
    """Serve the node in a database, for whom a header names, until standard input ends; print the port."""
    import uvicorn
    import uvloop
    from starlette.applications import Starlette

    from kizuna.adapters.tls import TlsHttpProtocol
    from kizuna.web.serve import collect_seldom

    collect_seldom()
    with closing(SqliteStore(Path(path))) as store:
        catalogue = catalogue_over(store)
        catalogue.search(post_query({})[0], None)
        face = StacFace(catalogue, "/stac", "benchmark", lambda _product, asset: f"/blobs/{asset.digest}")

        def guard(endpoint: Callable[[Request, Party | None], Response]) -> Callable[[Request], Response]:
            def guarded(request: Request) -> Response:
                name = request.headers.get("x-partner")
                return endpoint(request, None if name is None else parse_party(name))

            return guarded

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


# Servers and clients


@dataclass(frozen=True, slots=True)
class Served:
    """A server: its port and path, and its processes."""

    port: int
    path: str
    process: subprocess.Popen[str]
    servers: tuple[int, ...]
    told: dict[str, Any]

    def cpu_s(self) -> float:
        """CPU seconds of the server, and of its database if it has one of its own."""
        used = 0.0
        for server in self.servers:
            values = Path(f"/proc/{server}/stat").read_text("utf-8").rpartition(")")[2].split()
            used += (int(values[11]) + int(values[12])) / TICKS_A_SECOND
        if self.servers != (self.process.pid,):
            assert self.process.stdin is not None  # noqa: S101 - both are pipes
            assert self.process.stdout is not None  # noqa: S101
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            used += json.loads(self.process.stdout.readline())["postgres_cpu_s"]
        return used


@contextmanager
def served(command: Sequence[str], path: str, **environment: str) -> Iterator[Served]:
    """Server that a command starts, which prints its port and ends with its input."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command], env=os.environ | environment, **pipes) as process:  # type: ignore[call-overload]
        try:
            told = json.loads(process.stdout.readline() or "null")
            if told is None:
                sys.exit(f"{command[0]} did not start")
            yield Served(told["port"], path, process, (told.get("server", process.pid),), told)
        finally:
            process.stdin.close()
            process.wait(60)


class Client:
    """Asks a server over one connection."""

    def __init__(self, server: Served, partner: str | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port)
        self.path = server.path + "/search"
        self.headers = {"content-type": "application/json"} | ({} if partner is None else {"x-partner": partner})

    def ask(self, query: dict[str, object]) -> bytes:
        """Answer to a search."""
        self.connection.request("POST", self.path, json.dumps(query), self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            sys.exit(f"{self.path}: {answer.status} {body[:300]!r} for {query}")
        return body


def queries(count: int) -> list[dict[str, object]]:
    """Searches as analysts make them."""
    random = Random(5)

    def day(last: int = DAYS) -> Instant:
        return Instant(BEGIN + timedelta(days=random.uniform(0, last)))

    def span(days: float) -> str:
        begin = day()
        return f"{format_instant(begin)}/{format_instant(Instant(begin + timedelta(days=days)))}"

    def box(size: float) -> list[float]:
        lon, lat = random.choice(PLACES)
        lon, lat = round(lon + random.gauss(0, 0.5), 4), round(lat + random.gauss(0, 0.5), 4)
        return [max(-180.0, lon - size), max(-90.0, lat - size), min(180.0, lon + size), min(90.0, lat + size)]

    finer: dict[str, object] = {"op": "<=", "args": [{"property": "gsd"}, 0.5]}
    made = []
    for number in range(count):
        query: dict[str, object] = [
            lambda: {"bbox": box(1.0), "datetime": span(90)},
            lambda: {"bbox": box(1.0), "datetime": span(90), "filter": finer, "filter-lang": "cql2-json"},
            lambda: {"datetime": f"../{format_instant(day())}"},
            lambda: {"bbox": [-11.0, 35.0, 32.0, 71.0], "datetime": span(30)},
            lambda: {"filter": finer, "filter-lang": "cql2-json", "datetime": span(10)},
            lambda: {"bbox": box(0.5)},
        ][number % 6]()
        made.append({"collections": ["imagery"], "limit": 10} | query)
    return made


@dataclass(frozen=True, slots=True)
class Rate:
    """What a server took for its requests."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


def measure(server: Served, asked: Sequence[dict[str, object]], partners: Sequence[str | None]) -> Rate:
    """Ask everything, over several connections at once."""
    took: list[float] = []

    def ask(place: int) -> None:
        clients = [Client(server, partner) for partner in partners]
        for number, query in enumerate(asked[place::CONNECTIONS]):
            begin = time.perf_counter()
            clients[number % len(clients)].ask(query)
            took.append(time.perf_counter() - begin)

    threads = [threading.Thread(target=ask, args=(place,)) for place in range(CONNECTIONS)]
    cpu, begin = server.cpu_s(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begin
    ordered = sorted(took)
    return Rate(
        len(asked) / seconds,
        1e3 * statistics.median(ordered),
        1e3 * ordered[len(ordered) * 99 // 100],
        1e3 * (server.cpu_s() - cpu) / len(asked),
    )


# The figures


def measure_paging(ours: Served, count: int) -> None:
    """Time page 10,000 against page 1."""
    client, body = Client(ours, "USA"), {"limit": 1_000}
    page, shown = json.loads(client.ask(body)), 0
    token = None
    while shown < 10 * DEEP - 1_000 and (following := [link for link in page["links"] if link["rel"] == "next"]):
        token = following[0]["body"]["token"]
        page, shown = json.loads(client.ask(body | {"token": token})), shown + 1_000
    times: dict[str | None, list[float]] = {None: [], token: []}
    for _ in range(100):
        for which, took in times.items():
            begin = time.perf_counter()
            client.ask({"limit": 10} | ({} if which is None else {"token": which}))
            took.append(time.perf_counter() - begin)
    value = round(statistics.median(times[token]) / statistics.median(times[None]), 2)
    depth = min(DEEP, shown // 10 + 1)
    report("page_10000_over_page_1", value, f"times the first, page {depth} of {count} items", 1.2, met=value <= 1.2)


def measure_inserts(store: SqliteStore) -> float:
    """Add items one by one; milliseconds that one takes (median)."""
    took = []
    for product in archive(FRESH, seed=2):
        begin = time.perf_counter()
        store.items.put(Item(product))
        took.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(took)


def measure_start(store: SqliteStore, file: Path) -> None:
    """Time the first search after a start, without columns that were kept, and with them."""
    took = []
    for _ in range(2):
        catalogue = Catalogue(node_over(store), ColumnIndex(store.items, HOLDER, detected_remains, keep=FileSnapshot(file)))
        begin = time.process_time()
        catalogue.search(post_query({})[0], None)
        took.append(round(time.process_time() - begin, 2))
    kept = "from kept columns" if file.exists() else "of too few to be kept"
    report("first_search_cpu_s", took[1], f"CPU s of the first search after a start, {kept}; {took[0]} without", None)


def measure_overhead(store: SqliteStore, asked: Sequence[dict[str, object]]) -> None:
    """Time searches of the index, of partners against those of the node's people."""
    node = node_over(store)
    catalogue = Catalogue(node, index := ColumnIndex(store.items, HOLDER, detected_remains))
    callers = [None, *map(parse_party, PARTNERS)]
    sights = {caller: catalogue.sight(caller) for caller in callers}
    took: dict[object, list[float]] = {caller: [] for caller in callers}
    for query in [post_query({})[0], *(post_query(document)[0] for document in asked)]:
        for caller in callers:
            begin = time.process_time()
            index.search(query, sights[caller])
            took[caller].append(1e3 * (time.process_time() - begin))
    plain = statistics.median(took[None][1:])
    value = max(round(statistics.median(took[parse_party(name)][1:]) - plain, 3) for name in PARTNERS)
    unit = f"ms of CPU more than the {round(plain, 3)} without, the slowest of {', '.join(PARTNERS)}"
    report("filter_overhead_ms", value, unit, 0.5, met=value <= 0.5)
    views = [round(took[parse_party(name)][0], 1) for name in PARTNERS]
    report("first_view_ms", max(views), "ms of CPU for a partner's first search after a fact", None)


def differ(ours: Served, theirs: Served, asked: Sequence[dict[str, object]], partner: str | None = None) -> int:
    """Count searches that the two answer differently."""
    one, other, count = Client(ours, partner), Client(theirs), 0
    for query in asked:
        found = [json.loads(client.ask(query))["features"] for client in (one, other)]
        times = [[parse_instant(f["properties"]["datetime"]) for f in features] for features in found]
        # Of several of one instant at the end of a page any may stand there.
        ids = [
            {f["id"] for f, at in zip(features, when, strict=True) if at != when[-1]}
            for features, when in zip(found, times, strict=True)
        ]
        count += times[0] != times[1] or ids[0] != ids[1]
    return count


def peers() -> Path | None:
    """Python of the environment with pgstac; None where it cannot be made."""
    python, stamp, wanted = PEERS / "bin" / "python", PEERS / "requirements.txt", "\n".join(NEEDED)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        print(f"catalog: making {PEERS.name}", file=sys.stderr)
        venv.create(PEERS, clear=True, with_pip=True)
        done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-input", *NEEDED], check=False)
        if done.returncode:
            print("catalog: pgstac cannot be installed; its figures are left out", file=sys.stderr)
            return None
        stamp.write_text(wanted, "utf-8")
    if not list(Path("/usr/share/postgresql").glob("*/extension/postgis.control")):
        print(
            "catalog: PostGIS is not installed (Debian: postgresql-15-postgis-3); pgstac's figures are left out", file=sys.stderr
        )
        return None
    return python


def released_to(product: Product) -> list[str]:
    """Partners that may have a product of the archive, worked out by hand: the holder's own, unclassified, and who is named."""
    label = product.label
    if label.classification != "UNCLASSIFIED" or product.originator != HOLDER:
        return []
    return [*(label.releasable_to or ())]


def load(store: SqliteStore, count: int) -> tuple[float, float]:
    """Put the archive into a store in one go; seconds of the clock and of CPU that this took, without making the archive up."""
    making_s = making_cpu_s = 0.0

    def made() -> Iterator[Item]:
        nonlocal making_s, making_cpu_s
        products = archive(count)
        while True:
            # Not all of them at once: a million takes several GB.
            begin, cpu = time.perf_counter(), time.process_time()
            some = [Item(product) for product in islice(products, 10_000)]
            making_s, making_cpu_s = making_s + time.perf_counter() - begin, making_cpu_s + time.process_time() - cpu
            if not some:
                return
            yield from some

    begin, cpu = time.perf_counter(), time.process_time()
    store.items.put_all(made())
    return time.perf_counter() - begin - making_s, time.process_time() - cpu - making_cpu_s


def stac_lines(path: Path, products: Iterable[Product]) -> str:
    """Products as STAC for pgstac, one a line, each with the partners that may have it."""
    with path.open("w", encoding="utf-8") as file:
        for product in products:
            item = stac_item(product, lambda asset: f"/blobs/{asset.digest}", [])
            properties: dict[str, object] = item["properties"]  # type: ignore[assignment]
            properties["release_to"] = released_to(product)
            file.write(json.dumps(item) + "\n")
    return str(path)


def stac_files(folder: Path, count: int) -> tuple[str, str, str]:
    """The archive as STAC, for pgstac: files of items, of their collection, and of items that come later."""
    collection = folder / "collection.json"
    items = stac_lines(folder / "items.ndjson", archive(count))
    fresh = stac_lines(folder / "fresh.ndjson", archive(FRESH, seed=2))
    extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}}
    form = {"type": "Collection", "stac_version": "1.1.0", "id": "imagery", "description": "x", "license": "other", "links": []}
    collection.write_text(json.dumps(form | {"extent": extent}), "utf-8")
    return items, str(collection), fresh


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000, help="items in the archive")
    parser.add_argument("--searches", type=int, default=1_200, help="searches of each server")
    parser.add_argument("--serve", metavar="DATABASE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    python = peers()
    with tempfile.TemporaryDirectory(prefix="kizuna-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        database = folder / "node.sqlite"
        with closing(SqliteStore(database)) as store:
            found(store)
            load_s, load_cpu_s = load(store, options.items)
            insert_ms = measure_inserts(store)
            asked = queries(options.searches)
            measure_overhead(store, asked[:300])
            measure_start(store, folder / "columns.npz")
        with served([sys.executable, __file__, "--serve", str(database)], "/stac") as ours:
            measure_paging(ours, options.items)
            if python is None:
                compare(options.items, ours, None, asked, (load_s, load_cpu_s), insert_ms)
                return
            files = stac_files(folder, options.items)
            command = [str(python), str(ROOT / "benchmarks" / "peers" / "pgstac.py"), str(folder / "pg"), *files, READER]
            with served(command, "") as theirs:
                compare(options.items, ours, theirs, asked, (load_s, load_cpu_s), insert_ms)


def measure_proxied(filtered: Rate, theirs: Served, asked: Sequence[dict[str, object]]) -> None:
    """Ask pgstac through its proxy, which lets one partner see what it may have."""
    told = theirs.told
    proxied = dataclasses.replace(theirs, port=told["proxy_port"], servers=(*theirs.servers, told["proxy"]))
    measure(proxied, asked[:12], [None])
    rate = measure(proxied, asked[:120], [None])
    names = {"peer": f"{told['proxy_version']} before {told['version']}, filtered for {READER}"}
    report(
        "search_filtered_req_per_s",
        round(filtered.per_s),
        f"requests/s, {CONNECTIONS} connections; goal: times the peer",
        50.0,
        met=filtered.per_s >= 50 * rate.per_s,
        **names,
        peer_value=round(rate.per_s, 2),
        ratio=round(filtered.per_s / rate.per_s, 1),
    )
    more = {"peer_value": round(rate.cpu_ms, 2), "ratio": round(rate.cpu_ms / filtered.cpu_ms, 1)}
    report("search_filtered_cpu_ms", round(filtered.cpu_ms, 2), "ms of the servers' CPU a request", None, **names, **more)


def compare(
    count: int,
    ours: Served,
    theirs: Served | None,
    asked: Sequence[dict[str, object]],
    load: tuple[float, float],
    insert: float,
) -> None:
    """Print what both do."""
    measure(ours, asked[:60], PARTNERS)
    filtered = measure(ours, asked, PARTNERS)
    plain = measure(ours, asked, [None])
    names: dict[str, object] = {}
    peer_rate: Rate | None = None
    if theirs is not None:
        measure(theirs, asked[:60], [None])
        peer_rate = measure(theirs, asked[: max(120, len(asked) // 4)], [None])
        measure_proxied(filtered, theirs, asked)
        names = {"peer": theirs.told["version"] + ", unfiltered"}

    def beside(value: float, other: float, *, more_is_better: bool) -> dict[str, object]:
        ratio = value / other if more_is_better else other / value
        return names | {"peer_value": round(other, 2), "ratio": round(ratio, 1)}

    ratio = None if peer_rate is None else filtered.per_s / peer_rate.per_s
    report(
        "search_filtered_req_per_s",
        round(filtered.per_s),
        f"requests/s, {CONNECTIONS} connections, {count} items; goal: times the peer",
        10.0,
        met=None if ratio is None else ratio >= 10,
        **({} if peer_rate is None else beside(filtered.per_s, peer_rate.per_s, more_is_better=True)),
    )
    report("search_unfiltered_req_per_s", round(plain.per_s), "requests/s of the node's people", None)
    more = {} if peer_rate is None else beside(filtered.cpu_ms, peer_rate.cpu_ms, more_is_better=False)
    report("search_filtered_cpu_ms", round(filtered.cpu_ms, 2), "ms of the server's CPU a request", None, **more)
    more = {} if peer_rate is None else beside(filtered.p99_ms, peer_rate.p99_ms, more_is_better=False)
    report("search_p99_ms", round(filtered.p99_ms, 1), "ms of the clock", 15.0, met=filtered.p99_ms <= 15, **more)
    more = {} if peer_rate is None else beside(filtered.p50_ms, peer_rate.p50_ms, more_is_better=False)
    report("search_p50_ms", round(filtered.p50_ms, 1), "ms of the clock", None, **more)
    rate, cpu_rate = count / load[0], count / load[1]
    if theirs is None:
        report("bulk_items_per_s", round(rate), "items/s", None)
        return
    other, other_cpu = count / theirs.told["seconds"], count / theirs.told["cpu_s"]
    names = {"peer": theirs.told["version"]}
    report(
        "bulk_items_per_s", round(rate), "items/s", round(other), met=rate >= other, **beside(rate, other, more_is_better=True)
    )
    report(
        "bulk_items_per_cpu_s", round(cpu_rate), "items per CPU second", None, **beside(cpu_rate, other_cpu, more_is_better=True)
    )
    report(
        "insert_ms",
        round(insert, 2),
        "ms of the clock, one item, durable (median)",
        None,
        **beside(insert, theirs.told["insert_ms"], more_is_better=False),
    )
    count_apart = differ(ours, theirs, asked[:240])
    report("answers_differ", count_apart, f"of {len(asked[:240])} searches, unfiltered", 0, met=count_apart == 0, **names)
    proxied = dataclasses.replace(theirs, port=theirs.told["proxy_port"])
    count_apart = differ(ours, proxied, asked[:60], READER)
    unit = f"of {len(asked[:60])} searches, filtered for {READER}"
    report("answers_differ", count_apart, unit, 0, met=count_apart == 0, peer=theirs.told["proxy_version"])


if __name__ == "__main__":
    main()
