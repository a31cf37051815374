"""Labels in the files that a person names: which encoding it is, and what the file says, is bound to and is signed by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit

from kizuna.cli.terminal import read_file
from kizuna.errors import InputError, Message
from kizuna.formats.agreement import parse_toml, read_label_document
from kizuna.model.confidentiality import LabelRole
from kizuna.model.instants import parse_instant
from kizuna.wiring import label_path, open_input, read_label_file, system_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from kizuna.model.confidentiality import ConfidentialityLabel
    from kizuna.model.instants import Instant
    from kizuna.model.label import Label
    from kizuna.model.parties import Party
    from kizuna.release.policies import SecurityPolicy

__all__ = ["BINDING", "IC_ISM", "LABEL_XML", "NITF", "PRODUCT", "Inside", "LabelFile", "load", "load_policy", "naming"]

PRODUCT = "toml"
LABEL_XML = "adatp-4774"
BINDING = "adatp-4778"
NITF = "nitf"
IC_ISM = "ic-ism"

_HEAD_BYTES = 4096
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class LabelFile:
    """What a file says of its label.

    Parameters
    ----------
    encoding
        `PRODUCT`, `LABEL_XML`, `BINDING`, `NITF` or `IC_ISM`.
    written
        Labels as ADatP-4774 structures them; empty for a product's.
    product
        The label of a ``.label.toml`` (or of what a file itself says), as agreements are decided on.
    sloppy
        Why the file is not as its standard has it, though it could be read.
    bound
        URIs of the data that a binding binds the labels to.
    signed
        Whether a binding carries a signature; None for what is no binding.
    signer
        Who signed it, where the signature was verified.
    """

    encoding: str
    written: tuple[ConfidentialityLabel, ...] = ()
    product: Label | None = None
    sloppy: InputError | None = None
    bound: tuple[str, ...] = ()
    signed: bool | None = None
    signer: str | None = None

    def main(self, policy_uri: str | None = None) -> ConfidentialityLabel:
        """The originator's label as ADatP-4774 structures it; the first where there is none of the originator.

        Parameters
        ----------
        policy_uri
            Identifier of a product's policy, which its label does not hold.

        Raises
        ------
        InputError
            If a product's label says what that structure cannot hold.
        """
        if self.product is not None:
            from kizuna.release.labels import confidentiality_of

            return confidentiality_of(self.product, policy_uri=policy_uri)
        return next((label for label in self.written if label.role is LabelRole.ORIGINATOR), self.written[0])

    def others(self) -> tuple[ConfidentialityLabel, ...]:
        """Labels that a binding holds beside the main one."""
        return tuple(label for label in self.written if label is not self.main())

    def notes(self) -> Iterator[Message]:
        """What a person must know of the file beside its label."""
        if self.signed is False:
            yield Message("the binding is unsigned: nothing shows who made it, or that it is whole")
        elif self.signer is not None:
            yield Message("signed by {signer}", {"signer": self.signer})
        elif self.signed:
            yield Message("the binding is signed, and its signature was not checked: name the signer's certificate with --trust")


@dataclass(frozen=True, slots=True)
class Inside:
    """How the label is read that a file itself carries.

    Parameters
    ----------
    encoding
        `NITF`, a file's own security group or its 167 bytes alone, or `IC_ISM`, the attributes that mark an XML document.
    country_codes
        Which code NITF's pairs of letters are of: ``ISO_3166`` or ``FIPS_10_4``.
    letters
        Letter (in IC-ISM: mark) for each classification of the policy; empty for the English words.
    originator
        Who labelled, where the file does not say.
    labelled
        When; None where the file says it.
    """

    encoding: str
    country_codes: str
    letters: Mapping[str, str]
    originator: Party | None
    labelled: Instant | None


def naming(path: Path, error: InputError) -> InputError:
    """`error` with the file in which it lies."""
    return InputError(Message("{path}: {why}", {"path": str(path), "why": error.message}), hint=error.hint, field=error.field)


def _load_label(data: bytes) -> LabelFile:
    from kizuna.formats.label_xml import read_label_xml

    try:
        return LabelFile(LABEL_XML, (read_label_xml(data),))
    except InputError as strict:
        try:
            return LabelFile(LABEL_XML, (read_label_xml(data, strict=False),), sloppy=strict)
        except InputError:
            raise strict from None


def _within(folder: Path, uri: str) -> bytes:
    """Bytes of data that a binding names by a relative URI: a file in the binding's folder or below it, nothing else."""
    parts = urlsplit(uri)
    path = (folder / unquote(parts.path)).resolve()
    if parts.scheme or parts.netloc or parts.query or parts.fragment or not path.is_relative_to(folder.resolve()):
        raise InputError(
            Message("{uri} does not lie in the folder of its binding, and is not fetched", {"uri": uri}),
            hint=Message("bind data by a relative URI, and keep them beside the binding"),
            field="DataReference",
        )
    # What is bound may be a whole scene.
    with open_input(path) as file:
        return file.read()


