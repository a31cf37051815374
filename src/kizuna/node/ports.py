"""The ports of the use cases: clock, keys, blobs, log, exchange book, and the store that joins the last three.

Each has one contract suite (`tests/ports/`) that runs over every adapter and over the fake that ships (`adapters/memory.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from kizuna.catalog.store import ItemStore
    from kizuna.exchange.manifest import Manifest
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.product import ProductId

__all__ = [
    "BlobStore",
    "Clock",
    "ExchangeBook",
    "FactLog",
    "Keys",
    "LogEntry",
    "Medium",
    "NewMedium",
    "Outgoing",
    "Shelf",
    "Store",
    "TailAnchor",
]


class Clock(Protocol):
    """What time it is."""

    def now(self) -> Instant:
        """Present instant."""
        ...


class Keys(Protocol):
    """The node's own keys and its source of randomness. Private keys never leave the adapter."""

    @property
    def key_id(self) -> str:
        """Id of the signing key: SHA-256 of its raw public key, in hexadecimal."""
        ...

    @property
    def public_key(self) -> bytes:
        """Raw Ed25519 public key, 32 bytes."""
        ...

    @property
    def certificate_der(self) -> bytes:
        """TLS certificate of the node, DER."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature of `message`, 64 bytes."""
        ...

    def use(self, key_id: str) -> None:
        """Go over to the keys whose signing key has this id.

        Raises
        ------
        StoreError
            If they are not there.
        """
        ...

    def random(self, count: int) -> bytes:
        """Unpredictable bytes."""
        ...

    @property
    def sealing_key(self) -> bytes | None:
        """Raw X25519 public key to which removable media for this node are sealed, 32 bytes; None if it has none."""
        ...

    @property
    def sealing_ids(self) -> tuple[str, ...]:
        """Ids of the keys for removable media that are held, the present one first: former ones open what was made for them."""
        ...

    def open_sealed(self, sealed: bytes, info: bytes) -> bytes:
        """What somebody sealed to one of these keys by HPKE, as `kizuna.exchange.medium` does.

        Raises
        ------
        InputError
            If it was sealed to another key or under other `info`, was changed, or this node has no such key.
        """
        ...


class BlobStore(Protocol):
    """Files by content. What was put is durable when `put` returns, and never changes."""

    def put(self, source: BinaryIO | bytes) -> tuple[Digest, int]:
        """Store all bytes of `source`; give their digest and count. Storing again what is there is no error.

        Raises
        ------
        StoreError
            If the disk is full or cannot be written; nothing of the blob remains then.
        """
        ...

    def receive(self, manifest: Manifest, fetch: Callable[[Digest, int, int], bytes | memoryview], owner: str) -> int:
        """Store the blob of a manifest unless it is there, as it comes from `owner`; give the count of bytes that were fetched.

        Each chunk is verified before it counts. What counted outlives an error, and even this process: it is not fetched
        again, but verified again, and what does not verify is fetched.

        Parameters
        ----------
        manifest
            Signed manifest.
        fetch
            Gives the bytes of a digest from an offset, of a length (`Transport.blob`); they are used before it is called again.
        owner
            From whom the blob comes.

        Raises
        ------
        PartnerMisbehaved
            If a chunk does not verify.
        StoreError
            As for `put`.
        """
        ...

    def receive_all(self, manifests: Sequence[Manifest], bodies: Iterable[bytes | memoryview]) -> None:
        """Store small blobs, of one chunk at most each, together; `bodies` gives the bytes of each, in order.

        Each body is verified, and done with before the next one is asked for. What came whole before an error of the partner's
        is stored all the same.

        Raises
        ------
        PartnerMisbehaved
            If a body does not verify.
        StoreError
            As for `put`; nothing of the blobs remains then but what was there.
        """
        ...

    def forget_parts(self, keep: Callable[[str, Digest], bool]) -> None:
        """Remove what broken transfers left, but for what `keep` says of its owner and digest, or is being received now."""
        ...

    def open(self, digest: Digest) -> BinaryIO:
        """Open a stored blob for reading and seeking.

        Raises
        ------
        StoreError
            If it is not there.
        """
        ...

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there."""
        ...

    def discard(self, digest: Digest) -> None:
        """Remove a blob that nothing refers to, as when the rest of what it belongs to could not be kept; absent: nothing.

        What was derived from it goes with it.
        """
        ...

    def derived(self, digest: Digest, name: str) -> BinaryIO | None:
        """Open what this node made of a blob for itself; None where it is not there: it may be removed at any time."""
        ...

    def keep_derived(self, digest: Digest, name: str, data: bytes) -> None:
        """Keep something made of a blob beside it, whole or not at all; where there is no such blob, nothing.

        Raises
        ------
        StoreError
            If the disk is full or cannot be written.
        """
        ...


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of the log.

    Parameters
    ----------
    index
        Place in the log, from 0.
    salt
        32 random bytes that keep the leaf from telling what it commits to.
    envelope
        Signed envelope (DSSE, canonical JSON) of the fact.
    """

    index: int
    salt: bytes
    envelope: bytes


