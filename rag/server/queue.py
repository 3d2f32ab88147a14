"""The queue for the model: first come, first served, no owner before the others."""

import itertools
import threading
from bisect import insort
from collections.abc import Iterable, Sequence
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


@dataclass(frozen=True)
class Rules:
    """`at_once` tickets are served; `longest` may wait, half of them of one owner."""

    at_once: int
    longest: int

    def admit(self, owner: str, served: Sequence[Ticket], waiting: Sequence[Ticket]) -> None:
        """Raises BusyError if the queue or the owner's half is full."""
        if len(served) < self.at_once:
            return
        if len(waiting) >= self.longest:
            raise BusyError(f"{len(waiting):,} questions are waiting already; ask again in a minute.")
        if (own := sum(ticket.owner == owner for ticket in waiting)) >= (self.longest + 1) // 2:
            raise BusyError(f"{own:,} questions of yours are waiting already; wait for their answers.")

    def turn(self, owner: str, number: int, tickets: Iterable[Ticket]) -> int:
        """The turn of a new ticket, later for each that its owner has among `tickets`.

        Each of those lets as many others pass as there is room for. So everybody's first question is answered before
        anybody's second, and yet nobody waits for newcomers without end.
        """
        own = [ticket.turn for ticket in tickets if ticket.owner == owner]
        return max(number + len(own) * (self.at_once + self.longest), *(turn + 1 for turn in own), 0)


class Queue:
    """The queue of one process. Thread-safe."""

    def __init__(self, at_once: int, longest: int) -> None:
        self._rules = Rules(at_once, longest)
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
            self._rules.admit(owner, self._served, self._waiting)
            number = next(self._numbers)
            ticket = Ticket(self._rules.turn(owner, number, (*self._served, *self._waiting)), number, owner)
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

    def _advance(self) -> None:
        while self._waiting and len(self._served) < self._rules.at_once:
            self._served.append(self._waiting.pop(0))
        self._changed.notify_all()
