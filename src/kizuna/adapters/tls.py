"""Mutual TLS 1.3 between nodes that pin each other's certificate, and the client's certificate for the applications.

There is no authority: the only certificates that a node accepts are the very ones that it pinned. Which of them the client
showed reaches the application as the ASGI TLS extension, made from the connection itself and never from a header.
"""

from __future__ import annotations

import contextlib
import hashlib
import ssl
from enum import IntEnum
from typing import TYPE_CHECKING, Any, cast

from cryptography import x509
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kizuna.adapters.line import Line
from kizuna.errors import InputError, Message
from kizuna.node.health import RefusedConnection

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

    from kizuna.adapters.keys import FileKeys

__all__ = ["MOST_HEAD_BYTES", "TlsHttpProtocol", "client_context", "fingerprint_of", "renew", "server_context", "trust"]

MOST_HEAD_BYTES = 1 << 16

_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
# RFC 8446, appendix B.4.
_SUITES = {"TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302, "TLS_CHACHA20_POLY1305_SHA256": 0x1303}


def fingerprint_of(certificate_der: bytes) -> str:
    """SHA-256 of a DER certificate, in hexadecimal: by this a partner's node is known."""
    return hashlib.sha256(certificate_der).hexdigest()


def trust(context: ssl.SSLContext, certificate_der: bytes) -> None:
    """Accept one more certificate in handshakes from now on.

    There is no way back but another context (`renew`). Until then a partner that was removed completes the handshake, and is
    nobody to the application, which looks each certificate up anew.

    Raises
    ------
    InputError
        If it is no certificate.
    """
    try:
        context.load_verify_locations(cadata=certificate_der)
    except (ssl.SSLError, ValueError) as error:
        raise InputError(
            Message("the partner's certificate cannot be read: {why}", {"why": str(error)}),
            hint=Message("ask the partner for the file that its node wrote, in full"),
            field="certificate",
        ) from error


def _strict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    # Every connection shows its certificate anew.
    context.options |= ssl.OP_NO_TICKET


class _X509(IntEnum):
    """Why OpenSSL does not accept a certificate: values of X509_V_ERR_*, in x509_vfy.h."""

    NOT_YET_VALID = 9
    HAS_EXPIRED = 10
    INVALID_PURPOSE = 26


_REFUSED_CERTIFICATES = {
    _X509.NOT_YET_VALID: RefusedConnection.NOT_YET_VALID,
    _X509.HAS_EXPIRED: RefusedConnection.EXPIRED,
    _X509.INVALID_PURPOSE: RefusedConnection.WRONG_PURPOSE,
}
_REFUSED_HANDSHAKES = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": RefusedConnection.NO_CERTIFICATE,
    "UNSUPPORTED_PROTOCOL": RefusedConnection.OLD_TLS,
    "HTTP_REQUEST": RefusedConnection.NOT_TLS,
    "WRONG_VERSION_NUMBER": RefusedConnection.NOT_TLS,
}


