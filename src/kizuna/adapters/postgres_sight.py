"""What a partner may see, for PostgreSQL: the decision as clauses, which stand in a search's ``WHERE`` and in row-level security.

A view learns something with each fact, and then a million rows mean something new, so nothing that is decided is stored. A row
names its label, its kind and how it lies to areas, of which there are few; of these the rules are run here, and the clauses list
those of which they hold. What differs from row to row, instants and the resolution, stands in a clause as bounds. What was
derived from other products, or had its label corrected, is decided on here as a whole and listed by number.

# INVARIANT: a rule that has no such form raises: it is never left out.
"""

from __future__ import annotations

import json
import operator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

from kizuna.release.columns import ALL, ALWAYS, NEVER, YES, ProductRow
from kizuna.release.conditions import conditions_of
from kizuna.release.decision import ObligationKind
from kizuna.release.expressions import Column, Expression, Literal, Operation, Operator, Sort, columns_of, conjuncts, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from kizuna.catalog.query import Sight
    from kizuna.model.parties import Party
    from kizuna.release.view import Entry, LabelColumns

__all__ = ["POLICY", "Clause", "PartnerSight", "Words", "partner_sight"]

_LABEL = frozenset({"policy", "rank", "marking", "releasable", "needs"})
_PLACE = frozenset({"inside", "touches", "placed"})
# Of a product that was derived from nothing, as `kizuna.release.view.View.product_row` writes it.
_UNDERIVED = {
    "parents_policy": 0,
    "parents_rank": 0,
    "parents_marking": 0,
    "parents_made": ALWAYS,
    "parents_review": NEVER,
    "parents_releasable": ALL,
    "parents_needs": 0,
    "disjoint": 0,
    "parents_consent": YES,
}
BOUNDED = {
    "made": "made_us",
    "review": "review_us",
    "acquired_from": "acquired_from_us",
    "acquired_until": "acquired_until_us",
    "produced": "produced_us",
    "resolution": "resolution_mm",
    "phase": "phase::integer",
}
"""Columns of a product's row that are bounded, and what a search row calls them."""
_PYTHON: dict[Operator, Callable[[int, int], int]] = {
    Operator.AND: operator.and_,
    Operator.OR: operator.or_,
    Operator.MEET: operator.and_,
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.BELOW: operator.lt,
    Operator.AT_MOST: operator.le,
    Operator.PLUS: operator.add,
}

_CLAUSE_COLUMNS = ", ".join(f"{name}_least bigint, {name}_most bigint" for name in BOUNDED)
_CLAUSE_BOUNDS = " AND ".join(f"{column} BETWEEN c.{name}_least AND c.{name}_most" for name, column in BOUNDED.items())
_PLACED = "EXISTS (SELECT 1 FROM item_placed a WHERE a.set_id = c.set_id AND a.number = item_row.number AND a.code = ANY(c.{}))"
POLICY = f"""
CREATE FUNCTION kizuna_sight() RETURNS jsonb LANGUAGE sql STABLE AS
    $$ SELECT nullif(current_setting('kizuna.sight', true), '')::jsonb $$;
ALTER TABLE item_row ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_sees ON item_row FOR SELECT TO PARTNER_ROLE USING (
    number IN (SELECT value::bigint FROM jsonb_array_elements_text((SELECT kizuna_sight()) -> 'others'))
    OR (
        NOT derived
        AND product NOT IN (SELECT value FROM jsonb_array_elements_text((SELECT kizuna_sight()) -> 'not'))
        AND (
            originator = (SELECT kizuna_sight() ->> 'holder')
            OR product || originator IN (SELECT value FROM jsonb_array_elements_text((SELECT kizuna_sight()) -> 'consents'))
        )
        AND (
            labelled_by = (SELECT kizuna_sight() ->> 'holder')
            OR product || labelled_by IN (SELECT value FROM jsonb_array_elements_text((SELECT kizuna_sight()) -> 'consents'))
        )
        AND coalesce((
            SELECT resolution_mm >= c.shown_from AND (NOT c.detected OR NOT phase OR item_row.detected)
                AND (c.shown_places IS NULL OR {_PLACED.format("shown_places")})
            FROM jsonb_to_recordset((SELECT kizuna_sight()) -> 'clauses') AS c(
                turn integer, labels bit varying, kinds text[], set_id integer, places integer[], {_CLAUSE_COLUMNS},
                shown_from bigint, shown_places integer[], detected boolean
            )
            WHERE substring(c.labels FROM label + 1 FOR 1) = B'1' AND (c.kinds IS NULL OR kind = ANY(c.kinds))
                AND {_CLAUSE_BOUNDS} AND (c.places IS NULL OR {_PLACED.format("places")})
            ORDER BY c.turn LIMIT 1
        ), false)
    )
);
"""  # noqa: S608 - of ours alone
"""Row-level security over the search rows: who did not say what may be seen (``kizuna.sight``) sees nothing."""


