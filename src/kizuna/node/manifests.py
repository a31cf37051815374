"""Manifests of stored files, hashed where nobody waits for it.

Reading a GiB and hashing it takes about a second. Within a transaction every officer's command would wait that long, a
suspension too: there only small files are hashed, and what is larger must have been hashed before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kizuna.exchange.manifest import make_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kizuna.exchange.manifest import Manifest
    from kizuna.model.digests import Digest
    from kizuna.model.product import Asset
    from kizuna.node.ports import BlobStore

__all__ = ["AT_ONCE_BYTES", "Manifests"]

AT_ONCE_BYTES = 2**20
"""Longest file that is hashed whenever its manifest is asked for: about a millisecond."""
_MOST_KEPT = 64


class Manifests:
    """Manifests of the files of one blob store. Safe to use from several threads.

    Parameters
    ----------
    blobs
        Where the files are.
    """

    __slots__ = ("_blobs", "_kept")

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._kept: dict[Digest, Manifest] = {}

    def find(self, assets: Sequence[Asset]) -> tuple[Manifest, ...] | None:
        """Manifests of all different files of a product, in order; None if one has to be hashed first, by `prepare`."""
        found = []
        for digest, size in {asset.digest: asset.size for asset in assets}.items():
            manifest = self._kept.get(digest)
            if manifest is None:
                if size > AT_ONCE_BYTES:
                    return None
                manifest = self._hash(digest)
            found.append(manifest)
        return tuple(found)

    def prepare(self, assets: Sequence[Asset]) -> None:
        """Hash the large files of a product, outside any transaction."""
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        for digest, size in {asset.digest: asset.size for asset in assets}.items():
            if size > AT_ONCE_BYTES and digest not in self._kept:
                self._kept[digest] = self._hash(digest)

    def _hash(self, digest: Digest) -> Manifest:
        with self._blobs.open(digest) as source:
            return make_manifest(source)
