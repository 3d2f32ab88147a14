"""Adds documents to the index and removes them while others ask, and lists them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import urldefrag

from langchain_core.embeddings import Embeddings

from rag import bounds
from rag.documents.fetch import is_address
from rag.documents.loader import Loader
from rag.documents.sources import file_of, find_sources, survey
from rag.errors import DocumentError, RagError, SettingsError
from rag.index.builder import BuildOptions, update
from rag.index.corpus import next_corpus
from rag.index.health import verify_apart
from rag.index.index import list_documents
from rag.index.manifest import Corpus
from rag.models.embedder import make_embedder
from rag.models.progress import Progress
from rag.server.document_changes import Changed, Changes, Row, Step
from rag.server.shared_update import PreloadingLoader, SharedEmbedder
from rag.server.uploads import FOLDER, is_added, save_file, save_text
from rag.settings import ServerSettings
from rag.types import Listed

_LOOKED = 60.0
"""Seconds for which it is remembered what else is in the folders."""
UNDO = 600.0
"""Seconds for which a document that was removed can be brought back, if no other change comes before."""
_REMOVED = ".removed "
"""How the names of files begin that are kept for that; no document has such a name."""


@dataclass(frozen=True)
class Removed:
    """What was removed last, and what brings it back.

    `files` are those that were added here: where they were and where they are.
    """

    doc_id: str
    before: Corpus
    after: Corpus
    files: dict[Path, Path]
    ends: threading.Timer

    def undone(self, now: Corpus) -> Corpus:
        """`now` with what was taken out."""
        paths = [path for path in self.before.paths if path not in self.after.paths]
        removed = set(self.after.removed) - set(self.before.removed)
        return replace(
            now,
            paths=tuple(dict.fromkeys([*now.paths, *paths])),
            removed=tuple(source for source in now.removed if source not in removed),
        )


class Catalogue(Protocol):
    """What is needed of the open index's documents."""

    def listed(self) -> list[Listed]: ...


