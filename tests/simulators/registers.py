"""Worlds made up at random: a register of agreements, products that meet them, and questions about both.

Everything that a rule looks at occurs, ordinary and odd: unknown, approximate and open dates, suspensions, unverified rungs and
pairs, labels of other policies, parents that nobody knows. Of one `random.Random` always the same world comes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from kizuna.model.instants import Instant, Interval, format_instant, parse_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import NATIONS, parse_party
from kizuna.model.regions import NOWHERE_KNOWN, Placement, area_of
from kizuna.release.agreements import (
    Agreement,
    AgreementKind,
    Article,
    Bound,
    Consent,
    Equivalence,
    Grant,
    Relabelling,
    Resumption,
    Suspension,
    Term,
    Withdrawal,
)
from kizuna.release.decision import Obligation, ObligationKind
from kizuna.release.markings import UNCLASSIFIED, Ladder, Rung
from kizuna.release.register import Register
from kizuna.release.subject import Ancestor, Subject
from kizuna.release.view import NO_PURPOSE

if TYPE_CHECKING:
    from random import Random

    from kizuna.model.parties import Party

__all__ = ["KNOWN", "World", "make_world"]

BEGIN = parse_instant("2025-01-01")
KNOWN = parse_instant("2027-01-01")
"""By then everything is known."""
DAYS = 365
GIVER = parse_party("JPN")
AREAS = [
    area_of(
        f"area {number}", ((((129.0 + number, 33.0), (130.0 + number, 33.0), (130.0 + number, 34.0), (129.0 + number, 33.0)),),)
    )
    for number in range(6)
]
KINDS = ["imagery", "detections", "change", "tracks"]
MARKINGS = ["秘", "極秘", "機密"]
PURPOSES = ["disaster relief", "defence", "research"]
STRANGERS = [parse_party("NZL"), parse_party("XXN")]
TAGS = {"SAP": ["X", "Y", "Z"], "COI": ["sea", "air", "land"]}


@dataclass(slots=True)
class World:
    """A register, and who and what occurs in it.

    Parameters
    ----------
    random
        Where chance comes from.
    oddity
        How likely each thing is odd, 0 to 1.
    partners
        Nations and organisations that the giver has agreements with.
    groups
        Parties to whom labels release, as a rule.
    register
        Facts.
    """

    random: Random
    oddity: float
    partners: list[Party] = field(default_factory=list)
    groups: list[tuple[Party, ...]] = field(default_factory=list)
    register: Register = field(default_factory=Register)

    def odd(self, times: float = 1.0) -> bool:
        """Whether to make the next thing odd."""
        return self.random.random() < self.oddity * times

    def instant(self, first: float = 0, last: float = DAYS) -> Instant:
        """Instant so many days after the begin, to the hour (so that some meet)."""
        return Instant(BEGIN + timedelta(hours=self.random.randint(round(first * 24), round(last * 24))))

    def bound(self, instant: Instant) -> Bound:
        """Bound at this instant, as a rule."""
        if self.odd(0.3):
            return Bound(None, None, "unknown")
        latest = Instant(instant + timedelta(days=20)) if self.odd(0.5) else instant
        return Bound(instant, latest, format_instant(instant))

    def term(self, first: float = -100, last: float = 100) -> Term:
        """Term that begins between these days, and as a rule does not end."""
        begin = self.instant(first, last)
        end = self.bound(Instant(begin + timedelta(days=self.random.randint(30, 300)))) if self.odd(2) else None
        return Term(self.bound(begin), end)

    def label(self, originator: Party = GIVER) -> Label:
        """Label, as a rule of the giver's."""
        random = self.random
        policy = random.choice(self.partners)[:3] if self.odd(0.5) else "JPN"
        marking = (
            random.choice([UNCLASSIFIED, "秘", *MARKINGS]) if policy == "JPN" else random.choice([UNCLASSIFIED, f"{policy}-C"])
        )
        created = self.instant(-60, 300) if self.odd() else self.instant(-90, -60)
        return Label(
            policy,
            "?" if self.odd(0.2) else marking,
            random.choice(self.partners) if self.odd(0.3) else originator,
            created,
            random.choice([None, random.choice(self.groups)]),
            tuple(self.category() for _ in range(random.randint(0, 2))) if self.odd(2) else (),
            review=Instant(created + timedelta(days=random.randint(1, 500))) if self.odd() else None,
        )

    def category(self) -> Category:
        """Category of any type."""
        tag = self.random.choice(list(TAGS))
        return Category(
            tag, self.random.choice(list(CategoryType)), tuple(self.random.sample(TAGS[tag], self.random.randint(1, 2)))
        )

    def subject(self, number: int, *, derived: float = 0.15, foreign: float = 0.1) -> Subject:
        """Product; the two numbers say how many are derived, and how many are another's."""
        random = self.random
        originator = random.choice(self.partners) if random.random() < foreign else GIVER
        begin = self.instant(-30)
        touched = random.sample(AREAS, random.randint(0, 2))
        return Subject(
            f"product-{number}",
            random.choice(KINDS),
            originator,
            GIVER,
            self.label(originator),
            tuple(self.parent(number, place) for place in range(random.randint(1, 2))) if random.random() < derived else (),
            complex_data=random.random() < 0.5,
            event=None if self.odd(0.3) else Interval(begin, None if self.odd(0.2) else Instant(begin + timedelta(seconds=20))),
            produced=None if self.odd(0.3) else Instant(begin + timedelta(hours=random.randint(1, 48))),
            resolution_m=None if self.odd(0.3) else random.choice([0.25, 0.46, 0.5, 1.0, 3.0]),
            placement=NOWHERE_KNOWN
            if self.odd(0.3)
            else Placement(frozenset(area.id for area in touched[:1]), frozenset(area.id for area in touched)),
        )

    def parent(self, number: int, place: int) -> Ancestor:
        """What a product is derived from."""
        originator = self.random.choice(self.partners) if self.odd() else GIVER
        return Ancestor(
            f"parent-{number}-{place}", None if self.odd(0.1) else originator, None if self.odd(0.1) else self.label(originator)
        )

    def question(self) -> tuple[Party, Instant, str]:
        """Partner, instant, purpose."""
        # One that has no agreement, and one that is no nation.
        partner = self.random.choice(STRANGERS if self.odd(0.4) else self.partners)
        return partner, self.instant(), self.random.choice(PURPOSES) if self.odd(2) else NO_PURPOSE


