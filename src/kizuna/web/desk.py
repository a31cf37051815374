"""The port of the pages: what a person at this node may see. The rooms below implement it without importing this one.

The values that cross it are protocols as well: any frozen dataclass with these fields will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.catalog.store import Item
    from kizuna.errors import Message
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.product import Asset, AssetRole, ProductId
    from kizuna.node.reads import ReadForm
    from kizuna.release.decision import Decision

__all__ = ["AgreementLine", "AgreementState", "PartnerRelease", "PartnerStatus", "PeopleDesk", "Person", "Read", "Role"]

Role = Literal["analyst", "officer", "operator"]
AgreementState = Literal["in force", "not yet", "ended", "withdrawn", "suspended", "a person must decide", "unknown"]


class Person(Protocol):
    """Somebody who signed in."""

    @property
    def name(self) -> str:
        """Name to show."""
        ...

    @property
    def role(self) -> Role:
        """Analyst, release officer or operator of the node."""
        ...


class PartnerRelease(Protocol):
    """Whether one partner sees one product, and why."""

    @property
    def partner(self) -> Party:
        """Partner."""
        ...

    @property
    def partner_name(self) -> str:
        """Its name to show, such as "Ukraine, HUR"."""
        ...

    @property
    def decision(self) -> Decision:
        """Decision as of now."""
        ...

    @property
    def delivery(self) -> Message | None:
        """How far the handing over is: ``queued``, ``sent as #4``, ``acknowledged``, ``withheld``; None: nothing to say."""
        ...


class PartnerStatus(Protocol):
    """Health of the exchange with one partner."""

    @property
    def partner(self) -> Party:
        """Partner."""
        ...

    @property
    def partner_name(self) -> str:
        """Its name to show."""
        ...

    @property
    def last_in(self) -> Instant | None:
        """When something last came from it; None for never."""
        ...

    @property
    def last_out(self) -> Instant | None:
        """When something last went to it; None for never."""
        ...

    @property
    def waiting(self) -> int:
        """Count of products that wait to go to it."""
        ...

    @property
    def last_refusal(self) -> Instant | None:
        """When the exchange last refused something; None for never."""
        ...

    @property
    def refusal_cause(self) -> Message | None:
        """Why it was refused."""
        ...


class Read(Protocol):
    """A partner read a product."""

    @property
    def partner(self) -> Party:
        """Partner."""
        ...

    @property
    def form(self) -> ReadForm:
        """How."""
        ...

    @property
    def at(self) -> Instant:
        """When that was last recorded."""
        ...


class AgreementLine(Protocol):
    """One version of one agreement, as the list of agreements shows it."""

    @property
    def id(self) -> str:
        """Id."""
        ...

    @property
    def title(self) -> str:
        """Title."""
        ...

    @property
    def version(self) -> int:
        """Version."""
        ...

    @property
    def parties(self) -> Sequence[Party]:
        """Parties."""
        ...

    @property
    def begin(self) -> str:
        """In force since, as the source writes it (``2025-06-21``, ``end of February 2025``, ``unknown``)."""
        ...

    @property
    def state(self) -> AgreementState:
        """How it stands now."""
        ...

    @property
    def fictional(self) -> bool:
        """Whether it is a fictional supplement."""
        ...

    @property
    def told(self) -> Sequence[Message]:
        """What partners said of it last: that they suspended it, say."""
        ...


class PeopleDesk(Protocol):
    """What a person at this node may see. Called from several threads at once.

    A product that a person may not see is None, like one that does not exist, and takes as long.
    """

    @property
    def organisation(self) -> Party:
        """Whose node this is."""
        ...

    @property
    def organisation_name(self) -> str:
        """Its name to show."""
        ...

    def sign_in(self, token: str) -> Person | None:
        """Person whose access token this is; None for an unknown, expired or revoked one. Asked again for every request."""
        ...

    def highest_marking(self, labels: Sequence[Label]) -> str:
        """Line for the top of a page that shows products with these labels: the highest marking of each policy."""
        ...

    def products(self, person: Person) -> Sequence[Item]:
        """What the person may see, newest observation first."""
        ...

    def product(self, person: Person, product: ProductId) -> Item | None:
        """One of `products`."""
        ...

    def releases(self, person: Person, product: ProductId) -> Sequence[PartnerRelease]:
        """Who can see the product, by partner; empty if the person may not see it."""
        ...

    def reads(self, person: Person, product: ProductId) -> Sequence[Read]:
        """When each partner was last recorded to read the product, in each form; the latest first."""
        ...

    def asset(self, person: Person, product: ProductId, role: AssetRole) -> tuple[Asset, BinaryIO] | None:
        """One file of the product, opened for reading and seeking; the caller closes it."""
        ...

    def tile(self, person: Person, product: ProductId, z: int, x: int, y: int) -> bytes | None:
        """WebP or PNG tile of the product's image (XYZ numbering, Web Mercator, 256 pixels); None where it has none."""
        ...

    def status(self, person: Person) -> Sequence[PartnerStatus]:
        """Health of the exchange, by partner."""
        ...

    def agreements(self, person: Person) -> Sequence[AgreementLine]:
        """Agreements that this node knows, latest versions."""
        ...
