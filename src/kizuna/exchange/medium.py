"""Media: the signed bytes of a feed, its files and receipts, sealed to one receiver, in pieces that lie in one folder. No I/O.

A medium is a header and numbered segments. The header bears a marker and the id of the receiver's sealing key, and a content
key under HPKE (RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM), whose ``info`` is the readable line.
The segments are one stream under AES-256-GCM: the nonce is the segment's number and whether it is the last one, the associated
data the whole header. The stream begins with the contents, which the sender signs; the parts follow in their order.

# INVARIANT: nothing of a medium can be read without the receiver's key but the marker, that key's id, and how long all is.
# INVARIANT: HPKE's base mode proves nothing about who made it. The signature of the contents does, as those of its parts do.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from kizuna.errors import InputError, Message, PartnerMisbehaved
from kizuna.exchange.envelope import MOST_ENVELOPE_BYTES, key_id_of, peek, seal, unseal
from kizuna.exchange.feed import MOST_RECEIPT_BYTES
from kizuna.model.digests import digest_of, parse_digest
from kizuna.model.instants import format_instant
from kizuna.model.reading import Table, open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import NoReturn

    from kizuna.exchange.envelope import Signer
    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party

__all__ = [
    "CONTENTS_TYPE",
    "HEADER_BYTES",
    "HEADER_NAME",
    "KEY_BYTES",
    "MOST_PARTS",
    "MOST_RECEIPTS",
    "MOST_SEGMENTS",
    "SEGMENT_BYTES",
    "SUITE",
    "Contents",
    "Part",
    "Stream",
    "contents_of",
    "foreign",
    "is_medium",
    "length_of_files",
    "make_header",
    "make_segments",
    "no_sealing_key",
    "open_sealed",
    "printable",
    "receiver_key_of",
    "seal_contents",
    "sealed_key_of",
    "segment_name",
    "sender_of",
    "size_of_files",
]

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
"""HPKE as media use it."""
CONTENTS_TYPE = "application/vnd.kizuna.medium.1+json"
_SCHEMA = "kizuna/medium/1"

HEADER_NAME = "kizuna.medium"
SEGMENT_BYTES = 4 * 2**20
"""Bytes of the stream in every segment but the last."""
KEY_BYTES = 32
MOST_SEGMENTS = 1_000_000
MOST_PARTS = 20_000
"""Most entries, receipts and files together on one medium."""
MOST_RECEIPTS = 5_000
"""Most receipts on one medium."""

_MARK = b"kizuna-medium/1"
_TAG_BYTES = 16
_FIRST_LINE_BYTES = len(_MARK) + 1 + 64 + 1
HEADER_BYTES = _FIRST_LINE_BYTES + 32 + KEY_BYTES + _TAG_BYTES
"""Length of a header: its line, the encapsulated key, the sealed content key."""
_FIRST_LINE = re.compile(rb"kizuna-medium/1 ([0-9a-f]{64})\n")
_LENGTH_BYTES = 8
_NUMBER_BYTES = 11
_MOST_BYTES = 2**53 - 1
_ID = re.compile(r"[a-z2-7]{26}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """One entry, receipt or file on a medium: SHA-256 and length in bytes."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What lies on a medium, in order: the entries, the receipts, the files.

    Parameters
    ----------
    sender, receiver
        Who made it for whom. The sender signs.
    id
        Random name of the medium, 26 characters a-z and 2-7.
    after
        The entries are those of the sender's feed for the receiver that follow this number, without a gap.
    entries
        Envelopes of entries, as the feed serves them.
    receipts
        Signed receipts and answers of the sender, for the receiver's own feed.
    files
        Files that the entries promise, each once.
    taken
        Digests of receipts of the receiver that the sender has taken from media: they need not come again.
    made_at
        When it was made.
    """

    sender: Party
    receiver: Party
    id: str
    after: int
    entries: tuple[Part, ...]
    receipts: tuple[Part, ...]
    files: tuple[Part, ...]
    taken: tuple[Digest, ...]
    made_at: Instant

    @property
    def last(self) -> int:
        """Number of the last entry; `after` where there is none."""
        return self.after + len(self.entries)

    @property
    def parts(self) -> tuple[Part, ...]:
        """All parts in the order in which they stand in the stream."""
        return (*self.entries, *self.receipts, *self.files)


def printable(name: str) -> str:
    r"""File name as it may be printed: whoever made the medium chose it.

    Examples
    --------
    >>> printable("港\x1b[2J.bin")
    '港\\x1b[2J.bin'
    """
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in name)


def _damaged(file: str, why: Message) -> NoReturn:
    name = printable(file)
    raise InputError(
        Message("{file}: {why}", {"file": name, "why": why}),
        hint=Message("the medium is damaged or was changed: ask the partner for another one; what was taken before stays"),
        field=name,
    )


def foreign(key_id: str) -> InputError:
    """Error of a medium that was made for another node."""
    return InputError(
        Message("{file}: this medium was made for the key {key}, which is not this node's", {"file": HEADER_NAME, "key": key_id}),
        hint=Message("give it to the node for which it was made, or ask the partner to pin this node's card again"),
        field=HEADER_NAME,
    )


# ---- header


def make_header(content_key: bytes, receiver_key: bytes) -> bytes:
    """Header that hands the content key to the holder of a raw X25519 public key.

    Raises
    ------
    InputError
        If nothing can be sealed to that key.
    """
    line = b"%b %b\n" % (_MARK, key_id_of(receiver_key).encode())
    try:
        return line + SUITE.encrypt(content_key, X25519PublicKey.from_public_bytes(receiver_key), line)
    except ValueError as error:
        raise InputError(
            Message("nothing can be sealed to the partner's key for removable media: {why}", {"why": str(error)}),
            hint=Message("ask the partner for a new card, then: kizuna partner add FILE"),
            field="sealing_key",
        ) from error


def receiver_key_of(header: bytes) -> str:
    """Id of the sealing key for which a medium was made.

    Raises
    ------
    InputError
        If it is no header of this version.
    """
    match = _FIRST_LINE.match(header)
    if match is None or len(header) != HEADER_BYTES:
        _damaged(HEADER_NAME, Message("it is not the beginning of a medium of this version of kizuna"))
    return match[1].decode()


def sealed_key_of(header: bytes) -> tuple[bytes, bytes]:
    """HPKE ciphertext of the content key (encapsulated key first), and its ``info``."""
    return header[_FIRST_LINE_BYTES:], header[:_FIRST_LINE_BYTES]


def no_sealing_key() -> InputError:
    """Error of a node that was made before there were removable media."""
    return InputError(
        Message("this node has no key to open removable media with"),
        hint=Message("make one with: kizuna exchange key; then give the new card to the partners"),
        field=HEADER_NAME,
    )


def open_sealed(sealed: bytes, private_keys: Iterable[X25519PrivateKey], info: bytes) -> bytes:
    """Content key of a header, by whichever of the keys opens it.

    Raises
    ------
    InputError
        If it was sealed to another key or under other `info`, was changed, or there is no key.
    """
    keys = list(private_keys)
    if not keys:
        raise no_sealing_key()
    for key in keys:
        with suppress(InvalidTag, ValueError):
            return SUITE.decrypt(sealed, key, info)
    _damaged(HEADER_NAME, Message("its key cannot be opened"))


# ---- files of the folder


def segment_name(index: int) -> str:
    """File name of a segment.

    Examples
    --------
    >>> segment_name(0)
    '00000000.kzm'
    """
    return f"{index:08d}.kzm"


def is_medium(names: Iterable[str]) -> bool:
    """Whether a folder with files of these names is meant to be a medium."""
    return HEADER_NAME in set(names)


def size_of_files(length: int, segment_bytes: int = SEGMENT_BYTES) -> tuple[int, int]:
    """Count of files, and their bytes in all, of a medium whose stream is so long.

    Examples
    --------
    >>> size_of_files(5, 4)
    (3, 198)
    """
    segments = -(-length // segment_bytes)
    return segments + 1, HEADER_BYTES + length + segments * _TAG_BYTES


def length_of_files(sizes: Mapping[str, int], segment_bytes: int = SEGMENT_BYTES) -> int:
    """Length of a medium's stream, from the names and lengths of the files in its folder.

    Raises
    ------
    InputError
        Naming a file that is missing, superfluous or of another length than it must have.
    """
    if sizes.get(HEADER_NAME) != HEADER_BYTES:
        got = Message("{bytes} bytes", {"bytes": sizes[HEADER_NAME]}) if HEADER_NAME in sizes else Message("nothing")
        _damaged(HEADER_NAME, Message("got {got}, expected {expected} bytes", {"got": got, "expected": HEADER_BYTES}))
    count = len(sizes) - 1
    if count > MOST_SEGMENTS:
        _damaged(HEADER_NAME, Message("more than {most} files lie beside it", {"most": MOST_SEGMENTS}))
    expected = [segment_name(index) for index in range(max(1, count))]
    for name in sorted(set(sizes) - {HEADER_NAME, *expected}):
        _damaged(name, Message("no such file belongs to the medium, or one before it is missing"))
    for name in expected:
        if name not in sizes:
            _damaged(name, Message("the file is missing"))
        whole, size = segment_bytes + _TAG_BYTES, sizes[name]
        if size > whole or size <= _TAG_BYTES or (size != whole and name != expected[-1]):
            _damaged(name, Message("got {got} bytes, expected {expected}", {"got": size, "expected": whole}))
    return sum(sizes[name] - _TAG_BYTES for name in expected)


# ---- contents


def _parts_to_json(parts: Iterable[Part]) -> list[Json]:
    return [{"digest": part.digest, "size": part.size} for part in parts]


def seal_contents(contents: Contents, signer: Signer) -> bytes:
    """Beginning of the stream: the contents, signed by the sender, behind their length."""
    form: dict[str, Json] = {
        "schema": _SCHEMA,
        "sender": contents.sender,
        "receiver": contents.receiver,
        "id": contents.id,
        "after": contents.after,
        "entries": _parts_to_json(contents.entries),
        "receipts": _parts_to_json(contents.receipts),
        "files": _parts_to_json(contents.files),
        "taken": list(contents.taken),
        "made_at": format_instant(contents.made_at),
    }
    envelope = seal(CONTENTS_TYPE, form, signer)
    return len(envelope).to_bytes(_LENGTH_BYTES, "big") + envelope


def _read_parts(table: Table, name: str, most_bytes: int) -> tuple[Part, ...]:
    found = []
    for row in table.tables(name):
        part = Part(parse_digest(row.text("digest"), field=row.field("digest")), row.integer("size"))
        if part.size > most_bytes:
            row.fault("size", Message("at most {most} bytes", {"most": most_bytes}))
        row.done()
        found.append(part)
    if max(Counter(part.digest for part in found).values(), default=0) > 1:
        table.fault(name, Message("each part once"))
    return tuple(found)


def _read_contents(document: object) -> Contents:
    table = open_table(document, schema=_SCHEMA, what="medium")
    contents = Contents(
        sender=table.party("sender"),
        receiver=table.party("receiver"),
        id=table.text("id", longest=64),
        after=table.integer("after"),
        entries=_read_parts(table, "entries", MOST_ENVELOPE_BYTES),
        receipts=_read_parts(table, "receipts", MOST_RECEIPT_BYTES),
        files=_read_parts(table, "files", _MOST_BYTES),
        taken=tuple(parse_digest(text, field="taken") for text in table.texts("taken")),
        made_at=table.instant("made_at"),
    )
    table.done()
    if not _ID.match(contents.id):
        table.fault("id", Message("26 characters a-z and 2-7"))
    if len(contents.parts) > MOST_PARTS:
        table.fault("files", Message("at most {most} parts in all", {"most": MOST_PARTS}))
    if len(contents.taken) > MOST_RECEIPTS or len(contents.receipts) > MOST_RECEIPTS:
        table.fault("receipts", Message("at most {most} receipts", {"most": MOST_RECEIPTS}))
    return contents


def _contents_fault(error: InputError | PartnerMisbehaved) -> NoReturn:
    _damaged(segment_name(0), Message("its contents cannot be used: {why}", {"why": error.message}))


def sender_of(envelope: bytes) -> str:
    """Who says to have made a medium; nothing is verified.

    Raises
    ------
    InputError
        If that cannot be read.
    """
    try:
        form = peek(envelope)
        if not isinstance(form, dict):
            _damaged(segment_name(0), Message("its contents cannot be read"))
        return Table(form).party("sender")
    except (InputError, PartnerMisbehaved) as error:
        _contents_fault(error)


def contents_of(envelope: bytes, public_key: bytes, stream_bytes: int) -> Contents:
    """Contents that the holder of `public_key` signed.

    Parameters
    ----------
    envelope
        As it stands in the stream.
    public_key
        Raw Ed25519 public key of the sender.
    stream_bytes
        Length of the stream.

    Raises
    ------
    InputError
        If signature or form are off, or the parts do not make up the stream.
    """
    try:
        contents = _read_contents(unseal(envelope, public_key, CONTENTS_TYPE))
    except (InputError, PartnerMisbehaved) as error:
        _contents_fault(error)
    told = _LENGTH_BYTES + len(envelope) + sum(part.size for part in contents.parts)
    if told != stream_bytes:
        values: dict[str, str | int | float] = {"told": told, "got": stream_bytes}
        _damaged(segment_name(0), Message("its contents tell of {told} bytes, the medium holds {got}", values))
    return contents


# ---- the stream


def _nonce(index: int, *, last: bool) -> bytes:
    return index.to_bytes(_NUMBER_BYTES, "big") + bytes([last])


def make_segments(
    content_key: bytes, header: bytes, pieces: Iterable[bytes | memoryview], segment_bytes: int = SEGMENT_BYTES
) -> Iterator[bytes]:
    """Seal a stream, which comes in pieces of any length; give the segments in order.

    Examples
    --------
    >>> [len(segment) - 16 for segment in make_segments(bytes(32), b"", [b"abc", b"", b"defgh"], 4)]
    [4, 4]
    """
    cipher, held, index = AESGCM(content_key), bytearray(), 0
    for piece in pieces:
        held += piece
        # What is held last must be more than nothing: it is sealed as the end.
        while len(held) > segment_bytes:
            yield cipher.encrypt(_nonce(index, last=False), bytes(held[:segment_bytes]), header)
            del held[:segment_bytes]
            index += 1
    yield cipher.encrypt(_nonce(index, last=True), bytes(held), header)


class Stream:
    """Opens the stream of a medium piece by piece, wherever it is asked for.

    Parameters
    ----------
    content_key, header
        As handed over; the header as it lies in the folder.
    length
        Of the stream in bytes (`length_of_files`).
    fetch
        Gives the bytes of a file of the folder by its name.
    segment_bytes
        As it was made.
    """

    __slots__ = ("_at", "_cipher", "_fetch", "_header", "_last", "_open", "_segment_bytes", "length")

    def __init__(
        self, content_key: bytes, header: bytes, length: int, fetch: Callable[[str], bytes], segment_bytes: int = SEGMENT_BYTES
    ) -> None:
        self._cipher = AESGCM(content_key)
        self._header = header
        self._fetch = fetch
        self._segment_bytes = segment_bytes
        self._last = max(0, length - 1) // segment_bytes
        self._at, self._open = -1, b""
        self.length = length

    def _segment(self, index: int) -> bytes:
        if index != self._at:
            name = segment_name(index)
            try:
                self._open = self._cipher.decrypt(_nonce(index, last=index == self._last), self._fetch(name), self._header)
            except (InvalidTag, ValueError):
                _damaged(name, Message("it is not as it was written, or the medium does not end where it did"))
            self._at = index
        return self._open

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the stream.

        Raises
        ------
        InputError
            Naming the segment that does not verify, or if the stream ends before.
        """
        if offset < 0 or length < 0 or offset + length > self.length:
            _damaged(segment_name(self._last), Message("the medium ends within a part of it"))
        found = bytearray()
        while len(found) < length:
            index, begin = divmod(offset + len(found), self._segment_bytes)
            piece = self._segment(index)[begin : begin + length - len(found)]
            if not piece:
                _damaged(segment_name(index), Message("the medium ends within a part of it"))
            found += piece
        return bytes(found)

    def contents_envelope(self) -> bytes:
        """Signed contents at its beginning.

        Raises
        ------
        InputError
            If there are none.
        """
        length = int.from_bytes(self.read(0, _LENGTH_BYTES), "big") if self.length >= _LENGTH_BYTES else 0
        if not 0 < length <= min(MOST_ENVELOPE_BYTES, self.length - _LENGTH_BYTES):
            _damaged(segment_name(0), Message("it does not begin with the contents of a medium"))
        return self.read(_LENGTH_BYTES, length)

    def places(self, envelope: bytes, contents: Contents) -> list[int]:
        """Offset of each part of `contents.parts` in the stream, and of its end."""
        return list(accumulate((part.size for part in contents.parts), initial=_LENGTH_BYTES + len(envelope)))

    def part(self, index: int, part: Part, place: int) -> bytes:
        """Bytes of a small part, which stands at `place`; `index` is its number among the parts.

        Raises
        ------
        InputError
            If it is not what the contents say.
        """
        data = self.read(place, part.size)
        if digest_of(data) != part.digest:
            _damaged(
                segment_name(place // self._segment_bytes), Message("part {index} is not what the contents say", {"index": index})
            )
        return data
