"""``kizuna ingest --stac``: take in what STAC items link to, or the items alone, of a document or a pgstac database."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kizuna.cli.ingest_told import Told, label_hint
from kizuna.errors import InputError
from kizuna.node.intake import Source, take_in_all
from kizuna.node.publish import Described
from kizuna.wiring import is_pgstac, is_web, label_path, open_node, read_label_file, stac_items

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kizuna.model.label import Label
    from kizuna.wiring import FoundItem

__all__ = ["ingest_stac"]


def ingest_stac(
    place: str, node_folder: Path, label: Path | None, *, by_reference: bool, asset: str | None, most: int, jobs: int, json_: bool
) -> int:
    """Take in the items of a STAC document.

    Parameters
    ----------
    place
        Address, path of a file, or address of a database.
    node_folder
        The node's.
    label
        Label of all; None for the one beside the file.
    by_reference
        Whether to keep the items and leave their files where they are.
    asset
        Key of the asset that holds the product; None for the usual one.
    most
        Most items.
    jobs
        How many files are made at a time.
    json_
        Whether JSON is asked for.

    Returns
    -------
    int
        How many were refused.
    """
    told = Told([], json_=json_)
    elsewhere = is_web(place) or is_pgstac(place)
    own_label = label or (Path("stac.label.toml") if elsewhere else label_path(Path(place)))
    # The address of a database may hold a password.
    shown = "pgstac" if is_pgstac(place) else place
    read_label = partial(read_label_file, own_label, hint=label_hint())

    def sources() -> Iterator[Source]:
        try:
            # A label that cannot be read is told before anything is fetched.
            read_label()
            for found in stac_items(place, node_folder, most=most):
                yield _source(found, shown, by_reference=by_reference, asset=asset, read_label=read_label)
        except InputError as fault:
            told.fault(shown, fault)

    with open_node(node_folder) as here:
        try:
            take_in_all(here, sources(), told, jobs=jobs)
        finally:
            told.finish()
    return told.faults


def _source(found: FoundItem, place: str, *, by_reference: bool, asset: str | None, read_label: partial[Label]) -> Source:
    item = found.item
    where = f"{place}#{item.id}"
    if by_reference:
        return Source(where, found.open_reference, read_label, Described())
    described = Described(title=item.title, sensor=item.sensor or None, event=item.event, observation=item.observation)
    return Source(where, lambda: found.open_asset(item.data_asset(asset)), read_label, described)
