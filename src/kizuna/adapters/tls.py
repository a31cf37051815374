"""Mutual TLS 1.3 between nodes that pin each other's certificate, and the client's certificate for the applications.

There is no authority: the only certificates that a node accepts are the very ones that it pinned. Which of them the client
showed reaches the application as the ASGI TLS extension, made from the connection itself and never from a header.
"""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING, Any, cast

from cryptography import x509
from uvicorn.protocols.http.h11_impl import H11Protocol

from kizuna.adapters.line import Line
from kizuna.errors import InputError, Message

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope

    from kizuna.adapters.keys import FileKeys

__all__ = ["TlsH11Protocol", "client_context", "fingerprint_of", "server_context", "trust"]

_VERSIONS = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}
# RFC 8446, appendix B.4.
_SUITES = {"TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302, "TLS_CHACHA20_POLY1305_SHA256": 0x1303}


def fingerprint_of(certificate_der: bytes) -> str:
    """SHA-256 of a DER certificate, in hexadecimal: by this a partner's node is known."""
    return hashlib.sha256(certificate_der).hexdigest()


def trust(context: ssl.SSLContext, certificate_der: bytes) -> None:
    """Accept one more certificate in handshakes from now on.

    There is no way back: a partner that was removed still completes the handshake until the node restarts, and is then
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


def server_context(keys: FileKeys, pinned: Iterable[bytes]) -> ssl.SSLContext:
    """Context of the partners' listener.

    Parameters
    ----------
    keys
        The node's keys.
    pinned
        Certificates of the partners, DER. Further ones are added by `trust` while the node runs.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _strict(context)
    context.num_tickets = 0
    keys.present(context)
    for certificate in pinned:
        trust(context, certificate)
    return context


class _PinnedContext(ssl.SSLContext):
    """Client context that is content with one certificate only, whatever name the server goes by."""

    pin: str


class _PinnedSocket(ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 (signature of the base)
        super().do_handshake(block)
        shown = self.getpeercert(binary_form=True)
        # The pin stands in place of the check of the host name. Before anything is sent, hence here.
        if shown is None or fingerprint_of(shown) != cast("_PinnedContext", self.context).pin:
            msg = "the server shows another certificate than the pinned one"
            raise ssl.SSLCertVerificationError(msg)


def client_context(keys: FileKeys, certificate_der: bytes) -> ssl.SSLContext:
    """Context of connections to the partner whose certificate this is."""
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
    _strict(context)
    context.pin = fingerprint_of(certificate_der)
    context.sslsocket_class = _PinnedSocket
    keys.present(context)
    trust(context, certificate_der)
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


class TlsH11Protocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol with the ASGI TLS extension, which uvicorn itself lacks.

    A second extension, ``kizuna.line``, is the connection beneath (`kizuna.adapters.line.Line`).
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the certificate from the connection before the first request is read."""
        super().connection_made(transport)
        extensions: dict[str, object] = {"kizuna.line": Line(transport)}
        connection = transport.get_extra_info("ssl_object")
        if connection is not None:
            extensions["tls"] = _extension(connection)
        self.app = _with_extensions(self.app, extensions)
