"""The line of questions that wait for the model: first come, first served, and no owner before the others."""

import itertools
import threading
from types import TracebackType
from typing import Self

from rag.errors import BusyError

HEARTBEAT = 0.5
"""Seconds after which a waiting question looks around, so that one that was given up leaves the line."""


class Line:
    """At most `at_once` are served at the same time, and at most `longest` wait, half of them of one owner.

    Threads share it.
    """

    def __init__(self, at_once: int, longest: int) -> None:
        self._at_once = at_once
        self._longest = longest
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: list[Place] = []
        self._served: list[Place] = []

    def join(self, owner: str) -> "Place":
        """A place in the line, to be left by its `with`. Raises BusyError where it or the owner's half is full."""
        with self._changed:
            waiting, free = len(self._waiting), len(self._served) < self._at_once
            if not free and waiting >= self._longest:
                raise BusyError(f"{waiting:,} questions are waiting already; ask again in a minute.")
            own = sum(place.owner == owner for place in self._waiting)
            if not free and own >= (self._longest + 1) // 2:
                raise BusyError(f"{own:,} questions of yours are waiting already; wait for their answers.")
            number = next(self._numbers)
            place = Place(self, owner, number, self._turn(owner, number))
            self._waiting.append(place)
            self._move()
            return place

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many are served."""
        return len(self._served)

    def ahead(self, place: "Place", seen: int = 0) -> int:
        """How many of those that wait come before `place`, counting it too; 0 where it is served.

        Waits a moment for a change where it is still `seen`.
        """
        with self._changed:
            if seen and self._ahead(place) == seen:
                self._changed.wait(HEARTBEAT)
            return self._ahead(place)

    def leave(self, place: "Place") -> None:
        """Make room for the next."""
        with self._changed:
            for line in (self._waiting, self._served):
                if place in line:
                    line.remove(place)
            self._move()

    def _ahead(self, place: "Place") -> int:
        return self._order().index(place) + 1 if place in self._waiting else 0

    def _turn(self, owner: str, number: int) -> int:
        """When a newcomer comes: for each question of its own before it, it lets as many others pass as there is room.

        So of all who are in line each has a first question answered before anybody has a second one, and yet
        nobody waits for newcomers without end.
        """
        own = [place for place in (*self._served, *self._waiting) if place.owner == owner]
        turn = number + len(own) * (self._at_once + self._longest)
        return max(turn, *(place.turn + 1 for place in own), 0)

    def _order(self) -> list["Place"]:
        """Those that wait, in the order in which they will be served."""
        return sorted(self._waiting, key=lambda place: (place.turn, place.number))

    def _move(self) -> None:
        while self._waiting and len(self._served) < self._at_once:
            place = self._order()[0]
            self._waiting.remove(place)
            self._served.append(place)
        self._changed.notify_all()


class Place:
    """A place in the line; a context manager that leaves it."""

    def __init__(self, line: Line, owner: str, number: int, turn: int) -> None:
        self.owner = owner
        self.number = number
        self.turn = turn
        self._line = line

    def ahead(self, seen: int = 0) -> int:
        """How many are before it, counting itself; 0 when its time has come. See `Line.ahead`."""
        return self._line.ahead(self, seen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.leave(self)
