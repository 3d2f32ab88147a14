"""Sources -> a new snapshot of the index, made of what the one before has and of what changed since."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chromadb.errors import ChromaError
from langchain_core.embeddings import Embeddings

from rag.documents.loader import AHEAD, Loader
from rag.documents.sources import find_sources
from rag.errors import DamagedError, DocumentError, NoIndexError, StoreError
from rag.index.cache import EmbeddingCache
from rag.index.editor import Editor
from rag.index.embedding import store_vectors
from rag.index.index import EMBEDDINGS, PASSAGES, VECTORS
from rag.index.lock import one_writer, unwritable
from rag.index.manifest import FORMAT, Corpus, Manifest, seal
from rag.index.passages import Passages
from rag.index.snapshot import Sound, new_snapshot, publish, remove_others, remove_unfinished, snapshots, soundest
from rag.index.verify import verify_apart
from rag.models.progress import Progress, silent
from rag.types import Loaded

_MOST_STALE = 0.2
"""Share of removed vectors from which on the vectors are stored anew."""


@dataclass(frozen=True)
class Maker:
    """How passages and vectors are made: words in a passage, the embedder's name, and how to get the embedder."""

    passage_words: int
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
    corpus: Corpus | Callable[[], Corpus],
    maker: Maker,
    loader: Loader,
    *,
    rebuild: bool = False,
    progress: Progress = silent,
    verify: Callable[[Path], list[str]] = verify_apart,
) -> Outcome:
    """Publish an index of exactly what `corpus` holds now; what is unchanged is taken from the one before.

    A `corpus` that goes on from what was named last is given as a function: it is called when
    nobody else is writing any more. With `rebuild` every document is read and split anew. Readers see nothing until the
    end, and where it fails the index stays as it was. Raises DocumentError when there
    is nothing to read, StoreError when another process is writing, the folder cannot
    be written, or the result does not pass its check; ModelError from the embedder.
    """
    with one_writer(folder):
        corpus = corpus() if callable(corpus) else corpus
        try:
            remove_unfinished(folder)
            before = _soundest(folder)
            # An update that was killed while it removed old ones may have left more.
            kept = {path.name for path in snapshots(folder)[:2]} | ({before.path.name} if before else set())
            remove_others(folder, kept)
            return _Update(folder, corpus, maker, loader, before, rebuild, progress, verify).run()
        except (OSError, sqlite3.Error, ChromaError) as error:
            raise unwritable(folder, error) from error


def _soundest(folder: Path) -> Sound | None:
    try:
        return soundest(folder)
    except (NoIndexError, DamagedError):
        return None


