"""Tokens that a proxy passes on: only those count that the issuer signed, for this node, and that hold now."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from kizuna.adapters.clock import SystemClock
from kizuna.adapters.oidc import Issuer, SignedIdentities
from kizuna.errors import InputError
from kizuna.node.access import Person

ISSUER, AUDIENCE = "https://sso.example/realms/jpn", "kizuna-jpn"
AIKO = Person("aiko", "analyst")


@pytest.fixture(scope="module")
def keys():
    return {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
        "ed": ed25519.Ed25519PrivateKey.generate(),
    }


ALGORITHMS = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}


def jwk(name, key, **more):
    kinds = {"rsa": jwt.algorithms.RSAAlgorithm, "ec": jwt.algorithms.ECAlgorithm, "ed": jwt.algorithms.OKPAlgorithm}
    return json.loads(kinds[name].to_jwk(key.public_key())) | {"kid": name, "use": "sig"} | more


@pytest.fixture
def issuer(tmp_path, keys):
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [jwk(name, key) for name, key in keys.items()]}))
    roles = {"sar-analysts": "analyst", "sar-officers": "officer", "sar-operators": "operator"}
    return Issuer(ISSUER, AUDIENCE, path, "preferred_username", "groups", roles)


def claims(**changed):
    now = int(SystemClock().now().timestamp())
    made = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "1f0c",
        "iat": now,
        "exp": now + 300,
        "preferred_username": "aiko",
        "groups": ["sar-analysts", "staff"],
    } | changed
    return {name: value for name, value in made.items() if value is not None}


def signed(keys, name="rsa", kid=None, **changed):
    return jwt.encode(claims(**changed), keys[name], ALGORITHMS[name], {"kid": kid or name})


def test_each_kind_of_key_is_verified(issuer, keys):
    identities = SignedIdentities(issuer)
    assert [identities.person(signed(keys, name)) for name in keys] == [AIKO] * 3


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["sar-officers", "sar-analysts"], "officer"),
        (["sar-operators", "sar-analysts"], "analyst"),
        ("sar-operators", "operator"),
        (["staff"], None),
        ([], None),
        (None, None),
        ([["sar-officers"]], None),
        ({"sar-officers": True}, None),
        (True, None),
    ],
)
def test_the_role_is_that_of_a_group(issuer, keys, groups, role):
    found = SignedIdentities(issuer).person(signed(keys, groups=groups))
    assert (None if found is None else found.role) == role


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://sso.example/realms/other"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"iat": 2**40},
        {"nbf": 2**40},
        {"preferred_username": None},
        {"preferred_username": ""},
        {"preferred_username": "a\nb"},
        {"preferred_username": ["aiko"]},
    ],
    ids=str,
)
def test_what_does_not_hold_here_now_names_nobody(issuer, keys, changed):
    assert SignedIdentities(issuer).person(signed(keys, **changed)) is None


def part(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def test_what_the_issuer_did_not_sign_names_nobody(issuer, keys):
    identities = SignedIdentities(issuer)
    good = signed(keys)
    head, body, seal = good.split(".")
    pem = keys["rsa"].public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = {
        "nothing": "",
        "a name": "aiko",
        "no algorithm": f"{part({'alg': 'none', 'kid': 'rsa'})}.{body}.",
        "another body": f"{head}.{part(claims(groups=['sar-officers']))}.{seal}",
        "no seal": f"{head}.{body}.",
        "a stranger's key": jwt.encode(claims(), stranger, "RS256", {"kid": "rsa"}),
        "a key of its own": jwt.encode(claims(), stranger, "RS256", {"kid": "x", "jwk": jwk("rsa", stranger)}),
        "a key elsewhere": jwt.encode(claims(), stranger, "RS256", {"kid": "x", "jku": "https://evil.example/jwks"}),
        "the public key as a secret": ".".join(
            [
                signing := f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{body}",
                base64.urlsafe_b64encode(__import__("hmac").digest(pem, signing.encode(), "sha256")).decode().rstrip("="),
            ]
        ),
        "a key that is not there": signed(keys, kid="none"),
        "a key of another kind": jwt.encode(claims(), keys["ec"], "ES256", {"kid": "rsa"}),
        "no key's id among several": jwt.encode(claims(), keys["rsa"], "RS256"),
        "a key's id that is no text": f"{part({'alg': 'RS256', 'kid': ['rsa']})}.{body}.{seal}",
        "parts": good + ".x",
        "length": good + "A" * 20_000,
    }
    assert {name for name, token in forged.items() if identities.person(token) is not None} == set()
    assert identities.person(good) == AIKO


def test_a_shared_secret_in_the_keys_is_no_key(tmp_path, issuer):
    secret = b"s" * 32
    (tmp_path / "jwks.json").write_text(
        json.dumps({"keys": [{"kty": "oct", "kid": "s", "k": base64.urlsafe_b64encode(secret).decode().rstrip("=")}]})
    )
    assert SignedIdentities(issuer).person(jwt.encode(claims(), secret, "HS256", {"kid": "s"})) is None


def test_the_only_key_needs_no_id(issuer, keys):
    issuer.keys.write_text(json.dumps({"keys": [jwk("rsa", keys["rsa"])]}))
    assert SignedIdentities(issuer).person(jwt.encode(claims(), keys["rsa"], "RS256")) == AIKO


def test_changed_keys_are_read_while_the_node_runs_and_broken_ones_open_nothing(issuer, keys):
    identities = SignedIdentities(issuer)
    assert identities.person(signed(keys)) == AIKO
    fresh = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    issuer.keys.write_text(json.dumps({"keys": [jwk("rsa", fresh)]}))
    assert identities.person(signed(keys)) is None
    assert identities.person(signed({"rsa": fresh})) == AIKO
    for broken in ("{", "[]", '{"keys": 1}', '{"keys": []}'):
        issuer.keys.write_text(broken)
        assert identities.person(signed({"rsa": fresh})) is None
    issuer.keys.unlink()
    assert identities.person(signed({"rsa": fresh})) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"keys": [{"kty": "RSA"}]}', '{"keys": 3}'])
def test_keys_that_cannot_be_read_are_told_at_the_start(issuer, text):
    issuer.keys.write_text(text)
    with pytest.raises(InputError) as fault:
        SignedIdentities(issuer)
    assert fault.value.field == "oidc_keys"