def make_world(
    random: Random, *, agreements: int = 20, oddity: float = 0.1, most_partners: int | None = None, products: int = 200
) -> World:
    """World of so many agreements: by turns one that shares, and the information-security agreement that goes with it.

    Parameters
    ----------
    random
        Where chance comes from.
    agreements
        How many.
    oddity
        How likely each thing is odd, 0 to 1.
    most_partners
        Count of parties that the articles name; one for each two agreements unless said otherwise.
    products
        Consents and corrections are about this many products, by number.
    """
    world = World(random, oddity)
    nations = random.sample(sorted(NATIONS - {"JPN", "NZL"}), most_partners or -(-agreements // 2))
    world.partners = [parse_party(f"{nation}/ARMY" if world.odd(2) else nation) for nation in nations]
    world.groups = [tuple(random.sample(world.partners, random.randint(1, len(nations)))) for _ in range(8)]
    ladders = {"JPN": Ladder("JPN", tuple(Rung((marking,)) for marking in MARKINGS), "made up")}
    for nation in nations:
        rungs = tuple(Rung((f"{nation}-{letter}",), verified=not world.odd(0.3)) for letter in "RCS")
        ladders[nation] = Ladder(nation, rungs, "made up")
    made = [_agreement(world, number) for number in range(agreements)]
    made += [_next_version(world, number, agreement) for number, agreement in enumerate(made) if world.odd()]
    ids = list(dict.fromkeys(agreement.id for agreement in made))
    world.register = Register(
        tuple(made),
        suspensions=tuple(
            Suspension(id_, Term(world.bound(world.instant(0, 200)), world.bound(world.instant(200, 300))), BEGIN, "review")
            for id_ in ids
            if world.odd()
        ),
        resumptions=tuple(
            Resumption(id_, world.instant(150, 300), recorded_at)
            for id_ in ids
            for recorded_at in (world.instant(), KNOWN)
            if world.odd(0.5)
        ),
        consents=_corrected(
            world,
            [
                Consent(random.choice([*world.partners, GIVER]), name, random.choice(world.partners), world.term(-300, 0), BEGIN)
                for number in range(products)
                for name in (f"product-{number}", f"parent-{number}-0")
                if world.odd(2)
            ],
        ),
        ladders=ladders,
        withdrawals=tuple(Withdrawal(id_, world.instant(100), BEGIN, "a new policy") for id_ in ids if world.odd(0.5)),
        relabellings=tuple(
            Relabelling(f"product-{number}", world.label(), BEGIN) for number in range(products) if world.odd(0.2)
        ),
    )
    return world


def _corrected(world: World, consents: list[Consent]) -> tuple[Consent, ...]:
    """Consents with some that were recorded later, and one or the other of the same instant."""
    later = [
        replace(consent, term=world.term(-300, 100), recorded_at=BEGIN if world.odd() else world.instant())
        for consent in consents
        if world.odd(2)
    ]
    return (*consents, *later)


def _next_version(world: World, number: int, before: Agreement) -> Agreement:
    """Second version of an agreement, as a rule from a day on."""
    instant = world.instant()
    return replace(
        _agreement(world, number),
        id=before.id,
        version=2,
        applies_from=None if world.odd() else Bound(instant, instant, format_instant(instant)),
    )


def _agreement(world: World, number: int) -> Agreement:
    partner = world.partners[number // 2 % len(world.partners)]
    nation = parse_party(partner[:3])
    secures = number % 2 == 1
    # Two agreements of the same two nations, so that of two articles one is better.
    shares = (AgreementKind.SHARING, AgreementKind.DECLARATION)[world.odd(0.3)]
    return Agreement(
        f"{'ISA' if secures else 'SHARE'}-{number}",
        1,
        "made up",
        AgreementKind.INFORMATION_SECURITY if secures else shares,
        (GIVER, nation),
        world.term(),
        BEGIN,
        () if secures else tuple(_article(world, partner, str(place)) for place in range(world.random.randint(1, 3))),
        tuple(
            Equivalence("JPN", marking, nation, f"{nation}-{letter}", "4", "made up", verified=not world.odd(0.5))
            for marking, letter in zip(MARKINGS[: world.random.randint(2, 3)], "RCS", strict=False)
        )
        if secures
        else (),
    )


def _article(world: World, partner: Party, number: str) -> Article:
    random = world.random
    receivers = tuple(dict.fromkeys([partner, random.choice(world.partners)]))
    obligations = random.sample(
        [ObligationKind.DETECTED_ONLY, ObligationKind.CAVEAT, ObligationKind.NO_ONWARD], random.randint(0, 3)
    )
    if world.odd(2):
        obligations.append(ObligationKind.DELAY)
    if world.odd(2):
        obligations.append(ObligationKind.RESOLUTION)
    if world.odd(0.3):
        obligations.append(ObligationKind.AREA)
    values = {
        ObligationKind.DELAY: lambda: "?" if world.odd(0.2) else str(random.randint(1, 2000)),
        ObligationKind.RESOLUTION: lambda: "?" if world.odd(0.2) else random.choice(["0.46", "0.5", "1"]),
    }
    return Article(
        number,
        "made up",
        (GIVER,),
        receivers,
        tuple(random.sample(KINDS, random.randint(2, 4))),
        partner[:3] if world.odd(0.2) else "JPN",
        None if world.odd(0.2) else random.choice([UNCLASSIFIED, *MARKINGS, "極秘", "機密"]),
        tuple(Obligation(kind, values.get(kind, str)(), "made up", number) for kind in obligations),
        tuple(Grant(tag, tuple(random.sample(values, 2))) for tag, values in TAGS.items() if random.random() < 0.5),
        areas=tuple(random.sample(AREAS, 2)) if world.odd(2) else (),
        denied_areas=(random.choice(AREAS),) if world.odd(2) else (),
        acquired=world.term(-30, 200) if world.odd(2) else None,
        produced=world.term(-30, 200) if world.odd(2) else None,
        purposes=tuple(random.sample(PURPOSES, 2)) if world.odd(2) else (),
    )
