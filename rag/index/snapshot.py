"""Snapshots of the index: complete folders that never change, one of them current.

`index/CURRENT` names the current snapshot and what it is made of. Each snapshot
holds a manifest with the size and the SHA-256 of its every file, so that whatever was
cut short, overwritten or lost is known before anything reads it.
"""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from rag.errors import DamagedError, NoIndexError, StoreError
from rag.index.manifest import Corpus, Manifest, check_files, corpus_of, read_manifest, to_disk

REPAIR = "repair it with: python ingest.py"
CURRENT = "CURRENT"
_BUILDING = ".building"
_NAME = re.compile(r"\d{8}T\d{12}-[0-9a-f]{4}")
_FRESH_CURRENT = re.compile(r"CURRENT\.[0-9a-f]{8}")
_LOCK = "LOCK"
"""The system lets go of it when its process ends, however it ends."""
_OWNER = "LOCK.owner"
PATIENCE = 0.3
"""Seconds for which a writer waits for the lock: `writer` holds it for a moment, too."""
_TRIES, _PAUSE = 20, 0.05
"""How often, and with how many seconds between, the owner is looked up."""


def new_snapshot(folder: Path) -> Path:
    """An empty folder to build in, named so that the newest sorts last. Raises OSError."""
    snapshot = building(folder, f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}")
    snapshot.mkdir()
    return snapshot


def building(folder: Path, name: str) -> Path:
    """The folder in which the snapshot of this name is made."""
    return folder / f"{name}{_BUILDING}"


def published_name(snapshot: Path) -> str:
    """The name that a snapshot which is being made will have."""
    return snapshot.name.removesuffix(_BUILDING)


def unfinished(folder: Path) -> list[Path]:
    """What interrupted builds left, if nobody is writing."""
    return [
        path for path in folder.iterdir() if path.name != published_name(path) and is_snapshot(published_name(path))
    ]


def remove_unfinished(folder: Path) -> None:
    """Remove what interrupted builds left. Only the holder of the lock may do this."""
    for path in unfinished(folder):
        shutil.rmtree(path)
    for path in filter(lambda path: _FRESH_CURRENT.fullmatch(path.name), folder.iterdir()):
        path.unlink()


def publish(snapshot: Path, corpus: Corpus) -> Path:
    """Rename a sealed snapshot and make it the current one. Raises OSError."""
    published = snapshot.with_name(published_name(snapshot))
    os.replace(snapshot, published)
    make_current(published, corpus)
    return published


def make_current(snapshot: Path, corpus: Corpus) -> None:
    """Let readers open this snapshot from now on. Raises OSError."""
    folder = snapshot.parent
    fresh = folder / f"{CURRENT}.{secrets.token_hex(4)}"
    fresh.write_text(current_text(snapshot.name, corpus), encoding="utf-8")
    to_disk(fresh)
    os.replace(fresh, folder / CURRENT)
    to_disk(folder)


def current_name(folder: Path) -> str | None:
    """The name of the current snapshot, None if CURRENT does not tell."""
    current = _read_current(folder)
    return current and current[0]


