import pytest

from kizuna.errors import InputError
from kizuna.formats.xml_reading import parse_xml

BILLION_LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<lolz>&b;</lolz>"""
OUTSIDE = b"""<!DOCTYPE a [<!ENTITY secret SYSTEM "file:///etc/hostname">]><a>&secret;</a>"""


def test_a_document_is_parsed_with_its_namespaces():
    root = parse_xml("<a xmlns='urn:x'><b>秘</b></a>".encode(), what="x")
    assert root.tag == "{urn:x}a"
    assert root.findtext("{urn:x}b") == "秘"


@pytest.mark.parametrize("data", [BILLION_LAUGHS, OUTSIDE, b"<!DOCTYPE a SYSTEM 'http://x.invalid/a.dtd'><a/>"])
def test_a_document_type_is_refused(data):
    with pytest.raises(InputError, match=r"x\.xml: the XML declares a document type"):
        parse_xml(data, what="x.xml")


@pytest.mark.parametrize("encoding", ["utf-7", "utf-16", "utf-16-le", "utf-32", "cp037"])
def test_a_document_type_does_not_hide_in_another_encoding(encoding):
    text = f"<?xml version='1.0' encoding='{encoding}'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"
    with pytest.raises(InputError):
        parse_xml(text.encode(encoding), what="x.xml")


def test_another_encoding_is_refused_by_name():
    with pytest.raises(InputError, match="in ISO-8859-1, expected UTF-8"):
        parse_xml(b"<?xml version='1.0' encoding='ISO-8859-1'?><a/>", what="x.xml")


@pytest.mark.parametrize("data", [b"", b"<a>", b"plain", b"<a/><b/>", b"<a>\xff</a>", b"<a>&undeclared;</a>"])
def test_what_is_no_xml_is_refused(data):
    with pytest.raises(InputError, match=r"x\.xml: not XML"):
        parse_xml(data, what="x.xml")


def test_size_is_bounded():
    assert parse_xml(b"<a/>", what="x", most_bytes=4).tag == "a"
    with pytest.raises(InputError, match="5 bytes of XML, expected at most 4"):
        parse_xml(b"<aa/>", what="x", most_bytes=4)


def test_depth_is_bounded():
    with pytest.raises(InputError):
        parse_xml(b"<a>" * 100_000 + b"</a>" * 100_000, what="x")


def test_a_comment_does_not_cut_a_text_short():
    assert parse_xml(b"<a>SEC<!-- x -->RET<?p x?>!</a>", what="x").text == "SECRET!"
