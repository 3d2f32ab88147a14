"""Rate limits, and what counts as one visitor."""

import ipaddress
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol

from rag.errors import BusyError

MINUTE = 60.0
_REMEMBERED = 10_000


class OftenError(BusyError):
    """Too often within the time; `seconds` says when the next time is allowed."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class Limit(Protocol):
    """At most so many times for each key within some seconds. Thread-safe."""

    def check(self, key: str) -> None:
        """Raises OftenError, with the seconds to wait, if one more for `key` is too many."""
        ...

    def take(self, key: str) -> None:
        """Count one for `key`. Raises OftenError as `check` does."""
        ...

    def give_back(self, key: str) -> None:
        """Forget the last one for `key`."""
        ...


class RateLimit:
    """At most `most` times for each key within `seconds`, 0 for any number. Thread-safe."""

    def __init__(
        self, most: int, what: str, seconds: float = MINUTE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`what` names what is counted, as in "30 questions"."""
        self._most = most
        self._what = what
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._times: OrderedDict[str, deque[float]] = OrderedDict()  # The key that was counted last is the last.

    def check(self, key: str) -> None:
        """Raises OftenError if one more for `key` is too many."""
        with self._lock:
            self._recent(key, self._clock())

    def take(self, key: str) -> None:
        """Count one for `key`. Raises OftenError as `check` does."""
        if not self._most:
            return
        with self._lock:
            now = self._clock()
            times = self._recent(key, now)
            times.append(now)
            self._times[key] = times
            self._times.move_to_end(key)
            while (oldest := next(iter(self._times))) and self._times[oldest][-1] <= now - self._seconds:
                del self._times[oldest]

    def give_back(self, key: str) -> None:
        """Forget the last one for `key`."""
        with self._lock:
            if times := self._times.get(key):
                times.pop()
            if not times:
                self._times.pop(key, None)

    def _recent(self, key: str, now: float) -> deque[float]:
        """The times of `key` that still count."""
        times = self._times.get(key, deque())
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if not times:
            self._times.pop(key, None)
        if self._most and len(times) >= self._most:
            raise too_often(self._most, self._what, self._seconds, times[0] + self._seconds - now)
        return times


def too_often(most: int, what: str, seconds: float, left: float) -> OftenError:
    """The error that says what is allowed, and after how many seconds, `left`."""
    wait = max(1, math.ceil(left))
    return OftenError(
        f"{most:,} {what} within {seconds:g} seconds are allowed; try again in {wait} second{'s' * (wait > 1)}.", wait
    )


class Known:
    """The pairs of two texts that were seen; those unseen for longest are forgotten. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pairs: OrderedDict[tuple[str, str], None] = OrderedDict()

    def __contains__(self, pair: tuple[str, str]) -> bool:
        return pair in self._pairs

    def add(self, pair: tuple[str, str]) -> None:
        """It was seen now."""
        with self._lock:
            self._pairs[pair] = None
            self._pairs.move_to_end(pair)
            while len(self._pairs) > _REMEMBERED:
                self._pairs.popitem(last=False)


class Visitors:
    """Each guest's last address: a fresh cookie is no fresh allowance. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._addresses: OrderedDict[str, str] = OrderedDict()

    def seen(self, owner: str, address: str) -> None:
        """Remember where a guest came from; those unseen for longest are forgotten."""
        with self._lock:
            self._addresses[owner] = address
            self._addresses.move_to_end(owner)
            if len(self._addresses) > _REMEMBERED:
                self._addresses.popitem(last=False)

    def key(self, owner: str) -> str:
        """What the owner is counted under: the address of a guest, or the owner itself."""
        with self._lock:
            return self._addresses.get(owner, owner)


def network(address: str) -> str:
    """What counts as one address: in IPv6 the /64 that a household shares."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
