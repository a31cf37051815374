"""Joins the ports to their adapters, from one settings object. Nothing else knows which adapter stands behind a port."""

from __future__ import annotations

import getpass
import os
import shutil
import tomllib
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from kizuna.adapters.blobs import FileBlobs, sync_folder
from kizuna.adapters.clock import SystemClock
from kizuna.adapters.input_files import open_input, open_product, read_input
from kizuna.adapters.keys import FileKeys
from kizuna.adapters.machine import machine_name
from kizuna.adapters.media_folder import FolderMedium, FolderShelf, NewFolderMedium, require_room
from kizuna.adapters.media_folder import media_in as found_media
from kizuna.adapters.pgstac import is_pgstac, walk_pgstac
from kizuna.adapters.stac_walk import FoundItem, is_web, walk
from kizuna.adapters.stores import DATABASE, MOVED_TO, index_of, is_synced, open_blobs, open_store, place_of, refuse_moved
from kizuna.adapters.tail_anchor import FileTailAnchor, is_writable, state_folder
from kizuna.adapters.translations import language_of, speak, translator
from kizuna.adapters.watched_folder import Arrived, WatchedFolder
from kizuna.adapters.zones import offset_at_begin, offset_at_end
from kizuna.catalog.areas import areas_of, place
from kizuna.errors import InputError, Message, PartnerMisbehaved, StoreError
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.merkle import leaf_data, leaf_hash
from kizuna.formats.agreement import CivilOffsets, parse_toml, read_agreement, read_label_document, read_ladders
from kizuna.formats.agreement_areas import LARGEST_FILE_BYTES
from kizuna.kinds.registry import HEAD_BYTES, sniff
from kizuna.model.instants import instant_of
from kizuna.model.parties import parse_party
from kizuna.node.access import person_by_token
from kizuna.node.founding import ORGANISATION_SETTING, area_faults, found_node
from kizuna.node.journal import Journal
from kizuna.node.state import Node
from kizuna.release.register import Register
from kizuna.release.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import timedelta
    from typing import BinaryIO

    from kizuna.adapters.stapi_client import StapiClient
    from kizuna.catalog.query import Index
    from kizuna.exchange.transport import Transport
    from kizuna.formats.agreement_areas import Loader
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.model.product import Product
    from kizuna.node.access import Person, Role
    from kizuna.node.ports import Medium, NewMedium, Shelf, Store
    from kizuna.node.state import Announced, Partner
    from kizuna.node.take_orders import OrderDesk
    from kizuna.release.agreements import Agreement, Suspension
    from kizuna.release.markings import Ladder

__all__ = [
    "CIVIL_OFFSETS",
    "DATABASE",
    "KEYS",
    "LANGUAGES",
    "SETTINGS_FILE",
    "STAPI_TOKEN",
    "TASKING_PATH",
    "TOKEN_VARIABLE",
    "Arrived",
    "FoundItem",
    "Settings",
    "WatchedFolder",
    "address",
    "announce_node_keys",
    "beside",
    "catalogue_index",
    "forget_sealing_keys",
    "give_sealing_key",
    "is_pgstac",
    "is_synced",
    "is_web",
    "label_path",
    "language",
    "load_register",
    "load_settings",
    "machine_memory",
    "machine_name",
    "make_node",
    "media_in",
    "migrate_node",
    "new_medium",
    "node_lies_in",
    "open_input",
    "open_medium",
    "open_node",
    "open_product",
    "order_desk",
    "person_at_terminal",
    "read_certificate_end",
    "read_input",
    "read_label_file",
    "read_tile",
    "rotate_node_keys",
    "rotate_sealing_key",
    "sample_folder",
    "shelf_of",
    "signed_identities",
    "speak",
    "stac_items",
    "subject_of_file",
    "system_now",
    "take_due_keys",
    "tasking_of",
    "translate",
    "transport_to",
    "write_settings",
]

