"""Nodes in their folders: made, opened, and who acts at them."""

from __future__ import annotations

import getpass
import os
import shutil
import tomllib
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from kizuna.adapters.blobs import sync_folder
from kizuna.adapters.clock import SystemClock
from kizuna.adapters.keys import FileKeys
from kizuna.adapters.stores import DATABASE, index_of, open_blobs, open_store, place_of, refuse_moved
from kizuna.adapters.tail_anchor import FileTailAnchor, is_writable, state_folder
from kizuna.errors import InputError, Message, StoreError
from kizuna.formats.agreement import read_ladders
from kizuna.model.parties import parse_party
from kizuna.node.access import person_by_token
from kizuna.node.founding import ORGANISATION_SETTING, found_node
from kizuna.node.journal import Journal
from kizuna.node.state import Node
from kizuna.wiring.registers import refuse_unknown_ladders
from kizuna.wiring.settings import Settings, load_settings, write_settings
from kizuna.wiring.texts import sample_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from kizuna.catalog.query import Index
    from kizuna.model.parties import Party
    from kizuna.node.access import Person, Role
    from kizuna.node.ports import Store

__all__ = [
    "BLOBS",
    "KEYS",
    "TOKEN_VARIABLE",
    "catalogue_index",
    "machine_memory",
    "make_node",
    "node_lies_in",
    "open_node",
    "person_at_terminal",
    "signed_identities",
]

TOKEN_VARIABLE = "KIZUNA_TOKEN"  # noqa: S105 - the name of a variable
BLOBS = "blobs"
KEYS = "keys"


def signed_identities(folder: Path, settings: Settings) -> Callable[[str], Person | None] | None:
    """What tells people by the tokens that a proxy passes on; None where no issuer is set.

    Raises
    ------
    InputError
        If the issuer's keys cannot be read.
    """
    if not settings.oidc_issuer:
        return None
    from kizuna.adapters.oidc import Issuer, SignedIdentities

    roles: dict[str, Role] = dict.fromkeys(settings.oidc_operators, "operator")
    roles |= dict.fromkeys(settings.oidc_analysts, "analyst")
    roles |= dict.fromkeys(settings.oidc_officers, "officer")
    keys = folder / settings.oidc_keys
    issuer = Issuer(
        settings.oidc_issuer, settings.oidc_audience, keys, settings.oidc_name_claim, settings.oidc_roles_claim, roles
    )
    return SignedIdentities(issuer).person


def person_at_terminal(folder: Path) -> Person | None:
    """Person for whom commands act, by the credential in ``KIZUNA_TOKEN``; None without one: then the machine's own user acts.

    Raises
    ------
    InputError
        If the credential is unknown, was revoked or has ended.
    """
    if TOKEN_VARIABLE not in os.environ or not node_lies_in(folder):
        return None
    with closing(open_store(folder, _database(folder))) as store:
        return _person_in(store)


def _person_in(store: Store) -> Person | None:
    if TOKEN_VARIABLE not in os.environ:
        return None
    person = person_by_token(store, os.environ[TOKEN_VARIABLE], SystemClock().now())
    if person is None:
        raise InputError(
            Message("the credential in {variable} is unknown, has ended or was revoked", {"variable": TOKEN_VARIABLE}),
            hint=Message("ask a release officer for another: kizuna node token add"),
            field=TOKEN_VARIABLE,
        )
    return person


def _person() -> str:
    try:
        return os.environ.get("KIZUNA_PERSON") or getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def make_node(folder: Path, organisation: Party, settings: Settings) -> str:
    """Make a new node in `folder`, which must be empty or absent; give the access token of its first officer.

    Raises
    ------
    InputError
        If something lies there already.
    StoreError
        If the folder cannot be written.
    """
    refuse_unknown_ladders(settings.accept_ladders, read_ladders(_sample_markings()), field="accept_ladders")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            Message("{folder} is not empty", {"folder": str(folder)}),
            hint=Message("name another folder; a node never overwrites one"),
            field="node",
        )
    clock = SystemClock()
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        sync_folder(folder.parent)
        keys = FileKeys.make(folder / KEYS, organisation, clock.now())
    try:
        with _writing(folder):
            write_settings(folder, settings)
        with closing(open_store(folder, settings.database, make=True)) as store:
            _refuse_used(store)
            node = Node(
                Journal(organisation, store, keys, clock),
                open_blobs(folder / BLOBS, settings.assets),
                lambda: place_of(folder, store),
                _person(),
            )
            return found_node(node, _sample_markings(), settings.accept_ladders)
    except BaseException:
        # The folder was empty and the keys in it are ours, so the rest is too: it would stand in the way of the next try.
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise


def _refuse_used(store: Store) -> None:
    if store.log.size() or store.setting(ORGANISATION_SETTING) is not None:
        raise InputError(
            Message("a node lies in that database already"),
            hint=Message("name another database; a node never overwrites one"),
            field="database",
        )


def machine_memory() -> tuple[Path, bool]:
    """Folder outside every node's folder where this machine remembers the tails of its nodes' logs, and whether it can write."""
    folder = state_folder()
    return folder, is_writable(folder)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            Message("{folder} cannot be written: {why}", {"folder": str(folder), "why": error.strerror or str(error)}),
            hint=Message("make room or choose another folder"),
        ) from error


def _sample_markings() -> dict[str, object]:
    return tomllib.loads((sample_folder("coalition") / "markings.toml").read_text(encoding="utf-8"))


@contextmanager
def open_node(folder: Path, *, by: str | None = None) -> Iterator[Node]:
    """Open the node in `folder`.

    Parameters
    ----------
    folder
        Its folder.
    by
        Who acts; the person at the terminal by default.

    Raises
    ------
    InputError
        If no node lies there.
    StoreError, LogDamaged
        If it cannot be read.
    """
    if not node_lies_in(folder):
        raise InputError(
            Message("no node lies in {folder}", {"folder": str(folder)}),
            hint=Message(
                "make one: kizuna node init --nation JPN --node {folder}; or name its folder with --node", {"folder": str(folder)}
            ),
            field="node",
        )
    settings = load_settings(folder, os.environ)
    store = open_store(folder, settings.database)
    try:
        refuse_moved(store)
        name = store.setting(ORGANISATION_SETTING)
        if name is None:
            raise StoreError(
                Message("{folder} holds a node that was never finished", {"folder": str(folder)}),
                hint=Message("remove the folder and make the node again"),
            )
        keys = FileKeys.load(folder / KEYS)
        journal = Journal(parse_party(name), store, keys, SystemClock())
        journal.own_keys()
        anchor = FileTailAnchor(state_folder(), keys.key_id)
        person = None if by else _person_in(store)
        acting = by or (_person() if person is None else person.name)
        node = Node(journal, open_blobs(folder / BLOBS, settings.assets), lambda: place_of(folder, store), acting, anchor)
        store.when_committed(node.committed)
        yield node
        # What this command recorded is remembered outside the folder too, unless the folder itself is in doubt.
        if node.is_confirmed():
            node.keep_beginning()
    finally:
        store.close()


def _database(folder: Path) -> str:
    return load_settings(folder, os.environ).database


def node_lies_in(folder: Path) -> bool:
    """Whether a node lies in `folder`: its state, or its keys where the state lies in another place."""
    return (folder / DATABASE).exists() or ((folder / KEYS).exists() and bool(_database(folder)))


def catalogue_index(node: Node) -> Index:
    """Index over the products of a node."""
    return index_of(node.store, node.organisation)
