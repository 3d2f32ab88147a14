"""The published index as its readers see it: documents, passages by words, passages by meaning."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from chromadb.errors import ChromaError

from rag.errors import DamagedError, NoIndexError, StoreError, UnreachableError
from rag.index.manifest import Manifest, read_manifest
from rag.index.passages import Passages
from rag.index.shared import LOCAL, Remote
from rag.index.snapshot import REPAIR, SoundSnapshot, current_name, newest_sound, snapshots
from rag.index.vectors import Floats, Vectors
from rag.types import Listed, Passage

Prepared = TypeVar("Prepared")

PASSAGES_FILE = "passages.sqlite"
VECTORS_FOLDER = "vectors"
EMBEDDINGS_FILE = "embeddings.sqlite"
"""Beside the snapshots: the cache of vectors."""


@dataclass(frozen=True, eq=False)
class Index:
    """An open snapshot, closed when nobody holds it any more; threads may share it.

    `current` is the name of the snapshot that was current when it was opened; `notice`
    says what was wrong with that, if an older one stands in. The methods raise
    DamagedError if the files were damaged after they were opened.
    """

    path: Path
    current: str | None
    manifest: Manifest
    notice: str | None
    documents: Passages
    _vectors: Vectors
    remote: Remote = LOCAL

    def passages(self, passage_ids: Sequence[int]) -> list[Passage]:
        """The passages with these ids, in this order."""
        with damage_reported(self.path.parent):
            return self.documents.passages(passage_ids)

    def chosen(self, doc_ids: Sequence[str]) -> list[str]:
        """Those of the ids that there is a document of, each once."""
        return self.documents.held(doc_ids)

    def vectors(self, passage_ids: Sequence[int]) -> Floats:
        """The unit vectors of these passages, of shape (len(passage_ids), dimensions)."""
        with damage_reported(self.path.parent):
            vector_of = self.documents.vector_ids(passage_ids)
            found = self._vectors.get(sorted(set(vector_of.values())))
            rows: Floats = np.stack([found[vector_of[passage_id]] for passage_id in passage_ids])
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
            return rows

    def by_words(self, question: str, k: int, doc_ids: Sequence[str] = ()) -> dict[int, float]:
        """At most `k` passages that share a word with the question, with their BM25.

        The best is first. Of all documents, or of those with these ids.
        """
        with damage_reported(self.path.parent):
            return self.documents.by_words(question, k, doc_ids)

    def by_meaning(
        self, vector: Sequence[float], k: int, doc_ids: Sequence[str] = (), preferred: Sequence[int] = ()
    ) -> list[tuple[int, float]]:
        """The at most `k` passages nearest to the vector, with their cosine (-1..1).

        Of all documents, or of those with these ids. Of equal ones there is only one: a `preferred`
        one, or else the first.
        """
        return self.passages_at(self.nearest(vector, k, doc_ids), doc_ids, preferred)

    def nearest(self, vector: Sequence[float], k: int, doc_ids: Sequence[str] = ()) -> list[tuple[int, float]]:
        """The numbers of the at most `k` nearest vectors, with their cosine."""
        with damage_reported(self.path.parent):
            among = self.documents.vectors_of(doc_ids) if doc_ids else None
            return self._vectors.nearest(vector, k, among)

    def passages_at(
        self, near: Sequence[tuple[int, float]], doc_ids: Sequence[str] = (), preferred: Sequence[int] = ()
    ) -> list[tuple[int, float]]:
        """A passage for each of the vectors that `nearest` found."""
        with damage_reported(self.path.parent):
            passage_of = self.documents.by_vectors([vector_id for vector_id, _ in near], doc_ids, preferred)
            return [(passage_of[vector_id], cosine) for vector_id, cosine in near]


def open_index(folder: Path, embedder_name: str, remote: Remote = LOCAL) -> Index:
    """Open the current snapshot, or if it is damaged the newest sound one.

    That is said by a warning in the log. A shared one is fetched first; while it is out of reach, the one that
    is here is opened. Raises StoreError when there is none, when another embedder built it, or when nothing is
    sound; UnreachableError when its vectors are out of reach.
    """
    _bring(folder, remote)
    current = current_name(folder)
    sound = _newest_sound(folder, remote)
    if sound.manifest.embedder != embedder_name:
        raise StoreError(
            f"The index in {str(folder)!r} was built with the embedder {sound.manifest.embedder!r}, "
            f"not {embedder_name!r}; build it anew with: python ingest.py"
        )
    with damage_reported(folder):
        documents, vectors = open_files(sound.path, remote)
        vectors.warm()
    if sound.notice:
        logging.getLogger(__name__).warning(sound.notice)
    return Index(sound.path, current, sound.manifest, sound.notice, documents, vectors, remote)


def _newest_sound(folder: Path, remote: Remote) -> SoundSnapshot:
    """That of the folder. A shared one that was damaged here is fetched anew."""
    try:
        sound = newest_sound(folder)
        is_damaged = sound.notice is not None
    except DamagedError:
        if not remote.shared:
            raise
        is_damaged = True
    if is_damaged and remote.shared:
        _bring(folder, remote, repair=True)
        sound = newest_sound(folder)
    return sound


def _bring(folder: Path, remote: Remote, repair: bool = False) -> None:
    """Fetch the shared snapshot. If that fails, the one that is here will do."""
    if not remote.shared:
        return
    try:
        remote.shared.bring(folder, repair)
    except StoreError as error:
        if not snapshots(folder):
            raise
        logging.getLogger(__name__).warning("The index is opened as it is here: %s", error)


class Reader(Generic[Prepared]):
    """Has the newest index open: one published later is opened beside it, then swapped.

    Threads may share it: the one that notices a publication opens it, the others go on with what is open.
    """

    def __init__(self, index: Index, prepare: Callable[[Index], Prepared]) -> None:
        """`prepare` makes what is needed of an index."""
        self._folder, self._embedder_name, self._remote = index.path.parent, index.manifest.embedder, index.remote
        self._prepare = prepare
        self._opening = threading.Lock()
        self._seen = index.current
        self.now = prepare(index)

    def newest(self) -> Prepared:
        """What was made of the newest index.

        While another thread opens that, what was made of the one before. One that cannot be opened
        is reported in the log, and the one before stays.
        """
        if self._is_behind() and self._opening.acquire(blocking=False):
            try:
                self._catch_up()
            finally:
                self._opening.release()
        return self.now

    def refresh(self) -> None:
        """Open the newest index, or wait until another thread has opened it."""
        with self._opening:
            self._catch_up()

    def instead_of(self, damaged: Prepared) -> Prepared:
        """What can be opened if the files of this one were damaged since."""
        with self._opening:
            if self.now is damaged:
                self._open()
            return self.now

    def _is_behind(self) -> bool:
        return current_name(self._folder) not in {self._seen, None}

    def _catch_up(self) -> None:
        if self._is_behind():
            self._open()

    def _open(self) -> None:
        """Under the lock `_opening`."""
        before, self._seen = self._seen, current_name(self._folder)
        try:
            index = open_index(self._folder, self._embedder_name, self._remote)
            self._seen, self.now = index.current, self._prepare(index)
        except StoreError as error:
            if isinstance(error, UnreachableError):  # The next question tries again.
                self._seen = before
            logging.getLogger(__name__).warning("The index stays as it was opened: %s", error)


def is_sound(folder: Path, remote: Remote = LOCAL) -> bool:
    """Whether there is a snapshot in `folder` that can be opened.

    A shared one is fetched first. Raises UnreachableError if that is out of reach.
    """
    _bring(folder, remote)
    try:
        _newest_sound(folder, remote)
    except (NoIndexError, DamagedError):
        return False
    return True


def list_documents(folder: Path) -> list[Listed]:
    """The documents of the index in `folder`. Raises StoreError if none is sound."""
    return Passages.read(newest_sound(folder).path / PASSAGES_FILE).listed()


def open_files(snapshot: Path, remote: Remote = LOCAL) -> tuple[Passages, Vectors]:
    """The two stores of a snapshot. Raises OSError, sqlite3.Error, ChromaError, StoreError."""
    passages = Passages.read(snapshot / PASSAGES_FILE)
    if not (collection := read_manifest(snapshot).collection):
        return passages, Vectors.read(snapshot / VECTORS_FOLDER)
    if not remote.chroma:
        raise StoreError(
            "The vectors of the index are in a Chroma server; set RAG_CHROMA_URL to its address, "
            "or bring them into the index with: python ingest.py"
        )
    return passages, remote.chroma.read(collection)


@contextmanager
def damage_reported(folder: Path) -> Iterator[None]:
    """Turn the errors of the two stores into a DamagedError."""
    try:
        yield
    except (OSError, ValueError, sqlite3.Error, ChromaError, KeyError) as error:
        raise DamagedError(f"The index in {str(folder)!r} cannot be read ({error}); {REPAIR}") from error
