"""The LangChain chain: condense -> retrieve -> answer -> cite; `Chatbot.ask` and `Chatbot.stream`."""

import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage

from rag.cite import cite, settle
from rag.clean import clean
from rag.condense import earlier_turn, last_turn
from rag.confidence import declines, estimate, outlook, yes_probability
from rag.embed import make_embedder
from rag.errors import QuestionError, RagError
from rag.evidence import Evidence, SourceSentence, rank_sentences
from rag.index import Index
from rag.model import explained, is_embedded, open_model
from rag.prompts import ABSTENTION, ANSWER, CHECK, CONFIRM
from rag.reading import Reader, Reading, fitting, open_reported
from rag.retrieve import HybridRetriever
from rag.settings import Settings
from rag.types import Answer, Chunk, Citation, Document, Hit, Timings
from rag.weights import Progress, silent

_LOG = logging.getLogger(__name__)
History = Sequence[tuple[str, str]]
LONGEST_QUESTION = 2000
"""Characters."""
EXCERPTS = 4
"""Sentences repeated right before the question, where a small model reads best."""


_SPACED_INITIALS = re.compile(r"\b([A-Z])\. (?=[A-Z]\.)")
"""The small model writes "U. S." for "U.S."."""


class Chatbot:
    """Answers questions from the published index, and from a newer one as soon as it is published.

    A context manager; threads may share it.
    """

    def __init__(self, settings: Settings, index: Index, model: BaseChatModel, embedder: Embeddings) -> None:
        self.settings = settings
        self.model = model
        self.embedder = embedder
        self._reader = Reader(settings, index, embedder, self._read_ahead)
        self._reads_ahead = False
        self._answer = ANSWER | model  # An output parser behind it would read the stream to its end when it is closed.
        self._resources = ExitStack()
        self._closed = False

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        model: BaseChatModel | None = None,
        embedder: Embeddings | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Open the published index and start the model of the settings, or take the ones given.

        Raises StoreError when there is no usable index, ModelError when a model is
        missing or damaged.
        """
        with ExitStack() as stack, ThreadPoolExecutor(1) as side:
            index = open_reported(settings)
            loading = side.submit(lambda: embedder or make_embedder(settings))
            chat_model = model or stack.enter_context(open_model(settings, progress))
            bot = cls(settings, index, chat_model, loading.result())
            bot._resources = stack.pop_all()
        if model is None and is_embedded(settings):
            bot._reads_ahead = True
            bot._read_ahead(bot._reader.now)
        return bot

    @property
    def index(self) -> Index:
        """The index that is answered from."""
        return self._reader.now.index

    @property
    def retriever(self) -> HybridRetriever:
        """Finds the passages in it."""
        return self._reader.now.retriever

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the embedded model, if there is one."""
        self._closed = True
        self._resources.close()

    def _read_ahead(self, reading: Reading) -> None:
        """Let the engine read a short article in the background; questions wait for it rather than read it twice."""

        def read() -> None:
            try:
                with explained(self.settings):
                    self.model.invoke(
                        CHECK.invoke({"text": _joined(reading.whole), "excerpts": "", "question": ""}), max_tokens=1
                    )
            except RagError as error:
                if not self._closed:
                    _LOG.warning("The article could not be read ahead: %s", error)
            finally:
                reading.warmed.set()

        if self._reads_ahead and reading.whole:
            reading.warmed.clear()
            threading.Thread(target=read, name="warm-up", daemon=True).start()

    @property
    def documents(self) -> Mapping[str, Document]:
        """The documents of the index by id, each read when asked for."""
        return self.index.documents

    def ask(self, question: str, history: History = ()) -> Answer:
        """The answer to `question`, which may point back at `history`, earlier (question, answer) pairs.

        Raises QuestionError for a blank or overlong question, ModelError when the model fails.
        """
        *_, answer = self.stream(question, history)
        assert isinstance(answer, Answer)
        return answer

    def stream(self, question: str, history: History = ()) -> Iterator[list[Hit] | str | Answer]:
        """First the hits, then the pieces of the answer as the model writes them, last the Answer.

        The Answer holds: its text may differ from the pieces, when the model's words are
        not found in the documents. Closing the iterator stops the model. Raises like `ask`.
        """
        clock = _Clock()
        question = checked(question)
        earlier = earlier_turn(question, history)
        searched = f"{earlier} {question}" if earlier else question
        clock.mark("rewrite")
        # Searched both ways: what a question leans on cannot always be told from its words.
        other = question if earlier else f"{last_turn(history)} {question}".strip()
        reading, ranked = self._reader.find(searched, [other])
        hits = ranked[: self.settings.passages]
        clock.mark("retrieve")
        yield hits
        found = fitting([hit.chunk for hit in hits], self.settings)
        chunks = reading.whole or sorted(found, key=lambda chunk: chunk.chunk_id)
        sources = reading.evidence.sentences(chunks)
        excerpts = _excerpts(searched, sources, reading.evidence)
        prompt = {"text": _joined(chunks), "excerpts": excerpts, "question": searched}
        reading.warmed.wait()
        with explained(self.settings):
            stated = yes_probability(self.model, CHECK.invoke(prompt))
        written = ""
        # Put as one text, the model would answer the earlier question as well.
        asked = {"question": f"{question} (This was asked after: {earlier})"} if earlier else {}
        if outlook(question, stated, prompt["text"]) >= self.settings.abstain_below:
            with explained(self.settings), closing(self._answer.stream(prompt | asked)) as pieces:  # type: ignore[type-var]
                for piece in map(_text, pieces):
                    if piece:
                        clock.mark("first_token")
                        written += piece
                        yield piece
        yield self._conclude(question, prompt, stated, written.strip(), ranked, sources, reading.evidence, clock)

    def _conclude(
        self, asked: str, read: dict[str, str], stated: float, written: str, ranked: list[Hit],
        sources: list[SourceSentence], evidence: Evidence, clock: "_Clock",
    ) -> Answer:  # fmt: skip
        """What was written with its citations, or the abstention where it is not supported or not believed."""
        question = read["question"]
        written = settle(_SPACED_INITIALS.sub(r"\1.", written), sources, evidence)
        sentences = cite(written, question, sources, evidence)
        citations = {citation.number: citation for sentence in sentences for citation in sentence.citations}
        confidence = 0.0
        if citations and not declines(written):
            cited = " ".join(citation.quote for citation in citations.values())
            with explained(self.settings):
                prompt = CONFIRM.invoke({"cited": cited, "question": question, "answer": written})
                confirmed = yes_probability(self.model, prompt)
            confidence = estimate(asked, stated, confirmed, written, sentences, read["text"])
        abstained = confidence < self.settings.abstain_below
        shown = self.settings.passages
        also = [] if abstained else [hit for hit in ranked[shown:] if _holds(hit, citations.values())]
        return Answer(
            question=question,
            text=ABSTENTION if abstained else " ".join(sentence.text for sentence in sentences),
            sentences=() if abstained else sentences,
            citations=() if abstained else tuple(citations.values()),
            hits=(*ranked[:shown], *also),
            abstained=abstained,
            confidence=confidence,
            timings=clock.timings(),
        )


