import gzip
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from serving import STRANGE, strange_server

from rag.documents.fetch import REDIRECTS, IpAddress, Page, fetch, is_address, is_public
from rag.errors import DocumentError

Reply = tuple[int, dict[str, str], bytes]
HTML = {"Content-Type": "text/html; charset=koi8-r"}


class Site:
    """A server on loopback: `replies` by path, `asked` the headers of what came."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {"/": (200, HTML, b"<p>Pond</p>")}
        self.asked: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, dict(self.headers)))
                status, headers, body = site.replies.get(self.path, (404, {}, b""))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def get(self, path: str = "/", allowed: Callable[[IpAddress], bool] = lambda _: True) -> Page:
        return fetch(self.url + path, online=True, seconds=10, allowed=allowed)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_addresses_are_told_from_paths() -> None:
    assert is_address("https://example.org")
    assert is_address("HTTP://example.org")
    assert not is_address("http")
    assert not is_address("notes/http://a")


def test_without_consent_nothing_is_asked(site: Site) -> None:
    with pytest.raises(DocumentError, match=r"needs your consent; allow it with --online or RAG_ONLINE=true\."):
        fetch(site.url, online=False, allowed=lambda _: True)
    assert site.asked == []


def test_a_page_is_fetched_with_what_the_server_says_of_it(site: Site) -> None:
    page = site.get("/")
    assert page == Page("html", "koi8-r", b"<p>Pond</p>")
    [(path, headers)] = site.asked
    assert path == "/"
    assert headers["Host"] == site.url.removeprefix("http://")


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("application/xhtml+xml", "html"),
        ("Text/Plain", "text"),
        ("application/pdf", "pdf"),
        ("text/markdown", "markdown"),
    ],
)
def test_the_content_type_tells_the_kind(site: Site, content_type: str, kind: str) -> None:
    site.replies["/"] = 200, {"Content-Type": content_type}, b"x"
    assert (site.get().kind, site.get().charset) == (kind, None)


def test_redirects_are_followed_to_the_page(site: Site) -> None:
    site.replies["/old"] = 302, {"Location": "a/b"}, b""
    site.replies["/a/b"] = 308, {"Location": "//" + site.url.removeprefix("http://") + "/?q=1#part"}, b""
    site.replies["/?q=1"] = 200, HTML, b"found"
    assert site.get("/old").content == b"found"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((404, HTML, b""), "answers with status 404"),
        ((200, {"Content-Type": "image/png"}, b"x"), "holds 'image/png', not HTML, text or PDF"),
        ((200, {}, b"x"), "holds 'no content type'"),
        ((200, HTML | {"Content-Length": "9"}, b"x"), "cannot be fetched"),
        ((200, HTML | {"Content-Encoding": "br"}, b"x"), "packed in a way that cannot be read"),
        ((200, HTML | {"Content-Encoding": "gzip"}, b"not packed at all"), "cannot be fetched"),
        ((200, HTML | {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 99)[:-9]), "breaks off"),
        ((200, HTML, b"x" * 1_000_001), "is larger than 1 MB"),
        ((200, HTML | {"Content-Encoding": "gzip"}, gzip.compress(bytes(300_000_000), 1)), "is larger than 1 MB"),
        ((302, {"Location": "/"}, b""), f"redirects more than {REDIRECTS} times"),
        ((302, {"Location": "file:///etc/passwd"}, b""), "etc/passwd', which is not an http"),
        ((302, {"Location": "http://me:secret@127.0.0.1/"}, b""), "holds a user name or password"),
        ((302, {"Location": "http://[::1"}, b""), "cannot be fetched (Invalid URL in location header"),
        ((302, {"Location": "http://xn--/"}, b""), "cannot be fetched"),
        ((302, {"Location": "http://127.0.0.1:99999/"}, b""), "not an http(s) address"),
        ((302, {"Location": f"file:{'/' * 60_000}"}, b""), "//…', which is not an http"),
    ],
)
def test_the_reason_for_a_refusal_is_said(
    site: Site, reply: Reply, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rag.documents.fetch.MEGABYTES", 1)
    site.replies["/"] = reply
    with pytest.raises(DocumentError) as caught:
        site.get()
    assert str(caught.value).startswith(repr(f"{site.url}/"))
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("charset", "known"),
    [
        ("koi8-r", "koi8-r"),
        ("'UTF-8'", "UTF-8"),
        ('"cp1252" ; x=y', "cp1252"),
        ("utf-16", "utf-16"),
        *((name, None) for name in ("undefined", "rot13", "base64", "idna", "punycode", "unicode_escape", "nonsense")),
        ("raw-unicode-escape", None),
        ("a" * 90_000, None),
        ("é", None),
        ("..", None),
    ],
)
def test_only_a_charset_of_texts_is_believed(site: Site, charset: str, known: str | None) -> None:
    site.replies["/"] = 200, {"Content-Type": f"text/html; charset = {charset}"}, b"x"
    assert site.get().charset == known


@pytest.mark.parametrize("name", STRANGE)
def test_whatever_a_server_sends_ends_in_one_sentence(name: str) -> None:
    with strange_server(STRANGE[name]) as address, pytest.raises(DocumentError) as caught:
        fetch(address, online=True, seconds=10, allowed=lambda _: True)
    message = str(caught.value)
    assert message.startswith(repr(address)) and message.endswith(".")
    assert len(message) < 2_000 and "\n" not in message


def test_whatever_a_library_raises_ends_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RecursionError("a\nb" * 1000)

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(DocumentError, match=r"'http://a\.example/' cannot be fetched \(a ba ba"):
        fetch("http://a.example/", online=True, seconds=5)


@pytest.mark.parametrize("address", ["http://xn--/", "http://", "http://[", "http://a:b/", "http://" + "a." * 300])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(DocumentError, match=r"not a valid web address|not an http|cannot be fetched"):
        fetch(address, online=True, seconds=5)


def test_an_endless_address_is_refused_by_its_length() -> None:
    with pytest.raises(DocumentError, match=r"aaa…' has more than 1,000 characters; give a shorter address\."):
        fetch("http://a.example/" + "a" * 10**6, online=True)


def test_a_page_packed_unasked_is_unpacked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rag.documents.fetch.MEGABYTES", 1)
    site.replies["/"] = 200, HTML | {"Content-Encoding": "gzip"}, gzip.compress(b"Pond " * 200_000)
    assert site.get().content == b"Pond " * 200_000


PUBLIC = [
    "1.1.1.1", "93.184.215.14", "192.0.1.1", "192.31.195.1", "192.88.98.1", "192.175.49.1", "100.63.255.255",
    "2606:4700::1111", "2001:200::1", "2620:4f:8001::1", "3fff:1000::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
    "2002:101:101::",
]  # fmt: skip


@pytest.mark.parametrize("number", PUBLIC)
def test_a_public_address_is_told(number: str) -> None:
    assert is_public(ipaddress.ip_address(number))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "0",
        "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "127.0.0.1.", "１２７.0.0.1", "%31%32%37.0.0.1",
    ],
)  # fmt: skip
def test_inner_addresses_are_refused_in_every_spelling(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    async def connect(*_: object, **__: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", connect)
    with pytest.raises(DocumentError, match=r"not an address of the public internet|not a valid|no address is known"):
        fetch(f"http://{host}/", online=True, seconds=5)


def test_a_redirect_to_an_inner_address_is_refused(site: Site) -> None:
    site.replies["/start"] = 302, {"Location": f"{site.url}/secret"}, b""
    site.replies["/secret"] = 200, HTML, b"secret"
    seen: list[IpAddress] = []

    def only_the_first(address: IpAddress) -> bool:
        seen.append(address)
        return len(seen) == 1 or is_public(address)

    with pytest.raises(DocumentError, match=r"leads to 127\.0\.0\.1, which is not an address of the public internet"):
        site.get("/start", allowed=only_the_first)
    assert [path for path, _ in site.asked] == ["/start"]


def test_every_address_of_a_name_must_be_public(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 80)) for number in ("1.1.1.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    with pytest.raises(DocumentError, match=r"leads to 127\.0\.0\.1"):
        fetch("http://two.example/", online=True, seconds=5)


def test_the_connection_goes_to_the_address_that_was_checked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that says something else when it is asked again changes nothing."""
    asked = []
    resolve = socket.getaddrinfo

    def rebind(host: str, *rest: object, **more: object) -> object:
        asked.append(host)
        return resolve("127.0.0.1" if asked.count("pond.example") == 1 else "127.0.0.2", *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    seen = []
    port = site.url.rsplit(":", 1)[1]
    address = f"http://pond.example:{port}/"
    fetch(address, online=True, seconds=5, allowed=lambda ip: not seen.append(str(ip)))
    assert seen == ["127.0.0.1"]
    assert asked.count("pond.example") == 1
    assert site.asked[0][1]["Host"] == f"pond.example:{port}"


def test_a_certificate_is_checked_by_the_name_though_the_connection_goes_to_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 0)) for number in ("1.1.1.1", "1.1.1.2")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: two)
    tried = []

    async def connect(_: object, attempt: httpx.Request) -> httpx.Response:
        tried.append((attempt.url.host, attempt.extensions["sni_hostname"], attempt.headers["Host"]))
        if len(tried) == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, headers={"Content-Type": "text/plain"}, stream=httpx.ByteStream(b"Pond"))

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", connect)
    assert fetch("https://pond.example/", online=True, seconds=5).content == b"Pond"
    assert tried == [(number, "pond.example", "pond.example") for number in ("1.1.1.1", "1.1.1.2")]


def test_proxies_of_the_environment_are_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert site.get().content == b"<p>Pond</p>"


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Slow: "])
def test_a_server_that_drips_its_answer_is_left(sent: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(sent)
                while not stop.wait(0.05) and sent:
                    connection.sendall(b"x")
                stop.wait(20)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        began = time.monotonic()
        try:
            with pytest.raises(DocumentError, match="did not answer within 1 seconds"):
                fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/", online=True, seconds=1, allowed=lambda _: True)
        finally:
            stop.set()
        assert time.monotonic() - began < 5
        thread.join(5)


def test_an_address_where_nobody_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DocumentError, match=rf"'http://127\.0\.0\.1:{port}/' cannot be fetched"):
        fetch(f"http://127.0.0.1:{port}/", online=True, seconds=5, allowed=lambda _: True)
