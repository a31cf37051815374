"""The exchange, timed: what it costs to queue, to carry a gigabyte, to suspend, and to catch up; real nodes over mutual TLS.

Enqueue: an item is a product of four files, as one made of radar data is. Taking it in records its publication in the log, a leaf
of its own, and its record among the items; it is decided on for one partner, the decision is recorded, and it is queued. What the
node has learned by its log is part of it. The files are not: they are stored before. In groups, as one who takes in many at once
does it (`kizuna.node.publish.record_published`): each group is one transaction, and durable when it ends; the median of the
groups' rates. Beside it: what it is with a transaction for each, and for each second of CPU time, since others who work on the
machine slow it down.

Transfer: CPU seconds of both ends for each gigabyte (10^9 bytes), one giving in `kizuna node serve`, one taking with the library:
decided, enciphered, verified against the signed manifest, and stored durably. The peer carries the same bytes with plain uvicorn
and httpx over mutual TLS, and neither decides, verifies nor stores. Both in turns, the median of the rounds.

Suspension: while the file is on its way, another process commits a suspension; the time from before that commit until the last
byte that the reader's kernel took in, whole record or not. Once on loopback, once over a link of 1 Mbit/s inside a chunk;
the longest of the rounds.

Catching up: a partner that is so many products behind pulls them all, over loopback, each with a file of 10 kB, all of it
decided, signed, fetched, verified, synced, recorded and confirmed by name; the first and the last thousand are told for
themselves, since neither what waits nor what is there already may slow it down.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from simulators.large_files import SHARE, Reader, SlowLink, laden, sharing_pair, stored  # noqa: E402 - the folder above
from simulators.processes import Serving, serving  # noqa: E402
from simulators.products import product_id  # noqa: E402

from kizuna.model.digests import digest_of  # noqa: E402
from kizuna.model.product import AssetRole  # noqa: E402
from kizuna.node.founding import resume_agreement, suspend_agreement  # noqa: E402
from kizuna.node.publish import record_published  # noqa: E402
from kizuna.wiring import KEYS, open_node  # noqa: E402

if TYPE_CHECKING:
    from kizuna.model.digests import Digest
    from kizuna.model.product import Product

PEER = ROOT / "benchmarks" / "peers" / "plain_http.py"
MEBIBYTE = 2**20
GROUP = 1000
GIGABYTE = 1e9
LINK_BYTES_S = 125_000.0
SMALL_BYTES = 10_000
CHUNK_BYTES = 4 * MEBIBYTE
ENQUEUE_GOAL, TRANSFER_GOAL, SUSPEND_GOAL = 5000, 3.2, 1.0

TAKE = """
import json, resource, sys, time
from pathlib import Path
from kizuna.node.receive import Intake, pull
from kizuna.wiring import open_node, transport_to
folder, step = Path(sys.argv[1]), int(sys.argv[2])
with open_node(folder) as node:
    (partner,) = node.knowledge().partners.values()
    with transport_to(folder, partner) as transport:
        # What is new gets its place in the feed, so that the transfer is timed and nothing else.
        transport.feed(node.store.book.cursor(partner.party), 1)
        print("ready", flush=True)
        sys.stdin.readline()
        cpu, begin, pulls = time.process_time(), time.perf_counter(), []
        while not pulls or pulls[-1][1] == step:
            report = pull(node, partner, transport, None, Intake(entries=step))
            pulls.append((report.payload_bytes, len(report.received), time.perf_counter() - begin))
        print(json.dumps([time.process_time() - cpu, pulls]))
"""
STEP = 1000


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """What a partner's node took: CPU seconds of both ends; of each thousand products bytes, count, seconds since the start."""

    cpu_s: float
    pulls: list[tuple[int, int, float]]

    @property
    def size(self) -> int:
        """Bytes of files that came."""
        return sum(size for size, _, _ in self.pulls)

    @property
    def count(self) -> int:
        """Products that came."""
        return sum(count for _, count, _ in self.pulls)

    @property
    def seconds(self) -> float:
        """Seconds until the last product was there."""
        return next(seconds for _, count, seconds in reversed(self.pulls) if count)

    def rates(self) -> tuple[float, float]:
        """Products a second, of the first and of the last whole thousand; of all where there are fewer."""
        ends = [0.0, *(seconds for _, count, seconds in self.pulls if count == STEP)]
        if len(ends) < 2:
            return self.count / self.seconds, self.count / self.seconds
        return STEP / (ends[1] - ends[0]), STEP / (ends[-1] - ends[-2])


def report(metric: str, value: float, unit: str, goal: float | None, *, met: bool | None = None, **peer: object) -> None:
    """Print one figure."""
    line: dict[str, object] = {
        "benchmark": "exchange",
        "metric": metric,
        "value": value,
        "unit": unit,
        "peer": None,
        "peer_value": None,
        "ratio": None,
    }
    print(json.dumps(line | peer | {"goal": goal, "met": met}), flush=True)


