"""The journal: facts, sealed and appended to the tamper-evident log; and what the log says when it is read.

# INVARIANT: nothing is served on a fact whose leaf is not under a signed checkpoint that is durable.
# INVARIANT: recorded times never go back. A clock that stands behind the last fact is refused, not worked around.
"""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from kizuna.errors import ClockBehind, InputError, LogDamaged, Message, PartnerMisbehaved
from kizuna.exchange.checkpoint import Checkpoint, make_checkpoint, open_checkpoint
from kizuna.exchange.envelope import key_id_of, peek, seal_all, signer_of, unseal
from kizuna.exchange.log_file import FACT_TYPE
from kizuna.exchange.merkle import extend, leaf_data, leaf_hash, root_of
from kizuna.model.canonical import CanonicalBytes, canonical
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.provenance import Fact, FactKind, fact_frame, fact_from_json, fact_to_json
from kizuna.node.ports import LogEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.node.ports import Clock, Keys, Store

__all__ = ["FACT_TYPE", "ORGANISATION_SETTING", "OWN_KEYS", "SALT_BYTES", "Appended", "Journal", "LogState"]

ORGANISATION_SETTING = "organisation"
"""Setting under which a store keeps whose node it is; kept together with the first facts."""
SALT_BYTES = 32
_MOST_MADE, _MOST_APPENDED, _MOST_LAST = 10_000, 64, 16
_ANY_TIME = parse_instant("2000-01-01T00:00:00Z")
OWN_KEYS = "own_keys"
"""Setting under which a store keeps the node's signing keys, oldest first, once they were rotated (base64 in a JSON list)."""


@lru_cache(maxsize=16)
def _recorded_at(envelope: bytes) -> Instant:
    """When a fact was recorded; asked of the last one again and again."""
    return fact_from_json(peek(envelope)).recorded_at


@lru_cache(maxsize=16)
def _require_readable(who: str, authority: str) -> None:
    """Refuse what could not be read again: once in the log, the node would stand still for good."""
    fact_from_json(fact_to_json(Fact(FactKind.NODE_CREATED, _ANY_TIME, who, authority, {})))


@dataclass(frozen=True, slots=True)
class LogState:
    """What verification of a log found.

    Parameters
    ----------
    size
        Count of entries, each of them verified.
    root
        Root of the Merkle tree over them.
    last_recorded_at
        Recorded time of the last fact; None for an empty log.
    """

    size: int
    root: bytes
    last_recorded_at: Instant | None

    @property
    def tail(self) -> str:
        """Size and root in one word, for a person to compare and confirm."""
        return f"{self.size}:{self.root.hex()}"


@dataclass(frozen=True, slots=True)
class Appended:
    """What a log became when facts were recorded.

    Parameters
    ----------
    size, frontier
        Of the log with them.
    kinds
        Theirs.
    """

    size: int
    frontier: tuple[bytes, ...]
    kinds: frozenset[FactKind]


