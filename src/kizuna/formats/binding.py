"""Metadata bindings in XML, as ADatP-4778 (edition A) structures them: which labels hold for which data, unsigned or signed.

::

    BindingInformation
      ds:Signature?                          enveloped: its references are "" (all of this document) and each DataReference
      MetadataBindingContainer+ @Id
        MetadataBinding+ @Id
          Metadata+                          one ADatP-4774 label each
          DataReference+ @URI                the data, which lie apart

A detached signature is a document of its own: its references are the URI of the binding and each DataReference. Either way the
signature holds a SHA-384 digest of the binding and of all its data, so that neither can be changed, taken away or exchanged.

What `verify_binding` hands out is read from the very bytes that the signature covers, after canonicalisation, and from nothing
else of the document; a signature that covers less than all of it is refused. So an element that was wrapped, moved or added is
never taken for a signed one. References by ``#Id``, which such attacks stand on, are not followed.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha384
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from kizuna.errors import InputError, Message
from kizuna.formats.label_xml import label_of_element, label_to_element
from kizuna.formats.xml_elements import ElementReader, name_of, write_xml
from kizuna.formats.xml_reading import parse_xml
from kizuna.model.digests import digest_of, parse_digest
from kizuna.model.reading import LONGEST_LINE, LONGEST_MARKING, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kizuna.model.confidentiality import ConfidentialityLabel
    from kizuna.model.digests import Digest
    from kizuna.model.instants import Instant

    PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    Resolve = Callable[[str], bytes]

__all__ = [
    "BINDING_NAMESPACE",
    "Binding",
    "DataReference",
    "MetadataBinding",
    "VerifiedBinding",
    "read_binding",
    "sign_binding",
    "sign_binding_detached",
    "verify_binding",
    "verify_binding_detached",
    "write_binding",
]

BINDING_NAMESPACE = "urn:nato:stanag:4778:bindinginformation:1:0"

_DS = "http://www.w3.org/2000/09/xmldsig#"
_XMIME = "http://www.w3.org/2005/05/xmlmime"
_CONTENT_TYPE = f"{{{_XMIME}}}contentType"
_ROOT = "BindingInformation"
_SIGNATURE = f"{{{_DS}}}Signature"
_MOST_BYTES = 4_000_000
_MOST_REFERENCES = 1_000
_ENVELOPED = SignatureConstructionMethod.enveloped.value
_C14N = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0

# ADatP-4778.2: SHA-384 digests, RSA-SHA256 and ECDSA-SHA256 are what everybody must know; SHA-1 and MD5 are prohibited. Of the
# rest only what is stronger is taken.
_DIGESTS = frozenset({DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_METHODS = frozenset(
    {
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
    }
)
_LEAST_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True, slots=True)
class DataReference:
    """Data that labels are bound to, by where they lie.

    Parameters
    ----------
    uri
        Absolute, or relative to the binding (``"scene.nitf"``).
    content_type
        Media type, where it is said.
    """

    uri: str
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class MetadataBinding:
    """Labels, all of which hold for all of the data.

    Parameters
    ----------
    labels
        At least one; an alternative label stands beside the originator's.
    data
        At least one.
    """

    labels: tuple[ConfidentialityLabel, ...]
    data: tuple[DataReference, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding as it is written, whether or not anything about it is true.

    Parameters
    ----------
    bindings
        In the order written.
    signed
        Whether it carries a signature. It says nothing of whether that holds: see `verify_binding`.
    """

    bindings: tuple[MetadataBinding, ...]
    signed: bool


@dataclass(frozen=True, slots=True)
class VerifiedBinding:
    """What a signature covers, by whom.

    Parameters
    ----------
    bindings
        Read from the signed bytes.
    signer
        SHA-256 digest of the signer's certificate (DER).
    subject
        Name in that certificate.
    """

    bindings: tuple[MetadataBinding, ...]
    signer: Digest
    subject: str


def _fault(message: Message, hint: Message | None = None) -> InputError:
    return InputError(message, hint=hint, field="Signature")


def _uri(table: Table, name: str) -> str:
    uri = table.text(name, longest=LONGEST_LINE)
    if uri.startswith("#") or any(character.isspace() for character in uri):
        table.fault(name, Message("a URI of data that lie apart, without white space"))
    return uri


