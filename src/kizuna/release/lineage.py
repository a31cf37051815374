"""What a product is derived from, as a decision looks at it: the dominant label of its parents, and which lineages are alike.

Of products whose parents are labelled alike the same is to be said, but for the parents' names. So a decision is made once of
parents that have no names (`nameless`), and each product's decision gives them theirs (`kizuna.release.decision.Decision`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kizuna.model.label import CategoryType
from kizuna.release.columns import ALL, ALWAYS, NEVER, NO, micros
from kizuna.release.decision import nameless_parent
from kizuna.release.subject import Ancestor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.release.subject import Subject
    from kizuna.release.view import LabelColumns, View

__all__ = ["NO_PARENTS", "Dominated", "Lineage", "common_values", "dates", "dominate", "lineage_of", "nobody_in_common"]


@dataclass(frozen=True, slots=True)
class Dominated:
    """Columns of the labels of all parents, dominated, but for their dates (`kizuna.release.columns.ProductRow`)."""

    policy: int = 0
    rank: int = 0
    marking: int = 0
    releasable: int = ALL
    needs: int = 0
    disjoint: int = NO


_MOST_KEPT = 20_000

NO_PARENTS = Dominated()
"""Of a product that is derived from nothing."""


@dataclass(eq=False, slots=True)
class Lineage:
    """What a product is derived from.

    Parameters
    ----------
    names
        The parents' ids.
    labels
        Their labels as corrected; None where one is not known.
    columns
        Columns of each label but for its dates, one object for all labels that say the same.
    """

    names: tuple[str, ...]
    labels: tuple[Label | None, ...]
    columns: tuple[LabelColumns | None, ...]

    def key(self, view: View, subject: Subject, at: Instant) -> object:
        """What a decision looks at of the parents besides their names; None where it looks at what only these have.

        Labels are all known and current, and nobody ever consented to anything about the product or its parents.
        """
        holder, foreign = subject.holder, False
        for ancestor, label in zip(subject.ancestors, self.labels, strict=True):
            if label is None or label.created > at or (label.review is not None and label.review <= at):
                return None
            if ancestor.originator != holder or label.originator != holder:
                foreign = True
        if len(self.names) > 1 and len(set(self.names)) < len(self.names):
            return None
        if not foreign:
            return self.columns
        if any(view.has_consents(product) for product in (subject.product, *self.names)):
            return None
        return (
            self.columns,
            *[(a.originator, label and label.originator) for a, label in zip(subject.ancestors, self.labels, strict=True)],
        )

    def nameless(self, subject: Subject) -> Subject:
        """The product, derived from parents that have these labels, and no names yet."""
        parents = [
            Ancestor(nameless_parent(number), ancestor.originator, label)
            for number, (ancestor, label) in enumerate(zip(subject.ancestors, self.labels, strict=True))
        ]
        return replace(subject, ancestors=tuple(parents))


def lineage_of(view: View, subject: Subject) -> Lineage:
    """What a product is derived from."""
    names: list[str] = []
    labels: list[Label | None] = []
    columns: list[LabelColumns | None] = []
    for ancestor in subject.ancestors:
        names.append(ancestor.product)
        if ancestor.label is None:
            labels.append(None)
            columns.append(None)
        else:
            label = view.label_of(ancestor.product, ancestor.label)
            labels.append(label)
            columns.append(view.label_columns(label))
    return Lineage(tuple(names), tuple(labels), tuple(columns))


def dates(lineage: Lineage) -> tuple[int, int]:
    """Columns `made` and `review` of the labels of all parents."""
    labels = [label for label in lineage.labels if label is not None]
    made = max([micros(label.created) for label in labels], default=ALWAYS)
    return made, min([micros(label.review) for label in labels if label.review is not None], default=NEVER)


def dominate(view: View, subject: Subject, own: Label, lineage: Lineage) -> Dominated:
    """Dominant label of all parents of a product with its own label, kept for all products with such labels."""
    whole = None not in lineage.labels and None not in [ancestor.originator for ancestor in subject.ancestors]
    key = (view.label_columns(own), lineage.columns, whole)
    kept = view.dominated.get(key)
    if kept is None:
        if len(view.dominated) > _MOST_KEPT:
            view.dominated.clear()
        kept = view.dominated[key] = _dominate(view, own, lineage, whole=whole)
    return kept


def _dominate(view: View, own: Label, lineage: Lineage, *, whole: bool) -> Dominated:
    labels = [label for label in lineage.labels if label is not None]
    columns = [column for column in lineage.columns if column is not None]
    classified = [column for column in columns if column.rank > 0]
    releasable, needs, marking = ALL, view.common_needs([own, *labels]), 0
    for column in columns:
        releasable &= column.releasable
        needs |= column.needs
        marking |= column.marking
    # Levels of different policies have no order: of such parents no article's ceiling speaks.
    unknown = not whole or any(column.rank < 0 for column in columns) or len({column.policy for column in classified}) > 1
    return Dominated(
        policy=classified[0].policy if classified else 0,
        rank=-1 if unknown else max((column.rank for column in columns), default=0),
        marking=marking,
        releasable=releasable,
        needs=needs,
        disjoint=int(nobody_in_common([own, *labels])),
    )


def common_values(labels: Iterable[Label]) -> Iterator[tuple[str, frozenset[str]]]:
    """Tags of which labels have several permissive categories, with the values that stand in all of them."""
    permissive: dict[str, list[frozenset[str]]] = {}
    for label in labels:
        for category in label.categories:
            if category.type is CategoryType.PERMISSIVE:
                permissive.setdefault(category.tag, []).append(frozenset(category.values))
    yield from ((tag, frozenset.intersection(*values)) for tag, values in permissive.items() if len(values) > 1)


def nobody_in_common(labels: Sequence[Label]) -> bool:
    """Whether labels that each let somebody have it have nobody in common, in Releasable To or in a permissive category."""
    limits = [set(label.releasable_to) for label in labels if label.releasable_to is not None]
    if limits and all(limits) and not set.intersection(*limits):
        return True
    return any(not values for _, values in common_values(labels))
