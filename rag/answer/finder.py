"""Question -> passages, found in the published index or by any LangChain retriever."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any, Protocol

import numpy as np
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig

from rag.answer.context import PASSAGES_FACTOR, Reading
from rag.answer.evidence import SourceSentence, SourceSentences
from rag.answer.summary import key_sentences
from rag.bounds import NAME, TITLE
from rag.documents.language import language_of
from rag.documents.text import clean
from rag.errors import DamagedError, QuestionError, RagError, StoreError
from rag.index.index import Index, Reader
from rag.index.retriever import HybridRetriever
from rag.settings import Settings
from rag.types import Document, Documents, Hit, Listed, Passage

REMEMBERED = 2_000
"""Documents of another retriever that are remembered, so that their citations can be looked up."""
LONGEST_TEXT = 8_000
"""Characters that are taken of one of them: a retriever gives passages, not books."""


class Finder(Protocol):
    """What a Chatbot finds passages with."""

    @property
    def retriever(self) -> BaseRetriever:
        """Finds in what was published last."""

    @property
    def documents(self) -> Documents:
        """Those that can be cited."""

    @property
    def passages(self) -> int:
        """How many passages can be found, as far as that is known."""

    def find(
        self,
        question: str,
        also: Sequence[str] = (),
        documents: Sequence[str] = (),
        config: RunnableConfig | None = None,
    ) -> tuple[Reading, list[Hit]]:
        """What the question is answered from, and what is found there, best first.

        `also` are other wordings to search by; with ids of `documents` only these are searched. Raises
        QuestionError if none of these is there.
        """

    def key_sentences(self, documents: Sequence[str], count: int) -> list[SourceSentence]:
        """At most so many that summarise these documents, all if none is named.

        None where it is not known what there is.
        """

    def refresh(self) -> None:
        """Have what was published last."""


class IndexFinder:
    """Finds in the index that was published last. Threads may share it."""

    def __init__(self, settings: Settings, index: Index, embedder: Embeddings, sentences: SourceSentences) -> None:
        self._settings = settings
        self._embedder = embedder
        self._sentences = sentences
        self._reader = Reader(index, self._prepare)

    @property
    def retriever(self) -> BaseRetriever:
        """Of the index as it was last published."""
        return self._reader.newest().retriever

    @property
    def documents(self) -> Documents:
        """Those of that index."""
        return self._newest().documents

    @property
    def passages(self) -> int:
        """All of that index."""
        return self._newest().manifest.passages

    def find(
        self,
        question: str,
        also: Sequence[str] = (),
        documents: Sequence[str] = (),
        config: RunnableConfig | None = None,
    ) -> tuple[Reading, list[Hit]]:
        """See Finder. Of `documents` those that are no longer there are left out.

        If files were damaged meanwhile, a sound index is taken. Raises DamagedError if none is sound.
        """
        reading = self._reader.newest()
        try:
            return self._found(reading, question, also, documents, config)
        except DamagedError:
            return self._found(self._reader.instead_of(reading), question, also, documents, config)

    def key_sentences(self, documents: Sequence[str], count: int) -> list[SourceSentence]:
        """See Finder."""
        index = self._newest()
        return key_sentences(index, self._sentences, documents or list(index.documents), "", count)

    def _newest(self) -> Index:
        index = self._reader.newest().index
        assert index
        return index

    def refresh(self) -> None:
        """Have the index open as it was last published."""
        self._reader.refresh()

    def _found(
        self, reading: Reading, question: str, also: Sequence[str], documents: Sequence[str],
        config: RunnableConfig | None,
    ) -> tuple[Reading, list[Hit]]:  # fmt: skip
        among = self._among(reading, documents)
        found = among.retriever.invoke(question, config, also=also)
        return among, [document.metadata["hit"] for document in found]

    def _among(self, reading: Reading, documents: Sequence[str]) -> Reading:
        """The reading of these documents alone; all are read if none is named."""
        index = reading.index
        if not documents or not index:
            return reading
        chosen = index.chosen(documents)
        if not chosen:
            raise QuestionError("None of the chosen documents is in the index any more; choose others.")
        if len(chosen) == index.manifest.documents:
            return reading
        return replace(reading, retriever=self._retriever(index, chosen))

    def _prepare(self, index: Index) -> Reading:
        return Reading(index, self._retriever(index), self._sentences)

    def _retriever(self, index: Index, documents: Sequence[str] = ()) -> HybridRetriever:
        k = PASSAGES_FACTOR * self._settings.passages
        return HybridRetriever(index=index, embedder=self._embedder, k=k, doc_ids=documents)


class RetrieverFinder:
    """Finds with any LangChain retriever.

    Each document that it gives is a passage, and a document of its own. Of the metadata `source`, `title` and
    `page` are taken. Citations count characters of the cleaned `page_content`, as `documents` holds it under the
    id of the citation. Threads may share it.
    """

    def __init__(self, retriever: BaseRetriever, embedder: Embeddings, sentences: SourceSentences) -> None:
        self._embedder = embedder
        self.retriever = retriever
        self._reading = Reading(None, retriever, sentences)
        self._passages: OrderedDict[str, Passage] = OrderedDict()
        self._given = 0
        self._lock = threading.Lock()

    @property
    def documents(self) -> Documents:
        """The REMEMBERED ones that were found last."""
        with self._lock:
            return _Remembered({i: Document(i, one.source, one.title, one.text) for i, one in self._passages.items()})

    @property
    def passages(self) -> int:
        """Those that were found last."""
        return len(self._passages)

    def find(
        self,
        question: str,
        also: Sequence[str] = (),  # noqa: ARG002  A retriever of its own has its own way with wordings.
        documents: Sequence[str] = (),
        config: RunnableConfig | None = None,
    ) -> tuple[Reading, list[Hit]]:
        """See Finder. Only what was found with an earlier question can be chosen among `documents`.

        Raises StoreError if the retriever or the embedder fails.
        """
        try:
            return self._reading, self._found(question, documents, config)
        except RagError:
            raise
        except Exception as error:  # Each retriever and embedder has errors of its own.
            raise StoreError(
                "Your retriever failed; see that what it searches can be reached.", type(error).__name__
            ) from error

    def _found(self, question: str, documents: Sequence[str], config: RunnableConfig | None) -> list[Hit]:
        found = [one for one in self.retriever.invoke(question, config) if one.page_content.strip()]
        passages = list(dict.fromkeys(self._passage(one) for one in found))
        if documents:
            passages = [one for one in passages if one.doc_id in set(documents)]
            if not passages:
                raise QuestionError("Nothing was found in the chosen documents; choose others.")
        if not passages:
            return []
        vectors = self._reading.sentences.vectors([one.text for one in passages])
        asked = np.asarray(self._embedder.embed_query(question), dtype=np.float32)
        asked /= max(float(np.linalg.norm(asked)), 1e-9)
        return [
            Hit(passage, 1 / rank, float(vector @ asked), rank, None)
            for rank, (passage, vector) in enumerate(zip(passages, vectors, strict=True), 1)
        ]

    def key_sentences(self, documents: Sequence[str], count: int) -> list[SourceSentence]:  # noqa: ARG002
        """None: what else there is to find is not known."""
        return []

    def refresh(self) -> None:
        """Nothing is kept that could be old."""

    def _passage(self, found: LangChainDocument) -> Passage:
        """The passage of what was found, one for the same text and source."""
        text, facts = clean(found.page_content[:LONGEST_TEXT]), found.metadata
        source = _text(facts.get("source"), NAME) or "retriever"
        doc_id = hashlib.sha256(f"{source}\0{text}".encode()).hexdigest()[:32]
        page = facts.get("page")
        with self._lock:
            if doc_id not in self._passages:
                title = _text(facts.get("title"), TITLE) or PurePath(source).stem
                number = page if isinstance(page, int) else None
                self._passages[doc_id] = Passage(
                    self._given, doc_id, source, title, 0, len(text), text, number, language=language_of(text)
                )
                self._given += 1
            self._passages.move_to_end(doc_id)
            while len(self._passages) > REMEMBERED:
                self._passages.popitem(last=False)
            return self._passages[doc_id]


class _Remembered(dict[str, Document], Documents):
    def listed(self) -> list[Listed]:
        return [Listed(one.source, one.title, 1, one.doc_id) for one in self.values()]


def _text(value: Any, most: int) -> str:
    return " ".join(clean(str(value or "")[:most]).split())
