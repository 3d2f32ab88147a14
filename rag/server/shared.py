"""Rates, the queue and known addresses in the database that copies of a server share."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from rag.errors import BusyError, StoreError
from rag.server.cluster import Cluster
from rag.server.limits import MINUTE, Known, Limit, RateLimit, too_often
from rag.server.queue import Queue, Rules, Ticket
from rag.server.schema import COUNTED, TICKETS, key_of, name_of

POLL = 0.2
"""Seconds after which a waiting question looks whether another copy has made room for it."""
_MONTH = 30 * 24 * 3600.0


def rate_limit(cluster: Cluster | None, kind: str, most: int, what: str) -> Limit:
    """A limit a minute, of all copies if there is a cluster, named `kind`."""
    return SharedRateLimit(cluster, kind, most, what) if cluster else RateLimit(most, what)


def queue(cluster: Cluster | None, at_once: int, longest: int) -> "Queue | SharedQueue":
    """The queue of all copies if there is a cluster, or of this process."""
    return SharedQueue(cluster, at_once, longest) if cluster else Queue(at_once, longest)


def known(cluster: Cluster | None) -> Known:
    """The pairs that all copies know if there is a cluster, or this process."""
    return SharedKnown(cluster) if cluster else Known()


class SharedRateLimit:
    """The same as RateLimit in all copies together."""

    def __init__(
        self, cluster: Cluster, kind: str, most: int, what: str, seconds: float = MINUTE,
        clock: Callable[[], float] | None = None,
    ) -> None:  # fmt: skip
        """`what` names what is counted, as in "30 questions"; `clock` is the database's."""
        self._cluster = cluster
        self._kind = COUNTED.c.kind == kind
        self._name = kind
        self._most = most
        self._what = what
        self._seconds = seconds
        self._clock = clock

    def check(self, key: str) -> None:
        """Raises OftenError if one more for `key` is too many, and StoreError."""
        if self._most:
            with self._cluster.database.use() as connection:
                self._refuse(connection, key, self._now(connection))

    def take(self, key: str) -> None:
        """Count one for `key`. Raises as `check` does."""
        if not self._most:
            return
        with self._cluster.database.begin() as connection:
            self._cluster.lock(connection, self._name)
            now = self._now(connection)
            connection.execute(delete(COUNTED).where(self._kind, COUNTED.c.at <= now - self._seconds))
            self._refuse(connection, key, now)
            connection.execute(insert(COUNTED).values(kind=self._name, key=key_of(key), at=now))

    def give_back(self, key: str) -> None:
        """Forget the last one for `key`. Raises StoreError."""
        own = self._kind, COUNTED.c.key == key_of(key)
        last = select(func.max(COUNTED.c.at)).where(*own).scalar_subquery()
        with self._cluster.database.begin() as connection:
            connection.execute(delete(COUNTED).where(*own, COUNTED.c.at == last))

    def _now(self, connection: Connection) -> float:
        return self._clock() if self._clock else self._cluster.now(connection)

    def _refuse(self, connection: Connection, key: str, now: float) -> None:
        query = select(func.count(), func.min(COUNTED.c.at)).where(
            self._kind, COUNTED.c.key == key_of(key), COUNTED.c.at > now - self._seconds
        )
        count, first = connection.execute(query).one()
        if count >= self._most:
            raise too_often(self._most, self._what, self._seconds, first + self._seconds - now)


class SharedKnown(Known):
    """Those that any copy has seen within a month. Thread-safe."""

    _KIND = "known"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._database = cluster.database
        self._cluster = cluster

    def __contains__(self, pair: tuple[str, str]) -> bool:
        if super().__contains__(pair):
            return True
        query = select(func.count()).where(COUNTED.c.kind == self._KIND, COUNTED.c.key == self._key(pair))
        with self._database.use() as connection:
            found = bool(connection.scalar(query))
        if found:
            super().add(pair)
        return found

    def add(self, pair: tuple[str, str]) -> None:
        """It was seen now. Raises StoreError."""
        if pair in self:
            return
        with self._database.begin() as connection:
            now = self._cluster.now(connection)
            connection.execute(delete(COUNTED).where(COUNTED.c.kind == self._KIND, COUNTED.c.at <= now - _MONTH))
            connection.execute(insert(COUNTED).values(kind=self._KIND, key=self._key(pair), at=now))
        super().add(pair)

    @staticmethod
    def _key(pair: tuple[str, str]) -> bytes:
        return key_of(" ".join(pair))


