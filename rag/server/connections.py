"""The connections of the server: how long one may take to send a request or take the answer, and how many there are."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 500
"""Connections at once, of which each tab has about two; systems often allow a process 1,024 open files."""
PATIENCE = 20.0
"""Seconds in which a request has to come, and as many again for as long as its body comes at RATE."""
RATE = 1_000
"""Bytes a second."""
STALLED = 60.0
"""Seconds for which one who is sent an answer may take nothing of it."""
_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(H11Protocol):
    """uvicorn's protocol, which by itself waits for good for the rest of a request that was begun.

    How long an answer takes is not bounded. Where there are too many connections, the one that owes a
    request and was silent for longest makes room for a newcomer.
    """

    _owed: asyncio.TimerHandle | None = None
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
        self._settled()
        self.resume_writing()

    def data_received(self, data: bytes) -> None:
        self._heard = self.loop.time()
        self._received += len(data)
        super().data_received(data)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if not self.owes:
            self._settled()
        elif self._owed is None or self.cycle is not before:
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
        return not self._under_way or self.cycle.more_body

    @property
    def _under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._settled()
        self._received = 0
        self._owed = self.loop.call_later(PATIENCE, self._look)

    def _settled(self) -> None:
        if self._owed:
            self._owed.cancel()
            self._owed = None

    def _look(self) -> None:
        self._owed = None
        if self._under_way and self._received >= PATIENCE * RATE:
            self._wait()
        elif not self.transport.is_closing():
            if not self.cycle.response_started if self._under_way else self._received:
                self.transport.write(_LATE)
            self.transport.close()

    def _make_room(self) -> None:
        others = [one for one in self.connections if isinstance(one, Connection) and one is not self]
        if owing := [one for one in others if one.owes]:
            silent = min(owing, key=lambda one: one._heard)
            self.connections.discard(silent)
            silent.transport.abort()
