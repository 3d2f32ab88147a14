"""Chatbot: a question, what is found for it, what is written, the Answer."""

import threading
import time
from collections import OrderedDict
from collections.abc import Generator, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config, get_callback_manager_for_config, patch_config
from langchain_core.tools import BaseTool

from rag.answer.context import gather
from rag.answer.evidence import SourceSentences, citation
from rag.answer.finder import Finder, IndexFinder, RetrieverFinder
from rag.answer.kinds import KindClassifier
from rag.answer.question import is_greeting, stand_alone
from rag.answer.suggestion import is_good, write_question
from rag.answer.writer import Draft, Writer, given, likeliest, nearest
from rag.bounds import QUESTION
from rag.documents.language import DEFAULT, language_of
from rag.documents.text import clean
from rag.errors import QuestionError
from rag.index.index import Index, open_index
from rag.index.shared import Remote
from rag.langchain_adapter import Asked, ChatbotRunnable, History, retrieval_tool
from rag.models.chat_model import is_embedded, open_model, streamed
from rag.models.embedder import embedder_name, make_embedder
from rag.models.progress import Progress, silent
from rag.models.reranker import Reranker, make_reranker
from rag.replies import LANGUAGES, replies
from rag.settings import Settings
from rag.types import GREETING, Answer, Citation, Documents, Event, Evidence, Hit, Timings

_REMEMBERED = 200
"""Answers that are given again if the same is asked while the index is the same."""