class _Clock:
    """Seconds from its making to the first mark of each name."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._marks: dict[str, float] = {}

    def mark(self, name: str) -> None:
        self._marks.setdefault(name, time.perf_counter() - self._began)

    def timings(self) -> Timings:
        return Timings(
            rewrite=self._marks["rewrite"],
            retrieve=self._marks["retrieve"],
            first_token=self._marks.get("first_token"),
            total=time.perf_counter() - self._began,
        )


def _excerpts(question: str, sources: list[SourceSentence], evidence: Evidence) -> str:
    best = sorted(rank_sentences(question, evidence.vectors([question])[0], sources)[:EXCERPTS])
    return "From the text:\n" + "".join(f"- {sources[i].text}\n" for i in best) + "\n"


def _text(message: BaseMessage) -> str:
    return str(message.text)


def _holds(hit: Hit, citations: Iterable[Citation]) -> bool:
    chunk = hit.chunk
    return any(c.doc_id == chunk.doc_id and chunk.start <= c.start and c.end <= chunk.end for c in citations)


def _joined(chunks: Sequence[Chunk]) -> str:
    return "\n\n".join(chunk.text for chunk in chunks)


def checked(question: str) -> str:
    """The question without white space around it. Raises QuestionError when it is blank or too long."""
    question = clean(question).strip()
    if not question:
        raise QuestionError("The question is empty; type one.")
    if len(question) > LONGEST_QUESTION:
        raise QuestionError(
            f"The question has {len(question):,} characters, and at most {LONGEST_QUESTION:,} are allowed; shorten it."
        )
    return question