def cpu_s(process: int) -> float:
    """CPU seconds of a process so far, all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def clean_environment() -> dict[str, str]:
    """Environment for processes that must find this package as it is run here."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def must(holds: object, what: str) -> None:
    """End the run: a figure would mean nothing."""
    if not holds:
        sys.exit(f"exchange: {what}")


def line_of(process: subprocess.Popen[str]) -> str:
    """Next line that a process prints."""
    return "" if process.stdout is None else process.stdout.readline().strip()


# ---- to queue


def of_four_files(product: Product, number: int) -> Product:
    """Product like another, under an id and with files of its own."""
    roles = (AssetRole.ORIGINAL, AssetRole.DETECTED, AssetRole.VISUAL, AssetRole.QUICKLOOK)
    assets = [
        dataclasses.replace(product.assets[0], role=role, name=f"{number}.{role}", digest=digest_of(f"{number} {role}".encode()))
        for role in roles
    ]
    return dataclasses.replace(product, id=product_id(number), content=assets[0].digest, assets=tuple(assets))


def measure_enqueue(folder: Path, count: int) -> None:
    """Publish in groups, and one by one."""
    pair = sharing_pair(folder)
    with open_node(pair.jpn) as node:
        (partner,) = node.knowledge().partners
        first = stored(node, 1000)

        def rates(numbers: range) -> tuple[float, float]:
            products = [of_four_files(first, number) for number in numbers]
            begin, cpu = time.perf_counter(), time.process_time()
            record_published(node, products)
            return len(products) / (time.perf_counter() - begin), len(products) / (time.process_time() - cpu)

        groups = [rates(range(begin, begin + GROUP)) for begin in range(0, count, GROUP)]
        grouped, busy = (statistics.median(column) for column in zip(*groups, strict=True))
        alone = statistics.median(rates(range(number, number + 1))[0] for number in range(count + GROUP, count + GROUP + 20))
        queued = len(list(node.store.book.waiting(partner)))
        must(queued == len(groups) * GROUP + 20, "not everything is queued")
        must(node.journal.verify().size > queued, "not everything is in the log")
    others = f"{busy:.0f} per CPU second; {alone:.0f} per second one a transaction"
    unit = f"products per second, recorded, decided, durable, {GROUP} a transaction ({others})"
    report("enqueue_per_s", round(grouped), unit, ENQUEUE_GOAL, met=round(grouped) >= ENQUEUE_GOAL)


# ---- to carry


