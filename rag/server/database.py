"""The connection to the store's file, which others may move, replace or lock meanwhile."""

import errno
import logging
import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import StoreError

LOCK_SECONDS = 2.0
"""Seconds to wait for another thread, and then for another process, that uses the file."""
_LOG = logging.getLogger(__name__)


class Database:
    """One connection to an SQLite file; threads use it one after the other.

    If the file was moved away, deleted or replaced, the next use goes on with the one that is there then, or with a
    new one. What was committed is in the file that was there.
    """

    def __init__(self, path: Path, schema: str) -> None:
        """Open the file, or make it with its folder. Raises StoreError, naming the path."""
        self._path = path
        self._schema = schema
        self._using = threading.Lock()
        self._is_closed = False
        try:
            if path.exists() and not os.access(path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # SQLite would only read it.
            self._open()
        except (sqlite3.OperationalError, OSError) as error:
            raise StoreError(
                f"The store {str(path)!r} cannot be used ({_reason(error)}); see that there is room, that you may "
                "write there and that nobody else holds it, or set RAG_STORE to another folder."
            ) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"The store {str(path)!r} is damaged ({error}); put a sound copy there, or move it away to begin anew."
            ) from error

    @contextmanager
    def use(self) -> Generator[sqlite3.Connection, None, None]:
        """The connection, for this thread alone. Raises StoreError, which readers of the page see."""
        if not self._using.acquire(timeout=LOCK_SECONDS):
            raise _unusable("it is busy")
        try:
            if self._is_closed:  # An answer may come when the server has ended.
                raise _unusable("it is closed")
            self._follow()
            yield self._connection
        except sqlite3.ProgrammingError:
            raise
        except (sqlite3.Error, OSError) as error:
            self._stale |= isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
            _LOG.error("The store %r failed (%s).", str(self._path), _reason(error))
            raise _unusable(_reason(error)) from error
        finally:
            self._using.release()

    def settle(self) -> None:
        """Bring what was committed from SQLite's log into the file; call it in `use`.

        The file then is whole by itself, wherever it is moved or copied.
        """
        # If there is no room, or a reader is in the way, it stays in the log, from where the next one brings it.
        with suppress(sqlite3.OperationalError):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def close(self) -> None:
        """Let go of the file."""
        with self._using, suppress(OSError):
            self._is_closed = True
            self._let_go()

    def _open(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if _file(self._path) is None:  # The conversations of others are nothing for everybody on this machine.
            self._path.touch(mode=0o600)
        # While one turns a new file to WAL, SQLite refuses another at once instead of letting it wait.
        with FileLock(f"{self._path}.lock", timeout=LOCK_SECONDS, mode=0o600):
            opened = _file(self._path)
            connection = sqlite3.connect(
                self._path, timeout=LOCK_SECONDS, isolation_level="IMMEDIATE", check_same_thread=False
            )
            try:
                connection.executescript(self._schema)
            except sqlite3.Error:
                connection.close()
                raise
        self._connection = connection
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

    def _let_go(self) -> None:
        with suppress(sqlite3.Error):  # It is damaged, or closed already where opening it anew failed.
            self.settle()
        self._connection.close()
        if _file(self._path) == self._opened:
            return
        # SQLite leaves the log of a file that is gone, and would read it as that of the one that comes.
        for path, ours in self._beside.items():
            if _file(path) == ours:
                path.unlink(missing_ok=True)


def _file(path: Path) -> tuple[int, int] | None:
    """Which file this is, None if there is none."""
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_dev, stat.st_ino


def _reason(error: Exception) -> str:
    """Why, without a path."""
    if isinstance(error, Timeout):
        return "another process is opening it"
    return str(getattr(error, "strerror", None) or error)


def _unusable(reason: str) -> StoreError:
    return StoreError(
        f"What this page keeps cannot be read or written at the moment ({reason}); try again, and tell whoever "
        "runs the page if it lasts."
    )
