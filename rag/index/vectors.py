"""Vectors in a Chroma collection, by number."""

import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Self, cast

import chromadb
import numpy as np
import numpy.typing as npt
from chromadb.api.client import Client
from chromadb.api.collection_configuration import CreateHNSWConfiguration
from chromadb.config import Settings as ChromaSettings

Floats = npt.NDArray[np.float32]
_COLLECTION = "passages"
_DATABASE = "chroma.sqlite3"
_SETTLED = "settled"
"""An empty file that stands in the folder if nothing is left in the log."""
_COPY = "article-chat-"
_GRAPH = {".bin", ".pickle"}
"""The endings of the files of Chroma's search graph."""
_BATCH = 5000
"""Rows that Chroma takes at once (its limit is 5,461)."""
_EF_SEARCH = 1000
"""Candidates weighed in a search; with fewer, vectors are lost after many updates (docs/results.md)."""
_MAX_NEIGHBORS = 32
"""Of each vector in the search graph; with fewer, thousands that are alike hide others (docs/results.md)."""
_BRUTE_FORCE = 250
"""Up to so many chosen vectors are compared one by one, which is faster than Chroma's search (docs/results.md)."""
_PARTS, _LEAST_PART, _LARGEST_PART = 20, 100, 20_000
"""Chroma writes the search graph whenever so many rows are in its log: a 20th of all, for that takes time in proportion
to all that are there."""
_NOISE = 1e-4
"""Its standard deviation in each component; it changes a cosine by about as much."""