SETTINGS_FILE = "kizuna.toml"
TOKEN_VARIABLE = "KIZUNA_TOKEN"  # noqa: S105 - the name of a variable
STAPI_TOKEN = "KIZUNA_STAPI_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable of the token that providers' tasking interfaces ask for."""
TASKING_PATH = "/exchange/stapi"
"""Where on its partners' listener a node takes orders."""
_BLOBS = "blobs"
_SHELF = "media"
KEYS = "keys"
LANGUAGES = ("en", "fr")

CIVIL_OFFSETS = CivilOffsets(offset_at_begin, offset_at_end)
"""Civil days of nations, from the time zone database."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a node. Each can stand in ``kizuna.toml`` in the node's folder, in ``KIZUNA_<NAME>``, or be an option.

    Parameters
    ----------
    partner_listen
        ``host:port`` where partners' nodes reach this one, over mutual TLS.
    people_listen
        ``host:port`` where people reach it. Plain HTTP, so the host must be a loopback address; a proxy adds TLS.
    partner_url
        Where partners reach `partner_listen` from outside; empty: ``https://`` and `partner_listen`.
    database
        Address of the PostgreSQL database that holds the node's state; empty: a file in its folder does.
    assets
        Address of the bucket that holds the node's files; empty: its folder does.
    accept_fictional
        Ids of agreements whose fictional supplement this node accepts.
    accept_ladders
        Policies whose unverified ladder of classification this node accepts.
    log_format
        How a serving node writes its log on stderr: ``plain`` or ``json``.
    partner_requests_a_minute, partner_requests_at_once, partner_bytes_a_day
        What one partner may ask of a serving node (`kizuna.web.limits.Limits`).
    intake_files, intake_bytes
        Most files and bytes that one entry of a partner's feed may bring.
    intake_entries
        Most entries that one pull takes in.
    stac_private_hosts
        Hosts that links of STAC documents may lead to although their address is not public.
    read_window_minutes
        How long what a partner reads again is not recorded again (`kizuna.node.reads`).
    oidc_issuer, oidc_audience, oidc_keys, oidc_name_claim, oidc_roles_claim
        Who signs people in at a proxy (`kizuna.adapters.oidc.Issuer`); no issuer: nobody does.
    oidc_header
        Header in which the proxy passes the token on.
    oidc_analysts, oidc_officers, oidc_operators
        Texts of the roles claim that make a person an analyst, release officer or operator.
    tasking_provider
        Address of the tasking interface (STAPI) of who flies, with whom partners place orders over this node; empty: they cannot.
    tasking_label
        File of the label that images will bear that partners order, in the node's folder or elsewhere.
    """

    partner_listen: str = "127.0.0.1:8443"
    people_listen: str = "127.0.0.1:8080"
    partner_url: str = ""
    database: str = ""
    assets: str = ""
    accept_fictional: tuple[str, ...] = ()
    accept_ladders: tuple[str, ...] = ()
    log_format: str = "plain"
    partner_requests_a_minute: int = 60_000
    partner_requests_at_once: int = 32
    partner_bytes_a_day: int = 10_000_000_000_000
    intake_files: int = 1_000
    intake_bytes: int = 1_000_000_000_000
    intake_entries: int = 1_000_000
    stac_private_hosts: tuple[str, ...] = ()
    read_window_minutes: int = 60
    oidc_issuer: str = ""
    oidc_audience: str = ""
    oidc_keys: str = ""
    oidc_header: str = "authorization"
    oidc_name_claim: str = "sub"
    oidc_roles_claim: str = "groups"
    oidc_analysts: tuple[str, ...] = ()
    oidc_officers: tuple[str, ...] = ()
    oidc_operators: tuple[str, ...] = ()
    tasking_provider: str = ""
    tasking_label: str = ""


