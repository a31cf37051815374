"""Following links of others: to public addresses only, checked against what is known of them."""

from __future__ import annotations

import io
import socket

import pytest
from simulators.web import web

from kizuna.adapters.web_fetch import WebFetch, is_public
from kizuna.errors import InputError
from kizuna.model.digests import digest_of


@pytest.fixture
def served():
    with web() as made:
        yield made


def fetched(served, path="/a", hosts=("127.0.0.1",), **options):
    target = io.BytesIO()
    url = path if "://" in path else served.url + path
    at, digest = WebFetch(hosts).fetch(url, target, **{"most_bytes": 1000, **options})
    assert digest == digest_of(target.getvalue())
    return target.getvalue(), at


PRIVATE = """127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 ::1 ::
fe80::1%eth0 fc00::1 ff02::1 ::ffff:10.0.0.1 ::ffff:127.0.0.1 64:ff9b::a00:1 2002:a00:1:: 2001:0:1::1 2001:db8::1 198.51.100.1"""


@pytest.mark.parametrize("address", PRIVATE.split())
def test_these_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_these_are_public(address):
    assert is_public(address)


def test_a_private_address_is_asked_only_where_its_host_is_named(served):
    served.answers["/a"] = b"hello"
    assert fetched(served)[0] == b"hello"
    served.asked.clear()
    with pytest.raises(InputError, match="no public address") as caught:
        fetched(served, hosts=(), digest=digest_of(b"hello"))
    assert "stac_private_hosts" in caught.value.hint.render()
    assert served.asked == []


def test_a_name_that_leads_to_a_private_address_is_not_asked(served, monkeypatch):
    """Nor one of which only one of several addresses is private."""
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, served.port)) for address in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: answers)
    with pytest.raises(InputError, match=r"public\.example is at 127\.0\.0\.1"):
        fetched(served, f"https://public.example:{served.port}/a")
    assert served.asked == []


@pytest.mark.parametrize("written", ["0x7f000001", "2130706433", "127.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
def test_other_ways_to_write_the_same_address_lead_nowhere(served, written):
    served.answers["/a"] = b"secret"
    with pytest.raises(InputError):
        fetched(served, f"http://{written}:{served.port}/a", hosts=("127.0.0.9",), digest=digest_of(b"secret"))
    assert served.asked == []


def test_a_redirection_to_a_private_address_is_not_followed(served):
    served.answers["/a"] = (302, f"http://localhost:{served.port}/secret")
    served.answers["/secret"] = b"secret"
    with pytest.raises(InputError):
        fetched(served, digest=digest_of(b"secret"))
    assert served.asked == ["/a"]


def test_redirections_are_followed_a_few_times(served):
    served.answers |= {"/a": (301, "/b"), "/b": (307, f"{served.url}/c"), "/c": b"there"}
    assert fetched(served) == (b"there", f"{served.url}/c")
    served.answers["/c"] = (302, "/a")
    with pytest.raises(InputError, match="more than 5 redirections"):
        fetched(served)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://a/b",
        "http://",
        "https://a@b/c",
        "https://a:b@c/",
        "http://a\nb/",
        "http://ａ/",
        "/a",
        "http://[::1",
    ],
)
def test_what_is_no_such_address_is_refused(served, url):
    with pytest.raises(InputError):
        WebFetch(["a", "b", "c"]).fetch(url, io.BytesIO(), most_bytes=10, digest=digest_of(b""))


def test_without_tls_only_what_a_checksum_vouches_for(monkeypatch):
    with pytest.raises(InputError, match="without TLS"):
        WebFetch().fetch("http://public.example/a", io.BytesIO(), most_bytes=10)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"most_bytes": 4}, "more than 4 bytes"),
        ({"size": 4}, "more than 4 bytes"),
        ({"size": 6}, "5 bytes, expected 6"),
        ({"digest": digest_of(b"other")}, "not what its checksum says"),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(served, options, match):
    served.answers["/a"] = b"hello"
    with pytest.raises(InputError, match=match):
        fetched(served, **options)


def test_what_ends_early_or_is_not_there_is_refused(served):
    with pytest.raises(InputError, match="answers 404"):
        fetched(served, "/missing")
    served.answers["/a"] = b"hello"
    served.truncate = True
    with pytest.raises(InputError):
        fetched(served)
