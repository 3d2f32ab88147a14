"""Sources -> a new generation of the index, made of what the one before has and of what changed since."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from chromadb.errors import ChromaError
from langchain_core.embeddings import Embeddings

from rag.cache import EmbeddingCache
from rag.errors import DocumentError, StoreError
from rag.generation import (
    FORMAT,
    Corpus,
    Manifest,
    Sound,
    generations,
    new_generation,
    publish,
    remove_old,
    remove_unfinished,
    seal,
    soundest,
)
from rag.index import EMBEDDINGS, PASSAGES, VECTORS
from rag.load import Loader, find_sources
from rag.lock import one_writer, unwritable
from rag.passages import Passages
from rag.types import Document
from rag.vectors import Vectors
from rag.verify import verify_apart
from rag.weights import Progress, silent

BATCH = 512
"""Passages embedded and stored at once."""
_MOST_STALE = 0.2
"""Share of removed vectors from which on the vectors are stored anew."""


@dataclass(frozen=True)
class Maker:
    """How passages and vectors are made: words in a passage, the embedder's name, and how to get the embedder."""

    chunk_words: int
    embedder: str
    load_embedder: Callable[[], Embeddings]


@dataclass(frozen=True)
class Outcome:
    """What an update did: `problems` names what could not be read, `embedded` counts the passages that had to be."""

    manifest: Manifest
    changed: bool
    problems: tuple[str, ...]
    embedded: int


def update(
    folder: Path,
    corpus: Corpus,
    maker: Maker,
    loader: Loader,
    *,
    rebuild: bool = False,
    progress: Progress = silent,
    verify: Callable[[Path], list[str]] = verify_apart,
) -> Outcome:
    """Publish an index of exactly what `corpus` holds now; what is unchanged is taken from the one before.

    With `rebuild` every document is read and split anew. Readers see nothing until the
    end, and where it fails the index stays as it was. Raises DocumentError when there
    is nothing to read, StoreError when another process is writing, the folder cannot
    be written, or the result does not pass its check; ModelError from the embedder.
    """
    with one_writer(folder):
        try:
            remove_unfinished(folder)
            base = None if rebuild else _base(folder, maker)
            return _Update(folder, corpus, maker, loader, base, progress, verify).run()
        except (OSError, sqlite3.Error, ChromaError) as error:
            raise unwritable(folder, error) from error


def _base(folder: Path, maker: Maker) -> Sound | None:
    """The generation to start from, where a sound one was made in the same way."""
    with suppress(StoreError):
        sound = soundest(folder)
        made = (sound.manifest.embedder, sound.manifest.chunk_words)
        return sound if made == (maker.embedder, maker.chunk_words) else None
    return None


