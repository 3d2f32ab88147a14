"""The LangChain chain: condense -> retrieve -> answer -> cite; `Chatbot.ask` and `Chatbot.stream`."""

import logging
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config, get_callback_manager_for_config, patch_config
from langchain_core.tools import BaseTool

from rag.answer.answer_type import AnswerType, answer_type, parts
from rag.answer.citations import Numbers
from rag.answer.condense import Wording, points_back, word
from rag.answer.context import gather
from rag.answer.prompts import ABSTENTION
from rag.answer.reading import Reader, Reading, open_reported
from rag.answer.writer import Answerer, Draft, citations_of, holds, kept
from rag.bounds import QUESTION
from rag.documents.text import clean
from rag.errors import QuestionError, RagError
from rag.index.index import Index
from rag.index.passages import Passages
from rag.index.retriever import HybridRetriever
from rag.langchain import Asked, ChatbotRunnable, History, retrieval_tool
from rag.models.chat_model import explained, is_embedded, open_model
from rag.models.embedder import make_embedder
from rag.models.progress import Progress, silent
from rag.settings import Settings
from rag.types import Answer, Hit, Timings

_LOG = logging.getLogger(__name__)


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
        self._reading_ahead = threading.Lock()
        self._answerer = Answerer(settings, model)
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
                with self._reading_ahead:
                    if reading is self._reader.now:  # Of what was published meanwhile only the newest is worth it.
                        self._answerer.read_ahead(gather(AnswerType.FACT, reading, [], self.settings))
            except RagError as error:
                if not self._closed:
                    _LOG.warning("The article could not be read ahead: %s", error)
            finally:
                reading.warmed.set()

        if self._reads_ahead and reading.whole:
            reading.warmed.clear()
            threading.Thread(target=read, name="warm-up", daemon=True).start()

    @property
    def documents(self) -> Passages:
        """The documents of the index as it was last published, by id, each read when asked for."""
        return self._reader.newest().index.documents

    @property
    def passages(self) -> int:
        """How many passages the index holds."""
        return self._reader.newest().index.manifest.passages

    def refresh(self) -> None:
        """Answer from the index as it was last published; without it the next question brings that about."""
        self._reader.refresh()

    def check(self) -> None:
        """Let the model say one word. Raises ModelError where it does not."""
        with explained(self.settings):
            self.model.invoke("Hello", max_tokens=1)

    def as_runnable(self) -> Runnable[Asked, AIMessage]:
        """A LangChain Runnable from a question, {"question", "history"} or messages to an AIMessage with citations."""
        return ChatbotRunnable(self)

    def as_tool(self) -> BaseTool:
        """A LangChain tool that finds passages; its artifact are the Hits."""
        return retrieval_tool(self)

    def search(self, question: str, config: RunnableConfig | None = None) -> list[Hit]:
        """The passages nearest to the question, best first. Raises QuestionError like `ask`."""
        return self._reader.find(checked(question), config=config)[1][: self.settings.passages]

    def ask(
        self, question: str, history: History = (), documents: Sequence[str] = (), config: RunnableConfig | None = None
    ) -> Answer:
        """The answer to `question`, which may point back at `history`, earlier (question, answer) pairs.

        With ids of `documents` only these are searched, read and cited, as far as they are there.
        `config` is LangChain's: its callbacks see one run with those of the retriever and the model in it.
        Raises QuestionError for a blank or overlong question, ModelError when the model fails.
        """
        *_, answer = self.stream(question, history, documents, config)
        assert isinstance(answer, Answer)
        return answer

    def stream(
        self, question: str, history: History = (), documents: Sequence[str] = (), config: RunnableConfig | None = None
    ) -> Iterator[list[Hit] | str | Answer]:
        """First the hits, then the pieces of the answer as the model writes them, last the Answer.

        The Answer holds: its text may differ from the pieces, when the model's words are
        not found in the documents. Closing the iterator stops the model. Raises like `ask`.
        """
        config = ensure_config(config)
        run = get_callback_manager_for_config(config).on_chain_start(
            None, {"question": question}, name=config.get("run_name") or "Chatbot", run_id=config.get("run_id")
        )
        answer: Answer | None = None
        try:
            with closing(
                self._events(question, history, documents, patch_config(config, callbacks=run.get_child()))
            ) as events:
                for event in events:
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
        self, question: str, history: History, documents: Sequence[str], config: RunnableConfig
    ) -> Generator[list[Hit] | str | Answer, None, None]:
        clock = _Clock()
        whole, other = word(checked(question), history)
        wordings = _divided(whole)
        clock.mark("rewrite")
        reading, ranked = self._reader.find(
            whole.searched, [other, *(one.typed for one in wordings[1:])], documents, config
        )
        hits = ranked[: self.settings.passages]
        clock.mark("retrieve")
        yield hits
        reading.warmed.wait()
        drafts: list[Draft] = []
        numbers: Numbers = {}
        for wording in wordings:
            kind = answer_type(wording.typed)
            context = gather(kind, reading, ranked, self.settings)
            if drafts and drafts[-1].sentences:
                yield " "
            writing = self._answerer.draft(
                kind, wording, context, hits, numbers, lambda: clock.mark("first_token"), config
            )
            drafts.append((yield from writing))
        sentences = kept(list(zip(wordings, drafts, strict=True)), self.settings)
        citations = citations_of(sentences)
        given = [draft for draft in drafts if draft.confidence >= self.settings.abstain_below] if sentences else []
        # Of several questions at once the least sure answer that is given counts, or else the nearest to one.
        least = min(given or [max(drafts, key=_confidence)], key=_confidence)
        also = [hit for hit in ranked[len(hits) :] if holds(hit, citations)]
        yield Answer(
            question=whole.searched,
            text=" ".join(sentence.text for sentence in sentences) or ABSTENTION,
            sentences=sentences,
            citations=citations,
            hits=(*hits, *also),
            abstained=not sentences,
            confidence=least.confidence,
            timings=clock.timings(),
            signals=least.signals,
            incomplete=next((draft.incomplete for draft in drafts if draft.incomplete), "") if sentences else "",
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


def _confidence(draft: Draft) -> float:
    return draft.confidence


def _divided(whole: Wording) -> list[Wording]:
    """The questions put at once, each after the first with the one before, where it leans on that."""
    first, *others = parts(whole.typed)
    wordings = [Wording(first, whole.earlier)]
    for part in others:
        wordings.append(Wording(part, wordings[-1].searched if points_back(part) else whole.earlier))
    return wordings


def checked(question: str) -> str:
    """The question without white space around it. Raises QuestionError when it is blank or too long."""
    question = question.strip()
    if len(question) > QUESTION:
        raise QuestionError(
            f"The question has {len(question):,} characters, and at most {QUESTION:,} are allowed; shorten it."
        )
    question = clean(question).strip()
    if not question:
        raise QuestionError("The question is empty; type one.")
    return question