class Chatbot:
    """Answers questions from the index that was published last.

    A context manager; threads may share it.
    """

    def __init__(
        self, settings: Settings, source: Index | BaseRetriever, model: BaseChatModel, embedder: Embeddings,
        reranker: Reranker,
    ) -> None:  # fmt: skip
        """`source` is where passages are found: an open index, or any LangChain retriever."""
        self.settings = settings
        self.model = model
        self.embedder = embedder
        sentences = SourceSentences(embedder, reranker)
        self._finder: Finder = (
            IndexFinder(settings, source, embedder, sentences)
            if isinstance(source, Index)
            else RetrieverFinder(source, embedder, sentences)
        )
        self._kinds = KindClassifier.shipped()
        self._writer = Writer(settings, model)
        self._answers: OrderedDict[Hashable, tuple[Evidence, Answer]] = OrderedDict()
        self._reads_ahead = False
        self._drafted: str | None = None
        self._asked = 0
        self._lock = threading.Lock()
        self._engine = threading.Lock()
        self._resources = ExitStack()

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        model: BaseChatModel | None = None,
        embedder: Embeddings | None = None,
        retriever: BaseRetriever | None = None,
        reranker: Reranker | None = None,
        progress: Progress = silent,
    ) -> Self:
        """Open the published index and start the model, or take the ones given.

        With a `retriever`, any of LangChain's, passages are found by it and no index is opened. Raises
        StoreError when there is no usable index, ModelError when a model is missing or damaged.
        """
        with ExitStack() as stack, ThreadPoolExecutor(1) as side:
            remote = Remote.of(settings)
            source = retriever or open_index(settings.index, embedder_name(settings), remote)
            loading = side.submit(lambda: (embedder or make_embedder(settings), reranker or make_reranker()))
            chat_model = model or stack.enter_context(open_model(settings, progress))
            bot = cls(settings, source, chat_model, *loading.result())
            if not retriever:
                stack.enter_context(remote.following(settings.index))
            bot._resources = stack.pop_all()
        bot._reads_ahead = settings.read_ahead and model is None and is_embedded(settings)
        return bot

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the embedded model, if there is one."""
        self._resources.close()

    @property
    def retriever(self) -> BaseRetriever:
        """Finds the passages that are answered from."""
        return self._finder.retriever

    @property
    def documents(self) -> Documents:
        """The documents published last, by id, each read when asked for."""
        return self._finder.documents

    @property
    def passages(self) -> int:
        """How many passages can be found."""
        return self._finder.passages

    @property
    def reads_ahead(self) -> bool:
        """Whether `read_ahead` does anything: where the settings allow it, with the embedded model."""
        return self._reads_ahead

    def refresh(self) -> None:
        """Answer from the index as it was last published; otherwise the next question does."""
        self._finder.refresh()

    def check(self) -> None:
        """Let the model say one word. Raises ModelError if it does not."""
        # Not every provider takes a bound on the tokens with the call.
        with closing(streamed(self.settings, self.model.stream("Hello"))) as pieces:
            next(pieces, None)

    def as_runnable(self) -> Runnable[Asked, AIMessage]:
        """A LangChain Runnable from a question, {"question", "history"} or messages to an AIMessage with citations."""
        return ChatbotRunnable(self.stream)

    def as_tool(self) -> BaseTool:
        """A LangChain tool that finds passages; its artifact is the list of Hits."""
        return retrieval_tool(self.search)

    def search(self, question: str, config: RunnableConfig | None = None) -> list[Hit]:
        """The passages nearest to the question, best first. Raises QuestionError like `ask`."""
        return self._finder.find(checked(question), config=config)[1][: self.settings.passages]

    def key_sentences(self, documents: Sequence[str] = (), count: int = 3) -> tuple[Citation, ...]:
        """At most so many that summarise the documents, by ids, or all.

        No model is asked. None if passages come from a retriever of your own. Raises StoreError if the index is
        damaged.
        """
        found = self._finder.key_sentences(documents, count)
        return tuple(citation(number, one) for number, one in enumerate(found, start=1))

    def question_for(self, quoted: Citation) -> str | None:
        """A question that the quoted words answer, written by the idle engine.

        None if it is not idle. Empty if what it wrote is no good question, or if the model is not the one inside
        this process. Raises like `ask`.
        """
        if not self._reads_ahead:
            return ""
        if self._asked or not self._engine.acquire(blocking=False):
            return None
        try:
            question = write_question(self.settings, self.model, quoted)
            if not question or len(question) > QUESTION:
                return ""
            wording, _ = stand_alone(question, ())
            reading, ranked = self._finder.find(wording.searched, [])
            context = gather(self._kinds.kind_of(wording.typed), reading, ranked, wording, self.settings)
            return question if is_good(question, quoted, context) else ""
        finally:
            self._engine.release()

    def read_ahead(self, draft: str, history: History = (), documents: Sequence[str] = ()) -> None:
        """Let the idle engine read for a question while it is typed.

        A question that is asked meanwhile waits for the end of this and goes on from there. So nothing is read that
        the draft before would not have had read too, nor while any question is being answered, nor if the model is
        not the one inside this process. Raises like `ask`.
        """
        idle = self._reads_ahead and not self._asked and not is_greeting(draft)
        if not idle or not self._engine.acquire(blocking=False):
            return
        try:
            wording, other = stand_alone(checked(draft), history)
            reading, ranked = self._finder.find(wording.searched, [other], documents)
            kind = self._kinds.kind_of(wording.typed)
            context = gather(kind, reading, ranked, wording, self.settings)
            is_settled, self._drafted = context.text == self._drafted, context.text
            if is_settled and context.text and not self._asked:
                self._writer.read_ahead(kind, wording, context)
        finally:
            self._engine.release()

    def ask(
        self, question: str, history: History = (), documents: Sequence[str] = (), config: RunnableConfig | None = None
    ) -> Answer:
        """The answer to `question`, which may point back at `history`, earlier (question, answer) pairs.

        With ids of `documents` only these are searched, read and cited; ids that no longer exist are ignored.
        `config` is LangChain's: its callbacks see one run with those of the retriever and the model in it.
        Raises QuestionError for a blank or overlong question, ModelError when the model fails,
        StoreError when nothing can be searched.
        """
        *_, answer = self.stream(question, history, documents, config)
        assert isinstance(answer, Answer)
        return answer

    def stream(
        self, question: str, history: History = (), documents: Sequence[str] = (), config: RunnableConfig | None = None
    ) -> Generator[Event, None, None]:
        """The hits, the Evidence, the pieces as the model writes them, last the Answer.

        The Answer holds: its text may differ from the pieces, when the model's words are
        not found in the documents. Closing the iterator stops the model. Raises like `ask`.
        """
        config = ensure_config(config)
        run = get_callback_manager_for_config(config).on_chain_start(
            None, {"question": question}, name=config.get("run_name") or "Chatbot", run_id=config.get("run_id")
        )
        answer: Answer | None = None
        clock = _Clock()
        inner = patch_config(config, callbacks=run.get_child())
        try:
            with closing(self._events(question, history, documents, inner, clock)) as events:
                for event in events:
                    if isinstance(event, str):
                        clock.mark("first_token")
                    answer = event if isinstance(event, Answer) else None
                    yield event
        except Exception as error:
            run.on_chain_error(error)
            raise
        except GeneratorExit:
            run.on_chain_end({"answer": None})
            raise
        run.on_chain_end({"answer": answer and answer.text})

    def _events(
        self, question: str, history: History, documents: Sequence[str], config: RunnableConfig, clock: "_Clock"
    ) -> Generator[Event, None, None]:
        question = checked(question)
        wording, other = stand_alone(question, history)
        clock.mark("rewrite")
        if is_greeting(question):
            yield from _greeted(question, clock)
            return
        reading, ranked = self._finder.find(wording.searched, [other], documents, config)
        hits = ranked[: self.settings.passages]
        clock.mark("retrieve")
        yield hits
        # Another's retriever may find something else each time.
        key = (reading.index.path, wording, other, *documents) if reading.index else None
        if known := self._answers.get(key):
            yield from self._again(*known, clock)
            return
        kind = self._kinds.kind_of(wording.typed)
        context = gather(kind, reading, ranked, wording, self.settings)
        evidence = likeliest(context)
        clock.mark("evidence")
        yield evidence
        with self._answering():
            draft = yield from self._writer.draft(kind, wording, context, config)
        answer = self._answer(draft, evidence, wording.searched, ranked, clock)
        if key and not draft.incomplete:
            self._remember(key, evidence, answer)
        yield answer

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """While this lasts nothing is read ahead; what is being read is waited for."""
        with self._lock:
            self._asked += 1
        try:
            with self._engine:
                pass
            yield
        finally:
            with self._lock:
                self._asked -= 1

    def _remember(self, key: Hashable, evidence: Evidence, answer: Answer) -> None:
        with self._lock:
            self._answers[key] = evidence, answer
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)

    def _again(self, evidence: Evidence, answer: Answer, clock: "_Clock") -> Iterator[Event]:
        """What was answered to the same question before."""
        clock.mark("evidence")
        yield evidence
        if not answer.abstained:
            clock.mark("first_token")
            yield answer.text
        yield replace(answer, timings=clock.timings())

    def _answer(self, draft: Draft, evidence: Evidence, question: str, ranked: list[Hit], clock: "_Clock") -> Answer:
        """The Answer; its hits end with passages that are cited without being among the first."""
        sentences = given(draft, self.settings)
        near = () if sentences else nearest(draft, evidence, self.settings)
        citations = draft.citations if sentences else ()
        hits = ranked[: self.settings.passages]
        also = [hit for hit in ranked[len(hits) :] if _holds(hit, citations or near)]
        language = DEFAULT if sentences else language_of(question, LANGUAGES)
        said = replies(language)
        quoted = " ".join([said.nearest, *(f"“{one.quote}”" for one in near)]) if near else said.abstention
        return Answer(
            question=question,
            text=" ".join(sentence.text for sentence in sentences) or quoted,
            sentences=sentences,
            citations=citations,
            hits=(*hits, *also),
            abstained=not sentences,
            confidence=draft.confidence,
            timings=clock.timings(),
            signals=draft.signals,
            incomplete=draft.incomplete if sentences else "",
            near=near,
            language=language,
        )


def _greeted(question: str, clock: "_Clock") -> Iterator[Event]:
    """The events of a greeting, of which nothing is searched."""
    yield []
    clock.mark("retrieve")
    yield Evidence(())
    clock.mark("evidence")
    yield Answer(question, GREETING, (), (), (), abstained=True, confidence=0.0, timings=clock.timings())


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
            evidence=self._marks["evidence"],
            first_token=self._marks.get("first_token"),
            total=time.perf_counter() - self._began,
        )


def _holds(hit: Hit, citations: Sequence[Citation]) -> bool:
    """Whether one of the citations is inside the passage."""
    passage = hit.passage
    return any(c.doc_id == passage.doc_id and passage.start <= c.start and c.end <= passage.end for c in citations)


def checked(question: str) -> str:
    """The question, cleaned. Raises QuestionError if it is blank or too long."""
    question = question.strip()
    if len(question) > QUESTION:
        raise QuestionError(
            f"The question has {len(question):,} characters, and at most {QUESTION:,} are allowed; shorten it."
        )
    question = clean(question).strip()
    if not question:
        raise QuestionError("The question is empty; type one.")
    return question
