"""The index as it was last published, with what is made of it for answering."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langchain_core.embeddings import Embeddings

from rag.embed import embedder_name
from rag.errors import DamagedError, StoreError
from rag.evidence import Evidence
from rag.generation import current_name
from rag.index import Index, open_index
from rag.retrieve import HybridRetriever
from rag.settings import Settings
from rag.types import Chunk, Hit

MOST = 2
"""So many times the passages of a question are read at most."""
_ASIDE = 700
"""Tokens kept free for the instructions, the excerpts and the question."""


@dataclass(frozen=True, eq=False)
class Reading:
    """An open index and what was made of it; `whole` is a text short enough to be read whole, `warmed` when it was."""

    index: Index
    retriever: HybridRetriever
    evidence: Evidence
    whole: list[Chunk]
    warmed: threading.Event


class Reader:
    """Opens the index, and between two questions a newer one as soon as it is published; threads may share it."""

    def __init__(
        self, settings: Settings, index: Index, embedder: Embeddings, opened: Callable[[Reading], None]
    ) -> None:
        """`opened` is told of every index that is opened later."""
        self._settings = settings
        self._embedder = embedder
        self._opened = opened
        self._moving = threading.Lock()
        self._seen = index.current
        self.now = self._read(index)

    def find(self, question: str, also: Sequence[str] = ()) -> tuple[Reading, list[Hit]]:
        """The newest index and what is found there for the question, put in other words `also`.

        Where its files were damaged meanwhile, a sound one is taken. Raises DamagedError where none is sound.
        """
        reading = self._newest()
        try:
            found = reading.retriever.invoke(question, also=also)
        except DamagedError:
            reading = self._newest(again=True)
            found = reading.retriever.invoke(question, also=also)
        return reading, [document.metadata["hit"] for document in found]

    def _newest(self, again: bool = False) -> Reading:
        """The index as it was last published. One that cannot be opened is reported, and the one before stays.

        With `again` it is opened even where nothing was published since.
        """
        with self._moving:
            current = current_name(self._settings.index)
            if again or current not in {self._seen, None}:
                self._seen = current
                try:
                    self.now = self._read(open_reported(self._settings))
                except StoreError as error:
                    logging.getLogger(__name__).warning("The index stays as it was opened: %s", error)
                else:
                    self._opened(self.now)
            return self.now

    def _read(self, index: Index) -> Reading:
        short = index.manifest.words <= self._settings.whole_article_words
        whole = fitting(index.all_chunks(), self._settings, all_or_none=True) if short else []
        k = max(MOST * self._settings.passages, len(whole))
        retriever = HybridRetriever(index=index, embedder=self._embedder, k=k)
        warmed = threading.Event()
        warmed.set()
        return Reading(index, retriever, Evidence(self._embedder), whole, warmed)


def open_reported(settings: Settings) -> Index:
    """Open the index of the settings; where an older one has to stand in, a warning says so. Raises StoreError."""
    index = open_index(settings.index, embedder_name(settings))
    if index.notice:
        logging.getLogger(__name__).warning(index.notice)
    return index


def fitting(chunks: Sequence[Chunk], settings: Settings, all_or_none: bool = False) -> list[Chunk]:
    """The first chunks that leave room in the model's context for the question and the answer."""
    room = settings.context - settings.max_tokens - _ASIDE
    taken: list[Chunk] = []
    for chunk in chunks:
        room -= _tokens(chunk.text)
        if room < 0:
            return [] if all_or_none else taken or [chunk]
        taken.append(chunk)
    return taken


def _tokens(text: str) -> int:
    """An upper estimate of the tokens of `text`: a third of the ASCII letters, and every other letter."""
    ascii_letters = sum(letter.isascii() for letter in text)
    return ascii_letters // 3 + len(text) - ascii_letters
