"""A product's label as a confidentiality label of ADatP-4774, and back. What one of the two cannot hold is an error, never lost.

===========================  =========================================================================
product's label              confidentiality label
===========================  =========================================================================
policy, classification       policy and classification, by name
releasable to                permissive category "Releasable To", whose values are codes of parties
further categories           categories
one caveat                   privacy mark
originator, created, review  the same; the originator as a relative URI
===========================  =========================================================================

Only the product's label knows a product that is releasable to nobody, and several caveats. Only the confidentiality label knows
alternative labels, labels that change later, and identifiers of tag sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from kizuna.errors import InputError, Message
from kizuna.model.confidentiality import (
    CategoryValues,
    ConfidentialityInformation,
    ConfidentialityLabel,
    IdentifierType,
    LabelRole,
)
from kizuna.model.instants import format_instant
from kizuna.model.label import Category, CategoryType, Label
from kizuna.model.parties import parse_party

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["RELEASABLE_TO", "confidentiality_of", "label_of"]

RELEASABLE_TO = "Releasable To"
"""Tag of the permissive category that names the parties to whom the originator agrees."""


def _unfit(field: str, message: Message, hint: Message) -> NoReturn:
    """Refuse a field that the other form cannot hold.

    Raises
    ------
    InputError
        Always.
    """
    raise InputError(Message(message.template, {"field": field, **message.values}), hint=hint, field=field)


def _is_releasable_to(tag: str, type_: CategoryType) -> bool:
    return type_ is CategoryType.PERMISSIVE and tag.casefold() == RELEASABLE_TO.casefold()


def _check_tags(tags: Iterable[tuple[str, CategoryType, Sequence[str]]]) -> None:
    seen: set[tuple[str, CategoryType]] = set()
    for tag, type_, values in tags:
        if (tag.casefold(), type_) in seen:
            _unfit(
                "categories",
                Message("{field}: the {type} tag {tag} stands twice", {"type": type_.value, "tag": tag}),
                Message("write its values in one category"),
            )
        seen.add((tag.casefold(), type_))
        if not values:
            _unfit("categories", Message("{field}: the tag {tag} has no value", {"tag": tag}), Message("leave the tag out"))


def _check_review(label: Label | ConfidentialityLabel) -> None:
    if label.review is not None and label.created is not None and label.review < label.created:
        _unfit(
            "review",
            Message(
                "{field}: the review {review} stands before the labelling {created}",
                {"review": format_instant(label.review), "created": format_instant(label.created)},
            ),
            Message("correct one of the two"),
        )


def confidentiality_of(label: Label, *, policy_uri: str | None = None) -> ConfidentialityLabel:
    """Originator's confidentiality label of a product's label.

    Parameters
    ----------
    label
        The product's label.
    policy_uri
        Identifier of its policy as a URI (``"urn:oid:1.3.26.1.3.1"``), which a product's label does not hold.

    Raises
    ------
    InputError
        Naming the field that a confidentiality label cannot hold.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> from kizuna.model.parties import parse_party
    >>> label = Label("JPN", "秘", parse_party("JPN/IQPS"), parse_instant("2025-06-22"), (parse_party("UKR/HUR"),))
    >>> confidentiality_of(label).information.categories[0].values
    ('UKR/HUR',)
    >>> label_of(confidentiality_of(label)) == label
    True
    """
    if label.releasable_to is not None and not label.releasable_to:
        _unfit(
            "releasable_to",
            Message("{field}: a product that is releasable to nobody has no form in ADatP-4774, whose categories have values"),
            Message("name a party, or leave the product where it is"),
        )
    if len(label.caveats) > 1:
        _unfit(
            "caveats",
            Message("{field}: got {count} caveats, and ADatP-4774 holds one, as the privacy mark", {"count": len(label.caveats)}),
            Message("keep one caveat, or write the others as values of a category"),
        )
    if any(_is_releasable_to(category.tag, category.type) for category in label.categories):
        _unfit(
            "categories",
            Message("{field}: the permissive tag Releasable To stands among the further categories"),
            Message("write its parties as releasable_to"),
        )
    categories = [CategoryValues(category.tag, category.type, category.values) for category in label.categories]
    if label.releasable_to is not None:
        categories.insert(0, CategoryValues(RELEASABLE_TO, CategoryType.PERMISSIVE, tuple(label.releasable_to)))
    _check_tags((category.tag, category.type, category.values) for category in categories)
    _check_review(label)
    information = ConfidentialityInformation(
        policy=label.policy,
        classification=label.classification,
        categories=tuple(categories),
        privacy_mark=label.caveats[0] if label.caveats else None,
        policy_uri=policy_uri,
    )
    return ConfidentialityLabel(information, label.created, originator=label.originator, review=label.review)


def _check_label(label: ConfidentialityLabel, policy_uri: str | None) -> None:
    """Refuse what a product's label cannot hold."""
    information = label.information
    if label.role is not LabelRole.ORIGINATOR:
        _unfit(
            "role",
            Message("{field}: got the label of role {got}, expected the originator's", {"got": label.role.value}),
            Message("a product carries its originator's label; others stand beside it"),
        )
    if label.successions:
        _unfit(
            "successions",
            Message("{field}: the label changes on {date}", {"date": format_instant(label.successions[0].at)}),
            Message("a product's label does not change by itself: take the label as it is today, with that day as its review"),
        )
    if label.originator_type is not IdentifierType.URI:
        _unfit(
            "originator",
            Message("{field}: got a {type}, expected the code of a party", {"type": label.originator_type.value}),
            Message("say which party labelled it, for example JPN or JPN/IQPS"),
        )
    if information.policy_uri is not None and information.policy_uri != policy_uri:
        _unfit(
            "policy_uri",
            Message(
                "{field}: a product's label does not hold the identifier {uri} of its policy", {"uri": information.policy_uri}
            ),
            Message("check that it is the policy that you mean, and say so by giving it as policy_uri"),
        )
    uri = next((values.uri for values in information.categories if values.uri is not None), None)
    if uri is not None:
        _unfit(
            "categories",
            Message("{field}: a product's label does not hold the identifier {uri} of a tag set", {"uri": uri}),
            Message("remove the identifier where the tag's name says enough"),
        )


def label_of(label: ConfidentialityLabel, *, policy_uri: str | None = None) -> Label:
    """Product's label of an originator's confidentiality label.

    Parameters
    ----------
    label
        The confidentiality label.
    policy_uri
        Identifier of the policy that is meant by its name; needed where the label gives one.

    Raises
    ------
    InputError
        Naming the field that a product's label cannot hold, or that it needs and the confidentiality label has not.
    """
    _check_label(label, policy_uri)
    if label.created is None or label.originator is None:
        field = "created" if label.created is None else "originator"
        _unfit(
            field,
            Message("{field}: got nothing, expected what each product's label has"),
            Message("ask whoever labelled it for a complete label"),
        )
    information = label.information
    _check_tags((values.tag, values.type, values.values) for values in information.categories)
    _check_review(label)
    parties = [values.values for values in information.categories if _is_releasable_to(values.tag, values.type)]
    return Label(
        policy=information.policy,
        classification=information.classification,
        originator=parse_party(label.originator, field="originator"),
        created=label.created,
        releasable_to=tuple(parse_party(value, field="releasable_to") for value in parties[0]) if parties else None,
        categories=tuple(
            Category(values.tag, values.type, values.values)
            for values in information.categories
            if not _is_releasable_to(values.tag, values.type)
        ),
        caveats=() if information.privacy_mark is None else (information.privacy_mark,),
        review=label.review,
    )
