"""Which certificates a partner's card may bring."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from simulators.nodes import HUR, IQPS, START, World

from kizuna.errors import InputError
from kizuna.node.certificates import certificate_fault
from kizuna.node.founding import node_card, pin_partner

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
DAY = timedelta(days=1)


def usage(**changed):
    names = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
    return x509.KeyUsage(**{name: changed.get(name, False) for name in names.split()}, encipher_only=False, decipher_only=False)


def certificate(*extensions, begin=START - DAY, end=START + DAY, signer=None, size=0):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kizuna UKR/HUR")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if size:
        extensions = (*extensions, x509.SubjectAlternativeName([x509.DNSName("a" * 60)] * (size // 60)))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer or key, hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    "extensions",
    [
        (),
        (
            x509.BasicConstraints(ca=False, path_length=None),
            usage(digital_signature=True),
            x509.ExtendedKeyUsage([SERVER, CLIENT]),
        ),
    ],
)
def test_one_that_is_its_own_end_is_taken(extensions):
    assert certificate_fault(certificate(*extensions), HUR, START) is None
    assert certificate_fault(World().node(HUR).keys.certificate_der, HUR, START) is None


@pytest.mark.parametrize(
    ("der", "expected"),
    [
        (b"", "vouches for itself"),
        (b"junk", "vouches for itself"),
        (certificate()[:-1], "vouches for itself"),
        (certificate(signer=ec.generate_private_key(ec.SECP256R1())), "vouches for itself"),
        (certificate(x509.BasicConstraints(ca=True, path_length=None)), "vouches for itself"),
        (certificate(usage(digital_signature=True, key_cert_sign=True)), "vouches for itself"),
        (certificate(begin=START - 2 * DAY, end=START - DAY), "it ended on 2025-06-30"),
        (certificate(begin=START + DAY, end=START + 2 * DAY), "it is from 2025-07-02"),
        (certificate(usage(key_agreement=True)), "may sign"),
        (certificate(x509.ExtendedKeyUsage([SERVER])), "as a server and as a client"),
        (certificate(x509.ExtendedKeyUsage([CLIENT])), "as a server and as a client"),
        (certificate(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])), "as a server and as a client"),
        (certificate(size=20_000), "at most 16384 bytes"),
        (World().node(IQPS).keys.certificate_der, "a certificate of UKR/HUR: it names another node"),
        (
            certificate(x509.SubjectAlternativeName([x509.UniformResourceIdentifier("SPIFFE://jpn/iqps")])),
            "it names another node",
        ),
    ],
)
def test_one_that_no_connection_should_rest_on_is_refused_by_name(der, expected):
    world = World()
    node = world.node(IQPS)
    fault = certificate_fault(der, HUR, START)
    assert fault is not None
    assert expected in fault.render()
    card = node_card(world.node(HUR), "https://127.0.0.1:1") | {"certificate": base64.b64encode(der).decode()}
    with pytest.raises(InputError) as caught:
        pin_partner(node, card)
    assert caught.value.field == "certificate"
    assert node.knowledge().partners == {}