def _read_metadata_binding(element: ElementReader) -> MetadataBinding:
    element.drop_attribute("Id")
    labels = []
    for metadata in element.children("Metadata"):
        metadata.maybe_attribute(_CONTENT_TYPE)
        labels.append(label_of_element(metadata.only_child()))
        metadata.done()
    data = []
    for reference in element.children("DataReference"):
        uri = _uri(Table({"@URI": reference.attribute("URI", longest=LONGEST_LINE)}, reference.path), "@URI")
        data.append(DataReference(uri, reference.maybe_attribute(_CONTENT_TYPE)))
        reference.done()
    element.done()
    binding = MetadataBinding(tuple(labels), tuple(data))
    _check_metadata_binding(binding, element.path)
    return binding


def _check_metadata_binding(binding: MetadataBinding, path: str) -> None:
    table = Table({}, path)
    if not binding.labels:
        table.fault("Metadata", Message("at least one label"))
    if not binding.data:
        table.fault("DataReference", Message("at least one reference to data"))
    if len(binding.labels) > _MOST_REFERENCES or len(binding.data) > _MOST_REFERENCES:
        table.fault("DataReference", Message("at most {most} labels and references", {"most": _MOST_REFERENCES}))


def _read_information(root: etree._Element) -> tuple[MetadataBinding, ...]:
    """Bindings of a ``BindingInformation`` that carries no signature (any more)."""
    namespace, name = name_of(root)
    if (namespace, name) != (BINDING_NAMESPACE, _ROOT):
        raise InputError(
            Message(
                "{name} in the namespace {got!r} is no metadata binding, expected BindingInformation in {expected!r}",
                {"name": name, "got": namespace, "expected": BINDING_NAMESPACE},
            ),
            hint=Message("make sure that this is an ADatP-4778 binding"),
            field=name,
        )
    element = ElementReader(root, _ROOT, BINDING_NAMESPACE)
    element.drop_attribute("Id")
    found = []
    for container in element.children("MetadataBindingContainer"):
        container.drop_attribute("Id")
        found += [_read_metadata_binding(binding) for binding in container.children("MetadataBinding")]
        container.done()
    element.done()
    if not found:
        Table({}, _ROOT).fault("MetadataBinding", Message("at least one binding"))
    return tuple(found)


def _parse(data: bytes) -> tuple[etree._Element, etree._Element | None]:
    """Root of a binding and its signature, if it carries one, which must be a child of the root."""
    root = parse_xml(data, what="metadata binding", most_bytes=_MOST_BYTES)
    signatures = list(root.iter(_SIGNATURE))
    if len(signatures) > 1:
        raise _fault(
            Message("the binding carries {got} signatures, expected at most one", {"got": len(signatures)}),
            Message("keep each signature in a document of its own"),
        )
    if signatures and signatures[0].getparent() is not root:
        raise _fault(
            Message("the signature does not stand directly in BindingInformation"),
            Message("do not use this document: it was put together of others"),
        )
    return root, signatures[0] if signatures else None


def read_binding(data: bytes) -> Binding:
    """Binding as it is written. Nothing is verified, and nothing here is to be trusted for its signature.

    Raises
    ------
    InputError
        If it is no binding of labels to data that lie apart.
    """
    root, signature = _parse(data)
    if signature is not None:
        root.remove(signature)
    return Binding(_read_information(root), signed=signature is not None)


def _to_element(bindings: Iterable[MetadataBinding]) -> etree._Element:
    root = etree.Element(f"{{{BINDING_NAMESPACE}}}{_ROOT}", nsmap={"mb": BINDING_NAMESPACE, "xmime": _XMIME})
    container = etree.SubElement(root, f"{{{BINDING_NAMESPACE}}}MetadataBindingContainer")
    for binding in bindings:
        _check_metadata_binding(binding, _ROOT)
        element = etree.SubElement(container, f"{{{BINDING_NAMESPACE}}}MetadataBinding")
        for label in binding.labels:
            etree.SubElement(element, f"{{{BINDING_NAMESPACE}}}Metadata").append(label_to_element(label))
        for data in binding.data:
            reference = etree.SubElement(element, f"{{{BINDING_NAMESPACE}}}DataReference")
            reference.set("URI", _uri(Table({"@URI": data.uri}, "DataReference"), "@URI"))
            if data.content_type is not None:
                table = Table({"@contentType": data.content_type}, "DataReference")
                reference.set(_CONTENT_TYPE, table.text("@contentType", longest=LONGEST_MARKING))
    if not len(container):
        Table({}, _ROOT).fault("MetadataBinding", Message("at least one binding"))
    etree.cleanup_namespaces(root, keep_ns_prefixes=["mb"])
    etree.indent(root)
    return root


def write_binding(bindings: Iterable[MetadataBinding]) -> bytes:
    """Unsigned ADatP-4778 document of `bindings`: UTF-8, the same bytes for the same bindings.

    Raises
    ------
    InputError
        If a label or a reference cannot be written.
    """
    return write_xml(_to_element(bindings))


