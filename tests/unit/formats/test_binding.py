"""ADatP-4778 bindings: two implementations agree on what is signed, and nothing unsigned is ever taken for it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import DigestAlgorithm, SignatureMethod, XMLSigner
from signxml.algorithms import CanonicalizationMethod

from kizuna.errors import InputError
from kizuna.formats.binding import (
    BINDING_NAMESPACE,
    DataReference,
    MetadataBinding,
    read_binding,
    sign_binding,
    sign_binding_detached,
    verify_binding,
    verify_binding_detached,
    write_binding,
)
from kizuna.model.confidentiality import ConfidentialityInformation, ConfidentialityLabel, LabelRole
from kizuna.model.digests import digest_of
from kizuna.model.instants import parse_instant

SCHEMA = resources.files("kizuna.formats") / "schemas/binding-4778.xsd"
XMLLINT, XMLSEC1 = shutil.which("xmllint"), shutil.which("xmlsec1")
needs_xmllint = pytest.mark.skipif(XMLLINT is None, reason="xmllint (libxml2-utils) is not installed")
needs_xmlsec1 = pytest.mark.skipif(XMLSEC1 is None, reason="xmlsec1 is not installed")

NOW = parse_instant("2026-01-01")
LABEL = ConfidentialityLabel(
    ConfidentialityInformation("NATO", "RESTRICTED"), parse_instant("2025-06-22"), review=parse_instant("2030-06-22")
)
ALTERNATIVE = replace(LABEL, information=ConfidentialityInformation("JPN", "秘"), role=LabelRole.ALTERNATIVE)
BINDINGS = (
    MetadataBinding((LABEL, ALTERNATIVE), (DataReference("scene.nitf", "application/vnd.nitf"), DataReference("notes.txt"))),
    MetadataBinding((replace(LABEL, role=LabelRole.METADATA),), (DataReference("notes.txt"),)),
)
DATA = {"scene.nitf": b"NITF02.10\x00\xff" * 1000, "notes.txt": b"Kochi\r\n"}
KEYS = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "RSA": rsa.generate_private_key(65537, 2048),
}


def certificate_of(key, name="Officer", algorithm=hashes.SHA256()):  # noqa: B008 - a constant
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(datetime(2025, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2045, 1, 1, tzinfo=UTC))
        .sign(key, algorithm)
    )


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


CERTIFICATES = {name: certificate_of(key) for name, key in KEYS.items()}
KEY, CERTIFICATE = KEYS["P-256"], CERTIFICATES["P-256"]
SIGNED = sign_binding(BINDINGS, KEY, CERTIFICATE, data=DATA)
UNSIGNED = write_binding(BINDINGS)


def resolve(uri):
    return DATA[uri]


def verified(data, trusted=(CERTIFICATE,), at=NOW, resolve=resolve):
    return verify_binding(data, trusted=trusted, at=at, resolve=resolve)


def refused(data, said, **options):
    with pytest.raises(InputError, match=said) as error:
        verified(data, **options)
    return error.value


def signed_by_hand(root, *references, key=KEY, certificate=CERTIFICATE, digest=DigestAlgorithm.SHA384, method=None):
    """Enveloped signature over what the references say, as somebody trusted could write it."""
    signer = XMLSigner(
        signature_algorithm=method or SignatureMethod.ECDSA_SHA256,
        digest_algorithm=digest,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    return etree.tostring(signer.sign(root, key=key, cert=[certificate], reference_uri=list(references) or None))


def with_uris(root, *uris):
    """`root` bound to just these data."""
    for reference in root.findall(f".//{{{BINDING_NAMESPACE}}}DataReference"):
        parent = reference.getparent()
        parent.remove(reference)
    for binding in root.findall(f".//{{{BINDING_NAMESPACE}}}MetadataBinding"):
        for uri in uris:
            etree.SubElement(binding, f"{{{BINDING_NAMESPACE}}}DataReference", URI=uri)
    return root


# As a document


def test_an_unsigned_binding_is_read_and_says_that_it_is_unsigned():
    binding = read_binding(UNSIGNED)
    assert binding.bindings == BINDINGS
    assert not binding.signed
    assert write_binding(binding.bindings) == UNSIGNED
    refused(UNSIGNED, "the binding is unsigned")


def test_a_signed_binding_is_read_the_same():
    binding = read_binding(SIGNED)
    assert binding.bindings == BINDINGS
    assert binding.signed


@needs_xmllint
@pytest.mark.parametrize("data", [UNSIGNED, SIGNED], ids=["unsigned", "signed"])
def test_what_is_written_is_valid(tmp_path, data):
    path = tmp_path / "binding.xml"
    path.write_bytes(data)
    lint = [XMLLINT, "--nonet", "--noout", "--schema", str(SCHEMA), str(path)]
    done = subprocess.run(lint, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    path.write_bytes(data.replace(b"scene.nitf", b"").replace(b"RESTRICTED<", b"<"))
    assert subprocess.run(lint, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"MetadataBindingContainer", b"Container", "unknown here: Container"),
        (b'<mb:DataReference URI="notes.txt"/>', b"", "DataReference: got nothing, expected at least one"),
        (b'URI="notes.txt"', b'URI=""', "expected a text"),
        (b'URI="notes.txt"', b'URI="#here"', "a URI of data that lie apart"),
        (b'URI="notes.txt"', b'URI="notes.txt" Sticker="1"', "unknown here: @Sticker"),
        (b"<mb:DataReference ", b"<mb:Data/><mb:DataReference ", "unknown here: Data"),
        (b"bindinginformation:1:0", b"bindinginformation:2:0", "is no metadata binding"),
        (b"NATO</slab:PolicyIdentifier>", b"</slab:PolicyIdentifier>", "PolicyIdentifier: got ''"),
        (b"slab:alternativeConfidentialityLabel", b"mb:alternativeConfidentialityLabel", "is no confidentiality label"),
    ],
)
def test_what_is_no_binding_is_refused_by_name(old, new, said):
    assert old in UNSIGNED
    with pytest.raises(InputError, match=re.escape(said)):
        read_binding(UNSIGNED.replace(old, new))


def test_two_labels_do_not_stand_in_one_metadata_element():
    data = re.sub(rb"</mb:Metadata>\s*<mb:Metadata>", b"", UNSIGNED, count=1)
    with pytest.raises(InputError, match="Metadata: got 2 elements, expected one"):
        read_binding(data)


BOMBS = {
    "billion laughs": b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><l>&b;</l>',
    "external entity": b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><l>&a;</l>',
    "document type": SIGNED.replace(b"<mb:BindingInformation", b"<!DOCTYPE l><mb:BindingInformation", 1),
    "100 MB": SIGNED.replace(b"RESTRICTED", b"R" * 100_000_000, 1),
    "depth": b"<a>" * 200_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name):
    data = BOMBS[name]
    for read in (
        lambda: read_binding(data),
        lambda: verified(data),
        lambda: verify_binding_detached(data, uri="b.xml", trusted=[CERTIFICATE], at=NOW, resolve=resolve),
        lambda: verify_binding_detached(
            sign_binding_detached(BINDINGS, KEY, CERTIFICATE, uri="b.xml", data=DATA)[1],
            uri="b.xml",
            trusted=[CERTIFICATE],
            at=NOW,
            resolve=(DATA | {"b.xml": data}).__getitem__,
        ),
    ):
        with pytest.raises(InputError):
            read()


# Signed by us


@pytest.mark.parametrize("name", KEYS)
def test_what_we_sign_we_verify(name):
    certificate = CERTIFICATES[name]
    signed = sign_binding(BINDINGS, KEYS[name], certificate, data=DATA)
    found = verified(signed, [certificate])
    assert found.bindings == BINDINGS
    assert found.signer == digest_of(certificate.public_bytes(Encoding.DER))
    assert found.subject == "CN=Officer"
    document, signature = sign_binding_detached(BINDINGS, KEYS[name], certificate, uri="b.xml", data=DATA)
    assert document == UNSIGNED
    at = (DATA | {"b.xml": document}).__getitem__
    assert verify_binding_detached(signature, uri="b.xml", trusted=[certificate], at=NOW, resolve=at) == found


def test_a_signature_uses_what_the_standard_asks_for():
    for data, ours in (
        (SIGNED, b"ecdsa-sha256"),
        (sign_binding(BINDINGS, KEYS["RSA"], CERTIFICATES["RSA"], data=DATA), b"rsa-sha256"),
    ):
        assert data.count(b"http://www.w3.org/2001/04/xmldsig-more#sha384") == 3
        assert data.count(b"xmldsig-more#" + ours) == 1
        assert b"X509Certificate" in data


def test_keys_and_certificates_come_as_pem_too():
    public = CERTIFICATE.public_bytes(Encoding.PEM)
    signed = sign_binding(BINDINGS, pem(KEY), public, data=DATA)
    assert verified(signed, [public]) == verified(signed, [digest_of(CERTIFICATE.public_bytes(Encoding.DER))])


@needs_xmlsec1
@pytest.mark.parametrize("name", KEYS)
def test_xmlsec1_verifies_what_we_sign_and_refuses_what_was_changed(tmp_path, name):
    certificate = CERTIFICATES[name]
    document, signature = sign_binding_detached(BINDINGS, KEYS[name], certificate, uri="b.xml", data=DATA)
    files = DATA | {
        "trusted.pem": certificate.public_bytes(Encoding.PEM),
        "other.pem": certificate_of(ec.generate_private_key(ec.SECP256R1())).public_bytes(Encoding.PEM),
        "enveloped.xml": sign_binding(BINDINGS, KEYS[name], certificate, data=DATA),
        "b.xml": document,
        "detached.xml": signature,
    }

    def verifies(signed, trusted="trusted.pem", **changed):
        for path, data in files.items():
            (tmp_path / path).write_bytes(changed.get(path.replace(".", "_"), data))
        done = subprocess.run(
            [XMLSEC1, "--verify", "--trusted-pem", trusted, signed], cwd=tmp_path, capture_output=True, check=False
        )
        # xmlsec1 counts the references that hold.
        return done.returncode == 0 and b"(ok/all): 3/3" in done.stderr

    weaker = {
        "enveloped_xml": files["enveloped.xml"].replace(b"RESTRICTED", b"UNCLASSIFIED"),
        "b_xml": document.replace(b"NATO", b"ACME"),
    }
    for signed in ("enveloped.xml", "detached.xml"):
        assert verifies(signed)
        assert not verifies(signed, "other.pem")
        assert not verifies(signed, **weaker)
        assert not verifies(signed, scene_nitf=DATA["scene.nitf"][:-1])


def test_what_was_changed_is_refused():
    refused(SIGNED.replace(b"RESTRICTED", b"UNCLASSIFIED"), "does not hold: Digest mismatch")
    refused(SIGNED.replace(b"scene.nitf", b"notes.tif"), "does not hold")
    refused(SIGNED, "does not hold: Digest mismatch", resolve=(DATA | {"scene.nitf": b"another"}).__getitem__)
    refused(SIGNED, "does not hold", resolve={"scene.nitf": DATA["scene.nitf"]}.__getitem__)
    value = re.search(rb"<ds:SignatureValue>(....)", SIGNED)[1]
    refused(SIGNED.replace(value, value[::-1] if value != value[::-1] else b"AAAA", 1), "does not hold")
    document, signature = sign_binding_detached(BINDINGS, KEY, CERTIFICATE, uri="b.xml", data=DATA)
    for changed in ({"b.xml": document.replace(b"NATO", b"ACME")}, {"b.xml": document, "notes.txt": b""}, {}):
        with pytest.raises(InputError, match="does not hold"):
            verify_binding_detached(signature, uri="b.xml", trusted=[CERTIFICATE], at=NOW, resolve=(DATA | changed).__getitem__)


def test_data_are_asked_for_only_where_a_trusted_signer_referenced_them():
    asked = []

    def listen(uri):
        asked.append(uri)
        return DATA[uri]

    refused(SIGNED.replace(b"scene.nitf", b"http://x.invalid/"), "does not hold", resolve=listen)
    refused(SIGNED, "not trusted", trusted=[CERTIFICATES["RSA"]], resolve=listen)
    assert asked == []
    verified(SIGNED, resolve=listen)
    assert asked == ["scene.nitf", "notes.txt"]


def test_the_signer_must_be_trusted_itself_and_in_force():
    error = refused(SIGNED, "by a certificate that is not trusted: sha256:", trusted=[CERTIFICATES["RSA"]])
    assert digest_of(CERTIFICATE.public_bytes(Encoding.DER)) in str(error)
    refused(SIGNED, "not trusted", trusted=[])
    # A certificate of the same name and key but other bytes is another.
    refused(SIGNED, "not trusted", trusted=[certificate_of(KEY, algorithm=hashes.SHA384())])
    for at in ("2024-12-31", "2045-01-02"):
        refused(SIGNED, "is not valid at the instant in question", at=parse_instant(at))


def test_a_trusted_certificate_beside_the_signature_of_another_key_does_not_help():
    stranger = ec.generate_private_key(ec.SECP256R1())
    forged = sign_binding(BINDINGS, stranger, certificate_of(stranger), data=DATA)

    def inner(certificate):
        return "".join(certificate.public_bytes(Encoding.PEM).decode().splitlines()[1:-1])

    text = re.sub(
        r"<ds:X509Certificate>[^<]*",
        f"<ds:X509Certificate>{inner(CERTIFICATE)}",
        forged.decode().replace("\n</ds:X509", "</ds:X509"),
    )
    refused(text.encode(), "does not hold")


# Attacks on what is covered


def test_a_comment_does_not_cut_a_signed_marking_short():
    """Canonicalisation leaves comments out: the signature holds, and so must the whole word."""
    found = verified(SIGNED.replace(b"RESTRICTED", b"<!-- x -->REST<!-- y -->RICTED"))
    assert found.bindings == BINDINGS


def test_an_element_that_was_added_is_refused():
    container = SIGNED[SIGNED.index(b"<mb:MetadataBinding>") : SIGNED.index(b"</mb:MetadataBindingContainer>")]
    evil = container.replace(b"RESTRICTED", b"UNCLASSIFIED")
    refused(SIGNED.replace(container, evil + container), "does not hold")
    refused(SIGNED.replace(container, container + evil), "does not hold")


def test_a_signed_document_wrapped_in_another_is_refused():
    inner = SIGNED.partition(b"\n")[2]
    signature = inner[inner.index(b"<ds:Signature") : inner.index(b"</ds:Signature>") + len(b"</ds:Signature>")]
    evil = UNSIGNED.partition(b"\n")[2].replace(b"RESTRICTED", b"UNCLASSIFIED")
    head, close = evil.rstrip().rsplit(b"</", 1)
    # The signed document as it was, within a new one; then with its signature moved up, the original kept below.
    refused(head + inner + b"</" + close, "does not stand directly in BindingInformation")
    refused(head + inner.replace(signature, b"") + signature + b"</" + close, "does not hold|unknown here")
    refused(head + signature + b"</" + close, "does not hold")
    refused(
        head + b"<ds:Object xmlns:ds='http://www.w3.org/2000/09/xmldsig#'>" + inner + b"</ds:Object></" + close, "does not stand"
    )


def test_a_signature_of_one_element_by_its_id_covers_too_little():
    """A trusted signer signed the good container alone; an attacker put another before it."""
    root = with_uris(etree.fromstring(UNSIGNED), "notes.txt")
    root[0].set("Id", "good")
    data = signed_by_hand(root, "good")
    for each in (
        data,
        data.replace(b"<mb:MetadataBindingContainer", b"<mb:MetadataBindingContainer/><mb:MetadataBindingContainer", 1),
    ):
        refused(each, "covers|uses")


def test_a_signature_that_leaves_data_out_is_refused():
    refused(signed_by_hand(etree.fromstring(UNSIGNED)), "do not name the same data")


def test_a_second_signature_is_refused():
    signature = SIGNED[SIGNED.index(b"<ds:Signature") : SIGNED.index(b"</ds:Signature>") + len(b"</ds:Signature>")]
    refused(SIGNED.replace(signature, signature * 2), "carries 2 signatures")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"xmldsig-more#sha384", b"xmldsig-more#md5", "as DigestMethod"),
        (b"http://www.w3.org/2001/04/xmldsig-more#sha384", b"http://www.w3.org/2000/09/xmldsig#sha1", "as DigestMethod"),
        (b"xmldsig-more#ecdsa-sha256", b"xmldsig-more#ecdsa-sha1", "as SignatureMethod"),
        (b"xmldsig-more#ecdsa-sha256", b"xmldsig-more#rsa-md5", "as SignatureMethod"),
        (b"xmldsig-more#ecdsa-sha256", b"xmldsig-more#hmac-sha256", "as SignatureMethod"),
        (b"2001/10/xml-exc-c14n#", b"2001/10/xml-exc-c14n#WithComments", "as CanonicalizationMethod"),
        (b"2000/09/xmldsig#enveloped-signature", b"TR/1999/REC-xslt-19991116", "as Transforms"),
        (b"2000/09/xmldsig#enveloped-signature", b"TR/1999/REC-xpath-19991116", "as Transforms"),
        (b"</ds:KeyInfo>", b"</ds:KeyInfo><ds:Object/>", "holds SignedInfo, SignatureValue, KeyInfo, Object"),
        (b'<ds:Reference URI="">', b"<ds:Reference>", "covers|uses"),
        (b'<ds:Reference URI="">', b'<ds:Reference URI="#x">', "covers|uses"),
        (b'<ds:Reference URI="notes.txt">', b'<ds:Reference URI="scene.nitf">', "covers"),
    ],
)
def test_what_is_weak_or_unknown_in_a_signature_is_refused(old, new, said):
    assert old in SIGNED
    refused(SIGNED.replace(old, new), said)


@pytest.mark.parametrize("digest", [DigestAlgorithm.SHA224, DigestAlgorithm.SHA256])
def test_a_true_signature_with_a_shorter_digest_is_refused(digest):
    refused(signed_by_hand(etree.fromstring(UNSIGNED), digest=digest), "as DigestMethod")


def test_a_signature_without_its_certificate_is_refused():
    data = re.sub(rb"<ds:X509Data>.*?</ds:X509Data>", b"<ds:KeyName>Officer</ds:KeyName>", SIGNED, flags=re.DOTALL)
    refused(data, "does not say by whose certificate")
    refused(re.sub(rb"(<ds:X509Certificate>)[^<]*", rb"\1AAAA", SIGNED), "a certificate that cannot be read")


# What we do not sign


def test_weak_keys_and_keys_of_another_kind_are_refused():
    weak = rsa.generate_private_key(65537, 1024)
    with pytest.raises(InputError, match="too weak"):
        sign_binding(BINDINGS, weak, certificate_of(weak), data=DATA)
    other = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(InputError, match="RSA or an elliptic curve key"):
        sign_binding(BINDINGS, pem(other), certificate_of(other, algorithm=None), data=DATA)
    with pytest.raises(InputError, match="of another key"):
        sign_binding(BINDINGS, KEY, CERTIFICATES["RSA"], data=DATA)
    with pytest.raises(InputError, match="cannot be read"):
        sign_binding(BINDINGS, KEY, b"no certificate", data=DATA)
    with pytest.raises(InputError, match="key to sign with cannot be read"):
        sign_binding(BINDINGS, b"no key", CERTIFICATE, data=DATA)


def test_a_weak_key_is_refused_though_its_certificate_is_trusted():
    weak = rsa.generate_private_key(65537, 1024)
    certificate = certificate_of(weak)
    data = signed_by_hand(etree.fromstring(UNSIGNED), key=weak, certificate=certificate, method=SignatureMethod.RSA_SHA256)
    refused(data, "too weak", trusted=[certificate])


@pytest.mark.parametrize("data", [{}, {"notes.txt": b""}, DATA | {"more.txt": b""}])
def test_exactly_the_data_that_the_binding_names_are_signed(data):
    with pytest.raises(InputError, match="the data given to sign and the data that the binding names differ"):
        sign_binding(BINDINGS, KEY, CERTIFICATE, data=data)


@pytest.mark.parametrize(
    "bindings",
    [
        (),
        (MetadataBinding((), BINDINGS[0].data),),
        (MetadataBinding((LABEL,), ()),),
        (MetadataBinding((LABEL,), (DataReference("#here"),)),),
        (MetadataBinding((LABEL,), (DataReference("a b"),)),),
        (MetadataBinding((replace(LABEL, created=None),), BINDINGS[0].data),),
    ],
)
def test_what_could_not_be_read_back_is_not_written(bindings):
    with pytest.raises(InputError):
        write_binding(bindings)


# Signed by others

TEMPLATE = """<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo>
<CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><SignatureMethod Algorithm="{method}"/>
{references}</SignedInfo><SignatureValue/><KeyInfo><X509Data><X509Certificate/></X509Data></KeyInfo></Signature>"""
REFERENCE = '<Reference URI="{uri}">{transforms}<DigestMethod Algorithm="{digest}"/><DigestValue/></Reference>\n'
MORE, OLD = "http://www.w3.org/2001/04/xmldsig-more#", "http://www.w3.org/2000/09/xmldsig#"
C14N = '<Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>'


def signed_by_xmlsec1(folder, name, own="", digest=MORE + "sha384", method=None):
    """Binding (or the signature of ``b.xml``) that xmlsec1 signed."""
    enveloped = '<Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>' if not own else ""
    references = REFERENCE.format(uri=own, transforms=f"<Transforms>{enveloped}{C14N}</Transforms>", digest=digest)
    references += "".join(REFERENCE.format(uri=uri, transforms="", digest=digest) for uri in DATA)
    method = method or MORE + ("rsa-sha256" if name == "RSA" else "ecdsa-sha256")
    template = TEMPLATE.format(method=method, references=references)
    if not own:
        template = UNSIGNED.decode().replace("<mb:MetadataBindingContainer>", template + "<mb:MetadataBindingContainer>")
    for path, data in (DATA | {"b.xml": UNSIGNED, "t.xml": template.encode(), "k.pem": pem(KEYS[name])}).items():
        (folder / path).write_bytes(data)
    (folder / "c.pem").write_bytes(CERTIFICATES[name].public_bytes(Encoding.PEM))
    done = subprocess.run(
        [XMLSEC1, "--sign", "--privkey-pem", "k.pem,c.pem", "--output", "s.xml", "t.xml"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return (folder / "s.xml").read_bytes()


@needs_xmlsec1
@pytest.mark.parametrize("name", KEYS)
def test_what_xmlsec1_signs_we_verify_and_what_was_changed_we_refuse(tmp_path, name):
    trusted = [CERTIFICATES[name]]
    data = signed_by_xmlsec1(tmp_path, name)
    assert verified(data, trusted).bindings == BINDINGS
    refused(data.replace(b"RESTRICTED", b"UNCLASSIFIED"), "does not hold", trusted=trusted)
    refused(data, "does not hold", trusted=trusted, resolve=(DATA | {"notes.txt": b"Kochi\n"}).__getitem__)

    signature = signed_by_xmlsec1(tmp_path, name, own="b.xml")
    files = DATA | {"b.xml": UNSIGNED}
    found = verify_binding_detached(signature, uri="b.xml", trusted=trusted, at=NOW, resolve=files.__getitem__)
    assert found.bindings == BINDINGS
    for changed in ({"b.xml": UNSIGNED.replace(b"RESTRICTED", b"UNCLASSIFIED")}, {"notes.txt": b"Kochi\n"}):
        with pytest.raises(InputError, match="does not hold"):
            verify_binding_detached(signature, uri="b.xml", trusted=trusted, at=NOW, resolve=(files | changed).__getitem__)
    with pytest.raises(InputError, match="as Transforms"):
        verify_binding_detached(signature, uri="c.xml", trusted=trusted, at=NOW, resolve=files.__getitem__)


@needs_xmlsec1
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"digest": OLD + "sha1"}, "as DigestMethod"),
        ({"digest": MORE + "md5"}, "as DigestMethod"),
        ({"method": OLD + "rsa-sha1"}, "as SignatureMethod"),
        ({"method": MORE + "rsa-md5"}, "as SignatureMethod"),
    ],
)
def test_true_signatures_with_sha_1_or_md5_are_refused(tmp_path, options, said):
    try:
        data = signed_by_xmlsec1(tmp_path, "RSA", **options)
    except AssertionError as error:
        if "md5" not in str(options):
            raise
        pytest.skip(f"this xmlsec1 does not sign so: {error}")
    refused(data, said, trusted=[CERTIFICATES["RSA"]])
