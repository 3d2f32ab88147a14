"""How often one may ask, and try a password: so many times in so many seconds."""

import ipaddress
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from rag.errors import BusyError

MINUTE = 60.0
_REMEMBERED = 10_000


class OftenError(BusyError):
    """Too often within the time; `seconds` says when the next time is allowed."""

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


class Limit:
    """At most `most` times of each key within `seconds`, 0 for any number; threads share it."""

    def __init__(
        self, most: int, doing: str, seconds: float = MINUTE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`doing` names what is counted, as in "30 questions"."""
        self._most = most
        self._doing = doing
        self._seconds = seconds
        self._clock = clock
        self._moving = threading.Lock()
        self._times: dict[str, deque[float]] = {}
        self._room = _REMEMBERED

    def check(self, key: str) -> None:
        """Raises OftenError, with the seconds to wait, where one more of `key` is too many."""
        with self._moving:
            self._allowed(key, self._clock())

    def take(self, key: str) -> None:
        """Count one of `key`. Raises OftenError as `check` does."""
        if not self._most:
            return
        with self._moving:
            now = self._clock()
            times = self._allowed(key, now)
            if len(self._times) >= self._room:
                self._times = {one: each for one, each in self._times.items() if each[-1] > now - self._seconds}
                self._room = max(_REMEMBERED, 2 * len(self._times))  # Or many keys at once would cost their square.
            times.append(now)
            self._times[key] = times

    def _allowed(self, key: str, now: float) -> deque[float]:
        """The times of `key` that still count."""
        times = self._times.get(key, deque())
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if not times:
            self._times.pop(key, None)
        if self._most and len(times) >= self._most:
            wait = max(1, math.ceil(times[0] + self._seconds - now))
            raise OftenError(
                f"{self._most:,} {self._doing} within {self._seconds:g} seconds are allowed; "
                f"try again in {wait} second{'s' * (wait > 1)}.",
                wait,
            )
        return times

    def give_back(self, key: str) -> None:
        """Forget the last one of `key`."""
        with self._moving:
            times = self._times.get(key)
            if times:
                times.pop()
            if not times:
                self._times.pop(key, None)


class Visitors:
    """From which address each guest came last: a fresh cookie is no fresh allowance. Threads share it."""

    def __init__(self) -> None:
        self._moving = threading.Lock()
        self._addresses: OrderedDict[str, str] = OrderedDict()

    def seen(self, owner: str, address: str) -> None:
        """Remember where a guest came from; the longest unseen are forgotten."""
        with self._moving:
            self._addresses[owner] = address
            self._addresses.move_to_end(owner)
            while len(self._addresses) > _REMEMBERED:
                self._addresses.popitem(last=False)

    def counted(self, owner: str) -> str:
        """The key under which the owner's questions are counted: the address of a guest, or the owner itself."""
        with self._moving:
            return self._addresses.get(owner, owner)


def network(address: str) -> str:
    """What counts as one address.

    Of IPv6 it is the /64 that one household shares, of IPv4 written as IPv6 the IPv4 address.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
