"""The partners' listener, over real TLS: who gets in, what they can learn, and how a suspension bites."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import http.client
import io
import socket
import ssl
import subprocess
import threading
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from simulators.desk import SimulatedDesk
from simulators.products import JPN, UKR
from simulators.serving import Served, served

from kizuna.adapters.blobs import FileBlobs
from kizuna.adapters.clock import SystemClock
from kizuna.adapters.http_line import HttpLine
from kizuna.adapters.http_transport import HttpTransport
from kizuna.adapters.keys import FileKeys
from kizuna.adapters.tls import MOST_HEAD_BYTES, client_context, fingerprint_of, trust
from kizuna.adapters.tls_line import TlsLine
from kizuna.errors import InputError, NotReleasable, PartnerMisbehaved, PartnerUnreachable
from kizuna.exchange.feed import MOST_PAGE_BYTES, MOST_RECEIPT_BYTES, FeedPage, page_to_bytes
from kizuna.exchange.manifest import CHUNK_BYTES, fetch_verified, make_manifest
from kizuna.model.digests import digest_of
from kizuna.model.instants import Instant
from kizuna.web.exchange import PIECE_BYTES, BlobPart, FeedAnswer, partner_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping
    from pathlib import Path

    from kizuna.model.digests import Digest
    from kizuna.model.parties import Party


type Keys = dict[str, FileKeys]
type Answer = tuple[int, dict[str, str], bytes]

DATA = bytes(range(256)) * 4096 * 5


@pytest.fixture
def desk(node_keys: Keys) -> SimulatedDesk:
    """Desk of Japan that knows Ukraine."""
    found = SimulatedDesk()
    found.know(node_keys["ukr"].certificate_der, UKR)
    return found


@pytest.fixture
def node(desk: SimulatedDesk, node_keys: Keys) -> Iterator[Served]:
    """Japan's node; it has pinned Ukraine, and a stranger whom its desk no longer knows."""
    with served(partner_app(desk), node_keys["jpn"], [node_keys[name].certificate_der for name in ("ukr", "stranger")]) as found:
        yield found


