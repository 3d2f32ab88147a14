"""What the copies of a server share: a database, its clock, its locks, heartbeats."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Connection, Double, cast, extract, func, select

from rag.errors import StoreError
from rag.server.database import Database

BEAT = 1.0
"""Seconds between two heartbeats."""
DEAD = 5.0
"""Seconds without a heartbeat after which what a copy has under way is given up."""
_LOG = logging.getLogger(__name__)
_CLASS = 7_243_002
"""Sets the advisory locks apart from those of other programs."""


class Cluster:
    """A PostgreSQL database that several copies of the server use. Thread-safe."""

    def __init__(self, database: Database) -> None:
        """Begin the heartbeat, which lasts until `close`."""
        self.database = database
        self._beats: list[Callable[[], None]] = []
        self._is_closed = threading.Event()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()

    def on_beat(self, do: Callable[[], None]) -> None:
        """Call this at each heartbeat; it may raise StoreError, and is called again."""
        self._beats.append(do)

    def close(self) -> None:
        """End the heartbeat."""
        self._is_closed.set()

    def lock(self, connection: Connection, what: str) -> None:
        """Hold the lock of this name until the transaction ends; others wait for it."""
        connection.execute(select(func.pg_advisory_xact_lock(_CLASS, func.hashtext(what))))

    def now(self, connection: Connection) -> float:
        """Seconds (UTC) by the database's clock, which all copies share."""
        return float(connection.scalar(select(_NOW)) or 0.0)

    def times(self, connection: Connection) -> tuple[float, float]:
        """The same, and the time before which the last heartbeat of a dead copy was."""
        now, started = connection.execute(select(_NOW, _STARTED)).one()
        # No copy could send one while the database itself was down.
        return now, now - DEAD if started < now - DEAD else 0.0

    def _beat(self) -> None:
        while not self._is_closed.wait(BEAT):
            for do in self._beats:
                try:
                    do()
                except StoreError:  # It is logged, and the next one may come through.
                    pass
                except Exception:  # noqa: BLE001 - without heartbeats the others take this copy for dead
                    _LOG.exception("A heartbeat failed.")


_NOW = cast(extract("epoch", func.clock_timestamp()), Double)
_STARTED = cast(extract("epoch", func.pg_postmaster_start_time()), Double)
