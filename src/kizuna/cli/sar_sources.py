"""What ``kizuna sar form`` forms: channels of echoes, out of one file or several, and whether they are one polarimetric set."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kizuna.cli.terminal import Progress, _
from kizuna.errors import InputError, Message
from kizuna.wiring import open_input, system_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from kizuna.earth.scene import LocalScene
    from kizuna.formats.sicd_metadata import SicdDescription
    from kizuna.sar.collection import Collection
    from kizuna.sar.history import PhaseHistory

__all__ = ["Source", "are_polarisations", "read_sources"]

_SAME_PLACE_M = 1e-3
_SAME_BAND = 1e-6


@dataclass(frozen=True, slots=True)
class Source:
    """A channel to form.

    Parameters
    ----------
    name
        Of the channel, or of its polarisation.
    history
        Its echoes.
    scene, nominal
        Where they lie, and whether that was assigned.
    description
        What a SICD says of them.
    collection
        The same echoes with times, where they are known.
    """

    name: str
    history: PhaseHistory
    scene: LocalScene
    description: SicdDescription
    nominal: bool
    collection: Collection | None


def read_sources(files: Sequence[Path], channel: str | None, classification: str) -> list[Source]:
    """Channels of files.

    Parameters
    ----------
    files
        One file with echoes, several files of one collection with a polarisation each, or Gotcha's files.
    channel
        The only one that is wanted; None: all.
    classification
        To be written.

    Raises
    ------
    InputError
        Files that cannot be read, or that do not belong together.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(open_input(path)) for path in files]
        if all(path.suffix.lower() == ".mat" for path in files):
            return _gotcha(opened, files, classification)
        found = [source for file in opened for source in _channels(file, channel, classification)]
    if len(files) > 1:
        if not are_polarisations(found):
            raise InputError(
                Message("the {count} files are not polarisations of one collection", {"count": len(files)}),
                hint=Message("Form each file by a command of its own."),
                field="files",
            )
        found = [_on_clock(replace(source, name=source.history.polarisation), found[0]) for source in found]
    return found


def _on_clock(source: Source, first: Source) -> Source:
    """The same channel with its times counted from where another's are."""
    import numpy as np

    if source.collection is None or first.collection is None:
        return source
    late_s = (source.collection.start - first.collection.start).total_seconds()
    history = replace(source.history, times_s=np.asarray(source.history.times_s) + late_s)
    collection = replace(source.collection, start=first.collection.start, history=history)
    told = replace(source.description, collect_start=first.collection.start)
    return replace(source, history=history, collection=collection, description=told)


def are_polarisations(sources: Sequence[Source]) -> bool:
    """Whether channels are of different polarisations, of one place and band, so that one grid holds them all."""
    import numpy as np

    first = sources[0]
    if len(sources) < 2 or len({source.history.polarisation for source in sources}) < len(sources):  # noqa: PLR2004 # a pair
        return False
    place, band = first.scene.to_ecef(np.zeros(3)), first.history.frequencies_hz[[0, -1]]
    return all(
        np.abs(source.scene.to_ecef(np.zeros(3)) - place).max() < _SAME_PLACE_M
        and np.abs(source.history.frequencies_hz[[0, -1]] / band - 1.0).max() < _SAME_BAND
        for source in sources
    )


def _channels(file: Any, channel: str | None, classification: str) -> list[Source]:  # noqa: ANN401 # an open binary file
    from kizuna.formats.echoes import echo_channels, read_echoes
    from kizuna.formats.marking import UNCLASSIFIED
    from kizuna.formats.sicd_metadata import describe_collection

    found = []
    for name in (channel,) if channel is not None else echo_channels(file):
        collection = read_echoes(file, channel=name, progress=Progress(_("reading")))
        marking = UNCLASSIFIED if classification == "UNCLASSIFIED" else replace(UNCLASSIFIED, classification=classification)
        told = describe_collection(collection, produced=system_now(), marking=marking)
        found.append(Source(name, collection.history, collection.scene, told, nominal=False, collection=collection))
    return found


def _gotcha(opened: Sequence[Any], files: Sequence[Path], classification: str) -> list[Source]:
    """Gotcha's files, those of each polarisation joined."""
    from kizuna.earth.scene import LocalScene
    from kizuna.formats.gotcha import NOMINAL_POSITION, POLARISATIONS, describe, read_history

    groups: dict[str, list[Any]] = {}
    for file, path in zip(opened, files, strict=True):
        ending = path.stem[-2:].upper()
        groups.setdefault(ending if ending in POLARISATIONS else "HH", []).append(file)
    described = describe(produced=system_now(), classification=classification)
    return [
        Source(
            name, read_history(group, polarisation=name), LocalScene(NOMINAL_POSITION), described, nominal=True, collection=None
        )
        for name, group in groups.items()
    ]
