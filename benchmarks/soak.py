"""Kill two nodes while they exchange over a bad link, and count what was lost: `soak.py [--kills 1000] [--seconds S] [--seed N]`.

Real processes on loopback. To the sender small images are published without pause, one in five of them withheld by its
originator, and the agreement is suspended and resumed; the receiver pulls in a loop, now and then twice at once. At random:

- SIGKILL to the sender's server, to the sender's officer, to the receiver;
- the link drops a connection, holds it back so that later ones overtake it, carries it slowly, breaks it off in the midst of an
  answer, or says again to the sender all that the receiver said;
- the link is cut for weeks: both nodes are started anew under Debian's `faketime`, days later;
- a node's clock is set back by as much, and then right again;
- the sender's database is set back to an older state, with and without what the machine remembers of it (forks).

Then everything is left in peace until the receiver has caught up. What is counted comes from outside the nodes: from what
`kizuna audit export` wrote of both logs, which `kizuna audit verify` must find whole, and from the files in the receiver's store.

One JSON line, and more on stderr:

kills
    Processes killed while they ran.
acknowledged
    Products whose signed receipt stands in the sender's log.
lost
    Products published and permitted, acknowledged or not, that are not in the receiver's store and log with all their files
    whole, or have no receipt; and products that an officer was told were published, which the sender's log does not hold.
duplicated
    Products that were released, received or acknowledged more than once, counted for each log.
bytes_without_permit
    Bytes of files at the receiver that no entry of the sender's log released, and of released entries that no permit precedes
    in the log, or whose agreement was suspended when they were released.
forks_undetected
    Forks after which the sender's server gave the partner anything, instead of refusing to serve.

Exit status 1 if one of the last four is not 0.
"""

from __future__ import annotations

import argparse
import asyncio
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
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kizuna.adapters.clock import SystemClock
from kizuna.errors import KizunaError
from kizuna.exchange.envelope import peek
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.model.provenance import Fact, FactKind, fact_from_json
from kizuna.node.founding import node_card, pin_partner, record_agreement, resume_agreement, suspend_agreement
from kizuna.wiring import CIVIL_OFFSETS, DATABASE, Settings, make_node, open_node, sample_folder, system_now, transport_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kizuna.node.state import Node

AGREEMENT = "IQPS-HUR-2025"
SENDER, RECEIVER = parse_party("JPN/IQPS"), parse_party("UKR/HUR")
KILLS, CATCH_UP_S, STOP_S, ANSWER_S = 1000, 600.0, 20.0, 60.0
"""A command hangs that takes so long and, where it pulls, writes nothing for so long: half of what a node waits for an answer."""
ANY_PORT = "127.0.0.1:0"
WITHHELD_EVERY = 5
DATABASE_FILES = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")
PIECE_BYTES = 16_384
DAY_S = 86_400
SETTLED_S = 60
"""A clock is taken to stand behind a log only if it is by more than a process may take to start."""
# Certificates last 397 days.
MOST_DAYS = 330
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


# ---- the link


