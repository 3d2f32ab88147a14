"""An update of the index beside questions: reads once, shares the embedder."""

import time
from collections.abc import Callable, Iterator, Sequence

from langchain_core.embeddings import Embeddings

from rag.documents.loader import Loader
from rag.errors import DocumentError
from rag.models.progress import Progress
from rag.types import Loaded

_EMBEDDING = "Embedding passages"
"""The stage of an update in which the embedder works."""
_AT_ONCE = 16
"""Passages after which the embedder is free for a moment, so that a question waits for it 0.2 s at most."""
_PAUSE = 0.002
"""Seconds; without them the thread that lets go of the embedder would have it again before one that waits."""


class PreloadingLoader(Loader):
    """Reads one source before the update, which then has it from here."""

    def __init__(self, online: bool) -> None:
        super().__init__(online)
        self._digests: dict[str, str] = {}
        self._found: dict[str, list[Loaded | DocumentError]] = {}

    def preload(self, source: str, words: int) -> None:
        """Raises DocumentError if the source holds nothing that can be read."""
        self._digests[source] = super().digest(source)
        self._found[source] = found = list(super().load(source, words))
        wrong = [one for one in found if isinstance(one, DocumentError)]
        if len(wrong) == len(found):
            raise wrong[0]

    def digest(self, source: str) -> str:
        return self._digests[source] if source in self._digests else super().digest(source)

    def load(self, source: str, words: int, coming: Sequence[str] = ()) -> Iterator[Loaded | DocumentError]:
        return iter(self._found.pop(source)) if source in self._found else super().load(source, words, coming)


class SharedEmbedder(Embeddings):
    """An embedder that others ask questions with meanwhile, and that tells how far it is."""

    def __init__(self, load: Callable[[], Embeddings], tell: Progress) -> None:
        self._load = load
        self._tell = tell
        self._embedder: Embeddings | None = None
        self._done = self._total = 0

    def progress(self, stage: str, done: int, total: int) -> None:
        """What the update tells is passed on; it counts what came from the cache, too."""
        if stage == _EMBEDDING:
            self._done, self._total = done, total
        self._tell(stage, done, total)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self._embedder = self._embedder or self._load()
        total = max(self._total, self._done + len(texts))
        rows: list[list[float]] = []
        for first in range(0, len(texts), _AT_ONCE):
            self._tell(_EMBEDDING, self._done + first, total)
            rows += self._embedder.embed_documents(texts[first : first + _AT_ONCE])
            time.sleep(_PAUSE)
        return rows

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]
