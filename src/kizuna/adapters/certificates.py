"""The self-signed certificate by which a node is known to its partners' nodes. Partners pin it; no authority issues it."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kizuna.node.certificates import node_uri

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from kizuna.model.instants import Instant
    from kizuna.model.parties import Party

__all__ = ["node_certificate"]

_LIFETIME = timedelta(days=397)
# Partners' clocks may stand a little behind ours.
_BACKDATED = timedelta(hours=1)


def node_certificate(party: Party, key: ec.EllipticCurvePrivateKey, at: Instant) -> bytes:
    """Make a certificate for `party`, DER, valid for 397 days from (an hour before) `at`.

    It is the end of its own chain: CA:FALSE, so its key cannot vouch for other certificates.
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"kizuna {party}")])
    public = key.public_key()
    begin = at - _BACKDATED
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(node_uri(party)),
        x509.DNSName("localhost"),
        x509.IPAddress(ip_address("127.0.0.1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        # Tells two certificates of one party apart (a new key beside the old one): OpenSSL looks an anchor up by name, and
        # without this takes the first of that name for the issuer of both.
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.DER)
