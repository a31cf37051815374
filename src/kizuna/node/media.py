"""Removable media: what a partner's feed serves, carried by hand or through a diode, and its receipts on the way back.

An export asks this node's own desk as the partner would, so all that holds for the network holds here: decided when served,
decided again for each piece of each file, numbered and in the log before a byte is written. An import pulls from the medium as it
would from the partner, so nothing comes twice, whichever way it came first. What comes too early is held until the gap is closed.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message, NotReleasable, PartnerMisbehaved
from kizuna.exchange.feed import (
    MOST_PAGE_BYTES,
    MOST_PAGE_ENTRIES,
    FeedEntry,
    page_from_bytes,
    page_to_bytes,
    page_within_limits,
    unseal_refusal,
)
from kizuna.exchange.medium import (
    HEADER_BYTES,
    HEADER_NAME,
    KEY_BYTES,
    MOST_PARTS,
    MOST_RECEIPTS,
    SEGMENT_BYTES,
    Contents,
    Part,
    Stream,
    contents_of,
    foreign,
    length_of_files,
    make_header,
    make_segments,
    no_sealing_key,
    receiver_key_of,
    seal_contents,
    sealed_key_of,
    segment_name,
    sender_of,
    size_of_files,
)
from kizuna.exchange.messages import unseal_any
from kizuna.exchange.transport import one_by_one
from kizuna.model.canonical import canonical, parse_json
from kizuna.model.digests import digest_of
from kizuna.model.instants import format_instant
from kizuna.model.provenance import FactKind
from kizuna.node.decisions import as_labelled_now, decide_item, decision_record
from kizuna.node.kept_receipts import forget_receipts, keep_answers, keep_receipt, kept_receipts, taken_under
from kizuna.node.messages import was_recalled
from kizuna.node.receive import Intake, PullReport, pull
from kizuna.node.share import Sharing
from kizuna.release.decision import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kizuna.exchange.feed import Refusal
    from kizuna.model.canonical import Json
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.node.ports import Medium, NewMedium, Shelf
    from kizuna.node.state import Node, Partner

    type Progress = Callable[[str, int, int], None]

__all__ = [
    "MOST_HELD",
    "MOST_HELD_BYTES",
    "ExportReport",
    "ImportReport",
    "export_media",
    "import_medium",
    "is_for",
    "release_held",
]

MOST_HELD = 64
"""Most media that are held until a gap is closed."""
MOST_HELD_BYTES = 64 * 2**30
"""Most bytes of them."""

_ID_BYTES = 16
_INTAKE = Intake()


# ---- export


@dataclass(frozen=True, slots=True)
class ExportReport:
    """One medium that was written.

    Parameters
    ----------
    name, id
        Where it lies, and its random name.
    after, last
        It holds the entries of the partner's feed behind `after`, up to `last`.
    receipts
        Count of receipts for the partner's own feed.
    files, size
        Count of files of products, and length of the whole medium in bytes.
    """

    name: str
    id: str
    after: int
    last: int
    receipts: int
    files: int
    size: int


@dataclass(slots=True)
class _Load:
    """What goes on one medium."""

    after: int
    entries: list[bytes] = field(default_factory=list)
    opened: list[FeedEntry] = field(default_factory=list)
    files: dict[Digest, int] = field(default_factory=dict)
    full: bool = False
    refusal: Refusal | None = None


def _collect(node: Node, desk: Sharing, partner: Party, after: int, room: int) -> _Load:
    load = _Load(after)
    while True:
        answer = desk.feed(partner, after + len(load.entries), MOST_PAGE_ENTRIES)
        if answer.refused:
            load.refusal = unseal_refusal(answer.body, node.keys.public_key)
            return load
        page = page_from_bytes(answer.body)
        for envelope in page.entries:
            entry = unseal_any(envelope, node.journal.key_of(envelope))
            promised = {m.digest: m.size for m in entry.manifests} if isinstance(entry, FeedEntry) else {}
            if len(load.entries) + len(load.files | promised) >= room and load.entries:
                load.full = True
                return load
            load.entries.append(envelope)
            load.files |= promised
            if isinstance(entry, FeedEntry):
                load.opened.append(entry)
        if not page.more or not page.entries:
            return load


def _parts(data: Sequence[bytes]) -> tuple[Part, ...]:
    return tuple(Part(digest_of(one), len(one)) for one in data)


def _withdrawn(partner: Party) -> NotReleasable:
    return NotReleasable(
        Message("what was to go to {partner} may not go any more: no medium was made", {"partner": partner}),
        hint=Message("ask again: kizuna exchange export; see why: kizuna release view --to {partner}", {"partner": partner}),
    )


def _record(node: Node, partner: Party, load: _Load, contents: Contents, size: int) -> None:
    """Decide once more on all that is to go, and record it: what lies on a medium counts as served."""
    with node.store.transaction():
        now = node.now()
        facts: list[tuple[FactKind, dict[str, Json]]] = []
        for entry in load.opened:
            item = node.store.items.get(entry.product.id)
            decision = None if item is None else decide_item(node, item.product, partner)
            recalled = was_recalled(node, partner, entry.product.id)
            if item is None or decision is None or decision.outcome is not Outcome.PERMIT or recalled:
                raise _withdrawn(partner)
            record = decision_record(as_labelled_now(node, item.product), partner, decision, "export", now)
            facts.append((FactKind.DECISION_MADE, record))
        body: dict[str, Json] = {
            "partner": partner,
            "medium": contents.id,
            "after": contents.after,
            "entries": len(contents.entries),
            "envelopes": [part.digest for part in contents.entries],
            "files": [part.digest for part in contents.files],
            "receipts": len(contents.receipts),
            "bytes": size,
        }
        node.journal.record_all([*facts, (FactKind.MEDIUM_EXPORTED, body)], by=node.by, authority="release rules")


def _pieces(desk: Sharing, partner: Party, head: bytes, small: Sequence[bytes], files: Sequence[Part]) -> Iterator[bytes]:
    yield head
    yield from small
    for part in files:
        offset = 0
        while offset < part.size:
            found = desk.blob(partner, part.digest, offset, min(SEGMENT_BYTES, part.size - offset))
            if found is None or not found.data:
                # A suspension bites here too: what was written so far is removed.
                raise _withdrawn(partner)
            offset += len(found.data)
            yield found.data


def export_media(
    node: Node, partner: Partner, new: Callable[[str], NewMedium], since: int | None = None
) -> tuple[list[ExportReport], Refusal | None]:
    """Write what a partner may have, and the receipts for what it gave, on as many media as it takes.

    Parameters
    ----------
    node, partner
        From whom, for whom.
    new
        Makes a medium of a random name.
    since
        Export what follows this entry of the partner's feed; None: what it has not confirmed.

    Returns
    -------
    reports
        The media in order; none if there is nothing to carry.
    refusal
        Why nothing (more) goes at present, as the partner would be told over the network; None if nothing stands in the way.

    Raises
    ------
    InputError
        If the partner has no key for media, or a medium cannot be written.
    NotReleasable
        If a permission ended while a medium was written; nothing of that one is left.
    """
    node.require_confirmed()
    if partner.sealing_key is None:
        raise InputError(
            Message("the card of {partner} has no key for removable media", {"partner": partner.party}),
            hint=Message("ask it for a new card (kizuna exchange key; kizuna partner card), then: kizuna partner add FILE"),
            field="partner",
        )
    desk, party = Sharing(node), partner.party
    after = node.store.book.acknowledged(party) if since is None else since
    keep_answers(node, party)
    kept = kept_receipts(node, party)
    reports: list[ExportReport] = []
    while True:
        receipts, kept = kept[:MOST_RECEIPTS], kept[MOST_RECEIPTS:]
        load = _collect(node, desk, party, after, MOST_PARTS - len(receipts))
        if load.entries or receipts:
            reports.append(_write(node, desk, partner, new, load, receipts))
        after += len(load.entries)
        if not load.full and not kept:
            return reports, load.refusal


def _write(
    node: Node,
    desk: Sharing,
    partner: Partner,
    new: Callable[[str], NewMedium],
    load: _Load,
    receipts: Sequence[bytes],
) -> ExportReport:
    taken = parse_json((node.store.setting(taken_under(partner.party)) or "[]").encode())
    contents = Contents(
        sender=node.organisation,
        receiver=partner.party,
        id=base64.b32encode(node.keys.random(_ID_BYTES)).decode().rstrip("=").lower(),
        after=load.after,
        entries=_parts(load.entries),
        receipts=_parts(receipts),
        files=tuple(Part(digest, size) for digest, size in load.files.items()),
        taken=tuple(taken),  # type: ignore[arg-type] # as `import_medium` kept it
        made_at=node.now(),
    )
    head = seal_contents(contents, node.keys)
    length = len(head) + sum(part.size for part in contents.parts)
    files, size = size_of_files(length)
    key = node.keys.random(KEY_BYTES)
    header = make_header(key, partner.sealing_key or b"")
    medium = new(contents.id)
    medium.begin(files, size)
    try:
        _record(node, partner.party, load, contents, size)
        pieces = _pieces(desk, partner.party, head, [*load.entries, *receipts], contents.files)
        for index, segment in enumerate(make_segments(key, header, pieces)):
            medium.write(segment_name(index), segment)
        # The header comes last: without it nothing else can be read.
        medium.write(HEADER_NAME, header)
        medium.finish()
    except BaseException:
        medium.discard()
        raise
    return ExportReport(medium.name, contents.id, contents.after, contents.last, len(receipts), len(contents.files), size)


# ---- import


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What came of one medium.

    Parameters
    ----------
    name, id
        Where it lay, and its random name.
    partner
        Who made it.
    after, last
        It holds the entries of the partner's feed behind `after`, up to `last`.
    pulled
        What was new on it; None if it is held until what goes before it has come.
    came
        Count of entries that were new.
    missing
        First and last number of the entries that have to come first.
    receipts
        Count of receipts and answers of the partner that were taken.
    """

    name: str
    id: str
    partner: Party
    after: int
    last: int
    pulled: PullReport | None
    came: int
    missing: tuple[int, int] | None
    receipts: int


