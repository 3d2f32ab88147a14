"""The index as it was last published, with what is made of it for answering."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableConfig

from rag.answer.evidence import Evidence
from rag.errors import DamagedError, QuestionError
from rag.index.index import Index, Reader
from rag.index.retriever import HybridRetriever
from rag.settings import Settings
from rag.types import Hit, Passage

MOST = 2
"""So many times the passages of a question are read at most."""
AGAIN = 600
"""Tokens of the sentences that are read again, at most."""
_ASIDE = AGAIN + 600
"""Tokens kept free for the instructions, these sentences and the question."""


@dataclass(frozen=True, eq=False)
class Reading:
    """An open index and what was made of it; `whole` is a text short enough to be read whole, `warmed` when it was.

    Of a choice of documents `retriever` and `whole` hold these alone. Only the text of all is read ahead, and not again
    where it is what the index before held.
    """

    index: Index
    retriever: HybridRetriever
    evidence: Evidence
    whole: list[Passage]
    warmed: threading.Event


class Finder:
    """Finds the passages for a question in the newest index. Threads may share it."""

    def __init__(
        self, settings: Settings, index: Index, embedder: Embeddings, opened: Callable[[Reading], None]
    ) -> None:
        """`opened` is told of every index with another text that is opened later."""
        self._settings = settings
        self._embedder = embedder
        self._opened = opened
        self._evidence = Evidence(embedder)
        self.reader = Reader(index, self._read, self._swapped)

    def find(
        self,
        question: str,
        also: Sequence[str] = (),
        documents: Sequence[str] = (),
        config: RunnableConfig | None = None,
    ) -> tuple[Reading, list[Hit]]:
        """The newest index and what is found there for the question, put in other words `also`.

        With ids of `documents` only these are searched, and those that are no longer there are
        left out. Where files were damaged meanwhile, a sound index is taken. Raises QuestionError
        where none of `documents` is there, DamagedError where no index is sound.
        """
        reading = self.reader.newest()
        try:
            return _found(self._among(reading, documents), question, also, config)
        except DamagedError:
            return _found(self._among(self.reader.instead_of(reading), documents), question, also, config)

    def _among(self, reading: Reading, documents: Sequence[str]) -> Reading:
        """The reading of these documents alone; the same where they are none or all that there are."""
        if not documents:
            return reading
        chosen = reading.index.chosen(documents)
        if not chosen:
            raise QuestionError("None of the chosen documents is in the index any more; choose others.")
        if len(chosen) == reading.index.manifest.documents:
            return reading
        whole = self._short(reading.index.passages_of(chosen, self._settings.whole_article_words))
        return replace(reading, retriever=self._retriever(reading.index, whole, chosen), whole=whole)

    def _read(self, index: Index, before: Reading | None) -> Reading:
        short = index.manifest.words <= self._settings.whole_article_words
        whole = self._short(index.all_passages()) if short else []
        same = before and [passage.text for passage in whole] == [passage.text for passage in before.whole]
        warmed = before.warmed if before and same else threading.Event()
        if not same:
            warmed.set()
        return Reading(index, self._retriever(index, whole), self._evidence, whole, warmed)

    def _swapped(self, before: Reading, now: Reading) -> None:
        if now.warmed is not before.warmed:
            self._opened(now)

    def _short(self, passages: Sequence[Passage]) -> list[Passage]:
        """All of them, or none where they do not fit into the context."""
        return fitting(passages, self._settings, all_or_none=True)

    def _retriever(self, index: Index, whole: Sequence[Passage], documents: Sequence[str] = ()) -> HybridRetriever:
        """Finds so many passages that all of a text that is read whole are among them."""
        k = max(MOST * self._settings.passages, len(whole))
        return HybridRetriever(index=index, embedder=self._embedder, k=k, documents=documents)


def _found(
    reading: Reading, question: str, also: Sequence[str], config: RunnableConfig | None
) -> tuple[Reading, list[Hit]]:
    return reading, [document.metadata["hit"] for document in reading.retriever.invoke(question, config, also=also)]


def fitting(passages: Sequence[Passage], settings: Settings, all_or_none: bool = False) -> list[Passage]:
    """The first passages that leave room in the model's context for the question and the answer."""
    room = settings.context - settings.max_tokens - _ASIDE
    taken: list[Passage] = []
    for passage in passages:
        room -= tokens(passage.text)
        if room < 0:
            return [] if all_or_none else taken or [passage]
        taken.append(passage)
    return taken


def tokens(text: str) -> int:
    """An upper estimate of the tokens of `text`: a third of the ASCII letters, and every other letter."""
    ascii_letters = sum(letter.isascii() for letter in text)
    return ascii_letters // 3 + len(text) - ascii_letters
