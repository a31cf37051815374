"""``kizuna audit``: read and verify the tamper-evident log, hand out what others need to verify it, confirm its tail."""

from __future__ import annotations

import os
import unicodedata
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from kizuna.cli.audit_reads import reads
from kizuna.cli.audit_witness import witness
from kizuna.cli.terminal import Progress, _, as_json, examples, node_option, print_json, say
from kizuna.cli.wide_help import Commands
from kizuna.errors import InputError, Message
from kizuna.exchange.checkpoint import COSIGNATURE_TYPE, read_verifier_key, verifier_key
from kizuna.exchange.log_file import MOST_LINE_BYTES, PROOF_HEAD, VerifiedExport, VerifiedProof, verify_export, verify_proof
from kizuna.model.digests import digest_of
from kizuna.model.instants import format_instant, parse_instant
from kizuna.model.provenance import Fact, fact_from_json
from kizuna.node.audit import verify_node
from kizuna.node.audit_files import export_log, find_entry, log_key, prove_entry, received_as
from kizuna.node.audit_log import log_page, sentence
from kizuna.wiring import node_lies_in, open_input, open_node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from kizuna.exchange.log_file import Cosigned
    from kizuna.model.canonical import Json
    from kizuna.node.audit_files import LogKey
    from kizuna.node.state import Node

__all__ = ["audit"]


@click.group(cls=Commands, help=_("Read and verify the tamper-evident log, hand out proofs of it, confirm its tail."))
def audit() -> None:
    """Group."""


audit.add_command(reads)
audit.add_command(witness)


# ---- log


def _plain(text: str) -> str:
    """Text on one line, whole; what could steer a terminal becomes a space."""
    return "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp"} else c for c in text)


def _print_fact(index: int, fact: Fact) -> None:
    said = _plain(sentence(fact).render(_))
    click.echo(click.style(f"{index:>6}", bold=True) + f"  {format_instant(fact.recorded_at)}  {fact.kind.value}")
    click.echo(f"        {said}")
    by = _("by {who}, by authority of: {authority}").format(who=fact.recorded_by, authority=fact.authority)
    click.echo(f"        {_plain(by)}")


@audit.command(
    help=_("Show the entries of the log in order, each with who recorded it, by what authority, and a sentence."),
    epilog=examples("kizuna audit log --node jpn", "kizuna audit log --since 2025-06-22 --limit 20 --json"),
)
@click.option("--since", metavar="INSTANT", help=_("Only what was recorded at or after this instant."))
@click.option("--limit", type=click.IntRange(min=1), help=_("At most so many entries; how many follow is said."))
@node_option
@as_json
def log(since: str | None, limit: int | None, folder: Path, json_: bool) -> None:
    """Show the log."""
    begin = None if since is None else parse_instant(since, field="since")
    with open_node(folder) as here:
        page = log_page(here, begin, limit)
    if json_:
        entries: list[Json] = [
            {
                "index": index,
                "recorded_at": format_instant(fact.recorded_at),
                "kind": fact.kind.value,
                "recorded_by": fact.recorded_by,
                "authority": fact.authority,
                "sentence": sentence(fact).render(_),
                "body": fact.body,
            }
            for index, fact in page.facts
        ]
        print_json({"size": page.size, "entries": entries, "left_out": page.left_out})
        return
    for index, fact in page.facts:
        _print_fact(index, fact)
    if page.left_out:
        say(Message("{count} more entries follow: raise --limit to see them.", {"count": page.left_out}), err=True)


# ---- verify


def _known_keys(folder: Path | None) -> dict[str, LogKey]:
    """Keys of the logs that a node knows: its own and those of its partners."""
    if folder is None:
        return {}
    with open_node(folder) as here:
        keys = [log_key(here.organisation, here.keys.public_key)]
        keys += [log_key(partner.party, partner.signing_key) for partner in here.knowledge().partners.values()]
    return {name: (name, public_key) for name, public_key in keys}