class SharedQueue:
    """The queue of all copies. Thread-safe.

    The tickets of a copy that dies are given up after DEAD seconds. Its methods raise StoreError if the database cannot
    be used.
    """

    def __init__(self, cluster: Cluster, at_once: int, longest: int) -> None:
        self._cluster = cluster
        self._rules = Rules(at_once, longest)
        self._changed = threading.Condition()
        self._own: dict[int, bool] = {}  # Whether a ticket of this copy is served.
        cluster.on_beat(self._beat)

    @property
    def waiting(self) -> int:
        """How many wait in this copy."""
        return list(self._own.values()).count(False)

    @property
    def running(self) -> int:
        """How many are being served in this copy."""
        return list(self._own.values()).count(True)

    def join(self, owner: str) -> Ticket:
        """A ticket, for `leave`. Raises BusyError if the queue or the owner's half is full."""
        with self._transaction() as (connection, now):
            query = select(TICKETS.c.served, TICKETS.c.turn, TICKETS.c.number, TICKETS.c.owner)
            rows = connection.execute(query).all()
            tickets = [(served, Ticket(turn, number, name_of(key))) for served, turn, number, key in rows]
            waiting = [ticket for served, ticket in tickets if not served]
            self._rules.admit(owner, [ticket for served, ticket in tickets if served], waiting)
            new = insert(TICKETS).values(turn=0, owner=key_of(owner), served=False, seen=now)
            number = connection.scalars(new.returning(TICKETS.c.number)).one()
            ticket = Ticket(self._rules.turn(owner, number, [one for _, one in tickets]), number, owner)
            connection.execute(update(TICKETS).where(TICKETS.c.number == number).values(turn=ticket.turn))
            self._own[number] = False
        return ticket

    def ahead(self, ticket: Ticket, seen: int = 0) -> int:
        """How many are served before this one, and itself; 0 if it is served.

        If it was `seen` already, waits up to POLL for a change. Raises BusyError if the ticket was given up.
        """
        if seen:
            with self._changed:
                self._changed.wait(POLL)
        before = TICKETS.alias()
        earlier = tuple_(before.c.turn, before.c.number) <= tuple_(TICKETS.c.turn, TICKETS.c.number)
        count = select(func.count()).select_from(before).where(~before.c.served, earlier).correlate(TICKETS)
        query = select(TICKETS.c.served, count.scalar_subquery()).where(TICKETS.c.number == ticket.number)
        with self._cluster.database.use() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise BusyError("The question has lost its place in the queue; ask again.")
        is_served, ahead = row
        self._own[ticket.number] = is_served
        return 0 if is_served else ahead

    def leave(self, ticket: Ticket) -> None:
        """Make room for the next one; if the database cannot be reached, after DEAD seconds."""
        self._own.pop(ticket.number, None)
        with suppress(StoreError), self._transaction() as (connection, _):
            connection.execute(delete(TICKETS).where(TICKETS.c.number == ticket.number))
        with self._changed:
            self._changed.notify_all()

    @contextmanager
    def _transaction(self) -> Iterator[tuple[Connection, float]]:
        """The connection and the time; at the end free places are given away."""
        own = list(self._own)
        with self._cluster.database.begin() as connection:
            self._cluster.lock(connection, "queue")
            now, dead = self._cluster.times(connection)
            if own:
                connection.execute(update(TICKETS).where(TICKETS.c.number.in_(own)).values(seen=now))
            connection.execute(delete(TICKETS).where(TICKETS.c.seen < dead))
            yield connection, now
            running = connection.scalar(select(func.count()).where(TICKETS.c.served)) or 0
            if (free := self._rules.at_once - running) > 0:
                first = select(TICKETS.c.number).where(~TICKETS.c.served).order_by(TICKETS.c.turn, TICKETS.c.number)
                next_ones = TICKETS.c.number.in_(first.limit(free))
                connection.execute(update(TICKETS).where(next_ones).values(served=True))
            rows = connection.execute(select(TICKETS.c.number, TICKETS.c.served)).all()
        served = {row.number: row.served for row in rows}
        for number in list(self._own):
            if number in served:
                self._own[number] = served[number]
            elif number in own:  # It was given up, or never committed.
                del self._own[number]

    def _beat(self) -> None:
        """Say that this copy is alive, and give up what one that died has left."""
        if self._own:
            with self._transaction():
                pass
        with self._changed:
            self._changed.notify_all()
