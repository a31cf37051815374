"""XML that others wrote, parsed without entities, network, schema defaults or unbounded size.

Whoever sends a file must not make this node read another file, call another machine, or fill its memory. A document type
declaration is all that such attacks stand on, and no format that kizuna reads needs one, so a document with one is refused.
"""

from __future__ import annotations

from lxml import etree

from kizuna.errors import InputError, Message

__all__ = ["parse_xml"]

# Other encodings can spell "<!DOCTYPE" in bytes that the look before parsing does not see.
_ENCODINGS = frozenset({"UTF-8", "US-ASCII", "ASCII"})


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        # A comment within a text would split it, and readers of `.text` would see only its beginning.
        remove_comments=True,
        remove_pis=True,
    )


def parse_xml(data: bytes, *, what: str, most_bytes: int = 4_000_000) -> etree._Element:
    """Root element of the XML document `data`, its comments and processing instructions left out.

    Parameters
    ----------
    data
        Document in UTF-8.
    what
        What it is, for the errors (``"security policy food.xml"``).
    most_bytes
        Largest document that is parsed.

    Raises
    ------
    InputError
        If it is too large, no well-formed XML in UTF-8, or declares a document type or entities.

    Examples
    --------
    >>> parse_xml(b"<a><b>1</b></a>", what="example").findtext("b")
    '1'
    """
    if len(data) > most_bytes:
        raise InputError(
            Message("{what}: {got} bytes of XML, expected at most {most}", {"what": what, "got": len(data), "most": most_bytes}),
            hint=Message("make sure that this is the file that you mean"),
        )
    # Looked for before anything is parsed: what a declaration defines costs memory even where it is never used.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        _refuse_declaration(what)
    try:
        data.decode()
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, UnicodeDecodeError, ValueError) as error:
        raise InputError(
            Message("{what}: not XML: {why}", {"what": what, "why": getattr(error, "msg", None) or str(error)}),
            hint=Message("correct the line that it names; the file must be UTF-8"),
        ) from error
    document = root.getroottree().docinfo
    if (document.encoding or "UTF-8").upper() not in _ENCODINGS:
        raise InputError(
            Message("{what}: the XML is in {got}, expected UTF-8", {"what": what, "got": document.encoding or ""}),
            hint=Message("convert the file to UTF-8"),
        )
    if document.internalDTD is not None:
        _refuse_declaration(what)
    return root


def _refuse_declaration(what: str) -> None:
    raise InputError(
        Message("{what}: the XML declares a document type or entities, which kizuna never reads", {"what": what}),
        hint=Message("remove the <!DOCTYPE ...> declaration"),
    )
