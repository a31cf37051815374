"""Two nodes with large files between them, made in folders; a link that is slow; a reader who notes when bytes came."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context
from kizuna.formats.agreement import NO_CIVIL_DATES
from kizuna.model.instants import parse_instant
from kizuna.model.label import Label
from kizuna.model.product import Asset, AssetRole
from kizuna.node.founding import record_agreement
from kizuna.node.publish import record_published
from kizuna.wiring import KEYS, open_node
from simulators.coalition import Pair, founded, introduce
from simulators.nodes import HUR, IQPS, TIFF, agreement
from simulators.products import a_product

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kizuna.model.digests import Digest
    from kizuna.model.product import Product
    from kizuna.node.state import Node

__all__ = ["SHARE", "Reader", "SlowLink", "laden", "sharing_pair", "stored"]

SHARE = "SHARE"
"""Id of the agreement under which one gives to the other."""
_BEGIN = parse_instant("2025-07-01T09:00:00Z")
_PIECE_BYTES = 2**20


def sharing_pair(root: Path) -> Pair:
    """Japan's iQPS, which gives, and Ukraine's HUR, which takes."""
    pair = Pair(founded(root / "jpn", IQPS, agreements=False), founded(root / "ukr", HUR, agreements=False))
    with open_node(pair.jpn) as node:
        record_agreement(node, agreement(), NO_CIVIL_DATES, [SHARE])
    introduce(pair.jpn, pair.ukr)
    return pair


class _Noise:
    """Binary file of so many pseudo-random bytes."""

    def __init__(self, size: int, seed: int) -> None:
        self._left, self._random = size, random.Random(seed)

    def read(self, size: int = -1) -> bytes:
        piece = min(self._left, _PIECE_BYTES if size < 0 else size)
        self._left -= piece
        return self._random.randbytes(piece)


def stored(node: Node, size: int, number: int = 1) -> Product:
    """Product with one file of `size` bytes, which is in the node's blob store; it is not published."""
    digest, _ = node.blobs.put(_Noise(size, number))  # type: ignore[arg-type] # it needs nothing but read
    asset = Asset(AssetRole.DETECTED, f"{number}.tif", TIFF, digest, size)
    return dataclasses.replace(
        a_product(number, event=_BEGIN, produced=_BEGIN),
        media_type=TIFF,
        content=digest,
        originator=IQPS,
        label=Label("JPN", "UNCLASSIFIED", IQPS, _BEGIN),
        assets=(asset,),
    )


def laden(folder: Path, size: int, number: int = 1) -> Digest:
    """Publish a file of `size` bytes."""
    with open_node(folder) as node:
        product = stored(node, size, number)
        record_published(node, [product])
    return product.content


class SlowLink:
    """A link to a node that carries so many bytes a second of what the node sends, and holds few itself.

    Parameters
    ----------
    port
        Port of the node on loopback.
    bytes_s
        Rate at which it carries what the node sends (token bucket of a fiftieth of a second).
    """

    _HELD_BYTES = 4096

    def __init__(self, port: int, bytes_s: float) -> None:
        self._port, self._bytes_s = port, bytes_s
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)
        self._listening.close()

    def _accept(self) -> None:
        while not self._stop.is_set():
            if select.select([self._listening], [], [], 0.02)[0]:
                near, _address = self._listening.accept()
                far = socket.socket()
                # What waits in the link is little: the queue in front of it is the sender's own.
                far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._HELD_BYTES)
                far.connect(("127.0.0.1", self._port))
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                thread = threading.Thread(target=self._carry, args=(near, far), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        most = max(256, int(self._bytes_s / 50))
        allowed, then = float(most), time.monotonic()
        with near, far, contextlib.suppress(OSError):
            while not self._stop.is_set():
                now = time.monotonic()
                allowed, then = min(float(most), allowed + (now - then) * self._bytes_s), now
                wanted = [near, far] if allowed >= 1 else [near]
                for ready in select.select(wanted, [], [], 0.005)[0]:
                    data = ready.recv(max(1, int(allowed)) if ready is far else 65536)
                    if not data:
                        return
                    (near if ready is far else far).sendall(data)
                    allowed -= len(data) if ready is far else 0


class Reader:
    """A partner's node that reads one file and notes what came when, until the connection ends.

    Parameters
    ----------
    folder
        Folder of the partner's node.
    giver
        Folder of the node that gives.
    port
        Where that node answers, or a link to it.
    digest
        The file.
    """

    def __init__(self, folder: Path, giver: Path, port: int, digest: Digest) -> None:
        self._context = client_context(FileKeys.load(folder / KEYS), FileKeys.load(giver / KEYS).certificate_der)
        self._port, self._digest = port, digest
        self.came = 0
        self.last_at = 0.0
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Self]:
        """Read while the block runs, and until the connection ends."""
        self._thread.start()
        yield self
        self._thread.join(60)

    def _read(self) -> None:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._port), timeout=10) as plain,
            self._context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(f"GET /exchange/v1/blobs/{self._digest} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
            # Beneath TLS: what never becomes a whole record came all the same, and what cannot be deciphered counts.
            with socket.socket(fileno=os.dup(secure.fileno())) as beneath:
                beneath.settimeout(10)
                while data := beneath.recv(_PIECE_BYTES):
                    self.came += len(data)
                    self.last_at = time.monotonic()
        self.ended.set()
