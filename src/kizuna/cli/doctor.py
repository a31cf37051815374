"""``kizuna doctor``: check this machine, and the node if there is one."""

from __future__ import annotations

import shutil
import sqlite3
import ssl
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from kizuna.cli.terminal import _, as_json, examples, node_option, print_json
from kizuna.errors import KizunaError, Message
from kizuna.wiring import is_synced, load_settings, machine_memory, node_lies_in, open_node, read_certificate_end, system_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["doctor"]

_OLDEST_PYTHON = (3, 12)
_OLDEST_SQLITE = (3, 37, 0)
_LEAST_FREE_BYTES = 2**30
_LEAST_CERTIFICATE_DAYS = 30
_MARKS = {True: click.style("✓", fg="green"), False: click.style("✗", fg="red"), None: "–"}


@dataclass(frozen=True, slots=True)
class _Finding:
    name: str
    # None: there was nothing to check.
    ok: bool | None
    what: str
    hint: str = ""


def _machine(folder: Path) -> Iterator[_Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield _Finding("python", sys.version_info >= _OLDEST_PYTHON, version, _("install Python 3.12 or newer"))
    yield _Finding(
        "sqlite", sqlite3.sqlite_version_info >= _OLDEST_SQLITE, sqlite3.sqlite_version, _("install SQLite 3.37 or newer")
    )
    yield _Finding("tls", ssl.HAS_TLSv1_3, ssl.OPENSSL_VERSION, _("install OpenSSL 1.1.1 or newer"))
    place = next(p for p in [folder.absolute(), *folder.absolute().parents] if p.exists())
    free = shutil.disk_usage(place).free
    yield _Finding("disk", free >= _LEAST_FREE_BYTES, f"{free / 2**30:.1f} GiB", _("make room: at least 1 GiB free"))
    yield _drivers()
    memory, kept = machine_memory()
    yield _Finding("memory", kept, str(memory), _("make it writable, or name another folder in KIZUNA_STATE"))


def _drivers() -> _Finding:
    try:
        import rasterio.drivers
        from rasterio.env import Env

        with Env() as environment:
            known = environment.drivers()
    except ImportError as error:
        return _Finding("gdal", ok=False, what=str(error), hint=_("install kizuna again"))
    missing = [name for name in ("COG", "GTiff", "NITF", "WEBP", "PNG") if name not in known]
    return _Finding("gdal", not missing, ", ".join(missing) or rasterio.__gdal_version__, _("install rasterio's own wheel"))


def _node(folder: Path) -> Iterator[_Finding]:
    import os

    def tried(name: str, ask: Callable[[], tuple[bool, str, str]]) -> _Finding:
        try:
            return _Finding(name, *ask())
        except KizunaError as error:
            return _Finding(name, ok=False, what=error.message.render(_), hint="" if error.hint is None else error.hint.render(_))

    if not node_lies_in(folder):
        yield _Finding("node", None, Message("no node lies in {folder}", {"folder": str(folder)}).render(_))
        return
    settings = tried("settings", lambda: (bool(load_settings(folder, os.environ)), str(folder), ""))
    yield settings
    if settings.ok is False:
        return
    with open_node(folder) as here:
        yield tried("clock", lambda: (bool(here.now()), str(system_now().date()), ""))
        synced = is_synced(here.store)
        if synced is not None:
            yield _Finding(
                "database",
                synced,
                _("brings what is committed to the disk") if synced else _("does not bring what is committed to the disk"),
                _("set fsync = on in the server's configuration"),
            )
        yield tried("log", lambda: (True, here.journal.verify().tail[:24], ""))
        yield tried(
            "tail",
            lambda: (
                here.is_confirmed(),
                _("confirmed") if here.is_confirmed() else _("not confirmed"),
                _("see: kizuna audit verify"),
            ),
        )
        left = (read_certificate_end(folder) - system_now()).days
        yield _Finding(
            "certificate",
            left >= _LEAST_CERTIFICATE_DAYS,
            _("{days} days left").format(days=left),
            _("make a new one (kizuna node rotate-keys) and give partners the card"),
        )


@click.command(help=_("Check this machine, and the node if there is one."), epilog=examples("kizuna doctor --node jpn"))
@node_option
@as_json
@click.pass_context
def doctor(context: click.Context, folder: Path, json_: bool) -> None:
    """Check."""
    findings = [*_machine(folder), *_node(folder)]
    if json_:
        print_json([{"check": f.name, "ok": f.ok, "found": f.what, "hint": "" if f.ok else f.hint} for f in findings])
    else:
        for finding in findings:
            mark = _MARKS[finding.ok]
            click.echo(
                f"{mark} {finding.name}: {finding.what}" + ("" if finding.ok or not finding.hint else f" ({finding.hint})")
            )
    if any(finding.ok is False for finding in findings):
        context.exit(1)