def _former_keys(folder: Path | None, name: str) -> list[bytes]:
    """Keys that a log had before, as far as a node knows: its own log, or a partner's."""
    if folder is None:
        return []
    with open_node(folder) as here:
        if log_key(here.organisation, b"")[0] == name:
            return here.journal.own_keys()[:-1]
        return [
            former.key
            for partner in here.knowledge().partners.values()
            if log_key(partner.party, b"")[0] == name
            for former in partner.former
        ]


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(MOST_LINE_BYTES + 1):
        yield line


def _counted(lines: Iterable[bytes], file: BinaryIO, size: int) -> Iterator[bytes]:
    progress = Progress(_("verifying"))
    for line in lines:
        yield line
        progress(file.tell(), size)


def _origin_in(file: BinaryIO, *, is_proof: bool) -> str:
    """Name of the log that a file says it is of, to choose the key by; nothing is taken on trust by that."""
    start = file.read(2 * MOST_LINE_BYTES) if is_proof else file.readline(MOST_LINE_BYTES)
    file.seek(0)
    if is_proof:
        return start.partition(b"\n\n")[2].partition(b"\n")[0].decode(errors="replace")
    return start.partition(b'"origin":"')[2].partition(b'"')[0].decode(errors="replace")


def _cosigned_json(cosigned: Sequence[Cosigned]) -> list[Json]:
    return [{"witness": found.witness, "size": found.size, "at": format_instant(found.at)} for found in cosigned]


def _say_cosigned(cosigned: Sequence[Cosigned]) -> None:
    for found in cosigned:
        values: dict[str, str | int | float] = {"witness": found.witness, "size": found.size, "at": format_instant(found.at)}
        say(Message("Cosigned by {witness} at {at}, at {size} entries.", values))


def _tell_proof(found: VerifiedProof, key: LogKey, received: int | None, *, json_: bool) -> None:
    if json_:
        print_json(
            {
                "verified": True,
                "origin": key[0],
                "key": verifier_key(*key),
                "index": found.index,
                "size": found.checkpoint.size,
                "root": found.checkpoint.root.hex(),
                "fact": found.fact,
                "received_as": received,
                "cosigned": _cosigned_json(found.cosigned),
            }
        )
        return
    values: dict[str, str | int | float] = {"index": found.index, "origin": key[0], "size": found.checkpoint.size}
    say(Message("Entry {index} stands in the log {origin} of {size} entries:", values))
    try:
        _print_fact(found.index, fact_from_json(found.fact))
    except InputError:
        # A kind of fact that this version does not know is shown as it is.
        click.echo(_plain(str(found.fact)))
    if received is not None:
        say(Message("What it released came here: entry {index} of this node's log.", {"index": received}))
    _say_cosigned(found.cosigned)


def _tell_export(found: VerifiedExport, *, key_known: bool, json_: bool) -> None:
    if json_:
        print_json(
            {
                "verified": True,
                "origin": found.origin,
                "key": found.key,
                "key_known": key_known,
                "begin": found.begin,
                "end": found.end,
                "root": found.root.hex(),
                "disclosed": found.disclosed,
                "cosigned": _cosigned_json(found.cosigned),
            }
        )
        return
    values: dict[str, str | int | float] = {
        "count": found.end - found.begin,
        "origin": found.origin,
        "begin": found.begin,
        "disclosed": found.disclosed,
    }
    say(Message("{count} entries of the log {origin} verified, from {begin} on, {disclosed} of them with content.", values))
    say(Message("Tail: {tail}", {"tail": f"{found.end}:{found.root.hex()}"}))
    if not key_known:
        say(
            Message(
                "The file itself names the key. Compare it with one that came to you another way, or give that with --key: {key}",
                {"key": found.key},
            )
        )
    _say_cosigned(found.cosigned)