def taken(folder: Path, giver: Serving) -> Taken:
    """Let a partner's node take all that is there for it."""
    with subprocess.Popen(
        [sys.executable, "-c", TAKE, str(folder), str(STEP)],
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        must(line_of(process), "the partner's node did not start")
        before = cpu_s(giver.process.pid)
        out, _ = process.communicate("go\n")
        given = cpu_s(giver.process.pid) - before
    spent, pulls = json.loads(out)
    return Taken(given + spent, pulls)


def peer_cpu_s(jpn: Path, ukr: Path, file: Path) -> float:
    """CPU seconds of both ends of the peer for a file."""
    certificates = {folder: [str(folder / KEYS / name) for name in ("tls.cert.pem", "tls.key.pem")] for folder in (jpn, ukr)}
    command = [sys.executable, str(PEER), "serve", *certificates[jpn], certificates[ukr][0], str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        url = f"https://127.0.0.1:{line_of(server)}/"
        time.sleep(0.2)
        before = cpu_s(server.pid)
        fetch = [sys.executable, str(PEER), "fetch", *certificates[ukr], certificates[jpn][0], url]
        done = subprocess.run(fetch, stdout=subprocess.PIPE, text=True, check=True)
        given = cpu_s(server.pid) - before
        server.communicate("")
    count, spent, _seconds = json.loads(done.stdout)
    must(count == file.stat().st_size, "the peer lost bytes")
    return given + spent


def blob_path(folder: Path, digest: Digest) -> Path:
    """Where a node keeps a file."""
    name = digest.removeprefix("sha256:")
    return folder / "blobs" / name[:2] / name[2:]


def measure_transfer(folder: Path, size: int, rounds: int) -> None:
    """Carry a file, again and again, in turns with the peer."""
    ours, theirs, walls = [], [], []
    pair = sharing_pair(folder)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        for number in range(1, rounds + 1):
            digest = laden(pair.jpn, size, number)
            theirs.append(peer_cpu_s(pair.jpn, pair.ukr, blob_path(pair.jpn, digest)) * GIGABYTE / size)
            took = taken(pair.ukr, giver)
            must((took.size, took.count) == (size, 1), "the file did not come")
            ours.append(took.cpu_s * GIGABYTE / size)
            walls.append(size / took.seconds / 1e6)
            for node in (pair.jpn, pair.ukr):
                # Room for the next one; nothing reads it any more.
                blob_path(node, digest).unlink()
    cost, peer = statistics.median(ours), statistics.median(theirs)
    names = [f"{name} {importlib.metadata.version(name)}" for name in ("uvicorn", "httpx")]
    report(
        "transfer_cpu_s_per_gb",
        round(cost, 2),
        f"CPU seconds per GB, both ends, stored and synced ({statistics.median(walls):.0f} MB/s)",
        TRANSFER_GOAL,
        met=cost <= TRANSFER_GOAL,
        peer=f"{' + '.join(names)} (mutual TLS, nothing decided, verified or stored)",
        peer_value=round(peer, 2),
        ratio=round(cost / peer, 2),
    )


# ---- to suspend


def suspended_s(jpn: Path, ukr: Path, port: int, digest: Digest, wait_bytes: int) -> tuple[float, int]:
    """Seconds from before a suspension until the last byte, and how many bytes came by then."""
    with open_node(jpn) as officer:
        reader = Reader(ukr, jpn, port, digest)
        with reader.reading():
            while reader.came < wait_bytes and not reader.ended.is_set():
                time.sleep(0.002)
            must(not reader.ended.is_set(), "the file came before it could be suspended")
            before = time.monotonic()
            suspend_agreement(officer, SHARE, "Measured.", "benchmark")
            must(reader.ended.wait(60), "the transfer went on")
        resume_agreement(officer, SHARE, "benchmark")
    return max(0.0, reader.last_at - before), reader.came


def measure_suspension(folder: Path, size: int, rounds: int) -> None:
    """Suspend in the middle of a large file, on loopback and over a slow link."""
    pair = sharing_pair(folder)
    digest = laden(pair.jpn, size)
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        with subprocess.Popen(
            [sys.executable, "-c", TAKE, str(pair.ukr), "1"],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            # Its feed is read, so the file has its place in it.
            must(line_of(process), "the partner's node did not start")
            process.kill()
        fast = [suspended_s(pair.jpn, pair.ukr, giver.partner_port, digest, size // 20 * (n + 1)) for n in range(rounds)]
        must(all(came < size for _, came in fast), "the file came whole")
        report(
            "suspend_to_last_byte_s",
            round(max(seconds for seconds, _ in fast), 3),
            f"s, longest of {rounds}, {size // MEBIBYTE} MiB on their way over loopback",
            SUSPEND_GOAL,
            met=max(seconds for seconds, _ in fast) <= SUSPEND_GOAL,
        )
        slow = []
        for number in range(rounds):
            with SlowLink(giver.partner_port, LINK_BYTES_S) as link:
                slow.append(suspended_s(pair.jpn, pair.ukr, link.port, digest, 300_000 + 100_000 * number))
        must(all(came < CHUNK_BYTES for _, came in slow), "the first chunk came whole")
        report(
            "suspend_to_last_byte_1mbit_s",
            round(max(seconds for seconds, _ in slow), 3),
            f"s, longest of {rounds}, at the far end of 1 Mbit/s in the middle of a chunk",
            SUSPEND_GOAL,
            met=max(seconds for seconds, _ in slow) <= SUSPEND_GOAL,
        )


# ---- to catch up


def measure_catching_up(folder: Path, count: int) -> None:
    """Let a partner that is far behind pull everything."""
    pair = sharing_pair(folder)
    with open_node(pair.jpn) as node:
        for begin in range(1, count + 1, GROUP):
            record_published(node, [stored(node, SMALL_BYTES, number) for number in range(begin, min(begin + GROUP, count + 1))])
    with serving(pair.jpn) as giver:
        pair.meet(giver.partner_url)
        took = taken(pair.ukr, giver)
    must(took.count == count, "not everything came")
    first, last = took.rates()
    cpu_ms = took.cpu_s * 1000 / count
    unit = (
        f"products of {SMALL_BYTES // 1000} kB per second, {count} behind, each signed for "
        f"(the first thousand {first:.0f}, the last {last:.0f} per second; {cpu_ms:.1f} CPU-ms each, both ends)"
    )
    report("catch_up_items_per_s", round(count / took.seconds, 1), unit, None)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mebibytes", type=int, default=1024, help="size of the large file")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the transfer and of each suspension")
    parser.add_argument("--queued", type=int, default=10_000, help="products to queue")
    parser.add_argument("--behind", type=int, default=100_000, help="products that a partner is behind")
    parser.add_argument("--only", choices=["enqueue", "transfer", "suspend", "catch-up"], help="only these figures")
    options = parser.parse_args()
    size = options.mebibytes * MEBIBYTE
    with tempfile.TemporaryDirectory() as root:
        os.environ["KIZUNA_STATE"] = root
        measures = {
            "enqueue": lambda folder: measure_enqueue(folder, options.queued),
            "transfer": lambda folder: measure_transfer(folder, size, options.rounds),
            "suspend": lambda folder: measure_suspension(folder, size, options.rounds),
            "catch-up": lambda folder: measure_catching_up(folder, options.behind),
        }
        for name, measure in measures.items():
            if options.only in {None, name}:
                folder = Path(root) / name
                folder.mkdir()
                measure(folder)


if __name__ == "__main__":
    main()
