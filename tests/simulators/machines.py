"""Two nodes on machines whose power can be cut, the link between them, and what was promised to somebody outside.

A promise is what somebody relies on from then on: a command that returned, an entry or a piece of a file that a partner was
sent, a receipt that left or was taken. After a power cut, whatever arrived on the platter must hold all of them.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import hashlib
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kizuna.adapters.blobs import FileBlobs
from kizuna.adapters.memory import FixedClock, MemoryKeys, MemoryTransport
from kizuna.adapters.sqlite import SqliteStore
from kizuna.adapters.tail_anchor import FileTailAnchor
from kizuna.errors import InputError, Message, NotReleasable, PartnerUnreachable
from kizuna.exchange.answers import Fate
from kizuna.exchange.envelope import key_id_of, peek
from kizuna.exchange.messages import Alert
from kizuna.exchange.transport import one_by_one
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.canonical import canonical
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant, Interval
from kizuna.model.label import Label
from kizuna.model.product import ProductId
from kizuna.model.provenance import FactKind, fact_from_json
from kizuna.model.regions import area_of
from kizuna.node.founding import (
    found_node,
    record_agreement,
    resume_agreement,
    suspend_agreement,
)
from kizuna.node.journal import Journal
from kizuna.node.key_change import announce_keys, due_key, hand_over_statements, rotate_keys
from kizuna.node.messages import new_id
from kizuna.node.recall import order_recall, recall_of
from kizuna.node.receive import pull
from kizuna.node.requests import ask_partner, requests
from kizuna.node.share import Sharing
from kizuna.node.state import Node
from kizuna.node.take_messages import alerts, send_alert
from kizuna.node.withdrawals import answer_withdrawal, withdrawn_products
from simulators.disk import Disk, Kept, PowerCut
from simulators.nodes import HUR, IQPS, MARKINGS, START, World, agreement
from simulators.processes import confirmed_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party
    from kizuna.model.provenance import Fact

__all__ = ["Link", "Machines", "Promises", "lay_out"]

SHARE = "SHARE"
PARTIES = (IQPS, HUR)
NODE, STATE = "node", "state"
# Facts about entries of a feed, whatever they hand out.
NUMBERED = {"release.sequenced", "message.sequenced"}
TAKEN = {"product.received", "product.withdrawn", "message.received"}


_AREA = area_of("x", ((((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0)),),))
_SETS = ("served", "pieces", "stored", "acknowledged", "messages", "recalled")
# Announced keys come into use when the other side knows them, never before.
_LONG = timedelta(days=3650)


@dataclass(slots=True)
class Promises:
    """What somebody outside relies on.

    Parameters
    ----------
    published
        Products that were taken in; True where the agreement lets them go.
    suspended
        Whether the agreement is; None while an officer's command has not returned.
    served, pieces
        Digests of the entries, and of the files, that a partner was sent.
    stored
        Entries for which a receipt left.
    acknowledged
        Entries of which the receipt was taken.
    messages
        Ids of alerts and requests of the sender.
    recalled
        Products that the sender called back.
    keys
        Ids of the signing keys of both parties, as they were last said to be announced or in use.
    """

    published: dict[str, bool] = field(default_factory=dict)
    suspended: bool | None = False
    served: set[str] = field(default_factory=set)
    pieces: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    recalled: set[str] = field(default_factory=set)
    keys: dict[str, str] = field(default_factory=dict)

    def copy(self) -> Promises:
        """Promises as they stand."""
        return dataclasses.replace(
            self,
            published=dict(self.published),
            keys=dict(self.keys),
            **{name: set(getattr(self, name)) for name in _SETS},
        )


class Link:
    """Way from the receiver to the sender: notes what is promised over it, and can fail.

    Parameters
    ----------
    far
        The sender, as the receiver reaches it; it does not answer any more once its power was cut.
    promises
        Where to note.
    fault
        Asked before each request: ``lost`` before it arrives, ``unanswered`` after it was done, ``twice``; else None.
    """

    def __init__(self, far: MemoryTransport, promises: Promises, fault: Callable[[], str | None]) -> None:
        self._far, self._promises, self._fault = far, promises, fault

    def _ask[T](self, ask: Callable[[], T]) -> T:
        fault = self._fault()
        if fault == "lost":
            raise PartnerUnreachable(Message("lost"))
        try:
            if fault == "twice":
                ask()
            answer = ask()
        except PowerCut as cut:
            raise PartnerUnreachable(Message("dead")) from cut
        if fault == "unanswered":
            raise PartnerUnreachable(Message("unanswered"))
        return answer

    def feed(self, after: int, limit: int) -> bytes:
        """Page of the feed."""

        def ask() -> bytes:
            body = self._far.feed(after, limit)
            page = json.loads(body)
            self._promises.served |= {digest_of(canonical(entry)) for entry in page.get("entries", ())}
            return body

        return self._ask(ask)

    def blob(self, digest: Digest, offset: int, length: int) -> bytes:
        """Piece of a file."""

        def ask() -> bytes:
            data = self._far.blob(digest, offset, length)
            self._promises.pieces.add(digest)
            return data

        return self._ask(ask)

    def blobs(self, wanted: Sequence[tuple[Digest, int]]) -> Iterator[bytes | memoryview]:
        """Whole files."""
        return one_by_one(self, wanted)

    def receipt(self, envelope: bytes) -> None:
        """Hand a receipt over."""
        said: dict[str, Any] = peek(envelope)  # type: ignore[assignment]
        if "entry" not in said:
            # A statement about the receiver's keys.
            self._ask(lambda: self._far.receipt(envelope))
            return
        entries = {said["entry"], *said.get("before", ())}
        self._promises.stored |= entries
        self._ask(lambda: self._far.receipt(envelope))
        self._promises.acknowledged |= entries


@functools.lru_cache(maxsize=4096)
def _fact(envelope: bytes) -> Fact:
    # The same entries are looked at after each of hundreds of power cuts.
    return fact_from_json(peek(envelope))


def lay_out(folder: Path, files: Mapping[str, bytes | None]) -> Path:
    """Write a disk's files into a folder."""
    for name, data in sorted(files.items()):
        path = folder / name
        if data is None:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.write_bytes(data)
    return folder