def _verify_file(
    file: Path, key: str | None, witnesses: Sequence[str], former: Sequence[str], folder: Path | None, *, json_: bool
) -> None:
    """Verify a file; a node, if one lies in the folder, knows keys and what came to it."""
    known = _known_keys(folder) if key is None else {}
    trusted = [read_verifier_key(text, COSIGNATURE_TYPE) for text in witnesses]
    with open_input(file) as source:
        is_proof = source.read(len(PROOF_HEAD)) == PROOF_HEAD
        size = source.seek(0, os.SEEK_END)
        source.seek(0)
        expected = known.get(_origin_in(source, is_proof=is_proof)) if key is None else read_verifier_key(key)
        if not is_proof:
            found = verify_export(_counted(_lines(source), source, size), key=expected, witnesses=trusted)
            _tell_export(found, key_known=expected is not None, json_=json_)
            return
        if expected is None:
            raise InputError(
                Message("a proof names no key, and no node here knows the log's"),
                hint=Message("give the key with --key, or with --node a node that has pinned the partner"),
                field="key",
            )
        keys = [read_verifier_key(text)[1] for text in former] or _former_keys(folder, expected[0])
        proved = verify_proof(source.read(2 * MOST_LINE_BYTES + 1), key=expected, witnesses=trusted, former=keys)
    received = None
    if folder is not None:
        with open_node(folder) as here:
            received = received_as(here, proved.fact)
    _tell_proof(proved, expected, received, json_=json_)


def _verify_node(here: Node, *, json_: bool) -> None:
    state = verify_node(here, Progress(_("verifying")))
    confirmed = here.is_confirmed()
    key = verifier_key(*log_key(here.organisation, here.keys.public_key))
    if json_:
        form: dict[str, Json] = {"entries": state.size, "root": state.root.hex(), "tail": state.tail, "key": key}
        print_json(form | {"tail_confirmed": confirmed, "verified": True})
        return
    say(Message("{size} entries verified. Tail: {tail}", {"size": state.size, "tail": state.tail}))
    say(Message("Key, for those who verify proofs and exports: {key}", {"key": key}))
    if not confirmed:
        say(
            Message(
                "The tail is not confirmed here: compare it with your last record, then: kizuna audit confirm --tail SIZE:ROOT"
            )
        )


@audit.command(
    help=_(
        "Verify each entry's signature, their order, and the tree against its signed checkpoint: of the node, or offline of a "
        "FILE that kizuna audit export or prove wrote. What does not verify is named."
    ),
    epilog=examples(
        "kizuna audit verify --node jpn",
        "kizuna audit verify jpn-log.jsonl --key kizuna/JPN/IQPS+3327f640+AfwotxqN...",
        "kizuna audit verify release.tlog-proof --node ukr",
    ),
)
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--key", metavar="VKEY", help=_("Key of the log that FILE must be of (NAME+ID+KEY); default: as the node pinned it.")
)
@click.option("--witness", "witnesses", metavar="VKEY", multiple=True, help=_("Key of a witness that must have cosigned FILE."))
@click.option(
    "--former", metavar="VKEY", multiple=True, help=_("Key that the log had before: it may have signed the entry that is proved.")
)
@node_option
@as_json
@click.pass_context
def verify(
    context: click.Context,
    file: Path | None,
    key: str | None,
    witnesses: tuple[str, ...],
    former: tuple[str, ...],
    folder: Path,
    json_: bool,
) -> None:
    """Verify."""
    if file is not None:
        asked = context.get_parameter_source("folder") is not ParameterSource.DEFAULT
        lies_there = asked or node_lies_in(folder)
        _verify_file(file, key, witnesses, former, folder if lies_there else None, json_=json_)
        return
    if key is not None or witnesses:
        raise InputError(
            Message("--key and --witness are for a file, and no file is named"),
            hint=Message("name the file: kizuna audit verify FILE"),
            field="file",
        )
    with open_node(folder) as here:
        _verify_node(here, json_=json_)


# ---- prove, export


def _write(file: Path, parts: Iterable[bytes]) -> int:
    """Write a file as a whole or not at all; give its size in bytes."""
    beside = file.with_name(file.name + ".part")
    try:
        with beside.open("wb") as out:
            out.writelines(parts)
            size = out.tell()
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return size


