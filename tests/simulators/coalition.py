"""Nodes of a small coalition, made in folders without the command line, and files for them to publish."""

from __future__ import annotations

import dataclasses
import tomllib
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from affine import Affine

from kizuna.model.parties import parse_party
from kizuna.node.founding import node_card, pin_partner, record_agreement
from kizuna.node.publish import publish
from kizuna.wiring import CIVIL_OFFSETS, Settings, label_path, make_node, open_node, read_label_file, sample_folder

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["AGREEMENT", "SUPPLEMENTS", "Pair", "founded", "introduce", "label_text", "labelled", "published", "small_tiff"]

AGREEMENT = "IQPS-HUR-2025"
SUPPLEMENTS = (AGREEMENT, "JPN-UKR-ISA-2024")


def founded(folder: Path, party: str, *, agreements: bool = True) -> Path:
    """New node on which the sample register is recorded, its fictional supplements accepted."""
    settings = Settings("127.0.0.1:0", "127.0.0.1:0", accept_fictional=SUPPLEMENTS)
    make_node(folder, parse_party(party), settings)
    if agreements:
        root = sample_folder("coalition")
        with open_node(folder) as node:
            for path in [*sorted(root.glob("[A-Z]*.toml")), *sorted(root.glob("fictional/*.toml"))]:
                record_agreement(node, tomllib.loads(path.read_text("utf-8")), CIVIL_OFFSETS, SUPPLEMENTS)
    return folder


def introduce(folder: Path, other: Path, url: str = "") -> None:
    """Let the node in `folder` pin the one in `other`."""
    with open_node(other) as node:
        card = node_card(node, url)
    with open_node(folder) as node:
        pin_partner(node, card)


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """A node that gives and one that takes; the giver knows the taker, the taker learns the giver's address later."""

    jpn: Path
    ukr: Path

    def meet(self, url: str) -> None:
        """Let the taker know where the giver answers."""
        introduce(self.ukr, self.jpn, url)


def small_tiff(path: Path, *, seed: int = 0, side: int = 64, place: bool = True) -> Path:
    """GeoTIFF of noise on the ground, 10 m a pixel."""
    band = np.random.default_rng(seed).integers(1, 255, (side, side), dtype=np.uint8)
    form = {"crs": "EPSG:32643", "transform": Affine(10.0, 0.0, 650_000.0, 0.0, -10.0, 1_100_000.0)} if place else {}
    with rasterio.open(path, "w", driver="GTiff", height=side, width=side, count=1, dtype="uint8", **form) as dataset:
        dataset.write(band, 1)
    return path


def label_text(**changed: str | None) -> str:
    """Label that lets anything go that an agreement allows; `changed` replaces lines, None removes one."""
    lines = {
        "schema": '"kizuna/label/1"',
        "policy": '"JPN"',
        "classification": '"UNCLASSIFIED"',
        "originator": '"JPN/IQPS"',
        "created": "2025-06-22T00:00:00Z",
    } | changed
    return "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)


def labelled(path: Path, **changed: str | None) -> Path:
    """Put a label beside a file."""
    label_path(path).write_text(label_text(**changed), encoding="utf-8")
    return path


def published(folder: Path, *files: Path) -> list[str]:
    """Publish labelled files at the node in `folder`; their product ids."""
    ids = []
    with open_node(folder) as node:
        for path in files:
            with path.open("rb") as file:
                ids.append(publish(node, file, path.name, read_label_file(label_path(path))).product.id)
    return ids
