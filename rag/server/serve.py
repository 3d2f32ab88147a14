"""The uvicorn server: its address, its connections and how long each may take."""

import asyncio
import socket

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from rag.errors import SettingsError
from rag.settings import ServerSettings

CONNECTIONS = 500
"""Connections at once, of which each tab has about two; systems often allow a process 1,024 open files."""
REQUEST_SECONDS = 20.0
"""Seconds in which a request has to come, and as many again for as long as its body comes at RATE."""
RATE = 1_000
"""Bytes a second."""
STALLED = 60.0
"""Seconds for which a client may take nothing of its answer."""
_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def listen(settings: ServerSettings) -> socket.socket:
    """A socket on the page's address. Raises SettingsError if that address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise SettingsError(
            f"The page cannot listen on {settings.host}:{settings.port} ({error.strerror}); "
            "set RAG_PORT to a free port, or to 0 to take any, and RAG_HOST to an address of this machine."
        ) from error


def make_server(app: FastAPI) -> "Server":
    """The server of an application made by `build_app`."""
    # The peer's address is wanted as it is: which headers of a proxy are believed is decided by RAG_PROXIES.
    return Server(
        uvicorn.Config(
            app, http=Connection, limit_concurrency=CONNECTIONS, log_level="critical", timeout_graceful_shutdown=1,
            proxy_headers=False, server_header=False, ws="none",
        )
    )  # fmt: skip


class Server(uvicorn.Server):
    """A uvicorn server that says where the page is, once it answers."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
            print(f"Open http://{f'[{host}]' if ':' in host else host}:{port} in a browser.", flush=True)


class Connection(H11Protocol):
    """uvicorn's protocol, which by itself waits for good for the rest of a request.

    How long an answer takes is not bounded. If there are too many connections, the one that owes a request and was
    silent for longest makes room for a newcomer.
    """

    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _heard = 0.0
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard = self.loop.time()
        self._wait()
        if self.limit_concurrency and len(self.connections) >= self.limit_concurrency:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        self._received += len(data)
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if not self.owes:
            self._stop_waiting()
        elif self._deadline is None or self.cycle is not before:
            self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self._stalled or self.loop.call_later(STALLED, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None

    @property
    def owes(self) -> bool:
        """Whether the next request, or the rest of one, has still to come."""
        return not self._is_answering or self.cycle.more_body

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._stop_waiting()
        self._received = 0
        self._deadline = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        """End the connection, unless the body comes fast enough."""
        self._deadline = None
        if self._is_answering and self._received >= REQUEST_SECONDS * RATE:
            self._wait()
        elif not self.transport.is_closing():
            if not self.cycle.response_started if self._is_answering else self._received:
                self.transport.write(_LATE)
            self.transport.close()

    def _make_room(self) -> None:
        others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
        if owing := [one for one in others if one.owes]:
            silent = min(owing, key=lambda one: one._heard)
            self.connections.discard(silent)
            silent.transport.abort()
