"""Removable media, and where those lie that came too early."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kizuna.adapters.media_folder import FolderMedium, FolderShelf, NewFolderMedium, require_room
from kizuna.adapters.media_folder import media_in as found_media

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from kizuna.node.ports import Medium, NewMedium, Shelf

__all__ = ["media_in", "new_medium", "open_medium", "shelf_of"]

_SHELF = "media"


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
