"""A product's label as the TOML of a ``FILE.label.toml``, and a clearance as TOML: bytes <-> values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kizuna.errors import Message
from kizuna.formats.agreement import LABEL_SCHEMA, parse_toml, read_label_document
from kizuna.model.confidentiality import CategoryValues
from kizuna.model.instants import format_instant
from kizuna.model.label import CategoryType
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, MOST_TEXTS, open_table
from kizuna.release.policy_rules import Clearance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kizuna.model.label import Label
    from kizuna.model.reading import Table

__all__ = ["CLEARANCE_SCHEMA", "read_clearance", "write_label_toml"]

CLEARANCE_SCHEMA = "kizuna/clearance/1"


def _text(value: str) -> str:
    """TOML basic string; JSON's escapes are TOML's."""
    return json.dumps(value, ensure_ascii=False)


def _texts(values: Iterable[str]) -> str:
    return "[" + ", ".join(map(_text, values)) + "]"


def write_label_toml(label: Label) -> bytes:
    """``FILE.label.toml`` of `label`, in UTF-8; `read_label_document` reads an equal label back.

    Raises
    ------
    InputError
        If the label could not be read back.

    Examples
    --------
    >>> from kizuna.model.instants import parse_instant
    >>> from kizuna.model.label import Label
    >>> from kizuna.model.parties import parse_party
    >>> print(write_label_toml(Label("JPN", "秘", parse_party("JPN"), parse_instant("2025-06-22"))).decode())
    schema = "kizuna/label/1"
    policy = "JPN"
    classification = "秘"
    originator = "JPN"
    created = 2025-06-22T00:00:00Z
    <BLANKLINE>
    """
    lines = [
        f"schema = {_text(LABEL_SCHEMA)}",
        f"policy = {_text(label.policy)}",
        f"classification = {_text(label.classification)}",
        f"originator = {_text(label.originator)}",
        f"created = {format_instant(label.created)}",
    ]
    if label.releasable_to is not None:
        lines.append(f"releasable_to = {_texts(label.releasable_to)}")
    if label.caveats:
        lines.append(f"caveats = {_texts(label.caveats)}")
    if label.review is not None:
        lines.append(f"review = {format_instant(label.review)}")
    for category in label.categories:
        lines += [
            "",
            "[[categories]]",
            f"tag = {_text(category.tag)}",
            f"type = {_text(category.type.value)}",
            f"values = {_texts(category.values)}",
        ]
    data = ("\n".join(lines) + "\n").encode()
    read_label_document(parse_toml(data, name="label"))
    return data


def _category(table: Table) -> CategoryValues:
    kind = CategoryType(table.choice("type", [CategoryType.PERMISSIVE.value, CategoryType.RESTRICTIVE.value]))
    category = CategoryValues(table.text("tag", longest=LONGEST_MARKING), kind, table.texts("values", most=MOST_TEXTS))
    if not category.values:
        table.fault("values", Message("at least one value"))
    table.done()
    return category


def read_clearance(data: bytes, *, name: str) -> Clearance:
    r"""Clearance of a TOML file.

    Parameters
    ----------
    data
        The file, of the schema ``kizuna/clearance/1``: ``policy``, ``policy_uri`` (optional), ``classifications``, and tables
        ``categories`` (``tag``, ``type`` permissive or restrictive, ``values``).
    name
        Its name, for the errors.

    Raises
    ------
    InputError
        Naming the faulty field.

    Examples
    --------
    >>> document = b'schema = "kizuna/clearance/1"\npolicy = "NATO"\nclassifications = ["SECRET"]'
    >>> read_clearance(document, name="clearance").classifications
    ('SECRET',)
    """
    table = open_table(parse_toml(data, name=name), schema=CLEARANCE_SCHEMA, what=name)
    clearance = Clearance(
        policy=table.text("policy", longest=LONGEST_MARKING),
        classifications=table.texts("classifications", most=MOST_TEXTS),
        categories=tuple(_category(category) for category in table.tables("categories")),
        policy_uri=table.text("policy_uri", longest=LONGEST_LINE) if table.has("policy_uri") else None,
    )
    table.done()
    if not clearance.classifications:
        table.fault("classifications", Message("at least one classification"))
    return clearance