def _read_current(folder: Path) -> tuple[str, Corpus] | None:
    try:
        return parsed_current((folder / CURRENT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def current_text(name: str, corpus: Corpus) -> str:
    """What CURRENT says of a snapshot."""
    return f"{name}\n{json.dumps(asdict(corpus))}\n"


def parsed_current(text: str) -> tuple[str, Corpus] | None:
    """The name that CURRENT tells, and what it is of; None if cut short."""
    try:
        name, fields = text.splitlines()
        return name, corpus_of(json.loads(fields))
    except (ValueError, TypeError, AttributeError):
        return None


def is_snapshot(name: str) -> bool:
    """Whether a folder of this name is a published snapshot."""
    return bool(_NAME.fullmatch(name))


def last_corpus(folder: Path) -> Corpus | None:
    """What the index was made of; None if nothing was published.

    Raises DamagedError if neither CURRENT nor a manifest tells any more.
    """
    if current := _read_current(folder):
        return current[1]
    found = snapshots(folder)
    for snapshot in found:
        with suppress(DamagedError):
            return read_manifest(snapshot).corpus
    if found:
        raise DamagedError(
            f"The index in {str(folder)!r} is so damaged that what it was made of cannot be told; "
            "name the documents again: python ingest.py PATH"
        )
    return None


def snapshots(folder: Path, current: str | None = None) -> list[Path]:
    """The published snapshots, the `current` one first, then the newest first.

    Raises StoreError if the folder cannot be read.
    """
    current = current or current_name(folder)
    try:
        complete = [path for path in folder.iterdir() if is_snapshot(path.name) and path.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(
            f"The index in {str(folder)!r} cannot be read ({error.strerror}); "
            "see that it is a folder that you may read, or set RAG_INDEX to another one."
        ) from error
    return sorted(complete, key=lambda path: (path.name == current, path.name), reverse=True)


def some_snapshots(folder: Path, current: str | None = None) -> list[Path]:
    """The published snapshots, in the same order. Raises NoIndexError if there are none."""
    if not (found := snapshots(folder, current)):
        raise NoIndexError(f"There is no index in {str(folder)!r}; build it with: python ingest.py")
    return found


def remove_others(folder: Path, keep: Collection[str]) -> None:
    """Remove all snapshots but these."""
    for path in snapshots(folder):
        if path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class SoundSnapshot:
    """A snapshot whose files are as they were written.

    `notice` says what was wrong with a newer one, if anything.
    """

    path: Path
    manifest: Manifest
    notice: str | None


def newest_sound(folder: Path) -> SoundSnapshot:
    """The current snapshot, or if it is damaged the newest one that is not.

    Raises NoIndexError if nothing was published, DamagedError if nothing is sound,
    StoreError if the folder cannot be read.
    """
    while True:
        current = current_name(folder)
        try:
            sound = _newest_sound(folder, current)
        except StoreError:
            if current == current_name(folder):
                raise
            continue  # What seemed lost was replaced while it was looked at.
        if sound.notice is None or current == current_name(folder):
            return sound


def _newest_sound(folder: Path, current: str | None) -> SoundSnapshot:
    found = some_snapshots(folder, current)
    wrong = [] if current == found[0].name else ["CURRENT does not name a snapshot"]
    for snapshot in found:
        try:
            manifest = check_files(snapshot)
        except DamagedError as error:
            wrong.append(str(error))
            continue
        if not wrong:
            return SoundSnapshot(snapshot, manifest, None)
        notice = f"is damaged ({wrong[0]}), so the one of {manifest.created} is used; {REPAIR}"
        return SoundSnapshot(snapshot, manifest, f"The index in {str(folder)!r} {notice}")
    raise DamagedError(f"The index in {str(folder)!r} is damaged ({wrong[0]}); {REPAIR}")


def others(folder: Path) -> list[tuple[Path, Manifest]]:
    """The sound snapshots that are not current, the newest first."""
    found = []
    for snapshot in snapshots(folder):
        with suppress(DamagedError):
            if snapshot.name != current_name(folder):
                found.append((snapshot, check_files(snapshot)))
    return found


@contextmanager
def write_lock(folder: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock of the index in `folder`, for which it waits so many seconds.

    Raises StoreError, naming the process, when another one holds it, or when the folder cannot be written.
    """
    lock = FileLock(folder / _LOCK, timeout=patience, thread_local=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        (folder / _OWNER).write_text(f"process {os.getpid()} since {now}", encoding="utf-8")
    except Timeout as error:
        raise StoreError(
            f"The index in {str(folder)!r} is being written by {_owner(folder)}; wait until that has ended."
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
        return _owner(folder)
    except OSError:  # A folder that cannot be written has no writer.
        return None


def _owner(folder: Path) -> str:
    """The process that holds the lock; it writes so a moment after it got it."""
    for _ in range(_TRIES):
        with suppress(OSError, ValueError):
            if named := (folder / _OWNER).read_text(encoding="utf-8"):
                return named
        time.sleep(_PAUSE)
    return "another process"


def unwritable(folder: Path, error: Exception) -> StoreError:
    """The sentence for an index folder that cannot be written."""
    return StoreError(
        f"The index cannot be written in {str(folder)!r} ({getattr(error, 'strerror', None) or error}); "
        "see that there is room and that you may write there, or set RAG_INDEX to another folder."
    )


def roll_back(folder: Path) -> Manifest:
    """Make the newest sound snapshot that is not current the current one; returns its manifest.

    Raises StoreError if there is none, or the folder cannot be written, NoIndexError if there is no index.
    """
    some_snapshots(folder)
    with write_lock(folder):
        for snapshot, manifest in others(folder):
            try:
                make_current(snapshot, manifest.corpus)
            except OSError as error:
                raise unwritable(folder, error) from error
            return manifest
    raise StoreError(f"The index in {str(folder)!r} has no other sound snapshot to go back to.")