class _Way:
    """Transport over a medium: feed and files are read from it, receipts wait for the next medium back."""

    __slots__ = ("_files", "_node", "_parts", "_places", "_stream", "contents", "header", "partner")

    def __init__(self, node: Node, medium: Medium) -> None:
        length = length_of_files(medium.sizes)
        self.header = medium.read(HEADER_NAME)
        if node.keys.sealing_key is None:
            raise no_sealing_key()
        made_for, ends = receiver_key_of(self.header), node.knowledge().sealing_ends
        if made_for not in node.keys.sealing_ids:
            raise _forgotten(ends[made_for]) if made_for in ends else foreign(made_for)
        key = node.keys.open_sealed(*sealed_key_of(self.header))
        self._node = node
        self._stream = Stream(key, self.header, length, medium.read)
        envelope = self._stream.contents_envelope()
        self.partner = self._sender(node, envelope)
        self.contents = contents_of(envelope, self.partner.key_for(envelope), length)
        if self.contents.receiver != node.organisation:
            raise InputError(
                Message("{file}: this medium was made for {party}", {"file": HEADER_NAME, "party": self.contents.receiver}),
                hint=Message("give it to the node for which it was made"),
                field=HEADER_NAME,
            )
        if made_for in ends and self.contents.made_at > ends[made_for]:
            # Whoever makes media for a key that has ended was not told, or cares not who else holds it.
            raise _outdated(self.contents, ends[made_for])
        self._parts = self.contents.parts
        self._places = self._stream.places(envelope, self.contents)
        begin = len(self.contents.entries) + len(self.contents.receipts)
        self._files = {
            part.digest: (part.size, self._places[index]) for index, part in enumerate(self.contents.files, start=begin)
        }

    @staticmethod
    def _sender(node: Node, envelope: bytes) -> Partner:
        name = sender_of(envelope)
        for party, partner in node.knowledge().partners.items():
            if party == name:
                return partner
        raise InputError(
            Message(
                "{file}: this medium says to be of {party}, which is no partner of this node",
                {"file": HEADER_NAME, "party": name},
            ),
            hint=Message("pin the partner first: kizuna partner add FILE"),
            field=HEADER_NAME,
        )

    def _part(self, index: int) -> bytes:
        return self._stream.part(index, self._parts[index], self._places[index])

    def receipts(self) -> Iterator[bytes]:
        """Receipts that lie on it, in order."""
        begin = len(self.contents.entries)
        for index in range(begin, begin + len(self.contents.receipts)):
            yield self._part(index)

    def feed(self, after: int, limit: int) -> bytes:
        """Page of the entries that lie on it."""
        begin, room, found = after - self.contents.after, MOST_PAGE_BYTES, list[bytes]()
        more = False
        if begin >= 0:
            for index in range(begin, len(self.contents.entries)):
                room -= self.contents.entries[index].size
                more = len(found) == limit or room < 0
                if more:
                    break
                found.append(self._part(index))
        return page_to_bytes(page_within_limits(after, found, limit, more=more))

    def blob(self, digest: Digest, offset: int, length: int) -> bytes:
        """Bytes of a file that lies on it."""
        size, place = self._files.get(digest, (0, 0))
        if offset + length > size:
            raise InputError(
                Message("the medium does not hold the whole file {digest} that an entry of it promises", {"digest": digest}),
                hint=Message("ask the partner for another medium; what was taken before stays"),
                field=HEADER_NAME,
            )
        return self._stream.read(place + offset, length)

    def blobs(self, wanted: Sequence[tuple[Digest, int]]) -> Iterator[bytes | memoryview]:
        """Whole files that lie on it."""
        return one_by_one(self, wanted)

    def receipt(self, envelope: bytes) -> None:
        """Keep a receipt for the next medium back."""
        keep_receipt(self._node, self.partner.party, envelope)

    def verify(self) -> None:
        """Open all segments once."""
        for offset in range(0, self._stream.length, SEGMENT_BYTES):
            self._stream.read(offset, 1)


