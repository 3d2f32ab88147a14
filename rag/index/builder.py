"""Documents -> a new snapshot, made of the one before and of what has changed."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from chromadb.errors import ChromaError
from langchain_core.embeddings import Embeddings

from rag.documents.fetch import is_address
from rag.documents.loader import AHEAD, Loader
from rag.documents.sources import file_of, survey
from rag.documents.splitter import passage_spans
from rag.errors import DamagedError, DocumentError, NoIndexError, StoreError
from rag.index.embedding import EmbeddingCache, store_vectors
from rag.index.health import served_problems, verify_apart
from rag.index.index import EMBEDDINGS_FILE, PASSAGES_FILE, VECTORS_FOLDER
from rag.index.manifest import FORMAT, MANIFEST, Corpus, Manifest, seal
from rag.index.passage_editor import PassageEditor
from rag.index.passages import Passages
from rag.index.shared import LOCAL, Remote
from rag.index.snapshot import (
    SoundSnapshot,
    new_snapshot,
    newest_sound,
    publish,
    published_name,
    remove_unfinished,
    snapshots,
    unwritable,
    write_lock,
)
from rag.index.vectors import Vectors
from rag.models.embedder import embedder_name, make_embedder
from rag.models.progress import Progress, silent
from rag.settings import Settings
from rag.types import Loaded

_MOST_STALE = 0.2
"""If a larger share of the vectors is stale, all are stored again."""


@dataclass(frozen=True)
class BuildOptions:
    """How an index is made: words in a passage, the embedder, where else it is."""

    passage_words: int
    embedder: str
    load_embedder: Callable[[], Embeddings]
    remote: Remote = LOCAL

    @classmethod
    def of(cls, settings: Settings, load_embedder: Callable[[], Embeddings] | None = None) -> Self:
        """Those of the settings, whose embedder is loaded unless `load_embedder` is given."""
        load_embedder = load_embedder or (lambda: make_embedder(settings))
        return cls(settings.passage_words, embedder_name(settings), load_embedder, Remote.of(settings))


@dataclass(frozen=True)
class Outcome:
    """What an update did.

    `problems` names what could not be read, `embedded` counts the texts that had to be embedded.
    `left_out` tells what the documents lack ("lease.docx: 2 pictures"), and then what else is in the folders.
    """

    manifest: Manifest
    changed: bool
    problems: tuple[str, ...]
    embedded: int
    left_out: tuple[str, ...] = ()

    def line(self, seconds: float) -> str:
        """A sentence such as "Indexed 1 document, 1 passage, 0 skipped, 1.5 s."."""
        did = "Indexed" if self.changed else "Nothing has changed:"
        return f"{did} {self.manifest.summary()}, {len(self.problems)} skipped, {seconds:.1f} s."


def update(
    folder: Path,
    corpus: Corpus | Callable[[], Corpus],
    options: BuildOptions,
    loader: Loader,
    *,
    rebuild: bool = False,
    progress: Progress = silent,
    verify: Callable[[Path], list[str]] = verify_apart,
) -> Outcome:
    """Publish an index of exactly what `corpus` holds now.

    What is unchanged is taken from the index before. A `corpus` that goes on from what was named last
    is given as a function, which is called under the lock. With `rebuild` every document is read and
    split anew. Readers see nothing until the end, and if it fails the index stays as it was. Raises
    DocumentError when there is nothing to read, StoreError when another process is writing, the folder
    cannot be written, or the result does not pass its check, UnreachableError, ModelError from the embedder.
    """
    remote = options.remote
    with remote.lock(), write_lock(folder):
        shared = remote.fetch(folder)
        corpus = corpus() if callable(corpus) else corpus
        try:
            remove_unfinished(folder)
            before = None
            with suppress(NoIndexError, DamagedError):
                before = newest_sound(folder)
            # An update that was killed while it removed old ones may have left more.
            remote.remove_others(folder, [*snapshots(folder)[:2], *([before.path] if before else [])])
            made = before and (before.manifest.embedder, before.manifest.passage_words)
            base = None if rebuild or made != (options.embedder, options.passage_words) else before
            return _Update(folder, corpus, options, loader, before, base, progress, verify, shared).run()
        except (OSError, sqlite3.Error, ChromaError) as error:
            raise unwritable(folder, error) from error


@dataclass
class _Update:
    """One run of `update`, under the lock.

    `before` is the snapshot that readers have now, `base` the same if the new one starts from it. `shared` names
    the one that other machines have.
    """

    folder: Path
    corpus: Corpus
    options: BuildOptions
    loader: Loader
    before: SoundSnapshot | None
    base: SoundSnapshot | None
    progress: Progress
    verify: Callable[[Path], list[str]]
    shared: str | None
    problems: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    no_documents: tuple[str, ...] = ()
    """What else is in the folders, as `survey` tells it."""

    def run(self) -> Outcome:
        known: dict[str, str] = {}
        earlier: dict[str, list[str]] = {}
        if self.before:
            with closing(Passages.read(self.before.path / PASSAGES_FILE)) as passages:
                known = passages.files()
                earlier = passages.problems_by_file() if self.base else {}
        fresh, gone = self._changes(known)
        for file in earlier.keys() - gone - fresh.keys():
            self.problems += earlier[file]
        if not (fresh or gone) and (unchanged := self._unchanged()):
            return unchanged
        snapshot = new_snapshot(self.folder)
        try:
            return self._build(snapshot, known, fresh, gone)
        finally:
            if snapshot.exists():
                with suppress(StoreError):  # If not now, then the next run drops it.
                    self.options.remote.drop([published_name(snapshot)])
                    shutil.rmtree(snapshot, ignore_errors=True)

    def _unchanged(self) -> Outcome | None:
        """The outcome if nothing has changed since the base, which is in its place."""
        remote, base = self.options.remote, self.base
        if not base or base.notice or base.manifest.corpus != self.corpus:
            return None
        is_shared = not remote.shared or self.shared == base.path.name
        if not is_shared or bool(base.manifest.collection) != bool(remote.chroma) or served_problems(base.path, remote):
            return None
        return self._outcome(base.path, base.manifest, False, 0)

    def _outcome(self, snapshot: Path, manifest: Manifest, changed: bool, embedded: int) -> Outcome:
        with closing(Passages.read(snapshot / PASSAGES_FILE)) as passages:
            left_out = passages.left_out()
        return Outcome(manifest, changed, tuple(self.problems), embedded, (*left_out, *self.no_documents))

    def _changes(self, known: dict[str, str]) -> tuple[dict[str, str], set[str]]:
        """The files to read with their digests, and those of the base to remove.

        `known` are the files of the snapshot before. A web address that is out of reach is kept as it was there.
        """
        held = known if self.base else {}
        fresh: dict[str, str] = {}
        gone = set(held)
        found = survey(self.corpus.paths, self.corpus.include, self.corpus.exclude)
        self.no_documents = found.left_out
        sources = [source for source in found.documents if source not in self.corpus.removed]
        for number, source in enumerate(sources, 1):
            try:
                digest = self._digest(source)
            except DocumentError as error:
                is_kept = is_address(source) and source in known
                if is_kept:
                    self.unreachable.append(source)
                    gone.discard(source)
                if self.loader.online or not is_kept:
                    self.problems.append(str(error))
            else:
                if held.get(source) == digest:
                    gone.discard(source)
                else:
                    fresh[source] = digest
            self.progress("Looking for changes", number, len(sources))
        return fresh, gone

    def _digest(self, source: str) -> str:
        """That of the file, and of what was removed of it."""
        parts = sorted(one for one in self.corpus.removed if one != source and file_of(one) == source)
        digest = self.loader.digest(source)
        return f"{digest} without {', '.join(parts)}" if parts else digest

    def _build(self, snapshot: Path, known: dict[str, str], fresh: dict[str, str], gone: set[str]) -> Outcome:
        remote = self.options.remote
        if self.base:
            left = shutil.ignore_patterns(MANIFEST, *([VECTORS_FOLDER] if remote.chroma else []))
            shutil.copytree(self.base.path, snapshot, dirs_exist_ok=True, ignore=left)
        with closing(PassageEditor.edit(snapshot / PASSAGES_FILE)) as passages:
            last_vector = passages.last_vector()
            self._read(passages, fresh, gone)
            removed = passages.tidy()
            if passages.files() == known and (unchanged := self._unchanged()):
                return unchanged
            counts = passages.counts()
            if not counts.passages:
                reason = f"the first reason: {self.problems[0]}" if self.problems else "name documents to read."
                raise DocumentError(
                    "No document could be read, so the index stays as it was "
                    f"(to be without one, delete {str(self.folder)!r}); {reason}"
                )
            stale, embedded = self._store_vectors(snapshot, passages, last_vector, removed)
        manifest = Manifest(
            FORMAT, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", self.options.embedder, self.options.passage_words,
            counts.documents, counts.passages, counts.words, stale, self.corpus,
            published_name(snapshot) if remote.chroma else "",
        )  # fmt: skip
        seal(snapshot, manifest)
        if wrong := [*self.verify(snapshot), *served_problems(snapshot, remote)]:
            raise StoreError(f"The new index did not pass its check ({wrong[0]}), so the old one stays; try again.")
        if remote.shared:
            remote.shared.push(snapshot, self.corpus, self.shared)
        published = publish(snapshot, self.corpus)
        with suppress(OSError, sqlite3.Error, StoreError):  # The new index is there; the next run tidies up.
            remote.remove_others(self.folder, [published, *([self.before.path] if self.before else [])], self.shared)
            self._forget_vectors()
        return self._outcome(published, manifest, True, embedded)

    def _read(self, passages: PassageEditor, fresh: dict[str, str], gone: set[str]) -> None:
        for file in gone:
            passages.remove(file)
        files = list(fresh)
        self.loader.expect(fresh, self.options.passage_words)
        for number, (file, digest) in enumerate(fresh.items(), 1):
            wrong: list[str] = []
            passages.add(file, digest, self._documents(file, files[number : number + AHEAD], wrong), wrong)
            self.problems += wrong
            self.progress("Reading documents", number, len(fresh))
        if self.before and not self.base:
            with closing(Passages.read(self.before.path / PASSAGES_FILE)) as before:
                for file in self.unreachable:
                    kept = [self._divided(loaded) for loaded in before.of_file(file)]
                    passages.add(file, before.files()[file], kept)

    def _divided(self, loaded: Loaded) -> Loaded:
        return replace(loaded, spans=tuple(passage_spans(loaded.document.text, self.options.passage_words)))

    def _documents(self, file: str, coming: Sequence[str], wrong: list[str]) -> Iterator[Loaded]:
        for found in self.loader.load(file, self.options.passage_words, coming):
            if isinstance(found, DocumentError):
                wrong.append(str(found))
            elif found.document.source not in self.corpus.removed:
                yield found

    def _store_vectors(
        self, snapshot: Path, passages: PassageEditor, last: int, removed: Sequence[int]
    ) -> tuple[int, int]:
        """Store the vectors that are missing, and drop those `removed`.

        `last` is the highest number of a stored one. Returns how many are stale, and how many had to be embedded.
        """
        folder, chroma = snapshot / VECTORS_FOLDER, self.options.remote.chroma
        stale = self.base.manifest.stale + len(removed) if self.base else 0
        if not folder.exists() or stale > _MOST_STALE * passages.vector_count():
            shutil.rmtree(folder, ignore_errors=True)
            last, stale, removed = 0, 0, []
        rows = passages.count_after(last)
        vectors = chroma.make(published_name(snapshot), rows) if chroma else Vectors.edit(folder, rows)
        with closing(EmbeddingCache(self.folder / EMBEDDINGS_FILE, self.options.embedder)) as cache, closing(vectors):
            load = self.options.load_embedder
            return stale, store_vectors(vectors, passages, cache, load, last, removed, self.progress)

    def _forget_vectors(self) -> None:
        """Keep in the cache what the kept snapshots hold."""

        def hashes() -> Iterator[bytes]:
            for snapshot in snapshots(self.folder):
                with suppress(sqlite3.Error), closing(Passages.read(snapshot / PASSAGES_FILE)) as passages:
                    yield from passages.all_hashes()

        with closing(EmbeddingCache(self.folder / EMBEDDINGS_FILE, self.options.embedder)) as cache:
            cache.keep(hashes())
