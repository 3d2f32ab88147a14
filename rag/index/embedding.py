"""Passages -> their vectors in Chroma, from a cache or from the embedder."""

import sqlite3
import zlib
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings

from rag.index.passage_editor import PassageEditor, Pending
from rag.index.vectors import Floats, Vectors
from rag.models.progress import Progress

BATCH = 512
"""Passages embedded and stored at once."""
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS vectors (
    embedder TEXT NOT NULL, hash BLOB NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (embedder, hash)
);
"""


class EmbeddingCache:
    """Vectors in an SQLite file, by the hash of their text and the embedder.

    A damaged file is replaced by an empty one, a damaged vector is not given out.
    """

    def __init__(self, path: Path, embedder: str) -> None:
        """Open or make the file. Raises sqlite3.OperationalError when it cannot be written."""
        self._path, self._embedder = path, embedder
        self._open()

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def get(self, hashes: Sequence[bytes]) -> dict[bytes, Floats]:
        """The vectors that are there."""
        marks = ",".join("?" * len(hashes))
        query = f"SELECT hash, vector, checksum FROM vectors WHERE embedder = ? AND hash IN ({marks})"
        rows: list[tuple[bytes, bytes, int]] = []
        with self._healing():
            rows = self._database.execute(query, [self._embedder, *hashes]).fetchall()
        return {key: np.frombuffer(raw, np.float32) for key, raw, checksum in rows if zlib.crc32(key + raw) == checksum}

    def put(self, vectors: Mapping[bytes, Floats]) -> None:
        """Store vectors, so that they are there after a crash too."""
        rows = [(key, vector.astype(np.float32).tobytes()) for key, vector in vectors.items()]
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
        """Replace a damaged file by an empty one: the vectors can be made again."""
        try:
            yield
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._database.close()
            for part in self._path.parent.glob(f"{self._path.name}*"):
                part.unlink()
            self._open()

    def _open(self) -> None:
        self._database = sqlite3.connect(self._path, timeout=0, isolation_level="IMMEDIATE")
        with self._healing():
            self._database.executescript(_SCHEMA)


class AheadEmbedder(Embeddings):
    """An embedder that takes batches ahead and works on several at once."""

    @abstractmethod
    def embed_batches(self, batches: Iterable[list[str]]) -> Iterator[Floats]:
        """The vectors of each batch, which may be empty, in order."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Vectors of shape (len(texts), dimensions)."""
        (vectors,) = self.embed_batches([texts])
        rows: list[list[float]] = vectors.tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """The vector of one question."""
        return self.embed_documents([text])[0]


def _with_vectors(
    batches: Iterable[list[Pending]], cache: EmbeddingCache, load_embedder: Callable[[], Embeddings]
) -> Iterator[tuple[list[Pending], dict[bytes, Floats], int]]:
    """Each batch, its vectors by hash, and how many of these had to be embedded."""
    waiting: deque[tuple[list[Pending], list[bytes]]] = deque()

    def missing() -> Iterator[list[str]]:
        for batch in batches:
            known = cache.get([text.hash for text in batch])
            lacking = {text.hash: text.text for text in batch if text.hash not in known}
            waiting.append((batch, list(lacking)))
            yield list(lacking.values())

    for vectors in _embedded(missing(), load_embedder):
        batch, hashes = waiting.popleft()
        made = dict(zip(hashes, vectors, strict=True))
        if made:
            cache.put(made)
        yield batch, cache.get([text.hash for text in batch if text.hash not in made]) | made, len(made)


def _embedded(batches: Iterator[list[str]], load_embedder: Callable[[], Embeddings]) -> Iterator[Floats]:
    """The vectors of each batch; the embedder is loaded for the first text."""
    embedder: Embeddings | None = None
    for texts in batches:
        if texts and embedder is None:
            embedder = load_embedder()
            if isinstance(embedder, AheadEmbedder):
                yield from embedder.embed_batches(chain([texts], batches))
                return
        yield np.asarray(embedder.embed_documents(texts) if embedder and texts else [], dtype=np.float32)


def store_vectors(
    vectors: Vectors,
    passages: PassageEditor,
    cache: EmbeddingCache,
    load_embedder: Callable[[], Embeddings],
    after: int,
    removed: Sequence[int],
    progress: Progress,
) -> int:
    """Drop the `vectors` with the numbers `removed` and store those with numbers above `after`.

    Chroma stores a batch while the next one is embedded. Returns how many had to be
    embedded; the embedder is loaded for the first of them.
    """
    total, done, embedded = passages.count_after(after), 0, 0
    with ThreadPoolExecutor(1) as side:
        vectors.remove(removed)
        storing: Future[None] | None = None
        progress("Embedding passages", done, total)
        for batch, found, made in _with_vectors(passages.pending(after, BATCH), cache, load_embedder):
            embedded += made
            if storing:
                storing.result()
            numbers = [text.vector_id for text in batch]
            storing = side.submit(vectors.add, numbers, np.stack([found[text.hash] for text in batch]))
            done += len(batch)
            progress("Embedding passages", done, total)
        if storing:
            storing.result()
        vectors.settle()
    return embedded
