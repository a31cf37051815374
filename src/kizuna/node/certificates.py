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
    from kizuna.model.parties import Party

__all__ = ["certificate_fault", "node_uri"]

_MOST_CERTIFICATE_BYTES = 16_384
_NODES = "spiffe://"


def node_uri(party: Party) -> str:
    """URI of a party's node, which the node's certificate bears.

    Examples
    --------
    >>> from kizuna.model.parties import parse_party
    >>> node_uri(parse_party("JPN/IQPS"))
    'spiffe://jpn/iqps'
    """
    return _NODES + party.lower()


def certificate_fault(der: bytes, party: Party, now: Instant) -> Message | None:
    """What a certificate would have to be that it is not; None for one by which a party can be pinned.

    It must be signed by its own key and be no authority over others, be valid now, and serve for both ends of a connection. Where
    it names a node, that is the party's: whoever learns of a certificate that is about to be used cannot say that it is its own.
    """
    if len(der) > _MOST_CERTIFICATE_BYTES:
        return Message("a certificate of at most {most} bytes", {"most": _MOST_CERTIFICATE_BYTES})
    try:
        certificate = x509.load_der_x509_certificate(der)
        certificate.verify_directly_issued_by(certificate)
        constraints = _extension(certificate, x509.BasicConstraints)
        usage, purposes = _extension(certificate, x509.KeyUsage), _extension(certificate, x509.ExtendedKeyUsage)
        names = _extension(certificate, x509.SubjectAlternativeName)
        uris = [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)
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
    elif {uri for uri in uris if uri.lower().startswith(_NODES)} - {node_uri(party)}:
        expected = Message("a certificate of {party}: it names another node", {"party": party})
    return expected


def _extension[E: x509.ExtensionType](certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
