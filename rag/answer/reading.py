"""The index as it was last published, with what is made of it for answering."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from langchain_core.embeddings import Embeddings
from langchain_core.runnables import RunnableConfig

from rag.answer.evidence import Evidence
from rag.errors import DamagedError, QuestionError, StoreError
from rag.index.index import Index, open_index
from rag.index.retriever import HybridRetriever
from rag.index.snapshot import current_name
from rag.models.embedder import embedder_name
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


class Reader:
    """Opens the index, and a newer one as soon as it is published, beside the one that questions are answered from.

    Threads may share it: the one that notices a publication opens it, the others go on with what is open.
    """

    def __init__(
        self, settings: Settings, index: Index, embedder: Embeddings, opened: Callable[[Reading], None]
    ) -> None:
        """`opened` is told of every index with another text that is opened later."""
        self._settings = settings
        self._embedder = embedder
        self._opened = opened
        self._opening = threading.Lock()
        self._seen = index.current
        self._evidence = Evidence(embedder)
        self.now = self._read(index)

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
        reading = self.newest()
        try:
            return _found(self._among(reading, documents), question, also, config)
        except DamagedError:
            return _found(self._among(self._instead_of(reading), documents), question, also, config)

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

    def newest(self) -> Reading:
        """The index as it was last published, or while somebody else opens it the one before.

        One that cannot be opened is reported, and the one before stays.
        """
        if self._is_behind() and self._opening.acquire(blocking=False):
            try:
                self._catch_up()
            finally:
                self._opening.release()
        return self.now

    def refresh(self) -> None:
        """Have the index open as it was last published, also where somebody else opens it at the moment."""
        with self._opening:
            self._catch_up()

    def _instead_of(self, damaged: Reading) -> Reading:
        """What can be opened where the files of this one were damaged since."""
        with self._opening:
            if self.now is damaged:
                self._open()
            return self.now

    def _is_behind(self) -> bool:
        return current_name(self._settings.index) not in {self._seen, None}

    def _catch_up(self) -> None:
        if self._is_behind():
            self._open()

    def _open(self) -> None:
        """Under the lock `_opening`."""
        self._seen = current_name(self._settings.index)
        try:
            reading = self._read(open_reported(self._settings))
        except StoreError as error:
            logging.getLogger(__name__).warning("The index stays as it was opened: %s", error)
            return
        before = self.now
        same = [passage.text for passage in reading.whole] == [passage.text for passage in before.whole]
        self.now = replace(reading, warmed=before.warmed) if same else reading
        if not same:
            self._opened(reading)

    def _read(self, index: Index) -> Reading:
        short = index.manifest.words <= self._settings.whole_article_words
        whole = self._short(index.all_passages()) if short else []
        warmed = threading.Event()
        warmed.set()
        return Reading(index, self._retriever(index, whole), self._evidence, whole, warmed)

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


def open_reported(settings: Settings) -> Index:
    """Open the index of the settings; where an older one has to stand in, a warning says so. Raises StoreError."""
    index = open_index(settings.index, embedder_name(settings))
    if index.notice:
        logging.getLogger(__name__).warning(index.notice)
    return index


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
