"""Key files: made whole or not at all, for their owner only; the certificate says what partners and OpenSSL expect."""

from __future__ import annotations

import shutil
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from simulators.products import NOON, UKR

from kizuna.adapters.keys import FileKeys
from kizuna.errors import InputError, Message, StoreError
from kizuna.exchange.envelope import key_id_of
from kizuna.exchange.medium import make_header, sealed_key_of
from kizuna.model.parties import Party, parse_party

if TYPE_CHECKING:
    from pathlib import Path

ORG = parse_party("JPN/IQPS")


@pytest.fixture
def keys(tmp_path: Path) -> FileKeys:
    """Keys of an organisation."""
    return FileKeys.make(tmp_path / "node" / "keys", ORG, NOON)


def test_what_was_made_is_loaded(keys: FileKeys) -> None:
    again = FileKeys.load(keys.folder)
    assert (again.key_id, again.public_key, again.certificate_der) == (keys.key_id, keys.public_key, keys.certificate_der)


def test_files_are_their_owners_only(keys: FileKeys) -> None:
    assert keys.folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in keys.folder.iterdir()} == dict.fromkeys(
        ("signing.pem", "tls.key.pem", "tls.cert.pem", "sealing.pem"), 0o600
    )
    assert [path.name for path in keys.folder.parent.iterdir()] == ["keys"]


@pytest.mark.parametrize("name", ["signing.pem", "tls.key.pem", "tls.cert.pem"])
def test_refuses_files_that_are_open_to_others_missing_or_damaged(keys: FileKeys, name: str) -> None:
    path = keys.folder / name
    path.chmod(0o640)
    with pytest.raises(StoreError, match="others than its owner"):
        FileKeys.load(keys.folder)
    path.chmod(0o600)
    path.write_text("no key at all")
    with pytest.raises(StoreError, match="cannot be used"):
        FileKeys.load(keys.folder).present(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    path.unlink()
    with pytest.raises(StoreError, match=r"cannot be used.*No such file") as caught:
        FileKeys.load(keys.folder)
    assert caught.value.hint is not None


def test_key_of_another_kind_is_refused(keys: FileKeys) -> None:
    shutil.copy(keys.folder / "tls.key.pem", keys.folder / "signing.pem")
    with pytest.raises(StoreError, match="no Ed25519 key"):
        FileKeys.load(keys.folder)


def test_key_and_certificate_must_belong_together(keys: FileKeys, tmp_path: Path) -> None:
    other = FileKeys.make(tmp_path / "other", ORG, NOON)
    shutil.copy(other.folder / "tls.key.pem", keys.folder / "tls.key.pem")
    with pytest.raises(StoreError, match="cannot be used"):
        keys.present(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def test_keys_are_never_overwritten(keys: FileKeys) -> None:
    with pytest.raises(StoreError, match="there already"):
        FileKeys.make(keys.folder, UKR, NOON)
    assert FileKeys.load(keys.folder).key_id == keys.key_id


def test_failure_leaves_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        FileKeys.make(tmp_path / "keys", ORG, NOON)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("party", "uri"), [(ORG, "spiffe://jpn/iqps"), (UKR, "spiffe://ukr")])
def test_certificate(tmp_path: Path, party: Party, uri: str) -> None:
    made = FileKeys.make(tmp_path / "keys", party, NOON)
    certificate = x509.load_der_x509_certificate(made.certificate_der)
    certificate.verify_directly_issued_by(certificate)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    assert certificate.subject.rfc4514_string() == f"CN=kizuna {party}"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=397)
    assert certificate.not_valid_before_utc <= NOON < certificate.not_valid_after_utc


def test_a_node_from_before_there_were_media_gets_its_key_once(keys: FileKeys) -> None:
    (keys.folder / "sealing.pem").unlink()
    old = FileKeys.load(keys.folder)
    assert old.sealing_key is None
    made = FileKeys.add_sealing_key(keys.folder)
    assert made.sealing_key is not None
    assert FileKeys.add_sealing_key(keys.folder).sealing_key == made.sealing_key
    assert made.key_id == keys.key_id
    assert sorted(path.name for path in keys.folder.iterdir()) == ["sealing.pem", "signing.pem", "tls.cert.pem", "tls.key.pem"]
    assert (keys.folder / "sealing.pem").stat().st_mode & 0o777 == 0o600


