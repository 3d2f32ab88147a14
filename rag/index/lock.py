"""One writer at a time: a lock that the system lets go of when its process ends, however it ends."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import StoreError

_LOCK = "LOCK"
_OWNER = "LOCK.owner"
_LOOKS, _BETWEEN = 20, 0.05
"""How often, and with how many seconds between, the owner is looked up."""


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of the index in `folder`.

    Raises StoreError, naming the process, when another one holds it, or when the folder cannot be written.
    """
    lock = FileLock(folder / _LOCK, timeout=0, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        (folder / _OWNER).write_text(f"process {os.getpid()} since {now}", encoding="utf-8")
    except Timeout as error:
        raise StoreError(
            f"The index in {str(folder)!r} is being written by {owner(folder)}; wait until that has ended."
        ) from error
    except OSError as error:
        lock.release()
        raise unwritable(folder, error) from error
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / _OWNER).unlink(missing_ok=True)
        lock.release()


def writer(folder: Path) -> str | None:
    """Who is writing the index in `folder` now, None when nobody is."""
    lock = FileLock(folder / _LOCK, timeout=0, thread_local=False)
    if not (folder / _LOCK).exists():
        return None
    try:
        with lock:
            return None
    except Timeout:
        return owner(folder)
    except OSError:  # A folder that cannot be written has no writer.
        return None


def owner(folder: Path) -> str:
    """The process that says it holds the lock; it writes so a moment after it has got it."""
    for _ in range(_LOOKS):
        with suppress(OSError, ValueError):
            if named := (folder / _OWNER).read_text(encoding="utf-8"):
                return named
        time.sleep(_BETWEEN)
    return "another process"


def unwritable(folder: Path, error: Exception) -> StoreError:
    """The sentence for an index folder that cannot be written."""
    return StoreError(
        f"The index cannot be written in {str(folder)!r} ({getattr(error, 'strerror', None) or error}); "
        "see that there is room and that you may write there, or set RAG_INDEX to another folder."
    )