class _Update:
    """One run of `update`, under the lock."""

    def __init__(
        self, folder: Path, corpus: Corpus, maker: Maker, loader: Loader, base: Sound | None, progress: Progress,
        verify: Callable[[Path], list[str]],
    ) -> None:  # fmt: skip
        self._folder, self._corpus, self._maker, self._loader = folder, corpus, maker, loader
        self._base, self._progress, self._verify = base, progress, verify
        self._problems: list[str] = []
        self._embedded = 0

    def run(self) -> Outcome:
        known, complaints = self._known()
        fresh, gone = self._changes(known)
        for file in known.keys() - gone:
            self._problems += complaints.get(file, [])
        base = self._base
        if base and not (fresh or gone or base.notice) and base.manifest.corpus == self._corpus:
            return Outcome(base.manifest, False, tuple(self._problems), 0)
        generation = new_generation(self._folder)
        try:
            return self._build(generation, known, fresh, gone)
        finally:
            shutil.rmtree(generation, ignore_errors=True)

    def _known(self) -> tuple[dict[str, str], dict[str, list[str]]]:
        """The digests of the files in the base, and what could not be read in them."""
        if self._base is None:
            return {}, {}
        with closing(Passages.read(self._base.path / PASSAGES)) as passages:
            return passages.files(), passages.complaints()

    def _changes(self, known: dict[str, str]) -> tuple[dict[str, str], set[str]]:
        """The files to read with their digests, and the files of the base that are gone or will be read anew."""
        fresh: dict[str, str] = {}
        gone = set(known)
        found = find_sources(self._corpus.paths, self._corpus.include, self._corpus.exclude)
        sources = [source for source in found if source not in self._corpus.removed]
        for number, source in enumerate(sources, 1):
            try:
                digest = self._loader.digest(source)
            except DocumentError as error:
                self._problems.append(str(error))
                if "://" in source:  # What is out of reach for now is kept as it was.
                    gone.discard(source)
                continue
            if known.get(source) == digest:
                gone.discard(source)
            else:
                fresh[source] = digest
            self._progress("Looking for changes", number, len(sources))
        return fresh, gone

    def _build(self, generation: Path, known: dict[str, str], fresh: dict[str, str], gone: set[str]) -> Outcome:
        base = self._base
        if base:
            shutil.copytree(base.path, generation, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))
        with closing(Passages.edit(generation / PASSAGES)) as passages:
            first = passages.last_id()
            self._read(passages, fresh, gone)
            removed = passages.tidy()
            if base and passages.files() == known and base.manifest.corpus == self._corpus and not base.notice:
                return Outcome(base.manifest, False, tuple(self._problems), 0)
            counts = passages.counts()
            if not counts.chunks:
                reason = f"the first reason: {self._problems[0]}" if self._problems else "name others."
                raise DocumentError(f"No document could be read, so the index was not changed; {reason}")
            stale = base.manifest.stale + len(removed) if base else 0
            if stale > _MOST_STALE * counts.chunks:
                shutil.rmtree(generation / VECTORS)
                first, stale, removed = 0, 0, []
            with EmbeddingCache(self._folder / EMBEDDINGS, self._maker.embedder) as cache:
                self._store_vectors(generation, passages, cache, first, removed)
        created = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        manifest = Manifest(
            FORMAT, created, self._maker.embedder, self._maker.chunk_words,
            counts.documents, counts.chunks, counts.words, stale, self._corpus,
        )  # fmt: skip
        seal(generation, manifest)
        if wrong := self._verify(generation):
            raise StoreError(f"The new index did not pass its check ({wrong[0]}), so the old one stays; try again.")
        publish(generation)
        remove_old(self._folder)
        self._forget_vectors()
        return Outcome(manifest, True, tuple(self._problems), self._embedded)

    def _read(self, passages: Passages, fresh: dict[str, str], gone: set[str]) -> None:
        for file in gone:
            passages.remove(file)
        for number, (file, digest) in enumerate(fresh.items(), 1):
            wrong: list[str] = []
            if passages.add(file, digest, self._documents(file, wrong), self._maker.chunk_words):
                passages.complain(file, wrong)
            self._problems += wrong
            self._progress("Reading documents", number, len(fresh))
        passages.drop(self._corpus.removed)

    def _documents(self, file: str, wrong: list[str]) -> Iterator[Document]:
        for found in self._loader.load(file):
            if isinstance(found, DocumentError):
                wrong.append(str(found))
            else:
                yield found

    def _store_vectors(
        self, generation: Path, passages: Passages, cache: EmbeddingCache, first: int, removed: list[int]
    ) -> None:
        """Bring the vectors to what the passages are; Chroma stores a batch while the next one is embedded."""
        embedder: Embeddings | None = None
        total, done = passages.count_after(first), 0
        vectors = Vectors.edit(generation / VECTORS)
        storing: Future[None] | None = None
        try:
            with ThreadPoolExecutor(1) as side:
                vectors.remove(removed)
                for batch in passages.pending(first, BATCH):
                    found = cache.get([passage.hash for passage in batch])
                    if missing := {passage.hash: passage.text for passage in batch if passage.hash not in found}:
                        embedder = embedder or self._maker.load_embedder()
                        rows = np.asarray(embedder.embed_documents(list(missing.values())), dtype=np.float32)
                        made = dict(zip(missing, rows, strict=True))
                        cache.put(made)
                        found |= made
                        self._embedded += len(made)
                    if storing:
                        storing.result()
                    storing = side.submit(
                        vectors.add, [passage.chunk_id for passage in batch],
                        np.stack([found[passage.hash] for passage in batch]),
                    )  # fmt: skip
                    done += len(batch)
                    self._progress("Embedding passages", done, total)
                if storing:
                    storing.result()
        finally:
            vectors.close()

    def _forget_vectors(self) -> None:
        """Keep in the cache what the kept generations hold."""

        def hashes() -> Iterator[bytes]:
            for generation in generations(self._folder):
                with suppress(sqlite3.Error), closing(Passages.read(generation / PASSAGES)) as passages:
                    yield from passages.all_hashes()

        with EmbeddingCache(self._folder / EMBEDDINGS, self._maker.embedder) as cache:
            cache.keep(hashes())
