"""Settings of a node: its file, the environment above it, options above both."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

from kizuna.adapters.input_files import read_input
from kizuna.errors import InputError, Message
from kizuna.formats.agreement import parse_toml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


__all__ = ["SETTINGS_FILE", "Settings", "address", "check_places", "load_settings", "write_settings"]

SETTINGS_FILE = "kizuna.toml"


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


def check_places(settings: Settings) -> None:
    """Refuse addresses of a database or a bucket that are none.

    Raises
    ------
    InputError
        Naming the setting.
    """
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
    check_places(settings)
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


def write_settings(folder: Path, settings: Settings) -> None:
    """Write ``kizuna.toml`` into the node's folder."""
    lines = ["# Settings of this node; docs/settings.md explains each. KIZUNA_<NAME> in the environment stands above them."]
    for field in fields(Settings):
        value = getattr(settings, field.name)
        text = "[" + ", ".join(f'"{part}"' for part in value) + "]" if isinstance(value, tuple) else f'"{value}"'
        lines.append(f"{field.name} = {value if isinstance(value, int) else text}")
    (folder / SETTINGS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")
