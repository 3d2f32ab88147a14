"""One web address -> its content, with the user's consent and only from public addresses."""

import ipaddress
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from rag.bounds import NAME
from rag.documents.clean import quoted
from rag.documents.text import known_charset
from rag.errors import DocumentError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Check = Callable[[IpAddress], bool]

REDIRECTS = 5
KINDS = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/plain": "text",
    "text/markdown": "markdown",
    "application/pdf": "pdf",
}
_CHARSET = re.compile(r"""charset\s{0,9}=\s{0,9}["']?([^\s"';]{1,40})""", re.IGNORECASE)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocol assignments
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunneling
        "192.88.99.0/24",  # 6to4 relays
        "192.175.48.0/24",  # AS112
        "2001::/23",  # protocol assignments
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
]
"""Blocks of IANA's registries of special addresses that some version of Python takes for public ones."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_MOVED = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Page:
    """What an address holds: `kind` is "html", "text", "markdown" or "pdf", `charset` the one the server named."""

    address: str
    kind: str
    charset: str | None
    content: bytes


def is_address(source: str) -> bool:
    """Whether `source` is a web address rather than a path."""
    return source.lower().startswith(("http://", "https://"))


def is_public(address: IpAddress) -> bool:
    """Whether `address` is one of the public internet, also when it wraps an IPv4 address (RFC 4291, 3056, 6052)."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(wrapped)
        return address.is_global and address in _GLOBAL_UNICAST and not _is_special(address)
    return address.is_global and not (address.is_multicast or address.is_reserved or _is_special(address))


def _is_special(address: IpAddress) -> bool:
    return any(address in network for network in _SPECIAL)


def fetch(
    address: str, *, online: bool, seconds: float = 30.0, megabytes: int = 20, allowed: Check = is_public
) -> Page:
    """Get `address`, following at most REDIRECTS redirects, each checked like the first.

    Every IP address of the host must be `allowed`, and the connection goes to one that was
    checked, so that a name cannot point elsewhere later. Proxies of the environment are not
    used: they would resolve the name themselves. `seconds` bounds the whole, except for the
    system's name resolution. Raises DocumentError with the reason.
    """
    if not online:
        raise DocumentError(
            f"{quoted(address)} is a web address, and going online needs your consent; "
            "allow it with --online or RAG_ONLINE=true."
        )
    if len(address) > NAME:
        raise DocumentError(f"{quoted(address)} has more than {NAME:,} characters; give a shorter address.")
    backend = _CheckedBackend(allowed, time.monotonic() + seconds)
    try:
        with httpcore.ConnectionPool(network_backend=backend) as pool:
            return _followed(pool, address, megabytes)
    except _Refused as error:
        raise DocumentError(f"{quoted(address)} {error}.") from error
    except httpcore.TimeoutException as error:
        raise DocumentError(f"{quoted(address)} did not answer within {seconds:g} seconds; try again later.") from error
    except Exception as error:  # What a server sends decides what the libraries raise.
        reason = " ".join(str(error).split())[:200] or "what the server sent cannot be understood"
        raise DocumentError(
            f"{quoted(address)} cannot be fetched ({reason}); check the address and the connection."
        ) from error


def _followed(pool: httpcore.ConnectionPool, url: str, megabytes: int) -> Page:
    for _ in range(REDIRECTS + 1):
        answer = _get(pool, _checked(url), megabytes)
        if isinstance(answer, Page):
            return answer
        url = answer
    raise _Refused(f"redirects more than {REDIRECTS} times; give its final address")


class _Refused(Exception):
    """Goes on after the address: "leads to …; leave it out"."""


def _checked(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
        host = url.host
    except (httpx.InvalidURL, ValueError) as error:
        raise _Refused(f"leads to {quoted(text)}, which is not a valid web address ({error}); correct it") from error
    if url.scheme not in {"http", "https"} or not host or (url.port or 0) > 65535:
        raise _Refused(f"leads to {quoted(text)}, which is not an http(s) address; leave it out")
    if url.userinfo:
        raise _Refused("holds a user name or password, which are not sent; leave them out")
    return url


def _get(pool: httpcore.ConnectionPool, url: httpx.URL, megabytes: int) -> Page | str:
    """The page, or the address that the server redirects to."""
    target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    headers = [
        ("Host", url.netloc.decode()),
        ("User-Agent", "article-chat"),
        ("Accept", ", ".join(KINDS)),
        ("Accept-Encoding", "identity"),
    ]
    with pool.stream("GET", target, headers=headers) as response:
        named = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        if response.status in _MOVED and "location" in named:
            try:
                return str(url.join(named["location"]))
            except (httpx.InvalidURL, ValueError) as error:
                raise _Refused("redirects to an address that is not valid; leave it out") from error
        if response.status != 200:
            raise _Refused(f"answers with status {response.status}; check the address")
        content_type = named.get("content-type", "no content type")[:NAME]
        kind = KINDS.get(content_type.partition(";")[0].strip().lower())
        if kind is None:
            raise _Refused(f"holds {content_type!r}, not HTML, text or PDF; leave it out")
        content = _body(response.iter_stream(), named.get("content-encoding", "identity").lower(), megabytes)
    charset = _CHARSET.search(content_type)
    return Page(str(url), kind, known_charset(charset[1]) if charset else None, content)


def _body(chunks: Iterable[bytes], encoding: str, megabytes: int) -> bytes:
    """The body, unpacked where a server packs it unasked, and cut off when it is larger than allowed."""
    if encoding not in {"identity", "", "gzip", "x-gzip", "deflate"}:
        raise _Refused(f"is packed in a way that cannot be read ({encoding[:NAME]!r}); save the page and name the file")
    unpack = zlib.decompressobj(wbits=47) if "identity" not in encoding and encoding else None
    limit = megabytes * 1_000_000
    body = bytearray()
    for chunk in chunks:
        body += unpack.decompress(chunk, limit + 1 - len(body)) if unpack else chunk
        if len(body) > limit:
            raise _Refused(f"is larger than {megabytes} MB; save the part you need and name the file")
    if unpack and not unpack.eof:
        raise _Refused("breaks off before its end; try again later")
    return bytes(body)


class _CheckedBackend(httpcore.SyncBackend):
    """Connects only to IP addresses that are allowed, and gives up at `deadline` (time.monotonic)."""

    def __init__(self, allowed: Check, deadline: float) -> None:
        self._allowed = allowed
        self._deadline = deadline

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **kwargs: Any) -> "_Timed":  # noqa: ARG002
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"no address is known for {host!r}") from error
        numbers = [str(item[4][0]) for item in found]
        for number in numbers:
            if not self._allowed(ipaddress.ip_address(number)):
                raise _Refused(f"leads to {number}, which is not an address of the public internet; leave it out")
        for left, number in zip(range(len(numbers), 0, -1), numbers, strict=True):
            try:
                stream = super().connect_tcp(number, port, _left(self._deadline) / left, *args, **kwargs)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if left == 1:
                    raise
            else:
                return _Timed(stream, self._deadline)
        raise httpcore.ConnectError(f"no address is known for {host!r}")


class _Timed(httpcore.NetworkStream):
    """A connection whose every step ends by `deadline`, so that a server cannot drip its answer for ever."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline counts
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the deadline counts
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> "_Timed":
        kwargs["timeout"] = _left(self._deadline)
        return _Timed(self._stream.start_tls(*args, **kwargs), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time is up")
    return left
