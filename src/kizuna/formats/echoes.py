"""Echoes in whatever file they come: CPHD, CRSD, or raw in HDF5; each channel as a `kizuna.sar.collection`."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from kizuna.formats.cphd import cphd_channels, read_cphd
from kizuna.formats.crsd import crsd_channels, read_crsd
from kizuna.formats.hdf5 import is_hdf5
from kizuna.formats.rrsd import read_rrsd, rrsd_channels
from kizuna.formats.signal_blocks import standard_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kizuna.sar.collection import Collection

__all__ = ["echo_channels", "read_echoes"]


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    head = file.read(16)
    file.seek(0)
    return head


def echo_channels(file: BinaryIO) -> tuple[str, ...]:
    """Names of the channels of a file.

    Raises
    ------
    InputError
        No file of echoes, or a damaged one.
    """
    head = _head(file)
    if is_hdf5(head):
        return rrsd_channels(file)
    return crsd_channels(file) if standard_of(head) == "CRSD" else cphd_channels(file)


def read_echoes(file: BinaryIO, *, channel: str | None = None, progress: Callable[[int, int], None] | None = None) -> Collection:
    """Read a channel.

    Parameters
    ----------
    file
        Open, seekable binary file.
    channel
        Its name; None for the reference channel or the first.
    progress
        Called with (pulses read, pulses in all).

    Raises
    ------
    InputError
        No file of echoes, a damaged one, another channel, or one of a kind that is not formed.
    """
    head = _head(file)
    if is_hdf5(head):
        return read_rrsd(file, channel=channel, progress=progress)
    return (read_crsd if standard_of(head) == "CRSD" else read_cphd)(file, channel=channel, progress=progress)
