"""Whether a certificate is one by which a node can be known to its partners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from kizuna.errors import Message
from kizuna.model.instants import format_instant, instant_of

if TYPE_CHECKING:
    from kizuna.model.instants import Instant

__all__ = ["certificate_fault"]

_MOST_CERTIFICATE_BYTES = 16_384


def certificate_fault(der: bytes, now: Instant) -> Message | None:
    """What a certificate would have to be that it is not; None for one that can be pinned.

    It must be signed by its own key and be no authority over others, be valid now, and serve for both ends of a connection.
    """
    if len(der) > _MOST_CERTIFICATE_BYTES:
        return Message("a certificate of at most {most} bytes", {"most": _MOST_CERTIFICATE_BYTES})
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.verify_directly_issued_by(certificate)
        constraints = _extension(certificate, x509.BasicConstraints)
        usage, purposes = _extension(certificate, x509.KeyUsage), _extension(certificate, x509.ExtendedKeyUsage)
        begin, end = instant_of(certificate.not_valid_before_utc), instant_of(certificate.not_valid_after_utc)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion):
        return Message("an X.509 certificate (DER) that vouches for itself alone")
    both = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    expected: Message | None = None
    if (constraints is not None and constraints.ca) or (usage is not None and usage.key_cert_sign):
        expected = Message("an X.509 certificate (DER) that vouches for itself alone")
    elif now < begin:
        expected = Message("a certificate that is valid now; it is from {begin} on", {"begin": format_instant(begin)})
    elif end <= now:
        expected = Message("a certificate that is valid now; it ended on {end}", {"end": format_instant(end)})
    elif (usage is not None and not usage.digital_signature) or (purposes is not None and not both <= set(purposes)):
        expected = Message("a certificate that may sign, as a server and as a client")
    return expected


def _extension[E: x509.ExtensionType](certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
