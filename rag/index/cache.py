"""The vectors of passages by the hash of their text and the embedder, so that no text is embedded twice."""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS vectors (
    embedder TEXT NOT NULL, hash BLOB NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (embedder, hash)
) WITHOUT ROWID;
"""


class EmbeddingCache:
    """An SQLite file of vectors. A damaged file is replaced by an empty one, a damaged vector is not given out."""

    def __init__(self, path: Path, embedder: str) -> None:
        """Open or make the file. Raises sqlite3.OperationalError when it cannot be written."""
        self._path = path
        self._embedder = embedder
        try:
            self._database = _open(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._begin_anew()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def get(self, hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        """The vectors that are there."""
        marks = ",".join("?" * len(hashes))
        query = f"SELECT hash, vector, checksum FROM vectors WHERE embedder = ? AND hash IN ({marks})"
        rows: list[tuple[bytes, bytes, int]] = []
        with self._healing():
            rows = self._database.execute(query, [self._embedder, *hashes]).fetchall()
        return {key: np.frombuffer(raw, np.float32) for key, raw, checksum in rows if zlib.crc32(key + raw) == checksum}

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Store vectors, so that they are there after a crash too."""
        rows = ((key, vector.astype(np.float32).tobytes()) for key, vector in vectors.items())
        with self._healing(), self._database:
            self._database.executemany(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?)",
                [(self._embedder, key, raw, zlib.crc32(key + raw)) for key, raw in rows],
            )

    def keep(self, hashes: Iterable[bytes]) -> None:
        """Drop every other vector, also those of other embedders."""
        with self._healing(), self._database:
            self._database.execute("CREATE TEMP TABLE kept (hash BLOB PRIMARY KEY) WITHOUT ROWID")
            self._database.executemany("INSERT OR IGNORE INTO kept VALUES (?)", ((key,) for key in hashes))
            self._database.execute(
                "DELETE FROM vectors WHERE embedder != ? OR hash NOT IN (SELECT hash FROM kept)", [self._embedder]
            )
            self._database.execute("DROP TABLE kept")

    @contextmanager
    def _healing(self) -> Iterator[None]:
        """Where the file turns out to be damaged, an empty one takes its place: what it held can be made again."""
        try:
            yield
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._database.close()
            self._begin_anew()

    def _begin_anew(self) -> None:
        for part in self._path.parent.glob(f"{self._path.name}*"):
            part.unlink()
        self._database = _open(self._path)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=0, isolation_level="IMMEDIATE")
    database.executescript(_SCHEMA)
    return database
