"""The rules as SQL: a predicate that selects exactly the products that `kizuna.release.decide` permits, and its tables.

The tables hold the rows of one view (`kizuna.release.view`): a store fills them anew when the register learns something. What
hangs on the partner and the instant, the consents, is looked up when the question is asked, and only for products that need any.

SQLite and PostgreSQL answer the same text but for parameters and types. No text from outside stands in it: names are those of
the columns, all values are parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.release.columns import ALWAYS, NEVER, YES, ProductRow, folded, masks_of, micros, words_of
from kizuna.release.conditions import conditions_of
from kizuna.release.expressions import Column, Expression, Literal, Operation, Operator, Sort, columns_of
from kizuna.release.view import NO_PURPOSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.release.agreements import Consent
    from kizuna.release.subject import Subject
    from kizuna.release.view import View

__all__ = ["Dialect", "Predicate", "ReleaseTables", "tables_for"]

type Value = int | str

_CONSENTS = {"consent": 0, "parents_consent": 1}
"""Columns that are looked up, and what stands for them in the table of needed consents."""
_MASKS = masks_of(ProductRow)
_WORD = 64


class Dialect(StrEnum):
    """Whose SQL it is."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"

    @property
    def parameter(self) -> str:
        """Place of a parameter; PostgreSQL is told its type, since both sides of some operations are parameters."""
        return "?" if self is Dialect.SQLITE else "%s"

    @property
    def number(self) -> str:
        """Place of a parameter that is a number."""
        return "?" if self is Dialect.SQLITE else "%s::bigint"