@audit.command(
    help=_(
        "Prove that an entry is in the log: the entry, its salt, its place and the signed checkpoint, as a C2SP tlog-proof. It "
        "tells nothing of any other entry. ENTRY is an index, the digest of a feed's entry, or PARTY:NUMBER for a feed's entry."
    ),
    epilog=examples(
        "kizuna audit prove 15 --out release.tlog-proof --node jpn",
        "kizuna audit prove UKR/HUR:1",
        "kizuna audit prove sha256:5e4502b56d67...",
    ),
)
@click.argument("entry")
@click.option("--out", type=click.Path(path_type=Path), help=_("Write here (default: stdout)."))
@node_option
@as_json
def prove(entry: str, out: Path | None, folder: Path, json_: bool) -> None:
    """Prove."""
    with open_node(folder) as here:
        index = find_entry(here, entry)
        proof = prove_entry(here, index)
        key = verifier_key(*log_key(here.organisation, here.keys.public_key))
    if out is not None:
        _write(out, [proof])
    if json_:
        print_json({"index": index, "key": key, "file": None if out is None else str(out), "proof": proof.decode()})
    elif out is None:
        click.echo(proof.decode(), nl=False)
    else:
        say(Message("Entry {index} is proved in {path}.", {"index": index, "path": str(out)}))
        say(Message("Key, for those who verify proofs and exports: {key}", {"key": key}))


@audit.command(
    help=_(
        "Write the log to one file that anybody can verify offline: the signed entries, the checkpoints, the proofs that all are "
        "one log. With --private only hashes of the entries."
    ),
    epilog=examples(
        "kizuna audit export jpn-log.jsonl --node jpn", "kizuna audit export part.jsonl --from 100 --to 199 --private"
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--from", "first", type=click.IntRange(min=0), default=0, help=_("Index of the first entry (default: 0)."))
@click.option("--to", "last", type=click.IntRange(min=0), help=_("Index of the last entry (default: the last of the log)."))
@click.option(
    "--private", is_flag=True, help=_("Hashes instead of entries: shows that nothing is missing, and not what there is.")
)
@node_option
@as_json
def export(file: Path, first: int, last: int | None, private: bool, folder: Path, json_: bool) -> None:
    """Export."""
    with open_node(folder) as here:
        size = _write(file, export_log(here, first, last, private=private))
        key = verifier_key(*log_key(here.organisation, here.keys.public_key))
    if json_:
        print_json({"file": str(file), "bytes": size, "private": private, "key": key})
        return
    say(Message("Written: {path} ({size} bytes). Verify it with: kizuna audit verify {path}", {"path": str(file), "size": size}))
    say(Message("Key, for those who verify proofs and exports: {key}", {"key": key}))


@audit.command(
    help=_("Print the stand-alone verifier: one Python file, standard library only, for whoever has no kizuna."),
    epilog=examples("kizuna audit verifier > verify_log.py", "python verify_log.py jpn-log.jsonl"),
)
@as_json
def verifier(*, json_: bool) -> None:
    """Print the verifier."""
    source = resources.files("kizuna.cli").joinpath("verify_log.py").read_bytes()
    if json_:
        print_json({"name": "verify_log.py", "digest": digest_of(source), "source": source.decode()})
        return
    click.echo(source, nl=False)


# ---- confirm


@audit.command(
    help=_("Confirm the tail of a restored, copied or moved node, as an officer who compared it with a record kept elsewhere."),
    epilog=examples(
        "kizuna audit confirm --tail 42:9f86d081...",
    ),
)
@click.option("--tail", required=True, metavar="SIZE:ROOT", help=_("Tail as it must be."))
@node_option
@as_json
def confirm(tail: str, folder: Path, json_: bool) -> None:
    """Confirm."""
    with open_node(folder) as here:
        here.confirm_tail(tail)
    if json_:
        print_json({"confirmed": tail})
        return
    say(Message("Confirmed: the node serves again."))