class FactLog(Protocol):
    """Append-only sequence of signed facts, with the latest signed checkpoint."""

    def size(self) -> int:
        """Count of entries."""
        ...

    def entries(self, start: int = 0) -> Iterator[LogEntry]:
        """Entries from index `start` on, in order."""
        ...

    def append(self, entries: Sequence[LogEntry], checkpoint: str, frontier: Sequence[bytes]) -> None:
        """Append `entries`, whose indices continue the log, with the signed checkpoint over the tree they complete.

        Raises
        ------
        StoreError
            If the indices do not continue the log, or the disk is full; nothing is appended then.
        """
        ...

    def checkpoint(self) -> str | None:
        """Latest signed checkpoint (C2SP signed note); None for an empty log."""
        ...

    def frontier(self) -> tuple[bytes, ...]:
        """Hashes of the perfect subtrees of the present tree, largest first (the compact range from 0)."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An entry of the feed for one partner, as it was signed.

    `product` is the id of the product that it hands out, or the key of a message (`kizuna.node.messages`), which none is like.
    """

    partner: Party
    sequence: int
    product: ProductId
    envelope: bytes
    blobs: tuple[Digest, ...]


class ExchangeBook(Protocol):
    """Who is to get what, who got what, and how far we have read each partner's feed."""

    def enqueue(self, partner: Party, *products: ProductId) -> None:
        """Queue products or messages for a partner, in this order; queueing one again is no error."""
        ...

    def enqueue_again(self, partner: Party, product: ProductId) -> None:
        """Queue a product that has its number once more: it will have another one as well. What waits already waits once."""
        ...

    def waiting(self, partner: Party) -> Iterator[ProductId]:
        """Queued products that have no sequence number yet, in the order of their queueing.

        They are read as they are asked for, and may be given their numbers meanwhile.
        """
        ...

    def drop(self, partner: Party, product: ProductId) -> None:
        """Take a waiting product out of the queue."""
        ...

    def sequence(self, outgoing: Outgoing) -> None:
        """Give a waiting product its place in the feed.

        Raises
        ------
        StoreError
            If the sequence number does not follow the partner's last one.
        """
        ...

    def reseal(self, outgoing: Outgoing, *, confirmed: bool = False) -> None:
        """Replace an entry's envelope and files under its number and product.

        With `confirmed` also one that the partner has confirmed, as when its node was restored and asks again for what was
        recalled since; its receipt stays.

        Raises
        ------
        StoreError
            If there is no such entry, or the partner has confirmed it.
        """
        ...

    def sequence_of(self, partner: Party, product: ProductId) -> int | None:
        """Last sequence number of the product or message in the partner's feed; None if it has none."""
        ...

    def last_sequence(self, partner: Party) -> int:
        """Last sequence number in the partner's feed; 0 for an empty one."""
        ...

    def outgoing(self, partner: Party, after: int, limit: int) -> Sequence[Outgoing]:
        """Entries of the partner's feed with a sequence number over `after`, at most `limit`, in order."""
        ...

    def holding(self, partner: Party, blob: Digest) -> Sequence[Outgoing]:
        """Entries of the partner's feed that hand out this blob."""
        ...

    def acknowledge(self, partner: Party, sequence: int, receipt: bytes) -> None:
        """Keep the partner's signed receipt for an entry; a second one for the same entry is ignored."""
        ...

    def acknowledged(self, partner: Party) -> int:
        """Highest sequence number for which the partner has sent a receipt; 0 for none."""
        ...

    def cursor(self, partner: Party) -> int:
        """Sequence number of the last entry that we took from the partner's feed; 0 for none."""
        ...

    def advance(self, partner: Party, sequence: int) -> None:
        """Move our cursor in the partner's feed to `sequence`, which must follow it.

        Raises
        ------
        StoreError
            If it does not follow.
        """
        ...

    def note(self, partner: Party, name: str, value: str) -> None:
        """Keep a word about a partner for the status page (``last_in``, ``last_refusal``): the latest value by name."""
        ...

    def notes(self, partner: Party) -> dict[str, str]:
        """Latest values that were noted about a partner."""
        ...