def address(text: str, *, field: str) -> tuple[str, int]:
    """Host and port of ``host:port``.

    Raises
    ------
    InputError
        If `text` is none.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        raise InputError(
            Message("{field}: got {got!r}, expected host:port with a port from 0 to 65535", {"field": field, "got": text}),
            hint=Message("write for example 127.0.0.1:8443; port 0 takes a free one"),
            field=field,
        )
    return host.strip("[]"), int(port)


_EXPECTED = {tuple: Message("a list of texts"), int: Message("a whole number"), str: Message("a text")}
_MOST_DIGITS = 18


def _check_places(settings: Settings) -> None:
    if settings.database:
        from kizuna.adapters.postgres_database import address_of

        address_of(settings.database)
    if settings.assets:
        from kizuna.adapters.s3_blobs import bucket_of

        bucket_of(settings.assets)


def _checked(settings: Settings) -> Settings:
    address(settings.partner_listen, field="partner_listen")
    host, _ = address(settings.people_listen, field="people_listen")
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise InputError(
            Message("people_listen: {host} is no loopback address, and people's listener speaks plain HTTP", {"host": host}),
            hint=Message("listen on 127.0.0.1 and put a proxy with TLS in front"),
            field="people_listen",
        )
    _check_places(settings)
    if settings.log_format not in {"plain", "json"}:
        raise InputError(
            Message("log_format: got {got!r}, expected plain or json", {"got": settings.log_format}), field="log_format"
        )
    if settings.oidc_issuer:
        for name in ("oidc_audience", "oidc_keys"):
            if not getattr(settings, name):
                raise InputError(
                    Message("{name}: nothing is set, and oidc_issuer is", {"name": name}),
                    hint=Message("see docs/settings.md"),
                    field=name,
                )
    if settings.tasking_provider and not settings.tasking_label:
        raise InputError(
            Message("tasking_label: nothing is set, and tasking_provider is"),
            hint=Message("see docs/settings.md"),
            field="tasking_label",
        )
    for name in (field.name for field in fields(Settings)):
        value = getattr(settings, name)
        if isinstance(value, int) and value < 1:
            raise InputError(
                Message("{name}: got {got}, expected a whole number from 1 on", {"name": name, "got": value}), field=name
            )
    return settings


def _value(name: str, value: object, source: str) -> object:
    default = getattr(Settings(), name)
    if isinstance(default, tuple):
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
    elif isinstance(default, int):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS:
            return int(value)
    elif isinstance(value, str):
        return value
    raise InputError(
        Message(
            "{source}: {name} is {got!r}, expected {expected}",
            {
                "source": source,
                "name": name,
                "got": str(value),
                "expected": _EXPECTED[type(default)],
            },
        ),
        hint=Message("see docs/settings.md"),
        field=name,
    )


def load_settings(folder: Path, environment: Mapping[str, str], options: Mapping[str, str | None] | None = None) -> Settings:
    """Settings of the node in `folder`: its ``kizuna.toml``, over it ``KIZUNA_*``, over those `options`.

    Raises
    ------
    InputError
        Naming the setting that is unknown or has another form, and where it stands.
    """
    names = [field.name for field in fields(Settings)]
    found: dict[str, object] = {}
    path = folder / SETTINGS_FILE
    if path.exists():
        try:
            document = parse_toml(read_input(path), name=str(path))
        except InputError as error:
            raise InputError(
                Message("{path}: cannot be read as settings: {why}", {"path": str(path), "why": error.message}),
                hint=Message("correct it, or remove it to run on the defaults"),
            ) from error
        unknown = sorted(set(document) - set(names))
        if unknown:
            raise InputError(
                Message("{path}: unknown setting {name}", {"path": str(path), "name": unknown[0]}),
                hint=Message("known settings: {names}", {"names": ", ".join(names)}),
                field=unknown[0],
            )
        found |= {name: _value(name, value, str(path)) for name, value in document.items()}
    for name in names:
        variable = f"KIZUNA_{name.upper()}"
        if variable in environment:
            found[name] = _value(name, environment[variable], variable)
    for name, value in (options or {}).items():
        if value is not None:
            found[name] = _value(name, value, f"--{name.replace('_', '-')}")
    return _checked(replace(Settings(), **found))  # type: ignore[arg-type] # each value was checked against its default


def stac_items(place: str, folder: Path, *, most: int) -> Iterator[FoundItem]:
    """Items of a STAC document, of its further pages and of what it links to; or of a pgstac database.

    Parameters
    ----------
    place
        Address, path of a file, or address of a database.
    folder
        The node's folder, whose settings say which private hosts may be asked.
    most
        Most items.
    """
    from kizuna.adapters.web_fetch import WebFetch

    web = WebFetch(load_settings(folder, os.environ).stac_private_hosts)
    return walk_pgstac(place, web, most=most) if is_pgstac(place) else walk(place, web, most=most)


def write_settings(folder: Path, settings: Settings) -> None:
    """Write ``kizuna.toml`` into the node's folder."""
    lines = ["# Settings of this node; docs/settings.md explains each. KIZUNA_<NAME> in the environment stands above them."]
    for field in fields(Settings):
        value = getattr(settings, field.name)
        text = "[" + ", ".join(f'"{part}"' for part in value) + "]" if isinstance(value, tuple) else f'"{value}"'
        lines.append(f"{field.name} = {value if isinstance(value, int) else text}")
    (folder / SETTINGS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def language() -> str:
    """Language of the person at the terminal."""
    return language_of()


def translate() -> Callable[[str], str]:
    """Translator for the person at the terminal."""
    return translator()


def sample_folder(name: str) -> Path:
    """Folder of samples that ships with the package."""
    return Path(__file__).parent / "samples" / name


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
    _refuse_unknown_ladders(settings.accept_ladders, read_ladders(_sample_markings()), field="accept_ladders")
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
                open_blobs(folder / _BLOBS, settings.assets),
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
        node = Node(journal, open_blobs(folder / _BLOBS, settings.assets), lambda: place_of(folder, store), acting, anchor)
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


def migrate_node(folder: Path, to: str, told: Callable[[str, int], None], *, assets: str = "") -> str:
    """Move the state of the node in `folder` into a PostgreSQL database, or go on with that where it was interrupted.

    Parameters
    ----------
    folder
        Its folder; keys and settings stay there, and the settings name the database from then on.
    to
        Address of the database.
    told
        Told of each table how many rows were copied.
    assets
        Address of a bucket into which its files go as well; empty: they stay in its folder.

    Returns
    -------
    place
        Where the state is now, as it may be shown.

    Raises
    ------
    InputError
        If it does not lie in the folder, or something lies in the database.
    TailUnconfirmed
        If the tail of its log is not confirmed.
    StoreError, LogDamaged
        If it could not be copied as it is; it stays where it is then.
    """
    from kizuna.adapters.migration import arrive, copy_state, is_on_its_way, make_room, mark_moved
    from kizuna.adapters.postgres import PostgresStore
    from kizuna.adapters.postgres_database import address_of
    from kizuna.adapters.sqlite import SqliteStore

    place = address_of(to, field="to")
    files = FileBlobs(folder / _BLOBS)
    if assets:
        _check_places(replace(Settings(), assets=assets))
    # The file's alone: what the environment says is for this moment.
    settings = load_settings(folder, {})
    if settings.database not in {"", to} or not (folder / DATABASE).exists():
        raise InputError(
            Message("the state of no node lies in {folder}", {"folder": str(folder)}),
            hint=Message("a node is moved out of its folder; from one database to another the database's own tools move it"),
            field="node",
        )
    keys = FileKeys.load(folder / KEYS)
    with closing(SqliteStore(folder / DATABASE)) as source, closing(PostgresStore(to)) as target:
        moved, name = source.setting(MOVED_TO), source.setting(ORGANISATION_SETTING)
        if moved not in {None, place} or name is None:
            refuse_moved(source)
        party = parse_party(name or "", field="node")
        here, there = (Journal(party, store, keys, SystemClock()) for store in (source, target))
        # The first of its keys: others follow, this one stays the same.
        id_ = key_id_of(here.own_keys()[0])
        waiting = is_on_its_way(target, id_)
        if moved is None:
            anchor = FileTailAnchor(state_folder(), keys.key_id)
            Node(here, files, lambda: place_of(folder, source), "", anchor).require_confirmed()
            # Most of them before anybody is kept from writing.
            _take_files(files, folder, assets, told)
            if waiting:
                make_room(target)
            with source.transaction():
                with target.transaction():
                    copy_state(source, target, id_, told)
                    if there.verify() != here.verify():
                        raise StoreError(
                            Message("{table}: not all that was copied arrived as it was", {"table": "log"}),
                            hint=Message("nothing was changed: the node lies where it was; try again"),
                        )
                _take_files(files, folder, assets, told)
                mark_moved(source, place)
        write_settings(folder, replace(settings, database=to, assets=assets or settings.assets))
        arrive(target, ("place", place_of(folder, target)))
    return place


def _take_files(files: FileBlobs, folder: Path, assets: str, told: Callable[[str, int], None]) -> None:
    if assets:
        from kizuna.adapters.s3_blobs import S3Blobs

        count = 0
        for count, _ in enumerate(S3Blobs(assets, folder / _BLOBS).take_over(files), start=1):
            if count % 100 == 0:
                told("blobs", count)
        told("blobs", count)


def catalogue_index(node: Node) -> Index:
    """Index over the products of a node."""
    return index_of(node.store, node.organisation)


def give_sealing_key(folder: Path) -> None:
    """Make the key for removable media of the node in `folder`, if it has none."""
    FileKeys.add_sealing_key(folder / KEYS)


def rotate_sealing_key(folder: Path, within: timedelta) -> tuple[str, Instant]:
    """Make a new key for removable media for the node in `folder`, and announce it to its partners.

    Returns
    -------
    id, until
        Its id, and when the former one ends.

    Raises
    ------
    InputError
        If the node has none yet.
    TailUnconfirmed, StoreError
        As `kizuna.node.key_change.announce_sealing_key`, or if the key cannot be written.
    """
    from kizuna.node.key_change import announce_sealing_key

    with open_node(folder) as node:
        node.require_confirmed()
        if node.keys.sealing_key is None:
            raise InputError(
                Message("this node has no key for removable media yet"),
                hint=Message("make one: kizuna exchange key"),
                field="key",
            )
    # The key before the word of it: what is announced is there, whatever happens in between.
    former = FileKeys.rotate_sealing_key(folder / KEYS)
    with open_node(folder) as node:
        return node.keys.sealing_ids[0], announce_sealing_key(node, former, within)


def forget_sealing_keys(folder: Path) -> int:
    """Remove the former keys for removable media that have ended; give how many there were."""
    with open_node(folder) as node:
        now = node.now()
        return FileKeys.forget_sealing_keys(
            folder / KEYS, [id_ for id_, end in node.knowledge().sealing_ends.items() if end <= now]
        )


def shelf_of(folder: Path) -> Shelf:
    """Where the node in `folder` holds media that came too early."""
    return FolderShelf(folder / _SHELF)


def media_in(folder: Path) -> Sequence[Path]:
    """Folders of the media that lie in `folder`, which may be one itself.

    Raises
    ------
    InputError
        If there is none.
    PartnerUnreachable
        If it cannot be read any more.
    """
    return found_media(folder)


def open_medium(path: Path, folder: Path) -> AbstractContextManager[Medium]:
    """Open a medium that the node in `folder` is to take in.

    Raises
    ------
    InputError
        If it holds anything but regular files.
    PartnerUnreachable
        If it cannot be read any more.
    StoreError
        If the node's folder has no room for what lies on it.
    """
    medium = FolderMedium(path)
    try:
        require_room(folder, sum(medium.sizes.values()))
    except BaseException:
        medium.close()
        raise
    return medium


def new_medium(folder: Path) -> Callable[[str], NewMedium]:
    """Makes media in `folder`, each in a folder of its own."""
    return partial(NewFolderMedium, folder)


def announce_node_keys(folder: Path, within: timedelta) -> tuple[Node, Announced | None]:
    """Make new keys for the node in `folder` and announce them to its partners.

    Without partners there is nobody to tell: they are in use at once, and nothing is given back as announced.

    Raises
    ------
    InputError, TailUnconfirmed, StoreError
        As `kizuna.node.key_change.announce_keys`, or if the keys cannot be written.
    """
    from kizuna.node.key_change import announce_keys, require_none_announced

    with open_node(folder) as node:
        require_none_announced(node)
        fresh = _fresh_keys(folder, node)
        if node.knowledge().partners:
            return node, announce_keys(node, fresh, within)
        _go_over(folder, node, fresh)
        return node, None


def rotate_node_keys(folder: Path) -> Node:
    """Go over to new keys at once, to those that were announced if any were; the log says so, signed by the former key.

    Returns
    -------
    node
        The node as it was opened; its store is closed.

    Raises
    ------
    TailUnconfirmed, StoreError
        As `kizuna.node.key_change.rotate_keys`, or if the keys cannot be written.
    """
    with open_node(folder) as node:
        announced = node.knowledge().announced
        fresh = _fresh_keys(folder, node) if announced is None else FileKeys.stored(folder / KEYS, announced.key_id)
        _go_over(folder, node, fresh)
    return node


def take_due_keys(folder: Path, node: Node) -> bool:
    """Go over to the keys that were announced, if every partner knows them or their day has come; whether it did."""
    from kizuna.node.key_change import due_key

    due = due_key(node)
    if due is not None:
        _go_over(folder, node, FileKeys.stored(folder / KEYS, due))
    return due is not None


def _fresh_keys(folder: Path, node: Node) -> FileKeys:
    node.require_confirmed()
    # As the log has it: an earlier rotation may not have come to its end.
    node.journal.own_keys()
    return FileKeys.load(folder / KEYS).make_next(node.organisation, node.now())


def _go_over(folder: Path, node: Node, fresh: FileKeys) -> None:
    from kizuna.node.key_change import rotate_keys

    rotate_keys(node, fresh)
    # Only what the log says is former: the next keys may have been made already.
    FileKeys.forget(folder / KEYS, {key_id_of(key) for key in node.journal.own_keys()[:-1]})
    FileTailAnchor(state_folder(), fresh.key_id).keep(*_tail_of(node))


def _tail_of(node: Node) -> tuple[int, bytes]:
    size = node.store.log.size()
    entry = next(node.store.log.entries(size - 1))
    return size, leaf_hash(leaf_data(entry.salt, entry.envelope))


def _certificates_of(partner: Partner) -> tuple[bytes, ...]:
    """Certificates that a partner's node may show, if it can be reached at all."""
    if not partner.url:
        raise InputError(
            Message("{partner} was pinned without an address", {"partner": partner.party}),
            hint=Message("ask it for a card with its address, then: kizuna partner add FILE"),
            field="partner",
        )
    accepted = partner.certificates(SystemClock().now())
    if not accepted:
        raise PartnerMisbehaved(
            Message("the key {key} of {partner} was revoked", {"key": key_id_of(partner.signing_key), "partner": partner.party}),
            hint=Message("nothing was asked of its node; ask the partner's operator for a new card by a way that you trust"),
        )
    return accepted


@contextmanager
def transport_to(
    folder: Path, partner: Partner, on_clock: Callable[[Instant, Instant], object] | None = None
) -> Iterator[Transport]:
    """Way from the node in `folder` to a partner's node: HTTP over mutual TLS.

    Parameters
    ----------
    folder, partner
        From where, to whom.
    on_clock
        Told what the partner's clock said in an answer, and what ours showed in the middle of that question.

    Raises
    ------
    InputError
        If the partner was pinned without an address.
    PartnerMisbehaved
        If its key was revoked: nothing is asked of its node then.
    """
    from kizuna.adapters.http_transport import HttpTransport

    accepted = _certificates_of(partner)
    try:
        way = HttpTransport(partner.url, FileKeys.load(folder / KEYS), *accepted)
    except StoreError:
        # Our keys may have been changed in this very instant, by another process.
        way = HttpTransport(partner.url, FileKeys.load(folder / KEYS), *accepted)
    with way as transport:
        transport.on_clock = on_clock
        yield transport


@contextmanager
def tasking_of(folder: Path, partner: Partner) -> Iterator[StapiClient]:
    """The tasking interface of a partner's node: STAPI over mutual TLS, as `transport_to` the rest.

    Raises
    ------
    InputError, PartnerMisbehaved
        As `transport_to`.
    """
    from kizuna.adapters.stapi_client import StapiClient
    from kizuna.adapters.tls import client_context

    accepted = _certificates_of(partner)
    context = client_context(FileKeys.load(folder / KEYS), *accepted)
    with closing(StapiClient(partner.url.rstrip("/") + TASKING_PATH, tls=context)) as client:
        yield client


def order_desk(folder: Path, node: Node, settings: Settings, item_path: Callable[[Product], str]) -> OrderDesk | None:
    """What takes orders of partners for images; None where no provider is set.

    Parameters
    ----------
    folder, node, settings
        The node in `folder`.
    item_path
        Path of a product on this node, for a partner.

    Raises
    ------
    InputError
        If the label cannot be read, is another's, or the provider's address is none.
    """
    if not settings.tasking_provider:
        return None
    from kizuna.adapters.stapi_client import StapiClient
    from kizuna.adapters.stapi_provider import StapiProvider
    from kizuna.node.publish import require_understood
    from kizuna.node.take_orders import OrderDesk

    label = read_label_file(folder / settings.tasking_label)
    if label.originator != node.organisation:
        raise InputError(
            Message(
                "{path}: the originator is {got}, and images that partners order are {expected}'s",
                {"path": settings.tasking_label, "got": label.originator, "expected": node.organisation},
            ),
            hint=Message("correct the label that tasking_label names"),
            field="originator",
        )
    require_understood(node, label)
    client = StapiClient(settings.tasking_provider, os.environ.get(STAPI_TOKEN))
    return OrderDesk(node, StapiProvider(client), label, item_path)


def read_tile(source: BinaryIO, z: int, x: int, y: int) -> bytes | None:
    """Map tile of a web-optimised GeoTIFF. GDAL is loaded with the first tile, not when the node starts."""
    from kizuna.formats.geotiff import render_tile

    return render_tile(source, z, x, y)


def system_now() -> Instant:
    """Present instant, for questions that are asked without a node."""
    return SystemClock().now()


def beside(path: Path) -> Loader:
    """Reads the files that the agreement in `path` names: those beside it and in folders below, no others.

    A file that cannot be read, or that a link leads elsewhere, is an `InputError`.
    """
    folder = path.resolve().parent

    def load(name: str) -> bytes:
        file = (folder / name).resolve()
        if not file.is_relative_to(folder):
            raise InputError(
                Message("{path} leads out of the agreement's folder", {"path": name}),
                hint=Message("put the file itself beside the agreement"),
                field="file",
            )
        with open_input(file) as source:
            return source.read(LARGEST_FILE_BYTES + 1)

    return load


def _refuse_unknown_ladders(accepted: Sequence[str], ladders: Mapping[str, Ladder], *, field: str) -> None:
    for policy in sorted(set(accepted) - ladders.keys()):
        raise InputError(
            Message("no ladder of markings of the policy {policy} is known", {"policy": policy}),
            hint=Message("known ladders: {names}", {"names": ", ".join(sorted(ladders))}),
            field=field,
        )


def _refuse_empty(root: Path, found: Sequence[Agreement], accept_fictional: Sequence[str]) -> None:
    """Refuse a register of which nothing is left: it would deny everything, as a full one does what it does not cover."""
    if not found:
        raise InputError(
            Message("no agreement lies in {path}", {"path": str(root)}),
            hint=Message("name the folder that holds the agreement files (*.toml)"),
            field="agreements",
        )
    fictional = {agreement.id for agreement in found if agreement.fictional}
    missing = sorted(set(accept_fictional) - fictional)
    if missing:
        raise InputError(
            Message("no fictional supplement of {id} lies in {path}", {"id": missing[0], "path": str(root / "fictional")}),
            hint=Message("correct the name of the agreement"),
            field="accept-fictional",
        )
    if not accept_fictional and all(agreement.fictional for agreement in found):
        raise InputError(
            Message("all agreements in {path} are fictional, and none was accepted", {"path": str(root)}),
            hint=Message("accept one by name: --accept-fictional {id}", {"id": found[0].id}),
            field="accept-fictional",
        )


def load_register(folder: Path | None, accept_fictional: Sequence[str], accept_ladders: Sequence[str]) -> Register:
    """Register of a folder of agreement files, the sample's by default.

    Fictional supplements lie in the folder ``fictional`` inside it; only those accepted by name are taken.

    Raises
    ------
    InputError
        Naming the faulty file and field, two files of one version, or a supplement that was accepted and is not there.
    """
    root = folder or sample_folder("coalition")
    agreements: list[Agreement] = []
    suspensions: list[Suspension] = []
    ladders = read_ladders(parse_toml((sample_folder("coalition") / "markings.toml").read_bytes(), name="markings.toml"))
    found: list[Agreement] = []
    taken: dict[tuple[str, int], Path] = {}
    if not root.is_dir():
        raise InputError(
            Message("{path} is no folder", {"path": str(root)}),
            hint=Message("name the folder that holds the agreement files (*.toml)"),
            field="agreements",
        )
    for path in sorted([*root.glob("*.toml"), *root.glob("fictional/*.toml")]):
        document = parse_toml(
            read_input(path, hint=Message("every *.toml in a register must be readable: remove it")), name=str(path)
        )
        if path.name == "markings.toml":
            ladders |= read_ladders(document)
            continue
        try:
            agreement, suspended = read_agreement(document, CIVIL_OFFSETS, beside(path))
            for fault in area_faults(agreement):
                raise fault
        except InputError as error:
            raise InputError(
                Message("{path}: {why}", {"path": str(path), "why": error.message}), hint=error.hint, field=error.field
            ) from error
        found.append(agreement)
        if not agreement.fictional or agreement.id in accept_fictional:
            other = taken.setdefault((agreement.id, agreement.version), path)
            if other != path:
                # Else which of them holds would depend on their names.
                raise InputError(
                    Message(
                        "{path}: {other} is version {version} of {id} too",
                        {"path": str(path), "other": str(other), "id": agreement.id, "version": agreement.version},
                    ),
                    hint=Message("nothing recorded is edited: give the change a higher version, or remove one of the two files"),
                    field="version",
                )
            agreements.append(agreement)
            suspensions += suspended
    _refuse_empty(root, found, accept_fictional)
    _refuse_unknown_ladders(accept_ladders, ladders, field="accept-ladder")
    return Register(
        agreements=tuple(agreements), suspensions=tuple(suspensions), ladders=ladders, accepted_ladders=frozenset(accept_ladders)
    )


def subject_of_file(path: Path, register: Register) -> Subject:
    """What a decision has to know of a file that lies outside a node, with its label beside it (``FILE.label.toml``).

    Parameters
    ----------
    path
        The file.
    register
        Register by which it will be decided: its agreements name the areas to which the file's footprint is compared.

    Raises
    ------
    InputError
        If the file or its label cannot be used.
    """
    label = read_label_file(label_path(path))
    with open_input(path) as file:
        kind, _media_type = sniff(file.read(HEAD_BYTES), path)
        found = kind.extract(file, path.name)
    return Subject(
        path.name,
        kind.NAME,
        label.originator,
        label.originator,
        label,
        complex_data=found.complex_data,
        event=found.event,
        produced=found.produced,
        resolution_m=found.resolution_m,
        placement=place(found.footprint, areas_of(register.agreements)),
    )


def label_path(path: Path) -> Path:
    """Where the label of a file lies: beside it, as ``FILE.label.toml``."""
    return path.with_name(path.name + ".label.toml")


def read_label_file(path: Path, *, hint: Message | None = None) -> Label:
    """Label of a ``FILE.label.toml``.

    Parameters
    ----------
    path
        The file.
    hint
        What to do where it cannot be read.

    Raises
    ------
    InputError
        If it is missing or cannot be used.
    """
    data = read_input(path, hint=hint or Message("every product needs a label: write one beside it (docs/labels.md)"))
    try:
        return read_label_document(parse_toml(data, name=str(path)))
    except InputError as error:
        if error.field is None:
            raise
        raise InputError(
            Message("{path}: {why}", {"path": str(path), "why": error.message}), hint=error.hint, field=error.field
        ) from error


def read_certificate_end(folder: Path) -> Instant:
    """Instant at which the certificate of the node in `folder` ends."""
    from cryptography.x509 import load_der_x509_certificate

    certificate = load_der_x509_certificate(FileKeys.load(folder / KEYS).certificate_der)
    return instant_of(certificate.not_valid_after_utc)