class DocumentEditor:
    """Adds and removes documents, one change after the other. Thread-safe.

    A change goes on to its end if its events are not read any more. Readers of the index have the new one with their
    next question.
    """

    def __init__(
        self,
        settings: ServerSettings,
        load_embedder: Callable[[], Embeddings] | None = None,
        verify: Callable[[Path], list[str]] = verify_apart,
        published: Callable[[], None] = lambda: None,
    ) -> None:
        """`load_embedder` gives the embedder of the settings, if there is one in memory already.

        `published` is called when a change is in the index, before it is told to have ended.
        """
        self.settings = settings
        self._load_embedder = load_embedder or (lambda: make_embedder(settings))
        self._verify = verify
        self._published = published
        self._folder = settings.store / FOLDER
        self._changes = Changes()
        self._removed: Removed | None = None
        if self.is_enabled:
            for left in self._folder.glob(f"{_REMOVED}*"):  # When the last process ended it could be brought back.
                left.unlink(missing_ok=True)
        self._not_read: tuple[float, tuple[str, ...]] = (float("-inf"), ())

    @property
    def is_enabled(self) -> bool:
        """Whether documents may be added and removed."""
        return self.settings.takes_documents

    def listed(self, documents: Catalogue) -> tuple[Row, ...]:
        """The documents of an open index, by source. The last one cannot be removed."""
        return self._rows(documents.listed())

    def not_read(self) -> tuple[str, ...]:
        """What in the folders is no document (see `survey`); looked at once a minute."""
        looked, told = self._not_read
        if time.monotonic() > looked + _LOOKED:
            with suppress(RagError):
                corpus = next_corpus(self.settings)
                told = survey(corpus.paths, corpus.include, corpus.exclude).left_out
            self._not_read = time.monotonic(), told
        return told

    def add_file(self, path: Path, name: str) -> Iterator[Step | Changed]:
        """Take in an uploaded file that was called `name`.

        The file at `path` is copied at once, and the change begins; the iterator gives its progress and its end.
        Raises, here or while it is read, SettingsError if adding is switched off, DocumentError if the file is too
        large, cannot be read or is of a type that cannot, StoreError if another process is writing the index or the
        folder is not writable, ModelError from the embedder. Then everything is as it was.
        """
        self._check()
        return self._add_saved(save_file(self._folder, path, name, self.settings.upload_mb))

    def add_text(self, title: str, text: str) -> Iterator[Step | Changed]:
        """Take in a pasted text, like `add_file`."""
        self._check()
        return self._add_saved(save_text(self._folder, title, text, self.settings.upload_mb))

    def add_address(self, address: str) -> Iterator[Step | Changed]:
        """Take in what a web address holds, like `add_file`.

        Raises DocumentError if going online is not allowed.
        """
        self._check()
        source = urldefrag(address.strip()).url if len(address) <= bounds.NAME else ""
        if not is_address(source):
            raise DocumentError(f"{address[: bounds.NAME]!r} is not a web address; it begins with https:// or http://.")
        if not self.settings.online:
            raise DocumentError(f"{source!r} is not fetched without consent; start the page with RAG_ONLINE=true.")
        return self._changes.start(lambda tell: self._add(source, tell))

    def remove(self, doc_id: str) -> Iterator[Step | Changed]:
        """Take a document out of the index. Raises like `add_file`.

        A file that was added here is deleted with the next change, or after UNDO seconds.
        """
        self._check()
        return self._changes.start(lambda tell: self._remove(doc_id, tell))

    def bring_back(self, doc_id: str) -> Iterator[Step | Changed]:
        """Undo the removal of this document, if it was the last change. Raises like `add_file`."""
        self._check()
        return self._changes.start(lambda tell: self._bring_back(doc_id, tell))

    def _check(self) -> None:
        if not self.is_enabled:
            raise SettingsError(
                "Documents cannot be added or removed in this page; set RAG_ADD_DOCUMENTS=true where it is started."
            )

    def _add_saved(self, file: Path) -> Iterator[Step | Changed]:
        def work(tell: Progress) -> Changed:
            try:
                return self._add(file.as_posix(), tell)
            except BaseException:
                file.unlink(missing_ok=True)
                raise

        return self._changes.start(work)

    def _add(self, source: str, tell: Progress) -> Changed:
        corpus = next_corpus(self.settings, add=[source])
        if not is_address(source):
            find_sources([source], corpus.include, corpus.exclude)
        with PreloadingLoader(self.settings.online) as loader:
            tell("Reading the document", 0, 0)
            loader.preload(source, self.settings.passage_words)
            changed = self._update(lambda: next_corpus(self.settings, add=[source]), loader, tell)
        own = tuple(one for one in changed.messages if Path(source).name in one)
        return replace(changed, messages=own, added=tuple(row for row in changed.rows if file_of(row.source) == source))

    def _remove(self, doc_id: str, tell: Progress) -> Changed:
        held = list_documents(self.settings.index)
        sources = [one.source for one in held if one.doc_id == doc_id]
        left = {file_of(one.source) for one in held if one.doc_id != doc_id}
        if not sources:
            raise DocumentError("The document is not in the index any more; reload the page to see what is.")
        if not left:
            raise DocumentError("This is the last document; add another one before you remove it.")
        ours = {file for file in map(file_of, sources) if is_added(self._folder, file) and file not in left}
        gone = [file_of(source) if file_of(source) in ours else source for source in sources]
        corpora: list[Corpus] = []

        def corpus() -> Corpus:
            corpora[:] = next_corpus(self.settings), next_corpus(self.settings, remove=gone)
            return corpora[1]

        with Loader(self.settings.online) as loader:
            changed = self._update(corpus, loader, tell)
        files = {Path(file): self._folder / f"{_REMOVED}{Path(file).name}" for file in ours}
        for file, kept in files.items():
            with suppress(FileNotFoundError):
                file.replace(kept)
        ends = threading.Timer(UNDO, self._forget, [doc_id])
        ends.daemon, ends.name = True, "undo"
        before, after = corpora
        self._removed = Removed(doc_id, before, after, files, ends)
        ends.start()
        return replace(changed, messages=())

    def _bring_back(self, doc_id: str, tell: Progress) -> Changed:
        removed = self._removed
        if not removed or removed.doc_id != doc_id or any(file.exists() for file in removed.files):
            raise DocumentError("The document cannot be brought back any more; add it again.")
        moved: list[tuple[Path, Path]] = []
        try:
            for file, kept in removed.files.items():
                kept.replace(file)
                moved.append((file, kept))
            with Loader(self.settings.online) as loader:
                changed = self._update(lambda: removed.undone(next_corpus(self.settings)), loader, tell)
        except BaseException:
            for file, kept in moved:
                file.replace(kept)
            raise
        added = tuple(row for row in changed.rows if row.doc_id == doc_id)
        if not added:
            raise DocumentError("The document has changed or is no longer there, so it cannot be brought back.")
        return replace(changed, messages=(), added=added)

    def _forget(self, doc_id: str) -> None:
        """Delete the files of a removed document, when its time is over."""
        with self._changes.turn:
            if self._removed and self._removed.doc_id == doc_id:
                self._delete_removed()

    def _delete_removed(self) -> None:
        removed, self._removed = self._removed, None
        if removed:
            removed.ends.cancel()
            for kept in removed.files.values():
                kept.unlink(missing_ok=True)

    def _update(self, corpus: Callable[[], Corpus], loader: Loader, tell: Progress) -> Changed:
        embedder = SharedEmbedder(self._load_embedder, tell)
        build_options = BuildOptions.of(self.settings, lambda: embedder)

        def verify(snapshot: Path) -> list[str]:
            tell("Checking the new index", 0, 0)
            return self._verify(snapshot)

        folder = self.settings.index
        outcome = update(folder, corpus, build_options, loader, progress=embedder.progress, verify=verify)
        self._delete_removed()
        self._published()
        return Changed(outcome.problems, self._rows(list_documents(folder)))

    def _rows(self, documents: list[Listed]) -> tuple[Row, ...]:
        removable = self.is_enabled and len({one.doc_id for one in documents}) > 1
        return tuple(
            Row(
                one.doc_id, one.source, one.title, one.passages, removable, one.left_out, one.words, one.pages,
                self._when_added(file_of(one.source)),
            )
            for one in documents
        )  # fmt: skip

    def _when_added(self, file: str) -> float:
        with suppress(OSError):
            return Path(file).stat().st_mtime if is_added(self._folder, file) else 0.0
        return 0.0
