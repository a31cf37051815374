"""Handshakes that the partners' listener refuses, over real TLS: the node says why, stays up, and presents new keys at once."""

from __future__ import annotations

import datetime as dt
import queue
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from simulators.desk import SimulatedDesk
from simulators.products import JPN, UKR
from simulators.serving import Served, served

from kizuna.adapters.clock import SystemClock
from kizuna.adapters.http_transport import HttpTransport
from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import client_context, renew
from kizuna.node.health import RefusedConnection
from kizuna.web.exchange import partner_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

type Keys = dict[str, FileKeys]
DAY = dt.timedelta(days=1)
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@pytest.fixture
def desk(node_keys: Keys) -> SimulatedDesk:
    """Desk of Japan that knows Ukraine."""
    found = SimulatedDesk()
    found.know(node_keys["ukr"].certificate_der, UKR)
    return found


@pytest.fixture
def causes() -> queue.Queue[RefusedConnection]:
    """What the node says of refused connections."""
    return queue.Queue()


@pytest.fixture
def node(desk: SimulatedDesk, node_keys: Keys, causes: queue.Queue[RefusedConnection]) -> Iterator[Served]:
    """Japan's node, which has pinned Ukraine."""
    with served(partner_app(desk), node_keys["jpn"], [node_keys["ukr"].certificate_der], on_refused=causes.put) as found:
        yield found


