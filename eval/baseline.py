"""LangChain's tutorial chain over the same documents, model and embedder, to compare with."""

import uuid
from collections.abc import Iterator, Mapping
from time import perf_counter

import chromadb
from langchain_chroma import Chroma
from langchain_core.documents import Document as LangChainDocument
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_text_splitters import RecursiveCharacterTextSplitter

from rag.answer.confidence import declines
from rag.models.chat_model import streamed
from rag.settings import Settings
from rag.types import Answer, Document, Event, Hit, Passage, Timings

SIZE = 1000
OVERLAP = 200
"""Characters of a passage, and those that it shares with the next."""
NEAREST = 4
"""Passages put before the model."""

PROMPT = """\
You are an assistant for question-answering tasks. Use the following pieces of retrieved context to answer the \
question. If you don't know the answer, just say that you don't know. Use three sentences maximum and keep the \
answer concise.
Question: {question}\u0020
Context: {context}\u0020
Answer:"""


class Baseline:
    """The chain: passages of about 1,000 characters, the four nearest, one prompt; no history and no citations.

    It has no abstention sentence of its own: it abstains if its answer says that it does not know.
    """

    def __init__(
        self, settings: Settings, model: BaseChatModel, embedder: Embeddings, documents: Mapping[str, Document]
    ) -> None:
        """Split and embed `documents` into a store in memory, which `close` empties.

        The space is the cosine, which orders unit vectors as the tutorial's default does.
        `settings` only word the errors of the model.
        """
        splitter = RecursiveCharacterTextSplitter(chunk_size=SIZE, chunk_overlap=OVERLAP, add_start_index=True)
        every = documents.values()
        passages = splitter.create_documents([one.text for one in every], [{"doc_id": one.doc_id} for one in every])
        for number, passage in enumerate(passages):
            passage.metadata["number"] = number
        self.passages = len(passages)
        self._settings = settings
        self._documents = documents
        self._store = Chroma.from_documents(
            passages, embedder, collection_name=f"baseline-{uuid.uuid4().hex}", client=chromadb.EphemeralClient(),
            collection_configuration={"hnsw": {"space": "cosine"}},
        )  # fmt: skip
        self.use(model)

    def use(self, model: BaseChatModel) -> None:
        """Let this model answer from now on."""
        self._answer = ChatPromptTemplate.from_messages([("human", PROMPT)]) | model | StrOutputParser()

    def close(self) -> None:
        """Drop the collection."""
        self._store.delete_collection()

    def stream(self, question: str, history: list[tuple[str, str]]) -> Iterator[Event]:  # noqa: ARG002
        """First the hits, then pieces of text, last the Answer. `history` is left aside, as in the tutorial.

        The confidence is 0 for an abstention and 1 otherwise. Raises ModelError.
        """
        started = perf_counter()
        found = self._store.similarity_search_with_score(question, k=NEAREST)
        hits = [self._hit(passage, distance, rank) for rank, (passage, distance) in enumerate(found, start=1)]
        retrieved = perf_counter() - started
        yield hits
        context = "\n\n".join(hit.passage.text for hit in hits)
        pieces: list[str] = []
        first_token = None
        for piece in streamed(self._settings, self._answer.stream({"question": question, "context": context})):
            if piece and first_token is None:
                first_token = perf_counter() - started
            pieces.append(piece)
            yield piece
        text = "".join(pieces).strip()
        abstained = not text or declines(text)
        timings = Timings(0.0, retrieved, first_token, perf_counter() - started)
        yield Answer(question, text, (), (), tuple(hits), abstained, 0.0 if abstained else 1.0, timings)

    def _hit(self, found: LangChainDocument, distance: float, rank: int) -> Hit:
        document, text = self._documents[found.metadata["doc_id"]], found.page_content
        start, number = found.metadata["start_index"], found.metadata["number"]
        passage = Passage(number, document.doc_id, document.source, document.title, start, start + len(text), text)
        return Hit(passage, score=1 - distance, similarity=1 - distance, dense_rank=rank, word_rank=None)