def _forgotten(ended: Instant) -> InputError:
    return InputError(
        Message(
            "{file}: this medium was made for a key of this node that ended on {until} and was removed",
            {"file": HEADER_NAME, "until": format_instant(ended)},
        ),
        hint=Message("ask the partner for another medium; what the removed key could open, nobody can open any more"),
        field=HEADER_NAME,
    )


def _outdated(contents: Contents, ended: Instant) -> InputError:
    values: dict[str, str | int | float] = {
        "file": HEADER_NAME,
        "made": format_instant(contents.made_at),
        "until": format_instant(ended),
    }
    return InputError(
        Message("{file}: this medium was made on {made} for a key that ended on {until}", values),
        hint=Message(
            "ask {party} to add this node's new card (kizuna partner card), and to export again", {"party": contents.sender}
        ),
        field=HEADER_NAME,
    )


def is_for(node: Node, medium: Medium) -> bool:
    """Whether a medium was made for this node, as far as its readable line tells; True where that cannot be told."""
    if medium.sizes.get(HEADER_NAME) != HEADER_BYTES or node.keys.sealing_key is None:
        return True
    made_for = receiver_key_of(medium.read(HEADER_NAME))
    return made_for in node.keys.sealing_ids or made_for in node.knowledge().sealing_ends