# Signing


def _private_key(key: PrivateKey | bytes) -> PrivateKey:
    try:
        loaded = load_pem_private_key(key, password=None) if isinstance(key, bytes) else key
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _fault(
            Message("the key to sign with cannot be read: {why}", {"why": str(error)}),
            Message("give it in PEM form, not encrypted"),
        ) from error
    if not isinstance(loaded, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise _fault(
            Message("a binding is signed with an RSA or an elliptic curve key, got another"),
            Message("use an RSA key of at least 2048 bits, or one on P-256, P-384 or P-521"),
        )
    return loaded


def _certificate(certificate: x509.Certificate | bytes) -> x509.Certificate:
    if isinstance(certificate, x509.Certificate):
        return certificate
    try:
        return x509.load_pem_x509_certificate(certificate)
    except ValueError as error:
        raise _fault(
            Message("the certificate cannot be read: {why}", {"why": str(error)}), Message("give it in PEM form")
        ) from error


def _check_strength(certificate: x509.Certificate) -> None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        key = None
    strong = (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES
    )
    if not strong:
        raise _fault(
            Message("the key of the certificate is too weak, or of another kind"),
            Message("use an RSA key of at least 2048 bits, or one on P-256, P-384 or P-521"),
        )


def _uris_of(bindings: Iterable[MetadataBinding]) -> list[str]:
    """URIs of the data, each once, in the order written."""
    return list(dict.fromkeys(reference.uri for binding in bindings for reference in binding.data))


def _signer(
    method: SignatureConstructionMethod,
    key: PrivateKey,
    certificate: x509.Certificate,
    data: Mapping[str, bytes],
    uris: list[str],
) -> XMLSigner:
    if set(uris) != set(data):
        wrong = min(set(uris) ^ set(data))
        raise InputError(
            Message("{uri}: the data given to sign and the data that the binding names differ", {"uri": wrong}),
            hint=Message("give the bytes of each DataReference, and of nothing else"),
            field="DataReference",
        )
    _check_strength(certificate)
    if certificate.public_key() != key.public_key():
        raise _fault(
            Message("the certificate is of another key than the one to sign with"),
            Message("give the key and its own certificate"),
        )
    signer = XMLSigner(
        method=method,
        signature_algorithm=SignatureMethod.RSA_SHA256 if isinstance(key, rsa.RSAPrivateKey) else SignatureMethod.ECDSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA384,
        c14n_algorithm=_C14N,
    )

    def add_data(signature: etree._Element, **_settings: object) -> None:
        """Reference the data, octet by octet, before the references are signed."""
        signed_info = signature[0]
        for uri in uris:
            reference = etree.SubElement(signed_info, f"{{{_DS}}}Reference", URI=uri)
            etree.SubElement(reference, f"{{{_DS}}}DigestMethod", Algorithm=DigestAlgorithm.SHA384.value)
            etree.SubElement(reference, f"{{{_DS}}}DigestValue").text = b64encode(sha384(data[uri]).digest()).decode()

    signer.signature_annotators.append(add_data)
    return signer


def sign_binding(
    bindings: Iterable[MetadataBinding],
    key: PrivateKey | bytes,
    certificate: x509.Certificate | bytes,
    *,
    data: Mapping[str, bytes],
) -> bytes:
    """ADatP-4778 document of `bindings` with an enveloped signature.

    Parameters
    ----------
    bindings
        What is bound to what.
    key
        RSA or elliptic curve key, or its PEM (not encrypted).
    certificate
        Its certificate, or the PEM of that.
    data
        Bytes of the data, by the URIs of the references.

    Raises
    ------
    InputError
        If the bindings cannot be written, `data` are not exactly what they name, or the key is weak or not the certificate's.
    """
    bindings = tuple(bindings)
    private, public = _private_key(key), _certificate(certificate)
    signer = _signer(SignatureConstructionMethod.enveloped, private, public, data, _uris_of(bindings))
    root = _to_element(bindings)
    # The standard's place for it is the first.
    root.insert(0, etree.Element(_SIGNATURE, {"Id": "placeholder"}, nsmap={"ds": _DS}))
    return _document(signer.sign(root, key=private, cert=[public]))


def sign_binding_detached(
    bindings: Iterable[MetadataBinding],
    key: PrivateKey | bytes,
    certificate: x509.Certificate | bytes,
    *,
    uri: str,
    data: Mapping[str, bytes],
) -> tuple[bytes, bytes]:
    """ADatP-4778 document of `bindings`, and its signature as a document of its own.

    Parameters
    ----------
    bindings, key, certificate, data
        As in `sign_binding`.
    uri
        Where the binding will lie as seen from its signature (``"scene.binding.xml"``).

    Raises
    ------
    InputError
        As in `sign_binding`.
    """
    bindings = tuple(bindings)
    private, public = _private_key(key), _certificate(certificate)
    uris = _uris_of(bindings)
    if _uri(Table({"uri": uri}), "uri") in uris:
        Table({"uri": uri}).fault("uri", Message("another URI than those of the data"))
    signer = _signer(SignatureConstructionMethod.detached, private, public, data, uris)
    root = _to_element(bindings)
    # The root has no Id, so signxml takes the URI as it is and digests the root.
    signature = signer.sign(root, key=private, cert=[public], reference_uri=uri)
    return write_xml(root), _document(signature)


def _document(root: etree._Element) -> bytes:
    """Document of what is signed: not a space of it may change."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"


# Verifying


def _signers(trusted: Iterable[x509.Certificate | bytes | str]) -> frozenset[Digest]:
    """Fingerprints of the certificates that are trusted."""
    found = set()
    for each in trusted:
        if isinstance(each, str):
            found.add(parse_digest(each, field="trusted"))
        else:
            found.add(digest_of(_certificate(each).public_bytes(Encoding.DER)))
    return frozenset(found)


def _find(parent: etree._Element, path: str) -> list[etree._Element]:
    return parent.findall("/".join(f"{{{_DS}}}{name}" for name in path.split("/")))


def _algorithm(parent: etree._Element, name: str) -> str:
    found = _find(parent, name)
    return found[0].get("Algorithm", "") if len(found) == 1 and not len(found[0]) else ""


def _trusted_certificate(signature: etree._Element, trusted: frozenset[Digest]) -> x509.Certificate:
    """The certificate of the signature that is trusted. It is taken by its digest: no name, chain or root makes up for it."""
    held = []
    for element in _find(signature, "KeyInfo/X509Data/X509Certificate"):
        try:
            certificate = x509.load_der_x509_certificate(b64decode("".join((element.text or "").split()), validate=True))
        except ValueError as error:
            raise _fault(
                Message("the signature holds a certificate that cannot be read: {why}", {"why": str(error)}),
                Message("ask its sender for the document anew"),
            ) from error
        held.append(digest_of(certificate.public_bytes(Encoding.DER)))
        if held[-1] in trusted:
            return certificate
    if not held:
        raise _fault(
            Message("the signature does not say by whose certificate it is (X509Data)"),
            Message("ask its sender to sign with X509Data"),
        )
    raise _fault(
        Message("the signature is by a certificate that is not trusted: {got}", {"got": held[0]}),
        Message("trust that certificate by its digest, if you have it from its owner"),
    )


def _check_signature(signature: etree._Element, own: str) -> list[str]:
    """URIs that a signature covers, the first `own`; everything that it uses must be known and strong.

    Parameters
    ----------
    signature
        The ``ds:Signature``.
    own
        URI of the binding: empty for the document that the signature stands in.
    """
    used = [("CanonicalizationMethod", _algorithm(signature, "SignedInfo/CanonicalizationMethod"), {_C14N.value})]
    used.append(("SignatureMethod", _algorithm(signature, "SignedInfo/SignatureMethod"), {each.value for each in _METHODS}))
    references = _find(signature, "SignedInfo/Reference")
    covered = []
    for reference in references:
        uri = reference.get("URI")
        covered.append("#" if uri is None else uri)
        used.append(("DigestMethod", _algorithm(reference, "DigestMethod"), {each.value for each in _DIGESTS}))
        transforms = " ".join(
            f"{each.get('Algorithm', '')}{' with parameters' if len(each) else ''}"
            for each in _find(reference, "Transforms/Transform")
        )
        expected = "" if uri != own else _C14N.value if own else f"{_ENVELOPED} {_C14N.value}"
        used.append(("Transforms", transforms, {expected}))
    for name, got, known in used:
        if got not in known:
            raise _fault(
                Message(
                    "the signature uses {got} as {name}, expected {expected}",
                    {"got": got or "nothing", "name": name, "expected": " or ".join(sorted(known)) or "nothing"},
                ),
                Message("sign with SHA-384 digests, ECDSA-SHA256 or RSA-SHA256, and exclusive canonicalisation"),
            )
    children = [name_of(child)[1] for child in signature]
    if children != ["SignedInfo", "SignatureValue", "KeyInfo"]:
        raise _fault(
            Message("the signature holds {got}, expected SignedInfo, SignatureValue, KeyInfo", {"got": ", ".join(children)}),
            Message("ask its sender to sign without further objects: they would not be covered"),
        )
    if covered.count(own) != 1 or len(set(covered)) != len(covered) or len(covered) > _MOST_REFERENCES:
        raise _fault(
            Message(
                "the signature covers {got}, expected the whole binding ({own!r}) and each of its data once",
                {"got": ", ".join(map(repr, covered[:5])) or "nothing", "own": own},
            ),
            Message("do not use this document: parts of it are not signed"),
        )
    return covered


def _verify(
    data: bytes,
    signature: etree._Element,
    *,
    own: str,
    trusted: Iterable[x509.Certificate | bytes | str],
    at: Instant,
    resolve: Callable[[str], bytes | etree._Element],
) -> VerifiedBinding:
    """Verify the signature that stands in `data`, and read what it covers from the covered bytes."""
    covered = _check_signature(signature, own)
    certificate = _trusted_certificate(signature, _signers(trusted))
    _check_strength(certificate)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise _fault(
            Message("the certificate of the signature is not valid at the instant in question"),
            Message("ask its sender to sign with a certificate in force"),
        )
    configuration = SignatureConfiguration(
        location="./",
        expect_references=False,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        # signxml would read the clock.
        verification_time=at,
    )
    try:
        results = XMLVerifier().verify(data, x509_cert=certificate, uri_resolver=resolve, expect_config=configuration)
    # What a stranger's document makes signxml, lxml and cryptography raise is no closed set; each of these means: not verified.
    except (SignXMLException, etree.LxmlError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _fault(
            Message("the signature does not hold: {why}", {"why": str(error) or type(error).__name__}),
            Message("do not use the document or its data: one of them was changed after it was signed"),
        ) from error
    if not isinstance(results, list) or len(results) != len(covered):
        raise _fault(Message("the signature does not hold: {why}", {"why": "references differ"}))
    signed = parse_xml(results[covered.index(own)].signed_data, what="metadata binding", most_bytes=_MOST_BYTES)
    bindings = _read_information(signed)
    named = set(_uris_of(bindings))
    if named != set(covered) - {own}:
        wrong = min(named ^ (set(covered) - {own}))
        raise _fault(
            Message("{uri}: the signature and the binding do not name the same data", {"uri": wrong}),
            Message("do not use this document: parts of it are not signed"),
        )
    return VerifiedBinding(bindings, digest_of(certificate.public_bytes(Encoding.DER)), certificate.subject.rfc4514_string())


def verify_binding(
    data: bytes, *, trusted: Iterable[x509.Certificate | bytes | str], at: Instant, resolve: Resolve
) -> VerifiedBinding:
    """Bindings that the signature within `data` covers.

    Parameters
    ----------
    data
        ``BindingInformation`` with an enveloped signature.
    trusted
        Whose signatures hold: certificates, their PEM, or their SHA-256 digests (``sha256:...``). A certificate is trusted for
        itself: no chain is followed.
    at
        Instant at which the certificate must be valid.
    resolve
        Bytes of the data at a URI. It is asked only for what a trusted signer referenced.

    Raises
    ------
    InputError
        If the binding is unsigned, the signature does not hold or is not trusted, or something is not covered by it.
    """
    _root, signature = _parse(data)
    if signature is None:
        raise _fault(Message("the binding is unsigned"), Message("ask its sender to sign it, or read it as unsigned"))
    return _verify(data, signature, own="", trusted=trusted, at=at, resolve=resolve)


def verify_binding_detached(
    signature: bytes, *, uri: str, trusted: Iterable[x509.Certificate | bytes | str], at: Instant, resolve: Resolve
) -> VerifiedBinding:
    """Bindings at `uri` that the document `signature` covers.

    Parameters
    ----------
    signature
        Document that is a ``ds:Signature``.
    uri
        Where the binding lies, as the signature references it; `resolve` gives its bytes as those of the data.
    trusted, at, resolve
        As in `verify_binding`.

    Raises
    ------
    InputError
        As in `verify_binding`.
    """
    root = parse_xml(signature, what="signature", most_bytes=_MOST_BYTES)
    if root.tag != _SIGNATURE or len(list(root.iter(_SIGNATURE))) != 1:
        raise _fault(
            Message("{name} is no signature document, expected Signature", {"name": name_of(root)[1]}),
            Message("make sure that this is a detached XML signature"),
        )
    table = Table({"uri": uri})

    def resolved(wanted: str) -> bytes | etree._Element:
        found = resolve(wanted)
        return parse_xml(found, what="metadata binding", most_bytes=_MOST_BYTES) if wanted == uri else found

    return _verify(signature, root, own=_uri(table, "uri"), trusted=trusted, at=at, resolve=resolved)
