"""Another team's node, as far as it takes a feed: written from docs/exchange.md and docs/audit.md alone, without kizuna.

The section of the page from which each step follows is named where it is taken. What this program cannot know from there is a
fault of the page.
"""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "application/vnd.kizuna."
_NAMES = ("feed-entry", "refusal", "receipt", "recall-answer", "fact")
ENTRY, REFUSAL, RECEIPT, RECALL_ANSWER, FACT = (f"{PREFIX}{name}.1+json" for name in _NAMES)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of what has integers and ASCII names only, which is all that this program signs."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def encoded(payload_type: str, payload: bytes) -> bytes:
    """Envelopes: DSSE's pre-authentication encoding."""
    name = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


class SecondNode:
    """Keys, certificate and card of another team's node, and what it does with a feed."""

    def __init__(self, party: str, folder: Path, now: datetime) -> None:
        self.party = party
        self._signing = ed25519.Ed25519PrivateKey.generate()
        self._public = self._signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, party)])
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        # Transport: self-signed ECDSA P-256, CA:FALSE, for servers and for clients.
        self._certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .sign(key, hashes.SHA256())
        )
        self._chain = folder / "second.pem"
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._chain.write_bytes(pem + self._certificate.public_bytes(Encoding.PEM))

    def card(self) -> dict[str, str]:
        """Transport: what the other node pins."""
        certificate = _text(self._certificate.public_bytes(Encoding.DER))
        keys = {"certificate": certificate, "signing_key": _text(self._public)}
        return {"schema": "kizuna/card/1", "party": self.party, "url": ""} | keys

    def connect(self, card: dict[str, str], url: str) -> httpx.Client:
        """Transport: TLS 1.3 with both certificates; the other's is the one on its card, whatever host it names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.load_verify_locations(cadata=base64.b64decode(card["certificate"]))
        context.load_cert_chain(self._chain)
        return httpx.Client(verify=context, base_url=url, trust_env=False)

    def seal(self, payload_type: str, payload: dict[str, Any]) -> bytes:
        """Envelopes: canonical payload, canonical envelope, one signature."""
        body = canonical(payload)
        signature = {"keyid": _sha256(self._public), "sig": _text(self._signing.sign(encoded(payload_type, body)))}
        return canonical({"payload": _text(body), "payloadType": payload_type, "signatures": [signature]})

    def receipt(self, taken: list[tuple[dict[str, Any], bytes]], now: datetime) -> bytes:
        """Receipts: one for the last of some entries that follow each other, which names those before it."""
        said = _about(*taken[-1]) | {"schema": "kizuna/receipt/1", "stored_at": _instant(now)}
        if taken[:-1]:
            said["before"] = ["sha256:" + _sha256(envelope) for _entry, envelope in taken[:-1]]
        return self.seal(RECEIPT, said)

    def recall_answer(self, entry: dict[str, Any], envelope: bytes, fate: str, reason: str, now: datetime) -> bytes:
        """Receipts: what became of a product that was called back."""
        said = {"product": entry["product"], "fate": fate, "reason": reason, "answered_at": _instant(now)}
        return self.seal(RECALL_ANSWER, _about(entry, envelope) | {"schema": "kizuna/recall-answer/1"} | said)


def _about(entry: dict[str, Any], envelope: bytes) -> dict[str, Any]:
    """Receipts: the members that say which entry it is about."""
    return {name: entry[name] for name in ("sender", "receiver", "sequence")} | {"entry": "sha256:" + _sha256(envelope)}


def _instant(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unseal(envelope: dict[str, Any], payload_type: str, key: bytes, salt: bytes | None = None) -> dict[str, Any]:
    """Payload of an envelope whose signature is right; that of an entry of a log may be over a batch.

    Raises
    ------
    cryptography.exceptions.InvalidSignature
        If the signature is wrong.
    AssertionError
        If it is another type or key.
    """
    (signature,) = envelope["signatures"]
    assert (envelope["payloadType"], signature["keyid"]) == (payload_type, _sha256(key))
    payload = base64.b64decode(envelope["payload"], validate=True)
    message = encoded(payload_type, payload)
    batch = signature.get("batch")
    if batch is not None:
        # Audit, signed together.
        assert salt is not None
        path = base64.b64decode(batch["path"])
        leaf = hashlib.sha256(salt + message).digest()
        root = _root(leaf, batch["index"], batch["size"], [path[n : n + 32] for n in range(0, len(path), 32)])
        message = f"kizuna batch 1\n{batch['size']}\n{_text(root)}\n".encode()
    ed25519.Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature["sig"]), message)
    found: dict[str, Any] = json.loads(payload)
    assert canonical(found) == payload or any(isinstance(part, float) for part in _leaves(found))
    return found


def _leaves(value: Any) -> list[Any]:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if parts is None else [leaf for part in parts for leaf in _leaves(part)]


def _root(leaf_data: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.3.2: root of the tree that a leaf and its audit path lead to."""
    node, number, last = hashlib.sha256(b"\0" + leaf_data).digest(), index, size - 1
    for neighbour in path:
        assert last
        if number & 1 or number == last:
            node = hashlib.sha256(b"\1" + neighbour + node).digest()
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + neighbour).digest()
        number, last = number >> 1, last >> 1
    assert last == 0
    return node


def file_of(link: httpx.Client, manifest: dict[str, Any]) -> bytes:
    """Files: one file in ranges, each chunk verified by the running hash before the next one is asked for."""
    running, got = hashlib.sha256(), b""
    for index, expected in enumerate(manifest["running"]):
        begin = index * manifest["chunk_bytes"]
        end = min(begin + manifest["chunk_bytes"], manifest["size"])
        answer = link.get(f"/exchange/v1/blobs/{manifest['digest']}", headers={"range": f"bytes={begin}-{end - 1}"})
        assert (answer.status_code, len(answer.content)) == (206, end - begin)
        running.update(answer.content)
        assert running.hexdigest() == expected
        got += answer.content
    assert "sha256:" + running.hexdigest() == manifest["digest"]
    return got


def verify_proof(text: str, party: str, key: bytes) -> dict[str, Any]:
    """Audit, a proof of one entry: the fact in it, after signature, path and checkpoint were verified."""
    head, note = text.split("\n\n", 1)
    version, extra, index, *path = head.split("\n")
    assert version == "c2sp.org/tlog-proof@v1"
    salt, envelope = (data := base64.b64decode(extra.removeprefix("extra ")))[:32], data[32:]
    body, signatures = note.split("\n\n", 1)
    origin, size, root = body.split("\n")
    assert origin == f"kizuna/{party}"
    # C2SP signed-note: an em dash, the key's name, and in base64 four bytes of its id and the signature.
    signed = [line.split(" ") for line in signatures.splitlines()]
    (signature,) = [base64.b64decode(sig) for dash, name, sig in signed if (dash, name) == ("\N{EM DASH}", origin)]
    assert signature[:4] == hashlib.sha256(f"{origin}\n\x01".encode() + key).digest()[:4]
    ed25519.Ed25519PublicKey.from_public_bytes(key).verify(signature[4:], f"{body}\n".encode())
    leaf = hashlib.sha256(salt + envelope).digest()
    assert _text(_root(leaf, int(index.removeprefix("index ")), int(size), [base64.b64decode(one) for one in path])) == root
    return unseal(json.loads(envelope), FACT, key, salt)