class Link:
    """Line from the receiver to the sender, which fails as it likes; in a thread of its own."""

    def __init__(self, seed: int) -> None:
        self.target, self.calm = 0, False
        self.faults: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._broken = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._carry, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def broken(self, *, broken: bool) -> None:
        """Cut the link, or mend it."""
        self._broken = broken
        self._loop.call_soon_threadsafe(self._abort)

    def close(self) -> None:
        """Be done with it."""
        self.broken(broken=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)

    def _abort(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _carry(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        faults = {"none": 10} if self.calm else {"none": 10, "drop": 2, "hold": 2, "slow": 2, "break off": 3, "say again": 2}
        fault = self._random.choices([*faults], [*faults.values()])[0]
        self._writers.add(near_out)
        said = bytearray()
        try:
            if self._broken or fault == "drop":
                self.faults["cut" if self._broken else fault] += 1
                near_out.transport.abort()
                return
            self.faults[fault] += 1
            if fault == "hold":
                await asyncio.sleep(self._random.uniform(0.05, 1.5))
            # What a TLS handshake takes goes through, most often.
            most = int(10 ** self._random.uniform(2.5, 6)) if fault == "break off" else None
            pace_s = 0.02 if fault == "slow" else 0
            far_in, far_out = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers.add(far_out)
            try:
                ways = (_pump(near_in, far_out, None, 0, said), _pump(far_in, near_out, most, pace_s, None))
                _done, left = await asyncio.wait(map(asyncio.ensure_future, ways), return_when=asyncio.FIRST_COMPLETED)
                for way in left:
                    way.cancel()
            finally:
                self._writers.discard(far_out)
                far_out.transport.abort()
            if fault == "say again":
                await self._say_again(bytes(said))
        except OSError:
            pass
        finally:
            self._writers.discard(near_out)
            near_out.transport.abort()

    async def _say_again(self, said: bytes) -> None:
        """Replay a connection: nobody but TLS stands between that and a request done twice."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
        try:
            writer.write(said)
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(1):
                    await reader.read()
        finally:
            writer.transport.abort()


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: int | None, pace_s: float, said: bytearray | None
) -> None:
    """Carry bytes until the end, or until so many were carried."""
    with suppress(OSError):
        while data := await source.read(PIECE_BYTES):
            if most is not None:
                data = data[:most]
                most -= len(data)
            if said is not None:
                said += data
            sink.write(data)
            await sink.drain()
            if most == 0:
                return
            await asyncio.sleep(pace_s)


# ---- the nodes' processes


@dataclass
class Machine:
    """A node's folder, what its machine remembers of it, and its clock."""

    folder: Path
    memory: Path
    ahead_s: int = 0

    def written_last(self) -> float:
        """When the last entry of its log was recorded, in seconds since 1970."""
        with closing(sqlite3.connect(self.folder / DATABASE)) as database:
            ((envelope,),) = database.execute("SELECT envelope FROM log ORDER BY place DESC LIMIT 1")
        return fact_from_json(peek(envelope)).recorded_at.timestamp()

    def touched(self) -> int:
        """When something was last written into its folder, in nanoseconds."""
        paths = (self.folder / DATABASE_FILES[1], self.folder / "blobs", *(self.folder / "blobs").rglob("*"))
        return max((found for path in paths if (found := _written_ns(path))), default=0)

    def environment(self) -> dict[str, str]:
        """Of its processes."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KIZUNA_", "FAKETIME", "LD_PRELOAD"))}
        kept["KIZUNA_STATE"] = str(self.memory)
        # One that hangs and is aborted says where.
        kept["PYTHONFAULTHANDLER"] = "1"
        if self.ahead_s and FAKETIME is not None:
            # Only what is asked of the calendar is moved: no waiting times, no times of files.
            kept |= {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME": f"{self.ahead_s:+d}s",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",
                "NO_FAKE_STAT": "1",
            }
        return kept

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        """Start a kizuna command."""
        return self.run(sys.executable, "-m", "kizuna", *arguments, "--json")

    def run(self, *command: object) -> subprocess.Popen[str]:
        """Start a program."""
        pipe = subprocess.PIPE
        return subprocess.Popen([*map(str, command)], env=self.environment(), stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def done(self, *arguments: object) -> str:
        """What a kizuna command printed; it must do well."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=ANSWER_S)
        if process.returncode != 0:
            sys.exit(f"kizuna {' '.join(map(str, arguments))} failed ({process.returncode}):\n{err or out}")
        return out

    @contextmanager
    def opened(self) -> Iterator[Node]:
        """Node, opened by this process."""
        os.environ["KIZUNA_STATE"] = str(self.memory)
        with open_node(self.folder) as node:
            yield node


def _written_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        # Renamed, or gone, since it was listed.
        return 0


class Killed(Exception):
    """The process that should have answered was killed."""


@dataclass
class Officer:
    """A process that publishes at a node and suspends and resumes its agreement, as long as it lives."""

    machine: Machine
    process: subprocess.Popen[str] | None = None

    def ask(self, **what: object) -> dict[str, Any]:
        """Have something done; what came of it."""
        if self.process is None or self.process.poll() is not None:
            self.process = self.machine.run(sys.executable, __file__, "--officer", self.machine.folder)
        assert self.process.stdin is not None  # noqa: S101 - it is a pipe
        assert self.process.stdout is not None  # noqa: S101 - the same
        try:
            self.process.stdin.write(json.dumps(what) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except (OSError, ValueError) as error:
            raise Killed from error
        if not line:
            if self.process.wait(STOP_S) != -signal.SIGKILL:
                sys.exit(f"the officer's process failed:\n{self.process.stderr.read() if self.process.stderr else ''}")
            raise Killed
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> int:
        """Kill it; 1 if it ran."""
        if self.process is None or self.process.poll() is not None:
            return 0
        self.process.kill()
        self.process.wait()
        return 1


def be_officer(folder: Path) -> None:
    """Do what is asked, line by line."""
    import numpy as np
    import rasterio
    from affine import Affine

    from kizuna.node.publish import publish

    with tempfile.TemporaryDirectory() as work:
        for line in sys.stdin:
            asked = json.loads(line)
            answer: dict[str, object] = {}
            try:
                with open_node(folder) as node:
                    match asked["do"]:
                        case "publish":
                            path, side = Path(work) / f"{asked['number']}.tif", asked["side"]
                            band = np.random.default_rng(asked["number"]).integers(1, 255, (side, side), dtype=np.uint8)
                            form = {"driver": "GTiff", "height": side, "width": side, "count": 1, "dtype": "uint8"}
                            place = {"crs": "EPSG:32643", "transform": Affine(10, 0, 650_000, 0, -10, 1_100_000)}
                            with rasterio.open(path, "w", **form, **place) as dataset:
                                dataset.write(band, 1)
                            releasable = () if asked["withheld"] else None
                            label = Label("JPN", "UNCLASSIFIED", SENDER, system_now(), releasable_to=releasable)
                            with path.open("rb") as file:
                                answer["product"] = publish(node, file, path.name, label).product.id
                            path.unlink()
                        case "suspend":
                            suspend_agreement(node, AGREEMENT, "Soak.", "soak")
                        case _:
                            resume_agreement(node, AGREEMENT, "soak")
            except KizunaError as error:
                answer["error"] = type(error).__name__
                answer["message"] = str(error)
            print(json.dumps(answer), flush=True)


# ---- what is done to them


@dataclass
class Soak:
    """Both nodes, what runs of them, and what was done to them."""

    root: Path
    random: random.Random
    kills_wanted: int
    kills: int = 0
    forks: int = 0
    forks_undetected: int = 0
    done: Counter[str] = field(default_factory=Counter)
    published: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sender = Machine(self.root / "sender", self.root / "sender-memory")
        self.receiver = Machine(self.root / "receiver", self.root / "receiver-memory")
        self.officer = Officer(self.sender)
        self.link = Link(self.random.getrandbits(32))
        self._suspended = False
        self._doings = {
            "kill": 12,
            "kill officer": 3,
            "suspend": 4,
            "back up": 2,
            "fork": 1,
            "cut": 1,
            "weeks": 1,
            "clock back": 1,
        }
        self._backup = self.root / "backup.sqlite"
        self._server: subprocess.Popen[str] | None = None
        self._listen = ANY_PORT
        self._over = threading.Event()
        # Held by whoever works on the sender's folder, and by whoever counts.
        self._at_sender, self._at_receiver, self._counting = threading.Lock(), threading.Lock(), threading.Lock()
        self._failures: list[BaseException] = []
        for machine, party in ((self.sender, SENDER), (self.receiver, RECEIVER)):
            make_node(machine.folder, party, Settings(ANY_PORT, ANY_PORT, accept_fictional=(AGREEMENT,)))
        with self.receiver.opened() as receiver:
            card = node_card(receiver, "")
        with self.sender.opened() as sender:
            pin_partner(sender, card)
            document = tomllib.loads((sample_folder("coalition") / "fictional" / f"{AGREEMENT}.toml").read_text("utf-8"))
            record_agreement(sender, document, CIVIL_OFFSETS, (AGREEMENT,))
            card = node_card(sender, f"https://127.0.0.1:{self.link.port}")
        with self.receiver.opened() as receiver:
            pin_partner(receiver, card)
        self._must_serve()

    def _counted(self, kills: int) -> None:
        with self._counting:
            self.kills += kills
            if self.kills >= self.kills_wanted:
                self._over.set()

    def serve(self) -> bool:
        """Start the sender's server, each time on the same port; False if it refuses."""
        self._server = self.sender.start("node", "serve", "--node", self.sender.folder, "--partner-listen", self._listen)
        assert self._server.stdout is not None  # noqa: S101 - it is a pipe
        line = self._server.stdout.readline()
        if not line:
            return False
        self._listen = json.loads(line)["partner_url"].removeprefix("https://")
        self.link.target = int(self._listen.rpartition(":")[2])
        return True

    def _must_serve(self) -> None:
        if not self.serve() and self._server is not None:
            sys.exit(f"the sender did not start again:\n{self._server.communicate()[1]}")

    def end_server(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End the sender's server; 1 if it ran."""
        if self._server is None:
            return 0
        ran = self._server.poll() is None
        self._server.send_signal(number)
        _out, err = self._server.communicate(timeout=STOP_S)
        if not ran or "Traceback" in err:
            sys.exit(f"the sender's server failed:\n{err}")
        return 1

    def sync(self, kill_after_s: float | None = None, *, twice: bool = False) -> tuple[int, int]:
        """Pull once; status, and how many products came (-1 where that is not known)."""
        other = self.receiver.start("sync", "--node", self.receiver.folder) if twice else None
        process = self.receiver.start("sync", "--node", self.receiver.folder)
        try:
            out, err = self._until_done(process) if kill_after_s is None else process.communicate(timeout=kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            self._counted(1)
            process.communicate()
            return -signal.SIGKILL, -1
        finally:
            for each in (process, other):
                if each is not None and each.poll() is None:
                    if each is other:
                        with suppress(subprocess.TimeoutExpired):
                            each.wait(ANSWER_S)
                    each.kill()
                    each.communicate()
        if "Traceback" in err:
            sys.exit(f"the receiver failed:\n{err}")
        with suppress(ValueError, KeyError, IndexError):
            return process.returncode, len(json.loads(out)["partners"][0]["received"])
        return process.returncode, -1

    def _until_done(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        """What a pull printed; it may take as long as there is much to pull, if only it goes on."""
        while True:
            seen = self.receiver.touched()
            try:
                return process.communicate(timeout=ANSWER_S)
            except subprocess.TimeoutExpired:
                if self.receiver.touched() != seen:
                    continue
                stacks = []
                for each in (process, self._server):
                    if each is not None and each.poll() is None:
                        each.send_signal(signal.SIGABRT)
                        each.send_signal(signal.SIGCONT)
                        stacks.append(each.communicate()[1])
                sys.exit(f"the receiver hangs; where it and the sender are:\n{'\n'.join(stacks)}")

    # ---- what goes on meanwhile

    def _publish_on(self) -> None:
        chance, number = random.Random(self.random.random()), 0
        while not self._over.wait(chance.uniform(0.05, 0.6)):
            side = 2200 if number % 97 == 96 else 600 if number % 7 == 0 else 48
            withheld = number % WITHHELD_EVERY == WITHHELD_EVERY - 1
            number += 1
            with self._at_sender, suppress(Killed):
                answer = self.officer.ask(do="publish", number=number, side=side, withheld=withheld)
                if "product" not in answer:
                    sys.exit(f"not published: {answer}")
                self.published.append(answer["product"])

    def _pull_on(self) -> None:
        chance = random.Random(self.random.random())
        while not self._over.is_set():
            with self._at_receiver:
                self.sync(chance.uniform(0.2, 1.6) if chance.random() < 0.6 else None, twice=chance.random() < 0.1)

    def _guarded(self, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - told by the main thread
                self._failures.append(error)
                self._over.set()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def disturb(self, seconds: float | None) -> None:
        """Let the nodes work for so long, or until there were kills enough, and disturb them."""
        end = None if seconds is None else time.monotonic() + seconds
        threads = [self._guarded(self._publish_on), self._guarded(self._pull_on)]
        first = ["back up", "weeks", "suspend", "kill", "clock back", "suspend", "fork"]
        try:
            while (end is None or time.monotonic() < end) and not self._over.wait(self.random.uniform(0.1, 0.7)):
                what = first.pop(0) if first else self.random.choices([*self._doings], self._doings.values())[0]
                if self._doing(what):
                    self.done[what] += 1
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        if self._failures:
            raise self._failures[0]

    def _doing(self, what: str) -> bool:
        """Do one thing to the nodes; False if it cannot be done."""
        match what:
            case "kill":
                self._counted(self.end_server())
                self._must_serve()
            case "kill officer":
                self._counted(self.officer.kill())
            case "suspend":
                self._turn()
            case "back up":
                self._back_up()
            case "cut":
                self.link.broken(broken=True)
                time.sleep(self.random.uniform(0.2, 2))
                self.link.broken(broken=False)
            case "weeks":
                return self._weeks()
            case "clock back":
                return self._clock_back()
            case _:
                return self._fork(in_place=self.random.random() < 0.5)
        return True

    def _turn(self) -> None:
        """Suspend the agreement, or resume it."""
        with self._at_sender:
            try:
                answer = self.officer.ask(do="resume" if self._suspended else "suspend")
            except Killed:
                answer = {}
            if "error" in answer:
                sys.exit(f"neither suspended nor resumed: {answer}")
            self._suspended = not self._suspended

    def _weeks(self) -> bool:
        """Cut the link for weeks, during which neither node runs."""
        days = self.random.randint(7, 28)
        if FAKETIME is None or self.sender.ahead_s + days * DAY_S > MOST_DAYS * DAY_S:
            return False
        self.link.broken(broken=True)
        with self._at_receiver, self._at_sender:
            self._counted(self.end_server() + self.officer.kill())
            for machine in (self.sender, self.receiver):
                machine.ahead_s += days * DAY_S
            self._must_serve()
        self.link.broken(broken=False)
        return True

    def _clock_back(self) -> bool:
        """Set one node's clock back by weeks: it refuses to work until it is right."""
        if FAKETIME is None:
            return False
        days = self.random.randint(1, 40)
        if self.random.random() < 0.5:
            with self._at_receiver:
                # After weeks without a link it may not have written anything yet that such a clock stands behind.
                now_s = SystemClock().now().timestamp() + self.receiver.ahead_s
                behind = self.receiver.written_last() > now_s - days * DAY_S + SETTLED_S
                if behind:
                    self.receiver.ahead_s -= days * DAY_S
                    status, came = self.sync()
                    if status == 0 or came > 0:
                        sys.exit("the receiver took something while its clock stood behind its log")
                    self.receiver.ahead_s += days * DAY_S
            return behind
        with self._at_sender:
            self._counted(self.end_server() + self.officer.kill())
            self.sender.ahead_s -= days * DAY_S
            try:
                answer = self.officer.ask(do="publish", number=10**6 + self.done["clock back"], side=48, withheld=False)
                if answer.get("error") != "ClockBehind":
                    sys.exit(f"published while the clock stood behind the log: {answer}")
                if self.serve():
                    if self._answers():
                        sys.exit("served while the clock stood behind the log")
                    self.end_server()
            finally:
                self.officer.kill()
                self.sender.ahead_s += days * DAY_S
            self._must_serve()
        return True

    def _back_up(self) -> None:
        """Keep a copy of the sender's database as it is now."""
        with (
            self._at_sender,
            closing(sqlite3.connect(self.sender.folder / DATABASE)) as source,
            closing(sqlite3.connect(self._backup)) as target,
        ):
            source.backup(target)

    def _fork(self, *, in_place: bool) -> bool:
        """Set the sender's database back, see whether it serves; then put back what was there."""
        if not self._backup.exists():
            return False
        aside, folder = self.root / "aside", self.sender.folder
        with self._at_sender:
            self._counted(self.end_server() + self.officer.kill())
            sizes = entries_of(self._backup), entries_of(folder / DATABASE)
            if sizes[0] == sizes[1]:
                # Nothing was recorded since: what would be set back is what is there.
                self._must_serve()
                return False
            aside.mkdir()
            present = [name for name in DATABASE_FILES if (folder / name).exists()]
            for name in present:
                # A copy keeps the very file, which a snapshot of a machine would set back in its place.
                (shutil.copy if in_place else os.rename)(folder / name, aside / name)
            for name in DATABASE_FILES[1:]:
                (folder / name).unlink(missing_ok=True)
            shutil.copyfile(self._backup, folder / DATABASE)
            self.forks += 1
            if self.serve():
                if self._answers():
                    self.forks_undetected += 1
                    kept = [path.read_text("ascii").split()[0] for path in self.sender.memory.glob("**/*.tail")]
                    how = "in place" if in_place else "by another file"
                    told = f"{sizes[1]} entries set back to {sizes[0]}, {how}; remembered: {kept}"
                    print(f"soak: a fork went undetected: {told}", file=sys.stderr)
                self.end_server()
            for name in DATABASE_FILES[1:]:
                (folder / name).unlink(missing_ok=True)
            for name in present:
                (shutil.copyfile if in_place else os.rename)(aside / name, folder / name)
            self._must_serve()
        shutil.rmtree(aside)
        return True

    def _answers(self) -> bool:
        """Whether the sender's server gives the receiver a page of its feed."""
        with self.receiver.opened() as node:
            partner = replace(node.partner(SENDER), url=f"https://{self._listen}")
            with transport_to(self.receiver.folder, partner) as transport:
                try:
                    return bool(transport.feed(0, 1))
                except KizunaError:
                    return False

    def settle(self) -> None:
        """Let the receiver catch up in peace."""
        self.link.calm = True
        with self.sender.opened() as node:
            turns = [f for _, f in node.journal.facts() if f.kind in {FactKind.AGREEMENT_SUSPENDED, FactKind.AGREEMENT_RESUMED}]
        # The officer may have been killed with the answer on its lips.
        if turns and turns[-1].kind is FactKind.AGREEMENT_SUSPENDED and "error" in (answer := self.officer.ask(do="resume")):
            sys.exit(f"not resumed: {answer}")
        end, quiet = time.monotonic() + CATCH_UP_S, 0
        while quiet < 2:
            quiet = quiet + 1 if self.sync() == (0, 0) else 0
            if time.monotonic() > end:
                sys.exit("the receiver did not catch up")
        self.end_server(signal.SIGTERM)
        self._server = None

    def stop(self) -> None:
        """End whatever still runs."""
        self._over.set()
        self.officer.kill()
        if self._server is not None and self._server.poll() is None:
            self._server.kill()
            self._server.communicate()
        self.link.close()

    # ---- counting

    def facts(self, machine: Machine) -> list[Fact]:
        """All facts of a node's log, as it was exported and verified."""
        path = self.root / f"{machine.folder.name}.log"
        machine.done("audit", "verify", "--node", machine.folder)
        machine.done("audit", "export", path, "--node", machine.folder)
        machine.done("audit", "verify", path, "--node", machine.folder)
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        return [fact_from_json(peek(_envelope(line))) for line in lines if "envelope" in line]

    def figures(self) -> dict[str, int]:
        """What the two nodes' logs and stores say."""
        sent, got = self.facts(self.sender), self.facts(self.receiver)
        with self.sender.opened() as sender, self.receiver.opened() as receiver:
            held = {item.product.id: item.product for item in receiver.store.items.all()}
            stores = (sender.store, receiver.store)
            assets = [asset for store in stores for item in store.items.all() for asset in item.product.assets]
            sizes = {asset.digest: asset.size for asset in assets}
        here = files_of(self.receiver.folder)
        taken_in = {f.body["product"]["id"]: f.body["product"] for f in sent if f.kind is FactKind.PRODUCT_PUBLISHED}  # type: ignore[index,call-overload]
        permitted = {id_ for id_, product in taken_in.items() if product["label"].get("releasable_to") is None}  # type: ignore[index,union-attr,call-overload]
        releases = [fact for fact in sent if fact.kind is FactKind.RELEASE_SEQUENCED]
        products = {fact.body["sequence"]: fact.body["product"] for fact in releases}
        released = Counter(fact.body["product"] for fact in releases)
        received = Counter(fact.body["product"]["id"] for fact in got if fact.kind is FactKind.PRODUCT_RECEIVED)  # type: ignore[index,call-overload]
        receipts = [number for fact in sent if fact.kind is FactKind.RECEIPT_RECEIVED for number in confirmed_by(fact)]
        acknowledged = Counter(products[number] for number in receipts if number in products)
        whole = {id_ for id_, p in held.items() if p.assets and all(asset.digest in here for asset in p.assets)} & received.keys()
        given = {digest for fact in releases for digest in fact.body["blobs"]}  # type: ignore[union-attr]
        forgotten = set(self.published) - taken_in.keys()
        print(
            f"soak: {len(taken_in)} published, {len(permitted)} permitted, {self.forks} forks, {dict(self.done)}, "
            f"link {dict(self.link.faults)}",
            file=sys.stderr,
        )
        return {
            "kills": self.kills,
            "acknowledged": len(acknowledged),
            "lost": len((permitted | acknowledged.keys()) - (whole & acknowledged.keys())) + len(forgotten),
            "duplicated": sum(sum(count.values()) - len(count) for count in (released, received, acknowledged)),
            "bytes_without_permit": sum(size for digest, size in here.items() if digest not in given)
            + sum(sizes[digest] for digest in released_without_permit(sent)),
            "forks_undetected": self.forks_undetected,
        }


def entries_of(database: Path) -> int:
    """Count of the entries of the log in a database."""
    with closing(sqlite3.connect(database)) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM log")
    return int(count)


def confirmed_by(fact: Fact) -> range:
    """Numbers of the entries that a receipt confirms by name."""
    last, before = int(str(fact.body["sequence"])), fact.body.get("before", ())
    return range(last - len(before), last + 1)  # type: ignore[arg-type]


def _envelope(line: dict[str, Any]) -> bytes:
    """Envelope of a line of an export."""
    from kizuna.model.canonical import canonical

    envelope = line["envelope"]
    return envelope.encode() if isinstance(envelope, str) else canonical(envelope)


def files_of(folder: Path) -> dict[str, int]:
    """Sizes of a node's whole files, by the digest of what is in them."""
    found = {}
    for path in (folder / "blobs").glob("??/*"):
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
                permit = fact.body["decision"]["outcome"] == "permit"  # type: ignore[index,call-overload]
                (permitted.add if permit else permitted.discard)(key)
            case FactKind.AGREEMENT_SUSPENDED:
                suspended = True
            case FactKind.AGREEMENT_RESUMED:
                suspended = False
            case FactKind.RELEASE_SEQUENCED if suspended or key not in permitted:
                found += fact.body["blobs"]  # type: ignore[arg-type]
            case _:
                pass
    return found


def main() -> int:
    """Soak, count, print."""
    parser = argparse.ArgumentParser(description="Kill two nodes while they exchange, and count what is lost.")
    parser.add_argument("--kills", type=int, default=KILLS, help=f"end after so many kills (default: {KILLS})")
    parser.add_argument("--seconds", type=float, default=None, help="end after so long, whatever was killed (default: no limit)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the choices of a run (default: new ones)")
    parser.add_argument("--officer", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.officer is not None:
        be_officer(options.officer)
        return 0
    # However it is ended, nothing that it started is left running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    limit = f"{options.kills} kills" + ("" if options.seconds is None else f" or {options.seconds:g} s")
    print(f"soak: {limit}, --seed {seed}", file=sys.stderr)
    if FAKETIME is None:
        print("soak: no faketime here (Debian: apt-get install faketime): clocks stay as they are", file=sys.stderr)
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kizuna-soak-")))
        soak = Soak(root, random.Random(seed), options.kills)
        stack.callback(soak.stop)
        soak.disturb(options.seconds)
        soak.settle()
        figures = soak.figures()
    print(json.dumps(figures))
    return int(any(figures[name] for name in ("lost", "duplicated", "bytes_without_permit", "forks_undetected")))


if __name__ == "__main__":
    sys.exit(main())
