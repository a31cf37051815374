"""What is left of the rules once it is known who asks whom, about when: conditions that hang on a product alone.

The store that holds many products runs these over its rows, in SQL or over arrays, and finds exactly those that
`kizuna.release.decide` permits. Why others are refused it does not learn: for that each is decided by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.release.columns import micros
from kizuna.release.expressions import Literal, conjuncts, settle, trace
from kizuna.release.rules import RULES
from kizuna.release.view import NO_PURPOSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.release.expressions import Expression
    from kizuna.release.view import Entry, View

__all__ = ["Conditions", "conditions_of"]

_PRODUCT_TREES = tuple(trace(rule.holds) for rule in RULES if rule.about_product)
_ARTICLE_TREES = tuple(trace(rule.holds) for rule in RULES if not rule.about_product)


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions over the columns of a product, for one question.

    Parameters
    ----------
    product
        All of these must hold,
    articles
        and all of one of these. The first article of which all hold is the one under which the product goes. If there are none,
        nothing goes.
    """

    product: tuple[Expression, ...]
    articles: tuple[tuple[Entry, tuple[Expression, ...]], ...]


def conditions_of(view: View, giver: Party, partner: Party, at: Instant, purpose: str = NO_PURPOSE) -> Conditions:
    """Conditions under which a product of `giver` goes to `partner`.

    Every label that is asked about must have been seen by the view before (`View.product_row`), so that its articles say which of
    the needs they grant.
    """
    question = view.question(giver, partner, purpose, at)
    asked = question.row(micros(at))
    product = _open(_PRODUCT_TREES, {"q": asked})
    if product is None:
        return Conditions((), ())
    # In this order `decide` prefers articles that let a product go.
    entries = sorted(
        question.entries, key=lambda entry: (len(entry.article.obligations), entry.agreement.id, entry.article.number)
    )
    articles = ((entry, _open(_ARTICLE_TREES, {"q": asked, "a": entry.row})) for entry in entries)
    return Conditions(product, tuple((entry, conditions) for entry, conditions in articles if conditions is not None))


def _open(trees: Iterable[Expression], rows: Mapping[str, object]) -> tuple[Expression, ...] | None:
    """What still hangs on the product; None if nothing does because a rule fails whatever the product."""
    settled = [part for tree in trees for part in conjuncts(settle(tree, rows))]
    if any(isinstance(tree, Literal) and not tree.value for tree in settled):
        return None
    return tuple(tree for tree in settled if not isinstance(tree, Literal))
