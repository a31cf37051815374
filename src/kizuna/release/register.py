"""The register: all facts that a decision is made of, each with the time at which it became known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kizuna.model.instants import Instant
    from kizuna.release.agreements import Agreement, Consent, Suspension
    from kizuna.release.markings import Ladder

__all__ = ["Register", "Resumption"]


@dataclass(frozen=True, slots=True)
class Resumption:
    """End of the suspension of an agreement, recorded later than the suspension itself."""

    agreement: str
    at: Instant
    recorded_at: Instant


@dataclass(frozen=True, slots=True)
class Register:
    """Facts, append-only. `as_known` gives the register as it was known at an instant.

    Parameters
    ----------
    agreements
        All versions of all agreements.
    suspensions, resumptions, consents
        As recorded.
    ladders
        Ladders of classification by policy.
    accepted_ladders
        Policies whose unverified rungs this node accepts by name.
    """

    agreements: tuple[Agreement, ...] = ()
    suspensions: tuple[Suspension, ...] = ()
    resumptions: tuple[Resumption, ...] = ()
    consents: tuple[Consent, ...] = ()
    ladders: Mapping[str, Ladder] = field(default_factory=dict)
    accepted_ladders: frozenset[str] = frozenset()

    def as_known(self, known_at: Instant) -> Register:
        """Register without what became known after `known_at`, and of each agreement only the version known then."""
        latest: dict[str, Agreement] = {}
        for agreement in self.agreements:
            if agreement.recorded_at <= known_at:
                other = latest.get(agreement.id)
                if other is None or other.version < agreement.version:
                    latest[agreement.id] = agreement
        return replace(
            self,
            agreements=tuple(latest[id_] for id_ in sorted(latest)),
            suspensions=tuple(s for s in self.suspensions if s.recorded_at <= known_at),
            resumptions=tuple(r for r in self.resumptions if r.recorded_at <= known_at),
            consents=tuple(c for c in self.consents if c.recorded_at <= known_at),
        )

    def ladder_rank(self, policy: str, marking: str) -> int | None:
        """Rank of `marking` in its policy, or None where either is unknown."""
        ladder = self.ladders.get(policy)
        if ladder is None:
            return None
        return ladder.rank(marking, accept_unverified=policy in self.accepted_ladders)
