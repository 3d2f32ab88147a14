"""A question's events for asynchronous code: a thread reads them, so that nothing waits for a silent model."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import suppress
from typing import Any

from rag.server.turns import Event

LOOK = 0.5
"""Seconds after which it is looked whether the one who asked is still there."""
Asking = Generator[Event, Any, Any]


class _Nothing:
    """No event came within the time."""


async def stay() -> bool:
    """The one who asked has not gone, as far as can be told."""
    return False


async def events_of(asking: Asking, gone: Callable[[], Awaitable[bool]] = stay) -> AsyncGenerator[Event, None]:
    """The events of `asking`, which is closed when this is closed, or when `gone` says so. Raises what it raises."""
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
    leave = threading.Event()
    threading.Thread(target=_read, args=(asking, loop, events, leave), name="question", daemon=True).start()
    looked = loop.time()
    try:
        while True:
            event: Event | BaseException | _Nothing | None = _Nothing()
            with suppress(TimeoutError):
                event = await asyncio.wait_for(events.get(), LOOK)
            if loop.time() - looked >= LOOK:
                if await gone():
                    return
                looked = loop.time()
            if event is None:
                return
            if isinstance(event, BaseException):
                raise event
            if not isinstance(event, _Nothing):
                yield event
    finally:
        leave.set()


def _read(
    asking: Asking,
    loop: asyncio.AbstractEventLoop,
    events: "asyncio.Queue[Event | BaseException | None]",
    leave: threading.Event,
) -> None:
    def put(event: Event | BaseException | None) -> None:
        if loop.is_closed():
            leave.set()
        else:
            loop.call_soon_threadsafe(events.put_nowait, event)

    try:
        for event in asking:
            if leave.is_set():
                break
            put(event)
        asking.close()
        put(None)
    except Exception as error:  # noqa: BLE001 - handed over, and raised there
        put(error)