class Store(Protocol):
    """The node's durable state apart from blobs and keys. One transaction spans items, log and book."""

    @property
    def items(self) -> ItemStore:
        """Items."""
        ...

    @property
    def log(self) -> FactLog:
        """Log."""
        ...

    @property
    def book(self) -> ExchangeBook:
        """Exchange book."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing: what is written inside is durable when the block ends, or undone when it raises.

        Only one process holds a transaction at a time; it sees the newest state, and a reader outside sees the last
        durable one. Not reentrant.
        """
        ...

    def setting(self, name: str) -> str | None:
        """Value kept under `name` (credentials, tail stamp); None if there is none."""
        ...

    def settings_among(self, names: Iterable[str]) -> dict[str, str]:
        """Values kept under those of `names` under which there is one."""
        ...

    def keep_setting(self, name: str, value: str) -> None:
        """Keep `value` under `name`."""
        ...

    def keep_settings(self, values: Mapping[str, str]) -> None:
        """Keep each value under its name."""
        ...

    def drop_setting(self, name: str) -> None:
        """Keep nothing under `name` any more; absent: nothing."""
        ...

    def settings(self, beginning: str) -> dict[str, str]:
        """Values kept under names that begin so, in the order of the names."""
        ...


class TailAnchor(Protocol):
    """What is remembered of a log's tail outside the node's folder, so that an old copy of the folder is recognised."""

    def read(self) -> tuple[int, bytes] | None:
        """Count of entries and hash of the last leaf, as last kept; None if nothing is."""
        ...

    def keep(self, size: int, leaf: bytes) -> None:
        """Remember a count of entries and the hash of the last leaf."""
        ...


class Medium(Protocol):
    """A removable medium that is read: some files, which a stranger may have made."""

    @property
    def name(self) -> str:
        """Name by which a person knows it."""
        ...

    @property
    def sizes(self) -> Mapping[str, int]:
        """Length in bytes of each of its files, as they were when it was opened."""
        ...

    def read(self, name: str) -> bytes:
        """Whole bytes of one of its files.

        Raises
        ------
        InputError
            If it is not as long as it was when the medium was opened.
        PartnerUnreachable
            If the medium cannot be read any more.
        """
        ...


class NewMedium(Protocol):
    """A removable medium that is written. What is not finished is no medium."""

    @property
    def name(self) -> str:
        """Name by which a person will know it."""
        ...

    def begin(self, files: int, size: int) -> None:
        """Make it, if there is room for so many files of `size` bytes in all.

        Raises
        ------
        InputError
            If there is not, or it cannot be written.
        """
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write one file of it, durably.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        ...

    def finish(self) -> None:
        """Make a medium of what was written."""
        ...

    def discard(self) -> None:
        """Remove what was written so far."""
        ...


class Shelf(Protocol):
    """Media that came before those that go before them, as they came."""

    def names(self) -> Sequence[str]:
        """Names of the media that are held, in order."""
        ...

    def bytes_held(self) -> int:
        """Length of all of them in bytes."""
        ...

    def open(self, name: str) -> AbstractContextManager[Medium]:
        """Open one of them."""
        ...

    def new(self, id_: str) -> NewMedium:
        """One more, to be written; its name will end with `id_`."""
        ...

    def drop(self, name: str) -> None:
        """Hold one of them no longer; absent: nothing."""
        ...
