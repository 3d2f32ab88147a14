"""Connections to a file of SQLite, which others may move or lock, and to PostgreSQL."""

import errno
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout
from sqlalchemy import Connection, create_engine, exc, make_url
from sqlalchemy.pool import StaticPool

from rag.errors import SettingsError, StoreError
from rag.server.migrations import upgrade

LOCK_SECONDS = 2.0
"""Seconds to wait for another thread, and then for another process, that uses the store."""
_CONNECTIONS = 10
"""Of one copy of the server to PostgreSQL, kept; as many again for a rush."""
_PATIENCE = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": "-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s",
    "application_name": "article-chat",
}
"""How long to wait for a PostgreSQL server that is silent."""
_LOG = logging.getLogger(__name__)


class Database(Protocol):
    """Where the store's tables are. Thread-safe."""

    def use(self) -> AbstractContextManager[Connection]:
        """A connection for this thread, to read. Raises StoreError, which readers see."""
        ...

    def begin(self) -> AbstractContextManager[Connection]:
        """The same for a transaction, which is committed at the end."""
        ...

    def close(self) -> None:
        """Let go of it; who uses it later meets StoreError."""
        ...


class SQLiteFile:
    """One connection to an SQLite file; threads use it one after the other.

    If the file was moved away, deleted or replaced, the next use goes on with the one that is there then, or with a
    new one. What was committed is in the file that was there.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, or make it with its folder. Raises StoreError, naming the path."""
        self._path = path
        self._using = threading.Lock()
        self._is_closed = False
        try:
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # SQLite would only read it.
            self._open()
        except (exc.OperationalError, OSError) as error:
            raise StoreError(
                f"The store {str(path)!r} cannot be used ({_reason(error)}); see that there is room, that you may "
                "write there and that nobody else holds it, or set RAG_STORE to another folder."
            ) from error
        except exc.DatabaseError as error:
            raise StoreError(
                f"The store {str(path)!r} is damaged ({_reason(error)}); put a sound copy there, or move it away to "
                "begin anew."
            ) from error

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """The connection, for this thread alone."""
        if not self._using.acquire(timeout=LOCK_SECONDS):
            raise _unusable("it is busy")
        try:
            if self._is_closed:  # An answer may come when the server has ended.
                raise _unusable("it is closed")
            self._follow()
            with self._engine.connect() as connection:
                yield connection
        except exc.ProgrammingError:
            raise
        except (exc.DBAPIError, OSError) as error:
            self._stale |= isinstance(error, exc.DatabaseError) and not isinstance(error, exc.OperationalError)
            _LOG.error("The store %r failed (%s).", str(self._path), _reason(error))
            raise _unusable(_reason(error)) from error
        finally:
            self._using.release()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """The connection, for a transaction.

        After it the file is whole by itself, wherever it is moved or copied.
        """
        with self.use() as connection:
            with connection.begin():
                yield connection
            self._settle(connection)

    def close(self) -> None:
        """Let go of the file."""
        with self._using, suppress(OSError):
            self._is_closed = True
            self._let_go()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=LOCK_SECONDS, isolation_level="IMMEDIATE", check_same_thread=False)

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if _file(self._path) is None:  # The conversations of others are nothing for everybody on this machine.
            self._path.touch(mode=0o600)
        # While one turns a new file to WAL, SQLite refuses another at once instead of letting it wait.
        with FileLock(f"{self._path}.lock", timeout=LOCK_SECONDS, mode=0o600):
            opened = _file(self._path)
            engine = create_engine("sqlite://", creator=self._connect, poolclass=StaticPool)
            try:
                with engine.connect() as connection:
                    for pragma in ("journal_mode = WAL", "foreign_keys = ON", "secure_delete = ON"):
                        connection.exec_driver_sql(f"PRAGMA {pragma}")
                    upgrade(connection)
                    connection.commit()
            except (exc.DBAPIError, StoreError):
                engine.dispose()
                raise
        self._engine = engine
        self._opened = opened
        self._stale = False
        self._beside = {path: _file(path) for path in (Path(f"{self._path}-wal"), Path(f"{self._path}-shm"))}

    def _follow(self) -> None:
        """Open the file anew if it is another one, or was found damaged."""
        if not self._stale and self._opened != _file(self._path):
            _LOG.warning(
                "The store %r was moved away, deleted or replaced while it was open; from now on the file that is "
                "there is used.",
                str(self._path),
            )
            self._stale = True
        if self._stale:
            self._let_go()
            self._open()

    def _settle(self, connection: Connection) -> None:
        """Bring what was committed from SQLite's log into the file."""
        # If there is no room, or a reader is in the way, it stays in the log, from where the next one brings it.
        with suppress(exc.OperationalError):
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()

    def _let_go(self) -> None:
        # It is damaged, or closed already where opening it anew failed.
        with suppress(exc.DBAPIError), self._engine.connect() as connection:
            self._settle(connection)
        self._engine.dispose()
        if _file(self._path) == self._opened:
            return
        # SQLite leaves the log of a file that is gone, and would read it as that of the one that comes.
        for path, ours in self._beside.items():
            if _file(path) == ours:
                path.unlink(missing_ok=True)