def search_graph(rows: int) -> CreateHNSWConfiguration:
    """How Chroma is to search about so many rows, here and in a server."""
    part = min(max(rows // _PARTS, _LEAST_PART), _LARGEST_PART)
    return {
        "space": "cosine", "ef_search": _EF_SEARCH, "max_neighbors": _MAX_NEIGHBORS, "sync_threshold": part,
    }  # fmt: skip


class Vectors:
    """An open collection. The methods raise chromadb.errors.ChromaError if its files are damaged."""

    def __init__(self, folder: Path, copy: tempfile.TemporaryDirectory[str] | None = None, rows: int = 0) -> None:
        self.folder = folder
        settings = ChromaSettings(anonymized_telemetry=False)
        client = cast(Client, chromadb.PersistentClient(str(folder), settings=settings))
        self.close: Callable[[], object] = weakref.finalize(self, _close, client, copy)
        """Let go of the files; happens by itself when nobody holds the collection any more."""
        if copy is None:
            (folder / _SETTLED).unlink(missing_ok=True)
            client.get_or_create_collection(
                _COLLECTION, embedding_function=None, configuration={"hnsw": search_graph(rows)}
            )
        self._rows = client.get_collection(_COLLECTION, embedding_function=None)

    @classmethod
    def edit(cls, folder: Path, rows: int = 0) -> Self:
        """Open or make a collection that nobody reads yet; `settle` it at the end.

        `rows` tells how many a new one will hold, about.
        """
        return cls(folder, rows=rows)

    def settle(self) -> None:
        """Have Chroma take its log into the search graph.

        Or else each reader would, and would write to its files. The room that the log took up is given back, for
        readers copy that file.
        """
        self._empty_log()
        with closing(sqlite3.connect(self.folder / _DATABASE)) as database:
            database.execute("VACUUM")
        (self.folder / _SETTLED).touch()

    def _empty_log(self) -> None:
        """Chroma does so when enough is in it: it is filled with removals of nothing."""
        needed = self._rows.configuration_json["hnsw"]["sync_threshold"]
        for first in range(0, needed, _BATCH):
            self._rows.delete([f"nothing {i}" for i in range(first, min(first + _BATCH, needed))])

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Open a published collection and leave its files untouched; threads may share it.

        Chroma writes to its database when it only opens it, so it gets a copy of that. The search graph, which is
        most of it, is only linked to: Chroma reads it into memory, and writes to it only what is in its log. Hence
        the folder may be read-only, and no reader can harm it. Raises OSError if there is no room for the copy.
        """
        _remove_copies_of_the_dead()
        copy = tempfile.TemporaryDirectory(prefix=f"{_COPY}{os.getpid()}-", ignore_cleanup_errors=True)
        is_settled = (folder / _SETTLED).exists()
        copy_function = _copy_or_link if is_settled else shutil.copyfile
        shutil.copytree(folder.resolve(), copy.name, dirs_exist_ok=True, copy_function=copy_function)
        return cls(Path(copy.name), copy)

    def __len__(self) -> int:
        return self._rows.count()

    def add(self, ids: Sequence[int], vectors: Floats) -> None:
        """Store `vectors`, shape (len(ids), dimensions), each with a little noise.

        Of many equal vectors the search graph would link each to its equals alone, and
        others could no longer be reached: of 3,000 with 300 equal ones up to 2% were lost,
        and none with the noise. (Equal texts share a vector; but an embedder takes some for equal.)
        """
        for first in range(0, len(ids), _BATCH):
            part = slice(first, first + _BATCH)
            # Each has its own by its number, so that it is the same wherever and whenever it is stored.
            noise = [np.random.default_rng(i).normal(scale=_NOISE, size=vectors.shape[1]) for i in ids[part]]
            self._rows.add([str(i) for i in ids[part]], embeddings=(vectors[part] + np.stack(noise)).astype(np.float32))

    def remove(self, ids: Sequence[int]) -> None:
        """Drop these rows."""
        for first in range(0, len(ids), _BATCH):
            self._rows.delete([str(i) for i in ids[first : first + _BATCH]])

    def warm(self) -> None:
        """Have the vectors in memory, so that the first question does not wait for them."""
        one = self._rows.get(limit=1, include=["embeddings"])["embeddings"]
        if one is not None and len(one):
            self.nearest(np.asarray(one[0], dtype=np.float32), 1)

    def get(self, ids: Sequence[int]) -> dict[int, Floats]:
        """The vectors of these rows, by id, as far as they are there."""
        found = self._rows.get([str(i) for i in ids], include=["embeddings"])
        vectors = found["embeddings"]
        assert vectors is not None
        return {int(i): np.asarray(vector, dtype=np.float32) for i, vector in zip(found["ids"], vectors, strict=True)}

    def nearest(
        self, vector: Sequence[float] | Floats, k: int, among: Sequence[int] | None = None
    ) -> list[tuple[int, float]]:
        """The at most `k` nearest ids, of all or `among` these, with their cosine (-1..1)."""
        if among is not None and len(among) <= _BRUTE_FORCE:
            return self._compared(np.asarray(vector, dtype=np.float32), among)[:k]
        found = self._rows.query(
            query_embeddings=np.asarray([vector], dtype=np.float32),
            n_results=k if among is None else min(k, len(among)),
            ids=None if among is None else [str(i) for i in among],
            include=["distances"],
        )
        distances = found["distances"]
        assert distances is not None
        return [(int(i), 1.0 - distance) for i, distance in zip(found["ids"][0], distances[0], strict=True)]

    def _compared(self, vector: Floats, among: Sequence[int]) -> list[tuple[int, float]]:
        """The ids that are there, each with its cosine, the nearest first."""
        rows = self.get(among) if among else {}
        length = float(np.linalg.norm(vector))
        cosines = {i: float(row @ vector) / (float(np.linalg.norm(row)) * length) for i, row in rows.items()}
        return sorted(cosines.items(), key=lambda one: (-one[1], one[0]))


def _copy_or_link(source: str, target: str) -> None:
    """Link to the search graph where the system lets us, and copy the rest."""
    try:
        if Path(source).suffix in _GRAPH:
            os.symlink(source, target)
            return
    except OSError:  # Windows lets only some users do so.
        pass
    shutil.copyfile(source, target)


def _close(client: Client, copy: tempfile.TemporaryDirectory[str] | None) -> None:
    client.close()
    if copy is not None:
        copy.cleanup()


def _remove_copies_of_the_dead() -> None:
    """Remove what processes left that were killed while they read."""
    if os.name != "posix":  # Elsewhere the signal 0 is not a mere question.
        return
    for copy in Path(tempfile.gettempdir()).glob(f"{_COPY}*-*"):
        try:
            os.kill(int(copy.name.removeprefix(_COPY).partition("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(copy, ignore_errors=True)
        except (PermissionError, ValueError, OverflowError):  # Somebody else's.
            continue
