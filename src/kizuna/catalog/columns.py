"""Products as columns: the same rules as `kizuna.release.decide`, run over a million products at once.

The columns are those of one view, so of what was known at one instant (`known_at`): a label that was corrected later is another
row. A view whose register learned something is another view and gets columns of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import batched
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kizuna.model.instants import parse_instant
from kizuna.release.columns import NO, YES, ProductRow, folded, masks_of, words_of
from kizuna.release.conditions import conditions_of
from kizuna.release.expressions import Column, Expression, Literal, Operation, Operator, Sort
from kizuna.release.view import NO_PURPOSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.release.subject import Subject
    from kizuna.release.view import Consents, Entry, View

__all__ = [
    "Granted",
    "NeededConsents",
    "ProductColumns",
    "compact",
    "granted",
    "in_common",
    "in_words",
    "needed_consents",
    "product_columns",
]

type Truths = npt.NDArray[np.bool_]
type Numbers = npt.NDArray[np.integer]
type Words = tuple[Numbers, ...]

_MASKS = tuple(sorted(masks_of(ProductRow)))
# These two hang on the partner and the instant; they are filled in for each question.
_CONSENTS = ("consent", "parents_consent")
_NUMBERS = tuple(name for name in ProductRow.__slots__ if name not in {*_MASKS, *_CONSENTS})
_NOBODY = parse_instant("1970-01-01")
_BATCH = 1 << 16
# Rows looked at in one go: what is worked out of them stays in the processor's nearer caches (benchmarks/speed/release.py).
_BLOCK = 1 << 15
_WIDTHS = (8, 16, 32, 64)
_COMPARISONS: dict[Operator, Callable[[Numbers | int, Numbers | int], Truths]] = {
    Operator.EQUAL: np.equal,
    Operator.UNEQUAL: np.not_equal,
    Operator.BELOW: np.less,
    Operator.AT_MOST: np.less_equal,
}


@dataclass(frozen=True, slots=True)
class NeededConsents:
    """Consents that some rows need: all parties of a row must have agreed.

    Parameters
    ----------
    rows
        Rows that need any, ascending.
    starts
        Where in the list of needed consents those of each of these rows start.
    count
        Length of that list.
    answered
        By party and product: which in the list that party's agreement about that product answers.
    """

    rows: npt.NDArray[np.intp]
    starts: npt.NDArray[np.intp]
    count: int
    answered: Mapping[tuple[Party, str], Sequence[int]]

    def column(self, size: int, given: Mapping[tuple[Party, str], int]) -> npt.NDArray[np.int8]:
        """Column of `size` rows: whether all agreed, where these answers were given."""
        column = np.full(size, YES, np.int8)
        if self.count:
            answers = np.full(self.count, NO, np.int8)
            for consent, answer in given.items():
                for number in self.answered.get(consent, ()):
                    answers[number] = max(answers[number], answer)
            column[self.rows] = np.minimum.reduceat(answers, self.starts)
        return column


@dataclass(frozen=True, slots=True)
class ProductColumns:
    """Products of one holder, a row each.

    Parameters
    ----------
    giver
        Who is asked to hand them over.
    size
        Count of rows.
    numbers
        Columns of `ProductRow` that are numbers but for the two consents: each of the smallest type that holds it.
    masks
        Those that are masks: each in one or more words, the lowest first, in two's complement (`words_of`).
    consents, parents_consents
        Consents that rows need.
    """

    giver: Party
    size: int
    numbers: Mapping[str, Numbers]
    masks: Mapping[str, Words]
    consents: NeededConsents
    parents_consents: NeededConsents


@dataclass(frozen=True, slots=True)
class Granted:
    """What may go to a partner.

    Parameters
    ----------
    article
        For each row the article under which it goes, by its place in `entries`; -1 where it does not go.
    entries
        Those articles.
    """

    article: npt.NDArray[np.int16]
    entries: tuple[Entry, ...]

    @property
    def releasable(self) -> Truths:
        """Whether each row may go."""
        return self.article >= 0


def product_columns(view: View, giver: Party, subjects: Iterable[Subject]) -> ProductColumns:
    """Columns of the products that `giver` holds, in their order.

    Raises
    ------
    ValueError
        If another party holds one of them.
    """
    read = attrgetter(*_NUMBERS, *_MASKS)
    numbers: dict[str, list[Numbers]] = {name: [] for name in _NUMBERS}
    codes: dict[str, list[Numbers]] = {name: [] for name in _MASKS}
    # Many products have the same masks: each is written in words once.
    known: dict[str, dict[int, int]] = {name: {} for name in _MASKS}
    needed: tuple[list[tuple[int, Consents]], list[tuple[int, Consents]]] = ([], [])
    size = 0
    for batch in batched(subjects, _BATCH):
        rows = []
        for number, subject in enumerate(batch, size):
            if subject.holder != giver:
                message = f"{subject.product} is held by {subject.holder}, expected {giver}"
                raise ValueError(message)
            label = view.label_of(subject.product, subject.label)
            rows.append(read(view.product_row(subject, label, giver, _NOBODY)))
            for found, some in zip(needed, view.controls(subject, label), strict=True):
                if some:
                    found.append((number, some))
        size += len(rows)
        columns = iter(zip(*rows, strict=True))
        for parts in numbers.values():
            parts.append(np.fromiter(next(columns), np.int64, len(rows)))
        for name, parts in codes.items():
            code = known[name]
            parts.append(np.fromiter((code.setdefault(mask, len(code)) for mask in next(columns)), np.int64, len(rows)))
    return ProductColumns(
        giver,
        size,
        {name: compact(_joined(parts)) for name, parts in numbers.items()},
        {name: in_words(tuple(known[name]), _joined(parts)) for name, parts in codes.items()},
        needed_consents(needed[0]),
        needed_consents(needed[1]),
    )


def in_common(words: Words, mask: int) -> Truths:
    """Rows of a column of masks that have something in common with a mask."""
    width = words[0].itemsize * 8
    parts = words_of(folded(mask, width * len(words)), len(words), width)
    found: Truths = np.zeros(len(words[0]), np.bool_)
    for word, part in zip(words, parts, strict=True):
        found |= (word & part) != 0
    return found


def _joined(parts: Sequence[Numbers]) -> Numbers:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def compact(values: Numbers) -> Numbers:
    """The same numbers in the smallest type that holds them."""
    for kind in (np.int8, np.int16, np.int32):
        if values.size and np.iinfo(kind).min <= values.min() and values.max() <= np.iinfo(kind).max:
            return values.astype(kind)
    return values


def in_words(masks: Sequence[int], codes: Numbers) -> Words:
    """Words of a column of which the masks are given by their codes."""
    # One bit more than the vocabulary has: the sign, for what is not in it yet.
    bits = 1 + max(((~mask if mask < 0 else mask).bit_length() for mask in masks), default=0)
    width = next((width for width in _WIDTHS if bits <= width), _WIDTHS[-1])
    words = -(-bits // width)
    table = np.array([words_of(mask, words, width) for mask in masks], f"int{width}").reshape(len(masks), words)
    return tuple(np.ascontiguousarray(table[codes, word]) for word in range(words))


def needed_consents(found: Sequence[tuple[int, Consents]]) -> NeededConsents:
    """Consents that rows need, given by row, ascending."""
    answered: dict[tuple[Party, str], list[int]] = {}
    starts, count = [], 0
    for _, consents in found:
        starts.append(count)
        for party, products in consents:
            for product in dict.fromkeys(products):
                answered.setdefault((party, product), []).append(count)
            count += 1
    return NeededConsents(np.array([row for row, _ in found], np.intp), np.array(starts, np.intp), count, answered)


def granted(columns: ProductColumns, view: View, partner: Party, at: Instant, purpose: str = NO_PURPOSE) -> Granted:
    """What of `columns`, made of the same `view`, may go to `partner`: what `kizuna.release.decide.decide_in` permits.

    Parameters
    ----------
    columns
        Products.
    view
        What was known.
    partner, at, purpose
        Who asks, about when, what for.

    Returns
    -------
    granted
        The article for each row: that of which `decide_in` says that it lets the product go.
    """
    conditions = conditions_of(view, columns.giver, partner, at, purpose)
    article = np.full(columns.size, -1, np.int16)
    if conditions.articles:
        given = view.consents_to(partner, at)
        filled = {
            "consent": columns.consents.column(columns.size, given),
            "parents_consent": columns.parents_consents.column(columns.size, given),
        }
        for block in _blocks(columns, filled):
            goes = _all(conditions.product, block, np.ones(block.size, np.bool_))
            for number, (_, tests) in enumerate(conditions.articles):
                if not goes.any():
                    break
                here = _all(tests, block, goes.copy())
                article[block.start : block.start + block.size][here] = number
                goes &= ~here
    return Granted(article, tuple(entry for entry, _ in conditions.articles))


@dataclass(frozen=True, slots=True)
class _Block:
    """Some rows that follow each other."""

    start: int
    size: int
    numbers: Mapping[str, Numbers]
    masks: Mapping[str, Words]


def _blocks(columns: ProductColumns, filled: Mapping[str, Numbers]) -> Iterator[_Block]:
    numbers = {**columns.numbers, **filled}
    for start in range(0, columns.size, _BLOCK):
        end = min(start + _BLOCK, columns.size)
        yield _Block(
            start,
            end - start,
            {name: column[start:end] for name, column in numbers.items()},
            {name: tuple([word[start:end] for word in words]) for name, words in columns.masks.items()},
        )


def _all(tests: Iterable[Expression], block: _Block, so_far: Truths) -> Truths:
    """Rows of which all tests hold, of those that hold so far."""
    for test in tests:
        if not so_far.any():
            break
        so_far &= _truth(test, block)
    return so_far


def _truth(tree: Expression, block: _Block) -> Truths:
    match tree:
        case Operation(Operator.AND, left, right):
            return _truth(left, block) & _truth(right, block)
        case Operation(Operator.OR, left, right):
            return _truth(left, block) | _truth(right, block)
        case Operation(Operator.EQUAL, left, Literal(value=0)) if left.sort is Sort.MASK:
            return ~_any(left, block)
        case Operation(Operator.UNEQUAL, left, Literal(value=0)) if left.sort is Sort.MASK:
            return _any(left, block)
        case Operation(operator, left, right) if operator in _COMPARISONS and left.sort is Sort.NUMBER:
            return _COMPARISONS[operator](_number(left, block), _number(right, block))
        case _:
            raise _unsupported(tree)


def _number(tree: Expression, block: _Block) -> Numbers | int:
    match tree:
        case Column(name=name, sort=Sort.NUMBER):
            return block.numbers[name]
        case Literal(value=value):
            return value
        case Operation(Operator.PLUS, left, right):
            return np.add(_number(left, block), _number(right, block), dtype=np.int64)
        case _:
            raise _unsupported(tree)


def _any(tree: Expression, block: _Block) -> Truths:
    """Whether anything is in a mask."""
    match tree:
        case Column(name=name, sort=Sort.MASK):
            words = block.masks[name]
        case Operation(Operator.MEET, Column(name=name), Literal(value=mask)):
            whole = block.masks[name]
            width = whole[0].itemsize * 8
            parts = words_of(folded(mask, width * len(whole)), len(whole), width)
            words = tuple([word & part for word, part in zip(whole, parts, strict=True) if part])
        case _:
            raise _unsupported(tree)
    found: Truths = np.not_equal(words[0], 0)
    for word in words[1:]:
        found |= word != 0
    return found


def _unsupported(tree: Expression) -> TypeError:
    return TypeError(f"no operation on columns is known for {tree!r}")
