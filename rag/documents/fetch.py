"""One web address -> its content, with the user's consent and only from public addresses."""

import ipaddress
import re
import socket
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import httpx
from anyio import fail_after
from anyio.from_thread import start_blocking_portal

from rag.bounds import NAME
from rag.documents.encoding import known_charset
from rag.documents.parsers import MEDIA_TYPES
from rag.documents.text import quoted
from rag.errors import DocumentError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Check = Callable[[IpAddress], bool]

REDIRECTS = 5
MEGABYTES = 20
"""The largest page that is taken."""
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


@dataclass(frozen=True)
class Page:
    """What an address holds: kind is one of MEDIA_TYPES, charset what the server named."""

    kind: str
    charset: str | None
    content: bytes


def is_address(source: str) -> bool:
    """Whether `source` is a web address rather than a path."""
    return source.lower().startswith(("http://", "https://"))


def is_public(address: IpAddress) -> bool:
    """Whether `address`, or the IPv4 address that it wraps, is public (RFC 4291, 3056, 6052)."""
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


def fetch(address: str, *, online: bool, seconds: float = 30.0, allowed: Check = is_public) -> Page:
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
    try:
        # Asynchronous, because httpx itself bounds each read, and a server could drip its answer for ever.
        with start_blocking_portal() as portal:
            return portal.call(_get, address, seconds, allowed)
    except _Refused as error:
        raise DocumentError(f"{quoted(address)} {error}.") from error
    except httpx.InvalidURL as error:
        raise DocumentError(f"{quoted(address)} is not a valid web address ({error}); correct it.") from error
    except (TimeoutError, httpx.TimeoutException) as error:
        raise DocumentError(f"{quoted(address)} did not answer within {seconds:g} seconds; try again later.") from error
    except (httpx.HTTPError, zlib.error, OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".") or "what the server sent cannot be understood"
        raise DocumentError(
            f"{quoted(address)} cannot be fetched ({reason}); check the address and the connection."
        ) from error


class _Refused(Exception):
    """A page cannot be taken; the message follows its address: "is too large"."""


async def _get(address: str, seconds: float, allowed: Check) -> Page:
    headers = {"User-Agent": "article-chat", "Accept": ", ".join(MEDIA_TYPES), "Accept-Encoding": "identity"}
    with fail_after(seconds):
        async with httpx.AsyncClient(
            transport=_CheckedTransport(allowed), headers=headers, timeout=seconds, trust_env=False
        ) as client:
            request = client.build_request("GET", address)
            for _ in range(REDIRECTS + 1):
                response = await client.send(request, stream=True)
                try:
                    if response.next_request is None:
                        return await _page(response)
                    request = response.next_request
                finally:
                    await response.aclose()
    raise _Refused(f"redirects more than {REDIRECTS} times; give its final address")


class _CheckedTransport(httpx.AsyncHTTPTransport):
    """Connects only to IP addresses that are allowed: each name is resolved once, here."""

    def __init__(self, allowed: Check) -> None:
        # A connection that is kept could be taken for one to another host at the same IP address.
        super().__init__(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        self._allowed = allowed

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        if url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > 65535:
            raise _Refused(f"leads to {quoted(str(url))}, which is not an http(s) address; leave it out")
        if url.userinfo:
            raise _Refused("holds a user name or password, which are not sent; leave them out")
        host = url.raw_host.decode()
        numbers = self._resolved(host)
        times = request.extensions["timeout"]
        extensions = {"timeout": times | {"connect": times["read"] / len(numbers)}, "sni_hostname": host}
        for left, number in zip(range(len(numbers), 0, -1), numbers, strict=True):
            attempt = httpx.Request("GET", url.copy_with(host=number), headers=request.headers, extensions=extensions)
            try:
                return await super().handle_async_request(attempt)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if left == 1:
                    raise
        raise httpx.ConnectError(f"no address is known for {host!r}")

    def _resolved(self, host: str) -> list[str]:
        """The IP addresses of `host`, which must all be allowed."""
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(f"no address is known for {host!r}") from error
        numbers = [str(item[4][0]) for item in found]
        for number in numbers:
            if not self._allowed(ipaddress.ip_address(number)):
                raise _Refused(f"leads to {number}, which is not an address of the public internet; leave it out")
        return numbers


async def _page(response: httpx.Response) -> Page:
    if response.status_code != 200:
        raise _Refused(f"answers with status {response.status_code}; check the address")
    content_type = response.headers.get("content-type", "no content type")[:NAME]
    kind = MEDIA_TYPES.get(content_type.partition(";")[0].strip().lower())
    if kind is None:
        raise _Refused(f"holds {content_type!r}, not HTML, text or PDF; leave it out")
    content = await _body(response)
    charset = _CHARSET.search(content_type)
    return Page(kind, known_charset(charset[1]) if charset else None, content)


async def _body(response: httpx.Response) -> bytes:
    """The body, unpacked if the server packs it unasked."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "", "gzip", "x-gzip", "deflate"}:
        raise _Refused(f"is packed in a way that cannot be read ({encoding[:NAME]!r}); save the page and name the file")
    unpack = zlib.decompressobj(wbits=47) if "identity" not in encoding and encoding else None
    limit = MEGABYTES * 1_000_000
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += unpack.decompress(chunk, limit + 1 - len(body)) if unpack else chunk
        if len(body) > limit:
            raise _Refused(f"is larger than {MEGABYTES} MB; save the part you need and name the file")
    if unpack and not unpack.eof:  # httpx itself would not notice.
        raise _Refused("breaks off before its end; try again later")
    return bytes(body)