def _load_binding(path: Path, data: bytes, trust: Sequence[Path]) -> LabelFile:
    from kizuna.formats.binding import read_binding, verify_binding

    signer = None
    if trust:
        verified = verify_binding(
            data,
            trusted=[read_file(certificate) for certificate in trust],
            at=system_now(),
            resolve=lambda uri: _within(path.parent, uri),
        )
        bindings, signed, signer = verified.bindings, True, f"{verified.subject} ({verified.signer})"
    else:
        read = read_binding(data)
        bindings, signed = read.bindings, read.signed
    labels = tuple(dict.fromkeys(label for binding in bindings for label in binding.labels))
    originators = [label for label in labels if label.role is LabelRole.ORIGINATOR]
    if len(originators) > 1:
        raise InputError(
            Message("the binding holds {got} labels of originators for different data, expected one", {"got": len(originators)}),
            hint=Message("write a binding for each of them"),
            field="MetadataBinding",
        )
    bound = tuple(dict.fromkeys(reference.uri for binding in bindings for reference in binding.data))
    return LabelFile(BINDING, labels, bound=bound, signed=signed, signer=signer)


def _load_xml(path: Path, trust: Sequence[Path]) -> LabelFile:
    from kizuna.formats.binding import BINDING_NAMESPACE
    from kizuna.formats.spif import SPIF_NAMESPACE
    from kizuna.formats.xml_elements import name_of
    from kizuna.formats.xml_reading import parse_xml

    data = read_file(path)
    namespace, name = name_of(parse_xml(data, what=str(path)))
    if namespace == SPIF_NAMESPACE:
        raise InputError(
            Message("{path} is a security policy, no label", {"path": str(path)}),
            hint=Message("name the file that carries a label, and this one with --policy {path}", {"path": str(path)}),
            field="file",
        )
    try:
        if (namespace, name) == (BINDING_NAMESPACE, "BindingInformation"):
            return _load_binding(path, data, trust)
        return _load_label(data)
    except InputError as error:
        raise naming(path, error) from error


def _labelled(inside: Inside, found: Instant | None) -> Instant:
    if inside.labelled is None and found is None:
        raise InputError(
            Message("the file does not say when it was labelled"),
            hint=Message("say it with --labelled"),
            field="labelled",
        )
    return inside.labelled or cast("Instant", found)


def _nitf_label(data: bytes, inside: Inside) -> Label:
    from kizuna.formats.nitf_security import (
        ENGLISH_LETTERS,
        NITF_SECURITY_BYTES,
        CountryCodes,
        file_date,
        file_security,
        label_of,
        parse_nitf_security,
    )

    alone = len(data) == NITF_SECURITY_BYTES
    return label_of(
        parse_nitf_security(data) if alone else file_security(data),
        codes=CountryCodes[inside.country_codes],
        created=_labelled(inside, None if alone else file_date(data)),
        originator=inside.originator,
        letters=inside.letters or ENGLISH_LETTERS,
    )


def _ism_label(data: bytes, name: str, inside: Inside) -> Label:
    from kizuna.formats.ism import ENGLISH_MARKS, label_of_ism
    from kizuna.formats.ism_xml import read_ism_attributes

    attributes = read_ism_attributes(data, name=name)
    # When the marking was made, which a label holds apart.
    day = attributes.pop("createDate", None)
    return label_of_ism(
        attributes,
        created=_labelled(inside, None if day is None else parse_instant(day, field="createDate")),
        originator=inside.originator,
        marks=inside.letters or ENGLISH_MARKS,
    )


def _load_inside(path: Path, inside: Inside) -> LabelFile:
    if inside.encoding == NITF:
        with open_input(path) as file:
            data = file.read(_HEAD_BYTES)
    else:
        data = read_file(path)
    try:
        label = _nitf_label(data, inside) if inside.encoding == NITF else _ism_label(data, path.name, inside)
    except InputError as error:
        raise naming(path, error) from error
    return LabelFile(inside.encoding, product=label)


def load(path: Path, trust: Sequence[Path] = (), inside: Inside | None = None) -> LabelFile:
    """Label that `path` is or carries: a ``.label.toml``, an XML label, an XML binding, or any file with its label beside it.

    Parameters
    ----------
    path
        The file.
    trust
        Certificates (PEM) of which one must have signed. Then only a binding whose signature holds is taken.
    inside
        How to read the label that the file itself carries, instead of the one beside it.

    Raises
    ------
    InputError
        If there is no label, or one that cannot be used.
    """
    if inside is not None:
        found = _load_inside(path, inside)
    elif path.suffix == ".toml":
        found = LabelFile(PRODUCT, product=_read_product(path))
    elif label_path(path).exists():
        found = LabelFile(PRODUCT, product=read_label_file(label_path(path)))
    else:
        with open_input(path) as file:
            head = file.read(_HEAD_BYTES).removeprefix(_BYTE_ORDER_MARK).lstrip()
        if not head.startswith(b"<"):
            # Says what is missing: the label beside the file.
            return LabelFile(PRODUCT, product=read_label_file(label_path(path)))
        found = _load_xml(path, trust)
    if trust and found.encoding != BINDING:
        raise InputError(
            Message("{path} is no binding and carries no signature", {"path": str(path)}),
            hint=Message("leave --trust out"),
            field="trust",
        )
    return found


def _read_product(path: Path) -> Label:
    document = parse_toml(read_file(path), name=str(path))
    try:
        return read_label_document(document)
    except InputError as error:
        raise naming(path, error) from error


def load_policy(path: Path) -> SecurityPolicy:
    """Security policy of an XML SPIF.

    Raises
    ------
    InputError
        If it is none, or contradicts itself.
    """
    from kizuna.formats.spif import read_spif

    return read_spif(read_file(path), name=str(path))
