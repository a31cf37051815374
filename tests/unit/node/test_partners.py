"""Partners: what can be pinned, and what is left when one is removed."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from simulators.nodes import HUR, IQPS, NZL, START

from kizuna.errors import InputError
from kizuna.model.parties import parse_party
from kizuna.node.founding import node_card, pin_partner, remove_partner

KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def certificate(*, ca=None, signer=KEY, issuer="node"):
    """Certificate of KEY, by default as simple as one can be."""

    def name(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(name("node"))
        .issuer_name(name(issuer))
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(START)
        .not_valid_after(START + timedelta(days=1))
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER)


def card_with(world, der):
    return node_card(world.node(HUR), "https://127.0.0.1:1") | {"certificate": base64.b64encode(der).decode()}


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"junk",
        certificate()[:-1],
        certificate() + b"\0",
        x509.load_der_x509_certificate(certificate()).public_bytes(Encoding.PEM),
        certificate(signer=OTHER),
        certificate(issuer="authority"),
        certificate(ca=True),
    ],
    ids=["empty", "junk", "cut", "longer", "PEM", "another key's", "issued", "authority"],
)
def test_a_certificate_that_is_not_a_nodes_own_is_not_pinned(world, der):
    node = world.node(IQPS)
    before, size = node.knowledge().partners, node.store.log.size()
    with pytest.raises(InputError) as caught:
        pin_partner(node, card_with(world, der))
    assert caught.value.field == "certificate"
    assert (node.knowledge().partners, node.store.log.size()) == (before, size)


@pytest.mark.parametrize("der", [certificate(), certificate(ca=False)], ids=["plain", "end"])
def test_a_self_signed_end_certificate_is_pinned(world, der):
    node = world.node(IQPS)
    assert pin_partner(node, card_with(world, der)) == HUR
    assert node.partner(HUR).certificate_der == der


def test_who_was_removed_is_a_stranger_until_it_is_pinned_again(world):
    node, desk = world.node(IQPS), world.desk(IQPS)
    fingerprint = node.partner(HUR).fingerprint
    assert desk.peer_of(fingerprint) == HUR
    remove_partner(node, HUR)
    assert desk.peer_of(fingerprint) is None
    with pytest.raises(InputError):
        node.partner(HUR)
    assert node.partner(NZL)
    with pytest.raises(InputError):
        remove_partner(node, HUR)
    world.tick()
    pin_partner(node, node_card(world.node(HUR), ""))
    assert desk.peer_of(fingerprint) == HUR


def test_who_was_never_pinned_cannot_be_removed(world):
    node = world.node(IQPS)
    size = node.store.log.size()
    with pytest.raises(InputError) as caught:
        remove_partner(node, parse_party("FRA"))
    assert caught.value.field == "partner"
    assert node.store.log.size() == size