def _ask(
    node: Served,
    keys: Keys,
    path: str,
    *,
    who: str = "ukr",
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    connection = http.client.HTTPSConnection(
        "127.0.0.1", node.partners_port, context=client_context(keys[who], keys["jpn"].certificate_der), timeout=10
    )
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


BLOB = "/exchange/v1/blobs/" + digest_of(DATA)


# ---- who gets in


def _reason(server: ssl.SSLContext, client: ssl.SSLContext) -> str:
    """Why the server refuses a handshake, in OpenSSL's words."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    for _ in range(5):
        with contextlib.suppress(ssl.SSLWantReadError):
            theirs.do_handshake()
        try:
            ours.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return str(error)
        return "none"
    return "never ended"


def _is_refused(node: Served, context: ssl.SSLContext) -> bool:
    """Whether the node's listener ends the connection without a single byte of an answer."""
    with socket.create_connection(("127.0.0.1", node.partners_port), timeout=10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(b"GET /exchange/v1/feed HTTP/1.1\r\nhost: a\r\n\r\n")
                return secure.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


def test_certificate_that_is_not_pinned_is_refused_in_the_handshake(
    node: Served, desk: SimulatedDesk, node_keys: Keys, tmp_path: Path
) -> None:
    unknown = FileKeys.make(tmp_path / "unknown", UKR, SystemClock().now())
    # Even if the desk knew it: the handshake is the first door.
    desk.know(unknown.certificate_der, UKR)
    context = client_context(unknown, node_keys["jpn"].certificate_der)
    assert "self-signed certificate" in _reason(node.context, context)
    assert _is_refused(node, context)
    with HttpTransport(node.url, unknown, node_keys["jpn"].certificate_der) as http, pytest.raises(PartnerUnreachable):
        http.feed(0, 1)
    assert desk.asked == []


def test_no_certificate_and_no_tls_are_refused(node: Served, desk: SimulatedDesk) -> None:
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    assert "peer did not return a certificate" in _reason(node.context, bare)
    assert _is_refused(node, bare)
    with socket.create_connection(("127.0.0.1", node.partners_port), timeout=10) as plain:
        plain.sendall(b"GET /exchange/v1/feed HTTP/1.1\r\nhost: a\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP" not in plain.recv(1000)
    assert desk.asked == []


def test_tls_1_2_is_refused(node: Served, node_keys: Keys) -> None:
    context = client_context(node_keys["ukr"], node_keys["jpn"].certificate_der)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert "unsupported protocol" in _reason(node.context, context)
    assert _is_refused(node, context)


def test_expired_certificate_is_refused(desk: SimulatedDesk, node_keys: Keys, tmp_path: Path) -> None:
    long_ago = Instant(SystemClock().now() - dt.timedelta(days=398))
    expired = FileKeys.make(tmp_path / "expired", UKR, long_ago)
    desk.know(expired.certificate_der, UKR)
    with served(partner_app(desk), node_keys["jpn"], [expired.certificate_der]) as node:
        context = client_context(expired, node_keys["jpn"].certificate_der)
        assert "certificate has expired" in _reason(node.context, context)
        assert _is_refused(node, context)


def test_pinned_key_cannot_vouch_for_another_certificate(
    node: Served, desk: SimulatedDesk, node_keys: Keys, tmp_path: Path
) -> None:
    """Ukraine signs a certificate for somebody else with its own TLS key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

    issuer = x509.load_der_x509_certificate(node_keys["ukr"].certificate_der)
    issuer_key = load_pem_private_key((node_keys["ukr"].folder / "tls.key.pem").read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kizuna POL")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(issuer.not_valid_before_utc)
        .not_valid_after(issuer.not_valid_after_utc)
        .sign(issuer_key, hashes.SHA256())
    )
    desk.know(certificate.public_bytes(Encoding.DER), UKR)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
        + issuer.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(chain)
    assert "certificate verify failed" in _reason(node.context, context)
    assert _is_refused(node, context)
    assert desk.asked == []


def test_pinned_certificate_is_not_refused(node: Served, node_keys: Keys) -> None:
    """The checks above can tell: this is what they look like for a partner."""
    context = client_context(node_keys["ukr"], node_keys["jpn"].certificate_der)
    assert _reason(node.context, context) == "none"
    assert not _is_refused(node, context)


def test_partner_who_is_pinned_while_the_node_runs_gets_in(
    node: Served, desk: SimulatedDesk, node_keys: Keys, tmp_path: Path
) -> None:
    later = FileKeys.make(tmp_path / "later", UKR, SystemClock().now())
    desk.know(later.certificate_der, UKR)
    with HttpTransport(node.url, later, node_keys["jpn"].certificate_der) as http:
        with pytest.raises(PartnerUnreachable):
            http.feed(0, 1)
        trust(node.context, later.certificate_der)
        assert http.feed(0, 1) == desk.answer.body


def test_what_is_no_certificate_cannot_be_pinned(node: Served) -> None:
    with pytest.raises(InputError, match="certificate"):
        trust(node.context, b"no certificate")


def test_client_accepts_only_the_pinned_server(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    with (
        HttpTransport(node.url, node_keys["ukr"], node_keys["stranger"].certificate_der) as http,
        pytest.raises(PartnerUnreachable),
    ):
        http.feed(0, 1)
    # Although the certificate is trusted, it is not the pinned one.
    context = client_context(node_keys["ukr"], node_keys["stranger"].certificate_der)
    trust(context, node_keys["jpn"].certificate_der)
    with (
        socket.create_connection(("127.0.0.1", node.partners_port), timeout=10) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="pinned"),
    ):
        context.wrap_socket(plain, server_hostname="localhost")
    assert desk.asked == []
    # Nor over the line of the transport.
    with pytest.raises(ssl.SSLCertVerificationError, match="pinned"):
        TlsLine.connect(("127.0.0.1", node.partners_port), context, 10)
    assert desk.asked == []


def test_handshake_does_not_tell_who_the_partners_are(node: Served) -> None:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{node.partners_port}", "-tls1_3"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)
    assert b"No client certificate CA names sent" in done.stdout
    assert b"kizuna UKR" not in done.stdout


# ---- what the application is told


def test_scope_has_the_tls_extension_and_people_have_none(node_keys: Keys) -> None:
    scopes = []

    async def noting(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["type"] == "http":
            scopes.append(scope)
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    ukr = node_keys["ukr"]
    with served(noting, node_keys["jpn"], [ukr.certificate_der], people=noting) as node:
        _ask(
            node, node_keys, "/a", headers={"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "http", "x-client-cert": "forged"}
        )
        people = http.client.HTTPConnection("127.0.0.1", node.people_port, timeout=10)
        people.request("GET", "/b", headers={"x-forwarded-for": "1.2.3.4", "x-forwarded-proto": "https"})
        assert people.getresponse().status == 204
        people.close()
    tls = scopes[0]["extensions"]["tls"]
    assert [ssl.PEM_cert_to_DER_cert(certificate) for certificate in tls["client_cert_chain"]] == [ukr.certificate_der]
    assert tls["client_cert_name"] == "CN=kizuna UKR"
    assert (tls["client_cert_error"], tls["tls_version"]) == (None, 0x0304)
    assert tls["cipher_suite"] in {0x1301, 0x1302, 0x1303}
    assert scopes[0]["client"][0] == "127.0.0.1"
    assert "tls" not in scopes[1]["extensions"]
    assert (scopes[1]["client"][0], scopes[1]["scheme"]) == ("127.0.0.1", "http")


FORGED = {
    "x-client-cert": "kizuna UKR",
    "x-ssl-client-verify": "SUCCESS",
    "x-forwarded-client-cert": "Hash={print}",
    "x-sp-id": "UKR",
    "ssl-client-fingerprint": "{print}",
}


def test_header_that_claims_to_be_a_partner_changes_nothing(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    desk.hold(DATA)
    forged = {name: value.format(print=fingerprint_of(node_keys["ukr"].certificate_der)) for name, value in FORGED.items()}
    for path in ("/exchange/v1/feed", BLOB):
        honest = _ask(node, node_keys, path, who="stranger")
        assert honest[0] == 404
        assert _ask(node, node_keys, path, who="stranger", headers=forged) == honest
    assert desk.asked == []


def test_over_the_listener_for_people_nobody_is_a_partner(desk: SimulatedDesk, node_keys: Keys) -> None:
    app = partner_app(desk)
    with served(app, node_keys["jpn"], [node_keys["ukr"].certificate_der], people=app) as node:
        people = http.client.HTTPConnection("127.0.0.1", node.people_port, timeout=10)
        people.request("GET", "/exchange/v1/feed", headers={"x-client-cert": "kizuna UKR"})
        assert people.getresponse().status == 404
        people.close()
    assert desk.asked == []


# ---- what can be learned by asking


def test_all_misses_are_one_answer(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    kept_back = desk.hold(b"kept back")
    desk.before_blob = lambda _offset, _length: False
    desk.takes_receipts = False
    missing = digest_of(b"missing")
    answers = [
        _ask(node, node_keys, "/exchange/v1/feed", who="stranger"),
        _ask(node, node_keys, "/exchange/v1/feed?after=x", who="stranger"),
        _ask(node, node_keys, BLOB, who="stranger"),
        _ask(node, node_keys, "/exchange/v1/receipts", who="stranger", method="POST", body=b"{}"),
        _ask(node, node_keys, "/exchange/v1/receipts", method="POST", body=b"{}"),
        _ask(node, node_keys, f"/exchange/v1/blobs/{kept_back}"),
        _ask(node, node_keys, f"/exchange/v1/blobs/{kept_back}", headers={"range": "bytes=0-0"}),
        _ask(node, node_keys, f"/exchange/v1/blobs/{kept_back}", headers={"range": "bytes=999-"}),
        _ask(node, node_keys, f"/exchange/v1/blobs/{missing}"),
        _ask(node, node_keys, f"/exchange/v1/blobs/{missing}", headers={"range": "bytes=999-"}),
        _ask(node, node_keys, "/exchange/v1/blobs/sha256:short"),
        _ask(node, node_keys, "/exchange/v1/blobs/..%2f..%2fkeys"),
        _ask(node, node_keys, "/exchange/v1/feed/"),
        _ask(node, node_keys, "/exchange/v1/receipts"),
        _ask(node, node_keys, "/exchange/v1/feed", method="DELETE"),
        _ask(node, node_keys, "/"),
        _ask(node, node_keys, "/openapi.json"),
    ]
    assert answers[0] == (404, {"content-length": "21", "content-type": "application/json"}, b'{"error":"not found"}')
    assert [answer for answer in answers if answer != answers[0]] == []


def test_answers_bear_no_date_and_no_server(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    desk.hold(DATA)
    for path in ("/exchange/v1/feed", BLOB, "/nothing", "/exchange/v1/feed?after=x"):
        assert not {"date", "server", "last-modified", "etag"} & set(_ask(node, node_keys, path)[1])


@pytest.mark.parametrize(
    "query",
    [
        "after=-1",
        "after=x",
        "after=",
        "after=1&after=2",
        "after=99999999999999999",
        "limit=0",
        "limit=101",
        "limit=1.0",
        "after=٣",
        "more=1",
    ],
)
def test_malformed_questions_of_partners(node: Served, desk: SimulatedDesk, node_keys: Keys, query: str) -> None:
    query = query.encode().decode("latin-1") if query.isascii() else "after=%D9%A3"
    status, _, body = _ask(node, node_keys, f"/exchange/v1/feed?{query}")
    assert (status, body) == (400, b'{"error":"malformed request"}')
    assert desk.asked == []


def test_receipts_have_a_longest_length(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    assert _ask(node, node_keys, "/exchange/v1/receipts", method="POST", body=b"a" * MOST_RECEIPT_BYTES)[0] == 204
    assert _ask(node, node_keys, "/exchange/v1/receipts", method="POST", body=b"a" * (MOST_RECEIPT_BYTES + 1))[0] == 413
    assert len(desk.receipts) == 1


def test_failure_inside_tells_nothing(
    node: Served, desk: SimulatedDesk, node_keys: Keys, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_offset: int, _length: int) -> bool:
        raise OSError("secret path")

    desk.before_blob = fail
    desk.hold(DATA)
    status, _, body = _ask(node, node_keys, BLOB)
    assert (status, body) == (500, b'{"error":"failed"}')


# ---- blobs


@pytest.mark.parametrize(
    ("header", "status", "span"),
    [
        (None, 200, (0, 12)),
        ("bytes=0-11", 206, (0, 12)),
        ("bytes=0-", 206, (0, 12)),
        ("bytes=3-5", 206, (3, 6)),
        ("bytes=11-99", 206, (11, 12)),
        ("bytes=-5", 206, (7, 12)),
        ("bytes=-99", 206, (0, 12)),
        ("bytes=12-", 416, None),
        ("bytes=5-4", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=-", 416, None),
        ("bytes=0-1,3-4", 416, None),
        ("items=0-1", 416, None),
        ("bytes=a-b", 416, None),
    ],
)
def test_single_ranges(
    node: Served, desk: SimulatedDesk, node_keys: Keys, header: str | None, status: int, span: tuple[int, int] | None
) -> None:
    digest = desk.hold(b"twelve bytes")
    headers = {} if header is None else {"range": header}
    answer = _ask(node, node_keys, f"/exchange/v1/blobs/{digest}", headers=headers)
    assert answer[0] == status
    if span is None:
        assert answer[1]["content-range"] == "bytes */12"
        return
    assert answer[2] == b"twelve bytes"[span[0] : span[1]]
    assert answer[1]["content-length"] == str(span[1] - span[0])
    if status == 206:
        assert answer[1]["content-range"] == f"bytes {span[0]}-{span[1] - 1}/12"


def test_empty_blob_and_head(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    empty, full = desk.hold(b""), desk.hold(DATA)
    assert _ask(node, node_keys, f"/exchange/v1/blobs/{empty}")[::2] == (200, b"")
    assert _ask(node, node_keys, f"/exchange/v1/blobs/{empty}", headers={"range": "bytes=0-"})[0] == 416
    status, headers, body = _ask(node, node_keys, f"/exchange/v1/blobs/{full}", method="HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(DATA)), b"")


def test_every_piece_is_decided_for_itself(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    desk.hold(DATA)
    assert _ask(node, node_keys, BLOB)[2] == DATA
    pieces = [piece for piece in desk.pieces if piece != (0, 0)]
    assert [offset for offset, _ in pieces] == [sum(length for _, length in pieces[:place]) for place in range(len(pieces))]
    assert sum(length for _, length in pieces) == len(DATA)
    assert max(length for _, length in pieces) <= PIECE_BYTES
    assert desk.pieces[0] == (0, 0)


def test_suspension_bites_inside_a_transfer_and_nothing_is_stored(
    node: Served, desk: SimulatedDesk, node_keys: Keys, tmp_path: Path
) -> None:
    digest = desk.hold(DATA)
    desk.before_blob = lambda offset, _length: offset < 2**21
    blobs = FileBlobs(tmp_path / "blobs")
    manifest = make_manifest(io.BytesIO(DATA))
    with HttpTransport(node.url, node_keys["ukr"], node_keys["jpn"].certificate_der) as http:
        with pytest.raises(PartnerUnreachable):
            blobs.receive(manifest, http.blob, "UKR")
        assert not blobs.has(digest)
        # No chunk came whole, so none counts.
        (part,) = (path for path in (tmp_path / "blobs").rglob("*") if path.is_file() and path.suffix != ".map")
        assert (part.parent.name, part.stat().st_size) == ("parts", 0)
        desk.before_blob = lambda _offset, _length: False
        with pytest.raises(NotReleasable):
            http.blob(digest, 0, 1)
        # The node goes on.
        assert http.feed(0, 1) == desk.answer.body


@contextlib.contextmanager
def _slow_reader(node: Served, keys: Keys, path: str) -> Iterator[ssl.SSLSocket]:
    """Connection of a partner that asked for something, whose machine takes little in at a time."""
    context = client_context(keys["ukr"], keys["jpn"].certificate_der)
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(10)
    plain.connect(("127.0.0.1", node.partners_port))
    with context.wrap_socket(plain, server_hostname="localhost") as secure:
        secure.sendall(f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
        yield secure


def _asked_again(desk: SimulatedDesk, times: int, after: int = 0) -> list[Digest]:
    """Blobs that wait to be sent once the reader's machine takes no more in: the node asks about these time after time."""
    for _ in range(1000):
        again: list[Digest] = []
        for call in reversed([call for call in desk.asked[after:] if call[0] == "blob"]):
            if call[4]:
                break
            again.append(call[2])
        if again and again.count(again[0]) >= times:
            return again
        threading.Event().wait(0.02)
    pytest.fail("what waits to be sent is not asked about again")


def _rest(secure: ssl.SSLSocket) -> int:
    """Count of the bytes that still come to who reads less than a megabyte a second."""
    received = 0
    with contextlib.suppress(ssl.SSLError, OSError):
        while part := secure.recv(16_384):
            received += len(part)
            threading.Event().wait(0.02)
    return received


def test_slow_reader_gets_little_beyond_what_was_decided(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    """The desk is asked about a piece only once the piece before has left, so a stop reaches also who reads slowly."""
    data = DATA * 8
    digest = desk.hold(data)
    with _slow_reader(node, node_keys, f"/exchange/v1/blobs/{digest}") as secure:
        secure.recv(1)
        threading.Event().wait(0.5)
        decided = max(offset + length for offset, length in desk.pieces)
        assert decided < len(data) // 2
        desk.before_blob = lambda _offset, _length: False
        assert _rest(secure) <= decided + 1000


def _page(count: int = 100, text: str = "a" * 50_000) -> bytes:
    return page_to_bytes(FeedPage(0, tuple(b'{"n":%d,"text":"%b"}' % (n, text.encode()) for n in range(count)), more=False))


@pytest.mark.parametrize("turned", ["refused", "sealed anew", "cut short", "nobody"])
def test_a_page_on_its_way_is_cut_off_once_one_of_its_entries_may_not_go(
    node: Served, desk: SimulatedDesk, node_keys: Keys, turned: str
) -> None:
    desk.answer = FeedAnswer(_page(), refused=False)
    with _slow_reader(node, node_keys, "/exchange/v1/feed") as secure:
        secure.recv(1)
        match turned:
            case "refused":
                desk.answer = FeedAnswer(b"{}", refused=True)
            case "sealed anew":
                desk.answer = FeedAnswer(_page(text="b" * 50_000), refused=False)
            case "cut short":
                desk.answer = FeedAnswer(_page(99), refused=False)
            case _:
                desk.peers.clear()
        assert _rest(secure) < len(_page()) // 2


def test_a_page_that_may_go_goes_whole_however_slowly_and_whatever_follows_meanwhile(
    node: Served, desk: SimulatedDesk, node_keys: Keys
) -> None:
    desk.answer = FeedAnswer(_page(), refused=False)
    with _slow_reader(node, node_keys, "/exchange/v1/feed?after=0&limit=100") as secure:
        secure.recv(1)
        desk.answer = FeedAnswer(_page().replace(b'"more":false', b'"more":true'), refused=False)
        threading.Event().wait(0.5)
        received, wanted = 0, len(_page())
        while received < wanted:
            received += len(secure.recv(65536))
    # What is asked again is about these entries, and numbers none.
    assert {call[1:] for call in desk.asked if call[0] == "feed"} == {(UKR, 0, 100)}
    assert len([call for call in desk.asked if call[0] == "feed"]) > 3


def test_of_a_page_that_took_long_to_make_each_entry_is_decided_on_again(
    node: Served, desk: SimulatedDesk, node_keys: Keys
) -> None:
    """As when a large file is hashed for the last of its entries."""
    first, later = FeedAnswer(_page(3, "a"), refused=False), FeedAnswer(_page(2, "a"), refused=False)
    answers = iter([(0.2, first), (0, later), (0.2, first), (0, first)])

    def feed(_peer: Party, _after: int, limit: int) -> FeedAnswer:
        wait_s, answer = next(answers)
        threading.Event().wait(wait_s)
        desk.asked.append(("limit", limit))
        return answer

    desk.feed = feed  # type: ignore[method-assign]
    assert _ask(node, node_keys, "/exchange/v1/feed")[0] == 404
    assert _ask(node, node_keys, "/exchange/v1/feed")[::2] == (200, first.body)
    assert desk.asked == [("limit", 100), ("limit", 3)] * 2


def test_a_crowd_of_questions_about_files_keeps_no_suspension_waiting(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    large, small = desk.hold(DATA * 8), desk.hold(b"small")
    kept, go_on = desk.blob, threading.Event()
    asking = threading.Semaphore(0)

    def slow(peer: Party, digest: Digest, offset: int, length: int) -> BlobPart | None:
        if digest == small:
            asking.release()
            assert go_on.wait(30)
        return kept(peer, digest, offset, length)

    desk.blob = slow  # type: ignore[method-assign]
    crowd = [threading.Thread(target=_ask, args=(node, node_keys, f"/exchange/v1/blobs/{small}")) for _ in range(20)]
    try:
        with _slow_reader(node, node_keys, f"/exchange/v1/blobs/{large}") as secure:
            secure.recv(1)
            for each in crowd:
                each.start()
            for _ in range(4):
                assert asking.acquire(timeout=10)
            # Whatever of the crowd is yet to come finds its places taken; the rest of the desk stays free.
            threading.Event().wait(0.3)
            desk.before_blob = lambda _offset, _length: False
            # Otherwise the reader waits for more until its time is over.
            with pytest.raises(ConnectionResetError):
                all(secure.recv(16_384) for _ in range(10**6))
    finally:
        go_on.set()
        for each in crowd:
            if each.ident is not None:
                each.join(10)


def test_what_may_not_go_any_more_of_several_files_on_their_way_cuts_all_off(
    node: Served, desk: SimulatedDesk, node_keys: Keys
) -> None:
    """A piece holds many small files, and several pieces may be under way: each of them is asked about meanwhile."""
    files = [bytes([number]) * 20_000 for number in range(100)]
    names = [desk.hold(data) for data in files]
    kept = desk.blob
    withheld: set[Digest] = set()

    def blob(peer: Party, digest: Digest, offset: int, length: int) -> BlobPart | None:
        part = kept(peer, digest, offset, length)
        return None if digest in withheld else part

    desk.blob = blob  # type: ignore[method-assign]
    with _slow_reader(node, node_keys, "/exchange/v1/blobs/" + ",".join(names)) as secure:
        secure.recv(1)
        _asked_again(desk, 5)
        asked = len(desk.asked)
        # Neither what is to come nor of the piece that was handed over last, but what the kernel still holds: the reader's
        # machine takes less than one file. Nobody reads until it has been asked about again: what has left is gone.
        withheld.add(names[0])
        assert names[0] in _asked_again(desk, 1, after=asked)
        assert _rest(secure) < sum(map(len, files)) // 2
        assert not [call for call in desk.asked[asked:] if call[0] == "blob" and call[4]]


def test_desk_is_asked_only_when_the_piece_before_has_left(desk: SimulatedDesk, node_keys: Keys) -> None:
    """A server that, like uvicorn, holds a message back while bytes of an earlier one wait to be sent."""
    left = []
    digest = desk.hold(bytes(5 * PIECE_BYTES))

    async def ask() -> None:
        drained = asyncio.Event()
        drained.set()

        def note(_offset: int, length: int) -> bool:
            # Asked meanwhile without a piece, whatever waits.
            if length:
                left.append(drained.is_set())
            return True

        async def send(message: MutableMapping[str, Any]) -> None:
            await drained.wait()
            if message.get("body"):
                drained.clear()
                asyncio.get_running_loop().call_later(0.02, drained.set)

        async def receive() -> dict[str, object]:
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        desk.before_blob = note
        certificate = ssl.DER_cert_to_PEM_cert(node_keys["ukr"].certificate_der)
        scope = {
            "type": "http",
            "method": "GET",
            "path": f"/exchange/v1/blobs/{digest}",
            "query_string": b"",
            "headers": [],
            "extensions": {"tls": {"client_cert_chain": [certificate]}},
        }
        await partner_app(desk)(scope, receive, send)

    asyncio.run(ask())
    assert left == [True] * 5


@pytest.mark.timed
def test_reader_who_leaves_ends_the_reading(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    digest = desk.hold(DATA * 40)
    context = client_context(node_keys["ukr"], node_keys["jpn"].certificate_der)
    with context.wrap_socket(socket.create_connection(("127.0.0.1", node.partners_port)), server_hostname="localhost") as secure:
        secure.sendall(f"GET /exchange/v1/blobs/{digest} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
        secure.recv(1)
    threading.Event().wait(0.5)
    asked = len(desk.asked)
    threading.Event().wait(0.3)
    assert len(desk.asked) == asked < 100


# ---- what a partner's node may not do to ours


class Rogue:
    """Partner's node that answers what a test says."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, [(b"content-type", b"application/json")], b"{}"

    async def __call__(self, scope, _receive, send) -> None:  # type: ignore[no-untyped-def]
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            await send({"type": "http.response.body", "body": self.body})


def test_answers_of_another_kind_are_refused(node_keys: Keys) -> None:
    rogue = Rogue()
    with (
        served(rogue, node_keys["jpn"], [node_keys["ukr"].certificate_der]) as node,
        HttpTransport(node.url, node_keys["ukr"], node_keys["jpn"].certificate_der) as http,
    ):
        assert http.feed(0, 1) == b"{}"
        rogue.body = b" " * (MOST_PAGE_BYTES + 1)
        with pytest.raises(PartnerMisbehaved, match="more than"):
            http.feed(0, 1)
        rogue.body = b"{}"
        for headers in (
            [(b"content-type", b"text/html")],
            [(b"content-type", b"application/json"), (b"content-encoding", b"gzip")],
        ):
            rogue.headers = headers
            with pytest.raises(PartnerMisbehaved):
                http.feed(0, 1)
        rogue.headers = [(b"content-type", b"application/json"), (b"location", b"https://127.0.0.1:1/")]
        for status in (204, 302, 400, 418):
            rogue.status, rogue.body = status, b""
            with pytest.raises(PartnerMisbehaved):
                http.feed(0, 1)
        rogue.status = 500
        with pytest.raises(PartnerUnreachable):
            http.feed(0, 1)
        # A part of another place, of another length, without saying which.
        for status, span, body in (
            (200, b"bytes 0-3/9", b"abcd"),
            (206, b"bytes 1-4/9", b"abcd"),
            (206, b"bytes 0-3/9", b"abc"),
            (206, b"", b"abcd"),
        ):
            rogue.status, rogue.body, rogue.headers = status, body, [(b"content-range", span)]
            with pytest.raises(PartnerMisbehaved):
                http.blob(digest_of(b""), 0, 4)
        rogue.status, rogue.body, rogue.headers = 206, b"a" * 10_000, [(b"content-range", b"bytes 0-3/9")]
        with pytest.raises(PartnerMisbehaved, match="more than"):
            http.blob(digest_of(b""), 0, 4)


def test_silent_partner_is_given_up(node_keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        with (
            HttpTransport(url, node_keys["ukr"], node_keys["jpn"].certificate_der, timeout_s=0.3) as http,
            pytest.raises(PartnerUnreachable),
        ):
            http.feed(0, 1)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "https://", "127.0.0.1:8443", "https://user:secret@host", "https://host/?a=b", "https://[", ""]
)
def test_address_must_be_one(node_keys: Keys, url: str) -> None:
    with pytest.raises(InputError) as caught:
        HttpTransport(url, node_keys["ukr"], node_keys["jpn"].certificate_der)
    assert caught.value.field == "url"


def test_proxies_of_the_environment_are_not_used(node: Served, node_keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with HttpTransport(node.url, node_keys["ukr"], node_keys["jpn"].certificate_der) as http:
        assert http.feed(0, 1)


def test_answers_of_the_feed_pass_unchanged(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    desk.answer = FeedAnswer(b'{"refused":true}', refused=True)
    status, headers, body = _ask(node, node_keys, "/exchange/v1/feed?after=3&limit=5")
    assert (status, headers["content-type"], headers["cache-control"], body) == (
        403,
        "application/json",
        "no-store",
        b'{"refused":true}',
    )
    assert desk.asked == [("feed", UKR, 3, 5)]
    assert JPN != UKR


# ---- one answer for many chunks


LONG = b"".join(bytes([number]) * CHUNK_BYTES for number in range(3)) + b"rest"


def test_chunks_that_follow_come_in_one_answer(
    node: Served, desk: SimulatedDesk, node_keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    request = HttpLine.request

    def noting(line: HttpLine, method: str, target: str, *arguments: Any, **options: Any) -> object:
        asked.append(target)
        return request(line, method, target, *arguments, **options)

    monkeypatch.setattr(HttpLine, "request", noting)
    digest = desk.hold(LONG)
    manifest = make_manifest(io.BytesIO(LONG))
    with HttpTransport(node.url, node_keys["ukr"], node_keys["jpn"].certificate_der) as http:
        came = [bytes(chunk) for chunk in fetch_verified(manifest, http.blob)]
        assert b"".join(came) == LONG
        assert len(asked) == 1
        # The connection is at rest again, and in the middle of an answer it is given up.
        assert http.feed(0, 1) == desk.answer.body
        assert http.blob(digest, 0, CHUNK_BYTES) == LONG[:CHUNK_BYTES]
        assert http.feed(0, 1) == desk.answer.body
        assert http.blob(digest, CHUNK_BYTES, 10) == LONG[CHUNK_BYTES:][:10]


def test_an_answer_that_breaks_off_between_chunks_is_asked_for_again(node: Served, desk: SimulatedDesk, node_keys: Keys) -> None:
    digest = desk.hold(LONG)
    broken: list[int] = []
    came = [threading.Event(), threading.Event()]

    # A refusal takes back what is on its way, so each waits here until the chunk before has come.
    def once(offset: int, length: int) -> bool:
        if length and CHUNK_BYTES <= offset < 2 * CHUNK_BYTES and not broken:
            broken.append(offset)
            return not came[0].wait(10)
        return offset < 2 * CHUNK_BYTES or not came[1].wait(10)

    desk.before_blob = once
    with HttpTransport(node.url, node_keys["ukr"], node_keys["jpn"].certificate_der) as http:
        for index, event in enumerate(came):
            assert http.blob(digest, index * CHUNK_BYTES, CHUNK_BYTES) == LONG[index * CHUNK_BYTES :][:CHUNK_BYTES]
            event.set()
        assert broken
        # What is no longer handed out is told as such, not as a line that broke.
        with pytest.raises(NotReleasable):
            http.blob(digest, 2 * CHUNK_BYTES, CHUNK_BYTES)


def test_a_request_whose_head_never_ends_is_not_kept_for_ever(node: Served, node_keys: Keys):
    context = client_context(node_keys["ukr"], node_keys["jpn"].certificate_der)
    with socket.create_connection(("127.0.0.1", node.partners_port), timeout=10) as plain, context.wrap_socket(plain) as line:
        line.sendall(b"GET /exchange/v1/feed HTTP/1.1\r\nhost: jpn\r\n")
        sent = 0
        with contextlib.suppress(OSError):
            while sent < 100 * MOST_HEAD_BYTES:
                line.sendall(b"x-more: " + b"y" * 1_000 + b"\r\n")
                sent += 1_010
        assert sent < 100 * MOST_HEAD_BYTES
