"""Fakes that ship: every port in memory. They pass the same suites as the adapters, and are as slow and plain as can be."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import secrets
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kizuna.adapters.certificates import node_certificate
from kizuna.adapters.memory_items import MemoryItems
from kizuna.adapters.sqlite import not_to_reseal
from kizuna.errors import Message, NotReleasable, PartnerMisbehaved, PartnerUnreachable, StoreError
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.manifest import Verifier, verify_whole
from kizuna.exchange.medium import open_sealed
from kizuna.exchange.transport import one_by_one
from kizuna.model.digests import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import timedelta
    from typing import BinaryIO

    from kizuna.catalog.store import Item
    from kizuna.exchange.manifest import Manifest
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import ProductId
    from kizuna.node.ports import LogEntry, Outgoing

__all__ = ["FixedClock", "MemoryBlobs", "MemoryKeys", "MemoryStore", "MemoryTransport"]


class FixedClock:
    """Clock that stands still until it is set."""

    __slots__ = ("_now",)

    def __init__(self, now: Instant) -> None:
        self._now = now

    def now(self) -> Instant:
        """Present instant."""
        return self._now

    def set(self, now: Instant) -> None:
        """Make it `now`."""
        self._now = now

    def pass_by(self, time: timedelta) -> None:
        """Let `time` pass."""
        self._now += time


class MemoryKeys:
    """Keys port in memory.

    Parameters
    ----------
    party
        Whose node it is.
    at
        Instant from which the certificate is valid.
    seed
        Makes signing key and randomness the same on every run (the certificate is fresh all the same); None: fresh ones.
    """

    __slots__ = ("_certificate_der", "_drawn", "_former_sealing", "_lock", "_next", "_sealing", "_seed", "_signing")

    def __init__(self, party: Party, at: Instant, seed: bytes | None = None) -> None:
        self._seed = secrets.token_bytes(32) if seed is None else hashlib.sha256(seed).digest()
        self._signing = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"sign" + self._seed).digest())
        self._former_sealing: list[X25519PrivateKey] = []
        self._sealing = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"seal" + self._seed).digest())
        self._certificate_der = node_certificate(party, ec.generate_private_key(ec.SECP256R1()), at)
        self._drawn = 0
        self._next: MemoryKeys | None = None
        self._lock = threading.Lock()

    @property
    def key_id(self) -> str:
        """Id of the signing key."""
        return key_id_of(self.public_key)

    @property
    def public_key(self) -> bytes:
        """Raw Ed25519 public key, 32 bytes."""
        return self._signing.public_key().public_bytes_raw()

    @property
    def certificate_der(self) -> bytes:
        """TLS certificate of the node, DER."""
        return self._certificate_der

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature of `message`."""
        return self._signing.sign(message)

    def make_next(self, party: Party, at: Instant) -> MemoryKeys:
        """Keys that are to take the place of these."""
        self._next = MemoryKeys(party, at, b"next" + self._seed)
        return self._next

    @property
    def following(self) -> MemoryKeys:
        """Keys that were made last."""
        return self if self._next is None else self._next

    def use(self, key_id: str) -> None:
        """Go over to the keys that were made last, if their signing key has this id."""
        if key_id == self.key_id:
            return
        if self._next is None or self._next.key_id != key_id:
            raise StoreError(Message("the keys {key} are not there", {"key": key_id}))
        self._signing, self._certificate_der, self._seed = self._next._signing, self._next._certificate_der, self._next._seed  # noqa: SLF001

    def random(self, count: int) -> bytes:
        """Bytes that nobody without the seed can predict."""
        with self._lock:
            self._drawn += 1
            return hashlib.shake_256(b"draw %d " % self._drawn + self._seed).digest(count)

    @property
    def sealing_key(self) -> bytes | None:
        """Raw X25519 public key to which removable media for this node are sealed."""
        return self._sealing.public_key().public_bytes_raw()

    def open_sealed(self, sealed: bytes, info: bytes) -> bytes:
        """What somebody sealed to one of the keys."""
        return open_sealed(sealed, [self._sealing, *self._former_sealing], info)

    @property
    def sealing_ids(self) -> tuple[str, ...]:
        """Ids of the keys for removable media, the present one first."""
        return tuple(key_id_of(key.public_key().public_bytes_raw()) for key in (self._sealing, *self._former_sealing))

    def rotate_sealing_key(self) -> bytes:
        """Put a new key for removable media in the place of the present one; give that one's public key."""
        former = self._sealing
        self._former_sealing.append(former)
        self._sealing = X25519PrivateKey.from_private_bytes(hashlib.sha256(b"seal" + former.private_bytes_raw()).digest())
        return former.public_key().public_bytes_raw()