@dataclass(frozen=True, slots=True)
class Predicate:
    """A condition for ``WHERE`` over the table of products, under the name ``p``, with its parameters in order."""

    text: str
    parameters: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class ReleaseTables:
    """Tables of the products of one view and one holder.

    Parameters
    ----------
    giver
        Who holds the products, and is asked for them.
    dialect
        Whose SQL.
    words
        In how many columns of 64 bits each mask stands. A vocabulary may outgrow them; only a product that itself uses a
        bit beyond does not fit.

    Notes
    -----
    ``release_product`` has a row a product, ``release_needed`` the consents that some of them need: a party (`originator`) must
    have agreed that one of the products of the same `place` goes on. ``release_consent`` has those that were given.
    """

    giver: Party
    dialect: Dialect
    words: Mapping[str, int]

    def schema(self) -> tuple[str, ...]:
        """Statements that make the tables."""
        # SQLite keeps rows in the order of a number only if that is called INTEGER.
        number = "INTEGER" if self.dialect is Dialect.SQLITE else "BIGINT"
        columns = "".join(f", {name} {number} NOT NULL" for name in self._columns())
        return (
            f"CREATE TABLE release_product (number {number} PRIMARY KEY{columns}, product TEXT NOT NULL)",
            (
                f"CREATE TABLE release_needed (number {number} NOT NULL, parents {number} NOT NULL, place {number} NOT NULL"
                ", originator TEXT NOT NULL, product TEXT NOT NULL, PRIMARY KEY (number, parents, place, product))"
            ),
            (
                "CREATE TABLE release_consent (originator TEXT NOT NULL, product TEXT NOT NULL, receiver TEXT NOT NULL"
                f", given_from {number} NOT NULL, given_until {number} NOT NULL)"
            ),
            "CREATE INDEX release_consent_given ON release_consent (originator, product, receiver)",
        )

    def insert_product(self) -> str:
        """Statement that adds a product (`product_values`)."""
        return self._insert("release_product", len(self._columns()) + 2)

    def insert_needed(self) -> str:
        """Statement that adds a consent that a product needs (`needed_values`)."""
        return self._insert("release_needed", 5)

    def insert_consent(self) -> str:
        """Statement that adds a consent that was given (`consent_values`)."""
        return self._insert("release_consent", 5)

    def product_values(self, view: View, number: int, subject: Subject) -> tuple[Value, ...]:
        """Values of a product's row.

        Raises
        ------
        ValueError
            If another party holds it, or one of its masks does not fit: the tables are then to be made anew (`tables_for`).
        """
        if subject.holder != self.giver:
            message = f"{subject.product} is held by {subject.holder}, expected {self.giver}"
            raise ValueError(message)
        label = view.label_of(subject.product, subject.label)
        # Neither the partner nor the instant enters but in the consents, which are not taken from here.
        row = view.product_row(subject, label, subject.holder, label.created)
        needed = view.controls(subject, label)
        values: list[Value] = [number]
        for name in _STORED:
            value = getattr(row, name)
            if name not in _MASKS:
                values.append(value)
                continue
            bits = self.words[name] * _WORD
            if value >> bits - 1 not in {0, -1}:
                message = f"{name} of {subject.product} needs {value.bit_length()} bits, and the table has {bits - 1}"
                raise ValueError(message)
            values += words_of(value, self.words[name])
        return (*values, *(int(bool(needed[place])) for place in _CONSENTS.values()), subject.product)

    def needed_values(self, view: View, number: int, subject: Subject) -> Iterator[tuple[Value, ...]]:
        """Values of the rows of the consents that a product needs."""
        needed = view.controls(subject, view.label_of(subject.product, subject.label))
        for parents, consents in enumerate(needed):
            for place, (party, products) in enumerate(consents):
                for product in dict.fromkeys(products):
                    yield number, parents, place, party, product

    def consent_values(self, consent: Consent) -> tuple[Value, ...]:
        """Values of the row of a consent that was given, as the view's register has it."""
        begin, end = consent.term.begin, consent.term.end
        given = NEVER, ALWAYS
        # As `Term.state` has it: within a term is what lies surely between dates that are known.
        if begin.earliest is not None and begin.latest is not None:
            if end is None:
                given = micros(begin.latest), NEVER
            elif end.earliest is not None and end.latest is not None:
                given = micros(begin.latest), micros(end.earliest)
        return (consent.originator, consent.product, consent.receiver, *given)

    def predicate(self, view: View, partner: Party, at: Instant, purpose: str = NO_PURPOSE) -> Predicate:
        """Condition that selects what of the products may go to `partner`: what `decide_in` permits, and nothing else.

        Parameters
        ----------
        view
            What was known; the one that the rows are of.
        partner, at, purpose
            Who asks, about when, what for.
        """
        conditions = conditions_of(view, self.giver, partner, at, purpose)
        if not conditions.articles:
            return Predicate("1 = 0", ())
        writer = _Writer(self, partner, micros(at))
        # What takes a look into another table comes last.
        in_row, looked_up = _parted(conditions.product)
        parts = [writer.truth(tree) for tree in in_row]
        parts.append(_any_of([_all_of([writer.truth(tree) for tree in trees]) for _, trees in conditions.articles]))
        parts += [writer.truth(tree) for tree in looked_up]
        return Predicate(_all_of(parts), tuple(writer.parameters))

    def _columns(self) -> list[str]:
        names: list[str] = []
        for name in _STORED:
            names += [f"{name}_{word}" for word in range(self.words[name])] if name in _MASKS else [name]
        return [*names, *(f"needs_{name}" for name in _CONSENTS)]

    def _insert(self, table: str, count: int) -> str:
        return f"INSERT INTO {table} VALUES ({', '.join([self.dialect.parameter] * count)})"  # noqa: S608 - names of ours


# What rules refuse most by stands first: SQLite reads a row up to the last column that it needs.
_FIRST = ("kind", "rank", "policy", "marking", "releasable", "needs", "made", "review")
_STORED = (*_FIRST, *(name for name in ProductRow.__slots__ if name not in {*_FIRST, *_CONSENTS}))