class PostgreSQL:
    """A pool of connections to a PostgreSQL server, made anew when it was down."""

    def __init__(self, address: str) -> None:
        """Connect. Raises SettingsError for a wrong address, StoreError if it cannot be used."""
        try:
            url = make_url(address)
            if url.get_backend_name() != "postgresql":
                raise exc.ArgumentError
            self._engine = create_engine(
                url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=_CONNECTIONS,
                max_overflow=_CONNECTIONS, pool_timeout=LOCK_SECONDS, hide_parameters=True, connect_args=_PATIENCE,
            )  # fmt: skip
        except (exc.ArgumentError, ValueError) as error:
            raise SettingsError(
                "RAG_DATABASE is no address of PostgreSQL; write it as postgresql+psycopg://USER:PASSWORD@HOST/NAME."
            ) from error
        except ImportError as error:
            raise SettingsError(
                "RAG_DATABASE is set, but psycopg is not installed; install it with: pip install 'psycopg[binary]'"
            ) from error
        self._place = url.render_as_string(hide_password=True)
        self._is_closed = False
        try:
            with self._engine.begin() as connection:
                upgrade(connection)
        except exc.SQLAlchemyError as error:
            raise StoreError(
                f"The database {self._place} cannot be used ({_reason(error)}); see that it runs and that the user "
                "may make tables in it, or correct RAG_DATABASE."
            ) from error

    @contextmanager
    def use(self) -> Iterator[Connection]:
        """A connection of the pool."""
        if self._is_closed:
            raise _unusable("it is closed")
        try:
            with self._engine.connect() as connection:
                yield connection
        except exc.SQLAlchemyError as error:
            _LOG.error("The database %s failed (%s).", self._place, _reason(error))
            # What psycopg says names machines.
            down = isinstance(error, exc.OperationalError | exc.TimeoutError)
            raise _unusable("the database does not answer" if down else "the database refuses it") from error

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A connection of the pool, for a transaction."""
        with self.use() as connection, connection.begin():
            yield connection

    def close(self) -> None:
        """End the connections."""
        self._is_closed = True
        self._engine.dispose()


def _file(path: Path) -> tuple[int, int] | None:
    """Which file this is, None if there is none."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_dev, stat.st_ino


def _reason(error: Exception) -> str:
    """Why, in a line, without a path."""
    if isinstance(error, Timeout):
        return "another process is opening it"
    cause = getattr(error, "orig", None) or error
    return str(getattr(cause, "strerror", None) or cause).partition("\n")[0]


def _unusable(reason: str) -> StoreError:
    return StoreError(
        f"What this page keeps cannot be read or written at the moment ({reason}); try again, and tell whoever "
        "runs the page if it lasts."
    )