class MemoryBlobs:
    """Blob store port in memory."""

    __slots__ = ("_blobs", "_derived", "_parts", "room_bytes")

    def __init__(self, *, room_bytes: int | None = None) -> None:
        self._blobs: dict[Digest, bytes] = {}
        self._derived: dict[tuple[Digest, str], bytes] = {}
        self._parts: dict[Digest, tuple[str, dict[int, bytes]]] = {}
        self.room_bytes = room_bytes

    def _keep(self, data: bytes) -> Digest:
        digest = digest_of(data)
        used = sum(len(blob) for kept, blob in self._blobs.items() if kept != digest)
        if self.room_bytes is not None and used + len(data) > self.room_bytes:
            raise StoreError(
                Message("the disk is full: {size} bytes could not be written", {"size": len(data)}),
                hint=Message("free some space, then try again; nothing was kept of the file"),
            )
        self._blobs[digest] = data
        return digest

    def put(self, source: BinaryIO | bytes) -> tuple[Digest, int]:
        """Store all bytes of `source`; give their digest and count."""
        data = source if isinstance(source, bytes) else source.read()
        return self._keep(data), len(data)

    def receive(self, manifest: Manifest, fetch: Callable[[Digest, int, int], bytes | memoryview], owner: str) -> int:
        """Store the blob of a manifest unless it is there; see `kizuna.node.ports.BlobStore.receive`."""
        if manifest.digest in self._blobs:
            return 0
        _, kept = self._parts.setdefault(manifest.digest, (owner, {}))
        verifier, fetched = Verifier(manifest), 0
        while not verifier.done:
            index = verifier.index
            if index in kept and verifier.takes(kept[index]):
                continue
            data = bytes(fetch(manifest.digest, *manifest.span(index)))
            verifier.take(data)
            fetched += len(data)
            kept[index] = data
        del self._parts[manifest.digest]
        self._keep(b"".join(kept[index] for index in range(verifier.index)))
        return fetched

    def receive_all(self, manifests: Sequence[Manifest], bodies: Iterable[bytes | memoryview]) -> None:
        """Store small blobs together; see `kizuna.node.ports.BlobStore.receive_all`."""
        for manifest, body in zip(manifests, bodies, strict=True):
            verify_whole(manifest, body)
            self._keep(bytes(body))

    def forget_parts(self, keep: Callable[[str, Digest], bool]) -> None:
        """Remove what broken transfers left, but for what `keep` says of its owner and digest."""
        self._parts = {digest: part for digest, part in self._parts.items() if keep(part[0], digest)}

    def open(self, digest: Digest) -> BinaryIO:
        """Open a stored blob for reading and seeking."""
        if digest not in self._blobs:
            raise StoreError(
                Message("{digest} is not stored", {"digest": digest}), hint=Message("check the node's folder and its permissions")
            )
        return io.BytesIO(self._blobs[digest])

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        return digest in self._blobs

    def discard(self, digest: Digest) -> None:
        """Remove a blob that nothing refers to, and what was derived from it; absent: nothing."""
        self._blobs.pop(digest, None)
        self._derived = {key: data for key, data in self._derived.items() if key[0] != digest}

    def derived(self, digest: Digest, name: str) -> BinaryIO | None:
        """Open what this node made of a blob; None where it is not there."""
        data = self._derived.get((digest, name))
        return None if data is None else io.BytesIO(data)

    def keep_derived(self, digest: Digest, name: str, data: bytes) -> None:
        """Keep something made of a blob; where there is no such blob, nothing."""
        if digest in self._blobs:
            self._derived[digest, name] = data