def tables_for(view: View, giver: Party, dialect: Dialect) -> ReleaseTables:
    """Tables in which all products fit whose rows `view` has made so far."""
    sizes = {
        "kind": len(view.kinds),
        "marking": len(view.markings),
        "releasable": len(view.parties),
        "needs": len(view.needs),
        "inside": len(view.areas),
        "touches": len(view.areas),
    }
    return ReleaseTables(giver, dialect, {name: sizes[name.removeprefix("parents_")] // _WORD + 1 for name in sorted(_MASKS)})


def _parted(trees: Iterable[Expression]) -> tuple[list[Expression], list[Expression]]:
    """Conditions on the row alone, and those on consents."""
    parted: tuple[list[Expression], list[Expression]] = ([], [])
    for tree in trees:
        parted[any(column.name in _CONSENTS for column in columns_of(tree))].append(tree)
    return parted


def _all_of(parts: Iterable[str]) -> str:
    return "(" + (" AND ".join(parts) or "1 = 1") + ")"


def _any_of(parts: Iterable[str]) -> str:
    return "(" + " OR ".join(parts) + ")"


@dataclass(slots=True)
class _Writer:
    """Writes trees as SQL and collects the parameters in the order of the text."""

    tables: ReleaseTables
    partner: Party
    at: int
    parameters: list[Value] = field(default_factory=list)

    def truth(self, tree: Expression) -> str:
        match tree:
            case Operation(Operator.AND, left, right):
                return f"({self.truth(left)} AND {self.truth(right)})"
            case Operation(Operator.OR, left, right):
                return f"({self.truth(left)} OR {self.truth(right)})"
            case Operation(Operator.EQUAL, left, Literal(value=0)) if left.sort is Sort.MASK:
                return _all_of([f"{word} = 0" for word in self.words(left)])
            case Operation(Operator.UNEQUAL, left, Literal(value=0)) if left.sort is Sort.MASK:
                return _any_of([f"{word} <> 0" for word in self.words(left)])
            case Operation(Operator.EQUAL, Column(name=name), Literal(value=value)) if name in _CONSENTS and value == YES:
                return self.consented(name)
            case Operation(operator, left, right) if operator in _COMPARISONS and left.sort is Sort.NUMBER:
                return f"{self.number(left)} {_COMPARISONS[operator]} {self.number(right)}"
            case _:
                raise _unsupported(tree)

    def number(self, tree: Expression) -> str:
        match tree:
            case Column(name=name, sort=Sort.NUMBER) if name not in _CONSENTS:
                return f"p.{name}"
            case Literal(value=value):
                return self.given(value)
            case Operation(Operator.PLUS, left, right):
                return f"({self.number(left)} + {self.number(right)})"
            case _:
                raise _unsupported(tree)

    def words(self, tree: Expression) -> list[str]:
        """Numbers of which one at least is not 0 if anything is in a mask."""
        match tree:
            case Column(name=name, sort=Sort.MASK):
                return [f"p.{name}_{word}" for word in range(self.tables.words[name])]
            case Operation(Operator.MEET, Column(name=name), Literal(value=mask)):
                count = self.tables.words[name]
                parts = words_of(folded(mask, count * _WORD), count)
                return [f"(p.{name}_{word} & {self.given(part)})" for word, part in enumerate(parts) if part]
            case _:
                raise _unsupported(tree)

    def given(self, value: int) -> str:
        self.parameters.append(value)
        return self.tables.dialect.number

    def consented(self, name: str) -> str:
        """Whether all have agreed, looked up for products that need it."""
        self.parameters += [self.partner, self.at, self.at]
        text, number = self.tables.dialect.parameter, self.tables.dialect.number
        return (
            f"(p.needs_{name} = 0 OR NOT EXISTS (SELECT 1 FROM release_needed n"  # noqa: S608 - names of ours
            f" WHERE n.number = p.number AND n.parents = {_CONSENTS[name]}"
            " AND NOT EXISTS (SELECT 1 FROM release_needed m JOIN release_consent c"
            " ON c.originator = m.originator AND c.product = m.product"
            " WHERE m.number = n.number AND m.parents = n.parents AND m.place = n.place"
            f" AND c.receiver = {text} AND c.given_from <= {number} AND {number} < c.given_until)))"
        )


_COMPARISONS = {Operator.EQUAL: "=", Operator.UNEQUAL: "<>", Operator.BELOW: "<", Operator.AT_MOST: "<="}


def _unsupported(tree: Expression) -> TypeError:
    return TypeError(f"no SQL is known for {tree!r}")