@dataclass(frozen=True, slots=True)
class Words:
    """What rows name by a number or a word.

    Parameters
    ----------
    labels
        Columns of labels in the view, by number.
    kinds
        Bit of each kind in the view.
    set_id, places
        Number of the set of areas, and the columns `inside`, `touches` and `placed` by code; None: of no row the place is known.
    passing
        Kept answers of `labels` to rules.
    """

    labels: Mapping[int, LabelColumns]
    kinds: Mapping[str, int]
    set_id: int
    places: Mapping[int, tuple[int, int, int]] | None
    passing: dict[str, frozenset[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Clause:
    """What one article lets go, of what was derived from nothing: labels, kinds, places (None: any), bounds (both included).

    What goes only in a form that is made for the partner is not shown: `shown_from`, `shown_places`, `detected` say what is.
    """

    labels: frozenset[int]
    kinds: frozenset[str] | None = None
    places: frozenset[int] | None = None
    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    shown_from: int = 0
    shown_places: frozenset[int] | None = None
    detected: bool = False

    def narrow(self, tree: Expression, words: Words) -> None:
        """Let a rule hold as well.

        Raises
        ------
        TypeError
            If it joins what differs from row to row in a way that has no such form.
        """
        tree = _underived(tree)
        names = {column.name for column in columns_of(tree)}
        if isinstance(tree, Literal):
            self.labels = self.labels if tree.value else frozenset()
        elif names <= _LABEL:
            self.labels &= _passing(tree, words)
        elif names == {"kind"}:
            kinds = frozenset(kind for kind, bit in words.kinds.items() if _value(tree, {"kind": bit}))
            self.kinds = kinds if self.kinds is None else self.kinds & kinds
        elif names <= _PLACE:
            places = _places(tree, words)
            if places is not None:
                self.places = places if self.places is None else self.places & places
            elif not _nowhere(tree):
                self.labels = frozenset()
        elif len(names) == 1 and names <= BOUNDED.keys():
            (name,) = names
            least, most = self.bounds.get(name, (ALWAYS, NEVER))
            spans = [span for span in _spans(tree) if span[0] <= span[1]]
            if len(spans) > 1:
                raise _unsupported(tree)
            found = spans[0] if spans else (NEVER, ALWAYS)
            self.bounds[name] = max(least, found[0]), min(most, found[1])
        else:
            raise _unsupported(tree)

    @property
    def empty(self) -> bool:
        """Whether it lets nothing go."""
        return not self.labels or self.kinds == frozenset() or self.places == frozenset()

    def told(self, turn: int, set_id: int) -> dict[str, object]:
        """The same as row-level security reads it."""
        told: dict[str, object] = {
            "turn": turn,
            # A bit for each label: PostgreSQL reads that many times as fast as a list of their numbers.
            "labels": "".join(["01"[number in self.labels] for number in range(max(self.labels) + 1)]),
            "kinds": None if self.kinds is None else sorted(self.kinds),
            "set_id": set_id,
            "places": None if self.places is None else sorted(self.places),
            "shown_from": self.shown_from,
            "shown_places": None if self.shown_places is None else sorted(self.shown_places),
            "detected": self.detected,
        }
        for name in BOUNDED:
            told[f"{name}_least"], told[f"{name}_most"] = self.bounds.get(name, (ALWAYS, NEVER))
        return told

    def matches(self, set_id: int) -> tuple[str, list[object]]:
        """Condition on a search row that it lets it go, with its parameters."""
        # Written out here, which takes less time than psycopg's way with lists.
        labels = f"{{{','.join(map(str, sorted(self.labels)))}}}"
        parts, values = ["r.label = ANY(%s::integer[])"], list[object]([labels])
        if self.kinds is not None:
            parts.append("r.kind = ANY(%s::text[])")
            values.append(sorted(self.kinds))
        for name, (least, most) in self.bounds.items():
            if least > ALWAYS:
                parts.append(f"r.{BOUNDED[name]} >= %s::bigint")
                values.append(least)
            if most < NEVER:
                parts.append(f"r.{BOUNDED[name]} <= %s::bigint")
                values.append(most)
        if self.places is not None:
            parts.append(_IN_PLACES)
            values += [set_id, sorted(self.places)]
        return " AND ".join(parts), values

    def shows(self, set_id: int) -> tuple[str, list[object]]:
        """Condition that what it lets go needs no form of its own."""
        parts, values = ["true"], list[object]()
        if self.shown_from:
            parts.append("r.resolution_mm >= %s::bigint")
            values.append(self.shown_from)
        if self.detected:
            parts.append("(NOT r.phase OR r.detected)")
        if self.shown_places is not None:
            parts.append(_IN_PLACES)
            values += [set_id, sorted(self.shown_places)]
        return " AND ".join(parts), values


_IN_PLACES = (
    "EXISTS (SELECT 1 FROM item_placed a WHERE a.set_id = %s::integer AND a.number = r.number AND a.code = ANY(%s::integer[]))"
)


@dataclass(frozen=True, slots=True)
class PartnerSight:
    """What a partner may see.

    Parameters
    ----------
    holder
        Whose store it is.
    clauses
        In this order articles are preferred: the first that lets a product go says how it is shown.
    consents
        Product ids, each followed by a party that consented that it goes on to the partner.
    unlike
        Products that the clauses say nothing of: their labels were corrected, or they were called back.
    others
        Numbers of the items among these, and of those derived from others, that it may see.
    set_id
        Set of areas that the places of the clauses are of.
    """

    holder: Party
    clauses: Sequence[Clause]
    consents: Sequence[str]
    unlike: Sequence[str]
    others: Sequence[int]
    set_id: int

    def told(self) -> str:
        """What row-level security is told."""
        return json.dumps(
            {
                "holder": self.holder,
                "clauses": [clause.told(turn, self.set_id) for turn, clause in enumerate(self.clauses)],
                "consents": list(self.consents),
                "not": list(self.unlike),
                "others": list(self.others),
            }
        )

    def where(self) -> tuple[str, list[object]]:
        """Condition on search rows, under the name ``r``, with its parameters."""
        cases, values = [], list[object]()
        for clause in self.clauses:
            matches, some = clause.matches(self.set_id)
            shows, more = clause.shows(self.set_id)
            cases.append(f"WHEN {matches} THEN {shows}")
            values += [*some, *more]
        plain = f"CASE {' '.join(cases)} ELSE false END" if cases else "false"
        consents = list(self.consents)
        for column in ("originator", "labelled_by"):
            plain += f" AND (r.{column} = %s OR r.product || r.{column} = ANY(%s::text[]))"
            values += [self.holder, consents]
        if self.unlike:
            plain += " AND r.product <> ALL(%s::text[])"
            values.append(list(self.unlike))
        text = f"(NOT r.derived AND {plain})"
        if self.others:
            text = f"({text} OR r.number = ANY(%s::bigint[]))"
            values.append(list(self.others))
        return text, values


def partner_sight(sight: Sight, partner: Party, words: Words, unlike: Iterable[str], others: Iterable[int]) -> PartnerSight:
    """What a partner may see at the instant of a sight.

    Parameters
    ----------
    sight, partner
        Who asks, when, and what was known.
    words
        All that rows may name, in that view.
    unlike, others
        As `PartnerSight` has them, but for what was called back.
    """
    conditions = conditions_of(sight.view, sight.giver, partner, sight.at)
    clauses = []
    for entry, trees in conditions.articles:
        clause = Clause(frozenset(words.labels))
        for tree in (*conditions.product, *trees):
            for part in conjuncts(tree):
                if not _is_consent(part):
                    clause.narrow(part, words)
        if not clause.empty:
            _show(clause, entry, words)
            clauses.append(clause)
    given = sight.view.consents_to(partner, sight.at)
    consents = [product + party for (party, product), answer in given.items() if answer == YES]
    return PartnerSight(sight.giver, clauses, consents, sorted({*unlike, *sight.recalled}), sorted(others), words.set_id)


def _show(clause: Clause, entry: Entry, words: Words) -> None:
    """Leave out what goes only in a form that is made for it, and what nothing is left of without its phase."""
    # As `kizuna.catalog.sights.look` does.
    kinds = {obligation.kind for obligation in entry.article.obligations}
    if ObligationKind.RESOLUTION in kinds:
        clause.shown_from = min(entry.row.finest, NEVER)
    if ObligationKind.AREA in kinds:
        places = words.places or {}
        clause.shown_places = frozenset(code for code, (inside, _, _) in places.items() if inside & entry.row.areas)
    clause.detected = ObligationKind.DETECTED_ONLY in kinds


def _is_consent(tree: Expression) -> bool:
    match tree:
        case Operation(Operator.EQUAL, Column(name="consent"), Literal(value=value)):
            return value == YES
        case _:
            return False


def _underived(tree: Expression) -> Expression:
    """The same of a product that was derived from nothing."""
    return settle(_turned(tree), {"parents": SimpleNamespace(**_UNDERIVED)})


def _turned(tree: Expression) -> Expression:
    match tree:
        case Column(name=name, sort=sort) if name in _UNDERIVED:
            return Column("parents", name, sort)
        case Operation():
            return Operation(tree.operator, _turned(tree.left), _turned(tree.right), tree.sort)
        case _:
            return tree


def _value(tree: Expression, row: Mapping[str, int]) -> int:
    match tree:
        case Literal(value=value):
            return value
        case Column(name=name):
            return row[name]
        case Operation(sign, left, right):
            return int(_PYTHON[sign](_value(left, row), _value(right, row)))
        case _:
            raise _unsupported(tree)


def _passing(tree: Expression, words: Words) -> frozenset[int]:
    """Labels of which a rule holds."""
    key = repr(tree)
    found = words.passing.get(key)
    if found is None:
        found = words.passing[key] = frozenset(
            number for number, label in words.labels.items() if _value(tree, {name: getattr(label, name) for name in _LABEL})
        )
    return found


def _places(tree: Expression, words: Words) -> frozenset[int] | None:
    if words.places is None:
        return None
    return frozenset(
        code
        for code, (inside, touches, placed) in words.places.items()
        if _value(tree, {"inside": inside, "touches": touches, "placed": placed})
    )


def _nowhere(tree: Expression) -> bool:
    """Whether a rule holds of what lies nobody knows where."""
    return bool(_value(tree, {"inside": 0, "touches": ALL, "placed": 0}))


def _spans(tree: Expression) -> list[tuple[int, int]]:
    """Values of the one column of a rule of which it holds: spans, ascending, both ends included."""
    match tree:
        case Operation(Operator.AND, left, right):
            return [(max(a[0], b[0]), min(a[1], b[1])) for a in _spans(left) for b in _spans(right)]
        case Operation(Operator.OR, left, right):
            return _joined([*_spans(left), *_spans(right)])
        case Operation(Operator.EQUAL, left, Literal(value=value)) if left.sort is Sort.NUMBER:
            return [(value - _moved(left), value - _moved(left))]
        case Operation((Operator.BELOW | Operator.AT_MOST) as sign, left, right):
            less = int(sign is Operator.BELOW)
            if isinstance(right, Literal):
                return [(ALWAYS, right.value - less - _moved(left))]
            if isinstance(left, Literal):
                return [(left.value + less - _moved(right), NEVER)]
            raise _unsupported(tree)
        case _:
            raise _unsupported(tree)


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for least, most in sorted(span for span in spans if span[0] <= span[1]):
        if joined and least <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], most)
        else:
            joined.append((least, most))
    return joined


def _moved(tree: Expression) -> int:
    """What is added to the column."""
    match tree:
        case Column():
            return 0
        case Operation(Operator.PLUS, Column(), Literal(value=value)):
            return value
        case _:
            raise _unsupported(tree)


def _unsupported(tree: Expression) -> TypeError:
    return TypeError(f"no clause is known for {tree!r}")


# A column that is added to the rows must be thought of here.
assert {*_LABEL, *_PLACE, *_UNDERIVED, *BOUNDED, "kind", "consent"} == set(ProductRow.__slots__)  # noqa: S101