def certificate(
    folder: Path,
    like: bytes,
    *,
    begins: dt.timedelta = -DAY,
    ends: dt.timedelta = DAY,
    signs: bool = True,
    purposes: tuple[x509.ObjectIdentifier, ...] = BOTH,
) -> tuple[bytes, Path]:
    """Self-signed certificate with the names of another, and a file of it with its key."""
    names = x509.load_der_x509_certificate(like)
    key, now = ec.generate_private_key(ec.SECP256R1()), SystemClock().now()
    bits = ["content_commitment", "key_agreement", "data_encipherment", "key_cert_sign", "crl_sign", "encipher_only"]
    usage = dict.fromkeys([*bits, "decipher_only"], False) | {"digital_signature": signs, "key_encipherment": not signs}
    builder = (
        x509.CertificateBuilder()
        .subject_name(names.subject)
        .issuer_name(names.issuer)
        .public_key(key.public_key())
        .serial_number(names.serial_number)
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(names.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    made = builder.sign(key, hashes.SHA256())
    file = folder / "made.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem + made.public_bytes(Encoding.PEM))
    return made.public_bytes(Encoding.DER), file


def knock(node: Served, context: ssl.SSLContext) -> bytes:
    """What the node answers to somebody who shows this; nothing where it ends the connection."""
    try:
        with (
            socket.create_connection(("127.0.0.1", node.partners_port), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            secure.sendall(b"GET /exchange/v1/feed HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            return secure.recv(4096)
    except (ssl.SSLError, ConnectionError):
        return b""


def anybody(file: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if file is not None:
        context.load_cert_chain(file)
    return context


@pytest.mark.parametrize(
    ("changed", "pinned", "cause"),
    [
        ({"ends": -DAY / 2}, True, RefusedConnection.EXPIRED),
        ({"begins": DAY / 2}, True, RefusedConnection.NOT_YET_VALID),
        ({"purposes": BOTH[:1]}, True, RefusedConnection.WRONG_PURPOSE),
        ({"signs": False, "purposes": BOTH[:1]}, True, RefusedConnection.WRONG_PURPOSE),
        ({"signs": False}, True, RefusedConnection.WRONG_PURPOSE),
        ({}, False, RefusedConnection.UNKNOWN_CERTIFICATE),
        ({}, True, None),
    ],
)
def test_certificates_are_refused_for_what_they_are(
    node: Served,
    desk: SimulatedDesk,
    node_keys: Keys,
    causes: queue.Queue[RefusedConnection],
    tmp_path: Path,
    changed: dict[str, dt.timedelta],
    pinned: bool,
    cause: RefusedConnection | None,
) -> None:
    """All of them with the names of a partner; even those that are pinned, as none could be."""
    ukr = node_keys["ukr"].certificate_der
    shown, file = certificate(tmp_path, ukr, **changed)  # type: ignore[arg-type]
    # Even if the desk knew it: the handshake is the first door.
    desk.know(shown, UKR)
    if pinned:
        renew(node.context, node_keys["jpn"], [ukr, shown])
    answer = knock(node, anybody(file))
    if cause is None:
        assert answer.startswith(b"HTTP/1.1 200")
        return
    assert answer == b""
    assert causes.get(timeout=10) is cause
    assert desk.asked == []
    # The node is up, for whom it knows.
    assert knock(node, client_context(node_keys["ukr"], node_keys["jpn"].certificate_der)).startswith(b"HTTP/1.1 200")
    assert causes.empty()


def test_no_certificate_old_tls_and_no_tls_are_told_apart(
    node: Served, node_keys: Keys, causes: queue.Queue[RefusedConnection]
) -> None:
    assert knock(node, anybody()) == b""
    assert causes.get(timeout=10) is RefusedConnection.NO_CERTIFICATE
    old = client_context(node_keys["ukr"], node_keys["jpn"].certificate_der)
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert knock(node, old) == b""
    assert causes.get(timeout=10) is RefusedConnection.OLD_TLS
    for said in (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", b"\x16\x09\x09\x00\x05hello", b"SSH-2.0-x\r\n"):
        with socket.create_connection(("127.0.0.1", node.partners_port), timeout=10) as plain:
            plain.sendall(said)
            assert causes.get(timeout=10) in {RefusedConnection.NOT_TLS, RefusedConnection.FAILED}


def test_new_keys_are_presented_without_refusing_anybody_meanwhile(
    node: Served, desk: SimulatedDesk, node_keys: Keys, causes: queue.Queue[RefusedConnection], tmp_path: Path
) -> None:
    jpn, ukr = node_keys["jpn"], node_keys["ukr"]
    fresh = FileKeys.make(tmp_path / "fresh", JPN, SystemClock().now())
    later = FileKeys.make(tmp_path / "later", UKR, SystemClock().now())
    desk.know(later.certificate_der, UKR)
    stop, failures = threading.Event(), list[BaseException]()

    def go_on() -> None:
        # Whoever knows both certificates never notices.
        while not stop.is_set() and not failures:
            try:
                with HttpTransport(node.url, ukr, jpn.certificate_der, fresh.certificate_der) as http:
                    http.feed(0, 1)
            except Exception as error:  # noqa: BLE001 (looked at below)
                failures.append(error)

    with HttpTransport(node.url, ukr, jpn.certificate_der) as standing:
        standing.feed(0, 1)
        thread = threading.Thread(target=go_on)
        thread.start()
        for number in range(20):
            renew(node.context, fresh if number % 2 else jpn, [ukr.certificate_der, later.certificate_der])
        renew(node.context, fresh, [later.certificate_der, ukr.certificate_der])
        stop.set()
        thread.join(20)
        # A connection that stands is left alone.
        standing.feed(0, 1)
    assert failures == []
    assert causes.empty()
    with HttpTransport(node.url, later, fresh.certificate_der) as http:
        assert http.feed(0, 1) == desk.answer.body
    # Who is left out is refused from then on.
    renew(node.context, fresh, [later.certificate_der])
    assert knock(node, client_context(ukr, fresh.certificate_der)) == b""
    assert causes.get(timeout=10) is RefusedConnection.UNKNOWN_CERTIFICATE


def test_whoever_is_let_in_as_a_handshake_begins_is_not_refused_by_it(node_keys: Keys, desk: SimulatedDesk) -> None:
    """A partner may use a certificate in the very moment in which it was told that it is known."""
    running: list[Served] = []

    def look() -> None:
        renew(running[0].context, node_keys["jpn"], [node_keys["ukr"].certificate_der])

    with served(partner_app(desk), node_keys["jpn"], [], before_handshake=look) as node:
        running.append(node)
        assert knock(node, client_context(node_keys["ukr"], node_keys["jpn"].certificate_der)).startswith(b"HTTP/1.1 200")