def import_medium(
    node: Node, medium: Medium, shelf: Shelf, progress: Progress | None = None, intake: Intake = _INTAKE
) -> list[ImportReport]:
    """Take in a medium, and what was held for want of it.

    Parameters
    ----------
    node
        This node.
    medium
        The medium; nothing that lies on it is believed.
    shelf
        Where media are held that came too early.
    progress, intake
        As for `kizuna.node.receive.pull`.

    Returns
    -------
    reports
        Of this medium, then of each held one that could be taken in now.

    Raises
    ------
    InputError
        Naming the file that is faulty. What was taken before the fault stays; taking it in again goes on from there.
    PartnerUnreachable
        If the medium cannot be read any more.
    """
    node.require_confirmed()
    way = _Way(node, medium)
    reports = [_take(node, medium, way, shelf, progress, intake)]
    return reports + release_held(node, shelf, progress, intake)


def release_held(node: Node, shelf: Shelf, progress: Progress | None = None, intake: Intake = _INTAKE) -> list[ImportReport]:
    """Take in the media that were held, as far as what goes before them has come, by whichever way.

    Raises
    ------
    InputError
        Naming the fault of one, when all others were looked at; it is held no longer then.
    """
    reports: list[ImportReport] = []
    failure: InputError | None = None
    going_on = True
    while going_on:
        going_on = False
        for name in shelf.names():
            try:
                with shelf.open(name) as held:
                    way = _Way(node, held)
                    contents, party = way.contents, way.partner.party
                    if contents.after <= node.store.book.cursor(party):
                        reports.append(_take(node, held, way, shelf, progress, intake))
                        going_on = going_on or reports[-1].came > 0
            except InputError as error:
                shelf.drop(name)
                failure = failure or error
                continue
            if contents.last <= node.store.book.cursor(party):
                shelf.drop(name)
    if failure is not None:
        raise failure
    return reports


