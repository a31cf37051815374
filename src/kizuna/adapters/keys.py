"""The node's keys in a folder: Ed25519 to sign, ECDSA P-256 with a certificate for TLS, X25519 to open removable media."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import ssl
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from kizuna.adapters.certificates import node_certificate
from kizuna.errors import Message, StoreError
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.medium import open_sealed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party

__all__ = ["FileKeys"]

_SIGNING = "signing.pem"
_TLS_KEY = "tls.key.pem"
_TLS_CERTIFICATE = "tls.cert.pem"
_SEALING = "sealing.pem"
# Names the folder inside of the keys in use, once they were rotated; which they are is said by the log.
_CURRENT = "current"
_GROUP_AND_OTHERS = 0o077
_FORMER_SEALING = re.compile(r"sealing-[0-9a-f]{64}\.pem\Z", re.ASCII)
_ID = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


def _unusable(path: Path, why: str) -> StoreError:
    return StoreError(
        Message("the key file {path} cannot be used: {why}", {"path": str(path), "why": why}),
        hint=Message("restore the folder keys/ of this node from its backup, readable by its owner only (chmod 600)"),
    )


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_private(path: Path) -> bytes:
    try:
        if path.stat().st_mode & _GROUP_AND_OTHERS:
            raise _unusable(path, "others than its owner may read or write it")
        return path.read_bytes()
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error


class FileKeys:
    """Keys port over a folder; made by `make` once, then by `load`."""

    __slots__ = ("_certificate_der", "_place", "_public_key", "_sealing", "_signing", "folder")

    def __init__(
        self, folder: Path, signing: Ed25519PrivateKey, certificate_der: bytes, sealing: Sequence[X25519PrivateKey] = ()
    ) -> None:
        self.folder = self._place = folder
        self._signing = signing
        self._public_key = signing.public_key().public_bytes_raw()
        self._certificate_der = certificate_der
        self._sealing = sealing

    @classmethod
    def make(cls, folder: Path, party: Party, at: Instant) -> FileKeys:
        """Make the keys of a new node.

        Parameters
        ----------
        folder
            Folder to make; it holds either all files or does not exist.
        party
            Whose node it is.
        at
            Instant from which the certificate is valid.

        Raises
        ------
        StoreError
            If there are keys already, or the folder cannot be written.
        """
        if folder.exists():
            raise StoreError(
                Message("{path} is there already", {"path": str(folder)}),
                hint=Message("a node keeps its keys; make a new node in another folder"),
            )
        pem, form, plain = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        tls = ec.generate_private_key(ec.SECP256R1())
        certificate = ssl.DER_cert_to_PEM_cert(node_certificate(party, tls, at))
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            # mkdtemp makes the folder for its owner only (0700).
            fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
            try:
                _write_private(fresh / _SIGNING, Ed25519PrivateKey.generate().private_bytes(pem, form, plain))
                _write_private(fresh / _TLS_KEY, tls.private_bytes(pem, form, plain))
                _write_private(fresh / _TLS_CERTIFICATE, certificate.encode())
                _write_private(fresh / _SEALING, X25519PrivateKey.generate().private_bytes(pem, form, plain))
                fresh.rename(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)
        except OSError as error:
            raise StoreError(
                Message(
                    "the keys cannot be written to {path}: {why}", {"path": str(folder), "why": error.strerror or str(error)}
                ),
                hint=Message("check that the disk has room and that the folder may be written"),
            ) from error
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> FileKeys:
        """Load the keys of a node.

        Raises
        ------
        StoreError
            If a file is missing, damaged, or open to others.
        """
        current = folder / _CURRENT
        name = _read_private(current).decode("ascii", errors="replace").strip() if current.exists() else ""
        if name and not _ID.match(name):
            raise _unusable(current, "it names no keys")
        return cls._load(folder, folder / name)

    @classmethod
    def _load(cls, folder: Path, place: Path) -> FileKeys:
        """Keys in `place`, which is `folder` or lies inside."""
        signing_path, certificate_path = place / _SIGNING, place / _TLS_CERTIFICATE
        try:
            signing = load_pem_private_key(_read_private(signing_path), None)
        except (ValueError, TypeError) as error:
            raise _unusable(signing_path, "it holds no private key") from error
        if not isinstance(signing, Ed25519PrivateKey):
            raise _unusable(signing_path, "it holds no Ed25519 key")
        _read_private(place / _TLS_KEY)
        try:
            certificate = ssl.PEM_cert_to_DER_cert(_read_private(certificate_path).decode("ascii"))
        except ValueError as error:
            raise _unusable(certificate_path, "it holds no certificate") from error
        found = cls(folder, signing, certificate, cls._load_all_sealing(folder))
        found._place = place
        return found

    @classmethod
    def stored(cls, folder: Path, key_id: str) -> FileKeys:
        """Keys that `make_next` made, by the id of their signing key.

        Raises
        ------
        StoreError
            If they are not there.
        """
        found = cls._load(folder, folder / key_id)
        if found.key_id != key_id:
            raise _unusable(folder / key_id, "it holds another key than its name says")
        return found

    def make_next(self, party: Party, at: Instant) -> FileKeys:
        """Make the keys that are to take the place of these, beside them; they are not in use yet.

        Raises
        ------
        StoreError
            If they cannot be written.
        """
        pem, form, plain = Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        signing, tls = Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
        place = self.folder / key_id_of(signing.public_key().public_bytes_raw())
        try:
            fresh = Path(tempfile.mkdtemp(prefix=".next-", dir=self.folder))
            _write_private(fresh / _SIGNING, signing.private_bytes(pem, form, plain))
            _write_private(fresh / _TLS_KEY, tls.private_bytes(pem, form, plain))
            _write_private(fresh / _TLS_CERTIFICATE, ssl.DER_cert_to_PEM_cert(node_certificate(party, tls, at)).encode())
            fresh.rename(place)
            _sync_folder(self.folder)
        except OSError as error:
            raise _unusable(place, error.strerror or str(error)) from error
        return self._load(self.folder, place)

    def use(self, key_id: str) -> None:
        """Go over to the keys whose signing key has this id.

        Raises
        ------
        StoreError
            If they are not there.
        """
        if key_id == self.key_id:
            return
        found = self.stored(self.folder, key_id)
        fresh = self.folder / f".{_CURRENT}-{secrets.token_hex(8)}"
        try:
            _write_private(fresh, key_id.encode())
            fresh.rename(self.folder / _CURRENT)
            _sync_folder(self.folder)
        except OSError as error:
            raise _unusable(self.folder / _CURRENT, error.strerror or str(error)) from error
        # INVARIANT: whoever finds these keys in use here finds them in use on the disk too; another thread may be as far.
        self._place, self._certificate_der = found._place, found._certificate_der  # noqa: SLF001
        self._signing, self._public_key = found._signing, found._public_key  # noqa: SLF001

    @classmethod
    def forget(cls, folder: Path, key_ids: Collection[str]) -> None:
        """Remove the private keys of these signing keys, and of no others: what they signed is verified by their public ones.

        Raises
        ------
        StoreError
            If one cannot be removed.
        """
        places = [path for path in folder.iterdir() if path.name in key_ids and _ID.match(path.name)]
        # A node's first keys lie in the folder itself.
        if (folder / _SIGNING).exists() and cls._load(folder, folder).key_id in key_ids:
            places.append(folder)
        try:
            for path in (place / name for place in places for name in (_SIGNING, _TLS_KEY)):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise _unusable(folder, error.strerror or str(error)) from error

    @classmethod
    def _load_all_sealing(cls, folder: Path) -> list[X25519PrivateKey]:
        """Keys for removable media, the present one first, then those that open what was made before."""
        present = cls._load_sealing(folder / _SEALING)
        if present is None:
            return []
        former = sorted(path for path in folder.iterdir() if _FORMER_SEALING.match(path.name))
        return [present, *(key for key in map(cls._load_sealing, former) if key is not None)]

    @staticmethod
    def _load_sealing(path: Path) -> X25519PrivateKey | None:
        # A node that was made before there were removable media has none.
        if not path.exists():
            return None
        try:
            sealing = load_pem_private_key(_read_private(path), None)
        except (ValueError, TypeError) as error:
            raise _unusable(path, "it holds no private key") from error
        if not isinstance(sealing, X25519PrivateKey):
            raise _unusable(path, "it holds no X25519 key")
        return sealing

    @classmethod
    def add_sealing_key(cls, folder: Path) -> FileKeys:
        """Make the key for removable media of a node that has none; one that is there stays.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        path = folder / _SEALING
        if not path.exists():
            cls._write_sealing(path, X25519PrivateKey.generate())
        return cls.load(folder)

    @staticmethod
    def _write_sealing(path: Path, key: X25519PrivateKey) -> None:
        # Written beside and renamed: half a key would stand in the way for good.
        fresh = path.with_name(f".{_SEALING}-{secrets.token_hex(8)}")
        try:
            _write_private(fresh, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            fresh.rename(path)
            _sync_folder(path.parent)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise _unusable(path, error.strerror or str(error)) from error

    @classmethod
    def rotate_sealing_key(cls, folder: Path) -> bytes:
        """Put a new key for removable media in the place of the present one, which stays beside it.

        Returns
        -------
        former
            Raw X25519 public key of the one whose place it took.

        Raises
        ------
        StoreError
            If there is none yet, or the new one cannot be written.
        """
        present = cls._load_sealing(folder / _SEALING)
        if present is None:
            raise _unusable(folder / _SEALING, "it is not there")
        former = present.public_key().public_bytes_raw()
        # First the copy: at no moment is there no key to open what is under way.
        cls._write_sealing(folder / f"sealing-{key_id_of(former)}.pem", present)
        cls._write_sealing(folder / _SEALING, X25519PrivateKey.generate())
        return former

    @classmethod
    def forget_sealing_keys(cls, folder: Path, ids: Iterable[str]) -> int:
        """Remove former keys for removable media: what was made for them opens no more. Gives how many were there.

        Raises
        ------
        StoreError
            If one cannot be removed.
        """
        paths = [path for path in (folder / f"sealing-{id_}.pem" for id_ in ids) if path.exists()]
        try:
            for path in paths:
                path.unlink()
            _sync_folder(folder)
        except OSError as error:
            raise _unusable(folder, error.strerror or str(error)) from error
        return len(paths)

    @property
    def key_id(self) -> str:
        """Id of the signing key: SHA-256 of its raw public key, in hexadecimal."""
        return key_id_of(self._public_key)

    @property
    def public_key(self) -> bytes:
        """Raw Ed25519 public key, 32 bytes."""
        return self._public_key

    @property
    def certificate_der(self) -> bytes:
        """TLS certificate of the node, DER."""
        return self._certificate_der

    def sign(self, message: bytes) -> bytes:
        """Ed25519 signature of `message`, 64 bytes."""
        return self._signing.sign(message)

    def random(self, count: int) -> bytes:
        """Unpredictable bytes."""
        return secrets.token_bytes(count)

    @property
    def sealing_key(self) -> bytes | None:
        """Raw X25519 public key to which removable media for this node are sealed; None if it has none."""
        return self._sealing[0].public_key().public_bytes_raw() if self._sealing else None

    @property
    def sealing_ids(self) -> tuple[str, ...]:
        """Ids of the keys for removable media that are held, the present one first."""
        return tuple(key_id_of(key.public_key().public_bytes_raw()) for key in self._sealing)

    def open_sealed(self, sealed: bytes, info: bytes) -> bytes:
        """What somebody sealed to one of these keys; see `kizuna.node.ports.Keys`."""
        return open_sealed(sealed, self._sealing, info)

    def present(self, context: ssl.SSLContext) -> None:
        """Let a TLS context present this node's certificate.

        Raises
        ------
        StoreError
            If key and certificate do not belong together.
        """
        try:
            context.load_cert_chain(self._place / _TLS_CERTIFICATE, self._place / _TLS_KEY)
        except (OSError, ssl.SSLError) as error:
            raise _unusable(self.folder / _TLS_KEY, str(error)) from error
