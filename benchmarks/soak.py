"""Kill two nodes while they exchange, and count from their stores and logs what was lost: `soak.py [--seconds 60] [--seed N]`.

Real processes on loopback. A sender to which small images are published without pause, one in five of them withheld by its
originator; a receiver that pulls in a loop. At random: SIGKILL to the sender's server, SIGKILL to the receiver, the agreement
suspended and resumed, and the sender's database set back to an older state (a fork of its log: whatever came after it is
forgotten, though the partner has it). Then everything is left in peace until the receiver has caught up.

One JSON line:

kills, forks, suspensions
    What was done to the nodes. A kill counts if the process was alive.
published, permitted, acknowledged
    Products published; those that the agreement allows; those whose receipt stands in the sender's log.
lost
    Permitted products that are not in the receiver's store and log with all their files whole, or have no receipt.
duplicated
    Products that were released, received or acknowledged more than once, counted for each log.
bytes_without_permit
    Bytes of files at the receiver that no entry of the sender's log released, and of released entries that no permit precedes
    in the log, or whose agreement was suspended when they were released.
forks_undetected
    Forks after which the sender's server answered a partner, instead of refusing to serve.

Exit status 1 if one of the last four is not 0.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections import Counter
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from kizuna.errors import KizunaError
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.model.provenance import Fact, FactKind
from kizuna.node.founding import node_card, pin_partner, record_agreement, resume_agreement, suspend_agreement
from kizuna.node.publish import publish
from kizuna.wiring import CIVIL_OFFSETS, DATABASE, Settings, make_node, open_node, sample_folder, system_now, transport_to

AGREEMENT = "IQPS-HUR-2025"
SENDER, RECEIVER = parse_party("JPN/IQPS"), parse_party("UKR/HUR")
START_S, CATCH_UP_S, STOP_S = 30.0, 180.0, 10.0
ANY_PORT = "127.0.0.1:0"
WITHHELD_EVERY = 5
DATABASE_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")


class Soak:
    """Both nodes, what runs of them, and what was done to them."""

    def __init__(self, root: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.sender, self.receiver, self._root = root / "sender", root / "receiver", root
        self.kills = self.forks = self.forks_undetected = self.suspensions = 0
        self.permitted: list[str] = []
        self.withheld: list[str] = []
        self._suspended = False
        self._server: subprocess.Popen[str] | None = None
        self._listen = ANY_PORT
        self._over = threading.Event()
        # Held by whoever works on the sender's folder in this process.
        self._at_sender = threading.Lock()
        self._failures: list[BaseException] = []
        for folder, party in ((self.sender, SENDER), (self.receiver, RECEIVER)):
            make_node(folder, party, Settings(ANY_PORT, ANY_PORT, accept_fictional=(AGREEMENT,)))
        with open_node(self.receiver) as receiver, open_node(self.sender) as sender:
            pin_partner(sender, node_card(receiver, ""))
            document = tomllib.loads((sample_folder("coalition") / "fictional" / f"{AGREEMENT}.toml").read_text("utf-8"))
            record_agreement(sender, document, CIVIL_OFFSETS, (AGREEMENT,))
            self.serve()
            pin_partner(receiver, node_card(sender, f"https://{self._listen}"))

    # ---- processes

    def _start(self, *arguments: object) -> subprocess.Popen[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("KIZUNA_") or name == "KIZUNA_STATE"
        }
        return subprocess.Popen(
            [sys.executable, "-m", "kizuna", *map(str, arguments), "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def serve(self) -> bool:
        """Start the sender's server, each time on the same port; False if it refuses."""
        self._server = self._start("node", "serve", "--node", self.sender, "--partner-listen", self._listen)
        assert self._server.stdout is not None  # noqa: S101 - it is a pipe
        line = self._server.stdout.readline()
        if not line:
            return False
        self._listen = json.loads(line)["partner_url"].removeprefix("https://")
        return True

    def end_server(self, *, number: signal.Signals = signal.SIGKILL) -> None:
        """End the sender's server."""
        if self._server is not None:
            self._server.send_signal(number)
            self._server.communicate(timeout=STOP_S)

    def sync(self, kill_after_s: float | None = None) -> tuple[int, int]:
        """Pull once; status, and how many products came (-1 where that is not known)."""
        process = self._start("sync", "--node", self.receiver)
        try:
            out, err = process.communicate(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            self.kills += 1
            process.communicate()
            return -signal.SIGKILL, -1
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        if "Traceback" in err:
            sys.exit(f"the receiver failed:\n{err}")
        with suppress(ValueError, KeyError, IndexError):
            return process.returncode, len(json.loads(out)["partners"][0]["received"])
        return process.returncode, -1

    # ---- what goes on meanwhile

    def _publish_on(self) -> None:
        number = 0
        while not self._over.wait(0.1):
            path = self._root / f"{number}.tif"
            side = 600 if number % 7 == 0 else 48
            band = np.random.default_rng(number).integers(1, 255, (side, side), dtype=np.uint8)
            form = {"driver": "GTiff", "height": side, "width": side, "count": 1, "dtype": "uint8", "crs": "EPSG:32643"}
            with rasterio.open(path, "w", transform=Affine(10, 0, 650_000, 0, -10, 1_100_000), **form) as dataset:
                dataset.write(band, 1)
            withheld = number % WITHHELD_EVERY == WITHHELD_EVERY - 1
            label = Label("JPN", "UNCLASSIFIED", SENDER, system_now(), releasable_to=() if withheld else None)
            with self._at_sender, open_node(self.sender) as node, path.open("rb") as file:
                product = publish(node, file, path.name, label).product
            (self.withheld if withheld else self.permitted).append(product.id)
            path.unlink()
            number += 1

    def _pull_on(self) -> None:
        chance = random.Random(self.random.random())
        while not self._over.is_set():
            self.sync(chance.uniform(0.3, 1.6) if chance.random() < 0.5 else None)

    def _guarded(self, work: object) -> threading.Thread:
        def run() -> None:
            try:
                work()  # type: ignore[operator]
            except BaseException as error:  # noqa: BLE001 - told by the main thread
                self._failures.append(error)
                self._over.set()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def disturb(self, seconds: float) -> None:
        """Let the nodes work for so long, and disturb them."""
        end = time.monotonic() + seconds
        backup: Path | None = None
        threads = [self._guarded(self._publish_on), self._guarded(self._pull_on)]
        try:
            while time.monotonic() < end and not self._over.wait(self.random.uniform(0.3, 1.2)):
                match self.random.choices(["kill", "suspend", "back up", "fork"], [6, 4, 2, 1])[0]:
                    case "kill":
                        self.end_server()
                        self.kills += 1
                        self._must_serve()
                    case "suspend":
                        self._turn()
                    case "back up":
                        backup = self._back_up()
                    case _ if backup is not None:
                        self._fork(backup)
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        if self._failures:
            raise self._failures[0]

    def _must_serve(self) -> None:
        if not self.serve() and self._server is not None:
            sys.exit(f"the sender did not start again:\n{self._server.communicate()[1]}")

    def _turn(self) -> None:
        """Suspend the agreement, or resume it."""
        with self._at_sender, open_node(self.sender) as node:
            if self._suspended:
                resume_agreement(node, AGREEMENT, "soak")
            else:
                suspend_agreement(node, AGREEMENT, "Soak.", "soak")
                self.suspensions += 1
        self._suspended = not self._suspended

    def _back_up(self) -> Path:
        path = self._root / "backup.sqlite"
        with (
            self._at_sender,
            closing(sqlite3.connect(self.sender / DATABASE)) as source,
            closing(sqlite3.connect(path)) as target,
        ):
            source.backup(target)
        return path

    def _fork(self, backup: Path) -> None:
        """Set the sender's database back, see whether it serves; then put back the very file that was there."""
        aside = self._root / "aside"
        aside.mkdir()
        with self._at_sender:
            self.end_server()
            self.kills += 1
            for name in DATABASE_FILES:
                if (self.sender / name).exists():
                    (self.sender / name).rename(aside / name)
            shutil.copy(backup, self.sender / DATABASE)
            self.forks += 1
            if self.serve() and self._answers():
                self.forks_undetected += 1
            self.end_server()
            for name in DATABASE_FILES:
                (self.sender / name).unlink(missing_ok=True)
                if (aside / name).exists():
                    (aside / name).rename(self.sender / name)
        aside.rmdir()
        self._must_serve()

    def _answers(self) -> bool:
        """Whether the sender's server gives the receiver a page of its feed."""
        with open_node(self.receiver) as node, transport_to(self.receiver, node.partner(SENDER)) as transport:
            try:
                return bool(transport.feed(0, 1))
            except KizunaError:
                return False

    def settle(self) -> None:
        """Let the receiver catch up in peace."""
        if self._suspended:
            self._turn()
        end = time.monotonic() + CATCH_UP_S
        while self.sync() != (0, 0):
            if time.monotonic() > end:
                sys.exit("the receiver did not catch up")
        self.end_server(number=signal.SIGTERM)
        self._server = None

    def stop(self) -> None:
        """End whatever still runs."""
        self._over.set()
        if self._server is not None and self._server.poll() is None:
            self.end_server()

    # ---- counting

    def figures(self) -> dict[str, int]:
        """What the two nodes' stores and logs say."""
        with open_node(self.sender) as sender, open_node(self.receiver) as receiver:
            sender.journal.verify()
            receiver.journal.verify()
            sent, got = [fact for _, fact in sender.journal.facts()], [fact for _, fact in receiver.journal.facts()]
            held = {item.product.id: item.product for item in receiver.store.items.all()}
            sizes = {
                asset.digest: asset.size
                for store in (sender.store, receiver.store)
                for item in store.items.all()
                for asset in item.product.assets
            }
        here = files_of(self.receiver)
        products = {fact.body["sequence"]: fact.body["product"] for fact in sent if fact.kind is FactKind.RELEASE_SEQUENCED}
        released = Counter(fact.body["product"] for fact in sent if fact.kind is FactKind.RELEASE_SEQUENCED)
        received = Counter(fact.body["product"]["id"] for fact in got if fact.kind is FactKind.PRODUCT_RECEIVED)
        acknowledged = Counter(products[fact.body["sequence"]] for fact in sent if fact.kind is FactKind.RECEIPT_RECEIVED)
        whole = {
            id_ for id_, product in held.items() if product.assets and all(a.digest in here for a in product.assets)
        } & received.keys()
        given = {digest for fact in sent if fact.kind is FactKind.RELEASE_SEQUENCED for digest in fact.body["blobs"]}
        return {
            "kills": self.kills,
            "forks": self.forks,
            "suspensions": self.suspensions,
            "published": len(self.permitted) + len(self.withheld),
            "permitted": len(self.permitted),
            "acknowledged": len(acknowledged),
            "lost": len(set(self.permitted) - (whole & acknowledged.keys())),
            "duplicated": sum(sum(count.values()) - len(count) for count in (released, received, acknowledged)),
            "bytes_without_permit": sum(size for digest, size in here.items() if digest not in given)
            + sum(sizes[digest] for digest in released_without_permit(sent)),
            "forks_undetected": self.forks_undetected,
        }


def files_of(folder: Path) -> dict[str, int]:
    """Sizes of a node's whole files, by the digest of what is in them."""
    found = {}
    for path in (folder / "blobs").rglob("*"):
        if path.is_file():
            found["sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()] = path.stat().st_size
    return found


def released_without_permit(facts: list[Fact]) -> list[str]:
    """Files of released entries that no permit for this product and partner precedes, or that went while it was suspended."""
    permitted: set[tuple[object, object]] = set()
    suspended = False
    found: list[str] = []
    for fact in facts:
        key = (fact.body.get("product"), fact.body.get("partner"))
        match fact.kind:
            case FactKind.DECISION_MADE:
                permit = fact.body["decision"]["outcome"] == "permit"
                (permitted.add if permit else permitted.discard)(key)
            case FactKind.AGREEMENT_SUSPENDED:
                suspended = True
            case FactKind.AGREEMENT_RESUMED:
                suspended = False
            case FactKind.RELEASE_SEQUENCED if suspended or key not in permitted:
                found += fact.body["blobs"]
            case _:
                pass
    return found


def main() -> int:
    """Soak, count, print."""
    parser = argparse.ArgumentParser(description="Kill two nodes while they exchange, and count what is lost.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the nodes are disturbed (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the choices of a run (default: new ones)")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"soak: {options.seconds:g} s, --seed {seed}", file=sys.stderr)
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kizuna-soak-")))
        # What is remembered of these nodes goes when they go.
        os.environ["KIZUNA_STATE"] = str(root / "state")
        soak = Soak(root, seed)
        stack.callback(soak.stop)
        soak.disturb(options.seconds)
        soak.settle()
        figures = soak.figures()
    print(json.dumps(figures))
    return int(any(figures[name] for name in ("lost", "duplicated", "bytes_without_permit", "forks_undetected")))


if __name__ == "__main__":
    sys.exit(main())