@dataclass(slots=True)
class _State:
    items: dict[ProductId, Item] = field(default_factory=dict)
    numbers: dict[ProductId, int] = field(default_factory=dict)
    removed: list[ProductId] = field(default_factory=list)
    put: int = 0
    log: list[LogEntry] = field(default_factory=list)
    checkpoint: str | None = None
    frontier: tuple[bytes, ...] = ()
    # None: it waits for its place in the feed. What is handed over once more stands there again, with its count.
    queue: dict[tuple[Party, ProductId, int], Outgoing | None] = field(default_factory=dict)
    receipts: dict[tuple[Party, int], bytes] = field(default_factory=dict)
    cursors: dict[Party, int] = field(default_factory=dict)
    notes: dict[tuple[Party, str], str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def copy(self) -> _State:
        """Copy whose containers are its own; the values in them never change."""
        return _State(*(copy.copy(getattr(self, name)) for name in self.__slots__))


class _Shared:
    """The durable state, and the state in which the thread that holds the transaction works."""

    def __init__(self) -> None:
        self._durable = _State()
        self._local = threading.local()
        self._writer = threading.Lock()

    def read(self) -> _State:
        working: _State | None = getattr(self._local, "working", None)
        return self._durable if working is None else working

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        if getattr(self._local, "working", None) is not None:
            msg = "a transaction within a transaction"
            raise RuntimeError(msg)
        with self._writer:
            working = self._local.working = self._durable.copy()
            try:
                yield
                self._durable = working
            finally:
                self._local.working = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[_State]:
        if getattr(self._local, "working", None) is not None:
            yield self.read()
            return
        with self.transaction():
            yield self.read()


def _out_of_order(what: str, got: int, expected: int) -> StoreError:
    return StoreError(
        Message("{what}: number {got} does not follow, expected {expected}", {"what": what, "got": got, "expected": expected}),
        hint=Message("another command was faster; try again"),
    )


class _Log:
    __slots__ = ("_shared",)

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared

    def size(self) -> int:
        return len(self._shared.read().log)

    def entries(self, start: int = 0) -> Iterator[LogEntry]:
        return iter(self._shared.read().log[max(0, start) :])

    def append(self, entries: Sequence[LogEntry], checkpoint: str, frontier: Sequence[bytes]) -> None:
        with self._shared.writing() as state:
            for index, entry in enumerate(entries, start=len(state.log)):
                if entry.index != index:
                    raise _out_of_order("log", entry.index, index)
            state.log.extend(entries)
            state.checkpoint, state.frontier = checkpoint, tuple(frontier)

    def checkpoint(self) -> str | None:
        return self._shared.read().checkpoint

    def frontier(self) -> tuple[bytes, ...]:
        return self._shared.read().frontier


class _Book:
    __slots__ = ("_shared",)

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared

    def _feed(self, partner: Party) -> list[Outgoing]:
        entries = [entry for (to, _, _), entry in self._shared.read().queue.items() if to == partner and entry is not None]
        return sorted(entries, key=lambda entry: entry.sequence)

    def _waiting(self, partner: Party, product: ProductId) -> tuple[Party, ProductId, int] | None:
        queue = self._shared.read().queue
        return next((key for key, entry in queue.items() if key[:2] == (partner, product) and entry is None), None)

    def enqueue(self, partner: Party, *products: ProductId) -> None:
        with self._shared.writing() as state:
            for product in products:
                state.queue.setdefault((partner, product, 1), None)

    def enqueue_again(self, partner: Party, product: ProductId) -> None:
        with self._shared.writing() as state:
            if self._waiting(partner, product) is None:
                count = sum(key[:2] == (partner, product) for key in state.queue)
                state.queue[partner, product, count + 1] = None

    def waiting(self, partner: Party) -> Iterator[ProductId]:
        queue = self._shared.read().queue
        return iter([product for (to, product, _), entry in queue.items() if to == partner and entry is None])

    def drop(self, partner: Party, product: ProductId) -> None:
        with self._shared.writing() as state:
            key = self._waiting(partner, product)
            if key is not None:
                del state.queue[key]

    def sequence(self, outgoing: Outgoing) -> None:
        with self._shared.writing() as state:
            following = self.last_sequence(outgoing.partner) + 1
            if outgoing.sequence != following:
                raise _out_of_order(f"feed for {outgoing.partner}", outgoing.sequence, following)
            key = self._waiting(outgoing.partner, outgoing.product)
            if key is None:
                raise StoreError(
                    Message("{product} does not wait for {partner}", {"product": outgoing.product, "partner": outgoing.partner}),
                    hint=Message("queue it first"),
                )
            state.queue[key] = outgoing

    def reseal(self, outgoing: Outgoing, *, confirmed: bool = False) -> None:
        with self._shared.writing() as state:
            stands = not confirmed and self.acknowledged(outgoing.partner) >= outgoing.sequence
            same = (outgoing.partner, outgoing.product, outgoing.sequence)
            held = [key for key, entry in state.queue.items() if entry is not None and (*key[:2], entry.sequence) == same]
            if not held or stands:
                raise not_to_reseal(outgoing)
            state.queue[held[0]] = outgoing

    def sequence_of(self, partner: Party, product: ProductId) -> int | None:
        return max((entry.sequence for entry in self._feed(partner) if entry.product == product), default=None)

    def last_sequence(self, partner: Party) -> int:
        return max((entry.sequence for entry in self._feed(partner)), default=0)

    def outgoing(self, partner: Party, after: int, limit: int) -> Sequence[Outgoing]:
        return [entry for entry in self._feed(partner) if entry.sequence > after][: max(0, limit)]

    def holding(self, partner: Party, blob: Digest) -> Sequence[Outgoing]:
        return [entry for entry in self._feed(partner) if blob in entry.blobs]

    def acknowledge(self, partner: Party, sequence: int, receipt: bytes) -> None:
        with self._shared.writing() as state:
            if all(entry.sequence != sequence for entry in self._feed(partner)):
                raise StoreError(
                    Message("the feed for {partner} has no entry {sequence}", {"partner": partner, "sequence": sequence}),
                    hint=Message("only what was handed out can be acknowledged"),
                )
            state.receipts.setdefault((partner, sequence), receipt)

    def acknowledged(self, partner: Party) -> int:
        return max((sequence for to, sequence in self._shared.read().receipts if to == partner), default=0)

    def cursor(self, partner: Party) -> int:
        return self._shared.read().cursors.get(partner, 0)

    def advance(self, partner: Party, sequence: int) -> None:
        with self._shared.writing() as state:
            following = self.cursor(partner) + 1
            if sequence != following:
                raise _out_of_order(f"feed of {partner}", sequence, following)
            state.cursors[partner] = sequence

    def note(self, partner: Party, name: str, value: str) -> None:
        with self._shared.writing() as state:
            state.notes[partner, name] = value

    def notes(self, partner: Party) -> dict[str, str]:
        return {name: value for (about, name), value in sorted(self._shared.read().notes.items()) if about == partner}


class MemoryStore:
    """Store port in memory. Threads may share it; each sees the durable state, or its own transaction's."""

    __slots__ = ("_book", "_items", "_log", "_shared")

    def __init__(self) -> None:
        self._shared = _Shared()
        self._items, self._log, self._book = MemoryItems(self._shared), _Log(self._shared), _Book(self._shared)

    @property
    def items(self) -> MemoryItems:
        """Items."""
        return self._items

    @property
    def log(self) -> _Log:
        """Log."""
        return self._log

    @property
    def book(self) -> _Book:
        """Exchange book."""
        return self._book

    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """All or nothing; see `kizuna.node.ports.Store.transaction`."""
        return self._shared.transaction()

    def setting(self, name: str) -> str | None:
        """Value kept under `name`; None if there is none."""
        return self._shared.read().settings.get(name)

    def settings_among(self, names: Iterable[str]) -> dict[str, str]:
        """Values kept under those of `names` under which there is one."""
        kept = self._shared.read().settings
        return {name: kept[name] for name in names if name in kept}

    def keep_setting(self, name: str, value: str) -> None:
        """Keep `value` under `name`."""
        with self._shared.writing() as state:
            state.settings[name] = value

    def keep_settings(self, values: Mapping[str, str]) -> None:
        """Keep each value under its name."""
        with self._shared.writing() as state:
            state.settings.update(values)

    def drop_setting(self, name: str) -> None:
        """Keep nothing under `name` any more; absent: nothing."""
        with self._shared.writing() as state:
            state.settings.pop(name, None)

    def settings(self, beginning: str) -> dict[str, str]:
        """Values kept under names that begin so, in the order of the names."""
        kept = sorted(self._shared.read().settings.items())
        return {name: value for name, value in kept if name.startswith(beginning)}

    def close(self) -> None:
        """Nothing is open."""


class _Answer(Protocol):
    @property
    def body(self) -> bytes: ...


class _Part(Protocol):
    @property
    def data(self) -> bytes: ...


class Desk(Protocol):
    """What the partner's node answers to its partners (`kizuna.web.exchange.PartnerDesk`, seen from below)."""

    def peer_of(self, fingerprint: str) -> Party | None:
        """Party whose certificate has this SHA-256."""
        ...

    def feed(self, peer: Party, after: int, limit: int) -> _Answer:
        """Page or refusal."""
        ...

    def blob(self, peer: Party, digest: Digest, offset: int, length: int) -> _Part | None:
        """Bytes of a blob."""
        ...

    def receipt(self, peer: Party, envelope: bytes) -> bool:
        """Whether the receipt was taken."""
        ...


class MemoryTransport:
    """Transport port that calls the partner's desk directly.

    Parameters
    ----------
    desk
        The partner's.
    certificate_der
        Ours, by which the desk knows us.
    """

    __slots__ = ("_desk", "_fingerprint", "reachable")

    def __init__(self, desk: Desk, certificate_der: bytes) -> None:
        self._desk = desk
        self._fingerprint = hashlib.sha256(certificate_der).hexdigest()
        self.reachable = True

    def _peer(self) -> Party:
        peer = self._desk.peer_of(self._fingerprint) if self.reachable else None
        if peer is None:
            raise PartnerUnreachable(
                Message("the partner's node does not answer this node"),
                hint=Message("check that the partner has pinned this node's certificate"),
            )
        return peer

    def feed(self, after: int, limit: int) -> bytes:
        """Fetch the feed page that follows entry `after`, or the signed refusal."""
        return self._desk.feed(self._peer(), after, limit).body

    def blob(self, digest: Digest, offset: int, length: int) -> bytes:
        """Fetch `length` bytes of a blob from `offset` on."""
        part = self._desk.blob(self._peer(), digest, offset, length)
        if part is None:
            raise NotReleasable(
                Message("the partner does not hand out {digest}", {"digest": digest}),
                hint=Message("ask the feed why: kizuna sync"),
            )
        if len(part.data) != length:
            raise PartnerMisbehaved(
                Message("the partner sent {got} bytes, expected {expected}", {"got": len(part.data), "expected": length}),
                hint=Message("receive again; if it happens twice, tell the partner's operator"),
            )
        return part.data

    def blobs(self, wanted: Sequence[tuple[Digest, int]]) -> Iterator[bytes | memoryview]:
        """Fetch whole blobs, one after the other."""
        return one_by_one(self, wanted)

    def receipt(self, envelope: bytes) -> None:
        """Hand over a signed receipt."""
        if not self._desk.receipt(self._peer(), envelope):
            raise PartnerMisbehaved(
                Message("the partner does not take the receipt"),
                hint=Message("tell the partner's operator; it is sent again next time"),
            )