def test_a_key_for_media_that_is_none_is_named(keys: FileKeys) -> None:
    path = keys.folder / "sealing.pem"
    path.write_bytes((keys.folder / "signing.pem").read_bytes())
    with pytest.raises(StoreError, match=r"sealing\.pem"):
        FileKeys.load(keys.folder)
    path.write_bytes(b"nothing")
    with pytest.raises(StoreError, match=r"sealing\.pem"):
        FileKeys.load(keys.folder)


def test_a_former_key_for_media_opens_what_was_made_for_it_until_it_is_removed(keys: FileKeys) -> None:
    folder = keys.folder
    header = make_header(bytes(32), keys.sealing_key or b"")
    former = FileKeys.rotate_sealing_key(folder)
    assert former == keys.sealing_key
    after = FileKeys.load(folder)
    assert after.sealing_ids == (key_id_of(after.sealing_key or b""), key_id_of(former))
    assert after.sealing_key != former
    assert after.open_sealed(*sealed_key_of(header)) == bytes(32)
    FileKeys.rotate_sealing_key(folder)
    assert len(FileKeys.load(folder).sealing_ids) == 3
    assert [path for path in folder.iterdir() if path.stat().st_mode & 0o077] == []
    assert FileKeys.forget_sealing_keys(folder, [key_id_of(former), "0" * 64]) == 1
    with pytest.raises(InputError):
        FileKeys.load(folder).open_sealed(*sealed_key_of(header))


def test_a_change_of_the_key_for_media_that_was_cut_off_loses_no_key(keys: FileKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    header, write, written = make_header(bytes(32), keys.sealing_key or b""), FileKeys._write_sealing, []

    def once(path: Path, key: object) -> None:
        if written:
            raise StoreError(Message("cut off"))
        written.append(path)
        write(path, key)  # type: ignore[arg-type]

    monkeypatch.setattr(FileKeys, "_write_sealing", once)
    with pytest.raises(StoreError):
        FileKeys.rotate_sealing_key(keys.folder)
    monkeypatch.undo()
    assert FileKeys.load(keys.folder).sealing_key == keys.sealing_key
    FileKeys.rotate_sealing_key(keys.folder)
    assert FileKeys.load(keys.folder).open_sealed(*sealed_key_of(header)) == bytes(32)


def test_only_the_keys_that_are_named_are_forgotten(tmp_path: Path) -> None:
    first = FileKeys.make(tmp_path / "keys", ORG, NOON)
    former = first.key_id
    second = first.make_next(ORG, NOON)
    first.use(second.key_id)
    third = first.make_next(ORG, NOON)
    FileKeys.forget(first.folder, {former})
    assert FileKeys.load(first.folder).key_id == second.key_id
    assert FileKeys.stored(first.folder, third.key_id).key_id == third.key_id
    with pytest.raises(StoreError):
        FileKeys._load(first.folder, first.folder)
    FileKeys.load(first.folder).use(third.key_id)
    FileKeys.forget(first.folder, {former, second.key_id})
    assert FileKeys.load(first.folder).key_id == third.key_id
    with pytest.raises(StoreError):
        FileKeys.stored(first.folder, second.key_id)


def test_keys_are_in_use_in_memory_only_once_they_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else another thread takes them for the present ones, and looks for the present ones on the disk."""
    keys = FileKeys.make(tmp_path / "keys", ORG, NOON)
    former, fresh = keys.key_id, keys.make_next(ORG, NOON)
    seen: list[str] = []
    monkeypatch.setattr("kizuna.adapters.keys._sync_folder", lambda _folder: seen.append(keys.key_id))
    keys.use(fresh.key_id)
    assert (seen, keys.key_id) == ([former], fresh.key_id)
