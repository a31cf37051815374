"""The confidentiality label that a product carries, in the words of ADatP-4774. Values only: the rules are in `release/`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from kizuna.errors import InputError, Message
from kizuna.model.instants import format_instant
from kizuna.model.reading import LONGEST_MARKING, MOST_TEXTS

if TYPE_CHECKING:
    from kizuna.model.canonical import Json
    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party
    from kizuna.model.reading import Table

__all__ = ["Category", "CategoryType", "Label", "label_to_json", "read_label"]


class CategoryType(StrEnum):
    """How a category bears on access (ADatP-4774)."""

    PERMISSIVE = "permissive"
    """A reader needs at least one of its values."""
    RESTRICTIVE = "restrictive"
    """A reader needs all of its values."""
    INFORMATIVE = "informative"
    """Bears on handling, not on access."""


@dataclass(frozen=True, slots=True)
class Category:
    """A tagged set of values, for example the restrictive tag ``Handling`` with ``JPN EYES ONLY``."""

    tag: str
    type: CategoryType
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Label:
    """An originator's label. It is never overwritten; what it equals elsewhere stands beside it as an alternative.

    Parameters
    ----------
    policy
        Policy that gives `classification` its meaning (``"JPN"``).
    classification
        Marking, in the policy's own words (``"秘"``).
    originator
        Who labelled, and without whose consent nothing is passed on.
    created
        Instant of labelling.
    releasable_to
        Permissive category "Releasable To": the parties to whom the originator agrees. None: the originator set no limit
        beyond the agreements; empty: nobody.
    categories
        Further categories.
    caveats
        Handling texts, shown wherever the product is.
    review
        Instant at which the label is to be reviewed, if any.
    """

    policy: str
    classification: str
    originator: Party
    created: Instant
    releasable_to: tuple[Party, ...] | None = None
    categories: tuple[Category, ...] = ()
    caveats: tuple[str, ...] = ()
    review: Instant | None = None

    @property
    def marking(self) -> str:
        """One line to print at the top of a page, for example ``JPN 秘 REL TO UKR``."""
        parts = [self.policy, self.classification]
        if self.releasable_to is not None:
            parts.append("REL TO " + ", ".join(self.releasable_to) if self.releasable_to else "NOT RELEASABLE")
        parts += [value for category in self.categories for value in category.values]
        return " ".join(parts)


def label_to_json(label: Label) -> dict[str, Json]:
    """JSON form of `label`; `read_label` reads it back."""
    form: dict[str, Json] = {
        "policy": label.policy,
        "classification": label.classification,
        "originator": label.originator,
        "created": format_instant(label.created),
        "categories": [{"tag": c.tag, "type": c.type.value, "values": list(c.values)} for c in label.categories],
        "caveats": list(label.caveats),
    }
    if label.releasable_to is not None:
        form["releasable_to"] = list(label.releasable_to)
    if label.review is not None:
        form["review"] = format_instant(label.review)
    return form


def _read_category(table: Table) -> Category:
    kind = CategoryType(table.choice("type", [kind.value for kind in CategoryType]))
    category = Category(table.text("tag", longest=LONGEST_MARKING), kind, table.texts("values", most=MOST_TEXTS))
    if not category.values:
        table.fault("values", Message("at least one value"))
    table.done()
    return category


def read_label(table: Table) -> Label:
    """Label of a strictly read table (its ``schema`` member, if any, already read).

    Raises
    ------
    InputError
        If a field is missing, unknown or has another form, or the review stands before the labelling.
    """
    label = Label(
        policy=table.text("policy", longest=LONGEST_MARKING),
        classification=table.text("classification", longest=LONGEST_MARKING),
        originator=table.party("originator"),
        created=table.instant("created"),
        releasable_to=table.parties("releasable_to") if table.has("releasable_to") else None,
        categories=tuple(_read_category(category) for category in table.tables("categories")),
        caveats=table.texts("caveats", most=MOST_TEXTS),
        review=table.instant("review") if table.has("review") else None,
    )
    table.done()
    if label.review is not None and label.review < label.created:
        raise InputError(
            Message(
                "{field}: the review {review} stands before the labelling {created}",
                {
                    "field": table.field("review"),
                    "review": format_instant(label.review),
                    "created": format_instant(label.created),
                },
            ),
            hint=Message("correct one of the two"),
            field=table.field("review"),
        )
    return label
