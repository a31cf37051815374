"""Agreements, labels and subjects to decide on. The plain case permits: a classified image from Japan to Ukraine's HUR."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kizuna.model.instants import parse_instant
from kizuna.model.label import Label
from kizuna.model.parties import parse_party
from kizuna.release.agreements import (
    Agreement,
    AgreementKind,
    Article,
    Bound,
    Consent,
    Equivalence,
    Resumption,
    Suspension,
    Term,
)
from kizuna.release.decide import Subject, decide
from kizuna.release.decision import Obligation, ObligationKind
from kizuna.release.markings import Ladder, Rung
from kizuna.release.register import Register

if TYPE_CHECKING:
    from kizuna.model.instants import Instant
    from kizuna.release.decision import Decision

JPN, IQPS = parse_party("JPN"), parse_party("JPN/IQPS")
UKR, HUR = parse_party("UKR"), parse_party("UKR/HUR")
FRA, NZL = parse_party("FRA"), parse_party("NZL")
DAWN = parse_instant("2024-01-01")
NOW = parse_instant("2025-07-01T12:00:00Z")

LADDERS = {
    "JPN": Ladder("JPN", (Rung(("秘",)), Rung(("極秘",)), Rung(("機密",))), "sample"),
    "UKR": Ladder("UKR", (Rung(("ДСК",), verified=False), Rung(("Таємно",)), Rung(("Цілком таємно",))), "sample"),
    "USA": Ladder("USA", (Rung(("SECRET",), verified=False),), "memory"),
}


def bound(text: str | tuple[str, str]) -> Bound:
    """Exact instant, ``unknown``, or a pair of instants for an approximate date."""
    if text == "unknown":
        return Bound(None, None, "unknown")
    earliest, latest = (text, text) if isinstance(text, str) else text
    return Bound(parse_instant(earliest), parse_instant(latest), f"about {latest}" if earliest != latest else latest)


def term(begin: str | tuple[str, str] = "2025-01-01", end: str | tuple[str, str] | None = None) -> Term:
    """Term between two bounds."""
    return Term(bound(begin), None if end is None else bound(end))


def obligation(kind: ObligationKind, value: str = "") -> Obligation:
    """Obligation of the plain sharing agreement."""
    return Obligation(kind, value, "SHARE", "1")


ARTICLE = Article("1", "imagery", (JPN,), (HUR,), ("imagery",), "JPN", "極秘")
SHARE = Agreement("SHARE", 1, "sharing", AgreementKind.SHARING, (JPN, UKR), term(), DAWN, (ARTICLE,))
PAIR = Equivalence("JPN", "秘", "UKR", "Таємно", "4", "text", verified=True)
ISA = Agreement("ISA", 1, "security", AgreementKind.INFORMATION_SECURITY, (JPN, UKR), term(), DAWN, equivalences=(PAIR,))
LABEL = Label("JPN", "秘", JPN, DAWN)
SUBJECT = Subject("p", "imagery", JPN, JPN, LABEL)
REGISTER = Register((SHARE, ISA), ladders=LADDERS)


def register(*agreements: Agreement, **changes: object) -> Register:
    """Register of these agreements over the sample ladders."""
    return replace(Register(agreements, ladders=LADDERS), **changes)


def suspension(begin: str | tuple[str, str], end: str | tuple[str, str] | None = None, **changes: object) -> Suspension:
    """Suspension of the plain sharing agreement, recorded when it began unless said otherwise."""
    made = Suspension("SHARE", term(begin, end), DAWN, "review of the third-party rule")
    if made.term.begin.latest is not None:
        made = replace(made, recorded_at=made.term.begin.latest)
    return replace(made, **changes)


def resumption(at: str, *, agreement: str = "SHARE", recorded: str | None = None) -> Resumption:
    """Resumption, recorded when it took effect unless said otherwise."""
    return Resumption(agreement, parse_instant(at), parse_instant(recorded or at))


def consent(**changes: object) -> Consent:
    """Consent of Ukraine's HUR that `p` goes on to France."""
    return replace(Consent(HUR, "p", FRA, term(), DAWN), **changes)


def ask(
    facts: Register = REGISTER,
    subject: Subject = SUBJECT,
    partner: str = "UKR/HUR",
    at: Instant | str = NOW,
    known: Instant | str | None = None,
    purpose: str = "",
) -> Decision:
    """Decide, at noon on 1 July 2025 unless said otherwise."""
    moment = parse_instant(at) if isinstance(at, str) else at
    learned = moment if known is None else parse_instant(known) if isinstance(known, str) else known
    return decide(facts, subject, parse_party(partner) if partner[:3] != "ZZZ" else partner, moment, learned, purpose)  # type: ignore[arg-type]


__all__ = [
    "ARTICLE",
    "DAWN",
    "FRA",
    "HUR",
    "IQPS",
    "ISA",
    "JPN",
    "LABEL",
    "LADDERS",
    "NOW",
    "NZL",
    "PAIR",
    "REGISTER",
    "SHARE",
    "SUBJECT",
    "UKR",
    "ObligationKind",
    "ask",
    "bound",
    "consent",
    "obligation",
    "register",
    "resumption",
    "suspension",
    "term",
]
