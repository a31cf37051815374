"""Take many files in: made in several threads, what is finished recorded together, what is faulty told and passed over."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kizuna.errors import InputError, StoreError
from kizuna.node.publish import Described, Published, discard, look, make, product_of, publish, record_published

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from kizuna.model.digests import Digest
    from kizuna.model.label import Label
    from kizuna.model.product import Product
    from kizuna.node.publish import Made, Wanted
    from kizuna.node.state import Node

__all__ = ["Source", "Taken", "take_in_all"]

# Products that one transaction records. What is finished is recorded at once where nothing else is; a crash loses no more than
# these, whose files are then taken in again.
_MOST_AT_ONCE = 64
# Files looked at beyond those that are being made: what is open and not begun yet.
_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Source:
    """A file to take in.

    Parameters
    ----------
    place
        Where it is, for whoever reads what came of it.
    open
        Opens it: gives the file and its name without folders.
    label
        Reads its label.
    described
        What it does not say itself.
    """

    place: str
    open: Callable[[], AbstractContextManager[tuple[BinaryIO, str]]]
    label: Callable[[], Label]
    described: Described


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a file: a product, or why there is none."""

    source: Source
    published: Published | None
    fault: InputError | None = None


def take_in_all(node: Node, sources: Iterable[Source], tell: Callable[[Taken], None], *, jobs: int = 1) -> None:
    """Take files in, several at a time.

    Parameters
    ----------
    node
        This node.
    sources
        The files.
    tell
        Called with what came of each, once that is durable; not in their order.
    jobs
        How many are made at a time.

    Raises
    ------
    StoreError
        If the disk is full. What was told stays; of the others nothing is kept.
    """
    waiting: dict[Future[Made], Source] = {}
    begun: set[Digest] = set()
    again: list[Source] = []
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="ingest") as pool:
        try:
            for source in sources:
                future = _begin(node, source, tell, pool, begun, again)
                if future is not None:
                    waiting[future] = source
                while len(waiting) >= jobs + _AHEAD:
                    _finish(node, waiting, tell)
            while waiting:
                _finish(node, waiting, tell)
        except BaseException:
            for future in waiting:
                future.cancel()
            wait(waiting)
            for future in waiting:
                if not future.cancelled() and future.exception() is None:
                    discard(node.blobs, future.result())
            raise
    # The same bytes came twice in one run: by now they are a product.
    for source in again:
        tell(_one(node, source))


def _begin(
    node: Node,
    source: Source,
    tell: Callable[[Taken], None],
    pool: ThreadPoolExecutor,
    begun: set[Digest],
    again: list[Source],
) -> Future[Made] | None:
    try:
        label = source.label()
        with source.open() as (file, name):
            wanted = look(node, file, name, label, source.described)
    except InputError as fault:
        tell(Taken(source, None, fault))
        return None
    if wanted.known is not None:
        tell(Taken(source, Published(wanted.known, known=True)))
        return None
    if wanted.content in begun or wanted.before is not None:
        again.append(source)
        return None
    begun.add(wanted.content)
    return pool.submit(_make, node, source, wanted)


def _make(node: Node, source: Source, wanted: Wanted) -> Made:
    with source.open() as (file, _name):
        return make(node.blobs, file, wanted)


def _one(node: Node, source: Source) -> Taken:
    try:
        with source.open() as (file, name):
            return Taken(source, publish(node, file, name, source.label(), source.described))
    except InputError as fault:
        return Taken(source, None, fault)


def _finish(node: Node, waiting: dict[Future[Made], Source], tell: Callable[[Taken], None]) -> None:
    """Record all that is made, as soon as something is."""
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    ready: list[tuple[Source, Made, Product]] = []
    faults: list[Taken] = []
    try:
        for future in list(done)[:_MOST_AT_ONCE]:
            source = waiting[future]
            try:
                made = future.result()
            except InputError as fault:
                del waiting[future]
                faults.append(Taken(source, None, fault))
                continue
            try:
                product = product_of(node, made)
            except InputError as fault:
                discard(node.blobs, made)
                del waiting[future]
                faults.append(Taken(source, None, fault))
                continue
            ready.append((source, made, product))
            del waiting[future]
        decisions = record_published(node, [product for _, _, product in ready]) if ready else []
    except (InputError, StoreError):
        for _, made, _ in ready:
            discard(node.blobs, made)
        raise
    for taken in faults:
        tell(taken)
    for source, _, product in ready:
        own = tuple((partner, decision) for of, partner, decision in decisions if of.id == product.id)
        tell(Taken(source, Published(product, known=False, decisions=own)))