@dataclass(frozen=True, slots=True)
class Journal:
    """Appends to, reads and verifies one node's log.

    Parameters
    ----------
    organisation
        Whose node this is; it names the log.
    store, keys, clock
        Ports.
    """

    organisation: Party
    store: Store
    keys: Keys
    clock: Clock
    # Of what kind the facts are that were recorded here lately, by the hashes of their leaves: what has become part of the log.
    _made: dict[bytes, FactKind] = field(default_factory=dict, init=False, repr=False, compare=False)
    # When the last fact of a log with this checkpoint was recorded. A checkpoint commits to all that came before it.
    _last: dict[str, Instant] = field(default_factory=dict, init=False, repr=False, compare=False)
    # The checkpoint that was signed here last: nobody else need have signed it.
    _signed: list[tuple[str, Checkpoint]] = field(default_factory=list, init=False, repr=False, compare=False)
    # The checkpoints before and after what was recorded here last.
    _steps: list[tuple[str | None, str]] = field(default_factory=list, init=False, repr=False, compare=False)
    # By what the log was before: what was appended to it here lately.
    _appended: dict[tuple[int, tuple[bytes, ...]], Appended] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def origin(self) -> str:
        """Name of the log in its checkpoints."""
        return f"kizuna/{self.organisation}"

    def now(self) -> Instant:
        """Present instant.

        Raises
        ------
        ClockBehind
            If the clock stands behind the last recorded fact.
        """
        return self.now_at(self.store.log.checkpoint())

    def now_at(self, note: str | None) -> Instant:
        """Present instant, as `now`, of a log whose latest checkpoint was read already."""
        # Of the same log all that is read here is the same, but for the clock.
        last = self._last.get(note or "")
        if last is None:
            # Another process may have rotated the keys; whoever asks for the time is about to sign something.
            self.own_keys()
            last = self._last_recorded_at()
            if last is not None and note is not None:
                self._remember_last(note, last)
        now = self.clock.now()
        if last is not None and now < last:
            raise ClockBehind(
                Message(
                    "the clock says {now}, which is before the last recorded fact ({last})",
                    {"now": format_instant(now), "last": format_instant(last)},
                ),
                hint=Message("set the clock right; nothing is decided or recorded until it is"),
            )
        return now

    def _remember_last(self, note: str, at: Instant) -> None:
        if len(self._last) > _MOST_LAST:
            self._last.clear()
        self._last[note] = at

    def own_keys(self) -> list[bytes]:
        """Raw public keys that signed this log, the present one last; the keys in use become the present ones.

        Raises
        ------
        StoreError
            If the present keys are not there.
        """
        kept = self.store.setting(OWN_KEYS)
        if kept is None:
            return [self.keys.public_key]
        found = [base64.b64decode(text) for text in json.loads(kept)]
        if found[-1] != self.keys.public_key:
            self.keys.use(key_id_of(found[-1]))
        return found

    def key_of(self, envelope: bytes) -> bytes:
        """Own key that an envelope claims to be signed with; the present one for any other."""
        keys = self.own_keys()
        claimed = signer_of(envelope) if len(keys) > 1 else None
        return next((key for key in keys if key_id_of(key) == claimed), keys[-1])

    def open_note(self, note: str) -> Checkpoint:
        """Checkpoint of this log that any of its keys has signed.

        Raises
        ------
        LogDamaged
            If none has.
        """
        for key in self.own_keys()[:-1]:
            with suppress(LogDamaged):
                return open_checkpoint(note, origin=self.origin, key_name=self.origin, public_key=key)
        return open_checkpoint(note, origin=self.origin, key_name=self.origin, public_key=self.keys.public_key)

    def _last_recorded_at(self) -> Instant | None:
        size = self.store.log.size()
        if size == 0:
            return None
        # Its signature is looked at where the log is verified, not at every question about the time.
        entry = next(self.store.log.entries(size - 1))
        try:
            return _recorded_at(entry.envelope)
        except (InputError, PartnerMisbehaved) as error:
            raise _unreadable(entry.index, error) from error

    def record(self, kind: FactKind, body: dict[str, Json], *, by: str, authority: str) -> Fact:
        """Record one fact, inside the store's open transaction.

        Parameters
        ----------
        kind, body
            What is recorded.
        by
            The person or program; the organisation is added.
        authority
            By what authority.

        Raises
        ------
        ClockBehind
            If the clock stands behind the last recorded fact.
        InputError
            If a text of it could not be read again (control characters).
        """
        at = self.record_all([(kind, body)], by=by, authority=authority)
        return Fact(kind, at, f"{self.organisation}:{by}", authority, body)

    def record_all(
        self, facts: Sequence[tuple[FactKind, dict[str, Json] | CanonicalBytes]], *, by: str, authority: str
    ) -> Instant:
        """Record several facts under one checkpoint, signed in batches, inside the store's open transaction; as `record`.

        Parameters
        ----------
        facts
            The kind of each, and its body, which may be written out as canonical bytes already.
        by, authority
            As for `record`.

        Returns
        -------
        recorded_at
            Recorded time of all of them.
        """
        log = self.store.log
        note, size = log.checkpoint(), log.size()
        now = self.now_at(note)
        frames = {}
        for kind in dict.fromkeys(kind for kind, _body in facts):
            who = f"{self.organisation}:{by}"
            _require_readable(who, authority)
            frames[kind] = fact_frame(Fact(kind, now, who, authority, {}))
        payloads = [
            CanonicalBytes((body if isinstance(body, bytes) else canonical(body)).join(frames[kind])) for kind, body in facts
        ]
        salts = [self.keys.random(SALT_BYTES) for _ in facts]
        envelopes = seal_all(FACT_TYPE, payloads, salts, self.keys)
        leaves = [leaf_hash(leaf_data(salt, envelope)) for salt, envelope in zip(salts, envelopes, strict=True)]
        before = log.frontier()
        frontier = extend(before, size, leaves)
        checkpoint = make_checkpoint(
            self.origin, size + len(leaves), root_of(frontier), self.keys.sign, self.origin, self.keys.public_key
        )
        entries = [LogEntry(size + n, *entry) for n, entry in enumerate(zip(salts, envelopes, strict=True))]
        log.append(entries, checkpoint, frontier)
        self._remember_last(checkpoint, now)
        self._steps[:] = [(note, checkpoint)]
        self._signed[:] = [(checkpoint, Checkpoint(self.origin, size + len(leaves), root_of(frontier)))]
        if len(self._made) > _MOST_MADE:
            self._made.clear()
        self._made.update((leaf, kind) for leaf, (kind, _body) in zip(leaves, facts, strict=True))
        if len(self._appended) >= _MOST_APPENDED:
            self._appended.clear()
        self._appended[size, before] = Appended(size + len(leaves), frontier, frozenset(frames))
        return now

    def appended_to(self, size: int, frontier: tuple[bytes, ...]) -> Appended | None:
        """What was recorded here lately as the next after so many entries with this frontier; it may have been undone since."""
        return self._appended.get((size, frontier))

    @property
    def last_step(self) -> tuple[str | None, str] | None:
        """Checkpoints before and after what was recorded here last, to be asked for inside the same transaction."""
        return self._steps[0] if self._steps else None

    def forget_appended(self) -> bool:
        """Forget what was recorded here lately, because it is not what the log holds; True if there was anything."""
        known = bool(self._appended)
        self._appended.clear()
        return known

    def kind_made(self, leaf: bytes) -> FactKind | None:
        """Kind of the fact that is committed to by a leaf, if it was recorded here lately: then it need not be read."""
        return self._made.get(leaf)

    def open_entry(self, entry: LogEntry) -> Fact:
        """Fact of an entry, its signature verified.

        Raises
        ------
        LogDamaged
            If it does not verify.
        """
        try:
            return fact_from_json(unseal(entry.envelope, self.key_of(entry.envelope), FACT_TYPE, salt=entry.salt))
        except (InputError, PartnerMisbehaved) as error:
            raise _unreadable(entry.index, error) from error

    def _open_in_turn(self, entry: LogEntry, keys: list[bytes]) -> Fact:
        """Fact of an entry that the first of the keys signed; where it gives the key up, it is taken from the list."""
        try:
            fact = fact_from_json(unseal(entry.envelope, keys[0], FACT_TYPE, salt=entry.salt))
        except (InputError, PartnerMisbehaved) as error:
            raise _unreadable(entry.index, error) from error
        if fact.kind is FactKind.KEYS_ROTATED:
            following = base64.b64encode(keys[1]).decode() if len(keys) > 1 else None
            if fact.body.get("signing_key") != following:
                raise _damaged(Message("entry {index} of the log names another key than the next one", {"index": entry.index}))
            del keys[0]
        return fact

    def read_entry(self, entry: LogEntry) -> Fact:
        """Fact of an entry, its own signature not verified.

        For entries whose leaves were found under a verified checkpoint: the same key signed that, over all of them.

        Raises
        ------
        LogDamaged
            If it cannot be read.
        """
        try:
            return fact_from_json(peek(entry.envelope))
        except (InputError, PartnerMisbehaved) as error:
            raise _unreadable(entry.index, error) from error

    def head(self) -> Checkpoint | None:
        """Latest checkpoint, its signature verified; None for an empty log.

        Raises
        ------
        LogDamaged
            If it does not verify, or is missing although the node was founded.
        """
        note = self.store.log.checkpoint()
        if note is None:
            if self.store.log.size() or self.store.setting(ORGANISATION_SETTING) is not None:
                raise _damaged(Message("the log has no checkpoint"))
            return None
        for signed, checkpoint in self._signed:
            if signed == note:
                return checkpoint
        self.own_keys()
        return open_checkpoint(note, origin=self.origin, key_name=self.origin, public_key=self.keys.public_key)

    def facts(self, start: int = 0) -> Iterator[tuple[int, Fact]]:
        """Facts from index `start` on, each with its index, their signatures verified.

        Raises
        ------
        LogDamaged
            At the first entry that does not verify.
        """
        for entry in self.store.log.entries(start):
            yield entry.index, self.open_entry(entry)

    def verify(self, progress: Callable[[int, int], None] | None = None) -> LogState:
        """Verify each entry, their order, and the tree against the signed checkpoint.

        Raises
        ------
        LogDamaged
            Naming what does not verify: an entry, a gap, a time that goes back, the root, the checkpoint.
        """
        log = self.store.log
        note, total = log.checkpoint(), log.size()
        frontier: tuple[bytes, ...] = ()
        size, last = 0, None
        keys = self.own_keys()
        for entry in log.entries():
            if entry.index != size:
                raise _damaged(Message("entry {index} of the log is missing", {"index": size}))
            if len(entry.salt) != SALT_BYTES:
                raise _damaged(Message("the salt of entry {index} of the log has another length", {"index": size}))
            fact = self._open_in_turn(entry, keys)
            if last is not None and fact.recorded_at < last:
                raise _damaged(
                    Message("entry {index} of the log was recorded before the entry that precedes it", {"index": size})
                )
            last = fact.recorded_at
            frontier = extend(frontier, size, [leaf_hash(leaf_data(entry.salt, entry.envelope))])
            size += 1
            if progress is not None:
                progress(size, total)
        if size and keys != [self.keys.public_key]:
            raise _damaged(Message("the log does not say how the present key took the place of the one before"))
        state = LogState(size, root_of(frontier), last)
        self._verify_head(state, note)
        if log.frontier() != frontier:
            # The next entry would be appended to another tree than the one that was signed.
            raise _damaged(Message("the frontier that is kept beside the log is not that of its entries"))
        return state

    def _verify_head(self, state: LogState, note: str | None) -> None:
        """Compare what was read with what was signed."""
        if note is None:
            if state.size:
                raise _damaged(Message("the log of {size} entries has no checkpoint", {"size": state.size}))
            if self.store.setting(ORGANISATION_SETTING) is not None:
                raise _damaged(Message("the log is empty, and the node was founded"))
            return
        checkpoint = open_checkpoint(note, origin=self.origin, key_name=self.origin, public_key=self.keys.public_key)
        if checkpoint.size != state.size:
            values: dict[str, str | int | float] = {"signed": checkpoint.size, "size": state.size}
            raise _damaged(Message("the checkpoint was signed over {signed} entries, the log holds {size}", values))
        if checkpoint.root != state.root:
            raise _damaged(Message("the log's entries do not make up the root that the checkpoint was signed over"))


def _unreadable(index: int, error: Exception) -> LogDamaged:
    return _damaged(Message("entry {index} of the log does not verify: {why}", {"index": index, "why": str(error)}))


def _damaged(message: Message) -> LogDamaged:
    return LogDamaged(
        message, hint=Message("restore the node from a backup and confirm its tail; keep the damaged folder as evidence")
    )