class _Update:
    """One run of `update`, under the lock.

    `before` is what readers have now; `base` is the same where it was made in the same
    way, so that the new snapshot can start from it.
    """

    def __init__(
        self, folder: Path, corpus: Corpus, maker: Maker, loader: Loader, before: Sound | None, rebuild: bool,
        progress: Progress, verify: Callable[[Path], list[str]],
    ) -> None:  # fmt: skip
        self._folder, self._corpus, self._maker, self._loader = folder, corpus, maker, loader
        self._before, self._progress, self._verify = before, progress, verify
        made = before and (before.manifest.embedder, before.manifest.passage_words)
        self._base = None if rebuild or made != (maker.embedder, maker.passage_words) else before
        self._problems: list[str] = []
        self._kept: list[str] = []
        self._embedded = 0

    def run(self) -> Outcome:
        known, complaints = self._known(self._before)
        fresh, gone = self._changes(known if self._base else {}, known)
        for file in complaints.keys() - gone - fresh.keys():
            self._problems += complaints[file]
        base = self._base
        if base and not (fresh or gone or base.notice) and base.manifest.corpus == self._corpus:
            return Outcome(base.manifest, False, tuple(self._problems), 0)
        snapshot = new_snapshot(self._folder)
        try:
            return self._build(snapshot, known if base else {}, fresh, gone)
        finally:
            shutil.rmtree(snapshot, ignore_errors=True)

    def _known(self, sound: Sound | None) -> tuple[dict[str, str], dict[str, list[str]]]:
        """The digests of the files in a snapshot, and what could not be read in them."""
        if sound is None:
            return {}, {}
        with closing(Passages.read(sound.path / PASSAGES)) as passages:
            return passages.files(), passages.complaints()

    def _changes(self, held: dict[str, str], known: dict[str, str]) -> tuple[dict[str, str], set[str]]:
        """The files to read with their digests, and the files of `held` that are gone or will be read anew.

        A web address that is out of reach is kept as it is `known`.
        """
        fresh: dict[str, str] = {}
        gone = set(held)
        found = find_sources(self._corpus.paths, self._corpus.include, self._corpus.exclude)
        sources = [source for source in found if source not in self._corpus.removed]
        for number, source in enumerate(sources, 1):
            try:
                digest = self._digest(source)
            except DocumentError as error:
                if "://" in source and source in known:
                    self._kept += [] if source in held else [source]
                    gone.discard(source)
                if not (source in known and "://" in source and not self._loader.online):
                    self._problems.append(str(error))
                continue
            if held.get(source) == digest:
                gone.discard(source)
            else:
                fresh[source] = digest
            self._progress("Looking for changes", number, len(sources))
        return fresh, gone

    def _digest(self, source: str) -> str:
        """That of the file, and of what was removed of it."""
        parts = sorted(removed for removed in self._corpus.removed if removed.startswith(f"{source}#"))
        digest = self._loader.digest(source)
        return f"{digest} without {', '.join(parts)}" if parts else digest

    def _build(self, snapshot: Path, known: dict[str, str], fresh: dict[str, str], gone: set[str]) -> Outcome:
        base = self._base
        if base:
            shutil.copytree(base.path, snapshot, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json"))
        with closing(Editor.edit(snapshot / PASSAGES)) as passages:
            first = passages.last_vector()
            self._read(passages, fresh, gone)
            removed = passages.tidy()
            if base and passages.files() == known and base.manifest.corpus == self._corpus and not base.notice:
                return Outcome(base.manifest, False, tuple(self._problems), 0)
            counts = passages.counts()
            if not counts.passages:
                reason = f"the first reason: {self._problems[0]}" if self._problems else "name documents to read."
                raise DocumentError(
                    "No document could be read, so the index stays as it was "
                    f"(to be without one, delete {str(self._folder)!r}); {reason}"
                )
            stale = base.manifest.stale + len(removed) if base else 0
            if stale > _MOST_STALE * passages.vector_count():
                shutil.rmtree(snapshot / VECTORS)
                first, stale, removed = 0, 0, []
            with EmbeddingCache(self._folder / EMBEDDINGS, self._maker.embedder) as cache:
                self._embedded = store_vectors(
                    snapshot / VECTORS, passages, cache, self._maker.load_embedder, first, removed, self._progress
                )
        created = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        manifest = Manifest(
            FORMAT, created, self._maker.embedder, self._maker.passage_words,
            counts.documents, counts.passages, counts.words, stale, self._corpus,
        )  # fmt: skip
        seal(snapshot, manifest)
        if wrong := self._verify(snapshot):
            raise StoreError(f"The new index did not pass its check ({wrong[0]}), so the old one stays; try again.")
        published = publish(snapshot, self._corpus)
        with suppress(OSError, sqlite3.Error):  # The new index is there; the next run tidies what is left.
            remove_others(self._folder, {published.name, *([self._before.path.name] if self._before else [])})
            self._forget_vectors()
        return Outcome(manifest, True, tuple(self._problems), self._embedded)

    def _read(self, passages: Editor, fresh: dict[str, str], gone: set[str]) -> None:
        for file in gone:
            passages.remove(file)
        files = list(fresh)
        for number, (file, digest) in enumerate(fresh.items(), 1):
            wrong: list[str] = []
            if passages.add(file, digest, self._documents(file, files[number : number + AHEAD], wrong)):
                passages.complain(file, wrong)
            self._problems += wrong
            self._progress("Reading documents", number, len(fresh))
        if self._kept and self._before:
            with closing(Passages.read(self._before.path / PASSAGES)) as before:
                for file in self._kept:
                    passages.add(file, before.files()[file], before.of_file(file))

    def _documents(self, file: str, coming: Sequence[str], wrong: list[str]) -> Iterator[Loaded]:
        for found in self._loader.load(file, self._maker.passage_words, coming):
            if isinstance(found, DocumentError):
                wrong.append(str(found))
            elif found.document.source not in self._corpus.removed:
                yield found

    def _forget_vectors(self) -> None:
        """Keep in the cache what the kept snapshots hold."""

        def hashes() -> Iterator[bytes]:
            for snapshot in snapshots(self._folder):
                with suppress(sqlite3.Error), closing(Passages.read(snapshot / PASSAGES)) as passages:
                    yield from passages.all_hashes()

        with EmbeddingCache(self._folder / EMBEDDINGS, self._maker.embedder) as cache:
            cache.keep(hashes())
