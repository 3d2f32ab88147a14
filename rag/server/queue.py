"""The queue for the model: first come, first served, no owner before the others."""

import itertools
import threading
from bisect import insort
from dataclasses import dataclass

from rag.errors import BusyError

HEARTBEAT = 0.5
"""Seconds after which a waiting question wakes up, so that an abandoned one leaves the queue."""


@dataclass(frozen=True, order=True)
class Ticket:
    """A place in the queue; of those that wait the smallest is served next."""

    turn: int
    number: int
    owner: str


class Queue:
    """Serves `at_once` tickets; `longest` may wait, half of them of one owner. Thread-safe."""

    def __init__(self, at_once: int, longest: int) -> None:
        self._at_once = at_once
        self._longest = longest
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: list[Ticket] = []  # Sorted.
        self._served: list[Ticket] = []

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many are being served."""
        return len(self._served)

    def join(self, owner: str) -> Ticket:
        """A ticket, for `leave`. Raises BusyError if the queue or the owner's half is full."""
        with self._changed:
            if len(self._served) >= self._at_once:
                waiting, own = len(self._waiting), sum(ticket.owner == owner for ticket in self._waiting)
                if waiting >= self._longest:
                    raise BusyError(f"{waiting:,} questions are waiting already; ask again in a minute.")
                if own >= (self._longest + 1) // 2:
                    raise BusyError(f"{own:,} questions of yours are waiting already; wait for their answers.")
            number = next(self._numbers)
            ticket = Ticket(self._turn(owner, number), number, owner)
            insort(self._waiting, ticket)
            self._advance()
            return ticket

    def ahead(self, ticket: Ticket, seen: int = 0) -> int:
        """How many are served before this one, itself included; 0 if it is being served.

        While the number is still `seen`, waits up to HEARTBEAT for a change.
        """
        with self._changed:
            if seen and self._position(ticket) == seen:
                self._changed.wait(HEARTBEAT)
            return self._position(ticket)

    def leave(self, ticket: Ticket) -> None:
        """Make room for the next one."""
        with self._changed:
            for tickets in (self._waiting, self._served):
                if ticket in tickets:
                    tickets.remove(ticket)
            self._advance()

    def _position(self, ticket: Ticket) -> int:
        return self._waiting.index(ticket) + 1 if ticket in self._waiting else 0

    def _turn(self, owner: str, number: int) -> int:
        """The turn of a new ticket: later for each that its owner has already.

        Each of those lets as many others pass as there is room for. So everybody's first question is answered before
        anybody's second, and yet nobody waits for newcomers without end.
        """
        own = [ticket.turn for ticket in (*self._served, *self._waiting) if ticket.owner == owner]
        return max(number + len(own) * (self._at_once + self._longest), *(turn + 1 for turn in own), 0)

    def _advance(self) -> None:
        while self._waiting and len(self._served) < self._at_once:
            self._served.append(self._waiting.pop(0))
        self._changed.notify_all()
