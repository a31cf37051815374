"""Ladders of classification: what a marking means within its policy.

A ladder belongs to one policy and orders its markings. Between policies nothing is ordered: an equivalence belongs to a version
of an agreement (`kizuna.release.agreements.Equivalence`).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UNCLASSIFIED", "Ladder", "Rung"]

UNCLASSIFIED = "UNCLASSIFIED"
"""Marking, in any policy, of what is not classified. It is the lowest rung of each ladder."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One level of a ladder.

    Parameters
    ----------
    markings
        Its names; the first is written, all are read.
    verified
        False where the source could not be read: the rung is then unknown unless a node accepts its ladder by name.
    """

    markings: tuple[str, ...]
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Ladder:
    """Markings of one policy, lowest first.

    Parameters
    ----------
    policy
        Policy (``"JPN"``).
    rungs
        Levels above unclassified, lowest first.
    basis
        Where the ladder was read.
    """

    policy: str
    rungs: tuple[Rung, ...]
    basis: str

    def rank(self, marking: str, *, accept_unverified: bool = False) -> int | None:
        """Rank of `marking`: 0 for unclassified, 1 for the lowest level; None if it is unknown (or not verified).

        Examples
        --------
        >>> ladder = Ladder("JPN", (Rung(("秘",)), Rung(("極秘",))), "example")
        >>> ladder.rank("極秘"), ladder.rank("UNCLASSIFIED"), ladder.rank("SECRET")
        (2, 0, None)
        """
        if marking == UNCLASSIFIED:
            return 0
        for rank, rung in enumerate(self.rungs, start=1):
            if marking in rung.markings:
                return rank if rung.verified or accept_unverified else None
        return None
