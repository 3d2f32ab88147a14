"""The published index as its readers see it: documents, passages by words, passages by meaning."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chromadb.errors import ChromaError

from rag.errors import DamagedError, NoIndexError, StoreError
from rag.index.manifest import Manifest
from rag.index.passages import Passages
from rag.index.snapshot import REPAIR, current_name, soundest
from rag.index.vectors import Vectors
from rag.types import Passage

PASSAGES = "passages.sqlite"
VECTORS = "vectors"
EMBEDDINGS = "embeddings.sqlite"
"""Beside the snapshots: the cache of vectors."""


@dataclass(frozen=True, eq=False)
class Index:
    """An open snapshot. It is closed when nobody holds it any more; threads may share it.

    `current` is the name of the snapshot that was current when it was opened; `notice`
    says what was wrong with that, where an older one stands in. The methods raise
    DamagedError when the files were damaged after they were opened.
    """

    path: Path
    current: str | None
    manifest: Manifest
    notice: str | None
    documents: Passages
    _vectors: Vectors

    def passages(self, passage_ids: Sequence[int]) -> list[Passage]:
        """The passages with these ids, in this order."""
        with explained(self.path.parent):
            return self.documents.passages(passage_ids)

    def all_passages(self) -> list[Passage]:
        """Every passage, those of a document in its order: for small indexes only."""
        with explained(self.path.parent):
            return self.documents.passages(self.documents.passage_ids())

    def chosen(self, doc_ids: Sequence[str]) -> list[str]:
        """Those of the ids that there is a document of, each once."""
        with explained(self.path.parent):
            return self.documents.held(doc_ids)

    def passages_of(self, doc_ids: Sequence[str], most_words: int) -> list[Passage]:
        """Every passage of these documents in their order; none where they have more than `most_words` words."""
        with explained(self.path.parent):
            short = bool(doc_ids) and self.documents.word_count(doc_ids) <= most_words
            return self.documents.passages(self.documents.passage_ids(*doc_ids)) if short else []

    def by_words(self, question: str, k: int, doc_ids: Sequence[str] = ()) -> list[int]:
        """Ids of at most `k` passages, of all or these documents, that share a word with the question, best first."""
        with explained(self.path.parent):
            return self.documents.by_words(question, k, doc_ids)

    def by_meaning(
        self, vector: Sequence[float], k: int, doc_ids: Sequence[str] = (), preferred: Sequence[int] = ()
    ) -> list[tuple[int, float]]:
        """The at most `k` passages, of all or these documents, nearest to the vector, with their cosine (-1..1).

        Of equal ones there is only one: a `preferred` one, or else the first.
        """
        with explained(self.path.parent):
            among = self.documents.vectors_of(doc_ids) if doc_ids else None
            near = self._vectors.nearest(vector, k, among)
            passage_of = self.documents.by_vectors([vector_id for vector_id, _ in near], doc_ids, preferred)
            return [(passage_of[vector_id], cosine) for vector_id, cosine in near]


def open_index(folder: Path, embedder_name: str) -> Index:
    """Open the current snapshot, or where it is damaged the newest sound one.

    Raises StoreError when there is none, when another embedder built it, or when nothing is sound.
    """
    current = current_name(folder)
    sound = soundest(folder)
    if sound.manifest.embedder != embedder_name:
        raise StoreError(
            f"The index in {str(folder)!r} was built with the embedder {sound.manifest.embedder!r}, "
            f"not {embedder_name!r}; build it anew with: python ingest.py"
        )
    with explained(folder):
        documents, vectors = open_files(sound.path)
        vectors.warm()
    return Index(sound.path, current, sound.manifest, sound.notice, documents, vectors)


def is_sound(folder: Path) -> bool:
    """Whether there is an index in `folder` that can be opened, the current one or one before it."""
    try:
        soundest(folder)
    except (NoIndexError, DamagedError):
        return False
    return True


def open_files(snapshot: Path) -> tuple[Passages, Vectors]:
    """The two stores of a snapshot. Raises OSError, sqlite3.Error, ChromaError."""
    return Passages.read(snapshot / PASSAGES), Vectors.read(snapshot / VECTORS)


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Turns the errors of the stores into a DamagedError."""
    try:
        yield
    except (OSError, ValueError, sqlite3.Error, ChromaError, KeyError) as error:
        raise DamagedError(f"The index in {str(folder)!r} cannot be read ({error}); {REPAIR}") from error