def _take(node: Node, medium: Medium, way: _Way, shelf: Shelf, progress: Progress | None, intake: Intake) -> ImportReport:
    contents, party, book = way.contents, way.partner.party, node.store.book
    began, size = book.cursor(party), node.store.log.size()
    receipts = _take_receipts(node, way)
    pulled, missing = None, None
    if contents.entries and contents.after > began:
        _hold(medium, way, shelf)
        missing = began + 1, contents.after
    else:
        try:
            pulled = pull(node, way.partner, way, progress, intake)
        except PartnerMisbehaved as error:
            raise InputError(
                Message("{medium}: {why}", {"medium": medium.name, "why": error.message}), hint=error.hint, field=error.field
            ) from error
    came = book.cursor(party) - began
    if node.store.log.size() > size:
        body: dict[str, Json] = {
            "partner": party,
            "medium": contents.id,
            "after": contents.after,
            "last": contents.last,
            "entries": came,
            "receipts": receipts,
        }
        with node.store.transaction():
            node.journal.record(FactKind.MEDIUM_IMPORTED, body, by=node.by, authority=f"signature of {party}")
    return ImportReport(medium.name, contents.id, party, contents.after, contents.last, pulled, came, missing, receipts)


def _take_receipts(node: Node, way: _Way) -> int:
    desk, party = Sharing(node), way.partner.party
    taken = sum(desk.receipt(party, envelope) for envelope in way.receipts())
    forget_receipts(node, party, way.contents.taken)
    # Those that were not taken never will be: the partner need not carry them any longer either.
    kept = canonical([part.digest for part in way.contents.receipts]).decode()
    if node.store.setting(taken_under(party)) != kept:
        node.store.keep_setting(taken_under(party), kept)
    return taken


def _hold(medium: Medium, way: _Way, shelf: Shelf) -> None:
    """Keep a medium that came too early, as it came, once all of it was verified."""
    id_ = hashlib.sha256(way.header).hexdigest()[:32]
    names = shelf.names()
    if any(name.endswith(id_) for name in names):
        return
    size = sum(medium.sizes.values())
    if len(names) >= MOST_HELD or shelf.bytes_held() + size > MOST_HELD_BYTES:
        raise InputError(
            Message(
                "{medium} comes too early, and no more media can be held: its entries follow entry {after}",
                {"medium": medium.name, "after": way.contents.after},
            ),
            hint=Message("take in the media that go before it first"),
            field=HEADER_NAME,
        )
    way.verify()
    new = shelf.new(id_)
    new.begin(len(medium.sizes), size)
    try:
        for name in sorted(medium.sizes):
            new.write(name, medium.read(name))
        new.finish()
    except BaseException:
        new.discard()
        raise
