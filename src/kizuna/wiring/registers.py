"""Registers of agreements from folders, for questions that are asked without a node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.adapters.input_files import open_input, read_input
from kizuna.adapters.zones import offset_at_begin, offset_at_end
from kizuna.catalog.areas import areas_of, place
from kizuna.errors import InputError, Message
from kizuna.formats.agreement import CivilOffsets, parse_toml, read_agreement, read_ladders
from kizuna.formats.agreement_areas import LARGEST_FILE_BYTES
from kizuna.kinds.registry import HEAD_BYTES, sniff
from kizuna.node.founding import area_faults
from kizuna.release.register import Register
from kizuna.release.subject import Subject
from kizuna.wiring.files import label_path, read_label_file
from kizuna.wiring.texts import sample_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kizuna.formats.agreement_areas import Loader
    from kizuna.release.agreements import Agreement, Suspension
    from kizuna.release.markings import Ladder

__all__ = ["CIVIL_OFFSETS", "beside", "load_register", "refuse_unknown_ladders", "subject_of_file"]

CIVIL_OFFSETS = CivilOffsets(offset_at_begin, offset_at_end)
"""Civil days of nations, from the time zone database."""


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


def refuse_unknown_ladders(accepted: Sequence[str], ladders: Mapping[str, Ladder], *, field: str) -> None:
    """Refuse policies that have no ladder of markings.

    Raises
    ------
    InputError
        Naming the first of them.
    """
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
    refuse_unknown_ladders(accept_ladders, ladders, field="accept-ladder")
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
