"""What a rule was asked about, in words, and what is said of one that does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.release.decision import Reason
from kizuna.release.remedies import linked
from kizuna.release.rules import RuleId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.release.agreements import Agreement, Term
    from kizuna.release.columns import ProductRow
    from kizuna.release.subject import Ancestor, Subject
    from kizuna.release.view import Entry, Question, View

__all__ = [
    "Case",
    "Explanation",
    "Failure",
    "Values",
    "always",
    "by_marking",
    "cite",
    "label_known",
    "marking_of",
    "never",
    "parents",
    "unplaced_parents",
]

type Values = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is said of a rule that does not hold: why, what would change it, whether something had to be known and was not."""

    reason: Reason
    change: Message | None = None
    unknown: bool = False


@dataclass(slots=True)
class Case:
    """What a rule was asked about, in words. `entry` is the article; rules about the product alone do not look at it.

    Of the product's row only what the rules looked at is there for certain.
    """

    view: View
    question: Question
    subject: Subject
    label: Label
    product: ProductRow
    at: Instant
    entry: Entry | None = None

    @property
    def partner(self) -> Party:
        """Who would receive it."""
        return self.question.partner

    @property
    def article(self) -> Entry:
        """Article looked at."""
        assert self.entry is not None  # noqa: S101 - INVARIANT: rules about an article are asked with one
        return self.entry


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a rule explains itself.

    Parameters
    ----------
    explain
        What it says: something, always.
    key
        What it looks at of a product besides its kind, and besides the question. Of all products with one key the same is said,
        so it is said once; None where it must be said of each product anew.
    parents
        Whether it speaks of what a product is derived from. Of a derived product it then looks at all labels of its lineage.
    timeless
        Whether it hangs neither on the instant nor on the purpose that is asked about.
    """

    explain: Callable[[Case], Iterator[Failure]]
    key: Callable[[View, Subject, Label], object]
    parents: bool = False
    timeless: bool = False


def always(_view: View, _subject: Subject, _label: Label) -> object:
    """Key of what is said of all products."""
    return ()


def never(_view: View, _subject: Subject, _label: Label) -> object:
    """Key of what is said of one product only."""
    return None


def by_marking(_view: View, _subject: Subject, label: Label) -> object:
    """Key of what is said of a marking."""
    return label.policy, label.classification


def cite(rule: RuleId, message: Message, agreement: Agreement, article: str | None = None, term: Term | None = None) -> Reason:
    """Reason that cites an agreement, one of its articles, and the term over which it (or what `term` is) holds."""
    held = term or agreement.term
    return Reason(
        rule,
        message,
        agreement=agreement.id,
        version=agreement.version,
        article=article,
        begin=held.begin.exact,
        end=None if held.end is None else held.end.exact,
        fictional=agreement.fictional,
        since=None if held.begin.exact is None else held.begin.text,
    )


def marking_of(label: Label) -> str:
    """What a change is needed for that is of no use under another marking."""
    return f"marking {label.policy} {label.classification}"


def label_known(case: Case) -> Iterator[Failure]:
    """Say that the label's marking is unknown."""
    values: Values = {"policy": case.label.policy, "classification": case.label.classification}
    message = Message("The marking {classification} of the policy {policy} is unknown here.", values)
    change = Message("a verified ladder of the policy {policy} that holds {classification}; then ask again", values)
    yield Failure(Reason(RuleId.LABEL_KNOWN, message), linked(change, needed_for=[marking_of(case.label)]), unknown=True)


def parents(case: Case) -> Iterator[tuple[Ancestor, Label]]:
    """Products that it is derived from, with the labels that were known of them."""
    for ancestor in case.subject.ancestors:
        if ancestor.label is not None and ancestor.originator is not None:
            yield ancestor, case.view.label_of(ancestor.product, ancestor.label)


def unplaced_parents(case: Case) -> Iterator[Failure]:
    """Parents of whose classification nothing can be said: whatever a rule asks of it, it does not hold."""
    classified: dict[str, str] = {}
    for ancestor in case.subject.ancestors:
        if ancestor.label is None or ancestor.originator is None:
            values: Values = {"product": ancestor.product}
            message = Message("It is derived from {product}, whose label is not known here.", values)
            change = Message("the label and the originator of {product}; then ask again", values)
            yield Failure(Reason(RuleId.LINEAGE, message), change, unknown=True)
    for ancestor, label in parents(case):
        rank = case.view.register.ladder_rank(label.policy, label.classification)
        if rank is None:
            values = {"product": ancestor.product, "policy": label.policy, "classification": label.classification}
            message = Message(
                "It is derived from {product}, whose marking {classification} of the policy {policy} is unknown here.", values
            )
            change = Message("a verified ladder of the policy {policy} that holds {classification}; then ask again", values)
            yield Failure(Reason(RuleId.LINEAGE, message), change, unknown=True)
        elif rank:
            classified[label.policy] = ancestor.product
    if len(classified) > 1:
        values = {"policies": ", ".join(sorted(classified)), "products": ", ".join(classified.values())}
        message = Message("It is derived from products that are classified under several policies ({policies}).", values)
        change = Message("an equivalent of the labels of {products} in one policy; then ask again", values)
        yield Failure(Reason(RuleId.LINEAGE, message), change)