def _cause(error: ssl.SSLError) -> RefusedConnection:
    """Why a handshake was refused; what the other side sent is not quoted."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _REFUSED_CERTIFICATES.get(error.verify_code, RefusedConnection.UNKNOWN_CERTIFICATE)  # type: ignore[call-overload,no-any-return]
    return _REFUSED_HANDSHAKES.get(error.reason or "", RefusedConnection.FAILED)


class _ServerContext(ssl.SSLContext):
    """Context of a listener: each handshake is made with its latest successor."""

    successor: ssl.SSLContext
    on_refused: Callable[[RefusedConnection], object]


class _ServerObject(ssl.SSLObject):
    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            cast("_ServerContext", self.context).on_refused(_cause(error))
            raise


def _bare_context(keys: FileKeys, pinned: Iterable[bytes], on_refused: Callable[[RefusedConnection], object]) -> _ServerContext:
    context = _ServerContext(ssl.PROTOCOL_TLS_SERVER)
    _strict(context)
    context.num_tickets = 0
    context.sslobject_class = _ServerObject
    context.on_refused = on_refused
    keys.present(context)
    for certificate in pinned:
        trust(context, certificate)
    return context


def server_context(
    keys: FileKeys,
    pinned: Iterable[bytes],
    on_refused: Callable[[RefusedConnection], object] = lambda _cause: None,
    before_handshake: Callable[[], object] = lambda: None,
) -> ssl.SSLContext:
    """Context of the partners' listener.

    Parameters
    ----------
    keys
        The node's keys.
    pinned
        Certificates of the partners, DER. Other ones are accepted from `renew` on, while the node runs.
    on_refused
        Told why, whenever a handshake is refused.
    before_handshake
        Called at the beginning of each, in the thread that makes it; what it then lets in (`renew`) counts for this one already.
    """
    context = _bare_context(keys, pinned, on_refused)
    context.successor = context

    def turn(connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        before_handshake()
        if context.successor is not context:
            connection.context = context.successor

    # Called at the beginning of each handshake, whether the client names a server or not.
    context.sni_callback = turn
    return context


def renew(context: ssl.SSLContext, keys: FileKeys, pinned: Iterable[bytes]) -> None:
    """Present these keys, and accept these certificates and no others, in handshakes from now on.

    Connections that stand are left alone. A context is replaced rather than changed: one that got a new certificate and not
    yet its key would refuse whoever connects at that moment.

    Parameters
    ----------
    context
        What `server_context` gave.
    keys, pinned
        As there.
    """
    listening = cast("_ServerContext", context)
    successor = _bare_context(keys, (), listening.on_refused)
    for certificate in pinned:
        # One that OpenSSL cannot read keeps its own partner out, and nobody else.
        with contextlib.suppress(InputError):
            trust(successor, certificate)
    listening.successor = successor


class _PinnedContext(ssl.SSLContext):
    """Client context that is content with some certificates only, whatever name the server goes by."""

    pins: frozenset[str]


def _require_pinned(line: ssl.SSLSocket | ssl.SSLObject) -> None:
    shown = line.getpeercert(binary_form=True)
    # The pin stands in place of the check of the host name. Before anything is asked, hence at the end of the handshake.
    if shown is None or fingerprint_of(shown) not in cast("_PinnedContext", line.context).pins:
        msg = "the server shows another certificate than the pinned one"
        raise ssl.SSLCertVerificationError(msg)


class _PinnedSocket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 (signature of the base)
        super().do_handshake(block)
        _require_pinned(self)


class _PinnedObject(ssl.SSLObject):
    def do_handshake(self) -> None:
        super().do_handshake()
        _require_pinned(self)


def client_context(keys: FileKeys, *certificates_der: bytes) -> ssl.SSLContext:
    """Context of connections to the partner whose certificates these are."""
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    _strict(context)
    context.pins = frozenset(map(fingerprint_of, certificates_der))
    context.sslsocket_class, context.sslobject_class = _PinnedSocket, _PinnedObject
    keys.present(context)
    for certificate in certificates_der:
        trust(context, certificate)
    return context


def _extension(connection: ssl.SSLObject) -> dict[str, object]:
    """ASGI TLS extension (version 0.2) of a connection."""
    certificate = connection.getpeercert(binary_form=True)
    cipher = connection.cipher()
    return {
        "server_cert": None,
        # Pinned certificates are self-signed, so the chain is the certificate.
        "client_cert_chain": [] if certificate is None else [ssl.DER_cert_to_PEM_cert(certificate)],
        "client_cert_name": (
            None if certificate is None else x509.load_der_x509_certificate(certificate).subject.rfc4514_string()
        ),
        "client_cert_error": None,
        "tls_version": _VERSIONS.get(connection.version() or ""),
        "cipher_suite": None if cipher is None else _SUITES.get(cipher[0]),
    }


def _with_extensions(app: ASGI3Application, extensions: dict[str, object]) -> ASGI3Application:
    async def extended(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        known: dict[str, Any] = dict(cast("dict[str, Any]", scope).get("extensions") or {})
        await app(cast("Scope", {**scope, "extensions": {**known, **extensions}}), receive, send)

    return cast("ASGI3Application", extended)


class TlsHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with the ASGI TLS extension, which uvicorn itself lacks, and with a limit to what it keeps.

    A second extension, ``kizuna.line``, is the connection beneath (`kizuna.adapters.line.Line`). A request whose line and fields
    have not ended after `MOST_HEAD_BYTES` ends its connection: the parser itself knows no limit.
    """

    _in_head, _head_bytes = False, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the certificate from the connection before the first request is read."""
        super().connection_made(transport)
        extensions: dict[str, object] = {"kizuna.line": Line(transport)}
        connection = transport.get_extra_info("ssl_object")
        if connection is not None:
            extensions["tls"] = _extension(connection)
        self.app = _with_extensions(self.app, extensions)

    def data_received(self, data: bytes) -> None:
        """Read on, but not for ever what has no end."""
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            # No answer: whoever does not read either would hold a connection that closes.
            self.transport.abort()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its line and fields are known."""
        self._in_head = False
        super().on_headers_complete()
