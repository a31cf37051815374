"""People at this node: what they may see of its products, releases, partners and agreements."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from kizuna.errors import Message
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.product import AssetRole
from kizuna.node.access import Person, Role, issue_token, person_by_token
from kizuna.node.decisions import decide_item, labelling
from kizuna.node.forms import why_held
from kizuna.node.messages import was_recalled
from kizuna.node.reads import Read, last_reads
from kizuna.node.take_messages import notice_message, notices
from kizuna.release.agreements import State
from kizuna.release.decision import Decision, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kizuna.catalog.store import Item
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.product import Asset, ProductId
    from kizuna.node.state import Node

    type TileReader = Callable[[BinaryIO, int, int, int], bytes | None]

__all__ = [
    "AgreementLine",
    "PartnerRelease",
    "PartnerStatus",
    "PeopleRoom",
    "Person",
    "Role",
    "agreement_lines",
    "issue_token",
    "partner_statuses",
    "shown",
]

AgreementState = Literal["in force", "not yet", "ended", "withdrawn", "suspended", "a person must decide", "unknown"]


class SignedIn(Protocol):
    """What of a person the questions below need."""

    @property
    def name(self) -> str:
        """Name."""
        ...

    @property
    def role(self) -> Role:
        """Role."""
        ...


@dataclass(frozen=True, slots=True)
class PartnerRelease:
    """Whether one partner sees one product, and why."""

    partner: Party
    partner_name: str
    decision: Decision
    delivery: Message | None


@dataclass(frozen=True, slots=True)
class PartnerStatus:
    """Health of the exchange with one partner."""

    partner: Party
    partner_name: str
    last_in: Instant | None
    last_out: Instant | None
    waiting: int
    last_refusal: Instant | None
    refusal_cause: Message | None


@dataclass(frozen=True, slots=True)
class AgreementLine:
    """Latest version of an agreement, how it stands now, and what partners said of it last.

    `leaving` is when a withdrawal that is recorded will take effect.
    """

    id: str
    title: str
    version: int
    parties: Sequence[Party]
    begin: str
    state: AgreementState
    fictional: bool
    told: Sequence[Message] = ()
    leaving: Instant | None = None


def agreement_lines(node: Node) -> list[AgreementLine]:
    """Agreements that this node knows, and how they stand now: the version that applies, and those that will after it."""
    now = node.now()
    register = node.knowledge().register.as_known(now)
    lines = []
    heard = notices(node)
    known = {(agreement.id, agreement.version) for agreement in register.agreements}
    for agreement in register.agreements:
        held = agreement.term.state(now)
        if held is State.AFTER and (agreement.id, agreement.followed_by) in known:
            continue
        suspended = {term.state(now) for _, term in register.suspension_terms(agreement.id)}
        state: AgreementState
        if any(w.agreement == agreement.id and w.at <= now for w in register.withdrawals):
            state = "withdrawn"
        elif held is State.UNKNOWN or State.UNKNOWN in suspended:
            state = "unknown"
        elif held is State.BEFORE:
            state = "not yet"
        elif held is State.AFTER:
            state = "ended"
        elif State.WITHIN in suspended:
            state = "suspended"
        elif State.PERHAPS in suspended | {held}:
            state = "a person must decide"
        else:
            state = "in force"
        begin = agreement.term.begin.text
        said = tuple(
            Message("{partner} says: {what}", {"partner": line.partner, "what": notice_message(line.notice)})
            for line in heard
            if line.notice.agreement == agreement.id
        )
        leaving = min((w.at for w in register.withdrawals if w.agreement == agreement.id and w.at > now), default=None)
        if leaving is not None:
            said = (Message("withdrawn from, with effect from {date}", {"date": format_instant(leaving)}), *said)
        lines.append(
            AgreementLine(
                agreement.id,
                agreement.title,
                agreement.version,
                agreement.parties,
                begin,
                state,
                agreement.fictional,
                said,
                leaving,
            )
        )
    return lines


def shown(node: Node, items: Iterable[Item]) -> Iterator[Item]:
    """Items as people see them: each product under its label as it was last corrected."""
    labelled = labelling(node)
    for item in items:
        product = labelled(item.product)
        yield item if product is item.product else replace(item, product=product)


@dataclass(frozen=True, slots=True)
class _Delivered:
    """How far the handing over to one partner is, as of one checkpoint of the log."""

    checkpoint: str | None
    numbers: dict[ProductId, int]
    last: int
    acknowledged: int
    waiting: frozenset[ProductId]


_NOTHING_DELIVERED = _Delivered(None, {}, 0, 0, frozenset())
_BATCH = 256


class PeopleRoom:
    """What the pages ask on behalf of a person who signed in.

    Parameters
    ----------
    node
        This node.
    read_tile
        Cuts a map tile from a web-optimised GeoTIFF.
    identify
        Person whom a token names that a proxy passes on; None: there is no such proxy.
    """

    def __init__(self, node: Node, read_tile: TileReader, identify: Callable[[str], Person | None] | None = None) -> None:
        self._node = node
        self._read_tile = read_tile
        self._identify = identify
        self._delivered: dict[Party, _Delivered] = {}

    @property
    def organisation(self) -> Party:
        """Whose node this is."""
        return self._node.organisation

    @property
    def organisation_name(self) -> str:
        """Its name to show."""
        return self._node.organisation

    def sign_in(self, token: str) -> Person | None:
        """Person whose access token this is; None for one that is unknown."""
        known = person_by_token(self._node.store, token, self._node.journal.clock.now())
        return self._identify(token) if known is None and self._identify is not None else known

    def highest_marking(self, labels: Sequence[Label]) -> str:
        """Line for the top of a page: the highest marking of each policy among `labels`; unknown markings count as highest."""
        register = self._node.knowledge().register
        highest: dict[str, tuple[float, str]] = {}
        for label in labels:
            rank = register.ladder_rank(label.policy, label.classification)
            entry = (float("inf") if rank is None else float(rank), label.classification)
            highest[label.policy] = max(highest.get(label.policy, entry), entry)
        return " · ".join(f"{policy} {marking}" for policy, (_, marking) in sorted(highest.items()))

    def products(self, person: SignedIn) -> Sequence[Item]:  # noqa: ARG002 - the pages ask what the role allows
        """Everything that the node holds, newest observation first, each under its label as it was last corrected."""
        return list(shown(self._node, self._node.store.items.all()))

    def product(self, person: SignedIn, product: ProductId) -> Item | None:  # noqa: ARG002
        """One of `products`."""
        item = self._node.store.items.get(product)
        return None if item is None else next(shown(self._node, [item]))

    def releases(self, person: SignedIn, product: ProductId) -> Sequence[PartnerRelease]:
        """Who can see the product, by partner."""
        item = self.product(person, product)
        if item is None:
            return []
        return [
            PartnerRelease(partner, partner, decision, self._delivery(partner, item, decision))
            for partner in sorted(self._node.knowledge().partners)
            for decision in [decide_item(self._node, item.product, partner)]
            if partner != item.received_from
        ]

    def reads(self, person: SignedIn, product: ProductId) -> Sequence[Read]:  # noqa: ARG002
        """When each partner was last recorded to read the product, in each form; the latest first."""
        return last_reads(self._node, product)

    def _delivery(self, partner: Party, item: Item, decision: Decision) -> Message | None:
        if was_recalled(self._node, partner, item.product.id):
            return Message("recalled")
        delivered = self._delivered_to(partner)
        number = delivered.numbers.get(item.product.id)
        if number is not None:
            if number <= delivered.acknowledged:
                return Message("received as number {number}", {"number": number})
            return Message("sent as number {number}", {"number": number})
        if item.product.id in delivered.waiting:
            if decision.outcome is not Outcome.PERMIT:
                return Message("withheld in the queue")
            return why_held(self._node, partner, item.product, decision) or Message("queued")
        return None

    def _delivered_to(self, partner: Party) -> _Delivered:
        # INVARIANT: nothing is queued, sent or acknowledged without a fact in the same transaction, so that the book stands
        # still as long as the log does. The checkpoint is read first: at worst, newer rows are read again next time.
        checkpoint = self._node.store.log.checkpoint()
        known = self._delivered.get(partner, _NOTHING_DELIVERED)
        if checkpoint is None or known.checkpoint != checkpoint:
            known = self._delivered[partner] = self._read_delivered(partner, checkpoint, known)
        return known

    def _read_delivered(self, partner: Party, checkpoint: str | None, known: _Delivered) -> _Delivered:
        book = self._node.store.book
        # The feed only grows. The entry that was read last is read again: if it is another, so is the database.
        again = book.outgoing(partner, known.last - 1, 1) if known.last else ()
        if not any(known.numbers.get(entry.product) == entry.sequence for entry in again):
            known = _NOTHING_DELIVERED
        numbers, last = dict(known.numbers), known.last
        while entries := book.outgoing(partner, last, _BATCH):
            numbers |= {entry.product: entry.sequence for entry in entries}
            last = entries[-1].sequence
        return _Delivered(checkpoint, numbers, last, book.acknowledged(partner), frozenset(book.waiting(partner)))

    def asset(self, person: SignedIn, product: ProductId, role: AssetRole) -> tuple[Asset, BinaryIO] | None:
        """One file of the product, opened for reading and seeking; the caller closes it."""
        item = self.product(person, product)
        asset = None if item is None else item.product.asset(role)
        return None if asset is None else (asset, self._node.blobs.open(asset.digest))

    def tile(self, person: SignedIn, product: ProductId, z: int, x: int, y: int) -> bytes | None:
        """Map tile of the product's image; None where it has none."""
        found = self.asset(person, product, AssetRole.VISUAL)
        if found is None:
            return None
        with found[1] as source:
            return self._read_tile(source, z, x, y)

    def status(self, person: SignedIn) -> Sequence[PartnerStatus]:  # noqa: ARG002
        """Health of the exchange, by partner."""
        return partner_statuses(self._node)

    def agreements(self, person: SignedIn) -> Sequence[AgreementLine]:  # noqa: ARG002
        """Agreements that this node knows, latest versions."""
        return agreement_lines(self._node)


def partner_statuses(node: Node) -> list[PartnerStatus]:
    """Health of the exchange, by partner."""

    def instant(text: str | None) -> Instant | None:
        return parse_instant(text) if text else None

    statuses = []
    for partner in sorted(node.knowledge().partners):
        notes = node.store.book.notes(partner)
        cause = notes.get("refusal_cause")
        statuses.append(
            PartnerStatus(
                partner,
                partner,
                instant(notes.get("last_in")),
                instant(notes.get("last_out")),
                sum(1 for _ in node.store.book.waiting(partner)),
                instant(notes.get("last_refusal")),
                # The partner's own words: nothing in them is a field.
                Message("{cause}", {"cause": cause}) if cause else None,
            )
        )
    return statuses