class Machines:
    """Sender and receiver, each on its machine.

    Parameters
    ----------
    folder
        Empty folder in which to work.
    """

    def __init__(self, folder: Path, on_step: Callable[[Party, str], None] | None = None) -> None:
        self.folder = folder
        self.on_step = on_step or (lambda _party, _what: None)
        self.clock = FixedClock(START)
        self.keys = {party: MemoryKeys(party, START, party.encode()) for party in PARTIES}
        self._names = {party: keys.key_id for party, keys in self.keys.items()}
        self.promises = Promises()
        self.disks: dict[Party, Disk] = {}
        self.places = dict.fromkeys(PARTIES, "here")
        self.fault: Callable[[], str | None] = lambda: None
        self._boots = 0
        self._world = World(self.clock)
        self._number = 0
        for party in PARTIES:
            # Made durable by `kizuna.wiring.make_node`.
            self.boot(party, {NODE: None})
            found_node(self.node(party), MARKINGS, ())
            self._world.tick()
        self._world.befriend(*PARTIES)
        record_agreement(self.node(IQPS), agreement(), NO_CIVIL_DATES, [SHARE])
        self._world.tick()

    # ---- machines

    def node(self, party: Party) -> Node:
        """Node that runs on a party's machine."""
        return self._world.nodes[party]

    def boot(self, party: Party, files: Mapping[str, bytes | None] | None = None, cut_at: int | None = None) -> None:
        """Start the machine with these files on its disk; with those that it has by default. It may lose its power again."""
        if files is None:
            files = self.disks[party].seen()
        if party in self.disks:
            self._leave(party)
        self._boots += 1
        root = self.folder / f"{self._boots}"
        root.mkdir()
        disk = self.disks[party] = Disk(lay_out(root, files), lambda what: self.on_step(party, what))
        disk.cut_at = cut_at
        self._world.nodes[party] = self._open(party, disk.path(NODE), disk.path(STATE))

    def _leave(self, party: Party) -> None:
        """Be done with a machine: what its process still closes is noted nowhere."""
        self.disks[party].leave()
        if party in self._world.nodes:
            self.node(party).store.close()

    def close(self) -> None:
        """Be done with both."""
        for party in self.disks:
            self._leave(party)

    def _open(self, party: Party, folder: Path, state: Path) -> Node:
        keys = self.keys[party]
        store = SqliteStore(folder / "node.sqlite")
        journal = Journal(party, store, keys, self.clock)
        try:
            blobs = FileBlobs(folder / "blobs")
        except PowerCut:
            self.disks[party].leave()
            store.close()
            raise
        return Node(journal, blobs, lambda: self.places[party], "officer", FileTailAnchor(state, self._names[party]))

    def power_cut(self, party: Party, kept: Kept, seed: int = 0, cut_at: int | None = None) -> None:
        """Cut a machine's power and start it again, a minute later."""
        disk = self.disks[party]
        disk.cut()
        self.boot(party, disk.after_cut(kept, seed), cut_at)
        disk.cut_at = None
        self.tick(minutes=1)

    def image(self, party: Party, kept: Kept, seed: int) -> tuple[dict[str, bytes | None], dict[str, bytes | None]]:
        """What lies on both disks if the power of one is cut now."""
        files = {p: disk.after_cut(kept, seed) if p == party else disk.seen() for p, disk in self.disks.items()}
        return files[IQPS], files[HUR]

    @contextlib.contextmanager
    def recovered(self, folder: Path, image: tuple[Mapping[str, bytes | None], ...]) -> Iterator[Machines]:
        """Both machines with what lies on their disks: another pair, for looking at."""
        other = object.__new__(Machines)
        other.__dict__ |= self.__dict__
        other.clock = FixedClock(self.clock.now())
        # Machines take a while to start.
        other._world = World(other.clock)
        other.tick(minutes=1)
        other.promises = self.promises.copy()
        other.keys = {party: copy.copy(keys) for party, keys in self.keys.items()}
        other.fault = lambda: None
        for party, files in zip(PARTIES, image, strict=True):
            root = lay_out(folder / party.replace("/", "-"), {".": None} | files)
            other._world.nodes[party] = other._open(party, root / NODE, root / STATE)
        try:
            yield other
        finally:
            for node in other._world.nodes.values():
                node.store.close()

    # ---- what people and nodes do

    def tick(self, **time: float) -> None:
        """Let time pass."""
        self._world.tick(**time)

    def publish(self, *, withheld: bool = False) -> None:
        """Take in a product, which goes to the receiver unless it is withheld."""
        self._number += 1
        label = Label("JPN", "UNCLASSIFIED", IQPS, START, releasable_to=() if withheld else None)
        product = self._world.take_in(IQPS, self._number, label=label)
        self.promises.published[product.id] = not withheld

    def suspend(self) -> None:
        """Suspend the agreement."""
        before, self.promises.suspended = self.promises.suspended, None
        assert not before
        suspend_agreement(self.node(IQPS), SHARE, "test", "test")
        self.promises.suspended = True
        self.tick()

    def resume(self) -> None:
        """Resume it."""
        self.promises.suspended = None
        resume_agreement(self.node(IQPS), SHARE, "test")
        self.promises.suspended = False
        self.tick()

    def alert(self) -> None:
        """Send the receiver an alert."""
        node = self.node(IQPS)
        made = Alert(new_id(node), "test", Label("JPN", "UNCLASSIFIED", IQPS, node.now()))
        with suppress(NotReleasable):
            send_alert(node, HUR, made, "test")
            self.promises.messages.add(made.id)
        self.tick()

    def ask(self) -> None:
        """Ask the receiver for products."""
        begin = self.clock.now()
        made = ask_partner(self.node(IQPS), HUR, "imagery", _AREA, Interval(begin, Instant(begin + _LONG)), None, "test")
        self.promises.messages.add(made.ask.id)
        self.tick()

    def recall(self) -> None:
        """Call a product back, the last one that was not; the receiver answers what it was told before."""
        for one in withdrawn_products(self.node(HUR)):
            if one.fate is None:
                answer_withdrawal(self.node(HUR), one.product, Fate.DESTROYED, None, "test")
        left = [product for product in self.promises.published if product not in self.promises.recalled]
        if left:
            item = self.node(IQPS).store.items.get(ProductId(left[-1]))
            assert item is not None
            # One that an officer ordered and was cut off at may stand already.
            with suppress(InputError):
                order_recall(self.node(IQPS), item.product, "test", "test")
            self.promises.recalled.add(left[-1])
        self.tick()

    def change_keys(self, party: Party) -> None:
        """Announce new keys, or go over to them where the other side knows them."""
        node = self.node(party)
        announced = node.knowledge().announced
        if announced is None:
            announced = announce_keys(node, self.keys[party].make_next(party, node.now()), _LONG)
        elif due_key(node) is not None:
            rotate_keys(node, self.keys[party].following)
        self.promises.keys[party] = announced.key_id
        self.tick()

    def sync(self) -> int:
        """Let the receiver pull once; give how many products came."""
        receiver, sender = self.node(HUR), self.node(IQPS)
        way = Link(MemoryTransport(Sharing(sender), receiver.keys.certificate_der), self.promises, self.fault)
        receiver.require_confirmed()
        hand_over_statements(receiver, IQPS, way)
        report = pull(receiver, receiver.partner(IQPS), way)
        # As a process that ends does.
        receiver.is_confirmed()
        sender.is_confirmed()
        self.tick()
        return len(report.received)

    # ---- what must hold

    def facts(self, party: Party) -> list[Fact]:
        """All that a node's log says; to be verified."""
        return [_fact(entry.envelope) for entry in self.node(party).store.log.entries()]

    def is_suspended(self) -> bool:
        """Whether the agreement is suspended, as the sender's log says."""
        kinds = [fact.kind for fact in self.facts(IQPS)]
        turns = [k for k in kinds if k in {FactKind.AGREEMENT_SUSPENDED, FactKind.AGREEMENT_RESUMED}]
        return bool(turns) and turns[-1] is FactKind.AGREEMENT_SUSPENDED

    def assert_promises_hold(self) -> None:
        """Compare what lies on the disks with what was promised."""
        promises = self.promises
        for party in PARTIES:
            node = self.node(party)
            node.journal.verify()
            assert node.is_confirmed(), f"{party} was locked out by a power cut"
            self._assert_files_whole(party)
        sent, got = self.facts(IQPS), self.facts(HUR)
        if promises.suspended is not None:
            assert self.is_suspended() == promises.suspended, "a suspension or resumption was forgotten"
        for product in promises.published:
            item = self.node(IQPS).store.items.get(product)
            assert item is not None, f"published and forgotten: {product}"
            assert all(self.node(IQPS).blobs.has(asset.digest) for asset in item.product.assets), f"files lost: {product}"
        numbered = [f for f in sent if f.kind in NUMBERED]
        numbers = list(dict.fromkeys(fact.body["sequence"] for fact in numbered))
        assert numbers == list(range(1, len(numbers) + 1)), f"the feed has gaps: {numbers}"
        assert promises.served <= {fact.body["entry"] for fact in numbered}, "an entry was served that the log does not hold"
        released = {blob for fact in numbered for blob in fact.body.get("blobs", ())}
        assert promises.pieces <= released, "bytes were served that the log does not release"
        self._assert_permitted(sent)
        receipts = [fact.body for fact in sent if fact.kind is FactKind.RECEIPT_RECEIVED]
        taken = {entry for body in receipts for entry in (body["entry"], *body.get("before", ()))}  # type: ignore[misc]
        assert promises.acknowledged <= taken, "a receipt was taken and forgotten"
        received = {fact.body["sequence"]: fact.body["entry"] for fact in got if fact.kind in TAKEN}
        cursor = self.node(HUR).store.book.cursor(IQPS)
        # Of a checkpoint that it took a node records no fact.
        marks = {f.body["sequence"]: f.body["entry"] for f in numbered if f.body.get("type") == "checkpoint"}
        came = received | {number: entry for number, entry in marks.items() if number <= cursor}  # type: ignore[operator]
        assert sorted(came) == list(range(1, cursor + 1)), "the inbox has gaps"  # type: ignore[type-var]
        assert promises.stored <= set(came.values()), "acknowledged, and lost"
        self._assert_held(got)
        self._assert_keys()

    def _assert_held(self, got: list[Fact]) -> None:
        node = self.node(HUR)
        facts = [fact for fact in got if fact.kind is FactKind.PRODUCT_RECEIVED]
        held = {item.product.id for item in node.store.items.all()}
        hidden = {one.product for one in withdrawn_products(node)}
        came = {fact.body["product"]["id"]: fact.body["blobs"] for fact in facts}  # type: ignore[index,call-overload]
        assert set(came) - hidden == held
        for product in held:
            assert all(node.blobs.has(blob) for blob in came[product]), "acknowledged, and its files lost"  # type: ignore[union-attr,arg-type]

    def _assert_keys(self) -> None:
        for party, key in self.promises.keys.items():
            node = self.node(party)
            announced = node.knowledge().announced
            held = {node.keys.key_id} | ({announced.key_id} if announced is not None else set())
            assert key in held, f"announced keys forgotten at {party}"

    def _assert_errands_done(self, got: list[Fact]) -> None:
        """Alerts and requests came once, recalls hid what they called back and were answered, keys are known."""
        promises, receiver = self.promises, self.node(HUR)
        bodies = [
            fact.body for fact in got if fact.kind is FactKind.MESSAGE_RECEIVED and fact.body["type"] in {"alert", "request"}
        ]
        came = Counter(body["content"]["id"] for body in bodies)  # type: ignore[index,call-overload]
        assert set(came.values()) <= {1}, f"said twice: {came}"
        assert promises.messages <= set(came), "a message was lost"
        kept = [line.alert.id for line in alerts(receiver)] + [request.ask.id for request in requests(receiver)]
        assert sorted(kept) == sorted(came)  # type: ignore[type-var]
        held = {item.product.id for item in receiver.store.items.all()}
        assert not promises.recalled & held, "called back, and shown"
        for one in withdrawn_products(receiver):
            recall = recall_of(self.node(IQPS), HUR, one.product)
            assert recall is not None
            assert recall.fate == one.fate, "the answer to a recall was lost"
        for party, other in (PARTIES, PARTIES[::-1]):
            if party in promises.keys:
                known = {key_id_of(key) for key in self.node(other).partner(party).keys}
                assert promises.keys[party] in known, f"{other} was not told of the keys of {party}"

    def _assert_files_whole(self, party: Party) -> None:
        """Each stored file must be what its name says."""
        for path in (self.node(party).blobs._folder).glob("??/*"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.parent.name + path.name, f"torn file at {party}"

    @staticmethod
    def _assert_permitted(sent: list[Fact]) -> None:
        """Each release follows its permit, and none went while the agreement was suspended."""
        permitted: set[object] = set()
        suspended = False
        for fact in sent:
            match fact.kind:
                case FactKind.AGREEMENT_SUSPENDED | FactKind.AGREEMENT_RESUMED:
                    suspended = fact.kind is FactKind.AGREEMENT_SUSPENDED
                case FactKind.DECISION_MADE:
                    permit = fact.body["decision"]["outcome"] == "permit"  # type: ignore[index,call-overload]
                    (permitted.add if permit else permitted.discard)(fact.body["product"])
                case FactKind.RELEASE_SEQUENCED:
                    assert fact.body["product"] in permitted, "released without a permit"
                    assert not suspended, "released while suspended"
                case _:
                    pass

    def settle(self) -> None:
        """Let everything arrive, and see that it did, once."""
        self.fault = lambda: None
        if self.is_suspended():
            self.resume()
        self.promises.suspended = False
        while self.sync():
            pass
        self.assert_promises_hold()
        got = [f for f in self.facts(HUR) if f.kind is FactKind.PRODUCT_RECEIVED]
        came = Counter(fact.body["product"]["id"] for fact in got)  # type: ignore[index,call-overload]
        assert set(came.values()) <= {1}, f"doubled: {came}"
        permitted = {product for product, permit in self.promises.published.items() if permit}
        # What was published when the power was cut may be there without having been promised.
        items = {i.product.id for i in self.node(IQPS).store.items.all() if i.product.label.releasable_to is None}
        assert permitted <= items
        recalled = {str(f.body["product"]) for f in self.facts(IQPS) if f.kind is FactKind.RECALL_ORDERED}
        assert items - recalled <= set(came) <= items, "lost, or leaked"
        self._assert_errands_done(self.facts(HUR))
        sent = self.facts(IQPS)
        taken = {number for f in sent if f.kind is FactKind.RECEIPT_RECEIVED for number in confirmed_by(f)}
        numbers = {f.body["sequence"] for f in sent if f.kind in NUMBERED}
        assert taken == numbers, "not acknowledged"
