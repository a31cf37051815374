"""Who may do what at this node: roles, and the credentials that people and their tools show.

A credential is a random secret of which only the hash is kept. It is a bearer token, or the password of HTTP Basic (an app
password: one for each tool), and opens the same for items, thumbnails, tiles and files. Partners have none: they come by their
certificates, and what they may see is told by agreements.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from kizuna.errors import InputError, Message
from kizuna.model.instants import Instant, format_instant, parse_instant
from kizuna.model.provenance import FactKind

if TYPE_CHECKING:
    from datetime import timedelta

    from kizuna.model.canonical import Json
    from kizuna.node.ports import Store
    from kizuna.node.state import Node

__all__ = [
    "ROLES",
    "Act",
    "Credential",
    "Person",
    "Role",
    "credentials",
    "give_access",
    "issue_token",
    "may",
    "person_by_token",
    "revoke_access",
]

Role = Literal["analyst", "officer", "operator"]
ROLES: tuple[Role, ...] = get_args(Role)

_PEOPLE = "people"
_TOKEN_BYTES = 20
_ID_LENGTH = 12
_LONGEST_NAME = 100


class Act(StrEnum):
    """What somebody may do."""

    SEE_PRODUCTS = "see products"
    """Products with all their files and pictures, who may have them and why, who read them."""
    SEE_AGREEMENTS = "see agreements"
    SEE_PARTNERS = "see partners"
    """How the exchange with each partner stands."""
    SEE_NUMBERS = "see numbers"
    """The node's metrics."""
    SEE_LOG = "see the log"
    ASK = "ask partners"
    """Ask partners for products."""
    RELEASE = "release"
    """Whatever changes what partners get: take in, relabel, consent, recall; agreements; partners; answers; the log's tail."""
    OPERATE = "operate"
    """Serve, pull, carry media, change keys, verify."""
    ADMIT = "admit"
    """Give and revoke credentials."""


_MAY = MappingProxyType(
    {
        "analyst": frozenset({Act.SEE_PRODUCTS, Act.SEE_AGREEMENTS, Act.SEE_PARTNERS, Act.ASK}),
        "officer": frozenset(Act),
        "operator": frozenset({Act.SEE_PARTNERS, Act.SEE_NUMBERS, Act.OPERATE}),
    }
)


def may(role: str, act: Act) -> bool:
    """Whether a role allows an act; an unknown role allows nothing.

    Examples
    --------
    >>> may("analyst", Act.SEE_PRODUCTS), may("operator", Act.SEE_PRODUCTS), may("chief", Act.SEE_PARTNERS)
    (True, False, False)
    """
    return act in _MAY.get(role, ())


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with access to this node's pages."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential, but for its secret.

    Parameters
    ----------
    id
        Tells it from others.
    person
        Whose it is.
    purpose
        What it is for, such as the tool that it was given to.
    made
        When; None of one from before that was kept.
    until
        When it ends; None: when it is revoked.
    """

    id: str
    person: Person
    purpose: str
    made: Instant | None
    until: Instant | None


def _hash(token: str) -> str:
    # A token is 160 random bits, so a plain hash keeps it: there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()


def _kept(store: Store) -> dict[str, dict[str, str]]:
    kept: dict[str, dict[str, str]] = json.loads(store.setting(_PEOPLE) or "{}")
    return kept


def _keep(store: Store, kept: dict[str, dict[str, str]]) -> None:
    store.keep_setting(_PEOPLE, json.dumps(kept))


def _credential(hashed: str, kept: dict[str, str]) -> Credential | None:
    # Of an older or newer form, with a role that nobody here knows: nothing.
    role = next((role for role in ROLES if role == kept.get("role")), None)
    if role is None:
        return None
    made, until = (parse_instant(kept[name]) if kept.get(name) else None for name in ("made", "until"))
    return Credential(hashed[:_ID_LENGTH], Person(kept["name"], role), kept.get("purpose", ""), made, until)


def issue_token(node: Node, name: str, role: Role, purpose: str = "", until: Instant | None = None) -> str:
    """Make a credential for a person, inside the store's open transaction; give its secret, of which only the hash is kept."""
    token = "kz-" + base64.b32encode(node.keys.random(_TOKEN_BYTES)).decode().lower()
    kept = {"name": name, "role": role, "purpose": purpose, "made": format_instant(node.journal.clock.now())}
    if until is not None:
        kept["until"] = format_instant(until)
    _keep(node.store, _kept(node.store) | {_hash(token): kept})
    return token


def give_access(node: Node, person: Person, purpose: str, lasting: timedelta | None = None) -> tuple[Credential, str]:
    """Give a person a credential, on record.

    Returns
    -------
    credential, token
        What is kept of it, and its secret, which nobody can show again.

    Raises
    ------
    InputError
        If the name or the purpose cannot be shown.
    """
    for field, text, least in (("name", person.name, 1), ("purpose", purpose, 0)):
        if not text.isprintable() or not least <= len(text) <= _LONGEST_NAME:
            values: dict[str, str | int | float] = {"field": field, "got": text, "most": _LONGEST_NAME}
            raise InputError(Message("{field}: got {got!r}, expected at most {most} printable characters", values), field=field)
    until = None if lasting is None else Instant(node.now() + lasting)
    with node.store.transaction():
        token = issue_token(node, person.name, person.role, purpose, until)
        body: dict[str, Json] = {"credential": _hash(token)[:_ID_LENGTH], "name": person.name, "role": person.role}
        body |= {"purpose": purpose} | ({} if until is None else {"until": format_instant(until)})
        node.journal.record(FactKind.ACCESS_GIVEN, body, by=node.by, authority="release officer")
    return next(credential for credential in credentials(node) if credential.id == _hash(token)[:_ID_LENGTH]), token


def credentials(node: Node) -> list[Credential]:
    """Credentials that were given and not revoked, those that have ended included; the oldest first."""
    found = (_credential(hashed, kept) for hashed, kept in _kept(node.store).items())
    return [credential for credential in found if credential is not None]


def revoke_access(node: Node, which: str) -> list[Credential]:
    """Revoke the credential with this id, or all of the person with this name; from the next request on they open nothing.

    Raises
    ------
    InputError
        If there is none.
    """
    with node.store.transaction():
        kept = _kept(node.store)
        gone = {h: k for h, k in kept.items() if which in {h[:_ID_LENGTH], k.get("name")}}
        if not gone:
            raise InputError(
                Message("no credential has the id or the name {got}", {"got": which}),
                hint=Message("list them: kizuna node token list"),
                field="credential",
            )
        _keep(node.store, {hashed: entry for hashed, entry in kept.items() if hashed not in gone})
        for hashed, entry in gone.items():
            body: dict[str, Json] = {"credential": hashed[:_ID_LENGTH], "name": entry.get("name", "")}
            node.journal.record(FactKind.ACCESS_REVOKED, body, by=node.by, authority="release officer")
    return [credential for hashed, entry in gone.items() if (credential := _credential(hashed, entry)) is not None]


def person_by_token(store: Store, token: str, now: Instant) -> Person | None:
    """Person whose credential this is; None for one that is unknown, was revoked or has ended."""
    hashed = _hash(token)
    kept = _kept(store).get(hashed)
    found = None if kept is None else _credential(hashed, kept)
    return None if found is None or (found.until is not None and now >= found.until) else found.person
